// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * flowfw gen: a profile becomes a rule set, on standard output or in a file. The rule set is
 * complete in memory before the first byte of it is written, so an error leaves nothing behind.
 */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "emit/emit.h"

enum { OPTION_CHECK = FW_OPTION_OWN, OPTION_FRAME, OPTION_TEMPLATE, OPTION_IPSET_OUTPUT };

/** A text and where it goes: a path, "-" for standard output, or NULL where nobody wants it. */
struct output {
	const char *path;
	struct fw_buf text;
};

/** The rules refer to the sets, so a reader who finds new rules finds new sets, too. */
enum { SETS, RULES, OUTPUTS };

struct arguments {
	const char *backend;
	FW_VEC(const char *) options;
	const char *frame, *template; /* or NULL */
	struct output outputs[OUTPUTS];
	bool check;
};

static void arguments_fini(struct arguments *arguments) {
	FW_VEC_FINI(&arguments->options);
	for (size_t i = 0; i < OUTPUTS; i++) {
		fw_buf_fini(&arguments->outputs[i].text);
	}
}

static const char help[] =
	"usage: flowfw gen [options] PROFILE\n"
	"Compiles a profile into a rule set and prints it.\n"
	"\n"
	"PROFILE is the name of a shipped profile or the path of a site file; --profile\n"
	"takes the same.\n"
	"\n"
	"what to compile\n"
	"  -p, --profile PROFILE   the profile, as an option\n"
	"      --set PATH=VALUE    change one key, as a site file would; may be repeated:\n"
	"                          --set services.udp-sinks.ports=55571/udp\n"
	"      --only LEVELS       only services of these levels: required, recommended,\n"
	"                          optional; with commas between them\n"
	"      --without LEVELS    no services of these levels\n"
	"\n"
	"what to write\n"
	"  -b, --backend NAME      the kind of rule set (default: nftables)\n"
	"  -O, --option NAME=VALUE an option of the backend, one of those that\n"
	"                          'flowfw list backends --long' shows; may be repeated\n"
	"      --frame NAME        the text around the rules, one of 'flowfw list frames'\n"
	"      --template FILE     the same from a file of your own, with the\n"
	"                          placeholders of that frame\n"
	"  -o, --output FILE       write FILE, not standard output; it is replaced as a\n"
	"                          whole, and only when its content changes\n"
	"      --ipset-output FILE where the sets of -O ipset go, in the same way\n"
	"      --check             write nothing; exit 1 if a FILE would change\n"
	"      --plugin-dir DIR    load the backends in DIR too; may be repeated\n"
	"\n"
	"  -q, --quiet             no warnings\n"
	"  -h, --help              this text\n"
	"\n"
	"exit: 0 fine, 1 a FILE would change, 2 usage, 3 invalid profile,\n"
	"4 the backend cannot express it, 5 system failure. See flowfw(1).\n";

static const struct option options[] = {
	FW_PROFILE_OPTIONS,
	{"backend", required_argument, NULL, 'b'},
	{"option", required_argument, NULL, 'O'},
	{"output", required_argument, NULL, 'o'},
	{"check", no_argument, NULL, OPTION_CHECK},
	{"frame", required_argument, NULL, OPTION_FRAME},
	{"template", required_argument, NULL, OPTION_TEMPLATE},
	{"ipset-output", required_argument, NULL, OPTION_IPSET_OUTPUT},
	FW_PLUGIN_OPTION,
	FW_QUIET_OPTION,
	FW_HELP_OPTION,
	{0},
};

static bool is_stdout(const char *path) {
	return strcmp(path, "-") == 0;
}

/* What is written must not take the place of what it is made from. */
static void check_input(struct fw_run *run, const char *output) {
	const char *profile = run->request.profile;

	if (output != NULL && !is_stdout(output) && profile != NULL && access(profile, F_OK) == 0 &&
		fw_file_same_place(profile, output)) {
		fw_usage(&run->diags, "option-conflict",
			"the output would take the place of the profile '%s'", profile);
	}
}

static void check_outputs(struct fw_run *run, const struct arguments *arguments) {
	const char *rules = arguments->outputs[RULES].path, *sets = arguments->outputs[SETS].path;
	check_input(run, rules);
	check_input(run, sets);
	if (arguments->check && (is_stdout(rules) || (sets != NULL && is_stdout(sets)))) {
		fw_usage(&run->diags, "option-conflict",
			"--check compares with files; name each with --output or --ipset-output");
	}
	if (sets != NULL &&
		(is_stdout(rules) || is_stdout(sets) ? strcmp(rules, sets) == 0
						     : fw_file_same_place(rules, sets))) {
		fw_usage(&run->diags, "option-conflict",
			"--output and --ipset-output lead to the same place");
	}
}

