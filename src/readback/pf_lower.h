// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_READBACK_PF_LOWER_H
#define FW_READBACK_PF_LOWER_H
/*
 * Private to the reader of pf.conf: how sets of packets are made of what a text says.
 */

#include "readback/pf.h"

/* What became of the packets of one way, by what the rules said. Tags are still in it. */
struct fw_pfl_verdicts {
	fw_space passed;    /* all that pass in any case */
	fw_space stateless; /* of these, without a state */
	fw_space skipped;   /* of these, without a look */
	fw_space exactly;   /* `passed`, before mid-stream was taken for a beginning */
	fw_space dropped, returned;
	struct fw_pfr_hits rated; /* what passes up to a rule's bounds */
};

/* What is known of a hook in the end. */
struct fw_pfl_hook {
	enum fw_rb_hook number;
	fw_space all;			 /* of the universe */
	fw_space images;		 /* translated packets that rules make */
	fw_space unanswered;		 /* belong to what passed and has no state */
	struct fw_pfl_verdicts verdicts; /* without tags */
};

struct fw_pfl_rewrite {
	const struct fw_pfr_rule *rule;
	fw_space set;
};

struct fw_pfl_lowering {
	struct fw_arena *arena;
	struct fw_spaces *spaces;
	const struct fw_pfr_config *config;
	struct fw_pfr_scene scene;
	struct fw_pfr_notes notes;
	unsigned last; /* interface: any other */
	fw_space universe, fresh /* new or untracked */, special /* destinations of many */,
		unspecified /* source */, outside;
	FW_VEC(struct fw_rb_decision) decisions;
	FW_VEC(struct fw_rb_rated) rated;
	FW_VEC(struct fw_pfl_rewrite) rewrites;
};

struct fw_pfl_trip {
	struct fw_pfr_journey in, out;
	struct fw_pfl_verdicts verdicts;
};

/* ---- sets ---- */

static inline fw_space fw_pfl_is(struct fw_pfl_lowering *low, enum fw_var var, uint64_t value) {
	return fw_pfr_is(low->spaces, var, value);
}

static inline fw_space fw_pfl_both(struct fw_pfl_lowering *low, fw_space a, fw_space b) {
	return fw_space_intersect(low->spaces, a, b);
}

static inline fw_space fw_pfl_either(struct fw_pfl_lowering *low, fw_space a, fw_space b) {
	return fw_space_union(low->spaces, a, b);
}

static inline fw_space fw_pfl_without(struct fw_pfl_lowering *low, fw_space a, fw_space b) {
	return fw_space_subtract(low->spaces, a, b);
}

/* ---- ways: pf_ways.c ---- */

void fw_pfl_verdicts_fini(struct fw_pfl_verdicts *verdicts);
void fw_pfl_trip_fini(struct fw_pfl_trip *trip);
/** Packets of the universe. */
fw_space fw_pfl_hook_space(struct fw_pfl_lowering *low, enum fw_rb_hook hook);
/** First packets as they come, none of them tagged or translated. */
fw_space fw_pfl_start_space(struct fw_pfl_lowering *low, enum fw_rb_hook hook);
/** Sets what is true of a hook; with `spoofed`, every source is this host's. */
void fw_pfl_assume(struct fw_pfl_lowering *low, enum fw_rb_hook hook, bool spoofed);
/** Through the rules once, for input or output. */
void fw_pfl_journey_local(struct fw_pfl_lowering *low, enum fw_rb_hook hook, fw_space start,
	struct fw_pfr_journey *out_journey, struct fw_pfl_verdicts *out_verdicts);
/** Through the rules on the way in, and on the way out. */
void fw_pfl_travel(struct fw_pfl_lowering *low, fw_space start, struct fw_pfl_trip *trip);
/** Packets that pass, be it up to a rate. */
fw_space fw_pfl_may_pass(struct fw_pfl_lowering *low, const struct fw_pfl_verdicts *verdicts);
/** What is no line's fault. */
void fw_pfl_unknown(struct fw_pfl_lowering *low, const char *what);

/* ---- hooks: pf_hooks.c ---- */

/** A set of packets that came, and of those that cannot come but would be judged alike. */
fw_space fw_pfl_filled(struct fw_pfl_lowering *low, const struct fw_pfl_hook *hook, fw_space set);
/** A set, and what TCP in mid-stream is judged alike. */
fw_space fw_pfl_with_midstream(struct fw_pfl_lowering *low, fw_space set);
/** Makes the verdicts of packets that came those of all packets of the hook. */
void fw_pfl_settle(struct fw_pfl_lowering *low, struct fw_pfl_hook *hook);
/** Of a settled hook: who decides. With `all`, those that let packets pass too. */
void fw_pfl_add_decisions(struct fw_pfl_lowering *low, const struct fw_pfl_hook *hook,
	const struct fw_pfr_hits *hits, bool all);
/** Of a settled hook: what it accepts, and at which rates. */
void fw_pfl_add_hook(
	struct fw_pfl_lowering *low, struct fw_pfl_hook *hook, struct fw_readback *out);

/* ---- translation: pf_translate.c ---- */

void fw_pfl_add_destinations(struct fw_pfl_lowering *low, const struct fw_pfr_hits *translated);
/** Packets that leave from a settled hook. */
void fw_pfl_add_sources(struct fw_pfl_lowering *low, const struct fw_pfl_hook *hook,
	const struct fw_pfr_hits *translated);
void fw_pfl_add_targets(struct fw_pfl_lowering *low, struct fw_readback *out);
/** Nobody sees packets in a settled hook as they were before they were translated. */
void fw_pfl_leave_out_translated(struct fw_pfl_lowering *low, const struct fw_pfl_hook *hook);

/* ---- checks: pf_checks.c ---- */

void fw_pfl_check_spoofed(
	struct fw_pfl_lowering *low, enum fw_rb_hook hook, const struct fw_pfl_verdicts *verdicts);
void fw_pfl_check_broadcast(struct fw_pfl_lowering *low, const struct fw_pfl_verdicts *verdicts);
void fw_pfl_check_answers(struct fw_pfl_lowering *low, const struct fw_pfl_hook *hook,
	const struct fw_pfl_verdicts *verdicts);
/** Where all passes a settled hook and leaves no state: what answers it and would not pass as a
 * beginning. */
void fw_pfl_find_unanswered(
	struct fw_pfl_lowering *low, const struct fw_pfl_hook *hook, struct fw_pfl_hook *back);
/** Elsewhere, whether answers to what passes a settled hook pass where they come by. */
void fw_pfl_check_answered(struct fw_pfl_lowering *low, const struct fw_pfl_hook *hook,
	const struct fw_pfl_hook *back);

#endif
