// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Packets in words, and what becomes of them: as sets within the meaning of a policy, behind its
 * translation where that comes first.
 */

#include "meaning/ask.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* ---- descriptions as sets ---- */

/* One interval for each variable that something is said of. */
struct description {
	struct fw_box box;
	struct fw_interval items[FW_VAR_COUNT];
};

static void say(
	struct description *description, enum fw_var var, struct fw_addr low, struct fw_addr high) {
	description->items[var] = (struct fw_interval){low, high};
	description->box.values[var] = (struct fw_intervals){&description->items[var], 1};
}

static void say_number(struct description *description, enum fw_var var, uint64_t number) {
	say(description, var, fw_value(number), fw_value(number));
}

static fw_space number_space(struct fw_spaces *spaces, enum fw_var var, uint64_t number) {
	return fw_space_interval(spaces, var, fw_value(number), fw_value(number));
}

static bool is_neighbour_discovery(const struct fw_packet *packet) {
	enum { ROUTER_SOLICITATION = 133, REDIRECT = 137 };

	return packet->has_type && packet->protocol == IPPROTO_ICMPV6 &&
	       packet->type.type >= ROUTER_SOLICITATION && packet->type.type <= REDIRECT;
}

static void say_header(struct description *description, const struct fw_packet *packet) {
	if (packet->protocol >= 0) {
		say_number(description, FW_VAR_PROTOCOL, (uint64_t)packet->protocol);
	}
	if (packet->has_type) {
		say_number(description, FW_VAR_SOURCE_PORT, packet->type.type);
		if (packet->type.code >= 0) {
			say_number(description, FW_VAR_PORT, (uint64_t)packet->type.code);
		}
	}
	if (packet->port >= 0) {
		say_number(description, FW_VAR_PORT, (uint64_t)packet->port);
	}
	if (packet->source_port >= 0) {
		say_number(description, FW_VAR_SOURCE_PORT, (uint64_t)packet->source_port);
	}
	if (is_neighbour_discovery(packet)) {
		say_number(description, FW_VAR_HOP_LIMIT, UINT8_MAX);
	}
}

/* Protocols that have ports at all, where a port is said and no protocol. */
static fw_space ported_space(struct fw_spaces *spaces) {
	return fw_space_union(spaces, number_space(spaces, FW_VAR_PROTOCOL, IPPROTO_TCP),
		number_space(spaces, FW_VAR_PROTOCOL, IPPROTO_UDP));
}

static fw_space tracking_space(struct fw_spaces *spaces, unsigned tracking) {
	if (tracking != FW_TRACKING_NONE) {
		return number_space(spaces, FW_VAR_TRACKING, tracking);
	}
	return fw_space_union(spaces, number_space(spaces, FW_VAR_TRACKING, FW_TRACKING_NEW),
		number_space(spaces, FW_VAR_TRACKING, FW_TRACKING_UNTRACKED));
}

static fw_space interfaces_space(struct fw_spaces *spaces, const struct fw_interfaces *interfaces,
	enum fw_var var, const struct fw_names *names) {
	fw_space set = FW_SPACE_EMPTY;

	if (names->count == 0) {
		return fw_space_interval(spaces, var, fw_value(FW_INTERFACE_LOOPBACK + 1),
			fw_value(fw_interfaces_count(interfaces)));
	}
	for (size_t i = 0; i < names->count; i++) {
		unsigned number = fw_interface_number(interfaces, names->items[i]);
		set = fw_space_union(spaces, set, number_space(spaces, var, number));
	}
	return set;
}

