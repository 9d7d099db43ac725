// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_MEANING_MEANING_H
#define FW_MEANING_MEANING_H
/*
 * What a policy means: the packets that each hook accepts, as sets of them. By this, and not by
 * their words or rules, policies are compared.
 */

#include "policy/policy.h"
#include "space/space.h"

/* ---- interfaces ---- */

/**
 * The numbers that interfaces have in sets of packets: 1 is lo, then the names from 2 on, and the
 * last number is any other interface. Meanings that are compared are made with the same numbers.
 */
struct fw_interfaces {
	struct fw_names names;
};

enum { FW_INTERFACE_LOOPBACK = 1 };

/** All that the policies name. */
struct fw_interfaces fw_interfaces_of(
	struct fw_arena *arena, const struct fw_policy *const *policies, size_t count);
/** How many numbers there are, for fw_space_universe. */
unsigned fw_interfaces_count(const struct fw_interfaces *interfaces);
/** That of a name; of one that is not known, the last. */
unsigned fw_interface_number(const struct fw_interfaces *interfaces, const char *name);
/** NULL for the last number. */
const char *fw_interface_name(const struct fw_interfaces *interfaces, unsigned number);
/** Whether a number stands for all that begin so and are not named: "eth*". */
bool fw_interface_is_open(const struct fw_interfaces *interfaces, unsigned number);
/** Whether these numbers hold those of all interfaces that are not named, however they begin. */
bool fw_interfaces_hold_unnamed(
	const struct fw_interfaces *interfaces, const struct fw_intervals *numbers);

/* ---- what is accepted ---- */

/** What passes a hook only as fast as a limit lets it. */
struct fw_rated {
	const struct fw_flow *flow;
	fw_space set; /* less what passes in any case */
};

struct fw_meaning {
	/** By hook: what always passes, and what may, a limit permitting. */
	fw_space must[FW_HOOK_COUNT], may[FW_HOOK_COUNT];
	const struct fw_rated *rated; /* in the order of flows */
	size_t rated_count;
};

/** The new and untracked packets that a flow allows, some perhaps by its limit only. */
fw_space fw_flow_space(struct fw_spaces *spaces, const struct fw_interfaces *interfaces,
	const struct fw_flow *flow);
/**
 * The meaning of a policy, within fw_space_universe. It counts for nothing where the spaces are
 * exhausted.
 */
void fw_meaning_init(struct fw_meaning *meaning, struct fw_arena *arena, struct fw_spaces *spaces,
	const struct fw_interfaces *interfaces, const struct fw_policy *policy);

/* ---- words: words.c ---- */

/** "new", "established", "related", "invalid", "untracked". */
extern const char *const fw_tracking_names[FW_TRACKING_COUNT];

/** What names in words are taken from. */
struct fw_words {
	const struct fw_interfaces *interfaces;
	const struct fw_policy *policy; /* whose groups' names stand for their addresses; or NULL */
	/**
	 * A policy that `policy` is compared with, whose names will do, too; or NULL. Where both
	 * have a name and mean different addresses by it, it has the label of its own behind it:
	 * "clients (after)".
	 */
	const struct fw_policy *other;
	const char *label, *other_label;
};

/**
 * A packet as `expect` has it: "input 8088/tcp from 10.20.1.1 to 10.8.0.17 on eth0". What is as in
 * any first packet of a client is not said: the state new, TCP's SYN, a source port of 49152, an
 * interface that no policy names.
 */
void fw_point_format(
	const struct fw_words *words, const struct fw_point *point, struct fw_buf *out);
/**
 * Many packets, likewise, with lists, ranges and prefixes, the first few of each, and groups by
 * name where a list is all of one: "input 8088/tcp, 5556/tcp from clients". An address that is an
 * entry of a group has its name behind it, as its author wrote it. For boxes that were listed
 * within the universe; what is new or untracked, on whatever interface but lo, is not said.
 */
void fw_box_format(const struct fw_words *words, const struct fw_box *box, struct fw_buf *out);
/**
 * The same without " over IPv4" or " over IPv6", which is returned instead, so that what is the
 * same of both can be said once. FW_FAMILY_NONE: nothing needs to be said of it.
 */
enum fw_family fw_box_format_bare(
	const struct fw_words *words, const struct fw_box *box, struct fw_buf *out);
/** The one family of a box's packets, by what it asks for, addresses too; or FW_FAMILY_NONE. */
enum fw_family fw_box_family(const struct fw_box *box);

