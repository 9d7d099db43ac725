// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Rules of an nft rule file. Where nft can write one thing in several ways, the one that it lists
 * back is written, so that a listing of the kernel can be held against the file.
 */

#include <assert.h>
#include <netinet/in.h>

#include "emit/common.h"
#include "emit/nftables.h"

enum {
	COMMENT_MAX = 128, /* bytes; NFTNL_UDATA_COMMENT_MAXLEN */
	PREFIX_MAX = 127,  /* bytes; NF_LOG_PREFIXLEN with its NUL */
	MINUTE = 60,
	HOUR = 60 * MINUTE,
	DAY = 24 * HOUR,
};

/* ---- words ---- */

static const char *const ip_names[FW_FAMILY_COUNT] = {
	[FW_IPV4] = "ip",
	[FW_IPV6] = "ip6",
};

static const char *const nfproto_names[FW_FAMILY_COUNT] = {
	[FW_IPV4] = "ipv4",
	[FW_IPV6] = "ipv6",
};

static const char *const icmp_words[FW_FAMILY_COUNT] = {
	[FW_IPV4] = "icmp",
	[FW_IPV6] = "icmpv6",
};

/* Words of nft's grammar, so that no /etc/protocols is needed; others go by number. */
static const char *const protocol_names[UINT8_MAX + 1] = {
	[IPPROTO_ICMP] = "icmp",
	[IPPROTO_IGMP] = "igmp",
	[IPPROTO_TCP] = "tcp",
	[IPPROTO_UDP] = "udp",
	[IPPROTO_DCCP] = "dccp",
	[IPPROTO_ESP] = "esp",
	[IPPROTO_AH] = "ah",
	[IPPROTO_ICMPV6] = "icmpv6",
	[IPPROTO_COMP] = "comp",
	[IPPROTO_SCTP] = "sctp",
	[IPPROTO_UDPLITE] = "udplite",
};

static const char *const icmp_types[FW_FAMILY_COUNT][UINT8_MAX + 1] = {
	[FW_IPV4] =
		{
			[0] = "echo-reply",
			[3] = "destination-unreachable",
			[4] = "source-quench",
			[5] = "redirect",
			[8] = "echo-request",
			[9] = "router-advertisement",
			[10] = "router-solicitation",
			[11] = "time-exceeded",
			[12] = "parameter-problem",
			[13] = "timestamp-request",
			[14] = "timestamp-reply",
			[15] = "info-request",
			[16] = "info-reply",
			[17] = "address-mask-request",
			[18] = "address-mask-reply",
		},
	[FW_IPV6] =
		{
			[1] = "destination-unreachable",
			[2] = "packet-too-big",
			[3] = "time-exceeded",
			[4] = "parameter-problem",
			[128] = "echo-request",
			[129] = "echo-reply",
			[130] = "mld-listener-query",
			[131] = "mld-listener-report",
			[132] = "mld-listener-done",
			[133] = "nd-router-solicit",
			[134] = "nd-router-advert",
			[135] = "nd-neighbor-solicit",
			[136] = "nd-neighbor-advert",
			[137] = "nd-redirect",
			[138] = "router-renumbering",
			[141] = "ind-neighbor-solicit",
			[142] = "ind-neighbor-advert",
			[143] = "mld2-listener-report",
		},
};

static void add_name_or_number(struct fw_buf *out, const char *name, unsigned number) {
	if (name != NULL) {
		fw_buf_add_text(out, name);
	} else {
		fw_buf_add_uint(out, number);
	}
}

static void add_protocol(struct fw_buf *out, uint8_t protocol) {
	add_name_or_number(out, protocol_names[protocol], protocol);
}

void fw_nftables_add_rate(struct fw_buf *out, const struct fw_rate *rate) {
	fw_buf_add_text(out, "rate ");
	fw_buf_add_uint(out, rate->count);
	fw_buf_add_char(out, '/');
	fw_buf_add_text(out, fw_unit_names[rate->unit]);
	fw_buf_add_text(out, " burst ");
	fw_buf_add_uint(out, rate->burst);
	fw_buf_add_text(out, " packets");
}

static void add_duration(struct fw_buf *out, uint32_t seconds) {
	static const struct {
		uint32_t seconds;
		char letter;
	} units[] = {{DAY, 'd'}, {HOUR, 'h'}, {MINUTE, 'm'}, {1, 's'}};

	for (size_t i = 0; i < FW_LENGTH(units); i++) {
		if (seconds >= units[i].seconds) {
			fw_buf_add_uint(out, seconds / units[i].seconds);
			fw_buf_add_char(out, units[i].letter);
			seconds %= units[i].seconds;
		}
	}
}

