// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Flows to rules. A flow becomes one rule for each protocol and each way to be on both sides; the
 * lists in it are left to pfctl, which makes one rule of the kernel's for each combination.
 */

#include "emit/pf.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum {
	WAYS_MAX = 2, /* a side is met once for both families, or once for each */
	MINUTE = 60,
	READY_MAX = 256, /* rules that wait to be printed */
	IPPROTO_ANY = 0, /* pf reads protocol 0 so, too */
};

void fw_pf_lowering_fini(struct fw_pf_lowering *lowering) {
	fw_pf_tables_fini(&lowering->tables);
	FW_VEC_FINI(&lowering->rules);
}

/* Where everything passes, nothing is limited: a rule that is would stand before what lets it. */
static bool is_limited(const struct fw_pf_lowering *lowering, const struct fw_flow *flow) {
	return flow->limit.count != 0 && lowering->policy->hooks[flow->hook].verdict != FW_ACCEPT;
}

/* ---- sides ---- */

struct ways {
	struct fw_pf_side items[WAYS_MAX];
	size_t count;
};

/* What is asked of one side. */
struct wish {
	const struct fw_side *side;
	const char *service;
	bool local; /* the host's own end */
	bool alone; /* of that, only its own addresses */
	/** What the sets of the side hold of it. */
	struct fw_pf_table *const *tables;
	size_t table_count;
};

static void add_way(
	struct ways *ways, enum fw_family family, const struct fw_pf_item *items, size_t count) {
	if (count != 0) {
		ways->items[ways->count++] = (struct fw_pf_side){family, items, count};
	}
}

/* Any address at all, as far as the side goes. */
static struct fw_pf_item everyone(
	struct fw_pf_lowering *lowering, const struct wish *wish, enum fw_family family) {
	struct fw_pf_item item = {.who = wish->local ? FW_PF_LOCAL : FW_PF_ANY};

	if (wish->side->except != NULL) {
		struct fw_pf_key key = {.set = wish->side->except};
		struct fw_pf_table *table = fw_pf_table_get(&lowering->tables, key);
		bool excepts = family == FW_FAMILY_NONE ? table->count != 0 : table->has[family];
		if (excepts) {
			fw_pf_table_name(&lowering->tables, table, wish->service);
			item = (struct fw_pf_item){FW_PF_NOT_TABLE, table};
		}
	} else if (wish->local && wish->alone) {
		item.who = FW_PF_SELF;
	}
	return item;
}

static void add_everyone(struct fw_pf_lowering *lowering, struct ways *ways,
	const struct wish *wish, enum fw_family family) {
	struct fw_pf_item *item = FW_ARENA_NEW(lowering->arena, struct fw_pf_item);
	*item = everyone(lowering, wish, family);
	add_way(ways, family, item, 1);
}

/* One address or prefix that a service lists, or that has its own ports, needs no table. */
static bool stands_inline(const struct fw_pf_table *table) {
	return table->count == 1 && (table->key.set->literal || table->key.ports != NULL);
}

/* The tables that hold anything of a family; FW_FAMILY_NONE: of any. */
static void add_tables(struct fw_pf_lowering *lowering, struct ways *ways, const struct wish *wish,
	enum fw_family family) {
	struct fw_pf_item *items =
		FW_ARENA_ARRAY(lowering->arena, struct fw_pf_item, wish->table_count);
	size_t count = 0;

	for (size_t i = 0; i < wish->table_count; i++) {
		struct fw_pf_table *table = wish->tables[i];
		if (family == FW_FAMILY_NONE ? table->count == 0 : !table->has[family]) {
			continue;
		}
		bool prefix = stands_inline(table);
		if (!prefix) {
			fw_pf_table_name(&lowering->tables, table, wish->service);
		}
		items[count++] = (struct fw_pf_item){prefix ? FW_PF_PREFIX : FW_PF_TABLE, table};
	}
	add_way(ways, family, items, count);
}

