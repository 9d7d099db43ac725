// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a service asks of a packet's headers: ports, types and protocols as clauses of a flow.
 */

#include "profile/draft.h"

#include <netinet/in.h>
#include <string.h>

/* The ports of one protocol in a list of specs. */
static const struct fw_ports *pick_ports(
	struct draft *draft, const struct port_specs *specs, unsigned protocol, size_t *out_count) {
	struct fw_ports *ports = FW_ARENA_ARRAY(draft->arena, struct fw_ports, specs->count);
	size_t count = 0;

	for (size_t i = 0; i < specs->count; i++) {
		if ((specs->items[i].protocols & protocol) != 0) {
			ports[count++] = specs->items[i].ports;
		}
	}
	*out_count = fw_ports_normalize(ports, count);
	return ports;
}

static void add_port_clauses(struct draft *draft, const struct service *service,
	const struct port_specs *specs, struct clauses *clauses) {
	static const struct {
		unsigned bit;
		uint8_t number;
	} protocols[] = {{FW_PROTO_TCP, IPPROTO_TCP}, {FW_PROTO_UDP, IPPROTO_UDP}};
	const struct port_specs *sources = &service->source_ports;

	for (size_t i = 0; i < FW_LENGTH(protocols); i++) {
		struct fw_clause clause = {.protocol = protocols[i].number};
		clause.ports = pick_ports(draft, specs, protocols[i].bit, &clause.port_count);
		clause.source_ports =
			pick_ports(draft, sources, protocols[i].bit, &clause.source_port_count);
		/* Source ports of one protocol say nothing about the other: that would widen it. */
		if (clause.port_count != 0 && sources->count != 0 &&
			clause.source_port_count == 0) {
			fw_error(draft->diags, sources->span, "source-ports",
				"source ports are given for one protocol and ports for another");
			continue;
		}
		bool wanted =
			specs->count != 0 ? clause.port_count != 0 : clause.source_port_count != 0;
		if (wanted) {
			clauses->items[clauses->count++] = clause;
		} else if (clause.source_port_count != 0) {
			fw_error(draft->diags, sources->span, "source-ports",
				"source ports are given for one protocol and ports for another");
		}
	}
}

static int compare_types(const void *left, const void *right) {
	const struct fw_icmp_type *a = left;
	const struct fw_icmp_type *b = right;
	return a->type != b->type ? a->type - b->type : a->code - b->code;
}

static void add_icmp_clause(struct draft *draft, const struct service *service,
	enum fw_family family, struct clauses *clauses) {
	const struct icmp_types *given = &service->icmp[family];
	if (given->count == 0) {
		return;
	}
	struct fw_icmp_type *types =
		FW_ARENA_ARRAY(draft->arena, struct fw_icmp_type, given->count);
	memcpy(types, given->items, given->count * sizeof(*types));
	qsort(types, given->count, sizeof(*types), compare_types);
	size_t kept = 0;
	for (size_t i = 0; i < given->count; i++) {
		if (kept == 0 || compare_types(&types[kept - 1], &types[i]) != 0) {
			types[kept++] = types[i];
		}
	}
	clauses->items[clauses->count++] = (struct fw_clause){
		.family = family,
		.protocol = family == FW_IPV4 ? IPPROTO_ICMP : IPPROTO_ICMPV6,
		.types = types,
		.type_count = kept,
		.hop_limit = family == FW_IPV6 ? service->hop_limit : 0,
	};
}

/*
 * IPv6 has MLD instead of IGMP, and what are protocols of their own in IPv4 are headers on the way
 * to the protocol there (RFC 8200 section 4, RFC 4302, RFC 6275): no kernel hands them to a match.
 */
static bool is_ipv4_only(size_t protocol) {
	switch (protocol) {
	case IPPROTO_HOPOPTS:
	case IPPROTO_IGMP:
	case IPPROTO_ROUTING:
	case IPPROTO_FRAGMENT:
	case IPPROTO_AH:
	case IPPROTO_DSTOPTS:
	case IPPROTO_MH:
		return true;
	default:
		return false;
	}
}

static void add_protocol_clauses(const struct service *service, struct clauses *clauses) {
	bool seen[UINT8_MAX + 1] = {false};

	if (service->protocols.count == 0) {
		return;
	}
	for (size_t i = 0; i < service->protocols.count; i++) {
		seen[service->protocols.items[i]] = true;
	}
	for (size_t protocol = 0; protocol <= UINT8_MAX; protocol++) {
		if (seen[protocol]) {
			clauses->items[clauses->count++] = (struct fw_clause){
				.protocol = (uint8_t)protocol,
				.family = is_ipv4_only(protocol) ? FW_IPV4 : FW_FAMILY_NONE};
		}
	}
}

/* The ports that a service asks for, whatever its members bring. */
static const struct port_specs *service_ports(
	const struct draft *draft, const struct service *service) {
	switch (service->ports_kind) {
	case PORTS_FROM_GROUP:
		return &service->default_ports;
	case PORTS_FROM_RTP:
		return draft->base.rtp_ports.count != 0 ? &draft->base.rtp_ports
							: &service->default_ports;
	case PORTS_LIST:
		break;
	}
	return &service->ports;
}

struct clauses fw_resolve_clauses(struct draft *draft, const struct service *service) {
	enum { PORT_CLAUSES = 2, ICMP_CLAUSES = 2 };
	size_t most = PORT_CLAUSES + ICMP_CLAUSES + service->protocols.count;
	struct clauses clauses = {FW_ARENA_ARRAY(draft->arena, struct fw_clause, most), 0};

	add_port_clauses(draft, service, service_ports(draft, service), &clauses);
	add_icmp_clause(draft, service, FW_IPV4, &clauses);
	add_icmp_clause(draft, service, FW_IPV6, &clauses);
	add_protocol_clauses(service, &clauses);
	return clauses;
}
