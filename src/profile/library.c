// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The folders in which profiles, roles and services are found. The first folder that has a file
 * wins, file by file, so that a site's folder can replace a shipped file without a copy of all.
 */

#include "profile/draft.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- files that are kept ---- */

struct kept {
	UT_hash_handle by_path, by_name;
	const char *path, *name; /* name: as fw_library_find is asked, "roles/block" */
	struct layer layer;
};

struct fw_library_cache {
	struct fw_arena arena, nodes;
	struct kept *paths, *names; /* hashes of the same */
	const char *const *services;
	size_t service_count;
	bool filled;
};

/* ---- folders ---- */

/*
 * Absent, as opposed to there and closed to us: to pass over a folder that nobody may read would
 * compile other rules than its owner wrote.
 */
static bool is_absent(int error) {
	return error == ENOENT || error == ENOTDIR;
}

static void add_folder(struct fw_library *library, const char *path) {
	struct stat status;

	if (stat(path, &status) == 0 ? S_ISDIR(status.st_mode) : !is_absent(errno)) {
		FW_VEC_ADD(&library->folders, path);
	}
}

void fw_library_init(struct fw_library *library, struct fw_arena *arena) {
	const char *config = getenv("XDG_CONFIG_HOME");
	const char *home = getenv("HOME");
	const char *data = getenv("FLOWFW_DATADIR");

	*library = (struct fw_library){0};
	add_folder(library, "profiles");
	if (config != NULL && config[0] == '/') {
		add_folder(library, fw_arena_printf(arena, "%s/flowfw/profiles", config));
	} else if (home != NULL && home[0] == '/') {
		add_folder(library, fw_arena_printf(arena, "%s/.config/flowfw/profiles", home));
	}
	add_folder(library, "/etc/flowfw/profiles");
	if (data == NULL || data[0] == '\0') {
		data = FW_DATADIR;
	}
	add_folder(library, fw_arena_printf(arena, "%s/profiles", data));
	library->templates = fw_arena_printf(arena, "%s/templates", data);
	fw_library_init_cache(library);
}

void fw_library_init_cache(struct fw_library *library) {
	library->cache = fw_alloc(sizeof(*library->cache));
}

/* ---- keeping files ---- */

static void cache_free(struct fw_library_cache *cache) {
	if (cache == NULL) {
		return;
	}
	HASH_CLEAR(by_path, cache->paths);
	HASH_CLEAR(by_name, cache->names);
	fw_arena_fini(&cache->nodes);
	fw_arena_fini(&cache->arena);
	free(cache);
}

void fw_library_fini(struct fw_library *library) {
	FW_VEC_FINI(&library->folders);
	cache_free(library->cache);
	library->cache = NULL;
}

/* Keeps a file that can be read, is what its place asks for, and has no lists that are gone once
 * they are read. */
static void keep(struct fw_library_cache *cache, struct draft *draft, const char *part,
	const char *path, enum kind kind) {
	struct kept *kept = FW_ARENA_NEW(&cache->arena, struct kept);
	struct fw_slice stem = fw_path_stem(path);
	size_t said = draft->diags->errors + draft->diags->warnings;
	const struct endpoints *lists = draft->endpoints;

	if (!fw_layer_read(draft, path, NULL, (struct fw_span){0}, &kept->layer) ||
		kept->layer.kind != kind || draft->endpoints != lists ||
		draft->diags->errors + draft->diags->warnings != said) {
		return;
	}
	kept->path = path;
	kept->name = fw_arena_printf(&cache->arena, "%s%.*s", part, (int)stem.length, stem.data);
	HASH_ADD_KEYPTR(by_path, cache->paths, kept->path, strlen(kept->path), kept);
	HASH_ADD_KEYPTR(by_name, cache->names, kept->name, strlen(kept->name), kept);
}

static void keep_all(
	struct fw_library_cache *cache, const struct fw_library *library, struct fw_diags *diags) {
	struct draft draft FW_AUTO(fw_draft_fini);
	size_t roles;

	fw_draft_init(&draft, &cache->arena, library, diags);
	const char *const *services =
		fw_library_files(library, &cache->arena, "services/", &cache->service_count, diags);
	const char *const *paths =
		fw_library_files(library, &cache->arena, "roles/", &roles, diags);
	const char *base = fw_library_find(library, &cache->arena, "", "base");
	for (size_t i = 0; i < cache->service_count; i++) {
		keep(cache, &draft, "services/", services[i], KIND_SERVICES);
	}
	if (base != NULL) {
		keep(cache, &draft, "", base, KIND_BASE);
	}
	for (size_t i = 0; i < roles; i++) {
		keep(cache, &draft, "roles/", paths[i], KIND_ROLE);
	}
	cache->services = diags->errors == 0 ? services : NULL;
	cache->nodes = draft.nodes;
	draft.nodes = (struct fw_arena){0};
}

void fw_library_keep(const struct fw_library *library, struct fw_diags *diags) {
	struct fw_diags mistakes FW_AUTO(fw_diags_fini) = {.sources = diags->sources};

	if (library->cache == NULL || library->cache->filled) {
		return;
	}
	keep_all(library->cache, library, &mistakes);
	diags->sources = mistakes.sources;
	library->cache->filled = true;
}

const struct layer *fw_library_layer(const struct fw_library *library, const char *path) {
	struct kept *kept = NULL;

	if (library->cache != NULL) {
		HASH_FIND(by_path, library->cache->paths, path, strlen(path), kept);
	}
	return kept != NULL ? &kept->layer : NULL;
}

