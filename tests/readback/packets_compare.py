# SPDX-License-Identifier: GPL-2.0-or-later
"""What a reader says of each packet that was sent, against what became of it."""

from dataclasses import dataclass, replace

import packets_frames as frames
import packets_rules as rules
import packets_trial as trials
import tap


@dataclass
class Answer:
    text: str
    place: str

    @property
    def verdict(self):
        return self.text.split()[0]


class Reader:
    """ASK for one rule set, as it is loaded somewhere or stands in a file."""

    def __init__(self, host, command):
        self.host, self.command = host, command

    def ask(self, questions):
        """(what is not understood, remarks, answers)"""
        lines = self.host.run(*self.command, text="".join(one + "\n" for one in questions))[1].splitlines()
        unknown = [line[2:] for line in lines if line.startswith("? ")]
        remarks = [line[2:] for line in lines if line.startswith("# ")]
        answers = [Answer(*line.split("\t")) for line in lines if not line.startswith(("? ", "# "))]
        tap.equal(len(answers), len(questions), "answers")
        return unknown, remarks, answers


# ---- comparing ----


class Comparison:
    """What the reader says of each probe, and what the kernel did."""

    def __init__(self, trial, reader, case, counts):
        self.trial, self.reader, self.case, self.counts = trial, reader, case, counts
        self.ask_as = rules.asked_as(case.interfaces())
        inputs = [probe for probe in trial.probes.values() if probe.hook == "input"]
        self.own = {address for address, _ in trials.own_addresses("input", inputs)}
        self.wrong = []

    def differs(self, words, answer, what):
        self.wrong.append(f"{words}: {answer.text} by {answer.place}; but {what}")

    def run(self):
        arrived = self.compare_before()
        self.compare_verdicts(arrived)
        self.compare_behind(arrived)
        return self.wrong

    def came(self, number, probe):
        """Whether it came to the machine: by the loopback, only what the machine's own output lets out does."""
        return probe.interface_in != "lo" or self.trial.fates[number].looped

    def as_it_was(self, number):
        """The probe in the state that tracking found it in. What has no connection was not translated for a mark."""
        probe, fate = self.trial.probes[number], self.trial.fates[number]
        if probe.original and fate.arrived and not fate.translated:
            probe = replace(probe, destination=probe.original, original="")
        if probe.interface_in == "lo" and fate.arrived:  # it may have been given another source where it left
            probe = replace(probe, source=fate.arrived.source)
        return replace(probe, state=fate.state or probe.state)

    def is_first(self, number, probe):
        """Whether it began a connection while the rules were there."""
        return probe.state == "new" and self.trial.probes[number].state != "established"

    def address_of(self, interface, family):
        if interface == "lo":
            return {4: "127.0.0.1", 6: "::1"}[family]
        return self.trial.world.own[interface][family == 6]

    def expected(self, answer, interface, address, port, family):
        """The address and port that a translation asks for."""
        words = answer.text.split()
        if words[0] == "same":
            return address, port
        to = self.address_of(interface, family) if words[0] == "interface" else words[0]
        return to, int(words[2]) if len(words) > 1 else port

    def compare_before(self):
        """Destinations; {number: the probe as it is routed}."""
        came = [number for number, probe in self.trial.probes.items() if self.came(number, probe)]
        arrived = {number: self.as_it_was(number) for number in came}
        asked = [
            number
            for number, probe in arrived.items()
            if probe.hook != "output" and self.is_first(number, probe) and not probe.original
        ]
        questions = [arrived[number].words(self.ask_as, "before") for number in asked]
        for number, words, answer in zip(asked, questions, self.reader.ask(questions)[2], strict=True):
            arrived[number] = self.compare_destination(arrived[number], self.trial.fates[number], words, answer)
        for number, probe in arrived.items():
            fate = self.trial.fates[number]
            if fate.translated and not probe.original:  # of a connection that began so
                to = fate.arrived
                probe = replace(probe, original=probe.destination, destination=to.destination, port=to.port)
            arrived[number] = probe if probe.hook == "output" else self.routed(number, probe)
        return arrived

    def compare_destination(self, probe, fate, words, answer):
        """The probe with the destination that it came to have, or would have had."""
        to = self.expected(answer, probe.interface_in, probe.destination, probe.port, probe.family)
        translated = to != (probe.destination, probe.port)
        if fate.arrived:
            got = fate.arrived.destination, fate.arrived.port
            # A translation to what it has already is none for the kernel.
            translated = fate.translated
            self.counts["translated before routing" if translated else "not translated before routing"] += 1
            if got != to:
                self.differs(words, answer, f"it came out to {got[0]} port {got[1]}")
            to = got
        return replace(probe, destination=to[0], port=to[1], original=probe.destination if translated else "")

    def routed(self, number, probe):
        """Where it goes, if it was translated on its way."""
        sent = self.trial.probes[number]
        own = self.is_own(probe.destination)
        if sent.hook == "input":
            own = own or probe.destination in self.own or rules.is_group(probe.destination)
        counted = probe.family == 6  # routers count hops
        if own and probe.hook == "forward":
            return replace(probe, hook="input", interface_out="", hops=probe.hops + counted)
        if not own and probe.hook == "input":
            return replace(probe, hook="forward", interface_out=trials.out_of(sent), hops=probe.hops - counted)
        return probe

    def is_own(self, address):
        own = {one for both in self.trial.world.own.values() for one in both}
        return address.startswith("127.") or address == "::1" or address in own

    def compare_verdicts(self, arrived):
        questions = [probe.words(self.ask_as) for probe in arrived.values()]
        _, remarks, answers = self.reader.ask(questions)
        stricter = any("in use" in remark for remark in remarks)  # rules that fill sets which drop
        for (number, probe), words, answer in zip(arrived.items(), questions, answers, strict=True):
            fate = self.trial.fates[number]
            passed = [interface for interface, _ in fate.left if interface == probe.interface_out]
            got = "accept" if passed else "reject" if fate.answered else "drop"
            self.counts[answer.verdict] += 1
            self.counts[fate.state or "gone before tracking"] += 1
            if len(passed) > 1 or len(fate.left) != len(passed) and not self.case.copies():
                self.differs(words, answer, f"it came out at {[interface for interface, _ in fate.left]}")
            elif not agree(probe, answer.verdict, got, stricter):
                self.differs(words, answer, f"the kernel's verdict is {got}")

    def compare_behind(self, arrived):
        asked = []
        for number, probe in arrived.items():
            left = [seen for interface, seen in self.trial.fates[number].left if interface == probe.interface_out]
            moved = probe.hook == "output" and left and left[0].destination != probe.destination
            if left and probe.hook != "input" and self.is_first(number, probe) and not moved:
                asked.append((probe, left[0]))
        questions = [probe.words(self.ask_as, "behind") for probe, _ in asked]
        for (probe, seen), words, answer in zip(asked, questions, self.reader.ask(questions)[2], strict=True):
            source, port = self.expected(answer, probe.interface_out, probe.source, seen.sport, probe.family)
            self.counts["not translated behind" if answer.verdict == "same" else "translated behind"] += 1
            if (seen.source, seen.sport) != (source, port):
                self.differs(words, answer, f"it left from {seen.source} port {seen.sport}")


def agree(probe, said, got, stricter):
    if said in ("limited", got):
        return True
    return got == "drop" and ((said == "reject" and unanswerable(probe)) or (said == "accept" and stricter))


def unanswerable(probe):
    """Whether nobody may answer: errors, resets, packets to many, and those whose checksum is wrong."""
    return (
        (probe.protocol == frames.ICMP and probe.sport not in frames.QUERIES)
        or (probe.protocol == frames.ICMP6 and probe.sport < 128)
        or (probe.protocol == frames.TCP and probe.flags & frames.RST != 0)
        or probe.state == "invalid"
        or probe.source == "fe80::"  # a network's own address
        or rules.is_group(probe.destination)
    )
