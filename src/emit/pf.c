// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Rules for pf of OpenBSD 6.9 and FreeBSD 14, and later ones of both, by their pf.conf(5).
 *
 * pf has no hooks: a packet comes in on an interface or goes out on one, and a forwarded packet
 * does both. What the policy calls its hooks is told apart by addresses:
 *
 *   input    comes in, to an address of this host, a broadcast or a multicast address: $local_to
 *   output   goes out, from an address of this host or from none yet: $local_from
 *   forward  comes in and goes out otherwise, so its rules stand behind the other two
 *
 * `(self)` is every address of every interface and follows their changes. A host that forwards
 * multicast is outside of this. Where a service lists addresses for its own end, a packet must have
 * one of them and be this host's: pf asks one thing of a side, so `match` rules tag what is this
 * host's first, and the service's rules ask for the tag. All rules are `quick`, so the first one
 * that matches decides, and a flow is read from its own line: loopback, the flows of a hook, then
 * what is left of the hook. A hook that is untouched has no rules, and a hook's packets meet those
 * of no other.
 *
 * Replies pass by their state, as do ICMP errors about it; what belongs to no state meets the
 * rules. TCP begins with `flags S/SA`; what pf takes for an invalid segment of a state is dropped
 * by itself. Two ends of one connection on this host meet on lo0.
 */

#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "emit/common.h"
#include "emit/pf.h"
#include "emit/registry.h"

enum {
	LABEL_MAX = 63, /* bytes; PF_RULE_LABEL_SIZE with its NUL is 64 */
	/* Tables up to this many entries have their names beside them; longer ones are read by
	 * machines. */
	NAMED_ENTRIES_MAX = 256,
	/* `set limit` of both, before anybody changes it; a reload holds the old tables and the
	 * new. */
	TABLES_DEFAULT = 1000,
	ENTRIES_DEFAULT = 200000,
};

/* No group's table, as those begin with fw_. */
#define MULTICAST_TABLE "local_multicast"
#define LOCAL_TAG	"flowfw_local"

/* ---- words ---- */

static const char *const family_words[FW_FAMILY_COUNT] = {
	[FW_IPV4] = "inet",
	[FW_IPV6] = "inet6",
};

/* Those that /etc/protocols of both systems has; others go by number. */
static const char *const protocol_words[UINT8_MAX + 1] = {
	[IPPROTO_ICMP] = "icmp",
	[IPPROTO_IGMP] = "igmp",
	[IPPROTO_TCP] = "tcp",
	[IPPROTO_UDP] = "udp",
	[IPPROTO_GRE] = "gre",
	[IPPROTO_ESP] = "esp",
	[IPPROTO_AH] = "ah",
	[IPPROTO_ICMPV6] = "icmp6",
};

static const char *const type_words[FW_FAMILY_COUNT] = {
	[FW_IPV4] = "icmp-type",
	[FW_IPV6] = "icmp6-type",
};

/* Names of icmp(4) and icmp6(4); others go by number. */
static const char *const type_names[FW_FAMILY_COUNT][UINT8_MAX + 1] = {
	[FW_IPV4] =
		{
			[0] = "echorep",
			[3] = "unreach",
			[4] = "squench",
			[5] = "redir",
			[8] = "echoreq",
			[9] = "routeradv",
			[10] = "routersol",
			[11] = "timex",
			[12] = "paramprob",
			[13] = "timereq",
			[14] = "timerep",
			[15] = "inforeq",
			[16] = "inforep",
			[17] = "maskreq",
			[18] = "maskrep",
		},
	[FW_IPV6] =
		{
			[1] = "unreach",
			[2] = "toobig",
			[3] = "timex",
			[4] = "paramprob",
			[128] = "echoreq",
			[129] = "echorep",
			[133] = "routersol",
			[134] = "routeradv",
			[135] = "neighbrsol",
			[136] = "neighbradv",
			[137] = "redir",
		},
};

static void add_name_or_number(struct fw_buf *out, const char *name, unsigned number) {
	if (name != NULL) {
		fw_buf_add_text(out, name);
	} else {
		fw_buf_add_uint(out, number);
	}
}

