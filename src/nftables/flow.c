// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Flows to rules. A flow becomes one rule for each way to meet it: a family (or both at once where
 * nothing asks for one), a set of each side, a protocol; never one for each endpoint.
 */

#include <netinet/in.h>

#include "nftables/lowering.h"

/* ---- sides: where a packet comes from and goes to ---- */

/* The members of a set in one or two parts; with `plain`, those without ports of their own. */
static size_t set_ways(
	const struct fw_set *set, enum fw_family family, bool plain, struct way out[static 2]) {
	const struct fw_members *members = &set->members[family];
	size_t count = 0;

	if (set->literal && members->count == 1 && (!plain || members->plain_count == 1)) {
		out[0] = (struct way){.kind = WAY_RANGE, .range = members->items[0].range};
		return 1;
	}
	if (members->plain_count != 0) {
		out[count++] = (struct way){.kind = WAY_PLAIN, .set = set};
	}
	if (!plain && members->plain_count < members->count) {
		out[count++] = (struct way){.kind = WAY_OWN, .set = set};
	}
	return count;
}

/* Within a part of the members, a range that covers the whole family comes first. */
static bool covers_all(const struct fw_set *set, enum fw_family family, bool plain) {
	const struct fw_members *members = &set->members[family];
	size_t own = members->plain_count;

	return (own != 0 && fw_range_is_all(&members->items[0].range)) ||
	       (!plain && own < members->count && fw_range_is_all(&members->items[own].range));
}

struct ways fw_nft_side_ways(
	struct fw_arena *arena, const struct fw_side *side, enum fw_family family, bool plain) {
	struct ways ways = {FW_ARENA_ARRAY(arena, struct way, 2 * side->set_count + 1)};
	bool any = side->set_count == 0;

	for (size_t i = 0; i < side->set_count && !any; i++) {
		any = covers_all(side->sets[i], family, plain);
	}
	if (any) {
		ways.items[ways.count++].kind = WAY_ANY;
		return ways;
	}
	for (size_t i = 0; i < side->set_count; i++) {
		ways.count += set_ways(side->sets[i], family, plain, ways.items + ways.count);
	}
	return ways;
}

static bool reaches(const struct fw_side *side, enum fw_family family) {
	return fw_side_has_family(side, family) &&
	       (side->except == NULL || !covers_all(side->except, family, false));
}

static bool asks_for_family(const struct fw_side *side) {
	return side->set_count != 0 || side->except != NULL;
}

/* ---- a flow in one family, or in both at once ---- */

struct setting {
	const struct fw_flow *flow;
	const struct verdict *verdict;
	enum fw_family family; /* FW_FAMILY_NONE: both */
	struct ways source, destination;
	const struct fw_nft_match *pairs; /* addresses and ports of peers, or NULL */
};

void fw_nft_add_names(
	struct matches *matches, enum fw_nft_match_kind kind, const struct fw_names *names) {
	if (names->count != 0) {
		fw_nft_add_match(matches,
			(struct fw_nft_match){
				.kind = kind, .names = names->items, .count = names->count});
	}
}

void fw_nft_add_way(struct lowering *lowering, struct matches *matches,
	const struct fw_nft_match *address, const struct way *way) {
	struct fw_nft_match match = *address;

	switch (way->kind) {
	case WAY_ANY:
		return;
	case WAY_RANGE:
		match.range = way->range;
		break;
	case WAY_PLAIN:
		match.set = fw_nft_set_plain(&lowering->sets, way->set, match.family);
		break;
	case WAY_OWN:
		match.set = fw_nft_set_own(&lowering->sets, way->set, match.family);
		break;
	case WAY_MADE:
		match.set = way->made;
		break;
	}
	fw_nft_add_match(matches, match);
}

static void add_side(struct lowering *lowering, struct matches *matches,
	struct fw_nft_match address, const struct fw_side *side, const struct way *way) {
	fw_nft_add_way(lowering, matches, &address, way);
	if (side->except != NULL) {
		struct way except[2] = {0};
		size_t count = set_ways(side->except, address.family, false, except);
		address.negated = true;
		for (size_t i = 0; i < count; i++) {
			fw_nft_add_way(lowering, matches, &address, &except[i]);
		}
	}
}

/* Whether the match, as nft writes it, holds for one family only. */
static bool implies_family(const struct fw_nft_match *match) {
	switch (match->kind) {
	case FW_NFT_NFPROTO:
	case FW_NFT_SADDR:
	case FW_NFT_DADDR:
	case FW_NFT_SADDR_PORT:
	case FW_NFT_DADDR_PORT:
	case FW_NFT_ICMP:
	case FW_NFT_ICMP_CODE:
	case FW_NFT_HOP_LIMIT:
		return true;
	case FW_NFT_PROTOCOL:
		return match->family != FW_FAMILY_NONE;
	case FW_NFT_MATCH_NONE:
	case FW_NFT_IIFNAME:
	case FW_NFT_OIFNAME:
	case FW_NFT_SPORT:
	case FW_NFT_DPORT:
	case FW_NFT_CT_REPLY:
	case FW_NFT_CT_INVALID:
	case FW_NFT_CT_DNAT:
		break;
	}
	return false;
}

