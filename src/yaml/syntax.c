// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What made libyaml give up, in words for somebody who writes a profile. libyaml tells its errors
 * apart by text alone, so the texts of 0.2 are looked up; one that is not known is passed on as it
 * is.
 */

#include <ctype.h>
#include <string.h>

#include "yaml/reader.h"

/** Eight groups, of which the last two are in dotted decimal, and a prefix length. */
enum { LONGEST_ADDRESS = 49 };

/** Where it is said to be wrong: at the problem, at the word that ends there, at its context. */
enum where { AT_PROBLEM, AT_WORD, AT_CONTEXT };

struct wording {
	const char *problem; /* what libyaml says */
	char first;	     /* what stands there, or 0 for anything */
	enum where where;
	const char *message;
	const char *note; /* for the context's place, or NULL */
	const char *hint; /* or NULL */
};

static const char quote_hint[] = "is it meant as text? Put it in quotes";

static const char no_directive[] = "a line that begins with '%' is a directive, but not one that "
				   "exists";

static const struct wording wordings[] = {
	{"found character that cannot start any token", 0, AT_PROBLEM,
		"a value cannot begin with this character", NULL, quote_hint},
	{"could not find expected ':'", 0, AT_CONTEXT, "this is no 'key: value'", NULL,
		"a key stands on one line, with ': ' behind it"},
	{"mapping values are not allowed in this context", 0, AT_WORD, "no key can stand here",
		NULL,
		"a value with ': ' in it needs quotes; keys of one mapping stand in one column"},
	{"mapping keys are not allowed in this context", 0, AT_PROBLEM, "no key can begin here",
		NULL, quote_hint},
	{"block sequence entries are not allowed in this context", 0, AT_PROBLEM,
		"no list can begin here", NULL, "put '- ' on the line below the key"},
	{"did not find expected alphabetic or numeric character", 0, AT_CONTEXT,
		"'&' and '*' need a name of letters, digits, '-' and '_' behind them", NULL,
		quote_hint},
	{"did not find expected comment or line break", 0, AT_CONTEXT,
		"the line goes on where it should end", NULL, quote_hint},
	{"found an indentation indicator equal to 0", 0, AT_CONTEXT,
		"a block of text cannot be indented by 0", NULL, NULL},
	{"found unexpected end of stream", 0, AT_PROBLEM, "the text ends within quotes",
		"they open here", NULL},
	{"found unexpected document indicator", 0, AT_PROBLEM, "the document ends within quotes",
		"they open here", NULL},
	{"found unknown escape character", 0, AT_PROBLEM, "there is no such escape", NULL,
		"for a backslash itself write \\\\ or use single quotes"},
	{"did not find expected hexdecimal number", 0, AT_PROBLEM,
		"an escape needs two digits after \\x, four after \\u, eight after \\U", NULL,
		NULL},
	{"found invalid Unicode character escape code", 0, AT_PROBLEM,
		"this escape stands for no character", NULL, NULL},
	{"found unexpected ':'", 0, AT_PROBLEM, "a ':' cannot stand before a bracket or a comma",
		NULL, quote_hint},
	{"did not find expected ',' or ']'", 0, AT_PROBLEM, "',' or ']' is missing before this",
		"the list opens here", NULL},
	{"did not find expected ',' or '}'", 0, AT_PROBLEM, "',' or '}' is missing before this",
		"the mapping opens here", NULL},
	{"did not find expected '-' indicator", 0, AT_PROBLEM,
		"this is no item of the list above it", "the list begins here",
		"items begin with '- ' in one column"},
	{"did not find expected key", ':', AT_PROBLEM, "a key is missing before this", NULL, NULL},
	{"did not find expected key", 0, AT_PROBLEM, "this does not belong to the mapping above it",
		"the mapping begins here", "keys of one mapping stand in one column"},
	{"did not find expected node content", ':', AT_PROBLEM, "a key is missing before this",
		NULL, NULL},
	{"did not find expected node content", '-', AT_PROBLEM,
		"items in brackets have no '-' before them", NULL, quote_hint},
	{"did not find expected node content", 0, AT_PROBLEM, "a value is missing before this",
		NULL, NULL},
	{"did not find expected <document start>", 0, AT_PROBLEM,
		"this does not belong to what stands above it", NULL,
		"is it indented as it should be?"},
	{"found incompatible YAML document", 0, AT_PROBLEM, "only YAML 1.1 and 1.2 can be read",
		NULL, NULL},
	{"found unknown directive name", 0, AT_CONTEXT, no_directive, NULL, quote_hint},
	{"could not find expected directive name", 0, AT_CONTEXT, no_directive, NULL, quote_hint},
	{"found unexpected non-alphabetical character", 0, AT_CONTEXT, no_directive, NULL,
		quote_hint},
};