/* $-words in a label are expanded (pf.conf, label); ids of services have none. */
static void add_label(struct fw_buf *out, const char *label) {
	assert(strchr(label, '$') == NULL);
	fw_buf_add_text(out, " label ");
	fw_buf_add_quoted(out, label, LABEL_MAX);
}

/* "# title: note", either of which may be NULL. */
static void add_heading(struct fw_buf *out, const char *title, const char *note) {
	fw_buf_add_text(out, "# ");
	fw_buf_add_comment(out, title);
	if (note != NULL) {
		fw_buf_add_text(out, ": ");
		fw_buf_add_comment(out, note);
	}
	fw_buf_add_char(out, '\n');
}

/* A blank line between the parts of a section, none before the first. */
static void separate(struct fw_buf *out) {
	if (out->length != 0) {
		fw_buf_add_char(out, '\n');
	}
}

/* ---- parts of a rule ---- */

/* Adds one of the things in braces; a single one stands without. */
typedef void item_writer(struct fw_buf *out, const struct fw_pf_rule *rule, size_t at);

static void add_list(
	struct fw_buf *out, const struct fw_pf_rule *rule, size_t count, item_writer *add) {
	fw_buf_add_text(out, count > 1 ? "{ " : "");
	for (size_t i = 0; i < count; i++) {
		fw_buf_add_text(out, i != 0 ? ", " : "");
		add(out, rule, i);
	}
	fw_buf_add_text(out, count > 1 ? " }" : "");
}

static void add_interface(struct fw_buf *out, const struct fw_pf_rule *rule, size_t at) {
	fw_buf_add_text(
		out, (rule->in ? rule->flow->in_interfaces : rule->flow->out_interfaces).items[at]);
}

/* `80` or `8000:8010` */
static void add_ports(struct fw_buf *out, struct fw_ports ports) {
	fw_buf_add_uint(out, ports.low);
	if (ports.high != ports.low) {
		fw_buf_add_char(out, ':');
		fw_buf_add_uint(out, ports.high);
	}
}

static void add_port(struct fw_buf *out, const struct fw_pf_rule *rule, size_t at) {
	add_ports(out, rule->ports[at]);
}

static void add_source_port(struct fw_buf *out, const struct fw_pf_rule *rule, size_t at) {
	add_ports(out, rule->source_ports[at]);
}

static void add_type(struct fw_buf *out, const struct fw_pf_rule *rule, size_t at) {
	const struct fw_icmp_type *type = &rule->types[at];
	add_name_or_number(out, type_names[rule->family][type->type], type->type);
	if (type->code >= 0) {
		fw_buf_add_text(out, " code ");
		fw_buf_add_uint(out, (uint64_t)type->code);
	}
}

static void add_table_name(struct fw_buf *out, const char *name) {
	fw_buf_add_char(out, '<');
	fw_buf_add_text(out, name);
	fw_buf_add_char(out, '>');
}

static void add_item(struct fw_buf *out, const struct fw_pf_item *item, const char *local) {
	switch (item->who) {
	case FW_PF_NOBODY:
		assert(!"a side with nobody on it");
		break;
	case FW_PF_ANY:
		fw_buf_add_text(out, "any");
		break;
	case FW_PF_LOCAL:
		fw_buf_add_text(out, local);
		break;
	case FW_PF_SELF:
		fw_buf_add_text(out, "(self)");
		break;
	case FW_PF_PREFIX:
		fw_range_format(&item->table->entries[0].range, out);
		break;
	case FW_PF_TABLE:
		add_table_name(out, item->table->name);
		break;
	case FW_PF_NOT_TABLE:
		fw_buf_add_text(out, "! ");
		add_table_name(out, item->table->name);
		break;
	}
}

static void add_side(struct fw_buf *out, const struct fw_pf_side *side, const char *local) {
	fw_buf_add_text(out, side->count > 1 ? "{ " : "");
	for (size_t i = 0; i < side->count; i++) {
		fw_buf_add_text(out, i != 0 ? ", " : "");
		add_item(out, &side->items[i], local);
	}
	fw_buf_add_text(out, side->count > 1 ? " }" : "");
}

