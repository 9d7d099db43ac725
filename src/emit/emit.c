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
	const struct fw_emitter *emitter;
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

static enum fw_support support_of(const struct fw_emitter *emitter, enum fw_feature feature) {
	return (size_t)feature < emitter->support_count ? emitter->support[feature] : FW_NONE;
}

static void check_feature(
	void *context, enum fw_feature feature, struct fw_span span, const char *who) {
	struct refusals *refusals = context;
	const char *backend = refusals->emitter->name;

	if (support_of(refusals->emitter, feature) != FW_NONE ||
		told_before(refusals, feature, who)) {
		return;
	}
	if (who != NULL) {
		fw_refusal(refusals->diags, span, "not-expressible",
			"backend '%s' cannot express %s, which service '%s' asks for", backend,
			fw_feature_texts[feature], who);
	} else {
		fw_refusal(refusals->diags, span, "not-expressible",
			"backend '%s' cannot express %s", backend, fw_feature_texts[feature]);
	}
}

static bool check_features(
	const struct fw_emitter *emitter, const struct fw_policy *policy, struct fw_diags *diags) {
	FW_AUTO(refusals_fini)
	struct refusals refusals = {.emitter = emitter, .diags = diags};
	size_t errors = diags->errors;
	fw_policy_features(policy, check_feature, &refusals);
	return diags->errors == errors;
}

/* ---- all of it ---- */

bool fw_emit(const struct fw_emitter *emitter, const struct fw_policy *policy,
	const struct fw_source *frame, struct fw_buf *out, struct fw_diags *diags) {
	if (emitter->abi != FW_EMITTER_ABI) {
		fw_refusal(diags, (struct fw_span){0}, "backend-abi",
			"backend '%s' was built for version %u of the interface, not %u",
			emitter->name, emitter->abi, (unsigned)FW_EMITTER_ABI);
		return false;
	}
	bool fits = fw_frame_check(emitter, frame, diags);
	bool says = check_features(emitter, policy, diags) && emitter->check(policy, diags);
	if (!fits || !says) {
		return false;
	}
	FW_AUTO(fw_outputs_fini) struct fw_outputs outputs = {0};
	emitter->emit(policy, &outputs);
	fw_frame_fill(emitter, frame, &outputs, out);
	return true;
}
