// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A gateway: what the devices behind it need becomes flows of the forward hook, and their forwarded
 * ports become a translation. Flows that several devices have alike are one flow for all of them.
 */

#include "profile/gateway.h"

#include <string.h>

/* Warnings name so many services at most. */
enum { OPENED_SHOWN = 8 };

/* ---- what is under way ---- */

/* Devices that have a flow alike. */
struct crowd {
	UT_hash_handle hh; /* by key */
	struct fw_flow flow;
	FW_VEC(size_t) stations; /* indices, in order */
	FW_VEC(family_bits) families;
};

/* What a device is, as a host. */
struct model {
	UT_hash_handle hh; /* by the name of its profile */
	const char *name;
	struct draft draft;
	struct fw_profile profile;
	bool loaded;
};

/* What the gateway's own services list themselves. */
struct own_set {
	UT_hash_handle hh; /* by name */
	const struct fw_set *set;
};

/* A set of a device's own, among those of all devices. */
struct variant {
	UT_hash_handle hh; /* by content */
	struct fw_set *set;
	const char *device; /* the first that has it */
	bool taken;	    /* the gateway itself means something else by its name */
};

static void gateway_fini(struct gateway *gateway) {
	for (struct crowd *crowd = gateway->crowds; crowd != NULL; crowd = crowd->hh.next) {
		FW_VEC_FINI(&crowd->stations);
		FW_VEC_FINI(&crowd->families);
	}
	for (struct model *model = gateway->models; model != NULL; model = model->hh.next) {
		fw_draft_fini(&model->draft);
	}
	HASH_CLEAR(hh, gateway->models);
	HASH_CLEAR(hh, gateway->crowds);
	HASH_CLEAR(hh, gateway->variants);
	HASH_CLEAR(hh, gateway->own_sets);
	fw_forward_fini(gateway);
	FW_VEC_FINI(&gateway->forwardings);
}

static family_bits bit(enum fw_family family) {
	return (family_bits)(1U << family);
}

/* ---- devices ---- */

static int compare_stations(const void *left, const void *right) {
	const struct station *a = left;
	const struct station *b = right;

	return strcmp(a->device->name, b->device->name);
}

/* A device at a gateway has a name, something that it is, and an address of a family or of both. */
static bool check_device(struct draft *draft, const struct device *device) {
	size_t errors = draft->diags->errors;

	if (device->name == NULL) {
		struct fw_diag *diag = fw_error(
			draft->diags, device->span, "missing-key", "the device has no name");
		fw_diag_hint(draft->diags, diag,
			"like: {name: junction-17, extends: xroads, address: 10.8.0.17}");
		return false;
	}
	if ((device->extends == NULL) == (device->site == NULL)) {
		struct fw_diag *diag = fw_error(draft->diags,
			device->extends != NULL ? device->profile_span : device->span,
			device->extends != NULL ? "misplaced-key" : "missing-key",
			device->extends != NULL
				? "'%s' has a profile and a site; one of them will do"
				: "'%s' has neither a profile nor a site file",
			device->name);
		fw_diag_hint(draft->diags, diag,
			"`extends: xroads`, or `site: FILE` for a device with a file of its own");
	}
	if (device->site != NULL && (device->groups != NULL || device->services != NULL)) {
		const struct fw_yaml_node *node =
			device->groups != NULL ? device->groups : device->services;
		struct fw_diag *diag = fw_error(draft->diags, node->span, "misplaced-key",
			"'%s' has a site file of its own, and this belongs there", device->name);
		fw_diag_note(draft->diags, diag, device->profile_span, "named here");
	}
	return draft->diags->errors == errors;
}

