// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Policies as sets of packets: random ones against a naive judge, packet by packet, and what large
 * and nasty ones cost. FLOWFW_SEED gives other cases than those of every run; one that fails is
 * made small and printed as a profile.
 */

#include "meaning_model.h"

enum { CASES = 300, POINTS = 400, BOXES = 24, CORNERS = 6 };

/* ---- random policies ---- */

/* A case and its meaning; the numbers of interfaces are the same whatever the case uses. */
struct world {
	struct fw_arena arena;
	struct fw_spaces spaces;
	struct fw_interfaces interfaces;
	const struct fw_policy *policy;
	struct fw_meaning meaning;
};

static void world_fini(struct world *world) {
	fw_spaces_fini(&world->spaces);
	fw_arena_fini(&world->arena);
}

static void world_init(struct world *world, const struct m_case *c) {
	*world = (struct world){.interfaces = {.names = {m_interfaces, FW_LENGTH(m_interfaces)}}};
	fw_spaces_init(&world->spaces, NULL);
	world->policy = m_policy(&world->arena, c);
	fw_meaning_init(
		&world->meaning, &world->arena, &world->spaces, &world->interfaces, world->policy);
	ck_assert(!world->spaces.exhausted);
}

/* Whether a packet is one that can be, by the words of fw_space_universe. */
static bool can_be(const struct fw_point *point) {
	const struct fw_addr *values = point->values;
	uint64_t hook = values[FW_VAR_HOOK].low, in = values[FW_VAR_IN].low;
	uint64_t out = values[FW_VAR_OUT].low, protocol = values[FW_VAR_PROTOCOL].low;
	uint64_t source = values[FW_VAR_SOURCE_PORT].low, port = values[FW_VAR_PORT].low;
	uint64_t tracking = values[FW_VAR_TRACKING].low;
	uint64_t interfaces = FW_LENGTH(m_interfaces) + 2;
	bool v4 = values[FW_VAR_FAMILY].low == FW_IPV4;
	bool ports = protocol == IPPROTO_TCP || protocol == IPPROTO_UDP ||
		     protocol == IPPROTO_DCCP || protocol == IPPROTO_SCTP ||
		     protocol == IPPROTO_UDPLITE;
	bool types = protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6;

	return (hook == FW_INPUT || hook == FW_OUTPUT || hook == FW_FORWARD) &&
	       (hook == FW_OUTPUT ? in == 0 : in >= 1 && in <= interfaces) &&
	       (hook == FW_INPUT ? out == 0 : out >= 1 && out <= interfaces) &&
	       (v4 || values[FW_VAR_FAMILY].low == FW_IPV6) && protocol <= UINT8_MAX &&
	       (!v4 || (values[FW_VAR_SOURCE].high == 0 &&
			       values[FW_VAR_SOURCE].low <= UINT32_MAX &&
			       values[FW_VAR_DESTINATION].high == 0 &&
			       values[FW_VAR_DESTINATION].low <= UINT32_MAX)) &&
	       (ports || (types && source <= UINT8_MAX && port <= UINT8_MAX) ||
		       (source == 0 && port == 0)) &&
	       (protocol == IPPROTO_TCP || values[FW_VAR_FLAGS].low == 0) &&
	       (!v4 || values[FW_VAR_HOP_LIMIT].low == 0) && tracking >= FW_TRACKING_NEW &&
	       tracking <= FW_TRACKING_UNTRACKED &&
	       (values[FW_VAR_TRANSLATED].low == 0 ||
		       (tracking != FW_TRACKING_INVALID && tracking != FW_TRACKING_UNTRACKED));
}

