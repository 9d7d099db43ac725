// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Targets of iptables: those that decide, those that translate, and those that packets pass on the
 * way (a mark matters to nobody here, as no match that asks for one is understood). Others are not
 * understood; a name in no table is a chain's.
 */

#include "readback/iptables.h"

enum {
	OPTION_NONE,
	OPTION_ANY, /* makes no difference */
	OPTION_REASON,
	OPTION_TO,
	OPTION_PORTS,
	NOT_UNDERSTOOD,
};

/* ---- REJECT ---- */

static void take_reason(struct fw_ipt_parse *parse, const struct fw_ipt_value *value) {
	static const char *const reasons[] = {
		"icmp-net-unreachable",
		"net-unreach",
		"icmp-host-unreachable",
		"host-unreach",
		"icmp-proto-unreachable",
		"proto-unreach",
		"icmp-port-unreachable",
		"port-unreach",
		"icmp-net-prohibited",
		"net-prohib",
		"icmp-host-prohibited",
		"host-prohib",
		"tcp-reset",
		"tcp-rst",
		"icmp-admin-prohibited",
		"admin-prohib",
		"icmp6-no-route",
		"no-route",
		"icmp6-adm-prohibited",
		"adm-prohibited",
		"icmp6-addr-unreachable",
		"addr-unreach",
		"icmp6-port-unreachable",
		"icmp6-policy-fail",
		"policy-fail",
		"icmp6-reject-route",
		"reject-route",
	};

	for (size_t i = 0; i < FW_LENGTH(reasons); i++) {
		if (fw_slice_is(value->text, reasons[i])) {
			return;
		}
	}
	fw_ipt_wrong_value(parse, "the reason", value->text);
}

static const struct fw_ipt_option reject_options[] = {{"reject-with", OPTION_REASON, 1}};

/* ---- translation ---- */

/* "203.0.113.7", "203.0.113.7:8088", ":8088" or "[2001:db8::7]:8088", with ranges where more than
 * one will do. */
static void split_destination(enum fw_family family, struct fw_slice text, struct fw_slice *address,
	struct fw_slice *port) {
	struct fw_slice rest = text;

	*port = (struct fw_slice){0};
	*address = text;
	if (family == FW_IPV4) {
		*address = fw_slice_cut(&rest, ':');
		*port = rest;
	} else if (text.length != 0 && text.data[0] == '[') {
		rest = (struct fw_slice){text.data + 1, text.length - 1};
		*address = fw_slice_cut(&rest, ']');
		if (rest.length != 0 && rest.data[0] == ':') {
			*port = (struct fw_slice){rest.data + 1, rest.length - 1};
		}
	}
}

static void take_rewrite(struct fw_ipt_parse *parse, const struct fw_ipt_value *value) {
	struct fw_rb_rewrite *rewrite = &parse->rewrite;
	struct fw_slice address, port;
	struct fw_range range;
	struct fw_ports ports = {0};

	if (value->option == OPTION_ANY) {
		return;
	}
	split_destination(parse->family, value->text, &address, &port);
	if (value->option != OPTION_TO || rewrite->family != FW_FAMILY_NONE || value->inverted ||
		!fw_ipt_address_range(parse->family, address, &range) ||
		!fw_range_is_single(&range) ||
		(port.data != NULL && (!fw_ipt_ports(port, '-', &ports) || ports.low == 0 ||
					      ports.low != ports.high))) {
		fw_ipt_wrong_value(parse, "the translation to", value->text);
		return;
	}
	rewrite->family = parse->family;
	rewrite->address = range.first;
	rewrite->port = ports.low;
}

/* To an address of the machine itself. */
static void take_own_ports(struct fw_ipt_parse *parse, const struct fw_ipt_value *value) {
	struct fw_ports ports;

	if (value->option == OPTION_ANY) {
		return;
	}
	if (!fw_ipt_ports(value->text, '-', &ports) || ports.low == 0 || ports.low != ports.high) {
		fw_ipt_wrong_value(parse, "the translation to", value->text);
		return;
	}
	parse->rewrite.port = ports.low;
}

