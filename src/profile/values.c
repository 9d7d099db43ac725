// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * YAML nodes to typed values. Every function reports what is wrong at the node's own place and
 * leaves its output alone then, so that its caller can go on with the next key.
 */

#include "profile/draft.h"

#include <string.h>

#define TEXT_ARGS(slice) (int)(slice).length, (slice).data

/* ---- mappings ---- */

static const struct key *find_key(const struct key *keys, size_t count, struct fw_slice name) {
	for (size_t i = 0; i < count && name.length != 0; i++) {
		if (name.data[0] == keys[i].name[0] && fw_slice_is(name, keys[i].name)) {
			return &keys[i];
		}
	}
	return NULL;
}

static void no_key(struct draft *draft, const struct fw_yaml_node *node, const char *what,
	const struct key *keys, size_t count, enum kind kind) {
	struct fw_diag *diag = fw_error(draft->diags, node->span, "unknown-key",
		"%s has no key '%.*s'", what, TEXT_ARGS(node->text));
	const char **names = FW_ARENA_ARRAY(draft->arena, const char *, count);
	for (size_t i = 0; i < count; i++) {
		names[i] = (keys[i].kinds & kind) != 0 ? keys[i].name : NULL;
	}
	fw_diag_suggest(draft->diags, diag, node->text, names, count);
}

void fw_read_mapping(struct draft *draft, const struct fw_yaml_node *mapping, const char *what,
	const struct key *keys, size_t key_count, enum kind kind, void *object) {
	if (!fw_read_kind(draft, mapping, FW_YAML_MAPPING, what)) {
		return;
	}
	for (size_t i = 0; i < mapping->count; i++) {
		const struct fw_yaml_node *node = mapping->items[2 * i];
		const struct key *key = find_key(keys, key_count, node->text);

		if (key == NULL) {
			no_key(draft, node, what, keys, key_count, kind);
		} else if ((key->kinds & kind) == 0) {
			fw_error(draft->diags, node->span, "misplaced-key",
				"'%s' cannot be set here", key->name);
		} else {
			key->read(draft, object, kind, node, mapping->items[2 * i + 1]);
		}
	}
}

/* ---- scalars ---- */

bool fw_node_is_null(const struct fw_yaml_node *node) {
	return node->kind == FW_YAML_SCALAR && node->plain &&
	       (node->text.length == 0 || fw_slice_is(node->text, "~") ||
		       fw_slice_is(node->text, "null"));
}

bool fw_read_kind(struct draft *draft, const struct fw_yaml_node *node, enum fw_yaml_kind kind,
	const char *what) {
	if (fw_node_is_null(node)) {
		fw_error(draft->diags, node->span, "wrong-type", "%s has no value", what);
		return false;
	}
	if (node->kind != kind) {
		fw_error(draft->diags, node->span, "wrong-type", "%s must be %s, not %s", what,
			fw_yaml_kind_names[kind], fw_yaml_kind_names[node->kind]);
		return false;
	}
	return true;
}

bool fw_node_is_switch(const struct fw_yaml_node *node, bool *out_on) {
	static const char *const ons[] = {"on", "true", "yes"};
	static const char *const offs[] = {"off", "false", "no"};

	if (node->kind != FW_YAML_SCALAR) {
		return false;
	}
	for (size_t i = 0; i < FW_LENGTH(ons); i++) {
		if (fw_slice_is(node->text, ons[i])) {
			*out_on = true;
			return true;
		}
		if (fw_slice_is(node->text, offs[i])) {
			*out_on = false;
			return true;
		}
	}
	return false;
}

bool fw_read_switch(
	struct draft *draft, const struct fw_yaml_node *node, const char *what, bool *out_on) {
	if (!fw_read_kind(draft, node, FW_YAML_SCALAR, what)) {
		return false;
	}
	if (!fw_node_is_switch(node, out_on)) {
		fw_error(draft->diags, node->span, "wrong-type", "%s is on or off, not '%.*s'",
			what, TEXT_ARGS(node->text));
		return false;
	}
	return true;
}

bool fw_read_word(struct draft *draft, const struct fw_yaml_node *node, const char *what,
	const char *const *names, size_t count, int *out_index) {
	if (!fw_read_kind(draft, node, FW_YAML_SCALAR, what)) {
		return false;
	}
	for (size_t i = 1; i < count; i++) {
		if (names[i] != NULL && fw_slice_is(node->text, names[i])) {
			*out_index = (int)i;
			return true;
		}
	}
	struct fw_buf list FW_AUTO(fw_buf_fini) = {0};
	for (size_t i = 1; i < count; i++) {
		if (names[i] != NULL) {
			fw_buf_printf(&list, "%s%s", list.length != 0 ? ", " : "", names[i]);
		}
	}
	struct fw_diag *diag = fw_error(draft->diags, node->span, "unknown-word",
		"%s cannot be '%.*s'; it can be %s", what, TEXT_ARGS(node->text), list.data);
	fw_diag_suggest(draft->diags, diag, node->text, names, count);
	return false;
}

