// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Many files of one folder at once. To sync them one by one costs a disk some milliseconds each;
 * hidden in a folder of their own they are synced together and renamed afterwards, and whatever
 * happens before that is undone by removing one folder.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

/** The hidden folder's name begins so. */
#define HIDDEN ".flowfw-"
enum { HIDDEN_DIGITS = 16 };

/** A name in the hidden folder, as it is seen from the folder. */
struct hidden_name {
	char text[sizeof(((struct fw_folder *)0)->hidden) + NAME_MAX + 2];
};

static struct hidden_name hide(const struct fw_folder *folder, const char *name) {
	struct hidden_name hidden;
	snprintf(hidden.text, sizeof(hidden.text), "%s/%s", folder->hidden, name);
	return hidden;
}

/** The open hidden folder, or NULL: there is none. */
static DIR *open_hidden(const struct fw_folder *folder) {
	int fd =
		openat(folder->fd, folder->hidden, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *hidden = fd >= 0 ? fdopendir(fd) : NULL;
	if (hidden == NULL) {
		fw_fd_close(&fd);
	}
	return hidden;
}

static bool is_file_name(const char *name) {
	return strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

/** Removes the hidden folder, and what is in it. */
static void remove_hidden(const struct fw_folder *folder) {
	DIR *hidden = open_hidden(folder);
	if (hidden != NULL) {
		struct dirent *entry;
		while ((entry = readdir(hidden)) != NULL) {
			if (is_file_name(entry->d_name)) {
				unlinkat(dirfd(hidden), entry->d_name, 0);
			}
		}
		closedir(hidden);
		unlinkat(folder->fd, folder->hidden, AT_REMOVEDIR);
	}
}

/** What a run that was killed has left: nobody else is at work, as we have the lock. */
static void sweep(struct fw_folder *folder) {
	static const char digits[] = "0123456789abcdef";
	int fd = openat(folder->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *all = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	struct stat status;
	while (all != NULL && (entry = readdir(all)) != NULL) {
		const char *name = entry->d_name;
		bool ours = strlen(name) == strlen(HIDDEN) + HIDDEN_DIGITS &&
			    strncmp(name, HIDDEN, strlen(HIDDEN)) == 0 &&
			    strspn(name + strlen(HIDDEN), digits) == HIDDEN_DIGITS &&
			    fstatat(folder->fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
			    S_ISDIR(status.st_mode) && status.st_uid == geteuid();
		if (ours) {
			memcpy(folder->hidden, name, strlen(name) + 1);
			remove_hidden(folder);
		}
	}
	if (all != NULL) {
		closedir(all);
	}
}

int fw_folder_open(struct fw_folder *folder, const char *path, bool make) {
	uint64_t salt;
	if (make && mkdir(path, 0777) != 0 && errno != EEXIST) {
		return errno;
	}
	/* Not to be guessed: in a folder that others may write to, it must be ours. */
	if (getrandom(&salt, sizeof(salt), 0) != (ssize_t)sizeof(salt)) {
		return EAGAIN;
	}
	folder->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder->fd < 0) {
		return errno;
	}
	if (make) {
		/* Two runs would each forget what the other has written. */
		if (flock(folder->fd, LOCK_EX | LOCK_NB) != 0) {
			int error = errno;
			fw_fd_close(&folder->fd);
			return error;
		}
		sweep(folder);
	}
	snprintf(
		folder->hidden, sizeof(folder->hidden), HIDDEN "%016llx", (unsigned long long)salt);
	return 0;
}

void fw_folder_fini(struct fw_folder *folder) {
	remove_hidden(folder);
	fw_fd_close(&folder->fd);
	folder->fd = -1;
}

int fw_folder_compare(const struct fw_folder *folder, const char *name, struct fw_slice content,
	enum fw_file_change *out_change) {
	struct stat status;
	if (fstatat(folder->fd, name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
		*out_change = FW_FILE_CREATED;
		return errno == ENOENT ? 0 : errno;
	}
	bool same = false;
	if (!S_ISREG(status.st_mode)) {
		*out_change = FW_FILE_SPECIAL;
		return 0;
	}
	if ((uintmax_t)status.st_size == content.length) {
		FW_AUTO(fw_fd_close)
		int fd = openat(folder->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		int error = fd < 0 ? errno : fw_fd_holds(fd, content, &same);
		if (error != 0) {
			return error;
		}
	}
	*out_change = same ? FW_FILE_SAME : FW_FILE_CHANGED;
	return 0;
}

/** Opens a new file in the hidden folder, and makes that when it is the first. */
static int open_new(const struct fw_folder *folder, const char *hidden, mode_t mode) {
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
	int fd = openat(folder->fd, hidden, flags, mode);
	if (fd < 0 && errno == ENOENT) {
		/* Another process may be faster. */
		if (mkdirat(folder->fd, folder->hidden, 0700) == 0 || errno == EEXIST) {
			fd = openat(folder->fd, hidden, flags, mode);
		}
	}
	return fd;
}

int fw_folder_write(const struct fw_folder *folder, const char *name, struct fw_slice content) {
	struct hidden_name hidden = hide(folder, name);
	struct stat old;
	bool replaces = fstatat(folder->fd, name, &old, AT_SYMLINK_NOFOLLOW) == 0;
	FW_AUTO(fw_fd_close) int fd = open_new(folder, hidden.text, replaces ? 0600 : 0666);
	if (fd < 0) {
		return errno;
	}
	int error = fw_write_all(fd, content);
	if (error == 0 && replaces) {
		error = fw_fd_hand_on(fd, &old);
	}
	if (error != 0) {
		fw_folder_drop(folder, name);
	}
	return error;
}

void fw_folder_drop(const struct fw_folder *folder, const char *name) {
	unlinkat(folder->fd, hide(folder, name).text, 0);
}

static int sync_each(DIR *hidden) {
	struct dirent *entry;
	int error = 0;
	while (error == 0 && (entry = readdir(hidden)) != NULL) {
		if (!is_file_name(entry->d_name)) {
			continue;
		}
		FW_AUTO(fw_fd_close)
		int fd = openat(dirfd(hidden), entry->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		error = fd < 0 || fsync(fd) != 0 ? errno : 0;
	}
	return error;
}

int fw_folder_sync(const struct fw_folder *folder, size_t count) {
	if (count > FW_FOLDER_FEW) {
		return syncfs(folder->fd) == 0 ? 0 : errno;
	}
	DIR *hidden = open_hidden(folder);
	int error = 0;
	if (hidden != NULL) {
		error = sync_each(hidden);
		closedir(hidden);
	}
	return error;
}

int fw_folder_publish(const struct fw_folder *folder, const char *name) {
	return renameat(folder->fd, hide(folder, name).text, folder->fd, name) == 0 ? 0 : errno;
}

int fw_folder_finish(const struct fw_folder *folder) {
	return fw_fd_sync_folder(folder->fd);
}

int fw_folder_remove(const struct fw_folder *folder, const char *name) {
	struct stat status;
	if (fstatat(folder->fd, name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
		return errno;
	}
	if (!S_ISREG(status.st_mode)) {
		return ENOENT;
	}
	return unlinkat(folder->fd, name, 0) == 0 ? 0 : errno;
}
