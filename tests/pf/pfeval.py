# SPDX-License-Identifier: GPL-2.0-or-later
"""What becomes of a packet: the last rule that matches decides, or the first with `quick`; none means pass.

A packet is judged once for each time that pf sees it: coming in, going out, or, when it is forwarded, both. On OpenBSD
a match rule translates at once, for the rules behind it, and a pass rule when it is the one that decides; all of it
takes effect only where a state is kept. On FreeBSD the translation rules come first, the filter sees what they make,
and a translated packet keeps state whatever the filter says of state.

What the manuals leave open, or releases answer differently, is a PfError at the rule's place.
"""

import ipaddress
from dataclasses import dataclass, replace
from functools import lru_cache

from pflex import PfError
from pfmodel import BITS
from pfnames import ICMP, ICMP6, ICMP_ANSWERS, ICMP_ERRORS, TCP, UDP

PASS, BLOCK = "pass", "block"
OPPOSITE = {"in": "out", "out": "in"}
# Bounds that are about TCP's handshake, and do nothing to anything else.
TCP_BOUNDS = frozenset(("max-src-conn", "max-src-conn-rate"))


@dataclass(frozen=True)
class Packet:
    """`passes` are (direction, interface), in the order in which pf sees them. A port that pf chose is a range."""

    passes: tuple
    protocol: int
    source: object  # of ipaddress
    destination: object
    source_port: object = 0
    destination_port: object = 0
    type: int = 0
    code: int = 0
    flags: frozenset = frozenset("S")
    options: bool = False  # IP options; in IPv6 a hop-by-hop or routing header
    opening: "Packet" = None  # the first packet of the connection that this one belongs to, or is an error about
    tag: str = None

    @property
    def family(self):
        return self.source.version

    @property
    def ends(self):
        """((source, its port), (destination, its port))"""
        return (self.source, self.source_port), (self.destination, self.destination_port)


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
    for passing in packet.passes:
        verdict = judge.verdict(packet, passing)
        verdicts.append(verdict)
        if verdict.action != PASS:
            break
        packet = verdict.packet
    last = verdicts[-1]
    return replace(last, passes=tuple(verdicts)) if len(verdicts) > 1 else last


@dataclass(frozen=True)
class State:
    """What is kept of a connection when its first packet passes: the packet as it came, and as it went on."""

    verdict: Verdict
    passing: tuple
    before: Packet

    def translated(self, packet, passing):
        """The packet as it goes on, if this state is its; else None."""
        rule = self.verdict.rule
        if rule is not None and rule.if_bound and passing[1] != self.passing[1]:
            return None
        seen, becomes = self.before.ends, self.verdict.packet.ends
        if passing[0] != self.passing[0]:
            seen, becomes = becomes[::-1], seen[::-1]
        if is_error(packet):
            return translated_error(packet, seen, becomes)
        if not all(same_end(*ends) for ends in zip(packet.ends, seen)):
            return None
        (source, source_port), (destination, destination_port) = becomes
        return replace(
            packet, source=source, source_port=source_port, destination=destination, destination_port=destination_port
        )


def same_end(end, known):
    """Whether an address and port are these; a port that pf chose may be any of those it chose from."""
    (address, port), (known_address, known_port) = end, known
    chosen = isinstance(known_port, range) and port in known_port
    return address == known_address and (chosen or port == known_port)


def translated_error(packet, seen, becomes):
    """An error about a packet of a connection, whoever it is from: only its destination is one of the connection's."""
    if packet.destination != seen[1][0]:
        return None
    source = packet.source if becomes[0] == seen[0] else becomes[0][0]
    return replace(packet, source=source, destination=becomes[1][0])


