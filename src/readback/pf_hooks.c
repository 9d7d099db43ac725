// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a hook accepts, by what its packets have come to: the verdicts about packets that cannot
 * come, who decides, at which rates, and what belongs to states.
 */

#include "readback/pf_lower.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* ---- who decides ---- */

/*
 * What is said of packets that came is said of those that can't come, too, so that what is left
 * open is no difference from anything.
 */
fw_space fw_pfl_filled(struct fw_pfl_lowering *low, const struct fw_pfl_hook *hook, fw_space set) {
	static const enum fw_var ends[] = {FW_VAR_IN, FW_VAR_OUT};
	struct fw_spaces *spaces = low->spaces;

	set = fw_space_exists(spaces, set, FW_PFR_VAR_TAG);
	fw_space translated = fw_space_restrict(spaces, set, FW_VAR_TRANSLATED, fw_value(0));
	translated = fw_pfl_both(low, translated, fw_pfl_is(low, FW_VAR_TRANSLATED, 1));
	set = fw_pfl_either(low, set, fw_pfl_without(low, translated, hook->images));
	for (size_t i = 0; hook->number == FW_RB_FORWARD && i < FW_LENGTH(ends); i++) {
		fw_space other = fw_space_restrict(spaces, set, ends[i], fw_value(low->last));
		set = fw_pfl_either(low, set, fw_pfl_both(low, other, fw_pfl_is(low, ends[i], 1)));
	}
	return fw_pfl_both(low, set, hook->all);
}

/* Where SYN would pass, mid-stream is not told from it; SYN with other flags than ACK is. */
fw_space fw_pfl_with_midstream(struct fw_pfl_lowering *low, fw_space set) {
	enum { SYN = 2, SYN_ACK = 18 };
	fw_space begun = fw_space_restrict(low->spaces, set, FW_VAR_FLAGS, fw_value(SYN));

	begun = fw_pfl_both(low, begun, fw_pfl_is(low, FW_VAR_PROTOCOL, IPPROTO_TCP));
	begun = fw_pfl_without(
		low, begun, fw_space_masked(low->spaces, FW_VAR_FLAGS, SYN_ACK, SYN));
	return fw_pfl_either(low, set, begun);
}

/*
 * Of rules that block, only what they block in the end: that goes before what lets packets pass,
 * of which the first one counts. A quick one has the last word, where there are no limits. What is
 * dropped for its IP options is so by pf itself, with such a rule or without any.
 */
static void add_decision(
	struct fw_pfl_lowering *low, const struct fw_pfl_hook *hook, const struct fw_pfr_hit *hit) {
	const struct fw_pfr_rule *rule = hit->rule;
	struct fw_place place = rule->place;
	bool passes = rule->action != FW_PFR_BLOCK && !hit->for_options;
	fw_space set = hit->set;

	if (hit->last != rule) {
		place.text =
			fw_arena_printf(low->arena, "%s to %s", place.text, hit->last->place.text);
	}

	set = fw_pfl_both(low, fw_pfl_filled(low, hook, set), low->fresh);
	if (passes) {
		set = fw_pfl_both(low, fw_pfl_with_midstream(low, set), hook->all);
	} else if (!rule->quick || hook->verdicts.rated.list.count != 0) {
		set = fw_pfl_both(low, set,
			fw_pfl_either(low, hook->verdicts.dropped, hook->verdicts.returned));
	}
	if (set != FW_SPACE_EMPTY) {
		FW_VEC_ADD(&low->decisions, (struct fw_rb_decision){.hook = hook->number,
						    .accepts = passes,
						    .rejects = !passes && rule->returns,
						    .limited = passes && rule->bounds != NULL,
						    .foreign = hit->for_options,
						    .set = set,
						    .place = place});
	}
}

/* Keeps the sets of these decisions, and forgets what was made for them. */
static void forget_others(struct fw_pfl_lowering *low, uint32_t mark, size_t first) {
	size_t count = low->decisions.count - first;
	fw_space *kept = fw_resize(NULL, count + 1, sizeof(*kept));

	for (size_t i = 0; i < count; i++) {
		kept[i] = low->decisions.items[first + i].set;
	}
	fw_spaces_release(low->spaces, mark, kept, count);
	for (size_t i = 0; i < count; i++) {
		low->decisions.items[first + i].set = kept[i];
	}
	free(kept);
}

/* With `all`, those that let packets pass too. */
void fw_pfl_add_decisions(struct fw_pfl_lowering *low, const struct fw_pfl_hook *hook,
	const struct fw_pfr_hits *hits, bool all) {
	for (size_t i = 0; i < hits->list.count;) {
		size_t end = i + FW_PFR_CHUNK, first = low->decisions.count;
		uint32_t mark = fw_spaces_mark(low->spaces);
		for (; i < hits->list.count && i < end; i++) {
			const struct fw_pfr_hit *hit = &hits->list.items[i];
			if (all || hit->rule->action == FW_PFR_BLOCK || hit->for_options) {
				add_decision(low, hook, hit);
			}
		}
		if (i == end && !low->spaces->exhausted) {
			forget_others(low, mark, first);
		}
	}
}

