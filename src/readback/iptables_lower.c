// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tables and rules of iptables as a program of sets: what a rule asks for, where the kernel calls
 * its chains, and in which order. Only chains that are called are looked at.
 */

#include "readback/iptables.h"

#include <stdlib.h>
#include <string.h>

enum {
	CLONES_MAX = 4096,
	DOUBTS_MAX = 512, /* rules that perhaps match; what is said of more would be told no more */
};

/* ---- what is asked for ---- */

static fw_space range(struct fw_spaces *spaces, enum fw_var var, uint64_t low, uint64_t high) {
	return fw_space_interval(spaces, var, fw_value(low), fw_value(high));
}

static fw_space values_space(
	struct fw_spaces *spaces, enum fw_var var, const struct fw_ipt_cond *cond) {
	const struct fw_interval *intervals = cond->data;
	fw_space set = FW_SPACE_EMPTY;

	for (size_t i = 0; i < cond->count; i++) {
		set = fw_space_union(spaces, set,
			fw_space_interval(spaces, var, intervals[i].low, intervals[i].high));
	}
	return set;
}

static fw_space states_space(struct fw_spaces *spaces, const struct fw_ipt_cond *cond) {
	fw_space set = FW_SPACE_EMPTY;

	for (unsigned i = FW_TRACKING_NEW; i < FW_TRACKING_COUNT; i++) {
		if ((cond->numbers[0] >> i & 1) != 0) {
			set = fw_space_union(spaces, set, range(spaces, FW_VAR_TRACKING, i, i));
		}
	}
	if (cond->numbers[1] != 0) {
		set = fw_space_union(spaces, set, range(spaces, FW_VAR_TRANSLATED, 1, 1));
	}
	return set;
}

/* The first of the names that is not before this one. */
static size_t first_name(const struct fw_rb_interfaces *interfaces, const char *name) {
	size_t from = 0, to = interfaces->count;

	while (from < to) {
		size_t middle = from + (to - from) / 2;
		if (strcmp(interfaces->names[middle], name) < 0) {
			from = middle + 1;
		} else {
			to = middle;
		}
	}
	return from;
}

/* A name with a star at its end stands for all interfaces that begin so and have no number. Names
 * that begin alike follow each other. */
static fw_space interface_space(struct fw_spaces *spaces, enum fw_var var,
	const struct fw_rb_interfaces *interfaces, const struct fw_ipt_cond *cond) {
	const char *name = cond->data;
	bool open = cond->numbers[0] != 0;
	size_t compared = strlen(name) + !open; /* its end too, if it is whole */
	size_t first = first_name(interfaces, name), end = first;
	fw_space set = FW_SPACE_EMPTY;

	while (end < interfaces->count && strncmp(interfaces->names[end], name, compared) == 0) {
		end++;
	}
	if (end != first) {
		set = range(spaces, var, first + 2, end + 1);
	}
	return strncmp("lo", name, compared) == 0
		       ? fw_space_union(spaces, set, range(spaces, var, 1, 1))
		       : set;
}

static fw_space set_space(const struct fw_ipt_lowering *lowering, const struct fw_ipt_cond *cond) {
	const struct fw_ipt_sets *sets = lowering->text->sets;
	const struct fw_ipt_set *set = sets == NULL ? NULL : fw_ipt_sets_find(sets, cond->data);

	if (set == NULL || !fw_ipt_set_is_bounded(sets, set)) {
		return FW_SPACE_ALL;
	}
	return fw_ipt_set_space(lowering->spaces, sets, set, lowering->text->family,
		cond->numbers[0], cond->numbers[1]);
}

