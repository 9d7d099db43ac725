// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The pf backend at a gateway: forwarded packets and translation in both dialects, and what is
 * refused of them.
 */

#include <check.h>
#include <stdlib.h>

#include "nat.h"
#include "pf_emit.h"

static struct fw_translation *translation;

static void set_up_gateway(void) {
	set_up();
	translation = nat_set_up();
}

static const char *const dialects[] = {"dialect=openbsd", "dialect=freebsd"};
enum { OPENBSD, FREEBSD };

static struct fw_names names(const char *first, const char *second) {
	const char **items = FW_ARENA_ARRAY(&model.arena, const char *, 2);
	items[0] = first;
	items[1] = second;
	return (struct fw_names){items, first == NULL ? 0 : second == NULL ? 1 : 2};
}

/* To a device, which is reached by eth1. */
static struct fw_flow *inbound(const char *service, const char *ports) {
	struct fw_flow *flow = model_flow(FW_FORWARD, service, ports);
	flow->inbound = true;
	flow->source = model_side(model_literal(service, "203.0.113.0/24"), NULL);
	flow->destination = model_side(model_literal("x_devices", "10.8.0.17"), NULL);
	flow->out_interfaces = names("eth1", NULL);
	return flow;
}

/* From a device, to anywhere. */
static struct fw_flow *outbound(const char *service, const char *ports) {
	struct fw_flow *flow = model_flow(FW_FORWARD, service, ports);
	flow->source = model_side(model_literal("x_devices", "10.8.0.17"), NULL);
	flow->in_interfaces = names("eth1", NULL);
	return flow;
}

static const struct nat_row row = {
	"rest-api", "junction-17", IPPROTO_TCP, 18088, "10.8.0.17", 8088};

static const char *rules_from(const char *start) {
	const char *rules = strstr(emitted(), start);
	ck_assert_ptr_nonnull(rules);
	return rules;
}

static void assert_not_in(const char *text) {
	ck_assert_msg(strstr(out.data, text) == NULL, "%s\nin\n%s", text, out.data);
}

/* Whether `first` stands before `second`. */
static void assert_before(const char *first, const char *second) {
	assert_in(first);
	assert_in(second);
	ck_assert_msg(strstr(out.data, first) < strstr(out.data, second), "%s\nbehind\n%s", first,
		second);
}

/* ---- forwarded packets ---- */

/* Decided as they come in; as they go out the tag is asked. The host's own meet no rule. */
START_TEST(forward_alone_has_a_verdict) {
	inbound("x", "80/tcp");
	outbound("y", "53/udp");
	dialect = dialects[_i];
	ck_assert_str_eq(rules_from("# what is on"),
		"# what is on its way through, and what is this host's\n"
		"match in from any to any tag flowfw_forward\n"
		"match in from any to $local_to tag flowfw_local\n"
		"\n"
		"# y\n"
		"pass in quick on eth1 proto udp from 10.8.0.17 to any port 53 ! tagged "
		"flowfw_local keep state label \"y\"\n"
		"\n"
		"# forward: nobody else has this host's addresses\n"
		"block drop in quick from $local_from to any ! tagged flowfw_local label "
		"\"flowfw: forward\"\n"
		"\n"
		"# x\n"
		"pass in quick proto tcp from 203.0.113.0/24 to 10.8.0.17 port 80 tagged "
		"flowfw_forward tag flowfw_forward_to_eth1 flags S/SA keep state label \"x\"\n"
		"\n"
		"# forward: what is left is dropped\n"
		"block drop in quick from any to any ! tagged flowfw_local label \"flowfw: "
		"forward\"\n"
		"\n"
		"# what this host sends, and what was let in and goes out\n"
		"match out from $local_from to any tag flowfw_local\n"
		"match out on eth1 from any to any tagged flowfw_forward_to_eth1 tag "
		"flowfw_forward\n"
		"pass out quick from any to any tagged flowfw_forward tag flowfw_sent keep state "
		"label \"flowfw: forward\"\n"
		"\n"
		"# forward: what is left is dropped\n"
		"block drop out quick from any to any ! tagged flowfw_local label \"flowfw: "
		"forward\"\n");
	assert_in("local_to = ");
	assert_in("local_from = ");
	ck_assert_uint_eq(diags.warnings, 0);
}
END_TEST

/* The host's own packets are judged by their own hooks, before what comes in and behind the rest.
 */
