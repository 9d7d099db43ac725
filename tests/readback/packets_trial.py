# SPDX-License-Identifier: GPL-2.0-or-later
"""Sends the probes of one rule set through its world, and tells what became of each."""

from dataclasses import dataclass, field, replace

import packets_frames as frames
import packets_rules as rules
import packets_world as worlds

CONNECTED = {frames.TCP: "tcp", frames.UDP: "udp"}  # protocols that expectations can be of
TRACKED = {*CONNECTED, *frames.ICMPS}  # whose checksum tracking looks at
NOBODY = {4: "192.0.2.254", 6: "2001:db8:ffff::1"}  # with whom there are no connections


@dataclass
class Fate:
    """What became of a packet."""

    state: str = ""  # as tracking told before any translation; empty: it was gone by then
    arrived: object = None  # as it came out of translation, before routing
    translated: bool = False
    left: list = field(default_factory=list)  # (interface, Seen) behind all rules; "" for what the machine took
    answered: bool = False
    looped: bool = False  # it left by the loopback, whatever came then


# ---- probes as packets ----


def is_sent_here(probe):
    """Whether the machine sends it: what comes by the loopback has left the machine before."""
    return probe.hook == "output" or probe.interface_in == "lo"


def is_error(probe):
    return probe.sport in frames.ERRORS.get(probe.protocol, ())


def complete(probe, number):
    """With a port of its own, as each has to be a connection of its own; and as it can be brought about."""
    if is_sent_here(probe) and probe.state == "invalid" and probe.protocol == frames.TCP:
        probe = replace(probe, flags=frames.RST)  # of a connection that is not there
    if probe.hook == "forward":
        probe = replace(probe, hops=min(probe.hops, 254))
    if probe.protocol in frames.ICMPS:
        return replace(probe, sport=max(probe.sport, 0))
    if probe.protocol not in frames.WITH_PORTS:
        return replace(probe, sport=0, port=0)
    return replace(probe, sport=40000 + number if probe.sport < 0 else probe.sport)


def packet_of(probe, **changes):
    hops = probe.hops + (probe.hook == "forward" and probe.family == 6)  # routers count before they ask
    destination = probe.original or probe.destination
    packet = frames.Packet(probe.protocol, probe.source, destination, probe.sport, probe.port, probe.flags, hops)
    return replace(packet, **changes)


def reply_to(packet):
    if packet.protocol in frames.ICMPS:
        types = frames.REPLY_TO[packet.protocol]
        return replace(packet, source=packet.destination, destination=packet.source, sport=types[packet.sport])
    return replace(packet, source=packet.destination, destination=packet.source, sport=packet.port, port=packet.sport)


def shot(probe, data):
    """(where from, interface, packet): it comes to where the probe comes."""
    return ("here", probe.interface_out or "lo", data) if is_sent_here(probe) else ("wire", probe.interface_in, data)


def returned(probe, data):
    """It comes from where the probe would go to, if everything were for the machine."""
    if probe.hook != "output" or probe.interface_out == "lo":
        return "here", "", data
    return "wire", probe.interface_out, data


def datagram_to(number, probe):
    """What the probe's destination may have sent to its source, for the probe to be an error or a relative of it."""
    there = frames.Packet(frames.UDP, probe.destination, probe.source, 33434, 50000 + number % 10000)
    return frames.build(there, number)


def exchange(probe):
    """(whether it goes forth, packet) of what makes a connection, one behind the other."""
    packet = packet_of(probe)
    if probe.protocol == frames.TCP:
        back = replace(reply_to(packet), flags=frames.SYN | frames.ACK)
        return [(True, replace(packet, flags=frames.SYN)), (False, back), (True, replace(packet, flags=frames.ACK))]
    if probe.protocol not in frames.ICMPS:
        return [(True, packet), (False, reply_to(packet))]
    types = frames.REPLY_TO[probe.protocol]
    if probe.sport in types:
        return [(True, packet), (False, reply_to(packet))]
    requests = [request for request, reply in types.items() if reply == probe.sport]
    turned = replace(packet, source=packet.destination, destination=packet.source)
    return [(False, replace(turned, sport=request)) for request in requests]


