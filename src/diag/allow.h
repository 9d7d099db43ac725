// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_DIAG_ALLOW_H
#define FW_DIAG_ALLOW_H
/*
 * Private to diag/: the table of what authors allow.
 */

#include "diag/diag.h"

void fw_allowances_free(struct fw_allowances *allowances);
/** The allowance for warnings of an id about a service, or about none; it is used from then on.
 * NULL: there is none. */
const struct fw_allowance *fw_allowance_use(
	struct fw_allowances *allowances, const char *id, const char *about);

#endif
