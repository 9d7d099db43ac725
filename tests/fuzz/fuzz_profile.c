// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Any bytes as a site file, through the whole way to the rule sets of every backend, and as a fleet
 * with its members. A mistake in them is a diagnostic; what must not happen is a crash, a leak, or
 * a rule set that differs from one time to the next.
 *
 * They reach flowfw as files in memory, since a profile is found by its path. What stands behind a
 * line SECOND_FILE is another file, which the first can name as ./101: a device's site, a profile
 * to extend, a member of a fleet.
 *
 * Built with -fsanitize=fuzzer the search calls LLVMFuzzerTestOneInput; in plain builds main()
 * calls it with the files of the corpus.
 */

#include <assert.h>
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "emit/emit.h"
#include "profile/profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SECOND_FILE "\n# ./101\n"
enum { FIRST_FD = 100, SECOND_FD = 101 };
static const char first_path[] = "/proc/self/fd/100";

enum { MEMBERS_MAX = 4 }; /* of a fleet, so that a pattern of many files takes no time */

/* ---- backends ---- */

/* Each section of the frame on its line, and nothing else. */
static const struct fw_source *bare_frame(
	struct fw_arena *arena, const struct fw_frame_spec *spec, struct fw_diags *diags) {
	FW_AUTO(fw_buf_fini) struct fw_buf text = {0};
	for (size_t i = 0; spec->sections[i] != NULL; i++) {
		fw_buf_printf(&text, "@%s@\n", spec->sections[i]);
	}
	struct fw_slice lasting = fw_slice(fw_arena_text(arena, fw_buf_slice(&text)));
	return fw_source_text(arena, "frame", lasting, diags);
}

/* What a backend cannot say it refuses; nf_tables can say all that a policy can. */
static void emit_twice(
	const struct fw_job *job, const struct fw_policy *policy, struct fw_diags *diags) {
	FW_AUTO(fw_buf_fini) struct fw_buf first = {0};
	FW_AUTO(fw_buf_fini) struct fw_buf second = {0};
	FW_AUTO(fw_buf_fini) struct fw_buf first_file = {0};
	FW_AUTO(fw_buf_fini) struct fw_buf second_file = {0};
	size_t errors = diags->errors;
	bool once = fw_emit(job, policy, &first, &first_file, diags);
	assert(once == (diags->errors == errors));
	assert(once || job->emitter != fw_emitter_find("nftables"));
	bool twice = fw_emit(job, policy, &second, &second_file, diags);
	assert(once == twice);
	assert(fw_slice_equal(fw_buf_slice(&first), fw_buf_slice(&second)));
	assert(fw_slice_equal(fw_buf_slice(&first_file), fw_buf_slice(&second_file)));
}

/* With every frame, and with each value of each option. */
static void emit_with(struct fw_arena *arena, const struct fw_emitter *emitter,
	const struct fw_policy *policy, struct fw_diags *diags) {
	struct fw_job job = {.emitter = emitter};
	fw_options_init(&job.options, emitter);
	for (job.spec = emitter->frames; job.spec->name != NULL; job.spec++) {
		job.frame = bare_frame(arena, job.spec, diags);
		emit_twice(&job, policy, diags);
	}
	job.spec = emitter->frames;
	job.frame = bare_frame(arena, job.spec, diags);
	for (size_t i = 0; i < emitter->option_count; i++) {
		for (const char *const *value = emitter->options[i].values + 1; *value != NULL;
			value++) {
			fw_options_init(&job.options, emitter);
			job.options.values[i] = *value;
			emit_twice(&job, policy, diags);
		}
	}
}

/* ---- files ---- */

static void show(struct fw_diags *diags) {
	FW_AUTO(fw_buf_fini) struct fw_buf text = {0};
	fw_diags_render(diags, false, &text);
	assert(diags->errors == 0 || text.length != 0);
}

static void compile(const struct fw_library *library, const struct fw_request *request) {
	FW_AUTO(fw_arena_fini) struct fw_arena arena = {0};
	FW_AUTO(fw_diags_fini) struct fw_diags diags = {0};
	struct fw_profile profile;
	bool loaded = fw_profile_load(&arena, library, request, &profile, &diags);
	assert(loaded == (diags.errors == 0));
	for (size_t i = 0; loaded && fw_emitters[i] != NULL; i++) {
		emit_with(&arena, fw_emitters[i], &profile.policy, &diags);
	}
	show(&diags);
}

static void compile_members(const struct fw_library *library, const struct fw_fleet *fleet,
	const struct fw_fleet_member *members, size_t count) {
	for (size_t i = 0; i < count && i < MEMBERS_MAX; i++) {
		compile(library, &(struct fw_request){.profile = members[i].path, .fleet = fleet});
	}
}

static void compile_fleet(struct fw_arena *arena, const struct fw_library *library) {
	FW_AUTO(fw_diags_fini) struct fw_diags diags = {0};
	struct fw_fleet fleet;
	bool read = fw_fleet_read(arena, first_path, &fleet, &diags);
	assert(read == (diags.errors == 0));
	if (read) {
		compile_members(library, &fleet, fleet.sites, fleet.site_count);
		compile_members(library, &fleet, fleet.gateways, fleet.gateway_count);
	}
	show(&diags);
}

static void put_file(int fd, struct fw_slice text) {
	int file = memfd_create("site.yaml", 0);
	assert(file >= 0);
	bool written = fw_write_all(file, text) == 0 && lseek(file, 0, SEEK_SET) == 0 &&
		       dup2(file, fd) == fd;
	assert(written);
	close(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct fw_slice first = {(const char *)data, size}, second = {0};
	const char *end = size != 0 ? memmem(data, size, SECOND_FILE, strlen(SECOND_FILE)) : NULL;
	if (end != NULL) {
		first.length = (size_t)(end + 1 - first.data);
		second.data = end + strlen(SECOND_FILE);
		second.length = size - (size_t)(second.data - first.data);
	}
	put_file(FIRST_FD, first);
	put_file(SECOND_FD, second);
	FW_AUTO(fw_arena_fini) struct fw_arena arena = {0};
	FW_AUTO(fw_library_fini) struct fw_library library = {0};
	fw_library_init(&library, &arena);
	compile(&library, &(struct fw_request){.profile = first_path});
	compile_fleet(&arena, &library);
	close(FIRST_FD);
	close(SECOND_FD);
	return 0;
}

#ifndef FUZZING
/** The arguments are patterns of file names. */
int main(int argc, char *argv[]) {
	glob_t files = {0};
	for (int i = 1; i < argc; i++) {
		glob(argv[i], i == 1 ? 0 : GLOB_APPEND, NULL, &files);
	}
	for (size_t i = 0; i < files.gl_pathc; i++) {
		FW_AUTO(fw_buf_fini) struct fw_buf file = {0};
		int error = fw_file_read(files.gl_pathv[i], FW_SOURCE_MAX, &file);
		assert(error == 0 || error == EISDIR); /* a folder is read as no bytes */
		LLVMFuzzerTestOneInput((const uint8_t *)file.data, file.length);
		printf("ok %zu - %s\n", i + 1, files.gl_pathv[i]);
	}
	printf("1..%zu\n", files.gl_pathc);
	globfree(&files);
	return EXIT_SUCCESS;
}
#endif
