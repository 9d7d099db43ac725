// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * flowfw check: a profile is read, resolved and linted, and the running kernel asked on demand.
 * Mistakes and warnings are main's to print; a valid profile is one line on standard output.
 */

#include "cmd/agree.h"
#include "cmd/cmd.h"
#include "cmd/expects.h"
#include "cmd/verdict.h"
#include "kernel/kernel.h"
#include "meaning/meaning.h"

enum {
	OPTION_KERNEL = FW_OPTION_OWN,
	OPTION_FLEET,
	OPTION_STRICT,
	OPTION_ALL_LINTS,
	OPTION_JSON,
};

struct arguments {
	bool kernel, strict, all_lints, json;
	const char *fleet, *processes; /* or NULL */
};

static const char help[] =
	"usage: flowfw check [options] PROFILE\n"
	"       flowfw check [options] --fleet FILE\n"
	"Says whether a profile is valid, and warns of what is probably not meant; or\n"
	"that of each profile of a fleet, and whether gateways pass what the devices\n"
	"behind them need, and devices take what is forwarded to them.\n"
	"\n"
	"PROFILE is the name of a shipped profile or the path of a site file; --profile\n"
	"takes the same.\n"
	"\n"
	"  -p, --profile PROFILE   the profile, as an option\n"
	"      --set PATH=VALUE    change one key, as a site file would; may be repeated\n"
	"      --only LEVELS       only services of these levels: required, recommended,\n"
	"                          optional; with commas between them\n"
	"      --without LEVELS    no services of these levels\n"
	"      --kernel            ask the running kernel too whether it would load the\n"
	"                          nftables rules; changes nothing, needs CAP_NET_ADMIN\n"
	"      --fleet FILE        all sites and gateways that FILE names\n"
	"  -j, --jobs NUMBER       look at so many at a time (default: one on each\n"
	"                          processor)\n"
	"      --strict            exit 1 where there is a warning\n"
	"      --all-lints         show warnings too that `allow-lint` silences\n"
	"      --json              all that was found, as JSON\n"
	"  -q, --quiet             no warnings\n"
	"  -h, --help              this text\n"
	"\n"
	"exit: 0 valid, 1 an expectation fails, gateways and devices do not agree, or a\n"
	"warning with --strict; 2 usage, 3 invalid profile, 5 system failure, the kernel\n"
	"would not load it, or it is too complex to be judged. See flowfw(1).\n";

static const struct option options[] = {
	FW_PROFILE_OPTIONS,
	{"kernel", no_argument, NULL, OPTION_KERNEL},
	{"strict", no_argument, NULL, OPTION_STRICT},
	{"all-lints", no_argument, NULL, OPTION_ALL_LINTS},
	{"json", no_argument, NULL, OPTION_JSON},
	{"fleet", required_argument, NULL, OPTION_FLEET},
	{"jobs", required_argument, NULL, 'j'},
	FW_QUIET_OPTION,
	FW_HELP_OPTION,
	{0},
};

static void check_fleet(struct fw_run *run, const struct arguments *arguments) {
	if (arguments->fleet == NULL && arguments->processes != NULL) {
		fw_usage(&run->diags, "option-conflict", "--jobs has no use without --fleet");
	} else if (arguments->fleet != NULL &&
		   (arguments->strict || arguments->all_lints || arguments->json)) {
		fw_usage(&run->diags, "option-conflict",
			"--strict, --all-lints and --json are for one profile, not for --fleet");
	} else if (arguments->fleet != NULL && arguments->kernel) {
		fw_usage(&run->diags, "option-conflict", "--kernel has no use with --fleet");
	} else if (arguments->fleet != NULL && run->request.profile != NULL) {
		fw_usage(&run->diags, "option-conflict", "a profile has no use with --fleet");
	}
}

