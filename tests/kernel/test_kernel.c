// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The dry run against the running kernel, in network namespaces of its own. Tables are literals
 * here, beside the text that says the same, so that the two forms are held against each other: what
 * nft lists after it loaded the text must be what it lists after the kernel took our messages.
 */

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "machine.h"

/* ---- what tables are made of ---- */

enum { SERVICE_AT = 10, SET_AT = 20, COUNTER_AT = 30, LIMIT_AT = 40, CHAIN_AT = 50 };

static const struct fw_flow flow = {.service = "ssh", .span = AT(SERVICE_AT)};

static const struct fw_endpoint ranges4[] = {
	{.range = RANGE4(0x0a000000, 0x0a0000ff)},
	{.range = RANGE4(0x0a000100, 0x0a0001ff)}, /* touches the one before */
	{.range = RANGE4(0x0a010001, 0x0a010001)}, {.range = RANGE4(0x0a010003, 0x0a010009)},
	{.range = RANGE4(0xffffff00, 0xffffffff)}, /* has no address behind it */
};
static const struct fw_endpoint from_zero[] = {{.range = RANGE4(0, 0x00ffffff)}};
static const struct fw_endpoint ranges6[] = {
	{.range = {{DOCUMENTATION6, 0}, {DOCUMENTATION6, UINT64_MAX}, FW_IPV6}},
	{.range = {{UINT64_MAX, UINT64_MAX}, {UINT64_MAX, UINT64_MAX}, FW_IPV6}},
};
static const struct fw_endpoint singles4[] = {
	{.range = RANGE4(0x0a020001, 0x0a020001)},
	{.range = RANGE4(0x0a020002, 0x0a020002)},
};
static const struct fw_endpoint singles6[] = {
	{.range = {{DOCUMENTATION6, 1}, {DOCUMENTATION6, 1}, FW_IPV6}},
};
static const struct fw_nft_element pairs4[] = {
	{&singles4[0], {80, 80}},
	{&singles4[1], {443, 443}},
};
static const struct fw_nft_element pairs6[] = {
	{&singles6[0], {80, 80}},
	{&singles6[0], {65535, 65535}},
};
static const struct fw_nft_element boxes4[] = {
	{&ranges4[0], {80, 80}},
	{&ranges4[0], {90, 99}},
	{&ranges4[3], {1, 65535}},
	{&ranges4[4], {65535, 65535}},
};
static const struct fw_nft_element boxes6[] = {
	{&ranges6[0], {554, 554}},
	{&ranges6[1], {1, 9}},
};

