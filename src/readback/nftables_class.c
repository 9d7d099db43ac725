// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Matches that ask for more than sets of packets tell, where packets tell something of it: which
 * types an address can have, how a packet can have come over its link.
 */

#include "readback/nftables_rule.h"

#include <netinet/in.h>
#include <string.h>

#include <linux/if_packet.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/rtnetlink.h>

/* ---- classes ---- */

/* Enough for each protocol to be two. */
enum { CLASSES_MAX = 2 * (UINT8_MAX + 1) };

/* The number of the loopback interface. */
enum { LOOPBACK = 1 };

struct classing {
	struct fw_running *run;
	struct fw_spaces *spaces;
	struct fw_class *items;
	size_t count;
};

static struct classing begin(struct fw_running *run) {
	struct classing classing = {
		.run = run,
		.spaces = fw_rule_spaces(run),
		.items = FW_ARENA_ARRAY(run->lowering->arena, struct fw_class, CLASSES_MAX),
	};
	return classing;
}

static void add(struct classing *classing, fw_space set, uint32_t number, unsigned length) {
	struct fw_class *item = &classing->items[classing->count++];
	uint8_t small = (uint8_t)number;

	item->set = set;
	memcpy(item->bytes, length == 1 ? (const void *)&small : (const void *)&number, length);
}

static struct fw_part end(struct classing *classing, unsigned length, const char *what) {
	struct fw_classes *classes =
		FW_ARENA_NEW(classing->run->lowering->arena, struct fw_classes);

	*classes = (struct fw_classes){classing->items, classing->count, what};
	return fw_part_classes(classes, length);
}

static fw_space is(struct classing *classing, enum fw_var var, uint64_t value) {
	return fw_rule_is(classing->run, var, value);
}

static fw_space both(struct classing *classing, fw_space a, fw_space b) {
	return fw_space_intersect(classing->spaces, a, b);
}

static fw_space without(struct classing *classing, fw_space a, fw_space b) {
	return fw_space_subtract(classing->spaces, a, b);
}

static fw_space between4(struct classing *classing, enum fw_var var, uint32_t low, uint32_t high) {
	return both(classing, is(classing, FW_VAR_FAMILY, FW_IPV4),
		fw_space_interval(classing->spaces, var, fw_value(low), fw_value(high)));
}

static fw_space multicast6(struct classing *classing, enum fw_var var) {
	return both(classing, is(classing, FW_VAR_FAMILY, FW_IPV6),
		fw_space_interval(classing->spaces, var, (struct fw_addr){UINT64_C(0xff) << 56, 0},
			(struct fw_addr){UINT64_MAX, UINT64_MAX}));
}

static fw_space multicast4(struct classing *classing, enum fw_var var) {
	return between4(classing, var, UINT32_C(0xe0000000), UINT32_C(0xefffffff));
}

/* ---- types of addresses ---- */

static void add_types(
	struct classing *classing, fw_space set, const uint32_t *types, size_t count) {
	for (size_t i = 0; i < count; i++) {
		add(classing, set, types[i], sizeof(types[i]));
	}
}

#define ADD_TYPES(classing, set, ...)                                                              \
	do {                                                                                       \
		static const uint32_t types[] = {__VA_ARGS__};                                     \
		add_types((classing), (set), types, FW_LENGTH(types));                             \
	} while (0)

static bool assumes(const struct classing *classing, enum fw_rb_assumption assumption) {
	return (classing->run->lowering->assumed & (unsigned)assumption) != 0;
}

/* What comes by the loopback interface, or goes there, has the machine at both ends. */
static fw_space loopback(struct classing *classing) {
	return fw_space_union(classing->spaces, is(classing, FW_VAR_IN, LOOPBACK),
		is(classing, FW_VAR_OUT, LOOPBACK));
}

/* Packets whose address is the machine's, or if it is a destination, one of its networks'. Before
 * routing they have no hook. */
static fw_space own(struct classing *classing, enum fw_var var) {
	struct fw_spaces *spaces = classing->spaces;
	fw_space set;

	if (var == FW_VAR_SOURCE) {
		return assumes(classing, FW_RB_ASSUME_SPOOFED)
			       ? FW_SPACE_ALL
			       : fw_space_union(spaces, is(classing, FW_VAR_HOOK, FW_RB_OUTPUT),
					 is(classing, FW_VAR_IN, LOOPBACK));
	}
	set = fw_space_union(spaces, is(classing, FW_VAR_HOOK, FW_RB_INPUT), loopback(classing));
	return assumes(classing, FW_RB_ASSUME_FOREIGN)
		       ? set
		       : fw_space_union(spaces, set, is(classing, FW_VAR_HOOK, FW_RB_NONE));
}

/* Packets that are assumed to be sent to all of a network, or any of it. */
static fw_space to_many(struct classing *classing, enum fw_var var) {
	if (var == FW_VAR_SOURCE || !assumes(classing, FW_RB_ASSUME_BROADCAST)) {
		return FW_SPACE_EMPTY;
	}
	return without(classing,
		fw_space_interval(classing->spaces, FW_VAR_HOOK, fw_value(FW_RB_NONE),
			fw_value(FW_RB_OUTPUT)),
		loopback(classing));
}

