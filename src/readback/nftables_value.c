// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Registers, symbolically. What is loaded into them is cut into parts: some bytes of a header
 * field, one of a few values by a variable of the packet, or the same bytes for all packets. What
 * is compared with a part then says which packets pass.
 */

#include "readback/nftables.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <linux/netfilter/nf_tables.h>

enum { REGISTER_UNIT = 4, REGISTER_NAMED = 16 };

static const char not_loaded[] = "a register that nothing is known of";

/* ---- truths ---- */

static struct fw_truth truth(fw_space yes, fw_space most, const char *a, const char *b) {
	return (struct fw_truth){yes, most, yes == most ? NULL : a != NULL ? a : b};
}

struct fw_truth fw_truth_and(
	struct fw_spaces *spaces, const struct fw_truth *a, const struct fw_truth *b) {
	fw_space yes = fw_space_intersect(spaces, a->yes, b->yes);
	bool sure = a->yes == a->most && b->yes == b->most;
	fw_space most = sure ? yes : fw_space_intersect(spaces, a->most, b->most);

	return truth(yes, most, a->what, b->what);
}

struct fw_truth fw_truth_not(struct fw_spaces *spaces, const struct fw_truth *a) {
	return truth(fw_space_complement(spaces, a->most), fw_space_complement(spaces, a->yes),
		a->what, NULL);
}

/* ---- parts ---- */

struct fw_part fw_part_field(enum fw_var var, unsigned size, unsigned from, unsigned length) {
	struct fw_part part = {
		.kind = FW_PART_FIELD, .length = length, .var = var, .size = size, .from = from};

	memset(part.mask, 0xff, length);
	return part;
}

struct fw_part fw_part_choices(const struct fw_choices *choices, unsigned length) {
	return (struct fw_part){.kind = FW_PART_CHOICES, .length = length, .choices = choices};
}

struct fw_part fw_part_classes(const struct fw_classes *classes, unsigned length) {
	return (struct fw_part){.kind = FW_PART_CLASSES, .length = length, .classes = classes};
}

struct fw_part fw_part_bytes(const uint8_t *bytes, unsigned length) {
	struct fw_part part = {.kind = FW_PART_BYTES, .length = length};

	assert(length <= sizeof(part.bytes));
	memcpy(part.bytes, bytes, length);
	return part;
}

struct fw_part fw_part_unknown(const char *what, unsigned length) {
	return (struct fw_part){.kind = FW_PART_NONE, .length = length, .what = what};
}

/* ---- registers ---- */

unsigned fw_register_at(uint32_t number) {
	if (number >= NFT_REG_1 && number <= NFT_REG_4) {
		return (number - NFT_REG_1) * REGISTER_NAMED;
	}
	if (number >= NFT_REG32_00 && number <= NFT_REG32_15) {
		return (number - NFT_REG32_00) * REGISTER_UNIT;
	}
	return FW_REGISTER_BYTES;
}

/* What is partly overwritten is not understood any longer. */
static void erase(struct fw_registers *registers, unsigned from, unsigned to) {
	size_t kept = 0;

	for (size_t i = 0; i < registers->count; i++) {
		struct fw_part *part = &registers->parts[i];
		if (part->at + part->length <= from || part->at >= to) {
			registers->parts[kept++] = *part;
		}
	}
	registers->count = kept;
}

static void add_part(struct fw_registers *registers, unsigned at, const struct fw_part *part) {
	/* Without room the bytes stay unknown. */
	if (part->length != 0 && registers->count < FW_REGISTER_PARTS &&
		at + part->length <= FW_REGISTER_BYTES) {
		struct fw_part *added = &registers->parts[registers->count++];
		*added = *part;
		added->at = at;
	}
}

void fw_registers_load(
	struct fw_registers *registers, unsigned at, const struct fw_part *parts, size_t count) {
	static const uint8_t zeroes[REGISTER_UNIT];
	unsigned length = 0;

	for (size_t i = 0; i < count; i++) {
		length += parts[i].length;
	}
	unsigned padding = (REGISTER_UNIT - length % REGISTER_UNIT) % REGISTER_UNIT;
	erase(registers, at, at + length + padding);
	for (size_t i = 0; i < count; i++) {
		add_part(registers, at, &parts[i]);
		at += parts[i].length;
	}
	struct fw_part rest = fw_part_bytes(zeroes, padding);
	add_part(registers, at, &rest);
}