/* The address of each family. */
static bool read_addresses(struct draft *draft, struct station *station) {
	const struct device *device = station->device;
	bool good = true;

	for (size_t i = 0; i < device->addresses.count; i++) {
		const struct peer *peer = &device->addresses.items[i];
		enum fw_family family = peer->range.family;
		good &= fw_check_host_address(draft, peer);
		if (!fw_range_is_single(&peer->range)) {
			fw_error(draft->diags, peer->span, "not-single",
				"a device behind a gateway has one address, not a prefix or range");
			good = false;
		} else if (station->has[family]) {
			struct fw_diag *diag = fw_error(draft->diags, peer->span,
				"duplicate-address", "'%s' has two %s addresses", device->name,
				fw_family_names[family]);
			fw_diag_note(draft->diags, diag, station->spans[family], "the other one");
			good = false;
		} else {
			station->has[family] = true;
			station->ranges[family] = peer->range;
			station->spans[family] = peer->span;
		}
	}
	return good;
}

static void read_stations(struct gateway *gateway) {
	const struct place *place = gateway->place;
	gateway->stations =
		FW_ARENA_ARRAY(gateway->draft->arena, struct station, place->device_count);

	for (size_t i = 0; i < place->device_count; i++) {
		struct station *station = &gateway->stations[gateway->count];
		*station = (struct station){.device = &place->devices[i]};
		bool good = check_device(gateway->draft, station->device);
		gateway->count += read_addresses(gateway->draft, station) && good;
	}
	if (gateway->count != 0) {
		qsort(gateway->stations, gateway->count, sizeof(*gateway->stations),
			compare_stations);
	}
}

static void check_names(struct gateway *gateway) {
	for (size_t i = 1; i < gateway->count; i++) {
		const struct device *device = gateway->stations[i].device;
		const struct device *before = gateway->stations[i - 1].device;
		if (strcmp(device->name, before->name) == 0) {
			struct fw_diag *diag = fw_error(gateway->draft->diags, device->span,
				"duplicate-device", "two devices are named '%s'", device->name);
			fw_diag_note(gateway->draft->diags, diag, before->span, "the other one");
		}
	}
}

/* An address and whose it is. */
struct owned {
	struct fw_range range;
	struct fw_span span;
	const char *owner; /* NULL: the gateway's own */
};

static int compare_owned(const void *left, const void *right) {
	const struct owned *a = left;
	const struct owned *b = right;
	int order = fw_range_compare(&a->range, &b->range);

	return order != 0 ? order
			  : (a->span.start > b->span.start) - (a->span.start < b->span.start);
}

static void add_own_addresses(struct owned *all, size_t *count, const struct peers *addresses) {
	for (size_t i = 0; i < addresses->count; i++) {
		all[(*count)++] =
			(struct owned){addresses->items[i].range, addresses->items[i].span, NULL};
	}
}

/* Nobody has an address that is somebody else's. */
static void check_addresses(struct gateway *gateway) {
	struct fw_diags *diags = gateway->draft->diags;
	const struct place *place = gateway->place;
	size_t most = 2 * gateway->count + place->outside.count + place->inside.count, count = 0;
	struct owned *all = FW_ARENA_ARRAY(gateway->draft->arena, struct owned, most);

	add_own_addresses(all, &count, &place->outside);
	add_own_addresses(all, &count, &place->inside);
	for (size_t i = 0; i < gateway->count; i++) {
		const struct station *station = &gateway->stations[i];
		for (int family = FW_IPV4; family < FW_FAMILY_COUNT; family++) {
			if (station->has[family]) {
				all[count++] = (struct owned){station->ranges[family],
					station->spans[family], station->device->name};
			}
		}
	}
	if (count != 0) {
		qsort(all, count, sizeof(*all), compare_owned);
	}
	for (size_t i = 1; i < count; i++) {
		if (fw_range_compare(&all[i - 1].range, &all[i].range) != 0) {
			continue;
		}
		struct fw_diag *diag = fw_error(diags, all[i].span, "duplicate-address",
			"'%s' and '%s' have the same address",
			all[i - 1].owner != NULL ? all[i - 1].owner : "the gateway",
			all[i].owner != NULL ? all[i].owner : "the gateway");
		fw_diag_note(diags, diag, all[i - 1].span, "the other one");
	}
}

