# SPDX-License-Identifier: GPL-2.0-or-later
"""What a table of calls does not show of a gateway, with real packets: logging in as a person would, forged addresses,
ICMP errors and a narrow path through the translation, ping, and what is left when other rules are loaded.

Each check loads its own rules, in each form that a gateway may load. Where something must not arrive, the same attempt
arrives in the same check, under other rules or from another sender.
"""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import gateway_calls  # noqa: E402
import gateway_forms  # noqa: E402
import gateway_sites  # noqa: E402
import gateway_world  # noqa: E402
import netns  # noqa: E402
import probes  # noqa: E402
import tap  # noqa: E402
from gateway_world import NARROW, PEOPLE  # noqa: E402

LISTENING = [
    *(("tcp", port) for port in (22, 443, 8000, 8088, 5556, 9000, 15556, 18088, 18100, 18101)),
    *(("udp", port) for port in (53, 123, 554, 9000, 15570, 31228)),
]  # nobody listens on 55570/udp and 40001/udp, which are let through
TALKATIVE = 5556
OUTSIDE, OUTSIDE6 = "198.51.100.7", "2001:db8:ffff::7"

net = None  # the World, made in main()
form = None  # that is being tried


def load(variant="city", **more):
    form.load(net.gateway, form.make(gateway_sites.site(variant, **more)))


def unload():
    form.unload(net.gateway)


def expect(condition, text):
    if not condition:
        raise AssertionError(text)


def check_calls(*calls):
    """Calls of (protocol, source, destination, port, who hears whom where), the last None for no answer at all."""
    expected = {probes.Probe(*call): seen for *call, seen in calls}
    awaited = frozenset(probe for probe, seen in expected.items() if seen)
    answers, heard = net.call_until(list(expected), awaited)
    for probe, seen in expected.items():
        tap.equal(answers.get(probe), seen, f"answer of {probe}")
        if probe.protocol == "udp" and seen is None:
            tap.equal(heard.get(probe), None, f"what is heard of {probe}")


def addresses_of(name):
    return PEOPLE[name].addresses


def log_in_to_both():
    """both devices are logged in to at one address, each on its own pair of ports"""
    load()
    check_calls(
        ("tcp", "203.0.113.10", OUTSIDE, 18088, "junction-17 hears 203.0.113.10 at 10.8.0.17 port 8088"),
        ("tcp", "203.0.113.10", OUTSIDE, 15556, "junction-17 hears 203.0.113.10 at 10.8.0.17 port 5556"),
        ("tcp", "203.0.113.10", OUTSIDE, 18100, "junction-18 hears 203.0.113.10 at 10.8.0.18 port 8088"),
        ("tcp", "203.0.113.10", OUTSIDE, 18101, "junction-18 hears 203.0.113.10 at 10.8.0.18 port 5556"),
    )


def strangers_get_nothing():
    """a stranger gets nothing on forwarded ports, and nobody anything on others"""
    load("claimed")
    forwarded, others = (18088, 15556, 18100, 18101), (22, 5556, 8000, 8088, 9000)
    past_gateway = list(zip(addresses_of("stranger"), addresses_of("junction-17")))
    check_calls(
        *(("tcp", "192.0.2.66", OUTSIDE, port, None) for port in forwarded + others),
        *(("tcp", "203.0.113.10", OUTSIDE, port, None) for port in others),
        *(("tcp", *ends, port, None) for ends in past_gateway for port in others),
        ("tcp", "203.0.113.200", OUTSIDE, 22, "gateway hears 203.0.113.200 at 198.51.100.7 port 22"),
        ("tcp", "203.0.113.10", OUTSIDE, 18101, "junction-18 hears 203.0.113.10 at 10.8.0.18 port 5556"),
    )


