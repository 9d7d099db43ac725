// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_TEST_MEANING_MODEL_H
#define FW_TEST_MEANING_MODEL_H
/*
 * Random profiles in plain structs. One is compiled into a policy for the library, judged packet by
 * packet as flowfw(1) describes it, made smaller while something holds of it, and printed as YAML.
 */

#include <stdio.h>

#include "meaning/meaning.h"
#include "space_model.h"

enum {
	M_GROUPS = 3,
	M_ENTRIES = 5,
	M_SERVICES = 5,
	M_LIST = 3,
};

/** A list of numbers or ranges. */
struct m_ports {
	struct {
		uint16_t low, high;
		unsigned protocols; /* FW_PROTO_ bits */
	} items[M_LIST];
	size_t count;
};

struct m_entry {
	struct fw_range range;
	struct m_ports own; /* count 0: none */
};

/** A group's number, or a range. */
struct m_peer {
	int group; /* -1: range */
	struct fw_range range;
};

/** count 0: any. */
struct m_peers {
	struct m_peer items[M_LIST];
	size_t count;
};

enum m_direction { M_INPUT, M_OUTPUT, M_BOTH, M_FORWARD, M_INBOUND };

struct m_service {
	enum m_direction direction;
	bool own_ports; /* from-group; `ports` are the others' */
	struct m_ports ports, source_ports;
	struct {
		enum fw_family family;
		struct fw_icmp_type type;
	} types[M_LIST];
	size_t type_count;
	uint8_t protocols[M_LIST];
	size_t protocol_count;
	uint8_t hop_limit;
	struct m_peers from, to, except;
	unsigned in, out; /* bits of interfaces; 0: any */
	unsigned limited; /* of m_rates; 0: it has no limit */
};

struct m_case {
	struct {
		struct m_entry entries[M_ENTRIES];
		size_t count;
	} groups[M_GROUPS];
	struct m_service services[M_SERVICES];
	size_t service_count;
	enum fw_verdict verdicts[FW_HOOK_COUNT];
};

static const char *const m_interfaces[] = {"eth0", "eth1", "wg0"};

/** The second and the last are the same rate. */
static const struct fw_rate m_rates[] = {
	{0},
	{10, FW_MINUTE, 5, false},
	{10000, FW_SECOND, 5, false},
	{10, FW_MINUTE, 20, false},
	{10, FW_MINUTE, 5, true},
	{600, FW_HOUR, 5, false},
};

/* ---- making them up ---- */

/* Few and near each other, so that what is drawn overlaps, nests and touches. */
static const struct fw_addr m_addresses[FW_FAMILY_COUNT][6] = {
	[FW_IPV4] = {{0, 0}, {0, 0x0a000000}, {0, 0x0a0000ff}, {0, 0x0a000100}, {0, 0xc6336401},
		{0, UINT32_MAX}},
	[FW_IPV6] = {{0, 0}, {0, 0x0a000000}, {0x20010db800000000, 0}, {0x20010db800000000, 1},
		{0x20010db8ffffffff, UINT64_MAX}, {UINT64_MAX, UINT64_MAX}},
};
static const uint16_t m_numbers[] = {1, 22, 80, 81, 255, 1024, 65535};

static inline enum fw_family m_family(void) {
	return model_random(3) == 0 ? FW_IPV6 : FW_IPV4;
}

static inline struct fw_addr m_address(enum fw_family family) {
	struct fw_addr address = m_addresses[family][model_random(6)];
	struct fw_addr last = {
		family == FW_IPV4 ? 0 : UINT64_MAX, family == FW_IPV4 ? UINT32_MAX : UINT64_MAX};
	size_t way = model_random(4);
	if (way == 0 && fw_addr_compare(address, last) < 0) {
		return fw_addr_next(address);
	}
	if (way == 1 && fw_addr_compare(address, fw_value(0)) > 0) {
		return fw_addr_previous(address);
	}
	return address;
}

static inline struct fw_range m_range(void) {
	enum fw_family family = m_family();
	struct fw_addr a = m_address(family), b = model_random(3) == 0 ? a : m_address(family);
	bool turned = fw_addr_compare(a, b) > 0;
	return (struct fw_range){turned ? b : a, turned ? a : b, family};
}

static inline uint16_t m_number(void) {
	uint16_t number = m_numbers[model_random(FW_LENGTH(m_numbers))];
	return (uint16_t)(number + (number < UINT16_MAX && model_random(4) == 0));
}

static inline struct m_ports m_ports(size_t most) {
	struct m_ports ports = {.count = model_random(most + 1)};
	for (size_t i = 0; i < ports.count; i++) {
		uint16_t a = m_number(), b = model_random(2) == 0 ? a : m_number();
		ports.items[i].low = a < b ? a : b;
		ports.items[i].high = a < b ? b : a;
		ports.items[i].protocols = 1 + (unsigned)model_random(3);
	}
	return ports;
}