const struct fw_part *fw_registers_find(const struct fw_registers *registers, unsigned at) {
	for (size_t i = 0; i < registers->count; i++) {
		const struct fw_part *part = &registers->parts[i];
		if (part->at <= at && at < part->at + part->length) {
			return part;
		}
	}
	return NULL;
}

/* ---- operations ---- */

static struct fw_choices *copy_choices(struct fw_arena *arena, const struct fw_choices *from) {
	struct fw_choices *copy = fw_rb_copy(arena, from, 1, sizeof(*copy));

	copy->plain = copy->numbers = false;
	copy->items = fw_rb_copy(arena, from->items, from->count, sizeof(*from->items));
	return copy;
}

static struct fw_choice *choice_of(struct fw_choices *choices, size_t i) {
	return (struct fw_choice *)(uintptr_t)&choices->items[i];
}

static struct fw_classes *copy_classes(
	struct fw_arena *arena, const struct fw_classes *from, struct fw_class **out_items) {
	struct fw_classes *copy = fw_rb_copy(arena, from, 1, sizeof(*copy));

	*out_items = fw_rb_copy(arena, from->items, from->count, sizeof(*from->items));
	copy->items = *out_items;
	return copy;
}

static const struct fw_classes *mask_classes(struct fw_arena *arena, const struct fw_part *part,
	const uint8_t *mask, const uint8_t *flip) {
	struct fw_class *items;
	struct fw_classes *classes = copy_classes(arena, part->classes, &items);

	for (size_t i = 0; i < classes->count; i++) {
		for (unsigned j = 0; j < part->length; j++) {
			items[i].bytes[j] = (uint8_t)((items[i].bytes[j] & mask[j]) ^ flip[j]);
		}
	}
	return classes;
}

static struct fw_part mask_part(const struct fw_part *part, struct fw_arena *arena,
	const uint8_t *mask, const uint8_t *flip) {
	struct fw_part result = *part;

	switch (part->kind) {
	case FW_PART_FIELD:
		for (unsigned i = 0; i < part->length; i++) {
			result.mask[i] &= mask[i];
			result.flip[i] = (uint8_t)((part->flip[i] & mask[i]) ^ flip[i]);
		}
		break;
	case FW_PART_CHOICES: {
		struct fw_choices *choices = copy_choices(arena, part->choices);
		for (unsigned i = 0; i < part->length; i++) {
			choices->known[i] |= (uint8_t)~mask[i];
			for (size_t j = 0; j < choices->count; j++) {
				uint8_t *byte = &choice_of(choices, j)->bytes[i];
				*byte = (uint8_t)((*byte & mask[i]) ^ flip[i]);
			}
		}
		result.choices = choices;
		break;
	}
	case FW_PART_BYTES:
		for (unsigned i = 0; i < part->length; i++) {
			result.bytes[i] = (uint8_t)((part->bytes[i] & mask[i]) ^ flip[i]);
		}
		break;
	case FW_PART_CLASSES:
		result.classes = mask_classes(arena, part, mask, flip);
		break;
	case FW_PART_MAPPED:
		result = fw_part_unknown("arithmetic on what a map says", part->length);
		break;
	case FW_PART_NONE:
		break;
	}
	return result;
}

/* Those of a range, in order; what is not whole inside of it is unknown. False: too many. */
static bool take_parts(const struct fw_registers *registers, unsigned from, unsigned length,
	struct fw_part *out, size_t *out_count) {
	*out_count = 0;
	for (unsigned at = from; at < from + length;) {
		const struct fw_part *part = fw_registers_find(registers, at);
		struct fw_part taken = fw_part_unknown(not_loaded, 1);
		if (part != NULL && part->at == at && at + part->length <= from + length) {
			taken = *part;
		} else if (part != NULL && part->kind == FW_PART_NONE) {
			taken.what = part->what;
			taken.length = part->at + part->length - at;
			taken.length = taken.length < from + length - at ? taken.length
									 : from + length - at;
		}
		if (*out_count == FW_REGISTER_PARTS) {
			return false;
		}
		out[(*out_count)++] = taken;
		at += taken.length;
	}
	return true;
}

