// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Changes for machines.
 */

#include <netinet/in.h>

#include "cmd/changes_rows.h"
#include "cmd/json.h"

static const char *const keys[FW_ROWS_COUNT] = {
	[FW_ROWS_ALLOWED] = "newly-allowed",
	[FW_ROWS_DENIED] = "newly-denied",
	[FW_ROWS_LIMITS] = "limits",
	[FW_ROWS_ANSWERS] = "answers",
	[FW_ROWS_DETOURS] = "detours",
	[FW_ROWS_STRICTER] = "stricter",
};

/* ---- packets ---- */

static void json_address(
	struct fw_json *json, const char *key, enum fw_family family, struct fw_addr addr) {
	FW_AUTO(fw_buf_fini) struct fw_buf text = {0};

	fw_addr_format(family, addr, &text);
	fw_json_slice(json, key, fw_buf_slice(&text));
}

static void json_number(
	struct fw_json *json, const char *key, const struct fw_point *point, enum fw_var var) {
	fw_json_number(json, key, (int64_t)point->values[var].low);
}

static void json_interface(
	struct fw_json *json, const struct fw_changes *changes, const char *key, unsigned number) {
	const char *name = fw_interface_name(&changes->interfaces, number);

	if (number != 0) {
		fw_json_text(json, key, name);
	}
}

/* What is no part of the packet is left out; an interface that nobody names is null. */
static void json_packet(
	struct fw_json *json, const struct fw_changes *changes, const struct fw_point *point) {
	enum fw_family family = (enum fw_family)point->values[FW_VAR_FAMILY].low;
	uint64_t protocol = point->values[FW_VAR_PROTOCOL].low;
	uint64_t state = point->values[FW_VAR_TRACKING].low;
	bool icmp = protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6;

	fw_json_object(json, "packet");
	fw_json_text(json, "hook", fw_hook_names[point->values[FW_VAR_HOOK].low]);
	json_interface(json, changes, "in-interface", (unsigned)point->values[FW_VAR_IN].low);
	json_interface(json, changes, "out-interface", (unsigned)point->values[FW_VAR_OUT].low);
	json_number(json, "protocol", point, FW_VAR_PROTOCOL);
	json_address(json, "source", family, point->values[FW_VAR_SOURCE]);
	json_address(json, "destination", family, point->values[FW_VAR_DESTINATION]);
	json_number(json, icmp ? "icmp-type" : "source-port", point, FW_VAR_SOURCE_PORT);
	json_number(json, icmp ? "icmp-code" : "port", point, FW_VAR_PORT);
	if (protocol == IPPROTO_TCP) {
		json_number(json, "flags", point, FW_VAR_FLAGS);
	}
	if (family == FW_IPV6) {
		json_number(json, "hop-limit", point, FW_VAR_HOP_LIMIT);
	}
	fw_json_text(json, "state", fw_tracking_names[state]);
	fw_json_bool(json, "translated", point->values[FW_VAR_TRANSLATED].low != 0);
	fw_json_close(json);
}

static void json_services(
	struct fw_json *json, const char *key, const struct fw_change_services *services) {
	fw_json_list(json, key);
	for (size_t i = 0; i < services->count; i++) {
		fw_json_text(json, NULL, services->items[i]);
	}
	fw_json_close(json);
}

static void json_rate(struct fw_json *json, const char *key, const struct fw_rate *rate) {
	if (rate->count == 0) {
		fw_json_null(json, key);
		return;
	}
	fw_json_object(json, key);
	fw_json_number(json, "count", rate->count);
	fw_json_text(json, "unit", fw_unit_names[rate->unit]);
	fw_json_number(json, "burst", rate->burst);
	fw_json_bool(json, "per-source", rate->per_source);
	fw_json_close(json);
}

/* Addresses as texts, prefixes where they are some. */
static void json_ranges(struct fw_json *json, const char *key, enum fw_family family,
	const struct fw_intervals *values) {
	const struct fw_addr last = {0, UINT32_MAX};

	if (values->count == 0 || family == FW_FAMILY_NONE) {
		return;
	}
	fw_json_list(json, key);
	for (size_t i = 0; i < values->count; i++) {
		struct fw_range range = {values->items[i].low, values->items[i].high, family};
		FW_AUTO(fw_buf_fini) struct fw_buf text = {0};
		if (family == FW_IPV4 && fw_addr_compare(range.first, last) > 0) {
			break;
		}
		if (family == FW_IPV4 && fw_addr_compare(range.last, last) > 0) {
			range.last = last;
		}
		fw_range_format(&range, &text);
		fw_json_slice(json, NULL, fw_buf_slice(&text));
	}
	fw_json_close(json);
}

