// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The canonical order of a policy, and questions about its flows.
 */

#include "policy/policy.h"

#include <stdlib.h>
#include <string.h>

const char *const fw_hook_names[FW_HOOK_COUNT] = {
	[FW_INPUT] = "input",
	[FW_OUTPUT] = "output",
	[FW_FORWARD] = "forward",
};

const char *const fw_verdict_names[FW_VERDICT_COUNT] = {
	[FW_DROP] = "drop",
	[FW_REJECT] = "reject",
	[FW_ACCEPT] = "accept",
	[FW_UNTOUCHED] = "untouched",
};

const char *const fw_position_names[FW_POSITION_COUNT] = {
	[FW_HOST] = "host",
	[FW_GATEWAY] = "gateway",
	[FW_CLIENT] = "client",
};

const char *const fw_importance_names[FW_IMPORTANCE_COUNT] = {
	[FW_REQUIRED] = "required",
	[FW_RECOMMENDED] = "recommended",
	[FW_OPTIONAL] = "optional",
};

const char *const fw_provenance_names[FW_PROVENANCE_COUNT] = {
	[FW_PUBLISHED] = "published",
	[FW_LATER_LIST] = "later-list",
	[FW_ARTICLE] = "article",
	[FW_ASSUMPTION] = "assumption",
	[FW_STANDARD] = "standard",
	[FW_SITE] = "site",
};

const struct fw_side *fw_flow_peers(const struct fw_flow *flow) {
	return flow->hook == FW_INPUT || flow->inbound ? &flow->source : &flow->destination;
}

bool fw_side_has_family(const struct fw_side *side, enum fw_family family) {
	if (side->set_count == 0) {
		return true;
	}
	for (size_t i = 0; i < side->set_count; i++) {
		if (side->sets[i]->members[family].count != 0) {
			return true;
		}
	}
	return false;
}

bool fw_side_is_open(const struct fw_side *side) {
	bool open = side->set_count == 0;

	for (size_t i = 0; i < side->set_count; i++) {
		open |= fw_set_covers(side->sets[i], FW_IPV4) ||
			fw_set_covers(side->sets[i], FW_IPV6);
	}
	return open;
}

static bool has_own_ports(const struct fw_side *side, enum fw_family family) {
	for (size_t i = 0; i < side->set_count; i++) {
		const struct fw_members *members = &side->sets[i]->members[family];
		if (members->count > members->plain_count) {
			return true;
		}
	}
	return false;
}

bool fw_flow_has_family(const struct fw_flow *flow, enum fw_family family) {
	if (!fw_side_has_family(&flow->source, family) ||
		!fw_side_has_family(&flow->destination, family)) {
		return false;
	}
	if (flow->own_ports && has_own_ports(fw_flow_peers(flow), family)) {
		return true;
	}
	for (size_t i = 0; i < flow->clause_count; i++) {
		enum fw_family wanted = flow->clauses[i].family;
		if (wanted == FW_FAMILY_NONE || wanted == family) {
			return true;
		}
	}
	return false;
}

static int compare_names(const struct fw_names *a, const struct fw_names *b) {
	for (size_t i = 0; i < a->count && i < b->count; i++) {
		int order = strcmp(a->items[i], b->items[i]);
		if (order != 0) {
			return order;
		}
	}
	return (a->count > b->count) - (a->count < b->count);
}

/*
 * A backend asks flows one after the other, so what most new packets are in comes first: services
 * for listed peers, as cameras are, then those for anyone, and what is under every profile last.
 */
enum part { FOR_LISTED, FOR_ANYONE, UNDER_ALL };

struct placed {
	const struct fw_flow *flow;
	enum part part;
};

/* Flows that are alike in all of this keep the order they came in: that of their addresses. */
static int compare_flows(const struct fw_flow *a, const struct fw_flow *b) {
	int order = strcmp(a->service, b->service);
	if (order == 0) {
		order = (int)b->inbound - (int)a->inbound;
	}
	if (order == 0) {
		order = compare_names(&a->in_interfaces, &b->in_interfaces);
	}
	if (order == 0) {
		order = compare_names(&a->out_interfaces, &b->out_interfaces);
	}
	return order != 0 ? order : (a > b) - (a < b);
}

static bool same_service(const struct fw_flow *a, const struct fw_flow *b) {
	return a->hook == b->hook && strcmp(a->service, b->service) == 0;
}

static int compare_services(const void *left, const void *right) {
	const struct placed *a = left;
	const struct placed *b = right;

	if (a->flow->hook != b->flow->hook) {
		return a->flow->hook < b->flow->hook ? -1 : 1;
	}
	return compare_flows(a->flow, b->flow);
}

static int compare_parts(const void *left, const void *right) {
	const struct placed *a = left;
	const struct placed *b = right;

	if (a->flow->hook == b->flow->hook && a->part != b->part) {
		return a->part < b->part ? -1 : 1;
	}
	return compare_services(left, right);
}

