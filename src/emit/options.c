// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Options of backends, `-O NAME=VALUE`, and what a backend supports under them.
 */

#include <assert.h>
#include <string.h>

#include "emit/emit.h"

const char *const fw_support_names[FW_SUPPORT_COUNT] = {
	[FW_NONE] = "none",
	[FW_LOWERED] = "lowered",
	[FW_NATIVE] = "native",
};

void fw_options_init(struct fw_options *options, const struct fw_emitter *emitter) {
	assert(emitter->option_count <= FW_OPTIONS_MAX);
	*options = (struct fw_options){0};
	for (size_t i = 0; i < emitter->option_count; i++) {
		options->values[i] = emitter->options[i].values[0];
	}
}

static size_t values_count(const char *const *values) {
	size_t count = 0;
	while (values[count] != NULL) {
		count++;
	}
	return count;
}

static void no_option(
	const struct fw_emitter *emitter, struct fw_slice name, struct fw_diags *diags) {
	const char *names[FW_OPTIONS_MAX];
	struct fw_diag *diag = fw_usage(diags, "unknown-option",
		"backend '%s' has no option '%.*s'", emitter->name, (int)name.length, name.data);
	for (size_t i = 0; i < emitter->option_count; i++) {
		names[i] = emitter->options[i].name;
	}
	fw_diag_suggest(diags, diag, name, names, emitter->option_count);
	if (diag->hint == NULL) {
		fw_diag_hint(diags, diag, "`flowfw list backends --long` shows the options");
	}
}

static void no_value(
	const struct fw_option_spec *spec, struct fw_slice value, struct fw_diags *diags) {
	FW_AUTO(fw_buf_fini) struct fw_buf list = {0};
	for (size_t i = 0; spec->values[i] != NULL; i++) {
		fw_buf_printf(&list, "%s%s", i != 0 ? ", " : "", spec->values[i]);
	}
	struct fw_diag *diag =
		fw_usage(diags, "option-value", "option '%s' cannot be '%.*s'; it is one of %s",
			spec->name, (int)value.length, value.data, list.data);
	fw_diag_suggest(diags, diag, value, spec->values, values_count(spec->values));
}

bool fw_options_set(struct fw_options *options, const struct fw_emitter *emitter, const char *text,
	struct fw_diags *diags) {
	struct fw_slice value = fw_slice(text);
	struct fw_slice name = fw_slice_cut(&value, '=');
	if (value.data == NULL) {
		value = FW_SLICE("on");
	}
	for (size_t i = 0; i < emitter->option_count; i++) {
		const struct fw_option_spec *spec = &emitter->options[i];
		if (!fw_slice_is(name, spec->name)) {
			continue;
		}
		for (size_t j = 0; spec->values[j] != NULL; j++) {
			if (fw_slice_is(value, spec->values[j])) {
				options->values[i] = spec->values[j];
				return true;
			}
		}
		no_value(spec, value, diags);
		return false;
	}
	no_option(emitter, name, diags);
	return false;
}

const char *fw_options_get(
	const struct fw_options *options, const struct fw_emitter *emitter, const char *name) {
	for (size_t i = 0; i < emitter->option_count; i++) {
		if (strcmp(emitter->options[i].name, name) == 0) {
			return options->values[i];
		}
	}
	assert(!"the emitter has the option");
	return "";
}

bool fw_options_on(
	const struct fw_options *options, const struct fw_emitter *emitter, const char *name) {
	return strcmp(fw_options_get(options, emitter, name), "on") == 0;
}

bool fw_options_file(const struct fw_options *options, const struct fw_emitter *emitter) {
	return emitter->file != NULL && fw_options_on(options, emitter, emitter->file);
}

enum fw_support fw_emitter_support(const struct fw_emitter *emitter,
	const struct fw_options *options, enum fw_feature feature) {
	struct fw_support_table table = emitter->support(options);
	return (size_t)feature < table.count ? table.items[feature] : FW_NONE;
}

const struct fw_frame_spec *fw_emitter_frame(const struct fw_emitter *emitter, const char *name) {
	for (const struct fw_frame_spec *spec = emitter->frames; spec->name != NULL; spec++) {
		if (strcmp(spec->name, name) == 0) {
			return spec;
		}
	}
	return NULL;
}
