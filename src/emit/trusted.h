// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_EMIT_TRUSTED_H
#define FW_EMIT_TRUSTED_H
/*
 * Opening what nobody but root and the effective user could have put where it is. For the files of
 * this module alone.
 */

#include "diag/diag.h"

/**
 * Follows `path` from an open folder, that was opened here too or is AT_FDCWD with an absolute
 * path, one component and one symbolic link at a time, and checks each on the way. Returns an
 * O_PATH descriptor of what it leads to, or -1: an error is in the list.
 */
int fw_trusted_open(int folder, const char *path, struct fw_diags *diags);

#endif
