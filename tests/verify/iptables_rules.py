# SPDX-License-Identifier: GPL-2.0-or-later
"""The text of rule sets for iptables-restore and ipset, as far as flowfw writes it, as packets.Machine.

What it does not know is a ValueError. INPUT, OUTPUT and so on call FLOWFW-INPUT first, unless the text brings them.
"""

import shlex

from nft_rules import address_port
from packets import DAY, ICMP, ICMP6, NUMBERS, Chain, Limit, Machine, Match, Rule, interval, one_of

HOOKS = {"INPUT": "input", "OUTPUT": "output", "FORWARD": "forward", "PREROUTING": "prerouting",
         "POSTROUTING": "postrouting"}  # fmt: skip
ENDS = {"ACCEPT": "accept", "DROP": "drop", "RETURN": "return"}
UNITS = {"sec": "second", "second": "second", "s": "second", "min": "minute", "minute": "minute", "m": "minute",
         "hour": "hour", "h": "hour", "day": "day", "d": "day"}  # fmt: skip
DEFAULT_BURST = 5
IGNORED = {"--comment", "--log-prefix", "--log-level", "--hashlimit-name", "--hashlimit-htable-max",
           "--hashlimit-htable-expire"}  # fmt: skip


def parse_sets(text):
    """{name: elements, each a tuple of texts} of what ipset restore takes."""
    sets = {}
    for line in text.splitlines():
        words = [word for word in shlex.split(line, comments=True) if word not in ("-exist", "-!")]
        if words[:1] == ["create"]:
            sets.setdefault(words[1], [])
        elif words[:1] == ["flush"]:
            sets[words[1]] = []
        elif words[:1] == ["add"]:
            sets[words[1]].append(tuple(words[2].split(",")))
        elif words[:1] == ["swap"]:
            sets[words[1]], sets[words[2]] = sets[words[2]], sets[words[1]]
        elif words[:1] == ["destroy"]:
            del sets[words[1]]
        elif words:
            raise ValueError(f"ipset: {line}")
    return sets


def parse(text, family, sets=""):
    """A Machine of one family."""
    chains, table, known = {}, None, parse_sets(sets)
    for at, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#") or line == "COMMIT":
            continue
        if line.startswith("*"):
            table = line[1:]
        elif line.startswith(":"):
            name, policy = line[1:].split()[:2]
            chains[table, name] = chain(table, name, ENDS.get(policy, "accept"), at)
        else:
            add(chains, table, Reader(line, at, family, known))
    for table, name in list(chains):
        base = name.removeprefix("FLOWFW-")
        if base != name and base in HOOKS and (table, base) not in chains:
            chains[table, base] = chain(table, base, "accept", 0)
            chains[table, base].rules.append(Rule(0, [], action="jump", target=(table, name)))
    return Machine(chains)


def chain(table, name, policy, at):
    return Chain(name, hook=HOOKS.get(name), kind="nat" if table == "nat" else "filter", policy=policy, line=at)


def add(chains, table, reader):
    rule = reader.rule()
    if rule.action in ("jump", "goto"):
        rule.target = table, rule.target
    chains[table, reader.chain].rules.append(rule)


