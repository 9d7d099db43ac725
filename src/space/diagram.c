// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The manager of all sets: its memory and the bound on it, the table that keeps nodes from being
 * there twice, results of late, and what is forgotten again. Nothing here depends on where things
 * lie in memory, so the same calls give the same handles.
 */

#include "space/diagram.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
	ITEMS_MIN = 1024, /* of an array that grows */
	SLOTS_MIN = 4096,
	MEMOS_MAX = 1 << 20,
};

const struct fw_addr fw_var_max[FW_VAR_COUNT] = {
	[FW_VAR_HOOK] = {0, 3},
	[FW_VAR_IN] = {0, UINT16_MAX},
	[FW_VAR_OUT] = {0, UINT16_MAX},
	[FW_VAR_FAMILY] = {0, FW_FAMILY_COUNT - 1},
	[FW_VAR_PROTOCOL] = {0, UINT8_MAX},
	[FW_VAR_SOURCE] = {UINT64_MAX, UINT64_MAX},
	[FW_VAR_DESTINATION] = {UINT64_MAX, UINT64_MAX},
	[FW_VAR_SOURCE_PORT] = {0, UINT16_MAX},
	[FW_VAR_PORT] = {0, UINT16_MAX},
	[FW_VAR_FLAGS] = {0, UINT8_MAX},
	[FW_VAR_HOP_LIMIT] = {0, UINT8_MAX},
	[FW_VAR_TRACKING] = {0, FW_TRACKING_COUNT - 1},
	[FW_VAR_TRANSLATED] = {0, 1},
};

const enum fw_var fw_var_listed[FW_VAR_COUNT] = {FW_VAR_NONE, FW_VAR_HOOK, FW_VAR_IN, FW_VAR_OUT,
	FW_VAR_FAMILY, FW_VAR_PROTOCOL, FW_VAR_SOURCE, FW_VAR_DESTINATION, FW_VAR_SOURCE_PORT,
	FW_VAR_PORT, FW_VAR_FLAGS, FW_VAR_HOP_LIMIT, FW_VAR_TRACKING, FW_VAR_TRANSLATED};

/* ---- the bound ---- */

fw_space fw_space_exhaust(struct fw_spaces *spaces) {
	spaces->exhausted = true;
	return FW_SPACE_EXHAUSTED;
}

/* Whether so much more memory may be had. */
static bool afford(const struct fw_spaces *spaces, size_t bytes) {
	return spaces->bytes <= spaces->limits.bytes &&
	       bytes <= spaces->limits.bytes - spaces->bytes;
}

/* The array, as long as needed or longer: twice as long, near the limit a bit. As it was, when that
 * exhausts. */
static void *reserve(
	struct fw_spaces *spaces, void *items, size_t *capacity, size_t needed, size_t item_size) {
	if (needed <= *capacity) {
		return items;
	}
	size_t more = needed - *capacity;
	if (!afford(spaces, more * item_size)) {
		fw_space_exhaust(spaces);
		return items;
	}
	size_t wanted = more > *capacity ? more : *capacity;
	wanted = wanted > ITEMS_MIN ? wanted : ITEMS_MIN;
	if (!afford(spaces, wanted * item_size)) {
		size_t room = (spaces->limits.bytes - spaces->bytes) / item_size;
		wanted = more + (room - more) / 4;
	}
	spaces->bytes += wanted * item_size;
	*capacity += wanted;
	return fw_resize(items, *capacity, item_size);
}

/* ---- the manager ---- */

static void set_order(struct fw_space_order *order, const enum fw_var *vars) {
	for (unsigned level = 0; level < FW_VAR_COUNT; level++) {
		enum fw_var var = vars != NULL ? vars[level] : (enum fw_var)level;
		order->vars[level] = var;
		order->levels[var] = level;
		order->max[level] = fw_var_max[var];
	}
}

