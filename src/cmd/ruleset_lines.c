// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Rules of nf_tables by their handles, in the words of nft(8): the kernel knows no words, and a
 * handle alone says little. What nft lists is taken line by line; where it has another form than
 * expected, there are fewer texts, and nothing else depends on them.
 */

#include <stdlib.h>
#include <string.h>

#include "cmd/ruleset_sources.h"

/* A rule, or the policy of a chain. */
struct line {
	const char *place; /* "inet flowfw input handle 7" */
	struct fw_span span;
};

struct fw_ruleset_lines {
	const struct line *items; /* by place */
	size_t count;
};

enum { LISTING_MAX = 64 << 20, ERRORS_MAX = 4096 };

/* A listing while it is read. */
struct listing {
	struct fw_arena *arena;
	struct fw_source *source;
	struct fw_slice table, chain; /* "inet flowfw", "input" */
	uint32_t start;		      /* of the rule that is being read */
	FW_VEC(struct line) lines;
};

static void listing_fini(struct listing *listing) {
	FW_VEC_FINI(&listing->lines);
}

/* What stands between two texts on a line; empty where they do not. */
static struct fw_slice between(struct fw_slice line, const char *begin, const char *end) {
	size_t length = strlen(begin);
	struct fw_slice rest = {line.data + length, line.length - length};

	if (line.length <= length || memcmp(line.data, begin, length) != 0) {
		return (struct fw_slice){0};
	}
	const char *at = memmem(rest.data, rest.length, end, strlen(end));
	return at != NULL ? (struct fw_slice){rest.data, (size_t)(at - rest.data)}
			  : (struct fw_slice){0};
}

static void add_line(struct listing *listing, const char *what, uint32_t start) {
	const struct line line = {
		.place = fw_arena_printf(listing->arena, "%.*s %.*s %s", (int)listing->table.length,
			listing->table.data, (int)listing->chain.length, listing->chain.data, what),
		.span = {listing->source, start, start},
	};

	FW_VEC_ADD(&listing->lines, line);
}

/* " # handle 7" at the end of a line, which is cut off; or NULL. */
static const char *cut_handle(struct listing *listing, struct fw_slice *line) {
	static const char mark[] = " # handle ";
	size_t length = line->length;

	while (length != 0 && line->data[length - 1] >= '0' && line->data[length - 1] <= '9') {
		length--;
	}
	if (length < strlen(mark) || length == line->length ||
		memcmp(line->data + length - strlen(mark), mark, strlen(mark)) != 0) {
		return NULL;
	}
	const char *handle = fw_arena_printf(
		listing->arena, "handle %.*s", (int)(line->length - length), line->data + length);
	line->length = length - strlen(mark);
	return handle;
}

/* Tables stand at the left, chains behind a tab, rules behind two, and their next lines behind
 * more. */
static void read_line(struct listing *listing, struct fw_slice line, struct fw_buf *out) {
	static const char rule[] = "\t\t";
	struct fw_slice table = between(line, "table ", " {");
	struct fw_slice chain = between(line, "\tchain ", " {");

	if (table.length != 0) {
		listing->table = table;
		listing->chain = (struct fw_slice){0};
	} else if (chain.length != 0) {
		listing->chain = chain;
	} else if (line.length > strlen(rule) && memcmp(line.data, rule, strlen(rule)) == 0 &&
		   listing->chain.length != 0) {
		if (line.data[strlen(rule)] != '\t' && line.data[strlen(rule)] != ' ') {
			listing->start = (uint32_t)out->length;
		}
		const char *handle = cut_handle(listing, &line);
		if (handle != NULL) {
			add_line(listing, handle, listing->start);
		} else if (between(line, "\t\ttype ", " hook ").length != 0) {
			add_line(listing, "policy", listing->start);
		}
		fw_buf_add_slice(out, line);
		fw_buf_add_char(out, '\n');
	} else if (line.length > 1 && line.data[0] == '\t' && line.data[1] != '\t') {
		listing->chain = (struct fw_slice){0};
	}
}

static int compare_lines(const void *left, const void *right) {
	const struct line *a = left, *b = right;

	return strcmp(a->place, b->place);
}

static const struct fw_ruleset_lines *take_listing(struct fw_run *run, struct fw_slice text) {
	struct fw_ruleset_lines *lines = FW_ARENA_NEW(&run->arena, struct fw_ruleset_lines);
	FW_AUTO(fw_buf_fini) struct fw_buf shown = {0};
	FW_AUTO(listing_fini)
	struct listing listing = {
		.arena = &run->arena, .source = FW_ARENA_NEW(&run->arena, struct fw_source)};

	while (text.data != NULL) {
		read_line(&listing, fw_slice_cut(&text, '\n'), &shown);
	}
	listing.source->name = "nft";
	listing.source->text =
		(struct fw_slice){fw_arena_text(&run->arena, fw_buf_slice(&shown)), shown.length};
	if (listing.lines.count != 0) {
		qsort(listing.lines.items, listing.lines.count, sizeof(*listing.lines.items),
			compare_lines);
	}
	struct line *items = FW_ARENA_ARRAY(&run->arena, struct line, listing.lines.count);
	for (size_t i = 0; i < listing.lines.count; i++) {
		items[i] = listing.lines.items[i];
	}
	*lines = (struct fw_ruleset_lines){items, listing.lines.count};
	return lines;
}

static void process_fini(struct fw_process *process) {
	fw_buf_fini(&process->output);
	fw_buf_fini(&process->errors);
}

const struct fw_ruleset_lines *fw_ruleset_lines_read(struct fw_run *run) {
	static const char *const arguments[] = {"nft", "-a", "-t", "list", "ruleset", NULL};
	FW_AUTO(process_fini)
	struct fw_process nft = {.arguments = arguments,
		.output_max = LISTING_MAX,
		.errors_max = ERRORS_MAX,
		.seconds_max = FW_RULESET_SECONDS_MAX};

	return fw_process_run(&nft) == 0 && nft.status == 0
		       ? take_listing(run, fw_buf_slice(&nft.output))
		       : NULL;
}

/* ---- places ---- */

static struct fw_place place_with(
	const struct fw_ruleset_lines *lines, const struct fw_place *place) {
	struct line key = {.place = place->text};
	struct fw_place with = *place;

	if (place->text != NULL && place->span.source == NULL && lines->count != 0) {
		const struct line *found = bsearch(
			&key, lines->items, lines->count, sizeof(*lines->items), compare_lines);
		if (found != NULL) {
			with.span = found->span;
		}
	}
	return with;
}

/* A copy of a list, each of its places with a text. */
#define ADD_TO(lines, arena, type, items, count)                                                   \
	do {                                                                                       \
		type *copies = FW_ARENA_ARRAY((arena), type, (count));                             \
		for (size_t i = 0; i < (count); i++) {                                             \
			copies[i] = (items)[i];                                                    \
			copies[i].place = place_with((lines), &(items)[i].place);                  \
		}                                                                                  \
		(items) = copies;                                                                  \
	} while (0)

void fw_ruleset_lines_add(const struct fw_ruleset_lines *lines, struct fw_arena *arena,
	struct fw_readback *readback) {
	if (lines == NULL) {
		return;
	}
	ADD_TO(lines, arena, struct fw_rb_decision, readback->decisions, readback->decision_count);
	ADD_TO(lines, arena, struct fw_rb_unknown, readback->unknowns, readback->unknown_count);
	ADD_TO(lines, arena, struct fw_rb_rewrite, readback->rewrites, readback->rewrite_count);
	ADD_TO(lines, arena, struct fw_rb_rated, readback->rated, readback->rated_count);
}
