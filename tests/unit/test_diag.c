// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sources and what they refuse, spans and their places, and what a list of diagnostics looks like.
 */

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "diag/diag.h"

static struct fw_arena arena;
static struct fw_diags diags;
static struct fw_buf out;

static void set_up(void) {
	arena = (struct fw_arena){0};
	diags = (struct fw_diags){0};
	out = (struct fw_buf){0};
}

static void tear_down(void) {
	fw_buf_fini(&out);
	fw_diags_fini(&diags);
	fw_arena_fini(&arena);
}

static const struct fw_source *source_of(const char *name, const char *text) {
	const struct fw_source *source = fw_source_text(&arena, name, fw_slice(text), &diags);
	ck_assert_ptr_nonnull(source);
	return source;
}

static struct fw_span span_of(const struct fw_source *source, const char *word) {
	const char *at = memmem(source->text.data, source->text.length, word, strlen(word));
	ck_assert_ptr_nonnull(at);
	uint32_t start = (uint32_t)(at - source->text.data);
	return (struct fw_span){source, start, start + (uint32_t)strlen(word)};
}

static const struct fw_span nowhere;

static void expect(bool quiet, const char *text) {
	out.length = 0;
	fw_buf_add_text(&out, "");
	fw_diags_render(&diags, quiet, &out);
	ck_assert_str_eq(out.data, text);
}

/* ---- rendering ---- */

START_TEST(renders_place_caret_note_and_hint) {
	const struct fw_source *source = source_of("profiles/web.yaml",
		"# one\n\nservices:\n  ssh: 22\n  https: 443\n\n\n\n\nroles:\n  web:\n"
		"      services: [ssh, htps]\n");
	struct fw_diag *diag = fw_error(&diags, span_of(source, "htps]"), "unknown-service",
		"no service is named '%s'", "htps");
	diag->span.end--;
	fw_diag_note(&diags, diag, span_of(source, "services"), "services are declared here");
	const char *const names[] = {"ssh", NULL, "https"};
	fw_diag_suggest(&diags, diag, FW_SLICE("htps"), names, FW_LENGTH(names));
	expect(false, "profiles/web.yaml:12:23: error: no service is named 'htps' "
		      "[unknown-service]\n"
		      "   12 |       services: [ssh, htps]\n"
		      "      |                       ^~~~\n"
		      "profiles/web.yaml:3:1: note: services are declared here\n"
		      "    3 | services:\n"
		      "      | ^~~~~~~~\n"
		      "hint: did you mean 'https'?\n");
}
END_TEST

START_TEST(renders_without_a_place) {
	struct fw_diag *diag =
		fw_failure(&diags, "unreadable-file", ENOENT, "cannot read '%s'", "x.yaml");
	fw_diag_note(&diags, diag, nowhere, "it is needed");
	expect(false, "flowfw: error: cannot read 'x.yaml': No such file or directory "
		      "[unreadable-file]\n"
		      "note: it is needed\n");
}
END_TEST

START_TEST(note_on_the_same_line_has_no_excerpt) {
	const struct fw_source *source = source_of("a", "{a: 1, b: 2}\n");
	const struct fw_source *other = source_of("b", "{a: 1, b: 2}\n");
	struct fw_diag *diag = fw_error(&diags, span_of(source, "b"), "id", "text");
	fw_diag_note(&diags, diag, span_of(source, "a"), "here");
	fw_diag_note(&diags, diag, span_of(other, "a"), "there");
	fw_diag_note(&diags, diag, span_of(other, "b"), "dropped");
	expect(false, "a:1:8: error: text [id]\n"
		      "    1 | {a: 1, b: 2}\n"
		      "      |        ^\n"
		      "a:1:2: note: here\n"
		      "b:1:2: note: there\n"
		      "    1 | {a: 1, b: 2}\n"
		      "      |  ^\n");
}
END_TEST

