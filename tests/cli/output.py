# SPDX-License-Identifier: GPL-2.0-or-later
"""What flowfw gen writes for many cameras is hardly longer than what a person would write for them alone."""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import cameras  # noqa: E402
import program  # noqa: E402
import tap  # noqa: E402

FEW, MANY = 100, 10_000
MOST = 1.1  # of the bytes written by hand
CAMERAS_FOR_A_CHAIN = {"same": 13, "ports": 9}  # at least; what iptables-restore takes grows with chains
DECLARED_FROM = 1024  # elements; a set that is smaller grows fast enough


def nft(count, shape):
    return program.rule_set(cameras.site(count, shape))


def sets(text):
    """{name: (declared size or 0, elements, whether they are intervals)}"""
    found = {}
    for name, body in re.findall(r"^\tset (\S+) \{\n(.*?)^\t\}", text, re.M | re.S):
        size = re.search(r"^\t\tsize (\d+)$", body, re.M)
        elements = re.findall(r"^\t\t\t[^\s#]", body, re.M)
        found[name] = int(size[1]) if size else 0, len(elements), "flags interval" in body
    return found


def rules(text):
    """The lines of chains, without comments."""
    chains = re.findall(r"^\tchain .*?^\t\}", text, re.M | re.S)
    return [line for chain in chains for line in chain.splitlines() if re.match(r"\t\t[^#\s]", line)]


def is_short(shape):
    ours, by_hand = len(nft(MANY, shape)), len(cameras.nft(MANY, shape))
    print(f"# {ours:,} bytes, {by_hand:,} by hand")
    assert ours < MOST * by_hand, f"{ours:,} bytes, {by_hand:,} by hand"


def declares_sizes(shape):
    """So that the kernel makes room once; for what is added later, there is room too."""
    large = 0
    for name, (size, elements, interval) in sets(nft(MANY, shape)).items():
        needed = 2 * elements + 2 if interval else elements
        if elements >= DECLARED_FROM:
            large += 1
            assert needed <= size < 2 * needed and size & size - 1 == 0, f"{name}: {elements} elements, size {size}"
    tap.equal(large, {"same": 1, "ports": 2}[shape], "sets with many elements")


def has_the_same_rules(shape):
    few, many = (nft(count, shape) for count in (FEW, MANY))
    tap.equal("\n".join(rules(many)), "\n".join(rules(few)), f"rules for {MANY:,} cameras")
    tap.equal(sets(many).keys(), sets(few).keys(), "sets")


def has_few_chains(shape):
    text = program.rule_set(cameras.site(MANY, shape), "-b", "iptables")
    chains = len(re.findall(r"^:FLOWFW-", text, re.M))
    print(f"# {chains:,} chains")
    assert MANY > CAMERAS_FOR_A_CHAIN[shape] * chains, f"{chains:,} chains"


def main():
    checks = tap.Tap()
    for shape in cameras.SHAPES:
        name = f"nftables, {MANY:,} cameras ({shape})"
        checks.run(f"{name}: hardly more bytes than by hand", is_short, shape)
        checks.run(f"{name}: sets declare a power of two", declares_sizes, shape)
        checks.run(f"{name}: the rules are those of {FEW}", has_the_same_rules, shape)
        checks.run(f"iptables, {MANY:,} cameras ({shape}): few chains", has_few_chains, shape)
    return checks.done()


if __name__ == "__main__":
    sys.exit(main())