START_TEST(other_hooks_have_verdicts_too) {
	model.policy.hooks[FW_INPUT].verdict = FW_DROP;
	model.policy.hooks[FW_OUTPUT].verdict = FW_DROP;
	inbound("x", "80/tcp");
	struct fw_flow *own = model_flow(FW_INPUT, "y", "22/tcp");
	own->destination = model_side(model_literal("y_local", "10.8.0.1"), NULL);
	emitted();
	assert_before("match in from any to $local_to tag flowfw_local\n", "# y\n");
	assert_in("to 10.8.0.1 port 22 tagged flowfw_local flags");
	assert_before("label \"flowfw: input\"\n", "# x\n");
	assert_before("pass out quick from any to any tagged flowfw_forward",
		"block drop out quick from $local_from to any label \"flowfw: output\"\n");
	assert_before("block drop out quick from any to any ! tagged flowfw_local",
		"block drop out quick from $local_from to any label \"flowfw: output\"\n");
}
END_TEST

/* Also at a host: its interfaces would else not be of one flow. */
START_TEST(flows_of_a_host_are_tagged_too) {
	translation->on = false;
	model.policy.hooks[FW_INPUT].verdict = FW_DROP;
	model.policy.hooks[FW_OUTPUT].verdict = FW_DROP;
	inbound("x", "80/tcp")->in_interfaces = names("eth0", NULL);
	assert_lines("pass in quick on eth0 proto tcp from 203.0.113.0/24 to 10.8.0.17 port 80 "
		     "tagged flowfw_forward tag flowfw_forward_to_eth1 flags S/SA keep state");
}
END_TEST

START_TEST(a_gateway_without_flows_lets_nothing_through) {
	emitted();
	assert_not_in("pass out");
	assert_in("block drop in quick from any to any ! tagged flowfw_local");
	assert_in("block drop out quick from any to any ! tagged flowfw_local");
	assert_not_in("nobody else");
}
END_TEST

START_TEST(what_is_left_is_rejected_and_logged) {
	model.policy.hooks[FW_FORWARD].verdict = FW_REJECT;
	model.policy.log = (struct fw_log){true, "flowfw ", {0}};
	inbound("x", "80/tcp")->log = model.policy.log;
	assert_lines("block return in log quick from any to any ! tagged flowfw_local label");
	assert_in("block return out log quick from any to any ! tagged flowfw_local label");
	assert_in("block drop in log quick from $local_from to any ! tagged flowfw_local label");
	assert_in("pass in log quick proto tcp from 203.0.113.0/24 to 10.8.0.17 port 80");
	assert_not_in("pass out log");
}
END_TEST

/* Where everything may pass, so may what a flow lets out elsewhere. */
START_TEST(what_is_left_is_accepted) {
	model.policy.hooks[FW_FORWARD].verdict = FW_ACCEPT;
	inbound("x", "80/tcp");
	assert_lines("pass in quick proto tcp from 203.0.113.0/24 to 10.8.0.17 port 80 ! tagged "
		     "flowfw_local flags S/SA keep state label \"x\"\n");
	assert_in("pass in quick inet proto icmp from any to any ! tagged flowfw_local tag "
		  "flowfw_stateless no state label \"flowfw: forward\"\n");
	assert_in("pass in quick from any to any ! tagged flowfw_local keep state label "
		  "\"flowfw: forward\"\n");
	assert_in("pass out quick from any to any tagged flowfw_stateless tag flowfw_sent no "
		  "state allow-opts label");
	assert_in("pass out quick from any to any ! tagged flowfw_local keep state label "
		  "\"flowfw: forward\"\n");
	/* In mid-stream, too, or the host's own rules would meet it. */
	assert_in("pass in quick proto tcp from any to any ! tagged flowfw_local tag "
		  "flowfw_stateless flags any no state label \"flowfw: forward\"\n");
	assert_in("pass out quick proto tcp from any to any ! tagged flowfw_local flags any no "
		  "state label \"flowfw: forward\"\n");
	assert_not_in("block");
	assert_not_in("_to_");
}
END_TEST

static const struct fw_icmp_type errors[] = {{3, -1}, {8, -1}};

