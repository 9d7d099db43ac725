// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Chains by hand: how deep they go and what of them is unknown, who decides, and what long lists of
 * rules cost.
 */

#include "readback/program.h"

#include "space_model.h"

enum { INTERFACES = 3 };

static struct fw_spaces spaces;
static struct fw_arena arena;

static void set_up(void) {
	fw_spaces_init(&spaces, NULL);
}

static void tear_down(void) {
	fw_spaces_fini(&spaces);
	fw_arena_fini(&arena);
}

static fw_space universe_of(void) {
	return fw_space_universe(&spaces, INTERFACES);
}

static struct fw_rb_rule plain(fw_space match, enum fw_rb_action action) {
	return (struct fw_rb_rule){.match = match, .action = action, .place = {.text = "rule"}};
}

/* ---- what cannot be said ---- */

/* Chains that call the next one each, the last one the first or none. */
static void run_calls(unsigned length, unsigned depth, bool circle, struct fw_readback *out) {
	struct fw_rb_rule *calls = FW_ARENA_ARRAY(&arena, struct fw_rb_rule, length);
	struct fw_rb_chain *chains = FW_ARENA_ARRAY(&arena, struct fw_rb_chain, length);
	for (size_t i = 0; i < length; i++) {
		calls[i] = plain(FW_SPACE_ALL, FW_RB_JUMP);
		calls[i].chain = (i + 1) % length;
		chains[i] = (struct fw_rb_chain){.rules = &calls[i],
			.rule_count = circle || i + 1 < length,
			.seen = FW_SPACE_ALL};
	}
	chains[0].hook = FW_RB_INPUT;
	const struct fw_rb_program program = {
		.chains = chains, .chain_count = length, .depth = depth};
	*out = (struct fw_readback){0};
	ck_assert(fw_rb_run(&arena, &spaces, universe_of(), &program, out));
}

START_TEST(circles_and_depths_are_unknown) {
	static const struct {
		unsigned length, depth;
		bool circle;
		const char *what;
	} calls[] = {
		{1, 0, true, "in a circle"},
		{9, 500, true, "in a circle"},
		{FW_RB_DEPTH_NF_TABLES, 0, false, NULL},
		{FW_RB_DEPTH_NF_TABLES + 1, 0, false, "too deeply"},
		{FW_RB_DEPTH_NF_TABLES + 1, FW_RB_DEPTH_NF_TABLES + 1, false, NULL},
		{FW_RB_DEPTH_MAX, 2 * FW_RB_DEPTH_MAX, false, NULL},
		{FW_RB_DEPTH_MAX + 1, 2 * FW_RB_DEPTH_MAX, false, "too deeply"},
	};
	for (size_t i = 0; i < FW_LENGTH(calls); i++) {
		struct fw_readback readback;
		run_calls(calls[i].length, calls[i].depth, calls[i].circle, &readback);
		ck_assert_uint_eq(readback.unknown_count, calls[i].what != NULL);
		if (calls[i].what != NULL) {
			ck_assert_ptr_nonnull(strstr(readback.unknowns[0].what, calls[i].what));
			ck_assert_int_eq(readback.unknowns[0].hook, FW_RB_INPUT);
		}
	}
}
END_TEST

/* What rules of a chain decide is foreign as that chain is, whoever calls it. */
START_TEST(foreign_is_the_chain_of_the_rule) {
	fw_space ssh = model_port(&spaces, IPPROTO_TCP, 22);
	struct fw_rb_rule call = plain(FW_SPACE_ALL, FW_RB_JUMP);
	const struct fw_rb_rule open[] = {plain(ssh, FW_RB_ACCEPT)};
	const struct fw_rb_chain chains[] = {
		{.rules = &call,
			.rule_count = 1,
			.hook = FW_RB_INPUT,
			.seen = FW_SPACE_ALL,
			.foreign = true,
			.drops = true},
		{.rules = open, .rule_count = 1},
	};
	struct fw_readback readback = {0};
	call.chain = 1;
	ck_assert(fw_rb_run(&arena, &spaces, universe_of(),
		&(struct fw_rb_program){.chains = chains, .chain_count = 2}, &readback));
	ck_assert_uint_eq(readback.decision_count, 2);
	ck_assert(readback.decisions[0].accepts && !readback.decisions[0].foreign);
	ck_assert(!readback.decisions[1].accepts && readback.decisions[1].foreign);
}
END_TEST

