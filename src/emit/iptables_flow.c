// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Flows to rules in the chains of hooks. A flow becomes one rule for each interface, each part of a
 * set on each side and each header; never one for each endpoint of a group.
 */

#include <string.h>

#include "emit/common.h"
#include "emit/iptables.h"

enum {
	/* Chains that nf_tables follows from a hook's own chain on (NFT_JUMP_STACK_SIZE - 1), but
	 * for that of the hook and that of the service. */
	LEVELS = 13,
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

/* ---- sides ---- */

enum way_kind {
	WAY_ANY,   /* any address */
	WAY_RANGE, /* the one member there is */
	WAY_SET,   /* an ipset */
	WAY_CHAIN,
};

/* One way to be on a side. */
struct way {
	enum way_kind kind;
	struct fw_ipt_part_of of;
};

struct ways {
	struct way *items;
	size_t count;
};

static const struct fw_endpoint *members_of(
	const struct fw_ipt *ipt, const struct fw_ipt_part_of *of, size_t *out_count) {
	return fw_ipt_part(&of->set->members[ipt->family], of->part, out_count);
}

static size_t part_count(
	const struct fw_ipt *ipt, const struct fw_set *set, enum fw_ipt_part part) {
	size_t count;
	members_of(ipt, &(struct fw_ipt_part_of){set, part, false}, &count);
	return count;
}

/* Nothing where the part is empty. */
static void add_way(const struct fw_ipt *ipt, struct ways *ways, const struct fw_set *set,
	enum fw_ipt_part part, bool is_source) {
	size_t count = part_count(ipt, set, part);
	enum way_kind kind = ipt->ipset ? WAY_SET : WAY_CHAIN;

	if (count == 1 && (set->literal || !ipt->ipset)) {
		kind = WAY_RANGE;
	}
	if (count != 0) {
		ways->items[ways->count++] = (struct way){kind, {set, part, is_source}};
	}
}

/* With `plain`, only members without ports of their own. */
static struct ways side_ways(
	const struct fw_ipt *ipt, const struct fw_side *side, bool is_source, bool plain) {
	struct ways ways = {FW_ARENA_ARRAY(ipt->arena, struct way, 2 * side->set_count + 1), 0};
	bool any = side->set_count == 0;

	for (size_t i = 0; i < side->set_count && !any; i++) {
		any = fw_ipt_covers_all(side->sets[i], ipt->family, plain);
	}
	for (size_t i = 0; i < side->set_count && !any; i++) {
		add_way(ipt, &ways, side->sets[i], FW_IPT_PLAIN, is_source);
		if (!plain) {
			add_way(ipt, &ways, side->sets[i], FW_IPT_OWN, is_source);
		}
	}
	if (any) {
		ways.items[ways.count++] = (struct way){.kind = WAY_ANY};
	}
	return ways;
}

/* ---- the depth of trees ---- */

struct stages {
	unsigned chains, trees; /* that a packet may go through one after the other */
};

static void count_stage(struct stages *stages, size_t members) {
	stages->chains += members != 0;
	stages->trees += members > FW_IPT_FLAT_MAX;
}

/* Sets of a side are ways beside each other; an exception comes after them, part by part. */
static void count_side(
	const struct fw_ipt *ipt, const struct fw_side *side, struct stages *stages) {
	size_t most = 0;
	for (size_t i = 0; i < side->set_count; i++) {
		size_t members = side->sets[i]->members[ipt->family].count;
		most = members > most ? members : most;
	}
	count_stage(stages, most);
	if (side->except != NULL) {
		count_stage(stages, part_count(ipt, side->except, FW_IPT_PLAIN));
		count_stage(stages, part_count(ipt, side->except, FW_IPT_OWN));
	}
}

/* Trees share what the other chains leave. */
static unsigned tree_levels(const struct fw_ipt *ipt, const struct fw_flow *flow) {
	struct stages stages = {0};

	count_side(ipt, &flow->source, &stages);
	count_side(ipt, &flow->destination, &stages);
	return stages.trees != 0 ? (LEVELS - stages.chains) / stages.trees : 0;
}

/* ---- one flow ---- */

struct setting {
	struct fw_ipt *ipt;
	const struct fw_flow *flow;
	struct ways source, destination;
	unsigned levels; /* of a tree */
};

/* A rule under way: what it asks for so far, and what comes behind that. */
struct draft {
	struct fw_ipt_rule rule;
	struct fw_ipt_target target;
};

static void add_matches(const struct fw_ipt *ipt, struct draft *draft, const char *matches) {
	const char *before = draft->rule.matches;
	draft->rule.matches =
		fw_arena_printf(ipt->arena, "%s%s", before != NULL ? before : "", matches);
}

/* Ipsets are asked in the rule itself, chains on the way to the target. */
static void add_exception(
	const struct setting *setting, struct draft *draft, struct fw_ipt_part_of of) {
	struct fw_ipt *ipt = setting->ipt;

	if (part_count(ipt, of.set, of.part) == 0) {
		return;
	}
	if (ipt->ipset) {
		add_matches(ipt, draft,
			fw_arena_printf(ipt->arena, " -m set ! %s", fw_ipt_set(ipt, of)));
	} else {
		draft->target = fw_ipt_members(ipt, of, true, draft->target, setting->levels);
	}
}

static void add_side(const struct setting *setting, struct draft *draft, const struct way *way) {
	struct fw_ipt *ipt = setting->ipt;
	size_t count;

	switch (way->kind) {
	case WAY_ANY:
		break;
	case WAY_RANGE:
		*(way->of.source ? &draft->rule.source : &draft->rule.destination) =
			&members_of(ipt, &way->of, &count)->range;
		break;
	case WAY_SET:
		add_matches(ipt, draft,
			fw_arena_printf(ipt->arena, " -m set %s", fw_ipt_set(ipt, way->of)));
		break;
	case WAY_CHAIN:
		draft->target = fw_ipt_members(ipt, way->of, false, draft->target, setting->levels);
		break;
	}
}

static void add_exceptions(const struct setting *setting, struct draft *draft,
	const struct fw_set *set, bool is_source) {
	if (set != NULL) {
		add_exception(setting, draft, (struct fw_ipt_part_of){set, FW_IPT_OWN, is_source});
		add_exception(
			setting, draft, (struct fw_ipt_part_of){set, FW_IPT_PLAIN, is_source});
	}
}

/* The names, or one that is NULL where any interface will do. */
static struct fw_names each_name(const struct fw_names *names) {
	static const char *const any[] = {NULL};

