// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the subcommands share, see cmd.h: options with did-you-mean, the profile they choose, the
 * frames of a backend, and standard output whose failures are not lost.
 */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "emit/emit.h"

/* ---- options ---- */

static const struct option *option_by_value(const struct option *options, int value) {
	for (const struct option *option = options; option->name != NULL; option++) {
		if (option->val == value) {
			return option;
		}
	}
	return NULL;
}

/** `argument` is the unknown option as it was written: "--foo=bar". */
static void unknown_long_option(
	struct fw_run *run, const char *argument, const struct option *options) {
	struct fw_slice rest = fw_slice(argument + strlen("--"));
	struct fw_slice word = fw_slice_cut(&rest, '=');
	FW_VEC(const char *) names = {0};
	for (const struct option *option = options; option->name != NULL; option++) {
		FW_VEC_ADD(&names, fw_arena_printf(&run->arena, "--%s", option->name));
	}
	struct fw_slice written = {argument, strlen("--") + word.length};
	struct fw_diag *diag = fw_usage(&run->diags, "unknown-option", "there is no option '%.*s'",
		(int)written.length, written.data);
	fw_diag_suggest(&run->diags, diag, written, names.items, names.count);
	FW_VEC_FINI(&names);
}

/** getopt_long returned '?'; what it tells us is in optopt and optind. */
static void option_mistake(struct fw_run *run, char *argv[], const struct option *options) {
	const struct option *option = optopt != 0 ? option_by_value(options, optopt) : NULL;
	if (option != NULL) {
		fw_usage(&run->diags, "option-value", "option '--%s' takes no value", option->name);
	} else if (optopt != 0) {
		fw_usage(&run->diags, "unknown-option", "there is no option '-%c'", optopt);
	} else {
		unknown_long_option(run, argv[optind - 1], options);
	}
}

static void option_without_value(struct fw_run *run, const struct option *options) {
	const struct option *option = option_by_value(options, optopt);
	if (option->val < FW_OPTION_SET) {
		fw_usage(&run->diags, "option-value", "option '-%c' ('--%s') needs a value",
			option->val, option->name);
	} else {
		fw_usage(&run->diags, "option-value", "option '--%s' needs a value", option->name);
	}
}

static void choose_profile(struct fw_run *run, const char *profile) {
	if (run->request.profile != NULL) {
		fw_usage(&run->diags, "operands", "two profiles are given: '%s' and '%s'",
			run->request.profile, profile);
		return;
	}
	run->request.profile = profile;
}

/** Sets chosen[level] for each level of a list with commas. */
static void choose_levels(struct fw_run *run, const char *option, const char *list, bool chosen[]) {
	struct fw_slice rest = fw_slice(list);
	while (rest.data != NULL) {
		struct fw_slice word = fw_slice_trim(fw_slice_cut(&rest, ','));
		size_t level = FW_REQUIRED;
		while (level < FW_IMPORTANCE_COUNT &&
			!fw_slice_is(word, fw_importance_names[level])) {
			level++;
		}
		if (level < FW_IMPORTANCE_COUNT) {
			chosen[level] = true;
			continue;
		}
		struct fw_diag *diag = fw_usage(&run->diags, "unknown-level",
			"%s: '%.*s' is no level; there are required, recommended and optional",
			option, (int)word.length, word.data);
		fw_diag_suggest(&run->diags, diag, word, fw_importance_names, FW_IMPORTANCE_COUNT);
	}
}

int fw_option_next(struct fw_run *run, int argc, char *argv[], const char *letters,
	const struct option *options) {
	opterr = 0;
	for (;;) {
		int value = getopt_long(argc, argv, letters, options, NULL);
		switch (value) {
		case 'h':
			run->help = true;
			break;
		case 'p':
			choose_profile(run, optarg);
			break;
		case 'q':
			run->quiet = true;
			break;
		case FW_OPTION_SET:
			FW_VEC_ADD(&run->sets, optarg);
			break;
		case FW_OPTION_ONLY:
			choose_levels(run, "--only", optarg, run->request.only);
			break;
		case FW_OPTION_WITHOUT:
			choose_levels(run, "--without", optarg, run->request.without);
			break;
		case FW_OPTION_PLUGIN_DIR:
			FW_VEC_ADD(&run->plugin_folders, optarg);
			break;
		case '?':
			option_mistake(run, argv, options);
			break;
		case ':':
			option_without_value(run, options);
			break;
		default:
			return value;
		}
	}
}

bool fw_options_fine(const struct fw_run *run) {
	return !run->help && run->diags.errors == 0;
}

void fw_option_profiles(struct fw_run *run, int count, char *operands[]) {
	for (int i = 0; i < count; i++) {
		choose_profile(run, operands[i]);
	}
}

