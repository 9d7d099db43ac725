// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_POLICY_POLICY_H
#define FW_POLICY_POLICY_H
/*
 * The model that every backend compiles and every proof is held to: flows that allow, sets of
 * endpoints they refer to, and a base verdict for each hook. It is finished and in canonical order
 * when a backend sees it; it knows neither YAML nor any rule syntax.
 *
 * Meaning, per hook with a verdict: loopback passes; established and related pass; invalid is
 * dropped; a packet that is new or untracked passes if some flow of the hook contains it, else the
 * hook's verdict applies. Flows only allow, so their order never matters.
 */

#include "diag/diag.h"
#include "net/net.h"

/* ---- words of the model ---- */

enum fw_hook { FW_HOOK_NONE, FW_INPUT, FW_OUTPUT, FW_FORWARD };
enum { FW_HOOK_COUNT = 4 };
/** "input", "output", "forward". */
extern const char *const fw_hook_names[FW_HOOK_COUNT];

/** What becomes of a packet that no flow allows. FW_UNTOUCHED: the hook is not ours, nothing is
 * loaded there. */
enum fw_verdict { FW_VERDICT_NONE, FW_DROP, FW_REJECT, FW_ACCEPT, FW_UNTOUCHED };
enum { FW_VERDICT_COUNT = 5 };
extern const char *const fw_verdict_names[FW_VERDICT_COUNT];

enum fw_importance { FW_IMPORTANCE_NONE, FW_REQUIRED, FW_RECOMMENDED, FW_OPTIONAL };
enum { FW_IMPORTANCE_COUNT = 4 };
extern const char *const fw_importance_names[FW_IMPORTANCE_COUNT];

/** Where a service's numbers come from. FW_STANDARD: an RFC, for the base rules. */
enum fw_provenance {
	FW_PROVENANCE_NONE,
	FW_PUBLISHED,
	FW_LATER_LIST,
	FW_ARTICLE,
	FW_ASSUMPTION,
	FW_STANDARD,
	FW_SITE,
};
enum { FW_PROVENANCE_COUNT = 7 };
extern const char *const fw_provenance_names[FW_PROVENANCE_COUNT];

/* ---- matches ---- */

/** One protocol of a flow and what is asked of its header. A packet matches when all that is given
 * holds. */
struct fw_clause {
	enum fw_family family; /* FW_FAMILY_NONE: either */
	uint8_t protocol;      /* IANA number */
	/** Destination ports, sorted and disjoint; count 0: any. Only for protocols with ports. */
	const struct fw_ports *ports;
	size_t port_count;
	const struct fw_ports *source_ports;
	size_t source_port_count;
	/** ICMP or ICMPv6 types, sorted; count 0: any. Then `family` is set. */
	const struct fw_icmp_type *types;
	size_t type_count;
	uint8_t hop_limit; /* exactly this IPv6 hop limit; 0: any */
};

/** One member of a set. */
struct fw_endpoint {
	struct fw_range range;
	const char
		*name; /* the author's words, or NULL; printable, but not quoted for any backend */
	/** Own ports, as clauses without addresses, for flows that take their ports from the set;
	 * NULL: none. Equal lists are the same pointer. */
	const struct fw_port_list *own;
	struct fw_span span;
};

/** Destination ports of one endpoint, canonical: equal meaning, equal bytes. */
struct fw_port_list {
	const struct fw_ports *tcp, *udp; /* sorted, disjoint */
	size_t tcp_count, udp_count;
};

/**
 * The members of one family in canonical order: those without own ports first (`plain_count` of
 * them), then those with; each part by address. Within a part no two ranges overlap, unless their
 * own ports differ; ranges that merely touch are left as they were written, so that one changed
 * line in a profile is one changed line in a rule set.
 */
struct fw_members {
	const struct fw_endpoint *items;
	size_t count, plain_count;
	const struct fw_endpoint *range; /* the first that is no single prefix, or NULL */
};

/**
 * A resolved group, named as the group, [a-z][a-z0-9-]* of at most FW_NAME_MAX, or `DEVICE.GROUP`
 * where devices behind a gateway mean different things by it; or, where `literal`, addresses that
 * no group names: `SERVICE` for the peers that a service lists itself, `SERVICE_local` for its own
 * end, `SERVICE_except` for what it excludes, each with `DEVICE.` before it where devices differ;
 * `SERVICE_devices.DEVICE` for the devices from DEVICE on that a flow is for, if not for all
 * (those are the group `devices`); `nat_masquerade` and `nat_hairpin` of a translation. No two sets
 * of a policy have the same name and `literal`.
 */
struct fw_set {
	const char *name;
	const char *title; /* or NULL */
	bool literal;
	struct fw_span span;
	struct fw_members members[FW_FAMILY_COUNT];
};

enum { FW_NAME_MAX = 31 };

