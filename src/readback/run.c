// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Symbolic execution: all packets of a hook go through its chains at once, as sets. What a rule
 * matches is cut off from what comes by and meets the rule's verdict; the rest goes on.
 *
 * Limits make it more than one set. The main stream holds the packets that come by whatever limits
 * do; beside it there may be others, each let through by one limit only. A packet whose limit is
 * used up goes on in the main stream, so it counts there, too.
 */

#include "readback/program.h"

#include <stdlib.h>
#include <string.h>

/* Netfilter's priorities of connection tracking and of translation. */
enum { TRACKING = -200, DESTINATIONS = -100, SOURCES = 100 };

/* Packets on their way. */
struct stream {
	fw_space set;
	const struct fw_rb_rule *limit; /* that let them through; NULL: the main stream */
	bool spare;   /* beyond its limit they go on in the main stream; else they are dropped */
	size_t since; /* when they left the main stream */
};

/* Packets that met a verdict, and when they left the main stream for it. */
struct event {
	fw_space set;
	size_t since;
	struct fw_place place;
};

struct events {
	FW_VEC(struct event) list;
};

struct streams {
	FW_VEC(struct stream) list;
};

struct sets {
	FW_VEC(fw_space) list;
};

/* What became of packets in one base chain. */
struct outcome {
	struct sets accepted, dropped, rejected;
	struct streams limited; /* accepted, up to a limit */
	/*
	 * The order of things: what is dropped up to a limit must not be accepted beyond it, as
	 * neither "always" nor "up to a rate" would be true of it.
	 */
	size_t clock;
	struct events passed, passed_up_to, dropped_up_to;
};

struct run {
	struct fw_arena *arena;
	struct fw_spaces *spaces;
	fw_space universe;
	const struct fw_rb_program *program;
	enum fw_rb_hook hook; /* FW_RB_NONE: translation */
	const struct fw_rb_chain *base;
	struct outcome outcome;
	bool translates[2][2]; /* whether anything is: by source, and by local */
	unsigned depth;
	size_t visits;
	FW_VEC(struct fw_rb_unknown) unknowns;
	FW_VEC(struct fw_rb_decision) decisions;
	FW_VEC(struct fw_rb_rated) rated;
	FW_VEC(struct fw_rb_rewrite) rewrites;
};

/* ---- streams ---- */

static void streams_fini(struct streams *streams) {
	FW_VEC_FINI(&streams->list);
}

static bool same_limit(const struct stream *a, const struct stream *b) {
	if (a->limit == NULL || b->limit == NULL) {
		return a->limit == b->limit;
	}
	return a->limit->bucket == b->limit->bucket && a->spare == b->spare && a->since == b->since;
}

/* Of events that happened to the main stream since then. */
static fw_space events_since(struct run *run, const struct events *events, size_t since) {
	FW_VEC(fw_space) sets = {0};

	for (size_t i = 0; i < events->list.count; i++) {
		if (events->list.items[i].since >= since) {
			FW_VEC_ADD(&sets, events->list.items[i].set);
		}
	}
	fw_space set = fw_space_union_all(run->spaces, sets.items, sets.count);
	FW_VEC_FINI(&sets);
	return set;
}

/* Packets that meet the main stream again go on in it, unless it lost some meanwhile. */
static fw_space beside_main(struct run *run, const struct stream *spare, fw_space main) {
	fw_space meanwhile = events_since(run, &run->outcome.passed_up_to, spare->since);

	return fw_space_subtract(
		run->spaces, spare->set, fw_space_subtract(run->spaces, main, meanwhile));
}

static void drop_spares(struct run *run, struct streams *streams, fw_space main) {
	size_t kept = 0;

	for (size_t i = 0; i < streams->list.count; i++) {
		struct stream stream = streams->list.items[i];
		if (stream.spare) {
			stream.set = beside_main(run, &stream, main);
		}
		if (stream.set != FW_SPACE_EMPTY) {
			streams->list.items[kept++] = stream;
		}
	}
	streams->list.count = kept;
}

static void add_stream(struct run *run, struct streams *streams, struct stream stream) {
	struct stream *same = NULL;

	for (size_t i = 0; i < streams->list.count; i++) {
		struct stream *other = &streams->list.items[i];
		if (stream.spare && other->limit == NULL) {
			stream.set = beside_main(run, &stream, other->set);
		}
		same = same_limit(other, &stream) ? other : same;
	}
	if (stream.set == FW_SPACE_EMPTY) {
		return;
	}
	if (same != NULL) {
		same->set = fw_space_union(run->spaces, same->set, stream.set);
	} else {
		FW_VEC_ADD(&streams->list, stream);
	}
	if (stream.limit == NULL) {
		drop_spares(run, streams, stream.set);
	}
}

