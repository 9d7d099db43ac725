// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Addresses, prefixes and ranges. IPv4 is read and written by hand, without copies: a site may list
 * a million addresses. All arithmetic is on one 128-bit type for both families.
 */

#include <arpa/inet.h>
#include <assert.h>
#include <string.h>

#include "net/common.h"

const char *const fw_family_names[FW_FAMILY_COUNT] = {
	[FW_FAMILY_NONE] = "any family",
	[FW_IPV4] = "IPv4",
	[FW_IPV6] = "IPv6",
};

/* ---- arithmetic ---- */

static unsigned width(enum fw_family family) {
	assert(family == FW_IPV4 || family == FW_IPV6);
	return family == FW_IPV4 ? 32 : 128;
}

/** The number whose low `bits` bits are set. */
static struct fw_addr low_bits(unsigned bits) {
	struct fw_addr mask = {0, UINT64_MAX};
	if (bits < 64) {
		mask.low = ((uint64_t)1 << bits) - 1;
	} else if (bits < 128) {
		mask.high = ((uint64_t)1 << (bits - 64)) - 1;
	} else {
		mask.high = UINT64_MAX;
	}
	return mask;
}

static bool is_zero(struct fw_addr addr) {
	return addr.high == 0 && addr.low == 0;
}

static struct fw_addr both(struct fw_addr a, struct fw_addr b) {
	return (struct fw_addr){a.high & b.high, a.low & b.low};
}

static struct fw_addr either(struct fw_addr a, struct fw_addr b) {
	return (struct fw_addr){a.high | b.high, a.low | b.low};
}

static struct fw_addr differing(struct fw_addr a, struct fw_addr b) {
	return (struct fw_addr){a.high ^ b.high, a.low ^ b.low};
}

int fw_addr_compare(struct fw_addr a, struct fw_addr b) {
	if (a.high != b.high) {
		return a.high < b.high ? -1 : 1;
	}
	return (a.low > b.low) - (a.low < b.low);
}

struct fw_addr fw_addr_next(struct fw_addr addr) {
	addr.low++;
	addr.high += addr.low == 0;
	return addr;
}

struct fw_addr fw_addr_previous(struct fw_addr addr) {
	addr.high -= addr.low == 0;
	addr.low--;
	return addr;
}

/* ---- reading ---- */

/** Four decimal numbers to 255 with dots between, nothing else. */
static bool parse_ipv4(struct fw_slice text, struct fw_addr *out_addr) {
	const char *at = text.data;
	const char *end = at + text.length;
	uint32_t addr = 0;
	for (int part = 0; part < 4; part++) {
		if (part > 0 && (at == end || *at++ != '.')) {
			return false;
		}
		const char *start = at;
		unsigned value = 0;
		while (at != end && *at >= '0' && *at <= '9' && at - start < 3) {
			value = 10 * value + (unsigned)(*at++ - '0');
		}
		if (at == start || value > 255 || (*start == '0' && at - start > 1)) {
			return false;
		}
		addr = addr << 8 | value;
	}
	if (at != end) {
		return false;
	}
	*out_addr = (struct fw_addr){0, addr};
	return true;
}

static uint64_t read_big_endian(const uint8_t *bytes) {
	uint64_t value = 0;
	for (int i = 0; i < 8; i++) {
		value = value << 8 | bytes[i];
	}
	return value;
}

static bool contains_char(struct fw_slice text, char c) {
	return text.length != 0 && memchr(text.data, c, text.length) != NULL;
}

static enum fw_net_fault parse_ipv6(struct fw_slice text, struct fw_addr *out_addr) {
	if (contains_char(text, '%')) {
		return FW_NET_ZONE;
	}
	char copy[INET6_ADDRSTRLEN];
	uint8_t bytes[16];
	if (text.length >= sizeof(copy) || contains_char(text, '\0')) {
		return FW_NET_NOT_ADDRESS;
	}
	memcpy(copy, text.data, text.length);
	copy[text.length] = '\0';
	if (inet_pton(AF_INET6, copy, bytes) != 1) {
		return FW_NET_NOT_ADDRESS;
	}
	struct fw_addr addr = {read_big_endian(bytes), read_big_endian(bytes + 8)};
	if (addr.high == 0 && addr.low >> 32 == 0xffff) {
		return FW_NET_MAPPED;
	}
	*out_addr = addr;
	return FW_NET_NONE;
}

/** Whether it is IPv4 but for zeros in front of its numbers. */
static bool is_zero_padded(struct fw_slice text) {
	bool padded = false;
	int parts = 0;
	while (text.data != NULL) {
		struct fw_slice part = fw_slice_cut(&text, '.');
		uint64_t value;
		if (!fw_slice_to_uint(part, 255, &value)) {
			return false;
		}
		padded |= part.length > 1 && part.data[0] == '0';
		parts++;
	}
	return padded && parts == 4;
}

static bool is_digit(char c) {
	return c >= '0' && c <= '9';
}

