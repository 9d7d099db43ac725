// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sets of a policy as nf_tables sets. A set with plain members points into the policy's array;
 * members with own ports become address . port pairs where that takes few of them, else pairs of
 * ranges where the kernel knows such, else one set for each distinct list of ports. All of it in
 * linear time, sorting what is distinct apart.
 */

#include "nftables/sets.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define uthash_malloc(size) fw_alloc(size)
#include <uthash.h>

enum {
	/* A member with more ports than this gets rules instead of one pair for each. */
	OWN_PORTS_MAX = 16,
	/* Sets of so many elements declare their size, which makes them load faster. */
	SIZE_DECLARED_FROM = 1024,
	/* A list of ports whose text is longer names its set by a hash. */
	LIST_NAME_MAX = 40,
};

static const char *const family_prefix[FW_FAMILY_COUNT] = {
	[FW_IPV4] = "ipv4",
	[FW_IPV6] = "ipv6",
};

struct family_sets {
	const struct fw_nft_set *plain, *own;
	const struct own_sets *ports;
};

struct set_entry {
	const struct fw_set *set;
	struct family_sets families[FW_FAMILY_COUNT];
	UT_hash_handle hh;
};

void fw_nft_set_index_fini(struct set_index *index) {
	HASH_CLEAR(hh, index->entries);
}

static struct family_sets *entry_get(
	struct set_index *index, const struct fw_set *set, enum fw_family family) {
	struct set_entry *entry;
	HASH_FIND_PTR(index->entries, &set, entry);
	if (entry == NULL) {
		entry = FW_ARENA_NEW(index->arena, struct set_entry);
		entry->set = set;
		HASH_ADD_PTR(index->entries, set, entry);
	}
	return &entry->families[family];
}

/* What all sets made from one set and family have in common; `suffix` may be "". */
static struct fw_nft_set *set_new(struct fw_arena *arena, const struct fw_set *set,
	enum fw_family family, const char *suffix, const char *note) {
	bool peers = set->literal && strchr(set->name, '_') == NULL;
	struct fw_nft_set *made = FW_ARENA_NEW(arena, struct fw_nft_set);

	made->name = fw_arena_printf(arena, "%s_%s%s%s", family_prefix[family], set->name,
		peers ? "_peers" : "", suffix);
	made->title = set->title != NULL ? set->title : set->name;
	made->note = note;
	made->family = family;
	made->span = set->span;
	return made;
}

/* Interval sets hold both ends of each element, and one more for the gap in front. */
static uint32_t declared_size(size_t count, bool interval) {
	if (count < SIZE_DECLARED_FROM) {
		return 0;
	}
	size_t needed = interval ? 2 * count + 2 : count;
	uint32_t size = SIZE_DECLARED_FROM;
	while (size < needed) {
		size *= 2;
	}
	return size;
}

static void fill_addresses(
	struct fw_nft_set *made, const struct fw_endpoint *endpoints, size_t count) {
	made->key = FW_NFT_ADDR;
	made->endpoints = endpoints;
	made->count = count;
	for (size_t i = 0; i < count && !made->interval; i++) {
		made->interval = !fw_range_is_single(&endpoints[i].range);
	}
	made->size = declared_size(count, made->interval);
}

const struct fw_nft_set *fw_nft_set_plain(
	struct set_index *index, const struct fw_set *set, enum fw_family family) {
	struct family_sets *sets = entry_get(index, set, family);
	if (sets->plain == NULL) {
		const struct fw_members *members = &set->members[family];
		struct fw_nft_set *made = set_new(index->arena, set, family, "", NULL);
		fill_addresses(made, members->items, members->plain_count);
		sets->plain = made;
	}
	return sets->plain;
}

/* ---- members with own ports ---- */

static const struct fw_endpoint *own_members(const struct fw_members *members, size_t *out_count) {
	*out_count = members->count - members->plain_count;
	return members->items + members->plain_count;
}

/* They may overlap, as long as their ports differ; an nf_tables set may not. */
static bool any_overlap(const struct fw_endpoint *endpoints, size_t count) {
	for (size_t i = 1; i < count; i++) {
		if (fw_range_overlaps(&endpoints[i - 1].range, &endpoints[i].range)) {
			return true;
		}
	}
	return false;
}

