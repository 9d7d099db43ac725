// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which flows let packets pass, and in what they are narrower; and where none does, which would if
 * the packets were a little different.
 */

#include "meaning/ask.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

/* What can keep a packet out of a flow. */
enum {
	MISS_FAMILY = 1U << FW_VAR_FAMILY,
	MISS_PROTOCOL = 1U << FW_VAR_PROTOCOL,
	MISS_INTERFACE = 1U << FW_VAR_IN,
	MISS_SOURCE = 1U << FW_VAR_SOURCE,
	MISS_DESTINATION = 1U << FW_VAR_DESTINATION,
	MISS_SOURCE_PORT = 1U << FW_VAR_SOURCE_PORT,
	MISS_PORT = 1U << FW_VAR_PORT,
	MISS_HOP_LIMIT = 1U << FW_VAR_HOP_LIMIT,
};

static bool is_icmp(const struct fw_packet *packet) {
	return packet->protocol == IPPROTO_ICMP || packet->protocol == IPPROTO_ICMPV6;
}

/* Made once for all that is asked of a policy. */
static fw_space flow_set(struct fw_oracle *oracle, size_t at) {
	if (oracle->sets == NULL) {
		size_t count = oracle->policy->flow_count;
		oracle->sets = FW_ARENA_ARRAY(oracle->arena, fw_space, count);
		for (size_t i = 0; i < count; i++) {
			oracle->sets[i] = fw_flow_space(
				oracle->spaces, oracle->interfaces, &oracle->policy->flows[i]);
		}
	}
	return oracle->sets[at];
}

/* ---- entries of groups ---- */

static bool has_port(const struct fw_ports *ports, size_t count, int port) {
	for (size_t i = 0; i < count; i++) {
		if (ports[i].low <= port && port <= ports[i].high) {
			return true;
		}
	}
	return false;
}

/* Whether the packet's port is among those that the entry brings. */
static bool brings_port(const struct fw_port_list *own, const struct fw_packet *packet) {
	bool tcp = packet->protocol != IPPROTO_UDP, udp = packet->protocol != IPPROTO_TCP;

	return packet->port < 0 || (tcp && has_port(own->tcp, own->tcp_count, packet->port)) ||
	       (udp && has_port(own->udp, own->udp_count, packet->port));
}

static const struct fw_endpoint *find_endpoint(const struct fw_members *members,
	const struct fw_range *address, const struct fw_packet *packet, bool own_ports) {
	for (size_t i = 0; i < members->count; i++) {
		const struct fw_endpoint *endpoint = &members->items[i];
		if (fw_range_contains(&endpoint->range, address) &&
			(!own_ports || endpoint->own == NULL ||
				brings_port(endpoint->own, packet))) {
			return endpoint;
		}
	}
	return NULL;
}

/* The entry of a side that holds this address. */
static struct fw_entry find_entry(const struct fw_flow *flow, const struct fw_side *side,
	const struct fw_range *address, const struct fw_packet *packet) {
	bool own_ports = flow->own_ports && side == fw_flow_peers(flow);

	for (size_t i = 0; i < side->set_count; i++) {
		const struct fw_endpoint *endpoint = find_endpoint(
			&side->sets[i]->members[address->family], address, packet, own_ports);
		if (endpoint != NULL) {
			return (struct fw_entry){side->sets[i], endpoint};
		}
	}
	return (struct fw_entry){0};
}

/* With the entries that hold the packet's addresses, whatever their ports where it misses those. */
static struct fw_finding_flow finding(
	const struct fw_packet *packet, const struct fw_flow *flow, unsigned misses) {
	struct fw_finding_flow found = {.flow = flow, .misses = misses};
	struct fw_packet any_port = *packet;

	if ((misses & MISS_PORT) != 0) {
		any_port.port = -1;
		packet = &any_port;
	}

	if (packet->has_source && (misses & MISS_SOURCE) == 0) {
		found.source = find_entry(flow, &flow->source, &packet->source, packet);
	}
	if (packet->has_destination && (misses & MISS_DESTINATION) == 0) {
		found.destination =
			find_entry(flow, &flow->destination, &packet->destination, packet);
	}
	return found;
}

