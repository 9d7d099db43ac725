// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The matches limit and hashlimit. A hashlimit without a mode has one bucket for all, like a limit;
 * by srcip it has one for each source; by dstport too, one for each, of which a rule about a single
 * port has one. Tables of one name are one table, with the rate of the rule that made it.
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
	OPTION_SIZE,
	OPTION_MAX,
	OPTION_EXPIRE,
	OPTION_SWEEP, /* how often it is looked for what is old */
	NOT_UNDERSTOOD,
};

/* What iptables takes for granted. */
enum { BURST = 5, COUNT_AN_HOUR = 3 };

enum {
	SLOT = 8,
	SOURCES_MIN = 65535, /* that a table has room for; else it is said */
};

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
		fw_ipt_wrong_value(parse, "the rate", value->text);
	}
}

static void take_burst(
	struct fw_ipt_parse *parse, struct fw_ipt_limit *limit, const struct fw_ipt_value *value) {
	uint64_t burst;

	if (!fw_ipt_decimal(value->text, UINT32_MAX, &burst) || burst == 0) {
		fw_ipt_wrong_value(parse, "the burst", value->text);
		return;
	}
	limit->rate.burst = (uint32_t)burst;
}

static void take_mode(
	struct fw_ipt_parse *parse, struct fw_ipt_limit *limit, const struct fw_ipt_value *value) {
	struct fw_slice rest = value->text;

	while (rest.data != NULL) {
		struct fw_slice part = fw_slice_cut(&rest, ',');
		if (fw_slice_is(part, "srcip")) {
			limit->rate.per_source = true;
		} else if (fw_slice_is(part, "dstport")) {
			limit->per_port = true;
		} else if (fw_slice_is(part, "dstip") || fw_slice_is(part, "srcport")) {
			limit->unknown =
				fw_ipt_describe(parse->pool, "the hashlimit mode", value->text);
		} else {
			fw_ipt_wrong_value(parse, "the hashlimit mode", value->text);
		}
	}
}

static void take_table(
	struct fw_ipt_parse *parse, struct fw_ipt_limit *limit, const struct fw_ipt_value *value) {
	uint64_t number;

	if (!fw_ipt_decimal(value->text, UINT32_MAX, &number)) {
		fw_ipt_wrong_value(parse, "the value", value->text);
	} else if (value->option == OPTION_EXPIRE) {
		limit->expire = (uint32_t)number;
	} else if (value->option == OPTION_MAX) {
		limit->max = (uint32_t)number;
	} else {
		limit->size = (uint32_t)number;
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
	case OPTION_SIZE:
	case OPTION_MAX:
	case OPTION_EXPIRE:
		take_table(parse, limit, value);
		break;
	case OPTION_SWEEP:
		break;
	default:
		limit->unknown = fw_ipt_describe(parse->pool, "the option", fw_slice(value->name));
	}
}

/* A bucket that nobody asked for in so many milliseconds is a new one, which is full; without a
 * word, in the unit of its rate. */
static bool forgets(const struct fw_ipt_limit *limit) {
	const struct fw_rate unit = {.count = 1, .unit = limit->rate.unit, .burst = 1};
	uint64_t expire = limit->expire != 0 ? limit->expire : fw_rb_refill(&unit);

	return expire < fw_rb_refill(&limit->rate);
}

/* In a table that is full there is no bucket for more sources: they are dropped. The kernel's own
 * choice has eight to a slot. */
static bool overflows(const struct fw_ipt_limit *limit) {
	uint64_t entries = limit->max != 0 ? limit->max : (uint64_t)limit->size * SLOT;

	entries = entries < limit->size ? limit->size : entries;
	return limit->rate.per_source && entries != 0 && entries < SOURCES_MIN;
}

