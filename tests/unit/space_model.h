// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_TEST_SPACE_MODEL_H
#define FW_TEST_SPACE_MODEL_H
/*
 * Random sets of packets, made twice: as a space, and as a formula that is evaluated packet by
 * packet. Values are few, and among them the ends of domains, so that boxes touch, overlap and
 * cover each other. FLOWFW_SEED gives other sets than those of every run.
 */

#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "space/space.h"

enum { MODEL_VALUES = 5, MODEL_LEAVES_MAX = 7, MODEL_PARTS_MAX = 2 * MODEL_LEAVES_MAX };

/* ---- numbers ---- */

static uint64_t model_state;

static inline unsigned long model_seed(int loop) {
	const char *given = getenv("FLOWFW_SEED");
	unsigned long seed = given != NULL ? strtoul(given, NULL, 10) : 0;
	seed = seed * 1000003 + (unsigned long)loop;
	model_state = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15);
	return seed;
}

/** xorshift64*; 0 to count - 1. */
static inline size_t model_random(size_t count) {
	model_state ^= model_state >> 12;
	model_state ^= model_state << 25;
	model_state ^= model_state >> 27;
	return (size_t)((model_state * UINT64_C(0x2545f4914f6cdd1d) >> 33) % count);
}

/* ---- values ---- */

#define MODEL_ADDRESSES                                                                            \
	{                                                                                          \
		{0, 0}, {0, 0x0a000000}, {0, UINT32_MAX}, {0x20010db800000000, 7}, {               \
			UINT64_MAX, UINT64_MAX                                                     \
		}                                                                                  \
	}
#define MODEL_PORTS                                                                                \
	{                                                                                          \
		{0, 0}, {0, 80}, {0, 255}, {0, 1024}, {                                            \
			0, UINT16_MAX                                                              \
		}                                                                                  \
	}

/** Sorted, each once. */
static const struct fw_addr model_values[FW_VAR_COUNT][MODEL_VALUES] = {
	[FW_VAR_HOOK] = {{0, 0}, {0, 1}, {0, 2}, {0, 3}, {0, 3}},
	[FW_VAR_IN] = {{0, 0}, {0, 1}, {0, 2}, {0, 5}, {0, UINT16_MAX}},
	[FW_VAR_OUT] = {{0, 0}, {0, 1}, {0, 2}, {0, 5}, {0, UINT16_MAX}},
	[FW_VAR_FAMILY] = {{0, 0}, {0, 1}, {0, 2}, {0, 2}, {0, 2}},
	[FW_VAR_PROTOCOL] = {{0, 0}, {0, 1}, {0, 6}, {0, 17}, {0, UINT8_MAX}},
	[FW_VAR_SOURCE] = MODEL_ADDRESSES,
	[FW_VAR_DESTINATION] = MODEL_ADDRESSES,
	[FW_VAR_SOURCE_PORT] = MODEL_PORTS,
	[FW_VAR_PORT] = MODEL_PORTS,
	[FW_VAR_FLAGS] = {{0, 0}, {0, 2}, {0, 3}, {0, 16}, {0, UINT8_MAX}},
	[FW_VAR_HOP_LIMIT] = {{0, 0}, {0, 1}, {0, 64}, {0, 254}, {0, UINT8_MAX}},
	[FW_VAR_TRACKING] = {{0, 0}, {0, 1}, {0, 2}, {0, 4}, {0, 5}},
	[FW_VAR_TRANSLATED] = {{0, 0}, {0, 0}, {0, 0}, {0, 1}, {0, 1}},
};

static inline struct fw_addr model_value(int var) {
	return model_values[var][model_random(MODEL_VALUES)];
}

/** Values of boxes and their neighbours: all that boxes can tell apart. */
static inline struct fw_addr model_near(int var) {
	struct fw_addr value = model_value(var);
	size_t way = model_random(3);
	if (way == 1 && fw_addr_compare(value, fw_var_max[var]) < 0) {
		return fw_addr_next(value);
	}
	if (way == 2 && fw_addr_compare(value, fw_value(0)) > 0) {
		return fw_addr_previous(value);
	}
	return value;
}

static inline struct fw_point model_point(void) {
	struct fw_point point = {0};
	for (int var = FW_VAR_NONE + 1; var < FW_VAR_COUNT; var++) {
		point.values[var] = model_near(var);
	}
	return point;
}

/* ---- boxes ---- */

struct model_box {
	struct fw_interval sides[FW_VAR_COUNT];
};

