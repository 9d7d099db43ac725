// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a list of diagnostics looks like: sorted, without repetitions, each with the line it is
 * about and a caret below the spot. Only what is shown costs a look into the source.
 */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "diag/text.h"

/** Code points of a line that are shown at most, and how many of them stand before the span. */
enum { WINDOW = 100, WINDOW_LEAD = 40 };

struct renderer {
	FW_VEC(struct fw_line_index) indexes; /* of the sources met so far */
	struct fw_buf *out;
};

static void renderer_fini(struct renderer *renderer) {
	for (size_t i = 0; i < renderer->indexes.count; i++) {
		fw_line_index_fini(&renderer->indexes.items[i]);
	}
	FW_VEC_FINI(&renderer->indexes);
}

/** Few sources are ever shown at once, so a search from the front is enough. */
static struct fw_line_index *index_of(struct renderer *renderer, const struct fw_source *source) {
	for (size_t i = 0; i < renderer->indexes.count; i++) {
		if (renderer->indexes.items[i].source == source) {
			return &renderer->indexes.items[i];
		}
	}
	FW_VEC_ADD(&renderer->indexes, (struct fw_line_index){.source = source});
	return &renderer->indexes.items[renderer->indexes.count - 1];
}

/* ---- order ---- */

static int compare_numbers(size_t a, size_t b) {
	return (a > b) - (a < b);
}

static int compare_places(struct fw_span a, struct fw_span b) {
	if (a.source == NULL || b.source == NULL) {
		return compare_numbers(a.source != NULL, b.source != NULL);
	}
	int order = compare_numbers(a.source->order, b.source->order);
	return order != 0 ? order : compare_numbers(a.start, b.start);
}

/** 0: a reader could not tell the two apart. */
static int compare_contents(const struct fw_diag *a, const struct fw_diag *b) {
	int order = compare_places(a->span, b->span);
	if (order == 0) {
		order = compare_numbers(a->span.end, b->span.end);
	}
	if (order == 0) {
		order = compare_numbers(a->level, b->level);
	}
	if (order == 0) {
		order = strcmp(a->id, b->id);
	}
	return order != 0 ? order : strcmp(a->message, b->message);
}

static int by_content(const void *left, const void *right) {
	const struct fw_diag *const *a = left, *const *b = right;
	int order = compare_contents(*a, *b);
	return order != 0 ? order : compare_numbers((*a)->serial, (*b)->serial);
}

static int by_place(const void *left, const void *right) {
	const struct fw_diag *const *a = left, *const *b = right;
	int order = compare_places((*a)->span, (*b)->span);
	return order != 0 ? order : compare_numbers((*a)->serial, (*b)->serial);
}

/** Drops all but the first of equal ones. Returns how many are left. */
static size_t drop_repetitions(const struct fw_diag **items, size_t count) {
	size_t kept = 0;
	for (size_t i = 0; i < count; i++) {
		if (kept == 0 || compare_contents(items[kept - 1], items[i]) != 0) {
			items[kept++] = items[i];
		}
	}
	return kept;
}

/* ---- excerpts ---- */

/** Moves by up to `points` code points to the left of `at`, not past `limit`. */
static size_t step_left(struct fw_slice text, size_t at, size_t limit, size_t points) {
	while (points > 0 && at > limit) {
		at--;
		while (at > limit && ((unsigned char)text.data[at] & 0xc0) == 0x80) {
			at--;
		}
		points--;
	}
	return at;
}

static size_t step_right(struct fw_slice text, size_t at, size_t limit, size_t points) {
	while (points > 0 && at < limit) {
		at++;
		while (at < limit && ((unsigned char)text.data[at] & 0xc0) == 0x80) {
			at++;
		}
		points--;
	}
	return at;
}

/** The part of a line that is shown, in bytes of the source. */
struct window {
	struct fw_slice text;	     /* the whole source */
	size_t start, end;	     /* shown */
	size_t span_start, span_end; /* underlined; within the above, may be empty */
	bool cut_left, cut_right;
};

static struct window window_of(struct fw_span span) {
	struct window window = {.text = span.source->text};
	size_t line_start, line_end;
	fw_line_bounds(window.text, span.start, &line_start, &line_end);
	size_t start = span.start < line_end ? span.start : line_end;
	size_t far_right = step_right(window.text, start, line_end, WINDOW);
	size_t behind =
		fw_utf8_count((struct fw_slice){window.text.data + start, far_right - start});
	size_t lead = behind < WINDOW - WINDOW_LEAD ? WINDOW - behind : WINDOW_LEAD;
	window.start = step_left(window.text, start, line_start, lead);
	size_t before = fw_utf8_count(
		(struct fw_slice){window.text.data + window.start, start - window.start});
	window.end = step_right(window.text, start, line_end, WINDOW - before);
	window.span_start = start;
	window.span_end = span.end < window.end ? span.end : window.end;
	if (window.span_end < start) {
		window.span_end = start;
	}
	window.cut_left = window.start > line_start;
	window.cut_right = window.end < line_end;
	return window;
}