static fw_space packet_space(struct fw_spaces *spaces, const struct fw_interfaces *interfaces,
	const struct fw_packet *packet) {
	struct description description = {0};

	say_number(&description, FW_VAR_HOOK, packet->hook);
	if (packet->family != FW_FAMILY_NONE) {
		say_number(&description, FW_VAR_FAMILY, packet->family);
	}
	if (packet->has_source) {
		say(&description, FW_VAR_SOURCE, packet->source.first, packet->source.last);
	}
	if (packet->has_destination) {
		say(&description, FW_VAR_DESTINATION, packet->destination.first,
			packet->destination.last);
	}
	say_header(&description, packet);
	fw_space set = fw_space_intersect(spaces, fw_box_space(spaces, &description.box),
		tracking_space(spaces, packet->tracking));
	if (packet->protocol < 0 && (packet->port >= 0 || packet->source_port >= 0)) {
		set = fw_space_intersect(spaces, set, ported_space(spaces));
	}
	if (packet->hook != FW_OUTPUT) {
		set = fw_space_intersect(
			spaces, set, interfaces_space(spaces, interfaces, FW_VAR_IN, &packet->in));
	}
	if (packet->hook != FW_INPUT) {
		set = fw_space_intersect(spaces, set,
			interfaces_space(spaces, interfaces, FW_VAR_OUT, &packet->out));
	}
	return set;
}

fw_space fw_packet_space(struct fw_spaces *spaces, const struct fw_interfaces *interfaces,
	const struct fw_packet *packet) {
	return fw_space_intersect(spaces, packet_space(spaces, interfaces, packet),
		fw_space_universe(spaces, fw_interfaces_count(interfaces)));
}

fw_space fw_question_space(struct fw_oracle *oracle, const struct fw_packet *packet) {
	return fw_space_intersect(oracle->spaces,
		packet_space(oracle->spaces, oracle->interfaces, packet), oracle->universe);
}

/* ---- one hook ---- */

fw_space fw_question_view(const struct question *question, fw_space set) {
	return question->routed ? fw_space_exists(question->oracle->spaces, set, FW_VAR_OUT) : set;
}

static enum fw_share share(fw_space part, fw_space whole) {
	if (part == FW_SPACE_EMPTY) {
		return FW_NO_PACKET;
	}
	return part == whole ? FW_ALL_PACKETS : FW_SOME_PACKETS;
}

static bool names_hold(const struct fw_names *names, const char *name) {
	for (size_t i = 0; i < names->count; i++) {
		if (strcmp(names->items[i], name) == 0) {
			return true;
		}
	}
	return false;
}

static bool is_loopback(const struct fw_packet *packet) {
	return (packet->hook == FW_INPUT && names_hold(&packet->in, "lo")) ||
	       (packet->hook == FW_OUTPUT && names_hold(&packet->out, "lo"));
}

static enum fw_ground find_ground(const struct question *question, enum fw_share passing) {
	const struct fw_packet *packet = question->packet;
	enum fw_verdict verdict = question->oracle->policy->hooks[question->hook].verdict;

	if (verdict == FW_UNTOUCHED) {
		return FW_GROUND_UNTOUCHED;
	}
	if (passing == FW_NO_PACKET) {
		return packet->tracking == FW_TRACKING_INVALID ? FW_GROUND_INVALID
							       : FW_GROUND_VERDICT;
	}
	if (is_loopback(packet)) {
		return FW_GROUND_LOOPBACK;
	}
	if (packet->tracking == FW_TRACKING_ESTABLISHED ||
		packet->tracking == FW_TRACKING_RELATED) {
		return FW_GROUND_REPLY;
	}
	return verdict == FW_ACCEPT ? FW_GROUND_VERDICT : FW_GROUND_FLOW;
}

static enum fw_share passing_share(const struct question *question) {
	struct fw_oracle *oracle = question->oracle;
	fw_space may = fw_space_intersect(
		oracle->spaces, question->set, oracle->meaning->may[question->hook]);

	return share(fw_question_view(question, may), fw_question_view(question, question->set));
}

/* ---- what gets another source ---- */

static fw_space members_space(struct fw_spaces *spaces, const struct fw_set *set) {
	fw_space all = FW_SPACE_EMPTY;

	for (int family = FW_IPV4; family < FW_FAMILY_COUNT; family++) {
		const struct fw_members *members = &set->members[family];
		fw_space sources = FW_SPACE_EMPTY;
		for (size_t i = 0; i < members->count; i++) {
			const struct fw_range *range = &members->items[i].range;
			sources = fw_space_union(spaces, sources,
				fw_space_interval(
					spaces, FW_VAR_SOURCE, range->first, range->last));
		}
		sources = fw_space_intersect(
			spaces, sources, number_space(spaces, FW_VAR_FAMILY, (uint64_t)family));
		all = fw_space_union(spaces, all, sources);
	}
	return all;
}

