// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The matches conntrack and state. The kernel's xt_conntrack looks at the state first; a packet
 * without a connection, which is invalid or untracked, then matches whatever else is asked for if a
 * state was asked for, and never matches otherwise.
 */

#include "readback/iptables.h"

#include <strings.h>

enum {
	OPTION_NONE,
	OPTION_STATE,
	OPTION_DIRECTION,
	OPTION_PROTOCOL,
	OPTION_ORIGINAL,
	OPTION_STATUS,
	NOT_UNDERSTOOD,
};

enum {
	BIT_NEW = 1U << FW_TRACKING_NEW,
	BIT_ESTABLISHED = 1U << FW_TRACKING_ESTABLISHED,
	BIT_RELATED = 1U << FW_TRACKING_RELATED,
	BIT_INVALID = 1U << FW_TRACKING_INVALID,
	BIT_UNTRACKED = 1U << FW_TRACKING_UNTRACKED,
	CONNECTED = BIT_NEW | BIT_ESTABLISHED | BIT_RELATED,
	UNCONNECTED = BIT_INVALID | BIT_UNTRACKED,
};

enum {
	STATUS_EXPECTED = 1,
	STATUS_SEEN_REPLY = 2,
	STATUS_ASSURED = 4,
	STATUS_CONFIRMED = 8,
};

static const struct {
	const char *name;
	unsigned bits;
} states[] = {
	{"NEW", BIT_NEW},
	{"ESTABLISHED", BIT_ESTABLISHED},
	{"RELATED", BIT_RELATED},
	{"INVALID", BIT_INVALID},
	{"UNTRACKED", BIT_UNTRACKED},
};

static bool same_word(struct fw_slice text, const char *word) {
	return text.length != 0 && strncasecmp(text.data, word, text.length) == 0 &&
	       word[text.length] == 0;
}

/* Reads a list of states; DNAT and SNAT are told apart. */
static void take_states(struct fw_ipt_parse *parse, struct fw_ipt_tracking *tracking,
	const struct fw_ipt_value *value) {
	struct fw_slice rest = value->text;

	tracking->asks_state = true;
	tracking->state_inverted = value->inverted;
	while (rest.data != NULL) {
		struct fw_slice part = fw_slice_cut(&rest, ',');
		unsigned bits = 0;
		for (size_t i = 0; i < FW_LENGTH(states); i++) {
			if (same_word(part, states[i].name)) {
				bits = states[i].bits;
			}
		}
		tracking->states |= bits;
		if (same_word(part, "DNAT")) {
			tracking->translated = true;
		} else if (same_word(part, "SNAT")) {
			tracking->source_translated = true;
		} else if (bits == 0) {
			fw_ipt_wrong_value(parse, "the state", part);
		}
	}
}

static void take_status(struct fw_ipt_parse *parse, struct fw_ipt_tracking *tracking,
	const struct fw_ipt_value *value) {
	struct fw_slice rest = value->text;

	tracking->asks_status = true;
	tracking->status_inverted = value->inverted;
	while (rest.data != NULL) {
		struct fw_slice part = fw_slice_cut(&rest, ',');
		unsigned bit = same_word(part, "EXPECTED")     ? STATUS_EXPECTED
			       : same_word(part, "SEEN_REPLY") ? STATUS_SEEN_REPLY
			       : same_word(part, "ASSURED")    ? STATUS_ASSURED
			       : same_word(part, "CONFIRMED")  ? STATUS_CONFIRMED
							       : 0;
		tracking->status |= bit;
		if (same_word(part, "NONE")) {
			tracking->unknown = fw_ipt_describe(parse->pool, "the status", part);
		} else if (bit == 0) {
			fw_ipt_wrong_value(parse, "the status", part);
		}
	}
}

static void take_direction(struct fw_ipt_parse *parse, struct fw_ipt_tracking *tracking,
	const struct fw_ipt_value *value) {
	if (!same_word(value->text, "ORIGINAL") && !same_word(value->text, "REPLY")) {
		fw_ipt_wrong_value(parse, "the direction", value->text);
		return;
	}
	tracking->direction = same_word(value->text, "ORIGINAL") != value->inverted ? 1 : 2;
}

