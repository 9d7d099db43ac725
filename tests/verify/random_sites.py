# SPDX-License-Identifier: GPL-2.0-or-later
"""flowfw gen --fleet --verify: thousands of random sites, proven on every backend.

    random_sites.py [NUMBER]

NUMBER sites, of FLOWFW_SEED where that is set, in cities of some hundred, each of which is compiled and proven in one
run for each backend, with the backends' options in turns. A site that is not proven is made as small as it can be, so
that it is still not proven, and printed. `random_sites.py SEED/NUMBER…` looks at single sites, as failures name them.
"""

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
import netns  # noqa: E402
import program  # noqa: E402
import sites  # noqa: E402
import tap  # noqa: E402
from program import BACKEND, DIFFERS, OK, SYSTEM, UNPROVEN, flowfw  # noqa: E402

SEED = os.environ.get("FLOWFW_SEED", "1")
SITES = 3200
CITY = 200  # sites that are compiled in one run
SHOWN = 3  # failing sites of a backend that are made smaller and printed
# By turns: a city has one of each row.
TURNS = {  # fmt: skip
    "nftables": ([], ["-O", "kernel=5.6"], ["--frame", "standalone"]),
    "iptables": ([], ["-O", "ipset"], ["--frame", "standalone"]),
    "ip6tables": (["-O", "ipset"], [], ["--frame", "standalone"]),
    "pf": ([], ["-O", "dialect=freebsd"], ["--frame", "standalone"],
           ["-O", "dialect=freebsd", "--frame", "standalone"]),
}
SUFFIXES = {"nftables": ".nft", "iptables": ".v4", "ip6tables": ".v6", "pf": ".conf"}


class City:
    """A fleet of random sites in a folder."""

    def __init__(self, names):
        self.folder = program.scratch()
        self.sites = {name: sites.make(name) for name in names}
        members = {True: [], False: []}
        for name, files in self.sites.items():
            home = self.folder / self.file_name(name)
            home.mkdir()
            sites.write(files, home, json.dumps)
            members[sites.is_gateway(files)].append({"file": f"{home.name}/{sites.MAIN}", "name": home.name})
        fleet = {"flowfw": 1, "fleet": "random", "sites": members[False], "gateways": members[True]}
        (self.folder / "city.yaml").write_text(json.dumps({key: value for key, value in fleet.items() if value}))

    @staticmethod
    def file_name(name):
        return name.replace("/", "-")

    def unproven(self, backend, options):
        """The names of the sites that have no rule set in the end, and what was said of them."""
        out = self.folder / f"out-{backend}"
        process = flowfw(
            "gen", "-q", "--verify", "--fleet", "city.yaml", "--output-dir", out, "-b", backend, *options,
            cwd=self.folder, timeout=900,
        )  # fmt: skip
        if not out.is_dir():
            raise AssertionError(f"no site of {self.folder} was compiled\n{process.stderr}")
        made = {path.name for path in out.iterdir()}
        return [name for name in self.sites if self.file_name(name) + SUFFIXES[backend] not in made]


def outcome(files, backend, options):
    """(exit status, what was said) of one site."""
    folder = program.scratch()
    sites.write(files, folder, json.dumps)
    sets = ["--ipset-output", "sets"] if "ipset" in options else []
    words = ["-b", backend, *options, *sets, f"./{sites.MAIN}"]
    process = flowfw("gen", "-q", "--verify", *words, cwd=folder, timeout=300)
    return process.returncode, process.stderr


def failure(name, files, backend, options):
    """A failing site for a person to look at."""
    status = outcome(files, backend, options)[0]
    if status in (DIFFERS, UNPROVEN, SYSTEM):
        files = sites.shrunk(files, lambda less: outcome(less, backend, options)[0] == status)
    lines = [f"{name}: exit status {status} of gen --verify -b {backend} {' '.join(options)}"]
    lines.append(outcome(files, backend, options)[1])
    for file, document in files.items():
        lines += [f"---- {file}", sites.text(document)]
    return "\n".join(lines)


class Count:
    """What became of the sites on one backend."""

    def __init__(self, backend):
        self.backend = backend
        self.proven = self.refused = 0
        self.failed = []  # (name, files, options)

    def add(self, city, options):
        missing = city.unproven(self.backend, options)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            outcomes = pool.map(lambda name: outcome(city.sites[name], self.backend, options), missing)
            for name, (status, _) in zip(missing, outcomes, strict=True):
                if status == BACKEND:
                    self.refused += 1
                else:
                    self.failed.append((name, city.sites[name], options))
        self.proven += len(city.sites) - len(missing)

    def report(self, checks):
        said = [failure(name, files, self.backend, options) for name, files, options in self.failed[:SHOWN]]
        left = [name for name, _, _ in self.failed[SHOWN:]]
        said += [f"and {len(left)} more: {' '.join(left)}"] if left else []
        enough = self.proven > self.refused
        said += [] if enough else ["most sites are refused, which proves little"]
        text = f"{self.backend}: {self.proven} random sites of seed {SEED} are proven, {self.refused} refused"
        checks.result(not said, text, "\n".join(said))


def single(name):
    """One site, on every backend and in every form."""
    for backend, turns in TURNS.items():
        for options in turns:
            status, said = outcome(sites.make(name), backend, options)
            if status not in (OK, BACKEND):
                raise AssertionError(failure(name, sites.make(name), backend, options) + said)


def main():
    checks = tap.Tap()
    names = [word for word in sys.argv[1:] if "/" in word]
    try:
        netns.enter()
    except tap.Skip as skip:
        checks.skip("rule sets for nftables need a network namespace", skip)
        return checks.done()
    if names:
        for name in names:
            checks.run(name, single, name)
        return checks.done()
    number = int(sys.argv[1]) if sys.argv[1:] else SITES
    counts = [Count(backend) for backend in TURNS]
    for index, start in enumerate(range(0, number, CITY)):
        city = City([f"{SEED}/{one}" for one in range(start, min(start + CITY, number))])
        for count in counts:
            turns = TURNS[count.backend]
            count.add(city, turns[index % len(turns)])
    for count in counts:
        count.report(checks)
    return checks.done()


if __name__ == "__main__":
    sys.exit(main())
