// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Two behaviours, compared: packets, by what must and what may pass and at which rates; answers to
 * those that do not; and new addresses. What a kind of rule set is known not to say, as the scope
 * has it, is put aside as stricter.
 */

#include "proof/proof.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "proof/question.h"

static fw_space is(const struct fw_proof_question *question, enum fw_var var, uint64_t value) {
	return fw_space_interval(question->spaces, var, fw_value(value), fw_value(value));
}

static fw_space both(const struct fw_proof_question *question, fw_space a, fw_space b) {
	return fw_space_intersect(question->spaces, a, b);
}

static fw_space either(const struct fw_proof_question *question, fw_space a, fw_space b) {
	return fw_space_union(question->spaces, a, b);
}

static fw_space without(const struct fw_proof_question *question, fw_space a, fw_space b) {
	return fw_space_subtract(question->spaces, a, b);
}

static fw_space of_hook(const struct fw_proof_question *question, enum fw_rb_hook hook) {
	return both(question, question->universe, is(question, FW_VAR_HOOK, hook));
}

void fw_proof_find_within(struct fw_proof_question *question) {
	enum fw_family family = question->scope->family;

	for (int i = FW_RB_INPUT; i < FW_RB_HOOK_COUNT; i++) {
		fw_space set = of_hook(question, (enum fw_rb_hook)i);
		if (family != FW_FAMILY_NONE) {
			set = both(question, set, is(question, FW_VAR_FAMILY, family));
		}
		for (int side = 0; side < FW_PROOF_SIDES; side++) {
			set = without(question, set, question->sides[side]->outside);
		}
		question->within[i] = set;
	}
}

/* ---- what a side accepts, as far as that is compared ---- */

/* Of a hook that is apart: what flowfw's own rules keep out, or let pass up to a limit only. All
 * else passes. */
static void decide_apart(const struct fw_proof_question *question,
	const struct fw_readback *readback, enum fw_rb_hook hook, struct fw_behaviour *out) {
	fw_space denied = FW_SPACE_EMPTY, limited = FW_SPACE_EMPTY;

	for (size_t i = 0; i < readback->decision_count; i++) {
		const struct fw_rb_decision *one = &readback->decisions[i];
		if (one->hook != hook || one->foreign) {
			continue;
		}
		if (!one->accepts) {
			denied = either(question, denied, one->set);
		} else if (one->limited) {
			limited = either(question, limited, one->set);
		}
	}
	if (question->scope->stateless_limits) {
		/* What belongs to no state is refused by pf itself, and not by a rule. */
		denied = without(
			question, denied, is(question, FW_VAR_TRACKING, FW_TRACKING_INVALID));
	}
	denied = without(question, denied, readback->may[hook]);
	limited = without(question, limited, readback->must[hook]);
	out->may[hook] = without(question, question->within[hook], denied);
	out->must[hook] = without(question, out->may[hook], limited);
}

/*
 * A bucket as parts, of which any but one may be empty: buckets of each source are the same be they
 * of both families or of one each, as no source is of both.
 */
static void part_by_family(const struct fw_proof_question *question,
	const struct fw_rb_rated *rated, fw_space among,
	struct fw_paced parts[static FW_PROOF_PARTS]) {
	fw_space set = both(question, rated->set, among);

	for (int family = FW_FAMILY_NONE; family < FW_FAMILY_COUNT; family++) {
		fw_space part = FW_SPACE_EMPTY;
		if (rated->rate.per_source == (family != FW_FAMILY_NONE)) {
			part = family == FW_FAMILY_NONE
				       ? set
				       : both(question, set,
						 is(question, FW_VAR_FAMILY, (uint64_t)family));
		}
		parts[family] = (struct fw_paced){(enum fw_hook)rated->hook, part, rated->rate};
	}
}

/* Without names and places; what is paced, FW_PROOF_PARTS of it for each that is rated, has its
 * sets cut to what is compared. */
