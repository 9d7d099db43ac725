// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The meaning of a merged draft: which services are on, which addresses and ports they name, and
 * the flows that follow. What cannot be meant is an error here, at the place where it was written.
 */

#include "profile/draft.h"

#include <assert.h>
#include <netinet/in.h>
#include <string.h>

/* A warning names so many services that an unset group opens. */
enum { OPENED_SHOWN = 6 };

struct endpoint_list {
	FW_VEC(struct fw_endpoint) items;
};

/* Everything under way. */
struct resolver {
	struct draft *draft;
	const struct fw_request *request;
	struct flows flows;
};

/* The ends of a service's packets, resolved: one for peers, one for its own end. */
struct end {
	struct fw_side side;
	bool nobody; /* it names groups, and none of them has members */
};

/* ---- groups ---- */

/* A long list that is in order, as most are, is the set's as it is. */
static void resolve_members(struct draft *draft, struct endpoints *members, struct fw_set *set) {
	size_t count = members->list.count;

	if (count != 0 && fw_set_share(set, members->list.items, count)) {
		if (!members->shared) {
			fw_arena_keep(draft->arena, members->list.items);
			members->shared = true;
		}
	} else if (count != 0) {
		struct fw_endpoint *endpoints =
			FW_ARENA_ARRAY(draft->arena, struct fw_endpoint, count);
		memcpy(endpoints, members->list.items, count * sizeof(*endpoints));
		fw_set_resolve(set, endpoints, count);
	}
}

struct fw_set *fw_resolve_group(struct draft *draft, struct group *group) {
	if (group->inherited != NULL) {
		group = group->inherited;
	}
	if (group->resolved == NULL) {
		group->resolved = FW_ARENA_NEW(draft->arena, struct fw_set);
		group->resolved->name = group->name;
		group->resolved->title = group->title;
		group->resolved->span = group->set_span;
		resolve_members(draft, group->members, group->resolved);
	}
	return group->resolved;
}

static void use_group(struct group *group) {
	group->used = true;
	if (group->inherited != NULL) {
		group->inherited->used = true;
	}
}

/* The group that a peer names; NULL: an error is in the list. */
static struct group *find_group(struct draft *draft, const struct peer *peer) {
	struct group *group = fw_draft_group(draft, fw_slice(peer->group));
	if (group == NULL) {
		fw_draft_no_group(draft, peer->span, fw_slice(peer->group));
		return NULL;
	}
	use_group(group);
	return group;
}

/* Remembers a service that an unset group opens to anybody, for one warning a group. */
static void note_unset(struct draft *draft, const struct service *service, struct group *group,
	bool input, struct fw_span span) {
	bool opens = group->unset_any && input;

	if (group->state != GROUP_UNSET || service->base ||
		(!opens && group->unset_warning == NULL)) {
		return;
	}
	if (group->opened_count++ == 0) {
		group->opened_span = span;
	}
	if (fw_diags_allows(draft->diags, "unset-group", service->id)) {
		group->tolerated_count++;
		group->tolerated_by = service->id;
	}
	if (group->opened_count <= OPENED_SHOWN) {
		group->opened = fw_arena_printf(draft->arena, "%s%s'%s'",
			group->opened != NULL ? group->opened : "",
			group->opened != NULL ? ", " : "", service->id);
	}
}

static void warn_unset(struct draft *draft) {
	for (struct group *group = draft->groups; group != NULL; group = group->hh.next) {
		if (group->opened_count == 0) {
			continue;
		}
		const char *more = "";
		if (group->opened_count > OPENED_SHOWN) {
			more = fw_arena_printf(
				draft->arena, " and %zu more", group->opened_count - OPENED_SHOWN);
		}
		struct fw_diag *diag;
		if (group->unset_warning != NULL) {
			diag = fw_warning(draft->diags, group->opened_span, "unset-group",
				"group '%s' is not set: %s", group->name, group->unset_warning);
		} else {
			diag = fw_warning(draft->diags, group->opened_span, "unset-group",
				"group '%s' is not set: open to any source: %s%s", group->name,
				group->opened, more);
		}
		if (group->tolerated_count == group->opened_count) {
			fw_diag_about(draft->diags, diag, group->tolerated_by);
		}
		bool devices = strcmp(group->name, FW_DEVICES_GROUP) == 0;
		fw_diag_hint(draft->diags, diag,
			devices ? "name them in the site: %s: [10.8.0.17]"
				: "name them in the site: groups: {%s: [10.0.0.0/24]}",
			group->name);
	}
}

