# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine with a rule set, and the world around it: whatever it has of interfaces leads into one namespace.

The world puts frames on the wires and listens on them; the machine's own kernel tells by nflog what came by, from a
table that stands before and behind all others. What gets as far as input ends there; the kernel's refusals end where
they leave. Functions below run inside the two; what they keep open is in module variables of each worker.
"""

import os
import re
import socket
import struct

import netns
import packets_frames as frames

# What Python's socket module has no names for.
NETLINK_NETFILTER, SO_RCVBUFFORCE, IP_HDRINCL, IPV6_HDRINCL = 12, 33, 3, 36
ETH_P_ALL, ETH_P_IP, ETH_P_IPV6, PACKET_OUTGOING = 3, 0x0800, 0x86DD, 4
NLM_F_REQUEST_ACK = 5
NFULNL_MSG_PACKET, NFULNL_MSG_CONFIG, IPCTNL_MSG_CT_DELETE = 4 << 8 | 0, 4 << 8 | 1, 1 << 8 | 2
NFULA_PAYLOAD, NFULA_PREFIX = 9, 10
NFULA_CFG_CMD, NFULA_CFG_MODE, NFULA_CFG_QTHRESH = 1, 2, 5

GROUP = 7  # of nflog
SENTINELS = "zz"  # an interface of their own
OURS = 0x2000_0000  # the mark of what the machine itself is made to send
UNTRACKED = 5  # the DSCP of packets that are not to be tracked
BUFFER = 32 << 20
FIRST, LAST = -2147483647, 2147483646
ANSWER_SECONDS = 10

TABLE = f"""
table inet zz {{
	EXPECTATIONS
	chain first {{
		type filter hook prerouting priority {FIRST}; policy accept;
		meta l4proto {frames.SENTINEL} log prefix "sentinel" group {GROUP} drop
	}}
	chain untracked {{
		type filter hook prerouting priority -201; policy accept;
		ip dscp {UNTRACKED} notrack
		ip6 dscp {UNTRACKED} notrack
	}}
	chain tracked {{
		type filter hook prerouting priority -199; policy accept;
		jump states
	}}
	chain states {{
		EXPECTED
		ct state new log prefix "new" group {GROUP}
		ct state established log prefix "established" group {GROUP}
		ct state related log prefix "related" group {GROUP}
		ct state invalid log prefix "invalid" group {GROUP}
		ct state untracked log prefix "untracked" group {GROUP}
	}}
	chain arrived {{
		type filter hook prerouting priority {LAST}; policy accept;
		ct status dnat log prefix "translated" group {GROUP} accept
		log prefix "same" group {GROUP}
	}}
	chain taken {{
		type filter hook input priority {LAST}; policy accept;
		ENDS
	}}
	chain sent {{
		type filter hook output priority {FIRST}; policy accept;
		meta mark != {OURS} log prefix "answer" group {GROUP} drop
	}}
	chain untracked_here {{
		type filter hook output priority -201; policy accept;
		ip dscp {UNTRACKED} notrack
		ip6 dscp {UNTRACKED} notrack
	}}
	chain tracked_here {{
		type filter hook output priority -199; policy accept;
		jump states
	}}
	chain translated {{
		type nat hook prerouting priority -110; policy accept;
		TRANSLATIONS
	}}
}}
"""
log, wires, raws, joined = [], [], {}, {}
noted = []  # [(word, Seen)] that the kernel told


def netlink():
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)


def ask_netlink(sock, kind, body):
    sock.send(struct.pack("=IHHII", 16 + len(body), kind, NLM_F_REQUEST_ACK, 1, 0) + body)
    error = struct.unpack_from("=i", sock.recv(4096), 16)[0]
    if error:
        raise OSError(-error, os.strerror(-error))


def open_log():
    """Binds a socket to the group; each packet is told at once."""
    sock = netlink()
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
    bind, copy = struct.pack("B", 1), struct.pack("!IBx", 256, 2)  # packets, up to so many bytes
    for kind, value in ((NFULA_CFG_CMD, bind), (NFULA_CFG_MODE, copy), (NFULA_CFG_QTHRESH, struct.pack("!I", 1))):
        attribute = struct.pack("=HH", 4 + len(value), kind) + value
        ask_netlink(sock, NFULNL_MSG_CONFIG, struct.pack("!BBH", 0, 0, GROUP) + attribute + bytes(-len(attribute) % 4))
    sock.settimeout(ANSWER_SECONDS)
    log.append(sock)


def forget_connections():
    with netlink() as sock:
        ask_netlink(sock, IPCTNL_MSG_CT_DELETE, struct.pack("!BBH", 0, 0, 0))


def open_wires():
    """Listens on all interfaces and may send on them."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
    sock.setblocking(False)
    wires.append(sock)


