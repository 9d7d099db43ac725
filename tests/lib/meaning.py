# SPDX-License-Identifier: GPL-2.0-or-later
"""What a profile means, worked out from the YAML files alone and as plainly as can be: the judge of every backend.

meaning.read() merges services, roles, profiles, sites and settings as flowfw-profile(5) says; Meaning.judge() says what
becomes of a packet, and Meaning.translated() where a gateway leads it first; Prober makes packets at the edges of what
the profile names, and random ones.
"""

import copy
import ipaddress
import random
import re
from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml

TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58
PORTED = {"tcp": TCP, "udp": UDP}
PROTOCOLS = {
    **PORTED, "icmp": ICMP, "icmpv6": ICMP6, "igmp": 2, "ipip": 4, "ipv6": 41, "gre": 47, "esp": 50, "ah": 51,
    "ospf": 89, "pim": 103, "vrrp": 112, "sctp": 132,
}  # fmt: skip
TYPES = {
    4: {
        "echo-reply": 0, "destination-unreachable": 3, "source-quench": 4, "redirect": 5, "echo-request": 8,
        "router-advertisement": 9, "router-solicitation": 10, "time-exceeded": 11, "parameter-problem": 12,
        "timestamp-request": 13, "timestamp-reply": 14,
    },
    6: {
        "destination-unreachable": 1, "packet-too-big": 2, "time-exceeded": 3, "parameter-problem": 4,
        "echo-request": 128, "echo-reply": 129, "mld-query": 130, "mld-report": 131, "mld-done": 132,
        "router-solicitation": 133, "router-advertisement": 134, "neighbour-solicitation": 135,
        "neighbour-advertisement": 136, "redirect": 137, "mld2-report": 143,
    },
}  # fmt: skip
HOOKS = ("input", "output", "forward")
LEVELS = ("required", "recommended", "optional")
FOLLOWED = 40  # more files than this in one chain of `extends` is a circle


class Loader(yaml.SafeLoader):
    """Safe, and with on, off, yes and no left as words: as values they are booleans to YAML 1.1."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def document(path):
    return yaml.load(Path(path).read_text(encoding="utf-8-sig"), Loader)


def as_list(value):
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def switched(value):
    """True or False for a word that switches; None where it is none."""
    if value in ("on", "yes", "true", True):
        return True
    return False if value in ("off", "no", "false", False) else None


# ---- packets and permissions ----


@dataclass(frozen=True)
class Packet:
    """A packet that begins something: new or untracked. Addresses are of ipaddress."""

    hook: str
    interface: str
    protocol: int
    source: object
    destination: object
    source_port: int = 0
    port: int = 0
    type: int = 0
    code: int = 0
    hop_limit: int = 255
    exit: str = ""  # of what is forwarded: where it goes out; `interface` is where it comes in

    @property
    def family(self):
        return self.source.version

    def __str__(self):
        name = {number: name for name, number in PROTOCOLS.items()}.get(self.protocol, str(self.protocol))
        if self.protocol in (TCP, UDP):
            what = f"{name} {self.source}:{self.source_port} -> {self.destination}:{self.port}"
        elif self.protocol in (ICMP, ICMP6):
            what = f"{name} {self.type}/{self.code} {self.source} -> {self.destination}"
        else:
            what = f"{name} {self.source} -> {self.destination}"
        return f"{self.hook} on {self.interface}{self.exit and ' to '}{self.exit}: {what}"


@dataclass(frozen=True)
class Clause:
    """One protocol and what is asked of its header; None asks nothing."""

    protocol: int
    family: int = None
    ports: tuple = None  # (low, high)
    source_ports: tuple = None  # of (low, high)
    type: int = None
    code: int = None
    hop_limit: int = None

    def holds(self, packet):
        if self.protocol != packet.protocol or self.family not in (None, packet.family):
            return False
        if self.ports is not None and not self.ports[0] <= packet.port <= self.ports[1]:
            return False
        sources = self.source_ports
        if sources is not None and not any(low <= packet.source_port <= high for low, high in sources):
            return False
        if self.type is not None and (packet.type != self.type or self.code not in (None, packet.code)):
            return False
        return self.hop_limit in (None, packet.hop_limit)


@dataclass(frozen=True)
class Permission:
    """Packets of one hook that a service lets pass. `source` and `destination`: ranges, or None for anybody."""

    service: str
    hook: str
    clauses: tuple
    source: tuple = None
    destination: tuple = None
    excepted: tuple = ()  # ranges taken from the peers
    interfaces: tuple = ()  # of what is forwarded: where it comes in
    limit: str = None
    base: bool = False
    exits: tuple = ()  # of what is forwarded: where it goes out
    inbound: bool = False  # forwarded to a device from its peers

    def holds(self, packet):
        if self.hook != packet.hook or (self.interfaces and packet.interface not in self.interfaces):
            return False
        if self.exits and packet.exit not in self.exits:
            return False
        if not within(self.source, packet.source) or not within(self.destination, packet.destination):
            return False
        peer = packet.source if self.hook == "input" or self.inbound else packet.destination
        if self.excepted and within(self.excepted, peer):
            return False
        return any(clause.holds(packet) for clause in self.clauses)


def within(ranges, address):
    if ranges is None:
        return True
    number = int(address)
    return any(family == address.version and low <= number <= high for family, low, high in ranges)


@dataclass(frozen=True)
class Judgement:
    verdict: str  # accept; may (up to a rate); drop, reject; untouched
    services: tuple = ()  # those that let it through, at a rate or not


@dataclass
class Translation:
    """What a gateway does to addresses. Interfaces are names of the kernel's; none: any."""

    entry: tuple = ()
    exit: tuple = ()
    outside: tuple = ()  # addresses
    forwardings: dict = field(default_factory=dict)  # (family, protocol, outside port) -> (address, port, device, service)
    masqueraded: tuple = ()  # ranges
    callers_inside: tuple = ()  # ranges, where hairpin is on
    inside: dict = field(default_factory=dict)  # family -> the source of theirs

    def destination(self, packet):
        """Of a packet that comes in: (address, port), or None where it goes on as it is."""
        if packet.destination not in self.outside or (self.entry and packet.interface not in self.entry):
            return None
        found = self.forwardings.get((packet.family, packet.protocol, packet.port))
        return found and found[:2]

    def source(self, packet, forwarded):
        """Of a packet that goes out: an address; "" for that of the interface; None where it stays."""
        if forwarded and packet.family in self.inside and within(self.callers_inside, packet.source):
            return self.inside[packet.family]
        return "" if packet.exit in self.exit and within(self.masqueraded, packet.source) else None