/* Mostly one that can be, at and beside the borders of what cases are drawn from. */
static struct fw_point draw_point(void) {
	static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDP,
		IPPROTO_ICMP, IPPROTO_ICMPV6, 2, 47, 132, 255};
	static const enum fw_tracking trackings[] = {FW_TRACKING_NEW, FW_TRACKING_NEW,
		FW_TRACKING_NEW, FW_TRACKING_UNTRACKED, FW_TRACKING_ESTABLISHED,
		FW_TRACKING_RELATED, FW_TRACKING_INVALID, FW_TRACKING_NONE};
	struct fw_point point = {0};
	struct fw_addr *values = point.values;
	enum fw_hook hook = (enum fw_hook)(1 + model_random(3));
	enum fw_family family = m_family();
	uint8_t protocol = protocols[model_random(FW_LENGTH(protocols))];
	bool types = protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6;
	bool ports = protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == 132;

	values[FW_VAR_HOOK] = fw_value(hook);
	values[FW_VAR_IN] = fw_value(hook == FW_OUTPUT ? 0 : 1 + model_random(5));
	values[FW_VAR_OUT] = fw_value(hook == FW_INPUT ? 0 : 1 + model_random(5));
	values[FW_VAR_FAMILY] = fw_value(family);
	values[FW_VAR_PROTOCOL] = fw_value(protocol);
	values[FW_VAR_SOURCE] = m_address(family);
	values[FW_VAR_DESTINATION] = m_address(family);
	if (ports) {
		values[FW_VAR_SOURCE_PORT] = fw_value(m_number());
		values[FW_VAR_PORT] = fw_value(m_number());
	} else if (types) {
		values[FW_VAR_SOURCE_PORT] = fw_value(model_random(2) * 134 + model_random(2));
		values[FW_VAR_PORT] = fw_value(model_random(4));
	}
	values[FW_VAR_FLAGS] = fw_value(protocol == IPPROTO_TCP ? model_random(3) : 0);
	if (family == FW_IPV6) {
		static const uint8_t limits[] = {0, 1, 2, 64, 254, 255};
		values[FW_VAR_HOP_LIMIT] = fw_value(limits[model_random(FW_LENGTH(limits))]);
	}
	values[FW_VAR_TRACKING] = fw_value(trackings[model_random(FW_LENGTH(trackings))]);
	values[FW_VAR_TRANSLATED] = fw_value(model_random(4) == 0);
	if (model_random(16) == 0) {
		size_t odd = 1 + model_random(FW_VAR_COUNT - 1);
		values[odd] = model_near((int)odd);
	}
	return point;
}

/* Whether the meaning and the judge are of one mind about a packet. */
static bool agrees(
	const struct world *world, const struct m_case *c, const struct fw_point *point) {
	bool can = can_be(point);
	uint64_t own = point->values[FW_VAR_HOOK].low;

	for (int hook = FW_INPUT; hook < FW_HOOK_COUNT; hook++) {
		bool here = can && own == (uint64_t)hook;
		bool must = fw_space_contains(&world->spaces, world->meaning.must[hook], point);
		bool may = fw_space_contains(&world->spaces, world->meaning.may[hook], point);
		if (must != (here && m_passes(c, point, false)) ||
			may != (here && m_passes(c, point, true))) {
			return false;
		}
	}
	return true;
}

static bool disagrees_about(const struct m_case *c, const void *context) {
	FW_AUTO(world_fini) struct world world;

	world_init(&world, c);
	return !agrees(&world, c, context);
}

/* The packet, in words that a person can make a sentence for `expect` of. */
static void print_point(const struct fw_point *point, struct fw_buf *out) {
	static const char *const names[FW_VAR_COUNT] = {NULL, "hook", "in", "out", "family",
		"protocol", "source", "destination", "source port or type", "port or code", "flags",
		"hop limit", "tracking", "translated"};
	enum fw_family family = (enum fw_family)point->values[FW_VAR_FAMILY].low;

	for (int var = FW_VAR_HOOK; var < FW_VAR_COUNT; var++) {
		fw_buf_printf(out, "# %s: ", names[var]);
		if ((var == FW_VAR_SOURCE || var == FW_VAR_DESTINATION) &&
			(family == FW_IPV4 || family == FW_IPV6)) {
			fw_addr_format(family, point->values[var], out);
		} else {
			fw_buf_add_uint(out, point->values[var].low);
		}
		fw_buf_add_char(out, '\n');
	}
}

