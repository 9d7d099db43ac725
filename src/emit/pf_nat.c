// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a gateway does to addresses, as lines of pf.conf.
 *
 * OpenBSD translates by options of rules: those of a `match` rule take hold at once, so that the
 * rules behind it see the new addresses (pf.conf, Translation; pf_get_transaddr() of pf.c), in an
 * anchor, too; the state of the rule that passes the packet keeps them. Ports are forwarded before
 * anything is asked of what comes in. Sources change before the `pass` rules for what goes out,
 * which ask for tags alone.
 *
 * FreeBSD has rules of their own for it, of which the first that matches decides, before all
 * filter rules of either direction (pf.conf, TRANSLATION): `rdr` for what comes in, `nat` for what
 * goes out. Filter rules for what goes out so see a source of this host, which tells it no longer
 * from this host's own packets: `nat` rules ask for the tag of what may go out there, and give
 * another to what they translated. Never `rdr pass` or `nat pass`, which skip the filter.
 *
 * What has no state is not translated by OpenBSD (nat-to and rdr-to require keep state), so its
 * tags are not asked for by either. Errors about a connection are translated with it.
 */

#include <netinet/in.h>
#include <string.h>

#include "emit/common.h"
#include "emit/pf.h"

enum { IPPROTO_ANY = 0 };

bool fw_pf_has_hairpin(const struct fw_translation *translation, enum fw_family family) {
	bool forwards = false;

	for (size_t i = 0; i < translation->forwarding_count && !forwards; i++) {
		forwards = translation->forwardings[i].family == family;
	}
	return forwards && translation->hairpin != NULL &&
	       translation->hairpin->members[family].count != 0;
}

/* ---- ports ---- */

/* The one address of the family, or the table of all. */
static void add_outside(struct fw_buf *out, struct fw_pf_lowering *lowering,
	const struct fw_set *set, enum fw_family family) {
	if (set->members[family].count == 1) {
		fw_range_format(&set->members[family].items[0].range, out);
		return;
	}
	struct fw_pf_table *table =
		fw_pf_table_get(&lowering->tables, (struct fw_pf_key){.set = set});
	fw_pf_table_name(&lowering->tables, table, NULL);
	fw_pf_add_table_name(out, table->name);
}

static void add_port(struct fw_buf *out, struct fw_pf_lowering *lowering,
	const struct fw_translation *translation, const struct fw_forwarding *forwarding,
	enum fw_pf_dialect dialect) {
	bool openbsd = dialect == FW_PF_OPENBSD;
	bool tagged = fw_pf_has_hairpin(translation, forwarding->family);

	fw_buf_add_text(out, openbsd ? "match in" : "rdr");
	fw_pf_add_interfaces(out, &translation->entry);
	fw_buf_printf(out, " %s proto %s from any to ", fw_pf_families[forwarding->family],
		forwarding->protocol == IPPROTO_TCP ? "tcp" : "udp");
	add_outside(out, lowering, translation->outside_addresses, forwarding->family);
	fw_buf_printf(out, " port %u", forwarding->outside_port);
	fw_pf_add_tags(out, NULL, NULL, tagged ? FW_PF_TRANSLATED_TAG : NULL);
	fw_buf_add_text(out, openbsd ? " rdr-to " : " -> ");
	fw_addr_format(forwarding->family, forwarding->address, out);
	fw_buf_printf(out, " port %u\t# ", forwarding->port);
	fw_buf_add_comment(out, forwarding->device);
	fw_buf_add_char(out, '\n');
}

void fw_pf_nat_ports(struct fw_buf *out, struct fw_pf_lowering *lowering,
	const struct fw_translation *translation, enum fw_pf_dialect dialect) {
	const char *service = NULL;

	for (size_t i = 0; i < translation->forwarding_count; i++) {
		const struct fw_forwarding *forwarding = &translation->forwardings[i];
		if (service == NULL || strcmp(service, forwarding->service) != 0) {
			service = forwarding->service;
			fw_pf_separate(out);
			fw_pf_add_heading(out, service, "ports that are devices'");
		}
		add_port(out, lowering, translation, forwarding, dialect);
	}
}

/* ---- sources ---- */

/* What is asked of the source, of one interface or of all. */
static void lower_source(struct fw_pf_lowering *lowering, const struct fw_set *set,
	enum fw_family family, struct fw_names on) {
	struct fw_arena *arena = lowering->arena;
	const struct fw_set **sets = FW_ARENA_NEW(arena, const struct fw_set *);
	struct fw_clause *clause = FW_ARENA_NEW(arena, struct fw_clause);
	struct fw_flow *flow = FW_ARENA_NEW(arena, struct fw_flow);

	*sets = set;
	*clause = (struct fw_clause){.family = family, .protocol = IPPROTO_ANY};
	*flow = (struct fw_flow){
		.hook = FW_FORWARD,
		.source = {sets, set != NULL ? 1 : 0, NULL},
		.out_interfaces = on,
		.clauses = clause,
		.clause_count = 1,
	};
	lowering->rules.count = 0;
	fw_pf_lower_plain(lowering, flow, false);
}

