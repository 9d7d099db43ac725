// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_CMD_CHANGES_ROWS_H
#define FW_CMD_CHANGES_ROWS_H
/*
 * Private to changes*.c: from sets of packets to rows.
 */

#include "cmd/changes.h"

/** Fills in all sections. What the spaces are too exhausted for is left out. */
void fw_changes_sections(struct fw_changes *changes);
/** Finds out who decides the rows of a section: services of a policy, rules of a rule set. */
void fw_changes_decide(struct fw_changes *changes, struct fw_change_section *section);
/** Whether a side lets the packets of a row pass. */
bool fw_change_lets_pass(const struct fw_change_row *row, enum fw_which which);
/** The side that the other one has to be as strict as: the one that can say more. */
enum fw_which fw_changes_asked(const struct fw_changes *changes);
/** Whether packets of one family alone are compared, though a side knows the other one, too. */
bool fw_changes_is_partial(const struct fw_changes *changes);
/** The line of a place, shortened, or NULL. The arena's. */
const char *fw_change_line(struct fw_arena *arena, const struct fw_place *place);

#endif
