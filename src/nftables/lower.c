// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The table that filters: a base chain for each hook with a verdict, its own rules round those of
 * the flows, and all that the rules refer to.
 */

#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "nftables/lowering.h"

/* ---- rules ---- */

void fw_nft_add_match(struct matches *matches, struct fw_nft_match match) {
	assert(matches->count < FW_NFT_MATCHES_MAX);
	matches->items[matches->count++] = match;
}

struct fw_nft_rule *fw_nft_add_rule(struct lowering *lowering, const struct matches *matches,
	const struct fw_nft_statement *statements, size_t count, const struct fw_flow *flow) {
	size_t size = matches->count * sizeof(struct fw_nft_match);
	struct fw_nft_match *copy = fw_arena_alloc(lowering->arena, size);
	memcpy(copy, matches->items, size);
	struct fw_nft_rule rule = {
		.matches = copy,
		.match_count = matches->count,
		.statements = statements,
		.statement_count = count,
		.flow = flow,
	};
	if (flow != NULL) {
		rule.comment = flow->service;
		rule.span = flow->span;
	}
	FW_VEC_ADD(&lowering->rules, rule);
	return &lowering->rules.items[lowering->rules.count - 1];
}

void fw_nft_add_flow_rule(struct lowering *lowering, const struct matches *matches,
	const struct verdict *verdict, const struct fw_flow *flow) {
	if (verdict->log != NULL) {
		fw_nft_add_rule(lowering, matches, verdict->log, verdict->log_count, flow);
	}
	fw_nft_add_rule(lowering, matches, verdict->accept, verdict->accept_count, flow);
}

const struct fw_nft_statement *fw_nft_statements_dup(
	struct fw_arena *arena, const struct fw_nft_statement *statements, size_t count) {
	struct fw_nft_statement *copy = FW_ARENA_ARRAY(arena, struct fw_nft_statement, count);
	memcpy(copy, statements, count * sizeof(*copy));
	return copy;
}

const struct fw_nft_rule *fw_nft_take_rules(
	struct lowering *lowering, size_t first, size_t *out_count) {
	size_t count = lowering->rules.count - first;
	struct fw_nft_rule *copy = FW_ARENA_ARRAY(lowering->arena, struct fw_nft_rule, count);
	if (count != 0) {
		memcpy(copy, lowering->rules.items + first, count * sizeof(*copy));
	}
	lowering->rules.count = first;
	*out_count = count;
	return copy;
}

/* ---- chains ---- */

/* Interfaces that every base chain trusts, as the model does. */
static void add_loopback(struct lowering *lowering, enum fw_hook hook) {
	static const char *const loopback[] = {"lo"};
	static const struct fw_nft_statement accept = {.kind = FW_NFT_ACCEPT};
	struct matches matches = {0};

	fw_nft_add_match(
		&matches, (struct fw_nft_match){
				  .kind = hook == FW_INPUT ? FW_NFT_IIFNAME : FW_NFT_OIFNAME,
				  .names = loopback,
				  .count = 1,
			  });
	fw_nft_add_rule(lowering, &matches, &accept, 1, NULL)->comment = "loopback";
}

/*
 * Two rules, each for some bits of the state: a verdict map is one, but the kernel looks into it as
 * into any set, which takes longer than both.
 */
static void add_states(struct lowering *lowering) {
	static const struct fw_nft_statement accept = {.kind = FW_NFT_ACCEPT};
	static const struct fw_nft_statement drop = {.kind = FW_NFT_DROP};
	struct matches reply = {0}, invalid = {0};

	fw_nft_add_match(&reply, (struct fw_nft_match){.kind = FW_NFT_CT_REPLY});
	fw_nft_add_match(&invalid, (struct fw_nft_match){.kind = FW_NFT_CT_INVALID});
	fw_nft_add_rule(lowering, &reply, &accept, 1, NULL);
	fw_nft_add_rule(lowering, &invalid, &drop, 1, NULL);
}

static void add_leftover_log(struct lowering *lowering, enum fw_hook hook) {
	const struct fw_log *log = &lowering->policy->log;
	const struct fw_nft_statement statements[] = {
		{.kind = FW_NFT_LIMIT, .rate = log->rate},
		{.kind = FW_NFT_LOG,
			.text = fw_nft_log_prefix(lowering->arena, log, fw_hook_names[hook])},
	};
	size_t skipped = log->rate.count == 0 ? 1 : 0;
	size_t count = FW_LENGTH(statements) - skipped;
	fw_nft_add_rule(lowering, &(struct matches){0},
		fw_nft_statements_dup(lowering->arena, statements + skipped, count), count, NULL);
}

static void add_reject(struct lowering *lowering) {
	static const struct fw_nft_statement reset = {.kind = FW_NFT_REJECT_TCP};
	static const struct fw_nft_statement reject = {.kind = FW_NFT_REJECT};
	struct matches tcp = {0};

	fw_nft_add_match(
		&tcp, (struct fw_nft_match){.kind = FW_NFT_PROTOCOL, .protocol = IPPROTO_TCP});
	fw_nft_add_rule(lowering, &tcp, &reset, 1, NULL);
	fw_nft_add_rule(lowering, &(struct matches){0}, &reject, 1, NULL);
}

