// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `services`: definitions, the lists of roles, and what profiles and sites change. One table says
 * for each key who may write it.
 */

#include "profile/draft.h"

#include <netinet/in.h>
#include <string.h>

enum {
	DEFINE = KIND_SERVICES | KIND_SITE_SERVICE,
	SITE = DEFINE | KIND_SITE,
	LAYERS = SITE | KIND_ROLE | KIND_PROFILE,
};

/* ---- keys ---- */

#define READER(name)                                                                               \
	static void name(struct draft *draft, void *object, enum kind kind,                        \
		const struct fw_yaml_node *key, const struct fw_yaml_node *value)

READER(read_title) {
	struct service *service = object;
	(void)kind;
	(void)key;
	fw_read_text(draft, value, "a title", TITLE_MAX, &service->title);
}

READER(read_breaks) {
	struct service *service = object;
	(void)kind;
	(void)key;
	fw_read_text(draft, value, "breaks", TITLE_MAX, &service->breaks);
}

READER(read_note) {
	struct service *service = object;
	(void)kind;
	(void)key;
	fw_read_text(draft, value, "a note", TITLE_MAX, &service->note);
}

READER(read_direction) {
	struct service *service = object;
	int word;
	if (!fw_read_word(draft, value, "direction", fw_direction_names, DIRECTION_COUNT, &word)) {
		return;
	}
	enum direction direction = (enum direction)word;
	if (kind == KIND_SITE && service->direction != DIRECTION_NONE &&
		service->direction != direction) {
		struct fw_diag *diag = fw_error(draft->diags, key->span, "misplaced-key",
			"the direction of '%s' is %s by its definition", service->id,
			fw_direction_names[service->direction]);
		fw_diag_note(draft->diags, diag, service->span, "defined here");
		fw_diag_hint(draft->diags, diag, "define a service of your own under another name");
		return;
	}
	service->direction = direction;
}

READER(read_ports) {
	struct service *service = object;
	(void)kind;
	(void)key;
	if (value->kind == FW_YAML_SCALAR && fw_slice_is(value->text, "from-group")) {
		service->ports_kind = PORTS_FROM_GROUP;
		service->ports = (struct port_specs){.span = value->span};
	} else if (value->kind == FW_YAML_SCALAR && fw_slice_is(value->text, "from-rtp")) {
		service->ports_kind = PORTS_FROM_RTP;
		service->ports = (struct port_specs){.span = value->span};
	} else if (fw_read_ports(draft, value, &service->ports)) {
		service->ports_kind = PORTS_LIST;
	}
}

READER(read_default_ports) {
	struct service *service = object;
	(void)kind;
	(void)key;
	fw_read_ports(draft, value, &service->default_ports);
}

READER(read_source_ports) {
	struct service *service = object;
	(void)kind;
	(void)key;
	fw_read_ports(draft, value, &service->source_ports);
}

static void no_icmp_type(
	struct draft *draft, enum fw_family family, const struct fw_yaml_node *node) {
	struct fw_diag *diag = fw_net_error(draft, node->span, node->text, FW_NET_ICMP_TYPE);
	const char *const *names = fw_icmp_names(family);
	size_t count = 0;
	while (names[count] != NULL) {
		count++;
	}
	fw_diag_suggest(draft->diags, diag, node->text, names, count);
}

static void read_icmp_types(struct draft *draft, struct service *service, enum fw_family family,
	const struct fw_yaml_node *value) {
	const struct fw_yaml_node *const *items;
	size_t count;
	if (!fw_read_list(draft, value, "ICMP types", &items, &count)) {
		return;
	}
	struct fw_icmp_type *types = FW_ARENA_ARRAY(draft->arena, struct fw_icmp_type, count);
	bool good = true;
	for (size_t i = 0; i < count; i++) {
		if (!fw_read_kind(draft, items[i], FW_YAML_SCALAR, "an ICMP type")) {
			good = false;
		} else if (fw_icmp_parse(family, items[i]->text, &types[i]) != FW_NET_NONE) {
			no_icmp_type(draft, family, items[i]);
			good = false;
		}
	}
	if (good) {
		service->icmp[family] = (struct icmp_types){types, count, value->span};
	}
}

READER(read_icmp) {
	(void)kind;
	(void)key;
	read_icmp_types(draft, object, FW_IPV4, value);
}