static fw_space cond_space(const struct fw_ipt_lowering *lowering, const struct fw_ipt_cond *cond) {
	struct fw_spaces *spaces = lowering->spaces;

	switch ((enum fw_ipt_kind)cond->kind) {
	case FW_IPT_VALUES:
		return values_space(spaces, (enum fw_var)cond->var, cond);
	case FW_IPT_PORTS:
		return fw_space_union(spaces, values_space(spaces, FW_VAR_SOURCE_PORT, cond),
			values_space(spaces, FW_VAR_PORT, cond));
	case FW_IPT_ICMP:
		return fw_space_intersect(spaces,
			range(spaces, FW_VAR_SOURCE_PORT, cond->numbers[0], cond->numbers[1]),
			range(spaces, FW_VAR_PORT, cond->numbers[2], cond->numbers[3]));
	case FW_IPT_FLAGS:
		return fw_space_masked(spaces, FW_VAR_FLAGS, (uint16_t)cond->numbers[0],
			(uint16_t)cond->numbers[1]);
	case FW_IPT_STATES:
		return states_space(spaces, cond);
	case FW_IPT_IN:
		return interface_space(spaces, FW_VAR_IN, lowering->interfaces, cond);
	case FW_IPT_OUT:
		return interface_space(spaces, FW_VAR_OUT, lowering->interfaces, cond);
	case FW_IPT_SET:
		return set_space(lowering, cond);
	case FW_IPT_TYPE:
		return fw_ipt_type_space(lowering, cond);
	case FW_IPT_NEVER:
		return FW_SPACE_EMPTY;
	case FW_IPT_NONE:
	case FW_IPT_ORIGINAL:
	case FW_IPT_UNKNOWN:
		break;
	}
	return FW_SPACE_ALL;
}

/* Whether a condition holds for nothing beyond its set. */
static bool is_within_set(const struct fw_ipt_lowering *lowering, const struct fw_ipt_cond *cond) {
	const struct fw_ipt_sets *sets = lowering->text->sets;
	const struct fw_ipt_set *set;

	switch ((enum fw_ipt_kind)cond->kind) {
	case FW_IPT_UNKNOWN:
	case FW_IPT_ORIGINAL:
		return false;
	case FW_IPT_SET:
		set = sets == NULL ? NULL : fw_ipt_sets_find(sets, cond->data);
		return set != NULL && (cond->inverted != 0 ? fw_ipt_set_unknown(sets, set) == NULL
							   : fw_ipt_set_is_bounded(sets, set));
	default:
		return true;
	}
}

fw_space fw_ipt_guard_space(struct fw_ipt_lowering *lowering, const struct fw_ipt_guard *guard) {
	fw_space *known = &lowering->guards[guard->index];
	fw_space set = FW_SPACE_ALL;

	if (lowering->guards_made[guard->index]) {
		return *known;
	}
	for (size_t i = guard->count; i > 0; i--) {
		const struct fw_ipt_cond *cond = &guard->conds[i - 1];
		if (!is_within_set(lowering, cond)) {
			continue;
		}
		fw_space one = cond_space(lowering, cond);
		if (cond->inverted != 0) {
			one = fw_space_complement(lowering->spaces, one);
		}
		set = fw_space_intersect(lowering->spaces, set, one);
	}
	lowering->guards_made[guard->index] = true;
	*known = set;
	return set;
}

fw_space fw_ipt_side_space(
	struct fw_spaces *spaces, enum fw_var var, const struct fw_ipt_side *side) {
	if (!side->asked) {
		return FW_SPACE_ALL;
	}
	fw_space set = fw_space_interval(spaces, var, side->low, side->high);
	return side->inverted ? fw_space_complement(spaces, set) : set;
}

static fw_space match_space(struct fw_ipt_lowering *lowering, const struct fw_ipt_rule *rule) {
	struct fw_spaces *spaces = lowering->spaces;
	fw_space set = fw_ipt_guard_space(lowering, rule->guard);

	set = fw_space_intersect(
		spaces, set, fw_ipt_side_space(spaces, FW_VAR_DESTINATION, &rule->destination));
	return fw_space_intersect(
		spaces, set, fw_ipt_side_space(spaces, FW_VAR_SOURCE, &rule->source));
}