/* A list of ports, or of types, behind its word. */
static void add_words(struct fw_buf *out, const char *word, const struct fw_pf_rule *rule,
	size_t count, item_writer *add) {
	if (count != 0) {
		fw_buf_add_char(out, ' ');
		fw_buf_add_text(out, word);
		fw_buf_add_char(out, ' ');
		add_list(out, rule, count, add);
	}
}

/* ---- state and limits ---- */

static void add_per(struct fw_buf *out, const char *what, const struct fw_pf_bound *bound) {
	fw_buf_add_text(out, what);
	fw_buf_add_uint(out, bound->count);
	fw_buf_add_char(out, '/');
	fw_buf_add_uint(out, bound->seconds);
}

/*
 * FreeBSD 14 has no max-pkt-rate. As many states as may pass at once, each kept as long as the
 * bucket takes to fill, let no more queries through; adaptive timeouts, which would shorten that
 * from 60% of `max` on, begin where no state can be made any more (pf.conf, OPTIONS).
 */
static void add_state_bound(struct fw_buf *out, const struct fw_pf_bound *bound) {
	fw_buf_printf(out,
		" (max %llu, icmp.first %llu, icmp.error %llu, adaptive.start %llu, "
		"adaptive.end %llu)",
		(unsigned long long)bound->count, (unsigned long long)bound->seconds,
		(unsigned long long)bound->seconds, (unsigned long long)bound->count,
		(unsigned long long)bound->count + 1);
}

static void add_state(
	struct fw_buf *out, const struct fw_pf_rule *rule, enum fw_pf_dialect dialect) {
	bool per_source = rule->limited && rule->flow->limit.per_source;
	bool rate = rule->limited && !per_source && dialect == FW_PF_OPENBSD;

	if (rule->protocol == IPPROTO_TCP) {
		fw_buf_add_text(out, " flags S/SA");
	}
	if (rate) {
		add_per(out, " max-pkt-rate ", &rule->bound);
	}
	fw_buf_add_text(out, rule->stateful ? " keep state" : " no state");
	if (per_source) {
		/* Over the rate a connection ends with its handshake (pf.conf, max-src-conn-rate).
		 */
		add_per(out, " (source-track rule, max-src-conn-rate ", &rule->bound);
		fw_buf_add_char(out, ')');
	} else if (rule->limited && !rate) {
		add_state_bound(out, &rule->bound);
	}
	if (rule->options) {
		fw_buf_add_text(out, " allow-opts");
	}
}

/* ---- rules ---- */

/* The author's name of an address that stands without a table. */
static const char *inline_name(const struct fw_pf_rule *rule) {
	const struct fw_pf_side *sides[] = {&rule->source, &rule->destination};
	for (size_t i = 0; i < FW_LENGTH(sides); i++) {
		if (sides[i]->count == 1 && sides[i]->items[0].who == FW_PF_PREFIX &&
			sides[i]->items[0].table->entries[0].name != NULL) {
			return sides[i]->items[0].table->entries[0].name;
		}
	}
	return NULL;
}

static void add_rule(
	struct fw_buf *out, const struct fw_pf_rule *rule, enum fw_pf_dialect dialect) {
	const struct fw_flow *flow = rule->flow;
	const struct fw_names *on = rule->in ? &flow->in_interfaces : &flow->out_interfaces;
	const char *name = inline_name(rule);

	fw_buf_add_text(out, rule->in ? "pass in" : "pass out");
	fw_buf_add_text(out, flow->log.on ? " log quick" : " quick");
	add_words(out, "on", rule, on->count, add_interface);
	if (rule->family != FW_FAMILY_NONE) {
		fw_buf_add_char(out, ' ');
		fw_buf_add_text(out, family_words[rule->family]);
	}
	if (rule->protocol != 0) {
		fw_buf_add_text(out, " proto ");
		add_name_or_number(out, protocol_words[rule->protocol], rule->protocol);
	}
	fw_buf_add_text(out, " from ");
	add_side(out, &rule->source, "$local_from");
	add_words(out, "port", rule, rule->source_port_count, add_source_port);
	fw_buf_add_text(out, " to ");
	add_side(out, &rule->destination, "$local_to");
	add_words(out, "port", rule, rule->port_count, add_port);
	add_words(out, type_words[rule->family], rule, rule->type_count, add_type);
	if (rule->tagged) {
		fw_buf_add_text(out, " tagged " LOCAL_TAG);
	}
	add_state(out, rule, dialect);
	add_label(out, flow->service);
	if (name != NULL) {
		fw_buf_add_text(out, "\t# ");
		fw_buf_add_comment(out, name);
	}
	fw_buf_add_char(out, '\n');
}

