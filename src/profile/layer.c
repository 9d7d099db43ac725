// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One file: reading it, finding out what it is, and merging its sections into the draft.
 */

#include "profile/draft.h"

#include <string.h>

static const char *const kind_names[] = {
	"a services file", "base", "a role", "a profile", "a site"};

static const char *kind_name(enum kind kind) {
	size_t index = 0;
	while (index + 1 < FW_LENGTH(kind_names) && (1U << index) != (unsigned)kind) {
		index++;
	}
	return kind_names[index];
}

/* ---- the sections ---- */

/* What may stand at the top of each kind; the sections themselves are merged one by one later. */
static void read_later(struct draft *draft, void *object, enum kind kind,
	const struct fw_yaml_node *key, const struct fw_yaml_node *value) {
	(void)draft;
	(void)object;
	(void)kind;
	(void)key;
	(void)value;
}

void fw_read_version(struct draft *draft, void *object, enum kind kind,
	const struct fw_yaml_node *key, const struct fw_yaml_node *value) {
	(void)object;
	(void)kind;
	(void)key;
	if (value->kind != FW_YAML_SCALAR || !fw_slice_is(value->text, "1")) {
		struct fw_diag *diag = fw_error(draft->diags, value->span, "unknown-version",
			"this version of the language is not known");
		fw_diag_hint(draft->diags, diag, "this flowfw reads `flowfw: 1`");
	}
}

static void read_name(struct draft *draft, void *object, enum kind kind,
	const struct fw_yaml_node *key, const struct fw_yaml_node *value) {
	struct layer *layer = object;
	(void)key;
	layer->name_span = value->span;
	if (kind == KIND_SITE) {
		fw_read_text(draft, value, "a site's name", NAME_MAX_SITE, &layer->name);
	} else {
		fw_read_name(draft, value, kind_name(kind), &layer->name);
	}
}

static void read_extends(struct draft *draft, void *object, enum kind kind,
	const struct fw_yaml_node *key, const struct fw_yaml_node *value) {
	struct layer *layer = object;
	(void)kind;
	(void)key;
	if (fw_read_kind(draft, value, FW_YAML_SCALAR, "extends")) {
		layer->extends = value;
	}
}

static void read_roles(struct draft *draft, void *object, enum kind kind,
	const struct fw_yaml_node *key, const struct fw_yaml_node *value) {
	struct layer *layer = object;
	(void)draft;
	(void)kind;
	(void)key;
	layer->roles = value;
}

static const struct key layer_keys[] = {
	{"flowfw", ~0U, fw_read_version},
	{"role", KIND_ROLE, read_name},
	{"profile", KIND_PROFILE, read_name},
	{"site", KIND_SITE, read_name},
	{"title", KIND_ROLE | KIND_PROFILE | KIND_SITE, read_later},
	{"extends", KIND_PROFILE | KIND_SITE, read_extends},
	{"position", KIND_PROFILE | KIND_SITE, read_later},
	{"roles", KIND_PROFILE | KIND_SITE, read_roles},
	{"groups", KIND_SERVICES | KIND_PROFILE | KIND_SITE, read_later},
	{"interfaces", KIND_PROFILE | KIND_SITE, read_later},
	{"base", KIND_BASE | KIND_PROFILE | KIND_SITE, read_later},
	{"services", ~0U, read_later},
	{"devices", KIND_PROFILE | KIND_SITE, read_later},
	{"outside", KIND_PROFILE | KIND_SITE, read_later},
	{"inside", KIND_PROFILE | KIND_SITE, read_later},
	{"masquerade", KIND_PROFILE | KIND_SITE, read_later},
	{"hairpin", KIND_PROFILE | KIND_SITE, read_later},
	{"forward", KIND_BASE, read_later},
	{"mirror", KIND_PROFILE, read_later},
	{"expect", KIND_PROFILE | KIND_SITE, read_later},
	{"allow-lint", KIND_PROFILE | KIND_SITE, read_later},
};

/* ---- reading ---- */

void fw_need_version(struct draft *draft, const struct fw_yaml_node *root) {
	if (fw_yaml_find(root, "flowfw") == NULL) {
		struct fw_diag *diag = fw_error(draft->diags,
			(struct fw_span){root->span.source, 0, 0}, "missing-key",
			"the file does not name the version of its language");
		fw_diag_hint(draft->diags, diag, "begin it with `flowfw: 1`");
	}
}

static void *begin_list(void *context, const struct fw_slice *path, size_t depth) {
	struct draft *draft = context;

	if (depth >= 2 && fw_slice_is(path[0], "groups") &&
		(depth == 2 || (depth == 3 && fw_slice_is(path[2], "members")))) {
		return fw_endpoints_new(draft);
	}
	return NULL;
}

static enum kind find_kind(const struct fw_yaml_node *root) {
	static const struct {
		const char *key;
		enum kind kind;
	} marks[] = {
		{"role", KIND_ROLE},
		{"profile", KIND_PROFILE},
		{"site", KIND_SITE},
		{"base", KIND_BASE},
		{"services", KIND_SERVICES},
		{"groups", KIND_SERVICES},
	};
	for (size_t i = 0; i < FW_LENGTH(marks); i++) {
		if (fw_yaml_find(root, marks[i].key) != NULL) {
			return marks[i].kind;
		}
	}
	return KIND_NONE;
}

