// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * UTF-8: decoding, what is fit to be shown, and the way from a byte to its line and column.
 */

#include <stdlib.h>
#include <string.h>

#include "diag/text.h"

/** Bytes between two tallies. Counting through one block takes microseconds. */
enum { BLOCK = 64 * 1024 };

static const uint64_t EVERY_BYTE = 0x0101010101010101;

size_t fw_utf8_decode(struct fw_slice text, uint32_t *out_code) {
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	if (text.length == 0) {
		return 0;
	}
	unsigned char lead = (unsigned char)text.data[0];
	size_t width = lead < 0x80 ? 1 : lead < 0xc0 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
	if (width == 0 || width > text.length || lead > 0xf4) {
		return 0;
	}
	uint32_t code = width == 1 ? lead : lead & (0x7fU >> width);
	for (size_t i = 1; i < width; i++) {
		unsigned char byte = (unsigned char)text.data[i];
		if ((byte & 0xc0) != 0x80) {
			return 0;
		}
		code = code << 6 | (byte & 0x3f);
	}
	if (code < smallest[width] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) {
		return 0;
	}
	*out_code = code;
	return width;
}

bool fw_code_is_control(uint32_t code) {
	if (code < 0xa0) {
		return (code < 0x20 && code != '\t' && code != '\n') || code >= 0x7f;
	}
	return code == 0x2028 || code == 0x2029 || code == 0xfeff || code == 0xfffe ||
	       code == 0xffff;
}

/** Characters that turn the reading direction round, so that a line looks like another one. */
static bool is_bidi(uint32_t code) {
	return code == 0x061c || code == 0x200e || code == 0x200f ||
	       (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

static void add_escape(struct fw_buf *buf, uint32_t code) {
	switch (code) {
	case '\n':
		fw_buf_add_text(buf, "\\n");
		break;
	case '\t':
		fw_buf_add_text(buf, "\\t");
		break;
	case '\r':
		fw_buf_add_text(buf, "\\r");
		break;
	default:
		fw_buf_printf(buf, code < 0x80 ? "\\x%02x" : "\\u%04x", code);
	}
}

void fw_buf_add_escaped(struct fw_buf *buf, struct fw_slice text) {
	while (text.length != 0) {
		uint32_t code = 0;
		size_t width = fw_utf8_decode(text, &code);
		if (width == 0) {
			width = 1;
			fw_buf_printf(buf, "\\x%02x", (unsigned)(unsigned char)text.data[0]);
		} else if (code == '\t' || code == '\n' || fw_code_is_control(code) ||
			   is_bidi(code)) {
			add_escape(buf, code);
		} else {
			fw_buf_add(buf, text.data, width);
		}
		text.data += width;
		text.length -= width;
	}
}

/** Ones in the lowest bit of each byte, added up. Holds for sums up to 255. */
static size_t sum_of_bytes(uint64_t ones) {
	return (ones * EVERY_BYTE) >> 56;
}

/** Eight bytes at a time: a place at the end of a large file must not be felt. */
static struct fw_tally tally(struct fw_slice text) {
	struct fw_tally sum = {0};
	size_t i = 0;
	for (; text.length - i >= sizeof(uint64_t); i += sizeof(uint64_t)) {
		uint64_t word;
		memcpy(&word, text.data + i, sizeof(word));
		uint64_t differs = word ^ ('\n' * EVERY_BYTE);
		/* Bit 7 of a byte: set unless all of its bits are clear. No carry leaves a byte. */
		uint64_t breaks = ~(((differs & 0x7f * EVERY_BYTE) + 0x7f * EVERY_BYTE) | differs);
		uint64_t inner = (word >> 7) & ~(word >> 6) & EVERY_BYTE; /* 10xxxxxx */
		sum.lines += sum_of_bytes(breaks >> 7 & EVERY_BYTE);
		sum.points += sizeof(word) - sum_of_bytes(inner);
	}
	for (; i < text.length; i++) {
		sum.lines += text.data[i] == '\n';
		sum.points += ((unsigned char)text.data[i] & 0xc0) != 0x80;
	}
	return sum;
}

size_t fw_utf8_count(struct fw_slice text) {
	return tally(text).points;
}

void fw_line_index_fini(struct fw_line_index *index) {
	FW_VEC_FINI(&index->blocks);
}

static struct fw_tally tally_before(struct fw_line_index *index, size_t offset) {
	const char *text = index->source->text.data;
	if (index->blocks.count == 0) {
		FW_VEC_ADD(&index->blocks, (struct fw_tally){0});
	}
	while (index->blocks.count <= offset / BLOCK) {
		size_t last = index->blocks.count - 1;
		struct fw_tally before = index->blocks.items[last];
		struct fw_tally block = tally((struct fw_slice){text + last * BLOCK, BLOCK});
		FW_VEC_ADD(&index->blocks, (struct fw_tally){before.lines + block.lines,
						   before.points + block.points});
	}
	struct fw_tally sum = index->blocks.items[offset / BLOCK];
	struct fw_tally rest =
		tally((struct fw_slice){text + (offset - offset % BLOCK), offset % BLOCK});
	return (struct fw_tally){sum.lines + rest.lines, sum.points + rest.points};
}

void fw_line_bounds(struct fw_slice text, size_t offset, size_t *out_start, size_t *out_end) {
	const char *before = offset != 0 ? memrchr(text.data, '\n', offset) : NULL;
	size_t start = before != NULL ? (size_t)(before - text.data) + 1 : 0;
	size_t left = text.length - offset;
	const char *after = left != 0 ? memchr(text.data + offset, '\n', left) : NULL;
	size_t end = after != NULL ? (size_t)(after - text.data) : text.length;
	if (after != NULL && end > start && text.data[end - 1] == '\r') {
		end--;
	}
	*out_start = start;
	*out_end = end;
}

void fw_line_index_place(
	struct fw_line_index *index, size_t offset, size_t *out_line, size_t *out_column) {
	size_t line_start, line_end;
	fw_line_bounds(index->source->text, offset, &line_start, &line_end);
	struct fw_tally at = tally_before(index, offset);
	*out_line = at.lines + 1;
	*out_column = at.points - tally_before(index, line_start).points + 1;
}
