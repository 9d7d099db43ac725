// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Members that bring their own ports: a table for each list of ports, of those that bring it. Sites
 * have a list for every camera, so members are looked at in their order and as seldom as can be.
 */

#include "emit/pf.h"

#include <stdlib.h>
#include <string.h>

#define uthash_malloc(size) fw_alloc(size)
#include <uthash.h>

struct own_key {
	const struct fw_set *set, *except;
};

struct fw_pf_own_entry {
	struct own_key key;
	struct fw_pf_own own;
	UT_hash_handle hh;
};

/* The members with one list. */
struct group {
	const struct fw_port_list *ports;
	uint32_t number, count;
	bool has[FW_FAMILY_COUNT], wide; /* `wide`: not all are single addresses */
};

struct groups {
	FW_VEC(struct group) list;
	struct fw_index index;
	uint32_t *numbers; /* of the members' groups */
	size_t count;	   /* members */
};

static void groups_fini(struct groups *groups) {
	FW_VEC_FINI(&groups->list);
	fw_index_fini(&groups->index);
	free(groups->numbers);
}

/* Equal lists are the same pointer. */
static uint32_t number_of(struct groups *groups, const struct fw_port_list *ports) {
	uint32_t hash = fw_index_hash(ports), number;
	size_t at = 0;

	do {
		number = fw_index_next(&groups->index, hash, &at);
	} while (number != FW_INDEX_NONE && groups->list.items[number].ports != ports);
	if (number == FW_INDEX_NONE) {
		number = (uint32_t)groups->list.count;
		fw_index_add(&groups->index, hash, number);
		FW_VEC_ADD(&groups->list, (struct group){.ports = ports, .number = number});
	}
	return number;
}

static size_t own_count(const struct fw_members *members) {
	return members->count - members->plain_count;
}

static void collect(struct groups *groups, const struct fw_set *set) {
	size_t count = own_count(&set->members[FW_IPV4]) + own_count(&set->members[FW_IPV6]);

	groups->numbers = fw_alloc(count * sizeof(*groups->numbers));
	for (int family = FW_IPV4; family < FW_FAMILY_COUNT; family++) {
		const struct fw_members *members = &set->members[family];
		for (size_t i = members->plain_count; i < members->count; i++) {
			const struct fw_endpoint *member = &members->items[i];
			uint32_t number = number_of(groups, member->own);
			struct group *group = &groups->list.items[number];
			group->count++;
			group->has[family] = true;
			group->wide |= !fw_range_is_single(&member->range);
			groups->numbers[groups->count++] = number;
		}
	}
}

/* By their ports, so that another member moves no rule. */
static int compare_groups(const void *left, const void *right) {
	return fw_port_list_compare(
		((const struct group *)left)->ports, ((const struct group *)right)->ports);
}

static void sort_groups(struct groups *groups) {
	struct group *items = groups->list.items;
	for (size_t i = 1; i < groups->list.count; i++) {
		if (compare_groups(&items[i - 1], &items[i]) > 0) {
			qsort(items, groups->list.count, sizeof(*items), compare_groups);
			return;
		}
	}
}

/* The members, those of a group next to each other and in their order. */
static const struct fw_endpoint **sort_members(
	struct fw_arena *arena, const struct groups *groups, const struct fw_set *set) {
	const struct fw_endpoint **sorted =
		FW_ARENA_ARRAY(arena, const struct fw_endpoint *, groups->count);
	uint32_t *next = fw_alloc(groups->list.count * sizeof(*next)), first = 0;
	const uint32_t *number = groups->numbers;

	for (size_t i = 0; i < groups->list.count; i++) {
		next[groups->list.items[i].number] = first;
		first += groups->list.items[i].count;
	}
	for (int family = FW_IPV4; family < FW_FAMILY_COUNT; family++) {
		const struct fw_members *members = &set->members[family];
		for (size_t i = members->plain_count; i < members->count; i++) {
			sorted[next[*number++]++] = &members->items[i];
		}
	}
	free(next);
	return sorted;
}

static struct fw_pf_own make_own(struct fw_pf_tables *tables, struct own_key key) {
	FW_AUTO(groups_fini) struct groups groups = {0};
	collect(&groups, key.set);
	sort_groups(&groups);
	const struct fw_endpoint **members = sort_members(tables->arena, &groups, key.set);
	size_t count = groups.list.count;
	struct fw_pf_table *made = FW_ARENA_ARRAY(tables->arena, struct fw_pf_table, count);

	for (size_t i = 0; i < count; i++) {
		const struct group *group = &groups.list.items[i];
		made[i].key = (struct fw_pf_key){key.set, key.except, group->ports, 0};
		if (group->wide || key.except != NULL) {
			fw_pf_table_fill(tables, &made[i], members, group->count);
		} else {
			/* Members with the same ports do not overlap, and are in order. */
			made[i].members = members;
			made[i].count = group->count;
			memcpy(made[i].has, group->has, sizeof(group->has));
		}
		members += group->count;
	}
	return (struct fw_pf_own){made, count};
}

struct fw_pf_own fw_pf_own_tables(
	struct fw_pf_tables *tables, const struct fw_set *set, const struct fw_set *except) {
	struct own_key key = {set, except};
	struct fw_pf_own_entry *entry;

	HASH_FIND(hh, tables->own, &key, sizeof(key), entry);
	if (entry == NULL) {
		entry = FW_ARENA_NEW(tables->arena, struct fw_pf_own_entry);
		entry->key = key;
		entry->own = make_own(tables, key);
		HASH_ADD(hh, tables->own, key, sizeof(key), entry);
	}
	return entry->own;
}

void fw_pf_own_fini(struct fw_pf_tables *tables) {
	HASH_CLEAR(hh, tables->own);
}
