// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whole files: read, compare, replace. A rule set on disk is either the old one or the new one,
 * so writing goes through a temporary file and a rename. What no rename can replace (a terminal,
 * a pipe, anything below /proc) is written in place.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"

enum {
	CHUNK = 64 * 1024,
	NAMES_TRIED = 100, /* for a temporary file */
};

void fw_fd_close(int *fd) {
	if (*fd >= 0) {
		close(*fd);
	}
}

/** Whether a read or write that failed with `error` should be tried again, perhaps after waiting.
 */
static bool try_again(int error, int fd, short events) {
	if (error == EAGAIN) { /* somebody else made this descriptor non-blocking */
		poll(&(struct pollfd){.fd = fd, .events = events}, 1, -1);
	}
	return error == EINTR || error == EAGAIN;
}

int fw_write_all(int fd, struct fw_slice content) {
	while (content.length != 0) {
		ssize_t written = write(fd, content.data, content.length);
		if (written < 0 && !try_again(errno, fd, POLLOUT)) {
			return errno;
		}
		if (written > 0) {
			content.data += written;
			content.length -= (size_t)written;
		}
	}
	return 0;
}

/** Reads until the end, or until `enough` bytes are there or more, `size` at most. Returns 0 or an
 * errno value. */
static int read_up_to(int fd, char *data, size_t size, size_t enough, size_t *out_length) {
	size_t length = 0;
	while (length < enough) {
		ssize_t got = read(fd, data + length, size - length);
		if (got < 0 && !try_again(errno, fd, POLLIN)) {
			return errno;
		}
		if (got == 0) {
			break;
		}
		length += got > 0 ? (size_t)got : 0;
	}
	*out_length = length;
	return 0;
}

/** Adds what an open file holds to `out`, on failure too. */
static int read_all(int fd, size_t limit, struct fw_buf *out) {
	struct stat status;
	if (fstat(fd, &status) != 0) {
		return errno;
	}
	if (S_ISDIR(status.st_mode)) {
		return EISDIR;
	}
	/* Only a hint: files in /proc say 0, and any file may grow meanwhile. */
	size_t room = CHUNK, expected = SIZE_MAX;
	if (S_ISREG(status.st_mode) && status.st_size > 0) {
		if ((uintmax_t)status.st_size > limit) {
			return EFBIG;
		}
		expected = (size_t)status.st_size;
		room = expected + 1;
	}
	for (size_t left = limit;; room = CHUNK, expected = SIZE_MAX) {
		/* One byte more than may be there, to tell a file of just the limit from more. */
		size_t size = left < room ? left + 1 : room;
		size_t length = 0;
		/* With all of the bytes that it had, and room for more, the end was met. */
		size_t enough = expected < size ? expected : size;
		int error = read_up_to(fd, fw_buf_reserve(out, size), size, enough, &length);
		if (error != 0 || length > left) {
			return error != 0 ? error : EFBIG;
		}
		fw_buf_grew(out, length);
		left -= length;
		if (length < size) {
			return 0;
		}
	}
}

int fw_file_read(const char *path, size_t limit, struct fw_buf *out) {
	bool is_stdin = strcmp(path, "-") == 0;
	FW_AUTO(fw_fd_close) int opened = -1;
	if (!is_stdin) {
		opened = TEMP_FAILURE_RETRY(open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY));
		if (opened < 0) {
			return errno;
		}
	}
	size_t length_before = out->length;
	int error = read_all(is_stdin ? STDIN_FILENO : opened, limit, out);
	if (error != 0) {
		out->length = length_before;
		if (out->data != NULL) {
			out->data[out->length] = '\0';
		}
	}
	return error;
}

