// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The machine's place in the network, as it is written: its position, the devices behind it or
 * called by it, and how addresses are translated. gateway.c and client.c give it a meaning.
 */

#include "profile/draft.h"

#include <string.h>

#define READER(name)                                                                               \
	static void name(struct draft *draft, void *object, enum kind kind,                        \
		const struct fw_yaml_node *key, const struct fw_yaml_node *value)

/* ---- position ---- */

void fw_read_position(
	struct draft *draft, const struct fw_yaml_node *node, struct fw_span layer_name) {
	struct place *place = &draft->place;
	int word = FW_HOST;

	if (node != NULL && !fw_read_word(draft, node, "position", fw_position_names,
				    FW_POSITION_COUNT, &word)) {
		return;
	}
	enum fw_position position = (enum fw_position)word;
	if (place->position == FW_POSITION_NONE) {
		place->position = position;
		place->position_span = node != NULL ? node->span : layer_name;
	} else if (node != NULL && place->position != position) {
		struct fw_diag *diag = fw_error(draft->diags, node->span, "position-conflict",
			"what this extends is for a %s, not for a %s",
			fw_position_names[place->position], fw_position_names[position]);
		fw_diag_note(draft->diags, diag, place->position_span, "its position");
		fw_diag_hint(draft->diags, diag,
			"`extends: gateway` and `extends: insights` begin the other positions");
	}
}

/* ---- addresses ---- */

/* Ranges only: no groups, and not `any`. */
static bool read_ranges(struct draft *draft, const struct fw_yaml_node *node, const char *what,
	struct peers *out_ranges) {
	const struct fw_yaml_node *const *items;
	size_t count;
	if (!fw_read_list(draft, node, what, &items, &count)) {
		return false;
	}
	struct peer *peers = FW_ARENA_ARRAY(draft->arena, struct peer, count);
	bool good = true;
	for (size_t i = 0; i < count; i++) {
		peers[i].span = items[i]->span;
		good &= fw_read_range(draft, items[i], &peers[i].range);
	}
	if (good) {
		*out_ranges = (struct peers){.items = peers, .count = count, .span = node->span};
	}
	return good;
}

bool fw_check_host_address(struct draft *draft, const struct peer *peer) {
	/* RFC 1122 section 3.2.1.3, RFC 5771; RFC 4291 sections 2.5 and 2.7. */
	static const char *const others[] = {
		"0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3", "::/127", "fe80::/10", "ff00::/8"};

	for (size_t i = 0; i < FW_LENGTH(others); i++) {
		struct fw_range other;
		if (fw_range_parse(fw_slice(others[i]), &other) == FW_NET_NONE &&
			fw_range_overlaps(&other, &peer->range)) {
			fw_error(draft->diags, peer->span, "bad-address",
				"this is no address that a machine is reached at through a "
				"gateway");
			return false;
		}
	}
	return true;
}

static bool read_addresses(struct draft *draft, const struct fw_yaml_node *node, const char *what,
	struct peers *out_addresses) {
	struct peers addresses;
	bool good = read_ranges(draft, node, what, &addresses);

	for (size_t i = 0; good && i < addresses.count; i++) {
		good = fw_check_host_address(draft, &addresses.items[i]);
		if (!fw_range_is_single(&addresses.items[i].range)) {
			fw_error(draft->diags, addresses.items[i].span, "not-single",
				"%s is one address, not a prefix or range", what);
			good = false;
		}
	}
	if (good) {
		*out_addresses = addresses;
	}
	return good;
}

READER(read_outside_address) {
	struct place *place = object;
	(void)kind;
	(void)key;
	read_addresses(draft, value, "the outside address", &place->outside);
}

READER(read_inside_address) {
	struct place *place = object;
	(void)kind;
	(void)key;
	read_addresses(draft, value, "the inside address", &place->inside);
}

READER(read_inside_networks) {
	struct place *place = object;
	(void)kind;
	(void)key;
	if (!read_ranges(draft, value, "inside networks", &place->networks)) {
		return;
	}
	for (size_t i = 0; i < place->networks.count; i++) {
		if (fw_range_is_all(&place->networks.items[i].range)) {
			fw_error(draft->diags, place->networks.items[i].span, "bad-prefix",
				"a network that holds every address is not inside");
		}
	}
}

READER(read_outside) {
	static const struct key keys[] = {{"address", ~0U, read_outside_address}};
	(void)key;
	fw_read_mapping(draft, value, "outside", keys, FW_LENGTH(keys), kind, object);
}

READER(read_inside) {
	static const struct key keys[] = {
		{"address", ~0U, read_inside_address},
		{"networks", ~0U, read_inside_networks},
	};
	(void)key;
	fw_read_mapping(draft, value, "inside", keys, FW_LENGTH(keys), kind, object);
}

/* ---- switches and orders ---- */

READER(read_masquerade) {
	struct place *place = object;
	(void)kind;
	if (fw_read_switch(draft, value, "masquerade", &place->masquerade)) {
		place->masquerade_span = key->span;
	}
}