static bool excepts_all(
	struct fw_pf_lowering *lowering, const struct wish *wish, enum fw_family family) {
	struct fw_pf_key key = {.set = wish->side->except};
	return key.set != NULL && fw_pf_table_get(&lowering->tables, key)->all[family];
}

/* No table holds a whole family (none of the kernel's would match it), so that is said apart. */
static struct ways side_ways(struct fw_pf_lowering *lowering, const struct wish *wish) {
	struct ways ways = {0};
	bool every[FW_FAMILY_COUNT];

	for (int family = FW_IPV4; family < FW_FAMILY_COUNT; family++) {
		every[family] = wish->side->set_count == 0;
		for (size_t i = 0; i < wish->table_count; i++) {
			every[family] |= wish->tables[i]->all[family];
		}
	}
	if (!every[FW_IPV4] && !every[FW_IPV6]) {
		add_tables(lowering, &ways, wish, FW_FAMILY_NONE);
		return ways;
	}
	bool out4 = excepts_all(lowering, wish, FW_IPV4);
	bool out6 = excepts_all(lowering, wish, FW_IPV6);
	if (every[FW_IPV4] && every[FW_IPV6] && !out4 && !out6) {
		add_everyone(lowering, &ways, wish, FW_FAMILY_NONE);
		return ways;
	}
	for (int i = FW_IPV4; i < FW_FAMILY_COUNT; i++) {
		enum fw_family family = (enum fw_family)i;
		if (!every[family]) {
			add_tables(lowering, &ways, wish, family);
		} else if (!(family == FW_IPV4 ? out4 : out6)) {
			add_everyone(lowering, &ways, wish, family);
		}
	}
	return ways;
}

/* The families that a side of a rule can hold, as bits. */
static unsigned side_families(const struct fw_pf_side *side) {
	unsigned families = 0;

	for (size_t i = 0; i < side->count; i++) {
		const struct fw_pf_item *item = &side->items[i];
		bool listed = item->who == FW_PF_PREFIX || item->who == FW_PF_TABLE;
		for (unsigned family = FW_IPV4; family < FW_FAMILY_COUNT; family++) {
			families |= (!listed || item->table->has[family] ? 1U : 0U) << family;
		}
	}
	return side->family == FW_FAMILY_NONE ? families : families & 1U << side->family;
}

/* ---- the host's own end ---- */

/*
 * No router sends these on, so who has one of them on a packet needs no further look: sources of
 * what goes out, and destinations of what comes in.
 */
static const struct unrouted {
	enum fw_hook hook;
	struct fw_range range;
} unrouted[] = {
	{FW_OUTPUT, {{0, 0}, {0, 0}, FW_IPV4}}, /* 0.0.0.0: RFC 1122 */
	{FW_OUTPUT, {{0, 0}, {0, 0}, FW_IPV6}}, /* ::, RFC 4291 section 2.5.2 */
	/* 224.0.0.0/4, the host's alone by our terms */
	{FW_INPUT, {{0, 0xe0000000}, {0, 0xefffffff}, FW_IPV4}},
	{FW_INPUT, {{0, 0xffffffff}, {0, 0xffffffff}, FW_IPV4}}, /* 255.255.255.255: RFC 919 */
	{FW_INPUT, {{0xff00000000000000, 0}, {UINT64_MAX, UINT64_MAX}, FW_IPV6}}, /* section 2.7 */
};

static bool is_unrouted(enum fw_hook hook, const struct fw_range *range) {
	for (size_t i = 0; i < FW_LENGTH(unrouted); i++) {
		const struct unrouted *one = &unrouted[i];
		if (one->hook == hook && one->range.family == range->family &&
			fw_range_contains(&one->range, range)) {
			return true;
		}
	}
	return fw_range_is_all(range); /* stands as $local_to or $local_from */
}

