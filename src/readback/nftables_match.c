// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What registers are compared with and looked up in, arithmetic on them, and limits.
 */

#include "readback/nftables_rule.h"

#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>

/* ---- comparing ---- */

/* What was found out about the registers from a byte on. */
static void judge(struct fw_running *run, unsigned at, struct fw_truth truth) {
	const struct fw_part *part = fw_registers_find(&run->registers, at);

	if (part != NULL && part->origin) {
		run->origin = run->asks_origin
				      ? fw_truth_and(fw_rule_spaces(run), &run->origin, &truth)
				      : truth;
		run->asks_origin = true;
	} else {
		fw_rule_require(run, truth);
	}
}

/* One less, or more; false: there is none. */
static bool step_down(uint8_t *bytes, size_t length) {
	while (length-- > 0) {
		if (bytes[length]-- != 0) {
			return true;
		}
	}
	return false;
}

static bool step_up(uint8_t *bytes, size_t length) {
	while (length-- > 0) {
		if (++bytes[length] != 0) {
			return true;
		}
	}
	return false;
}

static struct fw_truth compare(struct fw_running *run, unsigned at, uint32_t operation,
	const uint8_t *data, uint32_t length) {
	struct fw_spaces *spaces = fw_rule_spaces(run);
	uint8_t low[FW_REGISTER_BYTES] = {0}, high[FW_REGISTER_BYTES];
	struct fw_truth truth;
	bool any = true;

	memset(high, 0xff, sizeof(high));
	switch (operation) {
	case NFT_CMP_EQ:
		return fw_registers_equal(spaces, &run->registers, at, length, data);
	case NFT_CMP_NEQ:
		truth = fw_registers_equal(spaces, &run->registers, at, length, data);
		return fw_truth_not(spaces, &truth);
	case NFT_CMP_LT:
	case NFT_CMP_LTE:
		memcpy(high, data, length);
		any = operation == NFT_CMP_LTE || step_down(high, length);
		break;
	case NFT_CMP_GT:
	case NFT_CMP_GTE:
		memcpy(low, data, length);
		any = operation == NFT_CMP_GTE || step_up(low, length);
		break;
	default:
		return fw_truth_unknown("a comparison of another kind");
	}
	return any ? fw_registers_between(spaces, &run->registers, at, length, low, high)
		   : fw_truth_is(FW_SPACE_EMPTY);
}

void fw_run_cmp(struct fw_running *run, const struct fw_attrs *attrs) {
	unsigned at = fw_register_at(fw_attr_u32(attrs->at[NFTA_CMP_SREG]));
	uint32_t length = 0;
	const uint8_t *data = fw_attr_value(attrs->at[NFTA_CMP_DATA], &length);

	if (data == NULL || at + length > FW_REGISTER_BYTES) {
		fw_rule_require(run, fw_truth_unknown("a comparison"));
		return;
	}
	judge(run, at, compare(run, at, fw_attr_u32(attrs->at[NFTA_CMP_OP]), data, length));
}

void fw_run_range(struct fw_running *run, const struct fw_attrs *attrs) {
	unsigned at = fw_register_at(fw_attr_u32(attrs->at[NFTA_RANGE_SREG]));
	uint32_t low_length = 0, length = 0;
	const uint8_t *low = fw_attr_value(attrs->at[NFTA_RANGE_FROM_DATA], &low_length);
	const uint8_t *high = fw_attr_value(attrs->at[NFTA_RANGE_TO_DATA], &length);

	if (low == NULL || high == NULL || low_length != length ||
		at + length > FW_REGISTER_BYTES) {
		fw_rule_require(run, fw_truth_unknown("a range"));
		return;
	}
	struct fw_truth truth =
		fw_registers_between(fw_rule_spaces(run), &run->registers, at, length, low, high);
	if (fw_attr_u32(attrs->at[NFTA_RANGE_OP]) == NFT_RANGE_NEQ) {
		truth = fw_truth_not(fw_rule_spaces(run), &truth);
	}
	judge(run, at, truth);
}

