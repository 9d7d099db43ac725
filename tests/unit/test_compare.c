// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What two policies differ in: random pairs against a naive judge, packet by packet; limits,
 * answers and translation one by one. FLOWFW_SEED gives other pairs than those of every run; one
 * that fails is made small and printed as two profiles.
 */

#include "meaning_model.h"
#include "model.h"

enum { BEFORE, AFTER, SIDES };
enum { PAIRS = 300, SAME = 60, POINTS = 300, LIMITED_MAX = 16, RANK_MAX = 4 };

/* ---- pairs and their comparison ---- */

struct pair {
	struct m_case sides[SIDES];
};

struct world {
	struct fw_arena arena;
	struct fw_spaces spaces;
	struct fw_interfaces interfaces;
	fw_space universe;
	struct fw_meaning meanings[SIDES];
	struct fw_comparison comparison;
};

static void world_fini(struct world *world) {
	fw_spaces_fini(&world->spaces);
	fw_arena_fini(&world->arena);
}

static void world_compare(
	struct world *world, const struct fw_policy *before, const struct fw_policy *after) {
	const struct fw_policy *policies[SIDES] = {before, after};

	fw_spaces_init(&world->spaces, NULL);
	world->universe =
		fw_space_universe(&world->spaces, fw_interfaces_count(&world->interfaces));
	for (size_t i = 0; i < SIDES; i++) {
		fw_meaning_init(&world->meanings[i], &world->arena, &world->spaces,
			&world->interfaces, policies[i]);
	}
	ck_assert(fw_compare(&world->arena, &world->spaces, &world->interfaces, before,
		&world->meanings[BEFORE], after, &world->meanings[AFTER], &world->comparison));
}

static void world_init(struct world *world, const struct pair *pair) {
	*world = (struct world){.interfaces = {.names = {m_interfaces, FW_LENGTH(m_interfaces)}}};
	const struct fw_policy *before = m_policy(&world->arena, &pair->sides[BEFORE]);
	world_compare(world, before, m_policy(&world->arena, &pair->sides[AFTER]));
}

/* ---- making pairs ---- */

static void limit_some(struct m_case *c) {
	for (size_t i = 0; i < c->service_count; i++) {
		bool limited = model_random(2) == 0;
		c->services[i].limited = limited ? (unsigned)model_random(FW_LENGTH(m_rates)) : 0;
	}
}

/* Something of a case, as a person would change it. */
static void change_one(struct m_case *c) {
	struct m_service *service = &c->services[model_random(c->service_count)];
	size_t group = model_random(M_GROUPS);

	switch (model_random(6)) {
	case 0:
		service->limited = (unsigned)model_random(FW_LENGTH(m_rates));
		break;
	case 1:
		c->groups[group].entries[0].range = m_range();
		break;
	case 2:
		service->ports = m_ports(M_LIST);
		break;
	case 3:
		service->from = m_peers();
		break;
	case 4:
		c->verdicts[FW_INPUT + model_random(3)] =
			(enum fw_verdict)(FW_DROP + model_random(4));
		break;
	default:
		*service = m_service();
		break;
	}
}

/* Mostly one that was changed a little. */
static void draw_pair(struct pair *pair) {
	m_draw(&pair->sides[BEFORE]);
	limit_some(&pair->sides[BEFORE]);
	pair->sides[AFTER] = pair->sides[BEFORE];
	if (model_random(4) == 0) {
		m_draw(&pair->sides[AFTER]);
		limit_some(&pair->sides[AFTER]);
	}
	for (size_t i = model_random(3); i > 0; i--) {
		change_one(&pair->sides[AFTER]);
	}
}

