# SPDX-License-Identifier: GPL-2.0-or-later
"""The network of the gateway tests: operator - internet - gateway - two devices, with cameras on a leg of their own.

The internet carries the private addresses too, so that what keeps strangers from them is the gateway's rules. Inside
all are neighbours, but the devices reach each other through the gateway.
"""

import contextlib
import time
from dataclasses import dataclass

import gateway_calls
import netns

OUTSIDE, INSIDE, FIELD = "eth0", "eth1", "eth2"  # the gateway's interfaces
NARROW = 1280  # the MTU of the internet's link to the operator


@dataclass(frozen=True)
class Person:
    """Somebody with an address of each family, on a host."""

    host: str
    side: str  # the gateway's interface that leads there; None: it is the gateway itself
    ipv4: str
    ipv6: str = None

    @property
    def addresses(self):
        return self.ipv4, self.ipv6

    def address(self, family):
        return self.ipv4 if family == "IPv4" else self.ipv6


PEOPLE = {
    "client": Person("operator", OUTSIDE, "203.0.113.10", "2001:db8:20::10"),
    "admin": Person("operator", OUTSIDE, "203.0.113.200", "2001:db8:21::200"),
    "viewer": Person("operator", OUTSIDE, "203.0.113.201", "2001:db8:21::201"),
    "subscriber": Person("operator", OUTSIDE, "203.0.113.202", "2001:db8:21::202"),
    "receiver": Person("operator", OUTSIDE, "203.0.113.203", "2001:db8:21::203"),
    "names": Person("internet", OUTSIDE, "192.0.2.53", "2001:db8:66::53"),
    "clock": Person("internet", OUTSIDE, "192.0.2.123", "2001:db8:66::123"),
    "mail": Person("internet", OUTSIDE, "192.0.2.25", "2001:db8:66::25"),
    "stranger": Person("internet", OUTSIDE, "192.0.2.66", "2001:db8:66::66"),
    "vendor": Person("internet", OUTSIDE, "172.105.65.31"),
    "junction-17": Person("junction-17", INSIDE, "10.8.0.17", "2001:db8:8::17"),
    "junction-18": Person("junction-18", INSIDE, "10.8.0.18", "2001:db8:8::18"),
    "insider": Person("insider", INSIDE, "10.8.0.50", "2001:db8:8::50"),
    "guest": Person("insider", INSIDE, "10.8.0.66", "2001:db8:8::66"),
    "north": Person("cameras", FIELD, "10.30.1.11", "2001:db8:30::11"),
    "south": Person("cameras", FIELD, "10.30.1.20", "2001:db8:30::20"),
    "gateway outside": Person("gateway", None, "198.51.100.7", "2001:db8:ffff::7"),
    "gateway inside": Person("gateway", None, "10.8.0.1", "2001:db8:8::1"),
}
OWNERS = {address: person for person in PEOPLE.values() for address in person.addresses if address}
DEVICES = ("junction-17", "junction-18")
NETWORKS = {  # of each link, the prefix lengths of its two families
    "operator": (24, 47), "internet": (32, 128), "gateway": (24, 64), "insider": (24, 64), "cameras": (24, 64),
    "junction-17": (24, 64), "junction-18": (24, 64),
}  # fmt: skip
ROUTER = ("198.51.100.1", "2001:db8:ffff::1")  # the internet's end of the gateway's line
PEERING = ("203.0.113.1", "2001:db8:20::1")  # and of the operator's
FIELD_GATEWAY = ("10.30.1.1", "2001:db8:30::1")


def kernel_settings(forwards):
    """What must not depend on the machine: who forwards, and that only rules say which addresses are true."""
    settings = {"net/ipv4/ip_forward": forwards, "net/ipv6/conf/all/forwarding": forwards}
    for scope in ("all", "default"):
        settings[f"net/ipv4/conf/{scope}/rp_filter"] = 0
        settings[f"net/ipv4/conf/{scope}/send_redirects"] = 0
        settings[f"net/ipv4/conf/{scope}/accept_redirects"] = 0
        settings[f"net/ipv6/conf/{scope}/accept_redirects"] = 0
    return settings


def with_lengths(host, pair):
    return [f"{address}/{bits}" for address, bits in zip(pair, NETWORKS[host]) if address]