void fw_option_need_profile(struct fw_run *run, const char *what) {
	if (run->request.profile != NULL || run->help) {
		return;
	}
	struct fw_diag *diag = fw_usage(&run->diags, "no-profile", "%s needs a profile", what);
	fw_diag_hint(&run->diags, diag,
		"name one with --profile; 'flowfw list profiles' shows what there is");
}

bool fw_option_processes(struct fw_run *run, const char *text, unsigned *out_processes) {
	uint64_t count = 0;
	if (text != NULL && (!fw_slice_to_uint(fw_slice(text), UINT16_MAX, &count) || count == 0)) {
		fw_usage(&run->diags, "option-value", "--jobs: '%s' is no number of processes",
			text);
		return false;
	}
	*out_processes = (unsigned)count;
	return true;
}

const struct fw_emitter *fw_option_backend(struct fw_run *run, const char *name) {
	const struct fw_emitter *const *emitters = fw_run_emitters(run);
	FW_VEC(const char *) names = {0};
	size_t at = 0;
	for (; emitters[at] != NULL && strcmp(emitters[at]->name, name) != 0; at++) {
		FW_VEC_ADD(&names, emitters[at]->name);
	}
	if (emitters[at] == NULL) {
		struct fw_diag *diag =
			fw_usage(&run->diags, "unknown-backend", "no backend is named '%s'", name);
		fw_diag_suggest(&run->diags, diag, fw_slice(name), names.items, names.count);
	}
	FW_VEC_FINI(&names);
	return emitters[at];
}

const struct fw_frame_spec *fw_option_frame(
	struct fw_run *run, const struct fw_emitter *emitter, const char *name) {
	const struct fw_frame_spec *spec = fw_emitter_frame(emitter, name);
	if (spec != NULL) {
		return spec;
	}
	FW_VEC(const char *) names = {0};
	for (spec = emitter->frames; spec->name != NULL; spec++) {
		FW_VEC_ADD(&names, spec->name);
	}
	struct fw_diag *diag = fw_usage(&run->diags, "unknown-frame",
		"backend '%s' has no frame named '%s'", emitter->name, name);
	fw_diag_suggest(&run->diags, diag, fw_slice(name), names.items, names.count);
	FW_VEC_FINI(&names);
	return NULL;
}

/* ---- backends ---- */

bool fw_run_plugins(struct fw_run *run) {
	bool loaded = true;
	for (size_t i = 0; i < run->plugin_folders.count; i++) {
		loaded &= fw_plugins_load(&run->plugins, run->plugin_folders.items[i], &run->diags);
	}
	return loaded;
}

const struct fw_emitter *const *fw_run_emitters(struct fw_run *run) {
	size_t count = 0;
	while (fw_emitters[count] != NULL) {
		count++;
	}
	const struct fw_emitter **all = FW_ARENA_ARRAY(
		&run->arena, const struct fw_emitter *, count + run->plugins.list.count + 1);
	memcpy(all, fw_emitters, count * sizeof(*all));
	for (size_t i = 0; i < run->plugins.list.count; i++) {
		all[count++] = run->plugins.list.items[i].emitter;
	}
	return all;
}

/* ---- profiles and frames ---- */

const struct fw_request *fw_run_request(struct fw_run *run) {
	run->request.sets = run->sets.items;
	run->request.set_count = run->sets.count;
	return &run->request;
}

bool fw_run_profile(struct fw_run *run, struct fw_profile *out_profile) {
	return fw_profile_load(
		&run->arena, &run->library, fw_run_request(run), out_profile, &run->diags);
}

bool fw_row_is_base(const struct fw_service_row *row) {
	return row->role != NULL && strcmp(row->role, "base") == 0;
}

const struct fw_source *fw_frame_read(
	struct fw_run *run, const struct fw_emitter *emitter, const struct fw_frame_spec *spec) {
	const char *path = fw_arena_printf(&run->arena, "%s/%s/%s%s", run->library.templates,
		emitter->name, spec->name, emitter->suffix);
	if (spec->text != NULL) {
		return fw_source_text(&run->arena, path, fw_slice(spec->text), &run->diags);
	}
	return fw_source_read(&run->arena, path, (struct fw_span){0}, &run->diags);
}

/* ---- printing ---- */

const char *fw_plural(size_t count) {
	return count == 1 ? "" : "s";
}

bool fw_print(struct fw_run *run, struct fw_slice text) {
	int error = fw_write_all(STDOUT_FILENO, text);
	if (error != 0) {
		fw_failure(&run->diags, "write-failed", error, "cannot write to standard output");
	}
	return error == 0;
}
