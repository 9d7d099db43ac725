// SPDX-License-Identifier: GPL-2.0-or-later
/* Addresses, ports, protocols, ICMP types and rates: each text with its value or its fault. */

#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "net/net.h"

/** A generator of our own, so that every run tries the same. */
static uint64_t random_state = 1;

static uint64_t random_bits(void) {
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state * 0x2545f4914f6cdd1d;
}

static const struct fw_range untouched = {{1, 2}, {3, 4}, FW_FAMILY_NONE};

static bool is_untouched(const struct fw_range *range) {
	return fw_addr_compare(range->first, untouched.first) == 0 &&
	       fw_addr_compare(range->last, untouched.last) == 0 &&
	       range->family == untouched.family;
}

static void assert_range_text(const struct fw_range *range, const char *text) {
	FW_AUTO(fw_buf_fini) struct fw_buf buf = {0};
	fw_range_format(range, &buf);
	ck_assert_str_eq(buf.data, text);
}

/** A copy of just its size, so that the sanitizer sees a step behind it. */
static struct fw_slice exact(const char *text) {
	size_t length = strlen(text);
	return (struct fw_slice){memcpy(fw_alloc(length), text, length), length};
}

static void free_exact(struct fw_slice *text) {
	free((void *)(uintptr_t)text->data);
}

/* ---- ranges that are fine ---- */

static const struct {
	const char *text, *canonical;
	enum fw_family family;
	struct fw_addr first, last;
	int prefix_length;
} ranges[] = {
	{"10.0.0.1", "10.0.0.1", FW_IPV4, {0, 0x0a000001}, {0, 0x0a000001}, 32},
	{"0.0.0.0", "0.0.0.0", FW_IPV4, {0, 0}, {0, 0}, 32},
	{"255.255.255.255", "255.255.255.255", FW_IPV4, {0, 0xffffffff}, {0, 0xffffffff}, 32},
	{"10.0.0.1/32", "10.0.0.1", FW_IPV4, {0, 0x0a000001}, {0, 0x0a000001}, 32},
	{"10.0.0.0/8", "10.0.0.0/8", FW_IPV4, {0, 0x0a000000}, {0, 0x0affffff}, 8},
	{"0.0.0.0/0", "0.0.0.0/0", FW_IPV4, {0, 0}, {0, 0xffffffff}, 0},
	{"10.0.0.0-10.255.255.255", "10.0.0.0/8", FW_IPV4, {0, 0x0a000000}, {0, 0x0affffff}, 8},
	{"10.0.0.1-10.0.0.9", "10.0.0.1-10.0.0.9", FW_IPV4, {0, 0x0a000001}, {0, 0x0a000009}, -1},
	{"10.0.0.1 - 10.0.0.9", "10.0.0.1-10.0.0.9", FW_IPV4, {0, 0x0a000001}, {0, 0x0a000009}, -1},
	{"10.0.0.1-\t10.0.0.1", "10.0.0.1", FW_IPV4, {0, 0x0a000001}, {0, 0x0a000001}, 32},
	{"10.0.0.1-10.0.0.2", "10.0.0.1-10.0.0.2", FW_IPV4, {0, 0x0a000001}, {0, 0x0a000002}, -1},
	{"10.0.0.2-10.0.0.3", "10.0.0.2/31", FW_IPV4, {0, 0x0a000002}, {0, 0x0a000003}, 31},
	{"0.0.0.0-255.255.255.255", "0.0.0.0/0", FW_IPV4, {0, 0}, {0, 0xffffffff}, 0},
	{"::", "::", FW_IPV6, {0, 0}, {0, 0}, 128},
	{"::1", "::1", FW_IPV6, {0, 1}, {0, 1}, 128},
	{"::/0", "::/0", FW_IPV6, {0, 0}, {UINT64_MAX, UINT64_MAX}, 0},
	{"2001:DB8::", "2001:db8::", FW_IPV6, {0x20010db800000000, 0}, {0x20010db800000000, 0},
		128},
	{"2001:db8::/32", "2001:db8::/32", FW_IPV6, {0x20010db800000000, 0},
		{0x20010db8ffffffff, UINT64_MAX}, 32},
	{"2001:db8::/64", "2001:db8::/64", FW_IPV6, {0x20010db800000000, 0},
		{0x20010db800000000, UINT64_MAX}, 64},
	{"2001:db8::/65", "2001:db8::/65", FW_IPV6, {0x20010db800000000, 0},
		{0x20010db800000000, INT64_MAX}, 65},
	{"2001:db8::/63", "2001:db8::/63", FW_IPV6, {0x20010db800000000, 0},
		{0x20010db800000001, UINT64_MAX}, 63},
	{"2001:db8::5-2001:db8::9", "2001:db8::5-2001:db8::9", FW_IPV6, {0x20010db800000000, 5},
		{0x20010db800000000, 9}, -1},
	{"::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::/0", FW_IPV6, {0, 0},
		{UINT64_MAX, UINT64_MAX}, 0},
	{"::1-::2", "::1-::2", FW_IPV6, {0, 1}, {0, 2}, -1},
	{"64:ff9b::192.0.2.33", "64:ff9b::c000:221", FW_IPV6, {0x0064ff9b00000000, 0xc0000221},
		{0x0064ff9b00000000, 0xc0000221}, 128},
	{"1:2:3:4:5:6:255.255.255.255", "1:2:3:4:5:6:ffff:ffff", FW_IPV6,
		{0x0001000200030004, 0x00050006ffffffff}, {0x0001000200030004, 0x00050006ffffffff},
		128},
	{"2001:0db8:0000:0000:0001:0000:0000:0001", "2001:db8::1:0:0:1", FW_IPV6,
		{0x20010db800000000, 0x0001000000000001}, {0x20010db800000000, 0x0001000000000001},
		128},
	{"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1", FW_IPV6,
		{0x20010db800000001, 0x0001000100010001}, {0x20010db800000001, 0x0001000100010001},
		128},
	{"2001:0:0:1::1", "2001:0:0:1::1", FW_IPV6, {0x2001000000000001, 1},
		{0x2001000000000001, 1}, 128},
	{"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0", FW_IPV6, {0x0001000200030004, 0x0005000600070000},
		{0x0001000200030004, 0x0005000600070000}, 128},
	{"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8", FW_IPV6, {0x0000000200030004, 0x0005000600070008},
		{0x0000000200030004, 0x0005000600070008}, 128},
};

