// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Symbolic execution of rules and chains: what a rule matches is cut off from what comes by and
 * meets the rule's verdict; the rest goes on.
 */

#include "readback/run.h"

#include <stdlib.h>

/* ---- many sets that part one ---- */

/*
 * So many at a time, as the unions of halves are kept until all are parted; and what has to be in
 * vain, in words and as a part of all, to be worth being forgotten.
 */
enum { PARTS_MAX = 4096, GARBAGE_MIN = 1 << 18, GARBAGE_PART = 8 };

/* Fewer rules are taken one by one sooner. */
enum { RUN_MIN = 16 };

/*
 * Unions of halves, of their halves and so on: that of all sets comes first, then those of the left
 * half, then those of the right one. False: some are not disjoint.
 */
static bool plant(struct fw_exec *exec, const fw_space *sets, size_t count, fw_space *tree) {
	size_t half = count / 2;
	fw_space *left = tree + 1, *right = tree + 2 * half;

	if (count == 1) {
		*tree = *sets;
		return true;
	}
	bool disjoint = plant(exec, sets, half, left);
	disjoint = plant(exec, sets + half, count - half, right) && disjoint;
	*tree = fw_space_union(exec->spaces, *left, *right);
	return disjoint && fw_space_intersect(exec->spaces, *left, *right) == FW_SPACE_EMPTY;
}

/* Gives each leaf its packets of a set, the first that fits. Returns what is left. */
static fw_space share(
	struct fw_exec *exec, const fw_space *tree, size_t count, fw_space set, fw_space *out) {
	fw_space some = fw_space_intersect(exec->spaces, set, *tree);
	size_t half = count / 2;

	if (count == 1 || some == FW_SPACE_EMPTY) {
		for (size_t i = 0; i < count; i++) {
			out[i] = some;
		}
	} else {
		fw_space rest = share(exec, tree + 1, half, some, out);
		share(exec, tree + 2 * half, count - half, rest, out + half);
	}
	return fw_space_subtract(exec->spaces, set, some);
}

/*
 * Each of at most PARTS_MAX sets becomes its share of `set`, the first that fits; `out_rest` is
 * what is left, for which there is room behind them, too. So n sets cost n log n, however wide
 * `set` is. False: they are not disjoint, which `disjoint` asks for, and nothing was done.
 */
static bool divide(struct fw_exec *exec, fw_space set, fw_space *sets, size_t count, bool disjoint,
	fw_space *out_rest) {
	uint32_t mark = fw_spaces_mark(exec->spaces);
	size_t words = exec->spaces->word_count;
	size_t allowed = words / GARBAGE_PART > GARBAGE_MIN ? words / GARBAGE_PART : GARBAGE_MIN;
	fw_space *tree = fw_resize(NULL, 2 * count, sizeof(*tree));
	bool fits = plant(exec, sets, count, tree) || !disjoint;

	if (fits) {
		sets[count] = share(exec, tree, count, set, sets);
		if (!exec->spaces->exhausted && exec->spaces->word_count - words > allowed) {
			fw_spaces_release(exec->spaces, mark, sets, count + 1);
		}
		*out_rest = sets[count];
	}
	free(tree);
	return fits;
}

/* ---- rules ---- */

static bool may_rewrite(struct fw_exec *exec, const struct fw_rb_rule *rule) {
	if (exec->hook == FW_RB_NONE && exec->base->source == rule->rewrite.source) {
		return true;
	}
	fw_exec_unknown(exec, rule->place, "a translation outside of its nat chains");
	return false;
}

/* The packets that a rewriting can have to do with. */
static fw_space of_family(struct fw_exec *exec, enum fw_family family, fw_space set) {
	return family == FW_FAMILY_NONE
		       ? set
		       : fw_space_intersect(exec->spaces, set,
				 fw_space_interval(exec->spaces, FW_VAR_FAMILY,
					 fw_value((uint64_t)family), fw_value((uint64_t)family)));
}

/* To an address that every machine has for itself, or to one that only it has. */
static bool is_to_itself(const struct fw_rb_rewrite *rewrite) {
	return !rewrite->source &&
	       (rewrite->masquerade ||
		       (rewrite->family == FW_IPV4
				       ? rewrite->address.low >> 24 == 127
				       : fw_addr_compare(rewrite->address, fw_value(1)) == 0));
}