static const struct fw_ipt_option dnat_options[] = {
	{"to-destination", OPTION_TO, 1},
	{"random", OPTION_ANY, 0},
	{"persistent", OPTION_ANY, 0},
};

static const struct fw_ipt_option snat_options[] = {
	{"to-source", OPTION_TO, 1},
	{"random", OPTION_ANY, 0},
	{"random-fully", OPTION_ANY, 0},
	{"persistent", OPTION_ANY, 0},
};

static const struct fw_ipt_option own_options[] = {
	{"to-ports", OPTION_PORTS, 1},
	{"random", OPTION_ANY, 0},
	{"random-fully", OPTION_ANY, 0},
};

/* ---- those that packets pass ---- */

static const struct fw_ipt_option log_options[] = {
	{"log-level", OPTION_ANY, 1},
	{"log-prefix", OPTION_ANY, 1},
	{"log-tcp-sequence", OPTION_ANY, 0},
	{"log-tcp-options", OPTION_ANY, 0},
	{"log-ip-options", OPTION_ANY, 0},
	{"log-uid", OPTION_ANY, 0},
	{"log-macdecode", OPTION_ANY, 0},
};

static const struct fw_ipt_option nflog_options[] = {
	{"nflog-group", OPTION_ANY, 1},
	{"nflog-prefix", OPTION_ANY, 1},
	{"nflog-range", OPTION_ANY, 1},
	{"nflog-size", OPTION_ANY, 1},
	{"nflog-threshold", OPTION_ANY, 1},
};

static const struct fw_ipt_option ulog_options[] = {
	{"ulog-nlgroup", OPTION_ANY, 1},
	{"ulog-prefix", OPTION_ANY, 1},
	{"ulog-cprange", OPTION_ANY, 1},
	{"ulog-qthreshold", OPTION_ANY, 1},
};

static const struct fw_ipt_option mark_options[] = {
	{"set-mark", OPTION_ANY, 1},
	{"set-xmark", OPTION_ANY, 1},
	{"and-mark", OPTION_ANY, 1},
	{"or-mark", OPTION_ANY, 1},
	{"xor-mark", OPTION_ANY, 1},
	{"save-mark", OPTION_ANY, 0},
	{"restore-mark", OPTION_ANY, 0},
	{"nfmask", OPTION_ANY, 1},
	{"ctmask", OPTION_ANY, 1},
	{"mask", OPTION_ANY, 1},
	{"left-shift-mark", OPTION_ANY, 1},
	{"right-shift-mark", OPTION_ANY, 1},
};

static const struct fw_ipt_option tcpmss_options[] = {
	{"set-mss", OPTION_ANY, 1},
	{"clamp-mss-to-pmtu", OPTION_ANY, 0},
};

static const struct fw_ipt_option field_options[] = {
	{"set-dscp", OPTION_ANY, 1},
	{"set-dscp-class", OPTION_ANY, 1},
	{"set-tos", OPTION_ANY, 1},
	{"and-tos", OPTION_ANY, 1},
	{"or-tos", OPTION_ANY, 1},
	{"xor-tos", OPTION_ANY, 1},
	{"set-class", OPTION_ANY, 1},
	{"checksum-fill", OPTION_ANY, 0},
	{"ecn-tcp-remove", OPTION_ANY, 0},
	{"ttl-set", OPTION_ANY, 1},
	{"ttl-dec", OPTION_ANY, 1},
	{"ttl-inc", OPTION_ANY, 1},
	{"type", OPTION_ANY, 1},
};

static const struct fw_ipt_option hops_options[] = {
	{"hl-set", OPTION_ANY, 1},
	{"hl-dec", OPTION_ANY, 1},
	{"hl-inc", OPTION_ANY, 1},
};

/* ---- tracking ---- */

static void take_ct(struct fw_ipt_parse *parse, const struct fw_ipt_value *value) {
	if (value->option == NOT_UNDERSTOOD) {
		parse->refusal = "a change of connection tracking";
	}
}