void fw_registers_mask(struct fw_registers *registers, struct fw_arena *arena, unsigned from,
	unsigned to, unsigned length, const uint8_t *mask, const uint8_t *flip) {
	struct fw_part parts[FW_REGISTER_PARTS];
	size_t count;
	unsigned at = 0;

	if (!take_parts(registers, from, length, parts, &count)) {
		erase(registers, to, to + length);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		parts[i] = mask_part(&parts[i], arena, mask + at, flip + at);
		at += parts[i].length;
	}
	fw_registers_load(registers, to, parts, count);
}

static void turn_bytes(uint8_t *bytes, unsigned length, unsigned size) {
	for (unsigned start = 0; start + size <= length; start += size) {
		for (unsigned i = 0; i < size / 2; i++) {
			uint8_t byte = bytes[start + i];
			bytes[start + i] = bytes[start + size - 1 - i];
			bytes[start + size - 1 - i] = byte;
		}
	}
}

void fw_registers_turn(struct fw_registers *registers, struct fw_arena *arena, unsigned from,
	unsigned to, unsigned length, unsigned size) {
	struct fw_part parts[FW_REGISTER_PARTS];
	size_t count;

	/* The kernel leaves alone what is less than a number. */
	length -= length % size;
	if (length == 0) {
		return;
	}
	if (!take_parts(registers, from, length, parts, &count)) {
		erase(registers, to, to + length);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		if (parts[i].kind == FW_PART_CHOICES && parts[i].length % size == 0) {
			struct fw_choices *choices = copy_choices(arena, parts[i].choices);
			turn_bytes(choices->known, parts[i].length, size);
			for (size_t j = 0; j < choices->count; j++) {
				turn_bytes(choice_of(choices, j)->bytes, parts[i].length, size);
			}
			parts[i].choices = choices;
		} else if (parts[i].kind == FW_PART_CLASSES && parts[i].length % size == 0) {
			struct fw_class *items;
			parts[i].classes = copy_classes(arena, parts[i].classes, &items);
			for (size_t j = 0; j < parts[i].classes->count; j++) {
				turn_bytes(items[j].bytes, parts[i].length, size);
			}
		} else if (parts[i].kind == FW_PART_BYTES && parts[i].length % size == 0) {
			turn_bytes(parts[i].bytes, parts[i].length, size);
		} else if (parts[i].kind != FW_PART_NONE) {
			parts[i] =
				fw_part_unknown("a field in another byte order", parts[i].length);
		}
	}
	fw_registers_load(registers, to, parts, count);
}

/* ---- comparing one part ---- */

static struct fw_addr number_of(const uint8_t *bytes, unsigned length) {
	struct fw_addr number = {0, 0};

	for (unsigned i = 0; i < length; i++) {
		number.high = number.high << 8 | number.low >> 56;
		number.low = number.low << 8 | bytes[i];
	}
	return number;
}

/* Whether all ones are above all zeroes in the last `bits` bits. */
static bool is_prefix(struct fw_addr mask, unsigned bits) {
	struct fw_addr zeroes = {~mask.high, ~mask.low};

	if (bits < 128) {
		struct fw_addr all =
			bits < 64 ? (struct fw_addr){0, (UINT64_C(1) << bits) - 1}
			: bits == 64
				? (struct fw_addr){0, UINT64_MAX}
				: (struct fw_addr){(UINT64_C(1) << (bits - 64)) - 1, UINT64_MAX};
		zeroes.high &= all.high;
		zeroes.low &= all.low;
	}
	struct fw_addr next = fw_addr_next(zeroes);
	return (zeroes.high & next.high) == 0 && (zeroes.low & next.low) == 0;
}

static void found(struct fw_intervals_found *out, struct fw_addr low, struct fw_addr high) {
	FW_VEC_ADD(&out->list, (struct fw_interval){low, high});
}

/* Values of at most 16 bits, one by one, that are `value` under a mask. */
static void find_masked(
	struct fw_intervals_found *out, unsigned bits, uint64_t mask, uint64_t value) {
	for (uint64_t i = 0; i < UINT64_C(1) << bits; i++) {
		if ((i & mask) != value) {
			continue;
		}
		size_t count = out->list.count;
		if (count != 0 && out->list.items[count - 1].high.low + 1 == i) {
			out->list.items[count - 1].high = fw_value(i);
		} else {
			found(out, fw_value(i), fw_value(i));
		}
	}
}