/* Numbers as texts, "80" or "1024-65535", as profiles have ports. */
static void json_intervals(
	struct fw_json *json, const char *key, const struct fw_intervals *values) {
	if (values->count == 0) {
		return;
	}
	fw_json_list(json, key);
	for (size_t i = 0; i < values->count; i++) {
		FW_AUTO(fw_buf_fini) struct fw_buf text = {0};
		fw_buf_add_uint(&text, values->items[i].low.low);
		if (values->items[i].low.low != values->items[i].high.low) {
			fw_buf_add_char(&text, '-');
			fw_buf_add_uint(&text, values->items[i].high.low);
		}
		fw_json_slice(json, NULL, fw_buf_slice(&text));
	}
	fw_json_close(json);
}

/* By their names. */
static void json_states(struct fw_json *json, const struct fw_intervals *values) {
	if (values->count == 0) {
		return;
	}
	fw_json_list(json, "states");
	for (size_t i = 0; i < values->count; i++) {
		for (uint64_t state = values->items[i].low.low;
			state <= values->items[i].high.low && state < FW_TRACKING_COUNT; state++) {
			fw_json_text(json, NULL, fw_tracking_names[state]);
		}
	}
	fw_json_close(json);
}

/* null stands for all interfaces that nobody names, however they begin if all of these are in. */
static void json_interfaces(struct fw_json *json, const struct fw_changes *changes, const char *key,
	const struct fw_intervals *values) {
	const struct fw_interfaces *interfaces = &changes->interfaces;

	if (values->count == 0) {
		return;
	}
	bool unnamed = fw_interfaces_hold_unnamed(interfaces, values);
	fw_json_list(json, key);
	for (size_t i = 0; i < values->count; i++) {
		const struct fw_interval *numbers = &values->items[i];
		for (uint64_t at = numbers->low.low;
			at <= numbers->high.low && at <= fw_interfaces_count(interfaces); at++) {
			unsigned number = (unsigned)at;
			if (!unnamed || !fw_interface_is_open(interfaces, number)) {
				fw_json_text(json, NULL, fw_interface_name(interfaces, number));
			}
		}
	}
	fw_json_close(json);
}

/* What is not asked for is left out. */
static void json_box(struct fw_json *json, const struct fw_changes *changes,
	const struct fw_box *box, enum fw_family family) {
	static const struct {
		const char *key;
		enum fw_var var;
	} numbers[] = {
		{"protocols", FW_VAR_PROTOCOL},
		{"source-ports", FW_VAR_SOURCE_PORT},
		{"ports", FW_VAR_PORT},
		{"flags", FW_VAR_FLAGS},
		{"hop-limits", FW_VAR_HOP_LIMIT},
		{"translated", FW_VAR_TRANSLATED},
	};
	fw_json_object(json, NULL);
	if (family != FW_FAMILY_NONE) {
		fw_json_text(json, "family", fw_family_names[family]);
	}
	json_interfaces(json, changes, "in-interfaces", &box->values[FW_VAR_IN]);
	json_interfaces(json, changes, "out-interfaces", &box->values[FW_VAR_OUT]);
	json_ranges(json, "sources", family, &box->values[FW_VAR_SOURCE]);
	json_ranges(json, "destinations", family, &box->values[FW_VAR_DESTINATION]);
	for (size_t i = 0; i < FW_LENGTH(numbers); i++) {
		json_intervals(json, numbers[i].key, &box->values[numbers[i].var]);
	}
	json_states(json, &box->values[FW_VAR_TRACKING]);
	fw_json_close(json);
}

static void json_boxes(
	struct fw_json *json, const struct fw_changes *changes, const struct fw_change_row *row) {
	fw_json_list(json, "boxes");
	for (size_t i = 0; i < row->box_count; i++) {
		const struct fw_box *box = row->boxes[i];
		enum fw_family family = fw_box_family(box);
		bool by_address = box->values[FW_VAR_SOURCE].count != 0 ||
				  box->values[FW_VAR_DESTINATION].count != 0;
		if (family == FW_FAMILY_NONE && by_address) {
			json_box(json, changes, box, FW_IPV4);
			json_box(json, changes, box, FW_IPV6);
		} else {
			json_box(json, changes, box, family);
		}
	}
	fw_json_close(json);
}

/* ---- rows ---- */

static const struct {
	const char *services, *verdict, *rule, *limit;
} of_side[FW_WHICH_COUNT] = {
	[FW_BEFORE] = {"services-before", "verdict-before", "rule-before", "limit-before"},
	[FW_AFTER] = {"services-after", "verdict-after", "rule-after", "limit-after"},
};

