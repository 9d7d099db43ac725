// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sources: reading them, refusing bytes that a YAML parser would pass or misplace, and the way from
 * a span to its text and place. One diagnostic of each sort is enough for a file: where one byte is
 * not UTF-8, thousands are not.
 */

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "diag/text.h"

struct check {
	struct fw_source *source;
	struct fw_diags *diags;
	bool bad_utf8, bad_control, bad_break; /* reported already */
};

static struct fw_span span_of(const struct check *check, size_t at, size_t width) {
	return (struct fw_span){check->source, (uint32_t)at, (uint32_t)(at + width)};
}

static void report_utf8(struct check *check, size_t at) {
	if (check->bad_utf8) {
		return;
	}
	check->bad_utf8 = true;
	struct fw_diag *diag = fw_error(check->diags, span_of(check, at, 1), "invalid-utf8",
		"byte 0x%02X is not UTF-8", (unsigned)(unsigned char)check->source->text.data[at]);
	fw_diag_hint(check->diags, diag, "save the file as UTF-8");
}

static void report_control(struct check *check, size_t at, size_t width, uint32_t code) {
	if (check->bad_control) {
		return;
	}
	check->bad_control = true;
	struct fw_diag *diag = fw_error(check->diags, span_of(check, at, width),
		"control-character", "the character U+%04X may not stand in a file", code);
	if (code == 0) {
		fw_diag_hint(check->diags, diag, "a profile is a text in UTF-8; is this one?");
	}
}

static void report_break(struct check *check, size_t at, size_t width, uint32_t code) {
	if (check->bad_break) {
		return;
	}
	check->bad_break = true;
	struct fw_diag *diag = fw_error(check->diags, span_of(check, at, width), "odd-line-break",
		"the character U+%04X breaks the line for YAML, but not for everybody", code);
	fw_diag_hint(check->diags, diag, "end lines with a line feed (U+000A)");
}

enum { RUN = 64 };

/** Bytes that need no second look: printable ASCII and line feeds. Without a way out, so that the
 * compiler looks at many of them at once. */
static bool is_plain_run(const char data[static RUN]) {
	unsigned char odd = 0;
	for (int i = 0; i < RUN; i++) {
		unsigned char c = (unsigned char)data[i];
		odd |= (unsigned char)((c - ' ' >= 0x7f - ' ' || c < ' ') & (c != '\n'));
	}
	return odd == 0;
}

/** Checks the character at `at` and returns its width. */
static size_t check_character(struct check *check, size_t at) {
	struct fw_slice rest = {check->source->text.data + at, check->source->text.length - at};
	uint32_t code = 0;
	size_t width = fw_utf8_decode(rest, &code);
	check->source->ascii &= width == 1;
	if (width == 0) {
		report_utf8(check, at);
		return 1;
	}
	if (code == '\r') {
		if (rest.length < 2 || rest.data[1] != '\n') {
			report_break(check, at, width, code);
		}
	} else if (code == 0x85 || code == 0x2028 || code == 0x2029) {
		report_break(check, at, width, code);
	} else if (fw_code_is_control(code)) {
		report_control(check, at, width, code);
	}
	return width;
}

/** What a text in another encoding begins with, or NULL. */
static const char *foreign_encoding(struct fw_slice text) {
	const struct {
		const char *name;
		struct fw_slice bytes;
	} marks[] = {
		{"UTF-32", FW_SLICE("\xff\xfe\0\0")}, /* begins as UTF-16 does: tried first */
		{"UTF-32", FW_SLICE("\0\0\xfe\xff")},
		{"UTF-16", FW_SLICE("\xff\xfe")},
		{"UTF-16", FW_SLICE("\xfe\xff")},
	};
	for (size_t i = 0; i < FW_LENGTH(marks); i++) {
		struct fw_slice bytes = marks[i].bytes;
		if (text.length >= bytes.length &&
			memcmp(text.data, bytes.data, bytes.length) == 0) {
			return marks[i].name;
		}
	}
	return NULL;
}

