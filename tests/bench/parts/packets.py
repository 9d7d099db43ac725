# SPDX-License-Identifier: GPL-2.0-or-later
"""New flows to the last of many cameras: our output beside rules written by hand for the cameras alone.

Each contender is a host of its own, with a cable to another that answers for all cameras. What a flow costs is mostly
the kernel's: its tracking, and the cable; both contenders have that.
"""

import re
import socket
import statistics
import struct

import cameras
import netns
import program
from rounds import FLOOD, Table, at_least, turns

COUNT = 100_000
# Flows of one round: short rounds, and many of them, since other work comes in bursts.
FLOWS = {"udp": 2_000, "tcp": 1_000}
ROUNDS = 45
NFT, TREE = 0.97, 0.9
HERE, THERE = "192.0.2.1", "192.0.2.2"
TO = cameras.address(COUNT - 1)
NETLINK_NETFILTER, CT_DELETE, REQUEST_AND_ANSWER = 12, 1 << 8 | 2, 1 | 4


class World:
    """A host with rules, and the other end of its cable."""

    def __init__(self, name, load):
        self.host, self.other = netns.Host(name), netns.Host("cameras")
        netns.cable(self.host, "eth0", [f"{HERE}/24"], self.other, "eth0", [f"{THERE}/24"])
        for host in (self.host, self.other):
            host.call(netns.write, "/proc/sys/net/ipv6/conf/eth0/disable_ipv6", "1")
        self.host.call(netns.write, "/proc/sys/net/ipv4/ip_local_port_range", "1024 65535")
        self.host.run("ip", "route", "add", "10.0.0.0/8", "via", THERE)
        self.other.run("ip", "route", "add", "local", "10.0.0.0/8", "dev", "lo")
        for one, address, peer in ((self.host, THERE, self.other), (self.other, HERE, self.host)):
            mac = mac_of(peer)
            one.run("ip", "neighbour", "replace", address, "lladdr", mac, "dev", "eth0", "nud", "permanent")
        load(self.host)

    def flood(self, protocol):
        """Flows per second of the processor's time."""
        count = FLOWS[protocol]
        self.host.call(forget_flows)
        words = self.host.run(FLOOD, protocol, self.other.pid, HERE, TO, cameras.PORT, count)[1].split()
        # A connection was answered, or there was an error; that a datagram was dropped is not told to all senders.
        if protocol == "udp" and self.host.call(tracked_flows) < count:
            raise SystemExit(f"bench: {self.host.name}: not all flows passed")
        return count / (int(words[1]) / 1e9)

    def stop(self):
        self.host.stop()
        self.other.stop()


def mac_of(host):
    return re.search(r"link/ether (\S+)", host.run("ip", "link", "show", "eth0")[1])[1]


def forget_flows():
    """As `conntrack -F` does."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as netlink:
        netlink.send(struct.pack("=IHHII", 20, CT_DELETE, REQUEST_AND_ANSWER, 1, 0) + bytes(4))
        error = struct.unpack_from("=i", netlink.recv(4096), 16)[0]
    if error:
        raise OSError(-error, "cannot forget flows")


def tracked_flows():
    with open("/proc/sys/net/netfilter/nf_conntrack_count", encoding="ascii") as file:
        return int(file.read())


# ---- what they load ----


def by_nft(text):
    return lambda host: host.run("nft", "-f", "-", text=text)


def by_iptables(variant, text, sets=None):
    def load(host):
        if sets is not None:
            host.run("ipset", "restore", text=sets)
        host.run(f"iptables-{variant}-restore", "--noflush", text=text)
        for hook in ("INPUT", "OUTPUT"):
            host.run(f"iptables-{variant}", "-I", hook, "-j", f"FLOWFW-{hook}")

    return load


def compare(table, names, ours, theirs, least):
    """Both worlds are there at the same time, and take turns. The ratio is the median of each round's own."""
    worlds = World("ours", ours), World("theirs", theirs)
    try:
        for protocol in FLOWS:
            taken = turns(ROUNDS, ours=lambda: worlds[0].flood(protocol), theirs=lambda: worlds[1].flood(protocol))
            ratio = statistics.median(one / other for one, other in zip(taken["ours"], taken["theirs"]))
            their_rate, our_rate = (f"{statistics.median(taken[name]):,.0f}" for name in ("theirs", "ours"))
            table.row(*names, protocol, their_rate, our_rate, at_least(ratio, least), least)
    finally:
        for world in worlds:
            world.stop()


def run(folder):
    site = folder / "site.yaml"
    site.write_text(cameras.site(COUNT), encoding="ascii")
    gen = ("gen", "-q", "--profile", site)
    title = f"packets: new flows per second of the processor to the last of {COUNT:,} cameras"
    table = Table(title, "ours", "beside", "protocol", "theirs", "ours", "ratio", "target")
    compare(table, ("nftables", "by hand"), by_nft(program.compiled(*gen)), by_nft(cameras.nft(COUNT)), NFT)
    tree = program.compiled(*gen, "-b", "iptables")
    sets = folder / "sets"
    asking = program.compiled(*gen, "-b", "iptables", "-O", "ipset", "--ipset-output", sets)
    for variant in ("legacy", "nft"):
        compare(table, (f"iptables-{variant}, tree", "ipset"), by_iptables(variant, tree),
                by_iptables(variant, asking, sets.read_text(encoding="ascii")), TREE)
