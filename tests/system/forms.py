# SPDX-License-Identifier: GPL-2.0-or-later
"""What a Linux device may load of one and the same site: how each form is made, loaded, listed and taken away again.

All is done as the man page and the head of each file tell an administrator to.
"""

import os
import re
import shutil

import netns
import program
import tap

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
EMPTY = "*raw\nCOMMIT\n*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n"

# Shared by the namespaces of all tests on a machine, though their tables are not.
os.environ["XTABLES_LOCKFILE"] = str(program.HOME / "xtables.lock")


class Form:
    """`make` gives what `load` takes; `unload` leaves nothing behind that filters."""

    tools = ()
    variants = ("bare", "named", "later")  # of each profile, to run the matrix with

    def need(self, host):
        """Raises tap.Skip where this machine cannot have it; `host` is not harmed."""
        for tool in self.tools:
            if not shutil.which(tool, path=PATH):
                raise tap.Skip(f"{tool} is not installed")


class Nftables(Form):
    name = "nftables"
    tools = ("nft",)
    one_bucket = True  # a limit is one bucket for both families

    foreign_rules = "table ip docker { chain c { type filter hook input priority -10; udp dport 9000 drop; }; }"

    def make(self, site):
        return program.rule_set(site)

    def load(self, host, rules):
        host.run("nft", "-f", "-", text=rules)

    def unload(self, host):
        host.run("nft", "flush", "ruleset")

    def listing(self, host):
        """All that is loaded, without counts."""
        return host.run("nft", "-s", "list", "ruleset")[1]

    def add_foreign(self, host):
        """Rules of somebody else, which stop 9000/udp of IPv4."""
        host.run("nft", "-f", "-", text=self.foreign_rules)

    def foreign(self, host):
        """What is loaded of somebody else."""
        return host.run("nft", "list", "table", "ip", "docker")[1]


class Iptables(Form):
    """Both families' files, hooked in; `kind` is nft or legacy."""

    one_bucket = False
    families = (("iptables", "ip"), ("ip6tables", "ip6"))
    foreign_rules = """*raw
:PREROUTING ACCEPT [0:0]
-A PREROUTING -p udp -m udp --dport 9000 -j DROP
COMMIT
*filter
:DOCKER - [0:0]
-A INPUT -p tcp -m tcp --dport 9 -j DOCKER
-A FORWARD -j DOCKER
-A DOCKER -j RETURN
COMMIT
"""

    def __init__(self, kind, ipset=False):
        self.kind, self.ipset = kind, ipset
        self.name = f"iptables-{kind}{'-ipset' if ipset else ''}"
        self.variants = ("later",) if ipset else ("bare", "later")  # bare has no groups, later all services
        self.tools = [f"{prefix}tables-{kind}-restore" for _, prefix in self.families] + ["ipset"] * ipset

    def need(self, host):
        super().need(host)
        for _, prefix in self.families:
            status, _, error = host.run(f"{prefix}tables-{self.kind}", "-S", check=False)
            if status:
                raise tap.Skip(f"no {prefix}tables-{self.kind}: {error.strip()}")

    def make(self, site):
        """(rules of each family, their sets or None)."""
        return [self.make_file(backend, site) for backend, _ in self.families]

    def make_file(self, backend, site):
        if not self.ipset:
            return program.rule_set(site, "-b", backend), None
        sets = program.scratch() / "sets"
        rules = program.rule_set(site, "-b", backend, "-O", "ipset", "--ipset-output", sets)
        return rules, sets.read_text(encoding="utf-8")

    def hooks(self, rules):
        """The commands in the head of a file that lead packets to its chains."""
        lines = re.findall(r"^#\s+(ip6?tables -C .*)$", rules, re.MULTILINE)
        return "\n".join(re.sub(r"\b(ip6?tables) ", rf"\1-{self.kind} ", line) for line in lines)

    def load(self, host, files):
        for (_, prefix), (rules, sets) in zip(self.families, files):
            if sets is not None:
                host.run("ipset", "restore", text=sets)
            host.run(f"{prefix}tables-{self.kind}-restore", "--noflush", text=rules)
            host.run("sh", "-e", text=self.hooks(rules))

    def unload(self, host):
        for _, prefix in self.families:
            host.run(f"{prefix}tables-{self.kind}-restore", text=EMPTY)
        if self.ipset:
            host.run("ipset", "destroy")

    def listing(self, host):
        texts = [host.run(f"{prefix}tables-{self.kind}-save")[1] for _, prefix in self.families]
        if self.ipset:  # in the order of a hash, which begins with another number each time
            texts += sorted(host.run("ipset", "save")[1].splitlines(keepends=True))
        return re.sub(r"^#.*\n| \[\d+:\d+\]$| initval \w+$", "", "".join(texts), flags=re.MULTILINE)

    def add_foreign(self, host):
        host.run(f"iptables-{self.kind}-restore", "--noflush", text=self.foreign_rules)

    def foreign(self, host):
        """All but the own chains and sets, and what leads there, which must be there once."""
        lines = self.listing(host).splitlines()
        for hook in ("INPUT", "OUTPUT"):
            found = lines.count(f"-A {hook} -j FLOWFW-{hook}")
            if found not in (0, len(self.families)):
                raise netns.Failed(f"{found} hooks into {hook} of {len(self.families)} families")
        return "\n".join(line for line in lines if "flowfw" not in line.lower())


FORMS = [
    Nftables(), Iptables("nft"), Iptables("legacy"), Iptables("nft", ipset=True), Iptables("legacy", ipset=True),
]  # fmt: skip
