# SPDX-License-Identifier: GPL-2.0-or-later
"""A gateway in front of two devices, with real packets: everybody calls everybody who is not a neighbour.

Over TCP and UDP, IPv4 and IPv6, on the ports of the table, those that the gateway forwards, and some beside. First
without rules, where all of it must be answered: the control for what must not be answered later. Then behind each
variant of the gateway's site, in each form that a gateway may load. The pf output is asked about the same calls, as
tests/pf reads it. Who answers, what address the caller has there, and which port was called in the end is read from
the YAML data, not from flowfw.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import gateway_calls  # noqa: E402
import gateway_forms  # noqa: E402
import gateway_model  # noqa: E402
import gateway_paper  # noqa: E402
import gateway_sites  # noqa: E402
import gateway_world  # noqa: E402
import netns  # noqa: E402
import probes  # noqa: E402
import tap  # noqa: E402
from gateway_world import DEVICES, PEOPLE  # noqa: E402

SHOWN = 12  # mistakes told for one check
OWN_PORTS = (53, 80, 123, 443, 495, 554, 993, 5556, 8000, 8088, 8089, 8090, 8443, 8554, 31228, 55570)
OUTSIDE_PORTS = (15556, 15570, 18088, 18100, 18101, 18105, 18110, 18111, 18112, 18113)
BESIDE = (22, 555, 1023, 1024, 4999, 5000, 5010, 5011, 8087, 15555, 18089, 18099, 18102, 18104, 18114, 40000)
PORTS = sorted(OWN_PORTS + OUTSIDE_PORTS + BESIDE)
LISTENING = [(protocol, port) for protocol in probes.KINDS for port in PORTS]

OUTSIDERS = ("client", "admin", "viewer", "subscriber", "stranger")
GATEWAY = ("gateway outside", "gateway inside")
CALLS = {
    **dict.fromkeys(OUTSIDERS, (*GATEWAY, *DEVICES, "north", "south", "insider")),
    "insider": (*GATEWAY, "north", "client", "stranger"),
    "guest": (*GATEWAY, "north", "client", "subscriber", "receiver", "names", "clock", "mail", "vendor"),
    **dict.fromkeys(("north", "south"), ("gateway outside", *DEVICES, "insider", "stranger")),
    **{
        one: (*GATEWAY, other, "north", "south", *OUTSIDERS, "receiver", "names", "clock", "mail", "vendor")
        for one, other in (DEVICES, DEVICES[::-1])
    },
    "gateway outside": ("client", "stranger", "names", "clock"),
    "gateway inside": DEVICES,
}  # who calls whom


FORGERIES = {"client": ("north", "south"), "north": (*OUTSIDERS, "receiver", "names", "clock", "mail", "vendor")}
WRONG_SIDES = ("city", "no interfaces")  # the second shows that such packets do come
DEVICE_ADDRESSES = {PEOPLE[name].address(family) for name in DEVICES for family in probes.FAMILIES}
SOURCE_PORT = 20000  # for the model: one that no service names


def forged_attempts(sender):
    return [
        probe
        for device in DEVICES
        for called in FORGERIES[sender]
        for probe in attempts_between(device, called)
    ]


def attempts_between(caller, called):
    found = []
    for family in probes.FAMILIES:
        ends = PEOPLE[caller].address(family), PEOPLE[called].address(family)
        if None not in ends:
            found += [probes.Probe(protocol, *ends, port) for protocol, port in LISTENING]
    return found


def all_attempts():
    return [
        probe
        for caller, everybody in CALLS.items()
        for called in everybody
        for probe in attempts_between(caller, called)
    ]


def place_of(address):
    person = gateway_world.OWNERS[address]
    return gateway_model.Place(person.host, person.side)


def place_in_field(address):
    """As place_of(), while the cameras have the devices' addresses."""
    return place_of(PEOPLE["north"].ipv4 if address in DEVICE_ADDRESSES else address)


def place_forged_by(sender):
    """As place_of(), while somebody sends in the devices' names."""
    return lambda address: place_of(PEOPLE[sender].ipv4 if address in DEVICE_ADDRESSES else address)