/* What may go round a hook's chains has to get through them anyway. */
START_TEST(bypasses_are_unknown_where_they_matter) {
	fw_space ssh = model_port(&spaces, IPPROTO_TCP, 22);
	const struct fw_rb_rule open[] = {plain(ssh, FW_RB_ACCEPT)};
	const struct fw_rb_chain chain = {.rules = open,
		.rule_count = 1,
		.hook = FW_RB_FORWARD,
		.seen = FW_SPACE_ALL,
		.drops = true};
	const struct fw_rb_bypass bypasses[] = {
		{FW_RB_FORWARD, ssh, "harmless", {.text = "one"}},
		{FW_RB_FORWARD, model_port(&spaces, IPPROTO_TCP, 23), "more", {.text = "two"}},
	};
	struct fw_readback readback = {0};
	ck_assert(fw_rb_run(&arena, &spaces, universe_of(),
		&(struct fw_rb_program){&chain, 1, 0, bypasses, FW_LENGTH(bypasses)}, &readback));
	ck_assert_uint_eq(readback.unknown_count, 1);
	ck_assert_str_eq(readback.unknowns[0].what, "more");
	ck_assert_int_eq(readback.unknowns[0].hook, FW_RB_FORWARD);
}
END_TEST

/* Unknown is only what packets get to, and each once. */
START_TEST(unknown_rules_matter_where_packets_come_by) {
	struct fw_rb_rule rules[] = {plain(model_port(&spaces, IPPROTO_TCP, 22), FW_RB_DROP),
		plain(model_port(&spaces, IPPROTO_TCP, 22), FW_RB_ACCEPT),
		plain(FW_SPACE_ALL, FW_RB_ACCEPT)};
	rules[1].unknown = "the match 'string'";
	struct fw_rb_chain chain = {.rules = rules,
		.rule_count = FW_LENGTH(rules),
		.hook = FW_RB_INPUT,
		.seen = FW_SPACE_ALL};
	const struct fw_rb_program program = {.chains = &chain, .chain_count = 1};
	const struct fw_rb_unknown before = {.what = "something else"};
	struct fw_readback readback = {.unknowns = &before, .unknown_count = 1};
	ck_assert(fw_rb_run(&arena, &spaces, universe_of(), &program, &readback));
	ck_assert_uint_eq(readback.unknown_count, 1);
	rules[0].action = FW_RB_CONTINUE;
	ck_assert(fw_rb_run(&arena, &spaces, universe_of(), &program, &readback));
	ck_assert_uint_eq(readback.unknown_count, 2);
	ck_assert_str_eq(readback.unknowns[1].what, "the match 'string'");
}
END_TEST

/* ---- size ---- */

/* Long lists of rules, as iptables has them, take no more than their number. */
START_TEST(long_lists_are_linear) {
	enum { COUNT = 50000 };
	struct fw_rb_rule *rules = FW_ARENA_ARRAY(&arena, struct fw_rb_rule, COUNT);
	fw_space tcp = model_is(&spaces, FW_VAR_PROTOCOL, IPPROTO_TCP);
	fw_space universe = universe_of();
	uint32_t mark = fw_spaces_mark(&spaces);
	for (size_t i = 0; i < COUNT; i++) {
		rules[i] = plain(
			fw_space_intersect(&spaces, tcp, model_is(&spaces, FW_VAR_SOURCE, 2 * i)),
			_i == 0 ? FW_RB_ACCEPT : FW_RB_REWRITE);
		rules[i].rewrite.address = fw_value(i);
	}
	struct fw_rb_chain chain = {.rules = rules,
		.rule_count = COUNT,
		.hook = _i == 0 ? FW_RB_INPUT : FW_RB_NONE,
		.nat = _i == 1,
		.drops = _i == 0,
		.seen = FW_SPACE_ALL};
	const struct fw_rb_program program = {.chains = &chain, .chain_count = 1};
	struct fw_readback readback = {0};
	ck_assert(fw_rb_run(&arena, &spaces, universe, &program, &readback));
	ck_assert_uint_eq(readback.unknown_count, 0);
	ck_assert_uint_lt(spaces.steps, (uint64_t)COUNT * 1000);
	size_t nodes = spaces.node_count;
	fw_rb_release(&arena, &spaces, mark, &readback);
	ck_assert_uint_lt(spaces.node_count, nodes);
	struct fw_point point = {0};
	point.values[FW_VAR_HOOK] = fw_value(FW_RB_INPUT);
	point.values[FW_VAR_IN] = fw_value(2); /* lo is not translated here */
	point.values[FW_VAR_FAMILY] = fw_value(FW_IPV4);
	point.values[FW_VAR_PROTOCOL] = fw_value(IPPROTO_TCP);
	point.values[FW_VAR_SOURCE] = fw_value(2 * (COUNT - 1));
	point.values[FW_VAR_DESTINATION] = fw_value(0);
	point.values[FW_VAR_HOP_LIMIT] = fw_value(0);
	point.values[FW_VAR_TRACKING] = fw_value(FW_TRACKING_NEW);
	point.values[FW_VAR_TRANSLATED] = fw_value(0);
	if (_i == 0) {
		ck_assert(fw_space_contains(&spaces, readback.must[FW_RB_INPUT], &point));
	} else {
		ck_assert_uint_eq(readback.rewrite_count, 2 * COUNT);
		const struct fw_rb_rewrite *last = &readback.rewrites[2 * COUNT - 2];
		ck_assert(fw_space_contains(&spaces, last->set, &point));
	}
}
END_TEST

