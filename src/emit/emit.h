// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_EMIT_EMIT_H
#define FW_EMIT_EMIT_H
/*
 * Policy to text. A backend is one const struct in one file, listed in registry.c; it sees a
 * finished policy and writes named sections, and knows neither YAML nor files nor a terminal. A
 * frame, a text file with one placeholder a section, is put round them.
 */

#include "policy/policy.h"

/** Changes whenever this header does in a way that a plug-in would notice. */
enum { FW_EMITTER_ABI = 1 };

/** How a backend says a feature. FW_LOWERED is stricter than written, never looser. */
enum fw_support { FW_NONE, FW_LOWERED, FW_NATIVE };
enum { FW_SUPPORT_COUNT = 3 };
extern const char *const fw_support_names[FW_SUPPORT_COUNT];

/** A section of the output; its placeholder in a frame is `@NAME@`, alone on a line. */
struct fw_section {
	const char *name;
	struct fw_buf text;
};

enum { FW_SECTIONS_MAX = 8 };

struct fw_outputs {
	struct fw_section sections[FW_SECTIONS_MAX];
	size_t count;
};

struct fw_emitter {
	unsigned abi;	     /* FW_EMITTER_ABI */
	const char *name;    /* "nftables" */
	const char *summary; /* a line for `flowfw list backends` */
	const char *suffix;  /* ".nft" */
	const char *frame;   /* the default frame's name */
	/** Names of the sections that emit() writes, in the order in which a frame must have them;
	 * NULL-terminated. */
	const char *const *sections;
	/** Indexed by enum fw_feature; features past `support_count` count as FW_NONE. */
	const enum fw_support *support;
	size_t support_count;
	/** What the feature table cannot say; false: an error is in the list. */
	bool (*check)(const struct fw_policy *policy, struct fw_diags *diags);
	/** Cannot fail any more. */
	void (*emit)(const struct fw_policy *policy, struct fw_outputs *out);
};

/** All backends, NULL-terminated, by name. */
extern const struct fw_emitter *const fw_emitters[];
/** NULL when there is none of that name. */
const struct fw_emitter *fw_emitter_find(const char *name);

/** The section's buffer, made empty when it is asked for the first time. Names must come from the
 * emitter's list. */
struct fw_buf *fw_outputs_section(struct fw_outputs *outputs, const char *name);
void fw_outputs_fini(struct fw_outputs *outputs);

/**
 * A frame: text with each of the emitter's placeholders exactly once, alone on its line, in the
 * emitter's order. Lines that begin with `#%` are the frame's own comments and are left out. False:
 * an error (with the place in the frame) is in the list.
 */
bool fw_frame_check(
	const struct fw_emitter *emitter, const struct fw_source *frame, struct fw_diags *diags);

/**
 * The only caller of a backend: compares the policy's features with what the backend supports, runs
 * check, then emit, then puts `frame` round it. Appends to *out on success only. False: an error is
 * in the list, at the place of what cannot be said.
 */
bool fw_emit(const struct fw_emitter *emitter, const struct fw_policy *policy,
	const struct fw_source *frame, struct fw_buf *out, struct fw_diags *diags);

#endif