static void add_streams(struct run *run, struct streams *streams, const struct streams *more) {
	for (size_t i = 0; i < more->list.count; i++) {
		add_stream(run, streams, more->list.items[i]);
	}
}

static void add_set(struct sets *sets, fw_space set) {
	if (set != FW_SPACE_EMPTY) {
		FW_VEC_ADD(&sets->list, set);
	}
}

static fw_space unite(struct run *run, const struct sets *sets) {
	return fw_space_union_all(run->spaces, sets->list.items, sets->list.count);
}

static void outcome_fini(struct outcome *outcome) {
	FW_VEC_FINI(&outcome->accepted.list);
	FW_VEC_FINI(&outcome->dropped.list);
	FW_VEC_FINI(&outcome->rejected.list);
	streams_fini(&outcome->limited);
	FW_VEC_FINI(&outcome->passed.list);
	FW_VEC_FINI(&outcome->passed_up_to.list);
	FW_VEC_FINI(&outcome->dropped_up_to.list);
	*outcome = (struct outcome){0};
}

/* ---- what is found out ---- */

static void note_unknown(struct run *run, struct fw_place place, const char *what) {
	if (run->unknowns.count == FW_RB_UNKNOWNS_MAX) {
		return;
	}
	for (size_t i = 0; i < run->unknowns.count; i++) {
		const struct fw_rb_unknown *other = &run->unknowns.items[i];
		if (other->place.text == place.text && strcmp(other->what, what) == 0 &&
			other->hook == run->hook) {
			return;
		}
	}
	FW_VEC_ADD(&run->unknowns, (struct fw_rb_unknown){place, what, run->hook});
}

static void decide(struct run *run, struct fw_place place, bool accepts, bool rejects,
	const struct stream *stream) {
	fw_space set = stream->set;
	const struct streams *limited = &run->outcome.limited;

	/* What a limit lets through is not dropped for good. */
	for (size_t i = 0; !accepts && i < limited->list.count; i++) {
		set = fw_space_subtract(run->spaces, set, limited->list.items[i].set);
	}
	if (set == FW_SPACE_EMPTY) {
		return;
	}
	FW_VEC_ADD(&run->decisions, (struct fw_rb_decision){
					    .hook = run->hook,
					    .accepts = accepts,
					    .rejects = rejects,
					    .limited = accepts && stream->limit != NULL,
					    .foreign = run->base->foreign,
					    .set = set,
					    .place = place,
				    });
}

static void accept(struct run *run, struct fw_place place, struct stream stream) {
	struct event event = {stream.set, stream.since, place};

	decide(run, place, true, false, &stream);
	if (stream.limit == NULL) {
		event.since = run->outcome.clock++;
		add_set(&run->outcome.accepted, stream.set);
		FW_VEC_ADD(&run->outcome.passed.list, event);
	} else {
		stream.spare = false;
		stream.since = 0;
		add_stream(run, &run->outcome.limited, stream);
		FW_VEC_ADD(&run->outcome.passed_up_to.list, event);
	}
}

static void drop(struct run *run, struct fw_place place, bool rejects, struct stream stream) {
	decide(run, place, false, rejects, &stream);
	add_set(&run->outcome.dropped, stream.set);
	if (rejects) {
		add_set(&run->outcome.rejected, stream.set);
	}
	if (stream.spare) {
		FW_VEC_ADD(&run->outcome.dropped_up_to.list,
			(struct event){stream.set, stream.since, place});
	}
}

/* ---- rules ---- */

static void walk(struct run *run, size_t index, struct fw_place caller, struct streams *streams);

static bool may_rewrite(struct run *run, const struct fw_rb_rule *rule) {
	if (run->hook == FW_RB_NONE && run->base->source == rule->rewrite.source) {
		return true;
	}
	note_unknown(run, rule->place, "a translation outside of its nat chains");
	return false;
}

/* The packets that a rewriting can have to do with. */
static fw_space of_family(struct run *run, enum fw_family family, fw_space set) {
	return family == FW_FAMILY_NONE
		       ? set
		       : fw_space_intersect(run->spaces, set,
				 fw_space_interval(run->spaces, FW_VAR_FAMILY,
					 fw_value((uint64_t)family), fw_value((uint64_t)family)));
}

