// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nf_tables objects as a rule file, in the syntax of nft 0.9.0: numeric priorities, tcp and udp
 * apart, comments on rules only. Where nft can write one thing in several ways, the one that it
 * lists back is written, so that a listing of the kernel can be held against the file.
 */

#include <assert.h>
#include <netinet/in.h>
#include <string.h>

#include "emit/common.h"
#include "emit/registry.h"
#include "nftables/nftables.h"

enum {
	/* Sets up to this many elements have their names beside them; longer ones are read by
	 * machines. */
	NAMED_ELEMENTS_MAX = 256,
	COMMENT_MAX = 128, /* bytes; NFTNL_UDATA_COMMENT_MAXLEN */
	PREFIX_MAX = 127,  /* bytes; NF_LOG_PREFIXLEN with its NUL */
	MINUTE = 60,
	HOUR = 60 * MINUTE,
	DAY = 24 * HOUR,
};

/* ---- words ---- */

static const char *const ip_names[FW_FAMILY_COUNT] = {
	[FW_IPV4] = "ip",
	[FW_IPV6] = "ip6",
};

static const char *const nfproto_names[FW_FAMILY_COUNT] = {
	[FW_IPV4] = "ipv4",
	[FW_IPV6] = "ipv6",
};

static const char *const address_types[FW_FAMILY_COUNT] = {
	[FW_IPV4] = "ipv4_addr",
	[FW_IPV6] = "ipv6_addr",
};

static const char *const icmp_words[FW_FAMILY_COUNT] = {
	[FW_IPV4] = "icmp",
	[FW_IPV6] = "icmpv6",
};

/* Words of nft's grammar, so that no /etc/protocols is needed; others go by number. */
static const char *const protocol_names[UINT8_MAX + 1] = {
	[IPPROTO_ICMP] = "icmp",
	[IPPROTO_IGMP] = "igmp",
	[IPPROTO_TCP] = "tcp",
	[IPPROTO_UDP] = "udp",
	[IPPROTO_DCCP] = "dccp",
	[IPPROTO_ESP] = "esp",
	[IPPROTO_AH] = "ah",
	[IPPROTO_ICMPV6] = "icmpv6",
	[IPPROTO_COMP] = "comp",
	[IPPROTO_SCTP] = "sctp",
	[IPPROTO_UDPLITE] = "udplite",
};

static const char *const icmp_types[FW_FAMILY_COUNT][UINT8_MAX + 1] = {
	[FW_IPV4] =
		{
			[0] = "echo-reply",
			[3] = "destination-unreachable",
			[4] = "source-quench",
			[5] = "redirect",
			[8] = "echo-request",
			[9] = "router-advertisement",
			[10] = "router-solicitation",
			[11] = "time-exceeded",
			[12] = "parameter-problem",
			[13] = "timestamp-request",
			[14] = "timestamp-reply",
			[15] = "info-request",
			[16] = "info-reply",
			[17] = "address-mask-request",
			[18] = "address-mask-reply",
		},
	[FW_IPV6] =
		{
			[1] = "destination-unreachable",
			[2] = "packet-too-big",
			[3] = "time-exceeded",
			[4] = "parameter-problem",
			[128] = "echo-request",
			[129] = "echo-reply",
			[130] = "mld-listener-query",
			[131] = "mld-listener-report",
			[132] = "mld-listener-done",
			[133] = "nd-router-solicit",
			[134] = "nd-router-advert",
			[135] = "nd-neighbor-solicit",
			[136] = "nd-neighbor-advert",
			[137] = "nd-redirect",
			[138] = "router-renumbering",
			[141] = "ind-neighbor-solicit",
			[142] = "ind-neighbor-advert",
			[143] = "mld2-listener-report",
		},
};

static void add_name_or_number(struct fw_buf *out, const char *name, unsigned number) {
	if (name != NULL) {
		fw_buf_add_text(out, name);
	} else {
		fw_buf_add_uint(out, number);
	}
}

