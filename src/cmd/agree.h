// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_CMD_AGREE_H
#define FW_CMD_AGREE_H
/*
 * `flowfw check --fleet`: every member is valid, and gateways and the devices behind them agree.
 */

#include "cmd/cmd.h"

/**
 * Looks at all members, `processes` at a time (0: as many as there are processors). What is wrong
 * is printed at once. Prints a line on standard output if all is well.
 */
enum fw_exit fw_fleet_check(struct fw_run *run, const char *path, unsigned processes);

#endif
