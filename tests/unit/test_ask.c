// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What becomes of packets in words: random policies and descriptions against a judge that looks at
 * one packet after the other. FLOWFW_SEED gives other cases than those of every run; one that fails
 * is made small and printed as a profile.
 */

#include "meaning_model.h"

enum { CASES = 200, QUESTIONS = 24, SAMPLES = 80, FORWARDINGS_MAX = 4 };

/* By number, from 1 on; the last is no interface of any case. */
static const char *const names[] = {"lo", "eth0", "eth1", "wg0", "eth9"};

/* A case, asked. */
struct world {
	struct fw_arena arena;
	struct fw_spaces spaces;
	struct fw_interfaces interfaces;
	struct fw_policy *policy;
	struct fw_meaning meaning;
	struct fw_oracle oracle;
};

static void world_fini(struct world *world) {
	fw_spaces_fini(&world->spaces);
	fw_arena_fini(&world->arena);
}

static void world_init(
	struct world *world, const struct m_case *c, const struct fw_translation *translation) {
	*world = (struct world){.interfaces = {.names = {m_interfaces, FW_LENGTH(m_interfaces)}}};
	fw_spaces_init(&world->spaces, NULL);
	world->policy = m_policy(&world->arena, c);
	if (translation != NULL) {
		world->policy->translation = *translation;
	}
	fw_meaning_init(
		&world->meaning, &world->arena, &world->spaces, &world->interfaces, world->policy);
	fw_oracle_init(&world->oracle, &world->arena, &world->spaces, &world->interfaces,
		world->policy, &world->meaning);
	ck_assert(!world->spaces.exhausted);
}

/* ---- descriptions ---- */

static const struct fw_names *draw_interface(void) {
	static const struct fw_names none, one[] = {{&names[1], 1}, {&names[2], 1}, {&names[3], 1},
						   {&names[4], 1}, {&names[1], 2}, {&names[0], 1}};
	return model_random(2) == 0 ? &none : &one[model_random(FW_LENGTH(one))];
}

static void draw_header(struct fw_packet *packet) {
	static const int protocols[] = {IPPROTO_TCP, IPPROTO_TCP, IPPROTO_UDP, 2, 47};
	static const uint8_t types[] = {0, 1, 132, 133, 134, 137, 138};

	if (model_random(5) == 0) {
		packet->family = m_family();
		packet->protocol = packet->family == FW_IPV4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
		packet->has_type = true;
		packet->type.type = types[model_random(FW_LENGTH(types))];
		packet->type.code = (int16_t)((int)model_random(4) - 1);
		return;
	}
	if (model_random(6) != 0) {
		packet->protocol = protocols[model_random(FW_LENGTH(protocols))];
	}
	bool ports = packet->protocol == IPPROTO_TCP || packet->protocol == IPPROTO_UDP;
	if (ports && model_random(4) != 0) {
		packet->port = m_number();
	}
	if ((ports || packet->protocol < 0) && model_random(4) == 0) {
		packet->source_port = m_number();
	}
}

static struct fw_packet draw_packet(void) {
	struct fw_packet packet = {.hook = (enum fw_hook)(1 + model_random(3)),
		.protocol = -1,
		.port = -1,
		.source_port = -1};

	draw_header(&packet);
	if (packet.family == FW_FAMILY_NONE && model_random(4) != 0) {
		packet.family = m_family();
	}
	if (packet.family != FW_FAMILY_NONE) {
		struct fw_addr source = m_address(packet.family), own = m_address(packet.family);
		packet.has_source = model_random(4) != 0;
		packet.source = (struct fw_range){source, source, packet.family};
		packet.has_destination = model_random(3) != 0;
		packet.destination = (struct fw_range){own, own, packet.family};
		if (!packet.has_source && !packet.has_destination && !packet.has_type) {
			packet.family = FW_FAMILY_NONE;
		}
	}
	if (packet.hook != FW_OUTPUT) {
		packet.in = *draw_interface();
	}
	if (packet.hook != FW_INPUT) {
		packet.out = *draw_interface();
	}
	if (model_random(8) == 0) {
		packet.tracking = (unsigned)(1 + model_random(FW_TRACKING_COUNT - 1));
	}
	return packet;
}

/* ---- packets that fit, one by one ---- */

static bool interface_fits(const struct fw_names *said, uint64_t number) {
	for (size_t i = 0; i < said->count; i++) {
		for (size_t j = 0; j < FW_LENGTH(names); j++) {
			if (said->items[i] == names[j] && number == j + 1) {
				return true;
			}
		}
	}
	return said->count == 0 && number != FW_INTERFACE_LOOPBACK;
}

static bool number_fits(int said, struct fw_addr value) {
	return said < 0 || (value.high == 0 && value.low == (uint64_t)said);
}

