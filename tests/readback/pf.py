# SPDX-License-Identifier: GPL-2.0-or-later
"""The reader of pf.conf against rule sets whose verdicts were worked out by hand.

    pf.py PF_ASK

Two collections: tests/pf/rules, by which the tests' own reader is judged, as far as its packets are input, output or
forwarded ones of a host with those addresses, belong to no known connection, and carry options if they tell of
multicast membership; and pf/ beside this file, whose .expect files are as tests/pf/run.py describes, with these words
more:

unknown LINE TEXT               the line is not understood, for this reason; 0: no line's fault. There are no others
remark TEXT                     is said besides
rate LINE TEXT                  the rule in that line lets packets pass at this rate
rewrite LINE TEXT               it translates source or destination to this address and port
may LINE PACKET                 the rule lets it pass, up to its rate
interfaces NAME...              what interfaces there are besides those of the text; "none"
PACKET translated               its destination is one that was translated to

Then the golden outputs of the pf backend have to be read without unknowns, and random packets at them are judged alike
by this reader and by the tests' own.
"""

import ipaddress
import random
import re
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

HERE = Path(__file__).resolve().parent
TESTS = HERE.parent
sys.path[:0] = [str(TESTS / "lib"), str(TESTS / "pf")]
import pfeval  # noqa: E402
import pfforward  # noqa: E402
import pfnames  # noqa: E402
import pfread  # noqa: E402
import run  # noqa: E402
import tap  # noqa: E402
from pfmodel import Host, Interface  # noqa: E402

DIALECTS = ("openbsd", "freebsd")
FAMILIES = {4: 1, 6: 2}
HOOKS = {"input": 1, "output": 2, "forward": 3}
FLAGS = "FSRPAUEW"
IGMP = 2
# Of the tests' own rule sets, at least so many are understood and compared, in both dialects together.
COMPARED_MIN = 110


class Reading:
    """What PF_ASK says of one file."""

    def __init__(self, program, dialect, kind, path, interfaces, questions):
        command = [program, dialect, kind, path, *sorted(interfaces)]
        process = subprocess.run(command, input="".join(questions), capture_output=True, text=True, check=False)
        assert process.returncode == 0, f"{path}: exit {process.returncode}\n{process.stderr}"
        head, _, tail = process.stdout.partition("answers\n")
        said = [line.split(" ", 1) for line in head.splitlines()]
        self.unknowns = [rest for word, rest in said if word == "unknown"]
        # What is not known of answers leaves it known what is answered.
        self.misread = [what for what in self.unknowns if "without a state" not in what]
        self.remarks = [rest for word, rest in said if word == "remark"]
        self.rates = [rest.split(" ", 1)[1] for word, rest in said if word == "rated"]
        self.rewrites = [rest for word, rest in said if word == "rewrite"]
        self.answers = [line.split() for line in tail.splitlines()]


def own():
    """The addresses by which hooks are told apart, of the host that the rule sets are judged on."""
    return pfforward.Routes(run.HOST, {})


OWN = own()
BROADCASTS = ("192.0.2.255", "10.0.0.255")


def is_own(address):
    return address in OWN.local or address.is_multicast or str(address) == "255.255.255.255"


def hook_of(packet):
    """(hook, in-interface, out-interface), or None where pf sees only a part of the packet's way."""
    directions = [direction for direction, _ in packet.passes]
    loopback = packet.passes[0][1] == "lo0"
    source, destination = is_own(packet.source) or packet.source.is_unspecified, is_own(packet.destination)
    if directions == ["in"] and destination and (loopback or not source):
        return "input", packet.passes[0][1], "-"
    if directions == ["out"] and source and (loopback or not destination or packet.destination.is_multicast):
        return "output", "-", packet.passes[0][1]
    if directions == ["in", "out"] and not source and not destination:
        return "forward", packet.passes[0][1], packet.passes[1][1]
    return None


def question(packet, way, translated=False):
    hook, arrives, leaves = way
    icmp = packet.protocol in (pfnames.ICMP, pfnames.ICMP6)
    first, second = (packet.type, packet.code) if icmp else (packet.source_port, packet.destination_port)
    flags = sum(1 << FLAGS.index(flag) for flag in packet.flags) if packet.protocol == pfnames.TCP else 0
    ends = (packet.source, packet.destination, first, second)
    words = (HOOKS[hook], arrives, leaves, FAMILIES[packet.family], packet.protocol, *ends, flags, int(translated))
    return " ".join(str(word) for word in words) + "\n"


@dataclass(frozen=True)
class Asked:
    place: str
    wanted: str  # pass, drop, return; may where a bound has to be told
    line: int  # of the rule that decides; None: not compared
    packet: pfeval.Packet
    text: str


