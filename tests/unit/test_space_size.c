// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What sets cost: large ones of the usual kind cost in proportion to their members, and those that
 * nothing can make small end at a bound. Work is counted in steps, which do not depend on machines.
 */

#include "space_model.h"

enum { CAMERAS = 100000, PORTS = 64512, FIRST_PORT = 1024, MANY = 10000 };

static struct fw_spaces spaces;

static void set_up(void) {
	fw_spaces_init(&spaces, NULL);
}

static void tear_down(void) {
	fw_spaces_fini(&spaces);
}

/* Single addresses, no two side by side, each on a port of its own; one may be missing. */
static fw_space cameras(size_t count, size_t missing) {
	struct fw_case *cases = fw_alloc(count * sizeof(*cases));
	size_t used = 0;
	for (size_t i = 0; i < count; i++) {
		if (i != missing) {
			struct fw_addr address = fw_value(0x0a000000 + 2 * i);
			cases[used++] = (struct fw_case){address, address,
				model_is(&spaces, FW_VAR_PORT, FIRST_PORT + i * 7919 % PORTS)};
		}
	}
	fw_space set = fw_space_cases(&spaces, FW_VAR_DESTINATION, cases, used);
	free(cases);
	return set;
}

/* As one flow of output has it. */
static fw_space flow_to(fw_space destinations) {
	fw_space flow = fw_space_intersect(&spaces, model_is(&spaces, FW_VAR_HOOK, 2),
		model_is(&spaces, FW_VAR_FAMILY, FW_IPV4));
	flow = fw_space_intersect(&spaces, flow, model_is(&spaces, FW_VAR_PROTOCOL, IPPROTO_UDP));
	flow = fw_space_intersect(&spaces, flow, destinations);
	return fw_space_intersect(&spaces, flow, fw_space_universe(&spaces, 4));
}

START_TEST(cameras_with_ports_cost_what_they_are) {
	fw_space all = flow_to(cameras(CAMERAS, CAMERAS));
	fw_space but_one = flow_to(cameras(CAMERAS, CAMERAS / 2));
	struct fw_space_size size = fw_space_measure(&spaces, all);
	ck_assert_uint_le(size.nodes, PORTS + 20);
	ck_assert_uint_le(size.edges, 2 * CAMERAS + 3 * PORTS + 100);
	fw_space one = fw_space_subtract(&spaces, all, but_one);
	ck_assert_uint_lt(fw_space_measure(&spaces, one).edges, 50);
	ck_assert_uint_eq(fw_space_subtract(&spaces, but_one, all), FW_SPACE_EMPTY);
	ck_assert_uint_eq(fw_space_union(&spaces, but_one, one), all);
	ck_assert(fw_space_is_subset(&spaces, but_one, all));
	ck_assert(!spaces.exhausted);
	ck_assert_uint_le(spaces.steps, 25 * (uint64_t)CAMERAS);
	ck_assert_uint_le(spaces.bytes, (size_t)64 << 20);
}
END_TEST

/* Building, and all that a comparison does. */
static uint64_t steps_of_comparison(size_t count) {
	fw_spaces_fini(&spaces);
	fw_spaces_init(&spaces, NULL);
	fw_space a = flow_to(cameras(count, count)), b = flow_to(cameras(count, 7));
	fw_space_subtract(&spaces, a, b);
	fw_space_subtract(&spaces, b, a);
	fw_space_union(&spaces, a, b);
	fw_space_exists(&spaces, a, FW_VAR_PORT);
	return spaces.steps;
}

START_TEST(work_grows_with_the_members) {
	uint64_t small = steps_of_comparison(MANY);
	uint64_t large = steps_of_comparison(4 * MANY);
	ck_assert_uint_le(large, 4 * small + small / 10);
}
END_TEST

/* In any order, and what is made on the way is forgotten. */
START_TEST(a_union_of_many_forgets_its_way) {
	static fw_space singles[MANY];
	model_seed(1);
	for (size_t i = 0; i < MANY; i++) {
		struct fw_addr address = fw_value(0x0a000000 + 2 * i);
		singles[i] = fw_space_intersect(&spaces,
			fw_space_interval(&spaces, FW_VAR_DESTINATION, address, address),
			model_is(&spaces, FW_VAR_PORT, FIRST_PORT + i * 7919 % PORTS));
	}
	for (size_t i = MANY; i > 1; i--) {
		size_t j = model_random(i);
		fw_space other = singles[i - 1];
		singles[i - 1] = singles[j];
		singles[j] = other;
	}
	size_t words = spaces.word_count;
	uint64_t steps = spaces.steps;
	fw_space all = fw_space_union_all(&spaces, singles, MANY);
	ck_assert_uint_eq(all, cameras(MANY, MANY));
	ck_assert_uint_le(spaces.word_count - words, (size_t)16 * MANY);
	ck_assert_uint_le(spaces.steps - steps, (uint64_t)60 * MANY);
}
END_TEST

START_TEST(sources_times_ports_are_shared) {
	enum { SOURCES = 1000, SERVICES = 5 };
	struct fw_case cases[SOURCES];
	fw_space ports = FW_SPACE_EMPTY;
	for (size_t i = 0; i < SERVICES; i++) {
		ports = fw_space_union(
			&spaces, ports, model_is(&spaces, FW_VAR_PORT, 8000 + 10 * i));
	}
	for (size_t i = 0; i < SOURCES; i++) {
		uint64_t first = 0x0a000000 + (i << 12);
		cases[i] = (struct fw_case){fw_value(first), fw_value(first + 255), ports};
	}
	fw_space set = fw_space_cases(&spaces, FW_VAR_SOURCE, cases, SOURCES);
	ck_assert_uint_eq(fw_space_measure(&spaces, set).nodes, 2);
	ck_assert_uint_eq(fw_space_measure(&spaces, set).edges, 2 * SOURCES + 1 + 2 * SERVICES + 1);
}
END_TEST

