# SPDX-License-Identifier: GPL-2.0-or-later
"""flowfw verify and gen --verify as an admin meets them: verdicts, exit statuses, mistakes, rights, what runs."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import fleets  # noqa: E402
import netns  # noqa: E402
import program  # noqa: E402
import tap  # noqa: E402
from program import DIFFERS, INVALID, OK, SYSTEM, UNPROVEN, USAGE, flowfw  # noqa: E402

DOCKER = [program.SOURCE / f"tests/readback/iptables/{name}.v4" for name in ("docker", "docker-raw")]
SITE = """flowfw: 1
site: junction-17
extends: node
groups:
  clients: [10.20.0.0/16, 10.21.0.1, 2001:db8:20::/48]
services:
  ssh: {direction: input, ports: 22/tcp, from: clients, limit: 10/minute burst 5 per source}
"""
SUFFIXES = {"nftables": ".nft", "iptables": ".v4", "ip6tables": ".v6", "pf": ".conf"}
FORWARDED = "table inet other {\n\tchain x {\n\t\ttype filter hook input priority -5;\n\t\ttcp dport 5556 drop\n\t}\n}\n"
OWN_NAMESPACE = ["unshare", "--net"]


class Rules:
    """A site, and its rule sets as files of a folder."""

    def __init__(self):
        self.folder = program.scratch()
        self.put("site.yaml", SITE)
        for backend, suffix in SUFFIXES.items():
            self.put("rules" + suffix, program.compiled("gen", "-q", "-b", backend, "site.yaml", cwd=self.folder))

    def put(self, name, text):
        path = self.folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def text(self, name):
        return (self.folder / name).read_text(encoding="utf-8")

    def edited(self, name, pattern, replacement, count=1):
        """A rule set with a change, under another name of the same kind."""
        text, changes = re.subn(pattern, replacement, self.text(name), count=count, flags=re.M)
        assert changes, f"{name} has no {pattern}"
        return self.put("edited" + Path(name).suffix, text).name

    def verify(self, *arguments, **options):
        return flowfw("verify", *arguments, cwd=self.folder, **options)

    def gen(self, *arguments, **options):
        return flowfw("gen", *arguments, cwd=self.folder, **options)


def said(process, status, *texts, without=()):
    tap.equal(process.returncode, status, f"exit status\n{process.stdout}{process.stderr}\nexit status")
    for text in texts:
        if text not in process.stdout + process.stderr:
            raise AssertionError(f"lacks {text!r}:\n{process.stdout}{process.stderr}")
    for text in without:
        if text in process.stdout + process.stderr:
            raise AssertionError(f"has {text!r}:\n{process.stdout}{process.stderr}")
    return process


def proven(rules):
    """what gen made is proven, on every backend, by the file's name or by options"""
    line = "it does what junction-17 says"
    process = said(rules.verify("site.yaml", "rules.nft"), OK)
    tap.equal((process.stdout, process.stderr), (f"rules.nft: proven; {line}\n", ""), "stdout, stderr")
    said(rules.verify("site.yaml", "rules.v4"), OK, f"rules.v4: proven for IPv4; {line}", "stricter")
    said(rules.verify("-q", "-p", "site.yaml", "rules.v6"), OK, f"rules.v6: proven for IPv6; {line}")
    said(rules.verify("site.yaml", "rules.conf"), OK, f"rules.conf: proven; {line}")
    said(rules.verify("--profile", "site.yaml", "-", input=rules.text("rules.nft").encode()), OK, f"-: proven; {line}")
    said(rules.verify("site.yaml", "-b", "iptables", "-", input=rules.text("rules.v4").encode()), OK, "-: proven")
    rules.put("freebsd", rules.gen("-q", "-b", "pf", "-O", "dialect=freebsd", "site.yaml").stdout)
    said(rules.verify("-b", "pf", "-O", "dialect=freebsd", "--frame", "anchor", "site.yaml", "freebsd"), OK, "proven")
    rules.put("sets.v4", rules.gen("-q", "-b", "iptables", "-O", "ipset", "--ipset-output", "sets", "site.yaml").stdout)
    said(rules.verify("--ipset", "sets", "site.yaml", "sets.v4"), OK, "proven for IPv4")


