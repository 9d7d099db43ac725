// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_CMD_CHANGES_H
#define FW_CMD_CHANGES_H
/*
 * What two sides, policies or rule sets, let pass differently, as rows that a person can read, and
 * the three forms they are printed in.
 */

#include "cmd/cmd.h"
#include "cmd/json.h"
#include "cmd/ruleset.h"
#include "meaning/meaning.h"
#include "proof/proof.h"

/** What is before and what is after. */
enum fw_which { FW_BEFORE, FW_AFTER };
enum { FW_WHICH_COUNT = 2 };
/** "before", "after". */
extern const char *const fw_which_names[FW_WHICH_COUNT];

/** One side of a comparison: a policy, or rule sets. */
struct fw_changed_side {
	const char *label;		/* as the user calls it */
	const struct fw_policy *policy; /* or NULL: then `rulesets` are set */
	const struct fw_rulesets *rulesets;
	struct fw_meaning meaning;   /* of a policy */
	struct fw_readback readback; /* of rule sets; and what a policy promises, if compared with
					them */
};

/* ---- rows ---- */

/** Ids of services that allow something. */
struct fw_change_services {
	const char *const *items;
	size_t count;
	/** Not services, but what the hook does to all others: FW_ACCEPT or FW_UNTOUCHED. */
	enum fw_verdict verdict;
};

/** The rule of a rule set that decides a row's witness. */
struct fw_change_rule {
	const char *place; /* "rules.v4:31"; NULL: there is no rule, or the side is a policy */
	const char *text;  /* the line there, shortened; or NULL */
	bool others;	   /* it does not decide all packets of the row */
};

/** Kinds of rows; the first three are as in enum fw_change. */
enum fw_rows {
	FW_ROWS_NONE,
	FW_ROWS_ALLOWED,
	FW_ROWS_DENIED,
	FW_ROWS_LIMITS,
	/* Where a side is a rule set: */
	FW_ROWS_ANSWERS, /* denied by both, with an answer by one */
	FW_ROWS_DETOURS, /* translated otherwise */
	/** Stricter than asked for, in a way that is known of such rule sets: no differences. */
	FW_ROWS_STRICTER,
};
enum { FW_ROWS_COUNT = 7 };

/** Packets to which the same happened, in words. */
struct fw_change_row {
	enum fw_change change;		      /* FW_CHANGE_NONE: an answer or a detour */
	bool answered;			      /* of an answer: by the latter */
	const struct fw_proof_detour *detour; /* or NULL */
	enum fw_hook hook;
	const char *words, *witness_words;
	struct fw_point witness;
	const struct fw_box *boxes[FW_FAMILY_COUNT]; /* one, or one of each family */
	size_t box_count;
	fw_space set;
	/** Who allowed it, and who does. What is denied now, nobody allows; and so on. */
	struct fw_change_services services[FW_WHICH_COUNT];
	/** Who decides it, in rule sets: what is denied now, somebody denies. */
	struct fw_change_rule rules[FW_WHICH_COUNT];
	struct fw_rate rates[FW_WHICH_COUNT]; /* count 0: no limit */
};

/** Rows of one kind. */
struct fw_change_section {
	struct fw_change_row *rows;
	size_t count;
	size_t left_out; /* at least so many more */
};

/* ---- comparing ---- */

/** What a side does that nobody understands. */
struct fw_change_unknown {
	enum fw_which which;
	const struct fw_rb_unknown *unknown;
};

struct fw_changes {
	/* Given by the caller: labels, policies and rule sets of the sides, too. */
	struct fw_changed_side sides[FW_WHICH_COUNT];
	size_t limit;		     /* of rows in a section */
	struct fw_proof_scope scope; /* of rule sets; by fw_changes_scope, or the caller's own */

	struct fw_run *run;
	struct fw_spaces spaces;
	struct fw_interfaces interfaces;
	bool of_policies; /* both sides are: then `comparison` counts, else: */
	struct fw_comparison comparison;
	struct fw_proof proof; /* by the sides as they stand, whichever was asked first */
	const struct fw_difference *differences; /* of either */
	size_t difference_count;
	FW_VEC(struct fw_change_unknown) unknowns; /* of what is compared */
	bool equal; /* of either, and whatever is unknown: without unknowns that is proven */
	struct fw_change_section sections[FW_ROWS_COUNT];
	FW_VEC(struct fw_boxes) boxes; /* of all rows */
};

/**
 * What of the sides there is to compare, and what such rule sets are known not to say: hooks that a
 * policy leaves alone are compared as far as flowfw's own chains decide there, and of rule sets of
 * one family that alone.
 */
struct fw_proof_scope fw_changes_scope(const struct fw_changed_side sides[static FW_WHICH_COUNT]);
/** What the two sides differ in. False: an error is in the list. */
bool fw_changes_find(struct fw_changes *changes, struct fw_run *run);
void fw_changes_fini(struct fw_changes *changes);
/** What a process exits with for that: unproven, different or fine. */
enum fw_exit fw_changes_exit(const struct fw_changes *changes);

/* ---- printing ---- */

/** For a terminal: nothing where they are equal and there is nothing to be said of it. */
void fw_changes_text(const struct fw_changes *changes, struct fw_buf *out);
/** The same without the head that names the sides; each section begins with an empty line. */
void fw_changes_text_sections(const struct fw_changes *changes, struct fw_buf *out);
/** For a comment in a merge request: nothing where that of a terminal is nothing. */
void fw_changes_markdown(const struct fw_changes *changes, struct fw_buf *out);
/** Prints it. False: an error is in the list. */
bool fw_changes_json(const struct fw_changes *changes);
/** Adds the keys of that behind "equal" to an object. */
void fw_changes_json_keys(const struct fw_changes *changes, struct fw_json *json);

/** Calls `line` for each change of policies that is not about packets: answers, then translation;
 * `kind` is "answers" or "translation". */
void fw_changes_lines(const struct fw_changes *changes,
	void (*line)(void *context, const char *kind, const char *text), void *context);

#endif
