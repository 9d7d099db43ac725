// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sets in canonical order, flows in canonical order, families, features.
 */

#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"

static struct fw_arena arena;

static void set_up(void) {
	arena = (struct fw_arena){0};
}

static void tear_down(void) {
	fw_arena_fini(&arena);
}

/* Two port lists, the first before the second in order. */
static const struct fw_ports port_80[] = {{80, 80}};
static const struct fw_ports port_81[] = {{81, 81}};
static const struct fw_port_list list_80 = {.tcp = port_80, .tcp_count = 1};
static const struct fw_port_list list_81 = {.tcp = port_81, .tcp_count = 1};

static struct fw_endpoint endpoint(const char *text, const char *name) {
	struct fw_endpoint result = {.name = name};
	ck_assert_int_eq(fw_range_parse(fw_slice(text), &result.range), FW_NET_NONE);
	return result;
}

/* A set from texts, with `@80` and `@81` behind those that have ports of their own. */
static struct fw_set *set_of(const char *name, const char *const *texts) {
	struct fw_set *set = FW_ARENA_NEW(&arena, struct fw_set);
	size_t count = 0;
	while (texts[count] != NULL) {
		count++;
	}
	struct fw_endpoint *endpoints = FW_ARENA_ARRAY(&arena, struct fw_endpoint, count);
	for (size_t i = 0; i < count; i++) {
		struct fw_slice rest = fw_slice(texts[i]);
		struct fw_slice address = fw_slice_cut(&rest, '@');
		endpoints[i] = endpoint(fw_arena_text(&arena, address), NULL);
		if (rest.data != NULL) {
			endpoints[i].own = fw_slice_is(rest, "80") ? &list_80 : &list_81;
		}
	}
	set->name = name;
	fw_set_resolve(set, endpoints, count);
	return set;
}

/* The members of all families in words, own ports behind '@', the two parts apart by '|'. */
static const char *words(const struct fw_set *set) {
	static struct fw_buf buf;
	buf.length = 0;
	for (int family = FW_IPV4; family < FW_FAMILY_COUNT; family++) {
		const struct fw_members *members = &set->members[family];
		for (size_t i = 0; i < members->count; i++) {
			const struct fw_endpoint *item = &members->items[i];
			fw_buf_add_text(&buf, buf.length == 0 ? "" : " ");
			fw_buf_add_text(&buf, i == members->plain_count ? "| " : "");
			fw_range_format(&item->range, &buf);
			if (item->own != NULL) {
				fw_buf_add_text(&buf, item->own == &list_80 ? "@80" : "@81");
			}
		}
	}
	return buf.length != 0 ? buf.data : "";
}

enum { TEXTS_MAX = 6 };

static const struct {
	const char *given[TEXTS_MAX];
	const char *wanted;
} resolutions[] = {
	{{"10.0.0.2", "10.0.0.1"}, "10.0.0.1 10.0.0.2"},
	{{"10.0.0.1", "10.0.0.1"}, "10.0.0.1"},
	/* Nested ranges go, whichever comes first. */
	{{"10.0.0.5", "10.0.0.0/24"}, "10.0.0.0/24"},
	{{"10.0.0.0/24", "10.0.0.0/8", "10.0.0.9"}, "10.0.0.0/8"},
	/* Partial overlap is joined. */
	{{"10.0.0.1-10.0.0.9", "10.0.0.5-10.0.0.20"}, "10.0.0.1-10.0.0.20"},
	{{"10.0.0.1-10.0.0.9", "10.0.0.9-10.0.0.20", "10.0.0.20"}, "10.0.0.1-10.0.0.20"},
	/* What merely touches stays as it was written. */
	{{"10.0.0.0/25", "10.0.0.128/25"}, "10.0.0.0/25 10.0.0.128/25"},
	/* Families apart, IPv4 first. */
	{{"2001:db8::1", "10.0.0.1"}, "10.0.0.1 2001:db8::1"},
	{{"::/0", "2001:db8::1", "0.0.0.0/0"}, "0.0.0.0/0 ::/0"},
	/* Ends of the number line. */
	{{"255.255.255.255", "255.255.255.254/31"}, "255.255.255.254/31"},
	/* Own ports: behind, and joined only with the same ports. */
	{{"10.0.0.1@80", "10.0.0.2"}, "10.0.0.2 | 10.0.0.1@80"},
	{{"10.0.0.1@80", "10.0.0.1"}, "10.0.0.1 | 10.0.0.1@80"},
	{{"10.0.0.1@81", "10.0.0.1@80"}, "| 10.0.0.1@80 10.0.0.1@81"},
	{{"10.0.0.0/24@81", "10.0.0.5@80", "10.0.0.7@81"}, "| 10.0.0.0/24@81 10.0.0.5@80"},
	{{"10.0.0.0/24@80", "10.0.0.5@80", "10.0.0.4@81"}, "| 10.0.0.0/24@80 10.0.0.4@81"},
};

