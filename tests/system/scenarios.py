# SPDX-License-Identifier: GPL-2.0-or-later
"""What a port matrix does not show, with real packets: replies, neighbour discovery, limits, media, DHCP, tunnels.

Each check loads its own rule set, in each form that a device may load; with the first, the pf output is asked about the
same packets. Where something must not arrive, the same attempt arrives on the same link in the same check, under other
rules or from another sender.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import forms  # noqa: E402
import netns  # noqa: E402
import probes  # noqa: E402
import reader  # noqa: E402
import tap  # noqa: E402
import world  # noqa: E402

PORTS = {"tcp": [22, 443, 8000, 8088, 9000], "udp": [53, 67, 68, 546, 547, 5004, 5353, 7000, 9000, 40000, 55570]}


@dataclass(frozen=True)
class Ends:
    """Everybody's address in one family; those of the cable named wg0 too."""

    family: str
    device: str
    operator: str
    admin: str
    camera: str
    stranger: str
    tunnel_device: str
    tunnel_operator: str


def ends(family, device, address, tunnel):
    who = ("clients", "admins", "north", "stranger")
    return Ends(family, device, *map(address, who), f"{tunnel}1", f"{tunnel}2")


IPV4 = ends("IPv4", world.DEVICE4, world.ipv4, "10.99.0.")
IPV6 = ends("IPv6", world.DEVICE6, world.ipv6, "2001:db8:99::")

net = None  # the World, made in start()
readers = []  # the rules that are loaded, as pf has them; none where pf is not asked
source_ports = iter(range(20000, 30000))  # each flow has its own: connection tracking must not know it


def load(body, pf=True):
    """Gives the device the rules of a site. Without `pf`, not only rules about the packet itself decide about it."""
    site = f"flowfw: 1\nsite: test\nextends: enterprise\n{body}"
    net.load(site)
    readers.clear()
    if pf and net.form is forms.FORMS[0]:
        own = {"eth0": (IPV4.device, IPV6.device), "wg0": (IPV4.tunnel_device, IPV6.tunnel_device)}
        readers.extend(one for one in (reader.Reader(dialect, own) for dialect in reader.DIALECTS) if one.load(site))


def unload():
    net.unload()
    readers.clear()


def check_pf(attempt, passed, answered=True):
    """What happened, against what pf would do."""
    for one in readers:
        happened = "passes" if passed else "does not pass"
        expect(one.passes(*attempt, answered) == passed, f"{attempt} {happened}; not so with {one.dialect}")


def expect(condition, text):
    if not condition:
        raise AssertionError(text)


def talk(protocol, source, destination, port, seconds=2.0):
    """Whether a word gets there and the answer comes back."""
    asker, answerer = net.host_of(source), net.host_of(destination)
    answerer.start(probes.answer, protocol, destination, port, seconds)
    asker.start(probes.ask, protocol, source, destination, port, next(source_ports), seconds)
    answered, asked = answerer.result(), asker.result()
    passed = asked == b"pong" and answered == source
    check_pf((protocol, source, destination, port), passed)
    return passed


def silent(*attempt):
    return not talk(*attempt, seconds=0.3)


def check_arrivals(attempts, what, receiver=None):
    """Sends datagrams of (source, destination, port, whether it must arrive), all from one host to one."""
    sent = {probes.Probe("udp", *attempt): must for *attempt, must in attempts}
    sender, receiver = net.host_of(attempts[0][0]), receiver or net.receiver_of(attempts[0][1])
    receiver.call(probes.received)
    sender.call(probes.send, list(sent), next(source_ports))
    wanted = {probe for probe, must in sent.items() if must}
    came = receiver.call(probes.arrived, wanted) & sent.keys()
    tap.equal(sorted(map(str, came)), sorted(map(str, wanted)), f"what arrives {what}")
    for probe in sent:
        check_pf((probe.protocol, probe.source, probe.destination, probe.port), probe in came, answered=False)


def replies_come_back():
    """answers to what was let in and out come back, over TCP and UDP, IPv4 and IPv6"""
    for at in (IPV4, IPV6):
        load(f"groups: {{clients: ['{at.operator}']}}")
        expect(talk("tcp", at.operator, at.device, 8088), f"{at.operator} gets no answer of 8088/tcp")
        expect(talk("udp", at.operator, at.device, 55570), f"{at.operator} gets no answer of 55570/udp")
        expect(talk("udp", at.device, at.operator, 53), f"{at.device} gets no answer of 53/udp")
        expect(talk("tcp", at.device, at.operator, 443), f"{at.device} gets no answer of 443/tcp")
        expect(silent("udp", at.device, at.operator, 9000), f"{at.device} can begin what no service names")
        expect(silent("udp", at.operator, at.device, 9000), f"{at.operator} can begin what no service names")


