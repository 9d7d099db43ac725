# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets, rules and verdicts, as the evaluators of this folder have them: a second opinion on what rule sets mean.

A packet is a dictionary of FIELDS. A rule is a list of matches, each a list of intervals that fields are to be in, so
that the same description says whether a packet matches and which packets to try. Nothing here knows flowfw.
"""

import ipaddress
from dataclasses import dataclass, field

TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58
PORTED = (TCP, UDP, 33, 132, 136)
NUMBERS = {
    "tcp": TCP, "udp": UDP, "icmp": ICMP, "icmpv6": ICMP6, "ipv6-icmp": ICMP6, "igmp": 2, "gre": 47, "esp": 50, "ah": 51,
    "sctp": 132, "dccp": 33, "udplite": 136, "ospf": 89, "vrrp": 112, "pim": 103,
}  # fmt: skip
OTHER = "other9"  # an interface that nobody names
DAY = {"second": 86400, "minute": 1440, "hour": 24, "day": 1, "week": 1 / 7}
FIELDS = {
    "hook": "input", "iif": "", "oif": "", "family": 4, "protocol": TCP, "source": 0, "destination": 0, "sport": 0,
    "dport": 0, "type": 0, "code": 0, "hop": 0, "state": "new", "flags": 2, "dnat": 0, "original": 0,
}  # fmt: skip
STATES = ("new", "established", "related", "invalid", "untracked")


# ---- addresses as one kind of number, which keeps families apart ----


def number(address):
    address = ipaddress.ip_address(address)
    return address.version << 128 | int(address)


def address_of(value):
    family = value >> 128
    return (ipaddress.IPv4Address if family == 4 else ipaddress.IPv6Address)(value & ((1 << 128) - 1))


def interval(text):
    """(first, last) of an address, a prefix or a range."""
    first, dash, last = text.partition("-")
    if dash:
        return number(first.strip()), number(last.strip())
    network = ipaddress.ip_network(text, strict=False)
    return number(network.network_address), number(network.broadcast_address)


def packet(**more):
    found = {**FIELDS, **more}
    found["family"] = found["source"] >> 128
    if found["family"] == 6 and "hop" not in more:
        found["hop"] = 64
    return found


def words(one):
    """A packet, for a person to read."""
    said = {key: value for key, value in one.items() if value != FIELDS[key] or key in ("hook", "protocol")}
    for key in ("source", "destination", "original"):
        if said.get(key):
            said[key] = str(address_of(said[key]))
    return " ".join(f"{key}={value}" for key, value in said.items())


# ---- rules ----


@dataclass(frozen=True)
class Match:
    """Any of `entries`: an interval for each of `fields`."""

    fields: tuple
    entries: tuple
    negated: bool = False

    def holds(self, one):
        for entry in self.entries:
            for name, (low, high) in zip(self.fields, entry):
                if not low <= one[name] <= high:
                    break
            else:
                return not self.negated
        return self.negated


def one_of(name, values, negated=False):
    return Match((name,), tuple(((value, value),) for value in values), negated)


@dataclass(frozen=True)
class Limit:
    """Of a rule: it matches up to a rate."""

    daily: float
    burst: int
    per_source: bool = False


@dataclass
class Rule:
    line: int
    matches: list = field(default_factory=list)
    limits: list = field(default_factory=list)
    action: str = "continue"  # accept, drop, reject, jump, goto, return, dnat, snat, masquerade
    target: object = None  # a chain; of a translation: (packet) -> (address, port) or None
    hints: tuple = ()  # matches that tell packets to try, and nothing else

    def holds(self, one):
        return all(match.holds(one) for match in self.matches)


@dataclass
class Chain:
    name: str
    rules: list = field(default_factory=list)
    hook: str = None
    kind: str = "filter"  # nat
    policy: str = "accept"
    line: int = 0  # of the policy


@dataclass(frozen=True)
class Verdict:
    """`action`: accept, drop, reject. Where a limit matters: what becomes of it as long as that lets it
    through, the most generous limit, and what becomes of it beyond."""

    action: str
    limit: object = None
    beyond: str = None


@dataclass(frozen=True)
class Outcome:
    """Everything that a rule set does to a packet. The translations are (address, port), or None."""

    verdict: Verdict
    destination: tuple = None
    source: tuple = None


# ---- running ----


class Machine:
    """Chains by name; base chains by hook, of kind filter or nat."""

    def __init__(self, chains):
        self.chains = chains
        self.bases = {}
        for chain in chains.values():
            if chain.hook is not None:
                self.bases.setdefault((chain.kind, chain.hook), []).append(chain)

    def originals(self):
        """Destinations before translation that rules ask for; 0 is one that they do not."""
        found = {0}
        for chain in self.chains.values():
            for rule in chain.rules:
                for match in rule.matches:
                    if match.fields == ("original",):
                        found |= {low for ((low, _),) in match.entries}
        return sorted(found)

    def images(self):
        """What packets are like once they were translated: protocol, destination and its port."""
        found = []
        for chain in self.chains.values():
            for rule in [rule for rule in chain.rules if rule.action == "dnat"]:
                asked = {match.fields: match.entries for match in (*rule.matches, *rule.hints)}
                for ((protocol, _),) in asked.get(("protocol",), ()):
                    for ((port, _),) in asked.get(("dport",), ()):
                        address, to = rule.target({"dport": port})
                        found.append({"protocol": protocol, "destination": address, "dport": to or port})
        return found

    def decider(self, one):
        """The line that decides a packet: of a rule, or of a chain's policy; of a rule with a limit only where beyond
        it something else becomes of the packet."""
        closed = set()
        first = rule = None
        while True:
            action, chain, rule = self.decided(one, closed)
            found = rule.line if rule is not None else chain.line if chain is not None else 0
            first = first or (action, found)
            if action != first[0]:
                return first[1]
            if rule is None or not rule.limits:
                return found
            closed.add(id(rule))

    def decided(self, one, closed):
        """(what becomes of a packet, the base chain that has the last word, its rule or None)."""
        chain = rule = None
        for chain in self.bases.get(("filter", one["hook"]), ()):
            action, rule = self.through(chain, one, closed)
            if action in (None, "return"):
                action, rule = chain.policy, None
            if action != "accept":
                return action, chain, rule
        return "accept", chain, rule

    def outcome(self, one):
        verdict = self.verdict(one)
        destination = source = None
        if one["state"] == "new":
            if one["hook"] == "input":
                destination = self.translation("prerouting", one)
            else:
                source = self.translation("postrouting", one)
        return Outcome(verdict, destination, source)

    def verdict(self, one):
        """By runs in which more and more limits let nothing through."""
        closed, found = set(), []
        first, _, rule = self.decided(one, closed)
        action = first
        while rule is not None and rule.limits and action == "accept":
            found += rule.limits
            closed.add(id(rule))
            action, _, rule = self.decided(one, closed)
        if not found or action == first:
            return Verdict(first)
        return Verdict(first, max(found, key=lambda limit: (limit.daily, limit.burst)), action)

    def translation(self, hook, one):
        for chain in self.bases.get(("nat", hook), ()):
            action, rule = self.through(chain, one, ())
            if action in ("dnat", "snat", "masquerade"):
                return rule.target(one)
        return None

    def paths(self, name, depth=4):
        """(hooks and kind of a base chain, matches on the way) of the ways that lead to a chain."""
        chain = self.chains[name]
        if chain.hook is not None:
            yield chain, ()
        for caller, other in self.chains.items() if depth else ():
            for rule in other.rules:
                if rule.action in ("jump", "goto") and rule.target == name:
                    for base, matches in self.paths(caller, depth - 1):
                        yield base, (*matches, *rule.matches)

    def through(self, chain, one, closed):
        """(what ends it, the rule); (None, None) at the chain's end."""
        for rule in chain.rules:
            if id(rule) in closed or not rule.holds(one):
                continue
            action, target = rule.action, rule.target
            if action == "continue":
                continue
            if action in ("dnat", "snat") and rule.target(one) is None:
                continue  # nothing in the map
            if action not in ("jump", "goto"):
                return action, rule
            ended, decider = self.through(self.chains[target], one, closed)
            if ended not in (None, "return"):
                return ended, decider
            if action == "goto":
                return None, None
        return None, None


