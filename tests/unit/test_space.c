// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sets of packets: the laws of algebra on random ones, the same sets packet by packet, one handle
 * for equal sets, what can be a packet at all, and the bounds.
 */

#include "space_model.h"

enum { LOOPS = 150, POINTS = 200, INTERFACES = 3 };

static struct fw_spaces spaces;

static void set_up(void) {
	fw_spaces_init(&spaces, NULL);
}

static void tear_down(void) {
	fw_spaces_fini(&spaces);
}

#define NOT(a)	  fw_space_complement(&spaces, (a))
#define OR(a, b)  fw_space_union(&spaces, (a), (b))
#define AND(a, b) fw_space_intersect(&spaces, (a), (b))
#define SUB(a, b) fw_space_subtract(&spaces, (a), (b))

/* ---- random sets ---- */

START_TEST(laws_hold) {
	unsigned long seed = model_seed(_i);
	struct model_formula formula;
	fw_space a = model_formula(&spaces, &formula);
	fw_space b = model_formula(&spaces, &formula);
	fw_space c = model_formula(&spaces, &formula);
	const fw_space equal[][2] = {
		{NOT(NOT(a)), a},
		{OR(a, NOT(a)), FW_SPACE_ALL},
		{AND(a, NOT(a)), FW_SPACE_EMPTY},
		{OR(a, b), OR(b, a)},
		{AND(a, b), AND(b, a)},
		{OR(a, OR(b, c)), OR(OR(a, b), c)},
		{AND(a, AND(b, c)), AND(AND(a, b), c)},
		{AND(a, OR(b, c)), OR(AND(a, b), AND(a, c))},
		{OR(a, AND(b, c)), AND(OR(a, b), OR(a, c))},
		{NOT(OR(a, b)), AND(NOT(a), NOT(b))},
		{NOT(AND(a, b)), OR(NOT(a), NOT(b))},
		{OR(a, AND(a, b)), a},
		{AND(a, OR(a, b)), a},
		{SUB(a, b), AND(a, NOT(b))},
		{OR(SUB(a, b), AND(a, b)), a},
		{SUB(a, SUB(a, b)), AND(a, b)},
		{fw_space_is_subset(&spaces, a, b), SUB(a, b) == FW_SPACE_EMPTY},
		{fw_space_is_subset(&spaces, b, OR(a, b)), true},
	};
	for (size_t i = 0; i < FW_LENGTH(equal); i++) {
		ck_assert_msg(equal[i][0] == equal[i][1], "law %zu, seed %lu", i, seed);
	}
	ck_assert(!spaces.exhausted);
	ck_assert_uint_eq(spaces.scratch_count, 0);
}
END_TEST

/* Whatever the diagrams look at first: what is left once some values are chosen has the same one.
 */
START_TEST(packets_are_chosen_as_they_are_listed) {
	fw_space set = FW_SPACE_EMPTY;
	struct model_formula formula;
	for (unsigned i = 0; i <= (unsigned)_i % 3; i++) {
		set = OR(set, model_formula(&spaces, &formula));
	}
	if (set == FW_SPACE_EMPTY) {
		return;
	}
	struct fw_point first = fw_space_witness(&spaces, set);
	for (size_t i = 1; i < FW_VAR_COUNT; i++) {
		enum fw_var var = fw_var_listed[i];
		struct fw_addr value = first.values[var];
		set = AND(set, fw_space_interval(&spaces, var, value, value));
		struct fw_point point = fw_space_witness(&spaces, set);
		ck_assert_mem_eq(&point, &first, sizeof(point));
	}
}
END_TEST

START_TEST(packets_are_in_as_the_formula_says) {
	unsigned long seed = model_seed(_i);
	struct model_formula formula;
	fw_space set = model_formula(&spaces, &formula);
	for (size_t i = 0; i < POINTS; i++) {
		struct fw_point point = model_point();
		ck_assert_msg(
			fw_space_contains(&spaces, set, &point) == model_contains(&formula, &point),
			"packet %zu, seed %lu", i, seed);
	}
	if (set != FW_SPACE_EMPTY) {
		struct fw_point witness = fw_space_witness(&spaces, set);
		ck_assert_msg(model_contains(&formula, &witness), "witness, seed %lu", seed);
	}
}
END_TEST