/* ---- packets in words: ask.c ---- */

/**
 * The packets that a description fits: what it does not say may be anything, but for three things.
 * The tracking state is new or untracked, interfaces are others than lo, and neighbour discovery
 * has the hop limit 255 that its receivers insist on (RFC 4861). Within the universe.
 */
fw_space fw_packet_space(struct fw_spaces *spaces, const struct fw_interfaces *interfaces,
	const struct fw_packet *packet);

/** How many of a set's packets. */
enum fw_share { FW_NO_PACKET, FW_SOME_PACKETS, FW_ALL_PACKETS };

/** Why packets pass or not. */
enum fw_ground {
	FW_GROUND_NONE,
	FW_GROUND_LOOPBACK,  /* accepted */
	FW_GROUND_REPLY,     /* established, related: accepted */
	FW_GROUND_INVALID,   /* dropped */
	FW_GROUND_FLOW,	     /* accepted by flows */
	FW_GROUND_VERDICT,   /* the hook's verdict, whatever flows allow */
	FW_GROUND_UNTOUCHED, /* the hook is not ours */
};

/** One end of a packet in a flow: the entry of a group that holds the address. */
struct fw_entry {
	const struct fw_set *set; /* NULL: no address was said, or any will do */
	const struct fw_endpoint *endpoint;
};

/** A flow that decides, or nearly does. */
struct fw_finding_flow {
	const struct fw_flow *flow;
	struct fw_entry source, destination;
	/**
	 * In what the flow is narrower than the packets, or keeps them out: bits, 1 << enum fw_var;
	 * 0: it lets all of them pass. Interfaces are FW_VAR_IN, whichever end; an ICMP type is
	 * FW_VAR_PORT.
	 */
	unsigned misses;
};

/** What becomes of packets that go the same way. */
struct fw_fate {
	enum fw_hook hook; /* that judges them */
	/** Where translation sends them before that, and then all of this is about packets as they
	 * are behind it; or NULL. */
	const struct fw_forwarding *forwarding;
	enum fw_share passing;		/* up to a limit counts as passing */
	bool limited;			/* some of it only as fast as limits let it */
	enum fw_ground ground;		/* of what passes, where some does, else of what does not */
	struct fw_point passed, denied; /* witnesses, where some pass, and where not all do */
	/** Flows that let some of it pass; or, where none passes, the nearest ones, nearest first,
	 * at most FW_NEAREST_MAX. */
	const struct fw_finding_flow *flows;
	size_t flow_count;
	/** Of what passes: what gets another source behind the hook. */
	enum fw_share hairpin, masquerade;
};

/** What becomes of the packets of a description. */
struct fw_answer {
	enum fw_share passing;
	/** One, but for what comes in at a gateway: one for each forwarding that some of it fits,
	 * then one for the rest if there is any. Of many forwardings, the first FW_FATES_MAX and
	 * one each that fares in another way than those. */
	const struct fw_fate *fates;
	size_t fate_count;
	size_t left_out; /* forwardings beside these; they count in `passing` */
};
enum { FW_NEAREST_MAX = 3, FW_FATES_MAX = 8 };

/** A policy that is asked, once or often. */
struct fw_oracle {
	struct fw_arena *arena; /* of answers */
	struct fw_spaces *spaces;
	const struct fw_interfaces *interfaces;
	const struct fw_policy *policy;
	const struct fw_meaning *meaning;
	fw_space universe;
	fw_space *sets; /* of flows, once they are needed; else NULL */
};

/** All of it must live as long as the oracle, which owns nothing. */
void fw_oracle_init(struct fw_oracle *oracle, struct fw_arena *arena, struct fw_spaces *spaces,
	const struct fw_interfaces *interfaces, const struct fw_policy *policy,
	const struct fw_meaning *meaning);
/**
 * What becomes of a description's packets. One of input at a gateway that fits a forwarding stands
 * for packets that begin a connection by an interface that translates, where it says neither. The
 * way out of what is translated is the gateway's to find, and any that is open will do. False:
 * exhausted.
 */
bool fw_ask(struct fw_oracle *oracle, const struct fw_packet *packet, struct fw_answer *out);
/** As fw_ask, without why: no fates. */
bool fw_ask_share(
	struct fw_oracle *oracle, const struct fw_packet *packet, enum fw_share *out_passing);

/* ---- packets that are accepted, by whomever: compare.c ---- */

