// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_EMIT_IPTABLES_H
#define FW_EMIT_IPTABLES_H
/*
 * One iptables-save file being written, for the files iptables*.c alone: iptables_text.c writes
 * rules, iptables_limit.c what rates become, iptables_members.c the chains that groups become,
 * iptables_sets.c the ipsets they become instead, iptables_sides.c what rules ask of addresses,
 * iptables_flow.c the rules of flows, iptables_nat.c those of the nat table, iptables.c the chains
 * of hooks and the file round them.
 *
 * Names of chains; those that do not fit are cut and end in a hash of the whole:
 *
 *   FLOWFW-INPUT, -OUTPUT, -FORWARD      what the hooks jump to
 *   FLOWFW-IN-SERVICE, -OUT-, -FWD-      what all rules of a service lead to: limit, log, counter
 *   FLOWFW-SRC-GROUP, -DST-GROUP         accept members of a group
 *   FLOWFW-…_peers, _local, _except      addresses that a service lists itself
 *   FLOWFW-…_own, _ports                 members that bring ports: on other ports, on their own
 *   FLOWFW-CHAIN.SRC-GROUP               members go on to FLOWFW-CHAIN
 *   FLOWFW-NOSRC-GROUP, -NODST-GROUP     all but the members go on
 *   FLOWFW-gr012-0a1e012.27              those members of GROUP that share 10.30.1.32/27; for an
 *                                        IPv6 prefix, some of its bits and a hash
 *
 * And in the nat table:
 *
 *   FLOWFW-PREROUTING, -POSTROUTING      what the hooks jump to
 *   FLOWFW-DNAT-tcp, -udp                to the devices, by outside port
 *   FLOWFW-DNAT-tcp.18096-18111          those ports of them
 *   FLOWFW-SRC-nat_hairpin, -nat_masquerade
 *                                        translate the source of members
 */

#include "emit/emit.h"

enum {
	/* A chain with more members than this becomes a tree of chains. */
	FW_IPT_FLAT_MAX = 8,
	FW_IPT_COMMENT_MAX = 255, /* bytes; XT_MAX_COMMENT_LEN with its NUL */
};

/** What the names of all chains begin with. */
#define FW_IPT_PREFIX "FLOWFW-"

/** Addresses of one family as a prefix. */
struct fw_ipt_prefix {
	struct fw_addr addr;
	unsigned length;
};

/** What is asked of a protocol's header, ready for a rule: "-p tcp -m tcp --dport 80". */
struct fw_ipt_headers {
	const char *const *items;
	size_t count;
};

/** Where allowed packets go: a verdict, or a chain of ours. */
struct fw_ipt_target {
	const char *name;
	bool chain;
};

/** Which members of a set, and what of them. */
enum fw_ipt_part {
	FW_IPT_PLAIN, /* those without own ports */
	FW_IPT_OWN,   /* the addresses of the others */
	FW_IPT_PORTS, /* the addresses of the others, with their ports */
};

struct fw_ipt_part_of {
	const struct fw_set *set;
	enum fw_ipt_part part;
	bool source; /* members are where packets come from, else where they go to */
};

/** In iptables-save's order; what is NULL is not asked for. */
struct fw_ipt_rule {
	const char *chain;
	const struct fw_range *source, *destination;
	const char *in, *out; /* names of interfaces */
	const char *header;
	const char *matches; /* each with a blank before it */
	const char *comment;
	const char *target; /* "-j ACCEPT" */
	const char *to;	    /* a chain behind `target`, which is "-g " then */
};

enum fw_ipt_way_kind {
	FW_IPT_WAY_ANY,	  /* any address */
	FW_IPT_WAY_RANGE, /* the one member there is */
	FW_IPT_WAY_SET,	  /* an ipset */
	FW_IPT_WAY_CHAIN,
};

/** One way to be on a side. */
struct fw_ipt_way {
	enum fw_ipt_way_kind kind;
	struct fw_ipt_part_of of;
};

struct fw_ipt_ways {
	struct fw_ipt_way *items;
	size_t count;
};

