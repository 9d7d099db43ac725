// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_CMD_FLEET_H
#define FW_CMD_FLEET_H
/*
 * `flowfw gen --fleet`: rule sets of all members of a fleet, as files of one folder.
 */

#include "cmd/cmd.h"

struct fw_fleet_plan {
	const char *fleet;  /* its file */
	const char *folder; /* where the rule sets go */
	const struct fw_job *jobs;
	size_t job_count;
	unsigned processes; /* 0: as many as there are processors */
	bool check;	    /* write nothing */
	bool prune;	    /* remove files of those that are no members any more */
	bool verify;	    /* write only what is proven */
};

/**
 * Compiles all members that can be compiled. What is wrong with one of them is printed at once and
 * is in no list: there may be more than fits into one. The list has what is wrong with all of it.
 */
enum fw_exit fw_fleet_gen(struct fw_run *run, const struct fw_fleet_plan *plan);

#endif
