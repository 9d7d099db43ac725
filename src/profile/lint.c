// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Warnings about what is valid and probably not meant.
 */

#include "profile/draft.h"

#include <netinet/in.h>
#include <string.h>

/* ---- nobody to administer the device ---- */

static bool admits_admins(const struct fw_flow *flow) {
	bool tcp = false, admins = false;

	for (size_t i = 0; i < flow->clause_count; i++) {
		tcp |= flow->clauses[i].protocol == IPPROTO_TCP;
	}
	for (size_t i = 0; i < flow->source.set_count; i++) {
		const struct fw_set *set = flow->source.sets[i];
		admins |= !set->literal && strcmp(set->name, "admins") == 0;
	}
	return tcp && admins && flow->hook == FW_INPUT && flow->provenance == FW_SITE;
}

/*
 * No published row has the port of a secure shell, so a rule set loaded over one cuts its author
 * off at the next connection.
 */
static void lint_admins(struct draft *draft, const struct fw_policy *policy) {
	enum fw_verdict verdict = policy->hooks[FW_INPUT].verdict;
	if (verdict != FW_DROP && verdict != FW_REJECT) {
		return;
	}
	for (size_t i = 0; i < policy->flow_count; i++) {
		if (admits_admins(&policy->flows[i])) {
			return;
		}
	}
	struct fw_diag *diag = fw_warning(draft->diags, (struct fw_span){0}, "no-admin-access",
		"no service of the site's own admits the group 'admins': whoever loads this over "
		"SSH "
		"is cut off at the next connection");
	fw_diag_hint(draft->diags, diag,
		"add: services: {ssh: {direction: input, ports: 22/tcp, from: admins}}");
}

/* ---- the hooks ---- */

/* What the services say means nothing where everything passes anyway. */
static void lint_hooks(struct draft *draft, const struct fw_policy *policy) {
	bool gateway = policy->position == FW_GATEWAY;

	for (int hook = FW_INPUT; hook < FW_HOOK_COUNT; hook++) {
		const struct fw_hook_policy *base = &policy->hooks[hook];
		/* A gateway is there for what passes through, and others are not. */
		bool elsewhere =
			hook == FW_FORWARD ? !gateway : gateway && base->verdict == FW_UNTOUCHED;
		if (!elsewhere && (base->verdict == FW_ACCEPT || base->verdict == FW_UNTOUCHED)) {
			fw_warning(draft->diags, base->span, "hook-open",
				"everything passes %s, whatever the services say",
				fw_hook_names[hook]);
		}
	}
}

/* Docker and the like publish ports through it; a verdict of ours there stops them. */
static void lint_forward(struct draft *draft, const struct fw_policy *policy) {
	const struct fw_hook_policy *forward = &policy->hooks[FW_FORWARD];

	if (policy->position != FW_HOST ||
		(forward->verdict != FW_DROP && forward->verdict != FW_REJECT)) {
		return;
	}
	struct fw_diag *diag = fw_warning(draft->diags, forward->span, "forward-claimed",
		"nothing new is forwarded any more, to and from containers neither");
	fw_diag_hint(draft->diags, diag,
		"`forward: untouched` leaves that hook to docker and whoever else uses it");
}

/* ---- services ---- */

static bool overlaps(const struct port_specs *a, const struct port_spec *b) {
	for (size_t i = 0; i < a->count; i++) {
		if ((a->items[i].protocols & b->protocols) != 0 &&
			a->items[i].ports.low <= b->ports.high &&
			b->ports.low <= a->items[i].ports.high) {
			return true;
		}
	}
	return false;
}

/* Ports of http and http-alt in IANA's registry; what else is plain says so itself. */
static bool is_http(const struct port_spec *spec) {
	uint16_t port = spec->ports.low;

	return port == spec->ports.high && (port == 80 || port == 8080) &&
	       (spec->protocols & FW_PROTO_TCP) != 0;
}

bool fw_service_is_plain(const struct service *service) {
	bool plain = service->plain_http == ENABLED_ON;

	for (size_t i = 0; i < service->ports.count && service->plain_http == ENABLED_NONE; i++) {
		plain |= is_http(&service->ports.items[i]);
	}
	return plain;
}

