// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The backends iptables and ip6tables: the bytes of a rule set, trees of chains that let through
 * what the policy says, limits, ipsets, and what is refused.
 */

#include <check.h>
#include <stdlib.h>

#include "iptables_emit.h"
#include "iptables_walk.h"
#include "model.h"

/* ---- bytes ---- */

START_TEST(a_rule_set_is_these_bytes) {
	struct fw_set *cameras =
		model_set("cameras", "10.0.0.1=north 10.0.0.3-10.0.0.9 10.0.0.2=south@80/tcp+udp");
	cameras->title = "all cameras";
	struct fw_flow *rtsp = model_flow(FW_OUTPUT, "rtsp", "554/tcp");
	rtsp->title = "camera streams";
	rtsp->destination = model_side(cameras, NULL);
	rtsp->own_ports = true;
	struct fw_flow *ssh = model_flow(FW_INPUT, "ssh", "22/tcp");
	ssh->title = "ssh";
	ssh->source = model_side(model_literal("ssh", "192.0.2.0/24"), NULL);
	ssh->limit = (struct fw_rate){10, FW_MINUTE, 5, false};
	model.policy.name = "junction-17";
	model.policy.extends = "enterprise";
	model.policy.title = "TrafficEnterprise server";
	model.policy.log = (struct fw_log){true, "flowfw ", {10, FW_MINUTE, 5, false}};
	ck_assert_str_eq(emitted(),
		"# flowfw: junction-17, extends enterprise (TrafficEnterprise server)\n"
		"#   iptables -C INPUT -j FLOWFW-INPUT 2>/dev/null || "
		"iptables -I INPUT 1 -j FLOWFW-INPUT\n"
		"#   iptables -C OUTPUT -j FLOWFW-OUTPUT 2>/dev/null || "
		"iptables -I OUTPUT 1 -j FLOWFW-OUTPUT\n"
		"# Nothing is translated. Where an older file did so, end that:\n"
		"#   ! iptables -t nat -C PREROUTING -j FLOWFW-PREROUTING 2>/dev/null || "
		"iptables -t nat -D PREROUTING -j FLOWFW-PREROUTING\n"
		"#   ! iptables -t nat -C POSTROUTING -j FLOWFW-POSTROUTING 2>/dev/null || "
		"iptables -t nat -D POSTROUTING -j FLOWFW-POSTROUTING\n"
		":FLOWFW-INPUT - [0:0]\n"
		":FLOWFW-OUTPUT - [0:0]\n"
		":FLOWFW-FORWARD - [0:0]\n"
		":FLOWFW-IN-ssh - [0:0]\n"
		":FLOWFW-DST-cameras - [0:0]\n"
		":FLOWFW-DST-cameras_ports - [0:0]\n"
		"\n"
		"# loopback, and replies to what was allowed\n"
		"-A FLOWFW-INPUT -i lo -m comment --comment loopback -j ACCEPT\n"
		"-A FLOWFW-INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n"
		"-A FLOWFW-INPUT -m conntrack --ctstate INVALID -j DROP\n"
		"\n"
		"# ssh\n"
		"-A FLOWFW-INPUT -s 192.0.2.0/24 -p tcp -m tcp --dport 22 "
		"-m comment --comment ssh -j FLOWFW-IN-ssh\n"
		"\n"
		"# what is left is dropped\n"
		"-A FLOWFW-INPUT -m limit --limit 10/minute --limit-burst 5 "
		"-j LOG --log-prefix \"flowfw input: \"\n"
		"-A FLOWFW-INPUT -j DROP\n"
		"\n"
		"# loopback, and replies to what was allowed\n"
		"-A FLOWFW-OUTPUT -o lo -m comment --comment loopback -j ACCEPT\n"
		"-A FLOWFW-OUTPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n"
		"-A FLOWFW-OUTPUT -m conntrack --ctstate INVALID -j DROP\n"
		"\n"
		"# rtsp: camera streams\n"
		"-A FLOWFW-OUTPUT -p tcp -m tcp --dport 554 "
		"-m comment --comment rtsp -j FLOWFW-DST-cameras\n"
		"-A FLOWFW-OUTPUT -m comment --comment rtsp -j FLOWFW-DST-cameras_ports\n"
		"\n"
		"# what is left is dropped\n"
		"-A FLOWFW-OUTPUT -m limit --limit 10/minute --limit-burst 5 "
		"-j LOG --log-prefix \"flowfw output: \"\n"
		"-A FLOWFW-OUTPUT -j DROP\n"
		"\n"
		"# forward: untouched, its chain is empty\n"
		"\n"
		"# ssh: accepted here, as far as its limit allows\n"
		"-A FLOWFW-IN-ssh -m limit --limit 10/minute --limit-burst 5 "
		"-m comment --comment ssh -j ACCEPT\n"
		"\n"
		"# to cameras: all cameras\n"
		"-A FLOWFW-DST-cameras -d 10.0.0.1/32 -m comment --comment north -j ACCEPT\n"
		"-A FLOWFW-DST-cameras -m iprange --dst-range 10.0.0.3-10.0.0.9 -j ACCEPT\n"
		"\n"
		"# to cameras: those that bring ports, on these\n"
		"-A FLOWFW-DST-cameras_ports -d 10.0.0.2/32 -p tcp -m tcp --dport 80 "
		"-m comment --comment south -j ACCEPT\n"
		"-A FLOWFW-DST-cameras_ports -d 10.0.0.2/32 -p udp -m udp --dport 80 "
		"-m comment --comment south -j ACCEPT\n");
}
END_TEST