static struct fw_point draw_point(void) {
	static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_TCP, IPPROTO_TCP, IPPROTO_UDP,
		IPPROTO_ICMP, IPPROTO_ICMPV6, 2, 47, 132, 255};
	static const enum fw_tracking trackings[] = {FW_TRACKING_NEW, FW_TRACKING_NEW,
		FW_TRACKING_NEW, FW_TRACKING_UNTRACKED, FW_TRACKING_ESTABLISHED,
		FW_TRACKING_INVALID};
	struct fw_point point = {0};
	struct fw_addr *values = point.values;
	enum fw_hook hook = (enum fw_hook)(FW_INPUT + model_random(3));
	enum fw_family family = m_family();
	uint8_t protocol = protocols[model_random(FW_LENGTH(protocols))];

	values[FW_VAR_HOOK] = fw_value(hook);
	values[FW_VAR_IN] = fw_value(hook == FW_OUTPUT ? 0 : 1 + model_random(5));
	values[FW_VAR_OUT] = fw_value(hook == FW_INPUT ? 0 : 1 + model_random(5));
	values[FW_VAR_FAMILY] = fw_value(family);
	values[FW_VAR_PROTOCOL] = fw_value(protocol);
	values[FW_VAR_SOURCE] = m_address(family);
	values[FW_VAR_DESTINATION] = m_address(family);
	if (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == 132) {
		values[FW_VAR_SOURCE_PORT] = fw_value(m_number());
		values[FW_VAR_PORT] = fw_value(m_number());
	} else if (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6) {
		values[FW_VAR_SOURCE_PORT] = fw_value(model_random(2) * 134 + model_random(2));
		values[FW_VAR_PORT] = fw_value(model_random(4));
	}
	values[FW_VAR_HOP_LIMIT] = fw_value(family == FW_IPV6 ? 254 + model_random(2) : 0);
	values[FW_VAR_TRACKING] = fw_value(trackings[model_random(FW_LENGTH(trackings))]);
	return point;
}

/* ---- the judge ---- */

/* The limits by which a packet passes; none where it passes in any case. */
struct limits {
	bool passes, in_any_case;
	size_t services[M_SERVICES];
	size_t count;
};

static struct limits limits_of(const struct m_case *c, const struct fw_point *point) {
	struct limits limits = {
		.passes = m_passes(c, point, true), .in_any_case = m_passes(c, point, false)};

	for (size_t i = 0; limits.passes && !limits.in_any_case && i < c->service_count; i++) {
		if (c->services[i].limited != 0 && m_allows(c, &c->services[i], point)) {
			limits.services[limits.count++] = i;
		}
	}
	return limits;
}

/* Rates in the order of the generous; 0 is none. The last is the first by another name. */
static unsigned generosity(const struct m_case *c, const struct limits *limits) {
	static const unsigned ranks[FW_LENGTH(m_rates)] = {0, 1, 3, 2, 4, 1};
	unsigned most = 0;

	for (size_t i = 0; i < limits->count; i++) {
		unsigned rank = ranks[c->services[limits->services[i]].limited];
		most = rank > most ? rank : most;
	}
	return most;
}

static unsigned rank_of(const struct fw_rate *rate) {
	if (rate->count == 0) {
		return 0;
	}
	return rate->per_source ? 4 : rate->unit == FW_SECOND ? 3 : rate->burst == 20 ? 2 : 1;
}

/* Whether both sides let the packet pass by limits of services that are the same in all. */
static bool same_services(
	const struct pair *pair, const struct limits *before, const struct limits *after) {
	const struct m_case *a = &pair->sides[BEFORE], *b = &pair->sides[AFTER];
	bool same = before->count == after->count &&
		    memcmp(a->groups, b->groups, sizeof(a->groups)) == 0;

	for (size_t i = 0; same && i < before->count; i++) {
		same = memcmp(&a->services[before->services[i]], &b->services[after->services[i]],
			       sizeof(struct m_service)) == 0;
	}
	return same;
}

/* The only difference that a packet is in; NULL: none. More than one are too many. */
static const struct fw_difference *find_difference(
	const struct world *world, const struct fw_point *point) {
	const struct fw_difference *found = NULL;

	for (size_t i = 0; i < world->comparison.difference_count; i++) {
		const struct fw_difference *difference = &world->comparison.differences[i];
		if (fw_space_contains(&world->spaces, difference->set, point)) {
			ck_assert_msg(found == NULL, "a packet is in two differences");
			found = difference;
		}
	}
	return found;
}