# ---- packets to try ----

ADDRESSES = {
    4: [number(text) for text in ("10.0.0.1", "192.0.2.66", "203.0.113.9", "10.8.0.17", "224.0.0.1", "10.20.5.10")],
    6: [number(text) for text in ("2001:db8::1", "fe80::9", "2001:db8:20::5", "ff02::1", "2001:db8:8::17")],
}
LOOPBACK = [interval(text) for text in ("127.0.0.0/8", "::1")]
MULTICAST = [interval(text) for text in ("224.0.0.0/4", "ff00::/8")]
PORTS = (1, 22, 53, 80, 123, 443, 554, 5556, 8000, 8088, 8090, 31337, 49152, 55570)


class Sampler:
    """Packets at the edges of rules, the same for the same seed."""

    def __init__(self, random, interfaces=(), hooks=("input", "output", "forward")):
        self.random, self.hooks = random, hooks
        self.interfaces = [*interfaces, OTHER]

    def near(self, rule, hooks, count):
        """Packets that match a rule, and some that are just beside."""
        return [one for _ in range(count) if (one := self.one(rule, self.random.choice(hooks))) is not None]

    def one(self, rule, hook):
        choose = self.random.choice
        wanted = {}
        for match in (*rule.matches, *rule.hints):
            if match.negated or not match.entries:
                continue
            for name, (low, high) in zip(match.fields, choose(match.entries)):
                wanted[name] = self.inside(name, low, high)
        family = self.family(wanted)
        if family is None:
            return None
        protocol = wanted.get("protocol") or choose((TCP, UDP, ICMP if family == 4 else ICMP6, 47))
        found = {"hook": hook, "protocol": protocol, "state": choose(("new",) * 6 + STATES)}
        found["iif"] = choose(self.interfaces) if hook != "output" else ""
        found["oif"] = choose(self.interfaces) if hook != "input" else ""
        found["source"], found["destination"] = choose(ADDRESSES[family]), choose(ADDRESSES[family])
        if protocol in PORTED:
            found |= {"sport": choose((49152, 68, 123)), "dport": choose(PORTS)}
        elif protocol in (ICMP, ICMP6):
            found |= {"type": choose((8, 3, 128, 1, 135, 13)), "code": choose((0, 0, 1))}
        if family == 6:
            found["hop"] = choose((255, 64))
        found |= {name: value for name, value in wanted.items() if name != "family"}
        if protocol != TCP:
            found["flags"] = 0
        one = packet(**found)
        return one if self.can_be(one) else None

    def inside(self, name, low, high):
        """One of an interval, or right outside of it."""
        if name not in ("source", "destination", "sport", "dport", "type", "hop") or isinstance(low, str):
            return low
        found = self.random.choice((low, high, (low + high) // 2, low, low - 1, high + 1))
        if name in ("source", "destination"):
            family, rest = found >> 128, found & ((1 << 128) - 1)
            return found if family == low >> 128 and 0 < rest < 1 << (32 if family == 4 else 128) else low
        return min(max(found, 0), 65535 if name in ("sport", "dport") else 255)

    def family(self, wanted):
        """The family that all of it is of, or None."""
        found = {wanted[name] >> 128 for name in ("source", "destination", "original") if name in wanted}
        found |= {wanted["family"]} if "family" in wanted else set()
        if len(found) > 1:
            return None
        return found.pop() if found else self.random.choice((4, 6))

    @staticmethod
    def can_be(one):
        """Whether there is such a packet: translation is of connections; who has no address yet sends nothing that is
        forwarded; loopback addresses stay inside; a group is no source (RFC 1122 3.2.1.3, RFC 4291 2.7); ICMP is in no family but its own."""
        if one["source"] >> 128 != one["destination"] >> 128 or one["source"] == one["destination"]:
            return False
        if one["dnat"] and (one["state"] not in ("new", "established", "related") or one["hook"] == "output"):
            return False
        if (one["hook"] == "input") == bool(one["oif"]) or (one["hook"] == "output") == bool(one["iif"]):
            return False
        if one["hook"] == "forward" and not one["source"] & ((1 << 128) - 1):
            return False
        if any(low <= one[end] <= high for low, high in LOOPBACK for end in ("source", "destination")):
            return False
        if any(low <= one["source"] <= high for low, high in MULTICAST):
            return False
        return (one["protocol"], one["family"]) not in ((ICMP, 6), (ICMP6, 4), (2, 6))
