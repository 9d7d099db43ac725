// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * flowfw verify: whether a rule set, or what runs, does what a profile says. The proof is
 * prove.c's; this file knows the command line, and prints.
 */

#include <stdlib.h>
#include <string.h>

#include "cmd/json.h"
#include "cmd/prove.h"

enum {
	OPTION_FRAME = FW_OPTION_OWN,
	OPTION_IPSET,
	OPTION_LIVE,
	OPTION_JSON,
	OPTION_LIMIT,
};

enum { LIMIT_DEFAULT = 20, LIMIT_MAX = 100000 };

static const char help[] =
	"usage: flowfw verify [options] PROFILE RULES\n"
	"       flowfw verify [options] --live PROFILE\n"
	"Proves that a rule set does what a profile says, packet for packet, or shows\n"
	"what it does differently, with packets and the rules that decide them.\n"
	"\n"
	"PROFILE is the name of a shipped profile or the path of a site file; RULES is a\n"
	"rule set of whatever origin, - is standard input.\n"
	"\n"
	"what it should do\n"
	"  -p, --profile PROFILE   the profile, as an option\n"
	"      --set PATH=VALUE    change one key, as a site file would; may be repeated\n"
	"      --only LEVELS       only services of these levels: required, recommended,\n"
	"                          optional; with commas between them\n"
	"      --without LEVELS    no services of these levels\n"
	"\n"
	"what it is\n"
	"  -b, --backend NAME      the kind of rule set: nftables, iptables, ip6tables or\n"
	"                          pf (default: by the file's name, .nft, .v4, .v6 or\n"
	"                          .conf, else nftables)\n"
	"  -O, --option NAME=VALUE an option of the backend, as 'gen' takes it\n"
	"      --frame NAME        the frame, as 'gen' takes it\n"
	"      --ipset FILE        the sets that rules of iptables ask\n"
	"      --live              what runs here, in place of RULES; with -b iptables or\n"
	"                          ip6tables, its one family alone\n"
	"\n"
	"what to print\n"
	"      --json              one object\n"
	"      --limit N           at most N rows of each kind; default: 20\n"
	"  -q, --quiet             no warnings\n"
	"  -h, --help              this text\n"
	"\n"
	"exit: 0 proven, 1 different, 2 usage, 3 invalid profile, 5 system failure, or\n"
	"too complex, 6 unproven. See flowfw(1).\n";

static const struct option options[] = {
	FW_PROFILE_OPTIONS,
	{"backend", required_argument, NULL, 'b'},
	{"option", required_argument, NULL, 'O'},
	{"frame", required_argument, NULL, OPTION_FRAME},
	{"ipset", required_argument, NULL, OPTION_IPSET},
	{"live", no_argument, NULL, OPTION_LIVE},
	{"json", no_argument, NULL, OPTION_JSON},
	{"limit", required_argument, NULL, OPTION_LIMIT},
	FW_QUIET_OPTION,
	FW_HELP_OPTION,
	{0},
};

struct arguments {
	const char *backend, *frame, *ipset, *rules; /* or NULL */
	FW_VEC(const char *) options;
	bool live, json;
	uint64_t limit;
};

static void arguments_fini(struct arguments *arguments) {
	FW_VEC_FINI(&arguments->options);
}

/* ---- arguments ---- */

static void read_limit(struct fw_run *run, struct arguments *arguments, const char *text) {
	if (!fw_slice_to_uint(fw_slice(text), LIMIT_MAX, &arguments->limit) ||
		arguments->limit == 0) {
		fw_usage(&run->diags, "bad-limit", "--limit is a number from 1 to %d, not '%s'",
			LIMIT_MAX, text);
	}
}

