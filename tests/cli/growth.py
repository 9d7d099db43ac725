# SPDX-License-Identifier: GPL-2.0-or-later
"""Twice the input is twice the work, whatever there is twice of: instructions, as callgrind counts them."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import program  # noqa: E402
import tap  # noqa: E402

HEAD = "flowfw: 1\nsite: growth\nextends: node\n"
# Sorting makes it a little more than twice; a loop inside a loop makes it four times.
MOST = 2.6


def address(number):
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def lines(text, count):
    return "".join(text.format(i=i, a=address(i), p=1024 + i % 60000) for i in range(count))


SHAPES = {
    "cameras": (4000, lambda n: "groups:\n  cameras:\n" + lines("    - {{name: c{i}, address: {a}}}\n", n)),
    "cameras with ports of their own": (4000, lambda n: "groups:\n  cameras:\n" + lines(
        "    - {{name: c{i}, address: {a}, ports: {p}/tcp+udp}}\n", n)),
    "port ranges of their own": (2000, lambda n: "groups:\n  cameras:\n" + lines(
        "    - {{address: {a}, ports: {p}-65535/udp}}\n", n)),
    "nested prefixes": (4000, lambda n: "groups:\n  cameras:\n" + lines("    - {a}/32\n    - {a}-10.255.0.0\n", n)),
    "services": (1000, lambda n: "services:\n" + lines(
        "  s{i}: {{direction: input, ports: {p}/tcp, from: clients}}\n", n)),
    "groups": (1000, lambda n: "groups:\n" + lines("  g{i}: [{a}]\n", n) + "services:\n" + lines(
        "  s{i}: {{direction: input, ports: {p}/tcp, from: g{i}, except: 10.1.0.0/16, limit: 9/minute}}\n", n)),
    "interfaces": (400, lambda n: "interfaces:\n" + lines("  i{i}: [eth{i}, wlan{i}]\n", n) + "services:\n  s: "
                   "{direction: input, ports: 1/tcp, from: 10.0.0.1, interface: ["
                   + ", ".join(f"i{i}" for i in range(n)) + "]}\n"),
    "expectations": (500, lambda n: "interfaces: {uplink: eth0}\nexpect:\n" + lines(
        "  - deny input {p}/tcp from {a} on uplink\n", n)),
    "mistakes": (4000, lambda n: "groups:\n  cameras:\n" + lines("    - {a}/8\n", n)),
    "unknown names": (4000, lambda n: "services:\n" + lines("  s{i}: off\n", n)),
}


# What the other backends do differently with long lists: trees of chains, tables, sets in a second file.
BACKENDS = {
    "iptables": ["-b", "iptables"],
    "ipset": ["-b", "iptables", "-O", "ipset", "--ipset-output", "sets"],
    "pf": ["-b", "pf"],
}
LONG = ["cameras", "cameras with ports of their own"]


def instructions(folder, text, options=()):
    site = folder / "site.yaml"
    site.write_text(HEAD + text)
    process = subprocess.run(
        ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out", str(program.BINARY), "gen", "-q",
         *options, str(site)],
        cwd=folder, env=program.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True, timeout=200, check=False)
    found = re.search(r"Collected : (\d+)", process.stderr)
    assert process.returncode in (0, 3) and found, process.stderr
    return int(found[1])


def grows_linearly(folder, count, shape, options=()):
    # The library's files, and what else is the same for all, are taken off.
    nothing = instructions(folder, "", options)
    once, twice = (instructions(folder, shape(n), options) - nothing for n in (count, 2 * count))
    assert twice < MOST * once, f"{count}: {once} instructions, {2 * count}: {twice}"


def main():
    checks = tap.Tap()
    folder = program.scratch()
    for name, (count, shape) in SHAPES.items():
        if shutil.which("valgrind") is None:
            checks.skip(name, "valgrind is missing")
        else:
            checks.run(f"{name} twice is twice the work", grows_linearly, folder, count, shape)
    for backend, options in BACKENDS.items():
        for name in LONG:
            if shutil.which("valgrind") is None:
                checks.skip(f"{backend}: {name}", "valgrind is missing")
            else:
                checks.run(f"{backend}: {name} twice is twice the work", grows_linearly, folder, *SHAPES[name], options)
    return checks.done()


if __name__ == "__main__":
    sys.exit(main())