bool fw_read_text(struct draft *draft, const struct fw_yaml_node *node, const char *what,
	size_t limit, const char **out_text) {
	if (!fw_read_kind(draft, node, FW_YAML_SCALAR, what)) {
		return false;
	}
	if (node->text.length == 0) {
		fw_error(draft->diags, node->span, "bad-text", "%s is empty", what);
		return false;
	}
	if (node->text.length > limit) {
		fw_error(draft->diags, node->span, "bad-text",
			"%s is %zu bytes long; %zu is the most", what, node->text.length, limit);
		return false;
	}
	if (memchr(node->text.data, '\n', node->text.length) != NULL ||
		memchr(node->text.data, '\t', node->text.length) != NULL) {
		fw_error(draft->diags, node->span, "bad-text",
			"%s holds a line break or a tab; it is one line of text", what);
		return false;
	}
	*out_text = fw_arena_text(draft->arena, node->text);
	return true;
}

bool fw_slice_is_name(struct fw_slice text) {
	if (text.length == 0 || text.length > FW_NAME_MAX || text.data[0] < 'a' ||
		text.data[0] > 'z') {
		return false;
	}
	for (size_t i = 0; i < text.length; i++) {
		char c = text.data[i];
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-') {
			return false;
		}
	}
	return true;
}

bool fw_read_name(struct draft *draft, const struct fw_yaml_node *node, const char *what,
	const char **out_name) {
	if (!fw_read_kind(draft, node, FW_YAML_SCALAR, what)) {
		return false;
	}
	if (!fw_slice_is_name(node->text)) {
		struct fw_diag *diag = fw_error(draft->diags, node->span, "bad-name",
			"'%.*s' cannot name %s", TEXT_ARGS(node->text), what);
		fw_diag_hint(draft->diags, diag,
			"a name is a small letter, then small letters, digits and hyphens, %d "
			"characters at most",
			FW_NAME_MAX);
		return false;
	}
	*out_name = fw_arena_text(draft->arena, node->text);
	return true;
}

/* ---- lists ---- */

bool fw_read_list(struct draft *draft, const struct fw_yaml_node *node, const char *what,
	const struct fw_yaml_node *const **out_items, size_t *out_count) {
	if (node->kind == FW_YAML_SEQUENCE) {
		if (node->count == 0) {
			fw_error(draft->diags, node->span, "empty-list", "the list is empty");
			return false;
		}
		if (node->count > LIST_MAX) {
			struct fw_diag *diag = fw_error(draft->diags, node->span, "too-many",
				"the list has %u entries; %d is the most", node->count, LIST_MAX);
			fw_diag_hint(draft->diags, diag, "only the members of a group may be more");
			return false;
		}
		*out_items = (const struct fw_yaml_node *const *)node->items;
		*out_count = node->count;
		return true;
	}
	if (node->kind == FW_YAML_MAPPING) {
		fw_error(draft->diags, node->span, "wrong-type",
			"this must be a value or a list, not a mapping");
		return false;
	}
	if (!fw_read_kind(draft, node, FW_YAML_SCALAR, what)) {
		return false;
	}
	const struct fw_yaml_node **item =
		FW_ARENA_ARRAY(draft->arena, const struct fw_yaml_node *, 1);
	item[0] = node;
	*out_items = item;
	*out_count = 1;
	return true;
}

bool fw_read_names(struct draft *draft, const struct fw_yaml_node *node, const char *what,
	struct name_refs *out_names) {
	const struct fw_yaml_node *const *items;
	size_t count;
	if (!fw_read_list(draft, node, what, &items, &count)) {
		return false;
	}
	struct name_ref *refs = FW_ARENA_ARRAY(draft->arena, struct name_ref, count);
	bool good = true;
	for (size_t i = 0; i < count; i++) {
		refs[i].span = items[i]->span;
		good &= fw_read_name(draft, items[i], what, &refs[i].name);
	}
	if (good) {
		*out_names = (struct name_refs){refs, count, node->span};
	}
	return good;
}

/* ---- the values of src/net/ ---- */

static const char rate_hint[] = "a rate is like `10/minute burst 5` or `10/second per source`; "
				"numbers are 1 to 10000";

