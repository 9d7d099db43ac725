// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Chains run on all packets at once, against the same chains run on one packet at a time: random
 * programs, and the packets at the borders of what they ask for. Limits let packets through or not,
 * each bucket by itself, and all ways that this may turn out are tried.
 */

#include "readback/program.h"

#include "space_model.h"

enum {
	LOOPBACK = 1, /* the number of lo */
	LOOPS = 150,
	POINTS = 150,
	INTERFACES = 3,
	CHAINS = 7,
	RULES = 6,
	CASES = 3,
	BUCKETS = 3,
	WAYS = 1 << BUCKETS,
	GUESSES = 6, /* ways that it may turn out what rules perhaps match */
};

static struct fw_spaces spaces;
static struct fw_arena arena;

static void set_up(void) {
	fw_spaces_init(&spaces, NULL);
}

static void tear_down(void) {
	fw_spaces_fini(&spaces);
	fw_arena_fini(&arena);
}

/* ---- random programs ---- */

/* A program and the boxes that its sets were made of. */
struct model_program {
	struct fw_rb_chain chains[CHAINS];
	struct fw_rb_rule rules[CHAINS][RULES];
	struct fw_rb_case cases[CHAINS][RULES][CASES];
	struct model_box boxes[CHAINS][RULES], case_boxes[CHAINS][RULES][CASES];
	struct fw_rb_program program;
};

/* Calls go to later chains only. */
static enum fw_rb_action random_action(size_t chain, size_t *out_chain, bool nat) {
	static const enum fw_rb_action actions[] = {FW_RB_ACCEPT, FW_RB_ACCEPT, FW_RB_DROP,
		FW_RB_REJECT, FW_RB_CONTINUE, FW_RB_RETURN, FW_RB_JUMP, FW_RB_GOTO, FW_RB_JUMP};
	enum fw_rb_action action = actions[model_random(FW_LENGTH(actions))];

	if (nat && (action == FW_RB_DROP || action == FW_RB_REJECT)) {
		return FW_RB_REWRITE;
	}
	if (action == FW_RB_JUMP || action == FW_RB_GOTO) {
		if (chain + 1 == CHAINS) {
			return FW_RB_ACCEPT;
		}
		*out_chain = chain + 1 + model_random(CHAINS - chain - 1);
	}
	return action;
}

static void random_cases(struct model_program *model, size_t chain, size_t rule) {
	struct fw_rb_rule *one = &model->rules[chain][rule];

	one->action = FW_RB_CASES;
	one->cases = model->cases[chain][rule];
	one->case_count = CASES;
	for (size_t i = 0; i < CASES; i++) {
		struct fw_rb_case *verdict = &model->cases[chain][rule][i];
		verdict->action = random_action(chain, &verdict->chain, false);
		model->case_boxes[chain][rule][i] = model_box();
		verdict->set = model_box_space(&spaces, &model->case_boxes[chain][rule][i]);
	}
}

static void random_rule(
	struct model_program *model, size_t chain, size_t rule, bool limits, bool nat) {
	struct fw_rb_rule *one = &model->rules[chain][rule];

	model->boxes[chain][rule] = model_box();
	*one = (struct fw_rb_rule){
		.match = model_box_space(&spaces, &model->boxes[chain][rule]),
		.place = {.text = fw_arena_printf(&arena, "%zu:%zu", chain, rule)},
		.rewrite = {.family = FW_FAMILY_NONE,
			.address = fw_value(1 + chain * RULES + rule)},
	};
	one->action = random_action(chain, &one->chain, nat);
	if (!nat && model_random(6) == 0) {
		random_cases(model, chain, rule);
	}
	if (limits && model_random(5) == 0) {
		one->bucket = model_random(BUCKETS);
		one->rate = (struct fw_rate){10 + (uint32_t)one->bucket, FW_SECOND, 5, false};
		one->over = model_random(4) == 0;
	}
}

/* Rules of a program that perhaps match, a third of them. */
static void add_guesses(struct model_program *model) {
	for (size_t i = 0; i < CHAINS; i++) {
		for (size_t j = 0; j < model->chains[i].rule_count; j++) {
			struct fw_rb_rule *one = &model->rules[i][j];
			if (model_random(3) == 0) {
				one->perhaps = "a guess";
				one->rate.count = 0;
			}
		}
	}
}