static const struct wording *find_wording(const char *problem, char first) {
	for (size_t i = 0; i < FW_LENGTH(wordings); i++) {
		if (strcmp(wordings[i].problem, problem) == 0 &&
			(wordings[i].first == 0 || wordings[i].first == first)) {
			return &wordings[i];
		}
	}
	return NULL;
}

/* ---- places ---- */

/** From `start` to the end of the word; empty at the end of a line. */
static struct fw_span word_span(const struct fw_yaml_reader *reader, uint32_t start) {
	struct fw_slice text = reader->source->text;
	uint32_t end = start;
	while (end < text.length && strchr(" \t\r\n,[]{}", text.data[end]) == NULL) {
		end++;
	}
	if (end == start && end < text.length && strchr("\r\n", text.data[end]) == NULL) {
		end++;
	}
	return fw_yaml_span(reader, start, end);
}

/** From the word that ends before `end` to there, with the character at `end`. */
static struct fw_span word_before(const struct fw_yaml_reader *reader, uint32_t end) {
	const char *text = reader->source->text.data;
	uint32_t start = end;
	while (start > reader->start && strchr(" \t\r\n", text[start - 1]) == NULL) {
		start--;
	}
	return fw_yaml_span(reader, start, end + 1);
}

/** The run round `at` that could belong to an IPv6 address. */
static struct fw_span address_span(const struct fw_yaml_reader *reader, uint32_t at) {
	const char *text = reader->source->text.data;
	uint32_t start = at, end = at;
	while (start > reader->start && (isxdigit((unsigned char)text[start - 1]) ||
						strchr(":./", text[start - 1]) != NULL)) {
		start--;
	}
	while (end < reader->source->text.length &&
		(isxdigit((unsigned char)text[end]) || strchr(":./", text[end]) != NULL)) {
		end++;
	}
	return fw_yaml_span(reader, start, end);
}

/** `::1`, `fe80::`, `::/0`: YAML takes a ':' at either end for its own. */
static bool is_bare_address(struct fw_span span) {
	struct fw_slice text = fw_span_text(span);
	struct fw_slice whole = span.source->text;
	bool in_word = (span.start > 0 && isalnum((unsigned char)whole.data[span.start - 1])) ||
		       (span.end < whole.length && isalnum((unsigned char)whole.data[span.end]));
	return !in_word && text.length <= LONGEST_ADDRESS &&
	       memmem(text.data, text.length, "::", 2) != NULL &&
	       (text.data[0] == ':' || text.data[text.length - 1] == ':');
}

/* ---- sorts of errors that deserve more than a wording ---- */

static void report(struct fw_yaml_reader *reader, struct fw_span span, const char *id,
	const char *message, const char *hint) {
	struct fw_diag *diag =
		fw_yaml_refused(reader, fw_error(reader->diags, span, id, "%s", message));
	if (hint != NULL) {
		fw_diag_hint(reader->diags, diag, "%s", hint);
	}
}

static bool report_tab(struct fw_yaml_reader *reader, uint32_t at) {
	struct fw_slice text = reader->source->text;
	uint32_t end = at;
	while (end < text.length && text.data[end] == '\t') {
		end++;
	}
	if (end == at) {
		return false;
	}
	report(reader, fw_yaml_span(reader, at, end), "yaml-tab", "a tab cannot indent YAML",
		"indent with spaces");
	return true;
}

static bool report_address(struct fw_yaml_reader *reader, uint32_t at) {
	struct fw_span span = address_span(reader, at);
	struct fw_slice text = fw_span_text(span);
	if (!is_bare_address(span)) {
		return false;
	}
	struct fw_diag *diag = fw_yaml_refused(
		reader, fw_error(reader->diags, span, "yaml-syntax",
				"an address that begins or ends with ':' needs quotes"));
	fw_diag_hint(reader->diags, diag, "write \"%.*s\"", (int)text.length, text.data);
	return true;
}

/** The text is over and a bracket is still open. */
static bool report_unclosed(struct fw_yaml_reader *reader, uint32_t at) {
	const char *text = reader->source->text.data;
	size_t depth = reader->depth;
	if (at != reader->source->text.length || depth == 0 || !reader->frames[depth - 1].flow) {
		return false;
	}
	/* The mapping in `[a: b]` has no brackets of its own. */
	uint32_t start = reader->frames[depth - 1].node->span.start;
	while (strchr("[{", text[start]) == NULL) {
		depth--;
		start = reader->frames[depth - 1].node->span.start;
	}
	bool list = text[start] == '[';
	struct fw_diag *diag = fw_yaml_refused(
		reader, fw_error(reader->diags, fw_yaml_span(reader, at, at), "yaml-syntax",
				"the text ends before '%c'", list ? ']' : '}'));
	fw_diag_note(reader->diags, diag, fw_yaml_span(reader, start, start + 1),
		"the %s opens here", list ? "list" : "mapping");
	return true;
}

