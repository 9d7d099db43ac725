// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_CMD_RULESET_H
#define FW_CMD_RULESET_H
/*
 * Rule sets named on the command line: files, or what runs. How each is read, in which network
 * namespace, and what several of them do together.
 */

#include "cmd/cmd.h"
#include "meaning/meaning.h"
#include "readback/readback.h"

enum fw_ruleset_kind {
	FW_RULESET_NONE,
	FW_RULESET_NFTABLES,
	FW_RULESET_IPTABLES,
	FW_RULESET_IP6TABLES,
	FW_RULESET_PF,	       /* OpenBSD's */
	FW_RULESET_PF_FREEBSD, /* FreeBSD's, with rdr and nat lines */
	FW_RULESET_LIVE,       /* what the network namespace of the process has in force */
};
enum { FW_RULESET_KIND_COUNT = 7 };

/** What to read. */
struct fw_ruleset_input {
	enum fw_ruleset_kind kind;
	const char *path;		     /* "-": standard input; not of what runs */
	const char *sets_path;		     /* of iptables: what ipset restore takes; or NULL */
	bool anchor;			     /* of pf: the content of an anchor */
	const struct fw_source *text, *sets; /* in place of files; or NULL */
};

/** One of the rule sets in the way of the same packets. */
struct fw_rulesets_part {
	struct fw_ruleset ruleset;
	/** Of what runs: text of iptables-nft of this family. It counts where nf_tables itself
	 * does not tell what its tables do. FW_FAMILY_NONE: it counts in any case. */
	enum fw_family stands_in;
	struct fw_rb_unknown unknown; /* what was not even told of it; `what` is NULL: nothing */
};

struct fw_ruleset_lines;

/** Rule sets in the way of the same packets, the first one that they meet first. */
struct fw_rulesets {
	enum fw_ruleset_kind kind;
	enum fw_family family; /* the only one that they know; FW_FAMILY_NONE: both */
	bool own_iptables;     /* chains of flowfw's own are iptables' */
	FW_VEC(struct fw_rulesets_part) list;
	FW_VEC(const char *) remarks; /* "'flush ruleset' would …"; the arena's */
	FW_VEC(struct fw_range) own;  /* of what runs: addresses that input takes packets to */
	const struct fw_ruleset_lines *lines; /* rules of nf_tables as nft writes them; or NULL */
};

/**
 * What an operand names that is no profile: "live"; "KIND:FILE" with KIND one of nftables,
 * iptables, ip6tables, pf and pf-freebsd; or a file's name that ends as flowfw names its own
 * (.nft, .v4, .v6, .conf). False: it is none of that, and *out is untouched.
 */
bool fw_ruleset_input_parse(const char *operand, struct fw_ruleset_input *out);
/** The kind that a file's name tells by its end; FW_RULESET_NONE: none. */
enum fw_ruleset_kind fw_ruleset_kind_of(const char *path);

/**
 * Reads a rule set. A file for nftables is loaded into a network namespace of its own, by nft(8),
 * and read back from the kernel; the process is in that namespace from then on, so what runs has to
 * be read before any file is. False: an error is in the list.
 */
bool fw_rulesets_read(
	struct fw_run *run, const struct fw_ruleset_input *input, struct fw_rulesets *out);
void fw_rulesets_fini(struct fw_rulesets *rulesets);

/** The numbers of interfaces for all policies and rule sets that are to be compared. */
struct fw_interfaces fw_rulesets_interfaces(struct fw_arena *arena,
	const struct fw_policy *const *policies, size_t policy_count,
	const struct fw_rulesets *const *rulesets, size_t count);

/** What they do together, as sets, remarks included. False: exhausted. */
bool fw_rulesets_lower(const struct fw_rulesets *rulesets, struct fw_arena *arena,
	struct fw_spaces *spaces, const struct fw_interfaces *interfaces, struct fw_readback *out);

#endif