void fw_spaces_init(struct fw_spaces *spaces, const struct fw_space_limits *limits) {
	*spaces = (struct fw_spaces){.slot_count = SLOTS_MIN, .memo_count = SLOTS_MIN, .era = 1};
	set_order(&spaces->order, NULL);
	if (limits != NULL) {
		spaces->limits = *limits;
	}
	if (spaces->limits.bytes == 0) {
		spaces->limits.bytes = FW_SPACE_BYTES_DEFAULT;
	}
	if (spaces->limits.steps == 0) {
		spaces->limits.steps = FW_SPACE_STEPS_DEFAULT;
	}
	assert(spaces->limits.bytes <= FW_SPACE_BYTES_MAX);
	spaces->slots = fw_alloc(SLOTS_MIN * sizeof(*spaces->slots));
	spaces->memos = fw_alloc(SLOTS_MIN * sizeof(*spaces->memos));
	spaces->nodes = fw_resize(NULL, ITEMS_MIN, sizeof(*spaces->nodes));
	spaces->node_capacity = ITEMS_MIN;
	spaces->nodes[FW_SPACE_EMPTY] = (struct fw_space_node){.level = FW_VAR_COUNT};
	spaces->nodes[FW_SPACE_ALL] = (struct fw_space_node){.level = FW_VAR_COUNT};
	spaces->node_count = 2;
	spaces->bytes = SLOTS_MIN * (sizeof(*spaces->slots) + sizeof(*spaces->memos)) +
			ITEMS_MIN * sizeof(*spaces->nodes);
}

void fw_spaces_init_listed(struct fw_spaces *spaces, const struct fw_space_limits *limits) {
	fw_spaces_init(spaces, limits);
	set_order(&spaces->order, fw_var_listed);
}

void fw_spaces_fini(struct fw_spaces *spaces) {
	if (spaces == NULL) {
		return;
	}
	free(spaces->nodes);
	free(spaces->words);
	free(spaces->slots);
	free(spaces->memos);
	free(spaces->scratch);
	*spaces = (struct fw_spaces){0};
}

/* ---- nodes, each once ---- */

static size_t word_count(const struct fw_space_node *node) {
	return (node->edges - 1) * (size_t)(node->wide ? 4 : 1) + node->edges;
}

static uint32_t hash_node(const struct fw_spaces *spaces, const struct fw_space_node *node) {
	const uint32_t *words = &spaces->words[node->at];
	size_t count = word_count(node);
	uint64_t hash = node->level;
	for (size_t i = 0; i < count; i += 2) {
		uint64_t second = i + 1 < count ? words[i + 1] : 0;
		hash = (hash ^ words[i] ^ second << 32) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 32;
	}
	return (uint32_t)hash;
}

static bool same_node(const struct fw_spaces *spaces, const struct fw_space_node *a,
	const struct fw_space_node *b) {
	return a->hash == b->hash && a->level == b->level && a->edges == b->edges &&
	       a->wide == b->wide &&
	       memcmp(&spaces->words[a->at], &spaces->words[b->at],
		       word_count(a) * sizeof(*spaces->words)) == 0;
}

/* Where the node is, or where it goes. */
static struct fw_space_slot *find_slot(
	const struct fw_spaces *spaces, const struct fw_space_node *node) {
	size_t mask = spaces->slot_count - 1;
	size_t i = node->hash & mask;
	while (spaces->slots[i].set != 0 &&
		(spaces->slots[i].hash != node->hash ||
			!same_node(spaces, &spaces->nodes[spaces->slots[i].set], node))) {
		i = (i + 1) & mask;
	}
	return &spaces->slots[i];
}

/* Enters nodes from this one on. They are all different, so a free slot is enough. */
static void enter_nodes(struct fw_spaces *spaces, size_t first) {
	size_t mask = spaces->slot_count - 1;
	for (size_t set = first; set < spaces->node_count; set++) {
		uint32_t hash = spaces->nodes[set].hash;
		size_t i = hash & mask;
		while (spaces->slots[i].set != 0) {
			i = (i + 1) & mask;
		}
		spaces->slots[i] = (struct fw_space_slot){hash, (fw_space)set};
	}
}

