# SPDX-License-Identifier: GPL-2.0-or-later
"""Golden cases: each folder holds inputs and, byte for byte, what flowfw makes of them.

args          arguments, where they are not `gen -q --profile site.yaml`; flowfw runs inside the folder
nftables.out  what it says on stdout, `stdout.out` where that is no rule set; without this file, nothing
diag.out      what it says on stderr; without this file, nothing
exit          its exit status, where that is not 0 with a stdout and 3 without one

--update writes the last three anew, for a person to read. Shipped profiles are reached by a relative path, so
that no machine's folders get into the files.
"""

import argparse
import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import program  # noqa: E402
import tap  # noqa: E402

CASES = Path(__file__).resolve().parent


def arguments(case):
    file = case / "args"
    return shlex.split(file.read_text(encoding="utf-8")) if file.exists() else ["gen", "-q", "--profile", "site.yaml"]


def outcome(case, wrapper=()):
    """(stdout, stderr, exit status) of one case, as bytes."""
    process = program.flowfw(
        *arguments(case),
        cwd=case,
        wrapper=wrapper,
        env=program.environment(FLOWFW_DATADIR="../../.."),
        stdin=subprocess.DEVNULL,
        text=False,
    )
    return process.stdout, process.stderr, process.returncode


def stdout_file(case):
    return "nftables.out" if arguments(case)[:1] == ["gen"] else "stdout.out"


def deduced(stdout):
    return program.OK if stdout else program.INVALID


def expected(case):
    def read(name):
        file = case / name
        return file.read_bytes() if file.exists() else b""

    stdout = read(stdout_file(case))
    status = read("exit")
    return stdout, read("diag.out"), int(status) if status else deduced(stdout)


def update(case):
    stdout, stderr, status = outcome(case)
    files = {
        stdout_file(case): stdout,
        "diag.out": stderr,
        "exit": b"" if status == deduced(stdout) else b"%d\n" % status,
    }
    for name, content in files.items():
        file = case / name
        if content:
            if not file.exists() or file.read_bytes() != content:
                print(f"{case.name}/{name}: written")
                file.write_bytes(content)
        elif file.exists():
            print(f"{case.name}/{name}: removed")
            file.unlink()


def check(got, wanted):
    for name, ours, theirs in zip(("stdout", "stderr"), got, wanted):
        tap.equal(ours.decode("utf-8", "replace"), theirs.decode("utf-8", "replace"), name)
        tap.equal(ours, theirs, name)
    tap.equal(got[2], wanted[2], "exit status")


def main():
    parser = argparse.ArgumentParser(description="Runs the golden cases.")
    parser.add_argument("--update", action="store_true", help="write the expected output anew")
    parser.add_argument("--valgrind", action="store_true", help="only see that valgrind finds nothing")
    parser.add_argument("cases", nargs="*", help="names of cases; all without")
    options = parser.parse_args()
    names = options.cases or sorted(path.name for path in CASES.iterdir() if path.is_dir())
    cases = [CASES / name for name in names]

    if options.update:
        for case in cases:
            update(case)
        return 0

    wrapper = []
    if options.valgrind:
        wrapper = "valgrind --quiet --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite".split()
    checks = tap.Tap()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        running = [(case, pool.submit(outcome, case, wrapper)) for case in cases]
        for case, run in running:
            checks.run(case.name, lambda: check(run.result(), expected(case)))
    return checks.done()


if __name__ == "__main__":
    sys.exit(main())
