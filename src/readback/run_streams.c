// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Streams of packets, and what became of those that left them for a verdict.
 */

#include "readback/run.h"

#include <stdlib.h>
#include <string.h>

enum { GUESSES_MAX = 32 }; /* streams of them at once; more are taken for one */

/* ---- sets ---- */

void fw_exec_add_set(struct fw_exec_sets *sets, fw_space set) {
	if (set != FW_SPACE_EMPTY) {
		FW_VEC_ADD(&sets->list, set);
	}
}

fw_space fw_exec_unite(struct fw_exec *exec, const struct fw_exec_sets *sets) {
	return fw_space_union_all(exec->spaces, sets->list.items, sets->list.count);
}

/* ---- streams ---- */

void fw_streams_fini(struct fw_streams *streams) {
	FW_VEC_FINI(&streams->main.list);
	FW_VEC_FINI(&streams->beside);
}

static bool same_limit(const struct fw_stream *a, const struct fw_stream *b) {
	if (fw_stream_is_guess(a) || fw_stream_is_guess(b)) {
		return a->limit == b->limit && a->since == b->since;
	}
	return a->limit->bucket == b->limit->bucket && a->spare == b->spare && a->since == b->since;
}

/* The stream that another one is to be part of. */
static struct fw_stream *find_same(struct fw_streams *streams, const struct fw_stream *stream) {
	struct fw_stream *guess = NULL;
	size_t guesses = 0;

	for (size_t i = 0; i < streams->beside.count; i++) {
		struct fw_stream *other = &streams->beside.items[i];
		if (same_limit(other, stream)) {
			return other;
		}
		if (fw_stream_is_guess(other)) {
			guess = other;
			guesses++;
		}
	}
	if (!fw_stream_is_guess(stream) || guesses < GUESSES_MAX) {
		return NULL;
	}
	/* The longer ago, the more may have happened meanwhile. */
	guess->since = guess->since < stream->since ? guess->since : stream->since;
	return guess;
}

void fw_streams_add(struct fw_exec *exec, struct fw_streams *streams, struct fw_stream stream) {
	if (stream.set == FW_SPACE_EMPTY) {
		return;
	}
	if (stream.limit == NULL) {
		fw_exec_add_set(&streams->main, stream.set);
		return;
	}
	struct fw_stream *same = find_same(streams, &stream);
	if (same != NULL) {
		same->set = fw_space_union(exec->spaces, same->set, stream.set);
	} else {
		FW_VEC_ADD(&streams->beside, stream);
	}
}

void fw_streams_add_all(
	struct fw_exec *exec, struct fw_streams *streams, const struct fw_streams *more) {
	for (size_t i = 0; i < fw_streams_count(more); i++) {
		fw_streams_add(exec, streams, fw_streams_get(more, i));
	}
}

/* Of events that happened to the main stream since then. */
static fw_space events_since(struct fw_exec *exec, const struct fw_events *events, size_t since) {
	struct fw_exec_sets sets = {0};

	for (size_t i = 0; i < events->list.count; i++) {
		if (events->list.items[i].since >= since) {
			fw_exec_add_set(&sets, events->list.items[i].set);
		}
	}
	fw_space set = fw_exec_unite(exec, &sets);
	FW_VEC_FINI(&sets.list);
	return set;
}

/* Packets that meet the main stream again go on in it, unless it lost some meanwhile. */
static fw_space beside_main(struct fw_exec *exec, const struct fw_stream *spare, fw_space main) {
	fw_space meanwhile = events_since(exec, &exec->outcome.passed_up_to, spare->since);

	return fw_space_subtract(
		exec->spaces, spare->set, fw_space_subtract(exec->spaces, main, meanwhile));
}

void fw_streams_settle(struct fw_exec *exec, struct fw_streams *streams) {
	fw_space main = fw_exec_unite(exec, &streams->main);
	size_t kept = 0;

	streams->main.list.count = 0;
	fw_exec_add_set(&streams->main, main);
	for (size_t i = 0; i < streams->beside.count; i++) {
		struct fw_stream stream = streams->beside.items[i];
		if (stream.spare && main != FW_SPACE_EMPTY) {
			stream.set = beside_main(exec, &stream, main);
		}
		if (stream.set != FW_SPACE_EMPTY) {
			streams->beside.items[kept++] = stream;
		}
	}
	streams->beside.count = kept;
}

