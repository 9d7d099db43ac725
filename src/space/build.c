// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sets from values: intervals, masks, lists of cases, and all packets that can be.
 */

#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "space/diagram.h"

enum { MASK_BITS_MAX = 16 };

/* ---- one variable ---- */

/* A gap, if there is one, and the case. `next` is the first value that no case has had. */
static bool push_case(
	struct fw_spaces *spaces, size_t base, const struct fw_case *item, struct fw_addr next) {
	if (fw_less(next, item->low) &&
		!fw_space_push(spaces, base, fw_addr_previous(item->low), FW_SPACE_EMPTY)) {
		return false;
	}
	return fw_space_step(spaces) && fw_space_push(spaces, base, item->high, item->set);
}

static bool push_cases(struct fw_spaces *spaces, unsigned level, size_t base,
	const struct fw_case *cases, size_t count) {
	struct fw_addr next = {0, 0}, max = spaces->order.max[level];
	for (size_t i = 0; i < count; i++) {
		assert(!fw_less(cases[i].high, cases[i].low));
		assert(!fw_less(max, cases[i].high));
		assert(i == 0 || fw_less(cases[i - 1].high, cases[i].low));
		assert(fw_space_level(spaces, cases[i].set) > level);
		if (!push_case(spaces, base, &cases[i], next)) {
			return false;
		}
		next = fw_addr_next(cases[i].high);
	}
	bool full = count > 0 && fw_same(cases[count - 1].high, max);
	return full || fw_space_push(spaces, base, max, FW_SPACE_EMPTY);
}

fw_space fw_space_cases(
	struct fw_spaces *spaces, enum fw_var var, const struct fw_case *cases, size_t count) {
	if (spaces->exhausted) {
		return FW_SPACE_EXHAUSTED;
	}
	assert(var != FW_VAR_NONE);
	unsigned level = spaces->order.levels[var];
	size_t base = spaces->scratch_count;
	if (!push_cases(spaces, level, base, cases, count)) {
		spaces->scratch_count = base;
		return FW_SPACE_EXHAUSTED;
	}
	return fw_space_make(spaces, level, base);
}

fw_space fw_space_interval(
	struct fw_spaces *spaces, enum fw_var var, struct fw_addr low, struct fw_addr high) {
	struct fw_case only = {low, high, FW_SPACE_ALL};
	return fw_space_cases(spaces, var, &only, 1);
}

fw_space fw_space_masked(struct fw_spaces *spaces, enum fw_var var, uint16_t mask, uint16_t value) {
	if (spaces->exhausted) {
		return FW_SPACE_EXHAUSTED;
	}
	struct fw_addr max = fw_var_max[var];
	assert(var != FW_VAR_NONE && max.high == 0 && max.low >> MASK_BITS_MAX == 0);
	size_t base = spaces->scratch_count;
	for (uint64_t i = 0; i <= max.low; i++) {
		fw_space set = (i & mask) == value ? FW_SPACE_ALL : FW_SPACE_EMPTY;
		if (!fw_space_step(spaces) || !fw_space_push(spaces, base, fw_value(i), set)) {
			spaces->scratch_count = base;
			return FW_SPACE_EXHAUSTED;
		}
	}
	return fw_space_make(spaces, spaces->order.levels[var], base);
}

fw_space fw_box_space(struct fw_spaces *spaces, const struct fw_box *box) {
	fw_space set = spaces->exhausted ? FW_SPACE_EXHAUSTED : FW_SPACE_ALL;
	for (unsigned level = FW_VAR_COUNT - 1; level > 0; level--) {
		enum fw_var var = spaces->order.vars[level];
		const struct fw_intervals *values = &box->values[var];
		if (values->count == 0) {
			continue;
		}
		FW_VEC(struct fw_case) cases = {0};
		for (size_t i = 0; i < values->count; i++) {
			FW_VEC_ADD(&cases,
				(struct fw_case){values->items[i].low, values->items[i].high, set});
		}
		set = fw_space_cases(spaces, var, cases.items, cases.count);
		FW_VEC_FINI(&cases);
	}
	return set;
}

/* ---- the universe ---- */

/* Packets of `set`, where `var` is at most this. */
static fw_space up_to(struct fw_spaces *spaces, enum fw_var var, uint64_t max, fw_space set) {
	struct fw_case only = {{0, 0}, fw_value(max), set};
	return fw_space_cases(spaces, var, &only, 1);
}

