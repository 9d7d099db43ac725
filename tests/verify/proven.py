# SPDX-License-Identifier: GPL-2.0-or-later
"""flowfw verify: each shipped profile and each golden case is proven on every backend, in each form and frame.

The committed outputs are proven as they are, so nothing is compiled for that; `gen --verify` proves what it is about
to print, in the frames that these do not have, and prints what gen alone would.
"""

import os
import shlex
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
import netns  # noqa: E402
import program  # noqa: E402
import tap  # noqa: E402
from program import BACKEND, OK, flowfw  # noqa: E402

GOLDEN = HERE.parent / "golden"
FORMS = {
    "nftables": ["-b", "nftables"],
    "iptables": ["-b", "iptables"],
    "iptables-ipset": ["-b", "iptables", "-O", "ipset"],
    "ip6tables": ["-b", "ip6tables"],
    "ip6tables-ipset": ["-b", "ip6tables", "-O", "ipset"],
    "pf": ["-b", "pf"],
    "pf-freebsd": ["-b", "pf", "-O", "dialect=freebsd"],
}
OTHER_FRAME = ["--frame", "standalone"]  # each backend has it beside the one that it takes by itself


class Case:
    """A profile with its options, and the folder where its names count."""

    def __init__(self, name, folder, words):
        self.name, self.folder, self.words = name, folder, words

    def run(self, *arguments):
        return flowfw(*arguments, cwd=self.folder)

    def fits(self, form):
        """Whether the case is about all backends, or about this one."""
        return form == "nftables" or not {"-b", "-O", "--template"} & set(self.words)


def golden():
    """The cases that are rule sets."""
    for folder in sorted(GOLDEN.iterdir()):
        arguments = folder / "args"
        text = arguments.read_text(encoding="utf-8") if arguments.exists() else "gen -q --profile site.yaml"
        words = shlex.split(text)
        if words[:1] == ["gen"] and (folder / "nftables.out").exists():
            yield Case(folder.name, folder, ["-q", *without(words[1:], "-q")])


def without(words, name, values=0):
    """Words less an option and its values."""
    words = list(words)
    while name in words:
        index = words.index(name)
        del words[index : index + 1 + values]
    return words


def profiles():
    """The shipped profiles; a gateway needs devices, which the golden cases have."""
    for name in program.PROFILES:
        if name in (*program.HOSTS, "insights"):
            yield Case(f"profile {name}", program.HOME, ["-q", "--profile", name])


def must_be_proven(process, name):
    if process.returncode != OK:
        raise AssertionError(f"exit status {process.returncode} of {name}\n{process.stdout}{process.stderr}")


# ---- what is committed ----


def committed(case, form):
    """The case's rule set of a form; None where it was refused."""
    rules = case.folder / f"{form}.out"
    return rules.name if rules.exists() else None


def prove_committed(case, form):
    sets = case.folder / f"{form}.sets"
    words = FORMS[form] + (["--ipset", sets.name] if sets.exists() else [])
    # A frame of one's own is text around the rules, which a rule set has like any other.
    words += without(case.words, "--template", 1)
    process = case.run("verify", *words, committed(case, form))
    must_be_proven(process, f"verify {shlex.join(words)} {committed(case, form)}, in {case.folder}")
    verdict = process.stdout.splitlines()[0]
    if ": proven" not in verdict:
        raise AssertionError(f"the verdict is {verdict!r}")


# ---- what is about to be printed ----


def prove_printed(case, form, frame):
    """gen --verify prints what gen prints; False where gen refuses."""
    words = [*FORMS[form], *frame, *case.words]
    if "ipset" in form:
        words += ["--ipset-output", str(program.scratch() / "sets")]
    plain = case.run("gen", *words)
    if plain.returncode == BACKEND:
        return False
    must_be_proven(plain, f"gen {shlex.join(words)}, in {case.folder}")
    proven = case.run("gen", "--verify", *words)
    must_be_proven(proven, f"gen --verify {shlex.join(words)}, in {case.folder}")
    tap.equal(proven.stdout, plain.stdout, "stdout")
    return True


# ---- all of it ----


def checks_of_committed():
    for case in golden():
        for form in FORMS:
            if committed(case, form):
                yield f"{case.name}: {form}", prove_committed, case, form


def checks_of_printed():
    for case in profiles():
        for form in FORMS:
            for frame in ([], OTHER_FRAME):
                yield f"{case.name}: gen --verify {form} {shlex.join(frame)}".rstrip(), prove_printed, case, form, frame
    for case in golden():
        for form in filter(case.fits, FORMS):
            if not {"--frame", "--template"} & set(case.words) and committed(case, form):
                name = f"{case.name}: gen --verify {form} {shlex.join(OTHER_FRAME)}"
                yield name, prove_printed, case, form, OTHER_FRAME


def main():
    checks = tap.Tap()
    try:
        netns.enter()
    except tap.Skip as skip:
        checks.skip("rule sets for nftables need a network namespace", skip)
        return checks.done()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        running = [(name, pool.submit(*rest)) for name, *rest in (*checks_of_committed(), *checks_of_printed())]
        for name, future in running:
            checks.run(name, future.result)
    return checks.done()


if __name__ == "__main__":
    sys.exit(main())
