// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_CMD_EXPLAIN_H
#define FW_CMD_EXPLAIN_H
/*
 * Private to `flowfw explain`: one answer, and its two forms.
 */

#include "cmd/json.h"
#include "cmd/reasons.h"

struct fw_explained {
	const char *path; /* the profile, as it was asked for */
	const struct fw_profile *profile;
	const struct fw_interfaces *interfaces;
	struct fw_slice question; /* in words */
	const struct fw_packet *packet;
	const struct fw_answer *answer;
};

/** Adds lines for people; the first begins with the profile's path where `named` says so. */
void fw_explain_text(const struct fw_explained *explained, bool named, struct fw_buf *out);
/** Adds an object to the list that is open. */
void fw_explain_json(const struct fw_explained *explained, struct fw_json *json);

#endif