static inline struct m_peers m_peers(void) {
	struct m_peers peers = {.count = model_random(M_LIST + 1)};
	for (size_t i = 0; i < peers.count; i++) {
		peers.items[i].group = (int)model_random(2 * M_GROUPS) - M_GROUPS;
		peers.items[i].range = m_range();
		if (peers.items[i].group < 0) {
			peers.items[i].group = -1;
		}
	}
	return peers;
}

static inline struct m_service m_service(void) {
	static const uint8_t protocols[] = {2, 47, 50, 132, 255};
	struct m_service service = {
		.direction = (enum m_direction)model_random(M_INBOUND + 1),
		.own_ports = model_random(3) == 0,
		.ports = m_ports(M_LIST),
		.from = m_peers(),
		.to = m_peers(),
		.limited = model_random(5) == 0,
	};
	if (service.direction == M_BOTH) {
		service.own_ports = false;
	} else if (model_random(2) == 0) {
		service.except = m_peers();
	}
	if (!service.own_ports) {
		if (model_random(4) == 0) {
			service.source_ports = m_ports(2);
		}
		service.type_count = model_random(2) * model_random(M_LIST + 1);
		service.protocol_count = model_random(2) * model_random(M_LIST + 1);
	}
	for (size_t i = 0; i < service.type_count; i++) {
		service.types[i].family = m_family();
		service.types[i].type = (struct fw_icmp_type){
			(uint8_t)(model_random(2) * 134), (int16_t)((int)model_random(4) - 1)};
	}
	for (size_t i = 0; i < service.protocol_count; i++) {
		service.protocols[i] = protocols[model_random(FW_LENGTH(protocols))];
	}
	if (model_random(4) == 0) {
		service.hop_limit = model_random(2) == 0 ? 1 : 255;
	}
	bool forward = service.direction >= M_FORWARD;
	if (model_random(3) == 0 && (forward || service.direction != M_OUTPUT)) {
		service.in = 1U << model_random(FW_LENGTH(m_interfaces));
	}
	if (model_random(3) == 0 && (forward || service.direction != M_INPUT)) {
		service.out = (unsigned)model_random(8);
	}
	return service;
}

static inline void m_draw(struct m_case *c) {
	*c = (struct m_case){.service_count = 1 + model_random(M_SERVICES)};
	for (size_t i = 0; i < M_GROUPS; i++) {
		c->groups[i].count = 1 + model_random(M_ENTRIES);
		for (size_t j = 0; j < c->groups[i].count; j++) {
			c->groups[i].entries[j].range = m_range();
			if (model_random(2) == 0) {
				c->groups[i].entries[j].own = m_ports(2);
			}
		}
	}
	for (size_t i = 0; i < c->service_count; i++) {
		c->services[i] = m_service();
	}
	for (int hook = FW_INPUT; hook < FW_HOOK_COUNT; hook++) {
		c->verdicts[hook] = model_random(4) == 0
					    ? (enum fw_verdict)(FW_DROP + model_random(4))
					    : FW_DROP;
	}
}

/* ---- judging packets, from what profiles are said to mean ---- */

static inline bool m_in_range(
	const struct fw_range *range, enum fw_family family, struct fw_addr address) {
	return range->family == family && fw_addr_compare(range->first, address) <= 0 &&
	       fw_addr_compare(address, range->last) <= 0;
}

static inline bool m_in_ports(const struct m_ports *ports, unsigned protocol, uint64_t number) {
	for (size_t i = 0; i < ports->count; i++) {
		if ((ports->items[i].protocols & protocol) != 0 && ports->items[i].low <= number &&
			number <= ports->items[i].high) {
			return true;
		}
	}
	return false;
}

static inline unsigned m_protocol_bit(const struct fw_point *point) {
	uint64_t protocol = point->values[FW_VAR_PROTOCOL].low;
	return protocol == IPPROTO_TCP ? FW_PROTO_TCP : protocol == IPPROTO_UDP ? FW_PROTO_UDP : 0;
}

static inline bool m_speaks(const struct m_ports *ports, unsigned protocol) {
	for (size_t i = 0; i < ports->count; i++) {
		if ((ports->items[i].protocols & protocol) != 0) {
			return true;
		}
	}
	return false;
}