static void add_rewrite(struct fw_exec *exec, const struct fw_rb_rule *rule,
	const struct fw_stream *stream, fw_space set) {
	struct fw_rb_rewrite one = rule->rewrite;

	if (stream->limit != NULL && set != FW_SPACE_EMPTY) {
		struct fw_stream guess = *stream;
		guess.set = set;
		fw_exec_guess(exec, guess,
			is_to_itself(&rule->rewrite) ? FW_FATE_TAKEN_IN : FW_FATE_REWRITTEN);
		return;
	}
	one.place = rule->place;
	for (int family = FW_IPV4; family < FW_FAMILY_COUNT; family++) {
		one.family = (enum fw_family)family;
		one.set = of_family(exec, one.family, set);
		if (one.set != FW_SPACE_EMPTY) {
			FW_VEC_ADD(&exec->rewrites, one);
		}
	}
}

/* Packets of the other family, or that began elsewhere than the rule asks for, meet the rules that
 * follow. */
static void rewrite(struct fw_exec *exec, const struct fw_rb_rule *rule, struct fw_stream stream,
	struct fw_streams *onwards) {
	fw_space set = of_family(exec, rule->rewrite.family, stream.set);

	if (may_rewrite(exec, rule)) {
		add_rewrite(exec, rule, &stream, set);
		if (rule->rewrite.original_count == 0) {
			stream.set = fw_space_subtract(exec->spaces, stream.set, set);
		}
	}
	fw_streams_add(exec, onwards, stream);
}

/* Where packets go that meet no verdict for good. */
struct ways {
	struct fw_streams *onwards, *back;
};

static void call(struct fw_exec *exec, struct fw_place place, size_t chain, struct fw_stream stream,
	struct fw_streams *behind) {
	struct fw_streams streams FW_AUTO(fw_streams_fini) = {0};

	fw_streams_add(exec, &streams, stream);
	fw_exec_walk(exec, chain, place, &streams);
	fw_streams_add_all(exec, behind, &streams);
}

static void meet(struct fw_exec *exec, const struct fw_rb_rule *rule, enum fw_rb_action action,
	size_t chain, struct fw_stream stream, struct ways ways);

static void meet_cases(struct fw_exec *exec, const struct fw_rb_rule *rule, struct fw_stream stream,
	struct ways ways) {
	fw_space *sets = fw_resize(NULL, PARTS_MAX + 1, sizeof(*sets)), rest = stream.set;

	for (size_t from = 0, count; from < rule->case_count; from += count) {
		const struct fw_rb_case *cases = rule->cases + from;
		count = rule->case_count - from < PARTS_MAX ? rule->case_count - from : PARTS_MAX;
		for (size_t i = 0; i < count; i++) {
			sets[i] = cases[i].set;
		}
		divide(exec, rest, sets, count, false, &rest);
		for (size_t i = 0; i < count; i++) {
			stream.set = sets[i];
			meet(exec, rule, cases[i].action, cases[i].chain, stream, ways);
		}
	}
	free(sets);
	stream.set = rest;
	fw_streams_add(exec, ways.onwards, stream);
}

/* Packets that a rule matches meet its action. */
static void meet(struct fw_exec *exec, const struct fw_rb_rule *rule, enum fw_rb_action action,
	size_t chain, struct fw_stream stream, struct ways ways) {
	if (stream.set == FW_SPACE_EMPTY) {
		return;
	}
	switch (action) {
	case FW_RB_CONTINUE:
		fw_streams_add(exec, ways.onwards, stream);
		break;
	case FW_RB_ACCEPT:
		fw_exec_accept(exec, rule->place, stream);
		break;
	case FW_RB_DROP:
	case FW_RB_REJECT:
		fw_exec_drop(exec, rule->place, action == FW_RB_REJECT, stream);
		break;
	case FW_RB_JUMP:
		call(exec, rule->place, chain, stream, ways.onwards);
		break;
	case FW_RB_GOTO:
		call(exec, rule->place, chain, stream, ways.back);
		break;
	case FW_RB_RETURN:
		fw_streams_add(exec, ways.back, stream);
		break;
	case FW_RB_REWRITE:
		rewrite(exec, rule, stream, ways.onwards);
		break;
	case FW_RB_CASES:
		meet_cases(exec, rule, stream, ways);
		break;
	}
}

