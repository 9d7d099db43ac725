// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sets from sets. Each operation walks two diagrams at once, from variable to variable, so it never
 * recurses deeper than there are variables; results of late keep it from walking a pair of nodes
 * again and again.
 */

#include "space/diagram.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* What a simplified set is where nobody asks; it is on the stack of edges only. */
#define OPEN (FW_SPACE_EXHAUSTED - 1)

enum { GARBAGE_MIN = 1 << 16 }; /* words that are not worth being forgotten */

/* ---- two sets ---- */

static bool settle_union(fw_space a, fw_space b, fw_space *out) {
	if (a == FW_SPACE_EMPTY || b == FW_SPACE_ALL || a == b) {
		*out = b;
		return true;
	}
	*out = a;
	return b == FW_SPACE_EMPTY || a == FW_SPACE_ALL;
}

static bool settle_intersect(fw_space a, fw_space b, fw_space *out) {
	if (a == FW_SPACE_ALL || b == FW_SPACE_EMPTY || a == b) {
		*out = b;
		return true;
	}
	*out = a;
	return b == FW_SPACE_ALL || a == FW_SPACE_EMPTY;
}

static bool settle_subtract(fw_space a, fw_space b, fw_space *out) {
	*out = b == FW_SPACE_EMPTY ? a : FW_SPACE_EMPTY;
	return a == FW_SPACE_EMPTY || b == FW_SPACE_EMPTY || b == FW_SPACE_ALL || a == b;
}

/* a is part of b, the packets that matter. */
static bool settle_simplify(fw_space a, fw_space b, fw_space *out) {
	if (b == FW_SPACE_EMPTY) {
		*out = OPEN;
		return true;
	}
	*out = a == b ? FW_SPACE_ALL : a;
	return a == b || a == FW_SPACE_EMPTY || b == FW_SPACE_ALL;
}

/* As a set: all for yes, the empty one for no. */
static bool settle_subset(fw_space a, fw_space b, fw_space *out) {
	bool yes = a == FW_SPACE_EMPTY || b == FW_SPACE_ALL || a == b;
	*out = yes ? FW_SPACE_ALL : FW_SPACE_EMPTY;
	return yes || a == FW_SPACE_ALL || b == FW_SPACE_EMPTY;
}

/* The results that need no walk. */
static bool settle(enum fw_space_operation operation, fw_space a, fw_space b, fw_space *out) {
	switch (operation) {
	case FW_SPACE_UNION:
		return settle_union(a, b, out);
	case FW_SPACE_INTERSECT:
		return settle_intersect(a, b, out);
	case FW_SPACE_SUBTRACT:
		return settle_subtract(a, b, out);
	case FW_SPACE_SIMPLIFY:
		return settle_simplify(a, b, out);
	case FW_SPACE_SUBSET:
		return settle_subset(a, b, out);
	case FW_SPACE_NO_OPERATION:
	case FW_SPACE_EXISTS:
	case FW_SPACE_RESTRICT:
		break;
	}
	assert(!"an operation on two sets");
	return false;
}

/*
 * Open edges become what all others are, so that the variable is not asked for at all; or, where
 * the others differ, nothing, so that intervals end where what matters ends.
 */
static void close_open_edges(struct fw_spaces *spaces, size_t base) {
	fw_space only = OPEN;
	bool differ = false;
	for (size_t i = base; i < spaces->scratch_count; i++) {
		fw_space child = spaces->scratch[i].child;
		if (child != OPEN) {
			differ = differ || (only != OPEN && only != child);
			only = child;
		}
	}
	size_t end = spaces->scratch_count;
	spaces->scratch_count = base;
	for (size_t i = base; i < end; i++) {
		struct fw_space_edge edge = spaces->scratch[i];
		fw_space open = differ ? FW_SPACE_EMPTY : only;
		/* It fits: the stack is never longer than it was. */
		fw_space_push(spaces, base, edge.last, edge.child == OPEN ? open : edge.child);
	}
}

static fw_space combine(
	struct fw_spaces *spaces, enum fw_space_operation operation, fw_space a, fw_space b);

