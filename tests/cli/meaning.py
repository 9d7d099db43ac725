# SPDX-License-Identifier: GPL-2.0-or-later
"""What comes out for what goes in: same input, same bytes; a small change, a small diff; names stay names; ports of
gateways lead where their files say."""

import difflib
import random
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import gateways  # noqa: E402
import meaning  # noqa: E402
import model  # noqa: E402
import program  # noqa: E402
import tap  # noqa: E402
import yaml  # noqa: E402
from program import OK, USAGE, flowfw  # noqa: E402

# The vendor's port list, row by row, from its documentation: id, direction, ports. No number: the site gives it.
PORT_LIST = [
    ("rest-api", "input", {"8088/tcp"}),
    ("node", "input", {"5556/tcp"}),
    ("video", "input", {"8090/tcp"}),
    ("udp-sinks", "input", {"55570/udp"}),
    ("webhooks", "output", None),
    ("web-admin", "input", {"8000/tcp"}),
    ("service-vpn", "output", {"31228/udp"}),
    ("web", "output", {"443/tcp", "80/tcp"}),
    ("dns", "output", {"53/udp"}),
    ("smtp", "output", {"495/tcp", "993/tcp"}),
    ("ntp", "output", {"123/udp"}),
    ("rtsp", "output", {"554/tcp", "554/udp"}),
]
VENDOR = "172.105.65.31"
ROLES = {
    "rest-api": "block", "video": "block", "udp-sinks": "block", "webhooks": "block", "node": "node",
    "web-admin": "service", "service-vpn": "service",
}  # all others: general
PROFILE_ROLES = {
    "enterprise": {"general", "block", "node", "service"},
    "xroads": {"general", "block", "node", "service"},
    "embedded": {"general", "block", "node", "service"},
    "block": {"general", "block"},
    "node": {"general", "node"},
}
REMOTE_INSTALL = {"web", "dns", "service-vpn", "rtsp", "rest-api", "node"}
EVERYTHING_NAMED = {
    "clients": ["10.20.0.0/16", "2001:db8:20::/48"],
    "admins": ["10.20.5.10-10.20.5.20"],
    "viewers": ["10.20.7.0/24", "10.20.8.1"],
    "subscribers": ["10.20.9.9"],
    "cameras": [
        {"name": "north", "address": "10.30.1.11"},
        {"name": "south", "address": "10.30.1.12", "ports": ["8554/tcp", "8554/udp"]},
        {"name": "east", "address": "10.30.1.13", "ports": ["9554/tcp"]},
    ],
    "webhooks": [{"name": "city", "address": "203.0.113.9", "ports": "8443/tcp"}],
}


def site(profile="enterprise", **more):
    return {"flowfw": 1, "site": "test", "extends": profile, **more}


def rules_of(document, *arguments):
    return program.rule_set(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), *arguments)


def services_in(rules):
    """The ids in the comments of the rules."""
    return set(re.findall(r'comment "([a-z0-9-]+)', rules))


def base_services():
    return {"loopback", *model.read(model.DATA / "base.yaml")["services"]}


def chain_rules(rules, hook):
    """The rules of one chain, as lines."""
    found = re.search(rf"\n\tchain {hook} {{\n(.*?)\n\t}}", rules, re.DOTALL)
    return [line.strip() for line in found.group(1).splitlines()] if found else []


