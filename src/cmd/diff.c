// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * flowfw diff: two profiles or rule sets, compared by what they allow. This file knows the command
 * line, and how each side is read; also the call that git makes of an external diff program.
 */

#include <stdlib.h>
#include <string.h>

#include "cmd/changes.h"

enum {
	OPTION_BEFORE_SET = FW_OPTION_OWN,
	OPTION_AFTER_SET,
	OPTION_BEFORE_AS,
	OPTION_AFTER_AS,
	OPTION_BEFORE_IPSET,
	OPTION_AFTER_IPSET,
	OPTION_FORMAT,
	OPTION_JSON,
	OPTION_LIMIT,
	OPTION_GIT,
};

enum { LIMIT_DEFAULT = 20, LIMIT_MAX = 100000 };

static const char help[] =
	"usage: flowfw diff [options] BEFORE AFTER\n"
	"Shows what AFTER allows and BEFORE does not, and the other way round, with the\n"
	"services or rules that decide it and a packet that proves it; and what else they\n"
	"do differently: limits, answers, translation. Names, order and comments make no\n"
	"difference.\n"
	"\n"
	"Each is the name of a shipped profile or the path of a site file; or a rule set:\n"
	"a file whose name ends in .nft, .v4, .v6 or .conf, KIND:FILE with the KIND\n"
	"nftables, iptables, ip6tables, pf or pf-freebsd, or live, which is what the\n"
	"kernel has in force. - is standard input.\n"
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
	"      --before-ipset FILE      the sets that BEFORE uses, as ipset(8) saves\n"
	"                               them; of iptables and ip6tables\n"
	"      --after-ipset FILE       the same of AFTER\n"
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
	"too complex, 6 unproven: a rule set has what is not understood. See flowfw(1).\n";

static const struct option options[] = {
	{"set", required_argument, NULL, FW_OPTION_SET},
	{"before-set", required_argument, NULL, OPTION_BEFORE_SET},
	{"after-set", required_argument, NULL, OPTION_AFTER_SET},
	{"only", required_argument, NULL, FW_OPTION_ONLY},
	{"without", required_argument, NULL, FW_OPTION_WITHOUT},
	{"before-as", required_argument, NULL, OPTION_BEFORE_AS},
	{"after-as", required_argument, NULL, OPTION_AFTER_AS},
	{"before-ipset", required_argument, NULL, OPTION_BEFORE_IPSET},
	{"after-ipset", required_argument, NULL, OPTION_AFTER_IPSET},
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
	const char *operand, *as, *ipset;
	FW_VEC(const char *) sets;
	struct fw_profile profile;
	struct fw_ruleset_input input; /* of no kind: it is a profile */
	struct fw_rulesets rulesets;
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
		fw_rulesets_fini(&diff->sides[i].rulesets);
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
	case OPTION_BEFORE_IPSET:
	case OPTION_AFTER_IPSET:
		diff->sides[option - OPTION_BEFORE_IPSET].ipset = optarg;
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
		fw_usage(&run->diags, "operands", "diff compares two profiles or rule sets, not %d",
			count);
		return;
	}
	for (size_t i = 0; i < FW_WHICH_COUNT; i++) {
		diff->sides[i].operand = operands[i];
	}
}

/* ---- what the operands are ---- */

static bool is_ruleset(const struct side *side) {
	return side->input.kind != FW_RULESET_NONE;
}

static bool is_stdin(const struct side *side) {
	const char *path = is_ruleset(side) ? side->input.path : side->operand;

	return path != NULL && strcmp(path, "-") == 0;
}

/* Where a file belongs tells what it is, before its own name does: git gives temporary ones. */
static void find_kind(struct side *side) {
	enum fw_ruleset_kind kind =
		side->as != NULL ? fw_ruleset_kind_of(side->as) : FW_RULESET_NONE;

	if (kind != FW_RULESET_NONE) {
		side->input = (struct fw_ruleset_input){.kind = kind, .path = side->operand};
	} else {
		fw_ruleset_input_parse(side->operand, &side->input);
	}
	side->input.sets_path = side->ipset;
}

/* Options that a side cannot take. */
static void check_side(struct fw_run *run, const struct side *side, const char *name) {
	enum fw_ruleset_kind kind = side->input.kind;

	if (is_ruleset(side) && side->sets.count != 0) {
		fw_usage(&run->diags, "option-conflict",
			"--%s-set is for profiles, and '%s' is a rule set", name, side->operand);
	}
	if (side->ipset != NULL && kind != FW_RULESET_IPTABLES && kind != FW_RULESET_IP6TABLES) {
		fw_usage(&run->diags, "option-conflict",
			"--%s-ipset is for iptables and ip6tables, and '%s' is for neither", name,
			side->operand);
	}
	if (kind == FW_RULESET_LIVE && side->as != NULL) {
		fw_usage(&run->diags, "option-conflict",
			"--%s-as is for files, and '%s' is what runs", name, side->operand);
	}
}

