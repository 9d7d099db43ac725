# SPDX-License-Identifier: GPL-2.0-or-later
"""flowfw diff: what is equal, what is not, packets that prove it, forms of the answer, rule sets, and git."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import check  # noqa: E402
import program  # noqa: E402
import tap  # noqa: E402
from program import DIFFERS, INVALID, OK, SYSTEM, UNPROVEN, USAGE, compiled, flowfw  # noqa: E402

GOLDEN = program.SOURCE / "tests/golden"
CAMERAS = 100_000
SECONDS = 20  # for two profiles of so many cameras, on a machine that does much else

SITE = """flowfw: 1
site: {name}
title: {title}
extends: {extends}
groups:
  clients: [10.20.0.0/16, 2001:db8:20::/48]
  admins: [10.20.5.10-10.20.5.20]
{more}"""


class Sites:
    """A folder with profiles."""

    def __init__(self):
        self.folder = program.scratch()

    def put(self, file, more="", name="site", title="a site", extends="enterprise"):
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(SITE.format(name=name, title=title, extends=extends, more=more), encoding="utf-8")
        return path

    def diff(self, *arguments, **options):
        return flowfw("diff", *arguments, cwd=self.folder, **options)


def said(process, status, *texts, without=()):
    tap.equal(process.returncode, status, f"exit status (stderr: {process.stderr.strip()!r})")
    for text in texts:
        if text not in process.stdout + process.stderr:
            raise AssertionError(f"lacks {text!r}:\n{process.stdout}{process.stderr}")
    for text in without:
        if text in process.stdout + process.stderr:
            raise AssertionError(f"has {text!r}:\n{process.stdout}{process.stderr}")
    return process


def silent(process):
    tap.equal((process.returncode, process.stdout, process.stderr), (OK, "", ""), "exit status, stdout, stderr")


def words_do_not_count():
    """what differs in names, titles, order and comments is equal"""
    sites = Sites()
    sites.put("a.yaml", "services: {ssh: {direction: input, ports: 22/tcp, from: admins, limit: 60/minute}}\n")
    sites.put("b.yaml", "# more\nservices: {other: {title: x, direction: input, ports: [22/tcp], from: admins, "
              "limit: 1/second}}\nbase: {log: on, counters: on}\n", name="b", title="other")
    silent(sites.diff("a.yaml", "b.yaml"))
    silent(sites.diff("--format", "markdown", "a.yaml", "b.yaml"))
    for name in program.PROFILES:
        silent(flowfw("diff", name, name))


def each_side_has_its_settings():
    """--set is for both sides, --before-set and --after-set for one"""
    set_video = "services.video=off"
    silent(flowfw("diff", "--set", set_video, "enterprise", "enterprise"))
    said(flowfw("diff", "--after-set", set_video, "enterprise", "enterprise"), DIFFERS, "Newly denied", "input 8090/tcp",
         "by video", without=["Newly allowed"])
    said(flowfw("diff", "--before-set", set_video, "enterprise", "enterprise"), DIFFERS, "Newly allowed",
         without=["Newly denied"])
    silent(flowfw("diff", "--before-set", set_video, "--after-set", set_video, "enterprise", "enterprise"))
    silent(flowfw("diff", "--without", "required,recommended,optional", "enterprise", "block"))
    said(flowfw("diff", "--after-set", "services.vidoe=off", "node", "node"), INVALID, "unknown-service")


def both_sides_are_looked_at():
    """mistakes of both sides are told, and warnings of none"""
    sites = Sites()
    sites.put("a.yaml", "services: {vidoe: off}\n")
    sites.put("b.yaml", "services: {ndoe: off}\n")
    said(sites.diff("a.yaml", "b.yaml"), INVALID, "a.yaml:8:12", "b.yaml:8:12")
    said(flowfw("diff", "enterprise", "block"), DIFFERS, without=["warning"])
    said(flowfw("diff", "no/such/file.yaml", "block"), SYSTEM)
    said(flowfw("diff", "block"), USAGE)


def witnesses(before, after, *arguments, cwd):
    """The packets that prove a difference, as `explain` takes them: those allowed now, and those denied."""
    answer = json.loads(flowfw("diff", "--json", *arguments, before, after, cwd=cwd).stdout)
    return [[row["witness"] for row in answer[key]] for key in ("newly-allowed", "newly-denied")]


def packets_prove_it():
    """what stands for a difference is allowed by one side only, as `explain` sees it"""
    count = 0
    pairs = [("enterprise", "node"), ("block", "xroads"), ("remote-install", "embedded")]
    pairs += [(GOLDEN / f"{case}/before.yaml", GOLDEN / f"{case}/after.yaml") for case in ("diff-host", "diff-gateway")]
    for before, after in pairs:
        allowed, denied = witnesses(before, after, cwd=program.HOME)
        for sentences, without, with_it in ((allowed, before, after), (denied, after, before)):
            for sentence in sentences:
                if "hop-limit" in sentence:  # not a word of `expect`
                    continue
                count += 1
                tap.equal(explained(with_it, sentence), "allowed", f"{with_it}: {sentence}")
                tap.equal(explained(without, sentence), "denied", f"{without}: {sentence}")
    assert count > 10, count


def explained(profile, sentence):
    process = flowfw("explain", "--json", profile, sentence)
    assert process.stdout, process.stderr
    return json.loads(process.stdout)["answers"][0]["answer"]


def names_cannot_hurt():
    """names of authors begin no markup, move no cursor, and call nobody"""
    sites = Sites()
    name = "<img src=x> | @team `a` **b** [c](d) #one &amp; $x$ ~~y~~"
    sites.put("a.yaml", "  cameras:\n    - 10.1.1.2\n")
    sites.put("b.yaml", f"  cameras:\n    - 10.1.1.2\n    - {{name: {json.dumps(name)}, address: 10.1.1.1}}\n")
    markdown = said(sites.diff("--format", "markdown", "a.yaml", "b.yaml"), DIFFERS).stdout
    for line in markdown.splitlines():
        if "img" in line:
            plain = line.replace("<code>", "").replace("</code>", "")
            tap.equal([c for c in "<>@`*[]\\$~" if c in plain], [], f"markup in {line!r}")
            tap.equal(line.count("|"), 5, "columns")
    assert "img" in markdown, markdown
    hostile = sites.folder / "a\x1b[31m|<b>.yaml"
    shutil.copy(sites.folder / "a.yaml", hostile)
    said(sites.diff(hostile.name, "b.yaml"), DIFFERS, "a\\x1b[31m", without=["\x1b"])
    said(sites.diff("--format", "markdown", hostile.name, "b.yaml"), DIFFERS, without=["\x1b", "<b>"])
    for name, port in (("a\x1b.v4", 1), ("b.v4", 2)):
        comment = "-m comment --comment \"\x1b[31m| @x <b>\""
        (sites.folder / name).write_text(saved(f"-p tcp --dport {port} {comment} -j ACCEPT", "-m \x1b<b> -j ACCEPT"),
                                         encoding="utf-8")
    said(sites.diff("a\x1b.v4", "b.v4"), UNPROVEN, "by b.v4:7: -A INPUT", "\\x1b[31m", without=["\x1b"])
    said(sites.diff("--format", "markdown", "a\x1b.v4", "b.v4"), UNPROVEN, "<code>b.v4:7</code>",
         without=["\x1b", "<b>", "@x"])


def odd_bytes_are_json():
    """a path that is not UTF-8 is JSON all the same"""
    sites = Sites()
    path = bytes(sites.folder) + b"/\xff.yaml"
    with open(path, "wb") as file:
        file.write(sites.put("a.yaml").read_bytes())
    process = subprocess.run([str(program.BINARY).encode(), b"diff", b"--json", path, b"node"], check=False,
                             capture_output=True, env=program.environment())
    answer = json.loads(process.stdout)
    tap.equal(answer["before"].endswith("/\\xff.yaml"), True, answer["before"])


def rows_are_limited():
    """--limit bounds each kind of rows, and the rest is counted"""
    sites = Sites()
    sites.put("a.yaml")
    sites.put("b.yaml", "  cameras:\n" + "".join(
        f"    - {{address: 10.9.{i}.1, ports: {1000 + 2 * i}/tcp}}\n" for i in range(100)))
    answers = {n: json.loads(sites.diff("--json", "--limit", n, "a.yaml", "b.yaml").stdout) for n in (1, 7, 1000)}
    whole = len(answers[1000]["newly-allowed"])
    assert whole >= 100, whole
    tap.equal(answers[1000]["left-out"]["newly-allowed"], 0)
    for n in (1, 7):
        tap.equal(len(answers[n]["newly-allowed"]), n)
        assert 0 < answers[n]["left-out"]["newly-allowed"] <= whole - n, answers[n]["left-out"]
    folded = sites.diff("--format", "markdown", "a.yaml", "b.yaml").stdout
    tap.equal((folded.count("<details>"), folded.count("</details>")), (1, 1))
    assert "more; --limit shows more of them" in folded, folded


def cameras(sites, file, moved=None, own=False):
    with open(sites.put(file), "a", encoding="utf-8") as out:
        out.write("  cameras:\n")
        for i in range(CAMERAS):
            address = f"10.{100 + (i >> 15)}.{i >> 7 & 255}.{2 * i & 255}" if i != moved else "10.99.0.1"
            ports = f", ports: {1 + i % 65000}/tcp" if own else ""
            out.write(f"    - {{name: c{i}, address: {address}{ports}}}\n")


def many_cameras():
    """one camera among many thousands is found at once"""
    sites = Sites()
    for own in (False, True):
        cameras(sites, "a.yaml", own=own)
        cameras(sites, "b.yaml", moved=77_777, own=own)
        begin = time.monotonic()
        process = said(sites.diff("a.yaml", "b.yaml"), DIFFERS, "to 10.99.0.1 (c77777)", "to 10.102.95.162 (c77777)")
        assert time.monotonic() - begin < SECONDS, time.monotonic() - begin
        assert len(process.stdout.splitlines()) < 30, process.stdout


def too_much():
    """checkerboards of addresses and ports end with a clear error, not in a hang"""
    sites = Sites()
    (sites.folder / "board.yaml").write_text(json.dumps(check.checkerboard(14)), encoding="utf-8")
    said(sites.diff("board.yaml", "node"), SYSTEM, "[too-complex]", "hint: ")


# ---- rule sets ----


NFT = """table inet t {{
	set admins {{ type ipv4_addr; flags interval; elements = {{ {admins} }} }}
	chain in {{
		type filter hook input priority 0; policy drop;
		iifname "lo" accept
		ct state established,related accept
		ip saddr @admins tcp dport 22 accept
		tcp dport {port} {verdict}
	}}
}}
"""
SAVED = """*filter
:INPUT DROP [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -i lo -j ACCEPT
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
{rules}
COMMIT
"""
FAMILIES = {".v4": "iptables", ".v6": "ip6tables"}


def by_hand(port=443, verdict="accept", admins="10.0.0.0/24, 10.1.0.1"):
    return NFT.format(port=port, verdict=verdict, admins=admins)


def saved(*rules):
    return SAVED.format(rules="\n".join(f"-A INPUT {rule}" for rule in rules))


class Rules(Sites):
    """A folder with rule sets."""

    def write(self, **files):
        """Names have their suffix behind an underscore."""
        for name, text in files.items():
            (self.folder / name.replace("_", ".")).write_text(text, encoding="utf-8")

    def compile(self, name, profile, *arguments):
        (self.folder / name).write_text(compiled("gen", "--quiet", *arguments, profile, cwd=self.folder), encoding="utf-8")

    def diff(self, *arguments, **options):
        process = super().diff(*arguments, **options)
        for missing in ("[no-namespace]", "[no-nft]"):
            if missing in process.stderr:
                raise tap.Skip(process.stderr.splitlines()[0])
        return process

    def answer(self, *arguments, **options):
        return json.loads(self.diff("--json", *arguments, **options).stdout)


def rules_by_hand():
    """two rule sets that nobody compiled are compared, and each row names the rules that decide it"""
    rules = Rules()
    rules.write(a_nft=by_hand(), b_nft=by_hand(port=8443))
    said(rules.diff("a.nft", "b.nft"), DIFFERS, "Newly allowed\n  input 8443/tcp", "by inet t in handle ",
         "denied before by inet t in policy", "Newly denied\n  input 443/tcp", "denied after by inet t in policy",
         "such as input 443/tcp from 10.0.0.1 to 10.0.0.2", without=["over IPv4", "Translation"])
    markdown = said(rules.diff("--format", "markdown", "a.nft", "b.nft"), DIFFERS, "#### Newly denied").stdout
    assert "| <code>input 443/tcp" in markdown and "<code>inet t in handle" in markdown, markdown
    answer = rules.answer("a.nft", "b.nft")
    tap.equal((answer["before"], answer["after"], answer["equal"], answer["family"]), ("a.nft", "b.nft", False, None))
    (row,) = answer["newly-allowed"]
    tap.equal((row["services-after"], row["verdict-after"], row["rule-before"]["place"]), ([], None, "inet t in policy"))
    assert row["rule-after"]["place"].startswith("inet t in handle "), row["rule-after"]
    tap.equal([answer[key] for key in ("limits", "answers", "detours", "stricter", "unknown")], [[]] * 5)
    assert "translation" not in answer


def what_rules_do_counts():
    """the order of elements, handles and words do not count; an answer in place of silence does"""
    rules = Rules()
    rules.write(a_nft=by_hand(verdict="drop"), b_nft="# else\nflush ruleset\n" + by_hand(
        verdict="drop", admins="10.1.0.1, 10.0.0.128/25, 10.0.0.0/25").replace(" t {", " other {"))
    silent(rules.diff("a.nft", "b.nft"))
    silent(rules.diff("a.nft", "a.nft"))
    rules.write(c_nft=by_hand(verdict="reject"))
    text = said(rules.diff("a.nft", "c.nft"), DIFFERS, "Other answers\n  input 443/tcp", ": dropped before (inet t in handle ",
                ", rejected after (inet t in handle ", without=["Newly"]).stdout
    tap.equal(text.count("such as"), 1, text)
    (row,) = rules.answer("c.nft", "a.nft")["answers"]
    tap.equal((row["before"], row["after"], row["witness"].split(" from")[0]), ("reject", "drop", "input 443/tcp"))


def backends_agree():
    """what one profile becomes on several backends is the same, but for what is stricter there"""
    rules = Rules()
    site = rules.put("site.yaml", "  cameras: [10.30.1.11]\n").name
    for suffix, backend in (*FAMILIES.items(), (".nft", "nftables"), (".conf", "pf")):
        rules.compile("rules" + suffix, site, "-b", backend)
    rules.compile("bsd.conf", site, "-b", "pf", "-O", "dialect=freebsd")
    for suffix, backend in FAMILIES.items():
        family = {"iptables": "IPv4", "ip6tables": "IPv6"}[backend]
        silent(rules.diff("rules" + suffix, "rules" + suffix))
        for other in (site, "rules.nft"):
            for pair in ((other, "rules" + suffix), ("rules" + suffix, other)):
                said(rules.diff(*pair), OK, f"only {family} is compared; no difference",
                     f"Stricter than written, as {backend} has it", "echo-request", without=["Newly", "Other"])
                answer = rules.answer(*pair)
                tap.equal((answer["equal"], answer["family"], answer["limits"]), (True, family, []))
                assert answer["stricter"], pair
    for pair in ((site, "rules.conf"), ("pf-freebsd:bsd.conf", site), ("pf:rules.conf", "rules.nft")):
        said(rules.diff(*pair), OK, "Stricter than written, as pf has it", without=["Newly", "Other"])
    silent(rules.diff("rules.nft", site))
    silent(rules.diff(site, "rules.nft"))
    said(rules.diff("rules.v4", "rules.v6"), USAGE, "nothing in common")


def profiles_against_rules():
    """one side is a profile: its services, the rules of the other"""
    rules = Rules()
    site = rules.put("site.yaml").name
    rules.compile("rules.v4", site, "-b", "iptables")
    text = (rules.folder / "rules.v4").read_text(encoding="utf-8")
    line = next(n for n, rule in enumerate(text.splitlines(), 1) if "--dport 8090" in rule)
    rules.write(changed_v4=text.replace("--dport 8090", "--dport 8099"))
    said(rules.diff(site, "changed.v4"), DIFFERS, "input 8090/tcp\n      by video\n      denied after by changed.v4:",
         f"input 8099/tcp\n      by changed.v4:{line}: -A ", "only IPv4 is compared\n")
    (row,) = rules.answer("changed.v4", site)["newly-allowed"]
    tap.equal((row["services-after"], row["rule-after"]), (["video"], None))
    assert row["rule-before"]["place"].startswith("changed.v4:"), row
    said(rules.diff("--after-set", "services.video=off", "rules.v4", site), DIFFERS, "Newly denied", "input 8090/tcp",
         f"by rules.v4:{line}: -A ", without=["Newly allowed", "denied after"])


def translation_of_rules():
    """what is translated otherwise is told with its place"""
    rules = Rules()
    for name in ("before", "after"):
        shutil.copy(GOLDEN / f"diff-gateway/{name}.yaml", rules.folder)
        rules.compile(f"{name}.v4", f"{name}.yaml", "-b", "iptables")
    said(rules.diff("before.yaml", "before.v4"), OK)
    said(rules.diff("before.v4", "after.v4"), DIFFERS,
         "destination of input 18088/tcp to 198.51.100.7 on eth0, eth1: to 10.8.0.17:8088 before (before.v4:",
         ", not translated after\n      such as input 18088/tcp from ", "source of forward ",
         ": to the interface's own address before (before.v4:")
    said(rules.diff("--limit", "2", "before.yaml", "after.v4"), DIFFERS, "more; --limit shows more of them")
    answer = rules.answer("before.yaml", "after.v4")
    detour = next(row for row in answer["detours"] if row["after"] is not None)
    tap.equal((detour["end"], detour["before"], detour["after"]["address"]), ("destination", None, "10.8.0.17"))
    assert detour["rule-before"] is None and "DNAT" in detour["rule-after"]["text"], detour


def not_understood():
    """what is not understood makes a comparison unproven, whatever else differs"""
    rules = Rules()
    rules.write(a_v4=saved("-p tcp --dport 22 -j ACCEPT"), b_v4=saved(
        "-p tcp --dport 22 -m string --string x --algo bm -j DROP", "-p tcp --dport 22 -j ACCEPT"))
    for pair in (("a.v4", "b.v4"), ("b.v4", "a.v4"), ("b.v4", "b.v4"), ("b.v4", "node")):
        said(rules.diff(*pair), UNPROVEN, "Not understood, so that nothing is proven\n  b.v4:7: the match 'string': -A INPUT")
        answer = rules.answer(*pair)
        tap.equal((answer["equal"], answer["unknown"][0]["place"]), (False, "b.v4:7"))
    said(rules.diff("--format", "markdown", "a.v4", "b.v4"), UNPROVEN, "#### Not understood", "- <code>b.v4:7: ")


def sets_beside_rules():
    """--before-ipset and --after-ipset bring the sets that rules of iptables use"""
    rules = Rules()
    site = rules.put("site.yaml", "  cameras: [10.30.1.11, 10.30.1.12]\n").name
    for name in ("a", "b"):
        rules.compile(f"{name}.v4", site, "-b", "iptables", "-O", "ipset", "--ipset-output", f"{name}.ipset")
        rules.put("site.yaml", "  cameras: [10.30.1.11, 10.30.1.13]\n")
    said(rules.diff("--after-ipset", "b.ipset", site, "b.v4"), OK)
    said(rules.diff("--before-ipset", "a.ipset", "--after-ipset", "b.ipset", "a.v4", "b.v4"), DIFFERS,
         "to 10.30.1.13", "to 10.30.1.12")
    said(rules.diff(site, "b.v4"), UNPROVEN)


def what_runs():
    """live is what the kernel has in force, on either side"""
    rules = Rules()
    rules.write(a_nft=by_hand(), b_nft=by_hand(port=8443))
    rules.diff("a.nft", "a.nft")  # or this is skipped
    inside = ["unshare", "-n" if os.geteuid() == 0 else "-rn", "sh", "-c", 'nft -f "$0" && exec "$@"', "a.nft"]
    for pair in (("live", "a.nft"), ("a.nft", "live")):
        silent(rules.diff(*pair, wrapper=inside))
    said(rules.diff("live", "b.nft", wrapper=inside), DIFFERS, "before: live", "Newly denied\n  input 443/tcp")
    said(rules.diff("b.nft", "live", wrapper=inside), DIFFERS, "after:  live", "Newly allowed\n  input 443/tcp")
    said(rules.diff("live", "node", wrapper=inside), DIFFERS)


def rules_as_operands():
    """files by their names or by KIND:FILE, and options that are for others are refused"""
    rules = Rules()
    text = saved("-p tcp --dport 22 -j ACCEPT")
    rules.write(a_v4=text, b_rules=text)
    silent(rules.diff("a.v4", "iptables:b.rules"))
    silent(rules.diff("iptables:-", "a.v4", input=text.encode()))
    silent(rules.diff("--before-as", "there/x.v4", "-", "a.v4", input=text.encode()))
    said(rules.diff("--before-as", "there/x.v4", "-", "node", input=saved("-m string -j ACCEPT").encode()), UNPROVEN,
         "there/x.v4:7: ")
    said(rules.diff("-", "iptables:-"), USAGE, "only be read once")
    said(rules.diff("live", "live"), USAGE)
    said(rules.diff("a.v4", "missing.v4"), SYSTEM, "missing.v4")
    for option, value in (("--set", "services.video=off"), ("--only", "required"), ("--before-set", "services.video=off"),
                          ("--after-as", "x")):
        pair = ("a.v4", "live" if option == "--after-as" else "iptables:b.rules")
        said(rules.diff(option, value, *pair), USAGE, "option-conflict")
    said(rules.diff("--after-ipset", "x", "a.v4", "node"), USAGE, "option-conflict")
    said(rules.diff("--set", "services.video=off", "a.v4", "node"), DIFFERS)


# ---- git ----


class Repository(Sites):
    """Profiles in a git repository that shows them by what they mean."""

    def __init__(self):
        if shutil.which("git", path="/usr/bin:/bin") is None:
            raise tap.Skip("git is not here")
        super().__init__()
        self.git("init", "--quiet")
        self.git("config", "diff.flowfw.command", f"'{program.BINARY}' diff --git")
        (self.folder / ".gitattributes").write_text("*.yaml diff=flowfw\n", encoding="utf-8")

    def git(self, *arguments, cwd="."):
        environment = program.environment(
            GIT_CONFIG_NOSYSTEM="1", GIT_AUTHOR_NAME="a", GIT_AUTHOR_EMAIL="a@example.org", GIT_COMMITTER_NAME="a",
            GIT_COMMITTER_EMAIL="a@example.org", GIT_PAGER="cat")
        process = subprocess.run(["git", *arguments], cwd=self.folder / cwd, env=environment, check=False,
                                 stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        tap.equal(process.returncode, 0, f"git {arguments}: {process.stderr}")
        return process.stdout + process.stderr

    def commit(self):
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "a commit")


def has(text, *wanted, without=()):
    for one in wanted:
        assert one in text, f"lacks {one!r}:\n{text}"
    for one in without:
        assert one not in text, f"has {one!r}:\n{text}"


def git_shows_the_meaning():
    """git diff shows what a change means; extended files are found beside where the file belongs"""
    repository = Repository()
    repository.put("common/city.yaml", "base: {echo: off}\n", name="city")
    repository.put("sites/one.yaml", extends="../common/city.yaml")
    repository.put("sites/two.yaml", name="two")
    repository.commit()
    repository.put("sites/one.yaml", "services: {video: off}\n", extends="../common/city.yaml", title="new words")
    repository.put("sites/two.yaml", "# a comment\n", name="two")
    text = repository.git("diff")
    has(text, "flowfw diff sites/one.yaml", "Newly denied", "input 8090/tcp", "by video",
        "flowfw diff sites/two.yaml\nthe same meaning", without=["error", "Newly allowed", "before: /tmp"])
    tap.equal(repository.git("diff", cwd="sites"), text)
    repository.commit()
    has(repository.git("diff", "HEAD~1", "HEAD"), "input 8090/tcp", "the same meaning")
    has(repository.git("log", "-1", "-p", "--ext-diff"), "input 8090/tcp")
    has(repository.git("diff", "--no-ext-diff", "HEAD~1"), "+services: {video: off}")


def git_goes_on():
    """files that are new, gone, renamed or broken are said to be, and the others are shown"""
    repository = Repository()
    repository.put("broken.yaml", "services: {vidoe: off}\n")
    repository.put("gone.yaml")
    repository.put("old/name.yaml", "services: {ssh: {direction: input, ports: 22/tcp, from: admins}}\n",
                   extends="../other.yaml")
    repository.put("other.yaml")
    repository.put("zuletzt.yaml")
    repository.commit()
    repository.put("broken.yaml", "services: {video: off}\n")
    (repository.folder / "gone.yaml").unlink()
    (repository.folder / "new.yaml").write_text("flowfw: 1\nsite: something-else\nextends: node\n", encoding="utf-8")
    (repository.folder / "old/name.yaml").unlink()
    repository.put("deep/er/name.yaml", "services: {ssh: {direction: input, ports: 23/tcp, from: admins}}\n",
                   extends="../../other.yaml")
    repository.put("zuletzt.yaml", "services: {video: off}\n")
    repository.git("add", "--all")
    text = repository.git("diff", "--cached", "--find-renames=50")
    has(text, "broken.yaml:8:12: error: ", "flowfw diff gone.yaml\ngone", "flowfw diff new.yaml\nnew, so",
        "input 23/tcp from admins", "input 22/tcp from admins", "before: old/name.yaml", "after:  deep/er/name.yaml",
        "flowfw diff zuletzt.yaml", "input 8090/tcp")


def git_shows_rules():
    """git diff shows what a change of a rule set means"""
    repository, rules = Repository(), Rules()
    rules.folder = repository.folder
    (repository.folder / ".gitattributes").write_text("*.nft diff=flowfw\n*.v4 diff=flowfw\n", encoding="utf-8")
    (repository.folder / "etc").mkdir()
    for name in ("etc/a.nft", "etc/same.nft"):
        (repository.folder / name).write_text(by_hand(), encoding="utf-8")
    rules.write(old_v4=saved("-p tcp --dport 22 -j ACCEPT"))
    rules.diff("etc/a.nft", "etc/a.nft")  # or this is skipped
    repository.commit()
    (repository.folder / "etc/a.nft").write_text(by_hand(port=8443), encoding="utf-8")
    (repository.folder / "etc/same.nft").write_text("# more\n" + by_hand(), encoding="utf-8")
    rules.write(old_v4=saved("-p tcp --dport 22 -j ACCEPT", "-m string --string x -j ACCEPT"))
    for folder in (".", "etc"):
        has(repository.git("diff", cwd=folder), "flowfw diff etc/a.nft\nbefore: etc/a.nft\n", "input 8443/tcp",
            "by inet t in handle", "flowfw diff etc/same.nft\nthe same meaning", "flowfw diff old.v4\n",
            "old.v4:8: the match 'string'", without=["error", "/tmp"])


def files_from_elsewhere():
    """--before-as and --after-as say where a file from elsewhere belongs"""
    sites = Sites()
    sites.put("common/city.yaml", "base: {echo: off}\n", name="city")
    path = sites.put("sites/one.yaml", extends="../common/city.yaml")
    text = path.read_text(encoding="utf-8")
    said(sites.diff("-", "sites/one.yaml", input=text.encode()), INVALID, "missing-file")
    silent(sites.diff("--before-as", "sites/one.yaml", "-", "sites/one.yaml", input=text.encode()))
    silent(sites.diff("--after-as", "sites/one.yaml", "sites/one.yaml", "-", input=text.encode()))
    said(sites.diff("--before-as", "sites/one.yaml", "-", "sites/one.yaml", input=b"flowfw: 1\nsite: x\n"), INVALID,
         "sites/one.yaml:2:7")


def main():
    checks = tap.Tap()
    for check in (words_do_not_count, each_side_has_its_settings, both_sides_are_looked_at, packets_prove_it,
                  names_cannot_hurt, odd_bytes_are_json, rows_are_limited, many_cameras, too_much, rules_by_hand,
                  what_rules_do_counts, backends_agree, profiles_against_rules, translation_of_rules, not_understood,
                  sets_beside_rules, what_runs, rules_as_operands, git_shows_the_meaning, git_goes_on, git_shows_rules,
                  files_from_elsewhere):
        checks.run(check.__doc__, check)
    return checks.done()


if __name__ == "__main__":
    sys.exit(main())
