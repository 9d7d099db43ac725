// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Random policies against what they promise, changed in one thing: that is noticed, by a packet
 * that it is about, and nothing else is. What scopes tolerate, one by one, and that they tolerate
 * nothing else. FLOWFW_SEED gives other policies than those of every run.
 */

#include "proof_world.h"

enum { CASES = 200 };

static fw_space only(const struct fw_point *point) {
	fw_space set = FW_SPACE_ALL;

	for (int var = FW_VAR_HOOK; var < FW_VAR_COUNT; var++) {
		set = both(set, fw_space_interval(&world.spaces, (enum fw_var)var,
					point->values[var], point->values[var]));
	}
	return set;
}

static struct fw_rb_rated *own_rated(struct fw_readback *readback) {
	size_t count = readback->rated_count;
	struct fw_rb_rated *rated = FW_ARENA_ARRAY(&world.arena, struct fw_rb_rated, count + 1);

	if (count != 0) {
		memcpy(rated, readback->rated, count * sizeof(*rated));
	}
	readback->rated = rated;
	return rated;
}

/* All packets of all differences. */
static fw_space different(const struct fw_difference *items, size_t count) {
	fw_space all = FW_SPACE_EMPTY;

	for (size_t i = 0; i < count; i++) {
		ck_assert_uint_ne(items[i].set, FW_SPACE_EMPTY);
		ck_assert_uint_eq(both(all, items[i].set), FW_SPACE_EMPTY);
		all = either(all, items[i].set);
	}
	return all;
}

/* ---- random policies ---- */

static void draw(void) {
	struct m_case c;

	m_draw(&c);
	for (size_t i = 0; i < c.service_count; i++) {
		bool limited = model_random(2) == 0;
		c.services[i].limited = limited ? (unsigned)model_random(FW_LENGTH(m_rates)) : 0;
	}
	world.sides[BEFORE] = promise(m_policy(&world.arena, &c));
	for (size_t i = c.service_count; i > 1; i--) {
		size_t other = model_random(i);
		struct m_service swapped = c.services[i - 1];
		c.services[i - 1] = c.services[other];
		c.services[other] = swapped;
	}
	world.sides[AFTER] = promise(m_policy(&world.arena, &c));
}

START_TEST(a_promise_keeps_itself) {
	model_seed(_i);
	draw();
	const struct fw_proof *proof = compared();
	ck_assert(proof->equal);
	ck_assert_uint_eq(proof->difference_count, 0);
	ck_assert_uint_eq(proof->stricter_count, 0);
}
END_TEST

/* A packet of a set, but for invalid ones and the like not always the same. */
static struct fw_point some_point(fw_space set) {
	for (int i = 0; i < 8; i++) {
		enum fw_var var = (enum fw_var)(FW_VAR_HOOK + model_random(FW_VAR_COUNT - 1));
		struct fw_addr value = fw_space_witness(&world.spaces, set).values[var];
		fw_space rest =
			without(set, fw_space_interval(&world.spaces, var, fw_value(0), value));
		set = rest != FW_SPACE_EMPTY ? rest : set;
	}
	return fw_space_witness(&world.spaces, set);
}

/* Takes a packet from what is accepted, or adds it. */
static enum fw_change change_packet(struct fw_readback *readback, const struct fw_point *point) {
	enum fw_hook hook = (enum fw_hook)point->values[FW_VAR_HOOK].low;
	bool passes = fw_space_contains(&world.spaces, readback->may[hook], point);
	struct fw_rb_rated *rated = own_rated(readback);
	fw_space one = only(point);

	for (size_t i = 0; i < readback->rated_count; i++) {
		rated[i].set = without(rated[i].set, one);
	}
	readback->must[hook] = (passes ? without : either)(readback->must[hook], one);
	readback->may[hook] = (passes ? without : either)(readback->may[hook], one);
	return passes ? FW_NEWLY_DENIED : FW_NEWLY_ALLOWED;
}

START_TEST(one_packet_more_or_less_is_noticed) {
	model_seed(_i);
	draw();
	enum fw_hook hook = (enum fw_hook)(FW_INPUT + model_random(3));
	fw_space from = model_random(2) == 0 ? world.sides[AFTER].may[hook] : of_hook(hook);
	const struct fw_point point = some_point(from != FW_SPACE_EMPTY ? from : of_hook(hook));
	enum fw_change change = change_packet(&world.sides[AFTER], &point);
	const struct fw_proof *proof = compared();

	ck_assert(!proof->equal);
	ck_assert_uint_eq(proof->difference_count, 1);
	ck_assert_int_eq(proof->differences[0].change, change);
	ck_assert_int_eq(proof->differences[0].hook, hook);
	ck_assert_uint_eq(proof->differences[0].set, only(&point));
}
END_TEST

