// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Addresses, ports, protocols, types and rates in the forms that iptables takes and prints, which
 * are more, and older, than those of a profile.
 */

#include "readback/iptables.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

/* ---- numbers ---- */

bool fw_ipt_decimal(struct fw_slice text, uint64_t max, uint64_t *out) {
	return (text.length < 2 || text.data[0] != '0') && fw_slice_to_uint(text, max, out);
}

/* ---- addresses ---- */

static unsigned bits_of(enum fw_family family) {
	return family == FW_IPV4 ? 32 : 128;
}

/* One to four decimal parts; what is left out is 0. */
static bool parse_ipv4(struct fw_slice text, struct fw_addr *out) {
	uint64_t value = 0;
	unsigned parts = 0;

	while (text.data != NULL) {
		struct fw_slice part = fw_slice_cut(&text, '.');
		uint64_t number;
		if (parts == 4 || !fw_ipt_decimal(part, UINT8_MAX, &number)) {
			return false;
		}
		value = value << 8 | number;
		parts++;
	}
	*out = (struct fw_addr){0, value << 8 * (4 - parts)};
	return parts != 0;
}

static bool parse_ipv6(struct fw_slice text, struct fw_addr *out) {
	char copy[INET6_ADDRSTRLEN + 1];
	uint8_t bytes[16];
	struct fw_addr value = {0, 0};

	if (text.length >= sizeof(copy) || memchr(text.data, 0, text.length) != NULL) {
		return false;
	}
	memcpy(copy, text.data, text.length);
	copy[text.length] = 0;
	if (inet_pton(AF_INET6, copy, bytes) != 1) {
		return false;
	}
	for (size_t i = 0; i < 8; i++) {
		value.high = value.high << 8 | bytes[i];
		value.low = value.low << 8 | bytes[i + 8];
	}
	*out = value;
	return true;
}

static bool parse_address(enum fw_family family, struct fw_slice text, struct fw_addr *out) {
	if (text.length == 0) {
		return false;
	}
	return family == FW_IPV4 ? parse_ipv4(text, out) : parse_ipv6(text, out);
}

/* The last address of a network that begins with 0: its host bits. */
static struct fw_addr host_bits(enum fw_family family, unsigned length) {
	unsigned bits = bits_of(family) - length;

	if (bits >= 64) {
		return (struct fw_addr){
			bits == 128 ? UINT64_MAX : (UINT64_C(1) << (bits - 64)) - 1, UINT64_MAX};
	}
	return (struct fw_addr){0, (UINT64_C(1) << bits) - 1};
}

/* A number of leading ones, or an address that is made of that many. */
static bool parse_mask(enum fw_family family, struct fw_slice text, unsigned *out) {
	uint64_t number;
	struct fw_addr mask;

	if (fw_ipt_decimal(text, bits_of(family), &number)) {
		*out = (unsigned)number;
		return true;
	}
	if (!parse_address(family, text, &mask)) {
		return false;
	}
	struct fw_addr all = host_bits(family, 0);
	for (unsigned length = 0; length <= bits_of(family); length++) {
		struct fw_addr bits = host_bits(family, length);
		if (mask.high == (all.high ^ bits.high) && mask.low == (all.low ^ bits.low)) {
			*out = length;
			return true;
		}
	}
	return false;
}

bool fw_ipt_address(enum fw_family family, struct fw_slice text, struct fw_range *out) {
	struct fw_slice rest = text;
	struct fw_slice first = fw_slice_cut(&rest, '/');
	unsigned length = bits_of(family);
	struct fw_addr addr;

	if (!parse_address(family, first, &addr) ||
		(rest.data != NULL && !parse_mask(family, rest, &length))) {
		return false;
	}
	struct fw_addr bits = host_bits(family, length);
	*out = (struct fw_range){
		.first = {addr.high & ~bits.high, addr.low & ~bits.low},
		.last = {addr.high | bits.high, addr.low | bits.low},
		.family = family,
	};
	return true;
}

bool fw_ipt_address_range(enum fw_family family, struct fw_slice text, struct fw_range *out) {
	struct fw_slice rest = text;
	struct fw_slice first = fw_slice_cut(&rest, '-');
	struct fw_range range = {.family = family};

	if (!parse_address(family, first, &range.first)) {
		return false;
	}
	range.last = range.first;
	if (rest.data != NULL && !parse_address(family, rest, &range.last)) {
		return false;
	}
	if (fw_addr_compare(range.first, range.last) > 0) {
		return false;
	}
	*out = range;
	return true;
}

