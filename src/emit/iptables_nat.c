// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The nat table of a gateway. Its hooks see the first packet of a connection alone; what they make
 * of it holds for the rest.
 *
 * The table stands behind the filter table in the file. iptables-restore commits one after the
 * other, so whatever stops it, a port leads to a device only once the rules that guard the device
 * are in force, and what an older file still translates is judged by the new rules: they see a
 * device's own address and port, whichever table led there. A nat table in front would open ports
 * to devices that nothing guards yet.
 *
 * The chains of the IPv4 hooks are declared wherever translation is the policy's business, so that
 * what an older file put there goes. Not so for IPv6: there are kernels without its nat table, on
 * which such a file could not be loaded for chains that nobody needs. Where nothing of IPv6 is
 * translated, as on a host in either family, the file has the commands that unhook an older one's
 * chains instead.
 */

#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "emit/common.h"
#include "emit/iptables.h"

enum nat_hook { PREROUTING, POSTROUTING };
enum { NAT_HOOK_COUNT = 2 };

static const char *const hook_names[NAT_HOOK_COUNT] = {
	[PREROUTING] = "PREROUTING",
	[POSTROUTING] = "POSTROUTING",
};

static const char *const chain_names[NAT_HOOK_COUNT] = {
	[PREROUTING] = FW_IPT_PREFIX "PREROUTING",
	[POSTROUTING] = FW_IPT_PREFIX "POSTROUTING",
};

static const struct fw_names any_interface;

/* ---- ports that are devices' ---- */

enum {
	PORT_BITS = 16,
	/* More forwardings of a protocol than this become a tree of chains. */
	FLAT_MAX = 16,
	STRIDE = 4, /* bits of a port that a chain of a tree decides on; a divisor of all bits */
	SLOTS = 1 << STRIDE,
};

/* In the order of their ports. */
struct forwardings {
	const struct fw_forwarding **items;
	size_t count;
};

/* Forwardings of one protocol, and the chain that they are written to. */
struct port_chain {
	struct fw_ipt *ipt;
	const char *protocol; /* "tcp" */
	const char *name;
	const char *device; /* that the last line was for */
};

/* "-p tcp -m tcp --dport 80:95" */
static const char *port_header(const struct port_chain *chain, struct fw_ports ports) {
	const char *header = fw_arena_printf(chain->ipt->arena, "-p %s -m %s --dport %u",
		chain->protocol, chain->protocol, (unsigned)ports.low);
	if (ports.low == ports.high) {
		return header;
	}
	return fw_arena_printf(chain->ipt->arena, "%s:%u", header, (unsigned)ports.high);
}

/* "10.8.0.17:8088", "[2001:db8::17]:8088" */
static void add_device_end(struct fw_buf *out, const struct fw_forwarding *forwarding) {
	bool brackets = forwarding->family == FW_IPV6;

	fw_buf_add_text(out, brackets ? "[" : "");
	fw_addr_format(forwarding->family, forwarding->address, out);
	fw_buf_add_text(out, brackets ? "]:" : ":");
	fw_buf_add_uint(out, forwarding->port);
}

/* The device stands above its rules, in the file alone. */
static void add_forwarding(struct port_chain *chain, const struct fw_forwarding *forwarding) {
	FW_AUTO(fw_buf_fini) struct fw_buf target = {0};
	struct fw_buf *out = &chain->ipt->below;
	uint16_t port = forwarding->outside_port;

	if (chain->device == NULL || strcmp(chain->device, forwarding->device) != 0) {
		fw_buf_add_text(out, "# ");
		fw_buf_add_comment(out, forwarding->device);
		fw_buf_add_char(out, '\n');
		chain->device = forwarding->device;
	}
	fw_buf_add_text(&target, "-j DNAT --to-destination ");
	add_device_end(&target, forwarding);
	fw_ipt_add_rule(out, &(struct fw_ipt_rule){
				     .chain = chain->name,
				     .header = port_header(chain, (struct fw_ports){port, port}),
				     .comment = forwarding->service,
				     .target = target.data,
			     });
}

/* The ports that begin with the first `level` bits of this one. */
static struct fw_ports ports_of(uint16_t port, unsigned level) {
	uint16_t rest = (uint16_t)(UINT16_MAX >> level);

	return (struct fw_ports){(uint16_t)(port & ~rest), port | rest};
}

