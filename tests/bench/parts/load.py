# SPDX-License-Identifier: GPL-2.0-or-later
"""Loading rule sets with many cameras into the kernel, beside files that are written by hand for the cameras alone.

Each run is in a network namespace of its own, which ends with it.
"""

import cameras
import program
from rounds import Table, at_most, measured, median, milliseconds, turns

COUNT = 100_000
RUNS = {"nft": 7, "iptables-legacy-restore": 7, "iptables-nft-restore": 3, "ipset": 5}
NFT, IPTABLES, IPSET = 1.1, 1.3, 1.1


def write(path, text):
    path.write_text(text, encoding="ascii")
    return path


def loading(*command):
    return lambda: measured(command, before=("unshare", "-n"))


def compare(table, tool, shape, most, ours, ideal, more=""):
    taken = turns(RUNS[tool], ours=loading(*ours), ideal=loading(*ideal))
    seconds, least = median(taken["ours"]), median(taken["ideal"])
    ratio = at_most(seconds / least, most or float("inf"))
    table.row(tool + more, shape, milliseconds(least), milliseconds(seconds), ratio, most or "-")


def run(folder):
    table = Table(f"load: processor time for {COUNT:,} cameras", "with", "shape", "by hand", "ours", "ratio", "target")
    for shape in cameras.SHAPES:
        site = write(folder / "site.yaml", cameras.site(COUNT, shape))
        sets = folder / "ours.sets"
        gen = ("gen", "-q", "--profile", site)
        ours = write(folder / "ours.nft", program.compiled(*gen))
        ideal = write(folder / "ideal.nft", cameras.nft(COUNT, shape))
        compare(table, "nft", shape, NFT, ("nft", "-f", ours), ("nft", "-f", ideal))
        ours = write(folder / "ours.v4", program.compiled(*gen, "-b", "iptables"))
        ideal = write(folder / "ideal.v4", cameras.iptables(COUNT, shape))
        once = write(folder / "once.v4", cameras.iptables(COUNT, port_once=True))
        for variant in ("legacy", "nft"):
            restore = (f"iptables-{variant}-restore", "--noflush")
            compare(table, restore[0], shape, IPTABLES, (*restore, ours), (*restore, ideal))
            if shape == "same":  # the least that linear rules can be; not what anybody writes
                compare(table, restore[0], shape, None, (*restore, ours), (*restore, once), ", port asked once")
        program.compiled(*gen, "-b", "iptables", "-O", "ipset", "--ipset-output", sets)
        ideal = write(folder / "ideal.sets", cameras.ipset(COUNT, shape))
        restore = ("ipset", "restore", "-file")
        compare(table, "ipset", shape, IPSET, (*restore, sets), (*restore, ideal))