static void random_program(struct model_program *model, bool limits, bool nat) {
	*model = (struct model_program){0};
	for (size_t i = 0; i < CHAINS; i++) {
		size_t count = 1 + model_random(RULES);
		for (size_t j = 0; j < count; j++) {
			random_rule(model, i, j, limits, nat);
		}
		model->chains[i] = (struct fw_rb_chain){
			.rules = model->rules[i],
			.rule_count = count,
			.seen = FW_SPACE_ALL,
			.drops = !nat && model_random(2) == 0,
			.place = {.text = fw_arena_printf(&arena, "%zu", i)},
		};
	}
	model->program = (struct fw_rb_program){.chains = model->chains, .chain_count = CHAINS};
}

/* ---- one packet at a time ---- */

enum verdict { RETURNED, ACCEPTED, DROPPED, REWRITTEN };

struct walk {
	const struct model_program *model;
	const struct fw_point *point;
	unsigned way;	/* which buckets let packets through */
	unsigned guess; /* which rules match that perhaps do */
	const struct fw_rb_rule *decided;
};

static enum verdict walk_chain(struct walk *walk, size_t index);

static enum verdict apply(struct walk *walk, const struct fw_rb_rule *rule,
	enum fw_rb_action action, size_t chain, bool *out_back) {
	walk->decided = rule;
	switch (action) {
	case FW_RB_ACCEPT:
		return ACCEPTED;
	case FW_RB_DROP:
	case FW_RB_REJECT:
		return DROPPED;
	case FW_RB_REWRITE:
		return REWRITTEN;
	case FW_RB_JUMP:
		return walk_chain(walk, chain);
	case FW_RB_GOTO:
		*out_back = true;
		return walk_chain(walk, chain);
	case FW_RB_RETURN:
		*out_back = true;
		return RETURNED;
	case FW_RB_CONTINUE:
	case FW_RB_CASES:
		break;
	}
	return RETURNED;
}

static bool holds(const struct walk *walk, size_t chain, size_t rule) {
	const struct fw_rb_rule *one = &walk->model->rules[chain][rule];
	bool open = (walk->way >> one->bucket & 1) != 0;
	bool guess = ((walk->guess * 0x9e3779b1U ^ chain * 0x85ebca6bU ^ rule * 0xc2b2ae35U) *
			     0x27d4eb2fU) >>
		     31;

	return model_box_contains(&walk->model->boxes[chain][rule], walk->point) &&
	       (one->rate.count == 0 || open != one->over) && (one->perhaps == NULL || guess);
}

static enum verdict walk_rule(struct walk *walk, size_t chain, size_t rule, bool *out_back) {
	const struct fw_rb_rule *one = &walk->model->rules[chain][rule];

	if (one->action != FW_RB_CASES) {
		return apply(walk, one, one->action, one->chain, out_back);
	}
	for (size_t i = 0; i < one->case_count; i++) {
		if (model_box_contains(&walk->model->case_boxes[chain][rule][i], walk->point)) {
			return apply(
				walk, one, one->cases[i].action, one->cases[i].chain, out_back);
		}
	}
	return RETURNED;
}

static enum verdict walk_chain(struct walk *walk, size_t index) {
	const struct fw_rb_chain *chain = &walk->model->chains[index];

	for (size_t i = 0; i < chain->rule_count; i++) {
		bool back = false;
		enum verdict verdict =
			holds(walk, index, i) ? walk_rule(walk, index, i, &back) : RETURNED;
		if (verdict != RETURNED || back) {
			return verdict;
		}
	}
	return RETURNED;
}

static bool passes_if(const struct model_program *model, size_t chain, const struct fw_point *point,
	unsigned way, unsigned guess) {
	struct walk walk = {.model = model, .point = point, .way = way, .guess = guess};
	enum verdict verdict = walk_chain(&walk, chain);

	return verdict == ACCEPTED || (verdict == RETURNED && !model->chains[chain].drops);
}

static bool passes(const struct model_program *model, size_t chain, const struct fw_point *point,
	unsigned way) {
	return passes_if(model, chain, point, way, 0);
}

/* ---- packets ---- */

/* One that can be. */
static struct fw_point packet(enum fw_rb_hook hook) {
	struct fw_point point = model_point();
	struct fw_addr *values = point.values;
	uint64_t protocol = values[FW_VAR_PROTOCOL].low;
	bool ipv4 = model_random(2) == 0;
	bool ports = protocol == IPPROTO_TCP || protocol == IPPROTO_UDP;

