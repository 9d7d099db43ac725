// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A fleet file: which sites and gateways there are, and the groups that they share. What it names
 * comes one entry at a time from the YAML stream and costs its path and its name; what the files
 * hold is read when they are compiled.
 */

#include "profile/draft.h"

#include <errno.h>
#include <glob.h>
#include <string.h>
#include <sys/stat.h>

/* Bytes of a name, so that it stays a file's name with any backend's ending behind it. */
enum { NAME_MAX_MEMBER = 200 };

struct members {
	struct fleet *fleet;
	FW_VEC(struct fw_fleet_member) list;
};

/* A fleet file while it is read. */
struct fleet {
	struct draft draft;	 /* for values; nothing is resolved in it */
	struct fw_arena scratch; /* the draft's */
	struct fw_arena *arena;	 /* of what stays */
	struct fw_slice folder;	 /* what comes before a relative path: "configs/", or nothing */
	const char *name, *title;
	struct members sites, gateways;
};

/* ---- one entry ---- */

/*
 * The name becomes that of files. A hyphen in front would make an option of it wherever somebody
 * writes `nft -f *`.
 */
static bool is_member_name(struct fw_slice name) {
	if (name.length == 0 || name.length > NAME_MAX_MEMBER || name.data[0] == '.' ||
		name.data[0] == '-') {
		return false;
	}
	for (size_t i = 0; i < name.length; i++) {
		unsigned char c = (unsigned char)name.data[i];
		if (c < ' ' || c == 0x7f || c == '/') {
			return false;
		}
	}
	return true;
}

static void add_member(
	struct members *members, const char *path, struct fw_slice name, struct fw_span span) {
	struct fleet *fleet = members->fleet;

	if (!is_member_name(name)) {
		struct fw_diag *diag = fw_error(fleet->draft.diags, span, "bad-name",
			"'%.*s' cannot name a rule set's file", (int)name.length, name.data);
		fw_diag_hint(fleet->draft.diags, diag,
			"it begins with neither '.' nor '-', holds no '/', and has %d bytes at "
			"most: {file: %s, name: …}",
			NAME_MAX_MEMBER, path);
		return;
	}
	FW_VEC_ADD(&members->list,
		(struct fw_fleet_member){
			.path = path, .name = fw_arena_text(fleet->arena, name), .span = span});
}

static struct fw_slice folder_of(const struct fleet *fleet, struct fw_slice file) {
	return file.data[0] == '/' ? FW_SLICE("") : fleet->folder;
}

/* The path of a file in a folder. A word alone would be looked for among the profiles. */
static const char *member_path(struct fleet *fleet, struct fw_slice folder, struct fw_slice file) {
	bool word = folder.length == 0 && memchr(file.data, '/', file.length) == NULL &&
		    fw_path_stem(file.data).length == file.length;

	return fw_arena_printf(fleet->arena, "%s%.*s%.*s", word ? "./" : "", (int)folder.length,
		folder.data, (int)file.length, file.data);
}

static void add_file(
	struct members *members, struct fw_slice file, struct fw_slice name, struct fw_span span) {
	struct fw_diags *diags = members->fleet->draft.diags;
	const char *path = member_path(members->fleet, folder_of(members->fleet, file), file);
	struct stat status;

	if (stat(path, &status) == 0 || (errno != ENOENT && errno != ENOTDIR)) {
		/* Whoever opens a file that is closed to us will say so. */
		add_member(members, path, name.data != NULL ? name : fw_path_stem(path), span);
		return;
	}
	struct fw_diag *diag = fw_error(diags, span, "missing-file", "there is no file '%s'", path);
	fw_diag_hint(diags, diag, "paths are relative to the fleet's file");
}

/* ---- patterns ---- */

static bool is_pattern(struct fw_slice file) {
	for (size_t i = 0; i < file.length; i++) {
		if (strchr("*?[", file.data[i]) != NULL) {
			return true;
		}
	}
	return false;
}

/* The pattern as the author meant it: the folder of the fleet is no part of it. */
static const char *quoted_pattern(struct fleet *fleet, struct fw_slice file) {
	struct fw_slice folder = folder_of(fleet, file);
	struct fw_buf pattern FW_AUTO(fw_buf_fini) = {0};

	for (size_t i = 0; i < folder.length; i++) {
		if (strchr("*?[\\", folder.data[i]) != NULL) {
			fw_buf_add_char(&pattern, '\\');
		}
		fw_buf_add_char(&pattern, folder.data[i]);
	}
	fw_buf_add_slice(&pattern, file);
	return fw_arena_text(&fleet->scratch, fw_buf_slice(&pattern));
}

