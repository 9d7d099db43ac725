// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From sets of packets to rows in words: boxes of what differs, who allows them, and a packet of
 * each. Only what differs is listed, so that one camera among many thousands is quickly found.
 */

#include "cmd/changes.h"

#include <stdlib.h>
#include <string.h>

const char *const fw_which_names[FW_WHICH_COUNT] = {
	[FW_BEFORE] = "before",
	[FW_AFTER] = "after",
};

/* ---- rows ---- */

/* Rows of a section while it grows. */
struct rows {
	FW_VEC(struct fw_change_row) list;
	size_t left_out;
};

static void rows_fini(struct rows *rows) {
	FW_VEC_FINI(&rows->list);
}

/* Names are those of the side that allows it. */
static struct fw_words words_of(const struct fw_changes *changes, enum fw_change change) {
	enum fw_which own = change == FW_NEWLY_DENIED ? FW_BEFORE : FW_AFTER;
	enum fw_which other = own == FW_BEFORE ? FW_AFTER : FW_BEFORE;

	return (struct fw_words){
		.interfaces = &changes->interfaces,
		.policy = changes->sides[own].policy,
		.other = changes->sides[other].policy,
		.label = fw_which_names[own],
		.other_label = fw_which_names[other],
	};
}

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

static void add_rows(struct fw_changes *changes, const struct fw_difference *difference,
	const struct fw_boxes *boxes, struct rows *rows) {
	struct fw_arena *arena = &changes->run->arena;
	const struct fw_words words = words_of(changes, difference->change);
	struct phrase *phrases = FW_ARENA_ARRAY(arena, struct phrase, boxes->count);

	for (size_t i = 0; i < boxes->count; i++) {
		phrases[i] = phrase_of(arena, &words, &boxes->items[i]);
	}
	for (size_t i = 0; i < boxes->count; i++) {
		if (phrases[i].done) {
			continue;
		}
		struct fw_change_row row = {
			.hook = difference->hook,
			.words = phrases[i].text,
			.rates = {difference->before, difference->after},
		};
		size_t twin = find_twin(phrases, boxes->count, i);
		add_box(changes, &row, &boxes->items[i], difference->set);
		if (twin < boxes->count) {
			phrases[twin].done = true;
			add_box(changes, &row, &boxes->items[twin], difference->set);
		} else if (phrases[i].family != FW_FAMILY_NONE) {
			row.words = fw_arena_printf(
				arena, "%s over %s", row.words, fw_family_names[phrases[i].family]);
		}
		FW_VEC_ADD(&rows->list, row);
	}
}

/* Adds the rows of one difference, as far as there is room for them in their section. */
static void list_difference(
	struct fw_changes *changes, const struct fw_difference *difference, struct rows *rows) {
	size_t room = changes->limit - rows->list.count;
	/* Two boxes may be one row; and where there is no room, at least one is counted. */
	size_t limit = room != 0 ? 2 * room : 1;
	fw_space universe =
		fw_space_universe(&changes->spaces, fw_interfaces_count(&changes->interfaces));
	struct fw_boxes boxes;

	if (!fw_space_boxes(&changes->spaces, difference->set, universe, limit, &boxes)) {
		return;
	}
	FW_VEC_ADD(&changes->boxes, boxes);
	add_rows(changes, difference, &boxes, rows);
	rows->left_out += boxes.left_out;
	if (rows->list.count > changes->limit) {
		rows->left_out += rows->list.count - changes->limit;
		rows->list.count = changes->limit;
	}
}

/* ---- who allows it ---- */

/* Services of a row while they are collected. */
struct names {
	FW_VEC(const char *) list;
};

/* Services come in order, so the same are neighbours. */
static void add_service(struct names *names, const char *service) {
	size_t count = names->list.count;

	if (count == 0 || strcmp(names->list.items[count - 1], service) != 0) {
		FW_VEC_ADD(&names->list, service);
	}
}

static bool hook_is_of_rows(const struct fw_change_section *section, enum fw_hook hook) {
	for (size_t i = 0; i < section->count; i++) {
		if (section->rows[i].hook == hook) {
			return true;
		}
	}
	return false;
}

