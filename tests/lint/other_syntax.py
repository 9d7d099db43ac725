# SPDX-License-Identifier: GPL-2.0-or-later
"""Allow-lists for the golden outputs of the other backends.

iptables and ip6tables: the matches and targets that iptables 1.6 reads, in the forms that the backends write, each in
its table, and the lengths that kernels allow for names and comments. ipset: two types of sets. pf: the lines that the
backend writes for each dialect, what translates in the one place that it has there, and the lengths of names.
"""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import program  # noqa: E402
import tap  # noqa: E402

CHAIN = r"FLOWFW-[A-Za-z0-9_.-]{1,21}"
SET = r"flowfw[46][-_][A-Za-z0-9_.-]{1,23}"
BUCKETS = r"[A-Za-z0-9_.-]{1,15}"
WORD = r'(?:[A-Za-z0-9_.-]+|"(?:[^"\\]|\\.)*")'
NUMBER = r"\d{1,10}"
PORT = r"\d{1,5}(?::\d{1,5})?"
RATE = rf"{NUMBER}/(?:second|minute|hour|day)"
ADDRESS = {
    "iptables": (r"(?:\d{1,3}\.){3}\d{1,3}", r"\d{1,2}"),
    "ip6tables": (r"[0-9a-f:]*:[0-9a-f:.]*", r"\d{1,3}"),
}
ICMP = {
    "iptables": rf"-p icmp(?: -m icmp --icmp-type {NUMBER}(?:/{NUMBER})?)?",
    "ip6tables": rf"-p ipv6-icmp(?: -m icmp6 --icmpv6-type {NUMBER}(?:/{NUMBER})?)?(?: -m hl --hl-eq {NUMBER})?",
}
REJECT = {"iptables": "icmp-admin-prohibited", "ip6tables": "icmp6-adm-prohibited"}
COMMENT_MAX, LOG_PREFIX_MAX, LABEL_MAX, TAG_MAX = 255, 29, 63, 63


NAT_CHAIN = r"FLOWFW-(?:PREROUTING|POSTROUTING|DNAT-(?:tcp|udp)(?:\.\d{1,5}-\d{1,5})?)"
COMMENT = rf"(?: -m comment --comment (?P<comment>{WORD}))?"


def filter_rule(program_name):
    address, bits = ADDRESS[program_name]
    header = (
        rf"-p (?:tcp|udp)(?: -m (?:tcp|udp)(?: --[sd]port {PORT}){{1,2}})?"
        rf"(?: -m multiport --[sd]ports {PORT}(?:,{PORT})+){{0,2}}|{ICMP[program_name]}|-p {NUMBER}"
    )
    matches = (
        rf" -m set (?:! )?--match-set {SET} (?:src|dst)(?:,dst)?"
        r"| -m conntrack --ctstate (?:INVALID|(?:NEW|RELATED|ESTABLISHED)(?:,(?:NEW|RELATED|ESTABLISHED))*)"
        rf"| -m limit --limit {RATE} --limit-burst {NUMBER}"
        rf"| -m hashlimit --hashlimit-upto {RATE} --hashlimit-burst {NUMBER} --hashlimit-mode srcip"
        rf" --hashlimit-name {BUCKETS} --hashlimit-htable-max {NUMBER} --hashlimit-htable-expire {NUMBER}"
    )
    targets = (
        rf"-j (?:ACCEPT|DROP|RETURN|{CHAIN})|-g {CHAIN}|-j LOG --log-prefix (?P<prefix>{WORD})"
        rf"|-j REJECT --reject-with (?:tcp-reset|{REJECT[program_name]})"
    )
    ranges = rf"(?: --(?:src|dst)-range {address}-{address}){{1,2}}"
    return re.compile(
        rf"-A (?:INPUT|OUTPUT|FORWARD|(?!{NAT_CHAIN} ){CHAIN})(?: -s {address}/{bits})?(?: -d {address}/{bits})?"
        rf"(?: -i {WORD})?(?: -o {WORD})?(?: (?:{header}))?(?: -m iprange{ranges})?(?:{matches})*"
        rf"{COMMENT} (?:{targets})"
    )