int fw_file_head(const char *path, size_t size, struct fw_buf *out) {
	FW_AUTO(fw_fd_close)
	int fd = TEMP_FAILURE_RETRY(open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
	size_t length = 0;
	if (fd < 0) {
		return errno;
	}
	int error = read_up_to(fd, fw_buf_reserve(out, size), size, size, &length);
	fw_buf_grew(out, length);
	return error;
}

/* ---- places ---- */

/** Where a path leads: a name in an open folder, so that nothing moves underneath. */
struct place {
	int folder;
	const char *name;   /* in `path` */
	bool exists;	    /* then `status` is set */
	bool in_proc;	    /* where nothing can be renamed, and links are no paths */
	struct stat status; /* of the name itself */
	char path[PATH_MAX];
};

static void place_fini(struct place *place) {
	fw_fd_close(&place->folder);
}

/** Moves on to `path`, which counts from the folder of the place as it is. */
static int place_enter(struct place *place, const char *path) {
	size_t length = strlen(path);
	if (length >= sizeof(place->path)) {
		return ENAMETOOLONG;
	}
	memcpy(place->path, path, length + 1);
	char *slash = strrchr(place->path, '/');
	place->name = slash != NULL ? slash + 1 : place->path;
	if (place->name[0] == '\0') {
		return length == 0 ? ENOENT : EISDIR;
	}
	const char *folder = ".";
	if (slash != NULL) {
		folder = slash == place->path ? "/" : place->path;
		*slash = '\0';
	}
	int opened = openat(place->folder, folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (opened < 0) {
		return errno;
	}
	place_fini(place);
	place->folder = opened;
	struct statfs system;
	place->in_proc = fstatfs(opened, &system) == 0 && system.f_type == PROC_SUPER_MAGIC;
	place->exists = fstatat(opened, place->name, &place->status, AT_SYMLINK_NOFOLLOW) == 0;
	return place->exists || errno == ENOENT ? 0 : errno;
}

static int place_follow_link(struct place *place) {
	/* The kernel is asked first: it knows loops, and the links in shared folders that nobody
	 * but their owner should be led by. A link to nothing yet is fine. */
	struct stat status;
	if (fstatat(place->folder, place->name, &status, 0) != 0 && errno != ENOENT) {
		return errno;
	}
	char target[PATH_MAX];
	ssize_t length = readlinkat(place->folder, place->name, target, sizeof(target));
	if (length < 0) {
		return errno;
	}
	if ((size_t)length == sizeof(target)) {
		return ENAMETOOLONG;
	}
	target[length] = '\0';
	return place_enter(place, target);
}

/** Finds where writing to `path` would end up, through all symbolic links. */
static int place_find(struct place *place, const char *path) {
	int error = place_enter(place, path);
	while (error == 0 && place->exists && !place->in_proc && S_ISLNK(place->status.st_mode)) {
		error = place_follow_link(place);
	}
	if (error == 0 && place->exists && S_ISDIR(place->status.st_mode)) {
		error = EISDIR;
	}
	return error;
}

bool fw_file_same_place(const char *a, const char *b) {
	FW_AUTO(place_fini) struct place first = {.folder = AT_FDCWD};
	FW_AUTO(place_fini) struct place second = {.folder = AT_FDCWD};
	struct stat folders[2];
	return place_find(&first, a) == 0 && place_find(&second, b) == 0 &&
	       fstat(first.folder, &folders[0]) == 0 && fstat(second.folder, &folders[1]) == 0 &&
	       folders[0].st_dev == folders[1].st_dev && folders[0].st_ino == folders[1].st_ino &&
	       strcmp(first.name, second.name) == 0;
}

/** Whether it is there and no rename can replace it. */
static bool is_special(const struct place *place) {
	return place->exists && (place->in_proc || !S_ISREG(place->status.st_mode));
}

/* ---- comparing ---- */

int fw_fd_holds(int fd, struct fw_slice content, bool *out_same) {
	char chunk[CHUNK];
	size_t offset = 0;
	size_t length = 0;
	bool same = true;
	do {
		int error = read_up_to(fd, chunk, sizeof(chunk), sizeof(chunk), &length);
		if (error != 0) {
			return error;
		}
		if (length != 0) {
			same = length <= content.length - offset &&
			       memcmp(chunk, content.data + offset, length) == 0;
		}
		offset += length;
	} while (same && length == sizeof(chunk));
	*out_same = same && offset == content.length;
	return 0;
}

static int place_compare(
	const struct place *place, struct fw_slice content, enum fw_file_change *out_change) {
	if (!place->exists) {
		*out_change = FW_FILE_CREATED;
		return 0;
	}
	if (is_special(place)) {
		*out_change = FW_FILE_CHANGED;
		return 0;
	}
	FW_AUTO(fw_fd_close)
	int fd = openat(place->folder, place->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0) {
		return errno;
	}
	bool same = false;
	int error = 0;
	if ((uintmax_t)place->status.st_size == content.length) {
		error = fw_fd_holds(fd, content, &same);
	}
	if (error == 0) {
		*out_change = same ? FW_FILE_SAME : FW_FILE_CHANGED;
	}
	return error;
}

int fw_file_compare(const char *path, struct fw_slice content, enum fw_file_change *out_change) {
	FW_AUTO(place_fini) struct place place = {.folder = AT_FDCWD};
	int error = place_find(&place, path);
	return error != 0 ? error : place_compare(&place, content, out_change);
}

/* ---- writing ---- */

/**
 * Whether the place is one of this process's descriptors, under /proc/self/fd or a link to it such
 * as /dev/stdout. To open such a file anew would write over what was redirected there before.
 */
static bool is_own_descriptor(const struct place *place, uint64_t *out_fd) {
	struct stat own, folder;
	return place->in_proc && stat("/proc/self/fd", &own) == 0 &&
	       fstat(place->folder, &folder) == 0 && own.st_dev == folder.st_dev &&
	       own.st_ino == folder.st_ino &&
	       fw_slice_to_uint(fw_slice(place->name), INT_MAX, out_fd);
}

static int write_in_place(const struct place *place, struct fw_slice content) {
	uint64_t own;
	if (is_own_descriptor(place, &own)) {
		return fw_write_all((int)own, content);
	}
	FW_AUTO(fw_fd_close)
	int fd = TEMP_FAILURE_RETRY(
		openat(place->folder, place->name, O_WRONLY | O_CLOEXEC | O_NOCTTY));
	return fd < 0 ? errno : fw_write_all(fd, content);
}

/** Opens a new hidden file in the folder of the place. */
static int open_temporary(
	const struct place *place, mode_t mode, char name[static NAME_MAX + 1], int *out_fd) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	unsigned salt = (unsigned)now.tv_nsec ^ (unsigned)getpid() << 16;
	for (unsigned i = 0; i < NAMES_TRIED; i++) {
		snprintf(name, NAME_MAX + 1, ".%.*s.%08x", NAME_MAX - 10, place->name, salt + i);
		int fd = openat(place->folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
		if (fd >= 0) {
			*out_fd = fd;
			return 0;
		}
		if (errno != EEXIST) {
			return errno;
		}
	}
	return EEXIST;
}

int fw_fd_hand_on(int fd, const struct stat *old) {
	mode_t mode = old->st_mode & 0777;
	if (fchown(fd, old->st_uid, old->st_gid) != 0 && fchown(fd, (uid_t)-1, old->st_gid) != 0) {
		/* Another group now: it may do what everybody may. */
		mode &= 0707 | (mode & 07) << 3;
	}
	return fchmod(fd, mode) == 0 ? 0 : errno;
}

/** Gives a temporary file its name, which must be free unless it may replace. */
static int publish(const struct place *place, const char *temporary, bool may_replace) {
	int folder = place->folder;
	if (may_replace) {
		return renameat(folder, temporary, folder, place->name) == 0 ? 0 : errno;
	}
	if (renameat2(folder, temporary, folder, place->name, RENAME_NOREPLACE) == 0) {
		return 0;
	}
	if (errno != EINVAL && errno != ENOSYS) {
		return errno;
	}
	/* Some file systems know no such flag, but no hard link replaces anything either. */
	if (linkat(folder, temporary, folder, place->name, 0) != 0) {
		return errno;
	}
	unlinkat(folder, temporary, 0);
	return 0;
}

int fw_fd_sync_folder(int fd) {
	return fsync(fd) == 0 || errno == EINVAL ? 0 : errno;
}

static int sync_folder(const struct place *place) {
	FW_AUTO(fw_fd_close)
	int fd = openat(place->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* A folder that may be written but not read can't be synced. */
	return fd < 0 ? 0 : fw_fd_sync_folder(fd);
}

static int write_beside(const struct place *place, struct fw_slice content, bool may_replace) {
	char temporary[NAME_MAX + 1];
	FW_AUTO(fw_fd_close) int fd = -1;
	int error = open_temporary(place, place->exists ? 0600 : 0666, temporary, &fd);
	if (error != 0) {
		return error;
	}
	error = fw_write_all(fd, content);
	if (error == 0 && place->exists) {
		error = fw_fd_hand_on(fd, &place->status);
	}
	if (error == 0 && fsync(fd) != 0) {
		error = errno;
	}
	if (error == 0) {
		error = publish(place, temporary, may_replace);
	}
	if (error != 0) {
		unlinkat(place->folder, temporary, 0);
		return error;
	}
	return sync_folder(place);
}

int fw_file_replace(const char *path, struct fw_slice content, enum fw_file_change *out_change) {
	FW_AUTO(place_fini) struct place place = {.folder = AT_FDCWD};
	enum fw_file_change change = FW_FILE_UNKNOWN;
	int error = place_find(&place, path);
	if (error == 0) {
		error = place_compare(&place, content, &change);
	}
	if (error == 0 && change != FW_FILE_SAME) {
		error = is_special(&place) ? write_in_place(&place, content)
					   : write_beside(&place, content, true);
	}
	if (error == 0 && out_change != NULL) {
		*out_change = change;
	}
	return error;
}

int fw_file_create(const char *path, struct fw_slice content) {
	FW_AUTO(place_fini) struct place place = {.folder = AT_FDCWD};
	int error = place_enter(&place, path);
	if (error != 0) {
		return error;
	}
	return place.exists ? EEXIST : write_beside(&place, content, false);
}
