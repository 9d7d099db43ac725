// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sets and maps as packets: each key is a row of intervals, one for each variable that the key asks
 * for, and rows become a diagram from the last variable to the first. Sorting aside that takes as
 * long as reading them.
 */

#include "readback/nftables.h"

#include <stdlib.h>
#include <string.h>

#include <linux/netfilter/nf_tables.h>

enum { KEY_MAX = FW_REGISTER_BYTES, UNIT = 4, ROWS_MAX = 1 << 21 };

/* Kinds of sets that are understood. */
enum {
	KNOWN_FLAGS = NFT_SET_ANONYMOUS | NFT_SET_CONSTANT | NFT_SET_INTERVAL | NFT_SET_MAP |
		      NFT_SET_TIMEOUT | NFT_SET_EVAL | NFT_SET_OBJECT | NFT_SET_CONCAT |
		      NFT_SET_EXPR,
};

/* Some bytes of the key, and the part of the registers that is compared with them. */
struct segment {
	const struct fw_part *part;
	unsigned from, length; /* in the part */
	unsigned at;	       /* in the key */
	enum fw_var var;       /* FW_VAR_NONE: the same bytes for all packets */
};

struct rows {
	struct fw_spaces *spaces;
	const struct fw_dump_set *set;
	struct segment segments[FW_DUMP_FIELDS_MAX * 2];
	size_t segment_count;
	size_t width; /* variables, which are the first segments */
	FW_VEC(struct fw_interval) cells;
	FW_VEC(const struct fw_dump_element *) elements;
	const char *what;  /* that is not understood */
	const char *vague; /* a field of the key that is not: any will do, perhaps */
	bool perhaps_other;
};

static void rows_fini(struct rows *rows) {
	FW_VEC_FINI(&rows->cells);
	FW_VEC_FINI(&rows->elements);
}

/* ---- what a key asks for ---- */

static enum fw_var var_of(const struct fw_part *part) {
	switch (part->kind) {
	case FW_PART_FIELD:
		return part->var;
	case FW_PART_CHOICES:
		return part->choices->var;
	case FW_PART_NONE:
	case FW_PART_BYTES:
	case FW_PART_CLASSES:
	case FW_PART_MAPPED:
		break;
	}
	return FW_VAR_NONE;
}

static const char *why_not(const struct fw_part *part) {
	if (part == NULL) {
		return "a key in registers that nothing is known of";
	}
	switch (part->kind) {
	case FW_PART_NONE:
		return part->what;
	case FW_PART_CLASSES:
		return part->classes->what;
	case FW_PART_MAPPED:
		return "a key out of a map";
	case FW_PART_FIELD:
	case FW_PART_CHOICES:
	case FW_PART_BYTES:
		break;
	}
	return NULL;
}

/* Variables first, in their order; then what is the same for all packets. */
static int compare_segments(const void *left, const void *right) {
	const struct segment *a = left;
	const struct segment *b = right;
	unsigned a_var = a->var == FW_VAR_NONE ? FW_VAR_COUNT : a->var;
	unsigned b_var = b->var == FW_VAR_NONE ? FW_VAR_COUNT : b->var;

	if (a_var != b_var) {
		return a_var < b_var ? -1 : 1;
	}
	return (a->at > b->at) - (a->at < b->at);
}

static void find_segments(struct rows *rows, const struct fw_registers *registers, unsigned start) {
	unsigned length = rows->set->key_length;

	for (unsigned at = 0; at < length && rows->what == NULL;) {
		const struct fw_part *part = fw_registers_find(registers, start + at);
		const char *vague = why_not(part);
		if (part == NULL || rows->segment_count == FW_LENGTH(rows->segments)) {
			rows->what = part == NULL ? vague : "a key of many fields";
			return;
		}
		unsigned from = start + at - part->at;
		unsigned some =
			part->length - from < length - at ? part->length - from : length - at;
		if (vague != NULL) {
			rows->vague = vague;
		} else {
			rows->segments[rows->segment_count++] =
				(struct segment){part, from, some, at, var_of(part)};
		}
		at += some;
	}
	qsort(rows->segments, rows->segment_count, sizeof(*rows->segments), compare_segments);
	for (size_t i = 0; i < rows->segment_count; i++) {
		if (rows->segments[i].var == FW_VAR_NONE) {
			break;
		}
		if (i != 0 && rows->segments[i].var == rows->segments[i - 1].var) {
			rows->what = "a key that has a field twice";
		}
		rows->width++;
	}
}

