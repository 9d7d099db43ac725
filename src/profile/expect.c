// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Packets in words, and `expect`: tests of the policy, one sentence each, such as
 * `allow input 1234/tcp from 10.20.1.1`. Read into packets here; judged elsewhere.
 */

#include "profile/draft.h"
#include "space/space.h"

#include <netinet/in.h>
#include <string.h>

/* By enum fw_tracking. */
static const char *const tracking_words[FW_TRACKING_COUNT] = {
	[FW_TRACKING_NEW] = "new",
	[FW_TRACKING_ESTABLISHED] = "established",
	[FW_TRACKING_RELATED] = "related",
	[FW_TRACKING_INVALID] = "invalid",
	[FW_TRACKING_UNTRACKED] = "untracked",
};

/* A sentence being read, word by word. */
struct sentence {
	struct draft *draft; /* of a question, one that knows nothing */
	/* Of a question: whose interfaces it means, beside any other; or NULL. */
	const struct fw_profile *profile;
	struct fw_span span; /* of the whole */
	struct fw_slice rest;
	const char *begin; /* of the text, to find a word's place */
	bool literal;	   /* the text stands in the source as it is */
	struct fw_slice word;
};

static bool next_word(struct sentence *sentence) {
	struct fw_slice rest = fw_slice_trim(sentence->rest);
	size_t length = 0;
	while (length < rest.length && rest.data[length] != ' ' && rest.data[length] != '\t') {
		length++;
	}
	sentence->word = (struct fw_slice){rest.data, length};
	sentence->rest = (struct fw_slice){rest.data + length, rest.length - length};
	return length != 0;
}

static struct fw_span word_span(const struct sentence *sentence) {
	struct fw_span span = sentence->span;

	if (sentence->literal && sentence->word.length != 0) {
		span.start += (uint32_t)(sentence->word.data - sentence->begin);
		span.end = span.start + (uint32_t)sentence->word.length;
	}
	return span;
}

static bool is_word(const struct sentence *sentence, const char *text) {
	return fw_slice_is(sentence->word, text);
}

static bool bad(const struct sentence *sentence, const char *wanted) {
	struct fw_diag *diag;

	if (sentence->word.length == 0) {
		diag = fw_error(sentence->draft->diags, sentence->span, "bad-expect",
			"the sentence ends where %s should be", wanted);
	} else {
		diag = fw_error(sentence->draft->diags, word_span(sentence), "bad-expect",
			"%s should be here, not '%.*s'", wanted, (int)sentence->word.length,
			sentence->word.data);
	}
	fw_diag_hint(sentence->draft->diags, diag,
		"like: %sinput 1234/tcp from 10.20.1.1 on uplink",
		sentence->profile == NULL ? "allow " : "");
	return false;
}

static bool net_fault(const struct sentence *sentence, enum fw_net_fault fault) {
	fw_net_error(sentence->draft, word_span(sentence), sentence->word, fault);
	return false;
}

/* `1234/tcp`; one port, since a packet has one. */
static bool read_port(struct sentence *sentence, struct fw_packet *packet) {
	struct fw_ports ports;
	unsigned protocols;
	enum fw_net_fault fault = fw_ports_parse(sentence->word, &ports, &protocols);

	if (fault != FW_NET_NONE) {
		return net_fault(sentence, fault);
	}
	if (ports.low != ports.high || protocols == (FW_PROTO_TCP | FW_PROTO_UDP)) {
		return bad(sentence, "one port of one protocol");
	}
	packet->port = ports.low;
	packet->protocol = protocols == FW_PROTO_TCP ? IPPROTO_TCP : IPPROTO_UDP;
	return true;
}

static bool set_family(
	const struct sentence *sentence, struct fw_packet *packet, enum fw_family family) {
	if (packet->family != FW_FAMILY_NONE && packet->family != family) {
		fw_error(sentence->draft->diags, word_span(sentence), "mixed-families",
			"the sentence mixes IPv4 and IPv6");
		return false;
	}
	packet->family = family;
	return true;
}

/* What follows `icmp` or `icmpv6`. */
static bool read_icmp(struct sentence *sentence, struct fw_packet *packet, enum fw_family family) {
	packet->protocol = family == FW_IPV4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	if (!set_family(sentence, packet, family)) {
		return false;
	}
	if (!next_word(sentence)) {
		return bad(sentence, "an ICMP type");
	}
	enum fw_net_fault fault = fw_icmp_parse(family, sentence->word, &packet->type);
	if (fault != FW_NET_NONE) {
		return net_fault(sentence, fault);
	}
	packet->has_type = true;
	return true;
}