def differences(rules):
    """a rule that is gone, one that is new, another verdict, another element, a foreign table: told with its rule"""
    gone = said(rules.verify("site.yaml", rules.edited("rules.nft", r"^.*tcp dport 5556 .*\n", "")), DIFFERS,
                "edited.nft: different from junction-17", "Newly denied", "input 5556/tcp", "inet flowfw input policy")
    assert "Newly allowed" not in gone.stdout and gone.stderr == "", gone.stderr
    new = rules.edited("rules.nft", r"^(\s*)(.*tcp dport 5556 )", r"\1tcp dport 23 accept\n\1\2")
    said(rules.verify("site.yaml", new), DIFFERS, "Newly allowed", "input 23/tcp", ": tcp dport 23 accept", "handle ")
    said(rules.verify("site.yaml", rules.edited("rules.nft", r"(tcp dport 5556 .*)accept", r"\1drop")), DIFFERS,
         "Newly denied", "input 5556/tcp")
    said(rules.verify("site.yaml", rules.edited("rules.nft", r"10\.21\.0\.1", "10.21.0.2")), DIFFERS, "Newly denied",
         "Newly allowed", "10.21.0.2", "10.21.0.1")
    said(rules.verify("site.yaml", rules.put("edited.nft", rules.text("rules.nft") + FORWARDED)), DIFFERS,
         "by inet other x handle", "tcp dport 5556 drop")
    line = rules.text("rules.v4").splitlines().index("COMMIT") + 1
    edited = rules.edited("rules.v4", r"^COMMIT", "-I FLOWFW-INPUT -p tcp --dport 23 -j ACCEPT\nCOMMIT")
    said(rules.verify("site.yaml", edited), DIFFERS, f"edited.v4:{line}: -I FLOWFW-INPUT -p tcp --dport 23")
    said(rules.verify("site.yaml", rules.put("edited.conf", "pass\n")), DIFFERS, "edited.conf:1: pass")
    said(rules.verify("--set", "services.ssh=off", "site.yaml", "rules.nft"), DIFFERS, "input 22/tcp from clients")
    process = said(rules.verify("site.yaml", rules.put("hand.nft", FORWARDED).name), DIFFERS)
    tap.equal(process.stdout.splitlines()[0], "hand.nft: different from junction-17; no rule in it is flowfw's")


def shares_of_limits(rules):
    """pf parts a limit among its rules: the parts together are the limit, and no less"""
    rules.put("limits.yaml", SITE + "  ping: {direction: input, icmp: echo-request, icmpv6: echo-request, from: clients, "
              "limit: 10/second burst 20}\n")
    rules.put("limits.conf", rules.gen("-q", "-b", "pf", "limits.yaml").stdout)
    said(rules.verify("limits.yaml", "limits.conf"), OK, "proven")
    for pattern, share in ((r"max-pkt-rate 10/2", "max-pkt-rate 2/2"), (r"max-src-conn-rate 5/30", "max-src-conn-rate 1/30")):
        for count in (0, 1):
            edited = re.sub(pattern, share, rules.text("limits.conf"), count=count)
            assert share in edited, edited
            said(rules.verify("limits.yaml", rules.put("edited.conf", edited)), DIFFERS, "Other limits")


def escaped(rules):
    """names of files and texts of rules move no cursor and make no lines"""
    name = "a\n\x1b[31m.v4"
    comment = "-m comment --comment \"\x1b[2J\""
    text = rules.text("rules.v4")
    rules.put(name, text.replace("COMMIT", f"-I FLOWFW-INPUT -p tcp --dport 23 {comment} -j ACCEPT\nCOMMIT", 1))
    said(rules.verify("site.yaml", name), DIFFERS, "a\\n\\x1b[31m.v4: different", "by a\\n\\x1b[31m.v4:",
         "\\x1b[2J", without=["\x1b", "a\n"])
    found = json.loads(rules.verify("--json", "site.yaml", name).stdout)
    tap.equal(found["rules"], name, "JSON")
    rules.put(name, text.replace("COMMIT", "-I FLOWFW-INPUT -m \x1b[2J -j ACCEPT\nCOMMIT", 1))
    said(rules.verify("site.yaml", name), UNPROVEN, "\\x1b[2J", without=["\x1b", "a\n"])