/* What the service asks of headers itself. */
static inline bool m_header(const struct m_service *service, const struct fw_point *point) {
	const struct fw_addr *values = point->values;
	unsigned bit = m_protocol_bit(point);
	if (bit != 0 && (service->ports.count != 0 || service->source_ports.count != 0)) {
		bool port = service->ports.count == 0 ||
			    m_in_ports(&service->ports, bit, values[FW_VAR_PORT].low);
		bool source =
			service->source_ports.count == 0 ||
			m_in_ports(&service->source_ports, bit, values[FW_VAR_SOURCE_PORT].low);
		if (port && source) {
			return true;
		}
	}
	for (size_t i = 0; i < service->type_count; i++) {
		bool v6 = service->types[i].family == FW_IPV6;
		uint64_t protocol = v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
		const struct fw_icmp_type *type = &service->types[i].type;
		if (values[FW_VAR_FAMILY].low == (uint64_t)service->types[i].family &&
			values[FW_VAR_PROTOCOL].low == protocol &&
			values[FW_VAR_SOURCE_PORT].low == type->type &&
			(type->code < 0 || values[FW_VAR_PORT].low == (uint64_t)type->code) &&
			(!v6 || service->hop_limit == 0 ||
				values[FW_VAR_HOP_LIMIT].low == service->hop_limit)) {
			return true;
		}
	}
	for (size_t i = 0; i < service->protocol_count; i++) {
		if (values[FW_VAR_PROTOCOL].low == service->protocols[i]) {
			return true;
		}
	}
	return false;
}

/* Whether an address is one of the peers, and the headers are what it is allowed. */
static inline bool m_peer_allows(const struct m_case *c, const struct m_service *service,
	const struct m_peers *peers, struct fw_addr address, const struct fw_point *point,
	bool own_ports) {
	enum fw_family family = (enum fw_family)point->values[FW_VAR_FAMILY].low;
	bool header = m_header(service, point);
	if (peers->count == 0) {
		return header;
	}
	for (size_t i = 0; i < peers->count; i++) {
		const struct m_peer *peer = &peers->items[i];
		if (peer->group < 0) {
			if (header && m_in_range(&peer->range, family, address)) {
				return true;
			}
			continue;
		}
		for (size_t j = 0; j < c->groups[peer->group].count; j++) {
			const struct m_entry *entry = &c->groups[peer->group].entries[j];
			bool good = header;
			if (own_ports && entry->own.count != 0) {
				unsigned bit = m_protocol_bit(point);
				good = bit != 0 &&
				       m_in_ports(&entry->own, bit, point->values[FW_VAR_PORT].low);
			}
			if (good && m_in_range(&entry->range, family, address)) {
				return true;
			}
		}
	}
	return false;
}

/* Whether an address is one of the peers at all. */
static inline bool m_is_peer(const struct m_case *c, const struct m_peers *peers,
	enum fw_family family, struct fw_addr address) {
	for (size_t i = 0; i < peers->count; i++) {
		const struct m_peer *peer = &peers->items[i];
		if (peer->group < 0) {
			if (m_in_range(&peer->range, family, address)) {
				return true;
			}
			continue;
		}
		for (size_t j = 0; j < c->groups[peer->group].count; j++) {
			if (m_in_range(&c->groups[peer->group].entries[j].range, family, address)) {
				return true;
			}
		}
	}
	return false;
}

/* Numbers of interfaces: lo, the names in their order, any other. */
static inline bool m_on(unsigned interfaces, uint64_t number) {
	return interfaces == 0 || (number >= 2 && number < 2 + FW_LENGTH(m_interfaces) &&
					  (interfaces & 1U << (number - 2)) != 0);
}

static inline bool m_hears(const struct m_service *service, enum fw_hook hook) {
	switch (service->direction) {
	case M_INPUT:
		return hook == FW_INPUT;
	case M_OUTPUT:
		return hook == FW_OUTPUT;
	case M_BOTH:
		return hook == FW_INPUT || hook == FW_OUTPUT;
	case M_FORWARD:
	case M_INBOUND:
		break;
	}
	return hook == FW_FORWARD;
}

/** Whether a service allows a new or untracked packet. */
static inline bool m_allows(
	const struct m_case *c, const struct m_service *service, const struct fw_point *point) {
	const struct fw_addr *values = point->values;
	enum fw_hook hook = (enum fw_hook)values[FW_VAR_HOOK].low;
	enum fw_family family = (enum fw_family)values[FW_VAR_FAMILY].low;
	bool inbound = service->direction == M_INPUT || service->direction == M_BOTH ||
		       service->direction == M_INBOUND;
	const struct m_peers *peers = inbound ? &service->from : &service->to;
	const struct m_peers *local = inbound ? &service->to : &service->from;
	struct fw_addr peer = values[inbound ? FW_VAR_SOURCE : FW_VAR_DESTINATION];
	struct fw_addr own = values[inbound ? FW_VAR_DESTINATION : FW_VAR_SOURCE];

	return m_hears(service, hook) &&
	       (hook == FW_OUTPUT || m_on(service->in, values[FW_VAR_IN].low)) &&
	       (hook == FW_INPUT || m_on(service->out, values[FW_VAR_OUT].low)) &&
	       (local->count == 0 || m_is_peer(c, local, family, own)) &&
	       !m_is_peer(c, &service->except, family, peer) &&
	       m_peer_allows(c, service, peers, peer, point, service->own_ports);
}