/* The one port that a rule asks for, so that a bucket for each port is one; or NULL. */
static const struct fw_interval *one_port(const struct fw_ipt_parse *parse) {
	for (size_t i = 0; i < parse->conds.count; i++) {
		const struct fw_ipt_cond *cond = &parse->conds.items[i];
		const struct fw_interval *interval = cond->data;
		if (cond->kind == FW_IPT_VALUES && cond->var == FW_VAR_PORT &&
			cond->inverted == 0 && cond->count == 1 &&
			fw_addr_compare(interval->low, interval->high) == 0) {
			return interval;
		}
	}
	return NULL;
}

/* A table of hashlimit, or its buckets of one port. */
static struct fw_ipt_number *table_number(
	struct fw_ipt_parse *parse, struct fw_slice name, const struct fw_interval *port) {
	struct fw_buf key FW_AUTO(fw_buf_fini) = {0};

	fw_buf_add_text(&key, "hashlimit ");
	if (port != NULL) {
		fw_buf_printf(&key, "port %u ", (unsigned)port->low.low);
	}
	fw_buf_add_char(&key, '/'); /* which no name has */
	fw_buf_add_slice(&key, name);
	return fw_ipt_intern_number(parse->pool, fw_buf_slice(&key));
}

static void share_table(struct fw_ipt_parse *parse, const struct fw_ipt_limit *limit,
	const struct fw_interval *port) {
	struct fw_ipt_number *table = table_number(parse, limit->name, NULL);
	uint32_t rate[] = {limit->rate.count, limit->rate.unit, limit->rate.burst,
		limit->rate.per_source, limit->over, limit->per_port, limit->expire, limit->size,
		limit->max};
	struct fw_slice bytes = {(const char *)rate, sizeof(rate)};
	size_t own = fw_ipt_intern_number(parse->pool, bytes)->number;

	if (table->mark != 0 && table->mark != own) {
		fw_ipt_ask_unknown(parse, "two rates for one table of hashlimit");
	}
	table->mark = own;
	parse->rate.bucket = table_number(parse, limit->name, port)->number;
}

static void finish(struct fw_ipt_parse *parse, struct fw_ipt_instance *instance) {
	struct fw_ipt_limit *limit = &instance->limit;
	const struct fw_interval *port = limit->per_port ? one_port(parse) : NULL;

	begin(limit);
	if (limit->per_port && port == NULL) {
		limit->unknown = "a limit for each port";
	}
	if (limit->unknown == NULL && limit->name.length != 0) {
		limit->unknown = forgets(limit) ? "buckets that are forgotten before they are full"
				 : overflows(limit) ? "a table of few buckets"
						    : NULL;
	}
	if (parse->limited) {
		fw_ipt_ask_unknown(parse, "two limits");
	} else if (limit->unknown != NULL) {
		fw_ipt_ask_unknown(parse, limit->unknown);
	}
	parse->limited = true;
	parse->limit_at = parse->asking;
	parse->rate = (struct fw_ipt_rate){.rate = limit->rate, .over = limit->over};
	if (limit->name.length != 0) {
		share_table(parse, limit, port);
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
	{"hashlimit-htable-size", OPTION_SIZE, 1},
	{"hashlimit-htable-max", OPTION_MAX, 1},
	{"hashlimit-htable-expire", OPTION_EXPIRE, 1},
	{"hashlimit-htable-gcinterval", OPTION_SWEEP, 1, FW_IPT_NUMBER},
	{"hashlimit-dstmask", NOT_UNDERSTOOD, 1},
	{"hashlimit-rate-match", NOT_UNDERSTOOD, 0},
	{"hashlimit-rate-interval", NOT_UNDERSTOOD, 1},
};

const struct fw_ipt_match fw_ipt_limit_match = {
	"limit", FW_FAMILY_NONE, limit_options, FW_LENGTH(limit_options), take, finish};
const struct fw_ipt_match fw_ipt_hashlimit = {"hashlimit", FW_FAMILY_NONE, hashlimit_options,
	FW_LENGTH(hashlimit_options), take, finish, true};