	values[FW_VAR_HOOK] = fw_value(hook);
	values[FW_VAR_IN] = fw_value(hook == FW_RB_OUTPUT ? 0 : 1 + model_random(INTERFACES));
	values[FW_VAR_OUT] = fw_value(hook == FW_RB_INPUT ? 0 : 1 + model_random(INTERFACES));
	values[FW_VAR_FAMILY] = fw_value(ipv4 ? FW_IPV4 : FW_IPV6);
	for (int var = FW_VAR_SOURCE; ipv4 && var <= FW_VAR_DESTINATION; var++) {
		values[var] = fw_value(values[var].low & UINT32_MAX);
	}
	for (int var = FW_VAR_SOURCE_PORT; var <= FW_VAR_PORT; var++) {
		bool icmp = protocol == IPPROTO_ICMP;
		values[var] = fw_value(ports ? values[var].low : icmp ? values[var].low & 255 : 0);
	}
	if (protocol != IPPROTO_TCP) {
		values[FW_VAR_FLAGS] = fw_value(0);
	}
	if (ipv4) {
		values[FW_VAR_HOP_LIMIT] = fw_value(0);
	}
	values[FW_VAR_TRACKING] = fw_value(1 + model_random(FW_TRACKING_COUNT - 1));
	if (values[FW_VAR_TRACKING].low >= FW_TRACKING_INVALID) {
		values[FW_VAR_TRANSLATED] = fw_value(0);
	}
	return point;
}

static bool limited_passes(const struct fw_readback *readback, enum fw_rb_hook hook,
	const struct fw_point *point, unsigned way) {
	for (size_t i = 0; i < readback->rated_count; i++) {
		const struct fw_rb_rated *rated = &readback->rated[i];
		unsigned bucket = rated->rate.count - 10;
		if (rated->hook == hook && fw_space_contains(&spaces, rated->set, point) &&
			(way >> bucket & 1) != 0) {
			return true;
		}
	}
	return false;
}

static fw_space universe_of(void) {
	return fw_space_universe(&spaces, INTERFACES);
}

static void run(const struct model_program *model, struct fw_readback *out) {
	*out = (struct fw_readback){0};
	ck_assert(fw_rb_run(&arena, &spaces, universe_of(), &model->program, out));
}

/* ---- verdicts ---- */

/* Without limits: one chain, then the next one for what it accepted. */
START_TEST(verdicts_are_those_of_each_packet) {
	unsigned long seed = model_seed(_i);
	struct model_program model;
	struct fw_readback readback;
	random_program(&model, false, false);
	model.chains[0].hook = model.chains[1].hook = FW_RB_FORWARD;
	model.chains[0].priority = 10;
	model.chains[1].priority = _i % 2 == 0 ? -5 : 20;
	run(&model, &readback);
	ck_assert_uint_eq(readback.unknown_count, 0);
	ck_assert_uint_eq(readback.must[FW_RB_FORWARD], readback.may[FW_RB_FORWARD]);
	ck_assert_uint_eq(
		readback.must[FW_RB_OUTPUT], fw_space_intersect(&spaces, universe_of(),
						     model_is(&spaces, FW_VAR_HOOK, FW_RB_OUTPUT)));
	for (size_t i = 0; i < POINTS; i++) {
		struct fw_point point = packet(FW_RB_FORWARD);
		bool expected = passes(&model, 0, &point, 0) && passes(&model, 1, &point, 0);
		ck_assert_msg(fw_space_contains(&spaces, readback.must[FW_RB_FORWARD], &point) ==
				      expected,
			"seed %lu", seed);
		const struct fw_rb_decision *decision =
			fw_readback_decision(&spaces, &readback, FW_RB_FORWARD, &point);
		ck_assert_msg(decision != NULL && decision->accepts == expected, "seed %lu", seed);
		ck_assert_msg(
			!decision->rejects || fw_space_contains(&spaces,
						      readback.rejected[FW_RB_FORWARD], &point),
			"seed %lu", seed);
	}
}
END_TEST