/** Escaped, but for tabs: the caret line repeats those. */
static void add_shown(struct fw_buf *out, struct fw_slice text) {
	while (text.length != 0) {
		const char *tab = memchr(text.data, '\t', text.length);
		size_t length = tab != NULL ? (size_t)(tab - text.data) : text.length;
		fw_buf_add_escaped(out, (struct fw_slice){text.data, length});
		if (tab != NULL) {
			fw_buf_add_char(out, '\t');
			length++;
		}
		text.data += length;
		text.length -= length;
	}
}

/** As many `mark`s as the text is wide when shown; tabs stay tabs. */
static void add_width_of(struct fw_buf *out, struct fw_slice text, char mark) {
	FW_AUTO(fw_buf_fini) struct fw_buf shown = {0};
	add_shown(&shown, text);
	for (size_t i = 0; i < shown.length; i++) {
		if (shown.data[i] == '\t') {
			fw_buf_add_char(out, '\t');
		} else if (((unsigned char)shown.data[i] & 0xc0) != 0x80) {
			fw_buf_add_char(out, mark);
		}
	}
}

static struct fw_slice part(const struct window *window, size_t start, size_t end) {
	return (struct fw_slice){window->text.data + start, end - start};
}

static void add_line(struct fw_buf *out, const struct window *window, size_t line) {
	fw_buf_printf(out, "%5zu |", line);
	if (window->start != window->end) {
		fw_buf_add_text(out, window->cut_left ? " …" : " ");
		add_shown(out, part(window, window->start, window->end));
		fw_buf_add_text(out, window->cut_right ? "…" : "");
	}
	fw_buf_add_char(out, '\n');
}

static void add_carets(struct fw_buf *out, const struct window *window, size_t line) {
	FW_AUTO(fw_buf_fini) struct fw_buf number = {0};
	fw_buf_printf(&number, "%5zu", line);
	fw_buf_printf(out, "%*s | ", (int)number.length, "");
	if (window->cut_left) {
		fw_buf_add_char(out, ' ');
	}
	add_width_of(out, part(window, window->start, window->span_start), ' ');
	size_t first = out->length;
	if (window->span_start != window->span_end) {
		add_width_of(out, part(window, window->span_start, window->span_end), '~');
		out->data[first] = '^'; /* also where a tab begins the span */
	} else {
		fw_buf_add_char(out, '^');
	}
	fw_buf_add_char(out, '\n');
}

/* ---- one diagnostic ---- */

/** "profile.yaml:12:23: " and the line number, or `without` for a span that points nowhere. */
static size_t add_place(struct renderer *renderer, struct fw_span span, const char *without) {
	if (span.source == NULL) {
		fw_buf_add_text(renderer->out, without);
		return 0;
	}
	size_t line, column;
	fw_line_index_place(index_of(renderer, span.source), span.start, &line, &column);
	fw_buf_add_escaped(renderer->out, fw_slice(span.source->name));
	fw_buf_printf(renderer->out, ":%zu:%zu: ", line, column);
	return line;
}

static void add_excerpt(struct fw_buf *out, struct fw_span span, size_t line) {
	struct window window = window_of(span);
	add_line(out, &window, line);
	add_carets(out, &window, line);
}

static void add_note(struct renderer *renderer, const struct fw_note *note, struct fw_span main,
	size_t main_line) {
	size_t line = add_place(renderer, note->span, "");
	fw_buf_add_text(renderer->out, "note: ");
	fw_buf_add_escaped(renderer->out, fw_slice(note->text));
	fw_buf_add_char(renderer->out, '\n');
	bool seen = note->span.source == main.source && line == main_line;
	if (note->span.source != NULL && !seen) {
		add_excerpt(renderer->out, note->span, line);
	}
}

static const char *level_text(const struct fw_diag *diag) {
	if (diag->level == FW_ERROR) {
		return "error: ";
	}
	return diag->allowed != NULL ? "silenced: " : "warning: ";
}

