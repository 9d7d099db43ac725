# SPDX-License-Identifier: GPL-2.0-or-later
"""The text of pf.conf as tests/pf reads it, asked for the packets of packets.py."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "pf"))
import packets  # noqa: E402
import pfeval  # noqa: E402
import pfread  # noqa: E402
from packets import ICMP6, Outcome, Verdict  # noqa: E402
from pfmodel import BITS, Host, Interface  # noqa: E402

LOOPBACK = Interface("lo0", ("127.0.0.1/8", "::1/128"))
# Addresses of the host that no packet has, one of each family on each interface.
FLAGS = "FSRPAUEW"  # of TCP, as its header has them
BROADCAST = packets.address_of(packets.number("255.255.255.255"))
PLACES = ("198.19.250.{}/32", "2001:db8:fada::{}/128")


class Unclear(Exception):
    """The reader cannot tell."""


class Invalid(Exception):
    """No pf takes it, or the reader does not model it."""


class Machine:
    """As packets.Machine, of the content of an anchor."""

    def __init__(self, text, dialect, interfaces):
        self.names = [*interfaces, packets.OTHER]
        try:
            self.rules = pfread.parse_anchor(text, dialect, self.host())
        except pfread.PfError as error:
            raise Invalid(str(error)) from error

    def host(self, *own):
        first, *others = [
            Interface(name, tuple(place.format(at) for place in PLACES)) for at, name in enumerate(self.names, 1)
        ]
        more = tuple(f"{address}/{address.max_prefixlen}" for address in own)
        return Host([LOOPBACK, Interface(first.name, first.addresses + more), *others])

    def outcome(self, one):
        found = self.seen(one)
        try:
            verdict = self.evaluate(found, one)
            beyond = self.evaluate(found, one, exceeded=True)
        except pfread.PfError as error:
            raise Unclear(str(error)) from error
        left = verdict.packet
        if verdict.action != pfeval.PASS or self.ends(left) == self.ends(found):
            left = None
        destination = (str(left.destination), left.destination_port) if left else None
        source = (str(left.source), str(left.source_port)) if left else None
        return Outcome(self.verdict(one, verdict, beyond), destination, source)

    @staticmethod
    def originals():
        return [0]

    @staticmethod
    def images():
        return []

    def lines(self, one):
        """Of the rules that decide a packet, on its way in and on its way out; those beyond all limits among them."""
        try:
            verdicts = [self.evaluate(self.seen(one), one, exceeded) for exceeded in (False, True)]
        except pfread.PfError as error:
            raise Unclear(str(error)) from error
        return {step.line for verdict in verdicts for step in verdict.passes or (verdict,)}

    def evaluate(self, found, one, exceeded=False):
        own = {"input": [found.destination], "output": [found.source]}.get(one["hook"], [])
        own = [address for address in own if not (address.is_multicast or address.is_unspecified or address == BROADCAST)]
        return pfeval.evaluate(self.rules, found, self.host(*own), exceeded)

    @staticmethod
    def verdict(one, verdict, beyond):
        """Only of TCP and UDP does pf tell anybody that it stopped them."""

        def action(found):
            answers = found.how != "drop" and one["protocol"] in (packets.TCP, packets.UDP)
            return "accept" if found.action == pfeval.PASS else "reject" if answers else "drop"

        if beyond.action == verdict.action:
            return Verdict(action(verdict))
        bounds = {str(sorted(step.bounds.items())) for step in verdict.passes or (verdict,) if step.bounds}
        return Verdict(action(verdict), tuple(sorted(bounds)), action(beyond))

    @staticmethod
    def ends(one):
        return one.source, one.destination, one.source_port, one.destination_port

    def seen(self, one):
        """A packet as pf sees it."""
        if one["state"] not in ("new", "untracked"):
            raise Unclear("pf knows no such state")
        one = self.before_translation(one) if one["dnat"] else one
        one = {**one, **{end: "lo0" for end in ("iif", "oif") if one[end] == "lo"}}
        passes = {"input": (("in", one["iif"]),), "output": (("out", one["oif"]),)}
        return pfeval.Packet(
            passes.get(one["hook"], (("in", one["iif"]), ("out", one["oif"]))),
            one["protocol"],
            packets.address_of(one["source"]),
            packets.address_of(one["destination"]),
            one["sport"],
            one["dport"],
            one["type"],
            one["code"],
            flags=frozenset(letter for bit, letter in enumerate(FLAGS) if one["flags"] >> bit & 1),
            options=one["protocol"] == 2 or (one["protocol"] == ICMP6 and one["type"] in (130, 131, 132, 143)),
        )

    def before_translation(self, one):
        """A packet that a rule translates to this one."""
        for rule in self.translating():
            target = rule.rdr.address
            if target.family != one["family"] or target.first != one["destination"] & ((1 << 128) - 1):
                continue
            if rule.rdr.port not in (None, one["dport"]) or one["protocol"] not in rule.protocols:
                continue
            outside = [low for low, _ in self.addresses(rule.destination) if low >> 128 == one["family"]]
            if outside and rule.destination_ports:
                return {**one, "destination": outside[0], "dport": rule.destination_ports[0][1], "dnat": 0}
        raise Unclear("nothing is translated so")

    def translating(self):
        return [rule for rule in self.everything() if rule.rdr is not None]

    def everything(self):
        """All rules of the file, in their order; it may be that they are in an anchor."""
        stack, found = [self.rules, *self.rules.anchors.values()], []
        while stack:
            ruleset = stack.pop(0)
            for rule in [*ruleset.translations, *ruleset.rules]:
                found.append(rule)
                stack += [rule.body] if rule.body is not None else []
        return found

    # ---- for packets to try ----

    def at_line(self, line):
        return [self.sampled(rule) for rule in self.everything() if rule.line == line and rule.action != "anchor"]

    def sampled(self, rule):
        found = packets.Rule(rule.line)
        ask = found.matches.append
        if rule.family:
            ask(packets.one_of("family", (rule.family,)))
        if rule.protocols:
            ask(packets.one_of("protocol", sorted(rule.protocols)))
        for name, addresses in (("source", rule.source), ("destination", rule.destination)):
            ranges = self.addresses(addresses)
            if ranges:
                ask(packets.Match((name,), tuple((one,) for one in ranges)))
        for name, ports in (("sport", rule.source_ports), ("dport", rule.destination_ports)):
            if ports:
                ask(packets.Match((name,), tuple(((low, high if sign == ":" else low),) for sign, low, high in ports)))
        if rule.types:
            ask(packets.one_of("type", [kind for _, kind, _ in rule.types]))
        names = [name for name, negated in rule.interfaces if not negated]
        if names:
            ask(packets.one_of("iif" if rule.direction == "in" else "oif", names))
        found.hooks = {"in": ("input", "forward"), "out": ("output", "forward")}.get(rule.direction, ("input", "output"))
        return found

    def addresses(self, addresses):
        found = []
        for one in addresses:
            if one.negated:
                continue
            if one.family is not None:
                found.append((one.family << 128 | one.first, one.family << 128 | one.last))
            elif one.table is not None:
                found += self.table(one.table)
        return found

    def table(self, name):
        found, sets = [], [self.rules, *self.rules.anchors.values()]
        sets += [rule.body for ruleset in list(sets) for rule in ruleset.rules if rule.body is not None]
        for ruleset in sets:
            if name in ruleset.tables:
                for family, lengths in ruleset.tables[name].prefixes.items():
                    for bits, prefixes in lengths.items():
                        size = 1 << (BITS[family] - bits)
                        found += [(family << 128 | first, (family << 128 | first) + size - 1) for first in prefixes]
        return found