/** Packets that pass only as fast as one bucket lets them. */
struct fw_paced {
	enum fw_hook hook;
	fw_space set;
	struct fw_rate rate;
};

/** What a policy or anything else accepts. By hook: what always passes, and what may; what is
 * paced has its share in `may`. */
struct fw_behaviour {
	fw_space must[FW_HOOK_COUNT], may[FW_HOOK_COUNT];
	const struct fw_paced *paced;
	size_t paced_count;
};

/** That of a policy; the list is the arena's. */
struct fw_behaviour fw_meaning_behaviour(struct fw_arena *arena, const struct fw_meaning *meaning);

enum fw_change {
	FW_CHANGE_NONE,
	FW_NEWLY_ALLOWED,
	FW_NEWLY_DENIED,
	FW_RATE_CHANGED, /* both let it pass, but not at the same rate, or not out of one bucket */
};

/**
 * Packets of one hook to which the same happened; no packet is in two of them. Where several limits
 * let a packet pass, the rate is that of the most generous.
 */
struct fw_difference {
	enum fw_change change;
	enum fw_hook hook;
	fw_space set; /* not empty */
	/**
	 * Rates before and after, count 0: no limit. Where newly allowed, the latter alone is said;
	 * where newly denied, neither. The same rate twice: a bucket is shared with other packets.
	 */
	struct fw_rate before, after;
};

struct fw_differences {
	const struct fw_difference *items; /* by hook, then change */
	size_t count;
};

/** Packets a day: the measure of all units. */
uint64_t fw_rate_a_day(const struct fw_rate *rate);
/** The one that lets more through first; 60 a minute and one a second are the same. */
int fw_rates_compare(const struct fw_rate *a, const struct fw_rate *b);
/** Compares what two accept. False: exhausted. */
bool fw_behaviour_compare(struct fw_arena *arena, struct fw_spaces *spaces,
	const struct fw_behaviour *before, const struct fw_behaviour *after,
	struct fw_differences *out);

/* ---- two policies: compare.c ---- */

/** All in which two policies differ. */
struct fw_comparison {
	const struct fw_difference *differences; /* by hook, then change */
	size_t difference_count;
	/** Hooks whose last word to somebody changed from drop to reject, or back. */
	bool answers_differ[FW_HOOK_COUNT];
	/** Forwarded ports that only one of them has, whatever device and service are called. */
	const struct fw_forwarding *const *no_longer_forwarded, *const *newly_forwarded;
	size_t no_longer_count, newly_count;
	/** Where both forward ports: the interfaces they come in on, and the addresses outside. */
	bool entry_differs, outside_differs;
	bool masquerade_differs, hairpin_differs;
	bool equal; /* nothing of all that */
};

/** False: exhausted. Both meanings are made with the same spaces and interfaces. What is logged and
 * counted is no part of it. */
bool fw_compare(struct fw_arena *arena, struct fw_spaces *spaces,
	const struct fw_interfaces *interfaces, const struct fw_policy *before,
	const struct fw_meaning *before_meaning, const struct fw_policy *after,
	const struct fw_meaning *after_meaning, struct fw_comparison *out);

/* ---- what is odd: lint.c ---- */

/**
 * Warns of what is valid and probably not meant, as far as only sets tell: matches-nothing,
 * plain-http, same-service, hidden-service. False: exhausted, and some was not looked at.
 */
bool fw_meaning_lint(struct fw_spaces *spaces, const struct fw_interfaces *interfaces,
	const struct fw_policy *policy, struct fw_diags *diags);

/* ---- whether a device and its gateway agree ---- */

/** What one of two ends wants and the other does not let through. */
struct fw_gap {
	const struct fw_flow *flow;		/* of the device, that its gateway does not pass */
	const struct fw_forwarding *forwarding; /* else: that the device itself would drop */
	struct fw_span service_span; /* of a forwarding: where the device's own service is */
	fw_space set;
	struct fw_point witness; /* of the set */
};

/**
 * Compares a device, as its own site has it, with its gateway: `needs` are the device's flows as
 * they cross the gateway, `device` what it accepts itself. Adds gaps to *out_gaps, at most `limit`
 * of them; the array is the arena's. Returns how many.
 */
size_t fw_agree(struct fw_arena *arena, struct fw_spaces *spaces, const struct fw_policy *gateway,
	const struct fw_policy *device, const struct fw_flow *needs, size_t need_count,
	const char *name, size_t limit, struct fw_gap *out_gaps);

#endif