/* What has no state goes out by no state. */
START_TEST(messages_without_a_state_are_tagged_apart) {
	const struct fw_clause clause = {
		.family = FW_IPV4, .protocol = IPPROTO_ICMP, .types = errors, .type_count = 2};
	model_clause(inbound("x", NULL), clause);
	model_clause(outbound("y", NULL), clause);
	assert_lines("pass in quick on eth1 inet proto icmp from 10.8.0.17 to any icmp-type "
		     "unreach ! tagged flowfw_local tag flowfw_stateless no state label \"y\"\n"
		     "pass in quick on eth1 inet proto icmp from 10.8.0.17 to any icmp-type "
		     "echoreq ! tagged flowfw_local keep state label \"y\"\n");
	assert_in("icmp-type unreach tagged flowfw_forward tag flowfw_stateless_to_eth1 no state");
	assert_in("icmp-type echoreq tagged flowfw_forward tag flowfw_forward_to_eth1 keep state");
	assert_in("match out on eth1 from any to any tagged flowfw_forward_to_eth1 tag "
		  "flowfw_forward\n"
		  "match out on eth1 from any to any tagged flowfw_stateless_to_eth1 tag "
		  "flowfw_stateless\n"
		  "pass out quick from any to any tagged flowfw_forward tag flowfw_sent keep "
		  "state label \"flowfw: forward\"\n"
		  "pass out quick from any to any tagged flowfw_stateless tag flowfw_sent no "
		  "state label \"flowfw: forward\"\n");
}
END_TEST

/* A packet in both flows may take both; one in the second list alone, that. */
START_TEST(lists_of_out_interfaces_come_together) {
	inbound("x", "80/tcp");
	struct fw_flow *other = inbound("y", "80/tcp");
	other->out_interfaces = names("eth2", NULL);
	outbound("z", "53/udp");
	emitted();
	assert_before("label \"z\"\n", "# forward: where it may go out\n");
	assert_in("# forward: where it may go out\n"
		  "match in proto tcp from 203.0.113.0/24 to 10.8.0.17 port 80 tagged "
		  "flowfw_forward tag flowfw_forward_to_eth1\n"
		  "match in proto tcp from 203.0.113.0/24 to 10.8.0.17 port 80 tagged "
		  "flowfw_forward tag flowfw_forward_to_eth2\n"
		  "match in proto tcp from 203.0.113.0/24 to 10.8.0.17 port 80 tagged "
		  "flowfw_forward_to_eth1 tag flowfw_forward_to_eth1+eth2\n"
		  "\n"
		  "# x\n"
		  "pass in quick proto tcp from 203.0.113.0/24 to 10.8.0.17 port 80 ! tagged "
		  "flowfw_local flags S/SA keep state label \"x\"\n"
		  "\n"
		  "# y\n");
	assert_in("match out on eth1 from any to any tagged flowfw_forward_to_eth1 tag "
		  "flowfw_forward\n"
		  "match out on eth2 from any to any tagged flowfw_forward_to_eth2 tag "
		  "flowfw_forward\n"
		  "match out on { eth1, eth2 } from any to any tagged flowfw_forward_to_eth1+eth2 "
		  "tag flowfw_forward\n");
}
END_TEST

/* Of a list within another nothing new comes, and a tag that nothing gives is not asked for. */
START_TEST(lists_within_another_need_no_more_tags) {
	inbound("x", "80/tcp");
	inbound("y", "80/tcp")->out_interfaces = names("eth1", "eth2");
	emitted();
	assert_in("flowfw_forward_to_eth1+eth2");
	assert_in("tagged flowfw_forward tag flowfw_forward_to_eth1+eth2\n"
		  "match in proto tcp from 203.0.113.0/24 to 10.8.0.17 port 80 tagged "
		  "flowfw_forward_to_eth1 tag flowfw_forward_to_eth1+eth2\n"
		  "\n");
	assert_not_in("stateless");
	assert_not_in("hairpin");
}
END_TEST

/* Long lists are cut, and end in a number, so that no two are the same. */
START_TEST(tags_fit_and_differ) {
	static const char *const many[] = {
		"a2345678.123450", "b2345678.123450", "c2345678.123450", "d2345678.123450"};
	inbound("x", "80/tcp")->out_interfaces = (struct fw_names){many, 4};
	inbound("y", "81/tcp")->out_interfaces = (struct fw_names){many, 3};
	assert_lines("tag flowfw_forward_to_a2345678.123450+b2345678.123450+c2345678.12+1\n");
	assert_in("tag flowfw_forward_to_a2345678.123450+b2345678.123450+c2345678.12+2\n");
}
END_TEST

