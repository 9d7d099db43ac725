// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * New addresses of two behaviours. Destinations are compared of what comes in; sources of what
 * passes, as nothing else leaves. A packet whose destination was translated is there only if some
 * translation made it, so that sources of others are not compared; and as a source may depend on
 * the first destination, they are compared by that, for all addresses in turn that are told apart.
 */

#include "proof/question.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static fw_space is(const struct fw_proof_question *question, enum fw_var var, uint64_t value) {
	return fw_space_interval(question->spaces, var, fw_value(value), fw_value(value));
}

static fw_space both(const struct fw_proof_question *question, fw_space a, fw_space b) {
	return fw_space_intersect(question->spaces, a, b);
}

static fw_space either(const struct fw_proof_question *question, fw_space a, fw_space b) {
	return fw_space_union(question->spaces, a, b);
}

static struct fw_sent sent_by(const struct fw_rb_rewrite *rewrite, fw_space set) {
	return (struct fw_sent){
		.target = {.translated = true,
			.masquerade = rewrite->masquerade,
			.address = rewrite->masquerade ? fw_value(0) : rewrite->address,
			.port = rewrite->port,
			.place = rewrite->place},
		.set = set,
	};
}

static bool rewrites_any(
	const struct fw_proof_question *question, bool source, enum fw_family family) {
	for (int side = 0; side < FW_PROOF_SIDES; side++) {
		const struct fw_readback *readback = question->sides[side];
		for (size_t i = 0; i < readback->rewrite_count; i++) {
			if (readback->rewrites[i].source == source &&
				readback->rewrites[i].family == family) {
				return true;
			}
		}
	}
	return false;
}

/*
 * What may be the first packet of a connection. Of ICMP that is a query, and IGMP has none: no
 * error and no news of neighbours, routers and groups begins one. Errors about a connection are
 * translated with it.
 */
static fw_space beginning(const struct fw_proof_question *question) {
	static const struct {
		uint8_t protocol, type;
	} queries[] = {
		{IPPROTO_ICMP, 8},
		{IPPROTO_ICMP, 13},
		{IPPROTO_ICMP, 15},
		{IPPROTO_ICMP, 17},
		{IPPROTO_ICMPV6, 128},
		{IPPROTO_ICMPV6, 139},
	};
	static const uint8_t others[] = {IPPROTO_ICMP, IPPROTO_IGMP, IPPROTO_ICMPV6};
	fw_space set = FW_SPACE_ALL;

	for (size_t i = 0; i < FW_LENGTH(others); i++) {
		set = fw_space_subtract(
			question->spaces, set, is(question, FW_VAR_PROTOCOL, others[i]));
	}
	for (size_t i = 0; i < FW_LENGTH(queries); i++) {
		set = either(question, set,
			both(question, is(question, FW_VAR_PROTOCOL, queries[i].protocol),
				is(question, FW_VAR_SOURCE_PORT, queries[i].type)));
	}
	return both(question, set, is(question, FW_VAR_TRACKING, FW_TRACKING_NEW));
}

/* First packets of a hook, which is let go; they are `among` those that both let pass, that either
 * does, or the former. */
enum among { AMONG_ALL, AMONG_BOTH, AMONG_EITHER, AMONG_BEFORE };

static fw_space passing(
	const struct fw_proof_question *question, enum fw_rb_hook hook, enum among among) {
	const struct fw_readback *const *sides = question->sides;
	fw_space before = sides[FW_PROOF_BEFORE]->may[hook];
	fw_space after = both(question, sides[FW_PROOF_AFTER]->may[hook], question->within[hook]);

	switch (among) {
	case AMONG_ALL:
		return FW_SPACE_ALL;
	case AMONG_BOTH:
		return both(question, before, after);
	case AMONG_EITHER:
		/* That the latter never sees what it translates is what is asked about. */
		return either(question, before, after);
	case AMONG_BEFORE:
		break;
	}
	return before;
}