READER(read_hairpin) {
	struct place *place = object;
	(void)kind;
	if (fw_read_switch(draft, value, "hairpin", &place->hairpin)) {
		place->hairpin_span = key->span;
	}
}

READER(read_pair) {
	struct place *place = object;
	(void)kind;
	(void)key;
	fw_read_names(draft, value, "a service", &place->pair);
}

READER(read_further) {
	struct place *place = object;
	(void)kind;
	(void)key;
	fw_read_names(draft, value, "a service", &place->further);
}

READER(read_forward_order) {
	static const struct key keys[] = {
		{"pair", ~0U, read_pair},
		{"further", ~0U, read_further},
	};
	(void)key;
	fw_read_mapping(draft, value, "forward", keys, FW_LENGTH(keys), kind, object);
}

READER(read_mirror) {
	struct place *place = object;
	(void)kind;
	(void)key;
	fw_read_names(draft, value, "a service", &place->mirror);
}

/* ---- devices ---- */

READER(read_device_name) {
	struct device *device = object;
	(void)kind;
	(void)key;
	device->span = value->span;
	fw_read_name(draft, value, "a device", &device->name);
}

READER(read_device_title) {
	struct device *device = object;
	(void)kind;
	(void)key;
	fw_read_text(draft, value, "a title", TITLE_MAX, &device->title);
}

READER(read_device_address) {
	struct device *device = object;
	(void)kind;
	(void)key;
	read_ranges(draft, value, "an address", &device->addresses);
}

static void read_device_profile(struct draft *draft, const char **out_text, struct device *device,
	const struct fw_yaml_node *value) {
	if (fw_read_kind(draft, value, FW_YAML_SCALAR, "a device's profile")) {
		*out_text = fw_arena_text(draft->arena, value->text);
		device->profile_span = value->span;
	}
}

READER(read_device_extends) {
	struct device *device = object;
	(void)kind;
	(void)key;
	read_device_profile(draft, &device->extends, device, value);
}

READER(read_device_site) {
	struct device *device = object;
	(void)kind;
	(void)key;
	read_device_profile(draft, &device->site, device, value);
}

READER(read_device_groups) {
	struct device *device = object;
	(void)draft;
	(void)kind;
	(void)key;
	device->groups = value;
}

READER(read_device_services) {
	struct device *device = object;
	(void)draft;
	(void)kind;
	(void)key;
	device->services = value;
}

static bool read_outside_port(
	struct draft *draft, const struct fw_yaml_node *node, uint16_t *out_port) {
	uint64_t port;
	if (!fw_read_kind(draft, node, FW_YAML_SCALAR, "an outside port")) {
		return false;
	}
	if (!fw_slice_to_uint(node->text, UINT16_MAX, &port) || port == 0) {
		struct fw_diag *diag = fw_error(draft->diags, node->span, "bad-port",
			"'%.*s' is no outside port", (int)node->text.length, node->text.data);
		fw_diag_hint(draft->diags, diag,
			"a number from 1 to 65535, without a protocol: the service's is meant");
		return false;
	}
	*out_port = (uint16_t)port;
	return true;
}

/* One pair of `forward`: false where it is wrong. */
static bool read_forward_item(struct draft *draft, const struct fw_yaml_node *key,
	const struct fw_yaml_node *value, struct device_forward *out) {
	bool on;

	out->span = key->span;
	out->service.span = key->span;
	if (!fw_read_name(draft, key, "a service", &out->service.name)) {
		return false;
	}
	if (fw_node_is_switch(value, &on)) {
		out->off = !on;
		return true;
	}
	return read_outside_port(draft, value, &out->port);
}

READER(read_device_forward) {
	struct device *device = object;
	(void)kind;

	device->forward_span = key->span;
	if (!fw_read_kind(draft, value, FW_YAML_MAPPING, "forward")) {
		return;
	}
	struct device_forward *forwards =
		FW_ARENA_ARRAY(draft->arena, struct device_forward, value->count);
	device->forward_count = 0;
	for (size_t i = 0; i < value->count; i++) {
		const struct fw_yaml_node *name = value->items[2 * i];
		const struct fw_yaml_node *port = value->items[2 * i + 1];
		if (fw_slice_is(name->text, "base")) {
			device->base_span = port->span;
			read_outside_port(draft, port, &device->forward_base);
		} else if (read_forward_item(draft, name, port, &forwards[device->forward_count])) {
			device->forward_count++;
		}
	}
	device->forwards = forwards;
}

static const struct key device_keys[] = {
	{"name", ~0U, read_device_name},
	{"title", ~0U, read_device_title},
	{"address", ~0U, read_device_address},
	{"extends", ~0U, read_device_extends},
	{"site", ~0U, read_device_site},
	{"groups", ~0U, read_device_groups},
	{"services", ~0U, read_device_services},
	{"forward", ~0U, read_device_forward},
};

