// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Single packets: whether a set has one, and one of a set that a person would take for real. No
 * node but FW_SPACE_EMPTY is empty, so the choice is made variable by variable and never taken
 * back.
 */

#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "space/diagram.h"

enum {
	ECHO_REQUEST = 8,
	ECHO_REQUEST_V6 = 128,
	FLAG_SYN = 2,
	FLAG_ACK = 16,
	HOP_LIMIT = 64,
	NETWORK_MAX = 126, /* a longer prefix has no address of its own */
};

bool fw_space_contains(const struct fw_spaces *spaces, fw_space set, const struct fw_point *point) {
	if (set == FW_SPACE_EXHAUSTED) {
		return false;
	}
	while (set > FW_SPACE_ALL) {
		unsigned level = fw_space_level(spaces, set);
		struct fw_addr value = point->values[spaces->order.vars[level]];
		set = fw_space_follow(spaces, set, level, value);
	}
	return set == FW_SPACE_ALL;
}

/* ---- what looks natural ---- */

/* Values to look for before others, in this order. 0: any family, any protocol. */
struct preference {
	enum fw_var var;
	uint8_t family, protocol;
	struct fw_addr low, high;
};

#define ONE(number)                                                                                \
	{0, (number)}, {                                                                           \
		0, (number)                                                                        \
	}
#define FROM_TO(low, high)                                                                         \
	{0, (low)}, {                                                                              \
		0, (high)                                                                          \
	}

static const struct preference preferences[] = {
	{FW_VAR_PROTOCOL, 0, 0, ONE(IPPROTO_TCP)},
	{FW_VAR_PROTOCOL, 0, 0, ONE(IPPROTO_UDP)},
	{FW_VAR_PROTOCOL, FW_IPV4, 0, ONE(IPPROTO_ICMP)},
	{FW_VAR_PROTOCOL, FW_IPV6, 0, ONE(IPPROTO_ICMPV6)},
	/* Private, then public without loopback, multicast and the networks 0 and 240 up. */
	{FW_VAR_SOURCE, FW_IPV4, 0, FROM_TO(0x0a000000, 0x0affffff)},
	{FW_VAR_SOURCE, FW_IPV4, 0, FROM_TO(0xc0a80000, 0xc0a8ffff)},
	{FW_VAR_SOURCE, FW_IPV4, 0, FROM_TO(0xac100000, 0xac1fffff)},
	{FW_VAR_SOURCE, FW_IPV4, 0, FROM_TO(0x01000000, 0x7effffff)},
	{FW_VAR_SOURCE, FW_IPV4, 0, FROM_TO(0x80000000, 0xdfffffff)},
	/* fd00::/8, global unicast, link-local. */
	{FW_VAR_SOURCE, FW_IPV6, 0, {0xfd00000000000000, 0}, {0xfdffffffffffffff, UINT64_MAX}},
	{FW_VAR_SOURCE, FW_IPV6, 0, {0x2000000000000000, 0}, {0x3fffffffffffffff, UINT64_MAX}},
	{FW_VAR_SOURCE, FW_IPV6, 0, {0xfe80000000000000, 0}, {0xfebfffffffffffff, UINT64_MAX}},
	{FW_VAR_SOURCE_PORT, 0, IPPROTO_ICMP, ONE(ECHO_REQUEST)},
	{FW_VAR_SOURCE_PORT, 0, IPPROTO_ICMPV6, ONE(ECHO_REQUEST_V6)},
	{FW_VAR_SOURCE_PORT, 0, 0, FROM_TO(49152, UINT16_MAX)},
	{FW_VAR_SOURCE_PORT, 0, 0, FROM_TO(1024, 49151)},
	{FW_VAR_PORT, 0, IPPROTO_TCP, ONE(80)},
	{FW_VAR_PORT, 0, IPPROTO_TCP, FROM_TO(1, UINT16_MAX)},
	{FW_VAR_PORT, 0, IPPROTO_UDP, ONE(53)},
	{FW_VAR_PORT, 0, IPPROTO_UDP, FROM_TO(1, UINT16_MAX)},
	{FW_VAR_FLAGS, 0, IPPROTO_TCP, ONE(FLAG_SYN)},
	{FW_VAR_FLAGS, 0, IPPROTO_TCP, ONE(FLAG_ACK)},
	{FW_VAR_HOP_LIMIT, FW_IPV6, 0, ONE(HOP_LIMIT)},
	{FW_VAR_HOP_LIMIT, FW_IPV6, 0, ONE(UINT8_MAX)},
};

static bool is_address(enum fw_var var) {
	return var == FW_VAR_SOURCE || var == FW_VAR_DESTINATION;
}

