// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Two translations of the same packets, by where they send them. What both send to the same target
 * is put aside first. The rest of both is laid over each other by halves: packets that two halves
 * do not share need no closer look.
 */

#include "proof/question.h"

#include <stdlib.h>
#include <string.h>

void fw_sent_list_fini(struct fw_sent_list *sent) {
	FW_VEC_FINI(&sent->list);
}

/* ---- targets ---- */

static int compare_numbers(uint64_t a, uint64_t b) {
	return (a > b) - (a < b);
}

/* What is not translated comes first; places do not count. */
static int compare_targets(const struct fw_proof_target *a, const struct fw_proof_target *b) {
	int order = compare_numbers(a->translated, b->translated);

	order = order != 0 ? order : compare_numbers(a->masquerade, b->masquerade);
	order = order != 0 ? order : fw_addr_compare(a->address, b->address);
	return order != 0 ? order : compare_numbers(a->port, b->port);
}

static int compare_sent(const void *left, const void *right) {
	const struct fw_sent *a = left;
	const struct fw_sent *b = right;

	return compare_targets(&a->target, &b->target);
}

/* ---- all packets that are sent to one target ---- */

struct group {
	const struct fw_sent *members; /* count 0: those that are not translated */
	size_t count;
	fw_space set;
	struct fw_point witness;
};

struct groups {
	FW_VEC(struct group) list;
};

static void groups_fini(struct groups *groups) {
	FW_VEC_FINI(&groups->list);
}

static struct fw_proof_target target_of(const struct group *group) {
	return group->count != 0 ? group->members[0].target : (struct fw_proof_target){0};
}

/* Takes from each what those before it have; returns the union of all. */
static fw_space part(struct fw_spaces *spaces, struct fw_sent *sent, size_t count) {
	if (count <= 1) {
		return count == 0 ? FW_SPACE_EMPTY : sent[0].set;
	}
	fw_space left = part(spaces, sent, count / 2);
	fw_space right = part(spaces, sent + count / 2, count - count / 2);
	if (fw_space_intersect(spaces, left, right) != FW_SPACE_EMPTY) {
		for (size_t i = count / 2; i < count; i++) {
			sent[i].set = fw_space_subtract(spaces, sent[i].set, left);
		}
	}
	return fw_space_union(spaces, left, right);
}

static fw_space unite(struct fw_spaces *spaces, const struct fw_sent *sent, size_t count) {
	fw_space *sets = fw_resize(NULL, count, sizeof(*sets));

	for (size_t i = 0; i < count; i++) {
		sets[i] = sent[i].set;
	}
	fw_space all = fw_space_union_all(spaces, sets, count);
	free(sets);
	return all;
}

/* By target, what is not translated first. */
static void find_groups(
	struct fw_spaces *spaces, fw_space all, struct fw_sent_list *sent, struct groups *out) {
	struct fw_sent *items = sent->list.items;
	size_t count = sent->list.count;

	for (size_t i = 0; i < count; i++) {
		items[i].set = fw_space_intersect(spaces, items[i].set, all);
	}
	fw_space kept = fw_space_subtract(spaces, all, part(spaces, items, count));
	FW_VEC_ADD(&out->list, (struct group){.set = kept});
	if (count != 0) {
		qsort(items, count, sizeof(*items), compare_sent);
	}
	for (size_t first = 0, end; first < count; first = end) {
		for (end = first + 1; end < count && compare_sent(&items[first], &items[end]) == 0;
			end++) {
		}
		fw_space set = unite(spaces, items + first, end - first);
		FW_VEC_ADD(&out->list, (struct group){items + first, end - first, set, {{{0}}}});
	}
}

/* Leaves in both what is not the same in both. */
static void drop_common(struct groups *a, struct groups *b) {
	size_t i = 0, j = 0, kept_a = 0, kept_b = 0;

	while (i < a->list.count || j < b->list.count) {
		int order = i == a->list.count ? 1 : j == b->list.count ? -1 : 0;
		if (order == 0) {
			struct fw_proof_target left = target_of(&a->list.items[i]);
			struct fw_proof_target right = target_of(&b->list.items[j]);
			order = compare_targets(&left, &right);
		}
		bool same = order == 0 && a->list.items[i].set == b->list.items[j].set;
		if (order <= 0) {
			a->list.items[kept_a] = a->list.items[i++];
			kept_a += !same && a->list.items[kept_a].set != FW_SPACE_EMPTY;
		}
		if (order >= 0) {
			b->list.items[kept_b] = b->list.items[j++];
			kept_b += !same && b->list.items[kept_b].set != FW_SPACE_EMPTY;
		}
	}
	a->list.count = kept_a;
	b->list.count = kept_b;
}

/* ---- laying one over the other ---- */

static int compare_witnesses(const void *left, const void *right) {
	const struct group *a = left;
	const struct group *b = right;
	int order = 0;

	for (size_t i = 1; order == 0 && i < FW_VAR_COUNT; i++) {
		enum fw_var var = fw_var_listed[i];
		order = fw_addr_compare(a->witness.values[var], b->witness.values[var]);
	}
	return order;
}