def asked_of(expected):
    """What of a rule set's expectations this reader can be asked."""
    asked, last = [], None
    routes = pfforward.Routes(run.HOST, expected.routes)
    for place, (kind, *words) in expected.checks:
        if kind in ("answered", "unanswered", "unclear"):
            continue
        forwarded = kind in ("to", "stop")
        packet, said = run.packet_of(list(words[2:] if forwarded else words[1:]), last)
        if packet.opening is None:
            last = packet
        if packet.opening is not None or "beyond" in said or "becomes" in said:
            continue
        if packet.options != is_membership(packet):
            continue
        way, line = hook_of(packet), None
        if forwarded:
            arrival, end = packet.passes[0][1], routes.end(packet.destination)
            way = ("input", arrival, "-") if end == pfforward.LOCAL else ("forward", arrival, end)
        elif len(packet.passes) == 1:
            line = int(words[0])
        wanted = words[0] if kind == "stop" else "pass" if kind == "to" else kind
        if way is not None:
            asked.append(Asked(place, wanted, line, packet, question(packet, way)))
    return asked


def is_membership(packet):
    """It always comes with the router alert option, which allow-opts is about."""
    return packet.protocol == IGMP or (packet.protocol == pfnames.ICMP6 and packet.type in (130, 131, 132, 143))


def is_midstream(packet):
    return packet.protocol == pfnames.TCP and packet.flags & frozenset("FSRA") != frozenset("S")


def compare(reading, asked):
    for one, (got, decider, *outside) in zip(asked, reading.answers, strict=True):
        wanted = "return" if one.wanted.startswith("return") else one.wanted
        if wanted != "may" and got == "may":
            got = "pass"
        # What mid-stream packets do is what SYN does, and of broadcast addresses there is a remark.
        open_end = is_midstream(one.packet) and got == "pass"
        open_end |= str(one.packet.destination) in BROADCASTS and any("broadcast" in text for text in reading.remarks)
        if outside or open_end:
            continue
        tap.equal((got, decider), (wanted, decider), f"{one.place}: {one.text.strip()}")
        if one.line is not None and not is_midstream(one.packet):
            tap.equal(decider, f":{one.line or ''}", f"{one.place}: who decides")


def names_of(dialect):
    return {interface.name for interface in run.HOST.interfaces} - {"lo0"}


class Collection:
    def __init__(self, program):
        self.program = program
        self.compared = 0
        self.unproven = []

    def judged(self, path, dialect, expected):
        """A rule set of the tests' own; what is not understood counts against COMPARED_MIN."""
        if expected.anchors or expected.refused:
            Reading(self.program, dialect, "conf", path, [], [])
            return
        asked = asked_of(expected)
        kind = "anchor" if expected.kind else "conf"
        reading = Reading(self.program, dialect, kind, path, names_of(dialect), [one.text for one in asked])
        if reading.misread:
            self.unproven.append(f"{path.stem} ({dialect}): {reading.misread[0]}")
            return
        if any("destination" in rewrite for rewrite in reading.rewrites):
            asked = []
        self.compared += bool(asked)
        if asked:
            compare(reading, asked)

    def enough(self):
        print("\n".join(f"# {line}" for line in self.unproven))
        print(f"# compared: {self.compared}")
        assert self.compared >= COMPARED_MIN, f"only {self.compared} rule sets were understood"


# ---- rule sets that flowfw did not write ----


class Written(run.Expectations):
    """The lines of one .expect file beside this one."""

    def __init__(self, path, dialect):
        self.said, self.names, self.translated = [], None, set()
        super().__init__(path, dialect)
        self.empty = self.empty and not self.said

    def add(self, words, place):
        if words[0] in ("unknown", "remark", "rate", "rewrite"):
            self.said.append(words)
        elif words[0] == "interfaces":
            self.names = set(words[1:]) - {"none"}
        elif words[0] == "may":
            self.checks.append((place, words))
        else:
            if words[-1] == "translated":
                self.translated.add(place)
                words.pop()
            super().add(words, place)


def line_of(text):
    found = re.match(r":([0-9]+)", text)
    return int(found.group(1)) if found else 0


def written(program, path, dialect, expected):
    asked = []
    for place, (kind, line, *words) in expected.checks:
        packet, _ = run.packet_of(list(words), None)
        way = hook_of(packet)
        if way is None:  # with a source that should not come in
            way = "input", packet.passes[0][1], "-"
        assert is_own(packet.destination) or way[0] != "input", f"{place}: no packet of one hook"
        text = question(packet, way, place in expected.translated)
        asked.append(Asked(place, kind.split("-")[0], int(line), packet, text))
    names = names_of(dialect) if expected.names is None else expected.names
    reading = Reading(program, dialect, "conf", path, names, [one.text for one in asked])
    for one, (got, decider, *_) in zip(asked, reading.answers, strict=True):
        tap.equal((got, decider), (one.wanted, f":{one.line or ''}"), f"{one.place}: {one.text.strip()}")
    check_said(reading, expected)


