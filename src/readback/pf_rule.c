// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Rules of a pf.conf: pass, block, match, anchors with their rules in braces, antispoof, and
 * FreeBSD's nat and rdr.
 */

#include "readback/pf.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum {
	DEPTH_MAX = 64,	   /* of anchors; pf's own limit */
	SINGLE_MAX = 1024, /* rules with bounds, each of which is told apart all the way */
};

static void *keep(struct fw_pfr_parser *parser, const void *items, size_t count, size_t size) {
	void *copy = fw_arena_array(parser->arena, count, size);

	if (count != 0) {
		memcpy(copy, items, count * size);
	}
	return copy;
}

/* ---- what rules ask for ---- */

static bool read_direction(struct fw_pfr_parser *parser, struct fw_pfr_rule *rule) {
	if (fw_pfr_accept(parser, "in")) {
		rule->direction = FW_PFR_IN;
	} else if (fw_pfr_accept(parser, "out")) {
		rule->direction = FW_PFR_OUT;
	}
	return !parser->failed;
}

static bool read_log(struct fw_pfr_parser *parser) {
	if (!fw_pfr_accept(parser, "log")) {
		return true;
	}
	if (fw_pfr_accept(parser, "(")) {
		while (!parser->failed && !fw_pfr_accept(parser, ")")) {
			struct fw_slice word;
			fw_pfr_text(parser, "option of a log", &word);
			fw_pfr_accept(parser, ",");
		}
	}
	return !parser->failed;
}

static bool read_log_quick(struct fw_pfr_parser *parser, struct fw_pfr_rule *rule) {
	rule->quick = fw_pfr_accept(parser, "quick");
	read_log(parser);
	rule->quick = fw_pfr_accept(parser, "quick") || rule->quick;
	return !parser->failed;
}

static void read_family(struct fw_pfr_parser *parser, struct fw_pfr_rule *rule) {
	if (fw_pfr_accept(parser, "inet")) {
		rule->family = FW_IPV4;
	} else if (fw_pfr_accept(parser, "inet6")) {
		rule->family = FW_IPV6;
	}
}

static bool read_sides(struct fw_pfr_parser *parser, struct fw_pfr_rule *rule) {
	if (fw_pfr_accept(parser, "all")) {
		return true;
	}
	if (fw_pfr_accept(parser, "from") && !fw_pfr_side(parser, &rule->source)) {
		return false;
	}
	if (fw_pfr_at(parser, "os")) {
		return fw_pfr_fail(parser, "a match by operating system");
	}
	if (fw_pfr_accept(parser, "to") && !fw_pfr_side(parser, &rule->destination)) {
		return false;
	}
	return !parser->failed;
}

/* on, the family, proto, from and to, in this order. */
static bool read_criteria(struct fw_pfr_parser *parser, struct fw_pfr_rule *rule) {
	static const char *const routes[] = {"route-to", "reply-to", "dup-to", "fastroute"};

	if (fw_pfr_accept(parser, "on") && !fw_pfr_interfaces(parser, rule)) {
		return false;
	}
	for (size_t i = 0; i < FW_LENGTH(routes); i++) {
		if (fw_pfr_at(parser, routes[i])) {
			return fw_pfr_fail(parser, "a rule that chooses a route");
		}
	}
	read_family(parser, rule);
	if (fw_pfr_accept(parser, "proto") && !fw_pfr_protocols(parser, rule)) {
		return false;
	}
	return read_sides(parser, rule);
}

/* ---- options behind from and to ---- */

static bool read_tag(struct fw_pfr_parser *parser, uint8_t *out_tag) {
	struct fw_slice name;

	if (!fw_pfr_text(parser, "tag", &name)) {
		return false;
	}
	if (memchr(name.data, '$', name.length) != NULL) {
		return fw_pfr_fail(parser, "a macro in a tag");
	}
	return fw_pfr_tag_number(parser, name, out_tag);
}