static void find_source(const struct question *question, fw_space passing, struct fw_fate *fate) {
	struct fw_oracle *oracle = question->oracle;
	struct fw_spaces *spaces = oracle->spaces;
	const struct fw_translation *translation = &oracle->policy->translation;

	if (question->hook != FW_FORWARD) {
		return;
	}
	if (fate->forwarding != NULL && translation->hairpin != NULL) {
		fw_space callers = fw_space_intersect(
			spaces, passing, members_space(spaces, translation->hairpin));
		fate->hairpin = share(callers, passing);
	}
	if (fate->forwarding == NULL && translation->masqueraded != NULL) {
		fw_space leaving = fw_space_intersect(
			spaces, passing, members_space(spaces, translation->masqueraded));
		leaving = fw_space_intersect(spaces, leaving,
			interfaces_space(
				spaces, oracle->interfaces, FW_VAR_OUT, &translation->exit));
		fate->masquerade = share(leaving, passing);
	}
}

/* Where the way out does not matter, it is the same as that of what passes. */
static struct fw_point denied_witness(
	const struct question *question, const struct fw_fate *fate, fw_space denied) {
	struct fw_spaces *spaces = question->oracle->spaces;

	if (question->routed && fate->passing != FW_NO_PACKET) {
		struct fw_addr out = fate->passed.values[FW_VAR_OUT];
		fw_space same = fw_space_intersect(
			spaces, denied, fw_space_interval(spaces, FW_VAR_OUT, out, out));
		if (!spaces->exhausted) {
			denied = same;
		}
	}
	return fw_space_witness(spaces, denied);
}

static void judge(const struct question *question, struct fw_fate *fate) {
	struct fw_oracle *oracle = question->oracle;
	struct fw_spaces *spaces = oracle->spaces;
	const struct fw_meaning *meaning = oracle->meaning;
	fw_space may = fw_space_intersect(spaces, question->set, meaning->may[question->hook]);
	fw_space must = fw_space_intersect(spaces, question->set, meaning->must[question->hook]);
	fw_space all = fw_question_view(question, question->set);
	fw_space passing = fw_question_view(question, may);
	fw_space denied =
		fw_space_intersect(spaces, fw_space_subtract(spaces, all, passing), question->set);

	fate->hook = question->hook;
	fate->limited = fw_question_view(question, must) != passing;
	find_source(question, may, fate);
	if (spaces->exhausted) {
		return;
	}
	fate->passing = share(passing, all);
	fate->ground = find_ground(question, fate->passing);
	if (fate->passing != FW_NO_PACKET) {
		fate->passed = fw_space_witness(spaces, may);
	}
	if (denied != FW_SPACE_EMPTY) {
		fate->denied = denied_witness(question, fate, denied);
	}
	if (fate->ground == FW_GROUND_FLOW ||
		(fate->ground == FW_GROUND_VERDICT && fate->passing != FW_NO_PACKET)) {
		fw_find_passing(question, fate);
	} else if (fate->ground == FW_GROUND_VERDICT) {
		fw_find_nearest(question, fate);
	}
}

/* ---- a gateway ---- */

/* Others that fare in one of the other two ways, and the rest. */
enum { FATES_ROOM = FW_FATES_MAX + 2 + 1 };

/* What comes in at a gateway, taken apart. */
struct arrival {
	struct fw_oracle *oracle;
	bool why;
	struct fw_packet packet;
	FW_VEC(const struct fw_forwarding *) forwardings; /* that some of it fits */
	struct fw_fate *fates;
	size_t count, told; /* of fates, and of forwardings among them */
	enum fw_share passing;
	bool some; /* `passing` is of something */
};

static void arrival_fini(struct arrival *arrival) {
	FW_VEC_FINI(&arrival->forwardings);
}

