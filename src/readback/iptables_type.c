// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The match addrtype, which asks what the machine's routes make of an address: it is local, one
 * of many, and so on. No text tells the machine's addresses, but hooks do: what comes in is sent to
 * one of them, what goes out comes from one, and what is forwarded has none of them. What is not as
 * usual is for assume.c to try.
 */

#include "readback/iptables.h"

#include <strings.h>

enum {
	OPTION_NONE,
	OPTION_SOURCE,
	OPTION_DESTINATION,
	OPTION_INTERFACE,
};

/* ---- options ---- */

static const struct {
	const char *name;
	unsigned bit; /* 0: not understood */
} names[] = {
	{"UNSPEC", FW_IPT_UNSPECIFIED},
	{"UNICAST", FW_IPT_UNICAST},
	{"LOCAL", FW_IPT_LOCAL},
	{"BROADCAST", FW_IPT_ALL_OF_A_NETWORK},
	{"MULTICAST", FW_IPT_MULTICAST},
	{"ANYCAST", FW_IPT_NO_TYPE},
	{"BLACKHOLE", FW_IPT_NO_TYPE},
	{"UNREACHABLE", FW_IPT_NO_TYPE},
	{"PROHIBIT", FW_IPT_NO_TYPE},
	{"THROW", FW_IPT_NO_TYPE},
	{"NAT", FW_IPT_NO_TYPE},
	{"XRESOLVE", FW_IPT_NO_TYPE},
};

/* False: it is none. */
static bool find_type(struct fw_slice name, unsigned *out) {
	for (size_t i = 0; i < FW_LENGTH(names); i++) {
		if (name.length != 0 && strncasecmp(name.data, names[i].name, name.length) == 0 &&
			names[i].name[name.length] == 0) {
			*out = names[i].bit;
			return true;
		}
	}
	return false;
}

/* In IPv6 several types would all have to be an address's, and there is no broadcast; in IPv4 the
 * kernel has no address without a type. */
static bool parse_types(struct fw_ipt_parse *parse, struct fw_slice text, unsigned *out) {
	unsigned odd = parse->family == FW_IPV4 ? FW_IPT_UNSPECIFIED : FW_IPT_ALL_OF_A_NETWORK;
	unsigned types = 0;
	size_t count = 0;
	bool known = true;

	while (text.data != NULL) {
		struct fw_slice part = fw_slice_cut(&text, ',');
		unsigned type = FW_IPT_NO_TYPE;
		if (!find_type(part, &type)) {
			fw_ipt_wrong_value(parse, "the type of address", part);
		}
		known = known && type != FW_IPT_NO_TYPE && type != odd;
		types |= type;
		count++;
	}
	*out = known ? types : 0;
	return known && (parse->family == FW_IPV4 || count == 1);
}

static void take(struct fw_ipt_parse *parse, struct fw_ipt_instance *instance,
	const struct fw_ipt_value *value) {
	struct fw_ipt_kinds *kinds = &instance->kinds;
	size_t side = value->option == OPTION_DESTINATION;

	if (value->option == OPTION_INTERFACE) {
		kinds->limited = true;
		return;
	}
	if (!parse_types(parse, value->text, &kinds->types[side])) {
		kinds->unknown = fw_ipt_describe(parse->pool, "the type of address", value->text);
	}
	kinds->inverted[side] = value->inverted;
}

static void finish(struct fw_ipt_parse *parse, struct fw_ipt_instance *instance) {
	const struct fw_ipt_kinds *kinds = &instance->kinds;

	for (size_t side = 0; side < FW_LENGTH(kinds->types); side++) {
		if (kinds->types[side] == 0) {
			continue;
		}
		fw_ipt_ask(parse,
			(struct fw_ipt_cond){
				.kind = FW_IPT_TYPE,
				.inverted = kinds->inverted[side],
				.var = (uint16_t)(side == 0 ? FW_VAR_SOURCE : FW_VAR_DESTINATION),
				.numbers = {kinds->types[side]},
			});
		if (kinds->limited && kinds->types[side] != FW_IPT_MULTICAST) {
			fw_ipt_ask_unknown(parse, "whether an address is an interface's own");
		}
	}
	if (kinds->unknown != NULL) {
		fw_ipt_ask_unknown(parse, kinds->unknown);
	}
}

static const struct fw_ipt_option options[] = {
	{"src-type", OPTION_SOURCE, 1},
	{"dst-type", OPTION_DESTINATION, 1},
	{"limit-iface-in", OPTION_INTERFACE, 0},
	{"limit-iface-out", OPTION_INTERFACE, 0},
};

const struct fw_ipt_match fw_ipt_addrtype = {
	"addrtype", FW_FAMILY_NONE, options, FW_LENGTH(options), take, finish, true};

/* ---- packets ---- */

static fw_space is(struct fw_spaces *spaces, enum fw_var var, uint64_t value) {
	return fw_space_interval(spaces, var, fw_value(value), fw_value(value));
}

