// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Places in a text of iptables: of one rule, or of one among many that were taken as one.
 */

#include "readback/iptables.h"

struct fw_place fw_ipt_place(struct fw_arena *arena, const struct fw_source *source, uint32_t line,
	uint32_t start, uint32_t end) {
	return (struct fw_place){
		.text = fw_arena_printf(arena, "%s:%u", source->name, (unsigned)line),
		.span = {source, start, end},
	};
}

struct fw_place fw_place_at(
	struct fw_arena *arena, const struct fw_place *place, const struct fw_point *point) {
	const struct fw_place_index *index = place->index;
	size_t low = 0, high = index == NULL ? 0 : index->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct fw_spot *spot = &index->spots[middle];
		struct fw_addr value = point->values[index->var];
		if (fw_addr_compare(value, spot->low) < 0) {
			high = middle;
		} else if (fw_addr_compare(value, spot->high) > 0) {
			low = middle + 1;
		} else {
			return fw_ipt_place(
				arena, place->span.source, spot->line, spot->start, spot->end);
		}
	}
	return *place;
}
