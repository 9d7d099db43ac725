// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The list of diagnostics: adding to it. What it looks like is render.c's.
 */

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diag/allow.h"

void fw_diags_fini(struct fw_diags *diags) {
	if (diags == NULL) {
		return;
	}
	fw_allowances_free(diags->allowances);
	diags->allowances = NULL;
	fw_arena_fini(&diags->arena);
	FW_VEC_FINI(&diags->list);
}

/* Cuts a text that an author made too long to read, between two characters. */
static void cut(char *text, size_t length) {
	static const char mark[] = "…";

	if (length <= FW_DIAG_TEXT_MAX) {
		return;
	}
	size_t end = FW_DIAG_TEXT_MAX - (sizeof(mark) - 1);
	while (end > 0 && ((unsigned char)text[end] & 0xc0) == 0x80) {
		end--;
	}
	memcpy(text + end, mark, sizeof(mark));
}

/** The text in the arena, with ": " and the text of `error` behind it unless that is 0. */
static FW_PRINTF(3, 0) const
	char *text(struct fw_diags *diags, int error, const char *format, va_list arguments) {
	FW_AUTO(fw_buf_fini) struct fw_buf message = {0};
	va_list again;
	va_copy(again, arguments);
	int length = vsnprintf(NULL, 0, format, again);
	va_end(again);
	assert(length >= 0);
	size_t size = (size_t)length + 1;
	vsnprintf(fw_buf_reserve(&message, size), size, format, arguments);
	fw_buf_grew(&message, size - 1);
	cut(message.data, message.length);
	if (message.length > FW_DIAG_TEXT_MAX) {
		message.length = strlen(message.data);
	}
	if (error != 0) {
		fw_buf_printf(&message, ": %s", strerror(error));
	}
	return fw_arena_text(&diags->arena, fw_buf_slice(&message));
}

/*
 * Adds one of the kind that the callers know by constant. Past FW_DIAGS_STORED of a level it is
 * only counted, and a muted one not even that: the caller gets a spare one, whose notes and hint go
 * nowhere.
 */
static FW_PRINTF(5, 0) struct fw_diag *add(struct fw_diags *diags, struct fw_diag kind,
	struct fw_span span, int error, const char *format, va_list arguments) {
	size_t *count = kind.level == FW_ERROR ? &diags->errors : &diags->warnings;
	bool muted = diags->muted && kind.level == FW_WARNING;
	if (!muted && kind.level == FW_WARNING) {
		kind.allowed = fw_allowance_use(diags->allowances, kind.id, NULL);
		count = kind.allowed != NULL ? &diags->silenced : count;
	}
	if (muted || (*count)++ >= FW_DIAGS_STORED) {
		diags->spare = kind;
		diags->spare.level = muted ? FW_LEVEL_NONE : kind.level;
		diags->spare.note_count = FW_NOTES_MAX;
		diags->spare.hint = "";
		return &diags->spare;
	}
	struct fw_diag *diag = FW_ARENA_NEW(&diags->arena, struct fw_diag);
	*diag = kind;
	diag->span = span;
	diag->message = text(diags, error, format, arguments);
	diag->serial = diags->list.count;
	FW_VEC_ADD(&diags->list, diag);
	return diag;
}

static const struct fw_span nowhere = {0};

struct fw_diag *fw_error(
	struct fw_diags *diags, struct fw_span span, const char *id, const char *format, ...) {
	struct fw_diag kind = {.level = FW_ERROR, .fault = FW_FAULT_PROFILE, .id = id};
	va_list arguments;
	va_start(arguments, format);
	struct fw_diag *diag = add(diags, kind, span, 0, format, arguments);
	va_end(arguments);
	return diag;
}

struct fw_diag *fw_finding(
	struct fw_diags *diags, struct fw_span span, const char *id, const char *format, ...) {
	struct fw_diag kind = {.level = FW_ERROR, .fault = FW_FAULT_FINDING, .id = id};
	va_list arguments;
	va_start(arguments, format);
	struct fw_diag *diag = add(diags, kind, span, 0, format, arguments);
	va_end(arguments);
	return diag;
}

struct fw_diag *fw_warning(
	struct fw_diags *diags, struct fw_span span, const char *id, const char *format, ...) {
	struct fw_diag kind = {.level = FW_WARNING, .fault = FW_FAULT_PROFILE, .id = id};
	va_list arguments;
	va_start(arguments, format);
	struct fw_diag *diag = add(diags, kind, span, 0, format, arguments);
	va_end(arguments);
	return diag;
}

struct fw_diag *fw_refusal(
	struct fw_diags *diags, struct fw_span span, const char *id, const char *format, ...) {
	struct fw_diag kind = {.level = FW_ERROR, .fault = FW_FAULT_BACKEND, .id = id};
	va_list arguments;
	va_start(arguments, format);
	struct fw_diag *diag = add(diags, kind, span, 0, format, arguments);
	va_end(arguments);
	return diag;
}

struct fw_diag *fw_failure(
	struct fw_diags *diags, const char *id, int error, const char *format, ...) {
	struct fw_diag kind = {.level = FW_ERROR, .fault = FW_FAULT_SYSTEM, .id = id};
	va_list arguments;
	va_start(arguments, format);
	struct fw_diag *diag = add(diags, kind, nowhere, error, format, arguments);
	va_end(arguments);
	return diag;
}

struct fw_diag *fw_failure_at(struct fw_diags *diags, struct fw_span span, const char *id,
	int error, const char *format, ...) {
	struct fw_diag kind = {.level = FW_ERROR, .fault = FW_FAULT_SYSTEM, .id = id};
	va_list arguments;
	va_start(arguments, format);
	struct fw_diag *diag = add(diags, kind, span, error, format, arguments);
	va_end(arguments);
	return diag;
}

struct fw_diag *fw_usage(struct fw_diags *diags, const char *id, const char *format, ...) {
	struct fw_diag kind = {.level = FW_ERROR, .fault = FW_FAULT_USAGE, .id = id};
	va_list arguments;
	va_start(arguments, format);
	struct fw_diag *diag = add(diags, kind, nowhere, 0, format, arguments);
	va_end(arguments);
	return diag;
}

void fw_diag_note(struct fw_diags *diags, struct fw_diag *diag, struct fw_span span,
	const char *format, ...) {
	if (diag->note_count == FW_NOTES_MAX) {
		return;
	}
	va_list arguments;
	va_start(arguments, format);
	const char *label = text(diags, 0, format, arguments);
	va_end(arguments);
	diag->notes[diag->note_count++] = (struct fw_note){.span = span, .text = label};
}

void fw_diag_hint(struct fw_diags *diags, struct fw_diag *diag, const char *format, ...) {
	if (diag == &diags->spare) {
		return;
	}
	va_list arguments;
	va_start(arguments, format);
	diag->hint = text(diags, 0, format, arguments);
	va_end(arguments);
}

void fw_diag_suggest(struct fw_diags *diags, struct fw_diag *diag, struct fw_slice word,
	const char *const *candidates, size_t count) {
	if (diag == &diags->spare) {
		return;
	}
	const char *nearest = fw_nearest(word, candidates, count);
	if (nearest != NULL) {
		fw_diag_hint(diags, diag, "did you mean '%s'?", nearest);
	}
}