/* What is wrong about a packet; NULL: nothing. */
static const char *mistake(
	const struct world *world, const struct pair *pair, const struct fw_point *point) {
	const struct limits before = limits_of(&pair->sides[BEFORE], point);
	const struct limits after = limits_of(&pair->sides[AFTER], point);
	unsigned from = generosity(&pair->sides[BEFORE], &before);
	unsigned to = generosity(&pair->sides[AFTER], &after);
	const struct fw_difference *difference = find_difference(world, point);
	enum fw_change change = difference != NULL ? difference->change : FW_CHANGE_NONE;

	if (difference != NULL && difference->hook != point->values[FW_VAR_HOOK].low) {
		return "it is in a difference of another hook";
	}
	if (before.passes != after.passes) {
		enum fw_change wanted = after.passes ? FW_NEWLY_ALLOWED : FW_NEWLY_DENIED;
		return change != wanted ? "only one side lets it pass"
		       : after.passes && rank_of(&difference->after) != to ? "its rate is another"
									   : NULL;
	}
	if (change == FW_NEWLY_ALLOWED || change == FW_NEWLY_DENIED) {
		return "both sides treat it alike";
	}
	if (change == FW_RATE_CHANGED) {
		return same_services(pair, &before, &after) ? "its limits are the same"
		       : rank_of(&difference->before) != from || rank_of(&difference->after) != to
			       ? "its rates are others"
			       : NULL;
	}
	return from != to ? "its rate changed" : NULL;
}

/* ---- random pairs ---- */

static bool is_mistaken(const struct pair *pair, const struct fw_point *point) {
	FW_AUTO(world_fini) struct world world;

	world_init(&world, pair);
	return fw_space_contains(&world.spaces, world.universe, point) &&
	       mistake(&world, pair, point) != NULL;
}

/* One side is being made smaller, the other stays. */
struct shrinking {
	const struct pair *pair;
	size_t side;
	const struct fw_point *point;
};

static bool still_mistaken(const struct m_case *c, const void *context) {
	const struct shrinking *shrinking = context;
	struct pair pair = *shrinking->pair;

	pair.sides[shrinking->side] = *c;
	return is_mistaken(&pair, shrinking->point);
}

static void report(const struct pair *pair, const struct fw_point *point, const char *what) {
	FW_AUTO(fw_buf_fini) struct fw_buf text = {0};
	const struct fw_interfaces interfaces = {.names = {m_interfaces, FW_LENGTH(m_interfaces)}};
	const struct fw_words words = {.interfaces = &interfaces};
	struct pair small = *pair;

	for (size_t i = 0; i < SIDES; i++) {
		struct m_case side = small.sides[i];
		const struct shrinking shrinking = {&small, i, point};
		m_shrink(&side, still_mistaken, &shrinking);
		small.sides[i] = side;
	}
	for (size_t i = 0; i < SIDES; i++) {
		fw_buf_add_text(&text, i == BEFORE ? "# before\n" : "# after\n");
		m_print(&small.sides[i], &text);
	}
	fw_point_format(&words, point, &text);
	ck_abort_msg("%s: the packet at the end\n%s", what, text.data);
}

START_TEST(each_packet_is_in_its_difference) {
	struct pair pair;
	FW_AUTO(world_fini) struct world world;

	model_seed(_i);
	draw_pair(&pair);
	world_init(&world, &pair);
	for (int i = 0; i < POINTS; i++) {
		const struct fw_point point = draw_point();
		if (fw_space_contains(&world.spaces, world.universe, &point) &&
			mistake(&world, &pair, &point) != NULL) {
			report(&pair, &point, mistake(&world, &pair, &point));
		}
	}
}
END_TEST

/* How many buckets of a rate two packets share. */
static size_t shared_buckets(const struct m_case *c, const struct fw_point *one_point,
	const struct fw_point *other, unsigned rank) {
	const struct limits a = limits_of(c, one_point), b = limits_of(c, other);
	size_t shared = 0;

	for (size_t i = 0; i < a.count; i++) {
		for (size_t j = 0; j < b.count; j++) {
			const struct limits only = {.services = {a.services[i]}, .count = 1};
			shared += a.services[i] == b.services[j] && generosity(c, &only) == rank;
		}
	}
	return shared;
}

