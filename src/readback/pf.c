// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A pf.conf as what hooks accept. pf has no hooks: a packet comes in on an interface, or goes out
 * on one, and a forwarded packet does both. So these are told apart by addresses, and what a rule
 * says of this host's own addresses is known by the hook, though the addresses are not:
 *
 *   input    comes in. Its destination is an address of this host, unless it is a multicast
 *            address or 255.255.255.255; its source is nobody's here.
 *   output   goes out. Its source is an address of this host, or unspecified; its destination is
 *            nobody's here.
 *   forward  comes in, and then goes out; no address of it is this host's.
 *
 * On lo0 both addresses are this host's. (self) in a rule so is true or false by the hook and the
 * side, and the sets of packets hold every address: "whichever the host has". Two things are
 * checked beside that, each by another run: what comes in with an address of this host as its
 * source passes no more than what has another one, or it is an unknown; what comes in to a
 * broadcast address of a network passes no more than what comes to an address, or it is an unknown,
 * and where it passes less a remark says so. Addresses that rules name are exact. Of (em0), some of
 * this host's addresses, the text does not tell enough on the host's own side, and of em0:network
 * on neither.
 *
 * What is assumed of pf itself:
 *
 * - Packets of a state pass in both directions, errors about them too: established and related, the
 *   policy's words, is what belongs to a state. Where all that is sent, or all that comes in,
 *   passes and leaves no state, answers to it pass as beginnings do. Where some of it leaves none,
 *   and not all there can be passes in the other direction, it is an unknown whether answers pass.
 * - Invalid is what a state refuses, by its own look at sequence numbers and the like; that is
 *   dropped, whatever rules say. Where everything passes without a state nothing is invalid.
 * - Untracked is not known to pf: such packets are judged as new ones.
 * - TCP begins with SYN. What else matches no state was picked up in mid-stream, and is taken to
 *   pass where SYN would: pf drops it then (flags S/SA) or may pass it, and no policy speaks of it.
 *   What passes with other flags where SYN would not is said as it is, and so is SYN beside others.
 * - A rate or a count of a rule lets packets pass up to it. The rate of a count is how fast states
 *   may come and go by their timeouts, as few as there may be.
 * - Fragments are put together first, and packets have no IP options, but for those that tell of
 *   multicast membership: a rule that passes them drops them unless it has allow-opts, and no state
 *   comes of it; pf drops them, too, where no rule matches. Some releases let them pass anyway,
 *   which is a remark. They are not forwarded, and on loopback there are none.
 *
 * Some packets are not for rules to decide, or are none, and so are left out of what is compared:
 * neighbour discovery that comes in with another hop limit than 255, which the kernel drops; ICMP
 * in IPv6 and ICMPv6 in IPv4, which pf drops; what is forwarded to a multicast address or
 * 255.255.255.255, or from none, or from or to lo0; packets with the destination from which they
 * are translated; and neighbour advertisements and listener reports where they pass on some
 * releases alone. A translated packet that no rule makes is judged as one that was not translated.
 */

#include "readback/pf_lower.h"
#include "readback/program.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* ---- reading ---- */

static void parser_fini(struct fw_pfr_parser *parser) {
	fw_pfr_lexer_fini(&parser->lexer);
	fw_pfr_names_fini(parser);
	fw_pfr_notes_fini(&parser->notes);
	FW_VEC_FINI(&parser->rules->list);
	FW_VEC_FINI(&parser->translations.list);
	FW_VEC_FINI(&parser->binat_out.list);
	FW_VEC_FINI(&parser->binat_in.list);
	FW_VEC_FINI(&parser->tables);
	FW_VEC_FINI(&parser->skipped);
	FW_VEC_FINI(&parser->interfaces);
}

static void *keep(struct fw_arena *arena, const void *items, size_t count, size_t size) {
	void *copy = fw_arena_array(arena, count, size);

	if (count != 0) {
		memcpy(copy, items, count * size);
	}
	return copy;
}
#define KEEP(arena, vec) keep((arena), (vec)->items, (vec)->count, sizeof(*(vec)->items))

/* The first that matches counts; what goes both ways comes before others on the way out, and behind
 * them on the way in (pf_get_translation of pf.c). */
static struct fw_pfr_ruleset translations(const struct fw_pfr_parser *parser) {
	const struct fw_pfr_rules *parts[] = {
		&parser->binat_out, &parser->translations, &parser->binat_in};
	struct fw_pfr_rule *all;
	size_t count = 0;

