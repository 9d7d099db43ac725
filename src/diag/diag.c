// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The list of diagnostics: adding to it. What it looks like is render.c's.
 */

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diag/diag.h"

void fw_diags_fini(struct fw_diags *diags) {
	if (diags == NULL) {
		return;
	}
	fw_arena_fini(&diags->arena);
	FW_VEC_FINI(&diags->list);
}

/** The text in the arena, with ": " and the text of `error` behind it unless that is 0. */
static FW_PRINTF(3, 0) const
	char *text(struct fw_diags *diags, int error, const char *format, va_list arguments) {
	va_list again;
	va_copy(again, arguments);
	int length = vsnprintf(NULL, 0, format, again);
	va_end(again);
	assert(length >= 0);
	const char *colon = error != 0 ? ": " : "";
	const char *reason = error != 0 ? strerror(error) : "";
	size_t size = (size_t)length + strlen(colon) + strlen(reason) + 1;
	char *message = fw_arena_alloc(&diags->arena, size);
	vsnprintf(message, size, format, arguments);
	snprintf(message + length, size - (size_t)length, "%s%s", colon, reason);
	return message;
}

/** Takes what the callers know by constant in one piece, so that they stay short. */
static struct fw_diag *add(
	struct fw_diags *diags, struct fw_diag kind, struct fw_span span, const char *message) {
	struct fw_diag *diag = FW_ARENA_NEW(&diags->arena, struct fw_diag);
	*diag = kind;
	diag->span = span;
	diag->message = message;
	diag->serial = diags->list.count;
	FW_VEC_ADD(&diags->list, diag);
	if (kind.level == FW_ERROR) {
		diags->errors++;
	} else {
		diags->warnings++;
	}
	return diag;
}

static const struct fw_span nowhere = {0};

struct fw_diag *fw_error(
	struct fw_diags *diags, struct fw_span span, const char *id, const char *format, ...) {
	va_list arguments;
	va_start(arguments, format);
	const char *message = text(diags, 0, format, arguments);
	va_end(arguments);
	struct fw_diag kind = {.level = FW_ERROR, .fault = FW_FAULT_PROFILE, .id = id};
	return add(diags, kind, span, message);
}

struct fw_diag *fw_warning(
	struct fw_diags *diags, struct fw_span span, const char *id, const char *format, ...) {
	va_list arguments;
	va_start(arguments, format);
	const char *message = text(diags, 0, format, arguments);
	va_end(arguments);
	struct fw_diag kind = {.level = FW_WARNING, .fault = FW_FAULT_PROFILE, .id = id};
	return add(diags, kind, span, message);
}

struct fw_diag *fw_refusal(
	struct fw_diags *diags, struct fw_span span, const char *id, const char *format, ...) {
	va_list arguments;
	va_start(arguments, format);
	const char *message = text(diags, 0, format, arguments);
	va_end(arguments);
	struct fw_diag kind = {.level = FW_ERROR, .fault = FW_FAULT_BACKEND, .id = id};
	return add(diags, kind, span, message);
}

struct fw_diag *fw_failure(
	struct fw_diags *diags, const char *id, int error, const char *format, ...) {
	va_list arguments;
	va_start(arguments, format);
	const char *message = text(diags, error, format, arguments);
	va_end(arguments);
	struct fw_diag kind = {.level = FW_ERROR, .fault = FW_FAULT_SYSTEM, .id = id};
	return add(diags, kind, nowhere, message);
}

struct fw_diag *fw_failure_at(struct fw_diags *diags, struct fw_span span, const char *id,
	int error, const char *format, ...) {
	va_list arguments;
	va_start(arguments, format);
	const char *message = text(diags, error, format, arguments);
	va_end(arguments);
	struct fw_diag kind = {.level = FW_ERROR, .fault = FW_FAULT_SYSTEM, .id = id};
	return add(diags, kind, span, message);
}

struct fw_diag *fw_usage(struct fw_diags *diags, const char *id, const char *format, ...) {
	va_list arguments;
	va_start(arguments, format);
	const char *message = text(diags, 0, format, arguments);
	va_end(arguments);
	struct fw_diag kind = {.level = FW_ERROR, .fault = FW_FAULT_USAGE, .id = id};
	return add(diags, kind, nowhere, message);
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
	va_list arguments;
	va_start(arguments, format);
	diag->hint = text(diags, 0, format, arguments);
	va_end(arguments);
}

void fw_diag_suggest(struct fw_diags *diags, struct fw_diag *diag, struct fw_slice word,
	const char *const *candidates, size_t count) {
	const char *nearest = fw_nearest(word, candidates, count);
	if (nearest != NULL) {
		fw_diag_hint(diags, diag, "did you mean '%s'?", nearest);
	}
}
