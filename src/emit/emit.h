// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_EMIT_EMIT_H
#define FW_EMIT_EMIT_H
/*
 * Policy to text. A backend is one const struct in one file, listed in registry.c; it sees a
 * finished policy and writes named sections, and knows neither YAML nor files nor a terminal. A
 * frame, a text file with one placeholder a section, is put round them.
 *
 * A backend may also be a plug-in: a shared object that exports its struct as FW_PLUGIN_SYMBOL. It
 * is built against these headers, as `pkg-config --cflags flowfw` finds them, and linked with
 * nothing: the program that loads it lends it the functions and tables that src/cmd/plugin.list
 * names. All that a backend gets is constant, and gone after its call.
 */

#include "policy/policy.h"

/** Changes whenever this header, or one below it, does in a way that a plug-in would notice. A
 * feature more at the end of enum fw_feature is none: it counts as FW_NONE. */
enum { FW_EMITTER_ABI = 2 };

/** How a backend says a feature. FW_LOWERED is stricter than written, never looser. */
enum fw_support { FW_NONE, FW_LOWERED, FW_NATIVE };
enum { FW_SUPPORT_COUNT = 3 };
extern const char *const fw_support_names[FW_SUPPORT_COUNT];

/** A section of the output; its placeholder in a frame is `@NAME@`, alone on a line. */
struct fw_section {
	const char *name;
	struct fw_buf text;
};

/** Of one backend: those of all its frames and of its second file. */
enum { FW_SECTIONS_MAX = 12 };

struct fw_outputs {
	struct fw_section sections[FW_SECTIONS_MAX];
	size_t count;
};

/** An option of a backend, `-O NAME=VALUE`; `-O NAME` says `on`. */
struct fw_option_spec {
	const char *name, *summary;
	const char *const *values; /* NULL-terminated; the first is the default */
};

enum { FW_OPTIONS_MAX = 8 };

/** The value of each of an emitter's options, in their order; each is one of the spec's own
 * pointers. */
struct fw_options {
	const char *values[FW_OPTIONS_MAX];
};

/** A frame that comes with a backend. */
struct fw_frame_spec {
	const char *name;
	const char *const *sections; /* that it must have, in order; NULL-terminated */
	const char *text;	     /* of a plug-in's frame; NULL: a file among the templates */
};

/** What a backend can say, by enum fw_feature; what lies behind `count` counts as FW_NONE. */
struct fw_support_table {
	const enum fw_support *items;
	size_t count;
};

struct fw_emitter {
	unsigned abi;	     /* FW_EMITTER_ABI */
	const char *name;    /* "nftables" */
	const char *summary; /* a line for `flowfw list backends` */
	const char *suffix;  /* ".nft" */
	/** The first is the default; at least one, ended by one without a name. */
	const struct fw_frame_spec *frames;
	const struct fw_option_spec *options; /* or NULL */
	size_t option_count;
	/** Options under which support differs, as columns of the matrix: "dialect=freebsd"; NULL:
	 * none. */
	const char *const *variants;
	/** The name of a second file, of the option (off, on) that makes it, and of its section:
	 * "ipset"; or NULL. */
	const char *file;
	struct fw_support_table (*support)(const struct fw_options *options);
	/** check() warns of what is lowered where it is; else each use of such a feature is a
	 * warning. */
	bool warns_of_lowered;
	/**
	 * What the table cannot say, such as a family or a name that does not fit; warnings too.
	 * False: an error is in the list.
	 */
	bool (*check)(const struct fw_policy *policy, const struct fw_options *options,
		struct fw_diags *diags);
	/** Writes every section of every frame. Cannot fail any more. */
	void (*emit)(const struct fw_policy *policy, const struct fw_options *options,
		struct fw_outputs *out);
};

/** All backends but plug-ins, NULL-terminated, by name. */
extern const struct fw_emitter *const fw_emitters[];
/** NULL when there is none of that name. */
const struct fw_emitter *fw_emitter_find(const char *name);

/** Every option at its default. */
void fw_options_init(struct fw_options *options, const struct fw_emitter *emitter);
/** Reads `NAME=VALUE` or `NAME`. False: an error (usage) is in the list. */
bool fw_options_set(struct fw_options *options, const struct fw_emitter *emitter, const char *text,
	struct fw_diags *diags);
