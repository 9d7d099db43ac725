# SPDX-License-Identifier: GPL-2.0-or-later
"""`flowfw check`: large profiles in little time, nasty ones to a clear end, every warning by its name, and the same
found whatever it is asked for."""

import json
import random
import re
import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import program  # noqa: E402
import tap  # noqa: E402
import yaml  # noqa: E402
from program import DIFFERS, OK, SYSTEM, flowfw  # noqa: E402

HEAD = {"flowfw": 1, "site": "junction-17", "extends": "node"}
HANGS = 240  # seconds


def write(document, folder=None, name="site.yaml"):
    """The path of a file that holds the document."""
    file = (folder or program.scratch()) / name
    text = document if isinstance(document, str) else yaml.safe_dump(document, sort_keys=False)
    file.write_text(text, encoding="utf-8")
    return str(file)


def bounded(*arguments):
    """The finished process, which is ended where it hangs. What it took is told: it depends on machine and build, and
    tests/unit counts the work itself."""
    def limit():
        resource.setrlimit(resource.RLIMIT_CPU, (HANGS, HANGS))

    begun, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    process = flowfw(*arguments, preexec_fn=limit, timeout=2 * HANGS)
    after = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    memory = f"{after // 1024} MiB" if after > before else "no more than others"
    print(f"# {time.monotonic() - begun:.1f} s, {memory}")
    return process


def large_site():
    """100,000 cameras with 65,000 distinct ports, and 1,000 admin networks."""
    lines = ["flowfw: 1", "site: city", "extends: node", "allow-lint: [suspect-port]", "groups:", "  cameras:"]
    for number in range(100000):
        address = f"10.{number >> 15}.{number >> 7 & 255}.{2 * (number & 127)}"
        lines.append(f"    - {{name: c{number}, address: {address}, ports: {500 + number * 7919 % 65000}/tcp+udp}}")
    lines.append("  admins:")
    lines += [f"    - 172.{16 + (number >> 7)}.{2 * (number & 127)}.0/24" for number in range(1000)]
    lines += ["  clients: [10.20.0.0/16]", "services:"]
    lines.append("  ssh: {direction: input, ports: 22/tcp, from: admins}")
    return "\n".join(lines) + "\n"


def large():
    """100,000 cameras with 65,000 distinct ports and 1,000 admin networks take little time and memory"""
    site = write(large_site())
    process = bounded("check", site)
    tap.equal((process.returncode, process.stderr), (OK, ""))


def checkerboard(bits):
    """A service for each bit: from addresses that have it to addresses that have it, on ports that have it. Every
    address is let to others of its own, so no two can be put together."""
    def blocks(bit):
        return range(1 << bit, 1 << bits, 2 << bit)

    document = {**HEAD, "groups": {}, "services": {}}
    for bit in range(bits):
        for group, net in (("from", 0), ("to", 1)):
            document["groups"][f"{group}{bit}"] = [
                f"10.{net}.{at >> 8}.{at & 255}/{32 - bit}" for at in blocks(bit)]
        document["services"][f"s{bit}"] = {
            "direction": "input", "from": f"from{bit}", "to": f"to{bit}",
            "ports": [f"{1024 + at}-{1023 + at + (1 << bit)}/tcp" for at in blocks(bit)][:900]}
    return document


def nasty():
    """checkerboards of addresses and ports end with a clear error, not in a hang"""
    process = bounded("check", write(checkerboard(14)))
    tap.equal((process.returncode, process.stdout), (SYSTEM, ""), process.stderr)
    if "[too-complex]" not in process.stderr or "hint: " not in process.stderr:
        raise AssertionError(process.stderr)
    process = bounded("check", write(checkerboard(6)))
    tap.equal(process.returncode, OK, process.stderr)


def known_ids():
    """every warning that the sources know can be allowed"""
    ids = set()
    for file in (program.SOURCE / "src").rglob("*.c"):
        text = file.read_text(encoding="utf-8")
        for call in re.finditer(r"\bfw_warning\(([^;]*)", text):
            found = re.search(r'"([a-z]+(?:-[a-z]+)+)"', call.group(1))
            if found:
                ids.add(found.group(1))
    if len(ids) < 15:
        raise AssertionError(f"only {sorted(ids)} were found in the sources")
    process = flowfw("gen", "-q", "--profile", write({**HEAD, "allow-lint": sorted(ids | {"unused-allow"})}))
    tap.equal((process.returncode, process.stderr), (OK, ""))