static bool report_bracket(struct fw_yaml_reader *reader, uint32_t at) {
	struct fw_slice text = reader->source->text;
	bool in_brackets = reader->depth != 0 && reader->frames[reader->depth - 1].flow;
	if (in_brackets || at == text.length || strchr(",]}", text.data[at]) == NULL) {
		return false;
	}
	struct fw_diag *diag = fw_yaml_refused(
		reader, fw_error(reader->diags, fw_yaml_span(reader, at, at + 1), "yaml-syntax",
				"this '%c' belongs to no bracket", text.data[at]));
	fw_diag_hint(reader->diags, diag, "%s", quote_hint);
	return true;
}

/** Something stands behind a complete value on its line: `"a" b`, `'it's'`. */
static bool report_leftover(struct fw_yaml_reader *reader, uint32_t at, const char *problem) {
	const char *text = reader->source->text.data;
	uint32_t before = at;
	while (before > reader->start && (text[before - 1] == ' ' || text[before - 1] == '\t')) {
		before--;
	}
	bool first = before == reader->start || text[before - 1] == '\n';
	bool expected = strcmp(problem, "did not find expected key") == 0 ||
			strcmp(problem, "did not find expected '-' indicator") == 0 ||
			strcmp(problem, "did not find expected <document start>") == 0;
	const struct fw_yaml_node *value =
		reader->children.count != 0 ? reader->children.items[reader->children.count - 1]
					    : reader->root;
	if (first || !expected || value == NULL) {
		return false;
	}
	struct fw_diag *diag = fw_yaml_refused(
		reader, fw_error(reader->diags, word_span(reader, at), "yaml-syntax",
				"the value before this is over already"));
	fw_diag_note(reader->diags, diag, value->span, "it begins here");
	fw_diag_hint(reader->diags, diag, "one pair of quotes belongs round all of a value");
	return true;
}

static bool report_document(struct fw_yaml_reader *reader, uint32_t at, const char *problem) {
	if (!reader->explicit_end ||
		strcmp(problem, "did not find expected <document start>") != 0) {
		return false;
	}
	report(reader, word_span(reader, at), "yaml-document",
		"text follows the end of the document", NULL);
	return true;
}

static bool report_tag(struct fw_yaml_reader *reader, uint32_t at, const char *context) {
	bool tag = strcmp(context, "while scanning a tag") == 0 ||
		   strcmp(context, "while parsing a tag") == 0 ||
		   strcmp(context, "while parsing a node") == 0;
	if (tag) {
		fw_yaml_refuse_tag(reader, word_span(reader, at));
	}
	return tag;
}

static void report_wording(struct fw_yaml_reader *reader, const struct wording *wording,
	uint32_t at, uint32_t context) {
	struct fw_span span = wording->where == AT_WORD	     ? word_before(reader, at)
			      : wording->where == AT_CONTEXT ? word_span(reader, context)
							     : word_span(reader, at);
	struct fw_diag *diag = fw_yaml_refused(
		reader, fw_error(reader->diags, span, "yaml-syntax", "%s", wording->message));
	if (wording->note != NULL) {
		fw_diag_note(reader->diags, diag, word_span(reader, context), "%s", wording->note);
	}
	if (wording->hint != NULL) {
		fw_diag_hint(reader->diags, diag, "%s", wording->hint);
	}
}

static bool report_special(struct fw_yaml_reader *reader, uint32_t at, const char *problem,
	uint32_t from, const char *context) {
	return report_tab(reader, at) || report_address(reader, at) ||
	       report_unclosed(reader, at) || report_bracket(reader, at) ||
	       report_document(reader, at, problem) || report_leftover(reader, at, problem) ||
	       report_tag(reader, from, context);
}

void fw_yaml_report_syntax(struct fw_yaml_reader *reader) {
	const yaml_parser_t *parser = &reader->parser;
	if (parser->error == YAML_MEMORY_ERROR) {
		fw_yaml_exhausted();
	}
	const char *problem = parser->problem;
	const char *context = parser->context != NULL ? parser->context : "";
	uint32_t at = fw_yaml_byte(reader, parser->problem_mark);
	uint32_t from = *context != '\0' ? fw_yaml_byte(reader, parser->context_mark) : at;
	/* Inside quotes nothing else counts. */
	bool quoted = strstr(context, "quoted scalar") != NULL;
	if (!quoted && report_special(reader, at, problem, from, context)) {
		return;
	}
	struct fw_slice text = reader->source->text;
	const struct wording *wording =
		find_wording(problem, at < text.length ? text.data[at] : '\0');
	if (wording != NULL) {
		report_wording(reader, wording, at, from);
	} else {
		fw_yaml_refused(reader, fw_error(reader->diags, word_span(reader, at),
						"yaml-syntax", "this is not YAML: %s", problem));
	}
}