	for (size_t i = 0; i < FW_LENGTH(parts); i++) {
		count += parts[i]->list.count;
	}
	all = FW_ARENA_ARRAY(parser->arena, struct fw_pfr_rule, count);
	count = 0;
	for (size_t i = 0; i < FW_LENGTH(parts); i++) {
		for (size_t j = 0; j < parts[i]->list.count; j++) {
			all[count++] = parts[i]->list.items[j];
		}
	}
	return (struct fw_pfr_ruleset){all, count};
}

static bool lower(const struct fw_ruleset *ruleset, struct fw_arena *arena,
	struct fw_spaces *spaces, const struct fw_rb_interfaces *interfaces,
	struct fw_readback *out);

bool fw_read_pf(struct fw_arena *arena, enum fw_rb_dialect dialect, bool anchor,
	const struct fw_source *text, struct fw_ruleset *out, struct fw_diags *diags) {
	struct fw_pfr_rules rules = {0};
	FW_AUTO(parser_fini)
	struct fw_pfr_parser parser = {
		.arena = arena,
		.lexer = {.arena = arena, .source = text, .line = 1},
		.dialect = dialect,
		.rules = &rules,
		.in_anchor = anchor,
	};
	struct fw_pfr_config *config = FW_ARENA_NEW(arena, struct fw_pfr_config);

	(void)diags;
	fw_pfr_advance(&parser);
	fw_pfr_statements(&parser);
	*config = (struct fw_pfr_config){
		.dialect = dialect,
		.name = text->name,
		.rules = {KEEP(arena, &rules.list), rules.list.count},
		.translations = translations(&parser),
		.tables = KEEP(arena, &parser.tables),
		.table_count = parser.tables.count,
		.skipped = KEEP(arena, &parser.skipped),
		.skipped_count = parser.skipped.count,
		.timeouts = parser.timeouts,
		.unknowns = KEEP(arena, &parser.notes.unknowns),
		.unknown_count = parser.notes.unknowns.count,
		.remarks = KEEP(arena, &parser.notes.remarks),
		.remark_count = parser.notes.remarks.count,
	};
	*out = (struct fw_ruleset){
		.names = KEEP(arena, &parser.interfaces),
		.name_count = parser.interfaces.count,
		.content = config,
		.lower = lower,
	};
	return true;
}

/* ---- forgetting ---- */

struct handles {
	FW_VEC(fw_space *) list;
};

static void add_handles(struct handles *handles, fw_space *const *sets, size_t count) {
	for (size_t i = 0; i < count; i++) {
		FW_VEC_ADD(&handles->list, sets[i]);
	}
}

static void add_hook_handles(struct handles *handles, struct fw_pfl_hook *hook) {
	struct fw_pfl_verdicts *verdicts = &hook->verdicts;
	fw_space *sets[] = {&hook->all, &hook->images, &verdicts->passed, &verdicts->stateless,
		&verdicts->skipped, &verdicts->exactly, &verdicts->dropped, &verdicts->returned};

	add_handles(handles, sets, FW_LENGTH(sets));
	for (size_t i = 0; i < verdicts->rated.list.count; i++) {
		FW_VEC_ADD(&handles->list, &verdicts->rated.list.items[i].set);
	}
}

/* All that is known so far, but for what was before the mark. */
static void find_handles(
	struct fw_pfl_lowering *low, struct fw_pfl_hook *hooks, struct handles *handles) {
	FW_VEC_ADD(&handles->list, &low->outside);
	for (int hook = FW_RB_INPUT; hook < FW_RB_HOOK_COUNT; hook++) {
		add_hook_handles(handles, &hooks[hook]);
	}
	for (size_t i = 0; i < low->decisions.count; i++) {
		FW_VEC_ADD(&handles->list, &low->decisions.items[i].set);
	}
	for (size_t i = 0; i < low->rated.count; i++) {
		FW_VEC_ADD(&handles->list, &low->rated.items[i].set);
	}
	for (size_t i = 0; i < low->rewrites.count; i++) {
		FW_VEC_ADD(&handles->list, &low->rewrites.items[i].set);
	}
}

/* What was on the way to what is known takes far more room. */
static void forget(struct fw_pfl_lowering *low, struct fw_pfl_hook *hooks, uint32_t mark) {
	struct handles handles = {0};

	if (low->spaces->exhausted) {
		return;
	}
	find_handles(low, hooks, &handles);
	fw_space *kept = fw_resize(NULL, handles.list.count + 1, sizeof(*kept));
	for (size_t i = 0; i < handles.list.count; i++) {
		kept[i] = *handles.list.items[i];
	}
	fw_spaces_release(low->spaces, mark, kept, handles.list.count);
	for (size_t i = 0; i < handles.list.count; i++) {
		*handles.list.items[i] = kept[i];
	}
	free(kept);
	FW_VEC_FINI(&handles.list);
}