static void check_point(
	const struct world *world, const struct m_case *c, const struct fw_point *point) {
	FW_AUTO(fw_buf_fini) struct fw_buf text = {0};

	if (agrees(world, c, point)) {
		return;
	}
	struct m_case small = *c;
	m_shrink(&small, disagrees_about, point);
	m_print(&small, &text);
	fw_buf_printf(&text, "# This packet %s, or so the judge says:\n",
		!can_be(point)			 ? "cannot be"
		: m_passes(&small, point, false) ? "passes"
		: m_passes(&small, point, true)	 ? "passes by a limit"
						 : "does not pass");
	print_point(point, &text);
	ck_abort_msg("what follows means something else\n%s", text.data);
}

START_TEST(policies_mean_what_is_said_of_them) {
	struct m_case c;
	FW_AUTO(world_fini) struct world world;

	model_seed(_i);
	m_draw(&c);
	world_init(&world, &c);
	for (int i = 0; i < POINTS; i++) {
		const struct fw_point point = draw_point();
		check_point(&world, &c, &point);
	}
}
END_TEST

/* A corner of a box, or what is beside it. */
static struct fw_point corner(const struct fw_box *box, const struct fw_point *witness) {
	struct fw_point point = *witness;

	for (int var = FW_VAR_HOOK; var < FW_VAR_COUNT; var++) {
		const struct fw_intervals *values = &box->values[var];
		if (values->count == 0) {
			continue;
		}
		const struct fw_interval *one = &values->items[model_random(values->count)];
		point.values[var] = model_random(2) == 0 ? one->low : one->high;
		size_t way = model_random(6);
		if (way == 0 && fw_addr_compare(point.values[var], fw_var_max[var]) < 0) {
			point.values[var] = fw_addr_next(point.values[var]);
		} else if (way == 1 && fw_addr_compare(point.values[var], fw_value(0)) > 0) {
			point.values[var] = fw_addr_previous(point.values[var]);
		}
	}
	return point;
}

static void check_corners(struct world *world, const struct m_case *c, fw_space set) {
	FW_AUTO(fw_boxes_fini) struct fw_boxes boxes = {0};

	if (set == FW_SPACE_EMPTY) {
		return;
	}
	ck_assert(fw_space_boxes(&world->spaces, set, FW_SPACE_ALL, BOXES, &boxes));
	for (size_t i = 0; i < boxes.count; i++) {
		fw_space box = fw_box_space(&world->spaces, &boxes.items[i]);
		const struct fw_point witness = fw_space_witness(&world->spaces, box);
		check_point(world, c, &witness);
		for (int j = 0; j < CORNERS; j++) {
			const struct fw_point point = corner(&boxes.items[i], &witness);
			check_point(world, c, &point);
		}
	}
}

/* Here packets come from the sets themselves: what no case was thought of for. */
START_TEST(corners_of_what_passes_and_what_does_not) {
	struct m_case c;
	FW_AUTO(world_fini) struct world world;

	model_seed(_i);
	m_draw(&c);
	world_init(&world, &c);
	fw_space universe =
		fw_space_universe(&world.spaces, fw_interfaces_count(&world.interfaces));
	for (int hook = FW_INPUT; hook < FW_HOOK_COUNT; hook++) {
		fw_space all = fw_space_intersect(&world.spaces, universe,
			model_is(&world.spaces, FW_VAR_HOOK, (uint64_t)hook));
		fw_space must = world.meaning.must[hook], may = world.meaning.may[hook];
		check_corners(&world, &c, must);
		check_corners(&world, &c, fw_space_subtract(&world.spaces, may, must));
		check_corners(&world, &c, fw_space_subtract(&world.spaces, all, may));
	}
}
END_TEST