/**
 * One end of a flow: in any of `sets` and not in `except`. set_count 0: every address. The sets
 * stand in the policy's order, each once.
 */
struct fw_side {
	const struct fw_set *const *sets;
	size_t set_count;
	const struct fw_set *except; /* or NULL */
};

/** Names of interfaces, sorted, each once. */
struct fw_names {
	const char *const *items;
	size_t count;
};

struct fw_log {
	bool on;
	const char *prefix;  /* printable ASCII, no quote or backslash, FW_LOG_PREFIX_MAX at most */
	struct fw_rate rate; /* count 0: every packet */
};
enum { FW_LOG_PREFIX_MAX = 20 };

/** A permission: packets of one hook that are allowed, and the service that wanted them. */
struct fw_flow {
	const char *service; /* its id: the comment in every rule set */
	const char *title;
	struct fw_span span; /* where a person would change it */
	enum fw_hook hook;
	struct fw_side source, destination;
	/** count 0: any. A packet of input has an in-interface alone, one of output an
	 * out-interface alone, one that is forwarded has both. */
	struct fw_names in_interfaces, out_interfaces;
	bool inbound; /* of forward: to a device from its peers, who are the source then */
	/** Any of these. With `own_ports`, for those members of the peer side that have no ports of
	 * their own. */
	const struct fw_clause *clauses;
	size_t clause_count;
	/** Members of the peer side (fw_flow_peers) that bring ports are allowed on those instead.
	 */
	bool own_ports;
	struct fw_rate limit; /* count 0: none */
	struct fw_log log;
	bool base;	 /* one of the rules under every profile */
	bool plain_http; /* anybody on the way can read and change what it carries */
	enum fw_provenance provenance;
};

/* ---- translation: several devices behind one address ---- */

/** A port of the outside address that is a device's own port in truth. */
struct fw_forwarding {
	const char *device;  /* its name */
	const char *service; /* its id: the comment in every rule set */
	enum fw_family family;
	uint8_t protocol; /* IPPROTO_TCP or IPPROTO_UDP */
	uint16_t outside_port;
	struct fw_addr address; /* the device's, of `family` */
	uint16_t port;
	struct fw_span span;
};

/**
 * What a gateway does to addresses, once a connection, at its first packet:
 *
 * - One that comes in on an interface of `entry` to an address of `outside_addresses`, and to the
 *   protocol and outside port of a forwarding of that family, goes to the forwarding's address and
 *   port. That is before the forward hook, whose flows see the device's own address and port.
 * - One that was so translated, and comes from a member of `hairpin`, gets hairpin_address of its
 *   family as its source, behind the forward hook, so that replies come back this way. Where others
 *   translate ports of an outside address, too, theirs may get it likewise: a caller inside would
 *   not be answered otherwise.
 * - One from a member of `masqueraded` that leaves on an interface of `exit` gets the address of
 *   that interface as its source, behind the forward hook.
 */
struct fw_translation {
	bool on; /* a gateway: translation is its business, even where nothing is translated */
	struct fw_names entry;			/* count 0: any */
	struct fw_names exit;			/* not empty where `masqueraded` is */
	const struct fw_set *outside_addresses; /* single addresses; or NULL: no forwardings */
	/** By family, service, protocol and outside port; no two for the same outside port, and
	 * none of a family that no outside address is of. */
	const struct fw_forwarding *forwardings;
	size_t forwarding_count;
	const struct fw_set *masqueraded; /* IPv4 members only; or NULL */
	const struct fw_set *hairpin;	  /* or NULL */
	/** Of each family that `hairpin` has members of. */
	struct fw_addr hairpin_address[FW_FAMILY_COUNT];
	struct fw_span forwarding_span, masquerade_span, hairpin_span;
};

/** A packet in the words of `expect` and `explain`; what was not said is empty, 0 or -1. */
struct fw_packet {
	enum fw_hook hook;
	enum fw_family family;
	int protocol;	       /* -1: not said */
	int port, source_port; /* -1: not said */
	struct fw_icmp_type type;
	bool has_type, has_source, has_destination;
	struct fw_range source, destination; /* single addresses */
	struct fw_names in, out; /* interfaces, one of these; count 0: not said, and not lo */
	unsigned tracking;	 /* of enum fw_tracking in space/; 0: not said, new or untracked */
};

struct fw_expect {
	bool allow;
	struct fw_packet packet;
	struct fw_span span;
};

struct fw_hook_policy {
	enum fw_verdict verdict;
	struct fw_span span;
};

/** What a machine is to the devices: one itself, the way to them, or who calls them. */
enum fw_position { FW_POSITION_NONE, FW_HOST, FW_GATEWAY, FW_CLIENT };
enum { FW_POSITION_COUNT = 4 };
/** "host", "gateway", "client". */
extern const char *const fw_position_names[FW_POSITION_COUNT];