/* ---- rows ---- */

/* A range of keys is one of fields only if each field is compared as a whole. */
static bool is_field(const struct rows *rows, const struct segment *segment) {
	const struct fw_dump_set *set = rows->set;
	unsigned at = 0;

	if (set->field_count == 0) {
		return segment->at == 0 && segment->length == set->key_length;
	}
	for (size_t i = 0; i < set->field_count; i++) {
		if (segment->at == at && segment->length == set->fields[i]) {
			return true;
		}
		at += (set->fields[i] + UNIT - 1) / UNIT * UNIT;
	}
	return false;
}

/* Whether a segment lets a range in at all; its intervals are in `found`. */
static bool find_intervals(struct rows *rows, const struct segment *segment, const uint8_t *low,
	const uint8_t *high, struct fw_intervals_found *found) {
	low += segment->at;
	high += segment->at;
	if (memcmp(low, high, segment->length) != 0 && !is_field(rows, segment)) {
		rows->what = "a range of several fields at once";
		return false;
	}
	switch (fw_part_between(segment->part, segment->from, segment->length, low, high, found)) {
	case FW_PART_UNKNOWN:
		rows->what = "a key of some bits of a field";
		return false;
	case FW_PART_NEVER:
		return false;
	case FW_PART_ALWAYS:
		return true;
	case FW_PART_INTERVALS:
		rows->perhaps_other = rows->perhaps_other || found->perhaps_other;
		return found->list.count != 0;
	}
	return false;
}

/* All combinations of the intervals of each variable, from a variable on. */
static void add_combinations(struct rows *rows, const struct fw_dump_element *element,
	const struct fw_intervals_found *found, struct fw_interval *row, size_t at) {
	if (rows->elements.count == ROWS_MAX) {
		rows->what = "a set of too many combinations";
		return;
	}
	if (at < rows->width) {
		for (size_t i = 0; i < found[at].list.count; i++) {
			row[at] = found[at].list.items[i];
			add_combinations(rows, element, found, row, at + 1);
		}
		return;
	}
	for (size_t i = 0; i < rows->width; i++) {
		FW_VEC_ADD(&rows->cells, row[i]);
	}
	FW_VEC_ADD(&rows->elements, element);
}

/* What rows are made with, one after the other. */
struct making {
	struct fw_intervals_found found[FW_DUMP_FIELDS_MAX * 2];
};

static void add_range(struct rows *rows, struct making *making,
	const struct fw_dump_element *element, const uint8_t *low, const uint8_t *high) {
	struct fw_interval row[FW_DUMP_FIELDS_MAX * 2];

	for (size_t i = 0; i < rows->segment_count; i++) {
		if (!find_intervals(rows, &rows->segments[i], low, high, &making->found[i])) {
			return;
		}
	}
	add_combinations(rows, element, making->found, row, 0);
}

/* ---- intervals by where they begin and end ---- */

struct ends {
	FW_VEC(const struct fw_dump_element *) list;
	size_t length;
};

static int compare_ends(const void *left, const void *right, void *context) {
	const struct fw_dump_element *a = *(const struct fw_dump_element *const *)left;
	const struct fw_dump_element *b = *(const struct fw_dump_element *const *)right;
	const struct ends *ends = context;
	int order = memcmp(a->key, b->key, ends->length);

	if (order != 0) {
		return order;
	}
	/* One ends where the next begins. */
	return (int)(b->flags & NFT_SET_ELEM_INTERVAL_END) -
	       (int)(a->flags & NFT_SET_ELEM_INTERVAL_END);
}

static void take_one(uint8_t *bytes, size_t length) {
	while (length-- > 0 && bytes[length]-- == 0) {
	}
}

static void add_ends(struct rows *rows, struct making *making, struct ends *ends) {
	const struct fw_dump_element *open = NULL;
	uint8_t last[KEY_MAX];

	if (ends->list.count != 0) {
		qsort_r(ends->list.items, ends->list.count, sizeof(*ends->list.items), compare_ends,
			ends);
	}
	for (size_t i = 0; i < ends->list.count && rows->what == NULL; i++) {
		const struct fw_dump_element *element = ends->list.items[i];
		if (open != NULL) {
			memcpy(last, element->key, ends->length);
			take_one(last, ends->length);
			add_range(rows, making, open, open->key, last);
		}
		open = (element->flags & NFT_SET_ELEM_INTERVAL_END) != 0 ? NULL : element;
	}
	if (open != NULL) {
		memset(last, 0xff, ends->length);
		add_range(rows, making, open, open->key, last);
	}
}

