// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Translation of two behaviours: what a gateway promises, changed in one thing; random translations
 * against a naive judge, packet by packet; and many of them. FLOWFW_SEED gives others than those of
 * every run.
 */

#include "proof_world.h"

enum { TRANSLATIONS = 200, POINTS = 60, REWRITES_MAX = 6, FORWARDINGS = 10000 };

static struct fw_rb_rewrite *own_rewrites(struct fw_readback *readback) {
	size_t count = readback->rewrite_count;
	struct fw_rb_rewrite *rewrites =
		FW_ARENA_ARRAY(&world.arena, struct fw_rb_rewrite, count + 1);

	if (count != 0) {
		memcpy(rewrites, readback->rewrites, count * sizeof(*rewrites));
	}
	readback->rewrites = rewrites;
	return rewrites;
}

/* ---- translation of a gateway ---- */

static const struct fw_forwarding forwardings[] = {
	{"one", "rest-api", FW_IPV4, IPPROTO_TCP, 18088, {0, 0x0a080011}, 8088, {0}},
	{"one", "node", FW_IPV4, IPPROTO_TCP, 15556, {0, 0x0a080011}, 5556, {0}},
	{"two", "udp", FW_IPV4, IPPROTO_UDP, 18088, {0, 0x0a080012}, 8088, {0}},
};

static struct fw_policy gateway(void) {
	static const char *const outside[] = {"eth0"};
	struct fw_policy policy = *model_policy();

	policy.hooks[FW_FORWARD].verdict = FW_ACCEPT;
	policy.translation = (struct fw_translation){
		.on = true,
		.entry = {outside, 1},
		.exit = {outside, 1},
		.outside_addresses = model_literal("outside", "198.51.100.7 198.51.100.9"),
		.forwardings = forwardings,
		.forwarding_count = FW_LENGTH(forwardings),
		.masqueraded = model_literal("nat_masquerade", "10.8.0.0/24"),
		.hairpin = model_literal("nat_hairpin", "10.8.0.0/24"),
		.hairpin_address = {[FW_IPV4] = {0, 0x0a080001}},
	};
	return policy;
}

static void take_gateway(void) {
	const struct fw_policy policy = gateway();

	world.scope.translation = FW_PROOF_OTHERS;
	world.sides[BEFORE] = world.sides[AFTER] = promise(&policy);
	ck_assert_uint_eq(world.sides[BEFORE].rewrite_count, FW_LENGTH(forwardings) + 2);
	ck_assert(compared()->equal);
}

/* Without its i-th rewrite. */
static void drop_rewrite(struct fw_readback *readback, size_t i) {
	struct fw_rb_rewrite *rewrites = own_rewrites(readback);

	memmove(&rewrites[i], &rewrites[i + 1],
		(readback->rewrite_count - i - 1) * sizeof(*rewrites));
	readback->rewrite_count--;
}

START_TEST(a_dropped_rewrite_is_noticed) {
	take_gateway();
	const struct fw_rb_rewrite dropped = world.sides[AFTER].rewrites[_i];
	drop_rewrite(&world.sides[AFTER], (size_t)_i);
	const struct fw_proof *proof = compared();

	ck_assert(!proof->equal);
	ck_assert_uint_ge(proof->detour_count, 1);
	for (size_t i = 0; i < proof->detour_count; i++) {
		const struct fw_proof_detour *detour = &proof->detours[i];
		ck_assert_int_eq(detour->source, dropped.source);
		ck_assert(detour->before.translated);
		ck_assert_uint_ne(both(detour->set, dropped.set), FW_SPACE_EMPTY);
		ck_assert_uint_eq(detour->before.port, dropped.port);
		/* What comes from inside and is forwarded out again is masqueraded at least. */
		ck_assert(!detour->after.translated ||
			  (dropped.original_count != 0 && detour->after.masquerade));
	}
}
END_TEST