static fw_space first_packets(const struct fw_proof_question *question, enum fw_rb_hook hook,
	enum fw_family family, enum among among) {
	fw_space set = both(question, question->universe, is(question, FW_VAR_HOOK, hook));

	set = both(question, set, is(question, FW_VAR_FAMILY, family));
	set = both(question, set, beginning(question));
	set = both(question, set, passing(question, hook, among));
	return fw_space_exists(question->spaces, set, FW_VAR_HOOK);
}

/* ---- destinations ---- */

/* What comes in, but for what does so on lo: it was sent from here, and translated then or never.
 */
static fw_space coming_in(
	const struct fw_proof_question *question, enum fw_family family, enum among among) {
	fw_space set = first_packets(question, FW_RB_INPUT, family, among);

	set = fw_space_exists(question->spaces, set, FW_VAR_OUT);
	return fw_space_subtract(
		question->spaces, set, is(question, FW_VAR_IN, FW_INTERFACE_LOOPBACK));
}

static fw_space loopback_addresses(const struct fw_proof_question *question) {
	static const struct fw_range ranges[] = {
		{{0, (uint64_t)127 << 24}, {0, ((uint64_t)128 << 24) - 1}, FW_IPV4},
		{{0, 1}, {0, 1}, FW_IPV6},
	};
	fw_space set = FW_SPACE_EMPTY;

	for (size_t i = 0; i < FW_LENGTH(ranges); i++) {
		fw_space part = fw_space_interval(
			question->spaces, FW_VAR_DESTINATION, ranges[i].first, ranges[i].last);
		set = either(question, set,
			both(question, part, is(question, FW_VAR_FAMILY, ranges[i].family)));
	}
	return set;
}

/* What the machine sends to others: it is judged by where it goes to, and on its way there by the
 * interface that it would have left by, had it not been translated. */
static fw_space going_out(const struct fw_proof_question *question, enum fw_family family) {
	fw_space set = first_packets(question, FW_RB_OUTPUT, family, AMONG_ALL);

	set = fw_space_subtract(
		question->spaces, set, is(question, FW_VAR_OUT, FW_INTERFACE_LOOPBACK));
	return fw_space_subtract(question->spaces, set, loopback_addresses(question));
}

static bool is_to_itself(
	const struct fw_proof_question *question, const struct fw_rb_rewrite *rewrite) {
	fw_space address = fw_space_interval(
		question->spaces, FW_VAR_DESTINATION, rewrite->address, rewrite->address);

	address = both(question, address, is(question, FW_VAR_FAMILY, (uint64_t)rewrite->family));
	/* What was sent to just that address comes to it, with another port. */
	return rewrite->masquerade || fw_space_is_subset(question->spaces, rewrite->set, address) ||
	       fw_space_is_subset(question->spaces, address, loopback_addresses(question));
}

/* What comes in to be sent on to a port of the machine itself, which may let it in there. */
static fw_space let_in(const struct fw_proof_question *question,
	const struct fw_rb_rewrite *rewrite, fw_space accepted) {
	struct fw_spaces *spaces = question->spaces;

	if (!rewrite->masquerade) {
		accepted = both(question, accepted,
			fw_space_interval(
				spaces, FW_VAR_DESTINATION, rewrite->address, rewrite->address));
	}
	if (rewrite->port != 0) {
		accepted = both(question, accepted, is(question, FW_VAR_PORT, rewrite->port));
		accepted = fw_space_exists(spaces, accepted, FW_VAR_PORT);
	}
	accepted = fw_space_exists(spaces, accepted, FW_VAR_DESTINATION);
	accepted = fw_space_exists(spaces, accepted, FW_VAR_TRANSLATED);
	return both(question, accepted, rewrite->set);
}

/* Of a host, what either accepts, as it comes in or as it is translated then. */
static fw_space taken_in(const struct fw_proof_question *question, enum fw_family family) {
	fw_space accepted = coming_in(question, family, AMONG_EITHER), set = accepted;

	for (int side = 0; side < FW_PROOF_SIDES; side++) {
		const struct fw_readback *readback = question->sides[side];
		for (size_t i = 0; i < readback->rewrite_count; i++) {
			const struct fw_rb_rewrite *one = &readback->rewrites[i];
			if (!one->source && one->family == family && is_to_itself(question, one)) {
				set = either(question, set, let_in(question, one, accepted));
			}
		}
	}
	return both(question, set, coming_in(question, family, AMONG_ALL));
}

