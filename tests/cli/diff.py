# SPDX-License-Identifier: GPL-2.0-or-later
"""flowfw diff: what is equal, what is not, packets that prove it, forms of the answer, and git."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import check  # noqa: E402
import program  # noqa: E402
import tap  # noqa: E402
from program import DIFFERS, INVALID, OK, SYSTEM, USAGE, flowfw  # noqa: E402

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
                  names_cannot_hurt, odd_bytes_are_json, rows_are_limited, many_cameras, too_much, git_shows_the_meaning,
                  git_goes_on, files_from_elsewhere):
        checks.run(check.__doc__, check)
    return checks.done()


if __name__ == "__main__":
    sys.exit(main())