static bool is_discovery(const struct fw_packet *packet) {
	return packet->has_type && packet->family == FW_IPV6 && packet->type.type >= 133 &&
	       packet->type.type <= 137;
}

/* Whether a packet that can be fits the description. */
static bool fits(const struct fw_packet *packet, const struct fw_point *point) {
	const struct fw_addr *values = point->values;
	uint64_t protocol = values[FW_VAR_PROTOCOL].low, tracking = values[FW_VAR_TRACKING].low;
	bool ports = protocol == IPPROTO_TCP || protocol == IPPROTO_UDP;

	return values[FW_VAR_HOOK].low == packet->hook &&
	       (packet->hook == FW_OUTPUT || interface_fits(&packet->in, values[FW_VAR_IN].low)) &&
	       (packet->hook == FW_INPUT || interface_fits(&packet->out, values[FW_VAR_OUT].low)) &&
	       (packet->family == FW_FAMILY_NONE || values[FW_VAR_FAMILY].low == packet->family) &&
	       (!packet->has_source ||
		       fw_addr_compare(values[FW_VAR_SOURCE], packet->source.first) == 0) &&
	       (!packet->has_destination || fw_addr_compare(values[FW_VAR_DESTINATION],
						    packet->destination.first) == 0) &&
	       number_fits(packet->protocol, values[FW_VAR_PROTOCOL]) &&
	       number_fits(packet->port, values[FW_VAR_PORT]) &&
	       (packet->source_port < 0 || ports) &&
	       number_fits(packet->source_port, values[FW_VAR_SOURCE_PORT]) &&
	       (!packet->has_type ||
		       (values[FW_VAR_SOURCE_PORT].low == packet->type.type &&
			       number_fits(packet->type.code, values[FW_VAR_PORT]))) &&
	       (!is_discovery(packet) || values[FW_VAR_HOP_LIMIT].low == 255) &&
	       (packet->tracking != FW_TRACKING_NONE
			       ? tracking == packet->tracking
			       : tracking == FW_TRACKING_NEW || tracking == FW_TRACKING_UNTRACKED);
}

static uint64_t draw_number_of(const struct fw_names *said) {
	uint64_t number = 1 + model_random(FW_LENGTH(names));

	while (!interface_fits(said, number)) {
		number = 1 + model_random(FW_LENGTH(names));
	}
	return number;
}

static void draw_ports(const struct fw_packet *packet, uint64_t protocol, struct fw_addr *values) {
	if (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6) {
		values[FW_VAR_SOURCE_PORT] =
			fw_value(packet->has_type ? packet->type.type : model_random(2) * 134);
		values[FW_VAR_PORT] = fw_value(packet->has_type && packet->type.code >= 0
						       ? (uint64_t)packet->type.code
						       : model_random(4));
	} else if (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP) {
		values[FW_VAR_SOURCE_PORT] = fw_value(
			packet->source_port >= 0 ? (uint64_t)packet->source_port : m_number());
		values[FW_VAR_PORT] =
			fw_value(packet->port >= 0 ? (uint64_t)packet->port : m_number());
	}
}

/* One that fits; what is not said, at and beside the borders of what cases are drawn from. */
static struct fw_point draw_fitting(const struct fw_packet *packet) {
	static const uint8_t protocols[] = {
		IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6, 2, 47, 255};
	static const uint8_t limits[] = {0, 1, 64, 255};
	struct fw_point point = {0};
	struct fw_addr *values = point.values;
	enum fw_family family = packet->family != FW_FAMILY_NONE ? packet->family : m_family();
	uint64_t protocol = packet->protocol >= 0 ? (uint64_t)packet->protocol
			    : packet->source_port >= 0
				    ? protocols[model_random(2)]
				    : protocols[model_random(FW_LENGTH(protocols))];

	values[FW_VAR_HOOK] = fw_value(packet->hook);
	values[FW_VAR_IN] = fw_value(packet->hook == FW_OUTPUT ? 0 : draw_number_of(&packet->in));
	values[FW_VAR_OUT] = fw_value(packet->hook == FW_INPUT ? 0 : draw_number_of(&packet->out));
	values[FW_VAR_FAMILY] = fw_value(family);
	values[FW_VAR_PROTOCOL] = fw_value(protocol);
	values[FW_VAR_SOURCE] = packet->has_source ? packet->source.first : m_address(family);
	values[FW_VAR_DESTINATION] =
		packet->has_destination ? packet->destination.first : m_address(family);
	draw_ports(packet, protocol, values);
	values[FW_VAR_FLAGS] = fw_value(protocol == IPPROTO_TCP ? model_random(3) : 0);
	if (family == FW_IPV6) {
		values[FW_VAR_HOP_LIMIT] = fw_value(
			is_discovery(packet) ? 255 : limits[model_random(FW_LENGTH(limits))]);
	}
	values[FW_VAR_TRACKING] = fw_value(packet->tracking != FW_TRACKING_NONE ? packet->tracking
					   : model_random(3) == 0 ? (unsigned)FW_TRACKING_UNTRACKED
								  : (unsigned)FW_TRACKING_NEW);
	ck_assert(fits(packet, &point));
	return point;
}

