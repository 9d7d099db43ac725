// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Memory: the heap calls that cannot fail, and the arena, a stack of zeroed blocks that are filled
 * from the bottom and freed together. Blocks double in size as an arena grows, so a small compile
 * stays small and a large one asks the heap seldom.
 */

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

enum {
	BLOCK_MIN = 32 * 1024,
	BLOCK_MAX = 4 * 1024 * 1024,
};

struct fw_arena_block {
	struct fw_arena_block *below;
	size_t size, used; /* of data; `used` once there is a block on top */
	_Alignas(max_align_t) char data[];
};

struct fw_arena_kept {
	struct fw_arena_kept *next;
	void *memory;
};

/** There is no way on: what runs is one batch, so nothing is left half done. */
static _Noreturn void exhausted(void) {
	fputs("flowfw: out of memory\n", stderr);
	abort();
}

void *fw_alloc(size_t size) {
	void *memory = calloc(1, size != 0 ? size : 1);
	if (memory == NULL) {
		exhausted();
	}
	return memory;
}

void *fw_resize(void *items, size_t count, size_t item_size) {
	/* realloc(p, 0) may free p and return NULL, which would look like exhaustion. */
	bool nothing = count == 0 || item_size == 0;
	void *resized = nothing ? realloc(items, 1) : reallocarray(items, count, item_size);
	if (resized == NULL) {
		exhausted();
	}
	return resized;
}

void *fw_arena_push(struct fw_arena *arena, size_t size) {
	size_t block_size = BLOCK_MIN;
	if (arena->block != NULL) {
		block_size =
			arena->block->size < BLOCK_MAX / 2 ? 2 * arena->block->size : BLOCK_MAX;
	}
	if (block_size < size) {
		block_size = size;
	}
	if (block_size > PTRDIFF_MAX - sizeof(struct fw_arena_block)) {
		exhausted();
	}
	struct fw_arena_block *block = fw_alloc(sizeof(*block) + block_size);
	if (arena->block != NULL) {
		arena->block->used = (size_t)(arena->free - arena->block->data);
	}
	block->below = arena->block;
	block->size = block_size;
	arena->block = block;
	arena->free = block->data + size;
	arena->end = block->data + block_size;
	return block->data;
}

static void pop_block(struct fw_arena *arena) {
	struct fw_arena_block *block = arena->block, *below = block->below;
	arena->block = below;
	arena->free = below != NULL ? below->data + below->used : NULL;
	arena->end = below != NULL ? below->data + below->size : NULL;
	free(block);
}

static void free_kept(struct fw_arena *arena, const struct fw_arena_kept *end) {
	while (arena->kept != end) {
		struct fw_arena_kept *kept = arena->kept;
		assert(kept != NULL); /* the mark is of another arena, or was reset away */
		arena->kept = kept->next;
		free(kept->memory);
		free(kept);
	}
}

void fw_arena_fini(struct fw_arena *arena) {
	if (arena == NULL) {
		return;
	}
	while (arena->block != NULL) {
		pop_block(arena);
	}
	free_kept(arena, NULL);
}

void fw_arena_keep(struct fw_arena *arena, void *memory) {
	struct fw_arena_kept *kept = fw_alloc(sizeof(*kept));
	kept->memory = memory;
	kept->next = arena->kept;
	arena->kept = kept;
}

void *fw_arena_array(struct fw_arena *arena, size_t count, size_t item_size) {
	size_t size;
	if (__builtin_mul_overflow(count, item_size, &size)) {
		exhausted();
	}
	return fw_arena_alloc(arena, size);
}

char *fw_arena_text(struct fw_arena *arena, struct fw_slice text) {
	char *copy = fw_arena_bytes(arena, text.length + 1);
	if (text.length != 0) {
		memcpy(copy, text.data, text.length);
	}
	return copy;
}

char *fw_arena_printf(struct fw_arena *arena, const char *format, ...) {
	va_list arguments, again;
	va_start(arguments, format);
	va_copy(again, arguments);
	/* Measured first: a text cut short would leave bytes behind in memory promised as zero. */
	int length = vsnprintf(NULL, 0, format, arguments);
	assert(length >= 0);
	char *text = fw_arena_bytes(arena, (size_t)length + 1);
	vsnprintf(text, (size_t)length + 1, format, again);
	va_end(again);
	va_end(arguments);
	return text;
}

struct fw_arena_mark fw_arena_mark(const struct fw_arena *arena) {
	return (struct fw_arena_mark){
		.block = arena->block, .free = arena->free, .kept = arena->kept};
}

void fw_arena_reset(struct fw_arena *arena, struct fw_arena_mark mark) {
	while (arena->block != mark.block) {
		assert(arena->block != NULL); /* the mark is of another arena, or was reset away */
		pop_block(arena);
	}
	if (mark.block != NULL) {
		assert(mark.free <= arena->free);
		memset(mark.free, 0, (size_t)(arena->free - mark.free));
		arena->free = mark.free;
	}
	free_kept(arena, mark.kept);
}