READER(read_icmpv6) {
	(void)kind;
	(void)key;
	read_icmp_types(draft, object, FW_IPV6, value);
}

/* Protocols that have keys of their own, which say more exactly what is meant. */
static const char *key_of_protocol(uint8_t protocol) {
	switch (protocol) {
	case IPPROTO_TCP:
		return "ports: 1-65535/tcp";
	case IPPROTO_UDP:
		return "ports: 1-65535/udp";
	case IPPROTO_ICMP:
		return "icmp: echo-request";
	case IPPROTO_ICMPV6:
		return "icmpv6: echo-request";
	default:
		return NULL;
	}
}

static bool read_one_protocol(
	struct draft *draft, const struct fw_yaml_node *node, uint8_t *out_protocol) {
	if (!fw_read_kind(draft, node, FW_YAML_SCALAR, "a protocol")) {
		return false;
	}
	if (fw_protocol_parse(node->text, out_protocol) != FW_NET_NONE) {
		struct fw_diag *diag = fw_error(draft->diags, node->span, "unknown-protocol",
			"no IP protocol is named '%.*s'", (int)node->text.length, node->text.data);
		fw_diag_hint(draft->diags, diag, "give its number, 0 to 255");
		return false;
	}
	const char *key = key_of_protocol(*out_protocol);
	if (key != NULL) {
		struct fw_diag *diag = fw_error(draft->diags, node->span, "protocol-key",
			"'%.*s' has a key of its own", (int)node->text.length, node->text.data);
		fw_diag_hint(draft->diags, diag, "like: %s", key);
		return false;
	}
	return true;
}

READER(read_protocol) {
	struct service *service = object;
	const struct fw_yaml_node *const *items;
	size_t count;
	(void)kind;
	(void)key;
	if (!fw_read_list(draft, value, "protocols", &items, &count)) {
		return;
	}
	uint8_t *protocols = FW_ARENA_ARRAY(draft->arena, uint8_t, count);
	bool good = true;
	for (size_t i = 0; i < count; i++) {
		good &= read_one_protocol(draft, items[i], &protocols[i]);
	}
	if (good) {
		service->protocols = (struct protocols){protocols, count, value->span};
	}
}

READER(read_hop_limit) {
	struct service *service = object;
	uint64_t limit;
	(void)kind;
	(void)key;
	if (!fw_read_kind(draft, value, FW_YAML_SCALAR, "a hop limit")) {
		return;
	}
	if (!fw_slice_to_uint(value->text, UINT8_MAX, &limit) || limit == 0) {
		fw_error(draft->diags, value->span, "wrong-type",
			"a hop limit is 1 to 255, not '%.*s'", (int)value->text.length,
			value->text.data);
		return;
	}
	service->hop_limit = (uint8_t)limit;
}

/*
 * Two roles of one profile may say the same of a service, but not different things: which of them
 * won would depend on their order. `said` is where one said it before.
 */
static bool roles_agree(struct draft *draft, const struct service *service, enum kind kind,
	const struct fw_yaml_node *key, const struct fw_yaml_node *value, struct fw_span *said) {
	if (kind != KIND_ROLE) {
		return true;
	}
	if (said->source == NULL) {
		*said = value->span;
		return true;
	}
	if (fw_slice_equal(fw_span_text(*said), fw_span_text(value->span))) {
		return true;
	}
	struct fw_diag *diag = fw_error(draft->diags, key->span, "role-conflict",
		"two roles give different '%.*s' to '%s'", (int)key->text.length, key->text.data,
		service->id);
	fw_diag_note(draft->diags, diag, *said, "the other one");
	return false;
}

READER(read_from) {
	struct service *service = object;
	service->from_given |= (kind & DEFINE) == 0;
	if (roles_agree(draft, service, kind, key, value, &service->role_from_span)) {
		fw_read_peers(draft, value, &service->from);
	}
}

READER(read_to) {
	struct service *service = object;
	service->to_given |= (kind & DEFINE) == 0;
	if (roles_agree(draft, service, kind, key, value, &service->role_to_span)) {
		fw_read_peers(draft, value, &service->to);
	}
}

