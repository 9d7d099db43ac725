# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets as bytes, each with a number that is found again wherever the packet comes by.

The number is IPv4's identification or IPv6's flow label, which nobody on the way changes; TCP's sequence numbers have
it too, and ICMP's identifier, so that resets and errors tell whom they answer.
"""

import ipaddress
import socket
import struct
from dataclasses import dataclass

ICMP, IGMP, TCP, UDP, DCCP, GRE, ESP, ICMP6, SCTP, UDPLITE, SENTINEL = 1, 2, 6, 17, 33, 47, 50, 58, 132, 136, 254
PROTOCOLS = {"icmp": ICMP, "igmp": IGMP, "tcp": TCP, "udp": UDP, "dccp": DCCP, "gre": GRE, "esp": ESP, "ah": 51,
             "icmpv6": ICMP6, "sctp": SCTP, "udplite": UDPLITE}
WITH_PORTS = {TCP, UDP, DCCP, SCTP, UDPLITE}
ICMPS = {ICMP, ICMP6}
ERRORS = {ICMP: {3, 4, 5, 11, 12}, ICMP6: {1, 2, 3, 4}}  # they quote the packet that they are about
QUERIES = {0, 8, *range(13, 19)}  # of ICMP, and their replies: what is no error
REPLY_TO = {ICMP: {8: 0, 13: 14, 15: 16, 17: 18}, ICMP6: {128: 129}}
FIN, SYN, RST, ACK = 1, 2, 4, 16
PLAIN_HOPS = 64


@dataclass(frozen=True)
class Packet:
    """What is sent; of ICMP, sport is the type and port is the code."""

    protocol: int
    source: str
    destination: str
    sport: int = 0
    port: int = 0
    flags: int = 0
    hops: int = PLAIN_HOPS

    @property
    def is_ipv6(self):
        return ":" in self.source


@dataclass(frozen=True)
class Seen:
    """What came by."""

    number: int
    protocol: int
    source: str
    destination: str
    sport: int
    port: int
    answers: int  # the number of the packet that it refuses, or 0


def checksum(data):
    """The Internet checksum."""
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def crc32c(data):
    """SCTP's checksum."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


def pseudo_header(packet, length):
    source, destination = (ipaddress.ip_address(one).packed for one in (packet.source, packet.destination))
    if packet.is_ipv6:
        return source + destination + struct.pack("!II", length, packet.protocol)
    return source + destination + struct.pack("!HH", packet.protocol, length)


def summed(packet, segment, at, pseudo=True):
    """The segment with its checksum put where there are two zeros."""
    prefix = pseudo_header(packet, len(segment)) if pseudo else b""
    return segment[:at] + struct.pack("!H", checksum(prefix + segment)) + segment[at + 2 :]


def tcp(packet, number):
    # A reset's number is that of the acknowledgement, or else acknowledges our own.
    sequence = (number << 16) + (packet.flags != SYN)
    rest = struct.pack("!IIHHI", sequence, (number << 16) + 1, 0x5000 | packet.flags, 8192, 0)
    return summed(packet, struct.pack("!HH", packet.sport, packet.port) + rest, 16)


def icmp(packet, number, quoted):
    head = struct.pack("!BBHHH", packet.sport, packet.port, 0, number, 1)
    return summed(packet, head + (quoted or bytes(20)), 2, packet.is_ipv6)


def sctp(packet):
    head = struct.pack("!HHI", packet.sport, packet.port, 0)
    begin = struct.pack("!BBHIIHHI", 1, 0, 20, 1, 65536, 1, 1, 1)
    return head + struct.pack("<I", crc32c(head + bytes(4) + begin)) + begin


def segment_of(packet, number, quoted):
    ports = struct.pack("!HH", packet.sport, packet.port)
    if packet.protocol == TCP:
        return tcp(packet, number)
    if packet.protocol == UDP:
        return summed(packet, ports + struct.pack("!HH", 8, 0), 6)
    if packet.protocol == UDPLITE:
        return summed(packet, ports + struct.pack("!HH", 0, 0), 6)
    if packet.protocol in ICMPS:
        return icmp(packet, number, quoted)
    if packet.protocol == SCTP:
        return sctp(packet)
    if packet.protocol == DCCP:
        return summed(packet, ports + struct.pack("!BBHBBHII", 5, 0, 0, 1, 0, 0, number, 0), 6)
    # Refusals are for what looks whole: others are taken to have a checksum, too.
    return summed(packet, struct.pack("!II", number, 1) + bytes(8), 8, packet.is_ipv6)


def build(packet, number, dscp=0, spoiled=False, quoted=b""):
    """The packet from its IP header on; spoiled: its checksum is wrong, so that it belongs to no connection."""
    segment = segment_of(packet, number, quoted)
    if spoiled:
        at = {TCP: 16, UDP: 6, ICMP: 2, ICMP6: 2}[packet.protocol]
        segment = segment[:at] + bytes([segment[at] ^ 0x55, segment[at + 1]]) + segment[at + 2 :]
    source, destination = (ipaddress.ip_address(one).packed for one in (packet.source, packet.destination))
    if packet.is_ipv6:
        head = struct.pack("!IHBB", 6 << 28 | dscp << 22 | number, len(segment), packet.protocol, packet.hops)
        return head + source + destination + segment
    head = struct.pack("!BBHHHBBH", 0x45, dscp << 2, 20 + len(segment), number, 0x4000, packet.hops, packet.protocol, 0)
    head += source + destination
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + segment


def number_of(data):
    """Of a packet of ours, or of the beginning of one that is quoted."""
    if len(data) >= 20 and data[0] >> 4 == 4:
        return struct.unpack_from("!H", data, 4)[0]
    if len(data) >= 40 and data[0] >> 4 == 6:
        return struct.unpack_from("!I", data)[0] & 0xFFFFF
    return 0


def answered(protocol, segment):
    """The number of the packet that a reset or an error is about."""
    if protocol == TCP and len(segment) >= 20 and segment[13] & RST:
        sequence, acknowledged = struct.unpack_from("!II", segment, 4)
        return (acknowledged if segment[13] & ACK else sequence) >> 16
    if protocol in ICMPS and len(segment) >= 8 and segment[0] in ERRORS[protocol]:
        return number_of(segment[8:])
    return 0


def parse(data):
    """What a packet from its IP header on is, or None."""
    if len(data) >= 20 and data[0] >> 4 == 4:
        protocol, segment = data[9], data[(data[0] & 15) * 4 :]
        source, destination = (socket.inet_ntop(socket.AF_INET, data[at : at + 4]) for at in (12, 16))
    elif len(data) >= 40 and data[0] >> 4 == 6:
        protocol, segment = data[6], data[40:]
        source, destination = (socket.inet_ntop(socket.AF_INET6, data[at : at + 16]) for at in (8, 24))
    else:
        return None
    sport = port = 0
    if protocol in WITH_PORTS and len(segment) >= 4:
        sport, port = struct.unpack_from("!HH", segment)
    elif protocol in ICMPS and len(segment) >= 2:
        sport, port = segment[0], segment[1]
    return Seen(number_of(data), protocol, source, destination, sport, port, answered(protocol, segment))
