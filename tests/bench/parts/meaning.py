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


# What else rule sets are written in: verify reads them itself.
READ_BACK = {"iptables": ["-b", "iptables"], "pf": ["-b", "pf"], "pf, FreeBSD": ["-b", "pf", "-O", "dialect=freebsd"]}


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
        contenders = {
            "gen": ours("gen", "-q", "--profile", one),
            "check": ours("check", "-q", one),
            "diff": ours("diff", one, other, statuses=(1,)),
            "verify": ours("verify", "-q", one, rules),
        }
        for name, options in READ_BACK.items():
            back = folder / f"rules of {name}"
            back.write_text(program.compiled("gen", "-q", "--profile", one, *options), encoding="ascii")
            contenders[f"verify, {name}"] = ours("verify", "-q", *options, one, back)
        taken = turns(RUNS, **contenders)
        gen, gen_system = median(taken["gen"]), median(taken["gen"], "own_system")
        for command in list(contenders)[1:]:
            runs = taken[command]
            own, system = median(runs, "own"), median(runs, "own_system")
            beyond = own - (2 if command == "diff" else 1) * gen
            if command == "verify":
                beyond -= max(system - gen_system, 0)
            table.row(f"`{command}`", shape, milliseconds(gen), milliseconds(median(runs)),
                      milliseconds(median(runs) - own) if command == "verify" else "-", milliseconds(system),
                      at_most(beyond, SECONDS, "{:.2f} s"), at_most(peak(runs) >> 20, MEMORY >> 20, "{:,} MiB"))
