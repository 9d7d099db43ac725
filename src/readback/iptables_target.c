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
	OPTION_RANDOM,
	OPTION_HELPER,
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

/* Of several ports, which one it comes to be is told once the whole rule is known. */
static void set_ports(struct fw_ipt_parse *parse, struct fw_ports ports) {
	if (ports.low == ports.high) {
		parse->rewrite.port = ports.low;
	} else {
		parse->range = ports;
	}
}

static void take_rewrite(struct fw_ipt_parse *parse, const struct fw_ipt_value *value) {
	struct fw_rb_rewrite *rewrite = &parse->rewrite;
	struct fw_slice address, port;
	struct fw_range range;
	struct fw_ports ports = {0};

	if (value->option != OPTION_TO) {
		parse->random = parse->random || value->option == OPTION_RANDOM;
		return;
	}
	split_destination(parse->family, value->text, &address, &port);
	if (rewrite->family != FW_FAMILY_NONE || value->inverted ||
		!fw_ipt_address_range(parse->family, address, &range) ||
		(port.data != NULL && (!fw_ipt_ports(port, '-', &ports) || ports.low == 0))) {
		fw_ipt_wrong_value(parse, "the translation to", value->text);
		return;
	}
	if (!fw_range_is_single(&range)) {
		parse->refusal = fw_ipt_describe(parse->pool, "the translation to", value->text);
	}
	rewrite->family = parse->family;
	rewrite->address = range.first;
	set_ports(parse, ports);
}

/* To an address of the machine itself. */
static void take_own_ports(struct fw_ipt_parse *parse, const struct fw_ipt_value *value) {
	struct fw_ports ports;

	if (value->option != OPTION_PORTS) {
		parse->random = parse->random || value->option == OPTION_RANDOM;
		return;
	}
	if (!fw_ipt_ports(value->text, '-', &ports) || ports.low == 0) {
		fw_ipt_wrong_value(parse, "the translation to", value->text);
		return;
	}
	set_ports(parse, ports);
}

static const struct fw_ipt_option dnat_options[] = {
	{"to-destination", OPTION_TO, 1},
	{"random", OPTION_RANDOM, 0},
	{"persistent", OPTION_ANY, 0},
};

static const struct fw_ipt_option snat_options[] = {
	{"to-source", OPTION_TO, 1},
	{"random", OPTION_RANDOM, 0},
	{"random-fully", OPTION_RANDOM, 0},
	{"persistent", OPTION_ANY, 0},
};

static const struct fw_ipt_option own_options[] = {
	{"to-ports", OPTION_PORTS, 1},
	{"random", OPTION_RANDOM, 0},
	{"random-fully", OPTION_RANDOM, 0},
};

/* ---- those that packets pass ---- */

static const struct fw_ipt_option log_options[] = {
	{"log-level", OPTION_ANY, 1, FW_IPT_LEVEL},
	{"log-prefix", OPTION_ANY, 1},
	{"log-tcp-sequence", OPTION_ANY, 0},
	{"log-tcp-options", OPTION_ANY, 0},
	{"log-ip-options", OPTION_ANY, 0},
	{"log-uid", OPTION_ANY, 0},
	{"log-macdecode", OPTION_ANY, 0},
};

static const struct fw_ipt_option nflog_options[] = {
	{"nflog-group", OPTION_ANY, 1, FW_IPT_NUMBER},
	{"nflog-prefix", OPTION_ANY, 1},
	{"nflog-range", OPTION_ANY, 1, FW_IPT_NUMBER},
	{"nflog-size", OPTION_ANY, 1, FW_IPT_NUMBER},
	{"nflog-threshold", OPTION_ANY, 1, FW_IPT_NUMBER},
};

static const struct fw_ipt_option ulog_options[] = {
	{"ulog-nlgroup", OPTION_ANY, 1, FW_IPT_NUMBER},
	{"ulog-prefix", OPTION_ANY, 1},
	{"ulog-cprange", OPTION_ANY, 1, FW_IPT_NUMBER},
	{"ulog-qthreshold", OPTION_ANY, 1, FW_IPT_NUMBER},
};

static const struct fw_ipt_option mark_options[] = {
	{"set-mark", OPTION_ANY, 1, FW_IPT_MASKED},
	{"set-xmark", OPTION_ANY, 1, FW_IPT_MASKED},
	{"and-mark", OPTION_ANY, 1, FW_IPT_NUMBER},
	{"or-mark", OPTION_ANY, 1, FW_IPT_NUMBER},
	{"xor-mark", OPTION_ANY, 1, FW_IPT_NUMBER},
	{"save-mark", OPTION_ANY, 0},
	{"restore-mark", OPTION_ANY, 0},
	{"nfmask", OPTION_ANY, 1, FW_IPT_NUMBER},
	{"ctmask", OPTION_ANY, 1, FW_IPT_NUMBER},
	{"mask", OPTION_ANY, 1, FW_IPT_NUMBER},
	{"left-shift-mark", OPTION_ANY, 1, FW_IPT_NUMBER},
	{"right-shift-mark", OPTION_ANY, 1, FW_IPT_NUMBER},
};

