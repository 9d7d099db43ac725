// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Rules as expressions (libnftnl), as nft compiles their text. A match on a header needs to know
 * that the header is there, so matches on family and protocol go before it unless an earlier match
 * of the rule has asked already, or the table is of that family alone. Where nft joins two
 * neighbouring header fields into one load, or cuts a load to the bytes of a prefix, this doesn't:
 * the kernel needs nothing else for it, and versions of nft differ there as well.
 */

#include <assert.h>
#include <netinet/in.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/netfilter/nf_tables.h>

#include "kernel/transaction.h"

enum { MILLISECONDS = 1000 };

/** A rule being built. */
struct build {
	struct fw_transaction *transaction;
	struct nftnl_rule *rule;
	size_t count, keep; /* expressions so far; how many of them go into the rule */
	const char *last;   /* name of the last one that went in */
	/** What matches so far have made sure of. */
	enum fw_family family;
	uint8_t protocol;
};

/* ---- expressions ---- */

static struct nftnl_expr *make(const char *name) {
	struct nftnl_expr *expression = nftnl_expr_alloc(name);

	assert(expression != NULL);
	return expression;
}

static void add(struct build *build, struct nftnl_expr *expression) {
	if (build->count++ >= build->keep) {
		nftnl_expr_free(expression);
		return;
	}
	build->last = nftnl_expr_get_str(expression, NFTNL_EXPR_NAME);
	nftnl_rule_add_expr(build->rule, expression);
}

static void load_meta(struct build *build, uint32_t key) {
	struct nftnl_expr *meta = make("meta");

	nftnl_expr_set_u32(meta, NFTNL_EXPR_META_KEY, key);
	nftnl_expr_set_u32(meta, NFTNL_EXPR_META_DREG, NFT_REG_1);
	add(build, meta);
}

static void load_field(
	struct build *build, uint32_t base, uint32_t offset, uint32_t length, uint32_t reg) {
	struct nftnl_expr *payload = make("payload");

	nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_DREG, reg);
	nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_BASE, base);
	nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_LEN, length);
	add(build, payload);
}

