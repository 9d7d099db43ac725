// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the settings of one service must be together, after all layers. Each by itself was looked at
 * when it was read.
 */

#include "profile/draft.h"

void fw_check_from_group(
	struct draft *draft, const struct service *service, const struct fw_side *peers) {
	if (service->default_ports.count != 0) {
		return;
	}
	if (peers->set_count == 0) {
		fw_error(draft->diags, service->touched, "no-ports",
			"'%s' takes its ports from its peers, and any peer brings none",
			service->id);
	}
	for (size_t i = 0; i < peers->set_count; i++) {
		for (int family = FW_IPV4; family < FW_FAMILY_COUNT; family++) {
			const struct fw_members *members = &peers->sets[i]->members[family];
			if (members->plain_count == 0) {
				continue;
			}
			struct fw_diag *diag =
				fw_error(draft->diags, members->items[0].span, "no-ports",
					"'%s' needs the port of each of its peers", service->id);
			fw_diag_hint(draft->diags, diag,
				"like: {name: city, address: 203.0.113.9, ports: 443/tcp}");
		}
	}
}

/*
 * A source's bucket is remembered until it would be full again, in a table of limited size: a day
 * is the most that a flood of forged sources may keep it full.
 */
static void check_limit(struct draft *draft, const struct service *service) {
	enum { DAY = 24 * 60 * 60 };
	static const uint64_t seconds[FW_UNIT_COUNT] = {
		[FW_SECOND] = 1, [FW_MINUTE] = 60, [FW_HOUR] = 60 * 60, [FW_DAY] = DAY};
	const struct fw_rate *limit = &service->limit;

	if (!limit->per_source) {
		return;
	}
	if (service->direction != DIRECTION_INPUT && service->direction != DIRECTION_FORWARD) {
		struct fw_diag *diag = fw_error(draft->diags, service->touched, "limit-per-source",
			"the source of what '%s' sends is the device itself", service->id);
		fw_diag_hint(draft->diags, diag, "leave out `per source`");
	}
	if (limit->burst * seconds[limit->unit] > (uint64_t)DAY * limit->count) {
		struct fw_diag *diag = fw_error(draft->diags, service->touched, "limit-per-source",
			"'%s' would remember each source for more than a day", service->id);
		fw_diag_hint(draft->diags, diag, "give a smaller burst or a higher rate");
	}
}

/* A packet of input has no way out, one of output no way in; what is forwarded has both. */
static void check_interfaces(struct draft *draft, const struct service *service) {
	bool forward = service->direction == DIRECTION_FORWARD;
	const struct name_refs *wrong[] = {
		forward ? &service->interfaces : &service->in_interfaces,
		forward ? NULL : &service->out_interfaces,
	};
	for (size_t i = 0; i < FW_LENGTH(wrong); i++) {
		if (wrong[i] == NULL || wrong[i]->count == 0) {
			continue;
		}
		struct fw_diag *diag = fw_error(draft->diags, wrong[i]->span, "interface-direction",
			"'%s' has the direction %s", service->id,
			fw_direction_names[service->direction]);
		fw_diag_hint(draft->diags, diag,
			forward ? "name `in-interface`, `out-interface` or both"
				: "`interface` names the one that its packets come in or go out "
				  "by");
	}
}

bool fw_check_service(struct draft *draft, const struct service *service) {
	size_t errors = draft->diags->errors;
	bool has_match = service->ports.span.source != NULL || service->source_ports.count != 0 ||
			 service->icmp[FW_IPV4].count != 0 || service->icmp[FW_IPV6].count != 0 ||
			 service->protocols.count != 0;

	if (service->direction == DIRECTION_NONE) {
		struct fw_diag *diag = fw_error(draft->diags, service->touched, "no-direction",
			"'%s' has no direction", service->id);
		fw_diag_hint(draft->diags, diag,
			"input: the device listens; output: the device connects; forward: others "
			"do, through this machine");
	}
	if (!has_match) {
		struct fw_diag *diag = fw_error(draft->diags, service->touched, "no-ports",
			"'%s' has no ports", service->id);
		fw_diag_hint(draft->diags, diag,
			service->provenance == FW_SITE
				? "every port of every protocol is too much; name what it needs"
				: "the vendor publishes no number; the site gives it: ports: "
				  "1234/tcp");
	}
	if (service->direction == DIRECTION_BOTH &&
		(service->ports_kind == PORTS_FROM_GROUP || service->except.count != 0)) {
		struct fw_span span =
			service->except.count != 0 ? service->except.span : service->ports.span;
		fw_error(draft->diags, span, "both-directions",
			"'%s' goes both ways, so 'from-group' and 'except' have no side to mean",
			service->id);
	}
	if (service->ports_kind == PORTS_FROM_GROUP && service->source_ports.count != 0) {
		fw_error(draft->diags, service->source_ports.span, "source-ports",
			"'%s' takes its ports from its peers, and they do not say source ports",
			service->id);
	}
	bool more = service->ports.span.source != NULL || service->source_ports.count != 0 ||
		    service->icmp[FW_IPV4].count != 0;
	if (service->hop_limit != 0 &&
		(service->icmp[FW_IPV6].count == 0 || more || service->protocols.count != 0)) {
		fw_error(draft->diags, service->touched, "hop-limit-alone",
			"'%s' has a hop limit, which is for a service of icmpv6 alone",
			service->id);
	}
	if (service->ports_kind == PORTS_FROM_GROUP &&
		(service->icmp[FW_IPV4].count != 0 || service->icmp[FW_IPV6].count != 0 ||
			service->protocols.count != 0)) {
		struct fw_diag *diag = fw_error(draft->diags, service->ports.span,
			"from-group-mixed",
			"'%s' takes its ports from its peers and asks for other protocols too",
			service->id);
		fw_diag_hint(draft->diags, diag, "make two services of it");
	}
	check_interfaces(draft, service);
	check_limit(draft, service);
	return draft->diags->errors == errors;
}
