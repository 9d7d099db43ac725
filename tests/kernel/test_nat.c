// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The dry run of tables that translate: they are literals here, beside the text that says the same.
 */

#include "machine.h"

enum { SERVICE_AT = 10, MAP_AT = 20, CHAIN_AT = 50, TCP = 6, UDP = 17 };

/* ---- what tables are made of ---- */

#define TO4(outside, low)                                                                          \
	{                                                                                          \
		.family = FW_IPV4, .outside_port = (outside), .address = { 0, (low) }              \
	}
#define TO6(outside, last)                                                                         \
	{                                                                                          \
		.family = FW_IPV6, .outside_port = (outside), .address = {                         \
			DOCUMENTATION6,                                                            \
			(last)                                                                     \
		}                                                                                  \
	}

static const struct fw_forwarding to4[] = {TO4(18088, 0x0a080011), TO4(18089, 0x0a080012)};
static const struct fw_forwarding to6[] = {TO6(18088, 0x11), TO6(65535, 0x12)};

static const struct fw_nft_set api4 = {.name = "api4",
	.family = FW_IPV4,
	.key = FW_NFT_PORT_TO_ADDR,
	.size = 1024,
	.forwardings = to4,
	.count = FW_LENGTH(to4),
	.span = AT(MAP_AT)};
static const struct fw_nft_set api6 = {.name = "api6",
	.family = FW_IPV6,
	.key = FW_NFT_PORT_TO_ADDR,
	.forwardings = to6,
	.count = FW_LENGTH(to6),
	.span = AT(MAP_AT)};

static const struct fw_endpoint outside4[] = {
	{.range = RANGE4(0xc6336407, 0xc6336407)},
	{.range = RANGE4(0xc6336408, 0xc6336408)},
};
static const struct fw_nft_set addresses4 = {.name = "addresses4",
	.family = FW_IPV4,
	.key = FW_NFT_ADDR,
	.endpoints = outside4,
	.count = FW_LENGTH(outside4),
	.span = AT(MAP_AT)};

static const char declarations4[] =
	"map api4 { type inet_service : ipv4_addr; size 1024; elements = {"
	" 18088 : 10.8.0.17, 18089 : 10.8.0.18 } }\n"
	"set addresses4 { type ipv4_addr; elements = { 198.51.100.7, 198.51.100.8 } }\n";
static const char declarations6[] = "map api6 { type inet_service : ipv6_addr; elements = {"
				    " 18088 : 2001:db8::11, 65535 : 2001:db8::12 } }\n";

/* ---- rules and their text ---- */

static const char *const two_names[] = {"eth0", "wg0"};

#define ENTRY                                                                                      \
	{ .kind = FW_NFT_IIFNAME, .names = two_names, .count = 2 }
#define EXIT                                                                                       \
	{ .kind = FW_NFT_OIFNAME, .names = two_names, .count = 1 }
#define TRANSLATED4                                                                                \
	{ .kind = FW_NFT_CT_DNAT, .family = FW_IPV4, .range = RANGE4(0xc6336407, 0xc6336407) }
#define TRANSLATED6                                                                                \
	{ .kind = FW_NFT_CT_DNAT, .family = FW_IPV6, .range = RANGE6(7, 7) }
#define RANGE6(low, high)                                                                          \
	{ {DOCUMENTATION6, (low)}, {DOCUMENTATION6, (high)}, FW_IPV6 }