static void compare(struct build *build, uint32_t operation, const void *value, uint32_t length) {
	struct nftnl_expr *cmp = make("cmp");

	nftnl_expr_set_u32(cmp, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
	nftnl_expr_set_u32(cmp, NFTNL_EXPR_CMP_OP, operation);
	nftnl_expr_set(cmp, NFTNL_EXPR_CMP_DATA, value, length);
	add(build, cmp);
}

static void compare_byte(struct build *build, uint8_t value) {
	compare(build, NFT_CMP_EQ, &value, sizeof(value));
}

static void mask(struct build *build, const void *bits, uint32_t length) {
	static const uint8_t none[16];
	struct nftnl_expr *bitwise = make("bitwise");

	nftnl_expr_set_u32(bitwise, NFTNL_EXPR_BITWISE_SREG, NFT_REG_1);
	nftnl_expr_set_u32(bitwise, NFTNL_EXPR_BITWISE_DREG, NFT_REG_1);
	nftnl_expr_set_u32(bitwise, NFTNL_EXPR_BITWISE_LEN, length);
	nftnl_expr_set(bitwise, NFTNL_EXPR_BITWISE_MASK, bits, length);
	nftnl_expr_set(bitwise, NFTNL_EXPR_BITWISE_XOR, none, length);
	add(build, bitwise);
}

static void compare_outside(
	struct build *build, const void *first, const void *last, uint32_t length) {
	struct nftnl_expr *range = make("range");

	nftnl_expr_set_u32(range, NFTNL_EXPR_RANGE_SREG, NFT_REG_1);
	nftnl_expr_set_u32(range, NFTNL_EXPR_RANGE_OP, NFT_RANGE_NEQ);
	nftnl_expr_set(range, NFTNL_EXPR_RANGE_FROM_DATA, first, length);
	nftnl_expr_set(range, NFTNL_EXPR_RANGE_TO_DATA, last, length);
	add(build, range);
}

static struct nftnl_expr *make_lookup(const char *set) {
	struct nftnl_expr *lookup = make("lookup");

	nftnl_expr_set_u32(lookup, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
	nftnl_expr_set_str(lookup, NFTNL_EXPR_LOOKUP_SET, set);
	return lookup;
}

static void look_up(struct build *build, const char *set, bool negated) {
	struct nftnl_expr *lookup = make_lookup(set);

	if (negated) {
		nftnl_expr_set_u32(lookup, NFTNL_EXPR_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
	}
	add(build, lookup);
}

/* The value that the map has under the key in register 1 comes to stand there instead. A key that
 * the map does not have ends the rule. */
static void look_up_value(struct build *build, const char *map) {
	struct nftnl_expr *lookup = make_lookup(map);

	nftnl_expr_set_u32(lookup, NFTNL_EXPR_LOOKUP_DREG, NFT_REG_1);
	add(build, lookup);
}

static void load_value(struct build *build, const void *value, uint32_t length, uint32_t reg) {
	struct nftnl_expr *immediate = make("immediate");

	nftnl_expr_set_u32(immediate, NFTNL_EXPR_IMM_DREG, reg);
	nftnl_expr_set(immediate, NFTNL_EXPR_IMM_DATA, value, length);
	add(build, immediate);
}

static void look_up_nameless(struct build *build, uint32_t id) {
	struct nftnl_expr *lookup = make_lookup(FW_SET_NAMELESS);

	nftnl_expr_set_u32(lookup, NFTNL_EXPR_LOOKUP_SET_ID, id);
	add(build, lookup);
}

/* ---- what later matches depend on ---- */

static void ask_family(struct build *build, enum fw_family family) {
	load_meta(build, NFT_META_NFPROTO);
	compare_byte(build, family == FW_IPV4 ? NFPROTO_IPV4 : NFPROTO_IPV6);
	build->family = family;
}

static void need_family(struct build *build, enum fw_family family) {
	if (build->family != family) {
		ask_family(build, family);
	}
}

static void need_protocol(struct build *build, uint8_t protocol) {
	if (build->protocol != protocol) {
		load_meta(build, NFT_META_L4PROTO);
		compare_byte(build, protocol);
		build->protocol = protocol;
	}
}

/* ---- matches ---- */

enum { IPV4_PROTOCOL = 9, IPV4_SOURCE = 12, IPV4_DESTINATION = 16 };
enum { IPV6_HOP_LIMIT = 7, IPV6_SOURCE = 8, IPV6_DESTINATION = 24 };
enum { PORT_SOURCE = 0, PORT_DESTINATION = 2 };

static void load_address(struct build *build, enum fw_family family, bool source) {
	need_family(build, family);
	if (family == FW_IPV4) {
		load_field(build, NFT_PAYLOAD_NETWORK_HEADER,
			source ? IPV4_SOURCE : IPV4_DESTINATION, 4, NFT_REG_1);
	} else {
		load_field(build, NFT_PAYLOAD_NETWORK_HEADER,
			source ? IPV6_SOURCE : IPV6_DESTINATION, 16, NFT_REG_1);
	}
}

static void match_names(struct build *build, uint32_t key, const struct fw_nft_match *match) {
	char name[FW_IFNAME_SIZE] = {0};

	load_meta(build, key);
	if (match->count == 1) {
		strncpy(name, match->names[0], sizeof(name) - 1);
		compare(build, NFT_CMP_EQ, name, sizeof(name));
	} else {
		look_up_nameless(build,
			fw_transaction_names(build->transaction, match->names, match->count));
	}
}

static void match_protocol(struct build *build, const struct fw_nft_match *match) {
	if (match->family == FW_IPV4) {
		need_family(build, FW_IPV4);
		load_field(build, NFT_PAYLOAD_NETWORK_HEADER, IPV4_PROTOCOL, 1, NFT_REG_1);
	} else {
		load_meta(build, NFT_META_L4PROTO);
	}
	compare_byte(build, match->protocol);
	build->protocol = match->protocol;
}

static void match_prefix(struct build *build, const struct fw_range *range, bool negated) {
	int prefix = fw_range_prefix_length(range);
	uint8_t value[16], bits[16] = {0};
	uint32_t length = (uint32_t)fw_addr_bytes(range->family, range->first, value);

	if (!fw_range_is_single(range)) {
		for (int i = 0; i < prefix; i++) {
			bits[i / 8] |= (uint8_t)(0x80 >> i % 8);
		}
		mask(build, bits, length);
	}
	compare(build, negated ? NFT_CMP_NEQ : NFT_CMP_EQ, value, length);
}

static void match_range(struct build *build, const struct fw_range *range, bool negated) {
	uint8_t first[16], last[16];
	uint32_t length = (uint32_t)fw_addr_bytes(range->family, range->first, first);

	fw_addr_bytes(range->family, range->last, last);
	if (fw_range_prefix_length(range) >= 0) {
		match_prefix(build, range, negated);
	} else if (negated) {
		compare_outside(build, first, last, length);
	} else {
		compare(build, NFT_CMP_GTE, first, length);
		compare(build, NFT_CMP_LTE, last, length);
	}
}

static void match_address(struct build *build, const struct fw_nft_match *match) {
	load_address(build, match->family, match->kind == FW_NFT_SADDR);
	if (match->set != NULL) {
		look_up(build, match->set->name, match->negated);
	} else {
		match_range(build, &match->range, match->negated);
	}
}

static void match_address_port(struct build *build, const struct fw_nft_match *match) {
	/* Fields of a key lie one behind the other, each from a multiple of four bytes on. */
	uint32_t behind = match->family == FW_IPV4 ? NFT_REG32_01 : NFT_REG_2;

	need_family(build, match->family);
	need_protocol(build, match->protocol);
	load_address(build, match->family, match->kind == FW_NFT_SADDR_PORT);
	load_field(build, NFT_PAYLOAD_TRANSPORT_HEADER, PORT_DESTINATION, sizeof(uint16_t), behind);
	look_up(build, match->set->name, match->negated);
}

static void load_port(struct build *build, uint8_t protocol, uint32_t offset) {
	need_protocol(build, protocol);
	load_field(build, NFT_PAYLOAD_TRANSPORT_HEADER, offset, sizeof(uint16_t), NFT_REG_1);
}

static void match_one_range(struct build *build, struct fw_ports ports) {
	uint16_t low = htons(ports.low), high = htons(ports.high);

	if (low == high) {
		compare(build, NFT_CMP_EQ, &low, sizeof(low));
	} else {
		compare(build, NFT_CMP_GTE, &low, sizeof(low));
		compare(build, NFT_CMP_LTE, &high, sizeof(high));
	}
}

static void match_ports(struct build *build, const struct fw_nft_match *match) {
	load_port(build, match->protocol,
		match->kind == FW_NFT_SPORT ? PORT_SOURCE : PORT_DESTINATION);
	if (match->count == 1) {
		match_one_range(build, match->ports[0]);
	} else {
		look_up_nameless(build,
			fw_transaction_ports(build->transaction, match->ports, match->count));
	}
}

static void need_icmp(struct build *build, enum fw_family family) {
	need_family(build, family);
	need_protocol(build, family == FW_IPV4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
}

static void match_icmp(struct build *build, const struct fw_nft_match *match) {
	need_icmp(build, match->family);
	load_field(build, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1, NFT_REG_1);
	if (match->count == 1) {
		compare_byte(build, match->types[0].type);
	} else {
		look_up_nameless(build, fw_transaction_types(build->transaction, match->family,
						match->types, match->count));
	}
}

static void match_icmp_code(struct build *build, const struct fw_nft_match *match) {
	need_icmp(build, match->family);
	load_field(build, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1, NFT_REG_1);
	compare_byte(build, match->types[0].type);
	load_field(build, NFT_PAYLOAD_TRANSPORT_HEADER, 1, 1, NFT_REG_1);
	compare_byte(build, (uint8_t)match->types[0].code);
}

static void match_hop_limit(struct build *build, const struct fw_nft_match *match) {
	need_family(build, FW_IPV6);
	load_field(build, NFT_PAYLOAD_NETWORK_HEADER, IPV6_HOP_LIMIT, 1, NFT_REG_1);
	compare_byte(build, match->hop_limit);
}

static struct nftnl_expr *make_ct(uint32_t key) {
	struct nftnl_expr *ct = make("ct");

	nftnl_expr_set_u32(ct, NFTNL_EXPR_CT_KEY, key);
	nftnl_expr_set_u32(ct, NFTNL_EXPR_CT_DREG, NFT_REG_1);
	return ct;
}

/* Some of these bits. */
static void match_ct(struct build *build, uint32_t key, uint32_t bits) {
	static const uint32_t none = 0;

	add(build, make_ct(key));
	mask(build, &bits, sizeof(bits));
	compare(build, NFT_CMP_NEQ, &none, sizeof(none));
}

/* One bit among others: a connection that is translated is most often confirmed, too, and so on. */
static void match_dnat(struct build *build, const struct fw_nft_match *match) {
	match_ct(build, NFT_CT_STATUS, IPS_DST_NAT);

	uint8_t address[16];
	uint32_t length = (uint32_t)fw_addr_bytes(match->family, match->range.first, address);
	struct nftnl_expr *destination =
		make_ct(match->family == FW_IPV4 ? NFT_CT_DST_IP : NFT_CT_DST_IP6);
	nftnl_expr_set_u8(destination, NFTNL_EXPR_CT_DIR, IP_CT_DIR_ORIGINAL);
	add(build, destination);
	compare(build, NFT_CMP_EQ, address, length);
}

static void add_match(struct build *build, const struct fw_nft_match *match) {
	switch (match->kind) {
	case FW_NFT_MATCH_NONE:
		break;
	case FW_NFT_IIFNAME:
		match_names(build, NFT_META_IIFNAME, match);
		break;
	case FW_NFT_OIFNAME:
		match_names(build, NFT_META_OIFNAME, match);
		break;
	case FW_NFT_NFPROTO:
		ask_family(build, match->family);
		break;
	case FW_NFT_PROTOCOL:
		match_protocol(build, match);
		break;
	case FW_NFT_SADDR:
	case FW_NFT_DADDR:
		match_address(build, match);
		break;
	case FW_NFT_SADDR_PORT:
	case FW_NFT_DADDR_PORT:
		match_address_port(build, match);
		break;
	case FW_NFT_SPORT:
	case FW_NFT_DPORT:
		match_ports(build, match);
		break;
	case FW_NFT_ICMP:
		match_icmp(build, match);
		break;
	case FW_NFT_ICMP_CODE:
		match_icmp_code(build, match);
		break;
	case FW_NFT_HOP_LIMIT:
		match_hop_limit(build, match);
		break;
	case FW_NFT_CT_REPLY:
		match_ct(build, NFT_CT_STATE,
			NF_CT_STATE_BIT(IP_CT_ESTABLISHED) | NF_CT_STATE_BIT(IP_CT_RELATED));
		break;
	case FW_NFT_CT_INVALID:
		match_ct(build, NFT_CT_STATE, NF_CT_STATE_INVALID_BIT);
		break;
	case FW_NFT_CT_DNAT:
		match_dnat(build, match);
		break;
	}
}

/* ---- statements ---- */

uint64_t fw_unit_seconds(enum fw_unit unit) {
	static const uint64_t seconds[FW_UNIT_COUNT] = {
		[FW_SECOND] = 1,
		[FW_MINUTE] = 60,
		[FW_HOUR] = 60 * 60,
		[FW_DAY] = 24 * 60 * 60,
	};

	return seconds[unit];
}

static struct nftnl_expr *make_limit(const struct fw_rate *rate) {
	struct nftnl_expr *limit = make("limit");

	nftnl_expr_set_u64(limit, NFTNL_EXPR_LIMIT_RATE, rate->count);
	nftnl_expr_set_u64(limit, NFTNL_EXPR_LIMIT_UNIT, fw_unit_seconds(rate->unit));
	nftnl_expr_set_u32(limit, NFTNL_EXPR_LIMIT_BURST, rate->burst);
	nftnl_expr_set_u32(limit, NFTNL_EXPR_LIMIT_TYPE, NFT_LIMIT_PKTS);
	return limit;
}

static void limit_source(struct build *build, const struct fw_nft_statement *statement) {
	struct nftnl_expr *dynset = make("dynset");

	load_address(build, statement->family, true);
	nftnl_expr_set_u32(dynset, NFTNL_EXPR_DYNSET_SREG_KEY, NFT_REG_1);
	nftnl_expr_set_u32(dynset, NFTNL_EXPR_DYNSET_OP, NFT_DYNSET_OP_UPDATE);
	nftnl_expr_set_str(dynset, NFTNL_EXPR_DYNSET_SET_NAME, statement->set->name);
	nftnl_expr_set_u64(dynset, NFTNL_EXPR_DYNSET_TIMEOUT,
		(uint64_t)statement->set->timeout * MILLISECONDS);
	nftnl_expr_add_expr(dynset, NFTNL_EXPR_DYNSET_EXPRESSIONS, make_limit(&statement->rate));
	add(build, dynset);
}

static void refer(struct build *build, uint32_t type, const char *name) {
	struct nftnl_expr *objref = make("objref");

	nftnl_expr_set_u32(objref, NFTNL_EXPR_OBJREF_IMM_TYPE, type);
	nftnl_expr_set_str(objref, NFTNL_EXPR_OBJREF_IMM_NAME, name);
	add(build, objref);
}

static void log_packet(struct build *build, const char *prefix) {
	struct nftnl_expr *log = make("log");

	nftnl_expr_set_str(log, NFTNL_EXPR_LOG_PREFIX, prefix);
	add(build, log);
}

static struct nftnl_expr *make_verdict(int verdict) {
	struct nftnl_expr *immediate = make("immediate");

	nftnl_expr_set_u32(immediate, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	nftnl_expr_set_u32(immediate, NFTNL_EXPR_IMM_VERDICT, (uint32_t)verdict);
	return immediate;
}

static void decide(struct build *build, int verdict) {
	add(build, make_verdict(verdict));
}

static void jump(struct build *build, const char *chain) {
	struct nftnl_expr *immediate = make_verdict(NFT_JUMP);

	nftnl_expr_set_str(immediate, NFTNL_EXPR_IMM_CHAIN, chain);
	add(build, immediate);
}

static void reject(struct build *build, uint32_t type, uint8_t code) {
	struct nftnl_expr *expression = make("reject");

	nftnl_expr_set_u32(expression, NFTNL_EXPR_REJECT_TYPE, type);
	nftnl_expr_set_u8(expression, NFTNL_EXPR_REJECT_CODE, code);
	add(build, expression);
}

/* The new address in register 1; `port`: whether the new port is in register 2. */
static void translate(struct build *build, uint32_t type, enum fw_family family, bool port) {
	struct nftnl_expr *nat = make("nat");

	nftnl_expr_set_u32(nat, NFTNL_EXPR_NAT_TYPE, type);
	nftnl_expr_set_u32(
		nat, NFTNL_EXPR_NAT_FAMILY, family == FW_IPV4 ? NFPROTO_IPV4 : NFPROTO_IPV6);
	nftnl_expr_set_u32(nat, NFTNL_EXPR_NAT_REG_ADDR_MIN, NFT_REG_1);
	if (port) {
		nftnl_expr_set_u32(nat, NFTNL_EXPR_NAT_REG_PROTO_MIN, NFT_REG_2);
	}
	add(build, nat);
}

static void translate_destination(struct build *build, const struct fw_nft_statement *statement) {
	uint16_t port = htons(statement->port);

	load_port(build, statement->protocol, PORT_DESTINATION);
	look_up_value(build, statement->set->name);
	load_value(build, &port, sizeof(port), NFT_REG_2);
	translate(build, NFT_NAT_DNAT, statement->family, true);
}

static void translate_source(struct build *build, const struct fw_nft_statement *statement) {
	uint8_t value[16];
	uint32_t length = (uint32_t)fw_addr_bytes(statement->family, statement->address, value);

	load_value(build, value, length, NFT_REG_1);
	translate(build, NFT_NAT_SNAT, statement->family, false);
}

static void add_statement(struct build *build, const struct fw_nft_statement *statement) {
	switch (statement->kind) {
	case FW_NFT_STATEMENT_NONE:
		break;
	case FW_NFT_LIMIT:
		add(build, make_limit(&statement->rate));
		break;
	case FW_NFT_LIMIT_NAMED:
		refer(build, NFT_OBJECT_LIMIT, statement->text);
		break;
	case FW_NFT_LIMIT_SOURCE:
		limit_source(build, statement);
		break;
	case FW_NFT_COUNTER:
		refer(build, NFT_OBJECT_COUNTER, statement->text);
		break;
	case FW_NFT_LOG:
		log_packet(build, statement->text);
		break;
	case FW_NFT_JUMP:
		jump(build, statement->text);
		break;
	case FW_NFT_ACCEPT:
		decide(build, NF_ACCEPT);
		break;
	case FW_NFT_DROP:
		decide(build, NF_DROP);
		break;
	case FW_NFT_REJECT_TCP:
		need_protocol(build, IPPROTO_TCP);
		reject(build, NFT_REJECT_TCP_RST, 0);
		break;
	case FW_NFT_REJECT:
		reject(build, NFT_REJECT_ICMPX_UNREACH, NFT_REJECT_ICMPX_ADMIN_PROHIBITED);
		break;
	case FW_NFT_DNAT:
		translate_destination(build, statement);
		break;
	case FW_NFT_SNAT:
		translate_source(build, statement);
		break;
	case FW_NFT_MASQUERADE:
		add(build, make("masq"));
		break;
	}
}

/* ---- rules ---- */

static void set_comment(struct nftnl_rule *rule, const char *comment) {
	struct nftnl_udata_buf *data = nftnl_udata_buf_alloc(NFT_USERDATA_MAXLEN);

	assert(data != NULL);
	nftnl_udata_put_strz(data, NFTNL_UDATA_RULE_COMMENT, comment);
	nftnl_rule_set_data(
		rule, NFTNL_RULE_USERDATA, nftnl_udata_buf_data(data), nftnl_udata_buf_len(data));
	nftnl_udata_buf_free(data);
}

static struct nftnl_rule *make_rule(const struct fw_nft_table *table,
	const struct fw_nft_chain *chain, const struct fw_nft_rule *rule) {
	struct nftnl_rule *made = nftnl_rule_alloc();

	assert(made != NULL);
	nftnl_rule_set_str(made, NFTNL_RULE_TABLE, table->name);
	nftnl_rule_set_str(made, NFTNL_RULE_CHAIN, chain->name);
	if (rule->comment != NULL) {
		set_comment(made, rule->comment);
	}
	return made;
}

size_t fw_transaction_rule(struct fw_transaction *transaction, const struct fw_nft_table *table,
	const struct fw_nft_chain *chain, const struct fw_nft_rule *rule, size_t keep,
	const char **out_last) {
	struct build build = {
		.transaction = transaction,
		.rule = make_rule(table, chain, rule),
		.keep = keep,
		.family = table->family,
	};

	transaction->subject = (struct fw_subject){
		.kind = FW_SUBJECT_RULE,
		.span = rule->span,
		.table = table,
		.chain = chain,
		.rule = rule,
	};
	for (size_t i = 0; i < rule->match_count; i++) {
		add_match(&build, &rule->matches[i]);
	}
	for (size_t i = 0; i < rule->statement_count; i++) {
		add_statement(&build, &rule->statements[i]);
	}
	nftnl_rule_nlmsg_build_payload(
		fw_transaction_message(transaction, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND),
		build.rule);
	fw_batch_message_end(&transaction->batch);
	nftnl_rule_free(build.rule);
	*out_last = build.last;
	return build.count;
}
