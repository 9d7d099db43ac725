// SPDX-License-Identifier: GPL-2.0-or-later
/* Memory, slices, buffers and words. */

#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "child.h"

/** A generator of our own, so that every run tries the same. */
static uint32_t random_state = 1;

static uint32_t random_below(uint32_t limit) {
	random_state = random_state * 1664525 + 1013904223;
	return (uint32_t)((uint64_t)random_state * limit >> 32);
}

/* ---- heap ---- */

/** One assertion for all bytes; Check takes its time for each. */
static void assert_filled(const void *memory, size_t size, unsigned char value) {
	const unsigned char *bytes = memory;
	ck_assert(size == 0 || (bytes[0] == value && memcmp(bytes, bytes + 1, size - 1) == 0));
}

static void silence(void) {
	int null = open("/dev/null", O_WRONLY);
	dup2(null, STDERR_FILENO);
}

/* Volatile, as compilers warn of sizes they can see to be too large. */
static volatile size_t huge = SIZE_MAX / 2;

static int alloc_too_much(void) {
	silence();
	fw_alloc(huge);
	return 0;
}

static int resize_too_much(void) {
	silence();
	fw_resize(NULL, huge, 4);
	return 0;
}

static int array_too_much(void) {
	silence();
	struct fw_arena arena = {0};
	fw_arena_array(&arena, huge, 4);
	return 0;
}

static int arena_too_much(void) {
	silence();
	struct fw_arena arena = {0};
	fw_arena_alloc(&arena, SIZE_MAX - 8);
	return 0;
}

static int buf_too_much(void) {
	silence();
	struct fw_buf buf = {0};
	fw_buf_add_char(&buf, 'x');
	fw_buf_reserve(&buf, SIZE_MAX - 1);
	return 0;
}

static int (*const exhausting[])(void) = {
	alloc_too_much, resize_too_much, array_too_much, arena_too_much, buf_too_much};

START_TEST(exhaustion_ends_the_process) {
	ck_assert_int_ne(run_in_child(exhausting[_i]), 0);
}
END_TEST

START_TEST(heap_gives_something_for_nothing) {
	void *nothing = fw_alloc(0);
	ck_assert_ptr_nonnull(nothing);
	nothing = fw_resize(nothing, 0, 8);
	ck_assert_ptr_nonnull(nothing);
	free(nothing);
	char *zeroed = fw_alloc(1000);
	assert_filled(zeroed, 1000, 0);
	free(zeroed);
}
END_TEST

struct pair {
	int a, b;
};

START_TEST(vec_grows) {
	FW_VEC(struct pair) vec = {0};
	for (int i = 0; i < 1000; i++) {
		FW_VEC_ADD(&vec, (struct pair){i, -i});
	}
	ck_assert_uint_eq(vec.count, 1000);
	for (int i = 0; i < 1000; i++) {
		ck_assert_int_eq(vec.items[i].a, i);
		ck_assert_int_eq(vec.items[i].b, -i);
	}
	FW_VEC_FINI(&vec);
	ck_assert_ptr_null(vec.items);
	ck_assert_uint_eq(vec.capacity, 0);
}
END_TEST

/* ---- slices ---- */

static const struct {
	const char *a, *b;
	int order;
} orders[] = {
	{"", "", 0},
	{"", "a", -1},
	{"a", "", 1},
	{"a", "b", -1},
	{"ab", "a", 1},
	{"abc", "abc", 0},
	{"\xff", "a", 1},
};

static int sign(int number) {
	return (number > 0) - (number < 0);
}

START_TEST(slices_are_ordered_by_bytes) {
	struct fw_slice a = fw_slice(orders[_i].a);
	struct fw_slice b = fw_slice(orders[_i].b);
	ck_assert_int_eq(sign(fw_slice_compare(a, b)), orders[_i].order);
	ck_assert_int_eq(sign(fw_slice_compare(b, a)), -orders[_i].order);
	ck_assert_int_eq(fw_slice_equal(a, b), orders[_i].order == 0);
	ck_assert_int_eq(fw_slice_is(a, orders[_i].b), orders[_i].order == 0);
}
END_TEST

START_TEST(slices_without_data_are_empty) {
	struct fw_slice none = {0};
	ck_assert(fw_slice_equal(none, FW_SLICE("")));
	ck_assert(fw_slice_is(none, ""));
	ck_assert_int_eq(fw_slice_compare(none, FW_SLICE("")), 0);
	ck_assert_int_lt(fw_slice_compare(none, FW_SLICE("a")), 0);
	ck_assert_uint_eq(fw_slice_trim(none).length, 0);
	ck_assert_uint_eq(fw_slice_cut(&none, ',').length, 0);
	ck_assert_ptr_null(none.data);
}
END_TEST

