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

/* Reads a list of states; DNAT is told apart. */
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
		} else if (bits == 0) {
			tracking->unknown = fw_ipt_describe(parse->pool, "the state", part);
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
	default:
		tracking->unknown =
			fw_ipt_describe(parse->pool, "the option", fw_slice(value->name));
	}
}

/* Asks for more than a state, where the states leave packets of these bits only. */
static void ask_connection(
	struct fw_ipt_parse *parse, const struct fw_ipt_tracking *tracking, unsigned bits) {
	if (tracking->direction == 2 && bits == BIT_NEW) {
		fw_ipt_ask(parse, (struct fw_ipt_cond){.kind = FW_IPT_NEVER});
	} else if (tracking->direction != 0 && bits != BIT_NEW) {
		fw_ipt_ask_unknown(parse, "the option 'ctdir'");
	}
	if (tracking->asks_protocol && (bits & BIT_RELATED) != 0) {
		fw_ipt_ask_unknown(parse, "the option 'ctproto'");
	} else if (tracking->asks_protocol) {
		fw_ipt_ask_interval(parse, FW_VAR_PROTOCOL, fw_value(tracking->protocol),
			fw_value(tracking->protocol), tracking->protocol_inverted);
	}
}

static void finish(struct fw_ipt_parse *parse, struct fw_ipt_instance *instance) {
	const struct fw_ipt_tracking *tracking = &instance->tracking;
	bool more = tracking->direction != 0 || tracking->asks_protocol;
	bool only_translated = tracking->asks_state && tracking->translated &&
			       tracking->states == 0 && !tracking->state_inverted;
	unsigned bits = CONNECTED | UNCONNECTED;

	if (tracking->unknown != NULL) {
		fw_ipt_ask_unknown(parse, tracking->unknown);
		return;
	}
	if (tracking->asks_state) {
		fw_ipt_ask(parse, (struct fw_ipt_cond){
					  .kind = FW_IPT_STATES,
					  .inverted = tracking->state_inverted,
					  .numbers = {tracking->states, tracking->translated},
				  });
		bits = tracking->state_inverted ? bits & ~tracking->states : tracking->states;
		bits |= tracking->translated && !tracking->state_inverted ? CONNECTED : 0;
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
	{"ctorigsrc", NOT_UNDERSTOOD, 1},
	{"ctreplsrc", NOT_UNDERSTOOD, 1},
	{"ctrepldst", NOT_UNDERSTOOD, 1},
	{"ctorigsrcport", NOT_UNDERSTOOD, 1},
	{"ctorigdstport", NOT_UNDERSTOOD, 1},
	{"ctreplsrcport", NOT_UNDERSTOOD, 1},
	{"ctrepldstport", NOT_UNDERSTOOD, 1},
	{"ctstatus", NOT_UNDERSTOOD, 1},
	{"ctexpire", NOT_UNDERSTOOD, 1},
};

static const struct fw_ipt_option state_options[] = {{"state", OPTION_STATE, 1}};

const struct fw_ipt_match fw_ipt_conntrack = {
	"conntrack", FW_FAMILY_NONE, conntrack_options, FW_LENGTH(conntrack_options), take, finish};
const struct fw_ipt_match fw_ipt_state = {
	"state", FW_FAMILY_NONE, state_options, FW_LENGTH(state_options), take, finish};
