# SPDX-License-Identifier: GPL-2.0-or-later
"""The packets to try on a rule set: those of its marks, and more at the borders of what it names."""

import ipaddress
import random
import re
from dataclasses import replace

import packets_frames as frames
import packets_rules as rules

TRIES = 8  # for each packet that is wanted, as many are not to be had
PLAIN = {4: ("192.0.2.1", "192.0.2.2"), 6: ("2001:db8::1", "2001:db8::2")}
NUMBERS = (1, 9, 65535)
WELL_KNOWN = {"ssh": 22, "smtp": 25, "domain": 53, "http": 80, "https": 443}
PROTOCOLS = (frames.TCP, frames.UDP, frames.UDP, "icmp", "icmp", frames.SCTP, frames.ESP, frames.GRE, 112)
ICMP_OF = {4: frames.ICMP, 6: frames.ICMP6}
TYPES = {frames.ICMP: (0, 3, 5, 8, 8, 11, 13), frames.ICMP6: (1, 2, 3, 128, 128, 129, 133, 134, 135, 136)}
TYPE_NAMES = {  # ICMP's and ICMPv6's
    "echo-request": (8, 128), "echo-reply": (0, 129), "destination-unreachable": (3, 1), "time-exceeded": (11, 3),
    "parameter-problem": (12, 4), "packet-too-big": (3, 2), "redirect": (5, 137), "router-advert": (9, 134),
    "neighbor-solicit": (8, 135), "neighbour-solicit": (8, 135), "neighbor-advert": (0, 136),
}
CODES = (0, 0, 1, 3, 4)
FLAGS = (0, 1, 2, 3, 4, 16, 17, 18, 20, 24, 41, 63, 194)

ADDRESS = re.compile(r"(?<![\w.:])(\d+(?:\.\d+){3}|[0-9a-f]*:[0-9a-f:]*:[0-9a-f:]*)(?:/(\d+))?(?![\w.])")
NUMBER = re.compile(r"(?<![\w./])(\d+)(?![\w./])")
PROTOCOL = re.compile(r"(?<![\w-])(tcp|udp|icmpv6|ipv6-icmp|icmp|esp|gre|sctp|udplite|dccp)(?![\w-])")
# What stands behind words of a rule, in either language: one value, or some in braces.
ASKED = {
    what: re.compile(rf"(?<![\w-])(?:{words})[ =]+(?:!=? )?(\{{[^}}]*\}}|[^ \n]+)")
    for what, words in {
        "source": "saddr|-s|--source|--src|--src-range",
        "destination": "daddr|-d|--destination|--dst|--dst-range",
        "sport": "sport|--sports?|--source-ports?",
        "port": "dport|--dports?|--destination-ports?",
        "interface_in": "iif|iifname|-i|--in-interface",
        "interface_out": "oif|oifname|-o|--out-interface",
    }.items()
}


def rules_of(text):
    """(its hook, or nothing, a line that looks like a rule)"""
    hook = ""
    for line in text.splitlines():
        base, old = re.search(r"\bhook (\w+)", line), re.match(r"-[AI] (\w+)", line)
        if "chain " in line:
            hook = ""
        if base and base[1] in rules.HOOKS:
            hook = base[1]
        if old:
            hook = old[1].lower() if old[1].lower() in rules.HOOKS else ""
        if PROTOCOL.search(line) or any(one.search(line) for one in ASKED.values()):
            yield hook, line


def neighbours(number, last):
    return {one for one in (number - 1, number, number + 1) if 0 <= one <= last}


def border_addresses(text, more=None):
    """{family: addresses} at the borders of all that is named."""
    found = {4: set(), 6: set(), **{family: set(addresses) for family, addresses in (more or {}).items()}}
    for address, length in ADDRESS.findall(text):
        try:
            network = ipaddress.ip_network(f"{address}/{length}" if length else address, strict=False)
        except ValueError:
            continue
        kind = type(network.network_address)
        for end in (network.network_address, network.broadcast_address):
            found[network.version].update(str(kind(one)) for one in neighbours(int(end), 2**network.max_prefixlen - 1))
    return {family: sorted(addresses) for family, addresses in found.items()}