static const struct {
	const char *text;
	uint32_t start, end;
	const char *shown; /* behind the first line */
} excerpts[] = {
	{"abc\n", 1, 1, "    1 | abc\n      |  ^\n"},
	{"abc\n", 3, 3, "    1 | abc\n      |    ^\n"},
	{"abc\n", 4, 4, "    2 |\n      | ^\n"},
	{"abc", 3, 3, "    1 | abc\n      |    ^\n"},
	{"", 0, 0, "    1 |\n      | ^\n"},
	{"a\nbc\nd\n", 2, 6, "    2 | bc\n      | ^~\n"},
	{"ab\r\ncd\r\n", 1, 5, "    1 | ab\n      |  ^\n"},
	{"ab\r\ncd\r\n", 3, 4, "    1 | ab\n      |   ^\n"},
	{"\ta\tbc\n", 3, 5, "    1 | \ta\tbc\n      | \t \t^~\n"},
	{"\ta\n", 0, 2, "    1 | \ta\n      | ^~\n"},
	{"a\tb\n", 0, 3, "    1 | a\tb\n      | ^\t~\n"},
	{"é: ü!\n", 4, 7, "    1 | é: ü!\n      |    ^~\n"},
	{"a\u202eb c\n", 5, 6, "    1 | a\\u202eb c\n      |         ^\n"},
};

START_TEST(excerpt_shows_the_line) {
	const struct fw_source *source = source_of("x", excerpts[_i].text);
	fw_error(&diags, (struct fw_span){source, excerpts[_i].start, excerpts[_i].end}, "id", "m");
	fw_diags_render(&diags, false, &out);
	ck_assert_str_eq(strchr(out.data, '\n') + 1, excerpts[_i].shown);
}
END_TEST

/** A long line: `count` code points, the span somewhere in it. */
static void expect_window(size_t before, size_t length, size_t behind, const char *letter) {
	fw_buf_add_text(&out, "");
	for (size_t i = 0; i < before + length + behind; i++) {
		fw_buf_add_text(&out, i < before || i >= before + length ? letter : "X");
	}
	char *text = fw_arena_text(&arena, fw_buf_slice(&out));
	const struct fw_source *source = source_of("x", text);
	uint32_t start = (uint32_t)(before * strlen(letter));
	fw_error(&diags, (struct fw_span){source, start, start + (uint32_t)length}, "id", "m");
	out.length = 0;
	fw_diags_render(&diags, false, &out);
	const char *line = strstr(out.data, " | ") + 3;
	const char *line_end = strchr(line, '\n');
	const char *carets = strstr(line_end, "| ") + 2;
	size_t points = 0, left = 0, caret = strcspn(carets, "^");
	for (const char *at = line; at < line_end; at++) {
		bool starts = ((unsigned char)*at & 0xc0) != 0x80;
		if (starts && *at == 'X' && left == 0) {
			left = points;
		}
		points += starts;
	}
	ck_assert_uint_le(points, 102);
	ck_assert_uint_ge(points, 100);
	ck_assert_uint_eq(left, caret);
	ck_assert_int_eq(carets[caret], '^');
	bool cut_left = memcmp(line, "…", strlen("…")) == 0;
	ck_assert_int_eq(cut_left, caret < before);
}

START_TEST(long_lines_are_windowed) {
	static const size_t cases[][3] = {{500, 5, 500}, {50, 5, 500}, {30, 5, 500}, {500, 5, 0},
		{500, 1, 3}, {1, 5, 1000}, {200, 400, 10}, {39, 70, 200}};
	size_t count = FW_LENGTH(cases);
	const size_t *sizes = cases[(size_t)_i % count];
	expect_window(sizes[0], sizes[1], sizes[2], (size_t)_i < count ? "a" : "ß");
}
END_TEST

START_TEST(names_and_messages_are_escaped) {
	const struct fw_source *source = source_of("a\nb\x1b[2J", "text\n");
	struct fw_diag *diag = fw_error(
		&diags, span_of(source, "text"), "id", "%s", "\x7f'\t\"\xff\xc2\x85\u2028\ufeff ü");
	fw_diag_hint(&diags, diag, "%s", "a\rb");
	expect(false, "a\\nb\\x1b[2J:1:1: error: \\x7f'\\t\"\\xff\\u0085\\u2028\\ufeff ü [id]\n"
		      "    1 | text\n"
		      "      | ^~~~\n"
		      "hint: a\\rb\n");
}
END_TEST

