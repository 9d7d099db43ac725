// SPDX-License-Identifier: GPL-2.0-or-later
/* Other programs: what they are given, what comes back, and what they must not inherit. */

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"
#include "child.h"

enum { SMALL = 4096, LARGE = 3 * 1024 * 1024 };

static void process_fini(struct fw_process *process) {
	fw_buf_fini(&process->output);
	fw_buf_fini(&process->errors);
}

/* A line for sh(1). */
#define SHELL(line)                                                                                \
	{                                                                                          \
		.arguments = (const char *const[]){"sh", "-c", (line), NULL}, .output_max = SMALL, \
		.errors_max = SMALL                                                                \
	}

static const struct {
	const char *line, *input, *output, *errors;
	int status;
} lines[] = {
	{"cat", "some\nlines", "some\nlines", "", 0},
	{"cat", "", "", "", 0},
	{"cat /dev/stdin; cat /proc/self/fd/0", "twice", "twicetwice", "", 0},
	{"read -r line; echo \"$line\" >&2; exit 7", "said\nmore\n", "", "said\n", 7},
	{"echo $LC_ALL", "", "C\n", "", 0},
	{"exec >&- 2>&-; exit 3", "", "", "", 3},
};

START_TEST(programs_read_and_write) {
	FW_AUTO(process_fini) struct fw_process process = SHELL(lines[_i].line);

	process.input = fw_slice(lines[_i].input);
	setenv("LC_ALL", "C.UTF-8", 1);
	ck_assert_int_eq(fw_process_run(&process), 0);
	fw_buf_add(&process.output, "", 0);
	fw_buf_add(&process.errors, "", 0);
	ck_assert_str_eq(process.output.data, lines[_i].output);
	ck_assert_str_eq(process.errors.data, lines[_i].errors);
	ck_assert(WIFEXITED(process.status));
	ck_assert_int_eq(WEXITSTATUS(process.status), lines[_i].status);
}
END_TEST

START_TEST(much_goes_through) {
	FW_AUTO(process_fini) struct fw_process process = SHELL("tee /dev/stderr");
	FW_AUTO(fw_buf_fini) struct fw_buf input = {0};

	memset(fw_buf_reserve(&input, LARGE), 'x', LARGE);
	fw_buf_grew(&input, LARGE);
	process.input = fw_buf_slice(&input);
	process.output_max = LARGE;
	ck_assert_int_eq(fw_process_run(&process), 0);
	ck_assert_int_eq(process.status, 0);
	ck_assert(fw_slice_equal(fw_buf_slice(&process.output), fw_buf_slice(&input)));
	ck_assert_uint_eq(process.errors.length, SMALL);
}
END_TEST

START_TEST(too_much_ends_it) {
	FW_AUTO(process_fini) struct fw_process process = SHELL("while :; do echo line; done");

	ck_assert_int_eq(fw_process_run(&process), EFBIG);
	ck_assert_uint_eq(process.output.length, SMALL);
	ck_assert(WIFSIGNALED(process.status));
}
END_TEST

/* It waits, be it for ever, with its streams open, closed, or held by a child of its own. */
static const char *const slow[] = {"sleep 1000", "exec >&- 2>&-; sleep 1000",
	"echo line; while :; do sleep 1000; done", "sleep 3 & sleep 1000", "while :; do :; done"};

START_TEST(too_long_ends_it) {
	FW_AUTO(process_fini) struct fw_process process = SHELL(slow[_i]);
	time_t begin = time(NULL);

	process.seconds_max = 1;
	ck_assert_int_eq(fw_process_run(&process), ETIMEDOUT);
	ck_assert(time(NULL) - begin < 3);
	ck_assert(WIFSIGNALED(process.status));
	ck_assert_int_eq(WTERMSIG(process.status), SIGKILL);
}
END_TEST

START_TEST(what_ends_in_time_is_told) {
	FW_AUTO(process_fini)
	struct fw_process process = SHELL("echo line; exec >&- 2>&-; sleep 0.3; exit 6");

	process.seconds_max = 60;
	ck_assert_int_eq(fw_process_run(&process), 0);
	ck_assert(WIFEXITED(process.status));
	ck_assert_int_eq(WEXITSTATUS(process.status), 6);
	ck_assert_uint_eq(process.output.length, strlen("line\n"));
}
END_TEST

START_TEST(what_cannot_be_run_is_told) {
	FW_AUTO(process_fini)
	struct fw_process process = {.arguments = (const char *const[]){"no-such-program", NULL}};
	FW_AUTO(process_fini) struct fw_process elsewhere = SHELL("pwd");

	ck_assert_int_eq(fw_process_run(&process), ENOENT);
	elsewhere.folder = "/no/such/folder";
	ck_assert_int_eq(fw_process_run(&elsewhere), ENOENT);
	elsewhere.folder = "/usr";
	ck_assert_int_eq(fw_process_run(&elsewhere), 0);
	ck_assert_str_eq(elsewhere.output.data, "/usr\n");
}
END_TEST

static const char *const paths[] = {NULL, "", ":.:", "bin:also", "/no/such/folder"};

