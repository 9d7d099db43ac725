// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The draft's tables: services, groups, interfaces and port lists, each found by name.
 */

#include "profile/draft.h"

#include <stdlib.h>
#include <string.h>

const char *const fw_direction_names[DIRECTION_COUNT] = {
	[DIRECTION_INPUT] = "input",
	[DIRECTION_OUTPUT] = "output",
	[DIRECTION_BOTH] = "both",
	[DIRECTION_FORWARD] = "forward",
};

/* A port list and what it is found by: the number of TCP ranges, then all ranges. */
struct port_list_entry {
	UT_hash_handle hh;
	struct fw_port_list list;
	struct fw_ports key[];
};

void fw_draft_init(struct draft *draft, struct fw_arena *arena, const struct fw_library *library,
	struct fw_diags *diags) {
	*draft = (struct draft){.arena = arena, .library = library, .diags = diags};
}

void fw_draft_fini(struct draft *draft) {
	/* Only the tables' own memory: what they hold is the arena's. */
	HASH_CLEAR(hh, draft->services);
	HASH_CLEAR(hh, draft->groups);
	HASH_CLEAR(hh, draft->interfaces);
	HASH_CLEAR(hh, draft->port_lists);
	free(draft->single_ports);
	for (struct endpoints *list = draft->endpoints; list != NULL; list = list->next) {
		if (!list->shared) {
			FW_VEC_FINI(&list->list);
		}
	}
	FW_VEC_FINI(&draft->expects);
	fw_arena_fini(&draft->nodes);
}

struct service *fw_draft_service(struct draft *draft, struct fw_slice id) {
	struct service *service = NULL;
	HASH_FIND(hh, draft->services, id.data, id.length, service);
	return service;
}

struct group *fw_draft_group(struct draft *draft, struct fw_slice name) {
	struct group *group = NULL;
	HASH_FIND(hh, draft->groups, name.data, name.length, group);
	return group;
}

struct interface *fw_draft_interface(struct draft *draft, struct fw_slice name) {
	struct interface *interface = NULL;
	HASH_FIND(hh, draft->interfaces, name.data, name.length, interface);
	return interface;
}

/* Each suggestion costs a look at all names; only the first mistakes are shown anyway. */
enum { SUGGESTIONS_MAX = 1000 };

#define SUGGEST(draft, diag, word, table, type, member)                                            \
	do {                                                                                       \
		if ((draft)->diags->errors > SUGGESTIONS_MAX) {                                    \
			break;                                                                     \
		}                                                                                  \
		size_t count_ = 0;                                                                 \
		const char **names_ =                                                              \
			FW_ARENA_ARRAY((draft)->arena, const char *, HASH_COUNT(table) + 1);       \
		for (type *entry_ = (table); entry_ != NULL; entry_ = entry_->hh.next) {           \
			names_[count_++] = entry_->member;                                         \
		}                                                                                  \
		fw_diag_suggest((draft)->diags, (diag), (word), names_, count_);                   \
	} while (0)

struct fw_diag *fw_draft_no_service(struct draft *draft, struct fw_span span, struct fw_slice id) {
	struct fw_diag *diag = fw_error(draft->diags, span, "unknown-service",
		"no service is named '%.*s'", (int)id.length, id.data);
	SUGGEST(draft, diag, id, draft->services, struct service, id);
	return diag;
}

void fw_draft_no_group(struct draft *draft, struct fw_span span, struct fw_slice name) {
	struct fw_diag *diag = fw_error(draft->diags, span, "unknown-group",
		"no group is named '%.*s'", (int)name.length, name.data);
	SUGGEST(draft, diag, name, draft->groups, struct group, name);
}

void fw_draft_no_interface(struct draft *draft, struct fw_span span, struct fw_slice name) {
	struct fw_diag *diag = fw_error(draft->diags, span, "unknown-interface",
		"no interface is named '%.*s'", (int)name.length, name.data);
	SUGGEST(draft, diag, name, draft->interfaces, struct interface, name);
	if (diag->hint == NULL) {
		fw_diag_hint(draft->diags, diag, "name it first: interfaces: {%.*s: eth0}",
			(int)name.length, name.data);
	}
}