static const struct {
	const char *text, *trimmed;
} trims[] = {
	{"", ""},
	{" ", ""},
	{" \t ", ""},
	{"a", "a"},
	{" a b\t", "a b"},
	{"\na\n", "\na\n"},
};

START_TEST(trim_cuts_blanks) {
	ck_assert(fw_slice_is(fw_slice_trim(fw_slice(trims[_i].text)), trims[_i].trimmed));
}
END_TEST

START_TEST(cut_takes_fields) {
	struct fw_slice rest = FW_SLICE("a,,bc,");
	static const char *const fields[] = {"a", "", "bc", ""};
	for (size_t i = 0; i < FW_LENGTH(fields); i++) {
		ck_assert_ptr_nonnull(rest.data);
		ck_assert(fw_slice_is(fw_slice_cut(&rest, ','), fields[i]));
	}
	ck_assert_ptr_null(rest.data);
	ck_assert_uint_eq(rest.length, 0);
}
END_TEST

static const struct {
	const char *text;
	uint64_t limit;
	bool ok;
	uint64_t value;
} numbers[] = {
	{"0", 0, true, 0},
	{"1", 0, false, 0},
	{"9", 5, false, 0},
	{"65535", 65535, true, 65535},
	{"65536", 65535, false, 0},
	{"007", 7, true, 7},
	{"18446744073709551615", UINT64_MAX, true, UINT64_MAX},
	{"18446744073709551616", UINT64_MAX, false, 0},
	{"99999999999999999999", UINT64_MAX, false, 0},
	{"", 9, false, 0},
	{"+1", 9, false, 0},
	{"-1", 9, false, 0},
	{" 1", 9, false, 0},
	{"1 ", 9, false, 0},
	{"0x1", 9, false, 0},
	{"1a", 99, false, 0},
};

START_TEST(numbers_are_read_within_limits) {
	uint64_t value = 4711;
	bool ok = fw_slice_to_uint(fw_slice(numbers[_i].text), numbers[_i].limit, &value);
	ck_assert_int_eq(ok, numbers[_i].ok);
	ck_assert_uint_eq(value, ok ? numbers[_i].value : 4711);
}
END_TEST

/* ---- arena ---- */

static void *alloc_checked(struct fw_arena *arena, size_t size) {
	char *memory = fw_arena_alloc(arena, size);
	ck_assert_ptr_nonnull(memory);
	ck_assert_uint_eq((uintptr_t)memory % _Alignof(max_align_t), 0);
	assert_filled(memory, size, 0);
	memset(memory, 0xee, size);
	return memory;
}

START_TEST(arena_memory_is_zero_and_its_own) {
	struct fw_arena arena = {0};
	enum { COUNT = 3000 };
	struct {
		unsigned char *memory;
		size_t size;
	} all[COUNT];
	for (int i = 0; i < COUNT; i++) {
		all[i].size = random_below(10) == 0 ? random_below(200000) : random_below(100);
		all[i].memory = alloc_checked(&arena, all[i].size);
		memset(all[i].memory, i & 0xff, all[i].size);
		fw_arena_text(&arena, FW_SLICE("odd"));
	}
	for (int i = 0; i < COUNT; i++) {
		assert_filled(all[i].memory, all[i].size, i & 0xff);
	}
	fw_arena_fini(&arena);
	ck_assert_ptr_null(arena.block);
	fw_arena_fini(&arena);
	fw_arena_fini(NULL);
}
END_TEST

START_TEST(arena_goes_back_to_marks) {
	struct fw_arena arena = {0};
	struct fw_arena_mark empty = fw_arena_mark(&arena);
	for (int round = 0; round < 200; round++) {
		char *kept = alloc_checked(&arena, random_below(5000));
		struct fw_arena_mark mark = fw_arena_mark(&arena);
		char *first = alloc_checked(&arena, 16);
		fw_arena_keep(&arena, fw_alloc(1000));
		for (int i = 0; i < 20; i++) {
			alloc_checked(&arena, random_below(30000));
		}
		fw_arena_reset(&arena, mark);
		struct fw_arena_mark now = fw_arena_mark(&arena);
		ck_assert_ptr_eq(now.block, mark.block);
		ck_assert_ptr_eq(now.free, mark.free);
		ck_assert_ptr_eq(now.kept, mark.kept);
		fw_arena_keep(&arena, fw_alloc(1)); /* for the rounds that follow */
		char *again = alloc_checked(&arena, 16);
		ck_assert(again == first || arena.block != mark.block);
		*kept = 1;
	}
	fw_arena_reset(&arena, empty);
	ck_assert_ptr_null(arena.block);
	ck_assert_ptr_null(arena.kept);
}
END_TEST

