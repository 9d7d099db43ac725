// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Rules that follow each other and differ in one address, as one rule. A large group is a tree of
 * chains in iptables, each of which narrows its addresses a bit; taken rule by rule, all packets
 * would be cut into as many sets as there are members. Here the tree becomes a list of intervals,
 * without any sets, and then one set for each verdict.
 */

#include "readback/iptables.h"

#include <stdlib.h>
#include <string.h>

enum {
	DEPTH_MAX = 160,   /* of chains in each other: more than an address has bits */
	SEGMENTS_MIN = 16, /* fewer are left as the rules that they are */
	COPIES_MAX = 64,   /* of intervals into the chains above, for each rule */
};

/* What is left of a rule without the address, and what becomes of what it matches. */
struct residue {
	fw_space rest;
	uint32_t chain;
	uint32_t action;
	uint32_t outcome; /* a number for the last two */
};

/* Addresses that meet the same residues, in order. */
struct bundle {
	const uint32_t *residues;
	size_t count;
};

struct segment {
	struct fw_addr low, high;
	uint32_t bundle;
	uint32_t rule; /* the first */
};

struct segments {
	FW_VEC(struct segment) list;
};

enum state { STATE_NONE, STATE_BUSY, STATE_NO, STATE_YES };

/* A chain as intervals of one address. */
struct child {
	enum state state;
	struct segments segments;
};

struct fw_ipt_merger {
	struct child *children[2]; /* by chain; of sources and of destinations */
	size_t chain_count;
	size_t copies; /* intervals that may still be copied */
	struct fw_ipt_pool pool;
	FW_VEC(struct residue) residues;
	FW_VEC(struct bundle) bundles;
	size_t outcome_count;
};

struct fw_ipt_merger *fw_ipt_merger_new(const struct fw_ipt_text *text, struct fw_arena *arena) {
	struct fw_ipt_merger *merger = FW_ARENA_NEW(arena, struct fw_ipt_merger);

	for (size_t i = 0; i < FW_LENGTH(merger->children); i++) {
		merger->children[i] = FW_ARENA_ARRAY(arena, struct child, text->chain_count);
	}
	merger->chain_count = text->chain_count;
	merger->copies = (text->rule_count + 1) * COPIES_MAX;
	merger->pool.arena = arena;
	return merger;
}

void fw_ipt_merger_free(struct fw_ipt_merger *merger) {
	for (size_t i = 0; i < FW_LENGTH(merger->children); i++) {
		for (size_t j = 0; j < merger->chain_count; j++) {
			FW_VEC_FINI(&merger->children[i][j].segments.list);
		}
	}
	fw_ipt_pool_fini(&merger->pool);
	FW_VEC_FINI(&merger->residues);
	FW_VEC_FINI(&merger->bundles);
}

/* ---- rules ---- */

static const struct fw_ipt_side *side_of(const struct fw_ipt_rule *rule, enum fw_var var) {
	return var == FW_VAR_SOURCE ? &rule->source : &rule->destination;
}

static bool may_merge(struct fw_ipt_lowering *lowering, uint32_t chain,
	const struct fw_ipt_rule *rule, enum fw_var var) {
	const struct fw_ipt_side *side = side_of(rule, var);

	return side->asked && !side->inverted && rule->rate == NULL && rule->rewrite == NULL &&
	       rule->guard->original == NULL && rule->guard->unknown == NULL &&
	       rule->action != FW_RB_CONTINUE && fw_ipt_rule_unknown(lowering, chain, rule) == NULL;
}

static size_t run_length(struct fw_ipt_lowering *lowering, uint32_t chain,
	const struct fw_ipt_rule *const *rules, size_t count, enum fw_var var) {
	size_t length = 0;

	while (length < count && may_merge(lowering, chain, rules[length], var)) {
		length++;
	}
	return length;
}

static uint32_t outcome_number(struct fw_ipt_merger *merger, const struct residue *residue) {
	uint32_t key[] = {residue->action, residue->chain};
	struct fw_slice bytes = {(const char *)key, sizeof(key)};
	struct fw_ipt_number *number = fw_ipt_intern_number(&merger->pool, bytes);

	if (number->mark == 0) {
		number->mark = ++merger->outcome_count;
	}
	return (uint32_t)number->mark - 1;
}