static void add_pattern(struct members *members, struct fw_slice file, struct fw_span span) {
	struct fleet *fleet = members->fleet;
	struct fw_diags *diags = fleet->draft.diags;
	glob_t found FW_AUTO(globfree) = {0};

	switch (glob(quoted_pattern(fleet, file), GLOB_ERR, NULL, &found)) {
	case 0:
		break;
	case GLOB_NOMATCH:
		fw_error(diags, span, "no-match", "no file matches '%.*s'", (int)file.length,
			file.data);
		return;
	default:
		fw_failure_at(diags, span, "unreadable-folder", errno, "cannot look for '%.*s'",
			(int)file.length, file.data);
		return;
	}
	for (size_t i = 0; i < found.gl_pathc; i++) {
		const char *path = member_path(fleet, FW_SLICE(""), fw_slice(found.gl_pathv[i]));
		add_member(members, path, fw_path_stem(path), span);
	}
}

/* ---- entries ---- */

struct entry {
	struct fw_slice file, name;
	struct fw_span file_span;
	bool bad;
};

static void read_entry_file(struct draft *draft, void *object, enum kind kind,
	const struct fw_yaml_node *key, const struct fw_yaml_node *value) {
	struct entry *entry = object;
	const char *text;
	(void)kind;
	(void)key;
	entry->file_span = value->span;
	if (fw_read_text(draft, value, "a file", FW_DIAG_TEXT_MAX, &text)) {
		entry->file = fw_slice(text);
	} else {
		entry->bad = true;
	}
}

static void read_entry_name(struct draft *draft, void *object, enum kind kind,
	const struct fw_yaml_node *key, const struct fw_yaml_node *value) {
	struct entry *entry = object;
	const char *text;
	(void)kind;
	(void)key;
	if (fw_read_text(draft, value, "a name", FW_DIAG_TEXT_MAX, &text)) {
		entry->name = fw_slice(text);
	} else {
		entry->bad = true;
	}
}

static void add_entry(struct members *members, const struct entry *entry) {
	struct fw_diags *diags = members->fleet->draft.diags;

	if (!is_pattern(entry->file)) {
		add_file(members, entry->file, entry->name, entry->file_span);
	} else if (entry->name.data == NULL) {
		add_pattern(members, entry->file, entry->file_span);
	} else {
		fw_error(diags, entry->file_span, "bad-name",
			"a pattern stands for many files, and one name cannot be that of all");
	}
}

/* Reads one entry of `sites` or `gateways`; `sink` is a struct members. For fw_yaml_stream. */
static void read_entry(void *sink, const struct fw_yaml_node *item) {
	static const struct key keys[] = {
		{"file", ~0U, read_entry_file},
		{"name", ~0U, read_entry_name},
	};
	struct members *members = sink;
	struct draft *draft = &members->fleet->draft;
	struct entry entry = {0};
	struct fw_arena_mark mark = fw_arena_mark(draft->arena);

	if (item->kind == FW_YAML_MAPPING) {
		fw_read_mapping(draft, item, "an entry of a fleet", keys, FW_LENGTH(keys),
			KIND_SITE, &entry);
		if (entry.file.data == NULL && !entry.bad) {
			fw_error(
				draft->diags, item->span, "missing-key", "the entry names no file");
		}
	} else {
		read_entry_file(draft, &entry, KIND_SITE, item, item);
	}
	if (entry.file.data != NULL && !entry.bad) {
		add_entry(members, &entry);
	}
	fw_arena_reset(draft->arena, mark);
}

/* ---- the file ---- */

static void read_name(struct draft *draft, void *object, enum kind kind,
	const struct fw_yaml_node *key, const struct fw_yaml_node *value) {
	struct fleet *fleet = object;
	const char *name;
	(void)kind;
	(void)key;
	if (fw_read_text(draft, value, "a fleet's name", NAME_MAX_SITE, &name)) {
		fleet->name = fw_arena_text(fleet->arena, fw_slice(name));
	}
}

static void read_title(struct draft *draft, void *object, enum kind kind,
	const struct fw_yaml_node *key, const struct fw_yaml_node *value) {
	struct fleet *fleet = object;
	const char *title;
	(void)kind;
	(void)key;
	if (fw_read_text(draft, value, "a title", TITLE_MAX, &title)) {
		fleet->title = fw_arena_text(fleet->arena, fw_slice(title));
	}
}

/* What the groups say is looked at once here, so that no member has to say it again. */
static void read_groups(struct draft *draft, void *object, enum kind kind,
	const struct fw_yaml_node *key, const struct fw_yaml_node *value) {
	(void)object;
	(void)kind;
	(void)key;
	fw_read_groups(draft, KIND_SITE, value);
}

