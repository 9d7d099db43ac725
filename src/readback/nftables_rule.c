// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The expressions of a rule, run on all packets at once. What a header's bytes are depends on the
 * family and the protocol, so a rule that looks at them is run once for each kind of packet, and
 * gives a rule for each.
 */

#include "readback/nftables_rule.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>

const char *fw_rule_say(struct fw_running *run, const char *format, const char *what) {
	struct fw_slice rest = fw_slice(format);
	struct fw_slice before = fw_slice_cut(&rest, '@');

	return fw_arena_printf(run->lowering->arena, "%.*s%s%.*s", (int)before.length, before.data,
		what, (int)rest.length, rest.data != NULL ? rest.data : "");
}

/* ---- what matches ---- */

fw_space fw_rule_is(struct fw_running *run, enum fw_var var, uint64_t value) {
	return fw_space_interval(fw_rule_spaces(run), var, fw_value(value), fw_value(value));
}

void fw_rule_require(struct fw_running *run, struct fw_truth truth) {
	run->match = fw_truth_and(fw_rule_spaces(run), &run->match, &truth);
}

void fw_rule_require_later(
	struct fw_running *run, struct fw_truth truth, const struct fw_lookup *lookup) {
	struct fw_late late = {truth, lookup};

	FW_VEC_ADD(&run->late, late);
}

void fw_rule_forgo(struct fw_running *run, const struct fw_lookup *lookup) {
	size_t kept = 0;

	for (size_t i = 0; i < run->late.count; i++) {
		if (run->late.items[i].lookup != lookup) {
			run->late.items[kept++] = run->late.items[i];
		}
	}
	run->late.count = kept;
}

/* All that is asked for so far. */
struct fw_truth fw_rule_settle(struct fw_running *run) {
	for (size_t i = 0; i < run->late.count; i++) {
		fw_rule_require(run, run->late.items[i].truth);
	}
	run->late.count = 0;
	return run->match;
}

/* ---- what comes of it ---- */

void fw_rule_unknown(struct fw_running *run, fw_space set, const char *what) {
	if (set == FW_SPACE_EMPTY) {
		return;
	}
	FW_VEC_ADD(&run->out->list,
		(struct fw_rb_rule){.match = set, .unknown = what, .place = run->place});
}

/* Something that a rule does, and what comes of it cannot be said. */
void fw_rule_mystify(struct fw_running *run, const char *what) {
	fw_rule_unknown(run, fw_rule_settle(run).most, what);
}

/* Packets that may be found, and where that would lead is not known. */
void fw_rule_doubt(struct fw_running *run, const struct fw_truth *found) {
	struct fw_spaces *spaces = fw_rule_spaces(run);
	fw_space doubt = fw_space_subtract(spaces, found->most, found->yes);

	if (doubt != FW_SPACE_EMPTY) {
		fw_rule_unknown(run, fw_space_intersect(spaces, fw_rule_settle(run).most, doubt),
			found->what);
	}
}

static void add_guess(
	struct fw_running *run, struct fw_rb_rule rule, fw_space set, const char *what) {
	if (set != FW_SPACE_EMPTY) {
		rule.match = set;
		rule.perhaps = what != NULL ? what : "a match";
		rule.place = run->place;
		FW_VEC_ADD(&run->out->list, rule);
	}
}

void fw_rule_guess(struct fw_running *run, struct fw_rb_rule rule, fw_space set) {
	add_guess(run, rule, fw_space_intersect(fw_rule_spaces(run), fw_rule_settle(run).most, set),
		rule.perhaps);
}

static void add_rule(struct fw_running *run, struct fw_rb_rule rule, struct fw_truth match) {
	bool drops = rule.action == FW_RB_DROP || rule.action == FW_RB_REJECT;

	add_guess(run, rule, fw_space_subtract(fw_rule_spaces(run), match.most, match.yes),
		match.what);
	if (run->over && !drops) {
		add_guess(run, rule, match.yes, "something that happens beyond a limit only");
	} else if (match.yes != FW_SPACE_EMPTY) {
		rule.match = match.yes;
		rule.place = run->place;
		rule.rate = run->rate;
		rule.over = run->over;
		rule.bucket = run->bucket;
		FW_VEC_ADD(&run->out->list, rule);
	}
}

