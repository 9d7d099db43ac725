# SPDX-License-Identifier: GPL-2.0-or-later
"""`flowfw gen` beside libyaml's own event loop over the same file, and beside a program that does nothing.

The ratio says what everything but reading YAML costs; where it grows with the number of cameras or devices, something
is not linear. A gateway reads the files of its devices' profiles, too.
"""

import math

import cameras
import program
from rounds import EMPTY, EVENTS, Table, at_most, mebibytes, measured, median, milliseconds, peak, turns

CASES = {(4, 2): 51, (1_000, 100): 31, (10_000, 300): 15, (100_000, 1_000): 7, (1_000_000, 1_000): 3}
RATIOS = {"nftables": 1.3, "iptables": 2, "pf": 2}  # targets, and that of memory beside the file, for nftables:
MEMORY = 5
LARGE = 100_000  # cameras, from which on they count: what a start takes is most of a small case
DEVICES = {10: 31, 100: 31, 1_000: 15}  # behind a gateway: runs
START_RUNS = 201
START_RATIO, START_SECONDS = 1.5, 0.003


def compiling(path, backend):
    return lambda: measured([program.BINARY, "gen", "-q", "-b", backend, "--profile", path])


def compare(table, path, runs, backends, large, *names):
    contenders = {backend: compiling(path, backend) for backend in backends}
    taken = turns(runs, libyaml=lambda: measured([EVENTS, path]), **contenders)
    bare, size = median(taken["libyaml"]), path.stat().st_size
    for backend in backends:
        seconds, memory = median(taken[backend]), peak(taken[backend])
        ratio, share = RATIOS[backend] if large else math.inf, MEMORY if large and backend == "nftables" else math.inf
        table.row(*names, backend, milliseconds(bare), milliseconds(seconds), at_most(seconds / bare, ratio),
                  mebibytes(memory), at_most(memory / size, share, "{:.1f}"))


COLUMNS = ("backend", "libyaml", "gen", "ratio", "peak memory", "memory / file")


def many_cameras(path):
    targets = ", ".join(f"{name} {ratio}" for name, ratio in RATIOS.items())
    table = Table(f"gen: processor time beside libyaml's event loop (targets from {LARGE:,} on: ratio {targets}; "
                  f"memory {MEMORY} times the file for nftables)", "cameras / networks", "shape", *COLUMNS)
    for (count, networks), runs in CASES.items():
        for shape in cameras.SHAPES:
            path.write_text(cameras.site(count, shape, networks), encoding="ascii")
            compare(table, path, runs, RATIOS, count >= LARGE, f"{count:,} / {networks:,}", shape)


def gateway(count, own_cameras):
    lines = ["flowfw: 1", "site: bench", "extends: gateway", "interfaces: {outside: eth0, inside: eth1}"]
    lines += ["outside: {address: 198.51.100.7}", "masquerade: on", "groups: {clients: [203.0.113.0/24]}", "devices:"]
    for i in range(count):
        more = f", groups: {{cameras: [172.16.{i >> 8}.{i & 255}]}}" if own_cameras else ""
        lines.append(f"  - {{name: device-{i}, extends: xroads, address: {cameras.address(i)}, "
                     f"forward: {{base: {1024 + 2 * i}}}{more}}}")
    return "\n".join(lines) + "\n"


def many_devices(path):
    table = Table("gen: a gateway with many devices", "devices", "they are", *COLUMNS)
    for count, runs in DEVICES.items():
        for own_cameras in (False, True):
            path.write_text(gateway(count, own_cameras), encoding="ascii")
            they_are = "with own cameras" if own_cameras else "alike"
            compare(table, path, runs, ["nftables"], False, f"{count:,}", they_are)


def start():
    taken = turns(START_RUNS, gen=lambda: measured([program.BINARY, "gen", "-q", "--profile", "enterprise"]),
                  empty=lambda: measured([EMPTY]))
    table = Table(f"start: `gen --profile enterprise` (targets: ratio {START_RATIO}, {START_SECONDS * 1e3:.0f} ms)",
                  "time", "empty program", "gen", "ratio")
    for name, field, most in (("wall clock", "wall", START_SECONDS), ("processor", "cpu", START_SECONDS)):
        ours, empty = (median(taken[contender], field) for contender in ("gen", "empty"))
        table.row(name, f"{empty * 1e3:.2f} ms", at_most(ours * 1e3, most * 1e3, "{:.2f} ms"),
                  at_most(ours / empty, START_RATIO))


def run(folder):
    start()
    many_cameras(folder / "site.yaml")
    many_devices(folder / "site.yaml")