def nat_rule(program_name):
    """What leads there from the hooks; from outside addresses to chains of a protocol; from a port to a device, or to
    a chain of some ports; and from sources to what translates them."""
    address, bits = ADDRESS[program_name]
    all_bits = {"iptables": 32, "ip6tables": 128}[program_name]
    device = {"iptables": address, "ip6tables": rf"\[{address}\]"}[program_name]
    sources = "FLOWFW-SRC-[A-Za-z0-9_.-]{1,17}"
    peers = (
        rf"(?: -s {address}/{bits})?(?: -o {WORD})?(?: -m iprange --src-range {address}-{address})?"
        rf"(?: -m conntrack --ctstate DNAT --ctorigdst {address})?(?: -m set --match-set {SET} src)?"
    )
    return re.compile(
        r"-A (?P<hook>PRE|POST)ROUTING -j FLOWFW-(?P=hook)ROUTING"
        rf"|-A FLOWFW-PREROUTING -d {address}/{all_bits}(?: -i {WORD})? -p (?P<outside>tcp|udp)"
        r" -j FLOWFW-DNAT-(?P=outside)"
        rf"|-A FLOWFW-DNAT-(?P<protocol>tcp|udp)(?:\.\d+-\d+)? -p (?P=protocol) -m (?P=protocol) --dport"
        rf" (?:\d+:\d+ -g FLOWFW-DNAT-(?P=protocol)\.\d+-\d+|\d+{COMMENT} -j DNAT --to-destination {device}:\d+)"
        rf"|-A (?:FLOWFW-POSTROUTING|{sources}){peers}{COMMENT.replace('comment>', 'source>')}"
        rf" (?:-j SNAT --to-source {address}|-j MASQUERADE|-[gj] {sources})"
    )


# By table: what may stand in it, beside the chains of flowfw.
TABLES = {
    "filter": (filter_rule, r":(?:INPUT|OUTPUT|FORWARD) (?:ACCEPT|DROP) \[0:0\]"),
    "nat": (nat_rule, r":(?:PREROUTING|POSTROUTING) ACCEPT \[0:0\]"),
}
RULES = {(name, table): rule(name) for name in ADDRESS for table, (rule, _) in TABLES.items()}
CHAINS = {table: re.compile(rf"{policy}|:{CHAIN} - \[0:0\]") for table, (_, policy) in TABLES.items()}
SET_LINE = re.compile(
    rf"create {SET} hash:net(?:,port)? family inet6? hashsize {NUMBER} maxelem {NUMBER} -exist"
    rf"|(?:flush|destroy) {SET}|swap {SET} {SET}|add {SET} [0-9a-f:./]+(?:,(?:tcp|udp):\d+(?:-\d+)?)? -exist"
)


def unquoted(word):
    return re.sub(r"\\(.)", r"\1", word[1:-1]) if word.startswith('"') else word


def too_long(found):
    """Whether a rule has words that the kernel would cut or refuse."""
    limits = {"comment": COMMENT_MAX, "source": COMMENT_MAX, "prefix": LOG_PREFIX_MAX}
    words = {name: word for name, word in found.groupdict().items() if word and name in limits}
    return any(len(unquoted(word).encode()) > limits[name] for name, word in words.items())


def knows_rule(program_name, line, table="filter"):
    found = RULES[program_name, table].fullmatch(line)
    return found is not None and not too_long(found)


def lines_of(path):
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
        if line and not line.startswith("#"):
            yield number, line


def refuse(path, knows):
    unknown = [f"{path}:{number}: {line}" for number, line in lines_of(path) if not knows(line)]
    if unknown:
        raise AssertionError("\n".join(unknown))


class Tables:
    """Follows the lines of one file: tables one after the other, in the order of the frames, each with its COMMIT."""

    def __init__(self, program_name):
        self.name, self.table, self.waiting = program_name, None, list(TABLES)

    def knows(self, line):
        if self.table is None:
            self.table = line[1:]
            known = line.startswith("*") and self.table in self.waiting
            self.waiting = self.waiting[self.waiting.index(self.table) + 1 :] if known else []
            return known
        if line == "COMMIT":
            self.table = None
            return True
        table = self.table if self.table in TABLES else "filter"
        return CHAINS[table].fullmatch(line) or knows_rule(self.name, line, table)


