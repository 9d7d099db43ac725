// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The pf backend: the bytes of a rule set in both dialects, tables that say exactly what a set
 * does, and what is refused.
 */

#include <check.h>
#include <stdlib.h>

#include "pf_emit.h"

#define STANDALONE "@header@\n@limits@\n@definitions@\n@states@\n@rules@\n"

/* ---- all of it ---- */

#define LOCAL                                                                                      \
	"# what comes in for this host: its addresses, broadcast, multicast\n"                     \
	"table <local_multicast> const {\n"                                                        \
	"\t224.0.0.0/4\n"                                                                          \
	"\t255.255.255.255\n"                                                                      \
	"\tff00::/8\n"                                                                             \
	"}\n"                                                                                      \
	"local_to = \"{ (self), (self:broadcast), <local_multicast> }\"\n"                         \
	"\n"                                                                                       \
	"# what this host sends, also while it has no address\n"                                   \
	"local_from = \"{ (self), 0.0.0.0/32, ::/128 }\"\n"

START_TEST(a_rule_set_is_these_bytes) {
	struct fw_set *cameras = model_set("cameras", "10.0.0.1=north 10.0.0.2=south@80/tcp+udp");
	cameras->title = "cameras";
	struct fw_flow *rtsp = model_flow(FW_OUTPUT, "rtsp", "554/tcp");
	rtsp->title = "camera streams";
	rtsp->destination = model_side(cameras, NULL);
	rtsp->own_ports = true;
	struct fw_flow *ssh = model_flow(FW_INPUT, "ssh", "22/tcp");
	ssh->title = "ssh";
	ssh->limit = (struct fw_rate){10, FW_MINUTE, 5, true};
	model.policy.name = "junction-17";
	model.policy.extends = "enterprise";
	model.policy.title = "TrafficEnterprise server";
	model.policy.counters = true;
	model.policy.log = (struct fw_log){true, "flowfw ", {0}};
	ck_assert_str_eq(emitted(),
		"# flowfw: junction-17, extends enterprise (TrafficEnterprise server)\n"
		"# For pf of OpenBSD 6.9 and later.\n" LOCAL "\n"
		"# cameras: without ports of their own\n"
		"table <fw_cameras_plain> const {\n"
		"\t10.0.0.1\t# north\n"
		"}\n"
		"# ssh\n"
		"pass in quick proto tcp from any to (self) port 22 flags S/SA keep state "
		"(source-track rule, max-src-conn-rate 5/30) label \"ssh\"\n"
		"\n"
		"# input: what is left is dropped\n"
		"block drop in log quick from any to $local_to label \"flowfw: input\"\n"
		"\n"
		"# rtsp: camera streams\n"
		"pass out quick proto tcp from $local_from to <fw_cameras_plain> port 554 flags "
		"S/SA keep state label \"rtsp\"\n"
		"pass out quick proto tcp from $local_from to 10.0.0.2 port 80 flags S/SA keep "
		"state label \"rtsp\"\t# south\n"
		"pass out quick proto udp from $local_from to 10.0.0.2 port 80 keep state label "
		"\"rtsp\"\t# south\n"
		"\n"
		"# output: what is left is dropped\n"
		"block drop out log quick from $local_from to any label \"flowfw: output\"\n");
}
END_TEST

/* ---- clauses ---- */

static const struct fw_icmp_type codes[] = {{3, 4}, {11, -1}};
static const struct fw_icmp_type mixed[] = {{3, -1}, {8, -1}, {200, -1}};
static const struct fw_icmp_type mixed6[] = {{128, -1}, {130, -1}, {135, -1}, {143, -1}};
static const struct fw_icmp_type router[] = {{134, -1}};
static const struct fw_ports some_ports[] = {{80, 80}, {8000, 8010}};

