// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * flowfw: picks the subcommand, prints the diagnostics that it left, and turns them into the exit
 * status.
 */

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"

static const struct fw_command *const commands[] = {
	&fw_command_gen,
	&fw_command_check,
	&fw_command_explain,
	&fw_command_diff,
	&fw_command_verify,
	&fw_command_list,
	&fw_command_init,
};

static const char usage[] = "usage: flowfw COMMAND [options]\n"
			    "  gen     compile a profile into a rule set\n"
			    "  check   say whether a profile is valid, and what is odd about it\n"
			    "  explain say what becomes of a packet, and which lines say so\n"
			    "  diff    show what one profile allows and another does not\n"
			    "  verify  prove that a rule set does what a profile says\n"
			    "  list    show services, profiles, roles, groups, backends or frames\n"
			    "  init    write a commented site file to start from\n";

static const char help[] =
	"flowfw compiles profiles of FLOW traffic devices into firewall rule sets.\n"
	"\n"
	"  flowfw list services --profile enterprise        the ports of a device\n"
	"  flowfw init --profile enterprise junction.yaml   a site file to start from\n"
	"  flowfw check junction.yaml                       is it right?\n"
	"  flowfw gen junction.yaml > rules.nft             the rule set\n"
	"  flowfw verify junction.yaml rules.nft            does it do what it should?\n"
	"\n"
	"'flowfw COMMAND --help' explains a command; flowfw(1) and flowfw-profile(5) are\n"
	"the manual. 'flowfw --version' tells the version.\n";

static const struct option options[] = {
	FW_HELP_OPTION,
	{"version", no_argument, NULL, 'V'},
	{0},
};

static const struct fw_command *command_find(struct fw_run *run, const char *name) {
	const char *names[FW_LENGTH(commands)];
	for (size_t i = 0; i < FW_LENGTH(commands); i++) {
		if (strcmp(commands[i]->name, name) == 0) {
			return commands[i];
		}
		names[i] = commands[i]->name;
	}
	struct fw_diag *diag =
		fw_usage(&run->diags, "unknown-command", "there is no command '%s'", name);
	fw_diag_suggest(&run->diags, diag, fw_slice(name), names, FW_LENGTH(names));
	return NULL;
}

static enum fw_exit run_command(
	struct fw_run *run, const struct fw_command *command, int argc, char *argv[]) {
	optind = 0; /* glibc: begin anew, with other letters */
	fw_library_init(&run->library, &run->arena);
	enum fw_exit status = command->run(run, argc, argv);
	if (run->help && run->diags.errors == 0) {
		fw_print(run, fw_slice(command->help));
	}
	return status;
}

/** Everything before the subcommand's name, and the subcommand. */
static enum fw_exit run_arguments(
	struct fw_run *run, int argc, char *argv[], const struct fw_command **out_command) {
	int option;
	while ((option = fw_option_next(run, argc, argv, "+:hV", options)) != -1) {
		if (option == 'V') {
			fw_print(run, FW_SLICE("flowfw " FW_VERSION "\n"));
			return FW_EXIT_FINE;
		}
	}
	if (run->diags.errors != 0) {
		return FW_EXIT_USAGE;
	}
	if (run->help) {
		fw_print(run, FW_SLICE(usage));
		fw_print(run, FW_SLICE("\n"));
		fw_print(run, FW_SLICE(help));
		return FW_EXIT_FINE;
	}
	if (optind == argc) {
		fw_write_all(STDERR_FILENO, FW_SLICE(usage));
		return FW_EXIT_USAGE;
	}
	*out_command = command_find(run, argv[optind]);
	if (*out_command == NULL) {
		return FW_EXIT_USAGE;
	}
	return run_command(run, *out_command, argc - optind, argv + optind);
}

/** The gravest fault decides: a failing system first, an unwilling backend last. */
static enum fw_exit exit_status(const struct fw_diags *diags, enum fw_exit otherwise) {
	static const struct {
		enum fw_fault fault;
		enum fw_exit status;
	} statuses[] = {
		{FW_FAULT_SYSTEM, FW_EXIT_SYSTEM},
		{FW_FAULT_USAGE, FW_EXIT_USAGE},
		{FW_FAULT_PROFILE, FW_EXIT_PROFILE},
		{FW_FAULT_BACKEND, FW_EXIT_BACKEND},
		{FW_FAULT_FINDING, FW_EXIT_DIFFERS},
		{FW_FAULT_UNPROVEN, FW_EXIT_UNPROVEN},
	};
	for (size_t i = 0; i < FW_LENGTH(statuses); i++) {
		for (size_t j = 0; j < diags->list.count; j++) {
			const struct fw_diag *diag = diags->list.items[j];
			if (diag->level == FW_ERROR && diag->fault == statuses[i].fault) {
				return statuses[i].status;
			}
		}
	}
	return otherwise;
}

static void print_diags(
	const struct fw_run *run, const struct fw_command *command, bool usage_fault) {
	FW_AUTO(fw_buf_fini) struct fw_buf text = {0};
	/* Warnings would only stand in front of what must be mended first. */
	fw_diags_render(&run->diags, run->quiet || run->diags.errors != 0, &text);
	if (usage_fault && text.length != 0) {
		fw_buf_printf(&text, "try 'flowfw%s%s --help'\n", command != NULL ? " " : "",
			command != NULL ? command->name : "");
	}
	/* There is nowhere left to report a failure to. */
	(void)fw_write_all(STDERR_FILENO, fw_buf_slice(&text));
}

int main(int argc, char *argv[]) {
	/* A closed pipe is an error of write(2) with a message, like a full disk. */
	signal(SIGPIPE, SIG_IGN);
	struct fw_run run = {0};
	const struct fw_command *command = NULL;
	enum fw_exit status = run_arguments(&run, argc, argv, &command);
	status = exit_status(&run.diags, status);
	print_diags(&run, command, status == FW_EXIT_USAGE);
	FW_VEC_FINI(&run.sets);
	FW_VEC_FINI(&run.plugin_folders);
	fw_library_fini(&run.library);
	fw_diags_fini(&run.diags);
	fw_plugins_fini(&run.plugins);
	fw_arena_fini(&run.arena);
	return (int)status;
}
