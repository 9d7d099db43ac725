// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Rules for pf of OpenBSD 6.9 and FreeBSD 14, and later ones of both, by their pf.conf(5).
 *
 * pf has no hooks: a packet comes in on an interface or goes out on one, and a forwarded packet
 * does both. What the policy calls its hooks is told apart by addresses:
 *
 *   input    comes in, to an address of this host, a broadcast or a multicast address: $local_to
 *   output   goes out, from an address of this host or from none yet: $local_from
 *   forward  comes in and goes out otherwise; pf_forward.c says how its flows are ruled. Without
 *            any its rules stand behind the other two
 *
 * `(self)` is every address of every interface and follows their changes. A host that forwards
 * multicast is outside of this. Where a service lists addresses for its own end, a packet must have
 * one of them and be this host's: pf asks one thing of a side, so `match` rules tag what is this
 * host's first, and the service's rules ask for the tag. All rules are `quick`, so the first one
 * that matches decides, and a flow is read from its own line: loopback, the flows of a hook, then
 * what is left of the hook. Flows with a limit stand behind those without one: what a rule with one
 * stops meets no other, but where it counts packets (max-pkt-rate). A hook that is untouched has no
 * rules, and a hook's packets meet those of no other.
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

#define LOCAL_FROM "{ (self), 0.0.0.0/32, ::/128 }"

struct emission {
	const struct fw_policy *policy;
	enum fw_pf_dialect dialect;
	struct fw_pf_forward forward;
	struct fw_pf_lowering lowering;
	struct fw_buf *rules;
	struct fw_buf sources; /* what translates them */
};

static void emission_fini(struct emission *emission) {
	fw_pf_lowering_fini(&emission->lowering);
	fw_buf_fini(&emission->sources);
}

static void add_rules(struct emission *emission) {
	for (size_t i = 0; i < emission->lowering.rules.count; i++) {
		fw_pf_add_rule(
			emission->rules, &emission->lowering.rules.items[i], emission->dialect);
	}
	emission->lowering.rules.count = 0;
}

/* Which flows of a hook: forwarded packets that may go out anywhere are ruled before others. */
enum part { PART_NONE, PART_ALL, PART_ANYWHERE, PART_SOMEWHERE };

static bool is_in_part(
	const struct emission *emission, const struct fw_flow *flow, enum part part) {
	return part == PART_ALL ||
	       fw_pf_forward_is_anywhere(&emission->forward, flow) == (part == PART_ANYWHERE);
}

/* What of a run of flows is printed. */
struct printing {
	struct emission *emission;
	const struct fw_flow *first;
	enum part part;
	bool limited, begun;
};

/* Leaves these rules; the others were lowered as they share limits with them. */
static void keep_part(const struct printing *printing) {
	struct fw_pf_lowering *lowering = &printing->emission->lowering;
	struct fw_pf_rule *rules = lowering->rules.items;
	size_t kept = 0;

	for (size_t i = 0; i < lowering->rules.count; i++) {
		if (rules[i].limited == printing->limited &&
			is_in_part(printing->emission, rules[i].flow, printing->part)) {
			rules[kept++] = rules[i];
		}
	}
	lowering->rules.count = kept;
}

static void print_rules(struct fw_pf_lowering *lowering, void *printer) {
	struct printing *printing = printer;
	const struct fw_flow *first = printing->first;
	struct fw_buf *out = printing->emission->rules;

	keep_part(printing);
	if (lowering->rules.count != 0 && !printing->begun) {
		bool titled = first->title != NULL && strcmp(first->title, first->service) != 0;
		fw_pf_separate(out);
		fw_pf_add_heading(out, first->service, titled ? first->title : NULL);
		printing->begun = true;
	}
	add_rules(printing->emission);
}

/*
 * What a hook's first walk over its flows lowered, and named the tables of, needs no other look for
 * a limit that no flow has.
 */
static bool is_walked(
	const struct fw_flow *first, const struct fw_flow *end, enum fw_hook hook, bool limited) {
	bool needed = !limited;
	for (const struct fw_flow *flow = first; flow < end; flow++) {
		needed |= flow->limit.count != 0;
	}
	return first->hook == hook && needed;
}

/* The flows of a hook, service by service, with a limit or without. */
static void add_kind_of_flows(
	struct emission *emission, enum fw_hook hook, bool in, enum part part, bool limited) {
	const struct fw_policy *policy = emission->policy;
	const struct fw_flow *end = policy->flows + policy->flow_count, *run_end;
	struct fw_pf_lowering *lowering = &emission->lowering;

	for (const struct fw_flow *first = policy->flows; first < end; first = run_end) {
		run_end = fw_pf_run_end(policy, first);
		if (is_walked(first, run_end, hook, limited)) {
			struct printing printing = {emission, first, part, limited, false};
			lowering->print = print_rules;
			lowering->printer = &printing;
			fw_pf_lower(lowering, first, run_end, in);
			print_rules(lowering, &printing);
			lowering->print = NULL;
		}
	}
}