/* ---- where the answer is wrong: NULL, it is not ---- */

static const struct m_service *service_of(
	const struct m_case *c, const struct fw_finding_flow *found) {
	return &c->services[strtoul(found->flow->service + 1, NULL, 10)];
}

static const struct fw_finding_flow *find_flow(
	const struct fw_fate *fate, const struct m_case *c, size_t service) {
	for (size_t i = 0; i < fate->flow_count; i++) {
		if (service_of(c, &fate->flows[i]) == &c->services[service]) {
			return &fate->flows[i];
		}
	}
	return NULL;
}

static const char *wrong_entries(const struct fw_packet *packet, const struct fw_fate *fate) {
	for (size_t i = 0; i < fate->flow_count; i++) {
		const struct fw_entry *source = &fate->flows[i].source;
		const struct fw_entry *destination = &fate->flows[i].destination;
		if (source->set != NULL &&
			!fw_range_contains(&source->endpoint->range, &packet->source)) {
			return "the entry does not hold the source";
		}
		if (destination->set != NULL &&
			!fw_range_contains(&destination->endpoint->range, &packet->destination)) {
			return "the entry does not hold the destination";
		}
	}
	return NULL;
}

/* Whether services are told that let the packet pass, and those are not that do not. */
static const char *wrong_flows(
	const struct m_case *c, const struct fw_fate *fate, const struct fw_point *point) {
	for (size_t i = 0; i < c->service_count; i++) {
		const struct fw_finding_flow *found = find_flow(fate, c, i);
		bool allows = m_allows(c, &c->services[i], point);
		if (fate->passing == FW_NO_PACKET) {
			if (allows) {
				return "a service allows what is denied";
			}
			if (found != NULL && found->misses == 0) {
				return "the nearest service misses nothing";
			}
		} else if (fate->ground == FW_GROUND_FLOW) {
			if (allows && found == NULL) {
				return "a service that allows it is not told";
			}
			if (!allows && found != NULL && found->misses == 0) {
				return "a service that does not allow it is told as one that does";
			}
		}
	}
	return NULL;
}

static const char *wrong_about(const struct m_case *c, const struct fw_packet *packet,
	const struct fw_fate *fate, const struct fw_point *point) {
	bool passes = m_passes(c, point, true);

	if (fate->passing == FW_ALL_PACKETS && !passes) {
		return "all passes, but not this";
	}
	if (fate->passing == FW_NO_PACKET && passes) {
		return "nothing passes, but this";
	}
	if (!fate->limited && passes != m_passes(c, point, false)) {
		return "this passes by a limit that is not told";
	}
	uint64_t tracking = point->values[FW_VAR_TRACKING].low;
	if (tracking != FW_TRACKING_NEW && tracking != FW_TRACKING_UNTRACKED) {
		return NULL;
	}
	const char *wrong = wrong_flows(c, fate, point);
	return wrong != NULL ? wrong : wrong_entries(packet, fate);
}

static const char *wrong_witnesses(
	const struct m_case *c, const struct fw_packet *packet, const struct fw_fate *fate) {
	if (fate->passing != FW_NO_PACKET &&
		(!fits(packet, &fate->passed) || !m_passes(c, &fate->passed, true))) {
		return "the passing witness is none";
	}
	if (fate->passing != FW_ALL_PACKETS &&
		(!fits(packet, &fate->denied) || m_passes(c, &fate->denied, true))) {
		return "the denied witness is none";
	}
	return NULL;
}

struct question {
	struct fw_packet packet;
	struct fw_point points[SAMPLES]; /* that fit it */
};

static const char *wrong_answer(const struct m_case *c, const struct question *question) {
	FW_AUTO(world_fini) struct world world;
	struct fw_answer answer;
	enum fw_share share;

	world_init(&world, c, NULL);
	ck_assert(fw_ask(&world.oracle, &question->packet, &answer));
	ck_assert(fw_ask_share(&world.oracle, &question->packet, &share));
	if (answer.fate_count != 1 || answer.left_out != 0 || share != answer.passing ||
		share != answer.fates[0].passing) {
		return "the parts of the answer do not fit each other";
	}
	fw_space set = fw_packet_space(&world.spaces, &world.interfaces, &question->packet);
	const char *wrong = wrong_witnesses(c, &question->packet, &answer.fates[0]);
	for (size_t i = 0; i < SAMPLES && wrong == NULL; i++) {
		if (!fw_space_contains(&world.spaces, set, &question->points[i])) {
			return "a packet that fits is not in the set";
		}
		wrong = wrong_about(c, &question->packet, &answer.fates[0], &question->points[i]);
	}
	return wrong;
}