def nothing_and_garbage(rules):
    """an empty file lets everything pass; what is no rule set is refused or unproven, whatever bytes it holds"""
    for suffix in SUFFIXES.values():
        said(rules.verify("site.yaml", rules.put("empty" + suffix, "")), DIFFERS, "Newly allowed")
    garbage = bytes(range(256)) * 64
    process = said(rules.verify("site.yaml", rules.put("garbage.nft", garbage)), SYSTEM, "[nft-refused]")
    tap.equal(process.stdout, "", "stdout")
    for suffix in (".v4", ".v6", ".conf"):
        said(rules.verify("site.yaml", rules.put("garbage" + suffix, garbage)), UNPROVEN, "unproven; ")
    cut = rules.text("rules.nft") + "\0table inet hidden { }\n"
    said(rules.verify("site.yaml", rules.put("nul.nft", cut)), SYSTEM, "nul.nft:", "[nft-refused]")


def refusals(rules):
    """what nft has against a file is told at its line"""
    rules.put("bad.nft", "table inet x {\n\tchain y {\n\t\tfoo\t bar\n\t}\n}\n")
    process = said(rules.verify("site.yaml", "bad.nft"), SYSTEM, "bad.nft:3:3: error: nft does not take 'bad.nft': ")
    assert "    3 | \t\tfoo\t bar\n      | \t\t^~~" in process.stderr, process.stderr
    rules.put("bad.nft", "table inet x {\n\tchain y {\n\t\tiif eth77 drop\n\t}\n}\n")
    said(rules.verify("site.yaml", "bad.nft"), SYSTEM, "bad.nft:3:7: error: ", "hint: ", "iifname")
    rules.put("bad.nft", "define x = 1\ninclude \"./inner.nft\"\n")
    rules.put("inner.nft", "table inet x {\n\tbroken\n")
    said(rules.verify("site.yaml", "bad.nft"), SYSTEM, "bad.nft:2:1: error: ", "inner.nft:2:")


def remarks(rules):
    """includes work from the file's folder, a flush does no harm, and both are said, unless in comments and texts"""
    (rules.folder / "deep").mkdir()
    rules.put("deep/inner.nft", rules.text("rules.nft"))
    rules.put("deep/outer.nft", '# include "x"\nflush ruleset\ninclude "./inner.nft"\n')
    warnings = ("deep/outer.nft:2: 'flush ruleset'", "deep/outer.nft:3: 'include'", "[rule-set-remark]")
    process = said(rules.verify("site.yaml", "deep/outer.nft"), OK, *warnings, without=["outer.nft:1"])
    said(rules.verify("-q", "site.yaml", "deep/outer.nft"), OK, without=warnings)
    found = json.loads(rules.verify("--json", "site.yaml", "deep/outer.nft").stdout)
    tap.equal((found["verdict"], len(found["remarks"])), ("proven", 2), "JSON")
    text = rules.text("rules.nft").replace('comment "ssh"', 'comment "flush ruleset; include x"')
    process = said(rules.verify("site.yaml", rules.put("comment.nft", text)), OK)
    tap.equal(process.stderr, "", "stderr")