/* Packets without a difference share buckets as they did. */
START_TEST(buckets_are_shared_as_before) {
	struct pair pair;
	FW_AUTO(world_fini) struct world world;
	struct fw_point points[LIMITED_MAX];
	size_t count = 0;

	model_seed(_i);
	draw_pair(&pair);
	world_init(&world, &pair);
	for (int i = 0; i < POINTS && count < LIMITED_MAX; i++) {
		points[count] = draw_point();
		const struct limits before = limits_of(&pair.sides[BEFORE], &points[count]);
		const struct limits after = limits_of(&pair.sides[AFTER], &points[count]);
		bool limited_twice = before.count != 0 && after.count != 0;
		count += limited_twice && find_difference(&world, &points[count]) == NULL &&
			 fw_space_contains(&world.spaces, world.universe, &points[count]);
	}
	for (size_t i = 0; i < count * count; i++) {
		const struct fw_point *a = &points[i / count], *b = &points[i % count];
		bool one_hook = a->values[FW_VAR_HOOK].low == b->values[FW_VAR_HOOK].low;
		for (unsigned rank = 1; one_hook && rank <= RANK_MAX; rank++) {
			ck_assert_uint_eq(shared_buckets(&pair.sides[BEFORE], a, b, rank),
				shared_buckets(&pair.sides[AFTER], a, b, rank));
		}
	}
}
END_TEST

/* What is in a difference is there for a reason, to begin with the packet that stands for it. */
START_TEST(each_difference_has_its_packets) {
	struct pair pair;
	FW_AUTO(world_fini) struct world world;

	model_seed(_i);
	draw_pair(&pair);
	world_init(&world, &pair);
	for (size_t i = 0; i < world.comparison.difference_count; i++) {
		fw_space set = world.comparison.differences[i].set;
		ck_assert_uint_ne(set, FW_SPACE_EMPTY);
		ck_assert(fw_space_is_subset(&world.spaces, set, world.universe));
		const struct fw_point witness = fw_space_witness(&world.spaces, set);
		const char *what = mistake(&world, &pair, &witness);
		if (what != NULL) {
			report(&pair, &witness, what);
		}
	}
	bool sets = world.comparison.difference_count != 0;
	ck_assert(!sets || !world.comparison.equal);
}
END_TEST

/* Forwards, each set is what backwards the other is. */
START_TEST(backwards_is_the_other_way_round) {
	struct pair pair, turned;
	FW_AUTO(world_fini) struct world world;
	FW_AUTO(world_fini) struct world back;

	model_seed(_i);
	draw_pair(&pair);
	turned.sides[BEFORE] = pair.sides[AFTER];
	turned.sides[AFTER] = pair.sides[BEFORE];
	world_init(&world, &pair);
	world_init(&back, &turned);
	ck_assert_int_eq(world.comparison.equal, back.comparison.equal);
	for (int i = 0; i < POINTS; i++) {
		const struct fw_point point = draw_point();
		const struct fw_difference *one = find_difference(&world, &point);
		const struct fw_difference *other = find_difference(&back, &point);
		ck_assert_int_eq(one == NULL, other == NULL);
		if (one != NULL && one->change == FW_RATE_CHANGED) {
			ck_assert_int_eq(other->change, FW_RATE_CHANGED);
			ck_assert_uint_eq(rank_of(&one->before), rank_of(&other->after));
		} else if (one != NULL) {
			ck_assert_int_ne(one->change, other->change);
		}
	}
}
END_TEST

/* ---- the same, written otherwise ---- */

/* Services and entries in another order, and one without a limit twice. */
static void write_otherwise(struct m_case *c) {
	for (size_t i = c->service_count; i > 1; i--) {
		size_t other = model_random(i);
		struct m_service swapped = c->services[i - 1];
		c->services[i - 1] = c->services[other];
		c->services[other] = swapped;
	}
	for (size_t group = 0; group < M_GROUPS; group++) {
		for (size_t i = c->groups[group].count; i > 1; i--) {
			size_t other = model_random(i);
			struct m_entry swapped = c->groups[group].entries[i - 1];
			c->groups[group].entries[i - 1] = c->groups[group].entries[other];
			c->groups[group].entries[other] = swapped;
		}
	}
	if (c->service_count < M_SERVICES && c->services[0].limited == 0) {
		c->services[c->service_count++] = c->services[0];
	}
}

