// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_YAML_READER_H
#define FW_YAML_READER_H
/*
 * What one pass over a source knows, for the files of this module alone.
 */

#include <yaml.h>

#include "yaml/yaml.h"

struct anchor;

/** A collection that is open. */
struct frame {
	struct fw_yaml_node *node;
	struct anchor *anchor; /* its own, or NULL */
	struct fw_slice key;   /* mapping: the key whose value comes next */
	size_t first_child;    /* its children are the reader's from here on */
	uint32_t end;	       /* behind the last thing in it */
	uint32_t size, height; /* see struct tree */
	bool flow;	       /* in brackets */
	bool streamable;       /* it and all around it: mappings without an anchor, in values */
	size_t refused_before; /* streamed: `refused` when the current item began */
};

/** A node and what an alias to it costs. */
struct tree {
	struct fw_yaml_node *node;
	uint32_t size;	 /* nodes in it, those behind aliases counted at each */
	uint32_t height; /* collections in each other; 0 for a scalar */
};

struct fw_yaml_reader {
	yaml_parser_t parser;
	const struct fw_source *source;
	const struct fw_yaml_stream *stream;
	struct fw_diags *diags;
	size_t refused; /* errors added by this pass */

	/* libyaml's marks count code points from byte `start`; the last one looked up is kept. */
	uint32_t start;
	size_t mark_points;
	uint32_t mark_byte;

	struct fw_arena *arena;	   /* for the document */
	struct fw_arena items;	   /* for the streamed item that is being read */
	struct fw_arena_mark item; /* `items` between two items */
	bool streaming;

	struct frame frames[FW_YAML_DEPTH];
	size_t depth;
	FW_VEC(struct fw_yaml_node *) children; /* of all open collections */
	struct anchor *anchors;
	uint64_t alias_nodes; /* reached through aliases so far */

	bool seen_document;
	bool explicit_end; /* the document ended with "..." */
	struct fw_yaml_node *root;
};

/** For fw_yaml_byte alone: where characters are not bytes. */
uint32_t fw_yaml_seek(struct fw_yaml_reader *reader, yaml_mark_t mark);
/** The byte that a mark of libyaml stands for. */
static inline uint32_t fw_yaml_byte(struct fw_yaml_reader *reader, yaml_mark_t mark) {
	return reader->source->ascii ? reader->start + (uint32_t)mark.index
				     : fw_yaml_seek(reader, mark);
}
static inline struct fw_span fw_yaml_span(
	const struct fw_yaml_reader *reader, uint32_t start, uint32_t end) {
	return (struct fw_span){reader->source, start, end};
}
/** libyaml has its own allocations; they end as all others do. */
_Noreturn void fw_yaml_exhausted(void);
/** Counts an error; returns it, so that notes can follow. */
struct fw_diag *fw_yaml_refused(struct fw_yaml_reader *reader, struct fw_diag *diag);
/** Adds what made libyaml give up. */
void fw_yaml_report_syntax(struct fw_yaml_reader *reader);
void fw_yaml_refuse_tag(struct fw_yaml_reader *reader, struct fw_span span);
/** Refuses control characters that an escape in a double quoted scalar stands for. */
void fw_yaml_check_escapes(struct fw_yaml_reader *reader, struct fw_span span);
/** Whether a node can be looked up as a key: those that cannot are refused where they stand. */
static inline bool fw_yaml_is_key(const struct fw_yaml_node *node) {
	return node->kind == FW_YAML_SCALAR && !(node->plain && node->text.length == 0);
}
/** For fw_yaml_check_key alone: a key that is none, or looks odd. */
void fw_yaml_check_odd_key(struct fw_yaml_reader *reader, const struct fw_yaml_node *key);
/** Refuses a key that is none: a list, a mapping, nothing at all, `<<`; and `fe80::`. */
static inline void fw_yaml_check_key(
	struct fw_yaml_reader *reader, const struct fw_yaml_node *key) {
	if (key->kind != FW_YAML_SCALAR || key->text.length == 0 || key->text.data[0] == '<' ||
		key->text.data[key->text.length - 1] == ':') {
		fw_yaml_check_odd_key(reader, key);
	}
}
/** Refuses keys of a mapping that are there twice. */
void fw_yaml_check_duplicates(struct fw_yaml_reader *reader, const struct fw_yaml_node *mapping);

#endif