/* ---- matches ---- */

/* Adds one of the names, ports or types of a match. */
typedef void item_writer(struct fw_buf *out, const struct fw_nft_match *match, size_t at);

static void add_name(struct fw_buf *out, const struct fw_nft_match *match, size_t at) {
	fw_buf_add_quoted(out, match->names[at], COMMENT_MAX);
}

static void add_ports(struct fw_buf *out, const struct fw_nft_match *match, size_t at) {
	fw_ports_format(match->ports[at], out);
}

static void add_type(struct fw_buf *out, const struct fw_nft_match *match, size_t at) {
	uint8_t type = match->types[at].type;
	add_name_or_number(out, icmp_types[match->family][type], type);
}

/* A single item stands without braces: nft lists it so. */
static void add_list(struct fw_buf *out, const struct fw_nft_match *match, item_writer *add) {
	fw_buf_add_text(out, match->count > 1 ? "{ " : "");
	for (size_t i = 0; i < match->count; i++) {
		fw_buf_add_text(out, i != 0 ? ", " : "");
		add(out, match, i);
	}
	fw_buf_add_text(out, match->count > 1 ? " }" : "");
}

static void add_set_name(struct fw_buf *out, const struct fw_nft_set *set) {
	fw_buf_add_char(out, '@');
	fw_buf_add_text(out, set->name);
}

static void add_address(struct fw_buf *out, const struct fw_nft_match *match, const char *field) {
	fw_buf_add_text(out, ip_names[match->family]);
	fw_buf_add_text(out, field);
	fw_buf_add_text(out, match->negated ? " != " : " ");
	if (match->set != NULL) {
		add_set_name(out, match->set);
	} else {
		fw_range_format(&match->range, out);
	}
}

static void add_address_port(
	struct fw_buf *out, const struct fw_nft_match *match, const char *field) {
	fw_buf_add_text(out, ip_names[match->family]);
	fw_buf_add_text(out, field);
	fw_buf_add_text(out, " . ");
	add_protocol(out, match->protocol);
	fw_buf_add_text(out, " dport ");
	add_set_name(out, match->set);
}

static void add_port(struct fw_buf *out, const struct fw_nft_match *match, const char *field) {
	add_protocol(out, match->protocol);
	fw_buf_add_text(out, field);
	add_list(out, match, add_ports);
}

static void add_icmp(struct fw_buf *out, const struct fw_nft_match *match) {
	fw_buf_add_text(out, icmp_words[match->family]);
	fw_buf_add_text(out, " type ");
	add_list(out, match, add_type);
}

static void add_icmp_code(struct fw_buf *out, const struct fw_nft_match *match) {
	add_icmp(out, match);
	fw_buf_add_char(out, ' ');
	fw_buf_add_text(out, icmp_words[match->family]);
	fw_buf_add_text(out, " code ");
	fw_buf_add_uint(out, (uint64_t)match->types[0].code);
}

static void add_match(struct fw_buf *out, const struct fw_nft_match *match) {
	switch (match->kind) {
	case FW_NFT_MATCH_NONE:
		assert(!"a match without a kind");
		break;
	case FW_NFT_IIFNAME:
		fw_buf_add_text(out, "iifname ");
		add_list(out, match, add_name);
		break;
	case FW_NFT_OIFNAME:
		fw_buf_add_text(out, "oifname ");
		add_list(out, match, add_name);
		break;
	case FW_NFT_NFPROTO:
		fw_buf_add_text(out, "meta nfproto ");
		fw_buf_add_text(out, nfproto_names[match->family]);
		break;
	case FW_NFT_PROTOCOL:
		fw_buf_add_text(out, match->family == FW_IPV4 ? "ip protocol " : "meta l4proto ");
		add_protocol(out, match->protocol);
		break;
	case FW_NFT_SADDR:
		add_address(out, match, " saddr");
		break;
	case FW_NFT_DADDR:
		add_address(out, match, " daddr");
		break;
	case FW_NFT_SADDR_PORT:
		add_address_port(out, match, " saddr");
		break;
	case FW_NFT_DADDR_PORT:
		add_address_port(out, match, " daddr");
		break;
	case FW_NFT_SPORT:
		add_port(out, match, " sport ");
		break;
	case FW_NFT_DPORT:
		add_port(out, match, " dport ");
		break;
	case FW_NFT_ICMP:
		add_icmp(out, match);
		break;
	case FW_NFT_ICMP_CODE:
		add_icmp_code(out, match);
		break;
	case FW_NFT_HOP_LIMIT:
		fw_buf_add_text(out, "ip6 hoplimit ");
		fw_buf_add_uint(out, match->hop_limit);
		break;
	case FW_NFT_CT_REPLY:
		fw_buf_add_text(out, "ct state established,related");
		break;
	case FW_NFT_CT_INVALID:
		fw_buf_add_text(out, "ct state invalid");
		break;
	case FW_NFT_CT_DNAT:
		fw_buf_add_text(out, "ct status dnat ct original ");
		fw_buf_add_text(out, match->family == FW_IPV4 ? "ip daddr " : "ip6 daddr ");
		fw_range_format(&match->range, out);
		break;
	}
}