/* Addresses as `text` has them, a prefix. */
static fw_space prefix(
	const struct fw_ipt_lowering *lowering, enum fw_var var, const char *v4, const char *v6) {
	enum fw_family family = lowering->text->family;
	const char *text = family == FW_IPV4 ? v4 : v6;
	struct fw_range range;

	if (text == NULL || !fw_ipt_address(family, fw_slice(text), &range)) {
		return FW_SPACE_EMPTY;
	}
	return fw_space_interval(lowering->spaces, var, range.first, range.last);
}

/* What comes by the interface lo, or goes there, has this machine at both ends. */
static fw_space loopback_space(struct fw_spaces *spaces) {
	return fw_space_union(spaces, is(spaces, FW_VAR_IN, 1), is(spaces, FW_VAR_OUT, 1));
}

/* Packets whose destination is one of this machine's addresses, be it as one of a network's. Before
 * routing they have no hook. */
static fw_space own_destination(const struct fw_ipt_lowering *lowering) {
	struct fw_spaces *spaces = lowering->spaces;
	fw_space in = is(spaces, FW_VAR_HOOK, FW_RB_INPUT);

	if ((lowering->assumed & FW_RB_ASSUME_FOREIGN) == 0) {
		in = fw_space_union(spaces, in, is(spaces, FW_VAR_HOOK, FW_RB_NONE));
	}
	return fw_space_union(spaces, in, loopback_space(spaces));
}

static fw_space own_source(const struct fw_ipt_lowering *lowering) {
	struct fw_spaces *spaces = lowering->spaces;

	if ((lowering->assumed & FW_RB_ASSUME_SPOOFED) != 0) {
		return FW_SPACE_ALL;
	}
	return fw_space_union(
		spaces, is(spaces, FW_VAR_HOOK, FW_RB_OUTPUT), is(spaces, FW_VAR_IN, 1));
}

/* Packets that are assumed to be sent to all of a network. */
static fw_space broadcast_destination(const struct fw_ipt_lowering *lowering) {
	struct fw_spaces *spaces = lowering->spaces;

	if ((lowering->assumed & FW_RB_ASSUME_BROADCAST) == 0) {
		return FW_SPACE_EMPTY;
	}
	return fw_space_subtract(spaces,
		fw_space_interval(
			spaces, FW_VAR_HOOK, fw_value(FW_RB_NONE), fw_value(FW_RB_OUTPUT)),
		loopback_space(spaces));
}

/* Packets by the type of an address, of which each has one. */
struct types {
	fw_space multicast, broadcast, unspecified, local;
};

static struct types find_types(const struct fw_ipt_lowering *lowering, enum fw_var var) {
	struct fw_spaces *spaces = lowering->spaces;
	bool source = var == FW_VAR_SOURCE;
	struct types types = {
		.multicast = prefix(lowering, var, "224.0.0.0/4", "ff00::/8"),
		.broadcast = fw_space_union(spaces, prefix(lowering, var, "0.0.0.0", NULL),
			prefix(lowering, var, "255.255.255.255", NULL)),
		.unspecified = prefix(lowering, var, NULL, "::"),
	};
	fw_space odd = fw_space_union(spaces, types.multicast,
		fw_space_union(spaces, types.broadcast, types.unspecified));
	fw_space loopback = prefix(lowering, var, "127.0.0.0/8", "::1");
	fw_space many = source ? FW_SPACE_EMPTY : broadcast_destination(lowering);

	many = fw_space_subtract(spaces, many, fw_space_union(spaces, odd, loopback));
	types.local = source ? own_source(lowering) : own_destination(lowering);
	types.local = fw_space_subtract(spaces, types.local, fw_space_union(spaces, odd, many));
	types.local = fw_space_union(spaces, types.local, loopback);
	types.broadcast = fw_space_union(spaces, types.broadcast, many);
	return types;
}

/* In IPv6 a unicast address is any that is of no other kind, this machine's too (ipv6_addr_type);
 * one that holds an address of IPv4 is of no type at all. */
static fw_space unicast_space(
	const struct fw_ipt_lowering *lowering, const struct types *types, enum fw_var var) {
	struct fw_spaces *spaces = lowering->spaces;
	fw_space others = fw_space_union(spaces, types->multicast, types->broadcast);

	others = fw_space_union(spaces, others,
		lowering->text->family == FW_IPV4
			? types->local
			: fw_space_union(spaces, types->unspecified,
				  prefix(lowering, var, NULL, "::ffff:0:0/96")));
	return fw_space_complement(spaces, others);
}

fw_space fw_ipt_type_space(const struct fw_ipt_lowering *lowering, const struct fw_ipt_cond *cond) {
	enum fw_var var = (enum fw_var)cond->var;
	struct types types = find_types(lowering, var);
	const struct {
		unsigned bit;
		fw_space set;
	} all[] = {
		{FW_IPT_UNSPECIFIED, types.unspecified},
		{FW_IPT_UNICAST, unicast_space(lowering, &types, var)},
		{FW_IPT_LOCAL, types.local},
		{FW_IPT_ALL_OF_A_NETWORK, types.broadcast},
		{FW_IPT_MULTICAST, types.multicast},
	};
	fw_space set = FW_SPACE_EMPTY;

	for (size_t i = 0; i < FW_LENGTH(all); i++) {
		if ((cond->numbers[0] & all[i].bit) != 0) {
			set = fw_space_union(lowering->spaces, set, all[i].set);
		}
	}
	return set;
}
