// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is loaded into registers: the fields of headers, interfaces, families, protocols and states.
 */

#include "readback/nftables_rule.h"

#include <arpa/inet.h>
#include <string.h>

#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/netfilter/nf_tables.h>

/* ---- choices ---- */

static void set_choice(struct fw_choices *choices, struct fw_choice *items, uint16_t value,
	const void *bytes, size_t length) {
	struct fw_choice *choice = &items[choices->count++];

	choice->value = value;
	if (length != 0) {
		memcpy(choice->bytes, bytes, length);
	}
}

static void set_number(struct fw_choices *choices, struct fw_choice *items, uint16_t value,
	uint32_t number, size_t length) {
	uint8_t small = (uint8_t)number;

	set_choice(choices, items, value,
		length == 1 ? (const void *)&small : (const void *)&number, length);
}

enum { NO_INDEX = 0 };

static uint32_t index_of(const struct fw_lowering *lowering, const char *name) {
	for (size_t i = 0; i < lowering->index_count; i++) {
		if (strcmp(lowering->indices[i].name, name) == 0) {
			return lowering->indices[i].index;
		}
	}
	return NO_INDEX;
}

/* Which number an interface gets that is not there now, nobody knows. */
static void set_interface(const struct fw_lowering *lowering, struct fw_choices *choices,
	struct fw_choice *items, uint16_t value, const char *name, size_t length) {
	size_t known = strnlen(name, length);
	struct fw_choice *choice = &items[choices->count];

	if (length == sizeof(uint32_t)) {
		uint32_t index = index_of(lowering, name);
		set_number(choices, items, value, index, length);
		choice->other = index == NO_INDEX;
	} else if (known > 1 && name[known - 1] == '*') {
		set_choice(choices, items, value, name, known - 1);
		choice->open = (unsigned)known - 1;
	} else {
		set_choice(choices, items, value, name, known);
	}
}

static void set_interfaces(const struct fw_lowering *lowering, struct fw_choices *choices,
	struct fw_choice *items, size_t length) {
	const struct fw_rb_interfaces *interfaces = lowering->interfaces;

	choices->size = (unsigned)length;
	choices->vague = length == sizeof(uint32_t) ? "the number of an interface that is not there"
						    : "names of interfaces by their beginning";
	set_choice(choices, items, 0, NULL, 0);
	set_interface(lowering, choices, items, 1, "lo", length);
	for (size_t i = 0; i < interfaces->count; i++) {
		set_interface(
			lowering, choices, items, (uint16_t)(i + 2), interfaces->names[i], length);
	}
	set_choice(choices, items, (uint16_t)(interfaces->count + 2), NULL, 0);
	items[choices->count - 1].other = true;
}

static void set_states(struct fw_choices *choices, struct fw_choice *items) {
	/* As ct state has them, NF_CT_STATE_BIT() and its like. */
	static const uint32_t bits[FW_TRACKING_COUNT] = {
		[FW_TRACKING_INVALID] = 1,
		[FW_TRACKING_ESTABLISHED] = 2,
		[FW_TRACKING_RELATED] = 4,
		[FW_TRACKING_NEW] = 8,
		[FW_TRACKING_UNTRACKED] = 64,
	};

	for (uint16_t state = FW_TRACKING_NEW; state < FW_TRACKING_COUNT; state++) {
		set_number(choices, items, state, bits[state], sizeof(bits[state]));
	}
}

static void set_families(struct fw_choices *choices, struct fw_choice *items, size_t length) {
	uint16_t types[FW_FAMILY_COUNT] = {0, htons(ETH_P_IP), htons(ETH_P_IPV6)};
	uint8_t numbers[FW_FAMILY_COUNT] = {0, NFPROTO_IPV4, NFPROTO_IPV6};

	for (uint16_t family = FW_IPV4; family < FW_FAMILY_COUNT; family++) {
		const void *bytes =
			length == 1 ? (const void *)&numbers[family] : (const void *)&types[family];
		set_choice(choices, items, family, bytes, length);
	}
}

static void set_status(struct fw_choices *choices, struct fw_choice *items) {
	uint32_t known = IPS_DST_NAT;

	set_number(choices, items, 0, 0, sizeof(known));
	set_number(choices, items, 1, known, sizeof(known));
	memcpy(choices->known, &known, sizeof(known));
}

/* What a variable looks like where it takes so many bytes. */
static struct fw_part choose(struct fw_running *run, enum fw_var var, unsigned length) {
	struct fw_lowering *lowering = run->lowering;
	const struct fw_choices **slot = &lowering->choices[var][length];

