// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Packets in words: what flows allow, boxes that no flow makes, names of groups, and single
 * packets.
 */

#include <stdlib.h>

#include "meaning/meaning.h"
#include "model.h"

enum { BOXES_MAX = 20 };

static struct {
	struct fw_arena arena;
	struct fw_spaces spaces;
	struct fw_interfaces interfaces;
	struct fw_words words;
	struct fw_buf text;
} it;

static void set_up(void) {
	static const char *const names[] = {"eth0", "wg0"};

	model_set_up();
	memset(&it, 0, sizeof(it));
	fw_spaces_init(&it.spaces, NULL);
	it.interfaces = (struct fw_interfaces){{names, FW_LENGTH(names)}};
	it.words.interfaces = &it.interfaces;
}

static void tear_down(void) {
	fw_buf_fini(&it.text);
	fw_spaces_fini(&it.spaces);
	fw_arena_fini(&it.arena);
	model_tear_down();
}

/* A line for each box of a set. */
static const char *in_words(fw_space set) {
	fw_space universe = fw_space_universe(&it.spaces, fw_interfaces_count(&it.interfaces));
	FW_AUTO(fw_boxes_fini) struct fw_boxes boxes = {0};

	it.text.length = 0;
	set = fw_space_intersect(&it.spaces, set, universe);
	ck_assert(fw_space_boxes(&it.spaces, set, universe, BOXES_MAX, &boxes));
	for (size_t i = 0; i < boxes.count; i++) {
		fw_box_format(&it.words, &boxes.items[i], &it.text);
		fw_buf_add_char(&it.text, '\n');
	}
	return it.text.data;
}

/* What a flow allows, beside the loopback, as policies have it. */
static fw_space flow_space(const struct fw_flow *flow) {
	fw_space set = fw_flow_space(&it.spaces, &it.interfaces, flow);
	const struct fw_addr lo = fw_value(FW_INTERFACE_LOOPBACK);
	enum fw_var way = flow->hook == FW_INPUT ? FW_VAR_IN : FW_VAR_OUT;

	if (flow->hook == FW_FORWARD) {
		return set;
	}
	return fw_space_subtract(&it.spaces, set, fw_space_interval(&it.spaces, way, lo, lo));
}

/* ---- flows ---- */

static const struct {
	enum fw_hook hook;
	const char *ports, *from, *to;
	const char *words;
} flows[] = {
	{FW_INPUT, "8088/tcp", NULL, NULL, "input 8088/tcp\n"},
	{FW_INPUT, "8088/tcp,5556/tcp", "10.0.0.0/8", NULL,
		"input 5556/tcp, 8088/tcp from 10.0.0.0/8\n"},
	{FW_INPUT, "5000-65000/udp", "10.0.0.1-10.0.0.9", NULL,
		"input 5000-65000/udp from 10.0.0.1-10.0.0.9\n"},
	{FW_OUTPUT, "53/tcp+udp", NULL, "10.0.0.53 2001:db8::53",
		"output 53/tcp+udp to 10.0.0.53\noutput 53/tcp+udp to 2001:db8::53\n"},
	{FW_INPUT, "1/tcp,3/tcp,5/tcp,7/tcp,9/tcp,11/tcp,13/tcp,15/tcp,17/tcp,19/tcp", NULL, NULL,
		"input 1/tcp, 3/tcp, 5/tcp, 7/tcp, 9/tcp, 11/tcp, 13/tcp, 15/tcp and 2 more\n"},
	{FW_OUTPUT, "80/tcp", NULL, "10.0.0.1=north 10.0.0.3",
		"output 80/tcp to 10.0.0.1 (north), 10.0.0.3\n"},
	{FW_FORWARD, "80/tcp", "10.0.0.0/24", "10.1.0.0/24",
		"forward 80/tcp from 10.0.0.0/24 to 10.1.0.0/24\n"},
};

static struct fw_side side_of(const char *name, const char *members) {
	return model_side(members != NULL ? model_literal(name, members) : NULL, NULL);
}

START_TEST(flows_in_words) {
	struct fw_flow *flow = model_flow(flows[_i].hook, "service", flows[_i].ports);

	flow->source = side_of("service_from", flows[_i].from);
	flow->destination = side_of("service_to", flows[_i].to);
	it.words.policy = model_policy();
	ck_assert_str_eq(in_words(flow_space(flow)), flows[_i].words);
}
END_TEST

static const struct fw_icmp_type types[] = {{3, 4}, {8, -1}}, types6[] = {{134, -1}};
static const struct fw_ports one_port[] = {{68, 68}};