static size_t join_overlaps(
	const struct fw_endpoint *endpoints, size_t count, struct fw_endpoint *out) {
	size_t kept = 0;
	for (size_t i = 0; i < count; i++) {
		struct fw_range *last = kept != 0 ? &out[kept - 1].range : NULL;
		const struct fw_range *next = &endpoints[i].range;
		if (last == NULL || !fw_range_overlaps(last, next)) {
			out[kept++] = endpoints[i];
		} else if (fw_addr_compare(next->last, last->last) > 0) {
			last->last = next->last;
		}
	}
	return kept;
}

const struct fw_nft_set *fw_nft_set_own(
	struct set_index *index, const struct fw_set *set, enum fw_family family) {
	struct family_sets *sets = entry_get(index, set, family);
	if (sets->own == NULL) {
		size_t count;
		const struct fw_endpoint *own = own_members(&set->members[family], &count);
		struct fw_nft_set *made =
			set_new(index->arena, set, family, "_own", "those with ports of their own");
		if (any_overlap(own, count)) {
			struct fw_endpoint *joined =
				FW_ARENA_ARRAY(index->arena, struct fw_endpoint, count);
			count = join_overlaps(own, count, joined);
			own = joined;
		}
		fill_addresses(made, own, count);
		sets->own = made;
	}
	return sets->own;
}

static size_t ports_of(const struct fw_ports *ports, size_t count) {
	size_t total = 0;
	for (size_t i = 0; i < count; i++) {
		total += (size_t)(ports[i].high - ports[i].low) + 1;
	}
	return total;
}

/* What a member with own ports becomes a part of. */
enum { FORM_LIST, FORM_PAIRS, FORM_RANGES };
typedef uint8_t own_form; /* one of them: there is one for each member */

static bool is_pairs(const struct fw_endpoint *endpoint) {
	const struct fw_port_list *own = endpoint->own;
	return fw_range_is_single(&endpoint->range) &&
	       ports_of(own->tcp, own->tcp_count) + ports_of(own->udp, own->udp_count) <=
		       OWN_PORTS_MAX;
}

/*
 * Members by address, each with its form. The kernel takes no two pairs of ranges that overlap, and
 * cutting up what does may take a square of parts; so members that overlap remain lists.
 */
static own_form *own_forms(
	const struct set_index *index, const struct fw_endpoint *own, size_t count) {
	own_form *forms = FW_ARENA_ARRAY(index->arena, own_form, count);
	size_t farthest = count; /* of those that are no pairs, the one that reaches farthest */

	for (size_t i = 0; i < count; i++) {
		if (is_pairs(&own[i])) {
			forms[i] = FORM_PAIRS;
			continue;
		}
		forms[i] = index->kernel == FW_NFT_5_6 ? FORM_RANGES : FORM_LIST;
		if (farthest < count && fw_range_overlaps(&own[farthest].range, &own[i].range)) {
			forms[farthest] = forms[i] = FORM_LIST;
		}
		if (farthest == count ||
			fw_addr_compare(own[i].range.last, own[farthest].range.last) > 0) {
			farthest = i;
		}
	}
	return forms;
}

/* ---- address . port ---- */

struct pair {
	struct fw_nft_element element;
	unsigned protocols; /* FW_PROTO_ bits */
};

typedef FW_VEC(struct pair) pair_vec;
typedef FW_VEC(struct fw_nft_element) element_vec;

static void add_pairs(pair_vec *pairs, const struct fw_endpoint *endpoint,
	const struct fw_ports *ports, size_t count, unsigned protocol) {
	for (size_t i = 0; i < count; i++) {
		for (unsigned port = ports[i].low; port <= ports[i].high; port++) {
			struct fw_ports one = {(uint16_t)port, (uint16_t)port};
			FW_VEC_ADD(pairs, (struct pair){{endpoint, one}, protocol});
		}
	}
}

/* By port, then in the order of the members. */
static int compare_pairs(const void *left, const void *right) {
	const struct fw_nft_element *a = &((const struct pair *)left)->element;
	const struct fw_nft_element *b = &((const struct pair *)right)->element;

	if (a->ports.low != b->ports.low) {
		return a->ports.low < b->ports.low ? -1 : 1;
	}
	return (a->endpoint > b->endpoint) - (a->endpoint < b->endpoint);
}

