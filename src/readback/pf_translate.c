// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * New addresses, by the rules that give them: packets as they come in, and as they leave.
 */

#include "readback/pf_lower.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static void add_rewrite(struct fw_pfl_lowering *low, const struct fw_pfr_rule *rule, fw_space set) {
	for (size_t i = 0; i < low->rewrites.count; i++) {
		if (low->rewrites.items[i].rule == rule) {
			fw_space *known = &low->rewrites.items[i].set;
			*known = fw_pfl_either(low, *known, set);
			return;
		}
	}
	FW_VEC_ADD(&low->rewrites, (struct fw_pfl_rewrite){rule, set});
}

static fw_space destination_set(struct fw_pfl_lowering *low, fw_space set) {
	fw_space within = fw_pfl_both(low, fw_pfl_hook_space(low, FW_RB_INPUT),
		fw_pfl_both(low, fw_pfl_is(low, FW_VAR_TRACKING, FW_TRACKING_NEW),
			fw_pfl_is(low, FW_VAR_TRANSLATED, 0)));
	static const enum fw_var loose[] = {FW_VAR_HOOK, FW_VAR_OUT, FW_PFR_VAR_TAG};

	for (size_t i = 0; i < FW_LENGTH(loose); i++) {
		set = fw_space_exists(low->spaces, set, loose[i]);
	}
	set = fw_pfl_both(low, set, within);
	set = fw_space_exists(low->spaces, set, FW_VAR_HOOK);
	return fw_space_exists(low->spaces, set, FW_VAR_OUT);
}

void fw_pfl_add_destinations(struct fw_pfl_lowering *low, const struct fw_pfr_hits *translated) {
	for (size_t i = 0; i < translated->list.count; i++) {
		const struct fw_pfr_hit *hit = &translated->list.items[i];
		add_rewrite(low, hit->rule, destination_set(low, hit->set));
	}
}

void fw_pfl_add_sources(struct fw_pfl_lowering *low, const struct fw_pfl_hook *hook,
	const struct fw_pfr_hits *translated) {
	for (size_t i = 0; i < translated->list.count; i++) {
		const struct fw_pfr_hit *hit = &translated->list.items[i];
		fw_space set = fw_pfl_with_midstream(low, fw_pfl_filled(low, hook, hit->set));
		set = fw_pfl_both(low, fw_pfl_both(low, set, hook->all),
			fw_pfl_is(low, FW_VAR_TRACKING, FW_TRACKING_NEW));
		add_rewrite(low, hit->rule, fw_space_exists(low->spaces, set, FW_VAR_HOOK));
	}
}

/* The in-interface is let go where it makes no difference. */
static fw_space settled_source(struct fw_pfl_lowering *low, fw_space set) {
	fw_space within = fw_pfl_either(
		low, fw_pfl_hook_space(low, FW_RB_OUTPUT), fw_pfl_hook_space(low, FW_RB_FORWARD));

	within = fw_pfl_both(low, within, fw_pfl_is(low, FW_VAR_TRACKING, FW_TRACKING_NEW));
	within = fw_space_exists(low->spaces, within, FW_VAR_HOOK);
	fw_space any = fw_space_exists(low->spaces, set, FW_VAR_IN);
	return fw_pfl_both(low, any, within) == set ? any : set;
}

static bool is_on(const struct fw_pfr_rule *rule, const char *interface) {
	return rule->interface_count == 1 && !rule->interfaces[0].negated &&
	       strcmp(rule->interfaces[0].name, interface) == 0;
}

void fw_pfl_add_targets(struct fw_pfl_lowering *low, struct fw_readback *out) {
	size_t most = low->rewrites.count * (FW_FAMILY_COUNT - 1), count = 0;
	struct fw_rb_rewrite *all = FW_ARENA_ARRAY(low->arena, struct fw_rb_rewrite, most);

	for (size_t i = 0; i < low->rewrites.count; i++) {
		const struct fw_pfr_rule *rule = low->rewrites.items[i].rule;
		bool source = rule->nat != NULL;
		const struct fw_pfr_target *target = source ? rule->nat : rule->rdr;
		fw_space set = low->rewrites.items[i].set;
		if (target->interface != NULL && !is_on(rule, target->interface)) {
			fw_pfr_unknown(&low->notes, rule->place,
				"a translation to the address of another interface");
		}
		if (source) {
			set = settled_source(low, set);
		}
		for (int family = FW_IPV4; family < FW_FAMILY_COUNT; family++) {
			fw_space part = fw_pfl_both(
				low, set, fw_pfl_is(low, FW_VAR_FAMILY, (uint64_t)family));
			if (part == FW_SPACE_EMPTY) {
				continue;
			}
			all[count++] = (struct fw_rb_rewrite){
				.source = source,
				.masquerade = target->interface != NULL,
				.family = (enum fw_family)family,
				.address = target->address,
				.port = target->port,
				.set = part,
				.place = rule->place,
			};
		}
	}
	out->rewrites = all;
	out->rewrite_count = count;
}

/* Nobody sees packets in a hook as they were before their destination was translated. */
void fw_pfl_leave_out_translated(struct fw_pfl_lowering *low, const struct fw_pfl_hook *hook) {
	for (size_t i = 0; i < low->rewrites.count; i++) {
		fw_space set = low->rewrites.items[i].set;
		if (low->rewrites.items[i].rule->rdr == NULL) {
			continue;
		}
		set = fw_space_exists(low->spaces, set, FW_VAR_TRACKING);
		set = fw_space_exists(low->spaces, set, FW_VAR_TRANSLATED);
		set = fw_pfl_both(low, fw_pfl_without(low, set, hook->images),
			fw_pfl_both(low, hook->all, low->fresh));
		low->outside = fw_pfl_either(low, low->outside, set);
	}
}