static const struct {
	struct fw_clause clause;
	const char *words;
} clauses[] = {
	{{.family = FW_IPV4, .protocol = IPPROTO_ICMP, .types = &types[1], .type_count = 1},
		"input icmp echo-request\n"},
	{{.family = FW_IPV4, .protocol = IPPROTO_ICMP, .types = types, .type_count = 1},
		"input icmp 3/4\n"},
	{{.family = FW_IPV6,
		 .protocol = IPPROTO_ICMPV6,
		 .types = types6,
		 .type_count = 1,
		 .hop_limit = 255},
		"input icmpv6 router-advertisement hop-limit 255\n"},
	{{.protocol = IPPROTO_ICMP}, "input icmp\n"},
	{{.protocol = IPPROTO_GRE}, "input gre\n"},
	{{.protocol = 253}, "input protocol 253\n"},
	{{.protocol = IPPROTO_TCP, .family = FW_IPV6}, "input tcp over IPv6\n"},
	{{.protocol = IPPROTO_UDP, .source_ports = one_port, .source_port_count = 1},
		"input udp source-port 68\n"},
};

START_TEST(clauses_in_words) {
	struct fw_flow *flow = model_flow(FW_INPUT, "service", NULL);

	model_clause(flow, clauses[_i].clause);
	ck_assert_str_eq(in_words(flow_space(flow)), clauses[_i].words);
}
END_TEST

START_TEST(interfaces_in_words) {
	static const char *const some[] = {"eth0", "wg0"};
	struct fw_flow *flow = model_flow(FW_INPUT, "service", "80/tcp");

	flow->in_interfaces = (struct fw_names){some, 2};
	ck_assert_str_eq(in_words(flow_space(flow)), "input 80/tcp on eth0, wg0\n");
	flow->in_interfaces = (struct fw_names){some, 1};
	ck_assert_str_eq(in_words(flow_space(flow)), "input 80/tcp on eth0\n");
	flow->hook = FW_FORWARD;
	flow->out_interfaces = (struct fw_names){some + 1, 1};
	ck_assert_str_eq(
		in_words(flow_space(flow)), "forward 80/tcp in-interface eth0 out-interface wg0\n");
	flow->hook = FW_INPUT;
	flow->in_interfaces = flow->out_interfaces = (struct fw_names){0};
	ck_assert_str_eq(in_words(fw_flow_space(&it.spaces, &it.interfaces, flow)),
		"input 80/tcp on any interface, even lo\n");
}
END_TEST

/* ---- what no flow makes ---- */

static fw_space between(enum fw_var var, uint64_t low, uint64_t high) {
	return fw_space_interval(&it.spaces, var, fw_value(low), fw_value(high));
}

/* New or untracked packets of input, but for lo. */
static fw_space input_of(fw_space set) {
	fw_space begun = fw_space_union(&it.spaces,
		between(FW_VAR_TRACKING, FW_TRACKING_NEW, FW_TRACKING_NEW),
		between(FW_VAR_TRACKING, FW_TRACKING_UNTRACKED, FW_TRACKING_UNTRACKED));

	set = fw_space_intersect(&it.spaces, set, begun);
	set = fw_space_intersect(&it.spaces, set, between(FW_VAR_HOOK, FW_INPUT, FW_INPUT));
	return fw_space_intersect(&it.spaces, set, between(FW_VAR_IN, 2, UINT16_MAX));
}

START_TEST(what_is_missing_in_words) {
	fw_space tcp = between(FW_VAR_PROTOCOL, IPPROTO_TCP, IPPROTO_TCP);
	fw_space ipv4 = between(FW_VAR_FAMILY, FW_IPV4, FW_IPV4);
	fw_space port = between(FW_VAR_PORT, 80, 80);
	fw_space net = between(FW_VAR_SOURCE, 0x0a000000, 0x0affffff);

	ck_assert_str_eq(in_words(input_of(FW_SPACE_ALL)), "input\n");
	ck_assert_str_eq(in_words(input_of(fw_space_complement(&it.spaces, tcp))),
		"input any protocol but tcp\n");
	ck_assert_str_eq(in_words(input_of(fw_space_subtract(&it.spaces, tcp, port))),
		"input tcp port any but 80\n");
	ck_assert_str_eq(in_words(input_of(fw_space_subtract(&it.spaces, ipv4, net))),
		"input from any but 10.0.0.0/8\n");
}
END_TEST

