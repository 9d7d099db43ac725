// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What pf cannot say and the feature table cannot tell: it depends on the protocol, the name or the
 * dialect. Each is an error where the author wrote it, as anything else would let more pass.
 */

#include "emit/pf.h"

#include <ctype.h>
#include <netinet/in.h>
#include <string.h>

#define uthash_malloc(size) fw_alloc(size)
#include <uthash.h>

enum {
	ND_HOP_LIMIT = 255, /* RFC 4861 section 3.1 */
	ND_FIRST = 133,	    /* router solicitation … */
	ND_LAST = 137,	    /* … to redirect */
};

/* A flow in each direction would tell everything twice. */
struct told {
	char *key;
	UT_hash_handle hh;
};

struct check {
	const struct fw_policy *policy;
	enum fw_pf_dialect dialect;
	struct fw_diags *diags;
	struct fw_arena arena;
	struct fw_pf_forward forward;
	struct told *told;
};

static void check_fini(struct check *check) {
	HASH_CLEAR(hh, check->told);
	fw_arena_fini(&check->arena);
}

static bool told_before(struct check *check, const char *service, const char *what) {
	char *key = fw_arena_printf(&check->arena, "%s %s", service, what);
	struct told *told;
	HASH_FIND_STR(check->told, key, told);
	if (told == NULL) {
		struct told *added = FW_ARENA_NEW(&check->arena, struct told);
		added->key = key;
		HASH_ADD_KEYPTR(hh, check->told, key, strlen(key), added);
	}
	return told != NULL;
}

/* Who asks: a service, or the policy itself, whose `service` is NULL. */
struct asker {
	const char *service;
	struct fw_span span;
};

static struct asker asker_of(const struct fw_flow *flow) {
	return (struct asker){flow->service, flow->span};
}

/* "backend 'pf' cannot express WHAT, which service 'x' asks for" */
static void refuse_asker(
	struct check *check, struct asker asker, const char *what, const char *hint) {
	bool policy = asker.service == NULL;

	if (told_before(check, policy ? "" : asker.service, what)) {
		return;
	}
	struct fw_diag *diag = fw_refusal(check->diags, asker.span, "not-expressible",
		"backend 'pf' cannot express %s%s%s%s", what, policy ? "" : ", which service '",
		policy ? "" : asker.service, policy ? "" : "' asks for");
	fw_diag_hint(check->diags, diag, "%s", hint);
}

static void refuse(
	struct check *check, const struct fw_flow *flow, const char *what, const char *hint) {
	refuse_asker(check, asker_of(flow), what, hint);
}

/* ---- interfaces ---- */

/* Words of either grammar among the names that could be an interface's. */
static bool is_keyword(const char *name) {
	static const char *const words[] = {"inet6", "l3", "return-icmp6"};
	for (size_t i = 0; i < FW_LENGTH(words); i++) {
		if (strcmp(name, words[i]) == 0) {
			return true;
		}
	}
	return false;
}

/*
 * `on NAME` means an interface or all of a group; the name of a group ends in no digit (ifconfig(8)
 * of both, `group`).
 */
static void check_interface(struct check *check, struct asker asker, const char *name) {
	size_t length = strlen(name);
	bool digit = isdigit((unsigned char)name[length - 1]);

	if (isalpha((unsigned char)name[0]) && digit && !is_keyword(name)) {
		return;
	}
	if (digit) {
		refuse_asker(check, asker,
			fw_arena_printf(
				&check->arena, "interface '%s', which is no name to it", name),
			"interfaces of pf's systems have names such as em0, vio0 or wg0");
	} else {
		refuse_asker(check, asker,
			fw_arena_printf(&check->arena,
				"interface '%s', which it would take for a group of them", name),
			"without a digit at its end a name is an interface group's; name the "
			"interface itself, such as em0");
	}
}

static void check_interfaces(
	struct check *check, struct asker asker, const struct fw_names *names) {
	for (size_t i = 0; i < names->count; i++) {
		check_interface(check, asker, names->items[i]);
	}
}

/* ---- clauses ---- */

static bool is_icmp(uint8_t protocol) {
	return protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6;
}

/*
 * pf has no match for the hop limit. Both kernels drop neighbour discovery that came over a router
 * themselves, before they look into it (RFC 4861 sections 6.1 and 7.1; nd6 of both), so these
 * messages reach nobody with another one: the rule may leave it to them, and only for these.
 */
