# SPDX-License-Identifier: GPL-2.0-or-later
"""The real iptables-restore on every iptables rule set of the golden cases, each in a network namespace of its own.

Takes the variants to try, nft or legacy; both without.
"""

import re
import shlex
import shutil
import socket
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import netns  # noqa: E402
import program  # noqa: E402
import tap  # noqa: E402

GOLDEN = program.SOURCE / "tests/golden"
VARIANTS = ("nft", "legacy")
DEFAULT_ARGUMENTS = ["gen", "-q", "--profile", "site.yaml"]
TABLES = {"filter": ("INPUT", "OUTPUT", "FORWARD"), "nat": ("PREROUTING", "POSTROUTING")}
FOREIGN = """*filter
:OTHER - [0:0]
-A OTHER -p tcp -m tcp --dport 22 -j ACCEPT
-I FORWARD -j OTHER
COMMIT
*nat
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING ! -o docker0 -m comment --comment docker -j MASQUERADE
-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j REDIRECT --to-ports 80
COMMIT
"""
RULES_MET_MAX = 60  # by one packet in one table's hook
DEVICES = 500  # with two ports each


class File:
    """A rule set, and its sets."""

    def __init__(self, name, tool, text, sets=None):
        self.name, self.tool, self.text, self.sets = name, tool, text, sets
        self.tables = re.findall(r"^\*(\w+)$", text, re.M)
        self.standalone = "\n:INPUT " in self.text
        # The commands of the header, as they are.
        self.commands = "".join(line[4:] + "\n" for line in re.findall(r"^#   .*ip6?tables .*$", text, re.M))

    @property
    def translates(self):
        return "nat" in self.tables


def golden_files():
    for path in sorted(GOLDEN.glob("*/ip*tables*.out")):
        sets = path.with_suffix(".sets")
        name, tool = f"{path.parent.name}/{path.stem}", path.stem.split("-")[0]
        yield File(
            name, tool, path.read_text(encoding="utf-8"), sets.read_text(encoding="utf-8") if sets.exists() else None
        )


def standalone_files(files):
    """Gateways' golden cases, in the other frame."""
    for folder in sorted({GOLDEN / file.name.split("/")[0] for file in files if file.translates}):
        arguments = folder / "args"
        words = shlex.split(arguments.read_text(encoding="utf-8")) if arguments.exists() else DEFAULT_ARGUMENTS
        for tool in ("iptables", "ip6tables"):
            text = program.compiled(*words, "-b", tool, "--frame", "standalone", cwd=folder)
            yield File(f"{folder.name}/{tool}, standalone", tool, text)


def load(host, variant, file, *more):
    if file.sets is not None:
        host.run("ipset", "restore", text=file.sets)
    restore(host, variant, file.tool, file.text, *(() if file.standalone else ("--noflush",)), *more)


def restore(host, variant, tool, text, *more):
    host.run(f"{tool}-{variant}-restore", *more, text=text)


def saved(host, variant, tool, table):
    """What a table holds, without counters and comments; chains in one order, since legacy sorts them."""
    text = host.run(f"{tool}-{variant}-save", "-t", table)[1]
    lines = [re.sub(r"\[\d+:\d+\]", "[0:0]", line) for line in text.splitlines() if not line.startswith("#")]
    chains = sorted(line for line in lines if line.startswith(":"))
    rules = [line for line in lines if line.startswith("-")]
    return "\n".join(chains + sorted(rules, key=lambda line: line.split()[1]))


def saved_all(host, variant, tool):
    return {table: saved(host, variant, tool, table) for table in TABLES}


def chains_of(text):
    """{chain: its rules} of what saved() gives."""
    chains = {line[1:].split()[0]: [] for line in text.splitlines() if line.startswith(":")}
    for line in text.splitlines():
        if line.startswith("-A "):
            chains[line.split()[1]].append(line)
    return chains


def target(rule):
    """The chain that a rule leads to, if it leads to one of ours."""
    found = re.search(r" -[jg] (FLOWFW-\S+)", rule)
    return found[1] if found else None