static void json_rule(struct fw_json *json, const char *key, const struct fw_change_rule *rule) {
	if (rule->place == NULL) {
		fw_json_null(json, key);
		return;
	}
	fw_json_object(json, key);
	fw_json_text(json, "place", rule->place);
	fw_json_text(json, "text", rule->text);
	fw_json_bool(json, "others", rule->others);
	fw_json_close(json);
}

static void json_rules(
	struct fw_json *json, const struct fw_changes *changes, const struct fw_change_row *row) {
	for (size_t i = 0; i < FW_WHICH_COUNT && !changes->of_policies; i++) {
		json_rule(json, of_side[i].rule, &row->rules[i]);
	}
}

/* Who lets it pass on one side. */
static void json_side(struct fw_json *json, const struct fw_change_row *row, enum fw_which which) {
	const struct fw_change_services *services = &row->services[which];
	bool has_verdict = services->verdict != FW_VERDICT_NONE;

	json_services(json, of_side[which].services, services);
	fw_json_text(json, of_side[which].verdict,
		has_verdict ? fw_verdict_names[services->verdict] : NULL);
}

static void json_deciders(struct fw_json *json, const struct fw_change_row *row) {
	if (fw_change_lets_pass(row, FW_BEFORE)) {
		json_side(json, row, FW_BEFORE);
	}
	if (fw_change_lets_pass(row, FW_AFTER)) {
		json_side(json, row, FW_AFTER);
		json_rate(json, of_side[FW_AFTER].limit, &row->rates[FW_AFTER]);
	}
	if (row->change == FW_RATE_CHANGED) {
		json_rate(json, of_side[FW_BEFORE].limit, &row->rates[FW_BEFORE]);
	}
}

static void json_target(struct fw_json *json, const char *key, enum fw_family family,
	const struct fw_proof_target *target) {
	if (!target->translated) {
		fw_json_null(json, key);
		return;
	}
	fw_json_object(json, key);
	fw_json_bool(json, "masquerade", target->masquerade);
	if (target->masquerade) {
		fw_json_null(json, "address");
	} else {
		json_address(json, "address", family, target->address);
	}
	if (target->port != 0) {
		fw_json_number(json, "port", target->port);
	} else {
		fw_json_null(json, "port");
	}
	fw_json_close(json);
}

static void json_detour(struct fw_json *json, const struct fw_proof_detour *detour) {
	fw_json_text(json, "end", detour->source ? "source" : "destination");
	json_target(json, fw_which_names[FW_BEFORE], detour->family, &detour->before);
	json_target(json, fw_which_names[FW_AFTER], detour->family, &detour->after);
}

static void json_answer(struct fw_json *json, const struct fw_change_row *row) {
	for (int i = FW_BEFORE; i < FW_WHICH_COUNT; i++) {
		bool answered = row->answered == (i == FW_AFTER);
		fw_json_text(
			json, fw_which_names[i], fw_verdict_names[answered ? FW_REJECT : FW_DROP]);
	}
}

static void json_row(
	struct fw_json *json, const struct fw_changes *changes, const struct fw_change_row *row) {
	fw_json_object(json, NULL);
	fw_json_text(json, "hook", fw_hook_names[row->hook]);
	fw_json_text(json, "words", row->words);
	if (row->detour != NULL) {
		json_detour(json, row->detour);
	} else if (row->change == FW_CHANGE_NONE) {
		json_answer(json, row);
	} else {
		json_deciders(json, row);
	}
	json_rules(json, changes, row);
	json_boxes(json, changes, row);
	fw_json_text(json, "witness", row->witness_words);
	json_packet(json, changes, &row->witness);
	fw_json_close(json);
}

static void json_section(
	struct fw_json *json, const struct fw_changes *changes, enum fw_rows kind) {
	const struct fw_change_section *section = &changes->sections[kind];

	fw_json_list(json, keys[kind]);
	for (size_t i = 0; i < section->count; i++) {
		json_row(json, changes, &section->rows[i]);
	}
	fw_json_close(json);
}

static void json_left_out(
	struct fw_json *json, const struct fw_changes *changes, enum fw_rows last) {
	fw_json_object(json, "left-out");
	for (int kind = FW_ROWS_ALLOWED; kind <= (int)last; kind++) {
		fw_json_number(json, keys[kind], (int64_t)changes->sections[kind].left_out);
	}
	fw_json_close(json);
}

/* ---- of two policies ---- */