START_TEST(another_target_is_noticed) {
	take_gateway();
	struct fw_rb_rewrite *rewrite = &own_rewrites(&world.sides[AFTER])[_i / 3];
	bool masquerade = rewrite->masquerade;
	switch (_i % 3) {
	case 0:
		rewrite->port++;
		break;
	case 1:
		rewrite->address.low++;
		break;
	default:
		rewrite->masquerade = !rewrite->masquerade;
		break;
	}
	/* The address of what is masqueraded is nobody's business. */
	ck_assert_int_eq(compared()->equal, masquerade && _i % 3 == 1);
	for (size_t i = 0; i < world.proof.detour_count; i++) {
		ck_assert(world.proof.detours[i].before.translated);
		ck_assert(world.proof.detours[i].after.translated);
	}
}
END_TEST

/* First packets that come in, the hook and the out-interface let go. */
static fw_space arriving(fw_space set) {
	set = both(set, both(of_hook(FW_INPUT), is(FW_VAR_TRACKING, FW_TRACKING_NEW)));
	set = both(set, both(is(FW_VAR_TRANSLATED, 0), is(FW_VAR_FAMILY, FW_IPV4)));
	set = fw_space_exists(&world.spaces, set, FW_VAR_HOOK);
	return fw_space_exists(&world.spaces, set, FW_VAR_OUT);
}

static void add_rewrite(struct fw_readback *readback, struct fw_rb_rewrite rewrite, fw_space set) {
	struct fw_rb_rewrite *rewrites = own_rewrites(readback);

	rewrite.set = set;
	rewrites[readback->rewrite_count++] = rewrite;
}

/* Nothing else makes translated packets: other first destinations are nobody's. */
START_TEST(first_destinations_count_where_there_are_any) {
	take_gateway();
	struct fw_rb_rewrite *rewrites = own_rewrites(&world.sides[AFTER]);
	struct fw_rb_rewrite *hairpin = &rewrites[FW_LENGTH(forwardings)];
	ck_assert_uint_eq(hairpin->original_count, 2);
	hairpin->original_count = 0;
	ck_assert(compared()->equal);
	hairpin->original_count = 1;
	ck_assert(!compared()->equal);
	ck_assert(world.proof.detours[0].source);
	hairpin->original_count = 0;
	for (int side = 0; side < SIDES; side++) {
		add_rewrite(&world.sides[side], rewrites[0], arriving(port(99)));
	}
	ck_assert(!compared()->equal);
}
END_TEST

/* Other rules, of what a machine itself sends. */
static void add_own(bool source) {
	const struct fw_rb_rewrite rewrite = {
		.source = source, .family = FW_IPV4, .address = {0, 1}, .place = {.text = "rule"}};
	fw_space set = both(of_hook(FW_OUTPUT), is(FW_VAR_TRACKING, FW_TRACKING_NEW));

	set = both(both(set, port(80)), both(is(FW_VAR_TRANSLATED, 0), is(FW_VAR_FAMILY, FW_IPV4)));
	add_rewrite(&world.sides[AFTER], rewrite, fw_space_exists(&world.spaces, set, FW_VAR_HOOK));
}

START_TEST(own_packets_count_where_output_does) {
	take_gateway();
	world.sides[BEFORE].may[FW_OUTPUT] = world.sides[AFTER].may[FW_OUTPUT] = of_hook(FW_OUTPUT);
	add_own(_i != 0);
	world.scope.apart[FW_OUTPUT] = true;
	ck_assert(compared()->equal);
	world.scope.translation = FW_PROOF_TAKEN_AWAY;
	ck_assert(compared()->equal);
	world.scope.apart[FW_OUTPUT] = false;
	ck_assert_int_eq(compared()->equal, _i != 0);
	world.scope.translation = FW_PROOF_OTHERS;
	ck_assert(!compared()->equal);
	world.scope.translation = FW_PROOF_EVERYBODY;
	ck_assert(!compared()->equal);
	ck_assert_int_eq(world.proof.detours[0].source, _i != 0);
}
END_TEST

/* A host has no translation, and others' matters only where it takes what is accepted. */
START_TEST(what_is_taken_away_from_a_host_is_noticed) {
	const struct fw_policy policy = limited("22/tcp", NULL);
	const struct fw_rb_rewrite rewrite = {.family = FW_IPV4, .address = {0, 1}};

	world.scope.translation = FW_PROOF_TAKEN_AWAY;
	world.sides[BEFORE] = world.sides[AFTER] = promise(&policy);
	add_rewrite(&world.sides[AFTER], rewrite, arriving(port(_i == 0 ? 22 : 23)));
	ck_assert_int_eq(compared()->equal, _i != 0);
	world.scope.apart[FW_INPUT] = true;
	ck_assert(compared()->equal);
	world.scope.apart[FW_INPUT] = false;
	world.scope.translation = FW_PROOF_OTHERS;
	ck_assert(!compared()->equal);
}
END_TEST

