// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is in a set of ipset, as packets. The ends that a match names, "src,dst", say with which
 * address and port of the packet the parts of the members are compared. Large sets are built from
 * their last part to the first, without a set in between for each member.
 */

#include "readback/iptables.h"

#include <netinet/in.h>
#include <stdlib.h>

struct builder {
	struct fw_spaces *spaces;
	const struct fw_ipt_set *set;
	unsigned ends;
};

struct case_list {
	FW_VEC(struct fw_case) list;
};

static enum fw_var address_var(const struct builder *builder, size_t part) {
	return (builder->ends >> part & 1) != 0 ? FW_VAR_DESTINATION : FW_VAR_SOURCE;
}

static enum fw_var port_var(const struct builder *builder, size_t part) {
	return (builder->ends >> part & 1) != 0 ? FW_VAR_PORT : FW_VAR_SOURCE_PORT;
}

static bool has_ports(uint8_t protocol) {
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP ||
	       protocol == IPPROTO_UDPLITE;
}

/* Packets of a protocol by what stands for a port: the kernel takes type and code of ICMP, and 0
 * in protocols that it knows no ports of. */
static fw_space port_space(
	const struct builder *builder, uint8_t protocol, struct fw_interval ports, size_t part) {
	struct fw_spaces *spaces = builder->spaces;

	if (has_ports(protocol)) {
		return fw_space_interval(spaces, port_var(builder, part), ports.low, ports.high);
	}
	if (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6) {
		struct fw_addr type = fw_value(ports.low.low >> 8);
		struct fw_addr code = fw_value(ports.low.low & UINT8_MAX);
		return fw_space_intersect(spaces,
			fw_space_interval(spaces, FW_VAR_SOURCE_PORT, type, type),
			fw_space_interval(spaces, FW_VAR_PORT, code, code));
	}
	return ports.low.low == 0 ? FW_SPACE_ALL : FW_SPACE_EMPTY;
}

static fw_space protocol_space(struct fw_spaces *spaces, uint8_t protocol) {
	return fw_space_interval(spaces, FW_VAR_PROTOCOL, fw_value(protocol), fw_value(protocol));
}

/* ---- addresses alone ---- */

/* How many addresses; of two prefixes in each other the smaller one counts. */
static struct fw_addr width(const struct fw_ipt_member *member) {
	const struct fw_interval *part = &member->parts[0];
	uint64_t borrow = part->high.low < part->low.low;

	return (struct fw_addr){
		part->high.high - part->low.high - borrow, part->high.low - part->low.low};
}

/* Whether the smallest member that holds an address is one that is in the set. */
static bool smallest_is_in(const struct fw_ipt_set *set, const uint32_t *items, size_t count) {
	const struct fw_ipt_member *best = &set->members[items[0]];

	for (size_t i = 1; i < count; i++) {
		const struct fw_ipt_member *member = &set->members[items[i]];
		if (fw_addr_compare(width(member), width(best)) < 0) {
			best = member;
		}
	}
	return !best->excluded;
}

static void add_case(
	struct case_list *cases, struct fw_addr low, struct fw_addr high, fw_space set) {
	struct fw_case *last =
		cases->list.count != 0 ? &cases->list.items[cases->list.count - 1] : NULL;

	if (last != NULL && last->set == set &&
		fw_addr_compare(fw_addr_next(last->high), low) == 0) {
		last->high = high;
	} else if (set != FW_SPACE_EMPTY) {
		FW_VEC_ADD(&cases->list, (struct fw_case){low, high, set});
	}
}

/* The members' intervals of one part; only those of a protocol, or all for -1. */
struct items {
	FW_VEC(struct fw_ipt_item) list;
	FW_VEC(uint32_t) members;
};

static void items_fini(struct items *items) {
	FW_VEC_FINI(&items->list);
	FW_VEC_FINI(&items->members);
}

static void collect(const struct fw_ipt_set *set, size_t part, int protocol, struct items *out) {
	for (size_t i = 0; i < set->member_count; i++) {
		const struct fw_ipt_member *member = &set->members[i];
		if (protocol < 0 || member->protocol == protocol) {
			FW_VEC_ADD(&out->list, (struct fw_ipt_item){member->parts[part].low,
						       member->parts[part].high});
			FW_VEC_ADD(&out->members, (uint32_t)i);
		}
	}
}

