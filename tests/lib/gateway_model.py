# SPDX-License-Identifier: GPL-2.0-or-later
"""What a gateway's site means, worked out from the YAML files alone: the other opinion that packets are held against.

read() gives a Gateway; its outcome() follows the packet that begins a connection from one host to another: translated,
judged, translated again. What the devices need is what tests/lib/meaning.py reads in their own files.
"""

import ipaddress
from dataclasses import dataclass, field, replace
from pathlib import Path

import meaning

# Where in the block of `forward: {base: PORT}` a service is; the first two always, the others where they are on.
ORDER = ("rest-api", "node", "video", "udp-sinks", "web-admin", "update")
PAIR = ORDER[:2]


@dataclass(frozen=True)
class Place:
    """Where a packet is: the host, and the gateway's interface that leads there; None for the gateway itself."""

    host: str
    side: str


@dataclass(frozen=True)
class Outcome:
    """What becomes of a connection's first packet. Nothing, where `host` is None."""

    host: str = None
    source: str = None
    destination: str = None
    port: int = 0
    answered: bool = False  # the answer finds back to who called, as if from where it called


NOTHING = Outcome()


@dataclass(frozen=True)
class Passage:
    """A permission of a device or of the gateway's own, as the forward hook has it."""

    permission: meaning.Permission
    device: tuple = None  # ranges of the device; None: no device is at this end
    entries: tuple = ()  # interfaces; none: any
    exits: tuple = ()

    def holds(self, packet, entry, exit):
        if (self.entries and entry not in self.entries) or (self.exits and exit not in self.exits):
            return False
        end = packet.destination if self.permission.hook == "input" else packet.source
        return meaning.within(self.device, end) and self.permission.holds(replace(packet, hook=self.permission.hook))


@dataclass
class Gateway:
    own: meaning.Meaning  # of its own input and output, and the verdicts
    outside: tuple = ()  # its interfaces; none: not named
    inside: tuple = ()
    outside_addresses: tuple = ()
    inside_addresses: tuple = ()
    inside_networks: tuple = ()  # ranges
    masquerade: bool = False
    hairpin: bool = False
    passages: list = field(default_factory=list)
    forwardings: dict = field(default_factory=dict)  # (family, protocol, outside port) -> (address, port)
    devices: tuple = ()  # ranges

    def outcome(self, protocol, source, destination, port, source_port, place_of):
        """`place_of` tells the Place of an address."""
        came_from = place_of(source)
        packet = meaning.Packet(
            "forward", None, meaning.PORTED[protocol], address(source), address(destination), source_port, port
        )
        translated = self.translated(packet, came_from.side)
        goes_to = place_of(str(translated.destination))
        if not self.lets_through(translated, came_from, goes_to):
            return NOTHING
        after = self.with_source(translated, translated is not packet, goes_to.side)
        # Neighbours answer each other directly, from an address that the caller never called.
        past_gateway = translated is not packet and after is translated and came_from.side == goes_to.side
        return Outcome(goes_to.host, str(after.source), str(after.destination), after.port, not past_gateway)

    def translated(self, packet, side):
        """The packet as it is before the forward hook."""
        found = self.forwardings.get((packet.family, packet.protocol, packet.port))
        if found is None or side is None or packet.destination not in self.outside_addresses:
            return packet
        from_inside = self.hairpin and side in self.inside
        if self.outside and side not in self.outside and not (from_inside or (self.hairpin and not self.inside)):
            return packet
        return replace(packet, destination=found[0], port=found[1])

    def lets_through(self, packet, came_from, goes_to):
        if goes_to.side is None:
            return self.judged(packet, "input", came_from.side)
        if came_from.side is None:
            return self.judged(packet, "output", goes_to.side)
        if self.own.verdicts["forward"] in ("accept", "untouched"):
            return True
        return any(passage.holds(packet, came_from.side, goes_to.side) for passage in self.passages)

    def judged(self, packet, hook, interface):
        verdict = self.own.judge(replace(packet, hook=hook, interface=interface)).verdict
        return verdict in ("accept", "untouched", "may")

    def with_source(self, packet, translated, side):
        """The packet as it is behind the forward hook."""
        if side is None:
            return packet
        if translated and self.hairpin and meaning.within(self.inside_networks, packet.source):
            return replace(packet, source=of_family(self.inside_addresses, packet.family))
        masqueraded = self.masquerade and packet.family == 4 and side in self.outside
        if masqueraded and meaning.within(self.devices + self.inside_networks, packet.source):
            return replace(packet, source=of_family(self.outside_addresses, 4))
        return packet


