// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_TEST_MODEL_H
#define FW_TEST_MODEL_H
/*
 * Policies from words, for the suites of whatever compiles one. All of it lives in model.arena.
 */

#include <check.h>
#include <netinet/in.h>
#include <string.h>

#include "policy/policy.h"

enum { MODEL_FLOWS_MAX = 16, MODEL_LISTS_MAX = 16, MODEL_WORDS_MAX = 32 };

static struct {
	struct fw_arena arena;
	struct fw_policy policy;
	struct fw_flow flows[MODEL_FLOWS_MAX];
	size_t flow_count;
	const struct fw_port_list *lists[MODEL_LISTS_MAX];
	size_t list_count;
} model;

/** A policy that drops on input and output and has no flows yet. */
static inline void model_set_up(void) {
	memset(&model, 0, sizeof(model));
	model.policy.name = "test";
	model.policy.hooks[FW_INPUT].verdict = FW_DROP;
	model.policy.hooks[FW_OUTPUT].verdict = FW_DROP;
	model.policy.hooks[FW_FORWARD].verdict = FW_UNTOUCHED;
}

static inline void model_tear_down(void) {
	fw_arena_fini(&model.arena);
}

/** "80/tcp,53/tcp+udp": the ports of one protocol. */
static inline struct fw_ports *model_ports(
	struct fw_slice text, unsigned protocol, size_t *out_count) {
	struct fw_ports *ports = FW_ARENA_ARRAY(&model.arena, struct fw_ports, MODEL_WORDS_MAX);
	*out_count = 0;
	while (text.length != 0) {
		unsigned protocols;
		struct fw_slice word = fw_slice_cut(&text, ',');
		ck_assert_int_eq(fw_ports_parse(word, &ports[*out_count], &protocols), FW_NET_NONE);
		*out_count += (protocols & protocol) != 0;
	}
	*out_count = fw_ports_normalize(ports, *out_count);
	return ports;
}

static inline const struct fw_port_list *model_list(struct fw_slice text) {
	struct fw_port_list *list = FW_ARENA_NEW(&model.arena, struct fw_port_list);
	list->tcp = model_ports(text, FW_PROTO_TCP, &list->tcp_count);
	list->udp = model_ports(text, FW_PROTO_UDP, &list->udp_count);
	for (size_t i = 0; i < model.list_count; i++) {
		if (fw_port_list_compare(model.lists[i], list) == 0) {
			return model.lists[i];
		}
	}
	ck_assert_uint_lt(model.list_count, MODEL_LISTS_MAX);
	model.lists[model.list_count++] = list;
	return list;
}

/** Members with blanks between them: `10.0.0.1`, `10.0.0.1=north`, `10.0.0.1=north@80/tcp,81/tcp`.
 */
static inline struct fw_set *model_set(const char *name, const char *members) {
	struct fw_set *set = FW_ARENA_NEW(&model.arena, struct fw_set);
	struct fw_endpoint *endpoints =
		FW_ARENA_ARRAY(&model.arena, struct fw_endpoint, MODEL_WORDS_MAX);
	struct fw_slice rest = fw_slice(members);
	size_t count = 0;
	while (rest.length != 0) {
		struct fw_slice ports = fw_slice_cut(&rest, ' ');
		struct fw_slice title = fw_slice_cut(&ports, '@');
		struct fw_slice address = fw_slice_cut(&title, '=');
		struct fw_endpoint *endpoint = &endpoints[count++];
		ck_assert_uint_le(count, MODEL_WORDS_MAX);
		ck_assert_int_eq(fw_range_parse(address, &endpoint->range), FW_NET_NONE);
		endpoint->name = title.data != NULL ? fw_arena_text(&model.arena, title) : NULL;
		endpoint->own = ports.data != NULL ? model_list(ports) : NULL;
	}
	set->name = name;
	fw_set_resolve(set, endpoints, count);
	return set;
}

/** The same for addresses that a service lists itself. */
static inline struct fw_set *model_literal(const char *name, const char *members) {
	struct fw_set *set = model_set(name, members);
	set->literal = true;
	return set;
}

/** One end of a flow; either may be NULL. */
static inline struct fw_side model_side(const struct fw_set *set, const struct fw_set *except) {
	const struct fw_set **sets = FW_ARENA_ARRAY(&model.arena, const struct fw_set *, 1);
	sets[0] = set;
	return (struct fw_side){sets, set != NULL ? 1 : 0, except};
}

/** A clause for each protocol in "80/tcp,53/udp"; NULL: no clauses. */
static inline struct fw_flow *model_flow(
	enum fw_hook hook, const char *service, const char *ports) {
	ck_assert_uint_lt(model.flow_count, MODEL_FLOWS_MAX);
	struct fw_flow *flow = &model.flows[model.flow_count++];
	struct fw_clause *clauses = FW_ARENA_ARRAY(&model.arena, struct fw_clause, 2);
	*flow = (struct fw_flow){.hook = hook, .service = service, .clauses = clauses};
	for (unsigned bit = FW_PROTO_TCP; ports != NULL && bit <= FW_PROTO_UDP; bit++) {
		struct fw_clause *clause = &clauses[flow->clause_count];
		clause->protocol = bit == FW_PROTO_TCP ? IPPROTO_TCP : IPPROTO_UDP;
		clause->ports = model_ports(fw_slice(ports), bit, &clause->port_count);
		flow->clause_count += clause->port_count != 0;
	}
	return flow;
}

/** One clause of any kind in place of those before. */
static inline void model_clause(struct fw_flow *flow, struct fw_clause clause) {
	struct fw_clause *copy = FW_ARENA_NEW(&model.arena, struct fw_clause);
	*copy = clause;
	flow->clauses = copy;
	flow->clause_count = 1;
}

/** The policy with its flows; no more can be added. */
static inline const struct fw_policy *model_policy(void) {
	fw_policy_finish(&model.arena, &model.policy, model.flows, model.flow_count);
	return &model.policy;
}

#endif
