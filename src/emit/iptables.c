// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The backends iptables and ip6tables: one policy becomes two files, the same but for the family.
 * Each has a chain for each hook, which what is declared again in a later file empties, so that
 * loading A and then B leaves what B alone would; chains that only A had are not reached any more.
 */

#include <string.h>

#include "emit/common.h"
#include "emit/iptables.h"
#include "emit/registry.h"

/* ---- chains of hooks ---- */

static const char *const hook_names[FW_HOOK_COUNT] = {
	[FW_INPUT] = "INPUT",
	[FW_OUTPUT] = "OUTPUT",
	[FW_FORWARD] = "FORWARD",
};

static void add_opening(struct fw_ipt *ipt, enum fw_hook hook) {
	struct fw_ipt_rule rule = {.chain = fw_ipt_hook_chains[hook], .target = "-j ACCEPT"};
	bool loopback = hook != FW_FORWARD;

	fw_ipt_add_heading(ipt->rules,
		loopback ? "loopback, and replies to what was allowed"
			 : "replies to what was allowed",
		NULL);
	if (loopback) {
		*(hook == FW_INPUT ? &rule.in : &rule.out) = "lo";
		rule.comment = "loopback";
		fw_ipt_add_rule(ipt->rules, &rule);
		rule.in = rule.out = rule.comment = NULL;
	}
	rule.matches = " -m conntrack --ctstate RELATED,ESTABLISHED";
	fw_ipt_add_rule(ipt->rules, &rule);
	rule.matches = " -m conntrack --ctstate INVALID";
	rule.target = "-j DROP";
	fw_ipt_add_rule(ipt->rules, &rule);
}

static void add_reject(struct fw_ipt *ipt, struct fw_ipt_rule *rule) {
	rule->header = "-p tcp";
	rule->target = "-j REJECT --reject-with tcp-reset";
	fw_ipt_add_rule(ipt->rules, rule);
	rule->header = NULL;
	rule->target = ipt->family == FW_IPV4 ? "-j REJECT --reject-with icmp-admin-prohibited"
					      : "-j REJECT --reject-with icmp6-adm-prohibited";
	fw_ipt_add_rule(ipt->rules, rule);
}

/* A chain never falls back into the hook: what stands there is not ours. */
static void add_leftover(struct fw_ipt *ipt, enum fw_hook hook) {
	static const char *const headings[FW_VERDICT_COUNT] = {
		[FW_DROP] = "what is left is dropped",
		[FW_REJECT] = "what is left is rejected",
		[FW_ACCEPT] = "what is left is accepted",
	};
	enum fw_verdict verdict = ipt->policy->hooks[hook].verdict;
	const struct fw_log *log = &ipt->policy->log;
	struct fw_ipt_rule rule = {.chain = fw_ipt_hook_chains[hook]};

	fw_ipt_add_heading(ipt->rules, headings[verdict], NULL);
	if (log->on && verdict != FW_ACCEPT) {
		rule.matches = fw_ipt_limit(ipt, &log->rate);
		rule.target = fw_ipt_log(ipt, log, fw_hook_names[hook]);
		fw_ipt_add_rule(ipt->rules, &rule);
		rule.matches = NULL;
	}
	if (verdict == FW_REJECT) {
		add_reject(ipt, &rule);
		return;
	}
	rule.target = verdict == FW_ACCEPT ? "-j ACCEPT" : "-j DROP";
	fw_ipt_add_rule(ipt->rules, &rule);
}

/* An untouched hook has an empty chain, as the file that was loaded before may have filled it. */
static void add_chain(struct fw_ipt *ipt, enum fw_hook hook) {
	const struct fw_policy *policy = ipt->policy;

	if (policy->hooks[hook].verdict == FW_UNTOUCHED) {
		fw_ipt_add_heading(
			ipt->rules, fw_hook_names[hook], "untouched, its chain is empty");
		return;
	}
	add_opening(ipt, hook);
	ipt->heading = NULL;
	for (size_t i = 0; i < policy->flow_count; i++) {
		if (policy->flows[i].hook == hook) {
			fw_ipt_flow(ipt, &policy->flows[i]);
		}
	}
	add_leftover(ipt, hook);
}

/* ---- the file ---- */

static const char *const programs[FW_FAMILY_COUNT] = {
	[FW_IPV4] = "iptables",
	[FW_IPV6] = "ip6tables",
};

/* What leads packets into the chains, in words for a shell and for a file of the whole table. */
static void add_hooks(struct fw_ipt *ipt, struct fw_outputs *out) {
	struct fw_buf *usage = fw_outputs_section(out, "usage");
	struct fw_buf *policies = fw_outputs_section(out, "policies");
	struct fw_buf *hooks = fw_outputs_section(out, "hooks");
	const char *program = programs[ipt->family];

	for (int hook = FW_INPUT; hook < FW_HOOK_COUNT; hook++) {
		enum fw_verdict verdict = ipt->policy->hooks[hook].verdict;
		const char *name = hook_names[hook], *chain = fw_ipt_hook_chains[hook];
		bool denies = verdict == FW_DROP || verdict == FW_REJECT;
		fw_buf_printf(policies, ":%s %s [0:0]\n", name, denies ? "DROP" : "ACCEPT");
		if (verdict != FW_UNTOUCHED) {
			fw_buf_printf(hooks, "-A %s -j %s\n", name, chain);
			fw_buf_printf(usage, "#   %s -C %s -j %s 2>/dev/null || %s -I %s 1 -j %s\n",
				program, name, chain, program, name, chain);
		}
	}
}