/* Nor do verdict maps or mixed lists, where many others went before. */
START_TEST(wide_streams_are_parted_at_once) {
	enum { COUNT = 20000 };
	struct fw_rb_rule *rules = FW_ARENA_ARRAY(&arena, struct fw_rb_rule, 2 * COUNT);
	struct fw_rb_case *cases = FW_ARENA_ARRAY(&arena, struct fw_rb_case, COUNT);
	struct fw_rb_chain chains[] = {{.rules = rules,
					       .rule_count = COUNT + 1,
					       .hook = FW_RB_INPUT,
					       .seen = FW_SPACE_ALL},
		{.seen = FW_SPACE_ALL}};
	struct fw_readback readback = {0};
	for (size_t i = 0; i < COUNT; i++) {
		rules[i] = plain(model_is(&spaces, FW_VAR_SOURCE, 4 * i),
			i % 2 == 0 ? FW_RB_ACCEPT : FW_RB_DROP);
		cases[i] = (struct fw_rb_case){model_is(&spaces, FW_VAR_SOURCE, 4 * i + 2),
			i % 3 == 0 ? FW_RB_JUMP : FW_RB_DROP, 1};
		rules[COUNT + i] = plain(cases[i].set, FW_RB_JUMP);
		rules[COUNT + i].chain = 1;
	}
	if (_i == 0) {
		rules[COUNT] = plain(FW_SPACE_ALL, FW_RB_CASES);
		rules[COUNT].cases = cases;
		rules[COUNT].case_count = COUNT;
	} else {
		chains[0].rule_count = 2 * COUNT;
	}
	ck_assert(fw_rb_run(&arena, &spaces, universe_of(),
		&(struct fw_rb_program){.chains = chains, .chain_count = 2}, &readback));
	ck_assert_uint_eq(readback.unknown_count, 0);
	ck_assert_uint_lt(spaces.steps, (uint64_t)COUNT * 4000);
}
END_TEST

/* What is not to be compared stays so. */
START_TEST(outside_is_kept) {
	fw_space ssh = model_port(&spaces, IPPROTO_TCP, 22);
	uint32_t mark = fw_spaces_mark(&spaces);
	fw_space web = model_port(&spaces, IPPROTO_TCP, 80);
	struct fw_readback first = {.outside = ssh}, second = {.outside = web}, both;
	ck_assert(fw_readback_compose(&arena, &spaces, &first, &second, &both));
	ck_assert_uint_eq(both.outside, fw_space_union(&spaces, ssh, web));
	fw_rb_release(&arena, &spaces, mark, &both);
	ck_assert_uint_eq(
		both.outside, fw_space_union(&spaces, ssh, model_port(&spaces, IPPROTO_TCP, 80)));
}
END_TEST

int main(void) {
	Suite *suite = suite_create("readback-chains");
	TCase *one = tcase_create("chains");
	tcase_add_checked_fixture(one, set_up, tear_down);
	tcase_set_timeout(one, 60);
	tcase_add_test(one, circles_and_depths_are_unknown);
	tcase_add_test(one, foreign_is_the_chain_of_the_rule);
	tcase_add_test(one, bypasses_are_unknown_where_they_matter);
	tcase_add_test(one, unknown_rules_matter_where_packets_come_by);
	tcase_add_loop_test(one, long_lists_are_linear, 0, 2);
	tcase_add_loop_test(one, wide_streams_are_parted_at_once, 0, 2);
	tcase_add_test(one, outside_is_kept);
	suite_add_tcase(suite, one);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
