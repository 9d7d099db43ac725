// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Running other programs. Their input is a file in memory: it needs nobody to feed it, and can be
 * read again by who prints lines of it. Why a program could not be started comes back through a
 * pipe that closes by itself once it was.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"

enum { READ_END, WRITE_END, ENDS };
enum { OUTPUT, ERRORS, STREAMS }; /* what a program writes */
enum { CHUNK = 64 * 1024 };
enum { FOR_EVER = -1, SECOND = 1000 }; /* milliseconds, for poll(2) */

/* ---- before it runs ---- */

/* Whether a folder has the program; *path is its path then. */
static bool is_in(struct fw_slice folder, const char *name, struct fw_buf *path) {
	path->length = 0;
	fw_buf_add_slice(path, folder);
	fw_buf_add_char(path, '/');
	fw_buf_add_text(path, name);
	return folder.length != 0 && folder.data[0] == '/' && access(path->data, X_OK) == 0;
}

/* A relative folder in PATH would be whatever is there by that name. */
static bool find_program(const char *name, struct fw_buf *path) {
	static const char usual[] = "/usr/sbin:/sbin:/usr/bin:/bin";
	const char *const lists[] = {getenv("PATH"), usual};

	for (size_t i = 0; i < FW_LENGTH(lists); i++) {
		struct fw_slice rest = fw_slice(lists[i] != NULL ? lists[i] : "");
		while (rest.data != NULL) {
			if (is_in(fw_slice_cut(&rest, ':'), name, path)) {
				return true;
			}
		}
	}
	return false;
}

/* Returns 0 or an errno value. */
static int open_input(struct fw_slice input, int *out_fd) {
	int fd = memfd_create("input", MFD_CLOEXEC);
	int error = fd < 0 ? errno : fw_write_all(fd, input);

	if (error == 0 && lseek(fd, 0, SEEK_SET) != 0) {
		error = errno;
	}
	if (error != 0) {
		fw_fd_close(&fd);
		return error;
	}
	*out_fd = fd;
	return 0;
}

/* ---- in its process ---- */

/* Whatever this process was itself started with is not for others either. */
static void keep_descriptors(void) {
	DIR *all = opendir("/proc/self/fd");
	const struct dirent *entry;

	while (all != NULL && (entry = readdir(all)) != NULL) {
		int fd = atoi(entry->d_name);
		if (fd > STDERR_FILENO) {
			fcntl(fd, F_SETFD, FD_CLOEXEC);
		}
	}
}