START_TEST(what_is_written_otherwise_is_equal) {
	struct pair pair;
	FW_AUTO(world_fini) struct world world;

	model_seed(_i);
	m_draw(&pair.sides[BEFORE]);
	limit_some(&pair.sides[BEFORE]);
	pair.sides[AFTER] = pair.sides[BEFORE];
	write_otherwise(&pair.sides[AFTER]);
	world_init(&world, &pair);
	ck_assert_uint_eq(world.comparison.difference_count, 0);
	ck_assert(world.comparison.equal);
}
END_TEST

/* ---- one thing at a time ---- */

static struct world one;

static void one_set_up(void) {
	model_set_up();
	one = (struct world){0};
}

static void one_tear_down(void) {
	world_fini(&one);
	model_tear_down();
}

/* The policy so far, and room for the next one. */
static struct fw_policy taken(void) {
	struct fw_policy policy = *model_policy();

	model.flow_count = 0;
	return policy;
}

static const struct fw_comparison *compared(
	const struct fw_policy *before, const struct fw_policy *after) {
	const struct fw_policy *both[] = {before, after};

	fw_spaces_fini(&one.spaces);
	one.interfaces = fw_interfaces_of(&one.arena, both, FW_LENGTH(both));
	world_compare(&one, before, after);
	return &one.comparison;
}

static struct fw_policy limited(const char *ports, const char *rate) {
	struct fw_flow *flow = model_flow(FW_INPUT, "ssh", ports);

	if (rate != NULL) {
		ck_assert_int_eq(fw_rate_parse(fw_slice(rate), &flow->limit), FW_NET_NONE);
	}
	return taken();
}

static const struct {
	const char *before, *after; /* NULL: no limit */
	bool differ;
} rates[] = {
	{"10/minute", "10/minute burst 5", false},
	{"10/minute", "10000/second", true},
	{"10/minute", "10/minute burst 6", true},
	{"10/minute", "10/minute per source", true},
	{"60/minute", "1/second", false},
	{"24/day", "1/hour", false},
	{"24/day", "2/hour", true},
	{"10/minute", NULL, true},
	{NULL, "10/minute", true},
	{NULL, NULL, false},
};

START_TEST(rates_count) {
	const struct fw_policy before = limited("22/tcp", rates[_i].before);
	const struct fw_policy after = limited("22/tcp", rates[_i].after);
	const struct fw_comparison *comparison = compared(&before, &after);

	ck_assert_int_eq(comparison->equal, !rates[_i].differ);
	ck_assert_uint_eq(comparison->difference_count, rates[_i].differ);
	if (rates[_i].differ) {
		const struct fw_difference *difference = &comparison->differences[0];
		ck_assert_int_eq(difference->change, FW_RATE_CHANGED);
		ck_assert_int_eq(difference->before.count == 0, rates[_i].before == NULL);
		ck_assert_int_eq(difference->after.count == 0, rates[_i].after == NULL);
	}
}
END_TEST

/* As many flows as lists of ports, all at one rate. */
static struct fw_policy in_buckets(const char *const lists[], size_t count) {
	for (size_t i = 0; i < count && lists[i] != NULL; i++) {
		const char *service = fw_arena_printf(&model.arena, "s%zu", i);
		model_flow(FW_INPUT, service, lists[i])->limit =
			(struct fw_rate){10, FW_MINUTE, 5, false};
	}
	return taken();
}

static const struct {
	const char *before[3], *after[3];
	size_t ports; /* that differ, of 22, 23 and 24 */
} buckets[] = {
	{{"22/tcp", "23/tcp"}, {"23/tcp", "22/tcp"}, 0},
	{{"22/tcp,23/tcp"}, {"22/tcp", "23/tcp"}, 2},
	{{"22/tcp", "23/tcp"}, {"22/tcp,23/tcp"}, 2},
	{{"22/tcp,23/tcp", "24/tcp"}, {"22/tcp", "23/tcp,24/tcp"}, 3},
	{{"22/tcp,23/tcp", "24/tcp"}, {"22/tcp", "24/tcp", "23/tcp"}, 2},
	{{"22/tcp"}, {"22/tcp", "22/tcp"}, 1},
	{{"22/tcp", "22/tcp"}, {"22/tcp"}, 1},
	{{"22/tcp", "22/tcp,23/tcp"}, {"22/tcp,23/tcp", "22/tcp"}, 0},
	{{"22/tcp", "22/tcp,23/tcp"}, {"22/tcp,23/tcp"}, 1},
};