static bool is_wrong(const struct m_case *c, const void *context) {
	return wrong_answer(c, context) != NULL;
}

static void print_question(const struct fw_packet *packet, struct fw_buf *out) {
	fw_buf_printf(out, "# %s, protocol %d, port %d, source port %d, state %u, family %d",
		fw_hook_names[packet->hook], packet->protocol, packet->port, packet->source_port,
		packet->tracking, (int)packet->family);
	if (packet->has_type) {
		fw_buf_printf(out, ", type %u/%d", packet->type.type, packet->type.code);
	}
	if (packet->has_source) {
		fw_buf_add_text(out, ", from ");
		fw_range_format(&packet->source, out);
	}
	if (packet->has_destination) {
		fw_buf_add_text(out, ", to ");
		fw_range_format(&packet->destination, out);
	}
	for (size_t i = 0; i < packet->in.count; i++) {
		fw_buf_printf(out, ", in by %s", packet->in.items[i]);
	}
	for (size_t i = 0; i < packet->out.count; i++) {
		fw_buf_printf(out, ", out by %s", packet->out.items[i]);
	}
	fw_buf_add_char(out, '\n');
}

static void check_answer(const struct m_case *c, const struct question *question) {
	FW_AUTO(fw_buf_fini) struct fw_buf text = {0};

	if (wrong_answer(c, question) == NULL) {
		return;
	}
	struct m_case small = *c;
	m_shrink(&small, is_wrong, question);
	m_print(&small, &text);
	print_question(&question->packet, &text);
	ck_abort_msg("%s\n%s", wrong_answer(&small, question), text.data);
}

START_TEST(answers_are_right) {
	struct m_case c;
	struct question question;

	model_seed(_i);
	m_draw(&c);
	for (int i = 0; i < QUESTIONS; i++) {
		question.packet = draw_packet();
		for (size_t j = 0; j < SAMPLES; j++) {
			question.points[j] = draw_fitting(&question.packet);
		}
		check_answer(&c, &question);
	}
}
END_TEST

/* The description with one thing changed, or another one. */
static struct fw_packet draw_other(struct fw_packet packet) {
	switch (model_random(6)) {
	case 0:
		packet.port = packet.port >= 0 ? m_number() : -1;
		break;
	case 1:
		packet.has_source = false;
		break;
	case 2:
		packet.has_destination = false;
		break;
	case 3:
		packet.in = packet.out = (struct fw_names){&names[model_random(5)], 1};
		break;
	case 4:
		packet.tracking = (unsigned)(1 + model_random(FW_TRACKING_COUNT - 1));
		break;
	default:
		return draw_packet();
	}
	return packet;
}

START_TEST(descriptions_hold_what_fits) {
	struct m_case c;
	FW_AUTO(world_fini) struct world world;

	model_seed(_i);
	m_draw(&c);
	world_init(&world, &c, NULL);
	for (int i = 0; i < QUESTIONS; i++) {
		const struct fw_packet packet = draw_packet();
		fw_space set = fw_packet_space(&world.spaces, &world.interfaces, &packet);
		for (int j = 0; j < SAMPLES; j++) {
			const struct fw_packet other = draw_other(packet);
			struct fw_point point = draw_fitting(&other);
			if (point.values[FW_VAR_FAMILY].low == FW_IPV6 && model_random(2) == 0) {
				point.values[FW_VAR_HOP_LIMIT] = fw_value(254 + model_random(2));
			}
			ck_assert_int_eq(fw_space_contains(&world.spaces, set, &point),
				fits(&packet, &point));
		}
	}
}
END_TEST

/* ---- gateways ---- */

/* A translation and what it is made of. */
struct gateway {
	struct fw_translation translation;
	struct fw_forwarding forwardings[FORWARDINGS_MAX];
	struct fw_set outside, hairpin, masqueraded;
	struct fw_endpoint addresses[2], inside[2], leaving[2];
};

static void draw_set(struct fw_set *set, struct fw_endpoint *items, bool single, bool ipv4) {
	size_t count = 1 + model_random(2);

	for (size_t i = 0; i < count; i++) {
		do {
			items[i] = (struct fw_endpoint){.range = m_range()};
		} while (ipv4 && items[i].range.family != FW_IPV4);
		if (single) {
			items[i].range.last = items[i].range.first;
		}
	}
	*set = (struct fw_set){.name = "nat", .literal = true};
	fw_set_resolve(set, items, count);
}

static bool is_taken(const struct gateway *gateway, const struct fw_forwarding *forwarding) {
	for (size_t i = 0; i < gateway->translation.forwarding_count; i++) {
		const struct fw_forwarding *other = &gateway->forwardings[i];
		if (other->family == forwarding->family &&
			other->protocol == forwarding->protocol &&
			other->outside_port == forwarding->outside_port) {
			return true;
		}
	}
	return false;
}

