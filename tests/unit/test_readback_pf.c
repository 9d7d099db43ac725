// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The reader of pf.conf: what a text is as sets of packets, exactly; rates, translations and who
 * decides; what is not understood; and that tables of many addresses cost what they are.
 */

#include <check.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "readback/readback.h"

static struct fw_spaces spaces;
static struct fw_arena arena;
static struct fw_diags diags;
static struct fw_readback readback;

static void set_up(void) {
	fw_spaces_init(&spaces, NULL);
}

static void tear_down(void) {
	fw_spaces_fini(&spaces);
	fw_arena_fini(&arena);
	fw_diags_fini(&diags);
}

/* Interfaces are 1 lo, 2 em0, 3 em1, 4 any other. */
static const char *const names[] = {"em0", "em1"};
enum { LO = 1, EM0, EM1, OTHER };

static bool read_text(enum fw_rb_dialect dialect, bool anchor, const char *text) {
	static struct fw_source source;
	struct fw_rb_interfaces interfaces = {names, FW_LENGTH(names)};
	struct fw_ruleset ruleset;

	source = (struct fw_source){.name = "pf.conf", .text = fw_slice(text)};
	ck_assert(fw_read_pf(&arena, dialect, anchor, &source, &ruleset, &diags));
	return ruleset.lower(&ruleset, &arena, &spaces, &interfaces, &readback);
}

static void read_openbsd(const char *text) {
	ck_assert(read_text(FW_RB_OPENBSD, false, text));
}

static void understood(void) {
	if (readback.unknown_count != 0) {
		ck_abort_msg("%s: %s", readback.unknowns[0].place.text, readback.unknowns[0].what);
	}
}

/* ---- sets ---- */

static fw_space between(enum fw_var var, uint64_t low, uint64_t high) {
	return fw_space_interval(&spaces, var, fw_value(low), fw_value(high));
}

static fw_space is(enum fw_var var, uint64_t value) {
	return between(var, value, value);
}

static fw_space both(fw_space a, fw_space b) {
	return fw_space_intersect(&spaces, a, b);
}

static fw_space either(fw_space a, fw_space b) {
	return fw_space_union(&spaces, a, b);
}

static fw_space of_hook(enum fw_rb_hook hook) {
	return both(fw_space_universe(&spaces, OTHER), is(FW_VAR_HOOK, hook));
}

static fw_space fresh(void) {
	return either(
		is(FW_VAR_TRACKING, FW_TRACKING_NEW), is(FW_VAR_TRACKING, FW_TRACKING_UNTRACKED));
}

static fw_space known(void) {
	return between(FW_VAR_TRACKING, FW_TRACKING_ESTABLISHED, FW_TRACKING_RELATED);
}

static fw_space address(enum fw_var var, const char *text) {
	struct fw_range range;

	ck_assert_int_eq(fw_range_parse(fw_slice(text), &range), FW_NET_NONE);
	return both(is(FW_VAR_FAMILY, range.family),
		fw_space_interval(&spaces, var, range.first, range.last));
}

static fw_space tcp_to(uint64_t low, uint64_t high) {
	return both(is(FW_VAR_PROTOCOL, IPPROTO_TCP), between(FW_VAR_PORT, low, high));
}

static void ck_same(fw_space got, fw_space wanted) {
	if (got != wanted) {
		fw_space more = fw_space_subtract(&spaces, got, wanted);
		fw_space less = fw_space_subtract(&spaces, wanted, got);
		struct fw_point point =
			fw_space_witness(&spaces, more != FW_SPACE_EMPTY ? more : less);
		FW_AUTO(fw_buf_fini) struct fw_buf text = {0};
		for (int var = FW_VAR_HOOK; var < FW_VAR_COUNT; var++) {
			fw_buf_printf(&text, " %llx", (unsigned long long)point.values[var].low);
		}
		ck_abort_msg("%s:%s", more != FW_SPACE_EMPTY ? "more" : "less", text.data);
	}
}