START_TEST(ranges_are_read_and_written) {
	FW_AUTO(free_exact) struct fw_slice text = exact(ranges[_i].text);
	struct fw_range range;
	ck_assert_int_eq(fw_range_parse(text, &range), FW_NET_NONE);
	ck_assert_int_eq(range.family, ranges[_i].family);
	ck_assert_int_eq(fw_addr_compare(range.first, ranges[_i].first), 0);
	ck_assert_int_eq(fw_addr_compare(range.last, ranges[_i].last), 0);
	ck_assert_int_eq(fw_range_prefix_length(&range), ranges[_i].prefix_length);
	ck_assert_int_eq(fw_range_is_all(&range), ranges[_i].prefix_length == 0);
	int address = ranges[_i].family == FW_IPV4 ? 32 : 128;
	ck_assert_int_eq(fw_range_is_single(&range), ranges[_i].prefix_length == address);
	assert_range_text(&range, ranges[_i].canonical);
}
END_TEST

/* ---- ranges that are not ---- */

static const struct {
	const char *text;
	enum fw_net_fault fault;
} bad_ranges[] = {
	{"", FW_NET_EMPTY},
	{" ", FW_NET_NOT_ADDRESS},
	{" 10.0.0.1", FW_NET_NOT_ADDRESS},
	{"10.0.0.1 ", FW_NET_NOT_ADDRESS},
	{"10.0.0.1\n", FW_NET_NOT_ADDRESS},
	{"10.0.0", FW_NET_NOT_ADDRESS},
	{"10.0.0.", FW_NET_NOT_ADDRESS},
	{".10.0.0", FW_NET_NOT_ADDRESS},
	{"10..0.1", FW_NET_NOT_ADDRESS},
	{"10.0.0.1.", FW_NET_NOT_ADDRESS},
	{"10.0.0.0.1", FW_NET_NOT_ADDRESS},
	{"10.0.0.256", FW_NET_NOT_ADDRESS},
	{"10.0.0.1000", FW_NET_NOT_ADDRESS},
	{"10.0.0.-1", FW_NET_NOT_ADDRESS},
	{"10,0,0,1", FW_NET_NOT_ADDRESS},
	{"10.0.0.*", FW_NET_NOT_ADDRESS},
	{"10.0.0.1a", FW_NET_NOT_ADDRESS},
	{"0x7f.0.0.1", FW_NET_NOT_ADDRESS},
	{"167772161", FW_NET_NOT_ADDRESS},
	{"10.0.0.1:80", FW_NET_NOT_ADDRESS},
	{"*", FW_NET_NOT_ADDRESS},
	{".", FW_NET_NOT_ADDRESS},
	{"-", FW_NET_NOT_ADDRESS},
	{"/", FW_NET_NOT_ADDRESS},
	{"/8", FW_NET_NOT_ADDRESS},
	{":", FW_NET_NOT_ADDRESS},
	{":::", FW_NET_NOT_ADDRESS},
	{"[::1]", FW_NET_NOT_ADDRESS},
	{"1::2::3", FW_NET_NOT_ADDRESS},
	{"1:2:3:4:5:6:7", FW_NET_NOT_ADDRESS},
	{"1:2:3:4:5:6:7:8:9", FW_NET_NOT_ADDRESS},
	{"::12345", FW_NET_NOT_ADDRESS},
	{"::g", FW_NET_NOT_ADDRESS},
	{"::1.2.3", FW_NET_NOT_ADDRESS},
	{"::1.2.3.04", FW_NET_NOT_ADDRESS},
	{"::00000000000000000000000000000000000000000000000000000000000001", FW_NET_NOT_ADDRESS},
	{"example.org", FW_NET_HOST_NAME},
	{"example.org.", FW_NET_HOST_NAME},
	{"localhost", FW_NET_HOST_NAME},
	{"m\xc3\xbcnchen.example", FW_NET_HOST_NAME},
	{"example.\xc3\xb6rg", FW_NET_HOST_NAME},
	{"my-host.example.org", FW_NET_HOST_NAME},
	{"3-com.example", FW_NET_HOST_NAME},
	{"10.0.0.1-host.example.org", FW_NET_HOST_NAME},
	{"10.0.0.1 - example.org", FW_NET_HOST_NAME},
	{"_sip.example.org", FW_NET_HOST_NAME},
	{"example.org/24", FW_NET_HOST_NAME},
	{"example.org:80", FW_NET_NOT_ADDRESS},
	{"010.0.0.1", FW_NET_LEADING_ZERO},
	{"10.0.0.01", FW_NET_LEADING_ZERO},
	{"10.00.0.1", FW_NET_LEADING_ZERO},
	{"10.0.0.0001", FW_NET_LEADING_ZERO},
	{"010.0.0.0/8", FW_NET_LEADING_ZERO},
	{"10.0.0.1-10.0.0.09", FW_NET_LEADING_ZERO},
	{"010.0.0", FW_NET_NOT_ADDRESS},
	{"010.0.0.256", FW_NET_NOT_ADDRESS},
	{"fe80::1%eth0", FW_NET_ZONE},
	{"fe80::1%", FW_NET_ZONE},
	{"fe80::1%br-lan", FW_NET_ZONE},
	{"fe80::1%eth0/64", FW_NET_ZONE},
	{"fe80::%eth0.100", FW_NET_ZONE},
	{"10.0.0.1%eth0", FW_NET_NOT_ADDRESS},
	{"::ffff:1.2.3.4", FW_NET_MAPPED},
	{"::FFFF:102:304", FW_NET_MAPPED},
	{"::ffff:10.0.0.0/104", FW_NET_MAPPED},
	{"::ffff:0:0/96", FW_NET_MAPPED},
	{"::ffff:1.2.3.4-::ffff:1.2.3.9", FW_NET_MAPPED},
	{"10.0.0.0/33", FW_NET_PREFIX_LENGTH},
	{"10.0.0.0/", FW_NET_PREFIX_LENGTH},
	{"10.0.0.0/8/8", FW_NET_PREFIX_LENGTH},
	{"10.0.0.0/08", FW_NET_PREFIX_LENGTH},
	{"0.0.0.0/00", FW_NET_PREFIX_LENGTH},
	{"10.0.0.0/+8", FW_NET_PREFIX_LENGTH},
	{"10.0.0.0/ 8", FW_NET_PREFIX_LENGTH},
	{"10.0.0.0/8 ", FW_NET_PREFIX_LENGTH},
	{"10.0.0.0/255.0.0.0", FW_NET_PREFIX_LENGTH},
	{"10.0.0.0/99999999999999999999", FW_NET_PREFIX_LENGTH},
	{"10.0.0.0/4294967304", FW_NET_PREFIX_LENGTH},
	{"::/129", FW_NET_PREFIX_LENGTH},
	{"::/x", FW_NET_PREFIX_LENGTH},
	{"10.0.0.9-10.0.0.1", FW_NET_REVERSED},
	{"::2-::1", FW_NET_REVERSED},
	{"1::-::1", FW_NET_REVERSED},
	{"10.0.0.1-::1", FW_NET_MIXED},
	{"::1-10.0.0.1", FW_NET_MIXED},
	{"1.2.3.4-", FW_NET_NOT_ADDRESS},
	{"-1.2.3.4", FW_NET_NOT_ADDRESS},
	{"1.2.3.4--1.2.3.5", FW_NET_NOT_ADDRESS},
	{"1.2.3.4-1.2.3.5-1.2.3.6", FW_NET_NOT_ADDRESS},
	{"10.0.0.1-9", FW_NET_NOT_ADDRESS},
	{"10.0.0.0/8-10.1.0.0/16", FW_NET_NOT_ADDRESS},
	{"10.0.0.0-10.1.0.0/16", FW_NET_NOT_ADDRESS},
	{"10.0.0.0/8-10.1.0.0", FW_NET_NOT_ADDRESS},
};

