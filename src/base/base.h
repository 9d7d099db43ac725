// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_BASE_BASE_H
#define FW_BASE_BASE_H
/*
 * The ground floor: memory, text, growing arrays and whole files. Nothing here knows firewalls or
 * diagnostics, so functions that meet the world hand back an errno value; every floor above turns
 * that into a diagnostic. Memory never runs out quietly: exhaustion aborts the process.
 */

#include <assert.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define FW_PRINTF(text, first) __attribute__((format(printf, text, first)))
/** Runs fini(&variable) when the variable leaves its scope. */
#define FW_AUTO(fini)	 __attribute__((cleanup(fini)))
#define FW_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* ---- heap ---- */

/** Zeroed memory for free(3); aborts when there is none. */
void *fw_alloc(size_t size);
/** Resizes an array for free(3); aborts on overflow or exhaustion. New items are not zeroed. */
void *fw_resize(void *items, size_t count, size_t item_size);

/* ---- slices: text that somebody else owns, not NUL-terminated ---- */

struct fw_slice {
	const char *data;
	size_t length;
};

#define FW_SLICE(literal) ((struct fw_slice){(literal), sizeof(literal) - 1})

/* These are asked of each word of a profile; with a literal, the compiler knows its length. */
static inline struct fw_slice fw_slice(const char *text) {
	return (struct fw_slice){text, strlen(text)};
}
static inline bool fw_slice_equal(struct fw_slice a, struct fw_slice b) {
	/* An empty slice may have no data at all, which memcmp does not take. */
	return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}
static inline bool fw_slice_is(struct fw_slice slice, const char *text) {
	return fw_slice_equal(slice, fw_slice(text));
}
/** Orders by bytes, the shorter one first where one begins the other. */
int fw_slice_compare(struct fw_slice a, struct fw_slice b);
/** Cuts white space (space and tab) off both ends. */
struct fw_slice fw_slice_trim(struct fw_slice slice);
/**
 * Cuts *rest at the first `separator`: returns what stands before it and leaves what follows in
 * *rest. Without a separator all of it is returned and *rest becomes empty with data NULL.
 */
struct fw_slice fw_slice_cut(struct fw_slice *rest, char separator);
/** Decimal digits only, no sign, at most `limit`. False leaves *out_value as it was. */
bool fw_slice_to_uint(struct fw_slice slice, uint64_t limit, uint64_t *out_value);

/* ---- arena: memory that is freed all at once ---- */

struct fw_arena_block;

/** A zeroed struct is an empty arena. */
struct fw_arena {
	struct fw_arena_block *block; /* the one that is filled, others below it */
	char *free, *end;	      /* what is left of it; zeroed */
	struct fw_arena_kept *kept;
};

/** A place in an arena to go back to; valid while the arena lives. */
struct fw_arena_mark {
	struct fw_arena_block *block;
	char *free;
	struct fw_arena_kept *kept;
};

void fw_arena_fini(struct fw_arena *arena);
/** For the two below alone: a block with room for `size` bytes is on top, and they are taken. */
void *fw_arena_push(struct fw_arena *arena, size_t size);

/** Zeroed memory, aligned for any type; never NULL, even for size 0. */
static inline void *fw_arena_alloc(struct fw_arena *arena, size_t size) {
	size_t padding = -(uintptr_t)arena->free & (_Alignof(max_align_t) - 1);
	size_t left = (size_t)(arena->end - arena->free);
	if (arena->block == NULL || left < padding || left - padding < size) {
		return fw_arena_push(arena, size);
	}
	char *taken = arena->free + padding;
	arena->free = taken + size;
	return taken;
}
/** As fw_arena_alloc for text, which needs no alignment: in the long lists it would pad every name.
 */
static inline char *fw_arena_bytes(struct fw_arena *arena, size_t size) {
	if (arena->block == NULL || (size_t)(arena->end - arena->free) < size) {
		return fw_arena_push(arena, size);
	}
	char *taken = arena->free;
	arena->free += size;
	return taken;
}
#define FW_ARENA_NEW(arena, type)	   ((type *)fw_arena_alloc((arena), sizeof(type)))
#define FW_ARENA_ARRAY(arena, type, count) ((type *)fw_arena_array((arena), (count), sizeof(type)))
/** As fw_arena_alloc for count * item_size bytes; aborts when that overflows. */
void *fw_arena_array(struct fw_arena *arena, size_t count, size_t item_size);
/** Takes what malloc(3) or realloc(3) gave, to be freed like what it allocates itself: long lists
 * and files need no copy. */
void fw_arena_keep(struct fw_arena *arena, void *memory);
/** A NUL-terminated copy. */
char *fw_arena_text(struct fw_arena *arena, struct fw_slice text);
char *fw_arena_printf(struct fw_arena *arena, const char *format, ...) FW_PRINTF(2, 3);
struct fw_arena_mark fw_arena_mark(const struct fw_arena *arena);
/** Frees what was allocated, and what was kept, after the mark was taken. */
void fw_arena_reset(struct fw_arena *arena, struct fw_arena_mark mark);

