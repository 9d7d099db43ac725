// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Names that pf.conf has for protocols, ports, types of ICMP and timeouts, and their numbers: those
 * of pfctl's own tables (pfctl_parser.c), and the usual ones of /etc/protocols and /etc/services.
 */

#include "readback/pf.h"

#include <string.h>

struct name {
	const char *text;
	uint16_t number;
};

static bool look_up(
	const struct name *names, size_t count, struct fw_slice text, uint16_t *out_number) {
	for (size_t i = 0; i < count; i++) {
		if (fw_slice_is(text, names[i].text)) {
			*out_number = names[i].number;
			return true;
		}
	}
	return false;
}

bool fw_pfr_protocol(struct fw_slice name, uint8_t *out_protocol) {
	static const struct name names[] = {
		{"icmp", 1},
		{"igmp", 2},
		{"ipencap", 4},
		{"tcp", 6},
		{"udp", 17},
		{"dccp", 33},
		{"ipv6", 41},
		{"gre", 47},
		{"esp", 50},
		{"ipsec-esp", 50},
		{"ah", 51},
		{"ipsec-ah", 51},
		{"icmp6", 58},
		{"ipv6-icmp", 58},
		{"eigrp", 88},
		{"ospf", 89},
		{"ospfigp", 89},
		{"ipip", 94},
		{"etherip", 97},
		{"pim", 103},
		{"ipcomp", 108},
		{"carp", 112},
		{"vrrp", 112},
		{"l2tp", 115},
		{"sctp", 132},
		{"udplite", 136},
		{"pfsync", 240},
	};
	uint16_t number = 0;
	uint64_t value = 0;

	if (fw_slice_to_uint(name, UINT8_MAX, &value)) {
		*out_protocol = (uint8_t)value;
		return true;
	}
	if (!look_up(names, FW_LENGTH(names), name, &number)) {
		return false;
	}
	*out_protocol = (uint8_t)number;
	return true;
}

bool fw_pfr_service(struct fw_slice name, uint16_t *out_port) {
	static const struct name names[] = {
		{"ftp-data", 20},
		{"ftp", 21},
		{"ssh", 22},
		{"telnet", 23},
		{"smtp", 25},
		{"time", 37},
		{"whois", 43},
		{"domain", 53},
		{"bootps", 67},
		{"bootpc", 68},
		{"tftp", 69},
		{"gopher", 70},
		{"finger", 79},
		{"http", 80},
		{"www", 80},
		{"kerberos", 88},
		{"pop3", 110},
		{"sunrpc", 111},
		{"auth", 113},
		{"ident", 113},
		{"nntp", 119},
		{"ntp", 123},
		{"netbios-ns", 137},
		{"netbios-dgm", 138},
		{"netbios-ssn", 139},
		{"imap", 143},
		{"snmp", 161},
		{"snmptrap", 162},
		{"snmp-trap", 162},
		{"bgp", 179},
		{"irc", 194},
		{"ldap", 389},
		{"https", 443},
		{"microsoft-ds", 445},
		{"submissions", 465},
		{"smtps", 465},
		{"isakmp", 500},
		{"login", 513},
		{"syslog", 514},
		{"printer", 515},
		{"route", 520},
		{"dhcpv6-client", 546},
		{"dhcpv6-server", 547},
		{"rtsp", 554},
		{"submission", 587},
		{"ipp", 631},
		{"ldaps", 636},
		{"rsync", 873},
		{"imaps", 993},
		{"pop3s", 995},
		{"openvpn", 1194},
		{"nfsd", 2049},
		{"nfs", 2049},
		{"mysql", 3306},
		{"rdp", 3389},
		{"ipsec-nat-t", 4500},
		{"ipsec-msft", 4500},
		{"sip", 5060},
		{"postgresql", 5432},
		{"xmpp-client", 5222},
		{"mdns", 5353},
		{"syslog-tls", 6514},
		{"ftp-proxy", 8021},
		{"spamd", 8025},
	};
	return look_up(names, FW_LENGTH(names), name, out_port);
}

