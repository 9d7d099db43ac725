# SPDX-License-Identifier: GPL-2.0-or-later
"""Mutants of anchors for pf."""

import ipaddress
import re

from mutants import RULES, Document

ACCEPTS = (
    "pass in quick", "pass in quick proto tcp from any to any port 31337", "pass in quick inet from 192.0.2.66 to any",
    "pass in quick on eth7", "pass in quick proto udp from any port 53 to any", "pass in quick proto gre",
    "pass out quick proto tcp from any to any port { 23, 25:29 }", "pass out quick inet to 192.0.2.66", "pass quick inet6",
)  # fmt: skip
DENIES = ("block in quick proto tcp to any port 1:10000", "block out quick proto udp to any port 53", "block quick inet6",
          "block return in quick proto tcp")  # fmt: skip
TYPES = {"icmp-type": ("timereq", "maskreq", "redir", "squench"), "icmp6-type": ("redir", "wrureq", "128", "routersol")}
STATE = re.compile(r" (flags \S+|max-pkt-rate \S+|keep state( \([^)]*\))?|no state|allow-opts|tag \w+)(?= )")


class PfDocument(Document):
    PORT = r"\bport (?:\{ [\d:, ]*?)?((\d+)(?::(\d+))?)(?=[ ,])"
    TO = ":"
    TYPE = r"icmp6?-type (?:\{ [a-z0-9, ]*?)?([a-z0-9]+)\b"
    INTERFACE = r"\bon (?:\{ [^}]*?)?([a-z]+\d+)\b"
    RATE = r"(?:max-pkt-rate |\(max |max-src-conn-rate )(\d+)"
    BURST = RATE
    PROTOCOL = r"proto (udp)\b"

    def find_rules(self):
        return (
            line for line, text in enumerate(self.lines) if re.match(r"(pass|block|match|nat|rdr|no nat)\b", text)
        )  # fmt: skip

    def find_elements(self):
        name = None
        for line, text in enumerate(self.lines):
            match = re.match(r"table <(\S+)>", text)
            if match:
                name = match[1]
            elif text.startswith("}"):
                name = None
            elif name:
                yield RULES, line, name

    def other_type(self, random, line, name):
        kind = "icmp6-type" if "icmp6-type" in self.lines[line] else "icmp-type"
        return random.choice([one for one in TYPES[kind] if one not in self.lines[line]])

    def accepting(self):
        """Rules that pass what they match, quick and at no rate."""
        return [
            line for line in self.rules if re.match(r"pass (in |out )?quick", self.lines[line]) and not self.limited(line)
        ]  # fmt: skip

    def limited(self, line):
        return "max" in self.code(self.lines[line])

    # ---- changes ----

    def protocol(self, random):
        found = self.choose(random, self.PROTOCOL)
        return found and self.replaced("another protocol", *found, "tcp")

    def swap(self, random):
        line = random.choice([line for line in self.rules if self.lines[line].startswith(("pass", "block"))])
        text = self.lines[line]
        if text.startswith("pass"):
            text = STATE.sub("", text).replace("pass", "block drop", 1)
        else:
            text = re.sub(r"block (drop |return )?", "pass ", text, count=1)
        return self.edit("accept and drop swapped", line, text)

    def last_block(self):
        return [line for line in self.rules if self.lines[line].startswith("block")]

    def first_filter(self):
        """pf has translation before filters, where it has both."""
        return next(line for line in self.rules if re.match(r"(pass|block)", self.lines[line]))

    def insert_accept(self, random):
        line = random.choice([line for line in self.rules if line > self.first_filter()])
        return self.insert("an accept inserted", line, random.choice(ACCEPTS))

    def insert_deny(self, random):
        line = random.choice([line for line in self.rules if line > self.first_filter()])
        return self.insert("a deny inserted", line, random.choice(DENIES))

    def reorder(self, random):
        blocks = self.last_block()
        passes = [line for line in self.accepting() if any(line < block for block in blocks)]
        if not passes:
            return None
        line = random.choice(passes)
        return self.move("reordered", line, next(block for block in blocks if block > line) + 1)

    def policy(self, random):
        if not self.last_block():
            return None
        line = random.choice(self.last_block())
        new = random.choice(([], [re.sub(r"block (drop|return)", lambda found: swap_answer(found[1]), self.lines[line])]))
        return self.edit("another last verdict", line, new)

    def translation(self, random):
        ways = (r"(?:rdr-to|->) \S+ port (\d+)", r"(?:rdr-to|nat-to|->) ([0-9a-f][0-9a-f.:]+)", r"port (\d+) .*(?:rdr-to|->)")
        found = self.choose(random, random.choice(ways))
        if found is None:
            return None
        line, match = found
        new = str(int(match[1]) + 1) if match[1].isdigit() else str(ipaddress.ip_address(match[1]) + 1)
        return self.replaced("another translation", line, match, new)

    def tag(self, random):
        found = self.choose(random, r"((?:! )?tagged \w+) (?!-)")
        return found and self.replaced("drop a condition on tags", *found, "")

    def changes(self):
        return (
            self.drop_rule, self.port, self.address, self.icmp_type, self.interface, self.rate, self.protocol,
            self.drop_element, self.other_element, self.swap, self.policy, self.insert_accept, self.insert_deny,
            self.reorder, self.translation, self.tag,
        )  # fmt: skip

    # ---- equal ones ----

    def split_list(self, random):
        found = self.choose(random, r"(\{ [^}]*,[^}]* \})", self.accepting())
        if found is None:
            return None
        line, match = found
        return self.in_parts("a list in rules of its own", line, match, match[1].strip("{} ").split(", "))

    def overlapping(self, random):
        found = [one for one in self.elements if "/" in self.prefix_of(one)]
        if not found:
            return None
        _, line, _ = random.choice(found)
        inner = str(ipaddress.ip_network(self.prefix_of((RULES, line, "")))[1])
        sign = "!" if "!" in self.lines[line] else ""
        return self.edit("an element inside of another", line, [self.lines[line], f"\t{sign}{inner}"])

    def set_renamed(self, random):
        return self.renamed(random, "a set renamed", {name for _, _, name in self.elements if name.startswith("fw_")})

    def relabelled(self, random):
        found = self.choose_in_text(random, r'label "([^"]+)"')
        return found and self.replaced("another label", *found, "by hand")

    def same(self):
        return (
            self.shuffled, self.split_prefix, self.split_element, self.doubled, self.neighbours_swapped, self.commented,
            self.split_list, self.overlapping, self.set_renamed, self.relabelled,
        )  # fmt: skip


def swap_answer(word):
    return "block " + {"drop": "return", "return": "drop"}[word]