/* Those behind it move up, unless that is before where a look for them begins. */
static void free_slot(struct fw_spaces *spaces, fw_space set) {
	size_t mask = spaces->slot_count - 1;
	size_t hole = spaces->nodes[set].hash & mask;
	while (spaces->slots[hole].set != set) {
		hole = (hole + 1) & mask;
	}
	for (size_t i = (hole + 1) & mask; spaces->slots[i].set != 0; i = (i + 1) & mask) {
		size_t start = spaces->slots[i].hash & mask;
		if (((i - start) & mask) >= ((i - hole) & mask)) {
			spaces->slots[hole] = spaces->slots[i];
			hole = i;
		}
	}
	spaces->slots[hole].set = 0;
}

static size_t memo_place(
	const struct fw_spaces *spaces, uint32_t operation, uint32_t a, uint32_t b) {
	uint64_t hash = ((uint64_t)a << 32 | b) * UINT64_C(0x9e3779b97f4a7c15);
	hash = (hash ^ hash >> 29 ^ operation) * UINT64_C(0xbf58476d1ce4e5b9);
	return (size_t)(hash >> 32) & (spaces->memo_count - 1);
}

/* Results that fall on one place are results of late all the same; which of them stays is no
 * matter. Without the memory for a larger table the old one does. */
static void grow_memos(struct fw_spaces *spaces) {
	size_t old_count = spaces->memo_count;
	size_t more = old_count * sizeof(*spaces->memos);
	if (old_count >= MEMOS_MAX || !afford(spaces, more)) {
		return;
	}
	struct fw_space_memo *old = spaces->memos;
	spaces->memos = fw_alloc(2 * more);
	spaces->memo_count = 2 * old_count;
	spaces->bytes += more;
	for (size_t i = 0; i < old_count; i++) {
		if (old[i].era == spaces->era) {
			spaces->memos[memo_place(spaces, old[i].operation, old[i].a, old[i].b)] =
				old[i];
		}
	}
	free(old);
}

/* Keeps a quarter of the slots free. */
static void grow_slots(struct fw_spaces *spaces) {
	if (spaces->node_count < spaces->slot_count / 4 * 3) {
		return;
	}
	size_t more = spaces->slot_count * sizeof(*spaces->slots);
	if (!afford(spaces, more)) {
		fw_space_exhaust(spaces);
		return;
	}
	free(spaces->slots);
	spaces->slots = fw_alloc(2 * more);
	spaces->slot_count *= 2;
	spaces->bytes += more;
	enter_nodes(spaces, FW_SPACE_ALL + 1);
	grow_memos(spaces);
}

bool fw_space_push(struct fw_spaces *spaces, size_t base, struct fw_addr last, fw_space child) {
	if (child == FW_SPACE_EXHAUSTED) {
		return false;
	}
	if (spaces->scratch_count > base &&
		spaces->scratch[spaces->scratch_count - 1].child == child) {
		spaces->scratch[spaces->scratch_count - 1].last = last;
		return true;
	}
	spaces->scratch = reserve(spaces, spaces->scratch, &spaces->scratch_capacity,
		spaces->scratch_count + 1, sizeof(*spaces->scratch));
	if (spaces->exhausted) {
		return false;
	}
	spaces->scratch[spaces->scratch_count++] = (struct fw_space_edge){last, child};
	return true;
}

static bool any_wide(const struct fw_space_edge *edges, size_t count) {
	for (size_t i = 0; i + 1 < count; i++) {
		if (edges[i].last.high != 0 || edges[i].last.low > UINT32_MAX) {
			return true;
		}
	}
	return false;
}

static void write_words(
	uint32_t *words, const struct fw_space_edge *edges, size_t count, bool wide) {
	for (size_t i = 0; i + 1 < count; i++) {
		struct fw_addr last = edges[i].last;
		if (wide) {
			*words++ = (uint32_t)(last.high >> 32);
			*words++ = (uint32_t)last.high;
			*words++ = (uint32_t)(last.low >> 32);
		}
		*words++ = (uint32_t)last.low;
	}
	for (size_t i = 0; i < count; i++) {
		*words++ = edges[i].child;
	}
}