class Reader:
    """One line that begins with -A."""

    def __init__(self, line, at, family, sets):
        self.words = shlex.split(line)
        if self.words[0].startswith("["):
            self.words.pop(0)  # counters
        assert self.words.pop(0) == "-A", line
        self.chain = self.words.pop(0)
        self.family, self.sets, self.line = family, sets, line
        self.found = Rule(at, [one_of("family", (family,))])
        self.limit = {}

    def rule(self):
        while self.words:
            negated = self.words[0] == "!"
            if negated:
                self.words.pop(0)
            self.option(self.words.pop(0), negated)
        if self.limit:
            count, _, unit = self.limit["rate"].partition("/")
            daily = int(count) * DAY[UNITS[unit or "sec"]]
            burst = int(self.limit.get("burst", DEFAULT_BURST))
            self.found.limits.append(Limit(daily, burst, self.limit["per_source"]))
        return self.found

    def ask(self, name, entries, negated=False):
        self.found.matches.append(Match((name,), tuple((entry,) for entry in entries), negated))

    def option(self, option, negated):
        if option == "-m":
            self.words.pop(0)
        elif option in IGNORED:
            self.words.pop(0)
        elif option in ("-s", "-d"):
            self.ask("source" if option == "-s" else "destination", [interval(self.words.pop(0))], negated)
        elif option in ("-i", "-o"):
            name = self.words.pop(0)
            self.ask("iif" if option == "-i" else "oif", [(name, name)], negated)
        elif option == "-p":
            name = self.words.pop(0)
            value = int(name) if name.isdigit() else NUMBERS[name]
            self.ask("protocol", [(value, value)], negated)
        elif option in ("--dport", "--sport", "--dports", "--sports"):
            self.ask(option[2:7], [ports(text) for text in self.words.pop(0).split(",")], negated)
        elif option in ("--icmp-type", "--icmpv6-type"):
            self.types(option, negated)
        elif option == "--hl-eq":
            value = int(self.words.pop(0))
            self.ask("hop", [(value, value)], negated)
        elif option in ("--src-range", "--dst-range"):
            self.ask("source" if option[2] == "s" else "destination", [interval(self.words.pop(0))], negated)
        elif option == "--match-set":
            self.match_set(negated)
        elif option in ("--ctstate", "--state"):
            self.states(negated)
        elif option == "--ctorigdst":
            self.ask("original", [interval(self.words.pop(0))], negated)
        else:
            self.rest(option, negated)

    def rest(self, option, negated):
        if negated:
            raise ValueError(f"! {option}: {self.line}")
        if option in ("--limit", "--hashlimit-upto"):
            self.limit |= {"rate": self.words.pop(0), "per_source": option != "--limit"}
        elif option in ("--limit-burst", "--hashlimit-burst"):
            self.limit["burst"] = self.words.pop(0)
        elif option == "--hashlimit-mode":
            assert self.words.pop(0) == "srcip"
        elif option in ("-j", "-g"):
            self.target(self.words.pop(0), "jump" if option == "-j" else "goto")
        elif option == "--reject-with":
            self.words.pop(0)
        elif option in ("--to-destination", "--to-source"):
            address, port = address_port(self.words.pop(0))
            self.found.target = lambda one: (address, port)
        else:
            raise ValueError(f"{option}: {self.line}")

    def target(self, name, otherwise):
        if name in ENDS:
            self.found.action = ENDS[name]
        elif name in ("DNAT", "SNAT", "MASQUERADE"):
            self.found.action = name.lower()
            self.found.target = lambda one: ("masquerade", 0)
        elif name == "REJECT":
            self.found.action = "reject"
        elif name != "LOG":
            self.found.action, self.found.target = otherwise, name

    def types(self, option, negated):
        kind, slash, code = self.words.pop(0).partition("/")
        protocol = ICMP if option == "--icmp-type" else ICMP6
        self.ask("protocol", [(protocol, protocol)])
        entry = [(int(kind), int(kind)), (int(code), int(code)) if slash else (0, 255)]
        self.found.matches.append(Match(("type", "code"), (tuple(entry),), negated))

    def states(self, negated):
        names = [name.lower() for name in self.words.pop(0).split(",")]
        if "dnat" in names:
            assert names == ["dnat"], names
            self.ask("dnat", [(1, 1)], negated)
        else:
            self.ask("state", [(name, name) for name in names], negated)

    def match_set(self, negated):
        name, sides = self.words.pop(0), self.words.pop(0).split(",")
        address = {"src": "source", "dst": "destination"}[sides[0]]
        if len(sides) == 1:
            self.ask(address, [interval(element[0]) for element in self.sets[name]], negated)
            return
        port = {"src": "sport", "dst": "dport"}[sides[1]]
        entries = []
        for where, text in self.sets[name]:
            protocol, _, low_high = text.rpartition(":")
            value = NUMBERS[protocol or "tcp"]
            entries.append((interval(where), (value, value), ports(low_high.replace("-", ":"))))
        self.found.matches.append(Match((address, "protocol", port), tuple(entries), negated))


def ports(text):
    low, colon, high = text.partition(":")
    return int(low), int(high) if colon else int(low)
