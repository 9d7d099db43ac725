# SPDX-License-Identifier: GPL-2.0-or-later
"""Every service of every shipped profile, with real packets.

Each peer tries each port of the port table, and its neighbours, in both directions, over TCP and UDP, IPv4 and IPv6.
First without rules, where all of it must arrive: the control for each attempt that must not arrive later. Then
behind each profile: bare, with all groups named, and with what is off by default turned on; in each form that a device
may load. The pf output is asked about the same packets, as tests/pf reads it. What may arrive is read from the YAML
data, not from flowfw.
"""

import ipaddress
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import forms  # noqa: E402
import model  # noqa: E402
import netns  # noqa: E402
import probes  # noqa: E402
import program  # noqa: E402
import reader  # noqa: E402
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
    """The hosts, and the attempts between them."""

    def __init__(self, attempts):
        self.world = world.World()
        self.attempts = attempts
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


    def behind(self, case):
        """What arrives behind the rules of a case."""
        self.world.load(case.site)
        came = self.arrivals_expecting(case.expected)
        self.world.unload()
        return came


class Paper:
    """What would arrive if the device were a BSD."""

    def __init__(self, dialect, attempts):
        self.attempts = attempts
        self.reader = reader.Reader(dialect, {"eth0": (world.DEVICE4, world.DEVICE6)})

    def behind(self, case):
        if not self.reader.load(case.site):
            raise AssertionError("pf cannot say it")
        return {
            probe
            for _, _, probe in self.attempts
            if self.reader.passes(probe.protocol, probe.source, probe.destination, probe.port)
        }


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


class Case:
    """A profile with a site's groups, and with services turned on: what must arrive, and whom it concerns."""

    def __init__(self, attempts, profile, variant, groups, turned_on=()):
        self.name, self.variant = f"{profile}, {variant}", variant
        self.attempts = attempts
        site = {"flowfw": 1, "site": "test", "extends": profile}
        if groups:
            site["groups"] = groups
        if turned_on:
            site["services"] = dict.fromkeys(turned_on, "on")
        known = set(model.library()[1])
        assert set(groups) <= known, f"no such groups: {set(groups) - known}"
        self.site = yaml.safe_dump(site)
        self.permissions = model.permissions(profile, groups, turned_on)
        self.expected = {probe for direction, peer, probe in attempts if self.holds(direction, peer, probe)}
        self.services = dict(self.by_service())

    def holds(self, direction, peer, probe):
        address = ipaddress.ip_address(peer)
        return any(
            permission.holds(direction, probe.protocol, probe.port, address) for permission in self.permissions
        )

    def by_service(self):
        """(name, attempts) of each service and family."""
        for service in sorted({permission.service for permission in self.permissions}):
            own = [permission for permission in self.permissions if permission.service == service]
            for family in probes.FAMILIES:
                attempts = self.of_service(own, family)
                if not any(probe in self.expected for _, _, probe in attempts):
                    continue  # without peers in this family; the last check has its ports
                name = f"{service} over {family}"
                if all(probe in self.expected for _, _, probe in attempts):
                    raise AssertionError(f"{self.name}: {name}: nothing here must be stopped")
                yield name, attempts

    def of_service(self, permissions, family):
        """The attempts that concern one service: at its ports and right beside them, either way, whoever tries."""
        ports = {
            (permission.protocol, port)
            for permission in permissions
            for edge in (permission.low, permission.high)
            for port in (edge - 1, edge, edge + 1)
        }
        return [
            attempt
            for attempt in self.attempts
            if (attempt[2].protocol, attempt[2].port) in ports and family_name(attempt[2]) == family
        ]

    def check(self, checks, form, behind):
        """All checks of one form; `behind` says what arrives."""
        try:
            came = behind(self)
        except AssertionError as failure:
            checks.result(False, f"{form}: {self.name}", str(failure))
            return
        for name, attempts in self.services.items():
            checks.run(f"{form}: {self.name}: {name}", verdict, attempts, self.expected, came)
        checks.run(f"{form}: {self.name}: nothing else", verdict, self.attempts, self.expected, came)


def all_cases(attempts):
    """Those of one profile behind each other; the last has every service that any has."""
    cases = []
    for profile in program.HOSTS:
        bare = Case(attempts, profile, "bare", {})
        named = Case(attempts, profile, "named", world.GROUPS)
        later = Case(attempts, profile, "later", world.GROUPS, LATER)
        assert bare.services.keys() | named.services.keys() <= later.services.keys(), profile
        cases += [bare, named, later]
    return cases


def check_forms(checks, wanted, attempts, cases):
    """With packets, in the forms that a device may load."""
    matrix = Matrix(attempts)
    everything = {probe for _, _, probe in attempts}
    came = matrix.arrivals_expecting(everything)
    checks.run(f"without rules all {len(everything)} attempts arrive", verdict, attempts, everything, came)
    for form in wanted:
        try:
            form.need(matrix.world.device)
        except tap.Skip as skip:
            checks.skip(form.name, skip)
            continue
        matrix.world.form = form
        for case in cases:
            if case.variant in form.variants:
                case.check(checks, form.name, matrix.behind)


def main():
    """All forms, or those that the arguments name."""
    checks = tap.Tap()
    names = sys.argv[1:]
    attempts = all_probes()
    cases = all_cases(attempts)
    wanted = [form for form in forms.FORMS if not names or form.name in names]
    if wanted:
        try:
            netns.enter()
        except tap.Skip as skip:
            checks.skip("packets between namespaces", skip)
        else:
            check_forms(checks, wanted, attempts, cases)
    for dialect in reader.DIALECTS:
        if not names or f"pf-{dialect}" in names:
            paper = Paper(dialect, attempts)
            for case in cases:
                case.check(checks, f"pf-{dialect}", paper.behind)
    return checks.done()


if __name__ == "__main__":
    sys.exit(main())