/* Sets of limited flows lie between what must and what may pass, and make up the difference. */
START_TEST(limited_flows_make_the_difference) {
	struct m_case c;
	FW_AUTO(world_fini) struct world world;
	fw_space rest[FW_HOOK_COUNT];
	size_t limited = 0;

	model_seed(_i);
	m_draw(&c);
	world_init(&world, &c);
	struct fw_spaces *spaces = &world.spaces;
	for (int hook = FW_INPUT; hook < FW_HOOK_COUNT; hook++) {
		ck_assert(fw_space_is_subset(
			spaces, world.meaning.must[hook], world.meaning.may[hook]));
		rest[hook] = fw_space_subtract(
			spaces, world.meaning.may[hook], world.meaning.must[hook]);
	}
	for (size_t i = 0; i < world.policy->flow_count; i++) {
		limited += world.policy->flows[i].limit.count != 0;
	}
	ck_assert_uint_eq(world.meaning.rated_count, limited);
	for (size_t i = 0; i < world.meaning.rated_count; i++) {
		const struct fw_rated *rated = &world.meaning.rated[i];
		enum fw_hook hook = rated->flow->hook;
		ck_assert_uint_eq(fw_space_intersect(spaces, rated->set, world.meaning.must[hook]),
			FW_SPACE_EMPTY);
		ck_assert(fw_space_is_subset(spaces, rated->set, world.meaning.may[hook]));
		rest[hook] = fw_space_subtract(spaces, rest[hook], rated->set);
	}
	for (int hook = FW_INPUT; hook < FW_HOOK_COUNT; hook++) {
		ck_assert_uint_eq(rest[hook], FW_SPACE_EMPTY);
	}
}
END_TEST

/* The order of services, and of what is in their lists, has no meaning. */
START_TEST(order_means_nothing) {
	struct m_case c, turned;
	FW_AUTO(world_fini) struct world world;

	model_seed(_i);
	m_draw(&c);
	world_init(&world, &c);
	turned = c;
	for (size_t i = 0; i < c.service_count; i++) {
		turned.services[i] = c.services[c.service_count - 1 - i];
	}
	for (size_t i = 0; i < M_GROUPS; i++) {
		for (size_t j = 0; j < c.groups[i].count; j++) {
			turned.groups[i].entries[j] =
				c.groups[i].entries[c.groups[i].count - 1 - j];
		}
	}
	struct fw_meaning again;
	fw_meaning_init(&again, &world.arena, &world.spaces, &world.interfaces,
		m_policy(&world.arena, &turned));
	for (int hook = FW_INPUT; hook < FW_HOOK_COUNT; hook++) {
		ck_assert_uint_eq(again.must[hook], world.meaning.must[hook]);
		ck_assert_uint_eq(again.may[hook], world.meaning.may[hook]);
	}
}
END_TEST

/* ---- the shrinking itself ---- */

/* As if packets to port 80 of one host were judged wrongly. */
static bool admits_web(const struct m_case *c, const void *context) {
	return m_passes(c, context, false);
}

START_TEST(failing_cases_are_made_small) {
	struct fw_point point = {0};
	FW_AUTO(fw_buf_fini) struct fw_buf text = {0};
	struct m_case c;

	point.values[FW_VAR_HOOK] = fw_value(FW_INPUT);
	point.values[FW_VAR_IN] = fw_value(2);
	point.values[FW_VAR_FAMILY] = fw_value(FW_IPV4);
	point.values[FW_VAR_PROTOCOL] = fw_value(IPPROTO_TCP);
	point.values[FW_VAR_SOURCE] = point.values[FW_VAR_DESTINATION] = fw_value(0x0a000001);
	point.values[FW_VAR_SOURCE_PORT] = fw_value(1024);
	point.values[FW_VAR_PORT] = fw_value(80);
	point.values[FW_VAR_TRACKING] = fw_value(FW_TRACKING_NEW);
	/* Always the same one: how small a case gets depends on what it is. */
	for (model_state = 1;;) {
		m_draw(&c);
		if (c.verdicts[FW_INPUT] == FW_DROP && c.service_count == M_SERVICES &&
			admits_web(&c, &point)) {
			break;
		}
	}
	m_shrink(&c, admits_web, &point);
	m_print(&c, &text);
	ck_assert_uint_eq(c.service_count, 1);
	ck_assert_uint_eq(c.services[0].from.count + c.services[0].to.count, 0);
	ck_assert_uint_eq(c.services[0].ports.count + c.services[0].source_ports.count, 1);
	ck_assert_ptr_nonnull(strstr(text.data, "services:\n  s0:\n    direction: "));
	ck_assert_ptr_null(strstr(text.data, "groups:"));
}
END_TEST