def iptables_file(path):
    tables = Tables(path.name.split(".")[0].split("-")[0])
    refuse(path, tables.knows)
    tap.equal(tables.table, None, "the table that is open in the end")


def ipset_file(path):
    refuse(path, SET_LINE.fullmatch)



# ---- pf ----

PF_INTERFACE = r"[A-Za-z][A-Za-z0-9_.-]*\d"  # others are names of groups
PF_TABLE = r"<[A-Za-z0-9_.-]{1,31}>"
PF_LABEL = r' label "(?P<label>(?:[^"\\]|\\.)+)"'
PF_FAMILIES = {"inet": ADDRESS["iptables"], "inet6": ADDRESS["ip6tables"]}
PF_PREFIX = "|".join(rf"{address}(?:/{bits})?" for address, bits in PF_FAMILIES.values())
PF_DIALECTS = {"pf.out": "openbsd", "pf-freebsd.out": "freebsd"}


def one_or_braces(item):
    return rf"(?:{item}|\{{ {item}(?:, {item})+ \}})"


def pf_lines(dialect):
    """Whole lines, but for entries of tables and what stands behind a #."""
    on = rf"(?: on {one_or_braces(PF_INTERFACE)})?"
    side = one_or_braces(rf"(?:any|\$local_(?:from|to)|\(self\)|(?:! )?{PF_TABLE}|{PF_PREFIX})")
    port = one_or_braces(PORT)
    kind = one_or_braces(rf"(?:[a-z]+|{NUMBER})(?: code {NUMBER})?")
    protocol = rf"(?:icmp|igmp|tcp|udp|gre|esp|ah|icmp6|{NUMBER})"
    criteria = (
        rf"{on}(?: inet6?)?(?: proto {protocol})? from {side}(?: port {port})? to {side}(?: port {port})?"
        rf"(?: icmp6?-type {kind})?"
    )
    to = rf"_to_{PF_INTERFACE}(?:\+{PF_INTERFACE})*(?:\+\d+)?"
    through = rf"flowfw_(?:forward|stateless|hairpin)(?:{to})?"
    tags = rf"(?: (?:tagged (?:flowfw_local|{through})|! tagged flowfw_local))?(?: tag {through})?"
    rates = {
        "openbsd": rf"(?: max-pkt-rate {NUMBER}/{NUMBER})? (?:keep|no) state",
        "freebsd": rf" (?:keep|no) state(?: \(max (\d+), icmp\.first (\d+), icmp\.error \2, adaptive\.start \1, "
        r"adaptive\.end \d+\))?",
    }
    per_source = rf"(?: \(source-track rule, max-src-conn-rate {NUMBER}/{NUMBER}\))?"
    sent = r" tag flowfw_sent (?:keep state|no state(?: allow-opts)?) label \"flowfw: forward\""
    block = (
        r"block (?:drop|return) (?:in(?: log)? quick from (?:any|\$local_from) to (?:any|\$local_to)"
        r"|out(?: log)? quick from (?:any|\$local_from) to any)(?: ! tagged flowfw_local)?"
        r" label \"flowfw: (?:input|output|forward)\""
    )
    lines = [
        r"local_to = \"\{ \(self\), \(self:broadcast\), <local_multicast> \}\"",
        r"local_from = \"\{ \(self\), 0\.0\.0\.0/32, ::/128 \}\"",
        rf"table {PF_TABLE} const \{{|\}}",
        r"set (?:block-policy drop|reassemble yes|skip on lo)",
        rf"set limit (?:{'tables|' if dialect == 'openbsd' else ''}table-entries) {NUMBER}",
        r"pass quick on lo0 all no state label \"loopback\"",
        rf"pass (?:in|out)(?: log)? quick{criteria}{tags}(?: flags S/SA)?{rates[dialect]}{per_source}(?: allow-opts)?"
        rf"{PF_LABEL}",
        # where everything passes, TCP that no state begins with
        rf"pass (?:in|out) quick proto tcp from (?:any|\$local_from) to (?:any|\$local_to){tags} flags any no state"
        r" label \"flowfw: (?:input|output|forward)\"",
        block,
        # what is this host's, and what is on its way
        r"match in from any to \$local_to tag flowfw_local|match out from \$local_from to any tag flowfw_local",
        r"match in from any to any(?: (?:! )?tagged flowfw_translated)? tag flowfw_forward",
        rf"match in(?: inet6?)? from {side} to any tagged flowfw_translated tag flowfw_hairpin",
        rf"match in{criteria} tagged {through} tag flowfw_(?:forward|stateless|hairpin){to}",
        rf"match out{on} from any to any tagged flowfw_(?P<kind>forward|stateless|hairpin){to} tag flowfw_(?P=kind)",
        rf"pass out quick from any to any tagged flowfw_(?:forward|stateless){sent}",
    ]
    for family, (address, _) in PF_FAMILIES.items():
        ports = (
            rf"{on} {family} proto (?:tcp|udp) from any to (?:{address}|{PF_TABLE}) port \d+(?: tag flowfw_translated)?"
        )
        lines += {
            "openbsd": [
                rf"match in{ports} rdr-to {address} port \d+",
                rf"match out {family} from any to any tagged flowfw_hairpin nat-to {address}",
            ],
            "freebsd": [
                rf"rdr{ports} -> {address} port \d+",
                rf"nat{on} {family} from any to any tag flowfw_nat tagged flowfw_hairpin(?:{to})? -> {address}",
                rf"no nat{on} {family} from \(self\) to any tagged flowfw_hairpin(?:{to})?",
            ],
        }[dialect]
    own = r"\((?P=exit):0\)"
    lines += {
        "openbsd": [
            rf"match out on (?P<exit>{PF_INTERFACE}) inet from {side} to any tagged flowfw_forward nat-to {own}",
            rf"pass out quick from any to any tagged flowfw_hairpin{sent}",
        ],
        "freebsd": [
            rf"nat on (?P<exit>{PF_INTERFACE}) inet from {side} to any tag flowfw_nat tagged flowfw_forward(?:{to})?"
            rf" -> {own}",
            rf"no nat on {PF_INTERFACE} inet from \(self\) to any tagged flowfw_forward(?:{to})?",
            rf"pass out quick from any to any tagged flowfw_nat{sent}",
        ],
    }[dialect]
    return [re.compile(line) for line in lines]


