# SPDX-License-Identifier: GPL-2.0-or-later
"""One rule set that flowfw wrote, its mutants, and what is wrong with what `verify` says of them."""

import json
import os
import random

import judges
import meaning
import netns
import nft_rules
import packets
import pf_rules
import program
from mutants import RULES, SETS

GOLDEN = program.SOURCE / "tests/golden"
SEED = os.environ.get("FLOWFW_SEED", "flowfw")
PROVEN, DIFFERENT, UNPROVEN = 0, 1, 6
CHANGED, SAME = 15, 5  # mutants of each rule set
TRIES = 12  # to find one of a kind in a rule set
PACKETS = 150  # of each rule set, to try the evaluators themselves
SHOWN, DIFF_LINES = 6, 8
NFT_OPTIONS = {"kernel-5.6": ("-O", "kernel=5.6")}
INTERFACES = ("eth0", "eth1", "eth2", "wg0", "ppp0", "eth7")
SECTIONS = ("newly-allowed", "newly-denied", "limits", "answers", "detours")


class Base:
    """A rule set that flowfw wrote."""

    def __init__(self, variant, site):
        self.variant, self.folder = variant, GOLDEN / site
        self.name = f"{site}, {variant.name}"
        arguments = self.folder / "args"
        words = arguments.read_text(encoding="utf-8").split() if arguments.exists() else ["--profile", "site.yaml"]
        self.profile = words[words.index("--profile") + 1]
        self.options = [*variant.options, *(NFT_OPTIONS.get(site, ()) if variant.name == "nftables" else ())]
        self.scratch = program.scratch()

    def generate(self):
        """False: the backend cannot express it."""
        sets = ["--ipset-output", self.scratch / "sets"] if "ipset" in self.options else []
        process = program.flowfw("gen", "-q", *self.options, *sets, "--profile", self.profile, cwd=self.folder)
        if process.returncode == program.BACKEND:
            return False
        assert process.returncode == program.OK, process.stderr
        texts = {RULES: process.stdout}
        if sets:
            texts[SETS] = (self.scratch / "sets").read_text(encoding="utf-8")
        self.judge = judges.Judge(self.variant, texts, INTERFACES)
        return True

    def unproven(self):
        """What is wrong with what flowfw wrote, before anything is done to it: nothing, or why it is not proven."""
        status, said, stderr = self.verify(self.judge.texts, "original")
        if status == PROVEN:
            return []
        return [f"{self.name}: exit {status}: {[row['words'] for _, row in rows_of(said)][:3]} {stderr[:300]}"]

    def verify(self, texts, name):
        """(exit status, what --json says or None, stderr)."""
        path = self.scratch / f"{name}{self.variant.suffix}"
        path.write_text(texts[RULES], encoding="utf-8")
        more = []
        if SETS in texts:
            sets = self.scratch / f"{name}.sets"
            sets.write_text(texts[SETS], encoding="utf-8")
            more = ["--ipset", sets]
        process = program.flowfw("verify", "--json", *self.options, *more, "--profile", self.profile, path, cwd=self.folder)
        said = json.loads(process.stdout) if process.stdout else None
        return process.returncode, said, process.stderr


    def is_at(self, place, lines, text):
        """Whether a place is one of these lines, 0 for none: "rules.v4:31", "pf.conf: no rule is about it", or of a
        chain and its rules by their handles."""
        if self.variant.suffix != ".nft":
            line = place.rpartition(":")[2]
            if not line.isdigit():
                return 0 in lines
            # The line of a chain is that of its policy, and of its end.
            return int(line) in lines or (0 in lines and text.splitlines()[int(line) - 1].startswith(":"))
        handles = HANDLES.of(text)
        return any(handles.get(line) == place for line in lines)


class Handles:
    """What the kernel calls the lines of rule sets for nft, asked in a namespace of its own."""

    def __init__(self):
        self.host = self.text = self.places = None

    def of(self, text):
        """{line: "inet flowfw input handle 7", or "inet flowfw input policy"}; the last answer is kept."""
        if text != self.text:
            self.host = self.host or netns.Host("handles")
            self.host.run("nft", "flush", "ruleset")
            self.host.run("nft", "-f", "-", text=text)
            self.text, self.places = text, self.match(text, self.host.run("nft", "-a", "list", "ruleset")[1])
        return self.places

    @staticmethod
    def match(text, listed):
        """Rules are listed in the order in which they were written."""
        places, chains = {}, {}
        where = chain = None
        for line in listed.splitlines():
            words = line.split()
            if words[:1] == ["table"]:
                where = " ".join(words[1:3])
            elif words[:1] == ["chain"]:
                chain = chains.setdefault((*where.split(), words[1]), [])
            elif words[:1] == ["}"]:
                chain = None
            elif chain is not None and "# handle" in line:
                chain.append(words[-1])
        for key, found in nft_rules.parse(text).chains.items():
            places[found.line] = f"{' '.join(key)} policy"
            for rule, handle in zip(found.rules, chains[key], strict=True):
                places[rule.line] = f"{' '.join(key)} handle {handle}"
        return places


HANDLES = Handles()


def rows_of(said):
    """(section, row) of what --json says."""
    return [(section, row) for section in SECTIONS for row in (said or {}).get(section, ())]


# ---- mutants ----


def mutants(base, ways, count, chance):
    """`count` of them, of all kinds in turn."""
    found, texts = [], {tuple(sorted(base.judge.texts.items()))}
    ways = list(ways)
    chance.shuffle(ways)
    for turn in range(count * TRIES):
        mutant = ways[turn % len(ways)](chance)
        if mutant is None or (key := tuple(sorted(mutant.texts.items()))) in texts:
            continue
        texts.add(key)
        if base.judge.mutated(mutant) is None:
            continue
        found.append(mutant)
        if len(found) == count:
            break
    return found