static bool build_addresses(const struct builder *builder, fw_space *out) {
	struct items items FW_AUTO(items_fini) = {0};
	struct fw_ipt_sweep sweep FW_AUTO(fw_ipt_sweep_fini) = {0};
	struct case_list cases = {0};

	collect(builder->set, 0, -1, &items);
	if (!fw_ipt_sweep_run(&sweep, items.list.items, items.list.count)) {
		return false;
	}
	for (size_t i = 0; i < sweep.slices.count; i++) {
		const struct fw_ipt_slice *slice = &sweep.slices.items[i];
		bool in = smallest_is_in(
			builder->set, sweep.items.items + slice->first, slice->count);
		add_case(&cases, slice->low, slice->high, in ? FW_SPACE_ALL : FW_SPACE_EMPTY);
	}
	*out = fw_space_cases(
		builder->spaces, address_var(builder, 0), cases.list.items, cases.list.count);
	FW_VEC_FINI(&cases.list);
	return true;
}

/* ---- an address and a port ---- */

static fw_space slice_ports(const struct builder *builder, uint8_t protocol,
	const struct items *items, const uint32_t *numbers, size_t count, size_t part) {
	fw_space set = FW_SPACE_EMPTY;

	for (size_t i = 0; i < count; i++) {
		uint32_t member = items->members.items[numbers[i]];
		set = fw_space_union(builder->spaces, set,
			port_space(builder, protocol, builder->set->members[member].parts[part],
				part));
	}
	return set;
}

static bool build_pairs_of(
	const struct builder *builder, uint8_t protocol, size_t address, fw_space *out) {
	struct items items FW_AUTO(items_fini) = {0};
	struct fw_ipt_sweep sweep FW_AUTO(fw_ipt_sweep_fini) = {0};
	struct case_list cases = {0};

	collect(builder->set, address, protocol, &items);
	if (!fw_ipt_sweep_run(&sweep, items.list.items, items.list.count)) {
		return false;
	}
	for (size_t i = 0; i < sweep.slices.count; i++) {
		const struct fw_ipt_slice *slice = &sweep.slices.items[i];
		add_case(&cases, slice->low, slice->high,
			slice_ports(builder, protocol, &items, sweep.items.items + slice->first,
				slice->count, 1 - address));
	}
	*out = fw_space_cases(
		builder->spaces, address_var(builder, address), cases.list.items, cases.list.count);
	FW_VEC_FINI(&cases.list);
	return true;
}

static bool build_pairs(const struct builder *builder, fw_space *out) {
	size_t address = builder->set->parts[0] == FW_IPT_ADDRESS ? 0 : 1;
	bool there[UINT8_MAX + 1] = {false};
	struct fw_case cases[UINT8_MAX + 1];
	size_t count = 0;

	for (size_t i = 0; i < builder->set->member_count; i++) {
		there[builder->set->members[i].protocol] = true;
	}
	for (unsigned i = 0; i <= UINT8_MAX; i++) {
		fw_space set;
		if (!there[i]) {
			continue;
		}
		if (!build_pairs_of(builder, (uint8_t)i, address, &set)) {
			return false;
		}
		cases[count++] = (struct fw_case){fw_value(i), fw_value(i), set};
	}
	*out = fw_space_cases(builder->spaces, FW_VAR_PROTOCOL, cases, count);
	return true;
}

/* ---- anything else ---- */

static fw_space member_space(const struct builder *builder, const struct fw_ipt_member *member) {
	const struct fw_ipt_set *set = builder->set;
	fw_space space = FW_SPACE_ALL;

	for (size_t i = set->part_count; i > 0; i--) {
		size_t part = i - 1;
		fw_space one;
		if (set->parts[part] == FW_IPT_PORT) {
			one = port_space(builder, member->protocol, member->parts[part], part);
			one = fw_space_intersect(builder->spaces, one,
				protocol_space(builder->spaces, member->protocol));
		} else {
			one = fw_space_interval(builder->spaces, address_var(builder, part),
				member->parts[part].low, member->parts[part].high);
		}
		space = fw_space_intersect(builder->spaces, space, one);
	}
	return space;
}

static fw_space build_one_by_one(const struct builder *builder) {
	size_t count = builder->set->member_count;
	fw_space *sets = fw_resize(NULL, count, sizeof(*sets));

	for (size_t i = 0; i < count; i++) {
		sets[i] = member_space(builder, &builder->set->members[i]);
	}
	fw_space all = fw_space_union_all(builder->spaces, sets, count);
	free(sets);
	return all;
}

static int compare_widths(const void *left, const void *right) {
	return fw_addr_compare(width(right), width(left));
}