/* The first destinations, as a list. */
static void list_origins(struct fw_running *run, struct fw_rb_rewrite *rewrite) {
	struct fw_boxes boxes = {0};
	struct fw_range *ranges = NULL;

	if (fw_space_boxes(fw_rule_spaces(run), run->origin.yes, FW_SPACE_ALL, 1, &boxes) &&
		boxes.count == 1) {
		const struct fw_intervals *values = &boxes.items[0].values[FW_VAR_DESTINATION];
		ranges = FW_ARENA_ARRAY(run->lowering->arena, struct fw_range, values->count);
		for (size_t i = 0; i < values->count; i++) {
			ranges[i] = (struct fw_range){
				values->items[i].low, values->items[i].high, run->origin_family};
		}
		rewrite->originals = ranges;
		rewrite->original_count = values->count;
	}
	fw_boxes_fini(&boxes);
}

/* A packet that was not translated still has its first destination; of the others only translation
 * can ask for it. */
static void emit_by_origin(struct fw_running *run, struct fw_rb_rule rule, struct fw_truth match) {
	struct fw_spaces *spaces = fw_rule_spaces(run);
	struct fw_truth kept = fw_truth_is(fw_rule_is(run, FW_VAR_TRANSLATED, 0));
	struct fw_truth moved = fw_truth_is(fw_rule_is(run, FW_VAR_TRANSLATED, 1));
	bool source = run->chain->kind == FW_DUMP_NAT && rule.action == FW_RB_REWRITE &&
		      rule.rewrite.source;

	kept = fw_truth_and(spaces, &kept, &match);
	kept = fw_truth_and(spaces, &kept, &run->origin);
	add_rule(run, rule, kept);
	moved = fw_truth_and(spaces, &moved, &match);
	if (source && run->origin.yes == run->origin.most) {
		list_origins(run, &rule.rewrite);
	}
	if (rule.rewrite.original_count != 0) {
		add_rule(run, rule, moved);
	} else if (run->origin.most != FW_SPACE_EMPTY) {
		add_guess(run, rule, moved.most, "the address that a connection first went to");
	}
}

/* A limit that lets less through than it counts is slower than it says. */
static bool is_narrowed(struct fw_running *run, fw_space most) {
	return run->rate.count != 0 && most != run->limited;
}

/* The rule does this to packets that match so far, and in `set`. */
void fw_rule_emit_for(struct fw_running *run, struct fw_rb_rule rule, fw_space set) {
	struct fw_truth match = fw_rule_settle(run);
	struct fw_truth also = fw_truth_is(set);

	if (is_narrowed(run, match.most) ||
		(run->rate.count != 0 && set != FW_SPACE_ALL && rule.action == FW_RB_REWRITE)) {
		add_guess(run, rule, fw_space_intersect(fw_rule_spaces(run), match.most, set),
			"a match behind a limit");
		return;
	}
	match = fw_truth_and(fw_rule_spaces(run), &match, &also);
	if (run->asks_origin) {
		emit_by_origin(run, rule, match);
	} else {
		add_rule(run, rule, match);
	}
}

void fw_rule_emit(struct fw_running *run, struct fw_rb_rule rule) {
	fw_rule_emit_for(run, rule, FW_SPACE_ALL);
}

/* ---- verdicts ---- */

/* False: nobody knows what comes of it. */
bool fw_rule_action(struct fw_running *run, int32_t verdict, const char *chain,
	enum fw_rb_action *out_action, size_t *out_chain) {
	const struct fw_dump *dump = run->lowering->dump;
	const struct fw_dump_chain *target =
		fw_dump_find(dump, FW_DUMP_CHAIN, run->chain->table, chain, 0);

	switch (verdict) {
	case NF_ACCEPT:
		*out_action = FW_RB_ACCEPT;
		return true;
	case NF_DROP:
		*out_action = FW_RB_DROP;
		return true;
	case NFT_RETURN:
		*out_action = FW_RB_RETURN;
		return true;
	case NFT_BREAK:
	case NFT_CONTINUE:
		*out_action = FW_RB_CONTINUE;
		return true;
	case NFT_JUMP:
	case NFT_GOTO:
		*out_action = verdict == NFT_JUMP ? FW_RB_JUMP : FW_RB_GOTO;
		*out_chain = target == NULL ? 0 : (size_t)(target - dump->chains);
		return target != NULL;
	default:
		return false;
	}
}

