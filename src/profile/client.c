// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A client: the operator's machine, from which devices are called. Services of the devices are seen
 * from the other side: what they let in goes out here, and what they send comes in.
 */

#include "profile/gateway.h"

#include <netinet/in.h>
#include <string.h>

/* Where a service is called on a device: a list of one port, on each protocol that it has. */
static const struct fw_port_list *port_list(
	struct draft *draft, const struct service *service, uint16_t port) {
	struct port_spec spec = {.ports = {port, port}};

	for (size_t i = 0; i < service->ports.count; i++) {
		spec.protocols |= service->ports.items[i].protocols;
	}
	return fw_draft_port_list(draft, &spec, 1);
}

static void add_addresses(
	struct endpoints *list, const struct device *device, const struct fw_port_list *own) {
	for (size_t i = 0; i < device->addresses.count; i++) {
		const struct peer *peer = &device->addresses.items[i];
		FW_VEC_ADD(&list->list, (struct fw_endpoint){.range = peer->range,
						.name = device->name,
						.own = own,
						.span = peer->span});
	}
}

static struct group *add_group(
	struct draft *draft, const char *name, const char *title, struct endpoints *members) {
	struct group *group = FW_ARENA_NEW(draft->arena, struct group);

	group->name = name;
	group->title = title;
	group->span = group->set_span = draft->place.devices_span;
	group->state = GROUP_LIST;
	group->members = members;
	HASH_ADD_KEYPTR(hh, draft->groups, group->name, strlen(group->name), group);
	return group;
}

/* ---- one service ---- */

/* Some devices are called on other ports than their own, or not at all: by what is forwarded. */
static const char *own_group(struct draft *draft, struct service *service) {
	const struct place *place = &draft->place;
	struct endpoints *members = fw_endpoints_new(draft);

	for (size_t i = 0; i < place->device_count; i++) {
		const struct device *device = &place->devices[i];
		if (device->forward_span.source == NULL) {
			add_addresses(members, device, NULL);
			continue;
		}
		const struct wanted_ports wanted = fw_wanted_ports(draft, device);
		const struct wanted_port *port = fw_wanted_port(&wanted, service->id);
		if (port != NULL) {
			service->some_own = true;
			add_addresses(members, device, port_list(draft, service, port->port));
		}
	}
	struct group *group =
		add_group(draft, fw_arena_printf(draft->arena, "%s_devices", service->id),
			fw_arena_printf(draft->arena, "devices, and where their '%s' is called",
				service->id),
			members);
	if (members->list.count == 0) {
		group->state = GROUP_UNSET; /* nobody is called by it */
	}
	return group->name;
}

static struct peers one_group(struct draft *draft, const char *name, struct fw_span span) {
	struct peer *peer = FW_ARENA_NEW(draft->arena, struct peer);

	*peer = (struct peer){.group = name, .span = span};
	return (struct peers){.items = peer, .count = 1, .span = span};
}

static bool some_forwarded(const struct place *place) {
	for (size_t i = 0; i < place->device_count; i++) {
		if (place->devices[i].forward_span.source != NULL) {
			return true;
		}
	}
	return false;
}

static void mirror(struct draft *draft, struct service *service) {
	bool called = service->direction == DIRECTION_INPUT;
	const char *name = called && some_forwarded(&draft->place) ? own_group(draft, service)
								   : FW_DEVICES_GROUP;
	struct peers devices = one_group(draft, name, service->touched);

	service->mirrored = true;
	service->direction = called ? DIRECTION_OUTPUT : DIRECTION_INPUT;
	if (!service->from_given) {
		service->from = called ? (struct peers){0} : devices;
	}
	if (!service->to_given) {
		service->to = called ? devices : (struct peers){0};
	}
}

static bool is_mirrored(const struct place *place, const char *name) {
	for (size_t i = 0; i < place->mirror.count; i++) {
		if (strcmp(place->mirror.items[i].name, name) == 0) {
			return true;
		}
	}
	return false;
}

/* Each port that a device is called on is one of a service that is called, and of no other. */
static void check_forwards(struct draft *draft, const struct device *device) {
	const struct wanted_ports wanted = fw_wanted_ports(draft, device);

	for (size_t i = 0; i < wanted.count; i++) {
		const struct wanted_port *port = &wanted.items[i];
		if (fw_draft_service(draft, fw_slice(port->service)) == NULL) {
			fw_draft_no_service(draft, port->span, fw_slice(port->service));
		} else if (!is_mirrored(&draft->place, port->service)) {
			struct fw_diag *diag = fw_error(draft->diags, port->span, "forward-closed",
				"'%s' is no service that is called from here", port->service);
			fw_diag_note(draft->diags, diag, draft->place.mirror.span, "these are");
		}
		for (size_t j = 0; j < i; j++) {
			if (wanted.items[j].port != port->port) {
				continue;
			}
			struct fw_diag *diag = fw_error(draft->diags, port->span,
				"forward-conflict", "the outside port %u is given for '%s', too",
				port->port, wanted.items[j].service);
			fw_diag_note(draft->diags, diag, wanted.items[j].span, "the other one");
		}
	}
}

