// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An answer of `explain` for machines; flowfw(1) describes the fields.
 */

#include "cmd/explain.h"

static const char *const answers[] = {
	[FW_NO_PACKET] = "denied",
	[FW_SOME_PACKETS] = "depends",
	[FW_ALL_PACKETS] = "allowed",
};

static const char *const shares[] = {
	[FW_NO_PACKET] = "none",
	[FW_SOME_PACKETS] = "some",
	[FW_ALL_PACKETS] = "all",
};

static const char *const grounds[] = {
	[FW_GROUND_NONE] = "none",
	[FW_GROUND_LOOPBACK] = "loopback",
	[FW_GROUND_REPLY] = "reply",
	[FW_GROUND_INVALID] = "invalid",
	[FW_GROUND_FLOW] = "service",
	[FW_GROUND_VERDICT] = "verdict",
	[FW_GROUND_UNTOUCHED] = "untouched",
};

/* By variable, see fw_finding_flow. */
static const char *const misses[FW_VAR_COUNT] = {
	[FW_VAR_IN] = "interface",
	[FW_VAR_FAMILY] = "family",
	[FW_VAR_PROTOCOL] = "protocol",
	[FW_VAR_SOURCE] = "source",
	[FW_VAR_DESTINATION] = "destination",
	[FW_VAR_SOURCE_PORT] = "source-port",
	[FW_VAR_PORT] = "port",
	[FW_VAR_HOP_LIMIT] = "hop-limit",
};

static void add_buf(struct fw_json *json, const char *key, struct fw_buf *text) {
	fw_json_slice(json, key, fw_buf_slice(text));
	fw_buf_fini(text);
}

/* Nothing for a span that points nowhere. */
static void add_place(struct fw_json *json, const char *key, struct fw_span span) {
	size_t line, column;

	if (span.source != NULL) {
		fw_span_place(span, &line, &column);
		fw_json_object(json, key);
		fw_json_text(json, "file", span.source->name);
		fw_json_number(json, "line", (int64_t)line);
		fw_json_number(json, "column", (int64_t)column);
		fw_json_close(json);
	}
}

static void add_address(
	struct fw_json *json, const char *key, enum fw_family family, struct fw_addr address) {
	struct fw_buf text = {0};

	fw_addr_format(family, address, &text);
	add_buf(json, key, &text);
}

static void add_entry(struct fw_json *json, const char *key, const struct fw_entry *entry) {
	struct fw_buf text = {0};

	if (entry->set == NULL) {
		return;
	}
	fw_json_object(json, key);
	if (!entry->set->literal) {
		fw_json_text(json, "group", entry->set->name);
	}
	fw_range_format(&entry->endpoint->range, &text);
	add_buf(json, "entry", &text);
	if (entry->endpoint->name != NULL) {
		fw_json_text(json, "name", entry->endpoint->name);
	}
	add_place(json, "place", entry->endpoint->span);
	fw_json_close(json);
}

static void add_service(struct fw_json *json, const struct fw_explained *explained,
	const struct fw_finding_flow *finding) {
	const struct fw_flow *flow = finding->flow;
	const struct fw_service_row *row = fw_reason_row(explained->profile, flow);

	fw_json_object(json, NULL);
	fw_json_text(json, "service", flow->service);
	fw_json_text(json, "title", flow->title);
	fw_json_list(json, "narrower");
	for (size_t i = 1; i < FW_VAR_COUNT; i++) {
		enum fw_var var = fw_var_listed[i];
		if ((finding->misses >> var & 1U) != 0) {
			fw_json_text(json, NULL, misses[var]);
		}
	}
	fw_json_close(json);
	if (finding->misses != 0) {
		struct fw_buf text = {0};
		fw_reason_add_narrower(&text, finding, explained->packet, false);
		add_buf(json, "why", &text);
	}
	if (flow->limit.count != 0) {
		struct fw_buf text = {0};
		fw_rate_format(&flow->limit, &text);
		add_buf(json, "limit", &text);
	}
	add_entry(json, "from", &finding->source);
	add_entry(json, "to", &finding->destination);
	if (row != NULL) {
		add_place(json, "defined", row->span);
		fw_json_text(json, "role", row->role);
		add_place(json, "listed", row->listed_span);
	}
	add_place(json, "changed", flow->span);
	fw_json_close(json);
}

