// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `expect`, judged, see expects.h.
 */

#include "cmd/expects.h"

#include <assert.h>

#include "cmd/reasons.h"

/* Why more of them fail nobody reads, and it takes a look at each flow. */
enum { EXPLAINED_MAX = 50 };

/* One expectation that does not hold. */
struct failure {
	struct fw_run *run;
	const struct fw_profile *profile;
	const struct fw_expect *expect;
	const struct fw_answer *answer;
	const struct fw_fate *fate; /* that fails it */
};

static bool fails(const struct fw_expect *expect, enum fw_share passing) {
	return passing != (expect->allow ? FW_ALL_PACKETS : FW_NO_PACKET);
}

/* A hook's verdict, or that it has none, is where the profile says so. */
static void note_ground(const struct failure *failure, struct fw_diag *diag) {
	const struct fw_policy *policy = &failure->profile->policy;
	FW_AUTO(fw_buf_fini) struct fw_buf text = {0};

	fw_reason_add_ground(&text, policy, failure->fate);
	fw_diag_note(&failure->run->diags, diag, policy->hooks[failure->fate->hook].span, "%s",
		text.data);
}

/* The service that lets pass what should not. */
static void note_allowed(const struct failure *failure, struct fw_diag *diag) {
	struct fw_diags *diags = &failure->run->diags;

	if (failure->fate->ground != FW_GROUND_FLOW || failure->fate->flow_count == 0) {
		note_ground(failure, diag);
		return;
	}
	const struct fw_finding_flow *found = &failure->fate->flows[0];
	fw_diag_note(diags, diag, found->flow->span, "'%s' allows it", found->flow->service);
	if (found->source.set != NULL) {
		fw_diag_note(
			diags, diag, found->source.endpoint->span, "the source is in this entry");
	} else if (found->destination.set != NULL) {
		fw_diag_note(diags, diag, found->destination.endpoint->span,
			"the destination is in this entry");
	}
}

/* Services that would let it pass, but make no flow. */
static void note_idle(const struct failure *failure, struct fw_diag *diag) {
	const struct fw_service_row *row;
	size_t at = 0;

	while (diag->note_count < FW_NOTES_MAX &&
		(row = fw_reason_idle(failure->profile, &failure->expect->packet,
			 failure->fate->hook, &at)) != NULL) {
		FW_AUTO(fw_buf_fini) struct fw_buf text = {0};
		fw_reason_add_idle(&text, row);
		fw_diag_note(&failure->run->diags, diag,
			row->site_span.source != NULL ? row->site_span : row->span, "'%s' %s",
			row->id, text.data);
	}
}

/* Services that let less pass than they should, or something near it. */
static void note_narrower(const struct failure *failure, struct fw_diag *diag) {
	const struct fw_fate *fate = failure->fate;
	bool noted = diag->note_count != 0;

	for (size_t i = 0; i < fate->flow_count; i++) {
		const struct fw_finding_flow *found = &fate->flows[i];
		FW_AUTO(fw_buf_fini) struct fw_buf text = {0};
		if (noted && fw_reason_is_slip(found)) {
			continue;
		}
		fw_reason_add_narrower(&text, found, &failure->expect->packet, false);
		fw_diag_note(&failure->run->diags, diag, found->flow->span, "'%s' %s",
			found->flow->service, text.data);
	}
}

static void note_denied(const struct failure *failure, struct fw_diag *diag) {
	const struct fw_fate *fate = failure->fate;

	if (fate->passing == FW_NO_PACKET && fate->ground == FW_GROUND_VERDICT) {
		note_idle(failure, diag);
	}
	note_narrower(failure, diag);
	if (diag->note_count == 0) {
		note_ground(failure, diag);
	}
}

static void hint_witness(const struct failure *failure, const struct fw_interfaces *interfaces,
	struct fw_diag *diag) {
	const struct fw_fate *fate = failure->fate;
	const struct fw_words words = {
		.interfaces = interfaces, .policy = &failure->profile->policy};
	bool allow = failure->expect->allow;
	FW_AUTO(fw_buf_fini) struct fw_buf text = {0};

	fw_point_format(&words, allow ? &fate->denied : &fate->passed, &text);
	fw_diag_hint(&failure->run->diags, diag, "%s: %s",
		allow ? "what does not pass, for example" : "what passes, for example", text.data);
}

static void report(const struct failure *failure, const struct fw_interfaces *interfaces) {
	const struct fw_expect *expect = failure->expect;
	enum fw_share passing = failure->answer->passing;
	const struct fw_fate *fate = failure->fate;
	const char *what = expect->allow	       ? passing == FW_NO_PACKET ? "this is denied"
										 : "only some of this is allowed"
			   : passing == FW_ALL_PACKETS ? "this is allowed"
						       : "some of this is allowed";
	struct fw_diag *diag;

	if (fate->forwarding != NULL) {
		diag = fw_finding(&failure->run->diags, expect->span, "expect-failed",
			"not as expected: %s, where it is forwarded to '%s'", what,
			fate->forwarding->device);
	} else {
		diag = fw_finding(&failure->run->diags, expect->span, "expect-failed",
			"not as expected: %s", what);
	}
	if (expect->allow) {
		note_denied(failure, diag);
	} else {
		note_allowed(failure, diag);
	}
	hint_witness(failure, interfaces, diag);
}

static const struct fw_fate *find_failing(
	const struct fw_expect *expect, const struct fw_answer *answer) {
	size_t at = 0;

	while (!fails(expect, answer->fates[at].passing)) {
		at++;
		assert(at < answer->fate_count); /* there is one of each way to fare */
	}
	return &answer->fates[at];
}

bool fw_expects_check(struct fw_run *run, const struct fw_profile *profile,
	struct fw_spaces *spaces, const struct fw_interfaces *interfaces,
	const struct fw_meaning *meaning) {
	const struct fw_policy *policy = &profile->policy;
	struct fw_oracle oracle;
	size_t failed = 0;

	fw_oracle_init(&oracle, &run->arena, spaces, interfaces, policy, meaning);
	for (size_t i = 0; i < policy->expect_count; i++) {
		const struct fw_expect *expect = &policy->expects[i];
		struct fw_answer answer;
		enum fw_share passing;

		if (!fw_ask_share(&oracle, &expect->packet, &passing)) {
			return false;
		}
		if (!fails(expect, passing)) {
			continue;
		}
		if (failed == EXPLAINED_MAX) {
			fw_finding(&run->diags, expect->span, "expect-failed", "not as expected");
			continue;
		}
		failed++;
		if (!fw_ask(&oracle, &expect->packet, &answer)) {
			return false;
		}
		const struct failure failure = {
			run, profile, expect, &answer, find_failing(expect, &answer)};
		report(&failure, interfaces);
	}
	return true;
}