START_TEST(buckets_count) {
	const struct fw_policy before = in_buckets(buckets[_i].before, 3);
	const struct fw_policy after = in_buckets(buckets[_i].after, 3);
	const struct fw_comparison *comparison = compared(&before, &after);
	size_t ports = 0;

	ck_assert_int_eq(comparison->equal, buckets[_i].ports == 0);
	ck_assert_uint_le(comparison->difference_count, 1);
	for (uint64_t port = 22; comparison->difference_count != 0 && port <= 24; port++) {
		const struct fw_difference *difference = &comparison->differences[0];
		ck_assert_int_eq(difference->change, FW_RATE_CHANGED);
		ck_assert_uint_eq(difference->before.count, 10);
		ck_assert_uint_eq(difference->after.count, 10);
		ports += fw_space_intersect(&one.spaces, difference->set,
				 fw_space_interval(&one.spaces, FW_VAR_PORT, fw_value(port),
					 fw_value(port))) != FW_SPACE_EMPTY;
	}
	ck_assert_uint_eq(ports, buckets[_i].ports);
}
END_TEST

/* Who is left in a bucket that others left does not notice. */
START_TEST(leaving_a_bucket_is_no_change_for_others) {
	const struct fw_policy before = limited("22/tcp,23/tcp", "10/minute");
	const struct fw_policy after = limited("22/tcp", "10/minute");
	const struct fw_comparison *comparison = compared(&before, &after);

	ck_assert_uint_eq(comparison->difference_count, 1);
	ck_assert_int_eq(comparison->differences[0].change, FW_NEWLY_DENIED);
}
END_TEST

START_TEST(a_limit_of_what_passes_anyway_is_none) {
	model_flow(FW_INPUT, "all", "1-65535/tcp");
	const struct fw_policy before = limited("22/tcp", "10/minute");
	model_flow(FW_INPUT, "everything", "1-65535/tcp");
	const struct fw_policy after = taken();

	ck_assert(compared(&before, &after)->equal);
}
END_TEST

START_TEST(new_packets_come_by_their_rates) {
	model_flow(FW_INPUT, "telnet", "23/tcp");
	const struct fw_policy after = limited("22/tcp", "10/minute");
	const struct fw_policy before = taken();
	const struct fw_comparison *comparison = compared(&before, &after);

	ck_assert_uint_eq(comparison->difference_count, 2);
	ck_assert_int_eq(comparison->differences[0].change, FW_NEWLY_ALLOWED);
	ck_assert_uint_eq(comparison->differences[0].after.count, 0);
	ck_assert_int_eq(comparison->differences[1].change, FW_NEWLY_ALLOWED);
	ck_assert_uint_eq(comparison->differences[1].after.count, 10);
}
END_TEST

/* ---- verdicts ---- */

static const struct {
	enum fw_verdict before, after;
	bool answers_differ, sets_differ;
} verdicts[] = {
	{FW_DROP, FW_DROP, false, false},
	{FW_DROP, FW_REJECT, true, false},
	{FW_REJECT, FW_DROP, true, false},
	{FW_DROP, FW_ACCEPT, false, true},
	{FW_ACCEPT, FW_REJECT, false, true},
	{FW_ACCEPT, FW_UNTOUCHED, false, true}, /* what is invalid */
	{FW_UNTOUCHED, FW_DROP, false, true},
};

START_TEST(verdicts_count) {
	struct fw_policy before = taken(), after = before;

	before.hooks[FW_FORWARD].verdict = verdicts[_i].before;
	after.hooks[FW_FORWARD].verdict = verdicts[_i].after;
	const struct fw_comparison *comparison = compared(&before, &after);
	ck_assert_int_eq(comparison->answers_differ[FW_FORWARD], verdicts[_i].answers_differ);
	ck_assert_int_eq(comparison->difference_count != 0, verdicts[_i].sets_differ);
	ck_assert_int_eq(
		comparison->equal, !verdicts[_i].answers_differ && !verdicts[_i].sets_differ);
}
END_TEST