def address(text):
    return ipaddress.ip_address(str(text))


def of_family(addresses, family):
    return next(one for one in addresses if one.version == family)


def addresses(value):
    return tuple(address(text) for text in meaning.as_list(value))


# ---- reading ----


def read(path, data):
    """The Gateway of a site file. `data`: flowfw's folder of profiles."""
    path, data = Path(path), Path(data)
    draft = meaning.Draft([data])
    layers = list(draft.chain(str(path), path.parent))
    own_forward = {}
    for layer in layers:
        layer = dict(layer)
        services = dict(layer.get("services") or {})
        for name, service in list(services.items()):
            if isinstance(service, dict) and service.get("direction") == "forward":
                own_forward[name] = services.pop(name)
        draft.add({**layer, "services": services})
    said = {key: value for layer in layers for key, value in layer.items()}
    interfaces = {key: tuple(value) for key, value in draft.interfaces.items()}
    outside, inside = said.get("outside") or {}, said.get("inside") or {}
    resolver = meaning.Resolver(draft, set(meaning.LEVELS))
    gateway = Gateway(
        resolver.run(),
        outside=interfaces.get("outside", ()),
        inside=interfaces.get("inside", ()),
        outside_addresses=addresses(outside.get("address")),
        inside_addresses=addresses(inside.get("address")),
        inside_networks=tuple(meaning.address_range(text) for text in meaning.as_list(inside.get("networks"))),
        masquerade=meaning.switched(said.get("masquerade")) is True,
        hairpin=meaning.switched(said.get("hairpin")) is True,
    )
    for device in said["devices"]:
        add_device(gateway, device, path.parent, data, layers)
    draft.set_group("devices", [one for device in said["devices"] for one in meaning.as_list(device["address"])])
    gateway.passages += passages_of_gateway(resolver, own_forward, interfaces)
    return gateway


def passages_of_gateway(resolver, services, interfaces):
    """Services with `direction: forward`."""
    for name, service in services.items():
        entries, exits = (
            tuple(one for key in meaning.as_list(service.get(which)) for one in interfaces[key])
            for which in ("in-interface", "out-interface")
        )
        for permission in resolver.flows(name, {**service, "direction": "output"}):
            yield Passage(permission, None, entries, exits)


def add_device(gateway, device, folder, data, layers):
    """What a device needs of the gateway: what its own site file says, or its profile and the gateway's groups."""
    draft = meaning.Draft([data])
    for layer in layers if "site" not in device else ():
        draft.add({"groups": layer.get("groups") or {}})
    for layer in draft.chain(device.get("site") or device["extends"], folder):
        draft.add(layer)
    draft.add({key: device[key] for key in ("groups", "services") if key in device})
    own = tuple(meaning.address_range(text) for text in meaning.as_list(device["address"]))
    gateway.devices += own
    for permission in meaning.Resolver(draft, set(meaning.LEVELS)).run().permissions:
        if crosses(permission, draft):
            permission = replace(permission, interfaces=())
            inbound = permission.hook == "input"
            sides = ((), gateway.inside) if inbound else (gateway.inside, ())
            gateway.passages.append(Passage(permission, own, *sides))
    for service, outside_port in outside_ports(device.get("forward") or {}):
        ((protocol, port, _),) = meaning.parse_ports(draft.services[service]["ports"])
        for one in addresses(device["address"]):
            if any(outside.version == one.version for outside in gateway.outside_addresses):
                gateway.forwardings[one.version, protocol, outside_port] = one, port


def crosses(permission, draft):
    """Whether a gateway forwards it: not what stays on its link, or is inside the tunnel that ends in the device. ICMP,
    of which the gateway's own base decides, is left aside here."""
    if draft.services[permission.service].get("crossing", "device") != "device":
        return False
    tunnels = draft.interfaces.get("vpn", ())
    return not permission.interfaces or not set(permission.interfaces) <= set(tunnels)


def outside_ports(forward):
    """(service, outside port) of `forward:`, a port for each service, or a block and what is on in it."""
    base = forward.get("base")
    if base is not None:
        yield from ((service, base + ORDER.index(service)) for service in PAIR)
    for service, port in forward.items():
        if service != "base" and meaning.switched(port) is not False:
            yield service, base + ORDER.index(service) if meaning.switched(port) else port
