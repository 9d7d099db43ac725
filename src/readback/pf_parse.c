// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Statements of a pf.conf other than rules: macros, options, tables, and which lines decide
 * nothing. A statement that cannot be read, or is not understood, is an unknown at its line, and
 * reading goes on behind it.
 */

#include "readback/pf.h"

#include <stdlib.h>
#include <string.h>

#define uthash_malloc(size) fw_alloc(size)
#include <uthash.h>

struct fw_pfr_name {
	struct fw_slice text;
	size_t number;
	UT_hash_handle hh;
};

enum {
	MACRO_MAX = 16 << 20, /* bytes */
	NESTING_MAX = 16,     /* lists in lists */
};

/* ---- notes ---- */

void fw_pfr_notes_fini(struct fw_pfr_notes *notes) {
	FW_VEC_FINI(&notes->unknowns);
	FW_VEC_FINI(&notes->remarks);
}

void fw_pfr_unknown(struct fw_pfr_notes *notes, struct fw_place place, const char *what) {
	if (notes->unknowns.count >= FW_PFR_NOTES_MAX) {
		return;
	}
	for (size_t i = 0; i < notes->unknowns.count; i++) {
		const struct fw_rb_unknown *one = &notes->unknowns.items[i];
		if (strcmp(one->place.text, place.text) == 0 && strcmp(one->what, what) == 0) {
			return;
		}
	}
	FW_VEC_ADD(&notes->unknowns, (struct fw_rb_unknown){.place = place, .what = what});
}

void fw_pfr_remark(struct fw_pfr_notes *notes, const char *what) {
	if (notes->remarks.count >= FW_PFR_NOTES_MAX) {
		return;
	}
	for (size_t i = 0; i < notes->remarks.count; i++) {
		if (strcmp(notes->remarks.items[i], what) == 0) {
			return;
		}
	}
	FW_VEC_ADD(&notes->remarks, what);
}

/* ---- tokens ---- */

bool fw_pfr_fail(struct fw_pfr_parser *parser, const char *what) {
	if (!parser->failed) {
		fw_pfr_unknown(&parser->notes, parser->place, what);
		parser->failed = true;
	}
	return false;
}

bool fw_pfr_fail_at(struct fw_pfr_parser *parser, const char *what) {
	FW_AUTO(fw_buf_fini) struct fw_buf text = {0};
	enum { SHOWN_MAX = 60 };
	struct fw_slice shown = parser->token.text;

	if (parser->failed) {
		return false;
	}
	if (parser->token.kind == FW_PFR_BAD) {
		return fw_pfr_fail(parser, fw_arena_text(parser->arena, shown));
	}
	shown.length = shown.length < SHOWN_MAX ? shown.length : SHOWN_MAX;
	fw_buf_printf(&text, "%s: '", what);
	fw_buf_add_escaped(&text, shown);
	fw_buf_add_char(&text, '\'');
	return fw_pfr_fail(parser, fw_arena_text(parser->arena, fw_buf_slice(&text)));
}

void fw_pfr_advance(struct fw_pfr_parser *parser) {
	if (parser->token.kind == FW_PFR_BAD) {
		fw_pfr_fail(parser, fw_arena_text(parser->arena, parser->token.text));
	}
	parser->token = fw_pfr_next(&parser->lexer);
}

/* What stands where something else has to. */
static bool fail_wanted(struct fw_pfr_parser *parser, const char *wanted) {
	return fw_pfr_fail_at(
		parser, fw_arena_printf(parser->arena, "no %s where there has to be one", wanted));
}

bool fw_pfr_at(const struct fw_pfr_parser *parser, const char *text) {
	bool bare = parser->token.kind == FW_PFR_WORD || parser->token.kind == FW_PFR_OPERATOR;
	return !parser->failed && bare && fw_slice_is(parser->token.text, text);
}

bool fw_pfr_accept(struct fw_pfr_parser *parser, const char *text) {
	bool there = fw_pfr_at(parser, text);

	if (there) {
		fw_pfr_advance(parser);
	}
	return there;
}

