# SPDX-License-Identifier: GPL-2.0-or-later
"""What `explain` says of packets is what tests/lib/meaning.py makes of the YAML files alone, and it names the lines."""

import ipaddress
import json
import re
import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import meaning  # noqa: E402
import program  # noqa: E402
import tap  # noqa: E402
from program import DIFFERS, INVALID, OK, USAGE, flowfw  # noqa: E402

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
SITES = (
    "junction-17", "except", "interfaces", "own-ports", "other-matches", "limits", "groups-overlap", "hop-limit",
    "reject", "accept-output", "udp-push", "rtp", "forward-claimed", "client-network", "gateway-small",
    "gateway-forward-service", "gateway-input-claimed",
)  # fmt: skip
GATEWAYS = ("gateway-small", "gateway-hairpin", "gateway-v6-translated", "explain-gateway")
PACKETS = 250
DISCOVERY = range(133, 138)  # descriptions stand for the hop limit that these have
ICMP = {meaning.ICMP: "icmp", meaning.ICMP6: "icmpv6"}


def read(site):
    return meaning.read("site.yaml", GOLDEN / site, program.SOURCE / "profiles")


def interfaces(site):
    """The kernel's names, and one that nobody knows."""
    return [name for names in site.interfaces.values() for name in names] + ["eth9"]


def sentence(packet):
    """The packet in words; all of it is said."""
    words = [packet.hook]
    if packet.protocol in (meaning.TCP, meaning.UDP):
        words.append(f"{packet.port}/{'tcp' if packet.protocol == meaning.TCP else 'udp'}")
    elif packet.protocol in ICMP:
        words.append(f"{ICMP[packet.protocol]} {packet.type}/{packet.code}")
    else:
        words.append(str(packet.protocol))
    words.append(f"from {packet.source} to {packet.destination}")
    if packet.hook == "forward":
        words.append(f"in-interface {packet.interface} out-interface {packet.exit}")
    else:
        words.append(f"on {packet.interface}")
    if packet.protocol in (meaning.TCP, meaning.UDP):
        words.append(f"source-port {packet.source_port}")
    return " ".join(words)


def can_be_said(packet):
    """Types are said with their own family, and what has a hop limit of its own as it is."""
    if packet.protocol in ICMP and (packet.protocol == meaning.ICMP) != (packet.family == 4):
        return False
    if packet.protocol in (meaning.TCP, meaning.UDP) and 0 in (packet.port, packet.source_port):
        return False
    return packet.protocol != meaning.ICMP6 or packet.hop_limit == 255


def explain(site, sentences):
    """The answers, in order."""
    process = flowfw("explain", "--json", "site.yaml", *sentences, cwd=GOLDEN / site)
    answers = json.loads(process.stdout)["answers"]
    tap.equal([answer["packet"] for answer in answers], list(sentences), "packets")
    allowed = all(answer["answer"] == "allowed" for answer in answers)
    tap.equal(process.returncode, OK if allowed else DIFFERS, "exit status")
    return answers


def check_services(part, judgement, said):
    """The services that let all of it through are those that hold it."""
    if part["decided-by"] == "service":
        told = {service["service"] for service in part["services"] if not service["narrower"]}
        tap.equal(told, set(judgement.services), f"services of {said}")
        tap.equal(part["limited"], judgement.verdict == "may", f"limit of {said}")


def agrees(site):
    """of {}, packet by packet"""
    own = read(site)
    addresses = meaning.own_addresses(own, "10.8.0.200", "fd00::200")
    prober = meaning.Prober(own, addresses, interfaces(own), f"explain {site}")
    packets = {sentence(packet): packet for packet in prober.packets(PACKETS) if can_be_said(packet)}
    packets = {said: packet for said, packet in packets.items() if forwarded(own, packet) is None}
    for said, answer in zip(packets, explain(site, packets)):
        judgement = own.judge(packets[said])
        wanted = "denied" if judgement.verdict in ("drop", "reject") else "allowed"
        tap.equal(answer["answer"], wanted, said)
        check_services(answer["parts"][0], judgement, said)


def forwarded(own, packet):
    """What comes in at a gateway, behind its translation; None where it stays as it is."""
    arriving = replace(packet, hook="forward")
    behind = own.translated(arriving)
    return behind if packet.hook == "input" and behind is not arriving and behind != arriving else None


def callers(own):
    """Addresses in and beside the ranges that anything says of sources."""
    tops = {4: 2**32 - 1, 6: 2**128 - 1}
    ranges = [one for permission in own.permissions for one in permission.source or ()]
    found = {
        meaning.make(family, number)
        for family, low, high in ranges
        for number in (low, high, min(high + 1, tops[family]))
    }
    return sorted(found | {ipaddress.ip_address("192.0.2.1"), ipaddress.ip_address("2001:db8:ffff::1")}, key=str)


