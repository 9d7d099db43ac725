# SPDX-License-Identifier: GPL-2.0-or-later
"""Mutants of rule sets for nft."""

import ipaddress
import re

from mutants import ADDRESS, RULES, Document, halves

ACCEPTS = (
    "accept", "tcp dport 31337 accept", "ip saddr 192.0.2.66 accept", "ip6 saddr 2001:db8::/32 accept",
    "udp sport 53 accept", "icmp type 8 accept", 'iifname "eth7" accept', "ct state new tcp dport 23 accept",
    "meta l4proto 47 accept", "tcp dport { 23, 24-29 } accept", "ip saddr 192.0.2.0/24 tcp dport 1-1024 accept",
    'ct state untracked accept comment "why not"',
)  # fmt: skip
DENIES = ("tcp dport 1-10000 drop", "ip saddr 0.0.0.0/1 drop", "meta nfproto ipv6 drop", "udp dport 53 drop", "reject")
TYPES = {
    "icmp": ("echo-reply", "redirect", "timestamp-request", "source-quench"),
    "icmpv6": ("echo-reply", "nd-redirect", "nd-router-solicit", "nd-router-advert"),
}


class NftDocument(Document):
    PORT = r"(?<=[ds]port)[^\"@]*?\b((\d+)(?:-(\d+))?)\b(?=[ ,]| \})"
    TO = "-"
    TYPE = r"icmp(?:v6)? type (?:\{[^}]*?)?([a-z][a-z0-9-]+)"
    INTERFACE = r'[io]ifname (?:\{ (?:"[^"]+", )*)?"([^"]+)"'
    RATE = r"(?<!log )rate (\d+)/"
    BURST = r"burst (\d+) packets"
    PROTOCOL = r"\b(tcp|udp) [sd]port"

    def find_rules(self):
        self.chains, self.sets = {}, {}  # name -> (first line, last line) of what is in it
        chain = None
        for line, text in enumerate(self.lines):
            text = text.strip()
            if text.startswith("chain "):
                chain = text.split()[1]
                self.chains[chain] = []
            elif text == "}":
                chain = None
            elif chain and text and not text.startswith(("#", "type ", "policy ")):
                self.chains[chain].append(line)
                if " log " not in f" {text}":
                    yield line

    def find_elements(self):
        name, within = None, False
        for line, text in enumerate(self.lines):
            text = text.strip()
            match = re.match(r"(set|map) (\S+) \{", text)
            if match:
                name = match[2]
                self.sets[name] = line
            elif text.startswith("elements"):
                within = True
            elif text == "}":
                within = False
            elif within:
                yield RULES, line, name

    def names_at(self, line):
        """Of a limit's rate: its name."""
        while line and not (match := re.match(r"\s*limit (\S+) \{", self.lines[line])):
            line -= 1
        return (match[1],) if match else ()

    def fits(self, name, line, text):
        """nft refuses overlaps, and prefixes in a set without intervals."""
        network = ipaddress.ip_network(text)
        head = "".join(self.lines[self.sets[name] : self.sets[name] + 4])
        if "map " in head or "interval" not in head:
            return "/" not in text
        for _, other, called in self.elements:
            found = self.code(self.lines[other]).strip(" \t,").split(" . ")[0]
            if called != name or other == line:
                continue
            low, _, high = found.partition("-")
            low, high = ipaddress.ip_network(low)[0], ipaddress.ip_network(high or low)[-1]
            if low.version == network.version and low <= network[-1] and network[0] <= high:
                return False
        return True

    def other_type(self, random, line, name):
        family = "icmpv6" if "icmpv6 type" in self.lines[line] else "icmp"
        return random.choice([one for one in TYPES[family] if one not in self.lines[line]])

    def accepting(self):
        """Rules that accept whatever they match, at no rate."""
        return [line for line in self.rules if re.search(r"\saccept\b", self.lines[line]) and not self.limited(line)]

    def limited(self, line):
        return re.search(r"\b(limit|meter|jump)\b", self.lines[line])

    def filters(self):
        return [name for name in self.chains if name in ("input", "output", "forward")]

    # ---- changes ----

    def swap(self, random):
        lines = [line for line in self.rules if not self.limited(line)]
        line, match = self.choose(random, r"\b(accept|drop)\b", lines)
        other = "drop" if match[1] == "accept" else "accept"
        return self.replaced("accept and drop swapped", line, match, other)

    def policy(self, random):
        lines = [line for line, text in enumerate(self.lines) if "type filter hook" in text and "policy" in text]
        line = random.choice(lines)
        text = self.lines[line]
        new = text.replace("policy drop", "policy accept")
        new = text.replace("policy accept", "policy drop") if new == text else new
        return self.edit("another policy", line, new)

    def place(self, random):
        """Somewhere in a chain that filters, behind its first three rules."""
        chain = random.choice([name for name in self.filters() if len(self.chains[name]) > 3])
        return random.choice(self.chains[chain][3:])

    def insert_accept(self, random):
        return self.insert("an accept inserted", self.place(random), "\t\t" + random.choice(ACCEPTS))

    def insert_deny(self, random):
        return self.insert("a deny inserted", self.place(random), "\t\t" + random.choice(DENIES))

    def reorder(self, random):
        """What drops invalid packets, to behind what accepts; or an accept to behind a reject."""
        chain = self.chains[random.choice(self.filters())]
        denying = [line for line in chain if "ct state invalid drop" in self.lines[line]]
        if random.random() < 0.4 and any("reject" in self.lines[line] for line in chain):
            denying = [line for line in chain if line in self.accepting()]
        if not denying:
            return None
        line = random.choice(denying)
        to = random.choice(chain[chain.index(line) + 1 :] + [chain[-1] + 1])
        return self.move("reordered", line, to) if to > line + 1 else None

    def translation(self, random):
        lines = [line for line in self.rules if re.search(r"\b[ds]nat to\b", self.lines[line])]
        lines += [line for _, line, name in self.elements if "_forward_" in name]
        ways = (r"map @[^ :]+:(\d+)", r"(?<=[\t{ ])(\d+) :", r"(?:snat to| :) (\S+?),?(?=\s|$)")
        found = self.choose(random, random.choice(ways), lines)
        if found is None:
            return None
        line, match = found
        number = match[1].isdigit()
        new = str(int(match[1]) + 1) if number else str(ipaddress.ip_address(match[1]) + 1)
        names = tuple(name for _, at, name in self.elements if at == line)
        return self.replaced("another translation", line, match, new, names=names)

    def drop_jump(self, random):
        found = self.choose(random, r"\bjump ")
        return found and self.edit("drop a jump", found[0], [])

    def drop_except(self, random):
        found = self.choose(random, r"(ip6? [sd]addr != \S+ )")
        return found and self.replaced("drop an except", *found, "")

    def drop_hop_limit(self, random):
        found = self.choose(random, r"(ip6 hoplimit 255 )")
        return found and self.replaced("drop a hop limit", *found, "")

    def states(self, random):
        line, match = self.choose(random, r"ct state (established,related|invalid) ")
        other = {"established,related": ("established", "related", "established,related,invalid"),
                 "invalid": ("invalid,new", "untracked", "invalid,related")}[match[1]]
        return self.replaced("other states", line, match, random.choice(other))

    def changes(self):
        return (
            self.drop_rule, self.port, self.address, self.icmp_type, self.interface, self.rate, self.burst, self.protocol,
            self.drop_element, self.other_element, self.swap, self.policy, self.insert_accept, self.insert_deny,
            self.reorder, self.translation, self.drop_jump, self.drop_except, self.drop_hop_limit, self.states,
        )  # fmt: skip

    # ---- equal ones ----

    def split_list(self, random):
        found = self.choose(random, r"(\{ [^}:]*,[^}:]* \})", self.accepting())
        if found is None:
            return None
        line, match = found
        match = re.compile(re.escape(match[1])).search(self.lines[line]) or match
        items = self.lines[line][match.start() + 2 : match.end() - 2].split(", ")
        return self.in_parts("a list in rules of its own", line, match, items)

    def anonymous(self, random):
        """A prefix as a set without a name."""
        found = self.choose(random, r"(?<=addr )" + ADDRESS.pattern)
        parts = found and halves(found[1][0])
        return parts and self.replaced("a prefix as a set", *found, "{ " + ", ".join(parts) + " }")

    def counted(self, random):
        line = random.choice(self.accepting())
        text = re.sub(r"\baccept\b", "counter packets 7 bytes 420 accept", self.lines[line], count=1)
        return self.edit("a counter", line, text)

    def overlapping(self, random):
        names = {name for name, line in self.sets.items() if "interval" in "".join(self.lines[line : line + 3])}
        plain = [one for one in self.elements if one[2] in names and " . " not in self.lines[one[1]]]
        found = [one for one in plain if halves(self.prefix_of(one))]
        if not found:
            return None
        file, line, name = random.choice(found)
        texts = list(self.lines)
        texts[line : line + 1] = [f"\t\t\t{halves(self.prefix_of((file, line, name)))[1]},", texts[line]]
        texts[self.sets[name] + 1] += "\n\t\tauto-merge"
        mutant = self.commented(random)
        mutant.kind, mutant.texts = "an element inside of another", {RULES: "\n".join(texts) + "\n"}
        return mutant

    def chain_renamed(self, random):
        return self.renamed(random, "a chain renamed", [name for name in self.chains if name.startswith("service_")])

    def set_renamed(self, random):
        return self.renamed(random, "a set renamed", self.sets)

    def same(self):
        return (
            self.shuffled, self.split_prefix, self.split_element, self.doubled, self.neighbours_swapped, self.commented,
            self.split_list, self.anonymous, self.counted, self.overlapping, self.chain_renamed, self.set_renamed,
        )  # fmt: skip
