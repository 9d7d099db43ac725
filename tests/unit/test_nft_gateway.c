// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A gateway as nf_tables objects: what goes from one interface to another, and what is translated.
 */

#include <check.h>
#include <stdlib.h>

#include "nat.h"
#include "nft_words.h"

static void set_up(void) {
	model_set_up();
}

static void tear_down(void) {
	words_tear_down();
	model_tear_down();
}

/* ---- from one interface to another ---- */

/* Peers, who may bring ports, are the source of what goes to devices, else the destination. */
static const struct {
	bool inbound;
	const char *rules;
} directions[] = {
	{true, "iif=eth0 oif=eth1 dport/6=554 saddr4=ipv4_g daddr4=10.8.0.17 > accept\n"
	       "iif=eth0 oif=eth1 daddr4=10.8.0.17 saddr.port4/6=ipv4_g_tcp > accept\n"},
	{false, "iif=eth0 oif=eth1 dport/6=554 saddr4=10.8.0.17 daddr4=ipv4_g > accept\n"
		"iif=eth0 oif=eth1 saddr4=10.8.0.17 daddr.port4/6=ipv4_g_tcp > accept\n"},
};

START_TEST(peers_of_forwarded_flows_may_bring_ports) {
	static const char *const in[] = {"eth0"}, *const through[] = {"eth1"};
	struct fw_side peers = model_side(model_set("g", "10.0.0.1 10.0.0.2@80/tcp"), NULL);
	struct fw_side device = model_side(model_literal("x_local", "10.8.0.17"), NULL);
	struct fw_flow *flow = model_flow(FW_FORWARD, "x", "554/tcp");
	model.policy.hooks[FW_FORWARD].verdict = FW_DROP;
	flow->inbound = directions[_i].inbound;
	flow->source = flow->inbound ? peers : device;
	flow->destination = flow->inbound ? device : peers;
	flow->own_ports = true;
	flow->in_interfaces = (struct fw_names){in, 1};
	flow->out_interfaces = (struct fw_names){through, 1};
	ck_assert_str_eq(flow_rules(lower(), "forward"), directions[_i].rules);
}
END_TEST

/* The family is asked for behind both interfaces. */
START_TEST(forwarded_flows_may_be_of_one_family) {
	static const char *const in[] = {"eth0"}, *const through[] = {"eth1"};
	struct fw_flow *flow = model_flow(FW_FORWARD, "x", "1/tcp");
	model.policy.hooks[FW_FORWARD].verdict = FW_DROP;
	flow->source = model_side(NULL, model_literal("x_except", "0.0.0.0/0"));
	flow->in_interfaces = (struct fw_names){in, 1};
	flow->out_interfaces = (struct fw_names){through, 1};
	ck_assert_str_eq(
		flow_rules(lower(), "forward"), "iif=eth0 oif=eth1 nfproto6 dport/6=1 > accept\n");
}
END_TEST

static const struct fw_ports destination_port[] = {{67, 67}}, source_port[] = {{68, 68}};

/* Every match that one rule can have: the rule must have room for them. */
START_TEST(a_rule_has_room_for_all_matches) {
	static const char *const in[] = {"eth0"}, *const through[] = {"eth1"};
	const struct fw_set *group = model_set("g", "fd00::1 fd00::2@80/tcp");
	struct fw_flow *flow = model_flow(FW_FORWARD, "x", NULL);
	model.policy.hooks[FW_FORWARD].verdict = FW_DROP;
	flow->source = flow->destination = model_side(model_literal("x", "fd00::/8"), group);
	flow->in_interfaces = (struct fw_names){in, 1};
	flow->out_interfaces = (struct fw_names){through, 1};
	model_clause(flow, (struct fw_clause){.protocol = IPPROTO_UDP,
				   .ports = destination_port,
				   .port_count = 1,
				   .source_ports = source_port,
				   .source_port_count = 1,
				   .hop_limit = 9});
	ck_assert_str_eq(flow_rules(lower(), "forward"),
		"iif=eth0 oif=eth1 hop-limit6=9 sport/17=68 dport/17=67 "
		"saddr6=fd00::/8 saddr6!=ipv6_g saddr6!=ipv6_g_own "
		"daddr6=fd00::/8 daddr6!=ipv6_g daddr6!=ipv6_g_own > accept\n");
}
END_TEST

/* ---- translation ---- */

/* Both chains, their rules in words. */
static const char *nat_rules(const struct fw_nft_table *nat) {
	static const enum fw_nft_nat hooks[] = {FW_NFT_PREROUTING, FW_NFT_POSTROUTING};
	static const char *const names[] = {"prerouting", "postrouting"};
	ck_assert_uint_eq(nat->chain_count, FW_LENGTH(hooks));
	out.length = 0;
	say("");
	for (size_t i = 0; i < FW_LENGTH(hooks); i++) {
		const struct fw_nft_chain *chain = &nat->chains[i];
		ck_assert_int_eq(chain->nat, hooks[i]);
		ck_assert_str_eq(chain->name, names[i]);
		ck_assert_int_eq(chain->hook, FW_HOOK_NONE);
		ck_assert(chain->accept);
		for (size_t k = 0; k < chain->rule_count; k++) {
			say_rule(&chain->rules[k]);
		}
	}
	return out.data;
}

