// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_SPACE_SPACE_H
#define FW_SPACE_SPACE_H
/*
 * Sets of packets, exactly. A set is a diagram: at each node one variable of the packet is looked
 * at, the edges part its domain into intervals, and each leads to the set that the rest of the
 * packet must be in. The variables come in one order, neighbouring edges lead to different sets, no
 * node has a single edge, and no node is there twice: so equal sets are the same handle, however
 * they came about, and `==` compares them.
 *
 * What a set may cost is bounded. Past the bound each function that makes sets returns
 * FW_SPACE_EXHAUSTED, from then on and whatever it is asked; that value is no set, and
 * two of them are not equal sets. Sets may be combined without looking; what they are asked in the
 * end counts for nothing where `exhausted` of the manager says so.
 */

#include "base/base.h"
#include "net/net.h"

/* ---- the packet ---- */

/**
 * What a packet is made of, in the order of the diagrams. Domains are fixed, from 0 to
 * fw_var_max, and larger than what packets mean: fw_space_universe has those that can be. An
 * address is one variable of 128 bits, in which an IPv4 address is a number below 2^32.
 *
 * What has few values comes first: what is done to flags or to what a packet belongs to is then
 * done at the top, and leaves thousands of addresses with their ports as they are, in one diagram
 * below. People ask for addresses and ports first: fw_var_listed is the order in which packets are
 * chosen and listed.
 */
enum fw_var {
	FW_VAR_NONE,
	FW_VAR_HOOK,	   /* 1 input, 2 output, 3 forward */
	FW_VAR_IN,	   /* interfaces by the caller's numbers from 1 on; 0: there is none */
	FW_VAR_OUT,	   /* likewise */
	FW_VAR_FAMILY,	   /* enum fw_family */
	FW_VAR_PROTOCOL,   /* IANA number */
	FW_VAR_FLAGS,	   /* of TCP, as its header has them: FIN 1, SYN 2, RST 4, ACK 16 … */
	FW_VAR_HOP_LIMIT,  /* of IPv6 */
	FW_VAR_TRACKING,   /* enum fw_tracking */
	FW_VAR_TRANSLATED, /* 0 or 1 */
	FW_VAR_SOURCE,
	FW_VAR_DESTINATION,
	FW_VAR_SOURCE_PORT, /* or the type of ICMP and ICMPv6 */
	FW_VAR_PORT,	    /* the destination's; or the code of ICMP and ICMPv6 */
};
enum { FW_VAR_COUNT = FW_VAR_PORT + 1 };

enum fw_tracking {
	FW_TRACKING_NONE,
	FW_TRACKING_NEW,
	FW_TRACKING_ESTABLISHED,
	FW_TRACKING_RELATED,
	FW_TRACKING_INVALID,
	FW_TRACKING_UNTRACKED,
};
enum { FW_TRACKING_COUNT = 6 };

extern const struct fw_addr fw_var_max[FW_VAR_COUNT];
/** FW_VAR_NONE comes first here, too. */
extern const enum fw_var fw_var_listed[FW_VAR_COUNT];

/** A number as a value of a variable. */
static inline struct fw_addr fw_value(uint64_t number) {
	return (struct fw_addr){0, number};
}

/** One packet: a value for each variable; that of FW_VAR_NONE is 0. */
struct fw_point {
	struct fw_addr values[FW_VAR_COUNT];
};

/* ---- the manager ---- */

/** A set of packets, or FW_SPACE_EXHAUSTED. It lives as long as its manager, or until released. */
typedef uint32_t fw_space;

#define FW_SPACE_EMPTY	   ((fw_space)0)
#define FW_SPACE_ALL	   ((fw_space)1)
#define FW_SPACE_EXHAUSTED UINT32_MAX

/** What the sets of one manager may cost together, lists of boxes and the diagrams that they are
 * made from aside: these may take as much again. 0 is the default. */
