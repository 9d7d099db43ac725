// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Two policies, compared by what they mean: which packets only one of them accepts, which pass at
 * another rate, what those are told that do not pass, and how addresses are translated. Neither
 * names nor the order of anything count. What is about packets alone is asked of anything that
 * accepts packets, be it no policy.
 */

#include "meaning/meaning.h"

#include <stdlib.h>
#include <string.h>

enum side { BEFORE, AFTER, SIDES };

/* A comparison of packets under way. */
struct comparing {
	struct fw_spaces *spaces;
	const struct fw_behaviour *sides[SIDES];
	FW_VEC(struct fw_difference) differences;
};

static void add_difference(struct comparing *comparing, struct fw_difference difference) {
	if (difference.set != FW_SPACE_EMPTY && difference.set != FW_SPACE_EXHAUSTED) {
		FW_VEC_ADD(&comparing->differences, difference);
	}
}

/* ---- buckets: what a limit lets through ---- */

struct bucket {
	struct fw_rate rate;
	fw_space set; /* less what is not compared */
	bool matched; /* the other side has the same */
};

struct buckets {
	FW_VEC(struct bucket) list;
};

static void buckets_fini(struct buckets *buckets) {
	FW_VEC_FINI(&buckets->list);
}

uint64_t fw_rate_a_day(const struct fw_rate *rate) {
	static const uint32_t seconds[FW_UNIT_COUNT] = {
		[FW_SECOND] = 1,
		[FW_MINUTE] = 60,
		[FW_HOUR] = 3600,
		[FW_DAY] = 86400,
	};
	return rate->unit == FW_UNIT_NONE
		       ? 0
		       : (uint64_t)rate->count * (seconds[FW_DAY] / seconds[rate->unit]);
}

int fw_rates_compare(const struct fw_rate *a, const struct fw_rate *b) {
	uint64_t a_count = fw_rate_a_day(a), b_count = fw_rate_a_day(b);

	if (a->per_source != b->per_source) {
		return a->per_source ? -1 : 1;
	}
	if (a_count != b_count) {
		return a_count > b_count ? -1 : 1;
	}
	return (a->burst < b->burst) - (a->burst > b->burst);
}

static int compare_buckets(const void *left, const void *right) {
	const struct bucket *a = left;
	const struct bucket *b = right;
	int order = fw_rates_compare(&a->rate, &b->rate);

	return order != 0 ? order : (a->set > b->set) - (a->set < b->set);
}

/* Those of one hook, cut to `among`, and sorted. */
static void collect_buckets(struct fw_spaces *spaces, const struct fw_behaviour *behaviour,
	enum fw_hook hook, fw_space among, struct buckets *out_buckets) {
	for (size_t i = 0; i < behaviour->paced_count; i++) {
		const struct fw_paced *paced = &behaviour->paced[i];
		fw_space set = paced->hook == hook ? fw_space_intersect(spaces, paced->set, among)
						   : FW_SPACE_EMPTY;
		if (set != FW_SPACE_EMPTY) {
			FW_VEC_ADD(&out_buckets->list,
				(struct bucket){.rate = paced->rate, .set = set});
		}
	}
	if (out_buckets->list.count != 0) {
		qsort(out_buckets->list.items, out_buckets->list.count,
			sizeof(*out_buckets->list.items), compare_buckets);
	}
}

/* Marks the buckets that both sides have. */
static void match_buckets(struct buckets *before, struct buckets *after) {
	size_t i = 0, j = 0;

	while (i < before->list.count && j < after->list.count) {
		struct bucket *a = &before->list.items[i];
		struct bucket *b = &after->list.items[j];
		int order = compare_buckets(a, b);
		if (order == 0) {
			a->matched = b->matched = true;
		}
		i += order <= 0;
		j += order >= 0;
	}
}

static fw_space unmatched_space(
	struct fw_spaces *spaces, fw_space set, const struct buckets *buckets) {
	for (size_t i = 0; i < buckets->list.count; i++) {
		if (!buckets->list.items[i].matched) {
			set = fw_space_union(spaces, set, buckets->list.items[i].set);
		}
	}
	return set;
}

