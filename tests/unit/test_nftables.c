// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Policies as nf_tables objects: which sets there are, which rules, and what they share.
 */

#include <check.h>
#include <stdlib.h>

#include "nft_words.h"

static void set_up(void) {
	model_set_up();
}

static void tear_down(void) {
	words_tear_down();
	model_tear_down();
}

/* ---- parts of a table ---- */

/* The rules that a base chain has anyway. */
static const char *chain_rules(const struct fw_nft_table *table, const char *chain) {
	const struct fw_nft_chain *found = chain_of(table, chain);
	ck_assert_ptr_nonnull(found);
	out.length = 0;
	say(found->accept ? "accept:\n" : "drop:\n");
	for (size_t i = 0; i < found->rule_count; i++) {
		if (found->rules[i].flow == NULL) {
			say_rule(&found->rules[i]);
		}
	}
	return out.data;
}

static const struct fw_nft_set *set_of(const struct fw_nft_table *table, const char *name) {
	for (size_t i = 0; i < table->set_count; i++) {
		if (strcmp(table->sets[i]->name, name) == 0) {
			return table->sets[i];
		}
	}
	ck_abort_msg("no set is named %s", name);
}

/* ---- families, sides, clauses ---- */

START_TEST(one_rule_serves_both_families) {
	model_flow(FW_INPUT, "web", "80/tcp,443/tcp,53/udp");
	const struct fw_nft_table *table = lower();
	ck_assert_str_eq(flow_rules(table, "input"), "dport/6=80,443 > accept\n"
						     "dport/17=53 > accept\n");
	ck_assert_str_eq(set_names(table), "");
}
END_TEST

START_TEST(a_set_makes_a_rule_for_each_family_it_has) {
	struct fw_set *clients = model_set("clients", "10.0.0.0/8 2001:db8::/32");
	model_flow(FW_INPUT, "api", "8088/tcp")->source = model_side(clients, NULL);
	const struct fw_nft_table *table = lower();
	ck_assert_str_eq(flow_rules(table, "input"), "dport/6=8088 saddr4=ipv4_clients > accept\n"
						     "dport/6=8088 saddr6=ipv6_clients > accept\n");
	ck_assert_str_eq(set_names(table), "ipv4_clients ipv6_clients");
	ck_assert(set_of(table, "ipv4_clients")->interval);
}
END_TEST

START_TEST(plain_members_are_not_copied) {
	struct fw_set *clients = model_set("clients", "10.0.0.1 10.0.0.2");
	model_flow(FW_INPUT, "api", "8088/tcp")->source = model_side(clients, NULL);
	const struct fw_nft_set *set = set_of(lower(), "ipv4_clients");
	ck_assert_ptr_eq(set->endpoints, clients->members[FW_IPV4].items);
	ck_assert_uint_eq(set->count, 2);
	ck_assert(!set->interval);
}
END_TEST

/* Both sides, and interfaces in front; only families that both sides have. */
START_TEST(sides_are_multiplied) {
	static const char *const names[] = {"eth0", "eth1"};
	struct fw_set *from = model_set("from", "10.0.0.1 2001:db8::1");
	struct fw_set *to = model_literal("x_local", "224.0.0.1 224.0.0.5");
	struct fw_flow *flow = model_flow(FW_INPUT, "x", "5004/udp");
	flow->source = model_side(from, NULL);
	flow->destination = model_side(to, NULL);
	flow->in_interfaces.items = names;
	flow->in_interfaces.count = 2;
	const struct fw_nft_table *table = lower();
	ck_assert_str_eq(flow_rules(table, "input"),
		"iif=eth0,eth1 dport/17=5004 saddr4=ipv4_from daddr4=ipv4_x_local > accept\n");
	ck_assert_str_eq(set_names(table), "ipv4_from ipv4_x_local");
}
END_TEST

static const struct {
	const char *peers, *except; /* lists of the service itself, or NULL */
	const char *rules;
} literals[] = {
	{"192.0.2.1", NULL, "dport/6=1 daddr4=192.0.2.1 > accept\n"},
	{"192.0.2.0/24", NULL, "dport/6=1 daddr4=192.0.2.0/24 > accept\n"},
	{"192.0.2.1 192.0.2.9", NULL, "dport/6=1 daddr4=ipv4_x_peers > accept\n"},
	{"192.0.2.1 2001:db8::1", NULL,
		"dport/6=1 daddr4=192.0.2.1 > accept\n"
		"dport/6=1 daddr6=2001:db8::1 > accept\n"},
	/* Every address of a family needs no address. */
	{"0.0.0.0/0", NULL, "nfproto4 dport/6=1 > accept\n"},
	{"::/0", NULL, "nfproto6 dport/6=1 > accept\n"},
	/* What is excluded, and the family that has nothing to exclude. */
	{NULL, "10.0.0.0/8",
		"dport/6=1 daddr4!=10.0.0.0/8 > accept\n"
		"nfproto6 dport/6=1 > accept\n"},
	{NULL, "10.0.0.0/8 192.168.0.0/16 fe80::/10",
		"dport/6=1 daddr4!=ipv4_x_except > accept\n"
		"dport/6=1 daddr6!=fe80::/10 > accept\n"},
	{"10.0.0.0/8", "10.0.0.1", "dport/6=1 daddr4=10.0.0.0/8 daddr4!=10.0.0.1 > accept\n"},
	{"10.0.0.0/8", "fe80::1", "dport/6=1 daddr4=10.0.0.0/8 > accept\n"},
	{NULL, "0.0.0.0/0", "nfproto6 dport/6=1 > accept\n"},
	{NULL, "0.0.0.0/0 ::/0", ""},
};