/* ---- nasty sets ---- */

/* Each prefix holds those before it and opens a port more: every port list is another one. */
static fw_space nested(size_t count) {
	fw_space *sets = fw_alloc(count * sizeof(*sets));
	for (size_t i = 0; i < count; i++) {
		sets[i] = fw_space_intersect(&spaces,
			model_from_to(&spaces, FW_VAR_DESTINATION, 0, 3 * i + 5),
			model_is(&spaces, FW_VAR_PORT, 2 * i + 1));
	}
	fw_space all = fw_space_union_all(&spaces, sets, count);
	free(sets);
	return all;
}

/* Boxes anywhere in sources, destinations and ports. */
static fw_space scattered(size_t count) {
	static const enum fw_var vars[] = {FW_VAR_SOURCE, FW_VAR_DESTINATION, FW_VAR_PORT};
	fw_space *sets = fw_alloc(count * sizeof(*sets));
	for (size_t i = 0; i < count; i++) {
		sets[i] = FW_SPACE_ALL;
		for (size_t j = 0; j < FW_LENGTH(vars); j++) {
			uint64_t low = model_random(30000);
			fw_space values =
				model_from_to(&spaces, vars[j], low, low + model_random(30000));
			sets[i] = fw_space_intersect(&spaces, sets[i], values);
		}
	}
	fw_space all = fw_space_union_all(&spaces, sets, count);
	free(sets);
	return all;
}

/* Odd ports from odd ports for every other address, and the rest of them for those between. */
static fw_space checkered(size_t count) {
	fw_space odd = fw_space_intersect(&spaces, fw_space_masked(&spaces, FW_VAR_PORT, 1, 1),
		fw_space_masked(&spaces, FW_VAR_SOURCE_PORT, 1, 1));
	fw_space even = fw_space_complement(&spaces, odd);
	struct fw_case *cases = fw_alloc(count * sizeof(*cases));
	for (size_t i = 0; i < count; i++) {
		cases[i] = (struct fw_case){fw_value(i), fw_value(i), i % 2 != 0 ? odd : even};
	}
	fw_space set = fw_space_cases(&spaces, FW_VAR_DESTINATION, cases, count);
	free(cases);
	return set;
}

/* Every variable must be equal to the first: the order of variables is as bad as can be. */
static fw_space diagonal(size_t count) {
	static const enum fw_var vars[] = {FW_VAR_PROTOCOL, FW_VAR_SOURCE, FW_VAR_DESTINATION,
		FW_VAR_SOURCE_PORT, FW_VAR_PORT, FW_VAR_HOP_LIMIT};
	fw_space all = FW_SPACE_EMPTY;
	for (size_t i = 0; i < count; i++) {
		fw_space set = FW_SPACE_ALL;
		for (size_t j = 0; j < FW_LENGTH(vars); j++) {
			set = fw_space_intersect(&spaces, set, model_is(&spaces, vars[j], i % 256));
		}
		all = fw_space_union(&spaces, all, set);
	}
	return all;
}

static const struct {
	const char *name;
	fw_space (*make)(size_t count);
	size_t count;
	bool fits;
} nasty[] = {
	{"nested", nested, 100, true},
	{"nested", nested, 1000, true},
	{"nested", nested, 10000, false},
	{"scattered", scattered, 100, true},
	{"scattered", scattered, 1000, true},
	{"checkered", checkered, 100000, true},
	{"diagonal", diagonal, 256, true},
};

START_TEST(nasty_sets_are_made_or_refused) {
	struct fw_boxes boxes = {0};
	model_seed(_i);
	fw_space set = nasty[_i].make(nasty[_i].count);
	ck_assert_msg(
		spaces.exhausted == !nasty[_i].fits, "%s %zu", nasty[_i].name, nasty[_i].count);
	ck_assert_uint_le(spaces.bytes, spaces.limits.bytes);
	ck_assert_uint_le(spaces.steps, (uint64_t)1 << 27);
	if (nasty[_i].fits) {
		struct fw_point witness = fw_space_witness(&spaces, set);
		ck_assert(fw_space_contains(&spaces, set, &witness));
		fw_space other = fw_space_complement(&spaces, set);
		ck_assert_uint_eq(fw_space_intersect(&spaces, set, other), FW_SPACE_EMPTY);
		ck_assert_uint_eq(fw_space_union(&spaces, set, other), FW_SPACE_ALL);
		ck_assert(fw_space_boxes(&spaces, set, FW_SPACE_ALL, 100, &boxes));
		ck_assert_uint_gt(boxes.count, 0);
		fw_boxes_fini(&boxes);
	}
}
END_TEST

int main(void) {
	Suite *suite = suite_create("space size");
	TCase *usual = tcase_create("usual sets");
	tcase_add_checked_fixture(usual, set_up, tear_down);
	tcase_set_timeout(usual, 100);
	tcase_add_test(usual, cameras_with_ports_cost_what_they_are);
	tcase_add_test(usual, work_grows_with_the_members);
	tcase_add_test(usual, a_union_of_many_forgets_its_way);
	tcase_add_test(usual, sources_times_ports_are_shared);
	suite_add_tcase(suite, usual);

	TCase *bad = tcase_create("nasty sets");
	tcase_add_checked_fixture(bad, set_up, tear_down);
	tcase_set_timeout(bad, 100);
	tcase_add_loop_test(bad, nasty_sets_are_made_or_refused, 0, FW_LENGTH(nasty));
	suite_add_tcase(suite, bad);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
