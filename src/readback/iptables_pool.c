// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Data that many rules have in common, kept once: what is equal is the same pointer. There are a
 * few lookups for each rule, so the table tells most entries apart without looking at them.
 */

#include "readback/iptables.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { SLOTS_MIN = 64, FREE_OF_SLOTS = 2 /* one of so many is, at least */ };

struct fw_ipt_entry {
	size_t size;
	struct fw_ipt_number number;
	_Alignas(max_align_t) char bytes[]; /* and a NUL */
};

struct fw_ipt_slot {
	uint64_t hash;
	struct fw_ipt_entry *entry; /* NULL: free */
};

/* With a key, so that whoever writes a rule set cannot have all of its words in one place. */
static uint64_t hash_of(const struct fw_ipt_pool *pool, const char *bytes, size_t size) {
	uint64_t hash = size, part;

	for (; size != 0; bytes += sizeof(part), size -= sizeof(part)) {
		part = 0;
		if (size < sizeof(part)) {
			memcpy(&part, bytes, size);
			size = sizeof(part);
		} else {
			memcpy(&part, bytes, sizeof(part));
		}
		part = (part ^ pool->key[0]) * (pool->key[1] | 1);
		hash = (hash ^ part ^ part >> 29) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 32;
	}
	return hash;
}

/* Where these bytes are, or where they go. */
static struct fw_ipt_slot *find_slot(
	const struct fw_ipt_pool *pool, uint64_t hash, const void *bytes, size_t size) {
	size_t mask = pool->slot_count - 1, i = hash & mask;

	for (; pool->slots[i].entry != NULL; i = (i + 1) & mask) {
		const struct fw_ipt_entry *entry = pool->slots[i].entry;
		if (pool->slots[i].hash == hash && entry->size == size &&
			memcmp(entry->bytes, bytes, size) == 0) {
			break;
		}
	}
	return &pool->slots[i];
}

static void grow(struct fw_ipt_pool *pool) {
	struct fw_ipt_slot *old = pool->slots;
	size_t old_count = pool->slot_count;

	if (pool->count < old_count / FREE_OF_SLOTS) {
		return;
	}
	if (old_count == 0 &&
		getrandom(pool->key, sizeof(pool->key), GRND_NONBLOCK) != sizeof(pool->key)) {
		pool->key[0] = (uintptr_t)pool; /* early at boot; better than a fixed one */
	}
	pool->slot_count = old_count != 0 ? 2 * old_count : SLOTS_MIN;
	pool->slots = fw_alloc(pool->slot_count * sizeof(*pool->slots));
	for (size_t i = 0; i < old_count; i++) {
		size_t mask = pool->slot_count - 1, to = old[i].hash & mask;
		while (old[i].entry != NULL && pool->slots[to].entry != NULL) {
			to = (to + 1) & mask;
		}
		if (old[i].entry != NULL) {
			pool->slots[to] = old[i];
		}
	}
	free(old);
}

static struct fw_ipt_entry *find_or_add(struct fw_ipt_pool *pool, const void *bytes, size_t size) {
	bytes = bytes != NULL ? bytes : ""; /* of no bytes */
	grow(pool);
	uint64_t hash = hash_of(pool, bytes, size);
	struct fw_ipt_slot *slot = find_slot(pool, hash, bytes, size);

	if (slot->entry == NULL) {
		struct fw_ipt_entry *entry = fw_arena_alloc(pool->arena, sizeof(*entry) + size + 1);
		entry->size = size;
		entry->number = (struct fw_ipt_number){.number = ++pool->count};
		memcpy(entry->bytes, bytes, size);
		entry->bytes[size] = '\0';
		*slot = (struct fw_ipt_slot){hash, entry};
	}
	return slot->entry;
}

void fw_ipt_pool_fini(struct fw_ipt_pool *pool) {
	free(pool->slots);
	*pool = (struct fw_ipt_pool){0};
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