static bool read_tagged(struct fw_pfr_parser *parser, struct fw_pfr_rule *rule, bool negated) {
	rule->not_tagged = negated;
	return read_tag(parser, &rule->tagged);
}

static bool read_received_on(struct fw_pfr_parser *parser, struct fw_pfr_rule *rule, bool negated) {
	struct fw_pfr_interface *one = FW_ARENA_NEW(parser->arena, struct fw_pfr_interface);

	if (!fw_pfr_interface(parser, one)) {
		return false;
	}
	one->negated = negated;
	rule->received_on = one;
	return true;
}

/* `set prio 5`, `set (prio 5, tos 3)`, `scrub (no-df)`, `queue std`, `label "x"`: no verdicts. But
 * neighbours tell each other by a hop limit of 255. */
static bool skip_argument(struct fw_pfr_parser *parser, const struct fw_pfr_rule *rule) {
	if (fw_pfr_accept(parser, "(")) {
		while (!parser->failed && !fw_pfr_accept(parser, ")")) {
			if (fw_pfr_at_end(parser)) {
				return fw_pfr_fail(parser, "a parenthesis without an end");
			}
			if (fw_pfr_at(parser, "min-ttl") && rule->direction != FW_PFR_OUT) {
				fw_pfr_unknown(&parser->notes, parser->place, fw_pfr_hops_raised);
			}
			fw_pfr_advance(parser);
		}
		return !parser->failed;
	}
	if (fw_pfr_at_end(parser)) {
		return fw_pfr_fail(parser, "an option without its argument");
	}
	fw_pfr_advance(parser);
	return !parser->failed;
}

static bool read_set(struct fw_pfr_parser *parser, const struct fw_pfr_rule *rule) {
	if (fw_pfr_at(parser, "(")) {
		return skip_argument(parser, rule);
	}
	bool known = fw_pfr_accept(parser, "prio") || fw_pfr_accept(parser, "tos") ||
		     fw_pfr_accept(parser, "queue");
	if (!known) {
		return fw_pfr_fail_at(parser, "what a rule sets");
	}
	return skip_argument(parser, rule);
}

static bool read_option(struct fw_pfr_parser *parser, struct fw_pfr_rule *rule) {
	bool openbsd = parser->dialect == FW_RB_OPENBSD;
	bool negated = fw_pfr_accept(parser, "!");

	if (fw_pfr_accept(parser, "tagged")) {
		return read_tagged(parser, rule, negated);
	}
	if (openbsd && fw_pfr_accept(parser, "received-on")) {
		return read_received_on(parser, rule, negated);
	}
	if (negated) {
		return fw_pfr_fail_at(parser, "the negation of");
	}
	if (fw_pfr_accept(parser, "flags")) {
		rule->has_flags = true;
		return fw_pfr_flags(parser, rule);
	}
	if (fw_pfr_accept(parser, "icmp-type")) {
		return fw_pfr_types(parser, FW_IPV4, rule);
	}
	if (fw_pfr_accept(parser, "icmp6-type")) {
		return fw_pfr_types(parser, FW_IPV6, rule);
	}
	if (fw_pfr_accept(parser, "no")) {
		return fw_pfr_state(parser, rule, false);
	}
	if (fw_pfr_accept(parser, "keep") || fw_pfr_accept(parser, "modulate") ||
		fw_pfr_accept(parser, "synproxy")) {
		return fw_pfr_state(parser, rule, true);
	}
	if (fw_pfr_accept(parser, "tag")) {
		return read_tag(parser, &rule->tag);
	}
	if (fw_pfr_accept(parser, "allow-opts")) {
		rule->without_opts = false;
		return true;
	}
	if (fw_pfr_accept(parser, "fragment")) {
		rule->never = true;
		return true;
	}
	if (openbsd && fw_pfr_accept(parser, "max-pkt-rate")) {
		return fw_pfr_packet_rate(parser, rule);
	}
	if (openbsd && (fw_pfr_at(parser, "nat-to") || fw_pfr_at(parser, "rdr-to") ||
			       fw_pfr_at(parser, "binat-to"))) {
		bool source = !fw_pfr_at(parser, "rdr-to");
		rule->both_ways = fw_pfr_at(parser, "binat-to");
		fw_pfr_advance(parser);
		return fw_pfr_redirect(parser, rule, source);
	}
	if (fw_pfr_accept(parser, "set")) {
		return read_set(parser, rule);
	}
	if (fw_pfr_accept(parser, "label") || fw_pfr_accept(parser, "ridentifier") ||
		fw_pfr_accept(parser, "queue") || fw_pfr_accept(parser, "scrub")) {
		return skip_argument(parser, rule);
	}
	return fw_pfr_fail_at(parser, "the option");
}