PF_LINES = {dialect: pf_lines(dialect) for dialect in PF_DIALECTS.values()}
PF_ENTRY = re.compile(rf"\t!?(?:{PF_PREFIX})")


def knows_pf(dialect, line):
    line = re.sub(r"\t# .*$", "", line)
    if line.startswith("\t"):
        return PF_ENTRY.fullmatch(line) is not None
    found = next(filter(None, (pattern.fullmatch(line) for pattern in PF_LINES[dialect])), None)
    if found is None:
        return False
    tags = re.findall(r"\btag(?:ged)? (\S+)", line)
    label = found.groupdict().get("label") or ""
    return len(unquoted(f'"{label}"').encode()) <= LABEL_MAX and all(len(tag) <= TAG_MAX for tag in tags)


def pf_file(path):
    refuse(path, lambda line: knows_pf(PF_DIALECTS[path.name], line))


# ---- what must be refused ----

FILTER = "iptables", "filter"
NAT = "iptables", "nat"
NEWER = [
    (*FILTER, "-A INPUT -m tcp --dport 80 -j ACCEPT"),
    (*FILTER, "-A FLOWFW-INPUT -p tcp -m cgroup --path x -j ACCEPT"),
    (*FILTER, "-A FLOWFW-INPUT -p tcp -m tcp --dport http -j ACCEPT"),
    (*FILTER, "-A FLOWFW-INPUT -p tcp -m tcp --dport 80 -j NFLOG"),
    (*FILTER, "-A FLOWFW-INPUT -p icmp -m icmp --icmp-type echo-request -j ACCEPT"),
    (*FILTER, "-A FLOWFW-INPUT -p ipv6-icmp -m icmp6 --icmpv6-type 1 -j ACCEPT"),
    (*FILTER, "-A FLOWFW-INPUT -m state --state NEW -j ACCEPT"),
    (*FILTER, "-A FLOWFW-INPUT -j FLOWFW-" + 22 * "x"),
    (*FILTER, "-A FLOWFW-INPUT -m comment --comment " + 256 * "x" + " -j ACCEPT"),
    (*FILTER, "-A FLOWFW-INPUT -m set --match-set flowfw4-" + 24 * "x" + " src -j ACCEPT"),
    (*FILTER, "-A FLOWFW-FORWARD -o eth1 -i eth0 -j ACCEPT"),
    (*FILTER, "-A FLOWFW-FORWARD -m conntrack --ctstate DNAT -j ACCEPT"),
    (*FILTER, "-A FLOWFW-FORWARD -j MASQUERADE"),
    (*FILTER, "-A FLOWFW-DNAT-tcp -p tcp -m tcp --dport 80 -j ACCEPT"),
    (*NAT, "-A FLOWFW-PREROUTING -j ACCEPT"),
    (*NAT, "-A FLOWFW-PREROUTING -p tcp -j FLOWFW-DNAT-tcp"),
    (*NAT, "-A FLOWFW-PREROUTING -d 198.51.100.7/32 -p tcp -j FLOWFW-DNAT-udp"),
    (*NAT, "-A FLOWFW-PREROUTING -d 198.51.100.0/24 -p tcp -j FLOWFW-DNAT-tcp"),
    (*NAT, "-A FLOWFW-DNAT-tcp -p tcp -m tcp --dport 80 -j REDIRECT --to-ports 8080"),
    (*NAT, "-A FLOWFW-DNAT-tcp -p tcp -m tcp --dport 80:90 -j DNAT --to-destination 10.8.0.17:8088"),
    (*NAT, "-A FLOWFW-DNAT-tcp -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.8.0.17"),
    (*NAT, "-A FLOWFW-DNAT-tcp -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.8.0.17:8088 --random"),
    (*NAT, "-A FLOWFW-DNAT-tcp -p tcp -m tcp --dport 80 -j DNAT --to-destination [2001:db8::17]:8088"),
    (*NAT, "-A FLOWFW-POSTROUTING -j MASQUERADE --random-fully"),
    (*NAT, "-A FLOWFW-POSTROUTING -i eth1 -j MASQUERADE"),
    (*NAT, "-A FLOWFW-POSTROUTING -m conntrack --ctstate DNAT -j SNAT --to-source 10.8.0.1"),
    (*NAT, "-A POSTROUTING -j MASQUERADE"),
    (*NAT, "-A PREROUTING -j FLOWFW-POSTROUTING"),
]
PF_REFUSED = {
    "openbsd": [
        "rdr on em0 inet proto tcp from any to 198.51.100.7 port 18088 -> 10.8.0.17 port 8088",
        "nat on em0 inet from 10.8.0.17 to any tag flowfw_nat tagged flowfw_forward -> (em0:0)",
        "no nat on em0 inet from (self) to any tagged flowfw_forward",
        "pass in on em0 inet proto tcp from any to 198.51.100.7 port 18088 rdr-to 10.8.0.17 port 8088",
        "match out on em0 inet from 10.8.0.17 to any tagged flowfw_forward nat-to (em1:0)",
        "match out on em0 inet from 10.8.0.17 to any tagged flowfw_forward nat-to (em0)",
        "match out on em0 inet from 10.8.0.17 to any nat-to (em0:0)",
        "match out on em0 inet6 from 2001:db8::17 to any tagged flowfw_forward nat-to (em0:0)",
        'pass out quick from any to any tagged flowfw_nat tag flowfw_sent keep state label "flowfw: forward"',
        'pass in quick inet proto icmp from any to (self) icmp-type echoreq keep state (max 10, icmp.first 2, '
        'icmp.error 2, adaptive.start 10, adaptive.end 11) label "echo"',
    ],
    "freebsd": [
        "match in on em0 inet proto tcp from any to 198.51.100.7 port 18088 rdr-to 10.8.0.17 port 8088",
        "match out on em0 inet from 10.8.0.17 to any tagged flowfw_forward nat-to (em0:0)",
        "rdr pass on em0 inet proto tcp from any to 198.51.100.7 port 18088 -> 10.8.0.17 port 8088",
        "rdr on em0 inet proto tcp from any to 198.51.100.7 port 18088 -> 2001:db8::17 port 8088",
        "rdr on em0 inet proto tcp from any to 198.51.100.7 port 18088:18090 -> 10.8.0.17 port 8088",
        "nat on em0 inet from 10.8.0.17 to any tag flowfw_nat tagged flowfw_forward -> (em1:0)",
        "nat on em0 inet from 10.8.0.17 to any tagged flowfw_forward -> (em0:0)",
        "nat pass on em0 inet from 10.8.0.17 to any tag flowfw_nat tagged flowfw_forward -> (em0:0)",
        "binat on em0 inet from 10.8.0.17 to any -> 198.51.100.7",
        'pass out quick from any to any tagged flowfw_hairpin tag flowfw_sent keep state label "flowfw: forward"',
        'pass in quick inet proto icmp from any to (self) icmp-type echoreq max-pkt-rate 10/2 keep state label "echo"',
        "set limit tables 2000",
    ],
}
PF_REFUSED_BY_BOTH = [
    'pass in quick on egress proto tcp from any to $local_to port 22 flags S/SA keep state label "ssh"',
    'pass in proto tcp from any to $local_to port 22 flags S/SA keep state label "ssh"',
    'pass in quick proto tcp from any to $local_to port 22 flags S/SA modulate state label "ssh"',
    'pass in quick proto tcp from any to $local_to port 22 flags any no state label "ssh"',
    'pass in quick proto tcp from any to $local_to flags any keep state label "flowfw: input"',
    'pass in quick proto tcp from any to $local_to port 22 flags S/SA keep state label "' + 64 * "x" + '"',
    'pass in quick proto tcp from <' + 32 * "x" + '> to $local_to port 22 flags S/SA keep state label "ssh"',
    'pass in quick proto tcp from any to any port 22 tagged other flags S/SA keep state label "ssh"',
    "match in from any to any tagged flowfw_translated tag flowfw_sent",
    "match in from any to any tagged flowfw_forward tag flowfw_forward_to_em0" + 10 * "+em1000",
    "match out on em1 from any to any tagged flowfw_hairpin_to_em1 tag flowfw_forward",
    "pass",
    "\thostname",
]


