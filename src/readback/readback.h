// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_READBACK_READBACK_H
#define FW_READBACK_READBACK_H
/*
 * Rule sets read back: what nft, iptables-save and pf.conf say is turned into sets of packets, by
 * code that shares nothing with what writes rule sets, so that the one can prove the other. What is
 * not understood makes the result unproven; it is never skipped.
 *
 * Reading has two steps, as interfaces need numbers before there are sets: a reader first makes
 * sense of its text or messages and tells the names of interfaces; then, once the numbers are
 * fixed, makes the sets.
 */

#include "diag/diag.h"
#include "net/net.h"
#include "space/space.h"

/* ---- what a rule set does ---- */

/** A line of a file, for packets with some values of a variable. */
struct fw_spot {
	struct fw_addr low, high;
	uint32_t line, start, end;
};

/** Which of many rules that were taken as one it is, by a variable. */
struct fw_place_index {
	enum fw_var var;
	const struct fw_spot *spots; /* sorted and disjoint */
	size_t count;
};

/** Where in a rule set: "rules.nft:12", "inet flowfw input handle 7", "rules.v4:31". */
struct fw_place {
	const char *text;
	struct fw_span span;		    /* of a file; nowhere for what the kernel said */
	const struct fw_place_index *index; /* or NULL; then the place is that of the first */
};

enum fw_rb_hook { FW_RB_NONE, FW_RB_INPUT, FW_RB_OUTPUT, FW_RB_FORWARD };
enum { FW_RB_HOOK_COUNT = 4 }; /* numbers as in FW_VAR_HOOK */

/** Packets that pass only as fast as one bucket lets them. */
struct fw_rb_rated {
	enum fw_rb_hook hook;
	fw_space set;
	struct fw_rate rate;
	struct fw_place place;
	/** All packets that draw on the bucket, of any hook and chain, whatever becomes of them;
	 * empty: that is not known, and they are those of the set. */
	fw_space drawn;
};

/**
 * New addresses for the packets of a set, by the first packet of a connection. A destination's set
 * is of packets as they come in: those of the input hook in the universe that are new and not
 * translated, the hook and the out-interface then let go. A source's is of packets as they leave,
 * their destination translated already, FW_VAR_TRANSLATED telling whether it was: those of the
 * output and forward hooks that are new, the hook then let go, and the in-interface where it makes
 * no difference. Nat chains of what a machine itself sends or takes have sets of the output or
 * input hook, let go likewise: they have no in-interface, or no out-interface. Packets of the other
 * family than the address's are in no set.
 */
struct fw_rb_rewrite {
	bool source;	 /* else the destination */
	bool masquerade; /* to the address of the out-interface; a destination: of the in-interface
			  */
	enum fw_family family;
	struct fw_addr address;
	uint16_t port; /* 0: kept */
	fw_space set;
	/** Of a source: which first destination it was translated from; count 0: whichever. With
	 * it, the set may overlap with later ones: the first that fits applies. */
	const struct fw_range *originals;
	size_t original_count;
	struct fw_place place;
};

/** What could not be understood, so that nothing is proven. */
struct fw_rb_unknown {
	struct fw_place place;
	const char *what;     /* "the match 'string'" */
	enum fw_rb_hook hook; /* the only one whose packets it matters to; FW_RB_NONE: all */
	/** Not empty: all that is not known is whether these packets are translated, or to what;
	 * a set as struct fw_rb_rewrite has it, of sources or else destinations. */
	fw_space translated;
	bool source;
	bool own; /* destinations: it may be to the machine itself */
};

/** A rule, a chain's policy or a foreign table that decides packets. */
struct fw_rb_decision {
	enum fw_rb_hook hook;
	bool accepts; /* for good; else it drops or rejects */
	bool rejects; /* with an answer */
	bool limited; /* accepts up to a rate */
	bool foreign; /* not of flowfw's own tables, chains or anchor */
	fw_space set; /* packets that come so far and match */
	struct fw_place place;
};

/** Some of the packets that may be translated: their sources or destinations, from or to the
 * machine itself (`local`) or else others. */
struct fw_rb_translating {
	bool source, local;
};

/** A chain that drops packets by an address that they have before or behind a translation, if there
 * is one. */
struct fw_rb_judging {
	struct fw_rb_translating by;
	struct fw_rb_unknown unknown; /* what there is to say then */
};

