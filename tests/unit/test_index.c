// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Numbers by hash: every number that was added is found again, also among those of the same hash,
 * at the end of the table and after it grew, and nothing else is.
 */

#include <check.h>
#include <stdlib.h>

#include "emit/index.h"

enum { MANY = 5000 };

static struct fw_index tried;

static void set_up(void) {
	tried = (struct fw_index){0};
}

static void tear_down(void) {
	fw_index_fini(&tried);
}

/* How many numbers have a hash; each must be one of first, first + step … and comes once. */
static size_t found(uint32_t hash, uint32_t first, uint32_t step) {
	bool seen[MANY + 1] = {false};
	size_t at = 0, count = 0;
	uint32_t number;

	while ((number = fw_index_next(&tried, hash, &at)) != FW_INDEX_NONE) {
		uint32_t which = (number - first) / step;
		ck_assert_uint_eq(number, first + step * which);
		ck_assert_uint_lt(which, FW_LENGTH(seen));
		ck_assert(!seen[which]);
		seen[which] = true;
		count++;
	}
	return count;
}

START_TEST(an_empty_one_has_nothing) {
	ck_assert_uint_eq(found(0, 0, 1), 0);
	ck_assert_uint_eq(found(UINT32_MAX, 0, 1), 0);
	fw_index_add(&tried, 7, 0);
	ck_assert_uint_eq(found(8, 0, 1), 0);
	fw_index_fini(&tried);
	ck_assert_uint_eq(found(7, 0, 1), 0);
	ck_assert_uint_eq(tried.count, 0);
}
END_TEST

START_TEST(each_is_found_after_it_grew) {
	const uint32_t odd = 0x9e3779b1; /* so that no hash comes twice */

	for (uint32_t i = 0; i < MANY; i++) {
		fw_index_add(&tried, odd * i, i);
	}
	ck_assert_uint_eq(tried.count, MANY);
	ck_assert_uint_le(2 * tried.count, tried.size + 1);
	for (uint32_t i = 0; i < MANY; i++) {
		ck_assert_uint_eq(found(odd * i, i, MANY), 1);
		ck_assert_uint_eq(found(odd * (i + MANY), 0, 1), 0);
	}
}
END_TEST

START_TEST(those_of_one_hash_come_one_by_one) {
	/* Beside others that want the same slot, around the end of the table. */
	for (uint32_t i = 0; i < MANY; i++) {
		fw_index_add(&tried, i % 2 == 0 ? UINT32_MAX : 0xff, i);
	}
	ck_assert_uint_eq(found(UINT32_MAX, 0, 2), MANY / 2);
	ck_assert_uint_eq(found(0xff, 1, 2), MANY / 2);
	ck_assert_uint_eq(found(0xfffff, 0, 1), 0);
}
END_TEST

START_TEST(the_largest_number_is_one) {
	fw_index_add(&tried, 1, FW_INDEX_NONE - 1);
	ck_assert_uint_eq(found(1, FW_INDEX_NONE - 1, 1), 1);
}
END_TEST

START_TEST(objects_next_to_each_other_have_hashes_of_their_own) {
	char objects[MANY];

	for (uint32_t i = 0; i < MANY; i++) {
		fw_index_add(&tried, fw_index_hash(&objects[i]), i);
	}
	for (uint32_t i = 0; i < MANY; i++) {
		ck_assert_uint_eq(found(fw_index_hash(&objects[i]), i, MANY), 1);
	}
}
END_TEST

int main(void) {
	Suite *suite = suite_create("index");
	TCase *tcase = tcase_create("index");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, an_empty_one_has_nothing);
	tcase_add_test(tcase, each_is_found_after_it_grew);
	tcase_add_test(tcase, those_of_one_hash_come_one_by_one);
	tcase_add_test(tcase, the_largest_number_is_one);
	tcase_add_test(tcase, objects_next_to_each_other_have_hashes_of_their_own);
	suite_add_tcase(suite, tcase);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