START_TEST(a_whole_table_has_policies_and_hooks) {
	model.policy.hooks[FW_OUTPUT].verdict = FW_ACCEPT;
	model.policy.hooks[FW_FORWARD].verdict = FW_REJECT;
	ck_assert(emit_in("standalone",
		"@header@\n@notes@\n@policies@\n@chains@\n@hooks@\n@rules@\n@nat-table@\n"));
	assert_in(out.data, ":INPUT DROP [0:0]\n"
			    ":OUTPUT ACCEPT [0:0]\n"
			    ":FORWARD DROP [0:0]\n");
	assert_in(out.data, "-A INPUT -j FLOWFW-INPUT\n"
			    "-A OUTPUT -j FLOWFW-OUTPUT\n"
			    "-A FORWARD -j FLOWFW-FORWARD\n");
	assert_in(out.data, "# what is left is accepted\n-A FLOWFW-OUTPUT -j ACCEPT\n");
	assert_in(out.data, "-A FLOWFW-FORWARD -p tcp -j REJECT --reject-with tcp-reset\n"
			    "-A FLOWFW-FORWARD -j REJECT --reject-with icmp-admin-prohibited\n");
	ck_assert_ptr_null(strstr(out.data, "-A FLOWFW-FORWARD -i lo"));
}
END_TEST

static const struct fw_icmp_type codes[] = {{3, 4}};
static const struct fw_icmp_type types[] = {{3, -1}, {11, -1}};
static const struct fw_icmp_type types6[] = {{1, 4}, {134, -1}};
static const struct fw_ports some[] = {{80, 80}, {8000, 8010}};
static const struct fw_ports odd[] = {{1, 1}, {3, 3}, {5, 5}, {7, 7}, {9, 9}, {11, 11}, {13, 13},
	{15, 15}, {17, 17}, {19, 19}, {21, 21}, {23, 23}, {25, 25}, {27, 29}, {31, 31}};

static const struct {
	const char *backend;
	struct fw_clause clause;
	const char *source; /* a list of the service's own, or NULL */
	const char *rules[3];
} clauses[] = {
	{"iptables", {.protocol = 6, .ports = some, .port_count = 2}, NULL,
		{"-p tcp -m multiport --dports 80,8000:8010"}},
	{"iptables",
		{.protocol = 17,
			.source_ports = some,
			.source_port_count = 2,
			.ports = some + 1,
			.port_count = 1},
		NULL, {"-p udp -m udp --dport 8000:8010 -m multiport --sports 80,8000:8010"}},
	{"ip6tables",
		{.protocol = 17,
			.source_ports = some,
			.source_port_count = 1,
			.ports = some,
			.port_count = 1},
		"2001:db8::1", {"-s 2001:db8::1/128 -p udp -m udp --sport 80 --dport 80"}},
	/* 16 slots: a range takes two. */
	{"iptables", {.protocol = 6, .ports = odd, .port_count = FW_LENGTH(odd)}, NULL,
		{"-p tcp -m multiport --dports 1,3,5,7,9,11,13,15,17,19,21,23,25,27:29",
			"-p tcp -m tcp --dport 31"}},
	{"iptables", {.protocol = 6}, "10.0.0.1-10.0.0.9",
		{"-p tcp -m iprange --src-range 10.0.0.1-10.0.0.9"}},
	{"iptables", {.protocol = 6}, "0.0.0.0/0", {"-p tcp"}},
	{"iptables", {.protocol = 1, .family = FW_IPV4, .types = types, .type_count = 2}, NULL,
		{"-p icmp -m icmp --icmp-type 3", "-p icmp -m icmp --icmp-type 11"}},
	{"iptables", {.protocol = 1, .family = FW_IPV4, .types = codes, .type_count = 1}, NULL,
		{"-p icmp -m icmp --icmp-type 3/4"}},
	{"ip6tables",
		{.protocol = 58,
			.family = FW_IPV6,
			.types = types6,
			.type_count = 2,
			.hop_limit = 255},
		"fe80::/10",
		{"-s fe80::/10 -p ipv6-icmp -m icmp6 --icmpv6-type 1/4 -m hl --hl-eq 255",
			"-s fe80::/10 -p ipv6-icmp -m icmp6 --icmpv6-type 134 -m hl --hl-eq 255"}},
	{"ip6tables", {.protocol = 112}, NULL, {"-p 112"}},
	/* What the family has not vanishes, and is never widened. */
	{"ip6tables", {.protocol = 1, .family = FW_IPV4, .types = types, .type_count = 2}, NULL,
		{NULL}},
	{"iptables", {.protocol = 58, .family = FW_IPV6, .types = types6, .type_count = 2}, NULL,
		{NULL}},
	{"iptables", {.protocol = 6, .hop_limit = 255}, NULL, {NULL}},
	{"ip6tables", {.protocol = 6}, "10.0.0.1", {NULL}},
};