def reached(texts, tables):
    """The chains of these tables that packets can get to from the hooks' own, with their rules."""
    lines = []
    for table in tables:
        chains, found, waiting = chains_of(texts[table]), {}, [f"FLOWFW-{hook}" for hook in TABLES[table]]
        while waiting:
            chain = waiting.pop()
            if chain not in found:
                found[chain] = chains[chain]
                waiting += filter(None, map(target, chains[chain]))
        lines += [f"*{table}"] + [line for chain in sorted(found) for line in [f":{chain}", *found[chain]]]
    return "\n".join(lines)


def loads(file, variant, path):
    """--test changes nothing; then twice is once, what is foreign stays, and so do the hooks. What it is alone."""
    host = netns.Host("loader")
    try:
        restore(host, variant, file.tool, FOREIGN)
        before = saved_all(host, variant, file.tool)
        load(host, variant, file, "--test")
        tap.equal(saved_all(host, variant, file.tool), before, "what --test leaves")
        load(host, variant, file)
        for table, text in saved_all(host, variant, file.tool).items():
            stays(file, table, before[table], text)
        hook(host, file, path)
        once = saved_all(host, variant, file.tool)
        is_led_to(file, once)
        hook(host, file, path)
        load(host, variant, file)
        tap.equal(saved_all(host, variant, file.tool), once, "the tables after a second load")
        return reached(once, file.tables)
    finally:
        host.stop()


def stays(file, table, before, after):
    """All of a table that the file does not have; foreign lines of the others, unless it is to replace them."""
    if table not in file.tables:
        tap.equal(after, before, f"table {table}, which is not in the file")
    elif not file.standalone:
        gone = [line for line in before.splitlines() if line not in after.splitlines()]
        tap.equal(gone, [], f"foreign lines of {table} that are gone")


def hook(host, file, path):
    """Pastes the commands of the header into a shell that knows the variant by the plain names."""
    host.run("env", f"PATH={path}:/usr/bin:/bin", "sh", "-e", text=file.commands)


def is_led_to(file, texts):
    """Every hook's chain that has rules is led to by one rule, the first, and no other table's."""
    for table, hooks in TABLES.items():
        chains = chains_of(texts[table])
        for name in hooks:
            found = [rule for rule in chains.get(name, ()) if target(rule)]
            ours = table in file.tables and (chains[f"FLOWFW-{name}"] or table == "nat")
            tap.equal(found, [f"-A {name} -j FLOWFW-{name}"] if ours else [], f"rules of {name} that lead to ours")
            tap.equal(found, chains.get(name, [])[: len(found)], f"the first rules of {name}")


def replaces(host, file, variant, alone):
    """After whatever was loaded before, it filters as it does alone."""
    load(host, variant, file)
    texts = saved_all(host, variant, file.tool)
    tap.equal(reached(texts, file.tables), alone, "what is reached after other rule sets")


def ends_translation(older, file, variant, path):
    """Where a file has no nat table, its commands unhook the chains of an older one, twice, too."""
    host = netns.Host("loader")
    try:
        for one in (older, file, file):
            load(host, variant, one)
            hook(host, one, path)
        # A hook of the filter table may stay: its chain is empty where the file has nothing for it.
        translating = chains_of(saved_all(host, variant, file.tool)["nat"])
        for name in TABLES["nat"]:
            tap.equal(translating.get(name, []), [], f"rules of {name}")
    finally:
        host.stop()


def plain_names(variant):
    """A folder with the tools of a variant by the names that headers use."""
    folder = program.scratch()
    for tool in ("iptables", "ip6tables"):
        (folder / tool).symlink_to(shutil.which(f"{tool}-{variant}", path="/usr/sbin:/sbin"))
    return folder


# ---- many cameras ----


def camera_site(count):
    """A site with that many cameras, each second one with a port of its own."""
    lines = ["flowfw: 1", "site: large", "extends: enterprise", "groups:", "  cameras:"]
    for number in range(count):
        address = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
        ports = ", ports: 8554/tcp" if number % 2 else ""
        lines.append(f"    - {{name: camera-{number}, address: {address}{ports}}}")
    return "\n".join(lines) + "\n"


