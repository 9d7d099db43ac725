// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From sets of packets to rows in words: boxes of what differs, and a packet of each. Only what
 * differs is listed, so that one camera among many thousands is quickly found.
 */

#include "cmd/changes_rows.h"

#include <stdlib.h>
#include <string.h>

/* Rows of a section while it grows. */
struct rows {
	FW_VEC(struct fw_change_row) list;
	size_t left_out;
};

static void rows_fini(struct rows *rows) {
	FW_VEC_FINI(&rows->list);
}

/* Names are those of the side that allows it, if that has any. */
static struct fw_words words_of(const struct fw_changes *changes, enum fw_change change) {
	enum fw_which own = change == FW_NEWLY_DENIED ? FW_BEFORE : FW_AFTER;
	enum fw_which other = own == FW_BEFORE ? FW_AFTER : FW_BEFORE;

	if (changes->sides[own].policy == NULL) {
		return (struct fw_words){
			.interfaces = &changes->interfaces,
			.policy = changes->sides[other].policy,
		};
	}
	return (struct fw_words){
		.interfaces = &changes->interfaces,
		.policy = changes->sides[own].policy,
		.other = changes->sides[other].policy,
		.label = fw_which_names[own],
		.other_label = fw_which_names[other],
	};
}

/* ---- boxes in words ---- */

/* A box in words, and the family that is still to be said. */
struct phrase {
	const char *text;
	enum fw_family family;
	bool done;
};

static struct phrase phrase_of(
	struct fw_arena *arena, const struct fw_words *words, const struct fw_box *box) {
	FW_AUTO(fw_buf_fini) struct fw_buf text = {0};
	enum fw_family family = fw_box_format_bare(words, box, &text);

	return (struct phrase){.text = fw_arena_text(arena, fw_buf_slice(&text)), .family = family};
}

/* The box that says the same of the other family, or `count`. */
static size_t find_twin(const struct phrase *phrases, size_t count, size_t which) {
	const struct phrase *phrase = &phrases[which];
	size_t i = phrase->family != FW_FAMILY_NONE ? which + 1 : count;

	while (i < count &&
		(phrases[i].family == FW_FAMILY_NONE || phrases[i].family == phrase->family ||
			phrases[i].done || strcmp(phrases[i].text, phrase->text) != 0)) {
		i++;
	}
	return i;
}

static void add_box(struct fw_changes *changes, struct fw_change_row *row, const struct fw_box *box,
	fw_space within) {
	struct fw_spaces *spaces = &changes->spaces;
	fw_space set = fw_space_intersect(spaces, fw_box_space(spaces, box), within);

	row->boxes[row->box_count++] = box;
	row->set = fw_space_union(spaces, row->set, set);
}

/* Adds a row for each box; all else of it is as in `like`. */
static void add_rows(struct fw_changes *changes, const struct fw_change_row *like,
	const struct fw_boxes *boxes, struct rows *rows) {
	struct fw_arena *arena = &changes->run->arena;
	const struct fw_words words = words_of(changes, like->change);
	/* Only one family is compared then, which is said once, and not in each row. */
	bool one_family = !changes->of_policies && changes->scope.family != FW_FAMILY_NONE;
	struct phrase *phrases = FW_ARENA_ARRAY(arena, struct phrase, boxes->count);

	for (size_t i = 0; i < boxes->count; i++) {
		phrases[i] = phrase_of(arena, &words, &boxes->items[i]);
	}
	for (size_t i = 0; i < boxes->count; i++) {
		if (phrases[i].done) {
			continue;
		}
		struct fw_change_row row = *like;
		size_t twin = find_twin(phrases, boxes->count, i);
		row.words = phrases[i].text;
		row.set = FW_SPACE_EMPTY;
		add_box(changes, &row, &boxes->items[i], like->set);
		if (twin < boxes->count) {
			phrases[twin].done = true;
			add_box(changes, &row, &boxes->items[twin], like->set);
		} else if (phrases[i].family != FW_FAMILY_NONE && !one_family) {
			row.words = fw_arena_printf(
				arena, "%s over %s", row.words, fw_family_names[phrases[i].family]);
		}
		FW_VEC_ADD(&rows->list, row);
	}
}

