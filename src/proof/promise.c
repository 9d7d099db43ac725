// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A policy in the form of what is read back: what rules must come to that do what it says.
 */

#include "proof/proof.h"

#include <stdlib.h>
#include <string.h>

struct promise {
	struct fw_arena *arena;
	struct fw_spaces *spaces;
	const struct fw_interfaces *interfaces;
	const struct fw_policy *policy;
	fw_space universe;
	FW_VEC(struct fw_rb_rewrite) rewrites;
};

static fw_space is(struct promise *promise, enum fw_var var, uint64_t value) {
	return fw_space_interval(promise->spaces, var, fw_value(value), fw_value(value));
}

static fw_space both(struct promise *promise, fw_space a, fw_space b) {
	return fw_space_intersect(promise->spaces, a, b);
}

static fw_space of_hook(struct promise *promise, enum fw_hook hook) {
	return both(promise, promise->universe, is(promise, FW_VAR_HOOK, hook));
}

/* ---- packets ---- */

/* What the verdict answers; what has a limit, when past it. */
static fw_space rejected(
	struct promise *promise, const struct fw_meaning *meaning, enum fw_hook hook) {
	if (promise->policy->hooks[hook].verdict != FW_REJECT) {
		return FW_SPACE_EMPTY;
	}
	fw_space begun =
		fw_space_union(promise->spaces, is(promise, FW_VAR_TRACKING, FW_TRACKING_NEW),
			is(promise, FW_VAR_TRACKING, FW_TRACKING_UNTRACKED));
	return fw_space_subtract(
		promise->spaces, both(promise, of_hook(promise, hook), begun), meaning->must[hook]);
}

/* By service, those that draw on one bucket side by side. */
static int compare_rated(const void *left, const void *right) {
	const struct fw_flow *a = ((const struct fw_rated *)left)->flow;
	const struct fw_flow *b = ((const struct fw_rated *)right)->flow;
	int order = (int)a->hook - (int)b->hook;

	order = order != 0 ? order : strcmp(a->service, b->service);
	return order != 0 ? order : fw_rates_compare(&a->limit, &b->limit);
}

/* All that a flow has a limit for, be it let pass by others in any case. */
static fw_space limited_space(struct promise *promise, const struct fw_flow *flow) {
	return both(promise, promise->universe,
		fw_flow_space(promise->spaces, promise->interfaces, flow));
}

/* A service has one bucket for all of its flows of a hook that have the same limit. */
static void add_rated(
	struct promise *promise, const struct fw_meaning *meaning, struct fw_readback *out) {
	size_t count = meaning->rated_count, kept = 0;
	struct fw_rated *sorted = FW_ARENA_ARRAY(promise->arena, struct fw_rated, count);
	struct fw_rb_rated *rated = FW_ARENA_ARRAY(promise->arena, struct fw_rb_rated, count);

	if (count != 0) {
		memcpy(sorted, meaning->rated, count * sizeof(*sorted));
		qsort(sorted, count, sizeof(*sorted), compare_rated);
	}
	for (size_t i = 0; i < count; i++) {
		fw_space set = limited_space(promise, sorted[i].flow);
		if (i != 0 && compare_rated(&sorted[i - 1], &sorted[i]) == 0) {
			set = fw_space_union(promise->spaces, rated[--kept].set, set);
		}
		rated[kept++] = (struct fw_rb_rated){.hook = (enum fw_rb_hook)sorted[i].flow->hook,
			.set = set,
			.rate = sorted[i].flow->limit};
	}
	out->rated = rated;
	out->rated_count = kept;
}

/* ---- translation ---- */

/* No names: any interface. */
static fw_space on_interfaces(
	struct promise *promise, enum fw_var var, const struct fw_names *names) {
	fw_space set = names->count == 0 ? FW_SPACE_ALL : FW_SPACE_EMPTY;

	for (size_t i = 0; i < names->count; i++) {
		unsigned number = fw_interface_number(promise->interfaces, names->items[i]);
		set = fw_space_union(promise->spaces, set, is(promise, var, number));
	}
	return set;
}

/* Packets of a family with an address of the set; NULL: none. */
static fw_space with_address(
	struct promise *promise, enum fw_var var, const struct fw_set *set, enum fw_family family) {
	const struct fw_members *members = set != NULL ? &set->members[family] : NULL;
	size_t count = members != NULL ? members->count : 0;
	fw_space *parts = fw_resize(NULL, count, sizeof(*parts));

	for (size_t i = 0; i < count; i++) {
		const struct fw_range *range = &members->items[i].range;
		parts[i] = fw_space_interval(promise->spaces, var, range->first, range->last);
	}
	fw_space all = fw_space_union_all(promise->spaces, parts, count);
	free(parts);
	return both(promise, all, is(promise, FW_VAR_FAMILY, family));
}

static void add_rewrite(struct promise *promise, struct fw_rb_rewrite rewrite) {
	if (rewrite.set != FW_SPACE_EMPTY) {
		FW_VEC_ADD(&promise->rewrites, rewrite);
	}
}

/* What comes in to an outside address, by family and whatever port. On lo comes what was sent from
 * here, which is not translated. */