/* As the policy of a host with two services and a silent rest has it. */
START_TEST(a_host_is_what_its_policy_is) {
	static const enum fw_rb_dialect dialects[] = {FW_RB_OPENBSD, FW_RB_FREEBSD};

	ck_assert(read_text(dialects[_i], true,
		"table <many> const { 224.0.0.0/4 255.255.255.255 ff00::/8 }\n"
		"to = \"{ (self), (self:broadcast), <many> }\"\n"
		"from = \"{ (self), 0.0.0.0/32, ::/128 }\"\n"
		"pass quick on lo0 all no state\n"
		"pass in quick on em0 proto tcp from 10.20.0.0/16 to $to port 8088 keep state\n"
		"pass in quick proto udp from any port 53 to $to no state\n"
		"block drop in quick from any to $to\n"
		"pass out quick from $from keep state\n"
		"block return out quick from $from\n"));
	fw_space services = both(is(FW_VAR_IN, EM0),
		both(address(FW_VAR_SOURCE, "10.20.0.0/16"), tcp_to(8088, 8088)));
	services = either(
		services, both(is(FW_VAR_PROTOCOL, IPPROTO_UDP), is(FW_VAR_SOURCE_PORT, 53)));
	fw_space wanted = either(either(is(FW_VAR_IN, LO), known()), both(services, fresh()));
	ck_same(readback.must[FW_RB_INPUT], both(of_hook(FW_RB_INPUT), wanted));
	ck_assert_uint_eq(readback.may[FW_RB_INPUT], readback.must[FW_RB_INPUT]);
	ck_assert_uint_eq(readback.rejected[FW_RB_INPUT], FW_SPACE_EMPTY);
	/* Answers begin nothing, so that they are refused, with an answer. */
	fw_space replies = both(readback.rejected[FW_RB_OUTPUT], is(FW_VAR_FAMILY, FW_IPV4));
	replies = fw_space_subtract(&spaces, replies, readback.outside);
	ck_assert(replies != FW_SPACE_EMPTY);
	ck_assert(fw_space_is_subset(&spaces, replies, between(FW_VAR_SOURCE_PORT, 0, 36)));
	/* What is forwarded meets no rule, but for what nobody forwards. */
	fw_space forward = fw_space_subtract(&spaces, of_hook(FW_RB_FORWARD), readback.outside);
	ck_assert(fw_space_is_subset(&spaces, forward, readback.must[FW_RB_FORWARD]));
	/* UDP comes in without a state, yet all that is sent in answer passes by its own. */
	understood();
}
END_TEST

/* No rule keeps a state of what is sent, so that answers pass as beginnings do. */
START_TEST(answers_to_what_leaves_no_state_are_beginnings) {
	read_openbsd("block in\npass in proto udp from port 53 to (self) no state\n");
	fw_space known_udp = both(is(FW_VAR_PROTOCOL, IPPROTO_UDP), known());
	fw_space from53 = both(known_udp, is(FW_VAR_SOURCE_PORT, 53));
	fw_space inside = both(of_hook(FW_RB_INPUT), is(FW_VAR_IN, EM0));
	fw_space denied =
		both(both(inside, known_udp), is(FW_VAR_TRACKING, FW_TRACKING_ESTABLISHED));
	denied = fw_space_subtract(&spaces, denied, either(from53, readback.outside));
	understood();
	ck_assert(denied != FW_SPACE_EMPTY);
	ck_assert_uint_eq(both(denied, readback.may[FW_RB_INPUT]), FW_SPACE_EMPTY);
	fw_space passes = both(inside, both(from53, address(FW_VAR_DESTINATION, "10.0.0.0/8")));
	ck_assert(fw_space_is_subset(&spaces, passes, readback.must[FW_RB_INPUT]));
}
END_TEST

/* Of IGMP and listener messages, on another interface than loopback. */
static fw_space membership(enum fw_rb_hook hook) {
	fw_space types = either(between(FW_VAR_SOURCE_PORT, 130, 132), is(FW_VAR_SOURCE_PORT, 143));
	fw_space set = either(is(FW_VAR_PROTOCOL, IPPROTO_IGMP),
		both(both(is(FW_VAR_FAMILY, FW_IPV6), is(FW_VAR_PROTOCOL, IPPROTO_ICMPV6)), types));

	set = fw_space_subtract(&spaces, set, is(FW_VAR_IN, LO));
	set = fw_space_subtract(&spaces, set, is(FW_VAR_OUT, LO));
	return both(of_hook(hook), both(fresh(), set));
}

