// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Nodes and their spans, everything that is refused, aliases and what they may expand to, streams.
 */

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "yaml/yaml.h"

static struct fw_arena arena;
static struct fw_diags diags;
static struct fw_buf buf;

static void set_up(void) {
	arena = (struct fw_arena){0};
	diags = (struct fw_diags){0};
	buf = (struct fw_buf){0};
}

static void tear_down(void) {
	fw_buf_fini(&buf);
	fw_diags_fini(&diags);
	fw_arena_fini(&arena);
}

static const struct fw_source *source_of(const char *text) {
	const struct fw_source *source = fw_source_text(&arena, "t.yaml", fw_slice(text), &diags);
	ck_assert_ptr_nonnull(source);
	return source;
}

static const struct fw_yaml_node *read_text(const char *text) {
	return fw_yaml_read(&arena, source_of(text), NULL, &diags);
}

/** The tree in brackets: plain scalars as they are, others in quotes. */
static void write_tree(const struct fw_yaml_node *node) {
	size_t count = node->kind == FW_YAML_MAPPING ? 2 * (size_t)node->count : node->count;
	switch (node->kind) {
	case FW_YAML_SCALAR:
		fw_buf_add_text(&buf, node->plain ? "" : "'");
		fw_buf_add_escaped(&buf, node->text);
		fw_buf_add_text(&buf, node->plain ? "" : "'");
		break;
	case FW_YAML_SEQUENCE:
	case FW_YAML_MAPPING:
		fw_buf_add_text(&buf, node->kind == FW_YAML_MAPPING ? "{" : "[");
		for (size_t i = 0; i < count && !node->streamed; i++) {
			bool value = node->kind == FW_YAML_MAPPING && i % 2 != 0;
			fw_buf_add_text(&buf, i == 0 ? "" : value ? ": " : ", ");
			write_tree(node->items[i]);
		}
		fw_buf_add_text(&buf, node->kind == FW_YAML_MAPPING ? "}" : "]");
		break;
	case FW_YAML_NONE:
		ck_abort_msg("a node of no kind got out");
	}
}

static void expect_tree(const struct fw_yaml_node *root, const char *tree) {
	ck_assert_ptr_nonnull(root);
	buf.length = 0;
	write_tree(root);
	ck_assert_str_eq(buf.data, tree);
}

/* ---- nodes ---- */

static const struct {
	const char *text, *tree;
} trees[] = {
	{"a: b\n", "{a: b}"},
	{"a: b", "{a: b}"},
	{"--- a\n...\n", "a"},
	{"%YAML 1.1\n---\na: b\n", "{a: b}"},
	{"a: [b, 'c', \"d\", [], {}]\r\nb:\r\n- c\r\n- d\r\n",
		"{a: [b, 'c', 'd', [], {}], b: [c, d]}"},
	{"a: ~\nb: null\nc:\nd: ''\n", "{a: ~, b: null, c: , d: ''}"},
	{"a: {b, c: }\n", "{a: {b: , c: }}"},
	{"- [a: b, ? c]\n", "[[{a: b}, {c: }]]"},
	{"a: 'it''s'\nb: \"x\\ty\\n\\\\\\u00e9\"\n", "{a: 'it's', b: 'x\\ty\\n\\é'}"},
	{"a: b\n  c\nd: 'e\n  f'\n", "{a: b c, d: 'e f'}"},
	{"a: |\n  b\n  c\nd: >-\n  e\n  f\n\n", "{a: 'b\\nc\\n', d: 'e f'}"},
	{"é: [ü, \"ß\", 'x']\n", "{é: [ü, 'ß', 'x']}"},
	{"a: &x [b]\nc: *x\nd: {e: *x}\n", "{a: [b], c: [b], d: {e: [b]}}"},
	{"a: &x b\n*x : &x c\nd: *x\n", "{a: b, b: c, d: c}"},
	{"a: &x\n  # comment\n  - b\nc: *x\n", "{a: [b], c: [b]}"},
	{"a: &x\nb: *x\n", "{a: , b: }"},
	{"'<<': a\n", "{'<<': a}"},
	{"a: ::1\nb: [\"::1\", fe80::1, 2001:db8::/32]\n",
		"{a: ::1, b: ['::1', fe80::1, 2001:db8::/32]}"},
	{"a:\tb\n# comment\n", "{a: b}"},
};

