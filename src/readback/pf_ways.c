// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Packets of a hook on their way through the rules: what is assumed of them at the start, once
 * through for input and output, in and out for what is forwarded, and what they come to.
 */

#include "readback/pf_lower.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

void fw_pfl_verdicts_fini(struct fw_pfl_verdicts *verdicts) {
	FW_VEC_FINI(&verdicts->rated.list);
}

fw_space fw_pfl_hook_space(struct fw_pfl_lowering *low, enum fw_rb_hook hook) {
	return fw_pfl_both(low, low->universe, fw_pfl_is(low, FW_VAR_HOOK, hook));
}

void fw_pfl_unknown(struct fw_pfl_lowering *low, const char *what) {
	fw_pfr_unknown(&low->notes, (struct fw_place){.text = low->config->name}, what);
}

/* First packets as they come, none of them tagged or translated. */
fw_space fw_pfl_start_space(struct fw_pfl_lowering *low, enum fw_rb_hook hook) {
	fw_space set = fw_pfl_both(low, fw_pfl_hook_space(low, hook),
		fw_pfl_is(low, FW_VAR_TRACKING, FW_TRACKING_NEW));

	set = fw_pfl_both(low, set, fw_pfl_is(low, FW_VAR_TRANSLATED, 0));
	set = fw_space_exists(low->spaces, set, FW_VAR_TRACKING);
	set = fw_space_exists(low->spaces, set, FW_PFR_VAR_TAG);
	if (hook == FW_RB_FORWARD) {
		set = fw_pfl_without(low, set, fw_pfl_either(low, low->special, low->unspecified));
		set = fw_pfl_without(low, set, fw_pfl_is(low, FW_VAR_IN, 1));
		set = fw_pfl_without(low, set, fw_pfl_is(low, FW_VAR_OUT, 1));
	}
	return fw_pfl_both(low, set, fw_pfl_is(low, FW_PFR_VAR_TAG, 0));
}

/* ---- one way of packets ---- */

static void summarize(struct fw_pfl_lowering *low, const struct fw_pfr_journey *journey,
	struct fw_pfl_verdicts *out) {
	*out = (struct fw_pfl_verdicts){0};
	for (size_t i = 0; i < journey->ends.list.count; i++) {
		const struct fw_pfr_stream *end = &journey->ends.list.items[i];
		if (end->rated != NULL) {
			FW_VEC_ADD(&out->rated.list,
				(struct fw_pfr_hit){end->rated, end->rated, end->set});
			continue;
		}
		switch (end->kind) {
		case FW_PFR_SKIPPED:
			out->skipped = fw_pfl_either(low, out->skipped, end->set);
			out->passed = fw_pfl_either(low, out->passed, end->set);
			break;
		case FW_PFR_UNMATCHED:
		case FW_PFR_STATELESS:
			out->stateless = fw_pfl_either(low, out->stateless, end->set);
			out->passed = fw_pfl_either(low, out->passed, end->set);
			break;
		case FW_PFR_PASSED:
			out->passed = fw_pfl_either(low, out->passed, end->set);
			break;
		case FW_PFR_DROPPED:
			out->dropped = fw_pfl_either(low, out->dropped, end->set);
			break;
		case FW_PFR_RETURNED:
			out->returned = fw_pfl_either(low, out->returned, end->set);
			break;
		case FW_PFR_NO_KIND:
			break;
		}
	}
}

/* Where packets end, their tags are forgotten. */
static void forget_tags(struct fw_pfl_lowering *low, struct fw_pfl_verdicts *verdicts) {
	fw_space *sets[] = {&verdicts->passed, &verdicts->stateless, &verdicts->skipped,
		&verdicts->dropped, &verdicts->returned};

	for (size_t i = 0; i < FW_LENGTH(sets); i++) {
		*sets[i] = fw_space_exists(low->spaces, *sets[i], FW_PFR_VAR_TAG);
	}
	for (size_t i = 0; i < verdicts->rated.list.count; i++) {
		fw_space *set = &verdicts->rated.list.items[i].set;
		*set = fw_space_exists(low->spaces, *set, FW_PFR_VAR_TAG);
	}
}

fw_space fw_pfl_may_pass(struct fw_pfl_lowering *low, const struct fw_pfl_verdicts *verdicts) {
	size_t count = verdicts->rated.list.count;
	fw_space *sets = fw_resize(NULL, count + 1, sizeof(*sets));

	for (size_t i = 0; i < count; i++) {
		sets[i] = verdicts->rated.list.items[i].set;
	}
	sets[count] = verdicts->passed;
	fw_space set = fw_space_union_all(low->spaces, sets, count + 1);
	free(sets);
	return set;
}

