# SPDX-License-Identifier: GPL-2.0-or-later
"""What `verify --live` finds, and what it is right to ignore: rules that somebody changed in a running kernel.

Each case has a network namespace of its own with the rules of a host or a gateway in it, which first are proven. Then
something is done to them, and `verify --live` has to end as the case says, with a place named where it differs.
"""

import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
import netns  # noqa: E402
import program  # noqa: E402
import tap  # noqa: E402

FOREIGN = HERE.parent / "readback/iptables"
PROVEN, DIFFERENT, SYSTEM, UNPROVEN = 0, 1, 5, 6
ROUNDS = 20  # of the timer that runs while rules change
ROWS = ("newly-allowed", "newly-denied", "limits", "answers", "detours")
NOBODY = 65534

HOST = """
flowfw: 1
site: junction-17
extends: enterprise
groups:
  clients: [10.20.0.0/16, "2001:db8:20::/48"]
  admins: [10.20.5.10, 10.20.5.11, 10.20.5.12]
  cameras: [10.30.1.11, {address: 10.30.1.12, ports: 8554/tcp}]
services:
  ssh: {direction: input, ports: 22/tcp, from: admins, limit: 10/minute burst 6}
"""
GATEWAY = """
flowfw: 1
site: city-gateway
extends: gateway
interfaces: {outside: eth0, inside: eth1}
outside: {address: 198.51.100.7}
inside: {address: 10.8.0.1, networks: [10.8.0.0/24]}
masquerade: on
hairpin: on
groups:
  clients: [203.0.113.0/25]
devices:
  - {name: junction-17, extends: xroads, address: 10.8.0.17, forward: {rest-api: 18088, node: 15556}}
  - {name: junction-18, extends: xroads, address: 10.8.0.18, forward: {base: 18100}}
"""
RANDOM = "meta random & 1 == 1 drop"  # what no reader understands
SITES = {"host": HOST, "gateway": GATEWAY}


def chain(where, hook, priority, *rules, policy="accept", kind="filter"):
    """A table of somebody else's, "inet filter", with one chain that has the hook's name."""
    head = f"type {kind} hook {hook} priority {priority}; policy {policy}"
    return "\n".join((f"table {where} {{", f"chain {hook} {{", head, *rules, "}", "}", ""))


def on_input(priority, *rules, policy="accept"):
    return chain("inet filter", "input", priority, *rules, policy=policy)


class Device:
    """A host or gateway that runs what flowfw made of its profile."""

    def __init__(self, kind, load="nft"):
        self.host = netns.Host(kind)
        self.folder = program.scratch()
        self.profile = self.folder / "site.yaml"
        self.profile.write_text(SITES[kind], encoding="utf-8")
        getattr(self, f"load_{load}")()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.host.stop()

    # ---- loading ----

    def gen(self, *arguments):
        return program.compiled("gen", "-q", *arguments, "--profile", self.profile)

    def load_nft(self):
        self.options = ()
        self.nft(self.gen())

    def load_iptables(self, variant, *options):
        """Rules of both families, as a host of that kind has them."""
        self.options = ()
        for backend, tool in (("iptables", "iptables"), ("ip6tables", "ip6tables")):
            sets = ["--ipset-output", self.folder / "sets"] if "ipset" in options else []
            text = self.gen("-b", backend, *options, *sets)
            if sets:
                self.host.run("ipset", "restore", text=(self.folder / "sets").read_text(encoding="utf-8"))
            self.host.run(f"{tool}-{variant}-restore", "--noflush", text=text)
            for base in ("INPUT", "OUTPUT"):
                self.host.run(f"{tool}-{variant}", "-I", base, "1", "-j", f"FLOWFW-{base}")

    def load_iptables_nft(self):
        self.load_iptables("nft")

    def load_iptables_legacy(self):
        self.load_iptables("legacy")

    def load_ipset_nft(self):
        self.load_iptables("nft", "-O", "ipset")

    def load_ipset_legacy(self):
        self.load_iptables("legacy", "-O", "ipset")

    # ---- what happens to it ----

    def nft(self, text):
        return self.host.run("nft", "-a", "-f", "-", text=text)[1]

    def run(self, command, text=None):
        return self.host.run(*command.split(), text=text)[1]

    def handle(self, chain, part):
        """Of the first rule of a chain, "inet flowfw input", that has this part."""
        for line in self.run(f"nft -a list chain {chain}").splitlines():
            if part in line:
                return re.search(r"# handle (\d+)$", line)[1]
        raise AssertionError(f"no rule of {chain} has {part!r}")

    def foreign(self, name, tool, change=lambda text: text):
        """Somebody else's rules, of a file of tests/readback."""
        text = (FOREIGN / name).read_text(encoding="utf-8")
        text = "".join(line for line in text.splitlines(True) if not line.startswith("#"))
        self.host.run(tool, "--noflush", text=change(text))

    def verify(self, *arguments):
        """The finished run of `verify --live` in there."""
        return self.host.call(program.flowfw, "verify", "--live", *arguments, "--profile", str(self.profile))

    def expect(self, status, *parts):
        """Runs it: how it ends, and what it names on stdout or stderr."""
        process = self.verify()
        said = process.stdout + process.stderr
        assert process.returncode == status, f"exit {process.returncode}, not {status}\n{said}"
        for part in parts:
            assert part in said, f"it does not say {part!r}\n{said}"
        return process


