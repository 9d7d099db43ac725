// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Forwarded ports: which outside port is which device's, and what is wrong about them. The order of
 * ports behind a base is profiles/base.yaml's.
 */

#include "profile/gateway.h"

#include <string.h>

/* An outside port that is taken. */
struct taken_port {
	UT_hash_handle hh; /* by protocol, family and port */
	uint32_t key;
	struct fw_span span;
};

void fw_forward_fini(struct gateway *gateway) {
	HASH_CLEAR(hh, gateway->taken);
}

/* ---- what a device asks for ---- */

const struct wanted_port *fw_wanted_port(const struct wanted_ports *wanted, const char *service) {
	for (size_t i = 0; i < wanted->count; i++) {
		if (strcmp(wanted->items[i].service, service) == 0) {
			return &wanted->items[i];
		}
	}
	return NULL;
}

/* The place of a service behind a base; -1: it has none. */
static int base_offset(const struct place *place, const char *service) {
	for (size_t i = 0; i < place->pair.count; i++) {
		if (strcmp(place->pair.items[i].name, service) == 0) {
			return (int)i;
		}
	}
	for (size_t i = 0; i < place->further.count; i++) {
		if (strcmp(place->further.items[i].name, service) == 0) {
			return (int)(place->pair.count + i);
		}
	}
	return -1;
}

/* A port behind the base; 0: an error is in the list. */
static uint16_t base_port(struct draft *draft, const struct device *device, const char *service,
	struct fw_span span) {
	struct fw_diags *diags = draft->diags;
	int offset = base_offset(&draft->place, service);

	if (device->forward_base == 0) {
		struct fw_diag *diag = fw_error(diags, span, "missing-key",
			"'%s' has no base for the port of '%s'", device->name, service);
		fw_diag_hint(diags, diag,
			"give the port itself, `%s: 18090`, or a base: `forward: {base: 18100}`",
			service);
		return 0;
	}
	if (offset < 0) {
		struct fw_diag *diag = fw_error(diags, span, "forward-order",
			"'%s' has no place in the order of ports behind a base", service);
		fw_diag_note(diags, diag, draft->place.pair.span, "the order begins here");
		fw_diag_hint(diags, diag, "give its port: %s: 18090", service);
		return 0;
	}
	if (device->forward_base + offset > UINT16_MAX) {
		fw_error(diags, device->base_span, "bad-port",
			"there is no port %d for '%s' behind this base",
			device->forward_base + offset, service);
		return 0;
	}
	return (uint16_t)(device->forward_base + offset);
}

static bool is_off(const struct device *device, const char *service) {
	for (size_t i = 0; i < device->forward_count; i++) {
		if (device->forwards[i].off &&
			strcmp(device->forwards[i].service.name, service) == 0) {
			return true;
		}
	}
	return false;
}

struct wanted_ports fw_wanted_ports(struct draft *draft, const struct device *device) {
	const struct name_refs *pair = &draft->place.pair;
	struct wanted_ports wanted = {FW_ARENA_ARRAY(draft->arena, struct wanted_port,
					      device->forward_count + pair->count),
		0};

	for (size_t i = 0; i < device->forward_count; i++) {
		const struct device_forward *forward = &device->forwards[i];
		const char *service = forward->service.name;
		if (forward->off) {
			continue;
		}
		uint16_t port = forward->port != 0
					? forward->port
					: base_port(draft, device, service, forward->span);
		if (port != 0) {
			wanted.items[wanted.count++] =
				(struct wanted_port){service, port, forward->span, false};
		}
	}
	for (size_t i = 0; device->forward_base != 0 && i < pair->count; i++) {
		const char *service = pair->items[i].name;
		if (fw_wanted_port(&wanted, service) != NULL || is_off(device, service)) {
			continue;
		}
		uint16_t port = base_port(draft, device, service, device->base_span);
		if (port != 0) {
			wanted.items[wanted.count++] =
				(struct wanted_port){service, port, device->base_span, true};
		}
	}
	return wanted;
}

/* ---- forwarding ---- */

/* Two connections to one outside port cannot end at two places. */
static bool take_port(struct gateway *gateway, enum fw_family family, uint8_t protocol,
	uint16_t port, struct fw_span span) {
	uint32_t key = (uint32_t)family << 24 | (uint32_t)protocol << 16 | port;
	struct taken_port *taken = NULL;

	HASH_FIND(hh, gateway->taken, &key, sizeof(key), taken);
	if (taken != NULL) {
		struct fw_diag *diag = fw_error(gateway->draft->diags, span, "forward-conflict",
			"the outside port %u/%s is forwarded twice", port,
			fw_protocol_name(protocol));
		fw_diag_note(gateway->draft->diags, diag, taken->span, "the other one");
		return false;
	}
	taken = FW_ARENA_NEW(gateway->draft->arena, struct taken_port);
	taken->key = key;
	taken->span = span;
	HASH_ADD(hh, gateway->taken, key, sizeof(taken->key), taken);
	return true;
}

