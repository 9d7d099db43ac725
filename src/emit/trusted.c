// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A walk along a path that trusts no folder it has not looked at: see emit.h for the rule. Links
 * are followed by hand, as the kernel would follow them without asking whose they are.
 */

#include "emit/trusted.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINKS_MAX = 40 }; /* as the kernel's own limit */

struct walk {
	struct fw_diags *diags;
	struct fw_arena arena;
	struct fw_slice rest; /* of the path */
	int at;		      /* an O_PATH descriptor of what was reached, or -1 */
	unsigned links;
};

static void close_fd(int *fd) {
	if (*fd >= 0) {
		close(*fd);
	}
}

static void walk_fini(struct walk *walk) {
	close_fd(&walk->at);
	fw_arena_fini(&walk->arena);
}

static int steal_fd(int *fd) {
	int stolen = *fd;
	*fd = -1;
	return stolen;
}

/* ---- one object ---- */

/** Where an object is, for messages. */
static const char *path_of(struct walk *walk, int fd) {
	char path[PATH_MAX];
	const char *link = fw_arena_printf(&walk->arena, "/proc/self/fd/%d", fd);
	ssize_t length = readlink(link, path, sizeof(path));
	return length < 0 ? link
			  : fw_arena_text(&walk->arena, (struct fw_slice){path, (size_t)length});
}

static bool is_trusted_owner(uid_t owner) {
	return owner == 0 || owner == geteuid();
}

/** The mode of a link says nothing: whoever may write to its folder may replace it. */
static bool check_object(struct walk *walk, int fd, const struct stat *status) {
	const char *reason;
	if (!is_trusted_owner(status->st_uid)) {
		reason = "belongs to neither root nor you";
	} else if (!S_ISLNK(status->st_mode) && (status->st_mode & (S_IWGRP | S_IWOTH)) != 0) {
		reason = "may be written to by others than its owner";
	} else {
		return true;
	}
	struct fw_diag *diag = fw_failure(walk->diags, "plugin-unsafe", 0,
		"'%s' %s (user %u, mode %04o)", path_of(walk, fd), reason, (unsigned)status->st_uid,
		(unsigned)status->st_mode & 07777U);
	fw_diag_hint(walk->diags, diag,
		"plug-ins run with your rights: each file and every folder above it must belong to "
		"root or you, and be writable by nobody else");
	return false;
}

/** Opens a name in a folder and looks at what it is; -1: an error is in the list. */
static int open_object(struct walk *walk, int folder, const char *name, bool *out_link) {
	FW_AUTO(close_fd) int fd = openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat status;
	if (fd < 0 || fstat(fd, &status) != 0) {
		int error = errno;
		fw_failure(walk->diags, "plugin-read", error, "cannot open '%s'%s%s%s", name,
			folder >= 0 ? " in '" : "", folder >= 0 ? path_of(walk, folder) : "",
			folder >= 0 ? "'" : "");
		return -1;
	}
	*out_link = S_ISLNK(status.st_mode);
	return check_object(walk, fd, &status) ? steal_fd(&fd) : -1;
}

/* ---- the way ---- */

/** Goes on with what a link says, before the rest. */
static bool follow_link(struct walk *walk, int link) {
	char target[PATH_MAX];
	ssize_t length = readlinkat(link, "", target, sizeof(target));
	int error = length < 0 ? errno : ENAMETOOLONG;
	if (length >= 0 && ++walk->links > LINKS_MAX) {
		error = ELOOP;
	} else if (length >= 0 && (size_t)length < sizeof(target)) {
		walk->rest = fw_slice(fw_arena_printf(&walk->arena, "%.*s/%.*s", (int)length,
			target, (int)walk->rest.length, walk->rest.data));
		return true;
	}
	fw_failure(walk->diags, "plugin-read", error, "cannot follow the link '%s'",
		path_of(walk, link));
	return false;
}

/** Takes the first name off the rest, with the slashes behind it; "/" is the root's. */
static const char *next_name(struct walk *walk) {
	const char *name = walk->rest.data[0] == '/'
				   ? "/"
				   : fw_arena_text(&walk->arena, fw_slice_cut(&walk->rest, '/'));
	while (walk->rest.length != 0 && walk->rest.data[0] == '/') {
		walk->rest.data++;
		walk->rest.length--;
	}
	return name;
}

static bool step(struct walk *walk) {
	const char *name = next_name(walk);
	int folder = name[0] == '/' ? AT_FDCWD : walk->at;
	bool link;
	FW_AUTO(close_fd) int fd = open_object(walk, folder, name, &link);
	if (fd < 0 || link) {
		return fd >= 0 && follow_link(walk, fd);
	}
	close_fd(&walk->at);
	walk->at = steal_fd(&fd);
	return true;
}

int fw_trusted_open(int folder, const char *path, struct fw_diags *diags) {
	FW_AUTO(walk_fini) struct walk walk = {.diags = diags, .rest = fw_slice(path)};
	walk.at = folder >= 0 ? fcntl(folder, F_DUPFD_CLOEXEC, 0) : -1;
	assert(walk.at >= 0 || path[0] == '/');
	while (walk.rest.length != 0) {
		if (!step(&walk)) {
			return -1;
		}
	}
	return steal_fd(&walk.at);
}
