# SPDX-License-Identifier: GPL-2.0-or-later
"""Mutants of rule sets for iptables-restore, with or without the sets of ipset."""

import ipaddress
import re

from mutants import SETS, Document

ACCEPTS = {
    4: ("-j ACCEPT", "-s 192.0.2.66/32 -j ACCEPT", "-i eth7 -j ACCEPT", "-p tcp -m tcp --dport 31337 -j ACCEPT",
        "-p icmp -m icmp --icmp-type 8 -j ACCEPT", "-p udp -m udp --sport 53 -j ACCEPT", "-p 47 -j ACCEPT",
        "-p tcp -m multiport --dports 23,25:29 -j ACCEPT", "-m conntrack --ctstate NEW -j ACCEPT"),
    6: ("-j ACCEPT", "-s 2001:db8::/32 -j ACCEPT", "-i eth7 -j ACCEPT", "-p tcp -m tcp --dport 31337 -j ACCEPT",
        "-p ipv6-icmp -m icmp6 --icmpv6-type 128 -j ACCEPT", "-p udp -m udp --sport 53 -j ACCEPT", "-p 47 -j ACCEPT"),
}  # fmt: skip
DENIES = ("-j DROP", "-p tcp -m tcp --dport 1:10000 -j DROP", "-p udp -m udp --dport 53 -j DROP", "-j REJECT")