static const struct name types_v4[] = {
	{"echorep", 0},
	{"unreach", 3},
	{"squench", 4},
	{"redir", 5},
	{"althost", 6},
	{"echoreq", 8},
	{"routeradv", 9},
	{"routersol", 10},
	{"timex", 11},
	{"paramprob", 12},
	{"timereq", 13},
	{"timerep", 14},
	{"inforeq", 15},
	{"inforep", 16},
	{"maskreq", 17},
	{"maskrep", 18},
	{"trace", 30},
	{"dataconv", 31},
	{"mobredir", 32},
	{"ipv6-where", 33},
	{"ipv6-here", 34},
	{"mobregreq", 35},
	{"mobregrep", 36},
	{"skip", 39},
	{"photuris", 40},
};
static const struct name types_v6[] = {
	{"unreach", 1},
	{"toobig", 2},
	{"timex", 3},
	{"paramprob", 4},
	{"echoreq", 128},
	{"echorep", 129},
	{"groupqry", 130},
	{"listqry", 130},
	{"grouprep", 131},
	{"listenrep", 131},
	{"groupterm", 132},
	{"listendone", 132},
	{"routersol", 133},
	{"routeradv", 134},
	{"neighbrsol", 135},
	{"neighbradv", 136},
	{"redir", 137},
	{"routrrenum", 138},
	{"wrureq", 139},
	{"fqdnreq", 139},
	{"niqry", 139},
	{"wrurep", 140},
	{"fqdnrep", 140},
	{"nirep", 140},
	{"mtraceresp", 200},
	{"mtrace", 201},
};

bool fw_pfr_icmp_type(enum fw_family family, struct fw_slice name, uint8_t *out_type) {
	const struct name *names = family == FW_IPV4 ? types_v4 : types_v6;
	size_t count = family == FW_IPV4 ? FW_LENGTH(types_v4) : FW_LENGTH(types_v6);
	uint16_t number = 0;
	uint64_t value = 0;

	if (fw_slice_to_uint(name, UINT8_MAX, &value)) {
		*out_type = (uint8_t)value;
		return true;
	}
	if (!look_up(names, count, name, &number)) {
		return false;
	}
	*out_type = (uint8_t)number;
	return true;
}

struct code {
	enum fw_family family;
	uint8_t type;
	const char *text;
	uint8_t number;
};

static const struct code codes[] = {
	{FW_IPV4, 3, "net-unr", 0},
	{FW_IPV4, 3, "host-unr", 1},
	{FW_IPV4, 3, "proto-unr", 2},
	{FW_IPV4, 3, "port-unr", 3},
	{FW_IPV4, 3, "needfrag", 4},
	{FW_IPV4, 3, "srcfail", 5},
	{FW_IPV4, 3, "net-unk", 6},
	{FW_IPV4, 3, "host-unk", 7},
	{FW_IPV4, 3, "isolate", 8},
	{FW_IPV4, 3, "net-prohib", 9},
	{FW_IPV4, 3, "host-prohib", 10},
	{FW_IPV4, 3, "net-tos", 11},
	{FW_IPV4, 3, "host-tos", 12},
	{FW_IPV4, 3, "filter-prohib", 13},
	{FW_IPV4, 3, "host-preced", 14},
	{FW_IPV4, 3, "cutoff-preced", 15},
	{FW_IPV4, 5, "redir-net", 0},
	{FW_IPV4, 5, "redir-host", 1},
	{FW_IPV4, 5, "redir-tos-net", 2},
	{FW_IPV4, 5, "redir-tos-host", 3},
	{FW_IPV4, 9, "normal-adv", 0},
	{FW_IPV4, 9, "common-adv", 16},
	{FW_IPV4, 11, "transit", 0},
	{FW_IPV4, 11, "reassemb", 1},
	{FW_IPV4, 12, "badhead", 0},
	{FW_IPV4, 12, "optmiss", 1},
	{FW_IPV4, 12, "badlen", 2},
	{FW_IPV4, 40, "unknown-ind", 0},
	{FW_IPV4, 40, "auth-fail", 1},
	{FW_IPV4, 40, "decrypt-fail", 2},
	{FW_IPV6, 1, "noroute-unr", 0},
	{FW_IPV6, 1, "admin-unr", 1},
	{FW_IPV6, 1, "beyond-unr", 2},
	{FW_IPV6, 1, "addr-unr", 3},
	{FW_IPV6, 1, "port-unr", 4},
	{FW_IPV6, 3, "transit", 0},
	{FW_IPV6, 3, "reassemb", 1},
	{FW_IPV6, 4, "badhead", 0},
	{FW_IPV6, 4, "nxthdr", 1},
	{FW_IPV6, 137, "redironlink", 0},
	{FW_IPV6, 137, "redirrouter", 1},
};