START_TEST(matches_are_written_as_iptables_saves_them) {
	struct fw_flow *flow = model_flow(FW_INPUT, "x", NULL);
	model_clause(flow, clauses[_i].clause);
	if (clauses[_i].source != NULL) {
		flow->source = model_side(model_literal("x", clauses[_i].source), NULL);
	}
	backend = clauses[_i].backend;
	struct fw_buf want = {0};
	fw_buf_add_text(&want, clauses[_i].rules[0] != NULL ? "\n# x\n" : "");
	size_t count = 0;
	for (; count < FW_LENGTH(clauses[_i].rules) && clauses[_i].rules[count] != NULL; count++) {
		fw_buf_printf(&want, "-A FLOWFW-INPUT %s -m comment --comment x -j ACCEPT\n",
			clauses[_i].rules[count]);
	}
	assert_lines(want.data);
	ck_assert_uint_eq(lines_with(out.data, "--comment x "), count);
	ck_assert_uint_eq(lines_with(out.data, "# x"), count != 0);
	fw_buf_fini(&want);
}
END_TEST

START_TEST(each_interface_has_its_rule) {
	static const char *const names[] = {"eth0", "wg0"};
	for (int hook = FW_INPUT; hook < FW_HOOK_COUNT; hook++) {
		struct fw_flow *flow = model_flow((enum fw_hook)hook, "x", "80/tcp");
		struct fw_names *on =
			hook == FW_OUTPUT ? &flow->out_interfaces : &flow->in_interfaces;
		*on = (struct fw_names){names, 2};
		if (hook == FW_FORWARD) {
			flow->out_interfaces = (struct fw_names){names, 2};
		}
	}
	model.policy.hooks[FW_FORWARD].verdict = FW_DROP;
	assert_lines("-A FLOWFW-INPUT -i eth0 -p tcp -m tcp --dport 80 -m comment --comment x "
		     "-j ACCEPT\n"
		     "-A FLOWFW-INPUT -i wg0 -p tcp -m tcp");
	assert_in(out.data, "-A FLOWFW-OUTPUT -o wg0 -p tcp");
	assert_in(out.data, "-A FLOWFW-FORWARD -i eth0 -o eth0 -p tcp");
	assert_in(out.data, "-A FLOWFW-FORWARD -i wg0 -o eth0 -p tcp");
	ck_assert_uint_eq(lines_with(out.data, "-A FLOWFW-FORWARD -i "), 4);
}
END_TEST

/* Whatever an author writes stays in its comment, on its line. */
START_TEST(names_cannot_become_rules) {
	struct fw_set *set = model_set("g", "10.0.0.1 10.0.0.2");
	struct fw_endpoint evil[2] = {
		set->members[FW_IPV4].items[0], set->members[FW_IPV4].items[1]};
	evil[0].name = "a\" -j ACCEPT\n-A INPUT \\";
	evil[1].name = "";
	set->members[FW_IPV4].items = evil;
	set->title = "t\n-A INPUT -j ACCEPT \\";
	model_flow(FW_INPUT, "x", "1/tcp")->source = model_side(set, NULL);
	model.policy.name = "n\nCOMMIT";
	assert_lines("# flowfw: n?COMMIT\n");
	assert_in(out.data, "# from g: t?-A INPUT -j ACCEPT ?\n");
	assert_in(out.data, "-s 10.0.0.1/32 -m comment --comment \"a? -j ACCEPT?-A INPUT ?\" "
			    "-j ACCEPT\n");
	assert_in(out.data, "-s 10.0.0.2/32 -m comment --comment \"\" -j ACCEPT\n");
}
END_TEST

/* ---- services with a chain ---- */