def opening(number, probe):
    """Shots, one behind the other, before the rules are there: they give the probe a connection, or relatives."""
    if probe.state == "related" and (is_error(probe) or probe.protocol in CONNECTED):
        return [returned(probe, datagram_to(number, probe))]
    if probe.state != "established":
        return []
    return [(shot if forth else returned)(probe, frames.build(packet, number)) for forth, packet in exchange(probe)]


def shot_of(number, probe):
    """The probe itself."""
    about = probe if probe.state == "related" else replace(probe, destination=NOBODY[probe.family])
    quoted = datagram_to(number, about) if is_error(probe) else b""
    spoiled = probe.state == "invalid" and not is_sent_here(probe) and probe.protocol in TRACKED
    dscp = worlds.UNTRACKED if probe.state == "untracked" else 0
    return shot(probe, frames.build(packet_of(probe), number, dscp, spoiled, quoted))


def mark(number, probe):
    """How nft tells the packets with this number."""
    return f"ip6 flowlabel {number}" if probe.family == 6 else f"ip id {number}"


def own_addresses(hook, probes):
    """{(address, interface)} that the machine must have for packets at a hook."""
    return {
        (address, probe.interface_in if hook == "input" else probe.interface_out)
        for probe in probes
        for address in rules.ends(probe)[0]
        if not rules.is_group(address) and not address.startswith("127.") and address != "::1"
    }


def out_of(probe):
    """By which interface what is not for the machine leaves."""
    return probe.interface_out if probe.hook == "forward" else rules.OTHER_OUT


# ---- all of them ----


class Trial:
    """One rule set's probes, numbered, and what becomes of each."""

    def __init__(self, world, probes):
        self.world = world
        self.probes = {number: complete(probe, number) for number, probe in enumerate(probes, 1)}
        self.fates = {number: Fate() for number in self.probes}

    def open(self):
        """Opens the connections of all probes that are to have one; before the rules are loaded."""
        expected = [
            (mark(number, probe), CONNECTED[probe.protocol], probe.port)
            for number, probe in self.probes.items()
            if probe.state == "related" and probe.protocol in CONNECTED and probe.port
        ]
        self.world.prepare(False, expected=expected)
        openings = [opening(number, probe) for number, probe in self.probes.items()]
        self.world.take("add")
        try:
            for turn in range(max(map(len, openings), default=0)):
                self.world.send([shots[turn] for shots in openings if len(shots) > turn])
        finally:
            self.world.take("delete")
        self.world.told()
        self.world.caught()

    def run(self):
        """Sends all probes, those of one hook and one way out together."""
        translations = [
            f"{mark(number, probe)} dnat {'ip6' if probe.family == 6 else 'ip'} to {probe.destination}"
            for number, probe in self.probes.items()
            if probe.original
        ]
        self.world.prepare(True, translations)
        phases = {}
        for number, probe in self.probes.items():
            phases.setdefault((probe.hook, out_of(probe)), {})[number] = probe
        for (hook, out), probes in phases.items():
            self.run_phase(hook, out, probes)
        self.world.go_away()

    def run_phase(self, hook, out, probes):
        own = own_addresses(hook, probes.values())
        groups = {
            (probe.destination, probe.interface_in)
            for probe in probes.values()
            if hook == "input" and rules.is_multicast(probe.destination)
        }
        self.world.local("add", own)
        try:
            self.world.join(groups)
            self.world.hand_on(out)
            self.world.send([shot_of(number, probe) for number, probe in probes.items()])
        finally:
            self.world.leave()
            self.world.local("delete", own)
        for word, seen in self.world.told():
            self.note(hook, word, seen)
        for interface, seen in self.world.caught():
            if seen.number in self.fates:
                self.note_left(hook, interface, seen)

    def note(self, hook, word, seen):
        """What the kernel told."""
        fate = self.fates.get(seen.number)
        if word == "answer":
            if seen.answers in self.fates:
                self.fates[seen.answers].answered = True
        elif fate is None:
            return
        elif word in rules.STATES:
            fate.state = fate.state or word
        elif word in ("same", "translated") and not fate.arrived:
            fate.arrived, fate.translated = seen, word == "translated"
        elif word == "input" and hook != "output":
            fate.left.append(("", seen))

    def note_left(self, hook, interface, seen):
        """What was on a wire, or came by the loopback."""
        fate = self.fates[seen.number]
        if hook == "input" and interface == "lo":
            fate.looped = True
        else:
            fate.left.append((interface, seen))
