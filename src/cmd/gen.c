// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * flowfw gen: a profile becomes a rule set, on standard output or in a file. The rule set is
 * complete in memory before the first byte of it is written, so an error leaves nothing behind.
 */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "emit/emit.h"

enum { OPTION_CHECK = FW_OPTION_OWN, OPTION_FRAME, OPTION_TEMPLATE };

struct arguments {
	const struct fw_emitter *emitter;
	const char *output; /* or NULL: standard output */
	const char *frame, *template;
	bool check;
};

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
	"      --frame NAME        the text around the rules, one of 'flowfw list frames'\n"
	"      --template FILE     the same from a file of your own\n"
	"  -o, --output FILE       write FILE, not standard output; it is replaced as a\n"
	"                          whole, and only when its content changes\n"
	"      --check             write nothing; exit 1 if FILE would change\n"
	"\n"
	"  -q, --quiet             no warnings\n"
	"  -h, --help              this text\n"
	"\n"
	"exit: 0 fine, 1 FILE would change, 2 usage, 3 invalid profile,\n"
	"4 the backend cannot express it, 5 system failure. See flowfw(1).\n";

static const struct option options[] = {
	FW_PROFILE_OPTIONS,
	{"backend", required_argument, NULL, 'b'},
	{"output", required_argument, NULL, 'o'},
	{"check", no_argument, NULL, OPTION_CHECK},
	{"frame", required_argument, NULL, OPTION_FRAME},
	{"template", required_argument, NULL, OPTION_TEMPLATE},
	FW_QUIET_OPTION,
	FW_HELP_OPTION,
	{0},
};

static bool read_arguments(struct fw_run *run, int argc, char *argv[], struct arguments *out) {
	const char *backend = "nftables";
	int option;
	while ((option = fw_option_next(run, argc, argv, ":p:qb:o:h", options)) != -1) {
		switch (option) {
		case 'b':
			backend = optarg;
			break;
		case 'o':
			out->output = strcmp(optarg, "-") != 0 ? optarg : NULL;
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
	out->emitter = fw_option_backend(run, backend);
	if (out->frame != NULL && out->template != NULL) {
		fw_usage(&run->diags, "option-conflict",
			"--frame and --template exclude each other");
	}
	if (out->check && out->output == NULL) {
		fw_usage(&run->diags, "option-conflict",
			"--check compares with a file; name it with --output");
	}
	return fw_options_fine(run);
}

static const struct fw_source *read_frame(struct fw_run *run, const struct arguments *arguments) {
	if (arguments->template != NULL) {
		return fw_source_read(
			&run->arena, arguments->template, (struct fw_span){0}, &run->diags);
	}
	return fw_frame_read(run, arguments->emitter,
		arguments->frame != NULL ? arguments->frame : arguments->emitter->frame);
}

static enum fw_exit compare_file(struct fw_run *run, const char *path, struct fw_slice text) {
	enum fw_file_change change;
	int error = fw_file_compare(path, text, &change);
	if (error != 0) {
		fw_failure(&run->diags, "read-failed", error, "cannot read '%s'", path);
		return FW_EXIT_SYSTEM;
	}
	if (change == FW_FILE_SAME) {
		return FW_EXIT_FINE;
	}
	FW_AUTO(fw_buf_fini) struct fw_buf line = {0};
	fw_buf_add_text(&line, "flowfw: '");
	fw_buf_add_escaped(&line, fw_slice(path));
	fw_buf_printf(&line, "' would %s\n", change == FW_FILE_CREATED ? "be created" : "change");
	(void)fw_write_all(STDERR_FILENO, fw_buf_slice(&line));
	return FW_EXIT_DIFFERS;
}

static void write_file(struct fw_run *run, const char *path, struct fw_slice text) {
	int error = fw_file_replace(path, text, NULL);
	if (error != 0) {
		fw_failure(&run->diags, "write-failed", error, "cannot write '%s'", path);
	}
}

static enum fw_exit run_gen(struct fw_run *run, int argc, char *argv[]) {
	struct arguments arguments = {0};
	if (!read_arguments(run, argc, argv, &arguments)) {
		return FW_EXIT_FINE;
	}
	FW_AUTO(fw_buf_fini) struct fw_buf text = {0};
	struct fw_profile profile;
	const struct fw_source *frame = read_frame(run, &arguments);
	if (frame == NULL || !fw_run_profile(run, &profile) ||
		!fw_emit(arguments.emitter, &profile.policy, frame, &text, &run->diags)) {
		return FW_EXIT_FINE;
	}
	if (arguments.check) {
		return compare_file(run, arguments.output, fw_buf_slice(&text));
	}
	if (arguments.output != NULL) {
		write_file(run, arguments.output, fw_buf_slice(&text));
	} else {
		fw_print(run, fw_buf_slice(&text));
	}
	return FW_EXIT_FINE;
}

const struct fw_command fw_command_gen = {"gen", help, run_gen};
