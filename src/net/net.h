// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_NET_NET_H
#define FW_NET_NET_H
/*
 * Addresses, prefixes, ranges, ports, protocols, ICMP types and rates: text to value, value to
 * text, order. What is wrong with a text is told as an enum; turning that into a sentence with a
 * place is fw_net_fault_texts' and the caller's.
 */

#include "base/base.h"

enum fw_family {
	FW_FAMILY_NONE, /* also "either", where a match doesn't ask for one */
	FW_IPV4,
	FW_IPV6,
};
enum { FW_FAMILY_COUNT = 3 };

/** "IPv4", "IPv6". */
extern const char *const fw_family_names[FW_FAMILY_COUNT];

/** A number of 128 bits in host order; an IPv4 address is its low 32 bits. */
struct fw_addr {
	uint64_t high, low;
};

/** All addresses from first to last, both included, of one family; first <= last. */
struct fw_range {
	struct fw_addr first, last;
	enum fw_family family;
};

enum fw_net_fault {
	FW_NET_NONE,
	FW_NET_EMPTY,
	FW_NET_NOT_ADDRESS,   /* not like an address at all */
	FW_NET_HOST_NAME,     /* a DNS name, by its letters */
	FW_NET_LEADING_ZERO,  /* 010.0.0.1: octal for some, decimal for others */
	FW_NET_ZONE,	      /* fe80::1%eth0 */
	FW_NET_MAPPED,	      /* ::ffff:192.0.2.1: write it as IPv4 */
	FW_NET_PREFIX_LENGTH, /* no number, or over 32 / 128 */
	FW_NET_HOST_BITS,     /* 10.0.0.1/8: bits set behind the prefix length */
	FW_NET_REVERSED,      /* a range that ends before it begins */
	FW_NET_MIXED,	      /* a range from one family into the other */
	FW_NET_PORT,	      /* no port number, 0 or over 65535 */
	FW_NET_NO_PROTOCOL,   /* "8088" alone */
	FW_NET_PROTOCOL,      /* unknown protocol name, or one that has no ports */
	FW_NET_ICMP_TYPE,
	FW_NET_RATE,
	FW_NET_RATE_UNIT,
	FW_NET_BURST,
};
enum { FW_NET_FAULT_COUNT = FW_NET_BURST + 1 };

/** A sentence's predicate for each fault: "has host bits set", "is a host name, …" */
extern const char *const fw_net_fault_texts[FW_NET_FAULT_COUNT];

/* ---- addresses ---- */

int fw_addr_compare(struct fw_addr a, struct fw_addr b);
/** The next address; wraps round at the end of 128 bits. */
struct fw_addr fw_addr_next(struct fw_addr addr);
struct fw_addr fw_addr_previous(struct fw_addr addr);

/**
 * Reads an address, a prefix (`10.0.0.0/8`) or a range (`10.0.0.1-10.0.0.9`, no blanks needed,
 * blanks round the hyphen allowed). Returns FW_NET_NONE and sets *out_range, or the fault; for
 * FW_NET_HOST_BITS *out_range is the prefix without its host bits, for the hint. IPv4 in four
 * decimal parts only; IPv6 as RFC 4291 section 2.2.
 */
enum fw_net_fault fw_range_parse(struct fw_slice text, struct fw_range *out_range);
bool fw_range_is_single(const struct fw_range *range);
/** The prefix length when the range is one prefix (32 or 128 for an address), else -1. */
int fw_range_prefix_length(const struct fw_range *range);
bool fw_range_is_all(const struct fw_range *range);
bool fw_range_contains(const struct fw_range *outer, const struct fw_range *inner);
bool fw_range_overlaps(const struct fw_range *a, const struct fw_range *b);
/** By family, first, then last with the longer range before the shorter one. */
int fw_range_compare(const struct fw_range *a, const struct fw_range *b);
/** Canonical text (RFC 5952 for IPv6): address, prefix where it is one, else `first-last`. */
void fw_range_format(const struct fw_range *range, struct fw_buf *out);
void fw_addr_format(enum fw_family family, struct fw_addr addr, struct fw_buf *out);
/** The 4 or 16 bytes in network order; returns how many. */
size_t fw_addr_bytes(enum fw_family family, struct fw_addr addr, uint8_t out[static 16]);

/* ---- protocols and ports ---- */

/** `low` to `high`, both included, in host order. */
struct fw_ports {
	uint16_t low, high;
};

/** Bits for the protocols that a port text names. */
enum { FW_PROTO_TCP = 1, FW_PROTO_UDP = 2 };

/**
 * `8088/tcp`, `5000-65000/udp`, `53/tcp+udp`. Ports are 1 to 65535.
 * Sets *out_ports and *out_protocols (FW_PROTO_ bits) when it returns FW_NET_NONE.
 */
enum fw_net_fault fw_ports_parse(
	struct fw_slice text, struct fw_ports *out_ports, unsigned *out_protocols);
/** `8088` or `5000-65000`, without protocol. */
void fw_ports_format(struct fw_ports ports, struct fw_buf *out);
/** Sorts, and joins what overlaps or touches; returns the new count. */
size_t fw_ports_normalize(struct fw_ports *ports, size_t count);

/**
 * An IANA protocol number from its name (tcp, udp, icmp, icmpv6, igmp, esp, ah, gre, sctp, ospf,
 * vrrp, …) or `0`-`255`.
 */
enum fw_net_fault fw_protocol_parse(struct fw_slice text, uint8_t *out_protocol);
/** Its name, or NULL where it has none here. */
const char *fw_protocol_name(uint8_t protocol);

/** An ICMP or ICMPv6 type, with a code unless code is -1. */
struct fw_icmp_type {
	uint8_t type;
	int16_t code;
};

/**
 * Names as in RFC 792 and RFC 4443/4861/2710/3810 (`echo-request`, `packet-too-big`,
 * `neighbour-solicitation`, `mld-query`, …), a number `3`, or number and code `3/4`. `family`
 * chooses between ICMP and ICMPv6.
 */
enum fw_net_fault fw_icmp_parse(
	enum fw_family family, struct fw_slice text, struct fw_icmp_type *out_type);
/** The name, or NULL where it has none (a type with a code has none). */
const char *fw_icmp_name(enum fw_family family, struct fw_icmp_type type);
/** All names of one family, NULL-terminated, for hints. */
const char *const *fw_icmp_names(enum fw_family family);

/* ---- rates ---- */

enum fw_unit { FW_UNIT_NONE, FW_SECOND, FW_MINUTE, FW_HOUR, FW_DAY };
enum { FW_UNIT_COUNT = 5 };

/** "second", "minute", … */
extern const char *const fw_unit_names[FW_UNIT_COUNT];

/** So many packets per unit, after a first burst; a count of 0 is no limit. One bucket for all, or
 * one for each source address. */
struct fw_rate {
	uint32_t count;
	enum fw_unit unit;
	uint32_t burst;
	bool per_source;
};

enum { FW_RATE_MAX = 10000, FW_BURST_MAX = 10000, FW_BURST_DEFAULT = 5 };

/**
 * `10/minute`, `10/minute burst 5`, `10/minute burst 5 per source`; count 1 to FW_RATE_MAX, burst 1
 * to FW_BURST_MAX or left out. Any number of blanks round the words.
 */
enum fw_net_fault fw_rate_parse(struct fw_slice text, struct fw_rate *out_rate);
/** In full, the default burst too, as fw_rate_parse reads it; "no limit" for a count of 0. */
void fw_rate_format(const struct fw_rate *rate, struct fw_buf *out);

#endif
