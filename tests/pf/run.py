# SPDX-License-Identifier: GPL-2.0-or-later
"""The reader of pf.conf against rule sets whose verdicts were worked out by hand.

Beside each rules/NAME.conf stands NAME.expect, in lines of words; `#` begins a comment:

for openbsd | freebsd | both    which dialect the lines below are about; both, at first
anchor NAME FILE                what has been loaded into an anchor from outside
into-anchor                     the file is one for an anchor
refused LINE TEXT               reading it fails at that line, with a message that has TEXT in it
pass LINE PACKET                the rule in that line lets it through; 0: no rule matches
drop|return|return-rst LINE PACKET      the rule in that line stops it so

PACKET: `in em0 tcp 198.51.100.7 1024 > 192.0.2.2 22`, where `in em1 out em0` is forwarded, and a protocol without ports
has none. More words may follow: type N, code N, flags LETTERS (- for none), options, known (it belongs to the
connection that the last packet without this word began), beyond (all rates and counts are used up), label TEXT,
bound NAME (the rule has this one), becomes SOURCE > DESTINATION PORT (translated).

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
ACTIONS = ("pass", "drop", "return", "return-rst", "return-icmp")


class Expectations:
    """The lines of one .expect file that are about one dialect."""

    def __init__(self, path, dialect):
        self.anchors, self.into_anchor, self.refused, self.packets = {}, False, None, []
        current = "both"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            words = line.split("#")[0].split()
            if words[:1] == ["for"]:
                current = words[1]
                assert current in (*DIALECTS, "both"), f"{path.name}:{number}: {current}"
            elif words and current in (dialect, "both"):
                self.add(words, f"{path.name}:{number}")
        self.empty = not self.packets and self.refused is None

    def add(self, words, place):
        if words[0] == "anchor":
            self.anchors[words[1]] = words[2]
        elif words[0] == "into-anchor":
            self.into_anchor = True
        elif words[0] == "refused":
            self.refused = (int(words[1]), " ".join(words[2:]))
        elif words[0] in ACTIONS:
            self.packets.append((place, words[0], int(words[1]), words[2:]))
        else:
            raise AssertionError(f"{place}: what is {words[0]!r}?")


def side(words, with_ports):
    address = ipaddress.ip_address(words.pop(0))
    return address, int(words.pop(0)) if with_ports else 0


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
        elif word in ("label", "bound"):
            said[word] = words.pop(0)
        elif word == "beyond":
            said[word] = True
        elif word == "becomes":
            said[word] = side(words, False)[0], words.pop(0), *side(words, with_ports)
        else:
            raise AssertionError(f"what is {word!r}?")
    return packet, said


def load(name):
    return (RULES / name).read_text(encoding="utf-8")


def check(path, dialect, expected):
    def ruleset():
        found = pfread.parse(load(path.name), dialect, HOST, expected.into_anchor, load)
        for name, file in expected.anchors.items():
            found.anchors[name] = pfread.parse(load(file), dialect, HOST, anchor=True)
            found.anchors[name].parent = found
        return found

    if expected.refused is not None:
        line, text = expected.refused
        try:
            ruleset()
        except pfread.PfError as error:
            assert error.line == line and text in error.message, f"refused, but so: {error}"
            return
        raise AssertionError("not refused")
    rules, last = ruleset(), None
    for place, action, line, words in expected.packets:
        packet, said = packet_of(list(words), last)
        if packet.opening is None:
            last = packet
        verdict = pfeval.evaluate(rules, packet, HOST, said.get("beyond", False))
        got = (verdict.how or verdict.action, verdict.line)
        assert got == (action, line), f"{place}: {' '.join(words)}: {got}, not {(action, line)}"
        assert said.get("label") in (None, verdict.label), f"{place}: label {verdict.label}"
        assert said.get("bound") in (None, *verdict.bounds), f"{place}: bounds {verdict.bounds}"
        if "becomes" in said:
            source, _, destination, port = said["becomes"]
            after = verdict.packet
            assert (after.source, after.destination, after.destination_port) == (source, destination, port), (
                f"{place}: becomes {after.source} > {after.destination} {after.destination_port}"
            )


def real_pfctl(path, dialect, expected):
    """What pfctl itself says: whether it takes the file, not what it means."""
    program = os.environ[f"PFCTL_{dialect.upper()}"]
    into = ["-a", "test"] if expected.into_anchor else []
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
