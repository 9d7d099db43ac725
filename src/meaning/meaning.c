// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A policy as what each of its hooks accepts, and the numbers of interfaces in that.
 */

#include "meaning/meaning.h"

#include <stdlib.h>
#include <string.h>

/* ---- interfaces ---- */

static int compare_names(const void *left, const void *right) {
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

struct name_list {
	FW_VEC(const char *) list;
};

static void add_names(struct name_list *names, const struct fw_names *more) {
	for (size_t i = 0; i < more->count; i++) {
		if (strcmp(more->items[i], "lo") != 0) {
			FW_VEC_ADD(&names->list, more->items[i]);
		}
	}
}

struct fw_interfaces fw_interfaces_of(
	struct fw_arena *arena, const struct fw_policy *const *policies, size_t count) {
	struct name_list names = {0};
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < policies[i]->flow_count; j++) {
			add_names(&names, &policies[i]->flows[j].in_interfaces);
			add_names(&names, &policies[i]->flows[j].out_interfaces);
		}
		add_names(&names, &policies[i]->translation.entry);
		add_names(&names, &policies[i]->translation.exit);
	}
	const char **items = FW_ARENA_ARRAY(arena, const char *, names.list.count);
	if (names.list.count != 0) {
		qsort(names.list.items, names.list.count, sizeof(*names.list.items), compare_names);
	}
	for (size_t i = 0; i < names.list.count; i++) {
		if (kept == 0 || strcmp(items[kept - 1], names.list.items[i]) != 0) {
			items[kept++] = names.list.items[i];
		}
	}
	FW_VEC_FINI(&names.list);
	return (struct fw_interfaces){{items, kept}};
}

enum { FIRST_NAME = FW_INTERFACE_LOOPBACK + 1 };

unsigned fw_interfaces_count(const struct fw_interfaces *interfaces) {
	return FIRST_NAME + (unsigned)interfaces->names.count;
}

unsigned fw_interface_number(const struct fw_interfaces *interfaces, const char *name) {
	const struct fw_names *names = &interfaces->names;

	if (strcmp(name, "lo") == 0) {
		return FW_INTERFACE_LOOPBACK;
	}
	const char *const *found = names->count == 0
					   ? NULL
					   : bsearch(&name, names->items, names->count,
						     sizeof(*names->items), compare_names);
	return found != NULL ? FIRST_NAME + (unsigned)(found - names->items)
			     : fw_interfaces_count(interfaces);
}

const char *fw_interface_name(const struct fw_interfaces *interfaces, unsigned number) {
	if (number == FW_INTERFACE_LOOPBACK) {
		return "lo";
	}
	return number >= FIRST_NAME && number < fw_interfaces_count(interfaces)
		       ? interfaces->names.items[number - FIRST_NAME]
		       : NULL;
}

bool fw_interface_is_open(const struct fw_interfaces *interfaces, unsigned number) {
	const char *name = fw_interface_name(interfaces, number);

	return name != NULL && name[0] != 0 && name[strlen(name) - 1] == '*';
}

static bool holds(const struct fw_intervals *numbers, unsigned number) {
	for (size_t i = 0; i < numbers->count; i++) {
		if (numbers->items[i].low.low <= number && number <= numbers->items[i].high.low) {
			return true;
		}
	}
	return false;
}

bool fw_interfaces_hold_unnamed(
	const struct fw_interfaces *interfaces, const struct fw_intervals *numbers) {
	unsigned last = fw_interfaces_count(interfaces);
	bool all = holds(numbers, last);

	for (unsigned i = FIRST_NAME; i < last && all; i++) {
		all = !fw_interface_is_open(interfaces, i) || holds(numbers, i);
	}
	return all;
}

/* ---- hooks ---- */

static fw_space range(struct fw_spaces *spaces, enum fw_var var, uint64_t low, uint64_t high) {
	return fw_space_interval(spaces, var, fw_value(low), fw_value(high));
}

