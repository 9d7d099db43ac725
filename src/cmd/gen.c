// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * flowfw gen: a profile becomes a rule set, on standard output or in a file. The rule set is
 * complete in memory before the first byte of it is written, so an error leaves nothing behind.
 * All profiles of a fleet are fleet.c's.
 */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/fleet.h"
#include "cmd/prove.h"
#include "emit/emit.h"

enum {
	OPTION_CHECK = FW_OPTION_OWN,
	OPTION_FRAME,
	OPTION_TEMPLATE,
	OPTION_IPSET_OUTPUT,
	OPTION_FLEET,
	OPTION_OUTPUT_DIR,
	OPTION_PRUNE,
	OPTION_VERIFY,
};

/** A text and where it goes: a path, "-" for standard output, or NULL where nobody wants it. */
struct output {
	const char *path;
	struct fw_buf text;
};

/** The rules refer to the sets, so a reader who finds new rules finds new sets, too. */
enum { SETS, RULES, OUTPUTS };

struct arguments {
	FW_VEC(const char *) backends; /* each with commas in it */
	FW_VEC(const char *) options;
	FW_VEC(struct fw_job) jobs;   /* one a backend */
	const char *frame, *template; /* or NULL */
	struct output outputs[OUTPUTS];
	bool check, verify;
	/* With --fleet alone. */
	const char *fleet, *output_dir;
	const char *processes;
	unsigned process_count;
	bool prune;
};

static void arguments_fini(struct arguments *arguments) {
	FW_VEC_FINI(&arguments->backends);
	FW_VEC_FINI(&arguments->options);
	FW_VEC_FINI(&arguments->jobs);
	for (size_t i = 0; i < OUTPUTS; i++) {
		fw_buf_fini(&arguments->outputs[i].text);
	}
}

static const char help[] =
	"usage: flowfw gen [options] PROFILE\n"
	"       flowfw gen [options] --fleet FILE --output-dir DIR\n"
	"Compiles a profile into a rule set and prints it, or all profiles of a fleet\n"
	"into files of a folder.\n"
	"\n"
	"PROFILE is the name of a shipped profile or the path of a site file; --profile\n"
	"takes the same.\n"
	"\n"
	"what to compile\n"
	"  -p, --profile PROFILE   the profile, as an option\n"
	"      --set PATH=VALUE    change one key, as a site file would; repeatable:\n"
	"                          --set services.udp-sinks.ports=55571/udp\n"
	"      --only LEVELS       only services of these levels: required, recommended,\n"
	"                          optional; with commas between them\n"
	"      --without LEVELS    no services of these levels\n"
	"\n"
	"what to write\n"
	"  -b, --backend NAME      the kind of rule set (default: nftables)\n"
	"  -O, --option NAME=VALUE an option of the backend, one of those that\n"
	"                          'flowfw list backends --long' shows; may be repeated\n"
	"      --frame NAME        the text around the rules, one of those that\n"
	"                          'flowfw list frames' shows\n"
	"      --template FILE     the same from a file of your own, with the\n"
	"                          placeholders of that frame\n"
	"  -o, --output FILE       write FILE, not standard output; it is replaced as a\n"
	"                          whole, and only when its content changes\n"
	"      --ipset-output FILE where the sets of -O ipset go, in the same way\n"
	"      --check             write nothing; exit 1 if a FILE would change\n"
	"      --verify            read the rule set back first, and write it only if it\n"
	"                          is proven to do what the profile says\n"
	"      --plugin-dir DIR    load the backends in DIR too; may be repeated\n"
	"\n"
	"a fleet\n"
	"      --fleet FILE        compile each site and gateway that FILE names\n"
	"      --output-dir DIR    write NAME.nft, NAME.v4 and so on in DIR, for each of\n"
	"                          them and each backend; only files that change are\n"
	"                          touched. DIR is made where there is none\n"
	"      --prune             remove what was written for members that the fleet\n"
	"                          does not have any more\n"
	"  -j, --jobs NUMBER       compile so many at a time (default: one on each\n"
	"                          processor)\n"
	"  -b may be repeated, or have commas; -O and --frame count for those backends\n"
	"  that know them. A member that fails keeps the files that it had, and the\n"
	"  others get theirs.\n"
	"\n"
	"  -q, --quiet             no warnings\n"
	"  -h, --help              this text\n"
	"\n"
	"exit: 0 fine, 1 a FILE would change, or --verify found a difference, 2 usage,\n"
	"3 invalid profile, 4 the backend cannot express it, 5 system failure, 6 not\n"
	"proven; of a fleet, the gravest of all members. See flowfw(1).\n";