/* ---- sets of devices, made one for all that are alike ---- */

static void add_pointer(struct fw_buf *key, const void *pointer) {
	fw_buf_add(key, &pointer, sizeof(pointer));
}

static void add_text(struct fw_buf *key, const char *text) {
	fw_buf_add(key, text != NULL ? text : "", text != NULL ? strlen(text) + 1 : 1);
}

/* Two sets have the same key if nothing that a rule set shows of them differs. */
static void add_content(struct fw_buf *key, const struct fw_set *set) {
	add_text(key, set->name);
	fw_buf_add_char(key, set->literal ? 1 : 0);
	for (int family = FW_IPV4; family < FW_FAMILY_COUNT; family++) {
		const struct fw_members *members = &set->members[family];
		fw_buf_add(key, &members->count, sizeof(members->count));
		for (size_t i = 0; i < members->count; i++) {
			const struct fw_endpoint *endpoint = &members->items[i];
			fw_buf_add(key, &endpoint->range.first, sizeof(endpoint->range.first));
			fw_buf_add(key, &endpoint->range.last, sizeof(endpoint->range.last));
			add_pointer(key, endpoint->own);
			add_text(key, endpoint->name);
		}
	}
}

static bool same_content(const struct fw_set *a, const struct fw_set *b) {
	FW_AUTO(fw_buf_fini) struct fw_buf left = {0};
	FW_AUTO(fw_buf_fini) struct fw_buf right = {0};

	add_content(&left, a);
	add_content(&right, b);
	return fw_slice_equal(fw_buf_slice(&left), fw_buf_slice(&right));
}

static void note_own_set(struct gateway *gateway, const struct fw_set *set) {
	struct own_set *known = NULL;

	if (set == NULL || !set->literal) {
		return;
	}
	HASH_FIND_STR(gateway->own_sets, set->name, known);
	if (known == NULL) {
		known = FW_ARENA_NEW(gateway->draft->arena, struct own_set);
		known->set = set;
		HASH_ADD_KEYPTR(hh, gateway->own_sets, set->name, strlen(set->name), known);
	}
}

static void note_own_side(struct gateway *gateway, const struct fw_side *side) {
	for (size_t i = 0; i < side->set_count; i++) {
		note_own_set(gateway, side->sets[i]);
	}
	note_own_set(gateway, side->except);
}

static void note_own_sets(struct gateway *gateway) {
	for (size_t i = 0; i < gateway->flows->list.count; i++) {
		note_own_side(gateway, &gateway->flows->list.items[i].source);
		note_own_side(gateway, &gateway->flows->list.items[i].destination);
	}
}

/* What the gateway itself calls by this name, or NULL. */
static const struct fw_set *own_set(struct gateway *gateway, const struct fw_set *set) {
	if (set->literal) {
		struct own_set *own = NULL;
		HASH_FIND_STR(gateway->own_sets, set->name, own);
		return own != NULL ? own->set : NULL;
	}
	struct group *group = fw_draft_group(gateway->draft, fw_slice(set->name));
	return group != NULL && group->state == GROUP_LIST ? fw_resolve_group(gateway->draft, group)
							   : NULL;
}

/* The one set with this content. */
static const struct fw_set *unify(
	struct gateway *gateway, const struct device *device, const struct fw_set *set) {
	struct fw_arena *arena = gateway->draft->arena;
	FW_AUTO(fw_buf_fini) struct fw_buf key = {0};
	struct variant *variant = NULL;

	if (set == NULL) {
		return NULL;
	}
	const struct fw_set *own = own_set(gateway, set);
	if (own != NULL && (own == set || same_content(own, set))) {
		return own;
	}
	add_content(&key, set);
	HASH_FIND(hh, gateway->variants, key.data, key.length, variant);
	if (variant == NULL) {
		variant = FW_ARENA_NEW(arena, struct variant);
		variant->set = FW_ARENA_NEW(arena, struct fw_set);
		*variant->set = *set;
		variant->device = device->name;
		variant->taken = own != NULL;
		const char *bytes = fw_arena_text(arena, fw_buf_slice(&key));
		HASH_ADD_KEYPTR(hh, gateway->variants, bytes, key.length, variant);
	}
	return variant->set;
}

