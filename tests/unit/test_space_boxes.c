// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sets as lists of boxes: exact for random sets, and few and plain for those that people write.
 */

#include "space_model.h"

enum { LOOPS = 150, INTERFACES = 3, BOXES_MAX = 1000 };

static struct fw_spaces spaces;
static struct fw_boxes boxes;

static void set_up(void) {
	fw_spaces_init(&spaces, NULL);
	boxes = (struct fw_boxes){0};
}

static void tear_down(void) {
	fw_boxes_fini(&boxes);
	fw_spaces_fini(&spaces);
}

/* ---- random sets ---- */

/* Sorted, and something in between. */
static void expect_tidy(const struct fw_box *box) {
	for (int var = FW_VAR_NONE; var < FW_VAR_COUNT; var++) {
		const struct fw_intervals *values = &box->values[var];
		for (size_t i = 0; i < values->count; i++) {
			struct fw_interval item = values->items[i];
			ck_assert_int_le(fw_addr_compare(item.low, item.high), 0);
			ck_assert(i == 0 || fw_addr_compare(fw_addr_next(values->items[i - 1].high),
						    item.low) < 0);
		}
	}
}

/* The packets of the list inside `within`, each box of it having been looked at. */
static fw_space sum_of_boxes(fw_space set, fw_space within) {
	fw_space sum = FW_SPACE_EMPTY;
	for (size_t i = 0; i < boxes.count; i++) {
		expect_tidy(&boxes.items[i]);
		fw_space box =
			fw_space_intersect(&spaces, fw_box_space(&spaces, &boxes.items[i]), within);
		ck_assert_uint_ne(box, FW_SPACE_EMPTY);
		ck_assert(fw_space_is_subset(&spaces, box, set));
		sum = fw_space_union(&spaces, sum, box);
	}
	return sum;
}

static fw_space some_frame(int loop) {
	struct model_formula formula;
	switch (loop % 3) {
	case 0:
		return FW_SPACE_ALL;
	case 1:
		return fw_space_universe(&spaces, INTERFACES);
	default:
		return model_formula(&spaces, &formula);
	}
}

START_TEST(boxes_are_the_set) {
	unsigned long seed = model_seed(_i);
	struct model_formula formula;
	fw_space set = model_formula(&spaces, &formula);
	fw_space within = some_frame(_i);
	uint32_t mark = fw_spaces_mark(&spaces);
	ck_assert(fw_space_boxes(&spaces, set, within, BOXES_MAX, &boxes));
	ck_assert_uint_eq(fw_spaces_mark(&spaces), mark);
	fw_space wanted = fw_space_intersect(&spaces, set, within);
	ck_assert_uint_eq(boxes.left_out, 0);
	ck_assert_msg(sum_of_boxes(set, within) == wanted, "seed %lu", seed);
}
END_TEST

START_TEST(a_short_list_lies_inside) {
	unsigned long seed = model_seed(_i);
	struct model_formula formula;
	fw_space set = model_formula(&spaces, &formula);
	fw_space within = some_frame(_i);
	ck_assert(fw_space_boxes(&spaces, set, within, 2, &boxes));
	ck_assert_uint_le(boxes.count, 2);
	fw_space wanted = fw_space_intersect(&spaces, set, within);
	ck_assert_msg(boxes.left_out > 0 || sum_of_boxes(set, within) == wanted, "seed %lu", seed);
}
END_TEST

/* ---- sets that people write ---- */

enum { RULES_MAX = 6 };