/* ---- odd services ---- */

/* Whether there is such a warning whose first name is the service's. */
static bool find_warning(const struct fw_diags *diags, const char *service, const char *id) {
	for (size_t i = 0; i < diags->list.count; i++) {
		const struct fw_diag *diag = diags->list.items[i];
		const char *name = strchr(diag->message, '\'') + 1;
		if (strcmp(diag->id, id) == 0 && strncmp(name, service, strlen(service)) == 0) {
			return true;
		}
	}
	return false;
}

/* What a service lets pass beside the loopback, by the limits or without. */
static fw_space service_space(struct world *world, const char *service, bool limited) {
	struct fw_spaces *spaces = &world->spaces;
	fw_space set = FW_SPACE_EMPTY;
	fw_space in = model_is(spaces, FW_VAR_IN, FW_INTERFACE_LOOPBACK);
	fw_space out = model_is(spaces, FW_VAR_OUT, FW_INTERFACE_LOOPBACK);

	for (size_t i = 0; i < world->policy->flow_count; i++) {
		const struct fw_flow *flow = &world->policy->flows[i];
		if (strcmp(flow->service, service) == 0 && (flow->limit.count != 0) == limited &&
			world->policy->hooks[flow->hook].verdict <= FW_REJECT) {
			fw_space one = fw_flow_space(spaces, &world->interfaces, flow);
			one = flow->hook == FW_INPUT ? fw_space_subtract(spaces, one, in) : one;
			one = flow->hook == FW_OUTPUT ? fw_space_subtract(spaces, one, out) : one;
			set = fw_space_union(spaces, set, one);
		}
	}
	return fw_space_intersect(
		spaces, set, fw_space_universe(spaces, fw_interfaces_count(&world->interfaces)));
}

/* Few ports and peers, so that services often hide each other. */
static void draw_alike(struct m_case *c) {
	m_draw(c);
	c->service_count = M_SERVICES;
	for (size_t i = 0; i < M_SERVICES; i++) {
		struct m_service service = {
			.direction = model_random(4) == 0 ? M_BOTH : M_INPUT,
			.limited = model_random(4) == 0,
			.in = model_random(4) == 0 ? 1 : 0,
		};
		uint16_t low = (uint16_t)(80 + model_random(3));
		service.ports.items[0].low = low;
		service.ports.items[0].high = (uint16_t)(low + model_random(3));
		service.ports.items[0].protocols = FW_PROTO_TCP;
		service.ports.count = 1;
		if (model_random(3) == 0) {
			service.from.items[0].group = (int)model_random(2);
			service.from.count = 1;
		}
		c->services[i] = service;
	}
}