def case(kind, status, *parts, load="nft", name=None):
    """A check: the device is proven, then the function does something to it, and verify ends like this. Parts of the
    output that are known only then are what the function returns."""

    def made(function):
        def check():
            with Device(kind, load) as device:
                device.expect(PROVEN, "proven")
                more = function(device) or ()
                device.expect(status, *parts, *([more] if isinstance(more, str) else more))

        of = kind if load == "nft" else f"{kind} of {load.replace('_', '-')}"
        check.__doc__ = f"{of}: {name or function.__doc__}"
        CHECKS.append(check)
        return function

    return made


CHECKS = []

# ---- what is found ----


@case("host", DIFFERENT, "Newly denied", "input 5556/tcp", "inet flowfw input")
def deleted_rule(device):
    """a deleted rule"""
    device.run(f"nft delete rule inet flowfw input handle {device.handle('inet flowfw input', 'node')}")


@case("gateway", DIFFERENT, "Newly denied", "forward 8088/tcp", "inet flowfw forward")
def deleted_rule_of_gateway(device):
    """a deleted rule"""
    device.run(f"nft delete rule inet flowfw forward handle {device.handle('inet flowfw forward', 'rest-api')}")


@case("gateway", DIFFERENT, "own address before, not translated after")
def deleted_masquerade(device):
    """a deleted masquerade rule"""
    device.run(f"nft delete rule ip flowfw_nat postrouting handle {device.handle('ip flowfw_nat postrouting', 'masquerade')}")


@case("gateway", DIFFERENT, "18088")
def changed_map(device):
    """a forwarded port that leads elsewhere"""
    name = "ip flowfw_nat ipv4_rest-api_forward_tcp-8088"
    device.nft(f"delete element {name} {{ 18088 : 10.8.0.17 }}; add element {name} {{ 18088 : 10.8.0.99 }}")


@case("host", DIFFERENT, "Newly allowed", "input 31337/tcp")
def inserted_accept(device):
    """an inserted accept, by its handle"""
    device.run("nft insert rule inet flowfw input tcp dport 31337 accept")
    return f"inet flowfw input handle {device.handle('inet flowfw input', '31337')}"


@case("gateway", DIFFERENT, "Newly allowed")
def inserted_accept_of_gateway(device):
    """an inserted accept, by its handle"""
    device.run("nft insert rule inet flowfw forward ip daddr 10.8.0.18 tcp dport 23 accept")
    return f"inet flowfw forward handle {device.handle('inet flowfw forward', 'dport 23')}"


@case("host", DIFFERENT, "Newly allowed", "10.20.5.99")
def added_element(device):
    """an added element"""
    device.nft("add element inet flowfw ipv4_admins { 10.20.5.99 }")
    return f"inet flowfw input handle {device.handle('inet flowfw input', 'tcp dport 22')}"


@case("host", DIFFERENT, "Newly denied", "10.20.5.11")
def removed_element(device):
    """a removed element"""
    device.nft("delete element inet flowfw ipv4_admins { 10.20.5.11 }")


@case("host", DIFFERENT, "Newly allowed", "10.21.0.0")
def wider_element(device):
    """a prefix that is wider"""
    device.nft(
        "delete element inet flowfw ipv4_clients { 10.20.0.0/16 }; add element inet flowfw ipv4_clients { 10.20.0.0/15 }"
    )