struct emission {
	const struct fw_policy *policy;
	enum fw_pf_dialect dialect;
	struct fw_pf_lowering lowering;
	struct fw_buf *rules;
};

static void add_rules(struct emission *emission) {
	for (size_t i = 0; i < emission->lowering.rules.count; i++) {
		add_rule(emission->rules, &emission->lowering.rules.items[i], emission->dialect);
	}
	emission->lowering.rules.count = 0;
}

/* The flows of a hook, service by service. */
static void add_flows(struct emission *emission, enum fw_hook hook, bool in) {
	const struct fw_policy *policy = emission->policy;
	const struct fw_flow *end = policy->flows + policy->flow_count, *run_end;

	for (const struct fw_flow *first = policy->flows; first < end; first = run_end) {
		run_end = fw_pf_run_end(policy, first);
		if (first->hook != hook) {
			continue;
		}
		fw_pf_lower(&emission->lowering, first, run_end, in);
		if (emission->lowering.rules.count != 0) {
			bool titled =
				first->title != NULL && strcmp(first->title, first->service) != 0;
			separate(emission->rules);
			add_heading(emission->rules, first->service, titled ? first->title : NULL);
			add_rules(emission);
		}
	}
}

static void add_block(struct emission *emission, enum fw_hook hook, bool in) {
	struct fw_buf *out = emission->rules;
	bool reject = emission->policy->hooks[hook].verdict == FW_REJECT;

	fw_buf_printf(out, "block %s %s%s quick from %s to %s", reject ? "return" : "drop",
		in ? "in" : "out", emission->policy->log.on ? " log" : "",
		hook == FW_OUTPUT ? "$local_from" : "any", hook == FW_INPUT ? "$local_to" : "any");
	fw_buf_printf(out, " label \"flowfw: %s\"\n", fw_hook_names[hook]);
}

/* What no flow of the hook allowed. */
static void add_leftover(struct emission *emission, enum fw_hook hook, bool in) {
	static const char *const endings[FW_VERDICT_COUNT] = {
		[FW_DROP] = "dropped",
		[FW_REJECT] = "rejected",
		[FW_ACCEPT] = "accepted",
	};
	enum fw_verdict verdict = emission->policy->hooks[hook].verdict;

	separate(emission->rules);
	fw_buf_printf(emission->rules, "# %s: what is left is %s\n", fw_hook_names[hook],
		endings[verdict]);
	if (verdict == FW_ACCEPT) {
		fw_pf_lower_accept(&emission->lowering, hook, in);
		add_rules(emission);
	} else {
		add_block(emission, hook, in);
	}
}

static bool is_ours(const struct fw_policy *policy, enum fw_hook hook) {
	return policy->hooks[hook].verdict != FW_UNTOUCHED;
}

/* A packet has one tag at most; whose rules give others must look at theirs before. */
static void add_tag(struct emission *emission, enum fw_hook hook) {
	const struct fw_policy *policy = emission->policy;
	bool tagged = false;

	for (size_t i = 0; i < policy->flow_count; i++) {
		tagged |= policy->flows[i].hook == hook && fw_pf_is_tagged(&policy->flows[i]);
	}
	if (tagged) {
		separate(emission->rules);
		fw_buf_printf(emission->rules, "# %s: what is this host's\n", fw_hook_names[hook]);
		fw_buf_add_text(emission->rules,
			hook == FW_INPUT ? "match in from any to $local_to tag " LOCAL_TAG "\n"
					 : "match out from $local_from to any tag " LOCAL_TAG "\n");
	}
}