START_TEST(arena_holds_text) {
	struct fw_arena arena = {0};
	char *text = fw_arena_text(&arena, (struct fw_slice){"hello, world", 5});
	ck_assert_str_eq(text, "hello");
	ck_assert_str_eq(fw_arena_text(&arena, (struct fw_slice){0}), "");
	ck_assert_str_eq(fw_arena_printf(&arena, "%s-%d", text, 7), "hello-7");
	ck_assert_str_eq(fw_arena_printf(&arena, "%s", ""), "");
	char *wide = fw_arena_printf(&arena, "%100000d", 1);
	ck_assert_uint_eq(strlen(wide), 100000);
	size_t large = 10000000; /* more than a block takes */
	assert_filled(fw_arena_alloc(&arena, large), large, 0);
	int *numbers_made = FW_ARENA_ARRAY(&arena, int, 1000);
	assert_filled(numbers_made, 1000 * sizeof(int), 0);
	ck_assert_ptr_nonnull(FW_ARENA_ARRAY(&arena, int, 0));
	fw_arena_fini(&arena);
}
END_TEST

/* ---- buf ---- */

START_TEST(buf_collects_text) {
	struct fw_buf buf = {0};
	ck_assert_uint_eq(fw_buf_slice(&buf).length, 0);
	fw_buf_add(&buf, NULL, 0);
	ck_assert_str_eq(buf.data, "");
	fw_buf_add_text(&buf, "ab");
	fw_buf_add_char(&buf, 'c');
	fw_buf_add_slice(&buf, (struct fw_slice){"defg", 2});
	fw_buf_add_slice(&buf, (struct fw_slice){0});
	fw_buf_add_uint(&buf, 0);
	fw_buf_add_uint(&buf, UINT64_MAX);
	fw_buf_printf(&buf, "|%s|%d", "x", -3);
	ck_assert_str_eq(buf.data, "abcde018446744073709551615|x|-3");
	memcpy(fw_buf_reserve(&buf, 3), "end", 3);
	fw_buf_grew(&buf, 3);
	ck_assert_str_eq(buf.data, "abcde018446744073709551615|x|-3end");
	ck_assert(fw_slice_is(fw_buf_slice(&buf), buf.data));
	fw_buf_fini(&buf);
	ck_assert_ptr_null(buf.data);
	fw_buf_fini(&buf);
	fw_buf_fini(NULL);
}
END_TEST

START_TEST(buf_printf_grows) {
	for (int width = 0; width < 200; width++) {
		struct fw_buf buf = {0};
		fw_buf_printf(&buf, "%*s", width, "");
		fw_buf_printf(&buf, "%*s", width, "");
		ck_assert_uint_eq(buf.length, 2 * (size_t)width);
		ck_assert_uint_eq(strlen(buf.data), buf.length);
		fw_buf_fini(&buf);
	}
}
END_TEST

START_TEST(buf_grows_by_doubling) {
	struct fw_buf buf = {0};
	size_t moves = 0;
	size_t capacity = 0;
	for (int i = 0; i < 1000000; i++) {
		fw_buf_add_char(&buf, 'x');
		moves += buf.capacity != capacity;
		capacity = buf.capacity;
	}
	ck_assert_uint_lt(moves, 20);
	fw_buf_fini(&buf);
}
END_TEST

/* ---- words ---- */

static const char *const services[] = {"https", NULL, "http", "ssh", "rest-api", "web-admin",
	"udp-sinks", "rtsp", "rtps",
	"a-word-that-is-longer-than-any-that-should-ever-be-guessed-from-a-slip"};

static const struct {
	const char *word, *nearest;
} slips[] = {
	{"https", "https"},
	{"htps", "https"},
	{"htpt", "http"},
	{"shs", "ssh"},
	{"rest-ap", "rest-api"},
	{"restapi", "rest-api"},
	{"rest_aip", "rest-api"},
	{"rtsp", "rtsp"},
	{"rtp", "rtsp"},
	{"webadmn", "web-admin"},
	{"udp-snisk", "udp-sinks"},
	{"xyz", NULL},
	{"x", NULL},
	{"", NULL},
	{"a-word-that-is-longer-than-any-that-should-ever-be-guessed-from-a-sli", NULL},
};