const char *fw_ipt_rule_unknown(
	const struct fw_ipt_lowering *lowering, uint32_t chain, const struct fw_ipt_rule *rule) {
	if (rule->unknown != NULL) {
		return rule->unknown;
	}
	if (rule->action == FW_RB_CONTINUE) {
		return NULL;
	}
	/* Kernels differ in whether there is one. */
	return lowering->behind[chain] && rule->guard->asks_in ? "an in-interface behind routing"
							       : NULL;
}

/* ---- chains that are called ---- */

/* A chain, and which first destination the packets had that come there; NULL: any. */
struct lowered {
	uint32_t chain;
	const struct fw_range *original;
};

struct fw_ipt_lowered {
	FW_VEC(struct lowered) list;	    /* by number in the program */
	FW_VEC(struct fw_rb_chain) program; /* likewise */
	size_t *plain;			    /* number + 1 by chain, for any destination */
	size_t clones, doubts;
};

static bool is_own(const char *name) {
	return strncmp(name, "FLOWFW-", strlen("FLOWFW-")) == 0;
}

static size_t add_chain(
	struct fw_ipt_lowering *lowering, uint32_t index, const struct fw_range *original) {
	const struct fw_ipt_chain *chain = &lowering->text->chains[index];
	struct fw_ipt_lowered *chains = lowering->chains;
	struct fw_place place = fw_ipt_place(
		lowering->arena, lowering->text->source, chain->line, chain->start, chain->end);

	FW_VEC_ADD(&chains->list, (struct lowered){index, original});
	FW_VEC_ADD(&chains->program, (struct fw_rb_chain){
					     .drops = chain->drops,
					     .foreign = !is_own(chain->name),
					     .place = place,
				     });
	return chains->list.count - 1;
}

size_t fw_ipt_call(struct fw_ipt_lowering *lowering, uint32_t chain) {
	size_t *plain = &lowering->chains->plain[chain];

	if (*plain == 0) {
		*plain = add_chain(lowering, chain, NULL) + 1;
	}
	return *plain - 1;
}

/* With an original destination, a copy of the chain for just that one. False: there are too many.
 */
static bool call_for(struct fw_ipt_lowering *lowering, uint32_t chain,
	const struct fw_range *original, size_t *out) {
	struct fw_ipt_lowered *chains = lowering->chains;

	if (original == NULL) {
		*out = fw_ipt_call(lowering, chain);
		return true;
	}
	for (size_t i = 0; i < chains->list.count && chains->clones != 0; i++) {
		if (chains->list.items[i].chain == chain &&
			chains->list.items[i].original == original) {
			*out = i;
			return true;
		}
	}
	if (chains->clones == CLONES_MAX) {
		return false;
	}
	chains->clones++;
	*out = add_chain(lowering, chain, original);
	return true;
}

/* ---- rules ---- */

struct rule_list {
	FW_VEC(struct fw_rb_rule) list;
};

/* A rule that asks for a destination before translation, or whose chain is called so, can
 * translate the source or call a chain. NULL: it can. */
static const char *set_original(
	const struct lowered *at, const struct fw_ipt_rule *rule, struct fw_rb_rule *out) {
	const struct fw_range *original =
		rule->guard->original != NULL ? rule->guard->original : at->original;

	if (original == NULL) {
		return NULL;
	}
	if (at->original != NULL && original != at->original) {
		return "two destinations before translation";
	}
	if (rule->action == FW_RB_REWRITE && rule->rewrite->source) {
		out->rewrite.originals = original;
		out->rewrite.original_count = 1;
		return NULL;
	}
	if (rule->action == FW_RB_JUMP || rule->action == FW_RB_GOTO ||
		(rule->action == FW_RB_RETURN && rule->guard->original == NULL)) {
		return NULL;
	}
	return "a verdict by the destination before translation";
}

