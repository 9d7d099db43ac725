# SPDX-License-Identifier: GPL-2.0-or-later
"""Real packets between hosts: many TCP connections and UDP datagrams at once, and which of them arrive.

The functions run inside hosts (see netns.Host.call); what they keep open is in module variables of each worker.
"""

import errno
import select
import socket
import struct
import time
from dataclasses import dataclass

FAMILIES = {"IPv4": socket.AF_INET, "IPv6": socket.AF_INET6}
KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
ANY = {socket.AF_INET: "0.0.0.0", socket.AF_INET6: "::"}
SETTLE = 0.05  # what was not stopped has long arrived: there is no distance, and packets keep their order

receivers = {}  # (family, protocol, port) -> listening or bound socket
echoed = {"count": 0}  # requests so far; their number is their flow's, and must be new
kept = []  # the connection that connect_one() or accept_one() holds open


@dataclass(frozen=True)
class Probe:
    """One attempt: from an address of one host to a port of another."""

    protocol: str
    source: str
    destination: str
    port: int

    @property
    def family(self):
        return socket.AF_INET6 if ":" in self.destination else socket.AF_INET

    def __str__(self):
        return f"{self.protocol} from {self.source} to {self.destination} port {self.port}"


def bind(family, protocol, address, port):
    """A socket that doesn't block."""
    sock = socket.socket(family, KINDS[protocol])
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.bind((address, port))
    if protocol == "udp" and family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, socket.if_nametoindex("eth0"))
    elif protocol == "udp":
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
    return sock


def listen(ports):
    """Opens {(protocol, port)} on all addresses of both families."""
    for family in FAMILIES.values():
        for protocol, port in ports:
            sock = bind(family, protocol, ANY[family], port)
            if protocol == "tcp":
                sock.listen(512)
            receivers[family, protocol, port] = sock


def send(probes, source_port):
    """Sends each datagram, begins each connection, and waits until the last connection that works has been made.

    Returns the probes whose connections were made. All use one source port, which must be new to this test, so that
    connection tracking knows none of these flows.
    """
    datagrams, waiting = {}, {}
    for probe in probes:
        key = probe.family, probe.source
        if probe.protocol == "udp":
            if key not in datagrams:
                datagrams[key] = bind(probe.family, "udp", probe.source, source_port)
            try:
                datagrams[key].sendto(probe.destination.encode(), (probe.destination, probe.port))
            except OSError as error:  # a filter of our own output says EPERM; refusals of earlier ones come here too
                if error.errno not in (errno.EPERM, errno.EACCES, errno.EHOSTUNREACH, errno.ECONNREFUSED):
                    raise
        else:
            sock = bind(probe.family, "tcp", probe.source, source_port)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            result = sock.connect_ex((probe.destination, probe.port))
            if result not in (0, errno.EINPROGRESS, errno.EPERM):
                raise OSError(result, f"{probe}")
            waiting[sock.fileno()] = sock, probe
    made = []
    poll = select.poll()
    for descriptor in waiting:
        poll.register(descriptor, select.POLLOUT)
    # What can connect does so at once, as there is no real distance; the wait is for a busy machine.
    while waiting and (events := poll.poll(300)):
        for descriptor, _ in events:
            sock, probe = waiting[descriptor]
            poll.unregister(descriptor)
            if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                made.append(probe)
    for sock, _ in waiting.values():
        sock.close()
    for sock in datagrams.values():
        sock.close()
    return made


def received():
    """The datagrams that came since the last call, as probes; connections are taken and closed."""
    found = set()
    for (_, protocol, port), sock in receivers.items():
        while True:
            try:
                if protocol == "udp":
                    data, peer = sock.recvfrom(64)
                    found.add(Probe(protocol, peer[0], data.decode(), port))
                else:
                    sock.accept()[0].close()
            except OSError:  # nothing more, or a connection that its maker has closed already
                break
    return found


def arrived(expected, seconds=2.0):
    """received(), once all that is expected has come and what is not has had its time to."""
    found = received()
    end = time.monotonic() + seconds
    while not expected <= found and time.monotonic() < end:
        time.sleep(0.01)
        found |= received()
    time.sleep(SETTLE)
    return found | received()


def arrived_at(family, port, expected, seconds=2.0):
    """How many datagrams came to a port, waiting as arrived() does."""
    sock = receivers[FAMILIES[family], "udp", port]
    count = 0
    end = time.monotonic() + seconds
    settling = False
    while True:
        try:
            while True:
                sock.recv(64)
                count += 1
        except BlockingIOError:
            pass
        if settling:
            return count
        settling = count >= expected or time.monotonic() >= end
        time.sleep(SETTLE if settling else 0.01)


def ask(protocol, source, destination, port, source_port=0, seconds=1.0):
    """Sends a word and returns the answer (see answer()), the name of the error, or None when nothing is heard."""
    family = socket.AF_INET6 if ":" in destination else socket.AF_INET
    with bind(family, protocol, source, source_port) as sock:
        sock.settimeout(seconds)
        try:
            sock.connect((destination, port))
            sock.send(b"ping")
            return sock.recv(64)
        except OSError as error:
            return errno.errorcode[error.errno] if error.errno else None