static int compare_variants(const void *left, const void *right) {
	const struct variant *a = *(const struct variant *const *)left;
	const struct variant *b = *(const struct variant *const *)right;
	int order = strcmp(a->set->name, b->set->name);

	return order != 0 ? order : (int)a->set->literal - (int)b->set->literal;
}

/*
 * A group of one device, or of some, bears the first one's name, too. What a service lists itself
 * needs that only where devices differ, from each other or from the gateway.
 */
static void name_variants(struct gateway *gateway) {
	struct fw_arena *arena = gateway->draft->arena;
	size_t count = HASH_COUNT(gateway->variants), at = 0;
	struct variant **sorted = FW_ARENA_ARRAY(arena, struct variant *, count);

	for (struct variant *variant = gateway->variants; variant != NULL;
		variant = variant->hh.next) {
		sorted[at++] = variant;
	}
	if (count != 0) {
		qsort(sorted, count, sizeof(*sorted), compare_variants);
	}
	bool *alone = FW_ARENA_ARRAY(arena, bool, count);
	for (size_t i = 0; i < count; i++) {
		alone[i] = (i == 0 || compare_variants(&sorted[i - 1], &sorted[i]) != 0) &&
			   (i + 1 == count || compare_variants(&sorted[i], &sorted[i + 1]) != 0);
	}
	for (size_t i = 0; i < count; i++) {
		struct fw_set *set = sorted[i]->set;
		if (set->literal && alone[i] && !sorted[i]->taken) {
			continue;
		}
		const char *what = set->title != NULL ? set->title : set->name;
		set->title = fw_arena_printf(arena, "%s, of %s", what, sorted[i]->device);
		set->name = fw_arena_printf(arena, "%s.%s", sorted[i]->device, set->name);
	}
}

static struct fw_side unify_side(
	struct gateway *gateway, const struct device *device, const struct fw_side *side) {
	const struct fw_set **sets =
		FW_ARENA_ARRAY(gateway->draft->arena, const struct fw_set *, side->set_count + 1);

	for (size_t i = 0; i < side->set_count; i++) {
		sets[i] = unify(gateway, device, side->sets[i]);
	}
	return (struct fw_side){sets, side->set_count, unify(gateway, device, side->except)};
}

/* ---- flows of a device ---- */

static void add_port_ranges(struct fw_buf *key, const struct fw_ports *ports, size_t count) {
	fw_buf_add(key, &count, sizeof(count));
	fw_buf_add(key, ports, count * sizeof(*ports));
}

static void add_clause(struct fw_buf *key, const struct fw_clause *clause) {
	fw_buf_printf(key, "%d %u %u ", (int)clause->family, clause->protocol, clause->hop_limit);
	add_port_ranges(key, clause->ports, clause->port_count);
	add_port_ranges(key, clause->source_ports, clause->source_port_count);
	fw_buf_add(key, &clause->type_count, sizeof(clause->type_count));
	for (size_t i = 0; i < clause->type_count; i++) {
		fw_buf_printf(key, "%u/%d ", clause->types[i].type, clause->types[i].code);
	}
}

static void add_rate(struct fw_buf *key, const struct fw_rate *rate) {
	fw_buf_printf(key, "%u/%d/%u/%d ", rate->count, (int)rate->unit, rate->burst,
		(int)rate->per_source);
}