static void read_members(struct draft *draft, void *object, enum kind kind,
	const struct fw_yaml_node *key, const struct fw_yaml_node *value) {
	struct fleet *fleet = object;
	struct members *members =
		fw_slice_is(key->text, "sites") ? &fleet->sites : &fleet->gateways;
	(void)kind;

	if (value->streamed) {
		return;
	}
	if (value->kind != FW_YAML_SEQUENCE) {
		if (!fw_node_is_null(value) && value->kind == FW_YAML_SCALAR) {
			read_entry(members, value);
		} else {
			fw_read_kind(draft, value, FW_YAML_SEQUENCE, "this");
		}
		return;
	}
	for (size_t i = 0; i < value->count; i++) {
		read_entry(members, value->items[i]);
	}
}

static const struct key fleet_keys[] = {
	{"flowfw", ~0U, fw_read_version},
	{"fleet", ~0U, read_name},
	{"title", ~0U, read_title},
	{"groups", ~0U, read_groups},
	{"sites", ~0U, read_members},
	{"gateways", ~0U, read_members},
};

static void *begin_list(void *context, const struct fw_slice *path, size_t depth) {
	struct fleet *fleet = context;

	if (depth == 1 && fw_slice_is(path[0], "sites")) {
		return &fleet->sites;
	}
	if (depth == 1 && fw_slice_is(path[0], "gateways")) {
		return &fleet->gateways;
	}
	return NULL;
}

static bool is_fleet(struct fleet *fleet, const struct fw_yaml_node *root) {
	struct fw_diags *diags = fleet->draft.diags;

	if (!fw_read_kind(&fleet->draft, root, FW_YAML_MAPPING, "a fleet's file")) {
		return false;
	}
	if (fw_yaml_find(root, "fleet") != NULL) {
		return true;
	}
	const char *path = root->span.source->name;
	struct fw_diag *diag = fw_error(diags, (struct fw_span){root->span.source, 0, 0},
		"not-a-fleet", "'%s' is no fleet", path);
	if (fw_yaml_find(root, "site") != NULL) {
		fw_diag_hint(diags, diag, "it is a site: `flowfw gen %s` compiles it", path);
	} else {
		fw_diag_hint(diags, diag, "a fleet begins with `fleet: NAME`");
	}
	return false;
}

/* ---- all members together ---- */

static int compare_spans(struct fw_span a, struct fw_span b) {
	return (a.start > b.start) - (a.start < b.start);
}

static int by_name(const void *left, const void *right) {
	const struct fw_fleet_member *a = left, *b = right;
	int order = strcmp(a->name, b->name);

	return order != 0 ? order : compare_spans(a->span, b->span);
}

/* A member and the file that it is, however it is named. */
struct identity {
	const struct fw_fleet_member *member;
	dev_t device;
	ino_t inode;
};

static bool same_file(const struct identity *a, const struct identity *b) {
	return a->device == b->device && a->inode == b->inode;
}

static int by_file(const void *left, const void *right) {
	const struct identity *a = left, *b = right;

	if (a->device != b->device) {
		return a->device < b->device ? -1 : 1;
	}
	if (a->inode != b->inode) {
		return a->inode < b->inode ? -1 : 1;
	}
	return compare_spans(a->member->span, b->member->span);
}

/* False: a file is named twice. */
static bool check_files(struct fw_diags *diags, const struct fw_fleet_member *all, size_t count) {
	struct identity *files = fw_resize(NULL, count, sizeof(*files));
	size_t errors = diags->errors, known = 0;
	struct stat status;

	for (size_t i = 0; i < count; i++) {
		if (stat(all[i].path, &status) == 0) {
			files[known++] = (struct identity){&all[i], status.st_dev, status.st_ino};
		}
	}
	qsort(files, known, sizeof(*files), by_file);
	for (size_t i = 1; i < known; i++) {
		if (!same_file(&files[i - 1], &files[i])) {
			continue;
		}
		struct fw_diag *diag = fw_error(diags, files[i].member->span, "duplicate-file",
			"the fleet names the file '%s' twice", files[i].member->path);
		fw_diag_note(diags, diag, files[i - 1].member->span, "it is named here, too");
		if (is_pattern(fw_span_text(files[i].member->span)) ||
			is_pattern(fw_span_text(files[i - 1].member->span))) {
			fw_diag_hint(
				diags, diag, "a pattern stands for every file that matches it");
		}
	}
	free(files);
	return diags->errors == errors;
}

