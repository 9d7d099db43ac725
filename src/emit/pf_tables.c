// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sets of a policy as tables of pf. A table holds both families and no ranges, so ranges become the
 * prefixes that are exactly them. An exception becomes negated entries: of all entries that hold an
 * address the longest prefix decides (pf.conf, TABLES), and two prefixes are nested or apart, so
 * that says exactly the difference once members inside an exception are left out.
 */

#include "emit/pf.h"

#include <stdlib.h>
#include <string.h>

#define uthash_malloc(size) fw_alloc(size)
#include <uthash.h>

enum { HASH_DIGITS = 8, WORD_BITS = 64 };

struct fw_pf_tables_entry {
	struct fw_pf_table table;
	UT_hash_handle by_key;
};

void fw_pf_tables_fini(struct fw_pf_tables *tables) {
	HASH_CLEAR(by_key, tables->by_key);
	fw_pf_own_fini(tables);
	fw_index_fini(&tables->names);
	fw_buf_fini(&tables->text);
	FW_VEC_FINI(&tables->named);
}

/* ---- ranges to prefixes ---- */

static uint64_t low_bits(unsigned count) {
	return count >= WORD_BITS ? UINT64_MAX : ((uint64_t)1 << count) - 1;
}

/* The last address of the block of 2^bits that begins with `first`. */
static struct fw_addr block_last(struct fw_addr first, unsigned bits) {
	return (struct fw_addr){
		first.high | (bits > WORD_BITS ? low_bits(bits - WORD_BITS) : 0),
		first.low | low_bits(bits),
	};
}

/* How large a block can begin with `first`. */
static unsigned alignment(enum fw_family family, struct fw_addr first) {
	if (first.low != 0) {
		return (unsigned)__builtin_ctzll(first.low);
	}
	if (family == FW_IPV4) {
		return WORD_BITS / 2;
	}
	return WORD_BITS + (first.high != 0 ? (unsigned)__builtin_ctzll(first.high) : WORD_BITS);
}

typedef FW_VEC(struct fw_pf_entry) entry_vec;

static void add_prefixes(
	entry_vec *out, const struct fw_range *range, const char *name, bool negated) {
	struct fw_addr first = range->first;
	for (;;) {
		unsigned bits = alignment(range->family, first);
		while (fw_addr_compare(block_last(first, bits), range->last) > 0) {
			bits--;
		}
		struct fw_addr last = block_last(first, bits);
		struct fw_range prefix = {first, last, range->family};
		FW_VEC_ADD(out, (struct fw_pf_entry){prefix, negated, name});
		if (fw_addr_compare(last, range->last) == 0) {
			return;
		}
		first = fw_addr_next(last);
	}
}

/* ---- members without exceptions ---- */

/* By family and address, wider ones first; of equals exceptions, then by name. */
static int compare_entries(const void *left, const void *right) {
	const struct fw_pf_entry *a = left;
	const struct fw_pf_entry *b = right;
	int order = fw_range_compare(&a->range, &b->range);

	if (order == 0) {
		order = (int)b->negated - (int)a->negated;
	}
	if (order == 0 && (a->name == NULL || b->name == NULL)) {
		return (a->name == NULL) - (b->name == NULL);
	}
	return order != 0 ? order : strcmp(a->name, b->name);
}

static bool inside(const struct fw_range *outer, const struct fw_range *inner) {
	return outer->family == inner->family && fw_range_contains(outer, inner);
}

/*
 * Leaves of sorted entries those that say the difference, each once. In that order whatever holds a
 * prefix stands before it, so the widest member and the widest exception so far are all to look at.
 */