/* ---- packets by their rate ---- */

/* Packets to which the same rate applies: the most generous, where there are several. */
struct share {
	struct fw_rate rate; /* count 0: they pass in any case */
	fw_space set;
};

struct shares {
	FW_VEC(struct share) list;
};

static void shares_fini(struct shares *shares) {
	FW_VEC_FINI(&shares->list);
}

/* Parts a set, all of which a side accepts, by rate. */
static void share_out(struct fw_spaces *spaces, const struct fw_behaviour *behaviour,
	enum fw_hook hook, fw_space set, struct shares *out_shares) {
	FW_AUTO(buckets_fini) struct buckets buckets = {0};
	fw_space free_of_limits = fw_space_intersect(spaces, set, behaviour->must[hook]);

	if (free_of_limits != FW_SPACE_EMPTY) {
		FW_VEC_ADD(&out_shares->list, (struct share){.set = free_of_limits});
		set = fw_space_subtract(spaces, set, free_of_limits);
	}
	collect_buckets(spaces, behaviour, hook, set, &buckets);
	for (size_t i = 0; i < buckets.list.count && set != FW_SPACE_EMPTY;) {
		const struct fw_rate *rate = &buckets.list.items[i].rate;
		fw_space share = FW_SPACE_EMPTY;
		for (; i < buckets.list.count &&
			fw_rates_compare(rate, &buckets.list.items[i].rate) == 0;
			i++) {
			share = fw_space_union(spaces, share, buckets.list.items[i].set);
		}
		share = fw_space_intersect(spaces, share, set);
		set = fw_space_subtract(spaces, set, share);
		if (share != FW_SPACE_EMPTY) {
			FW_VEC_ADD(&out_shares->list, (struct share){*rate, share});
		}
	}
}

/* ---- one hook ---- */

static void compare_allowed(struct comparing *comparing, enum fw_hook hook) {
	struct fw_spaces *spaces = comparing->spaces;
	const struct fw_behaviour *before = comparing->sides[BEFORE];
	const struct fw_behaviour *after = comparing->sides[AFTER];
	FW_AUTO(shares_fini) struct shares shares = {0};

	share_out(spaces, after, hook,
		fw_space_subtract(spaces, after->may[hook], before->may[hook]), &shares);
	for (size_t i = 0; i < shares.list.count; i++) {
		const struct share *share = &shares.list.items[i];
		add_difference(comparing, (struct fw_difference){.change = FW_NEWLY_ALLOWED,
						  .hook = hook,
						  .set = share->set,
						  .after = share->rate});
	}
	add_difference(comparing,
		(struct fw_difference){.change = FW_NEWLY_DENIED,
			.hook = hook,
			.set = fw_space_subtract(spaces, before->may[hook], after->may[hook])});
}

/*
 * What both accept, but not as fast, or not out of one bucket. Buckets are compared by those of
 * their packets that are limited before and after: that others left a bucket, or came to it, is a
 * difference of those others.
 */
static fw_space paced_otherwise(struct comparing *comparing, enum fw_hook hook, fw_space both) {
	struct fw_spaces *spaces = comparing->spaces;
	const struct fw_behaviour *before = comparing->sides[BEFORE];
	const struct fw_behaviour *after = comparing->sides[AFTER];
	FW_AUTO(buckets_fini) struct buckets old = {0};
	FW_AUTO(buckets_fini) struct buckets new = {0};

	fw_space free_before = fw_space_intersect(spaces, both, before->must[hook]);
	fw_space free_after = fw_space_intersect(spaces, both, after->must[hook]);
	fw_space free_of_limits = fw_space_union(spaces, free_before, free_after);
	fw_space set = fw_space_subtract(
		spaces, free_of_limits, fw_space_intersect(spaces, free_before, free_after));
	fw_space limited = fw_space_subtract(spaces, both, free_of_limits);
	collect_buckets(spaces, before, hook, limited, &old);
	collect_buckets(spaces, after, hook, limited, &new);
	match_buckets(&old, &new);
	return unmatched_space(spaces, unmatched_space(spaces, set, &old), &new);
}

