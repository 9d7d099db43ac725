# SPDX-License-Identifier: GPL-2.0-or-later
"""The reader of pf.conf against rule sets whose verdicts were worked out by hand.

Beside each rules/NAME.conf stands NAME.expect, in lines of words; `#` begins a comment:

for openbsd | freebsd | both    which dialect the lines below are about; both, at first
anchor NAME FILE                what has been loaded into an anchor from outside
into-anchor                     the file is one for an anchor
called-anchor                   the same, and a main file calls that anchor and does nothing else
route PREFIX INTERFACE          a route of the host's, besides the default one to em0 and those to its own networks
refused LINE TEXT               reading it fails at that line, with a message that has TEXT in it
unclear LINE WORD PACKET        judging fails at that line, with a message that has WORD in it
pass LINE PACKET                the rule in that line lets it through; 0: no rule matches
drop|return|return-rst LINE PACKET      the rule in that line stops it so
to END LINES PACKET             sent on by routes, it gets to END (local, or an interface); LINES, `4` or `4,7`, let it
stop HOW LINES PACKET           sent on by routes, it is stopped so (drop, return …), by the last of LINES
answered                        the answer to the last `to` gets back, from where it was sent to; an error about it too
unanswered LINES                it does not; the last of LINES stops it

PACKET: `in em0 tcp 198.51.100.7 1024 > 192.0.2.2 22`, where `in em1 out em0` is forwarded, and a protocol without ports
has none. More words may follow: type N, code N, flags LETTERS (- for none), options, known (it belongs to the
connection that the last packet without this word began), beyond (all rates and counts are used up), label TEXT,
bound NAME (the rule has this one), tag NAME (it gets this one, - for none), becomes SOURCE [PORT] > DESTINATION PORT
(translated; * is a port that pf chooses, 1024-2047 one that it chooses from these).

Where PFCTL_OPENBSD or PFCTL_FREEBSD names a real pfctl, it says of each file whether it can be read.
"""

import ipaddress
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
import pfeval  # noqa: E402
import pfforward  # noqa: E402
import pfnames  # noqa: E402
import pfread  # noqa: E402
import tap  # noqa: E402
from pfmodel import Host, Interface  # noqa: E402

RULES = HERE / "rules"
DIALECTS = ("openbsd", "freebsd")
HOST = Host(
    (
        Interface("lo0", ("127.0.0.1/8", "::1/128", "fe80::1/64")),
        Interface("em0", ("192.0.2.2/24", "192.0.2.3/24", "fe80::2/64", "2001:db8:1::2/64"), ("egress",)),
        Interface("em1", ("10.0.0.1/24", "2001:db8:2::1/64")),
        Interface("tun0", ("172.16.0.1/32",), peers=("172.16.0.2",)),
    )
)
DEFAULT_ROUTES = {"0.0.0.0/0": "em0", "::/0": "em0"}
ACTIONS = ("pass", "drop", "return", "return-rst", "return-icmp")
WAYS = ("to", "stop", "answered", "unanswered", "unclear")
KINDS = ("into-anchor", "called-anchor")


class Expectations:
    """The lines of one .expect file that are about one dialect."""

    def __init__(self, path, dialect):
        self.anchors, self.kind, self.refused, self.checks = {}, None, None, []
        self.routes = dict(DEFAULT_ROUTES)
        current = "both"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            words = line.split("#")[0].split()
            if words[:1] == ["for"]:
                current = words[1]
                assert current in (*DIALECTS, "both"), f"{path.name}:{number}: {current}"
            elif words and current in (dialect, "both"):
                self.add(words, f"{path.name}:{number}")
        self.empty = not self.checks and self.refused is None

    def add(self, words, place):
        if words[0] == "anchor":
            self.anchors[words[1]] = words[2]
        elif words[0] in KINDS:
            self.kind = words[0]
        elif words[0] == "route":
            self.routes[words[1]] = words[2]
        elif words[0] == "refused":
            self.refused = (int(words[1]), " ".join(words[2:]))
        elif words[0] in (*ACTIONS, *WAYS):
            self.checks.append((place, words))
        else:
            raise AssertionError(f"{place}: what is {words[0]!r}?")