/** False: something is in the list. Finds out whether the text is ASCII on the way. */
static bool check_text(struct fw_source *source, struct fw_diags *diags) {
	struct check check = {.source = source, .diags = diags};
	const char *encoding = foreign_encoding(source->text);
	if (encoding != NULL) {
		struct fw_diag *diag = fw_error(diags, span_of(&check, 0, 2), "not-utf8",
			"the text is %s, not UTF-8", encoding);
		fw_diag_hint(diags, diag, "save the file as UTF-8");
		return false;
	}
	size_t length = source->text.length;
	source->ascii = true;
	for (size_t at = 0, end; at < length; at = end) {
		end = length - at >= RUN ? at + RUN : length;
		if (end - at < RUN || !is_plain_run(source->text.data + at)) {
			while (at < end) {
				at += check_character(&check, at);
			}
			end = at; /* a character may go on behind it */
		}
	}
	return !check.bad_utf8 && !check.bad_control && !check.bad_break;
}

static struct fw_slice without_byte_order_mark(struct fw_slice text) {
	struct fw_slice mark = FW_SLICE("\xef\xbb\xbf");
	if (text.length >= mark.length && memcmp(text.data, mark.data, mark.length) == 0) {
		return (struct fw_slice){text.data + mark.length, text.length - mark.length};
	}
	return text;
}

const struct fw_source *fw_source_text(
	struct fw_arena *arena, const char *name, struct fw_slice text, struct fw_diags *diags) {
	assert(text.length <= FW_SOURCE_MAX);
	struct fw_source *source = FW_ARENA_NEW(arena, struct fw_source);
	source->name = name;
	source->text = text.length != 0 ? without_byte_order_mark(text) : fw_slice("");
	source->order = diags->sources++;
	return check_text(source, diags) ? source : NULL;
}

static void report_unreadable(
	struct fw_diags *diags, struct fw_span wanted_by, const char *path, int error) {
	switch (error) {
	case EFBIG:
		fw_failure_at(diags, wanted_by, "file-too-large", 0,
			"cannot read '%s': it is larger than %zu MiB", path, FW_SOURCE_MAX >> 20);
		break;
	case EISDIR:
		fw_failure_at(diags, wanted_by, "unreadable-file", 0,
			"cannot read '%s': it is a folder", path);
		break;
	default:
		fw_failure_at(diags, wanted_by, "unreadable-file", error, "cannot read '%s'", path);
	}
}

/* What was read becomes the arena's. */
static struct fw_slice keep(struct fw_arena *arena, struct fw_buf *content) {
	struct fw_slice text = fw_buf_slice(content);

	fw_arena_keep(arena, content->data);
	*content = (struct fw_buf){0};
	return text;
}

const struct fw_source *fw_source_read(struct fw_arena *arena, const char *path,
	struct fw_span wanted_by, struct fw_diags *diags) {
	FW_AUTO(fw_buf_fini) struct fw_buf content = {0};
	int error = fw_file_read(path, FW_SOURCE_MAX, &content);
	if (error != 0) {
		report_unreadable(diags, wanted_by, path, error);
		return NULL;
	}
	return fw_source_text(
		arena, fw_arena_text(arena, fw_slice(path)), keep(arena, &content), diags);
}

const struct fw_source *fw_source_bytes(
	struct fw_arena *arena, const char *name, struct fw_slice text, struct fw_diags *diags) {
	struct fw_source *source = FW_ARENA_NEW(arena, struct fw_source);
	assert(text.length <= FW_SOURCE_MAX);
	*source = (struct fw_source){.name = name, .text = text, .ascii = true};
	source->order = diags->sources++;
	for (size_t at = 0; at < text.length && source->ascii; at++) {
		source->ascii = (unsigned char)text.data[at] < 0x80;
	}
	return source;
}

const struct fw_source *fw_source_read_bytes(
	struct fw_arena *arena, const char *path, struct fw_diags *diags) {
	FW_AUTO(fw_buf_fini) struct fw_buf content = {0};
	int error = fw_file_read(path, FW_SOURCE_MAX, &content);
	if (error != 0) {
		report_unreadable(diags, (struct fw_span){0}, path, error);
		return NULL;
	}
	return fw_source_bytes(
		arena, fw_arena_text(arena, fw_slice(path)), keep(arena, &content), diags);
}

struct fw_slice fw_span_text(struct fw_span span) {
	assert(span.source != NULL && span.start <= span.end);
	return (struct fw_slice){span.source->text.data + span.start, span.end - span.start};
}

void fw_span_place(struct fw_span span, size_t *out_line, size_t *out_column) {
	assert(span.source != NULL);
	FW_AUTO(fw_line_index_fini) struct fw_line_index index = {.source = span.source};
	fw_line_index_place(&index, span.start, out_line, out_column);
}
