# SPDX-License-Identifier: GPL-2.0-or-later
"""The real nft and kernel on every rule set of the golden cases, each in a network namespace of its own."""

import json
import re
import shlex
import socket
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import cameras  # noqa: E402
import netns  # noqa: E402
import program  # noqa: E402
import tap  # noqa: E402

GOLDEN = program.SOURCE / "tests/golden"
FOREIGN = """
table inet filter { chain input { type filter hook input priority 0; tcp dport 22 accept; }; }
table ip docker { set s { type ipv4_addr; elements = { 10.0.0.1 }; }; }
table ip nat {
    chain PREROUTING { type nat hook prerouting priority -100; tcp dport 8080 dnat to 172.17.0.2:80; }
    chain POSTROUTING { type nat hook postrouting priority 100; ip saddr 172.17.0.0/16 masquerade; }
}
table ip6 flowfw_other { chain c { }; }
"""
OURS = {("inet", "flowfw"), ("ip", "flowfw_nat"), ("ip6", "flowfw_nat")}
RULES_MET = [4, 5]  # by a packet of TCP, of UDP: three that all meet, and a service's for each protocol
FEW, MANY = 10, 10_000  # cameras
OTHER_TABLE, OTHER_RULESET = "junction-17", "frame-standalone"  # a host's, in each frame


def protocol_number(found):
    try:
        return f"{found[1]} {socket.getprotobyname(found[2])}"
    except OSError:
        return found[0]


# What nft 1.0.6 lists in other words than it reads: (as listed, as written).
SPELLINGS = [
    (r"^type filter hook (\w+) priority filter;", r"type filter hook \1 priority 0;"),
    (r"^type nat hook prerouting priority dstnat;", "type nat hook prerouting priority -100;"),
    (r"^type nat hook postrouting priority srcnat;", "type nat hook postrouting priority 100;"),
    (r"\bicmpx type\b", "icmpx"),
    (r"\bicmpx admin-prohibited", "icmpx type admin-prohibited"),
    (r"\b(l4proto|ip protocol) (\w+)", protocol_number),
    (r"\bicmp code net-unreachable\b", "icmp code 0"),  # also where the type has no such code
    (r"\bicmp code frag-needed\b", "icmp code 4"),
    (r"\bburst 5 packets ?", ""),  # the default of nft
    (r'\b(counter|limit) name "([\w.-]+)"', r"\1 name \2"),
    (r"\btimeout (\d+)m\b", lambda found: f"timeout {int(found[1]) * 60}s"),
    (r"\btimeout (\d+)h\b", lambda found: f"timeout {int(found[1]) * 3600}s"),
    (r"^packets \d+ bytes \d+$", ""),
    (r"\bflags (.*)$", lambda found: "flags " + ",".join(sorted(found[1].replace(" ", "").split(",")))),
]


def rule_files():
    """The golden rule sets, by case."""
    return {path.parent.name: path.read_text(encoding="utf-8") for path in sorted(GOLDEN.glob("*/nftables.out"))}


def listing(host):
    """What the kernel holds, as data without handles: {(family, table): objects}."""
    tables = {}

    def clean(value):
        if isinstance(value, dict):
            return {key: clean(item) for key, item in value.items() if key != "handle"}
        if isinstance(value, list):
            items = [clean(item) for item in value]
            return sorted(items, key=json.dumps) if all(not isinstance(item, dict) for item in items) else items
        return value

    for item in json.loads(host.run("nft", "-j", "list", "ruleset")[1])["nftables"]:
        kind, value = next(iter(item.items()))
        if kind == "metainfo":
            continue
        value = clean(value)
        if "elem" in value:
            value["elem"] = sorted(value["elem"], key=json.dumps)
        name = value["name"] if kind == "table" else value["table"]
        tables.setdefault((value["family"], name), []).append({kind: value})
    return tables


def load(host, text):
    host.run("nft", "-f", "-", text=text)


# ---- a rule file and a listing, in one form ----


def split_items(text):
    """Items between commas that are not inside of something."""
    return sorted(filter(None, (item.strip() for item in text.split(","))))


def statement(text):
    """One line in canonical spelling."""
    text = re.sub(r"\s+", " ", text).strip().rstrip(";")
    text = re.sub(r"\{([^{}]*)\}", lambda found: "{ " + ", ".join(split_items(found[1])) + " }", text)
    for listed, written in SPELLINGS:
        text = re.sub(listed, written, text)
    return re.sub(r"\s+", " ", text).strip()