/* An entry of the list: a mapping, or an address alone. */
static bool read_device(struct draft *draft, const struct layer *layer,
	const struct fw_yaml_node *node, struct device *out_device) {
	struct device device = {.span = node->span, .layer = layer};
	size_t errors = draft->diags->errors;

	if (node->kind == FW_YAML_SCALAR) {
		read_ranges(draft, node, "a device", &device.addresses);
	} else {
		fw_read_mapping(draft, node, "a device", device_keys, FW_LENGTH(device_keys),
			layer->kind, &device);
		if (draft->diags->errors == errors && device.addresses.count == 0) {
			fw_error(draft->diags, device.span, "missing-key",
				"the device has no address");
		}
	}
	*out_device = device;
	return draft->diags->errors == errors;
}

static void read_devices(
	struct draft *draft, const struct layer *layer, const struct fw_yaml_node *node) {
	struct place *place = &draft->place;

	if (!fw_read_kind(draft, node, FW_YAML_SEQUENCE, "devices")) {
		return;
	}
	if (node->count == 0) {
		fw_error(draft->diags, node->span, "empty-list", "the list is empty");
		return;
	}
	if (node->count > DEVICES_MAX) {
		fw_error(draft->diags, node->span, "too-many",
			"%u devices are listed; %d is the most", node->count, DEVICES_MAX);
		return;
	}
	struct device *devices = FW_ARENA_ARRAY(draft->arena, struct device, node->count);
	place->device_count = 0;
	for (size_t i = 0; i < node->count; i++) {
		if (read_device(draft, layer, node->items[i], &devices[place->device_count])) {
			place->device_count++;
		}
	}
	place->devices = devices;
}

/* ---- all of it ---- */

static void misplaced(struct draft *draft, struct fw_span span, enum fw_position wanted) {
	if (span.source == NULL) {
		return;
	}
	struct fw_diag *diag = fw_error(draft->diags, span, "misplaced-key",
		"this is for a %s, and the position here is %s", fw_position_names[wanted],
		fw_position_names[draft->place.position]);
	fw_diag_note(draft->diags, diag, draft->place.position_span, "which is said here");
	fw_diag_hint(draft->diags, diag, "a %s's site extends the profile '%s'",
		fw_position_names[wanted], wanted == FW_GATEWAY ? "gateway" : "insights");
}

/* A client calls devices as they are; what they are is their own sites' business. */
static void check_client_device(struct draft *draft, const struct device *device) {
	const struct fw_span spans[] = {
		device->profile_span,
		device->groups != NULL ? device->groups->span : (struct fw_span){0},
		device->services != NULL ? device->services->span : (struct fw_span){0},
	};
	for (size_t i = 0; i < FW_LENGTH(spans); i++) {
		if (spans[i].source != NULL) {
			struct fw_diag *diag = fw_error(draft->diags, spans[i], "misplaced-key",
				"a client knows devices by name, address and forwarded ports "
				"alone");
			fw_diag_hint(draft->diags, diag,
				"what a device is stands in its own site, or at its gateway");
		}
	}
}

void fw_check_place(struct draft *draft) {
	const struct place *place = &draft->place;

	if (place->position != FW_GATEWAY) {
		misplaced(draft, place->outside.span, FW_GATEWAY);
		misplaced(draft, place->inside.span, FW_GATEWAY);
		misplaced(draft, place->networks.span, FW_GATEWAY);
		misplaced(draft, place->masquerade_span, FW_GATEWAY);
		misplaced(draft, place->hairpin_span, FW_GATEWAY);
	}
	if (place->position != FW_CLIENT) {
		misplaced(draft, place->mirror.span, FW_CLIENT);
	}
	for (size_t i = 0; place->position == FW_CLIENT && i < place->device_count; i++) {
		check_client_device(draft, &place->devices[i]);
	}
	if (place->position == FW_HOST) {
		misplaced(draft, place->devices_span, FW_GATEWAY);
	}
}

bool fw_read_place_key(struct draft *draft, enum kind kind, const struct fw_yaml_node *key,
	const struct fw_yaml_node *value) {
	static const struct key keys[] = {
		{"outside", ~0U, read_outside},
		{"inside", ~0U, read_inside},
		{"masquerade", ~0U, read_masquerade},
		{"hairpin", ~0U, read_hairpin},
		{"forward", ~0U, read_forward_order},
		{"mirror", ~0U, read_mirror},
	};
	for (size_t i = 0; i < FW_LENGTH(keys); i++) {
		if (fw_slice_is(key->text, keys[i].name)) {
			keys[i].read(draft, &draft->place, kind, key, value);
			return true;
		}
	}
	return false;
}

void fw_read_place(struct draft *draft, const struct layer *layer) {
	for (size_t i = 0; i < layer->root->count; i++) {
		const struct fw_yaml_node *key = layer->root->items[2 * i];
		const struct fw_yaml_node *value = layer->root->items[2 * i + 1];
		if (fw_slice_is(key->text, "devices")) {
			draft->place.devices_span = key->span;
			read_devices(draft, layer, value);
		} else {
			fw_read_place_key(draft, layer->kind, key, value);
		}
	}
}