/* They go on, and those that match meet the action, too. */
static void meet_guess(struct fw_exec *exec, const struct fw_rb_rule *rule, struct fw_stream stream,
	fw_space matched, struct ways ways) {
	struct fw_stream part = stream;

	fw_streams_add(exec, ways.onwards, stream);
	part.set = matched;
	if (stream.limit == NULL) {
		part.limit = rule;
		part.spare = true;
		part.since = exec->outcome.clock++;
	} else if (!fw_stream_is_guess(&stream)) {
		fw_exec_unknown(exec, rule->place, rule->perhaps);
		return;
	}
	meet(exec, rule, rule->action, rule->chain, part, ways);
}

/* The matched part of a stream meets a rule that holds only up to, or beyond, a rate. */
static void meet_limit(struct fw_exec *exec, const struct fw_rb_rule *rule, struct fw_stream stream,
	fw_space matched, struct ways ways) {
	struct fw_stream limited = {.set = matched,
		.limit = rule,
		.spare = !rule->over,
		.since = exec->outcome.clock++};
	bool drops = rule->action == FW_RB_DROP || rule->action == FW_RB_REJECT;

	if (stream.limit != NULL || (rule->over && !drops) || exec->hook == FW_RB_NONE) {
		fw_exec_unknown(exec, rule->place,
			stream.limit != NULL	   ? "a limit behind another limit"
			: exec->hook == FW_RB_NONE ? "a limit in a nat chain"
						   : "something that happens beyond a limit only");
		fw_streams_add(exec, ways.onwards, stream);
	} else if (rule->over) {
		/* Beyond the rate they are dropped; up to it they go on. */
		stream.set = fw_space_subtract(exec->spaces, stream.set, matched);
		fw_streams_add(exec, ways.onwards, stream);
		fw_streams_add(exec, ways.onwards, limited);
	} else {
		fw_streams_add(exec, ways.onwards, stream);
		meet(exec, rule, rule->action, rule->chain, limited, ways);
	}
}

/* All that it does is to draw on a bucket. */
static bool is_draw(const struct fw_rb_rule *rule) {
	return rule->unknown == NULL && rule->action == FW_RB_CONTINUE && rule->rate.count != 0;
}

static void meet_rule(struct fw_exec *exec, const struct fw_rb_rule *rule, struct fw_stream stream,
	struct ways ways) {
	fw_space matched = fw_space_intersect(exec->spaces, stream.set, rule->match);

	if (matched == FW_SPACE_EMPTY) {
		fw_streams_add(exec, ways.onwards, stream);
	} else if (rule->unknown != NULL) {
		fw_exec_unknown(exec, rule->place, rule->unknown);
		fw_streams_add(exec, ways.onwards, stream);
	} else if (is_draw(rule)) {
		FW_VEC_ADD(&exec->draws,
			(struct fw_draw){rule->bucket, matched, rule->idle, rule->place});
		fw_streams_add(exec, ways.onwards, stream);
	} else if (rule->perhaps != NULL ||
		   (rule->rate.count != 0 && fw_stream_is_guess(&stream))) {
		meet_guess(exec, rule, stream, matched, ways);
	} else if (rule->rate.count != 0) {
		meet_limit(exec, rule, stream, matched, ways);
	} else {
		struct fw_stream part = stream;
		part.set = matched;
		stream.set = fw_space_subtract(exec->spaces, stream.set, matched);
		fw_streams_add(exec, ways.onwards, stream);
		meet(exec, rule, rule->action, rule->chain, part, ways);
	}
}

/* ---- chains ---- */

/* Rules without any effect that anybody asks for. */
static bool is_idle(const struct fw_rb_rule *rule) {
	return rule->unknown == NULL && rule->action == FW_RB_CONTINUE && rule->rate.count == 0;
}

/* Rules that decide all that they match, or that only call another chain. */
static bool is_plain(const struct fw_rb_rule *rule) {
	if (rule->unknown != NULL || rule->perhaps != NULL || rule->rate.count != 0) {
		return false;
	}
	switch (rule->action) {
	case FW_RB_ACCEPT:
	case FW_RB_DROP:
	case FW_RB_REJECT:
	case FW_RB_JUMP:
	case FW_RB_GOTO:
	case FW_RB_RETURN:
		return true;
	case FW_RB_REWRITE:
		return rule->rewrite.original_count == 0;
	case FW_RB_CONTINUE:
	case FW_RB_CASES:
		break;
	}
	return false;
}

/* How many rules, from the first on, are plain or idle; they all only call, or they all decide. */
static size_t plain_run(const struct fw_rb_rule *rules, size_t count) {
	size_t length = 0;

	while (length < count && length < PARTS_MAX &&
		(is_idle(&rules[length]) ||
			(is_plain(&rules[length]) && (rules[length].action == FW_RB_JUMP) ==
							     (rules[0].action == FW_RB_JUMP)))) {
		length++;
	}
	return length;
}

