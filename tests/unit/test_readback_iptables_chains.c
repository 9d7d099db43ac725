// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Chains of iptables, as iptables-save prints them: random ones against a naive judge, packet by
 * packet, large ones, and such as no kernel would take.
 */

#include "readback/readback.h"

#include <stdio.h>

#include "space_model.h"

static struct fw_arena arena;
static struct fw_spaces spaces;
static struct fw_diags diags;

static const char *const names[] = {"eth*", "eth0", "eth1", "wlan*"};
static const struct fw_rb_interfaces interfaces = {names, FW_LENGTH(names)};

static void set_up(void) {
	fw_spaces_init(&spaces, NULL);
}

static void tear_down(void) {
	fw_spaces_fini(&spaces);
	fw_arena_fini(&arena);
	fw_diags_fini(&diags);
}

/* ---- reading ---- */

static struct fw_readback read_slice(
	enum fw_family family, bool file, struct fw_slice text, const char *sets) {
	struct fw_source *sources = FW_ARENA_ARRAY(&arena, struct fw_source, 2);
	struct fw_ruleset ruleset;
	struct fw_readback readback;

	sources[0] = (struct fw_source){.name = "text", .text = text};
	if (sets != NULL) {
		sources[1] = (struct fw_source){.name = "sets", .text = fw_slice(sets)};
	}
	ck_assert(fw_read_iptables(&arena, family, file, &sources[0],
		sets != NULL ? &sources[1] : NULL, &ruleset, &diags));
	ck_assert(ruleset.lower(&ruleset, &arena, &spaces, &interfaces, &readback));
	return readback;
}

static struct fw_readback read_text(enum fw_family family, const char *text) {
	return read_slice(family, true, fw_slice(text), NULL);
}

/* A rule of INPUT in front of a policy that says the contrary. */
static struct fw_readback read_rule(enum fw_family family, const char *rule) {
	return read_text(
		family, fw_arena_printf(&arena,
				"*filter\n:INPUT DROP [0:0]\n:chain - [0:0]\n:other - [0:0]\n"
				"%s\n-A chain -p tcp -j ACCEPT\n-A other -j DROP\nCOMMIT\n",
				rule));
}

static void expect_known(const struct fw_readback *readback, const char *text) {
	for (size_t i = 0; i < readback->unknown_count; i++) {
		ck_abort_msg("%s: %s is not understood", text, readback->unknowns[i].what);
	}
}

/* ---- random chains ---- */

enum { LOOPS = 200, CHAINS = 6, RULES = 40, PACKETS = 400, HOSTS = 64 };

/* A rule asks for part of 10.0.0.0/26 by source or destination, or a port, and so on. */
struct model_rule {
	unsigned source, source_length, destination,
		destination_length; /* lengths 26 to 32, 0: any */
	unsigned port;		    /* 0: any */
	char action;		    /* A, D, J, G, R or L for a log */
	unsigned chain;
};

struct model_chains {
	struct model_rule rules[CHAINS][RULES];
	size_t counts[CHAINS];
	unsigned source, destination, port; /* of a packet */
};

static unsigned some(size_t count) {
	return (unsigned)model_random(count);
}

/* Most chains are like those of trees, and some not; `calls`: of so many rules one calls a chain.
 */
static struct model_rule random_rule(unsigned chain, bool tree, unsigned calls) {
	static const char actions[] = "AADRL";
	bool call = some(calls) == 0;
	struct model_rule rule = {.action = actions[some(5)]};

	if (call && chain + 1 < CHAINS) {
		rule.action = some(3) == 0 ? 'J' : 'G';
		rule.chain = chain + 1 + some(some(2) == 0 ? 1 : CHAINS - chain - 1);
	}
	if (some(tree ? 30 : 3) != 0) {
		rule.source_length = call ? 26 + some(3) : 28 + some(5);
		rule.source = some(HOSTS);
	}
	if (some(tree ? 20 : 3) == 0) {
		rule.destination_length = 26 + some(7);
		rule.destination = some(HOSTS);
	}
	rule.port = some(call ? 12 : 4) == 0 ? 1 + some(3) : 0;
	return rule;
}

