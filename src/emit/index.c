// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The table of numbers grows before it is more than half full, so that what is next to a slot is
 * seldom another's.
 */

#include "emit/index.h"

#include <stdlib.h>

enum { SIZE_MIN = 64 };

void fw_index_fini(struct fw_index *index) {
	free(index->slots);
	*index = (struct fw_index){0};
}

static void put(struct fw_index *index, struct fw_index_slot added) {
	size_t at = added.hash;
	while (index->slots[at & (index->size - 1)].number != 0) {
		at++;
	}
	index->slots[at & (index->size - 1)] = added;
}

static void grow(struct fw_index *index) {
	struct fw_index old = *index;

	index->size = old.size != 0 ? 2 * old.size : SIZE_MIN;
	index->slots = fw_alloc(index->size * sizeof(*index->slots));
	for (size_t i = 0; i < old.size; i++) {
		if (old.slots[i].number != 0) {
			put(index, old.slots[i]);
		}
	}
	free(old.slots);
}

void fw_index_add(struct fw_index *index, uint32_t hash, uint32_t number) {
	assert(number < FW_INDEX_NONE);
	if (2 * index->count >= index->size) {
		grow(index);
	}
	put(index, (struct fw_index_slot){hash, number + 1});
	index->count++;
}
