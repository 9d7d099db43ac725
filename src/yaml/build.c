// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Nodes, from an arena. Open collections are on a stack of fixed depth, their children on one
 * common stack, so nothing here recurses.
 */

#include <assert.h>
#include <string.h>

#include "yaml/reader.h"

struct fw_arena *fw_yaml_arena(struct fw_yaml_reader *reader) {
	return reader->streaming ? &reader->items : reader->arena;
}

struct fw_yaml_node *fw_yaml_new_node(
	struct fw_yaml_reader *reader, enum fw_yaml_kind kind, struct fw_yaml_extent extent) {
	struct fw_yaml_node *node = FW_ARENA_NEW(fw_yaml_arena(reader), struct fw_yaml_node);
	node->kind = kind;
	node->span = fw_yaml_span(reader, extent.start, extent.end);
	return node;
}

static struct fw_yaml_frame *top(struct fw_yaml_reader *reader) {
	return &reader->frames[reader->depth - 1];
}

/** Whether what comes next is a key. */
static bool expects_key(const struct fw_yaml_reader *reader) {
	if (reader->depth == 0) {
		return false;
	}
	const struct fw_yaml_frame *frame = &reader->frames[reader->depth - 1];
	return frame->node->kind == FW_YAML_MAPPING &&
	       (reader->children.count - frame->first_child) % 2 == 0;
}

static void pass_item(struct fw_yaml_reader *reader, struct fw_yaml_frame *frame,
	const struct fw_yaml_node *item) {
	frame->node->count++;
	if (reader->refused == frame->refused_before) {
		reader->stream->item(frame->node->sink, item);
	}
	frame->refused_before = reader->refused;
	fw_arena_reset(&reader->items, reader->item);
}

void fw_yaml_add(struct fw_yaml_reader *reader, struct fw_yaml_tree tree, uint32_t end) {
	if (reader->depth == 0) {
		reader->root = tree.node;
		return;
	}
	struct fw_yaml_frame *frame = top(reader);
	frame->size += tree.size;
	frame->end = end;
	if (tree.height > frame->height) {
		frame->height = tree.height;
	}
	if (frame->node->streamed) {
		pass_item(reader, frame, tree.node);
		return;
	}
	if (expects_key(reader)) {
		fw_yaml_check_key(reader, tree.node);
		frame->key = fw_yaml_is_key(tree.node) ? tree.node->text : FW_SLICE("");
	}
	FW_VEC_ADD(&reader->children, tree.node);
}

/** Asks whether the sequence that has just been opened is wanted as a stream. */
static void offer_stream(struct fw_yaml_reader *reader, struct fw_yaml_frame *frame) {
	struct fw_slice path[FW_YAML_DEPTH];
	size_t depth = reader->depth - 1;
	for (size_t i = 0; i < depth; i++) {
		path[i] = reader->frames[i].key;
	}
	void *sink = reader->stream->begin(reader->stream->context, path, depth);
	if (sink == NULL) {
		return;
	}
	frame->node->streamed = true;
	frame->node->sink = sink;
	frame->refused_before = reader->refused;
	reader->streaming = true;
	if (reader->items.block == NULL) {
		/* With something below the mark the first block stays and is used again. */
		fw_arena_alloc(&reader->items, 1);
		reader->item = fw_arena_mark(&reader->items);
	}
}

void fw_yaml_open(struct fw_yaml_reader *reader, enum fw_yaml_kind kind,
	struct fw_yaml_extent extent, bool flow, struct fw_yaml_anchor *anchor) {
	assert(reader->depth < FW_YAML_DEPTH);
	bool streamable = anchor == NULL && !expects_key(reader) &&
			  (reader->depth == 0 || top(reader)->streamable);
	struct fw_yaml_frame *frame = &reader->frames[reader->depth++];
	*frame = (struct fw_yaml_frame){
		.node = fw_yaml_new_node(reader, kind, extent),
		.anchor = anchor,
		.first_child = reader->children.count,
		.end = extent.end,
		.size = 1,
		.flow = flow,
		.streamable = streamable && kind == FW_YAML_MAPPING,
	};
	if (streamable && kind == FW_YAML_SEQUENCE && reader->stream != NULL) {
		offer_stream(reader, frame);
	}
}

static void take_children(struct fw_yaml_reader *reader, const struct fw_yaml_frame *frame) {
	size_t count = reader->children.count - frame->first_child;
	struct fw_yaml_node *node = frame->node;
	if (count != 0) {
		node->items = FW_ARENA_ARRAY(fw_yaml_arena(reader), struct fw_yaml_node *, count);
		memcpy(node->items, reader->children.items + frame->first_child,
			count * sizeof(*node->items));
	}
	node->count = (uint32_t)(node->kind == FW_YAML_MAPPING ? count / 2 : count);
	reader->children.count = frame->first_child;
}

void fw_yaml_close(struct fw_yaml_reader *reader, uint32_t end) {
	struct fw_yaml_frame *frame = &reader->frames[--reader->depth];
	struct fw_yaml_node *node = frame->node;
	if (node->streamed) {
		reader->streaming = false;
	} else {
		take_children(reader, frame);
	}
	if (end != FW_YAML_LAST_ITEM) {
		frame->end = end;
	}
	node->span.end = frame->end;
	if (node->kind == FW_YAML_MAPPING) {
		fw_yaml_check_duplicates(reader, node);
	}
	struct fw_yaml_tree tree = {.node = node, .size = frame->size, .height = frame->height + 1};
	fw_yaml_complete_anchor(reader, frame->anchor, tree);
	fw_yaml_add(reader, tree, frame->end);
}
