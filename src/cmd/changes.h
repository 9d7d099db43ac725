// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_CMD_CHANGES_H
#define FW_CMD_CHANGES_H
/*
 * What `flowfw diff` found, as rows that a person can read, and the three forms they are printed
 * in.
 */

#include "cmd/cmd.h"
#include "meaning/meaning.h"

/** What is before and what is after. */
enum fw_which { FW_BEFORE, FW_AFTER };
enum { FW_WHICH_COUNT = 2 };
/** "before", "after". */
extern const char *const fw_which_names[FW_WHICH_COUNT];

/** One side of a comparison. What has no profile's policy, be it a rule set, is another policy. */
struct fw_changed_side {
	const char *label; /* as the user calls it */
	const struct fw_policy *policy;
	struct fw_meaning meaning;
};

/** Ids of services that allow something. */
struct fw_change_services {
	const char *const *items;
	size_t count;
	/** Not services, but what the hook does to all others: FW_ACCEPT or FW_UNTOUCHED. */
	enum fw_verdict verdict;
};

/** Packets to which the same happened, in words. */
struct fw_change_row {
	enum fw_hook hook;
	const char *words, *witness_words;
	struct fw_point witness;
	const struct fw_box *boxes[FW_FAMILY_COUNT]; /* one, or one of each family */
	size_t box_count;
	fw_space set;
	/** Who allowed it, and who does. What is denied now, nobody allows; and so on. */
	struct fw_change_services services[FW_WHICH_COUNT];
	struct fw_rate rates[FW_WHICH_COUNT]; /* count 0: no limit */
};

/** Rows of one kind. */
struct fw_change_section {
	struct fw_change_row *rows;
	size_t count;
	size_t left_out; /* at least so many more */
};

struct fw_changes {
	struct fw_run *run;
	struct fw_spaces spaces;
	struct fw_interfaces interfaces;
	struct fw_changed_side sides[FW_WHICH_COUNT];
	struct fw_comparison comparison;
	size_t limit; /* of rows in a section */
	struct fw_change_section sections[FW_RATE_CHANGED + 1];
	FW_VEC(struct fw_boxes) boxes; /* of all rows */
};

/** What the run's two policies differ in; label, policy and limit are set. False: an error is in
 * the list. */
bool fw_changes_find(struct fw_changes *changes, struct fw_run *run);
void fw_changes_fini(struct fw_changes *changes);

/** For a terminal: nothing where they are equal. */
void fw_changes_text(const struct fw_changes *changes, struct fw_buf *out);
/** For a comment in a merge request: nothing where they are equal. */
void fw_changes_markdown(const struct fw_changes *changes, struct fw_buf *out);
/** Prints it. False: an error is in the list. */
bool fw_changes_json(const struct fw_changes *changes);

/** Calls `line` for each change that is not about packets: answers, then translation; `kind` is
 * "answers" or "translation". */
void fw_changes_lines(const struct fw_changes *changes,
	void (*line)(void *context, const char *kind, const char *text), void *context);

#endif