static void add_protocol(struct fw_buf *out, uint8_t protocol) {
	add_name_or_number(out, protocol_names[protocol], protocol);
}

static void add_rate(struct fw_buf *out, const struct fw_rate *rate) {
	fw_buf_add_text(out, "rate ");
	fw_buf_add_uint(out, rate->count);
	fw_buf_add_char(out, '/');
	fw_buf_add_text(out, fw_unit_names[rate->unit]);
	fw_buf_add_text(out, " burst ");
	fw_buf_add_uint(out, rate->burst);
	fw_buf_add_text(out, " packets");
}

static void add_duration(struct fw_buf *out, uint32_t seconds) {
	static const struct {
		uint32_t seconds;
		char letter;
	} units[] = {{DAY, 'd'}, {HOUR, 'h'}, {MINUTE, 'm'}, {1, 's'}};

	for (size_t i = 0; i < FW_LENGTH(units); i++) {
		if (seconds >= units[i].seconds) {
			fw_buf_add_uint(out, seconds / units[i].seconds);
			fw_buf_add_char(out, units[i].letter);
			seconds %= units[i].seconds;
		}
	}
}

/* ---- matches ---- */

/* Adds one of the names, ports or types of a match. */
typedef void item_writer(struct fw_buf *out, const struct fw_nft_match *match, size_t at);

static void add_name(struct fw_buf *out, const struct fw_nft_match *match, size_t at) {
	fw_buf_add_quoted(out, match->names[at], COMMENT_MAX);
}

static void add_ports(struct fw_buf *out, const struct fw_nft_match *match, size_t at) {
	fw_ports_format(match->ports[at], out);
}

static void add_type(struct fw_buf *out, const struct fw_nft_match *match, size_t at) {
	uint8_t type = match->types[at].type;
	add_name_or_number(out, icmp_types[match->family][type], type);
}

/* A single item stands without braces: nft lists it so. */
static void add_list(struct fw_buf *out, const struct fw_nft_match *match, item_writer *add) {
	fw_buf_add_text(out, match->count > 1 ? "{ " : "");
	for (size_t i = 0; i < match->count; i++) {
		fw_buf_add_text(out, i != 0 ? ", " : "");
		add(out, match, i);
	}
	fw_buf_add_text(out, match->count > 1 ? " }" : "");
}

static void add_set_name(struct fw_buf *out, const struct fw_nft_set *set) {
	fw_buf_add_char(out, '@');
	fw_buf_add_text(out, set->name);
}

static void add_address(struct fw_buf *out, const struct fw_nft_match *match, const char *field) {
	fw_buf_add_text(out, ip_names[match->family]);
	fw_buf_add_text(out, field);
	fw_buf_add_text(out, match->negated ? " != " : " ");
	if (match->set != NULL) {
		add_set_name(out, match->set);
	} else {
		fw_range_format(&match->range, out);
	}
}

static void add_address_port(
	struct fw_buf *out, const struct fw_nft_match *match, const char *field) {
	fw_buf_add_text(out, ip_names[match->family]);
	fw_buf_add_text(out, field);
	fw_buf_add_text(out, " . ");
	add_protocol(out, match->protocol);
	fw_buf_add_text(out, " dport ");
	add_set_name(out, match->set);
}

static void add_port(struct fw_buf *out, const struct fw_nft_match *match, const char *field) {
	add_protocol(out, match->protocol);
	fw_buf_add_text(out, field);
	add_list(out, match, add_ports);
}

static void add_icmp(struct fw_buf *out, const struct fw_nft_match *match) {
	fw_buf_add_text(out, icmp_words[match->family]);
	fw_buf_add_text(out, " type ");
	add_list(out, match, add_type);
}

static void add_icmp_code(struct fw_buf *out, const struct fw_nft_match *match) {
	add_icmp(out, match);
	fw_buf_add_char(out, ' ');
	fw_buf_add_text(out, icmp_words[match->family]);
	fw_buf_add_text(out, " code ");
	fw_buf_add_uint(out, (uint64_t)match->types[0].code);
}