static void decide(struct fw_running *run, int32_t verdict, const char *chain) {
	struct fw_rb_rule rule = {0};

	if (verdict == NFT_CONTINUE) {
		return;
	}
	run->ended = true;
	if (!fw_rule_action(run, verdict, chain, &rule.action, &rule.chain)) {
		fw_rule_mystify(run, "a verdict of another kind");
	} else if (rule.action != FW_RB_CONTINUE) {
		fw_rule_emit(run, rule);
	}
}

static void run_immediate(struct fw_running *run, const struct fw_attrs *attrs) {
	struct fw_attrs data = fw_attrs_of(attrs->at[NFTA_IMMEDIATE_DATA], NFTA_DATA_MAX);
	struct fw_attrs verdict = fw_attrs_of(data.at[NFTA_DATA_VERDICT], NFTA_VERDICT_MAX);
	uint32_t length = 0;
	const uint8_t *bytes = fw_attr_value(attrs->at[NFTA_IMMEDIATE_DATA], &length);

	if (data.at[NFTA_DATA_VERDICT] != NULL) {
		decide(run, (int32_t)fw_attr_u32(verdict.at[NFTA_VERDICT_CODE]),
			fw_attr_text(verdict.at[NFTA_VERDICT_CHAIN]));
	} else if (bytes != NULL && length <= FW_REGISTER_BYTES) {
		fw_rule_load(run, attrs->at[NFTA_IMMEDIATE_DREG], fw_part_bytes(bytes, length));
	} else {
		fw_rule_load(run, attrs->at[NFTA_IMMEDIATE_DREG],
			fw_part_unknown("a value", FW_RULE_ANYTHING));
	}
}

/* ---- all the others ---- */

/* TCP options are written to fit a route: no packet goes another way for it. What is read may be
 * missing, and the rule ends then. */
static void run_exthdr(struct fw_running *run, const struct fw_attrs *attrs) {
	static const char what[] = "an option or an extension header";

	if (attrs->at[NFTA_EXTHDR_DREG] != NULL) {
		fw_rule_require(run, fw_truth_unknown(what));
		fw_rule_load(
			run, attrs->at[NFTA_EXTHDR_DREG], fw_part_unknown(what, FW_RULE_ANYTHING));
	} else {
		fw_rule_require(run, fw_truth_is(fw_rule_is(run, FW_VAR_PROTOCOL, IPPROTO_TCP)));
	}
}

/* From then on, packets of connections that it takes go round the chains, both ways. */
static void run_flow(struct fw_running *run, const struct fw_attrs *attrs) {
	struct fw_spaces *spaces = fw_rule_spaces(run);
	static const char what[] = "a flow table";
	fw_space set = FW_SPACE_EMPTY;
	static const uint8_t taken[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_GRE};

	(void)attrs;
	for (size_t i = 0; i < FW_LENGTH(taken); i++) {
		set = fw_space_union(spaces, set, fw_rule_is(run, FW_VAR_PROTOCOL, taken[i]));
	}
	set = fw_space_intersect(
		spaces, set, fw_rule_is(run, FW_VAR_TRACKING, FW_TRACKING_ESTABLISHED));
	FW_VEC_ADD(&run->lowering->bypasses,
		(struct fw_rb_bypass){FW_RB_FORWARD, set, what, run->place, false});
	/* For all that it does not take the rule ends. */
	fw_rule_require(run, fw_truth_unknown(what));
}

/* What is loaded from somewhere that sets of packets know nothing of. */
struct loader {
	const char *name;
	unsigned to; /* the attribute that names the register */
};

static const struct loader loaders[] = {
	{"hash", NFTA_HASH_DREG},
	{"numgen", NFTA_NG_DREG},
	{"osf", NFTA_OSF_DREG},
	{"rt", NFTA_RT_DREG},
	{"socket", NFTA_SOCKET_DREG},
	{"xfrm", NFTA_XFRM_DREG},
};

static bool run_loader(struct fw_running *run, const struct fw_expression *expression) {
	for (size_t i = 0; i < FW_LENGTH(loaders); i++) {
		if (strcmp(loaders[i].name, expression->name) == 0) {
			struct fw_attrs attrs = fw_attrs_of(expression->data, FW_ATTRS_MAX);
			/* What it looked at may be missing, and the rule ends then. */
			fw_rule_require(run, fw_truth_unknown(fw_rule_say(
						     run, "the match '@'", expression->name)));
			fw_rule_load(run, attrs.at[loaders[i].to],
				fw_part_unknown(fw_rule_say(run, "the match '@'", expression->name),
					FW_RULE_ANYTHING));
			return true;
		}
	}
	return false;
}

