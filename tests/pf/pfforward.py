# SPDX-License-Identifier: GPL-2.0-or-later
"""A gateway: what becomes of a packet on its whole way through a host with pf, where routes decide how it goes on.

    host = Host((Interface("em0", ("198.51.100.7/24",)), Interface("em1", ("10.8.0.1/24",))))
    rules = pfread.parse(text, "openbsd", host)          # or pfread.parse_anchor, for the text of an anchor
    routes = Routes(host, {"0.0.0.0/0": "em0"})          # the networks of the interfaces are in it without saying
    client, outside = ipaddress.ip_address("203.0.113.9"), ipaddress.ip_address("198.51.100.7")
    outcome = forward(rules, routes, Packet((("in", "em0"),), TCP, client, outside, 40000, 18088))
    outcome.verdict         # PASSED, BLOCKED or REJECTED
    outcome.end             # LOCAL, or the interface that it leaves by: "em1"; None where it was stopped
    outcome.packet          # its .source, .source_port, .destination, .destination_port and .tag at that end
    outcome.lines           # of the rules that decided, in and out; 0: none matched
    reply(rules, routes, outcome).verdict                # of the answer, and .packet as the client gets it

Interface names that do not end in a digit are groups to pf. A source port that pf chooses is a range of those it
chooses from. A packet's destination after translation decides between local delivery and an interface; what is
forwarded must pass in and out. What has no route is a LookupError; what the rules leave open is a PfError.
"""

import ipaddress
from dataclasses import dataclass, replace

import pfeval
from pfnames import ICMP, ICMP6, ICMP_REPLIES

LOCAL = "local"
PASSED, BLOCKED, REJECTED = "passed", "blocked", "rejected"
UNREACHABLE = {4: (ICMP, 3), 6: (ICMP6, 1)}


class Routes:
    """Where a host sends what: {prefix: interface}, of which the longest prefix that holds an address counts."""

    def __init__(self, host, routes):
        self.host = host
        self.local = set()
        self.table = {}
        for interface in host.interfaces:
            self.local |= {ipaddress.IPv4Address(first) for _, first, _ in interface.ranges({"broadcast"})}
            for text in interface.addresses:
                self.connect(ipaddress.ip_interface(text), interface.name)
        self.table |= {ipaddress.ip_network(prefix): name for prefix, name in routes.items()}

    def connect(self, address, name):
        self.local.add(address.ip)
        if not address.is_link_local:
            self.table[address.network] = name

    def end(self, destination):
        """LOCAL or an interface. Routers do not forward what is for several hosts."""
        if destination in self.local or destination.is_multicast or str(destination) == "255.255.255.255":
            return LOCAL
        holding = [prefix for prefix in self.table if destination in prefix]
        if not holding:
            raise LookupError(f"no route to {destination}")
        return self.table[max(holding, key=lambda prefix: prefix.prefixlen)]


@dataclass(frozen=True)
class Outcome:
    verdict: str
    end: str  # LOCAL or an interface; None: it was stopped
    packet: pfeval.Packet  # as it ends; where it was stopped, as the rule that stopped it saw it
    opening: pfeval.Packet  # as it came, with all its passes
    steps: tuple  # the pfeval.Verdict of each pass

    @property
    def lines(self):
        return tuple(step.line for step in self.steps)

    @property
    def how(self):
        """Of what was stopped: drop, return …"""
        return self.steps[-1].how


def forward(ruleset, routes, packet, exceeded=False):
    """The Outcome for the first packet of a connection. Its `passes` are its arrival alone, (("in", "em0"),). With
    `exceeded`, all bounds of rules are used up."""
    assert [direction for direction, _ in packet.passes] == ["in"], f"not an arrival: {packet.passes}"
    return travel(pfeval.Judge(ruleset, routes.host, exceeded), routes, packet)


def reply(ruleset, routes, outcome, error=False):
    """The Outcome for the answer to a packet that passed, or for an error about it: from the host where it ended,
    or in by the interface that it left by. It passes where the rules' states, or the rules themselves, let it. An
    answer that would not come this way is the caller's to notice: from a host in the client's own network, when the
    packet has kept the client's source."""
    assert outcome.verdict == PASSED, f"nobody answers what was {outcome.verdict}"
    there = outcome.packet
    answer = replace(
        there,
        source=there.destination,
        destination=there.source,
        source_port=there.destination_port,
        destination_port=there.source_port,
        flags=frozenset("SA"),
        options=False,
        opening=outcome.opening,
        tag=None,
    )
    if error:
        protocol, kind = UNREACHABLE[there.family]
        answer = replace(answer, protocol=protocol, type=kind, code=0)
    elif there.protocol in (ICMP, ICMP6):
        answer = replace(answer, type=ICMP_REPLIES[there.family][there.type])
    passing = ("out", routes.end(answer.destination)) if outcome.end == LOCAL else ("in", outcome.end)
    return travel(pfeval.Judge(ruleset, routes.host, False), routes, replace(answer, passes=(passing,)))


def travel(judge, routes, packet):
    """A packet from its first pass on, to its end."""
    came, steps = packet, []
    while True:
        direction, interface = packet.passes[-1]
        verdict = judge.verdict(packet, packet.passes[-1])
        steps.append(verdict)
        came = replace(came, passes=packet.passes)
        if verdict.action != pfeval.PASS:
            return Outcome(BLOCKED if verdict.how == "drop" else REJECTED, None, verdict.packet, came, tuple(steps))
        end = interface if direction == "out" else routes.end(verdict.packet.destination)
        if direction == "out" or end == LOCAL:
            return Outcome(PASSED, end, verdict.packet, came, tuple(steps))
        packet = replace(verdict.packet, passes=(*packet.passes, ("out", end)))