@dataclass
class Meaning:
    verdicts: dict  # of each hook, for what no permission holds
    permissions: list = field(default_factory=list)
    interfaces: dict = field(default_factory=dict)
    translation: Translation = None  # a gateway's

    def translated(self, packet):
        """A packet that comes in, as the forward hook sees it."""
        found = self.translation and packet.hook == "forward" and self.translation.destination(packet)
        return replace(packet, destination=found[0], port=found[1]) if found else packet

    def judge(self, packet):
        base = self.verdicts[packet.hook]
        if base == "untouched":
            return Judgement("untouched")
        holding = [permission for permission in self.permissions if permission.holds(packet)]
        services = tuple(permission.service for permission in holding)
        if base == "accept" or any(permission.limit is None for permission in holding):
            return Judgement("accept", services)
        return Judgement("may", services) if holding else Judgement(base)


# ---- values ----


def address_range(text):
    """(family, first, last) of an address, a prefix or a range."""
    first, dash, last = str(text).partition("-")
    if dash:
        first, last = ipaddress.ip_address(first.strip()), ipaddress.ip_address(last.strip())
        return first.version, int(first), int(last)
    network = ipaddress.ip_network(text, strict=False)
    return network.version, int(network.network_address), int(network.broadcast_address)


def port_clauses(texts, source_texts=None):
    """Clauses of `8088/tcp`, `53/tcp+udp`, [5000-6000/udp]."""
    sources = {}
    for protocol, low, high in parse_ports(source_texts):
        sources.setdefault(protocol, []).append((low, high))
    return [
        Clause(protocol, ports=(low, high), source_ports=tuple(sources[protocol]) if protocol in sources else None)
        for protocol, low, high in parse_ports(texts)
    ]


def parse_ports(texts):
    for text in as_list(texts):
        low, high, protocols = re.fullmatch(r"(\d+)(?:-(\d+))?/([a-z+]+)", str(text)).groups()
        for protocol in protocols.split("+"):
            yield PORTED[protocol], int(low), int(high or low)


def type_clauses(family, texts, hop_limit=None):
    for text in as_list(texts):
        kind, _, code = str(text).partition("/")
        kind = kind.replace("neighbor", "neighbour")
        number = int(kind) if kind.isdigit() else TYPES[family][kind]
        protocol, code = ICMP if family == 4 else ICMP6, int(code) if code else None
        yield Clause(protocol, family, type=number, code=code, hop_limit=hop_limit)