static bool is_outside(const struct fw_translation *translation, const struct fw_range *address) {
	const struct fw_members *members =
		&translation->outside_addresses->members[address->family];

	for (size_t i = 0; i < members->count; i++) {
		if (fw_range_contains(&members->items[i].range, address)) {
			return true;
		}
	}
	return false;
}

static bool fits(const struct fw_packet *packet, const struct fw_forwarding *forwarding) {
	return (packet->family == FW_FAMILY_NONE || packet->family == forwarding->family) &&
	       (packet->protocol < 0 || packet->protocol == forwarding->protocol) &&
	       (packet->port < 0 || packet->port == forwarding->outside_port);
}

/* The interfaces that it comes in by and that translate; none: it is not translated. */
static bool find_entry(struct arrival *arrival, const struct fw_translation *translation) {
	struct fw_names *in = &arrival->packet.in;
	const struct fw_names *entry = &translation->entry;
	size_t count = 0;

	if (entry->count == 0 || in->count == 0) {
		*in = in->count != 0 ? *in : *entry;
		return true;
	}
	for (size_t i = 0; i < in->count; i++) {
		count += names_hold(entry, in->items[i]);
	}
	return count != 0;
}

/* Finds the forwardings; false: it is all the gateway's own business. */
static bool find_forwardings(struct arrival *arrival) {
	const struct fw_translation *translation = &arrival->oracle->policy->translation;
	struct fw_packet *packet = &arrival->packet;

	if (packet->hook != FW_INPUT || translation->outside_addresses == NULL ||
		(packet->tracking != FW_TRACKING_NONE && packet->tracking != FW_TRACKING_NEW) ||
		(packet->has_destination && !is_outside(translation, &packet->destination))) {
		return false;
	}
	for (size_t i = 0; i < translation->forwarding_count; i++) {
		if (fits(packet, &translation->forwardings[i])) {
			FW_VEC_ADD(&arrival->forwardings, &translation->forwardings[i]);
		}
	}
	if (arrival->forwardings.count == 0 || !find_entry(arrival, translation)) {
		return false;
	}
	packet->tracking = FW_TRACKING_NEW;
	return true;
}

/* The packets that a forwarding takes, as they arrive, to whichever of the outside addresses. */
static fw_space taken_space(const struct arrival *arrival, const struct fw_forwarding *forwarding) {
	struct fw_oracle *oracle = arrival->oracle;
	const struct fw_translation *translation = &oracle->policy->translation;
	const struct fw_members *outside =
		&translation->outside_addresses->members[forwarding->family];
	struct fw_packet packet = arrival->packet;
	fw_space set = FW_SPACE_EMPTY;

	packet.family = forwarding->family;
	packet.protocol = forwarding->protocol;
	packet.port = forwarding->outside_port;
	packet.has_destination = true;
	for (size_t i = 0; i < outside->count; i++) {
		packet.destination = outside->items[i].range;
		set = fw_space_union(oracle->spaces, set, fw_question_space(oracle, &packet));
	}
	if (translation->entry.count != 0) {
		set = fw_space_intersect(oracle->spaces, set,
			interfaces_space(oracle->spaces, oracle->interfaces, FW_VAR_IN,
				&translation->entry));
	}
	return set;
}

/* The same packets, as the forward hook sees them. */
static struct fw_packet translated(
	const struct arrival *arrival, const struct fw_forwarding *forwarding) {
	struct fw_packet packet = arrival->packet;

	packet.hook = FW_FORWARD;
	packet.family = forwarding->family;
	packet.protocol = forwarding->protocol;
	packet.port = forwarding->port;
	packet.has_destination = true;
	packet.destination =
		(struct fw_range){forwarding->address, forwarding->address, forwarding->family};
	return packet;
}

/* The first of many are told, and those that fare otherwise than the ones before. */
static bool is_told(const struct arrival *arrival, const struct question *question,
	const struct fw_forwarding *forwarding) {
	if (!arrival->why || forwarding == NULL || arrival->count < FW_FATES_MAX) {
		return arrival->why;
	}
	enum fw_share passing = passing_share(question);
	for (size_t i = 0; i < arrival->count; i++) {
		if (arrival->fates[i].passing == passing) {
			return false;
		}
	}
	return true;
}