void fw_mirror_services(struct draft *draft) {
	const struct name_refs *names = &draft->place.mirror;

	for (size_t i = 0; i < draft->place.device_count; i++) {
		check_forwards(draft, &draft->place.devices[i]);
	}

	for (size_t i = 0; i < names->count; i++) {
		const struct name_ref *ref = &names->items[i];
		struct service *service = fw_draft_service(draft, fw_slice(ref->name));
		if (service == NULL) {
			fw_draft_no_service(draft, ref->span, fw_slice(ref->name));
		} else if (service->direction != DIRECTION_INPUT &&
			   service->direction != DIRECTION_OUTPUT) {
			fw_error(draft->diags, ref->span, "mirror-direction",
				"'%s' has no other side: its direction is %s", ref->name,
				service->direction != DIRECTION_NONE
					? fw_direction_names[service->direction]
					: "not known");
		} else if (!service->mirrored) {
			fw_list_service(draft, service, "mirror");
			mirror(draft, service);
		}
	}
}

/* ---- the devices, as a group ---- */

/* What the gateway's rules and a site's own services call by this name. */
void fw_declare_devices(struct draft *draft) {
	const struct place *place = &draft->place;
	struct group *group = fw_draft_group(draft, FW_SLICE(FW_DEVICES_GROUP));

	if (group != NULL && group->state != GROUP_UNSET) {
		struct fw_diag *diag = fw_error(draft->diags, group->set_span, "reserved-name",
			"the group '%s' is the list of devices", group->name);
		fw_diag_hint(draft->diags, diag, "name them under `devices:`");
		return;
	}
	struct endpoints *members = fw_endpoints_new(draft);
	for (size_t i = 0; i < place->device_count; i++) {
		add_addresses(members, &place->devices[i], NULL);
	}
	if (group == NULL) {
		group = add_group(draft, FW_DEVICES_GROUP, "devices", members);
		group->state = GROUP_UNSET;
	}
	group->used = true;
	if (place->position == FW_GATEWAY) {
		group->title = "devices behind this gateway";
	}
	if (place->device_count != 0) {
		group->state = GROUP_LIST;
		group->members = members;
		group->set_span = place->devices_span;
	}
}

const struct fw_set *fw_devices_set(struct draft *draft) {
	struct group *group = fw_draft_group(draft, FW_SLICE(FW_DEVICES_GROUP));

	return group->state == GROUP_LIST ? fw_resolve_group(draft, group) : NULL;
}

/* ---- for lists ---- */

/* The ports of the pair: outside ones where they are forwarded, else the services' own. */
static size_t pair_ports(struct draft *draft, const struct device *device, uint16_t *ports) {
	const struct name_refs *pair = &draft->place.pair;
	const struct wanted_ports wanted = fw_wanted_ports(draft, device);

	for (size_t i = 0; i < pair->count; i++) {
		const char *name = pair->items[i].name;
		const struct service *service = fw_draft_service(draft, fw_slice(name));
		const struct wanted_port *port = fw_wanted_port(&wanted, name);
		if (port != NULL) {
			ports[i] = port->port;
		} else if (device->forward_span.source == NULL && service != NULL &&
			   service->state == FW_SERVICE_ON && service->ports.count != 0) {
			ports[i] = service->ports.items[0].ports.low;
		} else {
			return 0;
		}
	}
	return pair->count;
}

void fw_list_client_devices(struct draft *draft, struct fw_profile *profile) {
	const struct place *place = &draft->place;
	struct fw_arena *arena = draft->arena;
	struct fw_device *devices = FW_ARENA_ARRAY(arena, struct fw_device, place->device_count);
	uint16_t *ports = FW_ARENA_ARRAY(arena, uint16_t, place->pair.count);

	for (size_t i = 0; i < place->device_count; i++) {
		const struct device *device = &place->devices[i];
		size_t count = pair_ports(draft, device, ports);
		struct fw_login *logins =
			FW_ARENA_ARRAY(arena, struct fw_login, device->addresses.count);
		for (size_t j = 0; j < device->addresses.count; j++) {
			const struct fw_range *range = &device->addresses.items[j].range;
			FW_AUTO(fw_buf_fini) struct fw_buf text = {0};
			fw_range_format(range, &text);
			bool single = fw_range_is_single(range) && count != 0;
			logins[j].outside = single ? fw_login_format(arena, range, ports, count)
						   : fw_arena_text(arena, fw_buf_slice(&text));
		}
		devices[i] = (struct fw_device){
			.name = device->name,
			.title = device->title,
			.logins = logins,
			.login_count = device->addresses.count,
			.span = device->span,
		};
	}
	profile->devices = devices;
	profile->device_count = place->device_count;
}