struct fw_space_limits {
	size_t bytes;	/* of memory, tables included; FW_SPACE_BYTES_MAX at most */
	uint64_t steps; /* edges looked at: the bound of time */
};
#define FW_SPACE_BYTES_DEFAULT ((size_t)256 << 20)
#define FW_SPACE_BYTES_MAX     ((size_t)8 << 30)
/* Some ten to twenty seconds of work. */
#define FW_SPACE_STEPS_DEFAULT ((uint64_t)1 << 29)

/** The order of variables in all diagrams of one manager: levels from 1 on. */
struct fw_space_order {
	enum fw_var vars[FW_VAR_COUNT];	  /* by level */
	unsigned levels[FW_VAR_COUNT];	  /* by variable */
	struct fw_addr max[FW_VAR_COUNT]; /* by level */
};

/** Owns all sets. Its members but the first are the module's own. */
struct fw_spaces {
	bool exhausted; /* for good: a limit was met, and FW_SPACE_EXHAUSTED returned */
	struct fw_space_order order;
	struct fw_space_limits limits;
	size_t bytes; /* of what follows */
	uint64_t steps;
	struct fw_space_node *nodes;
	size_t node_count, node_capacity;
	uint32_t *words; /* bounds and children of all nodes */
	size_t word_count, word_capacity;
	struct fw_space_slot *slots; /* handles by the hash of their nodes */
	size_t slot_count;
	struct fw_space_memo *memos; /* results of late, by operation and operands */
	size_t memo_count;
	uint32_t era;		       /* of results that still count */
	struct fw_space_edge *scratch; /* a stack: edges of the nodes that are being made */
	size_t scratch_count, scratch_capacity;
	uint32_t serial; /* of walks whose results are of no use to others */
};

/** `limits` may be NULL. */
void fw_spaces_init(struct fw_spaces *spaces, const struct fw_space_limits *limits);
void fw_spaces_fini(struct fw_spaces *spaces);

/** How many sets there are; for fw_spaces_release. */
uint32_t fw_spaces_mark(const struct fw_spaces *spaces);
/**
 * Forgets the sets that were made since the mark, but for those in `kept`, whose handles change.
 * Those from before the mark stay as they are. The memory is for new sets, not for others.
 */
void fw_spaces_release(struct fw_spaces *spaces, uint32_t mark, fw_space *kept, size_t count);

struct fw_space_size {
	size_t nodes, edges;
};

/** What one set is made of, shared nodes counted once. */
struct fw_space_size fw_space_measure(const struct fw_spaces *spaces, fw_space set);

/* ---- making sets ---- */

/** Packets whose `var` is in low to high, both included. */
fw_space fw_space_interval(
	struct fw_spaces *spaces, enum fw_var var, struct fw_addr low, struct fw_addr high);
/** Packets with (`var` & mask) == value; for a variable of at most 16 bits. */
fw_space fw_space_masked(struct fw_spaces *spaces, enum fw_var var, uint16_t mask, uint16_t value);

/** Where a variable is in low to high, the packet must be in `set`. */
struct fw_case {
	struct fw_addr low, high;
	fw_space set;
};

/**
 * Packets that one of the cases holds, in linear time. The cases are sorted and disjoint, and their
 * sets ask for variables behind `var` only. This is how a set of many addresses is built: from the
 * last variable to the first.
 */
fw_space fw_space_cases(
	struct fw_spaces *spaces, enum fw_var var, const struct fw_case *cases, size_t count);

/**
 * The packets that can be, with interfaces numbered from 1 to `interfaces`:
 *
 * - input has an in-interface alone, output an out-interface alone, forward both;
 * - addresses of IPv4 are below 2^32; a hop limit is IPv6's, 0 in IPv4;
 * - ports are those of TCP, UDP, DCCP, SCTP and UDP-Lite; ICMP and ICMPv6 have a type and a code of
 *   0 to 255, by the protocol's number alone and in either family, as loaders look at them; both
 *   variables are 0 in all other protocols;
 * - flags are TCP's, else 0;
 * - a packet that is invalid or untracked has no connection, so it was not translated.
 *
 * Two descriptions of the same packets are the same handle once both are intersected with this.
 */