static size_t subtract(struct fw_pf_entry *entries, size_t count) {
	struct fw_range member = {0}, exception = {0};
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		struct fw_pf_entry entry = entries[i];
		bool held = inside(&member, &entry.range);
		bool again =
			kept != 0 && fw_range_compare(&entries[kept - 1].range, &entry.range) == 0;

		if (inside(&exception, &entry.range)) {
			continue;
		}
		if (entry.negated) {
			exception = entry.range;
		} else if (!held) {
			member = entry.range;
		}
		if (entry.negated ? held : !again) {
			entries[kept++] = entry;
		}
	}
	return kept;
}

static void add_set(entry_vec *out, const struct fw_set *set, bool negated) {
	for (int family = FW_IPV4; family < FW_FAMILY_COUNT; family++) {
		const struct fw_members *members = &set->members[family];
		for (size_t i = 0; i < members->count; i++) {
			add_prefixes(out, &members->items[i].range, NULL, negated);
		}
	}
}

/* ---- making one ---- */

static bool has_own(const struct fw_set *set) {
	return set->members[FW_IPV4].plain_count < set->members[FW_IPV4].count ||
	       set->members[FW_IPV6].plain_count < set->members[FW_IPV6].count;
}

/* Whether each member is an entry as it is: most are, and need no copy. */
static bool are_entries(const struct fw_endpoint *const *members, size_t count) {
	for (size_t i = 0; i < count; i++) {
		const struct fw_range *range = &members[i]->range;
		if ((i != 0 && fw_range_compare(&members[i - 1]->range, range) >= 0) ||
			fw_range_prefix_length(range) <= 0) {
			return false;
		}
	}
	return true;
}

static void fill_subtracted(struct fw_pf_tables *tables, struct fw_pf_table *table,
	const struct fw_endpoint *const *members, size_t count) {
	entry_vec entries = {0};

	for (size_t i = 0; i < count; i++) {
		const struct fw_range *range = &members[i]->range;
		if (fw_range_is_all(range)) {
			table->all[range->family] = true;
		} else {
			add_prefixes(&entries, range, members[i]->name, false);
		}
	}
	if (table->key.except != NULL) {
		add_set(&entries, table->key.except, true);
	}
	if (entries.count != 0) {
		qsort(entries.items, entries.count, sizeof(*entries.items), compare_entries);
	}
	table->entries = entries.items;
	table->count = subtract(entries.items, entries.count);
	fw_arena_keep(tables->arena, entries.items);
}

void fw_pf_table_fill(struct fw_pf_tables *tables, struct fw_pf_table *table,
	const struct fw_endpoint *const *members, size_t count) {
	if (table->key.except == NULL && are_entries(members, count)) {
		table->members = members;
		table->count = count;
	} else {
		fill_subtracted(tables, table, members, count);
	}
	for (size_t i = 0; i < table->count; i++) {
		table->has[table->entries != NULL ? table->entries[i].range.family
						  : members[i]->range.family] = true;
	}
}

struct fw_pf_table *fw_pf_table_get(struct fw_pf_tables *tables, struct fw_pf_key key) {
	struct fw_pf_tables_entry *entry;

	key.plain = key.plain != 0 && has_own(key.set) ? 1 : 0;
	HASH_FIND(by_key, tables->by_key, &key, sizeof(key), entry);
	if (entry != NULL) {
		return &entry->table;
	}
	const struct fw_members *all = key.set->members;
	const struct fw_endpoint **members = FW_ARENA_ARRAY(
		tables->arena, const struct fw_endpoint *, all[FW_IPV4].count + all[FW_IPV6].count);
	size_t count = 0;
	for (int family = FW_IPV4; family < FW_FAMILY_COUNT; family++) {
		size_t kept = key.plain != 0 ? all[family].plain_count : all[family].count;
		for (size_t i = 0; i < kept; i++) {
			members[count++] = &all[family].items[i];
		}
	}
	entry = FW_ARENA_NEW(tables->arena, struct fw_pf_tables_entry);
	entry->table.key = key;
	fw_pf_table_fill(tables, &entry->table, members, count);
	HASH_ADD(by_key, tables->by_key, table.key, sizeof(key), entry);
	return &entry->table;
}