def border_numbers(text, more=()):
    plain = ADDRESS.sub(" ", re.sub(r"[:\[\],;{}=-]", " ", text))
    numbers = {int(one) for one in NUMBER.findall(plain) if len(one) < 6} | set(more)
    numbers |= {port for name, port in WELL_KNOWN.items() if re.search(rf"\b{name}\b", text)}
    return sorted({near for number in numbers if number <= 65535 for near in neighbours(number, 65535)})


class Generator:
    """Packets that differ a little from those of the marks, and from what single rules ask for."""

    def __init__(self, case, seed):
        self.random = random.Random(seed)
        self.made = 0
        self.family_of_case = case.family
        self.addresses, self.numbers = border_addresses(case.rules, PLAIN), border_numbers(case.rules, NUMBERS)
        self.interfaces = sorted({rules.real(name, "") for name in case.interfaces()} - {"lo", ""})
        self.marked = rules.of_marks(case)
        self.lines = list(rules_of(case.rules)) or [("", "")]
        self.hooks = [hook for hook in rules.HOOKS if re.search(rf"hook {hook}|-[AI] {hook.upper()}", case.rules)]
        self.hooks = self.hooks or list(rules.HOOKS)
        self.changes = [self.source, self.source, self.destination, self.port, self.port, self.sport, self.way_in,
                        self.way_out, self.protocol, self.flags, self.state, self.hook]
        self.changes += [] if case.family else [self.family]

    def one(self):
        self.made += 1
        if self.marked and self.made % 3 == 0:
            probe, changes = self.random.choice(self.marked), (1, 1, 2, 3)
        else:
            probe, changes = self.of_rule(*self.lines[self.made % len(self.lines)]), (0, 0, 1, 2)
        for change in self.random.sample(self.changes, self.random.choice(changes)):
            probe = change(probe)
        return probe

    # ---- a packet much as a rule asks for it ----

    def of_rule(self, hook, line):
        hook = hook or self.random.choice(self.hooks)
        asked = {what: found[1] for what, regex in ASKED.items() if (found := regex.search(line))}
        source, destination = self.ends_of_rule(asked)
        words = PROTOCOL.findall(line) or ["tcp", "udp"]
        ports = {what: border_numbers(asked.get(what, "")) for what in ("sport", "port")}
        probe = rules.Probe(
            hook,
            frames.PROTOCOLS[self.random.choice(words).replace("ipv6-icmp", "icmpv6")],
            source,
            destination,
            interface_in="" if hook == "output" else self.way_of_rule(asked.get("interface_in", ""), rules.OTHER_IN),
            interface_out="" if hook == "input" else self.way_of_rule(asked.get("interface_out", ""), rules.OTHER_OUT),
            **{what: self.random.choice(found) for what, found in ports.items() if found},
        )
        if probe.protocol in frames.ICMPS:
            named = [types[probe.protocol == frames.ICMP6] for name, types in TYPE_NAMES.items() if name in line]
            kind = self.random.choice((self.number(probe), *TYPES[probe.protocol], *named * 9))
            probe = replace(probe, sport=kind, port=self.random.choice((0, 0, self.number(probe))))
        return self.flags(probe) if "flags" in line or "syn" in line else probe

    def ends_of_rule(self, asked):
        named = [border_addresses(asked.get(what, "")) for what in ("source", "destination")]
        families = [family for family in (4, 6) if any(one[family] for one in named)]
        family = self.family_of_case or self.random.choice(families or (4, 4, 6))
        return [self.random.choice(one[family] or self.addresses[family]) for one in named]

    def way_of_rule(self, text, other):
        if re.search(r'(?<![\w-])"?lo"?(?![\w-])', text) and "!" not in text:
            return "lo"
        words = {rules.real(word.replace("+", "*"), "") for word in re.findall(r"[\w.+*-]+", text)}
        return self.random.choice([name for name in self.interfaces if name in words] or [*self.interfaces, other])

    # ---- changes ----

    def number(self, probe):
        return self.random.choice(self.numbers) % (256 if probe.protocol in frames.ICMPS else 65536)

    def source(self, probe):
        return replace(probe, source=self.random.choice(self.addresses[probe.family]))

    def destination(self, probe):
        return replace(probe, destination=self.random.choice(self.addresses[probe.family]), original="")

    def family(self, probe):
        family = 10 - probe.family
        protocol = ICMP_OF[family] if probe.protocol == ICMP_OF[probe.family] else probe.protocol
        source, destination = (self.random.choice(self.addresses[family]) for _ in range(2))
        changed = replace(probe, protocol=protocol, source=source, destination=destination)
        return replace(changed, hops=frames.PLAIN_HOPS, original="")

    def port(self, probe):
        return replace(probe, port=self.number(probe))

    def sport(self, probe):
        return replace(probe, sport=self.number(probe))

    def way_in(self, probe):
        ways = [*self.interfaces, rules.OTHER_IN] + (["lo"] if probe.hook == "input" else [])
        return probe if probe.hook == "output" else replace(probe, interface_in=self.random.choice(ways))

    def way_out(self, probe):
        ways = [*self.interfaces, rules.OTHER_OUT]
        return probe if probe.hook == "input" else replace(probe, interface_out=self.random.choice(ways))

    def protocol(self, probe):
        chosen = self.random.choice(PROTOCOLS)
        if chosen != "icmp":
            return replace(probe, protocol=chosen, sport=-1)
        icmp = ICMP_OF[probe.family]
        return replace(probe, protocol=icmp, sport=self.random.choice(TYPES[icmp]), port=self.random.choice(CODES))

    def flags(self, probe):
        return replace(probe, flags=self.random.choice(FLAGS))

    def state(self, probe):
        return replace(probe, state=self.random.choice(rules.STATES), original="")

    def hook(self, probe):
        hook = self.random.choice(rules.HOOKS)
        way_in = probe.interface_in or self.random.choice([*self.interfaces, rules.OTHER_IN])
        way_out = probe.interface_out or self.random.choice([*self.interfaces, rules.OTHER_OUT])
        return replace(
            probe,
            hook=hook,
            interface_in="" if hook == "output" else way_in,
            interface_out="" if hook == "input" else way_out,
            original="" if hook == "output" else probe.original,
        )


