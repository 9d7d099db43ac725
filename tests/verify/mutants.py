# SPDX-License-Identifier: GPL-2.0-or-later
"""Rule sets with one thing changed: what may change their meaning, and what must not.

A Document is the text that flowfw wrote, by lines. changes() and same() name the ways to change one, each a function
that gives a Mutant, or None where the text has nothing of the kind. Whether a change matters is not known here.
"""

import ipaddress
import re
from dataclasses import dataclass

ADDRESS = re.compile(
    r"(?<![\w:.-])(?:\d+\.\d+\.\d+\.\d+|[0-9a-f]{0,4}:[0-9a-f:]*[0-9a-f:])(?:/\d+)?(?![\w:.]|-(?=[0-9a-f]))"
)
RULES, SETS = "rules", "sets"


@dataclass
class Mutant:
    kind: str
    texts: dict
    before: tuple = ()  # numbers of lines that are another or gone
    after: tuple = ()  # of lines that are new or another
    names: tuple = ()  # of sets and limits that are another


class Document:
    """One rule set; of iptables with ipset, two files."""

    comment = "#"

    def __init__(self, rules, sets=None):
        self.texts = {RULES: rules.splitlines()}
        if sets:
            self.texts[SETS] = sets.splitlines()
        self.lines = self.texts[RULES]
        self.rules = list(self.find_rules())
        self.elements = list(self.find_elements())

    # ---- making mutants ----

    def edit(self, kind, line, text, file=RULES, **more):
        """One line in place of another; several, none, if `text` is a list."""
        new = text if isinstance(text, list) else [text]
        old = self.texts[file]
        if new == [old[line]]:
            return None
        texts = {**self.texts, file: old[:line] + new + old[line + 1 :]}
        after = tuple(range(line + 1, line + 1 + len(new)))
        if file == RULES:
            more = {"before": (line + 1,), "after": after, **more}
        return Mutant(kind, {name: "\n".join(lines) + "\n" for name, lines in texts.items()}, **more)

    def insert(self, kind, line, text, **more):
        """A line before another."""
        lines = self.lines[:line] + [text] + self.lines[line:]
        texts = {**self.texts, RULES: lines}
        return Mutant(kind, {name: "\n".join(one) + "\n" for name, one in texts.items()}, after=(line + 1,), **more)

    def move(self, kind, line, to, **more):
        """A line to before another one that is behind it."""
        lines = self.lines[:line] + self.lines[line + 1 : to] + [self.lines[line]] + self.lines[to:]
        texts = {**self.texts, RULES: lines}
        texts = {name: "\n".join(one) + "\n" for name, one in texts.items()}
        return Mutant(kind, texts, before=(line + 1,), after=(to,), **more)

    def choose(self, random, pattern, lines=None):
        """(line, match) of a rule that has the pattern, or None."""
        lines = self.rules if lines is None else lines
        found = [(line, match) for line in lines for match in [*re.finditer(pattern, self.code(self.lines[line]))]]
        return random.choice(found) if found else None

    @classmethod
    def code(cls, line):
        """A line without its comments, in place."""
        return re.sub(r'"[^"]*"|\s#.*|--comment \S+', lambda found: " " * len(found[0]), line)

    def replaced(self, kind, line, match, text, **more):
        whole = self.lines[line]
        start, end = match.span(1) if match.re.groups else match.span()
        return self.edit(kind, line, whole[:start] + text + whole[end:], **more)

    # ---- changes that all have ----

    def drop_rule(self, random):
        line = random.choice(self.rules)
        return self.edit("drop a rule", line, [])

    def port(self, random):
        found = self.choose(random, self.PORT)
        if found is None:
            return None
        line, match = found
        low, high = int(match[2]), int(match[3] or match[2])
        kind, (low, high) = random.choice(
            (
                ("shift a port", (low + 1, high + 1)),
                ("widen a port", (low, high + 1)),
                ("widen a port", (low - 1, high)),
                ("shift a port", (low - 1, high - 1)),
            )
        )
        if not 0 < low <= high <= 65535:
            return None
        text = str(low) if low == high else f"{low}{self.TO}{high}"
        return self.replaced(kind, line, match, text)

    def address(self, random):
        """In a rule."""
        found = self.choose(random, ADDRESS)
        if found is None:
            return None
        line, match = found
        new = other_address(random, match[0])
        return new and self.replaced("another prefix", line, match, new)

    def icmp_type(self, random):
        found = self.choose(random, self.TYPE)
        if found is None:
            return None
        line, match = found
        return self.replaced("another ICMP type", line, match, self.other_type(random, line, match[1]))

    def interface(self, random):
        found = self.choose_in_text(random, self.INTERFACE)
        if found is None:
            return None
        line, match = found
        new = random.choice(("eth7", "eth1", "eth0"))
        return self.replaced("another interface", line, match, new if new != match[1] else "eth8")

    def choose_in_text(self, random, pattern):
        found = [(line, match) for line in self.rules for match in re.finditer(pattern, self.lines[line])]
        return random.choice(found) if found else None

    def number(self, random, kind, pattern, lines=None):
        """Another rate or burst, by so much that no rounding and no halving hides it."""
        lines = range(len(self.lines)) if lines is None else lines
        found = self.choose(random, pattern, lines)
        if found is None:
            return None
        line, match = found
        value = int(match[1])
        new = random.choice([value * 7] + ([value // 5] if value >= 5 else []))
        start, end = match.span(1)
        text = self.patient(self.lines[line][:start] + str(new) + self.lines[line][end:])
        return self.edit(kind, line, text, names=self.names_at(line))

    @staticmethod
    def patient(text):
        """A limit whose buckets are kept until they are full again, whatever its rate: else it is unproven."""
        return re.sub(r"(saddr timeout )\w+", r"\g<1>1d", re.sub(r"(htable-expire )\d+", r"\g<1>86400000", text))

    def rate(self, random):
        return self.number(random, "another rate", self.RATE)

    def burst(self, random):
        return self.number(random, "another burst", self.BURST)

    def protocol(self, random):
        found = self.choose(random, self.PROTOCOL)
        if found is None:
            return None
        line, match = found
        other = "udp" if match[1] == "tcp" else "tcp"
        text = re.sub(rf"(?:(?<=-p )|(?<=-m )){match[1]}\b|\b{match[1]}(?= [sd]port)", other, self.lines[line])
        if re.search("reject|REJECT|dnat", text):
            return None
        return self.edit("another protocol", line, text)

    def drop_element(self, random):
        found = [element for element in self.elements if self.siblings(element) > 1]
        if not found:
            return None
        file, line, name = random.choice(found)
        return self.edit("drop an element", line, [], file, names=(name,))

    def other_element(self, random):
        if not self.elements:
            return None
        file, line, name = random.choice(self.elements)
        text = self.texts[file][line]
        match = ADDRESS.search(text)
        if match is None:
            return None
        new = other_address(random, match[0])
        if new is None or not self.fits(name, line, new):
            return None
        text = text[: match.start()] + new + text[match.end() :]
        return self.edit("another element", line, text, file, names=(name,))

    def siblings(self, element):
        return sum(1 for other in self.elements if other[2] == element[2] and other[0] == element[0])

    def names_at(self, line):
        """Names by which other lines mean this one."""
        return ()

    def fits(self, name, line, text):
        """Whether a set takes the element in place of that line's."""
        return True

    # ---- equal ones that all have ----

    def shuffled(self, random):
        names = sorted({(file, name) for file, _, name in self.elements})
        names = [(file, name) for file, name in names if sum(1 for one in self.elements if one[::2] == (file, name)) > 1]
        if not names:
            return None
        file, name = random.choice(names)
        at = [line for of, line, called in self.elements if (of, called) == (file, name)]
        order = at[:]
        random.shuffle(order)
        lines = list(self.texts[file])
        for to, source in zip(at, order):
            lines[to] = self.texts[file][source]
        texts = {**self.texts, file: lines}
        return Mutant("elements in another order", {name: "\n".join(one) + "\n" for name, one in texts.items()})

    def split_prefix(self, random):
        """A prefix of a rule as two halves, each in a rule of its own."""
        found = self.choose(random, r"(?<![\w:.!=] )" + ADDRESS.pattern, self.accepting())
        if found is None:
            return None
        line, match = found
        parts = halves(match[0])
        if parts is None or "!" in self.lines[line][: match.start()]:
            return None
        return self.in_parts("a prefix in two halves", line, match, parts)

    def in_parts(self, kind, line, match, parts):
        """A rule as several, each with one part in place of what matches."""
        text = self.lines[line]
        return self.edit(kind, line, [text[: match.start()] + part + text[match.end() :] for part in parts])

    def split_element(self, random):
        found = [element for element in self.elements if halves(self.prefix_of(element))]
        if not found:
            return None
        file, line, name = random.choice(found)
        text, prefix = self.texts[file][line], self.prefix_of((file, line, name))
        return self.edit("an element in two halves", line, [text.replace(prefix, half) for half in halves(prefix)], file)

    def prefix_of(self, element):
        match = ADDRESS.search(self.texts[element[0]][element[1]])
        return match[0] if match else ""

    def doubled(self, random):
        found = self.accepting()
        if not found:
            return None
        line = random.choice(found)
        return self.edit("a rule doubled", line, [self.lines[line]] * 2)

    def neighbours_swapped(self, random):
        lines = [line for line in self.accepting() if line + 1 in self.accepting()]
        if not lines:
            return None
        line = random.choice(lines)
        texts = {**self.texts, RULES: self.lines[:line] + [self.lines[line + 1], self.lines[line]] + self.lines[line + 2 :]}
        return Mutant("accepting rules in another order", {name: "\n".join(one) + "\n" for name, one in texts.items()})

    def commented(self, random):
        texts = {**self.texts, RULES: [line for line in self.lines if not line.strip().startswith("#")]}
        texts[RULES].insert(0, f"# written by hand {random.random()}")
        return Mutant("other comments", {name: "\n".join(one) + "\n" for name, one in texts.items()})

    def renamed(self, random, kind, names):
        if not names:
            return None
        name = random.choice(sorted(names))
        new = name.replace(re.split(r"[_-]", name)[-1], "q7")[:29]
        pattern = rf"(?<![\w.-]){re.escape(name)}(?![\w-]|\.\w)"
        texts = {file: re.sub(pattern, new, "\n".join(lines) + "\n") for file, lines in self.texts.items()}
        return Mutant(kind, texts)


def other_address(random, text):
    """A prefix or address a bit wider, narrower, or beside; None where there is none."""
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        return None
    ways = []
    if "/" in text and 2 < network.prefixlen:
        ways.append(network.supernet())
    if "/" in text and network.prefixlen < network.max_prefixlen:
        ways.append(random.choice(list(network.subnets())))
    number = int(network.network_address)
    for step in (-1, 1):
        beside = number + step * network.num_addresses
        if 0 < beside < 2**network.max_prefixlen - network.num_addresses:
            ways.append(ipaddress.ip_network((beside, network.prefixlen)))
    new = random.choice(ways)
    return str(new) if "/" in text else str(new.network_address)


def halves(text):
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        return None
    if network.prefixlen >= network.max_prefixlen - 1 or "/" not in text:
        return None
    return [str(half) for half in network.subnets()]