	if (*slot != NULL) {
		return fw_part_choices(*slot, length);
	}
	struct fw_choices *choices = FW_ARENA_NEW(lowering->arena, struct fw_choices);
	struct fw_choice *items = FW_ARENA_ARRAY(
		lowering->arena, struct fw_choice, lowering->interfaces->count + UINT8_MAX + 1);
	*choices = (struct fw_choices){.var = var, .plain = true, .items = items};
	memset(choices->known, 0xff, sizeof(choices->known));
	switch (var) {
	case FW_VAR_IN:
	case FW_VAR_OUT:
		set_interfaces(lowering, choices, items, length);
		break;
	case FW_VAR_FAMILY:
		set_families(choices, items, length);
		break;
	case FW_VAR_TRACKING:
		set_states(choices, items);
		break;
	case FW_VAR_TRANSLATED:
		set_status(choices, items);
		break;
	case FW_VAR_PROTOCOL:
	case FW_VAR_SOURCE_PORT:
	case FW_VAR_PORT:
	case FW_VAR_FLAGS:
	case FW_VAR_HOP_LIMIT:
		choices->numbers = true;
		for (uint16_t i = 0; i <= UINT8_MAX; i++) {
			set_number(choices, items, i, i, 1);
		}
		break;
	case FW_VAR_NONE:
	case FW_VAR_HOOK:
	case FW_VAR_SOURCE:
	case FW_VAR_DESTINATION:
		break;
	}
	*slot = choices;
	return fw_part_choices(choices, length);
}

/* ---- loading ---- */

void fw_rule_load(struct fw_running *run, const struct nlattr *reg, struct fw_part part) {
	fw_registers_load(&run->registers, fw_register_at(fw_attr_u32(reg)), &part, 1);
}

/* What gets a mark on its way out is routed once more, but judged by where it would have left. */
static void note_rerouted(struct fw_running *run) {
	FW_VEC_ADD(&run->lowering->bypasses,
		(struct fw_rb_bypass){FW_RB_OUTPUT, fw_rule_settle(run).most,
			"a mark by which packets leave otherwise than they are judged", run->place,
			true});
}

void fw_run_meta(struct fw_running *run, const struct fw_attrs *attrs) {
	const struct nlattr *to = attrs->at[NFTA_META_DREG];
	uint32_t key = fw_attr_u32(attrs->at[NFTA_META_KEY]);

	if (to == NULL) {
		if (key == NFT_META_MARK && run->chain->reroutes) {
			note_rerouted(run);
		}
		/* Marks and their like matter where something asks for them. */
		if (key != NFT_META_MARK && key != NFT_META_PRIORITY && key != NFT_META_NFTRACE &&
			key != NFT_META_SECMARK) {
			fw_rule_mystify(run, "a change of the packet");
		}
		return;
	}
	if (key == NFT_META_NFPROTO && run->chain->table->family == NFPROTO_NETDEV) {
		key = NFT_META_PRIORITY; /* there it is the device's, and tells nothing */
	}
	switch (key) {
	case NFT_META_PKTTYPE:
		fw_rule_load(run, to, fw_class_link_type(run));
		break;
	case NFT_META_IIFNAME:
		fw_rule_load(run, to, choose(run, FW_VAR_IN, 16));
		break;
	case NFT_META_OIFNAME:
		fw_rule_load(run, to, choose(run, FW_VAR_OUT, 16));
		break;
	case NFT_META_IIF:
		fw_rule_load(run, to, choose(run, FW_VAR_IN, 4));
		break;
	case NFT_META_OIF:
		fw_rule_load(run, to, choose(run, FW_VAR_OUT, 4));
		break;
	case NFT_META_NFPROTO:
		fw_rule_load(run, to, choose(run, FW_VAR_FAMILY, 1));
		break;
	case NFT_META_PROTOCOL:
		fw_rule_load(run, to, choose(run, FW_VAR_FAMILY, 2));
		break;
	case NFT_META_L4PROTO:
		fw_rule_load(run, to, choose(run, FW_VAR_PROTOCOL, 1));
		break;
	default: {
		static const char *const names[] = {
			[NFT_META_LEN] = "length",
			[NFT_META_PRIORITY] = "priority",
			[NFT_META_MARK] = "mark",
			[NFT_META_SKUID] = "skuid",
			[NFT_META_SKGID] = "skgid",
			[NFT_META_RTCLASSID] = "rtclassid",
			[NFT_META_CPU] = "cpu",
			[NFT_META_IIFGROUP] = "iifgroup",
			[NFT_META_OIFGROUP] = "oifgroup",
			[NFT_META_CGROUP] = "cgroup",
			[NFT_META_PRANDOM] = "random",
			[NFT_META_SECPATH] = "ipsec",
			[NFT_META_TIME_NS] = "time",
			[NFT_META_TIME_DAY] = "day",
			[NFT_META_TIME_HOUR] = "hour",
		};
		const char *name = key < FW_LENGTH(names) ? names[key] : NULL;
		fw_rule_load(run, to,
			fw_part_unknown(fw_rule_say(run, "the match 'meta @'",
						name != NULL ? name : "(another key)"),
				FW_RULE_ANYTHING));
		break;
	}
	}
}

