// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_MEANING_ASK_H
#define FW_MEANING_ASK_H
/*
 * Private to meaning/: packets in words that are being judged by one hook.
 */

#include "meaning/meaning.h"

struct question {
	struct fw_oracle *oracle;
	const struct fw_packet *packet; /* as that hook sees it; of a rest, more than is asked */
	enum fw_hook hook;
	fw_space set;
	bool routed; /* the way out is found by routing, so any that is open will do */
};

/** What is left to ask of packets: nothing of the way out where that is found by routing. */
fw_space fw_question_view(const struct question *question, fw_space set);
/** As fw_packet_space. */
fw_space fw_question_space(struct fw_oracle *oracle, const struct fw_packet *packet);
/** Adds the flows that let some of it pass. */
void fw_find_passing(const struct question *question, struct fw_fate *fate);
/** Adds the flows that would if it were a little different. */
void fw_find_nearest(const struct question *question, struct fw_fate *fate);

#endif