START_TEST(literals_are_written_where_they_are_used) {
	struct fw_flow *flow = model_flow(FW_OUTPUT, "x", "1/tcp");
	flow->destination = model_side(
		literals[_i].peers != NULL ? model_literal("x", literals[_i].peers) : NULL,
		literals[_i].except != NULL ? model_literal("x_except", literals[_i].except)
					    : NULL);
	ck_assert_str_eq(flow_rules(lower(), "output"), literals[_i].rules);
}
END_TEST

/* A group may have an own set beside its plain one; neither may be let through. */
START_TEST(a_group_is_excluded_with_all_its_members) {
	struct fw_set *group = model_set("g", "10.0.0.1 10.0.0.2@80/tcp");
	model_flow(FW_OUTPUT, "x", "1/tcp")->destination = model_side(NULL, group);
	ck_assert_str_eq(flow_rules(lower(), "output"),
		"dport/6=1 daddr4!=ipv4_g daddr4!=ipv4_g_own > accept\n"
		"nfproto6 dport/6=1 > accept\n");
}
END_TEST

static const struct fw_ports port_67[] = {{67, 67}}, port_68[] = {{68, 68}};
static const struct fw_icmp_type types[] = {{3, -1}, {3, 4}, {8, -1}, {12, 0}};
static const struct fw_icmp_type advert[] = {{134, -1}};

static const struct {
	struct fw_clause clause;
	const char *set; /* of the source, or NULL */
	const char *rules;
} clauses[] = {
	{{.protocol = 50}, NULL, "proto/50 > accept\n"},
	{{.protocol = 6}, NULL, "proto/6 > accept\n"},
	{{.protocol = 2, .family = FW_IPV4}, NULL, "proto4/2 > accept\n"},
	{{.protocol = 58, .family = FW_IPV6}, NULL, "nfproto6 proto/58 > accept\n"},
	{{.protocol = 50}, "10.0.0.1 2001:db8::1",
		"proto4/50 saddr4=10.0.0.1 > accept\n"
		"proto/50 saddr6=2001:db8::1 > accept\n"},
	{{.protocol = 50}, "0.0.0.0/0 ::/0",
		"proto4/50 > accept\n"
		"nfproto6 proto/50 > accept\n"},
	{{.protocol = 17,
		 .ports = port_68,
		 .port_count = 1,
		 .source_ports = port_67,
		 .source_port_count = 1},
		"0.0.0.0/0", "nfproto4 sport/17=67 dport/17=68 > accept\n"},
	{{.protocol = 17, .source_ports = port_67, .source_port_count = 1}, NULL,
		"sport/17=67 > accept\n"},
	/* Types bring their family with them; each with a code is a rule of its own. */
	{{.protocol = 1, .family = FW_IPV4, .types = types, .type_count = 4}, NULL,
		"icmp4=3,8 > accept\n"
		"icmp-code4=3/4 > accept\n"
		"icmp-code4=12/0 > accept\n"},
	{{.protocol = 1, .family = FW_IPV4, .types = types + 1, .type_count = 1}, "10.0.0.1",
		"icmp-code4=3/4 saddr4=10.0.0.1 > accept\n"},
	/* Never widened: what a family cannot be is no rule at all. */
	{{.protocol = 58, .family = FW_IPV6, .types = advert, .type_count = 1}, "10.0.0.1", ""},
	{{.protocol = 58, .family = FW_IPV6, .types = advert, .type_count = 1, .hop_limit = 255},
		"fe80::/10 10.0.0.1", "hop-limit6=255 icmp6=134 saddr6=fe80::/10 > accept\n"},
	{{.protocol = 50, .hop_limit = 1}, NULL, "hop-limit6=1 proto/50 > accept\n"},
};

START_TEST(clauses_become_matches) {
	struct fw_flow *flow = model_flow(FW_INPUT, "x", NULL);
	model_clause(flow, clauses[_i].clause);
	if (clauses[_i].set != NULL) {
		flow->source = model_side(model_literal("x", clauses[_i].set), NULL);
	}
	ck_assert_str_eq(flow_rules(lower(), "input"), clauses[_i].rules);
}
END_TEST