static int run_with_odd_path(const char *path) {
	struct fw_process process = SHELL("exit 5");

	if (path != NULL) {
		setenv("PATH", path, 1);
	} else {
		unsetenv("PATH");
	}
	bool fine = chdir("/bin") == 0 && fw_process_run(&process) == 0;
	process_fini(&process);
	return fine ? WEXITSTATUS(process.status) : 1;
}

static int run_with_odd_paths(void) {
	for (size_t i = 0; i < FW_LENGTH(paths); i++) {
		if (run_with_odd_path(paths[i]) != 5) {
			return 1;
		}
	}
	return 0;
}

/* As from whoever runs flowfw: descriptors without O_CLOEXEC, and signals out of order. */
static int run_with_much_to_inherit(void) {
	struct fw_process process =
		SHELL("grep -E '^Sig(Blk|Ign)' /proc/self/status; ls /proc/$$/fd");
	sigset_t all;
	int ends[2];

	sigfillset(&all);
	if (pipe(ends) != 0 || fcntl(ends[0], F_DUPFD, 77) < 77 ||
		signal(SIGPIPE, SIG_IGN) == SIG_ERR || sigprocmask(SIG_BLOCK, &all, NULL) != 0 ||
		fw_process_run(&process) != 0) {
		return 1;
	}
	bool fine = fw_slice_is(fw_buf_slice(&process.output),
		"SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n0\n1\n2\n");
	if (!fine) {
		fprintf(stderr, "%d\n%s%s", process.status, process.output.data,
			process.errors.data);
	}
	process_fini(&process);
	return fine ? 0 : 2;
}

static int descriptors(void) {
	int count = 0;

	for (int fd = 0; fd < 256; fd++) {
		count += fcntl(fd, F_GETFD) >= 0;
	}
	return count;
}

START_TEST(no_descriptor_stays_open) {
	int before = descriptors();

	for (size_t i = 0; i < FW_LENGTH(lines); i++) {
		FW_AUTO(process_fini) struct fw_process process = SHELL(lines[i].line);
		ck_assert_int_eq(fw_process_run(&process), 0);
	}
	too_much_ends_it_fn(0);
	what_cannot_be_run_is_told_fn(0);
	ck_assert_int_eq(descriptors(), before);
}
END_TEST

/* In a process without the usual three, their numbers go to others. */
static int run_without_descriptors(void) {
	struct fw_process process = SHELL("cat; echo said >&2");

	close(STDIN_FILENO);
	close(STDOUT_FILENO);
	close(STDERR_FILENO);
	process.input = FW_SLICE("here");
	bool fine = fw_process_run(&process) == 0 && process.status == 0 &&
		    fw_slice_is(fw_buf_slice(&process.output), "here") &&
		    fw_slice_is(fw_buf_slice(&process.errors), "said\n");
	process_fini(&process);
	return fine ? 0 : 1;
}

static int run_where_children_are_ignored(void) {
	struct fw_process process = SHELL("exit 5");

	signal(SIGCHLD, SIG_IGN);
	bool fine = fw_process_run(&process) == 0 && WIFEXITED(process.status) &&
		    WEXITSTATUS(process.status) == 5;
	process_fini(&process);
	return fine && signal(SIGCHLD, SIG_DFL) == SIG_IGN ? 0 : 1;
}

static int (*const odd_parents[])(void) = {
	run_with_odd_paths,
	run_with_much_to_inherit,
	run_without_descriptors,
	run_where_children_are_ignored,
};

START_TEST(odd_parents_do_no_harm) {
	ck_assert_int_eq(run_in_child(odd_parents[_i]), 0);
}
END_TEST

/* The child of the process that dies tells its number, and then sleeps. */
START_TEST(it_dies_with_its_parent) {
	int ends[2];
	char number[32] = "";

	ck_assert_int_eq(pipe(ends), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct fw_process process = SHELL(NULL);
		char line[64];
		snprintf(line, sizeof(line), "echo $$ >/proc/%d/fd/%d; exec sleep 100", getpid(),
			ends[1]);
		const char *const arguments[] = {"sh", "-c", line, NULL};
		process.arguments = arguments;
		_exit(fw_process_run(&process));
	}
	ck_assert_int_gt(read(ends[0], number, sizeof(number) - 1), 0);
	pid_t sleeper = (pid_t)atoi(number);
	ck_assert_int_gt(sleeper, 1);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	for (int i = 0; i < 1000 && kill(sleeper, 0) == 0; i++) {
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	}
	ck_assert_int_ne(kill(sleeper, 0), 0);
}
END_TEST

int main(void) {
	Suite *suite = suite_create("process");
	TCase *programs = tcase_create("programs");

	tcase_set_timeout(programs, 60);
	tcase_add_loop_test(programs, programs_read_and_write, 0, FW_LENGTH(lines));
	tcase_add_test(programs, much_goes_through);
	tcase_add_test(programs, too_much_ends_it);
	tcase_add_loop_test(programs, too_long_ends_it, 0, FW_LENGTH(slow));
	tcase_add_test(programs, what_ends_in_time_is_told);
	tcase_add_test(programs, what_cannot_be_run_is_told);
	tcase_add_test(programs, no_descriptor_stays_open);
	tcase_add_loop_test(programs, odd_parents_do_no_harm, 0, FW_LENGTH(odd_parents));
	tcase_add_test(programs, it_dies_with_its_parent);
	suite_add_tcase(suite, programs);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
