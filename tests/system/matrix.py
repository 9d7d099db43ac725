# SPDX-License-Identifier: GPL-2.0-or-later
"""Every service of every shipped profile, with real packets.

Each peer tries each port of the port table, and its neighbours, in both directions, over TCP and UDP, IPv4 and IPv6.
First without rules, where all of it must arrive: the control for each attempt that must not arrive later. Then
behind each profile: bare, with all groups named, and with what is off by default turned on. What may arrive is read
from the YAML data, not from flowfw.
"""

import ipaddress
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import model  # noqa: E402
import netns  # noqa: E402
import probes  # noqa: E402
import program  # noqa: E402
import tap  # noqa: E402
import world  # noqa: E402
import yaml  # noqa: E402

SHOWN = 12  # mistakes told for one check
LATER = ("streamer", "universe", "update")  # off by default, and with ports in the data
MORE_PORTS = {22, 1023, 1024, 8443, 8554, 40000}  # SSH, the ends of "high", and what the site below uses


def all_ports():
    """The ports of the table, each with its neighbours."""
    services, _ = model.library()
    found = set(MORE_PORTS)
    for service_id, service in services.items():
        if service.get("source") == "standard" or service_id.startswith("rtp"):
            continue
        for field in ("ports", "default-ports"):
            if service.get(field) not in (None, "from-group", "from-rtp"):
                found |= {port for _, low, high in model.parse_ports(service[field]) for port in (low, high)}
    return sorted({near for port in found for near in (port - 1, port, port + 1) if 0 < near <= 65535})


def all_probes():
    """(direction, peer, probe) of every attempt."""
    peers = [address for who in world.EVERYBODY for address in world.addresses(who)] + [world.VENDOR]
    found = []
    for peer in peers:
        device = world.DEVICE6 if ":" in peer else world.DEVICE4
        for protocol in probes.KINDS:
            for port in all_ports():
                found.append(("input", peer, probes.Probe(protocol, peer, device, port)))
                found.append(("output", peer, probes.Probe(protocol, device, peer, port)))
    return found


class Matrix:
    def __init__(self):
        self.world = world.World()
        self.attempts = all_probes()
        self.source_port = 20000
        listening = [(protocol, port) for protocol in probes.KINDS for port in all_ports()]
        for host in self.world.hosts:
            host.call(probes.listen, listening)

    def arrivals(self, attempts):
        """Which probes arrive."""
        self.source_port += 1  # flows that connection tracking has not seen
        by_host = {}
        for probe in attempts:
            by_host.setdefault(self.world.host_of(probe.source), []).append(probe)
        for host, own in by_host.items():
            host.start(probes.send, own, self.source_port)
        made = {probe for host in by_host for probe in host.result()}  # the connections; now the datagrams
        for host in self.world.hosts:
            made |= host.call(probes.received)
        return made

    def arrivals_expecting(self, expected):
        """As arrivals; what should arrive and didn't is tried again, as the machine may be busy."""
        came = self.arrivals([probe for _, _, probe in self.attempts])
        for _ in range(3):
            missing = [probe for probe in expected if probe not in came]
            if not missing:
                break
            time.sleep(0.5)
            came |= self.arrivals(missing)
        return came


def family_name(probe):
    return "IPv6" if ":" in probe.destination else "IPv4"


def verdict(attempts, expected, came):
    wrong = [
        f"{probe}: {'arrived, and must not' if probe in came else 'did not arrive'}"
        for _, _, probe in attempts
        if (probe in came) != (probe in expected)
    ]
    if wrong:
        raise AssertionError("\n".join(wrong[:SHOWN] + ([f"and {len(wrong) - SHOWN} more"] if wrong[SHOWN:] else [])))


def of_service(matrix, permissions, family):
    """The attempts that concern one service: at its ports and right beside them, either way, whoever tries."""
    ports = {
        (permission.protocol, port)
        for permission in permissions
        for edge in (permission.low, permission.high)
        for port in (edge - 1, edge, edge + 1)
    }
    return [
        attempt
        for attempt in matrix.attempts
        if (attempt[2].protocol, attempt[2].port) in ports and family_name(attempt[2]) == family
    ]


def check_profile(checks, matrix, profile, variant, groups, turned_on=()):
    site = {"flowfw": 1, "site": "test", "extends": profile}
    if groups:
        site["groups"] = groups
    if turned_on:
        site["services"] = dict.fromkeys(turned_on, "on")
    known = set(model.library()[1])
    assert set(groups) <= known, f"no such groups: {set(groups) - known}"
    rules = program.rule_set(yaml.safe_dump(site))
    permissions = model.permissions(profile, groups, turned_on)

    expected = set()
    for direction, peer, probe in matrix.attempts:
        address = ipaddress.ip_address(peer)
        if any(permission.holds(direction, probe.protocol, probe.port, address) for permission in permissions):
            expected.add(probe)
    matrix.world.load(rules)
    came = matrix.arrivals_expecting(expected)
    matrix.world.unload()

    for service in sorted({permission.service for permission in permissions}):
        own = [permission for permission in permissions if permission.service == service]
        for family in probes.FAMILIES:
            attempts = of_service(matrix, own, family)
            name = f"{profile}, {variant}: {service} over {family}"
            if not any(probe in expected for _, _, probe in attempts):
                continue  # without peers in this family; the last check has its ports
            if all(probe in expected for _, _, probe in attempts):
                raise AssertionError(f"{name}: nothing here must be stopped")
            checks.run(name, verdict, attempts, expected, came)
    checks.run(f"{profile}, {variant}: nothing else", verdict, matrix.attempts, expected, came)


def main():
    checks = tap.Tap()
    try:
        netns.enter()
    except tap.Skip as skip:
        checks.skip("packets between namespaces", skip)
        return checks.done()
    matrix = Matrix()
    everything = {probe for _, _, probe in matrix.attempts}
    came = matrix.arrivals_expecting(everything)
    checks.run(f"without rules all {len(everything)} attempts arrive", verdict, matrix.attempts, everything, came)
    for profile in program.PROFILES:
        for variant, *site in (("bare", {}), ("named", world.GROUPS), ("later", world.GROUPS, LATER)):
            try:
                check_profile(checks, matrix, profile, variant, *site)
            except AssertionError as failure:
                checks.result(False, f"{profile}, {variant}", str(failure))
    return checks.done()


if __name__ == "__main__":
    sys.exit(main())