/* ---- members that bring their own ports ---- */

static const struct {
	const char *members;
	const char *sets, *rules;
} own_ports[] = {
	/* Port 554 is the default of those without. */
	{"10.0.0.1", "ipv4_g", "dport/6=554 daddr4=ipv4_g > accept\n"},
	{"10.0.0.1@80/tcp", "ipv4_g_tcp", "daddr.port4/6=ipv4_g_tcp > accept\n"},
	{"10.0.0.1@80/udp", "ipv4_g_udp", "daddr.port4/17=ipv4_g_udp > accept\n"},
	{"10.0.0.1@80/tcp+udp", "ipv4_g_ports",
		"daddr.port4/6=ipv4_g_ports > accept\n"
		"daddr.port4/17=ipv4_g_ports > accept\n"},
	{"10.0.0.1@80/tcp,81/udp 2001:db8::1@80/tcp", "ipv4_g_tcp ipv4_g_udp ipv6_g_tcp",
		"daddr.port4/6=ipv4_g_tcp > accept\n"
		"daddr.port4/17=ipv4_g_udp > accept\n"
		"daddr.port6/6=ipv6_g_tcp > accept\n"},
	/* The same address twice: its ports together. */
	{"10.0.0.1@80/tcp 10.0.0.1@80/udp 10.0.0.1@80/udp,82/tcp", "ipv4_g_ports ipv4_g_tcp",
		"daddr.port4/6=ipv4_g_ports > accept\n"
		"daddr.port4/17=ipv4_g_ports > accept\n"
		"daddr.port4/6=ipv4_g_tcp > accept\n"},
	/* No single address, or many ports: a set named by the list. */
	{"10.0.0.0/24@80/tcp,443/tcp,53/udp", "ipv4_g_tcp-80.443_udp-53",
		"dport/6=80,443 daddr4=ipv4_g_tcp-80.443_udp-53 > accept\n"
		"dport/17=53 daddr4=ipv4_g_tcp-80.443_udp-53 > accept\n"},
	{"10.0.0.1@5000-5016/udp", "ipv4_g_udp-5000-5016",
		"dport/17=5000-5016 daddr4=ipv4_g_udp-5000-5016 > accept\n"},
	{"10.0.0.1@5000-5015/udp", "ipv4_g_udp", "daddr.port4/17=ipv4_g_udp > accept\n"},
	{"10.0.0.0/24@80/tcp 10.0.1.0/24@443/tcp 10.0.2.0/24@80/tcp 10.0.0.7@1/tcp",
		"ipv4_g_tcp ipv4_g_tcp-80 ipv4_g_tcp-443",
		"daddr.port4/6=ipv4_g_tcp > accept\n"
		"dport/6=80 daddr4=ipv4_g_tcp-80 > accept\n"
		"dport/6=443 daddr4=ipv4_g_tcp-443 > accept\n"},
	{"10.0.0.0/8@10001/tcp,10003/tcp,10005/tcp,10007/tcp,10009/tcp,10011/tcp,10013/tcp",
		"ipv4_g_ports-22599fb40592f8ee",
		"dport/6=10001,10003,10005,10007,10009,10011,10013 "
		"daddr4=ipv4_g_ports-22599fb40592f8ee > accept\n"},
};

START_TEST(own_ports_become_pairs_or_lists) {
	struct fw_flow *flow = model_flow(FW_OUTPUT, "x", "554/tcp");
	flow->destination = model_side(model_set("g", own_ports[_i].members), NULL);
	flow->own_ports = true;
	const struct fw_nft_table *table = lower();
	ck_assert_str_eq(flow_rules(table, "output"), own_ports[_i].rules);
	ck_assert_str_eq(set_names(table), own_ports[_i].sets);
}
END_TEST