static void check_names(struct fw_diags *diags, const struct fw_fleet_member *all, size_t count) {
	for (size_t i = 1; i < count; i++) {
		const struct fw_fleet_member *first = &all[i - 1], *again = &all[i];
		if (strcmp(first->name, again->name) != 0) {
			continue;
		}
		struct fw_diag *diag = fw_error(diags, again->span, "duplicate-member",
			"the rule sets of '%s' and '%s' would both be named '%s'", first->path,
			again->path, again->name);
		fw_diag_note(diags, diag, first->span, "the other one is here");
		fw_diag_hint(diags, diag, "give one of them another name: {file: %s, name: …}",
			again->path);
	}
}

/* Sites and gateways become files of one folder, so they are compared as one list. */
static void check_members(const struct fleet *fleet, const struct fw_source *source) {
	struct fw_diags *diags = fleet->draft.diags;
	size_t count = fleet->sites.list.count + fleet->gateways.list.count;
	FW_VEC(struct fw_fleet_member) all = {0};

	if (count == 0 && diags->errors == 0) {
		struct fw_diag *diag = fw_error(diags, (struct fw_span){source, 0, 0},
			"empty-fleet", "the fleet has neither sites nor gateways");
		fw_diag_hint(diags, diag, "name their files: sites: [junction-17.yaml]");
	}
	for (size_t i = 0; i < count; i++) {
		FW_VEC_ADD(&all, i < fleet->sites.list.count
					 ? fleet->sites.list.items[i]
					 : fleet->gateways.list.items[i - fleet->sites.list.count]);
	}
	if (count != 0) {
		qsort(all.items, count, sizeof(*all.items), by_name);
		/* A file that is named twice has the same name twice, which goes without saying. */
		if (check_files(diags, all.items, count)) {
			check_names(diags, all.items, count);
		}
	}
	FW_VEC_FINI(&all);
}

static const struct fw_fleet_member *sorted(struct fw_arena *arena, const struct members *members) {
	size_t count = members->list.count;
	struct fw_fleet_member *all = FW_ARENA_ARRAY(arena, struct fw_fleet_member, count);

	if (count != 0) {
		memcpy(all, members->list.items, count * sizeof(*all));
		qsort(all, count, sizeof(*all), by_name);
	}
	return all;
}

/* ---- the whole ---- */

static void fleet_init(
	struct fleet *fleet, struct fw_arena *arena, const char *path, struct fw_diags *diags) {
	const char *slash = strrchr(path, '/');

	fleet->arena = arena;
	fleet->folder = (struct fw_slice){path, slash != NULL ? (size_t)(slash + 1 - path) : 0};
	fleet->sites.fleet = fleet->gateways.fleet = fleet;
	fw_draft_init(&fleet->draft, &fleet->scratch, NULL, diags);
	/* With something below all marks the first block stays, entry by entry. */
	fw_arena_alloc(&fleet->scratch, 1);
}

static void fleet_fini(struct fleet *fleet) {
	fw_draft_fini(&fleet->draft);
	fw_arena_fini(&fleet->scratch);
	FW_VEC_FINI(&fleet->sites.list);
	FW_VEC_FINI(&fleet->gateways.list);
}

bool fw_fleet_read(struct fw_arena *arena, const char *path, struct fw_fleet *out_fleet,
	struct fw_diags *diags) {
	struct fleet fleet FW_AUTO(fleet_fini) = {0};
	size_t errors = diags->errors;

	fleet_init(&fleet, arena, path, diags);
	const struct fw_source *source = fw_source_read(arena, path, (struct fw_span){0}, diags);
	if (source == NULL) {
		return false;
	}
	const struct fw_yaml_stream stream = {
		.context = &fleet, .begin = begin_list, .item = read_entry};
	const struct fw_yaml_node *root = fw_yaml_read(arena, source, &stream, diags);
	if (root == NULL || !is_fleet(&fleet, root)) {
		return false;
	}
	fw_need_version(&fleet.draft, root);
	fw_read_mapping(&fleet.draft, root, "a fleet", fleet_keys, FW_LENGTH(fleet_keys), KIND_SITE,
		&fleet);
	check_members(&fleet, source);
	*out_fleet = (struct fw_fleet){
		.name = fleet.name,
		.title = fleet.title,
		.sites = sorted(arena, &fleet.sites),
		.gateways = sorted(arena, &fleet.gateways),
		.site_count = fleet.sites.list.count,
		.gateway_count = fleet.gateways.list.count,
		.groups = fw_yaml_find(root, "groups"),
	};
	return diags->errors == errors;
}