static void draw_gateway(struct gateway *gateway) {
	struct fw_translation *translation = &gateway->translation;

	memset(gateway, 0, sizeof(*gateway));
	translation->on = true;
	translation->entry = (struct fw_names){&names[1], model_random(3)};
	translation->exit = (struct fw_names){&names[1], 1};
	draw_set(&gateway->outside, gateway->addresses, true, false);
	draw_set(&gateway->hairpin, gateway->inside, false, false);
	draw_set(&gateway->masqueraded, gateway->leaving, false, true);
	translation->outside_addresses = &gateway->outside;
	translation->hairpin = model_random(2) == 0 ? &gateway->hairpin : NULL;
	translation->masqueraded = model_random(2) == 0 ? &gateway->masqueraded : NULL;
	translation->forwardings = gateway->forwardings;
	while (translation->forwarding_count < FORWARDINGS_MAX) {
		enum fw_family family = m_family();
		struct fw_forwarding forwarding = {
			.device = "device",
			.service = "s0",
			.family = family,
			.protocol = model_random(2) == 0 ? IPPROTO_TCP : IPPROTO_UDP,
			.outside_port = m_number(),
			.address = m_address(family),
			.port = m_number(),
		};
		bool outside = gateway->outside.members[family].count != 0;
		if (outside && !is_taken(gateway, &forwarding)) {
			gateway->forwardings[translation->forwarding_count++] = forwarding;
		}
	}
}

static bool in_set(const struct fw_set *set, enum fw_family family, struct fw_addr address) {
	const struct fw_members *members = &set->members[family];

	for (size_t i = 0; i < members->count; i++) {
		if (m_in_range(&members->items[i].range, family, address)) {
			return true;
		}
	}
	return false;
}

static bool is_entry(const struct fw_translation *translation, uint64_t number) {
	const struct fw_names *entry = &translation->entry;

	return entry->count == 0 || (number >= 2 && number < 2 + entry->count);
}

/* The forwarding that takes a packet of input; NULL: none. */
static const struct fw_forwarding *taken_by(
	const struct fw_translation *translation, const struct fw_point *point) {
	const struct fw_addr *values = point->values;
	enum fw_family family = (enum fw_family)values[FW_VAR_FAMILY].low;

	if (values[FW_VAR_HOOK].low != FW_INPUT || values[FW_VAR_TRACKING].low != FW_TRACKING_NEW ||
		!is_entry(translation, values[FW_VAR_IN].low) ||
		!in_set(translation->outside_addresses, family, values[FW_VAR_DESTINATION])) {
		return NULL;
	}
	for (size_t i = 0; i < translation->forwarding_count; i++) {
		const struct fw_forwarding *forwarding = &translation->forwardings[i];
		if (forwarding->family == family &&
			forwarding->protocol == values[FW_VAR_PROTOCOL].low &&
			forwarding->outside_port == values[FW_VAR_PORT].low) {
			return forwarding;
		}
	}
	return NULL;
}

/* Behind translation, by some way out. */
static bool passes_forward(const struct m_case *c, struct fw_point point,
	const struct fw_forwarding *forwarding, struct fw_point *out) {
	point.values[FW_VAR_HOOK] = fw_value(FW_FORWARD);
	point.values[FW_VAR_DESTINATION] = forwarding->address;
	point.values[FW_VAR_PORT] = fw_value(forwarding->port);
	for (uint64_t number = 2; number <= FW_LENGTH(names); number++) {
		point.values[FW_VAR_OUT] = fw_value(number);
		*out = point;
		if (m_passes(c, &point, true)) {
			return true;
		}
	}
	return false;
}

static const struct fw_fate *fate_of(
	const struct fw_answer *answer, const struct fw_forwarding *forwarding) {
	for (size_t i = 0; i < answer->fate_count; i++) {
		if (answer->fates[i].forwarding == forwarding) {
			return &answer->fates[i];
		}
	}
	return NULL;
}

static void check_share(enum fw_share share, bool is) {
	ck_assert(share != FW_ALL_PACKETS || is);
	ck_assert(share != FW_NO_PACKET || !is);
}

/* What has another source behind the forward hook. */
static void check_source(const struct fw_translation *translation, const struct fw_fate *fate,
	const struct fw_point *point) {
	enum fw_family family = (enum fw_family)point->values[FW_VAR_FAMILY].low;
	struct fw_addr source = point->values[FW_VAR_SOURCE];
	bool leaves = point->values[FW_VAR_OUT].low == 2;

	check_share(fate->hairpin, fate->forwarding != NULL && translation->hairpin != NULL &&
					   in_set(translation->hairpin, family, source));
	check_share(fate->masquerade, fate->forwarding == NULL && fate->hook == FW_FORWARD &&
					      translation->masqueraded != NULL && leaves &&
					      in_set(translation->masqueraded, family, source));
}