static bool chooses_services(const struct fw_run *run) {
	bool chooses = run->sets.count != 0;

	for (size_t i = 0; i < FW_IMPORTANCE_COUNT; i++) {
		chooses |= run->request.only[i] || run->request.without[i];
	}
	return chooses;
}

/** False: an error is in the list. */
static bool find_kinds(struct fw_run *run, struct diff *diff) {
	struct side *before = &diff->sides[FW_BEFORE], *after = &diff->sides[FW_AFTER];

	for (size_t i = 0; i < FW_WHICH_COUNT; i++) {
		find_kind(&diff->sides[i]);
		check_side(run, &diff->sides[i], fw_which_names[i]);
	}
	if (is_stdin(before) && is_stdin(after)) {
		fw_usage(&run->diags, "operands", "standard input can only be read once");
	}
	if (before->input.kind == FW_RULESET_LIVE && after->input.kind == FW_RULESET_LIVE) {
		fw_usage(&run->diags, "operands", "what runs is the same on both sides");
	}
	if (is_ruleset(before) && is_ruleset(after) && chooses_services(run)) {
		fw_usage(&run->diags, "option-conflict",
			"--set, --only and --without are for profiles, and both are rule sets");
	}
	return run->diags.errors == 0;
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

/** False: an error is in the list. */
static bool read_profile(struct fw_run *run, struct side *side) {
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

/** False: an error is in the list. */
static bool read_rulesets(struct fw_run *run, struct side *side) {
	const struct fw_source *text;

	if (side->as == NULL) {
		return fw_rulesets_read(run, &side->input, &side->rulesets);
	}
	text = fw_source_read_bytes(&run->arena, side->input.path, &run->diags);
	if (text == NULL) {
		return false;
	}
	side->input.text = fw_source_bytes(&run->arena, side->as, text->text, &run->diags);
	side->input.path = side->as;
	return fw_rulesets_read(run, &side->input, &side->rulesets);
}

static bool read_side(struct fw_run *run, struct side *side, struct fw_changed_side *out_side) {
	out_side->label = side->as != NULL ? side->as : side->operand;
	if (is_ruleset(side)) {
		out_side->rulesets = &side->rulesets;
		return read_rulesets(run, side);
	}
	out_side->policy = &side->profile.policy;
	return read_profile(run, side);
}

/** What runs first, as files are read elsewhere; and both, so that the mistakes of both are told.
 */
static bool read_sides(struct fw_run *run, struct diff *diff, struct fw_changes *changes) {
	bool live_is_after = diff->sides[FW_AFTER].input.kind == FW_RULESET_LIVE;
	bool good = true;

	for (size_t i = 0; i < FW_WHICH_COUNT; i++) {
		size_t which = live_is_after ? FW_AFTER - i : i;
		good &= read_side(run, &diff->sides[which], &changes->sides[which]);
	}
	return good;
}

/** Packets of one family that one side knows, and of the other one that the other does. */
static bool have_packets_in_common(struct fw_run *run, const struct diff *diff) {
	const struct side *before = &diff->sides[FW_BEFORE], *after = &diff->sides[FW_AFTER];
	enum fw_family one = before->rulesets.family, other = after->rulesets.family;

	if (one != FW_FAMILY_NONE && other != FW_FAMILY_NONE && one != other) {
		fw_usage(&run->diags, "operands",
			"'%s' is about %s alone and '%s' about %s: they have nothing in common",
			before->operand, fw_family_names[one], after->operand,
			fw_family_names[other]);
		return false;
	}
	return true;
}

/** False: an error is in the list. */
static bool find_changes(struct fw_run *run, struct diff *diff, struct fw_changes *changes) {
	if (!find_kinds(run, diff) || !read_sides(run, diff, changes) ||
		!have_packets_in_common(run, diff)) {
		return false;
	}
	changes->limit = diff->limit;
	changes->scope = fw_changes_scope(changes->sides);
	return fw_changes_find(changes, run);
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
	size_t length;

	fw_buf_add_text(&text, "flowfw diff ");
	fw_buf_add_escaped(&text, fw_slice(diff->git));
	fw_buf_add_char(&text, '\n');
	if (alone != NULL) {
		fw_buf_printf(&text, "%s\n", alone);
	} else if (!find_changes(run, diff, changes)) {
		fw_diags_render(&run->diags, true, &text);
		fw_diags_fini(&run->diags);
	} else {
		length = text.length;
		fw_changes_text(changes, &text);
		fw_buf_add_text(&text, text.length == length ? "the same meaning\n" : "");
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
	return fw_changes_exit(&changes);
}

const struct fw_command fw_command_diff = {"diff", help, run_diff};