/* ---- protocols ---- */

/* What iptables knows by itself, and what Debian's /etc/protocols adds that its listings show. */
static const struct {
	const char *name;
	uint8_t number;
} protocols[] = {
	{"tcp", 6},
	{"udp", 17},
	{"icmp", 1},
	{"ipv6-icmp", 58},
	{"icmpv6", 58},
	{"all", 0},
	{"igmp", 2},
	{"esp", 50},
	{"ipv6-crypt", 50},
	{"ah", 51},
	{"ipv6-auth", 51},
	{"gre", 47},
	{"sctp", 132},
	{"udplite", 136},
	{"dccp", 33},
	{"ipencap", 4},
	{"ipip", 94},
	{"ipv6", 41},
	{"ipv6-route", 43},
	{"ipv6-frag", 44},
	{"ipv6-nonxt", 59},
	{"ipv6-opts", 60},
	{"mh", 135},
	{"ipv6-mh", 135},
	{"mobility-header", 135},
	{"ospf", 89},
	{"pim", 103},
	{"vrrp", 112},
	{"eigrp", 88},
	{"l2tp", 115},
	{"ipcomp", 108},
	{"rsvp", 46},
	{"egp", 8},
	{"igp", 9},
	{"hip", 139},
	{"fc", 133},
	{"etherip", 97},
	{"isis", 124},
};

bool fw_ipt_protocol(struct fw_slice text, uint8_t *out) {
	uint64_t number;

	if (fw_ipt_decimal(text, UINT8_MAX, &number)) {
		*out = (uint8_t)number;
		return true;
	}
	for (size_t i = 0; i < FW_LENGTH(protocols); i++) {
		size_t length = strlen(protocols[i].name);
		if (text.length == length &&
			strncasecmp(text.data, protocols[i].name, length) == 0) {
			*out = protocols[i].number;
			return true;
		}
	}
	return false;
}

/* ---- ports ---- */

/* Names that people write. All of them mean the same in TCP and UDP. */
static const struct {
	const char *name;
	uint16_t number;
} ports[] = {
	{"ftp-data", 20},
	{"ftp", 21},
	{"ssh", 22},
	{"telnet", 23},
	{"smtp", 25},
	{"domain", 53},
	{"bootps", 67},
	{"bootpc", 68},
	{"tftp", 69},
	{"http", 80},
	{"www", 80},
	{"kerberos", 88},
	{"pop3", 110},
	{"sunrpc", 111},
	{"ntp", 123},
	{"netbios-ns", 137},
	{"netbios-dgm", 138},
	{"netbios-ssn", 139},
	{"imap2", 143},
	{"imap", 143},
	{"snmp", 161},
	{"snmp-trap", 162},
	{"snmptrap", 162},
	{"bgp", 179},
	{"ldap", 389},
	{"https", 443},
	{"microsoft-ds", 445},
	{"isakmp", 500},
	{"dhcpv6-client", 546},
	{"dhcpv6-server", 547},
	{"submission", 587},
	{"ldaps", 636},
	{"imaps", 993},
	{"pop3s", 995},
	{"openvpn", 1194},
	{"nfs", 2049},
	{"mysql", 3306},
	{"ipsec-nat-t", 4500},
	{"mdns", 5353},
	{"postgresql", 5432},
};

static bool parse_port(struct fw_slice text, uint16_t *out) {
	uint64_t number;

	if (fw_ipt_decimal(text, UINT16_MAX, &number)) {
		*out = (uint16_t)number;
		return true;
	}
	for (size_t i = 0; i < FW_LENGTH(ports); i++) {
		if (fw_slice_is(text, ports[i].name)) {
			*out = ports[i].number;
			return true;
		}
	}
	return false;
}

bool fw_ipt_ports(struct fw_slice text, char separator, struct fw_ports *out) {
	struct fw_slice rest = text;
	struct fw_ports range;

	/* A name may hold a hyphen. */
	if (parse_port(text, &range.low)) {
		*out = (struct fw_ports){range.low, range.low};
		return true;
	}
	struct fw_slice first = fw_slice_cut(&rest, separator);
	if (rest.data == NULL || memchr(rest.data, separator, rest.length) != NULL) {
		return false;
	}
	range = (struct fw_ports){0, UINT16_MAX};
	if ((first.length != 0 && !parse_port(first, &range.low)) ||
		(rest.length != 0 && !parse_port(rest, &range.high)) || range.low > range.high) {
		return false;
	}
	*out = range;
	return true;
}

/* ---- types of ICMP ---- */

