// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Matches of iptables that ask for what a packet is made of: ports, types, flags, ranges of
 * addresses, sets, hop limits. Those of connections and rates have files of their own; what is in
 * no table is not understood.
 */

#include "readback/iptables.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- values that several of them have ---- */

static void ask_ports(struct fw_ipt_parse *parse, enum fw_ipt_kind kind, enum fw_var var,
	const struct fw_interval *intervals, size_t count, bool inverted) {
	fw_ipt_ask(parse,
		(struct fw_ipt_cond){
			.kind = (uint8_t)kind,
			.inverted = inverted,
			.var = (uint16_t)var,
			.count = (uint32_t)count,
			.data = fw_ipt_intern(parse->pool, intervals, count * sizeof(*intervals)),
		});
}

/* Whether the rule asks for one of the protocols that a match goes with. */
static bool goes_with(struct fw_ipt_parse *parse, const char *match, const uint8_t *protocols) {
	for (size_t i = 0; protocols[i] != 0; i++) {
		if (parse->protocol == protocols[i]) {
			return true;
		}
	}
	fw_ipt_wrong_value(parse, "a rule without the protocol of the match", fw_slice(match));
	return false;
}

/* ---- tcp, udp and others with ports ---- */

enum {
	PORT_NONE,
	PORT_SOURCE,
	PORT_DESTINATION,
	PORT_EITHER,
	TCP_FLAGS,
	TCP_SYN,
	NOT_UNDERSTOOD,
};

static void take_ports(struct fw_ipt_parse *parse, const struct fw_ipt_value *value) {
	struct fw_ports ports;

	if (!fw_ipt_ports(value->text, ':', &ports)) {
		fw_ipt_wrong_value(parse, "the port", value->text);
		return;
	}
	fw_ipt_ask_interval(parse, value->option == PORT_SOURCE ? FW_VAR_SOURCE_PORT : FW_VAR_PORT,
		fw_value(ports.low), fw_value(ports.high), value->inverted);
}

static const struct {
	const char *name;
	uint8_t bits;
} flag_names[] = {
	{"FIN", 0x01},
	{"SYN", 0x02},
	{"RST", 0x04},
	{"PSH", 0x08},
	{"ACK", 0x10},
	{"URG", 0x20},
	{"ALL", 0x3f},
	{"NONE", 0},
};

static bool parse_flags(struct fw_slice text, uint32_t *out) {
	uint32_t flags = 0;

	while (text.data != NULL) {
		struct fw_slice part = fw_slice_cut(&text, ',');
		bool known = false;
		for (size_t i = 0; i < FW_LENGTH(flag_names); i++) {
			if (part.length == strlen(flag_names[i].name) &&
				strncasecmp(part.data, flag_names[i].name, part.length) == 0) {
				flags |= flag_names[i].bits;
				known = true;
			}
		}
		if (!known) {
			return false;
		}
	}
	*out = flags;
	return true;
}

static void take_flags(struct fw_ipt_parse *parse, const struct fw_ipt_value *value) {
	uint32_t mask, flags;

	if (!parse_flags(value->text, &mask) || !parse_flags(value->second, &flags)) {
		fw_ipt_wrong_value(parse, "the flags", value->second);
		return;
	}
	fw_ipt_ask(parse, (struct fw_ipt_cond){.kind = FW_IPT_FLAGS,
				  .inverted = value->inverted,
				  .numbers = {mask, flags}});
}

static void take_transport(struct fw_ipt_parse *parse, struct fw_ipt_instance *instance,
	const struct fw_ipt_value *value) {
	(void)instance;
	switch (value->option) {
	case PORT_SOURCE:
	case PORT_DESTINATION:
		take_ports(parse, value);
		break;
	case TCP_FLAGS:
		take_flags(parse, value);
		break;
	case TCP_SYN:
		/* SYN alone of FIN, SYN, RST and ACK */
		fw_ipt_ask(parse, (struct fw_ipt_cond){.kind = FW_IPT_FLAGS,
					  .inverted = value->inverted,
					  .numbers = {0x17, 0x02}});
		break;
	default:
		fw_ipt_ask_option(parse, value);
	}
}

