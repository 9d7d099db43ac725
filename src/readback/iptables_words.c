// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The words of a line of iptables-save and of ipset save, as the tools that read them part them:
 * blanks between, and quotes. For iptables-restore a quote that ends ends the word, and inside of
 * it a backslash takes the next character as it is; for ipset, quotes are taken out and that is
 * all.
 */

#include "readback/iptables.h"

static bool is_blank(char c) {
	return c == ' ' || c == '\t';
}

/* A word without quotes, or one that is a quote as a whole and has no backslash: nothing needs to
 * be copied. False: it is none of these. */
static bool plain_word(struct fw_slice line, bool ipset, size_t *at, struct fw_ipt_word *out) {
	bool quoted = line.data[*at] == '"';
	size_t start = *at + quoted;
	size_t end = start;

	while (end < line.length && line.data[end] != '"' &&
		(quoted ? ipset || line.data[end] != '\\' : !is_blank(line.data[end]))) {
		end++;
	}
	bool closed = end < line.length && line.data[end] == '"';
	bool goes_on = ipset && closed && end + 1 < line.length && !is_blank(line.data[end + 1]);
	if (quoted != closed || goes_on) {
		return false;
	}
	*out = (struct fw_ipt_word){{line.data + start, end - start}, quoted};
	*at = end + quoted;
	return true;
}

/* Any other word. False: its quote does not end. */
static bool mixed_word(struct fw_arena *arena, struct fw_slice line, bool ipset, size_t *at,
	struct fw_ipt_word *out) {
	struct fw_buf text FW_AUTO(fw_buf_fini) = {0};
	bool inside = false, quoted = false;

	for (; *at < line.length; (*at)++) {
		char c = line.data[*at];
		if (c == '"') {
			inside = !inside;
			quoted = true;
			if (!inside && !ipset) {
				(*at)++;
				break;
			}
			continue;
		}
		if (!inside && is_blank(c)) {
			break;
		}
		if (inside && !ipset && c == '\\') {
			if (++*at == line.length) {
				break;
			}
			c = line.data[*at];
		}
		fw_buf_add_char(&text, c);
	}
	struct fw_slice word = {fw_arena_text(arena, fw_buf_slice(&text)), text.length};
	*out = (struct fw_ipt_word){word, quoted};
	return !inside;
}

bool fw_ipt_split(
	struct fw_arena *arena, struct fw_slice line, bool ipset, struct fw_ipt_words *out) {
	size_t at = 0;

	out->list.count = 0;
	for (;;) {
		struct fw_ipt_word word;
		while (at < line.length && is_blank(line.data[at])) {
			at++;
		}
		if (at == line.length) {
			return true;
		}
		if (!plain_word(line, ipset, &at, &word) &&
			!mixed_word(arena, line, ipset, &at, &word)) {
			return false;
		}
		FW_VEC_ADD(&out->list, word);
	}
}