/** A rule under way: what it asks for so far, and what comes behind that. */
struct fw_ipt_draft {
	struct fw_ipt_rule rule;
	struct fw_ipt_target target;
};

/** A chain of a tree. */
struct fw_ipt_branch;
typedef FW_VEC(struct fw_ipt_branch) fw_ipt_branches;

struct fw_ipt_leaves;
struct fw_ipt_name;
struct fw_ipt_made;

/** The file; names and what was made are heaps' until fini, the rest is the arena's. */
struct fw_ipt {
	const struct fw_policy *policy;
	enum fw_family family;
	bool ipset;
	struct fw_arena *arena;
	struct fw_buf *declarations, *rules, *sets;
	struct fw_buf below; /* the rules of chains that rules lead to, but for those of trees */
	fw_ipt_branches branches;
	struct fw_ipt_leaves *last_leaves; /* of the last tree */
	struct fw_ipt_name *names;
	struct fw_ipt_made *made;
	struct fw_buf text; /* of one header or name at a time */
	/* The last flow that needed a chain of its service, which others of its service share. */
	const struct fw_flow *last;
	struct fw_ipt_target last_target;
	unsigned serial;     /* of that chain in its service and hook, from 1 */
	const char *heading; /* the service that the last heading was for */
};

/* ---- iptables_text.c ---- */

unsigned fw_ipt_bits(enum fw_family family);
/** All addresses of a prefix. */
struct fw_range fw_ipt_prefix_range(enum fw_family family, struct fw_ipt_prefix prefix);
typedef FW_VEC(struct fw_ipt_prefix) fw_ipt_prefixes;
/** Adds the fewest prefixes, of `shortest` bits and more, that make up a range. */
void fw_ipt_split_range(const struct fw_range *range, unsigned shortest, fw_ipt_prefixes *out);

struct fw_ipt_headers fw_ipt_clause_headers(
	const struct fw_ipt *ipt, const struct fw_clause *clause);
/** Cuts off *rest what fits one rule, and puts its header into `out`; false: there was nothing. */
bool fw_ipt_list_header(struct fw_port_list *rest, struct fw_buf *out);

/** As iptables-save: bare where nothing in it needs quotes. */
void fw_ipt_add_word(struct fw_buf *out, const char *word);
void fw_ipt_add_rule(struct fw_buf *out, const struct fw_ipt_rule *rule);
/** "# title: note" and a blank line before it; `note` may be NULL. */
void fw_ipt_add_heading(struct fw_buf *out, const char *title, const char *note);

/** `key` is the whole of what the name stands for; at most `limit` bytes, used once. */
const char *fw_ipt_name(struct fw_ipt *ipt, const char *prefix, const char *key, size_t limit);
/** Five letters for all chains of the tree that starts at `root`. */
const char *fw_ipt_tag(struct fw_ipt *ipt, const char *stem, const char *root);
const char *fw_ipt_branch_name(struct fw_ipt *ipt, const char *tag, struct fw_ipt_prefix prefix);
/** A chain's name, which is declared then. */
const char *fw_ipt_chain(struct fw_ipt *ipt, const char *key);
void fw_ipt_declare(struct fw_buf *out, const char *chain);
/** What was made for a key before, or NULL, which fw_ipt_keep() sets. */
const char *fw_ipt_find(const struct fw_ipt *ipt, const char *key);
void fw_ipt_keep(struct fw_ipt *ipt, const char *key, const char *name);
/** `-j` in the chain of a hook. From elsewhere nothing comes back to a chain, so `-g`. */
const char *fw_ipt_jump(const struct fw_ipt *ipt, struct fw_ipt_target target);
const char *fw_ipt_go(const struct fw_ipt *ipt, struct fw_ipt_target target);
void fw_ipt_fini(struct fw_ipt *ipt);

/* ---- iptables_limit.c ---- */

