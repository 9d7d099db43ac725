// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_NFTABLES_NFTABLES_H
#define FW_NFTABLES_NFTABLES_H
/*
 * A policy lowered to nf_tables objects, as data: sets, counters, chains, rules as lists of matches
 * and statements. The text of a rule file and the netlink messages of a dry run are both printed
 * from here, so that they cannot differ in more than their spelling.
 */

#include "policy/policy.h"

/*
 * Names, in table `inet flowfw`. Names of groups and services have no underscore, so none of these
 * can be another's. `DEVICE.` may stand before GROUP and SERVICE of a set's name:
 *
 *   ipv4_GROUP                  members of a group
 *   ipv4_SERVICE_peers          addresses that a service lists for its peers (more than one)
 *   ipv4_SERVICE_local          … for its own end
 *   ipv4_SERVICE_except         … that it excludes
 *   ipv4_SERVICE_devices.DEVICE devices behind a gateway that a flow is for, if not for all
 *   SET_own                     those members of a set that bring ports, for flows on other ports
 *   SET_ports, _tcp, _udp       their address . port pairs: on both protocols, on one of them
 *   SET_ranges, _tcp, _udp      pairs of ranges, of members that are no single address or bring
 *                               many ports, for kernels that know them
 *   SET_tcp-80.443_udp-53       such members where the kernel doesn't, or where they overlap: one
 * set SET_ports-0123456789abcdef  for each list of ports, named by it or by its hash where long
 *   ipv4_SERVICE_HOOK_sources   buckets of a limit per source
 *   service_SERVICE             counter
 *   service_SERVICE_HOOK        limit; or the chain that holds a limit per source
 *   log_SERVICE_HOOK            limit of a service's log
 *
 * and in the tables of translations:
 *
 *   ipv4_nat_hairpin, ipv4_nat_masquerade
 *                               addresses whose connections are translated
 *   ipv4_SERVICE_forward_tcp-8088
 *                               outside ports to devices, each on its own port 8088
 *
 * `ipv6_` likewise. A service has its own buckets in each hook; where its flows there have
 * different limits, HOOK is followed by `_2`, `_3` …
 */

/** What the elements of a set are. */
enum fw_nft_key {
	FW_NFT_KEY_NONE,
	FW_NFT_ADDR,	     /* addresses of `family` */
	FW_NFT_ADDR_PORT,    /* address . port; ranges only where `interval` */
	FW_NFT_PORT_TO_ADDR, /* a map, from ports to addresses of `family` */
};

struct fw_nft_element {
	const struct fw_endpoint *endpoint;
	struct fw_ports ports;
};

struct fw_nft_set {
	const char *name;  /* "ipv4_cameras" */
	const char *title; /* the group's, or what it is made for */
	const char *note;  /* what part of the group it holds, or NULL: all that is plain */
	enum fw_family family;
	enum fw_nft_key key;
	bool interval;	  /* some element is no single address */
	bool dynamic;	  /* filled by the one rule that uses it; `meter` in a rule file */
	uint32_t timeout; /* seconds, of a dynamic set's elements */
	uint32_t size;	  /* 0: not declared */
	/** FW_NFT_ADDR: endpoints, by address. Else NULL. */
	const struct fw_endpoint *endpoints;
	/** FW_NFT_ADDR_PORT: by address, then port; no two overlap. Else NULL. */
	const struct fw_nft_element *elements;
	/** FW_NFT_PORT_TO_ADDR: outside ports to devices, by port. Else NULL. */
	const struct fw_forwarding *forwardings;
	size_t count;
	struct fw_span span;
};

enum fw_nft_match_kind {
	FW_NFT_MATCH_NONE,
	FW_NFT_IIFNAME,	 /* names */
	FW_NFT_OIFNAME,	 /* names */
	FW_NFT_NFPROTO,	 /* family; only where no other match asks for it */
	FW_NFT_PROTOCOL, /* meta l4proto; with `family` FW_IPV4: ip protocol */
	FW_NFT_SADDR,	 /* family; set, or range when set is NULL; `negated` */
	FW_NFT_DADDR,
	FW_NFT_SADDR_PORT, /* saddr . dport of `protocol` in a FW_NFT_ADDR_PORT set */
	FW_NFT_DADDR_PORT,
	FW_NFT_SPORT, /* protocol, ports */
	FW_NFT_DPORT,
	FW_NFT_ICMP,	   /* family, types without codes */
	FW_NFT_ICMP_CODE,  /* family, one type with a code: type and code */
	FW_NFT_HOP_LIMIT,  /* hop_limit, IPv6 */
	FW_NFT_CT_REPLY,   /* to what was allowed: established or related */
	FW_NFT_CT_INVALID, /* unknown to connection tracking */
	FW_NFT_CT_DNAT, /* family; the connection was translated, and was to `range`, one address */
};