def open_machine():
    """Hears the kernel, and listens on the loopback."""
    open_log()
    open_wires()
    wires[0].bind(("lo", ETH_P_ALL))


def put_on_wires(addresses, shots):
    """Sends packets as frames to the interfaces' addresses: [(interface, packet)]."""
    for interface, data in shots:
        kind = ETH_P_IPV6 if data[0] >> 4 == 6 else ETH_P_IP
        wires[0].sendto(addresses[interface] + bytes(6) + struct.pack("!H", kind) + data, (interface, kind))


def raw_socket(interface, is_ipv6):
    if (interface, is_ipv6) not in raws:
        sock = socket.socket(socket.AF_INET6 if is_ipv6 else socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        level, option = (socket.IPPROTO_IPV6, IPV6_HDRINCL) if is_ipv6 else (socket.IPPROTO_IP, IP_HDRINCL)
        sock.setsockopt(level, option, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, OURS)
        if interface:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
        raws[interface, is_ipv6] = sock
    return raws[interface, is_ipv6]


def send_out(shots):
    """The machine sends packets by interfaces, or by what its routes say: [(interface, packet)].

    A filter that drops what its own machine sends may say so to the sender.
    """
    for interface, data in shots:
        is_ipv6 = data[0] >> 4 == 6
        family, to = (socket.AF_INET6, data[24:40]) if is_ipv6 else (socket.AF_INET, data[16:20])
        try:
            raw_socket(interface, is_ipv6).sendto(data, (socket.inet_ntop(family, to), 0))
        except PermissionError:
            pass


def join(groups):
    """Takes part in groups until leave(): [(group, interface)]."""
    for group, name in groups:
        family = socket.AF_INET6 if ":" in group else socket.AF_INET
        if (name, family) not in joined:
            joined[name, family] = socket.socket(family, socket.SOCK_DGRAM)
        sock = joined[name, family]
        address, index = socket.inet_pton(family, group), struct.pack("I", socket.if_nametoindex(name))
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, address + index)
        else:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, address + bytes(4) + index)


def leave():
    for sock in joined.values():
        sock.close()
    joined.clear()


def attributes(data):
    """{kind: value} of netlink attributes."""
    found, at = {}, 0
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        found[kind & 0x3FFF] = data[at + 4 : at + length]
        at += max(4, length + -length % 4)
    return found


def messages(data):
    """(word, packet) of each packet that nflog tells of."""
    at = 0
    while at + 16 <= len(data):
        length, kind = struct.unpack_from("=IH", data, at)
        if kind == NFULNL_MSG_PACKET:
            parts = attributes(data[at + 20 : at + length])
            yield parts.get(NFULA_PREFIX, b"").rstrip(b"\0").decode(), parts.get(NFULA_PAYLOAD, b"")
        at += max(16, length + -length % 4)


def wait_for(number):
    """Reads what was told until a sentinel's number comes."""
    while True:
        for word, data in messages(log[0].recv(1 << 16)):
            if word == "sentinel" and frames.number_of(data) == number:
                return
            seen = frames.parse(data)
            if word != "sentinel" and seen:
                noted.append((word, seen))


def told():
    """What the kernel has told since the last call: [(word, Seen)]."""
    found = noted[:]
    noted.clear()
    return found


def caught():
    """What left by wire, or by the loopback, since the last call: [(interface, Seen)]."""
    found = []
    while True:
        try:
            data, (interface, _, kind, *_) = wires[0].recvfrom(2048)
        except BlockingIOError:
            return found
        seen = frames.parse(data[14:])
        if seen and (kind == PACKET_OUTGOING) == (interface == "lo"):
            found.append((interface, seen))


FOR_EACH = {"rp_filter": 0, "accept_local": 1, "route_localnet": 1, "send_redirects": 0, "accept_redirects": 0}
FOR_ALL = {
    "ipv4/ip_forward": 1,
    "ipv6/conf/all/forwarding": 1,
    "ipv4/icmp_ratemask": 0,
    "ipv4/icmp_msgs_per_sec": 10**9,
    "ipv4/icmp_msgs_burst": 10**9,
    "ipv6/icmp/ratelimit": 0,
    "netfilter/nf_conntrack_tcp_be_liberal": 1,
}


def settings(names):
    """The kernel is to route whatever it is given, and to answer as often as it is asked to."""
    for name in ("all", "default", *names):
        for key, value in FOR_EACH.items():
            netns.write(f"/proc/sys/net/ipv4/conf/{name}/{key}", str(value))
    for key, value in FOR_ALL.items():
        netns.write(f"/proc/sys/net/{key}", str(value))


