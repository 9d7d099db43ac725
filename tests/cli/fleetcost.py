# SPDX-License-Identifier: GPL-2.0-or-later
"""flowfw --fleet: what it takes of memory, and of the network. For plain builds: a sanitizer keeps what is freed."""

import os
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import tap  # noqa: E402
from fleets import Fleet, check, children, gateway, said, site, wait_until  # noqa: E402
from program import OK, SYSTEM  # noqa: E402


def out_of_memory():
    """a member that takes all memory fails alone"""
    fleet = Fleet("a", "b", "c")
    fleet.put("b", "groups:\n  cameras:\n" + "".join(
        f"    - 10.{i >> 16}.{i >> 8 & 255}.{i & 255}\n" for i in range(1, 800000, 2)))
    process = fleet.gen("-q", wrapper=("prlimit", f"--as={40 << 20}", "--core=0"))
    said(process, SYSTEM, "out of memory", "[process-lost]", "'b' failed", "1 of 3 members failed")
    tap.equal(fleet.names(), ["a.nft", "c.nft"])


def status_of(pid, field):
    return int(re.search(rf"{field}:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1])


def peak(count):
    """KiB at most in memory, of the program and its processes together, when but one member is left to compile."""
    fleet = Fleet(*(f"junction-{i:04}" for i in range(count)))
    last = fleet.folder / "sites/zz.yaml"
    os.mkfifo(last)
    process = fleet.start("-q", "-j", "2")
    writer = os.open(last, os.O_RDWR)
    wait_until("all others are compiled", lambda: any(
        len(list(path.iterdir())) == count for path in fleet.out.glob(".flowfw-*/")))
    total = sum(status_of(pid, "VmHWM") for pid in [process.pid, *children(process.pid)])
    reader = os.open(last, os.O_WRONLY)
    os.write(reader, site("zz").encode())
    os.close(writer)
    os.close(reader)
    stderr = process.communicate(timeout=60)[1]
    tap.equal((process.returncode, stderr), (OK, ""))
    tap.equal(len(fleet.names()), count + 1)
    return total


def memory():
    """a member more takes the memory of its path and name, which three processes share, and no more"""
    few, many = peak(200), peak(4000)
    tap.equal(many - few < 3800, True, f"{few} KiB of 200, {many} KiB of 4000")  # a KiB for each is too much
    tap.equal(many < 24 << 10, True, f"{many} KiB")


def no_network():
    """no process of it opens a network socket"""
    fleet = Fleet("north", "south")
    log = fleet.folder / "log"
    process = fleet.gen("-q", wrapper=("strace", "-f", "-qq", "-o", str(log), "-e", "trace=socket,connect,bind"))
    if process.returncode != OK and "ptrace" in process.stderr:
        raise tap.Skip(f"strace may not trace: {process.stderr.strip()}")
    said(process, OK)
    tap.equal([line for line in log.read_text().splitlines() if re.search(r"\b(socket|connect|bind)\(", line)], [])


def too_complex():
    """a device that would take all memory to compare is an error, and no answer"""
    fleet = Fleet()
    nested = ", ".join(f"{{address: 10.{i >> 8}.{i & 255}.0-11.{255 - (i >> 8)}.{255 - (i & 255)}.255, ports: {2 * (i * 7919 % 20000) + 1}/tcp}}"
                       for i in range(20000))
    fleet.put("north", text=f"flowfw: 1\nsite: north\nextends: xroads\ngroups: {{cameras: [{nested}]}}\n")
    gateway(fleet, north="")
    said(check(fleet, "-q"), SYSTEM, "[too-complex]")


CHECKS = [out_of_memory, memory, no_network, too_complex]

if __name__ == "__main__":
    sys.exit(tap.main(CHECKS))