void fw_run_ct(struct fw_running *run, const struct fw_attrs *attrs) {
	const struct nlattr *to = attrs->at[NFTA_CT_DREG];
	const struct nlattr *direction = attrs->at[NFTA_CT_DIRECTION];
	uint32_t key = fw_attr_u32(attrs->at[NFTA_CT_KEY]);
	bool first = direction != NULL && fw_attr_u8(direction) == IP_CT_DIR_ORIGINAL;

	if (to == NULL) {
		if (key != NFT_CT_MARK && key != NFT_CT_SECMARK && key != NFT_CT_LABELS &&
			key != NFT_CT_EVENTMASK) {
			fw_rule_mystify(run, key == NFT_CT_ZONE ? "a zone of connection tracking"
								: "a change of the connection");
		}
		return;
	}
	if (key != NFT_CT_STATE) {
		/* Without a connection the rule ends here. */
		fw_rule_require(
			run, fw_truth_is(fw_space_interval(fw_rule_spaces(run), FW_VAR_TRACKING,
				     fw_value(FW_TRACKING_NEW), fw_value(FW_TRACKING_RELATED))));
	}
	if (key == NFT_CT_DST && run->chain->table->family == NFPROTO_IPV4) {
		key = NFT_CT_DST_IP;
	} else if (key == NFT_CT_DST && run->chain->table->family == NFPROTO_IPV6) {
		key = NFT_CT_DST_IP6;
	}
	if (key == NFT_CT_STATE) {
		fw_rule_load(run, to, choose(run, FW_VAR_TRACKING, 4));
	} else if (key == NFT_CT_DIRECTION) {
		fw_rule_load(run, to, fw_class_direction(run));
	} else if (key == NFT_CT_STATUS) {
		fw_rule_load(run, to, choose(run, FW_VAR_TRANSLATED, 4));
	} else if (first && (key == NFT_CT_DST_IP || key == NFT_CT_DST_IP6)) {
		bool ipv4 = key == NFT_CT_DST_IP;
		unsigned size = ipv4 ? 4 : 16;
		struct fw_part part = fw_part_field(FW_VAR_DESTINATION, size, 0, size);
		part.origin = true;
		run->origin_family = ipv4 ? FW_IPV4 : FW_IPV6;
		fw_rule_require(
			run, fw_truth_is(fw_rule_is(run, FW_VAR_FAMILY, run->origin_family)));
		fw_rule_load(run, to, part);
	} else {
		static const char *const names[] = {
			[NFT_CT_MARK] = "mark",
			[NFT_CT_SECMARK] = "secmark",
			[NFT_CT_EXPIRATION] = "expiration",
			[NFT_CT_HELPER] = "helper",
			[NFT_CT_LABELS] = "label",
			[NFT_CT_PKTS] = "packets",
			[NFT_CT_BYTES] = "bytes",
			[NFT_CT_ZONE] = "zone",
		};
		const char *name = key < FW_LENGTH(names) ? names[key] : NULL;
		fw_rule_load(run, to,
			fw_part_unknown(fw_rule_say(run, "the match 'ct @'",
						name != NULL ? name : "(another key)"),
				FW_RULE_ANYTHING));
	}
}

/* Addresses by what they are to the machine; what is asked of routes is not known. */
void fw_run_fib(struct fw_running *run, const struct fw_attrs *attrs) {
	uint32_t flags = fw_attr_u32(attrs->at[NFTA_FIB_FLAGS]);
	uint32_t address = flags & (NFTA_FIB_F_SADDR | NFTA_FIB_F_DADDR);
	bool by_device = (flags & (NFTA_FIB_F_IIF | NFTA_FIB_F_OIF)) != 0;
	uint32_t understood = address | NFTA_FIB_F_IIF | NFTA_FIB_F_OIF | NFTA_FIB_F_MARK;

	if (fw_attr_u32(attrs->at[NFTA_FIB_RESULT]) == NFT_FIB_RESULT_ADDRTYPE &&
		(flags & ~understood) == 0 &&
		(address == NFTA_FIB_F_SADDR || address == NFTA_FIB_F_DADDR)) {
		fw_rule_load(run, attrs->at[NFTA_FIB_DREG],
			fw_class_address_type(run,
				address == NFTA_FIB_F_SADDR ? FW_VAR_SOURCE : FW_VAR_DESTINATION,
				by_device));
	} else {
		fw_rule_load(run, attrs->at[NFTA_FIB_DREG],
			fw_part_unknown("the match 'fib'", FW_RULE_ANYTHING));
	}
}

