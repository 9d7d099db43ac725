# SPDX-License-Identifier: GPL-2.0-or-later
"""An allow-list of nft syntax: what nft 0.9.0 reads, in the forms that the nftables backend writes.

Whatever is not listed here fails, with its file and line: newer syntax cannot slip into an output unseen. What nft
0.9.4 brought is allowed in the golden case of `-O kernel=5.6` alone. Takes
rule files as arguments; without any, all rule sets among the golden outputs, as TAP.
"""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import program  # noqa: E402
import tap  # noqa: E402

NAME = r"[a-z][a-z0-9]*_[A-Za-z0-9_.-]+"
STRING = r'"[^"\\]{1,128}"'
NUMBER = r"\d{1,10}"
IPV4 = r"(?:\d{1,3}\.){3}\d{1,3}"
IPV6 = r"[0-9a-f:]*:[0-9a-f:.]*"
PORTS = r"\d{1,5}(?:-\d{1,5})?"
# A word of nft's grammar or a number; igmp is the one name that nft 0.9.0 takes from /etc/protocols.
PROTOCOL = r"(?:icmp|icmpv6|igmp|tcp|udp|dccp|esp|ah|comp|sctp|udplite|\d{1,3})"
RATE = rf"rate {NUMBER}/(?:second|minute|hour|day) burst {NUMBER} packets"
DURATION = r"(?:\d+d)?(?:\d+h)?(?:\d+m)?(?:\d+s)?"
ICMP = (
    r"(?:echo-reply|destination-unreachable|source-quench|redirect|echo-request|router-advertisement"
    r"|router-solicitation|time-exceeded|parameter-problem|timestamp-request|timestamp-reply|info-request|info-reply"
    r"|address-mask-request|address-mask-reply|\d{1,3})"
)
ICMPV6 = (
    r"(?:destination-unreachable|packet-too-big|time-exceeded|parameter-problem|echo-request|echo-reply"
    r"|mld-listener-query|mld-listener-report|mld-listener-done|nd-router-solicit|nd-router-advert|nd-neighbor-solicit"
    r"|nd-neighbor-advert|nd-redirect|router-renumbering|ind-neighbor-solicit|ind-neighbor-advert"
    r"|mld2-listener-report|\d{1,3})"
)


def address(pattern, bits):
    return rf"{pattern}(?:/{bits}|-{pattern})?"


def one_or_set(item):
    """An item, or an anonymous set of two and more: nft lists a set of one without its braces."""
    return rf"(?:{item}|\{{ {item}(?:, {item})+ \}})"


def field(family, pattern, bits):
    return rf"{family} [sd]addr (?:!= )?(?:@{NAME}|{address(pattern, bits)})"


MATCHES = [
    rf"[io]ifname {one_or_set(STRING)}",
    r"meta nfproto ipv[46]",
    rf"meta l4proto {PROTOCOL}",
    rf"ip protocol {PROTOCOL}",
    field("ip", IPV4, r"\d{1,2}"),
    field("ip6", IPV6, r"\d{1,3}"),
    rf"ip6? [sd]addr \. (?:tcp|udp) dport @{NAME}",
    rf"(?:tcp|udp) [sd]port {one_or_set(PORTS)}",
    rf"icmp type {one_or_set(ICMP)}",
    rf"icmpv6 type {one_or_set(ICMPV6)}",
    r"icmp(?:v6)? code \d{1,3}",
    r"ip6 hoplimit \d{1,3}",
    r"ct state (?:established,related|invalid)",
    rf"ct status dnat ct original (?:ip daddr {IPV4}|ip6 daddr {IPV6})",
]
STATEMENTS = [
    rf"limit {RATE}",
    rf"limit name {STRING}",
    rf"meter {NAME} size {NUMBER} \{{ ip6? saddr timeout {DURATION} limit {RATE} \}}",
    rf"counter name {STRING}",
    rf"log prefix {STRING}",
]
VERDICTS = [
    r"accept",
    r"drop",
    rf"jump {NAME}",
    r"reject with tcp reset",
    r"reject with icmpx type admin-prohibited",
    rf"dnat to (?:tcp|udp) dport map @{NAME}:\d{{1,5}}",
    rf"snat to (?:{IPV4}|{IPV6})",
    r"masquerade",
]


def any_of(patterns):
    return "|".join(f"(?:{pattern})" for pattern in patterns)


# Each part with the blank behind it; see mistakes().
RULE = (
    rf"(?=\S)(?:(?:{any_of(MATCHES)}) )*(?:(?:{any_of(STATEMENTS)}) )*(?:(?:{any_of(VERDICTS)}) )?"
    rf"(?:comment {STRING} )?"
)

