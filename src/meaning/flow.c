// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One flow as a set of packets: its headers, then the destination, the source, the protocol, the
 * family and the interfaces.
 */

#include "meaning/meaning.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* Intervals of addresses; sorted and disjoint once they are settled. */
struct ranges {
	FW_VEC(struct fw_interval) list;
};

static void ranges_fini(struct ranges *ranges) {
	FW_VEC_FINI(&ranges->list);
}

static int compare_intervals(const void *left, const void *right) {
	const struct fw_interval *a = left;
	const struct fw_interval *b = right;

	return fw_addr_compare(a->low, b->low);
}

static void settle(struct ranges *ranges) {
	struct fw_interval *items = ranges->list.items;
	size_t kept = 0;

	if (ranges->list.count != 0) {
		qsort(items, ranges->list.count, sizeof(*items), compare_intervals);
	}
	for (size_t i = 0; i < ranges->list.count; i++) {
		if (kept != 0 && fw_addr_compare(items[kept - 1].high, items[i].low) >= 0) {
			if (fw_addr_compare(items[kept - 1].high, items[i].high) < 0) {
				items[kept - 1].high = items[i].high;
			}
		} else {
			items[kept++] = items[i];
		}
	}
	ranges->list.count = kept;
}

/* ---- headers and states ---- */

static fw_space one(struct fw_spaces *spaces, enum fw_var var, uint64_t value) {
	return fw_space_interval(spaces, var, fw_value(value), fw_value(value));
}

static fw_space tracked(struct fw_spaces *spaces) {
	return fw_space_union(spaces, one(spaces, FW_VAR_TRACKING, FW_TRACKING_NEW),
		one(spaces, FW_VAR_TRACKING, FW_TRACKING_UNTRACKED));
}

/* Sorted and disjoint ports; none: any. */
static fw_space ports_space(struct fw_spaces *spaces, enum fw_var var, const struct fw_ports *ports,
	size_t count, fw_space behind) {
	if (count == 0) {
		return behind;
	}
	struct fw_case *cases = fw_resize(NULL, count, sizeof(*cases));
	for (size_t i = 0; i < count; i++) {
		cases[i] =
			(struct fw_case){fw_value(ports[i].low), fw_value(ports[i].high), behind};
	}
	fw_space set = fw_space_cases(spaces, var, cases, count);
	free(cases);
	return set;
}

/* A type alone covers all its codes, and stands before them. */
static fw_space types_space(struct fw_spaces *spaces, const struct fw_clause *clause) {
	fw_space *sets = fw_resize(NULL, clause->type_count, sizeof(*sets));
	for (size_t i = 0; i < clause->type_count; i++) {
		const struct fw_icmp_type *type = &clause->types[i];
		fw_space code = FW_SPACE_ALL;
		if (type->code >= 0) {
			const struct fw_case only = {fw_value((uint64_t)type->code),
				fw_value((uint64_t)type->code), FW_SPACE_ALL};
			code = fw_space_cases(spaces, FW_VAR_PORT, &only, 1);
		}
		const struct fw_case only = {fw_value(type->type), fw_value(type->type), code};
		sets[i] = fw_space_cases(spaces, FW_VAR_SOURCE_PORT, &only, 1);
	}
	fw_space set = fw_space_union_all(spaces, sets, clause->type_count);
	free(sets);
	return set;
}

/* Ports, or types and codes. */
static fw_space header_space(struct fw_spaces *spaces, const struct fw_clause *clause) {
	if (clause->type_count != 0) {
		return types_space(spaces, clause);
	}
	fw_space set =
		ports_space(spaces, FW_VAR_PORT, clause->ports, clause->port_count, FW_SPACE_ALL);
	return ports_space(
		spaces, FW_VAR_SOURCE_PORT, clause->source_ports, clause->source_port_count, set);
}

/* ---- addresses ---- */

static void add_members(struct ranges *ranges, const struct fw_members *members, size_t count) {
	for (size_t i = 0; i < count; i++) {
		const struct fw_range *range = &members->items[i].range;
		FW_VEC_ADD(&ranges->list, (struct fw_interval){range->first, range->last});
	}
}