static void add_rewrite(struct run *run, const struct fw_rb_rule *rule, fw_space set) {
	struct fw_rb_rewrite one = rule->rewrite;

	one.place = rule->place;
	for (int family = FW_IPV4; family < FW_FAMILY_COUNT; family++) {
		one.family = (enum fw_family)family;
		one.set = of_family(run, one.family, set);
		if (one.set != FW_SPACE_EMPTY) {
			FW_VEC_ADD(&run->rewrites, one);
		}
	}
}

/* Packets that began elsewhere than the rule asks for meet the rules that follow. */
static void rewrite_some(struct run *run, const struct fw_rb_rule *rule, struct stream stream,
	struct streams *onwards) {
	if (may_rewrite(run, rule)) {
		add_rewrite(run, rule, of_family(run, rule->rewrite.family, stream.set));
	}
	add_stream(run, onwards, stream);
}

/* Takes from each set what those before it have; returns the union of all. What is disjoint costs
 * n log n. */
static fw_space part(struct run *run, fw_space *sets, size_t count) {
	if (count <= 1) {
		return count == 0 ? FW_SPACE_EMPTY : sets[0];
	}
	fw_space left = part(run, sets, count / 2);
	fw_space right = part(run, sets + count / 2, count - count / 2);
	if (fw_space_intersect(run->spaces, left, right) != FW_SPACE_EMPTY) {
		for (size_t i = count / 2; i < count; i++) {
			sets[i] = fw_space_subtract(run->spaces, sets[i], left);
		}
	}
	return fw_space_union(run->spaces, left, right);
}

/* Rules one behind the other that all translate. */
static void rewrite_run(struct run *run, const struct fw_rb_rule *rules, size_t count,
	struct stream stream, struct streams *onwards) {
	fw_space *sets = fw_resize(NULL, count, sizeof(*sets));

	for (size_t i = 0; i < count; i++) {
		sets[i] = fw_space_intersect(run->spaces, stream.set, rules[i].match);
		sets[i] = of_family(run, rules[i].rewrite.family, sets[i]);
		if (sets[i] != FW_SPACE_EMPTY && !may_rewrite(run, &rules[i])) {
			sets[i] = FW_SPACE_EMPTY;
		}
	}
	stream.set = fw_space_subtract(run->spaces, stream.set, part(run, sets, count));
	for (size_t i = 0; i < count; i++) {
		add_rewrite(run, &rules[i], sets[i]);
	}
	free(sets);
	add_stream(run, onwards, stream);
}

/* Where packets go that meet no verdict for good. */
struct ways {
	struct streams *onwards, *back;
};

static void call(struct run *run, struct fw_place place, size_t chain, struct stream stream,
	struct streams *behind) {
	struct streams streams FW_AUTO(streams_fini) = {0};

	add_stream(run, &streams, stream);
	walk(run, chain, place, &streams);
	add_streams(run, behind, &streams);
}

static void meet(struct run *run, const struct fw_rb_rule *rule, enum fw_rb_action action,
	size_t chain, struct stream stream, struct ways ways);

static void meet_cases(
	struct run *run, const struct fw_rb_rule *rule, struct stream stream, struct ways ways) {
	for (size_t i = 0; i < rule->case_count; i++) {
		const struct fw_rb_case *one = &rule->cases[i];
		struct stream part = stream;
		part.set = fw_space_intersect(run->spaces, stream.set, one->set);
		stream.set = fw_space_subtract(run->spaces, stream.set, part.set);
		meet(run, rule, one->action, one->chain, part, ways);
	}
	add_stream(run, ways.onwards, stream);
}

/* Packets that a rule matches meet its action. */
static void meet(struct run *run, const struct fw_rb_rule *rule, enum fw_rb_action action,
	size_t chain, struct stream stream, struct ways ways) {
	if (stream.set == FW_SPACE_EMPTY) {
		return;
	}
	switch (action) {
	case FW_RB_CONTINUE:
		add_stream(run, ways.onwards, stream);
		break;
	case FW_RB_ACCEPT:
		accept(run, rule->place, stream);
		break;
	case FW_RB_DROP:
	case FW_RB_REJECT:
		drop(run, rule->place, action == FW_RB_REJECT, stream);
		break;
	case FW_RB_JUMP:
		call(run, rule->place, chain, stream, ways.onwards);
		break;
	case FW_RB_GOTO:
		call(run, rule->place, chain, stream, ways.back);
		break;
	case FW_RB_RETURN:
		add_stream(run, ways.back, stream);
		break;
	case FW_RB_REWRITE:
		rewrite_some(run, rule, stream, ways.onwards);
		break;
	case FW_RB_CASES:
		meet_cases(run, rule, stream, ways);
		break;
	}
}