static void add_flows(struct emission *emission, enum fw_hook hook, bool in, enum part part) {
	add_kind_of_flows(emission, hook, in, part, false);
	add_kind_of_flows(emission, hook, in, part, true);
}

static void add_block(struct emission *emission, enum fw_hook hook, bool in) {
	struct fw_buf *out = emission->rules;
	bool reject = emission->policy->hooks[hook].verdict == FW_REJECT;

	fw_buf_printf(out, "block %s %s%s quick from %s to %s", reject ? "return" : "drop",
		in ? "in" : "out", emission->policy->log.on ? " log" : "",
		hook == FW_OUTPUT ? "$local_from" : "any", hook == FW_INPUT ? "$local_to" : "any");
	if (hook == FW_FORWARD && emission->forward.on) {
		fw_pf_add_tags(out, NULL, FW_PF_LOCAL_TAG, NULL);
	}
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

	fw_pf_separate(emission->rules);
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
		fw_pf_separate(emission->rules);
		fw_buf_printf(emission->rules, "# %s: what is this host's\n", fw_hook_names[hook]);
		fw_buf_add_text(emission->rules,
			hook == FW_INPUT
				? "match in from any to $local_to tag " FW_PF_LOCAL_TAG "\n"
				: "match out from $local_from to any tag " FW_PF_LOCAL_TAG "\n");
	}
}

static void add_hook(struct emission *emission, enum fw_hook hook, bool in) {
	if (is_ours(emission->policy, hook)) {
		if (!emission->forward.on) {
			add_tag(emission, hook);
		}
		add_flows(emission, hook, in, PART_ALL);
		add_leftover(emission, hook, in);
	}
}

/* ---- in and out ---- */

/*
 * What goes out with an address of this host is taken for its own, and its out-interface is not
 * asked for. Nobody else has such an address, so where out-interfaces matter it may not come in.
 */
static void add_spoofed(struct emission *emission) {
	if (emission->forward.exit_count > 1) {
		fw_pf_separate(emission->rules);
		fw_buf_printf(emission->rules,
			"# forward: nobody else has this host's addresses\n"
			"block drop in%s quick from $local_from to any ! tagged " FW_PF_LOCAL_TAG
			" label \"flowfw: forward\"\n",
			emission->policy->log.on ? " log" : "");
	}
}

/* Flows with a list of out-interfaces stand behind those that need none. */
static void add_forward_in(struct emission *emission) {
	add_flows(emission, FW_FORWARD, true, PART_ANYWHERE);
	add_spoofed(emission);
	fw_pf_forward_prelude(emission->rules, &emission->lowering, emission->policy);
	add_flows(emission, FW_FORWARD, true, PART_SOMEWHERE);
	add_leftover(emission, FW_FORWARD, true);
}

static void add_in(struct emission *emission) {
	const struct fw_policy *policy = emission->policy;

	if (!emission->forward.on) {
		add_hook(emission, FW_INPUT, true);
		add_hook(emission, FW_FORWARD, true);
		return;
	}
	if (emission->dialect == FW_PF_OPENBSD) {
		fw_pf_nat_ports(emission->rules, &emission->lowering, &policy->translation,
			emission->dialect);
	}
	fw_pf_forward_arrive(emission->rules, &emission->lowering, policy);
	add_hook(emission, FW_INPUT, true);
	add_forward_in(emission);
}

/* Forwarded packets are decided first, as they may have an address of this host by now. */
static void add_out(struct emission *emission) {
	if (!emission->forward.on) {
		add_hook(emission, FW_OUTPUT, false);
		add_hook(emission, FW_FORWARD, false);
		return;
	}
	fw_pf_nat_sources(&emission->sources, &emission->lowering, &emission->policy->translation,
		emission->dialect);
	fw_pf_forward_leave(emission->rules, &emission->forward, fw_buf_slice(&emission->sources),
		emission->dialect);
	add_leftover(emission, FW_FORWARD, false);
	add_hook(emission, FW_OUTPUT, false);
}

/* ---- definitions ---- */

/*
 * No commas: a line may end behind an entry, but not behind a comma (parse.y of both). One entry a
 * line, so that one more of them is one more line.
 */
static void add_table(struct fw_buf *out, const struct fw_pf_table *table) {
	bool named = table->count <= NAMED_ENTRIES_MAX;

	fw_pf_separate(out);
	fw_pf_add_heading(out, table->title, table->note);
	fw_buf_add_text(out, "table ");
	fw_pf_add_table_name(out, table->name);
	fw_buf_add_text(out, " const {\n");
	for (size_t i = 0; i < table->count; i++) {
		struct fw_pf_entry entry = fw_pf_table_at(table, i);
		fw_buf_add_text(out, entry.negated ? "\t!" : "\t");
		fw_range_format(&entry.range, out);
		if (named && entry.name != NULL) {
			fw_buf_add_text(out, "\t# ");
			fw_buf_add_comment(out, entry.name);
		}
		fw_buf_add_char(out, '\n');
	}
	fw_buf_add_text(out, "}\n");
}