static void lower_chain(struct lowering *lowering, enum fw_hook hook) {
	const struct fw_policy *policy = lowering->policy;
	enum fw_verdict verdict = policy->hooks[hook].verdict;

	if (hook != FW_FORWARD) {
		add_loopback(lowering, hook);
	}
	add_states(lowering);
	for (size_t i = 0; i < policy->flow_count; i++) {
		if (policy->flows[i].hook == hook) {
			fw_nft_lower_flow(lowering, &policy->flows[i]);
		}
	}
	size_t leftover = lowering->rules.count;
	if (policy->log.on && verdict != FW_ACCEPT) {
		add_leftover_log(lowering, hook);
	}
	if (verdict == FW_REJECT) {
		add_reject(lowering);
	}
	struct fw_nft_chain chain = {
		.name = fw_hook_names[hook],
		.hook = hook,
		.accept = verdict == FW_ACCEPT,
		.leftover = leftover,
		.span = policy->hooks[hook].span,
	};
	chain.rules = fw_nft_take_rules(lowering, 0, &chain.rule_count);
	FW_VEC_ADD(&lowering->base, chain);
}

/* ---- counters ---- */

static int compare_counters(const void *left, const void *right) {
	const struct fw_nft_counter *a = left;
	const struct fw_nft_counter *b = right;

	return strcmp(a->name, b->name);
}

static void lower_counters(struct lowering *lowering, struct fw_nft_table *table) {
	const struct fw_policy *policy = lowering->policy;
	struct fw_nft_counter *counters =
		FW_ARENA_ARRAY(lowering->arena, struct fw_nft_counter, policy->flow_count);
	size_t count = 0, kept = 0;

	for (size_t i = 0; i < policy->flow_count; i++) {
		const struct fw_flow *flow = &policy->flows[i];
		if (policy->hooks[flow->hook].verdict != FW_UNTOUCHED) {
			counters[count++] = (struct fw_nft_counter){
				fw_nft_counter_name(lowering->arena, flow), flow->span};
		}
	}
	qsort(counters, count, sizeof(*counters), compare_counters);
	for (size_t i = 0; i < count; i++) {
		if (kept == 0 || strcmp(counters[kept - 1].name, counters[i].name) != 0) {
			counters[kept++] = counters[i];
		}
	}
	table->counters = counters;
	table->counter_count = kept;
}

/* ---- the table ---- */

static void *vec_to_arena(
	struct fw_arena *arena, const void *items, size_t count, size_t item_size) {
	void *copy = fw_arena_array(arena, count, item_size);
	if (count != 0) {
		memcpy(copy, items, count * item_size);
	}
	return copy;
}
#define TO_ARENA(arena, vec) vec_to_arena((arena), (vec).items, (vec).count, sizeof(*(vec).items))

static void take_chains(struct lowering *lowering, struct fw_nft_table *table) {
	for (size_t i = 0; i < lowering->base.count; i++) {
		FW_VEC_ADD(&lowering->regular, lowering->base.items[i]);
	}
	table->chains = TO_ARENA(lowering->arena, lowering->regular);
	table->chain_count = lowering->regular.count;
}

static void take_sets(struct lowering *lowering, const struct fw_set *const *sets, size_t count,
	struct fw_nft_table *table) {
	set_vec *taken = &lowering->maps;
	fw_nft_set_index_list(&lowering->sets, sets, count, taken);
	for (size_t i = 0; i < lowering->dynamic.count; i++) {
		FW_VEC_ADD(taken, lowering->dynamic.items[i]);
	}
	table->sets = TO_ARENA(lowering->arena, *taken);
	table->set_count = taken->count;
}

struct fw_nft_table *fw_nft_take_table(
	struct lowering *lowering, const struct fw_set *const *sets, size_t set_count) {
	struct fw_nft_table *table = FW_ARENA_NEW(lowering->arena, struct fw_nft_table);

	table->policy = lowering->policy;
	table->limits = TO_ARENA(lowering->arena, lowering->limits);
	table->limit_count = lowering->limits.count;
	take_sets(lowering, sets, set_count, table);
	take_chains(lowering, table);
	return table;
}

void fw_nft_lowering_fini(struct lowering *lowering) {
	fw_nft_set_index_fini(&lowering->sets);
	FW_VEC_FINI(&lowering->maps);
	FW_VEC_FINI(&lowering->dynamic);
	FW_VEC_FINI(&lowering->limits);
	FW_VEC_FINI(&lowering->regular);
	FW_VEC_FINI(&lowering->base);
	FW_VEC_FINI(&lowering->rules);
	FW_VEC_FINI(&lowering->buckets);
	FW_VEC_FINI(&lowering->log_limits);
}

const struct fw_nft_table *fw_nft_lower(
	struct fw_arena *arena, const struct fw_policy *policy, enum fw_nft_kernel kernel) {
	FW_AUTO(fw_nft_lowering_fini)
	struct lowering lowering = {
		.arena = arena, .policy = policy, .sets = {.arena = arena, .kernel = kernel}};

	for (int hook = FW_INPUT; hook < FW_HOOK_COUNT; hook++) {
		if (policy->hooks[hook].verdict != FW_UNTOUCHED) {
			lower_chain(&lowering, (enum fw_hook)hook);
		}
	}
	struct fw_nft_table *table = fw_nft_take_table(&lowering, policy->sets, policy->set_count);
	table->name = FW_NFT_TABLE;
	if (policy->counters) {
		lower_counters(&lowering, table);
	}
	for (int family = FW_IPV4; family < FW_FAMILY_COUNT; family++) {
		table->nat[family] = fw_nft_lower_nat(arena, policy, (enum fw_family)family);
	}
	return table;
}