/* ---- what is found out ---- */

static void note(struct fw_exec *exec, struct fw_rb_unknown unknown) {
	if (exec->unknowns.count == FW_RB_UNKNOWNS_MAX) {
		return;
	}
	for (size_t i = 0; i < exec->unknowns.count; i++) {
		struct fw_rb_unknown *other = &exec->unknowns.items[i];
		bool same = other->place.text == unknown.place.text &&
			    strcmp(other->what, unknown.what) == 0 && other->hook == unknown.hook &&
			    other->source == unknown.source;
		if (same && (other->translated == FW_SPACE_EMPTY) ==
				    (unknown.translated == FW_SPACE_EMPTY)) {
			other->translated =
				fw_space_union(exec->spaces, other->translated, unknown.translated);
			other->own = other->own || unknown.own;
			return;
		}
	}
	FW_VEC_ADD(&exec->unknowns, unknown);
}

void fw_exec_unknown(struct fw_exec *exec, struct fw_place place, const char *what) {
	note(exec, (struct fw_rb_unknown){.place = place, .what = what, .hook = exec->hook});
}

void fw_exec_unknown_translation(
	struct fw_exec *exec, struct fw_place place, const char *what, bool own, fw_space set) {
	exec->guessed = true;
	note(exec, (struct fw_rb_unknown){.place = place,
			   .what = what,
			   .hook = exec->hook,
			   .translated = set,
			   .source = exec->base->source,
			   .own = own});
}

static void decide(struct fw_exec *exec, struct fw_place place, bool accepts, bool rejects,
	const struct fw_stream *stream) {
	fw_space set = stream->set;
	const struct fw_streams *limited = &exec->outcome.limited;

	/* What a limit lets through is not dropped for good. */
	for (size_t i = 0; !accepts && i < limited->beside.count; i++) {
		set = fw_space_subtract(exec->spaces, set, limited->beside.items[i].set);
	}
	if (set == FW_SPACE_EMPTY) {
		return;
	}
	FW_VEC_ADD(&exec->decisions, (struct fw_rb_decision){
					     .hook = exec->hook,
					     .accepts = accepts,
					     .rejects = rejects,
					     .limited = accepts && stream->limit != NULL,
					     .foreign = exec->chain->foreign,
					     .set = set,
					     .place = place,
				     });
}

/* ---- verdicts ---- */

void fw_outcome_fini(struct fw_outcome *outcome) {
	FW_VEC_FINI(&outcome->accepted.list);
	FW_VEC_FINI(&outcome->dropped.list);
	FW_VEC_FINI(&outcome->rejected.list);
	fw_streams_fini(&outcome->limited);
	FW_VEC_FINI(&outcome->passed.list);
	FW_VEC_FINI(&outcome->passed_up_to.list);
	FW_VEC_FINI(&outcome->dropped_up_to.list);
	for (size_t i = 0; i < outcome->guesses.count; i++) {
		FW_VEC_FINI(&outcome->guesses.items[i].sets.list);
	}
	FW_VEC_FINI(&outcome->guesses);
	*outcome = (struct fw_outcome){0};
}

void fw_exec_accept(struct fw_exec *exec, struct fw_place place, struct fw_stream stream) {
	struct fw_event event = {stream.set, stream.since, place};

	if (fw_stream_is_guess(&stream)) {
		fw_exec_guess(exec, stream, FW_FATE_PASSED);
		return;
	}
	decide(exec, place, true, false, &stream);
	if (stream.limit == NULL) {
		event.since = exec->outcome.clock++;
		fw_exec_add_set(&exec->outcome.accepted, stream.set);
		FW_VEC_ADD(&exec->outcome.passed.list, event);
	} else {
		stream.spare = false;
		stream.since = 0;
		fw_streams_add(exec, &exec->outcome.limited, stream);
		FW_VEC_ADD(&exec->outcome.passed_up_to.list, event);
	}
}