def devices_get_out():
    """devices reach what they need, by the gateway's address where that is outside, and nothing else"""
    load()
    check_calls(
        ("udp", "10.8.0.17", "192.0.2.123", 123, f"internet hears {OUTSIDE} at 192.0.2.123 port 123"),
        ("udp", "10.8.0.18", "192.0.2.123", 123, f"internet hears {OUTSIDE} at 192.0.2.123 port 123"),
        ("udp", "10.8.0.18", "192.0.2.53", 53, f"internet hears {OUTSIDE} at 192.0.2.53 port 53"),
        ("udp", "10.8.0.17", "172.105.65.31", 31228, f"internet hears {OUTSIDE} at 172.105.65.31 port 31228"),
        ("tcp", "10.8.0.17", "192.0.2.66", 443, f"internet hears {OUTSIDE} at 192.0.2.66 port 443"),
        ("udp", "10.8.0.17", "10.30.1.11", 554, "cameras hears 10.8.0.17 at 10.30.1.11 port 554"),
        ("udp", "2001:db8:8::17", "2001:db8:66::53", 53, "internet hears 2001:db8:8::17 at 2001:db8:66::53 port 53"),
        ("udp", "10.8.0.17", "192.0.2.66", 31228, None),
        ("udp", "10.8.0.17", "192.0.2.66", 53, None),
        ("udp", "10.8.0.18", "10.30.1.11", 554, None),
        ("tcp", "10.8.0.17", "192.0.2.66", 22, None),
        ("tcp", "10.8.0.17", "10.8.0.18", 8088, None),
        ("tcp", "10.8.0.17", OUTSIDE, 18100, None),
    )


def hairpin():
    """an insider reaches both devices at the outside address, with `hairpin` alone"""
    load()
    check_calls(
        ("tcp", "10.8.0.50", OUTSIDE, 18088, "junction-17 hears 10.8.0.1 at 10.8.0.17 port 8088"),
        ("tcp", "10.8.0.50", OUTSIDE, 18101, "junction-18 hears 10.8.0.1 at 10.8.0.18 port 5556"),
        ("tcp", "10.8.0.66", OUTSIDE, 18101, None),
    )
    load("no hairpin", base={"input": "drop"})
    check_calls(
        ("tcp", "10.8.0.50", OUTSIDE, 18088, None),
        ("tcp", "10.8.0.50", OUTSIDE, 18101, None),
        ("tcp", "203.0.113.10", OUTSIDE, 18101, "junction-18 hears 203.0.113.10 at 10.8.0.18 port 5556"),
    )


def ipv6_untranslated():
    """IPv6 passes in both directions as it is, where the outside address is IPv4"""
    load()
    device, client = "2001:db8:8::18", "2001:db8:20::10"
    check_calls(
        ("tcp", client, device, 8088, f"junction-18 hears {client} at {device} port 8088"),
        ("tcp", device, client, 443, f"operator hears {device} at {client} port 443"),
        ("tcp", client, device, 9000, None),
        ("tcp", device, client, 9000, None),
    )


def ipv6_translated():
    """with an outside address of IPv6 its ports are the devices' too, and the devices keep their addresses"""
    load("IPv6 outside")
    client = "2001:db8:20::10"
    check_calls(
        ("tcp", client, OUTSIDE6, 18088, f"junction-17 hears {client} at 2001:db8:8::17 port 8088"),
        ("tcp", client, OUTSIDE6, 18101, f"junction-18 hears {client} at 2001:db8:8::18 port 5556"),
        ("tcp", "2001:db8:8::50", OUTSIDE6, 18101, "junction-18 hears 2001:db8:8::1 at 2001:db8:8::18 port 5556"),
        ("tcp", "2001:db8:66::66", OUTSIDE6, 18101, None),
        ("tcp", "2001:db8:8::18", client, 443, f"operator hears 2001:db8:8::18 at {client} port 443"),
    )


def forged_sources():
    """what comes from outside in a device's name is dropped; where no interface is named nobody can tell"""
    forged = [probes.Probe("udp", *ends, 554) for ends in zip(addresses_of("junction-17"), addresses_of("north"))]
    seen = {str(probe): gateway_calls.seen("cameras", probe.source, probe.destination, 554) for probe in forged}
    for variant, expected in ((None, seen), ("city", {}), ("no interfaces", seen), ("no hairpin", {})):
        unload() if variant is None else load(variant)
        tap.equal(net.forge(forged, "operator"), expected, f"what is heard of forged packets: {variant}")


def invalid_packets():
    """what connection tracking calls invalid is dropped, where the device itself would be called"""
    for client, device in zip(addresses_of("client"), addresses_of("junction-17")):
        probe = probes.Probe("tcp", client, device, 8088)
        seen = gateway_calls.seen("junction-17", client, device, 8088)
        for variant, expected in ((None, {str(probe): seen}), ("city", {})):
            unload() if variant is None else load(variant)
            tap.equal(net.damaged(probe), expected, f"what is heard of a damaged packet: {variant}")
        check_calls(("tcp", client, device, 8088, seen))