def protocol_clauses(names):
    for name in as_list(names):
        number = PROTOCOLS[name] if name in PROTOCOLS else int(name)
        yield Clause(number, {ICMP: 4, ICMP6: 6}.get(number))


# ---- merging ----


class Layer(dict):
    """A document, with the folder that its paths are relative to."""

    def __init__(self, value, folder):
        super().__init__(value)
        self.folder = folder


class Draft:
    """Everything that was said, the nearest last."""

    def __init__(self, folders):
        self.folders = folders  # of profiles, the nearest first
        self.services, self.groups, self.members = {}, {}, {}
        self.wanted, self.base_services = set(), []
        self.given = set()  # (service, "from" or "to") that somebody gave, other than its definition
        self.place = {}  # position, devices and so on
        self.mirrored = set()
        self.base, self.interfaces = {}, {}
        for folder in reversed(folders):
            for path in sorted((folder / "services").glob("*.yaml")):
                found = document(path)
                self.services |= copy.deepcopy(found.get("services") or {})
                self.groups |= copy.deepcopy(found.get("groups") or {})
        base = document(self.find("base.yaml"))
        self.base, self.base_services = base["base"], base["services"]
        self.order = base.get("forward") or {}

    def find(self, name):
        for folder in self.folders:
            if (folder / name).exists():
                return folder / name
        raise FileNotFoundError(name)

    def chain(self, name, folder):
        """The documents from the shipped profile at the root to the one that is named."""
        found = []
        while name is not None:
            assert len(found) < FOLLOWED, f"{name}: a circle"
            if name.endswith((".yaml", ".yml")) or "/" in name:
                path = folder / name
            else:
                path = self.find(f"{name}.yaml")
            folder = path.parent
            found.append(Layer(document(path), folder))
            name = found[-1].get("extends")
        return reversed(found)

    def add(self, layer):
        for role in layer.get("roles") or []:
            services = document(self.find(f"roles/{role}.yaml"))["services"]
            for name, override in (services if isinstance(services, dict) else dict.fromkeys(services)).items():
                self.wanted.add(name)
                self.override(name, override or {})
        for name, value in (layer.get("groups") or {}).items():
            self.set_group(name, value)
        for name, value in (layer.get("interfaces") or {}).items():
            self.interfaces[name] = [str(one) for one in as_list(value)]
        for key, value in (layer.get("base") or {}).items():
            both = isinstance(value, dict) and isinstance(self.base.get(key), dict)
            self.base[key] = {**self.base[key], **value} if both else value
        for name, value in (layer.get("services") or {}).items():
            self.set_service(name, value, joins="profile" not in layer)
        for key in ("position", "masquerade", "hairpin", "mirror"):
            if key in layer:
                self.place[key] = layer[key]
        if "devices" in layer:
            self.place["devices"] = [(device, getattr(layer, "folder", None)) for device in layer["devices"]]
        for key in ("outside", "inside"):
            self.place[key] = {**self.place.get(key, {}), **(layer.get(key) or {})}

    def set_group(self, name, value):
        group = self.groups.setdefault(name, {"default": "none"})
        if isinstance(value, dict):
            group |= {key: value[key] for key in ("title", "default") if key in value}
            value = value.get("members")
        if value is not None:
            self.members[name] = value

    def set_service(self, name, value, joins):
        """`joins`: settings put a service into the policy that no role has; a profile's do not."""
        if switched(value) is not None:
            self.services[name]["enabled"] = self.on(name) if switched(value) else "off"
            self.wanted.add(name)
            return
        value = dict(value or {})
        if name not in self.services:
            self.services[name] = {"enabled": "on"}
        elif self.services[name].get("enabled") == "off" and not self.has_match(name) and has_match(value):
            value.setdefault("enabled", "on")  # what was not published, the site has given
        if "enabled" in value and switched(value["enabled"]) is not None:
            value["enabled"] = self.on(name) if switched(value["enabled"]) else "off"
        self.override(name, value)
        if joins:
            self.wanted.add(name)

    def override(self, name, value):
        self.services[name] |= value
        self.given |= {(name, key) for key in value.keys() & {"from", "to"}}

    def on(self, name):
        """`on` does not do away with the wait for named peers."""
        return "when-named" if self.services[name].get("enabled") == "when-named" else "on"

    def has_match(self, name):
        return has_match(self.services[name])

    def setting(self, path, value):
        """--set PATH=VALUE, as a layer of its own."""
        layer = node = {}
        *parents, last = path.split(".")
        for key in parents:
            node = node.setdefault(key, {})
        node[last] = yaml.load(value, Loader)
        self.add(layer)


