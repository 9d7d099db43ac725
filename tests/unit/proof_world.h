// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_TEST_PROOF_WORLD_H
#define FW_TEST_PROOF_WORLD_H
/*
 * Two behaviours that are compared, for the suites of proof; sets of packets in short.
 */

#include "meaning_model.h"
#include "model.h"
#include "proof/proof.h"

enum { BEFORE, AFTER, SIDES };

static struct {
	struct fw_arena arena;
	struct fw_spaces spaces;
	struct fw_interfaces interfaces;
	fw_space universe;
	struct fw_proof_scope scope;
	struct fw_readback sides[SIDES];
	struct fw_proof proof;
} world;

static inline void set_up(void) {
	model_set_up();
	memset(&world, 0, sizeof(world));
	world.interfaces = (struct fw_interfaces){{m_interfaces, FW_LENGTH(m_interfaces)}};
	fw_spaces_init(&world.spaces, NULL);
	world.universe = fw_space_universe(&world.spaces, fw_interfaces_count(&world.interfaces));
}

static inline void tear_down(void) {
	fw_spaces_fini(&world.spaces);
	fw_arena_fini(&world.arena);
	model_tear_down();
}

/* ---- sets in short ---- */

static inline fw_space is(enum fw_var var, uint64_t value) {
	return fw_space_interval(&world.spaces, var, fw_value(value), fw_value(value));
}

static inline fw_space both(fw_space a, fw_space b) {
	return fw_space_intersect(&world.spaces, a, b);
}

static inline fw_space either(fw_space a, fw_space b) {
	return fw_space_union(&world.spaces, a, b);
}

static inline fw_space without(fw_space a, fw_space b) {
	return fw_space_subtract(&world.spaces, a, b);
}

static inline fw_space of_hook(enum fw_hook hook) {
	return both(world.universe, is(FW_VAR_HOOK, hook));
}

static inline fw_space port(uint64_t number) {
	return both(is(FW_VAR_PROTOCOL, IPPROTO_TCP), is(FW_VAR_PORT, number));
}

/* ---- promises and proofs ---- */

static inline struct fw_readback promise(const struct fw_policy *policy) {
	struct fw_meaning meaning;
	struct fw_readback readback;

	fw_meaning_init(&meaning, &world.arena, &world.spaces, &world.interfaces, policy);
	ck_assert(fw_proof_promise(
		&world.arena, &world.spaces, &world.interfaces, policy, &meaning, &readback));
	return readback;
}

static inline const struct fw_proof *compared(void) {
	ck_assert(fw_proof_compare(&world.arena, &world.spaces, world.universe, &world.scope,
		&world.sides[BEFORE], &world.sides[AFTER], &world.proof));
	return &world.proof;
}

static inline struct fw_policy limited(const char *ports, const char *rate) {
	struct fw_flow *flow = model_flow(FW_INPUT, "ssh", ports);

	if (rate != NULL) {
		ck_assert_int_eq(fw_rate_parse(fw_slice(rate), &flow->limit), FW_NET_NONE);
	}
	struct fw_policy policy = *model_policy();
	model.flow_count = 0;
	return policy;
}

#endif