START_TEST(bad_ranges_are_told_apart) {
	FW_AUTO(free_exact) struct fw_slice text = exact(bad_ranges[_i].text);
	struct fw_range range = untouched;
	ck_assert_int_eq(fw_range_parse(text, &range), bad_ranges[_i].fault);
	ck_assert(is_untouched(&range));
}
END_TEST

START_TEST(nul_bytes_end_no_address) {
	struct fw_range range = untouched;
	ck_assert_int_eq(fw_range_parse(FW_SLICE("10.0.0.1\0"), &range), FW_NET_NOT_ADDRESS);
	ck_assert_int_eq(fw_range_parse(FW_SLICE("::1\0"), &range), FW_NET_NOT_ADDRESS);
	ck_assert_int_eq(fw_range_parse(FW_SLICE("::1\0x"), &range), FW_NET_NOT_ADDRESS);
	ck_assert_int_eq(fw_range_parse((struct fw_slice){0}, &range), FW_NET_EMPTY);
	ck_assert(is_untouched(&range));
}
END_TEST

static const struct {
	const char *text, *fixed;
} host_bits[] = {
	{"10.0.0.1/8", "10.0.0.0/8"},
	{"255.255.255.255/0", "0.0.0.0/0"},
	{"10.0.0.1/31", "10.0.0.0/31"},
	{"2001:db8::1/32", "2001:db8::/32"},
	{"2001:db8::1/127", "2001:db8::/127"},
	{"8000::/0", "::/0"},
	{"2001:db8:0:1::/63", "2001:db8::/63"},
};

START_TEST(host_bits_come_with_the_fixed_prefix) {
	struct fw_range range;
	ck_assert_int_eq(fw_range_parse(fw_slice(host_bits[_i].text), &range), FW_NET_HOST_BITS);
	assert_range_text(&range, host_bits[_i].fixed);
}
END_TEST