static void check_arrival(const struct m_case *c, const struct fw_translation *translation,
	const struct fw_answer *answer, const struct fw_point *point) {
	const struct fw_forwarding *forwarding = taken_by(translation, point);
	const struct fw_fate *fate = fate_of(answer, forwarding);
	struct fw_point behind = *point;
	bool passes = forwarding != NULL ? passes_forward(c, *point, forwarding, &behind)
					 : m_passes(c, point, true);

	ck_assert_ptr_nonnull(fate);
	ck_assert_int_eq(
		fate->hook, forwarding != NULL ? FW_FORWARD : (int)point->values[FW_VAR_HOOK].low);
	check_share(fate->passing, passes);
	check_share(answer->passing, passes);
	if (passes) {
		check_source(translation, fate, &behind);
	}
}

/* Whether a witness behind a forwarding came in as the description says. */
static bool came_by(const struct gateway *gateway, const struct fw_packet *meant,
	const struct fw_forwarding *forwarding, struct fw_point point) {
	const struct fw_members *outside = &gateway->outside.members[forwarding->family];
	struct fw_addr *values = point.values;
	bool came = false;

	ck_assert_int_eq(fw_addr_compare(values[FW_VAR_DESTINATION], forwarding->address), 0);
	ck_assert_uint_eq(values[FW_VAR_PORT].low, forwarding->port);
	values[FW_VAR_HOOK] = fw_value(FW_INPUT);
	values[FW_VAR_OUT] = fw_value(0);
	values[FW_VAR_PORT] = fw_value(forwarding->outside_port);
	for (size_t i = 0; i < outside->count; i++) {
		values[FW_VAR_DESTINATION] = outside->items[i].range.first;
		came |= fits(meant, &point) &&
			taken_by(&gateway->translation, &point) == forwarding;
	}
	return came;
}

/* Whether a witness is of its part, and passes or not. */
static void check_witness(const struct m_case *c, const struct gateway *gateway,
	const struct fw_packet *meant, const struct fw_fate *fate, const struct fw_point *point,
	bool passes) {
	struct fw_point behind;

	if (fate->forwarding == NULL) {
		ck_assert(fits(meant, point) && taken_by(&gateway->translation, point) == NULL);
		ck_assert_int_eq(m_passes(c, point, true), passes);
		return;
	}
	ck_assert(came_by(gateway, meant, fate->forwarding, *point));
	ck_assert(!passes || m_passes(c, point, true));
	ck_assert_int_eq(passes_forward(c, *point, fate->forwarding, &behind), passes);
}

static void check_fates(const struct m_case *c, const struct gateway *gateway,
	const struct fw_packet *meant, const struct fw_answer *answer) {
	enum fw_share all = answer->fates[0].passing;

	for (size_t i = 0; i < answer->fate_count; i++) {
		const struct fw_fate *fate = &answer->fates[i];
		all = fate->passing == all ? all : FW_SOME_PACKETS;
		if (fate->passing != FW_NO_PACKET) {
			check_witness(c, gateway, meant, fate, &fate->passed, true);
		}
		if (fate->passing != FW_ALL_PACKETS) {
			check_witness(c, gateway, meant, fate, &fate->denied, false);
		}
	}
	ck_assert_int_eq(answer->passing, all);
}

/* A description of input that fits a forwarding as it is, but for what it leaves out. */
static struct fw_packet draw_arrival(const struct gateway *gateway) {
	struct fw_packet packet = draw_packet();
	const struct fw_forwarding *forwarding =
		&gateway->forwardings[model_random(gateway->translation.forwarding_count)];
	const struct fw_members *outside = &gateway->outside.members[forwarding->family];

	if (model_random(4) == 0 || outside->count == 0) {
		return packet;
	}
	bool same = packet.family == forwarding->family;
	packet = (struct fw_packet){.hook = FW_INPUT,
		.family = forwarding->family,
		.protocol = model_random(5) == 0 ? -1 : forwarding->protocol,
		.port = -1,
		.source_port = -1,
		.has_source = same && packet.has_source,
		.source = packet.source,
		.has_destination = true,
		.destination = outside->items[model_random(outside->count)].range,
		.in = *draw_interface(),
		.tracking = packet.tracking};
	if (packet.protocol >= 0 && model_random(4) != 0) {
		packet.port = forwarding->outside_port;
	}
	return packet;
}

