// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Why packets pass or not, in words, see reasons.h.
 */

#include "cmd/reasons.h"

#include <netinet/in.h>
#include <string.h>

/* So many addresses or ports are named before words become too many. */
enum { LISTED_MAX = 4 };

/* ---- services ---- */

const struct fw_service_row *fw_reason_row(
	const struct fw_profile *profile, const struct fw_flow *flow) {
	for (size_t i = 0; i < profile->service_count; i++) {
		const struct fw_service_row *row = &profile->services[i];
		if (strcmp(row->id, flow->service) == 0) {
			return row->provenance == flow->provenance ? row : NULL;
		}
	}
	return NULL;
}

static bool is_of_hook(const struct fw_service_row *row, enum fw_hook hook) {
	return strcmp(row->direction, fw_hook_names[hook]) == 0 ||
	       (hook != FW_FORWARD && strcmp(row->direction, "both") == 0);
}

static bool ports_hold(const struct fw_ports *ports, size_t count, int port) {
	for (size_t i = 0; i < count; i++) {
		if (ports[i].low <= port && port <= ports[i].high) {
			return true;
		}
	}
	return count == 0;
}

static bool types_hold(const struct fw_clause *clause, struct fw_icmp_type type) {
	for (size_t i = 0; i < clause->type_count; i++) {
		if (clause->types[i].type == type.type) {
			return true;
		}
	}
	return false;
}

static bool clause_holds(const struct fw_clause *clause, const struct fw_packet *packet) {
	return clause->protocol == packet->protocol &&
	       (clause->family == FW_FAMILY_NONE || packet->family == FW_FAMILY_NONE ||
		       clause->family == packet->family) &&
	       (packet->port < 0 || ports_hold(clause->ports, clause->port_count, packet->port)) &&
	       (!packet->has_type || types_hold(clause, packet->type));
}

/* Whether the packet is one of some service, rather than any. */
static bool is_particular(const struct fw_packet *packet) {
	bool ports = packet->protocol == IPPROTO_TCP || packet->protocol == IPPROTO_UDP;

	return packet->protocol >= 0 && (!ports || packet->port >= 0);
}

const struct fw_service_row *fw_reason_idle(const struct fw_profile *profile,
	const struct fw_packet *packet, enum fw_hook hook, size_t *at) {
	while (is_particular(packet) && *at < profile->service_count) {
		const struct fw_service_row *row = &profile->services[(*at)++];
		/* What neither a role nor the site asks for is in the library, and no more. */
		bool wanted = row->role != NULL || row->site_span.source != NULL;
		if (!wanted || row->state == FW_SERVICE_ON || !is_of_hook(row, hook)) {
			continue;
		}
		for (size_t i = 0; i < row->clause_count; i++) {
			if (clause_holds(&row->clauses[i], packet)) {
				return row;
			}
		}
	}
	return NULL;
}

void fw_reason_add_idle(struct fw_buf *out, const struct fw_service_row *row) {
	switch (row->state) {
	case FW_SERVICE_CUT:
		fw_buf_printf(
			out, "is %s, which was not asked for", fw_importance_names[row->level]);
		break;
	case FW_SERVICE_WAITING:
		fw_buf_printf(out, "waits for its peers to be named: %s", row->peers);
		break;
	case FW_SERVICE_OFF:
	case FW_SERVICE_ON:
	case FW_SERVICE_NONE:
		fw_buf_add_text(out, "is off");
		break;
	}
}

/* ---- places ---- */

void fw_reason_add_place(struct fw_buf *out, struct fw_span span) {
	size_t line, column;

	if (span.source != NULL) {
		fw_span_place(span, &line, &column);
		fw_buf_add_escaped(out, fw_slice(span.source->name));
		fw_buf_printf(out, ":%zu", line);
	}
}

/* ---- what a flow allows ---- */

static void add_more(struct fw_buf *out, size_t count) {
	if (count > LISTED_MAX) {
		fw_buf_printf(out, " and %zu more", count - LISTED_MAX);
	}
}