#define ENTRY4 "iif=eth0,eth1 daddr4=198.51.100.7 "
#define ENTRY6 "iif=eth0,eth1 daddr6=2001:db8::7 "

/* One map and rule for a service, protocol and port on the devices, in this order. */
static const struct nat_row mixed[] = {
	{"b", "one", IPPROTO_TCP, 10001, "10.8.0.1", 80},
	{"a", "one", IPPROTO_UDP, 10001, "10.8.0.1", 80},
	{"a", "one", IPPROTO_TCP, 10003, "10.8.0.1", 80},
	{"a", "one", IPPROTO_TCP, 10004, "10.8.0.1", 81},
	{"a", "two", IPPROTO_TCP, 10002, "10.8.0.2", 80},
	{"a", "six", IPPROTO_TCP, 10002, "fd00::6", 80},
};

START_TEST(forwardings_become_maps) {
	nat_set_up();
	nat_forward("198.51.100.7 2001:db8::7", mixed, FW_LENGTH(mixed));
	const struct fw_nft_table *table = lower();
	ck_assert_str_eq(set_names(table), "");
	ck_assert_str_eq(set_names(table->nat[FW_IPV4]),
		"ipv4_a_forward_tcp-80 ipv4_a_forward_tcp-81 ipv4_a_forward_udp-80 "
		"ipv4_b_forward_tcp-80");
	ck_assert_str_eq(nat_rules(table->nat[FW_IPV4]),
		ENTRY4 "> dnat(ipv4_a_forward_tcp-80)/6:80\n" ENTRY4
		       "> dnat(ipv4_a_forward_tcp-81)/6:81\n" ENTRY4
		       "> dnat(ipv4_a_forward_udp-80)/17:80\n" ENTRY4
		       "> dnat(ipv4_b_forward_tcp-80)/6:80\n");
	ck_assert_str_eq(
		nat_rules(table->nat[FW_IPV6]), ENTRY6 "> dnat(ipv6_a_forward_tcp-80)/6:80\n");
	const struct fw_nft_set *map = table->nat[FW_IPV4]->sets[0];
	ck_assert_int_eq(map->key, FW_NFT_PORT_TO_ADDR);
	ck_assert_uint_eq(map->count, 2);
	ck_assert_uint_eq(map->forwardings[0].outside_port, 10002);
	ck_assert_str_eq(map->forwardings[0].device, "two");
	ck_assert_uint_eq(map->forwardings[1].outside_port, 10003);
}
END_TEST

static const struct {
	const char *outside; /* of one forwarding to 10.8.0.1; NULL: none */
	const char *masqueraded, *hairpin;
	const char *sets, *rules; /* of IPv4; NULL: no table */
} translations[] = {
	{NULL, NULL, NULL, NULL, NULL},
	{"198.51.100.7", NULL, NULL, "ipv4_a_forward_tcp-80",
		ENTRY4 "> dnat(ipv4_a_forward_tcp-80)/6:80\n"},
	/* Never widened: without an address of the family, nothing is forwarded. */
	{"2001:db8::7", NULL, NULL, NULL, NULL},
	{"198.51.100.7 198.51.100.8", NULL, NULL, "ipv4_a_forward_tcp-80 ipv4_nat_outside",
		"iif=eth0,eth1 daddr4=ipv4_nat_outside > dnat(ipv4_a_forward_tcp-80)/6:80\n"},
	{NULL, "10.8.0.0/24", NULL, "", "oif=eth0 saddr4=10.8.0.0/24 > masquerade\n"},
	{NULL, "10.8.0.0/24 10.9.0.0/24", NULL, "ipv4_nat_masquerade",
		"oif=eth0 saddr4=ipv4_nat_masquerade > masquerade\n"},
	{NULL, "0.0.0.0/0", NULL, "", "oif=eth0 > masquerade\n"},
	/* Hairpin is for what was forwarded, so it needs something that is. */
	{NULL, NULL, "10.8.0.0/24", NULL, NULL},
	{NULL, "10.8.0.0/24", "10.8.0.0/24", "", "oif=eth0 saddr4=10.8.0.0/24 > masquerade\n"},
	{"198.51.100.7", NULL, "fd00::/64", "ipv4_a_forward_tcp-80",
		ENTRY4 "> dnat(ipv4_a_forward_tcp-80)/6:80\n"},
	/* It comes first. */
	{"198.51.100.7", "10.8.0.0/24 10.9.0.0/24", "10.8.0.0/24 10.9.0.0/24",
		"ipv4_a_forward_tcp-80 ipv4_nat_hairpin ipv4_nat_masquerade",
		ENTRY4 "> dnat(ipv4_a_forward_tcp-80)/6:80\n"
		       "translated4=198.51.100.7 saddr4=ipv4_nat_hairpin > snat=10.8.0.254\n"
		       "oif=eth0 saddr4=ipv4_nat_masquerade > masquerade\n"},
	/* Only what was translated here: others translate, too. */
	{"198.51.100.7 198.51.100.8", NULL, "10.8.0.0/24", "ipv4_a_forward_tcp-80 ipv4_nat_outside",
		"iif=eth0,eth1 daddr4=ipv4_nat_outside > dnat(ipv4_a_forward_tcp-80)/6:80\n"
		"translated4=198.51.100.7 saddr4=10.8.0.0/24 > snat=10.8.0.254\n"
		"translated4=198.51.100.8 saddr4=10.8.0.0/24 > snat=10.8.0.254\n"},
};

