// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Translation: nat, masquerading and redirection, to what registers hold.
 */

#include "readback/nftables_rule.h"

#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>

enum { PLAIN_FLAGS = NF_NAT_RANGE_MAP_IPS | NF_NAT_RANGE_PROTO_SPECIFIED };

/* ---- translation ---- */

/* The bytes of a register, for each group of a map or for all packets. */
static const uint8_t *bytes_at(const struct fw_running *run, const struct nlattr *reg,
	uint32_t length, const struct fw_lookup_group *group) {
	unsigned at = fw_register_at(fw_attr_u32(reg));
	const struct fw_part *part = fw_registers_find(&run->registers, at);

	if (part == NULL || at - part->at + length > part->length) {
		return NULL;
	}
	if (part->kind == FW_PART_BYTES) {
		return part->bytes + (at - part->at);
	}
	if (part->kind != FW_PART_MAPPED || group == NULL || group->element->data == NULL ||
		at - part->at + length > group->element->data_length) {
		return NULL;
	}
	return group->element->data + (at - part->at);
}

static const struct fw_lookup *map_at(const struct fw_running *run, const struct nlattr *reg) {
	const struct fw_part *part =
		fw_registers_find(&run->registers, fw_register_at(fw_attr_u32(reg)));

	return reg != NULL && part != NULL && part->kind == FW_PART_MAPPED ? part->map : NULL;
}

/* What one of the nat statements says. */
struct nat {
	bool source, to_interface;
	enum fw_family family;
	const struct nlattr *address[2], *port[2]; /* lowest, highest; NULL: none */
	uint32_t flags;
};

static struct fw_addr address_of(const uint8_t *bytes, enum fw_family family) {
	struct fw_addr address = {0, 0};

	for (unsigned i = 0; i < (family == FW_IPV4 ? 4 : 16); i++) {
		address.high = address.high << 8 | address.low >> 56;
		address.low = address.low << 8 | bytes[i];
	}
	return address;
}

/* One value, not a range of them. NULL: neither. */
static const uint8_t *value_of(const struct fw_running *run, const struct nlattr *const bounds[2],
	uint32_t length, const struct fw_lookup_group *group) {
	const uint8_t *low = bytes_at(run, bounds[0], length, group);
	const uint8_t *high = bounds[1] == NULL ? low : bytes_at(run, bounds[1], length, group);

	return low != NULL && high != NULL && memcmp(low, high, length) == 0 ? low : NULL;
}

static const char *why_no_value(const struct fw_running *run, const struct nlattr *reg) {
	const struct fw_part *part =
		fw_registers_find(&run->registers, fw_register_at(fw_attr_u32(reg)));

	return part != NULL && part->kind == FW_PART_NONE
		       ? part->what
		       : "a translation to several addresses, or to one of the packet's";
}

/* Nobody knows what it is translated to. */
static void translate_somehow(struct fw_running *run, const struct nat *nat, const char *what) {
	fw_rule_guess(run,
		(struct fw_rb_rule){.action = FW_RB_REWRITE,
			.rewrite = {.source = nat->source,
				.masquerade = nat->to_interface,
				.family = nat->family},
			.perhaps = what},
		FW_SPACE_ALL);
}

static void translate_one(
	struct fw_running *run, const struct nat *nat, const struct fw_lookup_group *group) {
	struct fw_rb_rule rule = {
		.action = FW_RB_REWRITE,
		.rewrite = {.source = nat->source,
			.masquerade = nat->to_interface,
			.family = nat->family},
	};
	fw_space set = group == NULL ? FW_SPACE_ALL : group->set;

	if (!nat->to_interface) {
		const uint8_t *bytes =
			value_of(run, nat->address, nat->family == FW_IPV4 ? 4 : 16, group);
		if (bytes == NULL) {
			translate_somehow(run, nat, why_no_value(run, nat->address[0]));
			return;
		}
		rule.rewrite.address = address_of(bytes, nat->family);
	}
	if (nat->port[0] != NULL) {
		const uint8_t *bytes = value_of(run, nat->port, 2, group);
		if (bytes == NULL || (bytes[0] == 0 && bytes[1] == 0)) {
			translate_somehow(run, nat, "a translation to several ports");
			return;
		}
		rule.rewrite.port = (uint16_t)(bytes[0] << 8 | bytes[1]);
	}
	fw_rule_emit_for(run, rule, set);
}