/* ---- what passes ---- */

/* The bit for a variable, by what a person would call it. */
static unsigned miss_of(const struct fw_packet *packet, enum fw_var var) {
	switch (var) {
	case FW_VAR_OUT:
		return MISS_INTERFACE;
	case FW_VAR_SOURCE_PORT:
		return is_icmp(packet) ? MISS_PORT : MISS_SOURCE_PORT;
	default:
		return 1U << var;
	}
}

/* In what `part`, of a flow, is narrower than the question's packets. */
static unsigned find_narrower(const struct question *question, fw_space part) {
	static const enum fw_var vars[] = {FW_VAR_IN, FW_VAR_OUT, FW_VAR_FAMILY, FW_VAR_PROTOCOL,
		FW_VAR_SOURCE, FW_VAR_DESTINATION, FW_VAR_SOURCE_PORT, FW_VAR_PORT,
		FW_VAR_HOP_LIMIT};
	struct fw_spaces *spaces = question->oracle->spaces;
	fw_space all = fw_question_view(question, question->set);
	unsigned misses = 0;

	part = fw_question_view(question, part);
	if (part == all) {
		return 0;
	}
	for (size_t i = 0; i < FW_LENGTH(vars); i++) {
		fw_space wider =
			fw_space_intersect(spaces, fw_space_exists(spaces, part, vars[i]), all);
		if (wider != part) {
			misses |= miss_of(question->packet, vars[i]);
		}
	}
	return misses;
}

/* A flow that lets some pass, and how much it has to say. */
struct passing_flow {
	struct fw_finding_flow finding;
	enum { LETS_ALL, LETS_WITNESS, LETS_OTHERS, RANKS } rank;
};

struct passing_flows {
	FW_VEC(struct passing_flow) list;
};

/* By rank: those first that let all of it pass, then those that let the witness pass. */
static void keep(const struct question *question, const struct passing_flows *passing,
	struct fw_fate *fate) {
	struct fw_finding_flow *flows = FW_ARENA_ARRAY(
		question->oracle->arena, struct fw_finding_flow, passing->list.count);

	for (int rank = LETS_ALL; rank < RANKS; rank++) {
		for (size_t i = 0; i < passing->list.count; i++) {
			if ((int)passing->list.items[i].rank == rank) {
				flows[fate->flow_count++] = passing->list.items[i].finding;
			}
		}
	}
	fate->flows = flows;
}

void fw_find_passing(const struct question *question, struct fw_fate *fate) {
	struct fw_oracle *oracle = question->oracle;
	struct passing_flows passing = {0};

	for (size_t i = 0; i < oracle->policy->flow_count; i++) {
		const struct fw_flow *flow = &oracle->policy->flows[i];
		if (flow->hook != question->hook) {
			continue;
		}
		fw_space part =
			fw_space_intersect(oracle->spaces, question->set, flow_set(oracle, i));
		unsigned misses = find_narrower(question, part);
		if (oracle->spaces->exhausted) {
			break;
		}
		if (part != FW_SPACE_EMPTY) {
			bool witness = fw_space_contains(oracle->spaces, part, &fate->passed);
			FW_VEC_ADD(&passing.list,
				(struct passing_flow){finding(question->packet, flow, misses),
					misses == 0 ? LETS_ALL
					: witness   ? LETS_WITNESS
						    : LETS_OTHERS});
		}
	}
	keep(question, &passing, fate);
	FW_VEC_FINI(&passing.list);
}

/* ---- what would pass ---- */

/*
 * Ways to be a little different, the least first. Another port is not much of a reason: it counts
 * only where nothing else is near, if it looks like a slip, and so does another protocol.
 */
