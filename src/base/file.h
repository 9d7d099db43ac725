// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_BASE_FILE_H
#define FW_BASE_FILE_H
/*
 * What files that are written one by one and many at once have in common; private to base/. All
 * return 0 or an errno value.
 */

#include <sys/stat.h>

#include "base/base.h"

/** For FW_AUTO; a negative one is none. */
void fw_fd_close(int *fd);
/** Whether what is left to read of an open file is just this. */
int fw_fd_holds(int fd, struct fw_slice content, bool *out_same);
/** Gives a new file the permissions of the old one, and its owner as far as that is allowed. */
int fw_fd_hand_on(int fd, const struct stat *old);
/** Brings a folder's names to the disk, where its file system can do that. */
int fw_fd_sync_folder(int fd);

#endif