START_TEST(limits_are_in_one_chain) {
	struct fw_flow *flow = model_flow(FW_INPUT, "ssh", "22/tcp,22/udp");
	flow->limit = (struct fw_rate){10, FW_MINUTE, 5, true};
	flow->log = (struct fw_log){true, "flowfw ", {0}};
	flow->source = model_side(model_set("admins", "10.0.0.0/8 192.0.2.1"), NULL);
	emitted();
	assert_in(out.data, ":FLOWFW-IN-ssh - [0:0]\n");
	assert_in(out.data, "-p udp -m udp --dport 22 -m comment --comment ssh -j "
			    "FLOWFW-IN-ssh.SRC-admins\n");
	assert_in(out.data, "-A FLOWFW-IN-ssh.SRC-admins -s 192.0.2.1/32 -g FLOWFW-IN-ssh\n");
	assert_in(out.data,
		"-A FLOWFW-IN-ssh -m hashlimit --hashlimit-upto 10/minute --hashlimit-burst 5 "
		"--hashlimit-mode srcip --hashlimit-name ssh.in-");
	/* A bucket is forgotten when it is full again, not before. */
	assert_in(out.data, " --hashlimit-htable-max 65535 --hashlimit-htable-expire 30001 ");
	assert_in(out.data, "-m comment --comment ssh -j LOG --log-prefix \"flowfw ssh: \"\n");
	ck_assert_uint_eq(lines_with(out.data, "-m hashlimit"), 2);
}
END_TEST

/* A table of buckets keeps the rate that it was made with as long as some rule uses its name. */
START_TEST(another_rate_is_another_table_of_buckets) {
	struct fw_flow *flow = model_flow(FW_INPUT, "ssh", "22/tcp");
	flow->limit = (struct fw_rate){10, FW_MINUTE, 5, true};
	char *first = strdup(strstr(emitted(), "--hashlimit-name"));
	model.flows[0].limit.burst = 6;
	const char *second = strstr(emitted(), "--hashlimit-name");
	size_t length = strlen("--hashlimit-name ssh.in-01234567");
	ck_assert_int_ne(strncmp(first, second, length), 0);
	ck_assert_int_eq(first[length], ' ');
	free(first);
}
END_TEST

static const struct {
	struct fw_rate rate;
	const char *half; /* or NULL: refused */
} halves[] = {
	{{10, FW_SECOND, 20, false}, "5/second --limit-burst 10"},
	{{5, FW_SECOND, 5, false}, "150/minute --limit-burst 2"},
	{{1, FW_MINUTE, 5, false}, "30/hour --limit-burst 2"},
	{{1, FW_HOUR, 4, false}, "12/day --limit-burst 2"},
	{{3, FW_DAY, 3, false}, "1/day --limit-burst 1"},
	{{1, FW_DAY, 2, false}, NULL},
	{{10, FW_MINUTE, 1, false}, NULL},
};

/* Two files have two buckets; both together let through no more than what was written. */
START_TEST(both_families_share_a_limit) {
	struct fw_flow *flow = model_flow(FW_INPUT, "x", "22/tcp");
	flow->limit = halves[_i].rate;
	bool fine = emit();
	ck_assert_int_eq(fine, halves[_i].half != NULL);
	ck_assert_uint_eq(diags.errors, !fine);
	ck_assert_str_eq(diags.list.items[0]->id, fine ? "lowered" : "not-expressible");
	ck_assert_uint_eq(diags.list.count, 1);
	if (fine) {
		assert_in(out.data, halves[_i].half);
	}
}
END_TEST

START_TEST(one_family_has_a_limit_for_itself) {
	struct fw_flow *flow = model_flow(FW_INPUT, "x", "22/tcp");
	flow->limit = (struct fw_rate){1, FW_MINUTE, 1, false};
	flow->source = model_side(model_set("g", "10.0.0.1"), NULL);
	assert_lines("--limit 1/minute --limit-burst 1 ");
	ck_assert_uint_eq(diags.warnings, 0);
}
END_TEST

START_TEST(counters_are_in_one_chain) {
	struct fw_flow *flow = model_flow(FW_OUTPUT, "x", "22/tcp,23/udp");
	flow->destination = model_side(model_set("g", "10.0.0.1 10.0.0.2"), NULL);
	model.policy.counters = true;
	assert_lines("-A FLOWFW-OUT-x -m comment --comment x -j ACCEPT\n");
	ck_assert_uint_eq(lines_with(out.data, "-j ACCEPT"), 5);
}
END_TEST

START_TEST(log_prefixes_are_cut) {
	struct fw_flow *flow = model_flow(FW_INPUT, "abcdefghijklmnopqrstuvwxyz", "22/tcp");
	flow->log = (struct fw_log){true, "12345678901234567890", {1, FW_HOUR, 1, false}};
	assert_lines("-m limit --limit 1/hour --limit-burst 1 -m comment --comment "
		     "abcdefghijklmnopqrstuvwxyz -j LOG --log-prefix "
		     "\"12345678901234567890abcdefg: \"\n");
}
END_TEST

/* ---- refusals ---- */

static const struct fw_icmp_type any_type[] = {{255, -1}};