static uint32_t residue_of(
	struct fw_ipt_lowering *lowering, const struct fw_ipt_rule *rule, enum fw_var var) {
	struct fw_ipt_merger *merger = lowering->merger;
	enum fw_var other = var == FW_VAR_SOURCE ? FW_VAR_DESTINATION : FW_VAR_SOURCE;
	bool calls = rule->action == FW_RB_JUMP || rule->action == FW_RB_GOTO;
	struct residue residue = {
		.rest = fw_space_intersect(lowering->spaces,
			fw_ipt_guard_space(lowering, rule->guard),
			fw_ipt_side_space(lowering->spaces, other, side_of(rule, other))),
		.chain = calls ? rule->chain : 0,
		.action = (uint32_t)rule->action,
	};
	residue.outcome = outcome_number(merger, &residue);
	struct fw_slice bytes = {(const char *)&residue, sizeof(residue)};
	struct fw_ipt_number *number = fw_ipt_intern_number(&merger->pool, bytes);

	if (number->mark == 0) {
		FW_VEC_ADD(&merger->residues, residue);
		number->mark = merger->residues.count;
	}
	return (uint32_t)number->mark - 1;
}

/* ---- bundles ---- */

struct numbers {
	FW_VEC(uint32_t) list;
};

/* Rules behind one that matches the rest don't matter. False: one of them calls a chain that
 * packets may come back from to the others. */
static bool cut_bundle(const struct fw_ipt_merger *merger, struct numbers *residues) {
	for (size_t i = 0; i < residues->list.count; i++) {
		const struct residue *residue = &merger->residues.items[residues->list.items[i]];
		if (residue->action == FW_RB_JUMP) {
			return i + 1 == residues->list.count;
		}
		if (residue->rest == FW_SPACE_ALL) {
			residues->list.count = i + 1;
		}
	}
	return true;
}

/* The key has a number in front that no residue has, as both are in one pool. */
static uint32_t bundle_of(struct fw_ipt_merger *merger, const struct numbers *residues) {
	size_t count = residues->list.count;
	struct fw_slice bytes = {
		(const char *)residues->list.items, count * sizeof(*residues->list.items)};
	struct fw_buf key FW_AUTO(fw_buf_fini) = {0};

	fw_buf_add_text(&key, "bundle ");
	fw_buf_add_slice(&key, bytes);
	struct fw_ipt_number *number = fw_ipt_intern_number(&merger->pool, fw_buf_slice(&key));
	if (number->mark == 0) {
		struct bundle bundle = {
			fw_ipt_intern(&merger->pool, bytes.data, bytes.length), count};
		FW_VEC_ADD(&merger->bundles, bundle);
		number->mark = merger->bundles.count;
	}
	return (uint32_t)number->mark - 1;
}

/* ---- intervals ---- */

static bool collect(struct fw_ipt_lowering *lowering, const struct fw_ipt_rule *const *rules,
	size_t count, enum fw_var var, bool tail, unsigned depth, struct segments *out);

static struct child *find_child(struct fw_ipt_merger *merger, uint32_t chain, enum fw_var var) {
	return &merger->children[var == FW_VAR_DESTINATION][chain];
}

/* A chain that is nothing but intervals of the address, or NULL. */
static const struct segments *child_of(
	struct fw_ipt_lowering *lowering, uint32_t chain, enum fw_var var, unsigned depth) {
	struct child *child = find_child(lowering->merger, chain, var);
	struct fw_ipt_rules rules = {0};

	if (child->state == STATE_NONE && depth < DEPTH_MAX) {
		child->state = STATE_BUSY;
		fw_ipt_rules_of(lowering->text, chain, &rules);
		bool good = run_length(lowering, chain, rules.list.items, rules.list.count, var) ==
				    rules.list.count &&
			    collect(lowering, rules.list.items, rules.list.count, var, true, depth,
				    &child->segments);
		child->state = good ? STATE_YES : STATE_NO;
		FW_VEC_FINI(&rules.list);
	}
	return child->state == STATE_YES ? &child->segments : NULL;
}