/* ---- buf: a growing run of bytes ---- */

/**
 * A zeroed struct is an empty buffer. `data` holds a NUL behind its `length` bytes once anything
 * was added, be it nothing.
 */
struct fw_buf {
	char *data;
	size_t length, capacity;
};

void fw_buf_fini(struct fw_buf *buf);
/** Makes room for `length` more bytes and returns where they go; fw_buf_grew() counts them in. */
static inline char *fw_buf_reserve(struct fw_buf *buf, size_t length);
static inline void fw_buf_grew(struct fw_buf *buf, size_t length);
static inline void fw_buf_add(struct fw_buf *buf, const void *data, size_t length);
static inline void fw_buf_add_char(struct fw_buf *buf, char c);
static inline void fw_buf_add_text(struct fw_buf *buf, const char *text);
static inline void fw_buf_add_slice(struct fw_buf *buf, struct fw_slice slice);
/** In front of what is there; `slice` is no part of it. */
void fw_buf_insert(struct fw_buf *buf, struct fw_slice slice);
/** In decimal. Several times faster than fw_buf_printf, for the long lists. */
void fw_buf_add_uint(struct fw_buf *buf, uint64_t value);
void fw_buf_printf(struct fw_buf *buf, const char *format, ...) FW_PRINTF(2, 3);
struct fw_slice fw_buf_slice(const struct fw_buf *buf);

/** For fw_buf_reserve() alone: makes the capacity more than what is there and `length`. */
void fw_buf_grow(struct fw_buf *buf, size_t length);

static inline char *fw_buf_reserve(struct fw_buf *buf, size_t length) {
	if (buf->capacity - buf->length <= length) {
		fw_buf_grow(buf, length);
	}
	return buf->data + buf->length;
}

static inline void fw_buf_grew(struct fw_buf *buf, size_t length) {
	assert(length < buf->capacity - buf->length);
	buf->length += length;
	buf->data[buf->length] = '\0';
}

static inline void fw_buf_add(struct fw_buf *buf, const void *data, size_t length) {
	char *end = fw_buf_reserve(buf, length);
	if (length != 0) { /* memcpy takes no NULL, not even for nothing */
		memcpy(end, data, length);
	}
	fw_buf_grew(buf, length);
}

static inline void fw_buf_add_char(struct fw_buf *buf, char c) {
	*fw_buf_reserve(buf, 1) = c;
	fw_buf_grew(buf, 1);
}

static inline void fw_buf_add_text(struct fw_buf *buf, const char *text) {
	fw_buf_add(buf, text, strlen(text));
}

static inline void fw_buf_add_slice(struct fw_buf *buf, struct fw_slice slice) {
	fw_buf_add(buf, slice.data, slice.length);
}

/* ---- vec: a growing array ---- */

/** A zeroed one is empty; its items are for free(3). `FW_VEC(int) numbers = {0};` */
#define FW_VEC(type)                                                                               \
	struct {                                                                                   \
		type *items;                                                                       \
		size_t count, capacity;                                                            \
	}
#define FW_VEC_ADD(vec, ...)                                                                       \
	do {                                                                                       \
		if ((vec)->count == (vec)->capacity) {                                             \
			(vec)->capacity = (vec)->capacity != 0 ? 2 * (vec)->capacity : 8;          \
			(vec)->items =                                                             \
				fw_resize((vec)->items, (vec)->capacity, sizeof(*(vec)->items));   \
		}                                                                                  \
		(vec)->items[(vec)->count++] = (__VA_ARGS__);                                      \
	} while (0)
#define FW_VEC_FINI(vec)                                                                           \
	do {                                                                                       \
		free((vec)->items);                                                                \
		(vec)->items = NULL;                                                               \
		(vec)->count = (vec)->capacity = 0;                                                \
	} while (0)

/* ---- words ---- */

/**
 * The candidate that `word` was probably meant to be: the one at the smallest edit distance
 * (insertion, deletion, substitution, neighbours swapped), or NULL where none is near enough
 * (a third of the word's length, at least one). The first of equals wins. NULL candidates are
 * skipped.
 */
const char *fw_nearest(struct fw_slice word, const char *const *candidates, size_t count);

/* ---- files ---- */

/** A file's name without its folders and without .yaml or .yml; part of `path`. */
struct fw_slice fw_path_stem(const char *path);

/**
 * Adds a whole file to `out`, a pipe too ("-" is standard input), at most `limit` bytes.
 * Returns 0, or an errno value: EISDIR for a folder, EFBIG past the limit. `out` holds what it held
 * before then.
 */
int fw_file_read(const char *path, size_t limit, struct fw_buf *out);

