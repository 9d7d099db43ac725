// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A device and the gateway in front of it: whether the gateway passes what the device needs, and
 * the device takes what the gateway forwards to it.
 */

#include "meaning/meaning.h"

#include <string.h>

/* A comparison under way. */
struct agreement {
	struct fw_spaces *spaces;
	fw_space universe;
	struct fw_gap *gaps;
	size_t count, limit;
};

static fw_space one(struct fw_spaces *spaces, enum fw_var var, uint64_t value) {
	return fw_space_interval(spaces, var, fw_value(value), fw_value(value));
}

static void add_gap(struct agreement *agreement, struct fw_gap gap) {
	if (gap.set == FW_SPACE_EMPTY || gap.set == FW_SPACE_EXHAUSTED ||
		agreement->count == agreement->limit) {
		return;
	}
	gap.witness = fw_space_witness(agreement->spaces, gap.set);
	agreement->gaps[agreement->count++] = gap;
}

/*
 * Packets of a set on some interfaces or other: ways through a gateway are its own business. The
 * loopback is no way to anybody else.
 */
static fw_space anywhere(struct agreement *agreement, fw_space set) {
	set = fw_space_subtract(
		agreement->spaces, set, one(agreement->spaces, FW_VAR_IN, FW_INTERFACE_LOOPBACK));
	set = fw_space_subtract(
		agreement->spaces, set, one(agreement->spaces, FW_VAR_OUT, FW_INTERFACE_LOOPBACK));
	set = fw_space_exists(agreement->spaces, set, FW_VAR_OUT);
	set = fw_space_exists(agreement->spaces, set, FW_VAR_IN);
	return fw_space_intersect(agreement->spaces, set, agreement->universe);
}

/* What begins at all. */
static fw_space beginning(struct agreement *agreement, fw_space set) {
	return fw_space_intersect(
		agreement->spaces, set, one(agreement->spaces, FW_VAR_TRACKING, FW_TRACKING_NEW));
}

/* ---- the gateway passes what the device needs ---- */

static void check_need(struct agreement *agreement, const struct fw_interfaces *interfaces,
	fw_space passed, const struct fw_flow *need) {
	fw_space set = anywhere(agreement, fw_flow_space(agreement->spaces, interfaces, need));
	set = fw_space_subtract(agreement->spaces, beginning(agreement, set), passed);
	add_gap(agreement, (struct fw_gap){.flow = need, .set = set});
}

/* ---- the device takes what is forwarded to it ---- */

/* Packets of the forward hook as the device sees them come in. */
static fw_space arriving(struct agreement *agreement, fw_space forwarded) {
	struct fw_spaces *spaces = agreement->spaces;

	forwarded = fw_space_restrict(spaces, forwarded, FW_VAR_HOOK, fw_value(FW_FORWARD));
	forwarded = fw_space_exists(spaces, forwarded, FW_VAR_OUT);
	forwarded = fw_space_exists(spaces, forwarded, FW_VAR_IN);
	forwarded = fw_space_intersect(spaces, forwarded, one(spaces, FW_VAR_HOOK, FW_INPUT));
	return fw_space_intersect(spaces, forwarded, agreement->universe);
}

/* Callers inside come from the gateway's own address. */
static fw_space hairpin_callers(struct agreement *agreement,
	const struct fw_translation *translation, enum fw_family family, fw_space arriving) {
	struct fw_spaces *spaces = agreement->spaces;
	const struct fw_members *members = &translation->hairpin->members[family];
	fw_space inside = FW_SPACE_EMPTY;

	for (size_t i = 0; i < members->count; i++) {
		inside = fw_space_union(spaces, inside,
			fw_space_interval(spaces, FW_VAR_SOURCE, members->items[i].range.first,
				members->items[i].range.last));
	}
	fw_space callers = fw_space_exists(
		spaces, fw_space_intersect(spaces, arriving, inside), FW_VAR_SOURCE);
	struct fw_addr own = translation->hairpin_address[family];
	callers = fw_space_intersect(
		spaces, callers, fw_space_interval(spaces, FW_VAR_SOURCE, own, own));
	return fw_space_union(spaces, callers, fw_space_subtract(spaces, arriving, inside));
}

/* Where the device has the service, or what becomes of what it has not. */
static struct fw_span service_span(
	const struct fw_policy *device, const struct fw_forwarding *forwarding) {
	for (size_t i = 0; i < device->flow_count; i++) {
		const struct fw_flow *flow = &device->flows[i];
		if (flow->hook == FW_INPUT && strcmp(flow->service, forwarding->service) == 0) {
			return flow->span;
		}
	}
	return device->hooks[FW_INPUT].span;
}

static void check_forwarding(struct agreement *agreement, const struct fw_policy *device,
	const struct fw_translation *translation, fw_space passed, fw_space taken,
	const struct fw_forwarding *forwarding) {
	struct fw_spaces *spaces = agreement->spaces;
	fw_space set =
		fw_space_intersect(spaces, passed, one(spaces, FW_VAR_FAMILY, forwarding->family));

	set = fw_space_intersect(spaces, set, one(spaces, FW_VAR_PROTOCOL, forwarding->protocol));
	set = fw_space_intersect(spaces, set,
		fw_space_interval(
			spaces, FW_VAR_DESTINATION, forwarding->address, forwarding->address));
	set = fw_space_intersect(spaces, set, one(spaces, FW_VAR_PORT, forwarding->port));
	set = arriving(agreement, beginning(agreement, set));
	if (translation->hairpin != NULL) {
		set = hairpin_callers(agreement, translation, forwarding->family, set);
	}
	set = fw_space_subtract(spaces, set, taken);
	add_gap(agreement, (struct fw_gap){.forwarding = forwarding,
				   .service_span = service_span(device, forwarding),
				   .set = set});
}

size_t fw_agree(struct fw_arena *arena, struct fw_spaces *spaces, const struct fw_policy *gateway,
	const struct fw_policy *device, const struct fw_flow *needs, size_t need_count,
	const char *name, size_t limit, struct fw_gap *out_gaps) {
	const struct fw_policy *both[] = {gateway, device};
	const struct fw_interfaces interfaces = fw_interfaces_of(arena, both, FW_LENGTH(both));
	struct agreement agreement = {
		.spaces = spaces,
		.universe = fw_space_universe(spaces, fw_interfaces_count(&interfaces)),
		.gaps = out_gaps,
		.limit = limit,
	};
	struct fw_meaning forward, own;

	fw_meaning_init(&forward, arena, spaces, &interfaces, gateway);
	fw_meaning_init(&own, arena, spaces, &interfaces, device);
	fw_space passed = anywhere(&agreement, forward.may[FW_FORWARD]);
	for (size_t i = 0; i < need_count; i++) {
		check_need(&agreement, &interfaces, passed, &needs[i]);
	}
	fw_space taken = anywhere(&agreement, own.may[FW_INPUT]);
	for (size_t i = 0; i < gateway->translation.forwarding_count; i++) {
		const struct fw_forwarding *forwarding = &gateway->translation.forwardings[i];
		if (strcmp(forwarding->device, name) == 0) {
			check_forwarding(&agreement, device, &gateway->translation,
				forward.may[FW_FORWARD], taken, forwarding);
		}
	}
	return agreement.count;
}