/* With the variable fixed, and with any value of it: those near the formula's are all there are. */
START_TEST(variables_are_let_go) {
	unsigned long seed = model_seed(_i);
	struct model_formula formula;
	fw_space set = model_formula(&spaces, &formula);
	enum fw_var var = (enum fw_var)(1 + model_random(FW_VAR_COUNT - 1));
	struct fw_addr value = model_near(var);
	fw_space fixed = fw_space_restrict(&spaces, set, var, value);
	fw_space any = fw_space_exists(&spaces, set, var);
	for (size_t i = 0; i < POINTS; i++) {
		struct fw_point point = model_point();
		bool in_fixed = fw_space_contains(&spaces, fixed, &point);
		bool in_any = fw_space_contains(&spaces, any, &point);
		point.values[var] = value;
		ck_assert_msg(in_fixed == model_contains(&formula, &point), "seed %lu", seed);
		bool found = false;
		for (size_t j = 0; j < 3 * MODEL_VALUES; j++) {
			struct fw_addr near = model_values[var][j / 3];
			bool up = j % 3 == 1 && fw_addr_compare(near, fw_var_max[var]) < 0;
			bool down = j % 3 == 2 && fw_addr_compare(near, fw_value(0)) > 0;
			point.values[var] = up	   ? fw_addr_next(near)
					    : down ? fw_addr_previous(near)
						   : near;
			found = found || model_contains(&formula, &point);
		}
		ck_assert_msg(in_any == found, "seed %lu", seed);
	}
}
END_TEST

static void shuffle(fw_space *sets, size_t count) {
	for (size_t i = count; i > 1; i--) {
		size_t j = model_random(i);
		fw_space other = sets[i - 1];
		sets[i - 1] = sets[j];
		sets[j] = other;
	}
}

/* One after the other, all at once, in another order, in pieces, and through complements. */
START_TEST(equal_sets_are_one_handle) {
	enum { BOXES = 12 };
	unsigned long seed = model_seed(_i);
	fw_space sets[2 * BOXES], one_by_one = FW_SPACE_EMPTY, outside = FW_SPACE_ALL;
	for (size_t i = 0; i < BOXES; i++) {
		struct model_box box = model_box();
		sets[i] = model_box_space(&spaces, &box);
		one_by_one = OR(one_by_one, sets[i]);
		outside = AND(outside, NOT(sets[i]));
	}
	ck_assert_msg(NOT(outside) == one_by_one, "seed %lu", seed);
	shuffle(sets, BOXES);
	ck_assert_msg(fw_space_union_all(&spaces, sets, BOXES) == one_by_one, "seed %lu", seed);
	for (size_t i = 0; i < BOXES; i++) {
		enum fw_var var = (enum fw_var)(1 + model_random(FW_VAR_COUNT - 1));
		fw_space half = fw_space_interval(&spaces, var, fw_value(0), model_near(var));
		sets[BOXES + i] = SUB(sets[i], half);
		sets[i] = AND(sets[i], half);
	}
	shuffle(sets, FW_LENGTH(sets));
	ck_assert_msg(fw_space_union_all(&spaces, sets, FW_LENGTH(sets)) == one_by_one,
		"pieces, seed %lu", seed);
}
END_TEST

START_TEST(simple_sets_are_the_same_where_it_matters) {
	unsigned long seed = model_seed(_i);
	struct model_formula formula;
	fw_space set = model_formula(&spaces, &formula);
	fw_space within = _i % 2 == 0 ? fw_space_universe(&spaces, INTERFACES)
				      : model_formula(&spaces, &formula);
	fw_space simple = fw_space_simplify(&spaces, set, within);
	ck_assert_msg(AND(simple, within) == AND(set, within), "seed %lu", seed);
	fw_space all = fw_space_simplify(&spaces, within, within);
	ck_assert_uint_eq(all, within == FW_SPACE_EMPTY ? FW_SPACE_EMPTY : FW_SPACE_ALL);
}
END_TEST