/* Matches that depend on more than the packet. */
static bool run_condition(struct fw_running *run, const struct fw_expression *expression) {
	static const char *const names[] = {"connlimit", "quota"};

	for (size_t i = 0; i < FW_LENGTH(names); i++) {
		if (strcmp(names[i], expression->name) == 0) {
			fw_rule_require(run, fw_truth_unknown(fw_rule_say(
						     run, "the match '@'", expression->name)));
			return true;
		}
	}
	if (strcmp(expression->name, "match") == 0) {
		struct fw_attrs attrs = fw_attrs_of(expression->data, NFTA_MATCH_MAX);
		const char *name = fw_attr_text(attrs.at[NFTA_MATCH_NAME]);
		fw_rule_require(run, fw_truth_unknown(fw_rule_say(run, "the match '@' of iptables",
					     name != NULL ? name : "?")));
		return true;
	}
	return false;
}

static void run_reject(struct fw_running *run, const struct fw_attrs *attrs) {
	(void)attrs;
	run->ended = true;
	fw_rule_emit(run, (struct fw_rb_rule){.action = FW_RB_REJECT});
}

/* Whatever becomes of the packet, a copy is on its way to somebody else, past all chains. */
static void run_dup(struct fw_running *run, const struct fw_attrs *attrs) {
	(void)attrs;
	fw_rule_mystify(run, "a copy of the packet that goes elsewhere");
}

static void run_nothing(struct fw_running *run, const struct fw_attrs *attrs) {
	(void)run;
	(void)attrs;
}

static const struct {
	const char *name;
	unsigned max; /* of its attributes */
	void (*run)(struct fw_running *run, const struct fw_attrs *attrs);
} handlers[] = {
	{"bitwise", NFTA_BITWISE_MAX, fw_run_bitwise},
	{"byteorder", NFTA_BYTEORDER_MAX, fw_run_byteorder},
	{"cmp", NFTA_CMP_MAX, fw_run_cmp},
	{"counter", FW_ATTRS_MAX, run_nothing},
	{"ct", NFTA_CT_MAX, fw_run_ct},
	{"dup", FW_ATTRS_MAX, run_dup},
	{"dynset", NFTA_DYNSET_MAX, fw_run_dynset},
	{"exthdr", NFTA_EXTHDR_MAX, run_exthdr},
	{"fib", NFTA_FIB_MAX, fw_run_fib},
	{"flow_offload", NFTA_FLOW_MAX, run_flow},
	{"immediate", NFTA_IMMEDIATE_MAX, run_immediate},
	{"last", FW_ATTRS_MAX, run_nothing},
	{"log", FW_ATTRS_MAX, run_nothing},
	{"lookup", NFTA_LOOKUP_MAX, fw_run_lookup},
	{"masq", NFTA_MASQ_MAX, fw_run_masq},
	{"meta", NFTA_META_MAX, fw_run_meta},
	{"nat", NFTA_NAT_MAX, fw_run_nat},
	{"objref", NFTA_OBJREF_MAX, fw_run_objref},
	{"payload", NFTA_PAYLOAD_MAX, fw_run_payload},
	{"range", NFTA_RANGE_MAX, fw_run_range},
	{"redir", NFTA_REDIR_MAX, fw_run_redir},
	{"reject", NFTA_REJECT_MAX, run_reject},
};

static void run_expression(struct fw_running *run, const struct fw_expression *expression) {
	if (strcmp(expression->name, "limit") == 0) {
		fw_run_limit(run, expression->data);
		return;
	}
	for (size_t i = 0; i < FW_LENGTH(handlers); i++) {
		if (strcmp(handlers[i].name, expression->name) == 0) {
			struct fw_attrs attrs = fw_attrs_of(expression->data, handlers[i].max);
			if (attrs.strange) {
				break;
			}
			handlers[i].run(run, &attrs);
			return;
		}
	}
	if (!run_loader(run, expression) && !run_condition(run, expression)) {
		fw_rule_mystify(run, fw_rule_say(run, "the expression '@'", expression->name));
	}
}

/* ---- a rule ---- */

/* What a rule's packets have to be told apart by. */
struct looks {
	bool network, transport;
};