static const struct {
	const char *backend;
	struct fw_clause clause;
	struct fw_rate limit;
	bool fine;
} refusals[] = {
	/* 255 stands for any type in IPv4 alone, protocol 0 for any protocol. */
	{"iptables", {.protocol = 1, .family = FW_IPV4, .types = any_type, .type_count = 1}, {0},
		false},
	{"ip6tables", {.protocol = 1, .family = FW_IPV4, .types = any_type, .type_count = 1}, {0},
		true},
	{"ip6tables", {.protocol = 58, .family = FW_IPV6, .types = any_type, .type_count = 1}, {0},
		true},
	{"ip6tables", {.protocol = 0}, {0}, false},
	{"iptables", {.protocol = 0}, {0}, false},
	{"iptables", {.protocol = 0, .family = FW_IPV6}, {0}, true},
	/* xt_limit would make 10000/second of it. */
	{"iptables", {.protocol = 6}, {7000, FW_SECOND, 5, true}, false},
	{"iptables", {.protocol = 6}, {5000, FW_SECOND, 5, true}, true},
	{"iptables", {.protocol = 6}, {7, FW_SECOND, 5, true}, true},
	/* A bucket that takes more than a day to fill. */
	{"iptables", {.protocol = 6}, {1, FW_DAY, 1, true}, true},
	{"iptables", {.protocol = 6}, {1, FW_DAY, 2, true}, false},
	{"iptables", {.protocol = 6}, {1, FW_HOUR, 25, true}, false},
};

START_TEST(what_would_be_widened_is_refused) {
	struct fw_flow *flow = model_flow(FW_INPUT, "x", NULL);
	model_clause(flow, refusals[_i].clause);
	flow->limit = refusals[_i].limit;
	backend = refusals[_i].backend;
	ck_assert_int_eq(emit(), refusals[_i].fine);
	ck_assert_uint_eq(diags.errors, !refusals[_i].fine);
	if (!refusals[_i].fine) {
		ck_assert_str_eq(diags.list.items[0]->id, "not-expressible");
		ck_assert_int_eq(diags.list.items[0]->fault, FW_FAULT_BACKEND);
	}
}
END_TEST

START_TEST(an_untouched_hook_is_not_checked) {
	model_flow(FW_INPUT, "x", "1/tcp")->limit = (struct fw_rate){1, FW_DAY, 9, true};
	model.policy.hooks[FW_INPUT].verdict = FW_UNTOUCHED;
	ck_assert(emit());
	ck_assert_ptr_null(strstr(out.data, "-A FLOWFW-INPUT"));
	assert_in(out.data, ":FLOWFW-INPUT - [0:0]\n");
	ck_assert_ptr_null(strstr(out.data, "-C INPUT"));
}
END_TEST

/* ---- random policies ---- */

static uint64_t seed;

static unsigned random_below(unsigned limit) {
	seed = seed * 6364136223846793005 + 1442695040888963407;
	return (unsigned)(seed >> 33) % limit;
}

/* Near each other, so that prefixes nest and ranges overlap. */
static struct fw_addr random_addr(enum fw_family family) {
	struct fw_addr addr = {0, 0x0a000000};
	if (family == FW_IPV6) {
		addr.high = 0x20010db800000000 + random_below(3);
		addr.low = (uint64_t)random_below(2) << 60;
	}
	addr.low += random_below(4) == 0 ? random_below(1 << 16) : random_below(64);
	return addr;
}

static struct fw_range random_range(enum fw_family family) {
	struct fw_addr first = random_addr(family), last = first;
	unsigned kind = random_below(8);
	if (kind == 0) {
		last.low += random_below(40);
	} else if (kind == 1) {
		unsigned mask = (1U << random_below(10)) - 1;
		first.low &= ~(uint64_t)mask;
		last.low = first.low | mask;
	}
	return (struct fw_range){first, last, family};
}

static const char *const port_lists[] = {"80/tcp", "80/tcp,81-90/udp", "554/tcp+udp", "1-99/udp"};

static const struct fw_set *random_set(const char *name, bool own) {
	static const unsigned sizes[] = {1, 2, 8, 9, 30, 120};
	size_t count = sizes[random_below(FW_LENGTH(sizes))];
	struct fw_endpoint *endpoints = FW_ARENA_ARRAY(&model.arena, struct fw_endpoint, count);
	struct fw_set *set = FW_ARENA_NEW(&model.arena, struct fw_set);
	for (size_t i = 0; i < count; i++) {
		endpoints[i].range = random_range(random_below(2) == 0 ? FW_IPV4 : FW_IPV6);
		if (own && random_below(2) == 0) {
			endpoints[i].own = model_list(
				fw_slice(port_lists[random_below(FW_LENGTH(port_lists))]));
		}
	}
	set->name = name;
	set->literal = random_below(2) == 0;
	fw_set_resolve(set, endpoints, count);
	return set;
}

static struct fw_side random_side(const char *const names[3], bool own) {
	struct fw_side side = {0};
	const struct fw_set **sets = FW_ARENA_ARRAY(&model.arena, const struct fw_set *, 2);
	side.sets = sets;
	side.set_count = random_below(3);
	for (size_t i = 0; i < side.set_count; i++) {
		sets[i] = random_set(names[i], own);
	}
	if (random_below(3) == 0) {
		side.except = random_set(names[2], random_below(4) == 0);
	}
	return side;
}

