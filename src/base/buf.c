// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The growing run of bytes that output is written into. Its capacity doubles, so that adding stays
 * linear, and always has room for the NUL behind the text.
 */

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

enum { CAPACITY_MIN = 64 };

void fw_buf_fini(struct fw_buf *buf) {
	if (buf == NULL) {
		return;
	}
	free(buf->data);
	*buf = (struct fw_buf){0};
}

void fw_buf_grow(struct fw_buf *buf, size_t length) {
	size_t needed = buf->length + length + 1;
	if (length >= SIZE_MAX - buf->length) {
		needed = SIZE_MAX; /* no heap has that much, so fw_resize aborts */
	}
	size_t capacity = buf->capacity >= CAPACITY_MIN ? buf->capacity : CAPACITY_MIN;
	while (capacity < needed) {
		capacity = capacity <= SIZE_MAX / 2 ? 2 * capacity : SIZE_MAX;
	}
	buf->data = fw_resize(buf->data, capacity, 1);
	buf->capacity = capacity;
	buf->data[buf->length] = '\0';
}

void fw_buf_add_uint(struct fw_buf *buf, uint64_t value) {
	char digits[20]; /* of 2^64 - 1 */
	size_t start = sizeof(digits);
	do {
		digits[--start] = (char)('0' + value % 10);
		value /= 10;
	} while (value != 0);
	fw_buf_add(buf, digits + start, sizeof(digits) - start);
}

void fw_buf_printf(struct fw_buf *buf, const char *format, ...) {
	va_list arguments, again;
	va_start(arguments, format);
	va_copy(again, arguments);
	char *end = fw_buf_reserve(buf, 0);
	size_t room = buf->capacity - buf->length;
	int length = vsnprintf(end, room, format, arguments);
	assert(length >= 0);
	if ((size_t)length >= room) {
		end = fw_buf_reserve(buf, (size_t)length);
		vsnprintf(end, (size_t)length + 1, format, again);
	}
	fw_buf_grew(buf, (size_t)length);
	va_end(again);
	va_end(arguments);
}

void fw_buf_insert(struct fw_buf *buf, struct fw_slice slice) {
	fw_buf_reserve(buf, slice.length);
	if (slice.length != 0) {
		memmove(buf->data + slice.length, buf->data, buf->length);
		memcpy(buf->data, slice.data, slice.length);
	}
	fw_buf_grew(buf, slice.length);
}

struct fw_slice fw_buf_slice(const struct fw_buf *buf) {
	return (struct fw_slice){buf->data, buf->length};
}