/* ---- sets from lists and masks ---- */

START_TEST(cases_are_a_union) {
	fw_space low = model_is(&spaces, FW_VAR_PORT, 80);
	fw_space high = model_from_to(&spaces, FW_VAR_PORT, 0, UINT16_MAX);
	const struct fw_case cases[] = {
		{{0, 0}, {0, 4}, low},
		{{0, 5}, {0, 5}, low}, /* touches */
		{{0, 9}, {1, 0}, FW_SPACE_EMPTY},
		{{1, 1}, {UINT64_MAX, UINT64_MAX}, high},
	};
	fw_space set = FW_SPACE_EMPTY;
	for (size_t i = 0; i < FW_LENGTH(cases); i++) {
		fw_space values =
			fw_space_interval(&spaces, FW_VAR_DESTINATION, cases[i].low, cases[i].high);
		set = OR(set, AND(values, cases[i].set));
	}
	ck_assert_uint_eq(high, FW_SPACE_ALL);
	ck_assert_uint_eq(
		set, fw_space_cases(&spaces, FW_VAR_DESTINATION, cases, FW_LENGTH(cases)));
	ck_assert_uint_eq(fw_space_measure(&spaces, set).nodes, 2);
	ck_assert_uint_eq(fw_space_measure(&spaces, set).edges, 6);
	ck_assert_uint_eq(fw_space_cases(&spaces, FW_VAR_DESTINATION, cases, 0), FW_SPACE_EMPTY);
	ck_assert_uint_eq(fw_space_union_all(&spaces, NULL, 0), FW_SPACE_EMPTY);
}
END_TEST

static const struct {
	uint16_t mask, value;
} masks[] = {{0, 0}, {0x17, 0x02}, {0x03, 0x03}, {0xff, 0x12}, {0x80, 0x80}, {0x0f, 0x10}};

START_TEST(masks_are_exact) {
	fw_space set = fw_space_masked(&spaces, FW_VAR_FLAGS, masks[_i].mask, masks[_i].value);
	for (unsigned i = 0; i <= UINT8_MAX; i++) {
		struct fw_point point = {0};
		point.values[FW_VAR_FLAGS] = fw_value(i);
		ck_assert_int_eq(fw_space_contains(&spaces, set, &point),
			(i & masks[_i].mask) == masks[_i].value);
	}
}
END_TEST

/* Backwards and forwards, as the face of the module tells it. */
START_TEST(a_translation_is_a_composition) {
	fw_space from = AND(model_in(&spaces, FW_VAR_DESTINATION, "198.51.100.7"),
		model_port(&spaces, IPPROTO_TCP, 18088));
	fw_space to = AND(model_in(&spaces, FW_VAR_DESTINATION, "10.8.0.17"),
		model_port(&spaces, IPPROTO_TCP, 8088));
	fw_space clients = model_in(&spaces, FW_VAR_SOURCE, "10.20.0.0/16");
	fw_space allowed = AND(clients, to);

	fw_space before =
		fw_space_restrict(&spaces, allowed, FW_VAR_DESTINATION, fw_value(0x0a080011));
	before = fw_space_restrict(&spaces, before, FW_VAR_PORT, fw_value(8088));
	ck_assert_uint_eq(AND(before, from), AND(clients, from));

	fw_space after = fw_space_exists(&spaces, AND(clients, from), FW_VAR_DESTINATION);
	after = AND(fw_space_exists(&spaces, after, FW_VAR_PORT), to);
	ck_assert_uint_eq(after, allowed);
}
END_TEST

/* ---- what packets there are ---- */

