// SPDX-License-Identifier: GPL-2.0-or-later
/* Many files of one folder: hidden until all are there, then each under its name. */

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"

static char path[] = "/tmp/flowfw-test-XXXXXX";
static struct fw_folder folder;

static void set_up(void) {
	strcpy(path, "/tmp/flowfw-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(path));
	umask(022);
	ck_assert_int_eq(fw_folder_open(&folder, path, false), 0);
}

static void tear_down(void) {
	char command[100];
	fw_folder_fini(&folder);
	snprintf(command, sizeof(command), "rm -r '%s'", path);
	ck_assert_int_eq(system(command), 0);
}

static void assert_holds(const char *name, const char *text) {
	FW_AUTO(fw_buf_fini) struct fw_buf file = {0};
	FW_AUTO(fw_buf_fini) struct fw_buf content = {0};
	fw_buf_printf(&file, "%s/%s", path, name);
	int error = fw_file_read(file.data, 1000, &content);
	ck_assert_int_eq(error, text == NULL ? ENOENT : 0);
	if (text != NULL) {
		ck_assert_str_eq(content.data, text);
	}
}

static void write_file(const char *name, const char *text) {
	ck_assert_int_eq(fw_folder_write(&folder, name, fw_slice(text)), 0);
}

static enum fw_file_change change_of(const char *name, const char *text) {
	enum fw_file_change change;
	ck_assert_int_eq(fw_folder_compare(&folder, name, fw_slice(text), &change), 0);
	return change;
}

START_TEST(files_take_their_names_when_they_are_told) {
	write_file("a", "one");
	write_file("b", "two");
	assert_holds("a", NULL);
	ck_assert_int_eq(fw_folder_sync(&folder, 2), 0);
	ck_assert_int_eq(fw_folder_publish(&folder, "a"), 0);
	ck_assert_int_eq(fw_folder_publish(&folder, "a"), ENOENT);
	ck_assert_int_eq(fw_folder_finish(&folder), 0);
	assert_holds("a", "one");
	assert_holds("b", NULL);
}
END_TEST

START_TEST(many_are_synced_together) {
	write_file("a", "one");
	ck_assert_int_eq(fw_folder_sync(&folder, FW_FOLDER_FEW + 1), 0);
	ck_assert_int_eq(fw_folder_publish(&folder, "a"), 0);
	assert_holds("a", "one");
}
END_TEST

START_TEST(nothing_written_is_nothing_to_sync) {
	ck_assert_int_eq(fw_folder_sync(&folder, 1), 0);
	ck_assert_int_eq(fw_folder_publish(&folder, "a"), ENOENT);
	ck_assert_int_eq(rmdir(path), 0); /* not even the hidden folder */
	ck_assert_int_eq(mkdir(path, 0700), 0);
}
END_TEST

START_TEST(what_is_dropped_is_gone) {
	write_file("a", "one");
	fw_folder_drop(&folder, "a");
	fw_folder_drop(&folder, "b");
	ck_assert_int_eq(fw_folder_publish(&folder, "a"), ENOENT);
	write_file("a", "two");
	ck_assert_int_eq(fw_folder_write(&folder, "a", fw_slice("three")), EEXIST);
	ck_assert_int_eq(fw_folder_publish(&folder, "a"), 0);
	assert_holds("a", "two");
}
END_TEST

START_TEST(what_is_left_goes_with_the_folder) {
	write_file("a", "one");
	fw_folder_fini(&folder);
	ck_assert_int_eq(rmdir(path), 0);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	ck_assert_int_eq(fw_folder_open(&folder, path, false), 0);
}
END_TEST

START_TEST(changes_are_told) {
	write_file("a", "one");
	ck_assert_int_eq(change_of("a", "one"), FW_FILE_CREATED);
	ck_assert_int_eq(fw_folder_publish(&folder, "a"), 0);
	ck_assert_int_eq(change_of("a", "one"), FW_FILE_SAME);
	ck_assert_int_eq(change_of("a", "two"), FW_FILE_CHANGED);
	ck_assert_int_eq(change_of("a", "three"), FW_FILE_CHANGED);
	ck_assert_int_eq(symlinkat("a", folder.fd, "link"), 0);
	ck_assert_int_eq(mkdirat(folder.fd, "folder", 0700), 0);
	ck_assert_int_eq(change_of("link", "one"), FW_FILE_SPECIAL);
	ck_assert_int_eq(change_of("folder", "one"), FW_FILE_SPECIAL);
}
END_TEST

static mode_t mode_of(const char *name) {
	struct stat status;
	ck_assert_int_eq(fstatat(folder.fd, name, &status, 0), 0);
	return status.st_mode & 07777;
}

START_TEST(modes_are_handed_on) {
	write_file("a", "one");
	ck_assert_int_eq(fw_folder_publish(&folder, "a"), 0);
	ck_assert_uint_eq(mode_of("a"), 0644);
	ck_assert_int_eq(fchmodat(folder.fd, "a", 0604, 0), 0);
	write_file("a", "two");
	ck_assert_int_eq(fw_folder_publish(&folder, "a"), 0);
	ck_assert_uint_eq(mode_of("a"), 0604);
}
END_TEST

START_TEST(only_regular_files_are_removed) {
	write_file("a", "one");
	ck_assert_int_eq(fw_folder_publish(&folder, "a"), 0);
	ck_assert_int_eq(symlinkat("a", folder.fd, "link"), 0);
	ck_assert_int_eq(mkdirat(folder.fd, "folder", 0700), 0);
	ck_assert_int_eq(fw_folder_remove(&folder, "a"), 0);
	ck_assert_int_eq(fw_folder_remove(&folder, "a"), ENOENT);
	ck_assert_int_eq(fw_folder_remove(&folder, "link"), ENOENT);
	ck_assert_int_eq(fw_folder_remove(&folder, "folder"), ENOENT);
}
END_TEST

START_TEST(folders_are_made_where_it_is_said) {
	char below[100], deep[100];
	snprintf(below, sizeof(below), "%s/below", path);
	snprintf(deep, sizeof(deep), "%s/no/where", path);
	struct fw_folder other;
	ck_assert_int_eq(fw_folder_open(&other, below, false), ENOENT);
	ck_assert_int_eq(fw_folder_open(&other, deep, true), ENOENT);
	ck_assert_int_eq(fw_folder_open(&other, below, true), 0);
	fw_folder_fini(&other);
	ck_assert_int_eq(fw_folder_open(&other, below, true), 0);
	ck_assert_int_eq(fw_folder_write(&other, "a", fw_slice("one")), 0);
	fw_folder_fini(&other);
	ck_assert_int_eq(rmdir(below), 0);
	write_file("a", "one");
	ck_assert_int_eq(fw_folder_publish(&folder, "a"), 0);
	snprintf(below, sizeof(below), "%s/a", path);
	ck_assert_int_eq(fw_folder_open(&other, below, true), ENOTDIR);
}
END_TEST

START_TEST(heads_are_read) {
	FW_AUTO(fw_buf_fini) struct fw_buf file = {0};
	FW_AUTO(fw_buf_fini) struct fw_buf head = {0};
	write_file("a", "0123456789");
	ck_assert_int_eq(fw_folder_publish(&folder, "a"), 0);
	fw_buf_printf(&file, "%s/a", path);
	ck_assert_int_eq(fw_file_head(file.data, 4, &head), 0);
	ck_assert_str_eq(head.data, "0123");
	ck_assert_int_eq(fw_file_head(file.data, 40, &head), 0);
	ck_assert_str_eq(head.data, "01230123456789");
	fw_buf_add_text(&file, "none");
	ck_assert_int_eq(fw_file_head(file.data, 40, &head), ENOENT);
}
END_TEST

int main(void) {
	Suite *suite = suite_create("folder");
	TCase *all = tcase_create("folder");
	tcase_add_checked_fixture(all, set_up, tear_down);
	tcase_set_timeout(all, 60);
	tcase_add_test(all, files_take_their_names_when_they_are_told);
	tcase_add_test(all, many_are_synced_together);
	tcase_add_test(all, nothing_written_is_nothing_to_sync);
	tcase_add_test(all, what_is_dropped_is_gone);
	tcase_add_test(all, what_is_left_goes_with_the_folder);
	tcase_add_test(all, changes_are_told);
	tcase_add_test(all, modes_are_handed_on);
	tcase_add_test(all, only_regular_files_are_removed);
	tcase_add_test(all, folders_are_made_where_it_is_said);
	tcase_add_test(all, heads_are_read);
	suite_add_tcase(suite, all);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