def peer_key(service):
    """Where a service's peers stand: at the other end of what it lets in or out."""
    return "from" if service["direction"] == "input" else "to"


def has_match(service):
    return any(key in service for key in ("ports", "icmp", "icmpv6", "protocol"))


# ---- meaning ----


class Resolver:
    def __init__(self, draft, levels):
        self.draft, self.levels = draft, levels
        self.rtp = draft.base.get("rtp")
        if not isinstance(self.rtp, dict):
            self.rtp = {"ports": "off", "multicast": "off"}
        multicast = self.rtp.get("multicast", "off")
        if switched(multicast) is not False:
            draft.members["rtp-multicast"] = as_list(multicast)

    def run(self):
        draft = self.draft
        meaning = Meaning({hook: draft.base[hook] for hook in HOOKS}, interfaces=draft.interfaces)
        for name in draft.services:
            self.follow(name)
        for name in sorted(draft.services):
            if self.is_on(name):
                meaning.permissions += self.permissions(name)
        inside = draft.base.get("vpn-inside") or []
        for name in dict.fromkeys(as_list(inside)):
            service = draft.services.get(name, {}) if name not in draft.mirrored else {}
            if "vpn" in draft.interfaces and self.is_on(name) and service.get("direction") != "output":
                anybody = {key: value for key, value in service.items() if key != "from"}
                meaning.permissions += self.flows(name, {**anybody, "interface": "vpn", "direction": "input"})
        return meaning

    def follow(self, name):
        """A service that goes with another: with its peers and interface, unless it has been given some of its own."""
        service = self.draft.services[name]
        if "follows" not in service:
            return
        leader = self.draft.services[service["follows"]]
        if not self.draft.given & {(name, "from"), (name, "to")}:
            service[peer_key(service)] = leader.get(peer_key(leader))
        if "except" in leader and leader["direction"] == service["direction"]:
            service.setdefault("except", leader["except"])
        if "interface" in leader:
            service.setdefault("interface", leader["interface"])

    def is_on(self, name):
        draft, service = self.draft, self.draft.services.get(name)
        if service is None or not has_match(service):
            return False
        base = name in draft.base_services
        if not base and name not in draft.wanted:
            return False
        if not base and service.get("level", "required") not in self.levels:
            return False
        if "switch" in service and not self.switch(service["switch"]):
            return False
        if "follows" in service and not self.is_on(service["follows"]):
            return False
        enabled = service.get("enabled", "on")
        if enabled == "when-named":
            groups = [peer for peer in self.peer_texts(service) if peer in draft.groups]
            return bool(groups) and all(isinstance(draft.members.get(group), list) for group in groups)
        return enabled != "off"

    def switch(self, name):
        if name == "rtp":
            return switched(self.rtp.get("ports", "off")) is not False
        if name == "rtp-multicast":
            return switched(self.rtp.get("multicast", "off")) is not False
        return switched(self.draft.base[name]) is not False  # echo: limited is on

    @staticmethod
    def peer_texts(service):
        keys = {"input": ("from",), "output": ("to",)}.get(service.get("direction"), ("from", "to"))
        return [peer for key in keys for peer in as_list(service.get(key))]

    def permissions(self, name):
        service = self.draft.services[name]
        directions = ("input", "output") if service["direction"] == "both" else (service["direction"],)
        return [found for direction in directions for found in self.flows(name, {**service, "direction": direction})]

    def flows(self, name, service):
        """The permissions of a service in one direction."""
        local_key = "to" if service["direction"] == "input" else "from"
        forward = service["direction"] == "forward"
        limit = service.get("limit")
        if service.get("switch") == "echo" and self.draft.base["echo"] != "limited":
            limit = None
        local = self.ranges(service.get(local_key))
        common = {
            "service": name,
            "hook": service["direction"],
            "excepted": tuple(self.ranges(service.get("except")) or ()),
            "interfaces": self.kernel_names(service, "in-interface" if forward else "interface"),
            "exits": self.kernel_names(service, "out-interface") if forward else (),
            "limit": limit,
            "base": name in self.draft.base_services,
        }
        found = []
        for peers, clauses in self.peers_and_clauses(service, service.get(peer_key(service))):
            ends = (peers, local) if service["direction"] == "input" else (local, peers)
            if clauses:
                found.append(Permission(clauses=tuple(clauses), source=ends[0], destination=ends[1], **common))
        return found

    def kernel_names(self, service, key):
        names = [name for name in as_list(service.get(key)) if name != "any"]
        return tuple(one for name in names for one in self.draft.interfaces[name])

    def peers_and_clauses(self, service, peers):
        """Who may, and what: those with ports of their own by themselves."""
        ports, default = service.get("ports"), service.get("default-ports")
        hop_limit = service.get("hop-limit")
        others = [*type_clauses(4, service.get("icmp")), *type_clauses(6, service.get("icmpv6"), hop_limit)]
        others += protocol_clauses(service.get("protocol"))
        if ports == "from-rtp":
            given = self.rtp.get("ports", "off")
            ports = default if switched(given) is False else [f"{port}/udp" for port in as_list(given)]
        if service.get("own"):  # some peers are called elsewhere
            ports, default = "from-group", ports
        if ports != "from-group":
            yield self.ranges(peers), port_clauses(ports, service.get("source-ports")) + others
            return
        plain, with_ports = self.members(peers)
        yield plain, port_clauses(default, service.get("source-ports")) + others
        for ranges, own in with_ports:
            yield ranges, port_clauses(own, service.get("source-ports"))

    def ranges(self, texts):
        """None for anybody, else the ranges of addresses and groups."""
        plain, with_ports = self.members(texts)
        return None if plain is None else plain + tuple(one for ranges, _ in with_ports for one in ranges)

    def members(self, texts):
        """(ranges of those without ports of their own, or None for anybody; [(ranges, ports)] of those with)."""
        if texts is None or "any" in as_list(texts):
            return None, []
        plain, with_ports = [], []
        for text in as_list(texts):
            if text not in self.draft.groups:
                plain.append(address_range(text))
                continue
            members = self.draft.members.get(text)
            if members == "any" or (members is None and self.draft.groups[text].get("default") == "any"):
                return None, []
            for member in members or []:
                if not isinstance(member, dict):
                    plain.append(address_range(member))
                    continue
                ranges = tuple(address_range(one) for one in as_list(member["address"]))
                if "ports" in member:
                    with_ports.append((ranges, member["ports"]))
                else:
                    plain += ranges
        return tuple(plain), with_ports


