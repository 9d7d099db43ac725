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
	SINGLE_MAX = 1024, /* rules that one with bounds may stand for */
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

/* ---- states ---- */

static bool read_pace(struct fw_pfr_parser *parser, struct fw_pfr_pace *out) {
	uint64_t count, seconds;

	if (!fw_pfr_number(parser, "count", UINT32_MAX, &count) || !fw_pfr_expect(parser, "/") ||
		!fw_pfr_number(parser, "number of seconds", UINT32_MAX, &seconds)) {
		return false;
	}
	if (count == 0 || seconds == 0) {
		return fw_pfr_fail(parser, "a rate that is none");
	}
	*out = (struct fw_pfr_pace){(uint32_t)count, (uint32_t)seconds};
	return true;
}

static bool read_count(struct fw_pfr_parser *parser, uint32_t *out) {
	uint64_t count;

	if (!fw_pfr_number(parser, "count", UINT32_MAX, &count)) {
		return false;
	}
	if (count == 0) {
		return fw_pfr_fail(parser, "a count of 0");
	}
	*out = (uint32_t)count;
	return true;
}

static bool read_overload(struct fw_pfr_parser *parser) {
	struct fw_slice name;

	if (!fw_pfr_table_name(parser, &name)) {
		return false;
	}
	size_t number = fw_pfr_table_number(parser, name);
	parser->tables.items[number].overload = parser->place.text;
	if (fw_pfr_accept(parser, "flush")) {
		fw_pfr_accept(parser, "global");
	}
	return !parser->failed;
}

static bool read_state_timeout(
	struct fw_pfr_parser *parser, struct fw_slice option, struct fw_pfr_bounds *bounds) {
	unsigned index;
	uint64_t seconds;

	if (!fw_pfr_timeout(option, &index)) {
		return fw_pfr_fail(parser, "an option of states that is not known here");
	}
	if (!fw_pfr_number(parser, "number of seconds", UINT32_MAX, &seconds)) {
		return false;
	}
	bounds->timeouts[index] = (uint32_t)seconds;
	return true;
}

static bool read_state_option(
	struct fw_pfr_parser *parser, struct fw_pfr_rule *rule, struct fw_pfr_bounds *bounds) {
	struct fw_slice option;

	if (!fw_pfr_text(parser, "option of states", &option)) {
		return false;
	}
	if (fw_slice_is(option, "max")) {
		return read_count(parser, &bounds->max);
	}
	if (fw_slice_is(option, "max-src-states")) {
		return read_count(parser, &bounds->source_states);
	}
	if (fw_slice_is(option, "max-src-conn")) {
		return read_count(parser, &bounds->source_connections);
	}
	if (fw_slice_is(option, "max-src-nodes")) {
		return fw_pfr_fail(parser, "a limit of how many sources there are");
	}
	if (fw_slice_is(option, "max-src-conn-rate")) {
		return read_pace(parser, &bounds->connections);
	}
	if (fw_slice_is(option, "overload")) {
		return read_overload(parser);
	}
	if (fw_slice_is(option, "source-track")) {
		if (!fw_pfr_accept(parser, "rule")) {
			fw_pfr_accept(parser, "global");
		}
		return !parser->failed;
	}
	if (fw_slice_is(option, "sloppy")) {
		rule->sloppy = true;
	} else if (fw_slice_is(option, "if-bound")) {
		rule->bound = true;
	} else if (fw_slice_is(option, "floating")) {
		rule->bound = false;
	} else if (!fw_slice_is(option, "no-sync") && !fw_slice_is(option, "pflow")) {
		return read_state_timeout(parser, option, bounds);
	}
	return true;
}

static bool is_bounded(const struct fw_pfr_bounds *bounds) {
	return bounds->packets.count != 0 || bounds->connections.count != 0 || bounds->max != 0 ||
	       bounds->source_states != 0 || bounds->source_connections != 0;
}

/* What a rule's bounds are, with those it has had before. */
static void set_bounds(struct fw_pfr_parser *parser, struct fw_pfr_rule *rule,
	const struct fw_pfr_bounds *bounds) {
	rule->bounds = is_bounded(bounds) ? keep(parser, bounds, 1, sizeof(*bounds)) : rule->bounds;
}

bool fw_pfr_state_options(
	struct fw_pfr_parser *parser, struct fw_pfr_rule *rule, const char *close) {
	struct fw_pfr_bounds bounds = {0};

	if (rule->bounds != NULL) {
		bounds = *rule->bounds;
	}
	while (!fw_pfr_at_end(parser) && !(close != NULL && fw_pfr_accept(parser, close))) {
		read_state_option(parser, rule, &bounds);
		fw_pfr_accept(parser, ",");
	}
	set_bounds(parser, rule, &bounds);
	return !parser->failed;
}