static void add_match(struct fw_buf *out, const struct fw_nft_match *match) {
	switch (match->kind) {
	case FW_NFT_MATCH_NONE:
		assert(!"a match without a kind");
		break;
	case FW_NFT_IIFNAME:
		fw_buf_add_text(out, "iifname ");
		add_list(out, match, add_name);
		break;
	case FW_NFT_OIFNAME:
		fw_buf_add_text(out, "oifname ");
		add_list(out, match, add_name);
		break;
	case FW_NFT_NFPROTO:
		fw_buf_add_text(out, "meta nfproto ");
		fw_buf_add_text(out, nfproto_names[match->family]);
		break;
	case FW_NFT_PROTOCOL:
		fw_buf_add_text(out, match->family == FW_IPV4 ? "ip protocol " : "meta l4proto ");
		add_protocol(out, match->protocol);
		break;
	case FW_NFT_SADDR:
		add_address(out, match, " saddr");
		break;
	case FW_NFT_DADDR:
		add_address(out, match, " daddr");
		break;
	case FW_NFT_SADDR_PORT:
		add_address_port(out, match, " saddr");
		break;
	case FW_NFT_DADDR_PORT:
		add_address_port(out, match, " daddr");
		break;
	case FW_NFT_SPORT:
		add_port(out, match, " sport ");
		break;
	case FW_NFT_DPORT:
		add_port(out, match, " dport ");
		break;
	case FW_NFT_ICMP:
		add_icmp(out, match);
		break;
	case FW_NFT_ICMP_CODE:
		add_icmp_code(out, match);
		break;
	case FW_NFT_HOP_LIMIT:
		fw_buf_add_text(out, "ip6 hoplimit ");
		fw_buf_add_uint(out, match->hop_limit);
		break;
	}
}

/* ---- statements ---- */

static void add_named(struct fw_buf *out, const char *what, const char *name) {
	fw_buf_add_text(out, what);
	fw_buf_add_quoted(out, name, COMMENT_MAX);
}

static void add_meter(struct fw_buf *out, const struct fw_nft_statement *statement) {
	const struct fw_nft_set *set = statement->set;

	fw_buf_add_text(out, "meter ");
	fw_buf_add_text(out, set->name);
	fw_buf_add_text(out, " size ");
	fw_buf_add_uint(out, set->size);
	fw_buf_add_text(out, " { ");
	fw_buf_add_text(out, ip_names[statement->family]);
	fw_buf_add_text(out, " saddr timeout ");
	add_duration(out, set->timeout);
	fw_buf_add_text(out, " limit ");
	add_rate(out, &statement->rate);
	fw_buf_add_text(out, " }");
}

static void add_statement(struct fw_buf *out, const struct fw_nft_statement *statement) {
	switch (statement->kind) {
	case FW_NFT_STATEMENT_NONE:
		assert(!"a statement without a kind");
		break;
	case FW_NFT_CT_STATE:
		fw_buf_add_text(out,
			"ct state vmap { established : accept, related : accept, invalid : drop }");
		break;
	case FW_NFT_LIMIT:
		fw_buf_add_text(out, "limit ");
		add_rate(out, &statement->rate);
		break;
	case FW_NFT_LIMIT_NAMED:
		add_named(out, "limit name ", statement->text);
		break;
	case FW_NFT_LIMIT_SOURCE:
		add_meter(out, statement);
		break;
	case FW_NFT_COUNTER:
		add_named(out, "counter name ", statement->text);
		break;
	case FW_NFT_LOG:
		fw_buf_add_text(out, "log prefix ");
		fw_buf_add_quoted(out, statement->text, PREFIX_MAX);
		break;
	case FW_NFT_JUMP:
		fw_buf_add_text(out, "jump ");
		fw_buf_add_text(out, statement->text);
		break;
	case FW_NFT_ACCEPT:
		fw_buf_add_text(out, "accept");
		break;
	case FW_NFT_DROP:
		fw_buf_add_text(out, "drop");
		break;
	case FW_NFT_REJECT_TCP:
		fw_buf_add_text(out, "reject with tcp reset");
		break;
	case FW_NFT_REJECT:
		fw_buf_add_text(out, "reject with icmpx type admin-prohibited");
		break;
	}
}