/* The node goes where a new one would be, and stays there if there is none like it yet. */
static fw_space find_or_add(
	struct fw_spaces *spaces, unsigned level, const struct fw_space_edge *edges, size_t count) {
	struct fw_space_node node = {
		.at = (uint32_t)spaces->word_count,
		.edges = (uint32_t)count,
		.level = (uint8_t)level,
		.wide = any_wide(edges, count),
	};
	spaces->words = reserve(spaces, spaces->words, &spaces->word_capacity,
		spaces->word_count + word_count(&node), sizeof(*spaces->words));
	spaces->nodes = reserve(spaces, spaces->nodes, &spaces->node_capacity,
		spaces->node_count + 1, sizeof(*spaces->nodes));
	grow_slots(spaces);
	if (spaces->exhausted) {
		return FW_SPACE_EXHAUSTED;
	}
	write_words(&spaces->words[node.at], edges, count, node.wide);
	node.hash = hash_node(spaces, &node);
	struct fw_space_slot *slot = find_slot(spaces, &node);
	if (slot->set == 0) {
		*slot = (struct fw_space_slot){node.hash, (fw_space)spaces->node_count};
		spaces->nodes[spaces->node_count++] = node;
		spaces->word_count += word_count(&node);
	}
	return slot->set;
}

fw_space fw_space_make(struct fw_spaces *spaces, unsigned level, size_t base) {
	size_t count = spaces->scratch_count - base;
	const struct fw_space_edge *edges = &spaces->scratch[base];
	assert(count > 0 && fw_same(edges[count - 1].last, spaces->order.max[level]));
	spaces->scratch_count = base;
	return count == 1 ? edges[0].child : find_or_add(spaces, level, edges, count);
}

void fw_walk_to(const struct fw_spaces *spaces, struct fw_walk *walk, struct fw_addr value) {
	uint32_t low = walk->index, high = walk->count - 1;
	while (low < high) {
		walk->index = low + (high - low) / 2;
		if (fw_less(fw_walk_last(spaces, walk), value)) {
			low = walk->index + 1;
		} else {
			high = walk->index;
		}
	}
	walk->index = low;
}

fw_space fw_space_follow(
	const struct fw_spaces *spaces, fw_space set, unsigned level, struct fw_addr value) {
	struct fw_walk walk = fw_walk(spaces, set, level);
	fw_walk_to(spaces, &walk, value);
	return fw_walk_child(spaces, &walk);
}

/* ---- results of late ---- */

bool fw_space_recall(const struct fw_spaces *spaces, enum fw_space_operation operation, uint32_t a,
	uint32_t b, fw_space *out_result) {
	const struct fw_space_memo *memo = &spaces->memos[memo_place(spaces, operation, a, b)];
	if (memo->a != a || memo->b != b || memo->operation != operation ||
		memo->era != spaces->era) {
		return false;
	}
	*out_result = memo->result;
	return true;
}

void fw_space_remember(struct fw_spaces *spaces, enum fw_space_operation operation, uint32_t a,
	uint32_t b, fw_space result) {
	spaces->memos[memo_place(spaces, operation, a, b)] =
		(struct fw_space_memo){operation, spaces->era, a, b, result};
}

/* They are told from others by their era, so that nobody has to walk them; but for once in a long
 * while, when eras begin anew. */
static void forget_results(struct fw_spaces *spaces) {
	enum { ERAS = 1 << 28 };
	spaces->era++;
	if (spaces->era == ERAS) {
		memset(spaces->memos, 0, spaces->memo_count * sizeof(*spaces->memos));
		spaces->era = 1;
	}
}

/* ---- forgetting ---- */

uint32_t fw_spaces_mark(const struct fw_spaces *spaces) {
	return (uint32_t)spaces->node_count;
}

static uint32_t *children_of(const struct fw_spaces *spaces, const struct fw_space_node *node) {
	return &spaces->words[node->at + word_count(node) - node->edges];
}

