// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Boxes made plainer. A list that follows a diagram tells families apart, say, because one box of
 * them all asks for more of one family; each box alone may not need to. So every box lets go of
 * what it can, and then some lie in others.
 */

#include "space/boxes.h"

#include <stdlib.h>

/* Boxes times edges of the set: all of that may be walked for each variable of each box. */
enum { WORK_MAX = 1 << 20 };

/* Whether a number of the box is an address of IPv4, and of IPv6 too. */
static bool has_ambiguous_addresses(const struct fw_box *box) {
	for (int var = FW_VAR_SOURCE; var <= FW_VAR_DESTINATION; var++) {
		const struct fw_intervals *values = &box->values[var];
		if (values->count != 0 && values->items[0].low.high == 0 &&
			values->items[0].low.low <= UINT32_MAX) {
			return true;
		}
	}
	return false;
}

/*
 * From the last variable on: the family goes once the addresses, which tell it too, are gone. Where
 * they are not, and do not tell it, it stays: nobody takes 10.0.0.1 for an address of IPv6.
 */
static void widen_box(struct fw_spaces *spaces, struct fw_box *box, fw_space set, fw_space within) {
	for (unsigned i = FW_VAR_COUNT - 1; i > 0; i--) {
		enum fw_var var = fw_var_listed[i];
		struct fw_intervals values = box->values[var];
		if (values.count == 0 || (var == FW_VAR_FAMILY && has_ambiguous_addresses(box))) {
			continue;
		}
		box->values[var] = (struct fw_intervals){0};
		fw_space wider = fw_space_intersect(spaces, fw_box_space(spaces, box), within);
		if (!fw_space_is_subset(spaces, wider, set)) {
			box->values[var] = values;
		}
	}
}

/* Of equal ones the first stays. */
static bool lies_in_another(
	struct fw_spaces *spaces, const fw_space *sets, size_t count, size_t which) {
	for (size_t i = 0; i < count; i++) {
		if (i != which && (sets[i] != sets[which] || i < which) &&
			fw_space_is_subset(spaces, sets[which], sets[i])) {
			return true;
		}
	}
	return false;
}

static void drop_needless(struct fw_spaces *spaces, struct fw_boxes *boxes, fw_space within) {
	FW_VEC(fw_space) sets = {0};
	for (size_t i = 0; i < boxes->count; i++) {
		fw_space all = fw_box_space(spaces, &boxes->items[i]);
		FW_VEC_ADD(&sets, fw_space_intersect(spaces, all, within));
	}
	size_t kept = 0;
	for (size_t i = 0; i < sets.count; i++) {
		if (!lies_in_another(spaces, sets.items, sets.count, i)) {
			boxes->items[kept++] = boxes->items[i];
		}
	}
	boxes->count = kept;
	FW_VEC_FINI(&sets);
}

void fw_boxes_widen(
	struct fw_spaces *spaces, struct fw_boxes *boxes, fw_space set, fw_space within) {
	size_t edges = fw_space_measure(spaces, set).edges;
	if (boxes->count != 0 && edges > WORK_MAX / boxes->count) {
		return;
	}
	for (size_t i = 0; i < boxes->count; i++) {
		widen_box(spaces, &boxes->items[i], set, within);
	}
	drop_needless(spaces, boxes, within);
}