/*
 * A run of rules each packet meets one of at most: what they take is taken away once, so that long
 * lists of rules cost no more than their union. False: packets that come back from one may meet
 * another, and nothing was done.
 */
static bool meet_run(struct fw_exec *exec, const struct fw_rb_rule *rules, size_t count,
	struct fw_stream stream, struct ways ways) {
	fw_space *sets = fw_resize(NULL, count + 1, sizeof(*sets)), rest = stream.set;

	for (size_t i = 0; i < count; i++) {
		sets[i] = is_idle(&rules[i]) ? FW_SPACE_EMPTY : rules[i].match;
		if (rules[i].action == FW_RB_REWRITE) {
			sets[i] = of_family(exec, rules[i].rewrite.family, sets[i]);
		}
	}
	bool fits = divide(exec, stream.set, sets, count, rules[0].action == FW_RB_JUMP, &rest);
	for (size_t i = 0; fits && i < count; i++) {
		stream.set = sets[i];
		meet(exec, &rules[i], rules[i].action, rules[i].chain, stream, ways);
	}
	free(sets);
	if (fits) {
		stream.set = rest;
		fw_streams_add(exec, ways.onwards, stream);
	}
	return fits;
}

/* Takes the streams through some rules. False: only one by one, and nothing was done. */
static bool step(struct fw_exec *exec, const struct fw_rb_rule *rules, size_t count,
	struct fw_streams *streams, struct fw_streams *back) {
	struct fw_streams after = {0};
	bool fits = true;

	for (size_t i = 0; fits && i < fw_streams_count(streams); i++) {
		struct fw_stream stream = fw_streams_get(streams, i);
		struct ways ways = {&after, back};
		if (count == 1) {
			meet_rule(exec, rules, stream, ways);
		} else {
			/* If they fit one stream, they fit all. */
			fits = meet_run(exec, rules, count, stream, ways);
		}
	}
	if (fits) {
		fw_streams_fini(streams);
		*streams = after;
		fw_streams_settle(exec, streams);
	}
	return fits;
}

static bool may_enter(struct fw_exec *exec, size_t index, struct fw_place caller) {
	unsigned depth = exec->program->depth;
	const char *what = NULL;

	depth = depth == 0 ? FW_RB_DEPTH_NF_TABLES : depth;
	if (exec->entered[index]) {
		what = "chains that call each other in a circle";
	} else if (exec->depth >= (depth < FW_RB_DEPTH_MAX ? depth : FW_RB_DEPTH_MAX)) {
		what = "chains that call each other too deeply";
	} else if (exec->visits >= FW_RB_VISITS_MAX) {
		what = "chains that call each other too often";
	}
	if (what != NULL) {
		fw_exec_unknown(exec, caller, what);
	}
	return what == NULL;
}

static void walk_rules(struct fw_exec *exec, struct fw_streams *streams, struct fw_streams *back) {
	const struct fw_rb_chain *chain = exec->chain;

	size_t singly = 0; /* rules up to there are taken one by one */

	for (size_t i = 0; i < chain->rule_count && !fw_streams_are_empty(streams);) {
		const struct fw_rb_rule *rules = &chain->rules[i];
		size_t run = i < singly ? 0 : plain_run(rules, chain->rule_count - i);
		size_t length = run < RUN_MIN || is_idle(rules) ? 1 : run;
		if (exec->spaces->exhausted) {
			break;
		}
		if (is_idle(rules) || step(exec, rules, length, streams, back)) {
			exec->visits += length;
			i += length;
		} else {
			singly = i + length;
		}
	}
}

void fw_exec_walk(
	struct fw_exec *exec, size_t index, struct fw_place caller, struct fw_streams *streams) {
	const struct fw_rb_chain *caller_chain = exec->chain;
	struct fw_streams back FW_AUTO(fw_streams_fini) = {0};

	if (fw_streams_are_empty(streams) || exec->spaces->exhausted ||
		!may_enter(exec, index, caller)) {
		return;
	}
	exec->depth++;
	exec->entered[index] = true;
	exec->chain = &exec->program->chains[index];
	walk_rules(exec, streams, &back);
	exec->chain = caller_chain;
	exec->entered[index] = false;
	exec->depth--;
	fw_streams_add_all(exec, streams, &back);
}