START_TEST(reads_trees) {
	expect_tree(read_text(trees[_i].text), trees[_i].tree);
	ck_assert_uint_eq(diags.list.count, 0);
}
END_TEST

/** The span's text of the node that `path` leads to: an index for each step down. */
static const struct {
	const char *text;
	int path[4]; /* ends with -1 */
	const char *span;
} spans[] = {
	{"# c\na: b\n\n# d\n", {-1}, "a: b"},
	{"a: 'b' # c\n", {1, -1}, "'b'"},
	{"a: b c # d\n", {1, -1}, "b c"},
	{"a: &x !  'b'\n", {-1}, NULL},
	{"a: &x 'b'\n", {1, -1}, "'b'"},
	{"a: &x # c\n  [b]\n", {1, -1}, "[b]"},
	{"a:\n  - b\n  - c # d\n\n# e\nf: g\n", {1, -1}, "- b\n  - c"},
	{"a:\n- b\n-\nf: g\n", {1, -1}, "- b\n-"},
	{"a:\n  b:\n    c: d\n\n\ne: f\n", {1, -1}, "b:\n    c: d"},
	{"a: [ b, c ]\nd: e\n", {1, -1}, "[ b, c ]"},
	{"a: {\n  b: c,\n}\n", {1, -1}, "{\n  b: c,\n}"},
	{"a: [b: c, d]\n", {1, 0, -1}, "b: c"},
	{"a: |\n  b\n  c\n\n\nd: e\n", {1, -1}, "|\n  b\n  c"},
	{"a: |\r\n  b\r\n\r\nd: e\r\n", {3, -1}, "e"},
	{"é: |\r\n  ü\r\n\r\nd: 'ß'\r\n", {3, -1}, "'ß'"},
	{"é: 'ü\r\n\r\n  ü'\r\n€: 😀\r\n", {3, -1}, "😀"},
	{"é: \"ü\\\r\n  ü\"\r\n€: 😀 # ü\r\n", {3, -1}, "😀"},
	{"a:\nb: c\n", {1, -1}, ""},
	{"? a\n# c\n", {1, -1}, ""},
	{"a: &é b\n", {-1}, NULL},
	{"a: [&x b, *x]\n", {1, 1, -1}, "b"},
	{"a: [*x]\n", {-1}, NULL},
	{"a: [&x b, *x ]\n", {1, -1}, "[&x b, *x ]"},
	{"a:\n- &x b\n- *x\n", {1, -1}, "- &x b\n- *x"},
};

START_TEST(spans_fit) {
	const struct fw_yaml_node *node = read_text(spans[_i].text);
	if (spans[_i].span == NULL) {
		ck_assert_ptr_null(node);
		return;
	}
	ck_assert_ptr_nonnull(node);
	for (const int *step = spans[_i].path; *step >= 0; step++) {
		node = node->items[*step];
	}
	struct fw_slice text = fw_span_text(node->span);
	ck_assert_str_eq(fw_arena_text(&arena, text), spans[_i].span);
}
END_TEST

START_TEST(literal_text_is_not_copied) {
	const struct fw_source *source =
		source_of("[a, 'b', \"c\", 'd''e', \"\\x41\", x\n y, ü, &n z]");
	const struct fw_yaml_node *root = fw_yaml_read(&arena, source, NULL, &diags);
	ck_assert_ptr_nonnull(root);
	static const bool literal[] = {true, true, true, false, false, false, true, true};
	ck_assert_uint_eq(root->count, FW_LENGTH(literal));
	for (size_t i = 0; i < root->count; i++) {
		const char *at = root->items[i]->text.data;
		const char *first = source->text.data;
		bool inside = at >= first && at < first + source->text.length;
		ck_assert_int_eq(inside, literal[i]);
	}
}
END_TEST