/* A newer kernel takes pairs of ranges; what overlaps remains a set for each list. */
static const struct {
	const char *members;
	const char *sets, *rules;
	const char *elements; /* of the first set */
} own_ranges[] = {
	{"10.0.0.0/24@80/tcp,443/tcp,53/udp", "ipv4_g_ranges_tcp ipv4_g_ranges_udp",
		"daddr.port4/6=ipv4_g_ranges_tcp > accept\n"
		"daddr.port4/17=ipv4_g_ranges_udp > accept\n",
		"10.0.0.0/24.80 10.0.0.0/24.443"},
	{"10.0.0.1@5000-5016/tcp+udp,9/tcp+udp", "ipv4_g_ranges",
		"daddr.port4/6=ipv4_g_ranges > accept\n"
		"daddr.port4/17=ipv4_g_ranges > accept\n",
		"10.0.0.1.9 10.0.0.1.5000-5016"},
	{"10.0.0.0/24@80/tcp 10.0.1.0-10.0.1.9@443/tcp 10.0.0.7@1/tcp",
		"ipv4_g_tcp ipv4_g_ranges_tcp",
		"daddr.port4/6=ipv4_g_tcp > accept\n"
		"daddr.port4/6=ipv4_g_ranges_tcp > accept\n",
		"10.0.0.7.1"},
	{"10.0.0.0/24@80/tcp 10.0.0.0/25@81/tcp 10.0.1.0/24@80/tcp",
		"ipv4_g_ranges_tcp ipv4_g_tcp-80 ipv4_g_tcp-81",
		"daddr.port4/6=ipv4_g_ranges_tcp > accept\n"
		"dport/6=80 daddr4=ipv4_g_tcp-80 > accept\n"
		"dport/6=81 daddr4=ipv4_g_tcp-81 > accept\n",
		"10.0.1.0/24.80"},
	/* The first overlaps the third, though the second ends before it. */
	{"10.0.0.0/16@80/tcp 10.0.0.0/24@81/tcp 10.0.9.0/24@82/tcp 10.1.0.0/16@83/tcp",
		"ipv4_g_ranges_tcp ipv4_g_tcp-80 ipv4_g_tcp-81 ipv4_g_tcp-82",
		"daddr.port4/6=ipv4_g_ranges_tcp > accept\n"
		"dport/6=80 daddr4=ipv4_g_tcp-80 > accept\n"
		"dport/6=81 daddr4=ipv4_g_tcp-81 > accept\n"
		"dport/6=82 daddr4=ipv4_g_tcp-82 > accept\n",
		"10.1.0.0/16.83"},
	{"10.0.0.0/24@80/tcp 10.0.0.0/24@80/udp", "ipv4_g_udp-80 ipv4_g_tcp-80",
		"dport/17=80 daddr4=ipv4_g_udp-80 > accept\n"
		"dport/6=80 daddr4=ipv4_g_tcp-80 > accept\n",
		NULL},
};

static const char *element_words(const struct fw_nft_set *set) {
	out.length = 0;
	for (size_t i = 0; i < set->count; i++) {
		say(i == 0 ? "" : " ");
		fw_range_format(&set->elements[i].endpoint->range, &out);
		say(".");
		fw_ports_format(set->elements[i].ports, &out);
	}
	return out.data;
}

START_TEST(own_ports_become_ranges_for_newer_kernels) {
	struct fw_flow *flow = model_flow(FW_OUTPUT, "x", "554/tcp");
	flow->destination = model_side(model_set("g", own_ranges[_i].members), NULL);
	flow->own_ports = true;
	const struct fw_nft_table *table = fw_nft_lower(&model.arena, model_policy(), FW_NFT_5_6);
	ck_assert_str_eq(flow_rules(table, "output"), own_ranges[_i].rules);
	ck_assert_str_eq(set_names(table), own_ranges[_i].sets);
	if (own_ranges[_i].elements != NULL) {
		const struct fw_nft_set *first = table->sets[0];
		ck_assert_str_eq(element_words(first), own_ranges[_i].elements);
		ck_assert_int_eq(first->interval, strstr(first->name, "_ranges") != NULL);
	}
}
END_TEST

START_TEST(without_default_ports_plain_members_have_no_rule) {
	struct fw_flow *flow = model_flow(FW_INPUT, "x", NULL);
	flow->source = model_side(model_set("g", "10.0.0.1 10.0.0.2@80/tcp"), NULL);
	flow->own_ports = true;
	const struct fw_nft_table *table = lower();
	ck_assert_str_eq(flow_rules(table, "input"), "saddr.port4/6=ipv4_g_tcp > accept\n");
	ck_assert_str_eq(set_names(table), "ipv4_g_tcp");
}
END_TEST

/* The other side, interfaces and what is excluded hold for members with ports as for the rest. */
START_TEST(own_ports_are_no_way_round_the_rest) {
	static const char *const names[] = {"eth0"};
	struct fw_flow *flow = model_flow(FW_OUTPUT, "x", NULL);
	flow->destination = model_side(model_set("g", "10.0.0.2@80/tcp 10.1.0.0/16@80/tcp"),
		model_literal("x_except", "10.1.0.1"));
	flow->source = model_side(model_literal("x_local", "192.0.2.1"), NULL);
	flow->own_ports = true;
	flow->out_interfaces.items = names;
	flow->out_interfaces.count = 1;
	ck_assert_str_eq(flow_rules(lower(), "output"),
		"oif=eth0 saddr4=192.0.2.1 daddr4!=10.1.0.1 daddr.port4/6=ipv4_g_tcp > accept\n"
		"oif=eth0 dport/6=80 saddr4=192.0.2.1 daddr4=ipv4_g_tcp-80 daddr4!=10.1.0.1 "
		"> accept\n");
}
END_TEST