/* Nobody hears an answer where all are let in; up to a limit, some do. */
START_TEST(answers_to_nobody_are_none) {
	model_clause(
		model_flow(FW_INPUT, "tcp", NULL), (struct fw_clause){.protocol = IPPROTO_TCP});
	struct fw_clause *clauses = FW_ARENA_ARRAY(&model.arena, struct fw_clause, UINT8_MAX + 1);
	for (unsigned i = 0; i <= UINT8_MAX; i++) {
		clauses[i].protocol = (uint8_t)i;
	}
	struct fw_flow *all = model_flow(FW_INPUT, "all", NULL);
	all->clauses = clauses;
	all->clause_count = UINT8_MAX + 1;
	all->limit = (struct fw_rate){.count = _i == 0 ? 0 : 1, .unit = FW_SECOND, .burst = 5};
	struct fw_policy before = taken(), after = before;
	after.hooks[FW_INPUT].verdict = FW_REJECT;
	ck_assert_int_eq(compared(&before, &after)->equal, _i == 0);
}
END_TEST

/* ---- translation ---- */

static const struct fw_forwarding forwardings[] = {
	{"one", "rest-api", FW_IPV4, IPPROTO_TCP, 18088, {0, 0x0a080011}, 8088, {0}},
	{"one", "node", FW_IPV4, IPPROTO_TCP, 15556, {0, 0x0a080011}, 5556, {0}},
};

static struct fw_policy gateway(void) {
	static const char *const outside[] = {"eth0"};
	struct fw_policy policy = taken();

	policy.translation = (struct fw_translation){
		.on = true,
		.entry = {outside, 1},
		.exit = {outside, 1},
		.outside_addresses = model_literal("outside", "198.51.100.7"),
		.forwardings = forwardings,
		.forwarding_count = FW_LENGTH(forwardings),
		.masqueraded = model_literal("nat_masquerade", "10.8.0.0/24"),
		.hairpin = model_literal("nat_hairpin", "10.8.0.0/24"),
		.hairpin_address = {[FW_IPV4] = {0, 0x0a080001}},
	};
	return policy;
}

START_TEST(names_of_forwarded_ports_are_words_only) {
	struct fw_forwarding others[] = {forwardings[1], forwardings[0]};
	const struct fw_policy before = gateway();
	struct fw_policy after = gateway();

	others[0].device = "another";
	others[1].service = "api";
	after.translation.forwardings = others;
	ck_assert(compared(&before, &after)->equal);
}
END_TEST

START_TEST(forwarded_ports_count) {
	struct fw_forwarding others[] = {forwardings[0], forwardings[1]};
	const struct fw_policy before = gateway();
	struct fw_policy after = gateway();

	others[1].port = 5557;
	after.translation.forwardings = others;
	const struct fw_comparison *comparison = compared(&before, &after);
	ck_assert(!comparison->equal);
	ck_assert_uint_eq(comparison->no_longer_count, 1);
	ck_assert_uint_eq(comparison->newly_count, 1);
	ck_assert_uint_eq(comparison->no_longer_forwarded[0]->port, 5556);
	ck_assert_uint_eq(comparison->newly_forwarded[0]->port, 5557);
	after.translation.forwarding_count = 1;
	comparison = compared(&before, &after);
	ck_assert_uint_eq(comparison->no_longer_count, 1);
	ck_assert_uint_eq(comparison->newly_count, 0);
}
END_TEST

START_TEST(networks_are_compared_by_addresses) {
	const struct fw_policy before = gateway();
	struct fw_policy after = gateway();

	after.translation.masqueraded =
		model_literal("nat_masquerade", "10.8.0.128/25 10.8.0.0/25");
	after.translation.hairpin = model_literal("nat_hairpin", "10.8.0.0-10.8.0.255");
	ck_assert(compared(&before, &after)->equal);
	after.translation.masqueraded = model_literal("nat_masquerade", "10.8.0.0/23");
	ck_assert(compared(&before, &after)->masquerade_differs);
	after.translation.masqueraded = NULL;
	ck_assert(compared(&before, &after)->masquerade_differs);
	ck_assert(!one.comparison.hairpin_differs);
}
END_TEST