START_TEST(a_flipped_answer_is_noticed) {
	model_seed(_i);
	draw();
	struct fw_readback *after = &world.sides[AFTER];
	enum fw_hook hook = (enum fw_hook)(FW_INPUT + model_random(3));
	fw_space denied = without(of_hook(hook), after->may[hook]);
	if (denied == FW_SPACE_EMPTY) {
		return;
	}
	const struct fw_point point = some_point(denied);
	bool answered = fw_space_contains(&world.spaces, after->rejected[hook], &point);
	after->rejected[hook] = (answered ? without : either)(after->rejected[hook], only(&point));
	const struct fw_proof *proof = compared();

	ck_assert(!proof->equal);
	ck_assert_uint_eq(proof->difference_count, 0);
	ck_assert_uint_eq(proof->answer_count, 1);
	ck_assert_int_eq(proof->answers[0].answered, !answered);
	ck_assert_uint_eq(proof->answers[0].set, only(&point));
}
END_TEST

static fw_space limited_space(const struct fw_readback *readback, enum fw_rb_hook hook) {
	return without(readback->may[hook], readback->must[hook]);
}

/* The rate, the burst, or which bucket it is of some packet. */
static void change_rate(struct fw_rb_rated *rated) {
	switch (model_random(3)) {
	case 0:
		rated->rate.count++;
		break;
	case 1:
		rated->rate.burst++;
		break;
	default:
		rated->rate.per_source = !rated->rate.per_source;
		break;
	}
}

START_TEST(a_changed_rate_is_noticed) {
	model_seed(_i);
	draw();
	struct fw_readback *after = &world.sides[AFTER];
	struct fw_rb_rated *rated = own_rated(after);
	for (size_t i = 0; i < after->rated_count; i++) {
		fw_space set = both(rated[i].set, limited_space(after, rated[i].hook));
		if (set == FW_SPACE_EMPTY) {
			continue;
		}
		change_rate(&rated[i]);
		const struct fw_proof *proof = compared();
		ck_assert(!proof->equal);
		for (size_t j = 0; j < proof->difference_count; j++) {
			ck_assert_int_eq(proof->differences[j].change, FW_RATE_CHANGED);
		}
		ck_assert_uint_eq(different(proof->differences, proof->difference_count), set);
		return;
	}
}
END_TEST

/* ---- scopes ---- */

static void take(const char *before, const char *after) {
	const struct fw_policy old = limited("22/tcp", before);

	world.sides[BEFORE] = promise(&old);
	const struct fw_policy new = limited("22/tcp", after);
	world.sides[AFTER] = promise(&new);
}

START_TEST(only_one_family_is_compared) {
	const struct fw_policy policy = limited("22/tcp", NULL);
	enum fw_family changed = _i < 2 ? FW_IPV4 : FW_IPV6;

	world.sides[BEFORE] = world.sides[AFTER] = promise(&policy);
	fw_space set = both(of_hook(FW_INPUT), both(port(23), is(FW_VAR_FAMILY, changed)));
	world.sides[AFTER].must[FW_INPUT] = either(world.sides[AFTER].must[FW_INPUT], set);
	world.sides[AFTER].may[FW_INPUT] = either(world.sides[AFTER].may[FW_INPUT], set);
	world.scope.family = _i % 2 == 0 ? FW_IPV4 : FW_IPV6;
	ck_assert_int_eq(compared()->equal, changed != world.scope.family);
}
END_TEST

/* What is outside of either side is not compared, what is beside it is. */
START_TEST(what_is_outside_is_not_compared) {
	const struct fw_policy policy = limited("22/tcp", NULL);
	struct fw_readback *after = &world.sides[AFTER];

	world.sides[BEFORE] = world.sides[AFTER] = promise(&policy);
	after->may[FW_INPUT] = without(after->may[FW_INPUT], port(22));
	after->must[FW_INPUT] = after->may[FW_INPUT];
	fw_space denied = without(world.sides[BEFORE].may[FW_INPUT], after->may[FW_INPUT]);
	world.sides[_i].outside = port(22);
	ck_assert(compared()->equal);
	world.sides[_i].outside = both(port(22), is(FW_VAR_FAMILY, FW_IPV4));
	ck_assert(!compared()->equal);
	ck_assert_uint_eq(world.proof.differences[0].set, both(denied, is(FW_VAR_FAMILY, FW_IPV6)));
}
END_TEST