START_TEST(sorts_by_place_and_drops_repetitions) {
	const struct fw_source *first = source_of("1", "ab");
	const struct fw_source *second = source_of("2", "ab");
	fw_error(&diags, (struct fw_span){second, 0, 0}, "id", "e");
	fw_error(&diags, (struct fw_span){first, 1, 1}, "id", "c");
	fw_error(&diags, (struct fw_span){first, 1, 1}, "id", "b");
	fw_warning(&diags, (struct fw_span){first, 0, 0}, "id", "a");
	fw_error(&diags, (struct fw_span){first, 1, 1}, "id", "c");
	fw_usage(&diags, "id", "z");
	fw_failure(&diags, "id", 0, "y");
	fw_usage(&diags, "id", "z");
	expect(false, "flowfw: error: z [id]\n"
		      "flowfw: error: y [id]\n"
		      "1:1:1: warning: a [id]\n    1 | ab\n      | ^\n"
		      "1:1:2: error: c [id]\n    1 | ab\n      |  ^\n"
		      "1:1:2: error: b [id]\n    1 | ab\n      |  ^\n"
		      "2:1:1: error: e [id]\n    1 | ab\n      | ^\n");
	expect(true, "flowfw: error: z [id]\n"
		     "flowfw: error: y [id]\n"
		     "1:1:2: error: c [id]\n    1 | ab\n      |  ^\n"
		     "1:1:2: error: b [id]\n    1 | ab\n      |  ^\n"
		     "2:1:1: error: e [id]\n    1 | ab\n      | ^\n");
}
END_TEST

static size_t count_of(const char *needle) {
	size_t count = 0;
	for (const char *at = out.data; (at = strstr(at, needle)) != NULL; at++) {
		count++;
	}
	return count;
}

START_TEST(shows_twenty_and_counts_the_rest) {
	for (int i = 0; i < 37; i++) {
		fw_error(&diags, nowhere, "id", "number %d", i);
		if (i < 21) {
			fw_warning(&diags, nowhere, "id", "number %d", i);
		}
	}
	fw_diags_render(&diags, false, &out);
	ck_assert_uint_eq(count_of("error: number"), FW_DIAGS_SHOWN);
	ck_assert_uint_eq(count_of("warning: number"), FW_DIAGS_SHOWN);
	ck_assert_ptr_nonnull(strstr(out.data, "\nflowfw: 17 more errors not shown\n"
					       "flowfw: 1 more warning not shown\n"));
	ck_assert_uint_eq(diags.errors, 37);
	ck_assert_uint_eq(diags.warnings, 21);
}
END_TEST

/* One by one they are what the list as a whole is. */
START_TEST(shown_ones_are_those_of_the_list) {
	const struct fw_source *source = source_of("a.yaml", "first\nsecond\n");
	const struct fw_diag *shown[FW_DIAGS_SHOWN];
	fw_error(&diags, (struct fw_span){source, 6, 12}, "later", "later");
	fw_warning(&diags, (struct fw_span){source, 0, 5}, "doubt", "doubt");
	fw_error(&diags, (struct fw_span){source, 0, 5}, "first", "first");
	fw_error(&diags, (struct fw_span){source, 0, 5}, "first", "first");
	ck_assert_uint_eq(fw_diags_shown(&diags, FW_ERROR, shown), 2);
	fw_diags_render(&diags, true, &out);
	FW_AUTO(fw_buf_fini) struct fw_buf each = {0};
	fw_diag_render(shown[0], &each);
	fw_diag_render(shown[1], &each);
	ck_assert_str_eq(each.data, out.data);
	ck_assert_uint_eq(fw_diags_shown(&diags, FW_WARNING, shown), 1);
	ck_assert_str_eq(shown[0]->id, "doubt");
	for (int i = 0; i < 2 * FW_DIAGS_SHOWN; i++) {
		fw_warning(&diags, (struct fw_span){0}, "many", "number %d", i);
	}
	ck_assert_uint_eq(fw_diags_shown(&diags, FW_WARNING, shown), FW_DIAGS_SHOWN);
	ck_assert_str_eq(shown[0]->message, "number 0");
}
END_TEST

