// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_CMD_REPORT_H
#define FW_CMD_REPORT_H
/*
 * What became of one member of a fleet, as a packet from the process that compiled it; and what
 * became of all of them. Mistakes are printed as the packets come, each once however many members
 * share it; warnings at the end, with the number of members that have them.
 */

#include "diag/diag.h"

/* ---- of one member ---- */

/** Files of one member, by what became of them. */
struct fw_file_counts {
	uint32_t written, unchanged;
	uint32_t stale; /* under --check: they would change */
};

/**
 * Adds a packet of at most `limit` bytes: counts, `lines` as they are to be printed, and the
 * diagnostics; what does not fit is only counted. Warnings are left out where there are mistakes,
 * and where `quiet` says so. `shared` is the source that all members have in common: a group in it
 * that one member has no use for is no mistake of that member.
 */
void fw_report_write(struct fw_buf *out, size_t limit, const struct fw_diags *diags, bool quiet,
	const struct fw_source *shared, struct fw_slice lines, struct fw_file_counts files);

/* ---- of all ---- */

/** A member that failed. */
struct fw_report_failure {
	const char *member;
	size_t errors;
};

struct fw_report_entry;

/** Zeroed but for `members` it is that of a fleet of which nothing is known yet. */
struct fw_report {
	size_t members, failed;
	struct fw_file_counts files;
	unsigned faults;			   /* bits, 1 << enum fw_fault */
	FW_VEC(struct fw_report_failure) failures; /* the first few */
	struct fw_report_entry *errors, *warnings; /* hashes of the first few sorts */
	size_t more_warnings;			   /* of sorts that are not there */
	struct fw_arena arena;
};

void fw_report_fini(struct fw_report *report);
/** Adds a packet, and its mistakes to `out`. False: the member failed. `member` outlives it. */
bool fw_report_take(
	struct fw_report *report, const char *member, struct fw_slice packet, struct fw_buf *out);
/** Adds the warnings of all to `out`. */
void fw_report_warnings(const struct fw_report *report, struct fw_buf *out);
/** Adds who failed to `out`, a line each. */
void fw_report_failures(const struct fw_report *report, struct fw_buf *out);
#endif