/* Two flows have the same key if they differ in nothing but the device. */
static void add_flow_key(struct fw_buf *key, const struct fw_flow *flow, bool inbound) {
	const struct fw_side *peers = fw_flow_peers(flow);

	add_text(key, flow->service);
	add_text(key, flow->title);
	fw_buf_printf(key, "%d%d%d%d ", (int)inbound, (int)flow->own_ports, (int)flow->base,
		(int)flow->provenance);
	add_pointer(key, peers->except);
	for (size_t i = 0; i < peers->set_count; i++) {
		add_pointer(key, peers->sets[i]);
	}
	fw_buf_add_char(key, ' ');
	for (size_t i = 0; i < flow->clause_count; i++) {
		add_clause(key, &flow->clauses[i]);
	}
	add_rate(key, &flow->limit);
	fw_buf_add_char(key, flow->log.on ? 1 : 0);
	add_text(key, flow->log.prefix);
	add_rate(key, &flow->log.rate);
}

/* Which of the device's addresses are its end of the flow: a service may list some. */
static family_bits local_families(const struct station *station, const struct fw_side *local) {
	family_bits families = 0;

	for (int family = FW_IPV4; family < FW_FAMILY_COUNT; family++) {
		bool within = local->set_count == 0;
		for (size_t i = 0; i < local->set_count && !within; i++) {
			const struct fw_members *members = &local->sets[i]->members[family];
			for (size_t j = 0; j < members->count && !within; j++) {
				within = fw_range_contains(
					&members->items[j].range, &station->ranges[family]);
			}
		}
		if (station->has[family] && within) {
			families |= bit((enum fw_family)family);
		}
	}
	return families;
}

static void join_crowd(
	struct gateway *gateway, size_t at, const struct fw_flow *flow, family_bits families) {
	struct fw_arena *arena = gateway->draft->arena;
	FW_AUTO(fw_buf_fini) struct fw_buf key = {0};
	struct crowd *crowd = NULL;

	add_flow_key(&key, flow, flow->inbound);
	HASH_FIND(hh, gateway->crowds, key.data, key.length, crowd);
	if (crowd == NULL) {
		crowd = FW_ARENA_NEW(arena, struct crowd);
		crowd->flow = *flow;
		const char *bytes = fw_arena_text(arena, fw_buf_slice(&key));
		HASH_ADD_KEYPTR(hh, gateway->crowds, bytes, key.length, crowd);
	}
	FW_VEC_ADD(&crowd->stations, at);
	FW_VEC_ADD(&crowd->families, families);
}

/* Whether all that the flow allows comes through a tunnel that ends in the device. */
static bool is_tunnelled(struct draft *own, const struct fw_flow *flow) {
	const struct interface *vpn = fw_draft_interface(own, FW_SLICE("vpn"));
	const struct fw_names *names =
		flow->hook == FW_INPUT ? &flow->in_interfaces : &flow->out_interfaces;

	for (size_t i = 0; i < names->count; i++) {
		bool tunnel = false;
		for (size_t j = 0; vpn != NULL && j < vpn->count && !tunnel; j++) {
			tunnel = strcmp(names->items[i], vpn->kernel_names[j]) == 0;
		}
		if (!tunnel) {
			return false;
		}
	}
	return names->count != 0;
}

family_bits fw_crossing_families(
	const struct station *station, struct draft *own, const struct fw_flow *flow) {
	const struct service *service = fw_draft_service(own, fw_slice(flow->service));

	if (flow->hook == FW_FORWARD || service->crossing != CROSSING_DEVICE ||
		is_tunnelled(own, flow)) {
		return 0;
	}
	return local_families(station, flow->hook == FW_INPUT ? &flow->destination : &flow->source);
}