static const struct option options[] = {
	FW_PROFILE_OPTIONS,
	{"backend", required_argument, NULL, 'b'},
	{"option", required_argument, NULL, 'O'},
	{"output", required_argument, NULL, 'o'},
	{"check", no_argument, NULL, OPTION_CHECK},
	{"frame", required_argument, NULL, OPTION_FRAME},
	{"template", required_argument, NULL, OPTION_TEMPLATE},
	{"ipset-output", required_argument, NULL, OPTION_IPSET_OUTPUT},
	{"fleet", required_argument, NULL, OPTION_FLEET},
	{"output-dir", required_argument, NULL, OPTION_OUTPUT_DIR},
	{"prune", no_argument, NULL, OPTION_PRUNE},
	{"jobs", required_argument, NULL, 'j'},
	{"verify", no_argument, NULL, OPTION_VERIFY},
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

/* An option that has no use beside or without --fleet, if it was given. */
static void needless(struct fw_run *run, bool given, const char *option, bool fleet) {
	if (given) {
		fw_usage(&run->diags, "option-conflict",
			fleet ? "%s has no use with --fleet" : "%s has no use without --fleet",
			option);
	}
}

static void check_fleet(struct fw_run *run, struct arguments *arguments) {
	needless(run, run->request.profile != NULL, "a profile", true);
	needless(run, arguments->outputs[SETS].path != NULL, "--ipset-output", true);
	needless(run, arguments->outputs[RULES].path != NULL, "--output", true);
	if (arguments->output_dir == NULL || arguments->output_dir[0] == '\0') {
		fw_usage(&run->diags, "operands",
			"--fleet needs --output-dir, the folder of the rule sets");
	}
	fw_option_processes(run, arguments->processes, &arguments->process_count);
}

static void check_single(struct fw_run *run, struct arguments *arguments) {
	needless(run, arguments->output_dir != NULL, "--output-dir", false);
	needless(run, arguments->processes != NULL, "--jobs", false);
	needless(run, arguments->prune, "--prune", false);
	if (arguments->outputs[RULES].path == NULL) {
		arguments->outputs[RULES].path = "-";
	}
	fw_option_need_profile(run, "gen");
	check_outputs(run, arguments);
}

static bool read_arguments(struct fw_run *run, int argc, char *argv[], struct arguments *out) {
	int option;
	while ((option = fw_option_next(run, argc, argv, ":p:qb:O:o:j:h", options)) != -1) {
		switch (option) {
		case 'b':
			FW_VEC_ADD(&out->backends, optarg);
			break;
		case 'O':
			FW_VEC_ADD(&out->options, optarg);
			break;
		case 'o':
			out->outputs[RULES].path = optarg;
			break;
		case 'j':
			out->processes = optarg;
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
		case OPTION_FLEET:
			out->fleet = optarg;
			break;
		case OPTION_OUTPUT_DIR:
			out->output_dir = optarg;
			break;
		case OPTION_PRUNE:
			out->prune = true;
			break;
		case OPTION_VERIFY:
			out->verify = true;
			break;
		}
	}
	fw_option_profiles(run, argc - optind, argv + optind);
	if (out->fleet != NULL) {
		check_fleet(run, out);
	} else {
		check_single(run, out);
	}
	return fw_options_fine(run);
}

/* ---- the jobs ---- */

/** Adds a job for each backend of a list with commas that has none yet. */
static void add_jobs(struct fw_run *run, struct arguments *arguments, const char *list) {
	struct fw_slice rest = fw_slice(list);
	while (rest.data != NULL) {
		const char *name = fw_arena_text(&run->arena, fw_slice_cut(&rest, ','));
		struct fw_job job = {.emitter = fw_option_backend(run, name)};
		bool there = job.emitter == NULL;
		for (size_t i = 0; i < arguments->jobs.count && !there; i++) {
			there = arguments->jobs.items[i].emitter == job.emitter;
		}
		if (!there) {
			fw_options_init(&job.options, job.emitter);
			job.spec = job.emitter->frames;
			FW_VEC_ADD(&arguments->jobs, job);
		}
	}
}

static bool knows_option(const struct fw_emitter *emitter, const char *text) {
	struct fw_slice rest = fw_slice(text);
	struct fw_slice name = fw_slice_cut(&rest, '=');
	for (size_t i = 0; i < emitter->option_count; i++) {
		if (fw_slice_is(name, emitter->options[i].name)) {
			return true;
		}
	}
	return false;
}

/** Sets an option of those backends that know it; some one must. */
static void set_option(struct fw_run *run, struct arguments *arguments, const char *text) {
	bool known = false;
	for (size_t i = 0; i < arguments->jobs.count; i++) {
		struct fw_job *job = &arguments->jobs.items[i];
		if (knows_option(job->emitter, text)) {
			fw_options_set(&job->options, job->emitter, text, &run->diags);
			known = true;
		}
	}
	struct fw_job *first = &arguments->jobs.items[0];
	if (!known && arguments->jobs.count == 1) {
		fw_options_set(&first->options, first->emitter, text, &run->diags);
	} else if (!known) {
		fw_usage(&run->diags, "unknown-option", "none of the backends has an option '%s'",
			text);
	}
}

/** In the same way. */
static void set_frame(struct fw_run *run, struct arguments *arguments, const char *name) {
	bool known = false;
	for (size_t i = 0; i < arguments->jobs.count; i++) {
		struct fw_job *job = &arguments->jobs.items[i];
		if (fw_emitter_frame(job->emitter, name) != NULL) {
			job->spec = fw_emitter_frame(job->emitter, name);
			known = true;
		}
	}
	if (!known && arguments->jobs.count == 1) {
		fw_option_frame(run, arguments->jobs.items[0].emitter, name);
	} else if (!known) {
		fw_usage(&run->diags, "unknown-frame",
			"none of the backends has a frame named '%s'", name);
	}
}

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

static bool ends_with(const char *text, const char *end) {
	size_t length = strlen(text), end_length = strlen(end);
	return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

/** No two backends may write files of one name, for whatever two members. */
static void check_suffixes(struct fw_run *run, const struct arguments *arguments) {
	for (size_t i = 0; i < arguments->jobs.count; i++) {
		for (size_t j = 0; j < arguments->jobs.count; j++) {
			const struct fw_emitter *a = arguments->jobs.items[i].emitter;
			const struct fw_emitter *b = arguments->jobs.items[j].emitter;
			if (i != j && ends_with(a->suffix, b->suffix)) {
				fw_usage(&run->diags, "option-conflict",
					"the files of backends '%s' and '%s' both end in '%s'",
					a->name, b->name, b->suffix);
			}
		}
	}
}

/** Whether what the backends make can be read back. */
static void check_readers(struct fw_run *run, const struct arguments *arguments) {
	for (size_t i = 0; i < arguments->jobs.count && arguments->verify; i++) {
		const struct fw_job *job = &arguments->jobs.items[i];
		struct fw_ruleset_input input;
		if (!fw_prove_input(job, &input)) {
			fw_usage(&run->diags, "option-conflict",
				"--verify cannot read what backend '%s' makes", job->emitter->name);
		}
	}
}

static void check_jobs(struct fw_run *run, const struct arguments *arguments) {
	check_readers(run, arguments);
	if (arguments->fleet != NULL) {
		check_suffixes(run, arguments);
		if (arguments->template != NULL && arguments->jobs.count > 1) {
			fw_usage(&run->diags, "option-conflict",
				"--template is for one backend, and there are %zu",
				arguments->jobs.count);
		}
	} else if (arguments->jobs.count > 1) {
		fw_usage(&run->diags, "option-conflict",
			"several backends are for --fleet; one profile makes one rule set");
	} else {
		check_sets(run, arguments, &arguments->jobs.items[0]);
	}
}

/** What to compile to, but for the frames' texts. False: an error is in the list. */
static bool choose_jobs(struct fw_run *run, struct arguments *arguments) {
	if (arguments->backends.count == 0) {
		FW_VEC_ADD(&arguments->backends, "nftables");
	}
	for (size_t i = 0; i < arguments->backends.count; i++) {
		add_jobs(run, arguments, arguments->backends.items[i]);
	}
	if (!fw_options_fine(run)) {
		return false;
	}
	for (size_t i = 0; i < arguments->options.count; i++) {
		set_option(run, arguments, arguments->options.items[i]);
	}
	if (arguments->frame != NULL) {
		set_frame(run, arguments, arguments->frame);
	}
	if (fw_options_fine(run)) {
		check_jobs(run, arguments);
	}
	return fw_options_fine(run);
}

static bool read_frames(struct fw_run *run, const struct arguments *arguments) {
	bool read = true;
	for (size_t i = 0; i < arguments->jobs.count; i++) {
		struct fw_job *job = &arguments->jobs.items[i];
		job->frame = arguments->template != NULL
				     ? fw_source_read(&run->arena, arguments->template,
					       (struct fw_span){0}, &run->diags)
				     : fw_frame_read(run, job->emitter, job->spec);
		read &= job->frame != NULL;
	}
	return read;
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

/** False: an error is in the list. */
static bool prove(
	struct fw_run *run, const struct arguments *arguments, const struct fw_policy *policy) {
	const struct fw_job *job = &arguments->jobs.items[0];
	const struct output *rules = &arguments->outputs[RULES];
	FW_AUTO(fw_buf_fini) struct fw_buf lines = {0};
	const struct fw_emitted emitted = {
		.policy = policy,
		.job = job,
		.rules = fw_buf_slice(&rules->text),
		.sets = fw_buf_slice(&arguments->outputs[SETS].text),
		.label = is_stdout(rules->path) ? fw_arena_printf(&run->arena, "%s%s", policy->name,
							  job->emitter->suffix)
						: rules->path,
	};
	bool proven = fw_prove_emitted(&emitted, &run->diags, &lines);

	(void)fw_write_all(STDERR_FILENO, fw_buf_slice(&lines));
	return proven;
}

static enum fw_exit gen_single(struct fw_run *run, struct arguments *arguments) {
	struct fw_profile profile;
	if (!fw_run_profile(run, &profile) ||
		!fw_emit(&arguments->jobs.items[0], &profile.policy,
			&arguments->outputs[RULES].text, &arguments->outputs[SETS].text,
			&run->diags) ||
		(arguments->verify && !prove(run, arguments, &profile.policy))) {
		return FW_EXIT_FINE;
	}
	return deliver(run, arguments);
}

static enum fw_exit gen_fleet(struct fw_run *run, const struct arguments *arguments) {
	const struct fw_fleet_plan plan = {
		.fleet = arguments->fleet,
		.folder = arguments->output_dir,
		.jobs = arguments->jobs.items,
		.job_count = arguments->jobs.count,
		.processes = arguments->process_count,
		.check = arguments->check,
		.prune = arguments->prune,
		.verify = arguments->verify,
	};
	return fw_fleet_gen(run, &plan);
}

static enum fw_exit run_gen(struct fw_run *run, int argc, char *argv[]) {
	FW_AUTO(arguments_fini) struct arguments arguments = {0};
	if (!read_arguments(run, argc, argv, &arguments) || !fw_run_plugins(run) ||
		!choose_jobs(run, &arguments) || !read_frames(run, &arguments)) {
		return FW_EXIT_FINE;
	}
	return arguments.fleet != NULL ? gen_fleet(run, &arguments) : gen_single(run, &arguments);
}

const struct fw_command fw_command_gen = {"gen", help, run_gen};