static const struct fw_ipt_option tcpmss_options[] = {
	{"set-mss", OPTION_ANY, 1, FW_IPT_NUMBER},
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
	{"ttl-set", OPTION_ANY, 1, FW_IPT_NUMBER},
	{"ttl-dec", OPTION_ANY, 1, FW_IPT_NUMBER},
	{"ttl-inc", OPTION_ANY, 1, FW_IPT_NUMBER},
	{"type", OPTION_ANY, 1},
};

/* Packets go on, whatever these count, copy, or tell others of. */
static const struct fw_ipt_option aside_options[] = {
	{"selctx", OPTION_ANY, 1},
	{"save", OPTION_ANY, 0},
	{"restore", OPTION_ANY, 0},
	{"timeout", OPTION_ANY, 1},
	{"label", OPTION_ANY, 1},
	{"alarm", OPTION_ANY, 0},
	{"led-trigger-id", OPTION_ANY, 1},
	{"led-delay", OPTION_ANY, 1},
	{"led-always-blink", OPTION_ANY, 0},
	{"rateest-name", OPTION_ANY, 1},
	{"rateest-interval", OPTION_ANY, 1},
	{"rateest-ewmalog", OPTION_ANY, 1},
	{"strip-options", OPTION_ANY, 1},
	{"hmark-tuple", OPTION_ANY, 1},
	{"hmark-mod", OPTION_ANY, 1, FW_IPT_NUMBER},
	{"hmark-offset", OPTION_ANY, 1, FW_IPT_NUMBER},
	{"hmark-src-prefix", OPTION_ANY, 1},
	{"hmark-dst-prefix", OPTION_ANY, 1},
	{"hmark-sport-mask", OPTION_ANY, 1},
	{"hmark-dport-mask", OPTION_ANY, 1},
	{"hmark-spi-mask", OPTION_ANY, 1},
	{"hmark-proto-mask", OPTION_ANY, 1},
	{"hmark-rnd", OPTION_ANY, 1, FW_IPT_NUMBER},
};

static void take_filled(struct fw_ipt_parse *parse, const struct fw_ipt_value *value) {
	if (value->option == OPTION_TO) {
		FW_VEC_ADD(&parse->filled, fw_ipt_intern_text(parse->pool, value->text));
	}
}

static const struct fw_ipt_option set_options[] = {
	{"add-set", OPTION_TO, 2},
	{"del-set", OPTION_TO, 2},
	{"map-set", OPTION_ANY, 2},
	{"timeout", OPTION_ANY, 1},
	{"exist", OPTION_ANY, 0},
	{"map-mark", OPTION_ANY, 0},
	{"map-prio", OPTION_ANY, 0},
	{"map-queue", OPTION_ANY, 0},
};

static const struct fw_ipt_option hops_options[] = {
	{"hl-set", OPTION_ANY, 1, FW_IPT_NUMBER},
	{"hl-dec", OPTION_ANY, 1, FW_IPT_NUMBER},
	{"hl-inc", OPTION_ANY, 1, FW_IPT_NUMBER},
};

/* ---- tracking ---- */

/* A helper reads what both ends say, and opens ports that they name; a policy of timeouts forgets
 * connections early. */
static void take_ct(struct fw_ipt_parse *parse, const struct fw_ipt_value *value) {
	if (value->option == OPTION_HELPER) {
		parse->refusal = fw_ipt_describe(
			parse->pool, "connections expected by the helper", value->text);
	} else if (value->option == NOT_UNDERSTOOD) {
		parse->refusal = "a change of connection tracking";
	}
}

static const struct fw_ipt_option ct_options[] = {
	{"helper", OPTION_HELPER, 1},
	{"timeout", NOT_UNDERSTOOD, 1},
	{"ctevents", OPTION_ANY, 1},
	{"expevents", OPTION_ANY, 1},
	{"notrack", NOT_UNDERSTOOD, 0},
	{"zone", NOT_UNDERSTOOD, 1},
	{"zone-orig", NOT_UNDERSTOOD, 1},
	{"zone-reply", NOT_UNDERSTOOD, 1},
};

/* ---- not understood, but for their words ---- */

static const struct fw_ipt_option nfqueue_options[] = {
	{"queue-num", OPTION_ANY, 1, FW_IPT_NUMBER},
	{"queue-balance", OPTION_ANY, 1, FW_IPT_SPAN},
	{"queue-bypass", OPTION_ANY, 0},
	{"queue-cpu-fanout", OPTION_ANY, 0},
};