static bool read_arguments(struct fw_run *run, int argc, char *argv[], struct arguments *out) {
	int option;
	while ((option = fw_option_next(run, argc, argv, ":p:qj:h", options)) != -1) {
		switch (option) {
		case OPTION_KERNEL:
			out->kernel = true;
			break;
		case OPTION_STRICT:
			out->strict = true;
			break;
		case OPTION_ALL_LINTS:
			out->all_lints = true;
			break;
		case OPTION_JSON:
			out->json = true;
			break;
		case OPTION_FLEET:
			out->fleet = optarg;
			break;
		case 'j':
			out->processes = optarg;
			break;
		}
	}
	fw_option_profiles(run, argc - optind, argv + optind);
	check_fleet(run, out);
	if (out->fleet == NULL) {
		fw_option_need_profile(run, "check");
	}
	return fw_options_fine(run);
}

/* False: the spaces are exhausted. */
static bool judge_expects(struct fw_run *run, const struct fw_profile *profile,
	struct fw_spaces *spaces, const struct fw_interfaces *interfaces) {
	struct fw_meaning meaning;

	if (profile->policy.expect_count == 0) {
		return true;
	}
	fw_meaning_init(&meaning, &run->arena, spaces, interfaces, &profile->policy);
	return !spaces->exhausted && fw_expects_check(run, profile, spaces, interfaces, &meaning);
}

/* Whether services were left out, whose warnings some word may be there for. */
static bool is_cut(const struct fw_request *request) {
	bool cut = false;

	for (size_t i = 0; i < FW_IMPORTANCE_COUNT; i++) {
		cut |= request->only[i] || request->without[i];
	}
	return cut;
}

/*
 * What only the meaning of a profile tells: odd services, and whether what it expects holds. It
 * takes longer than all the rest, so it is not done for `gen`.
 */
void fw_judge(struct fw_run *run, const struct fw_profile *profile) {
	const struct fw_policy *policy = &profile->policy;
	const struct fw_interfaces interfaces = fw_interfaces_of(&run->arena, &policy, 1);
	FW_AUTO(fw_spaces_fini) struct fw_spaces spaces;

	fw_spaces_init(&spaces, NULL);
	if (!fw_meaning_lint(&spaces, &interfaces, policy, &run->diags) ||
		!judge_expects(run, profile, &spaces, &interfaces)) {
		struct fw_diag *diag = fw_failure(&run->diags, "too-complex", 0,
			"'%s' is too complex to be judged", policy->name);
		fw_diag_hint(&run->diags, diag,
			"groups of prefixes that fit no pattern, each with other ports, cost most");
	}
	if (!is_cut(&run->request)) {
		fw_diags_unused(&run->diags);
	}
}

static enum fw_exit run_check(struct fw_run *run, int argc, char *argv[]) {
	struct arguments arguments = {0};
	struct fw_profile profile;
	unsigned processes;
	if (!read_arguments(run, argc, argv, &arguments) ||
		!fw_option_processes(run, arguments.processes, &processes)) {
		return FW_EXIT_FINE;
	}
	if (arguments.fleet != NULL) {
		return fw_fleet_check(run, arguments.fleet, processes);
	}
	if (!fw_run_profile(run, &profile)) {
		if (arguments.json) {
			fw_verdict_print_json(run, NULL);
		}
		return FW_EXIT_FINE;
	}
	if (arguments.kernel &&
		!fw_kernel_check(
			fw_nft_lower(&run->arena, &profile.policy, FW_NFT_4_19), &run->diags)) {
		return FW_EXIT_FINE;
	}
	fw_judge(run, &profile);
	run->diags.show_silenced = arguments.all_lints;
	if (arguments.json) {
		run->quiet = true;
		fw_verdict_print_json(run, &profile);
	} else if (run->diags.errors == 0) {
		fw_verdict_print(run, &profile, arguments.kernel);
	}
	return arguments.strict && run->diags.warnings != 0 ? FW_EXIT_DIFFERS : FW_EXIT_FINE;
}

const struct fw_command fw_command_check = {"check", help, run_check};