START_TEST(nothing_said_is_all_allowed) {
	read_openbsd("# nothing\n");
	understood();
	for (int hook = FW_RB_INPUT; hook < FW_RB_HOOK_COUNT; hook++) {
		fw_space all = of_hook((enum fw_rb_hook)hook), left_out = readback.outside;
		if (hook != FW_RB_FORWARD) {
			fw_space options = membership((enum fw_rb_hook)hook);
			ck_same(both(readback.may[hook], options), FW_SPACE_EMPTY);
			left_out = either(
				left_out, fw_space_exists(&spaces, options, FW_VAR_TRACKING));
		}
		ck_same(fw_space_subtract(&spaces, all, left_out),
			fw_space_subtract(&spaces, readback.must[hook], left_out));
	}
}
END_TEST

START_TEST(invalid_is_dropped_where_states_are_kept) {
	fw_space invalid = is(FW_VAR_TRACKING, FW_TRACKING_INVALID);

	read_openbsd("pass\nset skip on lo0\n");
	understood();
	ck_same(both(readback.must[FW_RB_INPUT], invalid),
		both(both(of_hook(FW_RB_INPUT), invalid), is(FW_VAR_IN, LO)));
	read_openbsd("pass no state allow-opts\n");
	understood();
	ck_same(both(readback.must[FW_RB_INPUT], invalid), both(of_hook(FW_RB_INPUT), invalid));
}
END_TEST

static const struct {
	const char *text;
	bool passes;
} optioned[] = {
	{"pass no state\n", false},
	{"pass keep state\n", false},
	{"pass quick\n", false},
	{"anchor {\npass quick\n}\npass no state allow-opts\n", false},
	{"pass no state allow-opts\npass tag x\n", false},
	{"pass proto { igmp, icmp6 } no state\n", false},
	{"pass inet6 proto icmp6 icmp6-type { 130, 131, 132, 143 } no state\npass proto igmp\n",
		false},
	{"pass no state allow-opts\n", true},
	{"pass quick proto { igmp, icmp6 } no state allow-opts\nblock\n", true},
	{"pass keep state\npass quick no state allow-opts\n", true},
};

START_TEST(options_pass_by_rules_that_allow_them) {
	static const enum fw_rb_hook hooks[] = {FW_RB_INPUT, FW_RB_OUTPUT};

	read_openbsd(optioned[_i].text);
	understood();
	for (size_t i = 0; i < FW_LENGTH(hooks); i++) {
		fw_space set = fw_space_subtract(&spaces, membership(hooks[i]), readback.outside);
		struct fw_point point = fw_space_witness(&spaces, set);
		const struct fw_rb_decision *decision =
			fw_readback_decision(&spaces, &readback, hooks[i], &point);
		ck_same(both(readback.must[hooks[i]], set),
			optioned[_i].passes ? set : FW_SPACE_EMPTY);
		ck_same(both(readback.may[hooks[i]], set),
			optioned[_i].passes ? set : FW_SPACE_EMPTY);
		ck_assert_ptr_nonnull(decision);
		ck_assert(decision->accepts == optioned[_i].passes && !decision->rejects);
		ck_assert_ptr_nonnull(strstr(decision->place.text, "pf.conf:"));
	}
}
END_TEST

START_TEST(what_goes_through_goes_in_and_out) {
	read_openbsd("block\n"
		     "pass in on em1 proto tcp from 10.0.0.0/8 to any port 80:90\n"
		     "pass out on em0 proto tcp from any to any port 85:99 received-on em1\n");
	understood();
	fw_space through = both(both(is(FW_VAR_IN, EM1), is(FW_VAR_OUT, EM0)),
		both(address(FW_VAR_SOURCE, "10.0.0.0/8"), tcp_to(85, 90)));
	fw_space wanted = both(of_hook(FW_RB_FORWARD), both(fresh(), through));
	fw_space got = both(readback.must[FW_RB_FORWARD], fresh());
	ck_same(got, fw_space_subtract(&spaces, wanted, readback.outside));
	/* Nobody has received what the host itself sends. */
	ck_assert_uint_eq(both(readback.must[FW_RB_OUTPUT], fresh()), FW_SPACE_EMPTY);
}
END_TEST

/* ---- translation ---- */