class World:
    """The machine has interfaces of these names, each with an address of each family."""

    def __init__(self, names):
        self.names = names = [*names, SENTINELS]
        self.machine, self.around = netns.Host("machine"), netns.Host("world")
        self.own = {name: (f"198.18.{number}.1", f"2001:2:0:{number:x}::1") for number, name in enumerate(names, 1)}
        self.hardware = {name: bytes((2, 0, 0, 0, 0, number)) for number, name in enumerate(names, 1)}
        self.sentinels = 0
        self.wire()
        self.prepare(False)  # which brings tracking, and the settings of it
        self.machine.call(settings, names)
        self.routes(*(f"append default dev {name} metric {9 + number}" for number, name in enumerate(names)))
        self.machine.call(open_machine)
        self.around.call(open_wires)

    def wire(self):
        links = [
            f"link add {name} address {hardware.hex(':')} type veth peer name {name} netns {self.around.pid}"
            for name, hardware in self.hardware.items()
        ]
        for name in self.names:
            # There is nobody to resolve addresses, and nobody to hear what the machine itself has to say.
            links += [f"link set {name} arp off addrgenmode none", f"link set {name} up"]
            links += [f"address add {address} dev {name}" for address in self.own[name]]
        self.machine.run("ip", "-batch", "-", text="\n".join(links))
        ends = [f"link set {name} arp off addrgenmode none up" for name in self.names]
        self.around.run("ip", "-batch", "-", text="\n".join(ends))

    def batch(self, family, lines):
        self.machine.run("ip", family, "-batch", "-", text="".join(lines))

    def routes(self, *lines):
        """Changes routes of both families."""
        for family in ("-4", "-6"):
            self.batch(family, [f"route {line}\n" for line in lines])

    def local(self, verb, addresses):
        """The machine has these addresses or prefixes too, or no more: {(address, interface)}."""
        numbers = {name: number for number, name in enumerate(self.names, 2)}
        for family, mark in (("-4", "."), ("-6", ":")):
            routes = set()
            for address, at in addresses:
                # IPv6 asks for the interface with addresses of links; there may be one at several of them.
                of_link = address.startswith("f") and at in numbers
                way = f"dev {at} metric {numbers[at]}" if of_link else "dev lo metric 1"
                routes.add(f"route {verb} local {address} {way} table local\n")
            self.batch(family, sorted(route for route in routes if mark in route.split()[3]))

    def take(self, verb):
        """Whatever comes is for the machine itself ("add"), or no more ("delete")."""
        links = {(prefix, name) for prefix in ("fe80::/10", "ff00::/8") for name in self.names}
        self.local(verb, {("0.0.0.0/0", "lo"), ("::/0", "lo"), *links})

    def hand_on(self, name):
        """Whatever comes leaves by this interface."""
        self.routes(f"replace default dev {name} metric 1")

    def prepare(self, ends, translations=(), expected=()):
        """The table that tells what comes by.

        ends: what comes to input ends there, behind all rules. translations: rules for packets before routing.
        expected: (what matches a packet, protocol, port) of connections related to that of the packet.
        """
        objects, uses = [], []
        for number, (match, protocol, port) in enumerate(expected):
            family = match.split()[0]
            what = f"protocol {protocol}; dport {port}; timeout 1h; size 1; l3proto {family};"
            objects.append(f"ct expectation expected{number} {{ {what} }}")
            uses.append(f'{match} ct expectation set "expected{number}"')
        ends = [f'log prefix "input" group {GROUP} drop'] if ends else []
        parts = {"EXPECTATIONS": objects, "EXPECTED": uses, "ENDS": ends, "TRANSLATIONS": translations}
        text = re.sub("|".join(parts), lambda word: "\n".join(parts[word[0]]), TABLE)
        self.machine.run("nft", "-f", "-", text="table inet zz\ndelete table inet zz\n" + text)

    def go_away(self):
        self.machine.run("nft", "delete", "table", "inet", "zz")

    def send(self, shots):
        """Sends [(from where, interface, packet)] and waits until all have gone their way."""
        self.around.call(put_on_wires, self.hardware, [(at, data) for where, at, data in shots if where == "wire"])
        self.machine.call(send_out, [(at, data) for where, at, data in shots if where == "here"])
        # Packets of one processor keep their order: behind the first sentinel all have been routed, and behind the
        # second what left has come to the other ends of the wires.
        self.wait()
        self.wait()

    def wait(self):
        self.sentinels = self.sentinels % 0xFFFF + 1
        sentinel = frames.Packet(frames.SENTINEL, "198.18.0.1", "198.18.0.2")
        shot = (SENTINELS, frames.build(sentinel, self.sentinels))
        self.around.call(put_on_wires, self.hardware, [shot])
        self.machine.call(wait_for, self.sentinels)

    def join(self, groups):
        self.machine.call(join, groups)

    def leave(self):
        self.machine.call(leave)

    def told(self):
        return self.machine.call(told)

    def caught(self):
        """What left the machine, by wire and by its loopback."""
        return self.around.call(caught) + self.machine.call(caught)

    def stop(self):
        self.machine.stop()
        self.around.stop()