bool fw_pfr_icmp_code(
	enum fw_family family, uint8_t type, struct fw_slice name, uint8_t *out_code) {
	uint64_t value = 0;

	if (fw_slice_to_uint(name, UINT8_MAX, &value)) {
		*out_code = (uint8_t)value;
		return true;
	}
	for (size_t i = 0; i < FW_LENGTH(codes); i++) {
		if (codes[i].family == family && codes[i].type == type &&
			fw_slice_is(name, codes[i].text)) {
			*out_code = codes[i].number;
			return true;
		}
	}
	return false;
}

/* ---- timeouts ---- */

struct timeout {
	const char *name;
	enum fw_pfr_timeout_class class;
	uint32_t seconds; /* by default (pf.conf, OPTIONS) */
};

static const struct timeout timeouts[FW_PFR_TIMEOUT_COUNT] = {
	{"tcp.first", FW_PFR_TCP, 120},
	{"tcp.opening", FW_PFR_TCP, 30},
	{"tcp.established", FW_PFR_TCP, 86400},
	{"tcp.closing", FW_PFR_TCP, 900},
	{"tcp.finwait", FW_PFR_TCP, 45},
	{"tcp.closed", FW_PFR_TCP, 90},
	{"udp.first", FW_PFR_UDP, 60},
	{"udp.single", FW_PFR_UDP, 30},
	{"udp.multiple", FW_PFR_UDP, 60},
	{"icmp.first", FW_PFR_ICMP, 20},
	{"icmp.error", FW_PFR_ICMP, 10},
	{"other.first", FW_PFR_OTHER, 60},
	{"other.single", FW_PFR_OTHER, 30},
	{"other.multiple", FW_PFR_OTHER, 60},
	[FW_PFR_ADAPTIVE_START] = {.name = "adaptive.start"},
	{.name = "adaptive.end"},
	{.name = "tcp.tsdiff"},
	{.name = "frag"},
	{.name = "interval"},
	{.name = "src.track"},
};

bool fw_pfr_timeout(struct fw_slice name, unsigned *out_index) {
	for (unsigned i = 0; i < FW_PFR_TIMEOUT_COUNT; i++) {
		if (fw_slice_is(name, timeouts[i].name)) {
			*out_index = i;
			return true;
		}
	}
	return false;
}

const char fw_pfr_forgotten[] = "states that are forgotten too soon";
const char fw_pfr_hops_raised[] = "a hop limit that is raised where packets come in";

/* Those of connections that are ending, and of ICMP's queries, may be short. */
bool fw_pfr_is_hasty(unsigned index, uint32_t seconds) {
	enum { LEAST = 2, LEAST_ESTABLISHED = 60 };
	static const struct {
		const char *name;
		uint32_t least;
	} leasts[] = {
		{"tcp.first", LEAST},
		{"tcp.opening", LEAST},
		{"tcp.established", LEAST_ESTABLISHED},
		{"udp.first", LEAST},
		{"udp.single", LEAST},
		{"udp.multiple", LEAST},
	};

	for (size_t i = 0; i < FW_LENGTH(leasts); i++) {
		if (fw_slice_is(fw_slice(timeouts[index].name), leasts[i].name)) {
			return seconds < leasts[i].least;
		}
	}
	return false;
}

uint32_t fw_pfr_shortest(
	const uint32_t set[static FW_PFR_TIMEOUT_COUNT], enum fw_pfr_timeout_class class) {
	uint32_t shortest = UINT32_MAX;

	for (unsigned i = 0; i < FW_PFR_TIMEOUTS; i++) {
		uint32_t seconds = set[i] != 0 ? set[i] : timeouts[i].seconds;
		if (timeouts[i].class == class && seconds < shortest) {
			shortest = seconds;
		}
	}
	return shortest;
}