START_TEST(translations_are_sets_and_targets) {
	static const char *const texts[] = {
		"match in on em0 inet proto tcp from any to 192.0.2.7 port 8080 rdr-to 10.0.0.80 "
		"port 80\n"
		"match out on em0 inet from 10.0.0.0/24 to any nat-to (em0:0)\n"
		"block in\npass out\n"
		"pass in inet proto tcp from any to 10.0.0.80 port 80\n",
		"nat on em0 inet from 10.0.0.0/24 to any -> (em0:0)\n"
		"rdr on em0 inet proto tcp from any to 192.0.2.7 port 8080 -> 10.0.0.80 port 80\n"
		"block in\npass out\n"
		"pass in inet proto tcp from any to 10.0.0.80 port 80\n",
	};
	bool found[2] = {false, false};

	ck_assert(read_text(_i == 0 ? FW_RB_OPENBSD : FW_RB_FREEBSD, false, texts[_i]));
	understood();
	ck_assert_uint_eq(readback.rewrite_count, 2);
	fw_space before = both(both(is(FW_VAR_IN, EM0), address(FW_VAR_DESTINATION, "192.0.2.7")),
		tcp_to(8080, 8080));
	for (size_t i = 0; i < readback.rewrite_count; i++) {
		const struct fw_rb_rewrite *one = &readback.rewrites[i];
		found[one->source] = true;
		ck_assert_int_eq(one->family, FW_IPV4);
		ck_assert(one->masquerade == one->source);
		if (one->source) {
			ck_assert(fw_space_is_subset(&spaces, one->set,
				both(is(FW_VAR_OUT, EM0), address(FW_VAR_SOURCE, "10.0.0.0/24"))));
			continue;
		}
		ck_assert_uint_eq(one->address.low, 10 << 24 | 80);
		ck_assert_uint_eq(one->port, 80);
		fw_space wanted = both(of_hook(FW_RB_INPUT), before);
		wanted = both(wanted, is(FW_VAR_TRACKING, FW_TRACKING_NEW));
		wanted = both(wanted, is(FW_VAR_TRANSLATED, 0));
		wanted = fw_space_exists(&spaces, wanted, FW_VAR_HOOK);
		ck_same(one->set, fw_space_exists(&spaces, wanted, FW_VAR_OUT));
	}
	ck_assert(found[0] && found[1]);
	/* It is seen as it is translated, and judged as that whether it was or not. */
	fw_space web = both(address(FW_VAR_DESTINATION, "10.0.0.80"), tcp_to(80, 80));
	fw_space wanted = fw_space_subtract(
		&spaces, both(of_hook(FW_RB_FORWARD), both(fresh(), web)), readback.outside);
	fw_space must = both(readback.must[FW_RB_FORWARD], fresh());
	ck_same(fw_space_subtract(&spaces, must, readback.outside), wanted);
}
END_TEST

/* ---- rates ---- */

static const struct {
	const char *text;
	struct fw_rate rate;
} rates[] = {
	{"pass in proto udp max-pkt-rate 10/2", {5, FW_SECOND, 10, false}},
	{"pass in proto udp max-pkt-rate 5/30", {10, FW_MINUTE, 5, false}},
	{"pass in proto udp max-pkt-rate 1/86400", {1, FW_DAY, 1, false}},
	{"pass in proto udp max-pkt-rate 7/11", {54982, FW_DAY, 7, false}},
	{"pass in proto tcp keep state (max-src-conn-rate 100/10)", {10, FW_SECOND, 100, true}},
	{"pass in inet proto icmp keep state (max 10, icmp.first 2, icmp.error 2, adaptive.start "
	 "10, "
	 "adaptive.end 11)",
		{5, FW_SECOND, 10, false}},
	{"pass in proto udp keep state (max-src-states 10)", {1, FW_SECOND, 10, true}},
	{"pass in proto tcp keep state (max-src-conn 10, max-src-conn-rate 1/1)",
		{1, FW_SECOND, 1, true}},
};

START_TEST(bounds_are_rates) {
	char text[256];

	snprintf(text, sizeof(text), "block\n%s\npass out\n", rates[_i].text);
	read_openbsd(text);
	understood();
	/* What is let in may be for this host, or go on. */
	ck_assert_uint_eq(readback.rated_count, 2);
	const struct fw_rb_rated *rated = &readback.rated[0];
	ck_assert_int_eq(rated->hook, FW_RB_INPUT);
	ck_assert_uint_eq(rated->rate.count, rates[_i].rate.count);
	ck_assert_int_eq(rated->rate.unit, rates[_i].rate.unit);
	ck_assert_uint_eq(rated->rate.burst, rates[_i].rate.burst);
	ck_assert(rated->rate.per_source == rates[_i].rate.per_source);
	ck_assert_str_eq(rated->place.text, "pf.conf:2");
	ck_assert_uint_eq(both(rated->set, readback.must[FW_RB_INPUT]), FW_SPACE_EMPTY);
	ck_assert(fw_space_is_subset(&spaces, rated->set, readback.may[FW_RB_INPUT]));
}
END_TEST

