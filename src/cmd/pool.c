// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The pool: each process has a socket of its own, gets the number of a task, sends the result and
 * gets the next. So it is always known which task a process has died of. Packets keep results apart
 * and whole.
 */

#include "cmd/pool.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- signals ---- */

int fw_signals_hold(struct fw_signals *signals) {
	sigset_t held;
	sigemptyset(&held);
	sigaddset(&held, SIGINT);
	sigaddset(&held, SIGTERM);
	sigaddset(&held, SIGHUP);
	signals->fd = signalfd(-1, &held, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals->fd < 0) {
		return errno;
	}
	sigprocmask(SIG_BLOCK, &held, &signals->before);
	return 0;
}

int fw_signals_taken(const struct fw_signals *signals) {
	struct signalfd_siginfo info;
	return read(signals->fd, &info, sizeof(info)) == (ssize_t)sizeof(info) ? (int)info.ssi_signo
									       : 0;
}

void fw_signals_release(struct fw_signals *signals, int taken) {
	close(signals->fd);
	if (taken != 0) {
		raise(taken); /* waits until it may come */
	}
	sigprocmask(SIG_SETMASK, &signals->before, NULL);
}

/* ---- state ---- */

/*
 * How far results may run ahead of the one whose turn it is, in tasks and in bytes: while a huge
 * device is compiled, thousands of small ones are, but their mistakes must not fill the memory.
 */
enum { AHEAD_MAX = 8192, HELD_MAX = 1024 * 1024 };

/** A process, or a place for one. */
struct worker {
	pid_t pid; /* 0: none */
	int fd;
	bool busy;
	size_t task;
};

/** What became of a task whose turn has not come. */
struct result {
	bool here;
	bool lost;
	int status; /* of the process that was lost */
	char *data; /* or NULL */
	size_t length;
};

struct state {
	const struct fw_pool *pool;
	struct worker *workers;
	struct pollfd *polled; /* of the workers, and of the signals */
	struct result *ring;   /* of AHEAD_MAX */
	size_t next;	       /* task to give out */
	size_t turn;	       /* task whose result is taken next */
	size_t held;	       /* bytes of results that wait */
	size_t finished;
	char packet[FW_POOL_RESULT_MAX];
};

/* ---- in the process of a worker ---- */

static _Noreturn void serve(const struct state *state, int fd, pid_t parent) {
	const struct fw_pool *pool = state->pool;
	FW_AUTO(fw_buf_fini) struct fw_buf result = {0};
	size_t task;

	/* Whoever presses Ctrl-C means the program, which ends its workers itself. */
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	sigprocmask(SIG_SETMASK, &pool->signals->before, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (unsigned i = 0; i < pool->processes; i++) {
		if (state->workers[i].pid != 0) {
			close(state->workers[i].fd);
		}
	}
	while (getppid() == parent &&
		TEMP_FAILURE_RETRY(recv(fd, &task, sizeof(task), 0)) == (ssize_t)sizeof(task)) {
		result.length = 0;
		fw_buf_add(&result, "", 0);
		pool->work(pool->context, task, &result);
		assert(result.length <= FW_POOL_RESULT_MAX);
		if (TEMP_FAILURE_RETRY(send(fd, result.data, result.length, 0)) < 0) {
			break;
		}
	}
	_exit(0);
}

/* ---- in the program ---- */

/** Returns 0 or an errno value. */
static int start(const struct state *state, struct worker *worker) {
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
		return errno;
	}
	pid_t parent = getpid();
	pid_t pid = fork();
	if (pid == 0) {
		close(ends[0]);
		serve(state, ends[1], parent);
	}
	int error = errno;
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		return error;
	}
	*worker = (struct worker){.pid = pid, .fd = ends[0]};
	return 0;
}

/** Ends a process, if it has not ended by itself, and returns its status. */
static int stop(struct worker *worker) {
	int status = 0;
	kill(worker->pid, SIGKILL);
	close(worker->fd);
	while (waitpid(worker->pid, &status, 0) < 0 && errno == EINTR) {
	}
	*worker = (struct worker){0};
	return status;
}

static bool may_run_ahead(const struct state *state) {
	return state->next < state->pool->count && state->next - state->turn < AHEAD_MAX &&
	       (state->held < HELD_MAX || state->next == state->turn);
}

