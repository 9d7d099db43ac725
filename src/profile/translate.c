// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a gateway does to addresses: the interfaces and networks that are meant, whose source is
 * translated, and what is forwarded although the gateway wants it itself.
 */

#include "profile/gateway.h"

#include <string.h>

static struct fw_set *address_set(struct gateway *gateway, const char *name, const char *title,
	const struct peers *ranges, const bool *families, const struct fw_set *more) {
	struct fw_arena *arena = gateway->draft->arena;
	const struct fw_members *others = more != NULL ? &more->members[FW_IPV4] : NULL;
	size_t most = ranges->count + (others != NULL ? others->count : 0), count = 0;
	struct fw_endpoint *endpoints = FW_ARENA_ARRAY(arena, struct fw_endpoint, most);

	for (size_t i = 0; i < ranges->count; i++) {
		const struct peer *peer = &ranges->items[i];
		if (families[peer->range.family]) {
			endpoints[count++] =
				(struct fw_endpoint){.range = peer->range, .span = peer->span};
		}
	}
	for (size_t i = 0; others != NULL && i < others->count; i++) {
		endpoints[count++] = others->items[i];
	}
	if (count == 0) {
		return NULL;
	}
	struct fw_set *set = FW_ARENA_NEW(arena, struct fw_set);
	set->name = name;
	set->title = title;
	set->literal = true;
	set->span = ranges->span;
	fw_set_resolve(set, endpoints, count);
	return set;
}

struct fw_names fw_named_interface(struct draft *draft, const char *name) {
	const struct interface *interface = fw_draft_interface(draft, fw_slice(name));

	if (interface == NULL) {
		return (struct fw_names){0};
	}
	struct name_ref ref = {interface->name, interface->span};
	return fw_resolve_interfaces(draft, &(struct name_refs){&ref, 1, interface->span});
}

static void need_interface(struct gateway *gateway, const struct fw_names *names, const char *name,
	struct fw_span by) {
	if (names->count != 0) {
		return;
	}
	struct fw_diag *diag = fw_error(gateway->draft->diags, by, "missing-key",
		"this needs to know the %s interface", name);
	fw_diag_hint(gateway->draft->diags, diag, "name it: interfaces: {%s: eth0}", name);
}

static void translate_sources(struct gateway *gateway, struct fw_translation *translation) {
	static const bool ipv4[FW_FAMILY_COUNT] = {[FW_IPV4] = true};
	const struct place *place = gateway->place;

	if (!place->masquerade) {
		return;
	}
	need_interface(gateway, &gateway->outside, "outside", place->masquerade_span);
	translation->exit = gateway->outside;
	translation->masquerade_span = place->masquerade_span;
	translation->masqueraded = address_set(gateway, "nat_masquerade",
		"whose source is translated on the way out", &place->networks, ipv4, gateway->all);
	if (translation->masqueraded == NULL && gateway->all != NULL) {
		struct fw_diag *diag = fw_warning(gateway->draft->diags, place->masquerade_span,
			"masquerade-nobody", "only IPv4 is masqueraded, and nobody here has it");
		fw_diag_hint(gateway->draft->diags, diag, "leave it out");
	}
}

/* A caller inside is answered by way of the gateway only where the device takes it for the caller.
 */
static void translate_hairpin(struct gateway *gateway, struct fw_translation *translation) {
	const struct place *place = gateway->place;
	struct fw_diags *diags = gateway->draft->diags;
	bool families[FW_FAMILY_COUNT] = {false};

	if (!place->hairpin) {
		return;
	}
	if (place->networks.count == 0 || place->inside.count == 0) {
		struct fw_diag *diag = fw_error(diags, place->hairpin_span, "missing-key",
			"hairpin needs the gateway's inside address and the networks inside");
		fw_diag_hint(
			diags, diag, "like: inside: {address: 10.8.0.1, networks: [10.8.0.0/24]}");
		return;
	}
	if (gateway->outside.count != 0) {
		need_interface(gateway, &gateway->inside, "inside", place->hairpin_span);
	}
	for (size_t i = place->inside.count; i-- > 0;) {
		const struct fw_range *range = &place->inside.items[i].range;
		if (fw_outside_has(place, range->family)) {
			families[range->family] = true;
			translation->hairpin_address[range->family] = range->first;
		}
	}
	translation->hairpin_span = place->hairpin_span;
	translation->hairpin = address_set(gateway, "nat_hairpin",
		"callers inside who use the outside address", &place->networks, families, NULL);
	if (translation->hairpin == NULL) {
		struct fw_diag *diag = fw_error(diags, place->hairpin_span, "mixed-families",
			"no inside address has networks and an outside address of its family");
		fw_diag_note(diags, diag, place->inside.span, "the inside address");
	}
}