/* Which nodes from the mark on others need. Children are below their parents: once downwards. */
static void mark_needed(const struct fw_spaces *spaces, uint32_t mark, uint32_t *needed) {
	for (size_t set = spaces->node_count; set-- > mark;) {
		const struct fw_space_node *node = &spaces->nodes[set];
		const uint32_t *children = children_of(spaces, node);
		for (uint32_t i = 0; needed[set - mark] != 0 && i < node->edges; i++) {
			if (children[i] >= mark) {
				needed[children[i] - mark] = 1;
			}
		}
	}
}

/* Moves needed nodes down; `moved` has 1 for them and gets their new handles. */
static void close_ranks(struct fw_spaces *spaces, uint32_t mark, uint32_t *moved) {
	size_t node_count = mark;
	size_t words = mark < spaces->node_count ? spaces->nodes[mark].at : spaces->word_count;
	for (size_t set = mark; set < spaces->node_count; set++) {
		if (moved[set - mark] == 0) {
			continue;
		}
		struct fw_space_node node = spaces->nodes[set];
		memmove(&spaces->words[words], &spaces->words[node.at],
			word_count(&node) * sizeof(*spaces->words));
		node.at = (uint32_t)words;
		words += word_count(&node);
		uint32_t *children = children_of(spaces, &node);
		for (uint32_t i = 0; i < node.edges; i++) {
			if (children[i] >= mark) {
				children[i] = moved[children[i] - mark];
			}
		}
		node.hash = hash_node(spaces, &node);
		moved[set - mark] = (uint32_t)node_count;
		spaces->nodes[node_count++] = node;
	}
	spaces->node_count = node_count;
	spaces->word_count = words;
}

/* Those of nodes from the mark on. False: these are so many that no slot is taken any more. */
static bool free_slots(struct fw_spaces *spaces, uint32_t mark) {
	enum { MANY = 8 };
	if (spaces->node_count - mark > spaces->slot_count / MANY) {
		memset(spaces->slots, 0, spaces->slot_count * sizeof(*spaces->slots));
		return false;
	}
	for (size_t set = mark; set < spaces->node_count; set++) {
		free_slot(spaces, (fw_space)set);
	}
	return true;
}

void fw_spaces_release(struct fw_spaces *spaces, uint32_t mark, fw_space *kept, size_t count) {
	if (spaces->exhausted) {
		return;
	}
	assert(mark > FW_SPACE_ALL && mark <= spaces->node_count);
	if (mark == spaces->node_count) {
		return;
	}
	uint32_t *moved = fw_alloc((spaces->node_count - mark) * sizeof(*moved));
	for (size_t i = 0; i < count; i++) {
		if (kept[i] >= mark) {
			moved[kept[i] - mark] = 1;
		}
	}
	mark_needed(spaces, mark, moved);
	bool few = free_slots(spaces, mark);
	close_ranks(spaces, mark, moved);
	enter_nodes(spaces, few ? mark : FW_SPACE_ALL + 1);
	for (size_t i = 0; i < count; i++) {
		if (kept[i] >= mark) {
			kept[i] = moved[kept[i] - mark];
		}
	}
	free(moved);
	forget_results(spaces);
}

/* ---- size ---- */

struct fw_space_size fw_space_measure(const struct fw_spaces *spaces, fw_space set) {
	struct fw_space_size size = {0};
	if (set <= FW_SPACE_ALL || set == FW_SPACE_EXHAUSTED) {
		return size;
	}
	bool *needed = fw_alloc((size_t)set + 1);
	needed[set] = true;
	for (size_t at = set; at > FW_SPACE_ALL; at--) {
		const struct fw_space_node *node = &spaces->nodes[at];
		if (!needed[at]) {
			continue;
		}
		size.nodes++;
		size.edges += node->edges;
		for (uint32_t i = 0; i < node->edges; i++) {
			needed[children_of(spaces, node)[i]] = true;
		}
	}
	free(needed);
	return size;
}