/* Each rule counts for itself, so a limit is shared by what comes in by either way. */
START_TEST(limits_hold_as_it_comes_in) {
	inbound("x", "80/tcp")->limit = (struct fw_rate){1, FW_HOUR, 8, true};
	nat_forward("198.51.100.7", &row, 1);
	nat_hairpin("10.8.0.0/24", "10.8.0.1", NULL);
	assert_lines("tagged flowfw_forward tag flowfw_forward_to_eth1 flags S/SA keep state "
		     "(source-track rule, max-src-conn-rate 4/28800) label \"x\"\n");
	assert_in("tagged flowfw_hairpin tag flowfw_hairpin_to_eth1 flags S/SA keep state "
		  "(source-track rule, max-src-conn-rate 4/28800) label \"x\"\n");
	ck_assert_str_eq(diags.list.items[0]->id, "lowered");
}
END_TEST

static const struct fw_rate hourly = {1, FW_HOUR, 8, true};

/* Nothing counts a packet on its way out, so it goes nowhere that others may. */
START_TEST(what_is_limited_takes_its_own_list) {
	inbound("x", "80/tcp")->limit = hourly;
	inbound("y", "81/tcp")->out_interfaces = names("eth2", NULL);
	inbound("z", "82/tcp")->out_interfaces = names("eth3", NULL);
	emitted();
	assert_not_in("port 80 tagged flowfw_forward tag flowfw_forward_to_eth1\n");
	assert_not_in("to_eth1+eth2");
	assert_before("label \"z\"\n", "# x\n");
	assert_in("port 80 tagged flowfw_forward tag flowfw_forward_to_eth1 flags S/SA keep state "
		  "(source-track rule, max-src-conn-rate 8/28800) label \"x\"\n");
	assert_in("match out on eth1 from any to any tagged flowfw_forward_to_eth1 tag "
		  "flowfw_forward\n");
}
END_TEST

static const char *const own_callers[] = {"203.0.113.0/24", "203.0.113.255", "198.51.100.0/24"};

/* Two flows that differ in one thing: service x is limited, and y goes elsewhere. */
static const struct {
	const char *x_exit, *y_exit, *y_second; /* NULL: anywhere */
	const char *y_in, *y_ports;
	size_t y_callers;
	bool y_limited, refused;
} meetings[] = {
	{"eth1", "eth2", NULL, NULL, "80/tcp", 0, false, true},
	{"eth1", "eth2", NULL, NULL, "80/tcp", 0, true, true},
	{"eth1", "eth2", NULL, NULL, "1-80/tcp", 1, false, true},
	{NULL, "eth2", NULL, NULL, "80/tcp", 0, false, true},
	/* All that x lets out, y does, without a limit. */
	{"eth1", "eth1", NULL, NULL, "80/tcp", 0, false, false},
	{"eth1", "eth1", "eth2", NULL, "80/tcp", 0, false, false},
	{"eth1", NULL, NULL, NULL, "80/tcp", 0, false, false},
	/* The first of them counts. */
	{"eth1", "eth1", NULL, NULL, "80/tcp", 0, true, false},
	{NULL, "eth2", NULL, NULL, "80/tcp", 0, true, false},
	{"eth1", NULL, NULL, NULL, "80/tcp", 0, true, false},
	/* No packet is in both. */
	{"eth1", "eth2", NULL, NULL, "81/tcp", 0, true, false},
	{"eth1", "eth2", NULL, NULL, "80/udp", 0, false, false},
	{"eth1", "eth2", NULL, NULL, "80/tcp", 2, false, false},
	{"eth1", "eth2", NULL, "eth9", "80/tcp", 0, false, false},
};

START_TEST(limits_and_lists_that_cross_are_refused) {
	struct fw_flow *x = inbound("x", "80/tcp"), *y = inbound("y", meetings[_i].y_ports);
	x->limit = hourly;
	x->in_interfaces = names("eth0", NULL);
	x->out_interfaces = names(meetings[_i].x_exit, NULL);
	y->limit = meetings[_i].y_limited ? hourly : (struct fw_rate){0};
	y->in_interfaces = names(meetings[_i].y_in, NULL);
	y->out_interfaces = names(meetings[_i].y_exit, meetings[_i].y_second);
	y->source = model_side(model_literal("y", own_callers[meetings[_i].y_callers]), NULL);
	if (meetings[_i].refused) {
		assert_refused("a limit on packets that service 'y' lets out on other interfaces, "
			       "which service 'x' asks for");
	} else {
		emitted();
	}
}
END_TEST

/* ---- forwarded ports ---- */

