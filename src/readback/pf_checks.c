// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the text leaves open, checked by other runs: packets with an address of this host that are
 * not its own, broadcast addresses, what releases take for answers; and whether answers pass to
 * what leaves no state.
 */

#include "readback/pf_lower.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* ---- checks ---- */

static bool mentions(const struct fw_pfr_side *side) {
	for (size_t i = 0; i < side->count; i++) {
		enum fw_pfr_address_kind kind = side->items[i].kind;
		if (kind == FW_PFR_SELF || kind == FW_PFR_OWN || kind == FW_PFR_BROADCAST) {
			return true;
		}
	}
	return false;
}

/* Whether rules ask for this host's addresses on a side, but for rules of one direction. */
static bool rules_mention(
	const struct fw_pfr_ruleset *ruleset, bool source, enum fw_pfr_direction but) {
	for (size_t i = 0; i < ruleset->count; i++) {
		const struct fw_pfr_rule *rule = &ruleset->rules[i];
		if (rule->direction != but || but == FW_PFR_BOTH_WAYS) {
			if (mentions(source ? &rule->source : &rule->destination)) {
				return true;
			}
		}
		if (rule->body != NULL && rules_mention(rule->body, source, but)) {
			return true;
		}
	}
	return false;
}

static bool config_mentions(
	const struct fw_pfr_config *config, bool source, enum fw_pfr_direction but) {
	return rules_mention(&config->rules, source, but) ||
	       rules_mention(&config->translations, source, but);
}

/* Among packets that are compared at all. */
static bool is_no_more(struct fw_pfl_lowering *low, fw_space one, fw_space other) {
	one = fw_pfl_without(low, fw_pfl_both(low, one, low->universe), low->outside);
	return fw_space_is_subset(low->spaces, one, other);
}

/* Notes of another run are about the same rules, so they are kept, too. */
void fw_pfl_check_spoofed(
	struct fw_pfl_lowering *low, enum fw_rb_hook hook, const struct fw_pfl_verdicts *verdicts) {
	FW_AUTO(fw_pfl_trip_fini) struct fw_pfl_trip trip = {0};
	bool forward = hook == FW_RB_FORWARD;

	if (!config_mentions(low->config, true, forward ? FW_PFR_BOTH_WAYS : FW_PFR_OUT) ||
		is_no_more(low, fw_pfl_start_space(low, hook), verdicts->passed)) {
		return;
	}
	fw_pfl_assume(low, hook, true);
	if (forward) {
		fw_pfl_travel(low, fw_pfl_start_space(low, hook), &trip);
	} else {
		fw_pfl_journey_local(
			low, hook, fw_pfl_start_space(low, hook), &trip.in, &trip.verdicts);
	}
	if (!is_no_more(low, trip.verdicts.passed, verdicts->passed) ||
		!is_no_more(low, fw_pfl_may_pass(low, &trip.verdicts),
			fw_pfl_may_pass(low, verdicts))) {
		fw_pfl_unknown(low,
			"what passes because its source is an address of this host, coming in");
	}
	fw_pfl_assume(low, hook, false);
}

void fw_pfl_check_broadcast(struct fw_pfl_lowering *low, const struct fw_pfl_verdicts *verdicts) {
	FW_AUTO(fw_pfl_trip_fini) struct fw_pfl_trip trip = {0};
	fw_space among = fw_pfl_without(low, fw_pfl_is(low, FW_VAR_FAMILY, FW_IPV4), low->special);

	if (!config_mentions(low->config, false, FW_PFR_OUT)) {
		return;
	}
	among = fw_pfl_without(low, among, fw_pfl_is(low, FW_VAR_IN, 1));
	fw_pfl_assume(low, FW_RB_INPUT, false);
	low->scene.own_destination = fw_pfl_without(low, low->scene.own_destination, among);
	low->scene.broadcast = among;
	fw_pfl_journey_local(low, FW_RB_INPUT,
		fw_pfl_both(low, fw_pfl_start_space(low, FW_RB_INPUT), among), &trip.in,
		&trip.verdicts);
	if (!is_no_more(
		    low, fw_pfl_may_pass(low, &trip.verdicts), fw_pfl_may_pass(low, verdicts))) {
		fw_pfl_unknown(
			low, "what passes because it comes to a broadcast address of a network");
	} else if (!fw_space_is_subset(low->spaces, fw_pfl_both(low, verdicts->passed, among),
			   trip.verdicts.passed)) {
		fw_pfr_remark(&low->notes,
			fw_arena_printf(low->arena,
				"%s: what comes to a broadcast address of a network passes less "
				"than what comes to an address",
				low->config->name));
	}
	fw_pfl_assume(low, FW_RB_INPUT, false);
}

