# SPDX-License-Identifier: GPL-2.0-or-later
"""What becomes of a packet: the last rule that matches decides, or the first with `quick`; none means pass.

A packet is judged once for each time that pf sees it: coming in, going out, or, when it is forwarded, both.
"""

import ipaddress
from dataclasses import dataclass, replace

from pfmodel import BITS
from pfnames import ICMP, ICMP6, ICMP_ANSWERS, ICMP_ERRORS, TCP, UDP

PASS, BLOCK = "pass", "block"
OPPOSITE = {"in": "out", "out": "in"}
# Bounds that are about TCP's handshake, and do nothing to anything else.
TCP_BOUNDS = frozenset(("max-src-conn", "max-src-conn-rate"))


@dataclass(frozen=True)
class Packet:
    """`passes` are (direction, interface), in the order in which pf sees them."""

    passes: tuple
    protocol: int
    source: object  # of ipaddress
    destination: object
    source_port: int = 0
    destination_port: int = 0
    type: int = 0
    code: int = 0
    flags: frozenset = frozenset("S")
    options: bool = False  # IP options; in IPv6 a hop-by-hop or routing header
    opening: "Packet" = None  # the first packet of the connection that this one belongs to, or is an error about
    tag: str = None

    @property
    def family(self):
        return self.source.version


@dataclass(frozen=True)
class Verdict:
    action: str
    how: str = None  # of a block
    rule: object = None  # the one that decided; None: no rule matched
    state: bool = False  # let through as part of a known connection
    keeps: bool = False  # a state begins here
    packet: Packet = None  # as it leaves, translated and tagged
    passes: tuple = ()  # the verdict of each pass, where there was more than one

    @property
    def line(self):
        return self.rule.line if self.rule else 0

    @property
    def label(self):
        return self.rule.label if self.rule else None

    @property
    def bounds(self):
        """What may stop such packets nevertheless: {"max-pkt-rate": (10, 1)}."""
        if self.rule is None or self.action != PASS:
            return {}
        tcp = self.packet.protocol == TCP
        return {name: bound for name, bound in self.rule.bounds.items() if tcp or name not in TCP_BOUNDS}


def evaluate(ruleset, packet, host, exceeded=False):
    """The verdict for a packet that enters or leaves `host`. With `exceeded`, all bounds of rules are used up."""
    judge = Judge(ruleset, host, exceeded)
    verdicts = []
    for index, one in enumerate(packet.passes):
        verdict = judge.by_state(packet, index, one) or judge.by_rules(packet, one)
        verdicts.append(verdict)
        if verdict.action != PASS:
            break
        packet = verdict.packet
    last = verdicts[-1]
    return replace(last, passes=tuple(verdicts)) if len(verdicts) > 1 else last