static void set_rate(const struct fw_ipt_lowering *lowering, const struct fw_ipt_rule *rule,
	struct fw_rb_rule *out) {
	if (rule->rate == NULL) {
		return;
	}
	out->rate = rule->rate->rate;
	out->over = rule->rate->over;
	/* A rule's own bucket has a number that no shared one has. */
	out->bucket = rule->rate->bucket != 0 ? rule->rate->bucket
					      : SIZE_MAX - (size_t)(rule - lowering->text->rules);
}

/* What is asked for and not understood leaves a rule that perhaps matches, if nothing else is odd
 * about it. */
static void set_doubt(struct fw_ipt_lowering *lowering, const struct lowered *at,
	const struct fw_ipt_rule *rule, struct fw_rb_rule *out) {
	bool odd = rule->rate != NULL || rule->guard->original != NULL || at->original != NULL;

	if (rule->action == FW_RB_CONTINUE || rule->guard->unknown == NULL) {
		return;
	}
	if (odd || lowering->chains->doubts++ >= DOUBTS_MAX) {
		out->unknown = rule->guard->unknown;
	} else {
		out->perhaps = rule->guard->unknown;
	}
}

static void lower_rule(struct fw_ipt_lowering *lowering, struct lowered at,
	const struct fw_ipt_rule *rule, struct rule_list *out) {
	struct fw_rb_rule lowered = {
		.match = match_space(lowering, rule),
		.unknown = fw_ipt_rule_unknown(lowering, at.chain, rule),
		.action = rule->action,
		.place = fw_ipt_place(lowering->arena, lowering->text->source, rule->line,
			rule->start, rule->end),
	};

	if (lowered.unknown == NULL) {
		set_doubt(lowering, &at, rule, &lowered);
	}
	if (lowered.unknown == NULL) {
		if (rule->rewrite != NULL) {
			lowered.rewrite = *rule->rewrite;
		}
		set_rate(lowering, rule, &lowered);
		lowered.unknown = set_original(&at, rule, &lowered);
	}
	bool calls = rule->action == FW_RB_JUMP || rule->action == FW_RB_GOTO;
	if (lowered.unknown == NULL && calls) {
		const struct fw_range *original =
			rule->guard->original != NULL ? rule->guard->original : at.original;
		if (!call_for(lowering, rule->chain, original, &lowered.chain)) {
			lowered.unknown = "too many destinations before translation";
		}
	}
	FW_VEC_ADD(&out->list, lowered);
}

static void lower_chain(struct fw_ipt_lowering *lowering, size_t number) {
	struct lowered at = lowering->chains->list.items[number];
	struct fw_ipt_rules rules = {0};
	struct rule_list lowered = {0};

	fw_ipt_rules_of(lowering->text, at.chain, &rules);
	for (size_t i = 0; i < rules.list.count && !lowering->spaces->exhausted;) {
		struct fw_rb_rule merged;
		size_t length = 1;
		if (at.original == NULL && fw_ipt_merge(lowering, at.chain, rules.list.items + i,
						   rules.list.count - i, &length, &merged)) {
			FW_VEC_ADD(&lowered.list, merged);
			i += length;
			continue;
		}
		for (; length != 0; length--) {
			lower_rule(lowering, at, rules.list.items[i++], &lowered);
		}
	}
	struct fw_rb_rule *kept =
		FW_ARENA_ARRAY(lowering->arena, struct fw_rb_rule, lowered.list.count);
	for (size_t i = 0; i < lowered.list.count; i++) {
		kept[i] = lowered.list.items[i];
	}
	struct fw_rb_chain *chain = &lowering->chains->program.items[number];
	chain->rules = kept;
	chain->rule_count = lowered.list.count;
	FW_VEC_FINI(&lowered.list);
	FW_VEC_FINI(&rules.list);
}

void fw_ipt_rules_of(const struct fw_ipt_text *text, uint32_t chain, struct fw_ipt_rules *out) {
	out->list.count = 0;
	for (uint32_t i = text->chains[chain].first; i != FW_IPT_NO_RULE; i = text->rules[i].next) {
		const struct fw_ipt_rule *rule = &text->rules[i];
		if (rule->action != FW_RB_CONTINUE || rule->unknown != NULL) {
			FW_VEC_ADD(&out->list, rule);
		}
	}
}

