// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The nftables backend at a gateway: the bytes of tables that translate, and of what is forwarded.
 */

#include <check.h>
#include <stdlib.h>

#include "emit/emit.h"
#include "nat.h"

static struct fw_diags diags;
static struct fw_buf out;

static void set_up(void) {
	diags = (struct fw_diags){0};
	out = (struct fw_buf){0};
	model_set_up();
	nat_set_up();
}

static void tear_down(void) {
	fw_buf_fini(&out);
	fw_diags_fini(&diags);
	model_tear_down();
}

/* The rules of the policy, without header and reset. */
static const char *emitted(void) {
	const struct fw_emitter *nftables = fw_emitter_find("nftables");
	ck_assert_ptr_nonnull(nftables);
	struct fw_job job = {.emitter = nftables, .spec = nftables->frames};
	job.frame = fw_source_text(
		&model.arena, "own.nft", fw_slice("@header@\n@reset@\n#\n@rules@\n"), &diags);
	fw_options_init(&job.options, nftables);
	ck_assert(fw_emit(&job, model_policy(), &out, NULL, &diags));
	ck_assert_uint_eq(diags.errors + diags.warnings, 0);
	const char *rules = strstr(out.data, "\n#\n");
	ck_assert_ptr_nonnull(rules);
	return rules + strlen("\n#\n");
}

static void assert_lines(const char *lines) {
	const char *text = emitted();
	ck_assert_msg(strstr(text, lines) != NULL, "no\n%s\nin\n%s", lines, text);
}

#define FILTER                                                                                     \
	"table inet flowfw {\n"                                                                    \
	"\tchain forward {\n"                                                                      \
	"\t\ttype filter hook forward priority 0; policy drop;\n"                                  \
	"\n"                                                                                       \
	"\t\t# replies to what was allowed\n"                                                      \
	"\t\tct state established,related accept\n"                                                \
	"\t\tct state invalid drop\n"                                                              \
	"\t}\n"                                                                                    \
	"}\n"

START_TEST(a_translation_is_these_bytes) {
	static const struct nat_row rows[] = {
		{"rest-api", "junction-18", IPPROTO_TCP, 18089, "10.8.0.18", 8088},
		{"node", "junction-17", IPPROTO_TCP, 15556, "10.8.0.17", 5556},
		{"rest-api", "junction-17", IPPROTO_TCP, 18088, "10.8.0.17", 8088},
		{"rest-api", "junction-17", IPPROTO_TCP, 18088, "2001:db8:8::17", 8088},
		{"udp-sinks", "junction-17", IPPROTO_UDP, 15557, "10.8.0.17", 55571},
	};
	nat_forward("198.51.100.7 2001:db8::7", rows, FW_LENGTH(rows));
	nat_masquerade("10.8.0.0/24 10.9.0.0/24");
	nat_hairpin("10.8.0.0/24 2001:db8:8::/64", "10.8.0.1", "2001:db8:8::1");
	ck_assert_str_eq(emitted(), FILTER
		"\n"
		"# what is translated: IPv4\n"
		"table ip flowfw_nat {\n"
		"\t# node: outside port : device, where it is tcp port 5556\n"
		"\tmap ipv4_node_forward_tcp-5556 {\n"
		"\t\ttype inet_service : ipv4_addr\n"
		"\t\telements = {\n"
		"\t\t\t15556 : 10.8.0.17,\t# junction-17\n"
		"\t\t}\n"
		"\t}\n"
		"\n"
		"\t# rest-api: outside port : device, where it is tcp port 8088\n"
		"\tmap ipv4_rest-api_forward_tcp-8088 {\n"
		"\t\ttype inet_service : ipv4_addr\n"
		"\t\telements = {\n"
		"\t\t\t18088 : 10.8.0.17,\t# junction-17\n"
		"\t\t\t18089 : 10.8.0.18,\t# junction-18\n"
		"\t\t}\n"
		"\t}\n"
		"\n"
		"\t# udp-sinks: outside port : device, where it is udp port 55571\n"
		"\tmap ipv4_udp-sinks_forward_udp-55571 {\n"
		"\t\ttype inet_service : ipv4_addr\n"
		"\t\telements = {\n"
		"\t\t\t15557 : 10.8.0.17,\t# junction-17\n"
		"\t\t}\n"
		"\t}\n"
		"\n"
		"\t# nat_masquerade\n"
		"\tset ipv4_nat_masquerade {\n"
		"\t\ttype ipv4_addr\n"
		"\t\tflags interval\n"
		"\t\telements = {\n"
		"\t\t\t10.8.0.0/24,\n"
		"\t\t\t10.9.0.0/24,\n"
		"\t\t}\n"
		"\t}\n"
		"\n"
		"\tchain prerouting {\n"
		"\t\ttype nat hook prerouting priority -100; policy accept;\n"
		"\n"
		"\t\t# ports of the outside address that are devices'\n"
		"\t\tiifname { \"eth0\", \"eth1\" } ip daddr 198.51.100.7 dnat to tcp dport map "
		"@ipv4_node_forward_tcp-5556:5556 comment \"node\"\n"
		"\t\tiifname { \"eth0\", \"eth1\" } ip daddr 198.51.100.7 dnat to tcp dport map "
		"@ipv4_rest-api_forward_tcp-8088:8088 comment \"rest-api\"\n"
		"\t\tiifname { \"eth0\", \"eth1\" } ip daddr 198.51.100.7 dnat to udp dport map "
		"@ipv4_udp-sinks_forward_udp-55571:55571 comment \"udp-sinks\"\n"
		"\t}\n"
		"\n"
		"\tchain postrouting {\n"
		"\t\ttype nat hook postrouting priority 100; policy accept;\n"
		"\n"
		"\t\t# hairpin: replies to who called the outside address from inside\n"
		"\t\tct status dnat ct original ip daddr 198.51.100.7 ip saddr 10.8.0.0/24 snat to "
		"10.8.0.1 comment \"hairpin\"\n"
		"\n"
		"\t\t# masquerade: what leaves has the address of its interface\n"
		"\t\toifname \"eth0\" ip saddr @ipv4_nat_masquerade masquerade comment "
		"\"masquerade\"\n"
		"\t}\n"
		"}\n"
		"\n"
		"# what is translated: IPv6\n"
		"table ip6 flowfw_nat {\n"
		"\t# rest-api: outside port : device, where it is tcp port 8088\n"
		"\tmap ipv6_rest-api_forward_tcp-8088 {\n"
		"\t\ttype inet_service : ipv6_addr\n"
		"\t\telements = {\n"
		"\t\t\t18088 : 2001:db8:8::17,\t# junction-17\n"
		"\t\t}\n"
		"\t}\n"
		"\n"
		"\tchain prerouting {\n"
		"\t\ttype nat hook prerouting priority -100; policy accept;\n"
		"\n"
		"\t\t# ports of the outside address that are devices'\n"
		"\t\tiifname { \"eth0\", \"eth1\" } ip6 daddr 2001:db8::7 dnat to tcp dport map "
		"@ipv6_rest-api_forward_tcp-8088:8088 comment \"rest-api\"\n"
		"\t}\n"
		"\n"
		"\tchain postrouting {\n"
		"\t\ttype nat hook postrouting priority 100; policy accept;\n"
		"\n"
		"\t\t# hairpin: replies to who called the outside address from inside\n"
		"\t\tct status dnat ct original ip6 daddr 2001:db8::7 ip6 saddr 2001:db8:8::/64 "
		"snat to 2001:db8:8::1 comment "
		"\"hairpin\"\n"
		"\t}\n"
		"}\n");
}
END_TEST

