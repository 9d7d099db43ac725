// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_CMD_POOL_H
#define FW_CMD_POOL_H
/*
 * Tasks by number, worked off by processes. Results come back in the order of the tasks whatever
 * order they are finished in, and a process that dies takes one task with it.
 */

#include <signal.h>

#include "base/base.h"

/* ---- signals that end the program ---- */

/** SIGINT, SIGTERM and SIGHUP, held back so that nothing is left half done. */
struct fw_signals {
	sigset_t before;
	int fd; /* readable once one of them has come */
};

/** Returns 0 or an errno value. */
int fw_signals_hold(struct fw_signals *signals);
/** The one that came, or 0. */
int fw_signals_taken(const struct fw_signals *signals);
/** Lets them come again; `taken`, unless it is 0, ends the program now as it would have. */
void fw_signals_release(struct fw_signals *signals, int taken);

/* ---- the pool ---- */

enum {
	FW_POOL_PROCESSES_MAX = 256,
	FW_POOL_RESULT_MAX = 32 * 1024, /* bytes of a result */
};

struct fw_pool {
	size_t count;	    /* tasks */
	unsigned processes; /* 1 to FW_POOL_PROCESSES_MAX */
	const struct fw_signals *signals;
	void *context; /* of all that follow */
	/** In a process of the pool: adds at most FW_POOL_RESULT_MAX bytes. */
	void (*work)(void *context, size_t task, struct fw_buf *out_result);
	/** In this process, in the order of tasks: one of the two for each. */
	void (*take)(void *context, size_t task, struct fw_slice result);
	void (*lost)(void *context, size_t task, int status); /* as of waitpid(2) */
	/** In this process, as often as one more is finished, be its turn now or later. */
	void (*progress)(void *context, size_t finished);
};

/**
 * Returns 0 or an errno value: no process could be started. *out_signal is set when a signal that
 * is held ended it early. No process is left either way.
 */
int fw_pool_run(const struct fw_pool *pool, int *out_signal);

#endif