static bool read_arguments(struct fw_run *run, int argc, char *argv[], struct arguments *out) {
	int option;
	while ((option = fw_option_next(run, argc, argv, ":p:qb:O:o:h", options)) != -1) {
		switch (option) {
		case 'b':
			out->backend = optarg;
			break;
		case 'O':
			FW_VEC_ADD(&out->options, optarg);
			break;
		case 'o':
			out->outputs[RULES].path = optarg;
			break;
		case OPTION_IPSET_OUTPUT:
			out->outputs[SETS].path = optarg;
			break;
		case OPTION_CHECK:
			out->check = true;
			break;
		case OPTION_FRAME:
			out->frame = optarg;
			break;
		case OPTION_TEMPLATE:
			out->template = optarg;
			break;
		}
	}
	fw_option_profiles(run, argc - optind, argv + optind);
	fw_option_need_profile(run, "gen");
	check_outputs(run, out);
	return fw_options_fine(run);
}

/* ---- the job ---- */

/** Whether there is a place for a second file where the options make one, and only there. */
static void check_sets(
	struct fw_run *run, const struct arguments *arguments, const struct fw_job *job) {
	bool wanted = arguments->outputs[SETS].path != NULL;
	bool made = fw_options_file(&job->options, job->emitter);
	if (made && !wanted) {
		fw_usage(&run->diags, "option-conflict",
			"-O %s makes a second file; name it with --ipset-output",
			job->emitter->file);
	} else if (wanted && !made) {
		fw_usage(&run->diags, "option-conflict",
			"backend '%s' writes no second file with these options, so "
			"--ipset-output has no use",
			job->emitter->name);
	}
}

/** What to compile to, but for the frame's text. False: an error is in the list. */
static bool choose_job(struct fw_run *run, const struct arguments *arguments, struct fw_job *job) {
	job->emitter = fw_option_backend(run, arguments->backend);
	if (job->emitter == NULL) {
		return false;
	}
	fw_options_init(&job->options, job->emitter);
	for (size_t i = 0; i < arguments->options.count; i++) {
		fw_options_set(
			&job->options, job->emitter, arguments->options.items[i], &run->diags);
	}
	job->spec = arguments->frame != NULL ? fw_option_frame(run, job->emitter, arguments->frame)
					     : job->emitter->frames;
	if (fw_options_fine(run)) {
		check_sets(run, arguments, job);
	}
	return fw_options_fine(run);
}

static bool read_frame(struct fw_run *run, const char *template, struct fw_job *job) {
	job->frame = template != NULL ? fw_source_read(&run->arena, template, (struct fw_span){0},
						&run->diags)
				      : fw_frame_read(run, job->emitter, job->spec);
	return job->frame != NULL;
}

/* ---- the result ---- */

/** Says on standard error what would change. */
static bool would_change(struct fw_run *run, const struct output *output) {
	enum fw_file_change change;
	int error = fw_file_compare(output->path, fw_buf_slice(&output->text), &change);
	if (error != 0) {
		fw_failure(&run->diags, "read-failed", error, "cannot read '%s'", output->path);
	}
	if (error != 0 || change == FW_FILE_SAME) {
		return false;
	}
	FW_AUTO(fw_buf_fini) struct fw_buf line = {0};
	fw_buf_add_text(&line, "flowfw: '");
	fw_buf_add_escaped(&line, fw_slice(output->path));
	fw_buf_printf(&line, "' would %s\n", change == FW_FILE_CREATED ? "be created" : "change");
	(void)fw_write_all(STDERR_FILENO, fw_buf_slice(&line));
	return true;
}

static void write_output(struct fw_run *run, const struct output *output) {
	struct fw_slice text = fw_buf_slice(&output->text);
	if (is_stdout(output->path)) {
		fw_print(run, text);
		return;
	}
	int error = fw_file_replace(output->path, text, NULL);
	if (error != 0) {
		fw_failure(&run->diags, "write-failed", error, "cannot write '%s'", output->path);
	}
}

/** Stops at the first that cannot be written: rules without their sets would not load. */
static enum fw_exit deliver(struct fw_run *run, const struct arguments *arguments) {
	enum fw_exit status = FW_EXIT_FINE;
	for (size_t i = 0; i < OUTPUTS && run->diags.errors == 0; i++) {
		const struct output *output = &arguments->outputs[i];
		if (output->path == NULL) {
			continue;
		}
		if (!arguments->check) {
			write_output(run, output);
		} else if (would_change(run, output)) {
			status = FW_EXIT_DIFFERS;
		}
	}
	return status;
}

static enum fw_exit run_gen(struct fw_run *run, int argc, char *argv[]) {
	FW_AUTO(arguments_fini)
	struct arguments arguments = {.backend = "nftables", .outputs[RULES].path = "-"};
	struct fw_job job = {0};
	struct fw_profile profile;
	if (!read_arguments(run, argc, argv, &arguments) || !fw_run_plugins(run) ||
		!choose_job(run, &arguments, &job) || !read_frame(run, arguments.template, &job) ||
		!fw_run_profile(run, &profile) ||
		!fw_emit(&job, &profile.policy, &arguments.outputs[RULES].text,
			&arguments.outputs[SETS].text, &run->diags)) {
		return FW_EXIT_FINE;
	}
	return deliver(run, &arguments);
}

const struct fw_command fw_command_gen = {"gen", help, run_gen};