bool fw_pfr_expect(struct fw_pfr_parser *parser, const char *text) {
	if (fw_pfr_accept(parser, text)) {
		return true;
	}
	return fw_pfr_fail_at(parser, "a line that pf.conf's grammar does not have, at");
}

bool fw_pfr_at_end(const struct fw_pfr_parser *parser) {
	return parser->failed || parser->token.kind == FW_PFR_NEWLINE ||
	       parser->token.kind == FW_PFR_END;
}

bool fw_pfr_text(struct fw_pfr_parser *parser, const char *wanted, struct fw_slice *out_text) {
	if (parser->token.kind != FW_PFR_WORD && parser->token.kind != FW_PFR_QUOTED) {
		return fail_wanted(parser, wanted);
	}
	*out_text = parser->token.text;
	fw_pfr_advance(parser);
	return !parser->failed;
}

bool fw_pfr_number(struct fw_pfr_parser *parser, const char *wanted, uint64_t max, uint64_t *out) {
	bool good = parser->token.kind == FW_PFR_WORD && parser->token.number &&
		    fw_slice_to_uint(parser->token.text, max, out);

	if (!good) {
		return fail_wanted(parser, wanted);
	}
	fw_pfr_advance(parser);
	return !parser->failed;
}

void fw_pfr_newlines(struct fw_pfr_parser *parser) {
	while (parser->token.kind == FW_PFR_NEWLINE) {
		fw_pfr_advance(parser);
	}
}

bool fw_pfr_items(
	struct fw_pfr_parser *parser, bool (*item)(struct fw_pfr_parser *, void *), void *context) {
	if (!fw_pfr_accept(parser, "{")) {
		return item(parser, context);
	}
	if (parser->nesting == NESTING_MAX) {
		return fw_pfr_fail(parser, "lists in lists, deeper than anybody needs");
	}
	parser->nesting++;
	do {
		fw_pfr_newlines(parser);
		item(parser, context);
		fw_pfr_newlines(parser);
		fw_pfr_accept(parser, ",");
		fw_pfr_newlines(parser);
	} while (!parser->failed && !fw_pfr_accept(parser, "}"));
	parser->nesting--;
	return !parser->failed;
}

/* Goes to the end of a statement that nobody will read, lists in braces with it. */
/* What a statement says beside verdicts, by two words of it that follow each other. */
typedef void look_fn(struct fw_pfr_parser *parser, struct fw_slice before, struct fw_slice word);

/* To its end, behind the word `before`; `look` may be NULL. */
static void skip_looking(struct fw_pfr_parser *parser, struct fw_slice before, look_fn *look) {
	size_t depth = 0;

	while (parser->token.kind != FW_PFR_END) {
		bool special = parser->token.kind == FW_PFR_OPERATOR;
		if (parser->token.kind == FW_PFR_NEWLINE && depth == 0) {
			return;
		}
		if (special && fw_slice_is(parser->token.text, "{")) {
			depth++;
		} else if (special && fw_slice_is(parser->token.text, "}")) {
			if (depth == 0) {
				return;
			}
			depth--;
		}
		if (look != NULL && parser->token.kind == FW_PFR_WORD) {
			look(parser, before, parser->token.text);
			before = parser->token.text;
		}
		fw_pfr_advance(parser);
	}
}

/* ---- names ---- */

/* The number of a name, which is `next` if it is new. */
static size_t number_of(struct fw_pfr_parser *parser, struct fw_pfr_name **names,
	struct fw_slice text, size_t next) {
	struct fw_pfr_name *name;

	HASH_FIND(hh, *names, text.data, text.length, name);
	if (name == NULL) {
		name = FW_ARENA_NEW(parser->arena, struct fw_pfr_name);
		name->text = (struct fw_slice){fw_arena_text(parser->arena, text), text.length};
		name->number = next;
		HASH_ADD_KEYPTR(hh, *names, name->text.data, name->text.length, name);
	}
	return name->number;
}

void fw_pfr_names_fini(struct fw_pfr_parser *parser) {
	HASH_CLEAR(hh, parser->table_names);
	HASH_CLEAR(hh, parser->tag_names);
}

