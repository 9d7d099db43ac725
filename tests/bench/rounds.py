# SPDX-License-Identifier: GPL-2.0-or-later
"""What the parts of the benchmark share: runs that take turns, and tables in Markdown of what came out.

Contenders take turns, round by round, so that a busy machine slows all of them; what a row says is the median.
"""

import statistics
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import program

TOOLS = Path(sys.argv[1] if len(sys.argv) > 1 else program.SOURCE / "build/tests/bench").resolve()
MEASURE, EVENTS, EMPTY, FLOOD = (TOOLS / name for name in ("measure", "events", "empty", "flood"))
MIB = 1 << 20


class Taken(NamedTuple):
    """What a run took: seconds, and bytes. "own" is without the processes that it started itself."""

    wall: float
    cpu: float
    own: float
    own_system: float
    memory: int


def measured(command, before=(), statuses=(0,), **options):
    """One run of a command, with its output thrown away; the words of `before` start it."""
    process = subprocess.run(
        [str(word) for word in (*before, MEASURE, *command)], env=program.environment(), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, check=False, **options)
    if process.returncode not in statuses:
        raise SystemExit(f"bench: {' '.join(map(str, command))}: exit status {process.returncode}")
    *times, memory = map(int, process.stdout.split())
    return Taken(*(microseconds / 1e6 for microseconds in times), memory * 1024)


def turns(count, **contenders):
    """{name: [what its calls returned]}, of so many rounds, after one that does not count.

    Each second round is in the other order: whoever comes first finds the caches as the other left them.
    """
    if count > 3:  # what takes long does not notice a cold cache
        for contender in contenders.values():
            contender()
    results = {name: [] for name in contenders}
    order = list(contenders)
    for _ in range(count):
        for name in order:
            results[name].append(contenders[name]())
        order.reverse()
    return results


def median(runs, field="cpu"):
    return statistics.median(getattr(run, field) for run in runs)


def peak(runs):
    return max(run.memory for run in runs)


# ---- words ----


def milliseconds(seconds):
    return f"{seconds * 1e3:,.1f} ms" if seconds < 10 else f"{seconds:,.1f} s"


def mebibytes(count):
    return f"{count / MIB:,.1f} MiB"


def at_most(value, most, form="{:.2f}"):
    """A figure that is to be small, marked where it is not."""
    return form.format(value) + ("" if value <= most else " (!)")


def at_least(value, least, form="{:.2f}"):
    return form.format(value) + ("" if value >= least else " (!)")


class Table:
    """Printed line by line, as its rows are measured."""

    def __init__(self, title, *columns):
        print(f"\n**{title}**\n\n| {' | '.join(columns)} |")
        print("|" + "|".join(" --- " if number == 0 else " ---: " for number in range(len(columns))) + "|", flush=True)

    def row(self, *cells):
        print(f"| {' | '.join(map(str, cells))} |", flush=True)
