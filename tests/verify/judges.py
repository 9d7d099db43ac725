# SPDX-License-Identifier: GPL-2.0-or-later
"""Who says, apart from flowfw, whether two rule sets do the same to a packet; and which packets to ask about."""

import random
import re

import iptables_rules
import nft_rules
import packets
import pf_rules
from iptables_mutants import IptablesDocument
from mutants import RULES, SETS
from nft_mutants import NftDocument
from packets import OTHER, Rule, Sampler, one_of
from pf_mutants import PfDocument

PROBES = 20  # for each rule that is another
POLICY_PROBES, EACH = 40, 2  # in any case; and of each rule, should none of these show a difference
HOOKS = ("input", "output", "forward")
LEAVING = ("forward", "output")


class Judge:
    """Of one rule set and its mutants; `variant` is one of VARIANTS."""

    def __init__(self, variant, texts, interfaces):
        self.variant, self.texts, self.interfaces = variant, texts, interfaces
        self.document = variant.document(texts)
        self.original = variant.machine(texts, interfaces)

    def mutated(self, mutant):
        """The mutant's machine; None where it is no rule set any more."""
        try:
            return self.variant.machine(mutant.texts, self.interfaces)
        except pf_rules.Invalid:
            return None

    def differs(self, mutated, one):
        """Whether a packet meets another fate. Raises pf_rules.Unclear."""
        return self.original.outcome(one) != mutated.outcome(one)

    def completed(self, one):
        """A packet with each destination that it may have had before it was translated."""
        return [{**one, "original": original} for original in self.original.originals()] if one["dnat"] else [one]

    def witness(self, mutant, mutated, seed):
        """A packet that the mutant treats in another way, or None where none was found."""
        chance = random.Random(seed)
        images = self.original.images()
        for one in self.probes(mutant, mutated, Sampler(chance, self.interfaces)):
            if one["dnat"]:  # only what some rule translates to
                fitting = [image for image in images if image["destination"] >> 128 == one["family"]]
                one |= chance.choice(fitting) if fitting else {"dnat": 0}
                one["flags"] = 2 if one["protocol"] == packets.TCP else 0
            try:
                if self.differs(mutated, one):
                    return one
            except pf_rules.Unclear:
                continue
        return None

    def probes(self, mutant, mutated, sampler):
        """Packets of what is another; then of everything."""
        for rule, hooks in self.rules_of(mutant, mutated):
            yield from sampler.near(rule, hooks, PROBES)
        yield from sampler.near(Rule(0, [one_of("family", self.variant.families)]), HOOKS, POLICY_PROBES)
        for rule, hooks in self.variant.rules_at(self.original, range(len(self.document.lines) + 1)):
            yield from sampler.near(rule, hooks, EACH)

    def rules_of(self, mutant, mutated):
        """(rule, hooks that see its packets) of what is another in the mutant."""
        for machine, lines, texts in ((self.original, mutant.before, self.texts), (mutated, mutant.after, mutant.texts)):
            wanted = set(lines)
            if mutant.names:
                listed = enumerate(texts[RULES].splitlines(), 1)
                wanted |= {at for at, text in listed if any(name in text for name in mutant.names)}
            yield from self.variant.rules_at(machine, wanted)


# ---- rule sets of each kind ----


class Variant:
    """A form that gen has; what verify has to be told of it."""

    families = (4, 6)

    def __init__(self, name, suffix, gen=(), verify=None):
        self.name, self.suffix = name, suffix
        self.gen, self.options = gen, gen if verify is None else verify

    def lines(self, machine, one):
        """Of the rules that decide a packet, or that may be said to."""
        return {machine.decider(one)}

    def rules_at(self, machine, lines):
        """(rule, hooks), each rule by each way that leads to it."""
        for name, chain in machine.chains.items():
            rules = [rule for rule in chain.rules if rule.line in lines and rule.line]
            for base, matches in machine.paths(name) if rules else ():
                for rule in rules:
                    yield Rule(rule.line, [*matches, *rule.matches], hints=rule.hints), hooks_of(base)


