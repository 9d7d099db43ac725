// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The base chains that packets of a hook come by, one after the other, each of which sees them as
 * they look at that point; and those of translation.
 */

#include "readback/run.h"

#include <stdlib.h>
#include <string.h>

/* Netfilter's priorities of connection tracking and of translation. */
enum { TRACKING = -200, DESTINATIONS = -100, SOURCES = 100 };

/* The number of the loopback interface. */
enum { LOOPBACK = 1 };

/* ---- base chains ---- */

/* Runs one on the streams it sees; `passed` gets those that it does not. */
static void run_base(struct fw_exec *exec, const struct fw_rb_chain *base,
	const struct fw_streams *arriving, struct fw_streams *passed) {
	struct fw_streams streams FW_AUTO(fw_streams_fini) = {0};

	fw_outcome_fini(&exec->outcome);
	exec->base = exec->chain = base;
	for (size_t i = 0; i < fw_streams_count(arriving); i++) {
		struct fw_stream stream = fw_streams_get(arriving, i);
		struct fw_stream seen = stream;
		seen.set = fw_space_intersect(exec->spaces, stream.set, base->seen);
		stream.set = fw_space_subtract(exec->spaces, stream.set, base->seen);
		fw_streams_add(exec, &streams, seen);
		fw_streams_add(exec, passed, stream);
	}
	fw_streams_settle(exec, &streams);
	fw_exec_walk(exec, (size_t)(base - exec->program->chains), base->place, &streams);
	fw_streams_settle(exec, &streams);
	for (size_t i = 0; i < fw_streams_count(&streams); i++) {
		if (base->drops) {
			fw_exec_drop(exec, base->place, false, fw_streams_get(&streams, i));
		} else {
			fw_exec_accept(exec, base->place, fw_streams_get(&streams, i));
		}
	}
	fw_exec_judge(exec);
}

/* The streams that the next base chain gets. */
static void pass_on(struct fw_exec *exec, struct fw_streams *passed) {
	const struct fw_outcome *outcome = &exec->outcome;
	fw_space all = fw_exec_without_dropped(exec, fw_exec_unite(exec, &outcome->accepted));

	fw_streams_add(exec, passed, (struct fw_stream){.set = all});
	for (size_t i = 0; i < outcome->limited.beside.count; i++) {
		struct fw_stream stream = outcome->limited.beside.items[i];
		stream.set = fw_space_subtract(exec->spaces, stream.set, all);
		stream.set = fw_exec_without_dropped(exec, stream.set);
		stream.spare = false;
		fw_streams_add(exec, passed, stream);
	}
	fw_streams_settle(exec, passed);
}

/* ---- packets as a base chain sees them ---- */

/* A hook's packets may look different to a chain: not tracked yet, or not routed. */
struct view {
	fw_space set;
	enum fw_var lost[FW_VAR_COUNT]; /* what it cannot tell apart, up to FW_VAR_NONE */
	size_t lost_count;
};

static fw_space is(struct fw_exec *exec, enum fw_var var, uint64_t value) {
	return fw_space_interval(exec->spaces, var, fw_value(value), fw_value(value));
}

static fw_space of_hook(struct fw_exec *exec, enum fw_rb_hook hook) {
	return fw_space_intersect(exec->spaces, exec->universe, is(exec, FW_VAR_HOOK, hook));
}

static bool sees_untracked(const struct fw_rb_chain *base) {
	return base->priority <= TRACKING &&
	       (base->edge == FW_RB_BEFORE_ROUTING || base->hook == FW_RB_OUTPUT);
}

/* Whether the hook's packets look to the chain as they are. */
static bool sees_all(const struct fw_rb_chain *base) {
	return base->edge != FW_RB_BEFORE_ROUTING && !sees_untracked(base);
}

/* Before routing there is no out-interface. */
static struct view view_of(struct fw_exec *exec, const struct fw_rb_chain *base) {
	struct view view = {.set = of_hook(exec, exec->hook)};

	if (base->edge == FW_RB_BEFORE_ROUTING) {
		view.lost[view.lost_count++] = FW_VAR_OUT;
		view.set = fw_space_intersect(exec->spaces,
			fw_space_exists(exec->spaces, view.set, FW_VAR_OUT),
			is(exec, FW_VAR_OUT, 0));
	}
	return view;
}