/** Whether a packet that can be passes: in any case, or if limits permit. */
static inline bool m_passes(const struct m_case *c, const struct fw_point *point, bool limits) {
	enum fw_hook hook = (enum fw_hook)point->values[FW_VAR_HOOK].low;
	enum fw_verdict verdict = c->verdicts[hook];
	bool loopback =
		(hook == FW_INPUT && point->values[FW_VAR_IN].low == FW_INTERFACE_LOOPBACK) ||
		(hook == FW_OUTPUT && point->values[FW_VAR_OUT].low == FW_INTERFACE_LOOPBACK);

	if (verdict == FW_UNTOUCHED || loopback) {
		return true;
	}
	switch ((enum fw_tracking)point->values[FW_VAR_TRACKING].low) {
	case FW_TRACKING_ESTABLISHED:
	case FW_TRACKING_RELATED:
		return true;
	case FW_TRACKING_INVALID:
		return false;
	case FW_TRACKING_NEW:
	case FW_TRACKING_UNTRACKED:
	case FW_TRACKING_NONE:
		break;
	}
	for (size_t i = 0; i < c->service_count; i++) {
		if ((limits || !c->services[i].limited) && m_allows(c, &c->services[i], point)) {
			return true;
		}
	}
	return verdict == FW_ACCEPT;
}

/* ---- as a policy ---- */

struct m_lists {
	const struct fw_port_list *items[M_GROUPS * M_ENTRIES];
	size_t count;
};

static inline struct fw_ports *m_pick(
	struct fw_arena *arena, const struct m_ports *ports, unsigned protocol, size_t *out_count) {
	struct fw_ports *picked = FW_ARENA_ARRAY(arena, struct fw_ports, M_LIST);
	size_t count = 0;
	for (size_t i = 0; i < ports->count; i++) {
		if ((ports->items[i].protocols & protocol) != 0) {
			picked[count++] =
				(struct fw_ports){ports->items[i].low, ports->items[i].high};
		}
	}
	*out_count = fw_ports_normalize(picked, count);
	return picked;
}

static inline const struct fw_port_list *m_list(
	struct fw_arena *arena, struct m_lists *lists, const struct m_ports *ports) {
	struct fw_port_list *list = FW_ARENA_NEW(arena, struct fw_port_list);
	list->tcp = m_pick(arena, ports, FW_PROTO_TCP, &list->tcp_count);
	list->udp = m_pick(arena, ports, FW_PROTO_UDP, &list->udp_count);
	for (size_t i = 0; i < lists->count; i++) {
		if (fw_port_list_compare(lists->items[i], list) == 0) {
			return lists->items[i];
		}
	}
	lists->items[lists->count++] = list;
	return list;
}

static inline void m_group_set(struct fw_arena *arena, const struct m_case *c, size_t group,
	struct m_lists *lists, struct fw_set *set) {
	struct fw_endpoint *endpoints = FW_ARENA_ARRAY(arena, struct fw_endpoint, M_ENTRIES);
	for (size_t i = 0; i < c->groups[group].count; i++) {
		const struct m_entry *entry = &c->groups[group].entries[i];
		endpoints[i] = (struct fw_endpoint){.range = entry->range};
		if (entry->own.count != 0) {
			endpoints[i].own = m_list(arena, lists, &entry->own);
		}
	}
	*set = (struct fw_set){.name = fw_arena_printf(arena, "g%zu", group)};
	fw_set_resolve(set, endpoints, c->groups[group].count);
}

/* Groups as they are, and all ranges in one set. */
static inline struct fw_side m_side(struct fw_arena *arena, const struct m_peers *peers,
	const struct fw_set *groups, const char *name) {
	const struct fw_set **sets = FW_ARENA_ARRAY(arena, const struct fw_set *, M_LIST + 1);
	struct fw_endpoint *literals = FW_ARENA_ARRAY(arena, struct fw_endpoint, M_LIST);
	size_t count = 0, literal_count = 0;
	for (size_t i = 0; i < peers->count; i++) {
		if (peers->items[i].group >= 0) {
			sets[count++] = &groups[peers->items[i].group];
		} else {
			literals[literal_count++].range = peers->items[i].range;
		}
	}
	if (literal_count != 0) {
		struct fw_set *set = FW_ARENA_NEW(arena, struct fw_set);
		*set = (struct fw_set){.name = name, .literal = true};
		fw_set_resolve(set, literals, literal_count);
		sets[count++] = set;
	}
	fw_sets_sort(sets, &count);
	return (struct fw_side){.sets = sets, .set_count = count};
}