/** The value of an option that the emitter has. */
const char *fw_options_get(
	const struct fw_options *options, const struct fw_emitter *emitter, const char *name);
/** Whether an option that the emitter has says `on`. */
bool fw_options_on(
	const struct fw_options *options, const struct fw_emitter *emitter, const char *name);

/** Whether the backend writes its second file under these options. */
bool fw_options_file(const struct fw_options *options, const struct fw_emitter *emitter);

/** How a backend says a feature under these options. */
enum fw_support fw_emitter_support(const struct fw_emitter *emitter,
	const struct fw_options *options, enum fw_feature feature);
/** NULL when the backend has no frame of that name. */
const struct fw_frame_spec *fw_emitter_frame(const struct fw_emitter *emitter, const char *name);

/** The section's buffer, made empty when it is asked for the first time. */
struct fw_buf *fw_outputs_section(struct fw_outputs *outputs, const char *name);
void fw_outputs_fini(struct fw_outputs *outputs);

/** What to compile to, and how. */
struct fw_job {
	const struct fw_emitter *emitter;
	struct fw_options options;
	const struct fw_frame_spec *spec; /* what the frame must have */
	const struct fw_source *frame;
};

/**
 * A frame: text with each placeholder of its spec exactly once, alone on its line, in the spec's
 * order. Lines that begin with `#%` are the frame's own comments and are left out. False: an error
 * (with the place in the frame) is in the list.
 */
bool fw_frame_check(const struct fw_job *job, struct fw_diags *diags);

/**
 * The only caller of a backend: compares the policy's features with what the backend supports, runs
 * check, then emit, then puts the frame round it. What is lowered is a warning. Appends to *out,
 * and what belongs into the backend's second file, if the options ask for one, to *out_file, on
 * success only. `out_file` may be NULL where they ask for none. False: an error is in the list, at
 * the place of what cannot be said.
 */
bool fw_emit(const struct fw_job *job, const struct fw_policy *policy, struct fw_buf *out,
	struct fw_buf *out_file, struct fw_diags *diags);

/* ---- plug-ins: backends from outside ---- */

/** The name of the one symbol that a plug-in must have. */
#define FW_PLUGIN_SYMBOL "fw_plugin_emitter"
/** That symbol, for the plug-in to define; each of its frames has a text. */
extern const struct fw_emitter fw_plugin_emitter __attribute__((visibility("default")));

/** As many plug-ins as one run loads at most. */
enum { FW_PLUGINS_MAX = 64 };

struct fw_plugin {
	void *handle;
	const struct fw_emitter *emitter; /* what the handle holds */
};

/** A zeroed struct holds none. */
struct fw_plugins {
	FW_VEC(struct fw_plugin) list;
	FW_VEC(int) files; /* open ones, of all that was loaded */
};

/** Unloads them: no text of theirs, a diagnostic's too, may be in use any more. */
void fw_plugins_fini(struct fw_plugins *plugins);

/**
 * Loads every `*.so` of a folder, in the order of their names, but for hidden ones. Refused are
 * - a process with more rights than its caller (AT_SECURE);
 * - a folder, a file, the target of a link, or any folder above one of these up to the root, that
 *   does not belong to root or the effective user, or that its group or others may write to. The
 *   sticky bit is no excuse: /tmp and what lies below it is always refused, and so is a folder that
 *   only the user's private group may write to. Access lists count, as their mask is the group's
 *   part of the mode;
 * - what was built for another FW_EMITTER_ABI, lacks a part, or has the name of a backend that is
 *   there already.
 * Each object is opened once, checked, and loaded through that descriptor, so that what was checked
 * is what runs. The libraries that it needs itself are left to the dynamic linker.
 *
 * False: an error is in the list. Those that are fine are loaded even then.
 */
bool fw_plugins_load(struct fw_plugins *plugins, const char *folder, struct fw_diags *diags);

/** Whether an emitter from outside is whole. False: an error, about the object `name`, is in the
 * list. */
bool fw_plugin_check(const struct fw_emitter *emitter, const char *name, struct fw_diags *diags);

#endif