static bool read_options(struct fw_pfr_parser *parser, struct fw_pfr_rule *rule) {
	while (!fw_pfr_at_end(parser) && !fw_pfr_at(parser, "{")) {
		if (!read_option(parser, rule)) {
			return false;
		}
	}
	return !parser->failed;
}

/* ---- what pfctl makes of a rule ---- */

static bool has_ports(const struct fw_pfr_rule *rule) {
	return rule->source.has_ports || rule->destination.has_ports;
}

static bool is_among(const struct fw_pfr_rule *rule, uint8_t protocol) {
	for (size_t i = 0; i < rule->protocol_count; i++) {
		if (rule->protocols[i] == protocol) {
			return true;
		}
	}
	return false;
}

/* Whether each protocol of a rule can have what the rule asks for; pfctl refuses the others. */
static bool check_protocols(struct fw_pfr_parser *parser, const struct fw_pfr_rule *rule) {
	size_t with_ports = is_among(rule, IPPROTO_TCP) + (size_t)is_among(rule, IPPROTO_UDP);

	if (has_ports(rule) && (with_ports == 0 || with_ports < rule->protocol_count)) {
		return fw_pfr_fail(parser, "ports of what is neither TCP nor UDP");
	}
	for (size_t i = 0; i < rule->type_count; i++) {
		if (rule->protocol_count != 1 || rule->protocols[0] != rule->types[i].protocol) {
			return fw_pfr_fail(
				parser, "a type of ICMP in a rule about other protocols");
		}
	}
	return true;
}

/* Whether it may match what comes with IP options: fw_pfr_membership says what that is. */
static bool is_about_membership(const struct fw_pfr_rule *rule) {
	return rule->protocol_count == 0 || is_among(rule, IPPROTO_IGMP) ||
	       is_among(rule, IPPROTO_ICMPV6);
}

static void state_by_default(struct fw_pfr_parser *parser, struct fw_pfr_rule *rule) {
	if (rule->action == FW_PFR_PASS && !rule->has_state) {
		struct fw_pfr_bounds bounds = {0};
		rule->keeps = true;
		rule->sloppy = parser->defaults.sloppy;
		if (parser->defaults.bounds != NULL) {
			bounds = *parser->defaults.bounds;
		}
		if (rule->bounds != NULL) {
			bounds.packets = rule->bounds->packets;
		}
		fw_pfr_set_bounds(parser, rule, &bounds);
	}
	if (rule->action == FW_PFR_PASS && rule->keeps && !rule->has_flags) {
		rule->flags = 1 << 1;
		rule->flags_of = 1 << 1 | 1 << 4;
	}
}

/* A translation takes effect in one direction alone, and with a state. */
static bool check_redirects(struct fw_pfr_parser *parser, const struct fw_pfr_rule *rule) {
	if (rule->nat == NULL && rule->rdr == NULL) {
		return true;
	}
	if ((rule->nat != NULL && rule->rdr != NULL) || rule->action == FW_PFR_ANCHOR ||
		rule->action == FW_PFR_BLOCK) {
		return fw_pfr_fail(parser, "a translation in such a rule");
	}
	if (rule->action == FW_PFR_PASS && !rule->keeps) {
		return fw_pfr_fail(parser, "a translation without a state");
	}
	if (rule->direction != (rule->nat != NULL ? FW_PFR_OUT : FW_PFR_IN)) {
		return fw_pfr_fail(parser, "a translation in that direction");
	}
	if (rule->rdr != NULL && rule->rdr->port != 0 && rule->protocol_count == 0) {
		return fw_pfr_fail(parser, "a port of what is neither TCP nor UDP");
	}
	return true;
}

