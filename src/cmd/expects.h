// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_CMD_EXPECTS_H
#define FW_CMD_EXPECTS_H
/*
 * `expect`: what a profile says of packets, held against what it means.
 */

#include "cmd/cmd.h"
#include "meaning/meaning.h"

/**
 * Adds a finding, `expect-failed`, for each expectation of the profile that does not hold: with
 * what decided as a note, and a packet that proves it as a hint. `meaning` is the policy's, made
 * with these spaces and interfaces. False: the spaces are exhausted, and nothing was told from then
 * on.
 */
bool fw_expects_check(struct fw_run *run, const struct fw_profile *profile,
	struct fw_spaces *spaces, const struct fw_interfaces *interfaces,
	const struct fw_meaning *meaning);

#endif