bool fw_pf_is_tagged(const struct fw_flow *flow) {
	const struct fw_side *own =
		fw_flow_peers(flow) == &flow->source ? &flow->destination : &flow->source;
	bool tagged = false;

	for (size_t i = 0; flow->hook != FW_FORWARD && i < own->set_count; i++) {
		for (int family = FW_IPV4; family < FW_FAMILY_COUNT; family++) {
			const struct fw_members *members = &own->sets[i]->members[family];
			for (size_t j = 0; j < members->count; j++) {
				tagged |= !is_unrouted(flow->hook, &members->items[j].range);
			}
		}
	}
	return tagged;
}

/* ---- a flow on its way in or out ---- */

struct setting {
	const struct fw_flow *flow;
	bool in;
	const char *tagged;
	struct ways source, destination;
};

/* Nothing is made of families that cannot meet: pfctl takes that for a mistake. */
static void add_rule(struct fw_pf_lowering *lowering, const struct fw_pf_rule *rule,
	enum fw_family family, const struct fw_pf_side *source,
	const struct fw_pf_side *destination) {
	unsigned families = side_families(source) & side_families(destination);
	struct fw_pf_rule added = *rule;

	if (family != FW_FAMILY_NONE) {
		families &= 1U << family;
	}
	if (families == 0) {
		return;
	}
	added.family = family != FW_FAMILY_NONE		  ? family
		       : source->family != FW_FAMILY_NONE ? source->family
							  : destination->family;
	added.source = *source;
	added.destination = *destination;
	FW_VEC_ADD(&lowering->rules, added);
}

static void add_ways(struct fw_pf_lowering *lowering, const struct setting *setting,
	struct fw_pf_rule *rule, enum fw_family family) {
	rule->flow = setting->flow;
	rule->in = setting->in;
	rule->tagged = setting->tagged;
	rule->limited = is_limited(lowering, setting->flow) &&
			(setting->in || setting->flow->hook == FW_OUTPUT);
	for (size_t s = 0; s < setting->source.count; s++) {
		for (size_t d = 0; d < setting->destination.count; d++) {
			add_rule(lowering, rule, family, &setting->source.items[s],
				&setting->destination.items[d]);
		}
	}
}

/* ---- clauses ---- */

/*
 * What pf makes of a message. Only a query has a state to which its answer belongs; anything else
 * kept in states would have to be an answer to one (pf.conf, icmp-type), and neighbour discovery is
 * none. Multicast membership carries a router alert, so options must be allowed.
 */
enum icmp_kind { ICMP_OTHER, ICMP_QUERY, ICMP_MEMBERSHIP };
enum { ICMP_KIND_COUNT = 3 };

static const uint8_t queries[] = {8, 13, 15, 17};	    /* RFC 792, RFC 950 */
static const uint8_t queries6[] = {128};		    /* RFC 4443 */
static const uint8_t memberships6[] = {130, 131, 132, 143}; /* RFC 2710, RFC 3810 */

static bool has_type(const uint8_t *types, size_t count, uint8_t type) {
	return memchr(types, type, count) != NULL;
}

bool fw_pf_is_query(enum fw_family family, uint8_t type) {
	return family == FW_IPV4 ? has_type(queries, sizeof(queries), type)
				 : has_type(queries6, sizeof(queries6), type);
}

static enum icmp_kind icmp_kind(enum fw_family family, uint8_t type) {
	if (fw_pf_is_query(family, type)) {
		return ICMP_QUERY;
	}
	return family == FW_IPV6 && has_type(memberships6, sizeof(memberships6), type)
		       ? ICMP_MEMBERSHIP
		       : ICMP_OTHER;
}

static void add_types(struct fw_pf_lowering *lowering, const struct setting *setting,
	const struct fw_clause *clause, const struct fw_icmp_type *types, size_t count,
	enum icmp_kind kind) {
	struct fw_pf_rule rule = {
		.protocol = clause->protocol,
		.types = types,
		.type_count = count,
		.stateful = kind == ICMP_QUERY,
		.options = kind == ICMP_MEMBERSHIP,
	};
	add_ways(lowering, setting, &rule, clause->family);
}

