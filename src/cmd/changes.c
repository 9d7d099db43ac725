// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Two sides, compared: two policies by what they mean, and where a side is a rule set, by what was
 * read back and what a policy promises.
 */

#include "cmd/changes.h"

#include <stdlib.h>
#include <string.h>

#include "cmd/changes_rows.h"

const char *const fw_which_names[FW_WHICH_COUNT] = {
	[FW_BEFORE] = "before",
	[FW_AFTER] = "after",
};

/* ---- what is asked for ---- */

static bool is_pf(const struct fw_changed_side *side) {
	return side->policy == NULL && (side->rulesets->kind == FW_RULESET_PF ||
					       side->rulesets->kind == FW_RULESET_PF_FREEBSD);
}

static enum fw_family family_of(const struct fw_changed_side *side) {
	return side->policy != NULL ? FW_FAMILY_NONE : side->rulesets->family;
}

/* Whether each family has buckets of its own, so that one limit for both becomes two. */
static bool has_own_buckets(const struct fw_changed_side *side) {
	if (side->policy != NULL) {
		return false;
	}
	switch (side->rulesets->kind) {
	case FW_RULESET_NONE:
	case FW_RULESET_NFTABLES:
		return false;
	case FW_RULESET_LIVE:
		return side->rulesets->own_iptables;
	case FW_RULESET_IPTABLES:
	case FW_RULESET_IP6TABLES:
	case FW_RULESET_PF:
	case FW_RULESET_PF_FREEBSD:
		break;
	}
	return true;
}

/* How much of what can be asked for a side cannot say: the one that says more is what is asked. */
static int shortness(const struct fw_changed_side *side) {
	return side->policy != NULL ? 0 : 1 + has_own_buckets(side) + 2 * is_pf(side);
}

/* The side that the other one has to be as strict as. */
static enum fw_which asked_side(const struct fw_changed_side *sides) {
	return shortness(&sides[FW_AFTER]) < shortness(&sides[FW_BEFORE]) ? FW_AFTER : FW_BEFORE;
}

static enum fw_proof_translation translation_of(const struct fw_changed_side *asked) {
	if (asked->policy == NULL) {
		return FW_PROOF_EVERYBODY;
	}
	return asked->policy->translation.on ? FW_PROOF_OTHERS : FW_PROOF_TAKEN_AWAY;
}

struct fw_proof_scope fw_changes_scope(const struct fw_changed_side sides[static FW_WHICH_COUNT]) {
	enum fw_which asked = asked_side(sides);
	const struct fw_changed_side *one = &sides[asked];
	const struct fw_changed_side *other = &sides[asked == FW_BEFORE ? FW_AFTER : FW_BEFORE];
	struct fw_proof_scope scope = {
		.family = family_of(one) != FW_FAMILY_NONE ? family_of(one) : family_of(other),
		.own_only = true,
		.translation = translation_of(one),
		.halves = has_own_buckets(other) && !has_own_buckets(one),
		.shares = is_pf(other) && !is_pf(one),
		.shared = one->policy,
		.stateless_limits = is_pf(other) && !is_pf(one),
		.few_answers = is_pf(other) != is_pf(one),
	};

	for (int hook = FW_INPUT; one->policy != NULL && hook < FW_HOOK_COUNT; hook++) {
		scope.apart[hook] = one->policy->hooks[hook].verdict == FW_UNTOUCHED;
	}
	return scope;
}

enum fw_which fw_changes_asked(const struct fw_changes *changes) {
	return asked_side(changes->sides);
}

bool fw_changes_is_partial(const struct fw_changes *changes) {
	const struct fw_changed_side *sides = changes->sides;

	return !changes->of_policies && changes->scope.family != FW_FAMILY_NONE &&
	       (family_of(&sides[FW_BEFORE]) == FW_FAMILY_NONE ||
		       family_of(&sides[FW_AFTER]) == FW_FAMILY_NONE);
}

/* ---- two policies ---- */

static bool compare_policies(struct fw_changes *changes) {
	struct fw_changed_side *sides = changes->sides;
	const struct fw_policy *both[] = {sides[FW_BEFORE].policy, sides[FW_AFTER].policy};
	struct fw_arena *arena = &changes->run->arena;

	changes->interfaces = fw_interfaces_of(arena, both, FW_LENGTH(both));
	for (size_t i = 0; i < FW_WHICH_COUNT; i++) {
		fw_meaning_init(&sides[i].meaning, arena, &changes->spaces, &changes->interfaces,
			sides[i].policy);
	}
	if (!fw_compare(arena, &changes->spaces, &changes->interfaces, sides[FW_BEFORE].policy,
		    &sides[FW_BEFORE].meaning, sides[FW_AFTER].policy, &sides[FW_AFTER].meaning,
		    &changes->comparison)) {
		return false;
	}
	changes->differences = changes->comparison.differences;
	changes->difference_count = changes->comparison.difference_count;
	changes->equal = changes->comparison.equal;
	return true;
}

