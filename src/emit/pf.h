// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_EMIT_PF_H
#define FW_EMIT_PF_H
/*
 * A policy lowered to tables and rules of pf, as data; pf.c prints it, pf_check.c refuses what it
 * would have to widen. For the pf files of this module alone. "pf.conf" is pf.conf(5) of OpenBSD
 * 6.9 and of FreeBSD 14; where nothing else is said both agree.
 */

#include "emit/emit.h"

enum fw_pf_dialect { FW_PF_DIALECT_NONE, FW_PF_OPENBSD, FW_PF_FREEBSD };

/* ---- tables ---- */

/** One address or prefix of a table; `negated` ones are taken out of a wider one (pf.conf, TABLES).
 */
struct fw_pf_entry {
	struct fw_range range;
	bool negated;
	const char *name; /* the author's, or NULL */
};

/** What one is made of, so that two flows with the same wish share it. */
struct fw_pf_key {
	const struct fw_set *set;
	const struct fw_set *except;	  /* or NULL */
	const struct fw_port_list *ports; /* only members with this list; NULL: see `plain` */
	uintptr_t plain;		  /* 1: only members without ports of their own; 0: all */
};

/** Owned by the arena it was made in. */
struct fw_pf_table {
	struct fw_pf_key key;
	const char *name; /* at most FW_PF_NAME_MAX; NULL until a rule has it */
	const char *title, *note;
	/** By family and address; without entries that are a whole family, for which `all` stands.
	 */
	const struct fw_pf_entry *entries;
	size_t count;
	bool all[FW_FAMILY_COUNT], has[FW_FAMILY_COUNT];
	struct fw_pf_tables_entry *entry; /* that it is in */
};

enum { FW_PF_NAME_MAX = 31 }; /* PF_TABLE_NAME_SIZE with its NUL is 32 */

/** All tables of one policy; a zeroed one with an arena is empty. */
struct fw_pf_tables {
	struct fw_arena *arena;
	struct fw_pf_tables_entry *by_key, *by_name;
	FW_VEC(struct fw_pf_table *) named; /* those that rules have */
};

void fw_pf_tables_fini(struct fw_pf_tables *tables);
/** The members that the key asks for, except those it excepts. */
struct fw_pf_table *fw_pf_table_get(struct fw_pf_tables *tables, struct fw_pf_key key);
/** The same for members that were collected before, all of them with the key's ports. */
struct fw_pf_table *fw_pf_table_of(struct fw_pf_tables *tables, struct fw_pf_key key,
	const struct fw_endpoint *const *members, size_t count);
/** Gives it its name: a rule has it. `service` is whose exceptions it leaves out. */
void fw_pf_table_name(struct fw_pf_tables *tables, struct fw_pf_table *table, const char *service);

/* ---- rules ---- */

/** Who is on a side of a rule. */
enum fw_pf_who {
	FW_PF_NOBODY,
	FW_PF_ANY,
	FW_PF_LOCAL,	 /* this host: $local_to or $local_from */
	FW_PF_SELF,	 /* this host's own addresses alone */
	FW_PF_PREFIX,	 /* the one entry of `table` */
	FW_PF_TABLE,	 /* `table` */
	FW_PF_NOT_TABLE, /* all but `table` */
};

struct fw_pf_item {
	enum fw_pf_who who;
	const struct fw_pf_table *table;
};

/** One side of a rule: any of the items, in one family or in both. */
struct fw_pf_side {
	enum fw_family family;
	const struct fw_pf_item *items;
	size_t count;
};

/** No more than `count` in `seconds`, of packets, connections or states. */
struct fw_pf_bound {
	uint64_t count, seconds;
};

/** A `pass … quick` rule. */
struct fw_pf_rule {
	const struct fw_flow *flow;
	bool in; /* else out */
	enum fw_family family;
	uint8_t protocol; /* 0: any */
	struct fw_pf_side source, destination;
	const struct fw_ports *ports, *source_ports;
	size_t port_count, source_port_count;
	const struct fw_icmp_type *types; /* of one kind as to `stateful` and `options` */
	size_t type_count;
	bool stateful, options;
	bool tagged;		  /* only what was found to be this host's */
	bool limited;		  /* by `bound`; a count of 0 cannot be said */
	struct fw_pf_bound bound; /* this rule's share of its service's */
};

struct fw_pf_lowering {
	struct fw_arena *arena;
	struct fw_pf_tables tables;
	FW_VEC(struct fw_pf_rule) rules; /* of the pass being lowered */
};

void fw_pf_lowering_fini(struct fw_pf_lowering *lowering);
/** Adds the rules of flows `first` to `end` of one service and hook for packets that come in or go
 * out. */
void fw_pf_lower(struct fw_pf_lowering *lowering, const struct fw_flow *first,
	const struct fw_flow *end, bool in);
/** The end of the run of flows that begins with `first`: same service, same hook. */
const struct fw_flow *fw_pf_run_end(const struct fw_policy *policy, const struct fw_flow *first);
/** Adds the rules that let all of a hook pass. */
void fw_pf_lower_accept(struct fw_pf_lowering *lowering, enum fw_hook hook, bool in);
/**
 * Whether the flow lists addresses for the host's own end that could be somebody else's, too: its
 * rules ask for the tag besides.
 */
bool fw_pf_is_tagged(const struct fw_flow *flow);
/** Whether the type asks for an answer, so that pf can match that to a state. */
bool fw_pf_is_query(enum fw_family family, uint8_t type);

/* ---- refusals ---- */

/** What the feature table cannot say. False: an error is in the list. */
bool fw_pf_check(
	const struct fw_policy *policy, enum fw_pf_dialect dialect, struct fw_diags *diags);

#endif