/* Two descriptions of the same packets, apart before and together after. */
START_TEST(descriptions_meet_in_the_universe) {
	fw_space universe = fw_space_universe(&spaces, INTERFACES);
	fw_space v4 = model_is(&spaces, FW_VAR_FAMILY, FW_IPV4);
	fw_space v6 = model_is(&spaces, FW_VAR_FAMILY, FW_IPV6);
	fw_space tcp = model_is(&spaces, FW_VAR_PROTOCOL, IPPROTO_TCP);
	fw_space igmp = model_is(&spaces, FW_VAR_PROTOCOL, IPPROTO_IGMP);
	fw_space icmp = model_is(&spaces, FW_VAR_PROTOCOL, IPPROTO_ICMP);
	fw_space input = model_is(&spaces, FW_VAR_HOOK, 1);
	fw_space invalid = model_is(&spaces, FW_VAR_TRACKING, FW_TRACKING_INVALID);
	const fw_space pairs[][2] = {
		{v4, model_in(&spaces, FW_VAR_SOURCE, "0.0.0.0/0")},
		{v6, SUB(v6, model_is(&spaces, FW_VAR_TRACKING, FW_TRACKING_NONE))},
		{NOT(v4), v6},
		{input, SUB(input, model_is(&spaces, FW_VAR_IN, 0))},
		{NOT(model_is(&spaces, FW_VAR_IN, 2)),
			OR(OR(model_is(&spaces, FW_VAR_IN, 1), model_is(&spaces, FW_VAR_IN, 3)),
				model_is(&spaces, FW_VAR_HOOK, 2))},
		{AND(igmp, model_is(&spaces, FW_VAR_PORT, 0)), igmp},
		{AND(icmp, model_from_to(&spaces, FW_VAR_SOURCE_PORT, 0, UINT8_MAX)), icmp},
		{AND(v4, model_is(&spaces, FW_VAR_HOP_LIMIT, 0)), v4},
		{AND(NOT(tcp), model_is(&spaces, FW_VAR_FLAGS, 0)), NOT(tcp)},
		{AND(invalid, model_is(&spaces, FW_VAR_TRANSLATED, 0)), invalid},
		{model_from_to(&spaces, FW_VAR_TRACKING, 1, 5), FW_SPACE_ALL},
	};
	for (size_t i = 0; i < FW_LENGTH(pairs); i++) {
		ck_assert_msg(pairs[i][0] != pairs[i][1], "pair %zu", i);
		ck_assert_msg(
			AND(pairs[i][0], universe) == AND(pairs[i][1], universe), "pair %zu", i);
		ck_assert_uint_ne(AND(pairs[i][0], universe), FW_SPACE_EMPTY);
	}
}
END_TEST

/* ---- witnesses ---- */

static const struct {
	const char *source, *destination;
	uint8_t protocol;
	int port;
	const char *wanted; /* source, destination, protocol, both ports */
} witnesses[] = {
	{NULL, NULL, 0, -1, "10.0.0.1 10.0.0.2 tcp 49152 80"},
	{NULL, NULL, IPPROTO_UDP, -1, "10.0.0.1 10.0.0.2 udp 49152 53"},
	{NULL, NULL, IPPROTO_ICMP, -1, "10.0.0.1 10.0.0.2 icmp 8 0"},
	{NULL, NULL, IPPROTO_ICMPV6, -1, "10.0.0.1 10.0.0.2 icmpv6 128 0"},
	{NULL, NULL, IPPROTO_ESP, -1, "10.0.0.1 10.0.0.2 esp 0 0"},
	{"10.20.0.0/16", "10.30.1.11", IPPROTO_TCP, 8088, "10.20.0.1 10.30.1.11 tcp 49152 8088"},
	{"10.20.5.12-10.20.5.20", NULL, IPPROTO_TCP, 22, "10.20.5.12 10.0.0.1 tcp 49152 22"},
	{"10.20.5.12/31", "10.20.5.12/30", IPPROTO_TCP, 22, "10.20.5.12 10.20.5.13 tcp 49152 22"},
	{"172.0.0.0/8", NULL, IPPROTO_TCP, 0, "172.16.0.1 10.0.0.1 tcp 49152 0"},
	{"0.0.0.0/7", NULL, IPPROTO_TCP, 22, "1.0.0.1 10.0.0.1 tcp 49152 22"},
	{"0.0.0.0", "255.255.255.255", IPPROTO_UDP, 67, "0.0.0.0 255.255.255.255 udp 49152 67"},
	{"::/0", NULL, 0, -1, "fd00::1 fd00::2 tcp 49152 80"},
	{"::/0", NULL, IPPROTO_ICMPV6, -1, "fd00::1 fd00::2 icmpv6 128 0"},
	{"::/1", NULL, 0, -1, "2000::1 fd00::1 tcp 49152 80"},
	{"fe80::/10", "ff02::1", 0, -1, "fe80::1 ff02::1 tcp 49152 80"},
};