/* ---- addresses at random ---- */

/** Few bits set, so that runs of zeros and short groups are common. */
static struct fw_addr random_addr(void) {
	return (struct fw_addr){
		random_bits() & random_bits() & random_bits() & -(random_bits() & 1),
		random_bits() & random_bits() & random_bits() & -(random_bits() & 1),
	};
}

START_TEST(ipv6_is_written_as_the_system_does) {
	for (int i = 0; i < 200000; i++) {
		struct fw_addr addr = random_addr();
		uint8_t bytes[16];
		fw_addr_bytes(FW_IPV6, addr, bytes);
		char expected[INET6_ADDRSTRLEN];
		inet_ntop(AF_INET6, bytes, expected, sizeof(expected));
		if (strchr(expected, '.') != NULL) {
			continue; /* it writes some low addresses half in decimal */
		}
		FW_AUTO(fw_buf_fini) struct fw_buf buf = {0};
		fw_addr_format(FW_IPV6, addr, &buf);
		struct fw_range range;
		if (strcmp(buf.data, expected) != 0 ||
			fw_range_parse(fw_buf_slice(&buf), &range) != FW_NET_NONE ||
			fw_addr_compare(range.first, addr) != 0) {
			ck_abort_msg("%s, not %s", buf.data, expected);
		}
	}
}
END_TEST

START_TEST(ipv4_is_written_as_the_system_does) {
	for (int i = 0; i < 200000; i++) {
		struct fw_addr addr = {0, random_bits() & UINT32_MAX};
		uint8_t bytes[16];
		size_t size = fw_addr_bytes(FW_IPV4, addr, bytes);
		char expected[INET_ADDRSTRLEN];
		inet_ntop(AF_INET, bytes, expected, sizeof(expected));
		FW_AUTO(fw_buf_fini) struct fw_buf buf = {0};
		fw_addr_format(FW_IPV4, addr, &buf);
		struct fw_range range;
		if (size != 4 || strcmp(buf.data, expected) != 0 ||
			fw_range_parse(fw_buf_slice(&buf), &range) != FW_NET_NONE ||
			fw_addr_compare(range.first, addr) != 0) {
			ck_abort_msg("%s, not %s", buf.data, expected);
		}
	}
}
END_TEST

static struct fw_range random_range(void) {
	struct fw_range range = {.family = random_bits() & 1 ? FW_IPV4 : FW_IPV6};
	range.first = random_addr();
	range.last = random_addr();
	if (range.family == FW_IPV4) {
		range.first = (struct fw_addr){0, range.first.low & UINT32_MAX};
		range.last = (struct fw_addr){0, range.last.low & UINT32_MAX};
	}
	if (fw_addr_compare(range.first, range.last) > 0) {
		struct fw_addr first = range.last;
		range.last = range.first;
		range.first = first;
	}
	return range;
}

START_TEST(ranges_come_back_from_their_text) {
	for (int i = 0; i < 100000; i++) {
		struct fw_range range = random_range();
		FW_AUTO(fw_buf_fini) struct fw_buf buf = {0};
		fw_range_format(&range, &buf);
		struct fw_range again;
		enum fw_net_fault fault = fw_range_parse(fw_buf_slice(&buf), &again);
		if (fault == FW_NET_MAPPED) {
			continue;
		}
		if (fault != FW_NET_NONE || fw_range_compare(&range, &again) != 0) {
			ck_abort_msg("%s", buf.data);
		}
	}
}
END_TEST

START_TEST(bytes_are_in_network_order) {
	uint8_t bytes[16];
	ck_assert_uint_eq(fw_addr_bytes(FW_IPV4, (struct fw_addr){0, 0x01020304}, bytes), 4);
	ck_assert_mem_eq(bytes, "\1\2\3\4", 4);
	struct fw_addr addr = {0x0102030405060708, 0x090a0b0c0d0e0f10};
	ck_assert_uint_eq(fw_addr_bytes(FW_IPV6, addr, bytes), 16);
	ck_assert_mem_eq(bytes, "\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17\20", 16);
}
END_TEST

/* ---- arithmetic and order ---- */

static const struct {
	struct fw_addr addr, next;
} steps[] = {
	{{0, 0}, {0, 1}},
	{{0, UINT32_MAX}, {0, (uint64_t)UINT32_MAX + 1}},
	{{0, UINT64_MAX}, {1, 0}},
	{{UINT64_MAX, UINT64_MAX}, {0, 0}},
};

START_TEST(neighbours_of_an_address) {
	ck_assert_int_eq(fw_addr_compare(fw_addr_next(steps[_i].addr), steps[_i].next), 0);
	ck_assert_int_eq(fw_addr_compare(fw_addr_previous(steps[_i].next), steps[_i].addr), 0);
}
END_TEST

static struct fw_range range_of(const char *text) {
	struct fw_range range;
	ck_assert_int_eq(fw_range_parse(fw_slice(text), &range), FW_NET_NONE);
	return range;
}

/* In their order, each against each. */
static const char *const ordered[] = {"0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/24", "10.0.0.0",
	"10.0.0.5", "11.0.0.0-12.0.0.0", "::/0", "::", "::1", "2001:db8::/32", "2001:db8::/64",
	"ffff::"};