/* One after the other, as it is said: hidden where all others together hold it. */
START_TEST(hidden_services_are_found) {
	struct m_case c;
	FW_AUTO(world_fini) struct world world;
	FW_AUTO(fw_diags_fini) struct fw_diags diags = {0};
	fw_space must[M_SERVICES], may[M_SERVICES];
	bool strict[M_SERVICES];

	model_seed(_i);
	draw_alike(&c);
	world_init(&world, &c);
	ck_assert(fw_meaning_lint(&world.spaces, &world.interfaces, world.policy, &diags));
	for (size_t i = 0; i < M_SERVICES; i++) {
		const char *name = fw_arena_printf(&world.arena, "s%zu", i);
		must[i] = service_space(&world, name, false);
		may[i] = service_space(&world, name, true);
		strict[i] =
			c.verdicts[FW_INPUT] <= FW_REJECT &&
			(c.services[i].direction == M_INPUT || c.verdicts[FW_OUTPUT] <= FW_REJECT);
	}
	for (size_t i = 0; i < M_SERVICES; i++) {
		const char *name = fw_arena_printf(&world.arena, "s%zu", i);
		fw_space own = c.services[i].limited ? may[i] : must[i];
		fw_space others = FW_SPACE_EMPTY;
		bool second = false;
		for (size_t j = 0; j < M_SERVICES; j++) {
			bool twin = !c.services[i].limited && must[j] == must[i];
			second |= twin &&
				  (strict[j] < strict[i] || (strict[j] == strict[i] && j < i));
			if (!twin) {
				others = fw_space_union(&world.spaces, others, must[j]);
			}
		}
		second &= own != FW_SPACE_EMPTY;
		bool hidden = own != FW_SPACE_EMPTY && strict[i] && !second &&
			      fw_space_is_subset(&world.spaces, own, others);
		ck_assert_int_eq(find_warning(&diags, name, "same-service"), second && strict[i]);
		ck_assert_int_eq(find_warning(&diags, name, "hidden-service"), hidden);
	}
}
END_TEST

/* ---- large ones ---- */

enum { CAMERAS = 100000, DISTINCT = 65000, NETWORKS = 1000 };

struct large {
	struct fw_arena arena;
	struct fw_set cameras, admins;
	struct fw_clause clause;
	struct fw_ports port;
	struct fw_side camera_side, admin_side;
	const struct fw_set *camera_set, *admin_set;
	struct fw_flow flows[3];
	struct fw_policy policy;
};

static void large_fini(struct large *large) {
	fw_arena_fini(&large->arena);
}

static void make_cameras(struct large *large, size_t count) {
	struct fw_endpoint *items = FW_ARENA_ARRAY(&large->arena, struct fw_endpoint, count);
	struct fw_port_list *lists = FW_ARENA_ARRAY(&large->arena, struct fw_port_list, DISTINCT);
	struct fw_ports *ports = FW_ARENA_ARRAY(&large->arena, struct fw_ports, DISTINCT);
	for (size_t i = 0; i < DISTINCT; i++) {
		uint16_t port = (uint16_t)(i * 7919 % DISTINCT + 500);
		ports[i] = (struct fw_ports){port, port};
		lists[i] = (struct fw_port_list){
			.tcp = &ports[i], .tcp_count = 1, .udp = &ports[i], .udp_count = 1};
	}
	for (size_t i = 0; i < count; i++) {
		struct fw_addr address = fw_value(0x0a000000 + 2 * i);
		items[i] = (struct fw_endpoint){
			.range = {address, address, FW_IPV4}, .own = &lists[i % DISTINCT]};
	}
	large->cameras = (struct fw_set){.name = "cameras"};
	fw_set_resolve(&large->cameras, items, count);
}

static void make_admins(struct large *large) {
	struct fw_endpoint *items = FW_ARENA_ARRAY(&large->arena, struct fw_endpoint, NETWORKS);
	for (size_t i = 0; i < NETWORKS; i++) {
		uint64_t first = 0xac100000 + i * 512;
		items[i].range = (struct fw_range){fw_value(first), fw_value(first + 255), FW_IPV4};
	}
	large->admins = (struct fw_set){.name = "admins"};
	fw_set_resolve(&large->admins, items, NETWORKS);
}