/* Of two, up to two; none: any. */
static struct fw_names random_names(void) {
	static const char *const names[] = {"eth0", "eth1"};
	size_t first = random_below(2);
	return (struct fw_names){names + first, random_below(3 - (unsigned)first)};
}

static void random_policy(void) {
	static const char *const names[][3] = {
		{"a", "b", "a_except"},
		{"cameras-of-the-northern-district", "cameras-of-the-northern-region", "c_except"},
		{"e", "f", "e_except"},
		{"g", "h", "g_except"},
	};
	for (size_t i = 0; i < 2; i++) {
		struct fw_flow *flow = model_flow((enum fw_hook)(FW_INPUT + random_below(3)),
			i == 0 ? "one" : "another",
			port_lists[random_below(FW_LENGTH(port_lists))]);
		if (flow->hook != FW_OUTPUT) {
			flow->in_interfaces = random_names();
		}
		if (flow->hook != FW_INPUT) {
			flow->out_interfaces = random_names();
		}
		flow->inbound = flow->hook == FW_FORWARD && random_below(2) == 0;
		flow->own_ports = random_below(2) == 0;
		flow->source = random_side(names[2 * i], true);
		flow->destination = random_side(names[2 * i + 1], true);
		model.policy.counters = random_below(3) == 0;
	}
	model.policy.hooks[FW_FORWARD].verdict = FW_DROP;
}

static const char *random_interface(void) {
	return random_below(2) == 0 ? "eth0" : "eth1";
}

static struct packet random_packet(enum fw_hook hook, enum fw_family family) {
	static const unsigned ports[] = {80, 81, 90, 91, 554, 1};
	struct packet packet = {
		.protocol = random_below(2) == 0 ? "tcp" : "udp",
		.port = ports[random_below(FW_LENGTH(ports))],
		.in = hook != FW_OUTPUT ? random_interface() : NULL,
		.out = hook != FW_INPUT ? random_interface() : NULL,
	};
	packet.source.first = packet.source.last = random_addr(family);
	packet.destination.first = packet.destination.last = random_addr(family);
	packet.source.family = packet.destination.family = family;
	return packet;
}

enum { POLICIES = 150, PACKETS = 300 };

static void compare_packets(enum fw_family family) {
	for (int i = 0; i < PACKETS; i++) {
		enum fw_hook hook = (enum fw_hook)(FW_INPUT + random_below(3));
		struct packet packet = random_packet(hook, family);
		struct walk walk = {.packet = &packet};
		bool accepted = walk_hook(&walk, hook) == ACCEPTED;
		ck_assert_msg(accepted == policy_has(hook, &packet), "policy %llu: %s",
			(unsigned long long)seed, out.data);
	}
}

START_TEST(rules_let_through_what_the_policy_says) {
	seed = (uint64_t)_i;
	random_policy();
	emitted();
	parse_file(out.data);
	compare_packets(FW_IPV4);
	backend = "ip6tables";
	emitted();
	parse_file(out.data);
	compare_packets(FW_IPV6);
}
END_TEST

/* ---- trees ---- */

/* `count` members, every `step` addresses; the one at `moved` is elsewhere. */
static struct fw_set *many(
	const char *name, enum fw_family family, size_t count, uint64_t step, size_t moved) {
	struct fw_endpoint *endpoints = FW_ARENA_ARRAY(&model.arena, struct fw_endpoint, count);
	struct fw_set *set = FW_ARENA_NEW(&model.arena, struct fw_set);
	for (size_t i = 0; i < count; i++) {
		struct fw_addr addr = {family == FW_IPV6 ? 0x20010db800000000 : 0,
			(family == FW_IPV6 ? 0 : 0x0a000000) + step * i};
		if (i == moved) {
			addr.low ^= family == FW_IPV6 ? 1ULL << 60 : 1 << 23;
		}
		endpoints[i].range = (struct fw_range){addr, addr, family};
	}
	set->name = name;
	fw_set_resolve(set, endpoints, count);
	return set;
}

static const struct {
	const char *backend;
	enum fw_family family;
	uint64_t step;
	size_t changed; /* lines, at most, where one member moves */
} trees[] = {
	{"iptables", FW_IPV4, 1, 1},
	/* Two to a chain: where one is left it stands in the chain above. */
	{"iptables", FW_IPV4, 256, 4},
	{"iptables", FW_IPV4, 77, 4},
	{"ip6tables", FW_IPV6, 1, 1},
	{"ip6tables", FW_IPV6, 0x10000000000, 4},
};