/* Flows on other ports see all members; overlaps between port lists are joined for them. */
START_TEST(other_flows_see_members_with_ports_too) {
	struct fw_set *group =
		model_set("g", "10.0.0.1 10.1.0.0-10.1.0.9@80/tcp 10.1.0.5-10.1.0.20@81/tcp");
	model_flow(FW_OUTPUT, "x", "554/tcp")->destination = model_side(group, NULL);
	const struct fw_nft_table *table = lower();
	ck_assert_str_eq(flow_rules(table, "output"), "dport/6=554 daddr4=ipv4_g > accept\n"
						      "dport/6=554 daddr4=ipv4_g_own > accept\n");
	const struct fw_nft_set *own = set_of(table, "ipv4_g_own");
	ck_assert_uint_eq(own->count, 1);
	out.length = 0;
	fw_range_format(&own->endpoints[0].range, &out);
	ck_assert_str_eq(out.data, "10.1.0.0-10.1.0.20");
}
END_TEST

enum { MANY = 100000, LISTS = 65000 };

/* Rules are counted by ways to match, never by endpoints. */
START_TEST(many_endpoints_make_few_rules) {
	struct fw_endpoint *endpoints = calloc(MANY, sizeof(*endpoints));
	struct fw_ports *ports = calloc(LISTS, sizeof(*ports));
	struct fw_port_list *lists = calloc(LISTS, sizeof(*lists));
	ck_assert(endpoints != NULL && ports != NULL && lists != NULL);
	for (size_t i = 0; i < LISTS; i++) {
		ports[i] = (struct fw_ports){(uint16_t)(i + 1), (uint16_t)(i + 1)};
		lists[i] = (struct fw_port_list){.tcp = &ports[i], .tcp_count = 1};
	}
	for (size_t i = 0; i < MANY; i++) {
		struct fw_addr addr = {0, 0x0a000000 + i};
		endpoints[i].range = (struct fw_range){addr, addr, FW_IPV4};
		endpoints[i].own = &lists[i % LISTS];
	}
	struct fw_set set = {.name = "g"};
	set.members[FW_IPV4] = (struct fw_members){endpoints, MANY, 0};
	struct fw_flow *flow = model_flow(FW_OUTPUT, "x", NULL);
	flow->destination = model_side(&set, NULL);
	flow->own_ports = true;
	const struct fw_nft_table *table = lower();
	ck_assert_str_eq(flow_rules(table, "output"), "daddr.port4/6=ipv4_g_tcp > accept\n");
	ck_assert_uint_eq(set_of(table, "ipv4_g_tcp")->count, MANY);
	ck_assert_uint_eq(set_of(table, "ipv4_g_tcp")->size, 131072);
	free(endpoints);
	free(ports);
	free(lists);
}
END_TEST

static const struct {
	size_t count;
	bool interval;
	uint32_t size;
} sizes[] = {
	{1023, false, 0},
	{1024, false, 1024},
	{1025, false, 2048},
	{1023, true, 0},
	{1024, true, 4096},
	{2047, true, 4096},
	{2048, true, 8192},
};

/* Sizes change once per doubling, so that one more camera is one more line. */
START_TEST(large_sets_declare_their_size) {
	struct fw_endpoint *endpoints =
		FW_ARENA_ARRAY(&model.arena, struct fw_endpoint, sizes[_i].count);
	for (size_t i = 0; i < sizes[_i].count; i++) {
		struct fw_addr first = {0, 0x0a000000 + 4 * i}, last = first;
		last.low += sizes[_i].interval ? 1 : 0;
		endpoints[i].range = (struct fw_range){first, last, FW_IPV4};
	}
	struct fw_set set = {.name = "g"};
	set.members[FW_IPV4] = (struct fw_members){endpoints, sizes[_i].count, sizes[_i].count};
	model_flow(FW_OUTPUT, "x", "1/tcp")->destination = model_side(&set, NULL);
	ck_assert_uint_eq(set_of(lower(), "ipv4_g")->size, sizes[_i].size);
}
END_TEST

/* ---- limits, logs, counters ---- */

START_TEST(rules_of_a_flow_share_one_limit) {
	struct fw_flow *flow = model_flow(FW_INPUT, "x", "53/tcp+udp");
	flow->limit = (struct fw_rate){10, FW_MINUTE, 5, false};
	model_flow(FW_OUTPUT, "x", "53/udp")->limit = flow->limit;
	const struct fw_nft_table *table = lower();
	ck_assert_uint_eq(table->limit_count, 2);
	ck_assert_str_eq(flow_rules(table, "input"),
		"dport/6=53 > limit(service_x_input) accept\n"
		"dport/17=53 > limit(service_x_input) accept\n");
	ck_assert_str_eq(
		flow_rules(table, "output"), "dport/17=53 > limit(service_x_output) accept\n");
}
END_TEST

