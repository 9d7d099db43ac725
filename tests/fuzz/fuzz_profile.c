// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Any bytes as a site file, through the whole way to a rule set. They reach flowfw as a file in
 * memory, since a profile is found by its path. A mistake in them is a diagnostic; what must not
 * happen is a crash, a leak, or a rule set that differs from one time to the next.
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

static const char frame_text[] = "@header@\n@reset@\n@rules@\n";

static void compile_twice(
	struct fw_arena *arena, const struct fw_policy *policy, struct fw_diags *diags) {
	struct fw_job job = {.emitter = fw_emitter_find("nftables")};
	FW_AUTO(fw_buf_fini) struct fw_buf first = {0};
	FW_AUTO(fw_buf_fini) struct fw_buf second = {0};
	fw_options_init(&job.options, job.emitter);
	job.spec = job.emitter->frames;
	job.frame = fw_source_text(arena, "frame", FW_SLICE(frame_text), diags);
	bool once = fw_emit(&job, policy, &first, NULL, diags);
	bool twice = fw_emit(&job, policy, &second, NULL, diags);
	assert(once && twice); /* nf_tables can say all that a policy can */
	assert(fw_slice_equal(fw_buf_slice(&first), fw_buf_slice(&second)));
}

static void compile(const char *path) {
	struct fw_arena arena = {0};
	struct fw_diags diags = {0};
	struct fw_library library = {0};
	struct fw_profile profile;
	fw_library_init(&library, &arena);
	struct fw_request request = {.profile = path};
	bool loaded = fw_profile_load(&arena, &library, &request, &profile, &diags);
	assert(loaded == (diags.errors == 0));
	if (loaded) {
		compile_twice(&arena, &profile.policy, &diags);
	}
	FW_AUTO(fw_buf_fini) struct fw_buf text = {0};
	fw_diags_render(&diags, false, &text);
	assert(loaded || text.length != 0);
	fw_library_fini(&library);
	fw_diags_fini(&diags);
	fw_arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	int fd = memfd_create("site.yaml", 0);
	assert(fd >= 0);
	bool written = fw_write_all(fd, (struct fw_slice){(const char *)data, size}) == 0 &&
		       lseek(fd, 0, SEEK_SET) == 0;
	assert(written);
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	compile(path);
	close(fd);
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