/* Hands the pairs of one address out to the three sets, each port once. */
static void sort_pairs(pair_vec *pairs, element_vec out[PAIR_COUNT]) {
	if (pairs->count > 1) {
		qsort(pairs->items, pairs->count, sizeof(*pairs->items), compare_pairs);
	}
	for (size_t i = 0; i < pairs->count;) {
		const struct pair *first = &pairs->items[i];
		uint16_t port = first->element.ports.low;
		unsigned protocols = 0;
		for (; i < pairs->count && pairs->items[i].element.ports.low == port; i++) {
			protocols |= pairs->items[i].protocols;
		}
		enum pair_kind kind = protocols == FW_PROTO_TCP	  ? PAIR_TCP
				      : protocols == FW_PROTO_UDP ? PAIR_UDP
								  : PAIR_BOTH;
		FW_VEC_ADD(&out[kind], first->element);
	}
	pairs->count = 0;
}

static void collect_pairs(const struct fw_endpoint *endpoints, const own_form *forms, size_t count,
	element_vec out[PAIR_COUNT]) {
	const struct fw_endpoint *last = NULL;
	pair_vec pairs = {0};

	for (size_t i = 0; i < count; i++) {
		const struct fw_endpoint *next = &endpoints[i];
		if (forms[i] != FORM_PAIRS) {
			continue;
		}
		if (last != NULL && fw_range_compare(&last->range, &next->range) != 0) {
			sort_pairs(&pairs, out);
		}
		add_pairs(&pairs, next, next->own->tcp, next->own->tcp_count, FW_PROTO_TCP);
		add_pairs(&pairs, next, next->own->udp, next->own->udp_count, FW_PROTO_UDP);
		last = next;
	}
	sort_pairs(&pairs, out);
	FW_VEC_FINI(&pairs);
}

/* Whether TCP and UDP ports are the same. */
static bool same_ports(const struct fw_port_list *own) {
	struct fw_port_list udp = {.tcp = own->udp,
		.tcp_count = own->udp_count,
		.udp = own->tcp,
		.udp_count = own->tcp_count};
	return fw_port_list_compare(own, &udp) == 0;
}

static void add_ranges(element_vec *out, const struct fw_endpoint *endpoint,
	const struct fw_ports *ports, size_t count) {
	for (size_t i = 0; i < count; i++) {
		FW_VEC_ADD(out, (struct fw_nft_element){endpoint, ports[i]});
	}
}

static void collect_ranges(const struct fw_endpoint *endpoints, const own_form *forms, size_t count,
	element_vec out[PAIR_COUNT]) {
	for (size_t i = 0; i < count; i++) {
		const struct fw_port_list *own = endpoints[i].own;
		if (forms[i] != FORM_RANGES) {
			continue;
		}
		if (same_ports(own)) {
			add_ranges(&out[PAIR_BOTH], &endpoints[i], own->tcp, own->tcp_count);
		} else {
			add_ranges(&out[PAIR_TCP], &endpoints[i], own->tcp, own->tcp_count);
			add_ranges(&out[PAIR_UDP], &endpoints[i], own->udp, own->udp_count);
		}
	}
}

static const struct fw_nft_set *pair_set(struct fw_arena *arena, const struct fw_set *set,
	enum fw_family family, enum pair_kind kind, bool interval, element_vec *elements) {
	static const char *const suffixes[][PAIR_COUNT] = {
		{"_ports", "_tcp", "_udp"}, {"_ranges", "_ranges_tcp", "_ranges_udp"}};
	static const char *const notes[PAIR_COUNT] = {
		"address . port, tcp and udp alike",
		"address . port, tcp",
		"address . port, udp",
	};
	if (elements->count == 0) {
		return NULL;
	}
	struct fw_nft_set *made =
		set_new(arena, set, family, suffixes[interval][kind], notes[kind]);
	made->key = FW_NFT_ADDR_PORT;
	made->elements = elements->items;
	made->count = elements->count;
	fw_arena_keep(arena, elements->items);
	*elements = (element_vec){0};
	made->interval = interval;
	made->size = declared_size(made->count, interval);
	return made;
}

