// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `groups` and `interfaces`. Members of groups come one at a time from the YAML stream, so a list
 * of a million cameras is never a million nodes.
 */

#include "profile/draft.h"

#include <string.h>

/* ---- one member ---- */

struct entry {
	const struct fw_yaml_node *addresses; /* NULL: none yet */
	const char *name;
	const struct fw_port_list *own;
	bool bad;
};

static void read_entry_name(struct draft *draft, void *object, enum kind kind,
	const struct fw_yaml_node *key, const struct fw_yaml_node *value) {
	struct entry *entry = object;
	(void)kind;
	(void)key;
	entry->bad |= !fw_read_text(draft, value, "a name", NAME_MAX_ENDPOINT, &entry->name);
}

static void read_entry_address(struct draft *draft, void *object, enum kind kind,
	const struct fw_yaml_node *key, const struct fw_yaml_node *value) {
	struct entry *entry = object;
	(void)draft;
	(void)kind;
	(void)key;
	entry->addresses = value;
}

static void read_entry_ports(struct draft *draft, void *object, enum kind kind,
	const struct fw_yaml_node *key, const struct fw_yaml_node *value) {
	struct entry *entry = object;
	struct port_specs specs;
	struct port_spec one;
	(void)kind;
	(void)key;

	if (value->kind == FW_YAML_SCALAR) {
		if (fw_read_port(draft, value, &one)) {
			entry->own = fw_draft_port_list(draft, &one, 1);
		}
	} else if (fw_read_ports(draft, value, &specs)) {
		entry->own = fw_draft_port_list(draft, specs.items, specs.count);
	}
	entry->bad |= entry->own == NULL;
}

static void add_endpoint(
	struct endpoints *list, const struct entry *entry, const struct fw_yaml_node *address) {
	struct fw_range range;

	if (address->kind == FW_YAML_SCALAR && fw_slice_is(address->text, "any")) {
		struct fw_diag *diag = fw_error(list->draft->diags, address->span,
			"any-among-others", "'any' is no entry of a list");
		fw_diag_hint(list->draft->diags, diag, "a group may be any as a whole: NAME: any");
		return;
	}
	if (fw_read_range(list->draft, address, &range)) {
		FW_VEC_ADD(&list->list, (struct fw_endpoint){.range = range,
						.name = entry->name,
						.own = entry->own,
						.span = address->span});
	}
}

static void read_entry(struct endpoints *list, const struct fw_yaml_node *item) {
	static const struct key keys[] = {
		{"name", ~0U, read_entry_name},
		{"address", ~0U, read_entry_address},
		{"ports", ~0U, read_entry_ports},
	};
	struct draft *draft = list->draft;
	struct entry entry = {0};
	size_t errors = draft->diags->errors;

	fw_read_mapping(draft, item, "a group's entry", keys, FW_LENGTH(keys), KIND_SITE, &entry);
	entry.bad |= draft->diags->errors != errors;
	if (entry.addresses == NULL && !entry.bad) {
		fw_error(draft->diags, item->span, "missing-key", "the entry has no address");
	}
	if (entry.addresses == NULL) {
		return;
	}
	const struct fw_yaml_node *const *addresses;
	size_t count;
	if (!entry.bad && entry.addresses->kind == FW_YAML_SCALAR) {
		add_endpoint(list, &entry, entry.addresses);
		return;
	}
	if (entry.bad || !fw_read_list(draft, entry.addresses, "an address", &addresses, &count)) {
		return;
	}
	for (size_t i = 0; i < count; i++) {
		add_endpoint(list, &entry, addresses[i]);
	}
}

struct endpoints *fw_endpoints_new(struct draft *draft) {
	struct endpoints *list = FW_ARENA_NEW(draft->arena, struct endpoints);
	list->draft = draft;
	list->next = draft->endpoints;
	draft->endpoints = list;
	return list;
}