/* Packets whose destinations are compared. */
static fw_space arriving(const struct fw_proof_question *question, enum fw_family family) {
	const struct fw_proof_scope *scope = question->scope;
	fw_space set = FW_SPACE_EMPTY, sent = FW_SPACE_EMPTY;

	if (scope->translation != FW_PROOF_TAKEN_AWAY) {
		set = coming_in(question, family, AMONG_ALL);
	} else if (!scope->apart[FW_RB_INPUT]) {
		set = taken_in(question, family);
	}
	if (scope->translation == FW_PROOF_EVERYBODY) {
		sent = first_packets(question, FW_RB_OUTPUT, family, AMONG_ALL);
	} else if (!scope->apart[FW_RB_OUTPUT]) {
		sent = going_out(question, family);
	}
	set = either(question, set, sent);
	return both(question, set, is(question, FW_VAR_TRANSLATED, 0));
}

static void collect_destinations(
	const struct fw_readback *readback, enum fw_family family, struct fw_sent_list *out) {
	for (size_t i = 0; i < readback->rewrite_count; i++) {
		const struct fw_rb_rewrite *one = &readback->rewrites[i];
		if (!one->source && one->family == family) {
			FW_VEC_ADD(&out->list, sent_by(one, one->set));
		}
	}
}

static void compare_destinations(
	const struct fw_proof_question *question, enum fw_family family, struct fw_detours *out) {
	struct fw_sent_list sides[FW_PROOF_SIDES] = {0};

	if (!rewrites_any(question, false, family)) {
		return;
	}
	for (int side = 0; side < FW_PROOF_SIDES; side++) {
		collect_destinations(question->sides[side], family, &sides[side]);
	}
	fw_targets_compare(question->spaces, false, family, arriving(question, family), sides, out);
	fw_sent_list_fini(&sides[FW_PROOF_BEFORE]);
	fw_sent_list_fini(&sides[FW_PROOF_AFTER]);
}

/* ---- first destinations ---- */

struct intervals {
	FW_VEC(struct fw_interval) list;
};

static void intervals_fini(struct intervals *intervals) {
	FW_VEC_FINI(&intervals->list);
}

static int compare_bounds(const void *left, const void *right) {
	return fw_addr_compare(*(const struct fw_addr *)left, *(const struct fw_addr *)right);
}

struct bounds {
	FW_VEC(struct fw_addr) list; /* addresses at which an interval begins */
};

static void add_bounds(
	struct bounds *bounds, const struct fw_readback *readback, enum fw_family family) {
	for (size_t i = 0; i < readback->rewrite_count; i++) {
		const struct fw_rb_rewrite *one = &readback->rewrites[i];
		for (size_t j = 0; one->family == family && j < one->original_count; j++) {
			struct fw_addr behind = fw_addr_next(one->originals[j].last);
			FW_VEC_ADD(&bounds->list, one->originals[j].first);
			if (fw_addr_compare(behind, fw_value(0)) != 0) {
				FW_VEC_ADD(&bounds->list, behind);
			}
		}
	}
}

/* All addresses, parted wherever rules for sources tell first destinations apart. */
static void part_originals(
	const struct fw_proof_question *question, enum fw_family family, struct intervals *out) {
	struct fw_addr last = fw_var_max[FW_VAR_DESTINATION], first = fw_value(0);
	struct bounds bounds = {0};

	for (int side = 0; side < FW_PROOF_SIDES; side++) {
		add_bounds(&bounds, question->sides[side], family);
	}
	if (bounds.list.count != 0) {
		qsort(bounds.list.items, bounds.list.count, sizeof(*bounds.list.items),
			compare_bounds);
	}
	for (size_t i = 0; i < bounds.list.count; i++) {
		if (fw_addr_compare(first, bounds.list.items[i]) < 0) {
			struct fw_addr before = fw_addr_previous(bounds.list.items[i]);
			FW_VEC_ADD(&out->list, (struct fw_interval){first, before});
			first = bounds.list.items[i];
		}
	}
	FW_VEC_ADD(&out->list, (struct fw_interval){first, last});
	FW_VEC_FINI(&bounds.list);
}