/* ---- ends ---- */

static struct fw_set *literal_set(
	struct draft *draft, const char *name, const struct service *service, struct fw_span span) {
	struct fw_set *set = FW_ARENA_NEW(draft->arena, struct fw_set);
	set->name = name;
	set->title = service->title;
	set->literal = true;
	set->span = span;
	return set;
}

static void resolve_end(struct draft *draft, const struct service *service,
	const struct peers *peers, const char *literal_name, bool input, struct end *end) {
	*end = (struct end){0};
	if (peers->any || peers->count == 0) {
		return;
	}
	const struct fw_set **sets =
		FW_ARENA_ARRAY(draft->arena, const struct fw_set *, peers->count + 1);
	struct fw_endpoint *literals =
		FW_ARENA_ARRAY(draft->arena, struct fw_endpoint, peers->count);
	size_t set_count = 0, literal_count = 0;
	bool any = false;

	for (size_t i = 0; i < peers->count; i++) {
		const struct peer *peer = &peers->items[i];
		if (peer->group == NULL) {
			literals[literal_count++] =
				(struct fw_endpoint){.range = peer->range, .span = peer->span};
			continue;
		}
		struct group *group = find_group(draft, peer);
		if (group == NULL) {
			continue;
		}
		note_unset(draft, service, group, input, peer->span);
		if (group->state == GROUP_LIST) {
			sets[set_count++] = fw_resolve_group(draft, group);
		} else {
			any |= group->state == GROUP_ANY || group->unset_any;
		}
	}
	if (any) {
		return;
	}
	if (literal_count != 0) {
		struct fw_set *set = literal_set(draft, literal_name, service, peers->span);
		fw_set_resolve(set, literals, literal_count);
		sets[set_count++] = set;
	}
	fw_sets_sort(sets, &set_count);
	end->side.sets = sets;
	end->side.set_count = set_count;
	end->nobody = set_count == 0;
}

/* All that a service excepts: a group as it is, else one set made of the parts. */
static const struct fw_set *resolve_except(struct draft *draft, const struct service *service) {
	const struct peers *except = &service->except;
	FW_VEC(struct fw_endpoint) all = {0};

	if (except->count == 1 && except->items[0].group != NULL) {
		struct group *group = fw_draft_group(draft, fw_slice(except->items[0].group));
		if (group != NULL && group->state == GROUP_LIST) {
			use_group(group);
			return fw_resolve_group(draft, group);
		}
	}
	for (size_t i = 0; i < except->count; i++) {
		const struct peer *peer = &except->items[i];
		if (peer->group == NULL) {
			FW_VEC_ADD(&all,
				(struct fw_endpoint){.range = peer->range, .span = peer->span});
			continue;
		}
		struct group *group = find_group(draft, peer);
		if (group == NULL) {
			continue;
		}
		if (group->state != GROUP_LIST) {
			struct fw_diag *diag = fw_error(draft->diags, peer->span, "except-unset",
				"group '%s' is not a list, so nothing can be excepted by it",
				group->name);
			fw_diag_hint(draft->diags, diag, "set the group, or give addresses");
			continue;
		}
		for (size_t j = 0; j < group->members->list.count; j++) {
			struct fw_endpoint endpoint = group->members->list.items[j];
			endpoint.own = NULL;
			FW_VEC_ADD(&all, endpoint);
		}
	}
	struct fw_set *set = NULL;
	if (all.count != 0) {
		struct fw_endpoint *endpoints =
			FW_ARENA_ARRAY(draft->arena, struct fw_endpoint, all.count);
		memcpy(endpoints, all.items, all.count * sizeof(*endpoints));
		set = literal_set(draft, fw_arena_printf(draft->arena, "%s_except", service->id),
			service, except->span);
		fw_set_resolve(set, endpoints, all.count);
	}
	FW_VEC_FINI(&all);
	return set;
}

/* ---- is it on? ---- */

