# SPDX-License-Identifier: GPL-2.0-or-later
"""The text of rule sets for nft, as far as flowfw writes it and the mutants of it go, as packets.Machine.

What it does not know is a ValueError: a rule is never read as something else than what it says.
"""

import re

from packets import DAY, ICMP, ICMP6, NUMBERS, TCP, UDP, Chain, Limit, Machine, Match, Rule, interval, number, one_of

TYPES = {
    "icmp": {
        "echo-reply": 0, "destination-unreachable": 3, "source-quench": 4, "redirect": 5, "echo-request": 8,
        "router-advertisement": 9, "router-solicitation": 10, "time-exceeded": 11, "parameter-problem": 12,
        "timestamp-request": 13, "timestamp-reply": 14, "info-request": 15, "info-reply": 16,
        "address-mask-request": 17, "address-mask-reply": 18,
    },
    "icmpv6": {
        "destination-unreachable": 1, "packet-too-big": 2, "time-exceeded": 3, "parameter-problem": 4,
        "echo-request": 128, "echo-reply": 129, "mld-listener-query": 130, "mld-listener-report": 131,
        "mld-listener-done": 132, "mld-listener-reduction": 132, "nd-router-solicit": 133, "nd-router-advert": 134,
        "nd-neighbor-solicit": 135, "nd-neighbor-advert": 136, "nd-redirect": 137, "mld2-listener-report": 143,
    },
}  # fmt: skip
TOKEN = re.compile(r'"[^"\n]*"|#[^\n]*|[{};,]|\n|[^\s{};,"#]+')
DEFAULT_BURST = 5


class Tokens:
    def __init__(self, text):
        self.items, line = [], 1
        for found in TOKEN.finditer(text):
            token = found[0]
            if token == "\n":
                self.items.append((token, line))
                line += 1
            elif not token.startswith("#"):
                self.items.append((token, line))
        self.items.append(("", line))
        self.at = 0

    @property
    def next(self):
        return self.items[self.at][0]

    @property
    def line(self):
        return self.items[self.at][1]

    def take(self, *expected):
        token = self.next
        if expected and token not in expected:
            raise ValueError(f"line {self.line}: {token!r}, not {' or '.join(expected)}")
        self.at += 1
        return token

    def has(self, *tokens):
        """Takes these, if they are what comes next."""
        if [token for token, _ in self.items[self.at : self.at + len(tokens)]] != list(tokens):
            return False
        self.at += len(tokens)
        return True

    def blank(self):
        while self.next in ("\n", ";"):
            self.at += 1

    def until(self, *ends):
        found = []
        while self.next not in (*ends, ""):
            found.append(self.take())
        return found


class Table:
    def __init__(self, family):
        self.family = family
        self.sets, self.maps, self.limits, self.chains = {}, {}, {}, {}


def unquoted(token):
    return token.strip('"')


def rate(words):
    """Of `rate 10/second burst 20 packets`."""
    assert words[0] == "rate", words
    count, unit = words[1].split("/")
    burst = int(words[words.index("burst") + 1]) if "burst" in words else DEFAULT_BURST
    return Limit(int(count) * DAY[unit], burst)


# ---- what a table consists of ----


def parse(text):
    """A Machine."""
    tokens, tables = Tokens(text), {}
    while tokens.next:
        tokens.blank()
        if tokens.has("flush", "ruleset"):
            tables.clear()
        elif tokens.has("delete", "table"):
            tables.pop((tokens.take(), tokens.take()), None)
        elif tokens.has("table"):
            key = tokens.take(), tokens.take()
            table = tables.setdefault(key, Table(key[0]))
            if tokens.next == "{":
                parse_table(tokens, table)
        elif tokens.next:
            raise ValueError(f"line {tokens.line}: {tokens.next!r}")
    chains = {}
    for key, table in tables.items():
        for name, chain in table.chains.items():
            chains[*key, name] = chain
            for rule in chain.rules:
                rule.matches[:0] = [one_of("family", (4 if table.family == "ip" else 6,))] if table.family != "inet" else []
                if rule.action in ("jump", "goto"):
                    rule.target = (*key, rule.target)
    return Machine(chains)