/* What comes of packets, of what is not told about them as they leave. */
static fw_space image(const struct fw_proof_question *question, const struct fw_rb_rewrite *rewrite,
	fw_space set) {
	struct fw_spaces *spaces = question->spaces;

	set = fw_space_exists(spaces, set, FW_VAR_DESTINATION);
	set = fw_space_exists(spaces, set, FW_VAR_TRANSLATED);
	if (!rewrite->masquerade) {
		set = both(question, set,
			fw_space_interval(
				spaces, FW_VAR_DESTINATION, rewrite->address, rewrite->address));
	}
	if (rewrite->port != 0) {
		set = fw_space_exists(spaces, set, FW_VAR_PORT);
		set = both(question, set, is(question, FW_VAR_PORT, rewrite->port));
	}
	return set;
}

/* Packets that a side has translated from one of these destinations. */
static fw_space images(const struct fw_proof_question *question, const struct fw_readback *readback,
	enum fw_family family, const struct fw_interval *originals) {
	fw_space from = fw_space_interval(
		question->spaces, FW_VAR_DESTINATION, originals->low, originals->high);
	fw_space *sets = fw_resize(NULL, readback->rewrite_count, sizeof(*sets));
	size_t count = 0;

	for (size_t i = 0; i < readback->rewrite_count; i++) {
		const struct fw_rb_rewrite *one = &readback->rewrites[i];
		fw_space set = one->source || one->family != family
				       ? FW_SPACE_EMPTY
				       : both(question, one->set, from);
		if (set != FW_SPACE_EMPTY) {
			sets[count++] = image(question, one, set);
		}
	}
	fw_space all = fw_space_union_all(question->spaces, sets, count);
	free(sets);
	return all;
}

/* ---- sources ---- */

/* What the machine itself sends, but for what a policy masquerades: such sources are others'. */
static fw_space sent_by_itself(const struct fw_proof_question *question, enum fw_family family) {
	fw_space set = first_packets(question, FW_RB_OUTPUT, family, AMONG_BOTH);

	if (question->scope->translation == FW_PROOF_EVERYBODY) {
		return set;
	}
	for (int side = 0; side < FW_PROOF_SIDES; side++) {
		const struct fw_readback *readback = question->sides[side];
		for (size_t i = 0; i < readback->rewrite_count; i++) {
			const struct fw_rb_rewrite *one = &readback->rewrites[i];
			if (one->source && one->place.text == NULL) {
				set = fw_space_subtract(question->spaces, set, one->set);
			}
		}
	}
	return set;
}

/* Packets whose sources are compared. */
static fw_space departing(const struct fw_proof_question *question, enum fw_family family) {
	const struct fw_proof_scope *scope = question->scope;
	fw_space set = first_packets(question, FW_RB_FORWARD, family, AMONG_BOTH);

	if (!scope->apart[FW_RB_OUTPUT]) {
		set = either(question, set, sent_by_itself(question, family));
	}
	if (scope->translation == FW_PROOF_EVERYBODY) {
		set = either(
			question, set, first_packets(question, FW_RB_INPUT, family, AMONG_BOTH));
	}
	return set;
}

static bool applies(const struct fw_rb_rewrite *rewrite, const struct fw_interval *originals) {
	bool found = rewrite->original_count == 0;

	for (size_t i = 0; !found && i < rewrite->original_count; i++) {
		const struct fw_range *range = &rewrite->originals[i];
		found = fw_addr_compare(range->first, originals->low) <= 0 &&
			fw_addr_compare(originals->high, range->last) <= 0;
	}
	return found;
}

