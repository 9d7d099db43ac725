// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nf_tables objects as a rule file, in the syntax of nft 0.9.0: numeric priorities, tcp and udp
 * apart, comments on rules only. Here are sets, chains and tables; nftables_rules.c writes rules.
 */

#include <assert.h>
#include <string.h>

#include "emit/common.h"
#include "emit/nftables.h"
#include "emit/registry.h"

enum {
	/* Sets up to this many elements have their names beside them; longer ones are read by
	 * machines. */
	NAMED_ELEMENTS_MAX = 256,
};

/* ---- words ---- */

static const char *const table_families[FW_FAMILY_COUNT] = {
	[FW_FAMILY_NONE] = "inet",
	[FW_IPV4] = "ip",
	[FW_IPV6] = "ip6",
};

static const char *const address_types[FW_FAMILY_COUNT] = {
	[FW_IPV4] = "ipv4_addr",
	[FW_IPV6] = "ipv6_addr",
};

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

static void add_forwarding(struct fw_buf *out, const struct fw_nft_set *set, size_t at) {
	const struct fw_forwarding *forwarding = &set->forwardings[at];
	fw_buf_add_uint(out, forwarding->outside_port);
	fw_buf_add_text(out, " : ");
	fw_addr_format(forwarding->family, forwarding->address, out);
}

/* Adds an element; returns its name, or NULL. */
static const char *add_element(struct fw_buf *out, const struct fw_nft_set *set, size_t at) {
	switch (set->key) {
	case FW_NFT_KEY_NONE:
		assert(!"a set without a key");
		break;
	case FW_NFT_ADDR:
		add_range(out, set, at);
		return set->endpoints[at].name;
	case FW_NFT_ADDR_PORT:
		add_pair(out, set, at);
		return set->elements[at].endpoint->name;
	case FW_NFT_PORT_TO_ADDR:
		add_forwarding(out, set, at);
		return set->forwardings[at].device;
	}
	return NULL;
}

/* One element a line, each with its comma, so that one more of them is one more line. */
static void add_elements(struct fw_buf *out, const struct fw_nft_set *set) {
	bool named = set->count <= NAMED_ELEMENTS_MAX;

	fw_buf_add_text(out, "\t\telements = {\n");
	for (size_t i = 0; i < set->count; i++) {
		fw_buf_add_text(out, "\t\t\t");
		const char *name = add_element(out, set, i);
		fw_buf_add_char(out, ',');
		if (named && name != NULL) {
			fw_buf_add_text(out, "\t# ");
			fw_buf_add_comment(out, name);
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

static void add_type(struct fw_buf *out, const struct fw_nft_set *set) {
	fw_buf_add_text(out, "\t\ttype ");
	fw_buf_add_text(out, set->key == FW_NFT_PORT_TO_ADDR ? "inet_service : " : "");
	fw_buf_add_text(out, address_types[set->family]);
	fw_buf_add_text(out, set->key == FW_NFT_ADDR_PORT ? " . inet_service\n" : "\n");
}

static void add_set(struct fw_buf *out, const struct fw_nft_set *set) {
	add_heading(out, "\t", set->title, set->note);
	open_block(out, set->key == FW_NFT_PORT_TO_ADDR ? "\tmap " : "\tset ", set->name);
	add_type(out, set);
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

/* A base chain has the name of its hook. */
static void open_base_chain(struct fw_buf *out, const struct fw_nft_chain *chain, const char *type,
	const char *priority) {
	open_block(out, "\tchain ", chain->name);
	fw_buf_add_text(out, "\t\ttype ");
	fw_buf_add_text(out, type);
	fw_buf_add_text(out, " hook ");
	fw_buf_add_text(out, chain->name);
	fw_buf_add_text(out, " priority ");
	fw_buf_add_text(out, priority);
	fw_buf_add_text(out, "; policy ");
	fw_buf_add_text(out, chain->accept ? "accept;\n" : "drop;\n");
}

static void add_base_chain(
	struct fw_buf *out, const struct fw_nft_chain *chain, enum fw_verdict verdict) {
	open_base_chain(out, chain, "filter", "0");
	for (size_t i = 0; i < chain->rule_count; i++) {
		add_run_heading(out, chain, i, verdict);
		fw_nftables_add_rule(out, &chain->rules[i]);
	}
	fw_buf_add_text(out, "\t}\n");
}

static void add_regular_chain(struct fw_buf *out, const struct fw_nft_chain *chain) {
	add_heading(out, "\t", chain->title, "its limit, for each source");
	open_block(out, "\tchain ", chain->name);
	for (size_t i = 0; i < chain->rule_count; i++) {
		fw_nftables_add_rule(out, &chain->rules[i]);
	}
	fw_buf_add_text(out, "\t}\n");
}

/* By what the one statement of a rule there does. */
static const char *const nat_headings[] = {
	[FW_NFT_DNAT] = "ports of the outside address that are devices'",
	[FW_NFT_SNAT] = "hairpin: replies to who called the outside address from inside",
	[FW_NFT_MASQUERADE] = "masquerade: what leaves has the address of its interface",
};

static void add_nat_chain(struct fw_buf *out, const struct fw_nft_chain *chain) {
	static const char *const priorities[FW_NFT_NAT_COUNT] = {
		[FW_NFT_PREROUTING] = "-100",
		[FW_NFT_POSTROUTING] = "100",
	};
	const char *heading = NULL;

	open_base_chain(out, chain, "nat", priorities[chain->nat]);
	for (size_t i = 0; i < chain->rule_count; i++) {
		const char *next = nat_headings[chain->rules[i].statements[0].kind];
		if (next != heading) {
			heading = next;
			fw_buf_add_char(out, '\n');
			add_heading(out, "\t\t", heading, NULL);
		}
		fw_nftables_add_rule(out, &chain->rules[i]);
	}
	fw_buf_add_text(out, "\t}\n");
}

static void add_chain(
	struct fw_buf *out, const struct fw_nft_chain *chain, const struct fw_policy *policy) {
	if (chain->nat != FW_NFT_NAT_NONE) {
		add_nat_chain(out, chain);
	} else if (chain->hook != FW_HOOK_NONE) {
		add_base_chain(out, chain, policy->hooks[chain->hook].verdict);
	} else {
		add_regular_chain(out, chain);
	}
}

/* ---- tables ---- */

/* A blank line between the parts of the table, none before the first. */
static void separate(struct fw_buf *out, size_t start) {
	if (out->length != start) {
		fw_buf_add_char(out, '\n');
	}
}

static void add_table(struct fw_buf *out, const struct fw_nft_table *table) {
	fw_buf_add_text(out, "table ");
	fw_buf_add_text(out, table_families[table->family]);
	open_block(out, " ", table->name);
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
		fw_nftables_add_rate(out, &table->limits[i].rate);
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
		add_chain(out, chain, table->policy);
	}
	fw_buf_add_text(out, "}\n");
}

static void add_tables(struct fw_buf *out, const struct fw_nft_table *table) {
	add_table(out, table);
	for (int family = FW_IPV4; family < FW_FAMILY_COUNT; family++) {
		if (table->nat[family] != NULL) {
			fw_buf_add_char(out, '\n');
			add_heading(out, "", "what is translated", fw_family_names[family]);
			add_table(out, table->nat[family]);
		}
	}
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
	add_tables(fw_outputs_section(out, "rules"), fw_nft_lower(&arena, policy, kernel));
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
		[FW_FEATURE_FORWARDING] = FW_NATIVE,
		[FW_FEATURE_MASQUERADE] = FW_NATIVE,
		[FW_FEATURE_HAIRPIN] = FW_NATIVE,
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
