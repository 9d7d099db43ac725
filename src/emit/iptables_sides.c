// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The two ends of a rule: the ways to be on a side, what a rule asks of it, and what stands between
 * the rule and its target. So for the rules of flows and for those of a translation.
 */

#include "emit/iptables.h"

enum {
	/* Chains that nf_tables follows from a hook's own chain on (NFT_JUMP_STACK_SIZE - 1), but
	 * for that of the hook and that of the service. */
	LEVELS = 13,
};

/* ---- ways ---- */

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
static void add_way(const struct fw_ipt *ipt, struct fw_ipt_ways *ways, const struct fw_set *set,
	enum fw_ipt_part part, bool is_source) {
	size_t count = part_count(ipt, set, part);
	enum fw_ipt_way_kind kind = ipt->ipset ? FW_IPT_WAY_SET : FW_IPT_WAY_CHAIN;

	if (count == 1 && (set->literal || !ipt->ipset)) {
		kind = FW_IPT_WAY_RANGE;
	}
	if (count != 0) {
		ways->items[ways->count++] = (struct fw_ipt_way){kind, {set, part, is_source}};
	}
}

struct fw_ipt_ways fw_ipt_side_ways(
	const struct fw_ipt *ipt, const struct fw_side *side, bool is_source, bool plain) {
	struct fw_ipt_ways ways = {
		FW_ARENA_ARRAY(ipt->arena, struct fw_ipt_way, 2 * side->set_count + 1), 0};
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
		ways.items[ways.count++] = (struct fw_ipt_way){.kind = FW_IPT_WAY_ANY};
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
unsigned fw_ipt_tree_levels(
	const struct fw_ipt *ipt, const struct fw_side *source, const struct fw_side *destination) {
	struct stages stages = {0};

	count_side(ipt, source, &stages);
	count_side(ipt, destination, &stages);
	return stages.trees != 0 ? (LEVELS - stages.chains) / stages.trees : 0;
}

/* ---- drafts ---- */

static void add_matches(const struct fw_ipt *ipt, struct fw_ipt_draft *draft, const char *matches) {
	const char *before = draft->rule.matches;
	draft->rule.matches =
		fw_arena_printf(ipt->arena, "%s%s", before != NULL ? before : "", matches);
}

/* Ipsets are asked in the rule itself, chains on the way to the target. */
static void add_exception(
	struct fw_ipt *ipt, struct fw_ipt_draft *draft, struct fw_ipt_part_of of, unsigned levels) {
	if (part_count(ipt, of.set, of.part) == 0) {
		return;
	}
	if (ipt->ipset) {
		add_matches(ipt, draft,
			fw_arena_printf(ipt->arena, " -m set ! %s", fw_ipt_set(ipt, of)));
	} else {
		draft->target = fw_ipt_members(ipt, of, true, draft->target, levels);
	}
}

void fw_ipt_add_exceptions(struct fw_ipt *ipt, struct fw_ipt_draft *draft, const struct fw_set *set,
	bool is_source, unsigned levels) {
	if (set != NULL) {
		add_exception(
			ipt, draft, (struct fw_ipt_part_of){set, FW_IPT_OWN, is_source}, levels);
		add_exception(
			ipt, draft, (struct fw_ipt_part_of){set, FW_IPT_PLAIN, is_source}, levels);
	}
}

void fw_ipt_add_side(struct fw_ipt *ipt, struct fw_ipt_draft *draft, const struct fw_ipt_way *way,
	unsigned levels) {
	size_t count;

	switch (way->kind) {
	case FW_IPT_WAY_ANY:
		break;
	case FW_IPT_WAY_RANGE:
		*(way->of.source ? &draft->rule.source : &draft->rule.destination) =
			&members_of(ipt, &way->of, &count)->range;
		break;
	case FW_IPT_WAY_SET:
		add_matches(ipt, draft,
			fw_arena_printf(ipt->arena, " -m set %s", fw_ipt_set(ipt, way->of)));
		break;
	case FW_IPT_WAY_CHAIN:
		draft->target = fw_ipt_members(ipt, way->of, false, draft->target, levels);
		break;
	}
}

/* The names, or one that is NULL where any interface will do. */
static struct fw_names each_name(const struct fw_names *names) {
	static const char *const any[] = {NULL};

	return names->count != 0 ? *names : (struct fw_names){any, 1};
}

void fw_ipt_add_rules(const struct fw_ipt *ipt, struct fw_ipt_draft *draft,
	const struct fw_names *in_interfaces, const struct fw_names *out_interfaces,
	struct fw_ipt_headers headers) {
	const struct fw_names in = each_name(in_interfaces);
	const struct fw_names out = each_name(out_interfaces);

	draft->rule.target = fw_ipt_jump(ipt, draft->target);
	for (size_t i = 0; i < headers.count; i++) {
		draft->rule.header = headers.items[i];
		for (size_t j = 0; j < in.count * out.count; j++) {
			draft->rule.in = in.items[j / out.count];
			draft->rule.out = out.items[j % out.count];
			fw_ipt_add_rule(ipt->rules, &draft->rule);
		}
	}
}
