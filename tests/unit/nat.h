// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_TEST_NAT_H
#define FW_TEST_NAT_H
/*
 * Translations from words, for the suites of whatever compiles one. Beside model.h.
 */

#include "model.h"

/** One forwarding; the family is the address's. */
struct nat_row {
	const char *service, *device;
	uint8_t protocol;
	uint16_t outside_port;
	const char *address;
	uint16_t port;
};

/** A gateway, between eth0 outside and eth1 inside, that translates nothing yet. */
static inline struct fw_translation *nat_set_up(void) {
	static const char *const outside[] = {"eth0"}, *const both[] = {"eth0", "eth1"};
	struct fw_translation *translation = &model.policy.translation;

	model.policy.position = FW_GATEWAY;
	model.policy.hooks[FW_FORWARD].verdict = FW_DROP;
	model.policy.hooks[FW_INPUT].verdict = FW_UNTOUCHED;
	model.policy.hooks[FW_OUTPUT].verdict = FW_UNTOUCHED;
	translation->on = true;
	translation->entry = (struct fw_names){both, 2};
	translation->exit = (struct fw_names){outside, 1};
	return translation;
}

static inline struct fw_range nat_range(const char *text) {
	struct fw_range range;
	ck_assert_int_eq(fw_range_parse(fw_slice(text), &range), FW_NET_NONE);
	return range;
}

/** Forwards ports of these addresses. */
static inline void nat_forward(const char *outside, const struct nat_row *rows, size_t count) {
	struct fw_forwarding *made = FW_ARENA_ARRAY(&model.arena, struct fw_forwarding, count);

	for (size_t i = 0; i < count; i++) {
		struct fw_range range = nat_range(rows[i].address);
		made[i] = (struct fw_forwarding){
			.device = rows[i].device,
			.service = rows[i].service,
			.family = range.family,
			.protocol = rows[i].protocol,
			.outside_port = rows[i].outside_port,
			.address = range.first,
			.port = rows[i].port,
		};
	}
	model.policy.translation.outside_addresses = model_literal("nat_outside", outside);
	model.policy.translation.forwardings = made;
	model.policy.translation.forwarding_count = count;
}

static inline void nat_masquerade(const char *members) {
	model.policy.translation.masqueraded = model_literal("nat_masquerade", members);
}

/** `address6` may be NULL where there are no such members. */
static inline void nat_hairpin(const char *members, const char *address4, const char *address6) {
	struct fw_translation *translation = &model.policy.translation;

	translation->hairpin = model_literal("nat_hairpin", members);
	translation->hairpin_address[FW_IPV4] = nat_range(address4).first;
	if (address6 != NULL) {
		translation->hairpin_address[FW_IPV6] = nat_range(address6).first;
	}
}

#endif