def port_list():
    """every row of the vendor's port list is in the rules of each product that has its role"""
    groups = {"webhooks": EVERYTHING_NAMED["webhooks"], "cameras": EVERYTHING_NAMED["cameras"]}
    for profile in program.HOSTS:
        rules = rules_of(site(profile, groups=groups))
        for row, direction, ports in PORT_LIST:
            if profile == "remote-install":
                wanted = row in REMOTE_INSTALL
            else:
                wanted = ROLES.get(row, "general") in PROFILE_ROLES[profile]
            lines = [line for line in chain_rules(rules, direction) if f'comment "{row}"' in line]
            tap.equal(bool(lines), wanted, f"{profile} has rules for {row}")
            other = "output" if direction == "input" else "input"
            tap.equal([line for line in chain_rules(rules, other) if f'comment "{row}"' in line], [], f"{row}, {other}")
            for port in (ports or ()) if wanted else ():
                number, protocol = port.split("/")
                pattern = rf"\b{protocol} dport ({number}|{{[^}}]*\b{number}\b[^}}]*}})"
                if not any(re.search(pattern, line) for line in lines):
                    raise AssertionError(f"{profile}: no rule of {row} has {port}:\n" + "\n".join(lines))
            if row == "service-vpn" and wanted and VENDOR not in rules:
                raise AssertionError(f"{profile}: {VENDOR} is missing")


def port_table():
    """`list services` shows the vendor's list: every row with its ports and its direction"""
    table = program.compiled("list", "services", "--profile", "enterprise")
    lines = {line.split()[0]: line for line in table.splitlines() if line.strip()}
    for row, direction, ports in PORT_LIST:
        if row not in lines:
            raise AssertionError(f"{row} is missing:\n{table}")
        for word in {direction} | (ports or set()):
            if word not in lines[row] and word.split("/")[0] not in lines[row]:
                raise AssertionError(f"{word} is missing: {lines[row]}")


def remote_install():
    """`remote-install --only required` is exactly web, dns and service-vpn"""
    rules = program.compiled("gen", "-q", "--profile", "remote-install", "--only", "required")
    tap.equal(services_in(rules) - base_services(), {"web", "dns", "service-vpn"})
    rest = program.compiled("gen", "-q", "--profile", "remote-install", "--without", "required")
    tap.equal(services_in(rest) - base_services(), REMOTE_INSTALL - {"web", "dns", "service-vpn"})


def levels():
    """--only and --without cut by level, take lists, and add up when repeated"""
    def left(*arguments):
        return services_in(program.compiled("gen", "-q", "--profile", "enterprise", *arguments)) - base_services()

    everything = left()
    tap.equal(left("--only", "required,recommended"), left("--only", "required", "--only", "recommended"))
    tap.equal(left("--only", "required,recommended"), left("--without", "optional"))
    tap.equal(left("--only", "required") | left("--without", "required"), everything)
    tap.equal(left("--without", "required,recommended,optional"), set())


def shuffled(value, seed):
    """The same data with its keys and entries in another order."""
    generator = random.Random(seed)
    if isinstance(value, dict):
        keys = list(value)
        generator.shuffle(keys)
        return {key: shuffled(value[key], seed + 1) for key in keys}
    if isinstance(value, list):
        items = [shuffled(item, seed + 1) for item in value]
        generator.shuffle(items)
        return items
    return value


def order_of_keys():
    """the order of keys and entries in the YAML changes no byte"""
    document = site(
        groups=EVERYTHING_NAMED,
        interfaces={"uplink": "eth0", "cameras": ["eth1", "eth2"], "vpn": "wg0"},
        base={"log": {"rate": "10/minute burst 5", "prefix": "x "}, "counters": "on"},
        services={
            "smtp": {"ports": ["465/tcp", "587/tcp"], "to": ["198.51.100.25", "198.51.100.24"]},
            "ssh": {"direction": "input", "ports": "22/tcp", "from": ["admins", "10.1.1.1"], "limit": "10/minute"},
            "video": "off",
        },
    )
    first = rules_of(document)
    for seed in range(20):
        tap.equal(rules_of(shuffled(document, seed)), first, f"the rules of order {seed}")


def again():
    """the same input gives the same bytes, in any folder and under any name of the day"""
    document = yaml.safe_dump(site(groups=EVERYTHING_NAMED))
    tap.equal(program.rule_set(document), program.rule_set(document))


def changed_lines(one, other):
    return [
        line
        for line in difflib.ndiff(one.splitlines(), other.splitlines())
        if line[0] in "+-"
    ]