static void finish_transport(struct fw_ipt_parse *parse, struct fw_ipt_instance *instance) {
	const char *name = instance->match->name;
	uint8_t protocol;

	if (fw_ipt_protocol(fw_slice(name), &protocol)) {
		goes_with(parse, name, (const uint8_t[]){protocol, 0});
	}
}

static const struct fw_ipt_option tcp_options[] = {
	{"sport", PORT_SOURCE, 1},
	{"source-port", PORT_SOURCE, 1},
	{"dport", PORT_DESTINATION, 1},
	{"destination-port", PORT_DESTINATION, 1},
	{"tcp-flags", TCP_FLAGS, 2},
	{"syn", TCP_SYN, 0},
	{"tcp-option", NOT_UNDERSTOOD, 1},
};

static const struct fw_ipt_option udp_options[] = {
	{"sport", PORT_SOURCE, 1},
	{"source-port", PORT_SOURCE, 1},
	{"dport", PORT_DESTINATION, 1},
	{"destination-port", PORT_DESTINATION, 1},
};

static const struct fw_ipt_option sctp_options[] = {
	{"sport", PORT_SOURCE, 1},
	{"source-port", PORT_SOURCE, 1},
	{"dport", PORT_DESTINATION, 1},
	{"destination-port", PORT_DESTINATION, 1},
	{"chunk-types", NOT_UNDERSTOOD, 2},
};

static const struct fw_ipt_option dccp_options[] = {
	{"sport", PORT_SOURCE, 1},
	{"source-port", PORT_SOURCE, 1},
	{"dport", PORT_DESTINATION, 1},
	{"destination-port", PORT_DESTINATION, 1},
	{"dccp-types", NOT_UNDERSTOOD, 1},
	{"dccp-option", NOT_UNDERSTOOD, 1},
};

/* ---- multiport ---- */

enum { MULTIPORT_MAX = 15 /* ports of a rule, and two for each range */ };

static int compare_intervals(const void *left, const void *right) {
	const struct fw_interval *a = left, *b = right;

	return fw_addr_compare(a->low, b->low);
}

/* Sorts, and joins what overlaps. */
static size_t normalize(struct fw_interval *intervals, size_t count) {
	size_t kept = 0;

	qsort(intervals, count, sizeof(*intervals), compare_intervals);
	for (size_t i = 0; i < count; i++) {
		if (kept != 0 && intervals[i].low.low <= intervals[kept - 1].high.low + 1) {
			if (intervals[i].high.low > intervals[kept - 1].high.low) {
				intervals[kept - 1].high = intervals[i].high;
			}
		} else {
			intervals[kept++] = intervals[i];
		}
	}
	return kept;
}

static void take_multiport(struct fw_ipt_parse *parse, struct fw_ipt_instance *instance,
	const struct fw_ipt_value *value) {
	struct fw_interval intervals[MULTIPORT_MAX];
	struct fw_slice rest = value->text;
	size_t count = 0;

	(void)instance;
	while (rest.data != NULL) {
		struct fw_slice part = fw_slice_cut(&rest, ',');
		struct fw_ports ports;
		if (count == MULTIPORT_MAX || !fw_ipt_ports(part, ':', &ports)) {
			fw_ipt_wrong_value(parse, "the port", part);
			return;
		}
		intervals[count++] =
			(struct fw_interval){fw_value(ports.low), fw_value(ports.high)};
	}
	count = normalize(intervals, count);
	ask_ports(parse, value->option == PORT_EITHER ? FW_IPT_PORTS : FW_IPT_VALUES,
		value->option == PORT_SOURCE ? FW_VAR_SOURCE_PORT : FW_VAR_PORT, intervals, count,
		value->inverted);
}

static void finish_multiport(struct fw_ipt_parse *parse, struct fw_ipt_instance *instance) {
	static const uint8_t with_ports[] = {
		IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDPLITE, IPPROTO_SCTP, IPPROTO_DCCP, 0};

	goes_with(parse, instance->match->name, with_ports);
}

static const struct fw_ipt_option multiport_options[] = {
	{"source-ports", PORT_SOURCE, 1},
	{"sports", PORT_SOURCE, 1},
	{"destination-ports", PORT_DESTINATION, 1},
	{"dports", PORT_DESTINATION, 1},
	{"ports", PORT_EITHER, 1},
};

/* ---- icmp and icmp6 ---- */