static bool applies(
	const struct preference *preference, enum fw_var var, const struct fw_point *point) {
	/* Destinations are as sources are. */
	enum fw_var like = is_address(var) ? FW_VAR_SOURCE : var;
	return preference->var == like &&
	       (preference->family == 0 ||
		       preference->family == point->values[FW_VAR_FAMILY].low) &&
	       (preference->protocol == 0 ||
		       preference->protocol == point->values[FW_VAR_PROTOCOL].low);
}

/* ---- choosing ---- */

/*
 * Addresses and ports are chosen before flags and the like, which stand above them: so by what is
 * below all of these at once, the fronts, and then what leads to a front that has them is left.
 */
struct front {
	fw_space start;
	struct fw_walk walk; /* from where the choice has led to */
	fw_space at, last;
};

struct choice {
	const struct fw_spaces *spaces;
	fw_space set;		     /* what is left, as far as it is above the fronts */
	FW_VEC(struct front) fronts; /* by their starts */
	FW_VEC(fw_space) starts;     /* of fronts to be */
	struct fw_point point;
};

static bool is_above(const struct fw_spaces *spaces, fw_space set) {
	return fw_space_level(spaces, set) < spaces->order.levels[FW_VAR_SOURCE];
}

static int compare_starts(const void *left, const void *right) {
	const fw_space *a = left, *b = right;
	return (*a > *b) - (*a < *b);
}

static bool is_front(const struct choice *choice, fw_space set) {
	/* The start is what a front begins with, and they are in that order. */
	return choice->fronts.count != 0 &&
	       bsearch(&set, choice->fronts.items, choice->fronts.count,
		       sizeof(*choice->fronts.items), compare_starts) != NULL;
}

/* All that paths lead to, some more than once. */
static void find_starts(struct choice *choice, fw_space set) {
	const struct fw_spaces *spaces = choice->spaces;
	if (!is_above(spaces, set)) {
		if (set != FW_SPACE_EMPTY) {
			FW_VEC_ADD(&choice->starts, set);
		}
		return;
	}
	for (struct fw_walk walk = fw_walk(spaces, set, fw_space_level(spaces, set));
		walk.index < walk.count; walk.index++) {
		find_starts(choice, fw_walk_child(spaces, &walk));
	}
}

static void find_fronts(struct choice *choice) {
	find_starts(choice, choice->set);
	assert(choice->starts.count != 0); /* no node is empty */
	qsort(choice->starts.items, choice->starts.count, sizeof(*choice->starts.items),
		compare_starts);
	for (size_t i = 0; i < choice->starts.count; i++) {
		fw_space start = choice->starts.items[i];
		if (i == 0 || start != choice->starts.items[i - 1]) {
			FW_VEC_ADD(&choice->fronts, (struct front){.start = start, .at = start});
		}
	}
	FW_VEC_FINI(&choice->starts);
}

/* Whether a front is left that it leads to. */
static bool leads_on(struct choice *choice, fw_space set) {
	const struct fw_spaces *spaces = choice->spaces;
	if (!is_above(spaces, set)) {
		return set != FW_SPACE_EMPTY &&
		       (choice->fronts.count == 0 || is_front(choice, set));
	}
	for (struct fw_walk walk = fw_walk(spaces, set, fw_space_level(spaces, set));
		walk.index < walk.count; walk.index++) {
		if (leads_on(choice, fw_walk_child(spaces, &walk))) {
			return true;
		}
	}
	return false;
}

static bool overlap(struct fw_interval among, struct fw_addr first, struct fw_addr last,
	struct fw_interval *out) {
	out->low = fw_less(first, among.low) ? among.low : first;
	out->high = fw_less(among.high, last) ? among.high : last;
	return !fw_less(last, among.low) && !fw_less(among.high, first);
}

/* The first values in `among` that some packet has, above the fronts. */
static bool find_above(struct choice *choice, unsigned level, struct fw_interval among,
	struct fw_interval *out_values) {
	const struct fw_spaces *spaces = choice->spaces;
	struct fw_addr first = {0, 0};
	for (struct fw_walk walk = fw_walk(spaces, choice->set, level); walk.index < walk.count;
		walk.index++) {
		struct fw_addr last = fw_walk_last(spaces, &walk);
		if (overlap(among, first, last, out_values) &&
			leads_on(choice, fw_walk_child(spaces, &walk))) {
			return true;
		}
		first = fw_addr_next(last);
	}
	return false;
}

/* Up to where no front changes. */
static struct fw_addr step_end(struct choice *choice) {
	struct fw_addr end = fw_walk_last(choice->spaces, &choice->fronts.items[0].walk);
	for (size_t i = 1; i < choice->fronts.count; i++) {
		struct fw_addr last = fw_walk_last(choice->spaces, &choice->fronts.items[i].walk);
		end = fw_less(last, end) ? last : end;
	}
	return end;
}