def site_with_all():
    """A site that has much to be said about."""
    return {
        **HEAD,
        "interfaces": {"lan": "eth7", "local": "lo"},
        "groups": {"clients": ["10.20.0.0/16", "10.20.5.0/24"], "things": ["10.1.1.1"]},
        "services": {
            "open": {"direction": "input", "ports": "1000-2000/tcp", "from": "any"},
            "hidden": {"direction": "input", "ports": "1500/tcp", "from": "clients"},
            "same": {"direction": "input", "ports": "5556/tcp", "from": "clients"},
            "pages": {"direction": "input", "ports": "80/tcp", "from": ["198.51.100.0/24"]},
            "nobody": {"direction": "input", "ports": "3000/tcp", "from": "clients", "except": "10.0.0.0/8"},
            "update": {"level": "required"},
        },
    }


def found(document, *arguments):
    """What is printed as JSON: ids of warnings, and of those that are silenced."""
    process = flowfw("check", "--json", write(document), *arguments)
    tap.equal((process.returncode, process.stderr), (OK, ""))
    answer = json.loads(process.stdout)
    return sorted(entry["id"] for entry in answer["warnings"]), sorted(entry["id"] for entry in answer["silenced"])


def all_found():
    """one site earns each of its warnings, and each can be silenced by itself"""
    document = site_with_all()
    everything, silenced = found(document)
    wanted = {
        "hidden-service", "matches-nothing", "nested-entry", "no-admin-access", "open-to-any", "plain-http",
        "same-service", "service-off", "suspect-port", "unset-group", "unused-group", "unused-interface",
    }
    tap.equal((set(everything), silenced), (wanted, []))
    for name in sorted(wanted):
        left, silenced = found({**document, "allow-lint": [name]})
        tap.equal(left, [entry for entry in everything if entry != name], name)
        tap.equal(silenced, [entry for entry in everything if entry == name], name)
    left, silenced = found({**document, "allow-lint": sorted(wanted)})
    tap.equal((left, silenced), ([], everything))


def strict():
    """--strict fails where a warning is left, quiet or not, and where none is it does not"""
    document = site_with_all()
    for arguments in ((), ("-q",), ("--json",)):
        tap.equal(flowfw("check", "--strict", *arguments, write(document)).returncode, DIFFERS, str(arguments))
    document["allow-lint"] = sorted(set(found(document)[0]))
    for arguments in ((), ("-q",), ("--json",), ("--all-lints",)):
        tap.equal(flowfw("check", "--strict", *arguments, write(document)).returncode, OK, str(arguments))


def places():
    """a service's own word silences what is said of it, and nothing else"""
    document = site_with_all()
    everything = found(document)[0]
    subjects = {
        "open-to-any": "open", "hidden-service": "hidden", "same-service": "same", "plain-http": "pages",
        "matches-nothing": "nobody", "service-off": "update",
    }
    for name, service in subjects.items():
        changed = site_with_all()
        changed["services"][service]["allow-lint"] = name
        tap.equal(found(changed), ([entry for entry in everything if entry != name], [name]), name)
        wrong = site_with_all()
        wrong["services"]["hidden" if service != "hidden" else "open"]["allow-lint"] = [name]
        tap.equal(found(wrong), (sorted(everything + ["unused-allow"]), []), name)


def inherited():
    """what a file allows that others extend need not be of use to all of them; the nearest word counts"""
    folder = program.scratch()
    city = {**HEAD, "site": "city", "allow-lint": ["no-admin-access", "suspect-port", "open-to-any"],
            "groups": {"clients": ["10.20.0.0/16"], "cameras": ["10.30.0.0/16"]}}
    write(city, folder, "city.yaml")
    near = {"flowfw": 1, "site": "junction-17", "extends": "city.yaml"}
    process = flowfw("check", "--strict", write(near, folder))
    tap.equal((process.returncode, process.stderr), (OK, ""))
    process = flowfw("check", "--json", write({**near, "allow-lint": ["suspect-port"]}, folder))
    tap.equal([entry["id"] for entry in json.loads(process.stdout)["warnings"]], ["no-admin-access"])
    process = flowfw("check", "--json", "--set", "allow-lint=[open-to-any]", write(near, folder))
    tap.equal(sorted(entry["id"] for entry in json.loads(process.stdout)["warnings"]),
              ["no-admin-access", "suspect-port"])


def same_in_any_order():
    """the order of keys changes no finding"""
    def shuffled(value):
        if isinstance(value, dict):
            keys = list(value)
            generator.shuffle(keys)
            return {key: shuffled(value[key]) for key in keys}
        return value

    wanted = found(site_with_all())
    for seed in range(10):
        generator = random.Random(seed)
        tap.equal(found(shuffled(site_with_all())), wanted)


def main():
    checks = tap.Tap()
    for check in (
        large, nasty, known_ids, all_found, strict, places, inherited, same_in_any_order,
    ):
        checks.run(check.__doc__, check)
    return checks.done()


if __name__ == "__main__":
    sys.exit(main())
