# SPDX-License-Identifier: GPL-2.0-or-later
"""flowfw's pf output, as the reader understands it, against what the profiles mean.

For every shipped profile, every golden case that compiles and some random gateways, in both dialects and both frames:
packets at the edges of what the profile names, and random ones, are judged by pfeval and by tests/lib/meaning.py, and
the two must agree. What is let through must have its answers let through, and errors about it; what passes at a rate
must stop beyond it. What is forwarded takes the way that routes give it, and its answers find back to who called.
"""

import argparse
import ipaddress
import re
import shlex
import sys
from dataclasses import replace
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
import gateways  # noqa: E402
import meaning  # noqa: E402
import pfeval  # noqa: E402
import pfforward  # noqa: E402
import pfnames  # noqa: E402
import pfread  # noqa: E402
import program  # noqa: E402
import tap  # noqa: E402
from pfmodel import Host, Interface  # noqa: E402

GOLDEN = HERE.parent / "golden"
DIALECTS, FRAMES = ("openbsd", "freebsd"), ("anchor", "standalone")
PACKETS = 500
CALLS = 3  # of each forwarded port and kind of caller
GATEWAYS = 12  # random ones
JUDGED = ("profile enterprise", "profile remote-install")
SHOWN = 8
OWN = ("198.18.0.1/24", "2001:db8:5e1f::1/64", "fe80::5e1f/64")
BROADCASTS = ("255.255.255.255", "198.18.0.255")
SPARE = "em9"  # an interface that no site names

PINGS_FOR_ONE = (
    ("198.51.100.9", "198.18.0.1"), ("2001:db8:ffff::9", "2001:db8:5e1f::1"), ("fe80::9", "fe80::5e1f"),
)  # fmt: skip
PINGS_FOR_SEVERAL = (
    ("198.51.100.9", "224.0.0.1"), ("198.51.100.9", "239.255.255.255"), ("198.18.0.9", "255.255.255.255"),
    ("198.18.0.9", "198.18.0.255"), ("fe80::9", "ff02::1"), ("2001:db8:ffff::9", "ff05::1:3"),
)  # fmt: skip

ANSWERS = {8: 0, 13: 14, 15: 16, 17: 18, 128: 129}  # ICMP questions and their answers
LISTENER_TYPES = (130, 131, 132, 143)
ERROR_TYPES = {meaning.ICMP: (3, 11, 12), meaning.ICMP6: (1, 2, 3, 4)}  # these begin nothing, and stay as they are
IGMP = 2


# ---- cases ----


def options_of(words):
    """What a golden case's arguments say; None where they are about something else."""
    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    parser.add_argument("-p", "--profile")
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--without", action="append", default=[])
    parser.add_argument("-q", "--quiet", action="store_true")
    parser.add_argument("site", nargs="?")
    if words[:1] != ["gen"]:
        return None
    try:
        options, rest = parser.parse_known_args(words[1:])
    except (argparse.ArgumentError, SystemExit):
        return None
    options.profile = options.profile or options.site
    return None if rest or options.profile is None else options


def cases():
    """(name, folder, options) of shipped profiles, random gateways, and the golden cases that nftables can say."""
    for profile in program.PROFILES:
        yield f"profile {profile}", program.HOME, options_of(["gen", "-q", "--profile", profile])
    for seed in range(GATEWAYS):
        folder = program.scratch()
        gateways.write(seed, folder)
        yield f"gateway {seed}", folder, options_of(["gen", "-q", "--profile", "site.yaml"])
    if not GOLDEN.is_dir():
        return
    for case in sorted(GOLDEN.iterdir()):
        arguments = case / "args"
        text = arguments.read_text(encoding="utf-8") if arguments.exists() else "gen -q --profile site.yaml"
        options = options_of(shlex.split(text)) if (case / "nftables.out").exists() else None
        if options is not None:
            yield case.name, case, options


def levels(texts):
    return [level for text in texts for level in text.split(",")]


def flowfw(folder, options, dialect, frame):
    words = ["gen", "--quiet", "--profile", options.profile, "-b", "pf", "-O", f"dialect={dialect}", "--frame", frame]
    for key in ("set", "only", "without"):
        for value in getattr(options, key):
            words += [f"--{key}", value]
    return program.flowfw(*words, cwd=folder)


# ---- what pf cannot say ----