static void compare_rates_of(struct comparing *comparing, enum fw_hook hook) {
	struct fw_spaces *spaces = comparing->spaces;
	const struct fw_behaviour *before = comparing->sides[BEFORE];
	const struct fw_behaviour *after = comparing->sides[AFTER];
	FW_AUTO(shares_fini) struct shares old = {0};

	fw_space both = fw_space_intersect(spaces, before->may[hook], after->may[hook]);
	share_out(spaces, before, hook, paced_otherwise(comparing, hook, both), &old);
	for (size_t i = 0; i < old.list.count; i++) {
		const struct share *from = &old.list.items[i];
		FW_AUTO(shares_fini) struct shares new = {0};
		share_out(spaces, after, hook, from->set, &new);
		for (size_t j = 0; j < new.list.count; j++) {
			const struct share *to = &new.list.items[j];
			add_difference(comparing, (struct fw_difference){.change = FW_RATE_CHANGED,
							  .hook = hook,
							  .set = to->set,
							  .before = from->rate,
							  .after = to->rate});
		}
	}
}

bool fw_behaviour_compare(struct fw_arena *arena, struct fw_spaces *spaces,
	const struct fw_behaviour *before, const struct fw_behaviour *after,
	struct fw_differences *out) {
	struct comparing comparing = {.spaces = spaces, .sides = {before, after}};

	for (int i = FW_INPUT; i < FW_HOOK_COUNT; i++) {
		compare_allowed(&comparing, (enum fw_hook)i);
		compare_rates_of(&comparing, (enum fw_hook)i);
	}
	size_t count = comparing.differences.count;
	struct fw_difference *items = FW_ARENA_ARRAY(arena, struct fw_difference, count);
	if (count != 0) {
		memcpy(items, comparing.differences.items, count * sizeof(*items));
	}
	FW_VEC_FINI(&comparing.differences);
	if (spaces->exhausted) {
		return false;
	}
	*out = (struct fw_differences){items, count};
	return true;
}

/* ---- two policies ---- */

struct policies {
	struct fw_spaces *spaces;
	fw_space universe;
	const struct fw_policy *sides[SIDES];
	const struct fw_meaning *meanings[SIDES];
};

struct fw_behaviour fw_meaning_behaviour(struct fw_arena *arena, const struct fw_meaning *meaning) {
	struct fw_paced *paced = FW_ARENA_ARRAY(arena, struct fw_paced, meaning->rated_count);
	struct fw_behaviour behaviour = {.paced = paced, .paced_count = meaning->rated_count};

	memcpy(behaviour.must, meaning->must, sizeof(behaviour.must));
	memcpy(behaviour.may, meaning->may, sizeof(behaviour.may));
	for (size_t i = 0; i < meaning->rated_count; i++) {
		const struct fw_rated *rated = &meaning->rated[i];
		paced[i] = (struct fw_paced){rated->flow->hook, rated->set, rated->flow->limit};
	}
	return behaviour;
}

/* New and untracked packets that get the hook's answer; what has a limit, when past it. */
static bool answers_any(const struct policies *policies, enum side side, enum fw_hook hook) {
	struct fw_spaces *spaces = policies->spaces;
	fw_space set = fw_space_interval(spaces, FW_VAR_HOOK, fw_value(hook), fw_value(hook));

	set = fw_space_intersect(spaces, set, policies->universe);
	set = fw_space_subtract(spaces, set,
		fw_space_interval(spaces, FW_VAR_TRACKING, fw_value(FW_TRACKING_INVALID),
			fw_value(FW_TRACKING_INVALID)));
	return fw_space_subtract(spaces, set, policies->meanings[side]->must[hook]) !=
	       FW_SPACE_EMPTY;
}