START_TEST(nothing_to_translate_is_no_table) {
	ck_assert_str_eq(emitted(), FILTER);
}
END_TEST

/* Both chains: with one alone, old kernels do not translate replies back. */
START_TEST(masquerade_alone_has_both_chains) {
	nat_masquerade("10.8.0.0/24");
	ck_assert_str_eq(emitted(),
		FILTER "\n"
		       "# what is translated: IPv4\n"
		       "table ip flowfw_nat {\n"
		       "\tchain prerouting {\n"
		       "\t\ttype nat hook prerouting priority -100; policy accept;\n"
		       "\t}\n"
		       "\n"
		       "\tchain postrouting {\n"
		       "\t\ttype nat hook postrouting priority 100; policy accept;\n"
		       "\n"
		       "\t\t# masquerade: what leaves has the address of its interface\n"
		       "\t\toifname \"eth0\" ip saddr 10.8.0.0/24 masquerade comment "
		       "\"masquerade\"\n"
		       "\t}\n"
		       "}\n");
}
END_TEST

START_TEST(several_outside_addresses_are_a_set) {
	static const struct nat_row row = {"node", "a", IPPROTO_UDP, 15556, "10.8.0.17", 5556};
	nat_forward("198.51.100.7 198.51.100.8", &row, 1);
	assert_lines("\tset ipv4_nat_outside {\n"
		     "\t\ttype ipv4_addr\n"
		     "\t\telements = {\n"
		     "\t\t\t198.51.100.7,\n"
		     "\t\t\t198.51.100.8,\n"
		     "\t\t}\n"
		     "\t}\n");
	ck_assert_ptr_nonnull(strstr(out.data, " ip daddr @ipv4_nat_outside dnat to udp dport map "
					       "@ipv4_node_forward_udp-5556:5556 "));
}
END_TEST

/* Whatever an author writes stays in its comment, on its line. */
START_TEST(names_cannot_become_rules) {
	static const struct nat_row row = {
		"node", "a\n}\" \\", IPPROTO_TCP, 15556, "10.8.0.17", 5556};
	nat_forward("198.51.100.7", &row, 1);
	assert_lines("\t\t\t15556 : 10.8.0.17,\t# a?}\" ?\n");
}
END_TEST