/* Asks for the family behind the interfaces, unless some match does so by itself. */
static void settle_family(struct matches *matches, enum fw_family family) {
	size_t at = 0;
	for (size_t i = 0; i < matches->count; i++) {
		const struct fw_nft_match *match = &matches->items[i];
		if (implies_family(match)) {
			return;
		}
		if (match->kind == FW_NFT_IIFNAME || match->kind == FW_NFT_OIFNAME) {
			at = i + 1;
		}
	}
	struct fw_nft_match last = {.kind = FW_NFT_NFPROTO, .family = family};
	for (; at < matches->count; at++) {
		struct fw_nft_match moved = matches->items[at];
		matches->items[at] = last;
		last = moved;
	}
	fw_nft_add_match(matches, last);
}

/*
 * One rule for each way to be on both sides; `header` is what is asked of the protocol. That comes
 * first: it costs the least, and spares most packets the look into a set. Pairs are always looked
 * up, so they come last.
 */
static void add_setting(
	struct lowering *lowering, const struct setting *setting, const struct matches *header) {
	const struct fw_flow *flow = setting->flow;
	const struct fw_nft_match source = {.kind = FW_NFT_SADDR, .family = setting->family};
	const struct fw_nft_match destination = {.kind = FW_NFT_DADDR, .family = setting->family};

	for (size_t s = 0; s < setting->source.count; s++) {
		for (size_t d = 0; d < setting->destination.count; d++) {
			struct matches matches = {0};
			fw_nft_add_names(&matches, FW_NFT_IIFNAME, &flow->in_interfaces);
			fw_nft_add_names(&matches, FW_NFT_OIFNAME, &flow->out_interfaces);
			for (size_t i = 0; i < header->count; i++) {
				fw_nft_add_match(&matches, header->items[i]);
			}
			add_side(lowering, &matches, source, &flow->source,
				&setting->source.items[s]);
			add_side(lowering, &matches, destination, &flow->destination,
				&setting->destination.items[d]);
			if (setting->pairs != NULL) {
				fw_nft_add_match(&matches, *setting->pairs);
			}
			if (setting->family != FW_FAMILY_NONE) {
				settle_family(&matches, setting->family);
			}
			fw_nft_add_flow_rule(lowering, &matches, setting->verdict, flow);
		}
	}
}

/* ---- clauses ---- */

static struct fw_nft_match port_match(
	enum fw_nft_match_kind kind, uint8_t protocol, const struct fw_ports *ports, size_t count) {
	return (struct fw_nft_match){
		.kind = kind, .protocol = protocol, .ports = ports, .count = count};
}

/* Types without a code make one rule; each with a code, one of its own. */
static void lower_types(struct lowering *lowering, const struct setting *setting,
	const struct fw_clause *clause, const struct matches *header) {
	struct fw_icmp_type *bare =
		FW_ARENA_ARRAY(lowering->arena, struct fw_icmp_type, clause->type_count);
	struct fw_nft_match match = {.kind = FW_NFT_ICMP, .family = clause->family, .types = bare};

	for (size_t i = 0; i < clause->type_count; i++) {
		if (clause->types[i].code < 0) {
			bare[match.count++] = clause->types[i];
		}
	}
	if (match.count != 0) {
		struct matches with = *header;
		fw_nft_add_match(&with, match);
		add_setting(lowering, setting, &with);
	}
	match.kind = FW_NFT_ICMP_CODE;
	match.count = 1;
	for (size_t i = 0; i < clause->type_count; i++) {
		if (clause->types[i].code >= 0) {
			struct matches with = *header;
			match.types = &clause->types[i];
			fw_nft_add_match(&with, match);
			add_setting(lowering, setting, &with);
		}
	}
}

static void lower_clause(
	struct lowering *lowering, const struct setting *setting, const struct fw_clause *clause) {
	struct matches header = {0};

	if (clause->hop_limit != 0) {
		fw_nft_add_match(&header, (struct fw_nft_match){.kind = FW_NFT_HOP_LIMIT,
						  .family = FW_IPV6,
						  .hop_limit = clause->hop_limit});
	}
	if (clause->type_count != 0) {
		lower_types(lowering, setting, clause, &header);
		return;
	}
	if (clause->source_port_count != 0) {
		fw_nft_add_match(&header, port_match(FW_NFT_SPORT, clause->protocol,
						  clause->source_ports, clause->source_port_count));
	}
	if (clause->port_count != 0) {
		fw_nft_add_match(&header, port_match(FW_NFT_DPORT, clause->protocol, clause->ports,
						  clause->port_count));
	}
	if (clause->source_port_count == 0 && clause->port_count == 0) {
		fw_nft_add_match(&header,
			(struct fw_nft_match){.kind = FW_NFT_PROTOCOL,
				.protocol = clause->protocol,
				.family = setting->family == FW_IPV4 ? FW_IPV4 : FW_FAMILY_NONE});
	}
	add_setting(lowering, setting, &header);
}

/* ---- members that bring their own ports ---- */

static bool is_source(const struct fw_flow *flow) {
	return fw_flow_peers(flow) == &flow->source;
}