def connection(case, probe):
    """What no two probes may have in common, as the second would be of the first one's connection; or None."""
    has_ports = probe.protocol in (frames.TCP, frames.UDP)
    if probe.protocol in frames.ICMPS or (has_ports and probe.sport < 0):
        return None
    both = frozenset({probe.source, probe.original or probe.destination})
    if has_ports:
        return probe.protocol, both, frozenset({probe.sport, probe.port})
    # Others must not even meet behind translation, which may have nothing then to tell them apart by.
    return probe.protocol, None if case.translates() else both


class Selection:
    """Packets that can be sent side by side.

    Of those at one hook, none comes from an address that is the machine's own for another.
    """

    def __init__(self, case):
        self.case = case
        self.probes = {}  # in order
        self.connections = set()
        self.own = {hook: set() for hook in rules.HOOKS}
        self.others = {hook: set() for hook in rules.HOOKS}

    def offer(self, probe):
        known = connection(self.case, probe)
        if probe in self.probes or (known and known in self.connections) or rules.hindrance(probe):
            return
        own, others = ({one for one in part if not rules.is_group(one)} for part in rules.ends(probe))
        if own & self.others[probe.hook] or others & self.own[probe.hook]:
            return
        self.own[probe.hook] |= own
        self.others[probe.hook] |= others
        self.connections.add(known)
        self.probes[probe] = None


def probes_of(case, count, seed):
    """The packets of the marks, as far as they can be, and so many more."""
    generator, selection = Generator(case, f"{seed} {case.name}"), Selection(case)
    for probe in generator.marked:
        selection.offer(probe)
    wanted = len(selection.probes) + count
    for _ in range(count * TRIES):
        if len(selection.probes) < wanted:
            selection.offer(generator.one())
    return [probe for probe in selection.probes if probe.hook != "output" or not case.translates_own()]