static bool stack_checks_hops(const struct fw_flow *flow, const struct fw_clause *clause) {
	bool checks = flow->hook == FW_INPUT && clause->hop_limit == ND_HOP_LIMIT &&
		      clause->protocol == IPPROTO_ICMPV6 && clause->type_count != 0;
	for (size_t i = 0; i < clause->type_count; i++) {
		uint8_t type = clause->types[i].type;
		checks &= type >= ND_FIRST && type <= ND_LAST;
	}
	return checks;
}

static void check_clause(
	struct check *check, const struct fw_flow *flow, const struct fw_clause *clause) {
	if (clause->protocol == 0) {
		refuse(check, flow, "protocol 0", "to pf that is any protocol");
	}
	if (clause->hop_limit != 0 && !stack_checks_hops(flow, clause)) {
		refuse(check, flow, "a hop limit of other packets than neighbour discovery",
			"pf has no such match; inbound neighbour discovery with hop limit 255 is "
			"checked by the kernel itself");
	}
}

/* ---- limits ---- */

static bool only_tcp(const struct fw_flow *flow) {
	const struct fw_side *peers = fw_flow_peers(flow);
	bool only = true;

	for (size_t i = 0; i < flow->clause_count; i++) {
		only &= flow->clauses[i].protocol == IPPROTO_TCP;
	}
	for (size_t i = 0; flow->own_ports && i < peers->set_count; i++) {
		for (int family = FW_IPV4; family < FW_FAMILY_COUNT; family++) {
			const struct fw_members *members = &peers->sets[i]->members[family];
			for (size_t j = members->plain_count; j < members->count; j++) {
				only &= members->items[j].own->udp_count == 0;
			}
		}
	}
	return only;
}

/* FreeBSD 14 can bound states only, and only queries have one. */
static bool only_icmp(const struct fw_flow *flow, bool queries) {
	bool only = !flow->own_ports;

	for (size_t i = 0; i < flow->clause_count; i++) {
		const struct fw_clause *clause = &flow->clauses[i];
		only &= is_icmp(clause->protocol) && (!queries || clause->type_count != 0);
		for (size_t j = 0; j < clause->type_count; j++) {
			only &= !queries || fw_pf_is_query(clause->family, clause->types[j].type);
		}
	}
	return only;
}

/* Where everything passes, limits stop nothing. */
static bool is_limited(const struct check *check, const struct fw_flow *flow) {
	return flow->limit.count != 0 && check->policy->hooks[flow->hook].verdict != FW_ACCEPT;
}

static void check_limit(struct check *check, const struct fw_flow *flow) {
	if (flow->limit.per_source && !only_tcp(flow)) {
		refuse(check, flow, "a limit for each source of anything but TCP",
			"pf counts a source's TCP connections alone (max-src-conn-rate)");
	} else if (!flow->limit.per_source && !only_icmp(flow, false)) {
		refuse(check, flow, "a limit for all sources at once of anything but ICMP",
			"TCP can be limited `per source`");
	} else if (!flow->limit.per_source && check->dialect == FW_PF_FREEBSD &&
		   !only_icmp(flow, true)) {
		refuse(check, flow, "a limit on FreeBSD 14 of ICMP that asks for no answer",
			"it bounds states, and only queries such as echo-request have them");
	}
}

/* Every rule of the kernel has a share of the burst; none may be left without. */
static void check_shares(
	struct check *check, const struct fw_flow *first, const struct fw_flow *end) {
	FW_AUTO(fw_arena_fini) struct fw_arena arena = {0};
	FW_AUTO(fw_pf_lowering_fini)
	struct fw_pf_lowering lowering = {
		.arena = &arena,
		.policy = check->policy,
		.tables = {.arena = &arena},
		.forward = check->forward.on ? &check->forward : NULL,
	};

	fw_pf_lower(&lowering, first, end, first->hook != FW_OUTPUT);
	for (size_t i = 0; i < lowering.rules.count; i++) {
		const struct fw_pf_rule *rule = &lowering.rules.items[i];
		if (rule->limited && rule->bound.count == 0) {
			refuse(check, rule->flow, "so small a burst for so many rules",
				"each port, interface and family of a limited service counts "
				"apart, "
				"with a share of the burst; give it fewer of them, or a burst");
		}
	}
}

static void check_limits(struct check *check) {
	const struct fw_policy *policy = check->policy;
	const struct fw_flow *end = policy->flows + policy->flow_count, *run_end;

	for (const struct fw_flow *first = policy->flows; first < end; first = run_end) {
		size_t errors = check->diags->errors;
		bool limited = false;
		run_end = fw_pf_run_end(policy, first);
		for (const struct fw_flow *flow = first; flow < run_end; flow++) {
			if (is_limited(check, flow)) {
				limited = true;
				check_limit(check, flow);
			}
		}
		if (limited && check->forward.fits && check->diags->errors == errors) {
			check_shares(check, first, run_end);
		}
	}
}

