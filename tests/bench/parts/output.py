# SPDX-License-Identifier: GPL-2.0-or-later
"""How long the rule sets are: bytes beside a file written by hand for the cameras alone, and numbers of rules."""

import re

import cameras
import program
from rounds import Table, at_most, mebibytes

COUNTS = (4, 1_000, 10_000, 100_000)
MOST = 1.1
FROM = 10_000  # cameras; with fewer, what is not about cameras is the most of it


def nft_rules(text):
    """The lines of chains that are rules."""
    chains = re.findall(r"^\tchain .*?^\t\}", text, re.M | re.S)
    return sum(bool(re.match(r"\t\t[^#\s]", line)) and "type filter hook" not in line
               for chain in chains for line in chain.splitlines())



def run(folder):
    path = folder / "site.yaml"
    nft = Table(f"output: nftables beside a file written by hand (target from {FROM:,} cameras: {MOST})", "cameras",
                "shape", "by hand", "ours", "ratio", "rules")
    others = []
    for shape in cameras.SHAPES:
        for count in COUNTS:
            path.write_text(cameras.site(count, shape), encoding="ascii")
            texts = {backend: program.compiled("gen", "-q", "-b", backend, "--profile", path)
                     for backend in ("nftables", "iptables", "pf")}
            ours, ideal = len(texts["nftables"]), len(cameras.nft(count, shape))
            ratio = at_most(ours / ideal, MOST) if count >= FROM else f"{ours / ideal:.2f}"
            nft.row(f"{count:,}", shape, f"{ideal:,}", f"{ours:,}", ratio, nft_rules(texts["nftables"]))
            others.append((f"{count:,}", shape, texts["iptables"], texts["pf"], cameras.iptables(count, shape)))
    table = Table("output: iptables and pf", "cameras", "shape", "iptables by hand", "iptables", "its rules",
                  "its chains", "pf", "its rules")
    for count, shape, iptables, pf, plain in others:
        table.row(count, shape, mebibytes(len(plain)), mebibytes(len(iptables)),
                  f"{len(re.findall('^-A ', iptables, re.M)):,}", f"{len(re.findall('^:', iptables, re.M)):,}",
                  mebibytes(len(pf)), f"{len(re.findall('^(?:pass|block|match) ', pf, re.M)):,}")