static void add_rule(struct fw_buf *out, const struct fw_nft_rule *rule) {
	fw_buf_add_char(out, '\t');
	for (size_t i = 0; i < rule->match_count; i++) {
		fw_buf_add_char(out, i == 0 ? '\t' : ' ');
		add_match(out, &rule->matches[i]);
	}
	for (size_t i = 0; i < rule->statement_count; i++) {
		fw_buf_add_char(out, i == 0 && rule->match_count == 0 ? '\t' : ' ');
		add_statement(out, &rule->statements[i]);
	}
	if (rule->comment != NULL) {
		fw_buf_add_text(out, " comment ");
		fw_buf_add_quoted(out, rule->comment, COMMENT_MAX);
	}
	fw_buf_add_char(out, '\n');
}

/* ---- sets ---- */

static void add_range(struct fw_buf *out, const struct fw_nft_set *set, size_t at) {
	fw_range_format(&set->endpoints[at].range, out);
}

static void add_pair(struct fw_buf *out, const struct fw_nft_set *set, size_t at) {
	const struct fw_nft_element *element = &set->elements[at];
	fw_range_format(&element->endpoint->range, out);
	fw_buf_add_text(out, " . ");
	fw_ports_format(element->ports, out);
}

static const char *element_name(const struct fw_nft_set *set, size_t at) {
	return set->key == FW_NFT_ADDR ? set->endpoints[at].name : set->elements[at].endpoint->name;
}

/* One element a line, each with its comma, so that one more of them is one more line. */
static void add_elements(struct fw_buf *out, const struct fw_nft_set *set) {
	bool named = set->count <= NAMED_ELEMENTS_MAX;

	fw_buf_add_text(out, "\t\telements = {\n");
	for (size_t i = 0; i < set->count; i++) {
		fw_buf_add_text(out, "\t\t\t");
		if (set->key == FW_NFT_ADDR) {
			add_range(out, set, i);
		} else {
			add_pair(out, set, i);
		}
		fw_buf_add_char(out, ',');
		if (named && element_name(set, i) != NULL) {
			fw_buf_add_text(out, "\t# ");
			fw_buf_add_comment(out, element_name(set, i));
		}
		fw_buf_add_char(out, '\n');
	}
	fw_buf_add_text(out, "\t\t}\n");
}

/* "# title: note", either of which may be NULL. */
static void add_heading(
	struct fw_buf *out, const char *indent, const char *title, const char *note) {
	fw_buf_add_text(out, indent);
	fw_buf_add_text(out, "# ");
	fw_buf_add_comment(out, title);
	if (note != NULL) {
		fw_buf_add_text(out, ": ");
		fw_buf_add_comment(out, note);
	}
	fw_buf_add_char(out, '\n');
}

/* "what name {" */
static void open_block(struct fw_buf *out, const char *what, const char *name) {
	fw_buf_add_text(out, what);
	fw_buf_add_text(out, name);
	fw_buf_add_text(out, " {\n");
}

static void add_set(struct fw_buf *out, const struct fw_nft_set *set) {
	add_heading(out, "\t", set->title, set->note);
	open_block(out, "\tset ", set->name);
	fw_buf_add_text(out, "\t\ttype ");
	fw_buf_add_text(out, address_types[set->family]);
	fw_buf_add_text(out, set->key == FW_NFT_ADDR_PORT ? " . inet_service\n" : "\n");
	if (set->interval) {
		fw_buf_add_text(out, "\t\tflags interval\n");
	}
	if (set->size != 0) {
		fw_buf_add_text(out, "\t\tsize ");
		fw_buf_add_uint(out, set->size);
		fw_buf_add_char(out, '\n');
	}
	add_elements(out, set);
	fw_buf_add_text(out, "\t}\n");
}