static void ask_flow(struct fw_changes *changes, const struct fw_change_section *section,
	const struct fw_flow *flow, struct names *names) {
	struct fw_spaces *spaces = &changes->spaces;
	uint32_t mark = fw_spaces_mark(spaces);
	fw_space allowed = fw_flow_space(spaces, &changes->interfaces, flow);

	for (size_t i = 0; i < section->count; i++) {
		const struct fw_change_row *row = &section->rows[i];
		if (row->hook == flow->hook &&
			fw_space_intersect(spaces, row->set, allowed) != FW_SPACE_EMPTY) {
			add_service(&names[i], flow->service);
		}
	}
	fw_spaces_release(spaces, mark, NULL, 0);
}

/* Who on one side allows the rows of a section. */
static void find_services(
	struct fw_changes *changes, struct fw_change_section *section, enum fw_which which) {
	const struct fw_policy *policy = changes->sides[which].policy;
	struct names *names = FW_ARENA_ARRAY(&changes->run->arena, struct names, section->count);

	for (size_t i = 0; i < policy->flow_count; i++) {
		enum fw_verdict verdict = policy->hooks[policy->flows[i].hook].verdict;
		bool flows_decide = verdict == FW_DROP || verdict == FW_REJECT;
		if (flows_decide && hook_is_of_rows(section, policy->flows[i].hook)) {
			ask_flow(changes, section, &policy->flows[i], names);
		}
	}
	for (size_t i = 0; i < section->count; i++) {
		enum fw_verdict verdict = policy->hooks[section->rows[i].hook].verdict;
		struct fw_change_services *services = &section->rows[i].services[which];
		size_t count = names[i].list.count;
		const char **items = FW_ARENA_ARRAY(&changes->run->arena, const char *, count);
		for (size_t j = 0; j < count; j++) {
			items[j] = names[i].list.items[j];
		}
		FW_VEC_FINI(&names[i].list);
		*services = (struct fw_change_services){.items = items, .count = count};
		if (verdict == FW_ACCEPT || verdict == FW_UNTOUCHED) {
			services->verdict = verdict;
		}
	}
}

/* Packets that did not come from this machine itself, where there are others. */
static fw_space without_loopback(struct fw_spaces *spaces, fw_space set) {
	const struct fw_addr lo = fw_value(FW_INTERFACE_LOOPBACK);
	fw_space others =
		fw_space_subtract(spaces, set, fw_space_interval(spaces, FW_VAR_IN, lo, lo));

	others = fw_space_subtract(spaces, others, fw_space_interval(spaces, FW_VAR_OUT, lo, lo));
	return others != FW_SPACE_EMPTY ? others : set;
}

static void find_witness(
	struct fw_changes *changes, struct fw_change_row *row, enum fw_change change) {
	const struct fw_words words = words_of(changes, change);
	FW_AUTO(fw_buf_fini) struct fw_buf text = {0};

	fw_space set = without_loopback(&changes->spaces, row->set);
	if (set == FW_SPACE_EXHAUSTED) {
		return;
	}
	row->witness = fw_space_witness(&changes->spaces, set);
	fw_point_format(&words, &row->witness, &text);
	row->witness_words = fw_arena_text(&changes->run->arena, fw_buf_slice(&text));
}

/* ---- a section ---- */

static void find_section(struct fw_changes *changes, enum fw_change change) {
	struct fw_change_section *section = &changes->sections[change];
	const struct fw_comparison *comparison = &changes->comparison;
	FW_AUTO(rows_fini) struct rows rows = {0};

	for (size_t i = 0; i < comparison->difference_count; i++) {
		if (comparison->differences[i].change == change) {
			list_difference(changes, &comparison->differences[i], &rows);
		}
	}
	section->count = rows.list.count;
	section->left_out = rows.left_out;
	section->rows = FW_ARENA_ARRAY(&changes->run->arena, struct fw_change_row, section->count);
	for (size_t i = 0; i < section->count && !changes->spaces.exhausted; i++) {
		section->rows[i] = rows.list.items[i];
		find_witness(changes, &section->rows[i], change);
	}
	if (change != FW_NEWLY_ALLOWED && !changes->spaces.exhausted) {
		find_services(changes, section, FW_BEFORE);
	}
	if (change != FW_NEWLY_DENIED && !changes->spaces.exhausted) {
		find_services(changes, section, FW_AFTER);
	}
}