START_TEST(states_in_words) {
	fw_space tcp = between(FW_VAR_PROTOCOL, IPPROTO_TCP, IPPROTO_TCP);
	fw_space output = fw_space_intersect(&it.spaces,
		fw_space_intersect(&it.spaces, tcp, between(FW_VAR_HOOK, FW_OUTPUT, FW_OUTPUT)),
		between(FW_VAR_OUT, 2, UINT16_MAX));
	fw_space invalid = between(FW_VAR_TRACKING, FW_TRACKING_INVALID, FW_TRACKING_INVALID);

	ck_assert_str_eq(in_words(output), "output tcp in any state\n");
	ck_assert_str_eq(in_words(fw_space_intersect(&it.spaces, output, invalid)),
		"output tcp state invalid\n");
	ck_assert_str_eq(
		in_words(fw_space_intersect(&it.spaces, output, between(FW_VAR_TRANSLATED, 1, 1))),
		"output tcp in any state translated\n");
}
END_TEST

/* Numbers below 2^32 are addresses of either family. */
START_TEST(both_families_in_words) {
	fw_space net = between(FW_VAR_SOURCE, 0x0a000000, 0x0affffff);

	ck_assert_str_eq(in_words(input_of(net)), "input from 10.0.0.0/8, ::a00:0/104\n");
}
END_TEST

/* ---- groups ---- */

static const char *const clients4 = "10.0.0.0/25 10.0.0.128/25 10.2.0.0/16@80/tcp";

static fw_space from_clients(const char *members) {
	struct fw_flow *flow = model_flow(FW_INPUT, "service", "80/tcp");

	flow->source = model_side(model_set("clients", members), NULL);
	return flow_space(flow);
}

START_TEST(groups_by_name) {
	fw_space set = from_clients(clients4);

	it.words.policy = model_policy();
	ck_assert_str_eq(in_words(set), "input 80/tcp from clients\n");
	model.flow_count = 0;
	set = from_clients("10.0.0.0/24");
	ck_assert_str_eq(in_words(set), "input 80/tcp from 10.0.0.0/24\n");
	model.flow_count = 0;
	set = from_clients("10.0.0.0/24 10.2.0.0/16 10.3.0.0/16");
	ck_assert_str_eq(in_words(set), "input 80/tcp from 10.0.0.0/24, 10.2.0.0/15\n");
}
END_TEST

START_TEST(groups_of_both_families) {
	fw_space set = from_clients("10.0.0.0/24 2001:db8::/32");

	it.words.policy = model_policy();
	ck_assert_str_eq(in_words(set),
		"input 80/tcp from clients over IPv4\ninput 80/tcp from clients over IPv6\n");
}
END_TEST

START_TEST(all_but_a_group) {
	fw_space set = from_clients("10.0.0.0/24");
	fw_space ipv4 = between(FW_VAR_FAMILY, FW_IPV4, FW_IPV4);
	fw_space rest = fw_space_intersect(&it.spaces, ipv4, between(FW_VAR_PORT, 80, 80));

	it.words.policy = model_policy();
	rest = fw_space_intersect(
		&it.spaces, rest, between(FW_VAR_PROTOCOL, IPPROTO_TCP, IPPROTO_TCP));
	ck_assert_str_eq(in_words(fw_space_subtract(&it.spaces, input_of(rest), set)),
		"input 80/tcp from any but clients\n");
}
END_TEST

/* Two policies, and a name that both have. */
START_TEST(names_that_mean_two_things) {
	fw_space before = from_clients("10.0.0.0/24");
	const struct fw_policy old = *model_policy();
	model.flow_count = 0;
	fw_space after = from_clients("10.1.0.0/24");
	const struct fw_policy new = *model_policy();

	it.words = (struct fw_words){&it.interfaces, &new, &old, "after", "before"};
	ck_assert_str_eq(in_words(after), "input 80/tcp from clients (after)\n");
	ck_assert_str_eq(in_words(before), "input 80/tcp from clients (before)\n");
	it.words.policy = &old;
	ck_assert_str_eq(in_words(before), "input 80/tcp from clients\n");
}
END_TEST

/* ---- single packets ---- */

static const struct {
	enum fw_hook hook;
	const char *ports, *from, *to, *words;
} points[] = {
	{FW_INPUT, "8088/tcp", "10.20.1.1", "10.8.0.17",
		"input 8088/tcp from 10.20.1.1 to 10.8.0.17"},
	{FW_OUTPUT, "53/udp", "2001:db8::1", "2001:db8::2",
		"output 53/udp from 2001:db8::1 to 2001:db8::2"},
	{FW_FORWARD, "80/tcp", "10.0.0.1", "10.1.0.1",
		"forward 80/tcp from 10.0.0.1 to 10.1.0.1 in-interface lo out-interface lo"},
};