/* ---- a rule set on either side ---- */

static void number_interfaces(struct fw_changes *changes) {
	const struct fw_policy *policies[FW_WHICH_COUNT];
	const struct fw_rulesets *rulesets[FW_WHICH_COUNT];
	size_t policy_count = 0, ruleset_count = 0;

	for (size_t i = 0; i < FW_WHICH_COUNT; i++) {
		if (changes->sides[i].policy != NULL) {
			policies[policy_count++] = changes->sides[i].policy;
		} else {
			rulesets[ruleset_count++] = changes->sides[i].rulesets;
		}
	}
	changes->interfaces = fw_rulesets_interfaces(
		&changes->run->arena, policies, policy_count, rulesets, ruleset_count);
}

/* What a side does, in the form in which both can be compared. */
static bool read_side(struct fw_changes *changes, struct fw_changed_side *side) {
	struct fw_arena *arena = &changes->run->arena;

	if (side->policy == NULL) {
		return fw_rulesets_lower(side->rulesets, arena, &changes->spaces,
			&changes->interfaces, &side->readback);
	}
	fw_meaning_init(
		&side->meaning, arena, &changes->spaces, &changes->interfaces, side->policy);
	return fw_proof_promise(arena, &changes->spaces, &changes->interfaces, side->policy,
		&side->meaning, &side->readback);
}

/* Whether anything of flowfw's own decides in a hook. */
static bool decides(const struct fw_readback *readback, enum fw_rb_hook hook) {
	for (size_t i = 0; i < readback->decision_count; i++) {
		if (readback->decisions[i].hook == hook && !readback->decisions[i].foreign) {
			return true;
		}
	}
	return false;
}

/* What others do in a hook that is not compared is not ours to understand; nor is how they
 * translate what a host does not take in. */
static bool matters(struct fw_changes *changes, fw_space universe,
	const struct fw_readback *readback, const struct fw_rb_unknown *unknown) {
	const struct fw_proof_scope *scope = &changes->scope;

	if (unknown->hook != FW_RB_NONE && scope->apart[unknown->hook] &&
		(!scope->own_only || !decides(readback, unknown->hook))) {
		return false;
	}
	if (scope->translation != FW_PROOF_TAKEN_AWAY || unknown->translated == FW_SPACE_EMPTY ||
		unknown->hook == FW_RB_FORWARD) {
		return true;
	}
	return fw_proof_may_take_away(&changes->spaces, universe, scope,
		&changes->sides[fw_changes_asked(changes)].readback, readback, unknown);
}

static void list_unknowns(struct fw_changes *changes, fw_space universe) {
	for (int i = FW_BEFORE; i < FW_WHICH_COUNT; i++) {
		const struct fw_readback *readback = &changes->sides[i].readback;
		for (size_t j = 0; j < readback->unknown_count; j++) {
			const struct fw_rb_unknown *unknown = &readback->unknowns[j];
			if (matters(changes, universe, readback, unknown)) {
				FW_VEC_ADD(&changes->unknowns,
					(struct fw_change_unknown){(enum fw_which)i, unknown});
			}
		}
	}
}

/* Differences while they are parted. */
struct parted {
	FW_VEC(struct fw_difference) list;
};

static const struct fw_difference *parted_copy(struct parted *parted, struct fw_arena *arena) {
	struct fw_difference *items =
		FW_ARENA_ARRAY(arena, struct fw_difference, parted->list.count);

	if (parted->list.count != 0) {
		memcpy(items, parted->list.items, parted->list.count * sizeof(*items));
	}
	FW_VEC_FINI(&parted->list);
	return items;
}

static void add_part(struct parted *parted, struct fw_difference difference, fw_space set) {
	difference.set = set;
	if (set != FW_SPACE_EMPTY) {
		FW_VEC_ADD(&parted->list, difference);
	}
}