/** One that asks for two to five variables, out of a few that sets share. */
static inline struct model_box model_box(void) {
	static const uint8_t vars[] = {FW_VAR_HOOK, FW_VAR_FAMILY, FW_VAR_PROTOCOL, FW_VAR_SOURCE,
		FW_VAR_DESTINATION, FW_VAR_PORT, FW_VAR_TRACKING};
	struct model_box box = {0};
	for (int var = FW_VAR_NONE + 1; var < FW_VAR_COUNT; var++) {
		box.sides[var].high = fw_var_max[var];
	}
	size_t asked = 2 + model_random(4);
	for (size_t i = 0; i < asked; i++) {
		size_t any = 1 + model_random(FW_VAR_COUNT - 1);
		size_t var = model_random(4) == 0 ? any : vars[model_random(FW_LENGTH(vars))];
		struct fw_addr a = model_near((int)var), b = model_near((int)var);
		bool turned = fw_addr_compare(a, b) > 0;
		box.sides[var] = (struct fw_interval){turned ? b : a, turned ? a : b};
	}
	return box;
}

static inline bool model_box_contains(const struct model_box *box, const struct fw_point *point) {
	for (int var = FW_VAR_NONE + 1; var < FW_VAR_COUNT; var++) {
		if (fw_addr_compare(point->values[var], box->sides[var].low) < 0 ||
			fw_addr_compare(point->values[var], box->sides[var].high) > 0) {
			return false;
		}
	}
	return true;
}

static inline fw_space model_box_space(struct fw_spaces *spaces, const struct model_box *box) {
	fw_space set = FW_SPACE_ALL;
	for (int var = FW_VAR_NONE + 1; var < FW_VAR_COUNT; var++) {
		set = fw_space_intersect(spaces, set,
			fw_space_interval(spaces, var, box->sides[var].low, box->sides[var].high));
	}
	return set;
}

/* ---- formulas ---- */

/** A part is a box, or two parts before it that are joined. */
struct model_part {
	char kind; /* 'b', '|', '&', '-', '!' */
	struct model_box box;
	size_t left, right;
	fw_space set;
};

/** The last part is the whole. */
struct model_formula {
	struct model_part parts[MODEL_PARTS_MAX];
	size_t count;
};

static inline fw_space model_join(
	struct fw_spaces *spaces, const struct model_part *parts, const struct model_part *part) {
	fw_space left = parts[part->left].set, right = parts[part->right].set;
	switch (part->kind) {
	case '|':
		return fw_space_union(spaces, left, right);
	case '&':
		return fw_space_intersect(spaces, left, right);
	case '-':
		return fw_space_subtract(spaces, left, right);
	default:
		return fw_space_complement(spaces, left);
	}
}

/** Boxes first, then one part for each of them to bring them together: mostly unions. */
static inline fw_space model_formula(struct fw_spaces *spaces, struct model_formula *formula) {
	size_t leaves = 1 + model_random(MODEL_LEAVES_MAX - 1);
	formula->count = 0;
	for (size_t i = 0; i < leaves; i++) {
		struct model_part *part = &formula->parts[formula->count++];
		*part = (struct model_part){.kind = 'b', .box = model_box()};
		part->set = model_box_space(spaces, &part->box);
	}
	for (size_t i = 1; i < leaves; i++) {
		struct model_part *part = &formula->parts[formula->count];
		*part = (struct model_part){
			.kind = "|||&--!"[model_random(7)],
			.left = formula->count - 1,
			.right = i - 1,
		};
		part->set = model_join(spaces, formula->parts, part);
		formula->count++;
	}
	return formula->parts[formula->count - 1].set;
}

static inline bool model_contains(
	const struct model_formula *formula, const struct fw_point *point) {
	bool holds[MODEL_PARTS_MAX] = {false};
	for (size_t i = 0; i < formula->count; i++) {
		const struct model_part *part = &formula->parts[i];
		bool left = holds[part->left], right = holds[part->right];
		switch (part->kind) {
		case 'b':
			holds[i] = model_box_contains(&part->box, point);
			break;
		case '|':
			holds[i] = left || right;
			break;
		case '&':
			holds[i] = left && right;
			break;
		case '-':
			holds[i] = left && !right;
			break;
		default:
			holds[i] = !left;
			break;
		}
	}
	return holds[formula->count - 1];
}

/* ---- sets by hand ---- */

/** Packets whose variable is from low to high. */
static inline fw_space model_from_to(
	struct fw_spaces *spaces, enum fw_var var, uint64_t low, uint64_t high) {
	return fw_space_interval(spaces, var, fw_value(low), fw_value(high));
}

static inline fw_space model_is(struct fw_spaces *spaces, enum fw_var var, uint64_t value) {
	return model_from_to(spaces, var, value, value);
}

/** Packets whose address is in a text's range, which tells the family too. */
static inline fw_space model_in(struct fw_spaces *spaces, enum fw_var var, const char *text) {
	struct fw_range range;
	ck_assert_int_eq(fw_range_parse(fw_slice(text), &range), FW_NET_NONE);
	return fw_space_intersect(spaces, model_is(spaces, FW_VAR_FAMILY, range.family),
		fw_space_interval(spaces, var, range.first, range.last));
}

static inline fw_space model_port(struct fw_spaces *spaces, uint8_t protocol, uint16_t port) {
	return fw_space_intersect(spaces, model_is(spaces, FW_VAR_PROTOCOL, protocol),
		model_is(spaces, FW_VAR_PORT, port));
}

#endif