class Judge:
    def __init__(self, ruleset, host, exceeded):
        self.ruleset, self.host, self.exceeded = ruleset, host, exceeded

    # ---- states ----

    def by_state(self, packet, index, one):
        """The verdict where the packet belongs to a state that its connection's first packet made."""
        opening = packet.opening
        if opening is None:
            return None
        back = packet.destination == opening.source and packet.source != opening.source
        direction = OPPOSITE[one[0]] if back else one[0]
        current = opening
        for passing in opening.passes:
            verdict = self.by_rules(current, passing)
            if verdict.action != PASS:
                return None
            if passing[0] == direction:
                break
            current = verdict.packet
        else:
            return None
        if not verdict.keeps or (verdict.rule.if_bound and passing[1] != one[1]):
            return None
        return replace(verdict, packet=packet, state=True, keeps=False)

    # ---- rules ----

    def by_rules(self, packet, one):
        direction, name = one
        interface = self.host.interface(name)
        if any(interface.is_in(skipped) for skipped in self.ruleset.skip):
            return Verdict(PASS, packet=packet)
        packet, passed = self.translated(packet, direction, interface)
        if passed is not None:
            return Verdict(PASS, rule=passed, keeps=True, packet=packet)
        walk = Walk(self, packet, direction, interface)
        walk.through(self.ruleset)
        return self.verdict(walk)

    def verdict(self, walk):
        rule, packet = walk.rule, walk.packet
        if rule is None:
            allowed = not packet.options  # the rule that is always there does not allow options
            return Verdict(PASS if allowed else BLOCK, None if allowed else "drop", packet=packet)
        if rule.action == BLOCK:
            return Verdict(BLOCK, rule.how, rule, packet=packet)
        if packet.options and not rule.allow_opts:
            return Verdict(BLOCK, "drop", rule, packet=packet)
        if self.exceeded and Verdict(PASS, rule=rule, packet=packet).bounds:
            return Verdict(BLOCK, "drop", rule, packet=packet)
        packet = self.redirected(self.redirected(packet, rule, rule.rdr, "rdr"), rule, rule.nat, "nat")
        return Verdict(PASS, rule=rule, keeps=bool(rule.state) and not is_error(packet), packet=packet)

    # ---- translation ----

    def translated(self, packet, direction, interface):
        """FreeBSD's: the first rule that matches is the one. Also that rule, where it lets the packet through."""
        for rule in self.ruleset.translations:
            if rule.direction != direction or not self.matches(rule, packet, direction, interface):
                continue
            if rule.negative:
                return packet, None
            return self.redirected(packet, rule, rule.nat, rule.action), rule if rule.passes else None
        return packet, None

    def redirected(self, packet, rule, redirect, kind):
        if redirect is None:
            return packet
        address = self.target(redirect, packet.family)
        if address is None:
            return packet
        side = "destination" if kind == "rdr" else "source"
        changes = {side: address}
        if rule.tag:
            changes["tag"] = rule.tag
        if redirect.port is not None and packet.protocol in (TCP, UDP):
            port = redirect.port
            if redirect.sliding:
                first = rule.destination_ports[0][1] if rule.destination_ports else 0
                port += packet.destination_port - first
            changes[f"{side}_port"] = port
        return replace(packet, **changes)

    def target(self, redirect, family):
        make = ipaddress.IPv4Address if family == 4 else ipaddress.IPv6Address
        for address in redirect.addresses:
            ranges = [(address.family, address.first, address.last)]
            if address.dynamic is not None:
                ranges = self.host.ranges(*address.dynamic[:2])
            for found, first, _ in ranges:
                if found == family:
                    return make(first)
        return None

    # ---- criteria ----

    def matches(self, rule, packet, direction, interface, tag=None, ruleset=None):
        """All criteria of a rule. The cheap and telling ones come first."""
        if rule.direction is not None and rule.direction != direction:
            return False
        if rule.protocols and packet.protocol not in rule.protocols:
            return False
        if rule.family is not None and rule.family != packet.family:
            return False
        if rule.interfaces and not any(interface.is_in(name) != negated for name, negated in rule.interfaces):
            return False
        if rule.fragment:
            return False
        if packet.protocol in (TCP, UDP):
            if rule.destination_ports and not holds(rule.destination_ports, packet.destination_port):
                return False
            if rule.source_ports and not holds(rule.source_ports, packet.source_port):
                return False
        if packet.protocol == TCP and rule.flags is not None and packet.flags & rule.flags[1] != rule.flags[0]:
            return False
        if packet.protocol in (ICMP, ICMP6) and not self.icmp_matches(rule, packet):
            return False
        if rule.tagged is not None and ((tag or packet.tag) == rule.tagged[0]) == rule.tagged[1]:
            return False
        if rule.received_on is not None and not self.received(rule.received_on, packet):
            return False
        ruleset = ruleset or self.ruleset
        if rule.source and not self.any_of(rule.source, packet.source, interface, ruleset):
            return False
        if rule.destination and not self.any_of(rule.destination, packet.destination, interface, ruleset):
            return False
        return not (self.exceeded and "max-pkt-rate" in rule.bounds)

    @staticmethod
    def icmp_matches(rule, packet):
        if rule.types and not any(
            kind == packet.type and code in (None, packet.code) for _, kind, code in rule.types
        ):
            return False
        answer = packet.type in ICMP_ANSWERS[packet.family]
        return not (answer and rule.action == PASS and rule.state and not rule.sloppy)

    def received(self, received_on, packet):
        """What the host sends itself came in nowhere."""
        name, negated = received_on
        arrivals = [self.host.interface(on) for direction, on in packet.passes if direction == "in"]
        return any(interface.is_in(name) for interface in arrivals) != negated

    def any_of(self, addresses, address, interface, ruleset):
        family, number = address.version, int(address)
        return any(self.holds(one, family, number, interface, ruleset) for one in addresses)

    def holds(self, one, family, number, interface, ruleset):
        if one.family is not None:
            if one.family != family or (one.interface is not None and one.interface != interface.name):
                return False
            inside = one.first <= number <= one.last
        elif one.table is not None:
            inside = ruleset.table(one.table).holds(family, number)
        else:
            inside = self.dynamic(one.dynamic, family, number)
        return inside != one.negated

    def dynamic(self, dynamic, family, number):
        name, modifiers, bits = dynamic
        for found, first, last in self.host.ranges(name, modifiers):
            if found != family:
                continue
            if bits is not None:
                size = 1 << (BITS[family] - min(bits, BITS[family]))
                first = first // size * size
                last = first + size - 1
            if first <= number <= last:
                return True
        return False