static const struct fw_ipt_option ct_options[] = {
	{"helper", OPTION_ANY, 1},
	{"timeout", OPTION_ANY, 1},
	{"ctevents", OPTION_ANY, 1},
	{"expevents", OPTION_ANY, 1},
	{"notrack", NOT_UNDERSTOOD, 0},
	{"zone", NOT_UNDERSTOOD, 1},
	{"zone-orig", NOT_UNDERSTOOD, 1},
	{"zone-reply", NOT_UNDERSTOOD, 1},
};

/* ---- all of them ---- */

#define OPTIONS(table) .options = (table), .option_count = FW_LENGTH(table)
#define VERDICT(text, what)                                                                        \
	{ .name = (text), .effect = FW_IPT_VERDICT, .action = (what) }
#define PASSED(text, table)                                                                        \
	{ .name = (text), .effect = FW_IPT_VERDICT, .action = FW_RB_CONTINUE, OPTIONS(table) }
#define OPAQUE(text)                                                                               \
	{ .name = (text), .effect = FW_IPT_OPAQUE }
#define REWRITES(text, read, table, ...)                                                           \
	{ .name = (text), .effect = FW_IPT_REWRITES, .take = (read), OPTIONS(table), __VA_ARGS__ }

static const struct fw_ipt_target targets[] = {
	VERDICT("ACCEPT", FW_RB_ACCEPT),
	VERDICT("DROP", FW_RB_DROP),
	VERDICT("RETURN", FW_RB_RETURN),
	{.name = "REJECT",
		.effect = FW_IPT_VERDICT,
		.action = FW_RB_REJECT,
		OPTIONS(reject_options),
		.take = take_reason},
	REWRITES("DNAT", take_rewrite, dnat_options, .source = false),
	REWRITES("SNAT", take_rewrite, snat_options, .source = true),
	REWRITES("MASQUERADE", take_own_ports, own_options, .source = true, .own = true),
	REWRITES("REDIRECT", take_own_ports, own_options, .own = true),
	PASSED("LOG", log_options),
	PASSED("NFLOG", nflog_options),
	PASSED("ULOG", ulog_options),
	PASSED("MARK", mark_options),
	PASSED("CONNMARK", mark_options),
	PASSED("TCPMSS", tcpmss_options),
	PASSED("DSCP", field_options),
	PASSED("TOS", field_options),
	PASSED("CLASSIFY", field_options),
	PASSED("CHECKSUM", field_options),
	PASSED("ECN", field_options),
	PASSED("TTL", field_options),
	PASSED("AUDIT", field_options),
	VERDICT("TRACE", FW_RB_CONTINUE),
	{.name = "HL", .family = FW_IPV6, .effect = FW_IPT_HOPS, OPTIONS(hops_options)},
	{.name = "CT",
		.effect = FW_IPT_VERDICT,
		.action = FW_RB_CONTINUE,
		OPTIONS(ct_options),
		.take = take_ct},
	OPAQUE("NOTRACK"),
	OPAQUE("QUEUE"),
	OPAQUE("NFQUEUE"),
	OPAQUE("TPROXY"),
	OPAQUE("NETMAP"),
	OPAQUE("CLUSTERIP"),
	OPAQUE("SYNPROXY"),
	OPAQUE("SET"),
	OPAQUE("TEE"),
	OPAQUE("DNPT"),
	OPAQUE("SNPT"),
	OPAQUE("SECMARK"),
	OPAQUE("CONNSECMARK"),
	OPAQUE("HMARK"),
	OPAQUE("IDLETIMER"),
	OPAQUE("LED"),
	OPAQUE("RATEEST"),
	OPAQUE("TCPOPTSTRIP"),
};

const struct fw_ipt_target *fw_ipt_target_find(enum fw_family family, struct fw_slice name) {
	for (size_t i = 0; i < FW_LENGTH(targets); i++) {
		if (fw_slice_is(name, targets[i].name) &&
			(targets[i].family == FW_FAMILY_NONE || targets[i].family == family)) {
			return &targets[i];
		}
	}
	return NULL;
}