/* Adds the rows of one set, that of `like`, as far as there is room for them in their section. */
static void list_set(
	struct fw_changes *changes, const struct fw_change_row *like, struct rows *rows) {
	size_t room = changes->limit - rows->list.count;
	struct fw_boxes boxes;

	/* Boxes cost as much as their set does, so none are looked for where none fit. */
	if (room == 0) {
		rows->left_out++;
		return;
	}
	fw_space universe =
		fw_space_universe(&changes->spaces, fw_interfaces_count(&changes->interfaces));
	/* Two boxes may be one row. */
	if (!fw_space_boxes(&changes->spaces, like->set, universe, 2 * room, &boxes)) {
		return;
	}
	FW_VEC_ADD(&changes->boxes, boxes);
	add_rows(changes, like, &boxes, rows);
	rows->left_out += boxes.left_out;
	if (rows->list.count > changes->limit) {
		rows->left_out += rows->list.count - changes->limit;
		rows->list.count = changes->limit;
	}
}

/* ---- what is listed ---- */

static void list_difference(
	struct fw_changes *changes, const struct fw_difference *difference, struct rows *rows) {
	const struct fw_change_row like = {
		.change = difference->change,
		.hook = difference->hook,
		.set = difference->set,
		.rates = {difference->before, difference->after},
	};
	list_set(changes, &like, rows);
}

static void list_answer(
	struct fw_changes *changes, const struct fw_proof_answer *answer, struct rows *rows) {
	const struct fw_change_row like = {
		.hook = answer->hook,
		.set = answer->set,
		.answered = answer->answered,
	};
	list_set(changes, &like, rows);
}

static fw_space only(struct fw_spaces *spaces, enum fw_var var, uint64_t low, uint64_t high) {
	return fw_space_interval(spaces, var, fw_value(low), fw_value(high));
}

/*
 * The packets of a detour that are in one hook, in the form that needs the fewest words: what is
 * translated is new in any case, and mostly was not translated before.
 */
static fw_space detour_in(
	struct fw_changes *changes, const struct fw_proof_detour *detour, enum fw_hook hook) {
	struct fw_spaces *spaces = &changes->spaces;
	fw_space universe = fw_space_universe(spaces, fw_interfaces_count(&changes->interfaces));
	fw_space set = fw_space_intersect(spaces, detour->set, universe);

	set = fw_space_intersect(spaces, set, only(spaces, FW_VAR_HOOK, hook, hook));
	set = fw_space_exists(spaces, set, FW_VAR_TRACKING);
	if (fw_space_is_subset(spaces, set, only(spaces, FW_VAR_TRANSLATED, 0, 0))) {
		set = fw_space_exists(spaces, set, FW_VAR_TRANSLATED);
	}
	fw_space states = fw_space_union(spaces,
		only(spaces, FW_VAR_TRACKING, FW_TRACKING_NEW, FW_TRACKING_NEW),
		only(spaces, FW_VAR_TRACKING, FW_TRACKING_UNTRACKED, FW_TRACKING_UNTRACKED));
	return fw_space_intersect(spaces, fw_space_intersect(spaces, set, states), universe);
}

/* The hook is let go in such sets: the first one that has packets of it stands for all. */
static void list_detour(
	struct fw_changes *changes, const struct fw_proof_detour *detour, struct rows *rows) {
	static const enum fw_hook hooks[][2] = {{FW_INPUT, FW_OUTPUT}, {FW_FORWARD, FW_OUTPUT}};
	struct fw_change_row like = {.detour = detour, .set = FW_SPACE_EMPTY};

	for (size_t i = 0; i < 2 && like.set == FW_SPACE_EMPTY; i++) {
		like.hook = hooks[detour->source][i];
		like.set = detour_in(changes, detour, like.hook);
	}
	if (like.set == FW_SPACE_EMPTY) {
		like.hook = detour->source ? FW_INPUT : FW_FORWARD;
		like.set = detour_in(changes, detour, like.hook);
	}
	list_set(changes, &like, rows);
}

