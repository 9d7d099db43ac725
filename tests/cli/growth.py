# SPDX-License-Identifier: GPL-2.0-or-later
"""Twice the input is twice the work, whatever there is twice of: instructions, as callgrind counts them.

For `verify`, what it takes of memory, too.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import cameras  # noqa: E402
import program  # noqa: E402
import tap  # noqa: E402

HEAD = "flowfw: 1\nsite: growth\nextends: node\n"
GATEWAY = """flowfw: 1
site: growth
extends: gateway
interfaces: {outside: eth0, inside: eth1}
outside: {address: 198.51.100.7}
inside: {address: 10.255.0.1, networks: [10.0.0.0/8]}
masquerade: on
hairpin: on
groups: {clients: [203.0.113.0/24], viewers: [203.0.113.20], subscribers: [203.0.113.21], admins: [203.0.113.9]}
"""
ONE_DEVICE = "devices:\n  - {name: j, extends: node, address: 10.254.0.1}\n"
# Sorting makes it a little more than twice; a loop inside a loop makes it four times.
MOST = 2.6
# What a camera takes, with few and many of them.
FEW, MANY, MOST_FOR_ONE = 10_000, 40_000, 1.15
# The same for what reads its rules back: a tree of sets is deeper with more of them.
FEW_READ, MANY_READ, MOST_TO_READ = 4_000, 12_000, 1.25
# MiB at most for so many: a third more than it takes, and less than one set more of them all would.
IN_MEMORY = 20_000
MEMORY = {"pf": 90, "pf, FreeBSD": 90, "iptables": 110, "ipset": 45}


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


def other_address(number):
    return f"172.{16 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"


def first_port(number):
    return 1024 + 2 * number


def devices_alike(_, count):
    return "devices:\n" + "".join(
        f"  - {{name: j{i}, extends: xroads, address: {address(i)}, forward: {{base: {first_port(i)}}}}}\n"
        for i in range(count))


def devices_with_own_cameras(folder, count):
    """Each in a file of its own."""
    text = "devices:\n"
    for i in range(count):
        cameras = ", ".join(other_address(4 * i + j) for j in range(4))
        site = f"flowfw: 1\nsite: j{i}\nextends: xroads\ngroups: {{cameras: [{cameras}]}}\n"
        (folder / f"j{i}.yaml").write_text(site)
        text += f"  - {{name: j{i}, site: j{i}.yaml, address: {address(i)}, forward: {{base: {first_port(i)}}}}}\n"
    return text


def forward_services(_, count):
    """What the backends see of devices that differ, without reading as many files."""
    return ONE_DEVICE + "services:\n" + "".join(
        f"  s{i}: {{direction: forward, ports: {first_port(i)}/tcp, from: clients, to: [{address(i)}, "
        f"{other_address(i)}], out-interface: inside}}\n" for i in range(count))


AT_GATEWAY = {
    "devices alike": (1000, devices_alike),
    "devices with own cameras": (60, devices_with_own_cameras),
    "forwarding services": (500, forward_services),
}
MANY_DEVICES = 1000
TRANSLATIONS = 2000


# What the other backends do differently with long lists: trees of chains, tables, sets in a second file.
BACKENDS = {
    "iptables": ["-b", "iptables"],
    "ipset": ["-b", "iptables", "-O", "ipset", "--ipset-output", "sets"],
    "pf": ["-b", "pf"],
}
LONG = ["cameras", "cameras with ports of their own"]
ALL_BACKENDS = {"nftables": [], **BACKENDS}
READ_BACK = {**BACKENDS, "pf, FreeBSD": ["-b", "pf", "-O", "dialect=freebsd"]}


def counted(folder, *arguments):
    process = subprocess.run(
        ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out", str(program.BINARY), *arguments],
        cwd=folder, env=program.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True, timeout=400, check=False)
    found = re.search(r"Collected : (\d+)", process.stderr)
    assert process.returncode in (0, 1, 3) and found, process.stderr
    return int(found[1])


def instructions(folder, text, options=(), head=HEAD):
    site = folder / "site.yaml"
    site.write_text(head + text)
    return counted(folder, "gen", "-q", *options, str(site))


def grows_linearly(folder, count, shape, options=()):
    # The library's files, and what else is the same for all, are taken off.
    nothing = instructions(folder, "", options)
    once, twice = (instructions(folder, shape(n), options) - nothing for n in (count, 2 * count))
    assert twice < MOST * once, f"{count}: {once} instructions, {2 * count}: {twice}"


def takes_the_same_for_one(folder, shape, options):
    """A camera of many takes no more than one of few: that nothing is sorted, or looked up, slowly."""
    site = cameras.site(0).removesuffix("groups:\n  cameras:\n")
    nothing = instructions(folder, "", options, site)
    few, many = ((instructions(folder, "", options, cameras.site(n, shape)) - nothing) / n
                 for n in (FEW, MANY))
    print(f"# {few:,.0f} instructions for one camera of {FEW:,}, {many:,.0f} of {MANY:,}")
    assert many < MOST_FOR_ONE * few, f"{few:,.0f} for one of {FEW:,}, {many:,.0f} of {MANY:,}"


def to_verify(folder, count, shape, options):
    """Makes a site and its rules; the arguments of what proves them."""
    (folder / "site.yaml").write_text(cameras.site(count, shape))
    sets = "--ipset-output" in options
    (folder / "rules").write_text(program.compiled("gen", "-q", *options, "site.yaml", cwd=folder))
    options = [option for option in options if option not in ("--ipset-output", "sets")]
    return ["verify", "-q", *options, *(["--ipset", "sets"] if sets else []), "site.yaml", "rules"]


def takes_the_same_to_verify_one(folder, shape, options):
    nothing = counted(folder, *to_verify(folder, 1, shape, options))
    few, many = ((counted(folder, *to_verify(folder, n, shape, options)) - nothing) / n
                 for n in (FEW_READ, MANY_READ))
    print(f"# {few:,.0f} instructions for one camera of {FEW_READ:,}, {many:,.0f} of {MANY_READ:,}")
    assert many < MOST_TO_READ * few, f"{few:,.0f} for one of {FEW_READ:,}, {many:,.0f} of {MANY_READ:,}"


def verifies_in_memory(folder, options, most):
    arguments = to_verify(folder, IN_MEMORY, "ports", options)
    process = subprocess.Popen([program.BINARY, *arguments], cwd=folder, env=program.environment(),
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    print(f"# {usage.ru_maxrss >> 10} MiB")
    tap.equal(process.returncode, 0, "status")
    assert usage.ru_maxrss >> 10 < most, f"{usage.ru_maxrss >> 10} MiB"


def translations(count):
    """Each for packets of one source with flags and a hop limit that no other has."""
    flags = [",".join(name for bit, name in enumerate(("FIN", "SYN", "RST", "PSH", "ACK", "URG")) if value >> bit & 1)
             for value in range(64)]
    rules = "".join(
        f"-A PREROUTING -s ff00::{2 * i + 1:x}/128 -p tcp -m tcp --dport 80 --tcp-flags FIN,SYN,RST,PSH,ACK,URG "
        f"{flags[i % 64] or 'NONE'} -m hl --hl-eq {i // 64} -j DNAT --to-destination [fd00::1]:80\n"
        for i in range(count))
    return f"*nat\n:PREROUTING ACCEPT [0:0]\n{rules}COMMIT\n*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n"


def finds_packets_linearly(folder):
    """A packet is shown of what differs, and it looks natural, however many sources have flags of their own."""
    taken = []
    for count in (0, TRANSLATIONS, 2 * TRANSLATIONS):
        (folder / f"rules{count}.v6").write_text(translations(count))
        taken.append(counted(folder, "diff", "rules0.v6", f"rules{count}.v6"))
    nothing, once, twice = taken
    assert twice - nothing < MOST * (once - nothing), f"{TRANSLATIONS}: {once} instructions, twice as many: {twice}"


def gateway_grows_linearly(folder, count, shape, options):
    nothing = instructions(folder, ONE_DEVICE, options, GATEWAY)
    once, twice = (instructions(folder, shape(folder, n), options, GATEWAY) - nothing for n in (count, 2 * count))
    assert twice < MOST * once, f"{count}: {once} instructions, {2 * count}: {twice}"


def has_all_ports(folder, shape, options):
    """A gateway with many devices forwards two ports to each of them."""
    (folder / "site.yaml").write_text(GATEWAY + shape(folder, MANY_DEVICES))
    rules = program.compiled("gen", "-q", *options, "site.yaml", cwd=folder)
    ports = {int(found) for found in re.findall(r"^(?:\t\t\t(\d+) :|.* --dport (\d+) .*DNAT|match in .* port (\d+) "
             r"(?:tag \S+ )?rdr-to)", rules, re.M) for found in found if found}
    tap.equal(ports, set(range(first_port(0), first_port(MANY_DEVICES))), "ports that are forwarded")


def main():
    checks = tap.Tap()
    folder = program.scratch()

    def run(name, *call, claim="twice is twice the work"):
        if shutil.which("valgrind") is None:
            checks.skip(name, "valgrind is missing")
        else:
            checks.run(f"{name} {claim}", *call)

    for name, (count, shape) in SHAPES.items():
        run(name, grows_linearly, folder, count, shape)
    for backend, options in BACKENDS.items():
        for name in LONG:
            run(f"{backend}: {name}", grows_linearly, folder, *SHAPES[name], options)
    for backend in ("nftables", "iptables", "pf"):
        options = ALL_BACKENDS[backend]
        for shape in cameras.SHAPES:
            run(f"{backend}: each of {MANY:,} cameras ({shape})", takes_the_same_for_one, folder, shape, options,
                claim=f"takes what each of {FEW:,} does")
    for backend, options in READ_BACK.items():
        run(f"verify, {backend}: each of {MANY_READ:,} cameras (ports)", takes_the_same_to_verify_one, folder, "ports",
            options, claim=f"takes what each of {FEW_READ:,} does")
        checks.run(f"verify, {backend}: {IN_MEMORY:,} cameras (ports) take {MEMORY[backend]} MiB at most",
                   verifies_in_memory, folder, options, MEMORY[backend])
    run("diff: a packet of many sources", finds_packets_linearly, folder)
    for backend, options in ALL_BACKENDS.items():
        for name, (count, shape) in AT_GATEWAY.items():
            run(f"{backend}: {name}", gateway_grows_linearly, folder, count, shape, options)
        for name in ("devices alike", "devices with own cameras"):
            checks.run(f"{backend}: {MANY_DEVICES:,} {name}", has_all_ports, folder, AT_GATEWAY[name][1], options)
    return checks.done()


if __name__ == "__main__":
    sys.exit(main())