static struct fw_rb_decision decision(bool accepts, bool is_limited, bool foreign) {
	return (struct fw_rb_decision){.hook = FW_RB_OUTPUT,
		.accepts = accepts,
		.limited = is_limited,
		.foreign = foreign,
		.set = both(of_hook(FW_OUTPUT), port(80))};
}

static const struct {
	bool own_only, accepts, limited, foreign;
	enum fw_change change;
} apart[] = {
	{false, false, false, false, FW_CHANGE_NONE},
	{true, false, false, true, FW_CHANGE_NONE},
	{true, true, false, false, FW_CHANGE_NONE},
	{true, false, false, false, FW_NEWLY_DENIED},
	{true, true, true, false, FW_RATE_CHANGED},
};

/* A hook that is apart, in which something drops or limits port 80. */
START_TEST(hooks_that_are_apart_are_not_compared) {
	struct fw_policy policy = limited("22/tcp", NULL);
	struct fw_readback *after = &world.sides[AFTER];

	policy.hooks[FW_OUTPUT].verdict = FW_UNTOUCHED;
	world.sides[BEFORE] = world.sides[AFTER] = promise(&policy);
	const struct fw_rb_decision one =
		decision(apart[_i].accepts, apart[_i].limited, apart[_i].foreign);
	const struct fw_rb_rated rated = {
		.hook = FW_RB_OUTPUT, .set = one.set, .rate = {1, FW_SECOND, 5, false}};
	after->decisions = &one;
	after->decision_count = 1;
	after->must[FW_OUTPUT] = without(after->must[FW_OUTPUT], one.set);
	if (one.limited) {
		after->rated = &rated;
		after->rated_count = 1;
	} else {
		after->may[FW_OUTPUT] = after->must[FW_OUTPUT];
	}
	ck_assert(!compared()->equal);
	world.scope.apart[FW_OUTPUT] = true;
	world.scope.own_only = apart[_i].own_only;
	ck_assert_int_eq(compared()->equal, apart[_i].change == FW_CHANGE_NONE);
	if (!world.proof.equal) {
		ck_assert_int_eq(world.proof.differences[0].change, apart[_i].change);
		ck_assert_uint_eq(world.proof.differences[0].set, one.set);
	}
}
END_TEST

static const struct {
	const char *before, *after;
	bool halves;
} halves[] = {
	{"10/second burst 20", "10/second burst 20", true},
	{"10/second burst 20", "5/second burst 10", true},
	{"5/second burst 5", "150/minute burst 2", true},
	{"5/day burst 5", "2/day burst 2", true},
	{"10/second burst 20", "10/second burst 10", false},
	{"10/second burst 20", "5/second burst 20", false},
	{"10/second burst 20", "5/second burst 9", false},
	{"10/second burst 20", "4/second burst 10", false},
	{"10/second burst 20", "20/second burst 40", false},
	{"10/second burst 20 per source", "5/second burst 10 per source", false},
	{"10/second burst 20", NULL, false},
};

START_TEST(halves_are_tolerated) {
	bool same = _i == 0;

	world.scope.family = FW_IPV6;
	take(halves[_i].before, halves[_i].after);
	ck_assert_int_eq(compared()->equal, same);
	world.scope.halves = true;
	ck_assert_int_eq(compared()->equal, halves[_i].halves);
	ck_assert_uint_eq(world.proof.stricter_count, halves[_i].halves && !same);
	if (world.proof.stricter_count != 0) {
		ck_assert_int_eq(world.proof.stricter[0].change, FW_RATE_CHANGED);
	}
}
END_TEST

/* A bucket of one family is never halved. */
START_TEST(halves_are_of_both_families) {
	world.scope.halves = true;
	world.scope.family = FW_IPV4;
	take("10/second burst 20", "5/second burst 10");
	ck_assert(compared()->equal);
	own_rated(&world.sides[BEFORE])[0].set =
		both(world.sides[BEFORE].rated[0].set, is(FW_VAR_FAMILY, FW_IPV4));
	ck_assert(!compared()->equal);
}
END_TEST