static bool by_ends(const struct fw_dump_set *set, const struct fw_dump_element *element) {
	return (set->flags & NFT_SET_INTERVAL) != 0 && (set->flags & NFT_SET_CONCAT) == 0 &&
	       element->key_end == NULL;
}

static void add_elements(struct rows *rows) {
	const struct fw_dump_set *set = rows->set;
	struct making making = {0};
	struct ends ends = {.length = set->key_length};

	for (size_t i = 0; i < set->element_count && rows->what == NULL; i++) {
		const struct fw_dump_element *element = &set->elements[i];
		if (element->broken || element->stateful) {
			rows->what = element->broken ? "an element"
						     : "elements that count or limit packets";
		} else if (element->key == NULL) {
			continue;
		} else if (by_ends(set, element)) {
			FW_VEC_ADD(&ends.list, element);
		} else {
			add_range(rows, &making, element, element->key,
				element->key_end != NULL ? element->key_end : element->key);
		}
	}
	add_ends(rows, &making, &ends);
	for (size_t i = 0; i < FW_LENGTH(making.found); i++) {
		FW_VEC_FINI(&making.found[i].list);
	}
	FW_VEC_FINI(&ends.list);
}

/* ---- from rows to packets ---- */

/* By what a key leads to. */
static int compare_targets(const struct fw_dump_element *a, const struct fw_dump_element *b) {
	const char *const texts[][2] = {{a->chain, b->chain}, {a->object, b->object}};

	if (a->has_verdict != b->has_verdict || a->verdict != b->verdict) {
		return a->has_verdict != b->has_verdict ? (a->has_verdict ? 1 : -1)
		       : a->verdict < b->verdict	? -1
							: 1;
	}
	if (a->data_length != b->data_length) {
		return a->data_length < b->data_length ? -1 : 1;
	}
	int order =
		a->data != NULL && b->data != NULL ? memcmp(a->data, b->data, a->data_length) : 0;
	for (size_t i = 0; order == 0 && i < FW_LENGTH(texts); i++) {
		const char *left = texts[i][0] != NULL ? texts[i][0] : "";
		const char *right = texts[i][1] != NULL ? texts[i][1] : "";
		order = strcmp(left, right);
	}
	return order;
}

static int compare_rows(const void *left, const void *right, void *context) {
	const struct rows *rows = context;
	size_t a = *(const size_t *)left, b = *(const size_t *)right;
	int order = compare_targets(rows->elements.items[a], rows->elements.items[b]);

	for (size_t i = 0; order == 0 && i < rows->width; i++) {
		const struct fw_interval *x = &rows->cells.items[a * rows->width + i];
		const struct fw_interval *y = &rows->cells.items[b * rows->width + i];
		order = fw_addr_compare(x->low, y->low);
		order = order != 0 ? order : fw_addr_compare(x->high, y->high);
	}
	return order;
}

/* Rows in order, from a variable on, as a set. */
static fw_space build(const struct rows *rows, const size_t *order, size_t count, size_t at) {
	FW_VEC(struct fw_case) cases = {0};
	FW_VEC(fw_space) sets = {0};

	if (at == rows->width) {
		return FW_SPACE_ALL;
	}
	enum fw_var var = rows->segments[at].var;
	for (size_t i = 0; i < count;) {
		const struct fw_interval *cell = &rows->cells.items[order[i] * rows->width + at];
		size_t end = i + 1;
		while (end < count) {
			const struct fw_interval *next =
				&rows->cells.items[order[end] * rows->width + at];
			if (fw_addr_compare(cell->low, next->low) != 0 ||
				fw_addr_compare(cell->high, next->high) != 0) {
				break;
			}
			end++;
		}
		/* What overlaps with the one before goes into a list of its own. */
		if (cases.count != 0 &&
			fw_addr_compare(cases.items[cases.count - 1].high, cell->low) >= 0) {
			FW_VEC_ADD(
				&sets, fw_space_cases(rows->spaces, var, cases.items, cases.count));
			cases.count = 0;
		}
		struct fw_case one = {
			cell->low, cell->high, build(rows, order + i, end - i, at + 1)};
		FW_VEC_ADD(&cases, one);
		i = end;
	}
	if (cases.count != 0) {
		FW_VEC_ADD(&sets, fw_space_cases(rows->spaces, var, cases.items, cases.count));
	}
	fw_space set = fw_space_union_all(rows->spaces, sets.items, sets.count);
	FW_VEC_FINI(&cases);
	FW_VEC_FINI(&sets);
	return set;
}

