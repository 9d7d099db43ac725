// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Text of a pf.conf to tokens, as pfctl's own scanner has them (yylex and lgetc of its parse.y): a
 * backslash joins lines, in comments too; line ends inside quotes vanish; a macro is expanded
 * outside quotes, and none is inside what it expands to; what is quoted is no reserved word.
 */

#include "readback/pf.h"

#include <stdlib.h>
#include <string.h>

#define uthash_malloc(size) fw_alloc(size)
#include <uthash.h>

enum {
	NOTHING = -1,
	/* Of all macros together, so that those made of macros don't double for ever. */
	EXPANDED_MAX = 64 << 20,
};

struct fw_pfr_macro {
	struct fw_slice name, value;
	UT_hash_handle hh;
};

/* ---- macros ---- */

void fw_pfr_lexer_fini(struct fw_pfr_lexer *lexer) {
	HASH_CLEAR(hh, lexer->macros);
}

static struct fw_pfr_macro *find(struct fw_pfr_lexer *lexer, struct fw_slice name) {
	struct fw_pfr_macro *macro;

	HASH_FIND(hh, lexer->macros, name.data, name.length, macro);
	return macro;
}

void fw_pfr_define(struct fw_pfr_lexer *lexer, struct fw_slice name, struct fw_slice value) {
	struct fw_pfr_macro *macro = find(lexer, name);

	if (macro == NULL) {
		macro = FW_ARENA_NEW(lexer->arena, struct fw_pfr_macro);
		macro->name = name;
		HASH_ADD_KEYPTR(hh, lexer->macros, macro->name.data, macro->name.length, macro);
	}
	macro->value = value;
}

/* ---- characters ---- */