static struct fw_behaviour behaviour_of(const struct fw_proof_question *question,
	const struct fw_readback *readback, struct fw_paced *paced) {
	const struct fw_proof_scope *scope = question->scope;
	struct fw_behaviour behaviour = {
		.paced = paced, .paced_count = FW_PROOF_PARTS * readback->rated_count};

	for (int i = FW_RB_INPUT; i < FW_RB_HOOK_COUNT; i++) {
		fw_space within = question->within[i];
		if (!scope->apart[i]) {
			behaviour.must[i] = both(question, readback->must[i], within);
			behaviour.may[i] = both(question, readback->may[i], within);
		} else if (scope->own_only) {
			decide_apart(question, readback, (enum fw_rb_hook)i, &behaviour);
		}
	}
	for (size_t i = 0; i < readback->rated_count; i++) {
		const struct fw_rb_rated *rated = &readback->rated[i];
		fw_space limited =
			without(question, behaviour.may[rated->hook], behaviour.must[rated->hook]);
		part_by_family(question, rated, limited, &paced[FW_PROOF_PARTS * i]);
	}
	return behaviour;
}

/* ---- what is stricter, and known to be ---- */

struct differences {
	FW_VEC(struct fw_difference) list;
};

/* A comparison of packets. */
struct packets {
	const struct fw_proof_question *question;
	struct fw_behaviour sides[FW_PROOF_SIDES];
	struct differences differences, stricter;
};

/* They come by hook, then change. */
static void add_difference(struct differences *differences, struct fw_difference difference) {
	size_t at = differences->list.count;

	if (difference.set == FW_SPACE_EMPTY) {
		return;
	}
	FW_VEC_ADD(&differences->list, difference);
	for (struct fw_difference *items = differences->list.items;
		at != 0 && (items[at - 1].hook > difference.hook ||
				   (items[at - 1].hook == difference.hook &&
					   items[at - 1].change > difference.change));
		at--) {
		items[at] = items[at - 1];
		items[at - 1] = difference;
	}
}

/* Packets of which pf keeps no state, by their addresses. */
static fw_space stateless(const struct fw_proof_question *question, enum fw_hook hook) {
	static const struct fw_range many[] = {
		{{0, (uint64_t)224 << 24}, {0, ((uint64_t)240 << 24) - 1}, FW_IPV4},
		{{0, UINT32_MAX}, {0, UINT32_MAX}, FW_IPV4},
		{{(uint64_t)0xff << 56, 0}, {UINT64_MAX, UINT64_MAX}, FW_IPV6},
	};
	fw_space set = fw_space_interval(question->spaces, FW_VAR_SOURCE, fw_value(0), fw_value(0));

	if (hook != FW_INPUT) {
		return hook == FW_OUTPUT ? set : FW_SPACE_EMPTY;
	}
	set = FW_SPACE_EMPTY;
	for (size_t i = 0; i < FW_LENGTH(many); i++) {
		fw_space part = fw_space_interval(
			question->spaces, FW_VAR_DESTINATION, many[i].first, many[i].last);
		set = either(question, set,
			both(question, part, is(question, FW_VAR_FAMILY, many[i].family)));
	}
	return set;
}

/* Where one of input and output is apart, what comes back by the other one. */
static fw_space unanswered(const struct fw_proof_question *question, enum fw_hook hook) {
	const bool *apart = question->scope->apart;
	bool back =
		(hook == FW_INPUT && apart[FW_OUTPUT]) || (hook == FW_OUTPUT && apart[FW_INPUT]);

	return back && !apart[hook] ? is(question, FW_VAR_TRACKING, FW_TRACKING_ESTABLISHED)
				    : FW_SPACE_EMPTY;
}

/* Cuts off a difference what may be so. */
static void let_stateless_pass(struct packets *packets, struct fw_difference *difference) {
	const struct fw_proof_question *question = packets->question;
	const struct fw_behaviour *before = &packets->sides[FW_PROOF_BEFORE];
	struct fw_difference stricter = *difference;

	if (difference->change == FW_NEWLY_DENIED) {
		fw_space limited = without(question, stateless(question, difference->hook),
			before->must[difference->hook]);
		stricter.set = both(question, stricter.set,
			either(question, limited, unanswered(question, difference->hook)));
		difference->set = without(question, difference->set, stricter.set);
		add_difference(&packets->stricter, stricter);
	}
}