START_TEST(nearest_word_is_guessed) {
	ck_assert_pstr_eq(fw_nearest(fw_slice(slips[_i].word), services, FW_LENGTH(services)),
		slips[_i].nearest);
}
END_TEST

static size_t min3(size_t a, size_t b, size_t c) {
	size_t least = a < b ? a : b;
	return least < c ? least : c;
}

/** The definition, without any of the short cuts. */
static size_t plain_distance(struct fw_slice a, struct fw_slice b) {
	size_t table[32][32];
	for (size_t i = 0; i <= a.length; i++) {
		for (size_t j = 0; j <= b.length; j++) {
			if (i == 0 || j == 0) {
				table[i][j] = i + j;
				continue;
			}
			table[i][j] = min3(table[i - 1][j] + 1, table[i][j - 1] + 1,
				table[i - 1][j - 1] + (a.data[i - 1] != b.data[j - 1]));
			if (i > 1 && j > 1 && a.data[i - 1] == b.data[j - 2] &&
				a.data[i - 2] == b.data[j - 1]) {
				table[i][j] =
					min3(table[i][j], table[i - 2][j - 2] + 1, table[i][j]);
			}
		}
	}
	return table[a.length][b.length];
}

static const char *plain_nearest(
	struct fw_slice word, const char *const *candidates, size_t count) {
	size_t best = word.length >= 3 ? word.length / 3 : 1;
	const char *nearest = NULL;
	for (size_t i = 0; i < count; i++) {
		size_t distance = plain_distance(word, fw_slice(candidates[i]));
		if (distance < best || (distance == best && nearest == NULL)) {
			best = distance;
			nearest = candidates[i];
		}
	}
	return nearest;
}

static void make_word(char *word) {
	size_t length = random_below(13);
	for (size_t i = 0; i < length; i++) {
		word[i] = (char)('a' + random_below(3));
	}
	word[length] = '\0';
}

START_TEST(nearest_word_is_as_defined) {
	char words[20][16];
	const char *candidates[FW_LENGTH(words)];
	for (int round = 0; round < 2000; round++) {
		for (size_t i = 0; i < FW_LENGTH(words); i++) {
			make_word(words[i]);
			candidates[i] = words[i];
		}
		char word[16];
		make_word(word);
		ck_assert_ptr_eq(fw_nearest(fw_slice(word), candidates, FW_LENGTH(candidates)),
			plain_nearest(fw_slice(word), candidates, FW_LENGTH(candidates)));
	}
}
END_TEST

static TCase *memory_case(void) {
	TCase *memory = tcase_create("memory");
	tcase_set_timeout(memory, 60);
	tcase_add_loop_test(memory, exhaustion_ends_the_process, 0, FW_LENGTH(exhausting));
	tcase_add_test(memory, heap_gives_something_for_nothing);
	tcase_add_test(memory, vec_grows);
	tcase_add_test(memory, arena_memory_is_zero_and_its_own);
	tcase_add_test(memory, arena_goes_back_to_marks);
	tcase_add_test(memory, arena_holds_text);
	tcase_add_test(memory, buf_collects_text);
	tcase_add_test(memory, buf_printf_grows);
	tcase_add_test(memory, buf_grows_by_doubling);
	return memory;
}

static TCase *text_case(void) {
	TCase *text = tcase_create("text");
	tcase_set_timeout(text, 60);
	tcase_add_loop_test(text, slices_are_ordered_by_bytes, 0, FW_LENGTH(orders));
	tcase_add_test(text, slices_without_data_are_empty);
	tcase_add_loop_test(text, trim_cuts_blanks, 0, FW_LENGTH(trims));
	tcase_add_test(text, cut_takes_fields);
	tcase_add_loop_test(text, numbers_are_read_within_limits, 0, FW_LENGTH(numbers));
	tcase_add_loop_test(text, nearest_word_is_guessed, 0, FW_LENGTH(slips));
	tcase_add_test(text, nearest_word_is_as_defined);
	return text;
}

int main(void) {
	Suite *suite = suite_create("base");
	suite_add_tcase(suite, memory_case());
	suite_add_tcase(suite, text_case());
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