static const struct {
	const char *rules[RULES_MAX]; /* "from X", "to X", "PROTOCOL PORT", "hook N"; "-" removes */
	const char *wanted;
} written[] = {
	{{""}, "any"},
	{{"tcp 80"}, "protocol 6 port 80"},
	{{"tcp 0-65535"}, "protocol 6"},
	{{"icmp 0-255"}, "protocol 1"},
	{{"tcp 53", "udp 53"}, "protocol 6,17 port 53"},
	{{"hook 1 tcp 80", "hook 3 tcp 80"}, "hook 1,3 protocol 6 port 80"},
	{{"from 10.0.0.0/8 tcp 80"}, "family 1 protocol 6 source 10.0.0.0/8 port 80"},
	{{"from 0.0.0.0/0 tcp 80", "from ::/0 tcp 80"}, "protocol 6 port 80"},
	{{"from 0.0.0.0/0 tcp 80"}, "family 1 protocol 6 port 80"},
	/* Halves come together, and what was cut out of the middle does. */
	{{"from 10.0.0.0/9 tcp 80", "from 10.128.0.0/9 tcp 80"},
		"family 1 protocol 6 source 10.0.0.0/8 port 80"},
	{{"from 10.0.0.0/8 tcp 80", "from 10.1.0.0/16 tcp 443"},
		"family 1 protocol 6 source 10.0.0.0/8 port 80; "
		"family 1 protocol 6 source 10.1.0.0/16 port 443"},
	{{"tcp 80", "from 10.0.0.0/8 tcp 22"},
		"protocol 6 port 80; family 1 protocol 6 source 10.0.0.0/8 port 22"},
	{{"from 10.0.0.0/8 tcp 1-100", "from 10.1.0.0/16 tcp 50"},
		"family 1 protocol 6 source 10.0.0.0/8 port 1-100"},
	{{"from 10.0.0.0/8", "- from 10.1.0.0/16"},
		"family 1 source 10.0.0.0/16,10.2.0.0-10.255.255.255"},
	{{"from 10.0.0.0/8 to 10.9.0.1 tcp 80", "from 10.0.0.0/8 to 10.9.0.2 tcp 80",
		 "from 10.0.0.0/8 to 10.9.0.9 tcp 80"},
		"family 1 protocol 6 source 10.0.0.0/8 destination 10.9.0.1-10.9.0.2,10.9.0.9 "
		"port 80"},
	{{"from 10.1.0.0/16 tcp 22", "from 10.2.0.0/16 tcp 80", "from 10.0.0.0/8 udp 53"},
		"family 1 protocol 6 source 10.1.0.0/16 port 22; "
		"family 1 protocol 6 source 10.2.0.0/16 port 80; "
		"family 1 protocol 17 source 10.0.0.0/8 port 53"},
	/* Both ends share one part, which is not told twice. */
	{{"from 10.1.0.0/16 tcp 22", "from 10.2.0.0/16 tcp 22", "from 10.2.0.0/16 tcp 80",
		 "from 10.3.0.0/16 tcp 80"},
		"family 1 protocol 6 source 10.1.0.0-10.2.255.255 port 22; "
		"family 1 protocol 6 source 10.2.0.0/15 port 80"},
};

static fw_space ports_of(struct fw_slice protocol, struct fw_slice ports) {
	uint8_t number;
	uint64_t low, high;
	ck_assert_int_eq(fw_protocol_parse(protocol, &number), FW_NET_NONE);
	struct fw_slice last = ports;
	struct fw_slice first = fw_slice_cut(&last, '-');
	ck_assert(fw_slice_to_uint(first, UINT16_MAX, &low));
	ck_assert(fw_slice_to_uint(last.data != NULL ? last : first, UINT16_MAX, &high));
	return fw_space_intersect(&spaces, model_is(&spaces, FW_VAR_PROTOCOL, number),
		model_from_to(&spaces, FW_VAR_PORT, low, high));
}

/* A pair of words. */
static fw_space set_of_words(struct fw_slice key, struct fw_slice value) {
	char text[64];
	ck_assert_uint_lt(value.length, sizeof(text));
	memcpy(text, value.data, value.length);
	text[value.length] = '\0';
	if (fw_slice_is(key, "from")) {
		return model_in(&spaces, FW_VAR_SOURCE, text);
	}
	if (fw_slice_is(key, "to")) {
		return model_in(&spaces, FW_VAR_DESTINATION, text);
	}
	if (fw_slice_is(key, "hook")) {
		return model_is(&spaces, FW_VAR_HOOK, strtoull(text, NULL, 10));
	}
	return ports_of(key, value);
}

static fw_space set_of_rule(const char *rule) {
	fw_space set = FW_SPACE_ALL;
	struct fw_slice rest = fw_slice(rule);
	while (rest.length != 0) {
		struct fw_slice key = fw_slice_cut(&rest, ' ');
		if (!fw_slice_is(key, "-")) {
			fw_space part = set_of_words(key, fw_slice_cut(&rest, ' '));
			set = fw_space_intersect(&spaces, set, part);
		}
	}
	return set;
}