static const struct nat_row rows[] = {
	{"rest-api", "junction-17", IPPROTO_TCP, 18088, "10.8.0.17", 8088},
	{"rest-api", "junction-18\n\\", IPPROTO_TCP, 18100, "10.8.0.18", 8088},
	{"udp-sinks", "junction-17", IPPROTO_UDP, 15557, "10.8.0.17", 55570},
	{"rest-api", "junction-17", IPPROTO_TCP, 18088, "2001:db8:8::17", 8088},
};

static const char *const port_lines[] = {
	[OPENBSD] = "# rest-api: ports that are devices'\n"
		    "match in on { eth0, eth1 } inet proto tcp from any to 198.51.100.7 port 18088 "
		    "rdr-to 10.8.0.17 port 8088\t# junction-17\n"
		    "match in on { eth0, eth1 } inet proto tcp from any to 198.51.100.7 port 18100 "
		    "rdr-to 10.8.0.18 port 8088\t# junction-18??\n"
		    "\n"
		    "# udp-sinks: ports that are devices'\n"
		    "match in on { eth0, eth1 } inet proto udp from any to 198.51.100.7 port 15557 "
		    "rdr-to 10.8.0.17 port 55570\t# junction-17\n"
		    "\n"
		    "# rest-api: ports that are devices'\n"
		    "match in on { eth0, eth1 } inet6 proto tcp from any to 2001:db8::7 port 18088 "
		    "rdr-to 2001:db8:8::17 port 8088\t# junction-17\n"
		    "\n"
		    "# what is on its way through, and what is this host's\n"
		    "match in from any to any tag flowfw_forward\n"
		    "match in from any to $local_to tag flowfw_local\n",
	[FREEBSD] = "\n"
		    "# rest-api: ports that are devices'\n"
		    "rdr on { eth0, eth1 } inet proto tcp from any to 198.51.100.7 port 18088 -> "
		    "10.8.0.17 port 8088\t# junction-17\n"
		    "rdr on { eth0, eth1 } inet proto tcp from any to 198.51.100.7 port 18100 -> "
		    "10.8.0.18 port 8088\t# junction-18??\n"
		    "\n"
		    "# udp-sinks: ports that are devices'\n"
		    "rdr on { eth0, eth1 } inet proto udp from any to 198.51.100.7 port 15557 -> "
		    "10.8.0.17 port 55570\t# junction-17\n"
		    "\n"
		    "# rest-api: ports that are devices'\n"
		    "rdr on { eth0, eth1 } inet6 proto tcp from any to 2001:db8::7 port 18088 -> "
		    "2001:db8:8::17 port 8088\t# junction-17\n"
		    "# what is on its way through, and what is this host's\n"
		    "match in from any to any tag flowfw_forward\n",
};

/* On FreeBSD at the end of the definitions, which stand before all filter rules. */
START_TEST(ports_are_forwarded_first) {
	inbound("rest-api", "8088/tcp");
	nat_forward("198.51.100.7 2001:db8::7", rows, FW_LENGTH(rows));
	dialect = dialects[_i];
	assert_lines(port_lines[_i]);
	assert_not_in("flowfw_translated");
	assert_not_in("nat-to");
	assert_not_in("nat on");
	assert_not_in("\n\n\n");
}
END_TEST

/* One rule of the kernel for each port, whatever the number of outside addresses. */
START_TEST(several_outside_addresses_are_a_table) {
	nat_forward("198.51.100.7 198.51.100.8", &row, 1);
	translation->entry = (struct fw_names){0};
	assert_lines("table <fw_nat_outside> const {\n\t198.51.100.7\n\t198.51.100.8\n}\n");
	assert_in("match in inet proto tcp from any to <fw_nat_outside> port 18088 rdr-to "
		  "10.8.0.17 port 8088\t# junction-17\n");
}
END_TEST

START_TEST(the_header_says_what_the_anchor_needs) {
	assert_lines("# For pf of OpenBSD 6.9 and later.\n");
	assert_not_in("rdr-anchor");
	out.length = 0;
	dialect = dialects[FREEBSD];
	assert_lines("#     nat-anchor \"flowfw\"\n#     rdr-anchor \"flowfw\"\n");
	out.length = 0;
	translation->on = false;
	emitted();
	assert_not_in("rdr-anchor");
}
END_TEST

/* ---- sources ---- */