/* Pushes the edges of the result; for FW_SPACE_SUBSET up to the first that says no. */
static bool combine_edges(struct fw_spaces *spaces, enum fw_space_operation operation, fw_space a,
	fw_space b, unsigned level, size_t base) {
	struct fw_walk left = fw_walk(spaces, a, level);
	struct fw_walk right = fw_walk(spaces, b, level);
	while (left.index < left.count && right.index < right.count) {
		struct fw_addr left_last = fw_walk_last(spaces, &left);
		struct fw_addr right_last = fw_walk_last(spaces, &right);
		bool left_ends = !fw_less(right_last, left_last);
		bool right_ends = !fw_less(left_last, right_last);
		fw_space child = combine(spaces, operation, fw_walk_child(spaces, &left),
			fw_walk_child(spaces, &right));
		if (operation == FW_SPACE_SUBSET && child == FW_SPACE_EMPTY) {
			spaces->scratch_count = base;
			return fw_space_push(spaces, base, spaces->order.max[level], child);
		}
		if (!fw_space_step(spaces) ||
			!fw_space_push(spaces, base, left_ends ? left_last : right_last, child)) {
			return false;
		}
		left.index += left_ends;
		right.index += right_ends;
	}
	return true;
}

static fw_space combine(
	struct fw_spaces *spaces, enum fw_space_operation operation, fw_space a, fw_space b) {
	fw_space result;
	if (settle(operation, a, b, &result)) {
		return result;
	}
	if ((operation == FW_SPACE_UNION || operation == FW_SPACE_INTERSECT) && a > b) {
		fw_space other = a;
		a = b;
		b = other;
	}
	if (fw_space_recall(spaces, operation, a, b, &result)) {
		return result;
	}
	unsigned a_level = fw_space_level(spaces, a), b_level = fw_space_level(spaces, b);
	unsigned level = a_level < b_level ? a_level : b_level;
	size_t base = spaces->scratch_count;
	if (!combine_edges(spaces, operation, a, b, level, base)) {
		spaces->scratch_count = base;
		return FW_SPACE_EXHAUSTED;
	}
	if (operation == FW_SPACE_SIMPLIFY) {
		close_open_edges(spaces, base);
	}
	result = fw_space_make(spaces, level, base);
	if (result != FW_SPACE_EXHAUSTED) {
		fw_space_remember(spaces, operation, a, b, result);
	}
	return result;
}

/* Exhaustion is for good, and once there is none every handle is a set. */
static fw_space operate(
	struct fw_spaces *spaces, enum fw_space_operation operation, fw_space a, fw_space b) {
	return spaces->exhausted ? FW_SPACE_EXHAUSTED : combine(spaces, operation, a, b);
}

fw_space fw_space_union(struct fw_spaces *spaces, fw_space a, fw_space b) {
	return operate(spaces, FW_SPACE_UNION, a, b);
}

fw_space fw_space_intersect(struct fw_spaces *spaces, fw_space a, fw_space b) {
	return operate(spaces, FW_SPACE_INTERSECT, a, b);
}

fw_space fw_space_subtract(struct fw_spaces *spaces, fw_space a, fw_space b) {
	return operate(spaces, FW_SPACE_SUBTRACT, a, b);
}

fw_space fw_space_complement(struct fw_spaces *spaces, fw_space a) {
	return operate(spaces, FW_SPACE_SUBTRACT, FW_SPACE_ALL, a);
}

bool fw_space_is_subset(struct fw_spaces *spaces, fw_space a, fw_space b) {
	return operate(spaces, FW_SPACE_SUBSET, a, b) == FW_SPACE_ALL;
}

fw_space fw_space_simplify(struct fw_spaces *spaces, fw_space a, fw_space within) {
	a = operate(spaces, FW_SPACE_INTERSECT, a, within);
	/* Where nothing matters all of it would be open, which is no set. */
	return within == FW_SPACE_EMPTY ? a : operate(spaces, FW_SPACE_SIMPLIFY, a, within);
}

/* ---- many sets ---- */

/* One round: neighbours are joined, and half as many are left. */
static size_t unite_pairs(struct fw_spaces *spaces, fw_space *sets, size_t count) {
	for (size_t i = 0; i + 1 < count; i += 2) {
		sets[i / 2] = operate(spaces, FW_SPACE_UNION, sets[i], sets[i + 1]);
	}
	if (count % 2 == 1) {
		sets[count / 2] = sets[count - 1];
	}
	return count / 2 + count % 2;
}

fw_space fw_space_unite(struct fw_spaces *spaces, fw_space *sets, size_t count) {
	while (count > 1) {
		count = unite_pairs(spaces, sets, count);
	}
	return count == 1 ? sets[0] : FW_SPACE_EMPTY;
}