static void translate(struct fw_running *run, const struct nat *nat) {
	/* Which of its ports a source gets does not matter, unless it is told. */
	uint32_t harmless =
		PLAIN_FLAGS | NF_NAT_RANGE_PERSISTENT |
		(nat->source ? NF_NAT_RANGE_PROTO_RANDOM | NF_NAT_RANGE_PROTO_RANDOM_FULLY : 0);
	const struct fw_lookup *map = map_at(run, nat->address[0]);
	const struct fw_lookup *port_map = map_at(run, nat->port[0]);

	run->ended = true;
	if ((nat->flags & ~harmless) != 0) {
		translate_somehow(run, nat, "a translation of a special kind");
		return;
	}
	if (map != NULL && port_map != NULL && map != port_map) {
		translate_somehow(run, nat, "a translation by two maps");
		return;
	}
	map = map != NULL ? map : port_map;
	if (map == NULL) {
		translate_one(run, nat, NULL);
		return;
	}
	if (map->found.yes != map->found.most || map->found.what != NULL) {
		translate_somehow(run, nat, map->found.what);
		return;
	}
	fw_rule_forgo(run, map);
	for (size_t i = 0; i < map->group_count; i++) {
		translate_one(run, nat, &map->groups[i]);
	}
}

void fw_run_nat(struct fw_running *run, const struct fw_attrs *attrs) {
	uint32_t family = fw_attr_u32(attrs->at[NFTA_NAT_FAMILY]);
	struct nat nat = {
		.source = fw_attr_u32(attrs->at[NFTA_NAT_TYPE]) == NFT_NAT_SNAT,
		.family = family == NFPROTO_IPV4   ? FW_IPV4
			  : family == NFPROTO_IPV6 ? FW_IPV6
						   : FW_FAMILY_NONE,
		.address = {attrs->at[NFTA_NAT_REG_ADDR_MIN], attrs->at[NFTA_NAT_REG_ADDR_MAX]},
		.port = {attrs->at[NFTA_NAT_REG_PROTO_MIN], attrs->at[NFTA_NAT_REG_PROTO_MAX]},
		.flags = fw_attr_u32(attrs->at[NFTA_NAT_FLAGS]),
	};

	if (nat.address[0] == NULL || nat.family == FW_FAMILY_NONE || attrs->strange) {
		translate_somehow(run, &nat, "a translation of the port alone");
		run->ended = true;
		return;
	}
	fw_rule_require(run, fw_truth_is(fw_rule_is(run, FW_VAR_FAMILY, nat.family)));
	translate(run, &nat);
}

void fw_run_masq(struct fw_running *run, const struct fw_attrs *attrs) {
	translate(run, &(struct nat){
			       .source = true,
			       .to_interface = true,
			       .port = {attrs->at[NFTA_MASQ_REG_PROTO_MIN],
				       attrs->at[NFTA_MASQ_REG_PROTO_MAX]},
			       .flags = fw_attr_u32(attrs->at[NFTA_MASQ_FLAGS]),
		       });
}

void fw_run_redir(struct fw_running *run, const struct fw_attrs *attrs) {
	translate(run, &(struct nat){
			       .to_interface = true,
			       .port = {attrs->at[NFTA_REDIR_REG_PROTO_MIN],
				       attrs->at[NFTA_REDIR_REG_PROTO_MAX]},
			       .flags = fw_attr_u32(attrs->at[NFTA_REDIR_FLAGS]),
		       });
}
