# SPDX-License-Identifier: GPL-2.0-or-later
"""Test Anything Protocol for the tests that are Python: one line a check, details as comments.

A check is a function that raises when it fails. A tool or a right that is missing skips the checks that need it,
and fails them where FLOWFW_MUST_RUN=1 says that nothing may be missing.
"""

import os
import sys
import traceback

MUST_RUN = os.environ.get("FLOWFW_MUST_RUN") == "1"


class Skip(Exception):
    """What the check needs is not here."""


class Tap:
    def __init__(self):
        self.count = 0
        self.failed = 0

    def run(self, name, function, *arguments):
        """One check: passes when the function returns, fails when it raises. Returns what the function returned."""
        try:
            value = function(*arguments)
        except Skip as skip:
            self.skip(name, skip)
        except AssertionError as failure:
            self.result(False, name, str(failure) or "".join(traceback.format_exc()))
        except Exception:  # a defect of the test is a failure of the check, and the others go on
            self.result(False, name, traceback.format_exc())
        else:
            self.result(True, name)
            return value
        return None

    def result(self, passed, name, details=""):
        self.count += 1
        name = name.replace("#", r"\#").replace("\n", " ")
        lines = [f"{'ok' if passed else 'not ok'} {self.count} - {name}"]
        if not passed:
            self.failed += 1
            lines += ["# " + line for line in details.splitlines()]
        print("\n".join(lines), flush=True)

    def skip(self, name, reason):
        if MUST_RUN:
            self.result(False, name, f"must run, but {reason}")
            return
        self.count += 1
        print(f"ok {self.count} - {name} # SKIP {reason}", flush=True)

    def done(self):
        """The plan, and the exit status for it."""
        print(f"1..{self.count}", flush=True)
        return 1 if self.failed else 0


def equal(got, expected, what="text"):
    """Fails with the first lines that differ."""
    if got == expected:
        return
    if not (isinstance(got, str) and isinstance(expected, str)):
        raise AssertionError(f"{what}: got {got!r}, expected {expected!r}")
    import difflib

    lines = difflib.unified_diff(
        expected.splitlines(), got.splitlines(), f"expected {what}", f"got {what}", lineterm=""
    )
    text = list(lines)[:60] or [f"{what}: they differ in line ends or in the last line's end"]
    raise AssertionError("\n".join(text))


def main(checks):
    """Runs functions; the first line of each one's description is its name."""
    tap = Tap()
    wanted = sys.argv[1:]
    for check in checks:
        name = (check.__doc__ or check.__name__).strip().splitlines()[0]
        if not wanted or any(word in name for word in wanted):
            tap.run(name, check)
    return tap.done()