static void take_icmp(struct fw_ipt_parse *parse, struct fw_ipt_instance *instance,
	const struct fw_ipt_value *value) {
	struct fw_ipt_cond cond = {.kind = FW_IPT_ICMP, .inverted = value->inverted};

	(void)instance;
	if (!fw_ipt_icmp(parse->family, value->text, cond.numbers)) {
		fw_ipt_wrong_value(parse, "the type", value->text);
		return;
	}
	fw_ipt_ask(parse, cond);
}

static void finish_icmp(struct fw_ipt_parse *parse, struct fw_ipt_instance *instance) {
	uint8_t protocol = parse->family == FW_IPV4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;

	goes_with(parse, instance->match->name, (const uint8_t[]){protocol, 0});
}

static const struct fw_ipt_option icmp_options[] = {{"icmp-type", 1, 1}};
static const struct fw_ipt_option icmp6_options[] = {{"icmpv6-type", 1, 1}};

/* ---- iprange ---- */

static void take_range(struct fw_ipt_parse *parse, struct fw_ipt_instance *instance,
	const struct fw_ipt_value *value) {
	struct fw_range range;

	(void)instance;
	if (!fw_ipt_address_range(parse->family, value->text, &range)) {
		fw_ipt_wrong_value(parse, "the range", value->text);
		return;
	}
	fw_ipt_ask_interval(
		parse, (enum fw_var)value->option, range.first, range.last, value->inverted);
}

static const struct fw_ipt_option range_options[] = {
	{"src-range", FW_VAR_SOURCE, 1},
	{"dst-range", FW_VAR_DESTINATION, 1},
};

/* ---- set ---- */

enum { SET_NONE, SET_MATCH, SET_UPDATE };

/* "src,dst": the ends that the set's parts are compared with. */
static bool parse_ends(struct fw_slice text, uint32_t out[static 2]) {
	out[0] = out[1] = 0;
	while (text.data != NULL) {
		struct fw_slice part = fw_slice_cut(&text, ',');
		bool destination = fw_slice_is(part, "dst");
		if (out[1] == 6 || (!destination && !fw_slice_is(part, "src"))) {
			return false;
		}
		out[0] |= (uint32_t)destination << out[1]++;
	}
	return true;
}

static void take_set(struct fw_ipt_parse *parse, struct fw_ipt_instance *instance,
	const struct fw_ipt_value *value) {
	struct fw_ipt_cond cond = {.kind = FW_IPT_SET, .inverted = value->inverted};

	(void)instance;
	if (value->option == SET_UPDATE) {
		return; /* its counters only */
	}
	if (value->option != SET_MATCH) {
		fw_ipt_ask_option(parse, value);
		return;
	}
	if (!parse_ends(value->second, cond.numbers)) {
		fw_ipt_wrong_value(parse, "the ends", value->second);
		return;
	}
	cond.data = fw_ipt_intern_text(parse->pool, value->text);
	fw_ipt_ask(parse, cond);
}

static const struct fw_ipt_option set_options[] = {
	{"match-set", SET_MATCH, 2},
	{"set", SET_MATCH, 2},
	{"update-counters", SET_UPDATE, 0},
	{"update-subcounters", SET_UPDATE, 0},
	{"return-nomatch", NOT_UNDERSTOOD, 0},
	{"packets-eq", NOT_UNDERSTOOD, 1},
	{"packets-lt", NOT_UNDERSTOOD, 1},
	{"packets-gt", NOT_UNDERSTOOD, 1},
	{"bytes-eq", NOT_UNDERSTOOD, 1},
	{"bytes-lt", NOT_UNDERSTOOD, 1},
	{"bytes-gt", NOT_UNDERSTOOD, 1},
};

/* ---- hl ---- */

enum { HL_NONE, HL_EQUAL, HL_LESS, HL_GREATER };

static void take_hl(struct fw_ipt_parse *parse, struct fw_ipt_instance *instance,
	const struct fw_ipt_value *value) {
	uint64_t number, low = 0, high = UINT8_MAX;

	(void)instance;
	if (!fw_ipt_decimal(value->text, UINT8_MAX, &number)) {
		fw_ipt_wrong_value(parse, "the hop limit", value->text);
		return;
	}
	if (value->option == HL_EQUAL) {
		low = high = number;
	} else if (value->option == HL_LESS) {
		high = number - 1;
	} else {
		low = number + 1;
	}
	if (low > high || high > UINT8_MAX) {
		fw_ipt_ask(parse, (struct fw_ipt_cond){.kind = FW_IPT_NEVER});
		return;
	}
	fw_ipt_ask_interval(
		parse, FW_VAR_HOP_LIMIT, fw_value(low), fw_value(high), value->inverted);
}

