// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Limits that a kind of rule set cannot say as they are: where there are buckets in place of one
 * that together let no more pass than it does, these are what is asked for.
 */

#include "proof/question.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum {
	DAY = 24 * 60 * 60,
	KINDS_MAX = 256, /* boxes of packets that rules are told apart by */
};

struct lowering {
	const struct fw_proof_question *question;
	const struct fw_behaviour *before, *after;
	fw_space limited; /* packets that are so on both sides */
	FW_VEC(struct fw_paced) asked;
};

struct parts {
	FW_VEC(struct fw_paced) list;
};

static void parts_fini(struct parts *parts) {
	FW_VEC_FINI(&parts->list);
}

static fw_space both(const struct lowering *lowering, fw_space a, fw_space b) {
	return fw_space_intersect(lowering->question->spaces, a, b);
}

static fw_space either(const struct lowering *lowering, fw_space a, fw_space b) {
	return fw_space_union(lowering->question->spaces, a, b);
}

/* ---- halves ---- */

/* Half of an odd count a day is rounded down, and so is that of a burst. */
static bool is_half(const struct fw_rate *half, const struct fw_rate *whole) {
	uint64_t count = fw_rate_a_day(whole);

	return !whole->per_source && !half->per_source && half->burst == whole->burst / 2 &&
	       fw_rate_a_day(half) == count / 2;
}

static bool has_family(
	const struct lowering *lowering, const struct fw_rb_rated *rated, enum fw_family family) {
	return both(lowering, rated->set,
		       fw_space_interval(lowering->question->spaces, FW_VAR_FAMILY,
			       fw_value((uint64_t)family), fw_value((uint64_t)family))) !=
	       FW_SPACE_EMPTY;
}

/* ---- shares ---- */

/* Into how many parts something was parted, at least and at most. */
struct span {
	uint64_t least, most;
};

static const struct span whatever = {1, UINT64_MAX};

/* A share of a burst, rounded down, in the time that the whole of it takes to come back. */
static bool is_share(const struct fw_rate *share, const struct fw_rate *whole, struct span parted) {
	uint64_t a_day = fw_rate_a_day(whole);

	if (share->burst == 0 || share->per_source != whole->per_source) {
		return false;
	}
	uint64_t least = whole->burst / ((uint64_t)share->burst + 1) + 1;
	uint64_t most = whole->burst / share->burst;
	uint64_t seconds = ((uint64_t)whole->burst * DAY + a_day - 1) / a_day;
	return least <= most && least <= parted.most && parted.least <= most &&
	       fw_rate_a_day(share) == ((uint64_t)share->burst * DAY + seconds - 1) / seconds;
}

/* Whether it may stand in place of the whole, or for a part of it. */
static bool may_replace(const struct fw_rate *rate, const struct fw_rate *whole) {
	return fw_rates_compare(rate, whole) == 0 || is_half(rate, whole) ||
	       is_share(rate, whole, whatever);
}

/* Buckets of the latter side for these packets, or for some of them and no others. Numbers are
 * compared first, as there may be many. */
static void find_parts(
	const struct lowering *lowering, const struct fw_paced *whole, struct parts *out) {
	for (size_t i = 0; i < lowering->after->paced_count; i++) {
		struct fw_paced part = lowering->after->paced[i];
		if (part.hook == whole->hook && part.set != FW_SPACE_EMPTY &&
			may_replace(&part.rate, &whole->rate) &&
			fw_space_is_subset(lowering->question->spaces, part.set, whole->set)) {
			FW_VEC_ADD(&out->list, part);
		}
	}
}

/* Whether the latter side has the very same bucket. */
static bool has_whole(const struct lowering *lowering, const struct fw_paced *whole) {
	bool found = false;

	for (size_t i = 0; !found && i < lowering->after->paced_count; i++) {
		const struct fw_paced *part = &lowering->after->paced[i];
		found = part->hook == whole->hook && part->set == whole->set &&
			fw_rates_compare(&part->rate, &whole->rate) == 0;
	}
	return found;
}

static const struct fw_paced *find_half(
	const struct parts *parts, fw_space set, const struct fw_rate *whole) {
	for (size_t i = 0; i < parts->list.count; i++) {
		const struct fw_paced *part = &parts->list.items[i];
		if (part->set == set && is_half(&part->rate, whole)) {
			return part;
		}
	}
	return NULL;
}