/* The matched part of a stream meets a rule that holds only up to, or beyond, a rate. */
static void meet_limit(struct run *run, const struct fw_rb_rule *rule, struct stream stream,
	fw_space matched, struct ways ways) {
	struct stream limited = {
		.set = matched, .limit = rule, .spare = !rule->over, .since = run->outcome.clock++};
	bool drops = rule->action == FW_RB_DROP || rule->action == FW_RB_REJECT;

	if (stream.limit != NULL || (rule->over && !drops) || run->hook == FW_RB_NONE) {
		note_unknown(run, rule->place,
			stream.limit != NULL	  ? "a limit behind another limit"
			: run->hook == FW_RB_NONE ? "a limit in a nat chain"
						  : "something that happens beyond a limit only");
		add_stream(run, ways.onwards, stream);
	} else if (rule->over) {
		/* Beyond the rate they are dropped; up to it they go on. */
		stream.set = fw_space_subtract(run->spaces, stream.set, matched);
		add_stream(run, ways.onwards, stream);
		add_stream(run, ways.onwards, limited);
	} else {
		add_stream(run, ways.onwards, stream);
		meet(run, rule, rule->action, rule->chain, limited, ways);
	}
}

static void meet_rule(
	struct run *run, const struct fw_rb_rule *rule, struct stream stream, struct ways ways) {
	fw_space matched = fw_space_intersect(run->spaces, stream.set, rule->match);

	if (matched == FW_SPACE_EMPTY) {
		add_stream(run, ways.onwards, stream);
	} else if (rule->unknown != NULL) {
		note_unknown(run, rule->place, rule->unknown);
		add_stream(run, ways.onwards, stream);
	} else if (rule->rate.count != 0) {
		meet_limit(run, rule, stream, matched, ways);
	} else {
		struct stream part = stream;
		part.set = matched;
		stream.set = fw_space_subtract(run->spaces, stream.set, matched);
		add_stream(run, ways.onwards, stream);
		meet(run, rule, rule->action, rule->chain, part, ways);
	}
}

/* ---- chains ---- */

static bool is_plain(const struct fw_rb_rule *rule) {
	if (rule->unknown != NULL || rule->rate.count != 0) {
		return false;
	}
	switch (rule->action) {
	case FW_RB_ACCEPT:
	case FW_RB_DROP:
	case FW_RB_REJECT:
		return true;
	case FW_RB_REWRITE:
		return rule->rewrite.original_count == 0;
	case FW_RB_CONTINUE:
	case FW_RB_JUMP:
	case FW_RB_GOTO:
	case FW_RB_RETURN:
	case FW_RB_CASES:
		break;
	}
	return false;
}

/* Rules without any effect that anybody asks for. */
static bool is_idle(const struct fw_rb_rule *rule) {
	return rule->unknown == NULL && rule->action == FW_RB_CONTINUE;
}

/* How many rules, from the first on, have one plain verdict. */
static size_t plain_run(const struct fw_rb_rule *rules, size_t count) {
	size_t length = 0;

	while (length < count && is_plain(&rules[length]) &&
		rules[length].action == rules[0].action) {
		length++;
	}
	return length;
}

/*
 * A run of rules with one verdict, whose order does not matter: each meets all that comes by, and
 * what they take is taken away once. So long lists of rules cost no more than their union.
 */
static void meet_run(struct run *run, const struct fw_rb_rule *rules, size_t count,
	struct stream stream, struct streams *onwards) {
	struct sets taken = {0};

	for (size_t i = 0; i < count; i++) {
		struct stream part = stream;
		part.set = fw_space_intersect(run->spaces, stream.set, rules[i].match);
		if (part.set != FW_SPACE_EMPTY) {
			add_set(&taken, part.set);
			meet(run, &rules[i], rules[i].action, 0, part,
				(struct ways){onwards, onwards});
		}
	}
	stream.set = fw_space_subtract(run->spaces, stream.set, unite(run, &taken));
	FW_VEC_FINI(&taken.list);
	add_stream(run, onwards, stream);
}