/* Limits that are stricter: those that differ, but for what does so from lowered ones too. */
static void add_lowered(struct packets *packets, const struct fw_differences *found,
	const struct fw_differences *left) {
	fw_space different = FW_SPACE_EMPTY;

	for (size_t i = 0; i < left->count; i++) {
		different = either(packets->question, different, left->items[i].set);
	}
	for (size_t i = 0; i < found->count; i++) {
		struct fw_difference one = found->items[i];
		one.set = without(packets->question, one.set, different);
		add_difference(&packets->stricter, one);
	}
}

static bool compare_behaviours(
	struct fw_arena *arena, struct packets *packets, struct fw_differences *out) {
	const struct fw_proof_scope *scope = packets->question->scope;
	struct fw_spaces *spaces = packets->question->spaces;
	const struct fw_behaviour *sides = packets->sides;
	struct fw_differences found;

	if (!fw_behaviour_compare(
		    arena, spaces, &sides[FW_PROOF_BEFORE], &sides[FW_PROOF_AFTER], &found)) {
		return false;
	}
	*out = found;
	if (!scope->halves && !scope->shares) {
		return true;
	}
	struct fw_behaviour lowered = fw_proof_lowered(packets->question, arena, sides);
	if (!fw_behaviour_compare(arena, spaces, &lowered, &sides[FW_PROOF_AFTER], out)) {
		return false;
	}
	add_lowered(packets, &found, out);
	return true;
}

/* Whether the former side has a bucket that all these packets may draw on. */
static bool may_draw(const struct packets *packets, const struct fw_rb_rated *one) {
	const struct fw_readback *before = packets->question->sides[FW_PROOF_BEFORE];

	for (size_t i = 0; i < before->rated_count; i++) {
		const struct fw_rb_rated *other = &before->rated[i];
		fw_space drawn = other->drawn != FW_SPACE_EMPTY ? other->drawn : other->set;
		if (other->hook == one->hook &&
			fw_space_is_subset(packets->question->spaces, one->drawn, drawn)) {
			return true;
		}
	}
	return false;
}

/* Buckets that others draw on, too, be it in vain: where such a limit is the only one that lets
 * packets pass, they pass more seldom. */
static void add_shared(struct packets *packets) {
	const struct fw_proof_question *question = packets->question;
	const struct fw_readback *after = question->sides[FW_PROOF_AFTER];
	const struct fw_behaviour *sides = packets->sides;

	for (size_t i = 0; i < after->rated_count; i++) {
		const struct fw_rb_rated *one = &after->rated[i];
		fw_space set = one->set;
		if (one->drawn == FW_SPACE_EMPTY || may_draw(packets, one)) {
			continue;
		}
		for (int side = 0; side < FW_PROOF_SIDES; side++) {
			set = both(question, set, sides[side].may[one->hook]);
			set = without(question, set, sides[side].must[one->hook]);
		}
		add_difference(&packets->differences,
			(struct fw_difference){FW_RATE_CHANGED, (enum fw_hook)one->hook, set,
				one->rate, one->rate});
	}
}

static bool compare_packets(struct fw_arena *arena, struct packets *packets) {
	struct fw_differences found;

	for (int side = 0; side < FW_PROOF_SIDES; side++) {
		const struct fw_readback *readback = packets->question->sides[side];
		struct fw_paced *paced = FW_ARENA_ARRAY(
			arena, struct fw_paced, FW_PROOF_PARTS * readback->rated_count);
		packets->sides[side] = behaviour_of(packets->question, readback, paced);
	}
	if (!compare_behaviours(arena, packets, &found)) {
		return false;
	}
	for (size_t i = 0; i < found.count; i++) {
		struct fw_difference difference = found.items[i];
		if (packets->question->scope->stateless_limits) {
			let_stateless_pass(packets, &difference);
		}
		add_difference(&packets->differences, difference);
	}
	add_shared(packets);
	return true;
}

