// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Any bytes as YAML, read in both ways: what flowfw takes for plain and reads itself must be the
 * same nodes at the same places, the same streamed items and the same mistakes that libyaml's
 * events lead to. The end of a document is not plain, and has no other meaning: with one behind it,
 * a text is left to libyaml.
 *
 * Built with -fsanitize=fuzzer the search calls LLVMFuzzerTestOneInput; in plain builds main()
 * calls it with files, and with some thousand changed ones that are the same at each run.
 */

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "yaml/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DOCUMENT_END "\n...\n"

static size_t plain, tried; /* texts */

/* ---- what was read, as text ---- */

static void write_node(struct fw_buf *buf, const struct fw_yaml_node *node) {
	size_t count = node->kind == FW_YAML_MAPPING ? 2 * (size_t)node->count : node->count;

	fw_buf_printf(buf, "(%s %u-%u", fw_yaml_kind_names[node->kind], (unsigned)node->span.start,
		(unsigned)node->span.end);
	if (node->kind == FW_YAML_SCALAR) {
		fw_buf_add_text(buf, node->plain ? " plain " : " quoted ");
		fw_buf_add_slice(buf, node->text);
	} else if (node->streamed) {
		fw_buf_printf(buf, " %u streamed", (unsigned)node->count);
	} else {
		for (size_t i = 0; i < count; i++) {
			write_node(buf, node->items[i]);
		}
	}
	fw_buf_add_char(buf, ')');
}

/* Every other list is streamed. */
static void *begin(void *context, const struct fw_slice *path, size_t depth) {
	struct fw_buf *buf = context;

	fw_buf_add_text(buf, "begin");
	for (size_t i = 0; i < depth; i++) {
		fw_buf_add_char(buf, ' ');
		fw_buf_add_slice(buf, path[i]);
	}
	fw_buf_add_char(buf, '\n');
	return depth > 0 && path[depth - 1].length % 2 == 0 ? NULL : buf;
}

static void item(void *sink, const struct fw_yaml_node *node) {
	fw_buf_add_text(sink, "item ");
	write_node(sink, node);
	fw_buf_add_char(sink, '\n');
}

/* False when it is no text that YAML gets to see. */
static bool read_text(struct fw_slice text, bool expect_plain, struct fw_buf *out) {
	FW_AUTO(fw_arena_fini) struct fw_arena arena = {0};
	FW_AUTO(fw_diags_fini) struct fw_diags diags = {0};
	const struct fw_source *source = fw_source_text(&arena, "t.yaml", text, &diags);

	if (source == NULL || fw_yaml_is_plain(source) != expect_plain) {
		return false;
	}
	const struct fw_yaml_stream stream = {out, begin, item};
	const struct fw_yaml_node *root = fw_yaml_read(&arena, source, &stream, &diags);
	if (root != NULL) {
		write_node(out, root);
	}
	fw_diags_render(&diags, false, out);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	FW_AUTO(fw_buf_fini) struct fw_buf ours = {0};
	FW_AUTO(fw_buf_fini) struct fw_buf theirs = {0};
	FW_AUTO(fw_buf_fini) struct fw_buf ended = {0};

	tried++;
	if (!read_text((struct fw_slice){(const char *)data, size}, true, &ours)) {
		return 0;
	}
	plain++;
	fw_buf_add(&ended, data, size);
	fw_buf_add_text(&ended, DOCUMENT_END);
	if (!read_text(fw_buf_slice(&ended), false, &theirs) ||
		!fw_slice_equal(fw_buf_slice(&ours), fw_buf_slice(&theirs))) {
		fprintf(stderr, "---- text\n%.*s\n---- plain\n%.*s\n---- libyaml\n%.*s\n",
			(int)size, (const char *)data, (int)ours.length, ours.data,
			(int)theirs.length, theirs.length != 0 ? theirs.data : "");
		abort();
	}
	return 0;
}

#ifndef FUZZING

enum { CHANGED = 400, CHANGES_MAX = 3, TEXT_MAX = 4096 };