static const char *const var_names[FW_VAR_COUNT] = {
	[FW_VAR_HOOK] = "hook",
	[FW_VAR_IN] = "in",
	[FW_VAR_OUT] = "out",
	[FW_VAR_FAMILY] = "family",
	[FW_VAR_PROTOCOL] = "protocol",
	[FW_VAR_SOURCE] = "source",
	[FW_VAR_DESTINATION] = "destination",
	[FW_VAR_SOURCE_PORT] = "source-port",
	[FW_VAR_PORT] = "port",
	[FW_VAR_FLAGS] = "flags",
	[FW_VAR_HOP_LIMIT] = "hop-limit",
	[FW_VAR_TRACKING] = "tracking",
	[FW_VAR_TRANSLATED] = "translated",
};

static void add_interval(struct fw_buf *out, int var, struct fw_interval values) {
	if (var == FW_VAR_SOURCE || var == FW_VAR_DESTINATION) {
		bool v4 = values.high.high == 0 && values.high.low <= UINT32_MAX;
		struct fw_range range = {values.low, values.high, v4 ? FW_IPV4 : FW_IPV6};
		fw_range_format(&range, out);
		return;
	}
	fw_ports_format(
		(struct fw_ports){(uint16_t)values.low.low, (uint16_t)values.high.low}, out);
}

static void add_box(struct fw_buf *out, const struct fw_box *box) {
	size_t start = out->length;
	for (int var = FW_VAR_NONE + 1; var < FW_VAR_COUNT; var++) {
		const struct fw_intervals *values = &box->values[var];
		for (size_t i = 0; i < values->count; i++) {
			if (i == 0) {
				fw_buf_printf(out, "%s%s ", out->length > start ? " " : "",
					var_names[var]);
			}
			fw_buf_add_text(out, i > 0 ? "," : "");
			add_interval(out, var, values->items[i]);
		}
	}
	fw_buf_add_text(out, out->length == start ? "any" : "");
}

START_TEST(lists_are_plain) {
	struct fw_buf text = {0};
	fw_space universe = fw_space_universe(&spaces, INTERFACES);
	fw_space set = FW_SPACE_EMPTY;
	for (size_t i = 0; i < RULES_MAX && written[_i].rules[i] != NULL; i++) {
		const char *rule = written[_i].rules[i];
		fw_space part = set_of_rule(rule);
		set = rule[0] == '-' ? fw_space_subtract(&spaces, set, part)
				     : fw_space_union(&spaces, set, part);
	}
	ck_assert(fw_space_boxes(&spaces, set, universe, BOXES_MAX, &boxes));
	for (size_t i = 0; i < boxes.count; i++) {
		fw_buf_add_text(&text, i > 0 ? "; " : "");
		add_box(&text, &boxes.items[i]);
	}
	ck_assert_str_eq(text.data, written[_i].wanted);
	fw_buf_fini(&text);
}
END_TEST

/* Whatever the diagrams look at first. */
START_TEST(ports_are_listed_before_states) {
	struct fw_buf text = {0};
	fw_space universe = fw_space_universe(&spaces, INTERFACES);
	fw_space fresh = model_is(&spaces, FW_VAR_TRACKING, FW_TRACKING_NEW);
	fw_space related = model_is(&spaces, FW_VAR_TRACKING, FW_TRACKING_RELATED);
	fw_space set = fw_space_union(&spaces,
		fw_space_intersect(&spaces, fresh, model_is(&spaces, FW_VAR_PORT, 80)),
		fw_space_intersect(&spaces, related, model_is(&spaces, FW_VAR_PORT, 22)));
	ck_assert(fw_space_boxes(&spaces, set, universe, BOXES_MAX, &boxes));
	for (size_t i = 0; i < boxes.count; i++) {
		fw_buf_add_text(&text, i > 0 ? "; " : "");
		add_box(&text, &boxes.items[i]);
	}
	ck_assert_str_eq(text.data, "tracking 3 port 22; tracking 1 port 80");
	fw_buf_fini(&text);
}
END_TEST