class Walk:
    """One packet through the rules, down into anchors."""

    def __init__(self, judge, packet, direction, interface):
        self.judge, self.packet, self.direction, self.interface = judge, packet, direction, interface
        self.rule = None
        self.tag = packet.tag

    def through(self, ruleset):
        """True: a quick rule ended it."""
        for rule in ruleset.rules:
            if not self.judge.matches(rule, self.packet, self.direction, self.interface, self.tag, ruleset):
                continue
            if rule.action == "anchor":
                if self.into(ruleset, rule):
                    return True
                continue
            if rule.tag:
                self.tag = rule.tag
                self.packet = replace(self.packet, tag=rule.tag)
            if rule.action == "match":
                for redirect, kind in ((rule.rdr, "rdr"), (rule.nat, "nat")):
                    self.packet = self.judge.redirected(self.packet, rule, redirect, kind)
                continue
            self.rule = rule
            if rule.quick:
                return True
        return False

    def into(self, ruleset, anchor):
        before, self.rule = self.rule, None
        ended = any(self.through(body) for body in bodies(ruleset, anchor))
        matched = self.rule is not None
        if not matched:
            self.rule = before
        return ended or (matched and anchor.quick)


def bodies(ruleset, anchor):
    """The rules of an anchor; what has been loaded into it from outside is nothing unless the caller gave it."""
    if anchor.body is not None:
        return [anchor.body]
    if anchor.name.endswith("/*"):
        stem = anchor.name[:-1]
        names = [name for name in ruleset.anchors if name.startswith(stem) and "/" not in name[len(stem) :]]
        return [ruleset.anchors[name] for name in sorted(names)]
    return [ruleset.anchors[anchor.name]] if anchor.name in ruleset.anchors else []


def holds(ports, port):
    return any(port_in(operator, low, high, port) for operator, low, high in ports)


def port_in(operator, low, high, port):
    if operator == "=":
        return port == low
    if operator == ":":
        return low <= port <= high
    if operator == "><":
        return low < port < high
    if operator == "<>":
        return port < low or port > high
    if operator == "!=":
        return port != low
    return {"<": port < low, "<=": port <= low, ">": port > low, ">=": port >= low}[operator]


def is_error(packet):
    return packet.protocol in (ICMP, ICMP6) and packet.type in ICMP_ERRORS[packet.family]