/* The rule that is named is the one that a packet meets. */
START_TEST(decisions_name_the_rule) {
	unsigned long seed = model_seed(_i);
	struct model_program model;
	struct fw_readback readback;
	random_program(&model, false, false);
	model.chains[0].hook = FW_RB_INPUT;
	run(&model, &readback);
	for (size_t i = 0; i < POINTS; i++) {
		struct fw_point point = packet(FW_RB_INPUT);
		struct walk walk = {.model = &model, .point = &point};
		const char *expected = walk_chain(&walk, 0) == RETURNED ? model.chains[0].place.text
									: walk.decided->place.text;
		const struct fw_rb_decision *decision =
			fw_readback_decision(&spaces, &readback, FW_RB_INPUT, &point);
		ck_assert_ptr_nonnull(decision);
		ck_assert_msg(strcmp(decision->place.text, expected) == 0, "seed %lu: %s, not %s",
			seed, decision->place.text, expected);
	}
}
END_TEST

/* What is said of limits holds, however they turn out; what cannot be said is unknown. */
START_TEST(limits_let_through_what_they_say) {
	unsigned long seed = model_seed(_i);
	struct model_program model;
	struct fw_readback readback;
	random_program(&model, true, false);
	model.chains[0].hook = FW_RB_OUTPUT;
	run(&model, &readback);
	for (size_t i = 0; readback.unknown_count == 0 && i < POINTS; i++) {
		struct fw_point point = packet(FW_RB_OUTPUT);
		bool must = fw_space_contains(&spaces, readback.must[FW_RB_OUTPUT], &point);
		bool may = fw_space_contains(&spaces, readback.may[FW_RB_OUTPUT], &point);
		bool ever = false;
		for (unsigned way = 0; way < WAYS; way++) {
			bool passed = passes(&model, 0, &point, way);
			bool said = must || limited_passes(&readback, FW_RB_OUTPUT, &point, way);
			ck_assert_msg(passed == said, "way %u, seed %lu", way, seed);
			ever = ever || passed;
		}
		ck_assert_msg(may == ever, "seed %lu", seed);
	}
}
END_TEST

/* Most random programs with limits say something that can be told. */
START_TEST(limits_are_mostly_understood) {
	size_t understood = 0;
	for (int i = 0; i < LOOPS; i++) {
		struct model_program model;
		struct fw_readback readback;
		model_seed(i);
		random_program(&model, true, false);
		model.chains[0].hook = FW_RB_OUTPUT;
		run(&model, &readback);
		understood += readback.unknown_count == 0 && readback.rated_count != 0;
	}
	ck_assert_uint_gt(understood, LOOPS / 20);
}
END_TEST

/* What rules perhaps match makes no difference, or is unknown. */
START_TEST(guesses_make_no_difference) {
	unsigned long seed = model_seed(_i);
	struct model_program model;
	struct fw_readback readback;
	random_program(&model, _i % 2 == 0, false);
	add_guesses(&model);
	model.chains[0].hook = FW_RB_OUTPUT;
	run(&model, &readback);
	for (size_t i = 0; readback.unknown_count == 0 && i < POINTS; i++) {
		struct fw_point point = packet(FW_RB_OUTPUT);
		bool must = fw_space_contains(&spaces, readback.must[FW_RB_OUTPUT], &point);
		for (unsigned way = 0; way < WAYS; way++) {
			bool said = must || limited_passes(&readback, FW_RB_OUTPUT, &point, way);
			for (unsigned guess = 0; guess < GUESSES; guess++) {
				ck_assert_msg(passes_if(&model, 0, &point, way, guess) == said,
					"way %u, guess %u, seed %lu", way, guess, seed);
			}
		}
	}
}
END_TEST

START_TEST(guesses_are_mostly_understood) {
	size_t understood = 0;
	for (int i = 0; i < LOOPS; i++) {
		struct model_program model;
		struct fw_readback readback;
		model_seed(i);
		random_program(&model, false, false);
		add_guesses(&model);
		model.chains[0].hook = FW_RB_OUTPUT;
		run(&model, &readback);
		understood += readback.unknown_count == 0;
	}
	ck_assert_uint_gt(understood, LOOPS / 20);
}
END_TEST

