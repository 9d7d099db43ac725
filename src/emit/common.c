// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The quoting that all backends share.
 */

#include <string.h>

#include "emit/common.h"

static bool is_printable(unsigned char c) {
	return c >= ' ' && c < 0x7f;
}

static bool is_plain(char c) {
	return is_printable((unsigned char)c) && c != '"' && c != '\\';
}

void fw_buf_add_quoted(struct fw_buf *buf, const char *text, size_t limit) {
	fw_buf_add_char(buf, '"');
	for (size_t i = 0; i < limit && text[i] != '\0';) {
		size_t end = i;
		while (end < limit && is_plain(text[end])) {
			end++;
		}
		fw_buf_add(buf, text + i, end - i);
		if (end < limit && text[end] != '\0') {
			fw_buf_add_char(buf, '?');
			end++;
		}
		i = end;
	}
	fw_buf_add_char(buf, '"');
}

/*
 * The length of a character, of those that are written in UTF-8 by the bytes at `text`, that has no
 * place in a line of text: C1 controls, line and paragraph separators, marks and overrides of the
 * reading direction, the byte order mark. 0: none of them.
 */
static size_t hidden_length(const unsigned char *text) {
	if (text[0] == 0xc2) {
		return text[1] >= 0x80 && text[1] <= 0x9f ? 2 : 0;
	}
	if (text[0] == 0xd8) {
		return text[1] == 0x9c ? 2 : 0; // U+061C
	}
	if (text[0] == 0xe2 && text[1] == 0x80) {
		// U+200E, U+200F, U+2028 to U+202E
		return text[2] == 0x8e || text[2] == 0x8f || (text[2] >= 0xa8 && text[2] <= 0xae)
			       ? 3
			       : 0;
	}
	if (text[0] == 0xe2 && text[1] == 0x81) {
		return text[2] >= 0xa6 && text[2] <= 0xa9 ? 3 : 0; // U+2066 to U+2069
	}
	if (text[0] == 0xef && text[1] == 0xbb) {
		return text[2] == 0xbf ? 3 : 0;
	}
	return 0;
}

void fw_buf_add_comment(struct fw_buf *buf, const char *text) {
	for (;;) {
		size_t plain = 0;
		while (is_printable((unsigned char)text[plain]) && text[plain] != '\\') {
			plain++;
		}
		fw_buf_add(buf, text, plain);
		text += plain;
		if (*text == '\0') {
			return;
		}
		size_t hidden = hidden_length((const unsigned char *)text);
		bool stays = hidden == 0 && (unsigned char)*text >= 0x80;
		fw_buf_add_char(buf, stays ? *text : '?');
		text += hidden != 0 ? hidden : 1;
	}
}

void fw_buf_add_header(struct fw_buf *buf, const struct fw_policy *policy) {
	fw_buf_add_text(buf, "# flowfw: ");
	fw_buf_add_comment(buf, policy->name);
	if (policy->extends != NULL) {
		fw_buf_add_text(buf, ", extends ");
		fw_buf_add_comment(buf, policy->extends);
	}
	if (policy->title != NULL) {
		fw_buf_add_text(buf, " (");
		fw_buf_add_comment(buf, policy->title);
		fw_buf_add_char(buf, ')');
	}
	fw_buf_add_char(buf, '\n');
}
