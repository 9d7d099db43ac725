# SPDX-License-Identifier: GPL-2.0-or-later
"""Sites with many cameras, and what somebody would write by hand for the cameras alone, as well as it can be done.

Two shapes: "same", all cameras listen on the default port, and "ports", each listens on one of its own.
"""

SHAPES = ("same", "ports")
PORT = 554


def address(number):
    return f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"


def own_port(number):
    return 1024 + number % 64000


def port(number, shape):
    return PORT if shape == "same" else own_port(number)


def network(number):
    return f"172.{16 + (number >> 8)}.{number & 255}.0/24"


def site(count, shape="same", networks=0, name="bench", more=""):
    """With this many cameras, and networks of administrators."""
    lines = ["flowfw: 1", f"site: {name}", "extends: enterprise", *([more] if more else []), "groups:"]
    if networks:
        lines += ["  admins:", *(f"    - {network(i)}" for i in range(networks))]
    lines.append("  cameras:")
    for i in range(count):
        ports = f", ports: {own_port(i)}/tcp" if shape == "ports" else ""
        lines.append(f"    - {{name: camera-{i}, address: {address(i)}{ports}}}")
    return "\n".join(lines) + "\n"


def power_of_two(count):
    """The least that a set of so many elements fits into."""
    return 1 << max(count - 1, 0).bit_length()


# ---- nftables ----


def nft_set(name, kind, elements):
    """A line for each element, so that a person can read what changed."""
    text = "".join(f"\t\t\t{element},\n" for element in elements)
    return (f"\tset {name} {{\n\t\ttype {kind}\n\t\tsize {power_of_two(len(elements))}\n"
            f"\t\telements = {{\n{text}\t\t}}\n\t}}\n")


def nft(count, shape="same"):
    """One table, a set for each question, and a rule for each set.

    Cameras with ports of their own have two: RTP goes to any high port of their addresses.
    """
    addresses = [address(i) for i in range(count)]
    if shape == "same":
        sets = nft_set("cameras", "ipv4_addr", addresses)
        rules = f"\t\tmeta l4proto {{ tcp, udp }} th dport {PORT} ip daddr @cameras accept\n"
    else:
        pairs = [f"{one} . {own_port(i)}" for i, one in enumerate(addresses)]
        sets = nft_set("cameras", "ipv4_addr . inet_service", pairs) + nft_set("addresses", "ipv4_addr", addresses)
        rules = ("\t\tip daddr . tcp dport @cameras accept\n"
                 "\t\tip daddr @addresses udp dport 1024-65535 accept\n")
    chains = "".join(
        f"\tchain {hook} {{\n\t\ttype filter hook {hook} priority 0; policy drop;\n"
        f"\t\tct state established,related accept\n{more}\t}}\n"
        for hook, more in (("input", ""), ("output", rules)))
    return f"table inet cameras {{\n{sets}{chains}}}\n"


# ---- iptables ----


def iptables(count, shape="same", port_once=False):
    """One rule after the other, which a packet to the last camera meets all of.

    Where all have one port, it may be asked before all these rules are: it is not in any of them, then.
    """
    def rules(chain, more):
        return "".join(f"-A {chain} -d {address(i)}/32{more(i)} -j ACCEPT\n" for i in range(count))

    chains = ":CAMERAS - [0:0]\n"
    text = rules("CAMERAS", lambda i: "" if port_once else f" -p tcp -m tcp --dport {port(i, shape)}")
    if shape == "ports":  # RTP, as above; its ports are asked before
        chains += ":MEDIA - [0:0]\n"
        text += rules("MEDIA", lambda i: "")
    return f"*filter\n{chains}{text}COMMIT\n"


def ipset(count, shape="same"):
    size = power_of_two(count)

    def one(name, kind, more):
        lines = "".join(f"add {name} {address(i)}{more(i)}\n" for i in range(count))
        return f"create {name} {kind} family inet hashsize {size} maxelem {size}\n{lines}"

    addresses = one("addresses", "hash:ip", lambda i: "")
    return addresses if shape == "same" else addresses + one("cameras", "hash:ip,port", lambda i: f",tcp:{own_port(i)}")