class Judge:
    def __init__(self, ruleset, host, exceeded):
        self.ruleset, self.host, self.exceeded = ruleset, host, exceeded

    def verdict(self, packet, passing):
        """Of one pass of a packet: by the state that it belongs to, or by the rules."""
        return self.by_state(packet, passing) or self.by_rules(packet, passing)

    def skips(self, interface):
        return any(interface.is_in(skipped) for skipped in self.ruleset.skip)

    # ---- states ----

    def by_state(self, packet, passing):
        """None where the first packet of its connection left no state that this packet belongs to."""
        if packet.opening is None or self.skips(self.host.interface(passing[1])):
            return None
        for state in self.states(packet.opening):
            translated = state.translated(packet, passing)
            if translated is not None:
                return replace(state.verdict, packet=translated, state=True, keeps=False)
        return None

    def states(self, opening):
        """What the passes of a first packet leave behind, as far as it gets."""
        for passing in opening.passes:
            verdict = self.by_rules(opening, passing)
            if verdict.action != PASS:
                return
            if verdict.keeps:
                yield State(verdict, passing, opening)
            opening = verdict.packet

    # ---- rules ----

    def by_rules(self, packet, passing):
        direction, interface = passing[0], self.host.interface(passing[1])
        if self.skips(interface):
            return Verdict(PASS, packet=packet)
        packet, translation = self.translated(packet, direction, interface)
        walk = Walk(self, packet, direction, interface)
        if translation is not None and translation.passes:
            walk.rule = translation
        else:
            walk.through(self.ruleset)
        return self.decision(walk, translation)

    def decision(self, walk, translation):
        rule, packet = walk.rule, walk.packet
        if rule is not None and rule.action == BLOCK:
            return Verdict(BLOCK, rule.how, rule, packet=packet)
        if packet.options and not (rule is not None and rule.allow_opts):  # without a rule they are not allowed either
            return Verdict(BLOCK, "drop", rule, packet=packet)
        if self.exceeded and Verdict(PASS, rule=rule, packet=packet).bounds:
            return Verdict(BLOCK, "drop", rule, packet=packet)
        if is_error(packet) or (translation is None and (rule is None or rule.state is None)):
            return Verdict(PASS, rule=rule, packet=replace(walk.came, tag=packet.tag))
        if translation is None:
            packet = self.redirected(packet, rule)
        return Verdict(PASS, rule=rule, keeps=True, packet=packet)

    # ---- translation ----

    def translated(self, packet, direction, interface):
        """FreeBSD's: the first rule that matches is the one. Also that rule, if it changed anything."""
        rule = self.first_translation(self.ruleset, packet, direction, interface)
        if rule is None:
            return packet, None
        if rule.tag:
            packet = replace(packet, tag=rule.tag)
        after = self.redirected(packet, rule)
        return after, None if after == packet else rule

    def first_translation(self, ruleset, packet, direction, interface):
        for rule in ruleset.translations:
            if not self.matches(rule, packet, direction, interface, ruleset):
                continue
            if rule.action != "anchor":
                return rule
            for body in bodies(ruleset, rule):
                found = self.first_translation(body, packet, direction, interface)
                if found is not None:
                    return found
        return None

    def redirected(self, packet, rule):
        """The packet with the source or destination that a rule gives it."""
        for side, redirect in (("source", rule.nat), ("destination", rule.rdr)):
            if redirect is not None:
                packet = replace(packet, **{side: self.target(rule, redirect, packet.family)})
                if redirect.port is not None and packet.protocol in (TCP, UDP):
                    packet = replace(packet, **{f"{side}_port": self.target_port(redirect, packet)})
        return packet

    def target(self, rule, redirect, family):
        address = redirect.address
        ranges = [(address.family, address.first, address.last)]
        if address.dynamic is not None:
            name, modifiers, bits = address.dynamic
            if bits is not None:
                raise PfError(rule.where, "a network of addresses to translate to is not modelled")
            ranges = self.host.ranges(name, modifiers)
        found = {(first, last) for of, first, last in ranges if of == family}
        if not found:
            raise PfError(rule.where, f"no IPv{family} address to translate to: releases do not agree on what follows")
        first, last = found.pop()
        if found or first != last:
            raise PfError(rule.where, "several addresses to translate to, which pf takes in turns")
        return (ipaddress.IPv4Address if family == 4 else ipaddress.IPv6Address)(first)

    @staticmethod
    def target_port(redirect, packet):
        if redirect.slides_from is None:
            return redirect.port
        return redirect.port + packet.destination_port - redirect.slides_from

    # ---- criteria ----

    def matches(self, rule, packet, direction, interface, ruleset):
        """All criteria of a rule of this ruleset. The cheap and telling ones come first."""
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
            if rule.destination_ports and not may_hold(rule.destination_ports, packet.destination_port):
                return False
            if rule.source_ports and not may_hold(rule.source_ports, packet.source_port):
                return False
        if packet.protocol == TCP and rule.flags is not None and packet.flags & rule.flags[1] != rule.flags[0]:
            return False
        if packet.protocol in (ICMP, ICMP6) and not self.icmp_matches(rule, packet):
            return False
        if rule.tagged is not None and (packet.tag == rule.tagged[0]) == rule.tagged[1]:
            return False
        if rule.received_on is not None and not self.received(rule.received_on, packet):
            return False
        if rule.source and not self.any_of(rule.source, packet.source, interface, ruleset):
            return False
        if rule.destination and not self.any_of(rule.destination, packet.destination, interface, ruleset):
            return False
        self.refuse_choice(rule, packet)
        return not (self.exceeded and "max-pkt-rate" in rule.bounds)

    @staticmethod
    def refuse_choice(rule, packet):
        """Of a port that pf chose, it is known whether a rule matches where all or none of the choice do."""
        for ports, port in (
            (rule.source_ports, packet.source_port),
            (rule.destination_ports, packet.destination_port),
        ):
            if ports and isinstance(port, range) and len(answers_of(ports, port)) > 1:
                raise PfError(rule.where, "whether this port matches is pf's own choice")

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
        self.judge, self.direction, self.interface = judge, direction, interface
        self.came = packet
        self.packet = packet  # as the next rule sees it
        self.rule = None

    def through(self, ruleset):
        """True: a quick rule ended it."""
        for rule in ruleset.rules:
            if not self.judge.matches(rule, self.packet, self.direction, self.interface, ruleset):
                continue
            if rule.tag:
                self.packet = replace(self.packet, tag=rule.tag)
            if rule.action == "anchor":
                if self.into(ruleset, rule):
                    return True
            elif rule.action == "match":
                self.packet = self.judge.redirected(self.packet, rule)
            else:
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


def may_hold(ports, port):
    """Whether a port is among these, or can be."""
    if isinstance(port, range):
        return True in answers_of(ports, port)
    return any(port_in(operator, low, high, port) for operator, low, high in ports)


@lru_cache
def answers_of(ports, choice):
    """Whether each port of a choice is among these: {True}, {False}, or both."""
    return frozenset(may_hold(ports, port) for port in choice)


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