/* Whether the others begin: they are the source then. */
static bool is_inbound(const struct service *service) {
	return service->direction != DIRECTION_OUTPUT && service->direction != DIRECTION_FORWARD;
}

static const struct peers *service_peers(const struct service *service) {
	return is_inbound(service) ? &service->from : &service->to;
}

static const struct peers *service_local(const struct service *service) {
	return is_inbound(service) ? &service->to : &service->from;
}

/* Whether somebody in particular is meant: a list that holds a whole family is as good as any. */
static bool is_named(struct draft *draft, struct group *group) {
	if (group->state != GROUP_LIST) {
		return false;
	}
	const struct fw_set *set = fw_resolve_group(draft, group);
	return !fw_set_covers(set, FW_IPV4) && !fw_set_covers(set, FW_IPV6);
}

/* Whether every group of the peers is named; addresses are names enough. */
static bool peers_are_named(struct draft *draft, const struct service *service) {
	const struct peers *peers = service_peers(service);

	if (peers->any || peers->count == 0) {
		return false;
	}
	for (size_t i = 0; i < peers->count; i++) {
		if (peers->items[i].group == NULL) {
			if (fw_range_is_all(&peers->items[i].range)) {
				return false;
			}
			continue;
		}
		struct group *group = fw_draft_group(draft, fw_slice(peers->items[i].group));
		if (group != NULL) {
			use_group(group);
			if (!is_named(draft, group)) {
				return false;
			}
		}
	}
	return true;
}

static bool is_cut(const struct fw_request *request, enum fw_importance level) {
	bool any_only = false;

	for (size_t i = 0; i < FW_IMPORTANCE_COUNT; i++) {
		any_only |= request->only[i];
	}
	return (any_only && !request->only[level]) || request->without[level];
}

/* A mark that its groups are of use, though the service makes no flow now. */
static void use_groups(struct draft *draft, const struct peers *peers) {
	for (size_t i = 0; i < peers->count; i++) {
		if (peers->items[i].group != NULL) {
			find_group(draft, &peers->items[i]);
		}
	}
}

/* Likewise of its interfaces. */
static void use_interfaces(struct draft *draft, const struct service *service) {
	const struct name_refs *refs[] = {
		&service->interfaces, &service->in_interfaces, &service->out_interfaces};

	for (size_t i = 0; i < FW_LENGTH(refs); i++) {
		for (size_t j = 0; j < refs[i]->count; j++) {
			struct interface *interface =
				fw_draft_interface(draft, fw_slice(refs[i]->items[j].name));
			if (interface != NULL) {
				interface->used = true;
			}
		}
	}
}

static enum fw_service_state find_state(
	const struct resolver *resolver, const struct service *service) {
	struct draft *draft = resolver->draft;

	if (service->turned == ENABLED_OFF || (service->base && service->on_switch != SWITCH_NONE &&
						      !draft->base.switches[service->on_switch])) {
		return FW_SERVICE_OFF;
	}
	if (service->turned != ENABLED_ON &&
		(service->role == NULL || service->enabled == ENABLED_OFF)) {
		return FW_SERVICE_OFF;
	}
	if (!service->base && is_cut(resolver->request, service->level)) {
		return FW_SERVICE_CUT;
	}
	if (service->enabled == ENABLED_WHEN_NAMED && !peers_are_named(draft, service)) {
		return FW_SERVICE_WAITING;
	}
	return FW_SERVICE_ON;
}

/* What was written about a service that makes no flow, and so does nothing. */
static void warn_idle(struct draft *draft, const struct service *service) {
	struct fw_diag *diag;

	if (service->state == FW_SERVICE_OFF && service->base &&
		service->on_switch == SWITCH_NONE) {
		diag = fw_warning(draft->diags, service->turned_span, "essential-off",
			"without '%s' some connections will fail: %s", service->id,
			service->breaks != NULL ? service->breaks : service->title);
		fw_diag_hint(draft->diags, diag, "the base rules let little in; leave it on");
	} else if (service->state == FW_SERVICE_OFF && service->turned == ENABLED_NONE &&
		   service->adjusted_span.source != NULL) {
		diag = fw_warning(draft->diags, service->adjusted_span, "service-off",
			"these settings do nothing: '%s' is off by default", service->id);
		fw_diag_hint(draft->diags, diag, "turn it on with `enabled: on`");
	} else if (service->state == FW_SERVICE_WAITING && service->turned == ENABLED_ON) {
		diag = fw_warning(draft->diags, service->turned_span, "service-waiting",
			"'%s' stays off until the group of its peers is named", service->id);
	} else {
		return;
	}
	fw_diag_about(draft->diags, diag, service->id);
}

