// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An answer of `explain` for people: short lines, as they may read it on a telephone, the answer
 * first.
 */

#include "cmd/explain.h"

#include <string.h>

/* So many services are told; who asks wants to know one. */
enum { SERVICES_MAX = 4, IDLE_MAX = 3 };

static const char *const verdicts[] = {
	[FW_NO_PACKET] = "DENIED",
	[FW_SOME_PACKETS] = "DEPENDS",
	[FW_ALL_PACKETS] = "ALLOWED",
};

/* Labels of one width, so that what follows stands in a column. */
static void add_label(struct fw_buf *out, const char *label) {
	fw_buf_printf(out, "    %-8s ", label);
}

static void add_place_line(
	struct fw_buf *out, const char *label, const char *what, struct fw_span span) {
	if (span.source == NULL) {
		return;
	}
	add_label(out, label);
	if (what != NULL) {
		fw_buf_printf(out, "%s, ", what);
	}
	fw_reason_add_place(out, span);
	fw_buf_add_char(out, '\n');
}

/* ---- a service ---- */

/* Devices of a gateway read the library's files anew. */
static bool same_span(struct fw_span a, struct fw_span b) {
	return a.source != NULL && b.source != NULL && a.start == b.start &&
	       strcmp(a.source->name, b.source->name) == 0;
}

/* The group and the entry in it that hold the address. */
static void add_entry(struct fw_buf *out, const char *label, const struct fw_entry *entry) {
	const struct fw_endpoint *endpoint = entry->endpoint;

	if (entry->set == NULL) {
		return;
	}
	add_label(out, label);
	if (!entry->set->literal) {
		fw_buf_printf(out, "%s: ", entry->set->name);
	}
	fw_range_format(&endpoint->range, out);
	if (endpoint->name != NULL) {
		fw_buf_add_text(out, " (");
		fw_buf_add_escaped(out, fw_slice(endpoint->name));
		fw_buf_add_char(out, ')');
	}
	if (endpoint->span.source != NULL) {
		fw_buf_add_text(out, ", ");
		fw_reason_add_place(out, endpoint->span);
	}
	fw_buf_add_char(out, '\n');
}

/* Where the peers may be anybody because nobody said who: "clients (any)". */
static void add_unset(
	struct fw_buf *out, const struct fw_service_row *row, const struct fw_flow *flow) {
	bool inbound = fw_flow_peers(flow) == &flow->source;

	if (row != NULL && fw_flow_peers(flow)->set_count == 0 &&
		strstr(row->peers, "(any)") != NULL &&
		(same_span(flow->span, row->span) || same_span(flow->span, row->site_span))) {
		add_label(out, inbound ? "from" : "to");
		fw_buf_printf(out, "%s\n", row->peers);
	}
}

static void add_service(struct fw_buf *out, const struct fw_explained *explained,
	const struct fw_finding_flow *finding) {
	const struct fw_flow *flow = finding->flow;
	const struct fw_service_row *row = fw_reason_row(explained->profile, flow);

	fw_buf_printf(out, "  %s", flow->service);
	if (flow->title != NULL && strcmp(flow->title, flow->service) != 0) {
		fw_buf_add_text(out, ": ");
		fw_buf_add_escaped(out, fw_slice(flow->title));
	}
	fw_buf_add_char(out, '\n');
	if (finding->misses != 0) {
		fw_buf_add_text(out, "    ");
		fw_reason_add_narrower(out, finding, explained->packet, true);
		fw_buf_add_char(out, '\n');
	}
	if (flow->limit.count != 0) {
		add_label(out, "limit");
		fw_buf_add_text(out, "up to ");
		fw_rate_format(&flow->limit, out);
		fw_buf_add_char(out, '\n');
	}
	add_entry(out, "from", &finding->source);
	add_entry(out, "to", &finding->destination);
	add_unset(out, row, flow);
	if (row != NULL) {
		add_place_line(out, "defined", NULL, row->span);
		add_place_line(out, "role", row->role, row->listed_span);
	}
	if (row == NULL || !same_span(flow->span, row->span)) {
		add_place_line(out, "site", NULL, flow->span);
	}
}

/* Those that let all of it pass, if there are any; they come first. */
static size_t count_services(const struct fw_fate *fate) {
	size_t whole = 0;

	while (whole < fate->flow_count && fate->flows[whole].misses == 0) {
		whole++;
	}
	return whole != 0 ? whole : fate->flow_count;
}

static void add_services(
	struct fw_buf *out, const struct fw_explained *explained, const struct fw_fate *fate) {
	size_t count = count_services(fate);

	for (size_t i = 0; i < count && i < SERVICES_MAX; i++) {
		add_service(out, explained, &fate->flows[i]);
	}
	if (count > SERVICES_MAX) {
		fw_buf_printf(out, "  and %zu more services\n", count - SERVICES_MAX);
	}
}

/* ---- what is near ---- */

static void add_nearest(struct fw_buf *out, const struct fw_explained *explained,
	const struct fw_finding_flow *finding) {
	fw_buf_printf(out, "  %s ", finding->flow->service);
	fw_reason_add_narrower(out, finding, explained->packet, true);
	fw_buf_add_text(out, ", ");
	fw_reason_add_place(out, finding->flow->span);
	fw_buf_add_char(out, '\n');
	if (!fw_reason_is_slip(finding)) {
		add_entry(out, "from", &finding->source);
		add_entry(out, "to", &finding->destination);
	}
}