/* One address for one other, whose packets change neither port: a rule for those that go out, and
 * one for those that come in. */
static bool part_ways(
	struct fw_pfr_parser *parser, const struct fw_pfr_rule *rule, struct fw_pfr_rule out[2]) {
	const struct fw_pfr_side *source = &rule->source;
	struct fw_pfr_target *targets = FW_ARENA_ARRAY(parser->arena, struct fw_pfr_target, 2);
	struct fw_pfr_address *outside = FW_ARENA_NEW(parser->arena, struct fw_pfr_address);

	if (rule->nat->interface != NULL || rule->nat->port != 0 || rule->rdr != NULL ||
		source->count != 1 || source->items[0].kind != FW_PFR_RANGE ||
		source->items[0].negated || !fw_range_is_single(&source->items[0].range) ||
		source->has_ports || rule->destination.has_ports ||
		rule->direction != FW_PFR_BOTH_WAYS) {
		return fw_pfr_fail(parser, "a translation both ways of more than an address");
	}
	const struct fw_range *inside = &source->items[0].range;
	targets[0] = *rule->nat;
	targets[0].same_port = true;
	targets[1] = (struct fw_pfr_target){.family = inside->family, .address = inside->first};
	*outside = (struct fw_pfr_address){
		.kind = FW_PFR_RANGE,
		.range = {rule->nat->address, rule->nat->address, rule->nat->family},
	};
	out[0] = out[1] = *rule;
	out[0].direction = FW_PFR_OUT;
	out[0].nat = &targets[0];
	out[1].direction = FW_PFR_IN;
	out[1].nat = NULL;
	out[1].rdr = &targets[1];
	out[1].source = rule->destination;
	out[1].destination = (struct fw_pfr_side){.items = outside, .count = 1};
	return true;
}

/* One combination out of the lists of a rule, by number. */
static const void *pick(const void *items, size_t *count, size_t item_size, size_t *number) {
	if (*count == 0) {
		return items;
	}
	size_t index = *number % *count;
	*number /= *count;
	*count = 1;
	return (const char *)items + index * item_size;
}

static struct fw_pfr_rule combination(const struct fw_pfr_rule *rule, size_t number) {
	struct fw_pfr_rule one = *rule;

	one.interfaces =
		pick(one.interfaces, &one.interface_count, sizeof(*one.interfaces), &number);
	one.protocols = pick(one.protocols, &one.protocol_count, sizeof(*one.protocols), &number);
	one.types = pick(one.types, &one.type_count, sizeof(*one.types), &number);
	one.source.items =
		pick(one.source.items, &one.source.count, sizeof(*one.source.items), &number);
	one.source.ports =
		pick(one.source.ports, &one.source.port_count, sizeof(*one.source.ports), &number);
	one.destination.items = pick(one.destination.items, &one.destination.count,
		sizeof(*one.destination.items), &number);
	one.destination.ports = pick(one.destination.ports, &one.destination.port_count,
		sizeof(*one.destination.ports), &number);
	return one;
}

static size_t times(size_t product, size_t count) {
	if (count == 0 || product > SINGLE_MAX) {
		return product;
	}
	return count > SINGLE_MAX ? SINGLE_MAX + 1 : product * count;
}

/*
 * pfctl makes a rule of each combination of its lists, and each counts for itself. Ranges of ports
 * that touch have become one, so nothing would tell their bounds apart.
 */