/* Parts of the limited packets, by family and then by one of their ports. */
static void share_out(const char *first, const char *second) {
	struct fw_readback *after = &world.sides[AFTER];
	struct fw_rb_rated *rated = own_rated(after);

	rated[1] = rated[0];
	ck_assert_int_eq(fw_rate_parse(fw_slice(first), &rated[0].rate), FW_NET_NONE);
	ck_assert_int_eq(fw_rate_parse(fw_slice(second), &rated[1].rate), FW_NET_NONE);
	rated[0].set = both(rated[0].set, is(FW_VAR_FAMILY, FW_IPV4));
	rated[1].set = both(rated[1].set, is(FW_VAR_FAMILY, FW_IPV6));
	after->rated_count = 2;
}

static const struct {
	const char *whole, *first, *second;
	bool shares;
} shares[] = {
	{"10/second burst 20", "5/second burst 10", "5/second burst 10", true},
	{"10/second burst 21", "200/minute burst 10", "200/minute burst 10", true},
	{"10/second burst 20", "150/minute burst 5", "150/minute burst 5", false},
	{"10/second burst 20", "1/second burst 2", "1/second burst 2", false},
	{"10/minute burst 5", "4/minute burst 2", "4/minute burst 2", true},
	{"10/second burst 20", "10/second burst 20", "10/second burst 20", false},
	{"10/second burst 20", "5/second burst 10", "150/minute burst 5", false},
	{"10/second burst 20", "5/second burst 11", "5/second burst 11", false},
	{"10/second burst 20", "4/second burst 10", "4/second burst 10", false},
	{"10/second burst 20", "5/second burst 10 per source", "5/second burst 10 per source",
		false},
};

START_TEST(shares_are_tolerated) {
	take(shares[_i].whole, shares[_i].whole);
	share_out(shares[_i].first, shares[_i].second);
	ck_assert(!compared()->equal);
	world.scope.shares = true;
	ck_assert_int_eq(compared()->equal, shares[_i].shares);
	ck_assert_uint_eq(world.proof.stricter_count, shares[_i].shares);
	if (shares[_i].shares) {
		ck_assert_uint_eq(world.proof.stricter[0].set,
			limited_space(&world.sides[AFTER], FW_RB_INPUT));
	}
}
END_TEST

/* Where both families are compared, each has its half. */
START_TEST(each_family_has_its_half) {
	world.scope.halves = true;
	take("10/second burst 20", "5/second burst 10");
	ck_assert(!compared()->equal);
	share_out("5/second burst 10", "5/second burst 10");
	ck_assert(compared()->equal);
	share_out("5/second burst 10", "10/second burst 20");
	ck_assert(!compared()->equal);
}
END_TEST

/* Buckets of each source are the same, be they of both families or of one each. */
START_TEST(buckets_of_sources_know_no_family) {
	take("10/second burst 20 per source", "10/second burst 20 per source");
	share_out("10/second burst 20 per source", "10/second burst 20 per source");
	ck_assert(compared()->equal);
	share_out("10/second burst 20", "10/second burst 20");
	ck_assert(!compared()->equal);
}
END_TEST

/* Flows of one service have one bucket, those of two services have two. */
START_TEST(a_service_has_one_bucket) {
	const struct fw_rate rate = {10, FW_MINUTE, 5, false};
	const struct fw_policy one = limited("22/tcp,23/tcp", "10/minute");

	world.sides[BEFORE] = promise(&one);
	model_flow(FW_INPUT, "ssh", "22/tcp")->limit = rate;
	model_flow(FW_INPUT, _i == 0 ? "ssh" : "telnet", "23/tcp")->limit = rate;
	world.sides[AFTER] = promise(model_policy());
	ck_assert_int_eq(compared()->equal, _i == 0);
}
END_TEST

static const struct {
	const char *destination; /* whose packets are denied */
	bool tolerated;
} stateless[] = {
	{"224.0.0.0/4", true},
	{"255.255.255.255", true},
	{"ff00::/8", true},
	{"10.0.0.1", false},
	{"223.255.255.255-224.0.0.0", false},
	{"fe80::/10", false},
};

