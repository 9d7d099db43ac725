# SPDX-License-Identifier: GPL-2.0-or-later
"""The dry run and the text say the same: what the kernel holds after each is compared, for every golden site.

The first argument is the program that makes the kernel load the messages of the dry run for good.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import netns  # noqa: E402
import program  # noqa: E402
import tap  # noqa: E402

COMMIT_SITE = sys.argv[1]
FOREIGN = """
table ip filter { chain input { type filter hook input priority 0; }; }
table inet flowfw {
  set ipv4_cameras { type inet_service; elements = { 1 }; }
  chain input { type route hook output priority 5; tcp dport @ipv4_cameras drop; }
}
table ip flowfw_nat { chain x { type nat hook postrouting priority 100; }; }
"""


def profiles():
    """(name, argument) of all that compiles: the shipped profiles, and the sites of the golden cases."""
    yield from ((name, name) for name in program.PROFILES)
    for site in sorted((program.SOURCE / "tests/golden").glob("*/site.yaml")):
        if program.flowfw("gen", "--quiet", "--profile", site).returncode == program.OK:
            yield site.parent.name, site


def listing(host):
    return host.run("nft", "-y", "list", "ruleset")[1]


def flush(host):
    host.run("nft", "flush", "ruleset")


def same_as_text(host, profile, kernel):
    flush(host)
    text = program.compiled("gen", "--quiet", "-O", f"kernel={kernel}", "--profile", profile)
    host.run("nft", "-f", "-", text=text)
    expected = listing(host)
    flush(host)
    host.run("env", f"FLOWFW_DATADIR={program.SOURCE}", COMMIT_SITE, profile, kernel)
    tap.equal(listing(host), expected, "rule set")


def changes_nothing(host, profile):
    flush(host)
    host.run("nft", "-f", "-", text=FOREIGN)
    before = listing(host)
    command = ("env", f"FLOWFW_DATADIR={program.SOURCE}", program.BINARY, "check", "--kernel", profile)
    status, _, errors = host.run(*command, check=False)
    # What a site expects of its own rules is another question.
    if status != program.OK and not (status == program.DIFFERS and "[expect-failed]" in errors):
        raise AssertionError(f"exit status {status}\n{errors}")
    tap.equal(listing(host), before, "rule set")


def main():
    checks = tap.Tap()
    try:
        netns.enter()
    except tap.Skip as skip:
        checks.skip("dry run", skip)
        return checks.done()
    host = netns.Host("kernel")
    for name, profile in profiles():
        for kernel in ("4.19", "5.6"):
            checks.run(f"{name}: as its text, for {kernel}", same_as_text, host, profile, kernel)
        checks.run(f"{name}: the dry run changes nothing", changes_nothing, host, profile)
    host.stop()
    return checks.done()


sys.exit(main())
