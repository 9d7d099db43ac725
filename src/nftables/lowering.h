// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_NFTABLES_LOWERING_H
#define FW_NFTABLES_LOWERING_H
/*
 * One lowering under way, shared by the files of this module: flow.c finds the rules of a flow,
 * verdict.c what they do with a packet, lower.c the chains and the table round them.
 */

#include "nftables/sets.h"

/** What becomes of a packet that a flow allows: the statements of one rule, or of two. */
struct verdict {
	const struct fw_nft_statement *log; /* a rule before the other; or NULL */
	size_t log_count;
	const struct fw_nft_statement *accept;
	size_t accept_count;
};

struct lowering {
	struct fw_arena *arena;
	const struct fw_policy *policy;
	struct set_index sets;
	set_vec dynamic;
	FW_VEC(struct fw_nft_limit) limits;
	FW_VEC(struct fw_nft_chain) regular, base;
	FW_VEC(struct fw_nft_rule) rules; /* of the chain that is being made */
	/** The last flow with a limit: other flows of its service draw on the same bucket. */
	const struct fw_flow *limited;
	struct verdict limited_verdict;
	unsigned serial; /* of that limit in its service and hook, from 1 */
};

/** The matches of one rule. */
struct matches {
	struct fw_nft_match items[FW_NFT_MATCHES_MAX];
	size_t count;
};

/* ---- lower.c ---- */

void fw_nft_add_match(struct matches *matches, struct fw_nft_match match);
/** `flow` may be NULL; the statements are the arena's or static. */
void fw_nft_add_rule(struct lowering *lowering, const struct matches *matches,
	const struct fw_nft_statement *statements, size_t count, const struct fw_flow *flow);
void fw_nft_add_flow_rule(struct lowering *lowering, const struct matches *matches,
	const struct verdict *verdict, const struct fw_flow *flow);
/** Moves the rules from `first` on into the arena, for a chain. */
const struct fw_nft_rule *fw_nft_take_rules(
	struct lowering *lowering, size_t first, size_t *out_count);
const struct fw_nft_statement *fw_nft_statements_dup(
	struct fw_arena *arena, const struct fw_nft_statement *statements, size_t count);

/* ---- verdict.c ---- */

/** "PREFIXwhose: ". */
const char *fw_nft_log_prefix(struct fw_arena *arena, const struct fw_log *log, const char *whose);
const char *fw_nft_counter_name(struct fw_arena *arena, const struct fw_flow *flow);
/** Makes the limit that the flow needs, or finds it. */
struct verdict fw_nft_lower_verdict(struct lowering *lowering, const struct fw_flow *flow);

/* ---- flow.c ---- */

void fw_nft_lower_flow(struct lowering *lowering, const struct fw_flow *flow);

#endif
