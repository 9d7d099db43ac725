// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The plain part of YAML: what people write in configurations, and all that a program writes who
 * lists cameras. It is read here in two passes over the text. The first asks whether all of it is
 * plain; only then does the second make nodes, so nothing has to be taken back. Whatever is not
 * listed here is not plain, mistakes above all, and libyaml reads the whole file: it alone says
 * what YAML is and what is wrong with a text. Tests hold both to the same nodes.
 *
 * Plain are, without tabs but in quotes and comments:
 * - block mappings and lists, with a value on the line of its key or `-`, or below a key in lines
 *   further in (a list also at its key's column); a mapping may begin behind a `-`;
 * - mappings and lists in brackets that end on their line, each key with a value;
 * - values without quotes that begin with a letter, a digit or a few other characters, and values
 *   in quotes without escapes, both on one line; keys without quotes;
 * - comments and empty lines.
 */

#include <limits.h>
#include <string.h>

#include "yaml/reader.h"

/** A collection in lines; one in brackets has no column. */
struct level {
	uint32_t column;
	enum fw_yaml_kind kind;
};

struct plain {
	struct fw_yaml_reader *reader; /* NULL in the first pass */
	const char *text;
	uint32_t length;
	uint32_t line;	  /* where it begins */
	uint32_t at, end; /* in the line, and where that ends */
	uint32_t next;	  /* the next line */
	struct level levels[FW_YAML_DEPTH];
	size_t depth;
	bool awaiting; /* the last line ended with a key and its colon */
};

/** libyaml takes no longer ones without a `?` (1024). */
enum { KEY_MAX = 1000 };

/* ---- characters ---- */

enum {
	IN_BLOCK = 1, /* may stand in a value outside of brackets, whatever is next to it */
	IN_FLOW = 2,  /* the same inside of brackets */
	FIRST = 4,    /* begins a value */
};

/* For the table: nowhere, outside of brackets, everywhere, everywhere and first. */
enum { O = 0, B = IN_BLOCK, E = IN_BLOCK | IN_FLOW, F = IN_BLOCK | IN_FLOW | FIRST };

// clang-format off
static const unsigned char classes[UCHAR_MAX + 1] = {
	   O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O,
	   O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O,
	/*    !  "  #  $  %  &  '  (  )  *  +  ,  -  .  / */
	   E, E, E, O, F, E, E, E, F, E, E, F, B, E, F, F,
	/* 0  1  2  3  4  5  6  7  8  9  :  ;  <  =  >  ? */
	   F, F, F, F, F, F, F, F, F, F, O, E, E, E, E, B,
	/* @  A  B  C  D  E  F  G  H  I  J  K  L  M  N  O */
	   E, F, F, F, F, F, F, F, F, F, F, F, F, F, F, F,
	/* P  Q  R  S  T  U  V  W  X  Y  Z  [  \  ]  ^  _ */
	   F, F, F, F, F, F, F, F, F, F, F, B, E, B, F, F,
	/* `  a  b  c  d  e  f  g  h  i  j  k  l  m  n  o */
	   E, F, F, F, F, F, F, F, F, F, F, F, F, F, F, F,
	/* p  q  r  s  t  u  v  w  x  y  z  {  |  }  ~ */
	   F, F, F, F, F, F, F, F, F, F, F, B, E, B, F, O,
	/* A source is known to be UTF-8 without further line breaks. */
	   F, F, F, F, F, F, F, F, F, F, F, F, F, F, F, F,
	   F, F, F, F, F, F, F, F, F, F, F, F, F, F, F, F,
	   F, F, F, F, F, F, F, F, F, F, F, F, F, F, F, F,
	   F, F, F, F, F, F, F, F, F, F, F, F, F, F, F, F,
	   F, F, F, F, F, F, F, F, F, F, F, F, F, F, F, F,
	   F, F, F, F, F, F, F, F, F, F, F, F, F, F, F, F,
	   F, F, F, F, F, F, F, F, F, F, F, F, F, F, F, F,
	   F, F, F, F, F, F, F, F, F, F, F, F, F, F, F, F,
};
// clang-format on

/** '\0' behind the end of the line: no source has one. */
static char peek(const struct plain *plain) {
	return plain->at < plain->end ? plain->text[plain->at] : '\0';
}

static void skip_spaces(struct plain *plain) {
	while (plain->at < plain->end && plain->text[plain->at] == ' ') {
		plain->at++;
	}
}

/** Whether nothing but a comment follows. */
static bool ends_line(struct plain *plain) {
	uint32_t before = plain->at;
	skip_spaces(plain);
	return plain->at == plain->end || (plain->at > before && peek(plain) == '#');
}

/** Whether the colon at `at` makes a key of what precedes it. */
static bool is_key(const char *at, const char *end) {
	return at + 1 == end || at[1] == ' ';
}

/* ---- to nodes ---- */

static void add_scalar(const struct plain *plain, struct fw_yaml_extent extent, bool quoted) {
	if (plain->reader == NULL) {
		return;
	}
	struct fw_yaml_node *node = fw_yaml_new_node(plain->reader, FW_YAML_SCALAR, extent);
	node->plain = !quoted;
	node->text = (struct fw_slice){
		plain->text + extent.start + quoted, extent.end - extent.start - 2 * quoted};
	fw_yaml_add(plain->reader, (struct fw_yaml_tree){.node = node, .size = 1}, extent.end);
}

/** False when it is too deep: that is libyaml's to tell. */
static bool open_level(struct plain *plain, enum fw_yaml_kind kind, uint32_t column,
	struct fw_yaml_extent extent) {
	if (plain->depth == FW_YAML_DEPTH) {
		return false;
	}
	plain->levels[plain->depth++] = (struct level){column, kind};
	if (plain->reader != NULL) {
		fw_yaml_open(plain->reader, kind, extent, extent.end > extent.start, NULL);
	}
	return true;
}

static void close_level(struct plain *plain, uint32_t end) {
	plain->depth--;
	if (plain->reader != NULL) {
		fw_yaml_close(plain->reader, end);
	}
}

/* ---- values ---- */

/**
 * A value without quotes, up to what cannot be in it: the end of the line, a comment, the colon
 * behind a key, in brackets a comma or a bracket.
 */
static bool read_unquoted(
	struct plain *plain, unsigned char class, struct fw_yaml_extent *out_extent) {
	const char *const first = plain->text + plain->at, *const end = plain->text + plain->end;
	const char *at = first;
	if ((classes[(unsigned char)peek(plain)] & FIRST) == 0) {
		return false;
	}
	for (;; at++) {
		while (at < end && (classes[(unsigned char)*at] & class) != 0) {
			at++;
		}
		if (at == end || (*at == '#' ? at[-1] == ' ' : *at != ':' || is_key(at, end))) {
			break;
		}
		if (*at == ':' && class == IN_FLOW && strchr(",[]{}?", at[1]) != NULL) {
			return false; /* versions of libyaml differ here */
		}
	}
	plain->at = (uint32_t)(at - plain->text);
	bool spaced = at[-1] == ' ';
	while (at[-1] == ' ') {
		at--;
	}
	*out_extent = (struct fw_yaml_extent){
		(uint32_t)(first - plain->text), (uint32_t)(at - plain->text)};
	return !spaced || peek(plain) != ':';
}

static bool read_quoted(struct plain *plain) {
	uint32_t start = plain->at;
	char quote = plain->text[start];
	const char *first = plain->text + start + 1;
	const char *last = memchr(first, quote, plain->end - start - 1);
	if (last == NULL || (quote == '"' && memchr(first, '\\', (size_t)(last - first)) != NULL)) {
		return false;
	}
	plain->at = (uint32_t)(last - plain->text) + 1;
	add_scalar(plain, (struct fw_yaml_extent){start, plain->at}, true);
	return peek(plain) != '\''; /* two of them stand for one */
}

static bool read_in_brackets(struct plain *plain);

/** A key, its colon and the space behind it. */
static bool read_key_in_brackets(struct plain *plain) {
	struct fw_yaml_extent extent;
	if (!read_unquoted(plain, IN_FLOW, &extent) || peek(plain) != ':' ||
		extent.end - extent.start > KEY_MAX) {
		return false;
	}
	add_scalar(plain, extent, false);
	plain->at++;
	skip_spaces(plain);
	return true;
}

static bool read_value_in_brackets(struct plain *plain) {
	struct fw_yaml_extent extent;
	switch (peek(plain)) {
	case '[':
	case '{':
		return read_in_brackets(plain);
	case '\'':
	case '"':
		return read_quoted(plain);
	default:
		if (!read_unquoted(plain, IN_FLOW, &extent)) {
			return false;
		}
		add_scalar(plain, extent, false);
		return true;
	}
}

/** No deeper than FW_YAML_DEPTH. */
static bool read_in_brackets(struct plain *plain) {
	bool mapping = peek(plain) == '{';
	char last = mapping ? '}' : ']';
	if (!open_level(plain, mapping ? FW_YAML_MAPPING : FW_YAML_SEQUENCE, 0,
		    (struct fw_yaml_extent){plain->at, plain->at + 1})) {
		return false;
	}
	char between = ',';
	plain->at++;
	skip_spaces(plain);
	if (peek(plain) == last) {
		between = last; /* empty */
	}
	while (between == ',') {
		if ((mapping && !read_key_in_brackets(plain)) || !read_value_in_brackets(plain)) {
			return false;
		}
		skip_spaces(plain);
		between = peek(plain);
		if (between == ',') {
			plain->at++;
			skip_spaces(plain);
		}
	}
	plain->at++;
	close_level(plain, plain->at);
	return between == last;
}

/* ---- lines ---- */

static bool read_pair(struct plain *plain, struct fw_yaml_extent key);

/** What stands behind a `-` or, unless `item`, behind a key: there it may be in the lines below. */
static bool read_value(struct plain *plain, bool item) {
	struct fw_yaml_extent extent;
	if (ends_line(plain)) {
		plain->awaiting = true;
		return !item;
	}
	switch (peek(plain)) {
	case '[':
	case '{':
		return read_in_brackets(plain) && ends_line(plain);
	case '\'':
	case '"':
		return read_quoted(plain) && ends_line(plain);
	default:
		if (!read_unquoted(plain, IN_BLOCK, &extent)) {
			return false;
		}
	}
	if (peek(plain) == ':') {
		return item &&
		       open_level(plain, FW_YAML_MAPPING, extent.start - plain->line,
			       (struct fw_yaml_extent){extent.start, extent.start}) &&
		       read_pair(plain, extent);
	}
	add_scalar(plain, extent, false);
	return plain->at == plain->end || peek(plain) == '#';
}

/** From the colon behind a key on. */
static bool read_pair(struct plain *plain, struct fw_yaml_extent key) {
	if (peek(plain) != ':' || key.end - key.start > KEY_MAX) {
		return false;
	}
	add_scalar(plain, key, false);
	plain->at++;
	return read_value(plain, false);
}

/** Whether a line that is this far in begins a collection: the document's, or a key's value. */
static bool begins_level(const struct plain *plain, enum fw_yaml_kind kind, uint32_t column) {
	if (plain->depth == 0) {
		return true;
	}
	const struct level *top = &plain->levels[plain->depth - 1];
	return column > top->column || (column == top->column && kind == FW_YAML_SEQUENCE);
}

/** Goes to the collection that this line belongs to, which may begin here. */
static bool enter(struct plain *plain, enum fw_yaml_kind kind) {
	uint32_t column = plain->at - plain->line;
	if (plain->depth == 0 || plain->awaiting) {
		plain->awaiting = false;
		return begins_level(plain, kind, column) &&
		       open_level(
			       plain, kind, column, (struct fw_yaml_extent){plain->at, plain->at});
	}
	const struct level *top = &plain->levels[plain->depth - 1];
	while (top->column > column ||
		(top->column == column && top->kind != kind && kind == FW_YAML_MAPPING)) {
		if (plain->depth == 1) {
			return false;
		}
		close_level(plain, FW_YAML_LAST_ITEM);
		top--;
	}
	return top->column == column && top->kind == kind;
}

static bool read_line(struct plain *plain) {
	struct fw_yaml_extent key;
	switch (peek(plain)) {
	case '-':
		if (!enter(plain, FW_YAML_SEQUENCE)) {
			return false;
		}
		plain->at++;
		return peek(plain) == ' ' && read_value(plain, true);
	case '.': /* at the margin three of them end a document */
		return false;
	default:
		return enter(plain, FW_YAML_MAPPING) && read_unquoted(plain, IN_BLOCK, &key) &&
		       read_pair(plain, key);
	}
}

/** Goes to the next line with something on it. */
static bool next_line(struct plain *plain) {
	while (plain->next < plain->length) {
		const char *first = plain->text + plain->next;
		const char *last = memchr(first, '\n', plain->length - plain->next);
		plain->line = plain->at = plain->next;
		plain->end = last != NULL ? (uint32_t)(last - plain->text) : plain->length;
		plain->next = plain->end + 1;
		if (last != NULL && last > first && last[-1] == '\r') {
			plain->end--;
		}
		skip_spaces(plain);
		if (plain->at < plain->end && plain->text[plain->at] != '#') {
			return true;
		}
	}
	return false;
}

static bool read_lines(const struct fw_source *source, struct fw_yaml_reader *reader) {
	struct plain plain = {.reader = reader,
		.text = source->text.data,
		.length = (uint32_t)source->text.length};
	while (next_line(&plain)) {
		if (!read_line(&plain)) {
			return false;
		}
	}
	if (plain.depth == 0 || plain.awaiting) {
		return false;
	}
	while (plain.depth > 0) {
		close_level(&plain, FW_YAML_LAST_ITEM);
	}
	return true;
}

bool fw_yaml_is_plain(const struct fw_source *source) {
	return read_lines(source, NULL);
}

void fw_yaml_read_plain(struct fw_yaml_reader *reader) {
	read_lines(reader->source, reader);
}
