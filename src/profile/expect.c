// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `expect`: tests of the policy, one sentence each, such as
 * `allow input 1234/tcp from 10.20.1.1`. Read into packets here; judged elsewhere.
 */

#include "profile/draft.h"

#include <netinet/in.h>
#include <string.h>

/* A sentence being read, word by word. */
struct sentence {
	struct draft *draft;
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
		"like: allow input 1234/tcp from 10.20.1.1 on uplink");
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

static bool read_interface(struct sentence *sentence, struct fw_packet *packet) {
	if (!next_word(sentence)) {
		return bad(sentence, "an interface");
	}
	/* By the site's name for it, which means its first, or by a kernel's name that it has. */
	struct interface *interface = fw_draft_interface(sentence->draft, sentence->word);
	if (interface != NULL) {
		packet->interface = interface->kernel_names[0];
		return true;
	}
	for (interface = sentence->draft->interfaces; interface != NULL;
		interface = interface->hh.next) {
		for (size_t i = 0; i < interface->count; i++) {
			if (fw_slice_is(sentence->word, interface->kernel_names[i])) {
				packet->interface = interface->kernel_names[i];
				return true;
			}
		}
	}
	fw_draft_no_interface(sentence->draft, word_span(sentence), sentence->word);
	return false;
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

static bool read_condition(struct sentence *sentence, struct fw_packet *packet) {
	if (is_word(sentence, "from") && !packet->has_source) {
		packet->has_source = true;
		return read_address(sentence, packet, &packet->source);
	}
	if (is_word(sentence, "to") && !packet->has_destination) {
		packet->has_destination = true;
		return read_address(sentence, packet, &packet->destination);
	}
	if (is_word(sentence, "on") && packet->interface == NULL) {
		return read_interface(sentence, packet);
	}
	if (is_word(sentence, "source-port") && packet->source_port < 0) {
		return read_source_port(sentence, packet);
	}
	return bad(sentence, "'from', 'to', 'on' or 'source-port', each once,");
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

static bool read_sentence(struct sentence *sentence, struct fw_expect *expect) {
	struct fw_packet *packet = &expect->packet;

	*expect = (struct fw_expect){
		.span = sentence->span, .packet = {.protocol = -1, .port = -1, .source_port = -1}};
	next_word(sentence);
	expect->allow = is_word(sentence, "allow");
	if (!expect->allow && !is_word(sentence, "deny")) {
		return bad(sentence, "'allow' or 'deny'");
	}
	if (!read_hook(sentence, packet)) {
		return false;
	}
	static const char *const conditions[] = {"from", "to", "on", "source-port"};
	bool first = true;
	while (next_word(sentence)) {
		bool condition = false;
		for (size_t i = 0; i < FW_LENGTH(conditions); i++) {
			condition |= is_word(sentence, conditions[i]);
		}
		if (first && !condition) {
			if (!read_what(sentence, packet)) {
				return false;
			}
		} else if (!read_condition(sentence, packet)) {
			return false;
		}
		first = false;
	}
	return true;
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