size_t fw_pfr_table_number(struct fw_pfr_parser *parser, struct fw_slice name) {
	size_t number = number_of(parser, &parser->table_names, name, parser->tables.count);

	if (number == parser->tables.count) {
		FW_VEC_ADD(&parser->tables,
			(struct fw_pfr_table){.name = fw_arena_text(parser->arena, name),
				.place = parser->place});
	}
	return number;
}

bool fw_pfr_tag_number(struct fw_pfr_parser *parser, struct fw_slice name, uint8_t *out_number) {
	size_t number = number_of(parser, &parser->tag_names, name, parser->tag_count + 1);

	if (number > FW_PFR_TAG_MAX) {
		return fw_pfr_fail(parser, "more tags than are told apart");
	}
	if (number > parser->tag_count) {
		parser->tag_count = (unsigned)number;
	}
	*out_number = (uint8_t)number;
	return true;
}

bool fw_pfr_table_name(struct fw_pfr_parser *parser, struct fw_slice *out_name) {
	return fw_pfr_expect(parser, "<") && fw_pfr_text(parser, "table's name", out_name) &&
	       fw_pfr_expect(parser, ">");
}

/* ---- tables ---- */

/* Reads what a list in braces holds; addresses that are no prefixes are not for tables. */
static bool table_list(struct fw_pfr_parser *parser, struct fw_pfr_addresses *addresses) {
	fw_pfr_expect(parser, "{");
	fw_pfr_newlines(parser);
	while (!parser->failed && !fw_pfr_accept(parser, "}")) {
		if (!fw_pfr_address(parser, addresses)) {
			return false;
		}
		fw_pfr_newlines(parser);
		fw_pfr_accept(parser, ",");
		fw_pfr_newlines(parser);
	}
	return !parser->failed;
}

static const struct fw_pfr_entry *entries_of(
	struct fw_pfr_parser *parser, const struct fw_pfr_addresses *addresses) {
	struct fw_pfr_entry *entries =
		FW_ARENA_ARRAY(parser->arena, struct fw_pfr_entry, addresses->list.count);

	for (size_t i = 0; i < addresses->list.count; i++) {
		const struct fw_pfr_address *address = &addresses->list.items[i];
		if (address->kind != FW_PFR_RANGE) {
			fw_pfr_fail(parser, "a table with what is no address or network");
		} else if (fw_range_prefix_length(&address->range) < 0) {
			fw_pfr_fail(parser, "a table with a range, which pf does not take");
		}
		entries[i] = (struct fw_pfr_entry){address->range, address->negated};
	}
	return entries;
}

static void addresses_fini(struct fw_pfr_addresses *addresses) {
	FW_VEC_FINI(&addresses->list);
}

static void table_statement(struct fw_pfr_parser *parser) {
	FW_AUTO(addresses_fini) struct fw_pfr_addresses addresses = {0};
	struct fw_slice name;
	bool constant = false, listed = false, file = false;

	if (!fw_pfr_table_name(parser, &name)) {
		return;
	}
	while (!fw_pfr_at_end(parser)) {
		if (fw_pfr_at(parser, "{")) {
			listed = true;
			table_list(parser, &addresses);
		} else if (fw_pfr_accept(parser, "const")) {
			constant = true;
		} else if (fw_pfr_accept(parser, "file")) {
			struct fw_slice path;
			file = true;
			fw_pfr_text(parser, "file's name", &path);
		} else if (!fw_pfr_accept(parser, "persist") &&
			   !fw_pfr_accept(parser, "counters")) {
			fw_pfr_fail_at(parser, "the table option");
		}
	}
	size_t number = fw_pfr_table_number(parser, name);
	struct fw_pfr_table *table = &parser->tables.items[number];
	table->place = parser->place;
	if (table->defined) {
		fw_pfr_fail(parser, "a table that is defined twice");
	}
	table->defined = true;
	table->open = !constant && !listed;
	if (file) {
		fw_pfr_fail(parser, "a table whose addresses are in another file");
	}
	table->entries = entries_of(parser, &addresses);
	table->entry_count = addresses.list.count;
}