START_TEST(translations_have_a_table_for_each_family) {
	static const struct nat_row row = {"a", "one", IPPROTO_TCP, 10001, "10.8.0.1", 80};
	nat_set_up();
	if (translations[_i].outside != NULL) {
		nat_forward(translations[_i].outside, &row, 1);
	}
	if (translations[_i].masqueraded != NULL) {
		nat_masquerade(translations[_i].masqueraded);
	}
	if (translations[_i].hairpin != NULL) {
		nat_hairpin(translations[_i].hairpin, "10.8.0.254", "fd00::254");
	}
	const struct fw_nft_table *table = lower(), *nat = table->nat[FW_IPV4];
	ck_assert_str_eq(table->name, FW_NFT_TABLE);
	ck_assert_int_eq(table->family, FW_FAMILY_NONE);
	ck_assert_str_eq(set_names(table), "");
	ck_assert_ptr_null(table->nat[FW_IPV6]);
	ck_assert_int_eq(nat != NULL, translations[_i].rules != NULL);
	if (nat != NULL) {
		ck_assert_str_eq(nat->name, FW_NFT_NAT_TABLE);
		ck_assert_int_eq(nat->family, FW_IPV4);
		ck_assert_str_eq(set_names(nat), translations[_i].sets);
		ck_assert_str_eq(nat_rules(nat), translations[_i].rules);
	}
}
END_TEST

/* A group may be what is translated; then a set is named as it is for flows. */
START_TEST(groups_are_translated_with_all_their_members) {
	struct fw_translation *translation = nat_set_up();
	translation->masqueraded = model_set("devices", "10.8.0.1 10.8.0.2@80/tcp");
	ck_assert_str_eq(nat_rules(lower()->nat[FW_IPV4]),
		"oif=eth0 saddr4=ipv4_devices > masquerade\n"
		"oif=eth0 saddr4=ipv4_devices_own > masquerade\n");
}
END_TEST

START_TEST(entry_may_be_any_interface) {
	static const struct nat_row row = {"a", "one", IPPROTO_TCP, 10001, "10.8.0.1", 80};
	nat_set_up()->entry = (struct fw_names){0};
	nat_forward("198.51.100.7", &row, 1);
	ck_assert_str_eq(nat_rules(lower()->nat[FW_IPV4]),
		"daddr4=198.51.100.7 > dnat(ipv4_a_forward_tcp-80)/6:80\n");
}
END_TEST

enum { FLEET = 2048 };

/* Rules are counted by services and ports, never by devices. */
START_TEST(many_forwardings_make_few_rules) {
	struct nat_row *rows = FW_ARENA_ARRAY(&model.arena, struct nat_row, FLEET);
	for (size_t i = 0; i < FLEET; i++) {
		rows[i] = (struct nat_row){
			"a", "d", IPPROTO_TCP, (uint16_t)(10000 + i), "10.8.0.1", 80};
	}
	nat_set_up();
	nat_forward("198.51.100.7", rows, FLEET);
	const struct fw_nft_table *nat = lower()->nat[FW_IPV4];
	ck_assert_str_eq(nat_rules(nat), ENTRY4 "> dnat(ipv4_a_forward_tcp-80)/6:80\n");
	ck_assert_uint_eq(nat->sets[0]->count, FLEET);
	ck_assert_uint_eq(nat->sets[0]->size, FLEET);
}
END_TEST

int main(void) {
	Suite *suite = suite_create("nft_gateway");
	TCase *tests = tcase_create("lowering");
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_loop_test(
		tests, peers_of_forwarded_flows_may_bring_ports, 0, (int)FW_LENGTH(directions));
	tcase_add_test(tests, forwarded_flows_may_be_of_one_family);
	tcase_add_test(tests, a_rule_has_room_for_all_matches);
	tcase_add_test(tests, forwardings_become_maps);
	tcase_add_loop_test(
		tests, translations_have_a_table_for_each_family, 0, (int)FW_LENGTH(translations));
	tcase_add_test(tests, groups_are_translated_with_all_their_members);
	tcase_add_test(tests, entry_may_be_any_interface);
	tcase_add_test(tests, many_forwardings_make_few_rules);
	suite_add_tcase(suite, tests);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