def inexpressible(site):
    """Why pf has to refuse a site: it counts for each source, over TCP, and otherwise not at all; it takes a name that
    does not end in a digit for that of a group of interfaces; and it translates where it lets pass."""
    found = []
    if site.translation and site.verdicts["forward"] == "untouched":
        found.append("translation where forward is untouched")
    for permission in site.permissions:
        names = permission.interfaces + permission.exits
        found += [f"{permission.service}: on {name}" for name in names if not name[-1].isdigit()]
        if permission.limit is None or (permission.base and permission.service == "echo"):
            continue
        if "per source" not in permission.limit:
            found.append(f"{permission.service}: one limit for all")
        elif any(clause.protocol != meaning.TCP for clause in permission.clauses):
            found.append(f"{permission.service}: a limit on what is not TCP")
    return found


def awkward(site, dialect):
    """Why it may: names of interfaces that no such system has."""
    names = [name for permission in site.permissions for name in permission.interfaces]
    return [name for name in names if not name[0].isalpha() or name in pfnames.KEYWORDS[dialect]]


# ---- judging ----


class Site:
    """One profile: its meaning, a host that it runs on, packets to try."""

    def __init__(self, name, folder, options):
        self.name = name
        only, without = levels(options.only), levels(options.without)
        data = program.SOURCE / "profiles"
        self.meaning = meaning.read(options.profile, folder, data, options.set, only, without)
        own = meaning.own_addresses(self.meaning, *(text.split("/")[0] for text in OWN))
        names = [name for names in self.meaning.interfaces.values() for name in names]
        names = list(dict.fromkeys([*names, SPARE]))
        outside = self.meaning.translation.outside if self.meaning.translation else ()
        more = [f"{address}/{address.max_prefixlen}" for address in (*own[len(OWN) :], *outside)]
        first, *others = names
        self.host = Host(
            [Interface("lo0", ("127.0.0.1/8", "::1/128", "fe80::1/64")), Interface(first, (*OWN, *more))]
            + [Interface(name, (f"198.18.{number}.1/24",)) for number, name in enumerate(others, 1)]
        )
        prober = meaning.Prober(self.meaning, own, names, f"flowfw {name}", BROADCASTS)
        packets = prober.packets(PACKETS) + list(self.special(SPARE)) + list(self.calls(prober))
        self.judged = [(packet, self.meaning.judge(self.meaning.translated(packet))) for packet in packets]
        self.refusals = inexpressible(self.meaning)

    def calls(self, prober):
        """Packets to each outside port, from the edges of what may call it: of callers inside and outside, some that
        may and some that may not."""
        translation = self.meaning.translation
        exits = tuple(dict.fromkeys(name for one in self.meaning.permissions for name in one.exits))
        choose = prober.random.choice
        for family, protocol, port in translation.forwardings if translation else ():
            kinds = {}
            to = [address for address in translation.outside if address.version == family]
            sources = [address for address in prober.elsewhere if address.version == family]
            for source in prober.random.sample(sources, len(sources)):
                ways = choose(translation.entry or prober.interfaces), choose(exits or prober.interfaces)
                packet = meaning.Packet("forward", ways[0], protocol, source, choose(to), 40000, port, exit=ways[1])
                if translation.destination(packet):
                    may = self.meaning.judge(self.meaning.translated(packet)).verdict
                    kinds.setdefault((may, meaning.within(translation.callers_inside, source)), []).append(packet)
            for packets in kinds.values():
                yield from packets[:CALLS]

    def source_behind(self, packet):
        """Of what is forwarded: the addresses that its source may be once it leaves."""
        translation = self.meaning.translation
        if translation is None or packet.type in ERROR_TYPES.get(packet.protocol, ()):
            return {packet.source}
        source = translation.source(packet, self.meaning.translated(packet) is not packet)
        if source == "":
            (leaving,) = (one for one in self.host.interfaces if one.name == packet.exit)
            return {ipaddress.ip_interface(text).ip for text in leaving.addresses}
        return {source or packet.source}

    @staticmethod
    def special(interface):
        """Packets without an address of their own yet, and their answers."""

        def packet(hook, protocol, source, destination, *ports, **more):
            addresses = ipaddress.ip_address(source), ipaddress.ip_address(destination)
            return meaning.Packet(hook, interface, protocol, *addresses, *ports, **more)

        yield packet("output", meaning.UDP, "0.0.0.0", "255.255.255.255", 68, 67)
        yield packet("output", meaning.UDP, "0.0.0.0", "255.255.255.255", 1068, 9067)
        yield packet("input", meaning.UDP, "198.18.0.254", "255.255.255.255", 67, 68)
        yield packet("input", meaning.UDP, "198.18.0.254", "198.18.0.1", 67, 68)
        yield packet("output", meaning.UDP, "fe80::5e1f", "ff02::1:2", 546, 547)
        yield packet("input", meaning.UDP, "fe80::1", "fe80::5e1f", 547, 546)
        yield packet("output", meaning.ICMP6, "::", "ff02::1:ff00:1", type=135)
        yield packet("output", meaning.ICMP6, "::", "ff02::16", type=143)
        yield packet("output", meaning.ICMP6, "fe80::5e1f", "ff02::2", type=133)
        yield packet("input", meaning.ICMP6, "fe80::1", "ff02::1", type=134)
        yield packet("input", meaning.ICMP6, "2001:db8:5e1f::9", "ff02::1", type=134)
        yield packet("input", meaning.ICMP6, "::", "ff02::1:ff00:1", type=135)
        yield packet("input", meaning.ICMP6, "fe80::1", "fe80::5e1f", type=137)
        yield packet("output", meaning.ICMP6, "fe80::5e1f", "ff02::1", type=134)
        yield packet("input", IGMP, "198.18.0.254", "224.0.0.1")
        yield packet("output", IGMP, "198.18.0.1", "224.0.0.22")