struct type_name {
	const char *name;
	uint8_t type, low, high; /* of codes */
};

/* A type of 255 is any, for iptables and its kernel module alike. */
enum { ANY_TYPE = 255, ANY_CODE = 255 };

static const struct type_name types_v4[] = {
	{"any", ANY_TYPE, 0, ANY_CODE},
	{"echo-reply", 0, 0, ANY_CODE},
	{"pong", 0, 0, ANY_CODE},
	{"destination-unreachable", 3, 0, ANY_CODE},
	{"network-unreachable", 3, 0, 0},
	{"host-unreachable", 3, 1, 1},
	{"protocol-unreachable", 3, 2, 2},
	{"port-unreachable", 3, 3, 3},
	{"fragmentation-needed", 3, 4, 4},
	{"source-route-failed", 3, 5, 5},
	{"network-unknown", 3, 6, 6},
	{"host-unknown", 3, 7, 7},
	{"network-prohibited", 3, 9, 9},
	{"host-prohibited", 3, 10, 10},
	{"TOS-network-unreachable", 3, 11, 11},
	{"TOS-host-unreachable", 3, 12, 12},
	{"communication-prohibited", 3, 13, 13},
	{"host-precedence-violation", 3, 14, 14},
	{"precedence-cutoff", 3, 15, 15},
	{"source-quench", 4, 0, ANY_CODE},
	{"redirect", 5, 0, ANY_CODE},
	{"network-redirect", 5, 0, 0},
	{"host-redirect", 5, 1, 1},
	{"TOS-network-redirect", 5, 2, 2},
	{"TOS-host-redirect", 5, 3, 3},
	{"echo-request", 8, 0, ANY_CODE},
	{"ping", 8, 0, ANY_CODE},
	{"router-advertisement", 9, 0, ANY_CODE},
	{"router-solicitation", 10, 0, ANY_CODE},
	{"time-exceeded", 11, 0, ANY_CODE},
	{"ttl-exceeded", 11, 0, ANY_CODE},
	{"ttl-zero-during-transit", 11, 0, 0},
	{"ttl-zero-during-reassembly", 11, 1, 1},
	{"parameter-problem", 12, 0, ANY_CODE},
	{"ip-header-bad", 12, 0, 0},
	{"required-option-missing", 12, 1, 1},
	{"timestamp-request", 13, 0, ANY_CODE},
	{"timestamp-reply", 14, 0, ANY_CODE},
	{"address-mask-request", 17, 0, ANY_CODE},
	{"address-mask-reply", 18, 0, ANY_CODE},
};

static const struct type_name types_v6[] = {
	{"destination-unreachable", 1, 0, ANY_CODE},
	{"no-route", 1, 0, 0},
	{"communication-prohibited", 1, 1, 1},
	{"beyond-scope", 1, 2, 2},
	{"address-unreachable", 1, 3, 3},
	{"port-unreachable", 1, 4, 4},
	{"failed-policy", 1, 5, 5},
	{"reject-route", 1, 6, 6},
	{"packet-too-big", 2, 0, ANY_CODE},
	{"time-exceeded", 3, 0, ANY_CODE},
	{"ttl-exceeded", 3, 0, ANY_CODE},
	{"ttl-zero-during-transit", 3, 0, 0},
	{"ttl-zero-during-reassembly", 3, 1, 1},
	{"parameter-problem", 4, 0, ANY_CODE},
	{"bad-header", 4, 0, 0},
	{"unknown-header-type", 4, 1, 1},
	{"unknown-option", 4, 2, 2},
	{"echo-request", 128, 0, ANY_CODE},
	{"ping", 128, 0, ANY_CODE},
	{"echo-reply", 129, 0, ANY_CODE},
	{"pong", 129, 0, ANY_CODE},
	{"mld-listener-query", 130, 0, ANY_CODE},
	{"mld-listener-report", 131, 0, ANY_CODE},
	{"mld-listener-done", 132, 0, ANY_CODE},
	{"mld-listener-reduction", 132, 0, ANY_CODE},
	{"router-solicitation", 133, 0, ANY_CODE},
	{"router-advertisement", 134, 0, ANY_CODE},
	{"neighbour-solicitation", 135, 0, ANY_CODE},
	{"neighbor-solicitation", 135, 0, ANY_CODE},
	{"neighbour-advertisement", 136, 0, ANY_CODE},
	{"neighbor-advertisement", 136, 0, ANY_CODE},
	{"redirect", 137, 0, ANY_CODE},
};