/* As of a service with one more flow for an interface. */
START_TEST(flows_of_a_service_share_one_limit) {
	static const char *const names[] = {"wg0"};
	const struct fw_rate rates[] = {
		{10, FW_MINUTE, 5, false}, {10, FW_MINUTE, 5, false}, {20, FW_MINUTE, 5, false}};
	struct fw_flow *flows[3];
	for (size_t i = 0; i < FW_LENGTH(rates); i++) {
		flows[i] = model_flow(FW_INPUT, "x", "22/tcp");
		flows[i]->limit = rates[i];
		flows[i]->in_interfaces.items = names;
		flows[i]->in_interfaces.count = i == 0 ? 0 : 1;
	}
	flows[2]->service = "y";
	const struct fw_nft_table *table = lower();
	ck_assert_uint_eq(table->limit_count, 2);
	ck_assert_str_eq(flow_rules(table, "input"),
		"dport/6=22 > limit(service_x_input) accept\n"
		"iif=wg0 dport/6=22 > limit(service_x_input) accept\n"
		"iif=wg0 dport/6=22 > limit(service_y_input) accept\n");
}
END_TEST

START_TEST(different_limits_of_a_service_have_different_names) {
	static const char *const names[] = {"wg0"};
	struct fw_flow *one = model_flow(FW_INPUT, "x", "22/tcp");
	struct fw_flow *two = model_flow(FW_INPUT, "x", "22/tcp");
	one->limit = (struct fw_rate){10, FW_MINUTE, 5, false};
	two->limit = (struct fw_rate){20, FW_MINUTE, 5, false};
	two->in_interfaces.items = names;
	two->in_interfaces.count = 1;
	const struct fw_nft_table *table = lower();
	ck_assert_uint_eq(table->limit_count, 2);
	ck_assert_str_eq(table->limits[0].name, "service_x_input");
	ck_assert_str_eq(table->limits[1].name, "service_x_input_2");
}
END_TEST

/* The chain has the families of all flows that jump to it. */
START_TEST(limits_per_source_have_a_chain) {
	static const char *const names[] = {"wg0"};
	struct fw_flow *one = model_flow(FW_INPUT, "x", "22/tcp,22/udp");
	struct fw_flow *two = model_flow(FW_INPUT, "x", "22/tcp");
	one->limit = two->limit = (struct fw_rate){1, FW_HOUR, 5, true};
	one->source = model_side(model_literal("x", "10.0.0.1"), NULL);
	two->in_interfaces.items = names;
	two->in_interfaces.count = 1;
	const struct fw_nft_table *table = lower();
	ck_assert_str_eq(flow_rules(table, "input"),
		"dport/6=22 saddr4=10.0.0.1 > jump(service_x_input)\n"
		"dport/17=22 saddr4=10.0.0.1 > jump(service_x_input)\n"
		"iif=wg0 dport/6=22 > jump(service_x_input)\n");
	ck_assert_str_eq(flow_rules(table, "service_x_input"),
		"> meter(ipv4_x_input_sources) accept\n"
		"> meter(ipv6_x_input_sources) accept\n");
	ck_assert_str_eq(set_names(table), "ipv4_x_input_sources ipv6_x_input_sources");
	ck_assert(table->sets[0]->dynamic);
	ck_assert_uint_eq(table->sets[0]->timeout, 5 * 3600);
}
END_TEST

static const struct {
	struct fw_rate rate;
	uint32_t seconds;
} refills[] = {
	{{10, FW_SECOND, 20, true}, 60},
	{{10, FW_MINUTE, 5, true}, 60},
	{{1, FW_MINUTE, 5, true}, 300},
	{{7, FW_HOUR, 5, true}, 43 * 60},
	{{1, FW_DAY, 10000, true}, 864000000},
	{{10000, FW_SECOND, 1, true}, 60},
};

START_TEST(buckets_are_kept_until_they_are_full_again) {
	model_flow(FW_INPUT, "x", "22/tcp")->limit = refills[_i].rate;
	ck_assert_uint_eq(lower()->sets[0]->timeout, refills[_i].seconds);
}
END_TEST

static const struct {
	struct fw_log log;
	struct fw_rate limit;
	bool counters;
	const char *rules;
} verdicts[] = {
	{{.on = true, .prefix = "fw "}, {0}, false, "dport/6=22 > log(fw x: ) accept\n"},
	{{0}, {0}, true, "dport/6=22 > counter(service_x) accept\n"},
	{{.on = true, .prefix = ""}, {1, FW_HOUR, 5, false}, true,
		"dport/6=22 > limit(service_x_input) counter(service_x) log(x: ) accept\n"},
	/* A limit of the log must not become one of the flow. */
	{{.on = true, .prefix = "fw ", .rate = {1, FW_HOUR, 5, false}}, {0}, true,
		"dport/6=22 > limit(log_x_input) log(fw x: )\n"
		"dport/6=22 > counter(service_x) accept\n"},
	{{.on = true, .prefix = "fw ", .rate = {1, FW_HOUR, 5, false}}, {1, FW_HOUR, 5, true}, true,
		"dport/6=22 > limit(log_x_input) log(fw x: )\n"
		"dport/6=22 > jump(service_x_input)\n"},
};