def unproven(rules):
    """what is not understood is told with its place, and what differs apart from it, too"""
    edited = rules.edited("rules.nft", r"^(\s*)(.*tcp dport 5556 )", r'\1meta mark 7 accept\n\1tcp dport 23 accept\n\1\2')
    said(rules.verify("site.yaml", edited), UNPROVEN, "edited.nft: unproven; 1 thing in it is not understood",
         "'meta mark'", "handle", "Newly allowed", "input 23/tcp")
    found = json.loads(rules.verify("--json", "site.yaml", edited).stdout)
    tap.equal(found["verdict"], "unproven", "verdict")
    assert "mark" in found["unknown"][0]["what"] and found["unknown"][0]["place"].startswith("inet flowfw input handle")
    edited = rules.edited("rules.v4", r"^COMMIT", "-I FLOWFW-INPUT -m string --string x --algo bm -j ACCEPT\nCOMMIT")
    said(rules.verify("site.yaml", edited), UNPROVEN, "edited.v4:", "string")
    # A translation matters to a host where it may take away what comes in, or change what goes out.
    for chain, port, status in (("PREROUTING", 5556, UNPROVEN), ("PREROUTING", 8080, OK), ("OUTPUT", 5556, UNPROVEN)):
        rule = f"-A {chain} -p tcp --dport {port} -m string --string x --algo bm -j DNAT --to-destination 172.17.0.2"
        nat = f"*nat\n:PREROUTING ACCEPT\n:OUTPUT ACCEPT\n{rule}\nCOMMIT\n"
        said(rules.verify("site.yaml", rules.put("edited.v4", rules.text("rules.v4") + nat)), status)


def machines(rules):
    """--json has the verdict, both names, the family, and rows with the rules that decide"""
    found = json.loads(rules.verify("--json", "site.yaml", "rules.v4").stdout)
    tap.equal([found[key] for key in ("verdict", "profile", "rules", "family", "newly-allowed", "newly-denied")],
              ["proven", "junction-17", "rules.v4", "IPv4", [], []], "JSON")
    edited = rules.edited("rules.nft", r"^(\s*)(.*tcp dport 5556 )", r"\1tcp dport 23 accept\n\1\2")
    process = said(rules.verify("--json", "site.yaml", edited), DIFFERS)
    found = json.loads(process.stdout)
    tap.equal((found["verdict"], found["family"], found["unknown"]), ("different", None, []), "JSON")
    (row,) = found["newly-allowed"]
    assert row["rule-after"]["text"] == "tcp dport 23 accept" and row["packet"]["port"] == 23, row
    packet = {key: row["packet"].get(key) for key in ("flags", "hop-limit", "state", "translated")}
    tap.equal(packet, {"flags": 2, "hop-limit": None, "state": "new", "translated": False}, "packet")
    rules.put("loose.conf", "block in all\npass in proto icmp max-pkt-rate 10/2\n")
    found = json.loads(rules.verify("--json", "--set", "base.forward=drop", "site.yaml", "loose.conf").stdout)
    (row,) = [row for row in found["newly-allowed"] if row["hook"] == "forward" and row["packet"]["protocol"] == 1]
    tap.equal(row["rule-after"]["place"], "loose.conf:2", "rule whose limit lets it pass")
    rows = rules.verify("--limit", "1", "site.yaml", rules.put("all.nft", "")).stdout
    assert "--limit shows more of them" in rows, rows