/* One rule for each kind among the types. */
static void lower_types(struct fw_pf_lowering *lowering, const struct setting *setting,
	const struct fw_clause *clause) {
	for (int kind = 0; kind < ICMP_KIND_COUNT; kind++) {
		struct fw_icmp_type *types =
			FW_ARENA_ARRAY(lowering->arena, struct fw_icmp_type, clause->type_count);
		size_t count = 0;
		for (size_t i = 0; i < clause->type_count; i++) {
			if ((int)icmp_kind(clause->family, clause->types[i].type) == kind) {
				types[count++] = clause->types[i];
			}
		}
		if (count != 0) {
			add_types(lowering, setting, clause, types, count, (enum icmp_kind)kind);
		}
	}
}

static void add_listed(struct fw_pf_lowering *lowering, const struct setting *setting,
	const struct fw_clause *clause, const uint8_t *list, size_t count, enum icmp_kind kind) {
	struct fw_icmp_type *types = FW_ARENA_ARRAY(lowering->arena, struct fw_icmp_type, count);
	for (size_t i = 0; i < count; i++) {
		types[i] = (struct fw_icmp_type){list[i], -1};
	}
	add_types(lowering, setting, clause, types, count, kind);
}

/* All types: those that are special first, then whatever is left. */
static void lower_all_types(struct fw_pf_lowering *lowering, const struct setting *setting,
	const struct fw_clause *clause) {
	struct fw_clause typed = *clause;

	if (clause->protocol == IPPROTO_ICMP) {
		typed.family = FW_IPV4;
		add_listed(lowering, setting, &typed, queries, sizeof(queries), ICMP_QUERY);
	} else {
		typed.family = FW_IPV6;
		add_listed(lowering, setting, &typed, queries6, sizeof(queries6), ICMP_QUERY);
		add_listed(lowering, setting, &typed, memberships6, sizeof(memberships6),
			ICMP_MEMBERSHIP);
	}
	add_types(lowering, setting, clause, NULL, 0, ICMP_OTHER);
}

static void lower_clause(struct fw_pf_lowering *lowering, const struct setting *setting,
	const struct fw_clause *clause) {
	struct fw_pf_rule rule = {
		.protocol = clause->protocol,
		.ports = clause->ports,
		.port_count = clause->port_count,
		.source_ports = clause->source_ports,
		.source_port_count = clause->source_port_count,
		.stateful = true,
	};
	switch (clause->protocol) {
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		if (clause->type_count != 0) {
			lower_types(lowering, setting, clause);
		} else {
			lower_all_types(lowering, setting, clause);
		}
		return;
	case IPPROTO_IGMP: /* carries a router alert, and its answers go elsewhere */
		rule.stateful = false;
		rule.options = true;
		break;
	default:
		break;
	}
	add_ways(lowering, setting, &rule, clause->family);
}

/* ---- members that bring their own ports ---- */

static void add_own(struct fw_pf_lowering *lowering, const struct setting *setting,
	uint8_t protocol, const struct fw_ports *ports, size_t count) {
	if (count != 0) {
		struct fw_pf_rule rule = {.protocol = protocol,
			.ports = ports,
			.port_count = count,
			.stateful = true};
		add_ways(lowering, setting, &rule, FW_FAMILY_NONE);
	}
}

/* The setting with the members of one list of ports for its peers. */
static void lower_list(struct fw_pf_lowering *lowering, const struct setting *setting,
	const struct wish *peers, struct fw_pf_table *table) {
	const struct fw_port_list *ports = table->key.ports;
	struct wish wish = *peers;
	struct setting changed = *setting;

	wish.tables = &table;
	wish.table_count = 1;
	*(peers->side == &setting->flow->source ? &changed.source : &changed.destination) =
		side_ways(lowering, &wish);
	add_own(lowering, &changed, IPPROTO_TCP, ports->tcp, ports->tcp_count);
	add_own(lowering, &changed, IPPROTO_UDP, ports->udp, ports->udp_count);
}

