// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_TEST_PF_EMIT_H
#define FW_TEST_PF_EMIT_H
/*
 * The model's policy through the pf backend, for its suites.
 */

#include <check.h>

#include "emit/emit.h"
#include "model.h"

static struct fw_diags diags;
static struct fw_buf out, out_file;
static const char *dialect;

static inline void set_up(void) {
	diags = (struct fw_diags){0};
	out = out_file = (struct fw_buf){0};
	dialect = "dialect=openbsd";
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
	const struct fw_emitter *emitter = fw_emitter_find("pf");
	ck_assert_ptr_nonnull(emitter);
	struct fw_job job = {
		.emitter = emitter,
		.spec = fw_emitter_frame(emitter, frame),
		.frame = fw_source_text(&model.arena, "own.conf", fw_slice(text), &diags),
	};
	fw_options_init(&job.options, emitter);
	ck_assert(fw_options_set(&job.options, emitter, dialect, &diags));
	return fw_emit(&job, model_policy(), &out, &out_file, &diags);
}

static inline bool emit(void) {
	return emit_in("anchor", "@header@\n@definitions@\n@rules@\n");
}

static inline const char *emitted(void) {
	ck_assert_msg(emit(), "%s",
		diags.list.count != 0 ? diags.list.items[diags.list.count - 1]->message : "");
	ck_assert_uint_eq(diags.errors, 0);
	return out.data;
}

static inline void assert_in(const char *lines) {
	ck_assert_msg(strstr(out.data, lines) != NULL, "no\n%s\nin\n%s", lines, out.data);
}

/* Whether the rule set has these lines one after the other, whatever is round them. */
static inline void assert_lines(const char *lines) {
	emitted();
	assert_in(lines);
}

static inline const char *error(void) {
	ck_assert(!emit());
	ck_assert_uint_eq(out.length, 0);
	ck_assert_uint_eq(diags.errors, 1);
	for (size_t i = 0; i < diags.list.count; i++) {
		const struct fw_diag *diag = diags.list.items[i];
		if (diag->level == FW_ERROR) {
			ck_assert_str_eq(diag->id, "not-expressible");
			ck_assert_ptr_nonnull(diag->hint);
			return diag->message;
		}
	}
	ck_abort_msg("no error");
}

static inline void assert_refused(const char *words) {
	const char *message = error();
	ck_assert_msg(strstr(message, words) != NULL, "%s", message);
}

#endif