static const char *const masquerade_lines[] = {
	[OPENBSD] = "match out on eth1 from any to any tagged flowfw_forward_to_eth1 tag "
		    "flowfw_forward\n"
		    "match out on eth0 inet from <fw_nat_masquerade> to any tagged "
		    "flowfw_forward nat-to (eth0:0)\n"
		    "pass out quick from any to any tagged flowfw_forward tag flowfw_sent keep "
		    "state label \"flowfw: forward\"\n",
	[FREEBSD] = "# what was let in, and gets another source as it goes out\n"
		    "no nat on eth0 inet from (self) to any tagged flowfw_forward\n"
		    "nat on eth0 inet from <fw_nat_masquerade> to any tag flowfw_nat tagged "
		    "flowfw_forward -> (eth0:0)\n"
		    "# what is on its way",
};

/* On FreeBSD not what may go out on another interface alone, and is passed by its own tag. */
START_TEST(sources_are_masqueraded) {
	inbound("x", "80/tcp");
	outbound("y", "53/udp");
	nat_masquerade("10.8.0.0/24 10.9.0.1-10.9.0.2");
	dialect = dialects[_i];
	assert_lines(masquerade_lines[_i]);
	assert_in("table <fw_nat_masquerade> const {\n"
		  "\t10.8.0.0/24\n"
		  "\t10.9.0.1\n"
		  "\t10.9.0.2\n"
		  "}\n");
	if (_i == FREEBSD) {
		assert_before("pass out quick from any to any tagged flowfw_nat tag flowfw_sent "
			      "keep state label \"flowfw: forward\"\n",
			"match out from $local_from to any tag flowfw_local\n");
	}
}
END_TEST

START_TEST(each_exit_is_masqueraded_apart) {
	inbound("x", "80/tcp")->out_interfaces = names("eth0", "eth2");
	translation->exit = names("eth0", "eth2");
	nat_masquerade("0.0.0.0/0");
	dialect = dialects[_i];
	assert_lines(
		_i == OPENBSD
			? "match out on eth0 inet from any to any tagged flowfw_forward nat-to "
			  "(eth0:0)\n"
			  "match out on eth2 inet from any to any tagged flowfw_forward nat-to "
			  "(eth2:0)\n"
			: "no nat on eth0 inet from (self) to any tagged "
			  "flowfw_forward_to_eth0+eth2\n"
			  "nat on eth0 inet from any to any tag flowfw_nat tagged "
			  "flowfw_forward_to_eth0+eth2 -> (eth0:0)\n"
			  "no nat on eth2 inet from (self) to any tagged "
			  "flowfw_forward_to_eth0+eth2\n"
			  "nat on eth2 inet from any to any tag flowfw_nat tagged "
			  "flowfw_forward_to_eth0+eth2 -> (eth2:0)\n");
}
END_TEST

/* Nothing goes out there, or nothing is let through at all. */
START_TEST(nothing_is_masqueraded_that_cannot_go_out) {
	nat_masquerade("10.8.0.0/24");
	dialect = dialects[_i];
	emitted();
	assert_not_in("nat-to");
	assert_not_in("nat on");
	assert_not_in("flowfw_nat");
}
END_TEST

static const char *const hairpin_lines[] = {
	[OPENBSD] = "match out on eth1 from any to any tagged flowfw_hairpin_to_eth1 tag "
		    "flowfw_hairpin\n"
		    "match out inet from any to any tagged flowfw_hairpin nat-to 10.8.0.1\n"
		    "match out inet6 from any to any tagged flowfw_hairpin nat-to 2001:db8:8::1\n",
	[FREEBSD] = "no nat on eth1 inet from (self) to any tagged flowfw_hairpin_to_eth1\n"
		    "nat on eth1 inet from any to any tag flowfw_nat tagged "
		    "flowfw_hairpin_to_eth1 -> 10.8.0.1\n"
		    "no nat on eth1 inet6 from (self) to any tagged flowfw_hairpin_to_eth1\n"
		    "nat on eth1 inet6 from any to any tag flowfw_nat tagged "
		    "flowfw_hairpin_to_eth1 -> 2001:db8:8::1\n",
};