static void lower_own(struct fw_pf_lowering *lowering, const struct setting *setting,
	const struct wish *peers, const struct fw_set *set) {
	struct fw_pf_own own = fw_pf_own_tables(&lowering->tables, set, peers->side->except);

	for (size_t i = 0; i < own.count; i++) {
		lower_list(lowering, setting, peers, &own.tables[i]);
		if (lowering->ready && lowering->rules.count >= READY_MAX) {
			lowering->print(lowering, lowering->printer);
		}
	}
}

/* ---- flows ---- */

static struct wish side_wish(
	struct fw_pf_lowering *lowering, const struct fw_flow *flow, const struct fw_side *side) {
	bool peers = side == fw_flow_peers(flow);
	struct fw_pf_table **tables =
		FW_ARENA_ARRAY(lowering->arena, struct fw_pf_table *, side->set_count);

	for (size_t i = 0; i < side->set_count; i++) {
		struct fw_pf_key key = {
			side->sets[i], side->except, NULL, peers && flow->own_ports ? 1 : 0};
		tables[i] = fw_pf_table_get(&lowering->tables, key);
	}
	return (struct wish){
		.side = side,
		.service = flow->service,
		.local = !peers && flow->hook != FW_FORWARD,
		.alone = is_limited(lowering, flow),
		.tables = tables,
		.table_count = side->set_count,
	};
}

void fw_pf_lower_plain(struct fw_pf_lowering *lowering, const struct fw_flow *flow, bool in) {
	const struct wish source = side_wish(lowering, flow, &flow->source);
	const struct wish destination = side_wish(lowering, flow, &flow->destination);
	const struct wish *peers = fw_flow_peers(flow) == &flow->source ? &source : &destination;
	struct setting setting = {
		.flow = flow,
		.in = in,
		.tagged = fw_pf_is_tagged(flow) ? FW_PF_LOCAL_TAG : NULL,
		.source = side_ways(lowering, &source),
		.destination = side_ways(lowering, &destination),
	};

	for (size_t i = 0; i < flow->clause_count; i++) {
		lower_clause(lowering, &setting, &flow->clauses[i]);
	}
	for (size_t i = 0; flow->own_ports && i < peers->side->set_count; i++) {
		lower_own(lowering, &setting, peers, peers->side->sets[i]);
	}
}

/* ---- limits ---- */

static const uint32_t unit_seconds[FW_UNIT_COUNT] = {
	[FW_SECOND] = 1,
	[FW_MINUTE] = MINUTE,
	[FW_HOUR] = 60 * MINUTE,
	[FW_DAY] = 24 * 60 * MINUTE,
};

static size_t at_least_one(size_t count) {
	return count != 0 ? count : 1;
}

/*
 * How many rules of the kernel one rule becomes that count apart. Of several that differ in their
 * sources only, one source always meets the same.
 */
static size_t kernel_rules(const struct fw_pf_rule *rule) {
	const struct fw_flow *flow = rule->flow;
	const struct fw_names *on = rule->in ? &flow->in_interfaces : &flow->out_interfaces;
	size_t sources = flow->limit.per_source ? 1 : rule->source.count;
	return sources * rule->destination.count * at_least_one(on->count) *
	       at_least_one(rule->port_count) * at_least_one(rule->source_port_count) *
	       at_least_one(rule->type_count);
}

static bool same_rate(const struct fw_rate *a, const struct fw_rate *b) {
	return a->count == b->count && a->unit == b->unit && a->burst == b->burst &&
	       a->per_source == b->per_source;
}

/*
 * A bucket of `burst` that fills at `count` a unit lets `burst` pass at once and is full again
 * after burst / count units; pf's `burst in that time` lets no more pass in any time, as what it
 * counted wears off no faster. Every rule of the kernel counts for itself, so a service's bucket is
 * shared out among those that it becomes.
 */
static struct fw_pf_bound share(const struct fw_rate *rate, size_t rules) {
	uint64_t seconds = (uint64_t)rate->burst * unit_seconds[rate->unit];
	return (struct fw_pf_bound){rate->burst / rules, (seconds + rate->count - 1) / rate->count};
}