/* Services that make no flow. Returns how many. */
static size_t add_idle(
	struct fw_buf *out, const struct fw_explained *explained, const struct fw_fate *fate) {
	size_t at = 0, count = 0;

	while (count < IDLE_MAX) {
		const struct fw_service_row *row =
			fw_reason_idle(explained->profile, explained->packet, fate->hook, &at);
		if (row == NULL) {
			break;
		}
		fw_buf_printf(out, "  %s ", row->id);
		fw_reason_add_idle(out, row);
		fw_buf_add_text(out, ", ");
		fw_reason_add_place(
			out, row->site_span.source != NULL ? row->site_span : row->span);
		fw_buf_add_char(out, '\n');
		count++;
	}
	return count;
}

static void add_near(
	struct fw_buf *out, const struct fw_explained *explained, const struct fw_fate *fate) {
	size_t idle = fate->ground == FW_GROUND_VERDICT ? add_idle(out, explained, fate) : 0;

	for (size_t i = 0; i < fate->flow_count; i++) {
		if (idle == 0 || !fw_reason_is_slip(&fate->flows[i])) {
			add_nearest(out, explained, &fate->flows[i]);
		}
	}
}

/* ---- translation ---- */

static void add_forwarding(struct fw_buf *out, const struct fw_forwarding *forwarding) {
	const char *protocol = fw_protocol_name(forwarding->protocol);

	fw_buf_printf(out, "  %u/%s goes to %s, ", forwarding->outside_port, protocol,
		forwarding->device);
	fw_addr_format(forwarding->family, forwarding->address, out);
	fw_buf_printf(out, " port %u/%s", forwarding->port, protocol);
	if (forwarding->span.source != NULL) {
		fw_buf_add_text(out, ", ");
		fw_reason_add_place(out, forwarding->span);
	}
	fw_buf_add_char(out, '\n');
}

static void add_source(
	struct fw_buf *out, const struct fw_explained *explained, const struct fw_fate *fate) {
	const struct fw_translation *translation = &explained->profile->policy.translation;

	if (fate->hairpin != FW_NO_PACKET) {
		fw_buf_printf(out, "  %s sees ", fate->forwarding->device);
		fw_addr_format(fate->forwarding->family,
			translation->hairpin_address[fate->forwarding->family], out);
		fw_buf_printf(out, " as the source%s (hairpin), ",
			fate->hairpin == FW_SOME_PACKETS ? " of what comes from inside" : "");
		fw_reason_add_place(out, translation->hairpin_span);
		fw_buf_add_char(out, '\n');
	}
	if (fate->masquerade != FW_NO_PACKET) {
		fw_buf_add_text(out, "  its source becomes the address of ");
		for (size_t i = 0; i < translation->exit.count; i++) {
			fw_buf_printf(
				out, "%s%s", i == 0 ? "" : " or ", translation->exit.items[i]);
		}
		fw_buf_printf(out, "%s (masquerade), ",
			fate->masquerade == FW_SOME_PACKETS ? " where it leaves by that" : "");
		fw_reason_add_place(out, translation->masquerade_span);
		fw_buf_add_char(out, '\n');
	}
}

/* ---- an answer ---- */

static void add_witness(struct fw_buf *out, const struct fw_explained *explained, const char *what,
	const struct fw_point *point) {
	const struct fw_words words = {
		.interfaces = explained->interfaces, .policy = &explained->profile->policy};

	fw_buf_printf(out, "  %s: ", what);
	fw_point_format(&words, point, out);
	fw_buf_add_char(out, '\n');
}

static void add_ground(
	struct fw_buf *out, const struct fw_explained *explained, const struct fw_fate *fate) {
	const struct fw_policy *policy = &explained->profile->policy;
	size_t before = out->length;

	fw_buf_add_text(out, "  ");
	fw_reason_add_ground(out, policy, fate);
	if (out->length == before + strlen("  ")) {
		out->length = before;
		return;
	}
	bool by_verdict = fate->ground == FW_GROUND_VERDICT || fate->ground == FW_GROUND_UNTOUCHED;
	if (by_verdict && policy->hooks[fate->hook].span.source != NULL) {
		fw_buf_add_text(out, ", ");
		fw_reason_add_place(out, policy->hooks[fate->hook].span);
	}
	fw_buf_add_char(out, '\n');
}

static void add_fate(
	struct fw_buf *out, const struct fw_explained *explained, const struct fw_fate *fate) {
	if (fate->forwarding != NULL) {
		add_forwarding(out, fate->forwarding);
	}
	add_source(out, explained, fate);
	add_ground(out, explained, fate);
	if (fate->passing == FW_SOME_PACKETS) {
		add_witness(out, explained, "passes", &fate->passed);
		add_witness(out, explained, "denied", &fate->denied);
	}
	if (fate->passing != FW_NO_PACKET) {
		add_services(out, explained, fate);
	} else {
		add_near(out, explained, fate);
	}
}

void fw_explain_text(const struct fw_explained *explained, bool named, struct fw_buf *out) {
	const struct fw_answer *answer = explained->answer;

	if (named) {
		fw_buf_add_escaped(out, fw_slice(explained->path));
		fw_buf_add_text(out, ": ");
	}
	fw_buf_add_escaped(out, explained->question);
	fw_buf_printf(out, ": %s\n", verdicts[answer->passing]);
	for (size_t i = 0; i < answer->fate_count; i++) {
		const struct fw_fate *fate = &answer->fates[i];
		if (answer->fate_count > 1) {
			fw_buf_printf(out, "%s: %s\n",
				fate->forwarding != NULL ? "- forwarded" : "- all else",
				verdicts[fate->passing]);
		}
		add_fate(out, explained, fate);
	}
	if (answer->left_out != 0) {
		fw_buf_printf(out, "- and %zu more forwarded ports\n", answer->left_out);
	}
}