static void add_hook(struct emission *emission, enum fw_hook hook, bool in) {
	if (is_ours(emission->policy, hook)) {
		add_tag(emission, hook);
		add_flows(emission, hook, in);
		add_leftover(emission, hook, in);
	}
}

/* ---- definitions ---- */

/*
 * No commas: a line may end behind an entry, but not behind a comma (parse.y of both). One entry a
 * line, so that one more of them is one more line.
 */
static void add_table(struct fw_buf *out, const struct fw_pf_table *table) {
	bool named = table->count <= NAMED_ENTRIES_MAX;

	separate(out);
	add_heading(out, table->title, table->note);
	fw_buf_printf(out, "table <%s> const {\n", table->name);
	for (size_t i = 0; i < table->count; i++) {
		const struct fw_pf_entry *entry = &table->entries[i];
		fw_buf_add_text(out, entry->negated ? "\t!" : "\t");
		fw_range_format(&entry->range, out);
		if (named && entry->name != NULL) {
			fw_buf_add_text(out, "\t# ");
			fw_buf_add_comment(out, entry->name);
		}
		fw_buf_add_char(out, '\n');
	}
	fw_buf_add_text(out, "}\n");
}

/* pfctl expands a macro and makes a rule of each thing in braces (pf.conf, PACKET FILTERING). */
static void add_macros(struct fw_buf *out, const struct fw_policy *policy) {
	if (is_ours(policy, FW_INPUT)) {
		fw_buf_add_text(out,
			"# what comes in for this host: its addresses, broadcast, multicast\n"
			"table <" MULTICAST_TABLE "> const {\n"
			"\t224.0.0.0/4\n"
			"\t255.255.255.255\n"
			"\tff00::/8\n"
			"}\n"
			"local_to = \"{ (self), (self:broadcast), <" MULTICAST_TABLE "> }\"\n");
	}
	if (is_ours(policy, FW_OUTPUT)) {
		separate(out);
		fw_buf_add_text(out, "# what this host sends, also while it has no address\n"
				     "local_from = \"{ (self), 0.0.0.0/32, ::/128 }\"\n");
	}
}

static int compare_tables(const void *left, const void *right) {
	const struct fw_pf_table *a = *(struct fw_pf_table *const *)left;
	const struct fw_pf_table *b = *(struct fw_pf_table *const *)right;
	return strcmp(a->name, b->name);
}

static void add_definitions(struct fw_buf *out, struct emission *emission) {
	struct fw_pf_tables *tables = &emission->lowering.tables;

	add_macros(out, emission->policy);
	if (tables->named.count != 0) {
		qsort(tables->named.items, tables->named.count, sizeof(*tables->named.items),
			compare_tables);
	}
	for (size_t i = 0; i < tables->named.count; i++) {
		add_table(out, tables->named.items[i]);
	}
}

/* ---- what belongs above all that ---- */

static const char *const dialect_texts[] = {
	[FW_PF_OPENBSD] = "pf of OpenBSD 6.9 and later",
	[FW_PF_FREEBSD] = "pf of FreeBSD 14 and later",
};

static void add_header(
	struct fw_buf *out, const struct fw_policy *policy, enum fw_pf_dialect dialect) {
	fw_buf_add_header(out, policy);
	fw_buf_printf(out, "# For %s.\n", dialect_texts[dialect]);
}

/* The power of two with room for a reload, so that it seldom changes. */
static size_t limit_for(size_t count) {
	size_t limit = 1;
	while (limit < 2 * count) {
		limit *= 2;
	}
	return limit;
}