/* What was copied from is of no use to others, and made again if it is. */
static void release_child(struct fw_ipt_lowering *lowering, uint32_t chain, enum fw_var var) {
	struct child *child = find_child(lowering->merger, chain, var);

	if (lowering->text->chains[chain].references == 1 && child->state == STATE_YES) {
		FW_VEC_FINI(&child->segments.list);
		child->state = STATE_NONE;
	}
}

static size_t first_from(const struct segments *segments, struct fw_addr low) {
	size_t from = 0, to = segments->list.count;

	while (from < to) {
		size_t middle = from + (to - from) / 2;
		if (fw_addr_compare(segments->list.items[middle].high, low) < 0) {
			from = middle + 1;
		} else {
			to = middle;
		}
	}
	return from;
}

/* Takes in what a chain below does to a part of the addresses. False: that is too much. */
static bool splice(struct fw_ipt_merger *merger, const struct segments *child, struct fw_addr low,
	struct fw_addr high, struct segments *out) {
	for (size_t i = first_from(child, low); i < child->list.count; i++) {
		struct segment segment = child->list.items[i];
		if (fw_addr_compare(segment.low, high) > 0) {
			break;
		}
		if (merger->copies-- == 0) {
			merger->copies = 0;
			return false;
		}
		segment.low = fw_addr_compare(segment.low, low) < 0 ? low : segment.low;
		segment.high = fw_addr_compare(segment.high, high) > 0 ? high : segment.high;
		FW_VEC_ADD(&out->list, segment);
	}
	return true;
}

/* Whether a bundle that was cut leads to a chain and nothing else. */
static bool leads_on(
	const struct fw_ipt_merger *merger, const struct numbers *residues, uint32_t *out) {
	const struct residue *residue = &merger->residues.items[residues->list.items[0]];

	*out = residue->chain;
	return residue->rest == FW_SPACE_ALL &&
	       (residue->action == FW_RB_GOTO || residue->action == FW_RB_JUMP);
}

/* Addresses that the same rules ask for. */
static bool add_slice(struct fw_ipt_lowering *lowering, const struct fw_ipt_slice *slice,
	uint32_t rule, struct numbers *residues, enum fw_var var, bool tail, unsigned depth,
	struct segments *out) {
	struct fw_ipt_merger *merger = lowering->merger;
	uint32_t chain;

	if (!cut_bundle(merger, residues)) {
		return false;
	}
	if (tail && leads_on(merger, residues, &chain)) {
		const struct segments *child = child_of(lowering, chain, var, depth + 1);
		if (child != NULL) {
			return splice(merger, child, slice->low, slice->high, out);
		}
	}
	FW_VEC_ADD(&out->list,
		(struct segment){slice->low, slice->high, bundle_of(merger, residues), rule});
	return true;
}

static bool collect_slices(struct fw_ipt_lowering *lowering, const struct fw_ipt_rule *const *rules,
	const struct fw_ipt_sweep *sweep, enum fw_var var, bool tail, unsigned depth,
	struct segments *out) {
	struct numbers residues = {0};
	bool good = true;

	for (size_t i = 0; i < sweep->slices.count && good; i++) {
		const struct fw_ipt_slice *slice = &sweep->slices.items[i];
		const uint32_t *items = sweep->items.items + slice->first;
		residues.list.count = 0;
		for (size_t j = 0; j < slice->count; j++) {
			FW_VEC_ADD(&residues.list, residue_of(lowering, rules[items[j]], var));
		}
		uint32_t first = (uint32_t)(rules[items[0]] - lowering->text->rules);
		good = add_slice(lowering, slice, first, &residues, var, tail, depth, out);
	}
	FW_VEC_FINI(&residues.list);
	return good;
}

