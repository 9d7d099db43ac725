# SPDX-License-Identifier: GPL-2.0-or-later
"""flowfw verify: rule sets with the faults that generators and people make, and their like without one.

Each file of faults/ that is no profile is a rule set, for the backend that the end of its name says. Its comments say
what was worked out by hand:

    #p FILE          the profile, where that is not the rule set's name with .yaml
    #o OPTIONS       for flowfw
    #= VERDICT       the verdict's first words; `refused`: nft does not load it
    #+ PACKET        in a row of what is newly allowed; then `@ TEXT`, a part of the name of the rule that decides it,
                     or `@ {TEXT}`, a part of that rule itself, whose line then must be named
    #- PACKET        the same for what is newly denied
    #~ PACKET        the same for other limits
    #: PACKET        in none of these rows
    #d TEXT          a part of a row about translation
    #! TEXT          a part of what is not understood, or of what nft said
"""

import ipaddress
import json
import os
import re
import shlex
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
import netns  # noqa: E402
import program  # noqa: E402
import tap  # noqa: E402
from program import DIFFERS, OK, SYSTEM, UNPROVEN, flowfw  # noqa: E402

FAULTS = HERE / "faults"
SUFFIXES = (".nft", ".v4", ".v6", ".conf")
STATUS = {"proven": OK, "different": DIFFERS, "unproven": UNPROVEN, "refused": SYSTEM}
ROWS = {"+": "newly-allowed", "-": "newly-denied", "~": "limits"}
PROTOCOLS = {"tcp": 6, "udp": 17, "icmp": 1, "icmpv6": 58, "igmp": 2}
SYN = 2


class Packet:
    """A packet in words: `input 80/tcp from 192.0.2.1 to 198.51.100.5 in eth0 state new sport 1024 flags 2 hops 64`, or
    with `icmp 3/4` for a port. `eth*` is an interface that nobody names with a name that begins so."""

    def __init__(self, text):
        words = text.split()
        self.hook = words.pop(0)
        port, _, protocol = words.pop(0).rpartition("/")
        if protocol in ("icmp", "icmpv6"):
            first, _, second = words.pop(0).partition("/")
        else:
            first, second = 49152, port
        self.protocol = PROTOCOLS[protocol]
        options = dict(zip(words[::2], words[1::2], strict=True))
        self.source, self.destination = (ipaddress.ip_address(options.pop(key)) for key in ("from", "to"))
        self.family = f"IPv{self.source.version}"
        self.state = options.pop("state", "new")
        self.source_port, self.port = int(options.pop("sport", first)), int(second or 0)
        self.flags = int(options.pop("flags", SYN if self.protocol == PROTOCOLS["tcp"] else 0))
        self.hops = int(options.pop("hops", 64 if self.source.version == 6 else 0))
        self.interfaces = {"in-interfaces": options.pop("in", None), "out-interfaces": options.pop("out", None)}
        assert not options, options

    def is_in(self, box):
        """Whether it is one of the packets of a box, as `flowfw verify --json` has them."""
        numbers = {"protocols": self.protocol, "source-ports": self.source_port, "ports": self.port,
                   "flags": self.flags, "hop-limits": self.hops, "translated": 0}  # fmt: skip
        ends = {"sources": self.source, "destinations": self.destination}
        return (
            box.get("family", self.family) == self.family
            and all(among(number, box[key]) for key, number in numbers.items() if key in box)
            and all(addressed(end, box[key]) for key, end in ends.items() if key in box)
            and all(name in box[key] for key, name in self.interfaces.items() if key in box)
            and self.state in box.get("states", [self.state])
        )


def among(number, intervals):
    for text in intervals:
        low, _, high = text.partition("-")
        if int(low) <= number <= int(high or low):
            return True
    return False


def addressed(address, ranges):
    for text in ranges:
        low, _, high = text.partition("-")
        network = ipaddress.ip_network(low, strict=False)
        last = ipaddress.ip_address(high) if high else network.broadcast_address
        if address.version == network.version and network.network_address <= address <= last:
            return True
    return False


class Fault:
    def __init__(self, path):
        self.path = path
        self.text = path.read_text(encoding="utf-8")
        self.profile = self.marked("p", path.with_suffix(".yaml").name)[0]
        (self.verdict,) = self.marked("=")

    def marked(self, mark, *otherwise):
        """What the comments with a mark say."""
        found = re.findall(rf"^#{re.escape(mark)} (.*)$", self.text, re.M)
        return found or list(otherwise)

    def verify(self, *more):
        words = shlex.split(" ".join(self.marked("o")))
        # Rows by the thousand, so that none is left out.
        return flowfw("verify", "-q", "--limit", "1000", *words, *more, self.profile, self.path.name, cwd=FAULTS)

    def line_of(self, part):
        """FILE:LINE of the only rule with that part."""
        found = [
            number for number, line in enumerate(self.text.splitlines(), 1) if part in line and not line.startswith("#")
        ]
        assert found, f"no rule has {part!r}"
        return f"{self.path.name}:{found[0]}"

    def check(self):
        process = self.verify()
        said = process.stdout + process.stderr
        tap.equal(process.returncode, STATUS[self.verdict.split()[0]], f"exit status\n{said}\n")
        if self.verdict == "refused":
            self.check_words(process.stderr)
            return
        first = process.stdout.splitlines()[0]
        if not first.startswith(f"{self.path.name}: {self.verdict}"):
            raise AssertionError(f"the verdict is {first!r}, not {self.verdict!r}")
        self.check_words(process.stdout)
        self.check_rows(json.loads(self.verify("--json").stdout), process.stdout)

    def check_words(self, said):
        for text in self.marked("!") + self.marked("d"):
            if text not in said:
                raise AssertionError(f"nothing is said of {text!r}:\n{said}")

    def check_rows(self, answer, said):
        tap.equal(answer["verdict"], self.verdict.split()[0], "verdict of --json")
        for mark, key in ROWS.items():
            for text in self.marked(mark):
                words, _, rule = text.partition(" @ ")
                rows = rows_with(Packet(words), answer[key])
                if not rows:
                    raise AssertionError(f"not {key}: {words}\n{said}")
                if rule:
                    self.check_rule(rule, rows, words)
        for text in self.marked(":"):
            for key in ROWS.values():
                if rows_with(Packet(text), answer[key]):
                    raise AssertionError(f"{key}: {text}\n{said}")

    def check_rule(self, rule, rows, words):
        part = self.line_of(rule[1:-1]) if rule.startswith("{") else rule
        named = [str(row.get("rule-after")) for row in rows]
        if not any(part in name for name in named):
            raise AssertionError(f"{words}: decided by {named}, not by {part}")


def rows_with(packet, rows):
    return [row for row in rows if row["hook"] == packet.hook and any(packet.is_in(box) for box in row["boxes"])]


def main():
    checks = tap.Tap()
    wanted = sys.argv[1:]
    try:
        netns.enter()
    except tap.Skip as skip:
        checks.skip("rule sets for nftables need a network namespace", skip)
        return checks.done()
    paths = [path for path in sorted(FAULTS.iterdir()) if path.suffix in SUFFIXES]
    faults = [Fault(path) for path in paths if not wanted or path.name in wanted]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for fault, future in [(fault, pool.submit(fault.check)) for fault in faults]:
            checks.run(f"{fault.path.name}: {fault.verdict}", future.result)
    return checks.done()


if __name__ == "__main__":
    sys.exit(main())