START_TEST(ranges_have_an_order) {
	for (int j = 0; j < (int)FW_LENGTH(ordered); j++) {
		struct fw_range a = range_of(ordered[_i]);
		struct fw_range b = range_of(ordered[j]);
		int order = fw_range_compare(&a, &b);
		ck_assert_int_eq((order > 0) - (order < 0), (_i > j) - (_i < j));
	}
}
END_TEST

static const struct {
	const char *a, *b;
	bool contains, overlaps;
} pairs[] = {
	{"10.0.0.0/8", "10.0.0.0/8", true, true},
	{"10.0.0.0/8", "10.1.0.0/16", true, true},
	{"10.1.0.0/16", "10.0.0.0/8", false, true},
	{"10.0.0.1-10.0.0.5", "10.0.0.5-10.0.0.9", false, true},
	{"10.0.0.5-10.0.0.9", "10.0.0.1-10.0.0.5", false, true},
	{"10.0.0.1-10.0.0.5", "10.0.0.6-10.0.0.9", false, false},
	{"10.0.0.6-10.0.0.9", "10.0.0.1-10.0.0.5", false, false},
	{"0.0.0.0/0", "::/0", false, false},
	{"::/0", "::a00:1", true, true},
	{"::/0", "10.0.0.1", false, false},
};

START_TEST(ranges_contain_and_overlap) {
	struct fw_range a = range_of(pairs[_i].a);
	struct fw_range b = range_of(pairs[_i].b);
	ck_assert_int_eq(fw_range_contains(&a, &b), pairs[_i].contains);
	ck_assert_int_eq(fw_range_overlaps(&a, &b), pairs[_i].overlaps);
}
END_TEST

/* ---- ports ---- */

static const struct {
	const char *text;
	enum fw_net_fault fault;
	struct fw_ports ports;
	unsigned protocols;
	const char *canonical;
} port_texts[] = {
	{"8088/tcp", FW_NET_NONE, {8088, 8088}, FW_PROTO_TCP, "8088"},
	{"1/udp", FW_NET_NONE, {1, 1}, FW_PROTO_UDP, "1"},
	{"65535/udp", FW_NET_NONE, {65535, 65535}, FW_PROTO_UDP, "65535"},
	{"5000-65000/udp", FW_NET_NONE, {5000, 65000}, FW_PROTO_UDP, "5000-65000"},
	{"1-65535/tcp", FW_NET_NONE, {1, 65535}, FW_PROTO_TCP, "1-65535"},
	{"80-80/tcp", FW_NET_NONE, {80, 80}, FW_PROTO_TCP, "80"},
	{"53/tcp+udp", FW_NET_NONE, {53, 53}, FW_PROTO_TCP | FW_PROTO_UDP, "53"},
	{"53/udp+tcp", FW_NET_NONE, {53, 53}, FW_PROTO_TCP | FW_PROTO_UDP, "53"},
	{"", FW_NET_EMPTY},
	{"8088", FW_NET_NO_PROTOCOL},
	{"80-90", FW_NET_NO_PROTOCOL},
	{"80/", FW_NET_NO_PROTOCOL},
	{"0", FW_NET_PORT},
	{"0/tcp", FW_NET_PORT},
	{"0-80/tcp", FW_NET_PORT},
	{"65536/tcp", FW_NET_PORT},
	{"1-65536/tcp", FW_NET_PORT},
	{"99999999999999999999/tcp", FW_NET_PORT},
	{"/tcp", FW_NET_PORT},
	{"tcp", FW_NET_PORT},
	{"tcp/80", FW_NET_PORT},
	{"+80/tcp", FW_NET_PORT},
	{"-80/tcp", FW_NET_PORT},
	{"0x50/tcp", FW_NET_PORT},
	{" 80/tcp", FW_NET_PORT},
	{"80 /tcp", FW_NET_PORT},
	{"80-/tcp", FW_NET_PORT},
	{"80 - 90/tcp", FW_NET_PORT},
	{"80-90-99/tcp", FW_NET_PORT},
	{"80,81/tcp", FW_NET_PORT},
	{"http/tcp", FW_NET_PORT},
	{"080/tcp", FW_NET_LEADING_ZERO},
	{"80-090/tcp", FW_NET_LEADING_ZERO},
	{"00/tcp", FW_NET_LEADING_ZERO},
	{"80-70/tcp", FW_NET_REVERSED},
	{"80/tpc", FW_NET_PROTOCOL},
	{"80/TCP", FW_NET_PROTOCOL},
	{"80/icmp", FW_NET_PROTOCOL},
	{"80/6", FW_NET_PROTOCOL},
	{"80/tcp ", FW_NET_PROTOCOL},
	{"80/ tcp", FW_NET_PROTOCOL},
	{"80/tcp/udp", FW_NET_PROTOCOL},
	{"80/tcp+", FW_NET_PROTOCOL},
	{"80/+tcp", FW_NET_PROTOCOL},
	{"80/tcp+tcp", FW_NET_PROTOCOL},
	{"80/tcp+udp+tcp", FW_NET_PROTOCOL},
	{"80/tcp+sctp", FW_NET_PROTOCOL},
};