static const struct fw_ipt_option tee_options[] = {
	{"gateway", OPTION_ANY, 1, FW_IPT_WHERE},
	{"oif", OPTION_ANY, 1},
};

static const struct fw_ipt_option tproxy_options[] = {
	{"on-port", OPTION_ANY, 1, FW_IPT_NUMBER},
	{"on-ip", OPTION_ANY, 1, FW_IPT_WHERE},
	{"tproxy-mark", OPTION_ANY, 1, FW_IPT_MASKED},
};

static const struct fw_ipt_option netmap_options[] = {{"to", OPTION_ANY, 1, FW_IPT_WHERE}};

static const struct fw_ipt_option cluster_options[] = {
	{"new", OPTION_ANY, 0},
	{"hashmode", OPTION_ANY, 1},
	{"clustermac", OPTION_ANY, 1},
	{"total-nodes", OPTION_ANY, 1, FW_IPT_NUMBER},
	{"local-node", OPTION_ANY, 1, FW_IPT_NUMBER},
	{"hash-init", OPTION_ANY, 1, FW_IPT_NUMBER},
};

static const struct fw_ipt_option synproxy_options[] = {
	{"sack-perm", OPTION_ANY, 0},
	{"timestamp", OPTION_ANY, 0},
	{"wscale", OPTION_ANY, 1, FW_IPT_NUMBER},
	{"mss", OPTION_ANY, 1, FW_IPT_NUMBER},
	{"ecn", OPTION_ANY, 0},
};

static const struct fw_ipt_option prefix_options[] = {
	{"src-pfx", OPTION_ANY, 1, FW_IPT_WHERE},
	{"dst-pfx", OPTION_ANY, 1, FW_IPT_WHERE},
};

/* ---- all of them ---- */

#define OPTIONS(table) .options = (table), .option_count = FW_LENGTH(table)
#define VERDICT(text, what)                                                                        \
	{ .name = (text), .effect = FW_IPT_VERDICT, .action = (what) }
#define PASSED(text, table, ...)                                                                   \
	{                                                                                          \
		.name = (text), .effect = FW_IPT_VERDICT, .action = FW_RB_CONTINUE,                \
		OPTIONS(table), __VA_ARGS__                                                        \
	}
#define OPAQUE(text, ...)                                                                          \
	{ .name = (text), .effect = FW_IPT_OPAQUE, __VA_ARGS__ }
#define REWRITES(text, read, table, ...)                                                           \
	{                                                                                          \
		.name = (text), .effect = FW_IPT_REWRITES, .take = (read), OPTIONS(table),         \
		.tables = NAT, __VA_ARGS__                                                         \
	}

enum {
	NAT = 1U << FW_IPT_NAT,
	RAW = 1U << FW_IPT_RAW,
	MANGLE = 1U << FW_IPT_MANGLE,
	FILTER = 1U << FW_IPT_FILTER,
	ALL_BUT_NAT = RAW | MANGLE | FILTER | 1U << FW_IPT_SECURITY,
};

enum {
	ROUTED_NEXT = 1U << FW_IPT_PREROUTING | 1U << FW_IPT_OUTPUT,
	ROUTED = 1U << FW_IPT_INPUT | 1U << FW_IPT_POSTROUTING,
};