/* The flow of a host as its gateway sees it, but for the device's own end. */
static void add_device_flow(
	struct gateway *gateway, size_t at, struct draft *own, const struct fw_flow *flow) {
	const struct station *station = &gateway->stations[at];
	bool inbound = flow->hook == FW_INPUT;
	family_bits families = fw_crossing_families(station, own, flow);

	if (families == 0) {
		return;
	}
	struct fw_flow forward = *flow;
	struct fw_side peers = unify_side(gateway, station->device, fw_flow_peers(flow));
	forward.hook = FW_FORWARD;
	forward.inbound = inbound;
	forward.source = inbound ? peers : (struct fw_side){0};
	forward.destination = inbound ? (struct fw_side){0} : peers;
	forward.in_interfaces = inbound ? (struct fw_names){0} : gateway->inside;
	forward.out_interfaces = inbound ? gateway->inside : (struct fw_names){0};
	join_crowd(gateway, at, &forward, families);
}

/* ---- each device ---- */

static void load_model(struct gateway *gateway, const struct device *device, struct model *model) {
	struct draft *draft = gateway->draft;

	fw_draft_init(&model->draft, draft->arena, draft->library, draft->diags);
	model->loaded =
		fw_device_load(&model->draft, draft, device, gateway->request, &model->profile);
}

static void add_device(struct gateway *gateway, size_t at, struct model *model) {
	const struct fw_policy *policy = &model->profile.policy;

	if (!model->loaded) {
		return;
	}
	for (size_t i = 0; i < policy->flow_count; i++) {
		add_device_flow(gateway, at, &model->draft, &policy->flows[i]);
	}
	fw_forward_ports(gateway, &gateway->stations[at], &model->draft, policy);
}

/* Devices that say no more than what they extend are alike, and read once. */
static struct model *shared_model(struct gateway *gateway, const struct device *device) {
	struct model *model = NULL;

	HASH_FIND_STR(gateway->models, device->extends, model);
	if (model == NULL) {
		model = FW_ARENA_NEW(gateway->draft->arena, struct model);
		model->name = device->extends;
		load_model(gateway, device, model);
		HASH_ADD_KEYPTR(hh, gateway->models, model->name, strlen(model->name), model);
	}
	return model;
}

static void resolve_station(struct gateway *gateway, size_t at) {
	const struct device *device = gateway->stations[at].device;

	if (device->site == NULL && device->groups == NULL && device->services == NULL) {
		add_device(gateway, at, shared_model(gateway, device));
		return;
	}
	struct model model = {0};
	fw_library_keep(gateway->draft->library, gateway->draft->diags);
	load_model(gateway, device, &model);
	add_device(gateway, at, &model);
	fw_draft_fini(&model.draft);
}

/* ---- from crowds to flows ---- */

static void add_members(struct gateway *gateway, struct fw_set *set, const size_t *stations,
	const family_bits *families, size_t count) {
	struct fw_endpoint *endpoints =
		FW_ARENA_ARRAY(gateway->draft->arena, struct fw_endpoint, 2 * count);
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		const struct station *station = &gateway->stations[stations[i]];
		for (int family = FW_IPV4; family < FW_FAMILY_COUNT; family++) {
			if (station->has[family] && (families[i] & bit((enum fw_family)family))) {
				endpoints[kept++] =
					(struct fw_endpoint){.range = station->ranges[family],
						.name = station->device->name,
						.span = station->spans[family]};
			}
		}
	}
	fw_set_resolve(set, endpoints, kept);
}

static struct fw_side one_set(struct gateway *gateway, const struct fw_set *set) {
	const struct fw_set **sets =
		FW_ARENA_ARRAY(gateway->draft->arena, const struct fw_set *, 1);

	sets[0] = set;
	return (struct fw_side){.sets = sets, .set_count = 1};
}

/* Whether all devices are in it, with all their addresses. */
static bool is_everybody(const struct gateway *gateway, const struct crowd *crowd) {
	bool all = crowd->stations.count == gateway->count;

	for (size_t i = 0; i < crowd->stations.count && all; i++) {
		const struct station *station = &gateway->stations[crowd->stations.items[i]];
		for (int family = FW_IPV4; family < FW_FAMILY_COUNT; family++) {
			all &= !station->has[family] ||
			       (crowd->families.items[i] & bit((enum fw_family)family)) != 0;
		}
	}
	return all;
}