static void take_original(struct fw_ipt_parse *parse, struct fw_ipt_tracking *tracking,
	const struct fw_ipt_value *value) {
	struct fw_range range;

	if (!fw_ipt_address(parse->family, value->text, &range)) {
		fw_ipt_wrong_value(parse, "the address", value->text);
	} else if (value->inverted) {
		tracking->unknown = "the option '! ctorigdst'";
	} else {
		struct fw_range *copy = FW_ARENA_NEW(parse->arena, struct fw_range);
		copy->first = range.first;
		copy->last = range.last;
		copy->family = range.family;
		tracking->original = fw_ipt_intern(parse->pool, copy, sizeof(*copy));
	}
}

static void take(struct fw_ipt_parse *parse, struct fw_ipt_instance *instance,
	const struct fw_ipt_value *value) {
	struct fw_ipt_tracking *tracking = &instance->tracking;

	switch (value->option) {
	case OPTION_STATE:
		take_states(parse, tracking, value);
		break;
	case OPTION_DIRECTION:
		take_direction(parse, tracking, value);
		break;
	case OPTION_PROTOCOL:
		if (!fw_ipt_protocol(value->text, &tracking->protocol)) {
			fw_ipt_wrong_value(parse, "the protocol", value->text);
		}
		tracking->asks_protocol = true;
		tracking->protocol_inverted = value->inverted;
		break;
	case OPTION_ORIGINAL:
		take_original(parse, tracking, value);
		break;
	case OPTION_STATUS:
		take_status(parse, tracking, value);
		break;
	default:
		tracking->unknown =
			fw_ipt_describe(parse->pool, "the option", fw_slice(value->name));
	}
}

/* Holds for packets in these states, and perhaps for those in others. */
static void ask_by_state(
	struct fw_ipt_parse *parse, unsigned sure, unsigned perhaps, const char *what) {
	struct fw_ipt_cond holds = {.kind = FW_IPT_STATES, .numbers = {sure}};
	struct fw_ipt_cond may = {.kind = FW_IPT_STATES, .numbers = {perhaps}};

	if (perhaps != 0) {
		fw_ipt_ask_doubtful(parse, sure != 0 ? &holds : NULL, may, what);
	} else {
		fw_ipt_ask(parse, holds);
	}
}

/* What is new goes in the original direction. */
static void ask_direction(struct fw_ipt_parse *parse, const struct fw_ipt_tracking *tracking) {
	ask_by_state(parse, tracking->direction == 1 ? BIT_NEW : 0, BIT_ESTABLISHED | BIT_RELATED,
		"the option 'ctdir'");
}

/* What is new was neither answered nor expected, and what is established was, and is confirmed. */
static void ask_status(struct fw_ipt_parse *parse, const struct fw_ipt_tracking *tracking) {
	bool answered = (tracking->status & (STATUS_SEEN_REPLY | STATUS_CONFIRMED)) != 0;
	bool confirmed = (tracking->status & STATUS_CONFIRMED) != 0;
	unsigned sure = answered ? BIT_ESTABLISHED : 0;
	unsigned perhaps = BIT_RELATED | (answered ? 0 : BIT_ESTABLISHED);

	perhaps |= confirmed ? BIT_NEW : 0;
	if (tracking->status_inverted) {
		sure = CONNECTED & ~(sure | perhaps);
	}
	ask_by_state(parse, sure, perhaps, "the option 'ctstatus'");
}

/* Asks for more than a state, where the states leave packets of these bits only. */
static void ask_connection(
	struct fw_ipt_parse *parse, const struct fw_ipt_tracking *tracking, unsigned bits) {
	if (tracking->direction != 0) {
		ask_direction(parse, tracking);
	}
	if (tracking->asks_status) {
		ask_status(parse, tracking);
	}
	if (tracking->asks_protocol && (bits & BIT_RELATED) != 0) {
		fw_ipt_ask_unknown(parse, "the option 'ctproto'");
	} else if (tracking->asks_protocol) {
		fw_ipt_ask_interval(parse, FW_VAR_PROTOCOL, fw_value(tracking->protocol),
			fw_value(tracking->protocol), tracking->protocol_inverted);
	}
}

/* A source is translated behind routing, so what is new has none that was; of others nothing tells
 * it. */
