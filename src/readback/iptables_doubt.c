// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Matches that ask for what sets of packets do not have (a socket's owner, a port of a bridge, a
 * list of late), but of which it is known where they hold and where they cannot: a rule about the
 * ports of bridges says nothing of what goes out from here. Others are in no table, and not
 * understood wherever they stand.
 */

#include "readback/iptables.h"

#include <string.h>

static struct fw_ipt_cond of_hooks(
	struct fw_ipt_parse *parse, enum fw_rb_hook first, enum fw_rb_hook last, bool others) {
	return fw_ipt_interval(
		parse, FW_VAR_HOOK, fw_value((uint64_t)first), fw_value((uint64_t)last), others);
}

/* What may hold for packets of these hooks, and never holds elsewhere; negated, it always does. */
static void ask_in(struct fw_ipt_parse *parse, const struct fw_ipt_match *match,
	enum fw_rb_hook first, enum fw_rb_hook last, bool negated) {
	struct fw_ipt_cond sure = of_hooks(parse, first, last, true);

	fw_ipt_ask_doubtful(parse, negated ? &sure : NULL, of_hooks(parse, first, last, false),
		fw_ipt_describe(parse->pool, "the match", fw_slice(match->name)));
}

/* ---- owner: what is not sent from here has none ---- */

enum { OWNER_NONE, OWNER_ANY, OWNER_GROUPS };

static void take_owner(struct fw_ipt_parse *parse, struct fw_ipt_instance *instance,
	const struct fw_ipt_value *value) {
	if (value->option == OWNER_ANY) {
		ask_in(parse, instance->match, FW_RB_OUTPUT, FW_RB_OUTPUT, value->inverted);
	}
}

static const struct fw_ipt_option owner_options[] = {
	{"uid-owner", OWNER_ANY, 1},
	{"gid-owner", OWNER_ANY, 1},
	{"socket-exists", OWNER_ANY, 0},
	{"suppl-groups", OWNER_GROUPS, 0},
};

/* ---- physdev: ports of bridges, to go out by only of what is forwarded ---- */

enum { PORT_NONE, PORT_IN, PORT_OUT };

static void take_physdev(struct fw_ipt_parse *parse, struct fw_ipt_instance *instance,
	const struct fw_ipt_value *value) {
	if (value->option == PORT_OUT) {
		ask_in(parse, instance->match, FW_RB_FORWARD, FW_RB_FORWARD, value->inverted);
		return;
	}
	struct fw_ipt_cond sure = of_hooks(parse, FW_RB_OUTPUT, FW_RB_OUTPUT, false);
	fw_ipt_ask_doubtful(parse, value->inverted ? &sure : NULL,
		of_hooks(parse, FW_RB_OUTPUT, FW_RB_OUTPUT, true), "the match 'physdev'");
}

static const struct fw_ipt_option physdev_options[] = {
	{"physdev-in", PORT_IN, 1},
	{"physdev-out", PORT_OUT, 1},
	{"physdev-is-in", PORT_IN, 0},
	{"physdev-is-out", PORT_OUT, 0},
	{"physdev-is-bridged", PORT_OUT, 0},
};

/* ---- rpfilter: what comes in by lo is not looked at ---- */

enum { FILTER_NONE, FILTER_ANY, FILTER_INVERT };

static void take_rpfilter(struct fw_ipt_parse *parse, struct fw_ipt_instance *instance,
	const struct fw_ipt_value *value) {
	(void)parse;
	if (value->option == FILTER_INVERT) {
		instance->inverted = true;
	}
}

static void finish_rpfilter(struct fw_ipt_parse *parse, struct fw_ipt_instance *instance) {
	struct fw_ipt_cond loopback = {
		.kind = FW_IPT_IN,
		.data = fw_ipt_intern_text(parse->pool, FW_SLICE("lo")),
	};
	struct fw_ipt_cond others = loopback;

	others.inverted = true;
	fw_ipt_ask_doubtful(
		parse, instance->inverted ? NULL : &loopback, others, "the match 'rpfilter'");
}

static const struct fw_ipt_option rpfilter_options[] = {
	{"loose", FILTER_ANY, 0},
	{"validmark", FILTER_ANY, 0},
	{"accept-local", FILTER_ANY, 0},
	{"invert", FILTER_INVERT, 0},
};

