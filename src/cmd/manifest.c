// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The manifest of a folder of rule sets: a line that names the fleet, then a file and its member on
 * each line, with a tab between them. Somebody may have edited it, and files are removed by what it
 * says, so each of its names is looked at.
 */

#include "cmd/manifest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char head[] = "# flowfw fleet: ";

void fw_manifest_fini(struct fw_manifest *manifest) {
	fw_buf_fini(&manifest->text);
	FW_VEC_FINI(&manifest->entries);
}

void fw_manifest_add(struct fw_manifest *manifest, struct fw_slice file, struct fw_slice member) {
	FW_VEC_ADD(&manifest->entries, (struct fw_manifest_entry){file, member});
}

static int by_file(const void *left, const void *right) {
	const struct fw_manifest_entry *a = left, *b = right;
	return fw_slice_compare(a->file, b->file);
}

void fw_manifest_sort(struct fw_manifest *manifest) {
	if (manifest->entries.count != 0) {
		qsort(manifest->entries.items, manifest->entries.count,
			sizeof(*manifest->entries.items), by_file);
	}
}

bool fw_manifest_has(const struct fw_manifest *manifest, struct fw_slice file) {
	struct fw_manifest_entry key = {.file = file};
	return manifest->entries.count != 0 &&
	       bsearch(&key, manifest->entries.items, manifest->entries.count,
		       sizeof(*manifest->entries.items), by_file) != NULL;
}

void fw_manifest_format(const struct fw_manifest *manifest, const char *fleet, struct fw_buf *out) {
	fw_buf_printf(out, "%s%s\n", head, fleet);
	for (size_t i = 0; i < manifest->entries.count; i++) {
		fw_buf_add_slice(out, manifest->entries.items[i].file);
		fw_buf_add_char(out, '\t');
		fw_buf_add_slice(out, manifest->entries.items[i].member);
		fw_buf_add_char(out, '\n');
	}
}

/* A file of this folder that is not hidden, and begins with the member's name. */
static bool is_entry(const struct fw_manifest_entry *entry) {
	struct fw_slice file = entry->file, member = entry->member;
	return member.data != NULL && member.length != 0 && file.length > member.length &&
	       memcmp(file.data, member.data, member.length) == 0 && file.data[0] != '.' &&
	       memchr(file.data, '/', file.length) == NULL &&
	       memchr(file.data, '\0', file.length) == NULL;
}

static bool parse(struct fw_manifest *manifest, struct fw_slice rest) {
	while (rest.length != 0) {
		struct fw_slice member = fw_slice_cut(&rest, '\n');
		struct fw_slice file = fw_slice_cut(&member, '\t');
		struct fw_manifest_entry entry = {file, member};
		if (!is_entry(&entry)) {
			return false;
		}
		FW_VEC_ADD(&manifest->entries, entry);
	}
	fw_manifest_sort(manifest);
	return true;
}

bool fw_manifest_read(struct fw_manifest *manifest, const char *folder, const char *fleet,
	struct fw_diags *diags) {
	FW_AUTO(fw_buf_fini) struct fw_buf path = {0};
	fw_buf_printf(&path, "%s/%s", folder, FW_MANIFEST);
	int error = fw_file_read(path.data, FW_SOURCE_MAX, &manifest->text);
	if (error == ENOENT) {
		return true;
	}
	if (error != 0) {
		fw_failure(diags, "read-failed", error, "cannot read '%s'", path.data);
		return false;
	}
	struct fw_slice rest = fw_buf_slice(&manifest->text);
	struct fw_slice name = fw_slice_cut(&rest, '\n');
	size_t length = strlen(head);
	if (name.length <= length || memcmp(name.data, head, length) != 0 ||
		!parse(manifest, rest)) {
		struct fw_diag *diag = fw_failure(
			diags, "bad-manifest", 0, "'%s' is not what flowfw left there", path.data);
		fw_diag_hint(diags, diag,
			"it lists the files that were written; without it none will be removed");
		return false;
	}
	name = (struct fw_slice){name.data + length, name.length - length};
	if (!fw_slice_is(name, fleet)) {
		struct fw_diag *diag = fw_failure(diags, "foreign-folder", 0,
			"'%s' holds the rule sets of the fleet '%.*s', not of '%s'", folder,
			(int)name.length, name.data, fleet);
		fw_diag_hint(diags, diag,
			"give each fleet a folder; where a fleet has a new name, remove '%s'",
			path.data);
		return false;
	}
	return true;
}