class IptablesDocument(Document):
    PORT = r"--[ds]ports? (?:[\d:,]*,)?((\d+)(?::(\d+))?)(?=[ ,])"
    TO = ":"
    TYPE = r"--icmp(?:v6)?-type (\d+)"
    INTERFACE = r"-[io] (\S+)"
    RATE = r"limit(?:-upto)? (\d+)/"
    BURST = r"limit-burst (\d+)"
    PROTOCOL = r"-p (tcp|udp) -m (?:tcp|udp|multiport)"

    def __init__(self, family, rules, sets=None):
        self.family = family
        super().__init__(rules, sets)

    def find_rules(self):
        return (line for line, text in enumerate(self.lines) if text.startswith("-A ") and " -j LOG" not in text)

    def find_elements(self):
        """Those of a set by its name in the end: they are added to another, which then is swapped."""
        waiting = []
        for line, text in enumerate(self.texts.get(SETS, ())):
            words = text.split()
            if words[:1] == ["add"]:
                waiting.append(line)
            elif words[:1] == ["swap"]:
                yield from ((SETS, at, words[2]) for at in waiting)
                waiting = []

    def other_type(self, random, line, name):
        return str((int(name) + random.choice((1, 2, 5))) % 256)

    def accepting(self):
        return [
            line for line in self.rules if self.lines[line].endswith("-j ACCEPT") and "limit" not in self.lines[line]
        ]  # fmt: skip

    def chain(self, line):
        return self.lines[line].split()[1]

    def filters(self):
        """Lines of rules by base chain, and where their last is."""
        found = {}
        for line in self.rules:
            if self.chain(line) in ("FLOWFW-INPUT", "FLOWFW-OUTPUT", "FLOWFW-FORWARD"):
                found.setdefault(self.chain(line), []).append(line)
        return found

    # ---- changes ----

    def rate(self, random):
        return self.number(random, "another rate", self.RATE, self.rules)

    def burst(self, random):
        return self.number(random, "another burst", self.BURST, self.rules)

    def swap(self, random):
        lines = [line for line in self.rules if "limit" not in self.lines[line]]
        line, match = self.choose(random, r"-j (ACCEPT|DROP)", lines)
        other = "DROP" if match[1] == "ACCEPT" else "ACCEPT"
        return self.replaced("accept and drop swapped", line, match, other)

    def place(self, random):
        lines = random.choice([lines for lines in self.filters().values() if len(lines) > 2])
        line = random.choice(lines[2:])
        return line, self.chain(line)

    def insert_accept(self, random):
        line, chain = self.place(random)
        text = random.choice(ACCEPTS[self.family])
        text = text.replace("-i ", "-o ") if chain == "FLOWFW-OUTPUT" else text
        return self.insert("an accept inserted", line, f"-A {chain} {text}")

    def insert_deny(self, random):
        line, chain = self.place(random)
        return self.insert("a deny inserted", line, f"-A {chain} {random.choice(DENIES)}")

    def reorder(self, random):
        lines = random.choice(list(self.filters().values()))
        denying = [line for line in lines if "INVALID -j DROP" in self.lines[line]]
        if random.random() < 0.5 and "-j DROP" in self.lines[lines[-1]]:
            denying = [line for line in lines if line in self.accepting()]
        if not denying:
            return None
        return self.move("reordered", random.choice(denying), lines[-1] + 1)

    def policy(self, random):
        """The verdict that a chain ends in."""
        ends = [lines[-1] for lines in self.filters().values() if re.search(r"-j (DROP|REJECT.*)$", self.lines[lines[-1]])]
        if not ends:
            return None
        line = random.choice(ends)
        new = random.choice(([], [re.sub(r"-j .*", "-j ACCEPT", self.lines[line])]))
        return self.edit("another last verdict", line, new)

    def translation(self, random):
        ways = (r"--to-destination [^ ]*?:(\d+)$", r"--to-(?:destination|source) \[?([0-9.]+|[0-9a-f:]+(?=\]|$))",
                r"--dport (\d+) .*-j DNAT")  # fmt: skip
        found = self.choose(random, random.choice(ways))
        if found is None:
            return None
        line, match = found
        new = str(int(match[1]) + 1) if match[1].isdigit() else str(ipaddress.ip_address(match[1]) + 1)
        return self.replaced("another translation", line, match, new)

    def drop_jump(self, random):
        found = self.choose(random, r"-[jg] FLOWFW")
        return found and self.edit("drop a jump", found[0], [])

    def drop_except(self, random):
        found = self.choose(random, r"(-m set ! --match-set \S+ \S+ )")
        if found:
            return self.replaced("drop an except", *found, "")
        found = self.choose(random, r"-j RETURN")
        return found and self.edit("drop an except", found[0], [])

    def drop_hop_limit(self, random):
        found = self.choose(random, r"(-m hl --hl-eq 255 )")
        return found and self.replaced("drop a hop limit", *found, "")

    def states(self, random):
        found = self.choose(random, r"--ctstate (RELATED,ESTABLISHED|INVALID) ")
        if found is None:
            return None
        new = {"INVALID": "UNTRACKED"}.get(found[1][1]) or random.choice(("ESTABLISHED", "RELATED,ESTABLISHED,NEW"))
        return self.replaced("other states", *found, new)

    def changes(self):
        return (
            self.drop_rule, self.port, self.address, self.icmp_type, self.interface, self.rate, self.burst, self.protocol,
            self.drop_element, self.other_element, self.swap, self.policy, self.insert_accept, self.insert_deny,
            self.reorder, self.translation, self.drop_jump, self.drop_except, self.drop_hop_limit, self.states,
        )  # fmt: skip

    # ---- equal ones ----

    def split_list(self, random):
        found = self.choose(random, r"-m multiport --dports (\S+)", self.accepting())
        if found is None:
            return None
        line, match = found
        protocol = re.search(r"-p (\S+)", self.lines[line])[1]
        parts = [f"-m {protocol} --dport {port}" for port in match[1].split(",")]
        return self.in_parts("a list in rules of its own", line, match, parts)

    def counted(self, random):
        line = random.choice(self.accepting())
        return self.edit("a counter", line, f"[17:1428] {self.lines[line]}")

    def overlapping(self, random):
        found = [one for one in self.elements if self.prefix_of(one) and "/" in self.prefix_of(one)]
        if not found:
            return None
        file, line, _ = random.choice(found)
        text, prefix = self.texts[file][line], self.prefix_of((file, line, ""))
        inner = str(ipaddress.ip_network(prefix)[1])
        return self.edit("an element inside of another", line, [text, text.replace(prefix, inner)], file)

    def chain_renamed(self, random):
        names = {text[1:].split()[0] for text in self.lines if text.startswith(":FLOWFW-")}
        bases = {"FLOWFW-INPUT", "FLOWFW-OUTPUT", "FLOWFW-FORWARD", "FLOWFW-PREROUTING", "FLOWFW-POSTROUTING"}
        return self.renamed(random, "a chain renamed", names - bases)

    def set_renamed(self, random):
        return self.renamed(random, "a set renamed", {name for _, _, name in self.elements})

    def same(self):
        return (
            self.shuffled, self.split_prefix, self.split_element, self.doubled, self.neighbours_swapped, self.commented,
            self.split_list, self.counted, self.overlapping, self.chain_renamed, self.set_renamed,
        )  # fmt: skip
