// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * flowfw diff: two profiles, compared by what they allow. This file knows the command line, and how
 * each side is read; also the call that git makes of an external diff program.
 */

#include <stdlib.h>
#include <string.h>

#include "cmd/changes.h"

enum {
	OPTION_BEFORE_SET = FW_OPTION_OWN,
	OPTION_AFTER_SET,
	OPTION_BEFORE_AS,
	OPTION_AFTER_AS,
	OPTION_FORMAT,
	OPTION_JSON,
	OPTION_LIMIT,
	OPTION_GIT,
};

enum { LIMIT_DEFAULT = 20, LIMIT_MAX = 100000 };

static const char help[] =
	"usage: flowfw diff [options] BEFORE AFTER\n"
	"Shows what AFTER allows and BEFORE does not, and the other way round, with the\n"
	"services that allow it and a packet that proves it; and what else they do\n"
	"differently: limits, answers, translation. Names, order and comments make no\n"
	"difference.\n"
	"\n"
	"Both are names of shipped profiles or paths of site files; - is standard input.\n"
	"\n"
	"      --set PATH=VALUE         change one key of both, as a site file would;\n"
	"                               may be repeated\n"
	"      --before-set PATH=VALUE  the same of BEFORE alone\n"
	"      --after-set PATH=VALUE   the same of AFTER alone\n"
	"      --only LEVELS            only services of these levels: required,\n"
	"                               recommended, optional; with commas between them\n"
	"      --without LEVELS         no services of these levels\n"
	"      --before-as PATH         where BEFORE belongs: paths in it are relative\n"
	"                               to that\n"
	"      --after-as PATH          the same of AFTER\n"
	"      --format FORMAT          text, markdown (for a comment in a merge\n"
	"                               request) or json\n"
	"      --json                   the same as --format json\n"
	"      --limit N                at most N rows of each kind; default: 20\n"
	"      --git                    be an external diff program of git: take what it\n"
	"                               gives in place of BEFORE and AFTER, and exit\n"
	"                               with 0\n"
	"  -h, --help                   this text\n"
	"\n"
	"exit: 0 equal, 1 different, 2 usage, 3 invalid profile, 5 system failure, or\n"
	"too complex. See flowfw(1).\n";

static const struct option options[] = {
	{"set", required_argument, NULL, FW_OPTION_SET},
	{"before-set", required_argument, NULL, OPTION_BEFORE_SET},
	{"after-set", required_argument, NULL, OPTION_AFTER_SET},
	{"only", required_argument, NULL, FW_OPTION_ONLY},
	{"without", required_argument, NULL, FW_OPTION_WITHOUT},
	{"before-as", required_argument, NULL, OPTION_BEFORE_AS},
	{"after-as", required_argument, NULL, OPTION_AFTER_AS},
	{"format", required_argument, NULL, OPTION_FORMAT},
	{"json", no_argument, NULL, OPTION_JSON},
	{"limit", required_argument, NULL, OPTION_LIMIT},
	{"git", no_argument, NULL, OPTION_GIT},
	FW_HELP_OPTION,
	{0},
};

enum format { FORMAT_TEXT, FORMAT_MARKDOWN, FORMAT_JSON };
static const char *const format_names[] = {
	[FORMAT_TEXT] = "text",
	[FORMAT_MARKDOWN] = "markdown",
	[FORMAT_JSON] = "json",
};

/** One side, as the command line has it. */
struct side {
	const char *operand, *as;
	FW_VEC(const char *) sets;
	struct fw_profile profile;
};

struct diff {
	struct side sides[FW_WHICH_COUNT];
	enum format format;
	uint64_t limit;
	const char *git; /* the file that git asks about; or NULL */
};

static void diff_fini(struct diff *diff) {
	for (size_t i = 0; i < FW_WHICH_COUNT; i++) {
		FW_VEC_FINI(&diff->sides[i].sets);
	}
}

/* ---- arguments ---- */

static void choose_format(struct fw_run *run, struct diff *diff, const char *name) {
	for (size_t i = 0; i < FW_LENGTH(format_names); i++) {
		if (strcmp(name, format_names[i]) == 0) {
			diff->format = (enum format)i;
			return;
		}
	}
	struct fw_diag *diag = fw_usage(&run->diags, "unknown-format",
		"'%s' is no format; there are text, markdown and json", name);
	fw_diag_suggest(&run->diags, diag, fw_slice(name), format_names, FW_LENGTH(format_names));
}

