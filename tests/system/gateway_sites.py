# SPDX-License-Identifier: GPL-2.0-or-later
"""The gateways under test, as sites for flowfw and for the model.

The first one is a whole city gateway; each other says what is different there. Junction 18 has a site file of its own,
with its own camera, which sends media by itself, admins of its own, whatever name servers there are, and a tunnel that
is no business of the gateway's.
"""

import copy

import gateway_model
import program
import yaml
from gateway_world import DEVICES, FIELD, INSIDE, OUTSIDE, PEOPLE


def both(*names):
    return [address for name in names for address in PEOPLE[name].addresses]


CLIENTS = ["203.0.113.0/25", "2001:db8:20::/64", *both("insider")]
JUNCTION_18 = {
    "flowfw": 1,
    "site": "junction-18",
    "extends": "enterprise",
    "groups": {
        "clients": CLIENTS,
        "admins": both("admin", "viewer"),
        "subscribers": both("subscriber"),
        "cameras": [{"name": "south", "address": both("south"), "ports": ["8554/tcp", "555/udp"]}],
        "time-servers": both("clock"),
        "mail-servers": both("mail"),
    },
    "interfaces": {"vpn": "wg0", "lan": "eth0"},
    "base": {"dns-over-tcp": "on", "rtp": {"ports": "5000-5010"}},
    "services": {
        "video": "off",
        "update": "on",
        "node": {"interface": "lan"},
        "tunnel-ssh": {"direction": "input", "ports": "22/tcp", "interface": "vpn"},
    },
}
CITY = {
    "flowfw": 1,
    "site": "city-gateway",
    "extends": "gateway",
    "interfaces": {"outside": OUTSIDE, "inside": INSIDE, "field": FIELD},
    "outside": {"address": PEOPLE["gateway outside"].ipv4},
    "inside": {"address": PEOPLE["gateway inside"].ipv4, "networks": ["10.8.0.0/24"]},
    "masquerade": "on",
    "hairpin": "on",
    "groups": {
        "clients": CLIENTS,
        "admins": both("admin"),
        "viewers": both("viewer"),
        "subscribers": both("subscriber"),
        "webhooks": [{"name": "city", "address": both("receiver"), "ports": "8443/tcp"}],
        "cameras": ["10.30.1.0/28", PEOPLE["north"].ipv6],
        "time-servers": both("clock"),
        "resolvers": both("names"),
        "mail-servers": both("mail"),
    },
    "devices": [
        {
            "name": "junction-17",
            "extends": "xroads",
            "address": both("junction-17"),
            "forward": {"rest-api": 18088, "node": 15556, "udp-sinks": 15570},
        },
        {
            "name": "junction-18",
            "site": "junction-18.yaml",
            "address": both("junction-18"),
            "forward": {"base": 18100},
        },
    ],
}
SSH = {"title": "administration of the gateway", "direction": "input", "ports": "22/tcp", "from": "admins"}
UPDATES = {
    "title": "updates of the insiders' machines",
    "direction": "forward",
    "ports": "443/tcp",
    "from": PEOPLE["guest"].ipv4,
    "to": "any",
    "out-interface": "outside",
}
OWN_TIME = {"title": "time of the gateway", "direction": "output", "ports": "123/udp", "to": "time-servers"}
CAMERA_TIME = {"direction": "forward", "ports": "123/udp", "from": both("north", "guest"), "in-interface": "field"}
MAINTENANCE = {
    "direction": "forward",
    "ports": "22/tcp",
    "from": "admins",
    "to": "devices",
    "in-interface": "outside",
    "out-interface": "inside",
}
BLOCKS = [
    {
        "name": "junction-17",
        "extends": "xroads",
        "address": both("junction-17"),
        "forward": {"base": 18110, "video": "on", "udp-sinks": "on", "web-admin": 15570},
        "groups": {"viewers": both("stranger")},
        "services": {"smtp": "off", "service-vpn": {"to": both("stranger")}},
    },
    {
        "name": "junction-18",
        "site": "junction-18.yaml",
        "address": both("junction-18"),
        "forward": {"base": 18100, "update": "on", "web-admin": "off"},
    },
]

# What differs from CITY; None takes a key away.
VARIANTS = {
    "city": {},
    "no hairpin": {"hairpin": "off"},
    "no masquerade": {"masquerade": "off"},
    "claimed": {"base": {"input": "drop", "output": "drop"}, "services": {"ssh": SSH, "own-time": OWN_TIME}},
    "IPv6 outside": {
        "outside": {"address": both("gateway outside")},
        "inside": {"address": both("gateway inside"), "networks": ["10.8.0.0/24", "2001:db8:8::/64"]},
    },
    "no interfaces": {"interfaces": None, "masquerade": None},
    "no interfaces, no hairpin": {"interfaces": None, "masquerade": None, "hairpin": None, "inside": None},
    "own services": {"services": {"updates": UPDATES, "camera-time": CAMERA_TIME, "maintenance": MAINTENANCE}},
    "blocks": {"devices": BLOCKS},
    "no translation": {
        key: None for key in ("outside", "inside", "masquerade", "hairpin")
    } | {"devices": [{**device, "forward": None} for device in CITY["devices"]]},
}  # fmt: skip


def without_none(value):
    return {key: one for key, one in value.items() if one is not None}


def write(name, document):
    """A file that a site refers to; its whole path."""
    path = program.scratch() / name
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return str(path)


def site(variant="city", **more):
    """A site as text, with what it refers to on disk."""
    document = without_none(copy.deepcopy({**CITY, **VARIANTS[variant], **more}))
    document["devices"] = [without_none(device) for device in document["devices"]]
    for device in document["devices"]:
        if device.get("site") == "junction-18.yaml":
            device["site"] = write(device["site"], JUNCTION_18)
    return yaml.safe_dump(document, sort_keys=False)


def meaning_of(text):
    """The model of a site."""
    path = program.scratch() / "gateway.yaml"
    path.write_text(text, encoding="utf-8")
    return gateway_model.read(path, program.SOURCE / "profiles")


assert all(device["name"] == name for device, name in zip(CITY["devices"], DEVICES))