def errors_come_back():
    """ICMP errors about our own packets come back"""
    load("")
    for at in (IPV4, IPV6):
        answer = net.device.call(probes.ask, "udp", at.device, at.operator, 123, next(source_ports))
        tap.equal(answer, "ECONNREFUSED", f"what the device hears of a closed port of {at.operator}")


def loopback_passes():
    """the device talks to itself, whatever the rules"""
    load("")
    for address in ("127.0.0.1", "::1"):
        for protocol in ("tcp", "udp"):
            expect(net.device.call(probes.talk_to_self, protocol, address, 9000), f"{protocol} to {address}")


def forget_neighbours():
    for host in net.hosts:
        host.run("ip", "neighbour", "flush", "all")


def neighbour_discovery():
    """IPv6 works under default deny with an empty neighbour cache, whoever begins; and not without its rules"""
    from_device = ("udp", IPV6.device, IPV6.operator, 53)
    from_operator = ("tcp", IPV6.operator, IPV6.device, 8088)
    for attempt in (from_device, from_operator):
        load("")
        forget_neighbours()
        expect(talk(*attempt), f"{attempt} fails")
        for rules in ("neighbours-in", "neighbours-out"):
            load(f"services: {{{rules}: off}}", pf=False)
            forget_neighbours()
            expect(silent(*attempt), f"{attempt} works without {rules}")


def router_advertisements():
    """a router is heard from fe80::/10 with hop limit 255 alone, and the device announces none"""
    local = net.operator.call(probes.link_local, "eth0")

    def heard():
        counts = []
        for source, hop_limit in ((local, 255), (local, 64), (IPV6.operator, 255)):
            before = net.device.call(probes.advertisements_heard)
            net.operator.call(probes.advertise, "eth0", source, hop_limit)
            counts.append(net.device.call(probes.advertisements_heard) - before)
        return counts

    unload()
    tap.equal(heard(), [1, 1, 1], "heard without rules: right, hop limit 64, global source")
    expect(net.device.call(probes.advertise, "eth0", IPV6.device, 255), "without rules it may announce itself")
    load("")
    tap.equal(heard(), [1, 0, 0], "heard: right, hop limit 64, global source")
    expect(not net.device.call(probes.advertise, "eth0", IPV6.device, 255), "the device announces itself as a router")


def echo_is_limited():
    """ping is answered up to its rate; `echo: on` answers all, `echo: off` none"""
    for at in (IPV4, IPV6):
        for setting, low, high in (("on", 60, 60), ("off", 0, 0), ("limited", 10, 40)):
            load(f"base: {{echo: {setting}}}")
            count = net.operator.call(probes.echo, at.operator, at.device, 60)
            expect(low <= count <= high, f"echo: {setting}: {count} of 60 are answered at {at.device}")
        for setting, count in (("off", 0), ("on", 3)):
            load(f"base: {{echo: {setting}}}")
            tap.equal(net.device.call(probes.echo, at.device, at.operator, 3), count, f"own pings with echo: {setting}")


def media_to_cameras():
    """RTP goes to named cameras at high ports, and bare enterprise sends none to anybody"""
    for at in (IPV4, IPV6):
        to_camera, to_stranger = (at.device, at.camera, 40000), (at.device, at.stranger, 40000)
        for rules, camera_must, stranger_must in (
            ("", False, False),
            (f"groups: {{cameras: ['{at.camera}']}}", True, False),
            (None, True, True),
        ):
            unload() if rules is None else load(rules)
            check_arrivals([(*to_camera, camera_must)], f"with {rules!r}")
            check_arrivals([(*to_stranger, stranger_must)], f"with {rules!r}")


def media_from_cameras():
    """a named camera sends to base.rtp.ports, nobody else does"""
    for at in (IPV4, IPV6):
        named = f"groups: {{cameras: ['{at.camera}']}}"
        for rules, camera_must, stranger_must in (
            (named, False, False),
            (f"{named}\nbase: {{rtp: {{ports: 5000-45000}}}}", True, False),
            (None, True, True),
        ):
            unload() if rules is None else load(rules)
            below = (at.camera, at.device, 67, rules is None)
            above = (at.camera, at.device, 55570, True)  # udp-sinks, open to any
            inside = [(at.camera, at.device, port, camera_must) for port in (5004, 40000)]
            check_arrivals([below, *inside, above], f"with {rules!r}")
            check_arrivals([(at.stranger, at.device, 5004, stranger_must)], f"with {rules!r}")


