# SPDX-License-Identifier: GPL-2.0-or-later
"""Allow-lists for the golden outputs of the other backends.

iptables and ip6tables: the matches and targets that iptables 1.6 reads, in the forms that the backends write, and
the lengths that kernels allow for names and comments. ipset: two types of sets. pf: the lengths of names and labels.
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
COMMENT_MAX, LOG_PREFIX_MAX, LABEL_MAX, TABLE_MAX = 255, 29, 63, 31


def rule(program_name):
    address, bits = ADDRESS[program_name]
    header = (
        rf"-p (?:tcp|udp)(?: -m (?:tcp|udp)(?: --[sd]port {PORT}){{1,2}})?"
        rf"(?: -m multiport --[sd]ports {PORT}(?:,{PORT})+){{0,2}}|{ICMP[program_name]}|-p {NUMBER}"
    )
    matches = (
        rf" -m set (?:! )?--match-set {SET} (?:src|dst)(?:,dst)?| -m conntrack --ctstate [A-Z,]+"
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
        rf"-A (?:INPUT|OUTPUT|FORWARD|{CHAIN})(?: -s {address}/{bits})?(?: -d {address}/{bits})?"
        rf"(?: -[io] {WORD})?(?: (?:{header}))?(?: -m iprange{ranges})?(?:{matches})*"
        rf"(?: -m comment --comment (?P<comment>{WORD}))? (?:{targets})"
    )


RULES = {name: rule(name) for name in ADDRESS}
LINE = re.compile(rf"\*filter|COMMIT|:(?:INPUT|OUTPUT|FORWARD) (?:ACCEPT|DROP) \[0:0\]|:{CHAIN} - \[0:0\]")
SET_LINE = re.compile(
    rf"create {SET} hash:net(?:,port)? family inet6? hashsize {NUMBER} maxelem {NUMBER} -exist"
    rf"|(?:flush|destroy) {SET}|swap {SET} {SET}|add {SET} [0-9a-f:./]+(?:,(?:tcp|udp):\d+(?:-\d+)?)? -exist"
)


def unquoted(word):
    return re.sub(r"\\(.)", r"\1", word[1:-1]) if word.startswith('"') else word


def too_long(found):
    """Whether a rule has words that the kernel would cut or refuse."""
    limits = (("comment", COMMENT_MAX), ("prefix", LOG_PREFIX_MAX))
    return any(found[name] and len(unquoted(found[name]).encode()) > limit for name, limit in limits)


def knows_rule(program_name, line):
    found = RULES[program_name].fullmatch(line)
    return found is not None and not too_long(found)


def lines_of(path):
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
        if line and not line.startswith("#"):
            yield number, line


def refuse(path, knows):
    unknown = [f"{path}:{number}: {line}" for number, line in lines_of(path) if not knows(line)]
    if unknown:
        raise AssertionError("\n".join(unknown))


def iptables_file(path):
    name = path.name.split(".")[0].split("-")[0]
    refuse(path, lambda line: LINE.fullmatch(line) or knows_rule(name, line))


def ipset_file(path):
    refuse(path, SET_LINE.fullmatch)


def pf_file(path):
    def short(line):
        labels = re.findall(r'\blabel (?:"((?:[^"\\]|\\.)*)"|(\S+))', line)
        tables = re.findall(r'<([^>"]*)>', re.sub(r'"(?:[^"\\]|\\.)*"', "", line))
        return all(len((quoted or bare).encode()) <= LABEL_MAX for quoted, bare in labels) and all(
            len(table) <= TABLE_MAX for table in tables
        )

    refuse(path, short)


NEWER = [
    "-A INPUT -m tcp --dport 80 -j ACCEPT",
    "-A FLOWFW-INPUT -p tcp -m cgroup --path x -j ACCEPT",
    "-A FLOWFW-INPUT -p tcp -m tcp --dport http -j ACCEPT",
    "-A FLOWFW-INPUT -p tcp -m tcp --dport 80 -j NFLOG",
    "-A FLOWFW-INPUT -p icmp -m icmp --icmp-type echo-request -j ACCEPT",
    "-A FLOWFW-INPUT -p ipv6-icmp -m icmp6 --icmpv6-type 1 -j ACCEPT",
    "-A FLOWFW-INPUT -m state --state NEW -j ACCEPT",
    "-A FLOWFW-INPUT -j FLOWFW-" + 22 * "x",
    "-A FLOWFW-INPUT -m comment --comment " + 256 * "x" + " -j ACCEPT",
    "-A FLOWFW-INPUT -m set --match-set flowfw4-" + 24 * "x" + " src -j ACCEPT",
]


def newer_syntax_is_refused():
    passed = [line for line in NEWER if knows_rule("iptables", line)]
    if passed:
        raise AssertionError("\n".join(passed))


def main():
    report = tap.Tap()
    report.run("newer syntax", newer_syntax_is_refused)
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