/* Whether all fronts are what they were a step before; `out_any`: whether any of them is left. */
static bool is_unchanged(struct choice *choice, bool *out_any) {
	bool same = true;
	*out_any = false;
	for (size_t i = 0; i < choice->fronts.count; i++) {
		struct front *front = &choice->fronts.items[i];
		fw_space child = fw_walk_child(choice->spaces, &front->walk);
		same = same && child == front->last;
		*out_any = *out_any || child != FW_SPACE_EMPTY;
		front->last = child;
	}
	return same;
}

static void step(struct choice *choice, struct fw_addr end) {
	for (size_t i = 0; i < choice->fronts.count; i++) {
		struct fw_walk *walk = &choice->fronts.items[i].walk;
		walk->index += fw_same(fw_walk_last(choice->spaces, walk), end);
	}
}

/* The same in the fronts. Values that no packet tells apart are together. */
static bool find_in_fronts(struct choice *choice, unsigned level, struct fw_interval among,
	struct fw_interval *out_values) {
	struct fw_addr from = among.low, end = among.low;
	bool any = false;
	for (size_t i = 0; i < choice->fronts.count; i++) {
		struct front *front = &choice->fronts.items[i];
		front->walk = fw_walk(choice->spaces, front->at, level);
		front->last = FW_SPACE_EXHAUSTED;
		fw_walk_to(choice->spaces, &front->walk, among.low);
	}
	for (;;) {
		bool before = any;
		if (!is_unchanged(choice, &any)) {
			if (before) {
				out_values->high = end;
				return true;
			}
			out_values->low = from;
		}
		end = step_end(choice);
		if (!fw_less(end, among.high)) {
			out_values->high = among.high;
			return any;
		}
		step(choice, end);
		from = fw_addr_next(end);
	}
}

static bool find_values(struct choice *choice, enum fw_var var, struct fw_interval among,
	struct fw_interval *out_values) {
	unsigned level = choice->spaces->order.levels[var];
	bool above = level < choice->spaces->order.levels[FW_VAR_SOURCE];
	return above ? find_above(choice, level, among, out_values)
		     : find_in_fronts(choice, level, among, out_values);
}

static struct fw_interval find_preferred(struct choice *choice, enum fw_var var) {
	struct fw_interval values;
	for (size_t i = 0; i < FW_LENGTH(preferences); i++) {
		const struct preference *preference = &preferences[i];
		struct fw_interval among = {preference->low, preference->high};
		if (applies(preference, var, &choice->point) &&
			find_values(choice, var, among, &values)) {
			return values;
		}
	}
	bool any = find_values(choice, var, (struct fw_interval){{0, 0}, fw_var_max[var]}, &values);
	assert(any); /* no node is empty */
	return values;
}

static void follow(struct choice *choice, enum fw_var var, struct fw_addr value) {
	unsigned level = choice->spaces->order.levels[var];
	if (level < choice->spaces->order.levels[FW_VAR_SOURCE]) {
		choice->set = fw_space_follow(choice->spaces, choice->set, level, value);
		return;
	}
	size_t kept = 0;
	for (size_t i = 0; i < choice->fronts.count; i++) {
		struct front front = choice->fronts.items[i];
		front.at = fw_space_follow(choice->spaces, front.at, level, value);
		if (front.at != FW_SPACE_EMPTY) {
			choice->fronts.items[kept++] = front;
		}
	}
	choice->fronts.count = kept;
}

/*
 * A host of the addresses: not that of a network, nor, if it can be helped, the one given. What is
 * a prefix of IPv4 is one among the numbers of 128 bits, too.
 */
static struct fw_addr choose_host(struct fw_interval values, struct fw_addr other) {
	struct fw_range range = {values.low, values.high, FW_IPV6};
	int length = fw_range_prefix_length(&range);
	bool network = (length >= 0 && length <= NETWORK_MAX) || (values.low.low & UINT8_MAX) == 0;
	struct fw_addr host = values.low;
	if (network && fw_less(host, values.high)) {
		host = fw_addr_next(host);
	}
	if (fw_same(host, other) && fw_less(host, values.high)) {
		host = fw_addr_next(host);
	}
	return host;
}

struct fw_point fw_space_witness(const struct fw_spaces *spaces, fw_space set) {
	assert(set != FW_SPACE_EMPTY && set != FW_SPACE_EXHAUSTED);
	struct choice choice = {.spaces = spaces, .set = set};
	for (size_t i = 1; i < FW_VAR_COUNT; i++) {
		enum fw_var var = fw_var_listed[i];
		if (var == FW_VAR_SOURCE) {
			find_fronts(&choice);
		}
		struct fw_interval values = find_preferred(&choice, var);
		struct fw_addr chosen = values.low;
		if (is_address(var)) {
			chosen = choose_host(values, choice.point.values[FW_VAR_SOURCE]);
		}
		choice.point.values[var] = chosen;
		follow(&choice, var, chosen);
	}
	assert(is_front(&choice, choice.set));
	FW_VEC_FINI(&choice.fronts);
	return choice.point;
}