/* FreeBSD counts no tables, only what is in them. */
static void add_limits(struct fw_buf *out, const struct emission *emission, const char *lead) {
	const struct fw_pf_tables *tables = &emission->lowering.tables;
	size_t entries = 0;

	for (size_t i = 0; i < tables->named.count; i++) {
		entries += tables->named.items[i]->count;
	}
	if (2 * tables->named.count > TABLES_DEFAULT && emission->dialect == FW_PF_OPENBSD) {
		fw_buf_printf(
			out, "%sset limit tables %zu\n", lead, limit_for(tables->named.count));
	}
	if (2 * entries > ENTRIES_DEFAULT) {
		fw_buf_printf(out, "%sset limit table-entries %zu\n", lead, limit_for(entries));
	}
}

/* ---- the backend ---- */

static const char *const dialects[] = {"openbsd", "freebsd", NULL};

enum { OPTION_DIALECT };

static const struct fw_option_spec option_specs[] = {
	[OPTION_DIALECT] = {"dialect",
		"whose pf.conf: OpenBSD's, or FreeBSD's with its older grammar", dialects},
};

static enum fw_pf_dialect dialect_of(const struct fw_options *options) {
	return strcmp(options->values[OPTION_DIALECT], "freebsd") == 0 ? FW_PF_FREEBSD
								       : FW_PF_OPENBSD;
}

static void emit_policy(
	const struct fw_policy *policy, const struct fw_options *options, struct fw_outputs *out) {
	FW_AUTO(fw_arena_fini) struct fw_arena arena = {0};
	struct emission emission = {
		.policy = policy,
		.dialect = dialect_of(options),
		.lowering = {.arena = &arena, .tables = {.arena = &arena}},
		.rules = fw_outputs_section(out, "rules"),
	};

	add_hook(&emission, FW_INPUT, true);
	add_hook(&emission, FW_FORWARD, true);
	add_hook(&emission, FW_OUTPUT, false);
	add_hook(&emission, FW_FORWARD, false);
	add_definitions(fw_outputs_section(out, "definitions"), &emission);
	add_header(fw_outputs_section(out, "header"), policy, emission.dialect);
	add_limits(fw_outputs_section(out, "header"), &emission, "# Needs: ");
	add_limits(fw_outputs_section(out, "limits"), &emission, "");
	fw_pf_lowering_fini(&emission.lowering);
}

static bool check_policy(
	const struct fw_policy *policy, const struct fw_options *options, struct fw_diags *diags) {
	return fw_pf_check(policy, dialect_of(options), diags);
}

/*
 * Limits are lowered as their arithmetic only comes near to the policy's, from below. A log goes to
 * pflog0 whole and without its prefix, which is less of nothing that passes. The hop limit is left
 * to the kernel where that checks it, and refused elsewhere.
 */
static struct fw_support_table support(const struct fw_options *options) {
	static const enum fw_support items[FW_FEATURE_COUNT] = {
		[FW_FEATURE_FORWARD] = FW_NATIVE,
		[FW_FEATURE_REJECT] = FW_NATIVE,
		[FW_FEATURE_LOG] = FW_NATIVE,
		[FW_FEATURE_FLOW_LOG] = FW_NATIVE,
		[FW_FEATURE_COUNTERS] = FW_NATIVE,
		[FW_FEATURE_LIMIT] = FW_LOWERED,
		[FW_FEATURE_LIMIT_SOURCE] = FW_LOWERED,
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

static const char *const variants[] = {"dialect=openbsd", "dialect=freebsd", NULL};

static const char *const anchor_sections[] = {"header", "definitions", "rules", NULL};
static const char *const standalone_sections[] = {"header", "limits", "definitions", "rules", NULL};

static const struct fw_frame_spec frames[] = {
	{"anchor", anchor_sections},
	{"standalone", standalone_sections},
	{0},
};

const struct fw_emitter fw_pf_emitter = {
	.abi = FW_EMITTER_ABI,
	.name = "pf",
	.summary = "pf.conf for OpenBSD 6.9, FreeBSD 14 and later",
	.suffix = ".conf",
	.frames = frames,
	.options = option_specs,
	.option_count = FW_LENGTH(option_specs),
	.variants = variants,
	.support = support,
	.check = check_policy,
	.emit = emit_policy,
};
