// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_TEST_NFT_WORDS_H
#define FW_TEST_NFT_WORDS_H
/*
 * What a policy was lowered to for nftables, in words, for the suites of that module.
 */

#include "model.h"
#include "nftables/nftables.h"

static struct fw_buf out;

static inline void words_tear_down(void) {
	fw_buf_fini(&out);
}

static const char *const match_words[] = {
	[FW_NFT_IIFNAME] = "iif",
	[FW_NFT_OIFNAME] = "oif",
	[FW_NFT_NFPROTO] = "nfproto",
	[FW_NFT_PROTOCOL] = "proto",
	[FW_NFT_SADDR] = "saddr",
	[FW_NFT_DADDR] = "daddr",
	[FW_NFT_SADDR_PORT] = "saddr.port",
	[FW_NFT_DADDR_PORT] = "daddr.port",
	[FW_NFT_SPORT] = "sport",
	[FW_NFT_DPORT] = "dport",
	[FW_NFT_ICMP] = "icmp",
	[FW_NFT_ICMP_CODE] = "icmp-code",
	[FW_NFT_HOP_LIMIT] = "hop-limit",
	[FW_NFT_CT_REPLY] = "reply",
	[FW_NFT_CT_INVALID] = "invalid",
	[FW_NFT_CT_DNAT] = "translated",
};

static const char *const statement_words[] = {
	[FW_NFT_LIMIT] = "limit",
	[FW_NFT_LIMIT_NAMED] = "limit",
	[FW_NFT_LIMIT_SOURCE] = "meter",
	[FW_NFT_COUNTER] = "counter",
	[FW_NFT_LOG] = "log",
	[FW_NFT_JUMP] = "jump",
	[FW_NFT_ACCEPT] = "accept",
	[FW_NFT_DROP] = "drop",
	[FW_NFT_REJECT_TCP] = "reset",
	[FW_NFT_REJECT] = "reject",
	[FW_NFT_DNAT] = "dnat",
	[FW_NFT_SNAT] = "snat",
	[FW_NFT_MASQUERADE] = "masquerade",
};

static inline void say(const char *text) {
	fw_buf_add_text(&out, text);
}

static inline void say_match(const struct fw_nft_match *match) {
	say(match_words[match->kind]);
	say(match->family == FW_IPV4 ? "4" : match->family == FW_IPV6 ? "6" : "");
	say(match->negated ? "!" : "");
	if (match->protocol != 0) {
		fw_buf_printf(&out, "/%u", (unsigned)match->protocol);
	}
	if (match->set != NULL) {
		fw_buf_printf(&out, "=%s", match->set->name);
	} else if (match->kind == FW_NFT_SADDR || match->kind == FW_NFT_DADDR ||
		   match->kind == FW_NFT_CT_DNAT) {
		say("=");
		fw_range_format(&match->range, &out);
	}
	for (size_t i = 0; match->ports != NULL && i < match->count; i++) {
		say(i == 0 ? "=" : ",");
		fw_ports_format(match->ports[i], &out);
	}
	for (size_t i = 0; match->types != NULL && i < match->count; i++) {
		fw_buf_printf(&out, "%s%u", i == 0 ? "=" : ",", (unsigned)match->types[i].type);
		if (match->types[i].code >= 0) {
			fw_buf_printf(&out, "/%d", match->types[i].code);
		}
	}
	for (size_t i = 0; match->names != NULL && i < match->count; i++) {
		fw_buf_printf(&out, "%s%s", i == 0 ? "=" : ",", match->names[i]);
	}
	if (match->hop_limit != 0) {
		fw_buf_printf(&out, "=%u", (unsigned)match->hop_limit);
	}
	say(" ");
}

static inline void say_rule(const struct fw_nft_rule *rule) {
	for (size_t i = 0; i < rule->match_count; i++) {
		say_match(&rule->matches[i]);
	}
	say(">");
	for (size_t i = 0; i < rule->statement_count; i++) {
		const struct fw_nft_statement *statement = &rule->statements[i];
		fw_buf_printf(&out, " %s", statement_words[statement->kind]);
		if (statement->text != NULL) {
			fw_buf_printf(&out, "(%s)", statement->text);
		}
		if (statement->set != NULL) {
			fw_buf_printf(&out, "(%s)", statement->set->name);
		}
		if (statement->kind == FW_NFT_DNAT) {
			fw_buf_printf(&out, "/%u:%u", (unsigned)statement->protocol,
				(unsigned)statement->port);
		} else if (statement->kind == FW_NFT_SNAT) {
			say("=");
			fw_addr_format(statement->family, statement->address, &out);
		}
	}
	say("\n");
}

static inline const struct fw_nft_table *lower(void) {
	return fw_nft_lower(&model.arena, model_policy(), FW_NFT_4_19);
}

static inline const struct fw_nft_chain *chain_of(
	const struct fw_nft_table *table, const char *name) {
	for (size_t i = 0; i < table->chain_count; i++) {
		if (strcmp(table->chains[i].name, name) == 0) {
			return &table->chains[i];
		}
	}
	return NULL;
}

/* The rules that come from flows. */
static inline const char *flow_rules(const struct fw_nft_table *table, const char *chain) {
	const struct fw_nft_chain *found = chain_of(table, chain);
	ck_assert_ptr_nonnull(found);
	out.length = 0;
	say("");
	for (size_t i = 0; i < found->rule_count; i++) {
		if (found->rules[i].flow != NULL) {
			say_rule(&found->rules[i]);
		}
	}
	return out.data;
}

static inline const char *set_names(const struct fw_nft_table *table) {
	out.length = 0;
	say("");
	for (size_t i = 0; i < table->set_count; i++) {
		fw_buf_printf(&out, "%s%s", i != 0 ? " " : "", table->sets[i]->name);
	}
	return out.data;
}

#endif