def check_said(reading, expected):
    """All that is unknown is expected, and all that is expected has been said."""
    for words in expected.said:
        texts = {"unknown": reading.unknowns, "remark": reading.remarks, "rate": reading.rates}
        numbered = words[0] != "remark"
        wanted = " ".join(words[2 if numbered else 1 :])
        found = [text for text in texts.get(words[0], reading.rewrites) if wanted in text]
        assert any(not numbered or line_of(text) == int(words[1]) for text in found), f"not said: {words}"
    lines = {int(words[1]) for words in expected.said if words[0] == "unknown"}
    surplus = [text for text in reading.unknowns if line_of(text) not in lines]
    tap.equal(surplus, [], "unknown besides")


# ---- random packets at golden outputs: this reader against the tests' own, packet by packet ----

ROUTER = Host(
    (
        Interface("lo0", ("127.0.0.1/8", "::1/128")),
        Interface("eth0", ("198.51.100.7/24", "2001:db8:1::7/64", "fe80::1/64"), ("egress",)),
        Interface("eth1", ("10.8.0.1/24", "2001:db8:8::1/64", "fe80::2/64")),
        Interface("em3", ("10.99.0.1/24",)),
    )
)
ADDRESS = re.compile(r"[0-9]+(?:\.[0-9]+){3}|[0-9a-f]*:[0-9a-f:]*:[0-9a-f:]*")
PORT = re.compile(r"port (?:\{ )?([0-9]+)(?:, ([0-9]+)|:([0-9]+))?")
FORWARDING = re.compile(r"inet6? proto (tcp|udp) from any to (\S+) port ([0-9]+) .*(?:rdr-to|->)")
PACKETS = 60
# How often each hook is asked; what is forwarded matters at gateways alone.
HOST_SHARES, GATEWAY_SHARES = (4, 4, 1), (2, 2, 5)


class Dice:
    """Random packets, of addresses and ports that a text has, and of others."""

    def __init__(self, text, seed):
        self.random = random.Random(seed)
        self.routes = pfforward.Routes(ROUTER, {})
        self.addresses = {4: [], 6: []}
        for word in sorted(set(ADDRESS.findall(text))):
            try:
                address = ipaddress.ip_address(word)
            except ValueError:
                continue
            self.addresses[address.version] += [address, address + (int(address) % 2 == 0)]
        self.addresses[4] += [ipaddress.ip_address(word) for word in ("203.0.113.200", "192.168.7.7")]
        self.addresses[6] += [ipaddress.ip_address(word) for word in ("2001:db8:ff::9", "fe80::77")]
        found = {int(port) for match in PORT.findall(text) for port in match if port}
        self.ports = sorted(found | {port + 1 for port in found if port < 65535} | {7, 40000})
        # A table of outside addresses has the router's.
        self.aims = [
            (pfnames.PROTOCOLS[name], to.replace("<fw_nat_outside>", "198.51.100.7"), int(port))
            for name, to, port in FORWARDING.findall(text)
        ]
        self.shares = GATEWAY_SHARES if "tagged flowfw_" in text else HOST_SHARES
        self.interfaces = sorted({interface.name for interface in ROUTER.interfaces} - {"lo0"})

    def is_own(self, address):
        return address in self.routes.local or address.is_multicast or str(address) == "255.255.255.255"

    def foreign(self, family):
        return self.random.choice([one for one in self.addresses[family] if not self.is_own(one) and int(one)])

    def own(self, family):
        found = (one for one in self.routes.local if one.version == family and not str(one).endswith(".255"))
        return self.random.choice(sorted(found))

    def destination(self, family):
        """Of what comes in for the host."""
        many = [one for one in self.addresses[family] if one.is_multicast]
        return self.random.choice(many) if many and self.random.random() < 0.3 else self.own(family)

    def aimed(self):
        """A packet for a port that is forwarded."""
        protocol, to, port = self.random.choice(self.aims)
        destination = ipaddress.ip_address(to)
        passes = ("in", self.random.choice(self.interfaces[-2:])), ("out", self.random.choice(self.interfaces[-2:]))
        source = self.foreign(destination.version)
        return pfeval.Packet(passes, protocol, source, destination, 50000, port)

    def packet(self):
        if self.aims and self.random.random() < 0.3:
            return self.aimed()
        family, hook = self.random.choice((4, 4, 6)), self.random.choices(tuple(HOOKS), self.shares)[0]
        arrives, leaves = self.random.choice(self.interfaces), self.random.choice(self.interfaces)
        if hook == "input":
            passes, source, destination = (("in", arrives),), self.foreign(family), self.destination(family)
        elif hook == "output":
            passes, source = (("out", leaves),), self.own(family)
            destination = self.random.choice(self.addresses[family])
        else:
            passes = ("in", arrives), ("out", leaves)
            source, destination = self.foreign(family), self.foreign(family)
        if hook == "output" and destination in self.routes.local:
            destination = self.foreign(family)
        if hook == "forward" and self.random.random() < 0.3:
            destination = self.own(family)
        protocol = self.random.choice((pfnames.TCP, pfnames.TCP, pfnames.UDP, pfnames.UDP, 0, 2, 47))
        packet = pfeval.Packet(passes, protocol, source, destination)
        if protocol == 0:
            kinds = sorted(pfnames.ICMP_TYPES[family].values())
            protocol = pfnames.ICMP if family == 4 else pfnames.ICMP6
            packet = replace(packet, protocol=protocol, type=self.random.choice(kinds))
        elif protocol in (pfnames.TCP, pfnames.UDP):
            source, destination = self.random.choice((*self.ports, 50000)), self.random.choice(self.ports)
            packet = replace(packet, source_port=source, destination_port=destination)
        return packet


