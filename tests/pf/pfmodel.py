# SPDX-License-Identifier: GPL-2.0-or-later
"""What a pf.conf says once it is read: rules, tables, translations; and the host that it is read on."""

import ipaddress
from dataclasses import dataclass, field
from functools import cached_property

BITS = {4: 32, 6: 128}


def whole(address, bits):
    """(family, first, last) of an address's prefix; bits of the host part do not matter to pf."""
    size = 1 << (BITS[address.version] - bits)
    first = int(address) & ~(size - 1)
    return address.version, first, first + size - 1


@dataclass(frozen=True)
class Interface:
    """`addresses` with prefix lengths, "192.0.2.1/24"; the first of a family is no alias."""

    name: str
    addresses: tuple = ()
    groups: tuple = ()
    peers: tuple = ()

    def is_in(self, name):
        """Whether a rule's `on NAME` is about this interface: by its name, its driver's or a group's."""
        if name == "any":
            return not self.loopback
        return name in (self.name, self.driver) or name in self.groups

    @cached_property
    def driver(self):
        return self.name.rstrip("0123456789")

    @property
    def loopback(self):
        return self.name.startswith("lo")

    def ranges(self, modifiers):
        """[(family, first, last)] of the interface with these modifiers, such as {"network", "0"}."""
        found, seen = [], set()
        if "peer" in modifiers:
            peers = [ipaddress.ip_address(peer) for peer in self.peers]
            return [whole(peer, peer.max_prefixlen) for peer in peers]
        for text in self.addresses:
            address = ipaddress.ip_interface(text)
            if "0" in modifiers and (address.version in seen or (address.version == 6 and address.ip.is_link_local)):
                continue
            seen.add(address.version)
            if "network" in modifiers:
                found.append(whole(address.ip, address.network.prefixlen))
            elif "broadcast" not in modifiers:
                found.append(whole(address.ip, address.max_prefixlen))
            elif address.version == 4 and address.network.prefixlen < 31:
                found.append(whole(address.network.broadcast_address, 32))
        return found


class Host:
    def __init__(self, interfaces):
        self.interfaces = tuple(interfaces)
        self.known = {}  # what ranges() said before

    def named(self, name):
        """The interfaces of a name, a group or `self`."""
        if name == "self":
            return self.interfaces
        return tuple(interface for interface in self.interfaces if interface.is_in(name))

    def interface(self, name):
        for interface in self.interfaces:
            if interface.name == name:
                return interface
        return Interface(name)

    def ranges(self, name, modifiers):
        key = name, frozenset(modifiers)
        if key not in self.known:
            self.known[key] = [found for interface in self.named(name) for found in interface.ranges(modifiers)]
        return self.known[key]


class Table:
    """Prefixes, some negated: the longest that holds an address decides."""

    def __init__(self):
        self.prefixes = {4: {}, 6: {}}  # family -> prefix length -> {first address: negated}

    def add(self, family, first, last, negated):
        """False where the same prefix is there with the opposite sign."""
        bits = BITS[family] - (last - first).bit_length()
        return self.prefixes[family].setdefault(bits, {}).setdefault(first, negated) == negated

    def ready(self):
        """Call when all is in: the longest prefixes come first."""
        for family, lengths in self.prefixes.items():
            self.prefixes[family] = dict(sorted(lengths.items(), reverse=True))

    def holds(self, family, number):
        bits = BITS[family]
        for length, prefixes in self.prefixes[family].items():
            negated = prefixes.get(number >> (bits - length) << (bits - length))
            if negated is not None:
                return not negated
        return False


@dataclass(frozen=True)
class Address:
    """One element of `from` or `to`. Exactly one of: a range; a table's name; what is looked up when a packet comes."""

    where: tuple
    negated: bool = False
    family: int = None
    first: int = 0
    last: int = 0
    table: str = None
    dynamic: tuple = None  # (name, modifiers, prefix length or None)
    interface: str = None  # a link-local address of this interface only


@dataclass(frozen=True)
class Redirect:
    """Where nat-to, rdr-to and their like lead."""

    address: Address  # of one address, or dynamic
    port: object = None  # None: it stays as it is; a range: pf chooses one of it
    slides_from: int = None  # what comes to this port goes to `port`, the next to the next


@dataclass
class Rule:
    where: tuple
    action: str  # pass, block, match; nat, rdr of FreeBSD; anchor, of either kind
    how: str = None  # of a block: drop, return, return-rst, return-icmp
    direction: str = None
    quick: bool = False
    log: bool = False
    interfaces: tuple = ()  # (name, negated)
    family: int = None
    protocols: tuple = ()
    source: tuple = ()  # of Address; empty: any
    destination: tuple = ()
    source_ports: tuple = ()  # (operator, a, b); empty: any
    destination_ports: tuple = ()
    types: tuple = ()  # (protocol, type, code or None)
    flags: tuple = None  # (set, out of)
    flags_given: bool = False
    state: str = None  # keep, modulate, synproxy; None: no state
    state_given: bool = False
    bounds: dict = field(default_factory=dict)  # what may stop it at a rate or a count: {"max": 5}
    sloppy: bool = False
    if_bound: bool = False
    labels: tuple = ()
    tag: str = None
    tagged: tuple = None  # (tag, negated)
    received_on: tuple = None  # (name, negated)
    allow_opts: bool = False
    fragment: bool = False
    nat: Redirect = None
    rdr: Redirect = None
    negative: bool = False  # `no nat`
    passes: bool = False  # `rdr pass`
    name: str = None  # an anchor's
    body: "Ruleset" = None  # an anchor's, where it is in the file

    @property
    def line(self):
        return self.where[0]

    @property
    def label(self):
        return self.labels[0] if self.labels else None


@dataclass
class Ruleset:
    dialect: str
    rules: list = field(default_factory=list)
    translations: list = field(default_factory=list)  # FreeBSD's nat and rdr, and anchors for more of them
    tables: dict = field(default_factory=dict)
    skip: list = field(default_factory=list)  # interfaces and groups that pf leaves alone
    loads: list = field(default_factory=list)  # (anchor, file) of `load anchor`
    anchors: dict = field(default_factory=dict)  # name -> Ruleset: those, or what the caller puts there
    parent: "Ruleset" = None

    def table(self, name):
        """An anchor's own table, else the one of the ruleset around it; what nobody defines is empty."""
        ruleset = self
        while ruleset is not None:
            if name in ruleset.tables:
                return ruleset.tables[name]
            ruleset = ruleset.parent
        return Table()