/* A role or profile is found by its file's name; another name inside would only confuse. */
static void check_name(struct draft *draft, const struct layer *layer) {
	struct fw_slice file = fw_path_stem(layer->path);

	if ((layer->kind == KIND_ROLE || layer->kind == KIND_PROFILE) && layer->name != NULL &&
		!fw_slice_is(file, layer->name)) {
		fw_error(draft->diags, layer->name_span, "name-mismatch",
			"%s is found by the name of its file, '%.*s', not '%s'",
			kind_name(layer->kind), (int)file.length, file.data, layer->name);
	}
}

static void is_a_fleet(struct draft *draft, const struct layer *layer) {
	struct fw_diag *diag = fw_error(draft->diags, (struct fw_span){layer->source, 0, 0},
		"not-a-profile", "'%s' is a fleet, which is no profile", layer->path);
	fw_diag_hint(draft->diags, diag,
		"`flowfw gen --fleet %s --output-dir DIR` compiles its sites", layer->path);
}

/* The same text, by the name of where it belongs. */
static const struct fw_source *source_as(
	struct fw_arena *arena, const struct fw_source *source, const char *name) {
	struct fw_source *named = FW_ARENA_NEW(arena, struct fw_source);

	*named = *source;
	named->name = name;
	return named;
}

bool fw_layer_read(struct draft *draft, const char *path, const char *as, struct fw_span wanted_by,
	struct layer *out_layer) {
	struct layer layer = {.path = as != NULL ? as : path};
	size_t errors = draft->diags->errors;

	layer.source = fw_source_read(draft->arena, path, wanted_by, draft->diags);
	if (layer.source == NULL) {
		return false;
	}
	if (as != NULL) {
		layer.source = source_as(draft->arena, layer.source, as);
	}
	const struct fw_yaml_stream stream = {
		.context = draft, .begin = begin_list, .item = fw_read_endpoint};
	layer.root = fw_yaml_read(&draft->nodes, layer.source, &stream, draft->diags);
	if (layer.root == NULL ||
		!fw_read_kind(draft, layer.root, FW_YAML_MAPPING, "a profile's file")) {
		return false;
	}
	if (fw_yaml_find(layer.root, "fleet") != NULL) {
		is_a_fleet(draft, &layer);
		return false;
	}
	layer.kind = find_kind(layer.root);
	struct fw_span top = {layer.source, 0, 0};
	if (layer.kind == KIND_NONE) {
		struct fw_diag *diag = fw_error(
			draft->diags, top, "missing-key", "the file does not say what it is");
		fw_diag_hint(draft->diags, diag, "a site begins with `site: NAME`");
		return false;
	}
	fw_need_version(draft, layer.root);
	fw_read_mapping(draft, layer.root, kind_name(layer.kind), layer_keys, FW_LENGTH(layer_keys),
		layer.kind, &layer);
	if (layer.kind == KIND_SITE && fw_yaml_find(layer.root, "extends") == NULL) {
		struct fw_diag *diag = fw_error(draft->diags, layer.name_span, "missing-key",
			"the site extends no profile");
		fw_diag_hint(draft->diags, diag, "name the device's product: extends: enterprise");
	}
	check_name(draft, &layer);
	*out_layer = layer;
	/* Its mistakes don't keep the rest of the file from being looked at. */
	return layer.name != NULL || layer.kind == KIND_SERVICES || layer.kind == KIND_BASE ||
	       draft->diags->errors == errors;
}

/* ---- merging ---- */

void fw_layer_merge(struct draft *draft, const struct layer *layer) {
	const struct fw_yaml_node *node;

	if (layer->kind == KIND_PROFILE || layer->kind == KIND_SITE) {
		draft->name = layer->name;
		node = fw_yaml_find(layer->root, "title");
		if (node != NULL) {
			fw_read_text(draft, node, "a title", TITLE_MAX, &draft->title);
		}
		fw_read_position(draft, fw_yaml_find(layer->root, "position"), layer->name_span);
	}
	fw_read_place(draft, layer);
	node = fw_yaml_find(layer->root, "interfaces");
	if (node != NULL) {
		fw_read_interfaces(draft, node);
	}
	node = fw_yaml_find(layer->root, "groups");
	if (node != NULL) {
		fw_read_groups(draft, layer->kind, node);
	}
	node = fw_yaml_find(layer->root, "base");
	if (node != NULL) {
		fw_read_base(draft, layer->kind, node);
	}
	node = fw_yaml_find(layer->root, "services");
	if (node != NULL) {
		const char *role = layer->kind == KIND_BASE ? "base" : layer->name;
		fw_read_services(draft, layer->kind, role, node);
	}
	node = fw_yaml_find(layer->root, "allow-lint");
	if (node != NULL) {
		fw_read_allow(draft, node, &draft->allow);
	}
}

void fw_layer_expects(struct draft *draft, const struct layer *layer) {
	const struct fw_yaml_node *node = fw_yaml_find(layer->root, "expect");

	if (node != NULL) {
		fw_read_expects(draft, node);
	}
}