static int compare_texts(const void *left, const void *right) {
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* Both, sorted; no name twice, as an interface is on one side. */
static struct fw_names join_names(
	struct fw_arena *arena, const struct fw_names *a, const struct fw_names *b) {
	const char **items = FW_ARENA_ARRAY(arena, const char *, a->count + b->count);

	size_t count = 0;

	for (size_t i = 0; i < a->count; i++) {
		items[count++] = a->items[i];
	}
	for (size_t i = 0; i < b->count; i++) {
		items[count++] = b->items[i];
	}
	qsort(items, count, sizeof(*items), compare_texts);
	return (struct fw_names){items, count};
}

static void check_sides(struct gateway *gateway) {
	for (size_t i = 0; i < gateway->outside.count; i++) {
		for (size_t j = 0; j < gateway->inside.count; j++) {
			if (strcmp(gateway->outside.items[i], gateway->inside.items[j]) != 0) {
				continue;
			}
			const struct interface *inside =
				fw_draft_interface(gateway->draft, FW_SLICE("inside"));
			const struct interface *outside =
				fw_draft_interface(gateway->draft, FW_SLICE("outside"));
			struct fw_diag *diag =
				fw_error(gateway->draft->diags, inside->span, "duplicate-interface",
					"'%s' is inside and outside", gateway->inside.items[j]);
			fw_diag_note(gateway->draft->diags, diag, outside->span, "outside");
		}
	}
}

/* ---- the gateway's own ports ---- */

static bool names_meet(const struct fw_names *a, const struct fw_names *b) {
	bool meet = a->count == 0 || b->count == 0;

	for (size_t i = 0; i < a->count && !meet; i++) {
		for (size_t j = 0; j < b->count && !meet; j++) {
			meet = strcmp(a->items[i], b->items[j]) == 0;
		}
	}
	return meet;
}

static bool listens(const struct fw_flow *flow, const struct fw_forwarding *forwarding) {
	for (size_t i = 0; i < flow->clause_count; i++) {
		const struct fw_clause *clause = &flow->clauses[i];
		bool same =
			clause->protocol == forwarding->protocol &&
			(clause->family == FW_FAMILY_NONE || clause->family == forwarding->family);
		for (size_t j = 0; same && j < clause->port_count; j++) {
			if (clause->ports[j].low <= forwarding->outside_port &&
				forwarding->outside_port <= clause->ports[j].high) {
				return true;
			}
		}
	}
	return false;
}

/* What is forwarded never arrives at the gateway itself. */
static void check_own_ports(struct gateway *gateway, const struct fw_translation *translation) {
	struct fw_diags *diags = gateway->draft->diags;
	const struct flows *flows = gateway->flows;

	for (size_t i = 0; i < flows->list.count; i++) {
		const struct fw_flow *flow = &flows->list.items[i];
		if (flow->hook != FW_INPUT ||
			!names_meet(&flow->in_interfaces, &translation->entry)) {
			continue;
		}
		for (size_t j = 0; j < gateway->forwardings.count; j++) {
			const struct fw_forwarding *forwarding = &gateway->forwardings.items[j];
			if (!listens(flow, forwarding)) {
				continue;
			}
			struct fw_diag *diag = fw_error(diags, forwarding->span, "forward-conflict",
				"the gateway itself listens on %u/%s for '%s'",
				forwarding->outside_port, fw_protocol_name(forwarding->protocol),
				flow->service);
			fw_diag_note(diags, diag, flow->span, "its own service");
		}
	}
}

void fw_translate(struct gateway *gateway, struct fw_translation *translation) {
	static const bool both[FW_FAMILY_COUNT] = {[FW_IPV4] = true, [FW_IPV6] = true};
	struct fw_arena *arena = gateway->draft->arena;
	size_t count = gateway->forwardings.count;

	translation->on = true;
	check_sides(gateway);
	translate_sources(gateway, translation);
	translate_hairpin(gateway, translation);
	translation->entry = translation->hairpin == NULL || gateway->outside.count == 0
				     ? gateway->outside
				     : join_names(arena, &gateway->outside, &gateway->inside);
	check_own_ports(gateway, translation);
	if (count == 0) {
		return;
	}
	struct fw_forwarding *forwardings = FW_ARENA_ARRAY(arena, struct fw_forwarding, count);
	memcpy(forwardings, gateway->forwardings.items, count * sizeof(*forwardings));
	translation->forwardings = forwardings;
	translation->forwarding_count = count;
	translation->forwarding_span = gateway->place->devices_span;
	translation->outside_addresses = address_set(gateway, "nat_outside",
		"addresses whose ports are forwarded", &gateway->place->outside, both, NULL);
}
