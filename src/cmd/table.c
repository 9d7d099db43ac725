// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tables for people, see table.h. Whatever an author wrote is shown with its control characters
 * escaped, so no table can move a cursor.
 */

#include "cmd/table.h"

#include <stdlib.h>
#include <string.h>

#include "diag/diag.h"

enum { GAP = 2 }; /* blanks between columns */

void fw_table_fini(struct fw_table *table) {
	FW_VEC_FINI(&table->rows);
	FW_VEC_FINI(&table->details);
}

/** An author's text as it may stand on a terminal. */
static const char *printable(struct fw_arena *arena, const char *text) {
	FW_AUTO(fw_buf_fini) struct fw_buf escaped = {0};
	fw_buf_add_escaped(&escaped, fw_slice(text));
	return fw_arena_text(arena, fw_buf_slice(&escaped));
}

void fw_table_add(struct fw_table *table, const char *const cells[]) {
	const char **copy = FW_ARENA_ARRAY(table->arena, const char *, table->columns);
	for (size_t i = 0; i < table->columns; i++) {
		copy[i] = cells[i] != NULL ? printable(table->arena, cells[i]) : "-";
	}
	FW_VEC_ADD(&table->rows, (struct fw_table_row){copy});
}

void fw_table_add_detail(struct fw_table *table, const char *label, const char *text) {
	if (text != NULL) {
		const char *line = fw_arena_printf(
			table->arena, "%s: %s", label, printable(table->arena, text));
		FW_VEC_ADD(&table->details, (struct fw_table_detail){table->rows.count - 1, line});
	}
}

static size_t code_points(const char *text) {
	size_t count = 0;
	for (; *text != '\0'; text++) {
		count += ((unsigned char)*text & 0xc0) != 0x80;
	}
	return count;
}

/** 0 for a column that has a head and nothing below it. */
static size_t column_width(const struct fw_table *table, size_t column) {
	size_t width = 0;
	for (size_t i = 1; i < table->rows.count; i++) {
		size_t length = code_points(table->rows.items[i].cells[column]);
		width = length > width ? length : width;
	}
	size_t head = code_points(table->rows.items[0].cells[column]);
	return width != 0 && head > width ? head : width;
}

static void add_blanks(struct fw_buf *out, size_t count) {
	memset(fw_buf_reserve(out, count), ' ', count);
	fw_buf_grew(out, count);
}

static void row_format(
	const struct fw_table_row *row, size_t columns, const size_t widths[], struct fw_buf *out) {
	size_t owed = 0; /* blanks before the next text, so that no line ends in them */
	for (size_t i = 0; i < columns; i++) {
		if (widths[i] == 0) {
			continue;
		}
		size_t length = code_points(row->cells[i]);
		if (length != 0) {
			add_blanks(out, owed);
			fw_buf_add_text(out, row->cells[i]);
			owed = 0;
		}
		owed += widths[i] - length + GAP;
	}
	fw_buf_add_char(out, '\n');
}

void fw_table_format(const struct fw_table *table, struct fw_buf *out) {
	if (table->rows.count <= 1) {
		return;
	}
	size_t *widths = FW_ARENA_ARRAY(table->arena, size_t, table->columns);
	for (size_t i = 0; i < table->columns; i++) {
		widths[i] = column_width(table, i);
	}
	size_t detail = 0;
	for (size_t i = 0; i < table->rows.count; i++) {
		row_format(&table->rows.items[i], table->columns, widths, out);
		for (; detail < table->details.count && table->details.items[detail].row == i;
			detail++) {
			fw_buf_printf(out, "    %s\n", table->details.items[detail].text);
		}
	}
}