/* ---- chains ---- */

static void add_flow_heading(struct fw_buf *out, const struct fw_flow *flow) {
	bool titled = flow->title != NULL && strcmp(flow->title, flow->service) != 0;
	add_heading(out, "\t\t", flow->service, titled ? flow->title : NULL);
}

static bool same_service(const struct fw_flow *a, const struct fw_flow *b) {
	return a == b || (a != NULL && b != NULL && strcmp(a->service, b->service) == 0);
}

/* Each run of rules that belong together has a heading. */
static void add_run_heading(
	struct fw_buf *out, const struct fw_nft_chain *chain, size_t at, enum fw_verdict verdict) {
	const struct fw_flow *flow = chain->rules[at].flow;
	const char *heading = NULL;

	if (at == 0) {
		heading = chain->hook == FW_FORWARD ? "replies to what was allowed"
						    : "loopback, and replies to what was allowed";
	} else if (at == chain->leftover) {
		heading = verdict == FW_REJECT ? "what is left is rejected"
					       : "what is left is dropped";
	} else if (same_service(flow, chain->rules[at - 1].flow)) {
		return;
	}
	fw_buf_add_char(out, '\n');
	if (heading != NULL) {
		add_heading(out, "\t\t", heading, NULL);
	} else {
		add_flow_heading(out, flow);
	}
}

static void add_base_chain(
	struct fw_buf *out, const struct fw_nft_chain *chain, enum fw_verdict verdict) {
	open_block(out, "\tchain ", chain->name);
	fw_buf_add_text(out, "\t\ttype filter hook ");
	fw_buf_add_text(out, fw_hook_names[chain->hook]);
	fw_buf_add_text(out, " priority 0; policy ");
	fw_buf_add_text(out, chain->accept ? "accept;\n" : "drop;\n");
	for (size_t i = 0; i < chain->rule_count; i++) {
		add_run_heading(out, chain, i, verdict);
		add_rule(out, &chain->rules[i]);
	}
	fw_buf_add_text(out, "\t}\n");
}

static void add_regular_chain(struct fw_buf *out, const struct fw_nft_chain *chain) {
	add_heading(out, "\t", chain->title, "its limit, for each source");
	open_block(out, "\tchain ", chain->name);
	for (size_t i = 0; i < chain->rule_count; i++) {
		add_rule(out, &chain->rules[i]);
	}
	fw_buf_add_text(out, "\t}\n");
}

/* ---- the table ---- */

/* A blank line between the parts of the table, none before the first. */
static void separate(struct fw_buf *out, size_t start) {
	if (out->length != start) {
		fw_buf_add_char(out, '\n');
	}
}

static void add_table(struct fw_buf *out, const struct fw_nft_table *table) {
	open_block(out, "table inet ", FW_NFT_TABLE);
	size_t start = out->length;

	for (size_t i = 0; i < table->counter_count; i++) {
		separate(out, start);
		open_block(out, "\tcounter ", table->counters[i].name);
		fw_buf_add_text(out, "\t}\n");
	}
	for (size_t i = 0; i < table->limit_count; i++) {
		separate(out, start);
		open_block(out, "\tlimit ", table->limits[i].name);
		fw_buf_add_text(out, "\t\t");
		add_rate(out, &table->limits[i].rate);
		fw_buf_add_text(out, "\n\t}\n");
	}
	for (size_t i = 0; i < table->set_count; i++) {
		if (!table->sets[i]->dynamic) {
			separate(out, start);
			add_set(out, table->sets[i]);
		}
	}
	for (size_t i = 0; i < table->chain_count; i++) {
		const struct fw_nft_chain *chain = &table->chains[i];
		separate(out, start);
		if (chain->hook == FW_HOOK_NONE) {
			add_regular_chain(out, chain);
		} else {
			add_base_chain(out, chain, table->policy->hooks[chain->hook].verdict);
		}
	}
	fw_buf_add_text(out, "}\n");
}