/* What a host sends is judged behind its translation, so that one of what is denied counts, too. */
START_TEST(what_a_host_sends_is_not_sent_elsewhere) {
	const struct fw_policy policy = limited("22/tcp", NULL);
	fw_space sent = both(of_hook(FW_OUTPUT), port(80));

	world.scope.translation = FW_PROOF_TAKEN_AWAY;
	world.sides[BEFORE] = world.sides[AFTER] = promise(&policy);
	world.sides[BEFORE].may[FW_OUTPUT] = world.sides[AFTER].may[FW_OUTPUT] =
		_i == 1 ? both(sent, is(FW_VAR_OUT, FW_INTERFACE_LOOPBACK)) : sent;
	world.scope.apart[FW_OUTPUT] = _i == 2;
	add_own(false);
	ck_assert_int_eq(compared()->equal, _i == 2);
}
END_TEST

/* ---- random translations against a naive judge ---- */

static struct fw_rb_rewrite draw_target(bool source) {
	return (struct fw_rb_rewrite){
		.source = source,
		.family = FW_IPV4,
		.masquerade = source && model_random(3) == 0,
		.address = {0, 0x0a000000 + model_random(3)},
		.port = (uint16_t)(model_random(2) * 8080),
	};
}

static fw_space span(enum fw_var var, uint64_t first, uint64_t last) {
	return fw_space_interval(&world.spaces, var, fw_value(first), fw_value(last));
}

/* Addresses of 0 to 7, ports of 0 to 7. */
static fw_space draw_set(enum fw_var addresses) {
	uint64_t low = model_random(8), high = model_random(8);
	uint64_t first = model_random(8), last = model_random(8);

	return both(span(addresses, low < high ? low : high, low < high ? high : low),
		span(FW_VAR_PORT, first < last ? first : last, first < last ? last : first));
}

static void draw_translation(struct fw_readback *readback, const struct fw_range *originals) {
	struct fw_rb_rewrite *rewrites =
		FW_ARENA_ARRAY(&world.arena, struct fw_rb_rewrite, 2 * REWRITES_MAX);
	size_t count = 0;
	fw_space taken = FW_SPACE_EMPTY;

	for (size_t i = model_random(REWRITES_MAX); i > 0; i--, count++) {
		rewrites[count] = draw_target(false);
		rewrites[count].set = without(draw_set(FW_VAR_DESTINATION), taken);
		taken = either(taken, rewrites[count].set);
	}
	for (size_t i = model_random(REWRITES_MAX); i > 0; i--, count++) {
		rewrites[count] = draw_target(true);
		rewrites[count].set = draw_set(FW_VAR_SOURCE);
		rewrites[count].originals = &originals[model_random(4)];
		rewrites[count].original_count = model_random(3);
	}
	readback->rewrites = rewrites;
	readback->rewrite_count = count;
}

/* The one that applies to a packet, by its first destination; NULL: none. */
static const struct fw_rb_rewrite *applying(const struct fw_readback *readback, bool source,
	const struct fw_point *point, struct fw_addr original) {
	for (size_t i = 0; i < readback->rewrite_count; i++) {
		const struct fw_rb_rewrite *one = &readback->rewrites[i];
		bool fits = one->original_count == 0;
		for (size_t j = 0; j < one->original_count; j++) {
			fits |= fw_addr_compare(one->originals[j].first, original) <= 0 &&
				fw_addr_compare(original, one->originals[j].last) <= 0;
		}
		if (one->source == source && fits &&
			fw_space_contains(&world.spaces, one->set, point)) {
			return one;
		}
	}
	return NULL;
}

static bool is_target(const struct fw_rb_rewrite *rewrite, const struct fw_proof_target *target) {
	if (rewrite == NULL || !target->translated) {
		return rewrite == NULL && !target->translated;
	}
	return rewrite->masquerade == target->masquerade && rewrite->port == target->port &&
	       (rewrite->masquerade || rewrite->address.low == target->address.low);
}