def blocks(text):
    """{table: {(kind, name): [statements]}} of a rule file or a listing; set elements sorted."""
    text = re.sub(r'^((?:[^"#\n]|"[^"\n]*")*)#.*$', r"\1", text, flags=re.MULTILINE)
    # Elements over several lines become one line.
    text = re.sub(r"elements = \{.*?\}", lambda found: found[0].replace("\n", " "), text, flags=re.DOTALL)
    tables, table, block = {}, None, None
    for line in text.splitlines():
        line = line.strip()
        if not line or line.startswith(("delete table", "add table", "flush")):
            continue
        if table is None:
            found = re.fullmatch(r"(?:add )?table (\w+ \w+)(?: (\{.*))?", line)
            if not found:
                raise AssertionError(f"not understood: {line!r}")
            if found[2] and found[2].replace(" ", "") == "{}":
                tables.setdefault(found[1], {})
            elif found[2]:
                table = tables[found[1]] = {}
        elif block is None:
            if line == "}":
                table = None
                continue
            found = re.fullmatch(r"(set|map|chain|counter|limit) ([\w.-]+) \{(.*)", line)
            if not found:
                raise AssertionError(f"not understood: {line!r}")
            block = table[found[1], found[2]] = []
            if found[3].strip().endswith("}"):
                block += filter(None, map(statement, found[3].strip()[:-1].split(";")))
                block = None
        elif line == "}":
            block = None
        elif re.match(r"type \w+ hook ", line):
            block.append(statement(line.replace("; policy", ";policy").split(";policy")[0] + ";"))
            block.append(statement("policy" + line.split("policy")[1]))
        else:
            block.append(statement(line))
    for table in tables.values():
        for key, lines in table.items():
            lines = list(filter(None, lines))
            table[key] = lines if key[0] == "chain" else sorted(lines)
    return tables


def tables_of(text):
    """Those that are left when a rule file was loaded: they have something in them."""
    return {table: objects for table, objects in blocks(text).items() if objects}


def as_text(tables):
    """The one form, for comparison line by line."""
    lines = []
    for table, objects in sorted(tables.items()):
        lines.append(f"table {table}")
        for key in sorted(objects):
            lines.append("  " + " ".join(key))
            for line in objects[key]:
                lines += ["    " + part for part in line.replace(", ", ",\n").splitlines()]
    return "\n".join(lines)


# ---- checks ----


def loads(text):
    """nft takes it as a dry run, then really; a second time changes nothing; other tables stay."""
    host = netns.Host("loader")
    try:
        load(host, FOREIGN)
        before = listing(host)
        host.run("nft", "-c", "-f", "-", text=text)
        tap.equal(listing(host), before, "what a dry run leaves")
        load(host, text)
        once = listing(host)
        load(host, text)
        tap.equal(listing(host), once, "the list after a second load")
        foreign = {table: objects for table, objects in once.items() if table not in OURS}
        if "flush ruleset" not in text:
            tap.equal(foreign, before, "the tables of others")
        ours = sorted(OURS & once.keys())
        shown = {}
        for family, table in ours:
            shown |= blocks(host.run("nft", "-y", "list", "table", family, table)[1])
        tap.equal(as_text(shown), as_text(tables_of(text)), "what the kernel lists")
        return {table: objects for table, objects in once.items() if table in OURS}
    finally:
        host.stop()


def replaces(host, text, alone):
    """After whatever was loaded before, it filters as it does alone."""
    load(host, text)
    ours = {table: objects for table, objects in listing(host).items() if table in OURS}
    tap.equal(ours, alone, "the list after other rule sets")


def translates(tables):
    return {table for table in tables if table[1] == "flowfw_nat"}


def ends_translation(gateway, other):
    """What an older file translated, one that translates nothing takes away."""
    host = netns.Host("loader")
    try:
        load(host, gateway)
        tap.equal(bool(translates(listing(host))), True, "a gateway translates")
        load(host, other)
        tap.equal(translates(listing(host)), set(), "tables that translate behind a host's file")
    finally:
        host.stop()


def dry_run_of_flowfw(case):
    """`check --kernel` agrees that the kernel takes it, and changes nothing."""
    host = netns.Host("dry-run")
    try:
        load(host, FOREIGN)
        before = host.run("nft", "list", "ruleset")[1]
        host.call(check_kernel, str(GOLDEN / case), case_profile(case))
        tap.equal(host.run("nft", "list", "ruleset")[1], before, "the rule set after the dry run")
    finally:
        host.stop()


def case_profile(case):
    """The arguments of a case that choose its profile, for `check`."""
    file = GOLDEN / case / "args"
    words = shlex.split(file.read_text(encoding="utf-8")) if file.exists() else ["gen", "-q", "--profile", "site.yaml"]
    kept, words = [], words[1:]
    while words:
        word = words.pop(0)
        if word in ("--frame", "--template", "-b", "-O"):
            words.pop(0)
        else:
            kept.append(word)
    return kept


def check_kernel(folder, arguments):
    process = program.flowfw("check", "-q", "--kernel", *arguments, cwd=folder)
    if process.returncode != program.OK:
        raise AssertionError(f"exit status {process.returncode}\n{process.stderr}")


def camera_site(count):
    """A site with that many cameras, half of them with a port of their own."""
    lines = ["flowfw: 1", "site: large", "extends: enterprise", "groups:", "  cameras:"]
    for number in range(count):
        address = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
        ports = ", ports: 8554/tcp" if number % 2 else ""
        lines.append(f"    - {{name: camera-{number}, address: {address}{ports}}}")
    return "\n".join(lines) + "\n"