static void emit_family(
	enum fw_family family, const struct fw_policy *policy, bool ipset, struct fw_outputs *out) {
	FW_AUTO(fw_arena_fini) struct fw_arena arena = {0};
	FW_AUTO(fw_ipt_fini)
	struct fw_ipt ipt = {
		.policy = policy,
		.family = family,
		.ipset = ipset,
		.arena = &arena,
		.declarations = fw_outputs_section(out, "chains"),
		.rules = fw_outputs_section(out, "rules"),
		.sets = fw_outputs_section(out, "ipset"),
	};
	struct fw_buf *header = fw_outputs_section(out, "header");

	fw_buf_add_header(header, policy);
	add_hooks(&ipt, out);
	if (ipset) {
		fw_buf_add_text(
			header, "# Needs its sets, which come first: ipset restore -file SETS\n");
		fw_buf_add_header(ipt.sets, policy);
		fw_buf_printf(ipt.sets, "# Sets for %s. Load: ipset restore -file FILE\n",
			programs[family]);
	}
	for (int hook = FW_INPUT; hook < FW_HOOK_COUNT; hook++) {
		fw_ipt_declare(ipt.declarations, fw_ipt_hook_chains[hook]);
	}
	for (int hook = FW_INPUT; hook < FW_HOOK_COUNT; hook++) {
		add_chain(&ipt, (enum fw_hook)hook);
	}
	fw_buf_add_slice(ipt.rules, fw_buf_slice(&ipt.below));
	fw_ipt_add_branches(&ipt, ipt.rules);
	fw_ipt_nat(&ipt, programs[family], out);
}

/* ---- the two backends ---- */

static struct fw_support_table support(const struct fw_options *options) {
	static const enum fw_support items[FW_FEATURE_COUNT] = {
		[FW_FEATURE_FORWARD] = FW_NATIVE,
		[FW_FEATURE_REJECT] = FW_NATIVE,
		[FW_FEATURE_LOG] = FW_NATIVE,
		[FW_FEATURE_FLOW_LOG] = FW_NATIVE,
		[FW_FEATURE_COUNTERS] = FW_NATIVE,
		[FW_FEATURE_LIMIT] = FW_LOWERED, /* each family has half of it */
		[FW_FEATURE_LIMIT_SOURCE] = FW_NATIVE,
		[FW_FEATURE_INTERFACE] = FW_NATIVE,
		[FW_FEATURE_OWN_PORTS] = FW_NATIVE,
		[FW_FEATURE_RANGES] = FW_NATIVE,
		[FW_FEATURE_EXCEPT] = FW_NATIVE,
		[FW_FEATURE_SOURCE_PORTS] = FW_NATIVE,
		[FW_FEATURE_ICMP] = FW_NATIVE,
		[FW_FEATURE_ICMP_CODE] = FW_NATIVE,
		[FW_FEATURE_PROTOCOL] = FW_NATIVE,
		[FW_FEATURE_HOP_LIMIT] = FW_NATIVE,
		[FW_FEATURE_FORWARDING] = FW_NATIVE,
		[FW_FEATURE_MASQUERADE] = FW_NATIVE,
		[FW_FEATURE_HAIRPIN] = FW_NATIVE,
	};
	(void)options;
	return (struct fw_support_table){items, FW_LENGTH(items)};
}

static bool check_ipv4(
	const struct fw_policy *policy, const struct fw_options *options, struct fw_diags *diags) {
	(void)options;
	return fw_ipt_check(FW_IPV4, fw_iptables_emitter.name, policy, diags);
}

static bool check_ipv6(
	const struct fw_policy *policy, const struct fw_options *options, struct fw_diags *diags) {
	(void)options;
	return fw_ipt_check(FW_IPV6, fw_ip6tables_emitter.name, policy, diags);
}

static void emit_ipv4(
	const struct fw_policy *policy, const struct fw_options *options, struct fw_outputs *out) {
	emit_family(FW_IPV4, policy, fw_options_on(options, &fw_iptables_emitter, "ipset"), out);
}

static void emit_ipv6(
	const struct fw_policy *policy, const struct fw_options *options, struct fw_outputs *out) {
	emit_family(FW_IPV6, policy, fw_options_on(options, &fw_ip6tables_emitter, "ipset"), out);
}

static const char *const chains_sections[] = {"header", "usage", "chains", "rules", "nat", NULL};
static const char *const standalone_sections[] = {
	"header", "notes", "policies", "chains", "hooks", "rules", "nat-table", NULL};

static const struct fw_frame_spec frames[] = {
	{"chains", chains_sections},
	{"standalone", standalone_sections},
	{0},
};

static const char *const switch_values[] = {"off", "on", NULL};
static const struct fw_option_spec options_known[] = {
	{"ipset", "groups as ipsets, in a second file", switch_values},
};

const struct fw_emitter fw_iptables_emitter = {
	.abi = FW_EMITTER_ABI,
	.name = "iptables",
	.summary = "IPv4 rules for iptables-restore of iptables 1.6 and later, nf_tables or legacy",
	.suffix = ".v4",
	.frames = frames,
	.options = options_known,
	.option_count = FW_LENGTH(options_known),
	.file = "ipset",
	.support = support,
	.warns_of_lowered = true,
	.check = check_ipv4,
	.emit = emit_ipv4,
};

const struct fw_emitter fw_ip6tables_emitter = {
	.abi = FW_EMITTER_ABI,
	.name = "ip6tables",
	.summary =
		"IPv6 rules for ip6tables-restore of iptables 1.6 and later, nf_tables or legacy",
	.suffix = ".v6",
	.frames = frames,
	.options = options_known,
	.option_count = FW_LENGTH(options_known),
	.file = "ipset",
	.support = support,
	.warns_of_lowered = true,
	.check = check_ipv6,
	.emit = emit_ipv6,
};
