// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_CMD_PROVE_H
#define FW_CMD_PROVE_H
/*
 * A rule set held against a profile's policy: whether it does what the policy says, in words; and
 * rule sets that are to be written, proven before.
 */

#include "cmd/changes.h"
#include "cmd/ruleset.h"

/** A proof, or what it fails of. Zeroed but for what the caller gives. */
struct fw_prove {
	/* Given by the caller. */
	const struct fw_policy *policy;
	struct fw_ruleset_input input;
	const char *label;     /* of the rule set */
	size_t limit;	       /* of rows in a section */
	enum fw_family family; /* the only one that counts, of what runs; or FW_FAMILY_NONE */

	struct fw_rulesets rulesets;
	struct fw_changes changes;
};

/** Reads the rule set and compares. False: an error is in the list. */
bool fw_prove_find(struct fw_prove *prove, struct fw_run *run);
void fw_prove_fini(struct fw_prove *prove);

/** Proven, different or unproven. */
enum fw_exit fw_prove_exit(const struct fw_prove *prove);
/** "proven", "different", "unproven". */
const char *fw_prove_verdict(const struct fw_prove *prove);
/** A line that says so, and rows where there are any. */
void fw_prove_text(const struct fw_prove *prove, struct fw_buf *out);

/* ---- before it is written ---- */

/** What fw_emit made of a policy. */
struct fw_emitted {
	const struct fw_policy *policy;
	const struct fw_job *job;
	struct fw_slice rules, sets; /* sets: the backend's second file, if it makes one */
	const char *label;	     /* of the rule set */
};

/** How what a job makes is read, but for where it is. False: its backend is one that nothing here
 * reads. */
bool fw_prove_input(const struct fw_job *job, struct fw_ruleset_input *out);
/**
 * Proves it in a process of its own, so that this one stays in its namespaces. False: an error is
 * in the list, and what is different is added to `out` as lines for standard error.
 */
bool fw_prove_emitted(const struct fw_emitted *emitted, struct fw_diags *diags, struct fw_buf *out);

#endif