static void write_side(struct fw_buf *out, const char *option, unsigned address, unsigned length) {
	if (length != 0) {
		fw_buf_printf(out, " %s 10.0.0.%u/%u", option, address, length);
	}
}

static void write_rule(struct fw_buf *out, unsigned chain, const struct model_rule *rule) {
	static const char *const targets[] = {
		['A'] = "ACCEPT", ['D'] = "DROP", ['R'] = "RETURN", ['L'] = "LOG"};

	fw_buf_printf(out, "-A %s%u", chain == 0 ? "INPUT" : "c", chain);
	if (chain == 0) {
		out->length--; /* its number */
	}
	write_side(out, "-s", rule->source, rule->source_length);
	write_side(out, "-d", rule->destination, rule->destination_length);
	if (rule->port != 0) {
		fw_buf_printf(out, " -p tcp -m tcp --dport %u", rule->port);
	}
	if (rule->action == 'J' || rule->action == 'G') {
		fw_buf_printf(out, " -%c c%u\n", rule->action == 'J' ? 'j' : 'g', rule->chain);
	} else {
		fw_buf_printf(out, " -j %s\n", targets[(unsigned char)rule->action]);
	}
}

static void random_text(struct model_chains *model, struct fw_buf *out) {
	unsigned calls = 3 + some(30);

	fw_buf_add_text(out, "*filter\n:INPUT DROP [0:0]\n");
	for (unsigned i = 1; i < CHAINS; i++) {
		fw_buf_printf(out, ":c%u - [0:0]\n", i);
	}
	for (unsigned i = 0; i < CHAINS; i++) {
		bool tree = some(3) != 0;
		model->counts[i] = 1 + some(RULES);
		for (size_t j = 0; j < model->counts[i]; j++) {
			model->rules[i][j] = random_rule(i, tree, calls);
			write_rule(out, i, &model->rules[i][j]);
		}
	}
	fw_buf_add_text(out, "COMMIT\n");
}

static bool in_prefix(unsigned address, unsigned prefix, unsigned length) {
	return length == 0 || address >> (32 - length) == prefix >> (32 - length);
}

/* A, D, or R for back to whoever jumped. */
static char judge(const struct model_chains *model, unsigned chain) {
	for (size_t i = 0; i < model->counts[chain]; i++) {
		const struct model_rule *rule = &model->rules[chain][i];
		if (!in_prefix(model->source, rule->source, rule->source_length) ||
			!in_prefix(
				model->destination, rule->destination, rule->destination_length) ||
			(rule->port != 0 && rule->port != model->port) || rule->action == 'L') {
			continue;
		}
		if (rule->action == 'G') {
			return judge(model, rule->chain);
		}
		char verdict = rule->action == 'J' ? judge(model, rule->chain) : rule->action;
		if (verdict != 'R' || rule->action == 'R') {
			return verdict;
		}
	}
	return 'R';
}

static struct fw_point packet(const struct model_chains *model) {
	struct fw_point point = {0};

	point.values[FW_VAR_HOOK] = fw_value(FW_RB_INPUT);
	point.values[FW_VAR_IN] = fw_value(1);
	point.values[FW_VAR_FAMILY] = fw_value(FW_IPV4);
	point.values[FW_VAR_PROTOCOL] = fw_value(IPPROTO_TCP);
	point.values[FW_VAR_SOURCE] = fw_value(0x0a000000 + model->source);
	point.values[FW_VAR_DESTINATION] = fw_value(0x0a000000 + model->destination);
	point.values[FW_VAR_PORT] = fw_value(model->port);
	point.values[FW_VAR_TRACKING] = fw_value(FW_TRACKING_NEW);
	return point;
}