def loads_cameras(count, seconds):
    """A site with many cameras loads within a time, twice, and each camera is in the kernel's sets."""
    text = program.rule_set(camera_site(count))
    host = netns.Host("loader")
    try:
        start = time.monotonic()
        load(host, text)
        load(host, text)
        took = time.monotonic() - start
        elements = sum(
            len(value.get("elem", []))
            for objects in listing(host).values()
            for item in objects
            for value in item.values()
        )
        if elements < count * 3 // 2:
            raise AssertionError(f"{elements} elements for {count} cameras")
        if took > seconds:
            raise AssertionError(f"two loads took {took:.1f} seconds")
    finally:
        host.stop()


def counting(text):
    """The same rules, each of which counts the packets that it asks, also those that do not match."""
    def count(chain):
        return re.sub(r"^\t\t(?=[^\s#])(?!type filter hook)", "\t\tcounter ", chain[0], flags=re.M)

    return re.sub(r"^\tchain .*?^\t\}", count, text, flags=re.M | re.S)


def rules_met(host):
    """How often a rule of the output chain was asked, and how many there are."""
    rules = [item["rule"]["expr"] for item in json.loads(
        host.run("nft", "-j", "list", "chain", "inet", "flowfw", "output")[1])["nftables"] if "rule" in item]
    return sum(expressions[0]["counter"]["packets"] for expressions in rules), len(rules)


def send(kind, address, port):
    """One packet: a datagram or a SYN. Fails where it is dropped."""
    with socket.socket(socket.AF_INET, kind) as sender:
        sender.setblocking(False)
        try:
            sender.connect((address, port))
            if kind == socket.SOCK_DGRAM:
                sender.send(b"x")
        except BlockingIOError:  # on its way
            pass


def met_by(count, shape):
    """[rules that a packet to the last camera met], for each protocol; a camera's own port is of TCP alone."""
    host = netns.Host("sender")
    try:
        host.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth1")
        host.run("ip", "link", "set", "eth1", "up")
        for name in ("eth0", "eth1"):  # which has packets of its own
            host.call(netns.write, f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6", "1")
        netns.bring_up(host, "eth0", ["10.255.0.1/8"])
        load(host, counting(program.rule_set(cameras.site(count, shape))))
        met, last = [], count - 1
        for kind in (socket.SOCK_STREAM, *([socket.SOCK_DGRAM] if shape == "same" else [])):
            before, _ = rules_met(host)
            host.call(send, kind, cameras.address(last), cameras.port(last, shape))
            after, total = rules_met(host)
            met.append(after - before)
            assert after - before < total, f"a packet met all {total} rules, and the chain's policy"
        return met
    finally:
        host.stop()


def meets_few_rules(shape):
    """A packet to the last of many cameras meets as many rules as one to the last of a few."""
    few, many = met_by(FEW, shape), met_by(MANY, shape)
    print(f"# {FEW} cameras: {few} rules; {MANY:,}: {many}")
    tap.equal(many, few, f"rules that a packet to the last of {MANY:,} cameras met")
    tap.equal(many, RULES_MET[:len(many)], "rules that a packet to a camera met")


def main():
    checks = tap.Tap()
    try:
        root = netns.enter()
    except tap.Skip as skip:
        checks.skip("nft in a namespace", skip)
        return checks.done()
    files = rule_files()
    checks.run("there are rule sets to load", tap.equal, len(files) > 20, True, "more than twenty")
    alone = {case: checks.run(f"{case}: loads", loads, text) for case, text in files.items()}
    host = netns.Host("one after the other")
    for order, cases in (("before", list(files)), ("after", list(reversed(files)))):
        for case in cases:
            if alone[case] is not None:
                name = f"{case}: replaces the case that comes {order} it by name"
                checks.run(name, replaces, host, files[case], alone[case])
    translating = [case for case in files if alone[case] and translates(alone[case])]
    checks.run("there are cases that translate", tap.equal, len(translating) > 5, True, "more than five")
    for case in translating:
        for other in (OTHER_TABLE, OTHER_RULESET):
            checks.run(f"{other}: ends what {case} translates", ends_translation, files[case], files[other])
    for case in files:
        checks.run(f"{case}: check --kernel agrees", dry_run_of_flowfw, case)
    for shape in cameras.SHAPES:
        checks.run(f"a packet to the last of {MANY:,} cameras ({shape}) meets few rules", meets_few_rules, shape)
    checks.run("5,000 cameras load", loads_cameras, 5_000, 20)
    if root:
        checks.run("100,000 cameras load", loads_cameras, 100_000, 120)
    else:
        checks.skip("100,000 cameras load", "without root the kernel's send buffer is too small for them")
    return checks.done()


if __name__ == "__main__":
    sys.exit(main())
