// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What rules of a pf.conf say of the states that they keep, and what bounds how many, or how fast.
 */

#include "readback/pf.h"

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
	if (fw_pfr_is_hasty(index, (uint32_t)seconds)) {
		fw_pfr_unknown(&parser->notes, parser->place, fw_pfr_forgotten);
	}
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

void fw_pfr_set_bounds(struct fw_pfr_parser *parser, struct fw_pfr_rule *rule,
	const struct fw_pfr_bounds *bounds) {
	if (is_bounded(bounds)) {
		struct fw_pfr_bounds *copy = FW_ARENA_NEW(parser->arena, struct fw_pfr_bounds);
		*copy = *bounds;
		rule->bounds = copy;
	}
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
	fw_pfr_set_bounds(parser, rule, &bounds);
	return !parser->failed;
}

bool fw_pfr_state(struct fw_pfr_parser *parser, struct fw_pfr_rule *rule, bool keeps) {
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

bool fw_pfr_packet_rate(struct fw_pfr_parser *parser, struct fw_pfr_rule *rule) {
	struct fw_pfr_bounds bounds = {0};

	if (rule->bounds != NULL) {
		bounds = *rule->bounds;
	}
	if (!read_pace(parser, &bounds.packets)) {
		return false;
	}
	fw_pfr_set_bounds(parser, rule, &bounds);
	return true;
}
