// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_TEST_CHILD_H
#define FW_TEST_CHILD_H
/*
 * Trying in a forked child what ends a process, or changes it for good (limits, users). The suites
 * then run the same with CK_FORK=no.
 */

#include <check.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/** Runs it in a child; returns its exit status, or -1 where a signal ended it. */
static inline int run_in_child(int (*run)(void)) {
	fflush(NULL);
	pid_t child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		_exit(run());
	}
	int status;
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#endif