def mistakes(rules):
    """mistakes on the command line, and files that cannot be read"""
    for words, text in (
        ([], "verify needs a profile"),
        (["site.yaml"], "verify needs a rule set"),
        (["site.yaml", "rules.nft", "more"], "two profiles"),
        (["-p", "-", "-"], "only be read once"),
        (["--limit", "0", "site.yaml", "rules.nft"], "--limit"),
        (["-b", "nftable", "site.yaml", "rules.nft"], "did you mean 'nftables'"),
        (["-O", "dialect=netbsd", "site.yaml", "rules.conf"], "dialect"),
        (["--frame", "anchor", "site.yaml", "rules.nft"], "no frame named"),
        (["--ipset", "sets", "site.yaml", "rules.nft"], "--ipset"),
        (["--live", "-b", "pf", "site.yaml"], "no use with --live"),
        (["--live", "site.yaml", "rules.nft"], "--live reads what runs here, and takes no file"),
        (["--live", "-p", "site.yaml", "rules.nft"], "there is 'rules.nft' besides"),
        (["-b", "iptables", "site.yaml", "rules.nft"], "'rules.nft' is a text of nft, and not of iptables"),
        (["-b", "pf", "site.yaml", "rules.nft"], "not of pf [rule-set-kind]"),
        (["-b", "nftables", "site.yaml", "rules.v4"], "is a text of iptables-save, and not of nftables"),
    ):
        said(rules.verify(*words), USAGE, text)
    said(rules.verify("-b", "iptables", "site.yaml", "rules.conf"), UNPROVEN, "1 thing in it is", "it has no tables")
    missing = rules.edited("rules.v4", "^-A FLOWFW-INPUT -i lo", "-A FLOWFW-INPUT -j NOSUCH\n\\g<0>")
    said(rules.verify("site.yaml", missing), UNPROVEN, "1 thing in it is", "the target 'NOSUCH'")
    said(rules.verify("nowhere", "rules.nft"), INVALID, "nowhere")
    said(rules.verify("site.yaml", "nowhere.nft"), SYSTEM, "nowhere.nft")
    said(rules.verify("site.yaml", "."), SYSTEM, "it is a folder")
    rules.put("broken.yaml", SITE.replace("from: clients", "from: clint"))
    said(rules.verify("broken.yaml", "rules.nft"), INVALID, "broken.yaml:7:")


def interfaces(rules):
    """what rules compare other things with is no interface's name in an answer"""
    folder = program.SOURCE / "tests/verify/faults"
    out = rules.verify("--json", folder / "gateway.yaml", folder / "gateway-detour.nft").stdout
    rows = json.loads(out)["detours"]
    tap.equal({row["packet"]["in-interface"] for row in rows}, {"eth0", "eth1"}, "interfaces of packets")
    lists = [box["in-interfaces"] for row in rows for box in row["boxes"] if "in-interfaces" in box]
    assert lists and all(set(names) <= {"eth0", "eth1", None} for names in lists), lists


def pipes(rules):
    """a rule set comes by a pipe that has a name, too"""
    path = rules.folder / "fifo.nft"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_text, args=[rules.text("rules.nft")], daemon=True)
    writer.start()
    said(rules.verify("site.yaml", "fifo.nft"), OK, "proven")
    writer.join()


def no_nft(rules):
    """without nft it is said which package has it; other backends do without"""
    hide = "mount -t tmpfs none /usr/sbin && [ ! -e /sbin/nft ] && exec \"$@\""
    wrapper = ["unshare", "--mount", "sh", "-c", hide, "sh"]
    if subprocess.run([*wrapper, "true"], capture_output=True, check=False).returncode != 0:
        raise tap.Skip("nft cannot be hidden")
    said(rules.verify("site.yaml", "rules.nft", wrapper=wrapper), SYSTEM, "'nft' [no-program]", "nftables")
    said(rules.verify("site.yaml", "rules.v4", wrapper=wrapper), OK)
    process = said(rules.gen("--verify", "-q", "site.yaml", wrapper=wrapper), SYSTEM, "no program 'nft'")
    tap.equal(process.stdout, "", "stdout")


def programs_that_fail(rules):
    """programs that die or fail are told, and relative folders of PATH are not looked into"""
    def instead(name, script):
        folder = rules.folder / "bin"
        folder.mkdir(exist_ok=True)
        program_file = rules.put(f"bin/{name}", f"#!/bin/sh\n{script}\n")
        program_file.chmod(0o755)
        return folder

    path = program.environment()["PATH"]
    folder = instead("nft", "kill -9 $$")
    environment = program.environment(PATH=f"{folder}:{path}")
    said(rules.verify("site.yaml", "rules.nft", env=environment), SYSTEM, "nft died of 'Killed'", "[nft-failed]")
    instead("nft", "echo 'out of sorts' >&2; exit 3")
    said(rules.verify("site.yaml", "rules.nft", env=environment), SYSTEM, "out of sorts", "[nft-refused]")
    instead("nft", "yes")
    said(rules.verify("site.yaml", "rules.nft", env=environment), SYSTEM, "[nft-failed]", "large")
    environment["PATH"] = f"bin::{path}"
    said(rules.verify("site.yaml", "rules.nft", env=environment), OK)