static const struct fw_ipt_option hl_options[] = {
	{"hl-eq", HL_EQUAL, 1},
	{"hl-lt", HL_LESS, 1},
	{"hl-gt", HL_GREATER, 1},
};

/* ---- comment ---- */

static void take_comment(struct fw_ipt_parse *parse, struct fw_ipt_instance *instance,
	const struct fw_ipt_value *value) {
	(void)parse;
	(void)instance;
	(void)value;
}

static const struct fw_ipt_option comment_options[] = {{"comment", 1, 1}};

/* ---- all of them ---- */

#define OPTIONS(table) (table), FW_LENGTH(table)

static const struct fw_ipt_match matches[] = {
	{"tcp", FW_FAMILY_NONE, OPTIONS(tcp_options), take_transport, finish_transport},
	{"udp", FW_FAMILY_NONE, OPTIONS(udp_options), take_transport, finish_transport},
	{"udplite", FW_FAMILY_NONE, OPTIONS(udp_options), take_transport, finish_transport},
	{"sctp", FW_FAMILY_NONE, OPTIONS(sctp_options), take_transport, finish_transport},
	{"dccp", FW_FAMILY_NONE, OPTIONS(dccp_options), take_transport, finish_transport},
	{"multiport", FW_FAMILY_NONE, OPTIONS(multiport_options), take_multiport, finish_multiport,
		true},
	{"icmp", FW_IPV4, OPTIONS(icmp_options), take_icmp, finish_icmp},
	{"icmp6", FW_IPV6, OPTIONS(icmp6_options), take_icmp, finish_icmp},
	{"ipv6-icmp", FW_IPV6, OPTIONS(icmp6_options), take_icmp, finish_icmp},
	{"icmpv6", FW_IPV6, OPTIONS(icmp6_options), take_icmp, finish_icmp},
	{"iprange", FW_FAMILY_NONE, OPTIONS(range_options), take_range, NULL, true},
	{"set", FW_FAMILY_NONE, OPTIONS(set_options), take_set, NULL, true},
	{"hl", FW_IPV6, OPTIONS(hl_options), take_hl, NULL, true},
	{"comment", FW_FAMILY_NONE, OPTIONS(comment_options), take_comment, NULL, true},
};

static const struct fw_ipt_match *const elsewhere[] = {
	&fw_ipt_conntrack, &fw_ipt_state, &fw_ipt_limit_match, &fw_ipt_hashlimit, &fw_ipt_addrtype};

const struct fw_ipt_match *fw_ipt_match_find(enum fw_family family, struct fw_slice name) {
	for (size_t i = 0; i < FW_LENGTH(matches); i++) {
		if (fw_slice_is(name, matches[i].name) &&
			(matches[i].family == FW_FAMILY_NONE || matches[i].family == family)) {
			return &matches[i];
		}
	}
	for (size_t i = 0; i < FW_LENGTH(elsewhere); i++) {
		if (fw_slice_is(name, elsewhere[i]->name)) {
			return elsewhere[i];
		}
	}
	const struct fw_ipt_match *match = fw_ipt_doubtful_find(family, name);
	return match != NULL ? match : fw_ipt_known_find(family, name);
}

const struct fw_ipt_match *fw_ipt_match_of(enum fw_family family, int protocol) {
	const char *name = protocol == IPPROTO_TCP	 ? "tcp"
			   : protocol == IPPROTO_UDP	 ? "udp"
			   : protocol == IPPROTO_UDPLITE ? "udplite"
			   : protocol == IPPROTO_SCTP	 ? "sctp"
			   : protocol == IPPROTO_DCCP	 ? "dccp"
			   : protocol == IPPROTO_ICMP	 ? "icmp"
			   : protocol == IPPROTO_ICMPV6	 ? "icmp6"
							 : NULL;

	return name != NULL ? fw_ipt_match_find(family, fw_slice(name)) : NULL;
}