static void choose_limit(struct fw_run *run, struct diff *diff, const char *text) {
	if (!fw_slice_to_uint(fw_slice(text), LIMIT_MAX, &diff->limit) || diff->limit == 0) {
		fw_usage(&run->diags, "bad-limit", "--limit is a number from 1 to %d, not '%s'",
			LIMIT_MAX, text);
	}
}

static void read_option(struct fw_run *run, struct diff *diff, int option, bool *out_git) {
	switch (option) {
	case OPTION_BEFORE_SET:
	case OPTION_AFTER_SET:
		FW_VEC_ADD(&diff->sides[option - OPTION_BEFORE_SET].sets, optarg);
		break;
	case OPTION_BEFORE_AS:
	case OPTION_AFTER_AS:
		diff->sides[option - OPTION_BEFORE_AS].as = optarg;
		break;
	case OPTION_FORMAT:
		choose_format(run, diff, optarg);
		break;
	case OPTION_JSON:
		diff->format = FORMAT_JSON;
		break;
	case OPTION_LIMIT:
		choose_limit(run, diff, optarg);
		break;
	case OPTION_GIT:
		*out_git = true;
		break;
	default:
		break;
	}
}

/**
 * What git(1) calls a program with: path old-file old-hex old-mode new-file new-hex new-mode, and
 * for a file with another name now, that name and what git would say of it. One that is not merged
 * yet comes as a path alone.
 */
static void read_git_operands(struct fw_run *run, struct diff *diff, int count, char *operands[]) {
	enum { ALONE = 1, USUAL = 7, RENAMED = 9, OLD_FILE = 1, NEW_FILE = 4, NEW_PATH = 7 };

	if (count != ALONE && count != USUAL && count != RENAMED) {
		struct fw_diag *diag = fw_usage(&run->diags, "operands",
			"--git is for calls by git, with %d operands, not %d", USUAL, count);
		fw_diag_hint(
			&run->diags, diag, "git config diff.flowfw.command 'flowfw diff --git'");
		return;
	}
	diff->git = operands[0];
	if (count != ALONE) {
		struct side *before = &diff->sides[FW_BEFORE], *after = &diff->sides[FW_AFTER];
		before->operand = operands[OLD_FILE];
		before->as = operands[0];
		after->operand = operands[NEW_FILE];
		after->as = count == RENAMED ? operands[NEW_PATH] : operands[0];
	}
}

static void read_operands(struct fw_run *run, struct diff *diff, int count, char *operands[]) {
	if (count != FW_WHICH_COUNT) {
		fw_usage(&run->diags, "operands", "diff compares two profiles, not %d", count);
		return;
	}
	if (strcmp(operands[0], "-") == 0 && strcmp(operands[1], "-") == 0) {
		fw_usage(&run->diags, "operands", "standard input can only be read once");
		return;
	}
	for (size_t i = 0; i < FW_WHICH_COUNT; i++) {
		diff->sides[i].operand = operands[i];
	}
}

static bool read_arguments(struct fw_run *run, int argc, char *argv[], struct diff *diff) {
	bool git = false;
	int option;

	while ((option = fw_option_next(run, argc, argv, ":h", options)) != -1) {
		read_option(run, diff, option, &git);
	}
	if (!fw_options_fine(run)) {
		return false;
	}
	if (git && diff->format != FORMAT_TEXT) {
		fw_usage(&run->diags, "option-conflict", "what git asks for is text");
	} else if (git && (diff->sides[FW_BEFORE].as != NULL || diff->sides[FW_AFTER].as != NULL)) {
		fw_usage(&run->diags, "option-conflict",
			"with --git, git says where the files belong");
	} else if (git) {
		read_git_operands(run, diff, argc - optind, argv + optind);
	} else {
		read_operands(run, diff, argc - optind, argv + optind);
	}
	return run->diags.errors == 0;
}

/* ---- sides ---- */

