// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_READBACK_PROGRAM_H
#define FW_READBACK_PROGRAM_H
/*
 * Private to readback/: chains of rules that are tried in order, as nf_tables and iptables have
 * them, and running all packets through them at once.
 */

#include "readback/readback.h"

enum fw_rb_action {
	FW_RB_CONTINUE, /* it matches and goes on: a log, a counter, a mark that nothing asks for */
	FW_RB_ACCEPT,	/* nf_tables: ends this base chain; iptables: the table's hook */
	FW_RB_DROP,
	FW_RB_REJECT,
	FW_RB_JUMP,
	FW_RB_GOTO,
	FW_RB_RETURN,
	FW_RB_REWRITE, /* `rewrite`, and then as FW_RB_ACCEPT */
	FW_RB_CASES,   /* a verdict map: `cases` by set, none met: goes on */
};

struct fw_rb_rule;

struct fw_rb_case {
	fw_space set;
	enum fw_rb_action action; /* none of the last two */
	size_t chain;		  /* of a jump or goto */
};

struct fw_rb_rule {
	fw_space match; /* all that is asked for */
	const char *
		unknown; /* what is not understood, NULL: nothing. Else `match` is what the rule may
			    match at most, and the packets go on as if there were no such rule. */
	/*
	 * What the rule asks for that is not understood, NULL: nothing. Else it matches some
	 * packets of `match`, or none, or all; what it does is known, and it has no rate. It is
	 * unknown if that makes a difference to any of them.
	 */
	const char *perhaps;
	struct fw_rate rate; /* count 0: none; else it matches no more than so often */
	bool over;	     /* a rate: it matches what comes faster, and that alone */
	size_t bucket;	     /* which bucket that is: rules that share one have the same number */
	/** Of a rate with FW_RB_CONTINUE: all that the rule does is to draw on the bucket; not
	 * idle, it is one that decides what it matches, which then comes next. */
	bool idle;
	enum fw_rb_action action;
	size_t chain;
	const struct fw_rb_case *cases;
	size_t case_count;
	struct fw_rb_rewrite rewrite; /* but for its set */
	struct fw_place place;
};

/** Where packets of several hooks come by. */
enum fw_rb_edge { FW_RB_NO_EDGE, FW_RB_BEFORE_ROUTING, FW_RB_BEHIND_ROUTING };

struct fw_rb_chain {
	const struct fw_rb_rule *rules;
	size_t rule_count;
	/** Of a base chain: one of these three, else it is none. */
	enum fw_rb_hook hook;  /* FW_RB_NONE: none, or a nat chain */
	bool nat, source;      /* a nat chain: before routing, or behind it (source) */
	enum fw_rb_edge edge;  /* one that filters there */
	bool local;	       /* a nat chain: of packets from here, or (source) to here */
	int priority;	       /* as netfilter has them: tracking -200, translation -100 and 100 */
	bool drops;	       /* by its policy */
	bool foreign;	       /* what its rules decide is not flowfw's doing */
	fw_space seen;	       /* packets that it gets at all: the family of its table */
	struct fw_place place; /* of its policy, too */
};

enum {
	FW_RB_DEPTH_NF_TABLES = 16, /* chains in each other, as nf_tables has it */
	FW_RB_DEPTH_MAX = 1000,	    /* that a program may have */
	FW_RB_VISITS_MAX = 1 << 24, /* rules tried, over and over where chains are called often */
	FW_RB_UNKNOWNS_MAX = 256,   /* more of them are not told: it is unproven anyway */
};

/** Packets of a hook that may go round all its chains, or, `rerouted`, leave by another interface
 * than the one that they are judged by. */
struct fw_rb_bypass {
	enum fw_rb_hook hook;
	fw_space set;
	const char *what;
	struct fw_place place;
	bool rerouted;
};

struct fw_rb_program {
	const struct fw_rb_chain *chains;
	size_t chain_count;
	unsigned depth; /* chains that may be in each other; 0: FW_RB_DEPTH_NF_TABLES */
	const struct fw_rb_bypass *bypasses;
	size_t bypass_count;
};

/**
 * Runs every packet of the universe through the base chains of each hook in the order of their
 * priorities: an accept ends one base chain, a drop ends all. Chains that call each other in a
 * circle, or deeper than the kernel allows, are unknowns, and so are limits whose outcome is
 * neither "always" nor "up to a rate". Fills in all; unknowns and remarks are added to those that
 * are there. False: exhausted.
 */
bool fw_rb_run(struct fw_arena *arena, struct fw_spaces *spaces, fw_space universe,
	const struct fw_rb_program *program, struct fw_readback *out);

/** What is assumed of packets, where rules ask what addresses are to the machine. */
enum fw_rb_assumption {
	FW_RB_ASSUME_FOREIGN = 1,   /* what comes by before routing is sent to others */
	FW_RB_ASSUME_BROADCAST = 2, /* what comes in or goes out is sent to all of a network */
	FW_RB_ASSUME_SPOOFED = 4,   /* all sources are the machine's */
};

struct fw_rb_assuming {
	/** Runs the rule set under an assumption; it owns all that it makes. */
	bool (*run)(void *context, unsigned assumed, struct fw_readback *out);
	void *context;
	const struct fw_place *asks_source, *asks_destination; /* NULL: no rule does */
};

/**
 * Completes what was read back with nothing assumed: where assumptions make a difference, that is
 * unknown or a remark. False: exhausted.
 */
bool fw_rb_assume(struct fw_arena *arena, struct fw_spaces *spaces,
	const struct fw_rb_assuming *assuming, struct fw_readback *out);

/** Packets of a rewrite that others of its direction, which have `theirs` together, send elsewhere:
 * it depends on who comes first. */
fw_space fw_rb_clash(struct fw_spaces *spaces, const struct fw_rb_rewrite *others, size_t count,
	fw_space theirs, const struct fw_rb_rewrite *one);
/** The packets of all rewrites of a direction. */
fw_space fw_rb_rewritten(
	struct fw_spaces *spaces, const struct fw_rb_rewrite *rewrites, size_t count, bool source);
/** What is said of them. */
extern const char fw_rb_clashes[];

/** Milliseconds until a bucket that was used up is full again: one that is forgotten sooner lets
 * more through than its rate. Of a rate that has a count. */
uint64_t fw_rb_refill(const struct fw_rate *rate);

/** A copy of an array. */
void *fw_rb_copy(struct fw_arena *arena, const void *items, size_t count, size_t size);

/** Forgets all sets that were made since the mark but those of `readback`. */
void fw_rb_release(struct fw_arena *arena, struct fw_spaces *spaces, uint32_t mark,
	struct fw_readback *readback);

#endif