static const struct {
	struct fw_clause clause;
	const char *source; /* a list of the service's own, or NULL */
	const char *rules;  /* with IN for "pass in quick", TO for the host, X for the label */
} clauses[] = {
	{{.protocol = 6, .ports = some_ports, .port_count = 2}, NULL,
		"IN proto tcp from any TO port { 80, 8000:8010 } flags S/SA keep state X\n"},
	{{.protocol = 17,
		 .source_ports = some_ports,
		 .source_port_count = 1,
		 .ports = some_ports + 1,
		 .port_count = 1},
		"0.0.0.0/0", "IN inet proto udp from any port 80 TO port 8000:8010 keep state X\n"},
	{{.protocol = 6, .ports = some_ports, .port_count = 1}, "2001:db8::/32",
		"IN proto tcp from 2001:db8::/32 TO port 80 flags S/SA keep state X\n"},
	{{.protocol = 6, .ports = some_ports, .port_count = 1}, "::/0 10.0.0.1 10.0.0.2",
		"IN inet proto tcp from <fw_x_peers> TO port 80 flags S/SA keep state X\n"
		"IN inet6 proto tcp from any TO port 80 flags S/SA keep state X\n"},
	{{.protocol = 6}, "::/0 0.0.0.0/0", "IN proto tcp from any TO flags S/SA keep state X\n"},
	/* Only queries keep a state, and membership carries options. */
	{{.protocol = 1, .family = FW_IPV4, .types = codes, .type_count = 2}, NULL,
		"IN inet proto icmp from any TO icmp-type { unreach code 4, timex } no state X\n"},
	{{.protocol = 1, .family = FW_IPV4, .types = mixed, .type_count = 3}, NULL,
		"IN inet proto icmp from any TO icmp-type { unreach, 200 } no state X\n"
		"IN inet proto icmp from any TO icmp-type echoreq keep state X\n"},
	{{.protocol = 58, .family = FW_IPV6, .types = mixed6, .type_count = 4}, NULL,
		"IN inet6 proto icmp6 from any TO icmp6-type neighbrsol no state X\n"
		"IN inet6 proto icmp6 from any TO icmp6-type echoreq keep state X\n"
		"IN inet6 proto icmp6 from any TO icmp6-type { 130, 143 } no state allow-opts X\n"},
	{{.protocol = 1, .family = FW_IPV4}, "10.0.0.1",
		"IN inet proto icmp from 10.0.0.1 TO icmp-type { echoreq, timereq, inforeq, "
		"maskreq } keep state X\n"
		"IN inet proto icmp from 10.0.0.1 TO no state X\n"},
	{{.protocol = 58, .family = FW_IPV6, .types = router, .type_count = 1, .hop_limit = 255},
		"fe80::/10",
		"IN inet6 proto icmp6 from fe80::/10 TO icmp6-type routeradv no state X\n"},
	{{.protocol = 2}, "10.0.0.1", "IN proto igmp from 10.0.0.1 TO no state allow-opts X\n"},
	{{.protocol = 50}, NULL, "IN proto esp from any TO keep state X\n"},
	{{.protocol = 132}, NULL, "IN proto 132 from any TO keep state X\n"},
	/* Families that cannot meet make no rule. */
	{{.protocol = 1, .family = FW_IPV4, .types = mixed, .type_count = 3}, "2001:db8::1",
		"# input: what is left is dropped\n"},
};

/* The words above in full. */
static const char *in_full(const char *rules) {
	FW_AUTO(fw_buf_fini) struct fw_buf text = {0};
	for (const char *at = rules; *at != '\0'; at++) {
		if (strncmp(at, "IN ", 3) == 0) {
			fw_buf_add_text(&text, "pass in quick");
			at++;
		} else if (strncmp(at, "TO ", 3) == 0) {
			fw_buf_add_text(&text, "to $local_to");
			at++;
		} else if (strncmp(at, "X\n", 2) == 0) {
			fw_buf_add_text(&text, "label \"x\"");
		} else {
			fw_buf_add_char(&text, *at);
		}
	}
	return fw_arena_text(&model.arena, fw_buf_slice(&text));
}

START_TEST(clauses_become_rules) {
	struct fw_flow *flow = model_flow(FW_INPUT, "x", NULL);
	model_clause(flow, clauses[_i].clause);
	if (clauses[_i].source != NULL) {
		flow->source = model_side(model_literal("x", clauses[_i].source), NULL);
	}
	assert_lines(in_full(clauses[_i].rules));
}
END_TEST

START_TEST(interfaces_stand_behind_on) {
	static const char *const names[] = {"em0", "vlan1.20", "wg0"};
	struct fw_flow *flow = model_flow(FW_OUTPUT, "x", "80/tcp");
	flow->out_interfaces.items = names;
	flow->out_interfaces.count = 3;
	flow->log = (struct fw_log){true, "x", {0}};
	assert_lines("pass out log quick on { em0, vlan1.20, wg0 } proto tcp from $local_from to "
		     "any port 80 flags S/SA keep state label \"x\"\n");
}
END_TEST

START_TEST(an_own_end_that_is_listed_stays) {
	struct fw_flow *flow = model_flow(FW_INPUT, "mdns", "5353/udp");
	flow->destination = model_side(model_literal("mdns_local", "224.0.0.251 ff02::fb"), NULL);
	assert_lines("pass in quick proto udp from any to <fw_mdns_local> port 5353 keep state "
		     "label \"mdns\"\n");
	ck_assert_ptr_null(strstr(out.data, "tag"));
}
END_TEST

/* Forwarded packets may have the address, too. */
START_TEST(an_own_end_that_could_be_elsewhere_is_tagged) {
	struct fw_flow *in = model_flow(FW_INPUT, "x", "80/tcp");
	in->destination = model_side(model_literal("x_local", "fe80::1"), NULL);
	struct fw_flow *sent = model_flow(FW_OUTPUT, "y", "80/udp");
	sent->source = model_side(model_literal("y_local", "fe80::1 2001:db8::1"), NULL);
	assert_lines("# input: what is this host's\n"
		     "match in from any to $local_to tag flowfw_local\n"
		     "\n"
		     "# x\n"
		     "pass in quick proto tcp from any to fe80::1 port 80 tagged flowfw_local "
		     "flags S/SA keep state label \"x\"\n");
	assert_in("# output: what is this host's\n"
		  "match out from $local_from to any tag flowfw_local\n"
		  "\n"
		  "# y\n"
		  "pass out quick proto udp from <fw_y_local> to any port 80 tagged flowfw_local "
		  "keep state label \"y\"\n");
}
END_TEST

