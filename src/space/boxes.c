// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sets as lists that a person reads. Edges of a node that lead to one set make one box, so prefixes
 * that others cut to pieces come together again. Where some children of a node hold others, the
 * edges of the larger ones are counted in for the smaller ones, and what they have beyond those is
 * listed apart: `10.0.0.0/8 to port 80, and 10.1.0.0/16 to port 443` instead of `10.0.0.0/8 but
 * 10.1.0.0/16 to port 80, and 10.1.0.0/16 to ports 80 and 443`. Boxes may overlap for that. What a
 * box then asks for without need is for widen.c. The diagram is one in the order of fw_var_listed.
 */

#include "space/boxes.h"
#include "space/diagram.h"

#include <assert.h>
#include <stdlib.h>

enum {
	NESTED_MAX = 32, /* different children of one node that are compared with each other */
	WEIGHT_MAX = 512 /* edges that are counted when two sets are weighed */
};

struct lister {
	struct fw_spaces *spaces;
	struct fw_boxes *boxes;
	size_t limit;
	size_t intervals;  /* listed so far */
	struct fw_box box; /* the way to where the walk is */
};

/* Edges of a node that lead to the same set. */
struct group {
	fw_space child;
	fw_space body;	  /* what is listed for it: the child, or what is new in it */
	uint32_t first;	  /* its first edge, by its place in the node */
	uint32_t wider;	  /* the groups whose children hold this child, one bit each */
	size_t at, count; /* of its edges */
};

struct edge {
	fw_space child;
	uint32_t index;
};

/* The edges of a node that lead anywhere, by group, and the groups, by their first edge. */
struct fan {
	struct fw_walk node;
	FW_VEC(struct edge) edges;
	FW_VEC(struct group) groups;
};

void fw_boxes_fini(struct fw_boxes *boxes) {
	if (boxes == NULL) {
		return;
	}
	free(boxes->items);
	fw_arena_fini(&boxes->arena);
	*boxes = (struct fw_boxes){0};
}

/* ---- grouping ---- */

static int by_child(const void *left, const void *right) {
	const struct edge *a = left;
	const struct edge *b = right;
	if (a->child != b->child) {
		return a->child < b->child ? -1 : 1;
	}
	return a->index < b->index ? -1 : 1;
}

static void fan_edges(struct fw_spaces *spaces, struct fan *fan) {
	for (struct fw_walk walk = fan->node; walk.index < walk.count; walk.index++) {
		fw_space child = fw_walk_child(spaces, &walk);
		if (!fw_space_step(spaces)) {
			return;
		}
		if (child != FW_SPACE_EMPTY) {
			FW_VEC_ADD(&fan->edges, (struct edge){child, walk.index});
		}
	}
}

static int by_first_edge(const void *left, const void *right) {
	const struct group *a = left;
	const struct group *b = right;
	return (a->first > b->first) - (a->first < b->first);
}

static void fan_out(struct fw_spaces *spaces, fw_space set, struct fan *fan) {
	*fan = (struct fan){.node = fw_walk(spaces, set, fw_space_level(spaces, set))};
	fan_edges(spaces, fan);
	if (spaces->exhausted) {
		return;
	}
	qsort(fan->edges.items, fan->edges.count, sizeof(*fan->edges.items), by_child);
	for (size_t i = 0; i < fan->edges.count; i++) {
		const struct edge *edge = &fan->edges.items[i];
		if (i == 0 || edge[-1].child != edge->child) {
			FW_VEC_ADD(&fan->groups, (struct group){.child = edge->child,
							 .body = edge->child,
							 .first = edge->index,
							 .at = i});
		}
		fan->groups.items[fan->groups.count - 1].count++;
	}
	qsort(fan->groups.items, fan->groups.count, sizeof(*fan->groups.items), by_first_edge);
}

static void fan_fini(struct fan *fan) {
	FW_VEC_FINI(&fan->edges);
	FW_VEC_FINI(&fan->groups);
}

/* ---- children within children ---- */

/* How much there is to read in a set: the edges of its boxes, roughly, up to WEIGHT_MAX. */
static unsigned weigh(const struct fw_spaces *spaces, fw_space set, unsigned weight) {
	if (set <= FW_SPACE_ALL) {
		return weight;
	}
	for (struct fw_walk walk = fw_walk(spaces, set, fw_space_level(spaces, set));
		walk.index < walk.count && weight < WEIGHT_MAX; walk.index++) {
		weight = weigh(spaces, fw_walk_child(spaces, &walk), weight + 1);
	}
	return weight;
}

/* What is left to list of a child when those that it holds are listed for its edges, too. */
static fw_space beyond(struct fw_spaces *spaces, const struct fan *fan, size_t which) {
	fw_space held = FW_SPACE_EMPTY;
	for (size_t i = 0; i < fan->groups.count; i++) {
		const struct group *group = &fan->groups.items[i];
		if ((group->wider >> which & 1) != 0) {
			held = fw_space_union(spaces, held, group->child);
		}
	}
	fw_space child = fan->groups.items[which].child;
	fw_space rest = fw_space_subtract(spaces, child, held);
	bool plainer =
		rest != FW_SPACE_EXHAUSTED && weigh(spaces, rest, 0) < weigh(spaces, child, 0);
	return rest == FW_SPACE_EMPTY || plainer ? rest : child;
}