/* ---- ends of lists ---- */

START_TEST(nothing_is_no_box) {
	ck_assert(fw_space_boxes(&spaces, FW_SPACE_EMPTY, FW_SPACE_ALL, 1, &boxes));
	ck_assert_uint_eq(boxes.count, 0);
	fw_space v4 = model_is(&spaces, FW_VAR_FAMILY, FW_IPV4);
	ck_assert(fw_space_boxes(&spaces, v4, fw_space_complement(&spaces, v4), 1, &boxes));
	ck_assert_uint_eq(boxes.count + boxes.left_out, 0);
}
END_TEST

/* One box for each port; the rest is counted. */
START_TEST(what_is_left_out_is_counted) {
	enum { HOSTS = 500 };
	struct fw_case hosts[HOSTS];
	for (size_t i = 0; i < HOSTS; i++) {
		hosts[i] = (struct fw_case){
			fw_value(2 * i), fw_value(2 * i), model_is(&spaces, FW_VAR_PORT, i % 100)};
	}
	fw_space set = fw_space_cases(&spaces, FW_VAR_DESTINATION, hosts, HOSTS);
	ck_assert(fw_space_boxes(&spaces, set, FW_SPACE_ALL, 30, &boxes));
	ck_assert_uint_eq(boxes.count, 30);
	ck_assert_uint_eq(boxes.left_out, 70);
	ck_assert_uint_eq(boxes.items[0].values[FW_VAR_DESTINATION].count, 5);
	ck_assert_uint_eq(boxes.items[29].values[FW_VAR_PORT].items[0].low.low, 29);
	sum_of_boxes(set, FW_SPACE_ALL);
}
END_TEST

/* A node of very many edges that many ways lead to. */
START_TEST(intervals_of_a_list_are_bounded) {
	enum { HOSTS = 20000, WAYS = 2 * (FW_BOXES_INTERVALS_MAX / HOSTS) };
	static struct fw_case hosts[HOSTS], ways[WAYS];
	for (size_t i = 0; i < HOSTS; i++) {
		hosts[i] = (struct fw_case){fw_value(2 * i), fw_value(2 * i), FW_SPACE_ALL};
	}
	fw_space any = fw_space_cases(&spaces, FW_VAR_DESTINATION, hosts, HOSTS);
	for (size_t i = 0; i < WAYS; i++) {
		/* Each way has one host more of its own, so no two are one box. */
		fw_space own = model_is(&spaces, FW_VAR_DESTINATION, 2 * i + 1);
		ways[i] = (struct fw_case){
			fw_value(i), fw_value(i), fw_space_union(&spaces, any, own)};
	}
	fw_space set = fw_space_cases(&spaces, FW_VAR_SOURCE, ways, WAYS);
	ck_assert(fw_space_boxes(&spaces, set, FW_SPACE_ALL, WAYS, &boxes));
	ck_assert_uint_gt(boxes.count, 0);
	ck_assert_uint_gt(boxes.left_out, 0);
	ck_assert_uint_eq(boxes.count + boxes.left_out, WAYS);
}
END_TEST

int main(void) {
	Suite *suite = suite_create("space boxes");
	TCase *random = tcase_create("random sets");
	tcase_add_checked_fixture(random, set_up, tear_down);
	tcase_set_timeout(random, 60);
	tcase_add_loop_test(random, boxes_are_the_set, 0, LOOPS);
	tcase_add_loop_test(random, a_short_list_lies_inside, 0, LOOPS);
	suite_add_tcase(suite, random);

	TCase *plain = tcase_create("lists");
	tcase_add_checked_fixture(plain, set_up, tear_down);
	tcase_set_timeout(plain, 60);
	tcase_add_loop_test(plain, lists_are_plain, 0, FW_LENGTH(written));
	tcase_add_test(plain, ports_are_listed_before_states);
	tcase_add_test(plain, nothing_is_no_box);
	tcase_add_test(plain, what_is_left_out_is_counted);
	tcase_add_test(plain, intervals_of_a_list_are_bounded);
	suite_add_tcase(suite, plain);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