static void add_idle(
	struct fw_json *json, const struct fw_explained *explained, const struct fw_fate *fate) {
	const struct fw_service_row *row;
	size_t at = 0;

	fw_json_list(json, "idle");
	while (fate->passing == FW_NO_PACKET && fate->ground == FW_GROUND_VERDICT &&
		(row = fw_reason_idle(explained->profile, explained->packet, fate->hook, &at))) {
		fw_json_object(json, NULL);
		fw_json_text(json, "service", row->id);
		fw_json_text(json, "state", fw_service_state_names[row->state]);
		add_place(json, "defined", row->span);
		add_place(json, "changed", row->site_span);
		fw_json_close(json);
	}
	fw_json_close(json);
}

static void add_forwarding(
	struct fw_json *json, const struct fw_explained *explained, const struct fw_fate *fate) {
	const struct fw_forwarding *forwarding = fate->forwarding;
	const struct fw_translation *translation = &explained->profile->policy.translation;

	fw_json_object(json, "forwarded");
	fw_json_text(json, "device", forwarding->device);
	fw_json_text(json, "service", forwarding->service);
	fw_json_text(json, "protocol", fw_protocol_name(forwarding->protocol));
	fw_json_number(json, "outside-port", forwarding->outside_port);
	add_address(json, "address", forwarding->family, forwarding->address);
	fw_json_number(json, "port", forwarding->port);
	add_place(json, "place", forwarding->span);
	fw_json_text(json, "hairpin", shares[fate->hairpin]);
	if (fate->hairpin != FW_NO_PACKET) {
		add_address(json, "hairpin-address", forwarding->family,
			translation->hairpin_address[forwarding->family]);
	}
	fw_json_close(json);
}

static void add_witness(struct fw_json *json, const struct fw_explained *explained, const char *key,
	const struct fw_point *point) {
	const struct fw_words words = {
		.interfaces = explained->interfaces, .policy = &explained->profile->policy};
	struct fw_buf text = {0};

	fw_point_format(&words, point, &text);
	add_buf(json, key, &text);
}

static void add_fate(
	struct fw_json *json, const struct fw_explained *explained, const struct fw_fate *fate) {
	fw_json_object(json, NULL);
	fw_json_text(json, "answer", answers[fate->passing]);
	fw_json_text(json, "hook", fw_hook_names[fate->hook]);
	fw_json_text(json, "decided-by", grounds[fate->ground]);
	fw_json_bool(json, "limited", fate->limited);
	if (fate->passing != FW_NO_PACKET) {
		add_witness(json, explained, "passes", &fate->passed);
	}
	if (fate->passing != FW_ALL_PACKETS) {
		add_witness(json, explained, "denied", &fate->denied);
	}
	if (fate->forwarding != NULL) {
		add_forwarding(json, explained, fate);
	}
	fw_json_text(json, "masquerade", shares[fate->masquerade]);
	fw_json_list(json, fate->passing != FW_NO_PACKET ? "services" : "nearest");
	for (size_t i = 0; i < fate->flow_count; i++) {
		add_service(json, explained, &fate->flows[i]);
	}
	fw_json_close(json);
	add_idle(json, explained, fate);
	fw_json_close(json);
}

void fw_explain_json(const struct fw_explained *explained, struct fw_json *json) {
	const struct fw_answer *answer = explained->answer;

	fw_json_object(json, NULL);
	fw_json_text(json, "profile", explained->path);
	fw_json_slice(json, "packet", explained->question);
	fw_json_text(json, "answer", answers[answer->passing]);
	fw_json_list(json, "parts");
	for (size_t i = 0; i < answer->fate_count; i++) {
		add_fate(json, explained, &answer->fates[i]);
	}
	fw_json_close(json);
	fw_json_number(json, "left-out", (int64_t)answer->left_out);
	fw_json_close(json);
}