START_TEST(sets_of_one_side_stand_in_one_list) {
	const struct fw_set *sets[] = {model_set("a", "10.0.0.1"), model_literal("x", "10.0.0.2")};
	struct fw_flow *flow = model_flow(FW_INPUT, "x", "80/tcp");
	flow->source = (struct fw_side){sets, 2, NULL};
	assert_lines("from { <fw_a>, 10.0.0.2 } to $local_to port 80");
}
END_TEST

/* ---- tables ---- */

/* Ranges become the prefixes that are exactly them; exceptions are negated where they are needed.
 */
static const struct {
	const char *members, *except, *entries;
} tables[] = {
	{"10.0.0.1 2001:db8::1=a 10.0.0.0/31", "", "10.0.0.0/31;2001:db8::1\t# a;"},
	{"10.0.0.5-10.0.0.20", "", "10.0.0.5;10.0.0.6/31;10.0.0.8/29;10.0.0.16/30;10.0.0.20;"},
	{"0.0.0.1-255.255.255.255", "",
		"0.0.0.1;0.0.0.2/31;0.0.0.4/30;0.0.0.8/29;0.0.0.16/28;0.0.0.32/27;0.0.0.64/26;"
		"0.0.0.128/25;0.0.1.0/24;0.0.2.0/23;0.0.4.0/22;0.0.8.0/21;0.0.16.0/20;0.0.32.0/19;"
		"0.0.64.0/18;0.0.128.0/17;0.1.0.0/16;0.2.0.0/15;0.4.0.0/14;0.8.0.0/13;0.16.0.0/12;"
		"0.32.0.0/11;0.64.0.0/10;0.128.0.0/9;1.0.0.0/8;2.0.0.0/7;4.0.0.0/6;8.0.0.0/5;"
		"16.0.0.0/4;32.0.0.0/3;64.0.0.0/2;128.0.0.0/1;"},
	{"255.255.255.254-255.255.255.255", "", "255.255.255.254/31;"},
	{"::-7fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "", "::/1;"},
	{"2001:db8:0:1::-2001:db8:0:3::", "",
		"2001:db8:0:1::/64;2001:db8:0:2::/64;2001:db8:0:3::;"},
	{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "",
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127;"},
	/* Own ports are no matter here: equal and nested members are each once. */
	{"10.0.0.0/8 10.0.0.1@80/tcp 10.0.0.1@81/tcp", "", "10.0.0.0/8;10.0.0.1;"},
	{"10.0.0.0/8", "10.1.0.0/16", "10.0.0.0/8;!10.1.0.0/16;"},
	{"10.0.0.0/8", "10.1.0.0-10.1.0.2", "10.0.0.0/8;!10.1.0.0/31;!10.1.0.2;"},
	{"10.1.2.0/24 10.2.0.0/16", "10.1.0.0/16 172.16.0.0/12", "10.2.0.0/16;"},
	{"10.1.0.0/16 10.2.0.0/16", "10.1.0.0/16 10.2.3.4", "10.2.0.0/16;!10.2.3.4;"},
	{"10.0.0.0/8 10.1.0.0/16@1/tcp 10.1.2.3@2/tcp", "10.1.2.0/24",
		"10.0.0.0/8;10.1.0.0/16;!10.1.2.0/24;"},
	{"10.0.0.0/8 2001:db8::/32", "10.0.0.0/8 ::1", "2001:db8::/32;"},
};

START_TEST(tables_say_what_sets_do) {
	struct fw_flow *flow = model_flow(FW_INPUT, "x", "80/tcp");
	bool excepts = tables[_i].except[0] != '\0';
	flow->source = model_side(model_set("g", tables[_i].members),
		excepts ? model_literal("x_except", tables[_i].except) : NULL);
	FW_AUTO(fw_buf_fini) struct fw_buf lines = {0};
	fw_buf_printf(&lines, "table <fw_g%s> const {\n\t", excepts ? "_not_x" : "");
	for (const char *at = tables[_i].entries; *at != '\0'; at++) {
		fw_buf_add_text(&lines, *at != ';'	? (char[]){*at, '\0'}
					: at[1] != '\0' ? "\n\t"
							: "\n}\n");
	}
	assert_lines(lines.data);
}
END_TEST

START_TEST(an_exception_of_all_is_a_negated_table) {
	struct fw_flow *flow = model_flow(FW_OUTPUT, "x", "80/tcp");
	flow->destination = model_side(NULL, model_literal("x_except", "10.0.0.0/8"));
	struct fw_flow *family = model_flow(FW_OUTPUT, "y", "80/tcp");
	family->destination = model_side(model_literal("y", "0.0.0.0/0 2001:db8::/32"),
		model_literal("y_except", "10.0.0.0/8"));
	struct fw_flow *other = model_flow(FW_OUTPUT, "z", "80/tcp");
	other->destination = model_side(NULL, model_literal("z_except", "::/0"));
	assert_lines(
		"from $local_from to ! <fw_x_except> port 80 flags S/SA keep state label \"x\"");
	assert_in("pass out quick inet proto tcp from $local_from to ! <fw_y_except> port 80");
	assert_in("pass out quick inet6 proto tcp from $local_from to 2001:db8::/32 port 80 flags "
		  "S/SA keep state label \"y\"");
	assert_in("pass out quick inet proto tcp from $local_from to any port 80 flags S/SA keep "
		  "state label \"z\"");
	ck_assert_ptr_null(strstr(out.data, "<fw_z"));
}
END_TEST

START_TEST(a_flow_whose_peers_are_all_excepted_has_no_rules) {
	struct fw_flow *flow = model_flow(FW_INPUT, "x", "80/tcp");
	flow->source =
		model_side(model_set("g", "10.1.0.0/16"), model_literal("x_except", "10.0.0.0/8"));
	ck_assert_ptr_null(strstr(emitted(), "\"x\""));
	ck_assert_ptr_null(strstr(out.data, "<fw_"));
}
END_TEST

/* One rule for each list of ports, in the order of the lists. */
START_TEST(own_ports_are_grouped_by_list) {
	struct fw_flow *flow = model_flow(FW_OUTPUT, "rtsp", "554/tcp");
	flow->own_ports = true;
	flow->destination = model_side(
		model_set("g", "10.0.0.9@80/tcp 10.0.0.1@81-90/tcp,5/udp 2001:db8::1=b@80/tcp "
			       "0.0.0.0/0@7/udp"),
		NULL);
	assert_lines("pass out quick inet proto udp from $local_from to any port 7 keep state "
		     "label \"rtsp\"\n"
		     "pass out quick proto tcp from $local_from to <fw_g_tcp-80> port 80 flags "
		     "S/SA keep state label \"rtsp\"\n"
		     "pass out quick proto tcp from $local_from to 10.0.0.1 port 81:90 flags S/SA "
		     "keep state label \"rtsp\"\n"
		     "pass out quick proto udp from $local_from to 10.0.0.1 port 5 keep state "
		     "label \"rtsp\"\n");
	assert_in("# g: with these ports of their own\n"
		  "table <fw_g_tcp-80> const {\n"
		  "\t10.0.0.9\n"
		  "\t2001:db8::1\t# b\n"
		  "}\n");
}
END_TEST

/* Flows with and without an eye for own ports share the table of a set that has none. */
START_TEST(equal_tables_are_one) {
	const struct fw_set *set = model_set("g", "10.0.0.1");
	struct fw_flow *flow = model_flow(FW_OUTPUT, "x", "554/tcp");
	flow->own_ports = true;
	flow->destination = model_side(set, NULL);
	model_flow(FW_OUTPUT, "y", "80/tcp")->destination = model_side(set, NULL);
	assert_lines("to <fw_g> port 554");
	assert_in("to <fw_g> port 80");
}
END_TEST

START_TEST(table_names_fit_and_differ) {
	static const char *const names[] = {"a23456789-123456789-12345678", /* fits with fw_ */
		"a23456789-123456789-123456789x", "a23456789-123456789-123456789y"};
	for (size_t i = 0; i < FW_LENGTH(names); i++) {
		model_flow(FW_INPUT, names[i], "80/tcp")->source =
			model_side(model_set(names[i], "10.0.0.1"), NULL);
	}
	emitted();
	assert_in("<fw_a23456789-123456789-12345678>");
	const char *seen[FW_LENGTH(names)];
	size_t count = 0;
	for (const char *at = out.data; (at = strstr(at, "table <fw_")) != NULL; at++) {
		const char *name = at + strlen("table <");
		seen[count++] = fw_arena_text(
			&model.arena, (struct fw_slice){name, (size_t)(strchr(name, '>') - name)});
		ck_assert_uint_le(strlen(seen[count - 1]), 31);
		ck_assert(count == 1 || strcmp(seen[count - 2], seen[count - 1]) < 0);
	}
	ck_assert_uint_eq(count, FW_LENGTH(names));
}
END_TEST

/* Whatever an author writes stays in its comment, on its line. */
START_TEST(names_cannot_become_rules) {
	struct fw_set *set = model_set("g", "10.0.0.1");
	struct fw_endpoint evil = set->members[FW_IPV4].items[0];
	evil.name = "a\npass\" \\";
	set->members[FW_IPV4].items = &evil;
	set->title = "t\npass quick \\";
	struct fw_flow *flow = model_flow(FW_INPUT, "x", "1/tcp");
	flow->title = "f\n\\";
	flow->source = model_side(set, NULL);
	model.policy.name = "p\npass\\";
	model.policy.title = "\\";
	assert_lines("# flowfw: p?pass? (?)\n");
	assert_in("# t?pass quick ?\n");
	assert_in("\t10.0.0.1\t# a?pass\" ?\n");
	assert_in("# x: f??\n");
}
END_TEST

/* ---- hooks ---- */

START_TEST(what_is_left_is_rejected) {
	model.policy.hooks[FW_INPUT].verdict = FW_REJECT;
	model.policy.hooks[FW_OUTPUT].verdict = FW_REJECT;
	assert_lines("# input: what is left is rejected\n"
		     "block return in quick from any to $local_to label \"flowfw: input\"\n");
	assert_in("block return out quick from $local_from to any label \"flowfw: output\"\n");
}
END_TEST

START_TEST(what_is_left_is_accepted_with_a_state) {
	model.policy.hooks[FW_OUTPUT].verdict = FW_ACCEPT;
	assert_lines("# output: what is left is accepted\n"
		     "pass out quick inet proto icmp from $local_from to any icmp-type { echoreq, "
		     "timereq, inforeq, maskreq } keep state label \"flowfw: output\"\n"
		     "pass out quick inet proto icmp from $local_from to any no state label "
		     "\"flowfw: output\"\n"
		     "pass out quick inet6 proto icmp6 from $local_from to any icmp6-type echoreq "
		     "keep state label \"flowfw: output\"\n"
		     "pass out quick inet6 proto icmp6 from $local_from to any icmp6-type { 130, "
		     "131, 132, 143 } no state allow-opts label \"flowfw: output\"\n"
		     "pass out quick inet6 proto icmp6 from $local_from to any no state label "
		     "\"flowfw: output\"\n"
		     "pass out quick proto igmp from $local_from to any no state allow-opts label "
		     "\"flowfw: output\"\n"
		     "pass out quick from $local_from to any keep state label "
		     "\"flowfw: output\"\n"
		     "pass out quick proto tcp from $local_from to any flags any no state label "
		     "\"flowfw: output\"\n");
}
END_TEST

START_TEST(an_untouched_hook_has_no_rules) {
	model_flow(FW_OUTPUT, "x", "80/tcp");
	model.policy.hooks[FW_OUTPUT].verdict = FW_UNTOUCHED;
	emitted();
	ck_assert_ptr_null(strstr(out.data, " out "));
	ck_assert_ptr_null(strstr(out.data, "local_from"));
	ck_assert_str_eq(diags.list.items[0]->id, "untouched-stateless");
}
END_TEST

static const struct {
	enum fw_verdict input, output;
	const char *states;
} unanswered[] = {
	{FW_DROP, FW_UNTOUCHED,
		"# what this host sends passes, and so do answers to it\n"
		"pass out from { (self), 0.0.0.0/32, ::/128 } to any keep state label "
		"\"flowfw: output\"\n\n# input:"},
	{FW_UNTOUCHED, FW_REJECT,
		"# what comes in for this host passes, and so do answers to it\n"
		"pass in from any to { (self), (self:broadcast), 224.0.0.0/4, 255.255.255.255, "
		"ff00::/8 } keep state label \"flowfw: input\"\n\n# output:"},
	{FW_UNTOUCHED, FW_UNTOUCHED, NULL},
	{FW_ACCEPT, FW_UNTOUCHED, NULL},
	{FW_DROP, FW_REJECT, NULL},
};

/* In a file of its own a hook is untouched by a rule that is not quick, and answers pass. */
START_TEST(what_is_untouched_leaves_states_in_a_whole_file) {
	const char *states = unanswered[_i].states;
	model.policy.hooks[FW_INPUT].verdict = unanswered[_i].input;
	model.policy.hooks[FW_OUTPUT].verdict = unanswered[_i].output;
	ck_assert(emit_in("standalone", STANDALONE));
	if (states != NULL) {
		assert_in(states);
		ck_assert_str_eq(diags.list.items[0]->id, "untouched-stateless");
	} else {
		ck_assert_ptr_null(strstr(out.data, "passes, and so"));
		ck_assert_uint_eq(diags.list.count, 0);
	}
}
END_TEST

/* Behind the rules of the host's own packets, and told from them by address alone. */
START_TEST(a_verdict_of_forward_stands_behind_the_others) {
	model.policy.hooks[FW_FORWARD].verdict = FW_DROP;
	emitted();
	const char *rules = strstr(out.data, "# input:");
	ck_assert_ptr_nonnull(rules);
	ck_assert_str_eq(rules,
		"# input: what is left is dropped\n"
		"block drop in quick from any to $local_to label \"flowfw: input\"\n"
		"\n"
		"# forward: what is left is dropped\n"
		"block drop in quick from any to any label \"flowfw: forward\"\n"
		"\n"
		"# output: what is left is dropped\n"
		"block drop out quick from $local_from to any label \"flowfw: output\"\n"
		"\n"
		"# forward: what is left is dropped\n"
		"block drop out quick from any to any label \"flowfw: forward\"\n");
}
END_TEST

/* ---- limits ---- */

static const struct fw_icmp_type echo4[] = {{8, -1}};
static const struct fw_clause echo[] = {
	{.family = FW_IPV4, .protocol = IPPROTO_ICMP, .types = echo4, .type_count = 1},
	{.family = FW_IPV6, .protocol = IPPROTO_ICMPV6, .types = mixed6, .type_count = 1},
};

static struct fw_flow *limited_echo(struct fw_rate rate) {
	struct fw_flow *flow = model_flow(FW_INPUT, "echo", NULL);
	flow->clauses = echo;
	flow->clause_count = FW_LENGTH(echo);
	flow->limit = rate;
	return flow;
}

/* Two rules of the kernel, half of the burst for each. */
START_TEST(echo_is_limited_by_packets) {
	limited_echo((struct fw_rate){10, FW_SECOND, 20, false});
	assert_lines("pass in quick inet proto icmp from any to (self) icmp-type echoreq "
		     "max-pkt-rate 10/2 keep state label \"echo\"\n"
		     "pass in quick inet6 proto icmp6 from any to (self) icmp6-type echoreq "
		     "max-pkt-rate 10/2 keep state label \"echo\"\n");
	ck_assert_str_eq(diags.list.items[0]->id, "lowered");
}
END_TEST

START_TEST(echo_is_limited_by_states_on_freebsd) {
	dialect = "dialect=freebsd";
	limited_echo((struct fw_rate){3, FW_SECOND, 20, false});
	assert_lines("# For pf of FreeBSD 14 and later.\n");
	assert_in("pass in quick inet proto icmp from any to (self) icmp-type echoreq keep state "
		  "(max 10, icmp.first 7, icmp.error 7, adaptive.start 10, adaptive.end 11) "
		  "label \"echo\"\n");
}
END_TEST

/* Ports and interfaces count apart, sources do not. */
START_TEST(a_limit_is_shared_by_the_rules_it_becomes) {
	static const char *const names[] = {"em0", "em1"};
	const struct fw_set *sets[] = {model_set("a", "10.0.0.1"), model_set("b", "10.0.0.2")};
	struct fw_flow *flow = model_flow(FW_INPUT, "x", "22/tcp,80/tcp,90-99/tcp");
	flow->source = (struct fw_side){sets, 2, NULL};
	flow->in_interfaces.items = names;
	flow->in_interfaces.count = 2;
	flow->limit = (struct fw_rate){1, FW_HOUR, 13, true};
	assert_lines("(source-track rule, max-src-conn-rate 2/46800)");
}
END_TEST

static struct fw_flow *limited(const char *service, const char *ports, struct fw_rate rate) {
	struct fw_flow *flow = model_flow(FW_INPUT, service, ports);
	flow->limit = rate;
	return flow;
}

/* Over its limit, a rule of these stops what another one would let pass. */
START_TEST(flows_with_a_limit_stand_behind_the_others) {
	limited("a", "80/tcp", (struct fw_rate){1, FW_HOUR, 8, true});
	model_flow(FW_INPUT, "b", "80/tcp");
	assert_lines("# b\n"
		     "pass in quick proto tcp from any to $local_to port 80 flags S/SA keep state "
		     "label \"b\"\n"
		     "\n"
		     "# a\n"
		     "pass in quick proto tcp from any to (self) port 80 flags S/SA keep state "
		     "(source-track rule, max-src-conn-rate 8/28800) label \"a\"\n");
}
END_TEST

/* One bucket, whatever stands between. */
START_TEST(a_limit_is_shared_across_others) {
	const struct fw_rate rate = {1, FW_HOUR, 8, true}, other = {1, FW_HOUR, 6, true};
	limited("x", "1/tcp", rate);
	model_flow(FW_INPUT, "x", "2/tcp");
	limited("x", "3/tcp", other);
	limited("x", "4/tcp", rate);
	assert_lines("port 1 flags S/SA keep state (source-track rule, max-src-conn-rate 4/28800)");
	assert_in("port 3 flags S/SA keep state (source-track rule, max-src-conn-rate 6/21600)");
	assert_in("port 4 flags S/SA keep state (source-track rule, max-src-conn-rate 4/28800)");
}
END_TEST

/* Not even what pf could not limit is refused. */
START_TEST(where_everything_passes_nothing_is_limited) {
	model.policy.hooks[FW_INPUT].verdict = FW_ACCEPT;
	limited("x", "80/tcp+udp", (struct fw_rate){1, FW_HOUR, 1, true});
	assert_lines("pass in quick proto tcp from any to $local_to port 80 flags S/SA keep state "
		     "label \"x\"\n"
		     "pass in quick proto udp from any to $local_to port 80 keep state label "
		     "\"x\"\n");
}
END_TEST

/* ---- refusals ---- */

static const struct {
	const char *name, *words;
} interfaces[] = {
	{"uplink", "group"},
	{"egress", "group"},
	{"lo", "group"},
	{"eth0.", "group"},
	{"inet6", "no name"},
	{"l3", "no name"},
	{"0", "no name"},
	{"_x0", "no name"},
	{"-1", "no name"},
};

START_TEST(interfaces_that_mean_something_else_are_refused) {
	const char *const names[] = {interfaces[_i].name};
	struct fw_flow *flow = model_flow(FW_INPUT, "x", "80/tcp");
	flow->in_interfaces.items = names;
	flow->in_interfaces.count = 1;
	assert_refused(interfaces[_i].words);
}
END_TEST

static const struct {
	enum fw_hook hook;
	struct fw_clause clause;
	struct fw_rate limit;
	const char *dialect;
	const char *words; /* NULL: fine */
} refusals[] = {
	{FW_INPUT, {.protocol = 0}, {0}, "dialect=openbsd", "protocol 0"},
	{FW_INPUT,
		{.protocol = 58,
			.family = FW_IPV6,
			.types = router,
			.type_count = 1,
			.hop_limit = 255},
		{0}, "dialect=openbsd", NULL},
	{FW_INPUT,
		{.protocol = 58,
			.family = FW_IPV6,
			.types = router,
			.type_count = 1,
			.hop_limit = 1},
		{0}, "dialect=openbsd", "hop limit"},
	{FW_OUTPUT,
		{.protocol = 58,
			.family = FW_IPV6,
			.types = router,
			.type_count = 1,
			.hop_limit = 255},
		{0}, "dialect=openbsd", "hop limit"},
	{FW_INPUT,
		{.protocol = 58,
			.family = FW_IPV6,
			.types = mixed6,
			.type_count = 1,
			.hop_limit = 255},
		{0}, "dialect=openbsd", "hop limit"},
	{FW_INPUT, {.protocol = 6}, {9, FW_SECOND, 9, false}, "dialect=openbsd", "all sources"},
	{FW_INPUT, {.protocol = 17}, {9, FW_SECOND, 9, false}, "dialect=freebsd", "all sources"},
	{FW_INPUT, {.protocol = 17}, {9, FW_SECOND, 9, true}, "dialect=openbsd", "each source"},
	{FW_INPUT, {.protocol = 1}, {9, FW_SECOND, 9, true}, "dialect=openbsd", "each source"},
	{FW_INPUT, {.protocol = 6}, {9, FW_SECOND, 1, true}, "dialect=freebsd", NULL},
	{FW_INPUT, {.protocol = 6, .ports = some_ports, .port_count = 2}, {9, FW_SECOND, 1, true},
		"dialect=openbsd", "burst"},
	{FW_INPUT, {.protocol = 1, .family = FW_IPV4, .types = codes, .type_count = 2},
		{9, FW_SECOND, 9, false}, "dialect=openbsd", NULL},
	{FW_INPUT, {.protocol = 1, .family = FW_IPV4, .types = codes, .type_count = 2},
		{9, FW_SECOND, 9, false}, "dialect=freebsd", "FreeBSD"},
	{FW_INPUT, {.protocol = 1, .family = FW_IPV4}, {9, FW_SECOND, 9, false}, "dialect=freebsd",
		"FreeBSD"},
};

START_TEST(what_would_be_wider_is_refused) {
	struct fw_flow *flow = model_flow(refusals[_i].hook, "x", NULL);
	model_clause(flow, refusals[_i].clause);
	flow->limit = refusals[_i].limit;
	dialect = refusals[_i].dialect;
	if (refusals[_i].words != NULL) {
		assert_refused(refusals[_i].words);
	} else {
		emitted();
	}
}
END_TEST

/* Own ports count, too; and a service is told once, not for each of its flows. */
START_TEST(a_service_is_refused_once) {
	for (int hook = FW_INPUT; hook <= FW_OUTPUT; hook++) {
		struct fw_flow *flow = model_flow((enum fw_hook)hook, "x", "80/tcp");
		flow->own_ports = true;
		flow->limit = (struct fw_rate){9, FW_SECOND, 9, true};
		*(hook == FW_INPUT ? &flow->source : &flow->destination) =
			model_side(model_set("g", "10.0.0.1@53/udp"), NULL);
	}
	assert_refused("each source");
}
END_TEST

static const struct {
	const char *members, *except;
	bool literal, refused;
} unspecified[] = {
	{"0.0.0.0", NULL, true, false},
	{"0.0.0.0", NULL, false, true},
	{"0.0.0.0 10.0.0.1", NULL, true, true},
	{"0.0.0.0-0.0.0.1", NULL, false, false},
	{"::", NULL, false, true},
	{"10.0.0.0/8", "::", true, true},
	{"0.0.0.0/8", "0.0.0.0", true, true},
};

START_TEST(the_unspecified_address_is_in_no_table) {
	struct fw_set *set = model_set("x", unspecified[_i].members);
	set->literal = unspecified[_i].literal;
	const char *except = unspecified[_i].except;
	model_flow(FW_INPUT, "x", "80/tcp")->source =
		model_side(set, except != NULL ? model_literal("x_except", except) : NULL);
	if (unspecified[_i].refused) {
		assert_refused("unspecified");
	} else {
		emitted();
	}
}
END_TEST

START_TEST(exceptions_of_the_own_end_are_refused) {
	model_flow(FW_INPUT, "x", "80/tcp")->destination =
		model_side(NULL, model_literal("x_except", "10.0.0.1"));
	assert_refused("own addresses");
}
END_TEST

START_TEST(the_rate_of_a_log_is_left_out) {
	const struct fw_log log = {true, "x", {10, FW_MINUTE, 5, false}};
	model.policy.log = log;
	model_flow(FW_INPUT, "x", "80/tcp")->log = log;
	model_flow(FW_OUTPUT, "x", "80/tcp")->log = log;
	assert_lines("pass in log quick proto tcp");
	assert_in("block drop in log quick from any");
	ck_assert_uint_eq(diags.warnings, 2);
	ck_assert_str_eq(diags.list.items[0]->id, "log-rate");
}
END_TEST

/* ---- size ---- */

enum { MANY = 70000, LISTS = 600 };

/* Long tables have no names; what is over pf's own limits is said. */
START_TEST(large_sets_say_what_they_need) {
	struct fw_endpoint *endpoints =
		FW_ARENA_ARRAY(&model.arena, struct fw_endpoint, MANY + 2 * LISTS);
	struct fw_port_list *lists = FW_ARENA_ARRAY(&model.arena, struct fw_port_list, LISTS);
	for (size_t i = 0; i < MANY + 2 * LISTS; i++) {
		struct fw_addr addr = {0, 0x0a000000 + 2 * i};
		endpoints[i] = (struct fw_endpoint){{addr, addr, FW_IPV4}, .name = "n"};
	}
	for (size_t i = 0; i < LISTS; i++) {
		struct fw_ports *ports = FW_ARENA_NEW(&model.arena, struct fw_ports);
		*ports = (struct fw_ports){(uint16_t)(i + 1), (uint16_t)(i + 1)};
		lists[i] = (struct fw_port_list){.tcp = ports, .tcp_count = 1};
		endpoints[MANY + 2 * i].own = endpoints[MANY + 2 * i + 1].own = &lists[i];
	}
	struct fw_set set = {.name = "g"};
	set.members[FW_IPV4] = (struct fw_members){endpoints, MANY + 2 * LISTS, MANY};
	struct fw_flow *flow = model_flow(FW_OUTPUT, "x", "1/tcp");
	flow->destination = model_side(&set, NULL);
	flow->own_ports = true;
	model_flow(FW_OUTPUT, "y", "2/tcp")->destination = model_side(&set, NULL);
	ck_assert(emit_in("standalone", STANDALONE));
	assert_in("\nset limit tables 2048\nset limit table-entries 524288\n");
	assert_in("\n# Needs: set limit tables 2048\n");
	assert_in("\t10.0.0.0\n\t10.0.0.2\n");
	assert_in("port 600 flags S/SA keep state label \"x\"\n");
}
END_TEST

int main(void) {
	Suite *suite = suite_create("pf");
	TCase *tests = tcase_create("text");
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, a_rule_set_is_these_bytes);
	tcase_add_loop_test(tests, clauses_become_rules, 0, (int)FW_LENGTH(clauses));
	tcase_add_test(tests, interfaces_stand_behind_on);
	tcase_add_test(tests, an_own_end_that_is_listed_stays);
	tcase_add_test(tests, an_own_end_that_could_be_elsewhere_is_tagged);
	tcase_add_test(tests, sets_of_one_side_stand_in_one_list);
	tcase_add_loop_test(tests, tables_say_what_sets_do, 0, (int)FW_LENGTH(tables));
	tcase_add_test(tests, an_exception_of_all_is_a_negated_table);
	tcase_add_test(tests, a_flow_whose_peers_are_all_excepted_has_no_rules);
	tcase_add_test(tests, own_ports_are_grouped_by_list);
	tcase_add_test(tests, equal_tables_are_one);
	tcase_add_test(tests, table_names_fit_and_differ);
	tcase_add_test(tests, names_cannot_become_rules);
	tcase_add_test(tests, what_is_left_is_rejected);
	tcase_add_test(tests, what_is_left_is_accepted_with_a_state);
	tcase_add_test(tests, an_untouched_hook_has_no_rules);
	tcase_add_loop_test(tests, what_is_untouched_leaves_states_in_a_whole_file, 0,
		(int)FW_LENGTH(unanswered));
	tcase_add_test(tests, a_verdict_of_forward_stands_behind_the_others);
	tcase_add_test(tests, echo_is_limited_by_packets);
	tcase_add_test(tests, echo_is_limited_by_states_on_freebsd);
	tcase_add_test(tests, a_limit_is_shared_by_the_rules_it_becomes);
	tcase_add_test(tests, flows_with_a_limit_stand_behind_the_others);
	tcase_add_test(tests, a_limit_is_shared_across_others);
	tcase_add_test(tests, where_everything_passes_nothing_is_limited);
	tcase_add_loop_test(tests, interfaces_that_mean_something_else_are_refused, 0,
		(int)FW_LENGTH(interfaces));
	tcase_add_loop_test(tests, what_would_be_wider_is_refused, 0, (int)FW_LENGTH(refusals));
	tcase_add_test(tests, a_service_is_refused_once);
	tcase_add_loop_test(
		tests, the_unspecified_address_is_in_no_table, 0, (int)FW_LENGTH(unspecified));
	tcase_add_test(tests, exceptions_of_the_own_end_are_refused);
	tcase_add_test(tests, the_rate_of_a_log_is_left_out);
	tcase_add_test(tests, large_sets_say_what_they_need);
	suite_add_tcase(suite, tests);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
