# SPDX-License-Identifier: GPL-2.0-or-later
"""Rule sets with one thing changed: `verify` notices each that means something else, and proves each that does not.

What flowfw wrote for a site is mutated. Evaluators that share nothing with flowfw tell, packet by packet, which mutants
mean something else; these must end as different, each packet that is printed must be one that fares in another way by
the evaluators, too, and the rule that is named must be the one that decides it. Others are equal by how they were made,
and must be proven. FLOWFW_SEED takes other mutants.
"""

import multiprocessing
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import judges  # noqa: E402
import netns  # noqa: E402
import tap  # noqa: E402
import trials  # noqa: E402

WORKERS = min(4, os.cpu_count() or 1)
SITES = (
    "profile-enterprise", "junction-17", "limits", "except", "own-ports", "kernel-5.6", "reject", "groups-overlap",
    "other-matches", "interfaces", "rtp", "logs", "counters", "client-devices", "gateway-hairpin", "gateway-two-sites",
    "gateway-v6-translated", "gateway-forward-service", "gateway-own-lists", "gateway-input-claimed",
)  # fmt: skip
SHOWN = 6
CHANGED_MIN = 170  # of each kind of rule set, should all be looked at


def fail(wrong):
    more = [f"and {len(wrong) - SHOWN} more"] if wrong[SHOWN:] else []
    if wrong:
        raise AssertionError("\n".join(wrong[:SHOWN] + more))


def report(checks, variant, results):
    """The checks of one form that gen has."""
    if not isinstance(variant, judges.Pf):
        checks.run(f"{variant.name}: the evaluator", fail, [one for misread, _, _ in results for one in misread])
    checks.run(f"{variant.name}: what flowfw wrote", fail, [one for _, unproven, _ in results for one in unproven])
    kinds = {}
    for _, _, mutants in results:
        for kind, equal, changed, wrong in mutants:
            kinds.setdefault((equal, kind), []).append((changed, wrong))
    total = 0
    for (equal, kind), ones in sorted(kinds.items()):
        changed = sum(known for known, _ in ones)
        said = f"{len(ones)} equal" if equal else f"{changed} changed of {len(ones)}"
        checks.run(f"{variant.name}: {kind} ({said})", fail, [wrong for _, wrong in ones if wrong])
        total += changed
    return total


def examine(index):
    return trials.examined(BASES[index])


BASES = []


def enough(total):
    assert total >= CHANGED_MIN, f"only {total} mutants that are known to be changed"


def main():
    checks = tap.Tap()
    wanted = sys.argv[1:]
    try:
        netns.enter()
    except tap.Skip as skip:
        checks.skip("mutants", skip)
        return checks.done()
    found = [trials.Base(variant, site) for variant in judges.VARIANTS for site in SITES]
    found = [base for base in found if not wanted or any(word in base.name for word in wanted)]
    BASES.extend(base for base in found if base.generate())
    with multiprocessing.get_context("fork").Pool(WORKERS) as pool:
        results = pool.map(examine, range(len(BASES)), chunksize=1)
    for variant in judges.VARIANTS:
        ones = [result for base, result in zip(BASES, results) if base.variant is variant]
        total = report(checks, variant, ones) if ones else 0
        if not wanted:
            checks.run(f"{variant.name}: {total} mutants that mean something else", enough, total)
    return checks.done()


if __name__ == "__main__":
    sys.exit(main())