#define SET(set_name, set_family, ...)                                                             \
	static const struct fw_nft_set set_name = {                                                \
		.name = #set_name, .family = (set_family), .span = AT(SET_AT), __VA_ARGS__}

SET(cameras4, FW_IPV4, .key = FW_NFT_ADDR, .interval = true, .size = 16, .endpoints = ranges4,
	.count = FW_LENGTH(ranges4));
SET(zero4, FW_IPV4, .key = FW_NFT_ADDR, .interval = true, .endpoints = from_zero,
	.count = FW_LENGTH(from_zero));
SET(cameras6, FW_IPV6, .key = FW_NFT_ADDR, .interval = true, .size = 16, .endpoints = ranges6,
	.count = FW_LENGTH(ranges6));
SET(hosts4, FW_IPV4, .key = FW_NFT_ADDR, .size = 2, .endpoints = singles4,
	.count = FW_LENGTH(singles4));
SET(hosts6, FW_IPV6, .key = FW_NFT_ADDR, .endpoints = singles6, .count = FW_LENGTH(singles6));
SET(ports4, FW_IPV4, .key = FW_NFT_ADDR_PORT, .size = 2, .elements = pairs4,
	.count = FW_LENGTH(pairs4));
SET(ports6, FW_IPV6, .key = FW_NFT_ADDR_PORT, .elements = pairs6, .count = FW_LENGTH(pairs6));
SET(boxed4, FW_IPV4, .key = FW_NFT_ADDR_PORT, .interval = true, .size = 16, .elements = boxes4,
	.count = FW_LENGTH(boxes4));
SET(boxed6, FW_IPV6, .key = FW_NFT_ADDR_PORT, .interval = true, .elements = boxes6,
	.count = FW_LENGTH(boxes6));
SET(nobody4, FW_IPV4, .key = FW_NFT_ADDR);
SET(sources4, FW_IPV4, .key = FW_NFT_ADDR, .dynamic = true, .timeout = 60, .size = 65535);
SET(sources6, FW_IPV6, .key = FW_NFT_ADDR, .dynamic = true, .timeout = 60, .size = 65535);

static const struct fw_nft_set *const sets[] = {&cameras4, &zero4, &cameras6, &hosts4, &hosts6,
	&ports4, &ports6, &boxed4, &boxed6, &nobody4};
static const struct fw_nft_set *const meters[] = {&sources4, &sources6};
static const struct fw_nft_counter counters[] = {{"service_ssh", AT(COUNTER_AT)}};
static const struct fw_nft_limit limits[] = {
	{"service_ssh_input", {10, FW_MINUTE, 5, false}, AT(LIMIT_AT)},
	{"service_dns_output", {7, FW_SECOND, 20, false}, AT(LIMIT_AT)},
};

static const char declarations[] =
	"counter service_ssh { }\n"
	"limit service_ssh_input { rate 10/minute burst 5 packets }\n"
	"limit service_dns_output { rate 7/second burst 20 packets }\n"
	"set cameras4 { type ipv4_addr; flags interval; size 16; elements = { 10.0.0.0/24,"
	" 10.0.1.0/24, 10.1.0.1, 10.1.0.3-10.1.0.9, 255.255.255.0/24 } }\n"
	"set zero4 { type ipv4_addr; flags interval; elements = { 0.0.0.0/8 } }\n"
	"set cameras6 { type ipv6_addr; flags interval; size 16; elements = { 2001:db8::/64,"
	" ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff } }\n"
	"set hosts4 { type ipv4_addr; size 2; elements = { 10.2.0.1, 10.2.0.2 } }\n"
	"set hosts6 { type ipv6_addr; elements = { 2001:db8::1 } }\n"
	"set ports4 { type ipv4_addr . inet_service; size 2; elements = { 10.2.0.1 . 80,"
	" 10.2.0.2 . 443 } }\n"
	"set ports6 { type ipv6_addr . inet_service; elements = { 2001:db8::1 . 80,"
	" 2001:db8::1 . 65535 } }\n"
	"set boxed4 { type ipv4_addr . inet_service; flags interval; size 16; elements = {"
	" 10.0.0.0/24 . 80, 10.0.0.0/24 . 90-99, 10.1.0.3-10.1.0.9 . 1-65535,"
	" 255.255.255.0/24 . 65535 } }\n"
	"set boxed6 { type ipv6_addr . inet_service; flags interval; elements = {"
	" 2001:db8::/64 . 554, ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff . 1-9 } }\n"
	"set nobody4 { type ipv4_addr; }\n";

/* ---- rules and their text ---- */

static const char *const two_names[] = {"eth0", "wg0"};
static const struct fw_ports one_port[] = {{22, 22}};
static const struct fw_ports port_range[] = {{6000, 6999}};
static const struct fw_ports two_ports[] = {{80, 80}, {443, 443}};
static const struct fw_ports some_ports[] = {{22, 22}, {8000, 9000}, {65000, 65535}};
static const struct fw_icmp_type one_type[] = {{8, -1}};
static const struct fw_icmp_type two_types[] = {{133, -1}, {134, -1}};
static const struct fw_icmp_type type_and_code[] = {{3, 4}};

enum { TCP = 6, UDP = 17, ICMP = 1, IGMP = 2, ESP = 50 };

#define NAMES(match_kind, array)                                                                   \
	{ .kind = (match_kind), .names = (array), .count = FW_LENGTH(array) }
#define PORTS(match_kind, proto, array)                                                            \
	{ .kind = (match_kind), .protocol = (proto), .ports = (array), .count = FW_LENGTH(array) }
#define TYPES(match_kind, match_family, array)                                                     \
	{                                                                                          \
		.kind = (match_kind), .family = (match_family), .types = (array),                  \
		.count = FW_LENGTH(array)                                                          \
	}
#define IN_SET(match_kind, match_set)                                                              \
	{ .kind = (match_kind), .family = FW_IPV4, .set = (match_set) }
#define IN_RANGE(...)                                                                              \
	{ .kind = FW_NFT_SADDR, .family = FW_IPV4, .range = __VA_ARGS__ }
#define PROTOCOL(number)                                                                           \
	{ .kind = FW_NFT_PROTOCOL, .protocol = (number) }

static const struct row {
	const char *text;
	struct fw_nft_match matches[4];
	struct fw_nft_statement statements[4];
} rows[] = {
	{"iifname \"eth0\" accept", {{.kind = FW_NFT_IIFNAME, .names = two_names, .count = 1}},
		{{.kind = FW_NFT_ACCEPT}}},
	{"iifname { \"eth0\", \"wg0\" } accept", {NAMES(FW_NFT_IIFNAME, two_names)},
		{{.kind = FW_NFT_ACCEPT}}},
	{"oifname { \"eth0\", \"wg0\" } drop", {NAMES(FW_NFT_OIFNAME, two_names)},
		{{.kind = FW_NFT_DROP}}},
	{"ct state established,related accept", {{.kind = FW_NFT_CT_REPLY}},
		{{.kind = FW_NFT_ACCEPT}}},
	{"ct state invalid drop", {{.kind = FW_NFT_CT_INVALID}}, {{.kind = FW_NFT_DROP}}},
	{"meta nfproto ipv6 accept", {{.kind = FW_NFT_NFPROTO, .family = FW_IPV6}},
		{{.kind = FW_NFT_ACCEPT}}},
	{"meta nfproto ipv4 udp dport 22 accept",
		{{.kind = FW_NFT_NFPROTO, .family = FW_IPV4}, PORTS(FW_NFT_DPORT, UDP, one_port)},
		{{.kind = FW_NFT_ACCEPT}}},
	{"meta l4proto esp accept", {PROTOCOL(ESP)}, {{.kind = FW_NFT_ACCEPT}}},
	{"ip protocol igmp accept",
		{{.kind = FW_NFT_PROTOCOL, .family = FW_IPV4, .protocol = IGMP}},
		{{.kind = FW_NFT_ACCEPT}}},
	{"ip saddr @cameras4 tcp dport 22 counter name service_ssh accept",
		{IN_SET(FW_NFT_SADDR, &cameras4), PORTS(FW_NFT_DPORT, TCP, one_port)},
		{{.kind = FW_NFT_COUNTER, .text = "service_ssh"}, {.kind = FW_NFT_ACCEPT}}},
	{"ip saddr @hosts4 ip saddr != @cameras4 ip daddr @zero4 accept",
		{IN_SET(FW_NFT_SADDR, &hosts4),
			{.kind = FW_NFT_SADDR,
				.family = FW_IPV4,
				.set = &cameras4,
				.negated = true},
			IN_SET(FW_NFT_DADDR, &zero4)},
		{{.kind = FW_NFT_ACCEPT}}},
	{"ip6 saddr @cameras6 ip6 daddr @hosts6 accept",
		{{.kind = FW_NFT_SADDR, .family = FW_IPV6, .set = &cameras6},
			{.kind = FW_NFT_DADDR, .family = FW_IPV6, .set = &hosts6}},
		{{.kind = FW_NFT_ACCEPT}}},
	{"ip saddr . tcp dport @ports4 accept",
		{{.kind = FW_NFT_SADDR_PORT, .family = FW_IPV4, .protocol = TCP, .set = &ports4}},
		{{.kind = FW_NFT_ACCEPT}}},
	{"ip daddr . udp dport @ports4 accept",
		{{.kind = FW_NFT_DADDR_PORT, .family = FW_IPV4, .protocol = UDP, .set = &ports4}},
		{{.kind = FW_NFT_ACCEPT}}},
	{"ip6 daddr . udp dport @ports6 accept",
		{{.kind = FW_NFT_DADDR_PORT, .family = FW_IPV6, .protocol = UDP, .set = &ports6}},
		{{.kind = FW_NFT_ACCEPT}}},
	{"ip saddr . tcp dport @boxed4 accept",
		{{.kind = FW_NFT_SADDR_PORT, .family = FW_IPV4, .protocol = TCP, .set = &boxed4}},
		{{.kind = FW_NFT_ACCEPT}}},
	{"ip6 daddr . udp dport @boxed6 accept",
		{{.kind = FW_NFT_DADDR_PORT, .family = FW_IPV6, .protocol = UDP, .set = &boxed6}},
		{{.kind = FW_NFT_ACCEPT}}},
	{"ip saddr 10.2.0.1 accept", {IN_RANGE(RANGE4(0x0a020001, 0x0a020001))},
		{{.kind = FW_NFT_ACCEPT}}},
	{"ip saddr 10.0.0.0/8 accept", {IN_RANGE(RANGE4(0x0a000000, 0x0affffff))},
		{{.kind = FW_NFT_ACCEPT}}},
	{"ip saddr 10.0.0.0/9 accept", {IN_RANGE(RANGE4(0x0a000000, 0x0a7fffff))},
		{{.kind = FW_NFT_ACCEPT}}},
	{"ip saddr 10.0.0.1-10.0.0.9 accept", {IN_RANGE(RANGE4(0x0a000001, 0x0a000009))},
		{{.kind = FW_NFT_ACCEPT}}},
	{"ip saddr != 10.0.0.1-10.0.0.9 accept",
		{IN_RANGE(RANGE4(0x0a000001, 0x0a000009), .negated = true)},
		{{.kind = FW_NFT_ACCEPT}}},
	{"ip saddr != 10.2.0.1 accept", {IN_RANGE(RANGE4(0x0a020001, 0x0a020001), .negated = true)},
		{{.kind = FW_NFT_ACCEPT}}},
	{"ip saddr != 10.0.0.0/9 accept",
		{IN_RANGE(RANGE4(0x0a000000, 0x0a7fffff), .negated = true)},
		{{.kind = FW_NFT_ACCEPT}}},
	{"ip6 daddr 2001:db8::/64 accept",
		{{.kind = FW_NFT_DADDR,
			.family = FW_IPV6,
			.range = {{DOCUMENTATION6, 0}, {DOCUMENTATION6, UINT64_MAX}, FW_IPV6}}},
		{{.kind = FW_NFT_ACCEPT}}},
	{"udp sport 22 udp dport 6000-6999 accept",
		{PORTS(FW_NFT_SPORT, UDP, one_port), PORTS(FW_NFT_DPORT, UDP, port_range)},
		{{.kind = FW_NFT_ACCEPT}}},
	{"tcp dport { 80, 443 } accept", {PORTS(FW_NFT_DPORT, TCP, two_ports)},
		{{.kind = FW_NFT_ACCEPT}}},
	{"tcp sport { 22, 8000-9000, 65000-65535 } accept", {PORTS(FW_NFT_SPORT, TCP, some_ports)},
		{{.kind = FW_NFT_ACCEPT}}},
	{"icmp type echo-request accept", {TYPES(FW_NFT_ICMP, FW_IPV4, one_type)},
		{{.kind = FW_NFT_ACCEPT}}},
	{"icmpv6 type { 133, 134 } ip6 hoplimit 255 accept",
		{TYPES(FW_NFT_ICMP, FW_IPV6, two_types),
			{.kind = FW_NFT_HOP_LIMIT, .hop_limit = 255}},
		{{.kind = FW_NFT_ACCEPT}}},
	{"icmp type 3 icmp code 4 accept", {TYPES(FW_NFT_ICMP_CODE, FW_IPV4, type_and_code)},
		{{.kind = FW_NFT_ACCEPT}}},
	{"limit rate 10/minute burst 5 packets log prefix \"flowfw \" drop", {{0}},
		{{.kind = FW_NFT_LIMIT, .rate = {10, FW_MINUTE, 5, false}},
			{.kind = FW_NFT_LOG, .text = "flowfw "}, {.kind = FW_NFT_DROP}}},
	{"limit rate 3/day burst 9 packets accept", {{0}},
		{{.kind = FW_NFT_LIMIT, .rate = {3, FW_DAY, 9, false}}, {.kind = FW_NFT_ACCEPT}}},
	{"udp dport 22 limit name \"service_dns_output\" accept",
		{PORTS(FW_NFT_DPORT, UDP, one_port)},
		{{.kind = FW_NFT_LIMIT_NAMED, .text = "service_dns_output"},
			{.kind = FW_NFT_ACCEPT}}},
	{"tcp dport 22 meter sources4 size 65535"
	 " { ip saddr timeout 60s limit rate 2/hour burst 5 packets } accept",
		{PORTS(FW_NFT_DPORT, TCP, one_port)},
		{{.kind = FW_NFT_LIMIT_SOURCE,
			 .set = &sources4,
			 .family = FW_IPV4,
			 .rate = {2, FW_HOUR, 5, true}},
			{.kind = FW_NFT_ACCEPT}}},
	{"meter sources6 size 65535 { ip6 saddr timeout 60s limit rate 2/hour burst 7 packets }"
	 " accept",
		{{0}},
		{{.kind = FW_NFT_LIMIT_SOURCE,
			 .set = &sources6,
			 .family = FW_IPV6,
			 .rate = {2, FW_HOUR, 7, true}},
			{.kind = FW_NFT_ACCEPT}}},
	{"tcp dport 22 jump service_ssh_input", {PORTS(FW_NFT_DPORT, TCP, one_port)},
		{{.kind = FW_NFT_JUMP, .text = "service_ssh_input"}}},
	{"reject with tcp reset", {{0}}, {{.kind = FW_NFT_REJECT_TCP}}},
	{"tcp dport 22 reject with tcp reset", {PORTS(FW_NFT_DPORT, TCP, one_port)},
		{{.kind = FW_NFT_REJECT_TCP}}},
	{"reject with icmpx type admin-prohibited", {{0}}, {{.kind = FW_NFT_REJECT}}},
};

static struct fw_nft_rule make_rule(const struct row *row) {
	struct fw_nft_rule rule = {
		.matches = row->matches,
		.statements = row->statements,
		.comment = "ssh",
		.flow = &flow,
		.span = flow.span,
	};

	while (rule.match_count < FW_LENGTH(row->matches) &&
		row->matches[rule.match_count].kind != FW_NFT_MATCH_NONE) {
		rule.match_count++;
	}
	while (rule.statement_count < FW_LENGTH(row->statements) &&
		row->statements[rule.statement_count].kind != FW_NFT_STATEMENT_NONE) {
		rule.statement_count++;
	}
	return rule;
}

/** The chains and the table round some rules. */
struct world {
	struct fw_nft_rule rules[FW_LENGTH(rows)];
	const struct fw_nft_set *sets[FW_LENGTH(sets) + FW_LENGTH(meters)];
	struct fw_nft_chain chains[3];
	struct fw_nft_counter counters[FW_LENGTH(counters)];
	struct fw_nft_limit limits[FW_LENGTH(limits)];
	struct fw_nft_table table;
};

static bool uses_meter(const struct row *row, const struct fw_nft_set *meter) {
	return row->statements[0].set == meter;
}

/** Takes the rows from `first` on, all in the chain `input`. A meter is declared with its rule. */
static void make_world(struct world *world, size_t first, size_t count) {
	size_t set_count = FW_LENGTH(sets);

	*world = (struct world){0};
	memcpy(world->sets, sets, sizeof(sets));
	memcpy(world->counters, counters, sizeof(counters));
	memcpy(world->limits, limits, sizeof(limits));
	for (size_t i = 0; i < count; i++) {
		world->rules[i] = make_rule(&rows[first + i]);
		for (size_t k = 0; k < FW_LENGTH(meters); k++) {
			if (uses_meter(&rows[first + i], meters[k])) {
				world->sets[set_count++] = meters[k];
			}
		}
	}
	world->chains[0] = (struct fw_nft_chain){.name = "service_ssh_input", .span = AT(CHAIN_AT)};
	world->chains[1] = (struct fw_nft_chain){.name = "input",
		.hook = FW_INPUT,
		.span = AT(CHAIN_AT),
		.rules = world->rules,
		.rule_count = count};
	world->chains[2] = (struct fw_nft_chain){
		.name = "forward", .hook = FW_FORWARD, .accept = true, .span = AT(CHAIN_AT)};
	world->table = (struct fw_nft_table){
		.name = FW_NFT_TABLE,
		.counters = world->counters,
		.counter_count = FW_LENGTH(counters),
		.limits = world->limits,
		.limit_count = FW_LENGTH(limits),
		.sets = world->sets,
		.set_count = set_count,
		.chains = world->chains,
		.chain_count = FW_LENGTH(world->chains),
	};
}

static void write_text(struct fw_buf *out, size_t first, size_t count) {
	fw_buf_printf(out, "table inet flowfw {\n%schain service_ssh_input { }\n", declarations);
	fw_buf_add_text(out, "chain input {\ntype filter hook input priority 0; policy drop;\n");
	for (size_t i = first; i < first + count; i++) {
		fw_buf_printf(out, "%s comment \"ssh\"\n", rows[i].text);
	}
	fw_buf_add_text(out, "}\nchain forward {\n");
	fw_buf_add_text(out, "type filter hook forward priority 0; policy accept;\n}\n}\n");
}

/* ---- tests: the same as the text ---- */

static void compare_forms(size_t first, size_t count) {
	struct fw_buf text FW_AUTO(fw_buf_fini) = {0};
	struct fw_buf from_text FW_AUTO(fw_buf_fini) = {0};
	struct fw_buf from_messages FW_AUTO(fw_buf_fini) = {0};
	struct world world;

	make_world(&world, first, count);
	write_text(&text, first, count);
	enter_namespace();
	load_text(text.data);
	list_rules(&from_text);
	list_committed(&world.table, &from_messages);
	ck_assert_str_eq(from_messages.data, from_text.data);
}

START_TEST(row_is_its_text) {
	compare_forms((size_t)_i, 1);
}
END_TEST

START_TEST(table_is_its_text) {
	compare_forms(0, FW_LENGTH(rows));
}
END_TEST

/* ---- tests: the dry run ---- */

START_TEST(check_changes_nothing) {
	struct fw_buf before FW_AUTO(fw_buf_fini) = {0}, after FW_AUTO(fw_buf_fini) = {0};
	struct fw_diags diags FW_AUTO(fw_diags_fini) = {0};
	struct world world;

	make_world(&world, 0, FW_LENGTH(rows));
	enter_namespace();
	/* Someone else's rules, and things of other kinds under our names. */
	load_text(
		"table ip filter {\nchain input { type filter hook input priority 0; }\n}\n"
		"table inet flowfw { set service_ssh { type ipv4_addr; }\n"
		"set cameras4 { type inet_service; elements = { 1 } }\n"
		"chain input { type route hook output priority 5; tcp dport @cameras4 drop; }\n"
		"chain service_ssh_input { type filter hook forward priority 0; }\n}\n"
		"table ip flowfw_nat {\nchain x { type nat hook postrouting priority 100; }\n}\n");
	list_rules(&before);
	expect_success(fw_kernel_check(&world.table, &diags), &diags);
	list_rules(&after);
	ck_assert_str_eq(after.data, before.data);
}
END_TEST

START_TEST(commit_replaces_what_was_there) {
	struct fw_buf first FW_AUTO(fw_buf_fini) = {0}, second FW_AUTO(fw_buf_fini) = {0};
	struct fw_diags diags FW_AUTO(fw_diags_fini) = {0};
	struct world world;

	make_world(&world, 0, FW_LENGTH(rows));
	list_committed(&world.table, &first);
	expect_success(run(&world.table, true, &diags), &diags);
	list_rules(&second);
	ck_assert_str_eq(second.data, first.data);
}
END_TEST

/* ---- tests: large sets ---- */

enum { MANY = 100000, SMALL_LIMIT = 256 * 1024 };

static struct fw_endpoint *make_many(void) {
	struct fw_endpoint *many = fw_alloc(MANY * sizeof(*many));

	for (uint32_t i = 0; i < MANY; i++) {
		uint64_t low = 0x0a000000 + 4 * i;

		many[i].range = (struct fw_range)RANGE4(low, low + i % 3);
	}
	return many;
}

static void check_many(size_t limit, uint32_t size, bool expected) {
	struct fw_endpoint *many = make_many();
	struct fw_nft_set large = {.name = "large4",
		.family = FW_IPV4,
		.key = FW_NFT_ADDR,
		.interval = true,
		.endpoints = many,
		.count = MANY,
		.size = size,
		.span = AT(SET_AT)};
	struct fw_netlink netlink FW_AUTO(fw_netlink_close) = {0};
	struct fw_diags diags FW_AUTO(fw_diags_fini) = {0};
	struct world world;

	make_world(&world, 0, FW_LENGTH(rows));
	world.sets[0] = &large;
	world.rules[9].match_count = 0; /* the rules that want the set that was put away */
	world.rules[10].match_count = 0;
	enter_namespace();
	ck_assert(fw_netlink_open(&netlink, &diags));
	if (limit != 0) {
		netlink.limit = limit;
	}
	ck_assert_int_eq(fw_kernel_run(&world.table, &netlink, false, &diags), expected);
	ck_assert_uint_eq(diags.errors, expected ? 0 : 1);
	if (!expected) {
		ck_assert_uint_eq(diags.list.items[0]->span.start, SET_AT);
	}
	free(many);
}

START_TEST(large_set_goes_in_one_batch) {
	check_many(0, 2 * MANY + 2, true);
}
END_TEST

START_TEST(large_set_goes_in_pieces) {
	check_many(SMALL_LIMIT, 2 * MANY + 2, true);
}
END_TEST

START_TEST(large_set_is_too_large_once) {
	check_many(0, 5000, false);
}
END_TEST

START_TEST(pieces_are_too_large_once) {
	check_many(SMALL_LIMIT, 1000, false);
}
END_TEST

/* ---- tests: refusals ---- */

/** Longer than any name, prefix or comment may be. */
static char long_text[300];

static void spoil_set(struct world *world) {
	static const struct fw_nft_set small = {.name = "hosts4",
		.family = FW_IPV4,
		.key = FW_NFT_ADDR,
		.size = 1,
		.endpoints = singles4,
		.count = FW_LENGTH(singles4),
		.span = AT(SET_AT)};

	world->sets[3] = &small;
}

/** Makes the rules that name something by a statement of this kind name `text` instead. */
static void rename_in_rules(
	struct world *world, enum fw_nft_statement_kind kind, const char *text) {
	static struct fw_nft_statement renamed;

	renamed = (struct fw_nft_statement){.kind = kind, .text = text};
	for (size_t i = 0; i < FW_LENGTH(rows); i++) {
		if (world->rules[i].statements[0].kind == kind) {
			world->rules[i].statements = &renamed;
			world->rules[i].statement_count = 1;
		}
	}
}

static void spoil_counter(struct world *world) {
	world->counters[0].name = long_text;
	rename_in_rules(world, FW_NFT_COUNTER, long_text);
}

static void spoil_limit(struct world *world) {
	world->limits[1].name = long_text;
	rename_in_rules(world, FW_NFT_LIMIT_NAMED, long_text);
}

static void spoil_chain(struct world *world) {
	world->chains[0].name = long_text;
	rename_in_rules(world, FW_NFT_JUMP, long_text);
}

static void spoil_hook(struct world *world) {
	world->chains[1].name = long_text;
}

static void spoil_rule(struct world *world, enum fw_nft_statement_kind kind, const char *text) {
	static struct fw_nft_statement statement;

	statement = (struct fw_nft_statement){.kind = kind, .text = text};
	world->rules[0].statements = &statement;
	world->rules[0].statement_count = 1;
}

static void spoil_counter_use(struct world *world) {
	spoil_rule(world, FW_NFT_COUNTER, "undeclared");
}

static void spoil_own_rule(struct world *world) {
	spoil_rule(world, FW_NFT_LIMIT_NAMED, "undeclared");
	world->rules[0].flow = NULL;
}

static void spoil_two_rules(struct world *world) {
	spoil_rule(world, FW_NFT_COUNTER, "undeclared");
	world->rules[1].statements = world->rules[0].statements;
	world->rules[1].statement_count = world->rules[0].statement_count;
}

static void spoil_jump(struct world *world) {
	spoil_rule(world, FW_NFT_JUMP, "undeclared");
}

static void spoil_log(struct world *world) {
	spoil_rule(world, FW_NFT_LOG, long_text);
}

static void spoil_nameless_set(struct world *world) {
	static const struct fw_ports upside_down[] = {{22, 21}, {30, 31}};
	static const struct fw_nft_match match = PORTS(FW_NFT_DPORT, TCP, upside_down);

	world->rules[0].matches = &match;
}

#define NO_ENTRY    ": No such file or directory"
#define NEED_OBJREF "the kernel needs CONFIG_NFT_OBJREF (module nft_objref) if it is an older one"

static const struct flaw {
	void (*spoil)(struct world *world);
	uint32_t place;
	const char *message; /* how it begins */
	const char *hint;    /* or NULL */
} flaws[] = {
	{spoil_set, SET_AT, "the running kernel cannot load the set 'hosts4': "},
	{spoil_counter, COUNTER_AT, "the running kernel cannot load the counter 'nnnn"},
	{spoil_limit, LIMIT_AT, "the running kernel cannot load the limit 'nnnn"},
	{spoil_chain, CHAIN_AT, "the running kernel cannot load the chain 'nnnn"},
	{spoil_hook, CHAIN_AT, "the running kernel cannot load the chain 'nnnn"},
	{spoil_counter_use, SERVICE_AT,
		"the running kernel cannot load a named counter or limit in the rules of service "
		"'ssh'" NO_ENTRY,
		NEED_OBJREF},
	{spoil_own_rule, SERVICE_AT,
		"the running kernel cannot load a named counter or limit in the rules of chain "
		"'input'" NO_ENTRY,
		NEED_OBJREF},
	{spoil_two_rules, SERVICE_AT,
		"the running kernel cannot load a named counter or limit in the rules of service "
		"'ssh'" NO_ENTRY,
		NEED_OBJREF},
	{spoil_jump, SERVICE_AT,
		"the running kernel cannot load the rules of service 'ssh'" NO_ENTRY},
	{spoil_log, SERVICE_AT, "the running kernel cannot load logging in the rules of service"},
	{spoil_nameless_set, SERVICE_AT,
		"the running kernel cannot load a set in the rules of service 'ssh': "},
};

/* Whatever else could not but fail along with the cause goes unmentioned: one error each. */
START_TEST(refusal_points_at_its_cause) {
	const struct flaw *flaw = &flaws[_i];
	struct fw_diags diags FW_AUTO(fw_diags_fini) = {0};
	const struct fw_diag *diag;
	struct world world;

	memset(long_text, 'n', sizeof(long_text) - 1);
	make_world(&world, 0, FW_LENGTH(rows));
	flaw->spoil(&world);
	enter_namespace();
	ck_assert(!fw_kernel_check(&world.table, &diags));
	diag = diags.list.items[0];
	ck_assert_str_eq(diag->id, "kernel-refuses");
	ck_assert_int_eq(diag->fault, FW_FAULT_SYSTEM);
	ck_assert_msg(strncmp(diag->message, flaw->message, strlen(flaw->message)) == 0, "%s",
		diag->message);
	ck_assert_pstr_eq(diag->hint, flaw->hint);
	ck_assert_ptr_eq(diag->span.source, &source);
	ck_assert_uint_eq(diag->span.start, flaw->place);
	ck_assert_msg(diags.errors == 1, "and: %s", diags.list.items[diags.errors - 1]->message);
}
END_TEST

/* ---- tests: who asks ---- */

/* In a user namespace, privileges over the network namespace it was made in are gone. */
static bool lose_permission(void) {
	return unshare(CLONE_NEWUSER) == 0;
}

/** From now on the process gets this error where it asks for a socket. */
static bool lose_sockets(int error) {
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {FW_LENGTH(filter), filter};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* What a kernel without netfilter's netlink says. */
static bool lose_netfilter(void) {
	return lose_sockets(EPROTONOSUPPORT);
}

static bool lose_descriptors(void) {
	return lose_sockets(EMFILE);
}

static bool enter_user_namespace(void) {
	return unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0;
}

static const struct asker {
	bool (*become)(void);
	const char *id; /* of the only error; NULL: the kernel answers */
	bool hint;
} askers[] = {
	{lose_permission, "kernel-permission", true},
	{lose_descriptors, "kernel-netlink", false},
	{lose_netfilter, "kernel-missing", true},
	{enter_user_namespace, NULL, false},
};

static bool is_answered_as_expected(const struct asker *asker) {
	struct fw_diags diags FW_AUTO(fw_diags_fini) = {0};
	struct world world;

	make_world(&world, 0, FW_LENGTH(rows));
	if (asker->id == NULL) {
		return fw_kernel_check(&world.table, &diags) && diags.errors == 0;
	}
	return !fw_kernel_check(&world.table, &diags) && diags.errors == 1 &&
	       strcmp(diags.list.items[0]->id, asker->id) == 0 &&
	       (diags.list.items[0]->hint != NULL) == asker->hint;
}

/* In a process of its own, which gives up what the other tests need. */
START_TEST(answer_depends_on_who_asks) {
	const struct asker *asker = &askers[_i];
	int status = 0;
	pid_t pid;

	enter_namespace();
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		_exit(asker->become() && is_answered_as_expected(asker) ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

/* ---- all of it ---- */

static Suite *make_suite(void) {
	Suite *suite = suite_create("kernel");
	TCase *forms = tcase_create("forms"), *checks = tcase_create("checks");

	tcase_add_loop_test(forms, row_is_its_text, 0, (int)FW_LENGTH(rows));
	tcase_add_test(forms, table_is_its_text);
	suite_add_tcase(suite, forms);
	tcase_set_timeout(checks, 60);
	tcase_add_test(checks, check_changes_nothing);
	tcase_add_test(checks, commit_replaces_what_was_there);
	tcase_add_test(checks, large_set_goes_in_one_batch);
	tcase_add_test(checks, large_set_goes_in_pieces);
	tcase_add_test(checks, large_set_is_too_large_once);
	tcase_add_test(checks, pieces_are_too_large_once);
	tcase_add_loop_test(checks, refusal_points_at_its_cause, 0, (int)FW_LENGTH(flaws));
	tcase_add_loop_test(checks, answer_depends_on_who_asks, 0, (int)FW_LENGTH(askers));
	suite_add_tcase(suite, checks);
	return suite;
}

int main(void) {
	return run_suite(make_suite());
}
