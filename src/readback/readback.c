// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What was read back, whichever reader it comes from: who decides a packet, two rule sets in one
 * way, and sets that are no longer needed.
 */

#include "readback/program.h"

#include <stdlib.h>
#include <string.h>

void *fw_rb_copy(struct fw_arena *arena, const void *items, size_t count, size_t size) {
	void *to = fw_arena_array(arena, count, size);

	if (count != 0) {
		memcpy(to, items, count * size);
	}
	return to;
}

uint64_t fw_rb_refill(const struct fw_rate *rate) {
	static const uint32_t seconds[FW_UNIT_COUNT] = {
		[FW_SECOND] = 1, [FW_MINUTE] = 60, [FW_HOUR] = 3600, [FW_DAY] = 86400};
	uint64_t whole = (uint64_t)rate->burst * seconds[rate->unit] * 1000;

	return (whole + rate->count - 1) / rate->count;
}

/* ---- who decides ---- */

/* Own rules before foreign ones, and what always accepts before what does so up to a limit. */
static bool tells_more(const struct fw_rb_decision *one, const struct fw_rb_decision *other) {
	if (other == NULL || one->foreign != other->foreign) {
		return other == NULL || other->foreign;
	}
	return other->limited && !one->limited;
}

const struct fw_rb_decision *fw_readback_decision(const struct fw_spaces *spaces,
	const struct fw_readback *readback, enum fw_rb_hook hook, const struct fw_point *point) {
	const struct fw_rb_decision *accepting = NULL;

	for (size_t i = 0; i < readback->decision_count; i++) {
		const struct fw_rb_decision *one = &readback->decisions[i];
		if (one->hook != hook || !fw_space_contains(spaces, one->set, point)) {
			continue;
		}
		if (!one->accepts) {
			return one;
		}
		if (tells_more(one, accepting)) {
			accepting = one;
		}
	}
	return accepting;
}

/* ---- who comes first ---- */

const char fw_rb_clashes[] = "a translation that another one may come before";

static bool same_target(const struct fw_rb_rewrite *a, const struct fw_rb_rewrite *b) {
	return a->masquerade == b->masquerade && a->port == b->port &&
	       (a->masquerade || fw_addr_compare(a->address, b->address) == 0);
}

fw_space fw_rb_rewritten(
	struct fw_spaces *spaces, const struct fw_rb_rewrite *rewrites, size_t count, bool source) {
	fw_space *sets = fw_resize(NULL, count, sizeof(*sets));
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		if (rewrites[i].source == source) {
			sets[kept++] = rewrites[i].set;
		}
	}
	fw_space all = fw_space_union_all(spaces, sets, kept);
	free(sets);
	return all;
}

fw_space fw_rb_clash(struct fw_spaces *spaces, const struct fw_rb_rewrite *others, size_t count,
	fw_space theirs, const struct fw_rb_rewrite *one) {
	fw_space clash = FW_SPACE_EMPTY;

	if (fw_space_intersect(spaces, theirs, one->set) == FW_SPACE_EMPTY) {
		return FW_SPACE_EMPTY;
	}
	for (size_t i = 0; i < count; i++) {
		const struct fw_rb_rewrite *other = &others[i];
		if (other->source == one->source && other->family == one->family &&
			!same_target(other, one)) {
			clash = fw_space_union(
				spaces, clash, fw_space_intersect(spaces, other->set, one->set));
		}
	}
	return clash;
}

/* ---- two in one way ---- */

struct composition {
	struct fw_arena *arena;
	struct fw_spaces *spaces;
	const struct fw_readback *first, *second;
	FW_VEC(struct fw_rb_rated) rated;
	FW_VEC(struct fw_rb_rewrite) rewrites;
	FW_VEC(struct fw_rb_unknown) unknowns;
};

static void composition_fini(struct composition *all) {
	FW_VEC_FINI(&all->rated);
	FW_VEC_FINI(&all->rewrites);
	FW_VEC_FINI(&all->unknowns);
}

