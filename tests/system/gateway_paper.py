# SPDX-License-Identifier: GPL-2.0-or-later
"""The gateway as a BSD: no packet is sent, but the pf output is asked about each call, as tests/pf reads it."""

import contextlib
import ipaddress
from dataclasses import replace

import gateway_calls
import program
import reader  # which has tests/pf on the path
from gateway_world import DEVICES, FIELD, FIELD_GATEWAY, INSIDE, OUTSIDE, OWNERS, PEOPLE

import pfeval
import pfforward
import pfmodel
import pfread

PfError = pfread.PfError
DIALECTS = reader.DIALECTS
SOURCE_PORT = 20000  # one that no service names
INTERFACES = {
    OUTSIDE: PEOPLE["gateway outside"].addresses, INSIDE: PEOPLE["gateway inside"].addresses, FIELD: FIELD_GATEWAY,
}  # fmt: skip
ROUTES = {"0.0.0.0/0": OUTSIDE, "::/0": OUTSIDE}


class Paper:
    """Takes calls as the World does."""

    def __init__(self, dialect):
        self.dialect = dialect
        interfaces = [reader.Reader.interface(name, own) for name, own in INTERFACES.items()]
        self.host = pfmodel.Host([reader.LOOPBACK, *interfaces])
        self.routes = pfforward.Routes(self.host, ROUTES)
        self.field_devices = ()  # addresses of devices where the cameras are
        self.rules = None

    def load(self, site):
        text = program.rule_set(site, "-b", "pf", "-O", f"dialect={self.dialect}")
        self.rules = pfread.parse_anchor(text, self.dialect, self.host)

    def call_until(self, attempts, _awaited):
        """({probe: answer}, {probe: what was heard}), as World.call_until()."""
        answers, heard = {}, {}
        for probe in attempts:
            there, answered = self.way(self.packet(probe), OWNERS[probe.source].side)
            if there is None:
                continue
            if probe.protocol == "udp":
                heard[probe] = self.seen(there)
            if answered:
                answers[probe] = self.seen(there)
        return answers, heard

    def forge(self, attempts, sender):
        """As World.forge()."""
        side = next(person.side for person in PEOPLE.values() if person.host == sender)
        ends = {probe: self.way(self.packet(probe), side)[0] for probe in attempts}
        return {str(probe): self.seen(there) for probe, there in ends.items() if there is not None}

    @contextlib.contextmanager
    def devices_in_field(self):
        """As World.devices_in_field()."""
        self.field_devices = [address for name in DEVICES for address in PEOPLE[name].addresses]
        self.routes = pfforward.Routes(self.host, ROUTES | dict.fromkeys(self.field_devices, FIELD))
        try:
            yield
        finally:
            self.field_devices = ()
            self.routes = pfforward.Routes(self.host, ROUTES)

    def seen(self, packet):
        address = str(packet.destination)
        owner = PEOPLE["north"] if address in self.field_devices else OWNERS[address]
        return gateway_calls.seen(owner.host, packet.source, address, packet.destination_port)

    @staticmethod
    def packet(probe):
        return pfeval.Packet(
            (), reader.PROTOCOLS[probe.protocol], *map(ipaddress.ip_address, (probe.source, probe.destination)),
            SOURCE_PORT, probe.port,
        )  # fmt: skip

    def way(self, packet, side):
        """(the packet where it ends, or None; whether its answer gets back)."""
        if side is None:
            leaving = replace(packet, passes=(("out", self.routes.end(packet.destination)),))
            outcome = pfforward.travel(pfeval.Judge(self.rules, self.host, False), self.routes, leaving)
        else:
            outcome = pfforward.forward(self.rules, self.routes, replace(packet, passes=(("in", side),)))
        if outcome.verdict != pfforward.PASSED:
            return None, False
        there = outcome.packet
        if there.source == packet.source and there.destination != packet.destination and outcome.end == side:
            return there, False  # a neighbour, who answers directly and from another address than was called
        back = pfforward.reply(self.rules, self.routes, outcome)
        return there, back.verdict == pfforward.PASSED and (
            back.packet.source, back.packet.source_port, back.packet.destination
        ) == (packet.destination, packet.destination_port, packet.source)  # fmt: skip