static bool is_letter(int c) {
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(int c) {
	return c >= '0' && c <= '9';
}

static bool in_name(int c) {
	return is_letter(c) || is_digit(c) || c == '_';
}

static bool begins_word(int c) {
	return in_name(c) || c == ':';
}

static bool in_word(int c) {
	return in_name(c) || (c > 0 && strchr("\"$%&'*+-.:;?@[]^`|~", c) != NULL);
}

static bool ends_number(int c) {
	return c == NOTHING || strchr(" \t\n\r\v\f),/}=", c) != NULL;
}

static int peek(struct fw_pfr_lexer *lexer) {
	struct fw_slice text = lexer->source->text;

	if (lexer->expansion.length != 0) {
		return (unsigned char)lexer->expansion.data[0];
	}
	while (lexer->at + 1 < text.length && text.data[lexer->at] == '\\' &&
		text.data[lexer->at + 1] == '\n') {
		lexer->at += 2;
		lexer->line++;
	}
	return lexer->at < text.length ? (unsigned char)text.data[lexer->at] : NOTHING;
}

static int take(struct fw_pfr_lexer *lexer) {
	int c = peek(lexer);

	if (lexer->expansion.length != 0) {
		lexer->expansion.data++;
		lexer->expansion.length--;
	} else if (c != NOTHING) {
		lexer->at++;
		lexer->line += c == '\n';
	}
	return c;
}

static void skip_comment(struct fw_pfr_lexer *lexer) {
	struct fw_slice text = lexer->source->text;

	while (lexer->at < text.length && text.data[lexer->at] != '\n') {
		if (text.data[lexer->at] == '\\' && lexer->at + 1 < text.length) {
			lexer->at++;
			lexer->line += text.data[lexer->at] == '\n';
		}
		lexer->at++;
	}
}

/* ---- tokens ---- */

static struct fw_pfr_token begin(const struct fw_pfr_lexer *lexer) {
	return (struct fw_pfr_token){.start = (uint32_t)lexer->at, .line = lexer->line};
}

static struct fw_pfr_token finish(const struct fw_pfr_lexer *lexer, struct fw_pfr_token token,
	enum fw_pfr_token_kind kind, struct fw_slice text) {
	token.kind = kind;
	token.text = text;
	token.end = (uint32_t)lexer->at;
	return token;
}

/* NULL: all is well, and the macro's text comes next. */
static const char *expand(struct fw_pfr_lexer *lexer) {
	struct fw_slice text = lexer->source->text;

	take(lexer);
	size_t first = lexer->at;
	while (lexer->at < text.length && in_name((unsigned char)text.data[lexer->at])) {
		lexer->at++;
	}
	struct fw_pfr_macro *macro =
		find(lexer, (struct fw_slice){text.data + first, lexer->at - first});
	if (macro == NULL) {
		return "a macro that is not defined";
	}
	lexer->expanded += macro->value.length;
	if (lexer->expanded > EXPANDED_MAX) {
		return "more text from macros than is read";
	}
	lexer->expansion = macro->value;
	return NULL;
}

static struct fw_pfr_token quoted(struct fw_pfr_lexer *lexer, struct fw_pfr_token token) {
	struct fw_slice text = lexer->source->text;
	FW_AUTO(fw_buf_fini) struct fw_buf found = {0};
	char quote = (char)take(lexer);

	if (lexer->expansion.length != 0) {
		return finish(lexer, token, FW_PFR_BAD, FW_SLICE("quotes inside a macro"));
	}
	for (; lexer->at < text.length && text.data[lexer->at] != quote; lexer->at++) {
		char c = text.data[lexer->at];
		if (c == '\0') {
			return finish(lexer, token, FW_PFR_BAD, FW_SLICE("a NUL inside quotes"));
		}
		bool escapes =
			c == '\\' && lexer->at + 1 < text.length &&
			(text.data[lexer->at + 1] == quote || text.data[lexer->at + 1] == '\n');
		if (escapes) {
			c = text.data[++lexer->at];
		}
		if (c == '\n') {
			lexer->line++;
		} else {
			fw_buf_add_char(&found, c);
		}
	}
	if (lexer->at == text.length) {
		return finish(lexer, token, FW_PFR_BAD, FW_SLICE("quotes without an end"));
	}
	lexer->at++;
	struct fw_slice inner = {fw_arena_text(lexer->arena, fw_buf_slice(&found)), found.length};
	return finish(lexer, token, FW_PFR_QUOTED, inner);
}

static bool all_digits(struct fw_slice text) {
	for (size_t i = 0; i < text.length; i++) {
		if (!is_digit((unsigned char)text.data[i])) {
			return false;
		}
	}
	return true;
}

/* Most words lie in the source as they are; those that macros or joined lines make are copied. */
static struct fw_pfr_token word(struct fw_pfr_lexer *lexer, struct fw_pfr_token token) {
	FW_AUTO(fw_buf_fini) struct fw_buf found = {0};
	size_t first = lexer->at, length = 0;
	bool plain = lexer->expansion.length == 0;

	while (in_word(peek(lexer))) {
		plain = plain && lexer->expansion.length == 0 && lexer->at == first + length;
		if (plain) {
			take(lexer);
			length++;
			continue;
		}
		if (length != 0) {
			fw_buf_add(&found, lexer->source->text.data + first, length);
			length = 0;
		}
		fw_buf_add_char(&found, (char)take(lexer));
	}
	struct fw_slice text = {lexer->source->text.data + first, length};
	if (found.length != 0) {
		text.data = fw_arena_text(lexer->arena, fw_buf_slice(&found));
		text.length = found.length;
	}
	token.number = all_digits(text) && ends_number(peek(lexer));
	return finish(lexer, token, FW_PFR_WORD, text);
}

static struct fw_pfr_token operator_token(struct fw_pfr_lexer *lexer, struct fw_pfr_token token) {
	static const char *const texts[] = {"!=", "<>", "<=", "><", ">=", "->", "(", ")", "{", "}",
		"<", ">", "!", "=", "/", ",", "-"};
	char pair[2] = {(char)take(lexer), 0};
	int next = peek(lexer);

	for (size_t i = 0; i < FW_LENGTH(texts); i++) {
		bool two = texts[i][1] != '\0';
		if (texts[i][0] == pair[0] && (!two || texts[i][1] == next)) {
			if (two) {
				take(lexer);
			}
			return finish(lexer, token, FW_PFR_OPERATOR, fw_slice(texts[i]));
		}
	}
	return finish(lexer, token, FW_PFR_BAD, FW_SLICE("a character that pf.conf does not have"));
}

/* True: something was skipped or expanded, and there may be more. */
static bool skip(struct fw_pfr_lexer *lexer, struct fw_pfr_token *bad) {
	int c = peek(lexer);

	if (c == ' ' || c == '\t') {
		take(lexer);
		return true;
	}
	if (lexer->expansion.length != 0) {
		return false;
	}
	if (c == '#') {
		skip_comment(lexer);
		return true;
	}
	if (c != '$') {
		return false;
	}
	struct fw_pfr_token token = begin(lexer);
	const char *why = expand(lexer);
	if (why != NULL) {
		*bad = finish(lexer, token, FW_PFR_BAD, fw_slice(why));
	}
	return why == NULL;
}

struct fw_pfr_token fw_pfr_next(struct fw_pfr_lexer *lexer) {
	struct fw_pfr_token bad = {0};

	while (skip(lexer, &bad)) {
	}
	if (bad.kind == FW_PFR_BAD) {
		return bad;
	}
	int c = peek(lexer);
	struct fw_pfr_token token = begin(lexer);
	if (c == NOTHING) {
		return finish(lexer, token, FW_PFR_END, FW_SLICE("the end of the text"));
	}
	if (c == '\n') {
		take(lexer);
		return finish(lexer, token, FW_PFR_NEWLINE, FW_SLICE("the end of the line"));
	}
	if (c == '"' || c == '\'') {
		return quoted(lexer, token);
	}
	if (begins_word(c)) {
		return word(lexer, token);
	}
	return operator_token(lexer, token);
}