static struct looks looks_of(const struct nlattr *expressions) {
	struct looks looks = {0};
	struct fw_expression expression;
	const struct nlattr *at = NULL;

	while (fw_expression_next(expressions, &at, &expression)) {
		if (strcmp(expression.name, "payload") == 0) {
			struct fw_attrs attrs = fw_attrs_of(expression.data, NFTA_PAYLOAD_MAX);
			uint32_t base = fw_attr_u32(attrs.at[NFTA_PAYLOAD_BASE]);
			looks.network = looks.network || base == NFT_PAYLOAD_NETWORK_HEADER;
			looks.transport = looks.transport || base == NFT_PAYLOAD_TRANSPORT_HEADER;
		}
	}
	return looks;
}

static fw_space protocols(struct fw_spaces *spaces, const uint8_t *numbers, size_t count) {
	fw_space set = FW_SPACE_EMPTY;

	for (size_t i = 0; i < count; i++) {
		set = fw_space_union(spaces, set,
			fw_space_interval(spaces, FW_VAR_PROTOCOL, fw_value(numbers[i]),
				fw_value(numbers[i])));
	}
	return set;
}

static fw_space layout_space(struct fw_spaces *spaces, enum fw_layout layout) {
	static const uint8_t tcp[] = {IPPROTO_TCP};
	static const uint8_t ports[] = {IPPROTO_UDP, IPPROTO_DCCP, IPPROTO_SCTP, IPPROTO_UDPLITE};
	static const uint8_t icmp[] = {IPPROTO_ICMP, IPPROTO_ICMPV6};
	static const uint8_t all[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_DCCP, IPPROTO_SCTP,
		IPPROTO_UDPLITE, IPPROTO_ICMP, IPPROTO_ICMPV6};

	switch (layout) {
	case FW_LAYOUT_TCP:
		return protocols(spaces, tcp, FW_LENGTH(tcp));
	case FW_LAYOUT_PORTS:
		return protocols(spaces, ports, FW_LENGTH(ports));
	case FW_LAYOUT_ICMP:
		return protocols(spaces, icmp, FW_LENGTH(icmp));
	case FW_LAYOUT_OTHER:
		return fw_space_complement(spaces, protocols(spaces, all, FW_LENGTH(all)));
	case FW_LAYOUT_ANY:
		break;
	}
	return FW_SPACE_ALL;
}

static fw_space table_space(struct fw_running *run) {
	switch (run->chain->table->family) {
	case NFPROTO_IPV4:
		return fw_rule_is(run, FW_VAR_FAMILY, FW_IPV4);
	case NFPROTO_IPV6:
		return fw_rule_is(run, FW_VAR_FAMILY, FW_IPV6);
	default:
		return FW_SPACE_ALL;
	}
}

static void start(struct fw_running *run, enum fw_family family, enum fw_layout layout) {
	struct fw_spaces *spaces = fw_rule_spaces(run);
	fw_space set = fw_space_intersect(spaces, table_space(run), layout_space(spaces, layout));

	if (family != FW_FAMILY_NONE) {
		set = fw_space_intersect(spaces, set, fw_rule_is(run, FW_VAR_FAMILY, family));
	}
	run->family = family;
	run->layout = layout;
	run->registers.count = 0;
	run->late.count = 0;
	run->match = fw_truth_is(set);
	run->asks_origin = false;
	run->rate = (struct fw_rate){0};
	run->over = false;
	run->bucket = 0;
	run->draws = run->out->list.count;
	run->ended = set == FW_SPACE_EMPTY;
}

/* Whether the limit of a rule was left behind by all packets of this kind. */
static bool run_kind(struct fw_running *run) {
	struct fw_expression expression;
	const struct nlattr *at = NULL;

	while (!run->ended && fw_expression_next(run->rule->expressions, &at, &expression)) {
		run_expression(run, &expression);
		if (run->match.most == FW_SPACE_EMPTY) {
			return run->rate.count != 0;
		}
	}
	for (size_t i = run->draws; !run->ended && i < run->out->list.count; i++) {
		struct fw_rb_rule *rule = &run->out->list.items[i];
		rule->idle = rule->action == FW_RB_CONTINUE && rule->unknown == NULL;
	}
	return false;
}