static const char *point_words(const struct fw_point *point) {
	static struct fw_buf buf;
	const struct fw_addr *values = point->values;
	buf.length = 0;
	fw_addr_format(values[FW_VAR_FAMILY].low, values[FW_VAR_SOURCE], &buf);
	fw_buf_add_char(&buf, ' ');
	fw_addr_format(values[FW_VAR_FAMILY].low, values[FW_VAR_DESTINATION], &buf);
	fw_buf_printf(&buf, " %s %u %u", fw_protocol_name((uint8_t)values[FW_VAR_PROTOCOL].low),
		(unsigned)values[FW_VAR_SOURCE_PORT].low, (unsigned)values[FW_VAR_PORT].low);
	return buf.data;
}

START_TEST(addresses_are_chosen_before_flags) {
	fw_space fresh = model_is(&spaces, FW_VAR_TRACKING, FW_TRACKING_NEW);
	fw_space related = model_is(&spaces, FW_VAR_TRACKING, FW_TRACKING_RELATED);
	fw_space set = OR(AND(fresh, model_in(&spaces, FW_VAR_SOURCE, "192.0.2.1")),
		AND(related, model_in(&spaces, FW_VAR_SOURCE, "10.0.0.1")));
	struct fw_point point =
		fw_space_witness(&spaces, AND(set, fw_space_universe(&spaces, INTERFACES)));
	ck_assert_str_eq(point_words(&point), "10.0.0.1 10.0.0.2 tcp 49152 80");
	ck_assert_uint_eq(point.values[FW_VAR_TRACKING].low, FW_TRACKING_RELATED);
}
END_TEST

START_TEST(witnesses_look_natural) {
	fw_space set = fw_space_universe(&spaces, INTERFACES);
	if (witnesses[_i].source != NULL) {
		set = AND(set, model_in(&spaces, FW_VAR_SOURCE, witnesses[_i].source));
	}
	if (witnesses[_i].destination != NULL) {
		set = AND(set, model_in(&spaces, FW_VAR_DESTINATION, witnesses[_i].destination));
	}
	if (witnesses[_i].protocol != 0) {
		set = AND(set, model_is(&spaces, FW_VAR_PROTOCOL, witnesses[_i].protocol));
	}
	if (witnesses[_i].port >= 0) {
		set = AND(set, model_is(&spaces, FW_VAR_PORT, (uint64_t)witnesses[_i].port));
	}
	struct fw_point point = fw_space_witness(&spaces, set);
	ck_assert(fw_space_contains(&spaces, set, &point));
	ck_assert_str_eq(point_words(&point), witnesses[_i].wanted);
	ck_assert_uint_eq(point.values[FW_VAR_HOOK].low, 1);
	ck_assert_uint_eq(point.values[FW_VAR_IN].low, 1);
	ck_assert_uint_eq(point.values[FW_VAR_OUT].low, 0);
	ck_assert_uint_eq(point.values[FW_VAR_TRACKING].low, FW_TRACKING_NEW);
	ck_assert_uint_eq(point.values[FW_VAR_TRANSLATED].low, 0);
	ck_assert_uint_eq(point.values[FW_VAR_FLAGS].low,
		point.values[FW_VAR_PROTOCOL].low == IPPROTO_TCP ? 2 : 0);
	ck_assert_uint_eq(point.values[FW_VAR_HOP_LIMIT].low,
		point.values[FW_VAR_FAMILY].low == FW_IPV6 ? 64 : 0);
}
END_TEST

/* ---- bounds ---- */

