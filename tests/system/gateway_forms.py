# SPDX-License-Identifier: GPL-2.0-or-later
"""The forms of tests/system/forms.py as a gateway loads them: with tables that translate."""

import re

import forms
import netns

EMPTY = """*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
COMMIT
"""


class Nftables(forms.Nftables):
    foreign_rules = """table ip docker {
	chain c {
		type nat hook prerouting priority -90;
		tcp dport 9000 dnat to 10.30.1.11
		tcp dport 9001 redirect to :22
	}
}
"""


class Iptables(forms.Iptables):
    foreign_rules = """*filter
:DOCKER - [0:0]
-A FORWARD -i docker0 -j DOCKER
-A DOCKER -j RETURN
COMMIT
*nat
:DOCKER - [0:0]
-A PREROUTING -p tcp -j DOCKER
-A DOCKER -p tcp -m tcp --dport 9000 -j DNAT --to-destination 10.30.1.11
-A DOCKER -p tcp -m tcp --dport 9001 -j REDIRECT --to-ports 22
COMMIT
"""

    def hooks(self, rules):
        """Those of the nat table too, and those that end what an older file translated."""
        lines = re.findall(r"^#\s+((?:! )?ip6?tables (?:-t \w+ )?-C .*)$", rules, re.MULTILINE)
        return "\n".join(re.sub(r"\b(ip6?tables) ", rf"\1-{self.kind} ", line) for line in lines)

    def unload(self, host):
        for _, prefix in self.families:
            host.run(f"{prefix}tables-{self.kind}-restore", text=EMPTY)
        super().unload(host)

    def foreign(self, host):
        lines = self.listing(host).splitlines()
        twice = {line for line in lines if re.match(r"-A [A-Z]+ -j FLOWFW", line) and lines.count(line) > 2}
        if twice:
            raise netns.Failed(f"hooked in more than once in a family: {twice}")
        return super().foreign(host)


FORMS = [
    Nftables(), Iptables("nft"), Iptables("legacy"), Iptables("nft", ipset=True), Iptables("legacy", ipset=True),
]  # fmt: skip
