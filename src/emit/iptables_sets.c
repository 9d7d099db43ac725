// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Groups as ipsets, in a file for `ipset restore`. A set is filled under another name and swapped
 * in, so that rules which look into it never find it half full, and loading twice is loading once.
 *
 * Only two types are used, of networks and of networks with ports, and their limits are always the
 * same: a set keeps its name while its members change, and ipset takes no other type or limit for a
 * name that is there.
 */

#include <stdlib.h>
#include <string.h>

#include "emit/iptables.h"

enum {
	SET_NAME_MAX = 31,	/* IPSET_MAXNAMELEN without its NUL */
	OWN_PORTS_MAX = 16,	/* a member with more gets rules instead of elements */
	HASH_SIZE_MIN = 1024,	/* ipset's own default */
	ELEMENTS_MAX = 1 << 30, /* more than any profile has */
};

/* ---- one set ---- */

struct set {
	struct fw_ipt *ipt;
	const char *name, *made; /* `made`: the name it has while it is filled */
	bool ports;
};

static void create(const struct set *set, const char *name, size_t count) {
	size_t size = HASH_SIZE_MIN;
	while (size < count) {
		size *= 2;
	}
	fw_buf_printf(set->ipt->sets,
		"create %s hash:net%s family %s hashsize %zu maxelem %d -exist\n", name,
		set->ports ? ",port" : "", set->ipt->family == FW_IPV4 ? "inet" : "inet6", size,
		ELEMENTS_MAX);
}

/* Another loading may have been broken off while its set had this name. */
static void open_set(const struct set *set, size_t count) {
	create(set, set->made, count);
	fw_buf_printf(set->ipt->sets, "flush %s\n", set->made);
}

static void close_set(const struct set *set, size_t count) {
	create(set, set->name, count);
	fw_buf_printf(set->ipt->sets, "swap %s %s\ndestroy %s\n", set->made, set->name, set->made);
}

/* "10.0.0.1,tcp:80-81"; without a protocol the address alone. Overlapping members may repeat it. */
static void add_element(const struct set *set, struct fw_ipt_prefix prefix, const char *protocol,
	struct fw_ports ports) {
	struct fw_buf *out = set->ipt->sets;
	struct fw_range range = fw_ipt_prefix_range(set->ipt->family, prefix);

	fw_buf_add_text(out, "add ");
	fw_buf_add_text(out, set->made);
	fw_buf_add_char(out, ' ');
	fw_range_format(&range, out);
	if (protocol != NULL) {
		fw_buf_add_char(out, ',');
		fw_buf_add_text(out, protocol);
		fw_buf_add_char(out, ':');
		fw_ports_format(ports, out);
	}
	fw_buf_add_text(out, " -exist\n");
}

/* ---- members ---- */

static size_t ports_of(const struct fw_ports *ports, size_t count) {
	size_t total = 0;
	for (size_t i = 0; i < count; i++) {
		total += (size_t)(ports[i].high - ports[i].low) + 1;
	}
	return total;
}

static size_t own_ports(const struct fw_endpoint *endpoint) {
	const struct fw_port_list *own = endpoint->own;
	return ports_of(own->tcp, own->tcp_count) + ports_of(own->udp, own->udp_count);
}

static bool is_narrow(const struct fw_endpoint *endpoint) {
	return own_ports(endpoint) <= OWN_PORTS_MAX;
}

const struct fw_endpoint *fw_ipt_wide(
	const struct fw_ipt *ipt, const struct fw_endpoint *endpoints, size_t *count) {
	struct fw_endpoint *wide = FW_ARENA_ARRAY(ipt->arena, struct fw_endpoint, *count);
	size_t kept = 0;

	for (size_t i = 0; i < *count; i++) {
		if (!is_narrow(&endpoints[i])) {
			wide[kept++] = endpoints[i];
		}
	}
	*count = kept;
	return wide;
}

static void add_heading(struct fw_ipt *ipt, const struct fw_ipt_part_of *of) {
	static const char *const notes[] = {
		[FW_IPT_OWN] = "those that bring ports",
		[FW_IPT_PORTS] = "those that bring ports, with these",
	};
	const struct fw_set *set = of->set;
	bool titled = set->title != NULL && strcmp(set->title, set->name) != 0;

	fw_ipt_add_heading(ipt->sets, fw_ipt_part_name(ipt, set, FW_IPT_PLAIN),
		of->part != FW_IPT_PLAIN ? notes[of->part]
		: titled		 ? set->title
					 : NULL);
}

/* One element for each prefix, and with ports for each range of these. */
static void add_member(
	const struct set *set, const struct fw_endpoint *endpoint, fw_ipt_prefixes *prefixes) {
	prefixes->count = 0;
	fw_ipt_split_range(
		&endpoint->range, 1, prefixes); // no element covers a whole family: two halves do
	for (size_t i = 0; i < prefixes->count; i++) {
		if (!set->ports) {
			add_element(set, prefixes->items[i], NULL, (struct fw_ports){0});
			continue;
		}
		const struct fw_port_list *own = endpoint->own;
		for (size_t j = 0; j < own->tcp_count; j++) {
			add_element(set, prefixes->items[i], "tcp", own->tcp[j]);
		}
		for (size_t j = 0; j < own->udp_count; j++) {
			add_element(set, prefixes->items[i], "udp", own->udp[j]);
		}
	}
}

static void write_set(struct set *set, const struct fw_endpoint *endpoints, size_t count) {
	fw_ipt_prefixes prefixes = {0};
	size_t elements = 0;

	for (size_t i = 0; i < count; i++) {
		if (set->ports) {
			elements += is_narrow(&endpoints[i]) ? own_ports(&endpoints[i]) : 0;
		} else {
			elements++;
		}
	}
	open_set(set, elements);
	for (size_t i = 0; i < count; i++) {
		if (!set->ports || is_narrow(&endpoints[i])) {
			add_member(set, &endpoints[i], &prefixes);
		}
	}
	close_set(set, elements);
	FW_VEC_FINI(&prefixes);
}

const char *fw_ipt_set(struct fw_ipt *ipt, struct fw_ipt_part_of of) {
	size_t count;
	const struct fw_endpoint *endpoints =
		fw_ipt_part(&of.set->members[ipt->family], of.part, &count);
	const char *key = fw_ipt_part_name(ipt, of.set, of.part);
	const char *name = fw_ipt_find(ipt, key);
	bool ports = of.part == FW_IPT_PORTS;

	if (name == NULL) {
		char digit = ipt->family == FW_IPV4 ? '4' : '6';
		const char *prefix = fw_arena_printf(ipt->arena, "flowfw%c-", digit);
		name = fw_ipt_name(ipt, prefix, key, SET_NAME_MAX);
		fw_ipt_keep(ipt, key, name);
		struct set set = {
			.ipt = ipt,
			.name = name,
			/* What begins a group's name is no underscore. */
			.made = fw_arena_printf(
				ipt->arena, "flowfw%c_new%s", digit, ports ? "_ports" : ""),
			.ports = ports,
		};
		add_heading(ipt, &of);
		write_set(&set, endpoints, count);
	}
	return fw_arena_printf(ipt->arena, "--match-set %s %s%s", name, of.source ? "src" : "dst",
		ports ? ",dst" : "");
}