def hooks_of(base):
    """By which a base chain's packets are asked about."""
    return {"prerouting": ("input",), "postrouting": LEAVING}.get(base.hook, (base.hook,))


class Nft(Variant):
    def document(self, texts):
        return NftDocument(texts[RULES])

    def machine(self, texts, interfaces):
        return nft_rules.parse(texts[RULES])


class Iptables(Variant):
    def __init__(self, name, suffix, family, sets=False):
        backend = "iptables" if family == 4 else "ip6tables"
        more = ("-O", "ipset") if sets else ()
        super().__init__(name, suffix, ("-b", backend, *more), ("-b", backend, *more))
        self.families, self.sets = (family,), sets

    def document(self, texts):
        return IptablesDocument(self.families[0], texts[RULES], texts.get(SETS))

    def machine(self, texts, interfaces):
        return iptables_rules.parse(texts[RULES], self.families[0], texts.get(SETS, ""))


class Pf(Variant):
    def __init__(self, name, dialect):
        super().__init__(name, ".conf", ("-b", "pf", "-O", f"dialect={dialect}"))
        self.dialect = dialect

    def document(self, texts):
        return PfDocument(texts[RULES])

    def machine(self, texts, interfaces):
        return pf_rules.Machine(texts[RULES], self.dialect, interfaces)

    def lines(self, machine, one):
        return machine.lines(one)

    def rules_at(self, machine, lines):
        for line in lines:
            for rule in machine.at_line(line):
                yield rule, rule.hooks


VARIANTS = (
    Nft("nftables", ".nft", ("-b", "nftables")),
    Iptables("iptables", ".v4", 4),
    Iptables("ip6tables", ".v6", 6),
    Iptables("iptables, ipset", ".v4", 4, sets=True),
    Iptables("ip6tables, ipset", ".v6", 6, sets=True),
    Pf("pf, OpenBSD", "openbsd"),
    Pf("pf, FreeBSD", "freebsd"),
)


# ---- what flowfw prints ----


SAID = re.compile(r" (state|flags|hop-limit) (\w+)")


def from_json(said, words):
    """The packet of --json; what it leaves out is in the words of its witness."""
    more = dict(SAID.findall(words))
    protocol, hook = said["protocol"], said["hook"]
    ported = protocol in packets.PORTED
    icmp = protocol in (packets.ICMP, packets.ICMP6)
    source = packets.number(said["source"])
    return packets.packet(
        hook=hook,
        iif=said.get("in-interface") or OTHER if hook != "output" else "",
        oif=said.get("out-interface") or OTHER if hook != "input" else "",
        protocol=protocol,
        source=source,
        destination=packets.number(said["destination"]),
        sport=said.get("source-port", 0) if ported else 0,
        dport=said.get("port", 0) if ported else 0,
        type=said.get("icmp-type", 0) if icmp else 0,
        code=said.get("icmp-code", 0) if icmp else 0,
        flags=int(more.get("flags", 2)) if protocol == packets.TCP else 0,
        hop=int(more.get("hop-limit", 64)) if source >> 128 == 6 else 0,
        state=more.get("state", "new"),
        dnat=int(words.endswith(" translated")),
    )


def from_meaning(one):
    """A packet of tests/lib/meaning.py."""
    return packets.packet(
        hook=one.hook,
        iif=one.interface if one.hook != "output" else "",
        oif={"output": one.interface, "forward": one.exit}.get(one.hook, ""),
        protocol=one.protocol,
        source=packets.number(one.source),
        destination=packets.number(one.destination),
        sport=one.source_port,
        dport=one.port,
        type=one.type,
        code=one.code,
        flags=2 if one.protocol == packets.TCP else 0,
        hop=one.hop_limit if one.family == 6 else 0,
    )
