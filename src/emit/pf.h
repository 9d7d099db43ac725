// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_EMIT_PF_H
#define FW_EMIT_PF_H
/*
 * A policy lowered to tables and rules of pf, as data; pf_text.c prints a rule, pf.c all of them,
 * pf_check.c refuses what it would have to widen. For the pf files of this module alone. "pf.conf"
 * is pf.conf(5) of OpenBSD 6.9 and of FreeBSD 14; where nothing else is said both agree.
 */

#include "emit/emit.h"
#include "emit/index.h"

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
	 * Where `entries` is NULL, each of `members` is one. See fw_pf_table_at(). */
	const struct fw_pf_entry *entries;
	const struct fw_endpoint *const *members;
	size_t count;
	bool all[FW_FAMILY_COUNT], has[FW_FAMILY_COUNT];
};

enum { FW_PF_NAME_MAX = 31 }; /* PF_TABLE_NAME_SIZE with its NUL is 32 */

/** All tables of one policy; a zeroed one with an arena is empty. */
struct fw_pf_tables {
	struct fw_arena *arena;
	struct fw_pf_tables_entry *by_key;
	struct fw_pf_own_entry *own;
	FW_VEC(struct fw_pf_table *) named; /* those that rules have */
	struct fw_index names;		    /* of these, by number */
	struct fw_buf text;		    /* a name under way */
};

/** Tables of the members that bring ports, one for each list of these, in their order. */
struct fw_pf_own {
	struct fw_pf_table *tables;
	size_t count;
};

void fw_pf_tables_fini(struct fw_pf_tables *tables);
/** The members that the key asks for, except those it excepts. */
struct fw_pf_table *fw_pf_table_get(struct fw_pf_tables *tables, struct fw_pf_key key);
/** Puts such members into a table that has its key; the arena's, they may become its own. */
void fw_pf_table_fill(struct fw_pf_tables *tables, struct fw_pf_table *table,
	const struct fw_endpoint *const *members, size_t count);
static inline struct fw_pf_entry fw_pf_table_at(const struct fw_pf_table *table, size_t at) {
	if (table->entries != NULL) {
		return table->entries[at];
	}
	return (struct fw_pf_entry){table->members[at]->range, false, table->members[at]->name};
}
/** Those of a set, except what `except` holds if that is not NULL. */
struct fw_pf_own fw_pf_own_tables(
	struct fw_pf_tables *tables, const struct fw_set *set, const struct fw_set *except);
/** What they are found by. */
void fw_pf_own_fini(struct fw_pf_tables *tables);
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
	const char *tagged;	  /* only what has this tag; or NULL */
	const char *not_tagged;	  /* only what has it not; or NULL. One of them at most */
	const char *tag;	  /* that the packet gets; or NULL */
	bool limited;		  /* by `bound`; a count of 0 cannot be said */
	struct fw_pf_bound bound; /* this rule's share of its service's */
};

/** The tag of what is this host's own. */
#define FW_PF_LOCAL_TAG "flowfw_local"

struct fw_pf_lowering {
	struct fw_arena *arena;
	const struct fw_policy *policy;
	struct fw_pf_tables tables;
	struct fw_pf_forward *forward;	 /* or NULL, where forwarded packets have no tags */
	FW_VEC(struct fw_pf_rule) rules; /* of the pass being lowered */
	/** Takes rules that nothing changes any more out of `rules`, so that long lists are not
	 * held; or NULL. */
	void (*print)(struct fw_pf_lowering *lowering, void *printer);
	void *printer;
	bool ready; /* the rules of this run are such */
};

void fw_pf_lowering_fini(struct fw_pf_lowering *lowering);
/** Adds the rules of flows `first` to `end` of one service and hook for packets that come in or go
 * out. */
void fw_pf_lower(struct fw_pf_lowering *lowering, const struct fw_flow *first,
	const struct fw_flow *end, bool in);
/** The same without tags, and without shares of limits, for a flow that is no service's. */
void fw_pf_lower_plain(struct fw_pf_lowering *lowering, const struct fw_flow *flow, bool in);
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

/* ---- forwarded packets ---- */

/**
 * How a forwarded packet is let out again, once it was let in: by a state, by a state and with
 * another source as it was translated for a caller inside, or without a state.
 */
enum fw_pf_kind { FW_PF_KIND_NONE, FW_PF_KEPT, FW_PF_HAIRPIN, FW_PF_STATELESS };
enum { FW_PF_KIND_COUNT = 4 };

/** Interfaces that a packet which was let in may go out on, and the tags that say so. */
struct fw_pf_exit {
	uint64_t bits; /* of fw_pf_forward.interfaces; of the first exit none, which is any */
	struct fw_names names;
	const char *tags[FW_PF_KIND_COUNT];
	bool used[FW_PF_KIND_COUNT]; /* by a rule that was lowered or printed */
};

enum { FW_PF_INTERFACES_MAX = 64, FW_PF_EXITS_MAX = 32 };

/**
 * What comes in is decided then, by all but its out-interface, and tagged with the exits it may
 * take; what goes out is decided by that tag. Each list of out-interfaces that a flow of the
 * forward hook has is an exit, and so is what several of them are together, as a packet may be
 * in several flows. What a flow with a limit lets in may take the flow's own list and no other's,
 * as nothing counts it on its way out any more.
 */
