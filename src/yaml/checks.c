// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What YAML allows and a configuration has no use for: odd keys, the same key twice, tags, control
 * characters out of escapes.
 */

#include <stdlib.h>
#include <string.h>

#include "yaml/reader.h"

/** Mappings up to this many pairs are compared pair by pair; nearly all are. */
enum { FEW_KEYS = 8 };

/* ---- keys ---- */

/** `fe80::` without quotes: the last colon is YAML's, and the rest a key that nobody meant. */
static bool is_cut_address(const struct fw_yaml_node *key) {
	struct fw_slice rest = key->span.source->text;
	return key->plain && key->text.data[key->text.length - 1] == ':' &&
	       key->span.end < rest.length && rest.data[key->span.end] == ':';
}

void fw_yaml_check_odd_key(struct fw_yaml_reader *reader, const struct fw_yaml_node *key) {
	struct fw_diags *diags = reader->diags;
	struct fw_diag *diag;
	if (key->kind == FW_YAML_NONE) {
		return; /* a refused alias */
	}
	if (key->kind != FW_YAML_SCALAR) {
		diag = fw_yaml_refused(
			reader, fw_error(diags, key->span, "yaml-key-kind", "a key cannot be %s",
					fw_yaml_kind_names[key->kind]));
		fw_diag_hint(diags, diag, "a value that begins with '{' or '[' needs quotes");
	} else if (!fw_yaml_is_key(key)) {
		fw_yaml_refused(reader,
			fw_error(diags, key->span, "yaml-key-kind", "a key is missing here"));
	} else if (key->plain && fw_slice_is(key->text, "<<")) {
		fw_yaml_refused(reader, fw_error(diags, key->span, "yaml-merge-key",
						"merge keys ('<<') are not supported"));
	} else if (is_cut_address(key)) {
		struct fw_span span = key->span;
		span.end++;
		struct fw_slice text = fw_span_text(span);
		diag = fw_yaml_refused(reader,
			fw_error(diags, span, "yaml-syntax", "the last ':' makes this a key"));
		fw_diag_hint(diags, diag, "write \"%.*s\"", (int)text.length, text.data);
	}
}

static void report_duplicate(struct fw_yaml_reader *reader, const struct fw_yaml_node *first,
	const struct fw_yaml_node *second) {
	struct fw_diag *diag =
		fw_yaml_refused(reader, fw_error(reader->diags, second->span, "duplicate-key",
						"the key '%.*s' is here twice",
						(int)second->text.length, second->text.data));
	fw_diag_note(reader->diags, diag, first->span, "it is here first");
}

static void compare_few(struct fw_yaml_reader *reader, const struct fw_yaml_node *mapping) {
	for (size_t i = 1; i < mapping->count; i++) {
		const struct fw_yaml_node *key = mapping->items[2 * i];
		for (size_t j = 0; j < i && fw_yaml_is_key(key); j++) {
			const struct fw_yaml_node *other = mapping->items[2 * j];
			if (fw_yaml_is_key(other) && fw_slice_equal(other->text, key->text)) {
				report_duplicate(reader, other, key);
				break;
			}
		}
	}
}

/** FNV-1a. */
static size_t hash(struct fw_slice text) {
	uint64_t value = 0xcbf29ce484222325;
	for (size_t i = 0; i < text.length; i++) {
		value = (value ^ (unsigned char)text.data[i]) * 0x100000001b3;
	}
	return (size_t)(value ^ value >> 32);
}

/** An open table of the keys seen so far: a handle per key would outweigh the nodes. */
static void compare_many(struct fw_yaml_reader *reader, const struct fw_yaml_node *mapping) {
	size_t slots = 4 * FEW_KEYS;
	while (slots < 2 * (size_t)mapping->count) {
		slots *= 2;
	}
	const struct fw_yaml_node **table = fw_alloc(slots * sizeof(const struct fw_yaml_node *));
	for (size_t i = 0; i < mapping->count; i++) {
		const struct fw_yaml_node *key = mapping->items[2 * i];
		if (!fw_yaml_is_key(key)) {
			continue;
		}
		size_t slot = hash(key->text) & (slots - 1);
		while (table[slot] != NULL && !fw_slice_equal(table[slot]->text, key->text)) {
			slot = (slot + 1) & (slots - 1);
		}
		if (table[slot] != NULL) {
			report_duplicate(reader, table[slot], key);
		} else {
			table[slot] = key;
		}
	}
	free(table);
}

void fw_yaml_check_duplicates(struct fw_yaml_reader *reader, const struct fw_yaml_node *mapping) {
	if (mapping->count <= FEW_KEYS) {
		compare_few(reader, mapping);
	} else {
		compare_many(reader, mapping);
	}
}

/* ---- tags ---- */

void fw_yaml_refuse_tag(struct fw_yaml_reader *reader, struct fw_span span) {
	struct fw_diag *diag = fw_yaml_refused(
		reader, fw_error(reader->diags, span, "yaml-tag", "tags have no meaning here"));
	fw_diag_hint(reader->diags, diag, "a value that begins with '!' needs quotes");
}

/* ---- escapes ---- */

static uint32_t hex_value(const char *digits, size_t count) {
	uint32_t value = 0;
	for (size_t i = 0; i < count; i++) {
		unsigned char digit = (unsigned char)digits[i];
		value = value << 4 | (digit <= '9' ? digit & 0x0f : (digit & 0x07) + 9);
	}
	return value;
}

/**
 * The character that an escape stands for; libyaml has seen that it is a valid one. *out_length
 * becomes the escape's own.
 */
static uint32_t decode_escape(const char *escape, size_t *out_length) {
	static const struct {
		char letter;
		uint32_t code;
	} letters[] = {
		{'0', 0x00},
		{'a', 0x07},
		{'b', 0x08},
		{'v', 0x0b},
		{'f', 0x0c},
		{'r', 0x0d},
		{'e', 0x1b},
		{'N', 0x85},
		{'L', 0x2028},
		{'P', 0x2029},
	};
	char letter = escape[1];
	size_t digits = letter == 'x' ? 2 : letter == 'u' ? 4 : letter == 'U' ? 8 : 0;
	*out_length = 2 + digits;
	if (digits != 0) {
		return hex_value(escape + 2, digits);
	}
	for (size_t i = 0; i < FW_LENGTH(letters); i++) {
		if (letters[i].letter == letter) {
			return letters[i].code;
		}
	}
	return ' '; /* the others stand for something printable, a tab or a line feed */
}

void fw_yaml_check_escapes(struct fw_yaml_reader *reader, struct fw_span span) {
	struct fw_slice text = fw_span_text(span);
	for (size_t i = 0; i < text.length;) {
		const char *escape = memchr(text.data + i, '\\', text.length - i);
		if (escape == NULL) {
			return;
		}
		size_t length;
		uint32_t code = decode_escape(escape, &length);
		i = (size_t)(escape - text.data);
		if (fw_code_is_control(code)) {
			uint32_t at = span.start + (uint32_t)i;
			fw_yaml_refused(reader,
				fw_error(reader->diags,
					fw_yaml_span(reader, at, at + (uint32_t)length),
					"yaml-control",
					"the character U+%04X may not stand in a value", code));
			return; /* one for each value is enough */
		}
		i += length;
	}
}