def answer(protocol, address, port, seconds=1.0):
    """Answers one ask() of an own address, on a port that listen() opened; who asked, or None."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = receivers[family, protocol, port]
    if not select.select([sock], [], [], seconds)[0]:
        return None
    if protocol == "udp":
        _, peer = sock.recvfrom(64)
        with bind(family, "udp", address, port) as own:  # of several addresses the kernel would choose any
            own.sendto(b"pong", peer)
        return peer[0]
    connection, peer = sock.accept()
    with connection:
        connection.settimeout(seconds)
        connection.recv(64)
        connection.send(b"pong")
    return peer[0]


def talk_to_self(protocol, address, port):
    """Whether this host can ask itself."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, KINDS[protocol]) as sock:
        sock.settimeout(1)
        sock.connect((address, port))
        sock.send(b"ping")
        return answer(protocol, address, port) == address and sock.recv(64) == b"pong"


def connect_one(source, destination, port):
    """Opens a connection and keeps it."""
    kept.append(socket.create_connection((destination, port), timeout=2, source_address=(source, 0)))


def accept_one(family, port):
    """Takes the other end of connect_one()."""
    sock = receivers[FAMILIES[family], "tcp", port]
    select.select([sock], [], [], 2)
    kept.append(sock.accept()[0])
    kept[-1].settimeout(2)


def say(text):
    kept[-1].sendall(text)


def hear():
    return kept[-1].recv(256)


def one_way(interface, source, source_port, destination, port):
    """Sends one datagram out of an interface, to a broadcast or link-local address too; False where it may not."""
    family = socket.AF_INET6 if ":" in destination else socket.AF_INET
    scope = (0, socket.if_nametoindex(interface)) if family == socket.AF_INET6 else ()
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
        sock.bind((source, source_port, *scope))
        try:
            sock.sendto(b"one way", (destination, port, *scope))
        except PermissionError:
            return False
    return True


def join_group(group, port, interface):
    """Makes the socket of a port hear a multicast group."""
    index = socket.if_nametoindex(interface)
    if ":" in group:
        sock = receivers[socket.AF_INET6, "udp", port]
        request = socket.inet_pton(socket.AF_INET6, group) + struct.pack("I", index)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, request)
    else:
        sock = receivers[socket.AF_INET, "udp", port]
        request = socket.inet_aton(group) + struct.pack("4xI", index)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)


def link_local(interface):
    """The fe80:: address of an interface."""
    with open("/proc/net/if_inet6", encoding="ascii") as lines:
        for line in lines:
            address, _, _, _, _, name = line.split()
            if name == interface and address.startswith("fe80"):
                return socket.inet_ntop(socket.AF_INET6, bytes.fromhex(address))
    raise OSError(f"{interface} has no link-local address")


def advertise(interface, source, hop_limit):
    """Sends a router advertisement that promises nothing to all nodes; False where it may not."""
    index = socket.if_nametoindex(interface)
    with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as sock:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, hop_limit)
        sock.bind((source, 0, 0, index))
        try:
            sock.sendto(struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 0, 0, 0), ("ff02::1", 0, 0, index))
        except PermissionError:
            return False
    return True


def advertisements_heard():
    """How many router advertisements came to this host's IPv6, behind its filter."""
    time.sleep(SETTLE)
    with open("/proc/net/snmp6", encoding="ascii") as lines:
        counters = dict(line.split() for line in lines)
    return int(counters["Icmp6InRouterAdvertisements"])


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def echo(source, destination, count, seconds=0.5):
    """Sends `count` echo requests at once, each a flow of its own; how many replies came."""
    version6 = ":" in destination
    family = socket.AF_INET6 if version6 else socket.AF_INET
    protocol = socket.IPPROTO_ICMPV6 if version6 else socket.IPPROTO_ICMP
    request, reply = (128, 129) if version6 else (8, 0)
    with socket.socket(family, socket.SOCK_RAW, protocol) as sock:
        sock.bind((source, 0))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        sock.settimeout(seconds)
        first = 1 + echoed["count"]
        echoed["count"] += count
        for number in range(first, first + count):
            packet = struct.pack("!BBHHH", request, 0, 0, number, 1)
            if not version6:  # the kernel fills in ICMPv6's
                packet = struct.pack("!BBHHH", request, 0, checksum(packet), number, 1)
            try:
                sock.sendto(packet, (destination, 0))
            except PermissionError:
                pass
        replies = set()
        while len(replies) < count:
            try:
                data = sock.recv(256)
            except OSError:
                break
            kind, _, _, number, _ = struct.unpack("!BBHHH", data[:8] if version6 else data[20:28])
            if kind == reply and first <= number < first + count:
                replies.add(number)
        return len(replies)