/* Part of a view: packets without a connection, whose state reads as invalid. */
static struct view untracked_view(struct fw_exec *exec, struct view view) {
	view.set = fw_space_intersect(
		exec->spaces, view.set, is(exec, FW_VAR_TRACKING, FW_TRACKING_INVALID));
	view.lost[view.lost_count++] = FW_VAR_TRACKING;
	view.lost[view.lost_count++] = FW_VAR_TRANSLATED;
	return view;
}

/* The hook's packets that look like these. */
static fw_space behind_view(struct fw_exec *exec, const struct view *view, fw_space set) {
	for (size_t i = 0; i < view->lost_count; i++) {
		set = fw_space_exists(exec->spaces, set, view->lost[i]);
	}
	return fw_space_intersect(exec->spaces, set, of_hook(exec, exec->hook));
}

static bool asks_for(struct fw_exec *exec, fw_space set, enum fw_var var, fw_space within) {
	fw_space any = fw_space_exists(exec->spaces, set, var);

	return fw_space_intersect(exec->spaces, any, within) != set;
}

static bool translates(const struct fw_exec *exec, struct fw_rb_translating what) {
	bool found = false;

	for (size_t i = 0; i < exec->translating.count; i++) {
		const struct fw_rb_translating *one = &exec->translating.items[i];
		found = found || (one->source == what.source && one->local == what.local);
	}
	return found;
}

/* A chain judges packets by addresses that they have not at the hook, if they are translated. */
static void note_judging(
	struct fw_exec *exec, const struct fw_rb_chain *base, struct fw_rb_translating by) {
	const char *what = by.source ? "a drop by a source that was translated before"
				     : "a drop by a destination that is translated later";
	struct fw_rb_judging judging = {
		by, {.place = base->place, .what = what, .hook = exec->hook}};

	FW_VEC_ADD(&exec->judging, judging);
	if (translates(exec, by)) {
		fw_exec_unknown(exec, base->place, what);
	}
}

static bool asks_for_any(struct fw_exec *exec, fw_space set, const enum fw_var *vars, size_t count,
	fw_space within) {
	bool any = false;

	for (size_t i = 0; set != FW_SPACE_EMPTY && !any && i < count; i++) {
		any = asks_for(exec, set, vars[i], within);
	}
	return any;
}

static void check_addresses(
	struct fw_exec *exec, const struct fw_rb_chain *base, fw_space dropped, fw_space within) {
	static const enum fw_var to[] = {FW_VAR_DESTINATION, FW_VAR_PORT, FW_VAR_TRANSLATED};
	static const enum fw_var from[] = {FW_VAR_SOURCE, FW_VAR_SOURCE_PORT};
	bool output = base->hook == FW_RB_OUTPUT, input = base->hook == FW_RB_INPUT;
	bool early = base->edge == FW_RB_BEFORE_ROUTING || output;
	bool late = base->edge == FW_RB_BEHIND_ROUTING || input;

	if (early && base->priority <= DESTINATIONS &&
		asks_for_any(exec, dropped, to, FW_LENGTH(to), within)) {
		note_judging(exec, base, (struct fw_rb_translating){false, output});
	}
	if (late && base->priority >= SOURCES &&
		asks_for_any(exec, dropped, from, FW_LENGTH(from), within)) {
		note_judging(exec, base, (struct fw_rb_translating){true, input});
	}
}

/* Decisions of packets as the chain sees them, as those of the hook's. */
static void turn_decisions(struct fw_exec *exec, const struct view *view, size_t from) {
	size_t kept = from;

	for (size_t i = from; i < exec->decisions.count; i++) {
		struct fw_rb_decision decision = exec->decisions.items[i];
		decision.set = behind_view(exec, view, decision.set);
		if (!decision.accepts) {
			exec->decisions.items[kept++] = decision;
		}
	}
	exec->decisions.count = kept;
}