/* pfctl expands a macro and makes a rule of each thing in braces (pf.conf, PACKET FILTERING). */
static void add_macros(struct fw_buf *out, const struct emission *emission) {
	bool forward = emission->forward.on;

	if (forward || is_ours(emission->policy, FW_INPUT)) {
		fw_buf_add_text(out,
			"# what comes in for this host: its addresses, broadcast, multicast\n"
			"table <" MULTICAST_TABLE "> const {\n"
			"\t224.0.0.0/4\n"
			"\t255.255.255.255\n"
			"\tff00::/8\n"
			"}\n"
			"local_to = \"{ (self), (self:broadcast), <" MULTICAST_TABLE "> }\"\n");
	}
	if (forward || is_ours(emission->policy, FW_OUTPUT)) {
		fw_pf_separate(out);
		fw_buf_add_text(out, "# what this host sends, also while it has no address\n"
				     "local_from = \"" LOCAL_FROM "\"\n");
	}
}

static int compare_tables(const void *left, const void *right) {
	const struct fw_pf_table *a = *(struct fw_pf_table *const *)left;
	const struct fw_pf_table *b = *(struct fw_pf_table *const *)right;
	return strcmp(a->name, b->name);
}

static void add_translation(struct fw_buf *out, struct emission *emission) {
	fw_pf_nat_ports(
		out, &emission->lowering, &emission->policy->translation, emission->dialect);
	if (emission->sources.length != 0) {
		fw_pf_separate(out);
		fw_buf_add_text(out, "# what was let in, and gets another source as it goes out\n");
		fw_buf_add_slice(out, fw_buf_slice(&emission->sources));
	}
}

static void add_definitions(struct fw_buf *out, struct emission *emission) {
	struct fw_pf_tables *tables = &emission->lowering.tables;

	FW_AUTO(fw_buf_fini) struct fw_buf nat = {0};

	/* FreeBSD wants translation before all filter rules. */
	if (emission->dialect == FW_PF_FREEBSD && emission->forward.on) {
		add_translation(&nat, emission);
	}
	add_macros(out, emission);
	if (tables->named.count != 0) {
		qsort(tables->named.items, tables->named.count, sizeof(*tables->named.items),
			compare_tables);
	}
	for (size_t i = 0; i < tables->named.count; i++) {
		add_table(out, tables->named.items[i]);
	}
	if (nat.length != 0) {
		fw_pf_separate(out);
		fw_buf_add_slice(out, fw_buf_slice(&nat));
	}
}

/*
 * What passes for want of a rule leaves no state, by which answers would come in where rules are. A
 * rule that is not `quick` changes nothing else of it: rules of hooks that are claimed follow, and
 * have the last word. In an anchor it would overrule what main rules blocked before, so there is no
 * such section.
 */
static void add_states(struct fw_buf *out, const struct fw_policy *policy) {
	if (fw_pf_is_unanswered(policy, FW_OUTPUT)) {
		fw_buf_add_text(out, "# what this host sends passes, and so do answers to it\n"
				     "pass out from " LOCAL_FROM
				     " to any keep state label \"flowfw: output\"\n\n");
	}
	if (fw_pf_is_unanswered(policy, FW_INPUT)) {
		fw_buf_add_text(out,
			"# what comes in for this host passes, and so do answers to it\n"
			"pass in from any to { (self), (self:broadcast), 224.0.0.0/4, "
			"255.255.255.255, ff00::/8 } keep state label \"flowfw: input\"\n\n");
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
	if (policy->translation.on && dialect == FW_PF_FREEBSD) {
		fw_buf_add_text(out, "# In an anchor this needs, where /etc/pf.conf translates:\n"
				     "#     nat-anchor \"flowfw\"\n"
				     "#     rdr-anchor \"flowfw\"\n");
	}
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
	FW_AUTO(emission_fini)
	struct emission emission = {
		.policy = policy,
		.dialect = dialect_of(options),
		.lowering = {.arena = &arena, .policy = policy, .tables = {.arena = &arena}},
		.rules = fw_outputs_section(out, "rules"),
	};

	fw_pf_forward_init(&emission.forward, &arena, policy);
	emission.lowering.forward = emission.forward.on ? &emission.forward : NULL;
	add_in(&emission);
	add_out(&emission);
	add_definitions(fw_outputs_section(out, "definitions"), &emission);
	add_states(fw_outputs_section(out, "states"), policy);
	add_header(fw_outputs_section(out, "header"), policy, emission.dialect);
	add_limits(fw_outputs_section(out, "header"), &emission, "# Needs: ");
	add_limits(fw_outputs_section(out, "limits"), &emission, "");
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
		[FW_FEATURE_FORWARDING] = FW_NATIVE,
		[FW_FEATURE_MASQUERADE] = FW_NATIVE,
		[FW_FEATURE_HAIRPIN] = FW_NATIVE,
	};
	(void)options;
	return (struct fw_support_table){items, FW_LENGTH(items)};
}

static const char *const variants[] = {"dialect=openbsd", "dialect=freebsd", NULL};

static const char *const anchor_sections[] = {"header", "definitions", "rules", NULL};
static const char *const standalone_sections[] = {
	"header", "limits", "definitions", "states", "rules", NULL};

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