/* Takes the streams through the next rules; returns how many. */
static size_t step(struct run *run, const struct fw_rb_rule *rules, size_t count,
	struct streams *streams, struct streams *back) {
	size_t length = plain_run(rules, count);
	struct streams before FW_AUTO(streams_fini) = *streams;

	*streams = (struct streams){0};
	for (size_t i = 0; i < before.list.count; i++) {
		struct stream stream = before.list.items[i];
		if (length == 0) {
			meet_rule(run, rules, stream, (struct ways){streams, back});
		} else if (rules[0].action == FW_RB_REWRITE) {
			rewrite_run(run, rules, length, stream, streams);
		} else {
			meet_run(run, rules, length, stream, streams);
		}
	}
	return length != 0 ? length : 1;
}

static bool may_enter(struct run *run, struct fw_place caller) {
	const char *what = NULL;

	if (run->depth == FW_RB_DEPTH_MAX) {
		what = "chains that call each other too deeply";
	} else if (run->visits >= FW_RB_VISITS_MAX) {
		what = "chains that call each other too often";
	}
	if (what != NULL) {
		note_unknown(run, caller, what);
	}
	return what == NULL;
}

/* Takes the streams through a chain; what is left of them comes back to whoever called it. */
static void walk(struct run *run, size_t index, struct fw_place caller, struct streams *streams) {
	const struct fw_rb_chain *chain = &run->program->chains[index];
	struct streams back FW_AUTO(streams_fini) = {0};

	if (streams->list.count == 0 || run->spaces->exhausted || !may_enter(run, caller)) {
		return;
	}
	run->depth++;
	for (size_t i = 0; i < chain->rule_count && streams->list.count != 0;) {
		const struct fw_rb_rule *rule = &chain->rules[i];
		if (run->spaces->exhausted) {
			break;
		}
		size_t length =
			is_idle(rule) ? 1 : step(run, rule, chain->rule_count - i, streams, &back);
		run->visits += length;
		i += length;
	}
	run->depth--;
	add_streams(run, streams, &back);
}

/* ---- base chains ---- */

/* Runs one on the streams it sees; `passed` gets those that it does not. */
static void run_base(struct run *run, const struct fw_rb_chain *base,
	const struct streams *arriving, struct streams *passed) {
	struct streams streams FW_AUTO(streams_fini) = {0};

	outcome_fini(&run->outcome);
	run->base = base;
	for (size_t i = 0; i < arriving->list.count; i++) {
		struct stream stream = arriving->list.items[i];
		struct stream seen = stream;
		seen.set = fw_space_intersect(run->spaces, stream.set, base->seen);
		stream.set = fw_space_subtract(run->spaces, stream.set, base->seen);
		add_stream(run, &streams, seen);
		add_stream(run, passed, stream);
	}
	walk(run, (size_t)(base - run->program->chains), base->place, &streams);
	for (size_t i = 0; i < streams.list.count; i++) {
		if (base->drops) {
			drop(run, base->place, false, streams.list.items[i]);
		} else {
			accept(run, base->place, streams.list.items[i]);
		}
	}
}

/* Takes out packets that were dropped up to a limit before. */
static fw_space without_dropped(struct run *run, fw_space set) {
	struct outcome *outcome = &run->outcome;

	for (size_t i = 0; i < outcome->dropped_up_to.list.count; i++) {
		struct event event = outcome->dropped_up_to.list.items[i];
		fw_space later = fw_space_union(run->spaces,
			events_since(run, &outcome->passed, event.since),
			events_since(run, &outcome->passed_up_to, event.since));
		later = fw_space_intersect(run->spaces, later, event.set);
		if (fw_space_intersect(run->spaces, later, set) != FW_SPACE_EMPTY) {
			note_unknown(run, event.place,
				"a drop up to a limit, and another verdict beyond it");
			set = fw_space_subtract(run->spaces, set, later);
		}
	}
	return set;
}

/* The streams that the next base chain gets. */
static void pass_on(struct run *run, struct streams *passed) {
	const struct outcome *outcome = &run->outcome;
	fw_space all = without_dropped(run, unite(run, &outcome->accepted));

	add_stream(run, passed, (struct stream){.set = all});
	for (size_t i = 0; i < outcome->limited.list.count; i++) {
		struct stream stream = outcome->limited.list.items[i];
		stream.set = fw_space_subtract(run->spaces, stream.set, all);
		stream.set = without_dropped(run, stream.set);
		stream.spare = false;
		add_stream(run, passed, stream);
	}
}

/* ---- packets as a base chain sees them ---- */

/* A hook's packets may look different to a chain: not tracked yet, or not routed. */
struct view {
	fw_space set;
	enum fw_var lost[FW_VAR_COUNT]; /* what it cannot tell apart, up to FW_VAR_NONE */
	size_t lost_count;
};

