// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_EMIT_FRAME_H
#define FW_EMIT_FRAME_H
/*
 * Putting a frame round the sections. For the files of this module alone.
 */

#include "emit/emit.h"

/** Appends the frame, which was checked, with the sections in place of its placeholders. */
void fw_frame_fill(const struct fw_job *job, struct fw_outputs *outputs, struct fw_buf *out);

#endif
