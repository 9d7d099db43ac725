// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What an allowed packet meets: limit, counter, log, accept. A limit is one object, or one chain,
 * that all rules of a service share in a hook.
 */

#include <string.h>

#include "nftables/lowering.h"

enum {
	METER_SIZE = 65535,
	MINUTE = 60,
};

static const uint32_t unit_seconds[FW_UNIT_COUNT] = {
	[FW_SECOND] = 1,
	[FW_MINUTE] = MINUTE,
	[FW_HOUR] = 60 * MINUTE,
	[FW_DAY] = 24 * 60 * MINUTE,
};

const char *fw_nft_log_prefix(struct fw_arena *arena, const struct fw_log *log, const char *whose) {
	return fw_arena_printf(arena, "%s%s: ", log->prefix, whose);
}

const char *fw_nft_counter_name(struct fw_arena *arena, const struct fw_flow *flow) {
	return fw_arena_printf(arena, "service_%s", flow->service);
}

static bool same_rate(const struct fw_rate *a, const struct fw_rate *b) {
	return a->count == b->count && a->unit == b->unit && a->burst == b->burst &&
	       a->per_source == b->per_source;
}

/* "ssh_input", or "ssh_input_2" for the second limit of a service in one hook. */
static const char *limit_name(struct fw_arena *arena, const struct fw_flow *flow, size_t serial) {
	const char *hook = fw_hook_names[flow->hook];
	return serial == 1 ? fw_arena_printf(arena, "%s_%s", flow->service, hook)
			   : fw_arena_printf(arena, "%s_%s_%zu", flow->service, hook, serial);
}

/* The limit of a log, one for all of the service's flows in a hook that ask for the same rate. */
static const char *log_limit(struct lowering *lowering, const struct fw_flow *flow) {
	size_t count = lowering->log_limits.count;

	for (size_t i = 0; i < count; i++) {
		const struct fw_nft_limit *limit = &lowering->log_limits.items[i];
		if (same_rate(&limit->rate, &flow->log.rate)) {
			return limit->name;
		}
	}
	const struct fw_nft_limit limit = {
		.name = fw_arena_printf(
			lowering->arena, "log_%s", limit_name(lowering->arena, flow, count + 1)),
		.rate = flow->log.rate,
		.span = flow->span,
	};
	FW_VEC_ADD(&lowering->log_limits, limit);
	FW_VEC_ADD(&lowering->limits, limit);
	return limit.name;
}

/* A limited log is a rule of its own, as its limit must not stop the packet. */
static void lower_log(struct lowering *lowering, const struct fw_flow *flow, struct verdict *out) {
	if (!flow->log.on || flow->log.rate.count == 0) {
		return;
	}
	const struct fw_nft_statement log[] = {
		{.kind = FW_NFT_LIMIT_NAMED, .text = log_limit(lowering, flow)},
		{.kind = FW_NFT_LOG,
			.text = fw_nft_log_prefix(lowering->arena, &flow->log, flow->service)},
	};
	out->log_count = FW_LENGTH(log);
	out->log = fw_nft_statements_dup(lowering->arena, log, out->log_count);
}

/* `limit` comes first, so that what is counted and logged is what is accepted. */
static void lower_accept(struct lowering *lowering, const struct fw_flow *flow,
	const struct fw_nft_statement *limit, struct verdict *out) {
	struct fw_nft_statement statements[FW_NFT_STATEMENTS_MAX];
	size_t count = 0;

	if (limit != NULL) {
		statements[count++] = *limit;
	}
	if (lowering->policy->counters) {
		statements[count++] = (struct fw_nft_statement){
			.kind = FW_NFT_COUNTER, .text = fw_nft_counter_name(lowering->arena, flow)};
	}
	if (flow->log.on && flow->log.rate.count == 0) {
		statements[count++] = (struct fw_nft_statement){.kind = FW_NFT_LOG,
			.text = fw_nft_log_prefix(lowering->arena, &flow->log, flow->service)};
	}
	statements[count++] = (struct fw_nft_statement){.kind = FW_NFT_ACCEPT};
	out->accept = fw_nft_statements_dup(lowering->arena, statements, count);
	out->accept_count = count;
}

/* The name of the limit that comes next in the service and hook at hand. */
static const char *bucket_name(const struct lowering *lowering, const struct fw_flow *flow) {
	return limit_name(lowering->arena, flow, lowering->buckets.count + 1);
}

/* All rules of a flow draw on one bucket, or its rate would count once for each of them. */
static void lower_limit(
	struct lowering *lowering, const struct fw_flow *flow, struct verdict *out) {
	const char *name =
		fw_arena_printf(lowering->arena, "service_%s", bucket_name(lowering, flow));
	struct fw_nft_limit limit = {name, flow->limit, flow->span};
	FW_VEC_ADD(&lowering->limits, limit);
	lower_log(lowering, flow, out);
	lower_accept(lowering, flow,
		&(struct fw_nft_statement){.kind = FW_NFT_LIMIT_NAMED, .text = name}, out);
}