/* Translated here and from inside: both are known by the tag, and only then. */
START_TEST(callers_inside_are_translated_twice) {
	inbound("rest-api", "8088/tcp");
	nat_forward("198.51.100.7 2001:db8::7", rows, FW_LENGTH(rows));
	nat_hairpin("10.8.0.0/24 2001:db8:8::/64", "10.8.0.1", "2001:db8:8::1");
	dialect = dialects[_i];
	assert_lines(hairpin_lines[_i]);
	assert_in(_i == OPENBSD ? " port 18088 tag flowfw_translated rdr-to 10.8.0.17"
				: " port 18088 tag flowfw_translated -> 10.8.0.17");
	assert_in("match in from any to any ! tagged flowfw_translated tag flowfw_forward\n"
		  "match in from <fw_nat_hairpin> to any tagged flowfw_translated tag "
		  "flowfw_hairpin\n"
		  "match in from any to any tagged flowfw_translated tag flowfw_forward\n"
		  "match in from any to $local_to tag flowfw_local\n");
	assert_in("port 8088 tagged flowfw_hairpin tag flowfw_hairpin_to_eth1 flags S/SA");
	ck_assert((strstr(out.data, "pass out quick from any to any tagged flowfw_hairpin") !=
			  NULL) == (_i == OPENBSD));
}
END_TEST

/* Of a family without forwarded ports nothing is translated twice. */
START_TEST(a_family_without_ports_has_no_hairpin) {
	inbound("rest-api", "8088/tcp");
	outbound("y", "53/udp");
	nat_forward("198.51.100.7", &row, 1);
	nat_hairpin("10.8.0.0/24 2001:db8:8::/64", "10.8.0.1", "2001:db8:8::1");
	dialect = dialects[_i];
	emitted();
	assert_not_in("2001:db8:8::1\n");
	assert_in(_i == OPENBSD ? "match out inet from any to any tagged flowfw_hairpin nat-to "
				  "10.8.0.1\n"
				: "nat inet from any to any tag flowfw_nat tagged flowfw_hairpin "
				  "-> 10.8.0.1\n");
}
END_TEST

/* Callers outside are not translated: they are in no table. */
START_TEST(hairpin_goes_through_all_lists) {
	inbound("x", "8088/tcp");
	inbound("y", "8088/tcp")->out_interfaces = names("eth2", NULL);
	nat_forward("198.51.100.7", &row, 1);
	nat_hairpin("10.8.0.0/24", "10.8.0.1", NULL);
	assert_lines("tagged flowfw_hairpin_to_eth1 tag flowfw_hairpin_to_eth1+eth2\n");
	assert_in("tagged flowfw_hairpin tag flowfw_hairpin_to_eth1\n");
	assert_in("match out on { eth1, eth2 } from any to any tagged "
		  "flowfw_hairpin_to_eth1+eth2 tag flowfw_hairpin\n");
}
END_TEST

/* ---- refusals ---- */

START_TEST(translation_needs_a_verdict) {
	model.policy.hooks[FW_FORWARD].verdict = FW_UNTOUCHED;
	dialect = dialects[_i / 3];
	if (_i % 3 == 0) {
		nat_forward("198.51.100.7", &row, 1);
	} else if (_i % 3 == 1) {
		nat_masquerade("10.8.0.0/24");
	} else {
		nat_hairpin("10.8.0.0/24", "10.8.0.1", NULL);
	}
	assert_refused("translation where forward is untouched");
}
END_TEST

START_TEST(interfaces_of_a_translation_are_no_groups) {
	if (_i == 0) {
		nat_forward("198.51.100.7", &row, 1);
		translation->entry = names("uplink", NULL);
	} else {
		nat_masquerade("10.8.0.0/24");
		translation->exit = names("uplink", NULL);
	}
	assert_refused("interface 'uplink', which it would take for a group");
}
END_TEST

START_TEST(interfaces_of_forwarded_packets_are_no_groups) {
	struct fw_flow *flow = inbound("x", "80/tcp");
	*(_i == 0 ? &flow->in_interfaces : &flow->out_interfaces) = names("uplink", NULL);
	assert_refused("service 'x'");
}
END_TEST

START_TEST(the_unspecified_address_is_not_translated) {
	nat_forward("198.51.100.7", &row, 1);
	if (_i == 0) {
		nat_masquerade("0.0.0.0 10.8.0.0/24");
	} else {
		nat_hairpin("0.0.0.0 10.8.0.0/24", "10.8.0.1", NULL);
	}
	assert_refused("unspecified");
}
END_TEST

/* What OpenBSD translates meets the lines behind; FreeBSD takes the first that matches. */
START_TEST(ports_are_not_forwarded_in_a_ring) {
	nat_forward("198.51.100.7 10.8.0.17", &row, 1);
	dialect = dialects[_i];
	if (_i == OPENBSD) {
		assert_refused("outside address");
	} else {
		emitted();
	}
}
END_TEST