static const struct fw_dump_element *catch_all(const struct fw_dump_set *set) {
	for (size_t i = 0; i < set->element_count; i++) {
		if (set->elements[i].key == NULL) {
			return &set->elements[i];
		}
	}
	return NULL;
}

/* Rows that lead to one thing become one group each. */
static void make_groups(struct fw_arena *arena, const struct rows *rows, struct fw_lookup *lookup) {
	size_t count = rows->elements.count;
	size_t *order = fw_resize(NULL, count + 1, sizeof(*order));
	struct fw_lookup_group *groups = FW_ARENA_ARRAY(arena, struct fw_lookup_group, count + 1);
	FW_VEC(fw_space) sets = {0};
	const struct fw_dump_element *rest = catch_all(rows->set);

	for (size_t i = 0; i < count; i++) {
		order[i] = i;
	}
	if (count != 0) {
		qsort_r(order, count, sizeof(*order), compare_rows, (void *)(uintptr_t)rows);
	}
	for (size_t i = 0; i < count;) {
		const struct fw_dump_element *element = rows->elements.items[order[i]];
		size_t end = i + 1;
		while (end < count &&
			compare_targets(element, rows->elements.items[order[end]]) == 0) {
			end++;
		}
		fw_space set = build(rows, order + i, end - i, 0);
		groups[lookup->group_count++] =
			(struct fw_lookup_group){element, set, FW_SPACE_EMPTY};
		FW_VEC_ADD(&sets, set);
		i = end;
	}
	fw_space all = fw_space_union_all(rows->spaces, sets.items, sets.count);
	if (rest != NULL) {
		groups[lookup->group_count++] = (struct fw_lookup_group){
			rest, fw_space_complement(rows->spaces, all), FW_SPACE_EMPTY};
		all = FW_SPACE_ALL;
	}
	lookup->groups = groups;
	lookup->found = fw_truth_is(all);
	FW_VEC_FINI(&sets);
	free(order);
}

/* An interface that is not known may have a name that fits. */
static void add_other(const struct rows *rows, struct fw_lookup *lookup) {
	for (size_t i = 0; i < rows->width; i++) {
		const struct fw_part *part = rows->segments[i].part;
		if (part->kind != FW_PART_CHOICES || part->choices->vague == NULL) {
			continue;
		}
		lookup->found.most = fw_space_union(rows->spaces, lookup->found.most,
			fw_choices_vague(rows->spaces, part->choices));
		lookup->found.what = part->choices->vague;
	}
}

/* ---- keys that packets do not tell for sure ---- */

struct class_key {
	const struct fw_dump_set *set;
	const struct fw_dump_element *element; /* the only one that counts; NULL: any of them */
};

static bool has_key(const struct fw_class *one, void *context) {
	const struct class_key *key = context;
	const struct fw_dump_set *set = key->set;

	if (key->element != NULL) {
		return memcmp(one->bytes, key->element->key, set->key_length) == 0;
	}
	for (size_t i = 0; i < set->element_count; i++) {
		if (memcmp(one->bytes, set->elements[i].key, set->key_length) == 0) {
			return true;
		}
	}
	return false;
}

/* Whether the register is one part of that kind, and the set a list of its values. */
static const struct fw_classes *classes_at(
	const struct fw_dump_set *set, const struct fw_registers *registers, unsigned at) {
	const struct fw_part *part = fw_registers_find(registers, at);

	if (part == NULL || part->kind != FW_PART_CLASSES || part->at != at ||
		part->length != set->key_length || set->changes || set->expires ||
		(set->flags & NFT_SET_INTERVAL) != 0) {
		return NULL;
	}
	for (size_t i = 0; i < set->element_count; i++) {
		const struct fw_dump_element *element = &set->elements[i];
		if (element->broken || element->stateful || element->key == NULL) {
			return NULL;
		}
	}
	return part->classes;
}

static const struct fw_lookup *find_classes(struct fw_arena *arena, struct fw_spaces *spaces,
	const struct fw_dump_set *set, const struct fw_classes *classes) {
	struct fw_lookup *lookup = FW_ARENA_NEW(arena, struct fw_lookup);
	struct fw_lookup_group *groups =
		FW_ARENA_ARRAY(arena, struct fw_lookup_group, set->element_count);
	struct class_key any = {set, NULL};

	for (size_t i = 0; i < set->element_count; i++) {
		struct class_key key = {set, &set->elements[i]};
		struct fw_truth truth = fw_classes_find(spaces, classes, has_key, &key);
		groups[i] = (struct fw_lookup_group){&set->elements[i], truth.yes,
			fw_space_subtract(spaces, truth.most, truth.yes)};
	}
	lookup->groups = groups;
	lookup->group_count = set->element_count;
	lookup->found = fw_classes_find(spaces, classes, has_key, &any);
	return lookup;
}

