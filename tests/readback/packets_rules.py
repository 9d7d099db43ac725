# SPDX-License-Identifier: GPL-2.0-or-later
"""Rule sets by hand, the packets that their marks speak of, and which packets there cannot be."""

import ipaddress
import re
from dataclasses import dataclass, replace

import packets_frames as frames

OTHER_IN, OTHER_OUT = "q0", "q1"  # interfaces that no rule set names
HOOKS = ("input", "forward", "output")
STATES = ("new", "established", "related", "invalid", "untracked")
NAMES = {number: name for name, number in frames.PROTOCOLS.items()}
ORIGINAL = {4: "198.19.0.1", 6: "2001:2:ffff::1"}  # where to what was translated was sent, if no one asks
EXTENSIONS = {0, 43, 44, 51, 59, 60, 135, 139, 140}  # no protocols, but headers of IPv6


@dataclass(frozen=True)
class Probe:
    """A packet to try: as it comes to the machine, or as the machine sends it.

    original: where it was addressed to before something else than these rules translated it.
    """

    hook: str
    protocol: int
    source: str
    destination: str
    interface_in: str = ""
    interface_out: str = ""
    sport: int = -1  # any; of ICMP the type
    port: int = 0  # of ICMP the code
    flags: int = frames.SYN
    hops: int = frames.PLAIN_HOPS
    state: str = "new"
    original: str = ""

    @property
    def family(self):
        return 6 if ":" in self.source else 4

    def ways(self, ask_as, hook):
        """Its interfaces in words."""
        from_here = hook == "output" or (hook == "behind" and self.hook == "output")
        if self.interface_in and not from_here:
            yield f"in {ask_as(self.interface_in)}"
        if self.interface_out and hook in ("output", "forward", "behind"):
            yield f"out {ask_as(self.interface_out)}"

    def header(self):
        """What comes behind its addresses, in words."""
        if self.protocol in frames.ICMPS:
            yield f"type {self.sport} code {self.port}"
        elif self.protocol in frames.WITH_PORTS:
            yield f"sport {self.sport} port {self.port}"
        if self.protocol == frames.TCP:
            yield f"flags {self.flags}"
        if self.family == 6:
            yield f"hops {self.hops}"

    def words(self, ask_as, hook=None):
        """As a question; `ask_as` gives interfaces the names by which rules know them."""
        hook = hook or self.hook
        said = [hook, NAMES.get(self.protocol, str(self.protocol)), *self.ways(ask_as, hook)]
        said += ["from", self.source, "to", self.destination, *self.header(), "state", self.state]
        said += ["translated 1"] if self.original else []
        said += ["original", self.original] if self.original and hook == "behind" else []
        return " ".join(said)


class Case:
    """A file with rules: `kind` is "nft" or "iptables"."""

    def __init__(self, path):
        self.path = path
        self.name = f"{path.parent.name}/{path.name}"
        self.kind = "nft" if path.suffix == ".nft" else "iptables"
        self.family = {".v4": 4, ".v6": 6}.get(path.suffix)
        self.sets = [path.with_suffix(".sets")] if path.with_suffix(".sets").exists() else []
        self.text = path.read_text(encoding="utf-8")
        texts = [self.text, *(sets.read_text(encoding="utf-8") for sets in self.sets)]
        self.rules = re.sub(r"(?m)^#.*$", "", "".join(texts))

    def marked(self, mark):
        return [line[len(mark) + 1 :] for line in self.text.splitlines() if line.startswith(mark + " ")]

    def claims(self):
        """(a packet in words, what a person says becomes of it, a part of the rule's name) of each mark."""
        for line in self.marked("#?"):
            if self.kind == "nft":
                words, _, rest = line.partition(" = ")
                verdict, _, rule = rest.partition(" @ ")
            else:
                verdict, _, words = line.partition(": ")
                rule = ""
            yield words, verdict, rule

    def interfaces(self):
        """The names in it as they are asked for: a star at the end stands for whatever follows."""
        if self.kind == "iptables":
            found = re.findall(r"(?:-[io]|--(?:in|out)-interface)[ =]([\w.-]+\+?)", self.rules)
            return {name.replace("+", "*") for name in found}
        there = set(" ".join(self.marked("#i")).split())
        there.update(name for words, _, _ in self.claims() for name in re.findall(r" (?:in|out) (\S+)", words))
        return {name for name in there if re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w.-])", self.rules)}

    def translates(self):
        """Whether packets may be translated, by its rules or for its marks."""
        return any(part in self.text for part in ("type nat", "*nat", " translated 1"))

    def translates_own(self):
        """Whether it may translate what the machine itself sends."""
        if self.kind == "nft":
            return "type nat hook output" in self.rules
        tables = re.findall(r"(?ms)^\*nat$(.*?)^COMMIT$", self.rules)
        return any(re.search(r"(?m)^-[AI] OUTPUT ", table) for table in tables)

    def copies(self):
        """Whether it may send packets elsewhere, too."""
        return re.search(r"-j TEE\b|\bdup to\b", self.rules) is not None