def multicast_media():
    """multicast RTP comes in for base.rtp.multicast, from cameras alone"""
    for at, group in ((IPV4, "239.1.2.3"), (IPV6, "ff05::1:3")):
        net.device.call(probes.join_group, group, 5004, "eth0")
        named = f"groups: {{cameras: ['{at.camera}']}}"
        for rules, camera_must, stranger_must in (
            (None, True, True),
            (named, False, False),
            (f"{named}\nbase: {{rtp: {{multicast: ['{group}']}}}}", True, False),
        ):
            unload() if rules is None else load(rules)
            check_arrivals([(at.camera, group, 5004, camera_must)], f"with {rules!r}")
            check_arrivals([(at.stranger, group, 5004, stranger_must)], f"with {rules!r}")


def multicast_dns():
    """mdns, once it is on, passes to and from its own groups alone"""
    for at, group in ((IPV4, "224.0.0.251"), (IPV6, "ff02::fb")):
        for host in (net.device, net.operator):
            host.call(probes.join_group, group, 5353, "eth0")
        turned_on = "services: {mdns: on}"
        for rules, group_must, else_must in ((None, True, True), ("", False, False), (turned_on, True, False)):
            unload() if rules is None else load(rules)
            check_arrivals([(at.operator, group, 5353, group_must)], f"with {rules!r}")
            check_arrivals([(at.operator, at.device, 5353, else_must)], f"with {rules!r}")
            check_arrivals([(at.device, group, 5353, group_must)], f"with {rules!r}", net.operator)
            check_arrivals([(at.device, at.operator, 5353, else_must)], f"with {rules!r}")


def dhcp_exchange(out, answers):
    """DHCP for IPv4: a request, an answer, and an answer from a port that is no server's."""
    sent = net.device.call(probes.one_way, "eth0", IPV4.device, 68, "255.255.255.255", 67)
    tap.equal((sent, net.operator.call(probes.arrived_at, "IPv4", 67, out)), (bool(out), out), "requests")
    for port in (67, 1067):
        net.operator.call(probes.one_way, "eth0", IPV4.operator, port, IPV4.device, 68)
    tap.equal(net.device.call(probes.arrived_at, "IPv4", 68, answers), answers, "answers")


def dhcpv6_exchange(out, answers):
    """DHCPv6: a request, an answer, and an answer from an address that is not the link's."""
    device, operator = (host.call(probes.link_local, "eth0") for host in (net.device, net.operator))
    sent = net.device.call(probes.one_way, "eth0", device, 546, "ff02::1:2", 547)
    tap.equal((sent, net.operator.call(probes.arrived_at, "IPv6", 547, out)), (bool(out), out), "requests")
    net.operator.call(probes.one_way, "eth0", operator, 547, device, 546)
    net.operator.call(probes.one_way, "eth0", IPV6.operator, 547, IPV6.device, 546)
    tap.equal(net.device.call(probes.arrived_at, "IPv6", 546, answers), answers, "answers")


def dhcp_client():
    """the device asks for an address and hears servers alone; `dhcp: off` stops both"""
    net.operator.call(probes.join_group, "ff02::1:2", 547, "eth0")
    for rules, out, answers in ((None, 1, 2), ("", 1, 1), ("base: {dhcp: off}", 0, 0)):
        unload() if rules is None else load(rules)
        dhcp_exchange(out, answers)
        dhcpv6_exchange(out, answers)


def loading_again():
    """loading the same again changes nothing: the list is the same, and an open connection goes on"""
    rules = "groups: {clients: ['192.0.2.0/26', '2001:db8::10-2001:db8::1f', '10.1.0.0/16', '10.3.0.0/16', '10.5.0.1']}"
    unload()
    load(rules)
    first = net.form.listing(net.device)
    net.operator.call(probes.connect_one, IPV4.operator, IPV4.device, 8088)
    net.device.call(probes.accept_one, "IPv4", 8088)
    for _ in range(2):
        load(rules)
        net.operator.call(probes.say, b"still there?")
        tap.equal(net.device.call(probes.hear), b"still there?", "what comes over the open connection")
        net.device.call(probes.say, b"yes")
        tap.equal(net.operator.call(probes.hear), b"yes", "what goes back")
    tap.equal(net.form.listing(net.device), first, "the list")


