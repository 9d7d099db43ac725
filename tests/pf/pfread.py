# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads pf.conf as the manual pages describe it: OpenBSD's of 6.9 and later, FreeBSD's of 14 with nat and rdr.

Written from pf.conf(5) alone, to judge what the backend writes. A construct that is in no manual, or that
changes which packets pass in a way this reader does not model, is an error with its place; nothing is skipped.
"""

from dataclasses import replace

import pfnames
from pfelements import Elements
from pflex import END, NEWLINE, NUMBER, STRING, WORD, PfError
from pfmodel import Address, Host, Redirect, Rule, Ruleset, Table
from pfnames import ICMP, ICMP6, TCP, UDP

LABEL_MAX, TAG_MAX, ANCHOR_MAX = 63, 63, 1023
LABEL_MACROS = ("$if", "$srcaddr", "$dstaddr", "$srcport", "$dstport", "$proto", "$nr")
LABELS_MAX = {"openbsd": 1, "freebsd": 5}
FAMILY_OF = {ICMP: 4, ICMP6: 6}
# The order that FreeBSD's pfctl enforces; macros and tables may stand anywhere.
ORDER = ("options", "normalization", "queueing", "translation", "filtering")

POLICIES = ("drop", "return")
LEVELS = ("none", "urgent", "misc", "loud", "emerg", "alert", "crit", "err", "warning", "notice", "info")
NETWORKS = ("default", "normal", "high-latency", "satellite", "aggressive", "conservative")
LIMITS = ("states", "frags", "src-nodes", "tables", "table-entries", "pktdelay-pkts", "anchors")

# What pf makes of the source port of what it translates the source of, unless told otherwise.
NAT_PORTS = range(50001, 65536)
PORT_MAX = 65535
# The packets that FreeBSD's translation rules are about.
DIRECTIONS = {"nat": "out", "rdr": "in"}


def parse(text, dialect, host=Host(()), anchor=False, load=None):
    """A Ruleset. With `anchor`, of a file that goes into an anchor. `load` gives the text of a `load anchor` file."""
    ruleset = Parser(text, dialect, host, anchor).run()
    for where, name, file in ruleset.loads:
        if load is None:
            raise PfError(where, f"no file {file}")
        body = parse(load(file), dialect, host, anchor=True, load=load)
        body.parent = ruleset
        ruleset.anchors[name] = body
    return ruleset


def parse_anchor(text, dialect, host=Host(()), name="flowfw"):
    """The Ruleset of a main file that does nothing but call this anchor, wherever the dialect can call one."""
    calls = ("anchor",) if dialect == "openbsd" else ("nat-anchor", "rdr-anchor", "anchor")
    lines = [f'{call} "{name}"\n' for call in calls] + [f'load anchor "{name}" from "anchor.conf"\n']
    return parse("".join(lines), dialect, host, load=lambda _: text)


class Parser(Elements):
    def __init__(self, text, dialect, host, anchor):
        super().__init__(text, dialect, host)
        self.in_anchor = anchor
        self.ruleset = Ruleset(dialect)
        self.block_policy, self.if_bound, self.state_defaults = "drop", False, None
        self.section, self.ordered = 0, not self.openbsd
        self.inline = 0  # how deep in braces of anchors
        self.statements = {
            "set": self.set_option,
            "pass": self.filter_rule,
            "block": self.filter_rule,
            "match": self.filter_rule,
            "anchor": self.anchor_rule,
            "load": self.load_anchor,
            "table": self.table,
            "antispoof": self.antispoof,
        }
        if not self.openbsd:
            self.statements |= {
                "nat": self.translation,
                "rdr": self.translation,
                "binat": self.translation,
                "no": self.translation,
                "nat-anchor": self.translation_anchor,
                "rdr-anchor": self.translation_anchor,
                "binat-anchor": self.translation_anchor,
                "scrub": self.scrub_rule,
            }

    def run(self):
        self.advance()
        while self.token.kind != END:
            self.statement()
        for table in self.ruleset.tables.values():
            table.ready()
        return self.ruleset

    # ---- statements ----

    def statement(self):
        token = self.token
        if token.kind == NEWLINE:
            self.advance()
            return
        if token.kind == STRING:
            self.macro()
        elif token.kind == WORD and token.text in self.statements:
            self.allow(token)
            self.statements[token.text]()
        else:
            self.unexpected("a statement")
        self.end_of_line()

    def allow(self, token):
        """Refuses what must not stand here."""
        if self.inline and token.text not in ("pass", "block", "match", "anchor"):
            self.fail(f"'{token.text}' inside the braces of an anchor")
        if self.in_anchor and token.text == "set":
            self.fail("'set' in an anchor")
        if self.in_anchor and token.text == "scrub":
            self.fail("'scrub' in an anchor is not modelled")
        if token.text in ("table", "load"):
            return
        section = {"set": 0, "scrub": 1, **dict.fromkeys(("nat", "rdr", "binat", "no"), 3)}.get(token.text, 4)
        if token.text.endswith("-anchor"):
            section = 3
        if self.ordered and section < self.section:
            self.fail(f"rules must be in order: {', '.join(ORDER)}; {ORDER[section]} after {ORDER[self.section]}")
        self.section = max(self.section, section)

    def macro(self):
        name = self.advance()
        if self.inline:
            self.fail("a macro's definition inside the braces of an anchor", name.where)
        self.expect("=")
        if not name.text or not name.text[0].isalpha() or not name.text.replace("_", "a").isalnum():
            self.fail(f"'{name.text}' cannot name a macro", name.where)
        parts = []
        while self.token.kind in (STRING, NUMBER):
            parts.append(self.advance().text)
        if not parts:
            self.unexpected("a macro's text")
        self.lexer.macros[name.text] = " ".join(parts)

    def set_option(self):
        self.advance()
        token = self.token
        if token.kind not in (WORD, STRING):
            self.unexpected("an option")
        self.advance()
        option = token.text
        if option == "skip":
            self.expect("on")
            for name, negated in self.items(self.interface):
                if negated:
                    self.fail("skip on ! is not supported", token.where)
                self.ruleset.skip.append(name)
        elif option == "block-policy":
            self.block_policy = self.word("block-policy", POLICIES)
        elif option == "state-policy":
            self.if_bound = self.word("state-policy", ("if-bound", "floating")) == "if-bound"
        elif option == "state-defaults":
            self.state_defaults = Rule(token.where, "pass", if_bound=None)
            self.state_options(self.state_defaults, end=NEWLINE)
        elif option == "timeout":
            self.items(lambda: (self.word("timeout", pfnames.TIMEOUTS), self.number("seconds")))
        elif option == "limit":
            self.items(lambda: (self.word("limit", LIMITS), self.number("a limit")))
        elif option == "optimization":
            self.word("optimization", NETWORKS)
        elif option == "ruleset-optimization":
            self.word("ruleset-optimization", ("none", "basic", "profile"))
        elif option == "loginterface":
            self.string("an interface")
        elif option == "debug":
            self.word("debug level", LEVELS + (("debug",) if self.openbsd else ()))
        elif option == "hostid":
            self.number("a host id", low=1)
        elif option == "fingerprints":
            self.string("a file")
        elif option == "syncookies":
            self.word("syncookies", ("never", "always"))
        elif option == "reassemble":
            self.word("reassemble", ("yes", "no"))
            self.accept("no-df")
        elif option == "require-order" and not self.openbsd:
            self.ordered = self.word("require-order", ("yes", "no")) == "yes"
        elif option == "fail-policy" and not self.openbsd:
            self.word("fail-policy", POLICIES)
        elif option == "keepcounters" and not self.openbsd:
            pass
        else:
            self.fail(f"unknown option '{option}'", token.where)

    def table(self):
        self.advance()
        name = self.table_name()
        if name in self.ruleset.tables:
            self.fail(f"table <{name}> is defined twice")
        table = Table()
        while self.token.kind != NEWLINE:
            if self.token.kind == STRING:
                self.word("table option", ("const", "persist", "counters"))
            elif self.at("file"):
                self.fail("a table's file is not modelled")
            elif self.at("{"):
                self.table_addresses(table)
            else:
                self.unexpected("a table option")
        self.ruleset.tables[name] = table

    def table_addresses(self, table):
        self.expect("{")
        self.newlines()
        if self.accept("}"):
            return
        while True:
            for address in self.address():
                if address.table is not None or address.dynamic is not None:
                    self.fail("tables hold no tables and no dynamic addresses", address.where)
                if not self.is_prefix(address):
                    self.fail("tables hold no ranges", address.where)
                if not table.add(address.family, address.first, address.last, address.negated):
                    self.fail("in the table twice, once negated", address.where)
            self.newlines()
            if self.accept("}"):
                return
            self.accept(",")

    @staticmethod
    def is_prefix(address):
        size = address.last - address.first + 1
        return size & (size - 1) == 0 and address.first % size == 0

    def load_anchor(self):
        where = self.advance().where
        self.expect("anchor")
        name = self.anchor_name()
        if name is None:
            self.unexpected("an anchor's name")
        self.expect("from")
        self.ruleset.loads.append((where, name, self.string("a file").text))

    def anchor_name(self):
        if self.token.kind != STRING:
            return None
        token = self.advance()
        if not token.text:
            self.fail("an anchor's name must not be empty", token.where)
        if len(token.text.encode()) > ANCHOR_MAX:
            self.fail("an anchor's name is too long", token.where)
        if token.text.startswith("_") or "/_" in token.text:
            self.fail("anchor names that begin with '_' are reserved", token.where)
        return token.text

    def scrub_rule(self):
        """Normalizes, and passes and blocks nothing."""
        rule = Rule(self.advance().where, "scrub")
        self.direction(rule)
        self.log_quick(rule)
        if rule.quick:
            self.fail("scrub rules do not support 'quick'", rule.where)
        self.criteria(rule)
        while self.token.kind != NEWLINE:
            if self.accept("fragment"):
                self.expect("reassemble")
            elif self.accept("reassemble"):
                self.word("reassemble", ("tcp",))
            elif self.accept("min-ttl", "max-mss"):
                self.number("a number", high=65535)
            elif not self.accept("no-df", "random-id"):
                self.unexpected("a scrub option")

    def antispoof(self):
        where = self.advance().where
        rule = Rule(where, "block", how="drop", direction="in")
        self.log_quick(rule)
        self.expect("for")
        interfaces = self.items(self.interface)
        rule.family = self.accept_family()
        if self.accept("label"):
            rule.labels = (self.label(),)
        for name, negated in interfaces:
            if negated:
                self.fail("antispoof for ! is not supported", where)
            self.blocked_sources(rule, ((name, True),), self.host.ranges(name, {"network"}))
            if not name.startswith("lo"):
                self.blocked_sources(rule, (), self.host.ranges(name, frozenset()))

    def blocked_sources(self, rule, interfaces, ranges):
        source = tuple(Address(rule.where, family=family, first=first, last=last) for family, first, last in ranges)
        if source:
            self.ruleset.rules.append(replace(rule, interfaces=interfaces, source=source))

    # ---- rules ----

    def filter_rule(self):
        token = self.advance()
        rule = Rule(token.where, token.text, if_bound=self.if_bound)
        if rule.action == "block":
            self.block_how(rule)
        self.direction(rule)
        self.log_quick(rule)
        if rule.action == "match" and rule.quick:
            self.fail("match with quick is not modelled", rule.where)
        self.criteria(rule)
        self.filter_options(rule)
        self.state_by_default(rule)
        self.consistent(rule)
        self.ruleset.rules.append(rule)

    def block_how(self, rule):
        rule.how = self.block_policy
        token = self.accept("drop", "return", "return-rst", "return-icmp", "return-icmp6")
        if token is None:
            return
        rule.how = token.text
        if token.text == "return-rst" and self.accept("("):
            self.expect("ttl")
            self.number("a ttl", high=255)
            self.expect(")")
        elif token.text == "return-icmp" and self.accept("("):
            self.icmp_code(4, 3)
            if not self.at(")"):
                self.accept(",")
                self.icmp_code(6, 1)
            self.expect(")")
        elif token.text == "return-icmp6" and self.accept("("):
            self.icmp_code(6, 1)
            self.expect(")")

    def anchor_rule(self):
        where = self.advance().where
        rule = Rule(where, "anchor", name=self.anchor_name())
        self.direction(rule)
        rule.quick = bool(self.accept("quick"))
        self.criteria(rule)
        self.filter_options(rule)
        if rule.state_given:
            self.fail("cannot specify state handling on anchors", where)
        if rule.nat or rule.rdr or rule.allow_opts or rule.bounds:
            self.fail("this option on an anchor is not modelled", where)
        self.consistent(rule)
        if self.at("{"):
            self.anchor_body(rule)
        elif rule.name is None:
            self.fail("anchors without rules of their own must have a name", where)
        self.ruleset.rules.append(rule)

    def anchor_body(self, rule):
        if rule.name is not None and "/" in rule.name:
            self.fail("anchor paths with '/' cannot be used for inline anchors", rule.where)
        brace = self.advance()
        if self.token.kind != NEWLINE:
            self.unexpected("a line end after the brace of an anchor")
        outer, self.ruleset = self.ruleset, Ruleset(self.dialect, parent=self.ruleset)
        self.inline += 1
        while not self.at("}"):
            if self.token.kind == END:
                self.fail("the file ends inside the braces of an anchor", brace.where)
            self.statement()
        self.advance()
        self.inline -= 1
        rule.body, self.ruleset = self.ruleset, outer

    def direction(self, rule):
        token = self.accept("in", "out")
        rule.direction = token.text if token else None

    def log_quick(self, rule):
        rule.quick = bool(self.accept("quick"))
        if self.accept("log"):
            rule.log = True
            if self.accept("("):
                self.log_option()
                while not self.accept(")"):
                    self.accept(",")
                    self.log_option()
        if not rule.quick:
            rule.quick = bool(self.accept("quick"))

    def log_option(self):
        if self.accept("to"):
            token = self.string("an interface")
            if not token.text.startswith("pflog"):
                self.fail(f"'{token.text}' should be a pflog interface", token.where)
        elif not (self.accept("all", "user") or (self.openbsd and self.accept("matches"))):
            self.unexpected("a log option")

    def criteria(self, rule):
        """on, the family, proto, from and to, in this order."""
        if self.accept("on"):
            rule.interfaces = tuple(self.items(self.interface))
        if self.at("route-to", "reply-to", "dup-to"):
            self.fail(f"'{self.token.text}' is not modelled")
        rule.family = self.accept_family()
        if self.accept("proto"):
            rule.protocols = tuple(self.items(self.protocol))
        if self.accept("all"):
            return
        if self.accept("from"):
            rule.source, rule.source_ports = self.side()
        if self.at("os"):
            self.fail("'os' is not modelled")
        if self.accept("to"):
            rule.destination, rule.destination_ports = self.side()

    def side(self):
        addresses = () if self.at("port") else tuple(self.addresses())
        ports = tuple(self.items(self.port)) if self.accept("port") else ()
        return addresses, ports

    # ---- options behind from and to ----

    def filter_options(self, rule):
        while self.token.kind != NEWLINE and not self.at("{"):
            self.filter_option(rule)

    def filter_option(self, rule):
        token = self.token
        negated = bool(self.accept("!"))
        if negated and not self.at("tagged", "received-on"):
            self.unexpected("'tagged' or 'received-on'")
        if self.token.kind != WORD:
            self.unexpected("an option or the end of the line")
        option = self.advance().text
        if option == "flags":
            self.tcp_flags(rule, token.where)
        elif option in ("icmp-type", "icmp6-type"):
            if rule.types:
                self.fail("icmp-type cannot be redefined", token.where)
            family = 4 if option == "icmp-type" else 6
            rule.types = tuple(self.items(lambda: self.icmp_type(family)))
        elif option in ("no", "keep", "modulate", "synproxy"):
            self.state(rule, option, token.where)
        elif option == "label":
            if len(rule.labels) == LABELS_MAX[self.dialect]:
                self.fail("too many labels", token.where)
            rule.labels += (self.label(),)
        elif option == "tag":
            self.only_once(rule.tag, option, token.where)
            rule.tag = self.tag()
        elif option == "tagged":
            self.only_once(rule.tagged, option, token.where)
            rule.tagged = (self.tag(), negated)
        elif option == "allow-opts":
            rule.allow_opts = True
        elif option == "fragment":
            rule.fragment = True
        elif option == "received-on" and self.openbsd:
            self.only_once(rule.received_on, option, token.where)
            rule.received_on = (self.interface_name(), negated)
        elif option == "max-pkt-rate" and self.openbsd:
            self.only_once(rule.bounds.get(option), option, token.where)
            rule.bounds[option] = self.rate()
        elif option == "nat-to" and self.openbsd:
            self.only_once(rule.nat, option, token.where)
            rule.nat = self.nat_redirect()
        elif option == "rdr-to" and self.openbsd:
            self.only_once(rule.rdr, option, token.where)
            rule.rdr = self.rdr_redirect(rule)
        elif option == "scrub":
            self.scrub_options()
        elif option == "set":
            self.expect("prio")
            self.number("a priority", high=7)
        else:
            self.fail(f"'{option}' is not known here or not modelled", token.where)

    def only_once(self, before, option, where):
        if before is not None:
            self.fail(f"cannot respecify {option}", where)

    def label(self):
        token = self.string("a label")
        if len(token.text.encode(errors="surrogateescape")) > LABEL_MAX:
            self.fail(f"rule label too long, at most {LABEL_MAX}", token.where)
        self.no_macros(token)
        return token.text

    def tag(self):
        token = self.string("a tag")
        if not token.text:
            self.fail("a tag without a name", token.where)
        if len(token.text.encode()) > TAG_MAX:
            self.fail(f"tag too long, at most {TAG_MAX}", token.where)
        self.no_macros(token)
        return token.text

    def no_macros(self, token):
        if any(macro in token.text for macro in LABEL_MACROS):
            self.fail("macros in labels and tags are not modelled", token.where)

    def rate(self):
        count = self.number("a count", low=1)
        self.expect("/")
        return count, self.number("seconds", low=1)

    def scrub_options(self):
        self.expect("(")
        while not self.accept(")"):
            if self.accept("min-ttl", "max-mss"):
                self.number("a number", high=65535)
            elif self.accept("reassemble"):
                self.word("reassemble", ("tcp",))
            elif not self.accept("no-df", "random-id"):
                self.unexpected("a scrub option")
            if not self.at(")"):
                self.accept(",")

    # ---- where translations lead to ----

    def nat_redirect(self):
        """Behind nat-to, or the arrow of a nat rule."""
        where = self.token.where
        address, ports = self.redirect_address(), self.redirect_ports()
        if self.accept("static-port"):
            if ports is not None:
                self.fail("the 'static-port' option can't be used when specifying a port range", where)
            return Redirect(address)
        low, high = ports or (NAT_PORTS[0], NAT_PORTS[-1])
        if high == "*" or low > (high or low):
            self.fail("invalid port range", where)
        return Redirect(address, low if high in (None, low) else range(low, high + 1))

    def rdr_redirect(self, rule):
        """Behind rdr-to, or the arrow of a rdr rule, whose criteria are read by then."""
        where = self.token.where
        address, ports = self.redirect_address(), self.redirect_ports()
        if self.at("static-port"):
            self.fail("the 'static-port' option is only valid with nat rules", where)
        low, high = ports or (None, None)
        if high is None:
            return Redirect(address, low)
        if high != "*":
            self.fail("a range of ports to lead to is not modelled", where)
        if len(rule.destination_ports) != 1 or rule.destination_ports[0][0] not in "=:":
            self.fail("'*' for other ports than one range is not modelled", where)
        _, first, last = rule.destination_ports[0]
        if low + (last or first) - first > PORT_MAX:
            self.fail("illegal port: the range leads beyond the last one", where)
        return Redirect(address, low, slides_from=first)

    def redirect_address(self):
        where = self.token.where
        found = [address for addresses in self.items(self.address) for address in addresses]
        if any(address.negated or address.table for address in found):
            self.fail("this address to translate to is not modelled", where)
        if len(found) != 1 or found[0].first != found[0].last:
            self.fail("a pool of addresses to translate to is not modelled", where)
        return found[0]

    def redirect_ports(self):
        """(low, high), or None; `high` is None for one port, "*" where ports keep their distance."""
        if not self.accept("port"):
            return None
        token = self.port_text()
        first, colon, last = token.text.partition(":")
        low = self.port_value(first, token.where)
        if low == 0:
            self.fail("port 0 to translate to is not modelled", token.where)
        if not colon:
            return low, None
        return low, last if last == "*" else self.port_value(last, token.where)

    # ---- states ----

    def state(self, rule, kind, where):
        self.expect("state")
        if rule.state_given:
            self.fail("state handling cannot be redefined", where)
        rule.state_given = True
        if kind == "no":
            return
        rule.state = kind
        if self.accept("("):
            self.state_options(rule, end=")")

    def state_options(self, rule, end):
        seen = set()
        while True:
            where = self.token.where
            name = self.state_option(rule)
            if name in seen:
                self.fail(f"state option '{name}': multiple definitions", where)
            seen.add(name)
            if end == NEWLINE and self.token.kind == NEWLINE:
                break
            if end != NEWLINE and self.accept(end):
                break
            self.accept(",")
        if "overload" in seen and not seen & {"max-src-conn", "max-src-conn-rate"}:
            self.fail("'overload' requires 'max-src-conn' or 'max-src-conn-rate'", rule.where)
        if "source-track global" in seen and seen & {"max-src-conn", "max-src-conn-rate", "max-src-nodes"}:
            self.fail("incompatible with 'source-track global'", rule.where)
        if rule.sloppy and rule.state in ("modulate", "synproxy"):
            self.fail("sloppy cannot be used with modulate or synproxy state", rule.where)

    def state_option(self, rule):
        token = self.token
        if token.kind not in (WORD, STRING):
            self.unexpected("a state option")
        option = self.advance().text
        if option in ("max", "max-src-states", "max-src-conn", "max-src-nodes"):
            rule.bounds[option] = self.number("a count", low=1)
        elif option == "max-src-conn-rate":
            rule.bounds[option] = self.rate()
        elif option == "overload":
            self.table_name()
            if self.accept("flush"):
                self.accept("global")
        elif option == "source-track":
            kind = self.accept("rule", "global")
            option += f" {kind.text}" if kind else ""
        elif option == "sloppy":
            rule.sloppy = True
        elif option in ("if-bound", "floating"):
            rule.if_bound, option = option == "if-bound", "lock"
        elif option == "pflow" and self.openbsd:
            pass
        elif option in pfnames.TIMEOUTS and "." in option and token.kind == STRING:
            self.number("seconds")
        elif option != "no-sync":
            self.fail(f"unknown state option '{option}'", token.where)
        return option

    def state_by_default(self, rule):
        if rule.action == "pass" and not rule.state_given:
            rule.state = "keep"
            if self.state_defaults is not None:
                rule.bounds |= self.state_defaults.bounds
                rule.sloppy = self.state_defaults.sloppy
                if self.state_defaults.if_bound is not None:
                    rule.if_bound = self.state_defaults.if_bound
        if rule.action == "pass" and rule.state and not rule.flags_given and not rule.fragment:
            rule.flags = (frozenset("S"), frozenset("SA"))

    # ---- what pfctl checks once a rule is read ----

    def consistent(self, rule):
        if rule.nat or rule.rdr:
            self.consistent_redirects(rule)
        protocols = rule.protocols or (None,)
        families = self.families(rule)
        if not families:
            self.fail("rule expands to no valid combination", rule.where)
        if rule.flags_given and rule.flags and rule.protocols and TCP not in rule.protocols:
            self.fail("flags only apply to tcp", rule.where)
        for protocol in protocols:
            if (rule.source_ports or rule.destination_ports) and protocol not in (TCP, UDP):
                self.fail("port only applies to tcp/udp", rule.where)
            if any(kind[0] != protocol for kind in rule.types):
                self.fail("icmp-type only applies to its own protocol", rule.where)
            if rule.types and None in families:
                self.fail("must indicate address family with icmp-type", rule.where)
            if any(family is not None and FAMILY_OF.get(protocol, family) != family for family in families):
                self.fail("the protocol does not match the address family", rule.where)
            if rule.how == "return-rst" and protocol != TCP:
                self.fail("return-rst can only be applied to TCP rules", rule.where)
        if rule.allow_opts and rule.action != "pass":
            self.fail("allow-opts can only be specified for pass rules", rule.where)
        if rule.state and rule.action != "pass":
            self.fail("states only with pass rules", rule.where)
        if rule.fragment and (rule.source_ports or rule.destination_ports or rule.types or rule.flags):
            self.fail("fragments can be filtered only on IP header fields", rule.where)

    def consistent_redirects(self, rule):
        if rule.action != "match" and not rule.state:
            self.fail("nat-to and rdr-to require keep state", rule.where)
        if rule.direction is None:
            self.fail("nat-to and rdr-to require a direction", rule.where)
        if rule.direction == ("in" if rule.nat else "out") or (rule.nat and rule.rdr):
            self.fail("nat-to of what comes in and rdr-to of what goes out are not modelled", rule.where)
        self.consistent_redirect(rule)

    def consistent_redirect(self, rule):
        """What both dialects check. A rule without a family gets that of the address it leads to."""
        family = (rule.nat or rule.rdr).address.family
        if None not in (family, rule.family) and family != rule.family:
            self.fail("no translation address with matching address family", rule.where)
        rule.family = rule.family or family
        for protocol in rule.protocols or (None,):
            ports = rule.source_ports or rule.destination_ports or (rule.rdr and rule.rdr.port)
            if ports and protocol not in (TCP, UDP):
                self.fail("port only applies to tcp/udp", rule.where)

    @staticmethod
    def families(rule):
        """The families of the single rules that the lists make; None: of either. Empty: they make none."""

        def of(addresses):
            return {address.family for address in addresses} or {None}

        found = set()
        for source in of(rule.source):
            for destination in of(rule.destination):
                given = {family for family in (rule.family, source, destination) if family is not None}
                if len(given) <= 1:
                    found |= given or {None}
        return found

    # ---- FreeBSD's translation ----

    def translation(self):
        where = self.token.where
        negative = bool(self.accept("no"))
        if self.at("scrub", "binat"):
            self.fail(f"'{self.token.text}' is not modelled here")
        action = self.expect(*DIRECTIONS).text
        rule = Rule(where, action, direction=DIRECTIONS[action], negative=negative)
        rule.passes = bool(self.accept("pass"))
        if rule.passes and negative:
            self.fail("'pass' is not valid with 'no'", where)
        self.log_quick(rule)
        if rule.quick:
            self.fail("translation rules are not 'quick'", where)
        self.criteria(rule)
        self.translation_tags(rule)
        self.translation_target(rule)
        self.consistent_translation(rule)
        self.ruleset.translations.append(rule)

    def translation_tags(self, rule):
        if self.accept("tag"):
            rule.tag = self.tag()
        if self.at("tagged", "!"):
            negated = bool(self.accept("!"))
            self.expect("tagged")
            rule.tagged = (self.tag(), negated)

    def translation_target(self, rule):
        arrow = self.accept("->")
        if rule.negative:
            if arrow is not None:
                self.fail("a rule with 'no' does not need '->'", rule.where)
        elif arrow is None:
            self.fail("translation rule requires '-> address'", rule.where)
        elif rule.action == "nat":
            rule.nat = self.nat_redirect()
        else:
            rule.rdr = self.rdr_redirect(rule)

    def consistent_translation(self, rule):
        if rule.family is None and len({one.family for one in rule.source + rule.destination} - {None}) > 1:
            self.fail("addresses of both families in a translation rule are not modelled", rule.where)
        if rule.negative:
            self.consistent(rule)
        else:
            self.consistent_redirect(rule)
        if not self.families(rule):
            self.fail("rule expands to no valid combination", rule.where)
        if rule.action == "rdr" and any(operator not in "=:" for operator, _, _ in rule.destination_ports):
            self.fail("invalid port operator for rdr destination port", rule.where)

    def translation_anchor(self):
        """A place for the translations of others. As there is no binat here, a binat-anchor holds nothing."""
        token = self.advance()
        rule = Rule(token.where, "anchor", name=self.anchor_name())
        if rule.name is None:
            self.unexpected("an anchor's name")
        self.criteria(rule)
        self.consistent(rule)
        kind = token.text.removesuffix("-anchor")
        if kind == "binat":
            if rule.source or rule.destination:
                self.fail("fromto parameter not supported in binat-anchor", rule.where)
            return
        if kind == "rdr":
            self.consistent_rdr_anchor(rule)
        rule.direction = DIRECTIONS[kind]
        self.ruleset.translations.append(rule)

    def consistent_rdr_anchor(self, rule):
        if rule.source_ports:
            self.fail("source port parameter not supported in rdr-anchor", rule.where)
        if len(rule.destination_ports) > 1:
            self.fail("destination port list expansion not supported in rdr-anchor", rule.where)
        if any(operator != "=" for operator, _, _ in rule.destination_ports):
            self.fail("destination port operators not supported in rdr-anchor", rule.where)