START_TEST(nothing_to_say) {
	expect(false, "");
	fw_warning(&diags, nowhere, "id", "text");
	expect(true, "");
}
END_TEST

START_TEST(kinds_have_level_and_fault) {
	const struct fw_source *source = source_of("x", "a");
	struct fw_span span = span_of(source, "a");
	const struct {
		const struct fw_diag *diag;
		enum fw_level level;
		enum fw_fault fault;
		const char *message;
	} cases[] = {
		{fw_error(&diags, span, "id", "m"), FW_ERROR, FW_FAULT_PROFILE, "m"},
		{fw_warning(&diags, span, "id", "m"), FW_WARNING, FW_FAULT_PROFILE, "m"},
		{fw_refusal(&diags, span, "id", "m"), FW_ERROR, FW_FAULT_BACKEND, "m"},
		{fw_failure(&diags, "id", 0, "m"), FW_ERROR, FW_FAULT_SYSTEM, "m"},
		{fw_failure_at(&diags, span, "id", EACCES, "m"), FW_ERROR, FW_FAULT_SYSTEM,
			"m: Permission denied"},
		{fw_usage(&diags, "id", "m"), FW_ERROR, FW_FAULT_USAGE, "m"},
	};
	for (size_t i = 0; i < FW_LENGTH(cases); i++) {
		ck_assert_int_eq(cases[i].diag->level, cases[i].level);
		ck_assert_int_eq(cases[i].diag->fault, cases[i].fault);
		ck_assert_str_eq(cases[i].diag->message, cases[i].message);
		ck_assert_uint_eq(cases[i].diag->serial, i);
	}
	ck_assert_uint_eq(diags.errors, 5);
	ck_assert_uint_eq(diags.warnings, 1);
}
END_TEST

/* ---- places ---- */

START_TEST(place_of_every_byte) {
	/* Longer than a block of the line index, with lines that cross its borders. */
	static const char *const words[] = {"a", "é", "\n", "€", "bcdefgh", "😀", "\r\n"};
	unsigned random = 1;
	while (out.length < 150000) {
		random = random * 1103515245 + 12345;
		size_t pick = (random >> 16) % (FW_LENGTH(words) + 200);
		fw_buf_add_text(&out, words[pick < FW_LENGTH(words) ? pick : 4]);
	}
	char *text = fw_arena_text(&arena, fw_buf_slice(&out));
	const struct fw_source *source = source_of("x", text);
	ck_assert(!source->ascii);
	size_t line = 1, column = 1;
	for (size_t i = 0; i <= source->text.length; i++) {
		if ((unsigned char)text[i] >= 0x80 && (unsigned char)text[i] < 0xc0) {
			continue;
		}
		if (i % 977 == 0 || (i > 65500 && i < 65600)) {
			size_t found_line, found_column;
			fw_span_place((struct fw_span){source, (uint32_t)i, (uint32_t)i},
				&found_line, &found_column);
			ck_assert_uint_eq(found_line, line);
			ck_assert_uint_eq(found_column, column);
		}
		column = text[i] == '\n' ? 1 : column + 1;
		line += text[i] == '\n';
	}
}
END_TEST

START_TEST(a_hundred_thousand_render_fast) {
	char line[] = "  - {name: c1, address: 10.0.0.1}\n";
	size_t length = strlen(line), lines = ((size_t)40 << 20) / length;
	char *text = fw_arena_alloc(&arena, lines * length + 1);
	for (size_t i = 0; i < lines; i++) {
		memcpy(text + i * length, line, length);
	}
	const struct fw_source *source = source_of("x", text);
	for (size_t i = 0; i < 100000; i++) {
		uint32_t start = (uint32_t)((lines - 1 - i) * length);
		struct fw_diag *diag = fw_error(
			&diags, (struct fw_span){source, start, start + 1}, "id", "message");
		fw_diag_note(&diags, diag, (struct fw_span){source, 5, 5}, "note");
	}
	clock_t before = clock();
	fw_diags_render(&diags, false, &out);
	ck_assert_ptr_nonnull(strstr(out.data, "99980 more errors not shown"));
	double seconds = (double)(clock() - before) / CLOCKS_PER_SEC;
	ck_assert_double_lt(seconds, 5.0); /* 0.1 where nothing watches */
}
END_TEST

