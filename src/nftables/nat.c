// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A translation as a table of one family: translating in family inet takes Linux 5.2. Forwardings
 * are lookups in maps, never a rule for each: one map and rule for a service, a protocol and a port
 * that devices have it on.
 */

#include <stdlib.h>
#include <string.h>

#include "nftables/lowering.h"

/* ---- rules ---- */

/* Whose a rule is, and what it does with what it matches. */
struct action {
	const char *comment;
	struct fw_span span;
	struct fw_nft_statement statement;
};

/* Rules for what meets `before` and has its source or destination, as `kind` says, in `set`. */
static void add_rules(struct lowering *lowering, enum fw_family family,
	const struct matches *before, enum fw_nft_match_kind kind, const struct fw_set *set,
	const struct action *action) {
	const struct fw_side side = {&set, 1, NULL};
	const struct fw_nft_match address = {.kind = kind, .family = family};
	const struct ways ways = fw_nft_side_ways(lowering->arena, &side, family, false);

	for (size_t i = 0; i < ways.count; i++) {
		struct matches matches = *before;
		fw_nft_add_way(lowering, &matches, &address, &ways.items[i]);
		struct fw_nft_rule *rule = fw_nft_add_rule(lowering, &matches,
			fw_nft_statements_dup(lowering->arena, &action->statement, 1), 1, NULL);
		rule->comment = action->comment;
		rule->span = action->span;
	}
}

/* ---- destinations: ports of the outside address ---- */

/* Those that one map holds stand side by side, by outside port. */
static int compare_forwardings(const void *left, const void *right) {
	const struct fw_forwarding *a = left;
	const struct fw_forwarding *b = right;

	int order = strcmp(a->service, b->service);
	if (order == 0) {
		order = (int)a->protocol - (int)b->protocol;
	}
	if (order == 0) {
		order = (int)a->port - (int)b->port;
	}
	return order != 0 ? order : (int)a->outside_port - (int)b->outside_port;
}

static bool same_map(const struct fw_forwarding *a, const struct fw_forwarding *b) {
	return strcmp(a->service, b->service) == 0 && a->protocol == b->protocol &&
	       a->port == b->port;
}

/* In the order of maps. None where no address of the family is forwarded from. */
static const struct fw_forwarding *forwardings_of(struct fw_arena *arena,
	const struct fw_translation *translation, enum fw_family family, size_t *out_count) {
	const struct fw_set *outside = translation->outside_addresses;
	struct fw_forwarding *found =
		FW_ARENA_ARRAY(arena, struct fw_forwarding, translation->forwarding_count);
	size_t count = 0;

	for (size_t i = 0; i < translation->forwarding_count; i++) {
		if (translation->forwardings[i].family == family &&
			outside->members[family].count != 0) {
			found[count++] = translation->forwardings[i];
		}
	}
	if (count != 0) {
		qsort(found, count, sizeof(*found), compare_forwardings);
	}
	*out_count = count;
	return found;
}

static void lower_map(
	struct lowering *lowering, const struct fw_forwarding *forwardings, size_t count) {
	const struct fw_translation *translation = &lowering->policy->translation;
	const struct fw_forwarding *first = &forwardings[0];
	const struct fw_nft_set *map = fw_nft_map_new(lowering->arena, forwardings, count);
	const struct action action = {
		.comment = first->service,
		.span = first->span,
		.statement = {.kind = FW_NFT_DNAT,
			.family = first->family,
			.protocol = first->protocol,
			.set = map,
			.port = first->port},
	};
	struct matches before = {0};

	FW_VEC_ADD(&lowering->maps, map);
	fw_nft_add_names(&before, FW_NFT_IIFNAME, &translation->entry);
	add_rules(lowering, first->family, &before, FW_NFT_DADDR, translation->outside_addresses,
		&action);
}

static void lower_forwardings(
	struct lowering *lowering, const struct fw_forwarding *forwardings, size_t count) {
	for (size_t first = 0, end; first < count; first = end) {
		for (end = first + 1;
			end < count && same_map(&forwardings[first], &forwardings[end]); end++) {
		}
		lower_map(lowering, forwardings + first, end - first);
	}
}

