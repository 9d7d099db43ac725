// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Data that many rules have in common, kept once: what is equal is the same pointer.
 */

#include "readback/iptables.h"

#include <stdlib.h>
#include <string.h>

#define uthash_malloc(size) fw_alloc(size)
#include <uthash.h>

struct fw_ipt_entry {
	const void *bytes;
	struct fw_ipt_number number;
	UT_hash_handle hh;
};

static struct fw_ipt_entry *find_or_add(struct fw_ipt_pool *pool, const void *bytes, size_t size) {
	struct fw_ipt_entry *entry;

	bytes = bytes != NULL ? bytes : ""; /* of no bytes */
	HASH_FIND(hh, pool->entries, bytes, size, entry);
	if (entry == NULL) {
		char *copy = fw_arena_alloc(pool->arena, size + 1);
		memcpy(copy, bytes, size);
		entry = FW_ARENA_NEW(pool->arena, struct fw_ipt_entry);
		entry->bytes = copy;
		entry->number.number = ++pool->count;
		HASH_ADD_KEYPTR(hh, pool->entries, copy, size, entry);
	}
	return entry;
}

void fw_ipt_pool_fini(struct fw_ipt_pool *pool) {
	HASH_CLEAR(hh, pool->entries);
}

const void *fw_ipt_intern(struct fw_ipt_pool *pool, const void *bytes, size_t size) {
	return find_or_add(pool, bytes, size)->bytes;
}

const char *fw_ipt_intern_text(struct fw_ipt_pool *pool, struct fw_slice text) {
	return find_or_add(pool, text.data, text.length)->bytes;
}

struct fw_ipt_number *fw_ipt_intern_number(struct fw_ipt_pool *pool, struct fw_slice bytes) {
	return &find_or_add(pool, bytes.data, bytes.length)->number;
}