def parse_table(tokens, table):
    tokens.take("{")
    while True:
        tokens.blank()
        if tokens.has("}"):
            return
        kind, name = tokens.take("limit", "counter", "set", "map", "chain"), unquoted(tokens.take())
        tokens.take("{")
        if kind == "limit":
            table.limits[name] = rate([token for token in tokens.until("}") if token != "\n"])
            tokens.take("}")
        elif kind == "counter":
            tokens.until("}")
            tokens.take("}")
        elif kind == "chain":
            table.chains[name] = parse_chain(tokens, table, name)
        else:
            (table.sets if kind == "set" else table.maps)[name] = parse_set(tokens)


def parse_set(tokens):
    """The elements: each a list of tokens."""
    elements = []
    while not tokens.has("}"):
        tokens.blank()
        word = tokens.take()
        if word == "elements":
            tokens.take("=")
            elements += braced(tokens)
        elif word in ("type", "flags", "size", "auto-merge"):
            while tokens.next not in ("\n", ";"):
                tokens.take()
        elif word != "}":
            raise ValueError(f"line {tokens.line}: {word!r} in a set")
        else:
            break
    return elements


def braced(tokens):
    """What is between braces and commas."""
    tokens.take("{")
    found = [[]]
    while not tokens.has("}"):
        token = tokens.take()
        if token == ",":
            found.append([])
        elif token != "\n":
            found[-1].append(token)
    return [one for one in found if one]


def parse_chain(tokens, table, name):
    chain = Chain(name)
    while True:
        tokens.blank()
        if tokens.has("}"):
            return chain
        if tokens.has("type"):
            chain.kind = tokens.take("filter", "nat")
            tokens.take("hook")
            chain.hook = tokens.take()
            tokens.take("priority")
            tokens.take()
        elif tokens.has("policy"):
            chain.line = tokens.line
            chain.policy = tokens.take("accept", "drop")
        else:
            chain.rules += Statement(tokens, table).rules()


# ---- rules ----


