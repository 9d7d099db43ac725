// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_CMD_CMD_H
#define FW_CMD_CMD_H
/*
 * What the subcommands share: one run with its memory and its diagnostics, the options that several
 * of them take, and printing. A subcommand adds diagnostics and never prints them; main does, once,
 * and derives the exit status from them.
 */

#include <getopt.h>

#include "emit/emit.h"
#include "profile/profile.h"

/** Exit statuses; part of the interface, see flowfw(1). */
enum fw_exit {
	FW_EXIT_FINE = 0,
	FW_EXIT_DIFFERS = 1,
	FW_EXIT_USAGE = 2,
	FW_EXIT_PROFILE = 3,
	FW_EXIT_BACKEND = 4,
	FW_EXIT_SYSTEM = 5,
	FW_EXIT_UNPROVEN = 6,
};

/** One run of a subcommand. */
struct fw_run {
	struct fw_arena arena;
	struct fw_diags diags;
	struct fw_library library;
	struct fw_request request; /* of the options that choose a profile */
	FW_VEC(const char *) sets; /* behind request.sets */
	FW_VEC(const char *) plugin_folders;
	struct fw_plugins plugins; /* of these folders, once they are loaded */
	bool help;		   /* --help was given: main prints it and nothing else is done */
	bool quiet;		   /* no warnings */
};

struct fw_command {
	const char *name;
	const char *help; /* of `flowfw NAME --help`; its first line is the synopsis */
	/** What the exit status is unless an error is in the list. argv[0] is the name. */
	enum fw_exit (*run)(struct fw_run *run, int argc, char *argv[]);
};

extern const struct fw_command fw_command_check;
extern const struct fw_command fw_command_diff;
extern const struct fw_command fw_command_explain;
extern const struct fw_command fw_command_gen;
extern const struct fw_command fw_command_init;
extern const struct fw_command fw_command_list;
extern const struct fw_command fw_command_verify;

/* ---- options ---- */

/** Values of long options that have no letter. Those of one subcommand begin at FW_OPTION_OWN. */
enum fw_option {
	FW_OPTION_SET = 256,
	FW_OPTION_ONLY,
	FW_OPTION_WITHOUT,
	FW_OPTION_PLUGIN_DIR,
	FW_OPTION_OWN,
};

/** The entry for --help; every subcommand takes it. */
#define FW_HELP_OPTION                                                                             \
	{ "help", no_argument, NULL, 'h' }
/** The entries that choose a profile and change it; letters: "p:". */
#define FW_PROFILE_OPTIONS                                                                         \
	{"profile", required_argument, NULL, 'p'},                                                 \
		{"set", required_argument, NULL, FW_OPTION_SET},                                   \
		{"only", required_argument, NULL, FW_OPTION_ONLY}, {                               \
		"without", required_argument, NULL, FW_OPTION_WITHOUT                              \
	}
/** The entry of those that print warnings; letters: "q". */
#define FW_QUIET_OPTION                                                                            \
	{ "quiet", no_argument, NULL, 'q' }

/** The entry of those that know backends; may be repeated. */
#define FW_PLUGIN_OPTION                                                                           \
	{ "plugin-dir", required_argument, NULL, FW_OPTION_PLUGIN_DIR }

/**
 * The next option that is the subcommand's own, or -1 behind the last one. Shared options go into
 * the run, mistakes into its diagnostics. `letters` begins with ':'.
 */
int fw_option_next(struct fw_run *run, int argc, char *argv[], const char *letters,
	const struct option *options);
/** Whether there is anything to do: no --help, and no mistake so far. */
bool fw_options_fine(const struct fw_run *run);
/** Takes the one profile that may stand without an option; a second one is a mistake. */
void fw_option_profiles(struct fw_run *run, int count, char *operands[]);
/** Says that `what` is missing unless a profile was given. */
void fw_option_need_profile(struct fw_run *run, const char *what);
/** The number that --jobs says; 0 where it is not given. False: an error is in the list. */
bool fw_option_processes(struct fw_run *run, const char *text, unsigned *out_processes);
/** The backend of that name, or NULL with an error in the list. */
const struct fw_emitter *fw_option_backend(struct fw_run *run, const char *name);
/** The backend's frame of that name, or NULL with an error in the list. */
const struct fw_frame_spec *fw_option_frame(
	struct fw_run *run, const struct fw_emitter *emitter, const char *name);

/* ---- backends ---- */

/** Loads the plug-ins that the options name. False: an error is in the list. */
bool fw_run_plugins(struct fw_run *run);
/** The built-in backends, then those of plug-ins; NULL-terminated. */
const struct fw_emitter *const *fw_run_emitters(struct fw_run *run);

/* ---- profiles and frames ---- */

/** What the options ask for. */
const struct fw_request *fw_run_request(struct fw_run *run);
/** Loads what the options ask for. False: an error is in the list. */
bool fw_run_profile(struct fw_run *run, struct fw_profile *out_profile);

/** Whether a row of the port table is one of the rules under every profile. */
bool fw_row_is_base(const struct fw_service_row *row);

/** The text of a backend's frame, or NULL with an error in the list. */
const struct fw_source *fw_frame_read(
	struct fw_run *run, const struct fw_emitter *emitter, const struct fw_frame_spec *spec);

/* ---- printing ---- */

/** "s" unless it is one. */
const char *fw_plural(size_t count);
/** Writes a result to standard output. False: an error is in the list. */
bool fw_print(struct fw_run *run, struct fw_slice text);

#endif