static bool answers_differ(const struct policies *policies, enum fw_hook hook) {
	enum fw_verdict before = policies->sides[BEFORE]->hooks[hook].verdict;
	enum fw_verdict after = policies->sides[AFTER]->hooks[hook].verdict;
	bool both_deny = (before == FW_DROP || before == FW_REJECT) &&
			 (after == FW_DROP || after == FW_REJECT);

	return both_deny && before != after && answers_any(policies, BEFORE, hook) &&
	       answers_any(policies, AFTER, hook);
}

/* ---- translation ---- */

static int compare_numbers(uint64_t a, uint64_t b) {
	return (a > b) - (a < b);
}

/* By what is translated to what; names are words only. */
static int compare_forwardings(const void *left, const void *right) {
	const struct fw_forwarding *a = *(const struct fw_forwarding *const *)left;
	const struct fw_forwarding *b = *(const struct fw_forwarding *const *)right;
	int order = compare_numbers(a->family, b->family);

	order = order != 0 ? order : compare_numbers(a->protocol, b->protocol);
	order = order != 0 ? order : compare_numbers(a->outside_port, b->outside_port);
	order = order != 0 ? order : fw_addr_compare(a->address, b->address);
	return order != 0 ? order : compare_numbers(a->port, b->port);
}

static const struct fw_forwarding **sorted_forwardings(
	struct fw_arena *arena, const struct fw_translation *translation) {
	size_t count = translation->forwarding_count;
	const struct fw_forwarding **sorted =
		FW_ARENA_ARRAY(arena, const struct fw_forwarding *, count);

	for (size_t i = 0; i < count; i++) {
		sorted[i] = &translation->forwardings[i];
	}
	if (count != 0) {
		qsort(sorted, count, sizeof(*sorted), compare_forwardings);
	}
	return sorted;
}

/* Leaves in both arrays what only one of them has. */
static void drop_common(const struct fw_forwarding **old, size_t *old_count,
	const struct fw_forwarding **new, size_t *new_count) {
	size_t i = 0, j = 0, kept_old = 0, kept_new = 0;

	while (i < *old_count || j < *new_count) {
		int order = i == *old_count   ? 1
			    : j == *new_count ? -1
					      : compare_forwardings(&old[i], &new[j]);
		if (order < 0) {
			old[kept_old++] = old[i];
		} else if (order > 0) {
			new[kept_new++] = new[j];
		}
		i += order <= 0;
		j += order >= 0;
	}
	*old_count = kept_old;
	*new_count = kept_new;
}

/* The addresses of a set; NULL: none. */
static fw_space set_space(
	struct fw_spaces *spaces, const struct fw_set *set, enum fw_family family) {
	const struct fw_members *members = set != NULL ? &set->members[family] : NULL;
	size_t count = members != NULL ? members->count : 0;
	fw_space *parts = fw_resize(NULL, count, sizeof(*parts));

	for (size_t i = 0; i < count; i++) {
		const struct fw_range *range = &members->items[i].range;
		parts[i] = fw_space_interval(spaces, FW_VAR_SOURCE, range->first, range->last);
	}
	fw_space all = fw_space_union_all(spaces, parts, count);
	free(parts);
	return all;
}

static bool names_differ(const struct fw_names *a, const struct fw_names *b) {
	bool differ = a->count != b->count;

	for (size_t i = 0; !differ && i < a->count; i++) {
		differ = strcmp(a->items[i], b->items[i]) != 0;
	}
	return differ;
}

static bool has_forwardings(const struct fw_translation *translation, enum fw_family family) {
	for (size_t i = 0; i < translation->forwarding_count; i++) {
		if (translation->forwardings[i].family == family) {
			return true;
		}
	}
	return false;
}

static bool masquerades_differ(
	struct fw_spaces *spaces, const struct fw_translation *a, const struct fw_translation *b) {
	fw_space before = set_space(spaces, a->masqueraded, FW_IPV4);
	fw_space after = set_space(spaces, b->masqueraded, FW_IPV4);

	return before != after || (before != FW_SPACE_EMPTY && names_differ(&a->exit, &b->exit));
}

