// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_CMD_RULESET_SOURCES_H
#define FW_CMD_RULESET_SOURCES_H
/*
 * Private to ruleset*.c: where rule sets come from that other programs have to tell.
 */

#include "cmd/ruleset.h"

/** Loads a text into a new network namespace and reads it back there. `path` is that of the file
 * whose folder is the text's, or NULL. False: an error is in the list. */
bool fw_ruleset_load(struct fw_run *run, const struct fw_source *text, const char *path,
	struct fw_rulesets *out);

/** How long nft and others may take; they load large files in far less. */
enum { FW_RULESET_SECONDS_MAX = 300 };

/** Reads what runs in the network namespace of the process. False: an error is in the list. */
bool fw_ruleset_read_live(struct fw_run *run, struct fw_rulesets *out);

/* ---- addresses of the machine ---- */

/** Finds those that packets come in to. False: an error is in the list. */
bool fw_ruleset_read_own(struct fw_run *run, struct fw_rulesets *out);
/** Has packets not compared that rules of others drop on their way to other addresses alone: they
 * would not come in anyway. */
void fw_ruleset_leave_out_others(
	const struct fw_rulesets *rulesets, struct fw_spaces *spaces, struct fw_readback *readback);

/* ---- rules of nf_tables, as text ---- */

/**
 * Asks nft for the rules of the network namespace, so that those with a handle have a text to be
 * shown by. NULL: it does not tell, and they have none.
 */
const struct fw_ruleset_lines *fw_ruleset_lines_read(struct fw_run *run);
/** Adds the texts to all places that are theirs. `lines` may be NULL. */
void fw_ruleset_lines_add(
	const struct fw_ruleset_lines *lines, struct fw_arena *arena, struct fw_readback *readback);

#endif