/* What is asked stands for: a forwarded packet begins a connection, by an entry. */
static struct fw_packet as_meant(
	const struct fw_translation *translation, struct fw_packet packet) {
	bool meant = false;

	if (packet.hook != FW_INPUT || packet.tracking > FW_TRACKING_NEW ||
		(packet.has_destination && !in_set(translation->outside_addresses, packet.family,
						   packet.destination.first))) {
		return packet;
	}
	for (size_t i = 0; i < translation->forwarding_count; i++) {
		const struct fw_forwarding *forwarding = &translation->forwardings[i];
		meant |= (packet.family == FW_FAMILY_NONE || packet.family == forwarding->family) &&
			 (packet.protocol < 0 || packet.protocol == forwarding->protocol) &&
			 (packet.port < 0 || packet.port == forwarding->outside_port);
	}
	bool enters = packet.in.count == 0;
	for (uint64_t number = 1; number <= FW_LENGTH(names); number++) {
		enters |= interface_fits(&packet.in, number) && is_entry(translation, number);
	}
	if (meant && enters) {
		packet.tracking = FW_TRACKING_NEW;
		packet.in = packet.in.count == 0 ? translation->entry : packet.in;
	}
	return packet;
}

START_TEST(gateways_are_followed) {
	struct m_case c;
	struct gateway gateway;
	FW_AUTO(world_fini) struct world world;

	model_seed(_i);
	m_draw(&c);
	draw_gateway(&gateway);
	world_init(&world, &c, &gateway.translation);
	for (int i = 0; i < QUESTIONS; i++) {
		struct fw_packet packet = draw_arrival(&gateway);
		struct fw_packet meant = as_meant(&gateway.translation, packet);
		struct fw_answer answer;
		enum fw_share share;
		ck_assert(fw_ask(&world.oracle, &packet, &answer));
		ck_assert(fw_ask_share(&world.oracle, &packet, &share));
		ck_assert_int_eq(share, answer.passing);
		for (int j = 0; j < SAMPLES; j++) {
			struct fw_point point = draw_fitting(&meant);
			check_arrival(&c, &gateway.translation, &answer, &point);
		}
		check_fates(&c, &gateway, &meant, &answer);
	}
}
END_TEST

/* Of many forwardings some are told, and each way to fare. */
START_TEST(many_forwardings_are_cut_short) {
	enum { MANY = 100, ODD = 90 };
	struct m_case c = {.service_count = 1};
	struct gateway gateway;
	struct fw_forwarding forwardings[MANY];
	FW_AUTO(world_fini) struct world world;
	struct fw_answer answer;

	model_seed(0);
	draw_gateway(&gateway);
	c.verdicts[FW_INPUT] = c.verdicts[FW_OUTPUT] = c.verdicts[FW_FORWARD] = FW_DROP;
	c.services[0].direction = M_INBOUND;
	c.services[0].ports.count = 1;
	c.services[0].ports.items[0].low = c.services[0].ports.items[0].high = ODD;
	c.services[0].ports.items[0].protocols = FW_PROTO_TCP;
	for (uint16_t i = 0; i < MANY; i++) {
		forwardings[i] = (struct fw_forwarding){.device = "device",
			.service = "s0",
			.family = FW_IPV4,
			.protocol = IPPROTO_TCP,
			.outside_port = (uint16_t)(1000 + i),
			.address = fw_value(0x0a000000 + i),
			.port = i};
	}
	gateway.addresses[0].range = (struct fw_range){fw_value(9), fw_value(9), FW_IPV4};
	gateway.outside = (struct fw_set){.name = "nat", .literal = true};
	fw_set_resolve(&gateway.outside, gateway.addresses, 1);
	gateway.translation.forwardings = forwardings;
	gateway.translation.forwarding_count = MANY;
	world_init(&world, &c, &gateway.translation);

	const struct fw_packet packet = {.hook = FW_INPUT,
		.family = FW_IPV4,
		.protocol = IPPROTO_TCP,
		.port = -1,
		.source_port = -1,
		.has_destination = true,
		.destination = gateway.addresses[0].range};
	ck_assert(fw_ask(&world.oracle, &packet, &answer));
	ck_assert_int_eq(answer.passing, FW_SOME_PACKETS);
	ck_assert_uint_eq(answer.fate_count, FW_FATES_MAX + 2);
	ck_assert_uint_eq(answer.left_out, MANY - FW_FATES_MAX - 1);
	ck_assert_int_eq(answer.fates[FW_FATES_MAX].forwarding->port, ODD);
	ck_assert_int_eq(answer.fates[FW_FATES_MAX].passing, FW_ALL_PACKETS);
	ck_assert_ptr_null(answer.fates[FW_FATES_MAX + 1].forwarding);
}
END_TEST

/* ---- what is nearest ---- */

static struct fw_packet tcp_from(uint16_t port, uint64_t source) {
	return (struct fw_packet){.hook = FW_INPUT,
		.family = FW_IPV4,
		.protocol = IPPROTO_TCP,
		.port = port,
		.source_port = -1,
		.has_source = true,
		.source = {fw_value(source), fw_value(source), FW_IPV4}};
}