/* Among the rules that have the limit of the first of them. */
static void share_limit(struct fw_pf_rule *rules, size_t count) {
	const struct fw_rate *rate = &rules[0].flow->limit;
	size_t total = 0;

	for (size_t i = 0; i < count; i++) {
		bool draws = rules[i].limited && same_rate(&rules[i].flow->limit, rate);
		total += draws ? kernel_rules(&rules[i]) : 0;
	}
	for (size_t i = 0; i < count; i++) {
		if (rules[i].limited && same_rate(&rules[i].flow->limit, rate)) {
			rules[i].bound = share(rate, total);
		}
	}
}

/* Rules of one service with the same limit draw on one bucket, wherever they stand. */
static void share_limits(struct fw_pf_rule *rules, size_t count) {
	for (size_t i = 0; i < count; i++) {
		if (rules[i].limited && rules[i].bound.seconds == 0) {
			share_limit(rules + i, count - i);
		}
	}
}

/* ---- all of it ---- */

const struct fw_flow *fw_pf_run_end(const struct fw_policy *policy, const struct fw_flow *first) {
	const struct fw_flow *end = first, *last = policy->flows + policy->flow_count;
	while (end < last && end->hook == first->hook &&
		strcmp(end->service, first->service) == 0) {
		end++;
	}
	return end;
}

/* What the rules from `before` on, of one service, have to do with each other and with tags. */
static void settle(struct fw_pf_lowering *lowering, enum fw_hook hook, size_t before) {
	if (hook == FW_FORWARD && lowering->forward != NULL) {
		fw_pf_forward_tag(lowering, before);
	}
	if (lowering->rules.count != before) {
		share_limits(lowering->rules.items + before, lowering->rules.count - before);
	}
}

/* Whether settle() leaves the rules of a run as they are. */
static bool are_settled(const struct fw_pf_lowering *lowering, const struct fw_flow *first,
	const struct fw_flow *end) {
	bool settled = first->hook != FW_FORWARD || lowering->forward == NULL;
	for (const struct fw_flow *flow = first; flow < end; flow++) {
		settled &= flow->limit.count == 0;
	}
	return settled;
}

void fw_pf_lower(struct fw_pf_lowering *lowering, const struct fw_flow *first,
	const struct fw_flow *end, bool in) {
	size_t before = lowering->rules.count;
	lowering->ready =
		lowering->print != NULL && before == 0 && are_settled(lowering, first, end);
	for (const struct fw_flow *flow = first; flow < end; flow++) {
		fw_pf_lower_plain(lowering, flow, in);
	}
	lowering->ready = false;
	settle(lowering, first->hook, before);
}

/*
 * TCP that is picked up in mid-stream, which rules with a state leave alone: it would meet those of
 * other hooks. A state of it would not know its windows.
 */
static void add_midstream(struct fw_pf_lowering *lowering) {
	struct fw_pf_rule rule = lowering->rules.items[lowering->rules.count - 1];

	rule.protocol = IPPROTO_TCP;
	rule.stateful = false;
	FW_VEC_ADD(&lowering->rules, rule);
}

void fw_pf_lower_accept(struct fw_pf_lowering *lowering, enum fw_hook hook, bool in) {
	static const struct fw_clause clauses[] = {
		{.family = FW_IPV4, .protocol = IPPROTO_ICMP},
		{.family = FW_IPV6, .protocol = IPPROTO_ICMPV6},
		{.protocol = IPPROTO_IGMP},
		{.protocol = IPPROTO_ANY},
	};
	struct fw_flow *flow = FW_ARENA_NEW(lowering->arena, struct fw_flow);
	*flow = (struct fw_flow){
		.service = fw_arena_printf(lowering->arena, "flowfw: %s", fw_hook_names[hook]),
		.hook = hook,
		.clauses = clauses,
		.clause_count = FW_LENGTH(clauses),
	};
	size_t before = lowering->rules.count;
	fw_pf_lower_plain(lowering, flow, in);
	add_midstream(lowering);
	settle(lowering, hook, before);
}