static void list_kind(struct fw_changes *changes, enum fw_rows kind, struct rows *rows) {
	const struct fw_proof *proof = &changes->proof;

	switch (kind) {
	case FW_ROWS_NONE:
		break;
	case FW_ROWS_ALLOWED:
	case FW_ROWS_DENIED:
	case FW_ROWS_LIMITS:
		for (size_t i = 0; i < changes->difference_count; i++) {
			if ((int)changes->differences[i].change == (int)kind) {
				list_difference(changes, &changes->differences[i], rows);
			}
		}
		break;
	case FW_ROWS_ANSWERS:
		for (size_t i = 0; i < proof->answer_count; i++) {
			list_answer(changes, &proof->answers[i], rows);
		}
		break;
	case FW_ROWS_DETOURS:
		for (size_t i = 0; i < proof->detour_count; i++) {
			list_detour(changes, &proof->detours[i], rows);
		}
		break;
	case FW_ROWS_STRICTER:
		for (size_t i = 0; i < proof->stricter_count; i++) {
			list_difference(changes, &proof->stricter[i], rows);
		}
		break;
	}
}

/* ---- a section ---- */

/* Packets that did not come from this machine itself, where there are others. */
static fw_space without_loopback(struct fw_spaces *spaces, fw_space set) {
	const struct fw_addr lo = fw_value(FW_INTERFACE_LOOPBACK);
	fw_space others =
		fw_space_subtract(spaces, set, fw_space_interval(spaces, FW_VAR_IN, lo, lo));

	others = fw_space_subtract(spaces, others, fw_space_interval(spaces, FW_VAR_OUT, lo, lo));
	return others != FW_SPACE_EMPTY ? others : set;
}

/* An interface that has a name, or any other, is a better example than what begins somehow. */
static fw_space without_open(struct fw_changes *changes, fw_space set) {
	struct fw_spaces *spaces = &changes->spaces;
	fw_space others = set;

	for (unsigned i = 0; i < fw_interfaces_count(&changes->interfaces); i++) {
		struct fw_addr number = fw_value(i);
		if (!fw_interface_is_open(&changes->interfaces, i)) {
			continue;
		}
		others = fw_space_subtract(
			spaces, others, fw_space_interval(spaces, FW_VAR_IN, number, number));
		others = fw_space_subtract(
			spaces, others, fw_space_interval(spaces, FW_VAR_OUT, number, number));
	}
	return others != FW_SPACE_EMPTY ? others : set;
}

static void find_witness(struct fw_changes *changes, struct fw_change_row *row) {
	const struct fw_words words = words_of(changes, row->change);
	FW_AUTO(fw_buf_fini) struct fw_buf text = {0};

	fw_space set = without_open(changes, without_loopback(&changes->spaces, row->set));
	if (set == FW_SPACE_EXHAUSTED) {
		return;
	}
	row->witness = fw_space_witness(&changes->spaces, set);
	fw_point_format(&words, &row->witness, &text);
	row->witness_words = fw_arena_text(&changes->run->arena, fw_buf_slice(&text));
}

static void find_section(struct fw_changes *changes, enum fw_rows kind) {
	struct fw_change_section *section = &changes->sections[kind];
	FW_AUTO(rows_fini) struct rows rows = {0};

	list_kind(changes, kind, &rows);
	section->count = rows.list.count;
	section->left_out = rows.left_out;
	section->rows = FW_ARENA_ARRAY(&changes->run->arena, struct fw_change_row, section->count);
	for (size_t i = 0; i < section->count && !changes->spaces.exhausted; i++) {
		section->rows[i] = rows.list.items[i];
		find_witness(changes, &section->rows[i]);
	}
	if (!changes->spaces.exhausted) {
		fw_changes_decide(changes, section);
	}
}

void fw_changes_sections(struct fw_changes *changes) {
	for (int kind = FW_ROWS_ALLOWED; kind < FW_ROWS_COUNT; kind++) {
		find_section(changes, (enum fw_rows)kind);
	}
}