/* What only limits let through both: one limit, for there is no saying what two of them let. */
static void add_rated(struct composition *all, const struct fw_readback *one,
	const struct fw_readback *other, bool other_is_first) {
	for (size_t i = 0; i < one->rated_count; i++) {
		struct fw_rb_rated rated = one->rated[i];
		fw_space twice = fw_space_intersect(all->spaces, rated.set,
			fw_space_subtract(
				all->spaces, other->may[rated.hook], other->must[rated.hook]));
		if (twice != FW_SPACE_EMPTY && !other_is_first) {
			FW_VEC_ADD(&all->unknowns,
				(struct fw_rb_unknown){
					rated.place, "a limit behind another limit", rated.hook});
		}
		rated.set = fw_space_intersect(all->spaces, rated.set, other->must[rated.hook]);
		if (rated.set != FW_SPACE_EMPTY) {
			FW_VEC_ADD(&all->rated, rated);
		}
	}
}

/* Both may have the same priority, and then nobody tells which one comes first. */
static void add_clash(struct composition *all, fw_space theirs, const struct fw_rb_rewrite *one) {
	fw_space set = fw_rb_clash(
		all->spaces, all->first->rewrites, all->first->rewrite_count, theirs, one);

	if (set != FW_SPACE_EMPTY) {
		FW_VEC_ADD(&all->unknowns, (struct fw_rb_unknown){
						   .place = one->place,
						   .what = fw_rb_clashes,
						   .translated = set,
						   .source = one->source,
					   });
	}
}

/* What was translated is not translated again. */
static void add_rewrites(struct composition *all) {
	for (size_t i = 0; i < all->first->rewrite_count; i++) {
		FW_VEC_ADD(&all->rewrites, all->first->rewrites[i]);
	}
	for (int source = 0; source <= 1; source++) {
		fw_space taken = FW_SPACE_EMPTY;
		fw_space theirs = fw_rb_rewritten(
			all->spaces, all->first->rewrites, all->first->rewrite_count, source == 1);
		for (size_t i = 0; i < all->first->rewrite_count; i++) {
			const struct fw_rb_rewrite *one = &all->first->rewrites[i];
			if (one->source == (source == 1) && one->original_count == 0) {
				taken = fw_space_union(all->spaces, taken, one->set);
			}
		}
		for (size_t i = 0; i < all->second->rewrite_count; i++) {
			struct fw_rb_rewrite one = all->second->rewrites[i];
			if (one.source != (source == 1)) {
				continue;
			}
			add_clash(all, theirs, &one);
			one.set = fw_space_subtract(all->spaces, one.set, taken);
			if (one.set != FW_SPACE_EMPTY) {
				FW_VEC_ADD(&all->rewrites, one);
			}
		}
	}
}

static void add_unknowns(struct composition *all, const struct fw_readback *from) {
	for (size_t i = 0; i < from->unknown_count; i++) {
		FW_VEC_ADD(&all->unknowns, from->unknowns[i]);
	}
}

/* What one drops by addresses that the other one changes. */
static void add_judging(
	struct composition *all, const struct fw_readback *one, const struct fw_readback *other) {
	for (size_t i = 0; i < one->judging_count; i++) {
		const struct fw_rb_judging *judging = &one->judging[i];
		for (size_t j = 0; j < other->translating_count; j++) {
			const struct fw_rb_translating *by = &other->translating[j];
			if (by->source == judging->by.source && by->local == judging->by.local) {
				FW_VEC_ADD(&all->unknowns, judging->unknown);
				break;
			}
		}
	}
}

static void *join(struct fw_arena *arena, const void *first, size_t first_count, const void *second,
	size_t second_count, size_t size) {
	char *to = fw_arena_array(arena, first_count + second_count, size);

	if (first_count != 0) {
		memcpy(to, first, first_count * size);
	}
	if (second_count != 0) {
		memcpy(to + first_count * size, second, second_count * size);
	}
	return to;
}

static void compose_hook(struct composition *all, int hook, struct fw_readback *out) {
	const struct fw_readback *first = all->first, *second = all->second;
	struct fw_spaces *spaces = all->spaces;

	out->must[hook] = fw_space_intersect(spaces, first->must[hook], second->must[hook]);
	out->may[hook] = fw_space_intersect(spaces, first->may[hook], second->may[hook]);
	out->rejected[hook] = fw_space_union(spaces, first->rejected[hook],
		fw_space_intersect(spaces, first->may[hook], second->rejected[hook]));
}