START_TEST(ports_are_read) {
	FW_AUTO(free_exact) struct fw_slice text = exact(port_texts[_i].text);
	struct fw_ports ports = {7, 8};
	unsigned protocols = 99;
	ck_assert_int_eq(fw_ports_parse(text, &ports, &protocols), port_texts[_i].fault);
	if (port_texts[_i].fault != FW_NET_NONE) {
		ck_assert(ports.low == 7 && ports.high == 8 && protocols == 99);
		return;
	}
	ck_assert_uint_eq(ports.low, port_texts[_i].ports.low);
	ck_assert_uint_eq(ports.high, port_texts[_i].ports.high);
	ck_assert_uint_eq(protocols, port_texts[_i].protocols);
	FW_AUTO(fw_buf_fini) struct fw_buf buf = {0};
	fw_ports_format(ports, &buf);
	ck_assert_str_eq(buf.data, port_texts[_i].canonical);
}
END_TEST

static const struct {
	struct fw_ports ports[5];
	size_t count;
	struct fw_ports normal[5];
	size_t normal_count;
} port_lists[] = {
	{{{0}}, 0, {{0}}, 0},
	{{{80, 80}}, 1, {{80, 80}}, 1},
	{{{443, 443}, {80, 80}}, 2, {{80, 80}, {443, 443}}, 2},
	{{{80, 80}, {80, 80}}, 2, {{80, 80}}, 1},
	{{{81, 81}, {80, 80}}, 2, {{80, 81}}, 1},
	{{{80, 82}, {84, 85}}, 2, {{80, 82}, {84, 85}}, 2},
	{{{1, 100}, {50, 60}, {90, 110}, {111, 112}, {114, 114}}, 5, {{1, 112}, {114, 114}}, 2},
	{{{65535, 65535}, {1, 65535}, {65534, 65535}}, 3, {{1, 65535}}, 1},
	{{{5, 6}, {5, 9}, {5, 7}}, 3, {{5, 9}}, 1},
};

START_TEST(ports_are_joined) {
	struct fw_ports ports[5];
	memcpy(ports, port_lists[_i].ports, sizeof(ports));
	ck_assert_uint_eq(
		fw_ports_normalize(ports, port_lists[_i].count), port_lists[_i].normal_count);
	ck_assert_mem_eq(ports, port_lists[_i].normal,
		port_lists[_i].normal_count * sizeof(struct fw_ports));
}
END_TEST

/* ---- protocols ---- */

static const struct {
	const char *text;
	enum fw_net_fault fault;
	uint8_t number;
	const char *name;
} protocols[] = {
	{"tcp", FW_NET_NONE, 6, "tcp"},
	{"udp", FW_NET_NONE, 17, "udp"},
	{"icmp", FW_NET_NONE, 1, "icmp"},
	{"icmpv6", FW_NET_NONE, 58, "icmpv6"},
	{"ipv6-icmp", FW_NET_NONE, 58, "icmpv6"},
	{"igmp", FW_NET_NONE, 2, "igmp"},
	{"esp", FW_NET_NONE, 50, "esp"},
	{"ah", FW_NET_NONE, 51, "ah"},
	{"gre", FW_NET_NONE, 47, "gre"},
	{"sctp", FW_NET_NONE, 132, "sctp"},
	{"ospf", FW_NET_NONE, 89, "ospf"},
	{"vrrp", FW_NET_NONE, 112, "vrrp"},
	{"6", FW_NET_NONE, 6, "tcp"},
	{"0", FW_NET_NONE, 0, NULL},
	{"255", FW_NET_NONE, 255, NULL},
	{"", FW_NET_EMPTY},
	{"256", FW_NET_PROTOCOL},
	{"-1", FW_NET_PROTOCOL},
	{"TCP", FW_NET_PROTOCOL},
	{"tcpp", FW_NET_PROTOCOL},
	{"tc", FW_NET_PROTOCOL},
	{"06", FW_NET_LEADING_ZERO},
};

START_TEST(protocols_have_names) {
	uint8_t number = 77;
	enum fw_net_fault fault = fw_protocol_parse(fw_slice(protocols[_i].text), &number);
	ck_assert_int_eq(fault, protocols[_i].fault);
	ck_assert_uint_eq(number, fault == FW_NET_NONE ? protocols[_i].number : 77);
	if (fault == FW_NET_NONE) {
		ck_assert_pstr_eq(fw_protocol_name(number), protocols[_i].name);
	}
}
END_TEST

START_TEST(protocol_names_are_read_back) {
	for (int number = 0; number < 256; number++) {
		const char *name = fw_protocol_name((uint8_t)number);
		uint8_t again = 0;
		if (name != NULL) {
			ck_assert_int_eq(fw_protocol_parse(fw_slice(name), &again), FW_NET_NONE);
			ck_assert_int_eq(again, number);
		}
	}
}
END_TEST

/* ---- ICMP ---- */

