// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_DIAG_DIAG_H
#define FW_DIAG_DIAG_H
/*
 * Sources, spans in them, and the list of diagnostics that a run collects. Every floor adds to the
 * list; only cmd renders it, once, in source order. A source stays in memory whole, so an excerpt
 * never reopens a file.
 */

#include "base/base.h"

/** No file of a profile is larger than this (bytes); a million cameras take a third of it. */
#define FW_SOURCE_MAX ((size_t)256 << 20)

/** One text that diagnostics can point into. Lives in an arena. */
struct fw_source {
	const char *name;     /* as the user would write it: a path, "--set", "-" */
	struct fw_slice text; /* without a byte order mark */
	uint32_t order;	      /* sources render in the order they were opened */
	bool ascii;	      /* no byte over 127: code points are bytes */
};

/** Bytes `start` to `end` (not included) of a source. A span without a source points nowhere. */
struct fw_span {
	const struct fw_source *source;
	uint32_t start, end;
};

enum fw_level { FW_LEVEL_NONE, FW_WARNING, FW_ERROR };

/** Whose fault it is; cmd derives the exit status from it. */
enum fw_fault {
	FW_FAULT_NONE,
	FW_FAULT_USAGE,	   /* exit 2: the command line */
	FW_FAULT_PROFILE,  /* exit 3: the author of a profile */
	FW_FAULT_BACKEND,  /* exit 4: a backend cannot express it */
	FW_FAULT_SYSTEM,   /* exit 5: files, memory, kernel */
	FW_FAULT_FINDING,  /* exit 1: nobody's mistake in writing; what was to hold does not */
	FW_FAULT_UNPROVEN, /* exit 6: nobody knows whether what was to hold does */
};

struct fw_note {
	struct fw_span span;
	const char *text;
};

enum { FW_NOTES_MAX = 2 };

struct fw_diag {
	enum fw_level level;
	enum fw_fault fault;
	const char *id;	     /* stable, "unknown-key"; part of the interface */
	const char *message; /* one line; control characters are shown escaped */
	struct fw_span span; /* may point nowhere */
	struct fw_note notes[FW_NOTES_MAX];
	size_t note_count;
	const char *hint; /* or NULL */
	size_t serial;	  /* the order of arrival */
	/** What silences a warning; NULL: nothing does, and it counts. */
	const struct fw_allowance *allowed;
};

enum {
	FW_DIAG_TEXT_MAX = 500,	 /* bytes of a message; what an author quoted may be longer */
	FW_DIAGS_STORED = 10000, /* of each level; what comes after is only counted */
};

/** A zeroed struct is an empty list. */
struct fw_diags {
	struct fw_arena arena;
	FW_VEC(struct fw_diag *) list;
	size_t errors, warnings; /* all of them, stored or not, but for silenced ones */
	size_t silenced;	 /* warnings that an author allows */
	struct fw_allowances *allowances;
	bool muted;	      /* warnings are neither stored nor counted */
	bool show_silenced;   /* silenced warnings are rendered, too, and say so */
	struct fw_diag spare; /* stands for those that are not stored */
	uint32_t sources;     /* opened so far */
};

void fw_diags_fini(struct fw_diags *diags);

/* ---- adding: each returns the diagnostic, so that notes and a hint can follow ---- */

/** An author's mistake. */
struct fw_diag *fw_error(struct fw_diags *diags, struct fw_span span, const char *id,
	const char *format, ...) FW_PRINTF(4, 5);
/** What was asked about a valid profile, and does not hold: an error, too. */
struct fw_diag *fw_finding(struct fw_diags *diags, struct fw_span span, const char *id,
	const char *format, ...) FW_PRINTF(4, 5);
struct fw_diag *fw_warning(struct fw_diags *diags, struct fw_span span, const char *id,
	const char *format, ...) FW_PRINTF(4, 5);
/** What a backend cannot express, at the place of what it cannot. */
struct fw_diag *fw_refusal(struct fw_diags *diags, struct fw_span span, const char *id,
	const char *format, ...) FW_PRINTF(4, 5);
/** The world's failure: operation and object in the message; `error` (errno) is added as text
 * unless 0. */
struct fw_diag *fw_failure(
	struct fw_diags *diags, const char *id, int error, const char *format, ...) FW_PRINTF(4, 5);
/** As fw_failure, with a place (an `extends` that names a missing file). */
struct fw_diag *fw_failure_at(struct fw_diags *diags, struct fw_span span, const char *id,
	int error, const char *format, ...) FW_PRINTF(5, 6);