static void reset_signals(void) {
	sigset_t none;

	for (int number = 1; number < NSIG; number++) {
		signal(number, SIG_DFL); /* two of them cannot be, and need not be */
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Puts descriptors where they belong, from places where none is in the way of another. */
static bool place_descriptors(int input, const int streams[static STREAMS]) {
	int ends[] = {input, streams[OUTPUT], streams[ERRORS]};

	for (size_t i = 0; i < FW_LENGTH(ends); i++) {
		ends[i] = fcntl(ends[i], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
		if (ends[i] < 0) {
			return false;
		}
	}
	for (size_t i = 0; i < FW_LENGTH(ends); i++) {
		if (dup2(ends[i], (int)i) < 0) {
			return false;
		}
	}
	return true;
}

/* Becomes the program. Returns where that fails, errno telling why. */
static void become(const struct fw_process *process, const char *path, pid_t parent, int input,
	const int streams[static STREAMS]) {
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent) {
		_exit(EXIT_FAILURE);
	}
	reset_signals();
	keep_descriptors();
	if (!place_descriptors(input, streams) || setenv("LC_ALL", "C", 1) != 0 ||
		(process->folder != NULL && chdir(process->folder) != 0)) {
		return;
	}
	/* execv(3) takes what it does not change as if it would. */
	union {
		const char *const *given;
		char *const *taken;
	} arguments = {.given = process->arguments};
	execv(path, arguments.taken);
}

/* ---- in this process ---- */

/* Descriptors of this side, while it runs. */
struct running {
	pid_t pid;
	int64_t end;	      /* when its time is over, or FOR_EVER */
	int started;	      /* says why it could not be started */
	int streams[STREAMS]; /* what it writes; -1 once there is no more */
};

static void close_pipe(int ends[static ENDS]) {
	fw_fd_close(&ends[READ_END]);
	fw_fd_close(&ends[WRITE_END]);
}

/* Milliseconds of a clock that nobody sets. */
static int64_t now(void) {
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (int64_t)time.tv_sec * SECOND + time.tv_nsec / 1000000;
}

/* How long it may still take. */
static int time_left(const struct running *running) {
	int64_t left = running->end - now();

	if (running->end == FOR_EVER) {
		return FOR_EVER;
	}
	return left <= 0 ? 0 : left < INT_MAX ? (int)left : INT_MAX;
}

/* Starts it, with pipes that are there. Returns 0 or an errno value. */
static int start(
	const struct fw_process *process, const char *path, int pipes[][ENDS], pid_t *out_pid) {
	FW_AUTO(fw_fd_close) int input = -1;
	int error = open_input(process->input, &input);
	pid_t parent = getpid();

	if (error != 0) {
		return error;
	}
	pid_t pid = fork();
	if (pid == 0) {
		/* A place of its own, since the usual three are about to be taken. */
		int report = fcntl(pipes[STREAMS][WRITE_END], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
		const int streams[] = {pipes[OUTPUT][WRITE_END], pipes[ERRORS][WRITE_END]};
		become(process, path, parent, input, streams);
		error = errno;
		(void)fw_write_all(report, (struct fw_slice){(const char *)&error, sizeof(error)});
		_exit(EXIT_FAILURE);
	}
	*out_pid = pid;
	return pid < 0 ? errno : 0;
}

static int open_running(
	const struct fw_process *process, const char *path, struct running *running) {
	int pipes[STREAMS + 1][ENDS];
	int error = 0;

	memset(pipes, -1, sizeof(pipes));
	for (size_t i = 0; i < FW_LENGTH(pipes) && error == 0; i++) {
		error = pipe2(pipes[i], O_CLOEXEC) != 0 ? errno : 0;
	}
	if (error == 0) {
		error = start(process, path, pipes, &running->pid);
	}
	for (size_t i = 0; i < FW_LENGTH(pipes) && error != 0; i++) {
		close_pipe(pipes[i]);
	}
	if (error != 0) {
		return error;
	}
	for (size_t i = 0; i < FW_LENGTH(pipes); i++) {
		fw_fd_close(&pipes[i][WRITE_END]);
	}
	running->streams[OUTPUT] = pipes[OUTPUT][READ_END];
	running->streams[ERRORS] = pipes[ERRORS][READ_END];
	running->started = pipes[STREAMS][READ_END];
	return 0;
}

/* Takes what there is of one stream. Returns 0 or an errno value: EFBIG, there is too much. */
static int take(struct fw_process *process, struct running *running, int which) {
	struct fw_buf *to = which == OUTPUT ? &process->output : &process->errors;
	size_t max = which == OUTPUT ? process->output_max : process->errors_max;
	ssize_t got = read(running->streams[which], fw_buf_reserve(to, CHUNK), CHUNK);

	if (got < 0) {
		return errno == EINTR || errno == EAGAIN ? 0 : errno;
	}
	if (got == 0) {
		fw_fd_close(&running->streams[which]);
		running->streams[which] = -1;
	}
	fw_buf_grew(to, (size_t)got);
	if (to->length > max) {
		to->length = max;
		to->data[max] = '\0';
		return which == OUTPUT ? EFBIG : 0;
	}
	return 0;
}

static int take_all(struct fw_process *process, struct running *running) {
	int error = 0;

	while (error == 0 && (running->streams[OUTPUT] >= 0 || running->streams[ERRORS] >= 0)) {
		struct pollfd polled[STREAMS];
		for (int i = 0; i < STREAMS; i++) {
			polled[i] = (struct pollfd){.fd = running->streams[i], .events = POLLIN};
		}
		int ready = poll(polled, STREAMS, time_left(running));
		if (ready < 0 && errno != EINTR) {
			return errno;
		}
		if (ready <= 0 && time_left(running) == 0) {
			return ETIMEDOUT;
		}
		for (int i = 0; i < STREAMS && error == 0; i++) {
			error = polled[i].revents != 0 ? take(process, running, i) : 0;
		}
	}
	return error;
}

/* Why it could not be started, or 0; waits until it was. */
static int start_error(const struct running *running) {
	int error = 0;
	ssize_t got = TEMP_FAILURE_RETRY(read(running->started, &error, sizeof(error)));

	return got == (ssize_t)sizeof(error) ? error : 0;
}

/* Once it writes no more, it usually ends; nothing tells the end of those that go on. */
static int await_end(struct fw_process *process, const struct running *running) {
	enum { PAUSE_MAX = 50 };
	int pause = 1;

	while (running->end != FOR_EVER) {
		if (waitpid(running->pid, &process->status, WNOHANG) == running->pid) {
			return 0;
		}
		if (time_left(running) == 0) {
			return ETIMEDOUT;
		}
		(void)poll(NULL, 0, pause);
		pause = pause < PAUSE_MAX ? pause * 2 : pause;
	}
	return TEMP_FAILURE_RETRY(waitpid(running->pid, &process->status, 0)) < 0 ? errno : 0;
}

static int watch(struct fw_process *process, struct running *running) {
	int error = start_error(running);

	if (error == 0) {
		error = take_all(process, running);
	}
	if (error == 0) {
		error = await_end(process, running);
	}
	if (error != 0) {
		kill(running->pid, SIGKILL);
		(void)TEMP_FAILURE_RETRY(waitpid(running->pid, &process->status, 0));
	}
	fw_fd_close(&running->started);
	fw_fd_close(&running->streams[OUTPUT]);
	fw_fd_close(&running->streams[ERRORS]);
	return error;
}

int fw_process_run(struct fw_process *process) {
	FW_AUTO(fw_buf_fini) struct fw_buf path = {0};
	struct running running;
	struct sigaction usual = {.sa_handler = SIG_DFL}, before;

	if (!find_program(process->arguments[0], &path)) {
		return ENOENT;
	}
	sigaction(SIGCHLD, &usual, &before); /* where it is ignored, nobody is told of an end */
	running.end = process->seconds_max == 0 ? FOR_EVER
						: now() + (int64_t)process->seconds_max * SECOND;
	int error = open_running(process, path.data, &running);
	if (error == 0) {
		error = watch(process, &running);
	}
	sigaction(SIGCHLD, &before, NULL);
	return error;
}