def read(profile, folder, data, settings=(), only=(), without=()):
    """The Meaning of a profile or site, named as to --profile from `folder`. `data`: flowfw's folder of profiles."""
    folder = Path(folder)
    folders = [path for path in (folder / "profiles", Path(data)) if path.exists()]
    draft = Draft(folders)
    for layer in draft.chain(profile, folder):
        draft.add(layer)
    for setting in settings:
        draft.setting(*setting.split("=", 1))
    levels = set(only or LEVELS) - set(without)
    position = draft.place.get("position", "host")
    if position == "gateway":
        return Gateway(draft, levels).run()
    return Client(draft, levels).run() if position == "client" else Resolver(draft, levels).run()


# ---- the other positions ----


def device_ranges(device):
    """Its addresses; an entry may be the address alone."""
    return tuple(address_range(text) for text in as_list(device["address"] if isinstance(device, dict) else device))


def outside_ports(device, order):
    """{service: outside port} of a device's `forward`; those of the pair behind a base are there unless they are given."""
    forward = dict(device.get("forward") or {}) if isinstance(device, dict) else {}
    base = forward.pop("base", None)
    block = as_list(order.get("pair")) + as_list(order.get("further"))
    wanted = dict.fromkeys(as_list(order.get("pair")), "on") if base is not None else {}
    found = {}
    for service, port in (wanted | forward).items():
        if switched(port) is None:
            found[service] = int(port)
        elif switched(port):
            found[service] = int(base) + block.index(service)
    return found


class Placed(Resolver):
    """What is said of the devices of a gateway or client is the group `devices`."""

    def __init__(self, draft, levels):
        super().__init__(draft, levels)
        self.devices = [device for device, _ in draft.place.get("devices") or []]
        draft.groups.setdefault("devices", {"default": "none"})
        if self.devices:
            addresses = [device["address"] if isinstance(device, dict) else device for device in self.devices]
            draft.members["devices"] = [{"address": address} for address in addresses]