START_TEST(a_packet_meets_few_rules_of_a_tree) {
	const size_t count = 5000;
	struct fw_set *set = many("g", trees[_i].family, count, trees[_i].step, count);
	model_flow(FW_INPUT, "x", "1/tcp")->source = model_side(set, NULL);
	backend = trees[_i].backend;
	emitted();
	parse_file(out.data);
	struct packet packet = {.protocol = "tcp", .port = 1};
	packet.source = packet.destination = set->members[trees[_i].family].items[count - 1].range;
	struct walk walk = {.packet = &packet};
	ck_assert_int_eq(walk_hook(&walk, FW_INPUT), ACCEPTED);
	ck_assert_uint_le(walk.met, 50);
	packet.source.first.low += 1 << 20;
	packet.source.last = packet.source.first;
	ck_assert_int_eq(walk_hook(&walk, FW_INPUT), DROPPED);
}
END_TEST

START_TEST(one_member_that_moves_changes_few_lines) {
	const size_t count = 1000;
	char *texts[2];
	char **lines[2];
	size_t counts[2];
	backend = trees[_i].backend;
	struct fw_flow *flow = model_flow(FW_INPUT, "x", "1/tcp");
	for (size_t i = 0; i < 2; i++) {
		flow->source = model_side(many("g", trees[_i].family, count, trees[_i].step,
						  i == 0 ? count : count / 2),
			NULL);
		texts[i] = strdup(emitted());
		lines[i] = sorted_lines(texts[i], &counts[i]);
	}
	size_t gone = lines_missing(lines[0], counts[0], lines[1], counts[1]);
	size_t come = lines_missing(lines[1], counts[1], lines[0], counts[0]);
	ck_assert_uint_ge(gone, 1);
	ck_assert_uint_le(gone, trees[_i].changed);
	ck_assert_uint_le(come, trees[_i].changed);
	free(texts[0]);
	free(texts[1]);
}
END_TEST

/* How many chains follow each other at most, from this one on. */
static unsigned depth_of(const char *chain) {
	unsigned most = 0;
	for (size_t i = 0; i < file.count; i++) {
		const struct parsed_rule *rule = &file.rules[i];
		const char *target = rule->words[rule->count - 1];
		if (strcmp(rule->chain, chain) == 0 && strncmp(target, "FLOWFW", 6) == 0) {
			unsigned depth = depth_of(target);
			most = depth > most ? depth : most;
		}
	}
	return most + 1;
}

/* Addresses that part at every bit make the deepest tree there can be. */
static struct fw_set *deep_set(const char *name) {
	const unsigned bits = 128;
	struct fw_endpoint *endpoints = FW_ARENA_ARRAY(&model.arena, struct fw_endpoint, bits);
	struct fw_set *set = FW_ARENA_NEW(&model.arena, struct fw_set);
	for (unsigned i = 0; i < bits; i++) {
		struct fw_addr addr = {
			i < 64 ? 1ULL << (63 - i) : 0, i < 64 ? 0 : 1ULL << (127 - i)};
		endpoints[i].range = (struct fw_range){addr, addr, FW_IPV6};
	}
	set->name = name;
	fw_set_resolve(set, endpoints, bits);
	return set;
}

/* nf_tables follows 15 chains from that of the kernel's hook on. */
START_TEST(trees_are_not_deeper_than_the_kernel_follows) {
	struct fw_flow *flow = model_flow(FW_INPUT, "x", "1/tcp");
	flow->limit = (struct fw_rate){10, FW_MINUTE, 5, true};
	flow->source = model_side(deep_set("a"), _i > 1 ? deep_set("a_except") : NULL);
	if (_i > 0) {
		flow->destination = model_side(deep_set("b"), _i > 2 ? deep_set("b_except") : NULL);
	}
	backend = "ip6tables";
	emitted();
	parse_file(out.data);
	unsigned depth = depth_of("FLOWFW-INPUT");
	ck_assert_uint_le(depth, LEVELS_MAX);
	ck_assert_uint_ge(depth, LEVELS_MAX - 3);
}
END_TEST

/* ---- ipsets ---- */