def one_more_camera():
    """one camera more is one line more, wherever it stands"""
    cameras = [{"name": f"camera-{number}", "address": f"10.30.1.{number}"} for number in range(10, 50)]
    first = rules_of(site(groups={"cameras": cameras}))
    for position, address in ((0, "10.30.0.1"), (20, "10.30.1.200"), (40, "10.40.0.1")):
        more = cameras[:position] + [{"name": "new", "address": address}] + cameras[position:]
        lines = changed_lines(first, rules_of(site(groups={"cameras": more})))
        lines = [line for line in lines if not re.match(r". *\t*size ", line)]
        if len(lines) != 1 or address not in lines[0] or lines[0][0] != "+":
            raise AssertionError("\n".join(lines))


def one_more_port():
    """one camera more with a port of its own is one line more a protocol"""
    cameras = [{"address": f"10.30.1.{number}", "ports": "8554/tcp"} for number in range(10, 50)]
    first = rules_of(site(groups={"cameras": cameras}))
    more = rules_of(site(groups={"cameras": cameras + [{"address": "10.30.1.200", "ports": "8554/tcp"}]}))
    lines = [line for line in changed_lines(first, more) if not re.match(r". *\t*size ", line)]
    # Once as address and port for control, once as address for media.
    if len(lines) != 2 or not all(line[0] == "+" and "10.30.1.200" in line for line in lines):
        raise AssertionError("\n".join(lines))