/* Before routing there is no out-interface, and before tracking no state. */
START_TEST(chains_at_the_edge_see_less) {
	unsigned long seed = model_seed(_i);
	struct model_program model;
	struct fw_readback readback;
	random_program(&model, false, false);
	model.chains[0].edge = _i % 3 == 0 ? FW_RB_BEHIND_ROUTING : FW_RB_BEFORE_ROUTING;
	model.chains[0].priority = _i % 2 == 0 ? -300 : -150;
	run(&model, &readback);
	for (size_t i = 0; i < POINTS; i++) {
		enum fw_rb_hook hook = (enum fw_rb_hook)(1 + model_random(3));
		struct fw_point point = packet(hook), seen = point;
		bool before = model.chains[0].edge == FW_RB_BEFORE_ROUTING;
		bool expected = hook == (before ? FW_RB_OUTPUT : FW_RB_INPUT);
		if (before) {
			seen.values[FW_VAR_OUT] = fw_value(0);
		}
		if (before && model.chains[0].priority == -300 && seen.values[FW_VAR_IN].low != 1) {
			seen.values[FW_VAR_TRACKING] = fw_value(FW_TRACKING_INVALID);
			seen.values[FW_VAR_TRANSLATED] = fw_value(0);
		}
		expected = expected || passes(&model, 0, &seen, 0);
		ck_assert_msg(fw_space_contains(&spaces, readback.must[hook], &point) == expected,
			"seed %lu", seed);
	}
}
END_TEST

/* ---- translation ---- */

/* As it comes in; it is not known yet where it goes. */
static struct fw_point first_packet(void) {
	struct fw_point point = packet(FW_RB_INPUT);

	point.values[FW_VAR_HOOK] = fw_value(FW_RB_NONE);
	point.values[FW_VAR_TRACKING] = fw_value(FW_TRACKING_NEW);
	point.values[FW_VAR_TRANSLATED] = fw_value(0);
	return point;
}

/* Of the first chain, which is none of what comes in on lo. */
static bool is_rewritten(struct walk *walk) {
	return walk->point->values[FW_VAR_IN].low != LOOPBACK && walk_chain(walk, 0) == REWRITTEN;
}

START_TEST(translations_are_those_of_first_packets) {
	unsigned long seed = model_seed(_i);
	struct model_program model;
	struct fw_readback readback;
	random_program(&model, false, true);
	model.chains[0].nat = true;
	run(&model, &readback);
	ck_assert_uint_eq(readback.unknown_count, 0);
	for (size_t i = 0; i < POINTS; i++) {
		struct fw_point point = first_packet();
		size_t found = 0;
		struct walk walk = {.model = &model, .point = &point};
		bool expected = is_rewritten(&walk);
		for (size_t j = 0; j < readback.rewrite_count; j++) {
			const struct fw_rb_rewrite *one = &readback.rewrites[j];
			if (fw_space_contains(&spaces, one->set, &point)) {
				ck_assert(expected &&
					  one->address.low == walk.decided->rewrite.address.low);
				found++;
			}
		}
		ck_assert_msg(found == (expected ? 1 : 0), "seed %lu", seed);
	}
}
END_TEST

static bool is_doubtful(const struct fw_readback *readback, const struct fw_point *point) {
	for (size_t i = 0; i < readback->unknown_count; i++) {
		if (readback->unknowns[i].translated == FW_SPACE_EMPTY ||
			fw_space_contains(&spaces, readback->unknowns[i].translated, point)) {
			return true;
		}
	}
	return false;
}

/* Which packets are translated in a way that is not known is told, too. */
START_TEST(doubtful_translations_are_told) {
	unsigned long seed = model_seed(_i);
	struct model_program model;
	struct fw_readback readback;
	random_program(&model, false, true);
	add_guesses(&model);
	model.chains[0].nat = true;
	run(&model, &readback);
	for (size_t i = 0; i < POINTS; i++) {
		struct fw_point point = first_packet();
		uint64_t address = 0;
		for (size_t j = 0; j < readback.rewrite_count; j++) {
			if (fw_space_contains(&spaces, readback.rewrites[j].set, &point)) {
				address = readback.rewrites[j].address.low;
			}
		}
		for (unsigned guess = 0; guess < GUESSES && !is_doubtful(&readback, &point);
			guess++) {
			struct walk walk = {.model = &model, .point = &point, .guess = guess};
			ck_assert_msg((is_rewritten(&walk) ? walk.decided->rewrite.address.low
							   : 0) == address,
				"guess %u, seed %lu", guess, seed);
		}
	}
}
END_TEST

/* ---- two rule sets ---- */