@case("host", DIFFERENT, "Newly allowed", "inet flowfw input")
def changed_policy(device):
    """a changed policy"""
    device.nft("chain inet flowfw input { policy accept; }")


@case("host", DIFFERENT, "Newly denied", "inet flowfw output")
def flushed_chain(device):
    """a flushed chain"""
    device.run("nft flush chain inet flowfw output")


@case("gateway", DIFFERENT)
def flushed_nat(device):
    """a flushed chain of translations"""
    device.run("nft flush chain ip flowfw_nat prerouting")


@case("host", DIFFERENT, "Newly allowed")
def deleted_table(device):
    """a deleted table"""
    device.run("nft delete table inet flowfw")


@case("gateway", DIFFERENT, "Newly allowed")
def deleted_ruleset(device):
    """no rules any more"""
    device.run("nft flush ruleset")


@case("host", DIFFERENT, "10/minute")
def changed_rate(device):
    """another rate"""
    device.nft("delete table inet flowfw\n" + device.gen().replace("rate 10/minute burst 6", "rate 10/second burst 6"))


@case("host", DIFFERENT, "established")
def changed_states(device):
    """replies that are dropped"""
    device.run("nft insert rule inet flowfw input ct state established drop")


# ---- foreign rules that override ----


@case("host", DIFFERENT, "Newly denied")
def foreign_drop(device):
    """a drop of somebody else's, behind"""
    device.nft(on_input(10, "tcp dport 8088 drop"))
    return f"inet filter input handle {device.handle('inet filter input', '8088')}"


@case("host", DIFFERENT, "Newly denied")
def foreign_drop_before(device):
    """a drop of somebody else's, in front"""
    device.nft(on_input(-150, "ip saddr 10.20.0.0/16 drop"))
    return f"inet filter input handle {device.handle('inet filter input', 'drop')}"


@case("host", DIFFERENT, "Newly denied", "inet filter input")
def foreign_policy(device):
    """a chain of somebody else's whose policy is drop"""
    device.nft(on_input(5, "tcp dport 22 accept", policy="drop"))


@case("host", DIFFERENT, "Newly denied", "prerouting")
def foreign_prerouting(device):
    """a drop of somebody else's before routing"""
    device.nft(chain("ip mangle", "prerouting", -150, "udp dport 55570 drop"))


@case("gateway", DIFFERENT, "Newly denied")
def foreign_forward(device):
    """a drop of somebody else's"""
    device.nft(chain("ip other", "forward", 1, "ip daddr 10.8.0.17 tcp dport 8088 drop"))
    return f"ip other forward handle {device.handle('ip other forward', '8088')}"


@case("host", DIFFERENT)
def foreign_reject(device):
    """a reject of somebody else's, where ours drops"""
    device.nft(on_input(-10, "tcp dport 9 reject"))


def by_iptables(variant):
    by = f"by iptables-{variant}"

    @case("host", DIFFERENT, "Newly denied", name=f"{by}, a rule that drops")
    def rule(device):
        device.run(f"iptables-{variant} -A INPUT -p tcp --dport 8088 -j DROP")

    @case("host", DIFFERENT, "Newly denied", name=f"{by}, a policy that drops")
    def policy(device):
        device.run(f"iptables-{variant} -P INPUT DROP")
        device.run(f"iptables-{variant} -A INPUT -i lo -j ACCEPT")

    @case("host", DIFFERENT, "Newly denied", name=f"{by}, a rule of IPv6")
    def sixth(device):
        device.run(f"ip6tables-{variant} -A OUTPUT -p tcp --dport 443 -j REJECT")

    @case("gateway", DIFFERENT, "Newly denied", name=f"{by}, the policy of FORWARD")
    def forward(device):
        device.run(f"iptables-{variant} -P FORWARD DROP")

    @case("host", DIFFERENT, "Newly denied", name=f"{by}, INPUT DROP of libvirt")
    def libvirt(device):
        device.foreign("libvirt.v4", f"iptables-{variant}-restore")


for one in ("nft", "legacy"):
    by_iptables(one)


@case("host", DIFFERENT, "8088")
def foreign_dnat(device):
    """somebody else's translation of a port of ours"""
    device.nft(chain("ip nat", "prerouting", -100, "tcp dport 8088 dnat to 172.17.0.2:80", kind="nat"))