/* The line that decides asks for the packet's addresses, if for any. */
static void check_place(const struct fw_readback *readback, const struct fw_point *point,
	const char *text, const struct model_chains *model) {
	const struct fw_rb_decision *decision =
		fw_readback_decision(&spaces, readback, FW_RB_INPUT, point);
	unsigned address, length;

	ck_assert_ptr_nonnull(decision);
	struct fw_place place = fw_place_at(&arena, &decision->place, point);
	const char *option = strstr(text + place.span.start, " -s 10.0.0.");
	if (option != NULL && option < text + place.span.end &&
		sscanf(option, " -s 10.0.0.%u/%u", &address, &length) == 2) {
		ck_assert(in_prefix(model->source, address, length));
	}
}

START_TEST(chains_are_judged_as_packet_by_packet) {
	struct model_chains model = {0};
	struct fw_buf text FW_AUTO(fw_buf_fini) = {0};

	model_seed(_i);
	random_text(&model, &text);
	struct fw_readback readback = read_slice(FW_IPV4, false, fw_buf_slice(&text), NULL);
	expect_known(&readback, text.data);
	for (size_t i = 0; i < PACKETS; i++) {
		model.source = some(HOSTS + 2);
		model.destination = some(HOSTS + 2);
		model.port = 1 + some(4);
		struct fw_point point = packet(&model);
		bool accepted = fw_space_contains(&spaces, readback.must[FW_RB_INPUT], &point);
		ck_assert_msg(accepted == (judge(&model, 0) == 'A'),
			"from .%u to .%u port %u is %s:\n%s", model.source, model.destination,
			model.port, accepted ? "accepted" : "dropped", text.data);
		check_place(&readback, &point, text.data, &model);
	}
}
END_TEST

/* ---- large and hostile ---- */

enum { MEMBERS = 20000, DEEP = 5000, ADDRESSES = 3000 };

/* A tree of chains by 8 bits each, with a rule for each member at the bottom. */
static void write_tree(struct fw_buf *out) {
	fw_buf_add_text(out, "*filter\n:INPUT DROP [0:0]\n:top - [0:0]\n-A INPUT -j top\n");
	for (unsigned i = 0; i < MEMBERS; i++) {
		if (i % 256 == 0) {
			fw_buf_printf(out, ":c%u - [0:0]\n-A top -s 10.0.%u.0/24 -g c%u\n", i / 256,
				i / 256, i / 256);
		}
		fw_buf_printf(out, "-A c%u -s 10.0.%u.%u/32 -p tcp -m tcp --dport %u -j ACCEPT\n",
			i / 256, i / 256, i % 256, 8000 + i % 7);
	}
	fw_buf_add_text(out, "COMMIT\n");
}

START_TEST(trees_of_many_members_are_cheap) {
	struct fw_buf text FW_AUTO(fw_buf_fini) = {0};

	write_tree(&text);
	struct fw_readback readback = read_slice(FW_IPV4, false, fw_buf_slice(&text), NULL);
	expect_known(&readback, "a tree");
	ck_assert_uint_lt(readback.decision_count, 16);
	ck_assert_uint_lt(spaces.steps, 100 * MEMBERS);
	struct model_chains model = {.source = 5 * 256 + 9, .port = 8000 + (5 * 256 + 9) % 7};
	struct fw_point point = packet(&model);
	ck_assert(fw_space_contains(&spaces, readback.must[FW_RB_INPUT], &point));
	const struct fw_rb_decision *decision =
		fw_readback_decision(&spaces, &readback, FW_RB_INPUT, &point);
	struct fw_place place = fw_place_at(&arena, &decision->place, &point);
	ck_assert(strncmp(text.data + place.span.start, "-A c5 -s 10.0.5.9/32 ", 21) == 0);
	point.values[FW_VAR_PORT].low++;
	ck_assert(!fw_space_contains(&spaces, readback.may[FW_RB_INPUT], &point));
}
END_TEST