class Client(Placed):
    """Services of the devices, from the other side."""

    def run(self):
        for name in as_list(self.draft.place.get("mirror")):
            self.mirror(name)
        meaning = super().run()
        meaning.permissions += list(self.operators(meaning))
        return meaning

    def mirror(self, name):
        draft, service = self.draft, dict(self.draft.services[name])
        called = service["direction"] == "input"
        peers, own = ("to", "from") if called else ("from", "to")
        if (name, peers) not in draft.given:
            service[peers] = self.called(name, service) if called else "devices"
        if (name, own) not in draft.given:
            service[own] = None
        service["direction"] = "output" if called else "input"
        draft.services[name] = service
        draft.wanted.add(name)
        draft.mirrored.add(name)

    def called(self, name, service):
        """The group of those devices that are called by this service: some by outside ports, some not at all."""
        if not any(isinstance(device, dict) and "forward" in device for device in self.devices):
            return "devices"
        protocols = {text.split("/")[1] for text in as_list(service["ports"])}
        members = []
        for device in self.devices:
            device = device if isinstance(device, dict) else {"address": device}
            ports = outside_ports(device, self.draft.order)
            if "forward" not in device:
                members.append({"address": device["address"]})
            elif name in ports:
                own = [f"{ports[name]}/{protocol}" for protocol in protocols]
                members.append({"address": device["address"], "ports": own})
                service["own"] = True
        self.draft.groups[f"{name}_devices"] = {"default": "none"}
        self.draft.members[f"{name}_devices"] = members
        return f"{name}_devices"

    def operators(self, meaning):
        """The same for those whose router this is."""
        ranges = self.ranges("operators")
        if meaning.verdicts["forward"] == "untouched" or ranges == ():
            return
        for permission in meaning.permissions:
            if permission.service in self.draft.mirrored and permission.hook != "forward":
                inbound = permission.hook == "input"
                end = "destination" if inbound else "source"
                own = {} if (permission.service, "to" if inbound else "from") in self.draft.given else {end: ranges}
                yield replace(permission, hook="forward", inbound=inbound, interfaces=(), **own)


class Gateway(Placed):
    """What the devices need, in the forward hook; and where their ports are outside."""

    def run(self):
        draft, place = self.draft, self.draft.place
        meaning = super().run()
        outside, inside = (tuple(draft.interfaces.get(side, ())) for side in ("outside", "inside"))
        networks = tuple(address_range(text) for text in as_list(place["inside"].get("networks")))
        meaning.translation = translation = Translation(
            entry=outside, outside=tuple(ipaddress.ip_address(text) for text in as_list(place["outside"].get("address")))
        )
        self.inside, devices = inside, tuple(one for device in self.devices for one in device_ranges(device))
        if switched(place.get("masquerade")):
            ranges = tuple(one for one in devices + networks if one[0] == 4)
            translation.exit, translation.masqueraded = outside, ranges
        if switched(place.get("hairpin")):
            families = {address.version for address in translation.outside}
            for text in reversed(as_list(place["inside"]["address"])):
                address = ipaddress.ip_address(text)
                if address.version in families:
                    translation.inside[address.version] = address
            translation.callers_inside = networks
            translation.entry = outside and outside + inside
        if not devices:
            return meaning
        for permission in list(meaning.permissions):
            if draft.services[permission.service].get("crossing") == "gateway" and permission.hook != "forward":
                meaning.permissions.append(self.passing(permission, devices))
        for device, folder in place["devices"]:
            own = self.draft_of(device, folder)
            wanted = Resolver(own, self.levels).run().permissions
            meaning.permissions += self.passages(device, own, wanted)
            translation.forwardings |= self.forwardings(device, wanted, translation.outside)
        return meaning

    def passing(self, permission, device):
        """A permission of a host as its gateway has it: `device`, ranges, is the host's end."""
        if permission.hook == "input":
            ends = {"destination": device, "interfaces": (), "exits": self.inside, "inbound": True}
        else:
            ends = {"source": device, "interfaces": self.inside, "exits": (), "inbound": False}
        return replace(permission, hook="forward", **ends)

    def draft_of(self, device, folder):
        own = Draft(self.draft.folders)
        for layer in own.chain(device.get("site") or device["extends"], folder):
            own.add(layer)
        if "site" not in device:
            for name, members in self.draft.members.items():
                own.set_group(name, members)
        own.add({key: device[key] for key in ("groups", "services") if key in device})
        own.base["vpn-inside"] = []  # a part of the tunnel, to the gateway
        return own

    def passages(self, device, own, wanted):
        """What of a device's permissions concerns its gateway."""
        vpn = set(own.interfaces.get("vpn", ()))
        for permission in wanted:
            local = permission.destination if permission.hook == "input" else permission.source
            here = tuple(one for one in device_ranges(device) if within(local, make(*one[:2])))
            tunnelled = permission.interfaces and set(permission.interfaces) <= vpn
            crossing = own.services[permission.service].get("crossing", "device")
            if here and crossing == "device" and permission.hook != "forward" and not tunnelled:
                yield self.passing(permission, here)

    def forwardings(self, device, wanted, outside):
        found = {}
        for service, port in outside_ports(device, self.draft.order).items():
            clauses = [clause for one in wanted if (one.service, one.hook) == (service, "input") for clause in one.clauses]
            for protocol, number in {(clause.protocol, clause.ports[0]) for clause in clauses}:
                for family, low, _ in device_ranges(device):
                    if family in {address.version for address in outside}:
                        found[family, protocol, port] = (make(family, low), number, device["name"], service)
        return found


