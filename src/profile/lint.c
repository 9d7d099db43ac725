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
	for (int hook = FW_INPUT; hook <= FW_OUTPUT; hook++) {
		const struct fw_hook_policy *base = &policy->hooks[hook];
		if (base->verdict == FW_ACCEPT || base->verdict == FW_UNTOUCHED) {
			fw_warning(draft->diags, base->span, "hook-open",
				"everything passes %s, whatever the services say",
				fw_hook_names[hook]);
		}
	}
}

/* Docker and the like publish ports through it; a verdict of ours there stops them. */
static void lint_forward(struct draft *draft, const struct fw_policy *policy) {
	const struct fw_hook_policy *forward = &policy->hooks[FW_FORWARD];

	if (forward->verdict != FW_DROP && forward->verdict != FW_REJECT) {
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

static void lint_suspect(struct draft *draft, const struct service *service) {
	for (size_t i = 0; i < service->suspect.count; i++) {
		if (!overlaps(&service->ports, &service->suspect.items[i])) {
			continue;
		}
		struct fw_buf port FW_AUTO(fw_buf_fini) = {0};
		fw_ports_format(service->suspect.items[i].ports, &port);
		struct fw_diag *diag = fw_warning(draft->diags, service->ports.span, "suspect-port",
			"port %s of '%s' is probably not meant", port.data, service->id);
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
	if (flow->base || flow->hook != FW_INPUT || flow->in_interfaces.count != 0 ||
		!fw_side_is_open(&flow->source)) {
		return;
	}
	const struct service *service = fw_draft_service(draft, fw_slice(flow->service));
	bool unset = false;
	struct fw_span span = open_span(draft, service, &unset);
	if (!unset) {
		struct fw_diag *diag = fw_warning(draft->diags, span, "open-to-any",
			"'%s' is open to any source", service->id);
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
		if (group->by_site && !group->used) {
			struct fw_diag *diag = fw_warning(draft->diags, group->span, "unused-group",
				"no service uses the group '%s'", group->name);
			fw_diag_suggest(draft->diags, diag, fw_slice(group->name), used, count);
		}
	}
}

void fw_lint(struct draft *draft, const struct fw_policy *policy) {
	lint_admins(draft, policy);
	lint_hooks(draft, policy);
	lint_forward(draft, policy);
	lint_unused(draft);
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
