// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Names of groups and their entries by addresses, see names.h. Members are compared as the
 * addresses that they are together, however they were written.
 */

#include "meaning/names.h"

#include <stdlib.h>
#include <string.h>

/* Whether an interval ends right before the next, or in it. */
static bool reaches(struct fw_addr high, struct fw_addr low) {
	return fw_addr_compare(high, low) >= 0 || fw_addr_compare(fw_addr_next(high), low) == 0;
}

/* Goes through the members of a set by address, both parts at once. */
struct members_walk {
	const struct fw_members *members;
	size_t plain, own;
};

static struct members_walk walk_members(const struct fw_members *members) {
	return (struct members_walk){members, 0, members->plain_count};
}

static const struct fw_range *next_member(const struct members_walk *walk) {
	const struct fw_members *members = walk->members;
	const struct fw_range *plain =
		walk->plain < members->plain_count ? &members->items[walk->plain].range : NULL;
	const struct fw_range *own =
		walk->own < members->count ? &members->items[walk->own].range : NULL;

	if (plain == NULL || own == NULL) {
		return plain != NULL ? plain : own;
	}
	return fw_range_compare(plain, own) <= 0 ? plain : own;
}

static void pass_member(struct members_walk *walk, const struct fw_range *member) {
	bool plain = walk->plain < walk->members->plain_count &&
		     member == &walk->members->items[walk->plain].range;

	walk->plain += plain;
	walk->own += !plain;
}

/* The next addresses in a row, whatever members they are from. */
static bool next_interval(struct members_walk *walk, struct fw_interval *out_interval) {
	const struct fw_range *member = next_member(walk);

	if (member == NULL) {
		return false;
	}
	*out_interval = (struct fw_interval){member->first, member->last};
	do {
		if (fw_addr_compare(out_interval->high, member->last) < 0) {
			out_interval->high = member->last;
		}
		pass_member(walk, member);
		member = next_member(walk);
	} while (member != NULL && reaches(out_interval->high, member->first));
	return true;
}

static bool same_interval(const struct fw_interval *a, const struct fw_interval *b) {
	return fw_addr_compare(a->low, b->low) == 0 && fw_addr_compare(a->high, b->high) == 0;
}

/* Whether the members are these addresses; mostly the first of them tells. */
static bool is_members(const struct fw_members *members, const struct fw_intervals *values) {
	struct members_walk walk = walk_members(members);
	struct fw_interval interval;

	for (size_t i = 0; i < values->count; i++) {
		if (!next_interval(&walk, &interval) ||
			!same_interval(&interval, &values->items[i])) {
			return false;
		}
	}
	return next_member(&walk) == NULL;
}

static bool same_members(const struct fw_members *a, const struct fw_members *b) {
	struct members_walk left = walk_members(a), right = walk_members(b);
	struct fw_interval interval, other;

	while (next_interval(&left, &interval)) {
		if (!next_interval(&right, &other) || !same_interval(&interval, &other)) {
			return false;
		}
	}
	return next_member(&right) == NULL;
}

const struct fw_set *fw_group_of(
	const struct fw_policy *policy, enum fw_family family, const struct fw_intervals *values) {
	for (size_t i = 0; policy != NULL && i < policy->set_count; i++) {
		const struct fw_set *set = policy->sets[i];
		if (!set->literal && is_members(&set->members[family], values)) {
			return set;
		}
	}
	return NULL;
}

bool fw_group_is_ambiguous(const struct fw_policy *other, const struct fw_set *group) {
	for (size_t i = 0; other != NULL && i < other->set_count; i++) {
		const struct fw_set *set = other->sets[i];
		if (!set->literal && strcmp(set->name, group->name) == 0) {
			return !same_members(&set->members[FW_IPV4], &group->members[FW_IPV4]) ||
			       !same_members(&set->members[FW_IPV6], &group->members[FW_IPV6]);
		}
	}
	return false;
}

static int compare_range(const void *range, const void *endpoint) {
	return fw_range_compare(range, &((const struct fw_endpoint *)endpoint)->range);
}

const char *fw_entry_name(const struct fw_policy *policy, const struct fw_range *range) {
	for (size_t i = 0; policy != NULL && i < policy->set_count; i++) {
		const struct fw_members *members = &policy->sets[i]->members[range->family];
		size_t plain = members->plain_count, count = members->count;
		const struct fw_endpoint *found = NULL;
		if (plain != 0) {
			found = bsearch(
				range, members->items, plain, sizeof(*found), compare_range);
		}
		if (found == NULL && plain < count) {
			found = bsearch(range, members->items + plain, count - plain,
				sizeof(*found), compare_range);
		}
		if (found != NULL && found->name != NULL) {
			return found->name;
		}
	}
	return NULL;
}
