// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who reads a text, and from libyaml's events to nodes: their places, and what they say. libyaml
 * allocates each scalar; nodes point into the source wherever the text stands there as it is.
 */

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

#include "yaml/reader.h"

const char *const fw_yaml_kind_names[FW_YAML_KIND_COUNT] = {
	[FW_YAML_NONE] = "nothing",
	[FW_YAML_SCALAR] = "a value",
	[FW_YAML_SEQUENCE] = "a list",
	[FW_YAML_MAPPING] = "a mapping",
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

/** Events count an anchor and a tag in; this takes them off the start. */
static struct fw_yaml_extent cut_properties(struct fw_yaml_reader *reader,
	struct fw_yaml_extent extent, bool tagged, struct fw_span *out_anchor) {
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
static inline struct fw_yaml_extent extent_of(struct fw_yaml_reader *reader,
	const yaml_event_t *event, const yaml_char_t *anchor, const yaml_char_t *tag,
	struct fw_span *out_anchor) {
	/* In order: the second look-up steps on from the first. */
	uint32_t start = fw_yaml_byte(reader, event->start_mark);
	struct fw_yaml_extent extent = {start, fw_yaml_byte(reader, event->end_mark)};
	bool plain = anchor == NULL && tag == NULL;
	return plain ? extent : cut_properties(reader, extent, tag != NULL, out_anchor);
}

/* ---- events ---- */

static void add_alias(struct fw_yaml_reader *reader, const yaml_event_t *event) {
	struct fw_yaml_extent extent = extent_of(reader, event, NULL, NULL, NULL);
	const char *name = (const char *)event->data.alias.anchor;
	fw_yaml_add(reader, fw_yaml_follow_alias(reader, name, extent), extent.end);
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
	return (struct fw_slice){fw_arena_text(fw_yaml_arena(reader), value), value.length};
}

/** Cuts what libyaml counts in: what follows a block's last line, what precedes a missing value. */
static void trim_scalar(
	struct fw_yaml_reader *reader, yaml_scalar_style_t style, struct fw_yaml_extent *extent) {
	const char *text = reader->source->text.data;
	if (style == YAML_LITERAL_SCALAR_STYLE || style == YAML_FOLDED_SCALAR_STYLE) {
		while (extent->end > extent->start && is_space(text[extent->end - 1])) {
			extent->end--;
		}
	} else if (extent->start == extent->end && reader->depth > 0) {
		uint32_t limit = reader->frames[reader->depth - 1].end;
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
	struct fw_yaml_extent extent =
		extent_of(reader, event, name, event->data.scalar.tag, &anchor);
	trim_scalar(reader, style, &extent);
	struct fw_yaml_node *node = fw_yaml_new_node(reader, FW_YAML_SCALAR, extent);
	node->plain = style == YAML_PLAIN_SCALAR_STYLE;
	node->text = scalar_text(reader, node, event);
	struct fw_yaml_tree tree = {.node = node, .size = 1};
	if (name != NULL) {
		fw_yaml_complete_anchor(
			reader, fw_yaml_define_anchor(reader, (const char *)name, anchor), tree);
	}
	fw_yaml_add(reader, tree, extent.end);
}

/** False when it is too deep to go on: libyaml grows slow on what is meant to hurt it. */
static bool open_collection(struct fw_yaml_reader *reader, const yaml_event_t *event,
	enum fw_yaml_kind kind, const yaml_char_t *name, const yaml_char_t *tag, bool flow) {
	struct fw_span place;
	struct fw_yaml_extent extent = extent_of(reader, event, name, tag, &place);
	if (reader->depth == FW_YAML_DEPTH) {
		fw_yaml_refused(reader,
			fw_error(reader->diags, fw_yaml_span(reader, extent.start, extent.end),
				"yaml-depth", "this is nested deeper than %d", FW_YAML_DEPTH));
		return false;
	}
	struct fw_yaml_anchor *anchor =
		name != NULL ? fw_yaml_define_anchor(reader, (const char *)name, place) : NULL;
	fw_yaml_open(reader, kind, extent, flow, anchor);
	return true;
}

static void close_collection(struct fw_yaml_reader *reader, const yaml_event_t *event) {
	/* Without brackets libyaml puts the end where the next thing begins. */
	bool brackets = event->end_mark.index > event->start_mark.index;
	fw_yaml_close(reader, brackets ? fw_yaml_byte(reader, event->end_mark) : FW_YAML_LAST_ITEM);
}

static bool begin_document(struct fw_yaml_reader *reader, const yaml_event_t *event) {
	if (!reader->seen_document) {
		reader->seen_document = true;
		return true;
	}
	struct fw_yaml_extent extent = extent_of(reader, event, NULL, NULL, NULL);
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

static void read_with_libyaml(struct fw_yaml_reader *reader) {
	if (yaml_parser_initialize(&reader->parser) == 0) {
		fw_yaml_exhausted();
	}
	struct fw_slice text = reader->source->text;
	yaml_parser_set_encoding(&reader->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&reader->parser,
		(const unsigned char *)text.data + reader->start, text.length - reader->start);
	reader->mark_byte = reader->start;
	read_events(reader);
	yaml_parser_delete(&reader->parser);
	fw_yaml_forget_anchors(reader);
	if (reader->refused == 0 && is_empty(reader->root)) {
		fw_yaml_refused(reader,
			fw_error(reader->diags, fw_yaml_span(reader, reader->start, reader->start),
				"yaml-empty",
				reader->start == 0 ? "the document is empty"
						   : "the value is missing"));
	}
}

/** The root, unless anything was refused. */
static const struct fw_yaml_node *finish(struct fw_yaml_reader *reader) {
	FW_VEC_FINI(&reader->children);
	fw_arena_fini(&reader->items);
	return reader->refused == 0 ? reader->root : NULL;
}

const struct fw_yaml_node *fw_yaml_read(struct fw_arena *arena, const struct fw_source *source,
	const struct fw_yaml_stream *stream, struct fw_diags *diags) {
	struct fw_yaml_reader reader = {
		.arena = arena, .source = source, .stream = stream, .diags = diags};
	if (fw_yaml_is_plain(source)) {
		fw_yaml_read_plain(&reader);
	} else {
		read_with_libyaml(&reader);
	}
	return finish(&reader);
}

const struct fw_yaml_node *fw_yaml_read_from(struct fw_arena *arena, const struct fw_source *source,
	uint32_t start, struct fw_diags *diags) {
	assert(start <= source->text.length);
	struct fw_yaml_reader reader = {
		.arena = arena, .source = source, .start = start, .diags = diags};
	read_with_libyaml(&reader);
	return finish(&reader);
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