/* So that what may have packets in common is at the same end of both. */
static void sort_groups(const struct fw_spaces *spaces, struct groups *groups) {
	for (size_t i = 0; i < groups->list.count; i++) {
		struct group *group = &groups->list.items[i];
		group->witness = fw_space_witness(spaces, group->set);
	}
	if (groups->list.count != 0) {
		qsort(groups->list.items, groups->list.count, sizeof(*groups->list.items),
			compare_witnesses);
	}
}

struct overlay {
	struct fw_spaces *spaces;
	bool source;
	enum fw_family family;
	struct fw_detours *detours;
};

/* The target, and the rule that sends this packet there. */
static struct fw_proof_target decided_target(
	const struct fw_spaces *spaces, const struct group *group, const struct fw_point *point) {
	for (size_t i = 0; i < group->count; i++) {
		if (fw_space_contains(spaces, group->members[i].set, point)) {
			return group->members[i].target;
		}
	}
	return target_of(group);
}

static void add_detour(struct overlay *overlay, const struct group *before,
	const struct group *after, fw_space set) {
	struct fw_proof_target from = target_of(before), to = target_of(after);
	if (compare_targets(&from, &to) == 0) {
		return;
	}
	struct fw_point witness = fw_space_witness(overlay->spaces, set);
	FW_VEC_ADD(&overlay->detours->list,
		(struct fw_proof_detour){
			.source = overlay->source,
			.family = overlay->family,
			.set = set,
			.before = decided_target(overlay->spaces, before, &witness),
			.after = decided_target(overlay->spaces, after, &witness),
		});
}

struct slice {
	const struct group *groups;
	size_t count;
};

static fw_space slice_space(struct fw_spaces *spaces, struct slice slice) {
	fw_space *sets = fw_resize(NULL, slice.count, sizeof(*sets));

	for (size_t i = 0; i < slice.count; i++) {
		sets[i] = slice.groups[i].set;
	}
	fw_space all = fw_space_union_all(spaces, sets, slice.count);
	free(sets);
	return all;
}

static struct slice half(struct slice slice, int which) {
	size_t middle = slice.count / 2;

	return which == 0 ? (struct slice){slice.groups, middle}
			  : (struct slice){slice.groups + middle, slice.count - middle};
}

/* One that is alone is cut to what it shares, which halves with the other side. */
static void lay_over(struct overlay *overlay, struct slice a, struct slice b) {
	fw_space shared = fw_space_intersect(
		overlay->spaces, slice_space(overlay->spaces, a), slice_space(overlay->spaces, b));
	struct group alone_a, alone_b;

	if (shared == FW_SPACE_EMPTY || overlay->spaces->exhausted) {
		return;
	}
	if (a.count == 1 && b.count == 1) {
		add_detour(overlay, &a.groups[0], &b.groups[0], shared);
		return;
	}
	if (a.count == 1) {
		alone_a = a.groups[0];
		alone_a.set = shared;
		a.groups = &alone_a;
	}
	if (b.count == 1) {
		alone_b = b.groups[0];
		alone_b.set = shared;
		b.groups = &alone_b;
	}
	for (int i = 0; i < (a.count == 1 ? 1 : 2); i++) {
		struct slice left = a.count == 1 ? a : half(a, i);
		for (int j = 0; j < (b.count == 1 ? 1 : 2); j++) {
			lay_over(overlay, left, b.count == 1 ? b : half(b, j));
		}
	}
}

void fw_targets_compare(struct fw_spaces *spaces, bool source, enum fw_family family, fw_space all,
	struct fw_sent_list sides[FW_PROOF_SIDES], struct fw_detours *detours) {
	FW_AUTO(groups_fini) struct groups before = {0};
	FW_AUTO(groups_fini) struct groups after = {0};
	struct overlay overlay = {spaces, source, family, detours};

	find_groups(spaces, all, &sides[FW_PROOF_BEFORE], &before);
	find_groups(spaces, all, &sides[FW_PROOF_AFTER], &after);
	drop_common(&before, &after);
	if (spaces->exhausted || before.list.count == 0 || after.list.count == 0) {
		return;
	}
	sort_groups(spaces, &before);
	sort_groups(spaces, &after);
	lay_over(&overlay, (struct slice){before.list.items, before.list.count},
		(struct slice){after.list.items, after.list.count});
}

/* ---- all of them ---- */

static int compare_detours(const void *left, const void *right) {
	const struct fw_proof_detour *a = left;
	const struct fw_proof_detour *b = right;
	int order = compare_numbers(a->source, b->source);

	order = order != 0 ? order : compare_numbers(a->family, b->family);
	order = order != 0 ? order : compare_targets(&a->before, &b->before);
	return order != 0 ? order : compare_targets(&a->after, &b->after);
}

void fw_detours_settle(struct fw_spaces *spaces, struct fw_detours *detours) {
	struct fw_proof_detour *items = detours->list.items;
	size_t kept = 0;

	if (detours->list.count != 0) {
		qsort(items, detours->list.count, sizeof(*items), compare_detours);
	}
	for (size_t i = 0; i < detours->list.count; i++) {
		if (kept != 0 && compare_detours(&items[kept - 1], &items[i]) == 0) {
			fw_space *set = &items[kept - 1].set;
			*set = fw_space_union(spaces, *set, items[i].set);
		} else {
			items[kept++] = items[i];
		}
	}
	detours->list.count = kept;
}
