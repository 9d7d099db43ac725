// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_CMD_PROGRESS_H
#define FW_CMD_PROGRESS_H
/*
 * How far a long run has come, in one line of a terminal on standard error. Where that is no
 * terminal, nothing.
 */

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

struct fw_progress {
	size_t total;
	bool terminal;
	bool shown;
	struct timespec drawn;
};

void fw_progress_init(struct fw_progress *progress, size_t total);
/** Draws it anew, a few times a second at most. */
void fw_progress_show(struct fw_progress *progress, size_t done);
/** Takes it away, for other text or for good. */
void fw_progress_hide(struct fw_progress *progress);

#endif