/** Bytes over 127 count, so that names outside ASCII are told as names too. */
static bool is_letter(char c) {
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (unsigned char)c > 127;
}

/** The last label of a name is never a number, and never starts with one. */
static bool is_host_name(struct fw_slice text) {
	if (text.length != 0 && text.data[text.length - 1] == '.') {
		text.length--;
	}
	size_t label = 0;
	for (size_t i = 0; i < text.length; i++) {
		char c = text.data[i];
		if (c == '.') {
			label = i + 1;
		} else if (!is_letter(c) && !is_digit(c) && c != '-' && c != '_') {
			return false;
		}
	}
	return label < text.length && is_letter(text.data[label]);
}

static enum fw_net_fault parse_addr(
	struct fw_slice text, enum fw_family *out_family, struct fw_addr *out_addr) {
	if (parse_ipv4(text, out_addr)) {
		*out_family = FW_IPV4;
		return FW_NET_NONE;
	}
	if (contains_char(text, ':')) {
		*out_family = FW_IPV6;
		return parse_ipv6(text, out_addr);
	}
	if (is_zero_padded(text)) {
		return FW_NET_LEADING_ZERO;
	}
	return is_host_name(text) ? FW_NET_HOST_NAME : FW_NET_NOT_ADDRESS;
}

static enum fw_net_fault parse_prefix(
	struct fw_slice addr, struct fw_slice length_text, struct fw_range *out_range) {
	struct fw_range range;
	enum fw_net_fault fault = parse_addr(addr, &range.family, &range.first);
	if (fault != FW_NET_NONE) {
		return fault;
	}
	unsigned bits = width(range.family);
	uint64_t length;
	if (fw_number_parse(length_text, bits, FW_NET_PREFIX_LENGTH, &length) != FW_NET_NONE) {
		return FW_NET_PREFIX_LENGTH;
	}
	struct fw_addr host_bits = low_bits(bits - (unsigned)length);
	fault = is_zero(both(range.first, host_bits)) ? FW_NET_NONE : FW_NET_HOST_BITS;
	range.last = either(range.first, host_bits);
	range.first = differing(range.last, host_bits);
	*out_range = range;
	return fault;
}

static enum fw_net_fault parse_ends(
	struct fw_slice first, struct fw_slice last, struct fw_range *out_range) {
	struct fw_range range;
	enum fw_family last_family;
	enum fw_net_fault fault = parse_addr(fw_slice_trim(first), &range.family, &range.first);
	if (fault == FW_NET_NONE) {
		fault = parse_addr(fw_slice_trim(last), &last_family, &range.last);
	}
	if (fault != FW_NET_NONE) {
		return fault;
	}
	if (range.family != last_family) {
		return FW_NET_MIXED;
	}
	if (fw_addr_compare(range.first, range.last) > 0) {
		return FW_NET_REVERSED;
	}
	*out_range = range;
	return FW_NET_NONE;
}

enum fw_net_fault fw_range_parse(struct fw_slice text, struct fw_range *out_range) {
	if (text.length == 0) {
		return FW_NET_EMPTY;
	}
	struct fw_slice rest = text;
	struct fw_addr single;
	if (parse_ipv4(text, &single)) { /* as in the long lists */
		*out_range = (struct fw_range){single, single, FW_IPV4};
		return FW_NET_NONE;
	}
	/* The hyphen first: a prefix at the end of a range is then no address, which is the fault,
	 * rather than a prefix of odd length. */
	if (contains_char(text, '-')) {
		struct fw_slice first = fw_slice_cut(&rest, '-');
		enum fw_net_fault fault = parse_ends(first, rest, out_range);
		return fault == FW_NET_NOT_ADDRESS && is_host_name(text) ? FW_NET_HOST_NAME : fault;
	}
	struct fw_slice addr = fw_slice_cut(&rest, '/');
	if (rest.data != NULL) {
		return parse_prefix(addr, rest, out_range);
	}
	struct fw_range range;
	enum fw_net_fault fault = parse_addr(addr, &range.family, &range.first);
	if (fault == FW_NET_NONE) {
		range.last = range.first;
		*out_range = range;
	}
	return fault;
}

/* ---- asking ---- */

bool fw_range_is_single(const struct fw_range *range) {
	return fw_addr_compare(range->first, range->last) == 0;
}

int fw_range_prefix_length(const struct fw_range *range) {
	if (fw_range_is_single(range)) {
		return (int)width(range->family);
	}
	struct fw_addr host_bits = differing(range->first, range->last);
	bool low_only = is_zero(both(host_bits, fw_addr_next(host_bits)));
	if (!low_only || !is_zero(both(range->first, host_bits))) {
		return -1;
	}
	int bits = __builtin_popcountll(host_bits.high) + __builtin_popcountll(host_bits.low);
	return (int)width(range->family) - bits;
}

bool fw_range_is_all(const struct fw_range *range) {
	return fw_range_prefix_length(range) == 0;
}