class Trial:
    """One mutant: what the evaluators find, and what verify says."""

    def __init__(self, base, mutant, number, equal):
        self.base, self.mutant, self.equal = base, mutant, equal
        self.name = f"{base.name}: {mutant.kind}, number {number}"
        self.mutated = base.judge.mutated(mutant)
        self.witness = None if equal else base.judge.witness(mutant, self.mutated, f"{SEED} {self.name}")
        self.status, self.said, self.stderr = base.verify(mutant.texts, f"mutant-{number}")

    def result(self):
        """(kind, whether it is equal, whether it is known to be changed, what is wrong or None)."""
        wrong = self.wrong()
        return self.mutant.kind, self.equal, self.witness is not None, wrong and f"{self.name}: {wrong}\n{self.diff()}"

    def wrong(self):
        """What is wrong, or None."""
        if self.equal:
            return None if self.status == PROVEN else f"means the same, but exit {self.status}: {self.summary()}"
        if self.status == PROVEN:
            return self.witness and f"not noticed: {packets.words(self.witness)}"
        if self.status != DIFFERENT and not self.unclear():
            return f"exit {self.status}: {self.summary()}"
        return self.false_witness() or self.wrong_rule()

    def unclear(self):
        """pf: where no state is kept, or a host's own addresses matter, nobody says what becomes of answers. That is
        noticed, if unproven."""
        return self.status == UNPROVEN and self.base.variant.suffix == ".conf" and self.said["unknown"]

    def summary(self):
        rows = [row["words"] for _, row in rows_of(self.said)]
        unknown = [f"{one['place']}: {one['what']}" for one in (self.said or {}).get("unknown", ())]
        return "; ".join([*unknown[:3], *rows[:3]]) or self.stderr[:400]

    # ---- what is printed ----

    def false_witness(self):
        """Each packet must show a difference. A limit that is divided among rules is another as a whole where one of
        them is, so that one packet that shows it is enough."""
        shown = {"limits": 0}
        for section, row in rows_of(self.said):
            found = self.shown_by(section, row)
            if not found and section != "limits":
                return f"{section}: both do the same to {row['witness']}: {json.dumps(row['packet'])}"
            shown[section] = shown.get(section, 0) + found
        if any(shown.values()) or (self.status == UNPROVEN and not rows_of(self.said)):
            return None
        return f"no packet shows a difference: {self.summary()}"

    def shown_by(self, section, row):
        """Whether the row's packet shows a difference."""
        judge, clear = self.base.judge, False
        for one in judge.completed(judges.from_json(row["packet"], row["witness"])):
            try:
                before, after = judge.original.outcome(one), self.mutated.outcome(one)
            except pf_rules.Unclear:
                continue
            if before != after:
                return True
            # Where pf lets nothing pass, its reader does not say what translation would have done.
            clear |= section != "detours" or self.base.variant.suffix != ".conf" or before.verdict.action == "accept"
        return not clear

    def wrong_rule(self):
        """Whether the rule that is named is the one that decides the packet."""
        for section, row in rows_of(self.said):
            if section not in ("newly-allowed", "newly-denied", "limits"):
                continue
            one = judges.from_json(row["packet"], row["witness"])
            try:
                lines = self.base.variant.lines(self.mutated, one)
            except pf_rules.Unclear:
                continue
            named = row.get("rule-after")
            if named is None and 0 in lines:
                continue  # no rule is about it
            if named is None or not self.base.is_at(named["place"], lines, self.mutant.texts[RULES]):
                return f"{section}: {row['witness']} is decided by {sorted(lines)}, not by {named and named['place']}"
        return None

    def diff(self):
        """The lines that are gone, and those that are new."""
        found = []
        for file, old in self.base.judge.texts.items():
            before, after = old.splitlines(), self.mutant.texts[file].splitlines()
            found += [f"- {line}" for line in before if line not in after]
            found += [f"+ {line}" for line in after if line not in before]
        return "\n".join(found[:DIFF_LINES]) or "(their order alone)"


# ---- all of one rule set ----


def misjudged(base):
    """What an evaluator makes of an original otherwise than the profile means it, by the reader of profiles in tests/lib.
    That of pf has tests of its own."""
    if isinstance(base.variant, judges.Pf):
        return []
    meant = meaning.read(base.profile, base.folder, program.SOURCE / "profiles", [], [], [])
    own = meaning.own_addresses(meant, "198.18.0.1", "2001:db8:5e1f::1")
    wrong = []
    for packet in meaning.Prober(meant, own, INTERFACES, f"{SEED} {base.name}").packets(PACKETS):
        wanted = meant.judge(meant.translated(packet)).verdict
        if packet.family not in base.variant.families or wanted == "untouched":
            continue
        verdict = base.judge.original.verdict(judges.from_meaning(meant.translated(packet)))
        if wanted != ("may" if verdict.limit else verdict.action):
            wrong.append(f"{base.name}: {packet}: {verdict}, not {wanted}")
    return wrong[:SHOWN]


def examined(base):
    """(what is wrong with the evaluator, with the original, results of its mutants)"""
    misread, unproven = misjudged(base), base.unproven()
    if unproven:
        return misread, unproven, []
    chance, document = random.Random(f"{SEED} {base.name}"), base.judge.document
    found = [(mutant, False) for mutant in mutants(base, document.changes(), CHANGED, chance)]
    found += [(mutant, True) for mutant in mutants(base, document.same(), SAME, chance)]
    return misread, [], [Trial(base, mutant, at, equal).result() for at, (mutant, equal) in enumerate(found)]