/*
 * Whether a packet that is in both flows, of which the former has a limit, is let out as either of
 * them says: by a flow without a limit, or by the first of those that have one.
 */
static bool go_together(
	const struct check *check, const struct fw_flow *limited, const struct fw_flow *other) {
	const struct fw_pf_forward *forward = &check->forward;

	if (other->limit.count == 0) {
		return fw_pf_forward_covers(forward, other, limited);
	}
	return fw_pf_forward_is_anywhere(forward, limited) ||
	       fw_pf_forward_is_anywhere(forward, other) ||
	       (fw_pf_forward_covers(forward, other, limited) &&
		       fw_pf_forward_covers(forward, limited, other));
}

/* A limit counts what comes in, and where that goes out is found later. */
static void check_exits_of(struct check *check, const struct fw_flow *limited) {
	const struct fw_policy *policy = check->policy;

	for (size_t i = 0; i < policy->flow_count; i++) {
		const struct fw_flow *other = &policy->flows[i];
		bool told = other->limit.count != 0 && other < limited;
		if (other->hook != FW_FORWARD || told || go_together(check, limited, other) ||
			!fw_pf_flows_meet(limited, other)) {
			continue;
		}
		refuse(check, limited,
			fw_arena_printf(&check->arena,
				"a limit on packets that service '%s' lets out on other interfaces",
				other->service),
			"it counts packets as they come in, whichever way they go out; give both "
			"services the same out-interfaces");
	}
}

static void check_limited_exits(struct check *check) {
	const struct fw_policy *policy = check->policy;

	for (size_t i = 0; check->forward.fits && i < policy->flow_count; i++) {
		const struct fw_flow *flow = &policy->flows[i];
		if (flow->hook == FW_FORWARD && is_limited(check, flow)) {
			check_exits_of(check, flow);
		}
	}
}

/* ---- addresses ---- */

static bool is_zero(const struct fw_range *range) {
	return fw_range_is_single(range) && range->first.high == 0 && range->first.low == 0;
}

static size_t set_size(const struct fw_set *set) {
	return set->members[FW_IPV4].count + set->members[FW_IPV6].count;
}

/*
 * 0.0.0.0 and :: have no place of their own in the kernel's tables, whose tree has its root there;
 * they would be left out without a word, of exceptions too.
 */
static void check_set(
	struct check *check, struct asker asker, const struct fw_set *set, bool except) {
	if (set->literal && !except && set_size(set) == 1) {
		return;
	}
	for (int family = FW_IPV4; family < FW_FAMILY_COUNT; family++) {
		const struct fw_members *members = &set->members[family];
		for (size_t i = 0; i < members->count; i++) {
			if (is_zero(&members->items[i].range)) {
				refuse_asker(check, asker, "the unspecified address in a list",
					"pf's tables cannot hold it; give it a service of its own");
			}
		}
	}
}

static void check_side(
	struct check *check, const struct fw_flow *flow, const struct fw_side *side) {
	for (size_t i = 0; i < side->set_count; i++) {
		check_set(check, asker_of(flow), side->sets[i], side->except != NULL);
	}
	if (side->except == NULL) {
		return;
	}
	check_set(check, asker_of(flow), side->except, true);
	if (side != fw_flow_peers(flow) && flow->hook != FW_FORWARD) {
		refuse(check, flow, "an exception of the host's own addresses",
			"list the addresses that are meant");
	}
}

/* ---- logs ---- */

static void check_log(
	struct check *check, const struct fw_log *log, struct fw_span span, const char *service) {
	if (!log->on || log->rate.count == 0 || told_before(check, service, "log")) {
		return;
	}
	struct fw_diag *diag = fw_warning(check->diags, span, "log-rate",
		"backend 'pf' cannot limit a log: every packet is logged");
	fw_diag_hint(check->diags, diag,
		"pflogd writes them to /var/log/pflog, with the rule's number for a prefix");
}

/* ---- forwarding and translation ---- */

static void check_exits(struct check *check) {
	const struct fw_hook_policy *forward = &check->policy->hooks[FW_FORWARD];

	if (!check->forward.fits) {
		refuse_asker(check, (struct asker){NULL, forward->span},
			"so many different lists of out-interfaces",
			"a packet has one tag, which has to say what all services allow together");
	}
}

