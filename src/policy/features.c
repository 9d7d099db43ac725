// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a policy asks of a backend. Every construct of the model that some rule language lacks has a
 * feature here, so a backend that was not told about it refuses it instead of leaving it out.
 */

#include "policy/policy.h"

#include <netinet/in.h>

const char *const fw_feature_names[FW_FEATURE_COUNT] = {
	[FW_FEATURE_FORWARD] = "forward",
	[FW_FEATURE_REJECT] = "reject",
	[FW_FEATURE_LOG] = "log",
	[FW_FEATURE_FLOW_LOG] = "service-log",
	[FW_FEATURE_COUNTERS] = "counters",
	[FW_FEATURE_LIMIT] = "limit",
	[FW_FEATURE_LIMIT_SOURCE] = "limit-per-source",
	[FW_FEATURE_INTERFACE] = "interface",
	[FW_FEATURE_OWN_PORTS] = "endpoint-ports",
	[FW_FEATURE_RANGES] = "ranges",
	[FW_FEATURE_EXCEPT] = "except",
	[FW_FEATURE_SOURCE_PORTS] = "source-ports",
	[FW_FEATURE_ICMP] = "icmp",
	[FW_FEATURE_ICMP_CODE] = "icmp-code",
	[FW_FEATURE_PROTOCOL] = "protocol",
	[FW_FEATURE_HOP_LIMIT] = "hop-limit",
	[FW_FEATURE_FORWARDING] = "port-forwarding",
	[FW_FEATURE_MASQUERADE] = "masquerade",
	[FW_FEATURE_HAIRPIN] = "hairpin",
};

const char *const fw_feature_texts[FW_FEATURE_COUNT] = {
	[FW_FEATURE_FORWARD] = "rules for the forward hook",
	[FW_FEATURE_REJECT] = "reject as a base verdict",
	[FW_FEATURE_LOG] = "a log of what is dropped",
	[FW_FEATURE_FLOW_LOG] = "a log of one service",
	[FW_FEATURE_COUNTERS] = "a counter for each service",
	[FW_FEATURE_LIMIT] = "a limit",
	[FW_FEATURE_LIMIT_SOURCE] = "a limit for each source",
	[FW_FEATURE_INTERFACE] = "an interface",
	[FW_FEATURE_OWN_PORTS] = "endpoints with ports of their own",
	[FW_FEATURE_RANGES] = "an address range that is no prefix",
	[FW_FEATURE_EXCEPT] = "except",
	[FW_FEATURE_SOURCE_PORTS] = "source ports",
	[FW_FEATURE_ICMP] = "ICMP types",
	[FW_FEATURE_ICMP_CODE] = "ICMP codes",
	[FW_FEATURE_PROTOCOL] = "a protocol other than TCP, UDP and ICMP",
	[FW_FEATURE_HOP_LIMIT] = "a hop limit",
	[FW_FEATURE_FORWARDING] = "ports forwarded to devices",
	[FW_FEATURE_MASQUERADE] = "masquerade",
	[FW_FEATURE_HAIRPIN] = "hairpin",
};

/* Who is told, and about which flow; `seen` keeps one flow from telling the same twice. */
struct walk {
	void (*used)(void *context, enum fw_feature feature, struct fw_span span, const char *who);
	void *context;
	const struct fw_flow *flow;
	bool seen[FW_FEATURE_COUNT];
};

static void uses(struct walk *walk, enum fw_feature feature, struct fw_span span) {
	if (!walk->seen[feature]) {
		walk->seen[feature] = true;
		walk->used(walk->context, feature, span, walk->flow->service);
	}
}

static void walk_clause(struct walk *walk, const struct fw_clause *clause) {
	struct fw_span span = walk->flow->span;

	switch (clause->protocol) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		uses(walk, FW_FEATURE_ICMP, span);
		break;
	default:
		uses(walk, FW_FEATURE_PROTOCOL, span);
	}
	for (size_t i = 0; i < clause->type_count; i++) {
		if (clause->types[i].code >= 0) {
			uses(walk, FW_FEATURE_ICMP_CODE, span);
		}
	}
	if (clause->source_port_count != 0) {
		uses(walk, FW_FEATURE_SOURCE_PORTS, span);
	}
	if (clause->hop_limit != 0) {
		uses(walk, FW_FEATURE_HOP_LIMIT, span);
	}
}

static void walk_set(struct walk *walk, const struct fw_set *set, bool own_ports) {
	for (int family = FW_IPV4; family < FW_FAMILY_COUNT; family++) {
		const struct fw_members *members = &set->members[family];

		if (own_ports && members->plain_count < members->count) {
			uses(walk, FW_FEATURE_OWN_PORTS, members->items[members->plain_count].span);
		}
		if (members->range != NULL) {
			uses(walk, FW_FEATURE_RANGES, members->range->span);
		}
	}
}

static void walk_side(struct walk *walk, const struct fw_side *side, bool own_ports) {
	for (size_t i = 0; i < side->set_count; i++) {
		walk_set(walk, side->sets[i], own_ports);
	}
	if (side->except != NULL) {
		uses(walk, FW_FEATURE_EXCEPT, walk->flow->span);
		walk_set(walk, side->except, false);
	}
}

static void walk_flow(struct walk *walk) {
	const struct fw_flow *flow = walk->flow;
	const struct fw_side *peers = fw_flow_peers(flow);

	if (flow->limit.count != 0) {
		uses(walk, flow->limit.per_source ? FW_FEATURE_LIMIT_SOURCE : FW_FEATURE_LIMIT,
			flow->span);
	}
	if (flow->log.on) {
		uses(walk, FW_FEATURE_FLOW_LOG, flow->span);
	}
	if (flow->in_interfaces.count != 0 || flow->out_interfaces.count != 0) {
		uses(walk, FW_FEATURE_INTERFACE, flow->span);
	}
	walk_side(walk, &flow->source, flow->own_ports && peers == &flow->source);
	walk_side(walk, &flow->destination, flow->own_ports && peers == &flow->destination);
	for (size_t i = 0; i < flow->clause_count; i++) {
		walk_clause(walk, &flow->clauses[i]);
	}
}

void fw_policy_features(const struct fw_policy *policy,
	void (*used)(void *context, enum fw_feature feature, struct fw_span span, const char *who),
	void *context) {
	for (int hook = FW_INPUT; hook < FW_HOOK_COUNT; hook++) {
		const struct fw_hook_policy *base = &policy->hooks[hook];
		if (hook == FW_FORWARD && base->verdict != FW_UNTOUCHED) {
			used(context, FW_FEATURE_FORWARD, base->span, NULL);
		}
		if (base->verdict == FW_REJECT) {
			used(context, FW_FEATURE_REJECT, base->span, NULL);
		}
	}
	if (policy->log.on) {
		used(context, FW_FEATURE_LOG, policy->log_span, NULL);
	}
	if (policy->counters) {
		used(context, FW_FEATURE_COUNTERS, (struct fw_span){0}, NULL);
	}
	const struct fw_translation *translation = &policy->translation;
	if (translation->forwarding_count != 0) {
		used(context, FW_FEATURE_FORWARDING, translation->forwarding_span, NULL);
	}
	if (translation->masqueraded != NULL) {
		used(context, FW_FEATURE_MASQUERADE, translation->masquerade_span, NULL);
	}
	if (translation->hairpin != NULL) {
		used(context, FW_FEATURE_HAIRPIN, translation->hairpin_span, NULL);
	}
	for (size_t i = 0; i < policy->flow_count; i++) {
		struct walk walk = {.used = used, .context = context, .flow = &policy->flows[i]};
		walk_flow(&walk);
	}
}