void fw_pfr_add_rule(struct fw_pfr_parser *parser, const struct fw_pfr_rule *rule) {
	if (rule->bounds == NULL) {
		FW_VEC_ADD(&parser->rules->list, *rule);
		return;
	}
	size_t count = times(1, rule->interface_count);
	count = times(count, rule->protocol_count);
	count = times(count, rule->type_count);
	count = times(count, rule->source.count);
	count = times(count, rule->source.port_count);
	count = times(count, rule->destination.count);
	count = times(count, rule->destination.port_count);
	if (rule->source.joined || rule->destination.joined) {
		fw_pfr_fail(parser, "bounds of several rules about ports that touch");
		return;
	}
	parser->bounded += count;
	if (count > SINGLE_MAX || parser->bounded > SINGLE_MAX) {
		fw_pfr_fail(parser, "bounds of more rules than are told apart");
		return;
	}
	for (size_t i = 0; i < count; i++) {
		FW_VEC_ADD(&parser->rules->list, combination(rule, i));
	}
}

/* ---- filter rules ---- */

static void read_block(struct fw_pfr_parser *parser, struct fw_pfr_rule *rule) {
	static const char *const returns[] = {
		"return", "return-rst", "return-icmp", "return-icmp6"};

	rule->returns = parser->returns;
	if (fw_pfr_accept(parser, "drop")) {
		rule->returns = false;
		return;
	}
	for (size_t i = 0; i < FW_LENGTH(returns); i++) {
		if (fw_pfr_accept(parser, returns[i])) {
			rule->returns = true;
			if (fw_pfr_at(parser, "(")) {
				skip_argument(parser, rule);
			}
			return;
		}
	}
}

static void add_filter_rule(struct fw_pfr_parser *parser, const struct fw_pfr_rule *rule) {
	struct fw_pfr_rule rules[2] = {*rule};
	size_t count = 1;

	if (rule->both_ways) {
		if (!part_ways(parser, rule, rules)) {
			return;
		}
		count = 2;
	}
	for (size_t i = 0; i < count; i++) {
		if (!check_protocols(parser, &rules[i]) || !check_redirects(parser, &rules[i])) {
			return;
		}
	}
	for (size_t i = 0; i < count; i++) {
		fw_pfr_add_rule(parser, &rules[i]);
	}
}

static void filter_rule(struct fw_pfr_parser *parser, enum fw_pfr_action action) {
	struct fw_pfr_rule rule = {.place = parser->place,
		.action = action,
		.without_opts = true,
		.bound = parser->bound};

	if (action == FW_PFR_BLOCK) {
		read_block(parser, &rule);
	}
	read_direction(parser, &rule);
	read_log_quick(parser, &rule);
	if (action == FW_PFR_MATCH && rule.quick) {
		fw_pfr_fail(parser, "a match rule that is quick");
	}
	if (!read_criteria(parser, &rule) || !read_options(parser, &rule)) {
		return;
	}
	state_by_default(parser, &rule);
	if (action != FW_PFR_PASS && (rule.bounds != NULL || rule.keeps)) {
		fw_pfr_fail(parser, "a state or a rate of what does not pass");
		return;
	}
	rule.without_opts =
		rule.without_opts && action == FW_PFR_PASS && is_about_membership(&rule);
	add_filter_rule(parser, &rule);
}

/* ---- anchors ---- */

static void anchor_body(struct fw_pfr_parser *parser, struct fw_pfr_rule *rule) {
	struct fw_pfr_rules inner = {0}, *outer = parser->rules;
	struct fw_pfr_ruleset *body = FW_ARENA_NEW(parser->arena, struct fw_pfr_ruleset);
	struct fw_place place = parser->place;

	fw_pfr_advance(parser);
	parser->rules = &inner;
	parser->depth++;
	fw_pfr_statements(parser);
	parser->depth--;
	parser->rules = outer;
	parser->place = place;
	*body = (struct fw_pfr_ruleset){
		keep(parser, inner.list.items, inner.list.count, sizeof(*inner.list.items)),
		inner.list.count};
	FW_VEC_FINI(&inner.list);
	rule->body = body;
	fw_pfr_expect(parser, "}");
}