void fw_exec_drop(
	struct fw_exec *exec, struct fw_place place, bool rejects, struct fw_stream stream) {
	if (fw_stream_is_guess(&stream)) {
		fw_exec_guess(exec, stream, rejects ? FW_FATE_REJECTED : FW_FATE_DROPPED);
		return;
	}
	decide(exec, place, false, rejects, &stream);
	fw_exec_add_set(&exec->outcome.dropped, stream.set);
	if (rejects) {
		fw_exec_add_set(&exec->outcome.rejected, stream.set);
	}
	if (stream.spare) {
		FW_VEC_ADD(&exec->outcome.dropped_up_to.list,
			(struct fw_event){stream.set, stream.since, place});
	}
}

/* Packets that passed, also up to a limit, since then. */
static fw_space passed_since(struct fw_exec *exec, size_t since) {
	return fw_space_union(exec->spaces, events_since(exec, &exec->outcome.passed, since),
		events_since(exec, &exec->outcome.passed_up_to, since));
}

fw_space fw_exec_without_dropped(struct fw_exec *exec, fw_space set) {
	const struct fw_outcome *outcome = &exec->outcome;

	for (size_t i = 0; i < outcome->dropped_up_to.list.count; i++) {
		struct fw_event event = outcome->dropped_up_to.list.items[i];
		fw_space later = fw_space_intersect(
			exec->spaces, passed_since(exec, event.since), event.set);
		if (fw_space_intersect(exec->spaces, later, set) != FW_SPACE_EMPTY) {
			fw_exec_unknown(exec, event.place,
				"a drop up to a limit, and another verdict beyond it");
			set = fw_space_subtract(exec->spaces, set, later);
		}
	}
	return set;
}

/* ---- guesses ---- */

void fw_exec_guess(struct fw_exec *exec, struct fw_stream stream, enum fw_fate fate) {
	struct fw_outcome *outcome = &exec->outcome;
	struct fw_guess *guess = NULL;

	for (size_t i = outcome->guesses.count; guess == NULL && i-- > 0;) {
		struct fw_guess *one = &outcome->guesses.items[i];
		if (one->rule == stream.limit && one->since == stream.since && one->fate == fate) {
			guess = one;
		}
	}
	if (guess == NULL) {
		struct fw_guess first = {stream.limit, stream.since, fate, {{0}}};
		FW_VEC_ADD(&outcome->guesses, first);
		guess = &outcome->guesses.items[outcome->guesses.count - 1];
	}
	fw_exec_add_set(&guess->sets, stream.set);
}

/* Those of the packets that meet something else in the main stream. */
static fw_space doubtful(struct fw_exec *exec, const struct fw_guess *guess, fw_space set) {
	struct fw_outcome *outcome = &exec->outcome;
	bool nat = exec->hook == FW_RB_NONE;

	switch (guess->fate) {
	case FW_FATE_PASSED:
		return fw_space_subtract(
			exec->spaces, set, fw_exec_unite(exec, &outcome->accepted));
	case FW_FATE_DROPPED:
		return nat ? set
			   : fw_space_intersect(exec->spaces, set,
				     fw_space_union(exec->spaces, passed_since(exec, guess->since),
					     fw_exec_unite(exec, &outcome->rejected)));
	case FW_FATE_REJECTED:
		return nat ? set
			   : fw_space_subtract(
				     exec->spaces, set, fw_exec_unite(exec, &outcome->rejected));
	case FW_FATE_REWRITTEN:
	case FW_FATE_TAKEN_IN:
		break;
	}
	return set;
}

void fw_exec_judge(struct fw_exec *exec) {
	for (size_t i = 0; i < exec->outcome.guesses.count; i++) {
		const struct fw_guess *guess = &exec->outcome.guesses.items[i];
		const struct fw_rb_rule *rule = guess->rule;
		fw_space set = doubtful(exec, guess, fw_exec_unite(exec, &guess->sets));
		bool translates =
			exec->hook == FW_RB_NONE &&
			(guess->fate == FW_FATE_PASSED || guess->fate == FW_FATE_REWRITTEN ||
				guess->fate == FW_FATE_TAKEN_IN);
		if (set == FW_SPACE_EMPTY) {
			continue;
		}
		if (translates) {
			fw_exec_unknown_translation(exec, rule->place, rule->perhaps,
				guess->fate == FW_FATE_TAKEN_IN, set);
		} else {
			fw_exec_unknown(exec, rule->place, rule->perhaps);
		}
	}
}