/* As of services that devices behind a gateway limit each their way. */
static const struct {
	struct fw_rate limits[3], logs[3];
	const char *rules, *limit_names;
} alternating[] = {
	{{{10, FW_MINUTE, 5, false}, {20, FW_MINUTE, 5, false}, {10, FW_MINUTE, 5, false}}, {{0}},
		"dport/6=1 daddr4=10.0.0.1 > limit(service_x_forward) accept\n"
		"dport/6=1 daddr4=10.0.0.2 > limit(service_x_forward_2) accept\n"
		"dport/6=1 daddr4=10.0.0.3 > limit(service_x_forward) accept\n",
		"service_x_forward service_x_forward_2"},
	{{{0}}, {{10, FW_MINUTE, 5, false}, {20, FW_MINUTE, 5, false}, {10, FW_MINUTE, 5, false}},
		"dport/6=1 daddr4=10.0.0.1 > limit(log_x_forward) log(x: )\n"
		"dport/6=1 daddr4=10.0.0.1 > accept\n"
		"dport/6=1 daddr4=10.0.0.2 > limit(log_x_forward_2) log(x: )\n"
		"dport/6=1 daddr4=10.0.0.2 > accept\n"
		"dport/6=1 daddr4=10.0.0.3 > limit(log_x_forward) log(x: )\n"
		"dport/6=1 daddr4=10.0.0.3 > accept\n",
		"log_x_forward log_x_forward_2"},
	{{{1, FW_HOUR, 5, false}, {2, FW_HOUR, 5, false}, {3, FW_HOUR, 5, false}},
		{{1, FW_DAY, 5, false}, {1, FW_DAY, 5, false}, {1, FW_DAY, 5, false}},
		"dport/6=1 daddr4=10.0.0.1 > limit(log_x_forward) log(x: )\n"
		"dport/6=1 daddr4=10.0.0.1 > limit(service_x_forward) accept\n"
		"dport/6=1 daddr4=10.0.0.2 > limit(log_x_forward) log(x: )\n"
		"dport/6=1 daddr4=10.0.0.2 > limit(service_x_forward_2) accept\n"
		"dport/6=1 daddr4=10.0.0.3 > limit(log_x_forward) log(x: )\n"
		"dport/6=1 daddr4=10.0.0.3 > limit(service_x_forward_3) accept\n",
		"service_x_forward log_x_forward service_x_forward_2 service_x_forward_3"},
	{{{1, FW_HOUR, 5, true}, {2, FW_HOUR, 5, false}, {1, FW_HOUR, 5, true}}, {{0}},
		"dport/6=1 daddr4=10.0.0.1 > jump(service_x_forward)\n"
		"dport/6=1 daddr4=10.0.0.2 > limit(service_x_forward_2) accept\n"
		"dport/6=1 daddr4=10.0.0.3 > jump(service_x_forward)\n",
		"service_x_forward_2"},
};

START_TEST(equal_limits_of_a_service_are_one) {
	static const char *const devices[] = {"10.0.0.1", "10.0.0.2", "10.0.0.3"};
	model.policy.hooks[FW_FORWARD].verdict = FW_DROP;
	for (size_t i = 0; i < FW_LENGTH(devices); i++) {
		struct fw_flow *flow = model_flow(FW_FORWARD, "x", "1/tcp");
		flow->inbound = true;
		flow->destination = model_side(model_literal("x_local", devices[i]), NULL);
		flow->limit = alternating[_i].limits[i];
		flow->log.on = alternating[_i].logs[i].count != 0;
		flow->log.prefix = "";
		flow->log.rate = alternating[_i].logs[i];
	}
	const struct fw_nft_table *table = lower();
	ck_assert_str_eq(flow_rules(table, "forward"), alternating[_i].rules);
	out.length = 0;
	for (size_t i = 0; i < table->limit_count; i++) {
		fw_buf_printf(&out, "%s%s", i != 0 ? " " : "", table->limits[i].name);
	}
	ck_assert_str_eq(out.data, alternating[_i].limit_names);
}
END_TEST

START_TEST(logs_and_counters_are_of_what_is_accepted) {
	struct fw_flow *flow = model_flow(FW_INPUT, "x", "22/tcp");
	flow->log = verdicts[_i].log;
	flow->limit = verdicts[_i].limit;
	model.policy.counters = verdicts[_i].counters;
	ck_assert_str_eq(flow_rules(lower(), "input"), verdicts[_i].rules);
}
END_TEST

START_TEST(counters_are_one_for_each_service) {
	model.policy.counters = true;
	model_flow(FW_INPUT, "b", "1/tcp");
	model_flow(FW_OUTPUT, "b", "1/tcp");
	model_flow(FW_OUTPUT, "a", "1/tcp");
	model_flow(FW_FORWARD, "c", "1/tcp");
	const struct fw_nft_table *table = lower();
	ck_assert_uint_eq(table->counter_count, 2);
	ck_assert_str_eq(table->counters[0].name, "service_a");
	ck_assert_str_eq(table->counters[1].name, "service_b");
}
END_TEST