/* Each rule that a list makes counts for itself. */
START_TEST(lists_make_as_many_buckets) {
	read_openbsd("block\npass out proto tcp\n"
		     "pass in proto udp from { 10.0.0.1 10.0.0.2 } to port { 53 123 } max-pkt-rate "
		     "1/1\n");
	ck_assert_uint_eq(readback.rated_count, 4);
	for (size_t i = 0; i < 4; i++) {
		for (size_t j = 0; j < i; j++) {
			ck_assert_uint_eq(
				both(readback.rated[i].set, readback.rated[j].set), FW_SPACE_EMPTY);
		}
	}
}
END_TEST

/* ---- what is not understood ---- */

static const struct {
	const char *text, *place, *what;
} unknowns[] = {
	{"pass in\npass out user root\n", "pf.conf:2", "the option: 'user'"},
	{"pass in to (em0)\nblock\npass in to (em0)\n", "pf.conf:1", "the addresses of 'em0'"},
	{"pass in from em0:network\n", "pf.conf:1", "em0:network"},
	{"pass in from <nobody>\n", "pf.conf:1", "<nobody>"},
	{"table <t> file \"/etc/t\"\n", "pf.conf:1", "another file"},
	{"table <t> const { 10.0.0.0/8 !10.0.0.0/8 }\npass from <t>\n", "pf.conf:1", "twice"},
	{"anchor \"x\"\n", "pf.conf:1", "not in this text"},
	{"pass \\\n\tin \\\n\tfrom example.org\n", "pf.conf:1", "example.org"},
	{"a = \"x\"\n\npass $b\n", "pf.conf:3", "not defined"},
	{"pass \"in\n", "pf.conf:1", "quotes"},
	{"pass in on em0 \x01\n", "pf.conf:1", "character"},
	{"{\n}\n", "pf.conf:1", "grammar"},
	{"}\n", "pf.conf:1", "grammar"},
	{"anchor {\npass\n", "pf.conf:1", "grammar"},
	{"pass in on egress\n", "pf.conf:1", "group 'egress'"},
	{"pass in on lo1\n", "pf.conf:1", "interface 'lo1'"},
	{"set state-policy if-bound\npass\n", "pf.conf:2", "bound to interfaces"},
	{"block in\npass out proto udp\n", "pf.conf", "without a state"},
	{"block\npass in from (self)\n", "pf.conf", "source is an address of this host"},
	{"block in\npass in to (self:broadcast)\npass out\n", "pf.conf", "broadcast"},
	{"match in proto tcp rdr-to 10.0.0.1 port 80\nmatch in proto tcp rdr-to 10.0.0.2 port 80\n",
		"pf.conf:2", "translated before"},
	{"pass in proto tcp rdr-to { 10.0.0.1, 10.0.0.2 }\n", "pf.conf:1", "not one address"},
	{"pass in proto tcp to port 99999999999999999999\n", "pf.conf:1", "port"},
	{"pass in from 10.0.0.9 - 10.0.0.1\n", "pf.conf:1", "range"},
	{"rdr on em0 proto tcp to port 80 -> 10.0.0.1\n", "pf.conf:1", "statement"},
	{"set no-such-thing\n", "pf.conf:1", "option"},
	{"set timeout tcp.first 1\npass in keep state (max 5)\n", "pf.conf:2", "timeouts"},
	{"match in all scrub (no-df min-ttl 255)\n", "pf.conf:1", "hop limit that is raised"},
	{"pass scrub (min-ttl 2)\n", "pf.conf:1", "hop limit that is raised"},
	{"set reassemble no\n", "pf.conf:1", "not put together"},
	{"set limit states 10\n", "pf.conf:1", "few states"},
	{"pass\nset limit { frags 1, states 10 }\n", "pf.conf:2", "few states"},
	{"pass in keep state (tcp.established 1)\n", "pf.conf:1", "forgotten too soon"},
	{"set timeout { tcp.first 60, tcp.established 1 }\n", "pf.conf:1", "forgotten too soon"},
	{"set timeout udp.multiple 1\n", "pf.conf:1", "forgotten too soon"},
	{"set state-defaults tcp.established 1\n", "pf.conf:1", "forgotten too soon"},
};