static const struct {
	enum fw_family family;
	const char *text;
	enum fw_net_fault fault;
	int type, code;
	const char *name;
} icmp_texts[] = {
	{FW_IPV4, "echo-request", FW_NET_NONE, 8, -1, "echo-request"},
	{FW_IPV4, "echo-reply", FW_NET_NONE, 0, -1, "echo-reply"},
	{FW_IPV4, "destination-unreachable", FW_NET_NONE, 3, -1, "destination-unreachable"},
	{FW_IPV4, "fragmentation-needed", FW_NET_NONE, 3, 4, NULL},
	{FW_IPV4, "time-exceeded", FW_NET_NONE, 11, -1, "time-exceeded"},
	{FW_IPV4, "3", FW_NET_NONE, 3, -1, "destination-unreachable"},
	{FW_IPV4, "3/4", FW_NET_NONE, 3, 4, NULL},
	{FW_IPV4, "0/0", FW_NET_NONE, 0, 0, NULL},
	{FW_IPV4, "255/255", FW_NET_NONE, 255, 255, NULL},
	{FW_IPV4, "99", FW_NET_NONE, 99, -1, NULL},
	{FW_IPV6, "echo-request", FW_NET_NONE, 128, -1, "echo-request"},
	{FW_IPV6, "packet-too-big", FW_NET_NONE, 2, -1, "packet-too-big"},
	{FW_IPV6, "neighbour-solicitation", FW_NET_NONE, 135, -1, "neighbour-solicitation"},
	{FW_IPV6, "neighbor-solicitation", FW_NET_NONE, 135, -1, "neighbour-solicitation"},
	{FW_IPV6, "neighbour-advertisement", FW_NET_NONE, 136, -1, "neighbour-advertisement"},
	{FW_IPV6, "neighbor-advertisement", FW_NET_NONE, 136, -1, "neighbour-advertisement"},
	{FW_IPV6, "mld-query", FW_NET_NONE, 130, -1, "mld-query"},
	{FW_IPV6, "mld2-report", FW_NET_NONE, 143, -1, "mld2-report"},
	{FW_IPV6, "redirect", FW_NET_NONE, 137, -1, "redirect"},
	{FW_IPV6, "1/4", FW_NET_NONE, 1, 4, NULL},
	{FW_IPV4, "", FW_NET_EMPTY},
	{FW_IPV4, "packet-too-big", FW_NET_ICMP_TYPE},
	{FW_IPV4, "neighbour-solicitation", FW_NET_ICMP_TYPE},
	{FW_IPV6, "source-quench", FW_NET_ICMP_TYPE},
	{FW_IPV4, "echo", FW_NET_ICMP_TYPE},
	{FW_IPV4, "Echo-Request", FW_NET_ICMP_TYPE},
	{FW_IPV4, "256", FW_NET_ICMP_TYPE},
	{FW_IPV4, "3/256", FW_NET_ICMP_TYPE},
	{FW_IPV4, "3/", FW_NET_ICMP_TYPE},
	{FW_IPV4, "/4", FW_NET_ICMP_TYPE},
	{FW_IPV4, "3/4/5", FW_NET_ICMP_TYPE},
	{FW_IPV4, "03", FW_NET_ICMP_TYPE},
	{FW_IPV4, "-3", FW_NET_ICMP_TYPE},
	{FW_IPV4, "3/-1", FW_NET_ICMP_TYPE},
};

START_TEST(icmp_types_are_read) {
	struct fw_icmp_type type = {77, 78};
	enum fw_net_fault fault =
		fw_icmp_parse(icmp_texts[_i].family, fw_slice(icmp_texts[_i].text), &type);
	ck_assert_int_eq(fault, icmp_texts[_i].fault);
	ck_assert_int_eq(type.type, fault == FW_NET_NONE ? icmp_texts[_i].type : 77);
	ck_assert_int_eq(type.code, fault == FW_NET_NONE ? icmp_texts[_i].code : 78);
	if (fault == FW_NET_NONE) {
		ck_assert_pstr_eq(fw_icmp_name(icmp_texts[_i].family, type), icmp_texts[_i].name);
	}
}
END_TEST

START_TEST(icmp_names_are_all_read) {
	static const size_t least[] = {[FW_IPV4] = 14, [FW_IPV6] = 17};
	for (enum fw_family family = FW_IPV4; family <= FW_IPV6; family++) {
		const char *const *names = fw_icmp_names(family);
		size_t count = 0;
		for (; names[count] != NULL; count++) {
			struct fw_icmp_type type;
			ck_assert_int_eq(
				fw_icmp_parse(family, fw_slice(names[count]), &type), FW_NET_NONE);
			const char *name = fw_icmp_name(family, type);
			ck_assert_int_eq(name == NULL, type.code >= 0);
		}
		ck_assert_uint_ge(count, least[family]);
	}
}
END_TEST

/* ---- rates ---- */

static const struct {
	const char *text;
	enum fw_net_fault fault;
	struct fw_rate rate;
	const char *canonical;
} rates[] = {
	{"10/minute", FW_NET_NONE, {10, FW_MINUTE, 5, false}, "10/minute burst 5"},
	{"1/second", FW_NET_NONE, {1, FW_SECOND, 5, false}, "1/second burst 5"},
	{"10000/hour", FW_NET_NONE, {10000, FW_HOUR, 5, false}, "10000/hour burst 5"},
	{"3/day burst 1", FW_NET_NONE, {3, FW_DAY, 1, false}, "3/day burst 1"},
	{"10/minute burst 10000", FW_NET_NONE, {10, FW_MINUTE, 10000, false},
		"10/minute burst 10000"},
	{"10/minute per source", FW_NET_NONE, {10, FW_MINUTE, 5, true},
		"10/minute burst 5 per source"},
	{"10/minute burst 7 per source", FW_NET_NONE, {10, FW_MINUTE, 7, true},
		"10/minute burst 7 per source"},
	{" 10/minute\t burst  7 per\tsource ", FW_NET_NONE, {10, FW_MINUTE, 7, true},
		"10/minute burst 7 per source"},
	{"", FW_NET_EMPTY},
	{" \t", FW_NET_EMPTY},
	{"minute", FW_NET_RATE},
	{"/minute", FW_NET_RATE},
	{"x/minute", FW_NET_RATE},
	{"0/minute", FW_NET_RATE},
	{"-1/minute", FW_NET_RATE},
	{"10001/minute", FW_NET_RATE},
	{"4294967306/minute", FW_NET_RATE},
	{"burst 5", FW_NET_RATE},
	{"010/minute", FW_NET_LEADING_ZERO},
	{"10", FW_NET_RATE_UNIT},
	{"10/", FW_NET_RATE_UNIT},
	{"10/minutes", FW_NET_RATE_UNIT},
	{"10/min", FW_NET_RATE_UNIT},
	{"10/none", FW_NET_RATE_UNIT},
	{"10/minute/hour", FW_NET_RATE_UNIT},
	{"10 / minute", FW_NET_RATE_UNIT},
	{"10/minute burst", FW_NET_BURST},
	{"10/minute burst 0", FW_NET_BURST},
	{"10/minute burst 10001", FW_NET_BURST},
	{"10/minute burst x", FW_NET_BURST},
	{"10/minute burst per source", FW_NET_BURST},
	{"10/minute burst 05", FW_NET_LEADING_ZERO},
	{"10/minute burst 5 burst 5", FW_NET_RATE},
	{"10/minute per", FW_NET_RATE},
	{"10/minute per host", FW_NET_RATE},
	{"10/minute source", FW_NET_RATE},
	{"10/minute per source burst 5", FW_NET_RATE},
	{"10/minute burst 5 per source now", FW_NET_RATE},
	{"10/minute 5", FW_NET_RATE},
};