static void nest(struct fw_spaces *spaces, struct fan *fan) {
	if (fan->groups.count > NESTED_MAX) {
		return;
	}
	for (size_t i = 0; i < fan->groups.count; i++) {
		struct group *group = &fan->groups.items[i];
		for (size_t j = 0; j < fan->groups.count; j++) {
			if (i != j && fw_space_is_subset(
					      spaces, group->child, fan->groups.items[j].child)) {
				group->wider |= (uint32_t)1 << j;
			}
		}
	}
	for (size_t i = 0; i < fan->groups.count; i++) {
		fan->groups.items[i].body = beyond(spaces, fan, i);
	}
}

/* ---- listing ---- */

static int by_value(const void *left, const void *right) {
	const struct fw_interval *a = left;
	const struct fw_interval *b = right;
	return fw_addr_compare(a->low, b->low);
}

/* Joins those that touch; they are sorted. */
static size_t join(struct fw_interval *items, size_t count) {
	size_t kept = 0;
	for (size_t i = 1; i < count; i++) {
		if (fw_same(fw_addr_next(items[kept].high), items[i].low)) {
			items[kept].high = items[i].high;
		} else {
			items[++kept] = items[i];
		}
	}
	return kept + 1;
}

static struct fw_interval values_of_edge(
	const struct fw_spaces *spaces, struct fw_walk node, uint32_t index) {
	struct fw_interval values = {{0, 0}, {0, 0}};
	if (index > 0) {
		node.index = index - 1;
		values.low = fw_addr_next(fw_walk_last(spaces, &node));
	}
	node.index = index;
	values.high = fw_walk_last(spaces, &node);
	return values;
}

/* How many edges a group has together with those that hold it. */
static size_t count_values(const struct fan *fan, const struct group *group) {
	size_t count = group->count;
	for (size_t i = 0; i < NESTED_MAX && group->wider >> i != 0; i++) {
		count += (group->wider >> i & 1) != 0 ? fan->groups.items[i].count : 0;
	}
	return count;
}

static struct fw_interval *write_values(const struct fw_spaces *spaces, const struct fan *fan,
	const struct group *group, struct fw_interval *to) {
	for (size_t i = 0; i < group->count; i++) {
		*to++ = values_of_edge(spaces, fan->node, fan->edges.items[group->at + i].index);
	}
	return to;
}

static struct fw_intervals values_of(
	struct lister *lister, const struct fan *fan, const struct group *group, size_t count) {
	struct fw_interval *items =
		FW_ARENA_ARRAY(&lister->boxes->arena, struct fw_interval, count);
	struct fw_interval *to = write_values(lister->spaces, fan, group, items);
	for (size_t i = 0; i < NESTED_MAX && group->wider >> i != 0; i++) {
		if ((group->wider >> i & 1) != 0) {
			to = write_values(lister->spaces, fan, &fan->groups.items[i], to);
		}
	}
	lister->intervals += count;
	qsort(items, count, sizeof(*items), by_value);
	return (struct fw_intervals){items, join(items, count)};
}

static void list_set(struct lister *lister, fw_space set);

static void list_group(struct lister *lister, const struct fan *fan, const struct group *group) {
	if (group->body == FW_SPACE_EMPTY) {
		return;
	}
	size_t count = count_values(fan, group);
	if (lister->boxes->count == lister->limit ||
		count > FW_BOXES_INTERVALS_MAX - lister->intervals) {
		lister->boxes->left_out++;
		return;
	}
	struct fw_intervals *values =
		&lister->box.values[lister->spaces->order.vars[fan->node.level]];
	*values = values_of(lister, fan, group, count);
	list_set(lister, group->body);
	*values = (struct fw_intervals){0};
}

static void list_set(struct lister *lister, fw_space set) {
	if (set == FW_SPACE_EMPTY || set == FW_SPACE_EXHAUSTED) {
		return;
	}
	if (set == FW_SPACE_ALL) {
		FW_VEC_ADD(lister->boxes, lister->box);
		return;
	}
	struct fan fan;
	fan_out(lister->spaces, set, &fan);
	nest(lister->spaces, &fan);
	for (size_t i = 0; i < fan.groups.count; i++) {
		list_group(lister, &fan, &fan.groups.items[i]);
	}
	fan_fini(&fan);
}

/* People read ports before states, so this is done in diagrams of that order. */
static bool list(struct fw_spaces *listed, fw_space set, fw_space within, size_t limit,
	struct fw_boxes *out_boxes) {
	struct lister lister = {.spaces = listed, .boxes = out_boxes, .limit = limit};
	list_set(&lister, fw_space_simplify(listed, set, within));
	fw_boxes_widen(listed, out_boxes, set, within);
	return !listed->exhausted;
}

bool fw_space_boxes(struct fw_spaces *spaces, fw_space set, fw_space within, size_t limit,
	struct fw_boxes *out_boxes) {
	struct fw_boxes boxes = {0};
	size_t used = spaces->node_count * sizeof(*spaces->nodes) +
		      spaces->word_count * sizeof(*spaces->words);
	struct fw_space_limits limits = {
		.bytes = spaces->limits.bytes > used ? spaces->limits.bytes - used : 0,
		.steps = spaces->limits.steps - spaces->steps};
	struct fw_spaces listed;
	assert(limit > 0);
	if (spaces->exhausted || limits.steps == 0 || limits.bytes == 0) {
		fw_space_exhaust(spaces);
		return false;
	}
	fw_spaces_init_listed(&listed, &limits);
	fw_space listed_set = fw_space_carry(spaces, set, &listed);
	fw_space listed_within = fw_space_carry(spaces, within, &listed);
	bool complete = list(&listed, listed_set, listed_within, limit, &boxes);
	spaces->steps += listed.steps;
	fw_spaces_fini(&listed);
	if (!complete) {
		fw_space_exhaust(spaces);
		fw_boxes_fini(&boxes);
		return false;
	}
	*out_boxes = boxes;
	return true;
}
