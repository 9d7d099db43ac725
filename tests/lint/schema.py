# SPDX-License-Identifier: GPL-2.0-or-later
"""The JSON Schema refuses what flowfw refuses for its form, so that an editor tells it while it is typed."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import program  # noqa: E402
import tap  # noqa: E402

SCHEMA = program.SOURCE / "profiles/flowfw-profile.schema.json"
HEAD = "flowfw: 1\nsite: x\nextends: enterprise\n"
GATEWAY = "flowfw: 1\nsite: x\nextends: gateway\noutside: {address: 198.51.100.7}\n"
DEVICE = GATEWAY + "devices: [{name: a, extends: xroads, address: 10.8.0.17, "
CLIENT = "flowfw: 1\nsite: x\nextends: insights\n"
FLEET = "flowfw: 1\nfleet: x\n"
GOOD = [
    HEAD,
    HEAD + "groups: {clients: [10.0.0.0/8, {name: a, address: 10.0.0.1, ports: 1/tcp}]}",
    HEAD + "services: {video: off, ntp: on, ssh: {direction: input, ports: [22/tcp], from: admins}}",
    HEAD + "base: {log: {rate: 10/minute}, echo: limited, rtp: {ports: 5000-6000}}",
    GATEWAY + "inside: {address: [10.8.0.1, '2001:db8::1'], networks: 10.8.0.0/24}\nmasquerade: on\nhairpin: off\n",
    DEVICE + "forward: {base: 18100, video: on, web-admin: 18443}, services: {smtp: off}, groups: {admins: [10.0.0.1]}}]",
    GATEWAY + "devices: [{name: a, site: a.yaml, title: an a, address: [10.8.0.17, '2001:db8::17']}]",
    GATEWAY + "services: {ssh: {direction: forward, ports: 22/tcp, in-interface: outside, out-interface: [inside]}}\n"
    "interfaces: {outside: eth0, inside: eth1}",
    CLIENT + "devices: [10.8.0.0/24, {address: 198.51.100.7, forward: {base: 18100}}]",
    FLEET + "sites: [a.yaml, 'sites/*.yaml', {file: b.yaml, name: c}]\ngateways: d.yaml\ngroups: {admins: [10.0.0.1]}",
]
BAD = {
    "an unknown key": HEAD + "gruops: {}",
    "no extends": "flowfw: 1\nsite: x\n",
    "no version": "site: x\nextends: enterprise\n",
    "another version": "flowfw: 2\nsite: x\nextends: enterprise\n",
    "groups that are a list": HEAD + "groups: [10.0.0.1]",
    "an empty group": HEAD + "groups: {clients: []}",
    "an entry without address": HEAD + "groups: {cameras: [{name: north}]}",
    "an unknown key of an entry": HEAD + "groups: {cameras: [{adress: 10.0.0.1}]}",
    "a group's name in capitals": HEAD + "groups: {Cameras: [10.0.0.1]}",
    "an unknown key of a service": HEAD + "services: {ssh: {direction: input, port: 22/tcp}}",
    "a port without protocol": HEAD + "services: {ssh: {direction: input, ports: 22}}",
    "an unknown protocol of a port": HEAD + "services: {ssh: {direction: input, ports: 22/tpc}}",
    "an unknown direction": HEAD + "services: {ssh: {direction: inward, ports: 22/tcp}}",
    "an unknown level": HEAD + "services: {ssh: {direction: input, ports: 22/tcp, level: vital}}",
    "a service that is a number": HEAD + "services: {video: 5}",
    "an unknown verdict": HEAD + "base: {input: deny}",
    "an unknown switch": HEAD + "base: {dhcp: maybe}",
    "an unknown key of base": HEAD + "base: {ecco: on}",
    "a rate without unit": HEAD + "base: {log: {rate: 10}}",
    "interfaces that are a list": HEAD + "interfaces: [eth0]",
    "a role without services": "flowfw: 1\nrole: x\ntitle: x\n",
    "a profile that defines a service": "flowfw: 1\nprofile: x\ntitle: x\nroles: [node]\n"
    "services: {ssh: {direction: input, ports: 22/tcp}}",
    "an unknown position": "flowfw: 1\nsite: x\nextends: enterprise\nposition: router\n",
    "a network as outside address": GATEWAY.replace("100.7", "100.0/24"),
    "an unknown key of outside": GATEWAY + "inside: {adress: 10.8.0.1}\n",
    "an unknown word for masquerade": GATEWAY + "masquerade: maybe\n",
    "no devices in the list": GATEWAY + "devices: []\n",
    "devices that are a mapping": GATEWAY + "devices: {a: 10.8.0.17}\n",
    "a device without address": GATEWAY + "devices: [{name: a, extends: xroads}]\n",
    "a device's name in capitals": GATEWAY + "devices: [{name: A, extends: xroads, address: 10.8.0.17}]\n",
    "an unknown key of a device": DEVICE + "forwards: {base: 18100}}]\n",
    "a device with two profiles": DEVICE + "site: a.yaml}]\n",
    "groups beside a device's site": GATEWAY + "devices: [{name: a, site: a.yaml, address: 10.8.0.17, groups: {}}]\n",
    "an outside port with a protocol": DEVICE + "forward: {rest-api: 18088/tcp, node: 15556}}]\n",
    "an outside port that is too large": DEVICE + "forward: {base: 65536}}]\n",
    "an order of ports in a site": GATEWAY + "forward: {pair: [rest-api, node]}\n",
    "a mirror in a site": CLIENT + "mirror: [rest-api]\n",
    "a fleet with an unknown key": FLEET + "sties: [a.yaml]\n",
    "a fleet's entry without file": FLEET + "sites: [{name: a}]\n",
}


def main():
    checks = tap.Tap()
    try:
        import jsonschema
        import yaml
    except ImportError as missing:
        checks.skip("the schema", missing)
        return checks.done()
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))

    def accepts(text):
        return validator.is_valid(yaml.safe_load(text))

    for number, text in enumerate(GOOD, 1):
        checks.run(f"takes site {number}", tap.equal, accepts(text), True, text)
    for name, text in BAD.items():
        checks.run(f"refuses {name}", tap.equal, accepts(text), False, text)
        checks.run(f"as flowfw does: {name}", refused_by_flowfw, text)
    return checks.done()


def refused_by_flowfw(text):
    path = program.scratch() / "x.yaml"
    path.write_text(text, encoding="utf-8")
    process = program.flowfw("check", path)
    tap.equal(process.returncode, program.INVALID, f"exit status ({process.stderr.strip()})")


if __name__ == "__main__":
    sys.exit(main())