def evaluated(rules, packet):
    """(what has to be said of a packet, the packet as its hook sees it, whether that was translated)"""
    verdict, beyond = (pfeval.evaluate(rules, packet, ROUTER, exceeded) for exceeded in (False, True))
    arrived = verdict.passes[0].packet if verdict.passes else verdict.packet
    translated = packet.passes[0][0] == "in" and arrived.destination != packet.destination
    if translated:
        packet = replace(packet, destination=arrived.destination, destination_port=arrived.destination_port)
    if verdict.action == pfeval.PASS:
        return "pass" if beyond.action == pfeval.PASS else "may", packet, translated
    return "drop" if verdict.how == "drop" else "return", packet, translated


def way_of(dice, packet):
    """None: by the time that rules have given it another destination, it is in no such hook."""
    directions = dict(packet.passes)
    own = dice.is_own(packet.destination)
    if len(directions) == 2:
        return None if own else ("forward", directions["in"], directions["out"])
    if "in" in directions:
        return ("input", directions["in"], "-") if own else None
    return "output", "-", directions["out"]


def crossed(program, dialect, path):
    text = path.read_text(encoding="utf-8")
    kind = kind_of(text)
    parse = pfread.parse if kind == "conf" else pfread.parse_anchor
    rules, dice, asked = parse(text, dialect, ROUTER), Dice(text, f"{path.parent.name} {dialect}"), []
    for _ in range(PACKETS):
        packet = dice.packet()
        packet = replace(packet, options=is_membership(packet))
        wanted, packet, translated = evaluated(rules, packet)
        way = way_of(dice, packet)
        if way is not None:
            asked.append(Asked(path.parent.name, wanted, None, packet, question(packet, way, translated)))
    reading = Reading(program, dialect, kind, path, dice.interfaces, [one.text for one in asked])
    for one, (got, decider, *outside) in zip(asked, reading.answers, strict=True):
        if not outside:
            tap.equal((got, decider), (one.wanted, decider), f"{one.packet} {one.text}")


def kind_of(text):
    return "conf" if any(line.startswith("set ") for line in text.splitlines()) else "anchor"


def golden(program, dialect, path):
    reading = Reading(program, dialect, kind_of(path.read_text(encoding="utf-8")), path, [], [])
    tap.equal(reading.unknowns, [], path)


def main():
    program = sys.argv[1]
    checks = tap.Tap()
    collection = Collection(program)
    for path in sorted((TESTS / "pf" / "rules").glob("*.conf")):
        for dialect in DIALECTS:
            expected = run.Expectations(path.with_suffix(".expect"), dialect)
            if not expected.empty:
                checks.run(f"{path.stem} ({dialect})", collection.judged, path, dialect, expected)
    checks.run("most rule sets were compared", collection.enough)
    for path in sorted((HERE / "pf").glob("*.conf")):
        for dialect in DIALECTS:
            expected = Written(path.with_suffix(".expect"), dialect)
            if not expected.empty:
                checks.run(f"not by flowfw: {path.stem} ({dialect})", written, program, path, dialect, expected)
    for dialect, name in (("openbsd", "pf.out"), ("freebsd", "pf-freebsd.out")):
        for path in sorted((TESTS / "golden").glob(f"*/{name}")):
            checks.run(f"golden {path.parent.name} ({dialect})", golden, program, dialect, path)
            checks.run(f"random packets at {path.parent.name} ({dialect})", crossed, program, dialect, path)
    return checks.done()


if __name__ == "__main__":
    sys.exit(main())
