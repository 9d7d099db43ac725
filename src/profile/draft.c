// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The draft's tables: services, groups, interfaces and port lists, each found by name.
 */

#include "profile/draft.h"

const char *const fw_direction_names[DIRECTION_COUNT] = {
	[DIRECTION_INPUT] = "input",
	[DIRECTION_OUTPUT] = "output",
	[DIRECTION_BOTH] = "both",
	[DIRECTION_FORWARD] = "forward",
};

/* A port list and the bytes it is found by: count of TCP ranges, then all ranges. */
struct port_list_entry {
	UT_hash_handle hh;
	struct fw_port_list list;
	uint16_t key[];
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
	for (struct endpoints *list = draft->endpoints; list != NULL; list = list->next) {
		FW_VEC_FINI(&list->list);
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

const struct fw_port_list *fw_draft_port_list(struct draft *draft, struct fw_ports *tcp,
	size_t tcp_count, struct fw_ports *udp, size_t udp_count) {
	/* Flows of all devices end up in one policy, where equal lists are one, too. */
	while (draft->gateway != NULL) {
		draft = draft->gateway;
	}
	tcp_count = fw_ports_normalize(tcp, tcp_count);
	udp_count = fw_ports_normalize(udp, udp_count);

	size_t words = 1 + 2 * (tcp_count + udp_count);
	struct port_list_entry *entry =
		fw_arena_alloc(draft->arena, sizeof(*entry) + words * sizeof(uint16_t));
	size_t at = 0;
	entry->key[at++] = (uint16_t)tcp_count;
	for (size_t i = 0; i < tcp_count; i++) {
		entry->key[at++] = tcp[i].low;
		entry->key[at++] = tcp[i].high;
	}
	for (size_t i = 0; i < udp_count; i++) {
		entry->key[at++] = udp[i].low;
		entry->key[at++] = udp[i].high;
	}

	struct port_list_entry *known = NULL;
	unsigned length = (unsigned)(words * sizeof(uint16_t));
	HASH_FIND(hh, draft->port_lists, entry->key, length, known);
	if (known == NULL) {
		entry->list = (struct fw_port_list){
			.tcp = tcp, .tcp_count = tcp_count, .udp = udp, .udp_count = udp_count};
		HASH_ADD_KEYPTR(hh, draft->port_lists, entry->key, length, entry);
		known = entry;
	}
	return &known->list;
}