/** Everything is owned by the arena it was made in, and constant from then on. */
struct fw_policy {
	const char *name; /* the site's or profile's */
	const char *title;
	const char *extends; /* the shipped profile at the root, or NULL where that is the profile
				itself */
	enum fw_position position;
	struct fw_hook_policy hooks[FW_HOOK_COUNT];
	struct fw_log log; /* what no flow allows, before it is dropped */
	struct fw_span log_span;
	bool counters; /* a packet counter for each service */
	/** The sets that flows use, by name; groups before literals of the same name. */
	const struct fw_set *const *sets;
	size_t set_count;
	/**
	 * By hook; in each, services for listed peers first, then those that are for anyone, base
	 * rules last; by service in each part, with the flows of a service together.
	 */
	const struct fw_flow *flows;
	size_t flow_count;
	struct fw_translation translation;
	const struct fw_expect *expects;
	size_t expect_count;
};

/* ---- making one ---- */

/**
 * Sorts endpoints and resolves what is nested or overlaps, by the rule of struct fw_members.
 * `endpoints` becomes the set's storage and must live as long as the set. When entries are joined
 * the name of the lower, then longer one stays; equal ones keep the first name in byte order.
 */
void fw_set_resolve(struct fw_set *set, struct fw_endpoint *endpoints, size_t count);
/** As fw_set_resolve, of endpoints that it would leave as they are. False: it would not; the set is
 * as it was. */
bool fw_set_share(struct fw_set *set, const struct fw_endpoint *endpoints, size_t count);
/** Puts sets into the policy's order, by name and literals last, and leaves out doubles. */
void fw_sets_sort(const struct fw_set **sets, size_t *count);
/**
 * Puts flows, the sets they use, and forwardings into canonical order. Leaves out flows that no
 * packet can match because of its family. Flows of one service and hook on the same interfaces keep
 * their order.
 */
void fw_policy_finish(struct fw_arena *arena, struct fw_policy *policy, const struct fw_flow *flows,
	size_t flow_count);
/** By content; 0 for lists that mean the same. */
int fw_port_list_compare(const struct fw_port_list *a, const struct fw_port_list *b);

/* ---- asking it ---- */

/** The side of a flow where the others are: the source for input and what is inbound, else the
 * destination. */
const struct fw_side *fw_flow_peers(const struct fw_flow *flow);
/** Whether a side can hold an address of this family at all. */
bool fw_side_has_family(const struct fw_side *side, enum fw_family family);
/** Whether one part of the members, alone, holds every address of the family. */
bool fw_set_covers(const struct fw_set *set, enum fw_family family);
/** Whether a side holds every address of some family, `except` left aside. */
bool fw_side_is_open(const struct fw_side *side);
/** Whether a flow can match a packet of this family. */
bool fw_flow_has_family(const struct fw_flow *flow, enum fw_family family);

/* ---- features: what a policy asks of a backend ---- */

enum fw_feature {
	FW_FEATURE_NONE,
	FW_FEATURE_FORWARD, /* a verdict for the forward hook */
	FW_FEATURE_REJECT,
	FW_FEATURE_LOG,	     /* of what is dropped */
	FW_FEATURE_FLOW_LOG, /* of one service */
	FW_FEATURE_COUNTERS,
	FW_FEATURE_LIMIT,	 /* one bucket for all */
	FW_FEATURE_LIMIT_SOURCE, /* one bucket a source address */
	FW_FEATURE_INTERFACE,
	FW_FEATURE_OWN_PORTS, /* ports of each endpoint */
	FW_FEATURE_RANGES,    /* address ranges that are no prefixes */
	FW_FEATURE_EXCEPT,
	FW_FEATURE_SOURCE_PORTS,
	FW_FEATURE_ICMP, /* types of ICMP and ICMPv6 */
	FW_FEATURE_ICMP_CODE,
	FW_FEATURE_PROTOCOL, /* protocols other than TCP, UDP, ICMP, ICMPv6 */
	FW_FEATURE_HOP_LIMIT,
	FW_FEATURE_FORWARDING, /* ports of the outside address that are devices' */
	FW_FEATURE_MASQUERADE,
	FW_FEATURE_HAIRPIN,
};
enum { FW_FEATURE_COUNT = FW_FEATURE_HAIRPIN + 1 };

/** Short names for tables: "forward", "limit-source" … */
extern const char *const fw_feature_names[FW_FEATURE_COUNT];
/** What each is, in a few words, for messages: "a limit for each source". */
extern const char *const fw_feature_texts[FW_FEATURE_COUNT];

/** Calls `used` for each feature and place that uses it, flows in order. */
void fw_policy_features(const struct fw_policy *policy,
	void (*used)(void *context, enum fw_feature feature, struct fw_span span, const char *who),
	void *context);

#endif
