// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The `base` block: verdicts of the hooks, switches of the rules under every profile.
 */

#include "profile/draft.h"

#include <string.h>

#define READER(name)                                                                               \
	static void name(struct draft *draft, void *object, enum kind kind,                        \
		const struct fw_yaml_node *key, const struct fw_yaml_node *value)

static void read_verdict(struct draft *draft, struct base *base, enum fw_hook hook,
	const struct fw_yaml_node *key, const struct fw_yaml_node *value) {
	int word;
	if (fw_read_word(
		    draft, value, fw_hook_names[hook], fw_verdict_names, FW_VERDICT_COUNT, &word)) {
		base->hooks[hook] = (struct fw_hook_policy){(enum fw_verdict)word, key->span};
	}
}

READER(read_input) {
	(void)kind;
	read_verdict(draft, object, FW_INPUT, key, value);
}

READER(read_output) {
	(void)kind;
	read_verdict(draft, object, FW_OUTPUT, key, value);
}

READER(read_forward) {
	(void)kind;
	read_verdict(draft, object, FW_FORWARD, key, value);
}

READER(read_base_log) {
	struct base *base = object;
	(void)kind;
	(void)key;
	fw_read_log(draft, value, &base->log);
}

READER(read_echo) {
	struct base *base = object;
	bool on;
	(void)kind;
	(void)key;
	if (value->kind == FW_YAML_SCALAR && fw_slice_is(value->text, "limited")) {
		base->switches[SWITCH_ECHO] = base->echo_limited = true;
	} else if (fw_node_is_switch(value, &on)) {
		base->switches[SWITCH_ECHO] = on;
		base->echo_limited = false;
	} else {
		fw_error(draft->diags, value->span, "wrong-type", "echo is on, off or limited");
	}
}

READER(read_dhcp) {
	struct base *base = object;
	(void)kind;
	(void)key;
	fw_read_switch(draft, value, "dhcp", &base->switches[SWITCH_DHCP]);
}

READER(read_mld) {
	struct base *base = object;
	(void)kind;
	(void)key;
	fw_read_switch(draft, value, "mld", &base->switches[SWITCH_MLD]);
}

READER(read_dns_over_tcp) {
	struct base *base = object;
	(void)kind;
	(void)key;
	fw_read_switch(draft, value, "dns-over-tcp", &base->switches[SWITCH_DNS_OVER_TCP]);
}

READER(read_counters) {
	struct base *base = object;
	(void)kind;
	(void)key;
	fw_read_switch(draft, value, "counters", &base->counters);
}

/* ---- rtp ---- */

static bool is_off(const struct fw_yaml_node *node) {
	bool on;
	return fw_node_is_switch(node, &on) && !on;
}

READER(read_rtp_ports) {
	struct base *base = object;
	(void)kind;
	if (is_off(value)) {
		base->switches[SWITCH_RTP] = false;
		base->rtp_ports = (struct port_specs){0};
	} else if (fw_read_udp_ports(draft, value, &base->rtp_ports)) {
		base->switches[SWITCH_RTP] = true;
		base->rtp_span = key->span;
	}
}

static bool is_multicast(const struct fw_range *range) {
	static const char *const blocks[FW_FAMILY_COUNT] = {
		[FW_IPV4] = "224.0.0.0/4", /* RFC 5771 */
		[FW_IPV6] = "ff00::/8",	   /* RFC 4291 section 2.7 */
	};
	struct fw_range block;
	enum fw_net_fault fault = fw_range_parse(fw_slice(blocks[range->family]), &block);
	return fault == FW_NET_NONE && fw_range_contains(&block, range);
}

/* The group of the same name as the switch holds the addresses; base/services refers to it. */
READER(read_rtp_multicast) {
	struct base *base = object;
	(void)kind;
	if (is_off(value)) {
		base->switches[SWITCH_RTP_MULTICAST] = false;
		return;
	}
	struct group *group = fw_draft_group(draft, FW_SLICE("rtp-multicast"));
	const struct fw_yaml_node *const *items;
	size_t count;
	if (group == NULL || !fw_read_list(draft, value, "multicast addresses", &items, &count)) {
		return;
	}
	struct endpoints *list = fw_endpoints_new(draft);
	for (size_t i = 0; i < count; i++) {
		fw_read_endpoint(list, items[i]);
	}
	for (size_t i = 0; i < list->list.count; i++) {
		const struct fw_endpoint *endpoint = &list->list.items[i];
		if (!is_multicast(&endpoint->range)) {
			struct fw_diag *diag = fw_error(draft->diags, endpoint->span,
				"not-multicast", "this is no multicast address");
			fw_diag_hint(draft->diags, diag,
				"multicast is 224.0.0.0/4 and ff00::/8; cameras' own addresses "
				"belong in the group cameras");
		}
	}
	group->state = GROUP_LIST;
	group->members = list;
	group->set_span = key->span;
	base->switches[SWITCH_RTP_MULTICAST] = true;
	base->rtp_span = key->span;
}

READER(read_rtp) {
	static const struct key keys[] = {
		{"ports", ~0U, read_rtp_ports},
		{"multicast", ~0U, read_rtp_multicast},
	};
	struct base *base = object;
	(void)key;
	if (is_off(value)) {
		base->switches[SWITCH_RTP] = base->switches[SWITCH_RTP_MULTICAST] = false;
		base->rtp_ports = (struct port_specs){0};
		return;
	}
	fw_read_mapping(draft, value, "rtp", keys, FW_LENGTH(keys), kind, base);
}

READER(read_vpn_inside) {
	struct base *base = object;
	(void)key;
	bool read = true;
	if (is_off(value) || (value->kind == FW_YAML_SEQUENCE && value->count == 0)) {
		base->vpn_inside = (struct name_refs){0};
	} else {
		read = fw_read_names(draft, value, "vpn-inside", &base->vpn_inside);
	}
	if (read) {
		base->vpn_inside_by = kind;
	}
}

void fw_read_base(struct draft *draft, enum kind kind, const struct fw_yaml_node *node) {
	static const struct key keys[] = {
		{"input", ~0U, read_input},
		{"output", ~0U, read_output},
		{"forward", ~0U, read_forward},
		{"log", ~0U, read_base_log},
		{"echo", ~0U, read_echo},
		{"dhcp", ~0U, read_dhcp},
		{"mld", ~0U, read_mld},
		{"dns-over-tcp", ~0U, read_dns_over_tcp},
		{"rtp", ~0U, read_rtp},
		{"vpn-inside", ~0U, read_vpn_inside},
		{"counters", ~0U, read_counters},
	};
	fw_read_mapping(draft, node, "base", keys, FW_LENGTH(keys), kind, &draft->base);
}