/* Releases that take more types for answers let fewer of them begin a state. */
void fw_pfl_check_answers(struct fw_pfl_lowering *low, const struct fw_pfl_hook *hook,
	const struct fw_pfl_verdicts *verdicts) {
	static const int none[] = {-1}, types[] = {131, 136, -1};
	FW_AUTO(fw_pfl_trip_fini) struct fw_pfl_trip trip = {0};
	fw_space among = fw_pfr_icmp_space(low->spaces, none, types);
	fw_space start = fw_pfl_both(low, fw_pfl_start_space(low, hook->number), among);

	low->scene.more_answers = true;
	if (hook->number == FW_RB_FORWARD) {
		fw_pfl_travel(low, start, &trip);
	} else {
		fw_pfl_journey_local(low, hook->number, start, &trip.in, &trip.verdicts);
	}
	low->scene.more_answers = false;
	fw_space one = fw_pfl_both(low, fw_pfl_may_pass(low, verdicts), among);
	fw_space other = fw_pfl_may_pass(low, &trip.verdicts);
	fw_space differ = fw_pfl_either(
		low, fw_pfl_without(low, one, other), fw_pfl_without(low, other, one));
	if (differ != FW_SPACE_EMPTY) {
		differ = fw_pfl_both(low, fw_pfl_filled(low, hook, differ), low->fresh);
		low->outside = fw_pfl_either(low, low->outside, differ);
		fw_pfr_remark(&low->notes,
			fw_arena_printf(low->arena,
				"%s: IPv6 neighbour advertisements and listener reports pass on "
				"some releases of pf alone",
				low->config->name));
	}
}

/* ---- answers to what left no state ---- */

/* SYN without ACK; what is not TCP has none to ask for. */
static fw_space beginning(struct fw_pfl_lowering *low, fw_space set) {
	enum { SYN = 2, SYN_ACK = 18 };
	fw_space others = fw_pfl_without(low, set, fw_pfl_is(low, FW_VAR_PROTOCOL, IPPROTO_TCP));

	return fw_pfl_either(low, others,
		fw_pfl_both(low, set, fw_space_masked(low->spaces, FW_VAR_FLAGS, SYN_ACK, SYN)));
}

/* Protocols but for ICMP and membership in multicast, and these types of ICMP. */
static fw_space conversations(struct fw_pfl_lowering *low, const int *v4, const int *v6) {
	static const uint8_t others[] = {IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_IGMP};
	fw_space set = FW_SPACE_ALL;

	for (size_t i = 0; i < FW_LENGTH(others); i++) {
		set = fw_pfl_without(low, set, fw_pfl_is(low, FW_VAR_PROTOCOL, others[i]));
	}
	return fw_pfl_either(low, set, fw_pfr_icmp_space(low->spaces, v4, v6));
}

/*
 * What can be answered. The messages that neighbours find each other by are no part of it, as they
 * are not tracked, nor are queries of node information, which only some releases keep states of.
 */
static fw_space answerable(struct fw_pfl_lowering *low) {
	static const int v4[] = {8, 13, 15, 17, -1}, v6[] = {128, -1};

	return conversations(low, v4, v6);
}

static fw_space answering(struct fw_pfl_lowering *low) {
	static const int v4[] = {0, 14, 16, 18, -1}, v6[] = {129, -1};

	return conversations(low, v4, v6);
}