/* The bits that the ports of all begin with, as far as chains are for them. */
static unsigned common_level(struct forwardings forwardings) {
	unsigned level = 0;
	uint16_t first = forwardings.items[0]->outside_port;
	uint16_t last = forwardings.items[forwardings.count - 1]->outside_port;

	assert(first < last);
	while (last <= ports_of(first, level + STRIDE).high) {
		level += STRIDE;
	}
	return level;
}

/* Cuts off *rest those whose ports begin as that of the first one. */
static struct forwardings next_slot(struct forwardings *rest, unsigned level) {
	uint16_t last = ports_of(rest->items[0]->outside_port, level).high;
	struct forwardings slot = {rest->items, 1};

	while (slot.count < rest->count && slot.items[slot.count]->outside_port <= last) {
		slot.count++;
	}
	rest->items += slot.count;
	rest->count -= slot.count;
	return slot;
}

/* What a chain of a tree has a rule for: a forwarding, or the way into the chain of several. */
struct port_slot {
	struct forwardings forwardings;
	struct fw_ports ports;
	const char *chain;
};

static void write_tree(struct port_chain chain, struct forwardings forwardings, unsigned level);

static void write_slot_chain(const struct port_chain *parent, struct port_slot *slot) {
	struct fw_ipt *ipt = parent->ipt;
	unsigned level = common_level(slot->forwardings);
	struct port_chain chain = {.ipt = ipt, .protocol = parent->protocol};

	slot->ports = ports_of(slot->forwardings.items[0]->outside_port, level);
	slot->chain = chain.name = fw_arena_printf(ipt->arena, FW_IPT_PREFIX "DNAT-%s.%u-%u",
		chain.protocol, (unsigned)slot->ports.low, (unsigned)slot->ports.high);
	fw_ipt_declare(&ipt->below, chain.name);
	write_tree(chain, slot->forwardings, level);
}

static void write_slot(struct port_chain *chain, const struct port_slot *slot) {
	if (slot->chain == NULL) {
		add_forwarding(chain, slot->forwardings.items[0]);
		return;
	}
	fw_ipt_add_rule(&chain->ipt->below,
		&(struct fw_ipt_rule){
			.chain = chain->name,
			.header = port_header(chain, slot->ports),
			.target = fw_ipt_go(chain->ipt, (struct fw_ipt_target){slot->chain, true}),
		});
	chain->device = NULL;
}

/* A chain that splits its ports by the bits behind `level`, and before it those it leads to. */
static void write_tree(struct port_chain chain, struct forwardings forwardings, unsigned level) {
	struct port_slot slots[SLOTS] = {0};
	size_t count = 0;

	while (forwardings.count != 0) {
		slots[count++].forwardings = next_slot(&forwardings, level + STRIDE);
	}
	for (size_t i = 0; i < count; i++) {
		if (slots[i].forwardings.count > 1) {
			write_slot_chain(&chain, &slots[i]);
		}
	}
	for (size_t i = 0; i < count; i++) {
		write_slot(&chain, &slots[i]);
	}
}

static void write_flat(struct port_chain *chain, struct forwardings forwardings) {
	for (size_t i = 0; i < forwardings.count; i++) {
		add_forwarding(chain, forwardings.items[i]);
	}
}

static int compare_ports(const void *left, const void *right) {
	const struct fw_forwarding *a = *(const struct fw_forwarding *const *)left;
	const struct fw_forwarding *b = *(const struct fw_forwarding *const *)right;

	return (int)a->outside_port - (int)b->outside_port;
}

static struct forwardings forwardings_of(const struct fw_ipt *ipt, uint8_t protocol) {
	const struct fw_translation *translation = &ipt->policy->translation;
	struct forwardings found = {FW_ARENA_ARRAY(ipt->arena, const struct fw_forwarding *,
					    translation->forwarding_count),
		0};

	for (size_t i = 0; i < translation->forwarding_count; i++) {
		const struct fw_forwarding *forwarding = &translation->forwardings[i];
		if (forwarding->family == ipt->family && forwarding->protocol == protocol) {
			found.items[found.count++] = forwarding;
		}
	}
	if (found.count != 0) {
		qsort(found.items, found.count, sizeof(const struct fw_forwarding *),
			compare_ports);
	}
	return found;
}

/* What comes to an outside address goes to the chain of its protocol. */
static void add_entries(struct fw_ipt *ipt, struct fw_ipt_target target, const char *header) {
	const struct fw_translation *translation = &ipt->policy->translation;
	const struct fw_members *outside = &translation->outside_addresses->members[ipt->family];

	for (size_t i = 0; i < outside->count; i++) {
		struct fw_ipt_draft draft = {
			.rule = {.chain = chain_names[PREROUTING],
				.destination = &outside->items[i].range},
			.target = target,
		};
		fw_ipt_add_rules(ipt, &draft, &translation->entry, &any_interface,
			(struct fw_ipt_headers){&header, 1});
	}
}

