// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_TEST_MACHINE_H
#define FW_TEST_MACHINE_H
/*
 * Network namespaces, and the running kernel's rules in them, for the suites of the dry run.
 */

#include <check.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/transaction.h"

/* ---- the machine ---- */

/** A namespace without any rules. */
static inline void enter_namespace(void) {
	ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
}

static inline void load_text(const char *text) {
	FILE *nft = popen("nft -f -", "w");

	ck_assert_ptr_nonnull(nft);
	fputs(text, nft);
	ck_assert_msg(pclose(nft) == 0, "nft does not load this:\n%s", text);
}

static inline void list_rules(struct fw_buf *out) {
	FILE *nft = popen("nft -y list ruleset", "r");
	char bytes[4096];
	size_t length;

	ck_assert_ptr_nonnull(nft);
	while ((length = fread(bytes, 1, sizeof(bytes), nft)) != 0) {
		fw_buf_add(out, bytes, length);
	}
	fw_buf_add_text(out, "");
	ck_assert_int_eq(pclose(nft), 0);
}

/* ---- words for literals ---- */

/** A source that is never opened: tests look only at where a diagnostic points. */
static const struct fw_source source = {.name = "site.yaml"};

#define AT(place)                                                                                  \
	{ &source, (place), (place) + 1 }
#define RANGE4(first, last)                                                                        \
	{ {0, (first)}, {0, (last)}, FW_IPV4 }
#define DOCUMENTATION6 UINT64_C(0x20010db800000000)

/* ---- running ---- */

static inline bool run(const struct fw_nft_table *table, bool commit, struct fw_diags *diags) {
	struct fw_netlink netlink FW_AUTO(fw_netlink_close) = {0};

	return fw_netlink_open(&netlink, diags) && fw_kernel_run(table, &netlink, commit, diags);
}

static inline void expect_success(bool success, const struct fw_diags *diags) {
	ck_assert_msg(success && diags->errors == 0, "%s",
		diags->errors != 0 ? diags->list.items[0]->message : "failed without a word");
}

/** The rule set of a new namespace after the kernel took the table. */
static inline void list_committed(const struct fw_nft_table *table, struct fw_buf *out) {
	struct fw_diags diags FW_AUTO(fw_diags_fini) = {0};

	enter_namespace();
	expect_success(run(table, true, &diags), &diags);
	list_rules(out);
}

/* ---- all tests ---- */

/** Skips the lot, unless the caller insists that it runs. */
static inline int skip(const char *reason) {
	const char *must_run = getenv("FLOWFW_MUST_RUN");

	if (must_run != NULL && strcmp(must_run, "1") == 0) {
		fprintf(stderr, "must run, but %s\n", reason);
		return EXIT_FAILURE;
	}
	printf("1..0 # SKIP %s\n", reason);
	return EXIT_SUCCESS;
}

/** The exit status of a test program of one suite. */
static inline int run_suite(Suite *suite) {
	SRunner *runner;
	int failed;

	if (unshare(CLONE_NEWNET) != 0) {
		return skip("no permission to make a network namespace");
	}
	if (system("nft list ruleset >/dev/null 2>&1") != 0) {
		return skip("nft is missing, or the kernel has no nf_tables");
	}
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