/* Rules as intervals of an address; `tail`: their chain ends with them. */
static bool collect(struct fw_ipt_lowering *lowering, const struct fw_ipt_rule *const *rules,
	size_t count, enum fw_var var, bool tail, unsigned depth, struct segments *out) {
	struct fw_ipt_sweep sweep FW_AUTO(fw_ipt_sweep_fini) = {0};
	struct fw_ipt_item *items = fw_resize(NULL, count + 1, sizeof(*items));

	for (size_t i = 0; i < count; i++) {
		const struct fw_ipt_side *side = side_of(rules[i], var);
		items[i] = (struct fw_ipt_item){side->low, side->high};
	}
	bool good = fw_ipt_sweep_run(&sweep, items, count) &&
		    collect_slices(lowering, rules, &sweep, var, tail, depth, out);
	free(items);
	if (!good) {
		FW_VEC_FINI(&out->list);
		return false;
	}
	for (size_t i = 0; i < count && tail; i++) {
		if (rules[i]->action == FW_RB_GOTO || rules[i]->action == FW_RB_JUMP) {
			release_child(lowering, rules[i]->chain, var);
		}
	}
	return true;
}

/* ---- one rule for many ---- */

/* What becomes of packets, and all sets of such packets. */
struct outcome {
	enum fw_rb_action action;
	uint32_t chain;
	FW_VEC(fw_space) sets;
};

struct outcomes {
	FW_VEC(struct outcome) list;
	size_t *numbers; /* + 1, by the number of residues */
};

static struct outcome *outcome_of(struct outcomes *outcomes, const struct residue *residue) {
	size_t *number = &outcomes->numbers[residue->outcome];

	if (*number == 0) {
		FW_VEC_ADD(&outcomes->list, (struct outcome){
						    .action = (enum fw_rb_action)residue->action,
						    .chain = residue->chain,
					    });
		*number = outcomes->list.count;
	}
	return &outcomes->list.items[*number - 1];
}

/* Parts the packets with these addresses among the outcomes; residues of one outcome that follow
 * each other at once. */
static void part(struct fw_ipt_lowering *lowering, const struct bundle *bundle, fw_space set,
	struct outcomes *outcomes) {
	struct fw_ipt_merger *merger = lowering->merger;
	FW_VEC(fw_space) rests = {0};

	for (size_t i = 0; i < bundle->count && set != FW_SPACE_EMPTY;) {
		const struct residue *first = &merger->residues.items[bundle->residues[i]];
		rests.count = 0;
		for (; i < bundle->count; i++) {
			const struct residue *residue =
				&merger->residues.items[bundle->residues[i]];
			if (residue->outcome != first->outcome) {
				break;
			}
			FW_VEC_ADD(&rests, residue->rest);
		}
		fw_space rest = fw_space_union_all(lowering->spaces, rests.items, rests.count);
		fw_space hit = fw_space_intersect(lowering->spaces, set, rest);
		set = fw_space_subtract(lowering->spaces, set, rest);
		if (hit != FW_SPACE_EMPTY) {
			struct outcome *outcome = outcome_of(outcomes, first);
			FW_VEC_ADD(&outcome->sets, hit);
		}
	}
	FW_VEC_FINI(&rests);
}

static int compare_by_bundle(const void *left, const void *right) {
	const struct segment *a = left, *b = right;

	if (a->bundle != b->bundle) {
		return a->bundle < b->bundle ? -1 : 1;
	}
	return fw_addr_compare(a->low, b->low);
}

/* Sorts the segments by bundle, and makes a set of each bundle's addresses. */
static void part_all(struct fw_ipt_lowering *lowering, struct segments *segments, enum fw_var var,
	struct outcomes *outcomes) {
	struct segment *items = segments->list.items;
	size_t count = segments->list.count;
	FW_VEC(struct fw_case) cases = {0};

	qsort(items, count, sizeof(*items), compare_by_bundle);
	for (size_t i = 0; i < count;) {
		uint32_t bundle = items[i].bundle;
		cases.count = 0;
		for (; i < count && items[i].bundle == bundle; i++) {
			FW_VEC_ADD(&cases,
				(struct fw_case){items[i].low, items[i].high, FW_SPACE_ALL});
		}
		fw_space set = fw_space_cases(lowering->spaces, var, cases.items, cases.count);
		part(lowering, &lowering->merger->bundles.items[bundle], set, outcomes);
	}
	FW_VEC_FINI(&cases);
}

