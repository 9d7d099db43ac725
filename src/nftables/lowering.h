// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_NFTABLES_LOWERING_H
#define FW_NFTABLES_LOWERING_H
/*
 * One lowering under way, a table's, shared by the files of this module: flow.c finds the rules of
 * a flow, verdict.c what they do with a packet, lower.c the chains and the table round them. nat.c
 * does all of it for translations.
 */

#include "nftables/sets.h"

/** What becomes of a packet that a flow allows: the statements of one rule, or of two. */
struct verdict {
	const struct fw_nft_statement *log; /* a rule before the other; or NULL */
	size_t log_count;
	const struct fw_nft_statement *accept;
	size_t accept_count;
};

/** A limit, and what becomes of the packets of flows that draw on it. */
struct bucket {
	const struct fw_flow *flow; /* the first of them */
	struct verdict verdict;
};

struct lowering {
	struct fw_arena *arena;
	const struct fw_policy *policy;
	struct set_index sets;
	set_vec maps, dynamic;
	FW_VEC(struct fw_nft_limit) limits;
	FW_VEC(struct fw_nft_chain) regular, base;
	FW_VEC(struct fw_nft_rule) rules; /* of the chain that is being made */
	/** The service and hook at hand, as its first flow, and the limits of its flows and of
	 * their logs so far: what has the same rate there shares one. */
	const struct fw_flow *service;
	FW_VEC(struct bucket) buckets;
	FW_VEC(struct fw_nft_limit) log_limits;
};

/** The matches of one rule. */
struct matches {
	struct fw_nft_match items[FW_NFT_MATCHES_MAX];
	size_t count;
};

/* ---- lower.c ---- */

/** `sets`: those of the policy that the table may have been asked for. */
struct fw_nft_table *fw_nft_take_table(
	struct lowering *lowering, const struct fw_set *const *sets, size_t set_count);
void fw_nft_lowering_fini(struct lowering *lowering);
void fw_nft_add_match(struct matches *matches, struct fw_nft_match match);
/** `flow` may be NULL; the statements are the arena's or static. The rule may be added to, until
 * the next comes. */
struct fw_nft_rule *fw_nft_add_rule(struct lowering *lowering, const struct matches *matches,
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

enum way_kind {
	WAY_ANY,   /* any address of the family */
	WAY_RANGE, /* `range` */
	WAY_PLAIN, /* members of `set` without ports of their own */
	WAY_OWN,   /* the others */
	WAY_MADE,  /* `made` */
};

/** One way to be on a side of a flow: where a packet comes from or goes to. */
struct way {
	enum way_kind kind;
	struct fw_range range;
	const struct fw_set *set;
	const struct fw_nft_set *made;
};

struct ways {
	struct way *items;
	size_t count;
};

/** None where no set of the side has members of this family (and, with `plain`, without ports). */
struct ways fw_nft_side_ways(
	struct fw_arena *arena, const struct fw_side *side, enum fw_family family, bool plain);
/** Adds the match for a way, if it takes one; `address` has the kind and the family. The set that
 * is matched comes into being here: when a rule has it. */
void fw_nft_add_way(struct lowering *lowering, struct matches *matches,
	const struct fw_nft_match *address, const struct way *way);
/** Adds a match on interfaces, unless any will do. */
void fw_nft_add_names(
	struct matches *matches, enum fw_nft_match_kind kind, const struct fw_names *names);
void fw_nft_lower_flow(struct lowering *lowering, const struct fw_flow *flow);

/* ---- nat.c ---- */

/** The table that translates in one family; NULL where nothing is translated. */
const struct fw_nft_table *fw_nft_lower_nat(
	struct fw_arena *arena, const struct fw_policy *policy, enum fw_family family);

#endif