/* What it drops of what it sees is taken from what arrives; other verdicts decide nothing. */
static void run_view(struct fw_exec *exec, const struct fw_rb_chain *base, const struct view *view,
	struct fw_streams *streams, struct fw_exec_sets *all_rejected) {
	struct fw_streams seen FW_AUTO(fw_streams_fini) = {0};
	struct fw_streams unseen FW_AUTO(fw_streams_fini) = {0};
	struct fw_streams passed = {0};
	size_t decisions = exec->decisions.count;

	fw_streams_add(exec, &seen, (struct fw_stream){.set = view->set});
	run_base(exec, base, &seen, &unseen);
	if (exec->outcome.limited.beside.count != 0 ||
		exec->outcome.dropped_up_to.list.count != 0) {
		fw_exec_unknown(exec, base->place, "a limit before packets are tracked or routed");
	}
	turn_decisions(exec, view, decisions);
	fw_space dropped = fw_exec_unite(exec, &exec->outcome.dropped);
	fw_space rejected = fw_exec_unite(exec, &exec->outcome.rejected);
	check_addresses(exec, base, dropped, view->set);
	dropped = behind_view(exec, view, dropped);
	rejected = behind_view(exec, view, rejected);
	for (size_t i = 0; i < fw_streams_count(streams); i++) {
		struct fw_stream stream = fw_streams_get(streams, i);
		fw_exec_add_set(
			all_rejected, fw_space_intersect(exec->spaces, stream.set, rejected));
		stream.set = fw_space_subtract(exec->spaces, stream.set, dropped);
		fw_streams_add(exec, &passed, stream);
	}
	fw_streams_fini(streams);
	*streams = passed;
}

/* What comes in from the machine itself was tracked when it was sent. */
static void run_early(struct fw_exec *exec, const struct fw_rb_chain *base,
	struct fw_streams *streams, struct fw_exec_sets *rejected) {
	struct view view = view_of(exec, base), own = view;
	fw_space loopback = is(exec, FW_VAR_IN, LOOPBACK);

	if (!sees_untracked(base)) {
		run_view(exec, base, &view, streams, rejected);
		return;
	}
	own.set = fw_space_intersect(exec->spaces, view.set, loopback);
	view.set = fw_space_subtract(exec->spaces, view.set, loopback);
	view = untracked_view(exec, view);
	run_view(exec, base, &view, streams, rejected);
	if (own.set != FW_SPACE_EMPTY) {
		run_view(exec, base, &own, streams, rejected);
	}
}