static void add_types4(struct classing *classing, enum fw_var var, bool by_device) {
	fw_space broadcast = fw_space_union(classing->spaces, between4(classing, var, 0, 0),
		between4(classing, var, UINT32_MAX, UINT32_MAX));
	fw_space multicast = multicast4(classing, var);
	fw_space rest = without(classing, is(classing, FW_VAR_FAMILY, FW_IPV4), broadcast);

	rest = without(classing, rest, multicast);
	ADD_TYPES(classing, broadcast, RTN_BROADCAST);
	ADD_TYPES(classing, multicast, RTN_MULTICAST);
	if (by_device) {
		ADD_TYPES(classing, rest, RTN_UNICAST, RTN_LOCAL, RTN_BROADCAST);
		return;
	}
	fw_space local = between4(classing, var, UINT32_C(0x7f000001), UINT32_C(0x7ffffffe));
	fw_space many = both(classing, without(classing, rest, local), to_many(classing, var));
	rest = without(classing, rest, many);
	local = fw_space_union(classing->spaces, local, both(classing, rest, own(classing, var)));
	ADD_TYPES(classing, many, RTN_BROADCAST);
	ADD_TYPES(classing, local, RTN_LOCAL);
	ADD_TYPES(classing, without(classing, rest, local), RTN_UNICAST);
}

/* There is no broadcast, but any one of a network; and routes that refuse packets have types of
 * their own, where none of them was taken yet. */
static void add_types6(struct classing *classing, enum fw_var var, bool by_device) {
	fw_space multicast = multicast6(classing, var);
	fw_space rest = without(classing, is(classing, FW_VAR_FAMILY, FW_IPV6), multicast);

	ADD_TYPES(classing, multicast, RTN_MULTICAST);
	if (by_device) {
		ADD_TYPES(classing, rest, RTN_UNSPEC, RTN_UNICAST, RTN_LOCAL, RTN_ANYCAST,
			RTN_BLACKHOLE, RTN_UNREACHABLE, RTN_PROHIBIT, RTN_THROW);
		return;
	}
	fw_space many = both(classing, rest, to_many(classing, var));
	rest = without(classing, rest, many);
	fw_space local = both(classing, rest, own(classing, var));
	rest = without(classing, rest, local);
	fw_space unrouted = both(classing, rest,
		var == FW_VAR_SOURCE ? FW_SPACE_ALL : is(classing, FW_VAR_HOOK, FW_RB_NONE));
	ADD_TYPES(classing, many, RTN_ANYCAST);
	ADD_TYPES(classing, local, RTN_LOCAL);
	ADD_TYPES(classing, rest, RTN_UNICAST);
	ADD_TYPES(classing, unrouted, RTN_UNSPEC, RTN_ANYCAST, RTN_BLACKHOLE, RTN_UNREACHABLE,
		RTN_PROHIBIT, RTN_THROW);
}

/* The first rule that asks for it. */
static void note_asking(struct fw_running *run, const struct fw_place **asks) {
	if (*asks == NULL) {
		*asks = fw_rb_copy(run->lowering->arena, &run->place, 1, sizeof(run->place));
	}
}

struct fw_part fw_class_address_type(struct fw_running *run, enum fw_var var, bool by_device) {
	struct classing classing = begin(run);

	note_asking(run, var == FW_VAR_SOURCE ? &run->lowering->asks_source
					      : &run->lowering->asks_destination);
	add_types4(&classing, var, by_device);
	add_types6(&classing, var, by_device);
	return end(&classing, sizeof(uint32_t),
		by_device ? "the match 'fib', on addresses of an interface"
			  : "the match 'fib', on addresses that no route leads to");
}

/* ---- the others ---- */

/* What was for another machine on the link, or for all of them, is forwarded only if it is
 * multicast. */
struct fw_part fw_class_link_type(struct fw_running *run) {
	struct classing classing = begin(run);
	fw_space multicast =
		fw_space_union(classing.spaces, multicast4(&classing, FW_VAR_DESTINATION),
			multicast6(&classing, FW_VAR_DESTINATION));
	fw_space sent = is(&classing, FW_VAR_HOOK, FW_RB_OUTPUT);
	fw_space forwarded =
		without(&classing, is(&classing, FW_VAR_HOOK, FW_RB_FORWARD), multicast);
	fw_space rest = without(&classing, without(&classing, FW_SPACE_ALL, sent), forwarded);

	add(&classing, FW_SPACE_ALL, PACKET_HOST, 1);
	add(&classing, rest, PACKET_BROADCAST, 1);
	add(&classing, rest, PACKET_MULTICAST, 1);
	return end(&classing, 1, "the match 'meta pkttype'");
}

/* A new connection's packets are from who began it. */
struct fw_part fw_class_direction(struct fw_running *run) {
	struct classing classing = begin(run);

	add(&classing, FW_SPACE_ALL, IP_CT_DIR_ORIGINAL, 1);
	add(&classing,
		without(&classing, FW_SPACE_ALL, is(&classing, FW_VAR_TRACKING, FW_TRACKING_NEW)),
		IP_CT_DIR_REPLY, 1);
	return end(&classing, 1, "the match 'ct direction'");
}

/* Other headers may stand before the protocol's. */
struct fw_part fw_class_next_header(struct fw_running *run) {
	static const uint8_t others[] = {IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_FRAGMENT,
		IPPROTO_AH, IPPROTO_DSTOPTS, IPPROTO_MH, 139 /* HIP */, 140 /* Shim6 */};
	struct classing classing = begin(run);

	for (unsigned i = 0; i <= UINT8_MAX; i++) {
		add(&classing, is(&classing, FW_VAR_PROTOCOL, i), i, 1);
	}
	for (size_t i = 0; i < FW_LENGTH(others); i++) {
		add(&classing, FW_SPACE_ALL, others[i], 1);
	}
	return end(&classing, 1, "the match 'ip6 nexthdr', before which other headers may be");
}
