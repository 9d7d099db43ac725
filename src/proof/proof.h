// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_PROOF_PROOF_H
#define FW_PROOF_PROOF_H
/*
 * Whether a rule set does what a policy says, or what another rule set does: what was read back
 * is compared with what is meant, packet for packet.
 */

#include "meaning/meaning.h"
#include "readback/readback.h"

/* ---- what a policy promises, in the form of a rule set that was read back ---- */

/**
 * The behaviour that a policy asks for: must, may, rejected and rated by hook, and its translation
 * as rewrites. What is rejected may be so past a limit only; what is rated has one bucket for all
 * flows of a service and hook that have the same limit, and may pass in any case by other flows.
 * Nothing in it has a place or was decided by a rule. False: exhausted.
 */
bool fw_proof_promise(struct fw_arena *arena, struct fw_spaces *spaces,
	const struct fw_interfaces *interfaces, const struct fw_policy *policy,
	const struct fw_meaning *meaning, struct fw_readback *out);

/* ---- comparing ---- */

/** Whose new addresses are compared. */
enum fw_proof_translation {
	FW_PROOF_EVERYBODY, /* two rule sets: what the machine itself sends and takes, too */
	/** A gateway's policy: what comes in, what is forwarded, and where output is not apart what
	 * the machine sends to others. */
	FW_PROOF_OTHERS,
	/** A host's policy, which has no translation: destinations alone, of what either accepts
	 * on input, where that is not apart, as such packets never get there; of what is sent on to
	 * where the host itself accepts it; and of what it sends to others, where output is not
	 * apart. */
	FW_PROOF_TAKEN_AWAY,
};

/** What of two behaviours is compared, and what a kind of rule set is known not to say. */
struct fw_proof_scope {
	enum fw_family family;	   /* FW_FAMILY_NONE: both; else packets of the other are not
				      compared */
	bool apart[FW_HOOK_COUNT]; /* these hooks are not compared but for `own_only` */
	/** Hooks that are apart are compared, as far as chains, tables or anchors of flowfw decide
	 * in them: what others do there is their business. */
	bool own_only;
	enum fw_proof_translation translation;
	/** A limit may be half of what is asked for: one bucket for both families is two halves
	 * where rule sets know but one family (a feature that is lowered, never looser). */
	bool halves;
	/** A limit may be shared out: as many buckets as a service becomes rules, each with its
	 * share of the burst in the time that the whole would fill in. What has several limits may
	 * do with one of them, where it is the first rule that counts. */
	bool shares;
	/** Of shares: whose limits they are of, as rules for groups of a service that overlap have
	 * some, too; or NULL. */
	const struct fw_policy *shared;
	/** What pf cannot keep a state for, and so cannot limit, may be denied: limited packets to
	 * multicast and broadcast addresses, or from the unspecified one. So may answers to what
	 * passes a hook that is apart, where they come by another: pf keeps no state of what no
	 * rule is about. What a state refuses on such a hook is no rule's decision. */
	bool stateless_limits;
	/** Answers other than TCP's and UDP's, and those past a limit, are not compared: pf has
	 * none. */
	bool few_answers;
};

/** Where a translation sends packets. */
struct fw_proof_target {
	bool translated; /* else nothing else of it counts */
	bool masquerade;
	struct fw_addr address;
	uint16_t port; /* 0: kept */
	struct fw_place place;
};

/** Packets that are translated otherwise, or by one side only. */
struct fw_proof_detour {
	bool source; /* else the destination */
	enum fw_family family;
	fw_space set; /* not empty, as struct fw_rb_rewrite has it */
	struct fw_proof_target before, after;
};

/** Packets that are denied by both sides, be it past a limit, but with an answer by one of them
 * only. */
struct fw_proof_answer {
	enum fw_hook hook;
	fw_space set;
	bool answered; /* by the latter */
};

/** All in which `after` differs from `before`. The arena's. */
struct fw_proof {
	const struct fw_difference *differences; /* by hook, then change */
	size_t difference_count;
	const struct fw_proof_answer *answers;
	size_t answer_count;
	const struct fw_proof_detour *detours; /* destinations first */
	size_t detour_count;
	/** Differences that the scope lets pass, all of them stricter: FW_NEWLY_DENIED or
	 * FW_RATE_CHANGED. */
	const struct fw_difference *stricter;
	size_t stricter_count;
	bool equal; /* nothing but what is stricter */
};

/**
 * Whether it makes a difference that nobody knows how a rule set translates the `translated` of an
 * unknown: to a policy of a host, `before`, it does where it accepts such packets on input, where
 * they may come to be accepted, and where the host sends them to others.
 */
bool fw_proof_may_take_away(struct fw_spaces *spaces, fw_space universe,
	const struct fw_proof_scope *scope, const struct fw_readback *before,
	const struct fw_readback *after, const struct fw_rb_unknown *unknown);

/**
 * Compares. `outside` of either is not compared. Unknowns are the caller's to look at: where there
 * are any, nothing is proven. False: exhausted.
 */
bool fw_proof_compare(struct fw_arena *arena, struct fw_spaces *spaces, fw_space universe,
	const struct fw_proof_scope *scope, const struct fw_readback *before,
	const struct fw_readback *after, struct fw_proof *out);

#endif
