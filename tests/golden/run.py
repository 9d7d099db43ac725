# SPDX-License-Identifier: GPL-2.0-or-later
"""Golden cases: each folder holds inputs and, byte for byte, what flowfw makes of them.

args          arguments, where they are not `gen -q --profile site.yaml`; flowfw runs inside the folder
nftables.out  what it says on stdout, `stdout.out` where that is no rule set; without this file, nothing
diag.out      what it says on stderr; without this file, nothing
exit          its exit status, where that is not 0 with a stdout and 3 without one

A case that is a rule set for nftables is one for the other backends too, unless it names a backend or a frame of
its own. With NAME one of VARIANTS:

NAME.out      the rules
NAME.sets     the file of --ipset-output, beside the rules
NAME.diag     what it says on stderr, where that is not diag.out: a refusal, or more warnings; -q keeps these back

--update writes all but args anew, for a person to read. Shipped profiles are reached by a relative path, so that no
machine's folders get into the files.
"""

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import program  # noqa: E402
import tap  # noqa: E402

CASES = Path(__file__).resolve().parent
VARIANTS = {
    "iptables": ["-b", "iptables"],
    "iptables-ipset": ["-b", "iptables", "-O", "ipset"],
    "ip6tables": ["-b", "ip6tables"],
    "ip6tables-ipset": ["-b", "ip6tables", "-O", "ipset"],
    "pf": ["-b", "pf"],
    "pf-freebsd": ["-b", "pf", "-O", "dialect=freebsd"],
}
FILES = ("out", "sets", "diag")


def arguments(case):
    file = case / "args"
    return shlex.split(file.read_text(encoding="utf-8")) if file.exists() else ["gen", "-q", "--profile", "site.yaml"]


def run(case, wrapper, more=()):
    """The finished process of one case."""
    return program.flowfw(
        *arguments(case),
        *more,
        cwd=case,
        wrapper=wrapper,
        env=program.environment(FLOWFW_DATADIR="../../.."),
        stdin=subprocess.DEVNULL,
        text=False,
    )


def outcome(case, wrapper=()):
    """(stdout, stderr, exit status) of one case, as bytes."""
    process = run(case, wrapper)
    return process.stdout, process.stderr, process.returncode


def variant_outcome(case, variant, wrapper=()):
    """The same of a variant: what its FILES are to hold, and the exit status."""
    with tempfile.TemporaryDirectory() as folder:
        sets = Path(folder) / "sets"
        more = VARIANTS[variant] + (["--ipset-output", str(sets)] if "ipset" in VARIANTS[variant] else [])
        process = run(case, wrapper, more)
        return process.stdout, sets.read_bytes() if sets.exists() else b"", process.stderr, process.returncode


def has_variants(case):
    """Whether other backends make something of the case: it is a rule set, with a frame that they have too."""
    words = arguments(case)
    return words[:1] == ["gen"] and (case / "nftables.out").exists() and not {"-b", "-O", "--template"} & set(words)


def stdout_file(case):
    return "nftables.out" if arguments(case)[:1] == ["gen"] else "stdout.out"


def deduced(stdout):
    return program.OK if stdout else program.INVALID


def read_file(file):
    return file.read_bytes() if file.exists() else b""


def expected(case):
    stdout = read_file(case / stdout_file(case))
    status = read_file(case / "exit")
    return stdout, read_file(case / "diag.out"), int(status) if status else deduced(stdout)


def expected_variant(case, variant):
    contents = [read_file(case / f"{variant}.{name}") for name in FILES]
    contents[-1] = contents[-1] or read_file(case / "diag.out")
    return *contents, program.OK if contents[0] else program.BACKEND


def write(file, content):
    """Makes a golden file what it is to be; without content there is none."""
    if content:
        if not file.exists() or file.read_bytes() != content:
            print(f"{file.parent.name}/{file.name}: written")
            file.write_bytes(content)
    elif file.exists():
        print(f"{file.parent.name}/{file.name}: removed")
        file.unlink()


def update(case):
    stdout, stderr, status = outcome(case)
    write(case / stdout_file(case), stdout)
    write(case / "diag.out", stderr)
    write(case / "exit", b"" if status == deduced(stdout) else b"%d\n" % status)


def update_variant(case, variant):
    *contents, status = variant_outcome(case, variant) if has_variants(case) else (b"", b"", b"", program.BACKEND)
    if status != (program.OK if contents[0] else program.BACKEND):
        print(f"{case.name}: {variant} ends with exit status {status}, which no golden file may ask for")
    if contents[-1] == read_file(case / "diag.out"):
        contents[-1] = b""
    for name, content in zip(FILES, contents):
        write(case / f"{variant}.{name}", content)


def check(got, wanted, names=("stdout", "stderr")):
    for name, ours, theirs in zip(names, got, wanted):
        tap.equal(ours.decode("utf-8", "replace"), theirs.decode("utf-8", "replace"), name)
        tap.equal(ours, theirs, name)
    tap.equal(got[-1], wanted[-1], "exit status")


def main():
    parser = argparse.ArgumentParser(description="Runs the golden cases.")
    parser.add_argument("--update", action="store_true", help="write the expected output anew")
    parser.add_argument("--valgrind", action="store_true", help="only see that valgrind finds nothing")
    parser.add_argument("cases", nargs="*", help="names of cases; all without")
    options = parser.parse_args()
    names = options.cases or sorted(path.name for path in CASES.iterdir() if path.is_dir())
    cases = [CASES / name for name in names]

    if options.update:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(update, cases))
            list(pool.map(update_variant, *zip(*((case, variant) for case in cases for variant in VARIANTS))))
        return 0

    wrapper = []
    if options.valgrind:
        wrapper = "valgrind --quiet --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite".split()
    checks = tap.Tap()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        streams = ("stdout", "stderr")
        running = [(case.name, pool.submit(outcome, case, wrapper), expected(case), streams) for case in cases]
        for case in filter(has_variants, cases):
            for variant in VARIANTS:
                future = pool.submit(variant_outcome, case, variant, wrapper)
                running.append((f"{case.name}: {variant}", future, expected_variant(case, variant), FILES))
        for name, future, wanted, names in running:
            checks.run(name, lambda: check(future.result(), wanted, names))
    return checks.done()


if __name__ == "__main__":
    sys.exit(main())
