# SPDX-License-Identifier: GPL-2.0-or-later
"""Counts what meson's test runs found, every TAP check by itself: `N passed, N failed`, the last line.

A test that crashed, ran out of time or stopped before its plan counts as one more failure. Where FLOWFW_MUST_RUN=1,
a skipped check has failed.
"""

import argparse
import json
import os
import re
import sys

CHECK = re.compile(r"^(not )?ok\b([^#\n]*)(#\s*(skip|todo)\b.*)?", re.IGNORECASE)
GOOD = {"OK", "EXPECTEDFAIL"}


def count(entry):
    """(passed, failed, skipped) of one test program, and the names of what failed."""
    passed = skipped = 0
    failures = []
    if re.search(r"^1\.\.\d+", entry.get("stdout") or "", re.MULTILINE):
        for line in entry["stdout"].splitlines():
            found = CHECK.match(line)
            if not found:
                continue
            if (found.group(4) or "").lower() == "skip":
                skipped += 1
            elif found.group(1):
                failures.append(f"{entry['name']}: {found.group(2).strip(' -')}")
            else:
                passed += 1
        if passed + len(failures) + skipped == 0:
            skipped = 1
    elif entry["result"] == "SKIP":
        skipped = 1
    elif entry["result"] in GOOD:
        passed = 1
    if entry["result"] not in GOOD | {"SKIP"} and not failures:
        failures.append(f"{entry['name']}: {entry['result'].lower()}, exit status {entry.get('returncode')}")
    return passed, failures, skipped


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--status", type=int, default=0, help="the exit status of meson test")
    parser.add_argument("logs", nargs="+")
    options = parser.parse_args()

    passed, failures, skipped, entries = 0, [], 0, 0
    for log in options.logs:
        try:
            with open(log, encoding="utf-8") as lines:
                for line in lines:
                    entries += 1
                    more, broken, left_out = count(json.loads(line))
                    passed, skipped = passed + more, skipped + left_out
                    failures += broken
        except OSError as error:
            failures.append(f"{log}: {error.strerror}")
    if entries == 0:
        failures.append("no test ran")
    if options.status != 0 and not failures:
        failures.append(f"meson test: exit status {options.status}")
    if skipped and os.environ.get("FLOWFW_MUST_RUN") == "1":
        failures.append(f"{skipped} checks were skipped")
        failed, skipped = len(failures) - 1 + skipped, 0
    else:
        failed = len(failures)
    for failure in failures:
        print(f"failed: {failure}")
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed else 0


sys.exit(main())