/* Callers from inside that are translated, in a family that has anything forwarded. */
static bool hairpins_differ(struct fw_spaces *spaces, const struct fw_translation *a,
	const struct fw_translation *b, enum fw_family family) {
	fw_space before =
		has_forwardings(a, family) ? set_space(spaces, a->hairpin, family) : FW_SPACE_EMPTY;
	fw_space after =
		has_forwardings(b, family) ? set_space(spaces, b->hairpin, family) : FW_SPACE_EMPTY;
	bool others = fw_addr_compare(a->hairpin_address[family], b->hairpin_address[family]) != 0;

	return before != after || (before != FW_SPACE_EMPTY && others);
}

static void compare_translation(
	struct fw_arena *arena, const struct policies *policies, struct fw_comparison *out) {
	struct fw_spaces *spaces = policies->spaces;
	const struct fw_translation *a = &policies->sides[BEFORE]->translation;
	const struct fw_translation *b = &policies->sides[AFTER]->translation;
	const struct fw_forwarding **old = sorted_forwardings(arena, a);
	const struct fw_forwarding **new = sorted_forwardings(arena, b);

	out->no_longer_count = a->forwarding_count;
	out->newly_count = b->forwarding_count;
	drop_common(old, &out->no_longer_count, new, &out->newly_count);
	out->no_longer_forwarded = old;
	out->newly_forwarded = new;
	out->masquerade_differs = masquerades_differ(spaces, a, b);
	for (int i = FW_IPV4; i < FW_FAMILY_COUNT; i++) {
		enum fw_family family = (enum fw_family)i;
		bool both = has_forwardings(a, family) && has_forwardings(b, family);
		out->entry_differs |= both && names_differ(&a->entry, &b->entry);
		out->outside_differs |=
			both && set_space(spaces, a->outside_addresses, family) !=
					set_space(spaces, b->outside_addresses, family);
		out->hairpin_differs |= hairpins_differ(spaces, a, b, family);
	}
}

/* ---- the whole ---- */

static bool is_equal(const struct fw_comparison *comparison) {
	bool answers = false;

	for (int hook = FW_INPUT; hook < FW_HOOK_COUNT; hook++) {
		answers |= comparison->answers_differ[hook];
	}
	return !answers && comparison->difference_count == 0 && comparison->no_longer_count == 0 &&
	       comparison->newly_count == 0 && !comparison->masquerade_differs &&
	       !comparison->hairpin_differs && !comparison->entry_differs &&
	       !comparison->outside_differs;
}

bool fw_compare(struct fw_arena *arena, struct fw_spaces *spaces,
	const struct fw_interfaces *interfaces, const struct fw_policy *before,
	const struct fw_meaning *before_meaning, const struct fw_policy *after,
	const struct fw_meaning *after_meaning, struct fw_comparison *out) {
	struct policies policies = {
		.spaces = spaces,
		.universe = fw_space_universe(spaces, fw_interfaces_count(interfaces)),
		.sides = {before, after},
		.meanings = {before_meaning, after_meaning},
	};
	struct fw_behaviour old = fw_meaning_behaviour(arena, before_meaning);
	struct fw_behaviour new = fw_meaning_behaviour(arena, after_meaning);
	struct fw_comparison comparison = {0};
	struct fw_differences differences;

	if (!fw_behaviour_compare(arena, spaces, &old, &new, &differences)) {
		return false;
	}
	comparison.differences = differences.items;
	comparison.difference_count = differences.count;
	for (int i = FW_INPUT; i < FW_HOOK_COUNT; i++) {
		enum fw_hook hook = (enum fw_hook)i;
		comparison.answers_differ[hook] = answers_differ(&policies, hook);
	}
	compare_translation(arena, &policies, &comparison);
	if (spaces->exhausted) {
		return false;
	}
	comparison.equal = is_equal(&comparison);
	*out = comparison;
	return true;
}