void fw_read_endpoint(void *sink, const struct fw_yaml_node *item) {
	struct endpoints *list = sink;

	if (item->kind == FW_YAML_MAPPING) {
		read_entry(list, item);
	} else {
		add_endpoint(list, &(struct entry){0}, item);
	}
}

/* ---- groups ---- */

static void set_members(struct draft *draft, struct group *group, const struct fw_yaml_node *key,
	const struct fw_yaml_node *value) {
	if (value->kind == FW_YAML_SCALAR && fw_slice_is(value->text, "any")) {
		group->state = GROUP_ANY;
		group->set_span = key->span;
		group->inherited = NULL;
		return;
	}
	if (value->kind == FW_YAML_SEQUENCE && value->count == 0) {
		struct fw_diag *diag = fw_error(draft->diags, value->span, "empty-list",
			"group '%s' is an empty list", group->name);
		fw_diag_hint(draft->diags, diag,
			"leave the group out, or turn off the services that use it");
		return;
	}
	struct endpoints *list = value->streamed ? value->sink : fw_endpoints_new(draft);
	if (value->kind == FW_YAML_SCALAR) {
		fw_read_endpoint(list, value);
	} else if (!fw_read_kind(draft, value, FW_YAML_SEQUENCE, "a group")) {
		return;
	} else if (!value->streamed) {
		for (size_t i = 0; i < value->count; i++) {
			fw_read_endpoint(list, value->items[i]);
		}
	}
	group->state = GROUP_LIST;
	group->members = list;
	group->set_span = key->span;
	group->inherited = NULL;
}

static void read_group_title(struct draft *draft, void *object, enum kind kind,
	const struct fw_yaml_node *key, const struct fw_yaml_node *value) {
	struct group *group = object;
	(void)kind;
	(void)key;
	fw_read_text(draft, value, "a title", TITLE_MAX, &group->title);
}

static void read_group_default(struct draft *draft, void *object, enum kind kind,
	const struct fw_yaml_node *key, const struct fw_yaml_node *value) {
	static const char *const words[] = {NULL, "any", "none"};
	struct group *group = object;
	int word;
	(void)kind;
	(void)key;
	if (fw_read_word(draft, value, "default", words, FW_LENGTH(words), &word)) {
		group->unset_any = word == 1;
	}
}

static void read_group_unset(struct draft *draft, void *object, enum kind kind,
	const struct fw_yaml_node *key, const struct fw_yaml_node *value) {
	struct group *group = object;
	(void)kind;
	(void)key;
	fw_read_text(draft, value, "unset", TITLE_MAX, &group->unset_warning);
}

static void read_group_members(struct draft *draft, void *object, enum kind kind,
	const struct fw_yaml_node *key, const struct fw_yaml_node *value) {
	(void)kind;
	set_members(draft, object, key, value);
}

static struct group *declare(struct draft *draft, enum kind kind, const struct fw_yaml_node *key) {
	struct group *group = fw_draft_group(draft, key->text);
	if (group != NULL) {
		if (kind != KIND_SERVICES) {
			return group;
		}
		struct fw_diag *diag = fw_error(draft->diags, key->span, "duplicate-group",
			"group '%s' is declared twice", group->name);
		fw_diag_note(draft->diags, diag, group->span, "the first time here");
		return NULL;
	}
	const char *name;
	if (!fw_read_name(draft, key, "a group", &name)) {
		return NULL;
	}
	if (strcmp(name, "any") == 0) {
		fw_error(draft->diags, key->span, "bad-name",
			"'any' means every address and cannot name a group");
		return NULL;
	}
	group = FW_ARENA_NEW(draft->arena, struct group);
	group->name = name;
	group->span = key->span;
	group->by_site = kind == KIND_SITE;
	HASH_ADD_KEYPTR(hh, draft->groups, group->name, strlen(group->name), group);
	return group;
}