/* What is excepted is one set. */
static inline const struct fw_set *m_except(
	struct fw_arena *arena, const struct m_case *c, const struct m_peers *peers) {
	struct fw_set *set = FW_ARENA_NEW(arena, struct fw_set);
	struct fw_endpoint *all = FW_ARENA_ARRAY(arena, struct fw_endpoint, M_LIST * M_ENTRIES);
	size_t count = 0;
	for (size_t i = 0; i < peers->count; i++) {
		int group = peers->items[i].group;
		if (group < 0) {
			all[count++].range = peers->items[i].range;
			continue;
		}
		for (size_t j = 0; j < c->groups[group].count; j++) {
			all[count++].range = c->groups[group].entries[j].range;
		}
	}
	*set = (struct fw_set){.name = "except", .literal = true};
	fw_set_resolve(set, all, count);
	return count != 0 ? set : NULL;
}

static inline int m_by_type(const void *left, const void *right) {
	const struct fw_icmp_type *a = left;
	const struct fw_icmp_type *b = right;
	return a->type != b->type ? (int)a->type - (int)b->type : (int)a->code - (int)b->code;
}

static inline void m_clauses(
	struct fw_arena *arena, const struct m_service *service, struct fw_flow *flow) {
	struct fw_clause *clauses = FW_ARENA_ARRAY(arena, struct fw_clause, 4 + M_LIST);
	size_t count = 0;
	for (unsigned bit = FW_PROTO_TCP; bit <= FW_PROTO_UDP; bit++) {
		struct fw_clause clause = {
			.protocol = bit == FW_PROTO_TCP ? IPPROTO_TCP : IPPROTO_UDP};
		const struct m_ports *ports = &service->ports, *sources = &service->source_ports;
		clause.ports = m_pick(arena, ports, bit, &clause.port_count);
		clause.source_ports = m_pick(arena, sources, bit, &clause.source_port_count);
		bool port = ports->count == 0 || m_speaks(ports, bit);
		bool source = sources->count == 0 || m_speaks(sources, bit);
		if (port && source && ports->count + sources->count != 0) {
			clauses[count++] = clause;
		}
	}
	for (int family = FW_IPV4; family < FW_FAMILY_COUNT; family++) {
		struct fw_icmp_type *types = FW_ARENA_ARRAY(arena, struct fw_icmp_type, M_LIST);
		struct fw_clause clause = {.family = (enum fw_family)family, .types = types};
		clause.protocol = family == FW_IPV4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
		clause.hop_limit = family == FW_IPV6 ? service->hop_limit : 0;
		for (size_t i = 0; i < service->type_count; i++) {
			if (service->types[i].family == (enum fw_family)family) {
				types[clause.type_count++] = service->types[i].type;
			}
		}
		qsort(types, clause.type_count, sizeof(*types), m_by_type);
		if (clause.type_count != 0) {
			clauses[count++] = clause;
		}
	}
	for (size_t i = 0; i < service->protocol_count; i++) {
		clauses[count++] = (struct fw_clause){.protocol = service->protocols[i]};
	}
	flow->clauses = clauses;
	flow->clause_count = count;
}

static inline struct fw_names m_names(struct fw_arena *arena, unsigned bits) {
	const char **names = FW_ARENA_ARRAY(arena, const char *, FW_LENGTH(m_interfaces));
	size_t count = 0;
	for (size_t i = 0; i < FW_LENGTH(m_interfaces); i++) {
		if ((bits & 1U << i) != 0) {
			names[count++] = m_interfaces[i];
		}
	}
	return (struct fw_names){names, count};
}

static inline size_t m_flows(struct fw_arena *arena, const struct m_case *c, size_t number,
	const struct fw_set *groups, struct fw_flow *out) {
	const struct m_service *service = &c->services[number];
	bool inbound = service->direction == M_INPUT || service->direction == M_BOTH ||
		       service->direction == M_INBOUND;
	struct fw_flow flow = {
		.service = fw_arena_printf(arena, "s%zu", number),
		.source = m_side(arena, &service->from, groups, "from"),
		.destination = m_side(arena, &service->to, groups, "to"),
		.own_ports = service->own_ports,
		.inbound = service->direction == M_INBOUND,
	};
	(inbound ? &flow.source : &flow.destination)->except = m_except(arena, c, &service->except);
	flow.limit = m_rates[service->limited];
	m_clauses(arena, service, &flow);
	size_t count = 0;
	for (int hook = FW_INPUT; hook < FW_HOOK_COUNT; hook++) {
		if (m_hears(service, (enum fw_hook)hook)) {
			flow.hook = (enum fw_hook)hook;
			flow.in_interfaces = m_names(arena, hook == FW_OUTPUT ? 0 : service->in);
			flow.out_interfaces = m_names(arena, hook == FW_INPUT ? 0 : service->out);
			out[count++] = flow;
		}
	}
	return count;
}