START_TEST(sets_are_resolved) {
	const struct fw_set *set = set_of("s", resolutions[_i].given);
	ck_assert_str_eq(words(set), resolutions[_i].wanted);
}
END_TEST

/* Whatever the order in the profile, the set is the same. */
START_TEST(order_of_entries_means_nothing) {
	size_t count = 0;
	const char *shuffled[TEXTS_MAX] = {NULL};
	while (resolutions[_i].given[count] != NULL) {
		count++;
	}
	for (size_t turn = 0; turn < count; turn++) {
		for (size_t i = 0; i < count; i++) {
			shuffled[i] = resolutions[_i].given[(i + turn) % count];
		}
		ck_assert_str_eq(words(set_of("s", shuffled)), resolutions[_i].wanted);
	}
}
END_TEST

START_TEST(equal_entries_keep_the_first_name) {
	struct fw_endpoint endpoints[] = {
		endpoint("10.0.0.1", "b"), endpoint("10.0.0.1", NULL), endpoint("10.0.0.1", "a")};
	struct fw_set set = {.name = "s"};
	fw_set_resolve(&set, endpoints, FW_LENGTH(endpoints));
	ck_assert_uint_eq(set.members[FW_IPV4].count, 1);
	ck_assert_str_eq(set.members[FW_IPV4].items[0].name, "a");
}
END_TEST

static const struct {
	const char *given[TEXTS_MAX];
	bool covers; /* all of IPv4 */
} covers[] = {
	{{"0.0.0.0/0"}, true},
	{{"0.0.0.0/1", "128.0.0.0/1"}, true},
	{{"0.0.0.0-127.0.0.0", "127.0.0.1-255.255.255.255"}, true},
	{{"0.0.0.0/0@80", "10.0.0.1"}, true},
	{{"0.0.0.0/1", "128.0.0.0/2"}, false},
	{{"0.0.0.0/1", "128.0.0.1-255.255.255.255"}, false},
	{{"128.0.0.0/1"}, false},
	{{"0.0.0.0/1@80", "128.0.0.0/1"}, false},
	{{"::/0"}, false},
};

START_TEST(a_set_may_cover_a_family) {
	const struct fw_set *set = set_of("s", covers[_i].given);
	ck_assert_int_eq(fw_set_covers(set, FW_IPV4), covers[_i].covers);
	const struct fw_side side = {.sets = &set, .set_count = 1};
	ck_assert_int_eq(fw_side_is_open(&side), covers[_i].covers || set->members[FW_IPV6].count);
}
END_TEST

START_TEST(a_set_of_nothing_is_empty) {
	struct fw_set set = {.name = "s"};
	fw_set_resolve(&set, NULL, 0);
	ck_assert_uint_eq(set.members[FW_IPV4].count + set.members[FW_IPV6].count, 0);
}
END_TEST

/* ---- flows ---- */

static const struct fw_clause tcp_22 = {.protocol = IPPROTO_TCP, .ports = port_80, .port_count = 1};
static const struct fw_clause icmp = {.family = FW_IPV4, .protocol = IPPROTO_ICMP};

static struct fw_side side_of(const struct fw_set *set) {
	const struct fw_set **sets = FW_ARENA_ARRAY(&arena, const struct fw_set *, 1);
	sets[0] = set;
	return (struct fw_side){.sets = sets, .set_count = 1};
}

