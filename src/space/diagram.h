// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_SPACE_DIAGRAM_H
#define FW_SPACE_DIAGRAM_H
/*
 * The nodes under the sets, for this module alone: how they are made, so that none is there twice,
 * and how their edges are walked.
 */

#include "space/space.h"

/** A manager whose diagrams have variables in the order of fw_var_listed. */
void fw_spaces_init_listed(struct fw_spaces *spaces, const struct fw_space_limits *limits);
/** A set of one manager as one of another, of whatever order: carry.c. */
fw_space fw_space_carry(const struct fw_spaces *from, fw_space set, struct fw_spaces *to);

/**
 * A node's words are the last values of all edges but the last one, which ends where the domain
 * ends, and then the children. A last value takes four words where one of them is beyond 32 bits,
 * else one: that keeps sets of IPv4 addresses small, and equal nodes still have equal words.
 * Children are older than their parents: their handles are lower.
 */
struct fw_space_node {
	uint32_t at; /* in words */
	uint32_t edges;
	uint32_t hash;
	uint8_t level; /* FW_VAR_COUNT for FW_SPACE_EMPTY and FW_SPACE_ALL */
	bool wide;
};

/** With the hash in it, a look for one node seldom has to look at others. */
struct fw_space_slot {
	uint32_t hash;
	fw_space set; /* FW_SPACE_EMPTY: free */
};

/** An edge of a node to be made: from where the one before ends to `last`. */
struct fw_space_edge {
	struct fw_addr last;
	fw_space child;
};

enum fw_space_operation {
	FW_SPACE_NO_OPERATION,
	FW_SPACE_UNION,
	FW_SPACE_INTERSECT,
	FW_SPACE_SUBTRACT,
	FW_SPACE_SIMPLIFY,
	FW_SPACE_SUBSET,
	FW_SPACE_EXISTS,
	FW_SPACE_RESTRICT,
};

struct fw_space_memo {
	uint32_t operation : 4, era : 28;
	uint32_t a, b;
	fw_space result;
};

/* ---- looking ---- */

static inline bool fw_less(struct fw_addr a, struct fw_addr b) {
	return a.high < b.high || (a.high == b.high && a.low < b.low);
}

static inline bool fw_same(struct fw_addr a, struct fw_addr b) {
	return a.high == b.high && a.low == b.low;
}

/** That of the variable that a set looks at first; FW_VAR_COUNT where it looks at none. */
static inline unsigned fw_space_level(const struct fw_spaces *spaces, fw_space set) {
	return spaces->nodes[set].level;
}

/** The edges of a set at one level, in order. It stays valid while nodes are made. */
struct fw_walk {
	uint32_t bounds, children; /* in words */
	uint32_t index, count;
	fw_space whole; /* the one child, if the set does not look at the variable */
	uint8_t level;
	bool wide, through;
};

/** At a level, which is the set's own or one before it. */
static inline struct fw_walk fw_walk(const struct fw_spaces *spaces, fw_space set, unsigned level) {
	const struct fw_space_node *node = &spaces->nodes[set];
	if (node->level != level) {
		return (struct fw_walk){
			.count = 1, .whole = set, .level = (uint8_t)level, .through = true};
	}
	return (struct fw_walk){
		.bounds = node->at,
		.children = node->at + (node->edges - 1) * (node->wide ? 4 : 1),
		.count = node->edges,
		.level = node->level,
		.wide = node->wide,
	};
}

/** The last value of the edge. */
static inline struct fw_addr fw_walk_last(
	const struct fw_spaces *spaces, const struct fw_walk *walk) {
	if (walk->index + 1 == walk->count) {
		return spaces->order.max[walk->level];
	}
	if (!walk->wide) {
		return (struct fw_addr){0, spaces->words[walk->bounds + walk->index]};
	}
	const uint32_t *words = &spaces->words[walk->bounds + 4 * walk->index];
	return (struct fw_addr){
		(uint64_t)words[0] << 32 | words[1], (uint64_t)words[2] << 32 | words[3]};
}

static inline fw_space fw_walk_child(const struct fw_spaces *spaces, const struct fw_walk *walk) {
	return walk->through ? walk->whole : spaces->words[walk->children + walk->index];
}

/** Goes to the edge of a value, which must not be before the one it is at. */
void fw_walk_to(const struct fw_spaces *spaces, struct fw_walk *walk, struct fw_addr value);
/** Where a set leads for one value at a level, its own or one before it. */
fw_space fw_space_follow(
	const struct fw_spaces *spaces, fw_space set, unsigned level, struct fw_addr value);

/* ---- making ---- */

/** Marks the manager as exhausted, for good. */
fw_space fw_space_exhaust(struct fw_spaces *spaces);

/** Counts the work. False: exhausted. */
static inline bool fw_space_step(struct fw_spaces *spaces) {
	if (spaces->steps == spaces->limits.steps) {
		fw_space_exhaust(spaces);
		return false;
	}
	spaces->steps++;
	return true;
}

/**
 * Adds an edge to the node that is being made from scratch[base] on, by making the last one longer
 * if it leads to the same child. False: exhausted, by this or by the child.
 */
bool fw_space_push(struct fw_spaces *spaces, size_t base, struct fw_addr last, fw_space child);
/** The set of the edges from scratch[base] on, which are taken off the stack. */
fw_space fw_space_make(struct fw_spaces *spaces, unsigned level, size_t base);

/** Results of late, as many as there is room for: a look that fails costs time alone. */
bool fw_space_recall(const struct fw_spaces *spaces, enum fw_space_operation operation, uint32_t a,
	uint32_t b, fw_space *out_result);
void fw_space_remember(struct fw_spaces *spaces, enum fw_space_operation operation, uint32_t a,
	uint32_t b, fw_space result);

/** The union of an array, which is used up. Keeps what comes in between. */
fw_space fw_space_unite(struct fw_spaces *spaces, fw_space *sets, size_t count);

#endif