void fw_run_bitwise(struct fw_running *run, const struct fw_attrs *attrs) {
	unsigned from = fw_register_at(fw_attr_u32(attrs->at[NFTA_BITWISE_SREG]));
	unsigned to = fw_register_at(fw_attr_u32(attrs->at[NFTA_BITWISE_DREG]));
	uint32_t length = fw_attr_u32(attrs->at[NFTA_BITWISE_LEN]);
	uint32_t mask_length = 0, flip_length = 0;
	const uint8_t *mask = fw_attr_value(attrs->at[NFTA_BITWISE_MASK], &mask_length);
	const uint8_t *flip = fw_attr_value(attrs->at[NFTA_BITWISE_XOR], &flip_length);
	bool plain = fw_attr_u32(attrs->at[NFTA_BITWISE_OP]) == NFT_BITWISE_BOOL && mask != NULL &&
		     flip != NULL && mask_length == length && flip_length == length &&
		     !attrs->strange;

	if (plain && from + length <= FW_REGISTER_BYTES && to + length <= FW_REGISTER_BYTES) {
		fw_registers_mask(
			&run->registers, run->lowering->arena, from, to, length, mask, flip);
	} else {
		fw_rule_load(run, attrs->at[NFTA_BITWISE_DREG],
			fw_part_unknown("a shift or arithmetic", FW_RULE_ANYTHING));
	}
}

void fw_run_byteorder(struct fw_running *run, const struct fw_attrs *attrs) {
	unsigned from = fw_register_at(fw_attr_u32(attrs->at[NFTA_BYTEORDER_SREG]));
	unsigned to = fw_register_at(fw_attr_u32(attrs->at[NFTA_BYTEORDER_DREG]));
	uint32_t length = fw_attr_u32(attrs->at[NFTA_BYTEORDER_LEN]);
	uint32_t size = fw_attr_u32(attrs->at[NFTA_BYTEORDER_SIZE]);
	const uint16_t one = 1;
	bool little = *(const uint8_t *)&one == 1;

	if (size == 0 || length > FW_REGISTER_BYTES || from + length > FW_REGISTER_BYTES ||
		to + length > FW_REGISTER_BYTES) {
		fw_rule_load(run, attrs->at[NFTA_BYTEORDER_DREG],
			fw_part_unknown("another byte order", FW_RULE_ANYTHING));
		return;
	}
	fw_registers_turn(
		&run->registers, run->lowering->arena, from, to, length, little ? size : 1);
}

/* ---- looking up ---- */

static const struct fw_lookup *look_up(struct fw_running *run, const struct nlattr *name,
	const struct nlattr *reg, const struct fw_dump_set **out_set, const char **out_what) {
	const struct fw_lowering *lowering = run->lowering;
	const struct fw_dump_set *set =
		fw_dump_find(lowering->dump, FW_DUMP_SET, run->chain->table, fw_attr_text(name), 0);
	unsigned at = fw_register_at(fw_attr_u32(reg));

	if (set == NULL || set->key_length > FW_REGISTER_BYTES - at) {
		*out_what = "a set that is not there";
		return NULL;
	}
	*out_set = set;
	const struct fw_part *part = fw_registers_find(&run->registers, at);
	if (part != NULL && part->origin && part->length != set->key_length) {
		*out_what = "the address that a connection first went to, among others";
		return NULL;
	}
	return fw_set_lookup(lowering->arena, lowering->spaces, set,
		&lowering->lookups[set - lowering->dump->sets], &run->registers, at, out_what);
}

/* What a key that packets may have leads to; or, where no key is known, what any would. */
static void doubt_verdicts(struct fw_running *run, const struct fw_lookup *lookup) {
	bool told = false;

	for (size_t i = 0; i < lookup->group_count; i++) {
		const struct fw_lookup_group *group = &lookup->groups[i];
		struct fw_rb_rule rule = {.perhaps = lookup->found.what};
		if (group->perhaps == FW_SPACE_EMPTY) {
			continue;
		}
		told = true;
		rule.perhaps = rule.perhaps != NULL ? rule.perhaps : "a verdict map";
		if (group->element->has_verdict &&
			fw_rule_action(run, group->element->verdict, group->element->chain,
				&rule.action, &rule.chain)) {
			fw_rule_guess(run, rule, group->perhaps);
		} else {
			fw_rule_unknown(run,
				fw_space_intersect(fw_rule_spaces(run), fw_rule_settle(run).most,
					group->perhaps),
				rule.perhaps);
		}
	}
	if (!told) {
		fw_rule_doubt(run, &lookup->found);
	}
}

