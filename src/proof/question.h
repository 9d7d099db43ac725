// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_PROOF_QUESTION_H
#define FW_PROOF_QUESTION_H
/*
 * Private to proof/: the parts of a comparison.
 */

#include "proof/proof.h"

enum { FW_PROOF_BEFORE, FW_PROOF_AFTER, FW_PROOF_SIDES };

/** A comparison under way. */
struct fw_proof_question {
	struct fw_spaces *spaces;
	fw_space universe;
	const struct fw_proof_scope *scope;
	const struct fw_readback *sides[FW_PROOF_SIDES];
	fw_space within[FW_RB_HOOK_COUNT]; /* packets that are compared, hooks apart or not */
};

/* ---- proof.c ---- */

/** Finds out which packets are compared. */
void fw_proof_find_within(struct fw_proof_question *question);

/* ---- limits.c ---- */

enum {
	/** Buckets that each one that is rated makes in a behaviour, some of them empty. */
	FW_PROOF_PARTS = FW_FAMILY_COUNT,
};

/** The former side with what the latter one has in place of its limits, where the scope allows for
 * that: what differs then from the former side as it is, is stricter. */
struct fw_behaviour fw_proof_lowered(const struct fw_proof_question *question,
	struct fw_arena *arena, const struct fw_behaviour sides[FW_PROOF_SIDES]);

/* ---- targets.c ---- */

/** Packets that are sent somewhere. */
struct fw_sent {
	struct fw_proof_target target;
	fw_space set;
};

struct fw_sent_list {
	FW_VEC(struct fw_sent) list;
};

void fw_sent_list_fini(struct fw_sent_list *sent);

struct fw_detours {
	FW_VEC(struct fw_proof_detour) list;
};

/**
 * Adds what of `all` is sent elsewhere by the latter. Of several entries in a list that hold a
 * packet the first one applies; what is in none is not translated. Lists of n are n log n, as long
 * as each entry differs from few of the other side.
 */
void fw_targets_compare(struct fw_spaces *spaces, bool source, enum fw_family family, fw_space all,
	struct fw_sent_list sides[FW_PROOF_SIDES], struct fw_detours *detours);
/** Sorts, destinations first, and joins what changes between the same targets. */
void fw_detours_settle(struct fw_spaces *spaces, struct fw_detours *detours);

/* ---- detours.c ---- */

void fw_proof_find_detours(const struct fw_proof_question *question, struct fw_detours *out);

#endif