/* What a field of a header is like. */
enum field_kind { BY_INTERVAL, BY_CHOICES /* one of 256 */, NEXT_HEADER };

/* A field of a header that packets are told apart by. */
struct field {
	unsigned at, size;
	enum fw_var var;
	enum field_kind kind;
};

static const struct field ipv4_fields[] = {
	{9, 1, FW_VAR_PROTOCOL, BY_CHOICES},
	{12, 4, FW_VAR_SOURCE, BY_INTERVAL},
	{16, 4, FW_VAR_DESTINATION, BY_INTERVAL},
	{0},
};
static const struct field ipv6_fields[] = {
	{6, 1, FW_VAR_PROTOCOL, NEXT_HEADER},
	{7, 1, FW_VAR_HOP_LIMIT, BY_CHOICES},
	{8, 16, FW_VAR_SOURCE, BY_INTERVAL},
	{24, 16, FW_VAR_DESTINATION, BY_INTERVAL},
	{0},
};
static const struct field tcp_fields[] = {
	{0, 2, FW_VAR_SOURCE_PORT, BY_INTERVAL},
	{2, 2, FW_VAR_PORT, BY_INTERVAL},
	{13, 1, FW_VAR_FLAGS, BY_CHOICES},
	{0},
};
static const struct field port_fields[] = {
	{0, 2, FW_VAR_SOURCE_PORT, BY_INTERVAL},
	{2, 2, FW_VAR_PORT, BY_INTERVAL},
	{0},
};
static const struct field icmp_fields[] = {
	{0, 1, FW_VAR_SOURCE_PORT, BY_CHOICES},
	{1, 1, FW_VAR_PORT, BY_CHOICES},
	{0},
};
static const struct field no_fields[] = {{0}};

static const struct field *fields_of(const struct fw_running *run, uint32_t base) {
	if (base == NFT_PAYLOAD_NETWORK_HEADER) {
		return run->family == FW_IPV4 ? ipv4_fields : ipv6_fields;
	}
	if (base != NFT_PAYLOAD_TRANSPORT_HEADER) {
		return no_fields;
	}
	switch (run->layout) {
	case FW_LAYOUT_TCP:
		return tcp_fields;
	case FW_LAYOUT_PORTS:
		return port_fields;
	case FW_LAYOUT_ICMP:
		return icmp_fields;
	case FW_LAYOUT_ANY:
	case FW_LAYOUT_OTHER:
		break;
	}
	return no_fields;
}

/* The bytes of a header from `at` on, at most `length`, that are one part. */
static struct fw_part part_at(
	struct fw_running *run, const struct field *fields, unsigned at, unsigned length) {
	for (; fields->size != 0; fields++) {
		if (at < fields->at || at >= fields->at + fields->size) {
			continue;
		}
		unsigned from = at - fields->at;
		unsigned some = fields->size - from < length ? fields->size - from : length;
		switch (fields->kind) {
		case BY_CHOICES:
			return choose(run, fields->var, 1);
		case NEXT_HEADER:
			return fw_class_next_header(run);
		case BY_INTERVAL:
			return fw_part_field(fields->var, fields->size, from, some);
		}
	}
	return fw_part_unknown("a field of a header", 1);
}

void fw_run_payload(struct fw_running *run, const struct fw_attrs *attrs) {
	uint32_t base = fw_attr_u32(attrs->at[NFTA_PAYLOAD_BASE]);
	uint32_t offset = fw_attr_u32(attrs->at[NFTA_PAYLOAD_OFFSET]);
	uint32_t length = fw_attr_u32(attrs->at[NFTA_PAYLOAD_LEN]);
	const struct field *fields = fields_of(run, base);
	struct fw_part parts[FW_REGISTER_BYTES];
	size_t count = 0;

	if (attrs->at[NFTA_PAYLOAD_DREG] == NULL) {
		fw_rule_mystify(run, "a change of the packet");
		return;
	}
	for (unsigned at = 0; at < length && count < FW_LENGTH(parts);) {
		parts[count] = part_at(run, fields, offset + at, length - at);
		at += parts[count++].length;
	}
	fw_registers_load(&run->registers,
		fw_register_at(fw_attr_u32(attrs->at[NFTA_PAYLOAD_DREG])), parts, count);
}