static inline struct fw_policy *m_policy(struct fw_arena *arena, const struct m_case *c) {
	struct fw_policy *policy = FW_ARENA_NEW(arena, struct fw_policy);
	struct fw_set *groups = FW_ARENA_ARRAY(arena, struct fw_set, M_GROUPS);
	struct fw_flow *flows = FW_ARENA_ARRAY(arena, struct fw_flow, 2 * M_SERVICES);
	struct m_lists lists = {0};
	size_t count = 0;
	for (size_t i = 0; i < M_GROUPS; i++) {
		m_group_set(arena, c, i, &lists, &groups[i]);
	}
	for (size_t i = 0; i < c->service_count; i++) {
		count += m_flows(arena, c, i, groups, &flows[count]);
	}
	for (int hook = FW_INPUT; hook < FW_HOOK_COUNT; hook++) {
		policy->hooks[hook].verdict = c->verdicts[hook];
	}
	fw_policy_finish(arena, policy, flows, count);
	return policy;
}

/* ---- as YAML ---- */

static inline void m_print_range(const struct fw_range *range, struct fw_buf *out) {
	fw_buf_add_char(out, '"');
	fw_range_format(range, out);
	fw_buf_add_char(out, '"');
}

static inline void m_print_ports(const struct m_ports *ports, struct fw_buf *out) {
	static const char *const words[] = {"", "tcp", "udp", "tcp+udp"};
	fw_buf_add_char(out, '[');
	for (size_t i = 0; i < ports->count; i++) {
		fw_buf_add_text(out, i != 0 ? ", " : "");
		fw_ports_format((struct fw_ports){ports->items[i].low, ports->items[i].high}, out);
		fw_buf_printf(out, "/%s", words[ports->items[i].protocols]);
	}
	fw_buf_add_char(out, ']');
}

static inline void m_print_peers(const char *key, const struct m_peers *peers, struct fw_buf *out) {
	if (peers->count == 0) {
		return;
	}
	fw_buf_printf(out, "    %s: [", key);
	for (size_t i = 0; i < peers->count; i++) {
		fw_buf_add_text(out, i != 0 ? ", " : "");
		if (peers->items[i].group >= 0) {
			fw_buf_printf(out, "g%d", peers->items[i].group);
		} else {
			m_print_range(&peers->items[i].range, out);
		}
	}
	fw_buf_add_text(out, "]\n");
}

static inline void m_print_interfaces(const char *key, unsigned bits, struct fw_buf *out) {
	if (bits == 0) {
		return;
	}
	fw_buf_printf(out, "    %s: [", key);
	for (size_t i = 0; i < FW_LENGTH(m_interfaces); i++) {
		if ((bits & 1U << i) != 0) {
			bool first = (bits & ((1U << i) - 1)) == 0;
			fw_buf_printf(out, "%s%s", first ? "" : ", ", m_interfaces[i]);
		}
	}
	fw_buf_add_text(out, "]\n");
}

static inline void m_print_types(
	const struct m_service *service, enum fw_family family, struct fw_buf *out) {
	bool any = false;
	for (size_t i = 0; i < service->type_count; i++) {
		const struct fw_icmp_type *type = &service->types[i].type;
		if (service->types[i].family != family) {
			continue;
		}
		fw_buf_add_text(out, any		 ? ", "
				     : family == FW_IPV4 ? "    icmp: ["
							 : "    icmpv6: [");
		fw_buf_printf(
			out, type->code >= 0 ? "\"%u/%d\"" : "\"%u\"", type->type, type->code);
		any = true;
	}
	fw_buf_add_text(out, any ? "]\n" : "");
}

