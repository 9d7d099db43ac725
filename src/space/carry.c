// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sets of one manager as those of another, whose diagrams may have their variables in another
 * order. What keeps its order is copied; what does not is put together from below.
 */

#include <stdlib.h>

#include "space/diagram.h"

struct carrier {
	const struct fw_spaces *from;
	struct fw_spaces *to;
	fw_space *carried; /* + 1, by the set that it was; 0: not yet */
};

struct branch {
	fw_space child; /* carried */
	struct fw_addr low, high;
};

struct branches {
	FW_VEC(struct branch) list;
};

static fw_space carry(struct carrier *carrier, fw_space set);

static void find_branches(struct carrier *carrier, fw_space set, struct branches *out) {
	struct fw_walk walk = fw_walk(carrier->from, set, fw_space_level(carrier->from, set));
	struct fw_addr low = {0, 0};

	for (; walk.index < walk.count; walk.index++) {
		struct fw_addr high = fw_walk_last(carrier->from, &walk);
		fw_space child = carry(carrier, fw_walk_child(carrier->from, &walk));
		if (child != FW_SPACE_EMPTY) {
			FW_VEC_ADD(&out->list, (struct branch){child, low, high});
		}
		low = fw_addr_next(high);
	}
}

/* All of them ask for later variables alone. */
static fw_space in_order(
	struct fw_spaces *to, enum fw_var var, const struct branch *branches, size_t count) {
	struct fw_case *cases = fw_resize(NULL, count + 1, sizeof(*cases));

	for (size_t i = 0; i < count; i++) {
		cases[i] = (struct fw_case){branches[i].low, branches[i].high, branches[i].child};
	}
	fw_space set = fw_space_cases(to, var, cases, count);
	free(cases);
	return set;
}

static int compare_branches(const void *left, const void *right) {
	const struct branch *a = left, *b = right;

	if (a->child != b->child) {
		return a->child < b->child ? -1 : 1;
	}
	return fw_addr_compare(a->low, b->low);
}

/* The values that lead to the same at once. */
static fw_space from_below(
	struct fw_spaces *to, enum fw_var var, struct branch *branches, size_t count) {
	fw_space *sets = fw_resize(NULL, count + 1, sizeof(*sets));
	struct fw_case *cases = fw_resize(NULL, count + 1, sizeof(*cases));
	size_t set_count = 0;

	qsort(branches, count, sizeof(*branches), compare_branches);
	for (size_t i = 0; i < count;) {
		fw_space child = branches[i].child;
		size_t case_count = 0;
		for (; i < count && branches[i].child == child; i++) {
			cases[case_count++] =
				(struct fw_case){branches[i].low, branches[i].high, FW_SPACE_ALL};
		}
		fw_space values = fw_space_cases(to, var, cases, case_count);
		sets[set_count++] = fw_space_intersect(to, values, child);
	}
	fw_space set = fw_space_unite(to, sets, set_count);
	free(cases);
	free(sets);
	return set;
}

static fw_space carry_node(struct carrier *carrier, fw_space set) {
	struct fw_spaces *to = carrier->to;
	enum fw_var var = carrier->from->order.vars[fw_space_level(carrier->from, set)];
	struct branches branches = {0};
	bool ordered = true;

	find_branches(carrier, set, &branches);
	for (size_t i = 0; i < branches.list.count && !to->exhausted; i++) {
		ordered = ordered &&
			  fw_space_level(to, branches.list.items[i].child) > to->order.levels[var];
	}
	fw_space carried = FW_SPACE_EXHAUSTED;
	if (!to->exhausted) {
		carried = ordered ? in_order(to, var, branches.list.items, branches.list.count)
				  : from_below(to, var, branches.list.items, branches.list.count);
	}
	FW_VEC_FINI(&branches.list);
	return carried;
}

static fw_space carry(struct carrier *carrier, fw_space set) {
	if (set <= FW_SPACE_ALL || carrier->to->exhausted) {
		return carrier->to->exhausted ? FW_SPACE_EXHAUSTED : set;
	}
	if (carrier->carried[set] == 0) {
		fw_space carried = carry_node(carrier, set);
		if (carried == FW_SPACE_EXHAUSTED) {
			return carried;
		}
		carrier->carried[set] = carried + 1;
	}
	return carrier->carried[set] - 1;
}

fw_space fw_space_carry(const struct fw_spaces *from, fw_space set, struct fw_spaces *to) {
	if (set <= FW_SPACE_ALL || set == FW_SPACE_EXHAUSTED) {
		return set;
	}
	struct carrier carrier = {from, to, fw_alloc(((size_t)set + 1) * sizeof(*carrier.carried))};
	fw_space carried = carry(&carrier, set);
	free(carrier.carried);
	return carried;
}