static bool same_target(const struct fw_rb_rewrite *a, const struct fw_rb_rewrite *b) {
	if (a == NULL || b == NULL) {
		return a == b;
	}
	return a->masquerade == b->masquerade && a->port == b->port &&
	       (a->masquerade || a->address.low == b->address.low);
}

/* Whether some packet to `original` becomes this one. */
static bool is_image(
	const struct fw_readback *readback, const struct fw_point *point, struct fw_addr original) {
	struct fw_point before = *point;

	before.values[FW_VAR_DESTINATION] = original;
	before.values[FW_VAR_TRANSLATED] = fw_value(0);
	for (uint64_t number = 0; number < 9; number++) {
		before.values[FW_VAR_PORT] =
			number < 8 ? fw_value(number) : point->values[FW_VAR_PORT];
		const struct fw_rb_rewrite *one = applying(readback, false, &before, original);
		if (one != NULL && one->address.low == point->values[FW_VAR_DESTINATION].low &&
			(one->port == 0 ? before.values[FW_VAR_PORT].low : one->port) ==
				point->values[FW_VAR_PORT].low) {
			return true;
		}
	}
	return false;
}

/* How many detours hold the packet with these targets, among all that hold it. */
static void check_point(bool source, const struct fw_point *point) {
	bool translated = point->values[FW_VAR_TRANSLATED].low != 0;
	size_t wanted = 0, found = 0, kept = 0;
	const struct fw_rb_rewrite *rewrites[2];

	for (uint64_t original = 0; original < 9; original++) {
		struct fw_addr from = source && translated ? fw_value(original)
							   : point->values[FW_VAR_DESTINATION];
		bool real = !translated || (is_image(&world.sides[BEFORE], point, from) &&
						   is_image(&world.sides[AFTER], point, from));
		for (int side = 0; side < SIDES; side++) {
			rewrites[side] = applying(&world.sides[side], source, point, from);
		}
		if (!real || same_target(rewrites[BEFORE], rewrites[AFTER])) {
			continue;
		}
		wanted++;
		bool told = false;
		for (size_t i = 0; i < world.proof.detour_count; i++) {
			const struct fw_proof_detour *detour = &world.proof.detours[i];
			told |= detour->source == source &&
				fw_space_contains(&world.spaces, detour->set, point) &&
				is_target(rewrites[BEFORE], &detour->before) &&
				is_target(rewrites[AFTER], &detour->after);
		}
		found += told;
	}
	for (size_t i = 0; i < world.proof.detour_count; i++) {
		kept += world.proof.detours[i].source == source &&
			fw_space_contains(&world.spaces, world.proof.detours[i].set, point);
	}
	ck_assert_uint_eq(found, wanted);
	/* Where destinations differ, sides may have made a packet of different ones. */
	bool alike = !translated || world.proof.detour_count == 0 || world.proof.detours[0].source;
	ck_assert(wanted == 0 || kept != 0);
	ck_assert(!alike || kept == 0 || wanted != 0);
}

static struct fw_point draw_packet(bool source) {
	struct fw_point point = {0};
	struct fw_addr *values = point.values;
	bool translated = source && model_random(2) == 0;

	values[FW_VAR_IN] = fw_value(2);
	values[FW_VAR_OUT] = fw_value(source ? 3 : 0);
	values[FW_VAR_FAMILY] = fw_value(FW_IPV4);
	values[FW_VAR_PROTOCOL] = fw_value(IPPROTO_TCP);
	values[FW_VAR_SOURCE] = fw_value(model_random(9));
	values[FW_VAR_DESTINATION] =
		fw_value(translated ? 0x0a000000 + model_random(3) : model_random(9));
	values[FW_VAR_PORT] = fw_value(translated && model_random(2) == 0 ? 8080 : model_random(9));
	values[FW_VAR_FLAGS] = fw_value(2);
	values[FW_VAR_TRACKING] = fw_value(FW_TRACKING_NEW);
	values[FW_VAR_TRANSLATED] = fw_value(translated);
	return point;
}