static void add_own_decision(struct fw_pfl_lowering *low, const struct fw_pfl_hook *hook,
	bool accepts, fw_space set, const char *who) {
	set = fw_pfl_both(low, set, hook->all);
	if (set != FW_SPACE_EMPTY) {
		FW_VEC_ADD(&low->decisions,
			(struct fw_rb_decision){.hook = hook->number,
				.accepts = accepts,
				.set = set,
				.place = {.text = fw_arena_printf(
						  low->arena, "%s: %s", low->config->name, who)}});
	}
}

/* Where no rule is about them, IP options are not allowed either. */
static void add_unallowed(struct fw_pfl_lowering *low, const struct fw_pfl_hook *hook) {
	fw_space set = fw_pfl_both(low, hook->verdicts.dropped, fw_pfr_membership(low->spaces));
	size_t before = low->decisions.count;

	add_own_decision(low, hook, false, set, "no rule lets its IP options pass");
	if (low->decisions.count != before) {
		low->decisions.items[before].foreign = true;
	}
}

/* ---- rates ---- */

/* So many in so many seconds; the smallest unit that tells it exactly, else a little more. */
static struct fw_rate rate_of(uint64_t count, uint64_t seconds, uint64_t burst, bool per_source) {
	static const uint32_t lengths[FW_UNIT_COUNT] = {
		[FW_SECOND] = 1, [FW_MINUTE] = 60, [FW_HOUR] = 3600, [FW_DAY] = 86400};
	int unit = FW_SECOND;

	while (unit < FW_DAY && count * lengths[unit] % seconds != 0) {
		unit++;
	}
	uint64_t rate = (count * lengths[unit] + seconds - 1) / seconds;
	return (struct fw_rate){
		.count = rate > UINT32_MAX ? UINT32_MAX : (uint32_t)rate,
		.unit = (enum fw_unit)unit,
		.burst = (uint32_t)burst,
		.per_source = per_source,
	};
}

/* States are shorter of life the more there are, unless that is put off (pf.conf, adaptive). */
static struct fw_rate rate_of_count(struct fw_pfl_lowering *low, const struct fw_pfr_rule *rule,
	uint32_t count, bool per_source) {
	enum { SCALED = 3 };
	uint32_t shortest = UINT32_MAX;
	bool all = rule->protocol_count == 0;
	bool classes[FW_PFR_TIMEOUT_CLASSES] = {all, all, all, all};

	for (size_t i = 0; i < rule->protocol_count; i++) {
		uint8_t protocol = rule->protocols[i];
		bool icmp = protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6;
		classes[protocol == IPPROTO_TCP	  ? FW_PFR_TCP
			: protocol == IPPROTO_UDP ? FW_PFR_UDP
			: icmp			  ? FW_PFR_ICMP
						  : FW_PFR_OTHER] = true;
	}
	for (int class = 0; class < FW_PFR_TIMEOUT_CLASSES; class ++) {
		uint32_t seconds =
			fw_pfr_shortest(rule->bounds->timeouts, (enum fw_pfr_timeout_class) class);
		if (classes[class] && seconds < shortest) {
			shortest = seconds;
		}
	}
	if (low->config->timeouts) {
		fw_pfr_unknown(&low->notes, rule->place,
			"a count of states whose timeouts were changed for all");
	}
	bool steady = rule->bounds->timeouts[FW_PFR_ADAPTIVE_START] >= count;
	return rate_of((uint64_t)count * (steady ? 1 : SCALED), shortest, count, per_source);
}

/* One of a rule's bounds; the others are stricter, if anything. */
static struct fw_rate rate(struct fw_pfl_lowering *low, const struct fw_pfr_rule *rule) {
	const struct fw_pfr_bounds *bounds = rule->bounds;
	const struct fw_pfr_pace *pace =
		bounds->packets.count != 0 ? &bounds->packets : &bounds->connections;

	if (pace->count != 0) {
		return rate_of(
			pace->count, pace->seconds, pace->count, pace == &bounds->connections);
	}
	if (bounds->max != 0) {
		return rate_of_count(low, rule, bounds->max, false);
	}
	if (bounds->source_states != 0) {
		return rate_of_count(low, rule, bounds->source_states, true);
	}
	return rate_of_count(low, rule, bounds->source_connections, true);
}

/* ---- what a hook accepts ---- */