/* ---- chains ---- */

#define STATES "reply > accept\ninvalid > drop\n"

static const struct {
	enum fw_hook hook;
	enum fw_verdict verdict;
	bool log;
	struct fw_rate rate;
	const char *rules;
} chains[] = {
	{FW_INPUT, FW_DROP, false, {0}, "drop:\niif=lo > accept\n" STATES},
	{FW_OUTPUT, FW_DROP, false, {0}, "drop:\noif=lo > accept\n" STATES},
	{FW_FORWARD, FW_DROP, false, {0}, "drop:\n" STATES},
	{FW_INPUT, FW_ACCEPT, true, {0}, "accept:\niif=lo > accept\n" STATES},
	{FW_FORWARD, FW_DROP, true, {0}, "drop:\n" STATES "> log(fw forward: )\n"},
	{FW_FORWARD, FW_DROP, true, {10, FW_MINUTE, 5, false},
		"drop:\n" STATES "> limit log(fw forward: )\n"},
	{FW_FORWARD, FW_REJECT, true, {0},
		"drop:\n" STATES "> log(fw forward: )\nproto/6 > reset\n> reject\n"},
	{FW_OUTPUT, FW_REJECT, false, {0},
		"drop:\noif=lo > accept\n" STATES "proto/6 > reset\n> reject\n"},
};

START_TEST(chains_have_rules_of_their_own) {
	enum fw_hook hook = chains[_i].hook;
	model.policy.hooks[hook].verdict = chains[_i].verdict;
	model.policy.log = (struct fw_log){chains[_i].log, "fw ", chains[_i].rate};
	model_flow(hook, "x", "1/tcp");
	const struct fw_nft_table *table = lower();
	ck_assert_str_eq(chain_rules(table, fw_hook_names[hook]), chains[_i].rules);
	const struct fw_nft_chain *chain = chain_of(table, fw_hook_names[hook]);
	ck_assert_ptr_nonnull(chain->rules[chain->leftover - 1].flow);
}
END_TEST

START_TEST(an_untouched_hook_has_no_chain) {
	model_flow(FW_FORWARD, "x", "1/tcp")->source =
		model_side(model_set("g", "10.0.0.1 10.0.0.2"), NULL);
	const struct fw_nft_table *table = lower();
	ck_assert_ptr_null(chain_of(table, "forward"));
	ck_assert_uint_eq(table->chain_count, 2);
	ck_assert_str_eq(set_names(table), "");
}
END_TEST

int main(void) {
	Suite *suite = suite_create("nftables");
	TCase *tests = tcase_create("lowering");
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, one_rule_serves_both_families);
	tcase_add_test(tests, a_set_makes_a_rule_for_each_family_it_has);
	tcase_add_test(tests, plain_members_are_not_copied);
	tcase_add_test(tests, sides_are_multiplied);
	tcase_add_loop_test(
		tests, literals_are_written_where_they_are_used, 0, (int)FW_LENGTH(literals));
	tcase_add_test(tests, a_group_is_excluded_with_all_its_members);
	tcase_add_loop_test(tests, clauses_become_matches, 0, (int)FW_LENGTH(clauses));
	tcase_add_loop_test(tests, own_ports_become_pairs_or_lists, 0, (int)FW_LENGTH(own_ports));
	tcase_add_loop_test(
		tests, own_ports_become_ranges_for_newer_kernels, 0, (int)FW_LENGTH(own_ranges));
	tcase_add_test(tests, without_default_ports_plain_members_have_no_rule);
	tcase_add_test(tests, own_ports_are_no_way_round_the_rest);
	tcase_add_test(tests, other_flows_see_members_with_ports_too);
	tcase_add_test(tests, many_endpoints_make_few_rules);
	tcase_add_loop_test(tests, large_sets_declare_their_size, 0, (int)FW_LENGTH(sizes));
	tcase_add_test(tests, rules_of_a_flow_share_one_limit);
	tcase_add_test(tests, flows_of_a_service_share_one_limit);
	tcase_add_test(tests, different_limits_of_a_service_have_different_names);
	tcase_add_test(tests, limits_per_source_have_a_chain);
	tcase_add_loop_test(
		tests, buckets_are_kept_until_they_are_full_again, 0, (int)FW_LENGTH(refills));
	tcase_add_loop_test(
		tests, equal_limits_of_a_service_are_one, 0, (int)FW_LENGTH(alternating));
	tcase_add_loop_test(
		tests, logs_and_counters_are_of_what_is_accepted, 0, (int)FW_LENGTH(verdicts));
	tcase_add_test(tests, counters_are_one_for_each_service);
	tcase_add_loop_test(tests, chains_have_rules_of_their_own, 0, (int)FW_LENGTH(chains));
	tcase_add_test(tests, an_untouched_hook_has_no_chain);
	suite_add_tcase(suite, tests);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
