# SPDX-License-Identifier: GPL-2.0-or-later
"""The reader of iptables-save against rule sets that flowfw did not write, and against the real iptables.

    iptables.py ASK SAME [nft|legacy…]

Each file of iptables/ beside this one is a rule set whose verdicts were worked out by hand. Comments say them:

#? VERDICT: PACKET   what becomes of a packet, in the words of ASK
#! WHAT              the next line is not understood, and that is said of it; all others are

NAME.sets, where it is there, is what ipset has saved beside NAME.v4. Then each of them, and each golden output of the
iptables backends with its chains called, is loaded by the real iptables-restore of both variants: what iptables-save
prints of it has to mean the same.
"""

import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
import netns  # noqa: E402
import program  # noqa: E402
import tap  # noqa: E402

GOLDEN = HERE.parent / "golden"
HAND_WRITTEN_MIN = 20
HOOKS = {"filter": ("INPUT", "OUTPUT", "FORWARD"), "nat": ("PREROUTING", "POSTROUTING")}


class Case:
    def __init__(self, path, text=None):
        self.path = path
        self.name = f"{path.parent.name}/{path.name}"
        self.tool = "ip6tables" if path.suffix == ".v6" or path.name.startswith("ip6") else "iptables"
        self.family = "ipv6" if self.tool == "ip6tables" else "ipv4"
        self.sets = path.with_suffix(".sets") if path.with_suffix(".sets").exists() else None
        self.text = text or path.read_text(encoding="utf-8")

    def arguments(self, *files):
        return [self.family, *files, *([self.sets] if self.sets else [])]


def hand_written():
    return [Case(path) for path in sorted((HERE / "iptables").glob("*.v[46]"))]


def golden():
    """What flowfw makes, with its chains called."""
    for path in sorted(GOLDEN.glob("*/ip*tables*.out")):
        text = path.read_text(encoding="utf-8")
        for table, bases in HOOKS.items():
            calls = "".join(f"-A {base} -j FLOWFW-{base}\n" for base in bases if f":FLOWFW-{base} " in text)
            text = re.sub(rf"(?ms)^(\*{table}$.*?^)COMMIT$", lambda found: found[1] + calls + "COMMIT", text)  # noqa: B023
        yield Case(path, text)


def expected_unknowns(text):
    """{line number: what} of the lines that are not understood."""
    found, waiting = {}, None
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("#! "):
            waiting = line[3:]
        elif waiting and not line.startswith("#"):
            found[number], waiting = waiting, None
    return found


def check_answers(ask, case):
    """Every question of a rule set is answered as a person would, and every unknown said."""
    questions = [line[3:].split(": ", 1) for line in case.text.splitlines() if line.startswith("#? ")]
    status, output, errors = netns.run(
        (ask, *case.arguments(case.path)), "".join(packet + "\n" for _, packet in questions)
    )
    assert status == 0 and not errors, f"exit {status}\n{errors}"
    lines = output.splitlines()
    answers = [line.split("\t")[0] for line in lines if line[:2] not in ("? ", "# ")]
    told = [re.fullmatch(r"\? .*:(\d+): (.*)", line) for line in lines if line.startswith("? ")]
    tap.equal({int(one[1]): one[2] for one in told}, expected_unknowns(case.text), "unknowns")
    assert questions, "it asks nothing"
    wrong = [
        f"{packet}: {got}, expected {verdict}"
        for (verdict, packet), got in zip(questions, answers, strict=True)
        if got != verdict
    ]
    assert not wrong, "\n".join(wrong)


def check_saved(host, variant, same, case, folder):
    """The real iptables-save prints what means the same."""
    for table in ("raw", "mangle", "nat", "filter", "security"):
        for command in ("-F", "-X"):
            host.run(f"{case.tool}-{variant}", "-t", table, command, check=False)
    if case.sets:
        host.run("ipset", "destroy", check=False)
        host.run("ipset", "restore", "-exist", "-file", case.sets)
    host.run(f"{case.tool}-{variant}-restore", text=case.text)
    loaded, saved = folder / "loaded", folder / "saved"
    loaded.write_text(case.text, encoding="utf-8")
    saved.write_text(host.run(f"{case.tool}-{variant}-save")[1], encoding="utf-8")
    status, output, errors = netns.run((same, *case.arguments(loaded, saved)), check=False)
    assert status == 0, output + errors
    if case.sets:
        sets = folder / "sets"
        sets.write_text(host.run("ipset", "save")[1], encoding="utf-8")
        status, output, errors = netns.run((same, case.family, loaded, loaded, case.sets, sets), check=False)
        assert status == 0, output + errors


def check_variants(checks, variants, same, cases):
    root = netns.enter()
    if not root:
        raise tap.Skip("the modules that rules need are root's to load")
    folder = program.scratch()
    for variant in variants:
        for case in cases:
            host = netns.Host(variant)
            checks.run(f"{case.name}, saved by {variant}", check_saved, host, variant, same, case, folder)
            host.stop()


def main():
    if len(sys.argv) < 3:
        raise SystemExit("usage: iptables.py ASK SAME [nft|legacy…]")
    ask, same, variants = sys.argv[1], sys.argv[2], sys.argv[3:] or ["nft", "legacy"]
    checks = tap.Tap()
    cases = hand_written()
    checks.result(len(cases) >= HAND_WRITTEN_MIN, f"{len(cases)} rule sets that flowfw did not write")
    for case in cases:
        checks.run(case.name, check_answers, ask, case)
    try:
        check_variants(checks, variants, same, cases + list(golden()))
    except tap.Skip as skip:
        checks.skip("the real iptables", skip)
    return checks.done()


if __name__ == "__main__":
    sys.exit(main())