/* What is looked at for a part that is too small to be made one rule is looked at again. */
START_TEST(small_parts_of_trees_leave_them_whole) {
	struct fw_buf text FW_AUTO(fw_buf_fini) = {0};
	struct model_chains model = {0};

	fw_buf_add_text(&text, "*filter\n:INPUT DROP [0:0]\n:c1 - [0:0]\n:c2 - [0:0]\n");
	for (unsigned i = 0; i < HOSTS; i++) {
		fw_buf_printf(
			&text, "-A c2 -s 10.0.0.%u/32 -j %s\n", i, i % 2 == 0 ? "ACCEPT" : "DROP");
	}
	for (unsigned i = 0; i < HOSTS; i++) {
		fw_buf_printf(
			&text, "-A c1 -s 10.0.1.%u/32 -j %s\n", i, i % 2 == 0 ? "DROP" : "ACCEPT");
	}
	fw_buf_printf(&text,
		"-A c1 -s 10.0.0.0/26%s -g c2\n-A INPUT -s 10.0.0.0/30 -g c1\nCOMMIT\n",
		_i == 0 ? "" : " -p tcp -m tcp --dport 1");
	struct fw_readback readback = read_slice(FW_IPV4, false, fw_buf_slice(&text), NULL);
	for (model.source = 0; model.source < HOSTS; model.source++) {
		struct fw_point point = packet(&model);
		ck_assert(fw_space_contains(&spaces, readback.must[FW_RB_INPUT], &point) ==
			  (_i == 0 && model.source < 4 && model.source % 2 == 0));
	}
}
END_TEST

/* nf_tables would not take them; the older kernel's own tables do. */
START_TEST(chains_may_be_deep) {
	enum { CALLS = 200 };
	struct fw_buf text FW_AUTO(fw_buf_fini) = {0};

	fw_buf_printf(&text, "*filter\n:INPUT DROP [0:0]\n:c%u - [0:0]\n-A c%u -j ACCEPT\n", CALLS,
		CALLS);
	for (unsigned i = CALLS; i-- > 0;) {
		fw_buf_printf(&text, ":c%u - [0:0]\n-A c%u -p tcp -j c%u\n-A c%u -j DROP\n", i, i,
			i + 1, i);
	}
	fw_buf_add_text(&text, "-A INPUT -j c0\nCOMMIT\n");
	struct fw_readback deep = read_slice(FW_IPV4, false, fw_buf_slice(&text), NULL);
	struct fw_readback flat = read_rule(FW_IPV4, "-A INPUT -p tcp -j ACCEPT");
	expect_known(&deep, "deep chains");
	ck_assert(deep.must[FW_RB_INPUT] == flat.must[FW_RB_INPUT]);
}
END_TEST

/* The kernel allows no such depth; a tree of gotos at the end of chains needs none here. */
START_TEST(deep_chains_do_no_harm) {
	struct fw_buf text FW_AUTO(fw_buf_fini) = {0};

	fw_buf_printf(
		&text, "*filter\n:INPUT DROP [0:0]\n:c%u - [0:0]\n-A c%u -j ACCEPT\n", DEEP, DEEP);
	for (unsigned i = DEEP; i-- > 0;) {
		fw_buf_printf(&text, ":c%u - [0:0]\n-A c%u -s 10.0.0.0/8 %s c%u\n", i, i,
			_i == 0 ? "-g" : "-p tcp -j", i + 1);
	}
	fw_buf_add_text(&text, "-A INPUT -j c0\nCOMMIT\n");
	struct fw_readback readback = read_slice(FW_IPV4, false, fw_buf_slice(&text), NULL);
	ck_assert_uint_ge(readback.unknown_count, 1);
}
END_TEST

START_TEST(chains_in_circles_do_no_harm) {
	static const char *const circles[] = {
		("-A INPUT -s 10.0.0.0/8 -g chain\n-A chain -s 10.0.0.0/8 -g other\n"
		 "-A other -s 10.0.0.0/8 -g chain"),
		"-A INPUT -j chain\n-A chain -j other\n-A other -j chain",
		"-A INPUT -s 10.0.0.0/8 -j chain\n-A chain -s 10.0.0.0/8 -j chain",
	};

	for (size_t i = 0; i < FW_LENGTH(circles); i++) {
		struct fw_readback readback = read_rule(FW_IPV4, circles[i]);
		ck_assert_uint_ge(readback.unknown_count, 1);
	}
}
END_TEST

