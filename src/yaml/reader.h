// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_YAML_READER_H
#define FW_YAML_READER_H
/*
 * What one pass over a source knows, for the files of this module alone.
 */

#include <yaml.h>

#include "yaml/yaml.h"

struct fw_yaml_anchor;

/** The bytes of a node. */
struct fw_yaml_extent {
	uint32_t start, end;
};

/** A node and what an alias to it costs. */
struct fw_yaml_tree {
	struct fw_yaml_node *node;
	uint32_t size;	 /* nodes in it, those behind aliases counted at each */
	uint32_t height; /* collections in each other; 0 for a scalar */
};

/** A collection that is open. */
struct fw_yaml_frame {
	struct fw_yaml_node *node;
	struct fw_yaml_anchor *anchor; /* its own, or NULL */
	struct fw_slice key;	       /* mapping: the key whose value comes next */
	size_t first_child;	       /* its children are the reader's from here on */
	uint32_t end;		       /* behind the last thing in it */
	uint32_t size, height;	       /* see struct fw_yaml_tree */
	bool flow;		       /* in brackets */
	bool streamable;       /* it and all around it: mappings without an anchor, in values */
	size_t refused_before; /* streamed: `refused` when the current item began */
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

	struct fw_yaml_frame frames[FW_YAML_DEPTH];
	size_t depth;
	FW_VEC(struct fw_yaml_node *) children; /* of all open collections */
	struct fw_yaml_anchor *anchors;
	uint64_t alias_nodes; /* reached through aliases so far */

	bool seen_document;
	bool explicit_end; /* the document ended with "..." */
	struct fw_yaml_node *root;
};

/* ---- plain.c: what needs no libyaml ---- */

/**
 * Whether all of a source is the plain part of YAML, which fw_yaml_read_plain() reads: to the same
 * nodes as libyaml does, many times as fast.
 */
bool fw_yaml_is_plain(const struct fw_source *source);
/** Only for a source that is plain. What is wrong with it beyond YAML's own rules is reported. */
void fw_yaml_read_plain(struct fw_yaml_reader *reader);

/* ---- build.c: nodes ---- */

/** Where what is being read now belongs. */
struct fw_arena *fw_yaml_arena(struct fw_yaml_reader *reader);
struct fw_yaml_node *fw_yaml_new_node(
	struct fw_yaml_reader *reader, enum fw_yaml_kind kind, struct fw_yaml_extent extent);
/** Puts a complete node, which ends before byte `end`, where it belongs. */
void fw_yaml_add(struct fw_yaml_reader *reader, struct fw_yaml_tree tree, uint32_t end);
/** Not at a depth of FW_YAML_DEPTH. `anchor` may be NULL. */
void fw_yaml_open(struct fw_yaml_reader *reader, enum fw_yaml_kind kind,
	struct fw_yaml_extent extent, bool flow, struct fw_yaml_anchor *anchor);
#define FW_YAML_LAST_ITEM UINT32_MAX
/** What was opened last ends before byte `end`, or with its last item. */
void fw_yaml_close(struct fw_yaml_reader *reader, uint32_t end);

/* ---- anchors.c ---- */

/** From here on the name means a node that is not complete yet. */
struct fw_yaml_anchor *fw_yaml_define_anchor(
	struct fw_yaml_reader *reader, const char *name, struct fw_span span);
/** Nothing for NULL. */
void fw_yaml_complete_anchor(
	struct fw_yaml_reader *reader, struct fw_yaml_anchor *anchor, struct fw_yaml_tree tree);
/** What an alias stands for; a node of no kind when it is refused. */
struct fw_yaml_tree fw_yaml_follow_alias(
	struct fw_yaml_reader *reader, const char *name, struct fw_yaml_extent extent);
void fw_yaml_forget_anchors(struct fw_yaml_reader *reader);

/* ---- yaml.c: places ---- */

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

/* ---- syntax.c and checks.c: what is refused ---- */

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
