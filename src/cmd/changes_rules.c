// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who decides the packets of a row: services of a policy, the rule of a rule set.
 */

#include <stdlib.h>
#include <string.h>

#include "cmd/changes_rows.h"

enum { LINE_SHOWN = 160 }; /* bytes of a rule */

bool fw_change_lets_pass(const struct fw_change_row *row, enum fw_which which) {
	switch (row->change) {
	case FW_CHANGE_NONE:
		break;
	case FW_NEWLY_ALLOWED:
		return which == FW_AFTER;
	case FW_NEWLY_DENIED:
		return which == FW_BEFORE;
	case FW_RATE_CHANGED:
		return true;
	}
	return false;
}

/* ---- services ---- */

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
	enum fw_which which, const struct fw_flow *flow, struct names *names) {
	struct fw_spaces *spaces = &changes->spaces;
	uint32_t mark = fw_spaces_mark(spaces);
	fw_space allowed = fw_flow_space(spaces, &changes->interfaces, flow);

	for (size_t i = 0; i < section->count; i++) {
		const struct fw_change_row *row = &section->rows[i];
		if (row->hook == flow->hook && fw_change_lets_pass(row, which) &&
			fw_space_intersect(spaces, row->set, allowed) != FW_SPACE_EMPTY) {
			add_service(&names[i], flow->service);
		}
	}
	fw_spaces_release(spaces, mark, NULL, 0);
}

static void set_services(
	struct fw_arena *arena, const struct names *names, struct fw_change_services *services) {
	const char **items = FW_ARENA_ARRAY(arena, const char *, names->list.count);

	if (names->list.count != 0) {
		memcpy(items, names->list.items, names->list.count * sizeof(*items));
	}
	*services = (struct fw_change_services){.items = items, .count = names->list.count};
}

/* Who of a policy allows the rows of a section. */
static void find_services(
	struct fw_changes *changes, struct fw_change_section *section, enum fw_which which) {
	const struct fw_policy *policy = changes->sides[which].policy;
	struct names *names = FW_ARENA_ARRAY(&changes->run->arena, struct names, section->count);

	for (size_t i = 0; i < policy->flow_count; i++) {
		enum fw_verdict verdict = policy->hooks[policy->flows[i].hook].verdict;
		bool flows_decide = verdict == FW_DROP || verdict == FW_REJECT;
		if (flows_decide && hook_is_of_rows(section, policy->flows[i].hook)) {
			ask_flow(changes, section, which, &policy->flows[i], names);
		}
	}
	for (size_t i = 0; i < section->count; i++) {
		struct fw_change_row *row = &section->rows[i];
		enum fw_verdict verdict = policy->hooks[row->hook].verdict;
		set_services(&changes->run->arena, &names[i], &row->services[which]);
		FW_VEC_FINI(&names[i].list);
		if (fw_change_lets_pass(row, which) &&
			(verdict == FW_ACCEPT || verdict == FW_UNTOUCHED)) {
			row->services[which].verdict = verdict;
		}
	}
}

/* ---- rules ---- */

const char *fw_change_line(struct fw_arena *arena, const struct fw_place *place) {
	if (place->span.source == NULL) {
		return NULL;
	}
	struct fw_slice text = place->span.source->text;
	size_t start = place->span.start, end = place->span.start;
	while (start != 0 && text.data[start - 1] != '\n') {
		start--;
	}
	while (end < text.length && text.data[end] != '\n' && text.data[end] != '\r') {
		end++;
	}
	struct fw_slice line = fw_slice_trim((struct fw_slice){text.data + start, end - start});
	if (line.length <= LINE_SHOWN) {
		return line.length != 0 ? fw_arena_text(arena, line) : NULL;
	}
	size_t shown = LINE_SHOWN;
	while (shown != 0 && ((unsigned char)line.data[shown] & 0xc0) == 0x80) {
		shown--; /* no half of a code point */
	}
	return fw_arena_printf(arena, "%.*s...", (int)shown, line.data);
}

/* Whether one of many rules that were taken as one decides all packets of a row. */
static bool is_of_one_spot(
	struct fw_spaces *spaces, const struct fw_place *place, const struct fw_change_row *row) {
	const struct fw_place_index *index = place->index;

	if (index == NULL) {
		return true;
	}
	const struct fw_addr value = row->witness.values[index->var];
	for (size_t i = 0; i < index->count; i++) {
		const struct fw_spot *spot = &index->spots[i];
		if (fw_addr_compare(spot->low, value) <= 0 &&
			fw_addr_compare(value, spot->high) <= 0) {
			return fw_space_is_subset(spaces, row->set,
				fw_space_interval(spaces, index->var, spot->low, spot->high));
		}
	}
	return true;
}

static struct fw_change_rule rule_at(
	struct fw_changes *changes, const struct fw_change_row *row, const struct fw_place *place) {
	struct fw_arena *arena = &changes->run->arena;
	struct fw_place exact = fw_place_at(arena, place, &row->witness);

	return (struct fw_change_rule){
		.place = exact.text,
		.text = fw_change_line(arena, &exact),
		.others = !is_of_one_spot(&changes->spaces, place, row),
	};
}

/* The rule whose limit lets pass what no rule decides for good: pf, on its way out. */
static void find_limit(struct fw_changes *changes, struct fw_change_row *row, enum fw_which which) {
	const struct fw_readback *readback = &changes->sides[which].readback;

	for (size_t i = 0; i < readback->rated_count; i++) {
		const struct fw_rb_rated *rated = &readback->rated[i];
		if (fw_space_contains(&changes->spaces, rated->set, &row->witness)) {
			row->rules[which] = rule_at(changes, row, &rated->place);
			row->rules[which].others |=
				!fw_space_is_subset(&changes->spaces, row->set, rated->set);
			return;
		}
	}
}

static void find_rule(struct fw_changes *changes, struct fw_change_row *row, enum fw_which which) {
	const struct fw_rb_decision *decision = fw_readback_decision(&changes->spaces,
		&changes->sides[which].readback, (enum fw_rb_hook)row->hook, &row->witness);

	if (decision == NULL) {
		find_limit(changes, row, which);
		return;
	}
	row->rules[which] = rule_at(changes, row, &decision->place);
	if (!fw_space_is_subset(&changes->spaces, row->set, decision->set)) {
		row->rules[which].others = true;
	}
}

static void find_translator(
	struct fw_changes *changes, struct fw_change_row *row, enum fw_which which) {
	const struct fw_proof_target *target =
		which == FW_BEFORE ? &row->detour->before : &row->detour->after;

	if (target->translated && target->place.text != NULL) {
		row->rules[which] = rule_at(changes, row, &target->place);
	}
}

/* ---- both ---- */

void fw_changes_decide(struct fw_changes *changes, struct fw_change_section *section) {
	for (int i = FW_BEFORE; i < FW_WHICH_COUNT; i++) {
		enum fw_which which = (enum fw_which)i;
		if (changes->sides[which].policy != NULL) {
			find_services(changes, section, which);
			continue;
		}
		for (size_t j = 0; j < section->count; j++) {
			if (section->rows[j].detour != NULL) {
				find_translator(changes, &section->rows[j], which);
			} else {
				find_rule(changes, &section->rows[j], which);
			}
		}
	}
}
