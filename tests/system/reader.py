# SPDX-License-Identifier: GPL-2.0-or-later
"""The device as a BSD: no packet is sent, but the pf output is asked about those that are, as tests/pf reads it."""

import ipaddress
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "pf"))
import pfeval  # noqa: E402
import pfmodel  # noqa: E402
import program  # noqa: E402
import sites  # noqa: E402

SOURCE_PORT = 20000  # one that no service names
DIALECTS = sites.DIALECTS
PROTOCOLS = {"tcp": pfeval.TCP, "udp": pfeval.UDP}
LOOPBACK = pfmodel.Interface("lo0", ("127.0.0.1/8", "::1/128", "fe80::1/64"))


class Reader:
    """A dialect's output in its anchor, on a host with these {interface: addresses}."""

    def __init__(self, dialect, interfaces):
        self.dialect = dialect
        self.owners = {address: name for name, addresses in interfaces.items() for address in addresses}
        self.main = next(iter(interfaces))
        self.host = pfmodel.Host([LOOPBACK] + [self.interface(*item) for item in interfaces.items()])
        self.rules = None

    @staticmethod
    def interface(name, addresses):
        own = [f"{address}/{64 if ':' in address else 24}" for address in addresses]
        return pfmodel.Interface(name, (*own, "fe80::d/64"))

    def load(self, site):
        """Takes the rules of a site given as text. False: pf cannot say it, and flowfw says so."""
        path = program.scratch() / "site.yaml"
        path.write_text(site, encoding="utf-8")
        process = program.flowfw("gen", "-q", "-b", "pf", "-O", f"dialect={self.dialect}", path)
        if process.returncode not in (program.OK, program.BACKEND):
            raise AssertionError(f"exit status {process.returncode}\n{process.stderr}")
        self.rules = None
        if process.returncode == program.OK:
            self.rules = sites.read_rules(process.stdout, self.dialect, "anchor", self.host)
        return self.rules is not None

    def passes(self, protocol, source, destination, port, answered=True):
        """Whether pf lets a packet through; where it is to be answered, what comes back for it too."""
        packet = pfeval.Packet(
            self.way(source, destination),
            PROTOCOLS[protocol],
            ipaddress.ip_address(source),
            ipaddress.ip_address(destination),
            SOURCE_PORT,
            port,
        )
        packets = [packet, sites.answer_to(packet)] if answered else [packet]
        return all(pfeval.evaluate(self.rules, one, self.host).action == pfeval.PASS for one in packets)

    def way(self, source, destination):
        """Where pf sees it; what is neither from nor for this host comes in beside the main interface."""
        if source in self.owners:
            return (("out", self.owners[source]),)
        if destination in self.owners or ipaddress.ip_address(destination).is_multicast:
            return (("in", self.owners.get(destination, self.main)),)
        other = next((name for name in self.owners.values() if name != self.main), self.main)
        return (("in", other), ("out", self.main))