READER(read_except) {
	struct service *service = object;
	struct peers except;
	bool on;
	(void)kind;
	(void)key;
	if (fw_node_is_switch(value, &on) && !on) {
		service->except = (struct peers){0};
		return;
	}
	if (!fw_read_peers(draft, value, &except)) {
		return;
	}
	if (except.any) {
		struct fw_diag *diag = fw_error(draft->diags, value->span, "except-any",
			"to except everybody leaves nobody");
		fw_diag_hint(draft->diags, diag, "turn the service off: %s: off", service->id);
		return;
	}
	service->except = except;
}

/* `any` takes back what a lower layer named. */
static void read_interfaces(
	struct draft *draft, struct name_refs *out, const struct fw_yaml_node *value) {
	if (value->kind == FW_YAML_SCALAR && fw_slice_is(value->text, "any")) {
		*out = (struct name_refs){0};
		return;
	}
	fw_read_names(draft, value, "an interface", out);
}

READER(read_interface) {
	struct service *service = object;
	(void)kind;
	(void)key;
	read_interfaces(draft, &service->interfaces, value);
}

READER(read_in_interface) {
	struct service *service = object;
	(void)kind;
	(void)key;
	read_interfaces(draft, &service->in_interfaces, value);
}

READER(read_out_interface) {
	struct service *service = object;
	(void)kind;
	(void)key;
	read_interfaces(draft, &service->out_interfaces, value);
}

READER(read_crossing) {
	static const char *const words[] = {NULL, "device", "gateway", "never"};
	struct service *service = object;
	int word;
	(void)kind;
	(void)key;
	if (fw_read_word(draft, value, "crossing", words, FW_LENGTH(words), &word)) {
		service->crossing = (enum crossing)(word - 1);
	}
}

READER(read_level) {
	struct service *service = object;
	int word;
	if (!fw_read_word(draft, value, "level", fw_importance_names, FW_IMPORTANCE_COUNT, &word)) {
		return;
	}
	if (roles_agree(draft, service, kind, key, value, &service->role_level_span)) {
		service->level = (enum fw_importance)word;
	}
}

READER(read_limit) {
	struct service *service = object;
	(void)kind;
	(void)key;
	bool on;
	if (fw_node_is_switch(value, &on) && !on) {
		service->limit = (struct fw_rate){0};
		return;
	}
	fw_read_rate(draft, value, &service->limit);
}

READER(read_log) {
	struct service *service = object;
	(void)kind;
	(void)key;
	fw_read_log(draft, value, &service->log);
}

READER(read_source) {
	struct service *service = object;
	int word;
	(void)kind;
	(void)key;
	if (fw_read_word(draft, value, "source", fw_provenance_names, FW_PROVENANCE_COUNT, &word)) {
		service->provenance = (enum fw_provenance)word;
	}
}

static void turn(struct service *service, bool on, struct fw_span span) {
	service->turned = on ? ENABLED_ON : ENABLED_OFF;
	service->turned_span = span;
}

READER(read_enabled) {
	struct service *service = object;
	bool on;
	(void)key;

	if ((kind & DEFINE) == 0) {
		if (fw_read_switch(draft, value, "enabled", &on)) {
			turn(service, on, value->span);
		}
	} else if (fw_node_is_switch(value, &on)) {
		service->enabled = on ? ENABLED_ON : ENABLED_OFF;
	} else if (value->kind == FW_YAML_SCALAR && fw_slice_is(value->text, "when-named")) {
		service->enabled = ENABLED_WHEN_NAMED;
	} else {
		fw_error(draft->diags, value->span, "wrong-type",
			"enabled is on, off or when-named");
	}
}

READER(read_switch_name) {
	static const char *const names[SWITCH_COUNT] = {
		[SWITCH_DHCP] = "dhcp",
		[SWITCH_ECHO] = "echo",
		[SWITCH_MLD] = "mld",
		[SWITCH_DNS_OVER_TCP] = "dns-over-tcp",
		[SWITCH_RTP] = "rtp",
		[SWITCH_RTP_MULTICAST] = "rtp-multicast",
	};
	struct service *service = object;
	int word;
	(void)kind;
	(void)key;
	if (fw_read_word(draft, value, "switch", names, SWITCH_COUNT, &word)) {
		service->on_switch = (enum base_switch)word;
	}
}