/* ---- statements ---- */

static void add_named(struct fw_buf *out, const char *what, const char *name) {
	fw_buf_add_text(out, what);
	fw_buf_add_quoted(out, name, COMMENT_MAX);
}

static void add_meter(struct fw_buf *out, const struct fw_nft_statement *statement) {
	const struct fw_nft_set *set = statement->set;

	fw_buf_add_text(out, "meter ");
	fw_buf_add_text(out, set->name);
	fw_buf_add_text(out, " size ");
	fw_buf_add_uint(out, set->size);
	fw_buf_add_text(out, " { ");
	fw_buf_add_text(out, ip_names[statement->family]);
	fw_buf_add_text(out, " saddr timeout ");
	add_duration(out, set->timeout);
	fw_buf_add_text(out, " limit ");
	fw_nftables_add_rate(out, &statement->rate);
	fw_buf_add_text(out, " }");
}

static void add_dnat(struct fw_buf *out, const struct fw_nft_statement *statement) {
	fw_buf_add_text(out, "dnat to ");
	add_protocol(out, statement->protocol);
	fw_buf_add_text(out, " dport map ");
	add_set_name(out, statement->set);
	fw_buf_add_char(out, ':');
	fw_buf_add_uint(out, statement->port);
}

static void add_statement(struct fw_buf *out, const struct fw_nft_statement *statement) {
	switch (statement->kind) {
	case FW_NFT_STATEMENT_NONE:
		assert(!"a statement without a kind");
		break;
	case FW_NFT_LIMIT:
		fw_buf_add_text(out, "limit ");
		fw_nftables_add_rate(out, &statement->rate);
		break;
	case FW_NFT_LIMIT_NAMED:
		add_named(out, "limit name ", statement->text);
		break;
	case FW_NFT_LIMIT_SOURCE:
		add_meter(out, statement);
		break;
	case FW_NFT_COUNTER:
		add_named(out, "counter name ", statement->text);
		break;
	case FW_NFT_LOG:
		fw_buf_add_text(out, "log prefix ");
		fw_buf_add_quoted(out, statement->text, PREFIX_MAX);
		break;
	case FW_NFT_JUMP:
		fw_buf_add_text(out, "jump ");
		fw_buf_add_text(out, statement->text);
		break;
	case FW_NFT_ACCEPT:
		fw_buf_add_text(out, "accept");
		break;
	case FW_NFT_DROP:
		fw_buf_add_text(out, "drop");
		break;
	case FW_NFT_REJECT_TCP:
		fw_buf_add_text(out, "reject with tcp reset");
		break;
	case FW_NFT_REJECT:
		fw_buf_add_text(out, "reject with icmpx type admin-prohibited");
		break;
	case FW_NFT_DNAT:
		add_dnat(out, statement);
		break;
	case FW_NFT_SNAT:
		fw_buf_add_text(out, "snat to ");
		fw_addr_format(statement->family, statement->address, out);
		break;
	case FW_NFT_MASQUERADE:
		fw_buf_add_text(out, "masquerade");
		break;
	}
}

void fw_nftables_add_rule(struct fw_buf *out, const struct fw_nft_rule *rule) {
	fw_buf_add_char(out, '\t');
	for (size_t i = 0; i < rule->match_count; i++) {
		fw_buf_add_char(out, i == 0 ? '\t' : ' ');
		add_match(out, &rule->matches[i]);
	}
	for (size_t i = 0; i < rule->statement_count; i++) {
		fw_buf_add_char(out, i == 0 && rule->match_count == 0 ? '\t' : ' ');
		add_statement(out, &rule->statements[i]);
	}
	if (rule->comment != NULL) {
		fw_buf_add_text(out, " comment ");
		fw_buf_add_quoted(out, rule->comment, COMMENT_MAX);
	}
	fw_buf_add_char(out, '\n');
}
