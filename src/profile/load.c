// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The order of things: find the file, follow `extends` to its root, read what every profile stands
 * on, then merge services, base, roles and the chain of files, the nearest last, then `--set`.
 */

#include "profile/draft.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A site and what it extends, nearest first. */
struct chain {
	struct layer layers[EXTENDS_MAX];
	dev_t devices[EXTENDS_MAX];
	ino_t inodes[EXTENDS_MAX];
	struct fw_span spans[EXTENDS_MAX]; /* of the `extends` that led to each */
	size_t count;
};

/* ---- finding ---- */

static bool is_path(const char *name) {
	size_t length = strlen(name);
	return strchr(name, '/') != NULL ||
	       (length > 5 && strcmp(name + length - 5, ".yaml") == 0) ||
	       (length > 4 && strcmp(name + length - 4, ".yml") == 0) || strcmp(name, "-") == 0;
}

static void no_profile(struct draft *draft, struct fw_span span, const char *name) {
	size_t count;
	const char *const *paths =
		fw_library_files(draft->library, draft->arena, "", &count, draft->diags);
	const char **names = FW_ARENA_ARRAY(draft->arena, const char *, count);

	for (size_t i = 0; i < count; i++) {
		names[i] = fw_arena_text(draft->arena, fw_path_stem(paths[i]));
		if (strcmp(names[i], "base") == 0) {
			names[i] = NULL;
		}
	}
	struct fw_diag *diag =
		fw_error(draft->diags, span, "unknown-profile", "no profile is named '%s'", name);
	fw_diag_suggest(draft->diags, diag, fw_slice(name), names, count);
	if (diag->hint == NULL) {
		fw_diag_hint(draft->diags, diag,
			draft->library->folders.count == 0
				? "no folder with profiles was found; FLOWFW_DATADIR names one"
				: "`flowfw list profiles` shows them; a file needs its path or "
				  "the ending .yaml");
	}
}

/* A path that stands in a file, from where that file is. */
static const char *beside(struct fw_arena *arena, const char *file, const char *name) {
	const char *slash = strrchr(file, '/');

	while (slash != NULL && strncmp(name, "./", 2) == 0) {
		name += 2;
	}
	return slash == NULL || name[0] == '/'
		       ? name
		       : fw_arena_printf(arena, "%.*s%s", (int)(slash + 1 - file), file, name);
}

const char *fw_device_site(struct fw_arena *arena, const struct device *device) {
	return beside(arena, device->layer->path, device->site);
}

/* The file that `name` means; `wanted_by` is the file that extends it, or NULL for the command
 * line. */
static const char *find_file(
	struct draft *draft, const char *name, const struct layer *wanted_by, struct fw_span span) {
	if (!is_path(name)) {
		const char *path = fw_library_find(draft->library, draft->arena, "", name);
		if (path == NULL) {
			no_profile(draft, span, name);
		}
		return path;
	}
	const char *path = wanted_by != NULL ? beside(draft->arena, wanted_by->path, name) : name;
	if (wanted_by != NULL && access(path, F_OK) != 0) {
		struct fw_diag *diag =
			fw_error(draft->diags, span, "missing-file", "there is no file '%s'", path);
		fw_diag_hint(draft->diags, diag,
			"a path in `extends` is relative to the file that has it; a shipped "
			"profile is named without .yaml");
		return NULL;
	}
	return path;
}

/* ---- the chain of files ---- */

/* Tells whether the file is in the chain already; files are the same by inode, however
 * named. */
static bool is_cycle(
	struct draft *draft, struct chain *chain, const char *path, struct fw_span span) {
	struct stat status;
	if (strcmp(path, "-") == 0 || stat(path, &status) != 0) {
		return false;
	}
	for (size_t i = 0; i < chain->count; i++) {
		if (chain->devices[i] == status.st_dev && chain->inodes[i] == status.st_ino) {
			struct fw_diag *diag = fw_error(draft->diags, span, "extends-cycle",
				"'%s' extends itself in the end", path);
			if (i + 1 < chain->count) {
				fw_diag_note(
					draft->diags, diag, chain->spans[i + 1], "by way of this");
			}
			return true;
		}
	}
	chain->devices[chain->count] = status.st_dev;
	chain->inodes[chain->count] = status.st_ino;
	return false;
}

/* `wanted_by` and `span` are what asks for it, or NULL and nowhere for the command line; `as` is
 * where the first file belongs, or NULL. */