static void make_cases(
	struct fw_ipt_lowering *lowering, const struct outcomes *outcomes, struct fw_rb_rule *out) {
	size_t count = outcomes->list.count;
	struct fw_rb_case *cases = FW_ARENA_ARRAY(lowering->arena, struct fw_rb_case, count);

	for (size_t i = 0; i < count; i++) {
		const struct outcome *outcome = &outcomes->list.items[i];
		bool calls = outcome->action == FW_RB_JUMP || outcome->action == FW_RB_GOTO;
		cases[i] = (struct fw_rb_case){
			.set = fw_space_union_all(
				lowering->spaces, outcome->sets.items, outcome->sets.count),
			.action = outcome->action,
			.chain = calls ? fw_ipt_call(lowering, outcome->chain) : 0,
		};
	}
	out->cases = cases;
	out->case_count = count;
}

/* Which rule it is for which address; the place of all is that of the first. */
static void make_place(struct fw_ipt_lowering *lowering, const struct fw_ipt_rule *first,
	const struct segments *segments, enum fw_var var, struct fw_rb_rule *out) {
	size_t count = segments->list.count;
	struct fw_place_index *index = FW_ARENA_NEW(lowering->arena, struct fw_place_index);
	struct fw_spot *spots = FW_ARENA_ARRAY(lowering->arena, struct fw_spot, count);

	for (size_t i = 0; i < count; i++) {
		const struct segment *segment = &segments->list.items[i];
		const struct fw_ipt_rule *rule = &lowering->text->rules[segment->rule];
		spots[i] = (struct fw_spot){
			segment->low, segment->high, rule->line, rule->start, rule->end};
	}
	*index = (struct fw_place_index){var, spots, count};
	out->place = fw_ipt_place(
		lowering->arena, lowering->text->source, first->line, first->start, first->end);
	out->place.index = index;
}

static void make_rule(struct fw_ipt_lowering *lowering, const struct fw_ipt_rule *first,
	struct segments *segments, enum fw_var var, struct fw_rb_rule *out) {
	struct outcomes outcomes = {
		.numbers = fw_alloc((lowering->merger->outcome_count + 1) * sizeof(size_t))};

	*out = (struct fw_rb_rule){.match = FW_SPACE_ALL, .action = FW_RB_CASES};
	make_place(lowering, first, segments, var, out);
	part_all(lowering, segments, var, &outcomes);
	make_cases(lowering, &outcomes, out);
	for (size_t i = 0; i < outcomes.list.count; i++) {
		FW_VEC_FINI(&outcomes.list.items[i].sets);
	}
	FW_VEC_FINI(&outcomes.list);
	free(outcomes.numbers);
}

/* Rules that all ask for an address, as one; false: they are few, or not of a kind. */
static bool merge_run(struct fw_ipt_lowering *lowering, const struct fw_ipt_rule *const *rules,
	size_t length, enum fw_var var, bool tail, struct fw_rb_rule *out) {
	struct segments segments = {0};
	bool good = length != 0 && collect(lowering, rules, length, var, tail, 0, &segments) &&
		    segments.list.count >= SEGMENTS_MIN;

	if (good) {
		make_rule(lowering, rules[0], &segments, var, out);
	}
	FW_VEC_FINI(&segments.list);
	return good;
}

bool fw_ipt_merge(struct fw_ipt_lowering *lowering, uint32_t chain,
	const struct fw_ipt_rule *const *rules, size_t count, size_t *out_length,
	struct fw_rb_rule *out) {
	enum fw_var first = FW_VAR_DESTINATION, second = FW_VAR_SOURCE;
	size_t longer = run_length(lowering, chain, rules, count, first);
	size_t shorter = run_length(lowering, chain, rules, count, second);

	if (longer < shorter) {
		size_t length = longer;
		longer = shorter;
		shorter = length;
		first = FW_VAR_SOURCE;
		second = FW_VAR_DESTINATION;
	}
	*out_length = longer != 0 ? longer : 1;
	if (merge_run(lowering, rules, longer, first, longer == count, out)) {
		return true;
	}
	if (merge_run(lowering, rules, shorter, second, shorter == count, out)) {
		*out_length = shorter;
		return true;
	}
	return false;
}
