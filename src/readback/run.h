// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_READBACK_RUN_H
#define FW_READBACK_RUN_H
/*
 * Private to run.c and its parts: all packets of a hook go through its chains at once, as sets.
 * run_streams.c knows which packets are on their way and what became of the others; run.c takes
 * them through rules and chains; run_hooks.c runs the base chains of hooks and of translation.
 *
 * Limits make it more than one set. The main stream holds the packets that come by whatever limits
 * do; beside it there may be others, each let through by one limit only. A packet whose limit is
 * used up goes on in the main stream, so it counts there, too.
 *
 * What only perhaps matches is a stream beside the main one, too: packets that it matched, if it
 * did. What becomes of them has to be what becomes of them in the main stream, else it is unknown.
 */

#include "readback/program.h"

/* ---- packets on their way: run_streams.c ---- */

struct fw_exec_sets {
	FW_VEC(fw_space) list;
};

struct fw_stream {
	fw_space set;
	/** The rule with a limit that let them through, or the one that perhaps did; NULL: the main
	 * stream. */
	const struct fw_rb_rule *limit;
	bool spare;   /* beyond its limit they go on in the main stream; else they are dropped */
	size_t since; /* when they left the main stream */
};

/** The main stream comes in parts, which are one once it is settled. */
struct fw_streams {
	struct fw_exec_sets main;
	FW_VEC(struct fw_stream) beside;
};

/** Packets that met a verdict, and when they left the main stream for it. */
struct fw_event {
	fw_space set;
	size_t since;
	struct fw_place place;
};

struct fw_events {
	FW_VEC(struct fw_event) list;
};

enum fw_fate {
	FW_FATE_PASSED,
	FW_FATE_DROPPED,
	FW_FATE_REJECTED,
	FW_FATE_REWRITTEN,
	FW_FATE_TAKEN_IN, /* rewritten to an address that is the machine's own */
};

/** What becomes of packets that a rule matched, if it did. */
struct fw_guess {
	const struct fw_rb_rule *rule;
	size_t since;
	enum fw_fate fate;
	struct fw_exec_sets sets;
};

/** What became of packets in one base chain. */
struct fw_outcome {
	struct fw_exec_sets accepted, dropped, rejected;
	struct fw_streams limited; /* accepted, up to a limit */
	/*
	 * The order of things: what is dropped up to a limit must not be accepted beyond it, as
	 * neither "always" nor "up to a rate" would be true of it.
	 */
	size_t clock;
	struct fw_events passed, passed_up_to, dropped_up_to;
	FW_VEC(struct fw_guess) guesses;
};

/** Packets that draw on a bucket, whatever becomes of them. */
struct fw_draw {
	size_t bucket;
	fw_space set;
	bool idle; /* they go on, and may draw on it once more */
	struct fw_place place;
};

struct fw_exec {
	struct fw_arena *arena;
	struct fw_spaces *spaces;
	fw_space universe;
	const struct fw_rb_program *program;
	enum fw_rb_hook hook;		 /* FW_RB_NONE: translation */
	const struct fw_rb_chain *base;	 /* that is being run, */
	const struct fw_rb_chain *chain; /* and the one that it called */
	struct fw_outcome outcome;
	unsigned depth;
	size_t visits;
	bool *entered; /* by chain: it was called, and has not ended */
	FW_VEC(struct fw_rb_unknown) unknowns;
	FW_VEC(struct fw_rb_decision) decisions;
	FW_VEC(struct fw_rb_rated) rated;
	FW_VEC(size_t) buckets; /* of those that are rated */
	FW_VEC(struct fw_draw) draws;
	FW_VEC(struct fw_rb_translating) translating;
	bool guessed; /* something is perhaps translated */
	FW_VEC(struct fw_rb_judging) judging;
	FW_VEC(struct fw_rb_rewrite) rewrites;
};

void fw_exec_add_set(struct fw_exec_sets *sets, fw_space set);
fw_space fw_exec_unite(struct fw_exec *exec, const struct fw_exec_sets *sets);

void fw_streams_fini(struct fw_streams *streams);
void fw_streams_add(struct fw_exec *exec, struct fw_streams *streams, struct fw_stream stream);
void fw_streams_add_all(
	struct fw_exec *exec, struct fw_streams *streams, const struct fw_streams *more);
static inline bool fw_streams_are_empty(const struct fw_streams *streams) {
	return streams->main.list.count == 0 && streams->beside.count == 0;
}
/** Makes the main stream one set, and takes from the others what goes on in it anyway. */
void fw_streams_settle(struct fw_exec *exec, struct fw_streams *streams);
/** How many streams there are once they are settled, and each of them. */
static inline size_t fw_streams_count(const struct fw_streams *streams) {
	return streams->main.list.count + streams->beside.count;
}
static inline struct fw_stream fw_streams_get(const struct fw_streams *streams, size_t i) {
	size_t main = streams->main.list.count;
	return i < main ? (struct fw_stream){.set = streams->main.list.items[i]}
			: streams->beside.items[i - main];
}

/** Whether packets are in a stream because a rule perhaps matched them. */
static inline bool fw_stream_is_guess(const struct fw_stream *stream) {
	return stream->limit != NULL && stream->limit->perhaps != NULL;
}

/* ---- what becomes of them ---- */

void fw_outcome_fini(struct fw_outcome *outcome);
void fw_exec_unknown(struct fw_exec *exec, struct fw_place place, const char *what);
/** Whether these packets are translated, or to what, for what stands there; `own`: to an address of
 * the machine itself. */
void fw_exec_unknown_translation(
	struct fw_exec *exec, struct fw_place place, const char *what, bool own, fw_space set);
void fw_exec_accept(struct fw_exec *exec, struct fw_place place, struct fw_stream stream);
void fw_exec_drop(
	struct fw_exec *exec, struct fw_place place, bool rejects, struct fw_stream stream);
/** What a rule that perhaps matched would do. */
void fw_exec_guess(struct fw_exec *exec, struct fw_stream stream, enum fw_fate fate);
/** At the end of a base chain: notes the guesses that make a difference. */
void fw_exec_judge(struct fw_exec *exec);
/** Takes out packets that were dropped up to a limit before. */
fw_space fw_exec_without_dropped(struct fw_exec *exec, fw_space set);

/* ---- chains: run.c ---- */

/** Takes the streams through a chain; what is left of them comes back to whoever called it. */
void fw_exec_walk(
	struct fw_exec *exec, size_t chain, struct fw_place caller, struct fw_streams *streams);

#endif