/* The one port that a device's service listens on; 0: it has none, or several. */
static uint16_t only_port(const struct fw_flow *flow) {
	uint16_t port = 0;

	for (size_t i = 0; i < flow->clause_count; i++) {
		const struct fw_clause *clause = &flow->clauses[i];
		bool single =
			clause->port_count == 1 && clause->ports[0].low == clause->ports[0].high;
		if (!single || (port != 0 && port != clause->ports[0].low)) {
			return 0;
		}
		port = clause->ports[0].low;
	}
	return port;
}

bool fw_outside_has(const struct place *place, enum fw_family family) {
	for (size_t i = 0; i < place->outside.count; i++) {
		if (place->outside.items[i].range.family == family) {
			return true;
		}
	}
	return false;
}

static void add_forwardings(struct gateway *gateway, const struct station *station,
	const struct fw_flow *flow, family_bits families, const struct wanted_port *wanted) {
	for (int family = FW_IPV4; family < FW_FAMILY_COUNT; family++) {
		if ((families & 1U << family) == 0 ||
			!fw_outside_has(gateway->place, (enum fw_family)family)) {
			continue;
		}
		for (size_t i = 0; i < flow->clause_count; i++) {
			struct fw_forwarding forwarding = {
				.device = station->device->name,
				.service = flow->service,
				.family = (enum fw_family)family,
				.protocol = flow->clauses[i].protocol,
				.outside_port = wanted->port,
				.address = station->ranges[family].first,
				.port = flow->clauses[i].ports[0].low,
				.span = wanted->span,
			};
			if (take_port(gateway, forwarding.family, forwarding.protocol,
				    forwarding.outside_port, wanted->span)) {
				FW_VEC_ADD(&gateway->forwardings, forwarding);
			}
		}
	}
}

/* The flow of what others call at a device, or NULL. */
static const struct fw_flow *input_flow(const struct fw_policy *policy, const char *service) {
	for (size_t i = 0; i < policy->flow_count; i++) {
		const struct fw_flow *flow = &policy->flows[i];
		if (flow->hook == FW_INPUT && strcmp(flow->service, service) == 0) {
			return flow;
		}
	}
	return NULL;
}

static void forward_port(struct gateway *gateway, const struct station *station, struct draft *own,
	const struct fw_policy *policy, const struct wanted_port *wanted) {
	struct fw_diags *diags = gateway->draft->diags;
	const struct fw_flow *flow = input_flow(policy, wanted->service);
	const struct service *service = fw_draft_service(own, fw_slice(wanted->service));
	family_bits families = flow != NULL ? fw_crossing_families(station, own, flow) : 0;

	if (service == NULL) {
		fw_draft_no_service(own, wanted->span, fw_slice(wanted->service));
	} else if (families == 0 && !wanted->by_base && service->state != FW_SERVICE_CUT) {
		struct fw_diag *diag = fw_error(diags, wanted->span, "forward-closed",
			"'%s' lets nobody in by '%s', so nothing can be forwarded to it",
			station->device->name, wanted->service);
		fw_diag_note(diags, diag, flow != NULL ? flow->span : station->device->profile_span,
			flow != NULL ? "it is not for what comes by way of a gateway"
				     : "its profile");
	} else if (families != 0 && only_port(flow) == 0) {
		struct fw_diag *diag = fw_error(diags, wanted->span, "forward-ports",
			"'%s' is not one port, and one outside port leads to one", wanted->service);
		fw_diag_note(diags, diag, flow->span, "its ports");
	} else if (families != 0) {
		add_forwardings(gateway, station, flow, families, wanted);
	}
}

/* FLOW Insights takes a port of the Block and one of the Node. */
static void check_pair(struct gateway *gateway, const struct station *station,
	const struct fw_policy *policy, const struct wanted_ports *wanted) {
	const struct name_refs *pair = &gateway->place->pair;
	const struct wanted_port *given = NULL;
	const char *missing = NULL;

	for (size_t i = 0; i < pair->count; i++) {
		const struct wanted_port *port = fw_wanted_port(wanted, pair->items[i].name);
		if (port != NULL) {
			given = port;
		} else if (input_flow(policy, pair->items[i].name) != NULL) {
			missing = pair->items[i].name;
		}
	}
	if (given == NULL || missing == NULL) {
		return;
	}
	struct fw_diag *diag = fw_error(gateway->draft->diags, given->span, "forward-half",
		"'%s' is forwarded '%s' without '%s', and FLOW Insights asks for both",
		station->device->name, given->service, missing);
	fw_diag_hint(gateway->draft->diags, diag, "add its outside port: %s: %u", missing,
		given->port < UINT16_MAX ? given->port + 1U : given->port - 1U);
}