static void draw_near_case(struct m_case *c) {
	*c = (struct m_case){.service_count = 3};
	for (size_t i = 0; i < c->service_count; i++) {
		struct m_service *service = &c->services[i];
		service->direction = M_INPUT;
		service->ports.count = 1;
		service->ports.items[0].low = service->ports.items[0].high =
			(uint16_t)(i == 1 ? 90 : 80);
		service->ports.items[0].protocols = i == 2 ? FW_PROTO_UDP : FW_PROTO_TCP;
	}
	c->groups[0].count = 1;
	c->groups[0].entries[0].range = (struct fw_range){fw_value(10), fw_value(20), FW_IPV4};
	c->services[0].from.count = 1;
	c->services[0].from.items[0].group = 0;
	c->verdicts[FW_INPUT] = c->verdicts[FW_OUTPUT] = c->verdicts[FW_FORWARD] = FW_DROP;
}

START_TEST(the_nearest_come_first) {
	static const struct {
		uint16_t port;
		uint64_t source;
		const char *service;
		unsigned misses;
	} rows[] = {
		{80, 9, "s0", 1U << FW_VAR_SOURCE},
		{80, 21, "s0", 1U << FW_VAR_SOURCE},
		{88, 15, "s1", 1U << FW_VAR_PORT},
		{82, 15, "s0", 1U << FW_VAR_PORT},
		{82, 9, "s1", 1U << FW_VAR_PORT},
	};
	struct m_case c;
	FW_AUTO(world_fini) struct world world;
	struct fw_answer answer;
	const struct fw_packet packet = tcp_from(rows[_i].port, rows[_i].source);

	draw_near_case(&c);
	world_init(&world, &c, NULL);
	ck_assert(fw_ask(&world.oracle, &packet, &answer));
	ck_assert_int_eq(answer.passing, FW_NO_PACKET);
	ck_assert_uint_eq(answer.fates[0].flow_count, 1);
	ck_assert_str_eq(answer.fates[0].flows[0].flow->service, rows[_i].service);
	ck_assert_uint_eq(answer.fates[0].flows[0].misses, rows[_i].misses);
}
END_TEST

START_TEST(an_entry_is_found) {
	struct m_case c;
	FW_AUTO(world_fini) struct world world;
	struct fw_answer answer;
	const struct fw_packet packet = tcp_from(80, 10 + (uint64_t)_i);

	draw_near_case(&c);
	world_init(&world, &c, NULL);
	ck_assert(fw_ask(&world.oracle, &packet, &answer));
	ck_assert_int_eq(answer.passing, FW_ALL_PACKETS);
	ck_assert_int_eq(answer.fates[0].ground, FW_GROUND_FLOW);
	ck_assert_str_eq(answer.fates[0].flows[0].source.set->name, "g0");
	ck_assert_ptr_null(answer.fates[0].flows[0].destination.set);
}
END_TEST

START_TEST(exhaustion_is_told) {
	struct m_case c;
	FW_AUTO(world_fini) struct world world;
	struct fw_answer answer;
	enum fw_share share;
	const struct fw_packet packet = tcp_from(80, 9);

	draw_near_case(&c);
	world_init(&world, &c, NULL);
	world.spaces.limits.steps = world.spaces.steps + (uint64_t)_i;
	while (fw_ask(&world.oracle, &packet, &answer)) {
		ck_assert_int_eq(answer.passing, FW_NO_PACKET);
		ck_assert_uint_lt(world.spaces.steps, world.spaces.limits.steps + 1);
		world.oracle.sets = NULL;
		world.spaces.limits.steps /= 2;
	}
	ck_assert(world.spaces.exhausted);
	ck_assert(!fw_ask_share(&world.oracle, &packet, &share));
}
END_TEST

int main(void) {
	Suite *suite = suite_create("ask");
	TCase *properties = tcase_create("properties");
	tcase_set_timeout(properties, 60);
	tcase_add_loop_test(properties, answers_are_right, 0, CASES);
	tcase_add_loop_test(properties, descriptions_hold_what_fits, 0, CASES / 4);
	tcase_add_loop_test(properties, gateways_are_followed, 0, CASES);
	suite_add_tcase(suite, properties);

	TCase *answers = tcase_create("answers");
	tcase_add_test(answers, many_forwardings_are_cut_short);
	tcase_add_loop_test(answers, the_nearest_come_first, 0, 5);
	tcase_add_loop_test(answers, an_entry_is_found, 0, 11);
	tcase_add_loop_test(answers, exhaustion_is_told, 0, 40);
	suite_add_tcase(suite, answers);

	SRunner *runner = srunner_create(suite);
	/* A process for each of some hundreds costs a sanitizer more than all else. */
	srunner_set_fork_status(runner, CK_NOFORK);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
