# SPDX-License-Identifier: GPL-2.0-or-later
"""Times `flowfw gen` with 4 to 1,000,000 cameras, and gateways with many devices, beside libyaml's own event loop over
the same file.

Prints a table: medians of runs that take turns, so that a busy machine slows both. The ratio says what everything
but reading YAML costs; where it grows with the number of cameras or devices, something is not linear. A gateway reads
the files of its devices' profiles, too.
"""

import statistics
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import program  # noqa: E402

COUNTS = {4: 51, 1_000: 31, 100_000: 7, 1_000_000: 3}  # cameras: runs
DEVICES = {10: 31, 100: 31, 1_000: 15}  # behind a gateway: runs
KINDS = {
    "bare": lambda number: "",
    "own ports": lambda number: ", ports: 8554/tcp",
}


def address(number):
    return f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"


def write_site(path, count, more):
    with open(path, "w", encoding="ascii") as out:
        out.write("flowfw: 1\nsite: bench\nextends: enterprise\ngroups:\n  cameras:\n")
        for number in range(count):
            out.write(f"    - {{name: camera-{number}, address: {address(number)}{more(number)}}}\n")


def write_gateway(path, count, more):
    with open(path, "w", encoding="ascii") as out:
        out.write("flowfw: 1\nsite: bench\nextends: gateway\ninterfaces: {outside: eth0, inside: eth1}\n")
        out.write("outside: {address: 198.51.100.7}\nmasquerade: on\ngroups: {clients: [203.0.113.0/24]}\ndevices:\n")
        for number in range(count):
            out.write(f"  - {{name: device-{number}, extends: xroads, address: {address(number)}, ")
            out.write(f"forward: {{base: {1024 + 2 * number}}}{more(number)}}}\n")


def own_camera(number):
    return f", groups: {{cameras: [172.16.{number >> 8}.{number & 255}]}}"


def measured(tools, *command):
    """(seconds, peak memory in bytes) of one run."""
    words = [str(tools / "measure"), *map(str, command)]
    output = subprocess.run(words, env=program.environment(), stdout=subprocess.PIPE, check=True).stdout
    microseconds, kibibytes = map(int, output.split())
    return microseconds / 1e6, kibibytes * 1024


def row(tools, site, count, kind, runs):
    gen = ("gen", "-q", "--profile", site)
    rules = len(program.compiled(*gen, timeout=600, text=False))
    both = [(measured(tools, program.BINARY, *gen), measured(tools, tools / "events", site)) for _ in range(runs)]
    seconds = statistics.median(ours[0] for ours, _ in both)
    bare = statistics.median(theirs[0] for _, theirs in both)
    memory = max(ours[1] for ours, _ in both)
    print(
        f"{count:>9,}  {kind:20} {seconds * 1e3:>7,.1f} ms {bare * 1e3:>7,.1f} ms {seconds / bare:>6.2f} "
        f"{memory / 2**20:>5,.1f} MiB {site.stat().st_size / 2**20:>5,.1f} MiB {rules / 2**20:>5,.1f} MiB",
        flush=True,
    )


def main():
    if len(sys.argv) < 2:
        raise SystemExit("usage: run.py FOLDER-OF-TOOLS [CAMERAS…]")
    tools = Path(sys.argv[1])
    counts = [int(word) for word in sys.argv[2:]] or list(COUNTS)
    site = program.scratch() / "site.yaml"
    print(f"{'number':>9}  {'of':20} {'gen':>10} {'libyaml':>10} {'ratio':>6} {'memory':>9} {'file':>9} {'rules':>9}")
    for count in counts:
        for kind, more in KINDS.items():
            write_site(site, count, more)
            row(tools, site, count, f"cameras, {kind}", COUNTS.get(count, 5))
    for count, runs in DEVICES.items():
        for kind, more in {"alike": lambda number: "", "own cameras": own_camera}.items():
            write_gateway(site, count, more)
            row(tools, site, count, f"devices, {kind}", runs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
