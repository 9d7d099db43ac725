// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `--set services.udp-sinks.ports=55571/udp`: the path becomes nested mappings round the value,
 * and the whole is merged as the nearest site file, by the same readers.
 */

#include "profile/draft.h"

#include <string.h>

enum { PATH_MAX_KEYS = 6 };

static struct fw_yaml_node *new_mapping(
	struct draft *draft, struct fw_yaml_node *key, struct fw_yaml_node *value) {
	struct fw_yaml_node *node = FW_ARENA_NEW(&draft->nodes, struct fw_yaml_node);
	node->kind = FW_YAML_MAPPING;
	node->span = key->span;
	node->count = 1;
	node->items = FW_ARENA_ARRAY(&draft->nodes, struct fw_yaml_node *, 2);
	node->items[0] = key;
	node->items[1] = value;
	return node;
}

static struct fw_yaml_node *new_key(
	struct draft *draft, const struct fw_source *source, struct fw_slice text) {
	struct fw_yaml_node *node = FW_ARENA_NEW(&draft->nodes, struct fw_yaml_node);
	uint32_t start = (uint32_t)(text.data - source->text.data);
	node->kind = FW_YAML_SCALAR;
	node->plain = true;
	node->text = text;
	node->span = (struct fw_span){source, start, start + (uint32_t)text.length};
	return node;
}

static void bad_path(struct draft *draft, struct fw_span span) {
	static const char *const sections[] = {"services", "groups", "interfaces", "base",
		"outside", "inside", "masquerade", "hairpin", "allow-lint"};
	struct fw_diag *diag = fw_error(
		draft->diags, span, "unknown-path", "--set knows no path that begins with this");
	fw_diag_suggest(draft->diags, diag, fw_span_text(span), sections, FW_LENGTH(sections));
	if (diag->hint == NULL) {
		fw_diag_hint(draft->diags, diag,
			"like: --set services.udp-sinks.ports=55571/udp, --set base.echo=off, "
			"--set groups.admins=10.0.0.0/8");
	}
}

/* Keys at the top of a site that hold a value. */
static bool is_switch(struct fw_slice key) {
	return fw_slice_is(key, "masquerade") || fw_slice_is(key, "hairpin");
}

static bool is_value(struct fw_slice key) {
	return is_switch(key) || fw_slice_is(key, "allow-lint");
}

static bool is_place(struct fw_slice key) {
	return is_switch(key) || fw_slice_is(key, "outside") || fw_slice_is(key, "inside");
}

void fw_override_merge(struct draft *draft, const char *text) {
	const struct fw_source *source =
		fw_source_text(draft->arena, "--set", fw_slice(text), draft->diags);
	if (source == NULL) {
		return;
	}
	struct fw_span whole = {source, 0, (uint32_t)source->text.length};
	const char *equals = memchr(source->text.data, '=', source->text.length);
	if (equals == NULL) {
		struct fw_diag *diag =
			fw_error(draft->diags, whole, "unknown-path", "--set needs PATH=VALUE");
		fw_diag_hint(draft->diags, diag, "like: --set services.udp-sinks.ports=55571/udp");
		return;
	}
	struct fw_slice rest = {source->text.data, (size_t)(equals - source->text.data)};
	struct fw_yaml_node *keys[PATH_MAX_KEYS];
	size_t count = 0;
	while (rest.data != NULL && count < PATH_MAX_KEYS) {
		keys[count++] = new_key(draft, source, fw_slice_cut(&rest, '.'));
	}
	if (rest.data != NULL || (count < 2 && !is_value(keys[0]->text))) {
		bad_path(
			draft, (struct fw_span){source, 0, (uint32_t)(equals - source->text.data)});
		return;
	}
	const struct fw_yaml_node *value = fw_yaml_read_from(
		&draft->nodes, source, (uint32_t)(equals - source->text.data) + 1, draft->diags);
	if (value == NULL) {
		return;
	}
	/* The tree takes nodes that can be changed; nobody changes this one. */
	struct fw_yaml_node *tree = FW_ARENA_NEW(&draft->nodes, struct fw_yaml_node);
	*tree = *value;
	for (size_t i = count - 1; i > 0; i--) {
		tree = new_mapping(draft, keys[i], tree);
	}
	if (fw_slice_is(keys[0]->text, "services")) {
		fw_read_services(draft, KIND_SITE, NULL, tree);
	} else if (fw_slice_is(keys[0]->text, "groups")) {
		fw_read_groups(draft, KIND_SITE, tree);
	} else if (fw_slice_is(keys[0]->text, "interfaces")) {
		fw_read_interfaces(draft, tree);
	} else if (fw_slice_is(keys[0]->text, "base")) {
		fw_read_base(draft, KIND_SITE, tree);
	} else if (fw_slice_is(keys[0]->text, "allow-lint") && count == 1) {
		fw_read_allow(draft, tree, &draft->allow);
	} else if (!is_place(keys[0]->text) ||
		   !fw_read_place_key(draft, KIND_SITE, keys[0], tree)) {
		bad_path(draft, keys[0]->span);
	}
}
