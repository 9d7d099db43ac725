// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_DIAG_TEXT_H
#define FW_DIAG_TEXT_H
/*
 * UTF-8 and places in a text, for the files of this module alone.
 */

#include "diag/diag.h"

/** Width of the character that `text` begins with, 0 where it is not UTF-8. *out_code is written
 * with a width only. */
size_t fw_utf8_decode(struct fw_slice text, uint32_t *out_code);
/** Number of code points; a byte that belongs to none counts as a part of the one before it. */
size_t fw_utf8_count(struct fw_slice text);

/** How many line feeds and code points stand before some byte. */
struct fw_tally {
	size_t lines, points;
};

/**
 * What stands before each block of a source, counted as far as anybody has asked: places far down
 * a large file cost one pass for all of them together. Zeroed but for the source it is empty.
 */
struct fw_line_index {
	const struct fw_source *source;
	FW_VEC(struct fw_tally) blocks;
};

void fw_line_index_fini(struct fw_line_index *index);
/** Line and column of a byte, both from 1. */
void fw_line_index_place(
	struct fw_line_index *index, size_t offset, size_t *out_line, size_t *out_column);
/** The bounds of the line that holds byte `offset`, without its line break. */
void fw_line_bounds(struct fw_slice text, size_t offset, size_t *out_start, size_t *out_end);

#endif