/* Of what is forwarded, one of two rules: there is no saying which. */
static struct fw_place decider(struct fw_pfl_lowering *low, enum fw_rb_hook hook, fw_space set) {
	for (size_t i = 0; hook != FW_RB_FORWARD && i < low->decisions.count; i++) {
		const struct fw_rb_decision *one = &low->decisions.items[i];
		if (one->hook == hook && one->accepts &&
			fw_pfl_both(low, one->set, set) != FW_SPACE_EMPTY) {
			return one->place;
		}
	}
	return (struct fw_place){.text = low->config->name};
}

static fw_space without_loopback(struct fw_pfl_lowering *low, fw_space set) {
	set = fw_pfl_without(low, set, fw_pfl_is(low, FW_VAR_IN, 1));
	return fw_pfl_without(low, set, fw_pfl_is(low, FW_VAR_OUT, 1));
}

/* Of these, what can be answered. */
static fw_space begun_space(struct fw_pfl_lowering *low, fw_space set) {
	set = fw_pfl_both(low, beginning(low, set), answerable(low));
	return without_loopback(low, fw_pfl_without(low, set, low->outside));
}

/* What answers these, as packets of a hook that are new. */
static fw_space answers_space(
	struct fw_pfl_lowering *low, fw_space begun, const struct fw_pfl_hook *back) {
	for (int var = FW_VAR_HOOK; var < FW_VAR_COUNT; var++) {
		if (var != (int)FW_VAR_FAMILY && var != (int)FW_VAR_PROTOCOL) {
			begun = fw_space_exists(low->spaces, begun, (enum fw_var)var);
		}
	}
	fw_space kinds = fw_pfl_both(low, begun, answering(low));
	fw_space answers = fw_pfl_both(low, fw_pfl_both(low, back->all, low->fresh), kinds);
	return fw_pfl_without(low, without_loopback(low, answers), low->outside);
}

/* Whether all passes and leaves no state, so that it is known what becomes of answers: there may be
 * any. What is sent elsewhere is another hook's. */
static bool keeps_nothing(struct fw_pfl_lowering *low, const struct fw_pfl_hook *hook) {
	fw_space all = begun_space(low, fw_pfl_both(low, hook->all, low->fresh));

	all = fw_pfl_both(low, all, fw_pfl_is(low, FW_VAR_TRANSLATED, 0));
	return hook->number != FW_RB_FORWARD &&
	       fw_space_is_subset(low->spaces, all, hook->verdicts.stateless);
}

/* With the tracking of what belongs to something; what has a state of its own begins something. */
void fw_pfl_find_unanswered(
	struct fw_pfl_lowering *low, const struct fw_pfl_hook *hook, struct fw_pfl_hook *back) {
	fw_space begun = begun_space(low, hook->verdicts.stateless);

	if (!keeps_nothing(low, hook)) {
		return;
	}
	fw_space set = fw_pfl_without(
		low, answers_space(low, begun, back), fw_pfl_may_pass(low, &back->verdicts));
	set = fw_space_exists(low->spaces, set, FW_VAR_TRACKING);
	back->unanswered = fw_pfl_both(low, fw_pfl_both(low, set, back->all),
		fw_pfl_is(low, FW_VAR_TRACKING, FW_TRACKING_ESTABLISHED));
}

void fw_pfl_check_answered(struct fw_pfl_lowering *low, const struct fw_pfl_hook *hook,
	const struct fw_pfl_hook *back) {
	fw_space begun = begun_space(low, hook->verdicts.stateless);

	if (begun == FW_SPACE_EMPTY || keeps_nothing(low, hook)) {
		return;
	}
	fw_space answers = answers_space(low, begun, back);
	if (!fw_space_is_subset(low->spaces, answers, back->verdicts.exactly)) {
		fw_pfr_unknown(&low->notes, decider(low, hook->number, begun),
			"packets that pass without a state, so that answers to them are judged "
			"anew");
		low->notes.unknowns.items[low->notes.unknowns.count - 1].hook = back->number;
	}
}