START_TEST(limits_without_a_state_are_tolerated) {
	struct fw_range range;

	take(_i % 2 == 0 ? "10/second" : NULL, _i % 2 == 0 ? "10/second" : NULL);
	ck_assert_int_eq(
		fw_range_parse(fw_slice(stateless[_i / 2].destination), &range), FW_NET_NONE);
	fw_space denied =
		both(fw_space_interval(&world.spaces, FW_VAR_DESTINATION, range.first, range.last),
			both(port(22), is(FW_VAR_FAMILY, range.family)));
	struct fw_readback *after = &world.sides[AFTER];
	fw_space fresh =
		without(is(FW_VAR_TRACKING, FW_TRACKING_NEW), is(FW_VAR_IN, FW_INTERFACE_LOOPBACK));
	after->may[FW_INPUT] = without(after->may[FW_INPUT], both(denied, fresh));
	after->must[FW_INPUT] = both(after->must[FW_INPUT], after->may[FW_INPUT]);
	ck_assert(!compared()->equal);
	world.scope.stateless_limits = true;
	ck_assert_int_eq(compared()->equal, stateless[_i / 2].tolerated && _i % 2 == 0);
	ck_assert_uint_eq(world.proof.stricter_count != 0 && world.proof.difference_count == 0,
		world.proof.equal);
}
END_TEST

/* Of what is denied, pf answers TCP and UDP; past a limit nobody. */
START_TEST(few_answers_are_compared) {
	static const struct {
		uint8_t protocol;
		uint16_t port;
		bool counts;
	} answers[] = {{IPPROTO_TCP, 23, true}, {IPPROTO_UDP, 23, true}, {IPPROTO_SCTP, 23, false},
		{IPPROTO_TCP, 22, false}};
	struct fw_policy policy = limited("22/tcp", "10/second");
	fw_space set =
		both(is(FW_VAR_PROTOCOL, answers[_i].protocol), is(FW_VAR_PORT, answers[_i].port));

	policy.hooks[FW_INPUT].verdict = FW_REJECT;
	world.sides[BEFORE] = world.sides[AFTER] = promise(&policy);
	fw_space *rejected = &world.sides[AFTER].rejected[FW_INPUT];
	set = both(*rejected, set);
	ck_assert_uint_ne(set, FW_SPACE_EMPTY);
	*rejected = without(*rejected, set);
	ck_assert_uint_eq(compared()->answer_count, 1);
	ck_assert_uint_eq(world.proof.answers[0].set, set);
	ck_assert(!world.proof.answers[0].answered);
	world.scope.few_answers = true;
	ck_assert_int_eq(compared()->equal, !answers[_i].counts);
}
END_TEST

static void add_single(TCase *single) {
	tcase_add_loop_test(single, only_one_family_is_compared, 0, 4);
	tcase_add_loop_test(single, what_is_outside_is_not_compared, 0, SIDES);
	tcase_add_loop_test(single, hooks_that_are_apart_are_not_compared, 0, FW_LENGTH(apart));
	tcase_add_loop_test(single, halves_are_tolerated, 0, FW_LENGTH(halves));
	tcase_add_test(single, halves_are_of_both_families);
	tcase_add_test(single, each_family_has_its_half);
	tcase_add_loop_test(single, shares_are_tolerated, 0, FW_LENGTH(shares));
	tcase_add_test(single, buckets_of_sources_know_no_family);
	tcase_add_loop_test(single, a_service_has_one_bucket, 0, 2);
	tcase_add_loop_test(
		single, limits_without_a_state_are_tolerated, 0, 2 * FW_LENGTH(stateless));
	tcase_add_loop_test(single, few_answers_are_compared, 0, 4);
}

int main(void) {
	Suite *suite = suite_create("proof");
	TCase *random = tcase_create("random");
	TCase *single = tcase_create("one thing");

	tcase_set_timeout(random, 60);
	tcase_add_checked_fixture(random, set_up, tear_down);
	tcase_add_loop_test(random, a_promise_keeps_itself, 0, CASES);
	tcase_add_loop_test(random, one_packet_more_or_less_is_noticed, 0, CASES);
	tcase_add_loop_test(random, a_flipped_answer_is_noticed, 0, CASES);
	tcase_add_loop_test(random, a_changed_rate_is_noticed, 0, CASES);
	suite_add_tcase(suite, random);
	tcase_set_timeout(single, 60);
	tcase_add_checked_fixture(single, set_up, tear_down);
	add_single(single);
	suite_add_tcase(suite, single);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