/* A limit before what tells kinds of packets apart counts more than what the rule lets through. */
static void doubt(struct fw_rb_rules *out, size_t from) {
	for (size_t i = from; i < out->list.count; i++) {
		struct fw_rb_rule *rule = &out->list.items[i];
		if (rule->unknown == NULL && rule->rate.count != 0 &&
			rule->action != FW_RB_CONTINUE) {
			rule->perhaps = "a match behind a limit";
			rule->rate.count = 0;
		}
	}
}

static const char *const family_names[] = {[NFPROTO_INET] = "inet",
	[NFPROTO_IPV4] = "ip",
	[NFPROTO_IPV6] = "ip6",
	[NFPROTO_NETDEV] = "netdev"};

static const char *family_name(uint8_t family) {
	return family < FW_LENGTH(family_names) && family_names[family] != NULL
		       ? family_names[family]
		       : "another family";
}

void fw_lower_rule(struct fw_lowering *lowering, const struct fw_dump_chain *chain,
	const struct fw_dump_rule *rule, struct fw_rb_rules *out) {
	struct looks looks = looks_of(rule->expressions);
	enum fw_layout first = looks.transport ? FW_LAYOUT_TCP : FW_LAYOUT_ANY;
	enum fw_layout last = looks.transport ? FW_LAYOUT_OTHER : FW_LAYOUT_ANY;
	struct fw_running *run = fw_alloc(sizeof(*run));
	size_t from = out->list.count;
	bool narrowed = false;

	*run = (struct fw_running){.lowering = lowering, .chain = chain, .rule = rule, .out = out};
	run->place.text = fw_arena_printf(lowering->arena, "%s %s %s handle %llu",
		family_name(chain->table->family), chain->table->name, chain->name,
		(unsigned long long)rule->handle);
	for (int family = looks.network ? FW_IPV4 : FW_FAMILY_NONE;
		family < (looks.network ? FW_FAMILY_COUNT : FW_FAMILY_NONE + 1); family++) {
		for (int layout = (int)first; layout <= (int)last; layout++) {
			start(run, (enum fw_family)family, (enum fw_layout)layout);
			narrowed = run_kind(run) || narrowed;
		}
	}
	if (narrowed) {
		doubt(out, from);
	}
	FW_VEC_FINI(&run->late);
	free(run);
}

/* ---- looking ahead ---- */

static bool is_of_iptables(const struct fw_expression *expression) {
	return strcmp(expression->name, "match") == 0 || strcmp(expression->name, "target") == 0;
}

/* Rules that do the same with a set draw on the same limits; others may undo what they do. */
static void note_adding(struct fw_dump_set *set, const struct nlattr *adding) {
	set->changes = true;
	if (set->adding == NULL) {
		set->adding = adding;
	} else if (fw_attr_same(set->adding, adding)) {
		set->shared = true;
	} else {
		set->mixed = true;
	}
}

static void scan_rule(
	struct fw_dump *dump, const struct fw_dump_chain *chain, const struct fw_dump_rule *rule) {
	struct fw_expression expression;
	const struct nlattr *at = NULL;

	while (fw_expression_next(rule->expressions, &at, &expression)) {
		if (is_of_iptables(&expression)) {
			dump->tables[chain->table - dump->tables].strange = true;
		}
		if (strcmp(expression.name, "dynset") == 0) {
			struct fw_attrs attrs = fw_attrs_of(expression.data, NFTA_DYNSET_MAX);
			const struct fw_dump_set *set = fw_dump_find(dump, FW_DUMP_SET,
				chain->table, fw_attr_text(attrs.at[NFTA_DYNSET_SET_NAME]), 0);
			if (set != NULL) {
				note_adding(&dump->sets[set - dump->sets], expression.data);
			}
		}
	}
}

/* Chains that may be called from one that has packets routed once more. */
static void spread_rerouting(struct fw_dump *dump, const struct fw_dump_chain *from) {
	for (size_t i = 0; from->base && from->reroutes && i < dump->chain_count; i++) {
		struct fw_dump_chain *chain = &dump->chains[i];
		chain->reroutes = chain->reroutes || (!chain->base && chain->table == from->table);
	}
}

void fw_scan_rules(struct fw_dump *dump) {
	for (size_t i = 0; i < dump->chain_count; i++) {
		spread_rerouting(dump, &dump->chains[i]);
		for (size_t j = 0; j < dump->chains[i].rule_count; j++) {
			scan_rule(dump, &dump->chains[i], &dump->chains[i].rules[j]);
		}
	}
}