static const struct row {
	enum fw_family family;
	enum fw_nft_nat hook;
	const char *text;
	struct fw_nft_match matches[3];
	struct fw_nft_statement statement;
} rows[] = {
	{FW_IPV4, FW_NFT_PREROUTING,
		"iifname { \"eth0\", \"wg0\" } ip daddr 198.51.100.7 dnat to tcp dport map "
		"@api4:8088",
		{ENTRY, {.kind = FW_NFT_DADDR,
				.family = FW_IPV4,
				.range = RANGE4(0xc6336407, 0xc6336407)}},
		{.kind = FW_NFT_DNAT,
			.family = FW_IPV4,
			.protocol = TCP,
			.set = &api4,
			.port = 8088}},
	{FW_IPV4, FW_NFT_PREROUTING, "ip daddr @addresses4 dnat to udp dport map @api4:1",
		{{.kind = FW_NFT_DADDR, .family = FW_IPV4, .set = &addresses4}},
		{.kind = FW_NFT_DNAT, .family = FW_IPV4, .protocol = UDP, .set = &api4, .port = 1}},
	{FW_IPV6, FW_NFT_PREROUTING, "ip6 daddr 2001:db8::7 dnat to tcp dport map @api6:65535",
		{{.kind = FW_NFT_DADDR, .family = FW_IPV6, .range = RANGE6(7, 7)}},
		{.kind = FW_NFT_DNAT,
			.family = FW_IPV6,
			.protocol = TCP,
			.set = &api6,
			.port = 65535}},
	{FW_IPV4, FW_NFT_POSTROUTING,
		"ct status dnat ct original ip daddr 198.51.100.7 ip saddr 10.8.0.0/24 "
		"snat to 10.8.0.1",
		{TRANSLATED4, {.kind = FW_NFT_SADDR,
				      .family = FW_IPV4,
				      .range = RANGE4(0x0a080000, 0x0a0800ff)}},
		{.kind = FW_NFT_SNAT, .family = FW_IPV4, .address = {0, 0x0a080001}}},
	{FW_IPV6, FW_NFT_POSTROUTING,
		"ct status dnat ct original ip6 daddr 2001:db8::7 ip6 saddr 2001:db8::/64 "
		"snat to 2001:db8::1",
		{TRANSLATED6,
			{.kind = FW_NFT_SADDR, .family = FW_IPV6, .range = RANGE6(0, UINT64_MAX)}},
		{.kind = FW_NFT_SNAT, .family = FW_IPV6, .address = {DOCUMENTATION6, 1}}},
	{FW_IPV4, FW_NFT_POSTROUTING, "oifname \"eth0\" ip saddr @addresses4 masquerade",
		{EXIT, {.kind = FW_NFT_SADDR, .family = FW_IPV4, .set = &addresses4}},
		{.kind = FW_NFT_MASQUERADE, .family = FW_IPV4}},
};

static const char *const table_heads[FW_FAMILY_COUNT] = {
	[FW_IPV4] = "table ip flowfw_nat",
	[FW_IPV6] = "table ip6 flowfw_nat",
};
static const struct {
	const char *name, *priority;
} hooks[FW_NFT_NAT_COUNT] = {
	[FW_NFT_PREROUTING] = {"prerouting", "-100"},
	[FW_NFT_POSTROUTING] = {"postrouting", "100"},
};

/** The chains and the tables round some rules. */
struct world {
	struct fw_nft_rule rules[FW_FAMILY_COUNT][FW_NFT_NAT_COUNT][FW_LENGTH(rows)];
	struct fw_nft_chain chains[FW_FAMILY_COUNT][FW_NFT_NAT_COUNT - 1];
	const struct fw_nft_set *sets4[2], *sets6[1];
	struct fw_nft_table nat[FW_FAMILY_COUNT], table;
};

static void add_row(struct world *world, const struct row *row) {
	struct fw_nft_chain *chain = &world->chains[row->family][row->hook - FW_NFT_PREROUTING];
	struct fw_nft_rule *rule = &world->rules[row->family][row->hook][chain->rule_count++];

	*rule = (struct fw_nft_rule){.matches = row->matches,
		.statements = &row->statement,
		.statement_count = 1,
		.comment = "rest-api",
		.span = AT(SERVICE_AT)};
	while (rule->match_count < FW_LENGTH(row->matches) &&
		row->matches[rule->match_count].kind != FW_NFT_MATCH_NONE) {
		rule->match_count++;
	}
}