static fw_space is(struct run *run, enum fw_var var, uint64_t value) {
	return fw_space_interval(run->spaces, var, fw_value(value), fw_value(value));
}

static fw_space of_hook(struct run *run, enum fw_rb_hook hook) {
	return fw_space_intersect(run->spaces, run->universe, is(run, FW_VAR_HOOK, hook));
}

static bool sees_untracked(const struct fw_rb_chain *base) {
	return base->priority <= TRACKING &&
	       (base->edge == FW_RB_BEFORE_ROUTING || base->hook == FW_RB_OUTPUT);
}

/* Whether the hook's packets look to the chain as they are. */
static bool sees_all(const struct fw_rb_chain *base) {
	return base->edge != FW_RB_BEFORE_ROUTING && !sees_untracked(base);
}

static struct view view_of(struct run *run, const struct fw_rb_chain *base, enum fw_rb_hook hook) {
	struct view view = {0};

	if (base->edge == FW_RB_BEFORE_ROUTING) {
		hook = FW_RB_INPUT; /* which has no out-interface */
		view.lost[view.lost_count++] = FW_VAR_HOOK;
		view.lost[view.lost_count++] = FW_VAR_OUT;
	}
	view.set = of_hook(run, hook);
	if (sees_untracked(base)) {
		/* Without a connection the state reads as invalid. */
		view.set = fw_space_intersect(
			run->spaces, view.set, is(run, FW_VAR_TRACKING, FW_TRACKING_INVALID));
		view.lost[view.lost_count++] = FW_VAR_TRACKING;
		view.lost[view.lost_count++] = FW_VAR_TRANSLATED;
	}
	return view;
}

/* The hook's packets that look like these. */
static fw_space behind_view(
	struct run *run, const struct view *view, enum fw_rb_hook hook, fw_space set) {
	for (size_t i = 0; i < view->lost_count; i++) {
		set = fw_space_exists(run->spaces, set, view->lost[i]);
	}
	return fw_space_intersect(run->spaces, set, of_hook(run, hook));
}

static bool asks_for(struct run *run, fw_space set, enum fw_var var, fw_space within) {
	fw_space any = fw_space_exists(run->spaces, set, var);

	return fw_space_intersect(run->spaces, any, within) != set;
}

/* A chain that judges packets by addresses that they do not have at the hook. */
static void check_addresses(
	struct run *run, const struct fw_rb_chain *base, fw_space dropped, fw_space within) {
	bool local = base->edge == FW_RB_NO_EDGE;
	bool early = base->edge == FW_RB_BEFORE_ROUTING || base->hook == FW_RB_OUTPUT;

	if (early && base->priority <= DESTINATIONS && run->translates[false][local] &&
		(asks_for(run, dropped, FW_VAR_DESTINATION, within) ||
			asks_for(run, dropped, FW_VAR_PORT, within) ||
			asks_for(run, dropped, FW_VAR_TRANSLATED, within))) {
		note_unknown(run, base->place, "a drop by a destination that is translated later");
	}
	if (base->edge == FW_RB_BEHIND_ROUTING && base->priority >= SOURCES &&
		run->translates[true][false] &&
		(asks_for(run, dropped, FW_VAR_SOURCE, within) ||
			asks_for(run, dropped, FW_VAR_SOURCE_PORT, within))) {
		note_unknown(run, base->place, "a drop by a source that was translated before");
	}
}

/* What it drops of what it sees is taken from what arrives; other verdicts decide nothing. */
static void run_view(struct run *run, const struct fw_rb_chain *base,
	const struct streams *arriving, struct streams *passed) {
	struct view view = view_of(run, base, run->hook);
	struct streams seen FW_AUTO(streams_fini) = {0};
	struct streams unseen FW_AUTO(streams_fini) = {0};
	size_t kept = run->decisions.count;

	add_stream(run, &seen, (struct stream){.set = view.set});
	run_base(run, base, &seen, &unseen);
	if (run->outcome.limited.list.count != 0 || run->outcome.dropped_up_to.list.count != 0) {
		note_unknown(run, base->place, "a limit before packets are tracked or routed");
	}
	for (size_t i = kept; i < run->decisions.count; i++) {
		struct fw_rb_decision decision = run->decisions.items[i];
		decision.set = behind_view(run, &view, run->hook, decision.set);
		if (!decision.accepts) {
			run->decisions.items[kept++] = decision;
		}
	}
	run->decisions.count = kept;
	fw_space dropped = unite(run, &run->outcome.dropped);
	fw_space rejected = unite(run, &run->outcome.rejected);
	check_addresses(run, base, dropped, view.set);
	dropped = behind_view(run, &view, run->hook, dropped);
	rejected = behind_view(run, &view, run->hook, rejected);
	outcome_fini(&run->outcome);
	for (size_t i = 0; i < arriving->list.count; i++) {
		struct stream stream = arriving->list.items[i];
		add_set(&run->outcome.rejected,
			fw_space_intersect(run->spaces, stream.set, rejected));
		stream.set = fw_space_subtract(run->spaces, stream.set, dropped);
		add_stream(run, passed, stream);
	}
}