/* ---- options ---- */

static bool skipped_interface(struct fw_pfr_parser *parser, void *context) {
	struct fw_pfr_interface one;

	(void)context;
	if (!fw_pfr_interface(parser, &one)) {
		return false;
	}
	if (one.negated) {
		return fw_pfr_fail(parser, "skip on what an interface is not");
	}
	FW_VEC_ADD(&parser->skipped, one);
	return true;
}

static void note(struct fw_pfr_parser *parser, const char *what) {
	fw_pfr_unknown(&parser->notes, parser->place, what);
}

static void look_at_timeout(
	struct fw_pfr_parser *parser, struct fw_slice before, struct fw_slice word) {
	uint64_t seconds;
	unsigned index;

	if (fw_pfr_timeout(before, &index) && fw_slice_to_uint(word, UINT32_MAX, &seconds) &&
		fw_pfr_is_hasty(index, (uint32_t)seconds)) {
		note(parser, fw_pfr_forgotten);
	}
}

/* Beyond it, nothing new passes. */
static void look_at_limit(
	struct fw_pfr_parser *parser, struct fw_slice before, struct fw_slice word) {
	enum { STATES_MIN = 1000 };
	uint64_t count;

	if (fw_slice_is(before, "states") && fw_slice_to_uint(word, UINT32_MAX, &count) &&
		count < STATES_MIN) {
		note(parser, "a limit of few states for all");
	}
}

/* Later fragments have no ports, so that only rules without any could tell them. */
static void look_at_reassembly(
	struct fw_pfr_parser *parser, struct fw_slice before, struct fw_slice word) {
	bool apart = (fw_slice_is(before, "reassemble") && fw_slice_is(word, "no")) ||
		     (fw_slice_is(before, "no") && fw_slice_is(word, "reassemble")) ||
		     (fw_slice_is(before, "fragment") &&
			     (fw_slice_is(word, "crop") || fw_slice_is(word, "drop-ovl")));

	if (apart) {
		note(parser, "fragments that are not put together");
	} else if (fw_slice_is(word, "min-ttl")) {
		note(parser, fw_pfr_hops_raised);
	}
}

static void look_at_option(
	struct fw_pfr_parser *parser, struct fw_slice before, struct fw_slice word) {
	look_at_limit(parser, before, word);
	look_at_reassembly(parser, before, word);
}

/* What is no business of ours: it decides about no packet. */
static bool is_harmless(struct fw_slice option) {
	static const char *const names[] = {"limit", "ruleset-optimization", "loginterface",
		"debug", "hostid", "fingerprints", "syncookies", "reassemble", "require-order",
		"fail-policy", "keepcounters"};

	for (size_t i = 0; i < FW_LENGTH(names); i++) {
		if (fw_slice_is(option, names[i])) {
			return true;
		}
	}
	return false;
}

/* One of two words; true for the second. */
static bool one_of(struct fw_pfr_parser *parser, const char *first, const char *second) {
	if (fw_pfr_accept(parser, first)) {
		return false;
	}
	return fw_pfr_expect(parser, second);
}

static void set_statement(struct fw_pfr_parser *parser) {
	struct fw_slice option;

	if (parser->in_anchor) {
		fw_pfr_fail(parser, "an option in an anchor");
		return;
	}
	if (!fw_pfr_text(parser, "option", &option)) {
		return;
	}
	if (fw_slice_is(option, "skip")) {
		fw_pfr_expect(parser, "on");
		if (!parser->failed) {
			fw_pfr_items(parser, skipped_interface, NULL);
		}
	} else if (fw_slice_is(option, "block-policy")) {
		parser->returns = one_of(parser, "drop", "return");
	} else if (fw_slice_is(option, "state-policy")) {
		parser->bound = one_of(parser, "floating", "if-bound");
	} else if (fw_slice_is(option, "state-defaults")) {
		parser->defaults = (struct fw_pfr_rule){.bound = parser->bound};
		fw_pfr_state_options(parser, &parser->defaults, NULL);
		parser->bound = parser->defaults.bound;
	} else if (fw_slice_is(option, "timeout") || fw_slice_is(option, "optimization")) {
		parser->timeouts = true;
		skip_looking(parser, option, look_at_timeout);
	} else if (is_harmless(option)) {
		skip_looking(parser, option, look_at_option);
	} else {
		fw_pfr_fail(parser, "an option that is not known here");
	}
}