/* ---- the whole ---- */

static bool compare(struct fw_changes *changes) {
	struct fw_changed_side *sides = changes->sides;
	const struct fw_policy *both[] = {sides[FW_BEFORE].policy, sides[FW_AFTER].policy};
	struct fw_arena *arena = &changes->run->arena;

	changes->interfaces = fw_interfaces_of(arena, both, FW_LENGTH(both));
	for (size_t i = 0; i < FW_WHICH_COUNT; i++) {
		fw_meaning_init(&sides[i].meaning, arena, &changes->spaces, &changes->interfaces,
			sides[i].policy);
	}
	return fw_compare(arena, &changes->spaces, &changes->interfaces, sides[FW_BEFORE].policy,
		&sides[FW_BEFORE].meaning, sides[FW_AFTER].policy, &sides[FW_AFTER].meaning,
		&changes->comparison);
}

bool fw_changes_find(struct fw_changes *changes, struct fw_run *run) {
	changes->run = run;
	fw_spaces_init(&changes->spaces, NULL);
	if (compare(changes)) {
		for (int change = FW_NEWLY_ALLOWED; change <= FW_RATE_CHANGED; change++) {
			find_section(changes, (enum fw_change)change);
		}
	}
	if (changes->spaces.exhausted) {
		struct fw_diag *diag = fw_failure(&run->diags, "too-complex", 0,
			"'%s' and '%s' are too complex to be compared",
			changes->sides[FW_BEFORE].label, changes->sides[FW_AFTER].label);
		fw_diag_hint(&run->diags, diag,
			"groups of prefixes that fit no pattern, each with other ports, cost most");
	}
	return !changes->spaces.exhausted;
}

void fw_changes_fini(struct fw_changes *changes) {
	for (size_t i = 0; i < changes->boxes.count; i++) {
		fw_boxes_fini(&changes->boxes.items[i]);
	}
	FW_VEC_FINI(&changes->boxes);
	fw_spaces_fini(&changes->spaces);
}

/* ---- what is not about packets ---- */

/* Lines while they are made. */
struct lines {
	const struct fw_changes *changes;
	void (*line)(void *context, const char *kind, const char *text);
	void *context;
	struct fw_buf text;
};

/* Hands over what was written. */
static void end_line(struct lines *lines, const char *kind) {
	lines->line(lines->context, kind, lines->text.data);
	lines->text.length = 0;
}

static void say_answers(struct lines *lines) {
	for (int hook = FW_INPUT; hook < FW_HOOK_COUNT; hook++) {
		const struct fw_changed_side *sides = lines->changes->sides;
		if (lines->changes->comparison.answers_differ[hook]) {
			fw_buf_printf(&lines->text,
				"%s: what no service allows: %s before, %s after",
				fw_hook_names[hook],
				fw_verdict_names[sides[FW_BEFORE].policy->hooks[hook].verdict],
				fw_verdict_names[sides[FW_AFTER].policy->hooks[hook].verdict]);
			end_line(lines, "answers");
		}
	}
}

static void say_forwardings(struct lines *lines, const char *what,
	const struct fw_forwarding *const *forwardings, size_t count) {
	size_t limit = lines->changes->limit;

	for (size_t i = 0; i < count && i < limit; i++) {
		const struct fw_forwarding *forwarding = forwardings[i];
		bool ipv6 = forwarding->family == FW_IPV6;
		fw_buf_printf(&lines->text, "%s: outside port %u/%s to %s", what,
			forwarding->outside_port, fw_protocol_name(forwarding->protocol),
			ipv6 ? "[" : "");
		fw_addr_format(forwarding->family, forwarding->address, &lines->text);
		fw_buf_printf(&lines->text, "%s:%u, %s of %s", ipv6 ? "]" : "", forwarding->port,
			forwarding->service, forwarding->device);
		end_line(lines, "translation");
	}
	if (count > limit) {
		fw_buf_printf(&lines->text, "%s: and %zu more", what, count - limit);
		end_line(lines, "translation");
	}
}