	return names->count != 0 ? *names : (struct fw_names){any, 1};
}

/* One rule for each pair of interfaces and header. */
static void add_rules(
	const struct setting *setting, struct draft *draft, struct fw_ipt_headers headers) {
	const struct fw_flow *flow = setting->flow;
	const struct fw_names in = each_name(&flow->in_interfaces);
	const struct fw_names out = each_name(&flow->out_interfaces);

	draft->rule.target = fw_ipt_jump(setting->ipt, draft->target);
	for (size_t i = 0; i < headers.count; i++) {
		draft->rule.header = headers.items[i];
		for (size_t j = 0; j < in.count * out.count; j++) {
			draft->rule.in = in.items[j / out.count];
			draft->rule.out = out.items[j % out.count];
			fw_ipt_add_rule(setting->ipt->rules, &draft->rule);
		}
	}
}

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
			struct draft draft = {
				.rule = {.chain = fw_ipt_hook_chains[flow->hook],
					.comment = flow->service},
				.target = service_target(ipt, flow),
			};
			add_heading(ipt, flow);
			add_exceptions(setting, &draft, flow->destination.except, false);
			add_exceptions(setting, &draft, flow->source.except, true);
			add_side(setting, &draft, &setting->destination.items[d]);
			add_side(setting, &draft, &setting->source.items[s]);
			add_rules(setting, &draft, headers);
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
	const struct fw_endpoint *members = members_of(ipt, &of, &count);
	wide = count;
	if (ipt->ipset) {
		fw_ipt_wide(ipt, members, &wide);
	}

	struct way ways[] = {{WAY_SET, of}, {WAY_CHAIN, of}};
	const bool met[] = {wide < count, wide != 0};
	for (size_t i = 0; i < FW_LENGTH(ways); i++) {
		if (met[i]) {
			struct setting changed = *setting;
			*(is_source ? &changed.source : &changed.destination) =
				(struct ways){&ways[i], 1};
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
		.source = side_ways(
			ipt, &flow->source, true, flow->own_ports && peers == &flow->source),
		.destination = side_ways(ipt, &flow->destination, false,
			flow->own_ports && peers == &flow->destination),
		.levels = tree_levels(ipt, flow),
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