START_TEST(finds_values) {
	const struct fw_yaml_node *root = read_text("{a: b, 'c': [d], '': e}");
	ck_assert(fw_slice_is(fw_yaml_find(root, "a")->text, "b"));
	ck_assert_int_eq(fw_yaml_find(root, "c")->kind, FW_YAML_SEQUENCE);
	ck_assert(fw_slice_is(fw_yaml_find(root, "")->text, "e"));
	ck_assert_ptr_null(fw_yaml_find(root, "d"));
	ck_assert_ptr_null(fw_yaml_find(fw_yaml_find(root, "c"), "d"));
	ck_assert_str_eq(fw_yaml_kind_names[FW_YAML_MAPPING], "a mapping");
}
END_TEST

static const struct {
	const char *text;
	uint32_t start;
	const char *tree; /* or NULL */
	uint32_t at;	  /* of the error */
} parts[] = {
	{"base.ssh=[10.0.0.0/8, x]", 9, "[10.0.0.0/8, x]", 0},
	{"größe=ü", 8, "ü", 0},
	{"größe=[ü, \"\\0\"]", 8, NULL, 14},
	{"a=b: c: d", 2, NULL, 5},
	{"a=", 2, NULL, 2},
	{"a=~", 2, "~", 0},
	{"a='x'", 2, "'x'", 0},
	{"a=[::1]", 2, NULL, 3},
	{"a=- b", 2, "[b]", 0},
};

START_TEST(reads_from_the_middle) {
	const struct fw_source *source = source_of(parts[_i].text);
	const struct fw_yaml_node *root =
		fw_yaml_read_from(&arena, source, parts[_i].start, &diags);
	if (parts[_i].tree != NULL) {
		expect_tree(root, parts[_i].tree);
		ck_assert_uint_eq(root->span.start, parts[_i].start);
		ck_assert_uint_eq(root->span.end, source->text.length);
	} else {
		ck_assert_ptr_null(root);
		ck_assert_uint_eq(diags.list.count, 1);
		ck_assert_uint_eq(diags.list.items[0]->span.start, parts[_i].at);
	}
}
END_TEST

/* ---- refusals ---- */

