// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Intervals that may overlap, cut into those that are disjoint, each with the numbers of all that
 * hold it.
 */

#include "readback/iptables.h"

#include <stdlib.h>
#include <string.h>

/* How many numbers the slices may have on the whole: so much an item, and so much in any case. */
enum { EACH_MAX = 16, ANY_MAX = 1 << 16 };

struct bound {
	struct fw_addr value;
	uint32_t item;
};

static int compare_bounds(const void *left, const void *right) {
	const struct bound *a = left, *b = right;
	int order = fw_addr_compare(a->value, b->value);

	return order != 0 ? order : (a->item > b->item) - (a->item < b->item);
}

static struct bound *sorted_bounds(const struct fw_ipt_item *items, size_t count, bool high) {
	struct bound *bounds = fw_resize(NULL, count, sizeof(*bounds));
	bool sorted = true;

	for (size_t i = 0; i < count; i++) {
		bounds[i] = (struct bound){high ? items[i].high : items[i].low, (uint32_t)i};
		sorted = sorted && (i == 0 || compare_bounds(&bounds[i - 1], &bounds[i]) <= 0);
	}
	if (!sorted) {
		qsort(bounds, count, sizeof(*bounds), compare_bounds);
	}
	return bounds;
}

/* Items that hold the value looked at, their numbers rising. */
struct active {
	FW_VEC(uint32_t) list;
};

static size_t position(const struct active *active, uint32_t item) {
	size_t low = 0, high = active->list.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (active->list.items[middle] < item) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

static void enter(struct active *active, uint32_t item) {
	size_t at = position(active, item);

	FW_VEC_ADD(&active->list, item);
	for (size_t i = active->list.count - 1; i > at; i--) {
		active->list.items[i] = active->list.items[i - 1];
	}
	active->list.items[at] = item;
}

static void leave(struct active *active, uint32_t item) {
	size_t at = position(active, item);

	active->list.count--;
	for (size_t i = at; i < active->list.count; i++) {
		active->list.items[i] = active->list.items[i + 1];
	}
}

static void add_slice(struct fw_ipt_sweep *sweep, const struct active *active, struct fw_addr low,
	struct fw_addr high) {
	FW_VEC_ADD(&sweep->slices,
		(struct fw_ipt_slice){low, high, sweep->items.count, active->list.count});
	for (size_t i = 0; i < active->list.count; i++) {
		FW_VEC_ADD(&sweep->items, active->list.items[i]);
	}
}

/* Goes through all bounds in order. The highs that are left are of items that are active or still
 * to come; those to come do not end before they begin. */
static bool pass(struct fw_ipt_sweep *sweep, const struct bound *lows, const struct bound *highs,
	size_t count, struct active *active) {
	struct fw_addr cursor = {0, 0};
	size_t begun = 0, ended = 0;
	size_t limit = EACH_MAX * count + ANY_MAX;

	while (ended < count) {
		if (active->list.count == 0) {
			cursor = lows[begun].value;
		}
		while (begun < count && fw_addr_compare(lows[begun].value, cursor) == 0) {
			enter(active, lows[begun++].item);
		}
		struct fw_addr end = highs[ended].value;
		if (begun < count && fw_addr_compare(lows[begun].value, end) <= 0) {
			end = fw_addr_previous(lows[begun].value);
		}
		if (sweep->items.count + active->list.count > limit) {
			return false;
		}
		add_slice(sweep, active, cursor, end);
		while (ended < count && fw_addr_compare(highs[ended].value, end) == 0) {
			leave(active, highs[ended++].item);
		}
		cursor = fw_addr_next(end);
	}
	return true;
}

void fw_ipt_sweep_fini(struct fw_ipt_sweep *sweep) {
	FW_VEC_FINI(&sweep->slices);
	FW_VEC_FINI(&sweep->items);
}

bool fw_ipt_sweep_run(struct fw_ipt_sweep *sweep, const struct fw_ipt_item *items, size_t count) {
	struct active active = {0};

	if (count == 0) {
		return true;
	}
	struct bound *lows = sorted_bounds(items, count, false);
	struct bound *highs = sorted_bounds(items, count, true);
	bool done = pass(sweep, lows, highs, count, &active);
	free(lows);
	free(highs);
	FW_VEC_FINI(&active.list);
	return done;
}