@case("host", DIFFERENT, "8088")
def docker_takes(device):
    """docker's translation of a port of ours"""
    device.foreign("docker.v4", "iptables-nft-restore", lambda text: text.replace("--dport 8080", "--dport 8088"))


@case("gateway", DIFFERENT, "18088")
def foreign_dnat_of_gateway(device):
    """somebody else's translation of a forwarded port, in front"""
    device.nft(chain("ip nat", "prerouting", -110, "tcp dport 18088 dnat to 10.8.0.99:80", kind="nat"))


@case("host", DIFFERENT, "Translation", "ip nat")
def foreign_dnat_of_what_is_sent(device):
    """what a host sends is sent elsewhere"""
    device.nft(chain("ip nat", "output", -100, "udp dport 123 dnat to 203.0.113.66", kind="nat"))


@case("host", PROVEN)
def foreign_dnat_of_loopback(device):
    """what a host sends to itself is sent to a container, as docker does it"""
    rule = "ip daddr != 127.0.0.0/8 fib daddr type local tcp dport 443 dnat to 172.17.0.2:443"
    device.nft(chain("ip nat", "output", -100, rule, kind="nat"))


@case("gateway", UNPROVEN, "another one may come before", "iptables-legacy-save")
def foreign_dnat_of_legacy(device):
    """another translation by the older iptables, of which nobody knows whether it comes first"""
    to = "DNAT --to-destination 10.8.0.99:8088"
    device.run(f"iptables-legacy -t nat -A PREROUTING -i eth0 -p tcp --dport 18088 -j {to}")


# ---- what is ignored ----


@case("host", PROVEN, "proven")
def other_handles(device):
    """a rule that is deleted and added again"""
    handle = device.handle("inet flowfw input", "node")
    rule = next(line for line in device.run("nft list chain inet flowfw input").splitlines() if '"node"' in line).strip()
    device.nft(f"add rule inet flowfw input {rule}\ndelete rule inet flowfw input handle {handle}")


@case("host", PROVEN, "proven")
def loaded_again(device):
    """the same rules loaded once more"""
    device.load_nft()


@case("gateway", PROVEN, "proven")
def loaded_again_of_gateway(device):
    """the same rules loaded once more"""
    device.load_nft()


def send():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"counted", ("127.0.0.1", 9))


@case("host", PROVEN, "proven")
def counting(device):
    """counters that count"""
    device.nft(re.sub(r"\baccept comment", "counter accept comment", device.gen()))
    device.host.call(send)
    assert re.search(r"packets [1-9]", device.run("nft list ruleset")), "nothing was counted"


@case("host", PROVEN, "proven")
def order_of_elements(device):
    """elements in another order"""
    device.nft("flush set inet flowfw ipv4_admins; add element inet flowfw ipv4_admins { 10.20.5.12, 10.20.5.10, 10.20.5.11 }")


@case("host", PROVEN, "proven")
def foreign_accept(device):
    """an accept of somebody else's, which overrides nothing"""
    device.nft(on_input(-10, "tcp dport 31337 accept"))


@case("host", PROVEN, "proven")
def foreign_counters(device):
    """a table that counts"""
    device.nft(on_input(-300, "counter", "tcp dport 8088 counter", 'log prefix "seen "'))


@case("host", PROVEN, "proven")
def other_hooks(device):
    """rules on a hook that the profile leaves alone"""
    device.nft(chain("ip other", "forward", 0, "tcp dport 8088 accept", policy="drop"))


@case("host", PROVEN, "proven")
def not_understood_elsewhere(device):
    """what nobody understands, on a hook that the profile leaves alone"""
    device.nft(chain("ip other", "forward", 0, RANDOM))


@case("host", PROVEN, "proven")
def own_drop_again(device):
    """a drop of somebody else's, of what ours drops"""
    device.nft(on_input(20, 'ct state new iifname != "lo" tcp dport 31337 drop'))


@case("host", PROVEN, "proven")
def foreign_family(device):
    """tables of bridges and of devices"""
    device.nft(chain("bridge other", "forward", 0, policy="drop"))


def harmless(text):
    return text.replace(":INPUT DROP", ":INPUT ACCEPT")


def ignored(variant, rules):
    @case("host", PROVEN, "proven", name=f"the rules of {rules}, by iptables-{variant}-restore")
    def load(device):
        device.foreign(f"{rules}.v4", f"iptables-{variant}-restore", harmless)


for one in ("nft", "legacy"):
    for other in ("docker", "docker-raw", "libvirt"):
        ignored(one, other)