static const struct {
	const char *text, *id;
	const char *span; /* what is underlined */
	const char *note; /* the text there, or NULL */
	const char *part; /* of message or hint, or NULL */
} refusals[] = {
	{"", "yaml-empty", "", NULL, NULL},
	{"# only this\n", "yaml-empty", "", NULL, NULL},
	{"---\n", "yaml-empty", "", NULL, NULL},
	{"a:\n\tb: c\n", "yaml-tab", "\t", NULL, "spaces"},
	{"a: b\n\t\tc: d\n", "yaml-tab", "\t\t", NULL, NULL},
	{"a: |\n\tb\n", "yaml-tab", "\t", NULL, NULL},
	{"-\ta: b\n", "yaml-tab", "\t", NULL, NULL},
	{"a: [b, ::1]\n", "yaml-syntax", "::1", NULL, "write \"::1\""},
	{"a: [fe80::]\n", "yaml-syntax", "fe80::", NULL, "write \"fe80::\""},
	{"{a: ::/0}\n", "yaml-syntax", "::/0", NULL, "write \"::/0\""},
	{"a: fe80::\n", "yaml-syntax", "fe80::", NULL, "write \"fe80::\""},
	{"- fe80::\n", "yaml-syntax", "fe80::", NULL, "write \"fe80::\""},
	{"a: ssh::\n", "yaml-syntax", "ssh::", NULL, "no key"},
	{"a: [b, c\n", "yaml-syntax", "", "[", "before ']'"},
	{"a: {b: c\n\n", "yaml-syntax", "", "{", "before '}'"},
	{"a: [\nb: [c]\n", "yaml-syntax", "", "[", "before ']'"},
	{"a: [b: c", "yaml-syntax", "", "[", "before ']'"},
	{"a: [b, \"c\n", "yaml-syntax", "", "\"c", "quotes"},
	{"a: 'fe80::", "yaml-syntax", "", "'fe80::", "quotes"},
	{"a: [b, c\nd: e\n", "yaml-syntax", ":", "[", "','"},
	{"a: {b: c\n d: e}\n", "yaml-syntax", ":", "{", "','"},
	{"a: [b}\n", "yaml-syntax", "}", "[", NULL},
	{"a: [b]]\n", "yaml-syntax", "]", NULL, "no bracket"},
	{"a: 'b\n", "yaml-syntax", "", "'b", "quotes"},
	{"a: \"b\n---\n", "yaml-syntax", "---", "\"b", "quotes"},
	{"a: 'it's'\n", "yaml-syntax", "s'", "'it'", "over already"},
	{"- 'a' b\n", "yaml-syntax", "b", "'a'", "over already"},
	{"'a' b\n", "yaml-syntax", "b", "'a'", "over already"},
	{"a: b: c\n", "yaml-syntax", "b:", NULL, "quotes"},
	{"a: b\n  c: d\n", "yaml-syntax", "c:", NULL, "column"},
	{"a:\n    b: c\n  d: e\n", "yaml-syntax", "d:", "a:", "column"},
	{"- a\nb: c\n", "yaml-syntax", "b:", "-", "column"},
	{"a: b\n- c\n", "yaml-syntax", "-", "a:", NULL},
	{"  a: b\nc: d\n", "yaml-syntax", "c:", NULL, "indented"},
	{"a: - b\n", "yaml-syntax", "-", NULL, "line below"},
	{"a: b\nc\nd: e\n", "yaml-syntax", "c", NULL, "': '"},
	{"a: @b\n", "yaml-syntax", "@b", NULL, "quotes"},
	{"a: ? b\n", "yaml-syntax", "?", NULL, NULL},
	{"a: [- b]\n", "yaml-syntax", "-", NULL, "brackets"},
	{"a: [,]\n", "yaml-syntax", ",", NULL, "missing"},
	{": b\n", "yaml-syntax", ":", NULL, "a key is missing"},
	{"{: b}\n", "yaml-syntax", ":", NULL, "a key is missing"},
	{"a: *.b\n", "yaml-syntax", "*.b", NULL, "quotes"},
	{"a: |x\n  b\n", "yaml-syntax", "|x", NULL, NULL},
	{"a: |0\n  b\n", "yaml-syntax", "|0", NULL, NULL},
	{"a: \"\\d\"\n", "yaml-syntax", "\\d\"", NULL, "\\\\"},
	{"a: \"\\xzz\"\n", "yaml-syntax", "zz\"", NULL, "digits"},
	{"a: \"\\ud800\"\n", "yaml-syntax", "d800\"", NULL, NULL},
	{"a: [b:]\n", "yaml-syntax", ":", NULL, "bracket"},
	{"%a\n---\nb: c\n", "yaml-syntax", "%a", NULL, "directive"},
	{"% b\n", "yaml-syntax", "%", NULL, "directive"},
	{"%a-b\n", "yaml-syntax", "%a-b", NULL, "directive"},
	{"%YAML 3.0\n---\nb: c\n", "yaml-syntax", "%YAML", NULL, "1.2"},
	{"%YAML x\n---\nb: c\n", "yaml-syntax", NULL, NULL, "not YAML"},
	{"a: 1\nb: 2\n\"a\": 3\n", "duplicate-key", "\"a\"", "a", NULL},
	{"{a: 1, a: 2}", "duplicate-key", "a", "a", NULL},
	{"a: !b c\n", "yaml-tag", "!b", NULL, "quotes"},
	{"a: ! c\n", "yaml-tag", "!", NULL, NULL},
	{"a: !!str c\n", "yaml-tag", "!!str", NULL, NULL},
	{"a: &x !b\n  - c\n", "yaml-tag", "!b", NULL, NULL},
	{"a: !<tag:b,c> [d]\n", "yaml-tag", NULL, NULL, NULL},
	{"a: !b!c d\n", "yaml-tag", "!b!c", NULL, NULL},
	{"a: !<b c\n", "yaml-tag", "!<b", NULL, NULL},
	{"<<: {a: b}\n", "yaml-merge-key", "<<", NULL, NULL},
	{"? [a]\n: b\n", "yaml-key-kind", "[a]", NULL, "a list"},
	{"a: {{ b }}\n", "yaml-key-kind", "{ b }", NULL, "a mapping"},
	{"a: &x [b]\n*x : c\n", "yaml-key-kind", "[b]", NULL, NULL},
	{"?\n: b\n", "yaml-key-kind", "", NULL, "missing"},
	{"a: b\n---\nc: d\n", "yaml-document", "---", NULL, NULL},
	{"a: b\n...\n---\n", "yaml-document", "---", NULL, NULL},
	{"a: b\n...\nc: d\n", "yaml-document", "c:", NULL, NULL},
	{"a: b\n...\n%YAML 1.1\n---\nc: d\n", "yaml-document", "%YAML 1.1\n---", NULL, NULL},
	{"a: *b\n", "yaml-alias-unknown", "*b", NULL, "quotes"},
	{"a: [*b, &b c]\n", "yaml-alias-unknown", "*b", NULL, NULL},
	{"a: &b [c, {d: *b}]\n", "yaml-alias-cycle", "*b", "&b", NULL},
	{"a: \"b\\0\"\n", "yaml-control", "\\0", NULL, "U+0000"},
	{"a: \"\\\\\\e\"\n", "yaml-control", "\\e", NULL, "U+001B"},
	{"a: \"b\\x7f\"\n", "yaml-control", "\\x7f", NULL, "U+007F"},
	{"a: \"\\r\\n\"\n", "yaml-control", "\\r", NULL, NULL},
	{"a: \"ü\\Nü\"\n", "yaml-control", "\\N", NULL, "U+0085"},
	{"a: \"\\u2028\"\n", "yaml-control", "\\u2028", NULL, NULL},
	{"a: \"\\P\"\n", "yaml-control", "\\P", NULL, NULL},
	{"a: \"\\U0000FEFF\"\n", "yaml-control", "\\U0000FEFF", NULL, "U+FEFF"},
	{"\"\\a\": b\n", "yaml-control", "\\a", NULL, NULL},
};