/* A state that translates is made by a rule that passes, and an untouched hook has none. */
static void check_claimed(struct check *check, const struct fw_translation *translation) {
	const struct {
		bool is_there;
		struct fw_span span;
	} parts[] = {
		{translation->forwarding_count != 0, translation->forwarding_span},
		{translation->masqueraded != NULL, translation->masquerade_span},
		{translation->hairpin != NULL, translation->hairpin_span},
	};

	for (size_t i = 0; i < FW_LENGTH(parts); i++) {
		if (parts[i].is_there && check->policy->hooks[FW_FORWARD].verdict == FW_UNTOUCHED) {
			refuse_asker(check, (struct asker){NULL, parts[i].span},
				"translation where forward is untouched",
				"give forward a verdict; `accept` lets everything pass");
		}
	}
}

/* OpenBSD: a `match` rule sees what those before it translated, so one could follow another. */
static void check_targets(struct check *check, const struct fw_translation *translation) {
	for (size_t i = 0; i < translation->forwarding_count; i++) {
		const struct fw_forwarding *forwarding = &translation->forwardings[i];
		const struct fw_range target = {
			forwarding->address, forwarding->address, forwarding->family};
		const struct fw_members *outside =
			&translation->outside_addresses->members[forwarding->family];
		bool own = false;
		for (size_t j = 0; j < outside->count && !own; j++) {
			own = fw_range_contains(&outside->items[j].range, &target);
		}
		if (own && check->dialect == FW_PF_OPENBSD) {
			refuse_asker(check, (struct asker){NULL, forwarding->span},
				"a port forwarded to an outside address",
				"give the device's own address");
		}
	}
}

static void check_translation(struct check *check) {
	const struct fw_translation *translation = &check->policy->translation;
	const struct asker ports = {NULL, translation->forwarding_span};
	const struct asker masquerade = {NULL, translation->masquerade_span};
	const struct asker hairpin = {NULL, translation->hairpin_span};

	check_claimed(check, translation);
	check_targets(check, translation);
	if (translation->forwarding_count != 0) {
		check_interfaces(check, ports, &translation->entry);
		check_set(check, ports, translation->outside_addresses, false);
	}
	if (translation->masqueraded != NULL) {
		check_interfaces(check, masquerade, &translation->exit);
		check_set(check, masquerade, translation->masqueraded, false);
	}
	if (translation->hairpin != NULL) {
		check_set(check, hairpin, translation->hairpin, false);
	}
}

/* ---- all of it ---- */

bool fw_pf_is_unanswered(const struct fw_policy *policy, enum fw_hook hook) {
	enum fw_verdict back = policy->hooks[hook == FW_INPUT ? FW_OUTPUT : FW_INPUT].verdict;

	return policy->hooks[hook].verdict == FW_UNTOUCHED &&
	       (back == FW_DROP || back == FW_REJECT);
}

/* pf keeps a state for what a rule passes, and for nothing that passes for want of one. */
static void check_untouched(struct check *check) {
	for (int i = FW_INPUT; i <= FW_OUTPUT; i++) {
		enum fw_hook hook = (enum fw_hook)i;
		if (!fw_pf_is_unanswered(check->policy, hook)) {
			continue;
		}
		struct fw_diag *diag = fw_warning(check->diags, check->policy->hooks[hook].span,
			"untouched-stateless",
			"backend 'pf' lets replies %s pass only where another rule passes %s with "
			"`keep state`",
			hook == FW_INPUT ? "out" : "in", fw_hook_names[hook]);
		fw_diag_hint(check->diags, diag,
			"`accept` keeps states itself, and so does frame 'standalone'");
	}
}

bool fw_pf_check(
	const struct fw_policy *policy, enum fw_pf_dialect dialect, struct fw_diags *diags) {
	FW_AUTO(check_fini)
	struct check check = {.policy = policy, .dialect = dialect, .diags = diags};
	size_t errors = diags->errors;

	fw_pf_forward_init(&check.forward, &check.arena, policy);
	check_exits(&check);
	check_translation(&check);
	check_untouched(&check);
	check_log(&check, &policy->log, policy->log_span, "");
	for (size_t i = 0; i < policy->flow_count; i++) {
		const struct fw_flow *flow = &policy->flows[i];
		check_interfaces(&check, asker_of(flow), &flow->in_interfaces);
		check_interfaces(&check, asker_of(flow), &flow->out_interfaces);
		for (size_t j = 0; j < flow->clause_count; j++) {
			check_clause(&check, flow, &flow->clauses[j]);
		}
		check_side(&check, flow, &flow->source);
		check_side(&check, flow, &flow->destination);
		check_log(&check, &flow->log, flow->span, flow->service);
	}
	check_limits(&check);
	check_limited_exits(&check);
	return diags->errors == errors;
}