/* Leaves the half of each family alone, if there are such. */
static bool keep_halves(
	const struct lowering *lowering, const struct fw_paced *whole, struct parts *parts) {
	struct fw_paced halves[FW_FAMILY_COUNT];
	size_t count = 0;

	for (int family = FW_IPV4; family < FW_FAMILY_COUNT; family++) {
		fw_space set = both(lowering, whole->set,
			fw_space_interval(lowering->question->spaces, FW_VAR_FAMILY,
				fw_value((uint64_t)family), fw_value((uint64_t)family)));
		if (set == FW_SPACE_EMPTY) {
			continue;
		}
		const struct fw_paced *half = find_half(parts, set, &whole->rate);
		if (half == NULL) {
			return false;
		}
		halves[count++] = *half;
	}
	memcpy(parts->list.items, halves, count * sizeof(*halves));
	parts->list.count = count;
	return true;
}

/* Packets that other limits of the former side let pass, too. */
static fw_space also_limited(const struct lowering *lowering, const struct fw_paced *whole) {
	fw_space all = FW_SPACE_EMPTY;

	for (size_t i = 0; i < lowering->before->paced_count; i++) {
		const struct fw_paced *other = &lowering->before->paced[i];
		if (other != whole && other->hook == whole->hook) {
			all = either(lowering, all, both(lowering, other->set, whole->set));
		}
	}
	return all;
}

/* The sources of packets. */
static fw_space sources_of(const struct lowering *lowering, fw_space set) {
	for (int var = FW_VAR_HOOK; var < FW_VAR_COUNT; var++) {
		if (var != FW_VAR_FAMILY && var != FW_VAR_SOURCE) {
			set = fw_space_exists(lowering->question->spaces, set, (enum fw_var)var);
		}
	}
	return set;
}

/* How many buckets one source has. */
static size_t count_of_source(const struct lowering *lowering, const struct parts *parts) {
	size_t count = parts->list.count, most = 0;
	/* By number, the sources that have so many. */
	fw_space *sources = fw_alloc((count + 1) * sizeof(*sources));

	for (size_t i = 0; i < count; i++) {
		fw_space set = sources_of(lowering, parts->list.items[i].set);
		for (size_t j = 1; set != FW_SPACE_EMPTY && j <= i + 1; j++) {
			fw_space more = both(lowering, sources[j], set);
			sources[j] = either(lowering, sources[j], set);
			set = more;
			most = j > most ? j : most;
		}
	}
	free(sources);
	return most;
}

/* What is rated in a behaviour, parts by family and all. */
static fw_space rated_space(
	const struct lowering *lowering, const struct fw_behaviour *behaviour, size_t rated) {
	fw_space all = FW_SPACE_EMPTY;

	for (size_t i = 0; i < FW_PROOF_PARTS; i++) {
		all = either(lowering, all, behaviour->paced[rated * FW_PROOF_PARTS + i].set);
	}
	return all;
}

/* What rules that draw on one bucket are told apart by, beside addresses and interfaces. */
static fw_space kinds_of(const struct lowering *lowering, fw_space set) {
	static const enum fw_var lost[] = {FW_VAR_IN, FW_VAR_OUT, FW_VAR_FAMILY, FW_VAR_SOURCE,
		FW_VAR_DESTINATION, FW_VAR_FLAGS, FW_VAR_HOP_LIMIT, FW_VAR_TRACKING,
		FW_VAR_TRANSLATED};
	static const uint8_t with_codes[] = {IPPROTO_ICMP, IPPROTO_ICMPV6};
	struct fw_spaces *spaces = lowering->question->spaces;

	for (size_t i = 0; i < FW_LENGTH(lost); i++) {
		set = fw_space_exists(spaces, set, lost[i]);
	}
	for (size_t i = 0; i < FW_LENGTH(with_codes); i++) {
		fw_space protocol = fw_space_interval(
			spaces, FW_VAR_PROTOCOL, fw_value(with_codes[i]), fw_value(with_codes[i]));
		set = either(lowering, set,
			fw_space_exists(spaces, both(lowering, set, protocol), FW_VAR_PORT));
	}
	return set;
}

static size_t at_least_one(size_t count) {
	return count != 0 ? count : 1;
}