class Nobody:
    """flowfw as a user without rights, on files that such a user can read."""

    def __init__(self, rules):
        if os.geteuid() != 0:
            raise tap.Skip("only root can be somebody else")
        self.folder = program.scratch()
        for name in ("profiles", "templates"):
            shutil.copytree(program.SOURCE / name, self.folder / name)
        for name in ("site.yaml", "rules.nft"):
            shutil.copy(rules.folder / name, self.folder)
        shutil.copy(program.BINARY, self.folder / "flowfw")
        for path in [self.folder, *self.folder.rglob("*")]:
            path.chmod(0o755 if path.is_dir() or path.name == "flowfw" else 0o644)
        (self.folder / "home").mkdir()
        shutil.chown(self.folder / "home", 65534, 65534)

    def run(self, *words, before=()):
        user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *before]
        environment = program.environment(FLOWFW_DATADIR=str(self.folder), HOME=str(self.folder / "home"))
        return subprocess.run(
            [*user, self.folder / "flowfw", *words], cwd=self.folder, env=environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=120, check=False)

    def may(self):
        """Whether the machine lets users have namespaces."""
        user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        made = subprocess.run([*user, "unshare", "--user", "--net", "true"], capture_output=True, check=False)
        return made.returncode == 0


def users(rules):
    """users without rights need none, but to see what runs; their files stay their own"""
    nobody = Nobody(rules)
    said(nobody.run("verify", "--live", "site.yaml"), SYSTEM, "[kernel-permission]")
    if not nobody.may():
        said(nobody.run("verify", "site.yaml", "rules.nft"), SYSTEM, "[no-namespace]", "root")
        return
    said(nobody.run("verify", "site.yaml", "rules.nft"), OK, "proven")
    process = said(nobody.run("gen", "--verify", "-q", "-o", "home/out.nft", "site.yaml"), OK)
    status = (nobody.folder / "home/out.nft").stat()
    tap.equal((status.st_uid, status.st_gid), (65534, 65534), "owner")
    forbid = ["unshare", "--user", "--map-root-user", "sh", "-c", "echo 0 >/proc/sys/user/max_user_namespaces && "
              "echo 0 >/proc/sys/user/max_net_namespaces && exec \"$@\"", "sh"]
    process = said(nobody.run("verify", "site.yaml", "rules.nft", before=forbid), SYSTEM, "[no-namespace]", "root")
    tap.equal(process.stdout, "", "stdout")


def too_large_for_users(rules):
    """what nft cannot load without root's rights is refused with the reason"""
    nobody = Nobody(rules)
    if not nobody.may():
        raise tap.Skip("users may not have namespaces")
    elements = ", ".join(f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}" for i in range(100_000))
    (nobody.folder / "large.nft").write_text(
        f"table ip x {{\n\tset s {{\n\t\ttype ipv4_addr\n\t\telements = {{ {elements} }}\n\t}}\n}}\n", encoding="ascii")
    process = nobody.run("verify", "site.yaml", "large.nft")
    if process.returncode == DIFFERS:
        raise tap.Skip("net.core.wmem_max is large here")
    said(process, SYSTEM, "[nft-too-large]", "net.core.wmem_max")


# ---- what runs ----


def loaded(commands):
    """A wrapper: a network namespace of its own where commands were run before."""
    return [*OWN_NAMESPACE, "sh", "-e", "-c", f"{commands}\nexec \"$@\"", "sh"]