/** Whether the flows of a service draw on one bucket, and log alike. */
bool fw_ipt_same_bucket(const struct fw_flow *a, const struct fw_flow *b);
/** Whether a flow can match in the family. */
bool fw_ipt_reaches(const struct fw_flow *flow, enum fw_family family);
/** Whether a side can be met in the family by what its exception leaves. */
bool fw_ipt_side_reaches(const struct fw_side *side, enum fw_family family);
/** Whether a range of that part of the set covers the family. */
bool fw_ipt_covers_all(const struct fw_set *set, enum fw_family family, bool plain);
/** " -m limit …", or "" without a rate. */
const char *fw_ipt_limit(const struct fw_ipt *ipt, const struct fw_rate *rate);
/** The limit of a flow; `use` tells buckets of one service apart. */
const char *fw_ipt_flow_limit(struct fw_ipt *ipt, const struct fw_flow *flow, const char *use);
/** Rates that xt_limit cannot keep, and what a family's matches would widen. */
bool fw_ipt_check(enum fw_family family, const char *backend, const struct fw_policy *policy,
	struct fw_diags *diags);

/* ---- iptables_members.c ---- */

/** The chain that leads members, or with `except` all but them, to the target. */
struct fw_ipt_target fw_ipt_members(struct fw_ipt *ipt, struct fw_ipt_part_of of, bool except,
	struct fw_ipt_target target, unsigned levels);
/** Writes the chains of all trees, each where iptables-restore finds it soonest. */
void fw_ipt_add_branches(struct fw_ipt *ipt, struct fw_buf *out);
/** The members of one part, in order. */
const struct fw_endpoint *fw_ipt_part(
	const struct fw_members *members, enum fw_ipt_part part, size_t *out_count);
/** "cameras_ports" */
const char *fw_ipt_part_name(
	const struct fw_ipt *ipt, const struct fw_set *set, enum fw_ipt_part part);

/* ---- iptables_sets.c ---- */

/** "--match-set NAME src": the set of a part's members, which is made. FW_IPT_PORTS: but for the
 * wide ones. */
const char *fw_ipt_set(struct fw_ipt *ipt, struct fw_ipt_part_of of);
/** Those members that have too many ports for a set. */
const struct fw_endpoint *fw_ipt_wide(
	const struct fw_ipt *ipt, const struct fw_endpoint *endpoints, size_t *count);

/* ---- iptables_sides.c ---- */

/** With `plain`, only members without ports of their own. */
struct fw_ipt_ways fw_ipt_side_ways(
	const struct fw_ipt *ipt, const struct fw_side *side, bool is_source, bool plain);
/** How deep each tree may be where a packet is asked for both sides, one after the other. */
unsigned fw_ipt_tree_levels(
	const struct fw_ipt *ipt, const struct fw_side *source, const struct fw_side *destination);
/** These go from the last thing that is asked to the first, as each leads to the one behind it. */
void fw_ipt_add_exceptions(struct fw_ipt *ipt, struct fw_ipt_draft *draft, const struct fw_set *set,
	bool is_source, unsigned levels);
void fw_ipt_add_side(struct fw_ipt *ipt, struct fw_ipt_draft *draft, const struct fw_ipt_way *way,
	unsigned levels);
/** One rule for each pair of interfaces and header. */
void fw_ipt_add_rules(const struct fw_ipt *ipt, struct fw_ipt_draft *draft,
	const struct fw_names *in_interfaces, const struct fw_names *out_interfaces,
	struct fw_ipt_headers headers);

/* ---- iptables_flow.c ---- */

/** The rules of a flow in the chain of its hook. */
void fw_ipt_flow(struct fw_ipt *ipt, const struct fw_flow *flow);
/** "-j LOG --log-prefix …" with as much of `whose` as fits. */
const char *fw_ipt_log(const struct fw_ipt *ipt, const struct fw_log *log, const char *whose);
/** "FLOWFW-INPUT" … */
extern const char *const fw_ipt_hook_chains[FW_HOOK_COUNT];

/* ---- iptables_nat.c ---- */

/** The sections of the nat table, which stay empty where it is not the policy's; `filter` is the
 * file's other table, `program` the one for a shell. */
void fw_ipt_nat(const struct fw_ipt *filter, const char *program, struct fw_outputs *out);

#endif