/* ---- sources ---- */

static void lower_hairpin(struct lowering *lowering, enum fw_family family) {
	const struct fw_translation *translation = &lowering->policy->translation;
	const struct action action = {
		.comment = "hairpin",
		.span = translation->hairpin_span,
		.statement = {.kind = FW_NFT_SNAT,
			.family = family,
			.address = translation->hairpin_address[family]},
	};
	const struct fw_members *outside = &translation->outside_addresses->members[family];

	/* A rule for each address: nft 0.9.0 cannot list a set that it looks such an address up in.
	 */
	for (size_t i = 0; i < outside->count; i++) {
		struct matches before = {0};
		fw_nft_add_match(&before, (struct fw_nft_match){.kind = FW_NFT_CT_DNAT,
						  .family = family,
						  .range = outside->items[i].range});
		add_rules(lowering, family, &before, FW_NFT_SADDR, translation->hairpin, &action);
	}
}

static void lower_masquerade(struct lowering *lowering, enum fw_family family) {
	const struct fw_translation *translation = &lowering->policy->translation;
	const struct action action = {
		.comment = "masquerade",
		.span = translation->masquerade_span,
		.statement = {.kind = FW_NFT_MASQUERADE, .family = family},
	};
	struct matches before = {0};

	fw_nft_add_names(&before, FW_NFT_OIFNAME, &translation->exit);
	add_rules(lowering, family, &before, FW_NFT_SADDR, translation->masqueraded, &action);
}

/* ---- the table ---- */

static bool has_family(const struct fw_set *set, enum fw_family family) {
	return set != NULL && set->members[family].count != 0;
}

/* Both chains are made, whatever is in them: without either, kernels before 4.18 do not translate
 * replies back. */
static void take_chain(
	struct lowering *lowering, enum fw_nft_nat hook, const char *name, struct fw_span span) {
	struct fw_nft_chain chain = {.name = name, .nat = hook, .accept = true, .span = span};

	chain.rules = fw_nft_take_rules(lowering, 0, &chain.rule_count);
	FW_VEC_ADD(&lowering->base, chain);
}

/* The sets that its rules may have asked for. */
static struct fw_nft_table *take_table(struct lowering *lowering) {
	const struct fw_translation *translation = &lowering->policy->translation;
	const struct fw_set *all[] = {
		translation->outside_addresses, translation->hairpin, translation->masqueraded};
	const struct fw_set *sets[FW_LENGTH(all)];
	size_t count = 0;

	for (size_t i = 0; i < FW_LENGTH(all); i++) {
		if (all[i] != NULL) {
			sets[count++] = all[i];
		}
	}
	fw_sets_sort(sets, &count);
	return fw_nft_take_table(lowering, sets, count);
}

const struct fw_nft_table *fw_nft_lower_nat(
	struct fw_arena *arena, const struct fw_policy *policy, enum fw_family family) {
	FW_AUTO(fw_nft_lowering_fini)
	struct lowering lowering = {.arena = arena, .policy = policy, .sets = {.arena = arena}};
	const struct fw_translation *translation = &policy->translation;
	size_t count;
	const struct fw_forwarding *forwardings =
		forwardings_of(arena, translation, family, &count);
	bool masquerades = has_family(translation->masqueraded, family);

	if (count == 0 && !masquerades) {
		return NULL;
	}
	struct fw_span span =
		count != 0 ? translation->forwarding_span : translation->masquerade_span;

	lower_forwardings(&lowering, forwardings, count);
	take_chain(&lowering, FW_NFT_PREROUTING, "prerouting", span);
	/* Hairpin first: it is for connections that were translated already, and gives them an
	 * address that is known, whichever way they leave. */
	if (count != 0 && has_family(translation->hairpin, family)) {
		lower_hairpin(&lowering, family);
	}
	if (masquerades) {
		lower_masquerade(&lowering, family);
	}
	take_chain(&lowering, FW_NFT_POSTROUTING, "postrouting", span);

	struct fw_nft_table *table = take_table(&lowering);
	table->family = family;
	table->name = FW_NFT_NAT_TABLE;
	return table;
}