static void large_init(struct large *large, size_t cameras) {
	*large = (struct large){0};
	make_cameras(large, cameras);
	make_admins(large);
	large->camera_set = &large->cameras;
	large->admin_set = &large->admins;
	large->camera_side = (struct fw_side){.sets = &large->camera_set, .set_count = 1};
	large->admin_side = (struct fw_side){.sets = &large->admin_set, .set_count = 1};
	large->port = (struct fw_ports){22, 22};
	large->clause =
		(struct fw_clause){.protocol = IPPROTO_TCP, .ports = &large->port, .port_count = 1};
	large->flows[0] = (struct fw_flow){.service = "rtsp",
		.hook = FW_OUTPUT,
		.destination = large->camera_side,
		.own_ports = true};
	large->flows[1] = (struct fw_flow){.service = "ssh",
		.hook = FW_INPUT,
		.source = large->admin_side,
		.clauses = &large->clause,
		.clause_count = 1};
	large->flows[2] = (struct fw_flow){.service = "through",
		.hook = FW_FORWARD,
		.source = large->admin_side,
		.destination = large->camera_side,
		.own_ports = true};
	for (int hook = FW_INPUT; hook < FW_HOOK_COUNT; hook++) {
		large->policy.hooks[hook].verdict = FW_DROP;
	}
	large->policy.flows = large->flows;
	large->policy.flow_count = FW_LENGTH(large->flows);
}

struct cost {
	uint64_t steps;
	size_t bytes;
	size_t edges; /* of the largest set */
};

/* All that `check` does with sets. */
static struct cost cost_of(struct large *large) {
	const struct fw_policy *policy = &large->policy;
	FW_AUTO(fw_diags_fini) struct fw_diags diags = {0};
	struct fw_interfaces interfaces = fw_interfaces_of(&large->arena, &policy, 1);
	FW_AUTO(fw_spaces_fini) struct fw_spaces spaces;
	struct fw_meaning meaning;
	struct cost cost;

	fw_spaces_init(&spaces, NULL);
	ck_assert(fw_meaning_lint(&spaces, &interfaces, policy, &diags));
	ck_assert_uint_eq(diags.warnings, 0);
	fw_meaning_init(&meaning, &large->arena, &spaces, &interfaces, policy);
	ck_assert(!spaces.exhausted);
	cost.steps = spaces.steps;
	cost.bytes = spaces.bytes;
	cost.edges = fw_space_measure(&spaces, meaning.must[FW_FORWARD]).edges;
	return cost;
}

START_TEST(many_cameras_cost_what_they_are) {
	FW_AUTO(large_fini) struct large large;

	large_init(&large, CAMERAS);
	struct cost cost = cost_of(&large);
	ck_assert_uint_le(cost.edges, 8 * (uint64_t)(CAMERAS + DISTINCT));
	ck_assert_uint_le(cost.steps, 100 * (uint64_t)CAMERAS);
	ck_assert_uint_le(cost.bytes, (size_t)128 << 20);
}
END_TEST

START_TEST(twice_the_cameras_is_twice_the_work) {
	FW_AUTO(large_fini) struct large small, large;

	large_init(&small, CAMERAS / 4);
	large_init(&large, CAMERAS / 2);
	uint64_t first = cost_of(&small).steps, second = cost_of(&large).steps;
	ck_assert_uint_le(second, 2 * first + first / 4);
}
END_TEST

/* ---- nasty ones ---- */

/*
 * Checkerboards: service i is for every second block of 2^i addresses, and for every second block
 * of 2^i ports, of sources and destinations apart. No two have a border in common.
 */