static void add_literal(struct fw_buf *out, const struct fw_set *set) {
	size_t count = 0;

	for (int family = FW_IPV4; family < FW_FAMILY_COUNT; family++) {
		const struct fw_members *members = &set->members[family];
		for (size_t i = 0; i < members->count; i++) {
			if (count++ < LISTED_MAX) {
				fw_buf_add_text(out, count == 1 ? "" : ", ");
				fw_range_format(&members->items[i].range, out);
			}
		}
	}
	add_more(out, count);
}

static void add_set(struct fw_buf *out, const struct fw_set *set, bool places) {
	if (set->literal) {
		add_literal(out, set);
	} else {
		fw_buf_add_text(out, set->name);
	}
	if (places && set->span.source != NULL) {
		fw_buf_add_text(out, " (");
		fw_reason_add_place(out, set->span);
		fw_buf_add_char(out, ')');
	}
}

static void add_side(
	struct fw_buf *out, const char *word, const struct fw_side *side, bool places) {
	fw_buf_printf(out, " %s ", word);
	for (size_t i = 0; i < side->set_count; i++) {
		fw_buf_add_text(out, i == 0 ? "" : ", ");
		add_set(out, side->sets[i], places);
	}
	if (side->set_count == 0) {
		fw_buf_add_text(out, "anyone");
	}
	if (side->except != NULL) {
		fw_buf_add_text(out, " except ");
		add_set(out, side->except, places);
	}
}

static void add_names(struct fw_buf *out, const char *word, const struct fw_names *names) {
	for (size_t i = 0; i < names->count; i++) {
		fw_buf_printf(out, "%s%s", i == 0 ? word : ", ", names->items[i]);
	}
}

static void add_interfaces(struct fw_buf *out, const struct fw_flow *flow) {
	bool forward = flow->hook == FW_FORWARD;

	add_names(out, forward ? " in by " : " on ", &flow->in_interfaces);
	add_names(out, forward ? " out by " : " on ", &flow->out_interfaces);
}

static void add_port_list(struct fw_buf *out, const struct fw_ports *ports, size_t count) {
	for (size_t i = 0; i < count && i < LISTED_MAX; i++) {
		fw_buf_add_text(out, i == 0 ? "" : ", ");
		fw_ports_format(ports[i], out);
	}
	add_more(out, count);
}

static void add_types(struct fw_buf *out, const struct fw_clause *clause) {
	for (size_t i = 0; i < clause->type_count && i < LISTED_MAX; i++) {
		const struct fw_icmp_type *type = &clause->types[i];
		const char *name = fw_icmp_name(clause->family, *type);
		fw_buf_add_text(out, i == 0 ? " " : ", ");
		if (name != NULL) {
			fw_buf_add_text(out, name);
			continue;
		}
		fw_buf_add_uint(out, type->type);
		if (type->code >= 0) {
			fw_buf_printf(out, "/%d", type->code);
		}
	}
	add_more(out, clause->type_count);
}

/* "8088/tcp", "icmp echo-request", "igmp" */
static void add_clause(struct fw_buf *out, const struct fw_clause *clause) {
	const char *name = fw_protocol_name(clause->protocol);

	if (clause->port_count != 0) {
		add_port_list(out, clause->ports, clause->port_count);
		fw_buf_printf(out, "/%s", name);
	} else if (name != NULL) {
		fw_buf_add_text(out, name);
	} else {
		fw_buf_printf(out, "protocol %u", clause->protocol);
	}
	add_types(out, clause);
}

static bool misses(const struct fw_finding_flow *finding, enum fw_var var) {
	return (finding->misses >> var & 1U) != 0;
}

static const struct fw_port_list *own_ports(const struct fw_finding_flow *finding) {
	const struct fw_flow *flow = finding->flow;
	bool source = fw_flow_peers(flow) == &flow->source;
	const struct fw_entry *entry = source ? &finding->source : &finding->destination;

	return flow->own_ports && entry->set != NULL ? entry->endpoint->own : NULL;
}

/* Those of the one peer that is meant. */
static void add_own_ports(struct fw_buf *out, const struct fw_port_list *own) {
	if (own->tcp_count != 0) {
		add_port_list(out, own->tcp, own->tcp_count);
		fw_buf_add_text(out, own->udp_count != 0 ? "/tcp, " : "/tcp");
	}
	if (own->udp_count != 0) {
		add_port_list(out, own->udp, own->udp_count);
		fw_buf_add_text(out, "/udp");
	}
}