static const unsigned ways[] = {
	MISS_SOURCE,
	MISS_DESTINATION,
	MISS_INTERFACE,
	MISS_SOURCE_PORT,
	MISS_SOURCE | MISS_INTERFACE,
	MISS_DESTINATION | MISS_INTERFACE,
	MISS_SOURCE | MISS_DESTINATION,
	MISS_SOURCE | MISS_DESTINATION | MISS_INTERFACE,
	MISS_PROTOCOL,
	MISS_PORT,
};
enum { WAY_COUNT = FW_LENGTH(ways) };

/* A flow that is near. */
struct near {
	const struct fw_flow *flow;
	size_t way;
	unsigned slip; /* of the port */
	unsigned misses;
};

struct nearest {
	struct near items[FW_NEAREST_MAX];
	size_t count;
};

/* What the packet says that could have been said otherwise. */
static unsigned said(const struct question *question, const struct fw_fate *fate) {
	const struct fw_packet *packet = question->packet;
	bool ports = packet->protocol == IPPROTO_TCP || packet->protocol == IPPROTO_UDP;
	unsigned bits = 0;

	if (packet->has_source) {
		bits |= MISS_SOURCE;
	}
	if (packet->has_destination && fate->forwarding == NULL) {
		bits |= MISS_DESTINATION;
	}
	if (packet->in.count != 0 || packet->out.count != 0) {
		bits |= MISS_INTERFACE;
	}
	if (packet->source_port >= 0) {
		bits |= MISS_SOURCE_PORT;
	}
	if (packet->port >= 0 && ports) {
		bits |= MISS_PROTOCOL;
	}
	if (packet->port >= 0) {
		bits |= MISS_PORT;
	}
	return bits;
}

/* The packet without what it misses by. */
static struct fw_packet loosen(struct fw_packet packet, unsigned misses) {
	if ((misses & MISS_SOURCE) != 0) {
		packet.has_source = false;
	}
	if ((misses & MISS_DESTINATION) != 0) {
		packet.has_destination = false;
	}
	if (!packet.has_source && !packet.has_destination && !is_icmp(&packet)) {
		packet.family = FW_FAMILY_NONE;
	}
	if ((misses & MISS_INTERFACE) != 0) {
		packet.in = packet.out = (struct fw_names){0};
	}
	if ((misses & MISS_SOURCE_PORT) != 0) {
		packet.source_port = -1;
	}
	if ((misses & MISS_PROTOCOL) != 0) {
		packet.protocol = packet.protocol == IPPROTO_TCP ? IPPROTO_UDP : IPPROTO_TCP;
	}
	if ((misses & MISS_PORT) != 0) {
		packet.port = -1;
	}
	return packet;
}

/* How far a port may be from the one that was meant; then one that only looks like it. */
enum { NEAR_PORT = 9, LIKE_PORT, OTHER_PORT };

/* How far, if one port may have been written for another; OTHER_PORT: it was not. */
static unsigned port_slip(int port, uint16_t other) {
	char said[16], meant[16];
	const char *candidate = meant;
	int distance = abs(port - (int)other);

	if (distance <= NEAR_PORT) {
		return (unsigned)distance;
	}
	snprintf(said, sizeof(said), "%d", port);
	snprintf(meant, sizeof(meant), "%u", other);
	return fw_nearest(fw_slice(said), &candidate, 1) != NULL ? LIKE_PORT : OTHER_PORT;
}

static unsigned least(unsigned a, unsigned b) {
	return a < b ? a : b;
}

/* The same for the nearest of the flow's ports. */
static unsigned flow_slip(const struct fw_flow *flow, const struct fw_packet *packet) {
	unsigned slip = OTHER_PORT;

	for (size_t i = 0; i < flow->clause_count; i++) {
		const struct fw_clause *clause = &flow->clauses[i];
		for (size_t j = 0; clause->protocol == packet->protocol && j < clause->port_count;
			j++) {
			slip = least(slip, port_slip(packet->port, clause->ports[j].low));
			slip = least(slip, port_slip(packet->port, clause->ports[j].high));
		}
	}
	return slip;
}

static bool is_nearer(const struct near *a, const struct near *b) {
	return a->way != b->way ? a->way < b->way : a->slip < b->slip;
}

