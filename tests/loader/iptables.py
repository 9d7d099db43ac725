# SPDX-License-Identifier: GPL-2.0-or-later
"""The real iptables-restore on every iptables rule set of the golden cases, each in a network namespace of its own.

Takes the variants to try, nft or legacy; both without.
"""

import re
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
FOREIGN = """*filter
:OTHER - [0:0]
-A OTHER -p tcp -m tcp --dport 22 -j ACCEPT
-I FORWARD -j OTHER
COMMIT
"""
HOOKS = ("INPUT", "OUTPUT", "FORWARD")
RULES_MET_MAX = 60  # by one packet


class File:
    """A rule set among the golden outputs, and its sets."""

    def __init__(self, path):
        self.case = path.parent.name
        self.name = f"{self.case}/{path.stem}"
        self.tool = path.stem.split("-")[0]
        self.text = path.read_text(encoding="utf-8")
        sets = path.with_suffix(".sets")
        self.sets = sets.read_text(encoding="utf-8") if sets.exists() else None
        self.standalone = "\n:INPUT " in self.text


def load(host, variant, file, *more):
    if file.sets is not None:
        host.run("ipset", "restore", text=file.sets)
    restore(host, variant, file.tool, file.text, *(() if file.standalone else ("--noflush",)), *more)


def restore(host, variant, tool, text, *more):
    host.run(f"{tool}-{variant}-restore", *more, text=text)


def saved(host, variant, tool):
    """What the filter table holds, without counters and comments; chains in one order, since legacy sorts them."""
    text = host.run(f"{tool}-{variant}-save", "-t", "filter")[1]
    lines = [re.sub(r"\[\d+:\d+\]", "[0:0]", line) for line in text.splitlines() if not line.startswith("#")]
    chains = sorted(line for line in lines if line.startswith(":"))
    rules = [line for line in lines if line.startswith("-")]
    return "\n".join(chains + sorted(rules, key=lambda line: line.split()[1]))


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


def reached(text):
    """The chains that packets can get to from the hooks' own, with their rules."""
    chains, found, waiting = chains_of(text), {}, [f"FLOWFW-{hook}" for hook in HOOKS]
    while waiting:
        chain = waiting.pop()
        if chain not in found:
            found[chain] = chains[chain]
            waiting += filter(None, map(target, chains[chain]))
    return "\n".join(line for chain in sorted(found) for line in [f":{chain}", *found[chain]])


def loads(file, variant):
    """--test changes nothing; then twice is once, what is foreign stays, and so do the hooks. What it is alone."""
    host = netns.Host("loader")
    try:
        restore(host, variant, file.tool, FOREIGN)
        before = saved(host, variant, file.tool)
        load(host, variant, file, "--test")
        tap.equal(saved(host, variant, file.tool), before, "what --test leaves")
        load(host, variant, file)
        for line in () if file.standalone else before.splitlines():
            tap.equal(line in saved(host, variant, file.tool), True, f"foreign line {line!r} stays")
        hook(host, variant, file)
        once = saved(host, variant, file.tool)
        hook(host, variant, file)
        load(host, variant, file)
        tap.equal(saved(host, variant, file.tool), once, "the table after a second load")
        return reached(once)
    finally:
        host.stop()


def hook(host, variant, file):
    """Runs the commands that the header gives; the plain name becomes the variant's."""
    for command in re.findall(r"^#   (ip6?tables -C .*)$", file.text, re.M):
        host.run("sh", "-c", re.sub(r"\b(ip6?tables) ", rf"\1-{variant} ", command))


def replaces(host, file, variant, alone):
    """After whatever was loaded before, it filters as it does alone."""
    load(host, variant, file)
    tap.equal(reached(saved(host, variant, file.tool)), alone, "what is reached after other rule sets")


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


def rules_met(listed, chain="OUTPUT"):
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
            if not onward or " -g " in rule or re.search(r" -j (ACCEPT|DROP|REJECT)", rule):
                break
    return met


def counters(host, variant):
    """{chain: [(packets, rule)]}"""
    listed = {chain: [] for chain in HOOKS}
    for line in host.run(f"iptables-{variant}-save", "-c", "-t", "filter")[1].splitlines():
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
        start = time.monotonic()
        host.run("timeout", seconds, f"iptables-{variant}-restore", "--noflush", text=text)
        took = time.monotonic() - start
        host.run(f"iptables-{variant}", "-I", "OUTPUT", "-j", "FLOWFW-OUTPUT")
        for kind, port, number in ((socket.SOCK_DGRAM, 554, count - 2), (socket.SOCK_STREAM, 8554, count - 1)):
            before = counters(host, variant)
            host.call(send, kind, f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", port)
            listed = difference(counters(host, variant), before)
            met = rules_met(listed)
            print(f"# {variant}: loaded in {took:.1f} s; camera {number} of {count}: {met} rules")
            dropped = [rule for rules in listed.values() for packets, rule in rules if packets and "-j DROP" in rule]
            tap.equal(dropped, [], "rules that drop a packet to a camera")
            if not 5 <= met <= RULES_MET_MAX:
                raise AssertionError(f"a packet to camera {number} met {met} rules")
    finally:
        host.stop()


def main():
    checks = tap.Tap()
    try:
        netns.enter()
    except tap.Skip as skip:
        checks.skip("iptables in a namespace", skip)
        return checks.done()
    files = [File(path) for path in sorted(GOLDEN.glob("*/ip*tables*.out"))]
    checks.run("there are rule sets to load", tap.equal, len(files) > 80, True, "more than eighty")
    variants = sys.argv[1:] or VARIANTS
    for variant in variants:
        alone = {file: checks.run(f"{variant}: {file.name}: loads", loads, file, variant) for file in files}
        host = netns.Host("one after the other")
        for file in [*files, *reversed(files)]:
            if alone[file] is not None:
                name = f"{variant}: {file.name}: replaces the one before it"
                checks.run(name, replaces, host, file, variant, alone[file])
        host.stop()
    text = program.rule_set(camera_site(100_000), "-b", "iptables")
    for variant in variants:
        checks.run(f"{variant}: 100,000 cameras load", loads_cameras, text, 100_000, variant, 20)
    return checks.done()


if __name__ == "__main__":
    sys.exit(main())
