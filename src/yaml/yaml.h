// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_YAML_YAML_H
#define FW_YAML_YAML_H
/*
 * Bytes to nodes with spans; the only module that knows libyaml, and that reads without it what is
 * plain (plain.c), at a fraction of the cost and to the same nodes. Beyond YAML's own errors it
 * refuses what a configuration has no use for: duplicate keys, tags, merge keys, keys that are no
 * scalars, second documents, control characters from escapes, nesting deeper than FW_YAML_DEPTH
 * (through aliases too), aliases that expand to more than FW_YAML_ALIAS_NODES. What an alias stands
 * for is the anchored node itself, with the span of that place.
 *
 * Long lists need not become nodes: a stream sees each item of the sequences it asked for as soon
 * as the item is complete, and the item's memory is used again for the next one.
 */

#include "diag/diag.h"

enum { FW_YAML_DEPTH = 64, FW_YAML_ALIAS_NODES = 100000 };

enum fw_yaml_kind {
	FW_YAML_NONE,
	FW_YAML_SCALAR,
	FW_YAML_SEQUENCE,
	FW_YAML_MAPPING,
};
enum { FW_YAML_KIND_COUNT = 4 };

/** "a value", "a list", "a mapping", for messages. */
extern const char *const fw_yaml_kind_names[FW_YAML_KIND_COUNT];

struct fw_yaml_node {
	struct fw_span span; /* a collection's: from its first to behind its last item */
	union {
		struct fw_slice text; /* scalar: in the source where it stands there as it is, else
					 in the arena */
		struct fw_yaml_node *
			*items; /* sequence: count; mapping: key, value, key, value … */
		void *sink;	/* streamed sequence: what begin() returned */
	};
	uint32_t count; /* items of a sequence, streamed or not; pairs of a mapping */
	enum fw_yaml_kind kind;
	bool plain;    /* scalar without quotes: `on` is a switch, "on" too, but ~ and "" differ */
	bool streamed; /* its items went to the stream */
};

struct fw_yaml_stream {
	void *context;
	/**
	 * Asked at each block or flow sequence with the keys that lead to it (`groups`, `cameras`),
	 * outermost first; only for sequences below mappings alone, and not where an anchor is on
	 * the sequence or a mapping round it, since an alias would need the items again. NULL: as
	 * nodes. Else: stream, and this is the sink.
	 */
	void *(*begin)(void *context, const struct fw_slice *path, size_t depth);
	/** One item, complete and without a mistake in it: one with a mistake is left out. It and
	 * everything below it is valid during the call alone. */
	void (*item)(void *sink, const struct fw_yaml_node *item);
};

/**
 * Reads the one document of a source. All mistakes that can be told apart in one pass are reported;
 * NULL when there was any, or when the document is empty (an error too). `stream` may be NULL.
 */
const struct fw_yaml_node *fw_yaml_read(struct fw_arena *arena, const struct fw_source *source,
	const struct fw_yaml_stream *stream, struct fw_diags *diags);
/** As fw_yaml_read for the part of a source behind byte `start`: an option's value. */
const struct fw_yaml_node *fw_yaml_read_from(struct fw_arena *arena, const struct fw_source *source,
	uint32_t start, struct fw_diags *diags);
/** A mapping's value, or NULL: there is none, or the node is no mapping. Looks at each key. */
const struct fw_yaml_node *fw_yaml_find(const struct fw_yaml_node *mapping, const char *key);

#endif
