// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_TEST_IPTABLES_EMIT_H
#define FW_TEST_IPTABLES_EMIT_H
/*
 * The model's policy as a rule file, and questions about the text of one.
 */

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "emit/emit.h"
#include "model.h"

static struct fw_diags diags;
static struct fw_buf out, out_file;
static const char *backend, *ipset;

static inline void set_up(void) {
	diags = (struct fw_diags){0};
	out = out_file = (struct fw_buf){0};
	backend = "iptables";
	ipset = "ipset=off";
	model_set_up();
}

static inline void tear_down(void) {
	fw_buf_fini(&out);
	fw_buf_fini(&out_file);
	fw_diags_fini(&diags);
	model_tear_down();
}

/* Whether the rule set could be made, in a frame of nothing else. */
static inline bool emit_in(const char *frame, const char *text) {
	const struct fw_emitter *emitter = fw_emitter_find(backend);
	ck_assert_ptr_nonnull(emitter);
	struct fw_job job = {
		.emitter = emitter,
		.spec = fw_emitter_frame(emitter, frame),
		.frame = fw_source_text(&model.arena, "own.v4", fw_slice(text), &diags),
	};
	fw_options_init(&job.options, emitter);
	ck_assert(fw_options_set(&job.options, emitter, ipset, &diags));
	out.length = out_file.length = 0;
	return fw_emit(&job, model_policy(), &out, &out_file, &diags);
}

static inline bool emit(void) {
	return emit_in("chains", "@header@\n@usage@\n@chains@\n@rules@\n@nat@\n");
}

static inline const char *emitted(void) {
	ck_assert_msg(emit(), "%s",
		diags.list.count != 0 ? diags.list.items[diags.list.count - 1]->message : "");
	ck_assert_uint_eq(diags.errors, 0);
	return out.data;
}

static inline void assert_in(const char *text, const char *lines) {
	ck_assert_msg(strstr(text, lines) != NULL, "no\n%s\nin\n%s", lines, text);
}

/* Whether the rule set has these lines one after the other, whatever is round them. */
static inline void assert_lines(const char *lines) {
	assert_in(emitted(), lines);
}

static inline size_t lines_with(const char *text, const char *word) {
	size_t count = 0;
	for (const char *at = text; (at = strstr(at, word)) != NULL; at++) {
		count++;
	}
	return count;
}

/* ---- how two texts differ ---- */

static inline int compare_lines(const void *left, const void *right) {
	return strcmp(*(char *const *)left, *(char *const *)right);
}

/* The lines of a text, in order; the text is cut. */
static inline char **sorted_lines(char *text, size_t *out_count) {
	char **lines = FW_ARENA_ARRAY(&model.arena, char *, strlen(text) + 1), *rest;
	*out_count = 0;
	for (char *line = strtok_r(text, "\n", &rest); line != NULL;
		line = strtok_r(NULL, "\n", &rest)) {
		lines[(*out_count)++] = line;
	}
	qsort(lines, *out_count, sizeof(*lines), compare_lines);
	return lines;
}

/* How many lines of `a` are not in `b`. */
static inline size_t lines_missing(char **a, size_t a_count, char **b, size_t b_count) {
	size_t missing = 0;
	for (size_t i = 0, j = 0; i < a_count; i++) {
		while (j < b_count && strcmp(b[j], a[i]) < 0) {
			j++;
		}
		bool found = j < b_count && strcmp(b[j], a[i]) == 0;
		missing += !found;
		j += found;
	}
	return missing;
}

#endif
