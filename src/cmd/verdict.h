// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_CMD_VERDICT_H
#define FW_CMD_VERDICT_H
/*
 * What `flowfw check` says on standard output: that a profile is valid, in a line, or all that it
 * found, as JSON.
 */

#include "cmd/cmd.h"

/** Prints a line about a valid profile. */
void fw_verdict_print(struct fw_run *run, const struct fw_profile *profile, bool kernel);
/** Prints one object; `profile` is NULL where there is none. */
void fw_verdict_print_json(struct fw_run *run, const struct fw_profile *profile);

/** Adds what only the meaning of a profile tells: odd services, and expectations that fail. */
void fw_judge(struct fw_run *run, const struct fw_profile *profile);

#endif
