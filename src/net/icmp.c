// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ICMP and ICMPv6 types by name. A number may have several names, British and American; the first
 * of them is the one that is written.
 */

#include <assert.h>

#include "net/common.h"

/* RFC 792, 950 and 1256: name, type, code. */
#define ICMP_TYPES(ROW)                                                                            \
	ROW("echo-reply", 0, -1)                                                                   \
	ROW("destination-unreachable", 3, -1)                                                      \
	ROW("fragmentation-needed", 3, 4)                                                          \
	ROW("source-quench", 4, -1)                                                                \
	ROW("redirect", 5, -1)                                                                     \
	ROW("echo-request", 8, -1)                                                                 \
	ROW("router-advertisement", 9, -1)                                                         \
	ROW("router-solicitation", 10, -1)                                                         \
	ROW("time-exceeded", 11, -1)                                                               \
	ROW("parameter-problem", 12, -1)                                                           \
	ROW("timestamp-request", 13, -1)                                                           \
	ROW("timestamp-reply", 14, -1)                                                             \
	ROW("address-mask-request", 17, -1)                                                        \
	ROW("address-mask-reply", 18, -1)

/* RFC 4443, 2710, 4861 and 3810. */
#define ICMPV6_TYPES(ROW)                                                                          \
	ROW("destination-unreachable", 1, -1)                                                      \
	ROW("packet-too-big", 2, -1)                                                               \
	ROW("time-exceeded", 3, -1)                                                                \
	ROW("parameter-problem", 4, -1)                                                            \
	ROW("echo-request", 128, -1)                                                               \
	ROW("echo-reply", 129, -1)                                                                 \
	ROW("mld-query", 130, -1)                                                                  \
	ROW("mld-report", 131, -1)                                                                 \
	ROW("mld-done", 132, -1)                                                                   \
	ROW("router-solicitation", 133, -1)                                                        \
	ROW("router-advertisement", 134, -1)                                                       \
	ROW("neighbour-solicitation", 135, -1)                                                     \
	ROW("neighbor-solicitation", 135, -1)                                                      \
	ROW("neighbour-advertisement", 136, -1)                                                    \
	ROW("neighbor-advertisement", 136, -1)                                                     \
	ROW("redirect", 137, -1)                                                                   \
	ROW("mld2-report", 143, -1)

#define NAME(name, type, code) name,
#define TYPE(name, type, code) {(type), (code)},

static const char *const icmp_names[] = {ICMP_TYPES(NAME) NULL};
static const struct fw_icmp_type icmp_types[] = {ICMP_TYPES(TYPE)};
static const char *const icmpv6_names[] = {ICMPV6_TYPES(NAME) NULL};
static const struct fw_icmp_type icmpv6_types[] = {ICMPV6_TYPES(TYPE)};

const char *const *fw_icmp_names(enum fw_family family) {
	assert(family == FW_IPV4 || family == FW_IPV6);
	return family == FW_IPV4 ? icmp_names : icmpv6_names;
}

/** The types in the order of the names. */
static const struct fw_icmp_type *types_of(enum fw_family family) {
	return family == FW_IPV4 ? icmp_types : icmpv6_types;
}

static bool parse_numbers(struct fw_slice text, struct fw_icmp_type *out_type) {
	struct fw_slice code_text = text;
	struct fw_slice type_text = fw_slice_cut(&code_text, '/');
	uint64_t type, code;
	if (fw_number_parse(type_text, UINT8_MAX, FW_NET_ICMP_TYPE, &type) != FW_NET_NONE) {
		return false;
	}
	*out_type = (struct fw_icmp_type){(uint8_t)type, -1};
	if (code_text.data == NULL) {
		return true;
	}
	if (fw_number_parse(code_text, UINT8_MAX, FW_NET_ICMP_TYPE, &code) != FW_NET_NONE) {
		return false;
	}
	out_type->code = (int16_t)code;
	return true;
}

enum fw_net_fault fw_icmp_parse(
	enum fw_family family, struct fw_slice text, struct fw_icmp_type *out_type) {
	const char *const *names = fw_icmp_names(family);
	for (size_t i = 0; names[i] != NULL; i++) {
		if (fw_slice_is(text, names[i])) {
			*out_type = types_of(family)[i];
			return FW_NET_NONE;
		}
	}
	struct fw_icmp_type numbers;
	if (text.length == 0) {
		return FW_NET_EMPTY;
	}
	if (!parse_numbers(text, &numbers)) {
		return FW_NET_ICMP_TYPE;
	}
	*out_type = numbers;
	return FW_NET_NONE;
}

const char *fw_icmp_name(enum fw_family family, struct fw_icmp_type type) {
	const char *const *names = fw_icmp_names(family);
	for (size_t i = 0; type.code < 0 && names[i] != NULL; i++) {
		const struct fw_icmp_type *named = &types_of(family)[i];
		if (named->type == type.type && named->code < 0) {
			return names[i];
		}
	}
	return NULL;
}
