// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From libyaml's events to nodes. libyaml allocates each scalar; the nodes here point into the
 * source wherever the text stands there as it is, and come from an arena. Open collections are on a
 * stack of fixed depth, their children on one common stack, so nothing here recurses but the copy
 * of an anchored part of a streamed item.
 */

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

#define uthash_malloc(size) fw_alloc(size)
#include <uthash.h>

#include "yaml/reader.h"

const char *const fw_yaml_kind_names[FW_YAML_KIND_COUNT] = {
	[FW_YAML_NONE] = "nothing",
	[FW_YAML_SCALAR] = "a value",
	[FW_YAML_SEQUENCE] = "a list",
	[FW_YAML_MAPPING] = "a mapping",
};

struct anchor {
	UT_hash_handle hh;
	const char *name;
	struct fw_span span; /* of the name, with its '&' */
	struct tree tree;    /* without a node while that is still open */
};

/* ---- places ---- */

uint32_t fw_yaml_seek(struct fw_yaml_reader *reader, yaml_mark_t mark) {
	/* Marks come in order but for a few in errors, so all the steps add up to one pass. */
	const char *text = reader->source->text.data;
	size_t length = reader->source->text.length;
	size_t at = reader->mark_byte;
	for (; reader->mark_points < mark.index && at < length; reader->mark_points++) {
		at++;
		while (at < length && ((unsigned char)text[at] & 0xc0) == 0x80) {
			at++;
		}
	}
	for (; reader->mark_points > mark.index; reader->mark_points--) {
		at--;
		while (((unsigned char)text[at] & 0xc0) == 0x80) {
			at--;
		}
	}
	reader->mark_byte = (uint32_t)at;
	return reader->mark_byte;
}

struct fw_diag *fw_yaml_refused(struct fw_yaml_reader *reader, struct fw_diag *diag) {
	reader->refused++;
	return diag;
}

void fw_yaml_exhausted(void) {
	fputs("flowfw: out of memory\n", stderr);
	abort();
}