/* Into its place; the last one falls out. */
static void add_near(struct nearest *nearest, struct near near) {
	size_t at = nearest->count;

	while (at > 0 && is_nearer(&near, &nearest->items[at - 1])) {
		at--;
	}
	if (at == FW_NEAREST_MAX) {
		return;
	}
	if (nearest->count < FW_NEAREST_MAX) {
		nearest->count++;
	}
	for (size_t i = nearest->count - 1; i > at; i--) {
		nearest->items[i] = nearest->items[i - 1];
	}
	nearest->items[at] = near;
}

static bool is_weak(const struct near *near) {
	return (ways[near->way] & (MISS_PROTOCOL | MISS_PORT)) != 0;
}

/* Whether the flow is for this peer, too, but on the peer's own ports. */
static bool is_other_port(const struct fw_packet *packet, const struct fw_flow *flow, size_t way) {
	bool source = fw_flow_peers(flow) == &flow->source;
	unsigned peers = source ? MISS_SOURCE : MISS_DESTINATION;
	struct fw_finding_flow found = finding(packet, flow, MISS_PORT);

	return flow->own_ports && ways[way] == peers &&
	       (source ? found.source.set : found.destination.set) != NULL;
}

/* The packets, and those a little different: by each way, and by any. */
struct loosened {
	fw_space by_way[WAY_COUNT], all;
};

static void loosen_all(
	const struct question *question, const struct fw_fate *fate, struct loosened *loosened) {
	struct fw_oracle *oracle = question->oracle;
	unsigned bits = said(question, fate);

	for (size_t way = 0; way < WAY_COUNT; way++) {
		struct fw_packet packet = loosen(*question->packet, ways[way]);
		loosened->by_way[way] = (ways[way] & ~bits) == 0
						? fw_question_space(oracle, &packet)
						: FW_SPACE_EMPTY;
	}
	loosened->all = fw_space_union_all(oracle->spaces, loosened->by_way, WAY_COUNT);
}

static bool meet(struct fw_oracle *oracle, fw_space set, size_t at) {
	return fw_space_intersect(oracle->spaces, set, flow_set(oracle, at)) != FW_SPACE_EMPTY;
}

/* The first way in which the flow would let some of it pass; WAY_COUNT: none. */
static size_t find_way(struct fw_oracle *oracle, const struct loosened *loosened, size_t at) {
	size_t way = 0;

	if (!meet(oracle, loosened->all, at)) {
		return WAY_COUNT;
	}
	while (way < WAY_COUNT && !meet(oracle, loosened->by_way[way], at)) {
		way++;
	}
	return way;
}

void fw_find_nearest(const struct question *question, struct fw_fate *fate) {
	struct fw_oracle *oracle = question->oracle;
	struct loosened loosened;
	struct nearest nearest = {0};

	loosen_all(question, fate, &loosened);
	for (size_t i = 0; i < oracle->policy->flow_count; i++) {
		const struct fw_flow *flow = &oracle->policy->flows[i];
		size_t way =
			flow->hook == question->hook ? find_way(oracle, &loosened, i) : WAY_COUNT;
		unsigned slip = way < WAY_COUNT && ways[way] == MISS_PORT
					? flow_slip(flow, question->packet)
					: 0;
		if (way < WAY_COUNT && slip != OTHER_PORT) {
			bool other_port = is_other_port(question->packet, flow, way);
			add_near(&nearest,
				(struct near){flow, way, slip, other_port ? MISS_PORT : ways[way]});
		}
	}
	struct fw_finding_flow *flows =
		FW_ARENA_ARRAY(oracle->arena, struct fw_finding_flow, FW_NEAREST_MAX);
	for (size_t i = 0; i < nearest.count; i++) {
		const struct near *near = &nearest.items[i];
		/* Of those that are hardly near, one will do. */
		if (i == 0 || !is_weak(near)) {
			flows[fate->flow_count++] =
				finding(question->packet, near->flow, near->misses);
		}
	}
	fate->flows = flows;
}