static void make_checkerboard(struct large *large, size_t services, size_t bits) {
	struct fw_flow *flows = FW_ARENA_ARRAY(&large->arena, struct fw_flow, services);
	size_t half = (size_t)1 << (bits - 1);

	*large = (struct large){.arena = large->arena};
	for (size_t i = 0; i < services; i++) {
		struct fw_endpoint *items = FW_ARENA_ARRAY(&large->arena, struct fw_endpoint, half);
		struct fw_set *set = FW_ARENA_NEW(&large->arena, struct fw_set);
		struct fw_clause *clause = FW_ARENA_NEW(&large->arena, struct fw_clause);
		struct fw_ports *ports = FW_ARENA_ARRAY(&large->arena, struct fw_ports, half);
		const struct fw_set **sets = FW_ARENA_NEW(&large->arena, const struct fw_set *);
		for (size_t j = 0; j < half; j++) {
			uint64_t at = j * 2 * (i + 3) + i;
			items[j].range = (struct fw_range){fw_value(0x0a000000 + at),
				fw_value(0x0a000000 + at + i + 1), FW_IPV4};
			ports[j] = (struct fw_ports){(uint16_t)(1 + at), (uint16_t)(1 + at + i)};
		}
		*set = (struct fw_set){.name = fw_arena_printf(&large->arena, "g%zu", i)};
		fw_set_resolve(set, items, half);
		*sets = set;
		*clause = (struct fw_clause){.protocol = IPPROTO_TCP,
			.ports = ports,
			.port_count = fw_ports_normalize(ports, half),
			.source_ports = ports};
		clause->source_port_count = clause->port_count;
		flows[i] = (struct fw_flow){
			.service = fw_arena_printf(&large->arena, "s%zu", i),
			.hook = FW_INPUT,
			.source = {sets, 1, NULL},
			.destination = {sets, 1, NULL},
			.clauses = clause,
			.clause_count = 1,
		};
	}
	for (int hook = FW_INPUT; hook < FW_HOOK_COUNT; hook++) {
		large->policy.hooks[hook].verdict = FW_DROP;
	}
	large->policy.flows = flows;
	large->policy.flow_count = services;
}

START_TEST(checkerboards_end_at_the_bound) {
	static const struct fw_space_limits limits = {(size_t)64 << 20, (uint64_t)1 << 24};
	FW_AUTO(large_fini) struct large large = {0};
	FW_AUTO(fw_diags_fini) struct fw_diags diags = {0};
	FW_AUTO(fw_spaces_fini) struct fw_spaces spaces;
	const struct fw_policy *policy = &large.policy;
	struct fw_meaning meaning;

	make_checkerboard(&large, 24, 10);
	struct fw_interfaces interfaces = fw_interfaces_of(&large.arena, &policy, 1);
	fw_spaces_init(&spaces, &limits);
	ck_assert(!fw_meaning_lint(&spaces, &interfaces, policy, &diags));
	fw_meaning_init(&meaning, &large.arena, &spaces, &interfaces, policy);
	ck_assert(spaces.exhausted);
	ck_assert_uint_le(spaces.bytes, limits.bytes);
	ck_assert_uint_le(spaces.steps, limits.steps + limits.steps / 8);
	ck_assert_uint_eq(diags.warnings, 0);
}
END_TEST

/* Two of them are large, and no matter. */
START_TEST(small_checkerboards_are_fine) {
	FW_AUTO(large_fini) struct large large = {0};

	make_checkerboard(&large, 2, 10);
	struct cost cost = cost_of(&large);
	ck_assert_uint_le(cost.bytes, (size_t)64 << 20);
}
END_TEST

int main(void) {
	Suite *suite = suite_create("meaning");
	TCase *random = tcase_create("random");
	TCase *size = tcase_create("size");

	tcase_set_timeout(random, 0);
	tcase_add_loop_test(random, policies_mean_what_is_said_of_them, 0, CASES);
	tcase_add_loop_test(random, corners_of_what_passes_and_what_does_not, 0, CASES / 3);
	tcase_add_loop_test(random, limited_flows_make_the_difference, 0, CASES / 3);
	tcase_add_loop_test(random, order_means_nothing, 0, CASES / 3);
	tcase_add_loop_test(random, hidden_services_are_found, 0, CASES);
	tcase_add_test(random, failing_cases_are_made_small);
	suite_add_tcase(suite, random);
	tcase_set_timeout(size, 0);
	tcase_add_test(size, many_cameras_cost_what_they_are);
	tcase_add_test(size, twice_the_cameras_is_twice_the_work);
	tcase_add_test(size, checkerboards_end_at_the_bound);
	tcase_add_test(size, small_checkerboards_are_fine);
	suite_add_tcase(suite, size);

	SRunner *runner = srunner_create(suite);
	/* A process for each of some hundreds costs a sanitizer more than all else. */
	srunner_set_fork_status(runner, CK_NOFORK);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