def hostile_names():
    """quotes, line ends, semicolons and braces in names never become rules"""
    words = ['a" }', "x; flush ruleset", "y } drop {", "# z", "a\\", "$b", "'c'", "`d`", "@e", "\u2028f", "\u0085g"]
    generator = random.Random(7)
    plain = None
    for number in range(40):
        name = "plain" if number == 0 else "".join(generator.choice(words) for _ in range(3))
        document = site(
            title=name,
            groups={"clients": {"title": name, "members": [{"name": name, "address": "10.1.1.1"}]}},
            services={"ssh": {"title": name, "direction": "input", "ports": "22/tcp", "from": "any"}},
        )
        folder = program.scratch()
        (folder / "site.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
        process = flowfw("gen", "-q", "--profile", "./site.yaml", cwd=folder)
        if process.returncode == program.INVALID:
            continue  # refused, as control characters are
        tap.equal(process.returncode, OK, process.stderr)
        bare = without_comments(process.stdout)
        plain = plain or bare
        tap.equal(bare, plain, f"the rules with {name!r}")


def without_comments(rules):
    """The rules without what is only for people: # to the line's end, and quoted text."""
    return "\n".join(re.sub(r'#.*|"[^"\n]*"', "", line).rstrip() for line in rules.splitlines())


def options_anywhere():
    """options may stand before and behind the profile, long ones be shortened or have an ="""
    wanted = program.compiled("gen", "-q", "--profile", "enterprise", "--only", "required")
    for arguments in (
        ("gen", "enterprise", "--only=required", "-q"),
        ("gen", "--only", "required", "-q", "enterprise"),
        ("gen", "-q", "-p", "enterprise", "--on", "required"),
        ("gen", "-qp", "enterprise", "--only=required"),
        ("gen", "-qpenterprise", "--only=required", "-b", "nftables"),
        ("gen", "-q", "--only=required", "--", "enterprise"),
        ("gen", "-q", "--only=required", "-o", "-", "enterprise"),
    ):
        tap.equal(program.compiled(*arguments), wanted, str(arguments))


def wrong_usage():
    """a wrong command line says what is wrong on stderr, nothing on stdout, and exits 2"""
    for arguments, text in (
        ((), "usage"),
        (("gen",), "[no-profile]"),
        (("gen", "--frobnicate"), "--frobnicate"),
        (("gen", "-Z"), "-Z"),
        (("gen", "--profile"), "--profile"),
        (("gen", "enterprise", "xroads"), "xroads"),
        (("gen", "enterprise", "--check"), "[option-conflict]"),
        (("gen", "enterprise", "--frame", "tabel", "--template", "x"), "[unknown-frame]"),
        (("gen", "enterprise", "-O", "kernel=5.7"), "[option-value]"),
        (("gen", "enterprise", "-b", "iptables", "-O", "ipset"), "[option-conflict]"),
        (("gen", "enterprise", "--ipset-output", "x"), "[option-conflict]"),
        (("list", "services", "enterprise", "--plugin-dir", "x"), "[option-conflict]"),
        (("gen", "enterprise", "-b", "ipfw"), "ipfw"),
        (("gen", "enterprise", "--only", "vital"), "vital"),
        (("list",), "list"),
        (("list", "everything"), "everything"),
        (("check",), "[no-profile]"),
        (("init", "--profile", "xroads"), "[operands]"),
        (("init", "x.yaml"), "[no-profile]"),
        (("gne",), "did you mean 'gen'?"),
    ):
        process = flowfw(*arguments)
        if process.returncode != USAGE or process.stdout or text not in process.stderr:
            raise AssertionError(f"{arguments}: {process.returncode}, {process.stdout!r}, {process.stderr!r}")


def help_texts():
    """--help and --version are results: on stdout, exit 0"""
    for arguments in (("--help",), ("--version",), *((name, "--help") for name in ("gen", "check", "list", "init"))):
        process = flowfw(*arguments)
        tap.equal((process.returncode, process.stderr), (OK, ""), str(arguments))
        if len(process.stdout.splitlines()) < 1 or any(len(line) > 80 for line in process.stdout.splitlines()):
            raise AssertionError(f"{arguments}: empty, or wider than a terminal:\n{process.stdout}")


def quiet():
    """-q leaves warnings out, and no error"""
    tap.equal(flowfw("gen", "-q", "--profile", "enterprise").stderr, "")
    if "warning:" not in flowfw("gen", "--profile", "enterprise").stderr:
        raise AssertionError("bare enterprise has nothing to warn of")
    if not flowfw("gen", "-q", "--profile", "enterprise", "--set", "x=y").stderr:
        raise AssertionError("an error is quiet")


def warnings_of_open_services():
    """8000, 8090 and 55570 open to anybody, cameras unset and no way in for admins are worth a warning each"""
    text = flowfw("check", "enterprise").stderr
    for word in ("web-admin", "video", "udp-sinks", "cameras", "SSH", "495"):
        if word not in text:
            raise AssertionError(f"nothing about {word}:\n{text}")


def compiled_kinds():
    """each profile compiles with every group named, and bare"""
    for profile in program.PROFILES:
        program.compiled("gen", "-q", "--profile", profile)
        used = {name for name in EVERYTHING_NAMED}
        rules_of(site(profile, groups={name: EVERYTHING_NAMED[name] for name in used}))


def no_shouting():
    """the rule set says nothing of the day, the machine or the version"""
    version = flowfw("--version").stdout.split()[1]
    for profile in program.PROFILES:
        rules = program.compiled("gen", "-q", "--profile", profile)
        for word in (version, str(program.SOURCE), str(program.HOME)):
            if word in rules:
                raise AssertionError(f"{profile}: {word} is in the rules")


def limits_of_input():
    """limits are told as such: too many extends, too deep, too many aliases"""
    folder = program.scratch()
    (folder / "site0.yaml").write_text("flowfw: 1\nsite: x\nextends: node\n", encoding="utf-8")
    for number in range(1, 200):
        (folder / f"site{number}.yaml").write_text(
            f"flowfw: 1\nsite: x\nextends: site{number - 1}.yaml\n", encoding="utf-8"
        )
    tap.equal(flowfw("gen", "-q", "--profile", "./site5.yaml", cwd=folder).returncode, OK)
    process = flowfw("gen", "-q", "--profile", "./site199.yaml", cwd=folder)
    tap.equal(process.returncode, program.INVALID, process.stderr)


# ---- gateways ----


def forwarded(table):
    """{(device, service, protocol, outside port, target)} of `list devices --long`."""
    found, device = set(), None
    for line in table.splitlines()[1:]:
        detail = re.fullmatch(r"    (\S+): (\d+)/(\w+) to (\S+)", line)
        if detail:
            service, port, protocol, target = detail.groups()
            found.add((device, service, protocol, int(port), target))
        else:
            device = line.split()[0]
    return found


def target_text(address, port):
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"


def ports_of_gateways():
    """`list devices --long` shows what random gateways forward, and how each device is called"""
    for seed in range(RANDOM_GATEWAYS):
        folder = program.scratch()
        gateways.write(seed, folder)
        found = meaning.read("site.yaml", folder, program.SOURCE / "profiles")
        wanted = {
            (device, service, {meaning.TCP: "tcp", meaning.UDP: "udp"}[protocol], port, target_text(address, number))
            for (_, protocol, port), (address, number, device, service) in found.translation.forwardings.items()
        }
        table = program.compiled("list", "devices", "--long", "--profile", "site.yaml", cwd=folder)
        tap.equal(forwarded(table), wanted, f"gateway {seed}")
        pairs = {}
        for device, service, _, port, target in wanted:
            if service in ("rest-api", "node"):
                pairs.setdefault((device, target.rpartition(":")[0]), {})[service] = port
        for (device, address), pair in pairs.items():
            if len(pair) == 2:
                family = 6 if address.startswith("[") else 4
                outside = next(one for one in found.translation.outside if one.version == family)
                login = f"{target_text(outside, pair['rest-api'])}:{pair['node']}"
                if not re.search(rf"^{device} +{re.escape(login)} +{re.escape(address)}:8088:5556 ", table, re.M):
                    raise AssertionError(f"gateway {seed}: {device} is not called by {login}:\n{table}")


def order_of_devices():
    """the order of devices and of keys in a gateway's file changes no byte"""
    for seed in range(RANDOM_GATEWAYS // 4):
        folder = program.scratch()
        document = gateways.write(seed, folder)
        first = program.compiled("gen", "-q", "./site.yaml", cwd=folder)
        (folder / "site.yaml").write_text(yaml.safe_dump(shuffled(document, seed), sort_keys=False), encoding="utf-8")
        tap.equal(program.compiled("gen", "-q", "./site.yaml", cwd=folder), first, f"gateway {seed}")


def one_more_device():
    """one device more is one line more in the list of devices, and one for each of its ports"""
    devices = [
        {"name": f"junction-{number}", "extends": "xroads", "address": f"10.8.0.{number}", "forward": {"base": 18000 + number}}
        for number in range(10, 60, 2)
    ]
    groups = {name: EVERYTHING_NAMED[name] for name in ("clients", "admins", "viewers", "subscribers", "cameras")}
    more = {"groups": groups, "outside": {"address": "198.51.100.7"}}
    first = rules_of(site("gateway", devices=devices, **more))
    new = {"name": "junction-90", "extends": "xroads", "address": "10.8.0.90", "forward": {"base": 18090}}
    lines = changed_lines(first, rules_of(site("gateway", devices=devices + [new], **more)))
    lines = [line for line in lines if not re.match(r". *\t*size ", line)]
    if len(lines) != 3 or not all(line[0] == "+" and "10.8.0.90" in line for line in lines):
        raise AssertionError("\n".join(lines))


RANDOM_GATEWAYS = 40
CHECKS = [
    port_list, port_table, remote_install, levels, order_of_keys, again, one_more_camera, one_more_port, hostile_names,
    options_anywhere, wrong_usage, help_texts, quiet, warnings_of_open_services, compiled_kinds, no_shouting,
    limits_of_input, ports_of_gateways, order_of_devices, one_more_device,
]

if __name__ == "__main__":
    sys.exit(tap.main(CHECKS))