/* The part's bytes are these: a masked comparison of the whole field. */
static enum fw_part_answer field_is(const struct fw_part *part, unsigned from, unsigned length,
	const uint8_t *bytes, struct fw_intervals_found *out) {
	uint8_t mask[FW_VALUE_MAX] = {0}, value[FW_VALUE_MAX] = {0};

	for (unsigned i = 0; i < length; i++) {
		unsigned at = part->from + from + i;
		mask[at] = part->mask[from + i];
		value[at] = bytes[i] ^ part->flip[from + i];
		if ((value[at] & ~mask[at]) != 0) {
			return FW_PART_NEVER;
		}
	}
	struct fw_addr ones = number_of(mask, part->size), low = number_of(value, part->size);
	if (is_prefix(ones, part->size * 8)) {
		uint8_t last[FW_VALUE_MAX];
		for (unsigned i = 0; i < part->size; i++) {
			last[i] = value[i] | (uint8_t)~mask[i];
		}
		found(out, low, number_of(last, part->size));
		return FW_PART_INTERVALS;
	}
	if (part->size > 2) {
		return FW_PART_UNKNOWN;
	}
	find_masked(out, part->size * 8, ones.low, low.low);
	return FW_PART_INTERVALS;
}

static bool is_whole(const struct fw_part *part, unsigned from, unsigned length) {
	for (unsigned i = from; i < from + length; i++) {
		if (part->mask[i] != 0xff || part->flip[i] != 0) {
			return false;
		}
	}
	return part->from + from == 0;
}

static enum fw_part_answer field_between(const struct fw_part *part, unsigned from, unsigned length,
	const uint8_t *low, const uint8_t *high, struct fw_intervals_found *out) {
	uint8_t first[FW_VALUE_MAX] = {0}, last[FW_VALUE_MAX];

	if (memcmp(low, high, length) == 0) {
		return field_is(part, from, length, low, out);
	}
	if (!is_whole(part, from, length)) {
		return FW_PART_UNKNOWN;
	}
	memset(last, 0xff, sizeof(last));
	memcpy(first, low, length);
	memcpy(last, high, length);
	found(out, number_of(first, part->size), number_of(last, part->size));
	return FW_PART_INTERVALS;
}

/* How long the begin is that all bytes from low to high share, if any follow; 0: it is no such
 * range. */
static unsigned begin_of(const uint8_t *low, const uint8_t *high, unsigned length) {
	unsigned known = length;

	while (known > 0 && low[known - 1] == 0 && high[known - 1] == 0xff) {
		known--;
	}
	return memcmp(low, high, known) == 0 ? known : 0;
}

/* Whether the interfaces that have these bytes have choices of their own, so that no other has. */
static bool is_told(const struct fw_choices *choices, unsigned length, const uint8_t *low,
	const uint8_t *high) {
	unsigned begin = begin_of(low, high, length);
	bool ends = choices->size == FW_VALUE_MAX && memchr(low, '\0', length) != NULL;
	bool whole = begin == length && (length == choices->size || ends);

	for (size_t i = 0; begin != 0 && i < choices->count; i++) {
		const struct fw_choice *choice = &choices->items[i];
		bool fits = choice->open != 0 ? choice->open == begin : whole && !choice->other;
		if (fits && memcmp(choice->bytes, low, begin) == 0) {
			return true;
		}
	}
	return false;
}

/* Whether an interface of which the begin of its name is known is one of those from low to high. */
static enum fw_part_answer open_between(const struct fw_choices *choices,
	const struct fw_choice *choice, unsigned length, const uint8_t *low, const uint8_t *high) {
	unsigned compared = choice->open < length ? choice->open : length;
	int above = memcmp(choice->bytes, low, compared);
	int below = memcmp(choice->bytes, high, compared);

	if (above < 0 || below > 0) {
		return FW_PART_NEVER;
	}
	if ((above > 0 && below < 0) || compared == length ||
		begin_of(low, high, length) == compared) {
		return FW_PART_ALWAYS;
	}
	return is_told(choices, length, low, high) ? FW_PART_NEVER : FW_PART_UNKNOWN;
}