START_TEST(what_is_not_understood_is_unknown) {
	read_openbsd(unknowns[_i].text);
	for (size_t i = 0; i < readback.unknown_count; i++) {
		const struct fw_rb_unknown *one = &readback.unknowns[i];
		if (strncmp(one->place.text, unknowns[_i].place, strlen(unknowns[_i].place)) == 0 &&
			strstr(one->what, unknowns[_i].what) != NULL) {
			return;
		}
	}
	for (size_t i = 0; i < readback.unknown_count; i++) {
		fprintf(stderr, "%s: %s\n", readback.unknowns[i].place.text,
			readback.unknowns[i].what);
	}
	ck_abort_msg("not said: %s", unknowns[_i].what);
}
END_TEST

/* The words are understood, so that nothing is made of them but what they are. */
static const char *const harmless[] = {
	"set limit { states 1000, frags 500 }\nset timeout { udp.first 5 }\nset reassemble yes "
	"no-df\n",
	"set optimization aggressive\nset loginterface em0\nset skip on { lo0 em1 }\nset debug "
	"err\n",
	"queue std on em0 bandwidth 100M\n",
	"match out all scrub (min-ttl 64)\nset timeout { tcp.established 600, icmp.first 1 }\n",
	"set reassemble yes no-df\nset limit { frags 10, states 20000 }\n",
	"match in all scrub (no-df random-id max-mss 1440) set (prio 5, tos 3)\n",
	"pass log (all, to pflog1) quick on lo0 label \"a \\\"b\\\"\" set prio 6\n",
	"antispoof log quick for lo0 label \"lo\"\n",
	"a = \"10.0.0.1 10.0.0.2\"\nb = '{ ' $a ' }'\nblock in quick from $b to "
	"\"192.0.2.1\"\n"
	"pass out\n",
	"block in proto tcp all flags FUP/FUP\npass in proto tcp fragment\n",
	"pass in proto tcp modulate state (no-sync, source-track rule)\npass in synproxy state\n",
};

START_TEST(what_decides_nothing_is_understood) {
	read_openbsd(harmless[_i]);
	for (size_t i = 0; i < readback.unknown_count; i++) {
		const struct fw_rb_unknown *one = &readback.unknowns[i];
		ck_assert_msg(strstr(one->what, "without a state") != NULL, "%s: %s",
			one->place.text, one->what);
	}
}
END_TEST

/* ---- size ---- */

enum { MANY = 20000 };

static uint64_t steps_of(size_t count) {
	FW_AUTO(fw_buf_fini) struct fw_buf text = {0};

	tear_down();
	arena = (struct fw_arena){0};
	diags = (struct fw_diags){0};
	set_up();
	fw_buf_add_text(&text, "table <many> const {\n");
	for (size_t i = 0; i < count; i++) {
		fw_buf_printf(&text, "\t10.%zu.%zu.%zu\n", i >> 15, i >> 7 & 255, i << 1 & 255);
	}
	fw_buf_add_text(&text, "}\nblock\npass out proto { tcp udp } from any to <many> port 554\n"
			       "pass in proto tcp from any to (self) port 22\n"
			       "pass out proto udp from any to any port { 53 123 }\n");
	read_openbsd(text.data);
	understood();
	return spaces.steps;
}

START_TEST(work_grows_with_the_addresses) {
	uint64_t some = steps_of(MANY), twice = steps_of(2 * (size_t)MANY);

	ck_assert_uint_lt(twice, 2 * some + some / 4);
	ck_assert_uint_lt(some, (uint64_t)MANY * 200);
}
END_TEST

/* One rule for each address, as people write them who have not heard of tables. */
static uint64_t steps_of_rules(size_t count) {
	FW_AUTO(fw_buf_fini) struct fw_buf text = {0};

	tear_down();
	arena = (struct fw_arena){0};
	diags = (struct fw_diags){0};
	set_up();
	fw_buf_add_text(&text, "block\npass out proto tcp\n");
	for (size_t i = 0; i < count; i++) {
		fw_buf_printf(&text, "pass in quick from 10.%zu.%zu.%zu\n", i >> 15, i >> 7 & 255,
			i << 1 & 255);
	}
	read_openbsd(text.data);
	understood();
	return spaces.steps;
}