READER(read_follows) {
	struct service *service = object;
	(void)kind;
	(void)key;
	if (fw_read_name(draft, value, "a service", &service->follows)) {
		service->follows_span = value->span;
	}
}

READER(read_suspect_ports) {
	struct service *service = object;
	(void)kind;
	(void)key;
	fw_read_ports(draft, value, &service->suspect);
}

READER(read_suspect_why) {
	struct service *service = object;
	(void)kind;
	(void)key;
	fw_read_text(draft, value, "why", TITLE_MAX, &service->suspect_why);
}

READER(read_suspect) {
	static const struct key keys[] = {
		{"ports", ~0U, read_suspect_ports},
		{"why", ~0U, read_suspect_why},
	};
	(void)key;
	fw_read_mapping(draft, value, "suspect", keys, FW_LENGTH(keys), kind, object);
}

READER(read_plain_http) {
	struct service *service = object;
	bool on;
	(void)kind;
	(void)key;
	if (fw_read_switch(draft, value, "plain-http", &on)) {
		service->plain_http = on ? ENABLED_ON : ENABLED_OFF;
	}
}

READER(read_allow_lint) {
	struct service *service = object;
	(void)kind;
	(void)key;
	fw_read_allow(draft, value, &service->allow);
}

static const struct key service_keys[] = {
	{"title", SITE, read_title},
	{"direction", SITE, read_direction},
	{"ports", SITE, read_ports},
	{"default-ports", SITE, read_default_ports},
	{"source-ports", SITE, read_source_ports},
	{"icmp", DEFINE, read_icmp},
	{"icmpv6", DEFINE, read_icmpv6},
	{"protocol", DEFINE, read_protocol},
	{"hop-limit", DEFINE, read_hop_limit},
	{"from", LAYERS, read_from},
	{"to", LAYERS, read_to},
	{"except", SITE, read_except},
	{"interface", SITE, read_interface},
	{"in-interface", SITE, read_in_interface},
	{"out-interface", SITE, read_out_interface},
	{"level", LAYERS, read_level},
	{"breaks", SITE, read_breaks},
	{"note", SITE, read_note},
	{"limit", SITE, read_limit},
	{"log", SITE, read_log},
	{"source", DEFINE, read_source},
	{"enabled", SITE | KIND_PROFILE, read_enabled},
	{"switch", KIND_SERVICES, read_switch_name},
	{"follows", KIND_SERVICES, read_follows},
	{"crossing", KIND_SERVICES, read_crossing},
	{"suspect", DEFINE, read_suspect},
	{"plain-http", SITE, read_plain_http},
	{"allow-lint", SITE | KIND_PROFILE, read_allow_lint},
};

/* ---- services ---- */

static void read_settings(struct draft *draft, enum kind kind, struct service *service,
	const struct fw_yaml_node *value) {
	size_t errors = draft->diags->errors;

	fw_read_mapping(
		draft, value, "a service", service_keys, FW_LENGTH(service_keys), kind, service);
	service->broken |= draft->diags->errors != errors;
}

static struct service *define(struct draft *draft, enum kind kind, const struct fw_yaml_node *key) {
	const char *id;
	if (!fw_read_name(draft, key, "a service", &id)) {
		return NULL;
	}
	struct service *service = FW_ARENA_NEW(draft->arena, struct service);
	service->id = id;
	service->title = id;
	service->span = service->touched = key->span;
	service->enabled = ENABLED_ON;
	service->level = kind == KIND_SERVICES ? FW_OPTIONAL : FW_REQUIRED;
	service->provenance = kind == KIND_SERVICES ? FW_PROVENANCE_NONE : FW_SITE;
	HASH_ADD_KEYPTR(hh, draft->services, service->id, strlen(service->id), service);
	return service;
}

void fw_list_service(struct draft *draft, struct service *service, const char *role) {
	if (service->role == NULL) {
		service->role = role;
		service->order = draft->listed++;
	}
}

static void read_definition(
	struct draft *draft, const struct fw_yaml_node *key, const struct fw_yaml_node *value) {
	struct service *known = fw_draft_service(draft, key->text);
	if (known != NULL) {
		struct fw_diag *diag = fw_error(draft->diags, key->span, "duplicate-service",
			"service '%s' is defined twice", known->id);
		fw_diag_note(draft->diags, diag, known->span, "the first time here");
		return;
	}
	struct service *service = define(draft, KIND_SERVICES, key);
	if (service == NULL) {
		return;
	}
	read_settings(draft, KIND_SERVICES, service, value);
	if (service->provenance == FW_PROVENANCE_NONE) {
		fw_error(draft->diags, key->span, "missing-key",
			"service '%s' does not say its source", service->id);
	}
}

