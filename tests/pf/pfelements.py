# SPDX-License-Identifier: GPL-2.0-or-later
"""Small parts of pf.conf's grammar: lists, addresses, ports, ICMP types, TCP flags; pfread.py makes rules of them."""

import ipaddress

import pfnames
from pflex import NEWLINE, NUMBER, OPERATOR, STRING, WORD, Lexer, PfError
from pfmodel import BITS, Address, whole
from pfnames import ICMP, ICMP6

TABLE_NAME_MAX, INTERFACE_NAME_MAX = 31, 15
MODIFIERS = ("network", "broadcast", "peer", "0")
FLAGS = frozenset("FSRPAUEW")


class Elements:
    def __init__(self, text, dialect, host):
        self.lexer = Lexer(text, dialect)
        self.dialect, self.host = dialect, host
        self.openbsd = dialect == "openbsd"
        self.token = None

    # ---- tokens ----

    def advance(self):
        token, self.token = self.token, self.lexer.next()
        return token

    def fail(self, message, where=None):
        raise PfError(where or self.token.where, message)

    def unexpected(self, wanted):
        self.fail(f"syntax error: {wanted} expected, not {self.token}")

    def at(self, *texts):
        """Whether the token is one of these words or operators; quoted, a word is none."""
        return self.token.kind in (WORD, OPERATOR) and self.token.text in texts

    def accept(self, *texts):
        return self.advance() if self.at(*texts) else None

    def expect(self, *texts):
        return self.accept(*texts) or self.unexpected(" or ".join(f"'{text}'" for text in texts))

    def string(self, wanted):
        return self.advance() if self.token.kind == STRING else self.unexpected(wanted)

    def number(self, wanted, low=0, high=2**32 - 1):
        if self.token.kind != NUMBER:
            self.unexpected(wanted)
        token = self.advance()
        value = int(token.text)
        if not low <= value <= high:
            self.fail(f"{wanted} {value} is not in {low} to {high}", token.where)
        return value

    def word(self, wanted, choices):
        """One of some words that are not all reserved."""
        token = self.token
        if token.kind not in (STRING, WORD):
            self.unexpected(wanted)
        if token.text not in choices:
            self.fail(f"unknown {wanted} '{token.text}'")
        return self.advance().text

    def end_of_line(self):
        if self.token.kind != NEWLINE:
            self.unexpected("the end of the line")
        self.advance()

    def newlines(self):
        while self.token.kind == NEWLINE:
            self.advance()

    def items(self, item):
        """What one item, or a list of them in braces, gives: a comma or nothing between two, line ends behind one."""
        if not self.accept("{"):
            return [item()]
        self.newlines()
        found = [item()]
        self.newlines()
        while not self.accept("}"):
            self.accept(",")
            found.append(item())
            self.newlines()
        return found

    # ---- names ----

    def table_name(self):
        self.expect("<")
        name = self.string("a table's name")
        self.expect(">")
        if len(name.text.encode()) > TABLE_NAME_MAX:
            self.fail(f"table name too long, at most {TABLE_NAME_MAX}", name.where)
        if not name.text:
            self.fail("a table without a name", name.where)
        return name.text

    def interface(self):
        negated = bool(self.accept("!"))
        return self.interface_name(), negated

    def interface_name(self):
        if self.openbsd and self.accept("any"):
            return "any"
        if self.at("rdomain"):
            self.fail("'rdomain' is not modelled")
        token = self.string("an interface")
        if len(token.text.encode()) > INTERFACE_NAME_MAX:
            self.fail("interface name too long", token.where)
        if not token.text:
            self.fail("an interface without a name", token.where)
        return token.text

    def accept_family(self):
        token = self.accept("inet", "inet6")
        return {"inet": 4, "inet6": 6}[token.text] if token else None

    def protocol(self):
        if self.token.kind == NUMBER:
            return self.number("a protocol", low=1, high=255)
        token = self.string("a protocol")
        if token.text not in pfnames.PROTOCOLS:
            self.fail(f"unknown protocol '{token.text}'", token.where)
        return pfnames.PROTOCOLS[token.text]

    # ---- addresses ----

    def addresses(self):
        """[] is any."""
        if self.accept("any"):
            return []
        if not self.accept("{"):
            return self.address()
        self.newlines()
        found = self.listed()
        self.newlines()
        while not self.accept("}"):
            self.accept(",")
            found += self.listed()
            self.newlines()
        return found

    def listed(self):
        if self.at("any"):
            self.fail("'any' in a list: releases do not agree on it")
        return self.addresses()

    def address(self):
        """One address as written; several where a name stands for several."""
        where = self.token.where
        negated = bool(self.accept("!"))
        if self.at("no-route", "urpf-failed", "route"):
            self.fail(f"'{self.token.text}' is not modelled")
        if self.at("<"):
            return [Address(where, negated, table=self.table_name())]
        if self.accept("("):
            return [self.dynamic(where, negated)]
        if self.token.kind == NUMBER:
            first = self.advance().text
            self.expect("/")
            return [self.prefix(where, negated, first, self.number("a prefix length", high=128))]
        text = self.string("an address").text
        if self.accept("/"):
            return self.expand(where, negated, text, self.number("a prefix length", high=128))
        if self.accept("-"):
            return [self.range(where, negated, text, self.string("an address").text)]
        return self.expand(where, negated, text, None)

    def dynamic(self, where, negated):
        name, *modifiers = self.string("an interface").text.split(":")
        if not name or not (name[0].isascii() and name[0].isalpha()):
            self.fail(f"invalid interface name '{name}'", where)
        if len(name.encode()) > INTERFACE_NAME_MAX:
            self.fail("interface name too long", where)
        self.check_modifiers(where, modifiers)
        self.expect(")")
        bits = self.number("a prefix length", high=128) if self.accept("/") else None
        return Address(where, negated, dynamic=(name, frozenset(modifiers), bits))

    def check_modifiers(self, where, modifiers):
        for modifier in modifiers:
            if modifier not in MODIFIERS:
                self.fail(f"bad modifier ':{modifier}'", where)
        if len(set(modifiers) - {"0"}) > 1:
            self.fail("illegal combination of modifiers", where)

    def expand(self, where, negated, text, bits):
        """An address, or all those of an interface: a static list, as they are when the rules are loaded."""
        name, *modifiers = text.split(":") if "::" not in text else [text]
        interfaces = self.host.named(name)
        if not interfaces:
            return [self.prefix(where, negated, text, bits)]
        self.check_modifiers(where, modifiers)
        found = []
        for interface in interfaces:
            for family, first, last in interface.ranges(frozenset(modifiers)):
                local = family == 6 and first >> 118 == 0xFE80 >> 6
                if bits is not None:
                    address = (ipaddress.IPv4Address if family == 4 else ipaddress.IPv6Address)(first)
                    family, first, last = whole(address, min(bits, BITS[family]))
                found.append(Address(where, negated, family, first, last, interface=interface.name if local else None))
        return found or self.fail(f"'{text}' has no address", where)

    def single(self, where, text):
        try:
            return ipaddress.ip_address(text)
        except ValueError:
            return self.fail(f"'{text}' is no address; names are not resolved", where)

    def prefix(self, where, negated, text, bits):
        if bits is not None and ":" not in text and text.replace(".", "").isdigit():
            text += ".0" * (3 - text.count("."))  # 10/8 and the like
        text, _, scope = text.partition("%")
        address = self.single(where, text)
        if bits is None:
            bits = address.max_prefixlen
        if bits > address.max_prefixlen:
            self.fail(f"prefix length {bits} is too big", where)
        return Address(where, negated, *whole(address, bits), interface=scope or None)

    def range(self, where, negated, first, last):
        first, last = self.single(where, first), self.single(where, last)
        if first.version != last.version or first > last:
            self.fail("invalid address range", where)
        return Address(where, negated, first.version, int(first), int(last))

    # ---- ports, types, flags ----

    def port_value(self, text, where):
        if text.isascii() and text.isdigit():
            if int(text) > 65535:
                self.fail(f"illegal port {text}", where)
            return int(text)
        if text not in pfnames.SERVICES:
            self.fail(f"unknown port '{text}'", where)
        return pfnames.SERVICES[text]

    def port_text(self):
        if self.token.kind not in (STRING, NUMBER):
            self.unexpected("a port")
        return self.advance()

    def port(self):
        where = self.token.where
        unary = self.accept("=", "!=", "<=", ">=", "<", ">", "!")
        if unary is not None:
            operator = unary.text
            if operator in "!<>" and not self.openbsd and self.accept("="):
                operator += "="
            if operator == "!":
                self.unexpected("'!='")
            return operator, self.port_value(self.port_text().text, where), None
        token = self.port_text()
        if ":" in token.text:
            first, _, last = token.text.partition(":")
            operator = ":"
        elif self.at("><", "<>"):
            first, operator, last = token.text, self.advance().text, self.port_text().text
        else:
            return "=", self.port_value(token.text, where), None
        low, high = self.port_value(first, where), self.port_value(last, where)
        if low > high or (operator == "><" and low == high):
            self.fail("invalid port range", where)
        return operator, low, high

    def icmp_type(self, family):
        protocol = ICMP if family == 4 else ICMP6
        if self.token.kind == NUMBER:
            number = self.number("an ICMP type", high=255)
        else:
            token = self.string("an ICMP type")
            if token.text not in pfnames.ICMP_TYPES[family]:
                self.fail(f"unknown ICMP type '{token.text}'", token.where)
            number = pfnames.ICMP_TYPES[family][token.text]
        code = self.icmp_code(family, number) if self.accept("code") else None
        return protocol, number, code

    def icmp_code(self, family, number):
        if self.token.kind == NUMBER:
            return self.number("an ICMP code", high=255)
        token = self.string("an ICMP code")
        names = pfnames.ICMP_CODES[family].get(number, {})
        if token.text not in names:
            self.fail(f"unknown ICMP code '{token.text}'", token.where)
        return names[token.text]

    def tcp_flags(self, rule, where):
        if rule.flags_given:
            self.fail("flags cannot be redefined", where)
        rule.flags_given = True
        if self.accept("any"):
            return
        wanted = frozenset() if self.at("/") else self.flag_set()
        self.expect("/")
        out_of = self.flag_set()
        if not wanted <= out_of:
            self.fail("flags always false", where)
        rule.flags = (wanted, out_of)

    def flag_set(self):
        token = self.string("TCP flags")
        if not token.text or not set(token.text) <= FLAGS:
            self.fail(f"bad flags '{token.text}'", token.where)
        return frozenset(token.text)
