// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Frames: text with one placeholder for each section, alone on its line. A frame may come from
 * anybody, so whatever in it could swallow the rules behind it is refused: a placeholder that is
 * missing, doubled or misspelt, in quotes or in braces, or behind a line that goes on.
 */

#include "emit/frame.h"

#include <string.h>

enum { NO_SECTION = FW_SECTIONS_MAX };

/* ---- lines ---- */

struct line {
	struct fw_slice text; /* without its end */
	bool own;	      /* the frame's own comment, which is left out */
	size_t section;	      /* of the placeholder that it is, or NO_SECTION */
};

static size_t section_find(const struct fw_frame_spec *spec, struct fw_slice name) {
	for (size_t i = 0; spec->sections[i] != NULL; i++) {
		if (fw_slice_is(name, spec->sections[i])) {
			return i;
		}
	}
	return NO_SECTION;
}

static struct line read_line(const struct fw_frame_spec *spec, struct fw_slice *rest) {
	struct line line = {.text = fw_slice_cut(rest, '\n'), .section = NO_SECTION};
	struct fw_slice *text = &line.text;

	if (text->length != 0 && text->data[text->length - 1] == '\r') {
		text->length--;
	}
	line.own = text->length >= 2 && memcmp(text->data, "#%", 2) == 0;
	if (text->length > 2 && text->data[0] == '@' && text->data[text->length - 1] == '@') {
		line.section =
			section_find(spec, (struct fw_slice){text->data + 1, text->length - 2});
	}
	return line;
}

/* ---- checking ---- */

struct check {
	const struct fw_job *job;
	const struct fw_source *frame;
	struct fw_diags *diags;
	struct fw_span seen[FW_SECTIONS_MAX]; /* the first place of each */
	size_t last;			      /* section, or NO_SECTION */
	long depth;			      /* of braces */
	bool open;			      /* inside quotes at the end of the line */
};

static struct fw_span span_of(const struct fw_source *frame, struct fw_slice text) {
	uint32_t start = (uint32_t)(text.data - frame->text.data);
	return (struct fw_span){frame, start, start + (uint32_t)text.length};
}

static void check_section(struct check *check, const struct line *line) {
	const char *name = check->job->spec->sections[line->section];
	struct fw_span *seen = &check->seen[line->section];
	struct fw_span span = span_of(check->frame, line->text);

	if (check->depth != 0) {
		fw_error(check->diags, span, "frame-placeholder-enclosed",
			"placeholder '@%s@' stands inside braces", name);
	}
	if (seen->source != NULL) {
		struct fw_diag *diag = fw_error(check->diags, span, "frame-placeholder-twice",
			"placeholder '@%s@' stands here again", name);
		fw_diag_note(check->diags, diag, *seen, "it stands here first");
		return;
	}
	*seen = span;
	if (check->last != NO_SECTION && check->last > line->section) {
		fw_error(check->diags, span, "frame-placeholder-order",
			"placeholder '@%s@' belongs before '@%s@'", name,
			check->job->spec->sections[check->last]);
	} else {
		check->last = line->section;
	}
}

static bool is_name(char c) {
	return (c >= 'a' && c <= 'z') || c == '-';
}

/* The first `@name@` in the text, with its signs; empty when there is none. */
static struct fw_slice find_mention(struct fw_slice text) {
	const char *end = text.data + text.length;

	for (const char *at = text.data; at < end; at++) {
		const char *next = at + 1;
		while (*at == '@' && next < end && is_name(*next)) {
			next++;
		}
		if (*at == '@' && next < end && *next == '@' && next > at + 1) {
			return (struct fw_slice){at, (size_t)(next + 1 - at)};
		}
	}
	return (struct fw_slice){0};
}

static size_t sections_count(const struct fw_frame_spec *spec) {
	size_t count = 0;
	while (spec->sections[count] != NULL) {
		count++;
	}
	return count;
}