fw_space fw_space_union_all(struct fw_spaces *spaces, const fw_space *sets, size_t count) {
	if (spaces->exhausted) {
		return FW_SPACE_EXHAUSTED;
	}
	if (count == 0) {
		return FW_SPACE_EMPTY;
	}
	fw_space *round = fw_resize(NULL, count, sizeof(*round));
	memcpy(round, sets, count * sizeof(*round));
	uint32_t mark = fw_spaces_mark(spaces);
	size_t words = spaces->word_count;
	/* Forgetting costs the memory of results, so there must be something to gain. */
	size_t allowed = words / 16 > GARBAGE_MIN ? words / 16 : GARBAGE_MIN;
	while (count > 1 && !spaces->exhausted) {
		count = unite_pairs(spaces, round, count);
		if (spaces->word_count - words > allowed) {
			fw_spaces_release(spaces, mark, round, count);
			size_t twice = 2 * (spaces->word_count - words);
			allowed = twice > allowed ? twice : allowed;
		}
	}
	fw_space result = spaces->exhausted ? FW_SPACE_EXHAUSTED : round[0];
	free(round);
	return result;
}

/* ---- one variable ---- */

struct change {
	enum fw_space_operation operation; /* FW_SPACE_EXISTS or FW_SPACE_RESTRICT */
	unsigned level;
	struct fw_addr value;
	uint32_t serial; /* of the call: no other shares its results */
};

static fw_space unite_children(struct fw_spaces *spaces, fw_space set, unsigned level) {
	struct fw_walk walk = fw_walk(spaces, set, level);
	fw_space *children = fw_resize(NULL, walk.count, sizeof(*children));
	for (; walk.index < walk.count; walk.index++) {
		children[walk.index] = fw_walk_child(spaces, &walk);
	}
	fw_space result = fw_space_unite(spaces, children, walk.count);
	free(children);
	return result;
}

static fw_space change_set(struct fw_spaces *spaces, const struct change *change, fw_space set);

static fw_space change_children(
	struct fw_spaces *spaces, const struct change *change, fw_space set, unsigned level) {
	size_t base = spaces->scratch_count;
	for (struct fw_walk walk = fw_walk(spaces, set, level); walk.index < walk.count;
		walk.index++) {
		struct fw_addr last = fw_walk_last(spaces, &walk);
		fw_space child = change_set(spaces, change, fw_walk_child(spaces, &walk));
		if (!fw_space_step(spaces) || !fw_space_push(spaces, base, last, child)) {
			spaces->scratch_count = base;
			return FW_SPACE_EXHAUSTED;
		}
	}
	return fw_space_make(spaces, level, base);
}

static fw_space change_set(struct fw_spaces *spaces, const struct change *change, fw_space set) {
	unsigned level = fw_space_level(spaces, set);
	if (level > change->level) {
		return set;
	}
	if (level == change->level && change->operation == FW_SPACE_RESTRICT) {
		return fw_space_follow(spaces, set, level, change->value);
	}
	fw_space result;
	if (fw_space_recall(spaces, change->operation, set, change->serial, &result)) {
		return result;
	}
	result = level == change->level ? unite_children(spaces, set, level)
					: change_children(spaces, change, set, level);
	if (result != FW_SPACE_EXHAUSTED) {
		fw_space_remember(spaces, change->operation, set, change->serial, result);
	}
	return result;
}

static fw_space change(struct fw_spaces *spaces, enum fw_space_operation operation, fw_space a,
	enum fw_var var, struct fw_addr value) {
	if (spaces->exhausted) {
		return FW_SPACE_EXHAUSTED;
	}
	assert(var != FW_VAR_NONE && !fw_less(fw_var_max[var], value));
	struct change one = {operation, spaces->order.levels[var], value, spaces->serial++};
	return change_set(spaces, &one, a);
}

fw_space fw_space_exists(struct fw_spaces *spaces, fw_space a, enum fw_var var) {
	return change(spaces, FW_SPACE_EXISTS, a, var, fw_value(0));
}

fw_space fw_space_restrict(
	struct fw_spaces *spaces, fw_space a, enum fw_var var, struct fw_addr value) {
	return change(spaces, FW_SPACE_RESTRICT, a, var, value);
}