def errors_come_back():
    """ICMP errors come back through the translation, to devices and to who calls them"""
    load()
    for caller, called, port in (
        ("10.8.0.17", "203.0.113.202", 40001),  # masqueraded
        ("2001:db8:8::17", "2001:db8:21::202", 40001),
        ("203.0.113.202", OUTSIDE, 15570),  # forwarded
        ("2001:db8:21::202", "2001:db8:8::17", 55570),
    ):
        heard = net.host_of(caller).call(probes.ask, "udp", caller, called, port, next(net.source_ports))
        tap.equal(heard, "ECONNREFUSED", f"what {caller} hears of a closed port of {called}")


def narrow_path():
    """a device learns that the path to its caller is narrow, behind the translation too, and its pictures arrive"""
    load()
    operator, device = net.hosts["operator"], net.hosts["junction-18"]
    for client, called, port in (("203.0.113.10", OUTSIDE, 18101), ("2001:db8:20::10", "2001:db8:8::18", 5556)):
        device.run("ip", "-6" if ":" in client else "-4", "route", "flush", "cache")
        operator.call(gateway_calls.begin, client, called, port)
        tap.equal(operator.call(gateway_calls.picture), len(gateway_calls.PICTURE), f"bytes that come to {client}")
        route = device.run("ip", "route", "get", client)[1]
        expect(f"mtu {NARROW}" in route, f"the path to {client} was not narrow: {route}")


def ping():
    """devices are pinged up to the limit, and ping; `echo: on` answers all, `echo: off` none"""
    operator, device = net.hosts["operator"], net.hosts["junction-17"]
    for client, address, clock in zip(addresses_of("client"), addresses_of("junction-17"), addresses_of("clock")):
        for setting, low, high in (("on", 60, 60), ("off", 0, 0), ("limited", 10, 40)):
            load(base={"echo": setting})
            count = operator.call(probes.echo, client, address, 60)
            expect(low <= count <= high, f"echo: {setting}: {count} of 60 are answered by {address}")
        for setting, count in (("off", 0), ("limited", 3)):
            load(base={"echo": setting})
            tap.equal(device.call(probes.echo, address, clock, 3), count, f"own pings with echo: {setting}")


def others_ping():
    """who is no device is not pinged through the gateway, and pings nobody"""
    for setting, count in ((None, 3), ("on", 0)):
        unload() if setting is None else load(base={"echo": setting})
        for caller, called in (("client", "north"), ("client", "insider"), ("insider", "client"), ("north", "clock")):
            for ends in zip(addresses_of(caller), addresses_of(called)):
                answered = net.host_of(ends[0]).call(probes.echo, *ends, 3)
                tap.equal(answered, count, f"pings from {caller} to {called} that are answered: {setting}")


def refusals():
    """`forward: reject` tells who is refused, and `drop` does not"""
    for verdict, told in (("reject", "ECONNREFUSED"), ("drop", None)):
        load(base={"forward": verdict})
        for stranger, device in zip(addresses_of("stranger"), addresses_of("junction-17")):
            source_port = next(net.source_ports)
            heard = net.internet.call(probes.ask, "tcp", stranger, device, 8088, source_port, 0.3)
            tap.equal(heard, told, f"{verdict}: what {stranger} hears of {device}")
        check_calls(("tcp", "203.0.113.10", OUTSIDE, 18088, "junction-17 hears 203.0.113.10 at 10.8.0.17 port 8088"))


def limits():
    """a limit of a service is one budget for all devices that have it, or half a budget for each family"""
    limited = {"udp-sinks": {"ports": "9000/udp", "limit": "6/hour burst 6"}}
    load(
        devices=[
            {"name": name, "extends": "xroads", "address": list(PEOPLE[name].addresses), "services": limited}
            for name in gateway_world.DEVICES
        ]
    )
    together, apart = (4, 2, 0), (3, 0, 3)
    calls = (
        ("203.0.113.202", "10.8.0.17"), ("203.0.113.202", "10.8.0.18"), ("2001:db8:21::202", "2001:db8:8::17"),
    )  # fmt: skip
    for ends, passed in zip(calls, together if form.one_bucket else apart):
        heard = [net.call([probes.Probe("udp", *ends, 9000)])[1] for _ in range(4)]
        tap.equal(sum(map(len, heard)), passed, f"of 4 datagrams from {ends[0]} to {ends[1]} that are heard")


def loading_again():
    """loading the same again changes nothing: the list is the same, and a translated connection goes on"""
    unload()
    load()
    first = form.listing(net.gateway)
    operator = net.hosts["operator"]
    for client, called, port in (("203.0.113.10", OUTSIDE, 15556), ("2001:db8:20::10", "2001:db8:8::18", 5556)):
        operator.call(gateway_calls.begin, client, called, port)
        for _ in range(2):
            load()
            tap.equal(operator.call(gateway_calls.repeat, b"still there?"), b"still there?", "what comes back")
    tap.equal(form.listing(net.gateway), first, "the list")
    log_in_to_both()