/* Packets of a hook. */
static fw_space hook_space(struct fw_spaces *spaces, fw_space universe, enum fw_hook hook) {
	return fw_space_intersect(spaces, universe, range(spaces, FW_VAR_HOOK, hook, hook));
}

static fw_space loopback_space(struct fw_spaces *spaces, enum fw_hook hook) {
	switch (hook) {
	case FW_INPUT:
		return range(spaces, FW_VAR_IN, FW_INTERFACE_LOOPBACK, FW_INTERFACE_LOOPBACK);
	case FW_OUTPUT:
		return range(spaces, FW_VAR_OUT, FW_INTERFACE_LOOPBACK, FW_INTERFACE_LOOPBACK);
	case FW_FORWARD:
	case FW_HOOK_NONE:
		break;
	}
	return FW_SPACE_EMPTY;
}

/* What passes whatever the flows are: replies to what was allowed, and by the verdict the rest. */
static fw_space passing(struct fw_spaces *spaces, enum fw_hook hook, enum fw_verdict verdict) {
	fw_space known =
		range(spaces, FW_VAR_TRACKING, FW_TRACKING_ESTABLISHED, FW_TRACKING_RELATED);
	fw_space valid = fw_space_complement(
		spaces, range(spaces, FW_VAR_TRACKING, FW_TRACKING_INVALID, FW_TRACKING_INVALID));

	if (verdict == FW_UNTOUCHED) {
		return FW_SPACE_ALL;
	}
	return fw_space_union(
		spaces, loopback_space(spaces, hook), verdict == FW_ACCEPT ? valid : known);
}

/* The flows of a hook, one after the other: those with a limit, or those without. */
struct flow_sets {
	FW_VEC(fw_space) list;
};

static fw_space unlimited_space(struct fw_spaces *spaces, const struct fw_interfaces *interfaces,
	const struct fw_policy *policy, enum fw_hook hook) {
	struct flow_sets sets = {0};

	for (size_t i = 0; i < policy->flow_count; i++) {
		const struct fw_flow *flow = &policy->flows[i];
		if (flow->hook == hook && flow->limit.count == 0) {
			FW_VEC_ADD(&sets.list, fw_flow_space(spaces, interfaces, flow));
		}
	}
	fw_space set = fw_space_union_all(spaces, sets.list.items, sets.list.count);
	FW_VEC_FINI(&sets.list);
	return set;
}

void fw_meaning_init(struct fw_meaning *meaning, struct fw_arena *arena, struct fw_spaces *spaces,
	const struct fw_interfaces *interfaces, const struct fw_policy *policy) {
	fw_space universe = fw_space_universe(spaces, fw_interfaces_count(interfaces));
	struct fw_rated *rated = FW_ARENA_ARRAY(arena, struct fw_rated, policy->flow_count);

	*meaning = (struct fw_meaning){.rated = rated};
	for (int i = FW_INPUT; i < FW_HOOK_COUNT; i++) {
		enum fw_hook hook = (enum fw_hook)i;
		fw_space all = hook_space(spaces, universe, hook);
		fw_space set = passing(spaces, hook, policy->hooks[hook].verdict);
		set = fw_space_union(
			spaces, set, unlimited_space(spaces, interfaces, policy, hook));
		meaning->must[hook] = meaning->may[hook] = fw_space_intersect(spaces, set, all);
	}
	for (size_t i = 0; i < policy->flow_count; i++) {
		const struct fw_flow *flow = &policy->flows[i];
		if (flow->limit.count == 0) {
			continue;
		}
		fw_space set = fw_space_intersect(
			spaces, universe, fw_flow_space(spaces, interfaces, flow));
		set = fw_space_subtract(spaces, set, meaning->must[flow->hook]);
		rated[meaning->rated_count++] = (struct fw_rated){flow, set};
		meaning->may[flow->hook] = fw_space_union(spaces, meaning->may[flow->hook], set);
	}
}