static void anchor_rule(struct fw_pfr_parser *parser) {
	struct fw_pfr_rule rule = {.place = parser->place, .action = FW_PFR_ANCHOR};
	struct fw_slice name;

	bool named = parser->token.kind == FW_PFR_QUOTED ||
		     (!fw_pfr_at(parser, "in") && !fw_pfr_at(parser, "out") &&
			     !fw_pfr_at(parser, "on") && !fw_pfr_at(parser, "quick") &&
			     !fw_pfr_at(parser, "inet") && !fw_pfr_at(parser, "inet6") &&
			     !fw_pfr_at(parser, "proto") && !fw_pfr_at(parser, "from") &&
			     !fw_pfr_at(parser, "to") && !fw_pfr_at(parser, "all") &&
			     !fw_pfr_at(parser, "{"));
	if (named && !fw_pfr_text(parser, "anchor's name", &name)) {
		return;
	}
	read_direction(parser, &rule);
	read_log_quick(parser, &rule);
	if (!read_criteria(parser, &rule) || !read_options(parser, &rule) ||
		!check_protocols(parser, &rule) || !check_redirects(parser, &rule)) {
		return;
	}
	if (rule.has_state || rule.bounds != NULL) {
		fw_pfr_fail(parser, "states of an anchor");
	} else if (!fw_pfr_at(parser, "{")) {
		fw_pfr_fail(parser, "an anchor, whose rules are not in this text");
	} else if (parser->depth == DEPTH_MAX) {
		fw_pfr_fail(parser, "anchors in anchors, deeper than pf takes them");
	} else {
		anchor_body(parser, &rule);
		fw_pfr_add_rule(parser, &rule);
	}
}

/* ---- antispoof ---- */

static bool names_lo0(struct fw_pfr_parser *parser, void *context) {
	struct fw_pfr_interface one;

	(void)context;
	if (!fw_pfr_interface(parser, &one)) {
		return false;
	}
	if (one.negated || (strcmp(one.name, "lo0") != 0 && strcmp(one.name, "lo") != 0)) {
		return fw_pfr_fail(
			parser, "antispoof for an interface, whose networks are not in this text");
	}
	return true;
}

/* What pf.conf says it stands for: block drop in on ! lo0 from its networks. */
static void antispoof(struct fw_pfr_parser *parser) {
	struct fw_pfr_rule rule = {
		.place = parser->place, .action = FW_PFR_BLOCK, .direction = FW_PFR_IN};
	static const struct fw_pfr_interface others = {"lo0", true};
	static const struct fw_pfr_address networks[] = {
		{.kind = FW_PFR_RANGE,
			.range = {{0, (uint64_t)127 << 24}, {0, ((uint64_t)128 << 24) - 1},
				FW_IPV4}},
		{.kind = FW_PFR_RANGE, .range = {{0, 1}, {0, 1}, FW_IPV6}},
	};

	read_log_quick(parser, &rule);
	if (!fw_pfr_expect(parser, "for") || !fw_pfr_items(parser, names_lo0, NULL)) {
		return;
	}
	read_family(parser, &rule);
	if (fw_pfr_accept(parser, "label")) {
		skip_argument(parser, &rule);
	}
	rule.source = (struct fw_pfr_side){.items = networks, .count = FW_LENGTH(networks)};
	rule.interfaces = &others;
	rule.interface_count = 1;
	fw_pfr_add_rule(parser, &rule);
}

/* ---- FreeBSD's translation ---- */

enum translation { NAT, RDR, BINAT };

static bool read_arrow(
	struct fw_pfr_parser *parser, struct fw_pfr_rule *rule, enum translation kind) {
	if (rule->negative) {
		return !parser->failed;
	}
	return fw_pfr_expect(parser, "->") && fw_pfr_redirect(parser, rule, kind != RDR);
}