def as_pf(packet):
    """The same packet as pf sees it."""
    if packet.hook == "forward":
        passes = (("in", packet.interface), ("out", packet.exit))
    else:
        passes = (({"input": "in", "output": "out"}[packet.hook], packet.interface),)
    options = packet.protocol == IGMP or (packet.protocol == meaning.ICMP6 and packet.type in LISTENER_TYPES)
    return pfeval.Packet(
        passes,
        packet.protocol,
        packet.source,
        packet.destination,
        packet.source_port,
        packet.port,
        packet.type,
        packet.code,
        options=options,
    )


def answer_to(packet):
    """What comes back to a packet that was let through; None where nothing is bound to."""
    if packet.destination.is_multicast or str(packet.destination) in BROADCASTS or packet.source.is_unspecified:
        return None
    answer = replace(
        packet,
        passes=tuple((pfeval.OPPOSITE[direction], interface) for direction, interface in reversed(packet.passes)),
        source=packet.destination,
        destination=packet.source,
        source_port=packet.destination_port,
        destination_port=packet.source_port,
        flags=frozenset("SA"),
        opening=packet,
    )
    if packet.protocol in (meaning.ICMP, meaning.ICMP6):
        return replace(answer, type=ANSWERS[packet.type]) if packet.type in ANSWERS else None
    return None if packet.protocol == IGMP else answer