/* ---- hooks ---- */

struct bases {
	FW_VEC(const struct fw_rb_chain *) list;
};

/* 1 before routing, 2 the hook itself, 3 behind it; 0: packets of the hook do not come by. */
static int station(const struct fw_rb_chain *chain, enum fw_rb_hook hook) {
	if (chain->nat) {
		return 0;
	}
	switch (chain->edge) {
	case FW_RB_BEFORE_ROUTING:
		return hook == FW_RB_OUTPUT ? 0 : 1;
	case FW_RB_BEHIND_ROUTING:
		return hook == FW_RB_INPUT ? 0 : 3;
	case FW_RB_NO_EDGE:
		break;
	}
	return chain->hook == hook ? 2 : 0;
}

static int compare_bases(const void *left, const void *right) {
	const struct fw_rb_chain *a = *(const struct fw_rb_chain *const *)left;
	const struct fw_rb_chain *b = *(const struct fw_rb_chain *const *)right;

	if (a->priority != b->priority) {
		return a->priority < b->priority ? -1 : 1;
	}
	return (a > b) - (a < b);
}

static void sort_bases(struct bases *bases, size_t from) {
	if (bases->list.count > from) {
		qsort(bases->list.items + from, bases->list.count - from,
			sizeof(*bases->list.items), compare_bases);
	}
}

static void find_bases(const struct run *run, enum fw_rb_hook hook, struct bases *out) {
	for (int at = 1; at <= 3; at++) {
		size_t from = out->list.count;
		for (size_t i = 0; i < run->program->chain_count; i++) {
			if (station(&run->program->chains[i], hook) == at) {
				FW_VEC_ADD(&out->list, &run->program->chains[i]);
			}
		}
		sort_bases(out, from);
	}
}

/* One entry a bucket: packets that only it lets through. */
static void settle(struct run *run, const struct streams *streams, struct fw_readback *out) {
	out->must[run->hook] = out->may[run->hook] = FW_SPACE_EMPTY;
	for (size_t i = 0; i < streams->list.count; i++) {
		const struct stream *stream = &streams->list.items[i];
		out->may[run->hook] = fw_space_union(run->spaces, out->may[run->hook], stream->set);
		if (stream->limit == NULL) {
			out->must[run->hook] = stream->set;
			continue;
		}
		FW_VEC_ADD(&run->rated, (struct fw_rb_rated){run->hook, stream->set,
						stream->limit->rate, stream->limit->place});
	}
}

static void run_hook(struct run *run, enum fw_rb_hook hook, struct fw_readback *out) {
	struct streams streams FW_AUTO(streams_fini) = {0};
	struct sets rejected = {0};
	struct bases bases = {0};

	run->hook = hook;
	add_stream(run, &streams, (struct stream){.set = of_hook(run, hook)});
	find_bases(run, hook, &bases);
	for (size_t i = 0; i < bases.list.count; i++) {
		const struct fw_rb_chain *base = bases.list.items[i];
		struct streams passed = {0};
		if (sees_all(base)) {
			run_base(run, base, &streams, &passed);
			check_addresses(
				run, base, unite(run, &run->outcome.dropped), of_hook(run, hook));
			pass_on(run, &passed);
		} else {
			run_view(run, base, &streams, &passed);
		}
		add_set(&rejected, unite(run, &run->outcome.rejected));
		streams_fini(&streams);
		streams = passed;
	}
	outcome_fini(&run->outcome);
	settle(run, &streams, out);
	out->rejected[hook] = unite(run, &rejected);
	FW_VEC_FINI(&rejected.list);
	FW_VEC_FINI(&bases.list);
}

/* ---- translation ---- */