/* Rules for sources of what was sent to one of these addresses first. */
static void collect_sources(const struct fw_readback *readback, enum fw_family family,
	const struct fw_interval *originals, struct fw_sent_list *out) {
	for (size_t i = 0; i < readback->rewrite_count; i++) {
		const struct fw_rb_rewrite *one = &readback->rewrites[i];
		if (one->source && one->family == family && applies(one, originals)) {
			FW_VEC_ADD(&out->list, sent_by(one, one->set));
		}
	}
}

static void compare_sources_from(const struct fw_proof_question *question, enum fw_family family,
	fw_space all, const struct fw_interval *originals, struct fw_detours *out) {
	struct fw_sent_list sides[FW_PROOF_SIDES] = {0};

	if (all == FW_SPACE_EMPTY) {
		return;
	}
	for (int side = 0; side < FW_PROOF_SIDES; side++) {
		collect_sources(question->sides[side], family, originals, &sides[side]);
	}
	fw_targets_compare(question->spaces, true, family, all, sides, out);
	fw_sent_list_fini(&sides[FW_PROOF_BEFORE]);
	fw_sent_list_fini(&sides[FW_PROOF_AFTER]);
}

/* Where both do not translate destinations alike that is a difference of its own. */
static void compare_sources(
	const struct fw_proof_question *question, enum fw_family family, struct fw_detours *out) {
	FW_AUTO(intervals_fini) struct intervals originals = {0};
	const struct fw_readback *const *sides = question->sides;

	if (question->scope->translation == FW_PROOF_TAKEN_AWAY ||
		!rewrites_any(question, true, family)) {
		return;
	}
	fw_space all = departing(question, family);
	fw_space kept = both(question, all, is(question, FW_VAR_TRANSLATED, 0));
	fw_space translated = both(question, all, is(question, FW_VAR_TRANSLATED, 1));
	part_originals(question, family, &originals);
	for (size_t i = 0; i < originals.list.count; i++) {
		const struct fw_interval *from = &originals.list.items[i];
		fw_space to = fw_space_interval(
			question->spaces, FW_VAR_DESTINATION, from->low, from->high);
		fw_space made =
			both(question, images(question, sides[FW_PROOF_BEFORE], family, from),
				images(question, sides[FW_PROOF_AFTER], family, from));
		fw_space part = either(
			question, both(question, kept, to), both(question, translated, made));
		compare_sources_from(question, family, part, from, out);
	}
}

void fw_proof_find_detours(const struct fw_proof_question *question, struct fw_detours *out) {
	for (int i = FW_IPV4; i < FW_FAMILY_COUNT; i++) {
		enum fw_family family = (enum fw_family)i;
		enum fw_family only = question->scope->family;
		if (only == FW_FAMILY_NONE || only == family) {
			compare_destinations(question, family, out);
			compare_sources(question, family, out);
		}
	}
	fw_detours_settle(question->spaces, out);
}

bool fw_proof_may_take_away(struct fw_spaces *spaces, fw_space universe,
	const struct fw_proof_scope *scope, const struct fw_readback *before,
	const struct fw_readback *after, const struct fw_rb_unknown *unknown) {
	struct fw_proof_question question = {
		.spaces = spaces, .universe = universe, .scope = scope, .sides = {before, after}};
	/* What is perhaps sent on to the machine itself may come to be accepted there. */
	enum among among = unknown->own ? AMONG_ALL : AMONG_BEFORE;
	fw_space taken = FW_SPACE_EMPTY;

	fw_proof_find_within(&question);
	for (int i = FW_IPV4; i < FW_FAMILY_COUNT; i++) {
		enum fw_family family = (enum fw_family)i;
		if (!scope->apart[FW_RB_INPUT]) {
			taken = either(&question, taken, coming_in(&question, family, among));
		}
		if (!scope->apart[FW_RB_OUTPUT]) {
			taken = either(&question, taken, going_out(&question, family));
		}
	}
	return !unknown->source && both(&question, taken, unknown->translated) != FW_SPACE_EMPTY;
}