def real(name, other):
    """An interface for a name in words."""
    return other if name in ("", "other") else name.replace("*", "77")


def asked_as(names):
    """A function from an interface to the name by which a rule set with these names knows it."""

    def name_of(interface):
        starred = [name for name in names if name.endswith("*") and interface.startswith(name[:-1])]
        return interface if interface in names or interface == "lo" else max(starred, key=len, default="other")

    return name_of


# ---- the packets of marks ----


def parse(words):
    """The probe that a mark speaks of. What is asked of translation is tried with whatever packet meets it."""
    first, protocol, *rest = words.split()
    said = dict(zip(rest[::2], rest[1::2], strict=True))
    number = frames.PROTOCOLS.get(protocol) or int(protocol)
    hook = {"before": "input", "behind": "forward"}.get(first, first)
    sport, port = ("type", "code") if number in frames.ICMPS else ("sport", "port")
    probe = Probe(
        hook=hook,
        protocol=number,
        source=said["from"],
        destination=said["to"],
        interface_in="" if hook == "output" else real(said.get("in", ""), OTHER_IN),
        interface_out="" if hook == "input" else real(said.get("out", ""), OTHER_OUT),
        sport=int(said.get(sport, -1)),
        port=int(said.get(port, 0)),
        flags=int(said.get("flags", frames.SYN)),
        hops=int(said.get("hops", frames.PLAIN_HOPS)),
        state=said.get("state", "new"),
    )
    translated = said.get("translated") == "1" or "original" in said
    return replace(probe, original=said.get("original", ORIGINAL[probe.family])) if translated else probe


def of_marks(case):
    probes = []
    for words, _, _ in case.claims():
        probe = parse(words)
        probes.append(probe)
        if words.startswith("behind") and " in " not in words and not probe.original:
            probes.append(replace(probe, hook="output", interface_in=""))
    return probes


# ---- packets that cannot be ----


def is_multicast(address):
    return ipaddress.ip_address(address).is_multicast


def is_group(address):
    return is_multicast(address) or address == "255.255.255.255"


def ends(probe):
    """(addresses of the machine itself, those of others)"""
    both = {probe.source, probe.destination}
    if "lo" in (probe.interface_in, probe.interface_out):
        return both, set()
    if probe.hook == "forward":
        return set(), both
    own = probe.destination if probe.hook == "input" else probe.source
    return {own}, both - {own}


def impossible_source(probe):
    if is_group(probe.source):
        return "no address to send from"
    if probe.source == "0.0.0.0" and probe.destination == "255.255.255.255" and probe.hook == "input":
        return None  # who has no address yet
    return "no address to send from" if is_nothing(probe.source) else None


def is_nothing(address):
    return address == "::" or address.startswith("0.")


def impossible_destination(probe):
    if is_nothing(probe.destination) or probe.destination == "127.255.255.255":
        return "no address to send to"
    if is_multicast(probe.destination) and probe.interface_in == "lo":
        return "a group, by the loopback"
    packed = ipaddress.ip_address(probe.destination).packed
    if probe.family == 6 and is_multicast(probe.destination) and packed[1] & 15 in (0, 1):
        return "a group that does not leave its host"
    return None


def not_forwarded(probe):
    """Routers hand on neither what is for a link nor what is for everybody."""
    both = [ipaddress.ip_address(one) for one in (probe.source, probe.destination)]
    for_a_link = any(one.is_link_local for one in both) and probe.family == 6
    if for_a_link or any(one.is_loopback for one in both) or is_group(probe.destination):
        return "not handed on"
    return None


def impossible_way(probe):
    lo = "lo" in (probe.interface_in, probe.interface_out)
    if lo and probe.hook == "forward":
        return "the loopback is no way to elsewhere"
    if not lo and "::1" in (probe.source, probe.destination):
        return "the loopback's address elsewhere"
    if not lo and probe.source == probe.destination:
        return "from an address to itself"
    if probe.interface_in == "lo" and probe.original:
        return "what comes by the loopback was translated before it left, or never"
    if probe.interface_out == "lo" and probe.family == 6 and probe.destination != "::1":
        return "no route"
    return None


def hindrance(probe):
    """Why no such packet can come by, or None."""
    if (":" in probe.source) != (":" in probe.destination):
        return "two families"
    if probe.family == 6 and probe.protocol in EXTENSIONS:
        return "a header of IPv6"
    found = impossible_source(probe) or impossible_destination(probe) or impossible_way(probe)
    return found or (not_forwarded(probe) if probe.hook == "forward" else None)