/* Long enough for an empty bucket to be full again; then it may as well be forgotten. */
static uint32_t refill_seconds(const struct fw_rate *rate) {
	uint64_t per_minute = (uint64_t)rate->count * MINUTE;
	uint64_t seconds = (uint64_t)rate->burst * unit_seconds[rate->unit];
	return (uint32_t)((seconds + per_minute - 1) / per_minute * MINUTE);
}

static const struct fw_nft_set *source_set(
	struct lowering *lowering, const struct fw_flow *flow, enum fw_family family) {
	struct fw_nft_set *made = FW_ARENA_NEW(lowering->arena, struct fw_nft_set);
	*made = (struct fw_nft_set){
		.name = fw_arena_printf(lowering->arena, "ipv%c_%s_sources",
			family == FW_IPV4 ? '4' : '6', bucket_name(lowering, flow)),
		.title = flow->service,
		.family = family,
		.key = FW_NFT_ADDR,
		.dynamic = true,
		.timeout = refill_seconds(&flow->limit),
		.size = METER_SIZE,
		.span = flow->span,
	};
	FW_VEC_ADD(&lowering->dynamic, made);
	return made;
}

static bool same_service(const struct fw_flow *a, const struct fw_flow *b) {
	return a->hook == b->hook && strcmp(a->service, b->service) == 0;
}

/* Flows of one service and hook stand side by side; they may differ in family. */
static bool service_has_family(
	const struct fw_policy *policy, const struct fw_flow *flow, enum fw_family family) {
	const struct fw_flow *end = policy->flows + policy->flow_count;
	bool has = false;
	for (const struct fw_flow *next = flow; !has && next < end && same_service(next, flow);
		next++) {
		has = fw_flow_has_family(next, family);
	}
	return has;
}

/*
 * The chain that holds a limit per source. nft 0.9.0 knows such limits as `meter` only, and a meter
 * belongs to the rule it stands in, so all rules of the service jump to this one. What is over the
 * limit comes back, and meets the same bucket in whatever rule of the service it matches next.
 */
static void lower_limit_source(
	struct lowering *lowering, const struct fw_flow *flow, struct verdict *out) {
	size_t first = lowering->rules.count;
	const char *name =
		fw_arena_printf(lowering->arena, "service_%s", bucket_name(lowering, flow));

	for (int family = FW_IPV4; family < FW_FAMILY_COUNT; family++) {
		if (!service_has_family(lowering->policy, flow, (enum fw_family)family)) {
			continue;
		}
		struct verdict verdict = {0};
		const struct fw_nft_statement limit = {
			.kind = FW_NFT_LIMIT_SOURCE,
			.rate = flow->limit,
			.family = (enum fw_family)family,
			.set = source_set(lowering, flow, (enum fw_family)family),
		};
		lower_accept(lowering, flow, &limit, &verdict);
		fw_nft_add_flow_rule(lowering, &(struct matches){0}, &verdict, flow);
	}
	struct fw_nft_chain chain = {.name = name, .title = flow->service, .span = flow->span};
	chain.rules = fw_nft_take_rules(lowering, first, &chain.rule_count);
	FW_VEC_ADD(&lowering->regular, chain);

	const struct fw_nft_statement jump = {.kind = FW_NFT_JUMP, .text = name};
	lower_log(lowering, flow, out);
	out->accept = fw_nft_statements_dup(lowering->arena, &jump, 1);
	out->accept_count = 1;
}

static bool same_log(const struct fw_log *a, const struct fw_log *b) {
	return a->on == b->on &&
	       (!a->on || (strcmp(a->prefix, b->prefix) == 0 && same_rate(&a->rate, &b->rate)));
}

/*
 * What has the same limit shares one bucket, whatever stands between: flows of one service may be
 * for devices that differ in it.
 */
static struct verdict lower_limited(struct lowering *lowering, const struct fw_flow *flow) {
	struct verdict verdict = {0};

	for (size_t i = 0; i < lowering->buckets.count; i++) {
		const struct bucket *bucket = &lowering->buckets.items[i];
		if (same_rate(&bucket->flow->limit, &flow->limit) &&
			same_log(&bucket->flow->log, &flow->log)) {
			return bucket->verdict;
		}
	}
	if (flow->limit.per_source) {
		lower_limit_source(lowering, flow, &verdict);
	} else {
		lower_limit(lowering, flow, &verdict);
	}
	FW_VEC_ADD(&lowering->buckets, ((struct bucket){flow, verdict}));
	return verdict;
}

struct verdict fw_nft_lower_verdict(struct lowering *lowering, const struct fw_flow *flow) {
	struct verdict verdict = {0};

	if (lowering->service == NULL || !same_service(lowering->service, flow)) {
		lowering->service = flow;
		lowering->buckets.count = 0;
		lowering->log_limits.count = 0;
	}
	if (flow->limit.count != 0) {
		return lower_limited(lowering, flow);
	}
	lower_log(lowering, flow, &verdict);
	lower_accept(lowering, flow, NULL, &verdict);
	return verdict;
}