static void add_diag(struct renderer *renderer, const struct fw_diag *diag) {
	struct fw_buf *out = renderer->out;
	size_t line = add_place(renderer, diag->span, "flowfw: ");
	fw_buf_add_text(out, level_text(diag));
	fw_buf_add_escaped(out, fw_slice(diag->message));
	fw_buf_printf(out, " [%s]\n", diag->id);
	if (diag->span.source != NULL) {
		add_excerpt(out, diag->span, line);
	}
	for (size_t i = 0; i < diag->note_count; i++) {
		add_note(renderer, &diag->notes[i], diag->span, line);
	}
	if (diag->allowed != NULL) {
		const struct fw_note note = {diag->allowed->span, "allowed here"};
		add_note(renderer, &note, diag->span, line);
	}
	if (diag->hint != NULL) {
		fw_buf_add_text(out, "hint: ");
		fw_buf_add_escaped(out, fw_slice(diag->hint));
		fw_buf_add_char(out, '\n');
	}
}

static void add_rest(struct fw_buf *out, size_t count, const char *what) {
	if (count > FW_DIAGS_SHOWN) {
		size_t rest = count - FW_DIAGS_SHOWN;
		fw_buf_printf(
			out, "flowfw: %zu more %s%s not shown\n", rest, what, rest == 1 ? "" : "s");
	}
}

/* What a list is shown in: errors, warnings, and those that are silenced. */
enum weight { WEIGHT_ERROR, WEIGHT_WARNING, WEIGHT_SILENCED };
enum { WEIGHT_COUNT = WEIGHT_SILENCED + 1 };

static enum weight weight_of(const struct fw_diag *diag) {
	if (diag->level == FW_ERROR) {
		return WEIGHT_ERROR;
	}
	return diag->allowed != NULL ? WEIGHT_SILENCED : WEIGHT_WARNING;
}

/** All that is stored, up to a weight, in the order of reading; for free(3). */
static const struct fw_diag **in_order(
	const struct fw_diags *diags, enum weight last, size_t *out_count) {
	const struct fw_diag **items = fw_resize(NULL, diags->list.count, sizeof(*items));
	size_t count = 0;
	for (size_t i = 0; i < diags->list.count; i++) {
		if (weight_of(diags->list.items[i]) <= last) {
			items[count++] = diags->list.items[i];
		}
	}
	qsort(items, count, sizeof(*items), by_content);
	count = drop_repetitions(items, count);
	qsort(items, count, sizeof(*items), by_place);
	*out_count = count;
	return items;
}

const struct fw_diag **fw_diags_in_order(const struct fw_diags *diags, size_t *out_count) {
	return in_order(diags, WEIGHT_SILENCED, out_count);
}

size_t fw_diags_shown(const struct fw_diags *diags, enum fw_level level,
	const struct fw_diag *out_shown[static FW_DIAGS_SHOWN]) {
	size_t count, shown = 0;
	const struct fw_diag **items =
		in_order(diags, level == FW_ERROR ? WEIGHT_ERROR : WEIGHT_WARNING, &count);
	for (size_t i = 0; i < count && shown < FW_DIAGS_SHOWN; i++) {
		if (items[i]->level == level) {
			out_shown[shown++] = items[i];
		}
	}
	free(items);
	return shown;
}

void fw_diag_render(const struct fw_diag *diag, struct fw_buf *out) {
	FW_AUTO(renderer_fini) struct renderer renderer = {.out = out};
	add_diag(&renderer, diag);
}

/** How many of a weight were counted and not stored. */
static size_t not_stored(const struct fw_diags *diags, enum weight wanted) {
	const size_t counts[WEIGHT_COUNT] = {diags->errors, diags->warnings, diags->silenced};
	size_t count = counts[wanted];
	for (size_t i = 0; i < diags->list.count; i++) {
		count -= weight_of(diags->list.items[i]) == wanted;
	}
	return count;
}

void fw_diags_render(const struct fw_diags *diags, bool quiet, struct fw_buf *out) {
	static const char *const names[WEIGHT_COUNT] = {"error", "warning", "silenced warning"};
	FW_AUTO(renderer_fini) struct renderer renderer = {.out = out};
	size_t count, shown[WEIGHT_COUNT] = {0};
	enum weight last = diags->show_silenced ? WEIGHT_SILENCED : WEIGHT_WARNING;
	if (quiet) {
		last = WEIGHT_ERROR;
	}
	const struct fw_diag **items = in_order(diags, last, &count);
	for (size_t i = 0; i < count; i++) {
		if (++shown[weight_of(items[i])] <= FW_DIAGS_SHOWN) {
			add_diag(&renderer, items[i]);
		}
	}
	free(items);
	for (int i = WEIGHT_ERROR; i <= (int)last; i++) {
		add_rest(out, shown[i] + not_stored(diags, (enum weight)i), names[i]);
	}
}
