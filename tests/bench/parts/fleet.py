# SPDX-License-Identifier: GPL-2.0-or-later
"""`gen --fleet` on many small sites: seconds of the clock, since two processes share the work."""

import shutil

import cameras
import program
from fleets import Fleet
from rounds import Table, at_most, mebibytes, measured, median, peak

COUNTS = {1_000: 3, 10_000: 3}  # devices: runs
CAMERAS = 8
MOST_SECONDS = 10


def site(number):
    lines = "".join(
        f"    - {{name: camera-{i}, address: {cameras.address(CAMERAS * number + i)}}}\n" for i in range(CAMERAS))
    return f"flowfw: 1\nsite: device-{number}\nextends: xroads\ngroups:\n  cameras:\n{lines}"


def run(_):
    title = f"fleet: devices of {CAMERAS} cameras, -j 2 (target: {MOST_SECONDS} s for {max(COUNTS):,})"
    table = Table(title, "devices", "first run", "nothing to write",
                  "processor, first run", "largest process", "bytes for a device more")
    before = None
    for count, runs in COUNTS.items():
        fleet = Fleet()
        for i in range(count):
            fleet.put(f"device-{i}", text=site(i))
        taken = {"new": [], "again": []}
        for _ in range(runs):
            shutil.rmtree(fleet.out, ignore_errors=True)
            for results in taken.values():
                results.append(measured([program.BINARY, *fleet.command("-q", "-j", "2")], cwd=fleet.folder))
        seconds, memory = median(taken["new"], "wall"), peak(taken["new"])
        more = f"{(memory - before[1]) / (count - before[0]):,.0f}" if before else "-"
        before = count, memory
        table.row(f"{count:,}", at_most(seconds, MOST_SECONDS, "{:.2f} s"), f"{median(taken['again'], 'wall'):.2f} s",
                  f"{median(taken['new']):.2f} s", mebibytes(memory), more)
        shutil.rmtree(fleet.folder)