/* The id of each fault; its hint, where the fault needs no more than a sentence. */
static const struct {
	const char *id, *hint;
} faults[FW_NET_FAULT_COUNT] = {
	[FW_NET_EMPTY] = {"bad-address", NULL},
	[FW_NET_NOT_ADDRESS] = {"bad-address",
		"an entry is an address, a prefix (10.0.0.0/8) or a range (10.0.0.1-10.0.0.9)"},
	[FW_NET_HOST_NAME] = {"host-name",
		"a firewall filters addresses, and names may not resolve when it loads; give the "
		"address"},
	[FW_NET_LEADING_ZERO] = {"leading-zero", "write it without the zero in front"},
	[FW_NET_ZONE] = {"bad-address", "leave out the zone; `interface` names an interface"},
	[FW_NET_MAPPED] = {"bad-address", "write it as an IPv4 address"},
	[FW_NET_PREFIX_LENGTH] = {"bad-prefix", "a prefix length is 0 to 32, or to 128 in IPv6"},
	[FW_NET_HOST_BITS] = {"host-bits", NULL},
	[FW_NET_REVERSED] = {"reversed-range", "write the lower end first"},
	[FW_NET_MIXED] = {"mixed-families", "give IPv4 and IPv6 an entry each"},
	[FW_NET_PORT] = {"bad-port", "a port is 1 to 65535, with its protocol: 1234/tcp"},
	[FW_NET_NO_PROTOCOL] = {"bad-port", NULL},
	[FW_NET_PROTOCOL] = {"unknown-protocol", "ports are tcp, udp or tcp+udp"},
	[FW_NET_ICMP_TYPE] = {"unknown-icmp-type", "a type's name, its number, or number/code"},
	[FW_NET_RATE] = {"bad-rate", rate_hint},
	[FW_NET_RATE_UNIT] = {"bad-rate", "the units are second, minute, hour and day"},
	[FW_NET_BURST] = {"bad-rate", rate_hint},
};

struct fw_diag *fw_net_error(
	struct draft *draft, struct fw_span span, struct fw_slice text, enum fw_net_fault fault) {
	struct fw_diag *diag = fw_error(draft->diags, span, faults[fault].id, "'%.*s' %s",
		TEXT_ARGS(text), fw_net_fault_texts[fault]);
	if (faults[fault].hint != NULL) {
		fw_diag_hint(draft->diags, diag, "%s", faults[fault].hint);
	}
	if (fault == FW_NET_NO_PROTOCOL && memchr(text.data, '/', text.length) == NULL) {
		fw_diag_hint(draft->diags, diag, "write %.*s/tcp or %.*s/udp", TEXT_ARGS(text),
			TEXT_ARGS(text));
	}
	return diag;
}

bool fw_read_range(
	struct draft *draft, const struct fw_yaml_node *node, struct fw_range *out_range) {
	if (!fw_read_kind(draft, node, FW_YAML_SCALAR, "an address")) {
		return false;
	}
	struct fw_range range;
	enum fw_net_fault fault = fw_range_parse(node->text, &range);
	if (fault == FW_NET_NONE) {
		*out_range = range;
		return true;
	}
	struct fw_diag *diag = fw_net_error(draft, node->span, node->text, fault);
	if (fault == FW_NET_HOST_BITS) {
		struct fw_buf fixed FW_AUTO(fw_buf_fini) = {0};
		fw_range_format(&range, &fixed);
		fw_diag_hint(draft->diags, diag, "the prefix is %s; a single address has none",
			fixed.data);
	}
	return false;
}

static bool read_port(
	struct draft *draft, const struct fw_yaml_node *node, bool udp, struct port_spec *out) {
	if (!fw_read_kind(draft, node, FW_YAML_SCALAR, "a port")) {
		return false;
	}
	struct fw_slice text = node->text;
	enum fw_net_fault fault = fw_ports_parse(text, &out->ports, &out->protocols);
	if (udp && fault == FW_NET_NO_PROTOCOL) {
		char *with = fw_arena_printf(draft->arena, "%.*s/udp", TEXT_ARGS(text));
		fault = fw_ports_parse(fw_slice(with), &out->ports, &out->protocols);
	}
	if (udp && fault == FW_NET_NONE && out->protocols != FW_PROTO_UDP) {
		fault = FW_NET_PROTOCOL;
	}
	if (fault != FW_NET_NONE) {
		struct fw_diag *diag = fw_net_error(draft, node->span, text, fault);
		if (udp && fault != FW_NET_REVERSED) {
			fw_diag_hint(draft->diags, diag,
				"media comes over UDP; give ports alone: 5000-65000");
		}
	}
	return fault == FW_NET_NONE;
}

static bool read_port_list(struct draft *draft, const struct fw_yaml_node *node, bool udp,
	struct port_specs *out_ports) {
	const struct fw_yaml_node *const *items;
	size_t count;
	if (!fw_read_list(draft, node, "ports", &items, &count)) {
		return false;
	}
	struct port_spec *specs = FW_ARENA_ARRAY(draft->arena, struct port_spec, count);
	bool good = true;
	for (size_t i = 0; i < count; i++) {
		good &= read_port(draft, items[i], udp, &specs[i]);
	}
	if (good) {
		*out_ports = (struct port_specs){specs, count, node->span};
	}
	return good;
}