/* A mention in a line of text: one that is not alone there, or is no placeholder at all. */
static void check_mention(struct check *check, struct fw_slice mention) {
	const struct fw_frame_spec *spec = check->job->spec;
	struct fw_slice name = {mention.data + 1, mention.length - 2};
	struct fw_span span = span_of(check->frame, mention);

	if (section_find(spec, name) != NO_SECTION) {
		fw_error(check->diags, span, "frame-placeholder-inline",
			"placeholder '%.*s' is not alone on its line", (int)mention.length,
			mention.data);
		return;
	}
	struct fw_diag *diag = fw_error(check->diags, span, "frame-placeholder-unknown",
		"frame '%s' of backend '%s' has no section '%.*s'", spec->name,
		check->job->emitter->name, (int)name.length, name.data);
	fw_diag_suggest(check->diags, diag, name, spec->sections, sections_count(spec));
}

/* Follows quotes and braces through a line; a comment ends both. */
static void scan_text(struct check *check, struct fw_slice text) {
	check->open = false;
	for (size_t i = 0; i < text.length; i++) {
		char c = text.data[i];
		if (c == '"') {
			check->open = !check->open;
		} else if (!check->open && c == '#') {
			return;
		} else if (!check->open && (c == '{' || c == '}')) {
			check->depth += c == '{' ? 1 : -1;
		}
	}
}

static void check_text(struct check *check, struct fw_slice text) {
	struct fw_slice rest = text, mention;
	while ((mention = find_mention(rest)).length != 0) {
		check_mention(check, mention);
		const char *after = mention.data + mention.length;
		rest = (struct fw_slice){after, (size_t)(text.data + text.length - after)};
	}
	struct fw_slice trimmed = fw_slice_trim(text);
	if (trimmed.length != 0 && trimmed.data[trimmed.length - 1] == '\\') {
		struct fw_slice sign = {trimmed.data + trimmed.length - 1, 1};
		fw_error(check->diags, span_of(check->frame, sign), "frame-line-continued",
			"a line of a frame may not go on in the next one");
	}
	scan_text(check, text);
	if (check->open) {
		fw_error(check->diags, span_of(check->frame, text), "frame-quote-open",
			"quotes are opened and not closed on this line");
	}
}

static void check_missing(struct check *check) {
	uint32_t end = (uint32_t)check->frame->text.length;
	for (size_t i = 0; check->job->spec->sections[i] != NULL; i++) {
		if (check->seen[i].source == NULL) {
			struct fw_span span = {check->frame, end, end};
			fw_error(check->diags, span, "frame-placeholder-missing",
				"the frame ends without placeholder '@%s@'",
				check->job->spec->sections[i]);
		}
	}
}

bool fw_frame_check(const struct fw_job *job, struct fw_diags *diags) {
	struct check check = {.job = job, .frame = job->frame, .diags = diags, .last = NO_SECTION};
	size_t errors = diags->errors;
	struct fw_slice rest = job->frame->text;

	while (rest.length != 0) {
		struct line line = read_line(job->spec, &rest);
		if (line.section != NO_SECTION) {
			check_section(&check, &line);
		} else if (!line.own) {
			check_text(&check, line.text);
		}
	}
	check_missing(&check);
	return diags->errors == errors;
}

/* ---- filling ---- */

/* What is longer stays where it is: sections may be long, and all else is short. */
static void add_section(struct fw_buf *out, struct fw_buf *section) {
	if (section->length <= out->length) {
		fw_buf_add_slice(out, fw_buf_slice(section));
		return;
	}
	struct fw_buf before = *out;
	fw_buf_insert(section, fw_buf_slice(&before));
	*out = *section;
	*section = before;
}

void fw_frame_fill(const struct fw_job *job, struct fw_outputs *outputs, struct fw_buf *out) {
	struct fw_slice rest = job->frame->text;

	while (rest.length != 0) {
		struct line line = read_line(job->spec, &rest);
		if (line.section != NO_SECTION) {
			const char *name = job->spec->sections[line.section];
			add_section(out, fw_outputs_section(outputs, name));
		} else if (!line.own) {
			fw_buf_add_slice(out, line.text);
			fw_buf_add_char(out, '\n');
		}
	}
}