static struct fw_side crowd_side(struct gateway *gateway, const struct crowd *crowd) {
	if (is_everybody(gateway, crowd)) {
		return one_set(gateway, gateway->all);
	}
	struct fw_arena *arena = gateway->draft->arena;
	const char *first = gateway->stations[crowd->stations.items[0]].device->name;
	struct fw_set *set = FW_ARENA_NEW(arena, struct fw_set);
	set->literal = true;
	set->name = fw_arena_printf(arena, "%s_%s.%s", crowd->flow.service,
		crowd->flow.inbound ? "devices" : "callers", first);
	set->title = fw_arena_printf(
		arena, "devices with '%s' as %s has it", crowd->flow.service, first);
	set->span = crowd->flow.span;
	add_members(
		gateway, set, crowd->stations.items, crowd->families.items, crowd->stations.count);
	return one_set(gateway, set);
}

static void add_crowds(struct gateway *gateway) {
	for (struct crowd *crowd = gateway->crowds; crowd != NULL; crowd = crowd->hh.next) {
		struct fw_flow flow = crowd->flow;
		*(flow.inbound ? &flow.destination : &flow.source) = crowd_side(gateway, crowd);
		FW_VEC_ADD(&gateway->flows->list, flow);
	}
}

/* What the gateway itself lets in and out that concerns every device behind it. */
static void add_base_flows(struct gateway *gateway) {
	size_t count = gateway->flows->list.count;

	for (size_t i = 0; i < count; i++) {
		struct fw_flow flow = gateway->flows->list.items[i];
		const struct service *service =
			fw_draft_service(gateway->draft, fw_slice(flow.service));
		if (flow.hook == FW_FORWARD || service->crossing != CROSSING_GATEWAY) {
			continue;
		}
		flow.inbound = flow.hook == FW_INPUT;
		flow.hook = FW_FORWARD;
		flow.in_interfaces = flow.inbound ? (struct fw_names){0} : gateway->inside;
		flow.out_interfaces = flow.inbound ? gateway->inside : (struct fw_names){0};
		*(flow.inbound ? &flow.destination : &flow.source) = one_set(gateway, gateway->all);
		FW_VEC_ADD(&gateway->flows->list, flow);
	}
}

/* ---- what is probably not meant ---- */

static void warn_open(struct gateway *gateway) {
	struct draft *draft = gateway->draft;
	const char *opened = NULL, *last = NULL;
	size_t count = 0;

	for (size_t i = 0; i < gateway->flows->list.count; i++) {
		const struct fw_flow *flow = &gateway->flows->list.items[i];
		if (!flow->inbound || flow->base || !fw_side_is_open(&flow->source) ||
			(last != NULL && strcmp(last, flow->service) == 0)) {
			continue;
		}
		last = flow->service;
		if (count++ < OPENED_SHOWN) {
			opened = fw_arena_printf(draft->arena, "%s%s'%s'",
				opened != NULL ? opened : "", opened != NULL ? ", " : "", last);
		}
	}
	if (count == 0) {
		return;
	}
	struct fw_diag *diag = fw_warning(draft->diags, gateway->place->devices_span, "open-to-any",
		"devices are open to any source: %s%s", opened, count > OPENED_SHOWN ? " …" : "");
	fw_diag_hint(draft->diags, diag,
		"name who may call them: groups: {clients: [10.0.0.0/24], admins: [10.0.0.7]}");
}

static void warn_nobody(struct gateway *gateway) {
	struct fw_diag *diag = fw_warning(gateway->draft->diags, (struct fw_span){0}, "no-devices",
		"no devices are named, so nothing is forwarded");
	fw_diag_hint(gateway->draft->diags, diag,
		"like: devices: [{name: junction-17, extends: xroads, address: 10.8.0.17}]");
}