def unknown_iptables_is_refused():
    passed = [line for name, table, line in NEWER if knows_rule(name, line, table)]
    if passed:
        raise AssertionError("\n".join(passed))


def unknown_pf_is_refused():
    for dialect, lines in PF_REFUSED.items():
        passed = [line for line in lines + PF_REFUSED_BY_BOTH if knows_pf(dialect, line)]
        if passed:
            raise AssertionError("\n".join(passed))


def misplaced_tables_are_refused():
    for lines in (["*raw"], ["*nat", "COMMIT", "*filter"], ["*filter", "COMMIT", "*filter"], [":FLOWFW-INPUT - [0:0]"]):
        tables = Tables("iptables")
        tap.equal(all(tables.knows(line) for line in lines), False, f"what is said of {lines}")


def main():
    report = tap.Tap()
    report.run("iptables: what is not written is refused", unknown_iptables_is_refused)
    report.run("iptables: tables in another order are refused", misplaced_tables_are_refused)
    report.run("pf: what is not written is refused", unknown_pf_is_refused)
    golden = program.SOURCE / "tests/golden"
    for pattern, check in (
        ("*/ip*tables*.out", iptables_file),
        ("*/ip*tables-ipset.sets", ipset_file),
        ("*/pf*.out", pf_file),
    ):
        paths = sorted(golden.glob(pattern))
        report.run(f"there are {pattern}", tap.equal, len(paths) > 20, True, "more than twenty")
        for path in paths:
            report.run(f"{path.parent.name}/{path.name}", check, path)
    return report.done()


if __name__ == "__main__":
    sys.exit(main())