static bool has_family_outside(const struct gateway *gateway, const struct station *station) {
	for (int family = FW_IPV4; family < FW_FAMILY_COUNT; family++) {
		if (station->has[family] &&
			fw_outside_has(gateway->place, (enum fw_family)family)) {
			return true;
		}
	}
	return false;
}

/* ---- how it is called ---- */

const char *fw_login_format(struct fw_arena *arena, const struct fw_range *address,
	const uint16_t *ports, size_t count) {
	FW_AUTO(fw_buf_fini) struct fw_buf out = {0};
	bool brackets = address->family == FW_IPV6 && count != 0;

	fw_buf_add_text(&out, brackets ? "[" : "");
	fw_addr_format(address->family, address->first, &out);
	fw_buf_add_text(&out, brackets ? "]" : "");
	for (size_t i = 0; i < count; i++) {
		fw_buf_printf(&out, ":%u", ports[i]);
	}
	return fw_arena_text(arena, fw_buf_slice(&out));
}

/*
 * FLOW Insights takes an address and the ports of the pair: outside where they are forwarded, else
 * the device's own.
 */
static void find_logins(struct gateway *gateway, struct station *station,
	const struct fw_policy *policy, const struct wanted_ports *wanted) {
	const struct place *place = gateway->place;
	size_t count = place->pair.count;
	uint16_t *own = FW_ARENA_ARRAY(gateway->draft->arena, uint16_t, count);
	uint16_t *outside = FW_ARENA_ARRAY(gateway->draft->arena, uint16_t, count);
	bool reached = count != 0, forwarded = count != 0;

	for (size_t i = 0; i < count; i++) {
		const char *service = place->pair.items[i].name;
		const struct fw_flow *flow = input_flow(policy, service);
		const struct wanted_port *port = fw_wanted_port(wanted, service);
		own[i] = flow != NULL ? only_port(flow) : 0;
		outside[i] = port != NULL ? port->port : 0;
		reached &= own[i] != 0;
		forwarded &= outside[i] != 0;
	}
	struct fw_arena *arena = gateway->draft->arena;
	struct fw_login *logins =
		FW_ARENA_ARRAY(arena, struct fw_login, place->outside.count + FW_FAMILY_COUNT);
	station->logins = logins;
	for (size_t i = 0; reached && forwarded && i < place->outside.count; i++) {
		const struct fw_range *address = &place->outside.items[i].range;
		if (station->has[address->family]) {
			logins[station->login_count++] =
				(struct fw_login){fw_login_format(arena, address, outside, count),
					fw_login_format(arena, &station->ranges[address->family],
						own, count)};
		}
	}
	for (int family = FW_IPV4; family < FW_FAMILY_COUNT; family++) {
		bool translated =
			reached && forwarded && fw_outside_has(place, (enum fw_family)family);
		if (station->has[family] && !translated) {
			const char *text = fw_login_format(
				arena, &station->ranges[family], own, reached ? count : 0);
			logins[station->login_count++] =
				(struct fw_login){reached ? text : NULL, text};
		}
	}
}

/* ---- a device ---- */

/* Whether the device's ports can be forwarded at all. */
static bool check_outside(struct gateway *gateway, const struct station *station) {
	struct fw_diags *diags = gateway->draft->diags;
	const struct device *device = station->device;

	if (gateway->place->outside.count == 0) {
		struct fw_diag *diag = fw_error(diags, device->forward_span, "missing-key",
			"ports are forwarded, and the gateway has no outside address");
		fw_diag_hint(diags, diag, "name it: outside: {address: 198.51.100.7}");
		return false;
	}
	if (!has_family_outside(gateway, station)) {
		struct fw_diag *diag = fw_error(diags, device->forward_span, "mixed-families",
			"'%s' has no address of the outside address's family", device->name);
		fw_diag_note(diags, diag, gateway->place->outside.span, "the outside address");
		return false;
	}
	return true;
}

void fw_forward_ports(struct gateway *gateway, struct station *station, struct draft *own,
	const struct fw_policy *policy) {
	struct wanted_ports wanted = {0};

	if (station->device->forward_span.source != NULL && check_outside(gateway, station)) {
		size_t errors = gateway->draft->diags->errors;
		wanted = fw_wanted_ports(gateway->draft, station->device);
		bool whole = gateway->draft->diags->errors == errors;
		for (size_t i = 0; i < wanted.count; i++) {
			forward_port(gateway, station, own, policy, &wanted.items[i]);
		}
		if (whole) {
			check_pair(gateway, station, policy, &wanted);
		}
	}
	find_logins(gateway, station, policy, &wanted);
}