@case("host", PROVEN, "proven", "both iptables")
def both_iptables(device):
    """docker's rules by both iptables at once, which is said"""
    device.foreign("docker.v4", "iptables-nft-restore")
    device.foreign("docker.v4", "iptables-legacy-restore")


# ---- what is not understood ----


@case("host", UNPROVEN, "unproven")
def not_understood(device):
    """what nobody understands, on a hook of ours, by its place"""
    device.nft(on_input(-5, RANDOM))
    return f"inet filter input handle {device.handle('inet filter input', 'random')}"


@case("host", UNPROVEN, "unproven", "inet flowfw input handle")
def not_understood_inside(device):
    """what nobody understands, in a chain of flowfw's"""
    device.run("nft insert rule inet flowfw input meta cpu 1 accept")


@case("host", UNPROVEN, "unproven", "iptables-nft-save", "string")
def not_understood_iptables(device):
    """a match of iptables that nobody understands"""
    device.run("iptables-nft -A INPUT -m string --algo bm --string x -j DROP")


@case("host", UNPROVEN, "unproven", "iptables-legacy-save", "string")
def not_understood_legacy(device):
    """a match of iptables-legacy that nobody understands"""
    device.run("iptables-legacy -A INPUT -m string --algo bm --string x -j DROP")


# ---- a host whose rules are iptables' ----


def live_iptables(load, variant):
    def made(status, name, *parts):
        return case("host", status, *parts, load=load, name=name)

    @made(DIFFERENT, "a deleted rule", "Newly denied")
    def deleted(device):
        rule = "FLOWFW-INPUT -p udp -m udp --dport 55570 -m comment --comment udp-sinks -j ACCEPT"
        device.run(f"iptables-{variant} -D {rule}")

    @made(DIFFERENT, "an inserted accept", "Newly allowed", "31337")
    def inserted(device):
        device.run(f"iptables-{variant} -I INPUT 1 -p tcp --dport 31337 -j ACCEPT")

    @made(DIFFERENT, "a chain that nobody calls any more", "Newly allowed")
    def uncalled(device):
        device.run(f"iptables-{variant} -D INPUT -j FLOWFW-INPUT")

    @made(DIFFERENT, "a flushed chain")
    def flushed(device):
        device.run(f"ip6tables-{variant} -F FLOWFW-OUTPUT")

    @made(DIFFERENT, "a drop of nft's", "Newly denied", "inet filter input handle")
    def by_nft(device):
        device.nft(on_input(10, "tcp dport 8088 drop"))

    @made(PROVEN, "docker's rules", "proven")
    def docker(device):
        device.foreign("docker.v4", f"iptables-{variant}-restore")

    @made(PROVEN, "rules behind those of flowfw's, which never decide", "proven")
    def behind(device):
        device.run(f"iptables-{variant} -A INPUT -p tcp --dport 31337 -j ACCEPT")


for one in ("nft", "legacy"):
    live_iptables(f"iptables_{one}", one)


def changed_sets(load):
    @case("host", DIFFERENT, "Newly allowed", "10.20.5.99", load=load, name="an added element")
    def added(device):
        device.run("ipset add flowfw4-admins 10.20.5.99")

    @case("host", DIFFERENT, "Newly denied", "10.20.5.12", load=load, name="a removed element")
    def removed(device):
        device.run("ipset del flowfw4-admins 10.20.5.12")

    @case("host", PROVEN, "proven", load=load, name="a set that nobody asks")
    def unused(device):
        device.run("ipset create other hash:ip")
        device.run("ipset add other 192.0.2.1")


for one in ("nft", "legacy"):
    changed_sets(f"ipset_{one}")


# ---- other forms ----


def check_json():
    """--json of what runs: the verdict, the packet and the rule"""
    with Device("host") as device:
        said = json.loads(device.verify("--json").stdout)
        tap.equal((said["verdict"], said["rules"], said["unknown"]), ("proven", "live", []), "before")
        device.run("nft insert rule inet flowfw input tcp dport 31337 accept")
        handle = device.handle("inet flowfw input", "31337")
        said = json.loads(device.verify("--json").stdout)
        tap.equal(said["verdict"], "different", "verdict")
        row = said["newly-allowed"][0]
        tap.equal((row["packet"]["hook"], row["packet"]["port"]), ("input", 31337), "packet")
        assert f"inet flowfw input handle {handle}" in str(row["rule-after"]), row["rule-after"]
        device.nft(on_input(-5, RANDOM))
        said = json.loads(device.verify("--json").stdout)
        tap.equal(said["verdict"], "unproven", "verdict")
        handle = device.handle("inet filter input", "random")
        tap.equal([one["place"] for one in said["unknown"]], [f"inet filter input handle {handle}"], "places")
        tap.equal([one["hook"] for one in said["unknown"]], ["input"], "hooks")