static const struct fw_ipt_target targets[] = {
	VERDICT("ACCEPT", FW_RB_ACCEPT),
	{.name = "DROP", .effect = FW_IPT_VERDICT, .action = FW_RB_DROP, .tables = ALL_BUT_NAT},
	VERDICT("RETURN", FW_RB_RETURN),
	{.name = "REJECT",
		.effect = FW_IPT_VERDICT,
		.action = FW_RB_REJECT,
		OPTIONS(reject_options),
		.take = take_reason,
		.tables = FILTER},
	REWRITES("DNAT", take_rewrite, dnat_options, .source = false, .bases = ROUTED_NEXT),
	REWRITES("SNAT", take_rewrite, snat_options, .source = true, .bases = ROUTED),
	REWRITES("MASQUERADE", take_own_ports, own_options, .source = true, .own = true,
		.bases = 1U << FW_IPT_POSTROUTING),
	REWRITES("REDIRECT", take_own_ports, own_options, .own = true, .bases = ROUTED_NEXT),
	PASSED("LOG", log_options, .needs = false),
	PASSED("NFLOG", nflog_options, .needs = false),
	PASSED("ULOG", ulog_options, .needs = false),
	PASSED("MARK", mark_options, .needs = true),
	PASSED("CONNMARK", mark_options, .needs = true),
	PASSED("TCPMSS", tcpmss_options, .needs = true),
	PASSED("DSCP", field_options, .needs = true, .tables = MANGLE),
	PASSED("TOS", field_options, .needs = true, .tables = MANGLE),
	PASSED("CLASSIFY", field_options, .needs = true),
	PASSED("CHECKSUM", field_options, .needs = true, .tables = MANGLE),
	PASSED("ECN", field_options, .needs = true, .tables = MANGLE),
	PASSED("TTL", field_options, .needs = true, .tables = MANGLE),
	PASSED("AUDIT", field_options, .needs = true),
	PASSED("SECMARK", aside_options, .needs = true),
	PASSED("CONNSECMARK", aside_options, .needs = true),
	PASSED("HMARK", aside_options, .needs = true),
	PASSED("IDLETIMER", aside_options, .needs = true),
	PASSED("LED", aside_options, .needs = true),
	PASSED("RATEEST", aside_options, .needs = true),
	PASSED("TCPOPTSTRIP", aside_options, .needs = true, .tables = MANGLE),
	VERDICT("TRACE", FW_RB_CONTINUE),
	{.name = "SET",
		.effect = FW_IPT_VERDICT,
		.action = FW_RB_CONTINUE,
		OPTIONS(set_options),
		.take = take_filled,
		.needs = true},
	{.name = "HL",
		.family = FW_IPV6,
		.effect = FW_IPT_HOPS,
		OPTIONS(hops_options),
		.needs = true,
		.tables = MANGLE},
	{.name = "CT",
		.effect = FW_IPT_VERDICT,
		.action = FW_RB_CONTINUE,
		OPTIONS(ct_options),
		.take = take_ct,
		.tables = RAW},
	OPAQUE("TEE", OPTIONS(tee_options), .needs = true), /* copies go where no rule asks */
	OPAQUE("NOTRACK", .tables = RAW),
	OPAQUE("QUEUE", .needs = false),
	OPAQUE("NFQUEUE", OPTIONS(nfqueue_options)),
	OPAQUE("TPROXY", OPTIONS(tproxy_options), .needs = true, .tables = MANGLE),
	OPAQUE("NETMAP", OPTIONS(netmap_options), .needs = true, .tables = NAT),
	OPAQUE("CLUSTERIP", OPTIONS(cluster_options)),
	OPAQUE("SYNPROXY", OPTIONS(synproxy_options)),
	OPAQUE("DNPT", OPTIONS(prefix_options), .needs = true, .tables = MANGLE),
	OPAQUE("SNPT", OPTIONS(prefix_options), .needs = true, .tables = MANGLE),
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

/* ---- what they do to a rule ---- */

const char fw_ipt_hops_changed[] = "a change of the hop limit that a rule asks for";

/* Whether the ports that a rule asks for are among these. */
static bool asks_within(const struct fw_ipt_parse *parse, struct fw_ports range) {
	for (size_t i = 0; i < parse->conds.count; i++) {
		const struct fw_ipt_cond *cond = &parse->conds.items[i];
		const struct fw_interval *intervals = cond->data;
		if (cond->kind == FW_IPT_VALUES && cond->var == FW_VAR_PORT &&
			cond->inverted == 0 && cond->count != 0 &&
			intervals[0].low.low >= range.low &&
			intervals[cond->count - 1].high.low <= range.high) {
			return true;
		}
	}
	return false;
}

/* A translation to one of several ports keeps one that is among them, and takes any for others; one
 * at random, always. Of sources, that makes no difference. */
static const char *set_rewrite(struct fw_ipt_parse *parse, struct fw_ipt_rule *rule) {
	const struct fw_ipt_target *target = parse->target;
	bool addressed = target->own || parse->rewrite.family != FW_FAMILY_NONE;
	struct fw_rb_rewrite *rewrite = FW_ARENA_NEW(parse->arena, struct fw_rb_rewrite);

	*rewrite = parse->rewrite;
	rewrite->source = target->source;
	rewrite->masquerade = target->own;
	rewrite->family = parse->family;
	rule->action = FW_RB_REWRITE;
	rule->rewrite = rewrite;
	if (!addressed) {
		return "a translation without an address";
	}
	return target->source || parse->range.high == 0 ||
			       (!parse->random && asks_within(parse, parse->range))
		       ? NULL
		       : "a translation to one of several ports";
}

const char *fw_ipt_target_set(struct fw_ipt_parse *parse, struct fw_ipt_rule *rule) {
	const struct fw_ipt_target *target = parse->target;
	const char *wrong;

	switch (target->effect) {
	case FW_IPT_VERDICT:
		rule->action = target->action;
		return parse->refusal;
	case FW_IPT_REWRITES:
		wrong = set_rewrite(parse, rule);
		return wrong != NULL ? wrong : parse->refusal;
	case FW_IPT_HOPS:
		return fw_ipt_hops_changed;
	case FW_IPT_OPAQUE:
	case FW_IPT_NO_EFFECT:
		break;
	}
	return parse->refusal;
}