def gateway(site):
    """of {}, translated"""
    own = read(site)
    translation = own.translation
    packets = {}
    for (family, protocol, port), (address, inside_port, *_) in translation.forwardings.items():
        for outside in (one for one in translation.outside if one.version == family):
            for source in (one for one in callers(own) if one.version == family):
                for interface in interfaces(own):
                    packet = meaning.Packet("input", interface, protocol, source, outside, 50000, port)
                    packets[sentence(packet)] = packet
    assert packets
    for said, answer in zip(packets, explain(site, packets)):
        behind = forwarded(own, packets[said])
        part = answer["parts"][0]
        tap.equal(len(answer["parts"]), 1, f"parts of {said}")
        if behind is None:
            tap.equal("forwarded" in part, False, f"forwarding of {said}")
            judgement = own.judge(packets[said])
            wanted = judgement.verdict in ("accept", "may", "untouched")
        else:
            tap.equal(part["forwarded"]["address"], str(behind.destination), f"address of {said}")
            tap.equal(part["forwarded"]["port"], behind.port, f"port of {said}")
            ways = [replace(behind, exit=name) for name in interfaces(own)]
            wanted = any(own.judge(way).verdict in ("accept", "may") for way in ways)
            source = translation.source(behind, True)
            hairpin = source and str(source)
            tap.equal(part["forwarded"].get("hairpin-address"), hairpin if wanted else None, f"source of {said}")
        tap.equal(answer["answer"], "allowed" if wanted else "denied", said)


def places():
    """names lines that hold what they are said to hold"""
    folder = GOLDEN / "junction-17"
    answers = explain("junction-17", ["input 8088/tcp from 10.20.1.1", "output 8554/tcp to 10.30.1.12"])
    for answer, entry, word in zip(answers, ("from", "to"), ("10.20.0.0/16", "10.30.1.12")):
        service = answer["parts"][0]["services"][0]
        lines = {"defined": f"{service['service']}:", "listed": service["service"]}
        for key, wanted in (*lines.items(), ("place", word)):
            place = service[entry]["place"] if key == "place" else service[key]
            line = (folder / place["file"]).read_text(encoding="utf-8").splitlines()[place["line"] - 1]
            assert line[place["column"] - 1 :].startswith(wanted) or key == "place" and wanted in line, (key, line)


def options():
    """takes options, one sentence's words, and several profiles"""
    site = GOLDEN / "junction-17/site.yaml"
    for more, said in (
        (["--port", "8088", "--from", "10.20.1.1"], "input 8088/tcp from 10.20.1.1"),
        (["--port", "53/udp", "--hook", "output"], "output 53/udp"),
        (["--proto", "udp", "--port", "53", "--hook", "output", "--on", "uplink"], "output 53/udp on uplink"),
        (["--icmp", "echo-request", "--from", "::1"], "input icmpv6 echo-request from ::1"),
        (["--icmpv6", "1/2", "--state", "new"], "input icmpv6 1/2 state new"),
        (["--proto", "esp", "--in-interface", "a", "--out-interface", "b", "--hook", "forward"],
         "forward esp in-interface a out-interface b"),
        (["--port", "1", "--source-port", "7", "--to", "10.0.0.1"], "input 1/tcp to 10.0.0.1 source-port 7"),
        (["input", "8088/tcp", "from", "10.20.1.1"], "input 8088/tcp from 10.20.1.1"),
    ):  # fmt: skip
        alone, together = flowfw("explain", site, said), flowfw("explain", site, *more)
        tap.equal(together.stdout, alone.stdout, said)
        tap.equal(together.returncode, alone.returncode, said)
        assert together.stderr == "" and together.stdout.startswith(said), together
    both = flowfw("explain", site, "enterprise", "input 8088/tcp from 10.20.1.1", "output 53/udp")
    tap.equal(len(re.findall(r"^\S.*: ALLOWED$", both.stdout, re.M)), 4, "answers")
    assert f"{site}: input" in both.stdout and "\nenterprise: output" in both.stdout, both.stdout


def mistakes():
    """prints nothing where a sentence or a profile is wrong"""
    site = GOLDEN / "junction-17/site.yaml"
    for arguments, status in (
        ([site, "inpt 8088/tcp from 10.20.1.1"], USAGE),
        ([site, "input 8088/tcp", "input 8088"], USAGE),
        ([site, site], USAGE),
        ([], USAGE),
        (["input 8088/tcp"], USAGE),
        ([site, "--port"], USAGE),
        ([site, "--port", "8088", "--icmp", "1"], USAGE),
        ([site, "--port", "8088/tcp", "--proto", "udp"], USAGE),
        (["enterprize", "input 8088/tcp"], INVALID),
    ):
        process = flowfw("explain", *arguments)
        tap.equal(process.returncode, status, f"exit status of {arguments}")
        assert process.stderr != "", arguments


def named(function, site):
    def check():
        function(site)

    check.__doc__ = function.__doc__.format(site)
    return check


if __name__ == "__main__":
    CHECKS = [named(agrees, site) for site in SITES] + [named(gateway, site) for site in GATEWAYS]
    sys.exit(tap.main([*CHECKS, places, options, mistakes]))