# For each place in a file: what a line may be there, and the place that follows it.
ELEMENT = rf"(?:{address(IPV4, r'[0-9]{1,2}')}|{address(IPV6, r'[0-9]{1,3}')}|(?:{IPV4}|{IPV6}) \. \d{{1,5}}),"
GRAMMAR = {
    "top": [
        (r"(?:delete )?table (?:inet flowfw|ip6? flowfw_nat)", "top"),
        (r"flush ruleset", "top"),
        (r"table (?:inet flowfw|ip6? flowfw_nat) \{", "table"),
    ],
    "table": [
        (rf"counter {NAME} \{{", "counter"),
        (rf"limit {NAME} \{{", "limit"),
        (rf"set {NAME} \{{", "set"),
        (rf"map {NAME} \{{", "map"),
        (r"chain (?:input|output|forward|prerouting|postrouting) \{", "base"),
        (rf"chain {NAME} \{{", "chain"),
        (r"\}", "top"),
    ],
    "counter": [(r"\}", "table")],
    "limit": [(RATE, "limit"), (r"\}", "table")],
    "set": [
        (r"type ipv[46]_addr(?: \. inet_service)?", "set"),
        (r"flags interval", "set"),
        (rf"size {NUMBER}", "set"),
        (r"elements = \{", "elements"),
        (r"\}", "table"),
    ],
    "map": [
        (r"type inet_service : ipv[46]_addr", "map"),
        (rf"size {NUMBER}", "map"),
        (r"elements = \{", "mappings"),
        (r"\}", "table"),
    ],
    "mappings": [(rf"\d{{1,5}} : (?:{IPV4}|{IPV6}),", "mappings"), (r"\}", "map")],
    "elements": [(ELEMENT, "elements"), (r"\}", "set")],
    "base": [
        (r"type filter hook (?:input|output|forward) priority 0; policy (?:accept|drop);", "chain"),
        (r"type nat hook (?:prerouting priority -100|postrouting priority 100); policy accept;", "chain"),
    ],
    "chain": [(r"\}", "table"), (RULE, "chain")],
}
COMPILED = {
    place: [(re.compile(pattern if pattern is RULE else pattern + " "), after) for pattern, after in lines]
    for place, lines in GRAMMAR.items()
}
# nft 0.9.4 and Linux 5.6: sets of address and port ranges.
RANGES = rf"(?:{address(IPV4, r'[0-9]{1,2}')}|{address(IPV6, r'[0-9]{1,3}')}) \. {PORTS},"
LATER = {"elements": re.compile(RANGES + " ")}
LATER_CASE = "kernel-5.6"
COMMENT = re.compile(r'^((?:[^"#]|"[^"]*")*?)\s*(?:#[^\n]*)?$')


def following(place, text, later=False):
    """The place after a line, or None where it may not stand."""
    if later and place in LATER and LATER[place].fullmatch(text + " "):
        return place
    return next((after for pattern, after in COMPILED[place] if pattern.fullmatch(text + " ")), None)


def mistakes(path):
    """The lines of a file that the grammar has no place for."""
    place = "top"
    lines = path.read_text(encoding="utf-8").split("\n")
    for number, line in enumerate(lines, start=1):
        code = COMMENT.match(line)
        text = code.group(1).strip() if code else line
        after = following(place, text, path.parent.name == LATER_CASE) if text else place
        if after is None or line.endswith("\\"):
            yield f"{path}:{number}: unknown in a {place}: {line.strip()}"
        place = after or place
    if place != "top":
        yield f"{path}:{len(lines)}: ends inside a {place}"


def clean(path):
    found = list(mistakes(path))
    if found:
        raise AssertionError("\n".join(found))


NEWER = [
    ("top", "destroy table inet flowfw"),
    ("top", 'include "other.nft"'),
    ("set", "typeof ip saddr"),
    ("set", "auto-merge"),
    ("set", "flags dynamic"),
    ("set", "flags interval,timeout"),
    ("set", 'comment "cameras"'),
    ("elements", "10.0.0.1"),
    ("elements", "10.0.0.0/8 . 80,"),
    ("elements", "10.0.0.1 . 80-90,"),
    ("base", "type filter hook input priority filter; policy drop;"),
    ("chain", "th dport 80 accept"),
    ("chain", "meta l4proto { tcp, udp } accept"),
    ("chain", "tcp dport { 80 } accept"),
    ("chain", "tcp dport http accept"),
    ("chain", "iif lo accept"),
    ("chain", 'iifname "lo" accept drop'),
    ("chain", "accept tcp dport 80"),
    ("chain", "reject with icmpx admin-prohibited"),
    ("chain", "update @ipv4_x { ip saddr limit rate 1/second burst 5 packets } accept"),
    ("chain", "tcp dport 80 counter accept"),
    ("chain", 'tcp dport 80 log prefix "a\\" accept'),
    ("chain", "ct state new accept"),
]


def newer_syntax_is_refused():
    """what newer versions read is refused"""
    passed = [f"{place}: {line}" for place, line in NEWER if following(place, line) is not None]
    if passed:
        raise AssertionError("\n".join(passed))


def golden():
    """The golden outputs that are rule sets; other commands print, too."""
    for path in sorted((program.SOURCE / "tests" / "golden").glob("*/nftables.out")):
        if re.search(r"^table inet flowfw \{$", path.read_text(encoding="utf-8"), re.M):
            yield path


def main():
    paths = [Path(argument) for argument in sys.argv[1:]]
    if paths:
        found = [mistake for path in paths for mistake in mistakes(path)]
        print("\n".join(found), end="\n" if found else "", file=sys.stderr)
        return 1 if found else 0
    report = tap.Tap()
    report.run("newer syntax", newer_syntax_is_refused)
    for path in golden():
        report.run(path.parent.name, clean, path)
    return report.done()


if __name__ == "__main__":
    sys.exit(main())
