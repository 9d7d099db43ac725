# SPDX-License-Identifier: GPL-2.0-or-later
"""The small network of the system tests: a device, an operator, a camera and a stranger on one switch."""

import forms
import netns

DEVICE4, DEVICE6 = "192.0.2.1", "2001:db8::1"
VENDOR = "172.105.65.31"  # the published address of the service VPN, on the stranger's interface

# Who has which address, by the last part of it.
OPERATOR = {"clients": 10, "admins": 11, "viewers": 12, "subscribers": 13, "webhooks": 14,
            "resolvers": 53, "mail-servers": 25, "time-servers": 123}
CAMERA = {"north": 30, "south": 31}
STRANGER = {"stranger": 66}
EVERYBODY = {**OPERATOR, **CAMERA, **STRANGER}


def ipv4(who):
    return f"192.0.2.{EVERYBODY[who]}"


def ipv6(who):
    return f"2001:db8::{EVERYBODY[who]:x}"


def addresses(who):
    return [ipv4(who), ipv6(who)]


# A site that names every group, as data for the model and as YAML for flowfw.
GROUPS = {
    **{group: addresses(group) for group in OPERATOR if group != "webhooks"},
    "webhooks": [{"address": address, "ports": "8443/tcp"} for address in addresses("webhooks")],
    "cameras": addresses("north")
    + [{"address": address, "ports": ["8554/tcp", "8554/udp"]} for address in addresses("south")],
}


class World:
    """The hosts, wired up. Everything may talk to everything until the device gets rules, in one form or another."""

    def __init__(self):
        self.form = forms.FORMS[0]
        self.switch = netns.Switch()
        self.device, self.operator, self.camera, self.stranger = (
            netns.Host(name) for name in ("device", "operator", "camera", "stranger")
        )
        self.hosts = [self.device, self.operator, self.camera, self.stranger]
        self.switch.plug(self.device, [f"{DEVICE4}/24", f"{DEVICE6}/64"])
        self.device.run("ip", "route", "add", f"{VENDOR}/32", "dev", "eth0")
        self.owners = {DEVICE4: self.device, DEVICE6: self.device, VENDOR: self.stranger}
        for host, residents in ((self.operator, OPERATOR), (self.camera, CAMERA), (self.stranger, STRANGER)):
            own = [f"{ipv4(who)}/24" for who in residents] + [f"{ipv6(who)}/64" for who in residents]
            self.switch.plug(host, own + ([f"{VENDOR}/32"] if host is self.stranger else []))
            self.owners.update({address: host for who in residents for address in addresses(who)})

    def add_cable(self, name, device_addresses, operator_addresses):
        """Joins device and operator past the switch, by interfaces of this name."""
        self.device.run("ip", "link", "add", name, "type", "veth", "peer", "name", name, "netns", self.operator.pid)
        for host, own in ((self.device, device_addresses), (self.operator, operator_addresses)):
            netns.bring_up(host, name, [f"{address}/{64 if ':' in address else 24}" for address in own])
            self.owners.update(dict.fromkeys(own, host))

    def host_of(self, address):
        """Whose address it is."""
        return self.owners[address]

    def receiver_of(self, address):
        """Who hears what is sent there: its owner, and the device for multicast."""
        return self.owners.get(address, self.device)

    def load(self, site):
        """Gives the device the rules of a site, the way an admin would."""
        self.form.load(self.device, self.form.make(site))

    def unload(self):
        self.form.unload(self.device)