START_TEST(refuses) {
	ck_assert_ptr_null(read_text(refusals[_i].text));
	fw_diags_render(&diags, false, &buf);
	ck_assert_msg(diags.list.count == 1, "%s", buf.data);
	const struct fw_diag *diag = diags.list.items[0];
	ck_assert_str_eq(diag->id, refusals[_i].id);
	ck_assert_int_eq(diag->fault, FW_FAULT_PROFILE);
	if (refusals[_i].span != NULL) {
		const char *text = fw_arena_text(&arena, fw_span_text(diag->span));
		ck_assert_str_eq(text, refusals[_i].span);
	}
	ck_assert_uint_eq(diag->note_count, refusals[_i].note != NULL ? 1 : 0);
	if (refusals[_i].note != NULL) {
		struct fw_slice text = fw_span_text(diag->notes[0].span);
		size_t length = strcspn(refusals[_i].note, "\n");
		ck_assert_uint_ge(text.length, length);
		ck_assert_int_eq(memcmp(text.data, refusals[_i].note, length), 0);
	}
	if (refusals[_i].part != NULL) {
		ck_assert_msg(strstr(buf.data, refusals[_i].part) != NULL, "%s", buf.data);
	}
}
END_TEST

START_TEST(carries_on_after_a_refusal) {
	ck_assert_ptr_null(read_text("a: !t b\n"
				     "a: \"\\0\"\n"
				     "c: *d\n"
				     "<<: e\n"
				     "f: {g: 1, g: [h, !t h]}\n"
				     "i: j: k\n"));
	static const char *const ids[] = {"yaml-tag", "yaml-control", "yaml-alias-unknown",
		"yaml-merge-key", "yaml-tag", "duplicate-key", "yaml-syntax"};
	ck_assert_uint_eq(diags.list.count, FW_LENGTH(ids));
	for (size_t i = 0; i < FW_LENGTH(ids); i++) {
		ck_assert_str_eq(diags.list.items[i]->id, ids[i]);
	}
}
END_TEST

START_TEST(earlier_errors_are_not_ours) {
	fw_usage(&diags, "id", "text");
	ck_assert_ptr_nonnull(read_text("a: b\n"));
}
END_TEST