/* ---- sources ---- */

#define TEXT(literal)                                                                              \
	{ (literal), sizeof(literal) - 1 }

static const struct {
	struct fw_slice text;
	const char *id; /* NULL: fine */
	uint32_t start, end;
} texts[] = {
	{TEXT(""), NULL, 0, 0},
	{TEXT("a: b\r\n\tc\n"), NULL, 0, 0},
	{TEXT("ü€😀 \u00a0\ue000\ufffd"), NULL, 0, 0},
	{TEXT("12345678\x80"), "invalid-utf8", 8, 9},
	{TEXT("\xc3"), "invalid-utf8", 0, 1},
	{TEXT("a\xc0\xaf"), "invalid-utf8", 1, 2},
	{TEXT("a\xe0\x80\x80"), "invalid-utf8", 1, 2},
	{TEXT("a\xed\xa0\x80"), "invalid-utf8", 1, 2},
	{TEXT("a\xf4\x90\x80\x80"), "invalid-utf8", 1, 2},
	{TEXT("a\xf8\x88\x80\x80\x80"), "invalid-utf8", 1, 2},
	{TEXT("gr\xfc\xdf"), "invalid-utf8", 2, 3},
	{TEXT("a\0b"), "control-character", 1, 2},
	{TEXT("1234567\x1b"), "control-character", 7, 8},
	{TEXT("1234567\x7f"), "control-character", 7, 8},
	{TEXT("a\xc2\x80"), "control-character", 1, 3},
	{TEXT("a\xc2\x9f"), "control-character", 1, 3},
	{TEXT("a\ufeff"), "control-character", 1, 4},
	{TEXT("a\xef\xbf\xbf"), "control-character", 1, 4},
	{TEXT("a\rb"), "odd-line-break", 1, 2},
	{TEXT("a\r"), "odd-line-break", 1, 2},
	{TEXT("a\r\r\n"), "odd-line-break", 1, 2},
	{TEXT("a\xc2\x85"), "odd-line-break", 1, 3},
	{TEXT("a\u2028"), "odd-line-break", 1, 4},
	{TEXT("a\u2029"), "odd-line-break", 1, 4},
	{TEXT("\xff\xfe"
	      "a\0"),
		"not-utf8", 0, 2},
	{TEXT("\xfe\xff\0a"), "not-utf8", 0, 2},
	{TEXT("\xff\xfe\0\0"), "not-utf8", 0, 2},
	{TEXT("\0\0\xfe\xff"), "not-utf8", 0, 2},
};

START_TEST(text_is_checked) {
	const struct fw_source *source = fw_source_text(&arena, "x", texts[_i].text, &diags);
	if (texts[_i].id == NULL) {
		ck_assert_ptr_nonnull(source);
		ck_assert_uint_eq(diags.list.count, 0);
		return;
	}
	ck_assert_ptr_null(source);
	ck_assert_uint_eq(diags.list.count, 1);
	const struct fw_diag *diag = diags.list.items[0];
	ck_assert_str_eq(diag->id, texts[_i].id);
	ck_assert_uint_eq(diag->span.start, texts[_i].start);
	ck_assert_uint_eq(diag->span.end, texts[_i].end);
	fw_diags_render(&diags, false, &out);
	for (size_t i = 0; i < out.length; i++) {
		ck_assert_msg((unsigned char)out.data[i] >= ' ' || out.data[i] == '\n',
			"a control character got through");
	}
}
END_TEST

START_TEST(every_byte_at_every_offset) {
	/* The fast path looks at eight bytes at once; it must see what one at a time sees. */
	for (int byte = 0; byte < 256; byte++) {
		for (size_t at = 0; at < 17; at++) {
			char text[18] = "abcdefghijklmnopq";
			text[at] = (char)byte;
			struct fw_diags list = {0};
			const struct fw_source *source =
				fw_source_text(&arena, "x", (struct fw_slice){text, 17}, &list);
			bool fine = (byte >= ' ' && byte < 0x7f) || byte == '\n' || byte == '\t';
			ck_assert_int_eq(source != NULL, fine);
			ck_assert(source == NULL || source->ascii);
			fw_diags_fini(&list);
		}
	}
}
END_TEST