static void packets_fini(struct packets *packets) {
	FW_VEC_FINI(&packets->differences.list);
	FW_VEC_FINI(&packets->stricter.list);
}

/* ---- answers ---- */

struct answers {
	FW_VEC(struct fw_proof_answer) list;
};

static void answers_fini(struct answers *answers) {
	FW_VEC_FINI(&answers->list);
}

/* Packets whose answers are compared: neither side lets them pass, or both up to a limit only. */
static fw_space answerable(const struct packets *packets, enum fw_rb_hook hook) {
	const struct fw_proof_question *question = packets->question;
	const struct fw_behaviour *before = &packets->sides[FW_PROOF_BEFORE];
	const struct fw_behaviour *after = &packets->sides[FW_PROOF_AFTER];
	fw_space may = either(question, before->may[hook], after->may[hook]);
	fw_space denied = without(question, question->within[hook], may);

	if (question->scope->few_answers) {
		return both(question, denied,
			either(question, is(question, FW_VAR_PROTOCOL, IPPROTO_TCP),
				is(question, FW_VAR_PROTOCOL, IPPROTO_UDP)));
	}
	fw_space limited = both(question, before->may[hook], after->may[hook]);
	limited = without(question, limited, before->must[hook]);
	return either(question, denied, without(question, limited, after->must[hook]));
}

static void compare_answers(
	const struct packets *packets, enum fw_rb_hook hook, struct answers *out) {
	const struct fw_proof_question *question = packets->question;
	fw_space rejected[FW_PROOF_SIDES];

	if (question->scope->apart[hook]) {
		return;
	}
	for (int side = 0; side < FW_PROOF_SIDES; side++) {
		rejected[side] = both(
			question, question->sides[side]->rejected[hook], answerable(packets, hook));
	}
	for (int side = 0; side < FW_PROOF_SIDES; side++) {
		fw_space set = without(question, rejected[side], rejected[1 - side]);
		if (set != FW_SPACE_EMPTY) {
			FW_VEC_ADD(&out->list, (struct fw_proof_answer){(enum fw_hook)hook, set,
						       side == FW_PROOF_AFTER});
		}
	}
}

/* ---- the whole ---- */

static void *copied(struct fw_arena *arena, const void *items, size_t count, size_t size) {
	void *to = fw_arena_array(arena, count, size);

	if (count != 0) {
		memcpy(to, items, count * size);
	}
	return to;
}
#define COPIED(arena, vec) copied((arena), (vec)->items, (vec)->count, sizeof(*(vec)->items))

static void detours_fini(struct fw_detours *detours) {
	FW_VEC_FINI(&detours->list);
}

bool fw_proof_compare(struct fw_arena *arena, struct fw_spaces *spaces, fw_space universe,
	const struct fw_proof_scope *scope, const struct fw_readback *before,
	const struct fw_readback *after, struct fw_proof *out) {
	struct fw_proof_question question = {
		.spaces = spaces, .universe = universe, .scope = scope, .sides = {before, after}};
	FW_AUTO(packets_fini) struct packets packets = {.question = &question};
	FW_AUTO(answers_fini) struct answers answers = {0};
	FW_AUTO(detours_fini) struct fw_detours detours = {0};

	fw_proof_find_within(&question);
	if (!compare_packets(arena, &packets)) {
		return false;
	}
	for (int hook = FW_RB_INPUT; hook < FW_RB_HOOK_COUNT; hook++) {
		compare_answers(&packets, (enum fw_rb_hook)hook, &answers);
	}
	fw_proof_find_detours(&question, &detours);
	if (spaces->exhausted) {
		return false;
	}
	*out = (struct fw_proof){
		.differences = COPIED(arena, &packets.differences.list),
		.difference_count = packets.differences.list.count,
		.answers = COPIED(arena, &answers.list),
		.answer_count = answers.list.count,
		.detours = COPIED(arena, &detours.list),
		.detour_count = detours.list.count,
		.stricter = COPIED(arena, &packets.stricter.list),
		.stricter_count = packets.stricter.list.count,
		.equal = packets.differences.list.count + answers.list.count + detours.list.count ==
			 0,
	};
	return true;
}
