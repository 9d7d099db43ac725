// SPDX-License-Identifier: GPL-2.0-or-later
/* The words for what can be wrong with a text, and the numbers that all parsers read. */

#include "net/common.h"

const char *const fw_net_fault_texts[FW_NET_FAULT_COUNT] = {
	[FW_NET_NONE] = "is fine",
	[FW_NET_EMPTY] = "is empty",
	[FW_NET_NOT_ADDRESS] = "is no address, prefix or range of addresses",
	[FW_NET_HOST_NAME] = "is a host name, not an address",
	[FW_NET_LEADING_ZERO] =
		"has a number with a leading zero, which some programs read as octal",
	[FW_NET_ZONE] = "has a zone, which no rule can match",
	[FW_NET_MAPPED] = "is an IPv4 address mapped into IPv6",
	[FW_NET_PREFIX_LENGTH] = "has no valid prefix length",
	[FW_NET_HOST_BITS] = "has host bits set",
	[FW_NET_REVERSED] = "is a range that ends before it begins",
	[FW_NET_MIXED] = "is a range from one address family into the other",
	[FW_NET_PORT] = "has no valid port number (1 to 65535)",
	[FW_NET_NO_PROTOCOL] = "has no protocol",
	[FW_NET_PROTOCOL] = "has no valid protocol",
	[FW_NET_ICMP_TYPE] = "is no ICMP type",
	[FW_NET_RATE] = "is no rate such as 10/minute",
	[FW_NET_RATE_UNIT] = "has no valid unit (second, minute, hour or day)",
	[FW_NET_BURST] = "has no valid burst",
};

enum fw_net_fault fw_number_parse(
	struct fw_slice text, uint64_t limit, enum fw_net_fault fault, uint64_t *out_value) {
	uint64_t value;
	if (!fw_slice_to_uint(text, UINT64_MAX, &value)) {
		return fault;
	}
	if (text.length > 1 && text.data[0] == '0') {
		return FW_NET_LEADING_ZERO;
	}
	if (value > limit) {
		return fault;
	}
	*out_value = value;
	return FW_NET_NONE;
}