/* The same of any interface that is not wholly known. */
static enum fw_part_answer vague_between(const struct fw_choices *choices,
	const struct fw_choice *choice, unsigned from, unsigned length, const uint8_t *low,
	const uint8_t *high) {
	if (!choices->plain || from != 0) {
		return FW_PART_UNKNOWN;
	}
	if (choice->open != 0) {
		return open_between(choices, choice, length, low, high);
	}
	return is_told(choices, length, low, high) ? FW_PART_NEVER : FW_PART_UNKNOWN;
}

static bool is_known(const struct fw_choices *choices, unsigned from, unsigned length) {
	for (unsigned i = from; i < from + length; i++) {
		if (choices->known[i] != 0xff) {
			return false;
		}
	}
	return true;
}

static enum fw_part_answer choices_between(const struct fw_part *part, unsigned from,
	unsigned length, const uint8_t *low, const uint8_t *high, struct fw_intervals_found *out) {
	const struct fw_choices *choices = part->choices;

	if (!is_known(choices, from, length)) {
		return FW_PART_UNKNOWN;
	}
	if (choices->numbers) {
		found(out, fw_value(low[0]), fw_value(high[0]));
		return FW_PART_INTERVALS;
	}
	for (size_t i = 0; i < choices->count; i++) {
		const struct fw_choice *choice = &choices->items[i];
		if (choice->other || choice->open != 0) {
			enum fw_part_answer answer =
				vague_between(choices, choice, from, length, low, high);
			out->perhaps_other = out->perhaps_other || answer == FW_PART_UNKNOWN;
			if (answer != FW_PART_ALWAYS) {
				continue;
			}
		} else if (memcmp(choice->bytes + from, low, length) < 0 ||
			   memcmp(choice->bytes + from, high, length) > 0) {
			continue;
		}
		size_t count = out->list.count;
		if (count != 0 && out->list.items[count - 1].high.low + 1 == choice->value) {
			out->list.items[count - 1].high = fw_value(choice->value);
		} else {
			found(out, fw_value(choice->value), fw_value(choice->value));
		}
	}
	return FW_PART_INTERVALS;
}

fw_space fw_choices_vague(struct fw_spaces *spaces, const struct fw_choices *choices) {
	fw_space set = FW_SPACE_EMPTY;

	for (size_t i = 0; i < choices->count; i++) {
		const struct fw_choice *choice = &choices->items[i];
		if (choice->other || choice->open != 0) {
			struct fw_addr value = fw_value(choice->value);
			set = fw_space_union(
				spaces, set, fw_space_interval(spaces, choices->var, value, value));
		}
	}
	return set;
}

enum fw_part_answer fw_part_between(const struct fw_part *part, unsigned from, unsigned length,
	const uint8_t *low, const uint8_t *high, struct fw_intervals_found *out) {
	out->list.count = 0;
	out->perhaps_other = false;
	if (memcmp(low, high, length) > 0) {
		return FW_PART_NEVER;
	}
	switch (part->kind) {
	case FW_PART_FIELD:
		return field_between(part, from, length, low, high, out);
	case FW_PART_CHOICES:
		return choices_between(part, from, length, low, high, out);
	case FW_PART_BYTES:
		return memcmp(part->bytes + from, low, length) >= 0 &&
				       memcmp(part->bytes + from, high, length) <= 0
			       ? FW_PART_ALWAYS
			       : FW_PART_NEVER;
	case FW_PART_NONE:
	case FW_PART_MAPPED:
	case FW_PART_CLASSES:
		break;
	}
	return FW_PART_UNKNOWN;
}

/* ---- classes ---- */

struct fw_truth fw_classes_find(struct fw_spaces *spaces, const struct fw_classes *classes,
	bool (*fits)(const struct fw_class *one, void *context), void *context) {
	fw_space *sets = fw_resize(NULL, classes->count + 1, sizeof(*sets));
	size_t count = 0, others = classes->count;

	for (size_t i = 0; i < classes->count; i++) {
		const struct fw_class *one = &classes->items[i];
		if (fits(one, context)) {
			sets[count++] = one->set;
		} else {
			sets[--others] = one->set;
		}
	}
	fw_space most = fw_space_union_all(spaces, sets, count);
	fw_space other = fw_space_union_all(spaces, sets + others, classes->count - others);
	free(sets);
	return truth(fw_space_subtract(spaces, most, other), most, classes->what, NULL);
}