bool fw_read_port(
	struct draft *draft, const struct fw_yaml_node *node, struct port_spec *out_port) {
	return read_port(draft, node, false, out_port);
}

bool fw_read_ports(
	struct draft *draft, const struct fw_yaml_node *node, struct port_specs *out_ports) {
	return read_port_list(draft, node, false, out_ports);
}

bool fw_read_udp_ports(
	struct draft *draft, const struct fw_yaml_node *node, struct port_specs *out_ports) {
	return read_port_list(draft, node, true, out_ports);
}

static bool read_peer(
	struct draft *draft, const struct fw_yaml_node *node, struct peer *out, bool *out_any) {
	if (!fw_read_kind(draft, node, FW_YAML_SCALAR, "a peer")) {
		return false;
	}
	out->span = node->span;
	if (fw_slice_is(node->text, "any")) {
		*out_any = true;
		return true;
	}
	if (fw_range_parse(node->text, &out->range) == FW_NET_NONE) {
		return true;
	}
	/* Groups may be declared further down, or by a later layer: resolve.c looks them up. */
	if (fw_slice_is_name(node->text)) {
		out->group = fw_arena_text(draft->arena, node->text);
		return true;
	}
	return fw_read_range(draft, node, &out->range);
}

bool fw_read_peers(struct draft *draft, const struct fw_yaml_node *node, struct peers *out_peers) {
	const struct fw_yaml_node *const *items;
	size_t count;
	if (!fw_read_list(draft, node, "peers", &items, &count)) {
		return false;
	}
	struct peer *peers = FW_ARENA_ARRAY(draft->arena, struct peer, count);
	size_t kept = 0;
	bool good = true, any = false;
	for (size_t i = 0; i < count; i++) {
		bool is_any = false;
		good &= read_peer(draft, items[i], &peers[kept], &is_any);
		any |= is_any;
		kept += !is_any;
	}
	if (any && kept != 0) {
		fw_error(draft->diags, node->span, "any-among-others",
			"'any' stands alone; the other entries would mean nothing");
		return false;
	}
	if (good) {
		*out_peers = (struct peers){peers, kept, any, node->span};
	}
	return good;
}

bool fw_read_rate(struct draft *draft, const struct fw_yaml_node *node, struct fw_rate *out_rate) {
	if (!fw_read_kind(draft, node, FW_YAML_SCALAR, "a rate")) {
		return false;
	}
	enum fw_net_fault fault = fw_rate_parse(node->text, out_rate);
	if (fault != FW_NET_NONE) {
		fw_net_error(draft, node->span, node->text, fault);
		return false;
	}
	return true;
}

/* ---- log ---- */

static void read_log_prefix(struct draft *draft, void *object, enum kind kind,
	const struct fw_yaml_node *key, const struct fw_yaml_node *value) {
	struct log_setting *log = object;
	(void)kind;
	(void)key;

	const char *prefix;
	if (!fw_read_text(draft, value, "a log prefix", FW_LOG_PREFIX_MAX, &prefix)) {
		return;
	}
	for (const char *c = prefix; *c != '\0'; c++) {
		if (*c < ' ' || *c > '~' || *c == '"' || *c == '\\' || *c == '$') {
			struct fw_diag *diag = fw_error(draft->diags, value->span, "bad-text",
				"a log prefix cannot hold this character");
			fw_diag_hint(draft->diags, diag,
				"printable ASCII without quotes, backslashes and dollar signs");
			return;
		}
	}
	log->prefix = prefix;
}

static void read_log_rate(struct draft *draft, void *object, enum kind kind,
	const struct fw_yaml_node *key, const struct fw_yaml_node *value) {
	struct log_setting *log = object;
	struct fw_rate rate;
	(void)kind;
	(void)key;

	if (!fw_read_rate(draft, value, &rate)) {
		return;
	}
	if (rate.per_source) {
		fw_error(draft->diags, value->span, "bad-rate",
			"a log's rate is for all sources together");
		return;
	}
	log->rate = rate;
}

bool fw_read_log(
	struct draft *draft, const struct fw_yaml_node *node, struct log_setting *out_log) {
	static const struct key keys[] = {
		{"prefix", ~0U, read_log_prefix},
		{"rate", ~0U, read_log_rate},
	};
	struct log_setting log = {.span = node->span};

	if (node->kind == FW_YAML_MAPPING) {
		log.on = true;
		fw_read_mapping(draft, node, "log", keys, FW_LENGTH(keys), KIND_SITE, &log);
	} else if (!fw_read_switch(draft, node, "log", &log.on)) {
		return false;
	}
	*out_log = log;
	return true;
}