/* Assumptions of a hook; `spoofed` is about sources that are this host's nevertheless. */
void fw_pfl_assume(struct fw_pfl_lowering *low, enum fw_rb_hook hook, bool spoofed) {
	struct fw_pfr_scene *scene = &low->scene;

	scene->more_answers = false;
	scene->broadcast = FW_SPACE_EMPTY;
	scene->own_source = scene->own_destination = FW_SPACE_EMPTY;
	switch (hook) {
	case FW_RB_INPUT:
		scene->own_destination = fw_space_complement(low->spaces, low->special);
		scene->own_source =
			fw_pfl_without(low, fw_pfl_is(low, FW_VAR_IN, 1), low->unspecified);
		break;
	case FW_RB_OUTPUT:
		scene->own_source = fw_space_complement(low->spaces, low->unspecified);
		scene->own_destination = fw_pfl_is(low, FW_VAR_OUT, 1);
		break;
	case FW_RB_FORWARD:
	case FW_RB_NONE:
		break;
	}
	if (spoofed) {
		scene->own_source = fw_space_complement(low->spaces, low->unspecified);
	}
}

/* ---- input and output ---- */

void fw_pfl_journey_local(struct fw_pfl_lowering *low, enum fw_rb_hook hook, fw_space start,
	struct fw_pfr_journey *out_journey, struct fw_pfl_verdicts *out_verdicts) {
	low->scene.direction = hook == FW_RB_INPUT ? FW_PFR_IN : FW_PFR_OUT;
	fw_pfr_run(&low->scene, start, out_journey);
	summarize(low, out_journey, out_verdicts);
	forget_tags(low, out_verdicts);
}

/* ---- forward ---- */

static void add_verdicts(struct fw_pfl_lowering *low, struct fw_pfl_verdicts *to,
	const struct fw_pfl_verdicts *from) {
	to->dropped = fw_pfl_either(low, to->dropped, from->dropped);
	to->returned = fw_pfl_either(low, to->returned, from->returned);
}

void fw_pfl_trip_fini(struct fw_pfl_trip *trip) {
	fw_pfr_journey_fini(&trip->in);
	fw_pfr_journey_fini(&trip->out);
	fw_pfl_verdicts_fini(&trip->verdicts);
}

/* What passes on the way in only up to some bounds goes its way out beside the others. */
static void rated_out(
	struct fw_pfl_lowering *low, const struct fw_pfr_hit *hit, struct fw_pfl_trip *trip) {
	FW_AUTO(fw_pfr_journey_fini) struct fw_pfr_journey journey = {0};
	FW_AUTO(fw_pfl_verdicts_fini) struct fw_pfl_verdicts verdicts = {0};

	fw_pfr_run(&low->scene, hit->set, &journey);
	summarize(low, &journey, &verdicts);
	FW_VEC_ADD(&trip->verdicts.rated.list,
		(struct fw_pfr_hit){hit->rule, hit->rule, fw_pfl_may_pass(low, &verdicts)});
	add_verdicts(low, &trip->verdicts, &verdicts);
	for (size_t i = 0; i < journey.hits.list.count; i++) {
		FW_VEC_ADD(&trip->out.hits.list, journey.hits.list.items[i]);
	}
	for (size_t i = 0; i < journey.translated.list.count; i++) {
		FW_VEC_ADD(&trip->out.translated.list, journey.translated.list.items[i]);
	}
}

/* In and out; what is stateless is so on one of both ways. */
void fw_pfl_travel(struct fw_pfl_lowering *low, fw_space start, struct fw_pfl_trip *trip) {
	FW_AUTO(fw_pfl_verdicts_fini) struct fw_pfl_verdicts in = {0};
	struct fw_pfl_verdicts *out = &trip->verdicts;

	low->scene.direction = FW_PFR_IN;
	fw_pfr_run(&low->scene, start, &trip->in);
	summarize(low, &trip->in, &in);
	low->scene.direction = FW_PFR_OUT;
	fw_pfr_run(&low->scene, in.passed, &trip->out);
	summarize(low, &trip->out, out);
	add_verdicts(low, out, &in);
	for (size_t i = 0; i < in.rated.list.count; i++) {
		rated_out(low, &in.rated.list.items[i], trip);
	}
	forget_tags(low, &in);
	forget_tags(low, out);
	fw_space loose =
		fw_pfl_both(low, out->passed, fw_pfl_either(low, in.stateless, out->stateless));
	out->skipped = fw_pfl_both(low, fw_pfl_either(low, in.skipped, in.stateless),
		fw_pfl_either(low, out->skipped, out->stateless));
	out->stateless = loose;
}