static bool read_what(struct sentence *sentence, struct fw_packet *packet) {
	uint8_t protocol;

	if (is_word(sentence, "icmp")) {
		return read_icmp(sentence, packet, FW_IPV4);
	}
	if (is_word(sentence, "icmpv6")) {
		return read_icmp(sentence, packet, FW_IPV6);
	}
	if (memchr(sentence->word.data, '/', sentence->word.length) != NULL) {
		return read_port(sentence, packet);
	}
	if (fw_protocol_parse(sentence->word, &protocol) != FW_NET_NONE) {
		return bad(sentence, "a port (1234/tcp), a protocol or an ICMP type");
	}
	packet->protocol = protocol;
	return true;
}

static bool read_address(
	struct sentence *sentence, struct fw_packet *packet, struct fw_range *out_range) {
	struct fw_range range;

	if (!next_word(sentence)) {
		return bad(sentence, "an address");
	}
	enum fw_net_fault fault = fw_range_parse(sentence->word, &range);
	if (fault != FW_NET_NONE) {
		return net_fault(sentence, fault);
	}
	if (!fw_range_is_single(&range)) {
		return bad(sentence, "one address");
	}
	*out_range = range;
	return set_family(sentence, packet, range.family);
}

static struct fw_names one_name(struct fw_arena *arena, const char *name) {
	const char **items = FW_ARENA_ARRAY(arena, const char *, 1);

	items[0] = name;
	return (struct fw_names){items, 1};
}

/* By the site's name for some, or a kernel's name that the site has. */
static bool find_in_draft(struct sentence *sentence, struct fw_names *out_names) {
	struct draft *draft = sentence->draft;
	struct interface *interface = fw_draft_interface(draft, sentence->word);

	if (interface != NULL) {
		*out_names = (struct fw_names){interface->kernel_names, interface->count};
		return true;
	}
	for (interface = draft->interfaces; interface != NULL; interface = interface->hh.next) {
		for (size_t i = 0; i < interface->count; i++) {
			if (fw_slice_is(sentence->word, interface->kernel_names[i])) {
				*out_names = one_name(draft->arena, interface->kernel_names[i]);
				return true;
			}
		}
	}
	fw_draft_no_interface(draft, word_span(sentence), sentence->word);
	return false;
}