static inline void m_print_service(
	const struct m_service *service, size_t number, struct fw_buf *out) {
	static const char *const directions[] = {"input", "output", "both", "forward", "forward"};
	bool forward = service->direction >= M_FORWARD;
	fw_buf_printf(out, "  s%zu:\n    direction: %s%s\n", number, directions[service->direction],
		service->direction == M_INBOUND ? "  # as to a device: `from` are the peers" : "");
	if (service->own_ports || service->ports.count != 0) {
		fw_buf_add_text(out, "    ports: ");
		if (service->own_ports) {
			fw_buf_add_text(out, "from-group");
		}
		if (service->own_ports && service->ports.count != 0) {
			fw_buf_add_text(out, "\n    default-ports: ");
		}
		if (service->ports.count != 0) {
			m_print_ports(&service->ports, out);
		}
		fw_buf_add_char(out, '\n');
	}
	if (service->source_ports.count != 0) {
		fw_buf_add_text(out, "    source-ports: ");
		m_print_ports(&service->source_ports, out);
		fw_buf_add_char(out, '\n');
	}
	m_print_types(service, FW_IPV4, out);
	m_print_types(service, FW_IPV6, out);
	for (size_t i = 0; i < service->protocol_count; i++) {
		fw_buf_printf(out, "%s%u%s", i == 0 ? "    protocol: [" : ", ",
			service->protocols[i], i + 1 == service->protocol_count ? "]\n" : "");
	}
	if (service->hop_limit != 0) {
		fw_buf_printf(out, "    hop-limit: %u\n", service->hop_limit);
	}
	m_print_peers("from", &service->from, out);
	m_print_peers("to", &service->to, out);
	m_print_peers("except", &service->except, out);
	m_print_interfaces(forward ? "in-interface" : "interface", service->in, out);
	m_print_interfaces(forward ? "out-interface" : "interface", service->out, out);
	if (service->limited != 0) {
		fw_buf_add_text(out, "    limit: ");
		fw_rate_format(&m_rates[service->limited], out);
		fw_buf_add_char(out, '\n');
	}
}

static inline bool m_uses(const struct m_peers *peers, int group) {
	for (size_t i = 0; i < peers->count; i++) {
		if (peers->items[i].group == group) {
			return true;
		}
	}
	return false;
}

static inline bool m_group_used(const struct m_case *c, int group) {
	for (size_t i = 0; i < c->service_count; i++) {
		if (m_uses(&c->services[i].from, group) || m_uses(&c->services[i].to, group) ||
			m_uses(&c->services[i].except, group)) {
			return true;
		}
	}
	return false;
}

static inline void m_print_group(const struct m_case *c, size_t group, struct fw_buf *out) {
	fw_buf_printf(out, "  g%zu:\n", group);
	for (size_t i = 0; i < c->groups[group].count; i++) {
		const struct m_entry *entry = &c->groups[group].entries[i];
		fw_buf_add_text(out, "    - {address: ");
		m_print_range(&entry->range, out);
		if (entry->own.count != 0) {
			fw_buf_add_text(out, ", ports: ");
			m_print_ports(&entry->own, out);
		}
		fw_buf_add_text(out, "}\n");
	}
}

static inline void m_print(const struct m_case *c, struct fw_buf *out) {
	bool groups = false;
	fw_buf_add_text(out, "flowfw: 1\nsite: failing\nextends: gateway\nbase: {");
	for (int hook = FW_INPUT; hook < FW_HOOK_COUNT; hook++) {
		fw_buf_printf(
			out, "%s: %s, ", fw_hook_names[hook], fw_verdict_names[c->verdicts[hook]]);
	}
	fw_buf_add_text(out, "echo: off, dhcp: off, mld: off}\ninterfaces: {");
	for (size_t i = 0; i < FW_LENGTH(m_interfaces); i++) {
		fw_buf_printf(
			out, "%s%s: %s", i != 0 ? ", " : "", m_interfaces[i], m_interfaces[i]);
	}
	fw_buf_add_text(out, "}\n");
	for (int i = 0; i < M_GROUPS; i++) {
		if (m_group_used(c, i)) {
			fw_buf_add_text(out, groups ? "" : "groups:\n");
			m_print_group(c, (size_t)i, out);
			groups = true;
		}
	}
	fw_buf_add_text(out, c->service_count != 0 ? "services:\n" : "");
	for (size_t i = 0; i < c->service_count; i++) {
		m_print_service(&c->services[i], i, out);
	}
}

/* ---- making one smaller ---- */

/** Whether flowfw would read a service: it asks for something, and all peers bring ports or none.
 */
static inline bool m_is_written(const struct m_case *c, const struct m_service *service) {
	bool inbound = service->direction != M_OUTPUT && service->direction != M_FORWARD;
	const struct m_peers *peers = inbound ? &service->from : &service->to;
	if (!service->own_ports) {
		return service->ports.count + service->source_ports.count + service->type_count +
			       service->protocol_count !=
		       0;
	}
	for (size_t i = 0; i < peers->count && service->ports.count == 0; i++) {
		int group = peers->items[i].group;
		for (size_t j = 0; group >= 0 && j < c->groups[group].count; j++) {
			if (c->groups[group].entries[j].own.count == 0) {
				return false;
			}
		}
		if (group < 0) {
			return false;
		}
	}
	return service->ports.count != 0 || peers->count != 0;
}

static inline bool m_is_profile(const struct m_case *c) {
	for (size_t i = 0; i < c->service_count; i++) {
		if (!m_is_written(c, &c->services[i])) {
			return false;
		}
	}
	for (int i = 0; i < M_GROUPS; i++) {
		if (c->groups[i].count == 0 && m_group_used(c, i)) {
			return false;
		}
	}
	return true;
}