static bool read_chain(struct draft *draft, struct chain *chain, const char *name, const char *as,
	const struct layer *wanted_by, struct fw_span span) {
	while (name != NULL) {
		if (chain->count == EXTENDS_MAX) {
			fw_error(draft->diags, span, "extends-depth",
				"a chain of `extends` is %d files long at most", EXTENDS_MAX);
			return false;
		}
		const char *path = find_file(draft, name, wanted_by, span);
		if (path == NULL || is_cycle(draft, chain, path, span)) {
			return false;
		}
		struct layer *layer = &chain->layers[chain->count];
		if (!fw_layer_read(draft, path, as, span, layer)) {
			return false;
		}
		if (layer->kind != KIND_PROFILE && layer->kind != KIND_SITE) {
			struct fw_diag *diag = fw_error(draft->diags,
				span.source != NULL ? span : (struct fw_span){layer->source, 0, 0},
				"not-a-profile", "'%s' is neither a profile nor a site", path);
			fw_diag_hint(draft->diags, diag, "`flowfw list profiles` shows profiles");
			return false;
		}
		chain->spans[chain->count++] = span;
		name = as = NULL;
		if (layer->extends != NULL) {
			name = fw_arena_text(draft->arena, layer->extends->text);
			span = layer->extends->span;
			wanted_by = layer;
		}
	}
	draft->extends = chain->count > 1 ? chain->layers[chain->count - 1].name : NULL;
	return true;
}

/* ---- what every profile stands on ---- */

static void merge_file(struct draft *draft, const char *path, enum kind kind) {
	const struct layer *kept = fw_library_layer(draft->library, path);
	struct layer layer;

	if (kept != NULL) {
		layer = *kept;
	} else if (!fw_layer_read(draft, path, NULL, (struct fw_span){0}, &layer)) {
		return;
	}
	if (layer.kind != kind) {
		fw_error(draft->diags, (struct fw_span){layer.source, 0, 0}, "misplaced-file",
			"this file does not belong here");
		return;
	}
	fw_layer_merge(draft, &layer);
}

static bool merge_library(struct draft *draft) {
	size_t count;
	const char *const *paths =
		fw_library_files(draft->library, draft->arena, "services/", &count, draft->diags);
	const char *base = fw_library_find(draft->library, draft->arena, "", "base");

	if (count == 0 || base == NULL) {
		fw_library_missing(draft->diags);
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		merge_file(draft, paths[i], KIND_SERVICES);
	}
	merge_file(draft, base, KIND_BASE);
	return true;
}

static void no_role(struct draft *draft, const struct name_ref *role) {
	size_t count;
	const char *const *paths =
		fw_library_files(draft->library, draft->arena, "roles/", &count, draft->diags);
	const char **names = FW_ARENA_ARRAY(draft->arena, const char *, count);

	for (size_t i = 0; i < count; i++) {
		names[i] = fw_arena_text(draft->arena, fw_path_stem(paths[i]));
	}
	struct fw_diag *diag = fw_error(
		draft->diags, role->span, "unknown-role", "no role is named '%s'", role->name);
	fw_diag_suggest(draft->diags, diag, fw_slice(role->name), names, count);
}

/* A role that was merged: two files of a chain may name the same one. */
struct merged_role {
	UT_hash_handle hh;
	const char *name;
};

static bool merged_before(struct draft *draft, struct merged_role **merged, const char *name) {
	struct merged_role *role = NULL;

	HASH_FIND_STR(*merged, name, role);
	if (role != NULL) {
		return true;
	}
	role = FW_ARENA_NEW(draft->arena, struct merged_role);
	role->name = name;
	HASH_ADD_KEYPTR(hh, *merged, role->name, strlen(role->name), role);
	return false;
}

static void merge_roles(
	struct draft *draft, const struct fw_yaml_node *node, struct merged_role **merged) {
	struct name_refs roles;

	if (!fw_read_names(draft, node, "a role", &roles)) {
		return;
	}
	for (size_t i = 0; i < roles.count; i++) {
		const struct name_ref *role = &roles.items[i];
		if (merged_before(draft, merged, role->name)) {
			continue;
		}
		const char *path =
			fw_library_find(draft->library, draft->arena, "roles/", role->name);
		if (path != NULL) {
			merge_file(draft, path, KIND_ROLE);
		} else {
			no_role(draft, role);
		}
	}
}

/* All of the chain, its root's first. */
static void merge_chain_roles(struct draft *draft, const struct chain *chain) {
	struct merged_role *merged = NULL;

	for (size_t i = chain->count; i-- > 0;) {
		if (chain->layers[i].roles != NULL) {
			merge_roles(draft, chain->layers[i].roles, &merged);
		}
	}
	HASH_CLEAR(hh, merged);
}

/* ---- the whole ---- */

/* All of a chain, on what every profile stands on. False: nothing can be made of it. */
static bool merge_chain(
	struct draft *draft, const struct chain *chain, const struct fw_fleet *fleet) {
	const struct fw_yaml_node *shared = fleet != NULL ? fleet->groups : NULL;
	if (!merge_library(draft)) {
		return false;
	}
	merge_chain_roles(draft, chain);
	for (size_t i = chain->count; i-- > 0;) {
		/* What a fleet shares lies on the profiles, and under whatever a site says. */
		if (shared != NULL && chain->layers[i].kind == KIND_SITE) {
			fw_read_groups(draft, KIND_SITE, shared);
			shared = NULL;
		}
		fw_layer_merge(draft, &chain->layers[i]);
	}
	if (shared != NULL) {
		fw_read_groups(draft, KIND_SITE, shared);
	}
	return true;
}

