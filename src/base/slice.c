// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Slices: comparing, cutting and reading text in place. An empty slice may have no data at all,
 * which the functions of string.h don't take; hence the tests for length before them.
 */

#include <string.h>

#include "base/base.h"

int fw_slice_compare(struct fw_slice a, struct fw_slice b) {
	size_t common = a.length < b.length ? a.length : b.length;
	int order = common != 0 ? memcmp(a.data, b.data, common) : 0;
	if (order != 0) {
		return order;
	}
	return (a.length > b.length) - (a.length < b.length);
}

static bool is_blank(char c) {
	return c == ' ' || c == '\t';
}

struct fw_slice fw_slice_trim(struct fw_slice slice) {
	while (slice.length != 0 && is_blank(slice.data[0])) {
		slice.data++;
		slice.length--;
	}
	while (slice.length != 0 && is_blank(slice.data[slice.length - 1])) {
		slice.length--;
	}
	return slice;
}

struct fw_slice fw_slice_cut(struct fw_slice *rest, char separator) {
	struct fw_slice head = *rest;
	const char *found = head.length != 0 ? memchr(head.data, separator, head.length) : NULL;
	if (found == NULL) {
		*rest = (struct fw_slice){0};
		return head;
	}
	head.length = (size_t)(found - head.data);
	rest->data += head.length + 1;
	rest->length -= head.length + 1;
	return head;
}

bool fw_slice_to_uint(struct fw_slice slice, uint64_t limit, uint64_t *out_value) {
	uint64_t value = 0;
	for (size_t i = 0; i < slice.length; i++) {
		unsigned digit = (unsigned char)slice.data[i] - (unsigned)'0';
		if (digit > 9 || __builtin_mul_overflow(value, 10, &value) ||
			__builtin_add_overflow(value, digit, &value) || value > limit) {
			return false;
		}
	}
	if (slice.length == 0) {
		return false;
	}
	*out_value = value;
	return true;
}

struct fw_slice fw_path_stem(const char *path) {
	static const char *const endings[] = {".yaml", ".yml"};
	const char *slash = strrchr(path, '/');
	struct fw_slice stem = fw_slice(slash != NULL ? slash + 1 : path);

	for (size_t i = 0; i < FW_LENGTH(endings); i++) {
		size_t length = strlen(endings[i]);
		if (stem.length > length &&
			memcmp(stem.data + stem.length - length, endings[i], length) == 0) {
			stem.length -= length;
			break;
		}
	}
	return stem;
}