static void lint_suspect(struct draft *draft, const struct service *service) {
	for (size_t i = 0; i < service->suspect.count; i++) {
		if (!overlaps(&service->ports, &service->suspect.items[i])) {
			continue;
		}
		struct fw_buf port FW_AUTO(fw_buf_fini) = {0};
		fw_ports_format(service->suspect.items[i].ports, &port);
		struct fw_diag *diag = fw_warning(draft->diags, service->ports.span, "suspect-port",
			"port %s of '%s' is probably not meant", port.data, service->id);
		fw_diag_about(draft->diags, diag, service->id);
		if (service->suspect_why != NULL) {
			fw_diag_hint(draft->diags, diag, "%s", service->suspect_why);
		}
	}
}

/* Where a service lets everybody in: at a group that is set so, or at an entry of its own. */
static struct fw_span open_span(
	struct draft *draft, const struct service *service, bool *out_unset) {
	struct fw_span span = service->from.any ? service->from.span : service->touched;

	for (size_t i = 0; i < service->from.count; i++) {
		const struct peer *peer = &service->from.items[i];
		const struct group *group =
			peer->group != NULL ? fw_draft_group(draft, fw_slice(peer->group)) : NULL;
		if (group == NULL) {
			span = fw_range_is_all(&peer->range) ? peer->span : span;
		} else if (group->state == GROUP_UNSET) {
			*out_unset |= group->unset_any;
		} else if (group->state == GROUP_ANY || fw_set_covers(group->resolved, FW_IPV4) ||
			   fw_set_covers(group->resolved, FW_IPV6)) {
			span = group->set_span;
		}
	}
	return span;
}

/* A group that is not set warns by itself; this is for what the site says. */
static void lint_open(struct draft *draft, const struct fw_flow *flow) {
	const struct service *service = fw_draft_service(draft, fw_slice(flow->service));
	bool outside = flow->in_interfaces.count == 0;

	if (flow->base || flow->inbound || flow->hook == FW_OUTPUT ||
		!fw_side_is_open(&flow->source)) {
		return;
	}
	/* What is forwarded from the inside may come from anybody there. */
	for (size_t i = 0; flow->hook == FW_FORWARD && i < service->in_interfaces.count; i++) {
		outside |= strcmp(service->in_interfaces.items[i].name, "inside") != 0;
	}
	if (!outside) {
		return;
	}
	bool unset = false;
	struct fw_span span = open_span(draft, service, &unset);
	if (!unset) {
		struct fw_diag *diag = fw_warning(draft->diags, span, "open-to-any",
			"'%s' is open to any source", service->id);
		fw_diag_about(draft->diags, diag, service->id);
		fw_diag_hint(draft->diags, diag, "name who may use it: from: [10.0.0.0/24]");
	}
}

/* ---- names that nothing uses ---- */

static void lint_unused(struct draft *draft) {
	size_t count = 0;
	const char **used =
		FW_ARENA_ARRAY(draft->arena, const char *, HASH_COUNT(draft->groups) + 1);

	for (struct group *group = draft->groups; group != NULL; group = group->hh.next) {
		if (group->used) {
			used[count++] = group->name;
		}
	}
	for (struct group *group = draft->groups; group != NULL; group = group->hh.next) {
		if ((group->by_site || group->set_span.source != NULL) && !group->used) {
			struct fw_diag *diag = fw_warning(draft->diags, group->span, "unused-group",
				"no service uses the group '%s'", group->name);
			fw_diag_suggest(draft->diags, diag, fw_slice(group->name), used, count);
		}
	}
}

static bool are_named(const struct fw_names *names, const struct interface *interface) {
	for (size_t i = 0; i < names->count; i++) {
		for (size_t j = 0; j < interface->count; j++) {
			if (strcmp(interface->kernel_names[j], names->items[i]) == 0) {
				return true;
			}
		}
	}
	return false;
}