/* The setting with the peers that `way` says. */
static struct setting with_peers(const struct setting *setting, struct way *way) {
	struct setting changed = *setting;
	*(is_source(setting->flow) ? &changed.source : &changed.destination) =
		(struct ways){way, 1};
	return changed;
}

static void add_pairs(struct lowering *lowering, const struct setting *setting,
	const struct fw_nft_set *set, uint8_t protocol) {
	struct way any = {.kind = WAY_ANY};
	struct setting changed = with_peers(setting, &any);
	const struct fw_nft_match pairs = {
		.kind = is_source(setting->flow) ? FW_NFT_SADDR_PORT : FW_NFT_DADDR_PORT,
		.family = setting->family,
		.protocol = protocol,
		.set = set,
	};
	changed.pairs = &pairs;
	add_setting(lowering, &changed, &(struct matches){0});
}

static void add_pair_sets(struct lowering *lowering, const struct setting *setting,
	const struct fw_nft_set *const sets[PAIR_COUNT]) {
	if (sets[PAIR_BOTH] != NULL) {
		add_pairs(lowering, setting, sets[PAIR_BOTH], IPPROTO_TCP);
		add_pairs(lowering, setting, sets[PAIR_BOTH], IPPROTO_UDP);
	}
	if (sets[PAIR_TCP] != NULL) {
		add_pairs(lowering, setting, sets[PAIR_TCP], IPPROTO_TCP);
	}
	if (sets[PAIR_UDP] != NULL) {
		add_pairs(lowering, setting, sets[PAIR_UDP], IPPROTO_UDP);
	}
}

static void add_list(struct lowering *lowering, const struct setting *setting,
	const struct fw_nft_set *set, uint8_t protocol, const struct fw_ports *ports,
	size_t count) {
	if (count != 0) {
		struct way members = {.kind = WAY_MADE, .made = set};
		struct setting changed = with_peers(setting, &members);
		struct matches header = {0};
		fw_nft_add_match(&header, port_match(FW_NFT_DPORT, protocol, ports, count));
		add_setting(lowering, &changed, &header);
	}
}

static void lower_own(
	struct lowering *lowering, const struct setting *setting, const struct own_sets *own) {
	add_pair_sets(lowering, setting, own->pairs);
	add_pair_sets(lowering, setting, own->ranges);
	for (size_t i = 0; i < own->list_count; i++) {
		const struct list_set *list = &own->lists[i];
		add_list(lowering, setting, list->set, IPPROTO_TCP, list->ports->tcp,
			list->ports->tcp_count);
		add_list(lowering, setting, list->set, IPPROTO_UDP, list->ports->udp,
			list->ports->udp_count);
	}
}

/* ---- flows ---- */

/* A clause is met once for both families where nothing asks for one, else in each it can have. */
static bool clause_applies(
	const struct fw_flow *flow, const struct fw_clause *clause, enum fw_family family) {
	bool both = clause->family == FW_FAMILY_NONE && clause->hop_limit == 0 &&
		    !asks_for_family(&flow->source) && !asks_for_family(&flow->destination);
	if (both || family == FW_FAMILY_NONE) {
		return both && family == FW_FAMILY_NONE;
	}
	return (clause->family == FW_FAMILY_NONE || clause->family == family) &&
	       (clause->hop_limit == 0 || family == FW_IPV6);
}

static void lower_family(struct lowering *lowering, const struct fw_flow *flow,
	const struct verdict *verdict, enum fw_family family) {
	const struct fw_side *peers = fw_flow_peers(flow);
	struct setting setting = {
		.flow = flow,
		.verdict = verdict,
		.family = family,
		.source = fw_nft_side_ways(lowering->arena, &flow->source, family,
			flow->own_ports && peers == &flow->source),
		.destination = fw_nft_side_ways(lowering->arena, &flow->destination, family,
			flow->own_ports && peers == &flow->destination),
	};
	for (size_t i = 0; i < flow->clause_count; i++) {
		if (clause_applies(flow, &flow->clauses[i], family)) {
			lower_clause(lowering, &setting, &flow->clauses[i]);
		}
	}
	for (size_t i = 0; flow->own_ports && i < peers->set_count; i++) {
		const struct fw_members *members = &peers->sets[i]->members[family];
		if (members->plain_count < members->count) {
			lower_own(lowering, &setting,
				fw_nft_set_own_ports(&lowering->sets, peers->sets[i], family));
		}
	}
}

void fw_nft_lower_flow(struct lowering *lowering, const struct fw_flow *flow) {
	const struct verdict verdict = fw_nft_lower_verdict(lowering, flow);

	bool asks = asks_for_family(&flow->source) || asks_for_family(&flow->destination);

	for (int i = FW_FAMILY_NONE; i < FW_FAMILY_COUNT; i++) {
		enum fw_family family = (enum fw_family)i;
		bool met = family == FW_FAMILY_NONE ? !asks
						    : reaches(&flow->source, family) &&
							      reaches(&flow->destination, family);
		if (met) {
			lower_family(lowering, flow, &verdict, family);
		}
	}
}