bool fw_range_contains(const struct fw_range *outer, const struct fw_range *inner) {
	return outer->family == inner->family && fw_addr_compare(outer->first, inner->first) <= 0 &&
	       fw_addr_compare(outer->last, inner->last) >= 0;
}

bool fw_range_overlaps(const struct fw_range *a, const struct fw_range *b) {
	return a->family == b->family && fw_addr_compare(a->first, b->last) <= 0 &&
	       fw_addr_compare(b->first, a->last) <= 0;
}

int fw_range_compare(const struct fw_range *a, const struct fw_range *b) {
	if (a->family != b->family) {
		return a->family < b->family ? -1 : 1;
	}
	int order = fw_addr_compare(a->first, b->first);
	return order != 0 ? order : fw_addr_compare(b->last, a->last);
}

/* ---- writing ---- */

/* Bytes in decimal, and how many digits that takes: addresses are most of what is written. */
#define DIGIT(n)   ((char)('0' + (n) % 10))
#define LEADING(n) ((n) >= 100 ? (n) / 100 : (n) >= 10 ? (n) / 10 : (n))
#define MIDDLE(n)  ((n) >= 100 ? (n) / 10 : (n))
#define OCTET(n)                                                                                   \
	{ DIGIT(LEADING(n)), DIGIT(MIDDLE(n)), DIGIT(n), 1 + ((n) >= 10) + ((n) >= 100) }
#define OCTETS4(n)  OCTET(n), OCTET((n) + 1), OCTET((n) + 2), OCTET((n) + 3)
#define OCTETS16(n) OCTETS4(n), OCTETS4((n) + 4), OCTETS4((n) + 8), OCTETS4((n) + 12)
#define OCTETS64(n) OCTETS16(n), OCTETS16((n) + 16), OCTETS16((n) + 32), OCTETS16((n) + 48)
static const char octets[256][4] = {OCTETS64(0), OCTETS64(64), OCTETS64(128), OCTETS64(192)};

/* Needs room for one byte more than the longest text, whatever the address. */
static char *write_ipv4(char *at, uint64_t addr) {
	for (int shift = 24; shift >= 0; shift -= 8) {
		const char *octet = octets[addr >> shift & 255];
		memcpy(at, octet, sizeof(octets[0]));
		at += octet[3];
		*at++ = '.';
	}
	return at - 1;
}

static char *write_hex(char *at, unsigned value) {
	int shift = 12;
	while (shift > 0 && value >> shift == 0) {
		shift -= 4;
	}
	for (; shift >= 0; shift -= 4) {
		*at++ = "0123456789abcdef"[value >> shift & 15];
	}
	return at;
}

/** Finds the first of the longest runs of zeros among the eight groups; RFC 5952 section 4.2. */
static int find_zeros(const unsigned groups[static 8], int *out_count) {
	int best = 0;
	int run = 0;
	*out_count = 0;
	for (int i = 0; i < 8; i++) {
		run = groups[i] == 0 ? run + 1 : 0;
		if (run > *out_count) {
			*out_count = run;
			best = i + 1 - run;
		}
	}
	return best;
}

static char *write_ipv6(char *at, struct fw_addr addr) {
	unsigned groups[8];
	for (int i = 0; i < 8; i++) {
		uint64_t half = i < 4 ? addr.high : addr.low;
		groups[i] = half >> (48 - 16 * (i % 4)) & 0xffff;
	}
	int zero_count;
	int zeros = find_zeros(groups, &zero_count);
	for (int i = 0; i < 8; i++) {
		if (i == zeros && zero_count > 1) { /* a single zero is not shortened */
			*at++ = ':';
			*at++ = ':';
			i += zero_count - 1;
			continue;
		}
		if (i > 0 && at[-1] != ':') {
			*at++ = ':';
		}
		at = write_hex(at, groups[i]);
	}
	return at;
}

void fw_addr_format(enum fw_family family, struct fw_addr addr, struct fw_buf *out) {
	char *start = fw_buf_reserve(out, INET6_ADDRSTRLEN);
	char *end = width(family) == 32 ? write_ipv4(start, addr.low) : write_ipv6(start, addr);
	fw_buf_grew(out, (size_t)(end - start));
}

void fw_range_format(const struct fw_range *range, struct fw_buf *out) {
	fw_addr_format(range->family, range->first, out);
	if (fw_range_is_single(range)) {
		return;
	}
	int length = fw_range_prefix_length(range);
	if (length >= 0) {
		fw_buf_add_char(out, '/');
		fw_buf_add_uint(out, (uint64_t)length);
	} else {
		fw_buf_add_char(out, '-');
		fw_addr_format(range->family, range->last, out);
	}
}

size_t fw_addr_bytes(enum fw_family family, struct fw_addr addr, uint8_t out[static 16]) {
	size_t size = width(family) / 8;
	for (size_t i = size; i-- > 0;) {
		out[i] = (uint8_t)addr.low;
		addr.low = addr.low >> 8 | addr.high << 56;
		addr.high >>= 8;
	}
	return size;
}