/* ---- making sets ---- */

static void lowering_fini(struct fw_pfl_lowering *low) {
	fw_pfr_notes_fini(&low->notes);
	FW_VEC_FINI(&low->decisions);
	FW_VEC_FINI(&low->rated);
	FW_VEC_FINI(&low->rewrites);
}

static void init(struct fw_pfl_lowering *low) {
	static const struct fw_range many[] = {
		{{0, (uint64_t)224 << 24}, {0, ((uint64_t)240 << 24) - 1}, FW_IPV4},
		{{0, UINT32_MAX}, {0, UINT32_MAX}, FW_IPV4},
		{{(uint64_t)0xff << 56, 0}, {UINT64_MAX, UINT64_MAX}, FW_IPV6},
	};
	static const struct fw_range none[] = {
		{{0, 0}, {0, 0}, FW_IPV4},
		{{0, 0}, {0, 0}, FW_IPV6},
	};
	static const int no_types[] = {-1}, neighbours[] = {133, 134, 135, 136, 137, -1};
	struct fw_spaces *spaces = low->spaces;
	enum { HOP_LIMIT = 255, LOOPBACK = 1 };

	low->universe = fw_space_universe(spaces, low->last);
	low->fresh = fw_pfl_either(low, fw_pfl_is(low, FW_VAR_TRACKING, FW_TRACKING_NEW),
		fw_pfl_is(low, FW_VAR_TRACKING, FW_TRACKING_UNTRACKED));
	low->special = fw_pfr_ranges(spaces, FW_VAR_DESTINATION, many, FW_LENGTH(many));
	low->unspecified = fw_pfr_ranges(spaces, FW_VAR_SOURCE, none, FW_LENGTH(none));

	fw_space strange = fw_pfl_either(low,
		fw_pfl_both(low, fw_pfl_is(low, FW_VAR_FAMILY, FW_IPV4),
			fw_pfl_is(low, FW_VAR_PROTOCOL, IPPROTO_ICMPV6)),
		fw_pfl_both(low, fw_pfl_is(low, FW_VAR_FAMILY, FW_IPV6),
			fw_pfl_is(low, FW_VAR_PROTOCOL, IPPROTO_ICMP)));
	fw_space far = fw_pfl_both(low, fw_pfl_is(low, FW_VAR_FAMILY, FW_IPV6),
		fw_pfr_icmp_space(spaces, no_types, neighbours));
	far = fw_pfl_without(low, far, fw_pfl_is(low, FW_VAR_HOP_LIMIT, HOP_LIMIT));
	far = fw_pfl_both(low, fw_pfl_hook_space(low, FW_RB_INPUT), far);
	fw_space loopback = fw_pfl_either(
		low, fw_pfl_is(low, FW_VAR_IN, LOOPBACK), fw_pfl_is(low, FW_VAR_OUT, LOOPBACK));
	fw_space nowhere = fw_pfl_both(low, fw_pfl_hook_space(low, FW_RB_FORWARD),
		fw_pfl_either(low, loopback, fw_pfl_either(low, low->special, low->unspecified)));
	low->outside = fw_pfl_both(
		low, low->universe, fw_pfl_either(low, strange, fw_pfl_either(low, far, nowhere)));
}

static void run_local(
	struct fw_pfl_lowering *low, enum fw_rb_hook number, struct fw_pfl_hook *hook) {
	FW_AUTO(fw_pfr_journey_fini) struct fw_pfr_journey journey = {0};

	*hook = (struct fw_pfl_hook){.number = number, .all = fw_pfl_hook_space(low, number)};
	fw_pfl_assume(low, number, false);
	fw_pfl_journey_local(
		low, number, fw_pfl_start_space(low, number), &journey, &hook->verdicts);
	fw_pfl_check_answers(low, hook, &hook->verdicts);
	if (number == FW_RB_INPUT) {
		fw_pfl_check_spoofed(low, number, &hook->verdicts);
		fw_pfl_check_broadcast(low, &hook->verdicts);
		fw_pfl_add_destinations(low, &journey.translated);
	}
	fw_pfl_settle(low, hook);
	if (number == FW_RB_OUTPUT) {
		fw_pfl_add_sources(low, hook, &journey.translated);
	}
	fw_pfl_add_decisions(low, hook, &journey.hits, true);
}