static void add_protocol(struct fw_ipt *ipt, uint8_t protocol, const char *name) {
	struct forwardings forwardings = forwardings_of(ipt, protocol);
	if (forwardings.count == 0) {
		return;
	}
	struct port_chain chain = {
		.ipt = ipt,
		.protocol = name,
		.name = fw_ipt_chain(ipt, fw_arena_printf(ipt->arena, "DNAT-%s", name)),
	};

	add_entries(ipt, (struct fw_ipt_target){chain.name, true},
		fw_arena_printf(ipt->arena, "-p %s", name));
	fw_ipt_add_heading(&ipt->below, name, "outside ports, and the devices' own");
	if (forwardings.count <= FLAT_MAX) {
		write_flat(&chain, forwardings);
	} else {
		write_tree(chain, forwardings, 0);
	}
}

static bool forwards(const struct fw_translation *translation, enum fw_family family) {
	for (size_t i = 0; i < translation->forwarding_count; i++) {
		if (translation->forwardings[i].family == family) {
			return true;
		}
	}
	return false;
}

static void add_forwardings(struct fw_ipt *ipt) {
	if (forwards(&ipt->policy->translation, ipt->family)) {
		fw_ipt_add_heading(ipt->rules, "forwarding", "ports that are devices' in truth");
		add_protocol(ipt, IPPROTO_TCP, "tcp");
		add_protocol(ipt, IPPROTO_UDP, "udp");
	}
}

/* ---- sources ---- */

/* A rule for what comes from members of the set, which goes to the target. */
static void add_sources(struct fw_ipt *ipt, const struct fw_set *set,
	const struct fw_ipt_draft *draft, const struct fw_names *out_interfaces) {
	static const char *const none[] = {NULL};
	const struct fw_side source = {&set, 1, NULL}, destination = {0};
	struct fw_ipt_ways ways = fw_ipt_side_ways(ipt, &source, true, false);
	unsigned levels = fw_ipt_tree_levels(ipt, &source, &destination);

	for (size_t i = 0; i < ways.count; i++) {
		struct fw_ipt_draft own = *draft;
		fw_ipt_add_side(ipt, &own, &ways.items[i], levels);
		fw_ipt_add_rules(ipt, &own, &any_interface, out_interfaces,
			(struct fw_ipt_headers){none, 1});
	}
}

static bool has_family(const struct fw_set *set, enum fw_family family) {
	return set != NULL && set->members[family].count != 0;
}

/* Others translate destinations, too: only what was sent to an outside address is ours. */
static const char *was_translated(const struct fw_ipt *ipt, const struct fw_endpoint *outside) {
	FW_AUTO(fw_buf_fini) struct fw_buf text = {0};

	fw_buf_add_text(&text, " -m conntrack --ctstate DNAT --ctorigdst ");
	fw_range_format(&outside->range, &text);
	return fw_arena_text(ipt->arena, fw_buf_slice(&text));
}

static const char *to_source(const struct fw_ipt *ipt, struct fw_addr address) {
	FW_AUTO(fw_buf_fini) struct fw_buf text = {0};

	fw_buf_add_text(&text, "SNAT --to-source ");
	fw_addr_format(ipt->family, address, &text);
	return fw_arena_text(ipt->arena, fw_buf_slice(&text));
}

static void add_hairpin(struct fw_ipt *ipt) {
	const struct fw_translation *translation = &ipt->policy->translation;
	if (!has_family(translation->hairpin, ipt->family) || !forwards(translation, ipt->family)) {
		return;
	}
	const struct fw_members *outside = &translation->outside_addresses->members[ipt->family];
	const char *target = to_source(ipt, translation->hairpin_address[ipt->family]);

	fw_ipt_add_heading(
		ipt->rules, "hairpin", "replies to calls from inside come back through here");
	for (size_t i = 0; i < outside->count; i++) {
		const struct fw_ipt_draft draft = {
			.rule = {.chain = chain_names[POSTROUTING],
				.matches = was_translated(ipt, &outside->items[i]),
				.comment = "hairpin"},
			.target = {target, false},
		};
		add_sources(ipt, translation->hairpin, &draft, &any_interface);
	}
}