/* In a draft that was made for it. False: an error is in the list. */
static bool load(
	struct draft *draft, const struct fw_request *request, struct fw_profile *profile) {
	struct chain *chain = FW_ARENA_NEW(draft->arena, struct chain);
	size_t errors = draft->diags->errors;

	/* A broken chain does not keep the files that were read from being looked at. */
	bool whole =
		read_chain(draft, chain, request->profile, request->as, NULL, (struct fw_span){0});
	if (!merge_chain(draft, chain, request->fleet)) {
		return false;
	}
	for (size_t i = 0; i < request->set_count; i++) {
		fw_override_merge(draft, request->sets[i]);
	}
	for (size_t i = chain->count; i-- > 0;) {
		fw_layer_expects(draft, &chain->layers[i]);
	}
	fw_check_place(draft);
	fw_allow(draft, chain->count != 0 ? chain->layers[0].source : NULL);
	if (whole) {
		fw_resolve(draft, request, profile);
	}
	if (draft->diags->errors != errors) {
		return false;
	}
	fw_lint(draft, &profile->policy);
	fw_rows(draft, profile);
	if (draft->place.position == FW_CLIENT) {
		fw_list_client_devices(draft, profile);
	}
	return true;
}

bool fw_profile_load(struct fw_arena *arena, const struct fw_library *library,
	const struct fw_request *request, struct fw_profile *out_profile, struct fw_diags *diags) {
	struct draft draft FW_AUTO(fw_draft_fini);
	struct fw_profile profile = {0};

	fw_draft_init(&draft, arena, library, diags);
	if (!load(&draft, request, &profile)) {
		return false;
	}
	*out_profile = profile;
	return true;
}

bool fw_profile_load_behind(struct fw_arena *arena, const struct fw_library *library,
	const struct fw_request *request, const struct fw_device *device,
	struct fw_profile *out_profile, struct fw_needs *out_needs, struct fw_diags *diags) {
	struct draft draft FW_AUTO(fw_draft_fini);
	struct fw_profile profile = {0};

	fw_draft_init(&draft, arena, library, diags);
	if (!load(&draft, request, &profile)) {
		return false;
	}
	*out_needs = fw_needs_behind(&draft, device, &profile.policy);
	*out_profile = profile;
	return true;
}

/* ---- a device behind a gateway ---- */

/* What the gateway's file says of groups holds for the devices that it describes itself. */
static void inherit_groups(struct draft *own, struct draft *gateway) {
	for (struct group *group = gateway->groups; group != NULL; group = group->hh.next) {
		if (group->state == GROUP_UNSET) {
			continue;
		}
		struct group *mine = fw_draft_group(own, fw_slice(group->name));
		if (mine == NULL) {
			mine = FW_ARENA_NEW(own->arena, struct group);
			*mine = (struct group){.name = group->name, .title = group->title};
			mine->span = group->span;
			HASH_ADD_KEYPTR(hh, own->groups, mine->name, strlen(mine->name), mine);
		}
		mine->state = group->state;
		mine->members = group->members;
		mine->set_span = group->set_span;
		mine->inherited = group;
	}
}

/* What the entry says beside its profile, as a site file would. */
static void merge_entry(struct draft *own, const struct device *device) {
	if (device->groups != NULL) {
		fw_read_groups(own, KIND_SITE, device->groups);
	}
	if (device->services != NULL) {
		fw_read_services(own, KIND_SITE, device->name, device->services);
	}
}

bool fw_device_load(struct draft *own, struct draft *gateway, const struct device *device,
	const struct fw_request *request, struct fw_profile *out_profile) {
	struct fw_diags *diags = own->diags;
	struct chain *chain = FW_ARENA_NEW(own->arena, struct chain);
	const char *name = device->site != NULL ? device->site : device->extends;
	struct fw_request wanted = *request;
	size_t errors = diags->errors;

	wanted.set_count = 0;
	own->gateway = gateway;
	bool muted = diags->muted;
	diags->muted = true;
	bool whole = read_chain(own, chain, name, NULL, device->layer, device->profile_span);
	if (merge_chain(own, chain, request->fleet)) {
		if (device->site == NULL) {
			inherit_groups(own, gateway);
		}
		merge_entry(own, device);
		if (own->place.position != FW_HOST && own->place.position != FW_POSITION_NONE) {
			struct fw_diag *diag = fw_error(diags, device->profile_span, "not-a-device",
				"'%s' is for a %s, and what is behind a gateway is a host", name,
				fw_position_names[own->place.position]);
			fw_diag_note(diags, diag, own->place.position_span, "its position");
		} else if (whole && diags->errors == errors) {
			fw_resolve(own, &wanted, out_profile);
		}
	}
	diags->muted = muted;
	return diags->errors == errors;
}