START_TEST(composed_is_one_behind_the_other) {
	unsigned long seed = model_seed(_i);
	struct model_program models[2];
	struct fw_readback readbacks[2], both, together;
	for (size_t i = 0; i < 2; i++) {
		random_program(&models[i], false, false);
		models[i].chains[0].hook = FW_RB_INPUT;
		run(&models[i], &readbacks[i]);
	}
	ck_assert(fw_readback_compose(&arena, &spaces, &readbacks[0], &readbacks[1], &both));
	ck_assert_uint_eq(
		both.decision_count, readbacks[0].decision_count + readbacks[1].decision_count);
	for (size_t i = 0; i < POINTS; i++) {
		struct fw_point point = packet(FW_RB_INPUT);
		bool expected =
			passes(&models[0], 0, &point, 0) && passes(&models[1], 0, &point, 0);
		ck_assert_msg(
			fw_space_contains(&spaces, both.must[FW_RB_INPUT], &point) == expected,
			"seed %lu", seed);
		ck_assert_msg(fw_readback_decision(&spaces, &both, FW_RB_INPUT, &point)->accepts ==
				      expected,
			"seed %lu", seed);
	}
	ck_assert(fw_readback_compose(&arena, &spaces, &both, &readbacks[0], &together));
	ck_assert_uint_eq(together.must[FW_RB_INPUT], both.must[FW_RB_INPUT]);
}
END_TEST

static struct fw_rb_rule plain(fw_space match, enum fw_rb_action action) {
	return (struct fw_rb_rule){.match = match, .action = action, .place = {.text = "rule"}};
}

static struct fw_rb_rule limited(fw_space match, enum fw_rb_action action, size_t bucket) {
	struct fw_rb_rule rule = plain(match, action);

	rule.rate = (struct fw_rate){10 + (uint32_t)bucket, FW_SECOND, 5, false};
	rule.bucket = bucket;
	return rule;
}

START_TEST(composed_limits_stay_limits) {
	fw_space ssh = model_port(&spaces, IPPROTO_TCP, 22);
	const struct fw_rb_rule slow[] = {limited(ssh, FW_RB_ACCEPT, 0)};
	const struct fw_rb_rule open[] = {plain(ssh, FW_RB_ACCEPT)};
	const struct fw_rb_chain chains[] = {
		{.rules = slow, .rule_count = 1, .hook = FW_RB_INPUT, .drops = true, .seen = 1},
		{.rules = open, .rule_count = 1, .hook = FW_RB_INPUT, .drops = true, .seen = 1},
	};
	struct fw_readback first = {0}, second = {0}, both;
	ck_assert(fw_rb_run(&arena, &spaces, universe_of(),
		&(struct fw_rb_program){.chains = &chains[0], .chain_count = 1}, &first));
	ck_assert(fw_rb_run(&arena, &spaces, universe_of(),
		&(struct fw_rb_program){.chains = &chains[1], .chain_count = 1}, &second));
	ck_assert_uint_eq(first.rated_count, 1);
	ck_assert(fw_readback_compose(&arena, &spaces, &second, &first, &both));
	ck_assert_uint_eq(both.unknown_count, 0);
	ck_assert_uint_eq(both.rated_count, 1);
	ck_assert_uint_eq(both.rated[0].set, first.rated[0].set);
	ck_assert(fw_readback_compose(&arena, &spaces, &first, &first, &both));
	ck_assert_uint_eq(both.unknown_count, 1);
}
END_TEST

