// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * flowfw check: a profile is read, resolved and linted, and the running kernel asked on demand.
 * Mistakes and warnings are main's to print; a valid profile is one line on standard output.
 */

#include "cmd/cmd.h"
#include "kernel/kernel.h"

enum { OPTION_KERNEL = FW_OPTION_OWN };

static const char help[] =
	"usage: flowfw check [options] PROFILE\n"
	"Says whether a profile is valid, and warns of what is probably not meant.\n"
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
	"  -q, --quiet             no warnings\n"
	"  -h, --help              this text\n"
	"\n"
	"exit: 0 valid, 2 usage, 3 invalid profile, 5 system failure, or the kernel\n"
	"would not load it. See flowfw(1).\n";

static const struct option options[] = {
	FW_PROFILE_OPTIONS,
	{"kernel", no_argument, NULL, OPTION_KERNEL},
	FW_QUIET_OPTION,
	FW_HELP_OPTION,
	{0},
};

static bool read_arguments(struct fw_run *run, int argc, char *argv[], bool *out_kernel) {
	int option;
	while ((option = fw_option_next(run, argc, argv, ":p:qh", options)) != -1) {
		if (option == OPTION_KERNEL) {
			*out_kernel = true;
		}
	}
	fw_option_profiles(run, argc - optind, argv + optind);
	fw_option_need_profile(run, "check");
	return fw_options_fine(run);
}

static const char *plural(size_t count) {
	return count == 1 ? "" : "s";
}

static void print_verdict(struct fw_run *run, const struct fw_profile *profile, bool kernel) {
	size_t on = 0;
	for (size_t i = 0; i < profile->service_count; i++) {
		const struct fw_service_row *row = &profile->services[i];
		on += row->state == FW_SERVICE_ON && !fw_row_is_base(row);
	}
	size_t warnings = run->diags.warnings;
	FW_AUTO(fw_buf_fini) struct fw_buf line = {0};
	fw_buf_add_escaped(&line, fw_slice(profile->policy.name));
	fw_buf_printf(&line, ": valid; %zu service%s on, %zu warning%s%s\n", on, plural(on),
		warnings, plural(warnings), kernel ? "; this kernel would load it" : "");
	fw_print(run, fw_buf_slice(&line));
}

static enum fw_exit run_check(struct fw_run *run, int argc, char *argv[]) {
	bool kernel = false;
	struct fw_profile profile;
	if (!read_arguments(run, argc, argv, &kernel) || !fw_run_profile(run, &profile)) {
		return FW_EXIT_FINE;
	}
	if (kernel && !fw_kernel_check(fw_nft_lower(&run->arena, &profile.policy, FW_NFT_4_19),
			      &run->diags)) {
		return FW_EXIT_FINE;
	}
	print_verdict(run, &profile, kernel);
	return FW_EXIT_FINE;
}

const struct fw_command fw_command_check = {"check", help, run_check};
