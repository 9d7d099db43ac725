// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Backends from shared objects, see emit.h. They run with the user's rights, so finding them in a
 * way that nobody else can meddle with is half of the work, and trusted.c's; here they are loaded
 * and looked over.
 */

#include "emit/emit.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "emit/trusted.h"

static void close_fd(int *fd) {
	if (*fd >= 0) {
		close(*fd);
	}
}

void fw_plugins_fini(struct fw_plugins *plugins) {
	for (size_t i = 0; i < plugins->list.count; i++) {
		dlclose(plugins->list.items[i].handle);
	}
	for (size_t i = 0; i < plugins->files.count; i++) {
		close(plugins->files.items[i]);
	}
	FW_VEC_FINI(&plugins->list);
	FW_VEC_FINI(&plugins->files);
}

/* ---- is it whole? ---- */

/** [a-z][a-z0-9-]*, so that it can stand in a path, a command line and a message. */
static bool is_name(const char *text) {
	size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-");
	return text[0] >= 'a' && text[0] <= 'z' && text[length] == '\0' && length <= FW_NAME_MAX;
}

/** Each returns what is missing or wrong, or NULL. */
static const char *fault_of_head(const struct fw_emitter *emitter) {
	if (emitter->name == NULL || !is_name(emitter->name)) {
		return "name";
	}
	if (emitter->summary == NULL || emitter->summary[0] == '\0') {
		return "summary";
	}
	if (emitter->suffix == NULL || emitter->suffix[0] != '.' || !is_name(emitter->suffix + 1)) {
		return "suffix";
	}
	if (emitter->support == NULL) {
		return "support";
	}
	if (emitter->check == NULL) {
		return "check";
	}
	return emitter->emit == NULL ? "emit" : NULL;
}

static const char *fault_of_frame(const struct fw_frame_spec *frame) {
	if (!is_name(frame->name)) {
		return "frames: name";
	}
	if (frame->text == NULL) {
		return "frames: text";
	}
	if (frame->sections == NULL || frame->sections[0] == NULL) {
		return "frames: sections";
	}
	size_t count = 0;
	for (; frame->sections[count] != NULL; count++) {
		if (count == FW_SECTIONS_MAX || !is_name(frame->sections[count])) {
			return "frames: sections";
		}
	}
	return NULL;
}

static const char *fault_of_frames(const struct fw_emitter *emitter) {
	const struct fw_frame_spec *frame = emitter->frames;
	if (frame == NULL || frame->name == NULL) {
		return "frames";
	}
	const char *fault = NULL;
	for (; frame->name != NULL && fault == NULL; frame++) {
		fault = fault_of_frame(frame);
	}
	return fault;
}

static const char *fault_of_option(const struct fw_option_spec *option) {
	if (option->name == NULL || !is_name(option->name)) {
		return "options: name";
	}
	if (option->summary == NULL) {
		return "options: summary";
	}
	return option->values == NULL || option->values[0] == NULL ? "options: values" : NULL;
}

static const char *fault_of_options(const struct fw_emitter *emitter) {
	if (emitter->option_count > FW_OPTIONS_MAX ||
		(emitter->option_count != 0 && emitter->options == NULL)) {
		return "options";
	}
	const char *fault = NULL;
	for (size_t i = 0; i < emitter->option_count && fault == NULL; i++) {
		fault = fault_of_option(&emitter->options[i]);
	}
	return fault;
}

/** Whether the emitter takes `text` as an option. */
static bool takes_option(const struct fw_emitter *emitter, const char *text) {
	FW_AUTO(fw_diags_fini) struct fw_diags ignored = {0};
	struct fw_options options;
	fw_options_init(&options, emitter);
	return fw_options_set(&options, emitter, text, &ignored);
}

/** Options were found whole before. */
static const char *fault_of_variants(const struct fw_emitter *emitter) {
	for (size_t i = 0; emitter->variants != NULL && emitter->variants[i] != NULL; i++) {
		if (!takes_option(emitter, emitter->variants[i])) {
			return "variants";
		}
	}
	return emitter->file != NULL && !takes_option(emitter, emitter->file) ? "file" : NULL;
}

bool fw_plugin_check(const struct fw_emitter *emitter, const char *name, struct fw_diags *diags) {
	static const char *(*const parts[])(const struct fw_emitter *) = {
		fault_of_head, fault_of_frames, fault_of_options, fault_of_variants};

	/* First of all: with another interface nothing else is where it seems to be. */
	if (emitter->abi != FW_EMITTER_ABI) {
		fw_failure(diags, "plugin-abi", 0,
			"plug-in '%s' was built for version %u of the interface, not %u", name,
			emitter->abi, (unsigned)FW_EMITTER_ABI);
		return false;
	}
	for (size_t i = 0; i < FW_LENGTH(parts); i++) {
		const char *fault = parts[i](emitter);
		if (fault != NULL) {
			fw_failure(diags, "plugin-incomplete", 0, "plug-in '%s' has no valid '%s'",
				name, fault);
			return false;
		}
	}
	return true;
}

/* ---- one object ---- */

static bool is_taken(const struct fw_plugins *plugins, const char *name) {
	bool taken = fw_emitter_find(name) != NULL;
	for (size_t i = 0; i < plugins->list.count && !taken; i++) {
		taken = strcmp(plugins->list.items[i].emitter->name, name) == 0;
	}
	return taken;
}

static void handle_close(void **handle) {
	if (*handle != NULL) {
		dlclose(*handle);
	}
}