/* ---- chains that the kernel calls ---- */

static void place_base(const struct fw_ipt_chain *chain, struct fw_rb_chain *base) {
	static const int priorities[FW_IPT_TABLE_COUNT] = {
		[FW_IPT_RAW] = -300,
		[FW_IPT_MANGLE] = -150,
		[FW_IPT_NAT] = -100,
		[FW_IPT_FILTER] = 0,
		[FW_IPT_SECURITY] = 50,
	};
	static const enum fw_rb_hook hooks[FW_IPT_BASE_COUNT] = {
		[FW_IPT_INPUT] = FW_RB_INPUT,
		[FW_IPT_FORWARD] = FW_RB_FORWARD,
		[FW_IPT_OUTPUT] = FW_RB_OUTPUT,
	};

	base->priority = priorities[chain->table];
	if (chain->table == FW_IPT_NAT) {
		base->nat = true;
		base->source = chain->base == FW_IPT_INPUT || chain->base == FW_IPT_POSTROUTING;
		base->local = chain->base == FW_IPT_INPUT || chain->base == FW_IPT_OUTPUT;
		base->priority = base->source ? -base->priority : base->priority;
		return;
	}
	base->hook = hooks[chain->base];
	base->edge = chain->base == FW_IPT_PREROUTING	 ? FW_RB_BEFORE_ROUTING
		     : chain->base == FW_IPT_POSTROUTING ? FW_RB_BEHIND_ROUTING
							 : FW_RB_NO_EDGE;
}

/* Whether nothing of somebody else's is in it. */
static bool calls_own_only(const struct fw_ipt_text *text, const struct fw_ipt_chain *chain) {
	for (uint32_t i = chain->first; i != FW_IPT_NO_RULE; i = text->rules[i].next) {
		const struct fw_ipt_rule *rule = &text->rules[i];
		if ((rule->action != FW_RB_JUMP && rule->action != FW_RB_GOTO) ||
			!is_own(text->chains[rule->chain].name)) {
			return false;
		}
	}
	return chain->first != FW_IPT_NO_RULE;
}

static void add_bases(struct fw_ipt_lowering *lowering) {
	const struct fw_ipt_text *text = lowering->text;
	uint64_t family = (uint64_t)text->family;
	fw_space seen = range(lowering->spaces, FW_VAR_FAMILY, family, family);

	for (size_t i = 0; i < text->chain_count; i++) {
		const struct fw_ipt_chain *chain = &text->chains[i];
		bool idle = chain->first == FW_IPT_NO_RULE && !chain->drops;
		if (chain->base == FW_IPT_NO_BASE || (idle && chain->table != FW_IPT_FILTER)) {
			continue;
		}
		size_t number = fw_ipt_call(lowering, (uint32_t)i);
		struct fw_rb_chain *base = &lowering->chains->program.items[number];
		place_base(chain, base);
		base->foreign = !calls_own_only(text, chain);
		base->seen = seen;
	}
}

/* Marks the chains that packets meet behind routing. */
static void mark_behind(struct fw_ipt_lowering *lowering) {
	const struct fw_ipt_text *text = lowering->text;
	FW_VEC(uint32_t) open = {0};

	for (uint32_t i = 0; i < text->chain_count; i++) {
		if (text->chains[i].base == FW_IPT_POSTROUTING) {
			lowering->behind[i] = true;
			FW_VEC_ADD(&open, i);
		}
	}
	while (open.count != 0) {
		uint32_t chain = open.items[--open.count];
		for (uint32_t i = text->chains[chain].first; i != FW_IPT_NO_RULE;
			i = text->rules[i].next) {
			const struct fw_ipt_rule *rule = &text->rules[i];
			bool calls = rule->action == FW_RB_JUMP || rule->action == FW_RB_GOTO;
			if (calls && !lowering->behind[rule->chain]) {
				lowering->behind[rule->chain] = true;
				FW_VEC_ADD(&open, rule->chain);
			}
		}
	}
	FW_VEC_FINI(&open);
}