static bool is_kernel_name(struct fw_slice word) {
	static const char others[] = "_.-";

	for (size_t i = 0; i < word.length; i++) {
		char c = word.data[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
		if (!letter && (c < '0' || c > '9') && strchr(others, c) == NULL) {
			return false;
		}
	}
	return word.length <= NAME_MAX_INTERFACE;
}

/* By the profile's name for some, or any kernel's name. */
static bool find_in_profile(struct sentence *sentence, struct fw_names *out_names) {
	const struct fw_profile *profile = sentence->profile;

	for (size_t i = 0; i < profile->interface_count; i++) {
		if (fw_slice_is(sentence->word, profile->interfaces[i].name)) {
			*out_names = profile->interfaces[i].kernel_names;
			return true;
		}
	}
	if (!is_kernel_name(sentence->word)) {
		return bad(sentence, "the name of an interface");
	}
	struct fw_arena *arena = sentence->draft->arena;
	*out_names = one_name(arena, fw_arena_text(arena, sentence->word));
	return true;
}

static bool read_interface(struct sentence *sentence, struct fw_names *out_names) {
	if (!next_word(sentence)) {
		return bad(sentence, "an interface");
	}
	if (is_word(sentence, "lo")) {
		*out_names = one_name(sentence->draft->arena, "lo");
		return true;
	}
	return sentence->profile != NULL ? find_in_profile(sentence, out_names)
					 : find_in_draft(sentence, out_names);
}

static bool read_tracking(struct sentence *sentence, struct fw_packet *packet) {
	if (!next_word(sentence)) {
		return bad(sentence, "a tracking state");
	}
	for (unsigned i = FW_TRACKING_NONE + 1; i < FW_TRACKING_COUNT; i++) {
		if (is_word(sentence, tracking_words[i])) {
			packet->tracking = i;
			return true;
		}
	}
	return bad(sentence, "new, established, related, invalid or untracked");
}

static bool read_source_port(struct sentence *sentence, struct fw_packet *packet) {
	uint64_t port;

	if (!next_word(sentence)) {
		return bad(sentence, "a port number");
	}
	if (!fw_slice_to_uint(sentence->word, UINT16_MAX, &port) || port == 0) {
		return net_fault(sentence, FW_NET_PORT);
	}
	packet->source_port = (int)port;
	return true;
}

/* The interface that a word of this hook is about; NULL: it is no such word, or said before. */
static struct fw_names *interface_said(const struct sentence *sentence, struct fw_packet *packet) {
	bool forward = packet->hook == FW_FORWARD;
	struct fw_names *names = NULL;

	if (is_word(sentence, forward ? "in-interface" : "on") && packet->hook != FW_OUTPUT) {
		names = &packet->in;
	} else if (is_word(sentence, forward ? "out-interface" : "on") &&
		   packet->hook != FW_INPUT) {
		names = &packet->out;
	}
	return names != NULL && names->count == 0 ? names : NULL;
}

static bool read_condition(struct sentence *sentence, struct fw_packet *packet) {
	struct fw_names *names = interface_said(sentence, packet);

	if (names != NULL) {
		return read_interface(sentence, names);
	}
	if (is_word(sentence, "from") && !packet->has_source) {
		packet->has_source = true;
		return read_address(sentence, packet, &packet->source);
	}
	if (is_word(sentence, "to") && !packet->has_destination) {
		packet->has_destination = true;
		return read_address(sentence, packet, &packet->destination);
	}
	if (is_word(sentence, "source-port") && packet->source_port < 0) {
		return read_source_port(sentence, packet);
	}
	if (is_word(sentence, "state") && packet->tracking == FW_TRACKING_NONE) {
		return read_tracking(sentence, packet);
	}
	return bad(sentence, packet->hook == FW_FORWARD
				     ? "'from', 'to', 'in-interface', 'out-interface', "
				       "'source-port' or 'state', each once,"
				     : "'from', 'to', 'on', 'source-port' or 'state', each once,");
}

static bool read_hook(struct sentence *sentence, struct fw_packet *packet) {
	next_word(sentence);
	for (int hook = FW_INPUT; hook < FW_HOOK_COUNT; hook++) {
		if (is_word(sentence, fw_hook_names[hook])) {
			packet->hook = (enum fw_hook)hook;
			return true;
		}
	}
	return bad(sentence, "input, output or forward");
}

static bool is_condition(const struct sentence *sentence) {
	static const char *const conditions[] = {
		"from", "to", "on", "in-interface", "out-interface", "source-port", "state"};

	for (size_t i = 0; i < FW_LENGTH(conditions); i++) {
		if (is_word(sentence, conditions[i])) {
			return true;
		}
	}
	return false;
}

/* A port of the source, in a protocol that has none. */
static bool check_packet(const struct sentence *sentence, const struct fw_packet *packet) {
	bool ports = packet->protocol < 0 || packet->protocol == IPPROTO_TCP ||
		     packet->protocol == IPPROTO_UDP;

	if (packet->source_port >= 0 && !ports) {
		fw_error(sentence->draft->diags, sentence->span, "bad-expect",
			"only TCP and UDP have source ports");
		return false;
	}
	return true;
}

/* What follows `allow` and `deny`. */
static bool read_packet(struct sentence *sentence, struct fw_packet *packet) {
	*packet = (struct fw_packet){.protocol = -1, .port = -1, .source_port = -1};
	if (!read_hook(sentence, packet)) {
		return false;
	}
	bool first = true;
	while (next_word(sentence)) {
		bool good = first && !is_condition(sentence) ? read_what(sentence, packet)
							     : read_condition(sentence, packet);
		if (!good) {
			return false;
		}
		first = false;
	}
	return check_packet(sentence, packet);
}

static bool read_sentence(struct sentence *sentence, struct fw_expect *expect) {
	*expect = (struct fw_expect){.span = sentence->span};
	next_word(sentence);
	expect->allow = is_word(sentence, "allow");
	if (!expect->allow && !is_word(sentence, "deny")) {
		return bad(sentence, "'allow' or 'deny'");
	}
	return read_packet(sentence, &expect->packet);
}

void fw_read_expects(struct draft *draft, const struct fw_yaml_node *node) {
	const struct fw_yaml_node *const *items;
	size_t count;
	if (!fw_read_list(draft, node, "expect", &items, &count)) {
		return;
	}
	for (size_t i = 0; i < count; i++) {
		struct fw_expect expect;

		if (!fw_read_kind(draft, items[i], FW_YAML_SCALAR, "an expectation")) {
			continue;
		}
		const struct fw_span *span = &items[i]->span;
		struct sentence sentence = {
			.draft = draft,
			.span = *span,
			.rest = items[i]->text,
			.begin = items[i]->text.data,
			.literal =
				items[i]->plain && items[i]->text.length == span->end - span->start,
		};
		if (read_sentence(&sentence, &expect)) {
			FW_VEC_ADD(&draft->expects, expect);
		}
	}
}

bool fw_packet_parse(struct fw_arena *arena, const struct fw_profile *profile,
	const struct fw_source *source, struct fw_packet *out_packet, struct fw_diags *diags) {
	struct draft draft = {.arena = arena, .diags = diags};
	struct sentence sentence = {
		.draft = &draft,
		.profile = profile,
		.span = {source, 0, (uint32_t)source->text.length},
		.rest = source->text,
		.begin = source->text.data,
		.literal = true,
	};
	struct fw_packet packet;
	size_t before = diags->list.count;

	if (read_packet(&sentence, &packet)) {
		*out_packet = packet;
		return true;
	}
	/* Nobody wrote it into a file. */
	for (size_t i = before; i < diags->list.count; i++) {
		diags->list.items[i]->fault = FW_FAULT_USAGE;
	}
	return false;
}