/* Each key has a verdict. Those that say to go on do so within the rule. */
static void run_verdicts(struct fw_running *run, const struct fw_lookup *lookup) {
	struct fw_rb_case *cases =
		FW_ARENA_ARRAY(run->lowering->arena, struct fw_rb_case, lookup->group_count);
	struct fw_truth onwards = fw_truth_is(FW_SPACE_EMPTY);
	size_t count = 0;

	doubt_verdicts(run, lookup);
	for (size_t i = 0; i < lookup->group_count; i++) {
		const struct fw_dump_element *element = lookup->groups[i].element;
		struct fw_rb_case one = {.set = lookup->groups[i].set};
		if (!element->has_verdict || !fw_rule_action(run, element->verdict, element->chain,
						     &one.action, &one.chain)) {
			fw_rule_unknown(run,
				fw_space_intersect(
					fw_rule_spaces(run), fw_rule_settle(run).most, one.set),
				"a verdict of another kind");
		} else if (element->verdict == NFT_CONTINUE) {
			onwards.yes = fw_space_union(fw_rule_spaces(run), onwards.yes, one.set);
			onwards.most = fw_space_union(fw_rule_spaces(run), onwards.most,
				fw_space_union(
					fw_rule_spaces(run), one.set, lookup->groups[i].perhaps));
			onwards.what = lookup->found.what;
		} else if (one.action != FW_RB_CONTINUE) {
			cases[count++] = one;
		}
	}
	if (count != 0) {
		fw_rule_emit(
			run, (struct fw_rb_rule){
				     .action = FW_RB_CASES, .cases = cases, .case_count = count});
	}
	run->ended = onwards.most == FW_SPACE_EMPTY;
	fw_rule_require(run, onwards);
}

void fw_run_lookup(struct fw_running *run, const struct fw_attrs *attrs) {
	const struct nlattr *to = attrs->at[NFTA_LOOKUP_DREG];
	bool inverted = (fw_attr_u32(attrs->at[NFTA_LOOKUP_FLAGS]) & NFT_LOOKUP_F_INV) != 0;
	const struct fw_dump_set *set = NULL;
	const char *what = NULL;
	const struct fw_lookup *lookup =
		look_up(run, attrs->at[NFTA_LOOKUP_SET], attrs->at[NFTA_LOOKUP_SREG], &set, &what);
	unsigned at = fw_register_at(fw_attr_u32(attrs->at[NFTA_LOOKUP_SREG]));
	const struct fw_part *part = fw_registers_find(&run->registers, at);

	if (lookup == NULL && to != NULL && fw_attr_u32(to) == NFT_REG_VERDICT) {
		fw_rule_mystify(run, what);
		return;
	}
	if (lookup == NULL) {
		fw_rule_require(run, fw_truth_unknown(what));
		if (to != NULL) {
			fw_rule_load(run, to, fw_part_unknown(what, FW_RULE_ANYTHING));
		}
		return;
	}
	if (to != NULL && fw_attr_u32(to) == NFT_REG_VERDICT) {
		run_verdicts(run, lookup);
		return;
	}
	struct fw_truth found = lookup->found;
	if (inverted) {
		found = fw_truth_not(fw_rule_spaces(run), &found);
	}
	if (part != NULL && part->origin) {
		judge(run, at, found);
	} else {
		fw_rule_require_later(run, found, to != NULL ? lookup : NULL);
	}
	if (to != NULL) {
		struct fw_part mapped = {
			.kind = FW_PART_MAPPED, .length = set->data_length, .map = lookup};
		fw_rule_load(run, to, mapped);
	}
}

/* ---- limits ---- */

enum { SOURCES_MIN = 128 }; /* fewer buckets are used up by a handful of neighbours */

static const uint64_t unit_seconds[FW_UNIT_COUNT] = {
	[FW_SECOND] = 1, [FW_MINUTE] = 60, [FW_HOUR] = 3600, [FW_DAY] = 86400};

static bool rate_of(const struct nlattr *data, struct fw_rate *out, bool *out_over) {
	struct fw_attrs attrs = fw_attrs_of(data, NFTA_LIMIT_MAX);
	uint64_t rate = fw_attr_u64(attrs.at[NFTA_LIMIT_RATE]);
	uint64_t unit = fw_attr_u64(attrs.at[NFTA_LIMIT_UNIT]);
	uint32_t flags = fw_attr_u32(attrs.at[NFTA_LIMIT_FLAGS]);

	*out = (struct fw_rate){
		.count = (uint32_t)rate, .burst = fw_attr_u32(attrs.at[NFTA_LIMIT_BURST])};
	*out_over = (flags & NFT_LIMIT_F_INV) != 0;
	for (int i = FW_SECOND; i < FW_UNIT_COUNT; i++) {
		if (unit_seconds[i] == unit) {
			out->unit = (enum fw_unit)i;
		}
	}
	return rate != 0 && rate <= UINT32_MAX && out->unit != FW_UNIT_NONE &&
	       fw_attr_u32(attrs.at[NFTA_LIMIT_TYPE]) == NFT_LIMIT_PKTS &&
	       (flags & ~(uint32_t)NFT_LIMIT_F_INV) == 0 && !attrs.strange;
}