bool fw_readback_compose(struct fw_arena *arena, struct fw_spaces *spaces,
	const struct fw_readback *first, const struct fw_readback *second,
	struct fw_readback *out) {
	FW_AUTO(composition_fini)
	struct composition all = {
		.arena = arena, .spaces = spaces, .first = first, .second = second};
	struct fw_readback result = {0};

	for (int hook = FW_RB_INPUT; hook < FW_RB_HOOK_COUNT; hook++) {
		compose_hook(&all, hook, &result);
	}
	add_unknowns(&all, first);
	add_unknowns(&all, second);
	add_judging(&all, first, second);
	add_judging(&all, second, first);
	add_rated(&all, first, second, false);
	add_rated(&all, second, first, true);
	add_rewrites(&all);
	result.outside = fw_space_union(spaces, first->outside, second->outside);
	result.rated = fw_rb_copy(arena, all.rated.items, all.rated.count, sizeof(*result.rated));
	result.rated_count = all.rated.count;
	result.rewrites =
		fw_rb_copy(arena, all.rewrites.items, all.rewrites.count, sizeof(*result.rewrites));
	result.rewrite_count = all.rewrites.count;
	result.unknowns =
		fw_rb_copy(arena, all.unknowns.items, all.unknowns.count, sizeof(*result.unknowns));
	result.unknown_count = all.unknowns.count;
	result.decisions = join(arena, first->decisions, first->decision_count, second->decisions,
		second->decision_count, sizeof(*result.decisions));
	result.translating = join(arena, first->translating, first->translating_count,
		second->translating, second->translating_count, sizeof(*result.translating));
	result.translating_count = first->translating_count + second->translating_count;
	result.judging = join(arena, first->judging, first->judging_count, second->judging,
		second->judging_count, sizeof(*result.judging));
	result.judging_count = first->judging_count + second->judging_count;
	result.decision_count = first->decision_count + second->decision_count;
	result.remarks = join(arena, first->remarks, first->remark_count, second->remarks,
		second->remark_count, sizeof(*result.remarks));
	result.remark_count = first->remark_count + second->remark_count;
	*out = result;
	return !spaces->exhausted;
}

/* ---- forgetting ---- */

struct handles {
	FW_VEC(fw_space) list;
	size_t taken;
};

static void keep(struct handles *handles, fw_space *set, bool back) {
	if (back) {
		*set = handles->list.items[handles->taken++];
	} else {
		FW_VEC_ADD(&handles->list, *set);
	}
}

/* Gathers all sets, or puts them back in the same order. */
static void visit(struct handles *handles, struct fw_readback *readback, struct fw_rb_rated *rated,
	struct fw_rb_rewrite *rewrites, struct fw_rb_unknown *unknowns,
	struct fw_rb_decision *decisions, bool back) {
	for (int hook = FW_RB_INPUT; hook < FW_RB_HOOK_COUNT; hook++) {
		keep(handles, &readback->must[hook], back);
		keep(handles, &readback->may[hook], back);
		keep(handles, &readback->rejected[hook], back);
	}
	for (size_t i = 0; i < readback->rated_count; i++) {
		keep(handles, &rated[i].set, back);
		keep(handles, &rated[i].drawn, back);
	}
	for (size_t i = 0; i < readback->rewrite_count; i++) {
		keep(handles, &rewrites[i].set, back);
	}
	for (size_t i = 0; i < readback->unknown_count; i++) {
		keep(handles, &unknowns[i].translated, back);
	}
	for (size_t i = 0; i < readback->decision_count; i++) {
		keep(handles, &decisions[i].set, back);
	}
	keep(handles, &readback->outside, back);
}

void fw_rb_release(struct fw_arena *arena, struct fw_spaces *spaces, uint32_t mark,
	struct fw_readback *readback) {
	struct handles handles = {0};
	struct fw_rb_rated *rated =
		fw_rb_copy(arena, readback->rated, readback->rated_count, sizeof(*rated));
	struct fw_rb_rewrite *rewrites =
		fw_rb_copy(arena, readback->rewrites, readback->rewrite_count, sizeof(*rewrites));
	struct fw_rb_unknown *unknowns =
		fw_rb_copy(arena, readback->unknowns, readback->unknown_count, sizeof(*unknowns));
	struct fw_rb_decision *decisions = fw_rb_copy(
		arena, readback->decisions, readback->decision_count, sizeof(*decisions));

	if (!spaces->exhausted) {
		visit(&handles, readback, rated, rewrites, unknowns, decisions, false);
		fw_spaces_release(spaces, mark, handles.list.items, handles.list.count);
		visit(&handles, readback, rated, rewrites, unknowns, decisions, true);
	}
	readback->rated = rated;
	readback->rewrites = rewrites;
	readback->unknowns = unknowns;
	readback->decisions = decisions;
	FW_VEC_FINI(&handles.list);
}