/* Takes what is stricter out of the differences. */
static void part(struct fw_changes *changes, const struct fw_difference *stricter, size_t count) {
	struct fw_proof *proof = &changes->proof;
	struct fw_spaces *spaces = &changes->spaces;
	struct parted wrong = {0}, fine = {0};
	fw_space let[FW_HOOK_COUNT] = {FW_SPACE_EMPTY};

	for (size_t i = 0; i < count; i++) {
		let[stricter[i].hook] =
			fw_space_union(spaces, let[stricter[i].hook], stricter[i].set);
	}
	for (size_t i = 0; i < proof->difference_count; i++) {
		const struct fw_difference *one = &proof->differences[i];
		add_part(&wrong, *one, fw_space_subtract(spaces, one->set, let[one->hook]));
		add_part(&fine, *one, fw_space_intersect(spaces, one->set, let[one->hook]));
	}
	proof->difference_count = wrong.list.count;
	proof->stricter_count = fine.list.count;
	proof->differences = parted_copy(&wrong, &changes->run->arena);
	proof->stricter = parted_copy(&fine, &changes->run->arena);
	proof->equal = proof->difference_count == 0 && proof->answer_count == 0 &&
		       proof->detour_count == 0;
}

/* Whether anything may be stricter at all. */
static bool lets_pass(const struct fw_proof_scope *scope) {
	return scope->halves || scope->shares || scope->stateless_limits;
}

/*
 * Only what comes after may be stricter than what comes before. Where it is the latter that is
 * asked for, what is stricter is found the other way round, and the rest as usual.
 */
static bool prove(struct fw_changes *changes, fw_space universe) {
	const struct fw_readback *before = &changes->sides[FW_BEFORE].readback;
	const struct fw_readback *after = &changes->sides[FW_AFTER].readback;
	struct fw_arena *arena = &changes->run->arena;
	struct fw_proof_scope plain = changes->scope;
	struct fw_proof turned;

	plain.halves = plain.shares = plain.stateless_limits = false;
	if (fw_changes_asked(changes) == FW_BEFORE || !lets_pass(&changes->scope)) {
		return fw_proof_compare(arena, &changes->spaces, universe, &changes->scope, before,
			after, &changes->proof);
	}
	if (!fw_proof_compare(
		    arena, &changes->spaces, universe, &changes->scope, after, before, &turned) ||
		!fw_proof_compare(arena, &changes->spaces, universe, &plain, before, after,
			&changes->proof)) {
		return false;
	}
	part(changes, turned.stricter, turned.stricter_count);
	return !changes->spaces.exhausted;
}

static bool compare_rulesets(struct fw_changes *changes) {
	number_interfaces(changes);
	for (size_t i = 0; i < FW_WHICH_COUNT; i++) {
		if (!read_side(changes, &changes->sides[i])) {
			return false;
		}
	}
	fw_space universe =
		fw_space_universe(&changes->spaces, fw_interfaces_count(&changes->interfaces));
	list_unknowns(changes, universe);
	if (!prove(changes, universe)) {
		return false;
	}
	changes->differences = changes->proof.differences;
	changes->difference_count = changes->proof.difference_count;
	changes->equal = changes->proof.equal;
	return true;
}

/* ---- the whole ---- */

static void say_too_complex(struct fw_changes *changes) {
	struct fw_diags *diags = &changes->run->diags;
	struct fw_diag *diag =
		fw_failure(diags, "too-complex", 0, "'%s' and '%s' are too complex to be compared",
			changes->sides[FW_BEFORE].label, changes->sides[FW_AFTER].label);

	fw_diag_hint(diags, diag,
		"groups of prefixes that fit no pattern, each with other ports, cost most");
}

bool fw_changes_find(struct fw_changes *changes, struct fw_run *run) {
	changes->run = run;
	changes->of_policies =
		changes->sides[FW_BEFORE].policy != NULL && changes->sides[FW_AFTER].policy != NULL;
	fw_spaces_init(&changes->spaces, NULL);
	if (changes->of_policies ? compare_policies(changes) : compare_rulesets(changes)) {
		fw_changes_sections(changes);
	}
	if (changes->spaces.exhausted) {
		say_too_complex(changes);
	}
	return !changes->spaces.exhausted;
}

void fw_changes_fini(struct fw_changes *changes) {
	for (size_t i = 0; i < changes->boxes.count; i++) {
		fw_boxes_fini(&changes->boxes.items[i]);
	}
	FW_VEC_FINI(&changes->boxes);
	FW_VEC_FINI(&changes->unknowns);
	fw_spaces_fini(&changes->spaces);
}

enum fw_exit fw_changes_exit(const struct fw_changes *changes) {
	if (changes->unknowns.count != 0) {
		return FW_EXIT_UNPROVEN;
	}
	return changes->equal ? FW_EXIT_FINE : FW_EXIT_DIFFERS;
}