enum { NAMED_MAX = 256 };

static const struct {
	size_t count;
	bool named, sized;
} lengths[] = {
	{NAMED_MAX, true, false},
	{NAMED_MAX + 1, false, false},
	{1024, false, true},
};

/* As of sets: long maps are read by machines. */
START_TEST(long_maps_have_no_names) {
	size_t count = lengths[_i].count;
	struct nat_row *rows = FW_ARENA_ARRAY(&model.arena, struct nat_row, count);
	for (size_t i = 0; i < count; i++) {
		rows[i] = (struct nat_row){
			"x", "d", IPPROTO_TCP, (uint16_t)(10000 + i), "10.8.0.17", 8088};
	}
	nat_forward("198.51.100.7", rows, count);
	const char *text = emitted();
	ck_assert_int_eq(strstr(text, "10000 : 10.8.0.17,\t# d\n") != NULL, lengths[_i].named);
	ck_assert_int_eq(strstr(text, "inet_service : ipv4_addr\n\t\tsize 1024\n") != NULL,
		lengths[_i].sized);
}
END_TEST

/* ---- what is forwarded ---- */

START_TEST(forwarded_flows_are_these_bytes) {
	static const char *const inside[] = {"eth1"}, *const outside[] = {"eth0"};
	struct fw_set *devices =
		model_set("devices", "10.8.0.17=junction-17 10.8.0.18=junction-18");
	struct fw_set *clients = model_set("clients", "203.0.113.0/24");
	struct fw_set *cameras = model_set("cameras", "10.30.1.11=north@554/tcp 10.30.1.12=south");
	struct fw_flow *api = model_flow(FW_FORWARD, "rest-api", "8088/tcp");
	api->title = "REST API";
	api->source = model_side(clients, NULL);
	api->destination = model_side(devices, NULL);
	api->out_interfaces = (struct fw_names){inside, 1};
	api->in_interfaces = (struct fw_names){outside, 1};
	api->inbound = true;
	api->limit = (struct fw_rate){10, FW_MINUTE, 5, true};
	struct fw_flow *video = model_flow(FW_FORWARD, "video", "8554/tcp");
	video->source = model_side(devices, NULL);
	video->destination = model_side(cameras, NULL);
	video->in_interfaces = (struct fw_names){inside, 1};
	video->own_ports = true;
	model.policy.counters = true;
	model.policy.hooks[FW_FORWARD].verdict = FW_REJECT;
	model.policy.log = (struct fw_log){true, "fw ", {0}};
	assert_lines(
		"\t# rest-api: its limit, for each source\n"
		"\tchain service_rest-api_forward {\n"
		"\t\tmeter ipv4_rest-api_forward_sources size 65535 "
		"{ ip saddr timeout 1m limit rate 10/minute burst 5 packets } "
		"counter name \"service_rest-api\" accept comment \"rest-api\"\n"
		"\t}\n"
		"\n"
		"\tchain forward {\n"
		"\t\ttype filter hook forward priority 0; policy drop;\n"
		"\n"
		"\t\t# replies to what was allowed\n"
		"\t\tct state established,related accept\n"
		"\t\tct state invalid drop\n"
		"\n"
		"\t\t# rest-api: REST API\n"
		"\t\tiifname \"eth0\" oifname \"eth1\" tcp dport 8088 "
		"ip saddr @ipv4_clients ip daddr @ipv4_devices "
		"jump service_rest-api_forward comment \"rest-api\"\n"
		"\n"
		"\t\t# video\n"
		"\t\tiifname \"eth1\" tcp dport 8554 ip saddr @ipv4_devices "
		"ip daddr @ipv4_cameras counter name \"service_video\" accept comment \"video\"\n"
		"\t\tiifname \"eth1\" ip saddr @ipv4_devices "
		"ip daddr . tcp dport @ipv4_cameras_tcp "
		"counter name \"service_video\" accept comment \"video\"\n"
		"\n"
		"\t\t# what is left is rejected\n"
		"\t\tlog prefix \"fw forward: \"\n"
		"\t\tmeta l4proto tcp reject with tcp reset\n"
		"\t\treject with icmpx type admin-prohibited\n"
		"\t}\n"
		"}\n");
}
END_TEST

int main(void) {
	Suite *suite = suite_create("nft_nat");
	TCase *tests = tcase_create("text");
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, a_translation_is_these_bytes);
	tcase_add_test(tests, nothing_to_translate_is_no_table);
	tcase_add_test(tests, masquerade_alone_has_both_chains);
	tcase_add_test(tests, several_outside_addresses_are_a_set);
	tcase_add_test(tests, names_cannot_become_rules);
	tcase_add_loop_test(tests, long_maps_have_no_names, 0, (int)FW_LENGTH(lengths));
	tcase_add_test(tests, forwarded_flows_are_these_bytes);
	suite_add_tcase(suite, tests);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