static fw_space ranges_space(
	struct fw_spaces *spaces, enum fw_var var, const struct ranges *ranges, fw_space behind) {
	size_t count = ranges->list.count;
	if (count == 0) {
		return FW_SPACE_EMPTY;
	}
	struct fw_case *cases = fw_resize(NULL, count, sizeof(*cases));
	for (size_t i = 0; i < count; i++) {
		cases[i] = (struct fw_case){
			ranges->list.items[i].low, ranges->list.items[i].high, behind};
	}
	fw_space set = fw_space_cases(spaces, var, cases, count);
	free(cases);
	return set;
}

/* Packets without an address that the side excepts. */
static fw_space leave_out(struct fw_spaces *spaces, enum fw_var var, const struct fw_side *side,
	enum fw_family family, fw_space set) {
	FW_AUTO(ranges_fini) struct ranges except = {0};

	if (side->except == NULL) {
		return set;
	}
	const struct fw_members *members = &side->except->members[family];
	add_members(&except, members, members->count);
	settle(&except);
	return fw_space_subtract(spaces, set, ranges_space(spaces, var, &except, FW_SPACE_ALL));
}

/* Packets of one side; with `plain`, of those members that have no ports of their own. */
static fw_space side_space(struct fw_spaces *spaces, enum fw_var var, const struct fw_side *side,
	enum fw_family family, bool plain, fw_space behind) {
	FW_AUTO(ranges_fini) struct ranges ranges = {0};
	fw_space set = behind;

	if (side->set_count != 0) {
		for (size_t i = 0; i < side->set_count; i++) {
			const struct fw_members *members = &side->sets[i]->members[family];
			add_members(
				&ranges, members, plain ? members->plain_count : members->count);
		}
		settle(&ranges);
		set = ranges_space(spaces, var, &ranges, behind);
	}
	return leave_out(spaces, var, side, family, set);
}

/* ---- members with ports of their own ---- */

/* One family and protocol of a flow. */
struct own {
	struct fw_spaces *spaces;
	const struct fw_flow *flow;
	enum fw_family family;
	uint8_t protocol;
	bool source; /* the peers are the source */
	/* What was made for a list of ports last: members often have the same. */
	const struct fw_port_list *last;
	fw_space last_set;
};

/* What is behind the peer's variable where a member has these ports. */
static fw_space behind_peer(struct own *own, const struct fw_port_list *list) {
	bool tcp = own->protocol == IPPROTO_TCP;
	const struct fw_ports *ports = tcp ? list->tcp : list->udp;
	size_t count = tcp ? list->tcp_count : list->udp_count;

	if (count == 0) {
		return FW_SPACE_EMPTY;
	}
	if (own->last != list) {
		fw_space set = ports_space(own->spaces, FW_VAR_PORT, ports, count, FW_SPACE_ALL);
		if (own->source) {
			set = side_space(own->spaces, FW_VAR_DESTINATION, &own->flow->destination,
				own->family, false, set);
		}
		own->last = list;
		own->last_set = set;
	}
	return own->last_set;
}

/* By address; members that overlap, as those with different ports may, go into lists of their own.
 */
static fw_space own_members_space(
	struct own *own, enum fw_var var, const struct fw_members *members) {
	size_t most = members->count - members->plain_count, count = 0, set_count = 0;
	struct fw_case *cases = fw_resize(NULL, most, sizeof(*cases));
	fw_space *sets = fw_resize(NULL, most, sizeof(*sets));

	for (size_t i = members->plain_count; i < members->count; i++) {
		const struct fw_endpoint *member = &members->items[i];
		fw_space behind = behind_peer(own, member->own);
		if (behind == FW_SPACE_EMPTY) {
			continue;
		}
		if (count != 0 &&
			fw_addr_compare(cases[count - 1].high, member->range.first) >= 0) {
			sets[set_count++] = fw_space_cases(own->spaces, var, cases, count);
			count = 0;
		}
		cases[count++] = (struct fw_case){member->range.first, member->range.last, behind};
	}
	if (count != 0) {
		sets[set_count++] = fw_space_cases(own->spaces, var, cases, count);
	}
	fw_space set = fw_space_union_all(own->spaces, sets, set_count);
	free(sets);
	free(cases);
	return set;
}