static void add_fate(struct arrival *arrival, const struct question *question,
	const struct fw_forwarding *forwarding) {
	enum fw_share passing = FW_NO_PACKET;

	if (is_told(arrival, question, forwarding)) {
		struct fw_fate *fate = &arrival->fates[arrival->count++];
		fate->forwarding = forwarding;
		judge(question, fate);
		passing = fate->passing;
		arrival->told += forwarding != NULL;
	} else {
		passing = passing_share(question);
	}
	arrival->passing = arrival->some && arrival->passing != passing ? FW_SOME_PACKETS : passing;
	arrival->some = true;
}

static void follow(struct arrival *arrival, const struct fw_forwarding *forwarding) {
	struct fw_packet packet = translated(arrival, forwarding);
	const struct fw_names *entry = &arrival->oracle->policy->translation.entry;
	struct question question = {
		.oracle = arrival->oracle,
		.packet = &packet,
		.hook = FW_FORWARD,
		.set = fw_question_space(arrival->oracle, &packet),
		.routed = true,
	};

	if (entry->count != 0) {
		question.set = fw_space_intersect(arrival->oracle->spaces, question.set,
			interfaces_space(arrival->oracle->spaces, arrival->oracle->interfaces,
				FW_VAR_IN, entry));
	}
	add_fate(arrival, &question, forwarding);
}

/* Asks about each forwarding, then about what none of them takes. */
static void part(struct arrival *arrival) {
	struct fw_oracle *oracle = arrival->oracle;
	struct question question = {
		.oracle = oracle, .packet = &arrival->packet, .hook = arrival->packet.hook};

	if (!find_forwardings(arrival)) {
		arrival->forwardings.count = 0;
	}
	size_t count = arrival->forwardings.count;
	fw_space *taken = FW_ARENA_ARRAY(oracle->arena, fw_space, count);
	arrival->fates = FW_ARENA_ARRAY(oracle->arena, struct fw_fate, FATES_ROOM);
	for (size_t i = 0; i < count; i++) {
		taken[i] = taken_space(arrival, arrival->forwardings.items[i]);
		follow(arrival, arrival->forwardings.items[i]);
	}
	question.set =
		fw_space_subtract(oracle->spaces, fw_question_space(oracle, &arrival->packet),
			fw_space_union_all(oracle->spaces, taken, count));
	if (!arrival->some || question.set != FW_SPACE_EMPTY) {
		add_fate(arrival, &question, NULL);
	}
}

/* ---- the whole ---- */

void fw_oracle_init(struct fw_oracle *oracle, struct fw_arena *arena, struct fw_spaces *spaces,
	const struct fw_interfaces *interfaces, const struct fw_policy *policy,
	const struct fw_meaning *meaning) {
	*oracle = (struct fw_oracle){
		.arena = arena,
		.spaces = spaces,
		.interfaces = interfaces,
		.policy = policy,
		.meaning = meaning,
		.universe = fw_space_universe(spaces, fw_interfaces_count(interfaces)),
	};
}

bool fw_ask(struct fw_oracle *oracle, const struct fw_packet *packet, struct fw_answer *out) {
	FW_AUTO(arrival_fini)
	struct arrival arrival = {.oracle = oracle, .packet = *packet, .why = true};

	part(&arrival);
	if (oracle->spaces->exhausted) {
		return false;
	}
	*out = (struct fw_answer){
		.passing = arrival.passing,
		.fates = arrival.fates,
		.fate_count = arrival.count,
		.left_out = arrival.forwardings.count - arrival.told,
	};
	return true;
}

bool fw_ask_share(
	struct fw_oracle *oracle, const struct fw_packet *packet, enum fw_share *out_passing) {
	FW_AUTO(arrival_fini) struct arrival arrival = {.oracle = oracle, .packet = *packet};

	part(&arrival);
	if (oracle->spaces->exhausted) {
		return false;
	}
	*out_passing = arrival.passing;
	return true;
}
