// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Flows to rules in the chains of hooks. A flow becomes one rule for each pair of interfaces, each
 * part of a set on each side and each header; never one for each endpoint of a group.
 */

#include <string.h>

#include "emit/common.h"
#include "emit/iptables.h"

enum {
	LOG_PREFIX_MAX = 29, /* bytes; struct xt_log_info without its NUL */
};

const char *const fw_ipt_hook_chains[FW_HOOK_COUNT] = {
	[FW_INPUT] = FW_IPT_PREFIX "INPUT",
	[FW_OUTPUT] = FW_IPT_PREFIX "OUTPUT",
	[FW_FORWARD] = FW_IPT_PREFIX "FORWARD",
};

/* ---- what becomes of an allowed packet ---- */

const char *fw_ipt_log(const struct fw_ipt *ipt, const struct fw_log *log, const char *whose) {
	FW_AUTO(fw_buf_fini) struct fw_buf text = {0};
	int room = LOG_PREFIX_MAX - (int)strlen(log->prefix) - (int)strlen(": ");
	const char *prefix = fw_arena_printf(ipt->arena, "%s%.*s: ", log->prefix, room, whose);

	fw_buf_add_text(&text, "-j LOG --log-prefix ");
	fw_buf_add_quoted(&text, prefix, LOG_PREFIX_MAX);
	return fw_arena_text(ipt->arena, fw_buf_slice(&text));
}

static void add_service_rule(struct fw_ipt *ipt, const char *chain, const char *matches,
	const struct fw_flow *flow, const char *target) {
	fw_ipt_add_rule(&ipt->below, &(struct fw_ipt_rule){
					     .chain = chain,
					     .matches = matches,
					     .comment = flow->service,
					     .target = target,
				     });
}

/*
 * The chain that all rules of a service lead to, so that it has one bucket, one counter and one
 * log. What is over the limit comes back. Without a rate of its own a log is limited as the
 * service, so that it shows what is accepted.
 */
static struct fw_ipt_target service_chain(struct fw_ipt *ipt, const struct fw_flow *flow) {
	static const char *const words[FW_HOOK_COUNT] = {
		[FW_INPUT] = "IN", [FW_OUTPUT] = "OUT", [FW_FORWARD] = "FWD"};
	const char *key = fw_arena_printf(ipt->arena, "%s-%s", words[flow->hook], flow->service);
	if (ipt->serial > 1) {
		key = fw_arena_printf(ipt->arena, "%s_%u", key, ipt->serial);
	}
	const char *chain = fw_ipt_chain(ipt, key);

	fw_ipt_add_heading(&ipt->below, flow->service,
		flow->limit.count == 0 ? "accepted here"
		: flow->limit.per_source
			? "accepted here, as far as its limit for each source allows"
			: "accepted here, as far as its limit allows");
	if (flow->log.on) {
		const char *limit = flow->log.rate.count != 0 ? fw_ipt_limit(ipt, &flow->log.rate)
							      : fw_ipt_flow_limit(ipt, flow, "log");
		add_service_rule(
			ipt, chain, limit, flow, fw_ipt_log(ipt, &flow->log, flow->service));
	}
	add_service_rule(ipt, chain, fw_ipt_flow_limit(ipt, flow, ""), flow, "-j ACCEPT");
	return (struct fw_ipt_target){chain, true};
}

static struct fw_ipt_target service_target(struct fw_ipt *ipt, const struct fw_flow *flow) {
	const struct fw_flow *last = ipt->last;

	if (flow->limit.count == 0 && !flow->log.on && !ipt->policy->counters) {
		return (struct fw_ipt_target){"ACCEPT", false};
	}
	if (last == NULL || !fw_ipt_same_bucket(last, flow)) {
		bool again = last != NULL && last->hook == flow->hook &&
			     strcmp(last->service, flow->service) == 0;
		ipt->serial = again ? ipt->serial + 1 : 1;
		ipt->last = flow;
		ipt->last_target = service_chain(ipt, flow);
	}
	return ipt->last_target;
}

/* ---- one flow ---- */

struct setting {
	struct fw_ipt *ipt;
	const struct fw_flow *flow;
	struct fw_ipt_ways source, destination;
	unsigned levels; /* of a tree */
};