def other_rules_survive():
    """rules of somebody else stay as they are, and go on filtering"""
    unload()
    net.form.add_foreign(net.device)
    before = net.form.foreign(net.device)
    ours = "services: {probe: {direction: input, ports: 9000/udp, from: any}}"
    for rules in (ours, "", ours):
        load(rules, pf=False)
    tap.equal(net.form.foreign(net.device), before, "the other rules")
    for at, passes in ((IPV4, False), (IPV6, True)):
        check_arrivals([(at.operator, at.device, 9000, passes)], "past the other rules")
    unload()


def tunnel_inside():
    """on the interface named vpn web-admin comes in, whoever it is; elsewhere admins alone"""
    for at in (IPV4, IPV6):
        admins = f"groups: {{admins: ['{at.admin}']}}"
        inside = ("tcp", at.tunnel_operator, at.tunnel_device, 8000)
        outside = ("tcp", at.operator, at.device, 8000)
        load(f"{admins}\ninterfaces: {{vpn: wg0}}")
        expect(talk(*inside), f"{inside} fails")
        expect(talk("tcp", at.admin, at.device, 8000), "an admin cannot come in at eth0")
        expect(silent(*outside), f"{outside} works")
        expect(silent("tcp", at.tunnel_operator, at.tunnel_device, 9000), "the tunnel is open for more than web-admin")
        load(admins)
        expect(silent(*inside), f"{inside} works where no interface is named vpn")


def interface_of_a_service():
    """a service of one interface is closed on the others"""
    for at in (IPV4, IPV6):
        load("interfaces: {lan: wg0}\nservices: {rest-api: {interface: lan}}")
        expect(talk("tcp", at.tunnel_operator, at.tunnel_device, 8088), f"closed at wg0 over {at.family}")
        expect(silent("tcp", at.operator, at.device, 8088), f"open at eth0 over {at.family}")
        load("")
        expect(talk("tcp", at.operator, at.device, 8088), f"closed at eth0 over {at.family} without interface")


def forwarding():
    """what the device forwards for others is left alone, unless base.forward says otherwise"""
    net.device.call(netns.write, "/proc/sys/net/ipv4/ip_forward", "1")
    net.operator.run("ip", "route", "replace", f"{IPV4.camera}/32", "via", IPV4.tunnel_device)
    net.camera.run("ip", "route", "replace", f"{IPV4.tunnel_operator}/32", "via", IPV4.device)
    for rules, passes in (("", True), ("base: {forward: drop}", False), ("base: {forward: accept}", True)):
        load(rules)
        check_arrivals([(IPV4.tunnel_operator, IPV4.camera, 9000, passes)], f"with {rules!r}")
    net.operator.run("ip", "route", "delete", f"{IPV4.camera}/32")


def check_passed(source, device, count, passed):
    """Sends datagrams to port 7000, each a flow of its own, and counts them at the other end."""
    host = net.host_of(source)
    for _ in range(count):
        host.call(probes.send, [probes.Probe("udp", source, device, 7000)], next(source_ports))
    family = "IPv6" if ":" in source else "IPv4"
    tap.equal(net.device.call(probes.arrived_at, family, 7000, passed), passed, f"of {count} from {source} pass")


def load_probe(more):
    load(f"services: {{probe: {{direction: input, ports: 7000/udp, from: any{more}}}}}")


def limit_for_all():
    """a limit is one bucket for all sources and both families, or half a bucket for each family"""
    load_probe(", limit: 6/hour burst 6")
    together, apart = (4, 2, 0, 0), (3, 3, 0, 0)
    senders = (IPV4.operator, IPV6.operator, IPV4.stranger, IPV6.stranger)
    for source, passed in zip(senders, together if net.form.one_bucket else apart):
        check_passed(source, IPV6.device if ":" in source else IPV4.device, 4, passed)
    load_probe("")
    check_passed(IPV4.stranger, IPV4.device, 12, 12)


def limit_for_each():
    """a limit per source is a bucket for each address"""
    load_probe(", limit: 3/hour burst 3 per source")
    for at in (IPV4, IPV6):
        for source in (at.operator, at.admin, at.stranger):
            check_passed(source, at.device, 5, 3)
    check_passed(IPV4.operator, IPV4.device, 5, 0)