START_TEST(flows_are_ordered) {
	static const char *const eth0[] = {"eth0"};
	const struct fw_set *b = set_of("b", (const char *const[]){"10.0.0.1", NULL});
	const struct fw_set *a = set_of("a", (const char *const[]){"10.0.0.2", NULL});
	const struct fw_set *all = set_of("all", (const char *const[]){"0.0.0.0/0", NULL});
	struct fw_flow flows[] = {
		{.hook = FW_OUTPUT, .service = "a", .clauses = &tcp_22, .clause_count = 1},
		{.hook = FW_INPUT,
			.service = "z",
			.clauses = &tcp_22,
			.clause_count = 1,
			.source = side_of(b)},
		{.hook = FW_INPUT,
			.service = "c",
			.clauses = &tcp_22,
			.clause_count = 1,
			.in_interfaces.items = eth0,
			.in_interfaces.count = 1},
		{.hook = FW_INPUT,
			.service = "c",
			.clauses = &tcp_22,
			.clause_count = 1,
			.source = side_of(a)},
		{.hook = FW_INPUT,
			.service = "zz",
			.base = true,
			.clauses = &tcp_22,
			.clause_count = 1,
			.source = side_of(b)},
		{.hook = FW_INPUT,
			.service = "y",
			.clauses = &tcp_22,
			.clause_count = 1,
			.source = side_of(a)},
		{.hook = FW_INPUT,
			.service = "b",
			.clauses = &tcp_22,
			.clause_count = 1,
			.source = side_of(all)},
	};
	struct fw_policy policy = {0};
	fw_policy_finish(&arena, &policy, flows, FW_LENGTH(flows));

	/* For listed peers; for anyone, as one flow of c is; under every profile. */
	static const char *const wanted[] = {"y", "z", "b", "c", "c", "zz", "a"};
	ck_assert_uint_eq(policy.flow_count, FW_LENGTH(wanted));
	for (size_t i = 0; i < FW_LENGTH(wanted); i++) {
		ck_assert_str_eq(policy.flows[i].service, wanted[i]);
	}
	ck_assert_uint_eq(policy.flows[3].in_interfaces.count, 0);
	ck_assert_uint_eq(policy.flows[4].in_interfaces.count, 1);
	ck_assert_uint_eq(policy.set_count, 3);
	ck_assert_ptr_eq(policy.sets[0], a);
	ck_assert_ptr_eq(policy.sets[1], all);
	ck_assert_ptr_eq(policy.sets[2], b);
}
END_TEST

START_TEST(a_flow_of_no_family_is_left_out) {
	const struct fw_set *v6 = set_of("v6", (const char *const[]){"2001:db8::1", NULL});
	const struct fw_set *v4 = set_of("v4", (const char *const[]){"10.0.0.1", NULL});
	struct fw_flow flows[] = {
		{.hook = FW_INPUT,
			.service = "ping",
			.clauses = &icmp,
			.clause_count = 1,
			.source = side_of(v6)},
		{.hook = FW_INPUT,
			.service = "mixed",
			.clauses = &tcp_22,
			.clause_count = 1,
			.source = side_of(v6),
			.destination = side_of(v4)},
		{.hook = FW_INPUT, .service = "good", .clauses = &icmp, .clause_count = 1},
	};
	struct fw_policy policy = {0};
	fw_policy_finish(&arena, &policy, flows, FW_LENGTH(flows));
	ck_assert_uint_eq(policy.flow_count, 1);
	ck_assert_str_eq(policy.flows[0].service, "good");
	ck_assert(fw_flow_has_family(&policy.flows[0], FW_IPV4));
	ck_assert(!fw_flow_has_family(&policy.flows[0], FW_IPV6));
	ck_assert_uint_eq(policy.set_count, 0);
}
END_TEST

START_TEST(own_ports_make_a_flow_without_clauses) {
	const struct fw_set *own = set_of("own", (const char *const[]){"10.0.0.1@80", NULL});
	const struct fw_set *none = set_of("none", (const char *const[]){"10.0.0.1", NULL});
	struct fw_flow with = {
		.hook = FW_OUTPUT, .service = "a", .own_ports = true, .destination = side_of(own)};
	struct fw_flow without = {
		.hook = FW_OUTPUT, .service = "a", .own_ports = true, .destination = side_of(none)};
	ck_assert(fw_flow_has_family(&with, FW_IPV4));
	ck_assert(!fw_flow_has_family(&with, FW_IPV6));
	ck_assert(!fw_flow_has_family(&without, FW_IPV4));
	ck_assert_ptr_eq(fw_flow_peers(&with), &with.destination);
}
END_TEST

