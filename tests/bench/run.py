# SPDX-License-Identifier: GPL-2.0-or-later
"""The benchmark: what flowfw and its output take, each figure beside one of the same run on the same machine.

Prints tables in Markdown. (!) marks what misses its target.
"""

import datetime
import importlib
import platform
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import netns  # noqa: E402
import program  # noqa: E402
import tap  # noqa: E402

# Part: whether it needs network namespaces.
PARTS = {"gen": False, "output": False, "load": True, "packets": True, "fleet": False, "meaning": True}


def processor():
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{len(models)} × {models[0]}" if models else platform.machine()


def version(tool, *arguments):
    if not shutil.which(tool, path="/usr/sbin:/usr/bin:/sbin:/bin"):
        return f"no {tool}"
    return netns.run((tool, *arguments))[1].splitlines()[0].strip()


def head():
    print(f"{datetime.date.today()}; {processor()}; {platform.system()} {platform.release()}; "
          f"{program.flowfw('--version').stdout.strip()}; {version('nft', '--version')}; "
          f"{version('iptables', '--version')}; {version('ipset', '--version')}")
    print("Medians of runs that take turns; (!) misses its target.", flush=True)


def main():
    names = sys.argv[2:] or list(PARTS)
    unknown = [name for name in names if name not in PARTS]
    if len(sys.argv) < 2 or unknown:
        raise SystemExit(f"usage: run.py FOLDER-OF-TOOLS [{'|'.join(PARTS)}]…")
    head()
    may = None
    for name in PARTS:
        if name not in names:
            continue
        if PARTS[name] and may is None:
            may = may_make_namespaces()
        if PARTS[name] and not may:
            continue
        importlib.import_module(f"parts.{name}").run(program.scratch("flowfw-bench-"))
    return 0


def may_make_namespaces():
    """Says why not. A user namespace is not enough: its send buffer is too small for so many elements."""
    try:
        if netns.enter():
            return True
        print("\nLeft out without root: " + ", ".join(name for name in PARTS if PARTS[name]))
    except tap.Skip as skip:
        print(f"\nLeft out: {', '.join(name for name in PARTS if PARTS[name])}: {skip}")
    return False


if __name__ == "__main__":
    sys.exit(main())