/** Both tables with both chains, and the rows from `first` on. */
static void make_world(struct world *world, size_t first, size_t count) {
	*world = (struct world){
		.sets4 = {&api4, &addresses4}, .sets6 = {&api6}, .table.name = FW_NFT_TABLE};
	for (int family = FW_IPV4; family < FW_FAMILY_COUNT; family++) {
		for (int hook = FW_NFT_PREROUTING; hook < FW_NFT_NAT_COUNT; hook++) {
			world->chains[family][hook - FW_NFT_PREROUTING] =
				(struct fw_nft_chain){.name = hooks[hook].name,
					.nat = (enum fw_nft_nat)hook,
					.accept = true,
					.span = AT(CHAIN_AT),
					.rules = world->rules[family][hook]};
		}
		world->nat[family] = (struct fw_nft_table){.family = (enum fw_family)family,
			.name = FW_NFT_NAT_TABLE,
			.sets = family == FW_IPV4 ? world->sets4 : world->sets6,
			.set_count = family == FW_IPV4 ? 2 : 1,
			.chains = world->chains[family],
			.chain_count = FW_NFT_NAT_COUNT - 1};
		world->table.nat[family] = &world->nat[family];
	}
	for (size_t i = first; i < first + count; i++) {
		add_row(world, &rows[i]);
	}
}

static void write_chain(struct fw_buf *out, enum fw_family family, enum fw_nft_nat hook,
	size_t first, size_t count) {
	fw_buf_printf(out, "chain %s { type nat hook %s priority %s; policy accept;\n",
		hooks[hook].name, hooks[hook].name, hooks[hook].priority);
	for (size_t i = first; i < first + count; i++) {
		if (rows[i].family == family && rows[i].hook == hook) {
			fw_buf_printf(out, "%s comment \"rest-api\"\n", rows[i].text);
		}
	}
	fw_buf_add_text(out, "}\n");
}

static void write_text(struct fw_buf *out, size_t first, size_t count) {
	fw_buf_add_text(out, "table inet flowfw { }\n");
	for (int i = FW_IPV4; i < FW_FAMILY_COUNT; i++) {
		enum fw_family family = (enum fw_family)i;

		fw_buf_printf(out, "%s {\n%s", table_heads[family],
			family == FW_IPV4 ? declarations4 : declarations6);
		write_chain(out, family, FW_NFT_PREROUTING, first, count);
		write_chain(out, family, FW_NFT_POSTROUTING, first, count);
		fw_buf_add_text(out, "}\n");
	}
}

/* ---- tests ---- */

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

START_TEST(tables_are_their_text) {
	compare_forms(0, FW_LENGTH(rows));
}
END_TEST

/* A gateway that has become a host keeps nothing of what it was. */
START_TEST(what_is_not_translated_any_more_is_gone) {
	struct fw_buf host FW_AUTO(fw_buf_fini) = {0}, after FW_AUTO(fw_buf_fini) = {0};
	struct fw_diags diags FW_AUTO(fw_diags_fini) = {0};
	static const struct fw_nft_table none = {.name = FW_NFT_TABLE};
	struct world world;

	list_committed(&none, &host);
	make_world(&world, 0, FW_LENGTH(rows));
	expect_success(run(&world.table, true, &diags), &diags);
	expect_success(run(&none, true, &diags), &diags);
	list_rules(&after);
	ck_assert_str_eq(after.data, host.data);
}
END_TEST

START_TEST(check_changes_nothing) {
	struct fw_buf before FW_AUTO(fw_buf_fini) = {0}, after FW_AUTO(fw_buf_fini) = {0};
	struct fw_diags diags FW_AUTO(fw_diags_fini) = {0};
	struct world world;

	make_world(&world, 0, FW_LENGTH(rows));
	enter_namespace();
	load_text("table ip flowfw_nat {\nmap api4 { type inet_service : verdict; }\n"
		  "chain prerouting { type filter hook input priority 0; }\n}\n");
	list_rules(&before);
	expect_success(fw_kernel_check(&world.table, &diags), &diags);
	list_rules(&after);
	ck_assert_str_eq(after.data, before.data);
}
END_TEST

