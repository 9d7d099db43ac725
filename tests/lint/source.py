# SPDX-License-Identifier: GPL-2.0-or-later
"""What reviews would otherwise have to look for in every file: floors, licences, words, lengths, diagnostic ids."""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import program  # noqa: E402
import tap  # noqa: E402

# A module includes modules of lower floors only, and these by their one face.
FLOORS = {
    "base": 0,
    "diag": 1, "net": 1,
    "yaml": 2, "netlink": 2, "space": 2,
    "policy": 3,
    "nftables": 4, "meaning": 4, "readback": 4,
    "emit": 5, "profile": 5, "kernel": 5, "proof": 5,
    "cmd": 6,
}
LINES_MAX = 1000
SPDX = "SPDX-License-Identifier: GPL-2.0-or-later"
CODE = {".c", ".h", ".py", ".build"}
# Words of one machine or of the making of this tree; pieced together, so that they are not in this file.
WORDS = re.compile(
    "|".join(["/wor" + "k/", "/roo" + "t/", "clau" + "de", "share" + "d/", r"\bissue" + r" #?\d",
              r"(?<![&\w])#" + r"\d+\b(?!;)", "debian" + r"\.org", "ubuntu" + r"\.com", "registry" + r"\.npm",
              "DESIGN" + r"\.md", "STYLE" + r"\.md", "FLOW" + r"\.md",
              r"(?-i:\bTO" + "DO\\b)", r"(?-i:\bFIX" + "ME\\b)"]),
    re.IGNORECASE,
)
# A call that adds a diagnostic, up to the first text that looks like an id.
ADDED = re.compile(r'\bfw_(?:error|finding|warning|refusal|failure|failure_at|usage)\s*\(([^;]*?)"([a-z][a-z0-9-]*)"\s*,', re.S)


def files():
    """Every file of the tree that a person writes."""
    for top in sorted(program.SOURCE.iterdir()):
        if top.name in {".git", "LICENSE"} or top.name.startswith("build"):
            continue
        for path in [top] if top.is_file() else sorted(top.rglob("*")):
            relative = path.relative_to(program.SOURCE)
            generated = "__pycache__" in relative.parts or relative.suffix in {".pyc", ".swp"}
            if path.is_file() and not generated:
                yield relative


def text_of(relative):
    return (program.SOURCE / relative).read_text(encoding="utf-8", errors="replace")


def none(mistakes):
    if mistakes:
        raise AssertionError("\n".join(mistakes))


def floors():
    """a module includes lower floors only, by their one face"""
    mistakes = []
    for relative in files():
        if relative.parts[0] != "src" or relative.suffix not in {".c", ".h"}:
            continue
        module = relative.parts[1]
        for number, line in enumerate(text_of(relative).splitlines(), 1):
            found = re.match(r'\s*#\s*include\s*"([^"]+)"', line)
            if not found:
                continue
            other, _, header = found[1].partition("/")
            place = f"{relative}:{number}: {found[1]}"
            if other not in FLOORS:
                mistakes.append(f"{place}: not from src/")
            elif other != module and header != f"{other}.h":
                mistakes.append(f"{place}: private to {other}")
            elif other != module and FLOORS[other] >= FLOORS[module]:
                mistakes.append(f"{place}: floor {FLOORS[other]} is not below {module}'s {FLOORS[module]}")
    none(mistakes)


def modules_are_known():
    """every folder of src has its floor"""
    tap.equal(sorted(path.name for path in (program.SOURCE / "src").iterdir() if path.is_dir()), sorted(FLOORS))


def one_place_for_libraries():
    """libyaml, libmnl and libnftnl are each known to their own module alone"""
    owners = {"yaml.h": {"yaml"}, "libmnl/": {"netlink", "kernel", "readback"}, "libnftnl/": {"kernel"}}
    mistakes = []
    for relative in files():
        if relative.parts[0] == "src" and relative.suffix in {".c", ".h"}:
            for header in re.findall(r"#\s*include\s*<([^>]+)>", text_of(relative)):
                for library, modules in owners.items():
                    if header.startswith(library) and relative.parts[1] not in modules:
                        mistakes.append(f"{relative}: {header}")
    none(mistakes)


def licences():
    """every code file begins with its licence"""
    scripts = {Path("dev"), Path(".ci/run")}
    code = [relative for relative in files() if relative.suffix in CODE or relative in scripts]
    none([str(relative) for relative in code if SPDX not in "\n".join(text_of(relative).splitlines()[:2])])


def words():
    """no file speaks of machines, of people's work, or of things to do"""
    none([
        f"{relative}:{number}: {found[0]}"
        for relative in files()
        for number, line in enumerate(text_of(relative).splitlines(), 1)
        if (found := WORDS.search(line))
    ])


def lengths():
    """a file has one duty, and so not too many lines"""
    none([
        f"{relative}: {length} lines"
        for relative in files()
        if relative.suffix in {".c", ".h", ".py"} and (length := len(text_of(relative).splitlines())) > LINES_MAX
    ])


def white_space():
    """no blanks at the ends of lines, and one line end at the end of a file"""
    mistakes = []
    for relative in files():
        if "golden" in relative.parts:
            continue  # there bytes are the point
        text = text_of(relative)
        mistakes += [
            f"{relative}:{number}: blanks at the end"
            for number, line in enumerate(text.split("\n"), 1)
            if line != line.rstrip()
        ]
        if text and (not text.endswith("\n") or text.endswith("\n\n")):
            mistakes.append(f"{relative}: its end")
    none(mistakes)


def diagnostic_ids():
    """every diagnostic has a golden case, a test of the command line or a unit test"""
    ids = {
        found[2]: str(relative)
        for relative in files()
        if relative.parts[0] == "src" and relative.suffix == ".c"
        for found in ADDED.finditer(text_of(relative))
    }
    tested = set()
    for relative in files():
        if relative.parts[:2] in {("tests", "golden"), ("tests", "cli"), ("tests", "plugin")} and relative.name != "args":
            tested |= set(re.findall(r"\[([a-z][a-z0-9-]*)\]", text_of(relative)))
        elif relative.parts[:2] in {("tests", "unit"), ("tests", "kernel")}:  # what no profile can bring about
            tested |= set(re.findall(r'"([a-z][a-z0-9-]*)"', text_of(relative)))
    none([f"{name} ({path}) has no case" for name, path in sorted(ids.items()) if name not in tested])


def python_is_sound():
    """every Python file compiles"""
    for relative in files():
        if relative.suffix == ".py":
            compile(text_of(relative), str(relative), "exec")


CHECKS = [
    floors, modules_are_known, one_place_for_libraries, licences, words, lengths, white_space, diagnostic_ids,
    python_is_sound,
]

if __name__ == "__main__":
    sys.exit(tap.main(CHECKS))