def side(words, with_ports):
    address = ipaddress.ip_address(words.pop(0))
    return address, int(words.pop(0)) if with_ports else 0


def becomes(words, with_ports):
    """(source, its port or None where nothing is said of it), (destination, its port)"""
    source, port = ipaddress.ip_address(words.pop(0)), None if with_ports else 0
    if words[0] != ">":
        text = words.pop(0)
        low, dash, high = text.partition("-")
        port = pfread.NAT_PORTS if text == "*" else range(int(low), int(high) + 1) if dash else int(text)
    assert words.pop(0) == ">"
    return (source, port), side(words, with_ports)


def packet_of(words, last):
    """(packet, what else is said) of the words that describe it."""
    passes, said = [], {}
    while words[0] in ("in", "out"):
        passes.append((words.pop(0), words.pop(0)))
    name = words.pop(0)
    protocol = int(name) if name.isdigit() else pfnames.PROTOCOLS[name]
    with_ports = protocol in (pfnames.TCP, pfnames.UDP)
    source, source_port = side(words, with_ports)
    assert words.pop(0) == ">"
    destination, destination_port = side(words, with_ports)
    packet = pfeval.Packet(tuple(passes), protocol, source, destination, source_port, destination_port)
    while words:
        word = words.pop(0)
        if word in ("type", "code"):
            packet = replace(packet, **{word: int(words.pop(0))})
        elif word == "flags":
            packet = replace(packet, flags=frozenset(words.pop(0).replace("-", "")))
        elif word == "options":
            packet = replace(packet, options=True)
        elif word == "known":
            packet = replace(packet, opening=last)
        elif word in ("label", "bound", "tag"):
            said[word] = words.pop(0)
        elif word == "beyond":
            said[word] = True
        elif word == "becomes":
            said[word] = becomes(words, with_ports)
        else:
            raise AssertionError(f"what is {word!r}?")
    return packet, said


def load(name):
    return (RULES / name).read_text(encoding="utf-8")


def read(path, dialect, expected):
    if expected.kind == "called-anchor":
        return pfread.parse_anchor(load(path.name), dialect, HOST)
    found = pfread.parse(load(path.name), dialect, HOST, expected.kind == "into-anchor", load)
    for name, file in expected.anchors.items():
        found.anchors[name] = pfread.parse(load(file), dialect, HOST, anchor=True)
        found.anchors[name].parent = found
    return found


def check(path, dialect, expected):
    if expected.refused is None:
        Examination(read(path, dialect, expected), expected).all()
        return
    line, text = expected.refused
    try:
        read(path, dialect, expected)
    except pfread.PfError as error:
        assert error.line == line and text in error.message, f"refused, but so: {error}"
        return
    raise AssertionError("not refused")