START_TEST(work_grows_with_the_rules) {
	uint64_t some = steps_of_rules(MANY), twice = steps_of_rules(2 * (size_t)MANY);

	ck_assert_uint_lt(twice, 3 * some);
	ck_assert_uint_lt(some, (uint64_t)MANY * 1500);
}
END_TEST

/* ---- hostile texts ---- */

enum { REPEATED = 20000 };

/* A head, a line so many times (with its number for a question mark, and the one before it for an
 * at sign), and a tail. */
static const struct {
	const char *head, *line, *tail, *what;
	unsigned times;
} hostile[] = {
	{"m0 = \"10.0.0.1\"\n", "m? = $m@ $m@\n", "pass from { $m59 }\n", "too long", 60},
	{"pass from ", "{ ", "10.0.0.1\n", "lists in lists", REPEATED},
	{"", "anchor x {\n", "pass\n", "anchors in anchors", REPEATED},
	{"", "}\n", "", "grammar", REPEATED},
	{"pass in \\\n", "\\\n", "nonsense\n", "the option: 'nonsense'", REPEATED},
	{"pass in from ", "x", "\n", "which are not in this text", REPEATED},
	{"", "pass in\r\n", "", "character", 3},
	{"", "pass user ?\n", "", "the option: 'user'", REPEATED},
	{"block\n", "pass in proto tcp from any port ? keep state (max 1)\n", "",
		"more rules than are told", 2000},
	{"block\n", "pass in keep state (max 1)", "", "", 1},
};

static void add_line(struct fw_buf *text, const char *line, unsigned number) {
	for (; *line != '\0'; line++) {
		if (*line == '?' || *line == '@') {
			fw_buf_printf(text, "%u", number - (*line == '@'));
		} else {
			fw_buf_add_char(text, *line);
		}
	}
}

START_TEST(hostile_texts_end) {
	FW_AUTO(fw_buf_fini) struct fw_buf text = {0};
	bool said = hostile[_i].what[0] == '\0';

	fw_buf_add_text(&text, hostile[_i].head);
	for (unsigned i = 1; i <= hostile[_i].times; i++) {
		add_line(&text, hostile[_i].line, i);
	}
	fw_buf_add_text(&text, hostile[_i].tail);
	read_openbsd(text.data);
	for (size_t i = 0; i < readback.unknown_count; i++) {
		said = said || strstr(readback.unknowns[i].what, hostile[_i].what) != NULL;
		ck_assert(strncmp(readback.unknowns[i].place.text, "pf.conf", 7) == 0);
	}
	ck_assert_msg(said, "%s", hostile[_i].what);
}
END_TEST

int main(void) {
	Suite *suite = suite_create("pf, read back");
	TCase *tcase = tcase_create("sets");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, a_host_is_what_its_policy_is, 0, 2);
	tcase_add_test(tcase, answers_to_what_leaves_no_state_are_beginnings);
	tcase_add_test(tcase, nothing_said_is_all_allowed);
	tcase_add_test(tcase, invalid_is_dropped_where_states_are_kept);
	tcase_add_loop_test(tcase, options_pass_by_rules_that_allow_them, 0, FW_LENGTH(optioned));
	tcase_add_test(tcase, what_goes_through_goes_in_and_out);
	tcase_add_loop_test(tcase, translations_are_sets_and_targets, 0, 2);
	tcase_add_loop_test(tcase, bounds_are_rates, 0, FW_LENGTH(rates));
	tcase_add_test(tcase, lists_make_as_many_buckets);
	tcase_add_loop_test(tcase, what_is_not_understood_is_unknown, 0, FW_LENGTH(unknowns));
	tcase_add_loop_test(tcase, what_decides_nothing_is_understood, 0, FW_LENGTH(harmless));
	tcase_add_test(tcase, work_grows_with_the_addresses);
	tcase_add_test(tcase, work_grows_with_the_rules);
	tcase_add_loop_test(tcase, hostile_texts_end, 0, FW_LENGTH(hostile));
	suite_add_tcase(suite, tcase);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