/** The whole, within fw_space_universe. Everything is the arena's. */
struct fw_readback {
	/** By hook: packets that always pass, and those that may. */
	fw_space must[FW_RB_HOOK_COUNT], may[FW_RB_HOOK_COUNT];
	/** Packets that are refused with an answer. */
	fw_space rejected[FW_RB_HOOK_COUNT];
	const struct fw_rb_rated *rated;
	size_t rated_count;
	/** In the order in which they apply; sets of one direction are disjoint. */
	const struct fw_rb_rewrite *rewrites;
	size_t rewrite_count;
	const struct fw_rb_unknown *unknowns;
	size_t unknown_count;
	/** What is translated at all, and who would drop packets by what they are not: such a
	 * translation may be another rule set's. */
	const struct fw_rb_translating *translating;
	size_t translating_count;
	const struct fw_rb_judging *judging;
	size_t judging_count;
	/** Who decides; enough to name the rule that decides a packet. */
	const struct fw_rb_decision *decisions;
	size_t decision_count;
	/** Remarks that do not matter to the proof: "both iptables are in use". */
	const char *const *remarks;
	size_t remark_count;
	/** Packets that can't be, or that something else than rules decides: not to be compared. */
	fw_space outside;
};

/** The decision that a packet meets, or NULL. */
const struct fw_rb_decision *fw_readback_decision(const struct fw_spaces *spaces,
	const struct fw_readback *readback, enum fw_rb_hook hook, const struct fw_point *point);

/** The place for one packet, where it is one of many; the text is the arena's. */
struct fw_place fw_place_at(
	struct fw_arena *arena, const struct fw_place *place, const struct fw_point *point);

/* ---- readers ---- */

/** Names of interfaces as the numbers of sets: 1 is lo, names[i] is i + 2, the last any other. A
 * name that ends in a star, "eth*", stands for all others that begin so. */
struct fw_rb_interfaces {
	const char *const *names; /* sorted, without lo */
	size_t count;
};

/** A rule set that was read, in a reader's own form. The arena's. */
struct fw_ruleset {
	/** Names of interfaces in it, in no order, perhaps more than once. */
	const char *const *names;
	size_t name_count;
	const void *content;
	/** Makes the sets. False: exhausted. */
	bool (*lower)(const struct fw_ruleset *ruleset, struct fw_arena *arena,
		struct fw_spaces *spaces, const struct fw_rb_interfaces *interfaces,
		struct fw_readback *out);
};

/**
 * The nf_tables rule set of the network namespace that the process is in, by netlink: all tables,
 * but for those of iptables-nft, which are `opaque` (their names then are remarks for the caller:
 * what they do has to be read by fw_read_iptables and composed by fw_readback_compose). `apart`:
 * the rules were loaded there to be read, and are for a machine whose interfaces have other
 * numbers, but for lo. False: an error (a failure of the system) is in the list.
 */
bool fw_read_nftables(struct fw_arena *arena, bool apart, struct fw_ruleset *out, bool *out_opaque,
	struct fw_diags *diags);

/**
 * Text of iptables-save or ip6tables-save of one family; `sets` is that of ipset save, or NULL. A
 * rule that cannot even be parsed is an unknown, not an error, wherever it stands.
 *
 * `file`: it is for iptables-restore, which refuses the whole of it for one rule with a module or
 * an option that nobody knows, so that those are always unknowns, too; of what runs, they matter
 * only where they may make a difference. And a file may bring flowfw's chains but not those that
 * call them, FLOWFW-INPUT without INPUT; they are taken to be called first, as the file's header
 * asks for.
 */
bool fw_read_iptables(struct fw_arena *arena, enum fw_family family, bool file,
	const struct fw_source *text, const struct fw_source *sets, struct fw_ruleset *out,
	struct fw_diags *diags);

enum fw_rb_dialect { FW_RB_OPENBSD, FW_RB_FREEBSD };

/** A pf.conf, or what `pfctl -sr` and `pfctl -sn` print. `anchor`: it is the content of an anchor
 * that a main file with nothing else calls. */
bool fw_read_pf(struct fw_arena *arena, enum fw_rb_dialect dialect, bool anchor,
	const struct fw_source *text, struct fw_ruleset *out, struct fw_diags *diags);

/**
 * Two rule sets in the way of the same packets, one after the other: what either drops is dropped.
 * `before` of each hook is the one that sees packets first. False: exhausted.
 */
bool fw_readback_compose(struct fw_arena *arena, struct fw_spaces *spaces,
	const struct fw_readback *first, const struct fw_readback *second, struct fw_readback *out);

#endif