/** A mistake on the command line. */
struct fw_diag *fw_usage(struct fw_diags *diags, const char *id, const char *format, ...)
	FW_PRINTF(3, 4);
/** A second place, labelled. At most FW_NOTES_MAX; one more is dropped. */
void fw_diag_note(struct fw_diags *diags, struct fw_diag *diag, struct fw_span span,
	const char *format, ...) FW_PRINTF(4, 5);
void fw_diag_hint(struct fw_diags *diags, struct fw_diag *diag, const char *format, ...)
	FW_PRINTF(3, 4);
/** "did you mean 'x'?" when a candidate is near `word`; nothing otherwise. */
void fw_diag_suggest(struct fw_diags *diags, struct fw_diag *diag, struct fw_slice word,
	const char *const *candidates, size_t count);

/* ---- warnings that authors allow ---- */

/** An author's word that some warnings are known and meant. */
struct fw_allowance {
	const char *id;	   /* of the warnings */
	const char *about; /* the service that they are about, or NULL for any */
	struct fw_span span;
	bool needed; /* a warning of its own where it silences nothing */
	bool used;
};

/** From now on. Texts must outlive the list; a second one for the same is left out. */
void fw_diags_allow(struct fw_diags *diags, struct fw_allowance allowance);
/** Whether warnings of this id are allowed where they are about one service. */
bool fw_diags_allows(struct fw_diags *diags, const char *id, const char *service);
/** Says which service a warning is about, as that may be allowed to earn it. */
void fw_diag_about(struct fw_diags *diags, struct fw_diag *diag, const char *service);
/** Warns of what is needed and was not: once, when no more warnings will come. */
void fw_diags_unused(struct fw_diags *diags);

/* ---- sources ---- */

/**
 * Reads a file of a profile and checks what libyaml would pass or misplace: invalid UTF-8, NUL and
 * other control characters, and the line breaks that only YAML knows (lone CR, NEL, LS, PS). The
 * reader of plain YAML relies on all of it. A byte order mark is skipped; CRLF is fine. `wanted_by`
 * is the place that asked for the file, or points nowhere. NULL: an error is in the list.
 */
const struct fw_source *fw_source_read(
	struct fw_arena *arena, const char *path, struct fw_span wanted_by, struct fw_diags *diags);
/** The same for a text that is already in memory (an option's value); `name` and `text` must
 * outlive the arena's use. */
const struct fw_source *fw_source_text(
	struct fw_arena *arena, const char *name, struct fw_slice text, struct fw_diags *diags);
/** What is no profile, whatever bytes it holds: a rule set. */
const struct fw_source *fw_source_bytes(
	struct fw_arena *arena, const char *name, struct fw_slice text, struct fw_diags *diags);
/** The same of a file; "-" is standard input. NULL: an error is in the list. */
const struct fw_source *fw_source_read_bytes(
	struct fw_arena *arena, const char *path, struct fw_diags *diags);
/**
 * Characters that no text of a profile may hold, neither as they are nor from an escape: controls
 * (tab and line feed are none), DEL, U+0080 to U+009F, U+2028, U+2029, the byte order mark inside a
 * text, and U+FFFE and U+FFFF.
 */
bool fw_code_is_control(uint32_t code);
struct fw_slice fw_span_text(struct fw_span span);
/** Line and column, from 1; columns count code points. */
void fw_span_place(struct fw_span span, size_t *out_line, size_t *out_column);

/* ---- rendering ---- */

enum { FW_DIAGS_SHOWN = 20 };

/**
 * Writes the list in source order, with excerpts, carets, notes and hints; usage and system
 * failures without a place first. At most FW_DIAGS_SHOWN errors are shown, and as many warnings;
 * the rest is counted. With `quiet`, no warnings.
 */
void fw_diags_render(const struct fw_diags *diags, bool quiet, struct fw_buf *out);
/** Those of a level that are shown, in that order. Returns how many. */
size_t fw_diags_shown(const struct fw_diags *diags, enum fw_level level,
	const struct fw_diag *out_shown[static FW_DIAGS_SHOWN]);
/** All that is stored, silenced ones too, in that order; the array is for free(3). */
const struct fw_diag **fw_diags_in_order(const struct fw_diags *diags, size_t *out_count);
/** Writes one of them. */
void fw_diag_render(const struct fw_diag *diag, struct fw_buf *out);
/** Adds text with control characters escaped (\n, \t, \x1b, U+0085 as \u0085), bytes that are not
 * UTF-8 (\xff) and characters that change the reading direction too; quotes are left alone. */
void fw_buf_add_escaped(struct fw_buf *buf, struct fw_slice text);

#endif
