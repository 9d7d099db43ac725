// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Makes the kernel load a profile from the messages of the dry run, in the network namespace it is
 * started in. run.py compares what comes of it with what comes of the text.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/transaction.h"
#include "profile/profile.h"

static bool load(struct fw_arena *arena, const char *name, enum fw_nft_kernel kernel,
	struct fw_diags *diags) {
	struct fw_library library FW_AUTO(fw_library_fini) = {0};
	struct fw_netlink netlink FW_AUTO(fw_netlink_close) = {0};
	struct fw_request request = {.profile = name};
	struct fw_profile profile;

	fw_library_init(&library, arena);
	return fw_profile_load(arena, &library, &request, &profile, diags) &&
	       fw_netlink_open(&netlink, diags) &&
	       fw_kernel_run(fw_nft_lower(arena, &profile.policy, kernel), &netlink, true, diags);
}

int main(int argc, char *argv[]) {
	struct fw_arena arena FW_AUTO(fw_arena_fini) = {0};
	struct fw_diags diags FW_AUTO(fw_diags_fini) = {0};
	struct fw_buf text FW_AUTO(fw_buf_fini) = {0};
	bool success;

	if (argc != 3) {
		fputs("usage: commit_site PROFILE KERNEL\n", stderr);
		return EXIT_FAILURE;
	}
	bool newer = strcmp(argv[2], "5.6") == 0;
	success = load(&arena, argv[1], newer ? FW_NFT_5_6 : FW_NFT_4_19, &diags);
	fw_diags_render(&diags, true, &text);
	if (text.length != 0) {
		fputs(text.data, stderr);
	}
	return success ? EXIT_SUCCESS : EXIT_FAILURE;
}