void fw_read_groups(struct draft *draft, enum kind kind, const struct fw_yaml_node *node) {
	static const struct key keys[] = {
		{"title", KIND_SERVICES | KIND_SITE, read_group_title},
		{"default", KIND_SERVICES | KIND_SITE, read_group_default},
		{"unset", KIND_SERVICES, read_group_unset},
		{"members", KIND_SITE | KIND_PROFILE, read_group_members},
	};

	if (!fw_read_kind(draft, node, FW_YAML_MAPPING, "groups")) {
		return;
	}
	for (size_t i = 0; i < node->count; i++) {
		const struct fw_yaml_node *key = node->items[2 * i];
		const struct fw_yaml_node *value = node->items[2 * i + 1];
		struct group *group = declare(draft, kind, key);

		if (group == NULL) {
			continue;
		}
		if (value->kind == FW_YAML_MAPPING) {
			fw_read_mapping(
				draft, value, "a group", keys, FW_LENGTH(keys), kind, group);
		} else if (kind == KIND_SERVICES) {
			fw_read_kind(draft, value, FW_YAML_MAPPING, "a group's declaration");
		} else {
			set_members(draft, group, key, value);
		}
	}
}

/* ---- interfaces ---- */

/*
 * The kernel refuses only '/', ':' and white space (dev_valid_name in net/core/dev.c). What rule
 * languages read as wildcards, macros or quotes is refused here as well: '+' at the end of a name
 * means "and what follows" to iptables.
 */
static bool is_kernel_name(struct fw_slice name) {
	if (name.length == 0 || name.length > NAME_MAX_INTERFACE || fw_slice_is(name, ".") ||
		fw_slice_is(name, "..")) {
		return false;
	}
	for (size_t i = 0; i < name.length; i++) {
		char c = name.data[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
		bool digit = c >= '0' && c <= '9';
		if (!letter && !digit && (i == 0 || strchr("_.-", c) == NULL)) {
			return false;
		}
	}
	return true;
}

static bool read_kernel_name(
	struct draft *draft, const struct fw_yaml_node *node, const char **out_name) {
	if (!fw_read_kind(draft, node, FW_YAML_SCALAR, "an interface")) {
		return false;
	}
	if (!is_kernel_name(node->text)) {
		struct fw_diag *diag = fw_error(draft->diags, node->span, "bad-interface",
			"'%.*s' cannot name an interface", (int)node->text.length, node->text.data);
		fw_diag_hint(draft->diags, diag,
			"letters, digits, '_', '.' and '-', %d characters at most; no wildcards",
			NAME_MAX_INTERFACE);
		return false;
	}
	*out_name = fw_arena_text(draft->arena, node->text);
	return true;
}

void fw_read_interfaces(struct draft *draft, const struct fw_yaml_node *node) {
	if (!fw_read_kind(draft, node, FW_YAML_MAPPING, "interfaces")) {
		return;
	}
	if (node->count > INTERFACES_MAX) {
		fw_error(draft->diags, node->span, "too-many",
			"%u interfaces are named; %d is the most", node->count, INTERFACES_MAX);
		return;
	}
	for (size_t i = 0; i < node->count; i++) {
		const struct fw_yaml_node *key = node->items[2 * i];
		const struct fw_yaml_node *const *items;
		const char *name;
		size_t count;
		if (!fw_read_name(draft, key, "an interface", &name) ||
			!fw_read_list(
				draft, node->items[2 * i + 1], "an interface", &items, &count)) {
			continue;
		}
		const char **names = FW_ARENA_ARRAY(draft->arena, const char *, count);
		bool good = true;
		for (size_t j = 0; j < count; j++) {
			good &= read_kernel_name(draft, items[j], &names[j]);
		}
		if (!good) {
			continue;
		}
		struct interface *interface = fw_draft_interface(draft, key->text);
		if (interface == NULL) {
			interface = FW_ARENA_NEW(draft->arena, struct interface);
			interface->name = name;
			HASH_ADD_KEYPTR(hh, draft->interfaces, interface->name,
				strlen(interface->name), interface);
		}
		interface->kernel_names = names;
		interface->count = count;
		interface->span = key->span;
	}
}
