# SPDX-License-Identifier: GPL-2.0-or-later
"""Rule sets that flowfw did not write, loaded by nft, read back, and asked for packets.

Each file in nft/ is a rule set whose comments say what is true of it:

    #i NAME…                an interface that is there
    #$ COMMAND              run after the rules are loaded
    #? PACKET = VERDICT     what becomes of a packet, worked out by hand; then `@ TEXT`, a part of the rule's name
    #! TEXT                 a part of something that is not understood; without any such line, all is
    #!! TEXT                not among what is not understood
    #% TEXT                 a part of a remark

The first argument is the program that is asked; it is run in a network namespace for each file.
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
import netns  # noqa: E402
import tap  # noqa: E402

ASK = sys.argv[1]


def marked(text, mark):
    """The lines of a file that begin with a mark, without it."""
    return [line[len(mark) + 1 :] for line in text.splitlines() if line.startswith(mark + " ")]


def load(host, path, text):
    host.run("ip", "link", "set", "lo", "up")
    for line in marked(text, "#i"):
        for name in line.split():
            host.run("ip", "link", "add", name, "type", "veth", "peer", "name", f"{name}-peer")
    host.run("nft", "-f", str(path))
    for command in marked(text, "#$"):
        host.run("sh", "-c", command)


def check_answer(question, answer):
    packet, _, expected = question.partition(" = ")
    verdict, _, rule = expected.partition(" @ ")
    got, _, place = answer.partition("\t")
    if got != verdict:
        raise AssertionError(f"{packet}: {got} by {place}, not {verdict}")
    if rule not in place:
        raise AssertionError(f"{packet}: {got} by {place}, not by {rule}")


def check_unknowns(text, unknowns):
    wanted = marked(text, "#!")
    for part in wanted:
        if not any(part in unknown for unknown in unknowns):
            raise AssertionError(f"not among what is unknown: {part}\n" + "\n".join(unknowns))
    for part in marked(text, "#!!"):
        if any(part in unknown for unknown in unknowns):
            raise AssertionError(f"among what is unknown: {part}")
    if unknowns and not wanted:
        raise AssertionError("not understood:\n" + "\n".join(unknowns))


def check(path):
    text = path.read_text(encoding="utf-8")
    questions = marked(text, "#?")
    host = netns.Host(path.stem)
    try:
        load(host, path, text)
        packets = "".join(question.partition(" = ")[0] + "\n" for question in questions)
        lines = host.run(ASK, "nftables", text=packets)[1].splitlines()
    finally:
        host.stop()
    check_unknowns(text, [line for line in lines if line.startswith("? ")])
    remarks = [line for line in lines if line.startswith("# ")]
    for part in marked(text, "#%"):
        if not any(part in remark for remark in remarks):
            raise AssertionError(f"not among the remarks: {part}\n" + "\n".join(remarks))
    answers = [line for line in lines if not line.startswith(("? ", "# "))]
    tap.equal(len(answers), len(questions), "answers")
    for question, answer in zip(questions, answers):
        check_answer(question, answer)


def main():
    checks = tap.Tap()
    try:
        netns.enter()
    except tap.Skip as skip:
        checks.skip("rule sets by hand", skip)
        return checks.done()
    for path in sorted((HERE / "nft").glob("*.nft")):
        checks.run(path.stem, check, path)
    return checks.done()


sys.exit(main())
