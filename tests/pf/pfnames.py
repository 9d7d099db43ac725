# SPDX-License-Identifier: GPL-2.0-or-later
"""Words that pf.conf knows in each dialect, and the numbers behind its names for protocols, ports and ICMP types.

A word is reserved where any supported release reserves it: a rule set that uses it unquoted as a name loads on some
of them only. What the dialects understand is said in pfread.py, not here.
"""

_COMMON = """
    all allow-opts anchor antispoof any bandwidth bitmask block block-policy code debug divert-reply divert-to drop
    dup-to file fingerprints flags floating flush for fragment from global group hostid icmp-type icmp6-type
    if-bound in include inet inet6 keep label limit load log loginterface match max max-mss max-src-conn
    max-src-conn-rate max-src-nodes max-src-states min-ttl modulate no no-df no-route no-sync on optimization os out
    overload pass port prio probability proto qlimit queue quick random random-id reassemble reply-to return
    return-icmp return-icmp6 return-rst round-robin route route-to rtable rule ruleset-optimization scrub set skip
    sloppy source-hash source-track state state-defaults state-policy static-port sticky-address syncookies synproxy
    table tag tagged timeout to tos ttl urpf-failed user
"""
_OPENBSD = """
    above af-to below binat-to burst default delay divert-packet entries flows id least-states limiter mask matches
    max-pkt-rate min nat-to nomatch once parent pflow quantum rate rdomain rdr-to received-on source weight
"""
_FREEBSD = """
    altq binat binat-anchor bridge-to buckets cbq codelq crop dnpipe dnqueue drop-ovl ether fail-policy fairq fastroute
    hfsc hogs interval keepcounters l3 linkshare map-e-portset nat nat-anchor priority priq rdr rdr-anchor realtime
    require-order ridentifier set-tos target tbrsize upperlimit
    af-to allow-related binat-to endpoint-independent matches max-pkt-rate max-pkt-size nat-to once pflow
    prefer-ipv6-nexthop rdr-to received-on
"""
KEYWORDS = {
    "openbsd": frozenset((_COMMON + _OPENBSD).split()),
    "freebsd": frozenset((_COMMON + _FREEBSD).split()),
}

ICMP, TCP, UDP, ICMP6 = 1, 6, 17, 58
PROTOCOLS = {
    "icmp": ICMP, "igmp": 2, "ipencap": 4, "tcp": TCP, "udp": UDP, "ipv6": 41, "gre": 47, "esp": 50, "ah": 51,
    "icmp6": ICMP6, "ipv6-icmp": ICMP6, "ospf": 89, "pim": 103, "carp": 112, "vrrp": 112, "sctp": 132,
}  # fmt: skip

SERVICES = {
    "ftp": 21, "ssh": 22, "telnet": 23, "smtp": 25, "domain": 53, "bootps": 67, "bootpc": 68, "http": 80, "www": 80,
    "ntp": 123, "snmp": 161, "https": 443, "isakmp": 500, "syslog": 514,
}  # fmt: skip

ICMP_TYPES = {
    4: {
        "echorep": 0, "unreach": 3, "squench": 4, "redir": 5, "althost": 6, "echoreq": 8, "routeradv": 9,
        "routersol": 10, "timex": 11, "paramprob": 12, "timereq": 13, "timerep": 14, "inforeq": 15, "inforep": 16,
        "maskreq": 17, "maskrep": 18, "trace": 30, "dataconv": 31, "mobredir": 32, "ipv6-where": 33, "ipv6-here": 34,
        "mobregreq": 35, "mobregrep": 36, "skip": 39, "photuris": 40,
    },
    6: {
        "unreach": 1, "toobig": 2, "timex": 3, "paramprob": 4, "echoreq": 128, "echorep": 129, "groupqry": 130,
        "listqry": 130, "grouprep": 131, "listenrep": 131, "groupterm": 132, "listendone": 132, "routersol": 133,
        "routeradv": 134, "neighbrsol": 135, "neighbradv": 136, "redir": 137, "routrrenum": 138, "wrureq": 139,
        "fqdnreq": 139, "niqry": 139, "wrurep": 140, "fqdnrep": 140, "nirep": 140, "mtraceresp": 200, "mtrace": 201,
    },
}  # fmt: skip
ICMP_CODES = {
    4: {
        3: {
            "net-unr": 0, "host-unr": 1, "proto-unr": 2, "port-unr": 3, "needfrag": 4, "srcfail": 5, "net-unk": 6,
            "host-unk": 7, "isolate": 8, "net-prohib": 9, "host-prohib": 10, "net-tos": 11, "host-tos": 12,
            "filter-prohib": 13, "host-preced": 14, "cutoff-preced": 15,
        },
        5: {"redir-net": 0, "redir-host": 1, "redir-tos-net": 2, "redir-tos-host": 3},
        11: {"transit": 0, "reassemb": 1},
        12: {"badhead": 0, "optmiss": 1, "badlen": 2},
    },
    6: {
        1: {"noroute-unr": 0, "admin-unr": 1, "beyond-unr": 2, "addr-unr": 3, "port-unr": 4},
        3: {"transit": 0, "reassemb": 1},
        4: {"badhead": 0, "nxthdr": 1},
        137: {"redironlink": 0, "redirrouter": 1},
    },
}  # fmt: skip

# Types of a message that is an answer: a rule that keeps state does not begin one with it, unless the state is sloppy.
# Releases differ in whether neighbour advertisements and listener reports are among them; where one has them, so has
# this set.
ICMP_ANSWERS = {4: frozenset((0, 9, 14, 16, 18, 34, 36)), 6: frozenset((129, 131, 136, 140, 200))}
# Questions, and the type of what answers them.
ICMP_REPLIES = {4: {8: 0, 13: 14, 15: 16, 17: 18}, 6: {128: 129}}
# Errors about another packet; they never make a state of their own.
ICMP_ERRORS = {4: frozenset((3, 4, 5, 11, 12)), 6: frozenset((1, 2, 3, 4))}

TIMEOUTS = frozenset(
    """
    tcp.first tcp.opening tcp.established tcp.closing tcp.finwait tcp.closed tcp.tsdiff udp.first udp.single
    udp.multiple icmp.first icmp.error other.first other.single other.multiple frag interval src.track adaptive.start
    adaptive.end
    """.split()
)
