// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_CMD_MEMBERS_H
#define FW_CMD_MEMBERS_H
/*
 * The members of a fleet, each looked at by a process of a pool; what they find is reported here.
 */

#include "cmd/cmd.h"
#include "cmd/pool.h"
#include "cmd/progress.h"
#include "cmd/report.h"

/** Zeroed but for the run and what follows `context`, it has no members yet. */
struct fw_fleet_members {
	struct fw_run *run;
	void *context;
	/** In a process of the pool: looks at one member, and adds a packet by fw_report_write. */
	void (*work)(void *context, size_t index, struct fw_buf *out_packet);
	/** Takes back what a member's process began and could not end; or NULL. */
	void (*drop)(void *context, const struct fw_fleet_member *member);

	struct fw_fleet fleet;
	struct fw_report report;
	struct fw_progress progress;
	bool *failed; /* by member */
};

void fw_members_fini(struct fw_fleet_members *members);
/** Reads the fleet's file, and what all members stand on. False: an error is in the list. */
bool fw_members_read(struct fw_fleet_members *members, const char *path);

/** Sites come first, then gateways. */
size_t fw_members_count(const struct fw_fleet_members *members);
bool fw_members_is_gateway(const struct fw_fleet_members *members, size_t index);
const struct fw_fleet_member *fw_member_at(const struct fw_fleet_members *members, size_t index);

/** What to load a member by; good as long as the member. */
struct fw_request fw_member_request(
	const struct fw_fleet_members *members, const struct fw_fleet_member *member);

/** Whether it is listed as what it is. False: an error is in the list. */
bool fw_member_fits(const struct fw_fleet_members *members, size_t index,
	const struct fw_policy *policy, struct fw_diags *diags);

/** Prints to standard error, beside the progress bar. */
void fw_members_say(struct fw_fleet_members *members, const struct fw_buf *text);
/**
 * Looks at all of them, `processes` at a time; 0: as many as there are processors. Mistakes are
 * printed as they are found. False: it was not finished; the reason is in the list, or in
 * *out_signal.
 */
bool fw_members_run(struct fw_fleet_members *members, unsigned processes,
	const struct fw_signals *signals, int *out_signal);
/** By the gravest fault of any member. */
enum fw_exit fw_members_status(const struct fw_fleet_members *members);

#endif