/* Whether an expectation is about it. */
static bool is_expected(const struct fw_policy *policy, const struct interface *interface) {
	for (size_t i = 0; i < policy->expect_count; i++) {
		const struct fw_packet *packet = &policy->expects[i].packet;
		if (are_named(&packet->in, interface) || are_named(&packet->out, interface)) {
			return true;
		}
	}
	return false;
}

static void lint_interfaces(struct draft *draft, const struct fw_policy *policy) {
	static const char *const known[] = {"vpn", "inside", "outside"};

	for (struct interface *interface = draft->interfaces; interface != NULL;
		interface = interface->hh.next) {
		if (!interface->used && !is_expected(policy, interface)) {
			struct fw_diag *diag =
				fw_warning(draft->diags, interface->span, "unused-interface",
					"nothing uses the interface '%s'", interface->name);
			fw_diag_suggest(draft->diags, diag, fw_slice(interface->name), known,
				FW_LENGTH(known));
		}
	}
}

/* ---- entries inside of others ---- */

/* Those with the same ports side by side, and what holds others before them. */
static int by_reach(const void *left, const void *right) {
	const struct fw_endpoint *a = *(const struct fw_endpoint *const *)left;
	const struct fw_endpoint *b = *(const struct fw_endpoint *const *)right;
	int order = fw_port_list_compare(a->own, b->own);

	if (order == 0) {
		order = fw_range_compare(&a->range, &b->range);
	}
	return order != 0 ? order : (a > b) - (a < b);
}

static void warn_nested(struct draft *draft, const struct group *group,
	const struct fw_endpoint *inner, const struct fw_endpoint *outer) {
	FW_AUTO(fw_buf_fini) struct fw_buf entry = {0};
	bool same = fw_range_compare(&inner->range, &outer->range) == 0;

	fw_range_format(&inner->range, &entry);
	struct fw_diag *diag = fw_warning(draft->diags, inner->span, "nested-entry",
		same ? "'%s' is in the group '%s' twice"
		     : "'%s' is inside of another entry of the group '%s'",
		entry.data, group->name);
	fw_diag_note(draft->diags, diag, outer->span, same ? "the first time here" : "this one");
}

static void lint_entries(struct draft *draft, const struct group *group) {
	size_t count = group->members->list.count;
	const struct fw_endpoint **entries = fw_resize(NULL, count, sizeof(*entries));
	const struct fw_endpoint *widest = NULL;

	for (size_t i = 0; i < count; i++) {
		entries[i] = &group->members->list.items[i];
	}
	qsort(entries, count, sizeof(*entries), by_reach);
	for (size_t i = 0; i < count; i++) {
		const struct fw_endpoint *entry = entries[i];
		if (widest != NULL && widest->own == entry->own &&
			fw_range_contains(&widest->range, &entry->range)) {
			warn_nested(draft, group, entry, widest);
		} else if (widest == NULL || widest->own != entry->own ||
			   widest->range.family != entry->range.family ||
			   fw_addr_compare(widest->range.last, entry->range.last) < 0) {
			widest = entry;
		}
	}
	free(entries);
}

/* Only where members were joined, as they are in no list of single addresses. */
static void lint_nested(struct draft *draft) {
	for (struct group *group = draft->groups; group != NULL; group = group->hh.next) {
		const struct fw_set *set = group->resolved;
		if (group->state == GROUP_LIST && set != NULL &&
			set->members[FW_IPV4].count + set->members[FW_IPV6].count <
				group->members->list.count) {
			lint_entries(draft, group);
		}
	}
}

void fw_lint(struct draft *draft, const struct fw_policy *policy) {
	lint_admins(draft, policy);
	lint_hooks(draft, policy);
	lint_forward(draft, policy);
	lint_unused(draft);
	lint_interfaces(draft, policy);
	lint_nested(draft);
	for (size_t i = 0; i < policy->flow_count; i++) {
		lint_open(draft, &policy->flows[i]);
	}
	for (struct service *service = draft->services; service != NULL;
		service = service->hh.next) {
		if (service->state == FW_SERVICE_ON) {
			lint_suspect(draft, service);
		}
	}
}