def as_nobody(profile):
    """`verify --live`, in a process that has no rights."""

    def drop():
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)

    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        for part in ("profiles", "templates"):
            shutil.copytree(program.SOURCE / part, folder / part)
        shutil.copy(program.BINARY, folder / "flowfw")
        (folder / "site.yaml").write_text(Path(profile).read_text(encoding="utf-8"), encoding="utf-8")
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o755 if path.is_dir() or path.name == "flowfw" else 0o644)
        clean = program.environment(HOME="/nonexistent", FLOWFW_DATADIR=name)
        return subprocess.run(
            [folder / "flowfw", "verify", "--live", "site.yaml"], cwd=folder, env=clean, preexec_fn=drop,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)


def check_unprivileged():
    """without rights: exit 5, and why"""
    if os.geteuid() != 0:
        raise tap.Skip("not root to begin with")
    with Device("host") as device:
        process = device.host.call(as_nobody, str(device.profile))
    assert process.returncode == SYSTEM, f"exit {process.returncode}\n{process.stdout}{process.stderr}"
    tap.equal(process.stdout, "", "stdout")
    assert re.search(r"permi|right|root|CAP_NET_ADMIN", process.stderr), process.stderr
    tap.equal(process.stderr.count("error:"), 1, "errors")


def check_without_rules():
    """a host with no rules at all is different, not unproven"""
    with Device("host") as device:
        device.run("nft flush ruleset")
        process = device.expect(DIFFERENT, "Newly allowed")
        assert "unproven" not in process.stdout, process.stdout


# ---- a timer ----


def commotion(text, seed):
    """Rules that change without end: those of flowfw's are loaded anew, others come and go."""
    chance = random.Random(seed)
    element = "element inet flowfw ipv4_clients { 10.77.0.0/16 }\n"
    ways = (
        text,
        on_input(5, "tcp dport 31337 accept"),
        "delete table inet filter",
        "add " + element,
        "delete " + element,
        "insert rule inet flowfw input tcp dport 31337 accept",
    )
    while True:
        netns.run(("nft", "-f", "-"), chance.choice(ways), check=False)


def verify_often(profile, text, seed):
    """Inside a host: `verify --live`, ROUNDS times, while another process changes the rules."""
    pid = os.fork()
    if pid == 0:
        try:
            commotion(text, seed)
        finally:
            os._exit(1)
    try:
        return [program.flowfw("verify", "--live", "--json", "--profile", profile) for _ in range(ROUNDS)]
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def check_timer():
    """run over and over while rules change: each time a whole answer"""
    with Device("host") as device:
        seed = os.environ.get("FLOWFW_SEED", "flowfw")
        found = device.host.call(verify_often, str(device.profile), device.gen(), seed)
        for process in found:
            said = f"exit {process.returncode}\n{process.stdout}{process.stderr}"
            assert process.returncode in (PROVEN, DIFFERENT), said
            answer = json.loads(process.stdout)
            tap.equal(answer["verdict"] == "proven", process.returncode == PROVEN, "verdict")
            # Nothing else is ever seen: the rules of flowfw's are replaced as a whole.
            rows = [row["words"] for key in ROWS for row in answer[key]]
            strange = [words for words in rows if not re.search(r"31337|10\.77\.", words)]
            assert not strange, f"half of the rules: {strange}"
        device.run("nft flush ruleset")
        device.load_nft()
        device.expect(PROVEN, "proven")


def main():
    checks = tap.Tap()
    wanted = sys.argv[1:]
    try:
        netns.enter()
    except tap.Skip as skip:
        checks.skip("what runs", skip)
        return checks.done()
    for check in [*CHECKS, check_json, check_unprivileged, check_without_rules, check_timer]:
        name = check.__doc__.splitlines()[0]
        if not wanted or any(word in name for word in wanted):
            checks.run(name, check)
    return checks.done()


if __name__ == "__main__":
    sys.exit(main())
