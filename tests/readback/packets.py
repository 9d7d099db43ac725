# SPDX-License-Identifier: GPL-2.0-or-later
"""What readers say of rule sets that flowfw did not write, against real packets.

    packets.py ASK nft|iptables-nft|iptables-legacy [PART-OF-A-NAME [COUNT [SEED]]]

Rule sets are those of nft/, iptables/ and packets/ beside this file, marked as nft.py and iptables.py say. Each is
loaded in a small world (packets_world.py); packets, those of its marks and generated ones (packets_rules.py), are sent
from raw sockets, and what becomes of each has to be what ASK says: behind the rules with the addresses that it should
have, gone, or refused with an answer. What a limit decides may go either way. Rules that are not understood, and said
to be so, are taken out first.
"""

import os
import re
import shutil
import sys
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
import netns  # noqa: E402
import packets_compare as compare  # noqa: E402
import packets_generate as generate  # noqa: E402
import packets_rules as rules  # noqa: E402
import packets_trial as trials  # noqa: E402
import packets_world as worlds  # noqa: E402
import program  # noqa: E402
import tap  # noqa: E402

VARIANTS = ("nft", "iptables-nft", "iptables-legacy")
RULE_SETS_MIN = 40
COUNT, SEED = 250, "6"  # of generated packets for each rule set
PACKETS_MIN = 40  # that can be sent of those
SEEN = ("accept", "drop", "reject", "limited", "translated before routing", "translated behind", *rules.STATES)
TABLES = {
    "raw": "PREROUTING OUTPUT",
    "mangle": "PREROUTING INPUT FORWARD OUTPUT POSTROUTING",
    "nat": "PREROUTING INPUT OUTPUT POSTROUTING",
    "filter": "INPUT FORWARD OUTPUT",
    "security": "INPUT FORWARD OUTPUT",
}


def empty_tables():
    """What iptables-restore makes empty tables of."""
    for table, chains in TABLES.items():
        yield f"*{table}\n" + "".join(f":{chain} ACCEPT\n" for chain in chains.split()) + "COMMIT\n"


class NothingToCompare(Exception):
    """The reader says of a rule set that it does not know all that decides."""


class Machine:
    """A world whose machine is given rule sets, one after the other."""

    def __init__(self, ask, variant, names):
        self.ask, self.variant = ask, variant
        self.counts = Counter()
        self.world = worlds.World(names)
        # The table that tells what comes by must not be read: nft's rules are read where nothing else is.
        self.reader = netns.Host("reader")
        links = "".join(f"link add {name} type veth peer name p{number}\n" for number, name in enumerate(names))
        self.reader.run("ip", "-batch", "-", text=links)
        self.folder = program.scratch()

    def clear(self):
        for host in (self.world.machine, self.reader):
            host.run("nft", "flush", "ruleset")
        if self.variant == "iptables-legacy":
            for tool in ("iptables", "ip6tables"):
                self.world.machine.run(f"{tool}-legacy-restore", text="".join(empty_tables()))
        if self.variant != "nft":
            self.world.machine.run("ipset", "flush")  # sets of sets hold each other
            self.world.machine.run("ipset", "destroy")
        self.world.machine.call(worlds.forget_connections)
        self.world.told()
        self.world.caught()

    # ---- loading: rules that are not understood are taken out, until the reader knows all of them ----

    def load_nft(self, case):
        for host in (self.reader, self.world.machine):
            host.run("nft", "-f", case.path)
            for command in case.marked("#$"):
                host.run("sh", "-c", command)
        reader = compare.Reader(self.reader, (self.ask, "nftables"))
        while True:
            unknown, remarks, _ = reader.ask([])
            if any("is of iptables-nft" in remark for remark in remarks):
                raise NothingToCompare(remarks[0])
            if not unknown:
                return reader
            places = {re.match(r"(\S+) (\S+) (\S+) handle (\d+): ", one) for one in unknown} - {None}
            if not places:
                raise NothingToCompare(unknown[0])
            for family, table, chain, handle in {place.groups() for place in places}:
                for host in (self.reader, self.world.machine):
                    host.run("nft", "delete", "rule", family, table, chain, "handle", handle)
                self.counts["rules not understood"] += 1

    def load_iptables(self, case):
        path = self.folder / case.path.name
        path.write_text(case.text, encoding="utf-8")
        reader = compare.Reader(self.reader, (self.ask, f"ipv{case.family}", path, *case.sets))
        while unknown := reader.ask([])[0]:
            lines = path.read_text(encoding="utf-8").split("\n")
            places = {re.match(rf"{re.escape(str(path))}:(\d+): ", one) for one in unknown} - {None}
            if not places:
                raise NothingToCompare(unknown[0])
            for number in {int(place[1]) for place in places}:
                lines[number - 1] = ""
                self.counts["rules not understood"] += 1
            path.write_text("\n".join(lines), encoding="utf-8")
        for sets in case.sets:
            self.world.machine.run("ipset", "restore", "-exist", "-file", sets)
        tool = ("ip6tables" if case.family == 6 else "iptables") + self.variant.removeprefix("iptables")
        self.world.machine.run(f"{tool}-restore", text=path.read_text(encoding="utf-8"))
        return reader

    # ---- checks ----

    def check_packets(self, case, count, seed):
        """The kernel does with packets what the reader says."""
        probes = generate.probes_of(case, count, seed)
        assert len(probes) >= PACKETS_MIN, f"only {len(probes)} packets"
        self.clear()
        trial = trials.Trial(self.world, probes)
        trial.open()
        try:
            reader = (self.load_nft if case.kind == "nft" else self.load_iptables)(case)
        except NothingToCompare as why:
            self.counts["rule sets of which nothing is said"] += 1
            print(f"# {case.name}: {why}")
            return
        trial.run()
        wrong = compare.Comparison(trial, reader, case, self.counts).run()
        assert not wrong, "\n".join(wrong)

    def check_claims(self, case):
        """The reader says what a person said."""
        self.clear()
        if case.kind == "nft":
            self.reader.run("nft", "-f", case.path)
            command = (self.ask, "nftables")
        else:
            command = (self.ask, f"ipv{case.family}", case.path, *case.sets)
        claims, expected = list(case.claims()), case.marked("#!")
        unknown, _, answers = compare.Reader(self.reader, command).ask([words for words, _, _ in claims])
        wrong = [
            f"{words}: {answer.text} by {answer.place}, not {verdict} by {rule or 'any'}"
            for (words, verdict, rule), answer in zip(claims, answers, strict=True)
            if answer.text != verdict or rule not in answer.place
        ]
        wrong += [f"not among what is unknown: {part}" for part in expected if not any(part in one for one in unknown)]
        wrong += [f"not understood: {one}" for one in unknown if not any(part in one for part in expected)]
        assert not wrong, "\n".join(wrong)

    def check_counts(self):
        """Packets met all that they can meet."""
        print("".join(f"# {what}: {count}\n" for what, count in sorted(self.counts.items())), end="")
        missing = [what for what in SEEN if not self.counts[what]]
        assert not missing, f"never met: {', '.join(missing)}"