/* First packets of connections, as a kind of nat chain sees them. */
static fw_space first_packets(struct run *run, bool source, bool local) {
	fw_space set;

	if (source) {
		set = local ? of_hook(run, FW_RB_INPUT)
			    : fw_space_union(run->spaces, of_hook(run, FW_RB_OUTPUT),
				      of_hook(run, FW_RB_FORWARD));
	} else {
		set = of_hook(run, local ? FW_RB_OUTPUT : FW_RB_INPUT);
		set = fw_space_intersect(run->spaces, set, is(run, FW_VAR_TRANSLATED, 0));
	}
	return fw_space_intersect(run->spaces, set, is(run, FW_VAR_TRACKING, FW_TRACKING_NEW));
}

/* Lets go of what such a set does not tell. */
static fw_space let_go(struct run *run, fw_space set, bool source, bool local, fw_space within) {
	set = fw_space_exists(run->spaces, set, FW_VAR_HOOK);
	if (!source && !local) {
		set = fw_space_exists(run->spaces, set, FW_VAR_OUT);
	}
	within = fw_space_exists(run->spaces, within, FW_VAR_HOOK);
	if (source && !local && !asks_for(run, set, FW_VAR_IN, within)) {
		set = fw_space_exists(run->spaces, set, FW_VAR_IN);
	}
	return set;
}

static void check_verdicts(struct run *run, size_t from) {
	for (size_t i = from; i < run->decisions.count; i++) {
		if (!run->decisions.items[i].accepts) {
			note_unknown(run, run->decisions.items[i].place, "a nat chain that drops");
		}
	}
	run->decisions.count = from;
}

static void run_nat(struct run *run, bool source, bool local) {
	fw_space all = first_packets(run, source, local);
	struct streams streams FW_AUTO(streams_fini) = {0};
	struct bases bases = {0};
	size_t first = run->rewrites.count, decisions = run->decisions.count;

	run->hook = FW_RB_NONE;
	for (size_t i = 0; i < run->program->chain_count; i++) {
		const struct fw_rb_chain *chain = &run->program->chains[i];
		if (chain->nat && chain->source == source && chain->local == local) {
			FW_VEC_ADD(&bases.list, chain);
		}
	}
	sort_bases(&bases, 0);
	add_stream(run, &streams, (struct stream){.set = all});
	for (size_t i = 0; i < bases.list.count; i++) {
		struct streams passed = {0};
		run_base(run, bases.list.items[i], &streams, &passed);
		pass_on(run, &passed);
		streams_fini(&streams);
		streams = passed;
	}
	outcome_fini(&run->outcome);
	check_verdicts(run, decisions);
	run->translates[source][local] = run->rewrites.count != first;
	for (size_t i = first; i < run->rewrites.count; i++) {
		struct fw_rb_rewrite *one = &run->rewrites.items[i];
		one->set = let_go(run, one->set, source, local, all);
	}
	FW_VEC_FINI(&bases.list);
}

/* ---- all of it ---- */

#define COPY(run, vec) fw_rb_copy((run)->arena, (vec)->items, (vec)->count, sizeof(*(vec)->items))

static void run_fini(struct run *run) {
	FW_VEC_FINI(&run->unknowns);
	FW_VEC_FINI(&run->decisions);
	FW_VEC_FINI(&run->rated);
	FW_VEC_FINI(&run->rewrites);
}

bool fw_rb_run(struct fw_arena *arena, struct fw_spaces *spaces, fw_space universe,
	const struct fw_rb_program *program, struct fw_readback *out) {
	FW_AUTO(run_fini)
	struct run run = {
		.arena = arena, .spaces = spaces, .universe = universe, .program = program};

	for (size_t i = 0; i < out->unknown_count; i++) {
		FW_VEC_ADD(&run.unknowns, out->unknowns[i]);
	}
	run_nat(&run, false, false);
	run_nat(&run, false, true);
	run_nat(&run, true, false);
	run_nat(&run, true, true);
	for (int hook = FW_RB_INPUT; hook < FW_RB_HOOK_COUNT; hook++) {
		run_hook(&run, (enum fw_rb_hook)hook, out);
	}
	out->unknowns = COPY(&run, &run.unknowns);
	out->unknown_count = run.unknowns.count;
	out->decisions = COPY(&run, &run.decisions);
	out->decision_count = run.decisions.count;
	out->rated = COPY(&run, &run.rated);
	out->rated_count = run.rated.count;
	out->rewrites = COPY(&run, &run.rewrites);
	out->rewrite_count = run.rewrites.count;
	return !spaces->exhausted;
}
