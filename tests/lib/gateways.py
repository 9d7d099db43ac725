# SPDX-License-Identifier: GPL-2.0-or-later
"""Random gateways, each the same for the same seed: a site, and the site files of some devices behind it."""

import random

import yaml

PROFILES = ("xroads", "enterprise", "embedded", "node", "block")
CALLERS = ("203.0.113.0/24", "203.0.113.0/25", "203.0.113.9", "203.0.113.16-203.0.113.30", "10.8.0.0/24",
           "2001:db8:20::/48", "2001:db8:20::9", "2001:db8:8::/64")  # fmt: skip
CAMERAS = ("10.30.1.11", "10.30.0.0/16", "10.30.2.0/28", {"name": "own", "address": "10.30.3.1", "ports": "8554/tcp"},
           {"address": ["10.30.3.2", "2001:db8:30::2"], "ports": ["9554/tcp+udp", "7000-7002/udp"]},
           "2001:db8:30::/64")  # fmt: skip
GROUPS = ("clients", "viewers", "subscribers", "admins", "resolvers", "time-servers", "mail-servers")
SETTINGS = (
    {"video": "off"},
    {"smtp": {"ports": ["465/tcp", "587/tcp"], "to": "203.0.113.25"}},
    {"node": {"limit": "10/minute per source"}},
    {"rest-api": {"except": "203.0.113.9"}},
    {"update": "on", "web-admin": {"from": ["admins", "203.0.113.77"]}},
    {"udp-sinks": {"ports": "55571/udp"}},
    {"extra": {"direction": "input", "ports": ["161/udp", "9100-9105/tcp"], "from": "203.0.113.40"}},
    {"mdns": "on", "dns": "off"},
)


class Maker:
    def __init__(self, seed):
        self.random = random.Random(f"gateway {seed}")
        self.files = {}
        self.port = 18000

    def some(self, choices, most=3):
        return self.random.sample(choices, self.random.randint(1, most))

    def often(self):
        return self.random.random() < 0.6

    def groups(self, names=GROUPS):
        found = {name: self.some(CALLERS) for name in names if self.often()}
        return {**found, "cameras": self.some(CAMERAS)} if self.often() else found

    def forward(self, profile, settings):
        """Ports that no other device has; what is off is not forwarded."""
        self.port += 10
        services = {
            "block": ["video", "udp-sinks", "rest-api"],
            "node": ["node"],
        }.get(profile, ["video", "udp-sinks", "web-admin"])
        services = [name for name in services if settings.get(name) != "off"]
        more = self.random.sample(services, self.random.randint(0, len(services)))
        if self.often():
            return {"base": self.port, **dict.fromkeys((name for name in more if name not in ("rest-api", "node")), "on")}
        pair = {"block": ["rest-api"], "node": ["node"]}.get(profile, ["rest-api", "node"])
        return {name: self.port + index for index, name in enumerate(dict.fromkeys(pair + more))}

    def device(self, number, outside):
        choose = self.random.choice
        families = choose(((4,), (4, 6), (6,), (4,)))
        addresses = [{4: f"10.8.0.{number + 10}", 6: f"2001:db8:8::{number + 10}"}[family] for family in families]
        name, profile = f"junction-{number}", choose(PROFILES)
        device = {"name": name, "address": addresses if len(addresses) > 1 or self.often() else addresses[0]}
        settings = choose(({}, *SETTINGS)) if profile not in ("node", "block") else {}
        if self.often() or profile == "block":
            device["extends"] = profile
            device |= {"services": settings} if settings else {}
            device |= {"groups": self.groups(("clients", "admins"))} if not self.often() else {}
        else:
            device["site"] = f"{name}.yaml"
            self.files[device["site"]] = {
                "flowfw": 1, "site": name, "extends": profile, "groups": self.groups(),
                "interfaces": {"lan": "eth0", "vpn": "wg0"},
                "services": {**settings, "ssh": {"direction": "input", "ports": "22/tcp", "from": "10.99.0.0/16",
                                                 "interface": choose((["vpn"], ["lan"], ["lan", "vpn"]))}},
            }  # fmt: skip
        if outside & set(families) and self.often():
            device["forward"] = self.forward(profile, settings)
        return device

    def site(self):
        choose = self.random.choice
        site = {"flowfw": 1, "site": "city-gateway", "extends": "gateway", "groups": self.groups()}
        outside = choose((set(), {4}, {4}, {4, 6}, {6}))
        named = choose(({}, {"outside": "eth0", "inside": "eth1"}, {"outside": ["eth0", "eth2"], "inside": "eth1"},
                        {"inside": ["eth1", "eth3"]}))  # fmt: skip
        site["interfaces"] = {**named, "office": "eth4"}
        if outside:
            addresses = {4: "198.51.100.7", 6: "2001:db8:1::7"}
            site["outside"] = {"address": [addresses[family] for family in sorted(outside)]}
        if outside and self.often():
            networks = {4: ["10.8.0.0/24", "10.8.4.0-10.8.4.9"], 6: ["2001:db8:8::/64"]}
            site["inside"] = {
                "address": [{4: "10.8.0.1", 6: "2001:db8:8::1"}[family] for family in sorted(outside)],
                "networks": [network for family in sorted(outside) for network in networks[family]],
            }
            site["hairpin"] = "on" if len(named) != 1 and self.often() else "off"
        if "outside" in named and self.often():
            site["masquerade"] = "on"
        services = {}
        if self.often():
            site["base"] = {"input": "drop", "output": "drop", "echo": choose(("on", "off", "limited"))}
            services["ssh"] = {"direction": "input", "ports": "22/tcp", "from": "203.0.113.9"}
            services["dns"] = "on"
        if self.often():
            services["office-web"] = {"direction": "forward", "ports": "443/tcp", "from": "10.9.0.0/24",
                                      "in-interface": "office", "except": "devices"}  # fmt: skip
            services["maintenance"] = {"direction": "forward", "ports": "22/tcp", "from": "203.0.113.9", "to": "devices"}
        site["services"] = services
        site["devices"] = [self.device(number, outside) for number in range(self.random.randint(1, 6))]
        return site


def write(seed, folder):
    """Makes site.yaml of this seed in the folder, and what it refers to; the site as data."""
    maker = Maker(seed)
    site = maker.site()
    for name, document in {"site.yaml": site, **maker.files}.items():
        (folder / name).write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return site