fw_space fw_space_universe(struct fw_spaces *spaces, unsigned interfaces);

fw_space fw_space_union(struct fw_spaces *spaces, fw_space a, fw_space b);
fw_space fw_space_intersect(struct fw_spaces *spaces, fw_space a, fw_space b);
fw_space fw_space_subtract(struct fw_spaces *spaces, fw_space a, fw_space b);
fw_space fw_space_complement(struct fw_spaces *spaces, fw_space a);
/**
 * The union of many: neighbours first, so that n sets cost n log n, and without keeping what was in
 * between. Best sorted by what the sets ask for.
 */
fw_space fw_space_union_all(struct fw_spaces *spaces, const fw_space *sets, size_t count);

/** Packets that are in `a` with some value of `var` in place of their own. */
fw_space fw_space_exists(struct fw_spaces *spaces, fw_space a, enum fw_var var);
/**
 * Packets that are in `a` with this value of `var` in place of their own. Translation to address A
 * and port P, backwards, is to fix the destination to A and the port to P and to intersect with
 * what is translated; forwards, to intersect with what is translated, to let go of both by
 * fw_space_exists, and to intersect with A and P.
 */
fw_space fw_space_restrict(
	struct fw_spaces *spaces, fw_space a, enum fw_var var, struct fw_addr value);
/**
 * A set, smaller where that can be, of the same packets inside `within`; what it holds outside is
 * left open. A variable is asked for where that tells packets of `within` apart, and bounds stay
 * inside of it: every address of IPv4 in the universe is simply every address.
 */
fw_space fw_space_simplify(struct fw_spaces *spaces, fw_space a, fw_space within);

/* ---- asking them ---- */

/** Whether b holds all of a; makes no sets, but false may mean exhaustion too. */
bool fw_space_is_subset(struct fw_spaces *spaces, fw_space a, fw_space b);
bool fw_space_contains(const struct fw_spaces *spaces, fw_space set, const struct fw_point *point);
/**
 * A packet of a set that is neither empty nor exhausted; the same one for equal sets. It is chosen
 * to look like one seen in the wild: variable by variable, low numbers, TCP before others, private
 * addresses before public ones and hosts before the addresses of networks, a source port that a
 * client would take, a new connection. That is for sets inside the universe.
 */
struct fw_point fw_space_witness(const struct fw_spaces *spaces, fw_space set);

/* ---- listing them ---- */

struct fw_interval {
	struct fw_addr low, high;
};

/** Sorted, disjoint, not touching; count 0: any value. */
struct fw_intervals {
	const struct fw_interval *items;
	size_t count;
};

/** Packets with each variable in one of its intervals. */
struct fw_box {
	struct fw_intervals values[FW_VAR_COUNT];
};

/** A zeroed struct is an empty list. */
struct fw_boxes {
	struct fw_arena arena; /* of the intervals, which boxes share */
	struct fw_box *items;
	size_t count, capacity;
	/** At least so many more would be needed; 0: the list is complete. */
	size_t left_out;
};

/** All the intervals of one list: what more of them would take is left out. */
enum { FW_BOXES_INTERVALS_MAX = 1 << 21 };

void fw_boxes_fini(struct fw_boxes *boxes);
/**
 * Lists `set` as boxes, few and plain rather than disjoint; `limit` of them at most, and at least
 * one. Boxes are to be read as parts of `within`: cut to it, each lies inside of `set`, and all of
 * them together, if none was left out, are `set` cut to it. With FW_SPACE_ALL they are exact as
 * they stand; the universe makes them readable. False: exhausted, and nothing is listed.
 */
bool fw_space_boxes(struct fw_spaces *spaces, fw_space set, fw_space within, size_t limit,
	struct fw_boxes *out_boxes);
/** The packets of a box. */
fw_space fw_box_space(struct fw_spaces *spaces, const struct fw_box *box);

#endif