class Statement:
    """One rule, word by word."""

    def __init__(self, tokens, table):
        self.tokens, self.table = tokens, table
        self.rule = Rule(tokens.line)

    def rules(self):
        while self.tokens.next not in ("\n", ";", "}", ""):
            self.statement()
        return [self.rule]

    def ask(self, name, values):
        self.rule.matches.append(one_of(name, values))

    def statement(self):
        tokens, rule = self.tokens, self.rule
        word = tokens.take()
        if word in ("accept", "drop", "return", "continue", "masquerade"):
            rule.action = word
            if word == "masquerade":
                rule.target = lambda one: ("masquerade", 0)
        elif word in ("jump", "goto"):
            rule.action, rule.target = word, tokens.take()
        elif word == "reject":
            rule.action = "reject"  # whichever way
            if not tokens.has("with", "tcp", "reset") and tokens.has("with"):
                tokens.take("icmp", "icmpx", "icmpv6")
                tokens.has("type")
                tokens.take()
        elif word == "comment" or word == "log":
            tokens.has("prefix")
            tokens.take()
        elif word == "counter":
            if tokens.has("name"):
                tokens.take()
            elif tokens.has("packets"):
                tokens.take()
                tokens.take("bytes")
                tokens.take()
        elif word == "limit":
            self.limit()
        elif word == "meter":
            self.meter()
        elif word in ("dnat", "snat"):
            self.translate(word)
        else:
            self.selector(word)

    def limit(self):
        if self.tokens.has("name"):
            self.rule.limits.append(self.table.limits[unquoted(self.tokens.take())])
            return
        words = [self.tokens.take("rate"), self.tokens.take()]
        if self.tokens.has("burst"):
            words += ["burst", self.tokens.take()]
            self.tokens.take("packets")
        self.rule.limits.append(rate(words))

    def meter(self):
        self.tokens.take()
        if self.tokens.has("size"):
            self.tokens.take()
        self.tokens.take("{")
        words = self.tokens.until("}")
        self.tokens.take("}")
        self.ask("family", (4 if words[0] == "ip" else 6,))
        assert words[1] == "saddr", words
        found = rate(words[words.index("limit") + 1 :])
        self.rule.limits.append(Limit(found.daily, found.burst, per_source=True))

    def translate(self, word):
        self.rule.action = word
        self.tokens.has("ip") or self.tokens.has("ip6")
        self.tokens.take("to")
        if self.tokens.next in ("tcp", "udp"):
            protocol = self.tokens.take()
            self.tokens.take("dport")
            self.tokens.take("map")
            name, _, port = self.tokens.take()[1:].partition(":")
            self.ask("protocol", (NUMBERS[protocol],))
            mapped = {int(element[0]): number(element[2]) for element in self.table.maps[name]}
            self.rule.hints = (one_of("dport", sorted(mapped)),)
            self.rule.target = lambda one: (mapped[one["dport"]], int(port or 0)) if one["dport"] in mapped else None
            return
        address, port = address_port(self.tokens.take())
        self.rule.target = lambda one: (address, port)

    # ---- selectors ----

    def selector(self, word):
        """One or more fields that are concatenated, and what they are compared with."""
        fields = [self.field(word)]
        while self.tokens.has("."):
            fields.append(self.field(self.tokens.take()))
        negated = self.tokens.has("!=")
        self.tokens.has("==")
        elements = self.operand()
        entries = tuple(tuple(self.range(*pair) for pair in zip(fields, one)) for one in elements)
        self.rule.matches.append(Match(tuple(name for name, _ in fields), entries, negated))

    def operand(self):
        """Elements, each a list of texts, one a field."""
        token = self.tokens.next
        if token == "{":
            found = braced(self.tokens)
        elif token.startswith("@"):
            found = self.table.sets[self.tokens.take()[1:]]
        else:
            found = [[self.tokens.take()]]
            while self.tokens.has(","):
                found.append([self.tokens.take()])
        return [[part for part in element if part != "."] for element in found]

    def field(self, word):
        """(name of the field, kind of its values); what the word implies is asked for."""
        if word in ("iifname", "oifname"):
            return word[:1] + "if", "name"
        what = self.tokens.take()
        if word in ("ip", "ip6") and what in ("saddr", "daddr"):
            self.ask("family", (4 if word == "ip" else 6,))
            return {"saddr": "source", "daddr": "destination"}[what], "address"
        if (word, what) in (("ip", "protocol"), ("ip6", "nexthdr"), ("meta", "l4proto")):
            if word != "meta":
                self.ask("family", (4 if word == "ip" else 6,))
            return "protocol", "protocol"
        if (word, what) == ("ip6", "hoplimit"):
            self.ask("family", (6,))
            return "hop", "number"
        if (word, what) == ("meta", "nfproto"):
            return "family", "family"
        if word in ("tcp", "udp") and what in ("sport", "dport"):
            self.ask("protocol", (TCP if word == "tcp" else UDP,))
            return what, "number"
        if word in TYPES and what in ("type", "code"):
            self.ask("protocol", (ICMP if word == "icmp" else ICMP6,))
            return what, word if what == "type" else "number"
        if word == "ct":
            return self.tracked(what)
        raise ValueError(f"line {self.tokens.line}: {word} {what}")

    def tracked(self, what):
        if what == "state":
            return "state", "name"
        if what == "status":
            return "dnat", "status"
        if what == "original":
            self.ask("family", (4 if self.tokens.take("ip", "ip6") == "ip" else 6,))
            self.tokens.take("daddr")
            return "original", "address"
        raise ValueError(f"line {self.tokens.line}: ct {what}")

    @staticmethod
    def range(named, text):
        """(low, high) of a value of a field's kind."""
        _, kind = named
        if kind == "name":
            return unquoted(text), unquoted(text)
        if kind == "address":
            return interval(text)
        if kind == "status":
            assert text == "dnat", text
            return 1, 1
        if kind == "family":
            return (4, 4) if text == "ipv4" else (6, 6)
        if kind == "protocol" and not text[0].isdigit():
            return NUMBERS[text], NUMBERS[text]
        if kind in TYPES and text in TYPES[kind]:
            return TYPES[kind][text], TYPES[kind][text]
        low, dash, high = text.partition("-")
        return int(low), int(high) if dash else int(low)


def address_port(text):
    """Of `10.8.0.1:5556`, `[2001:db8::1]:5556` and both without a port."""
    found = re.fullmatch(r"\[([^\]]+)\](?::(\d+))?|([0-9.]+)(?::(\d+))?|([0-9a-f:]+)", text)
    address = found[1] or found[3] or found[5]
    return number(address), int(found[2] or found[4] or 0)