/* ---- features ---- */

static void mark(void *context, enum fw_feature feature, struct fw_span span, const char *who) {
	unsigned *counts = context;
	(void)span;
	(void)who;
	counts[feature]++;
}

START_TEST(features_are_found) {
	static const struct fw_icmp_type with_code[] = {{3, 4}};
	static const char *const eth0[] = {"eth0"};
	const struct fw_set *set =
		set_of("s", (const char *const[]){"10.0.0.1-10.0.0.3", "10.0.0.9@80", NULL});
	const struct fw_clause clauses[] = {
		{.family = FW_IPV4, .protocol = IPPROTO_ICMP, .types = with_code, .type_count = 1},
		{.protocol = IPPROTO_UDP, .source_ports = port_80, .source_port_count = 1},
		{.family = FW_IPV4, .protocol = IPPROTO_IGMP},
		{.family = FW_IPV6, .protocol = IPPROTO_ICMPV6, .hop_limit = 255},
	};
	struct fw_flow flow = {.hook = FW_OUTPUT,
		.service = "all",
		.own_ports = true,
		.destination = side_of(set),
		.clauses = clauses,
		.clause_count = FW_LENGTH(clauses),
		.out_interfaces = {eth0, 1},
		.limit = {1, FW_MINUTE, 1, true},
		.log = {.on = true, .prefix = "x"}};
	flow.destination.except = set;
	struct fw_policy policy = {.flows = &flow,
		.flow_count = 1,
		.counters = true,
		.log = {.on = true},
		.hooks = {[FW_FORWARD] = {.verdict = FW_REJECT}},
		.translation = {.forwarding_count = 1, .masqueraded = set, .hairpin = set}};
	unsigned counts[FW_FEATURE_COUNT] = {0};
	fw_policy_features(&policy, mark, counts);
	for (int feature = FW_FEATURE_NONE + 1; feature < FW_FEATURE_COUNT; feature++) {
		unsigned wanted = feature == FW_FEATURE_LIMIT ? 0 : 1;
		ck_assert_msg(counts[feature] == wanted, "%s: %u", fw_feature_names[feature],
			counts[feature]);
	}
}
END_TEST

START_TEST(names_are_complete) {
	for (int feature = FW_FEATURE_NONE + 1; feature < FW_FEATURE_COUNT; feature++) {
		ck_assert_ptr_nonnull(fw_feature_names[feature]);
		ck_assert_ptr_nonnull(fw_feature_texts[feature]);
	}
	for (int i = 1; i < FW_VERDICT_COUNT; i++) {
		ck_assert_ptr_nonnull(fw_verdict_names[i]);
	}
	for (int i = 1; i < FW_PROVENANCE_COUNT; i++) {
		ck_assert_ptr_nonnull(fw_provenance_names[i]);
	}
}
END_TEST

int main(void) {
	Suite *suite = suite_create("policy");
	TCase *sets = tcase_create("sets");
	tcase_add_checked_fixture(sets, set_up, tear_down);
	tcase_add_loop_test(sets, sets_are_resolved, 0, FW_LENGTH(resolutions));
	tcase_add_loop_test(sets, order_of_entries_means_nothing, 0, FW_LENGTH(resolutions));
	tcase_add_loop_test(sets, a_set_may_cover_a_family, 0, FW_LENGTH(covers));
	tcase_add_test(sets, equal_entries_keep_the_first_name);
	tcase_add_test(sets, a_set_of_nothing_is_empty);
	suite_add_tcase(suite, sets);

	TCase *flows = tcase_create("flows");
	tcase_add_checked_fixture(flows, set_up, tear_down);
	tcase_add_test(flows, flows_are_ordered);
	tcase_add_test(flows, a_flow_of_no_family_is_left_out);
	tcase_add_test(flows, own_ports_make_a_flow_without_clauses);
	tcase_add_test(flows, features_are_found);
	tcase_add_test(flows, names_are_complete);
	suite_add_tcase(suite, flows);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