static const char *witness_of(fw_space set) {
	fw_space universe = fw_space_universe(&it.spaces, fw_interfaces_count(&it.interfaces));
	const struct fw_point point =
		fw_space_witness(&it.spaces, fw_space_intersect(&it.spaces, set, universe));

	it.text.length = 0;
	fw_point_format(&it.words, &point, &it.text);
	return it.text.data;
}

START_TEST(points_in_words) {
	struct fw_flow *flow = model_flow(points[_i].hook, "service", points[_i].ports);
	static const char *const others[] = {"other"};

	flow->source = side_of("from", points[_i].from);
	flow->destination = side_of("to", points[_i].to);
	if (points[_i].hook == FW_INPUT) {
		flow->in_interfaces = (struct fw_names){others, 1};
	} else if (points[_i].hook == FW_OUTPUT) {
		flow->out_interfaces = (struct fw_names){others, 1};
	}
	ck_assert_str_eq(witness_of(flow_space(flow)), points[_i].words);
}
END_TEST

START_TEST(odd_points_in_words) {
	fw_space set = fw_space_intersect(
		&it.spaces, between(FW_VAR_HOOK, FW_INPUT, FW_INPUT), between(FW_VAR_IN, 2, 2));

	ck_assert_str_eq(
		witness_of(fw_space_intersect(&it.spaces, set,
			between(FW_VAR_TRACKING, FW_TRACKING_INVALID, FW_TRACKING_INVALID))),
		"input 80/tcp from 10.0.0.1 to 10.0.0.2 on eth0 state invalid");
	ck_assert_str_eq(
		witness_of(fw_space_intersect(&it.spaces, set, between(FW_VAR_FLAGS, 4, 4))),
		"input 80/tcp from 10.0.0.1 to 10.0.0.2 on eth0 flags 4");
	ck_assert_str_eq(witness_of(fw_space_intersect(
				 &it.spaces, set, between(FW_VAR_HOP_LIMIT, 255, 255))),
		"input 80/tcp from fd00::1 to fd00::2 on eth0 hop-limit 255");
	ck_assert_str_eq(
		witness_of(fw_space_intersect(&it.spaces, set, between(FW_VAR_PROTOCOL, 253, 253))),
		"input 253 from 10.0.0.1 to 10.0.0.2 on eth0");
	ck_assert_str_eq(witness_of(fw_space_intersect(&it.spaces, set,
				 fw_space_intersect(&it.spaces,
					 between(FW_VAR_PROTOCOL, IPPROTO_UDP, IPPROTO_UDP),
					 between(FW_VAR_SOURCE_PORT, 67, 68)))),
		"input 53/udp from 10.0.0.1 to 10.0.0.2 on eth0 source-port 67");
	ck_assert_str_eq(witness_of(fw_space_intersect(&it.spaces, set,
				 fw_space_intersect(&it.spaces,
					 between(FW_VAR_PROTOCOL, IPPROTO_ICMP, IPPROTO_ICMP),
					 between(FW_VAR_SOURCE_PORT, 3, 3)))),
		"input icmp destination-unreachable from 10.0.0.1 to 10.0.0.2 on eth0");
	ck_assert_str_eq(
		witness_of(fw_space_intersect(&it.spaces, set, between(FW_VAR_TRANSLATED, 1, 1))),
		"input 80/tcp from 10.0.0.1 to 10.0.0.2 on eth0 translated");
}
END_TEST

int main(void) {
	Suite *suite = suite_create("words");
	TCase *tcase = tcase_create("words");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(tcase, flows_in_words, 0, FW_LENGTH(flows));
	tcase_add_loop_test(tcase, clauses_in_words, 0, FW_LENGTH(clauses));
	tcase_add_test(tcase, interfaces_in_words);
	tcase_add_test(tcase, what_is_missing_in_words);
	tcase_add_test(tcase, states_in_words);
	tcase_add_test(tcase, both_families_in_words);
	tcase_add_test(tcase, groups_by_name);
	tcase_add_test(tcase, groups_of_both_families);
	tcase_add_test(tcase, all_but_a_group);
	tcase_add_test(tcase, names_that_mean_two_things);
	tcase_add_loop_test(tcase, points_in_words, 0, FW_LENGTH(points));
	tcase_add_test(tcase, odd_points_in_words);
	suite_add_tcase(suite, tcase);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
