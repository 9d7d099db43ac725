// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_CMD_TABLE_H
#define FW_CMD_TABLE_H
/*
 * Tables for people. Columns are aligned by code points; a column that is empty in every row is
 * left out, and so is a table without rows.
 */

#include "base/base.h"

struct fw_table_row {
	const char *const *cells;
};

/** A line of its own below a row. */
struct fw_table_detail {
	size_t row;
	const char *text;
};

/** Empty when all but `arena` is zeroed; `columns` is set before the first row, its head. */
struct fw_table {
	struct fw_arena *arena; /* of all text in it */
	size_t columns;
	FW_VEC(struct fw_table_row) rows;
	FW_VEC(struct fw_table_detail) details;
};

void fw_table_fini(struct fw_table *table);
/** Adds a row of as many cells as there are columns; NULL shows as "-", an empty one as nothing. */
void fw_table_add(struct fw_table *table, const char *const cells[]);
/** Adds "label: text" below the last row, or nothing where `text` is NULL. */
void fw_table_add_detail(struct fw_table *table, const char *label, const char *text);
void fw_table_format(const struct fw_table *table, struct fw_buf *out);

#endif
