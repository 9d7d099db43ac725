// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is plain YAML, and what is left to libyaml. That both are read to the same nodes is held by
 * tests/fuzz/fuzz_yaml.c.
 */

#include <check.h>
#include <stdlib.h>

#include "yaml/reader.h"

static struct fw_arena arena;
static struct fw_diags diags;

static void set_up(void) {
	arena = (struct fw_arena){0};
	diags = (struct fw_diags){0};
}

static void tear_down(void) {
	fw_diags_fini(&diags);
	fw_arena_fini(&arena);
}

static bool is_plain(const char *text) {
	const struct fw_source *source = fw_source_text(&arena, "t.yaml", fw_slice(text), &diags);
	ck_assert_ptr_nonnull(source);
	return fw_yaml_is_plain(source);
}

static const char *const plain[] = {
	"a: b",
	"a: b\n",
	"a: b\r\nc:\r\n  - d\r\n",
	"\n# c\n\na: b # d\n  # e\nf: g\n#",
	"a:\n  b:\n    c: d\n  e: f\ng: h\n",
	"a:\n- b\n- c\nd:\n    - e\nf: g\n",
	"- a\n- b: c\n  d: e\n- f:\n  - g\n  h:\n    i: j\n- k\n",
	"a: [b, 'c d', \"e\", [], {}, [f, {g: h}]]\n",
	"- {name: camera-1, address: 10.0.0.1, ports: [554/tcp, 8554/tcp]}\n",
	"a: { b: c , d: [ e , f ] } # g\n",
	"a: 10.0.0.0/8\nb: fe80::1\nc: 2001:db8::/32\nd: http://e/f\ng: 18:00\n",
	"a: b c, d [e] {f} ? g\nh: i#j -k 'l' \"m\" & * ! | > % @ `\n",
	"a: ''\nb: \"\"\nc: ' d '\ne: '# f: g'\n",
	"a: ~\nb: ./c\nd: ../e\nf: +1\n",
	"ort: Bad Wörishofen\nö: [ü, 'ß']\n",
	"a b: c\nd-e/f: g\n1: 2\n",
};

START_TEST(is_read_without_libyaml) {
	ck_assert(is_plain(plain[_i]));
}
END_TEST

static const char *const other[] = {
	"",
	"\n# a\n",
	"a\n",
	"[a, b]\n",
	"a:\n",
	"a:\nb: c\n",
	"a: # b\n",
	"-\n",
	"- # a\n",
	"-a: b\n",
	"- - a\n",
	"a:\tb\n",
	"a: b\t# c\n",
	"\ta: b\n",
	"a: b\n c\n",
	"a: b\n c: d\n",
	"a:\n  b: c\n d: e\n",
	"  a: b\nc: d\n",
	"a:\n  b\n",
	"a:\n  - b\n c: d\n",
	"a: b\n- c\n",
	"- a\nb: c\n",
	"a:\n- b\n  c\n",
	"a: - b\n",
	"a: b: c\n",
	"a : b\n",
	"a:b\n",
	"a: b:\n",
	"? a\n: b\n",
	"'a': b\n",
	"\"a\": b\n",
	"[a]: b\n",
	"a: 'b''c'\n",
	"a: \"\\n\"\n",
	"a: 'b\n  c'\n",
	"a: 'b' c\n",
	"a: 'b'# c\n",
	"a: [b,\n  c]\n",
	"a: [b, ]\n",
	"a: [, b]\n",
	"a: [b c: d]\n",
	"a: [b\n",
	"a: [b}\n",
	"a: b]\nc: [d] e\n",
	"a: {b}\n",
	"a: {b: }\n",
	"a: {b: c: d}\n",
	"a: {b:c}\n",
	"a: {'b': c}\n",
	"a: {b: fe80::}\n",
	"a: [b?]\n",
	"a: [b # c]\n",
	"a: ::1\n",
	"a: -1\n",
	"a: &b c\n",
	"a: *b\n",
	"a: !b c\n",
	"a: |\n  b\n",
	"a: >\n  b\n",
	"a: %b\n",
	"a: @b\n",
	"a: `b\n",
	"<<: a\n",
	"--- \na: b\n",
	"a: b\n---\nc: d\n",
	"a: b\n...\n",
	"...: a\n",
	"%YAML 1.1\n---\na: b\n",
};

START_TEST(is_left_to_libyaml) {
	ck_assert(!is_plain(other[_i]));
}
END_TEST

/* Collections in each other: lines, and brackets in the last of them. */
static bool is_plain_at_depth(int lines, int brackets) {
	FW_AUTO(fw_buf_fini) struct fw_buf text = {0};
	for (int i = 0; i < lines; i++) {
		fw_buf_printf(&text, "%s%*sa:", i == 0 ? "" : "\n", i, "");
	}
	fw_buf_add_char(&text, ' ');
	for (int i = 0; i < brackets; i++) {
		fw_buf_add_char(&text, '[');
	}
	fw_buf_add_char(&text, 'b');
	for (int i = 0; i < brackets; i++) {
		fw_buf_add_char(&text, ']');
	}
	return is_plain(fw_arena_text(&arena, fw_buf_slice(&text)));
}

START_TEST(is_as_deep_as_any_yaml) {
	ck_assert(is_plain_at_depth(FW_YAML_DEPTH, 0));
	ck_assert(!is_plain_at_depth(FW_YAML_DEPTH + 1, 0));
	ck_assert(is_plain_at_depth(1, FW_YAML_DEPTH - 1));
	ck_assert(!is_plain_at_depth(1, FW_YAML_DEPTH));
	ck_assert(is_plain_at_depth(FW_YAML_DEPTH / 2, FW_YAML_DEPTH / 2));
	ck_assert(!is_plain_at_depth(FW_YAML_DEPTH / 2, FW_YAML_DEPTH / 2 + 1));
}
END_TEST

/* libyaml takes a longer one for no key. */
START_TEST(has_keys_of_some_length) {
	for (int length = 999; length <= 1001; length++) {
		FW_AUTO(fw_buf_fini) struct fw_buf text = {0};
		fw_buf_printf(&text, "%0*d: a\n", length, 1);
		ck_assert_int_eq(is_plain(text.data), length <= 1000);
		text.length = 0;
		fw_buf_printf(&text, "a: {%0*d: a}\n", length, 1);
		ck_assert_int_eq(is_plain(text.data), length <= 1000);
		text.length = 0;
		fw_buf_printf(&text, "- %0*d: a\n", length, 1);
		ck_assert_int_eq(is_plain(text.data), length <= 1000);
	}
}
END_TEST

int main(void) {
	Suite *suite = suite_create("plain");
	TCase *tcase = tcase_create("plain");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(tcase, is_read_without_libyaml, 0, FW_LENGTH(plain));
	tcase_add_loop_test(tcase, is_left_to_libyaml, 0, FW_LENGTH(other));
	tcase_add_test(tcase, is_as_deep_as_any_yaml);
	tcase_add_test(tcase, has_keys_of_some_length);
	suite_add_tcase(suite, tcase);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