/* Buckets of named limits come first, then one for each rule, then those that sets hold. */
static size_t own_bucket(const struct fw_running *run) {
	return run->lowering->dump->object_count + run->rule->serial;
}

static size_t set_bucket(const struct fw_running *run, const struct fw_dump_set *set) {
	const struct fw_dump *dump = run->lowering->dump;

	return set->shared ? dump->object_count + dump->rule_count + (size_t)(set - dump->sets)
			   : own_bucket(run);
}

static void limit(
	struct fw_running *run, const struct nlattr *data, size_t bucket, bool per_source) {
	struct fw_rate rate;
	bool over;

	if (!rate_of(data, &rate, &over)) {
		fw_rule_require(run, fw_truth_unknown("a limit in other units"));
		return;
	}
	if (run->rate.count != 0) {
		fw_rule_require(run, fw_truth_unknown("a limit behind another limit"));
		return;
	}
	rate.per_source = per_source;
	run->rate = rate;
	run->over = over;
	run->bucket = bucket;
	run->limited = fw_rule_settle(run).most;
	if (bucket != own_bucket(run) && run->limited != FW_SPACE_EMPTY) {
		/* Others lack what it takes, whatever becomes of these packets. */
		FW_VEC_ADD(&run->out->list, (struct fw_rb_rule){.match = run->limited,
						    .action = FW_RB_CONTINUE,
						    .rate = rate,
						    .bucket = bucket,
						    .place = run->place});
	}
}

void fw_run_limit(struct fw_running *run, const struct nlattr *data) {
	limit(run, data, own_bucket(run), false);
}

/* Whether the key is the source address, and nothing else. */
static bool is_source(const struct fw_running *run, unsigned at, uint32_t length) {
	const struct fw_part *part = fw_registers_find(&run->registers, at);

	if (part == NULL || part->kind != FW_PART_FIELD || part->var != FW_VAR_SOURCE ||
		part->at != at || part->length != part->size || part->size != length) {
		return false;
	}
	for (unsigned i = 0; i < length; i++) {
		if (part->mask[i] != 0xff || part->flip[i] != 0) {
			return false;
		}
	}
	return true;
}

static void run_each(struct fw_running *run, const struct fw_expression *expression,
	const struct fw_dump_set *set, bool per_source) {
	if (strcmp(expression->name, "counter") == 0 || strcmp(expression->name, "last") == 0) {
		return;
	}
	if (strcmp(expression->name, "limit") == 0 && per_source) {
		limit(run, expression->data, set_bucket(run, set), true);
		return;
	}
	fw_rule_require(run,
		fw_truth_unknown(fw_rule_say(run, "'@' for each key of a set", expression->name)));
}

/* A bucket that is forgotten before it would be full again is full too soon; so is one that is
 * forgotten though its packets go on coming. */
static bool forgets(
	const struct fw_running *run, const struct fw_dump_set *set, const struct fw_attrs *attrs) {
	uint64_t own = fw_attr_u64(attrs->at[NFTA_DYNSET_TIMEOUT]);
	uint64_t kept = own != 0 ? own : set->timeout;
	bool renews = fw_attr_u32(attrs->at[NFTA_DYNSET_OP]) == NFT_DYNSET_OP_UPDATE;

	return kept != 0 && !(renews && kept >= fw_rb_refill(&run->rate));
}

/* The sources that have a bucket have one like any other would get. */
static bool has_others(const struct fw_dump_set *set, const struct nlattr *expression) {
	for (size_t i = 0; i < set->element_count; i++) {
		const struct nlattr *own = set->elements[i].expression;
		if (own == NULL || expression == NULL || !fw_attr_same(own, expression)) {
			return true;
		}
	}
	return false;
}

/* The expression of new elements, if it is one alone. */
static const struct nlattr *only_expression(
	const struct fw_dump_set *set, const struct fw_attrs *attrs) {
	const struct nlattr *list = attrs->at[NFTA_DYNSET_EXPRESSIONS];

	if (attrs->at[NFTA_DYNSET_EXPR] != NULL) {
		return attrs->at[NFTA_DYNSET_EXPR];
	}
	list = list != NULL ? list : set->expressions;
	if (list == NULL || mnl_attr_get_payload_len(list) < MNL_ATTR_HDRLEN) {
		return NULL;
	}
	const struct nlattr *first = mnl_attr_get_payload(list);
	return MNL_ALIGN(first->nla_len) == mnl_attr_get_payload_len(list) ? first : NULL;
}