static fw_space own_space(struct own *own) {
	const struct fw_side *peers = fw_flow_peers(own->flow);
	enum fw_var var = own->source ? FW_VAR_SOURCE : FW_VAR_DESTINATION;
	fw_space set = FW_SPACE_EMPTY;

	for (size_t i = 0; i < peers->set_count; i++) {
		const struct fw_members *members = &peers->sets[i]->members[own->family];
		if (members->plain_count < members->count) {
			set = fw_space_union(
				own->spaces, set, own_members_space(own, var, members));
		}
	}
	set = leave_out(own->spaces, var, peers, own->family, set);
	if (!own->source) {
		set = side_space(
			own->spaces, FW_VAR_SOURCE, &own->flow->source, own->family, false, set);
	}
	return set;
}

/* ---- a flow ---- */

static fw_space with_protocol(struct fw_spaces *spaces, uint8_t protocol, fw_space behind) {
	const struct fw_case only = {fw_value(protocol), fw_value(protocol),
		fw_space_intersect(spaces, tracked(spaces), behind)};

	return fw_space_cases(spaces, FW_VAR_PROTOCOL, &only, 1);
}

static fw_space clause_space(struct fw_spaces *spaces, const struct fw_flow *flow,
	const struct fw_clause *clause, enum fw_family family) {
	const struct fw_side *peers = fw_flow_peers(flow);
	fw_space set = header_space(spaces, clause);

	set = side_space(spaces, FW_VAR_DESTINATION, &flow->destination, family,
		flow->own_ports && peers == &flow->destination, set);
	set = side_space(spaces, FW_VAR_SOURCE, &flow->source, family,
		flow->own_ports && peers == &flow->source, set);
	if (clause->hop_limit != 0) {
		set = fw_space_intersect(
			spaces, one(spaces, FW_VAR_HOP_LIMIT, clause->hop_limit), set);
	}
	return with_protocol(spaces, clause->protocol, set);
}

static fw_space family_space(
	struct fw_spaces *spaces, const struct fw_flow *flow, enum fw_family family) {
	static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP};
	fw_space set = FW_SPACE_EMPTY;

	for (size_t i = 0; i < flow->clause_count; i++) {
		const struct fw_clause *clause = &flow->clauses[i];
		bool applies = (clause->family == FW_FAMILY_NONE || clause->family == family) &&
			       (clause->hop_limit == 0 || family == FW_IPV6);
		if (applies) {
			set = fw_space_union(
				spaces, set, clause_space(spaces, flow, clause, family));
		}
	}
	for (size_t i = 0; flow->own_ports && i < FW_LENGTH(protocols); i++) {
		struct own own = {
			.spaces = spaces,
			.flow = flow,
			.family = family,
			.protocol = protocols[i],
			.source = fw_flow_peers(flow) == &flow->source,
		};
		set = fw_space_union(
			spaces, set, with_protocol(spaces, protocols[i], own_space(&own)));
	}
	return set;
}

static fw_space names_space(struct fw_spaces *spaces, const struct fw_interfaces *interfaces,
	enum fw_var var, const struct fw_names *names) {
	fw_space set = names->count == 0 ? FW_SPACE_ALL : FW_SPACE_EMPTY;

	for (size_t i = 0; i < names->count; i++) {
		set = fw_space_union(spaces, set,
			one(spaces, var, fw_interface_number(interfaces, names->items[i])));
	}
	return set;
}

fw_space fw_flow_space(struct fw_spaces *spaces, const struct fw_interfaces *interfaces,
	const struct fw_flow *flow) {
	struct fw_case families[FW_FAMILY_COUNT - 1];
	size_t count = 0;

	for (int family = FW_IPV4; family < FW_FAMILY_COUNT; family++) {
		families[count++] =
			(struct fw_case){fw_value((uint64_t)family), fw_value((uint64_t)family),
				family_space(spaces, flow, (enum fw_family)family)};
	}
	fw_space set = fw_space_cases(spaces, FW_VAR_FAMILY, families, count);
	set = fw_space_intersect(
		spaces, names_space(spaces, interfaces, FW_VAR_OUT, &flow->out_interfaces), set);
	set = fw_space_intersect(
		spaces, names_space(spaces, interfaces, FW_VAR_IN, &flow->in_interfaces), set);
	return fw_space_intersect(spaces, one(spaces, FW_VAR_HOOK, flow->hook), set);
}