def refusals():
    """`reject` tells the sender, `drop` does not"""
    for at, prohibited in ((IPV4, "EHOSTUNREACH"), (IPV6, "EACCES")):
        for verdict, tcp, udp in (("reject", "ECONNREFUSED", prohibited), ("drop", None, None)):
            load(f"base: {{input: {verdict}}}")
            for protocol, heard in (("tcp", tcp), ("udp", udp)):
                ask = (protocol, at.operator, at.device, 9000, next(source_ports), 0.3)
                tap.equal(net.operator.call(probes.ask, *ask), heard, f"{verdict}, {protocol} to {at.device}")
            expect(talk("tcp", at.operator, at.device, 8088), f"{verdict} stops what is allowed")


def open_hooks():
    """`accept` and `untouched` let pass what no service names"""
    for at in (IPV4, IPV6):
        for hook, attempt in (("input", (at.operator, at.device)), ("output", (at.device, at.operator))):
            for verdict, passes in (("accept", True), ("untouched", True), ("drop", False)):
                load(f"base: {{{hook}: {verdict}}}")
                check_arrivals([(*attempt, 9000, passes)], f"with {hook}: {verdict}")


def exceptions():
    """what `except` names is cut out of its own service alone"""
    for at in (IPV4, IPV6):
        probe = f"probe: {{direction: input, ports: 7000/udp, from: any, except: ['{at.admin}']}}"
        for services, admin_must in (
            (probe, False),
            (f"{probe}, other: {{direction: input, ports: 7000/udp, from: ['{at.admin}']}}", True),
        ):
            load(f"services: {{{services}}}")
            attempts = [(at.admin, at.device, 7000, admin_must), (at.operator, at.device, 7000, True)]
            check_arrivals(attempts, f"with {services}")


def counters_count():
    """base.counters counts the packets of each service"""
    load("base: {counters: on}\nservices: {probe: {direction: input, ports: 7000/udp, from: any}}")
    check_passed(IPV4.operator, IPV4.device, 3, 3)
    listing = net.device.run("nft", "list", "counters", "table", "inet", "flowfw")[1]
    expect(listing.count("packets 3 ") == 1, listing)


def source_ports_are_checked():
    """a service with source ports is closed to other ones"""
    load_probe(", source-ports: 7001/udp")
    for port in (7001, 7002):
        net.operator.call(probes.send, [probes.Probe("udp", IPV4.operator, IPV4.device, 7000)], port)
    tap.equal(net.device.call(probes.arrived_at, "IPv4", 7000, 1), 1, "datagrams from ports 7001 and 7002 that pass")


CHECKS = [
    replies_come_back, errors_come_back, loopback_passes, neighbour_discovery, router_advertisements, echo_is_limited,
    media_to_cameras, media_from_cameras, multicast_media,
    multicast_dns, dhcp_client, loading_again, other_rules_survive,
    tunnel_inside, interface_of_a_service, forwarding, limit_for_all, limit_for_each, refusals, open_hooks, exceptions,
    source_ports_are_checked,
]
CHECKS_OF_NFTABLES = [counters_count]
CHECKS_OF_SETS = [
    neighbour_discovery, media_to_cameras, media_from_cameras, multicast_media, dhcp_client, loading_again,
    other_rules_survive, exceptions,
]  # where groups, or the addresses of the base services, decide


def start():
    """Makes the world, with a cable named wg0 beside the switch."""
    global net
    net = world.World()
    net.add_cable("wg0", (IPV4.tunnel_device, IPV6.tunnel_device), (IPV4.tunnel_operator, IPV6.tunnel_operator))
    for host in net.hosts:
        host.call(probes.listen, [(protocol, port) for protocol, ports in PORTS.items() for port in ports])


def checks_of(form):
    if form.name == "nftables":
        return CHECKS + CHECKS_OF_NFTABLES
    return CHECKS_OF_SETS if form.ipset else CHECKS


def main():
    """All checks in all forms, or in those that the arguments name."""
    checks = tap.Tap()
    wanted = sys.argv[1:]
    try:
        netns.enter()
    except tap.Skip as skip:
        checks.skip("packets between namespaces", skip)
        return checks.done()
    start()
    for form in forms.FORMS:
        if wanted and form.name not in wanted:
            continue
        try:
            form.need(net.device)
        except tap.Skip as skip:
            checks.skip(form.name, skip)
            continue
        net.form = form
        for check in checks_of(form):
            checks.run(f"{form.name}: {check.__doc__}", check)
        unload()
    return checks.done()


if __name__ == "__main__":
    sys.exit(main())