/** Reads one side: a profile, so far. False: an error is in the list. */
static bool read_side(struct fw_run *run, struct side *side) {
	struct fw_request request = *fw_run_request(run);
	size_t count = run->sets.count + side->sets.count;
	const char **sets = FW_ARENA_ARRAY(&run->arena, const char *, count);

	for (size_t i = 0; i < count; i++) {
		sets[i] = i < run->sets.count ? run->sets.items[i]
					      : side->sets.items[i - run->sets.count];
	}
	request.profile = side->operand;
	request.as = side->as;
	request.sets = sets;
	request.set_count = count;
	return fw_profile_load(&run->arena, &run->library, &request, &side->profile, &run->diags);
}

/** Both are read, so that the mistakes of both are told. */
static bool find_changes(struct fw_run *run, struct diff *diff, struct fw_changes *changes) {
	bool good = true;

	for (size_t i = 0; i < FW_WHICH_COUNT; i++) {
		struct side *side = &diff->sides[i];
		good &= read_side(run, side);
		changes->sides[i].label = side->as != NULL ? side->as : side->operand;
		changes->sides[i].policy = &side->profile.policy;
	}
	changes->limit = diff->limit;
	return good && fw_changes_find(changes, run);
}

/** False: an error is in the list. */
static bool print_changes(
	const struct diff *diff, const struct fw_changes *changes, struct fw_buf *text) {
	switch (diff->format) {
	case FORMAT_JSON:
		return fw_changes_json(changes);
	case FORMAT_MARKDOWN:
		fw_changes_markdown(changes, text);
		break;
	case FORMAT_TEXT:
		fw_changes_text(changes, text);
		break;
	}
	return text->length == 0 || fw_print(changes->run, fw_buf_slice(text));
}

/* ---- git ---- */

static bool is_nothing(const struct side *side) {
	return strcmp(side->operand, "/dev/null") == 0;
}

/** What can be said of a file that has no two sides; or NULL. */
static const char *lonely(const struct diff *diff) {
	if (diff->sides[FW_BEFORE].operand == NULL) {
		return "not merged yet";
	}
	if (is_nothing(&diff->sides[FW_BEFORE])) {
		return "new, so there is nothing to compare it with";
	}
	return is_nothing(&diff->sides[FW_AFTER]) ? "gone" : NULL;
}

/**
 * The answer to git: one file of perhaps many. What is wrong with it is a part of the answer, since
 * git gives up on all other files where a program fails.
 */
static void answer_git(struct fw_run *run, struct diff *diff, struct fw_changes *changes) {
	FW_AUTO(fw_buf_fini) struct fw_buf text = {0};
	const char *alone = lonely(diff);

	fw_buf_add_text(&text, "flowfw diff ");
	fw_buf_add_escaped(&text, fw_slice(diff->git));
	fw_buf_add_char(&text, '\n');
	if (alone != NULL) {
		fw_buf_printf(&text, "%s\n", alone);
	} else if (!find_changes(run, diff, changes)) {
		fw_diags_render(&run->diags, true, &text);
		fw_diags_fini(&run->diags);
	} else if (changes->comparison.equal) {
		fw_buf_add_text(&text, "the same meaning\n");
	} else {
		fw_changes_text(changes, &text);
	}
	fw_print(run, fw_buf_slice(&text));
}

/* ---- the command ---- */

static enum fw_exit run_diff(struct fw_run *run, int argc, char *argv[]) {
	FW_AUTO(diff_fini) struct diff diff = {.limit = LIMIT_DEFAULT};
	FW_AUTO(fw_changes_fini) struct fw_changes changes = {0};
	FW_AUTO(fw_buf_fini) struct fw_buf text = {0};

	run->quiet = true; /* finding fault with either is what `check` is for */
	run->diags.muted = true;
	if (!read_arguments(run, argc, argv, &diff)) {
		return FW_EXIT_FINE;
	}
	if (diff.git != NULL) {
		answer_git(run, &diff, &changes);
		return FW_EXIT_FINE;
	}
	if (!find_changes(run, &diff, &changes) || !print_changes(&diff, &changes, &text)) {
		return FW_EXIT_FINE;
	}
	return changes.comparison.equal ? FW_EXIT_FINE : FW_EXIT_DIFFERS;
}

const struct fw_command fw_command_diff = {"diff", help, run_diff};
