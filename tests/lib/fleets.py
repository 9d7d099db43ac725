# SPDX-License-Identifier: GPL-2.0-or-later
"""A fleet in a scratch folder, flowfw run on it, and its processes watched."""

import subprocess
import time
from pathlib import Path

import program
import tap
from program import flowfw

MANIFEST = ".flowfw-fleet"


def site(name, more=""):
    return f"flowfw: 1\nsite: {name}\nextends: node\n{more}"


class Fleet:
    """A folder with a fleet file, sites, and the folder of their rule sets, which is not there yet."""

    def __init__(self, *names, head=""):
        self.folder = program.scratch()
        self.out = self.folder / "out"
        (self.folder / "sites").mkdir()
        for name in names:
            self.put(name)
        self.city("sites: [sites/*.yaml]\n" + head)

    def city(self, text):
        (self.folder / "city.yaml").write_text(f"flowfw: 1\nfleet: city\n{text}", encoding="utf-8")

    def put(self, name, more="", text=None):
        path = self.folder / "sites" / f"{name}.yaml"
        path.write_text(text or site(name, more), encoding="utf-8")
        return path

    def command(self, *arguments):
        return ["gen", "--fleet", "city.yaml", "--output-dir", "out", *map(str, arguments)]

    def gen(self, *arguments, **options):
        return flowfw(*self.command(*arguments), cwd=self.folder, **options)

    def start(self, *arguments, **options):
        return subprocess.Popen(
            [str(program.BINARY), *self.command(*arguments)], cwd=self.folder, env=program.environment(),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)

    def files(self):
        """What the folder holds, but for the list of it: names and contents."""
        return {path.name: path.read_text() for path in self.out.iterdir() if path.name != MANIFEST}

    def names(self):
        return sorted(self.files())

    def listed(self):
        head, *lines = (self.out / MANIFEST).read_text().splitlines()
        tap.equal(head, "# flowfw fleet: city")
        return [line.split("\t")[0] for line in lines]


def said(process, status, *texts, without=()):
    tap.equal(process.returncode, status, f"exit status (stderr: {process.stderr.strip()!r})")
    tap.equal(process.stdout, "", "stdout")
    for text in texts:
        if text not in process.stderr:
            raise AssertionError(f"stderr lacks {text!r}:\n{process.stderr}")
    for text in without:
        if text in process.stderr:
            raise AssertionError(f"stderr has {text!r}:\n{process.stderr}")


def children(pid):
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def wait_until(what, condition):
    end = time.monotonic() + 20
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"{what}: never")


def gateway(fleet, more="", **devices):
    """A gateway of these devices beside the sites; each is known by its site's file."""
    lines = "".join(f"  - {{name: {name}, site: sites/{name}.yaml, address: 10.8.0.{number}{extra}}}\n"
                    for number, (name, extra) in enumerate(devices.items(), 11))
    (fleet.folder / "gate.yaml").write_text(
        "flowfw: 1\nsite: gate\nextends: gateway\noutside: {address: 198.51.100.7}\n"
        f"interfaces: {{outside: eth0, inside: eth1}}\n{more}devices:\n{lines}", encoding="utf-8")
    fleet.city("sites: [sites/*.yaml]\ngateways: [gate.yaml]\n")


def check(fleet, *arguments):
    return flowfw("check", "--fleet", "city.yaml", *arguments, cwd=fleet.folder)