START_TEST(groups_are_sets_in_another_file) {
	struct fw_set *cameras = model_set("cameras",
		"10.0.0.1 10.0.0.4-10.0.0.6 10.0.0.2@80/tcp,81-82/udp 10.0.0.3@1000-65000/udp");
	cameras->title = "all cameras";
	struct fw_flow *rtsp = model_flow(FW_OUTPUT, "rtsp", "554/tcp");
	rtsp->destination = model_side(cameras, model_literal("rtsp_except", "10.0.0.5"));
	rtsp->own_ports = true;
	ipset = "ipset=on";
	assert_lines("-A FLOWFW-OUTPUT -p tcp -m tcp --dport 554 "
		     "-m set ! --match-set flowfw4-rtsp_except dst "
		     "-m set --match-set flowfw4-cameras dst -m comment --comment rtsp -j ACCEPT\n"
		     "-A FLOWFW-OUTPUT -m set ! --match-set flowfw4-rtsp_except dst "
		     "-m set --match-set flowfw4-cameras_ports dst,dst "
		     "-m comment --comment rtsp -j ACCEPT\n"
		     /* Too many ports for a set. */
		     "-A FLOWFW-OUTPUT -m set ! --match-set flowfw4-rtsp_except dst "
		     "-m comment --comment rtsp -j FLOWFW-DST-cameras_ports\n");
	assert_in(out.data,
		"-A FLOWFW-DST-cameras_ports -d 10.0.0.3/32 -p udp -m udp --dport 1000:65000 -j "
		"ACCEPT\n");
	assert_in(out_file.data,
		"\n"
		"# cameras: all cameras\n"
		"create flowfw4_new hash:net family inet hashsize 1024 maxelem 1073741824 -exist\n"
		"flush flowfw4_new\n"
		"add flowfw4_new 10.0.0.1 -exist\n"
		"add flowfw4_new 10.0.0.4/31 -exist\n"
		"add flowfw4_new 10.0.0.6 -exist\n"
		"create flowfw4-cameras hash:net family inet hashsize 1024 maxelem 1073741824 "
		"-exist\n"
		"swap flowfw4_new flowfw4-cameras\n"
		"destroy flowfw4_new\n");
	assert_in(out_file.data, "add flowfw4_new_ports 10.0.0.2,tcp:80 -exist\n"
				 "add flowfw4_new_ports 10.0.0.2,udp:81-82 -exist\n"
				 "create flowfw4-cameras_ports hash:net,port family inet ");
	ck_assert_ptr_null(strstr(out_file.data, "10.0.0.3,"));
}
END_TEST

/* No element of a set covers a family. */
START_TEST(a_set_of_everything_is_two_halves) {
	struct fw_flow *flow = model_flow(FW_INPUT, "x", "1/tcp");
	flow->source = model_side(model_set("g", "::/0@80/tcp"), NULL);
	flow->own_ports = true;
	ipset = "ipset=on";
	backend = "ip6tables";
	assert_lines("-m set --match-set flowfw6-g_ports src,dst ");
	assert_in(out_file.data, "add flowfw6_new_ports ::/1,tcp:80 -exist\n"
				 "add flowfw6_new_ports 8000::/1,tcp:80 -exist\n");
}
END_TEST

START_TEST(long_names_stay_apart) {
	static const char *const names[] = {
		"cameras-of-the-northern-distric", "cameras-of-the-northern-distric2"};
	for (size_t i = 0; i < FW_LENGTH(names); i++) {
		struct fw_flow *flow = model_flow(FW_INPUT, names[i], "1/tcp");
		flow->source = model_side(model_set(names[i], "10.0.0.1 10.0.0.2"), NULL);
		flow->log = (struct fw_log){true, "", {0}};
	}
	emitted();
	parse_file(out.data);
	ipset = "ipset=on";
	emitted();
	parse_file(out.data);
	ck_assert_uint_eq(lines_with(out_file.data, "\nswap "), 2);
	for (const char *at = out_file.data; (at = strstr(at, "swap flowfw4_new ")) != NULL; at++) {
		ck_assert_uint_le(strcspn(at + strlen("swap flowfw4_new "), "\n"), 31);
	}
}
END_TEST

int main(void) {
	Suite *suite = suite_create("iptables");
	TCase *tests = tcase_create("text");
	tcase_set_timeout(tests, 120);
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, a_rule_set_is_these_bytes);
	tcase_add_test(tests, a_whole_table_has_policies_and_hooks);
	tcase_add_loop_test(
		tests, matches_are_written_as_iptables_saves_them, 0, (int)FW_LENGTH(clauses));
	tcase_add_test(tests, each_interface_has_its_rule);
	tcase_add_test(tests, names_cannot_become_rules);
	tcase_add_test(tests, limits_are_in_one_chain);
	tcase_add_test(tests, another_rate_is_another_table_of_buckets);
	tcase_add_loop_test(tests, both_families_share_a_limit, 0, (int)FW_LENGTH(halves));
	tcase_add_test(tests, one_family_has_a_limit_for_itself);
	tcase_add_test(tests, counters_are_in_one_chain);
	tcase_add_test(tests, log_prefixes_are_cut);
	tcase_add_loop_test(tests, what_would_be_widened_is_refused, 0, (int)FW_LENGTH(refusals));
	tcase_add_test(tests, an_untouched_hook_is_not_checked);
	tcase_add_loop_test(tests, rules_let_through_what_the_policy_says, 0, POLICIES);
	tcase_add_loop_test(tests, a_packet_meets_few_rules_of_a_tree, 0, (int)FW_LENGTH(trees));
	tcase_add_loop_test(
		tests, one_member_that_moves_changes_few_lines, 0, (int)FW_LENGTH(trees));
	tcase_add_loop_test(tests, trees_are_not_deeper_than_the_kernel_follows, 0, 4);
	tcase_add_test(tests, groups_are_sets_in_another_file);
	tcase_add_test(tests, a_set_of_everything_is_two_halves);
	tcase_add_test(tests, long_names_stay_apart);
	suite_add_tcase(suite, tests);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
