# SPDX-License-Identifier: GPL-2.0-or-later
"""What looks at the packets of a profile with many cameras, beyond reading it: processor time less that of `gen`.

`verify` has nft load the rule set, and reads the kernel's dump of it. nft is a process of its own, which does not count
here, and neither does what verify itself spends in the kernel, most of which is the dump.
"""

import cameras
import program
from rounds import Table, at_most, measured, median, milliseconds, peak, turns

COUNT = 100_000
RUNS = 5
SECONDS, MEMORY = 1, 300 << 20


def moved(text):
    """The same with one camera somewhere else."""
    last = cameras.address(COUNT - 1)
    return text.replace(f"address: {last}}}", "address: 10.200.0.1}").replace(
        f"address: {last},", "address: 10.200.0.1,")


def ours(*arguments, statuses=(0,)):
    return lambda: measured([program.BINARY, *arguments], statuses=statuses)


def run(folder):
    table = Table(f"meaning: processor time for {COUNT:,} cameras (targets: {SECONDS} s beyond reading, "
                  f"{MEMORY >> 20} MiB)", "command", "shape", "gen", "all", "nft", "in the kernel", "beyond reading",
                  "peak memory")
    one, other, rules = (folder / name for name in ("one.yaml", "other.yaml", "rules.nft"))
    for shape in cameras.SHAPES:
        text = cameras.site(COUNT, shape)
        one.write_text(text, encoding="ascii")
        other.write_text(moved(text), encoding="ascii")
        rules.write_text(program.compiled("gen", "-q", "--profile", one), encoding="ascii")
        taken = turns(RUNS, **{
            "gen": ours("gen", "-q", "--profile", one),
            "check": ours("check", "-q", one),
            "diff": ours("diff", one, other, statuses=(1,)),
            "verify": ours("verify", "-q", one, rules),
        })
        gen, gen_system = median(taken["gen"]), median(taken["gen"], "own_system")
        for command, files in {"check": 1, "diff": 2, "verify": 1}.items():
            runs = taken[command]
            own, system = median(runs, "own"), median(runs, "own_system")
            beyond = own - files * gen
            if command == "verify":
                beyond -= max(system - gen_system, 0)
            table.row(f"`{command}`", shape, milliseconds(gen), milliseconds(median(runs)),
                      milliseconds(median(runs) - own) if command == "verify" else "-", milliseconds(system),
                      at_most(beyond, SECONDS, "{:.2f} s"), at_most(peak(runs) >> 20, MEMORY >> 20, "{:,} MiB"))
