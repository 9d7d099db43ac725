// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs a command with its output thrown away and prints what it took, in microseconds but for the
 * last: wall-clock time, processor time with what it started itself, without that, of this in the
 * kernel, and KiB of peak memory. A small program for it, since the kernel counts the memory of
 * what forked as the child's own.
 */

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long microseconds(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static long total(const struct timeval *time) {
	return time->tv_sec * 1000000 + time->tv_usec;
}

/* What /proc says of a process that ended and is not waited for yet. */
static FILE *open_of(pid_t pid, const char *name) {
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	return fopen(path, "r");
}

/* On the processor, without the processes that it started; -1 where the kernel does not tell. */
static long own_time(pid_t pid) {
	unsigned long long nanoseconds;
	FILE *file = open_of(pid, "schedstat");
	int found = file != NULL ? fscanf(file, "%llu", &nanoseconds) : 0;
	if (file != NULL) {
		fclose(file);
	}
	return found == 1 ? (long)(nanoseconds / 1000) : -1;
}

/* Of it in the kernel, in ticks' precision; -1 where the kernel does not tell. */
static long own_system_time(pid_t pid) {
	char line[1024];
	unsigned long ticks;
	FILE *file = open_of(pid, "stat");
	const char *text = file != NULL ? fgets(line, sizeof(line), file) : NULL;
	if (file != NULL) {
		fclose(file);
	}
	/* A name may hold spaces, and so is what comes behind its last bracket read. */
	text = text != NULL ? strrchr(text, ')') : NULL;
	int found = text != NULL
			    ? sscanf(text, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %lu",
				      &ticks)
			    : 0;
	return found == 1 ? (long)ticks * 1000000 / sysconf(_SC_CLK_TCK) : -1;
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
	int error = posix_spawnp(&child, argv[1], &actions, NULL, argv + 1, environ);
	siginfo_t end;
	if (error != 0 || waitid(P_PID, (id_t)child, &end, WEXITED | WNOWAIT) != 0) {
		fprintf(stderr, "measure: cannot run %s\n", argv[1]);
		return EXIT_FAILURE;
	}
	long wall = microseconds() - start;
	long own = own_time(child), own_system = own_system_time(child);
	int status;
	struct rusage usage;
	if (wait4(child, &status, 0, &usage) != child || !WIFEXITED(status)) {
		fprintf(stderr, "measure: %s failed\n", argv[1]);
		return EXIT_FAILURE;
	}
	printf("%ld %ld %ld %ld %ld\n", wall, total(&usage.ru_utime) + total(&usage.ru_stime), own,
		own_system, usage.ru_maxrss);
	/* `diff` ends with 1 where there is a difference: whoever asked knows what is meant. */
	return WEXITSTATUS(status);
}