static void add_names(struct fw_buf *out, const struct fw_names *names) {
	for (size_t i = 0; i < names->count; i++) {
		fw_buf_printf(out, "%s%s", i != 0 ? ", " : "", names->items[i]);
	}
	if (names->count == 0) {
		fw_buf_add_text(out, "any interface");
	}
}

enum { MEMBERS_SHOWN = 8 };

/* The addresses of a set, the first few of them; "off" where there are none. */
static void add_set(struct fw_buf *out, const struct fw_set *set) {
	size_t count = 0;

	for (int family = FW_IPV4; set != NULL && family < FW_FAMILY_COUNT; family++) {
		const struct fw_members *members = &set->members[family];
		for (size_t i = 0; i < members->count; i++, count++) {
			if (count < MEMBERS_SHOWN) {
				fw_buf_add_text(out, count != 0 ? ", " : "");
				fw_range_format(&members->items[i].range, out);
			}
		}
	}
	if (count > MEMBERS_SHOWN) {
		fw_buf_printf(out, " and %zu more", count - MEMBERS_SHOWN);
	} else if (count == 0) {
		fw_buf_add_text(out, "off");
	}
}

static void add_entry(struct fw_buf *out, const struct fw_translation *translation) {
	add_names(out, &translation->entry);
}

static void add_outside(struct fw_buf *out, const struct fw_translation *translation) {
	add_set(out, translation->outside_addresses);
}

static void add_masquerade(struct fw_buf *out, const struct fw_translation *translation) {
	add_set(out, translation->masqueraded);
	if (translation->masqueraded != NULL) {
		fw_buf_add_text(out, " by ");
		add_names(out, &translation->exit);
	}
}

static void add_hairpin(struct fw_buf *out, const struct fw_translation *translation) {
	const char *before = " as ";

	add_set(out, translation->hairpin);
	for (int i = FW_IPV4; translation->hairpin != NULL && i < FW_FAMILY_COUNT; i++) {
		enum fw_family family = (enum fw_family)i;
		if (translation->hairpin->members[family].count != 0) {
			fw_buf_add_text(out, before);
			fw_addr_format(family, translation->hairpin_address[family], out);
			before = ", ";
		}
	}
}

/* "WHAT: this before; that after" */
static void say_both(struct lines *lines, bool differs, const char *what,
	void (*add)(struct fw_buf *out, const struct fw_translation *translation)) {
	if (!differs) {
		return;
	}
	fw_buf_printf(&lines->text, "%s: ", what);
	for (size_t i = 0; i < FW_WHICH_COUNT; i++) {
		add(&lines->text, &lines->changes->sides[i].policy->translation);
		fw_buf_printf(&lines->text, " %s%s", fw_which_names[i], i == 0 ? "; " : "");
	}
	end_line(lines, "translation");
}

void fw_changes_lines(const struct fw_changes *changes,
	void (*line)(void *context, const char *kind, const char *text), void *context) {
	const struct fw_comparison *comparison = &changes->comparison;
	struct lines lines = {.changes = changes, .line = line, .context = context};

	say_answers(&lines);
	say_forwardings(
		&lines, "newly forwarded", comparison->newly_forwarded, comparison->newly_count);
	say_forwardings(&lines, "no longer forwarded", comparison->no_longer_forwarded,
		comparison->no_longer_count);
	say_both(&lines, comparison->outside_differs, "outside address", add_outside);
	say_both(&lines, comparison->entry_differs, "forwarded from", add_entry);
	say_both(&lines, comparison->masquerade_differs, "masquerade", add_masquerade);
	say_both(&lines, comparison->hairpin_differs, "hairpin", add_hairpin);
	fw_buf_fini(&lines.text);
}