static void read_option(struct fw_run *run, struct arguments *arguments, int option) {
	switch (option) {
	case 'b':
		arguments->backend = optarg;
		break;
	case 'O':
		FW_VEC_ADD(&arguments->options, optarg);
		break;
	case OPTION_FRAME:
		arguments->frame = optarg;
		break;
	case OPTION_IPSET:
		arguments->ipset = optarg;
		break;
	case OPTION_LIVE:
		arguments->live = true;
		break;
	case OPTION_JSON:
		arguments->json = true;
		break;
	case OPTION_LIMIT:
		read_limit(run, arguments, optarg);
		break;
	default:
		break;
	}
}

static bool is_stdin(const char *path) {
	return path != NULL && strcmp(path, "-") == 0;
}

/* The last operand is the rule set, unless it is what runs. */
static void read_operands(
	struct fw_run *run, struct arguments *arguments, int count, char *operands[]) {
	int profiles = count;

	if (arguments->live && count > (run->request.profile == NULL ? 1 : 0)) {
		fw_usage(&run->diags, "operands",
			"--live reads what runs here, and takes no file; there is '%s' besides",
			operands[count - 1]);
		return;
	}
	if (!arguments->live && (count > 1 || (count == 1 && run->request.profile != NULL))) {
		arguments->rules = operands[--profiles];
	}
	fw_option_profiles(run, profiles, operands);
	fw_option_need_profile(run, "verify");
	if (!run->help && run->diags.errors == 0 && !arguments->live && arguments->rules == NULL) {
		struct fw_diag *diag = fw_usage(&run->diags, "operands",
			"verify needs a rule set to hold against '%s'", run->request.profile);
		fw_diag_hint(&run->diags, diag, "name its file, or say --live for what runs here");
	}
	if (is_stdin(run->request.profile) + is_stdin(arguments->rules) +
			is_stdin(arguments->ipset) >
		1) {
		fw_usage(&run->diags, "operands", "standard input can only be read once");
	}
}

static bool read_arguments(
	struct fw_run *run, int argc, char *argv[], struct arguments *arguments) {
	int option;

	while ((option = fw_option_next(run, argc, argv, ":p:qb:O:h", options)) != -1) {
		read_option(run, arguments, option);
	}
	read_operands(run, arguments, argc - optind, argv + optind);
	return fw_options_fine(run);
}

/* ---- the rule set ---- */

/* The backend that makes files of such a name. */
static const char *backend_of(const char *path) {
	switch (path != NULL ? fw_ruleset_kind_of(path) : FW_RULESET_NONE) {
	case FW_RULESET_IPTABLES:
		return "iptables";
	case FW_RULESET_IP6TABLES:
		return "ip6tables";
	case FW_RULESET_PF:
		return "pf";
	default:
		return "nftables";
	}
}

/* How gen was asked to make it, as far as that matters. False: an error is in the list. */
static bool read_job(struct fw_run *run, const struct arguments *arguments, struct fw_job *out) {
	const char *backend =
		arguments->backend != NULL ? arguments->backend : backend_of(arguments->rules);
	struct fw_job job = {.emitter = fw_option_backend(run, backend)};

	if (job.emitter == NULL) {
		return false;
	}
	fw_options_init(&job.options, job.emitter);
	for (size_t i = 0; i < arguments->options.count; i++) {
		fw_options_set(&job.options, job.emitter, arguments->options.items[i], &run->diags);
	}
	job.spec = arguments->frame != NULL ? fw_option_frame(run, job.emitter, arguments->frame)
					    : job.emitter->frames;
	*out = job;
	return run->diags.errors == 0;
}

/* Which family of what runs counts. */
static enum fw_family family_of(const struct arguments *arguments) {
	if (!arguments->live || arguments->backend == NULL) {
		return FW_FAMILY_NONE;
	}
	if (strcmp(arguments->backend, "iptables") == 0) {
		return FW_IPV4;
	}
	return strcmp(arguments->backend, "ip6tables") == 0 ? FW_IPV6 : FW_FAMILY_NONE;
}