static enum part part_of(const struct fw_flow *flow) {
	if (flow->base) {
		return UNDER_ALL;
	}
	return fw_side_is_open(fw_flow_peers(flow)) ? FOR_ANYONE : FOR_LISTED;
}

/* Flows of one service and hook, neighbours by then, stay together: in the last part of theirs. */
static void choose_parts(struct placed *flows, size_t count) {
	for (size_t first = 0, end; first < count; first = end) {
		enum part part = FOR_LISTED;
		for (end = first; end < count && same_service(flows[end].flow, flows[first].flow);
			end++) {
			enum part own = part_of(flows[end].flow);
			part = own > part ? own : part;
		}
		for (size_t i = first; i < end; i++) {
			flows[i].part = part;
		}
	}
}

static void sort_flows(struct placed *flows, size_t count) {
	if (count != 0) {
		qsort(flows, count, sizeof(*flows), compare_services);
		choose_parts(flows, count);
		qsort(flows, count, sizeof(*flows), compare_parts);
	}
}

static int compare_sets(const void *left, const void *right) {
	const struct fw_set *a = *(const struct fw_set *const *)left;
	const struct fw_set *b = *(const struct fw_set *const *)right;

	int order = strcmp(a->name, b->name);
	return order != 0 ? order : (int)a->literal - (int)b->literal;
}

void fw_sets_sort(const struct fw_set **sets, size_t *count) {
	size_t kept = 0;

	if (*count != 0) {
		qsort(sets, *count, sizeof(*sets), compare_sets);
	}
	for (size_t i = 0; i < *count; i++) {
		if (kept == 0 || sets[kept - 1] != sets[i]) {
			sets[kept++] = sets[i];
		}
	}
	*count = kept;
}

struct set_list {
	const struct fw_set **items;
	size_t count;
};

static void list_side(struct set_list *list, const struct fw_side *side) {
	for (size_t i = 0; i < side->set_count; i++) {
		list->items[list->count++] = side->sets[i];
	}
	if (side->except != NULL) {
		list->items[list->count++] = side->except;
	}
}

static size_t side_size(const struct fw_side *side) {
	return side->set_count + (side->except != NULL);
}

/* The sets that flows use, each once, in canonical order. */
static void collect_sets(struct fw_arena *arena, struct fw_policy *policy) {
	size_t most = 0;
	for (size_t i = 0; i < policy->flow_count; i++) {
		most += side_size(&policy->flows[i].source) +
			side_size(&policy->flows[i].destination);
	}
	struct set_list list = {.items = FW_ARENA_ARRAY(arena, const struct fw_set *, most)};
	for (size_t i = 0; i < policy->flow_count; i++) {
		list_side(&list, &policy->flows[i].source);
		list_side(&list, &policy->flows[i].destination);
	}
	fw_sets_sort(list.items, &list.count);
	policy->sets = list.items;
	policy->set_count = list.count;
}

static int compare_forwardings(const void *left, const void *right) {
	const struct fw_forwarding *a = left;
	const struct fw_forwarding *b = right;

	if (a->family != b->family) {
		return a->family < b->family ? -1 : 1;
	}
	int order = strcmp(a->service, b->service);
	if (order != 0) {
		return order;
	}
	return a->protocol != b->protocol ? (int)a->protocol - (int)b->protocol
					  : (int)a->outside_port - (int)b->outside_port;
}

static void sort_forwardings(struct fw_arena *arena, struct fw_translation *translation) {
	size_t count = translation->forwarding_count;
	if (count == 0) {
		return;
	}
	struct fw_forwarding *sorted = FW_ARENA_ARRAY(arena, struct fw_forwarding, count);
	memcpy(sorted, translation->forwardings, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), compare_forwardings);
	translation->forwardings = sorted;
}

void fw_policy_finish(struct fw_arena *arena, struct fw_policy *policy, const struct fw_flow *flows,
	size_t flow_count) {
	struct placed *sorted = FW_ARENA_ARRAY(arena, struct placed, flow_count);
	size_t kept = 0;

	for (size_t i = 0; i < flow_count; i++) {
		if (fw_flow_has_family(&flows[i], FW_IPV4) ||
			fw_flow_has_family(&flows[i], FW_IPV6)) {
			sorted[kept++].flow = &flows[i];
		}
	}
	sort_flows(sorted, kept);
	struct fw_flow *ordered = FW_ARENA_ARRAY(arena, struct fw_flow, kept);
	for (size_t i = 0; i < kept; i++) {
		ordered[i] = *sorted[i].flow;
	}
	policy->flows = ordered;
	policy->flow_count = kept;
	collect_sets(arena, policy);
	sort_forwardings(arena, &policy->translation);
}
