# SPDX-License-Identifier: GPL-2.0-or-later
"""No two modules define a function or table of one name: the linker would take the first and say nothing."""

import subprocess
import sys
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import tap  # noqa: E402

LIBRARIES = sys.argv[1:]
del sys.argv[1:]  # the words that choose checks


def defined(library):
    """Names that other modules see."""
    lines = subprocess.run(["nm", "--extern-only", "--defined-only", "--no-sort", library],
                           stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    return {fields[2] for fields in map(str.split, lines) if len(fields) == 3}


def names_are_unique():
    """each name is defined by one module alone"""
    owners = defaultdict(list)
    for library in LIBRARIES:
        names = defined(library)
        tap.equal(len(names) > 0, True, f"{library} defines something")
        for name in names:
            owners[name].append(Path(library).stem)
    tap.equal({name: modules for name, modules in owners.items() if len(modules) > 1}, {})


def names_have_the_prefix():
    """each begins with fw_"""
    tap.equal([name for library in LIBRARIES for name in sorted(defined(library)) if not name.startswith("fw_")], [])


if __name__ == "__main__":
    sys.exit(tap.main([names_are_unique, names_have_the_prefix]))