class World:
    """The hosts, wired up, everybody answering on `ports`, {(protocol, port)}. The gateway has no rules yet."""

    def __init__(self, ports):
        self.hosts = {name: netns.Host(name) for name in dict.fromkeys(person.host for person in PEOPLE.values())}
        self.gateway, self.internet = self.hosts["gateway"], self.hosts["internet"]
        self.inside = netns.Switch()
        for name, host in self.hosts.items():
            for path, value in kernel_settings(int(name in ("gateway", "internet"))).items():
                host.call(netns.write, f"/proc/sys/{path}", str(value))
        self.wire()
        self.route()
        for name, host in self.hosts.items():
            host.call(gateway_calls.serve, name, sorted(ports))
        self.source_ports = iter(range(20000, 30000))

    def addresses(self, host):
        return [
            text
            for person in PEOPLE.values()
            if person.host == host
            for text in with_lengths(host, person.addresses)
        ]

    def wire(self):
        outside, inside = (with_lengths("gateway", PEOPLE[f"gateway {end}"].addresses) for end in ("outside", "inside"))
        operator, cameras = self.hosts["operator"], self.hosts["cameras"]
        netns.cable(
            self.internet, "peering", with_lengths("operator", PEERING), operator, "eth0", self.addresses("operator")
        )
        self.internet.run("ip", "link", "set", "peering", "mtu", NARROW)
        netns.cable(
            self.internet, "eth0", with_lengths("gateway", ROUTER), self.gateway, OUTSIDE, outside
        )
        netns.bring_up(self.internet, "lo", self.addresses("internet"))
        self.inside.plug(self.gateway, inside, INSIDE)
        for name in (*DEVICES, "insider"):
            self.inside.plug(self.hosts[name], self.addresses(name))
        netns.cable(
            self.gateway, FIELD, with_lengths("cameras", FIELD_GATEWAY), cameras, "eth0", self.addresses("cameras")
        )

    def route(self):
        outside, inside = PEOPLE["gateway outside"].addresses, PEOPLE["gateway inside"].addresses
        hops = {
            "operator": PEERING, "gateway": ROUTER, "internet": outside, "cameras": FIELD_GATEWAY,
            **dict.fromkeys((*DEVICES, "insider"), inside),
        }  # fmt: skip
        for name, pair in hops.items():
            for hop in pair:
                self.hosts[name].run("ip", "route", "add", "default", "via", hop)
        for one, other in (DEVICES, DEVICES[::-1]):
            for destination, hop in zip(PEOPLE[other].addresses, inside):
                self.hosts[one].run("ip", "route", "add", destination, "via", hop)

    def host_of(self, address):
        return self.hosts[OWNERS[address].host]

    def call(self, attempts, awaited=frozenset()):
        """({probe: answer}, {probe: what was heard}) of these attempts; the second of datagrams alone."""
        source_port = next(self.source_ports)
        by_host = {}
        for probe in attempts:
            by_host.setdefault(self.host_of(probe.source), []).append(probe)
        for host, own in by_host.items():
            host.start(gateway_calls.call, own, awaited & set(own), source_port)
        results = [host.outcome() for host in by_host]  # all of them, or the next call would get what is left
        answers = {probe: answer for done, value in results if done for probe, answer in value.items()}
        for done, value in results:
            if not done:
                raise netns.Failed(value)
        heard = self.heard()
        return answers, {probe: heard[str(probe)] for probe in attempts if str(probe) in heard}

    def call_until(self, attempts, awaited):
        """As call(), and what is awaited and doesn't come is tried again: the machine may be busy, and the kernel drops
        a datagram when two at once want the same port behind a translation."""
        answers, heard = self.call(attempts, awaited)
        for _ in range(3):
            missing = awaited - answers.keys()
            if not missing:
                break
            time.sleep(0.5)
            more_answers, more_heard = self.call([probe for probe in attempts if probe in missing], missing)
            answers |= more_answers
            heard |= more_heard
        return answers, heard

    def forge(self, attempts, sender):
        """{words: what was heard} while a host sends from addresses that are not its own."""
        return self.heard_of(sender, gateway_calls.forge, attempts, next(self.source_ports))

    def damaged(self, probe):
        """The same of one packet that is damaged."""
        return self.heard_of(OWNERS[probe.source].host, gateway_calls.damaged, probe, next(self.source_ports))

    def heard_of(self, sender, function, *arguments):
        """{words: what was heard}, of connections too, while a host runs a function."""
        for name, host in self.hosts.items():
            host.call(gateway_calls.watch, name)
        self.hosts[sender].call(function, *arguments)
        time.sleep(gateway_calls.SETTLE)
        for host in self.hosts.values():
            host.call(gateway_calls.watch_no_more)
        return self.heard()

    @contextlib.contextmanager
    def devices_in_field(self):
        """Meanwhile the way to the devices' addresses is that to the cameras, who answer there."""
        moved = [pair for name in DEVICES for pair in zip(PEOPLE[name].addresses, PEOPLE["north"].addresses)]
        for address, hop in moved:
            netns.bring_up(self.hosts["cameras"], "lo", [address])
            self.gateway.run("ip", "route", "add", address, "via", hop)
        try:
            yield
        finally:
            for address, hop in moved:
                self.gateway.run("ip", "route", "delete", address, "via", hop)
                self.hosts["cameras"].run("ip", "address", "delete", address, "dev", "lo")

    def heard(self):
        found = {}
        for host in self.hosts.values():
            found |= host.call(gateway_calls.collect)
        return found