def all_cases():
    paths = [path for folder in ("nft", "iptables", "packets") for path in sorted((HERE / folder).iterdir())]
    return [rules.Case(path) for path in paths if path.suffix in (".nft", ".v4", ".v6")]


def names_of(cases):
    """Interfaces that the world must have."""
    names = {rules.OTHER_IN, rules.OTHER_OUT}
    for case in cases:
        names |= {rules.real(name, "") for name in case.interfaces()}
        names |= {name for probe in rules.of_marks(case) for name in (probe.interface_in, probe.interface_out)}
        names |= set(" ".join(case.marked("#i")).split())
    return sorted(names - {"lo", ""})


def start(ask, variant, cases):
    if not netns.enter():
        raise tap.Skip("raw sockets, and modules that rules need, are root's")
    for tool in ("iptables-legacy", "iptables-nft", "ipset") if variant != "nft" else ():
        if not shutil.which(tool, path="/usr/sbin:/usr/bin:/sbin:/bin"):
            raise tap.Skip(f"{tool} is not installed")
    # One processor, so that packets keep their order; another for the test that may run beside this one.
    processors = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {processors[VARIANTS.index(variant) % len(processors)]})
    return Machine(ask, variant, names_of(cases))


def main():
    if len(sys.argv) < 3 or sys.argv[2] not in VARIANTS:
        raise SystemExit(f"usage: packets.py ASK {'|'.join(VARIANTS)} [PART-OF-A-NAME [COUNT [SEED]]]")
    ask, variant = sys.argv[1:3]
    part, count, seed = [*sys.argv[3:], *("", COUNT, SEED)[len(sys.argv) - 3 :]]
    checks = tap.Tap()
    cases = all_cases()
    checks.result(len(cases) >= RULE_SETS_MIN, f"{len(cases)} rule sets that flowfw did not write")
    cases = [case for case in cases if case.kind == variant.partition("-")[0] and part in case.name]
    try:
        machine = start(ask, variant, cases)
    except tap.Skip as skip:
        checks.skip("rule sets against packets", skip)
        return checks.done()
    for case in cases:
        if case.path.parent.name == "packets" and variant != "iptables-legacy":  # others have tests of their own
            checks.run(f"{case.name}, as a person says", machine.check_claims, case)
        checks.run(f"{case.name}, as packets fare", machine.check_packets, case, int(count), seed)
    if not part:
        checks.run("packets of all sorts", machine.check_counts)
    return checks.done()


if __name__ == "__main__":
    sys.exit(main())