def live(rules):
    """--live notices what was deleted, inserted and overridden, and nothing else"""

    def run(commands, *words):
        return rules.verify("--live", *words, "site.yaml", wrapper=loaded(commands))

    load = "nft -f rules.nft"
    said(run(load), OK, "live: proven; it does what junction-17 says")
    said(run(""), DIFFERS, "live: different from junction-17; no rule of flowfw is in force\n", "Newly allowed")
    handle = "$(nft -a list chain inet flowfw input | sed -n 's/.*dport 5556.* handle //p' | head -n 1)"
    said(run(f"{load}\nnft delete rule inet flowfw input handle {handle}"), DIFFERS, "Newly denied", "5556/tcp")
    said(run(f"{load}\nnft insert rule inet flowfw input tcp dport 23 accept"), DIFFERS, "tcp dport 23 accept")
    said(run(f"{load}\nnft 'chain inet flowfw input {{ policy accept; }}'"), DIFFERS, "inet flowfw input policy")
    said(run(f"{load}\nnft -f - <<'X'\n{FORWARDED}X"), DIFFERS, "by inet other x handle")
    harmless = "nft add table ip x\nnft 'add chain ip x y { type filter hook input priority 5; policy accept; }'"
    said(run(f"{load}\n{harmless}\nnft add rule ip x y counter accept"), OK, "proven", without=["x y"])
    forward = "nft add table ip x\nnft 'add chain ip x y { type filter hook forward priority 5; policy drop; }'"
    said(run(f"{load}\n{forward}"), OK, "proven")


def live_iptables(rules, variant):
    """as --live of nftables"""
    for tool in ("restore", "save"):
        if not shutil.which(f"iptables-{variant}-{tool}", path="/usr/sbin:/sbin"):
            raise tap.Skip(f"iptables-{variant} is not installed")
    load = "\n".join(
        f"{tool}-{variant}-restore --noflush rules.{version}\n"
        f"{tool}-{variant} -I INPUT -j FLOWFW-INPUT\n{tool}-{variant} -I OUTPUT -j FLOWFW-OUTPUT"
        for tool, version in (("iptables", "v4"), ("ip6tables", "v6")))
    only4 = load.partition("\nip6tables")[0]
    edit = f"iptables-{variant} -I INPUT -p tcp --dport 23 -j ACCEPT"

    def run(commands, *words):
        return rules.verify("--live", *words, "site.yaml", wrapper=loaded(commands))

    if subprocess.run([*loaded(only4), "true"], cwd=rules.folder, capture_output=True, check=False).returncode != 0:
        raise tap.Skip(f"the kernel does not take iptables-{variant}")
    said(run(load), OK, "live: proven; it does what junction-17 says", "stricter")
    said(run(f"{load}\n{edit}"), DIFFERS, f"iptables-{variant}-save:", "--dport 23 -j ACCEPT", "over IPv4")
    said(run(only4), DIFFERS, "over IPv6")
    said(run(only4, "-b", "iptables"), OK, "live: proven for IPv4")


def live_beside_docker(rules):
    """docker's rules on a host are neither unproven nor a difference; both iptables are remarked"""
    for path in DOCKER:
        load = f"iptables-nft-restore {path}\nnft -f rules.nft"
        process = rules.verify("--live", "site.yaml", wrapper=loaded(load))
        said(process, OK, "live: proven")
        # Ports that docker publishes are there for the machine itself, too.
        for line in process.stderr.splitlines():
            assert "sends to itself" in line and line.endswith("[rule-set-remark]"), process.stderr
    both = f"{load}\niptables-legacy -A FORWARD -p tcp --dport 1 -j DROP"
    process = subprocess.run([*loaded(both), "true"], cwd=rules.folder, capture_output=True, check=False)
    if process.returncode != 0:
        raise tap.Skip("the kernel does not take iptables-legacy")
    said(rules.verify("--live", "site.yaml", wrapper=loaded(both)), OK, "proven", "both iptables have rules")
    hide = "mount -t tmpfs none /usr/sbin\nexport PATH=/usr/bin:/bin"
    process = rules.verify("--live", "site.yaml", wrapper=["unshare", "--mount", *loaded(f"{load}\n{hide}")])
    said(process, SYSTEM, "no program 'iptables-nft-save'", "iptables")
    unseen = f"{load}\nmount -t proc -o subset=pid none /proc"
    said(rules.verify("--live", "site.yaml", wrapper=["unshare", "--mount", *loaded(unseen)]), SYSTEM,
         "[unreadable-rules]", "iptables-legacy")
    fail = "mkdir bin.save\necho 'exit 1' >bin.save/iptables-nft-save\nchmod +x bin.save/*\nexport PATH=$PWD/bin.save:$PATH"
    said(rules.verify("--live", "site.yaml", wrapper=loaded(f"{load}\n{fail}")), SYSTEM, "[unreadable-rules]")