/* ---- finding ---- */

static const char *find_kept(const struct fw_library *library, const char *part, const char *name) {
	char key[64];
	struct kept *kept = NULL;
	int length = snprintf(key, sizeof(key), "%s%s", part, name);

	if (library->cache != NULL && (size_t)length < sizeof(key)) {
		HASH_FIND(by_name, library->cache->names, key, (size_t)length, kept);
	}
	return kept != NULL ? kept->path : NULL;
}

const char *fw_library_find(const struct fw_library *library, struct fw_arena *arena,
	const char *part, const char *name) {
	const char *kept = find_kept(library, part, name);
	for (size_t i = 0; i < library->folders.count && kept == NULL; i++) {
		const char *path = fw_arena_printf(
			arena, "%s/%s%s.yaml", library->folders.items[i], part, name);
		/* Whoever opens a file that is closed to us will say so. */
		if (access(path, F_OK) == 0 || !is_absent(errno)) {
			return path;
		}
	}
	return kept;
}

/* ---- listing ---- */

struct found {
	const char *path, *file; /* file: the part of path behind the folder */
	size_t folder;
};

static int compare_found(const void *left, const void *right) {
	const struct found *a = left;
	const struct found *b = right;
	int order = strcmp(a->file, b->file);

	return order != 0 ? order : (a->folder > b->folder) - (a->folder < b->folder);
}

static bool is_yaml(const char *name) {
	size_t length = strlen(name);
	return length > 5 && name[0] != '.' && strcmp(name + length - 5, ".yaml") == 0;
}

static void close_folder(DIR **folder) {
	if (*folder != NULL) {
		closedir(*folder);
	}
}

const char *const *fw_library_files(const struct fw_library *library, struct fw_arena *arena,
	const char *part, size_t *out_count, struct fw_diags *diags) {
	FW_VEC(struct found) all = {0};

	if (library->cache != NULL && library->cache->services != NULL &&
		strcmp(part, "services/") == 0) {
		*out_count = library->cache->service_count;
		return library->cache->services;
	}
	for (size_t i = 0; i < library->folders.count; i++) {
		const char *path = fw_arena_printf(arena, "%s/%s", library->folders.items[i], part);
		DIR *folder FW_AUTO(close_folder) = opendir(path);
		if (folder == NULL && !is_absent(errno)) {
			fw_failure(diags, "unreadable-folder", errno, "cannot read the folder '%s'",
				path);
		}
		struct dirent *entry;
		while (folder != NULL && (entry = readdir(folder)) != NULL) {
			if (!is_yaml(entry->d_name)) {
				continue;
			}
			char *file = fw_arena_printf(
				arena, "%s/%s%s", library->folders.items[i], part, entry->d_name);
			const char *name = strrchr(file, '/') + 1;
			struct stat status;
			/* A pipe would keep us waiting; what cannot be looked at is told when read.
			 */
			if (entry->d_type != DT_REG && stat(file, &status) == 0 &&
				!S_ISREG(status.st_mode)) {
				fw_failure(diags, "not-a-file", 0, "'%s' is no regular file", file);
				continue;
			}
			FW_VEC_ADD(&all, (struct found){file, name, i});
		}
	}
	if (all.count != 0) {
		qsort(all.items, all.count, sizeof(*all.items), compare_found);
	}
	const char **paths = FW_ARENA_ARRAY(arena, const char *, all.count + 1);
	size_t count = 0;
	for (size_t i = 0; i < all.count; i++) {
		if (i == 0 || strcmp(all.items[i - 1].file, all.items[i].file) != 0) {
			paths[count++] = all.items[i].path;
		}
	}
	FW_VEC_FINI(&all);
	*out_count = count;
	return paths;
}

void fw_library_missing(struct fw_diags *diags) {
	struct fw_diag *diag = fw_failure(
		diags, "no-library", 0, "the profiles that come with flowfw were not found");
	fw_diag_hint(
		diags, diag, "FLOWFW_DATADIR names the folder that holds profiles/ and templates/");
}

bool fw_library_list(struct fw_arena *arena, const struct fw_library *library,
	enum fw_library_kind kind, const struct fw_library_row **out_rows, size_t *out_count,
	struct fw_diags *diags) {
	size_t count, kept = 0, errors = diags->errors;
	const char *part = kind == FW_LIBRARY_ROLES ? "roles/" : "";
	const char *const *paths = fw_library_files(library, arena, part, &count, diags);
	struct fw_library_row *rows = FW_ARENA_ARRAY(arena, struct fw_library_row, count);
	struct draft draft;

	if (count == 0) {
		fw_library_missing(diags);
		return false;
	}
	fw_draft_init(&draft, arena, library, diags);
	for (size_t i = 0; i < count; i++) {
		struct layer layer;
		enum kind wanted = kind == FW_LIBRARY_ROLES ? KIND_ROLE : KIND_PROFILE;
		if (!fw_layer_read(&draft, paths[i], NULL, (struct fw_span){0}, &layer) ||
			layer.kind != wanted || layer.name == NULL) {
			continue;
		}
		struct fw_library_row *row = &rows[kept++];
		const struct fw_yaml_node *title = fw_yaml_find(layer.root, "title");
		*row = (struct fw_library_row){.name = layer.name, .title = "", .path = paths[i]};
		if (title != NULL) {
			fw_read_text(&draft, title, "a title", TITLE_MAX, &row->title);
		}
	}
	fw_draft_fini(&draft);
	*out_rows = rows;
	*out_count = kept;
	return diags->errors == errors;
}