/* ---- other statements ---- */

static void macro_statement(struct fw_pfr_parser *parser, struct fw_slice name) {
	FW_AUTO(fw_buf_fini) struct fw_buf value = {0};

	fw_pfr_expect(parser, "=");
	while (!fw_pfr_at_end(parser)) {
		struct fw_slice part;
		if (!fw_pfr_text(parser, "macro's text", &part)) {
			return;
		}
		if (value.length != 0) {
			fw_buf_add_char(&value, ' ');
		}
		fw_buf_add_slice(&value, part);
		if (value.length > MACRO_MAX) {
			fw_pfr_fail(parser, "a macro that is too long");
		}
	}
	struct fw_slice text = {fw_arena_text(parser->arena, fw_buf_slice(&value)), value.length};
	fw_pfr_define(&parser->lexer, name, text);
}

/* Shapes or normalizes, and lets nothing through that would not pass, nor the other way round. */
static bool decides_nothing(const struct fw_pfr_parser *parser, struct fw_slice word) {
	bool freebsd = parser->dialect == FW_RB_FREEBSD;

	return fw_slice_is(word, "queue") ||
	       (freebsd && (fw_slice_is(word, "altq") || fw_slice_is(word, "scrub")));
}

static void statement(struct fw_pfr_parser *parser) {
	struct fw_pfr_token first = parser->token;
	bool bare = first.kind == FW_PFR_WORD;

	if (bare && decides_nothing(parser, first.text) && parser->depth == 0) {
		skip_looking(parser, FW_SLICE(""), look_at_reassembly);
		return;
	}
	fw_pfr_advance(parser);
	if (bare && fw_pfr_rule_statement(parser, first.text)) {
		return;
	}
	if (parser->depth != 0 || !(bare || first.kind == FW_PFR_QUOTED)) {
		fw_pfr_fail(parser, "a line that pf.conf's grammar does not have here");
	} else if (bare && fw_slice_is(first.text, "set")) {
		set_statement(parser);
	} else if (bare && fw_slice_is(first.text, "table")) {
		table_statement(parser);
	} else if (bare && fw_slice_is(first.text, "include")) {
		fw_pfr_fail(parser, "another file that is included");
	} else if (bare && fw_slice_is(first.text, "load")) {
		fw_pfr_fail(parser, "an anchor that is loaded from another file");
	} else if (fw_pfr_at(parser, "=")) {
		macro_statement(parser, first.text);
	} else {
		fw_pfr_fail(parser, "a statement that is not known here");
	}
}

void fw_pfr_statements(struct fw_pfr_parser *parser) {
	while (parser->token.kind != FW_PFR_END &&
		!(parser->depth != 0 && fw_pfr_at(parser, "}"))) {
		if (parser->token.kind == FW_PFR_NEWLINE) {
			fw_pfr_advance(parser);
			continue;
		}
		const struct fw_source *source = parser->lexer.source;
		parser->place = (struct fw_place){
			fw_arena_printf(parser->arena, "%s:%zu", source->name, parser->token.line),
			{source, parser->token.start, parser->token.end}};
		statement(parser);
		if (!fw_pfr_at_end(parser)) {
			fw_pfr_fail_at(parser, "a line that pf.conf's grammar does not have, at");
		}
		if (parser->failed) {
			skip_looking(parser, FW_SLICE(""), NULL);
			/* A brace that closes nothing is behind us, or it would be met for ever. */
			if (parser->token.kind != FW_PFR_NEWLINE && parser->depth == 0) {
				fw_pfr_advance(parser);
			}
			parser->failed = false;
		}
	}
}
