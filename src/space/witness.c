// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Single packets: whether a set has one, and one of a set that a person would take for real. No
 * node but FW_SPACE_EMPTY is empty, so the choice is made variable by variable and never taken
 * back.
 */

#include <assert.h>
#include <netinet/in.h>

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
		unsigned var = fw_space_var(spaces, set);
		set = fw_space_follow(spaces, set, var, point->values[var]);
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

/* The first values in low to high that some packet of the set has. */
static bool find_values(const struct fw_spaces *spaces, fw_space set, enum fw_var var,
	struct fw_interval among, struct fw_interval *out_values) {
	struct fw_addr first = {0, 0};
	for (struct fw_walk walk = fw_walk(spaces, set, var); walk.index < walk.count;
		walk.index++) {
		struct fw_addr last = fw_walk_last(spaces, &walk);
		if (fw_walk_child(spaces, &walk) != FW_SPACE_EMPTY && !fw_less(last, among.low) &&
			!fw_less(among.high, first)) {
			out_values->low = fw_less(first, among.low) ? among.low : first;
			out_values->high = fw_less(among.high, last) ? among.high : last;
			return true;
		}
		first = fw_addr_next(last);
	}
	return false;
}

static struct fw_interval find_preferred(const struct fw_spaces *spaces, fw_space set,
	enum fw_var var, const struct fw_point *point) {
	struct fw_interval values;
	for (size_t i = 0; i < FW_LENGTH(preferences); i++) {
		const struct preference *preference = &preferences[i];
		struct fw_interval among = {preference->low, preference->high};
		if (applies(preference, var, point) &&
			find_values(spaces, set, var, among, &values)) {
			return values;
		}
	}
	bool any = find_values(
		spaces, set, var, (struct fw_interval){{0, 0}, fw_var_max[var]}, &values);
	assert(any); /* no node is empty */
	return values;
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
	struct fw_point point = {0};
	for (unsigned var = FW_VAR_NONE + 1; var < FW_VAR_COUNT; var++) {
		struct fw_interval values = find_preferred(spaces, set, var, &point);
		struct fw_addr chosen = values.low;
		if (is_address(var)) {
			chosen = choose_host(values, point.values[FW_VAR_SOURCE]);
		}
		point.values[var] = chosen;
		set = fw_space_follow(spaces, set, var, chosen);
	}
	assert(set == FW_SPACE_ALL);
	return point;
}
