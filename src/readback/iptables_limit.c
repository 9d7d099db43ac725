// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The matches limit and hashlimit. A hashlimit without a mode has one bucket for all, like a limit;
 * by srcip it has one for each source. Tables of one name are one table, with the rate of the rule
 * that made it.
 */

#include "readback/iptables.h"

#include <string.h>

enum {
	OPTION_NONE,
	OPTION_RATE,
	OPTION_ABOVE,
	OPTION_BURST,
	OPTION_MODE,
	OPTION_MASK,
	OPTION_NAME,
	OPTION_TABLE, /* its size and age */
	NOT_UNDERSTOOD,
};

/* What iptables takes for granted. */
enum { BURST = 5, COUNT_AN_HOUR = 3 };

static void begin(struct fw_ipt_limit *limit) {
	if (limit->rate.burst == 0) {
		limit->rate.burst = BURST;
	}
	if (limit->rate.count == 0) {
		limit->rate.count = COUNT_AN_HOUR;
		limit->rate.unit = FW_HOUR;
	}
}

static void take_rate(
	struct fw_ipt_parse *parse, struct fw_ipt_limit *limit, const struct fw_ipt_value *value) {
	limit->over = (value->option == OPTION_ABOVE) != value->inverted;
	if (!fw_ipt_rate(value->text, &limit->rate)) {
		limit->unknown = fw_ipt_describe(parse->pool, "the rate", value->text);
	}
}

static void take_burst(
	struct fw_ipt_parse *parse, struct fw_ipt_limit *limit, const struct fw_ipt_value *value) {
	uint64_t burst;

	if (!fw_slice_to_uint(value->text, UINT32_MAX, &burst) || burst == 0) {
		limit->unknown = fw_ipt_describe(parse->pool, "the burst", value->text);
		return;
	}
	limit->rate.burst = (uint32_t)burst;
}

static void take_mode(
	struct fw_ipt_parse *parse, struct fw_ipt_limit *limit, const struct fw_ipt_value *value) {
	if (fw_slice_is(value->text, "srcip")) {
		limit->rate.per_source = true;
	} else {
		limit->unknown = fw_ipt_describe(parse->pool, "the hashlimit mode", value->text);
	}
}

static void take(struct fw_ipt_parse *parse, struct fw_ipt_instance *instance,
	const struct fw_ipt_value *value) {
	struct fw_ipt_limit *limit = &instance->limit;
	const char *whole = parse->family == FW_IPV4 ? "32" : "128";

	switch (value->option) {
	case OPTION_RATE:
	case OPTION_ABOVE:
		take_rate(parse, limit, value);
		break;
	case OPTION_BURST:
		take_burst(parse, limit, value);
		break;
	case OPTION_MODE:
		take_mode(parse, limit, value);
		break;
	case OPTION_MASK:
		if (!fw_slice_is(value->text, whole)) {
			limit->unknown =
				fw_ipt_describe(parse->pool, "the hashlimit mask", value->text);
		}
		break;
	case OPTION_NAME:
		limit->name = value->text;
		break;
	case OPTION_TABLE:
		break;
	default:
		limit->unknown = fw_ipt_describe(parse->pool, "the option", fw_slice(value->name));
	}
}

static void share_table(struct fw_ipt_parse *parse, const struct fw_ipt_limit *limit) {
	struct fw_ipt_number *table = fw_ipt_intern_number(parse->pool, limit->name);
	uint32_t rate[] = {limit->rate.count, limit->rate.unit, limit->rate.burst,
		limit->rate.per_source, limit->over};
	struct fw_slice bytes = {(const char *)rate, sizeof(rate)};
	size_t own = fw_ipt_intern_number(parse->pool, bytes)->number;

	if (table->mark != 0 && table->mark != own) {
		fw_ipt_wrong(parse, "two rates for one table of hashlimit");
	}
	table->mark = own;
	parse->rate.bucket = table->number;
}

static void finish(struct fw_ipt_parse *parse, struct fw_ipt_instance *instance) {
	struct fw_ipt_limit *limit = &instance->limit;

	begin(limit);
	if (parse->limited) {
		fw_ipt_wrong(parse, "two limits");
	} else if (limit->unknown != NULL) {
		fw_ipt_wrong(parse, limit->unknown);
	}
	parse->limited = true;
	parse->limit_at = parse->asking;
	parse->rate = (struct fw_ipt_rate){.rate = limit->rate, .over = limit->over};
	if (limit->name.length != 0) {
		share_table(parse, limit);
	}
}

static const struct fw_ipt_option limit_options[] = {
	{"limit", OPTION_RATE, 1},
	{"limit-burst", OPTION_BURST, 1},
};

static const struct fw_ipt_option hashlimit_options[] = {
	{"hashlimit-upto", OPTION_RATE, 1},
	{"hashlimit", OPTION_RATE, 1},
	{"hashlimit-above", OPTION_ABOVE, 1},
	{"hashlimit-burst", OPTION_BURST, 1},
	{"hashlimit-mode", OPTION_MODE, 1},
	{"hashlimit-srcmask", OPTION_MASK, 1},
	{"hashlimit-name", OPTION_NAME, 1},
	{"hashlimit-htable-size", OPTION_TABLE, 1},
	{"hashlimit-htable-max", OPTION_TABLE, 1},
	{"hashlimit-htable-expire", OPTION_TABLE, 1},
	{"hashlimit-htable-gcinterval", OPTION_TABLE, 1},
	{"hashlimit-dstmask", NOT_UNDERSTOOD, 1},
	{"hashlimit-rate-match", NOT_UNDERSTOOD, 0},
	{"hashlimit-rate-interval", NOT_UNDERSTOOD, 1},
};

const struct fw_ipt_match fw_ipt_limit_match = {
	"limit", FW_FAMILY_NONE, limit_options, FW_LENGTH(limit_options), take, finish};
const struct fw_ipt_match fw_ipt_hashlimit = {
	"hashlimit", FW_FAMILY_NONE, hashlimit_options, FW_LENGTH(hashlimit_options), take, finish};