def send(kind, address, port):
    """One packet: a datagram or a SYN."""
    with socket.socket(socket.AF_INET, kind) as sender:
        sender.setblocking(False)
        try:
            sender.connect((address, port))
            if kind == socket.SOCK_DGRAM:
                sender.send(b"x")
        except (BlockingIOError, PermissionError):  # on its way, or dropped
            pass


def rules_met(listed, chain):
    """How many rules a packet was asked by, from the counters of a table that saw this packet alone.

    A rule counts the packets that match it. So a chain was left at the first counted rule with a verdict or a -g;
    all rules before that were asked, and the rules of each chain that a counted rule led to.
    """
    met = 0
    for counted, rule in listed[chain]:
        met += 1
        if counted:
            onward = target(rule)
            if onward:
                met += rules_met(listed, onward)
            if not onward or " -g " in rule or re.search(r" -j (ACCEPT|DROP|REJECT|DNAT|SNAT|MASQUERADE)", rule):
                break
    return met


def counters(host, variant, table="filter"):
    """{chain: [(packets, rule)]}"""
    listed = {}
    for line in host.run(f"iptables-{variant}-save", "-c", "-t", table)[1].splitlines():
        if line.startswith(":"):
            listed.setdefault(line[1:].split()[0], [])
        elif line.startswith("["):
            packets, rule = line[1:].split(":")[0], line.split("] ", 1)[1]
            listed[rule.split()[1]].append((int(packets), rule))
    return listed


def difference(after, before):
    return {
        chain: [(packets - earlier, rule) for (packets, rule), (earlier, _) in zip(after[chain], before[chain])]
        for chain in after
    }


