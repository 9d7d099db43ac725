# SPDX-License-Identifier: GPL-2.0-or-later
"""Random sites, each the same for the same seed: hosts, gateways with their devices, and clients.

make() gives the files of one as data. They are valid and say nothing in particular; what counts is that their
addresses nest, overlap and touch, and that each key of the language meets each other one. Most are such that pf can
express them, too. shrunk() takes away from one what is not needed for it to fail.
"""

import copy
import ipaddress
import random
import sys
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import gateways  # noqa: E402

MAIN = "site.yaml"
HOSTS = ("enterprise", "xroads", "embedded", "node", "block", "remote-install")
VERDICTS = ("drop", "reject", "accept", "untouched")
ANY_VERDICT, FORWARD_VERDICT = (5, 2, 2, 1), (2, 1, 1, 4)  # how often each of them
INTERFACES = {"uplink": "eth0", "field": ["eth1", "eth2"], "office": "eth3", "vpn": "wg0"}
SPECIAL = {
    4: ("0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "224.0.0.0/4", "239.1.2.3", "255.255.255.255", "10.0.0.0/8",
        "10.20.0.0-10.20.255.255", "255.255.255.0-255.255.255.255"),
    6: ("::/0", "::/1", "fe80::/10", "ff02::/16", "ff02::1:ff00:0/104", "::1", "8000::/1", "2001:db8::/32",
        "2001:db8::-2001:db8::ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:0-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
}  # fmt: skip
BASES = {
    4: tuple(int(ipaddress.ip_address(text)) for text in ("10.20.0.0", "10.30.4.0", "203.0.113.0", "198.51.100.0")),
    6: tuple(int(ipaddress.ip_address(text)) for text in ("2001:db8:20::", "2001:db8:20:0:ffff::", "fd00::", "fe80::")),
}
NEAR = 1 << 10  # addresses to a neighbourhood
LENGTHS = {4: (8, 15, 16, 20, 22, 24, 25, 27, 28, 30, 31, 32), 6: (32, 48, 56, 63, 64, 112, 118, 120, 124, 127, 128)}
PORTS = (1, 22, 53, 67, 80, 123, 443, 546, 554, 1023, 1024, 5060, 5353, 8000, 8088, 8443, 32768, 65535)
SPANS = ((1, 1023), (5000, 5100), (5050, 5200), (5101, 5101), (8000, 8088), (443, 444))
WIDE_SPANS = ((1, 65535), (1024, 65535))  # a gateway forwards some of these ports, and may not listen there itself
ICMP = ("echo-request", "echo-reply", "timestamp-request", "3/4", "3", "11/0", "redirect", "5/1", "13", "0")
ICMP6 = ("echo-request", "packet-too-big", "1/4", "mld-query", "neighbour-solicitation", "router-advertisement",
         "137/0", "133", "4/1", "0/0", "255")  # fmt: skip
QUERIES = ({"icmp": "echo-request"}, {"icmpv6": "echo-request"}, {"icmp": "timestamp-request"})
OTHERS = ("igmp", "esp", "gre", "sctp", "ah", "ospf", 4, 41, 112, 253, 255)
LIMITS = ("10/minute", "6/second burst 20", "2/hour burst 9", "100/second burst 40", "30/day burst 2",
          "4/minute burst 300")  # fmt: skip
# Enough of a burst for pf to divide it among the rules of a service.
LARGE_LIMITS = ("10/minute burst 600", "20/second burst 900", "3000/hour burst 2000")
GROUPS = ("clients", "admins", "viewers", "subscribers", "cameras", "webhooks", "resolvers", "time-servers",
          "mail-servers")  # fmt: skip
OWN_GROUPS = ("red", "green", "blue")
PORTED_GROUPS = ("cameras", "webhooks", *OWN_GROUPS)
INPUTS = ("rest-api", "video", "udp-sinks", "node", "web-admin", "update", "streamer")
OUTPUTS = ("web", "dns", "smtp", "ntp", "service-vpn")
SWITCHED = ("update", "mdns", "universe", "streamer")


class Maker:
    """What random sites of all positions are made of."""

    def __init__(self, seed):
        self.random = random.Random(f"site {seed}")
        self.for_pf = self.random.random() < 0.7
        self.families = self.random.choice(((4, 6), (4, 6), (4, 6), (4,), (6,)))
        self.bases = {family: self.random.sample(BASES[family], 2) for family in (4, 6)}
        self.spans = SPANS + WIDE_SPANS
        self.interfaces = {}
        self.group_names = ()
        self.group_families = {}  # of those that have members
        self.last = {4: self.bases[4][0], 6: self.bases[6][0]}  # the end of the last entry, for one that touches it

    def maybe(self, chance):
        return self.random.random() < chance

    def pick(self, choices):
        return self.random.choice(choices)

    def some(self, choices, most=3):
        return self.random.sample(choices, self.random.randint(1, min(most, len(choices))))

    def one_or_list(self, values):
        return values[0] if len(values) == 1 and self.maybe(0.5) else values

    # ---- addresses ----

    def number(self, family):
        """An address in a neighbourhood of the site, or right behind the entry before."""
        if self.maybe(0.25):
            return self.last[family] + 1
        return self.pick(self.bases[family]) + self.random.randrange(NEAR)

    def address(self, family=None):
        """An address, prefix or range of a family."""
        family = family or self.pick(self.families)
        if self.maybe(0.06):
            return self.pick(SPECIAL[family])
        make = ipaddress.IPv4Address if family == 4 else ipaddress.IPv6Address
        low, kind = self.number(family), self.random.random()
        if kind < 0.4:
            self.last[family] = low
            return str(make(low))
        if kind < 0.7:
            network = ipaddress.ip_network((low, self.pick(LENGTHS[family])), strict=False)
            if int(network.broadcast_address) - int(network.network_address) < NEAR:
                self.last[family] = int(network.broadcast_address)
            return str(network)
        high = low + self.pick((1, 2, 6, 7, 100, 255, 256, NEAR))
        self.last[family] = high
        return f"{make(low)}-{make(high)}"

    # ---- what ----

    def port(self, protocols=("tcp", "udp", "tcp+udp"), single=False):
        if single or self.maybe(0.6):
            return f"{self.pick(PORTS)}/{self.pick(protocols)}"
        low, high = self.pick(self.spans)
        return f"{low}-{high}/{self.pick(protocols)}"

    def ports(self, *protocols, most=3):
        count = self.random.randint(1, most)
        return self.one_or_list([self.port(protocols or ("tcp", "udp", "tcp+udp")) for _ in range(count)])

    def match(self):
        """What a service of the site's own is about, and its limit."""
        if self.maybe(0.2):
            return self.limited_match()
        kind, found = self.random.random(), {}
        if kind < 0.6:
            found["ports"] = self.ports()
        if 0.5 < kind < 0.7:
            found["icmp"] = self.one_or_list(self.some(ICMP))
        if 0.65 < kind < 0.85:
            found["icmpv6"] = self.one_or_list(self.some(ICMP6))
        if 0.8 < kind:
            found["protocol"] = self.one_or_list(self.some(OTHERS))
        if set(found) == {"icmpv6"} and self.maybe(0.2) and not self.for_pf:
            found["hop-limit"] = self.pick((1, 64, 255))
        if set(found) == {"ports"} and self.maybe(0.2):
            protocol = self.pick(("tcp", "udp"))
            found = {"ports": self.ports(protocol), "source-ports": self.ports(protocol, most=2)}
        return found

    def limited_match(self):
        if not self.for_pf:
            found = self.pick(({"ports": self.ports()}, {"icmp": self.some(ICMP)}, {"protocol": "gre"}))
            return {**found, "limit": self.pick(LIMITS)}
        if self.maybe(0.5):
            return {**self.pick(QUERIES), "limit": self.pick(LARGE_LIMITS)}
        return {"ports": self.port(("tcp",)), "limit": self.pick(LARGE_LIMITS)}

    def limit_of(self, service):
        """Whether its limit is for each source: pf has that of TCP only, and outputs have it nowhere."""
        if "limit" not in service or service["direction"] not in ("input", "forward"):
            return service
        if "ports" in service if self.for_pf else self.maybe(0.6):
            service["limit"] += " per source"
        return service

    # ---- who ----

    def peers(self, families=None):
        """Groups and addresses; of these families, where it must not be of others."""
        families = families or self.families
        groups = [name for name in self.group_names if self.group_families[name] & set(families)]
        found = self.some(groups, 2) if groups and self.maybe(0.6) else []
        if not found or self.maybe(0.3):
            found += [self.address(self.pick(families)) for _ in range(self.random.randint(1, 3))]
        return self.one_or_list(found)

    def entry(self, group):
        """webhooks have no port but their members' own."""
        if group != "webhooks" and self.maybe(0.5):
            return self.address()
        addresses = [self.address() for _ in range(self.random.randint(1, 3))]
        entry = {"address": self.one_or_list(addresses)}
        if self.maybe(0.5):
            entry["name"] = f"entry {self.random.randrange(10**6)}"
        if group == "webhooks" or (group in PORTED_GROUPS and self.maybe(0.7)):
            entry["ports"] = self.ports(most=2)
        return entry

    def groups(self, names):
        found = {}
        for name in names:
            found[name] = [self.entry(name) for _ in range(self.pick((1, 1, 2, 3, 5, 9, 20)))]
        self.group_names = tuple(found)
        self.group_families = {name: families_of(entries) for name, entries in found.items()}
        return found

    # ---- services and the base ----

    def families_of_match(self, match):
        """The families that a service may have peers of."""
        only = {("icmp",): (4,), ("icmpv6",): (6,), ("icmpv6", "hop-limit"): (6,)}
        return only.get(tuple(key for key in match if key != "limit"), (4, 6))

    def own_service(self, directions, entry=(), exit=()):
        """A service of the site's own; `entry` and `exit`: interfaces of what is forwarded."""
        match = self.match()
        service = {"direction": self.pick(directions), **match}
        families = [family for family in self.families_of_match(match) if family in self.families]
        families = families or self.families_of_match(match)
        direction = service["direction"]
        sides = {"input": ("from", "to"), "output": ("to", "from"), "both": ("from", "to"), "forward": ("to", "from")}
        peers, others = sides[direction]
        if self.maybe(0.85):
            service[peers] = self.peers(families)
        if self.maybe(0.2) or direction == "both":
            service[others] = self.peers(families) if self.maybe(0.7) else "any"
        if direction == "both":
            service.setdefault("from", "any")
        elif self.maybe(0.25):
            self.add_exception(service, peers, families)
        self.add_places(service, direction, entry, exit)
        return self.limit_of(self.with_log(service))

    def add_exception(self, service, peers, families):
        """Something that leaves somebody, as an exception of everybody would be an error: the peers are any."""
        if peers in service and not self.maybe(0.5):
            service[peers] = [self.wide(family) for family in families]
        else:
            service[peers] = "any"
        service["except"] = [self.narrow(self.pick(families)) for _ in range(self.random.randint(1, 4))]

    def wide(self, family):
        base = self.pick(self.bases[family])
        return str(ipaddress.ip_network((base, 12 if family == 4 else 40), strict=False))

    def narrow(self, family):
        """An address, prefix or range in a neighbourhood."""
        base = self.pick(self.bases[family])
        make = ipaddress.IPv4Address if family == 4 else ipaddress.IPv6Address
        low = base + self.random.randrange(NEAR)
        bits = 32 if family == 4 else 128
        return self.pick((
            str(make(low)), f"{make(low)}-{make(low + self.pick((1, 7, 64)))}",
            str(ipaddress.ip_network((low, bits - self.pick((1, 3, 6))), strict=False)),
        ))  # fmt: skip

    def add_places(self, service, direction, entry, exit):
        if direction == "forward":
            if entry and self.maybe(0.4):
                service["in-interface"] = self.one_or_list(self.some(entry, 2))
            if exit and self.maybe(0.4):
                service["out-interface"] = self.one_or_list(self.some(exit, 2))
        elif self.interfaces and self.maybe(0.3):
            service["interface"] = self.one_or_list(self.some(tuple(self.interfaces), 2))

    def with_log(self, service):
        if self.maybe(0.1):
            service["log"] = self.pick(("on", {"prefix": "seen ", "rate": "5/minute"}))
        return service

    def own_services(self, count, directions, **interfaces):
        return {f"own-{number}": self.own_service(directions, **interfaces) for number in range(count)}

    def ported_service(self):
        """Each member of a group brings its ports."""
        names = [name for name in self.group_names if name in OWN_GROUPS]
        if not names:
            return {}
        service = {"direction": self.pick(("input", "output")), "ports": "from-group"}
        service["default-ports"] = self.ports(most=2)
        service["from" if service["direction"] == "input" else "to"] = self.one_or_list(self.some(names, 2))
        if self.maybe(0.3) and not self.for_pf:
            service["limit"] = self.pick(LIMITS)
        return {"ported": self.limit_of(self.with_log(service))}

    def changed(self, name, peers):
        """What a site says of a service of the library."""
        found = self.pick((
            lambda: "off",
            lambda: {peers: self.peers()},
            lambda: {peers: "any", "except": [self.narrow(self.pick((4, 6))) for _ in range(2)]},
            lambda: {"log": "on"},
            lambda: {"interface": self.pick(tuple(self.interfaces))} if self.interfaces else {"level": "optional"},
            lambda: {"ports": self.port(self.protocols(name), single=True)},
            lambda: {"limit": self.pick(LIMITS)} if not self.for_pf else {"title": "as it was"},
        ))()  # fmt: skip
        return found

    @staticmethod
    def protocols(name):
        return ("udp",) if name in ("udp-sinks", "dns", "ntp", "service-vpn") else ("tcp",)

    def changes(self, inputs=INPUTS, outputs=OUTPUTS):
        found = {name: self.changed(name, "from") for name in self.some(inputs, 3)}
        found |= {name: self.changed(name, "to") for name in self.some(outputs, 2)}
        return found

    def base(self, verdicts):
        """`verdicts`: for each hook how often which is asked for; 0: what the profile says."""
        found = {}
        for hook, weights in verdicts.items():
            if self.maybe(0.6):
                (found[hook],) = self.random.choices(VERDICTS, weights)
        if self.for_pf and "untouched" in (found.get("input"), found.get("output")):
            found["input"] = found["output"] = "drop"
        for key in ("dhcp", "mld", "dns-over-tcp", "counters"):
            if self.maybe(0.25):
                found[key] = self.pick(("on", "off"))
        if self.maybe(0.5):
            found["echo"] = self.pick(("on", "off", "limited"))
        if self.maybe(0.25):
            found["log"] = self.pick(("on", {"prefix": "lost ", "rate": "10/minute burst 3"}))
        return found

    def rtp(self):
        found = {}
        if self.maybe(0.6):
            found["ports"] = self.pick(("5000-65000", ["5004", "6000-6100"], "32768-60999"))
        if self.maybe(0.6):
            found["multicast"] = self.pick((["239.1.0.0/16"], ["239.1.2.3", "ff05::1:3"], ["232.0.0.0-232.0.0.9"]))
        return found

    # ---- the positions ----

    def host(self):
        names = self.some(tuple(INTERFACES), 4) if self.maybe(0.5) else ()
        self.interfaces = {name: INTERFACES[name] for name in names}
        self.group_names = ()
        site = {"flowfw": 1, "site": "random host", "extends": self.pick(HOSTS)}
        if self.maybe(0.9):
            site["groups"] = self.groups(self.some(GROUPS, 5) + (self.some(OWN_GROUPS) if self.maybe(0.7) else []))
        if self.interfaces:
            site["interfaces"] = self.interfaces
        site["base"] = self.base({"input": ANY_VERDICT, "output": ANY_VERDICT, "forward": FORWARD_VERDICT})
        if "cameras" in self.group_names and self.maybe(0.3):
            families = self.random.choices(self.families, k=self.random.randint(1, 5))
            site["groups"]["cameras"] = [self.narrow(family) for family in families]
            site["base"]["rtp"] = self.rtp()
        if "vpn" in self.interfaces and self.maybe(0.5):
            site["base"]["vpn-inside"] = self.pick((["web-admin", "rest-api"], "off", ["ssh"]))
        directions = ["input", "input", "output", "output", "both"]
        directions += ["forward"] if site["base"].get("forward", "untouched") != "untouched" else []
        places = tuple(self.interfaces)
        services = self.changes() if self.maybe(0.6) else {}
        services |= dict.fromkeys(self.some(SWITCHED, 2), "on") if self.maybe(0.3) else {}
        services |= self.own_services(self.random.randrange(5), directions, entry=places, exit=places)
        services |= self.ported_service() if self.maybe(0.6) else {}
        site["services"] = services
        if "ssh" in as_list(site["base"].get("vpn-inside")):
            services["ssh"] = {"direction": "input", "ports": "22/tcp", "from": self.peers()}
        return {MAIN: site}

    def gateway(self):
        """One of tests/lib/gateways.py, and services of all kinds through it."""
        maker = gateways.Maker(self.random.random())
        self.spans = SPANS
        site = maker.site()
        self.group_names = tuple(site["groups"])
        self.group_families = {name: families_of(entries) for name, entries in site["groups"].items()}
        self.interfaces = site["interfaces"]
        forward = (3, 1, 1, 0) if self.for_pf or self.maybe(0.7) else (0, 0, 0, 1)
        base = self.base({"input": (2, 1, 1, 4), "output": (2, 1, 1, 4), "forward": forward})
        site["base"] = {**base, **site.get("base", {})}
        places = tuple(site["interfaces"])
        directions = ["input", "output"] + (["forward"] * 4 if base.get("forward") != "untouched" else [])
        site["services"] |= self.own_services(self.random.randint(1, 4), directions, entry=places, exit=places)
        if base.get("forward") == "untouched":
            for name in ("office-web", "maintenance"):
                site["services"].pop(name, None)
        return {MAIN: site, **maker.files}

    def client(self):
        self.group_names = ()
        site = {"flowfw": 1, "site": "random client", "extends": "insights"}
        site["groups"] = self.groups(["admins", "operators"])
        self.interfaces = site["interfaces"] = {name: INTERFACES[name] for name in self.some(tuple(INTERFACES), 2)}
        site["base"] = self.base({"input": ANY_VERDICT, "output": ANY_VERDICT, "forward": FORWARD_VERDICT})
        if self.maybe(0.8):
            site["devices"] = [self.called_device(number) for number in range(self.random.randint(1, 6))]
        routes = site["base"].get("forward", "untouched") != "untouched"
        places = tuple(self.interfaces)
        directions = ["input", "output"] + (["forward"] if routes else [])
        services = self.own_services(self.random.randrange(4), directions, entry=places, exit=places)
        if self.maybe(0.4):
            services["video"] = self.pick(("off", {"to": self.peers()}, {"interface": self.pick(places)}))
        if self.maybe(0.3):
            services["web"] = self.changed("web", "to")
        return {MAIN: {**site, "services": services}}

    def called_device(self, number):
        if self.maybe(0.4):
            return self.address()
        device = {"name": f"device-{number}", "address": self.address()}
        if self.maybe(0.6):
            base = 18000 + 10 * number
            device["forward"] = self.pick((
                {"base": base, "video": "on"}, {"base": base},
                {"rest-api": base, "node": base + 5, "udp-sinks": base + 7},
            ))  # fmt: skip
        return device


def as_list(value):
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def families_of(entries):
    """The families that entries of a group have addresses of."""
    values = [entry["address"] if isinstance(entry, dict) else entry for entry in as_list(entries)]
    return {6 if ":" in text else 4 for value in values for text in as_list(value)}


def make(seed):
    """The files of a random site: name -> data. MAIN is the site."""
    maker = Maker(seed)
    (kind,) = maker.random.choices((maker.host, maker.gateway, maker.client), (6, 3, 1))
    return kind()


def is_gateway(files):
    return files[MAIN]["extends"] == "gateway"


def text(document):
    return yaml.safe_dump(document, sort_keys=False)


def write(files, folder, form=text):
    """Puts a site's files into a folder, as YAML, or in another form that is YAML as well."""
    for name, document in files.items():
        (folder / name).write_text(form(document), encoding="utf-8")


# ---- shrinking ----

OBLIGATORY = {"flowfw", "site", "extends"}


def smaller(value, top=False):
    """Copies of some data, each without one of its parts, large parts first."""
    if isinstance(value, dict):
        for key in value:
            if not (top and key in OBLIGATORY):
                yield {other: one for other, one in value.items() if other != key}
        for key, one in value.items():
            yield from ({**value, key: less} for less in smaller(one))
    elif isinstance(value, list):
        half = len(value) // 2
        yield from (part for part in (value[:half], value[half:]) if part and half > 1)
        if len(value) > 1:
            yield from (value[:index] + value[index + 1 :] for index in range(len(value)))
        for index, one in enumerate(value):
            yield from ([*value[:index], less, *value[index + 1 :]] for less in smaller(one))


def shrunk(files, fails, tries=2000):
    """The least that still fails of what a site was, by a function that tells of files whether they do."""
    files, left = copy.deepcopy(files), tries
    progress = True
    while progress and left > 0:
        progress = False
        for name in files:
            for document in smaller(files[name], top=True):
                left -= 1
                candidate = {**files, name: document}
                if fails(candidate):
                    files, progress = candidate, True
                    break
                if left <= 0:
                    break
    return files
