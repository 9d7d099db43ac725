// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The way from a policy to text: what the backend cannot say is refused first, so that emit cannot
 * fail; then the frame is put round what it wrote.
 */

#include "emit/emit.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "emit/frame.h"

#define uthash_malloc(size) fw_alloc(size)
#include <uthash.h>

/* ---- sections ---- */

struct fw_buf *fw_outputs_section(struct fw_outputs *outputs, const char *name) {
	for (size_t i = 0; i < outputs->count; i++) {
		if (strcmp(outputs->sections[i].name, name) == 0) {
			return &outputs->sections[i].text;
		}
	}
	assert(outputs->count < FW_SECTIONS_MAX);
	struct fw_section *section = &outputs->sections[outputs->count++];
	*section = (struct fw_section){.name = name};
	return &section->text;
}

void fw_outputs_fini(struct fw_outputs *outputs) {
	for (size_t i = 0; i < outputs->count; i++) {
		fw_buf_fini(&outputs->sections[i].text);
	}
	outputs->count = 0;
}

/* ---- what the backend cannot say ---- */

/* A service is told once that it asks too much, however many flows it has. */
struct refusal {
	char *key;
	UT_hash_handle hh;
};

struct refusals {
	const struct fw_job *job;
	struct fw_diags *diags;
	struct fw_arena arena;
	struct refusal *told;
};

static void refusals_fini(struct refusals *refusals) {
	HASH_CLEAR(hh, refusals->told);
	fw_arena_fini(&refusals->arena);
}

static bool told_before(struct refusals *refusals, enum fw_feature feature, const char *who) {
	char *key =
		fw_arena_printf(&refusals->arena, "%d %s", (int)feature, who != NULL ? who : "");
	struct refusal *refusal;
	HASH_FIND_STR(refusals->told, key, refusal);
	if (refusal == NULL) {
		struct refusal *added = FW_ARENA_NEW(&refusals->arena, struct refusal);
		added->key = key;
		HASH_ADD_KEYPTR(hh, refusals->told, key, strlen(key), added);
	}
	return refusal != NULL;
}

/* "service 'x' asks for what"; the policy itself has no name. */
static const char *wish(struct refusals *refusals, enum fw_feature feature, const char *who) {
	if (who == NULL) {
		return fw_feature_texts[feature];
	}
	return fw_arena_printf(&refusals->arena, "%s, which service '%s' asks for",
		fw_feature_texts[feature], who);
}

static void check_feature(
	void *context, enum fw_feature feature, struct fw_span span, const char *who) {
	struct refusals *refusals = context;
	const struct fw_emitter *emitter = refusals->job->emitter;

	switch (fw_emitter_support(emitter, &refusals->job->options, feature)) {
	case FW_NATIVE:
		break;
	case FW_LOWERED:
		if (!emitter->warns_of_lowered && !told_before(refusals, feature, who)) {
			struct fw_diag *diag = fw_warning(refusals->diags, span, "lowered",
				"backend '%s' makes something stricter of %s", emitter->name,
				wish(refusals, feature, who));
			if (who != NULL) {
				fw_diag_about(refusals->diags, diag, who);
			}
		}
		break;
	case FW_NONE:
		if (!told_before(refusals, feature, who)) {
			fw_refusal(refusals->diags, span, "not-expressible",
				"backend '%s' cannot express %s", emitter->name,
				wish(refusals, feature, who));
		}
		break;
	}
}

static bool check_features(
	const struct fw_job *job, const struct fw_policy *policy, struct fw_diags *diags) {
	FW_AUTO(refusals_fini)
	struct refusals refusals = {.job = job, .diags = diags};
	size_t errors = diags->errors;
	fw_policy_features(policy, check_feature, &refusals);
	return diags->errors == errors;
}

/* A backend from outside may break its contract, which must not look like success. */
static bool check_policy(
	const struct fw_job *job, const struct fw_policy *policy, struct fw_diags *diags) {
	size_t errors = diags->errors;
	bool fine = job->emitter->check(policy, &job->options, diags);
	if (!fine && diags->errors == errors) {
		fw_refusal(diags, (struct fw_span){0}, "refused",
			"backend '%s' refuses this policy and does not say why",
			job->emitter->name);
	}
	return diags->errors == errors;
}

/* ---- all of it ---- */

bool fw_emit(const struct fw_job *job, const struct fw_policy *policy, struct fw_buf *out,
	struct fw_buf *out_file, struct fw_diags *diags) {
	const struct fw_emitter *emitter = job->emitter;

	bool fits = fw_frame_check(job, diags);
	bool says = check_features(job, policy, diags);
	says &= check_policy(job, policy, diags);
	if (!fits || !says) {
		return false;
	}
	FW_AUTO(fw_outputs_fini) struct fw_outputs outputs = {0};
	emitter->emit(policy, &job->options, &outputs);
	fw_frame_fill(job, &outputs, out);
	if (fw_options_file(&job->options, emitter)) {
		fw_buf_add_slice(
			out_file, fw_buf_slice(fw_outputs_section(&outputs, emitter->file)));
	}
	return true;
}