struct fw_nft_match {
	enum fw_nft_match_kind kind;
	enum fw_family family;
	uint8_t protocol, hop_limit;
	bool negated;
	const struct fw_nft_set *set;
	struct fw_range range;
	const char *const *names;
	const struct fw_ports *ports;
	const struct fw_icmp_type *types;
	size_t count; /* of names, ports or types */
};

enum fw_nft_statement_kind {
	FW_NFT_STATEMENT_NONE,
	FW_NFT_LIMIT,	     /* rate */
	FW_NFT_LIMIT_NAMED,  /* text: the limit's name */
	FW_NFT_LIMIT_SOURCE, /* rate for each saddr of `family`, kept in `set` with its timeout */
	FW_NFT_COUNTER,	     /* text: the counter's name */
	FW_NFT_LOG,	     /* text: the prefix */
	FW_NFT_JUMP,	     /* text: the chain's name */
	FW_NFT_ACCEPT,
	FW_NFT_DROP,
	FW_NFT_REJECT_TCP, /* reject with tcp reset */
	FW_NFT_REJECT,	   /* reject with icmpx admin-prohibited */
	/* What follows translates a connection and ends its way through the hook's rules. */
	FW_NFT_DNAT, /* to the address that `set` maps its dport of `protocol` to, and `port`;
			a port that is not in the map does not match */
	FW_NFT_SNAT, /* to `address` of `family` */
	FW_NFT_MASQUERADE,
};

struct fw_nft_statement {
	enum fw_nft_statement_kind kind;
	struct fw_rate rate;
	const struct fw_nft_set *set;
	enum fw_family family;
	uint8_t protocol;
	uint16_t port;
	struct fw_addr address;
	const char *text;
};

enum { FW_NFT_MATCHES_MAX = 12, FW_NFT_STATEMENTS_MAX = 4 };

struct fw_nft_rule {
	const struct fw_nft_match *matches;
	size_t match_count; /* FW_NFT_MATCHES_MAX at most */
	const struct fw_nft_statement *statements;
	size_t statement_count;	    /* FW_NFT_STATEMENTS_MAX at most */
	const char *comment;	    /* the service's id; a comment on the rule; or NULL */
	const struct fw_flow *flow; /* where it comes from; NULL for a chain's own rules */
	struct fw_span span;
};

/** The hooks where translation is done: of destinations before routing, of sources behind it. */
enum fw_nft_nat { FW_NFT_NAT_NONE, FW_NFT_PREROUTING, FW_NFT_POSTROUTING };
enum { FW_NFT_NAT_COUNT = 3 };

/** A base chain is at `hook` or at `nat`; a regular one at neither, as rules jump to it. */
struct fw_nft_chain {
	const char *name; /* the hook's, for a base chain */
	enum fw_hook hook;
	enum fw_nft_nat nat;
	const char *title; /* of a regular chain: the service it is for */
	bool accept;	   /* the base chain's policy: accept, else drop */
	struct fw_span span;
	const struct fw_nft_rule *rules;
	size_t rule_count;
	size_t leftover; /* of a chain at `hook`: rules from here on meet what no flow allowed */
};

struct fw_nft_counter {
	const char *name;
	struct fw_span span;
};

struct fw_nft_limit {
	const char *name;
	struct fw_rate rate;
	struct fw_span span;
};

/** Owned by the arena it was made in. */
struct fw_nft_table {
	const struct fw_policy *policy;
	enum fw_family family;		       /* FW_FAMILY_NONE: inet */
	const char *name;		       /* FW_NFT_TABLE, or FW_NFT_NAT_TABLE of one family */
	const struct fw_nft_counter *counters; /* by name */
	size_t counter_count;
	const struct fw_nft_limit *limits; /* in the order of flows */
	size_t limit_count;
	const struct fw_nft_set *const *sets; /* maps, then in the policy's order, dynamic last */
	size_t set_count;
	const struct fw_nft_chain *chains; /* regular ones first */
	size_t chain_count;
	/** Of the table that filters: those that translate; NULL where nothing of a family is. */
	const struct fw_nft_table *nat[FW_FAMILY_COUNT];
};

/** The table `inet flowfw`. */
#define FW_NFT_TABLE "flowfw"
/** Tables `ip` and `ip6` of this name hold translations; they are always declared and deleted. */
#define FW_NFT_NAT_TABLE "flowfw_nat"

/** The oldest kernel that is to load it. */
enum fw_nft_kernel {
	FW_NFT_KERNEL_NONE,
	FW_NFT_4_19,
	FW_NFT_5_6, /* ranges in concatenations; nft 0.9.4 and later reads them */
};

/** The whole lowering: the table that filters, and through it the others. Cannot fail: nf_tables
 * can say all that a policy can. */
const struct fw_nft_table *fw_nft_lower(
	struct fw_arena *arena, const struct fw_policy *policy, enum fw_nft_kernel kernel);

#endif
