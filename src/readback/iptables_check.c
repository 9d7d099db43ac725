// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What can be said of rules only once all chains are there: that the kernel does not take one in a
 * chain that it comes to from the wrong hook, and that one which decides nothing takes what others
 * decide by.
 */

#include "readback/iptables.h"

#include <stdlib.h>

/* ---- hooks ---- */

static bool calls(const struct fw_ipt_rule *rule) {
	return rule->action == FW_RB_JUMP || rule->action == FW_RB_GOTO;
}

/* Chains whose bits changed, and that may hand them on. */
struct open {
	FW_VEC(uint32_t) list;
};

static void reach(uint32_t *bases, struct open *open, uint32_t chain, uint32_t more) {
	if ((more & ~bases[chain]) != 0) {
		bases[chain] |= more;
		FW_VEC_ADD(&open->list, chain);
	}
}

/* By chain: bits of the chains that the kernel calls, from which it is called. */
static uint32_t *find_bases(const struct fw_ipt_checked *all) {
	uint32_t *bases = fw_alloc(all->chain_count * sizeof(*bases) + 1);
	struct open open = {0};

	for (uint32_t i = 0; i < all->chain_count; i++) {
		if (all->chains[i].base != FW_IPT_NO_BASE) {
			reach(bases, &open, i, 1U << all->chains[i].base);
		}
	}
	while (open.list.count != 0) {
		uint32_t chain = open.list.items[--open.list.count];
		for (uint32_t i = all->chains[chain].first; i != FW_IPT_NO_RULE;
			i = all->rules[i].next) {
			if (calls(&all->rules[i])) {
				reach(bases, &open, all->rules[i].chain, bases[chain]);
			}
		}
	}
	FW_VEC_FINI(&open.list);
	return bases;
}

static const char *refused_in(const struct fw_ipt_checked *all, uint32_t bases) {
	int base = FW_IPT_PREROUTING;

	while ((bases >> base & 1) == 0) {
		base++;
	}
	return fw_ipt_describe(all->pool,
		"a rule that the kernel does not take where it comes from",
		fw_slice(fw_ipt_base_names[base]));
}

void fw_ipt_check_bases(const struct fw_ipt_checked *all,
	void (*refuse)(void *context, struct fw_ipt_rule *rule, const char *what), void *context) {
	bool asked = false;

	for (size_t i = 0; i < all->rule_count && !asked; i++) {
		asked = all->rules[i].refused_in != 0;
	}
	if (!asked) {
		return;
	}
	uint32_t *bases = find_bases(all);
	for (size_t i = 0; i < all->chain_count; i++) {
		for (uint32_t j = all->chains[i].first; j != FW_IPT_NO_RULE;
			j = all->rules[j].next) {
			struct fw_ipt_rule *rule = &all->rules[j];
			if ((rule->refused_in & bases[i]) != 0) {
				refuse(context, rule, refused_in(all, rule->refused_in & bases[i]));
			}
		}
	}
	free(bases);
}

/* ---- buckets ---- */

/* The rules that take of one bucket. */
struct sharing {
	size_t bucket;
	struct fw_ipt_rule *rule;
};

static int compare_buckets(const void *left, const void *right) {
	const struct sharing *a = left, *b = right;

	if (a->bucket != b->bucket) {
		return a->bucket < b->bucket ? -1 : 1;
	}
	return (a->rule > b->rule) - (a->rule < b->rule);
}

/* Those that accept have what they let through told together; what others take would be missed.
 * A list of addresses makes several rules of one. */
static void check_bucket(const struct sharing *sharing, size_t count) {
	bool decided = false, apart = false;

	for (size_t i = 0; i < count; i++) {
		decided = decided || sharing[i].rule->action != FW_RB_CONTINUE;
		apart = apart || sharing[i].rule->line != sharing[0].rule->line;
	}
	for (size_t i = 0; i < count && decided && apart; i++) {
		struct fw_ipt_rule *rule = sharing[i].rule;
		if (rule->action != FW_RB_ACCEPT && rule->unknown == NULL) {
			rule->unknown = "a rule that uses up the limit of another";
		}
	}
}

void fw_ipt_check_buckets(const struct fw_ipt_checked *all) {
	FW_VEC(struct sharing) sharing = {0};

	for (size_t i = 0; i < all->rule_count; i++) {
		struct fw_ipt_rule *rule = &all->rules[i];
		if (rule->rate != NULL && rule->rate->bucket != 0) {
			FW_VEC_ADD(&sharing, (struct sharing){rule->rate->bucket, rule});
		}
	}
	if (sharing.count != 0) {
		qsort(sharing.items, sharing.count, sizeof(*sharing.items), compare_buckets);
	}
	for (size_t i = 0, end; i < sharing.count; i = end) {
		end = i + 1;
		while (end < sharing.count &&
			sharing.items[end].bucket == sharing.items[i].bucket) {
			end++;
		}
		check_bucket(&sharing.items[i], end - i);
	}
	FW_VEC_FINI(&sharing);
}