class Case:
    """A gateway, and what must become of each attempt: what the other end sees, and whether the answer comes back."""

    def __init__(self, name, site, attempts, place=place_of):
        self.name = name
        gateway = gateway_sites.meaning_of(site) if site else None
        self.expected = {probe: self.outcome(gateway, probe, place) for probe in attempts}
        self.awaited = frozenset(probe for probe, outcome in self.expected.items() if outcome.answered)

    @staticmethod
    def outcome(gateway, probe, place):
        ends = probe.source, probe.destination, probe.port
        if gateway is None:
            return gateway_model.Outcome(place(probe.destination).host, *ends, True)
        return gateway.outcome(probe.protocol, *ends, SOURCE_PORT, place)

    def seen(self, probe):
        """What is said at the other end."""
        outcome = self.expected[probe]
        if outcome.host is None:
            return None
        return gateway_calls.seen(outcome.host, outcome.source, outcome.destination, outcome.port)

    def check(self, checks, form, net):
        """All checks of this case, under the rules that are loaded."""
        answers, heard = net.call_until(list(self.expected), self.awaited)
        for caller in CALLS:
            for family in probes.FAMILIES:
                own = [probe for probe in self.expected if probe.source == PEOPLE[caller].address(family)]
                if own:
                    name = f"{form}: {self.name}: {caller} calls, {family}"
                    checks.run(name, self.verdict, own, answers, heard)

    def verdict(self, attempts, answers, heard):
        wrong = []
        for probe in attempts:
            seen = self.seen(probe)
            answer = seen if self.expected[probe].answered else None
            if answers.get(probe) != answer:
                wrong.append(f"{probe}: answer {answers.get(probe)}, not {answer}")
            elif probe.protocol == "udp" and heard.get(probe) != seen:
                wrong.append(f"{probe}: {heard.get(probe)}, and not {seen}")
        self.tell(wrong)

    def forged(self, net, sender):
        """Checks what is heard of attempts that a host makes in other hosts' names."""
        heard = net.forge(list(self.expected), sender)
        expected = {str(probe): self.seen(probe) for probe in self.expected if self.seen(probe)}
        self.tell(
            f"{words}: {heard.get(words)}, not {expected.get(words)}"
            for words in sorted(heard.keys() | expected.keys())
            if heard.get(words) != expected.get(words)
        )

    @staticmethod
    def tell(wrong):
        wrong = list(wrong)
        if wrong:
            more = [f"and {len(wrong) - SHOWN} more"] if wrong[SHOWN:] else []
            raise AssertionError("\n".join(wrong[:SHOWN] + more))


def check_case(checks, form, net, case, site):
    case.check(checks, form, net)
    if case.name in WRONG_SIDES:
        check_wrong_sides(checks, form, net, case.name, site)


def check_wrong_sides(checks, form, net, variant, site):
    """Packets that come in, or would go out, where devices are not."""
    for sender in FORGERIES:
        case = Case(variant, site, forged_attempts(sender), place_forged_by(sender))
        name = f"{form}: {variant}: in the devices' names from the host of {sender}"
        checks.run(name, case.forged, net, PEOPLE[sender].host)
    attempts = [
        probe for caller in (*OUTSIDERS, "insider") for called in ("gateway outside", *DEVICES)
        if (caller, called[:8]) != ("insider", "junction") for probe in attempts_between(caller, called)
    ]  # fmt: skip
    case = Case(f"{variant}, devices on the wrong side", site, attempts, place_in_field)
    with net.devices_in_field():
        case.check(checks, form, net)


def check_form(checks, form, net, attempts):
    """All variants in one form."""
    try:
        form.need(net.gateway)
    except tap.Skip as skip:
        checks.skip(form.name, skip)
        return
    for variant in gateway_sites.VARIANTS:
        site = gateway_sites.site(variant)
        case = Case(variant, site, attempts)
        try:
            form.load(net.gateway, form.make(site))
        except AssertionError as failure:
            checks.result(False, f"{form.name}: {variant}", str(failure))
            continue
        check_case(checks, form.name, net, case, site)
        form.unload(net.gateway)


def check_forms(checks, wanted, attempts):
    """With packets, in the forms that a gateway may load."""
    net = gateway_world.World(LISTENING)
    Case("without rules", None, attempts).check(checks, "all", net)
    for form in wanted:
        check_form(checks, form, net, attempts)


def check_dialect(checks, dialect, attempts):
    """All variants as pf has them."""
    paper = gateway_paper.Paper(dialect)
    for variant in gateway_sites.VARIANTS:
        site = gateway_sites.site(variant)
        try:
            paper.load(site)
        except (AssertionError, gateway_paper.PfError) as failure:
            checks.result(False, f"pf-{dialect}: {variant}", str(failure))
            continue
        check_case(checks, f"pf-{dialect}", paper, Case(variant, site, attempts), site)


def main():
    """All forms, or those that the arguments name."""
    checks = tap.Tap()
    names = sys.argv[1:]
    attempts = all_attempts()
    wanted = [form for form in gateway_forms.FORMS if not names or form.name in names]
    if wanted:
        try:
            netns.enter()
        except tap.Skip as skip:
            checks.skip("packets between namespaces", skip)
        else:
            check_forms(checks, wanted, attempts)
    for dialect in gateway_paper.DIALECTS:
        if not names or f"pf-{dialect}" in names:
            check_dialect(checks, dialect, attempts)
    return checks.done()


if __name__ == "__main__":
    sys.exit(main())