struct class_range {
	const uint8_t *low, *high;
	unsigned from, length;
};

static bool is_in_range(const struct fw_class *one, void *context) {
	const struct class_range *range = context;

	return memcmp(one->bytes + range->from, range->low, range->length) >= 0 &&
	       memcmp(one->bytes + range->from, range->high, range->length) <= 0;
}

/* ---- comparing ---- */

static const char *why_unknown(const struct fw_part *part) {
	switch (part->kind) {
	case FW_PART_NONE:
		return part->what;
	case FW_PART_MAPPED:
		return "a comparison with what a map says";
	case FW_PART_FIELD:
	case FW_PART_CHOICES:
	case FW_PART_CLASSES:
	case FW_PART_BYTES:
		break;
	}
	return part->what != NULL ? part->what : "a comparison of some bits";
}

static fw_space intervals_space(
	struct fw_spaces *spaces, enum fw_var var, const struct fw_intervals_found *intervals) {
	size_t count = intervals->list.count;
	if (count == 0) {
		return FW_SPACE_EMPTY;
	}
	struct fw_case *cases = fw_resize(NULL, count, sizeof(*cases));
	for (size_t i = 0; i < count; i++) {
		cases[i] = (struct fw_case){
			intervals->list.items[i].low, intervals->list.items[i].high, FW_SPACE_ALL};
	}
	fw_space set = fw_space_cases(spaces, var, cases, count);
	free(cases);
	return set;
}

static struct fw_truth part_between(struct fw_spaces *spaces, const struct fw_part *part,
	unsigned from, unsigned length, const uint8_t *low, const uint8_t *high) {
	struct fw_intervals_found intervals = {0};
	struct fw_truth result = fw_truth_is(FW_SPACE_EMPTY);

	if (part->kind == FW_PART_CLASSES) {
		struct class_range range = {low, high, from, length};
		return fw_classes_find(spaces, part->classes, is_in_range, &range);
	}
	switch (fw_part_between(part, from, length, low, high, &intervals)) {
	case FW_PART_UNKNOWN:
		result = fw_truth_unknown(why_unknown(part));
		break;
	case FW_PART_NEVER:
		break;
	case FW_PART_ALWAYS:
		result = fw_truth_is(FW_SPACE_ALL);
		break;
	case FW_PART_INTERVALS: {
		bool choices = part->kind == FW_PART_CHOICES;
		enum fw_var var = choices ? part->choices->var : part->var;
		result = fw_truth_is(intervals_space(spaces, var, &intervals));
		if (intervals.perhaps_other) {
			fw_space vague = fw_choices_vague(spaces, part->choices);
			result = truth(result.yes, fw_space_union(spaces, result.yes, vague),
				part->choices->vague, NULL);
		}
		break;
	}
	}
	FW_VEC_FINI(&intervals.list);
	return result;
}

struct fw_truth fw_registers_equal(struct fw_spaces *spaces, const struct fw_registers *registers,
	unsigned at, unsigned length, const uint8_t *bytes) {
	struct fw_truth result = fw_truth_is(FW_SPACE_ALL);

	for (unsigned end = at + length; at < end;) {
		const struct fw_part *part = fw_registers_find(registers, at);
		if (part == NULL) {
			return fw_truth_unknown(not_loaded);
		}
		unsigned from = at - part->at;
		unsigned some = part->length - from < end - at ? part->length - from : end - at;
		struct fw_truth one = part_between(spaces, part, from, some, bytes, bytes);
		result = fw_truth_and(spaces, &result, &one);
		bytes += some;
		at += some;
	}
	return result;
}

struct fw_truth fw_registers_between(struct fw_spaces *spaces, const struct fw_registers *registers,
	unsigned at, unsigned length, const uint8_t *low, const uint8_t *high) {
	const struct fw_part *part = fw_registers_find(registers, at);

	if (memcmp(low, high, length) == 0) {
		return fw_registers_equal(spaces, registers, at, length, low);
	}
	if (part == NULL) {
		return fw_truth_unknown(not_loaded);
	}
	if (at + length > part->at + part->length) {
		return fw_truth_unknown(part->kind == FW_PART_NONE
						? part->what
						: "a range of several fields at once");
	}
	return part_between(spaces, part, at - part->at, length, low, high);
}