/* Declaring a table before deleting it makes the deletion work the first time, too. */
static void add_reset(struct fw_buf *out, const char *family, const char *table) {
	static const char *const commands[] = {"table ", "delete table "};
	for (size_t i = 0; i < FW_LENGTH(commands); i++) {
		fw_buf_add_text(out, commands[i]);
		fw_buf_add_text(out, family);
		fw_buf_add_char(out, ' ');
		fw_buf_add_text(out, table);
		fw_buf_add_char(out, '\n');
	}
}

static void emit_policy(
	const struct fw_policy *policy, const struct fw_options *options, struct fw_outputs *out) {
	FW_AUTO(fw_arena_fini) struct fw_arena arena = {0};
	struct fw_buf *reset = fw_outputs_section(out, "reset");
	const char *oldest = fw_options_get(options, &fw_nftables_emitter, "kernel");
	enum fw_nft_kernel kernel = strcmp(oldest, "5.6") == 0 ? FW_NFT_5_6 : FW_NFT_4_19;

	fw_buf_add_header(fw_outputs_section(out, "header"), policy);
	add_reset(reset, "inet", FW_NFT_TABLE);
	add_reset(reset, "ip", FW_NFT_NAT_TABLE);
	add_reset(reset, "ip6", FW_NFT_NAT_TABLE);
	add_table(fw_outputs_section(out, "rules"), fw_nft_lower(&arena, policy, kernel));
}

/* Names are short enough by their length limits in a profile, and nothing else is in the way. */
static bool check_policy(
	const struct fw_policy *policy, const struct fw_options *options, struct fw_diags *diags) {
	(void)policy;
	(void)options;
	(void)diags;
	return true;
}

static struct fw_support_table support(const struct fw_options *options) {
	static const enum fw_support items[FW_FEATURE_COUNT] = {
		[FW_FEATURE_FORWARD] = FW_NATIVE,
		[FW_FEATURE_REJECT] = FW_NATIVE,
		[FW_FEATURE_LOG] = FW_NATIVE,
		[FW_FEATURE_FLOW_LOG] = FW_NATIVE,
		[FW_FEATURE_COUNTERS] = FW_NATIVE,
		[FW_FEATURE_LIMIT] = FW_NATIVE,
		[FW_FEATURE_LIMIT_SOURCE] = FW_NATIVE,
		[FW_FEATURE_INTERFACE] = FW_NATIVE,
		[FW_FEATURE_OWN_PORTS] = FW_NATIVE,
		[FW_FEATURE_RANGES] = FW_NATIVE,
		[FW_FEATURE_EXCEPT] = FW_NATIVE,
		[FW_FEATURE_SOURCE_PORTS] = FW_NATIVE,
		[FW_FEATURE_ICMP] = FW_NATIVE,
		[FW_FEATURE_ICMP_CODE] = FW_NATIVE,
		[FW_FEATURE_PROTOCOL] = FW_NATIVE,
		[FW_FEATURE_HOP_LIMIT] = FW_NATIVE,
	};
	(void)options;
	return (struct fw_support_table){items, FW_LENGTH(items)};
}

static const char *const sections[] = {"header", "reset", "rules", NULL};

static const struct fw_frame_spec frames[] = {
	{"table", sections},
	{"standalone", sections},
	{0},
};

static const char *const kernels[] = {"4.19", "5.6", NULL};
static const struct fw_option_spec option_specs[] = {
	{"kernel",
		"the oldest to load it; 5.6, with nft 0.9.4, has sets of address and port ranges",
		kernels},
};

const struct fw_emitter fw_nftables_emitter = {
	.abi = FW_EMITTER_ABI,
	.name = "nftables",
	.summary = "nft rule file for nft 0.9.0, Linux 4.19 and later",
	.suffix = ".nft",
	.frames = frames,
	.options = option_specs,
	.option_count = FW_LENGTH(option_specs),
	.support = support,
	.check = check_policy,
	.emit = emit_policy,
};
