// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What has a name, and what an alias stands for.
 */

#include <string.h>

#include "base/base.h"

#define uthash_malloc(size) fw_alloc(size)
#include <uthash.h>

#include "yaml/reader.h"

struct fw_yaml_anchor {
	UT_hash_handle hh;
	const char *name;
	struct fw_span span;	  /* of the name, with its '&' */
	struct fw_yaml_tree tree; /* without a node while that is still open */
};

static bool in_source(const struct fw_yaml_reader *reader, struct fw_slice text) {
	uintptr_t first = (uintptr_t)reader->source->text.data;
	uintptr_t at = (uintptr_t)text.data;
	return at >= first && at <= first + reader->source->text.length;
}

/**
 * A part of a streamed item that has an anchor outlives the item, so it moves to the document's
 * arena. No deeper than FW_YAML_DEPTH.
 */
static struct fw_yaml_node *copy_node(
	struct fw_yaml_reader *reader, const struct fw_yaml_node *node) {
	struct fw_yaml_node *copy = FW_ARENA_NEW(reader->arena, struct fw_yaml_node);
	*copy = *node;
	if (node->kind == FW_YAML_SCALAR) {
		if (!in_source(reader, node->text)) {
			copy->text.data = fw_arena_text(reader->arena, node->text);
		}
		return copy;
	}
	size_t count = node->kind == FW_YAML_MAPPING ? 2 * (size_t)node->count : node->count;
	copy->items = FW_ARENA_ARRAY(reader->arena, struct fw_yaml_node *, count);
	for (size_t i = 0; i < count; i++) {
		copy->items[i] = copy_node(reader, node->items[i]);
	}
	return copy;
}

struct fw_yaml_anchor *fw_yaml_define_anchor(
	struct fw_yaml_reader *reader, const char *name, struct fw_span span) {
	struct fw_yaml_anchor *anchor = FW_ARENA_NEW(reader->arena, struct fw_yaml_anchor);
	anchor->name = fw_arena_text(reader->arena, fw_slice(name));
	anchor->span = span;
	struct fw_yaml_anchor *older;
	HASH_FIND_STR(reader->anchors, anchor->name, older);
	if (older != NULL) {
		HASH_DEL(reader->anchors, older);
	}
	HASH_ADD_KEYPTR(hh, reader->anchors, anchor->name, strlen(anchor->name), anchor);
	return anchor;
}

void fw_yaml_complete_anchor(
	struct fw_yaml_reader *reader, struct fw_yaml_anchor *anchor, struct fw_yaml_tree tree) {
	if (anchor != NULL) {
		anchor->tree = tree;
		if (reader->streaming) {
			anchor->tree.node = copy_node(reader, tree.node);
		}
	}
}

struct fw_yaml_tree fw_yaml_follow_alias(
	struct fw_yaml_reader *reader, const char *name, struct fw_yaml_extent extent) {
	struct fw_span span = fw_yaml_span(reader, extent.start, extent.end);
	struct fw_yaml_tree nothing = {
		.node = fw_yaml_new_node(reader, FW_YAML_NONE, extent), .size = 1};
	struct fw_yaml_anchor *anchor;
	HASH_FIND_STR(reader->anchors, name, anchor);
	if (anchor == NULL) {
		struct fw_diag *diag = fw_yaml_refused(
			reader, fw_error(reader->diags, span, "yaml-alias-unknown",
					"no anchor '&%s' stands before this", name));
		fw_diag_hint(reader->diags, diag, "a value that begins with '*' needs quotes");
		return nothing;
	}
	if (anchor->tree.node == NULL) {
		struct fw_diag *diag = fw_yaml_refused(
			reader, fw_error(reader->diags, span, "yaml-alias-cycle",
					"'*%s' stands inside of what it stands for", name));
		fw_diag_note(reader->diags, diag, anchor->span, "the anchor is here");
		return nothing;
	}
	if (reader->depth + anchor->tree.height > FW_YAML_DEPTH) {
		fw_yaml_refused(
			reader, fw_error(reader->diags, span, "yaml-depth",
					"what '*%s' stands for makes this nested deeper than %d",
					name, FW_YAML_DEPTH));
		return nothing;
	}
	/* Reported where the sum passes the limit and not again. */
	bool was_over = reader->alias_nodes > FW_YAML_ALIAS_NODES;
	reader->alias_nodes += anchor->tree.size;
	if (reader->alias_nodes > FW_YAML_ALIAS_NODES) {
		if (!was_over) {
			fw_yaml_refused(
				reader, fw_error(reader->diags, span, "yaml-alias-size",
						"aliases stand for more than %d values in total",
						FW_YAML_ALIAS_NODES));
		}
		return nothing;
	}
	return anchor->tree;
}

void fw_yaml_forget_anchors(struct fw_yaml_reader *reader) {
	HASH_CLEAR(hh, reader->anchors);
}