static void add_masquerade(struct fw_ipt *ipt) {
	const struct fw_translation *translation = &ipt->policy->translation;
	const struct fw_ipt_draft draft = {
		.rule = {.chain = chain_names[POSTROUTING], .comment = "masquerade"},
		.target = {"MASQUERADE", false},
	};

	if (has_family(translation->masqueraded, ipt->family)) {
		fw_ipt_add_heading(ipt->rules, "masquerade",
			"what leaves gets the address of the interface that it leaves on");
		add_sources(ipt, translation->masqueraded, &draft, &translation->exit);
	}
}

/* ---- the table ---- */

/* Whether the file has the table at all. */
static bool has_table(const struct fw_ipt *ipt) {
	const struct fw_translation *translation = &ipt->policy->translation;

	return translation->on && (ipt->family == FW_IPV4 || forwards(translation, ipt->family) ||
					  has_family(translation->masqueraded, ipt->family));
}

/* What leads packets into the chains. */
static void add_hooking(struct fw_buf *out, const char *program) {
	for (int hook = 0; hook < NAT_HOOK_COUNT; hook++) {
		const char *name = hook_names[hook], *chain = chain_names[hook];
		fw_buf_printf(out,
			"#   %s -t nat -C %s -j %s 2>/dev/null || %s -t nat -I %s 1 -j %s\n",
			program, name, chain, program, name, chain);
	}
}

static void add_unhooking(struct fw_buf *out, const char *program) {
	fw_buf_add_text(out, "# Nothing is translated. Where an older file did so, end that:\n");
	for (int hook = 0; hook < NAT_HOOK_COUNT; hook++) {
		const char *name = hook_names[hook], *chain = chain_names[hook];
		fw_buf_printf(out,
			"#   ! %s -t nat -C %s -j %s 2>/dev/null || %s -t nat -D %s -j %s\n",
			program, name, chain, program, name, chain);
	}
}

static void add_end(const struct fw_ipt *nat, struct fw_buf *out) {
	fw_buf_add_slice(out, fw_buf_slice(nat->rules));
	fw_buf_add_text(out, "COMMIT\n");
}

/* For a frame of chains, and for one of whole tables, which has the way into the chains, too. */
static void add_sections(const struct fw_ipt *nat, struct fw_outputs *out) {
	struct fw_buf *chains = fw_outputs_section(out, "nat");
	struct fw_buf *table = fw_outputs_section(out, "nat-table");

	fw_buf_add_text(chains, "\n*nat\n");
	fw_buf_add_slice(chains, fw_buf_slice(nat->declarations));
	add_end(nat, chains);

	fw_buf_add_text(table, "\n*nat\n");
	for (int hook = 0; hook < NAT_HOOK_COUNT; hook++) {
		fw_buf_printf(table, ":%s ACCEPT [0:0]\n", hook_names[hook]);
	}
	fw_buf_add_slice(table, fw_buf_slice(nat->declarations));
	for (int hook = 0; hook < NAT_HOOK_COUNT; hook++) {
		fw_buf_printf(table, "-A %s -j %s\n", hook_names[hook], chain_names[hook]);
	}
	add_end(nat, table);
}

static void write_table(const struct fw_ipt *filter, struct fw_outputs *out) {
	FW_AUTO(fw_buf_fini) struct fw_buf declarations = {0}, rules = {0};
	FW_AUTO(fw_ipt_fini)
	struct fw_ipt nat = {
		.policy = filter->policy,
		.family = filter->family,
		.ipset = filter->ipset,
		.arena = filter->arena,
		.declarations = &declarations,
		.rules = &rules,
		.sets = filter->sets,
	};

	for (int hook = 0; hook < NAT_HOOK_COUNT; hook++) {
		fw_ipt_declare(&declarations, chain_names[hook]);
	}
	add_forwardings(&nat);
	add_hairpin(&nat);
	add_masquerade(&nat);
	fw_buf_add_slice(&rules, fw_buf_slice(&nat.below));
	fw_ipt_add_branches(&nat, &rules);
	add_sections(&nat, out);
}

void fw_ipt_nat(const struct fw_ipt *filter, const char *program, struct fw_outputs *out) {
	struct fw_buf *usage = fw_outputs_section(out, "usage");
	struct fw_buf *notes = fw_outputs_section(out, "notes");

	if (has_table(filter)) {
		add_hooking(usage, program);
		fw_buf_add_text(notes,
			"# Replaces the whole nat table, too: what docker and everybody else "
			"translates goes.\n");
		write_table(filter, out);
	} else {
		add_unhooking(usage, program);
		add_unhooking(notes, program);
	}
}
