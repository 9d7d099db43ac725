// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The tables of `list`: services and groups in words, as they are after all layers.
 */

#include "profile/draft.h"

#include <netinet/in.h>
#include <string.h>

const char *const fw_service_state_names[FW_SERVICE_STATE_COUNT] = {
	[FW_SERVICE_ON] = "on",
	[FW_SERVICE_OFF] = "off",
	[FW_SERVICE_CUT] = "cut",
	[FW_SERVICE_WAITING] = "waiting",
};

static void separate(struct fw_buf *out) {
	if (out->length != 0) {
		fw_buf_add_text(out, ", ");
	}
}

static const char *keep(struct draft *draft, struct fw_buf *text) {
	const char *kept = fw_arena_text(draft->arena, fw_buf_slice(text));
	fw_buf_fini(text);
	*text = (struct fw_buf){0};
	return kept;
}

static void add_ports(struct fw_buf *out, const struct port_specs *specs) {
	static const char *const protocols[] = {
		[FW_PROTO_TCP] = "tcp",
		[FW_PROTO_UDP] = "udp",
		[FW_PROTO_TCP | FW_PROTO_UDP] = "tcp+udp",
	};
	for (size_t i = 0; i < specs->count; i++) {
		separate(out);
		fw_ports_format(specs->items[i].ports, out);
		fw_buf_printf(out, "/%s", protocols[specs->items[i].protocols]);
	}
}

static void add_types(struct fw_buf *out, const struct service *service, enum fw_family family) {
	const struct icmp_types *types = &service->icmp[family];

	for (size_t i = 0; i < types->count; i++) {
		const char *name = fw_icmp_name(family, types->items[i]);
		separate(out);
		if (i == 0) {
			fw_buf_add_text(out, family == FW_IPV4 ? "icmp " : "icmpv6 ");
		}
		if (name != NULL) {
			fw_buf_add_text(out, name);
			continue;
		}
		fw_buf_add_uint(out, types->items[i].type);
		if (types->items[i].code >= 0) {
			fw_buf_add_char(out, '/');
			fw_buf_add_uint(out, (uint64_t)types->items[i].code);
		}
	}
}

static const char *describe_ports(struct draft *draft, const struct service *service) {
	struct fw_buf out = {0};

	switch (service->ports_kind) {
	case PORTS_FROM_GROUP:
		fw_buf_add_text(&out, "each peer's own");
		break;
	case PORTS_FROM_RTP:
		fw_buf_add_text(&out, "base.rtp.ports");
		break;
	case PORTS_LIST:
		add_ports(&out, &service->ports);
		break;
	}
	if (service->ports_kind != PORTS_LIST && service->default_ports.count != 0) {
		struct fw_buf other = {0};
		add_ports(&other, &service->default_ports);
		fw_buf_printf(&out, ", else %s", other.data);
		fw_buf_fini(&other);
	}
	add_types(&out, service, FW_IPV4);
	add_types(&out, service, FW_IPV6);
	for (size_t i = 0; i < service->protocols.count; i++) {
		const char *name = fw_protocol_name(service->protocols.items[i]);
		separate(&out);
		if (name != NULL) {
			fw_buf_add_text(&out, name);
		} else {
			fw_buf_printf(&out, "protocol %u", service->protocols.items[i]);
		}
	}
	if (out.length == 0) {
		fw_buf_add_text(&out, "not published");
	}
	return keep(draft, &out);
}

static void add_peers(struct draft *draft, struct fw_buf *out, const struct peers *peers) {
	for (size_t i = 0; i < peers->count; i++) {
		const struct peer *peer = &peers->items[i];
		separate(out);
		if (peer->group == NULL) {
			fw_range_format(&peer->range, out);
			continue;
		}
		fw_buf_add_text(out, peer->group);
		const struct group *group = fw_draft_group(draft, fw_slice(peer->group));
		if (group != NULL && group->state != GROUP_LIST) {
			bool any = group->state == GROUP_ANY || group->unset_any;
			fw_buf_add_text(out, any ? " (any)" : " (none)");
		}
	}
}

static const char *describe_peers(struct draft *draft, const struct service *service) {
	const struct peers *peers =
		service->direction == DIRECTION_INPUT ? &service->from : &service->to;
	struct fw_buf out = {0};

	add_peers(draft, &out, peers);
	if (out.length == 0) {
		fw_buf_add_text(&out, "any");
	}
	if (service->except.count != 0) {
		struct fw_buf except = {0};
		add_peers(draft, &except, &service->except);
		fw_buf_printf(&out, " except %s", except.data);
		fw_buf_fini(&except);
	}
	return keep(draft, &out);
}

