// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs a command with its output thrown away and prints its wall-clock time in microseconds and its
 * peak memory in KiB. A small program for it, since the kernel counts the memory of what forked as
 * the child's own.
 */

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long microseconds(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int main(int argc, char *argv[]) {
	if (argc < 2) {
		fputs("usage: measure COMMAND…\n", stderr);
		return EXIT_FAILURE;
	}
	long start = microseconds();
	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	pid_t child;
	int error = posix_spawn(&child, argv[1], &actions, NULL, argv + 1, environ);
	int status;
	struct rusage usage;
	if (error != 0 || wait4(child, &status, 0, &usage) != child || status != 0) {
		fprintf(stderr, "measure: %s failed\n", argv[1]);
		return EXIT_FAILURE;
	}
	printf("%ld %ld\n", microseconds() - start, usage.ru_maxrss);
	return EXIT_SUCCESS;
}