def loads_cameras(text, count, variant, seconds):
    """It loads within a time, and a packet to the last cameras meets few rules and is accepted."""
    host = netns.Host("loader")
    try:
        host.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth1")
        host.run("ip", "link", "set", "eth1", "up")
        netns.bring_up(host, "eth0", ["10.255.0.1/8"])
        # Nobody answers there: the error that the host would tell itself seconds later is a packet, too.
        host.run("ip", "link", "set", "eth0", "arp", "off")
        start = time.monotonic()
        host.run("timeout", seconds, f"iptables-{variant}-restore", "--noflush", text=text)
        took = time.monotonic() - start
        host.run(f"iptables-{variant}", "-I", "OUTPUT", "-j", "FLOWFW-OUTPUT")
        for kind, port, number in ((socket.SOCK_DGRAM, 554, count - 2), (socket.SOCK_STREAM, 8554, count - 1)):
            before = counters(host, variant)
            host.call(send, kind, f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", port)
            listed = difference(counters(host, variant), before)
            met = rules_met(listed, "OUTPUT")
            print(f"# {variant}: loaded in {took:.1f} s; camera {number} of {count}: {met} rules")
            dropped = [rule for rules in listed.values() for packets, rule in rules if packets and "-j DROP" in rule]
            tap.equal(dropped, [], "rules that drop a packet to a camera")
            if not 5 <= met <= RULES_MET_MAX:
                raise AssertionError(f"a packet to camera {number} met {met} rules")
    finally:
        host.stop()


# ---- many ports of a gateway ----


def device(number):
    return f"10.8.{number + 256 >> 8}.{number & 255}"


def gateway_site(count):
    """A gateway with that many devices, each with two ports of its own, far from each other's."""
    lines = ["flowfw: 1", "site: gateway", "extends: gateway", "interfaces: {outside: eth0, inside: eth1}"]
    lines += ["outside: {address: 198.51.100.7}", "inside: {address: 10.8.0.1, networks: [10.8.0.0/16]}"]
    lines += ["masquerade: on", "hairpin: on", "groups: {clients: [198.51.100.0/24]}", "devices:"]
    for number in range(count):
        lines.append(
            f"  - {{name: device-{number}, extends: xroads, address: {device(number)}, "
            f"forward: {{base: {outside_port(number)}}}}}"
        )
    return "\n".join(lines) + "\n"


def outside_port(number):
    return 1024 + 128 * number


def forwards_ports(text, count, variant):
    """A call to the last device's port, and one from another device, meet few rules in each hook, and get through."""
    gateway, outside, inside = (netns.Host(name) for name in ("gateway", "outside", "inside"))
    last, caller = device(count - 1), device(count - 2)
    try:
        netns.cable(gateway, "eth0", ["198.51.100.7/24"], outside, "eth0", ["198.51.100.9/24"])
        netns.cable(gateway, "eth1", ["10.8.0.1/16"], inside, "eth0", [f"{caller}/16"])
        inside.run("ip", "route", "add", "default", "via", "10.8.0.1")
        gateway.call(netns.write, "/proc/sys/net/ipv4/ip_forward", "1")
        restore(gateway, variant, "iptables", text, "--noflush")
        hook(gateway, File("gateway", "iptables", text), plain_names(variant))
        port = outside_port(count - 1)
        # Nobody has these destinations, so nothing comes back that would count, too.
        to_last = f"-j DNAT --to-destination {last}:8088"
        met = meets(gateway, variant, outside, socket.SOCK_STREAM, "198.51.100.7", port, to_last)
        met += meets(gateway, variant, inside, socket.SOCK_DGRAM, "198.51.100.250", 53, "-j MASQUERADE")
        print(f"# {variant}: {count} devices: {', '.join(f'{hook} {rules} rules' for hook, rules in met)}")
        tap.equal([one for one in met if one[1] > RULES_MET_MAX], [], "hooks with more than a few rules for a packet")
    finally:
        for host in (gateway, outside, inside):
            host.stop()


def meets(gateway, variant, sender, kind, address, port, translated):
    """[(hook, rules that one packet met)], for a packet that is translated so."""
    before = {table: counters(gateway, variant, table) for table in TABLES}
    sender.call(send, kind, address, port)
    after = {table: difference(counters(gateway, variant, table), before[table]) for table in TABLES}
    counted = [rule for chains in after.values() for rules in chains.values() for packets, rule in rules if packets]
    tap.equal([rule for rule in counted if "-j DROP" in rule], [], "rules that drop the packet")
    tap.equal(sum(translated in rule for rule in counted), 1, f"rules with {translated} for the packet")
    passed = (("nat", "PREROUTING"), ("filter", "FORWARD"), ("nat", "POSTROUTING"))
    return [(hook, rules_met(after[table], hook)) for table, hook in passed]


def main():
    checks = tap.Tap()
    try:
        netns.enter()
    except tap.Skip as skip:
        checks.skip("iptables in a namespace", skip)
        return checks.done()
    files = list(golden_files())
    checks.run("there are rule sets to load", tap.equal, len(files) > 80, True, "more than eighty")
    gateways = [file for file in files if file.translates]
    checks.run("there are some that translate", tap.equal, len(gateways) > 10, True, "more than ten")
    files += standalone_files(gateways)
    # All hosts say it in the same words: a few stand for them.
    untranslated = [file for file in files if "-D PREROUTING " in file.commands]
    hosts = [file for file in untranslated if not file.name.startswith("gateway-")]
    untranslated = [file for file in untranslated if file not in hosts or hosts.index(file) % 12 == 0]
    variants = sys.argv[1:] or VARIANTS
    for variant in variants:
        path = plain_names(variant)
        alone = {file: checks.run(f"{variant}: {file.name}: loads", loads, file, variant, path) for file in files}
        host = netns.Host("one after the other")
        for file in [*files, *reversed(files)]:
            if alone[file] is not None:
                name = f"{variant}: {file.name}: replaces the one before it"
                checks.run(name, replaces, host, file, variant, alone[file])
        host.stop()
        for file in untranslated:
            older = next(other for other in gateways if other.tool == file.tool and other.sets is None)
            name = f"{variant}: {file.name}: ends what {older.name} translates"
            checks.run(name, ends_translation, older, file, variant, path)
    text = program.rule_set(camera_site(100_000), "-b", "iptables")
    for variant in variants:
        checks.run(f"{variant}: 100,000 cameras load", loads_cameras, text, 100_000, variant, 20)
    text = program.rule_set(gateway_site(DEVICES), "-b", "iptables")
    for variant in variants:
        checks.run(f"{variant}: ports of {DEVICES} devices are forwarded", forwards_ports, text, DEVICES, variant)
    return checks.done()


if __name__ == "__main__":
    sys.exit(main())