/* A filter that asks for what another rule set has changed by then, or will change. */
START_TEST(composed_translation_is_doubted) {
	static const struct {
		enum fw_rb_hook hook;
		enum fw_rb_edge edge;
		bool source, local;
		int priority;
		enum fw_var var;
		bool doubted;
	} cases[] = {
		{FW_RB_INPUT, FW_RB_NO_EDGE, true, true, 200, FW_VAR_SOURCE, true},
		{FW_RB_INPUT, FW_RB_NO_EDGE, true, true, 100, FW_VAR_SOURCE_PORT, true},
		{FW_RB_INPUT, FW_RB_NO_EDGE, true, true, 0, FW_VAR_SOURCE, false},
		{FW_RB_INPUT, FW_RB_NO_EDGE, true, true, 200, FW_VAR_DESTINATION, false},
		{FW_RB_INPUT, FW_RB_NO_EDGE, true, false, 200, FW_VAR_SOURCE, false},
		{FW_RB_OUTPUT, FW_RB_NO_EDGE, false, true, -150, FW_VAR_DESTINATION, true},
		{FW_RB_OUTPUT, FW_RB_NO_EDGE, false, true, 0, FW_VAR_DESTINATION, false},
		{FW_RB_NONE, FW_RB_BEFORE_ROUTING, false, false, -150, FW_VAR_PORT, true},
		{FW_RB_NONE, FW_RB_BEHIND_ROUTING, true, false, 150, FW_VAR_SOURCE, true},
	};
	const struct fw_rb_rule drop[] = {plain(
		fw_space_interval(&spaces, cases[_i].var, fw_value(9), fw_value(9)), FW_RB_DROP)};
	const struct fw_rb_rule translation[] = {{.match = FW_SPACE_ALL,
		.action = FW_RB_REWRITE,
		.rewrite = {.source = cases[_i].source, .address = {0, 1}, .family = FW_IPV4},
		.place = {.text = "nat"}}};
	const struct fw_rb_chain chains[] = {
		{.rules = drop,
			.rule_count = 1,
			.hook = cases[_i].hook,
			.edge = cases[_i].edge,
			.priority = cases[_i].priority,
			.seen = FW_SPACE_ALL},
		{.rules = translation,
			.rule_count = 1,
			.nat = true,
			.source = cases[_i].source,
			.local = cases[_i].local,
			.seen = FW_SPACE_ALL},
	};
	struct fw_readback sides[2] = {{.rated = NULL}, {.rated = NULL}}, both, together = {0};

	for (size_t i = 0; i < 2; i++) {
		ck_assert(fw_rb_run(&arena, &spaces, universe_of(),
			&(struct fw_rb_program){.chains = &chains[i], .chain_count = 1},
			&sides[i]));
		ck_assert_uint_eq(sides[i].unknown_count, 0);
	}
	ck_assert(fw_rb_run(&arena, &spaces, universe_of(),
		&(struct fw_rb_program){.chains = chains, .chain_count = 2}, &together));
	ck_assert_int_eq(together.unknown_count != 0, cases[_i].doubted);
	for (size_t i = 0; i < 2; i++) {
		ck_assert(fw_readback_compose(&arena, &spaces, &sides[i], &sides[1 - i], &both));
		ck_assert_int_eq(both.unknown_count != 0, cases[_i].doubted);
	}
}
END_TEST

/* Out of room is said, and nothing else happens. */
START_TEST(exhaustion_is_told) {
	struct model_program model;
	struct fw_readback readback = {0};
	fw_spaces_fini(&spaces);
	fw_spaces_init(&spaces, &(struct fw_space_limits){.steps = 3000});
	model_seed(0);
	random_program(&model, true, false);
	model.chains[0].hook = model.chains[1].hook = FW_RB_INPUT;
	ck_assert(!fw_rb_run(&arena, &spaces, universe_of(), &model.program, &readback));
}
END_TEST

int main(void) {
	Suite *suite = suite_create("readback-run");
	TCase *one = tcase_create("run");
	tcase_add_checked_fixture(one, set_up, tear_down);
	tcase_set_timeout(one, 60);
	tcase_add_loop_test(one, verdicts_are_those_of_each_packet, 0, LOOPS);
	tcase_add_loop_test(one, decisions_name_the_rule, 0, LOOPS);
	tcase_add_loop_test(one, limits_let_through_what_they_say, 0, 2 * LOOPS);
	tcase_add_test(one, limits_are_mostly_understood);
	tcase_add_loop_test(one, guesses_make_no_difference, 0, 4 * LOOPS);
	tcase_add_test(one, guesses_are_mostly_understood);
	tcase_add_loop_test(one, chains_at_the_edge_see_less, 0, LOOPS);
	tcase_add_loop_test(one, translations_are_those_of_first_packets, 0, LOOPS);
	tcase_add_loop_test(one, composed_is_one_behind_the_other, 0, LOOPS);
	tcase_add_test(one, composed_limits_stay_limits);
	tcase_add_loop_test(one, composed_translation_is_doubted, 0, 9);
	tcase_add_loop_test(one, doubtful_translations_are_told, 0, 2 * LOOPS);
	tcase_add_test(one, exhaustion_is_told);
	suite_add_tcase(suite, one);
	SRunner *runner = srunner_create(suite);
	/* A process for each of some thousands costs a sanitizer more than all else. */
	srunner_set_fork_status(runner, CK_NOFORK);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