/* Members in each other, wide ones first: smaller ones count. */
static fw_space paint(const struct builder *builder) {
	size_t count = builder->set->member_count;
	struct fw_ipt_member *members = fw_resize(NULL, count, sizeof(*members));
	fw_space all = FW_SPACE_EMPTY;

	for (size_t i = 0; i < count; i++) {
		members[i] = builder->set->members[i];
	}
	qsort(members, count, sizeof(*members), compare_widths);
	for (size_t i = 0; i < count; i++) {
		fw_space one = member_space(builder, &members[i]);
		all = members[i].excluded ? fw_space_subtract(builder->spaces, all, one)
					  : fw_space_union(builder->spaces, all, one);
	}
	free(members);
	return all;
}

/* A bitmap of ports looks at those of TCP and UDP, whatever its members say. */
static fw_space build_ports(const struct builder *builder) {
	fw_space ports = FW_SPACE_EMPTY;

	for (size_t i = 0; i < builder->set->member_count; i++) {
		struct fw_interval part = builder->set->members[i].parts[0];
		ports = fw_space_union(
			builder->spaces, ports, port_space(builder, IPPROTO_TCP, part, 0));
	}
	return fw_space_intersect(builder->spaces, ports,
		fw_space_union(builder->spaces, protocol_space(builder->spaces, IPPROTO_TCP),
			protocol_space(builder->spaces, IPPROTO_UDP)));
}

static fw_space build(const struct builder *builder) {
	const struct fw_ipt_set *set = builder->set;
	fw_space space;

	if (set->member_count == 0) {
		return FW_SPACE_EMPTY;
	}
	if (set->part_count == 1 && set->parts[0] == FW_IPT_PORT) {
		return build_ports(builder);
	}
	if (set->part_count == 1 && build_addresses(builder, &space)) {
		return space;
	}
	if (set->part_count == 2 && set->parts[0] != set->parts[1] &&
		build_pairs(builder, &space)) {
		return space;
	}
	return set->excludes ? paint(builder) : build_one_by_one(builder);
}

/* ---- lists of sets ---- */

/* What is not understood of a set by itself. Where an excluded member goes away, more is in it. */
static const char *own_unknown(const struct fw_ipt_set *set, bool fading) {
	if (set->unknown != NULL) {
		return set->unknown;
	}
	if (set->excludes && (set->part_count != 1 || set->list)) {
		return "a member that is excluded";
	}
	return fading || set->excludes ? set->fading : NULL;
}

static const char *find_unknown(
	const struct fw_ipt_sets *sets, const struct fw_ipt_set *set, bool fading) {
	const char *unknown = own_unknown(set, fading);

	for (size_t i = 0; set->list && unknown == NULL && i < set->member_count; i++) {
		const struct fw_ipt_set *member = fw_ipt_sets_find(sets, set->members[i].set);
		unknown = member == NULL || member->list
				  ? "a list of sets with a set that is missing"
				  : own_unknown(member, fading);
	}
	return unknown;
}

const char *fw_ipt_set_unknown(const struct fw_ipt_sets *sets, const struct fw_ipt_set *set) {
	return find_unknown(sets, set, true);
}

bool fw_ipt_set_is_bounded(const struct fw_ipt_sets *sets, const struct fw_ipt_set *set) {
	return find_unknown(sets, set, false) == NULL;
}

static fw_space list_space(struct fw_spaces *spaces, const struct fw_ipt_sets *sets,
	const struct fw_ipt_set *set, enum fw_family family, unsigned ends, size_t end_count) {
	fw_space all = FW_SPACE_EMPTY;

	for (size_t i = 0; i < set->member_count; i++) {
		const struct fw_ipt_set *member = fw_ipt_sets_find(sets, set->members[i].set);
		all = fw_space_union(spaces, all,
			fw_ipt_set_space(spaces, sets, member, family, ends, end_count));
	}
	return all;
}

/* The kernel finds nothing in a set of the other family, or with more parts than the match names
 * ends for. */
fw_space fw_ipt_set_space(struct fw_spaces *spaces, const struct fw_ipt_sets *sets,
	const struct fw_ipt_set *set, enum fw_family family, unsigned ends, size_t end_count) {
	struct builder builder = {spaces, set, ends};

	if (set->list) {
		return list_space(spaces, sets, set, family, ends, end_count);
	}
	if (end_count < set->part_count ||
		(set->family != FW_FAMILY_NONE && set->family != family)) {
		return FW_SPACE_EMPTY;
	}
	return build(&builder);
}