/*
 * FreeBSD: what this host sends stays as it is, should it still have the tag of a packet that is
 * wrapped in it.
 */
static void add_exception(struct fw_buf *out, const struct fw_pf_rule *rule, const char *tag) {
	fw_buf_add_text(out, "no nat");
	fw_pf_add_interfaces(out, &rule->flow->out_interfaces);
	fw_buf_printf(out, " %s from (self) to any tagged %s\n", fw_pf_families[rule->family], tag);
}

/* The lowered source as lines for one tag. */
static void add_sources(struct fw_buf *out, struct fw_pf_lowering *lowering, const char *tag,
	const char *to, enum fw_pf_dialect dialect) {
	bool openbsd = dialect == FW_PF_OPENBSD;
	struct fw_arena *arena = lowering->arena;
	const char *options =
		openbsd ? fw_arena_printf(arena, "tagged %s nat-to %s", tag, to)
			: fw_arena_printf(
				  arena, "tag " FW_PF_NATTED_TAG " tagged %s -> %s", tag, to);

	for (size_t i = 0; i < lowering->rules.count; i++) {
		const struct fw_pf_rule *rule = &lowering->rules.items[i];
		if (!openbsd) {
			add_exception(out, rule, tag);
		}
		fw_pf_add_line(out, openbsd ? "match out" : "nat", rule, options);
	}
}

static const char *address_text(
	struct fw_arena *arena, enum fw_family family, struct fw_addr address) {
	FW_AUTO(fw_buf_fini) struct fw_buf text = {0};
	fw_addr_format(family, address, &text);
	return fw_arena_text(arena, fw_buf_slice(&text));
}

/* Who called is in the tag, and on OpenBSD the exit is found to be right before. */
static void add_hairpin(struct fw_buf *out, struct fw_pf_lowering *lowering, enum fw_family family,
	struct fw_addr address, enum fw_pf_dialect dialect) {
	const struct fw_pf_forward *forward = lowering->forward;
	const char *to = address_text(lowering->arena, family, address);

	if (dialect == FW_PF_OPENBSD) {
		lower_source(lowering, NULL, family, (struct fw_names){0});
		if (fw_pf_forward_uses(forward, FW_PF_HAIRPIN)) {
			add_sources(
				out, lowering, forward->exits[0].tags[FW_PF_HAIRPIN], to, dialect);
		}
		return;
	}
	for (size_t i = 0; i < forward->exit_count; i++) {
		const struct fw_pf_exit *exit = &forward->exits[i];
		if (exit->used[FW_PF_HAIRPIN]) {
			lower_source(lowering, NULL, family, exit->names);
			add_sources(out, lowering, exit->tags[FW_PF_HAIRPIN], to, dialect);
		}
	}
}

static bool leads_to(const struct fw_pf_exit *exit, const char *interface) {
	bool leads = exit->names.count == 0;
	for (size_t i = 0; i < exit->names.count && !leads; i++) {
		leads = strcmp(exit->names.items[i], interface) == 0;
	}
	return leads;
}

/* `(eth0:0)` is the address that the interface has by then, and no alias (pf.conf, :0). */
static void add_masquerade(struct fw_buf *out, struct fw_pf_lowering *lowering,
	const struct fw_set *set, const char *const *interface, enum fw_pf_dialect dialect) {
	const struct fw_pf_forward *forward = lowering->forward;
	const char *to = fw_arena_printf(lowering->arena, "(%s:0)", *interface);

	lower_source(lowering, set, FW_IPV4, (struct fw_names){interface, 1});
	if (dialect == FW_PF_OPENBSD) {
		if (fw_pf_forward_uses(forward, FW_PF_KEPT)) {
			add_sources(out, lowering, forward->exits[0].tags[FW_PF_KEPT], to, dialect);
		}
		return;
	}
	for (size_t i = 0; i < forward->exit_count; i++) {
		const struct fw_pf_exit *exit = &forward->exits[i];
		if (exit->used[FW_PF_KEPT] && leads_to(exit, *interface)) {
			add_sources(out, lowering, exit->tags[FW_PF_KEPT], to, dialect);
		}
	}
}

void fw_pf_nat_sources(struct fw_buf *out, struct fw_pf_lowering *lowering,
	const struct fw_translation *translation, enum fw_pf_dialect dialect) {
	for (int family = FW_IPV4; family < FW_FAMILY_COUNT; family++) {
		if (fw_pf_has_hairpin(translation, (enum fw_family)family)) {
			add_hairpin(out, lowering, (enum fw_family)family,
				translation->hairpin_address[family], dialect);
		}
	}
	for (size_t i = 0; translation->masqueraded != NULL && i < translation->exit.count; i++) {
		add_masquerade(out, lowering, translation->masqueraded, &translation->exit.items[i],
			dialect);
	}
	lowering->rules.count = 0;
}