/** Small mappings are compared pair by pair, large ones by hash. */
START_TEST(duplicates_in_mappings_of_any_size) {
	size_t count = (size_t)_i;
	for (size_t i = 0; i < count; i++) {
		fw_buf_printf(&buf, "k%zu: v\n", i);
	}
	fw_buf_printf(&buf, "k%zu: v\nk0: v\n'k0': v\n", count / 2);
	ck_assert_ptr_null(read_text(fw_arena_text(&arena, fw_buf_slice(&buf))));
	ck_assert_uint_eq(diags.list.count, 3);
	for (size_t i = 0; i < 3; i++) {
		const struct fw_diag *diag = diags.list.items[i];
		ck_assert_str_eq(diag->id, "duplicate-key");
		size_t line, column;
		fw_span_place(diag->span, &line, &column);
		ck_assert_uint_eq(line, count + 1 + i);
		fw_span_place(diag->notes[0].span, &line, &column);
		ck_assert_uint_eq(line, i == 0 ? count / 2 + 1 : 1);
	}
}
END_TEST

START_TEST(a_large_mapping_is_linear) {
	for (size_t i = 0; i < 200000; i++) {
		fw_buf_printf(&buf, "camera-%zu: v\n", i);
	}
	const struct fw_yaml_node *root = read_text(fw_arena_text(&arena, fw_buf_slice(&buf)));
	ck_assert_ptr_nonnull(root);
	ck_assert_uint_eq(root->count, 200000);
}
END_TEST

/* ---- depth and aliases ---- */

static const char *nested(size_t depth, const char *open, const char *close) {
	buf.length = 0;
	for (size_t i = 0; i < depth; i++) {
		fw_buf_add_text(&buf, open);
	}
	fw_buf_add_char(&buf, 'x');
	for (size_t i = 0; i < depth; i++) {
		fw_buf_add_text(&buf, close);
	}
	return fw_arena_text(&arena, fw_buf_slice(&buf));
}

static const struct {
	const char *open, *close;
} nestings[] = {{"[", "]"}, {"{a: ", "}"}, {"[\n", "\n]"}, {"- ", ""}, {"[ü: ", "]"}};

START_TEST(depth_is_capped) {
	size_t levels = _i == 4 ? 2 : 1; /* [a: b] is a mapping in a list */
	const char *open = nestings[_i].open, *close = nestings[_i].close;
	ck_assert_ptr_nonnull(read_text(nested(FW_YAML_DEPTH / levels, open, close)));
	static const size_t depths[] = {FW_YAML_DEPTH + 1, 20000, 300000};
	for (size_t i = 0; i < FW_LENGTH(depths); i++) {
		ck_assert_ptr_null(read_text(nested(depths[i], open, close)));
		ck_assert_uint_eq(diags.list.count, i + 1);
		ck_assert_str_eq(diags.list.items[i]->id, "yaml-depth");
	}
}
END_TEST

/** The anchored part is as deep as the mapping and half of the lists leave room for. */
START_TEST(depth_counts_through_aliases) {
	const int half = FW_YAML_DEPTH / 2;
	const char *part = nested((size_t)half - 1, "[", "]");
	const char *brackets = nested((size_t)half + 1, "[", "]");
	const char *x = strchr(brackets, 'x');
	for (int more = 0; more < 2; more++) {
		const char *text = fw_arena_printf(&arena, "a: &a %s\nb: %.*s*a%.*s\n", part,
			half + more, brackets, half + more, x + 1);
		ck_assert_int_eq(read_text(text) == NULL, more);
	}
	ck_assert_uint_eq(diags.list.count, 1);
	ck_assert_str_eq(diags.list.items[0]->id, "yaml-depth");
}
END_TEST