static void json_answers(struct fw_json *json, const struct fw_changes *changes) {
	fw_json_list(json, "answers");
	for (int hook = FW_INPUT; hook < FW_HOOK_COUNT; hook++) {
		if (!changes->comparison.answers_differ[hook]) {
			continue;
		}
		fw_json_object(json, NULL);
		fw_json_text(json, "hook", fw_hook_names[hook]);
		for (size_t i = 0; i < FW_WHICH_COUNT; i++) {
			enum fw_verdict verdict = changes->sides[i].policy->hooks[hook].verdict;
			fw_json_text(json, fw_which_names[i], fw_verdict_names[verdict]);
		}
		fw_json_close(json);
	}
	fw_json_close(json);
}

static void json_forwardings(struct fw_json *json, const char *key,
	const struct fw_forwarding *const *forwardings, size_t count) {
	fw_json_list(json, key);
	for (size_t i = 0; i < count; i++) {
		const struct fw_forwarding *forwarding = forwardings[i];
		fw_json_object(json, NULL);
		fw_json_number(json, "outside-port", forwarding->outside_port);
		fw_json_text(json, "protocol", fw_protocol_name(forwarding->protocol));
		json_address(json, "address", forwarding->family, forwarding->address);
		fw_json_number(json, "port", forwarding->port);
		fw_json_text(json, "device", forwarding->device);
		fw_json_text(json, "service", forwarding->service);
		fw_json_close(json);
	}
	fw_json_close(json);
}

static void json_translation(struct fw_json *json, const struct fw_changes *changes) {
	const struct fw_comparison *comparison = &changes->comparison;

	fw_json_object(json, "translation");
	json_forwardings(
		json, "newly-forwarded", comparison->newly_forwarded, comparison->newly_count);
	json_forwardings(json, "no-longer-forwarded", comparison->no_longer_forwarded,
		comparison->no_longer_count);
	fw_json_bool(json, "outside-differs", comparison->outside_differs);
	fw_json_bool(json, "entry-differs", comparison->entry_differs);
	fw_json_bool(json, "masquerade-differs", comparison->masquerade_differs);
	fw_json_bool(json, "hairpin-differs", comparison->hairpin_differs);
	fw_json_close(json);
}

/* ---- with a rule set ---- */

static void json_unknowns(struct fw_json *json, const struct fw_changes *changes) {
	fw_json_list(json, "unknown");
	for (size_t i = 0; i < changes->unknowns.count; i++) {
		const struct fw_change_unknown *one = &changes->unknowns.items[i];
		const struct fw_rb_unknown *unknown = one->unknown;
		bool of_hook = unknown->hook != FW_RB_NONE;
		fw_json_object(json, NULL);
		fw_json_text(json, "side", fw_which_names[one->which]);
		fw_json_text(json, "place", unknown->place.text);
		fw_json_text(json, "text", fw_change_line(&changes->run->arena, &unknown->place));
		fw_json_text(json, "what", unknown->what);
		fw_json_text(json, "hook", of_hook ? fw_hook_names[unknown->hook] : NULL);
		fw_json_close(json);
	}
	fw_json_close(json);
}

/* ---- the whole ---- */

void fw_changes_json_keys(const struct fw_changes *changes, struct fw_json *json) {
	for (int kind = FW_ROWS_ALLOWED; kind <= FW_ROWS_LIMITS; kind++) {
		json_section(json, changes, (enum fw_rows)kind);
	}
	if (changes->of_policies) {
		json_left_out(json, changes, FW_ROWS_LIMITS);
		json_answers(json, changes);
		json_translation(json, changes);
		return;
	}
	for (int kind = FW_ROWS_ANSWERS; kind < FW_ROWS_COUNT; kind++) {
		json_section(json, changes, (enum fw_rows)kind);
	}
	json_left_out(json, changes, FW_ROWS_STRICTER);
	json_unknowns(json, changes);
}

bool fw_changes_json(const struct fw_changes *changes) {
	enum fw_family family = changes->scope.family;
	FW_AUTO(fw_json_fini) struct fw_json json;

	fw_json_init(&json);
	for (size_t i = 0; i < FW_WHICH_COUNT; i++) {
		fw_json_text(&json, fw_which_names[i], changes->sides[i].label);
	}
	fw_json_bool(&json, "equal", changes->equal && changes->unknowns.count == 0);
	if (!changes->of_policies) {
		fw_json_text(
			&json, "family", family != FW_FAMILY_NONE ? fw_family_names[family] : NULL);
	}
	fw_changes_json_keys(changes, &json);
	return fw_json_print(changes->run, &json);
}