struct fw_pf_forward {
	bool on;		       /* else forwarded packets have no tags */
	bool fits;		       /* there are not too many exits */
	bool hairpin[FW_FAMILY_COUNT]; /* some of the family may be translated twice */
	bool options;		       /* something without a state may carry options */
	const char *interfaces[FW_PF_INTERFACES_MAX]; /* sorted */
	size_t interface_count;
	/** Of flows without a limit, as bits, by number. */
	uint64_t lists[FW_PF_EXITS_MAX];
	size_t reach[FW_PF_EXITS_MAX]; /* so many exits there are without this list and later */
	size_t list_count;
	struct fw_pf_exit exits[FW_PF_EXITS_MAX];
	size_t exit_count;
};

void fw_pf_forward_init(
	struct fw_pf_forward *forward, struct fw_arena *arena, const struct fw_policy *policy);
/** Whether what the flow lets in may go out anywhere. */
bool fw_pf_forward_is_anywhere(const struct fw_pf_forward *forward, const struct fw_flow *flow);
/** Whether what `outer` lets in may go out wherever what `flow` does may. */
bool fw_pf_forward_covers(const struct fw_pf_forward *forward, const struct fw_flow *outer,
	const struct fw_flow *flow);
/** Whether anything of the kind may be let in, as far as rules were lowered or printed. */
bool fw_pf_forward_uses(const struct fw_pf_forward *forward, enum fw_pf_kind kind);
/** Gives the rules from `first` on, of the forward hook, what they ask of tags and give. */
void fw_pf_forward_tag(struct fw_pf_lowering *lowering, size_t first);
/** Where flows have different lists: prints lines that tag with what a packet may take of all. */
void fw_pf_forward_prelude(
	struct fw_buf *out, struct fw_pf_lowering *lowering, const struct fw_policy *policy);
/** Prints what tells forwarded packets from this host's own as they come in. */
void fw_pf_forward_arrive(
	struct fw_buf *out, struct fw_pf_lowering *lowering, const struct fw_policy *policy);
/** Prints what lets out what was let in; `sources` are the lines of fw_pf_nat_sources(). */
void fw_pf_forward_leave(struct fw_buf *out, const struct fw_pf_forward *forward,
	struct fw_slice sources, enum fw_pf_dialect dialect);

/* ---- translation ---- */

/** Whether callers inside are translated twice, of this family. */
bool fw_pf_has_hairpin(const struct fw_translation *translation, enum fw_family family);
/** Prints the lines that forward ports, each with its device. */
void fw_pf_nat_ports(struct fw_buf *out, struct fw_pf_lowering *lowering,
	const struct fw_translation *translation, enum fw_pf_dialect dialect);
/** Prints the lines that translate sources, once the rules for what comes in were printed. */
void fw_pf_nat_sources(struct fw_buf *out, struct fw_pf_lowering *lowering,
	const struct fw_translation *translation, enum fw_pf_dialect dialect);

/** The tag of what was forwarded to a device, until it is known who called. */
#define FW_PF_TRANSLATED_TAG "flowfw_translated"
/** FreeBSD: the tag of what was let in, goes out where it may, and got another source there. */
#define FW_PF_NATTED_TAG "flowfw_nat"

/* ---- text ---- */

/** "inet", "inet6". */
extern const char *const fw_pf_families[FW_FAMILY_COUNT];

/** "# title: note"; `note` may be NULL. */
void fw_pf_add_heading(struct fw_buf *out, const char *title, const char *note);
/** A blank line between the parts of a section, none before the first. */
void fw_pf_separate(struct fw_buf *out);
/** " on NAMES", or nothing. */
void fw_pf_add_interfaces(struct fw_buf *out, const struct fw_names *names);
/** Tags that are asked for and given; each may be NULL. */
void fw_pf_add_tags(
	struct fw_buf *out, const char *tagged, const char *not_tagged, const char *tag);
/** A table's name in its brackets. */
void fw_pf_add_table_name(struct fw_buf *out, const char *name);
/** The rule as a line. */
void fw_pf_add_rule(struct fw_buf *out, const struct fw_pf_rule *rule, enum fw_pf_dialect dialect);
/** What the rule asks of a packet, but for tags, as a line with another action and options. */
void fw_pf_add_line(
	struct fw_buf *out, const char *action, const struct fw_pf_rule *rule, const char *options);

/* ---- flows that meet ---- */

/** Whether one packet may be in both flows of a hook, but for their out-interfaces and exceptions.
 */
bool fw_pf_flows_meet(const struct fw_flow *a, const struct fw_flow *b);

/* ---- refusals ---- */

/** Whether a hook is untouched and the other one, where answers come by, is not: its rules drop
 * what they do not know. */
bool fw_pf_is_unanswered(const struct fw_policy *policy, enum fw_hook hook);

/** What the feature table cannot say. False: an error is in the list. */
bool fw_pf_check(
	const struct fw_policy *policy, enum fw_pf_dialect dialect, struct fw_diags *diags);

#endif