/* One that sees packets as they are. */
static void run_plain(struct fw_exec *exec, const struct fw_rb_chain *base,
	struct fw_streams *streams, struct fw_exec_sets *rejected) {
	struct fw_streams passed = {0};

	run_base(exec, base, streams, &passed);
	check_addresses(
		exec, base, fw_exec_unite(exec, &exec->outcome.dropped), of_hook(exec, exec->hook));
	pass_on(exec, &passed);
	fw_exec_add_set(rejected, fw_exec_unite(exec, &exec->outcome.rejected));
	fw_streams_fini(streams);
	*streams = passed;
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

static void find_bases(const struct fw_exec *exec, enum fw_rb_hook hook, struct bases *out) {
	for (int at = 1; at <= 3; at++) {
		size_t from = out->list.count;
		for (size_t i = 0; i < exec->program->chain_count; i++) {
			if (station(&exec->program->chains[i], hook) == at) {
				FW_VEC_ADD(&out->list, &exec->program->chains[i]);
			}
		}
		sort_bases(out, from);
	}
}

/* One entry a bucket: packets that only it lets through. */
static void conclude(
	struct fw_exec *exec, const struct fw_streams *streams, struct fw_readback *out) {
	out->must[exec->hook] = out->may[exec->hook] = FW_SPACE_EMPTY;
	for (size_t i = 0; i < fw_streams_count(streams); i++) {
		struct fw_stream stream = fw_streams_get(streams, i);
		out->may[exec->hook] =
			fw_space_union(exec->spaces, out->may[exec->hook], stream.set);
		if (stream.limit == NULL) {
			out->must[exec->hook] = stream.set;
			continue;
		}
		FW_VEC_ADD(&exec->rated,
			(struct fw_rb_rated){exec->hook, stream.set, stream.limit->rate,
				stream.limit->place, FW_SPACE_EMPTY});
		FW_VEC_ADD(&exec->buckets, stream.limit->bucket);
	}
}

/* Whether some of these packets pass by one interface and not by another, be it up to a limit; what
 * the machine sends to itself has no other way. */
static bool passes_by_interface(struct fw_exec *exec, const struct fw_readback *out, fw_space set) {
	enum fw_rb_hook hook = exec->hook;

	set = fw_space_subtract(exec->spaces, set, is(exec, FW_VAR_OUT, LOOPBACK));
	return asks_for(exec, fw_space_intersect(exec->spaces, out->may[hook], set), FW_VAR_OUT,
		       set) ||
	       asks_for(exec, fw_space_intersect(exec->spaces, out->must[hook], set), FW_VAR_OUT,
		       set);
}

/* What may go round the chains must get through them anyway. */
static void check_bypasses(struct fw_exec *exec, const struct fw_readback *out) {
	for (size_t i = 0; i < exec->program->bypass_count; i++) {
		const struct fw_rb_bypass *one = &exec->program->bypasses[i];
		fw_space set =
			fw_space_intersect(exec->spaces, one->set, of_hook(exec, exec->hook));
		if (one->hook == exec->hook &&
			(one->rerouted ? passes_by_interface(exec, out, set)
				       : !fw_space_is_subset(
						 exec->spaces, set, out->must[exec->hook]))) {
			fw_exec_unknown(exec, one->place, one->what);
		}
	}
}

static void run_hook(struct fw_exec *exec, enum fw_rb_hook hook, struct fw_readback *out) {
	struct fw_streams streams FW_AUTO(fw_streams_fini) = {0};
	struct fw_exec_sets rejected = {0};
	struct bases bases = {0};

	exec->hook = hook;
	fw_streams_add(exec, &streams, (struct fw_stream){.set = of_hook(exec, hook)});
	find_bases(exec, hook, &bases);
	for (size_t i = 0; i < bases.list.count; i++) {
		const struct fw_rb_chain *base = bases.list.items[i];
		if (sees_all(base)) {
			run_plain(exec, base, &streams, &rejected);
		} else {
			run_early(exec, base, &streams, &rejected);
		}
	}
	fw_outcome_fini(&exec->outcome);
	fw_streams_settle(exec, &streams);
	conclude(exec, &streams, out);
	check_bypasses(exec, out);
	out->rejected[hook] = fw_exec_unite(exec, &rejected);
	FW_VEC_FINI(&rejected.list);
	FW_VEC_FINI(&bases.list);
}

/* ---- translation ---- */

/*
 * First packets of connections, as a kind of nat chain sees them. Before routing there is no hook
 * that they are known to go to; what comes in on lo was sent from here, and translated then or
 * never.
 */
static fw_space first_packets(struct fw_exec *exec, bool source, bool local) {
	fw_space set;

	if (source) {
		set = local ? of_hook(exec, FW_RB_INPUT)
			    : fw_space_union(exec->spaces, of_hook(exec, FW_RB_OUTPUT),
				      of_hook(exec, FW_RB_FORWARD));
	} else {
		set = of_hook(exec, local ? FW_RB_OUTPUT : FW_RB_INPUT);
		set = fw_space_intersect(exec->spaces, set, is(exec, FW_VAR_TRANSLATED, 0));
	}
	if (!source && !local) {
		set = fw_space_exists(exec->spaces, set, FW_VAR_HOOK);
		set = fw_space_intersect(exec->spaces, set, is(exec, FW_VAR_HOOK, FW_RB_NONE));
		set = fw_space_subtract(exec->spaces, set, is(exec, FW_VAR_IN, LOOPBACK));
	}
	return fw_space_intersect(exec->spaces, set, is(exec, FW_VAR_TRACKING, FW_TRACKING_NEW));
}

/* Lets go of what such a set does not tell. */
static fw_space let_go(
	struct fw_exec *exec, fw_space set, bool source, bool local, fw_space within) {
	set = fw_space_exists(exec->spaces, set, FW_VAR_HOOK);
	if (!source && !local) {
		set = fw_space_exists(exec->spaces, set, FW_VAR_OUT);
	}
	within = fw_space_exists(exec->spaces, within, FW_VAR_HOOK);
	if (source && !local && !asks_for(exec, set, FW_VAR_IN, within)) {
		set = fw_space_exists(exec->spaces, set, FW_VAR_IN);
	}
	return set;
}

static void check_verdicts(struct fw_exec *exec, size_t from) {
	for (size_t i = from; i < exec->decisions.count; i++) {
		if (!exec->decisions.items[i].accepts) {
			fw_exec_unknown(
				exec, exec->decisions.items[i].place, "a nat chain that drops");
		}
	}
	exec->decisions.count = from;
}

/* What each of some chains would translate, were it the first of them. */
struct claims {
	FW_VEC(struct fw_rb_rewrite) list;
};

static void claim(struct fw_exec *exec, const struct fw_rb_chain *base,
	const struct fw_streams *streams, struct claims *out) {
	struct fw_streams arriving FW_AUTO(fw_streams_fini) = {0};
	struct fw_streams passed FW_AUTO(fw_streams_fini) = {0};
	size_t first = exec->rewrites.count, decisions = exec->decisions.count;

	fw_streams_add(
		exec, &arriving, (struct fw_stream){.set = fw_exec_unite(exec, &streams->main)});
	run_base(exec, base, &arriving, &passed);
	for (size_t i = first; i < exec->rewrites.count; i++) {
		FW_VEC_ADD(&out->list, exec->rewrites.items[i]);
	}
	exec->rewrites.count = first;
	exec->decisions.count = decisions;
}

/* Of chains of one priority, those come first that were registered last, which nobody tells. */
static void check_order(struct fw_exec *exec, const struct bases *bases, size_t from, size_t to,
	const struct fw_streams *streams) {
	struct claims all = {0};

	for (size_t i = from; i < to && to - from > 1; i++) {
		size_t before = all.list.count;
		fw_space theirs = fw_rb_rewritten(
			exec->spaces, all.list.items, before, bases->list.items[i]->source);
		claim(exec, bases->list.items[i], streams, &all);
		for (size_t j = before; j < all.list.count; j++) {
			const struct fw_rb_rewrite *one = &all.list.items[j];
			fw_space set =
				fw_rb_clash(exec->spaces, all.list.items, before, theirs, one);
			if (set != FW_SPACE_EMPTY) {
				fw_exec_unknown_translation(
					exec, one->place, fw_rb_clashes, true, set);
			}
		}
	}
	FW_VEC_FINI(&all.list);
}

/* Where the chains of the same priority end. */
static size_t same_priority(const struct bases *bases, size_t from) {
	size_t end = from;

	while (end < bases->list.count &&
		bases->list.items[end]->priority == bases->list.items[from]->priority) {
		end++;
	}
	return end;
}

static void run_nat(struct fw_exec *exec, bool source, bool local) {
	fw_space all = first_packets(exec, source, local);
	struct fw_streams streams FW_AUTO(fw_streams_fini) = {0};
	struct bases bases = {0};
	size_t first = exec->rewrites.count, decisions = exec->decisions.count;
	size_t unknowns = exec->unknowns.count;

	exec->hook = FW_RB_NONE;
	exec->guessed = false;
	for (size_t i = 0; i < exec->program->chain_count; i++) {
		const struct fw_rb_chain *chain = &exec->program->chains[i];
		if (chain->nat && chain->source == source && chain->local == local) {
			FW_VEC_ADD(&bases.list, chain);
		}
	}
	sort_bases(&bases, 0);
	fw_streams_add(exec, &streams, (struct fw_stream){.set = all});
	for (size_t i = 0, end = 0; i < bases.list.count; i++) {
		struct fw_streams passed = {0};
		if (i == end) {
			end = same_priority(&bases, i);
			check_order(exec, &bases, i, end, &streams);
		}
		run_base(exec, bases.list.items[i], &streams, &passed);
		pass_on(exec, &passed);
		fw_streams_fini(&streams);
		streams = passed;
	}
	fw_outcome_fini(&exec->outcome);
	check_verdicts(exec, decisions);
	if (exec->rewrites.count != first || exec->unknowns.count != unknowns || exec->guessed) {
		struct fw_rb_translating one = {source, local};
		FW_VEC_ADD(&exec->translating, one);
	}
	for (size_t i = first; i < exec->rewrites.count; i++) {
		struct fw_rb_rewrite *one = &exec->rewrites.items[i];
		one->set = let_go(exec, one->set, source, local, all);
	}
	for (size_t i = unknowns; i < exec->unknowns.count; i++) {
		struct fw_rb_unknown *one = &exec->unknowns.items[i];
		one->translated = let_go(exec, one->translated, source, local, all);
	}
	FW_VEC_FINI(&bases.list);
}

/* ---- buckets ---- */

/* Who draws on the bucket of what is rated. What goes on from there and draws on it again is let
 * through at half the rate. */
static void settle_draws(struct fw_exec *exec, struct fw_rb_rated *rated, size_t bucket) {
	struct fw_exec_sets drawn = {0};

	for (size_t i = 0; i < exec->draws.count; i++) {
		const struct fw_draw *draw = &exec->draws.items[i];
		if (draw->bucket == bucket) {
			fw_exec_add_set(&drawn, draw->set);
		}
	}
	rated->drawn = fw_exec_unite(exec, &drawn);
	exec->hook = rated->hook;
	for (size_t i = 0; i < exec->draws.count; i++) {
		const struct fw_draw *draw = &exec->draws.items[i];
		fw_space twice = fw_space_intersect(exec->spaces, draw->set, rated->set);
		if (draw->bucket == bucket && draw->idle && twice != FW_SPACE_EMPTY) {
			fw_exec_unknown(
				exec, draw->place, "a limit that packets draw on more than once");
		}
	}
	FW_VEC_FINI(&drawn.list);
}

/* ---- what is odd ---- */

/* Where the first rule is that translates what the machine sends to itself; NULL: none does. */
static const char *translating_own(struct fw_exec *exec) {
	fw_space own = fw_space_union(exec->spaces, is(exec, FW_VAR_OUT, LOOPBACK),
		fw_space_intersect(exec->spaces, is(exec, FW_VAR_FAMILY, FW_IPV4),
			fw_space_interval(exec->spaces, FW_VAR_DESTINATION,
				fw_value((uint64_t)127 << 24),
				fw_value(((uint64_t)128 << 24) - 1))));
	fw_space sent = fw_space_exists(exec->spaces, of_hook(exec, FW_RB_OUTPUT), FW_VAR_HOOK);

	own = fw_space_intersect(exec->spaces, own, sent);
	for (size_t i = 0; i < exec->rewrites.count; i++) {
		const struct fw_rb_rewrite *one = &exec->rewrites.items[i];
		if (!one->source &&
			fw_space_intersect(exec->spaces, one->set, own) != FW_SPACE_EMPTY) {
			return one->place.text;
		}
	}
	return NULL;
}

static void add_remark(struct fw_exec *exec, struct fw_readback *out) {
	const char *place = translating_own(exec);
	size_t count = out->remark_count;

	if (place == NULL) {
		return;
	}
	const char **remarks = FW_ARENA_ARRAY(exec->arena, const char *, count + 1);
	for (size_t i = 0; i < count; i++) {
		remarks[i] = out->remarks[i];
	}
	remarks[count] = fw_arena_printf(exec->arena,
		"%s: what this machine sends to itself is translated, and may leave it", place);
	out->remarks = remarks;
	out->remark_count = count + 1;
}

/* ---- all of it ---- */

#define COPY(exec, vec) fw_rb_copy((exec)->arena, (vec)->items, (vec)->count, sizeof(*(vec)->items))

static void exec_fini(struct fw_exec *exec) {
	free(exec->entered);
	FW_VEC_FINI(&exec->unknowns);
	FW_VEC_FINI(&exec->decisions);
	FW_VEC_FINI(&exec->rated);
	FW_VEC_FINI(&exec->buckets);
	FW_VEC_FINI(&exec->draws);
	FW_VEC_FINI(&exec->translating);
	FW_VEC_FINI(&exec->judging);
	FW_VEC_FINI(&exec->rewrites);
}

bool fw_rb_run(struct fw_arena *arena, struct fw_spaces *spaces, fw_space universe,
	const struct fw_rb_program *program, struct fw_readback *out) {
	FW_AUTO(exec_fini)
	struct fw_exec exec = {
		.arena = arena, .spaces = spaces, .universe = universe, .program = program};

	exec.entered = fw_resize(NULL, program->chain_count + 1, sizeof(*exec.entered));
	memset(exec.entered, 0, program->chain_count * sizeof(*exec.entered));
	for (size_t i = 0; i < out->unknown_count; i++) {
		FW_VEC_ADD(&exec.unknowns, out->unknowns[i]);
	}
	run_nat(&exec, false, false);
	run_nat(&exec, false, true);
	run_nat(&exec, true, false);
	run_nat(&exec, true, true);
	for (int hook = FW_RB_INPUT; hook < FW_RB_HOOK_COUNT; hook++) {
		run_hook(&exec, (enum fw_rb_hook)hook, out);
	}
	for (size_t i = 0; i < exec.rated.count; i++) {
		settle_draws(&exec, &exec.rated.items[i], exec.buckets.items[i]);
	}
	add_remark(&exec, out);
	out->unknowns = COPY(&exec, &exec.unknowns);
	out->unknown_count = exec.unknowns.count;
	out->translating = COPY(&exec, &exec.translating);
	out->translating_count = exec.translating.count;
	out->judging = COPY(&exec, &exec.judging);
	out->judging_count = exec.judging.count;
	out->decisions = COPY(&exec, &exec.decisions);
	out->decision_count = exec.decisions.count;
	out->rated = COPY(&exec, &exec.rated);
	out->rated_count = exec.rated.count;
	out->rewrites = COPY(&exec, &exec.rewrites);
	out->rewrite_count = exec.rewrites.count;
	return !spaces->exhausted;
}