static fw_space arriving(struct promise *promise, enum fw_family family) {
	const struct fw_translation *translation = &promise->policy->translation;
	fw_space set = both(promise, of_hook(promise, FW_INPUT),
		both(promise, is(promise, FW_VAR_TRACKING, FW_TRACKING_NEW),
			is(promise, FW_VAR_TRANSLATED, 0)));

	set = both(promise, set, on_interfaces(promise, FW_VAR_IN, &translation->entry));
	set = fw_space_subtract(
		promise->spaces, set, is(promise, FW_VAR_IN, FW_INTERFACE_LOOPBACK));
	set = both(promise, set,
		with_address(promise, FW_VAR_DESTINATION, translation->outside_addresses, family));
	set = fw_space_exists(promise->spaces, set, FW_VAR_HOOK);
	return fw_space_exists(promise->spaces, set, FW_VAR_OUT);
}

static void add_forwardings(struct promise *promise, enum fw_family family) {
	const struct fw_translation *translation = &promise->policy->translation;
	fw_space all = arriving(promise, family), of_protocol = FW_SPACE_EMPTY;
	uint8_t protocol = 0;

	for (size_t i = 0; i < translation->forwarding_count; i++) {
		const struct fw_forwarding *one = &translation->forwardings[i];
		if (one->family != family) {
			continue;
		}
		if (one->protocol != protocol) {
			protocol = one->protocol;
			of_protocol = both(promise, all, is(promise, FW_VAR_PROTOCOL, protocol));
		}
		add_rewrite(promise, (struct fw_rb_rewrite){
					     .family = family,
					     .address = one->address,
					     .port = one->port,
					     .set = both(promise, of_protocol,
						     is(promise, FW_VAR_PORT, one->outside_port)),
				     });
	}
}

/* First packets on their way out, from members of the set. */
static fw_space leaving(
	struct promise *promise, const struct fw_set *members, enum fw_family family) {
	fw_space set = fw_space_union(
		promise->spaces, of_hook(promise, FW_OUTPUT), of_hook(promise, FW_FORWARD));

	set = both(promise, set, is(promise, FW_VAR_TRACKING, FW_TRACKING_NEW));
	set = both(promise, set, with_address(promise, FW_VAR_SOURCE, members, family));
	return fw_space_exists(promise->spaces, set, FW_VAR_HOOK);
}

static const struct fw_range *ranges_of(struct promise *promise, const struct fw_members *members) {
	struct fw_range *ranges = FW_ARENA_ARRAY(promise->arena, struct fw_range, members->count);

	for (size_t i = 0; i < members->count; i++) {
		ranges[i] = members->items[i].range;
	}
	return ranges;
}

static void add_hairpin(struct promise *promise, enum fw_family family) {
	const struct fw_translation *translation = &promise->policy->translation;
	const struct fw_members *outside = &translation->outside_addresses->members[family];

	add_rewrite(promise,
		(struct fw_rb_rewrite){
			.source = true,
			.family = family,
			.address = translation->hairpin_address[family],
			.set = both(promise, leaving(promise, translation->hairpin, family),
				is(promise, FW_VAR_TRANSLATED, 1)),
			.originals = ranges_of(promise, outside),
			.original_count = outside->count,
		});
}

static void add_masquerade(struct promise *promise, enum fw_family family) {
	const struct fw_translation *translation = &promise->policy->translation;

	add_rewrite(promise,
		(struct fw_rb_rewrite){
			.source = true,
			.masquerade = true,
			.family = family,
			.set = both(promise, leaving(promise, translation->masqueraded, family),
				on_interfaces(promise, FW_VAR_OUT, &translation->exit)),
		});
}

/* What is forwarded gets a known source, before what is only masqueraded. */
static void add_translation(struct promise *promise) {
	for (int family = FW_IPV4; family < FW_FAMILY_COUNT; family++) {
		size_t before = promise->rewrites.count;
		add_forwardings(promise, (enum fw_family)family);
		if (promise->rewrites.count != before) {
			add_hairpin(promise, (enum fw_family)family);
		}
		add_masquerade(promise, (enum fw_family)family);
	}
}

/* ---- the whole ---- */

bool fw_proof_promise(struct fw_arena *arena, struct fw_spaces *spaces,
	const struct fw_interfaces *interfaces, const struct fw_policy *policy,
	const struct fw_meaning *meaning, struct fw_readback *out) {
	struct promise promise = {
		.arena = arena,
		.spaces = spaces,
		.interfaces = interfaces,
		.policy = policy,
		.universe = fw_space_universe(spaces, fw_interfaces_count(interfaces)),
	};
	struct fw_readback result = {0};

	for (int i = FW_INPUT; i < FW_HOOK_COUNT; i++) {
		result.must[i] = meaning->must[i];
		result.may[i] = meaning->may[i];
		result.rejected[i] = rejected(&promise, meaning, (enum fw_hook)i);
	}
	add_rated(&promise, meaning, &result);
	add_translation(&promise);
	size_t count = promise.rewrites.count;
	struct fw_rb_rewrite *rewrites = FW_ARENA_ARRAY(arena, struct fw_rb_rewrite, count);
	if (count != 0) {
		memcpy(rewrites, promise.rewrites.items, count * sizeof(*rewrites));
	}
	FW_VEC_FINI(&promise.rewrites);
	result.rewrites = rewrites;
	result.rewrite_count = count;
	if (spaces->exhausted) {
		return false;
	}
	*out = result;
	return true;
}