/* What may become of a limit for each source, other than that it lets through what it says. */
static void doubt_sources(
	struct fw_running *run, const struct fw_dump_set *set, const struct fw_attrs *attrs) {
	const char *what = NULL;

	if (run->rate.count == 0 || !run->rate.per_source) {
		return;
	}
	if (forgets(run, set, attrs)) {
		what = "a limit that is forgotten before its time";
	} else if (set->size != 0 && set->size < SOURCES_MIN) {
		what = "a limit for few sources";
	} else if (set->mixed) {
		what = "a limit in a set that other rules change";
	} else if (has_others(set, only_expression(set, attrs))) {
		what = "a limit in a set with other elements";
	}
	if (what != NULL) {
		fw_rule_require(run, fw_truth_unknown(what));
	}
}

/* What is added to sets matters by the expressions that new elements get. */
void fw_run_dynset(struct fw_running *run, const struct fw_attrs *attrs) {
	const struct fw_dump_set *set = fw_dump_find(run->lowering->dump, FW_DUMP_SET,
		run->chain->table, fw_attr_text(attrs->at[NFTA_DYNSET_SET_NAME]), 0);
	unsigned at = fw_register_at(fw_attr_u32(attrs->at[NFTA_DYNSET_SREG_KEY]));
	const struct nlattr *list = attrs->at[NFTA_DYNSET_EXPRESSIONS], *last = NULL;
	struct fw_expression expression;

	if (set == NULL || attrs->strange ||
		(fw_attr_u32(attrs->at[NFTA_DYNSET_FLAGS]) & NFT_DYNSET_F_INV) != 0) {
		fw_rule_require(run, fw_truth_unknown("a set that packets are added to"));
		return;
	}
	bool per_source = is_source(run, at, set->key_length);
	list = list != NULL ? list : set->expressions;
	if (attrs->at[NFTA_DYNSET_EXPR] != NULL) {
		struct fw_attrs one = fw_attrs_of(attrs->at[NFTA_DYNSET_EXPR], NFTA_EXPR_MAX);
		const char *name = fw_attr_text(one.at[NFTA_EXPR_NAME]);
		expression =
			(struct fw_expression){name != NULL ? name : "", one.at[NFTA_EXPR_DATA]};
		run_each(run, &expression, set, per_source);
		list = NULL;
	}
	while (fw_expression_next(list, &last, &expression)) {
		run_each(run, &expression, set, per_source);
	}
	doubt_sources(run, set, attrs);
	/* Where there is no room, what is beyond a limit passes; up to one, too little does. */
	if ((run->rate.count == 0 || run->over) &&
		fw_attr_u32(attrs->at[NFTA_DYNSET_OP]) != NFT_DYNSET_OP_DELETE) {
		fw_rule_require(run, fw_truth_unknown("a set that may be full"));
	}
}

void fw_run_objref(struct fw_running *run, const struct fw_attrs *attrs) {
	const struct fw_dump *dump = run->lowering->dump;
	uint32_t type = fw_attr_u32(attrs->at[NFTA_OBJREF_IMM_TYPE]);
	const struct fw_dump_set *set = NULL;
	const char *what = NULL;

	if (attrs->at[NFTA_OBJREF_SET_NAME] != NULL) {
		const struct fw_lookup *lookup = look_up(run, attrs->at[NFTA_OBJREF_SET_NAME],
			attrs->at[NFTA_OBJREF_SET_SREG], &set, &what);
		fw_rule_require_later(
			run, lookup == NULL ? fw_truth_unknown(what) : lookup->found, NULL);
		type = set == NULL ? NFT_OBJECT_UNSPEC : set->object_type;
	}
	switch (type) {
	case NFT_OBJECT_COUNTER:
	case NFT_OBJECT_CT_TIMEOUT:
	case NFT_OBJECT_SECMARK:
		return;
	case NFT_OBJECT_LIMIT: {
		const struct fw_dump_object *object = fw_dump_find(dump, FW_DUMP_OBJECT,
			run->chain->table, fw_attr_text(attrs->at[NFTA_OBJREF_IMM_NAME]), type);
		if (object != NULL && set == NULL) {
			limit(run, object->data, object->serial, false);
			return;
		}
		break;
	}
	case NFT_OBJECT_CT_HELPER:
		/* What it finds in packets makes others related, to whatever port. */
		fw_rule_mystify(run, "a helper, by which other connections become related");
		return;
	case NFT_OBJECT_QUOTA:
	case NFT_OBJECT_CONNLIMIT:
		fw_rule_require(
			run, fw_truth_unknown(type == NFT_OBJECT_QUOTA ? "the match 'quota'"
								       : "the match 'connlimit'"));
		return;
	default:
		fw_rule_mystify(run, "an object of another kind");
		return;
	}
	fw_rule_require(run, fw_truth_unknown("a limit by a map"));
}