/* What to read. False: an error is in the list. */
static bool read_input(
	struct fw_run *run, const struct arguments *arguments, struct fw_prove *prove) {
	struct fw_ruleset_input *input = &prove->input;
	struct fw_job job;

	if (!read_job(run, arguments, &job)) {
		return false;
	}
	fw_prove_input(&job, input); /* without plug-ins, each backend's result can be read */
	bool sets = input->kind == FW_RULESET_IPTABLES || input->kind == FW_RULESET_IP6TABLES;
	if (arguments->live && (input->kind == FW_RULESET_PF || arguments->ipset != NULL)) {
		fw_usage(&run->diags, "option-conflict", "%s has no use with --live",
			arguments->ipset != NULL ? "--ipset" : "pf");
	} else if (!sets && arguments->ipset != NULL) {
		fw_usage(&run->diags, "option-conflict",
			"--ipset is for iptables and ip6tables; rules of %s have their sets "
			"themselves",
			job.emitter->name);
	}
	/* No frame named: whatever a main file of pf may hold is fine. */
	input->anchor = input->anchor && arguments->frame != NULL;
	input->path = arguments->rules;
	input->sets_path = arguments->ipset;
	prove->label = arguments->rules;
	prove->family = family_of(arguments);
	if (arguments->live) {
		input->kind = FW_RULESET_LIVE;
		prove->label = "live";
	}
	return run->diags.errors == 0;
}

/* ---- printing ---- */

static void print_json(struct fw_run *run, const struct fw_prove *prove) {
	const struct fw_changes *changes = &prove->changes;
	const struct fw_readback *readback = &changes->sides[FW_AFTER].readback;
	enum fw_family family = prove->rulesets.family;
	FW_AUTO(fw_json_fini) struct fw_json json;

	fw_json_init(&json);
	fw_json_text(&json, "verdict", fw_prove_verdict(prove));
	fw_json_text(&json, "profile", prove->policy->name);
	fw_json_text(&json, "rules", prove->label);
	fw_json_text(&json, "family", family != FW_FAMILY_NONE ? fw_family_names[family] : NULL);
	fw_changes_json_keys(changes, &json);
	fw_json_list(&json, "remarks");
	for (size_t i = 0; i < readback->remark_count; i++) {
		fw_json_text(&json, NULL, readback->remarks[i]);
	}
	fw_json_close(&json);
	fw_json_print(run, &json);
}

static void print_text(struct fw_run *run, const struct fw_prove *prove) {
	FW_AUTO(fw_buf_fini) struct fw_buf text = {0};

	fw_prove_text(prove, &text);
	fw_print(run, fw_buf_slice(&text));
}

static void warn_of_remarks(struct fw_run *run, const struct fw_prove *prove) {
	const struct fw_readback *readback = &prove->changes.sides[FW_AFTER].readback;

	for (size_t i = 0; i < readback->remark_count; i++) {
		fw_warning(&run->diags, (struct fw_span){0}, "rule-set-remark", "%s",
			readback->remarks[i]);
	}
}

/* ---- the command ---- */

static enum fw_exit run_verify(struct fw_run *run, int argc, char *argv[]) {
	FW_AUTO(arguments_fini) struct arguments arguments = {.limit = LIMIT_DEFAULT};
	FW_AUTO(fw_prove_fini) struct fw_prove prove = {0};
	struct fw_profile profile;

	if (!read_arguments(run, argc, argv, &arguments) || !read_input(run, &arguments, &prove)) {
		return FW_EXIT_FINE;
	}
	run->diags.muted = true; /* finding fault with the profile is what `check` is for */
	bool loaded = fw_run_profile(run, &profile);
	run->diags.muted = false;
	prove.policy = &profile.policy;
	prove.limit = arguments.limit;
	if (!loaded || !fw_prove_find(&prove, run)) {
		return FW_EXIT_FINE;
	}
	warn_of_remarks(run, &prove);
	if (arguments.json) {
		print_json(run, &prove);
	} else {
		print_text(run, &prove);
	}
	return fw_prove_exit(&prove);
}

const struct fw_command fw_command_verify = {"verify", help, run_verify};