static bool is_space(char c) {
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/** Where a run of spaces, line breaks and comments ends. */
static uint32_t behind_space(const char *text, uint32_t at, uint32_t limit) {
	while (at < limit && (is_space(text[at]) || text[at] == '#')) {
		bool comment = text[at] == '#';
		at++;
		while (comment && at < limit && text[at] != '\n') {
			at++;
		}
	}
	return at;
}

/** The bytes of a node. */
struct extent {
	uint32_t start, end;
};

/** Events count an anchor and a tag in; this takes them off the start. */
static struct extent cut_properties(struct fw_yaml_reader *reader, struct extent extent,
	bool tagged, struct fw_span *out_anchor) {
	const char *text = reader->source->text.data;
	struct fw_span tag = fw_yaml_span(reader, extent.start, extent.end);
	uint32_t at = extent.start;
	*out_anchor = tag;
	while (at < extent.end && (text[at] == '&' || text[at] == '!')) {
		uint32_t first = at;
		while (at < extent.end && !is_space(text[at]) &&
			strchr(",[]{}", text[at]) == NULL) {
			at++;
		}
		struct fw_span word = fw_yaml_span(reader, first, at);
		*(text[first] == '&' ? out_anchor : &tag) = word; /* with '&' and '!' */
		at = behind_space(text, at, extent.end);
	}
	extent.start = at;
	if (tagged) {
		fw_yaml_refuse_tag(reader, tag);
	}
	return extent;
}

/** Where there is an anchor, its name's place is in *out_anchor. */
static inline struct extent extent_of(struct fw_yaml_reader *reader, const yaml_event_t *event,
	const yaml_char_t *anchor, const yaml_char_t *tag, struct fw_span *out_anchor) {
	/* In order: the second look-up steps on from the first. */
	uint32_t start = fw_yaml_byte(reader, event->start_mark);
	struct extent extent = {start, fw_yaml_byte(reader, event->end_mark)};
	bool plain = anchor == NULL && tag == NULL;
	return plain ? extent : cut_properties(reader, extent, tag != NULL, out_anchor);
}

/* ---- nodes ---- */

static struct fw_arena *arena_of(struct fw_yaml_reader *reader) {
	return reader->streaming ? &reader->items : reader->arena;
}

static struct fw_yaml_node *new_node(
	struct fw_yaml_reader *reader, enum fw_yaml_kind kind, const struct extent *extent) {
	struct fw_yaml_node *node = FW_ARENA_NEW(arena_of(reader), struct fw_yaml_node);
	node->kind = kind;
	node->span = fw_yaml_span(reader, extent->start, extent->end);
	return node;
}

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

/* ---- anchors ---- */

/** From here on the name means this node, which is not complete yet. */
static struct anchor *define_anchor(
	struct fw_yaml_reader *reader, const yaml_char_t *name, struct fw_span span) {
	struct anchor *anchor = FW_ARENA_NEW(reader->arena, struct anchor);
	anchor->name = fw_arena_text(reader->arena, fw_slice((const char *)name));
	anchor->span = span;
	struct anchor *older;
	HASH_FIND_STR(reader->anchors, anchor->name, older);
	if (older != NULL) {
		HASH_DEL(reader->anchors, older);
	}
	HASH_ADD_KEYPTR(hh, reader->anchors, anchor->name, strlen(anchor->name), anchor);
	return anchor;
}

static void complete_anchor(
	struct fw_yaml_reader *reader, struct anchor *anchor, struct tree tree) {
	if (anchor != NULL) {
		anchor->tree = tree;
		if (reader->streaming) {
			anchor->tree.node = copy_node(reader, tree.node);
		}
	}
}

/** What an alias stands for; a node of no kind when it is refused. */
static struct tree follow_alias(
	struct fw_yaml_reader *reader, const char *name, const struct extent *extent) {
	struct fw_span span = fw_yaml_span(reader, extent->start, extent->end);
	struct tree nothing = {.node = new_node(reader, FW_YAML_NONE, extent), .size = 1};
	struct anchor *anchor;
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

/* ---- building ---- */

static struct frame *top(struct fw_yaml_reader *reader) {
	return &reader->frames[reader->depth - 1];
}

/** Whether what comes next is a key. */
static bool expects_key(const struct fw_yaml_reader *reader) {
	if (reader->depth == 0) {
		return false;
	}
	const struct frame *frame = &reader->frames[reader->depth - 1];
	return frame->node->kind == FW_YAML_MAPPING &&
	       (reader->children.count - frame->first_child) % 2 == 0;
}

static void pass_item(
	struct fw_yaml_reader *reader, struct frame *frame, const struct fw_yaml_node *item) {
	frame->node->count++;
	if (reader->refused == frame->refused_before) {
		reader->stream->item(frame->node->sink, item);
	}
	frame->refused_before = reader->refused;
	fw_arena_reset(&reader->items, reader->item);
}

/** Puts a complete node where it belongs. */
static void add_tree(struct fw_yaml_reader *reader, struct tree tree, uint32_t end) {
	if (reader->depth == 0) {
		reader->root = tree.node;
		return;
	}
	struct frame *frame = top(reader);
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

static void add_alias(struct fw_yaml_reader *reader, const yaml_event_t *event) {
	struct extent extent = extent_of(reader, event, NULL, NULL, NULL);
	const char *name = (const char *)event->data.alias.anchor;
	add_tree(reader, follow_alias(reader, name, &extent), extent.end);
}

/** The scalar's text: a slice of the source where it stands there as it is. */
static struct fw_slice scalar_text(
	struct fw_yaml_reader *reader, const struct fw_yaml_node *node, const yaml_event_t *event) {
	struct fw_slice value = {(const char *)event->data.scalar.value, event->data.scalar.length};
	size_t quote = node->plain ? 0 : 1;
	struct fw_slice literal = fw_span_text(node->span);
	if (literal.length == value.length + 2 * quote &&
		memcmp(literal.data + quote, value.data, value.length) == 0) {
		return (struct fw_slice){literal.data + quote, value.length};
	}
	if (event->data.scalar.style == YAML_DOUBLE_QUOTED_SCALAR_STYLE) {
		fw_yaml_check_escapes(reader, node->span);
	}
	return (struct fw_slice){fw_arena_text(arena_of(reader), value), value.length};
}

/** Cuts what libyaml counts in: what follows a block's last line, what precedes a missing value. */
static void trim_scalar(
	struct fw_yaml_reader *reader, yaml_scalar_style_t style, struct extent *extent) {
	const char *text = reader->source->text.data;
	if (style == YAML_LITERAL_SCALAR_STYLE || style == YAML_FOLDED_SCALAR_STYLE) {
		while (extent->end > extent->start && is_space(text[extent->end - 1])) {
			extent->end--;
		}
	} else if (extent->start == extent->end && reader->depth > 0) {
		uint32_t limit = top(reader)->end;
		while (extent->start > limit && is_space(text[extent->start - 1])) {
			extent->start--;
		}
		extent->end = extent->start;
	}
}

static void add_scalar(struct fw_yaml_reader *reader, const yaml_event_t *event) {
	yaml_scalar_style_t style = event->data.scalar.style;
	const yaml_char_t *name = event->data.scalar.anchor;
	struct fw_span anchor;
	struct extent extent = extent_of(reader, event, name, event->data.scalar.tag, &anchor);
	trim_scalar(reader, style, &extent);
	struct fw_yaml_node *node = new_node(reader, FW_YAML_SCALAR, &extent);
	node->plain = style == YAML_PLAIN_SCALAR_STYLE;
	node->text = scalar_text(reader, node, event);
	struct tree tree = {.node = node, .size = 1};
	if (name != NULL) {
		complete_anchor(reader, define_anchor(reader, name, anchor), tree);
	}
	add_tree(reader, tree, extent.end);
}

/** Asks whether the sequence that has just been opened is wanted as a stream. */
static void offer_stream(struct fw_yaml_reader *reader, struct frame *frame) {
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

/** False when it is too deep to go on: libyaml grows slow on what is meant to hurt it. */
static bool open_collection(struct fw_yaml_reader *reader, const yaml_event_t *event,
	enum fw_yaml_kind kind, const yaml_char_t *name, const yaml_char_t *tag, bool flow) {
	struct fw_span anchor;
	struct extent extent = extent_of(reader, event, name, tag, &anchor);
	if (reader->depth == FW_YAML_DEPTH) {
		fw_yaml_refused(reader,
			fw_error(reader->diags, fw_yaml_span(reader, extent.start, extent.end),
				"yaml-depth", "this is nested deeper than %d", FW_YAML_DEPTH));
		return false;
	}
	bool streamable = name == NULL && !expects_key(reader) &&
			  (reader->depth == 0 || top(reader)->streamable);
	struct frame *frame = &reader->frames[reader->depth++];
	*frame = (struct frame){
		.node = new_node(reader, kind, &extent),
		.anchor = name != NULL ? define_anchor(reader, name, anchor) : NULL,
		.first_child = reader->children.count,
		.end = extent.end,
		.size = 1,
		.flow = flow,
		.streamable = streamable && kind == FW_YAML_MAPPING,
	};
	if (streamable && kind == FW_YAML_SEQUENCE && reader->stream != NULL) {
		offer_stream(reader, frame);
	}
	return true;
}

static void take_children(struct fw_yaml_reader *reader, const struct frame *frame) {
	size_t count = reader->children.count - frame->first_child;
	struct fw_yaml_node *node = frame->node;
	if (count != 0) {
		node->items = FW_ARENA_ARRAY(arena_of(reader), struct fw_yaml_node *, count);
		memcpy(node->items, reader->children.items + frame->first_child,
			count * sizeof(*node->items));
	}
	node->count = (uint32_t)(node->kind == FW_YAML_MAPPING ? count / 2 : count);
	reader->children.count = frame->first_child;
}

static void close_collection(struct fw_yaml_reader *reader, const yaml_event_t *event) {
	struct frame *frame = &reader->frames[--reader->depth];
	struct fw_yaml_node *node = frame->node;
	if (node->streamed) {
		reader->streaming = false;
	} else {
		take_children(reader, frame);
	}
	/* Without brackets libyaml puts the end where the next thing begins. */
	if (event->end_mark.index > event->start_mark.index) {
		frame->end = fw_yaml_byte(reader, event->end_mark);
	}
	node->span.end = frame->end;
	if (node->kind == FW_YAML_MAPPING) {
		fw_yaml_check_duplicates(reader, node);
	}
	struct tree tree = {.node = node, .size = frame->size, .height = frame->height + 1};
	complete_anchor(reader, frame->anchor, tree);
	add_tree(reader, tree, frame->end);
}

/* ---- the pass ---- */

static bool begin_document(struct fw_yaml_reader *reader, const yaml_event_t *event) {
	if (!reader->seen_document) {
		reader->seen_document = true;
		return true;
	}
	struct extent extent = extent_of(reader, event, NULL, NULL, NULL);
	fw_yaml_refused(reader,
		fw_error(reader->diags, fw_yaml_span(reader, extent.start, extent.end),
			"yaml-document", "a second document begins here; one file holds one"));
	return false;
}

/** False when there is nothing more to read. */
static bool take_event(struct fw_yaml_reader *reader, const yaml_event_t *event) {
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		add_scalar(reader, event);
		return true;
	case YAML_ALIAS_EVENT:
		add_alias(reader, event);
		return true;
	case YAML_SEQUENCE_START_EVENT:
		return open_collection(reader, event, FW_YAML_SEQUENCE,
			event->data.sequence_start.anchor, event->data.sequence_start.tag,
			event->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE);
	case YAML_MAPPING_START_EVENT:
		return open_collection(reader, event, FW_YAML_MAPPING,
			event->data.mapping_start.anchor, event->data.mapping_start.tag,
			event->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		close_collection(reader, event);
		return true;
	case YAML_DOCUMENT_START_EVENT:
		return begin_document(reader, event);
	case YAML_DOCUMENT_END_EVENT:
		reader->explicit_end = event->data.document_end.implicit == 0;
		return true;
	case YAML_STREAM_START_EVENT:
		return true;
	case YAML_STREAM_END_EVENT:
	case YAML_NO_EVENT:
		return false;
	}
	return false;
}

static void read_events(struct fw_yaml_reader *reader) {
	bool more = true;
	while (more) {
		yaml_event_t event;
		if (yaml_parser_parse(&reader->parser, &event) == 0) {
			fw_yaml_report_syntax(reader);
			return;
		}
		more = take_event(reader, &event);
		yaml_event_delete(&event);
	}
}

static bool is_empty(const struct fw_yaml_node *root) {
	return root == NULL ||
	       (root->kind == FW_YAML_SCALAR && root->plain && root->text.length == 0);
}

static void reader_init(struct fw_yaml_reader *reader) {
	if (yaml_parser_initialize(&reader->parser) == 0) {
		fw_yaml_exhausted();
	}
	struct fw_slice text = reader->source->text;
	yaml_parser_set_encoding(&reader->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&reader->parser,
		(const unsigned char *)text.data + reader->start, text.length - reader->start);
	reader->mark_byte = reader->start;
}

static void reader_fini(struct fw_yaml_reader *reader) {
	yaml_parser_delete(&reader->parser);
	HASH_CLEAR(hh, reader->anchors);
	FW_VEC_FINI(&reader->children);
	fw_arena_fini(&reader->items);
}

static const struct fw_yaml_node *run(struct fw_yaml_reader *reader) {
	reader_init(reader);
	read_events(reader);
	if (reader->refused == 0 && is_empty(reader->root)) {
		fw_yaml_refused(reader,
			fw_error(reader->diags, fw_yaml_span(reader, reader->start, reader->start),
				"yaml-empty",
				reader->start == 0 ? "the document is empty"
						   : "the value is missing"));
	}
	const struct fw_yaml_node *root = reader->refused == 0 ? reader->root : NULL;
	reader_fini(reader);
	return root;
}

const struct fw_yaml_node *fw_yaml_read(struct fw_arena *arena, const struct fw_source *source,
	const struct fw_yaml_stream *stream, struct fw_diags *diags) {
	struct fw_yaml_reader reader = {
		.arena = arena, .source = source, .stream = stream, .diags = diags};
	return run(&reader);
}

const struct fw_yaml_node *fw_yaml_read_from(struct fw_arena *arena, const struct fw_source *source,
	uint32_t start, struct fw_diags *diags) {
	assert(start <= source->text.length);
	struct fw_yaml_reader reader = {
		.arena = arena, .source = source, .start = start, .diags = diags};
	return run(&reader);
}

const struct fw_yaml_node *fw_yaml_find(const struct fw_yaml_node *mapping, const char *key) {
	if (mapping->kind != FW_YAML_MAPPING) {
		return NULL;
	}
	for (size_t i = 0; i < mapping->count; i++) {
		if (fw_slice_is(mapping->items[2 * i]->text, key)) {
			return mapping->items[2 * i + 1];
		}
	}
	return NULL;
}