/* Everything passes there without a state, so that there is nothing to be invalid. */
static fw_space valid_space(struct fw_pfl_lowering *low, const struct fw_pfl_hook *hook) {
	fw_space looked_at = fw_pfl_either(low, hook->verdicts.stateless, hook->verdicts.skipped);
	fw_space set =
		fw_pfl_both(low, hook->all, fw_pfl_is(low, FW_VAR_TRACKING, FW_TRACKING_NEW));

	/* What is invalid was not translated. */
	set = fw_pfl_both(low, set, fw_pfl_is(low, FW_VAR_TRANSLATED, 0));
	set = fw_pfl_without(low, fw_pfl_without(low, set, low->outside), looked_at);
	/* What is dropped for its IP options leaves none, either. */
	set = fw_pfl_without(
		low, set, fw_pfl_both(low, hook->verdicts.dropped, fw_pfr_membership(low->spaces)));
	for (int var = FW_VAR_FAMILY; var < FW_VAR_COUNT; var++) {
		set = fw_space_exists(low->spaces, set, (enum fw_var)var);
	}
	return fw_pfl_without(low,
		fw_pfl_both(low, hook->all, fw_pfl_is(low, FW_VAR_TRACKING, FW_TRACKING_INVALID)),
		set);
}

static void add_rated(struct fw_pfl_lowering *low, struct fw_pfl_hook *hook, fw_space must) {
	for (size_t i = 0; i < hook->verdicts.rated.list.count; i++) {
		const struct fw_pfr_hit *hit = &hook->verdicts.rated.list.items[i];
		fw_space set = fw_pfl_without(low, hit->set, must);
		if (set != FW_SPACE_EMPTY) {
			FW_VEC_ADD(&low->rated, (struct fw_rb_rated){.hook = hook->number,
							.set = set,
							.rate = rate(low, hit->rule),
							.place = hit->rule->place});
		}
	}
}

/* The verdicts, about all packets of the hook. */
void fw_pfl_settle(struct fw_pfl_lowering *low, struct fw_pfl_hook *hook) {
	struct fw_pfl_verdicts *verdicts = &hook->verdicts;
	fw_space *sets[] = {&verdicts->passed, &verdicts->stateless, &verdicts->skipped,
		&verdicts->dropped, &verdicts->returned};
	fw_space blocked = fw_pfl_either(low, verdicts->dropped, verdicts->returned);

	hook->images = fw_pfl_either(low, fw_pfl_may_pass(low, verdicts), blocked);
	hook->images = fw_pfl_both(low, hook->images, fw_pfl_is(low, FW_VAR_TRANSLATED, 1));
	for (size_t i = 0; i < FW_LENGTH(sets); i++) {
		*sets[i] = fw_pfl_both(low, fw_pfl_filled(low, hook, *sets[i]), low->fresh);
	}
	blocked = fw_pfl_either(low, verdicts->dropped, verdicts->returned);
	if (fw_pfl_both(low, verdicts->passed, blocked) != FW_SPACE_EMPTY) {
		fw_pfl_unknown(low,
			"packets that are alike behind a translation, and judged by what they "
			"were before");
	}
	verdicts->exactly = verdicts->passed;
	verdicts->passed =
		fw_pfl_both(low, fw_pfl_with_midstream(low, verdicts->passed), hook->all);
	for (size_t i = 0; i < verdicts->rated.list.count; i++) {
		struct fw_pfr_hit *hit = &verdicts->rated.list.items[i];
		hit->set = fw_pfl_both(low, fw_pfl_filled(low, hook, hit->set), low->fresh);
		hit->set = fw_pfl_both(low, fw_pfl_with_midstream(low, hit->set), hook->all);
	}
	fw_space may = fw_pfl_may_pass(low, verdicts);
	verdicts->dropped = fw_pfl_without(low, verdicts->dropped, may);
	verdicts->returned = fw_pfl_without(low, verdicts->returned, may);
}

void fw_pfl_add_hook(
	struct fw_pfl_lowering *low, struct fw_pfl_hook *hook, struct fw_readback *out) {
	fw_space known = fw_pfl_both(low, hook->all,
		fw_pfr_between(low->spaces, FW_VAR_TRACKING, FW_TRACKING_ESTABLISHED,
			FW_TRACKING_RELATED));
	fw_space valid = valid_space(low, hook);

	known = fw_pfl_without(low, known, hook->unanswered);
	fw_space must = fw_pfl_either(low, hook->verdicts.passed, fw_pfl_either(low, known, valid));

	out->must[hook->number] = must;
	out->may[hook->number] = fw_pfl_either(low, must, fw_pfl_may_pass(low, &hook->verdicts));
	out->rejected[hook->number] = hook->verdicts.returned;
	add_rated(low, hook, must);
	add_own_decision(low, hook, true, known, "the states of what passed before");
	add_own_decision(
		low, hook, false, hook->unanswered, "what it answers passed without a state");
	add_own_decision(low, hook, true,
		fw_pfl_both(low, fw_pfl_either(low, hook->verdicts.passed, valid),
			fw_pfl_either(low, valid,
				fw_pfl_either(
					low, hook->verdicts.stateless, hook->verdicts.skipped))),
		"no rule is about it");
	add_unallowed(low, hook);
	add_own_decision(low, hook, false,
		fw_pfl_without(low, fw_pfl_is(low, FW_VAR_TRACKING, FW_TRACKING_INVALID), valid),
		"what a state refuses is dropped");
}