/* Makes the sets of each kind and empties the lists. */
static void make_pairs(struct fw_arena *arena, const struct fw_set *set, enum fw_family family,
	bool interval, element_vec elements[PAIR_COUNT], const struct fw_nft_set *out[PAIR_COUNT]) {
	for (int kind = 0; kind < PAIR_COUNT; kind++) {
		out[kind] = pair_set(
			arena, set, family, (enum pair_kind)kind, interval, &elements[kind]);
	}
}

/* ---- one set for each list of ports ---- */

struct port_group {
	const struct fw_port_list *ports;
	size_t count;
	struct fw_endpoint *endpoints; /* the arena's */
	char *suffix;
	UT_hash_handle by_ports, by_suffix;
};

static struct port_group *group_get(
	struct fw_arena *arena, struct port_group **groups, const struct fw_port_list *ports) {
	struct port_group *group;
	HASH_FIND(by_ports, *groups, &ports, sizeof(const void *), group);
	if (group == NULL) {
		group = FW_ARENA_NEW(arena, struct port_group);
		group->ports = ports;
		HASH_ADD(by_ports, *groups, ports, sizeof(const void *), group);
	}
	return group;
}

static void write_ports(
	struct fw_buf *out, const char *protocol, const struct fw_ports *ports, size_t count) {
	for (size_t i = 0; i < count; i++) {
		fw_buf_add_text(out, i == 0 ? protocol : ".");
		fw_ports_format(ports[i], out);
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

/*
 * Names a group by its content, so that another list in the set renames nothing. Two groups must
 * never share a name, as nft would join their elements: a hash can be made to collide.
 */
static void name_group(
	struct fw_arena *arena, struct port_group **named, struct port_group *group) {
	FW_AUTO(fw_buf_fini) struct fw_buf text = {0};
	struct port_group *other;

	write_ports(&text, "_tcp-", group->ports->tcp, group->ports->tcp_count);
	write_ports(&text, "_udp-", group->ports->udp, group->ports->udp_count);
	if (text.length <= LIST_NAME_MAX) {
		group->suffix = fw_arena_text(arena, fw_buf_slice(&text));
		return;
	}
	uint64_t hash = hash_text(fw_buf_slice(&text));
	do {
		group->suffix =
			fw_arena_printf(arena, "_ports-%016llx", (unsigned long long)hash++);
		HASH_FIND(by_suffix, *named, group->suffix, strlen(group->suffix), other);
	} while (other != NULL);
	HASH_ADD_KEYPTR(by_suffix, *named, group->suffix, strlen(group->suffix), group);
}

static int compare_groups(const void *left, const void *right) {
	const struct port_group *a = *(const struct port_group *const *)left;
	const struct port_group *b = *(const struct port_group *const *)right;

	return fw_port_list_compare(a->ports, b->ports);
}

/* Puts each member that goes by its list into the group of that; returns the groups. */
static struct port_group *collect_groups(struct fw_arena *arena,
	const struct fw_endpoint *endpoints, const own_form *forms, size_t count) {
	struct port_group *groups = NULL, *group, *next;
	struct port_group **joined = FW_ARENA_ARRAY(arena, struct port_group *, count);

	for (size_t i = 0; i < count; i++) {
		if (forms[i] == FORM_LIST) {
			joined[i] = group_get(arena, &groups, endpoints[i].own);
			joined[i]->count++;
		}
	}
	HASH_ITER (by_ports, groups, group, next) {
		group->endpoints = FW_ARENA_ARRAY(arena, struct fw_endpoint, group->count);
		group->count = 0;
	}
	for (size_t i = 0; i < count; i++) {
		if (joined[i] != NULL) {
			joined[i]->endpoints[joined[i]->count++] = endpoints[i];
		}
	}
	return groups;
}

static void make_lists(struct fw_arena *arena, const struct fw_set *set, enum fw_family family,
	const own_form *forms, struct own_sets *out) {
	size_t count;
	const struct fw_endpoint *own = own_members(&set->members[family], &count);
	struct port_group *groups = collect_groups(arena, own, forms, count), *named = NULL;
	struct port_group *group, *next;
	out->list_count = HASH_CNT(by_ports, groups);
	if (out->list_count == 0) {
		return;
	}
	struct port_group **sorted = FW_ARENA_ARRAY(arena, struct port_group *, out->list_count);
	size_t at = 0;
	HASH_ITER (by_ports, groups, group, next) {
		sorted[at++] = group;
	}
	qsort(sorted, out->list_count, sizeof(struct port_group *), compare_groups);

	struct list_set *lists = FW_ARENA_ARRAY(arena, struct list_set, out->list_count);
	for (size_t i = 0; i < out->list_count; i++) {
		name_group(arena, &named, sorted[i]);
		struct fw_nft_set *made = set_new(
			arena, set, family, sorted[i]->suffix, "those that bring the same ports");
		fill_addresses(made, sorted[i]->endpoints, sorted[i]->count);
		lists[i] = (struct list_set){made, sorted[i]->ports};
	}
	out->lists = lists;
	HASH_CLEAR(by_suffix, named);
	HASH_CLEAR(by_ports, groups);
}

const struct own_sets *fw_nft_set_own_ports(
	struct set_index *index, const struct fw_set *set, enum fw_family family) {
	struct family_sets *sets = entry_get(index, set, family);
	if (sets->ports == NULL) {
		size_t count;
		const struct fw_endpoint *own = own_members(&set->members[family], &count);
		struct own_sets *made = FW_ARENA_NEW(index->arena, struct own_sets);
		const own_form *forms = own_forms(index, own, count);
		element_vec elements[PAIR_COUNT] = {0};

		collect_pairs(own, forms, count, elements);
		make_pairs(index->arena, set, family, false, elements, made->pairs);
		collect_ranges(own, forms, count, elements);
		make_pairs(index->arena, set, family, true, elements, made->ranges);
		make_lists(index->arena, set, family, forms, made);
		sets->ports = made;
	}
	return sets->ports;
}

/* ---- ports of devices ---- */

const struct fw_nft_set *fw_nft_map_new(
	struct fw_arena *arena, const struct fw_forwarding *forwardings, size_t count) {
	const struct fw_forwarding *first = &forwardings[0];
	const char *protocol = first->protocol == IPPROTO_TCP ? "tcp" : "udp";
	struct fw_nft_set *made = FW_ARENA_NEW(arena, struct fw_nft_set);

	/* The port is always in the name, so that a device with another one renames nothing. */
	made->name = fw_arena_printf(arena, "%s_%s_forward_%s-%u", family_prefix[first->family],
		first->service, protocol, (unsigned)first->port);
	made->title = first->service;
	made->note = fw_arena_printf(arena, "outside port : device, where it is %s port %u",
		protocol, (unsigned)first->port);
	made->family = first->family;
	made->key = FW_NFT_PORT_TO_ADDR;
	made->forwardings = forwardings;
	made->count = count;
	made->size = declared_size(count, false);
	made->span = first->span;
	return made;
}

/* ---- all of them ---- */

static void list_set(set_vec *out, const struct fw_nft_set *set) {
	if (set != NULL) {
		FW_VEC_ADD(out, set);
	}
}

static void list_family(set_vec *out, const struct family_sets *sets) {
	list_set(out, sets->plain);
	list_set(out, sets->own);
	if (sets->ports != NULL) {
		for (int kind = 0; kind < PAIR_COUNT; kind++) {
			list_set(out, sets->ports->pairs[kind]);
		}
		for (int kind = 0; kind < PAIR_COUNT; kind++) {
			list_set(out, sets->ports->ranges[kind]);
		}
		for (size_t i = 0; i < sets->ports->list_count; i++) {
			list_set(out, sets->ports->lists[i].set);
		}
	}
}

void fw_nft_set_index_list(const struct set_index *index, const struct fw_set *const *sets,
	size_t count, set_vec *out_sets) {
	for (size_t i = 0; i < count; i++) {
		const struct set_entry *entry;
		HASH_FIND_PTR(index->entries, &sets[i], entry);
		for (int family = FW_IPV4; entry != NULL && family < FW_FAMILY_COUNT; family++) {
			list_family(out_sets, &entry->families[family]);
		}
	}
}