START_TEST(one_diagnostic_of_each_sort) {
	struct fw_slice text = TEXT("\x80\x80\x01\x01\r\r\xc2\x85 a\x80\x1b");
	ck_assert_ptr_null(fw_source_text(&arena, "x", text, &diags));
	ck_assert_uint_eq(diags.list.count, 3);
}
END_TEST

START_TEST(byte_order_mark_is_skipped) {
	const struct fw_source *source = source_of("x", "\ufeffab");
	ck_assert(fw_slice_is(source->text, "ab"));
	ck_assert(source->ascii);
	ck_assert(!source_of("y", "é")->ascii);
	ck_assert_uint_lt(source->order, source_of("z", "")->order);
}
END_TEST

START_TEST(files_are_read) {
	char path[] = "/tmp/test_diag.XXXXXX";
	int fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fw_write_all(fd, FW_SLICE("a: b\n")), 0);
	close(fd);
	const struct fw_source *source = fw_source_read(&arena, path, nowhere, &diags);
	ck_assert_ptr_nonnull(source);
	ck_assert_str_eq(source->name, path);
	ck_assert(fw_slice_is(source->text, "a: b\n"));
	ck_assert_int_eq(truncate(path, (off_t)FW_SOURCE_MAX + 1), 0);
	ck_assert_ptr_null(fw_source_read(&arena, path, nowhere, &diags));
	unlink(path);
	ck_assert_ptr_null(fw_source_read(&arena, "/nowhere/x", span_of(source, "b"), &diags));
	ck_assert_ptr_null(fw_source_read(&arena, "/tmp", nowhere, &diags));
	static const char *const messages[] = {
		"it is larger than 256 MiB [file-too-large]",
		"flowfw: error: cannot read '/tmp': it is a folder [unreadable-file]",
		":1:4: error: cannot read '/nowhere/x': No such file or directory [unr",
		"\n    1 | a: b\n",
	};
	fw_diags_render(&diags, false, &out);
	for (size_t i = 0; i < FW_LENGTH(messages); i++) {
		ck_assert_ptr_nonnull(strstr(out.data, messages[i]));
	}
	for (size_t i = 0; i < diags.list.count; i++) {
		ck_assert_int_eq(diags.list.items[i]->fault, FW_FAULT_SYSTEM);
	}
}
END_TEST

START_TEST(zeroed_lists_end_well) {
	struct fw_diags empty = {0};
	fw_diags_fini(&empty);
	fw_diags_fini(NULL);
}
END_TEST

int main(void) {
	Suite *suite = suite_create("diag");
	TCase *tests = tcase_create("diag");
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, renders_place_caret_note_and_hint);
	tcase_add_test(tests, renders_without_a_place);
	tcase_add_test(tests, note_on_the_same_line_has_no_excerpt);
	tcase_add_loop_test(tests, excerpt_shows_the_line, 0, FW_LENGTH(excerpts));
	tcase_add_loop_test(tests, long_lines_are_windowed, 0, 16);
	tcase_add_test(tests, names_and_messages_are_escaped);
	tcase_add_test(tests, sorts_by_place_and_drops_repetitions);
	tcase_add_test(tests, shows_twenty_and_counts_the_rest);
	tcase_add_test(tests, shown_ones_are_those_of_the_list);
	tcase_add_test(tests, nothing_to_say);
	tcase_add_test(tests, kinds_have_level_and_fault);
	tcase_add_test(tests, place_of_every_byte);
	tcase_add_test(tests, a_hundred_thousand_render_fast);
	tcase_add_loop_test(tests, text_is_checked, 0, FW_LENGTH(texts));
	tcase_add_test(tests, every_byte_at_every_offset);
	tcase_add_test(tests, one_diagnostic_of_each_sort);
	tcase_add_test(tests, byte_order_mark_is_skipped);
	tcase_add_test(tests, files_are_read);
	tcase_add_test(tests, zeroed_lists_end_well);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
