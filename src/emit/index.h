// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_EMIT_INDEX_H
#define FW_EMIT_INDEX_H
/*
 * Numbers found by a hash, for the long lists: eight bytes for each, next to one another, so that a
 * look-up costs one line of the cache. What the numbers stand for, and whether it is what was
 * looked for, is the caller's to know.
 */

#include "base/base.h"

struct fw_index_slot {
	uint32_t hash, number; /* plus 1; 0: free */
};

/** A zeroed one is empty. */
struct fw_index {
	struct fw_index_slot *slots;
	size_t size, count; /* `size` is a power of two */
};

#define FW_INDEX_NONE UINT32_MAX

void fw_index_fini(struct fw_index *index);
/** Adds a number below FW_INDEX_NONE. */
void fw_index_add(struct fw_index *index, uint32_t hash, uint32_t number);

/** A number that was added with this hash, or FW_INDEX_NONE; the next one each time. *at starts at
 * 0 and is not for the caller. */
static inline uint32_t fw_index_next(const struct fw_index *index, uint32_t hash, size_t *at) {
	while (index->size != 0) {
		const struct fw_index_slot *slot =
			&index->slots[(hash + (*at)++) & (index->size - 1)];
		if (slot->number == 0) {
			break;
		}
		if (slot->hash == hash) {
			return slot->number - 1;
		}
	}
	return FW_INDEX_NONE;
}

/** Of an object that is found by where it is. */
static inline uint32_t fw_index_hash(const void *object) {
	return (uint32_t)(((uintptr_t)object * 0x9e3779b97f4a7c15) >> 32);
}

#endif