START_TEST(lists_that_multiply_end) {
	struct fw_buf list FW_AUTO(fw_buf_fini) = {0};
	struct fw_buf text FW_AUTO(fw_buf_fini) = {0};

	for (unsigned i = 0; i < ADDRESSES; i++) {
		fw_buf_printf(&list, "%s10.0.%u.%u", i == 0 ? "" : ",", i / 256, i % 256);
	}
	fw_buf_printf(
		&text, "*filter\n-A INPUT -s %s -d %s -j DROP\nCOMMIT\n", list.data, list.data);
	struct fw_source source = {.name = "text", .text = fw_buf_slice(&text)};
	struct fw_ruleset ruleset;
	ck_assert(!fw_read_iptables(&arena, FW_IPV4, false, &source, NULL, &ruleset, &diags));
	ck_assert_uint_eq(diags.errors, 1);
	ck_assert_str_eq(diags.list.items[0]->id, "rule-set-too-large");
}
END_TEST

/* Words with quotes in them have to be put together, each for itself. */
START_TEST(long_lines_cost_what_they_are_long) {
	enum { WORDS = 100000 };
	struct fw_buf text FW_AUTO(fw_buf_fini) = {0};

	fw_buf_add_text(&text, "*filter\n:INPUT DROP [0:0]\n-A INPUT");
	for (unsigned i = 0; i < WORDS; i++) {
		fw_buf_add_text(&text, _i == 0 ? " -\"4\"" : " -m \"t\\cp\"");
	}
	fw_buf_add_text(&text, " -j ACCEPT\nCOMMIT\n");
	struct fw_readback readback = read_slice(FW_IPV4, false, fw_buf_slice(&text), NULL);
	ck_assert_uint_eq(readback.unknown_count, _i);
	ck_assert(_i == 0 || strcmp(readback.unknowns[0].what, "too many matches") == 0);
}
END_TEST

/* Each rule is perhaps one more that matches: so many are not told apart. */
START_TEST(many_doubts_are_cheap) {
	enum { DOUBTS = 20000 };
	struct fw_buf text FW_AUTO(fw_buf_fini) = {0};

	fw_buf_add_text(&text, "*filter\n:INPUT DROP [0:0]\n");
	for (unsigned i = 0; i < DOUBTS; i++) {
		fw_buf_printf(&text, "-A INPUT -s 10.%u.%u.%u/32 -m mark --mark %u -j %s\n",
			i / 65536, i / 256 % 256, i % 256, i, i % 2 == 0 ? "ACCEPT" : "DROP");
	}
	fw_buf_add_text(&text, "COMMIT\n");
	struct fw_readback readback = read_slice(FW_IPV4, false, fw_buf_slice(&text), NULL);
	ck_assert_uint_gt(readback.unknown_count, 100);
	ck_assert_uint_lt(spaces.steps, 200 * DOUBTS);
}
END_TEST

int main(void) {
	Suite *suite = suite_create("readback: chains of iptables");
	TCase *chains = tcase_create("chains");

	tcase_add_checked_fixture(chains, set_up, tear_down);
	tcase_set_timeout(chains, 60);
	tcase_add_loop_test(chains, chains_are_judged_as_packet_by_packet, 0, LOOPS);
	tcase_add_test(chains, trees_of_many_members_are_cheap);
	tcase_add_loop_test(chains, small_parts_of_trees_leave_them_whole, 0, 2);
	tcase_add_test(chains, chains_may_be_deep);
	tcase_add_loop_test(chains, deep_chains_do_no_harm, 0, 2);
	tcase_add_test(chains, chains_in_circles_do_no_harm);
	tcase_add_test(chains, lists_that_multiply_end);
	tcase_add_loop_test(chains, long_lines_cost_what_they_are_long, 0, 2);
	tcase_add_test(chains, many_doubts_are_cheap);
	suite_add_tcase(suite, chains);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