/* ---- for lists and comparisons ---- */

static void list_devices(struct gateway *gateway, struct fw_profile *profile) {
	struct fw_arena *arena = gateway->draft->arena;
	struct fw_device *devices = FW_ARENA_ARRAY(arena, struct fw_device, gateway->count);

	for (size_t i = 0; i < gateway->count; i++) {
		const struct station *station = &gateway->stations[i];
		const struct device *device = station->device;
		devices[i] = (struct fw_device){
			.name = device->name,
			.title = device->title,
			.profile = device->site != NULL ? fw_device_site(arena, device)
							: device->extends,
			.site = device->site != NULL,
			.logins = station->logins,
			.login_count = station->login_count,
			.span = device->span,
		};
		for (int family = FW_IPV4; family < FW_FAMILY_COUNT; family++) {
			if (station->has[family]) {
				devices[i].ranges[family] = station->ranges[family];
			}
		}
	}
	profile->devices = devices;
	profile->device_count = gateway->count;
}

/* ---- the whole ---- */

void fw_resolve_gateway(struct draft *draft, const struct fw_request *request, struct flows *flows,
	struct fw_profile *profile) {
	FW_AUTO(gateway_fini)
	struct gateway gateway = {
		.draft = draft,
		.request = request,
		.place = &draft->place,
		.flows = flows,
		.inside = fw_named_interface(draft, "inside"),
		.outside = fw_named_interface(draft, "outside"),
		.all = fw_devices_set(draft),
	};

	read_stations(&gateway);
	check_names(&gateway);
	check_addresses(&gateway);
	note_own_sets(&gateway);
	for (size_t i = 0; i < gateway.count; i++) {
		resolve_station(&gateway, i);
	}
	name_variants(&gateway);
	fw_translate(&gateway, &profile->policy.translation);
	if (gateway.count == 0) {
		warn_nobody(&gateway);
		return;
	}
	add_base_flows(&gateway);
	add_crowds(&gateway);
	warn_open(&gateway);
	list_devices(&gateway, profile);
}

/* ---- one device, by its own file ---- */

struct fw_needs fw_needs_behind(
	struct draft *own, const struct fw_device *device, const struct fw_policy *policy) {
	struct fw_arena *arena = own->arena;
	struct draft FW_AUTO(fw_draft_fini) nobody;
	const struct device only = {.name = device->name, .span = device->span};
	const struct place place = {.position = FW_GATEWAY, .devices_span = device->span};
	struct station station = {.device = &only};
	struct flows flows = {0};
	FW_AUTO(gateway_fini)
	struct gateway gateway = {.draft = &nobody,
		.place = &place,
		.flows = &flows,
		.stations = &station,
		.count = 1};
	size_t first = 0;
	const family_bits every = (family_bits)~0U;
	struct fw_set *set = FW_ARENA_NEW(arena, struct fw_set);

	fw_draft_init(&nobody, arena, own->library, own->diags);
	for (int family = FW_IPV4; family < FW_FAMILY_COUNT; family++) {
		station.has[family] = device->ranges[family].family != FW_FAMILY_NONE;
		station.ranges[family] = device->ranges[family];
	}
	set->name = device->name;
	add_members(&gateway, set, &first, &every, 1);
	gateway.all = set;
	for (size_t i = 0; i < policy->flow_count; i++) {
		add_device_flow(&gateway, 0, own, &policy->flows[i]);
	}
	add_crowds(&gateway);

	struct fw_flow *copy = FW_ARENA_ARRAY(arena, struct fw_flow, flows.list.count);
	if (flows.list.count != 0) {
		memcpy(copy, flows.list.items, flows.list.count * sizeof(*copy));
	}
	struct fw_needs needs = {copy, flows.list.count};
	FW_VEC_FINI(&flows.list);
	return needs;
}