/* A service of the site's own: it must be complete, and it is asked for by being there. */
static void read_own(
	struct draft *draft, const struct fw_yaml_node *key, const struct fw_yaml_node *value) {
	if (value->kind != FW_YAML_MAPPING) {
		fw_draft_no_service(draft, key->span, key->text);
		return;
	}
	if (fw_yaml_find(value, "direction") == NULL) {
		struct fw_diag *diag = fw_draft_no_service(draft, key->span, key->text);
		if (diag->hint == NULL) {
			fw_diag_hint(draft->diags, diag,
				"a service of your own needs a direction and ports");
		}
		return;
	}
	struct service *service = define(draft, KIND_SITE, key);
	if (service != NULL) {
		fw_list_service(draft, service, "site");
		read_settings(draft, KIND_SITE_SERVICE, service, value);
	}
}

/* `NAME: on`, `NAME: off` or `NAME: {…}` in a profile or site. */
static void read_change(struct draft *draft, enum kind kind, struct service *service,
	const struct fw_yaml_node *key, const struct fw_yaml_node *value) {
	bool on;

	service->touched = key->span;
	if (fw_node_is_switch(value, &on)) {
		turn(service, on, key->span);
		return;
	}
	if (value->kind == FW_YAML_SCALAR && !fw_node_is_null(value)) {
		fw_error(draft->diags, value->span, "wrong-type",
			"a service is on, off or a mapping, not '%.*s'", (int)value->text.length,
			value->text.data);
		return;
	}
	if (kind == KIND_SITE) {
		service->adjusted_span = key->span;
	}
	read_settings(draft, kind, service, value);
}

static void read_role_item(struct draft *draft, enum kind kind, const char *role,
	const struct fw_yaml_node *key, const struct fw_yaml_node *value) {
	if (!fw_read_kind(draft, key, FW_YAML_SCALAR, "a service")) {
		return;
	}
	struct service *service = fw_draft_service(draft, key->text);
	if (service == NULL) {
		fw_draft_no_service(draft, key->span, key->text);
		return;
	}
	service->base |= kind == KIND_BASE;
	if (service->role == NULL) {
		service->listed_span = key->span;
	}
	fw_list_service(draft, service, role);
	if (value != NULL && !fw_node_is_null(value)) {
		read_settings(draft, kind, service, value);
	}
}

static void read_role_services(
	struct draft *draft, enum kind kind, const char *role, const struct fw_yaml_node *node) {
	if (node->kind == FW_YAML_MAPPING) {
		for (size_t i = 0; i < node->count; i++) {
			read_role_item(
				draft, kind, role, node->items[2 * i], node->items[2 * i + 1]);
		}
		return;
	}
	const struct fw_yaml_node *const *items;
	size_t count;
	if (fw_read_list(draft, node, "services", &items, &count)) {
		for (size_t i = 0; i < count; i++) {
			read_role_item(draft, kind, role, items[i], NULL);
		}
	}
}

void fw_read_services(struct draft *draft, enum kind kind, const char *layer_name,
	const struct fw_yaml_node *node) {
	if (kind == KIND_ROLE || kind == KIND_BASE) {
		read_role_services(draft, kind, layer_name, node);
		return;
	}
	if (!fw_read_kind(draft, node, FW_YAML_MAPPING, "services")) {
		return;
	}
	for (size_t i = 0; i < node->count; i++) {
		const struct fw_yaml_node *key = node->items[2 * i];
		const struct fw_yaml_node *value = node->items[2 * i + 1];

		if (kind == KIND_SERVICES) {
			read_definition(draft, key, value);
			continue;
		}
		struct service *service = fw_draft_service(draft, key->text);
		if (service != NULL) {
			read_change(draft, kind, service, key, value);
		} else if (kind == KIND_SITE) {
			read_own(draft, key, value);
		} else {
			fw_draft_no_service(draft, key->span, key->text);
		}
	}
}