static uint64_t count_kinds(const struct lowering *lowering, fw_space kinds) {
	struct fw_boxes boxes = {0};
	uint64_t count = 0;

	if (kinds != FW_SPACE_EMPTY && fw_space_boxes(lowering->question->spaces, kinds,
					       FW_SPACE_ALL, KINDS_MAX, &boxes)) {
		for (size_t i = 0; i < boxes.count; i++) {
			uint64_t of_box = 1;
			for (int var = FW_VAR_HOOK; var < FW_VAR_COUNT; var++) {
				of_box *= at_least_one(boxes.items[i].values[var].count);
			}
			count += of_box;
		}
	}
	fw_boxes_fini(&boxes);
	return count;
}

/* Kinds of packets that draw on the bucket, but pass in any case: rules for them have a share. */
static fw_space idle_kinds(
	const struct lowering *lowering, fw_space kinds, const struct parts *parts) {
	for (size_t i = 0; i < parts->list.count; i++) {
		kinds = fw_space_subtract(lowering->question->spaces, kinds,
			kinds_of(lowering, parts->list.items[i].set));
	}
	return kinds;
}

/* Those for one kind of packets: one for each interface, pair of groups and family; and one for
 * what comes back in to be forwarded. */
static uint64_t rules_of(const struct fw_policy *policy, const struct fw_flow *flow) {
	const struct fw_names *on =
		flow->hook == FW_OUTPUT ? &flow->out_interfaces : &flow->in_interfaces;
	bool hairpin = flow->hook == FW_FORWARD && policy->translation.hairpin != NULL;
	bool addressed = flow->source.set_count != 0 || flow->destination.set_count != 0;
	bool families =
		addressed && fw_flow_has_family(flow, FW_IPV4) && fw_flow_has_family(flow, FW_IPV6);
	size_t sources = flow->limit.per_source ? 1 : at_least_one(flow->source.set_count);

	return (uint64_t)sources * at_least_one(flow->destination.set_count) *
	       at_least_one(on->count) * (families ? 2 : 1) * (hairpin ? 2 : 1);
}

/* How many rules a service with such a limit becomes at most for one kind of packets. No packet may
 * be left for some, where groups overlap. A service's flows come one after the other. */
static uint64_t count_rules(
	const struct lowering *lowering, enum fw_hook hook, const struct fw_rate *rate) {
	const struct fw_policy *policy = lowering->question->scope->shared;
	const char *service = "";
	uint64_t count = 0, most = 1;

	for (size_t i = 0; policy != NULL && i < policy->flow_count; i++) {
		const struct fw_flow *flow = &policy->flows[i];
		if (flow->hook == hook && fw_rates_compare(&flow->limit, rate) == 0) {
			count = strcmp(service, flow->service) == 0 ? count : 0;
			count += rules_of(policy, flow);
			service = flow->service;
			most = count > most ? count : most;
		}
	}
	return most;
}

/* How many other services have a bucket for just these packets, that it may be a share of. */
static size_t count_others(
	const struct lowering *lowering, size_t index, const struct fw_paced *part) {
	const struct fw_behaviour *before = lowering->before;
	size_t own = index / FW_PROOF_PARTS, last = own, count = 0;

	for (size_t i = 0; i < before->paced_count; i++) {
		size_t rated = i / FW_PROOF_PARTS;
		const struct fw_paced *other = &before->paced[i];
		if (rated != own && rated != last && other->hook == part->hook &&
			is_share(&part->rate, &other->rate, whatever) &&
			(other->set == part->set ||
				rated_space(lowering, before, rated) == part->set)) {
			last = rated;
			count++;
		}
	}
	return count;
}

static bool same_part(const struct fw_paced *a, const struct fw_paced *b) {
	return a->hook == b->hook && a->set == b->set && fw_rates_compare(&a->rate, &b->rate) == 0;
}

/* Leaves those of one rate alone that may be this bucket's, and not another service's. */
static void leave_shares(const struct lowering *lowering, size_t index, const struct fw_rate *share,
	struct parts *parts) {
	const struct parts all = *parts;
	struct parts own = {0};

	for (size_t i = 0; i < all.list.count; i++) {
		const struct fw_paced *part = &all.list.items[i];
		size_t before = 0;
		for (size_t j = 0; j < i; j++) {
			before += same_part(&all.list.items[j], part);
		}
		if (fw_rates_compare(&part->rate, share) == 0 &&
			before >= count_others(lowering, index, part)) {
			FW_VEC_ADD(&own.list, *part);
		}
	}
	parts_fini(parts);
	*parts = own;
}

