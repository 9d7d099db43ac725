// SPDX-License-Identifier: GPL-2.0-or-later
/* Files: reading, comparing, and writing that leaves the old file or the new one, never less. */

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"
#include "child.h"

static struct fw_arena paths;
static char *folder;

static void make_folder(void) {
	const char *parent = getenv("TMPDIR");
	folder = fw_arena_printf(&paths, "%s/test_file.XXXXXX", parent != NULL ? parent : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	umask(022);
}

static const char *in_folder(const char *name) {
	return fw_arena_printf(&paths, "%s/%s", folder, name);
}

static size_t count_entries(void) {
	DIR *dir = opendir(folder);
	ck_assert_ptr_nonnull(dir);
	size_t count = 0;
	while (readdir(dir) != NULL) {
		count++;
	}
	closedir(dir);
	return count - 2;
}

static void remove_folder(void) {
	DIR *dir = opendir(folder);
	ck_assert_ptr_nonnull(dir);
	for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
		unlinkat(dirfd(dir), entry->d_name, 0);
		unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR);
	}
	closedir(dir);
	ck_assert_int_eq(rmdir(folder), 0);
	fw_arena_fini(&paths);
}

static void put(const char *path, const char *text) {
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void assert_holds(const char *path, const char *text) {
	struct fw_buf buf = {0};
	ck_assert_int_eq(fw_file_read(path, 1 << 20, &buf), 0);
	ck_assert_str_eq(buf.data, text);
	fw_buf_fini(&buf);
}

static struct stat status_of(const char *path) {
	struct stat status;
	ck_assert_int_eq(lstat(path, &status), 0);
	return status;
}

START_TEST(read_adds_to_the_buffer) {
	put(in_folder("a"), "text");
	FW_AUTO(fw_buf_fini) struct fw_buf buf = {0};
	ck_assert_int_eq(fw_file_read(in_folder("a"), 4, &buf), 0);
	ck_assert_int_eq(fw_file_read(in_folder("a"), SIZE_MAX, &buf), 0);
	ck_assert_str_eq(buf.data, "texttext");
	ck_assert_int_eq(fw_file_read("/proc/self/status", 1 << 20, &buf), 0);
	ck_assert_ptr_nonnull(strstr(buf.data, "Name:"));
}
END_TEST

START_TEST(read_of_nothing_is_an_empty_text) {
	FW_AUTO(fw_buf_fini) struct fw_buf buf = {0};
	ck_assert_int_eq(fw_file_read("/dev/null", 0, &buf), 0);
	ck_assert_str_eq(buf.data, "");
}
END_TEST

static const struct {
	const char *path;
	size_t limit;
	int error;
} bad_reads[] = {
	{"/nonexistent/file", 10, ENOENT},
	{"", 10, ENOENT},
	{"/", 10, EISDIR},
	{"/proc/self/status", 10, EFBIG},
	{"/proc/self/exe", 10, EFBIG},
	{"/proc/self/exe/x", 10, ENOTDIR},
	{"/dev/zero", 200000, EFBIG},
	{"/dev/zero", 0, EFBIG},
	{"/proc/self/mem", 10, EIO},
};

START_TEST(read_tells_what_failed) {
	FW_AUTO(fw_buf_fini) struct fw_buf buf = {0};
	ck_assert_int_eq(
		fw_file_read(bad_reads[_i].path, bad_reads[_i].limit, &buf), bad_reads[_i].error);
	ck_assert_uint_eq(buf.length, 0);
	fw_buf_add_text(&buf, "before");
	ck_assert_int_eq(
		fw_file_read(bad_reads[_i].path, bad_reads[_i].limit, &buf), bad_reads[_i].error);
	ck_assert_str_eq(buf.data, "before");
	ck_assert_uint_eq(buf.length, 6);
}
END_TEST

/* Sizes round the chunks in which files are read. */
static const size_t sizes[] = {0, 1, 65535, 65536, 65537, 131071, 131072, 131073, 1000000};

static char *make_bytes(size_t size) {
	char *bytes = fw_arena_alloc(&paths, size + 1);
	for (size_t i = 0; i < size; i++) {
		bytes[i] = (char)(i * 31 + i / 251);
	}
	return bytes;
}

START_TEST(files_of_any_size_come_back) {
	struct fw_slice content = {make_bytes(sizes[_i]), sizes[_i]};
	FW_AUTO(fw_buf_fini) struct fw_buf buf = {0};
	enum fw_file_change change;
	ck_assert_int_eq(fw_file_replace(in_folder("a"), content, &change), 0);
	ck_assert_int_eq(change, FW_FILE_CREATED);
	ck_assert_int_eq(fw_file_compare(in_folder("a"), content, &change), 0);
	ck_assert_int_eq(change, FW_FILE_SAME);
	ck_assert_int_eq(fw_file_read(in_folder("a"), content.length, &buf), 0);
	ck_assert(fw_slice_equal(fw_buf_slice(&buf), content));
	if (content.length != 0) {
		char *bytes = make_bytes(content.length);
		memcpy(bytes, content.data, content.length - 1);
		bytes[content.length - 1] = (char)~content.data[content.length - 1];
		struct fw_slice other = {bytes, content.length};
		ck_assert_int_eq(fw_file_compare(in_folder("a"), other, &change), 0);
		ck_assert_int_eq(change, FW_FILE_CHANGED);
		ck_assert_int_eq(fw_file_read(in_folder("a"), content.length - 1, &buf), EFBIG);
	}
}
END_TEST

/** Forks a child that writes `size` bytes into a pipe, slowly at first. Returns the end to read. */
static int start_writer(size_t size, pid_t *out_child) {
	int ends[2];
	ck_assert_int_eq(pipe(ends), 0);
	*out_child = fork();
	if (*out_child == 0) {
		close(ends[0]);
		struct fw_slice content = {make_bytes(size), size};
		for (size_t i = 0; i < 3 && i < size; i++) {
			ck_assert_int_eq(write(ends[1], content.data++, 1), 1);
			content.length--;
			usleep(1000);
		}
		_exit(fw_write_all(ends[1], content));
	}
	close(ends[1]);
	return ends[0];
}

START_TEST(read_takes_pipes_and_standard_input) {
	int saved = dup(STDIN_FILENO);
	signal(SIGPIPE, SIG_IGN);
	for (int nonblocking = 0; nonblocking < 2; nonblocking++) {
		pid_t child;
		int fd = start_writer(200000, &child);
		fcntl(fd, F_SETFL, nonblocking ? O_NONBLOCK : 0);
		dup2(fd, STDIN_FILENO);
		FW_AUTO(fw_buf_fini) struct fw_buf buf = {0};
		ck_assert_int_eq(fw_file_read("-", 200000, &buf), 0);
		ck_assert_uint_eq(buf.length, 200000);
		close(fd);
		waitpid(child, NULL, 0);
		fd = start_writer(200000, &child);
		ck_assert_int_eq(
			fw_file_read(fw_arena_printf(&paths, "/dev/fd/%d", fd), 199999, &buf),
			EFBIG);
		ck_assert_uint_eq(buf.length, 200000);
		close(fd);
		waitpid(child, NULL, 0);
	}
	dup2(saved, STDIN_FILENO);
	close(saved);
}
END_TEST

static int read_closed_input(void) {
	struct fw_buf buf = {0};
	close(STDIN_FILENO);
	return fw_file_read("-", 10, &buf);
}

START_TEST(read_tells_of_closed_input) {
	ck_assert_int_eq(run_in_child(read_closed_input), EBADF);
}
END_TEST

START_TEST(write_waits_for_a_slow_reader) {
	int ends[2];
	ck_assert_int_eq(pipe2(ends, O_NONBLOCK), 0);
	pid_t child = fork();
	if (child == 0) {
		close(ends[1]);
		fcntl(ends[0], F_SETFL, 0);
		size_t total = 0;
		char chunk[4096];
		for (ssize_t got; (got = read(ends[0], chunk, sizeof(chunk))) > 0;) {
			total += (size_t)got;
			usleep(100);
		}
		_exit(total == 500000 ? 0 : 1);
	}
	close(ends[0]);
	struct fw_slice content = {make_bytes(500000), 500000};
	ck_assert_int_eq(fw_write_all(ends[1], content), 0);
	close(ends[1]);
	int status;
	waitpid(child, &status, 0);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(fw_write_all(ends[1], content), EBADF);
}
END_TEST

START_TEST(replace_creates_and_changes_and_leaves_alone) {
	const char *path = in_folder("rules.nft");
	enum fw_file_change change;
	ck_assert_int_eq(fw_file_compare(path, FW_SLICE("one"), &change), 0);
	ck_assert_int_eq(change, FW_FILE_CREATED);
	ck_assert_uint_eq(count_entries(), 0);
	ck_assert_int_eq(fw_file_replace(path, FW_SLICE("one"), &change), 0);
	ck_assert_int_eq(change, FW_FILE_CREATED);
	ck_assert_uint_eq(status_of(path).st_mode & 07777, 0644);
	assert_holds(path, "one");

	const struct timespec long_ago[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
	ck_assert_int_eq(utimensat(AT_FDCWD, path, long_ago, 0), 0);
	ino_t inode = status_of(path).st_ino;
	ck_assert_int_eq(fw_file_replace(path, FW_SLICE("one"), &change), 0);
	ck_assert_int_eq(change, FW_FILE_SAME);
	ck_assert_int_eq(status_of(path).st_mtime, 1000);
	ck_assert_uint_eq(status_of(path).st_ino, inode);

	ck_assert_int_eq(chmod(path, 0751), 0);
	ck_assert_int_eq(fw_file_compare(path, FW_SLICE("two"), &change), 0);
	ck_assert_int_eq(change, FW_FILE_CHANGED);
	assert_holds(path, "one");
	ck_assert_int_eq(fw_file_replace(path, FW_SLICE("two"), &change), 0);
	ck_assert_int_eq(change, FW_FILE_CHANGED);
	ck_assert_uint_eq(status_of(path).st_mode & 07777, 0751);
	ck_assert_uint_ne(status_of(path).st_ino, inode);
	assert_holds(path, "two");
	ck_assert_int_eq(fw_file_replace(path, (struct fw_slice){0}, NULL), 0);
	assert_holds(path, "");
	ck_assert_int_eq(fw_file_replace(path, (struct fw_slice){0}, &change), 0);
	ck_assert_int_eq(change, FW_FILE_SAME);
	ck_assert_uint_eq(count_entries(), 1);
}
END_TEST

START_TEST(replace_keeps_the_owner) {
	const char *path = in_folder("a");
	put(path, "old");
	if (geteuid() == 0) {
		ck_assert_int_eq(chown(path, 12345, 54321), 0);
	}
	struct stat before = status_of(path);
	ck_assert_int_eq(fw_file_replace(path, FW_SLICE("new"), NULL), 0);
	ck_assert_uint_eq(status_of(path).st_uid, before.st_uid);
	ck_assert_uint_eq(status_of(path).st_gid, before.st_gid);
	assert_holds(path, "new");
}
END_TEST

START_TEST(replace_works_relative_to_the_working_folder) {
	int here = open(".", O_RDONLY | O_DIRECTORY);
	ck_assert_int_eq(chdir(folder), 0);
	ck_assert_int_eq(fw_file_replace("a", FW_SLICE("one"), NULL), 0);
	ck_assert_int_eq(fw_file_replace("./b", FW_SLICE("two"), NULL), 0);
	ck_assert_int_eq(fw_file_create("c", FW_SLICE("three")), 0);
	ck_assert_int_eq(fchdir(here), 0);
	close(here);
	assert_holds(in_folder("a"), "one");
	assert_holds(in_folder("b"), "two");
	assert_holds(in_folder("c"), "three");
}
END_TEST

START_TEST(replace_follows_links) {
	ck_assert_int_eq(mkdir(in_folder("sub"), 0755), 0);
	ck_assert_int_eq(symlink("../real", in_folder("sub/link")), 0);
	ck_assert_int_eq(symlink("sub/link", in_folder("link")), 0);
	ck_assert_int_eq(symlink(in_folder("link"), in_folder("absolute")), 0);
	static const char *const names[] = {"absolute", "link", "sub/link", "real"};
	for (size_t i = 0; i < FW_LENGTH(names); i++) { /* the first through a dangling one */
		const char *path = in_folder(names[i]);
		enum fw_file_change change;
		ck_assert_int_eq(fw_file_replace(path, fw_slice(names[i]), &change), 0);
		ck_assert_int_eq(change, i == 0 ? FW_FILE_CREATED : FW_FILE_CHANGED);
		assert_holds(in_folder("real"), names[i]);
		ck_assert_int_eq(fw_file_compare(path, fw_slice(names[i]), &change), 0);
		ck_assert_int_eq(change, FW_FILE_SAME);
	}
	ck_assert(S_ISLNK(status_of(in_folder("absolute")).st_mode));
	ck_assert(S_ISLNK(status_of(in_folder("link")).st_mode));
	ck_assert(S_ISLNK(status_of(in_folder("sub/link")).st_mode));
	ck_assert(S_ISREG(status_of(in_folder("real")).st_mode));
	unlink(in_folder("sub/link"));
}
END_TEST

static const struct {
	const char *path; /* below the folder, unless it starts with a slash or is empty */
	int replaced, created;
} bad_places[] = {
	{"", ENOENT, ENOENT},
	{"new/", EISDIR, EISDIR},
	{"/", EISDIR, EISDIR},
	{"sub", EISDIR, EEXIST},
	{"sub/.", EISDIR, EEXIST},
	{"sub/..", EISDIR, EEXIST},
	{"missing/file", ENOENT, ENOENT},
	{"file/file", ENOTDIR, ENOTDIR},
	{"loop", ELOOP, EEXIST},
	{"to-sub", EISDIR, EEXIST},
	{"to-missing", ENOENT, EEXIST},
	{"/proc/flowfw", ENOENT, ENOENT},
	{"/proc/self/fd/999", ENOENT, ENOENT},
	{"/proc/self", EISDIR, EEXIST},
	{"/dev/full", ENOSPC, EEXIST},
};

START_TEST(same_places_are_told) {
	put(in_folder("file"), "");
	put(in_folder("other"), "");
	ck_assert_int_eq(mkdir(in_folder("sub"), 0755), 0);
	ck_assert_int_eq(symlink("file", in_folder("link")), 0);
	ck_assert_int_eq(symlink("sub/../missing", in_folder("dangling")), 0);
	ck_assert_int_eq(link(in_folder("file"), in_folder("hard")), 0);
	static const struct {
		const char *a, *b;
		bool same;
	} pairs[] = {
		{"file", "file", true}, {"file", "./file", true}, {"file", "sub/../file", true},
		{"file", "link", true}, {"missing", "missing", true},
		{"missing", "sub/../missing", true}, {"missing", "dangling", true},
		{"file", "other", false}, {"file", "missing", false}, {"file", "sub/file", false},
		{"file", "hard", false}, // each is replaced by its name
		{"nowhere/file", "nowhere/file", false},
		{"sub", "sub", false}, // nothing can be written there
	};
	for (size_t i = 0; i < FW_LENGTH(pairs); i++) {
		const char *a = in_folder(pairs[i].a), *b = in_folder(pairs[i].b);
		ck_assert_int_eq(fw_file_same_place(a, b), pairs[i].same);
		ck_assert_int_eq(fw_file_same_place(b, a), pairs[i].same);
	}
	ck_assert(fw_file_same_place("/dev/null", "/dev/../dev/null"));
}
END_TEST

START_TEST(bad_places_are_told) {
	ck_assert_int_eq(mkdir(in_folder("sub"), 0755), 0);
	put(in_folder("file"), "x");
	ck_assert_int_eq(symlink("loop", in_folder("loop")), 0);
	ck_assert_int_eq(symlink("sub/", in_folder("to-sub")), 0);
	ck_assert_int_eq(symlink("missing/file", in_folder("to-missing")), 0);
	size_t entries = count_entries();
	const char *path = bad_places[_i].path;
	if (path[0] != '/' && path[0] != '\0') {
		path = in_folder(path);
	}
	enum fw_file_change change = FW_FILE_UNKNOWN;
	ck_assert_int_eq(fw_file_replace(path, FW_SLICE("y"), &change), bad_places[_i].replaced);
	ck_assert_int_eq(change, FW_FILE_UNKNOWN);
	ck_assert_int_eq(fw_file_create(path, FW_SLICE("y")), bad_places[_i].created);
	ck_assert_uint_eq(count_entries(), entries);
}
END_TEST

START_TEST(long_names_are_the_kernels_affair) {
	char name[301];
	memset(name, 'n', sizeof(name));
	name[300] = '\0';
	ck_assert_int_eq(fw_file_replace(in_folder(name), FW_SLICE("x"), NULL), ENAMETOOLONG);
	ck_assert_int_eq(fw_file_create(in_folder(name), FW_SLICE("x")), ENAMETOOLONG);
	name[NAME_MAX] = '\0';
	ck_assert_int_eq(fw_file_replace(in_folder(name), FW_SLICE("x"), NULL), 0);
	assert_holds(in_folder(name), "x");
	char *path = fw_arena_alloc(&paths, PATH_MAX + 1);
	memset(path, '/', PATH_MAX);
	ck_assert_int_eq(fw_file_replace(path, FW_SLICE("x"), NULL), ENAMETOOLONG);
	ck_assert_uint_eq(count_entries(), 1);
}
END_TEST

START_TEST(create_never_replaces) {
	const char *path = in_folder("site.yaml");
	ck_assert_int_eq(fw_file_create(path, FW_SLICE("one")), 0);
	ck_assert_uint_eq(status_of(path).st_mode & 07777, 0644);
	ck_assert_int_eq(fw_file_create(path, FW_SLICE("two")), EEXIST);
	assert_holds(path, "one");
	ck_assert_int_eq(symlink("nowhere", in_folder("dangling")), 0);
	ck_assert_int_eq(fw_file_create(in_folder("dangling"), FW_SLICE("two")), EEXIST);
	ck_assert_uint_eq(count_entries(), 2);
}
END_TEST

START_TEST(create_is_won_by_one) {
	enum { CHILDREN = 8 };
	int ready[2];
	ck_assert_int_eq(pipe(ready), 0);
	for (int i = 0; i < CHILDREN; i++) {
		if (fork() == 0) {
			char c;
			close(ready[1]);
			ck_assert_int_eq(read(ready[0], &c, 1), 0); /* all start together */
			char content[2] = {(char)('0' + i), '\0'};
			_exit(fw_file_create(in_folder("a"), fw_slice(content)) == 0 ? i : 99);
		}
	}
	close(ready[0]);
	close(ready[1]);
	int winner = 99;
	for (int i = 0; i < CHILDREN; i++) {
		int status;
		ck_assert_int_gt(wait(&status), 0);
		ck_assert(WIFEXITED(status));
		if (WEXITSTATUS(status) != 99) {
			ck_assert_int_eq(winner, 99);
			winner = WEXITSTATUS(status);
		}
	}
	assert_holds(in_folder("a"), (char[2]){(char)('0' + winner), '\0'});
	ck_assert_uint_eq(count_entries(), 1);
}
END_TEST

static int create_without_renameat2(void) {
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_renameat2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {FW_LENGTH(filter), filter};
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
		return 77;
	}
	if (renameat2(AT_FDCWD, folder, AT_FDCWD, folder, RENAME_NOREPLACE) == 0 ||
		errno != EINVAL) {
		return 2;
	}
	return fw_file_create(in_folder("a"), FW_SLICE("linked"));
}

START_TEST(create_does_without_renameat2) {
	int result = run_in_child(create_without_renameat2);
	if (result == 77) {
		return; /* no seccomp here */
	}
	ck_assert_int_eq(result, 0);
	assert_holds(in_folder("a"), "linked");
	ck_assert_int_eq(run_in_child(create_without_renameat2), EEXIST);
	ck_assert_uint_eq(count_entries(), 1);
}
END_TEST

static int write_past_the_size_limit(void) {
	signal(SIGXFSZ, SIG_IGN);
	const struct rlimit limit = {1000, 1000};
	setrlimit(RLIMIT_FSIZE, &limit);
	struct fw_slice content = {make_bytes(5000), 5000};
	int error = fw_file_create(in_folder("new"), content);
	if (error != EFBIG) {
		return error;
	}
	return fw_file_replace(in_folder("old"), content, NULL);
}

START_TEST(failed_writes_leave_everything_as_it_was) {
	put(in_folder("old"), "whole");
	ck_assert_int_eq(run_in_child(write_past_the_size_limit), EFBIG);
	assert_holds(in_folder("old"), "whole");
	ck_assert_uint_eq(count_entries(), 1);
}
END_TEST

/** Nobody's rights, where the tests run as root. */
static void drop_root(void) {
	if (geteuid() == 0 &&
		(setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0)) {
		_exit(99);
	}
}

static int replace_as_nobody(void) {
	drop_root();
	return fw_file_replace(in_folder("a"), FW_SLICE("new"), NULL);
}

static int create_as_nobody(void) {
	drop_root();
	return fw_file_create(in_folder("b"), FW_SLICE("new"));
}

START_TEST(rights_are_respected) {
	put(in_folder("a"), "old");
	ck_assert_int_eq(chmod(folder, 0555), 0);
	ck_assert_int_eq(run_in_child(replace_as_nobody), EACCES);
	ck_assert_int_eq(run_in_child(create_as_nobody), EACCES);
	ck_assert_int_eq(chmod(folder, 0777), 0);
	ck_assert_int_eq(chmod(in_folder("a"), 0), 0);
	ck_assert_int_eq(run_in_child(replace_as_nobody), EACCES);
	ck_assert_int_eq(chmod(in_folder("a"), 0444), 0);
	ck_assert_int_eq(chmod(folder, 0333), 0); /* to be written, not read */
	ck_assert_int_eq(run_in_child(replace_as_nobody), 0);
	ck_assert_int_eq(chmod(folder, 0755), 0);
	assert_holds(in_folder("a"), "new");
	ck_assert_uint_eq(count_entries(), 1);
}
END_TEST

START_TEST(lost_groups_take_their_rights_along) {
	put(in_folder("a"), "old");
	ck_assert_int_eq(chmod(in_folder("a"), 0675), 0);
	ck_assert_int_eq(chmod(folder, 0777), 0);
	ck_assert_int_eq(run_in_child(replace_as_nobody), 0);
	ck_assert_uint_eq(status_of(in_folder("a")).st_uid, 65534);
	ck_assert_uint_eq(status_of(in_folder("a")).st_mode & 07777, 0655);
}
END_TEST

START_TEST(devices_and_pipes_are_written_in_place) {
	enum fw_file_change change;
	ck_assert_int_eq(fw_file_compare("/dev/null", FW_SLICE("x"), &change), 0);
	ck_assert_int_eq(change, FW_FILE_CHANGED);
	ck_assert_int_eq(fw_file_replace("/dev/null", FW_SLICE("x"), &change), 0);
	ck_assert_int_eq(change, FW_FILE_CHANGED);
	ck_assert(S_ISCHR(status_of("/dev/null").st_mode));
	ck_assert_int_eq(symlink("/dev/full", in_folder("full")), 0);
	ck_assert_int_eq(fw_file_replace(in_folder("full"), FW_SLICE("x"), NULL), ENOSPC);
	ck_assert(S_ISLNK(status_of(in_folder("full")).st_mode));

	const char *fifo = in_folder("fifo");
	ck_assert_int_eq(mkfifo(fifo, 0600), 0);
	int reader = open(fifo, O_RDONLY | O_NONBLOCK);
	ck_assert_int_eq(fw_file_replace(fifo, FW_SLICE("through"), NULL), 0);
	char got[16] = "";
	ck_assert_int_eq(read(reader, got, sizeof(got)), 7);
	ck_assert_str_eq(got, "through");
	ck_assert(S_ISFIFO(status_of(fifo).st_mode));
	close(reader);
	ck_assert_uint_eq(count_entries(), 2);
}
END_TEST

/* All the ways to name descriptor 9. */
static const char *const descriptors[] = {"/dev/fd/9", "/proc/self/fd/9", "link", "folder/9"};

START_TEST(descriptors_go_on_where_they_are) {
	ck_assert_int_eq(symlink("/proc/self/fd/9", in_folder("link")), 0);
	ck_assert_int_eq(symlink("/dev/fd", in_folder("folder")), 0);
	const char *path = descriptors[_i];
	int fd = open(in_folder("output"), O_WRONLY | O_CREAT, 0644);
	ck_assert_int_eq(dup2(fd, 9), 9);
	close(fd);
	ck_assert_int_eq(write(9, "before ", 7), 7);
	ino_t inode = status_of(in_folder("output")).st_ino;
	ck_assert_int_eq(
		fw_file_replace(path[0] == '/' ? path : in_folder(path), FW_SLICE("rules "), NULL),
		0);
	ck_assert_int_eq(write(9, "after", 5), 5);
	close(9);
	assert_holds(in_folder("output"), "before rules after");
	ck_assert_uint_eq(status_of(in_folder("output")).st_ino, inode);
}
END_TEST

START_TEST(no_descriptor_stays_open) {
	int before = open("/dev/null", O_RDONLY);
	close(before);
	put(in_folder("a"), "x");
	ck_assert_int_eq(symlink("a", in_folder("link")), 0);
	FW_AUTO(fw_buf_fini) struct fw_buf buf = {0};
	static const char *const names[] = {"a", "link", "new", "a/b", ""};
	for (size_t i = 0; i < FW_LENGTH(names); i++) {
		enum fw_file_change change;
		const char *path = in_folder(names[i]);
		fw_file_compare(path, FW_SLICE("y"), &change);
		fw_file_replace(path, FW_SLICE("y"), &change);
		fw_file_create(path, FW_SLICE("y"));
		fw_file_read(path, 0, &buf);
	}
	int after = open("/dev/null", O_RDONLY);
	close(after);
	ck_assert_int_eq(after, before);
}
END_TEST

static TCase *files_case(void) {
	TCase *files = tcase_create("files");
	tcase_add_checked_fixture(files, make_folder, remove_folder);
	tcase_set_timeout(files, 60);
	tcase_add_test(files, read_adds_to_the_buffer);
	tcase_add_test(files, read_of_nothing_is_an_empty_text);
	tcase_add_loop_test(files, read_tells_what_failed, 0, FW_LENGTH(bad_reads));
	tcase_add_loop_test(files, files_of_any_size_come_back, 0, FW_LENGTH(sizes));
	tcase_add_test(files, read_takes_pipes_and_standard_input);
	tcase_add_test(files, read_tells_of_closed_input);
	tcase_add_test(files, write_waits_for_a_slow_reader);
	tcase_add_test(files, replace_creates_and_changes_and_leaves_alone);
	tcase_add_test(files, replace_keeps_the_owner);
	tcase_add_test(files, replace_works_relative_to_the_working_folder);
	tcase_add_test(files, replace_follows_links);
	tcase_add_loop_test(files, bad_places_are_told, 0, FW_LENGTH(bad_places));
	tcase_add_test(files, same_places_are_told);
	tcase_add_test(files, long_names_are_the_kernels_affair);
	tcase_add_test(files, create_never_replaces);
	tcase_add_test(files, create_is_won_by_one);
	tcase_add_test(files, create_does_without_renameat2);
	tcase_add_test(files, failed_writes_leave_everything_as_it_was);
	tcase_add_test(files, rights_are_respected);
	/* It needs a file of somebody else's, which only root can make. */
	if (geteuid() == 0 || getenv("FLOWFW_MUST_RUN") != NULL) {
		tcase_add_test(files, lost_groups_take_their_rights_along);
	}
	tcase_add_test(files, devices_and_pipes_are_written_in_place);
	tcase_add_loop_test(files, descriptors_go_on_where_they_are, 0, FW_LENGTH(descriptors));
	tcase_add_test(files, no_descriptor_stays_open);
	return files;
}

int main(void) {
	Suite *suite = suite_create("files");
	suite_add_tcase(suite, files_case());
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