static void expect_exhausted(fw_space set) {
	struct fw_case only = {{0, 0}, {0, 0}, set};
	struct fw_box box = {0};
	struct fw_boxes boxes = {0};
	const fw_space all = FW_SPACE_ALL;
	ck_assert(spaces.exhausted);
	ck_assert_uint_eq(set, FW_SPACE_EXHAUSTED);
	ck_assert_uint_eq(OR(set, all), FW_SPACE_EXHAUSTED);
	ck_assert_uint_eq(AND(all, all), FW_SPACE_EXHAUSTED);
	ck_assert_uint_eq(SUB(set, set), FW_SPACE_EXHAUSTED);
	ck_assert_uint_eq(NOT(set), FW_SPACE_EXHAUSTED);
	ck_assert_uint_eq(fw_space_union_all(&spaces, &all, 1), FW_SPACE_EXHAUSTED);
	ck_assert_uint_eq(model_is(&spaces, FW_VAR_PORT, 1), FW_SPACE_EXHAUSTED);
	ck_assert_uint_eq(fw_space_masked(&spaces, FW_VAR_PORT, 1, 1), FW_SPACE_EXHAUSTED);
	ck_assert_uint_eq(fw_space_cases(&spaces, FW_VAR_HOOK, &only, 1), FW_SPACE_EXHAUSTED);
	ck_assert_uint_eq(fw_space_universe(&spaces, INTERFACES), FW_SPACE_EXHAUSTED);
	ck_assert_uint_eq(fw_space_exists(&spaces, set, FW_VAR_PORT), FW_SPACE_EXHAUSTED);
	ck_assert_uint_eq(
		fw_space_restrict(&spaces, set, FW_VAR_PORT, fw_value(1)), FW_SPACE_EXHAUSTED);
	ck_assert_uint_eq(fw_space_simplify(&spaces, set, all), FW_SPACE_EXHAUSTED);
	ck_assert_uint_eq(fw_box_space(&spaces, &box), FW_SPACE_EXHAUSTED);
	ck_assert(!fw_space_is_subset(&spaces, set, set));
	ck_assert(!fw_space_boxes(&spaces, set, all, 1, &boxes));
	ck_assert_uint_eq(boxes.count, 0);
	fw_spaces_release(&spaces, fw_spaces_mark(&spaces), &set, 1);
	ck_assert_uint_eq(set, FW_SPACE_EXHAUSTED);
}

/* Each limit in turn is met somewhere in the middle of it, wherever that is. */
static fw_space much_work(void) {
	fw_space set = FW_SPACE_EMPTY;
	for (unsigned i = 0; i < 200; i++) {
		fw_space addresses = model_from_to(&spaces, FW_VAR_DESTINATION, 0, 3 * i + 5);
		set = OR(set, AND(addresses, model_is(&spaces, FW_VAR_PORT, 2 * i + 1)));
		set = NOT(NOT(set));
		set = fw_space_exists(&spaces, set, FW_VAR_TRACKING);
	}
	return set;
}

START_TEST(memory_is_bounded) {
	/* From less than an empty manager has, to a bit less than all of it takes. */
	struct fw_space_limits limits = {.bytes = (size_t)1 << (10 + _i)};
	fw_spaces_fini(&spaces);
	fw_spaces_init(&spaces, &limits);
	size_t least = spaces.bytes;
	fw_space set = much_work();
	ck_assert_uint_le(spaces.bytes, least > limits.bytes ? least : limits.bytes);
	expect_exhausted(set);
}
END_TEST

START_TEST(work_is_bounded) {
	struct fw_space_limits limits = {.steps = (uint64_t)1 << _i};
	fw_spaces_fini(&spaces);
	fw_spaces_init(&spaces, &limits);
	fw_space set = much_work();
	ck_assert_uint_eq(spaces.steps, limits.steps);
	expect_exhausted(set);
}
END_TEST

/* A list that cannot be finished is none. */
START_TEST(listing_is_bounded) {
	fw_space set = much_work();
	ck_assert(!spaces.exhausted);
	struct fw_boxes boxes = {0};
	spaces.limits.steps = spaces.steps + 1000;
	ck_assert(!fw_space_boxes(&spaces, set, FW_SPACE_ALL, 1000, &boxes));
	expect_exhausted(FW_SPACE_EXHAUSTED);
}
END_TEST