static int compare_services(const void *left, const void *right) {
	const struct service *a = *(const struct service *const *)left;
	const struct service *b = *(const struct service *const *)right;

	if ((a->role == NULL) != (b->role == NULL)) {
		return a->role == NULL ? 1 : -1;
	}
	if (a->role == NULL) {
		return strcmp(a->id, b->id);
	}
	return (a->order > b->order) - (a->order < b->order);
}

/* Where nobody checked it, as it is off, it may be at odds with itself. */
static struct clauses describe_clauses(struct draft *draft, const struct service *service) {
	bool checked = service->state == FW_SERVICE_ON;

	return checked || service->source_ports.count == 0 ? fw_resolve_clauses(draft, service)
							   : (struct clauses){0};
}

static bool is_changed(const struct service *service) {
	return service->touched.source != service->span.source ||
	       service->touched.start != service->span.start;
}

static void service_rows(struct draft *draft, struct fw_profile *profile) {
	size_t most = HASH_COUNT(draft->services), count = 0;
	const struct service **sorted = FW_ARENA_ARRAY(draft->arena, const struct service *, most);
	struct fw_service_row *rows = FW_ARENA_ARRAY(draft->arena, struct fw_service_row, most);

	for (const struct service *service = draft->services; service != NULL;
		service = service->hh.next) {
		/* Base services that no base file lists are nobody's. */
		if (service->role != NULL || service->on_switch == SWITCH_NONE) {
			sorted[count++] = service;
		}
	}
	if (count != 0) {
		qsort(sorted, count, sizeof(*sorted), compare_services);
	}
	for (size_t i = 0; i < count; i++) {
		const struct service *service = sorted[i];
		struct clauses clauses = describe_clauses(draft, service);
		const char *direction = fw_direction_names[service->direction];
		rows[i] = (struct fw_service_row){
			.id = service->id,
			.title = service->title,
			.breaks = service->breaks,
			.note = service->note,
			.role = service->role,
			.ports = describe_ports(draft, service),
			.direction = direction != NULL ? direction : "-",
			.peers = describe_peers(draft, service),
			.level = service->level,
			.provenance = service->provenance,
			.state = service->state,
			.span = service->span,
			.listed_span = service->listed_span,
			.site_span = is_changed(service) ? service->touched : (struct fw_span){0},
			.clauses = clauses.items,
			.clause_count = clauses.count,
		};
	}
	profile->services = rows;
	profile->service_count = count;
}

static int compare_groups(const void *left, const void *right) {
	const struct fw_group_row *a = left;
	const struct fw_group_row *b = right;
	return strcmp(a->name, b->name);
}

static void group_rows(struct draft *draft, struct fw_profile *profile) {
	size_t most = HASH_COUNT(draft->groups), count = 0;
	struct fw_group_row *rows = FW_ARENA_ARRAY(draft->arena, struct fw_group_row, most);

	for (const struct group *group = draft->groups; group != NULL; group = group->hh.next) {
		if (!group->used && group->state == GROUP_UNSET) {
			continue; /* of another position */
		}
		rows[count++] = (struct fw_group_row){
			.name = group->name,
			.title = group->title != NULL ? group->title : "",
			.set = group->state != GROUP_UNSET,
			.unset = group->state == GROUP_ANY || group->unset_any ? "any" : "none",
			.entries = group->state == GROUP_LIST ? group->members->list.count : 0,
			.span = group->set_span.source != NULL ? group->set_span : group->span,
		};
	}
	if (count != 0) {
		qsort(rows, count, sizeof(*rows), compare_groups);
	}
	profile->groups = rows;
	profile->group_count = count;
}

static void interface_rows(struct draft *draft, struct fw_profile *profile) {
	struct fw_interface_row *rows = FW_ARENA_ARRAY(
		draft->arena, struct fw_interface_row, HASH_COUNT(draft->interfaces));

	for (const struct interface *interface = draft->interfaces; interface != NULL;
		interface = interface->hh.next) {
		rows[profile->interface_count++] = (struct fw_interface_row){
			.name = interface->name,
			.kernel_names = {interface->kernel_names, interface->count},
			.span = interface->span,
		};
	}
	profile->interfaces = rows;
}

void fw_rows(struct draft *draft, struct fw_profile *profile) {
	service_rows(draft, profile);
	group_rows(draft, profile);
	interface_rows(draft, profile);
}