def other_site():
    """of a gateway's older rules nothing is left, whatever the new ones lack"""
    load("IPv6 outside")
    forwarded = ("tcp", "203.0.113.10", OUTSIDE, 18088, "junction-17 hears 203.0.113.10 at 10.8.0.17 port 8088")
    forwarded6 = ("tcp", "2001:db8:20::10", OUTSIDE6, 18088)
    check_calls(forwarded, (*forwarded6, "junction-17 hears 2001:db8:20::10 at 2001:db8:8::17 port 8088"))
    load("city", base={"input": "drop"})
    check_calls(forwarded, (*forwarded6, None))
    load("no translation", base={"input": "drop"})
    check_calls(
        (*forwarded[:4], None),
        ("tcp", "10.8.0.50", OUTSIDE, 18088, None),
        ("udp", "10.8.0.17", "192.0.2.123", 123, "internet hears 10.8.0.17 at 192.0.2.123 port 123"),
    )
    load("IPv6 outside")
    check_calls(forwarded, (*forwarded6, "junction-17 hears 2001:db8:20::10 at 2001:db8:8::17 port 8088"))


def host_again():
    """a host's rules on the same machine end the translation, and leave the forward hook alone"""
    load()
    form.load(net.gateway, form.make("flowfw: 1\nsite: host\nextends: enterprise\n"))
    check_calls(
        ("tcp", "203.0.113.10", OUTSIDE, 18088, None),
        ("tcp", "10.8.0.50", OUTSIDE, 18101, None),
        ("udp", "10.8.0.17", "192.0.2.66", 123, "internet hears 10.8.0.17 at 192.0.2.66 port 123"),
    )
    expect(not re.search(r"\b[ds]nat\b|masquerade", form.listing(net.gateway)), form.listing(net.gateway))


def other_rules_survive():
    """what somebody else translates stays as it is: the rules, and the packets"""
    unload()
    form.add_foreign(net.gateway)
    try:
        check_beside_others(form.foreign(net.gateway))
    finally:
        unload()


def check_beside_others(before):
    watch = {"direction": "forward", "ports": "9000/tcp", "from": "10.8.0.50", "to": "10.30.1.11"}
    for variant in ("city", "no translation", "city", "city"):
        load(variant, services={"watch": watch})
    tap.equal(form.foreign(net.gateway), before, "the other rules")
    check_calls(
        ("tcp", "192.0.2.66", OUTSIDE, 9001, f"gateway hears 192.0.2.66 at {OUTSIDE} port 22"),
        ("tcp", "203.0.113.10", OUTSIDE, 18088, "junction-17 hears 203.0.113.10 at 10.8.0.17 port 8088"),
        ("tcp", "10.8.0.50", OUTSIDE, 18088, "junction-17 hears 10.8.0.1 at 10.8.0.17 port 8088"),
        ("tcp", "10.8.0.50", "10.8.0.1", 9000, "cameras hears 10.8.0.50 at 10.30.1.11 port 9000"),
    )


CHECKS = [
    log_in_to_both, strangers_get_nothing, devices_get_out, hairpin, ipv6_untranslated, ipv6_translated,
    forged_sources, invalid_packets, errors_come_back, narrow_path, ping, others_ping, refusals, limits, loading_again,
    other_site, other_rules_survive,
]  # fmt: skip
CHECKS_OF_NFTABLES = [host_again]


def main():
    """All checks in all forms, or in those that the arguments name."""
    global net, form
    checks = tap.Tap()
    wanted = sys.argv[1:]
    try:
        netns.enter()
    except tap.Skip as skip:
        checks.skip("packets between namespaces", skip)
        return checks.done()
    net = gateway_world.World(LISTENING)
    for host in net.hosts.values():
        host.call(gateway_calls.talk_on, TALKATIVE)
    for form in gateway_forms.FORMS:
        if wanted and form.name not in wanted:
            continue
        try:
            form.need(net.gateway)
        except tap.Skip as skip:
            checks.skip(form.name, skip)
            continue
        for check in CHECKS + CHECKS_OF_NFTABLES * (form.name == "nftables"):
            checks.run(f"{form.name}: {check.__doc__}", check)
        unload()
    return checks.done()


if __name__ == "__main__":
    sys.exit(main())