START_TEST(what_is_kept_stays) {
	unsigned long seed = model_seed(_i);
	struct model_formula formulas[4];
	fw_space sets[4];
	for (size_t i = 0; i < 2; i++) {
		sets[i] = model_formula(&spaces, &formulas[i]);
	}
	uint32_t mark = fw_spaces_mark(&spaces);
	struct fw_space_size before = fw_space_measure(&spaces, sets[1]);
	for (size_t i = 2; i < 4; i++) {
		sets[i] = model_formula(&spaces, &formulas[i]);
	}
	size_t nodes =
		fw_space_measure(&spaces, sets[2]).nodes + fw_space_measure(&spaces, sets[3]).nodes;
	fw_spaces_release(&spaces, mark, &sets[2], 2);
	ck_assert_uint_le(fw_spaces_mark(&spaces), mark + nodes);
	ck_assert_uint_eq(fw_space_measure(&spaces, sets[1]).edges, before.edges);
	for (size_t i = 0; i < 4; i++) {
		/* The same formula once more is the same node, moved or not. */
		const struct model_part *parts = formulas[i].parts;
		for (size_t j = 0; j < formulas[i].count; j++) {
			struct model_part *part = &formulas[i].parts[j];
			part->set = part->kind == 'b' ? model_box_space(&spaces, &part->box)
						      : model_join(&spaces, parts, part);
		}
		ck_assert_msg(
			parts[formulas[i].count - 1].set == sets[i], "set %zu, seed %lu", i, seed);
	}
	fw_spaces_release(&spaces, mark, NULL, 0);
	ck_assert_uint_eq(fw_spaces_mark(&spaces), mark);
}
END_TEST

START_TEST(a_zeroed_manager_may_be_finished) {
	struct fw_spaces none = {0};
	fw_spaces_fini(&none);
	fw_spaces_fini(NULL);
	fw_boxes_fini(NULL);
}
END_TEST

int main(void) {
	Suite *suite = suite_create("space");
	TCase *random = tcase_create("random sets");
	tcase_add_checked_fixture(random, set_up, tear_down);
	tcase_set_timeout(random, 60);
	tcase_add_loop_test(random, laws_hold, 0, LOOPS);
	tcase_add_loop_test(random, packets_are_in_as_the_formula_says, 0, LOOPS);
	tcase_add_loop_test(random, packets_are_chosen_as_they_are_listed, 0, LOOPS);
	tcase_add_loop_test(random, variables_are_let_go, 0, LOOPS);
	tcase_add_loop_test(random, equal_sets_are_one_handle, 0, LOOPS);
	tcase_add_loop_test(random, simple_sets_are_the_same_where_it_matters, 0, LOOPS);
	tcase_add_loop_test(random, what_is_kept_stays, 0, LOOPS);
	suite_add_tcase(suite, random);

	TCase *single = tcase_create("single sets");
	tcase_add_checked_fixture(single, set_up, tear_down);
	tcase_add_test(single, cases_are_a_union);
	tcase_add_loop_test(single, masks_are_exact, 0, FW_LENGTH(masks));
	tcase_add_test(single, a_translation_is_a_composition);
	tcase_add_test(single, descriptions_meet_in_the_universe);
	tcase_add_loop_test(single, witnesses_look_natural, 0, FW_LENGTH(witnesses));
	tcase_add_test(single, addresses_are_chosen_before_flags);
	suite_add_tcase(suite, single);

	TCase *bounds = tcase_create("bounds");
	tcase_add_checked_fixture(bounds, set_up, tear_down);
	tcase_add_loop_test(bounds, memory_is_bounded, 0, 11);
	tcase_add_loop_test(bounds, work_is_bounded, 0, 16);
	tcase_add_test(bounds, listing_is_bounded);
	tcase_add_test(bounds, a_zeroed_manager_may_be_finished);
	suite_add_tcase(suite, bounds);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