# ---- before it is written ----


def gen_proves(rules):
    """gen --verify prints what gen prints, and what is not proven not at all"""
    for backend in SUFFIXES:
        plain = rules.gen("-q", "-b", backend, "site.yaml").stdout
        tap.equal(said(rules.gen("-q", "--verify", "-b", backend, "site.yaml"), OK).stdout, plain, backend)
    frame = (program.SOURCE / "templates/nftables/table.nft").read_text(encoding="utf-8")
    rules.put("drops.nft", frame + FORWARDED)
    rules.put("out.nft", "as it was\n")
    process = said(rules.gen("-q", "--verify", "--template", "drops.nft", "-o", "out.nft", "site.yaml"), DIFFERS,
                   "[not-proven]", "out.nft: different from junction-17", "input 5556/tcp", "by inet other x handle")
    tap.equal((process.stdout, rules.text("out.nft")), ("", "as it was\n"), "stdout and file")
    rules.put("odd.nft", frame + "table inet x {\n\tchain y {\n\t\ttype filter hook input priority 0;\n\t\tmeta mark 1 drop\n\t}\n}\n")
    process = said(rules.gen("-q", "--verify", "--template", "odd.nft", "site.yaml"), UNPROVEN, "[not-proven]", "mark")
    tap.equal(process.stdout, "", "stdout")
    rules.put("bad.nft", frame + "nonsense here\n")
    said(rules.gen("-q", "--verify", "--template", "bad.nft", "site.yaml"), SYSTEM, "[nft-refused]", "nonsense here")


def fleets_are_proven(rules):
    """gen --verify --fleet writes what is proven, and what is not keeps its old file"""
    fleet = fleets.Fleet("one", "two")
    backends = ["-b", "nftables,iptables,ip6tables,pf"]
    fleets.said(fleet.gen(*backends), OK)
    plain = fleet.files()
    shutil.rmtree(fleet.out)
    fleets.said(fleet.gen("--verify", *backends), OK)
    tap.equal(fleet.files(), plain, "files")
    frame = (program.SOURCE / "templates/nftables/table.nft").read_text(encoding="utf-8")
    (fleet.folder / "drops.nft").write_text(frame + FORWARDED, encoding="utf-8")
    fleets.said(fleet.gen("--verify", "--template", "drops.nft"), DIFFERS, "[not-proven]", "one.nft: different from one",
                "two.nft: different from two", "2 of 2 members failed")
    tap.equal(fleet.files(), plain, "files")


def main():
    checks = tap.Tap()
    rules = Rules()
    for check in (proven, mistakes, nothing_and_garbage, refusals, remarks, differences, shares_of_limits, escaped,
                  unproven, machines, pipes, interfaces,
                  no_nft, programs_that_fail, users, too_large_for_users, gen_proves, fleets_are_proven):
        checks.run(check.__doc__, check, rules)
    try:
        netns.enter()
    except tap.Skip as skip:
        checks.skip("--live", skip)
        return checks.done()
    checks.run(live.__doc__, live, rules)
    for variant in ("nft", "legacy"):
        checks.run(f"--live reads iptables-{variant}", live_iptables, rules, variant)
    checks.run(live_beside_docker.__doc__, live_beside_docker, rules)
    return checks.done()


if __name__ == "__main__":
    sys.exit(main())