/* All shares of a bucket that have this rate, be they of either family. */
static void find_shares(const struct lowering *lowering, size_t index, const struct fw_rate *share,
	struct parts *out) {
	const struct fw_behaviour *after = lowering->after;
	fw_space all = rated_space(lowering, lowering->before, index / FW_PROOF_PARTS);

	for (size_t i = 0; i < after->paced_count; i += FW_PROOF_PARTS) {
		struct fw_paced part = after->paced[i];
		if (part.hook != lowering->before->paced[index].hook ||
			fw_rates_compare(&part.rate, share) != 0) {
			continue;
		}
		part.set = rated_space(lowering, after, i / FW_PROOF_PARTS);
		if (part.set != FW_SPACE_EMPTY &&
			fw_space_is_subset(lowering->question->spaces, part.set, all)) {
			FW_VEC_ADD(&out->list, part);
		}
	}
	leave_shares(lowering, index, share, out);
}

/*
 * Into how many shares a bucket is parted. Each rule has one, so that together they are the bucket;
 * but where each source has buckets of its own, those of one source may be.
 */
static struct span parted(
	const struct lowering *lowering, size_t index, const struct fw_rate *share) {
	const struct fw_readback *asked = lowering->question->sides[FW_PROOF_BEFORE];
	const struct fw_rb_rated *rated = &asked->rated[index / FW_PROOF_PARTS];
	const struct fw_rate *rate = &lowering->before->paced[index].rate;
	FW_AUTO(parts_fini) struct parts shares = {0};

	find_shares(lowering, index, share, &shares);
	fw_space kinds = kinds_of(lowering, rated->set);
	uint64_t count = shares.list.count;
	uint64_t most = count + count_kinds(lowering, idle_kinds(lowering, kinds, &shares));
	uint64_t rules = count_rules(lowering, (enum fw_hook)rated->hook, rate) *
			 count_kinds(lowering, kinds);
	return (struct span){
		.least = rate->per_source ? count_of_source(lowering, &shares) : count,
		.most = rules > most ? rules : most,
	};
}

/*
 * Leaves shares of one rate alone, if they hold all packets but such as have another limit, too,
 * where it is the first rule that counts. Together they are no more than the whole, be a packet in
 * several, and no less than what is left of it by rounding.
 */
static bool keep_shares_of(const struct lowering *lowering, size_t index,
	const struct fw_rate *share, struct parts *parts) {
	const struct fw_paced *whole = &lowering->before->paced[index];
	fw_space all = also_limited(lowering, whole);

	leave_shares(lowering, index, share, parts);
	for (size_t i = 0; i < parts->list.count; i++) {
		all = either(lowering, all, parts->list.items[i].set);
	}
	return parts->list.count != 0 &&
	       fw_space_is_subset(lowering->question->spaces, whole->set, all) &&
	       is_share(share, &whole->rate, parted(lowering, index, share));
}

static bool has_rate_before(const struct parts *parts, size_t end) {
	const struct fw_rate *rate = &parts->list.items[end].rate;
	bool found = false;

	for (size_t i = 0; !found && i < end; i++) {
		found = fw_rates_compare(&parts->list.items[i].rate, rate) == 0;
	}
	return found;
}

/* The buckets of other services may be among the parts, with other rates. */
static bool keep_shares(const struct lowering *lowering, size_t index, struct parts *parts) {
	const struct fw_paced *whole = &lowering->before->paced[index];
	FW_AUTO(parts_fini) struct parts all = *parts;
	bool kept = false;

	*parts = (struct parts){0};
	for (size_t i = 0; !kept && i < all.list.count; i++) {
		const struct fw_rate *share = &all.list.items[i].rate;
		if (!has_rate_before(&all, i) && is_share(share, &whole->rate, whatever)) {
			parts->list.count = 0;
			for (size_t j = 0; j < all.list.count; j++) {
				FW_VEC_ADD(&parts->list, all.list.items[j]);
			}
			kept = keep_shares_of(lowering, index, share, parts);
		}
	}
	if (!kept) {
		parts->list.count = 0;
	}
	return kept || fw_space_is_subset(lowering->question->spaces, whole->set,
			       also_limited(lowering, whole));
}