/* ---- names ---- */

static void write_ports(
	struct fw_buf *out, const char *protocol, const struct fw_ports *ports, size_t count) {
	for (size_t i = 0; i < count; i++) {
		fw_buf_add_text(out, i == 0 ? protocol : ".");
		fw_ports_format(ports[i], out);
	}
}

/* "fw_cameras_tcp-8554_udp-8554": what is in it, so that another list of ports renames nothing. */
static void write_name(struct fw_buf *out, const struct fw_pf_key *key, const char *service) {
	bool peers = key->set->literal && strchr(key->set->name, '_') == NULL;

	fw_buf_add_text(out, "fw_");
	fw_buf_add_text(out, key->set->name);
	fw_buf_add_text(out, peers ? "_peers" : "");
	if (key->ports != NULL) {
		write_ports(out, "_tcp-", key->ports->tcp, key->ports->tcp_count);
		write_ports(out, "_udp-", key->ports->udp, key->ports->udp_count);
	} else if (key->plain != 0) {
		fw_buf_add_text(out, "_plain");
	}
	if (key->except != NULL) {
		fw_buf_printf(out, "_not_%s", service);
	}
}

/* 64-bit FNV-1a. */
static uint64_t hash_text(struct fw_slice text) {
	uint64_t hash = 0xcbf29ce484222325;
	for (size_t i = 0; i < text.length; i++) {
		hash = (hash ^ (unsigned char)text.data[i]) * 0x100000001b3;
	}
	return hash;
}

static bool is_taken(const struct fw_pf_tables *tables, struct fw_slice name) {
	uint32_t hash = (uint32_t)hash_text(name), number;
	size_t at = 0;

	do {
		number = fw_index_next(&tables->names, hash, &at);
	} while (number != FW_INDEX_NONE && !fw_slice_is(name, tables->named.items[number]->name));
	return number != FW_INDEX_NONE;
}

/*
 * A name that is too long, or another's, ends in a hash instead, and that in the next number as
 * long as it is another's.
 */
static const char *unique_name(struct fw_pf_tables *tables, struct fw_slice wish) {
	int stem = FW_PF_NAME_MAX - HASH_DIGITS - 1;
	uint32_t hash = (uint32_t)hash_text(wish);

	if (wish.length <= FW_PF_NAME_MAX && !is_taken(tables, wish)) {
		return fw_arena_text(tables->arena, wish);
	}
	const char *name;
	do {
		int length = wish.length < (size_t)stem ? (int)wish.length : stem;
		name = fw_arena_printf(
			tables->arena, "%.*s_%08x", length, wish.data, (unsigned)hash++);
	} while (is_taken(tables, fw_slice(name)));
	return name;
}

static const char *note_of(
	struct fw_arena *arena, const struct fw_pf_key *key, const char *service) {
	const char *part = key->ports != NULL ? "with these ports of their own"
			   : key->plain != 0  ? "without ports of their own"
					      : NULL;
	if (key->except == NULL) {
		return part;
	}
	return fw_arena_printf(arena, "%s%sbut not what %s excepts", part != NULL ? part : "",
		part != NULL ? ", " : "", service);
}

void fw_pf_table_name(struct fw_pf_tables *tables, struct fw_pf_table *table, const char *service) {
	if (table->name != NULL) {
		return;
	}
	const struct fw_set *set = table->key.set;

	tables->text.length = 0;
	write_name(&tables->text, &table->key, service);
	table->name = unique_name(tables, fw_buf_slice(&tables->text));
	table->title = set->title != NULL ? set->title : set->name;
	table->note = note_of(tables->arena, &table->key, service);
	fw_index_add(&tables->names, (uint32_t)hash_text(fw_slice(table->name)),
		(uint32_t)tables->named.count);
	FW_VEC_ADD(&tables->named, table);
}