START_TEST(a_billion_laughs_fail_fast) {
	fw_buf_add_text(&buf, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
	for (int i = 1; i < 40; i++) {
		fw_buf_printf(&buf, "a%d: &a%d [", i, i);
		for (int j = 0; j < 10; j++) {
			fw_buf_printf(&buf, "%s*a%d", j == 0 ? "" : ", ", i - 1);
		}
		fw_buf_add_text(&buf, "]\n");
	}
	ck_assert_ptr_null(read_text(fw_arena_text(&arena, fw_buf_slice(&buf))));
	ck_assert_uint_eq(diags.list.count, 1);
	ck_assert_str_eq(diags.list.items[0]->id, "yaml-alias-size");
}
END_TEST

/** Lists of a thousand with an alias each: the cap counts all that aliases stand for. */
START_TEST(alias_cap_is_exact) {
	for (int over = 0; over < 2; over++) {
		buf.length = 0;
		fw_buf_add_text(&buf, "a: &a [x");
		for (int i = 0; i < 998; i++) {
			fw_buf_add_text(&buf, ", x");
		}
		fw_buf_add_text(&buf, "]\nb: [");
		for (int i = 0; i < FW_YAML_ALIAS_NODES / 1000; i++) {
			fw_buf_add_text(&buf, "*a, ");
		}
		fw_buf_add_text(&buf, over ? "&y y, *y, *y, *y]\n" : "]\n");
		bool fine = read_text(fw_arena_text(&arena, fw_buf_slice(&buf))) != NULL;
		ck_assert_int_eq(fine, !over);
	}
	ck_assert_uint_eq(diags.list.count, 1);
}
END_TEST

/* ---- streams ---- */

struct log {
	struct fw_buf text;
	const char *wanted; /* path, keys joined by dots, or "*" for any */
	size_t items;
};

static void *begin(void *context, const struct fw_slice *path, size_t depth) {
	struct log *log = context;
	struct fw_buf joined = {0};
	fw_buf_add_text(&joined, "");
	for (size_t i = 0; i < depth; i++) {
		fw_buf_add_text(&joined, i == 0 ? "" : ".");
		fw_buf_add_slice(&joined, path[i]);
	}
	fw_buf_printf(&log->text, "<%s>", joined.data);
	bool wanted = strcmp(log->wanted, "*") == 0 || strcmp(log->wanted, joined.data) == 0;
	fw_buf_fini(&joined);
	return wanted ? log : NULL;
}

static void item(void *sink, const struct fw_yaml_node *node) {
	struct log *log = sink;
	log->items++;
	buf.length = 0;
	write_tree(node);
	fw_buf_printf(&log->text, "%s;", buf.data);
	/* What a caller allocates during the call is none of the stream's business. */
	fw_arena_text(&arena, FW_SLICE("kept"));
}

static const struct {
	const char *text, *wanted, *log;
	const char *tree; /* or NULL when refused */
} streams[] = {
	{"groups:\n  cameras:\n  - a\n  - {b: [c]}\n  other: [d]\n", "groups.cameras",
		"<groups.cameras>a;{b: [c]};<groups.other>", "{groups: {cameras: [], other: [d]}}"},
	{"- a\n- b\n", "", "<>a;b;", "[]"},
	{"a: []\n", "*", "<a>", "{a: []}"},
	{"{a: {b: [1, 2], c: 3}}", "a.b", "<a.b>1;2;", "{a: {b: [], c: 3}}"},
	{"a: [[b], [c]]\n", "*", "<a>[b];[c];", "{a: []}"},
	{"a: [[b], [c]]\n", "", "<a>", "{a: [[b], [c]]}"},
	{"a: &x [b]\nc: *x\n", "*", "", "{a: [b], c: [b]}"},
	{"a: &x\n  b: [c]\nd: [e]\n", "*", "<d>e;", "{a: {b: [c]}, d: []}"},
	{"a:\n- &x {b: [\"\\x41\", 'c''d']}\n- *x\n- [*x]\ne: *x\n", "a",
		"<a>{b: ['A', 'c'd']};{b: ['A', 'c'd']};[{b: ['A', 'c'd']}];",
		"{a: [], e: {b: ['A', 'c'd']}}"},
	{"a: [b, &x \"\\x42\", c]\nd: *x\n", "*", "<a>b;'B';c;", "{a: [], d: 'B'}"},
	{"a: [b, !t c, {d: 1, d: 2}, *x, e]\n", "*", "<a>b;e;", NULL},
	{"a: [b, c\n", "*", "<a>b;c;", NULL},
	{"? [a]\n: [b]\n", "*", "<>b;", NULL},
	{"é:\n- ü\n- \"ß\\n\"\n", "é", "<é>ü;'ß\\n';", "{é: []}"},
};

START_TEST(streams_items) {
	struct log log = {.wanted = streams[_i].wanted};
	fw_buf_add_text(&log.text, "");
	struct fw_yaml_stream stream = {&log, begin, item};
	const struct fw_yaml_node *root =
		fw_yaml_read(&arena, source_of(streams[_i].text), &stream, &diags);
	ck_assert_str_eq(log.text.data, streams[_i].log);
	if (streams[_i].tree != NULL) {
		expect_tree(root, streams[_i].tree);
		ck_assert_uint_eq(diags.list.count, 0);
	} else {
		ck_assert_ptr_null(root);
	}
	fw_buf_fini(&log.text);
}
END_TEST

static void *begin_counting(void *context, const struct fw_slice *path, size_t depth) {
	return depth == 1 && fw_slice_is(path[0], "cameras") ? context : NULL;
}

static void count_item(void *sink, const struct fw_yaml_node *node) {
	size_t *count = sink;
	const struct fw_yaml_node *address = fw_yaml_find(node, "address");
	ck_assert_ptr_nonnull(address);
	*count += fw_slice_is(address->text, "10.0.0.1");
}

START_TEST(items_reuse_their_memory) {
	const size_t items = 200000;
	fw_buf_add_text(&buf, "cameras:\n");
	for (size_t i = 0; i < items; i++) {
		fw_buf_add_text(&buf, "- {name: \"\\x41\", address: 10.0.0.1, ports: [1, 2]}\n");
	}
	const struct fw_source *source = source_of(fw_arena_text(&arena, fw_buf_slice(&buf)));
	size_t count = 0;
	struct fw_yaml_stream stream = {&count, begin_counting, count_item};
	struct fw_arena small = {0};
	const char *first = fw_arena_alloc(&small, 1);
	const struct fw_yaml_node *root = fw_yaml_read(&small, source, &stream, &diags);
	ck_assert_ptr_nonnull(root);
	const struct fw_yaml_node *cameras = fw_yaml_find(root, "cameras");
	ck_assert(cameras->streamed);
	ck_assert_ptr_eq(cameras->sink, &count);
	ck_assert_uint_eq(cameras->count, items);
	ck_assert_uint_eq(count, items);
	/* A few nodes and no more: the whole document fits where it began. */
	const char *last = fw_arena_alloc(&small, 1);
	ck_assert(last > first && last - first < 4096);
	fw_arena_fini(&small);
}
END_TEST

int main(void) {
	Suite *suite = suite_create("yaml");
	TCase *tests = tcase_create("yaml");
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_set_timeout(tests, 60);
	tcase_add_loop_test(tests, reads_trees, 0, FW_LENGTH(trees));
	tcase_add_loop_test(tests, spans_fit, 0, FW_LENGTH(spans));
	tcase_add_test(tests, literal_text_is_not_copied);
	tcase_add_test(tests, finds_values);
	tcase_add_loop_test(tests, reads_from_the_middle, 0, FW_LENGTH(parts));
	tcase_add_loop_test(tests, refuses, 0, FW_LENGTH(refusals));
	tcase_add_test(tests, carries_on_after_a_refusal);
	tcase_add_test(tests, earlier_errors_are_not_ours);
	tcase_add_loop_test(tests, duplicates_in_mappings_of_any_size, 1, 40);
	tcase_add_test(tests, a_large_mapping_is_linear);
	tcase_add_loop_test(tests, depth_is_capped, 0, FW_LENGTH(nestings));
	tcase_add_test(tests, depth_counts_through_aliases);
	tcase_add_test(tests, a_billion_laughs_fail_fast);
	tcase_add_test(tests, alias_cap_is_exact);
	tcase_add_loop_test(tests, streams_items, 0, FW_LENGTH(streams));
	tcase_add_test(tests, items_reuse_their_memory);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