/* Five lists that have nothing in common make 31 exits; six would make 63. */
START_TEST(too_many_lists_are_refused) {
	static const char *const interfaces[] = {"em0", "em1", "em2", "em3", "em4", "em5"};
	size_t count = _i == 0 ? FW_LENGTH(interfaces) - 1 : FW_LENGTH(interfaces);
	for (size_t i = 0; i < count; i++) {
		const char *service = fw_arena_printf(&model.arena, "x%zu", i);
		inbound(service, "80/tcp")->out_interfaces = names(interfaces[i], NULL);
	}
	if (_i == 0) {
		assert_lines("tagged flowfw_forward_to_em0+em1+em2+em3 tag "
			     "flowfw_forward_to_em0+em1+em2+em3+em4\n");
	} else {
		assert_refused("lists of out-interfaces");
	}
}
END_TEST

enum { WIDE = 65 };

START_TEST(too_many_interfaces_are_refused) {
	const char **many = FW_ARENA_ARRAY(&model.arena, const char *, WIDE);
	for (size_t i = 0; i < WIDE; i++) {
		many[i] = fw_arena_printf(&model.arena, "em%zu", i);
	}
	inbound("x", "80/tcp")->out_interfaces = (struct fw_names){many, WIDE};
	assert_refused("lists of out-interfaces");
}
END_TEST

static TCase *tests(void) {
	TCase *tests = tcase_create("text");
	tcase_add_checked_fixture(tests, set_up_gateway, tear_down);
	tcase_add_loop_test(tests, forward_alone_has_a_verdict, 0, 2);
	tcase_add_test(tests, other_hooks_have_verdicts_too);
	tcase_add_test(tests, flows_of_a_host_are_tagged_too);
	tcase_add_test(tests, a_gateway_without_flows_lets_nothing_through);
	tcase_add_test(tests, what_is_left_is_rejected_and_logged);
	tcase_add_test(tests, what_is_left_is_accepted);
	tcase_add_test(tests, messages_without_a_state_are_tagged_apart);
	tcase_add_test(tests, lists_of_out_interfaces_come_together);
	tcase_add_test(tests, lists_within_another_need_no_more_tags);
	tcase_add_test(tests, tags_fit_and_differ);
	tcase_add_test(tests, limits_hold_as_it_comes_in);
	tcase_add_test(tests, what_is_limited_takes_its_own_list);
	tcase_add_loop_test(
		tests, limits_and_lists_that_cross_are_refused, 0, (int)FW_LENGTH(meetings));
	tcase_add_loop_test(tests, ports_are_forwarded_first, 0, 2);
	tcase_add_test(tests, several_outside_addresses_are_a_table);
	tcase_add_test(tests, the_header_says_what_the_anchor_needs);
	tcase_add_loop_test(tests, sources_are_masqueraded, 0, 2);
	tcase_add_loop_test(tests, each_exit_is_masqueraded_apart, 0, 2);
	tcase_add_loop_test(tests, nothing_is_masqueraded_that_cannot_go_out, 0, 2);
	tcase_add_loop_test(tests, callers_inside_are_translated_twice, 0, 2);
	tcase_add_loop_test(tests, a_family_without_ports_has_no_hairpin, 0, 2);
	tcase_add_test(tests, hairpin_goes_through_all_lists);
	return tests;
}

static TCase *refusals(void) {
	TCase *refusals = tcase_create("refusals");
	tcase_add_checked_fixture(refusals, set_up_gateway, tear_down);
	tcase_add_loop_test(refusals, translation_needs_a_verdict, 0, 6);
	tcase_add_loop_test(refusals, interfaces_of_a_translation_are_no_groups, 0, 2);
	tcase_add_loop_test(refusals, interfaces_of_forwarded_packets_are_no_groups, 0, 2);
	tcase_add_loop_test(refusals, the_unspecified_address_is_not_translated, 0, 2);
	tcase_add_loop_test(refusals, ports_are_not_forwarded_in_a_ring, 0, 2);
	tcase_add_loop_test(refusals, too_many_lists_are_refused, 0, 2);
	tcase_add_test(refusals, too_many_interfaces_are_refused);
	return refusals;
}

int main(void) {
	Suite *suite = suite_create("pf at a gateway");
	suite_add_tcase(suite, tests());
	suite_add_tcase(suite, refusals());

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