static size_t pick_ports(const struct port_spec *specs, size_t count, unsigned protocol,
	struct fw_ports *out_ports) {
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		if ((specs[i].protocols & protocol) != 0) {
			out_ports[kept++] = specs[i].ports;
		}
	}
	return fw_ports_normalize(out_ports, kept);
}

static const struct fw_port_list *find_listed(
	struct draft *draft, const struct fw_ports *key, size_t tcp_count, size_t udp_count) {
	size_t length = (1 + tcp_count + udp_count) * sizeof(*key);
	struct port_list_entry *entry;

	HASH_FIND(hh, draft->port_lists, key, (unsigned)length, entry);
	if (entry == NULL) {
		entry = fw_arena_alloc(draft->arena, sizeof(*entry) + length);
		memcpy(entry->key, key, length);
		entry->list = (struct fw_port_list){.tcp = entry->key + 1,
			.tcp_count = tcp_count,
			.udp = entry->key + 1 + tcp_count,
			.udp_count = udp_count};
		HASH_ADD_KEYPTR(hh, draft->port_lists, entry->key, (unsigned)length, entry);
	}
	return &entry->list;
}

/* One port on these protocols, which each of a million cameras may have: no hash, so that what is
 * looked up is next to what was looked up last. */
static const struct fw_port_list *find_single(
	struct draft *draft, unsigned protocols, uint16_t port) {
	enum { PORTS = UINT16_MAX + 1 };
	struct single_port {
		struct fw_port_list list;
		struct fw_ports ports;
	};

	if (draft->single_ports == NULL) {
		draft->single_ports =
			fw_alloc((FW_PROTO_TCP | FW_PROTO_UDP) * PORTS * sizeof(void *));
	}
	const struct fw_port_list **found = &draft->single_ports[(protocols - 1) * PORTS + port];
	if (*found == NULL) {
		struct single_port *made = FW_ARENA_NEW(draft->arena, struct single_port);
		made->ports = (struct fw_ports){port, port};
		made->list = (struct fw_port_list){.tcp = &made->ports,
			.tcp_count = (protocols & FW_PROTO_TCP) != 0,
			.udp = &made->ports,
			.udp_count = (protocols & FW_PROTO_UDP) != 0};
		*found = &made->list;
	}
	return *found;
}

static bool same_ports(struct fw_ports a, struct fw_ports b) {
	return a.low == b.low && a.high == b.high;
}

/* The protocols of what is one port alone; 0: it is more. */
static unsigned single_protocols(const struct fw_ports *ports, size_t tcp_count, size_t udp_count) {
	bool single = tcp_count <= 1 && udp_count <= 1 && tcp_count + udp_count != 0 &&
		      ports[0].low == ports[0].high &&
		      same_ports(ports[0], ports[tcp_count + udp_count - 1]);

	return single ? (tcp_count != 0 ? FW_PROTO_TCP : 0) | (udp_count != 0 ? FW_PROTO_UDP : 0)
		      : 0;
}

const struct fw_port_list *fw_draft_port_list(
	struct draft *draft, const struct port_spec *specs, size_t count) {
	enum { FEW = 8 };
	struct fw_ports few[1 + 2 * FEW];
	struct fw_ports *key = few, *many = NULL;

	/* Flows of all devices end up in one policy, where equal lists are one, too. */
	while (draft->gateway != NULL) {
		draft = draft->gateway;
	}
	if (count > FEW) {
		key = many = fw_alloc((1 + 2 * count) * sizeof(*key));
	}
	size_t tcp_count = pick_ports(specs, count, FW_PROTO_TCP, key + 1);
	size_t udp_count = pick_ports(specs, count, FW_PROTO_UDP, key + 1 + tcp_count);
	key[0] = (struct fw_ports){.low = (uint16_t)tcp_count};
	unsigned protocols = single_protocols(key + 1, tcp_count, udp_count);
	const struct fw_port_list *list = protocols != 0
						  ? find_single(draft, protocols, key[1].low)
						  : find_listed(draft, key, tcp_count, udp_count);
	free(many);
	return list;
}