/* xorshift64, as everywhere the same. */
static uint64_t state = 0x9e3779b97f4a7c15;

static size_t any(size_t below) {
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (size_t)(state % below);
}

/* What has a meaning in YAML, or looks as if it had. */
static const char *const pieces[] = {": ", ":", "::", "- ", "-", "---", "...", "..", "#", " #", "[",
	"]", "{", "}", ", ", ",", "'", "''", "\"", "\\", "\n", "\r\n", "\n\n", " ", "  ", "    ",
	"\t", "?", "? ", "!", "!a ", "&a ", "*a", "|", ">", "%", "@", "`", "<<", "~", "é",
	"\xc2\xa0", "a", "b: c", "- a: b\n", "a:\n", "[]", "{}", "{a: b}", "[a, b]", "a b", "1.2",
	"\n  ", "\n    ", "\n- ", "\n  - ", "\na: ", "\n# c\n"};

static size_t line_at(const struct fw_buf *text, size_t at) {
	while (at > 0 && text->data[at - 1] != '\n') {
		at--;
	}
	return at;
}

static void replace(struct fw_buf *text, size_t at, size_t length, struct fw_slice by) {
	struct fw_buf changed = {0};

	fw_buf_add(&changed, text->data, at);
	fw_buf_add_slice(&changed, by);
	fw_buf_add(&changed, text->data + at + length, text->length - at - length);
	fw_buf_fini(text);
	*text = changed;
}

static void change(struct fw_buf *text) {
	size_t at = any(text->length + 1), left = text->length - at;
	size_t line = line_at(text, at);
	struct fw_slice piece = fw_slice(pieces[any(FW_LENGTH(pieces))]);

	switch (any(5)) {
	case 0:
		replace(text, at, any(left + 1) % 8, (struct fw_slice){0});
		break;
	case 1: /* another indentation */
		replace(text, line, 0, (struct fw_slice){"        ", 1 + any(4)});
		break;
	case 2:
		if (line < text->length && text->data[line] == ' ') {
			replace(text, line, 1 + (text->data[line + 1] == ' '),
				(struct fw_slice){0});
		}
		break;
	default:
		replace(text, at, any(2) < left ? any(2) : 0, piece);
		break;
	}
}

/* A file, and parts of it with changes. */
static void try(const struct fw_buf *file) {
	LLVMFuzzerTestOneInput((const uint8_t *)file->data, file->length);
	for (int i = 0; i < CHANGED; i++) {
		FW_AUTO(fw_buf_fini) struct fw_buf text = {0};
		size_t from = i % 2 == 0 ? 0 : line_at(file, any(file->length + 1));
		size_t length = file->length - from;
		fw_buf_add(&text, file->data + from, length < TEXT_MAX ? length : TEXT_MAX);
		for (size_t left = 1 + any(CHANGES_MAX); left > 0; left--) {
			change(&text);
		}
		LLVMFuzzerTestOneInput((const uint8_t *)text.data, text.length);
	}
}

/** The arguments are patterns of file names. */
int main(int argc, char *argv[]) {
	glob_t files = {0};

	for (int i = 1; i < argc; i++) {
		glob(argv[i], i == 1 ? 0 : GLOB_APPEND, NULL, &files);
	}
	for (size_t i = 0; i < files.gl_pathc; i++) {
		FW_AUTO(fw_buf_fini) struct fw_buf file = {0};
		int error = fw_file_read(files.gl_pathv[i], FW_SOURCE_MAX, &file);
		if (error == 0) {
			try(&file);
		}
		printf("%sok %zu - %s\n", error == 0 || error == EISDIR ? "" : "not ", i + 1,
			files.gl_pathv[i]);
	}
	/* Nothing is compared for the others. */
	printf("%sok %zu - many texts were plain\n# %zu of %zu\n", 4 * plain > tried ? "" : "not ",
		files.gl_pathc + 1, plain, tried);
	printf("1..%zu\n", files.gl_pathc + 1);
	globfree(&files);
	return EXIT_SUCCESS;
}
#endif