/* In any case of letters, and shortened as far as it stays clear. */
static const struct type_name *find_type(enum fw_family family, struct fw_slice text) {
	const struct type_name *names = family == FW_IPV4 ? types_v4 : types_v6;
	size_t count = family == FW_IPV4 ? FW_LENGTH(types_v4) : FW_LENGTH(types_v6);
	const struct type_name *found = NULL;

	for (size_t i = 0; i < count && text.length != 0; i++) {
		if (strncasecmp(names[i].name, text.data, text.length) == 0) {
			if (names[i].name[text.length] == 0) {
				return &names[i];
			}
			if (found != NULL) {
				return NULL;
			}
			found = &names[i];
		}
	}
	return found;
}

bool fw_ipt_icmp(enum fw_family family, struct fw_slice text, uint32_t out[static 4]) {
	const struct type_name *name = find_type(family, text);
	struct fw_slice rest = text;
	uint64_t type, code = 0;
	bool coded;

	if (name != NULL) {
		type = name->type;
		out[2] = name->low;
		out[3] = name->high;
	} else {
		struct fw_slice first = fw_slice_cut(&rest, '/');
		coded = rest.data != NULL;
		if (!fw_ipt_decimal(first, UINT8_MAX, &type) ||
			(coded && !fw_ipt_decimal(rest, UINT8_MAX, &code))) {
			return false;
		}
		out[2] = (uint32_t)code;
		out[3] = coded ? (uint32_t)code : ANY_CODE;
	}
	out[0] = out[1] = (uint32_t)type;
	if (family == FW_IPV4 && type == ANY_TYPE) {
		out[0] = out[2] = 0;
		out[3] = ANY_CODE;
	}
	return true;
}

/* ---- rates ---- */

bool fw_ipt_rate(struct fw_slice text, struct fw_rate *out) {
	struct fw_slice rest = text;
	struct fw_slice number = fw_slice_cut(&rest, '/');
	struct fw_rate rate = *out;
	uint64_t count;

	if (!fw_ipt_decimal(number, UINT32_MAX, &count) || count == 0) {
		return false;
	}
	rate.unit = rest.data == NULL ? FW_SECOND : FW_UNIT_NONE;
	for (int unit = FW_SECOND; unit < FW_UNIT_COUNT && rest.length != 0; unit++) {
		const char *name = fw_unit_names[unit];
		if (rest.length <= strlen(name) && strncasecmp(name, rest.data, rest.length) == 0) {
			rate.unit = (enum fw_unit)unit;
		}
	}
	rate.count = (uint32_t)count;
	*out = rate;
	return rate.unit != FW_UNIT_NONE;
}

/* ---- forms ---- */

/* Decimal, or hexadecimal behind 0x. */
static bool is_number(struct fw_slice text) {
	uint64_t number;

	if (text.length < 3 || text.data[0] != '0' || (text.data[1] | ' ') != 'x') {
		return fw_ipt_decimal(text, UINT64_MAX, &number);
	}
	for (size_t i = 2; i < text.length; i++) {
		if (memchr("0123456789abcdefABCDEF", text.data[i], 22) == NULL) {
			return false;
		}
	}
	return true;
}

/* One or two, parted; with `open` either may be left out. */
static bool are_numbers(struct fw_slice text, char separator, bool open) {
	struct fw_slice rest = text;
	struct fw_slice first = fw_slice_cut(&rest, separator);
	bool parted = rest.data != NULL;

	return (is_number(first) || (open && parted && first.length == 0)) &&
	       (!parted || is_number(rest) || (open && rest.length == 0));
}

static bool is_level(struct fw_slice text) {
	static const char *const names[] = {"emerg", "panic", "alert", "crit", "error", "err",
		"warning", "warn", "notice", "info", "debug"};
	uint64_t number;

	for (size_t i = 0; i < FW_LENGTH(names); i++) {
		if (fw_slice_is(text, names[i])) {
			return true;
		}
	}
	return fw_ipt_decimal(text, 7, &number);
}

bool fw_ipt_has_form(enum fw_family family, enum fw_ipt_form form, struct fw_slice text) {
	struct fw_range range;

	switch (form) {
	case FW_IPT_NUMBER:
		return is_number(text);
	case FW_IPT_MASKED:
		return are_numbers(text, '/', false);
	case FW_IPT_SPAN:
		return are_numbers(text, ':', true);
	case FW_IPT_WHERE:
		return fw_ipt_address(family, text, &range);
	case FW_IPT_LEVEL:
		return is_level(text);
	case FW_IPT_ANY_FORM:
		break;
	}
	return true;
}