static bool read_translation(
	struct fw_pfr_parser *parser, struct fw_pfr_rule *rule, enum translation kind) {
	rule->passes = fw_pfr_accept(parser, "pass");
	read_log_quick(parser, rule);
	if (!read_criteria(parser, rule)) {
		return false;
	}
	if (fw_pfr_accept(parser, "tag") && !read_tag(parser, &rule->tag)) {
		return false;
	}
	if (fw_pfr_at(parser, "tagged") || fw_pfr_at(parser, "!")) {
		bool negated = fw_pfr_accept(parser, "!");
		if (!fw_pfr_expect(parser, "tagged") || !read_tagged(parser, rule, negated)) {
			return false;
		}
	}
	return read_arrow(parser, rule, kind) && check_protocols(parser, rule);
}

static void add_binat(struct fw_pfr_parser *parser, const struct fw_pfr_rule *rule) {
	struct fw_pfr_rule rules[2];

	if (rule->negative) {
		fw_pfr_fail(parser, "an exception from translation both ways");
	} else if (part_ways(parser, rule, rules)) {
		FW_VEC_ADD(&parser->binat_out.list, rules[0]);
		FW_VEC_ADD(&parser->binat_in.list, rules[1]);
	}
}

static void translation(struct fw_pfr_parser *parser, enum translation kind, bool negative) {
	struct fw_pfr_rule rule = {.place = parser->place,
		.action = FW_PFR_TRANSLATE,
		.negative = negative,
		.without_opts = true};

	if (!read_translation(parser, &rule, kind)) {
		return;
	}
	if (rule.rdr != NULL && rule.rdr->port != 0 && rule.protocol_count == 0) {
		fw_pfr_fail(parser, "a port of what is neither TCP nor UDP");
	} else if (rule.quick) {
		fw_pfr_fail(parser, "a translation that is quick");
	} else if (kind == BINAT) {
		add_binat(parser, &rule);
	} else {
		rule.direction = kind == NAT ? FW_PFR_OUT : FW_PFR_IN;
		FW_VEC_ADD(&parser->translations.list, rule);
	}
}

static bool find_translation(struct fw_slice word, enum translation *out) {
	static const char *const names[] = {[NAT] = "nat", [RDR] = "rdr", [BINAT] = "binat"};

	for (size_t i = 0; i < FW_LENGTH(names); i++) {
		if (fw_slice_is(word, names[i])) {
			*out = (enum translation)i;
			return true;
		}
	}
	return false;
}

static bool freebsd_statement(struct fw_pfr_parser *parser, struct fw_slice word) {
	enum translation kind;

	if (find_translation(word, &kind)) {
		translation(parser, kind, false);
	} else if (fw_slice_is(word, "no")) {
		if (find_translation(parser->token.text, &kind)) {
			fw_pfr_advance(parser);
			translation(parser, kind, true);
		} else {
			fw_pfr_fail_at(parser, "the negation of");
		}
	} else if (fw_slice_is(word, "nat-anchor") || fw_slice_is(word, "rdr-anchor") ||
		   fw_slice_is(word, "binat-anchor")) {
		fw_pfr_fail(parser, "an anchor, whose rules are not in this text");
	} else {
		return false;
	}
	return true;
}

bool fw_pfr_rule_statement(struct fw_pfr_parser *parser, struct fw_slice word) {
	if (fw_slice_is(word, "pass")) {
		filter_rule(parser, FW_PFR_PASS);
	} else if (fw_slice_is(word, "block")) {
		filter_rule(parser, FW_PFR_BLOCK);
	} else if (fw_slice_is(word, "match")) {
		filter_rule(parser, FW_PFR_MATCH);
	} else if (fw_slice_is(word, "anchor")) {
		anchor_rule(parser);
	} else if (fw_slice_is(word, "antispoof") && parser->depth == 0) {
		antispoof(parser);
	} else {
		return parser->dialect == FW_RB_FREEBSD && parser->depth == 0 &&
		       freebsd_statement(parser, word);
	}
	return true;
}
