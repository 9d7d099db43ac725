// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_READBACK_NFTABLES_RULE_H
#define FW_READBACK_NFTABLES_RULE_H
/*
 * Private to nftables_rule.c and the files it leaves expressions to: nftables_load.c loads
 * registers from the packet, nftables_match.c compares them, looks them up and limits,
 * nftables_nat.c translates.
 */

#include "readback/nftables.h"

/* Of what is loaded and not understood: it does not matter how long it is. */
enum { FW_RULE_ANYTHING = 16 };

/** Protocols whose headers are laid out alike. */
enum fw_layout {
	FW_LAYOUT_ANY, /* it does not look */
	FW_LAYOUT_TCP,
	FW_LAYOUT_PORTS,
	FW_LAYOUT_ICMP,
	FW_LAYOUT_OTHER,
};

/** What a look into a large set asks for. */
struct fw_late {
	struct fw_truth truth;
	const struct fw_lookup *lookup; /* or NULL */
};

/** A rule that is being run on all packets of one kind. */
struct fw_running {
	struct fw_lowering *lowering;
	const struct fw_dump_chain *chain;
	const struct fw_dump_rule *rule;
	struct fw_place place;
	struct fw_rb_rules *out;
	enum fw_family family; /* FW_FAMILY_NONE: it does not look */
	enum fw_layout layout;
	struct fw_registers registers;
	struct fw_truth match;
	FW_VEC(struct fw_late) late; /* of large sets: only if anything is left to match */
	struct fw_truth origin;	     /* of the first destination of a connection */
	enum fw_family origin_family;
	bool asks_origin;
	struct fw_rate rate; /* count 0: none so far */
	bool over;
	size_t bucket;
	fw_space limited; /* what the limit may meet */
	size_t draws;	  /* where what this kind of packets does begins in `out` */
	bool ended;
};

static inline struct fw_spaces *fw_rule_spaces(struct fw_running *run) {
	return run->lowering->spaces;
}

/* ---- what a rule asks for, and does: nftables_rule.c ---- */

/** A text with a word in place of the @. */
const char *fw_rule_say(struct fw_running *run, const char *format, const char *what);
fw_space fw_rule_is(struct fw_running *run, enum fw_var var, uint64_t value);
void fw_rule_require(struct fw_running *run, struct fw_truth truth);
/** The same, but not before it is needed. */
void fw_rule_require_later(
	struct fw_running *run, struct fw_truth truth, const struct fw_lookup *lookup);
/** Not at all: all that follows asks for a key of the map anyway. */
void fw_rule_forgo(struct fw_running *run, const struct fw_lookup *lookup);
/** All that is asked for so far. */
struct fw_truth fw_rule_settle(struct fw_running *run);
/** What becomes of these packets is not known. */
void fw_rule_unknown(struct fw_running *run, fw_space set, const char *what);
/** Something that a rule does to all it matches, and what comes of it is not known. */
void fw_rule_mystify(struct fw_running *run, const char *what);
/** The rule perhaps does this, for the reason it tells, to packets of a set that match so far. */
void fw_rule_guess(struct fw_running *run, struct fw_rb_rule rule, fw_space set);
/** Packets that may be found, and where that would lead is not known. */
void fw_rule_doubt(struct fw_running *run, const struct fw_truth *found);
/** The rule does this to packets that match so far. */
void fw_rule_emit(struct fw_running *run, struct fw_rb_rule rule);
/** The same, to those of a set. */
void fw_rule_emit_for(struct fw_running *run, struct fw_rb_rule rule, fw_space set);
/** The action of a verdict. False: nobody knows what comes of it. */
bool fw_rule_action(struct fw_running *run, int32_t verdict, const char *chain,
	enum fw_rb_action *out_action, size_t *out_chain);

/* ---- expressions ---- */

/** Loads a register that an attribute names. */
void fw_rule_load(struct fw_running *run, const struct nlattr *reg, struct fw_part part);

/** Packets by the type of an address: FW_VAR_SOURCE or FW_VAR_DESTINATION. `by_device`: whether it
 * is that on one of the packet's interfaces. */
struct fw_part fw_class_address_type(struct fw_running *run, enum fw_var var, bool by_device);
struct fw_part fw_class_link_type(struct fw_running *run);
struct fw_part fw_class_direction(struct fw_running *run);
struct fw_part fw_class_next_header(struct fw_running *run);

void fw_run_meta(struct fw_running *run, const struct fw_attrs *attrs);
void fw_run_ct(struct fw_running *run, const struct fw_attrs *attrs);
void fw_run_fib(struct fw_running *run, const struct fw_attrs *attrs);
void fw_run_payload(struct fw_running *run, const struct fw_attrs *attrs);

void fw_run_cmp(struct fw_running *run, const struct fw_attrs *attrs);
void fw_run_range(struct fw_running *run, const struct fw_attrs *attrs);
void fw_run_bitwise(struct fw_running *run, const struct fw_attrs *attrs);
void fw_run_byteorder(struct fw_running *run, const struct fw_attrs *attrs);
void fw_run_lookup(struct fw_running *run, const struct fw_attrs *attrs);
void fw_run_dynset(struct fw_running *run, const struct fw_attrs *attrs);
void fw_run_objref(struct fw_running *run, const struct fw_attrs *attrs);
void fw_run_limit(struct fw_running *run, const struct nlattr *data);

void fw_run_nat(struct fw_running *run, const struct fw_attrs *attrs);
void fw_run_masq(struct fw_running *run, const struct fw_attrs *attrs);
void fw_run_redir(struct fw_running *run, const struct fw_attrs *attrs);

#endif