/* ---- flows ---- */

static int compare_names(const void *left, const void *right) {
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* Kernel names of the interfaces a service names, sorted, each once. */
struct fw_names fw_resolve_interfaces(struct draft *draft, const struct name_refs *refs) {
	FW_VEC(const char *) names = {0};

	for (size_t i = 0; i < refs->count; i++) {
		struct fw_slice name = fw_slice(refs->items[i].name);
		struct interface *interface = fw_draft_interface(draft, name);
		if (interface == NULL) {
			fw_draft_no_interface(draft, refs->items[i].span, name);
			continue;
		}
		interface->used = true;
		for (size_t j = 0; j < interface->count; j++) {
			FW_VEC_ADD(&names, interface->kernel_names[j]);
		}
	}
	const char **kept = FW_ARENA_ARRAY(draft->arena, const char *, names.count);
	if (names.count != 0) {
		qsort(names.items, names.count, sizeof(*names.items), compare_names);
	}
	size_t count = 0;
	for (size_t i = 0; i < names.count; i++) {
		if (count == 0 || strcmp(kept[count - 1], names.items[i]) != 0) {
			kept[count++] = names.items[i];
		}
	}
	/* None at all would mean every interface. */
	assert(refs->count == 0 || count != 0 || draft->diags->errors != 0);
	FW_VEC_FINI(&names);
	return (struct fw_names){kept, count};
}

static struct fw_log resolve_log(const struct draft *draft, const struct log_setting *log) {
	const struct log_setting *base = &draft->base.log;
	struct fw_log result = {.on = log->on};

	if (!log->on) {
		return result;
	}
	result.prefix = log->prefix != NULL ? log->prefix : base->prefix;
	result.rate = log->rate.count != 0 ? log->rate : base->rate;
	/* A device in a cabinet must not fill its disk because somebody scans it. */
	static const struct fw_rate gentle = {10, FW_MINUTE, FW_BURST_DEFAULT, false};
	if (result.prefix == NULL) {
		result.prefix = "flowfw ";
	}
	if (result.rate.count == 0) {
		result.rate = gentle;
	}
	return result;
}

/* Those of a set who are among the members of another, too. */
static void add_common(
	struct endpoint_list *list, const struct fw_members *one, const struct fw_members *other) {
	for (size_t i = 0; i < one->count; i++) {
		for (size_t j = 0; j < other->count; j++) {
			const struct fw_range *a = &one->items[i].range;
			const struct fw_range *b = &other->items[j].range;
			if (!fw_range_overlaps(a, b)) {
				continue;
			}
			struct fw_endpoint common = one->items[i];
			common.own = NULL;
			if (fw_addr_compare(common.range.first, b->first) < 0) {
				common.range.first = b->first;
			}
			if (fw_addr_compare(common.range.last, b->last) > 0) {
				common.range.last = b->last;
			}
			FW_VEC_ADD(&list->items, common);
		}
	}
}

/* Narrows a side to those who are on another one, too. False: nobody is. */
static bool restrict_side(struct draft *draft, const struct service *service, struct fw_side *side,
	const struct fw_side *to) {
	struct endpoint_list list = {0};

	for (size_t i = 0; i < side->set_count; i++) {
		for (size_t j = 0; j < to->set_count; j++) {
			for (int family = FW_IPV4; family < FW_FAMILY_COUNT; family++) {
				add_common(&list, &side->sets[i]->members[family],
					&to->sets[j]->members[family]);
			}
		}
	}
	size_t count = list.items.count;
	if (count != 0) {
		struct fw_endpoint *endpoints =
			FW_ARENA_ARRAY(draft->arena, struct fw_endpoint, count);
		const struct fw_set **sets = FW_ARENA_ARRAY(draft->arena, const struct fw_set *, 1);
		memcpy(endpoints, list.items.items, count * sizeof(*endpoints));
		struct fw_set *set = literal_set(draft,
			fw_arena_printf(draft->arena, "%s_operators", service->id), service,
			service->touched);
		fw_set_resolve(set, endpoints, count);
		sets[0] = set;
		side->sets = sets;
		side->set_count = 1;
	}
	FW_VEC_FINI(&list.items);
	return count != 0;
}

/*
 * A client may be the router of the network that devices are called from: then the same holds for
 * what passes through it.
 */
static void add_operators(
	struct resolver *resolver, const struct service *service, struct fw_flow flow) {
	struct draft *draft = resolver->draft;
	struct peer peer = {.group = "operators", .span = draft->base.hooks[FW_FORWARD].span};
	struct end operators;

	if (!service->mirrored || draft->base.hooks[FW_FORWARD].verdict == FW_UNTOUCHED) {
		return;
	}
	resolve_end(draft, service, &(struct peers){.items = &peer, .count = 1, .span = peer.span},
		NULL, false, &operators);
	if (operators.nobody) {
		return;
	}
	flow.hook = FW_FORWARD;
	flow.inbound = service->direction == DIRECTION_INPUT;
	flow.in_interfaces = flow.out_interfaces = (struct fw_names){0};
	struct fw_side *side = flow.inbound ? &flow.destination : &flow.source;
	/* Where the profile says who may, it means those among them. */
	if (side->set_count == 0) {
		side->sets = operators.side.sets;
		side->set_count = operators.side.set_count;
	} else if (!restrict_side(draft, service, side, &operators.side)) {
		return;
	}
	FW_VEC_ADD(&resolver->flows.list, flow);
}

/* The flow in each hook that the service's direction means. */
static void add_to_hooks(
	struct resolver *resolver, const struct service *service, struct fw_flow flow) {
	struct draft *draft = resolver->draft;
	const struct fw_names on = fw_resolve_interfaces(draft, &service->interfaces);

	if (service->direction == DIRECTION_FORWARD) {
		flow.hook = FW_FORWARD;
		flow.in_interfaces = fw_resolve_interfaces(draft, &service->in_interfaces);
		flow.out_interfaces = fw_resolve_interfaces(draft, &service->out_interfaces);
		FW_VEC_ADD(&resolver->flows.list, flow);
		return;
	}
	if (service->direction != DIRECTION_OUTPUT) {
		flow.hook = FW_INPUT;
		flow.in_interfaces = on;
		FW_VEC_ADD(&resolver->flows.list, flow);
	}
	if (service->direction != DIRECTION_INPUT) {
		flow.hook = FW_OUTPUT;
		flow.in_interfaces = (struct fw_names){0};
		flow.out_interfaces = on;
		FW_VEC_ADD(&resolver->flows.list, flow);
	}
	add_operators(resolver, service, flow);
}

static void add_flows(struct resolver *resolver, struct service *service) {
	struct draft *draft = resolver->draft;
	bool input = is_inbound(service);
	struct end peers, local;

	resolve_end(draft, service, service_peers(service), service->id, input, &peers);
	resolve_end(draft, service, service_local(service),
		fw_arena_printf(draft->arena, "%s_local", service->id),
		service->direction == DIRECTION_FORWARD, &local);
	if (peers.nobody || local.nobody) {
		service->state = FW_SERVICE_WAITING;
		return;
	}
	if (service->except.count != 0) {
		peers.side.except = resolve_except(draft, service);
	}
	service->own_end = local.side;
	service->excepted = peers.side.except;
	if (service->ports_kind == PORTS_FROM_GROUP && !service->broken) {
		fw_check_from_group(draft, service, &peers.side);
	}
	struct clauses clauses = fw_resolve_clauses(draft, service);
	struct fw_flow flow = {
		.service = service->id,
		.title = service->title,
		.span = service->touched,
		.source = input ? peers.side : local.side,
		.destination = input ? local.side : peers.side,
		.clauses = clauses.items,
		.clause_count = clauses.count,
		.own_ports = service->ports_kind == PORTS_FROM_GROUP || service->some_own,
		.limit = service->limit,
		.log = resolve_log(draft, &service->log),
		.base = service->base,
		.plain_http = fw_service_is_plain(service),
		.provenance = service->provenance,
	};
	if (service->on_switch == SWITCH_ECHO && !draft->base.echo_limited) {
		flow.limit = (struct fw_rate){0};
	}
	flow.hook = input ? FW_INPUT : FW_OUTPUT;
	if (!service->broken && !fw_flow_has_family(&flow, FW_IPV4) &&
		!fw_flow_has_family(&flow, FW_IPV6)) {
		struct fw_diag *diag = fw_warning(draft->diags, service->touched, "matches-nothing",
			"no packet can match '%s': what it names is partly IPv4, partly IPv6",
			service->id);
		fw_diag_hint(
			draft->diags, diag, "a packet's addresses and protocol are of one family");
		fw_diag_about(draft->diags, diag, service->id);
	}
	add_to_hooks(resolver, service, flow);
}

/* A service that goes with another takes its peers, interface and state, unless it has its own. */
static void follow(struct resolver *resolver, struct service *service) {
	struct draft *draft = resolver->draft;
	struct service *leader = fw_draft_service(draft, fw_slice(service->follows));

	if (leader == NULL) {
		fw_draft_no_service(draft, service->follows_span, fw_slice(service->follows));
		return;
	}
	bool same = leader->direction == service->direction;
	if (!service->from_given && !service->to_given) {
		struct peers *peers = is_inbound(service) ? &service->from : &service->to;
		*peers = *service_peers(leader);
	}
	if (service->interfaces.count == 0) {
		service->interfaces = leader->interfaces;
	}
	if (same && service->except.count == 0) {
		service->except = leader->except;
	}
	enum fw_service_state state = find_state(resolver, leader);
	if (state == FW_SERVICE_OFF || state == FW_SERVICE_CUT) {
		service->state = state;
	}
}

static void resolve_service(struct resolver *resolver, struct service *service) {
	struct draft *draft = resolver->draft;

	if (service->follows != NULL) {
		follow(resolver, service);
	}
	if (service->state == FW_SERVICE_NONE) {
		service->state = find_state(resolver, service);
	}
	warn_idle(draft, service);
	if (service->state == FW_SERVICE_ON) {
		/* A broken one goes on for the sake of its other mistakes. */
		if (service->broken || fw_check_service(draft, service)) {
			add_flows(resolver, service);
		}
	} else {
		use_groups(draft, &service->from);
		use_groups(draft, &service->to);
		use_groups(draft, &service->except);
		use_interfaces(draft, service);
	}
}

/* ---- the tunnel ---- */

static void add_vpn_flow(
	struct resolver *resolver, const struct interface *vpn, const struct service *service) {
	struct draft *draft = resolver->draft;
	struct clauses clauses = fw_resolve_clauses(draft, service);
	struct fw_flow flow = {
		.service = service->id,
		.title = service->title,
		.span = vpn->span,
		.hook = FW_INPUT,
		.source.except = service->excepted,
		.destination = service->own_end,
		.clauses = clauses.items,
		.clause_count = clauses.count,
		.limit = service->limit,
		.log = resolve_log(draft, &service->log),
		.plain_http = fw_service_is_plain(service),
		.provenance = service->provenance,
	};
	struct name_ref name = {vpn->name, vpn->span};
	flow.in_interfaces = fw_resolve_interfaces(draft, &(struct name_refs){&name, 1, vpn->span});
	FW_VEC_ADD(&resolver->flows.list, flow);
}

/* What may come in on the interface named vpn, from anybody at its other end. */
static void add_vpn_flows(struct resolver *resolver) {
	struct draft *draft = resolver->draft;
	const struct name_refs *inside = &draft->base.vpn_inside;
	struct interface *vpn = fw_draft_interface(draft, FW_SLICE("vpn"));

	if (vpn != NULL) {
		vpn->used |= inside->count != 0;
	}
	for (size_t i = 0; i < inside->count; i++) {
		const struct name_ref *ref = &inside->items[i];
		struct service *service = fw_draft_service(draft, fw_slice(ref->name));
		if (service == NULL) {
			fw_draft_no_service(draft, ref->span, fw_slice(ref->name));
		} else if (service->mirrored) {
			continue; /* it is called from here, so nothing comes in by it */
		} else if (!is_inbound(service)) {
			fw_error(draft->diags, ref->span, "vpn-inside-output",
				"'%s' is no input service; nothing comes in by it", ref->name);
		} else if (service->state == FW_SERVICE_ON && vpn != NULL) {
			if (!service->in_tunnel) {
				add_vpn_flow(resolver, vpn, service);
			}
			service->in_tunnel = true;
		} else if (draft->base.vpn_inside_by == KIND_SITE && vpn != NULL) {
			struct fw_diag *diag = fw_warning(draft->diags, ref->span, "vpn-inside-off",
				"'%s' is not on, so the tunnel does not admit it", ref->name);
			fw_diag_about(draft->diags, diag, service->id);
		}
	}
}

/* RTP that is let in must come from named cameras: it is never open to any source. */
static void check_rtp(struct draft *draft) {
	for (struct service *service = draft->services; service != NULL;
		service = service->hh.next) {
		bool rtp = service->on_switch == SWITCH_RTP ||
			   service->on_switch == SWITCH_RTP_MULTICAST;
		if (rtp && draft->base.switches[service->on_switch] &&
			service->state == FW_SERVICE_WAITING &&
			draft->base.rtp_span.source != NULL) {
			struct fw_diag *diag = fw_error(draft->diags, draft->base.rtp_span,
				"rtp-without-cameras",
				"media may come in from named cameras only, and none are named");
			fw_diag_hint(draft->diags, diag,
				"name them: groups: {cameras: [10.30.1.11, 10.30.1.12]}");
			return;
		}
	}
}

void fw_resolve(struct draft *draft, const struct fw_request *request, struct fw_profile *profile) {
	struct resolver resolver = {.draft = draft, .request = request};
	struct fw_policy *policy = &profile->policy;

	if (draft->place.position != FW_HOST) {
		fw_declare_devices(draft);
	}
	if (draft->place.position == FW_CLIENT) {
		fw_mirror_services(draft);
	}
	for (struct service *service = draft->services; service != NULL;
		service = service->hh.next) {
		resolve_service(&resolver, service);
	}
	/* What comes through a tunnel of the device's is not seen by the gateway before it. */
	if (draft->gateway == NULL) {
		add_vpn_flows(&resolver);
	}
	check_rtp(draft);
	warn_unset(draft);

	*policy = (struct fw_policy){
		.name = draft->name,
		.title = draft->title,
		.extends = draft->extends,
		.position = draft->place.position,
		.log = resolve_log(draft, &draft->base.log),
		.log_span = draft->base.log.span,
		.counters = draft->base.counters,
	};
	memcpy(policy->hooks, draft->base.hooks, sizeof(policy->hooks));
	for (int hook = FW_INPUT; hook < FW_HOOK_COUNT; hook++) {
		if (policy->hooks[hook].verdict == FW_VERDICT_NONE) {
			fw_error(draft->diags, (struct fw_span){0}, "missing-key",
				"profiles/base.yaml gives no verdict for %s", fw_hook_names[hook]);
		}
	}

	if (draft->place.position == FW_GATEWAY) {
		fw_resolve_gateway(draft, request, &resolver.flows, profile);
	}
	size_t flow_count = resolver.flows.list.count;
	struct fw_flow *flows = FW_ARENA_ARRAY(draft->arena, struct fw_flow, flow_count);
	struct fw_expect *expects =
		FW_ARENA_ARRAY(draft->arena, struct fw_expect, draft->expects.count);
	if (flow_count != 0) {
		memcpy(flows, resolver.flows.list.items, flow_count * sizeof(*flows));
	}
	if (draft->expects.count != 0) {
		memcpy(expects, draft->expects.items, draft->expects.count * sizeof(*expects));
	}
	policy->expects = expects;
	policy->expect_count = draft->expects.count;
	fw_policy_finish(draft->arena, policy, flows, flow_count);
	/* Two sets of one name would be one to a loader, and each flow be open to both. */
	for (size_t i = 1; i < policy->set_count; i++) {
		const struct fw_set *a = policy->sets[i - 1], *b = policy->sets[i];
		assert(a->literal != b->literal || strcmp(a->name, b->name) != 0);
	}
	FW_VEC_FINI(&resolver.flows.list);
}