/* In pieces each batch begins anew, with all tables. */
START_TEST(tables_go_in_pieces) {
	enum { MANY = 50000 };
	struct fw_forwarding *many = fw_alloc(MANY * sizeof(*many));
	struct fw_nft_set large = api4;
	struct fw_netlink netlink FW_AUTO(fw_netlink_close) = {0};
	struct fw_diags diags FW_AUTO(fw_diags_fini) = {0};
	struct world world;

	for (size_t i = 0; i < MANY; i++) {
		many[i] = (struct fw_forwarding)TO4((uint16_t)(i + 1), 0x0a080000 + i);
	}
	large.forwardings = many;
	large.count = MANY;
	large.size = MANY;
	make_world(&world, 0, FW_LENGTH(rows));
	world.sets4[0] = &large;
	enter_namespace();
	ck_assert(fw_netlink_open(&netlink, &diags));
	netlink.limit = 256 * 1024;
	expect_success(fw_kernel_run(&world.table, &netlink, false, &diags), &diags);
	free(many);
}
END_TEST

/* ---- tests: refusals ---- */

/** Longer than any name may be. */
static char long_text[300];

static void spoil_map(struct world *world) {
	static const struct fw_nft_set small = {.name = "api4",
		.family = FW_IPV4,
		.key = FW_NFT_PORT_TO_ADDR,
		.size = 1,
		.forwardings = to4,
		.count = FW_LENGTH(to4),
		.span = AT(MAP_AT)};

	world->sets4[0] = &small;
}

static void spoil_chain(struct world *world) {
	world->chains[FW_IPV6][0].name = long_text;
}

/* Another family's address: the kernel refuses the expression that translates. */
static void spoil_address(struct world *world) {
	static const struct fw_nft_statement other = {
		.kind = FW_NFT_SNAT, .family = FW_IPV6, .address = {DOCUMENTATION6, 1}};

	world->rules[FW_IPV4][FW_NFT_POSTROUTING][0].statements = &other;
}

/* A map of the other table. */
static void spoil_lookup(struct world *world) {
	world->rules[FW_IPV4][FW_NFT_PREROUTING][0].statements = &rows[2].statement;
}

static const struct flaw {
	void (*spoil)(struct world *world);
	uint32_t place;
	const char *message; /* how it begins */
} flaws[] = {
	{spoil_map, MAP_AT, "the running kernel cannot load the set 'api4': "},
	{spoil_chain, CHAIN_AT, "the running kernel cannot load the chain 'nnnn"},
	{spoil_address, SERVICE_AT,
		"the running kernel cannot load a translation in the rules of chain 'postrouting'"},
	{spoil_lookup, SERVICE_AT,
		"the running kernel cannot load the rules of chain 'prerouting'"},
};

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
	ck_assert_msg(strncmp(diag->message, flaw->message, strlen(flaw->message)) == 0, "%s",
		diag->message);
	ck_assert_uint_eq(diag->span.start, flaw->place);
	ck_assert_msg(diags.errors == 1, "and: %s", diags.list.items[diags.errors - 1]->message);
}
END_TEST

/* ---- all of it ---- */

static Suite *make_suite(void) {
	Suite *suite = suite_create("nat");
	TCase *tests = tcase_create("translations");

	tcase_set_timeout(tests, 60);
	tcase_add_loop_test(tests, row_is_its_text, 0, (int)FW_LENGTH(rows));
	tcase_add_test(tests, tables_are_their_text);
	tcase_add_test(tests, what_is_not_translated_any_more_is_gone);
	tcase_add_test(tests, check_changes_nothing);
	tcase_add_test(tests, tables_go_in_pieces);
	tcase_add_loop_test(tests, refusal_points_at_its_cause, 0, (int)FW_LENGTH(flaws));
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void) {
	return run_suite(make_suite());
}
