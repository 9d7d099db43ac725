# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs flowfw, away from the settings of whoever runs the tests."""

import atexit
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

SOURCE = Path(os.environ.get("FLOWFW_SOURCE") or Path(__file__).resolve().parents[2])
BINARY = Path(os.environ.get("FLOWFW") or SOURCE / "build/src/cmd/flowfw")
PROFILES = sorted(path.stem for path in (SOURCE / "profiles").glob("*.yaml") if path.stem != "base")
HOSTS = [name for name in PROFILES if "\nposition:" not in (SOURCE / f"profiles/{name}.yaml").read_text(encoding="utf-8")]

OK, DIFFERS, USAGE, INVALID, BACKEND, SYSTEM, UNPROVEN = range(7)


def scratch(prefix="flowfw-test-"):
    """A folder that goes away with the process."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


HOME = scratch("flowfw-home-")


def environment(**more):
    """Clean, and with crashes told apart from flowfw's own exit statuses."""
    return {
        "PATH": "/usr/bin:/usr/sbin:/bin:/sbin",
        "HOME": str(HOME),
        "LC_ALL": "C.UTF-8",
        "FLOWFW_DATADIR": str(SOURCE),
        "ASAN_OPTIONS": "exitcode=99:detect_leaks=1",
        "UBSAN_OPTIONS": "halt_on_error=1:exitcode=99:print_stacktrace=1",
        **more,
    }


def flowfw(*arguments, cwd=HOME, wrapper=(), timeout=60, **options):
    """A finished run with .returncode, .stdout and .stderr (text, unless text=False)."""
    options.setdefault("env", environment())
    if "input" not in options:
        options.setdefault("stdin", subprocess.DEVNULL)
    options.setdefault("stdout", subprocess.PIPE)
    text = options.pop("text", True)
    command = [*wrapper, str(BINARY), *map(str, arguments)]
    process = subprocess.run(command, cwd=cwd, stderr=subprocess.PIPE, timeout=timeout, check=False, **options)
    if process.returncode not in range(7):
        raise AssertionError(f"{command}: exit status {process.returncode}\n{process.stderr.decode(errors='replace')}")
    if text:  # decoded here, since subprocess would turn CRLF into LF
        process.stdout = (process.stdout or b"").decode("utf-8", "surrogateescape")
        process.stderr = process.stderr.decode("utf-8", "surrogateescape")
    return process


def compiled(*arguments, **options):
    """The rule set of a run that must succeed."""
    process = flowfw(*arguments, **options)
    if process.returncode != OK:
        raise AssertionError(f"flowfw {arguments}: exit status {process.returncode}\n{process.stderr}")
    return process.stdout


def rule_set(site, *arguments):
    """The rule set of a site given as text."""
    folder = scratch()
    path = folder / "site.yaml"
    path.write_text(site, encoding="utf-8")
    return compiled("gen", "--quiet", "--profile", path, *arguments)