static void run_forward(struct fw_pfl_lowering *low, struct fw_pfl_hook *hook) {
	FW_AUTO(fw_pfl_trip_fini) struct fw_pfl_trip trip = {0};

	*hook = (struct fw_pfl_hook){
		.number = FW_RB_FORWARD, .all = fw_pfl_hook_space(low, FW_RB_FORWARD)};
	fw_pfl_assume(low, FW_RB_FORWARD, false);
	fw_pfl_travel(low, fw_pfl_start_space(low, FW_RB_FORWARD), &trip);
	hook->verdicts = trip.verdicts;
	trip.verdicts = (struct fw_pfl_verdicts){0};
	fw_pfl_check_answers(low, hook, &hook->verdicts);
	fw_pfl_check_spoofed(low, FW_RB_FORWARD, &hook->verdicts);
	fw_pfl_add_destinations(low, &trip.in.translated);
	fw_pfl_settle(low, hook);
	fw_pfl_add_sources(low, hook, &trip.out.translated);
	fw_pfl_add_decisions(low, hook, &trip.out.hits, true);
	fw_pfl_add_decisions(low, hook, &trip.in.hits, false);
}

static void add_notes(struct fw_pfl_lowering *low, struct fw_readback *out) {
	for (size_t i = 0; i < low->config->unknown_count; i++) {
		fw_pfr_unknown(
			&low->notes, low->config->unknowns[i].place, low->config->unknowns[i].what);
	}
	for (size_t i = 0; i < low->config->remark_count; i++) {
		fw_pfr_remark(&low->notes, low->config->remarks[i]);
	}
	out->unknowns = KEEP(low->arena, &low->notes.unknowns);
	out->unknown_count = low->notes.unknowns.count;
	out->remarks = KEEP(low->arena, &low->notes.remarks);
	out->remark_count = low->notes.remarks.count;
}

static bool lower(const struct fw_ruleset *ruleset, struct fw_arena *arena,
	struct fw_spaces *spaces, const struct fw_rb_interfaces *interfaces,
	struct fw_readback *out) {
	const struct fw_pfr_config *config = ruleset->content;
	FW_AUTO(lowering_fini)
	struct fw_pfl_lowering low = {
		.arena = arena,
		.spaces = spaces,
		.config = config,
		.last = (unsigned)interfaces->count + 2,
	};
	struct fw_pfl_hook hooks[FW_RB_HOOK_COUNT] = {0};
	struct fw_readback result = {0};
	uint32_t start = fw_spaces_mark(spaces);

	low.scene = (struct fw_pfr_scene){
		.arena = arena,
		.spaces = spaces,
		.interfaces = interfaces,
		.config = config,
		.notes = &low.notes,
	};
	fw_pfr_make_tables(&low.scene);
	init(&low);
	uint32_t mark = fw_spaces_mark(spaces);
	run_local(&low, FW_RB_INPUT, &hooks[FW_RB_INPUT]);
	forget(&low, hooks, mark);
	run_local(&low, FW_RB_OUTPUT, &hooks[FW_RB_OUTPUT]);
	forget(&low, hooks, mark);
	run_forward(&low, &hooks[FW_RB_FORWARD]);
	forget(&low, hooks, mark);
	fw_pfl_leave_out_translated(&low, &hooks[FW_RB_INPUT]);
	fw_pfl_leave_out_translated(&low, &hooks[FW_RB_FORWARD]);
	fw_pfl_find_unanswered(&low, &hooks[FW_RB_INPUT], &hooks[FW_RB_OUTPUT]);
	fw_pfl_find_unanswered(&low, &hooks[FW_RB_OUTPUT], &hooks[FW_RB_INPUT]);
	for (int hook = FW_RB_INPUT; hook < FW_RB_HOOK_COUNT; hook++) {
		fw_pfl_add_hook(&low, &hooks[hook], &result);
	}
	fw_pfl_check_answered(&low, &hooks[FW_RB_INPUT], &hooks[FW_RB_OUTPUT]);
	fw_pfl_check_answered(&low, &hooks[FW_RB_OUTPUT], &hooks[FW_RB_INPUT]);
	fw_pfl_check_answered(&low, &hooks[FW_RB_FORWARD], &hooks[FW_RB_FORWARD]);
	fw_pfl_add_targets(&low, &result);
	add_notes(&low, &result);
	result.outside = low.outside;
	result.decisions = KEEP(arena, &low.decisions);
	result.decision_count = low.decisions.count;
	result.rated = KEEP(arena, &low.rated);
	result.rated_count = low.rated.count;
	for (int hook = FW_RB_INPUT; hook < FW_RB_HOOK_COUNT; hook++) {
		fw_pfl_verdicts_fini(&hooks[hook].verdicts);
	}
	fw_rb_release(arena, spaces, start, &result);
	*out = result;
	return !spaces->exhausted;
}