/* Of addresses and ports, by the protocol. */
static fw_space transport(struct fw_spaces *spaces, unsigned protocol) {
	fw_space second;
	switch (protocol) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_DCCP:
	case IPPROTO_SCTP:
	case IPPROTO_UDPLITE:
		return FW_SPACE_ALL;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		second = up_to(spaces, FW_VAR_PORT, UINT8_MAX, FW_SPACE_ALL);
		return up_to(spaces, FW_VAR_SOURCE_PORT, UINT8_MAX, second);
	default:
		second = up_to(spaces, FW_VAR_PORT, 0, FW_SPACE_ALL);
		return up_to(spaces, FW_VAR_SOURCE_PORT, 0, second);
	}
}

static fw_space addresses(struct fw_spaces *spaces, enum fw_family family, fw_space rest) {
	if (family == FW_IPV6) {
		return rest;
	}
	rest = up_to(spaces, FW_VAR_DESTINATION, UINT32_MAX, rest);
	return up_to(spaces, FW_VAR_SOURCE, UINT32_MAX, rest);
}

static fw_space tracked(struct fw_spaces *spaces, fw_space rest) {
	fw_space untranslated = up_to(spaces, FW_VAR_TRANSLATED, 0, rest);
	const struct fw_case states[] = {
		{fw_value(FW_TRACKING_NEW), fw_value(FW_TRACKING_RELATED), rest},
		{fw_value(FW_TRACKING_INVALID), fw_value(FW_TRACKING_UNTRACKED), untranslated},
	};
	return fw_space_cases(spaces, FW_VAR_TRACKING, states, FW_LENGTH(states));
}

static fw_space of_protocol(struct fw_spaces *spaces, enum fw_family family, unsigned protocol) {
	fw_space set = addresses(spaces, family, transport(spaces, protocol));
	set = tracked(spaces, set);
	if (family == FW_IPV4) {
		set = up_to(spaces, FW_VAR_HOP_LIMIT, 0, set);
	}
	return protocol == IPPROTO_TCP ? set : up_to(spaces, FW_VAR_FLAGS, 0, set);
}

static fw_space of_family(struct fw_spaces *spaces, enum fw_family family) {
	struct fw_case protocols[UINT8_MAX + 1];
	for (unsigned i = 0; i < FW_LENGTH(protocols); i++) {
		fw_space set = of_protocol(spaces, family, i);
		protocols[i] = (struct fw_case){fw_value(i), fw_value(i), set};
	}
	return fw_space_cases(spaces, FW_VAR_PROTOCOL, protocols, FW_LENGTH(protocols));
}

/* An interface that is there, or none. */
static struct fw_case ends(bool there, unsigned interfaces, fw_space set) {
	return (struct fw_case){fw_value(there), fw_value(there ? interfaces : 0), set};
}

static fw_space through(
	struct fw_spaces *spaces, bool in, bool out, unsigned interfaces, fw_space rest) {
	struct fw_case to = ends(out, interfaces, rest);
	struct fw_case from = ends(in, interfaces, fw_space_cases(spaces, FW_VAR_OUT, &to, 1));
	return fw_space_cases(spaces, FW_VAR_IN, &from, 1);
}

fw_space fw_space_universe(struct fw_spaces *spaces, unsigned interfaces) {
	assert(interfaces > 0 && interfaces <= UINT16_MAX);
	const struct fw_case families[] = {
		{fw_value(FW_IPV4), fw_value(FW_IPV4), of_family(spaces, FW_IPV4)},
		{fw_value(FW_IPV6), fw_value(FW_IPV6), of_family(spaces, FW_IPV6)},
	};
	fw_space rest = fw_space_cases(spaces, FW_VAR_FAMILY, families, FW_LENGTH(families));
	const struct fw_case hooks[] = {
		{fw_value(1), fw_value(1), through(spaces, true, false, interfaces, rest)},
		{fw_value(2), fw_value(2), through(spaces, false, true, interfaces, rest)},
		{fw_value(3), fw_value(3), through(spaces, true, true, interfaces, rest)},
	};
	return fw_space_cases(spaces, FW_VAR_HOOK, hooks, FW_LENGTH(hooks));
}