/* ---- looking up ---- */

/* Whether the same key was looked up before; it is as it was loaded, then. */
static bool is_plain(const struct segment *segment) {
	const struct fw_part *part = segment->part;

	if (part->kind == FW_PART_CHOICES) {
		return part->choices->plain && segment->from == 0;
	}
	if (part->kind != FW_PART_FIELD || part->origin || part->from != 0 || segment->from != 0 ||
		segment->length != part->size) {
		return false;
	}
	for (unsigned i = 0; i < part->length; i++) {
		if (part->mask[i] != 0xff || part->flip[i] != 0) {
			return false;
		}
	}
	return true;
}

static bool is_padding(const struct segment *segment) {
	for (unsigned i = 0; i < segment->length; i++) {
		if (segment->part->bytes[segment->from + i] != 0) {
			return false;
		}
	}
	return segment->length < UNIT;
}

static bool is_reusable(const struct rows *rows) {
	for (size_t i = 0; i < rows->segment_count; i++) {
		bool fits = i < rows->width ? is_plain(&rows->segments[i])
					    : is_padding(&rows->segments[i]);
		if (!fits) {
			return false;
		}
	}
	return rows->width <= FW_DUMP_FIELDS_MAX;
}

/* Where each variable is in the key is part of it. */
static bool is_same(const struct fw_lookup *lookup, const struct rows *rows) {
	if (lookup->var_count != rows->width) {
		return false;
	}
	for (size_t i = 0; i < rows->width; i++) {
		if (lookup->vars[i] != rows->segments[i].var ||
			lookup->starts[i] != rows->segments[i].at ||
			lookup->lengths[i] != rows->segments[i].length) {
			return false;
		}
	}
	return true;
}

static void remember(struct fw_lookup **known, struct fw_lookup *lookup, const struct rows *rows) {
	for (size_t i = 0; i < rows->width; i++) {
		lookup->vars[i] = rows->segments[i].var;
		lookup->starts[i] = rows->segments[i].at;
		lookup->lengths[i] = rows->segments[i].length;
	}
	lookup->var_count = rows->width;
	lookup->next = *known;
	*known = lookup;
}

const struct fw_lookup *fw_set_lookup(struct fw_arena *arena, struct fw_spaces *spaces,
	const struct fw_dump_set *set, struct fw_lookup **known,
	const struct fw_registers *registers, unsigned at, const char **out_what) {
	FW_AUTO(rows_fini) struct rows rows = {.spaces = spaces, .set = set};
	const struct fw_classes *classes = classes_at(set, registers, at);

	if (classes != NULL) {
		return find_classes(arena, spaces, set, classes);
	}

	if (set->changes) {
		rows.what = "a set that packets change";
	} else if ((set->flags & ~(uint32_t)KNOWN_FLAGS) != 0) {
		rows.what = "a set of another kind";
	} else if (set->key_length == 0 || set->key_length > KEY_MAX) {
		rows.what = "a set with keys of this length";
	} else {
		find_segments(&rows, registers, at);
	}
	if (set->expires && rows.vague == NULL) {
		rows.vague = "a set whose elements go away";
	}
	bool reusable = rows.what == NULL && rows.vague == NULL && is_reusable(&rows);
	for (const struct fw_lookup *one = reusable ? *known : NULL; one != NULL; one = one->next) {
		if (is_same(one, &rows)) {
			return one;
		}
	}
	if (rows.what == NULL) {
		add_elements(&rows);
	}
	if (rows.what != NULL) {
		*out_what = rows.what;
		return NULL;
	}
	struct fw_lookup *lookup = FW_ARENA_NEW(arena, struct fw_lookup);
	make_groups(arena, &rows, lookup);
	if (rows.perhaps_other) {
		add_other(&rows, lookup);
	}
	if (rows.vague != NULL) {
		lookup->found.yes = FW_SPACE_EMPTY;
		lookup->found.what = rows.vague;
		lookup->group_count = 0;
	}
	if (reusable) {
		remember(known, lookup, &rows);
	}
	return lookup;
}