static void add_heading(struct fw_ipt *ipt, const struct fw_flow *flow) {
	if (ipt->heading == NULL || strcmp(ipt->heading, flow->service) != 0) {
		bool titled = flow->title != NULL && strcmp(flow->title, flow->service) != 0;
		fw_ipt_add_heading(ipt->rules, flow->service, titled ? flow->title : NULL);
		ipt->heading = flow->service;
	}
}

/* From the last thing that is asked to the first: each leads to the one behind it. */
static void add_setting(const struct setting *setting, struct fw_ipt_headers headers) {
	const struct fw_flow *flow = setting->flow;
	struct fw_ipt *ipt = setting->ipt;

	for (size_t s = 0; s < setting->source.count; s++) {
		for (size_t d = 0; d < setting->destination.count; d++) {
			struct fw_ipt_draft draft = {
				.rule = {.chain = fw_ipt_hook_chains[flow->hook],
					.comment = flow->service},
				.target = service_target(ipt, flow),
			};
			add_heading(ipt, flow);
			fw_ipt_add_exceptions(
				ipt, &draft, flow->destination.except, false, setting->levels);
			fw_ipt_add_exceptions(
				ipt, &draft, flow->source.except, true, setting->levels);
			fw_ipt_add_side(
				ipt, &draft, &setting->destination.items[d], setting->levels);
			fw_ipt_add_side(ipt, &draft, &setting->source.items[s], setting->levels);
			fw_ipt_add_rules(
				ipt, &draft, &flow->in_interfaces, &flow->out_interfaces, headers);
		}
	}
}

/* Members that bring ports: these stand in the set or chain, so the rule asks for no header. */
static void add_own(const struct setting *setting, const struct fw_set *set) {
	static const char *const none[] = {NULL};
	struct fw_ipt *ipt = setting->ipt;
	bool is_source = fw_flow_peers(setting->flow) == &setting->flow->source;
	const struct fw_ipt_part_of of = {set, FW_IPT_PORTS, is_source};
	size_t count, wide;
	const struct fw_endpoint *members =
		fw_ipt_part(&set->members[ipt->family], of.part, &count);
	wide = count;
	if (ipt->ipset) {
		fw_ipt_wide(ipt, members, &wide);
	}

	struct fw_ipt_way ways[] = {{FW_IPT_WAY_SET, of}, {FW_IPT_WAY_CHAIN, of}};
	const bool met[] = {wide < count, wide != 0};
	for (size_t i = 0; i < FW_LENGTH(ways); i++) {
		if (met[i]) {
			struct setting changed = *setting;
			*(is_source ? &changed.source : &changed.destination) =
				(struct fw_ipt_ways){&ways[i], 1};
			add_setting(&changed, (struct fw_ipt_headers){none, 1});
		}
	}
}

static bool clause_applies(const struct fw_clause *clause, enum fw_family family) {
	return (clause->family == FW_FAMILY_NONE || clause->family == family) &&
	       (clause->hop_limit == 0 || family == FW_IPV6);
}

void fw_ipt_flow(struct fw_ipt *ipt, const struct fw_flow *flow) {
	const struct fw_side *peers = fw_flow_peers(flow);

	if (!fw_ipt_reaches(flow, ipt->family)) {
		return;
	}
	const struct setting setting = {
		.ipt = ipt,
		.flow = flow,
		.source = fw_ipt_side_ways(
			ipt, &flow->source, true, flow->own_ports && peers == &flow->source),
		.destination = fw_ipt_side_ways(ipt, &flow->destination, false,
			flow->own_ports && peers == &flow->destination),
		.levels = fw_ipt_tree_levels(ipt, &flow->source, &flow->destination),
	};
	for (size_t i = 0; i < flow->clause_count; i++) {
		if (clause_applies(&flow->clauses[i], ipt->family)) {
			add_setting(&setting, fw_ipt_clause_headers(ipt, &flow->clauses[i]));
		}
	}
	for (size_t i = 0; flow->own_ports && i < peers->set_count; i++) {
		add_own(&setting, peers->sets[i]);
	}
}