static bool read_state(struct fw_pfr_parser *parser, struct fw_pfr_rule *rule, bool keeps) {
	if (!fw_pfr_expect(parser, "state")) {
		return false;
	}
	rule->has_state = true;
	rule->keeps = keeps;
	if (keeps && fw_pfr_accept(parser, "(")) {
		return fw_pfr_state_options(parser, rule, ")");
	}
	return !parser->failed;
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

static bool read_packet_rate(struct fw_pfr_parser *parser, struct fw_pfr_rule *rule) {
	struct fw_pfr_bounds bounds = {0};

	if (rule->bounds != NULL) {
		bounds = *rule->bounds;
	}
	if (!read_pace(parser, &bounds.packets)) {
		return false;
	}
	set_bounds(parser, rule, &bounds);
	return true;
}

/* `set prio 5`, `set (prio 5, tos 3)`, `scrub (no-df)`, `queue std`, `label "x"`: no verdicts. */
static bool skip_argument(struct fw_pfr_parser *parser) {
	if (fw_pfr_accept(parser, "(")) {
		while (!parser->failed && !fw_pfr_accept(parser, ")")) {
			if (fw_pfr_at_end(parser)) {
				return fw_pfr_fail(parser, "a parenthesis without an end");
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

static bool read_set(struct fw_pfr_parser *parser) {
	if (fw_pfr_at(parser, "(")) {
		return skip_argument(parser);
	}
	bool known = fw_pfr_accept(parser, "prio") || fw_pfr_accept(parser, "tos") ||
		     fw_pfr_accept(parser, "queue");
	if (!known) {
		return fw_pfr_fail_at(parser, "what a rule sets");
	}
	return skip_argument(parser);
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
		return read_state(parser, rule, false);
	}
	if (fw_pfr_accept(parser, "keep") || fw_pfr_accept(parser, "modulate") ||
		fw_pfr_accept(parser, "synproxy")) {
		return read_state(parser, rule, true);
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
		return read_packet_rate(parser, rule);
	}
	if (openbsd && (fw_pfr_at(parser, "nat-to") || fw_pfr_at(parser, "rdr-to"))) {
		bool source = fw_pfr_at(parser, "nat-to");
		fw_pfr_advance(parser);
		return fw_pfr_redirect(parser, rule, source);
	}
	if (fw_pfr_accept(parser, "set")) {
		return read_set(parser);
	}
	if (fw_pfr_accept(parser, "label") || fw_pfr_accept(parser, "ridentifier") ||
		fw_pfr_accept(parser, "queue") || fw_pfr_accept(parser, "scrub")) {
		return skip_argument(parser);
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

/* Multicast membership is told with the router alert option (RFC 2236, 2710, 3810). */
static bool names_membership(const struct fw_pfr_rule *rule) {
	static const uint8_t types[] = {130, 131, 132, 143};

	for (size_t i = 0; i < rule->type_count; i++) {
		if (rule->types[i].protocol == IPPROTO_ICMPV6 &&
			memchr(types, rule->types[i].type, sizeof(types)) != NULL) {
			return true;
		}
	}
	return is_among(rule, IPPROTO_IGMP);
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
		set_bounds(parser, rule, &bounds);
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
 * that touch have become one, so a rule may be one where pfctl makes several; their bounds then are
 * told as one, which is no more than they let through.
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
	if (count > SINGLE_MAX) {
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
				skip_argument(parser);
			}
			return;
		}
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
	if (!check_protocols(parser, &rule) || !check_redirects(parser, &rule)) {
		return;
	}
	if (action != FW_PFR_PASS && (rule.bounds != NULL || rule.keeps)) {
		fw_pfr_fail(parser, "a state or a rate of what does not pass");
		return;
	}
	rule.without_opts = rule.without_opts && action == FW_PFR_PASS && names_membership(&rule);
	fw_pfr_add_rule(parser, &rule);
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
		skip_argument(parser);
	}
	rule.source = (struct fw_pfr_side){.items = networks, .count = FW_LENGTH(networks)};
	rule.interfaces = &others;
	rule.interface_count = 1;
	fw_pfr_add_rule(parser, &rule);
}

/* ---- FreeBSD's translation ---- */

static bool read_arrow(struct fw_pfr_parser *parser, struct fw_pfr_rule *rule, bool source) {
	if (rule->negative) {
		return !parser->failed;
	}
	return fw_pfr_expect(parser, "->") && fw_pfr_redirect(parser, rule, source);
}

static void translation(struct fw_pfr_parser *parser, bool source, bool negative) {
	struct fw_pfr_rule rule = {
		.place = parser->place, .action = FW_PFR_TRANSLATE, .negative = negative};

	rule.direction = source ? FW_PFR_OUT : FW_PFR_IN;
	rule.passes = fw_pfr_accept(parser, "pass");
	read_log_quick(parser, &rule);
	if (!read_criteria(parser, &rule)) {
		return;
	}
	if (fw_pfr_accept(parser, "tag") && !read_tag(parser, &rule.tag)) {
		return;
	}
	if (fw_pfr_at(parser, "tagged") || fw_pfr_at(parser, "!")) {
		bool negated = fw_pfr_accept(parser, "!");
		if (!fw_pfr_expect(parser, "tagged") || !read_tagged(parser, &rule, negated)) {
			return;
		}
	}
	if (!read_arrow(parser, &rule, source) || !check_protocols(parser, &rule)) {
		return;
	}
	if (rule.rdr != NULL && rule.rdr->port != 0 && rule.protocol_count == 0) {
		fw_pfr_fail(parser, "a port of what is neither TCP nor UDP");
	} else if (rule.quick) {
		fw_pfr_fail(parser, "a translation that is quick");
	} else {
		FW_VEC_ADD(&parser->translations.list, rule);
	}
}

static bool freebsd_statement(struct fw_pfr_parser *parser, struct fw_slice word) {
	bool nat = fw_slice_is(word, "nat"), rdr = fw_slice_is(word, "rdr");

	if (nat || rdr) {
		translation(parser, nat, false);
	} else if (fw_slice_is(word, "no")) {
		nat = fw_pfr_accept(parser, "nat");
		if (nat || fw_pfr_accept(parser, "rdr")) {
			translation(parser, nat, true);
		} else {
			fw_pfr_fail_at(parser, "the negation of");
		}
	} else if (fw_slice_is(word, "nat-anchor") || fw_slice_is(word, "rdr-anchor")) {
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
