// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_EMIT_COMMON_H
#define FW_EMIT_COMMON_H
/*
 * What backends share, plug-ins too: the way every author's string takes into a rule set.
 */

#include "emit/emit.h"

/**
 * Adds `text` in double quotes, at most `limit` bytes of it. Printable ASCII stays; quotes,
 * backslashes and all else become '?', as no rule language knows the same escapes.
 */
void fw_buf_add_quoted(struct fw_buf *buf, const char *text, size_t limit);

/**
 * Adds `text` for a comment that ends with its line: control characters, backslashes (which
 * continue a line) and what changes the reading direction become '?'.
 */
void fw_buf_add_comment(struct fw_buf *buf, const char *text);

/** Adds the comment that every file begins with: whose rules it holds. */
void fw_buf_add_header(struct fw_buf *buf, const struct fw_policy *policy);

#endif