class Judge:
    def __init__(self, site, rules, whole):
        self.site, self.rules = site, rules
        self.whole = whole  # all rules there are, and not an anchor's
        self.wrong = []

    def evaluate(self, packet, exceeded=False):
        return pfeval.evaluate(self.rules, packet, self.site.host, exceeded)

    def complain(self, packet, wanted, verdict, why=""):
        got = f"{verdict.how or verdict.action} by line {verdict.line}"
        label = f" ({verdict.label})" if verdict.label else ""
        self.wrong.append(f"{packet}: must be {wanted}, is {got}{label}{why}")

    def packet(self, packet, judgement):
        as_seen = as_pf(packet)
        verdict = self.evaluate(as_seen)
        if self.out_of_limits(packet):
            judgement = meaning.Judgement(self.site.meaning.verdicts[packet.hook])
        wanted, services = judgement.verdict, ", ".join(judgement.services)
        passed = verdict.action == pfeval.PASS
        if wanted == "untouched":
            self.left_alone(packet, as_seen, verdict)
        elif wanted in ("drop", "reject"):
            if passed or (wanted == "reject") != verdict.how.startswith("return"):
                self.complain(packet, wanted, verdict)
        elif not passed:
            self.complain(packet, f"let through by {services or 'the base verdict'}", verdict)
        else:
            self.passed(packet, judgement, as_seen, verdict)

    def left_alone(self, packet, as_seen, verdict):
        """Without a rule of ours, but for one that passes it if no other one has to do with it, and lets answers
        pass. pf lets no IP options through in either case."""
        met = [one for one in verdict.passes or (verdict,) if one.rule is not None]
        if any(not self.whole or one.rule.action != "pass" or one.rule.quick for one in met):
            self.complain(packet, "left alone", verdict)
        elif met and packet.hook != "forward":
            self.answered(packet, as_seen)

    def out_of_limits(self, packet):
        """Whether it comes in for more hosts than this one, by services with a limit alone. pf's limits are stricter
        than written there: such a packet meets the base verdict."""
        if packet.hook != "input" or not (packet.destination.is_multicast or str(packet.destination) in BROADCASTS):
            return False
        return all(permission.limit for permission in self.site.meaning.permissions if permission.holds(packet))

    def passed(self, packet, judgement, as_seen, verdict):
        services = ", ".join(judgement.services)
        passes = verdict.passes or (verdict,)  # what is forwarded is let in, and let out
        if judgement.verdict == "may":
            if not any(one.bounds for one in passes):
                self.complain(packet, f"bounded by {services}", verdict)
            beyond = self.evaluate(as_seen, exceeded=True)
            if beyond.action == pfeval.PASS:
                self.complain(packet, f"stopped beyond the limit of {services}", beyond)
        if judgement.services and not {None, *judgement.services} & {one.label for one in passes}:
            self.complain(packet, f"let through by {services}", verdict)
        if packet.hook == "forward":
            self.forwarded(packet, as_seen, answer_to(as_seen) is not None)
        else:
            self.answered(packet, as_seen)

    def answered(self, packet, as_seen):
        answer = answer_to(as_seen)
        if answer is None:
            return
        back = self.evaluate(answer)
        if back.action != pfeval.PASS:
            self.complain(packet, "answered", back, " for its answer")
        kind = (meaning.ICMP, 3) if packet.family == 4 else (meaning.ICMP6, 1)
        error = self.evaluate(replace(answer, protocol=kind[0], type=kind[1], code=0))
        if error.action != pfeval.PASS:
            self.complain(packet, "told of errors", error, " for an error about it")

    def forwarded(self, packet, as_seen, answered):
        """It goes where it is meant to, from where it is meant to come; so does what comes back."""
        meant = self.site.meaning.translated(packet)
        ends = (meant.destination, packet.exit), (packet.source, packet.interface)
        routes = pfforward.Routes(self.site.host, {ipaddress.ip_network(address): name for address, name in ends})
        if any(routes.end(address) != name for address, name in ends):
            return  # one of them is this host, or both are one on two sides
        arriving = replace(as_seen, passes=(("in", packet.interface),))
        outcome = pfforward.forward(self.rules, routes, arriving)
        if outcome.end != packet.exit:
            self.wrong.append(f"{packet}: must leave there, is {outcome.verdict} by lines {outcome.lines}")
            return
        left, sources = outcome.packet, self.site.source_behind(packet)
        if (left.destination, left.destination_port) != (meant.destination, meant.port) or left.source not in sources:
            wanted = f"{' or '.join(map(str, sources))} -> {meant.destination}:{meant.port}"
            self.wrong.append(f"{packet}: must leave as {wanted}, leaves as {left}")
        for error in (False, True) if answered else ():
            self.comes_back(packet, routes, outcome, error)

    def comes_back(self, packet, routes, outcome, error):
        what = "an error about it" if error else "its answer"
        back = pfforward.reply(self.rules, routes, outcome, error)
        if back.end != packet.interface:
            self.wrong.append(f"{packet}: {what} must find back, is {back.verdict} by {back.lines}, {back.packet}")
            return
        ends = (packet.destination, packet.port), (packet.source, packet.source_port)
        seen = back.packet.ends if not error else (ends[0], (back.packet.destination, packet.source_port))
        if seen != ends:
            self.wrong.append(f"{packet}: {what} must be {ends}, is {seen}")

    def loopback(self):
        for source, destination in (("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("198.18.0.1", "198.18.0.1")):
            addresses = ipaddress.ip_address(source), ipaddress.ip_address(destination)
            for passing in (("out", "lo0"), ("in", "lo0")):
                for flags in ("S", "SA", "A"):
                    packet = pfeval.Packet((passing,), meaning.TCP, *addresses, 1024, 9, flags=frozenset(flags))
                    verdict = self.evaluate(packet)
                    if verdict.action != pfeval.PASS:
                        self.complain(f"{passing[0]} on loopback, {source}", "let through", verdict)


def ping(source, destination):
    """A ping that comes in."""
    source, destination = ipaddress.ip_address(source), ipaddress.ip_address(destination)
    protocol, kind = (meaning.ICMP, 8) if source.version == 4 else (meaning.ICMP6, 128)
    return meaning.Packet("input", SPARE, protocol, source, destination, type=kind)


def read_rules(text, dialect, frame, host):
    if frame == "anchor":
        return pfread.parse_anchor(text, dialect, host)
    return pfread.parse(text, dialect, host)


def check(site, folder, options, dialect, frame):
    process = flowfw(folder, options, dialect, frame)
    if process.returncode == program.BACKEND:
        assert site.refusals or awkward(site.meaning, dialect), f"refused, though pf can say it:\n{process.stderr}"
        assert re.search(r"^[^:\n]+:\d+:\d+: error: ", process.stderr, re.MULTILINE), f"no place:\n{process.stderr}"
        return
    assert process.returncode == program.OK, f"exit status {process.returncode}\n{process.stderr}"
    assert not site.refusals, f"not refused, though pf cannot say it: {site.refusals}"
    wrong = complaints(site, read_rules(process.stdout, dialect, frame, site.host), frame == "standalone")
    if wrong:
        more = [f"and {len(wrong) - SHOWN} more"] if wrong[SHOWN:] else []
        raise AssertionError("\n".join(wrong[:SHOWN] + more))


def check_judge(name):
    """No filter rule can go without a packet that shows it: so much do the packets see."""
    for case, folder, options in cases():
        if case == name:
            break
    site = Site(case, folder, options)
    for dialect in DIALECTS:
        rules = pfread.parse(flowfw(folder, options, dialect, "standalone").stdout, dialect, site.host)
        known = complaints(site, rules, True)
        for index in range(len(rules.rules)):
            gone = rules.rules.pop(index)
            assert complaints(site, rules, True) != known, f"{dialect}: nobody misses line {gone.line} ({gone.label})"
            rules.rules.insert(index, gone)


def check_limited_ping(setting):
    """A limited ping for more hosts than this one is stopped, not let through at some rate; an unlimited one is not."""
    options = options_of(["gen", "-q", "--profile", "enterprise", "--set", f"base.echo={setting}"])
    site = Site(setting, program.HOME, options)
    for dialect in DIALECTS:
        for frame in FRAMES:
            rules = read_rules(flowfw(program.HOME, options, dialect, frame).stdout, dialect, frame, site.host)
            for ends in PINGS_FOR_ONE + PINGS_FOR_SEVERAL:
                passing = [
                    pfeval.evaluate(rules, as_pf(ping(*ends)), site.host, exceeded).action == pfeval.PASS
                    for exceeded in (False, True)
                ]
                wanted = [True, True] if setting == "on" else [ends in PINGS_FOR_ONE, False]
                tap.equal(passing, wanted, f"{dialect}, {frame}: {ends} passes, below and beyond the rate")


def complaints(site, rules, whole):
    judge = Judge(site, rules, whole)
    judge.loopback()
    for packet, judgement in site.judged:
        judge.packet(packet, judgement)
    return judge.wrong


def main():
    checks = tap.Tap()
    wanted = sys.argv[1:]
    for name, folder, options in cases():
        if wanted and name not in wanted:
            continue
        site = checks.run(f"{name}: its meaning", Site, name, folder, options)
        for dialect in DIALECTS:
            for frame in FRAMES:
                if site is not None:
                    checks.run(f"{name}: {dialect}, {frame}", check, site, folder, options, dialect, frame)
    for setting in ("limited", "on"):
        name = f"echo: {setting}: pings to multicast and broadcast addresses"
        if not wanted or name in wanted:
            checks.run(name, check_limited_ping, setting)
    for name in JUDGED:
        if not wanted or name in wanted:
            checks.run(f"{name}: every rule is missed where it is taken away", check_judge, name)
    return checks.done()


if __name__ == "__main__":
    sys.exit(main())