typedef bool m_fails(const struct m_case *c, const void *context);

/* Takes the try over, if it fails too. */
static inline bool m_try(
	struct m_case *c, const struct m_case *smaller, m_fails *fails, const void *context) {
	/* What can be run stays so. */
	if (memcmp(c, smaller, sizeof(*c)) == 0 || (m_is_profile(c) && !m_is_profile(smaller)) ||
		!fails(smaller, context)) {
		return false;
	}
	*c = *smaller;
	return true;
}

/** Takes item `at` out of an array of `count` items. */
#define M_DROP(items, count, at)                                                                   \
	do {                                                                                       \
		memmove(&(items)[at], &(items)[(at) + 1], ((count) - (at)-1) * sizeof(*(items)));  \
		(count)--;                                                                         \
		memset(&(items)[count], 0, sizeof(*(items)));                                      \
	} while (0)

/** Tries to do without each item of a list of `copy`, the last first. */
#define M_SHRINK_LIST(c, list, list_count, fails, context, shrunk)                                 \
	for (size_t at_ = (c)->list_count; at_-- > 0;) {                                           \
		struct m_case copy_ = *(c);                                                        \
		M_DROP(copy_.list, copy_.list_count, at_);                                         \
		(shrunk) |= m_try((c), &copy_, (fails), (context));                                \
	}

/** Tries a value in place of another one. */
#define M_SHRINK_FIELD(c, field, value, fails, context, shrunk)                                    \
	do {                                                                                       \
		struct m_case copy_ = *(c);                                                        \
		copy_.field = (value);                                                             \
		(shrunk) |= m_try((c), &copy_, (fails), (context));                                \
	} while (0)

static inline bool m_shrink_groups(struct m_case *c, m_fails *fails, const void *context) {
	bool shrunk = false;
	for (size_t i = 0; i < M_GROUPS; i++) {
		M_SHRINK_LIST(c, groups[i].entries, groups[i].count, fails, context, shrunk);
		for (size_t j = 0; j < c->groups[i].count; j++) {
			M_SHRINK_LIST(c, groups[i].entries[j].own.items,
				groups[i].entries[j].own.count, fails, context, shrunk);
			M_SHRINK_FIELD(c, groups[i].entries[j].range.last,
				c->groups[i].entries[j].range.first, fails, context, shrunk);
			M_SHRINK_FIELD(c, groups[i].entries[j].range.first,
				c->groups[i].entries[j].range.last, fails, context, shrunk);
		}
	}
	return shrunk;
}

static inline bool m_shrink_service(
	struct m_case *c, size_t i, m_fails *fails, const void *context) {
	bool shrunk = false;
	M_SHRINK_LIST(c, services[i].from.items, services[i].from.count, fails, context, shrunk);
	M_SHRINK_LIST(c, services[i].to.items, services[i].to.count, fails, context, shrunk);
	M_SHRINK_LIST(
		c, services[i].except.items, services[i].except.count, fails, context, shrunk);
	M_SHRINK_LIST(c, services[i].ports.items, services[i].ports.count, fails, context, shrunk);
	M_SHRINK_LIST(c, services[i].source_ports.items, services[i].source_ports.count, fails,
		context, shrunk);
	M_SHRINK_LIST(c, services[i].types, services[i].type_count, fails, context, shrunk);
	M_SHRINK_LIST(c, services[i].protocols, services[i].protocol_count, fails, context, shrunk);
	M_SHRINK_FIELD(c, services[i].hop_limit, 0, fails, context, shrunk);
	M_SHRINK_FIELD(c, services[i].in, 0, fails, context, shrunk);
	M_SHRINK_FIELD(c, services[i].out, 0, fails, context, shrunk);
	M_SHRINK_FIELD(c, services[i].limited, 0, fails, context, shrunk);
	M_SHRINK_FIELD(c, services[i].own_ports, false, fails, context, shrunk);
	return shrunk;
}

/** Services go first, then members, then what is left of fields, while it still fails. */
static inline void m_shrink(struct m_case *c, m_fails *fails, const void *context) {
	bool shrunk = true;
	while (shrunk) {
		shrunk = false;
		M_SHRINK_LIST(c, services, service_count, fails, context, shrunk);
		shrunk |= m_shrink_groups(c, fails, context);
		for (size_t i = 0; i < c->service_count; i++) {
			shrunk |= m_shrink_service(c, i, fails, context);
		}
		for (int hook = FW_INPUT; hook < FW_HOOK_COUNT; hook++) {
			M_SHRINK_FIELD(c, verdicts[hook], FW_DROP, fails, context, shrunk);
		}
	}
}

#endif