START_TEST(each_packet_takes_its_detour) {
	const struct fw_range originals[] = {{{0, 0}, {0, 1}, FW_IPV4}, {{0, 3}, {0, 3}, FW_IPV4},
		{{0, 2}, {0, 5}, FW_IPV4}, {{0, 7}, {0, UINT32_MAX}, FW_IPV4},
		{{0, 0}, {0, UINT32_MAX}, FW_IPV4}};

	model_seed(_i);
	for (int side = 0; side < SIDES; side++) {
		struct fw_readback *readback = &world.sides[side];
		for (int hook = FW_INPUT; hook < FW_HOOK_COUNT; hook++) {
			readback->must[hook] = readback->may[hook] = of_hook((enum fw_hook)hook);
		}
		if (side == BEFORE || model_random(3) != 0) {
			draw_translation(readback, originals);
		} else {
			readback->rewrites = world.sides[BEFORE].rewrites;
			readback->rewrite_count = world.sides[BEFORE].rewrite_count;
		}
	}
	compared();
	for (int i = 0; i < POINTS; i++) {
		const struct fw_point point = draw_packet(i % 2 != 0);
		check_point(i % 2 != 0, &point);
	}
}
END_TEST

/* ---- bounds ---- */

/* As many as there may be, in no order. */
static void take_many(struct fw_readback *readback, uint64_t turned) {
	struct fw_forwarding *many =
		FW_ARENA_ARRAY(&world.arena, struct fw_forwarding, FORWARDINGS);
	struct fw_policy policy = gateway();

	for (uint64_t i = 0; i < FORWARDINGS; i++) {
		uint64_t at = (i * 7919 + turned) % FORWARDINGS;
		many[i] = (struct fw_forwarding){"one", "node", FW_IPV4, IPPROTO_TCP,
			(uint16_t)(i + 1), {0, 0x0a080000 + at}, 5556, {0}};
	}
	policy.translation.forwardings = many;
	policy.translation.forwarding_count = FORWARDINGS;
	*readback = promise(&policy);
}

/* Equal, all turned by one, and nothing at all. */
START_TEST(many_forwardings_cost_little) {
	enum { STEPS_MAX = 1 << 26 };
	take_many(&world.sides[BEFORE], 0);
	if (_i < 2) {
		take_many(&world.sides[AFTER], (uint64_t)_i);
	} else {
		world.sides[AFTER] = world.sides[BEFORE];
		world.sides[AFTER].rewrite_count = 0;
	}
	world.scope.translation = FW_PROOF_OTHERS;
	ck_assert_int_eq(compared()->equal, _i == 0);
	ck_assert_uint_ge(world.proof.detour_count, _i == 0 ? 0 : FORWARDINGS);
	ck_assert_uint_lt(world.spaces.steps, STEPS_MAX);
}
END_TEST

START_TEST(too_much_is_said_to_be) {
	take_gateway();
	drop_rewrite(&world.sides[AFTER], 0);
	world.spaces.limits.steps = world.spaces.steps + 10;
	ck_assert(!fw_proof_compare(&world.arena, &world.spaces, world.universe, &world.scope,
		&world.sides[BEFORE], &world.sides[AFTER], &world.proof));
}
END_TEST

static void add_single(TCase *single) {
	tcase_add_loop_test(single, a_dropped_rewrite_is_noticed, 0, FW_LENGTH(forwardings) + 2);
	tcase_add_loop_test(single, another_target_is_noticed, 0, 3 * (FW_LENGTH(forwardings) + 2));
	tcase_add_test(single, first_destinations_count_where_there_are_any);
	tcase_add_loop_test(single, own_packets_count_where_output_does, 0, 2);
	tcase_add_loop_test(single, what_is_taken_away_from_a_host_is_noticed, 0, 2);
	tcase_add_loop_test(single, what_a_host_sends_is_not_sent_elsewhere, 0, 3);
	tcase_add_loop_test(single, many_forwardings_cost_little, 0, 3);
	tcase_add_test(single, too_much_is_said_to_be);
}

int main(void) {
	Suite *suite = suite_create("proof_detours");
	TCase *random = tcase_create("random");
	TCase *single = tcase_create("one thing");

	tcase_set_timeout(random, 60);
	tcase_add_checked_fixture(random, set_up, tear_down);
	tcase_add_loop_test(random, each_packet_takes_its_detour, 0, TRANSLATIONS);
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