START_TEST(ends_of_translation_count) {
	static const char *const others[] = {"eth0", "eth1"};
	const struct fw_policy before = gateway();
	struct fw_policy after = gateway();

	after.translation.entry = (struct fw_names){others, 2};
	const struct fw_comparison *comparison = compared(&before, &after);
	ck_assert(comparison->entry_differs && !comparison->masquerade_differs);
	ck_assert(!comparison->equal);
	after = gateway();
	after.translation.exit = (struct fw_names){others, 2};
	comparison = compared(&before, &after);
	ck_assert(comparison->masquerade_differs && !comparison->entry_differs);
	after = gateway();
	after.translation.outside_addresses = model_literal("outside", "198.51.100.8");
	comparison = compared(&before, &after);
	ck_assert(comparison->outside_differs && !comparison->entry_differs);
	after = gateway();
	after.translation.hairpin_address[FW_IPV4] = fw_value(0x0a080002);
	comparison = compared(&before, &after);
	ck_assert(comparison->hairpin_differs && !comparison->outside_differs);
}
END_TEST

/* A gateway that translates nothing is, in that, like a host. */
START_TEST(nothing_translated_is_nothing) {
	const struct fw_policy host = taken();
	struct fw_policy before = gateway();

	before.translation.forwarding_count = 0;
	before.translation.masqueraded = NULL;
	ck_assert(compared(&before, &host)->equal);
}
END_TEST

/* ---- bounds ---- */

START_TEST(too_much_is_said_to_be) {
	const struct fw_space_limits limits = {.steps = 20};
	const struct fw_policy before = limited("22/tcp", "10/minute");
	const struct fw_policy after = limited("1-65535/udp", NULL);
	struct fw_comparison comparison;

	fw_spaces_init(&one.spaces, &limits);
	for (size_t i = 0; i < SIDES; i++) {
		fw_meaning_init(&one.meanings[i], &one.arena, &one.spaces, &one.interfaces,
			i == BEFORE ? &before : &after);
	}
	ck_assert(!fw_compare(&one.arena, &one.spaces, &one.interfaces, &before,
		&one.meanings[BEFORE], &after, &one.meanings[AFTER], &comparison));
}
END_TEST

int main(void) {
	Suite *suite = suite_create("compare");
	TCase *random = tcase_create("random");
	TCase *single = tcase_create("one thing");

	tcase_set_timeout(random, 60);
	tcase_add_loop_test(random, each_packet_is_in_its_difference, 0, PAIRS);
	tcase_add_loop_test(random, buckets_are_shared_as_before, 0, PAIRS);
	tcase_add_loop_test(random, each_difference_has_its_packets, 0, PAIRS);
	tcase_add_loop_test(random, backwards_is_the_other_way_round, 0, SAME);
	tcase_add_loop_test(random, what_is_written_otherwise_is_equal, 0, SAME);
	suite_add_tcase(suite, random);
	tcase_add_checked_fixture(single, one_set_up, one_tear_down);
	tcase_add_loop_test(single, rates_count, 0, FW_LENGTH(rates));
	tcase_add_loop_test(single, buckets_count, 0, FW_LENGTH(buckets));
	tcase_add_test(single, leaving_a_bucket_is_no_change_for_others);
	tcase_add_test(single, a_limit_of_what_passes_anyway_is_none);
	tcase_add_test(single, new_packets_come_by_their_rates);
	tcase_add_loop_test(single, verdicts_count, 0, FW_LENGTH(verdicts));
	tcase_add_loop_test(single, answers_to_nobody_are_none, 0, 2);
	tcase_add_test(single, names_of_forwarded_ports_are_words_only);
	tcase_add_test(single, forwarded_ports_count);
	tcase_add_test(single, networks_are_compared_by_addresses);
	tcase_add_test(single, ends_of_translation_count);
	tcase_add_test(single, nothing_translated_is_nothing);
	tcase_add_test(single, too_much_is_said_to_be);
	suite_add_tcase(suite, single);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
