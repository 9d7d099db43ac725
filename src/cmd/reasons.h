// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_CMD_REASONS_H
#define FW_CMD_REASONS_H
/*
 * Why packets pass or not, in the words of a profile: what `explain` and failed expectations say.
 */

#include "cmd/cmd.h"
#include "meaning/meaning.h"

/** The row of the flow's service in the port table; NULL: another profile, a device's, has it. */
const struct fw_service_row *fw_reason_row(
	const struct fw_profile *profile, const struct fw_flow *flow);
/** The next row from *at on of a service that makes no flow, and asks for such packets as this
 * hook judges; NULL: there is no more. */
const struct fw_service_row *fw_reason_idle(const struct fw_profile *profile,
	const struct fw_packet *packet, enum fw_hook hook, size_t *at);

/** Whether a flow is near by a port or protocol that is much like its own, which is no reason where
 * there is a better one. */
bool fw_reason_is_slip(const struct fw_finding_flow *finding);

/** Adds "junction-17.yaml:7"; nothing for a span that points nowhere. */
void fw_reason_add_place(struct fw_buf *out, struct fw_span span);
/** Adds what the flow allows, where that is less than or other than `packet`: "allows this port
 * from admins (junction-17.yaml:7) only". With `places`, those of the groups. */
void fw_reason_add_narrower(struct fw_buf *out, const struct fw_finding_flow *finding,
	const struct fw_packet *packet, bool places);
/** Adds why such a service makes no flow: "is off". */
void fw_reason_add_idle(struct fw_buf *out, const struct fw_service_row *row);
/** Adds what decides where no flow does: "the forward hook drops what no service allows". */
void fw_reason_add_ground(
	struct fw_buf *out, const struct fw_policy *policy, const struct fw_fate *fate);

#endif