/** Gives a worker its task. Returns 0 or an errno value: there is no process to give it to. */
static int give(struct state *state, struct worker *worker) {
	if (worker->pid == 0) {
		int error = start(state, worker);
		if (error != 0) {
			return error;
		}
	}
	if (send(worker->fd, &state->next, sizeof(state->next), 0) < 0) {
		int error = errno;
		stop(worker);
		return error;
	}
	worker->busy = true;
	worker->task = state->next++;
	return 0;
}

/** Gives out tasks to who has none. Fewer processes than wished for will do. */
static int give_all(struct state *state) {
	size_t busy = 0;
	int error = 0;
	for (unsigned i = 0; i < state->pool->processes; i++) {
		struct worker *worker = &state->workers[i];
		if (!worker->busy && may_run_ahead(state)) {
			int failed = give(state, worker);
			/* One that died while it had nothing to do is replaced. */
			failed = failed != 0 ? give(state, worker) : 0;
			error = failed != 0 ? failed : error;
		}
		busy += worker->busy;
	}
	return busy != 0 || state->turn == state->pool->count ? 0 : error;
}

static void keep(struct state *state, size_t task, struct result result) {
	state->ring[task % AHEAD_MAX] = result;
	state->held += result.length;
	state->finished++;
	state->pool->progress(state->pool->context, state->finished);
}

/** Takes the result of a worker that has something to say, or the news of its death. */
static void hear(struct state *state, struct worker *worker) {
	struct result result = {.here = true};
	ssize_t length =
		TEMP_FAILURE_RETRY(recv(worker->fd, state->packet, sizeof(state->packet), 0));
	bool busy = worker->busy;
	size_t task = worker->task;
	if (length > 0) {
		worker->busy = false;
		result.length = (size_t)length;
		result.data = memcpy(fw_alloc(result.length), state->packet, result.length);
	} else {
		result.lost = true;
		result.status = stop(worker);
	}
	if (busy) {
		keep(state, task, result);
	}
}

static void take_turns(struct state *state) {
	const struct fw_pool *pool = state->pool;
	struct result *result = &state->ring[state->turn % AHEAD_MAX];
	while (result->here) {
		if (result->lost) {
			pool->lost(pool->context, state->turn, result->status);
		} else {
			pool->take(pool->context, state->turn,
				(struct fw_slice){result->data, result->length});
		}
		state->held -= result->length;
		free(result->data);
		*result = (struct result){0};
		state->turn++;
		result = &state->ring[state->turn % AHEAD_MAX];
	}
}

/** Waits for what happens next. Returns the signal that came, or 0. */
static int wait_for_news(struct state *state) {
	unsigned processes = state->pool->processes;
	for (unsigned i = 0; i < processes; i++) {
		const struct worker *worker = &state->workers[i];
		state->polled[i] =
			(struct pollfd){.fd = worker->pid != 0 ? worker->fd : -1, .events = POLLIN};
	}
	state->polled[processes] =
		(struct pollfd){.fd = state->pool->signals->fd, .events = POLLIN};
	if (poll(state->polled, processes + 1, -1) <= 0) {
		return 0;
	}
	if (state->polled[processes].revents != 0) {
		return fw_signals_taken(state->pool->signals);
	}
	for (unsigned i = 0; i < processes; i++) {
		if (state->polled[i].revents != 0) {
			hear(state, &state->workers[i]);
		}
	}
	return 0;
}

static void state_fini(struct state *state) {
	for (unsigned i = 0; i < state->pool->processes; i++) {
		if (state->workers[i].pid != 0) {
			stop(&state->workers[i]);
		}
	}
	for (size_t i = 0; i < AHEAD_MAX; i++) {
		free(state->ring[i].data);
	}
	free(state->workers);
	free(state->polled);
	free(state->ring);
	free(state);
}

int fw_pool_run(const struct fw_pool *pool, int *out_signal) {
	struct state *state = fw_alloc(sizeof(*state));
	int error = 0;

	state->pool = pool;
	state->workers = fw_alloc(pool->processes * sizeof(*state->workers));
	state->polled = fw_alloc((pool->processes + 1) * sizeof(*state->polled));
	state->ring = fw_alloc(AHEAD_MAX * sizeof(*state->ring));
	*out_signal = 0;
	signal(SIGCHLD, SIG_DFL); /* where it is ignored, nobody is told how a child ended */
	while (state->turn < pool->count && error == 0 && *out_signal == 0) {
		error = give_all(state);
		if (error == 0) {
			*out_signal = wait_for_news(state);
		}
		take_turns(state);
	}
	state_fini(state);
	return error;
}