static void ask_states(struct fw_ipt_parse *parse, const struct fw_ipt_tracking *tracking) {
	enum { LATER = BIT_ESTABLISHED | BIT_RELATED };
	struct fw_ipt_cond sure = {
		.kind = FW_IPT_STATES,
		.inverted = tracking->state_inverted,
		.numbers = {tracking->states, tracking->translated},
	};
	struct fw_ipt_cond perhaps = {
		.kind = FW_IPT_STATES, .numbers = {LATER & ~tracking->states}};

	if (tracking->source_translated && perhaps.numbers[0] != 0) {
		if (tracking->state_inverted) {
			sure.numbers[0] |= LATER;
		}
		fw_ipt_ask_doubtful(parse, &sure, perhaps, "the state 'SNAT'");
	} else {
		fw_ipt_ask(parse, sure);
	}
}

static void finish(struct fw_ipt_parse *parse, struct fw_ipt_instance *instance) {
	const struct fw_ipt_tracking *tracking = &instance->tracking;
	bool more = tracking->direction != 0 || tracking->asks_protocol || tracking->asks_status;
	bool only_translated = tracking->asks_state && tracking->translated &&
			       tracking->states == 0 && !tracking->source_translated &&
			       !tracking->state_inverted;
	unsigned bits = CONNECTED | UNCONNECTED;

	if (tracking->unknown != NULL) {
		fw_ipt_ask_unknown(parse, tracking->unknown);
		return;
	}
	if (tracking->asks_state) {
		ask_states(parse, tracking);
		bits = tracking->state_inverted ? bits & ~tracking->states : tracking->states;
		bits |= tracking->translated && !tracking->state_inverted ? CONNECTED : 0;
		bits |= tracking->source_translated ? BIT_ESTABLISHED | BIT_RELATED : 0;
	} else if (more || tracking->original != NULL) {
		fw_ipt_ask(parse,
			(struct fw_ipt_cond){.kind = FW_IPT_STATES, .numbers = {CONNECTED, 0}});
		bits = CONNECTED;
	}
	if ((bits & UNCONNECTED) != 0 && (more || tracking->original != NULL)) {
		fw_ipt_ask_unknown(parse, "a state without a connection, and more of conntrack");
		return;
	}
	ask_connection(parse, tracking, bits);
	if (tracking->original != NULL && !only_translated) {
		fw_ipt_ask_unknown(parse, "the option 'ctorigdst' of what is not translated");
	} else if (tracking->original != NULL) {
		fw_ipt_ask(parse,
			(struct fw_ipt_cond){.kind = FW_IPT_ORIGINAL, .data = tracking->original});
	}
}

static const struct fw_ipt_option conntrack_options[] = {
	{"ctstate", OPTION_STATE, 1},
	{"ctdir", OPTION_DIRECTION, 1},
	{"ctproto", OPTION_PROTOCOL, 1},
	{"ctorigdst", OPTION_ORIGINAL, 1},
	{"ctorigsrc", NOT_UNDERSTOOD, 1, FW_IPT_WHERE},
	{"ctreplsrc", NOT_UNDERSTOOD, 1, FW_IPT_WHERE},
	{"ctrepldst", NOT_UNDERSTOOD, 1, FW_IPT_WHERE},
	{"ctorigsrcport", NOT_UNDERSTOOD, 1, FW_IPT_SPAN},
	{"ctorigdstport", NOT_UNDERSTOOD, 1, FW_IPT_SPAN},
	{"ctreplsrcport", NOT_UNDERSTOOD, 1, FW_IPT_SPAN},
	{"ctrepldstport", NOT_UNDERSTOOD, 1, FW_IPT_SPAN},
	{"ctstatus", OPTION_STATUS, 1},
	{"ctexpire", NOT_UNDERSTOOD, 1, FW_IPT_SPAN},
};

static const struct fw_ipt_option state_options[] = {{"state", OPTION_STATE, 1}};

const struct fw_ipt_match fw_ipt_conntrack = {"conntrack", FW_FAMILY_NONE, conntrack_options,
	FW_LENGTH(conntrack_options), take, finish, true};
const struct fw_ipt_match fw_ipt_state = {
	"state", FW_FAMILY_NONE, state_options, FW_LENGTH(state_options), take, finish, true};