/* ---- recent: to be put on a list is no question ---- */

enum { RECENT_NONE, RECENT_SET, RECENT_ASK, RECENT_ANY };

static void take_recent(struct fw_ipt_parse *parse, struct fw_ipt_instance *instance,
	const struct fw_ipt_value *value) {
	(void)instance;
	if (value->option == RECENT_ASK) {
		fw_ipt_ask_unknown(parse, "the match 'recent'");
	} else if (value->option == RECENT_SET && value->inverted) {
		fw_ipt_ask(parse, (struct fw_ipt_cond){.kind = FW_IPT_NEVER});
	}
}

static const struct fw_ipt_option recent_options[] = {
	{"set", RECENT_SET, 0},
	{"rcheck", RECENT_ASK, 0},
	{"update", RECENT_ASK, 0},
	{"remove", RECENT_ASK, 0},
	{"seconds", RECENT_ANY, 1, FW_IPT_NUMBER},
	{"reap", RECENT_ANY, 0},
	{"hitcount", RECENT_ANY, 1, FW_IPT_NUMBER},
	{"rttl", RECENT_ANY, 0},
	{"name", RECENT_ANY, 1},
	{"rsource", RECENT_ANY, 0},
	{"rdest", RECENT_ANY, 0},
	{"mask", RECENT_ANY, 1},
};

/* ---- length: any, or nobody knows ---- */

static void take_length(struct fw_ipt_parse *parse, struct fw_ipt_instance *instance,
	const struct fw_ipt_value *value) {
	struct fw_ports range;

	(void)instance;
	if (!fw_ipt_ports(value->text, ':', &range)) {
		fw_ipt_wrong_value(parse, "the length", value->text);
	} else if (range.low != 0 || range.high != UINT16_MAX) {
		fw_ipt_ask_unknown(parse, "the match 'length'");
	} else if (value->inverted) {
		fw_ipt_ask(parse, (struct fw_ipt_cond){.kind = FW_IPT_NEVER});
	}
}

static const struct fw_ipt_option length_options[] = {{"length", 1, 1}};

/* ---- frag: a header that no packet here has, so that it doesn't match, negated or not ---- */

static void take_header(struct fw_ipt_parse *parse, struct fw_ipt_instance *instance,
	const struct fw_ipt_value *value) {
	(void)parse;
	(void)instance;
	(void)value;
}

static void finish_header(struct fw_ipt_parse *parse, struct fw_ipt_instance *instance) {
	(void)instance;
	fw_ipt_ask(parse, (struct fw_ipt_cond){.kind = FW_IPT_NEVER});
}

static const struct fw_ipt_option frag_options[] = {
	{"fragid", 1, 1},
	{"fraglen", 1, 1},
	{"fragres", 1, 0},
	{"fragfirst", 1, 0},
	{"fragmore", 1, 0},
	{"fraglast", 1, 0},
};

/* ---- all of them ---- */

#define OPTIONS(table) (table), FW_LENGTH(table)

enum { SENT = 1U << FW_IPT_OUTPUT | 1U << FW_IPT_POSTROUTING };

static const struct fw_ipt_match matches[] = {
	{"owner", FW_FAMILY_NONE, OPTIONS(owner_options), take_owner, NULL, true, SENT},
	{"physdev", FW_FAMILY_NONE, OPTIONS(physdev_options), take_physdev, NULL, true},
	{"rpfilter", FW_FAMILY_NONE, OPTIONS(rpfilter_options), take_rpfilter, finish_rpfilter,
		false, 1U << FW_IPT_PREROUTING},
	{"recent", FW_FAMILY_NONE, OPTIONS(recent_options), take_recent, NULL},
	{"length", FW_FAMILY_NONE, OPTIONS(length_options), take_length, NULL, true},
	{"frag", FW_IPV6, OPTIONS(frag_options), take_header, finish_header},
};

const struct fw_ipt_match *fw_ipt_doubtful_find(enum fw_family family, struct fw_slice name) {
	for (size_t i = 0; i < FW_LENGTH(matches); i++) {
		if (fw_slice_is(name, matches[i].name) &&
			(matches[i].family == FW_FAMILY_NONE || matches[i].family == family)) {
			return &matches[i];
		}
	}
	return NULL;
}