/** What the linker says, without the descriptor's path in front. */
static const char *linker_error(const char *path) {
	const char *error = dlerror();
	size_t length = strlen(path);
	bool prefixed = strncmp(error, path, length) == 0 && strncmp(error + length, ": ", 2) == 0;
	return prefixed ? error + length + 2 : error;
}

/** Loads what is open; NULL: an error is in the list. `name` is for messages. */
static void *open_object(
	struct fw_plugins *plugins, const char *name, int *fd, struct fw_diags *diags) {
	const char *path = fw_arena_printf(&diags->arena, "/proc/self/fd/%d", *fd);
	void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (handle == NULL) {
		fw_failure(diags, "plugin-load", 0, "cannot load plug-in '%s': %s", name,
			linker_error(path));
		return NULL;
	}
	/* The linker knows an object by its path, so no other may ever get this number. */
	FW_VEC_ADD(&plugins->files, *fd);
	*fd = -1;
	return handle;
}

/** Takes the descriptor when anything of it was loaded. */
static bool load_object(
	struct fw_plugins *plugins, const char *name, int *fd, struct fw_diags *diags) {
	FW_AUTO(handle_close) void *handle = open_object(plugins, name, fd, diags);
	if (handle == NULL) {
		return false;
	}
	const struct fw_emitter *emitter = dlsym(handle, FW_PLUGIN_SYMBOL);
	if (emitter == NULL) {
		fw_failure(diags, "plugin-load", 0, "plug-in '%s' has no symbol '%s'", name,
			FW_PLUGIN_SYMBOL);
		return false;
	}
	if (!fw_plugin_check(emitter, name, diags)) {
		return false;
	}
	if (is_taken(plugins, emitter->name)) {
		fw_failure(diags, "plugin-name", 0,
			"plug-in '%s' calls itself '%s', as a backend does that is there already",
			name, emitter->name);
		return false;
	}
	FW_VEC_ADD(&plugins->list, (struct fw_plugin){handle, emitter});
	handle = NULL;
	return true;
}

static bool load_file(
	struct fw_plugins *plugins, int folder, const char *file, struct fw_diags *diags) {
	FW_AUTO(close_fd) int fd = fw_trusted_open(folder, file, diags);
	struct stat status;
	if (fd < 0) {
		return false;
	}
	if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
		fw_failure(diags, "plugin-read", 0, "plug-in '%s' is no regular file", file);
		return false;
	}
	if (plugins->list.count == FW_PLUGINS_MAX) {
		fw_failure(diags, "plugin-many", 0, "there are more than %d plug-ins",
			(int)FW_PLUGINS_MAX);
		return false;
	}
	return load_object(plugins, file, &fd, diags);
}

/* ---- a folder of them ---- */

struct names {
	struct fw_arena arena;
	FW_VEC(const char *) list;
};

static void names_fini(struct names *names) {
	FW_VEC_FINI(&names->list);
	fw_arena_fini(&names->arena);
}

static int names_compare(const void *a, const void *b) {
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void folder_close(DIR **folder) {
	if (*folder != NULL) {
		closedir(*folder);
	}
}

static bool is_plugin_name(const char *file) {
	static const char suffix[] = ".so";
	size_t length = strlen(file), tail = strlen(suffix);
	return file[0] != '.' && length > tail && strcmp(file + length - tail, suffix) == 0;
}

/** Sorted. Returns 0 or an errno value. */
static int names_read(struct names *names, int folder) {
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	FW_AUTO(folder_close) DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
	if (stream == NULL) {
		int error = errno;
		close_fd(&fd);
		return error;
	}
	const struct dirent *entry;
	while ((errno = 0, entry = readdir(stream)) != NULL) {
		if (is_plugin_name(entry->d_name)) {
			FW_VEC_ADD(&names->list,
				fw_arena_text(&names->arena, fw_slice(entry->d_name)));
		}
	}
	int error = errno;
	if (names->list.count != 0) {
		qsort(names->list.items, names->list.count, sizeof(*names->list.items),
			names_compare);
	}
	return error;
}

/** Opens the folder; -1: an error is in the list. */
static int open_folder(const char *path, struct fw_diags *diags) {
	if (path[0] == '/') {
		return fw_trusted_open(AT_FDCWD, path, diags);
	}
	/* Whoever may move the working folder, or what is above it, decides as well. */
	char *here = path[0] != '\0' ? getcwd(NULL, 0) : NULL;
	if (here == NULL) {
		fw_failure(diags, "plugin-read", path[0] != '\0' ? errno : ENOENT,
			"cannot open '%s'", path);
		return -1;
	}
	int fd = fw_trusted_open(
		AT_FDCWD, fw_arena_printf(&diags->arena, "%s/%s", here, path), diags);
	free(here);
	return fd;
}

bool fw_plugins_load(struct fw_plugins *plugins, const char *folder, struct fw_diags *diags) {
	if (getauxval(AT_SECURE) != 0) {
		fw_usage(diags, "plugin-setuid",
			"plug-ins are not loaded into a program with more rights than its caller");
		return false;
	}
	FW_AUTO(close_fd) int fd = open_folder(folder, diags);
	if (fd < 0) {
		return false;
	}
	FW_AUTO(names_fini) struct names names = {0};
	int error = names_read(&names, fd);
	if (error != 0) {
		fw_failure(diags, "plugin-read", error, "cannot read the folder '%s'", folder);
		return false;
	}
	bool loaded = true;
	for (size_t i = 0; i < names.list.count; i++) {
		loaded &= load_file(plugins, fd, names.list.items[i], diags);
	}
	return loaded;
}
