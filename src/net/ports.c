// SPDX-License-Identifier: GPL-2.0-or-later
/* Ports with their protocols, and the protocols by name. */

#include <stdlib.h>

#include "net/common.h"

/* ---- ports ---- */

static enum fw_net_fault parse_port(struct fw_slice text, uint16_t *out_port) {
	uint64_t port;
	enum fw_net_fault fault = fw_number_parse(text, UINT16_MAX, FW_NET_PORT, &port);
	if (fault == FW_NET_NONE && port == 0) {
		fault = FW_NET_PORT;
	}
	if (fault == FW_NET_NONE) {
		*out_port = (uint16_t)port;
	}
	return fault;
}

static enum fw_net_fault parse_port_range(struct fw_slice text, struct fw_ports *out_ports) {
	struct fw_slice last = text;
	struct fw_slice first = fw_slice_cut(&last, '-');
	struct fw_ports ports;
	enum fw_net_fault fault = parse_port(first, &ports.low);
	ports.high = ports.low;
	if (fault == FW_NET_NONE && last.data != NULL) {
		fault = parse_port(last, &ports.high);
	}
	if (fault != FW_NET_NONE) {
		return fault;
	}
	if (ports.low > ports.high) {
		return FW_NET_REVERSED;
	}
	*out_ports = ports;
	return FW_NET_NONE;
}

/** `tcp`, `udp` or both with a plus between; 0 where it is anything else. */
static unsigned parse_port_protocols(struct fw_slice text) {
	unsigned protocols = 0;
	while (text.data != NULL) {
		struct fw_slice name = fw_slice_cut(&text, '+');
		unsigned protocol = fw_slice_is(name, "tcp")   ? FW_PROTO_TCP
				    : fw_slice_is(name, "udp") ? FW_PROTO_UDP
							       : 0;
		if (protocol == 0 || (protocols & protocol) != 0) {
			return 0;
		}
		protocols |= protocol;
	}
	return protocols;
}

enum fw_net_fault fw_ports_parse(
	struct fw_slice text, struct fw_ports *out_ports, unsigned *out_protocols) {
	if (text.length == 0) {
		return FW_NET_EMPTY;
	}
	struct fw_ports ports;
	struct fw_slice names = text;
	enum fw_net_fault fault = parse_port_range(fw_slice_cut(&names, '/'), &ports);
	if (fault != FW_NET_NONE) {
		return fault;
	}
	if (names.length == 0) {
		return FW_NET_NO_PROTOCOL;
	}
	unsigned protocols = parse_port_protocols(names);
	if (protocols == 0) {
		return FW_NET_PROTOCOL;
	}
	*out_ports = ports;
	*out_protocols = protocols;
	return FW_NET_NONE;
}

void fw_ports_format(struct fw_ports ports, struct fw_buf *out) {
	fw_buf_add_uint(out, ports.low);
	if (ports.low != ports.high) {
		fw_buf_add_char(out, '-');
		fw_buf_add_uint(out, ports.high);
	}
}

static int compare_low(const void *a, const void *b) {
	const struct fw_ports *left = a;
	const struct fw_ports *right = b;
	return left->low - right->low;
}

size_t fw_ports_normalize(struct fw_ports *ports, size_t count) {
	if (count < 2) {
		return count;
	}
	qsort(ports, count, sizeof(*ports), compare_low);
	struct fw_ports *last = ports;
	for (size_t i = 1; i < count; i++) {
		if (ports[i].low > last->high + 1) {
			*++last = ports[i];
		} else if (ports[i].high > last->high) {
			last->high = ports[i].high;
		}
	}
	return (size_t)(last - ports) + 1;
}

/* ---- protocols ---- */

/* The names that rule set loaders take; of two for one number, the first is written. */
static const struct {
	const char *name;
	uint8_t number;
} protocols_by_name[] = {
	{"icmp", 1},
	{"igmp", 2},
	{"ipip", 4},
	{"tcp", 6},
	{"udp", 17},
	{"dccp", 33},
	{"ipv6", 41},
	{"gre", 47},
	{"esp", 50},
	{"ah", 51},
	{"icmpv6", 58},
	{"ipv6-icmp", 58},
	{"eigrp", 88},
	{"ospf", 89},
	{"pim", 103},
	{"ipcomp", 108},
	{"vrrp", 112},
	{"l2tp", 115},
	{"sctp", 132},
	{"udplite", 136},
};

enum fw_net_fault fw_protocol_parse(struct fw_slice text, uint8_t *out_protocol) {
	if (text.length == 0) {
		return FW_NET_EMPTY;
	}
	for (size_t i = 0; i < FW_LENGTH(protocols_by_name); i++) {
		if (fw_slice_is(text, protocols_by_name[i].name)) {
			*out_protocol = protocols_by_name[i].number;
			return FW_NET_NONE;
		}
	}
	uint64_t number;
	enum fw_net_fault fault = fw_number_parse(text, UINT8_MAX, FW_NET_PROTOCOL, &number);
	if (fault == FW_NET_NONE) {
		*out_protocol = (uint8_t)number;
	}
	return fault;
}

const char *fw_protocol_name(uint8_t protocol) {
	for (size_t i = 0; i < FW_LENGTH(protocols_by_name); i++) {
		if (protocols_by_name[i].number == protocol) {
			return protocols_by_name[i].name;
		}
	}
	return NULL;
}