class Examination:
    """One rule set, and the checks of its packets in turn."""

    def __init__(self, rules, expected):
        self.rules, self.checks = rules, expected.checks
        self.routes = pfforward.Routes(HOST, expected.routes)
        self.last = None  # the packet that began a connection
        self.outcome = None

    def all(self):
        for place, (kind, *words) in self.checks:
            if kind in ACTIONS:
                self.judged(place, kind, *words)
            else:
                getattr(self, kind)(place, *words)

    def packet(self, words):
        packet, said = packet_of(list(words), self.last)
        if packet.opening is None:
            self.last = packet
        return packet, said

    def judged(self, place, action, line, *words):
        packet, said = self.packet(words)
        verdict = pfeval.evaluate(self.rules, packet, HOST, said.get("beyond", False))
        tap.equal((verdict.how or verdict.action, verdict.line), (action, int(line)), f"{place}: {' '.join(words)}")
        assert said.get("label") in (None, verdict.label), f"{place}: label {verdict.label}"
        assert said.get("bound") in (None, *verdict.bounds), f"{place}: bounds {verdict.bounds}"
        compare(place, said, verdict.packet)

    def unclear(self, place, line, text, *words):
        packet, _ = self.packet(words)
        try:
            verdict = pfeval.evaluate(self.rules, packet, HOST)
        except pfread.PfError as error:
            assert error.line == int(line) and text in error.message, f"{place}: unclear, but so: {error}"
        else:
            raise AssertionError(f"{place}: clear: {verdict.how or verdict.action} by line {verdict.line}")

    # ---- by routes ----

    def forwarded(self, place, wanted, lines, words):
        packet, said = self.packet(words)
        self.outcome = pfforward.forward(self.rules, self.routes, packet, said.get("beyond", False))
        got = (self.outcome.end or self.outcome.how, self.outcome.lines)
        tap.equal(got, (wanted, numbers(lines)), f"{place}: {' '.join(words)}")
        compare(place, said, self.outcome.packet)

    def to(self, place, end, lines, *words):
        self.forwarded(place, end, lines, words)
        tap.equal(self.outcome.verdict, pfforward.PASSED, place)

    def stop(self, place, how, lines, *words):
        self.forwarded(place, how, lines, words)
        tap.equal(self.outcome.verdict, pfforward.BLOCKED if how == "drop" else pfforward.REJECTED, place)

    def answered(self, place):
        opening = self.outcome.opening
        for error in (False, True):
            back = pfforward.reply(self.rules, self.routes, self.outcome, error)
            tap.equal((back.verdict, back.end), (pfforward.PASSED, opening.passes[0][1]), f"{place}: gets back")
            seen = (back.packet.source, back.packet.destination)
            tap.equal(seen, (opening.destination, opening.source), f"{place}: from whom to whom, error: {error}")
            if not error:
                tap.equal(back.packet.ends, opening.ends[::-1], f"{place}: from where to where")

    def unanswered(self, place, lines):
        back = pfforward.reply(self.rules, self.routes, self.outcome)
        assert back.verdict != pfforward.PASSED, f"{place}: answered"
        tap.equal(back.lines, numbers(lines), place)


def numbers(text):
    return tuple(int(number) for number in text.split(","))


def compare(place, said, packet):
    """What has become of a packet, as far as something is said of it."""
    assert said.get("tag", packet.tag or "-") == (packet.tag or "-"), f"{place}: tag {packet.tag}"
    if "becomes" in said:
        (source, port), destination = said["becomes"]
        seen = packet.ends if port is not None else ((packet.source, None), packet.ends[1])
        tap.equal(seen, ((source, port), destination), f"{place}: becomes")


def real_pfctl(path, dialect, expected):
    """What pfctl itself says: whether it takes the file, not what it means."""
    program = os.environ[f"PFCTL_{dialect.upper()}"]
    into = ["-a", "test"] if expected.kind else []
    process = subprocess.run([program, *into, "-nf", path.name], cwd=RULES, capture_output=True, text=True, check=False)
    taken = process.returncode == 0
    assert taken == (expected.refused is None), f"pfctl {'takes' if taken else 'refuses'} it\n{process.stderr}"


def odd_texts(dialect):
    """What cannot stand in a text file of its own."""
    for text, line, message in (
        ("block\npass in", 2, "no newline"),
        ("pass in \r\n", 1, "unexpected character"),
        ("pass in \\ \npass out\n", 1, "unexpected character"),
        ('block label "a\0b"\n', 1, "NUL"),
        ("pass in\u00a0on em0\n", 1, "unexpected character"),
    ):
        try:
            pfread.parse(text, dialect, HOST)
        except pfread.PfError as error:
            assert (error.line, message in error.message) == (line, True), f"{text!r}: {error}"
        else:
            raise AssertionError(f"{text!r}: not refused")


def main():
    checks = tap.Tap()
    for dialect in DIALECTS:
        checks.run(f"odd texts ({dialect})", odd_texts, dialect)
    for path in sorted(RULES.glob("*.conf")):
        for dialect in DIALECTS:
            expected = Expectations(path.with_suffix(".expect"), dialect)
            if expected.empty:
                continue
            checks.run(f"{path.stem} ({dialect})", check, path, dialect, expected)
            if os.environ.get(f"PFCTL_{dialect.upper()}"):
                checks.run(f"{path.stem} ({dialect}), by pfctl", real_pfctl, path, dialect, expected)
    return checks.done()


if __name__ == "__main__":
    sys.exit(main())