/* ---- the whole ---- */

/* Finds those that stand in place of the whole. False: it stays as it is. */
static bool keep_lowered(const struct lowering *lowering, size_t index, struct parts *parts) {
	const struct fw_readback *asked = lowering->question->sides[FW_PROOF_BEFORE];
	const struct fw_rb_rated *rated = &asked->rated[index / FW_PROOF_PARTS];
	const struct fw_proof_scope *scope = lowering->question->scope;
	const struct fw_paced *whole = &lowering->before->paced[index];

	if (whole->set == FW_SPACE_EMPTY || has_whole(lowering, whole)) {
		return false;
	}
	find_parts(lowering, whole, parts);
	if (scope->halves && has_family(lowering, rated, FW_IPV4) &&
		has_family(lowering, rated, FW_IPV6) && keep_halves(lowering, whole, parts)) {
		return true;
	}
	return scope->shares && keep_shares(lowering, index, parts);
}

/* Packets that the latter side has no limit for keep theirs. */
static void lower(struct lowering *lowering, const struct fw_behaviour *before, size_t index) {
	const struct fw_paced *whole = &lowering->before->paced[index];
	FW_AUTO(parts_fini) struct parts parts = {0};
	struct fw_paced kept = before->paced[index];

	if (keep_lowered(lowering, index, &parts)) {
		for (size_t i = 0; i < parts.list.count; i++) {
			FW_VEC_ADD(&lowering->asked, parts.list.items[i]);
		}
		kept.set = fw_space_subtract(lowering->question->spaces, kept.set, whole->set);
	}
	FW_VEC_ADD(&lowering->asked, kept);
}

static fw_space limited_space(const struct lowering *lowering) {
	struct fw_spaces *spaces = lowering->question->spaces;
	const struct fw_behaviour *before = lowering->before, *after = lowering->after;
	fw_space limited = FW_SPACE_EMPTY;

	for (int hook = FW_INPUT; hook < FW_HOOK_COUNT; hook++) {
		fw_space may = both(lowering, before->may[hook], after->may[hook]);
		fw_space must = either(lowering, before->must[hook], after->must[hook]);
		limited = either(lowering, limited, fw_space_subtract(spaces, may, must));
	}
	return limited;
}

/* Cuts what is paced to what is so on both sides. */
static struct fw_behaviour cut(
	const struct lowering *lowering, struct fw_arena *arena, const struct fw_behaviour *from) {
	struct fw_behaviour behaviour = *from;
	struct fw_paced *paced = FW_ARENA_ARRAY(arena, struct fw_paced, from->paced_count);

	for (size_t i = 0; i < from->paced_count; i++) {
		paced[i] = from->paced[i];
		paced[i].set = both(lowering, paced[i].set, lowering->limited);
	}
	behaviour.paced = paced;
	return behaviour;
}

struct fw_behaviour fw_proof_lowered(const struct fw_proof_question *question,
	struct fw_arena *arena, const struct fw_behaviour sides[FW_PROOF_SIDES]) {
	struct lowering lowering = {
		.question = question,
		.before = &sides[FW_PROOF_BEFORE],
		.after = &sides[FW_PROOF_AFTER],
	};
	struct fw_behaviour lowered = sides[FW_PROOF_BEFORE];

	lowering.limited = limited_space(&lowering);
	const struct fw_behaviour before = cut(&lowering, arena, lowering.before);
	const struct fw_behaviour after = cut(&lowering, arena, lowering.after);
	lowering.before = &before;
	lowering.after = &after;
	for (size_t i = 0; i < before.paced_count; i++) {
		lower(&lowering, &sides[FW_PROOF_BEFORE], i);
	}
	size_t count = lowering.asked.count;
	struct fw_paced *asked = FW_ARENA_ARRAY(arena, struct fw_paced, count);
	if (count != 0) {
		memcpy(asked, lowering.asked.items, count * sizeof(*asked));
	}
	FW_VEC_FINI(&lowering.asked);
	lowered.paced = asked;
	lowered.paced_count = count;
	return lowered;
}