static void add_clauses(struct fw_buf *out, const struct fw_finding_flow *finding) {
	const struct fw_flow *flow = finding->flow;
	const struct fw_port_list *own = own_ports(finding);

	if (own != NULL) {
		add_own_ports(out, own);
		return;
	}

	for (size_t i = 0; i < flow->clause_count; i++) {
		fw_buf_add_text(out, i == 0 ? "" : ", ");
		add_clause(out, &flow->clauses[i]);
	}
	if (flow->own_ports) {
		fw_buf_printf(out, "%seach peer's own ports", flow->clause_count == 0 ? "" : ", ");
	}
}

bool fw_reason_is_slip(const struct fw_finding_flow *finding) {
	return (misses(finding, FW_VAR_PORT) || misses(finding, FW_VAR_PROTOCOL)) &&
	       own_ports(finding) == NULL;
}

static void add_source_ports(struct fw_buf *out, const struct fw_flow *flow) {
	for (size_t i = 0; i < flow->clause_count; i++) {
		const struct fw_clause *clause = &flow->clauses[i];
		if (clause->source_port_count != 0) {
			fw_buf_add_text(out, " from source port ");
			add_port_list(out, clause->source_ports, clause->source_port_count);
			return;
		}
	}
}

void fw_reason_add_narrower(struct fw_buf *out, const struct fw_finding_flow *finding,
	const struct fw_packet *packet, bool places) {
	const struct fw_flow *flow = finding->flow;

	fw_buf_add_text(out, "allows ");
	if (misses(finding, FW_VAR_PORT) || misses(finding, FW_VAR_PROTOCOL)) {
		add_clauses(out, finding);
	} else if (packet->has_type) {
		fw_buf_add_text(out, "this type");
	} else {
		fw_buf_add_text(out, packet->port >= 0 ? "this port" : "this");
	}
	if (misses(finding, FW_VAR_SOURCE_PORT)) {
		add_source_ports(out, flow);
	}
	if (misses(finding, FW_VAR_SOURCE)) {
		add_side(out, "from", &flow->source, places);
	}
	if (misses(finding, FW_VAR_DESTINATION)) {
		add_side(out, "to", &flow->destination, places);
	}
	if (misses(finding, FW_VAR_IN)) {
		add_interfaces(out, flow);
	}
	if (misses(finding, FW_VAR_FAMILY) && !misses(finding, FW_VAR_SOURCE) &&
		!misses(finding, FW_VAR_DESTINATION)) {
		fw_buf_printf(out, " over %s",
			fw_family_names[fw_flow_has_family(flow, FW_IPV4) ? FW_IPV4 : FW_IPV6]);
	}
	fw_buf_add_text(out, " only");
}

/* ---- what decides where no flow does ---- */

void fw_reason_add_ground(
	struct fw_buf *out, const struct fw_policy *policy, const struct fw_fate *fate) {
	const char *hook = fw_hook_names[fate->hook];

	switch (fate->ground) {
	case FW_GROUND_LOOPBACK:
		fw_buf_add_text(out, "what a host says to itself, on lo, always passes");
		break;
	case FW_GROUND_REPLY:
		fw_buf_add_text(out, "what belongs to an allowed connection always passes");
		break;
	case FW_GROUND_INVALID:
		fw_buf_add_text(out, "what is invalid to connection tracking is always dropped");
		break;
	case FW_GROUND_UNTOUCHED:
		fw_buf_printf(out, "flowfw leaves the %s hook alone", hook);
		break;
	case FW_GROUND_VERDICT:
		if (fate->passing != FW_NO_PACKET) {
			fw_buf_printf(out, "%s accepts whatever no service is about", hook);
		} else {
			fw_buf_printf(out, "no service allows it, and %s %ss the rest", hook,
				fw_verdict_names[policy->hooks[fate->hook].verdict]);
		}
		break;
	case FW_GROUND_FLOW:
	case FW_GROUND_NONE:
		break;
	}
}