static bool run(struct fw_ipt_lowering *lowering, struct fw_readback *out) {
	const struct fw_ipt_text *text = lowering->text;
	fw_space universe =
		fw_space_universe(lowering->spaces, (unsigned)lowering->interfaces->count + 2);
	struct fw_rb_program program;

	mark_behind(lowering);
	add_bases(lowering);
	for (size_t i = 0; i < lowering->chains->list.count; i++) {
		lower_chain(lowering, i);
	}
	program = (struct fw_rb_program){
		.chains = lowering->chains->program.items,
		.chain_count = lowering->chains->program.count,
		/* Only what nf_tables holds has to be shallow. */
		.depth = FW_RB_DEPTH_MAX,
	};
	*out = (struct fw_readback){
		.unknowns = text->unknowns,
		.unknown_count = text->unknown_count,
		.remarks = text->remarks,
		.remark_count = text->remark_count,
	};
	return fw_rb_run(lowering->arena, lowering->spaces, universe, &program, out);
}

/* What each run has in common. */
struct runs {
	const struct fw_ipt_text *text;
	struct fw_arena *arena;
	struct fw_spaces *spaces;
	const struct fw_rb_interfaces *interfaces;
};

static bool run_assuming(void *context, unsigned assumed, struct fw_readback *out) {
	const struct runs *runs = context;
	const struct fw_ipt_text *text = runs->text;
	struct fw_ipt_lowered chains = {
		.plain = fw_alloc(text->chain_count * sizeof(*chains.plain) + 1)};
	struct fw_arena scratch = {0};
	struct fw_ipt_lowering lowering = {
		.text = text,
		.assumed = assumed,
		.arena = runs->arena,
		.spaces = runs->spaces,
		.interfaces = runs->interfaces,
		.chains = &chains,
		.guards = FW_ARENA_ARRAY(&scratch, fw_space, text->guard_count),
		.guards_made = FW_ARENA_ARRAY(&scratch, bool, text->guard_count),
		.behind = FW_ARENA_ARRAY(&scratch, bool, text->chain_count),
		.merger = fw_ipt_merger_new(text, &scratch),
	};

	bool done = run(&lowering, out);
	fw_ipt_merger_free(lowering.merger);
	fw_arena_fini(&scratch);
	free(chains.plain);
	FW_VEC_FINI(&chains.list);
	FW_VEC_FINI(&chains.program);
	return done;
}

/* Where the first rule asks for types of addresses; NULL: none does. */
static const struct fw_place *asking_place(
	const struct runs *runs, const struct fw_ipt_rule *rule, struct fw_place *out) {
	if (rule == NULL) {
		return NULL;
	}
	*out = fw_ipt_place(runs->arena, runs->text->source, rule->line, rule->start, rule->end);
	return out;
}

bool fw_ipt_lower(const struct fw_ruleset *ruleset, struct fw_arena *arena,
	struct fw_spaces *spaces, const struct fw_rb_interfaces *interfaces,
	struct fw_readback *out) {
	struct runs runs = {ruleset->content, arena, spaces, interfaces};
	const struct fw_ipt_rule *const *rules = runs.text->asks_type;
	struct fw_place places[2];
	struct fw_rb_assuming assuming = {
		.run = run_assuming,
		.context = &runs,
		.asks_source = asking_place(&runs, rules[0], &places[0]),
		.asks_destination = asking_place(&runs, rules[1], &places[1]),
	};
	bool asks = rules[0] != NULL || rules[1] != NULL;
	uint32_t mark = fw_spaces_mark(spaces);

	if (!run_assuming(&runs, 0, out) ||
		(asks && !fw_rb_assume(arena, spaces, &assuming, out))) {
		return false;
	}
	fw_rb_release(arena, spaces, mark, out);
	return true;
}