# ---- packets to try ----


def own_addresses(meaning, *more):
    """Addresses that a host needs so that every permission is about it, with `more`: text, without repetition."""
    found = [ipaddress.ip_address(text) for text in more]
    for permission in meaning.permissions:
        ranges = permission.destination if permission.hook == "input" else permission.source
        for family, low, high in (ranges or ()) if permission.hook != "forward" else ():
            first = make(family, low)
            holding = [address for address in found if address.version == family and low <= int(address) <= high]
            if not holding and not first.is_multicast and not first.is_unspecified:
                found.append(make(family, min(low + 5, high)))
    return tuple(dict.fromkeys(found))


def make(family, number):
    return (ipaddress.IPv4Address if family == 4 else ipaddress.IPv6Address)(number)


IPV4_ONLY = {0, PROTOCOLS["igmp"], 43, 44, PROTOCOLS["ah"], 60, 135}


class Prober:
    """Packets of a host with `own` addresses and `interfaces` (names), deterministic by its seed."""

    MULTICAST = ("224.0.0.1", "224.0.0.22", "224.0.0.251", "239.1.2.3", "ff02::1", "ff02::2", "ff02::16", "ff02::fb",
                 "ff02::1:2", "ff02::1:ff00:1")  # fmt: skip
    STRANGERS = ("203.0.113.250", "10.99.99.99", "198.51.100.99", "8.8.8.8", "2001:db8:ffff::99", "fe80::99",
                 "2001:4860::1")  # fmt: skip
    PORTS = (1, 22, 53, 67, 68, 80, 123, 443, 546, 547, 554, 1023, 1024, 5353, 8088, 32768, 65535)
    KINDS = {4: (0, 3, 5, 8, 9, 11, 12, 13, 17), 6: (1, 2, 3, 4, 128, 129, 130, 131, 132, 133, 134, 135, 136, 137, 143)}
    OTHERS = (2, 47, 50, 89, 112)

    def __init__(self, meaning, own, interfaces, seed, broadcasts=("255.255.255.255",)):
        self.meaning, self.interfaces, self.random = meaning, tuple(interfaces), random.Random(seed)
        self.own = tuple(own)
        self.heard = self.own + tuple(ipaddress.ip_address(text) for text in (*self.MULTICAST, *broadcasts))
        clauses = [clause for permission in meaning.permissions for clause in permission.clauses]
        self.ports = [port for clause in clauses for port in clause.ports or ()] or self.PORTS
        edges = self.edges()
        self.heard += tuple(address for address in edges if address.is_multicast and address not in self.heard)
        self.others = tuple(ipaddress.ip_address(text) for text in self.STRANGERS) + edges
        self.elsewhere = tuple(address for address in self.others if address not in self.heard)

    def edges(self):
        """The ends of every range that the profile names, and what lies right outside."""
        found = {}
        for permission in self.meaning.permissions:
            for ranges in (permission.source, permission.destination, permission.excepted):
                for family, low, high in ranges or ():
                    top = 2**32 if family == 4 else 2**128
                    for number in (low - 1, low, (low + high) // 2, high, high + 1):
                        if 0 < number < top - 1 and not make(family, number).is_loopback:
                            found[make(family, number)] = True
        return tuple(found)

    def packets(self, count):
        """At least one inside each clause of each permission and family; then what is right beside, and random ones,
        until there are `count`."""
        inside, beside = {}, {}
        for permission in self.meaning.permissions:
            for clause in permission.clauses:
                for family in [clause.family] if clause.family else [4, 6]:
                    for index, packet in enumerate(self.around(permission, clause, family)):
                        if not self.unseen(packet):
                            (inside if index == 0 else beside)[packet] = True
        found, beside = list(inside), list(beside)
        self.random.shuffle(beside)
        found += beside[: max(0, count * 3 // 4 - len(found))]
        while len(found) < count:
            packet = self.any_packet()
            if not self.unseen(packet):
                found.append(packet)
        return found

    def unseen(self, packet):
        """Whether no network has such a packet: from the host to itself, which goes over loopback; IGMP over IPv6, or
        what is no protocol there but a header in front of one (RFC 8200 section 4)."""
        to_itself = packet.source in self.own and packet.destination in self.own
        to_itself |= packet.source == packet.destination
        return to_itself or (packet.family == 6 and packet.protocol in IPV4_ONLY)

    def pick(self, choices, family):
        return self.random.choice([choice for choice in choices if choice.version == family])

    def ends(self, hook, family):
        """(source, destination) of a packet that could be."""
        if hook == "forward":
            return self.pick(self.elsewhere, family), self.pick(self.elsewhere, family)
        if hook == "input":
            return self.pick(self.others, family), self.pick(self.heard, family)
        return self.pick(self.own, family), self.pick(self.others, family)

    def around(self, permission, clause, family):
        """Packets inside a clause, and right outside in one respect each."""
        senders, receivers = {
            "input": (self.others, self.heard),
            "output": (self.own, self.others),
            "forward": (self.elsewhere, self.elsewhere),
        }[permission.hook]
        source = self.inside(permission.source, family, senders)
        destination = self.inside(permission.destination, family, receivers)
        for one_source in source[:6]:
            for one_destination in destination[:6]:
                packet = self.fitting(permission, clause, one_source, one_destination)
                yield packet
                yield from self.beside(permission, clause, packet)

    def inside(self, ranges, family, candidates):
        """Those candidates that are in the ranges, in any order, but the host's own first."""
        fitting = [address for address in candidates if address.version == family and within(ranges, address)]
        self.random.shuffle(fitting)
        return sorted(fitting, key=lambda address: address in self.heard and address not in self.own)

    def fitting(self, permission, clause, source, destination):
        low, high = clause.ports or (1, 65535)
        source_low, source_high = self.random.choice(clause.source_ports or ((1024, 65535),))
        interface = self.random.choice(permission.interfaces or self.interfaces)
        others = [name for name in self.interfaces if name != interface]
        leaving = self.random.choice(permission.exits or others or self.interfaces) if permission.hook == "forward" else ""
        ported = clause.protocol in (TCP, UDP)
        kind = self.random.choice(self.KINDS[source.version]) if clause.protocol in (ICMP, ICMP6) else 0
        return Packet(
            permission.hook,
            interface,
            clause.protocol,
            source,
            destination,
            self.random.choice((source_low, source_high)) if ported else 0,
            self.random.choice((low, high)) if ported else 0,
            kind if clause.type is None else clause.type,
            clause.code or 0,
            exit=leaving,
        )

    def beside(self, permission, clause, packet):
        if clause.protocol in (TCP, UDP):
            for port in (packet.port - 1, packet.port + 1):
                if 0 < port < 65536:
                    yield replace(packet, port=port)
            yield replace(packet, protocol=TCP + UDP - clause.protocol)
            yield replace(packet, source_port=packet.source_port % 65535 + 1)
        else:
            yield replace(packet, type=(packet.type + 1) % 256)
            yield replace(packet, code=(packet.code + 1) % 16)
        if packet.hook == "input":
            yield replace(packet, source=self.pick(self.others, packet.family))
        elif packet.hook == "output":
            yield replace(packet, destination=self.pick(self.others, packet.family))
        else:
            yield replace(packet, source=self.pick(self.elsewhere, packet.family))
            yield replace(packet, destination=self.pick(self.elsewhere, packet.family))
            yield replace(packet, exit=self.random.choice(self.interfaces))
        yield replace(packet, interface=self.random.choice(self.interfaces))
        if permission.hook != "forward":
            source, destination = self.ends("output" if packet.hook == "input" else "input", packet.family)
            hook = "output" if packet.hook == "input" else "input"
            yield replace(packet, hook=hook, source=source, destination=destination)

    def any_packet(self):
        choose = self.random.choice
        hook, family = choose(("input", "output", "input", "output", "forward")), choose((4, 6))
        source, destination = self.ends(hook, family)
        protocol = choose((TCP, UDP, TCP, UDP, ICMP if family == 4 else ICMP6, choose(self.OTHERS)))
        leaving = choose(self.interfaces) if hook == "forward" else ""
        packet = Packet(hook, choose(self.interfaces), protocol, source, destination, exit=leaving)
        if protocol in (TCP, UDP):
            port = choose((choose(self.PORTS), choose(self.ports), self.random.randint(1, 65535)))
            source_port = choose((choose(self.PORTS), self.random.randint(1024, 65535)))
            return replace(packet, source_port=source_port, port=port)
        if protocol in (ICMP, ICMP6):
            return replace(packet, type=choose(self.KINDS[family]), code=choose((0, 0, 1, 4)))
        return packet