enum fw_file_change {
	FW_FILE_UNKNOWN,
	FW_FILE_SAME,	 /* it held these bytes already: not touched, mtime neither */
	FW_FILE_CHANGED, /* it holds, or would hold, other bytes */
	FW_FILE_CREATED,
	FW_FILE_SPECIAL, /* no regular file, or a link: fw_folder_compare alone says so */
};

/** What fw_file_replace would do, without doing it. Returns 0 or an errno value. */
int fw_file_compare(const char *path, struct fw_slice content, enum fw_file_change *out_change);
/**
 * Makes `path` hold `content`: temporary file beside it, fsync, rename, fsync of the folder. Until
 * the rename the old file is whole, and no temporary file stays behind on failure. A file with the
 * same content is left alone; a replaced file hands on its permissions, and its owner where that is
 * allowed; a symbolic link is followed. A path that is no regular file (a terminal, /dev/stdout, a
 * pipe, anything in /proc) is written to in place. Returns 0 or an errno value. `out_change` may be
 * NULL.
 */
int fw_file_replace(const char *path, struct fw_slice content, enum fw_file_change *out_change);
/**
 * Whether writing to both paths would end up in one place, be there anything yet or not. What
 * cannot be looked at is no such place; writing there will say why.
 */
bool fw_file_same_place(const char *a, const char *b);
/**
 * As fw_file_replace, but fails with EEXIST when there is anything at `path`, a dangling link too;
 * never half written.
 */
int fw_file_create(const char *path, struct fw_slice content);
/** Writes all of it to an open descriptor, through interruptions. Returns 0 or an errno value. */
int fw_write_all(int fd, struct fw_slice content);
/** Adds the first `size` bytes of a regular file to `out`, or as many as there are. */
int fw_file_head(const char *path, size_t size, struct fw_buf *out);

/* ---- many files of one folder ---- */

/**
 * Files of one folder that change together. New contents go into a hidden folder inside of it, by
 * as many processes as like; then all of them are brought to the disk in one go, and each takes its
 * name. Until then the old files are whole, and what is lost on the way is what is hidden. Names
 * are those of files in the folder. Functions return 0 or an errno value.
 */
struct fw_folder {
	int fd;
	char hidden[32]; /* the hidden folder, made when the first file is written */
};

enum {
	/** So many files are synced one by one: others may have much unwritten, too. */
	FW_FOLDER_FEW = 16
};

/** Makes it, but not what it is in, where there is none and `make` says so. */
int fw_folder_open(struct fw_folder *folder, const char *path, bool make);
/** Closes it, and removes what was written and not published. For one that was opened. */
void fw_folder_fini(struct fw_folder *folder);
/** What the content would change. Links are not followed. */
int fw_folder_compare(const struct fw_folder *folder, const char *name, struct fw_slice content,
	enum fw_file_change *out_change);
/** Writes a file anew, with the permissions of the one whose name it will take. */
int fw_folder_write(const struct fw_folder *folder, const char *name, struct fw_slice content);
/** Forgets what was written under that name, if anything was. */
void fw_folder_drop(const struct fw_folder *folder, const char *name);
/** Brings what was written, `count` files, to the disk. */
int fw_folder_sync(const struct fw_folder *folder, size_t count);
/** Gives a written file its name. ENOENT: nothing was written under that name. */
int fw_folder_publish(const struct fw_folder *folder, const char *name);
/** Brings the new names to the disk. */
int fw_folder_finish(const struct fw_folder *folder);
/** Removes a regular file that has its name. ENOENT: there is no regular file. */
int fw_folder_remove(const struct fw_folder *folder, const char *name);

/* ---- other programs ---- */

/** A program to run, and what became of it. */
struct fw_process {
	/** NULL-terminated. The first is a name that is looked for in the folders of PATH that are
	 * absolute, then in /usr/sbin, /sbin, /usr/bin and /bin. */
	const char *const *arguments;
	const char *folder;    /* that it runs in; NULL: this process's */
	struct fw_slice input; /* what it reads from standard input, a file that it can seek in */
	size_t output_max;     /* bytes that it may write to standard output */
	size_t errors_max;     /* bytes of what it writes to standard error that are kept */
	unsigned seconds_max;  /* that it may take; 0: as long as it likes */

	struct fw_buf output, errors; /* what it wrote is added */
	int status;		      /* as of waitpid(2) */
};

/**
 * Runs a program and waits for its end. It inherits no descriptor, no signal that is ignored or
 * held back, and the environment but for the language, which is C; and it dies with this process.
 * Returns 0 or an errno value: ENOENT, there is no such program; EFBIG, it wrote more than it may,
 * or ETIMEDOUT, took longer, and was ended; else it could not be run. What it says itself is in
 * `status`.
 */
int fw_process_run(struct fw_process *process);

#endif