START_TEST(rates_are_read_and_written) {
	FW_AUTO(free_exact) struct fw_slice text = exact(rates[_i].text);
	struct fw_rate rate = {1, FW_UNIT_NONE, 2, false};
	ck_assert_int_eq(fw_rate_parse(text, &rate), rates[_i].fault);
	if (rates[_i].fault != FW_NET_NONE) {
		ck_assert(rate.count == 1 && rate.unit == FW_UNIT_NONE && rate.burst == 2);
		return;
	}
	ck_assert_uint_eq(rate.count, rates[_i].rate.count);
	ck_assert_int_eq(rate.unit, rates[_i].rate.unit);
	ck_assert_uint_eq(rate.burst, rates[_i].rate.burst);
	ck_assert_int_eq(rate.per_source, rates[_i].rate.per_source);
	FW_AUTO(fw_buf_fini) struct fw_buf buf = {0};
	fw_rate_format(&rate, &buf);
	ck_assert_str_eq(buf.data, rates[_i].canonical);
}
END_TEST

START_TEST(no_rate_is_no_limit) {
	FW_AUTO(fw_buf_fini) struct fw_buf buf = {0};
	fw_rate_format(&(struct fw_rate){0}, &buf);
	ck_assert_str_eq(buf.data, "no limit");
}
END_TEST

START_TEST(every_fault_has_its_words) {
	for (int i = 0; i < FW_NET_FAULT_COUNT; i++) {
		ck_assert_ptr_nonnull(fw_net_fault_texts[i]);
	}
	ck_assert_str_eq(fw_family_names[FW_IPV4], "IPv4");
	ck_assert_str_eq(fw_family_names[FW_IPV6], "IPv6");
	ck_assert_str_eq(fw_unit_names[FW_MINUTE], "minute");
}
END_TEST

static TCase *addresses_case(void) {
	TCase *addresses = tcase_create("addresses");
	tcase_set_timeout(addresses, 60);
	tcase_add_loop_test(addresses, ranges_are_read_and_written, 0, FW_LENGTH(ranges));
	tcase_add_loop_test(addresses, bad_ranges_are_told_apart, 0, FW_LENGTH(bad_ranges));
	tcase_add_test(addresses, nul_bytes_end_no_address);
	tcase_add_loop_test(
		addresses, host_bits_come_with_the_fixed_prefix, 0, FW_LENGTH(host_bits));
	tcase_add_test(addresses, ipv6_is_written_as_the_system_does);
	tcase_add_test(addresses, ipv4_is_written_as_the_system_does);
	tcase_add_test(addresses, ranges_come_back_from_their_text);
	tcase_add_test(addresses, bytes_are_in_network_order);
	tcase_add_loop_test(addresses, neighbours_of_an_address, 0, FW_LENGTH(steps));
	tcase_add_loop_test(addresses, ranges_have_an_order, 0, FW_LENGTH(ordered));
	tcase_add_loop_test(addresses, ranges_contain_and_overlap, 0, FW_LENGTH(pairs));
	return addresses;
}

static TCase *words_case(void) {
	TCase *words = tcase_create("words");
	tcase_add_loop_test(words, ports_are_read, 0, FW_LENGTH(port_texts));
	tcase_add_loop_test(words, ports_are_joined, 0, FW_LENGTH(port_lists));
	tcase_add_loop_test(words, protocols_have_names, 0, FW_LENGTH(protocols));
	tcase_add_test(words, protocol_names_are_read_back);
	tcase_add_loop_test(words, icmp_types_are_read, 0, FW_LENGTH(icmp_texts));
	tcase_add_test(words, icmp_names_are_all_read);
	tcase_add_loop_test(words, rates_are_read_and_written, 0, FW_LENGTH(rates));
	tcase_add_test(words, no_rate_is_no_limit);
	tcase_add_test(words, every_fault_has_its_words);
	return words;
}

int main(void) {
	Suite *suite = suite_create("net");
	suite_add_tcase(suite, addresses_case());
	suite_add_tcase(suite, words_case());
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
