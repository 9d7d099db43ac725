# SPDX-License-Identifier: GPL-2.0-or-later
"""What the YAML data say should pass, read without flowfw: the other opinion that packets are held against.

Knows what the shipped profiles use and the groups of a test's own site; not the whole language.
"""

import functools
import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path

import program
import yaml

DATA = program.SOURCE / "profiles"


class Loader(yaml.SafeLoader):
    """Safe, and with on and off left as words: as values they are booleans to YAML 1.1."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@functools.cache
def read(path):
    """A document, for reading only: it is kept."""
    return yaml.load(Path(path).read_text(encoding="utf-8-sig"), Loader)


def as_list(value):
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def library():
    """All services and groups of the services files."""
    services, groups = {}, {}
    for path in sorted((DATA / "services").glob("*.yaml")):
        document = read(path)
        services.update(document.get("services") or {})
        groups.update(document.get("groups") or {})
    return services, groups


def profile_services(name):
    """The ids of a shipped profile's services, with what its roles say of each."""
    wanted = {}
    for role in read(DATA / f"{name}.yaml")["roles"]:
        services = read(DATA / "roles" / f"{role}.yaml")["services"]
        if isinstance(services, list):
            services = dict.fromkeys(services)
        for service, override in services.items():
            wanted.setdefault(service, {}).update(override or {})
    return wanted


def parse_ports(texts):
    """{(protocol, low, high)} of `8088/tcp`, `53/tcp+udp`, `5000-6000/udp`."""
    found = set()
    for text in as_list(texts):
        low, high, protocols = re.fullmatch(r"(\d+)(?:-(\d+))?/([a-z+]+)", text).groups()
        found |= {(protocol, int(low), int(high or low)) for protocol in protocols.split("+")}
    return found


@dataclass(frozen=True)
class Permission:
    """Packets of one direction that one service lets pass; peer None is anybody."""

    service: str
    direction: str
    protocol: str
    low: int
    high: int
    peer: object

    def holds(self, direction, protocol, port, peer):
        if (direction, protocol) != (self.direction, self.protocol) or not self.low <= port <= self.high:
            return False
        return self.peer is None or (peer.version == self.peer.version and peer in self.peer)


def permissions(profile, site_groups, turned_on=()):
    """The permissions of a shipped profile, where a site sets groups (name -> [address or {address, ports}]) and turns
    services on that are off by default."""
    services, groups = library()
    found = []
    for service_id in {**profile_services(profile), **dict.fromkeys(turned_on)}:
        service = services[service_id]
        peers = as_list(service.get("from" if service.get("direction") == "input" else "to"))
        names = [peer for peer in peers if peer in groups]
        enabled = "on" if service_id in turned_on else service.get("enabled", "on")
        if enabled == "off" or (enabled == "when-named" and not all(name in site_groups for name in names)):
            continue
        own = parse_ports(None if service["ports"] == "from-group" else service["ports"])
        own |= parse_ports(service.get("default-ports"))
        for peer in peers or [None]:
            if peer is None or (peer in groups and peer not in site_groups):
                members = [None] if peer is None or groups[peer]["default"] == "any" else []
            else:
                members = site_groups.get(peer, [peer])
            for member in members:
                ports = own
                if isinstance(member, dict):
                    if service["ports"] == "from-group" and "ports" in member:
                        ports = parse_ports(member["ports"])
                    member = member["address"]
                network = ipaddress.ip_network(member) if member else None
                for direction in ("input", "output") if service["direction"] == "both" else (service["direction"],):
                    found += [Permission(service_id, direction, *port, network) for port in ports]
    return found
