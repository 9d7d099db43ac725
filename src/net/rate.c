// SPDX-License-Identifier: GPL-2.0-or-later
/* Rates: `10/minute burst 5 per source`. */

#include "net/common.h"

const char *const fw_unit_names[FW_UNIT_COUNT] = {
	[FW_UNIT_NONE] = "none",
	[FW_SECOND] = "second",
	[FW_MINUTE] = "minute",
	[FW_HOUR] = "hour",
	[FW_DAY] = "day",
};

/** Cuts the first word off; what is left starts with a word, or is empty. */
static struct fw_slice next_word(struct fw_slice *rest) {
	struct fw_slice word = {rest->data, 0};
	while (word.length < rest->length && word.data[word.length] != ' ' &&
		word.data[word.length] != '\t') {
		word.length++;
	}
	*rest = fw_slice_trim((struct fw_slice){
		rest->data + word.length,
		rest->length - word.length,
	});
	return word;
}

static enum fw_net_fault parse_count(
	struct fw_slice text, uint64_t limit, enum fw_net_fault fault, uint32_t *out_count) {
	uint64_t count;
	enum fw_net_fault found = fw_number_parse(text, limit, fault, &count);
	if (found == FW_NET_NONE && count == 0) {
		found = fault;
	}
	if (found == FW_NET_NONE) {
		*out_count = (uint32_t)count;
	}
	return found;
}

static enum fw_unit find_unit(struct fw_slice name) {
	for (enum fw_unit unit = FW_SECOND; unit <= FW_DAY; unit++) {
		if (fw_slice_is(name, fw_unit_names[unit])) {
			return unit;
		}
	}
	return FW_UNIT_NONE;
}

/** `10/minute` */
static enum fw_net_fault parse_speed(struct fw_slice text, struct fw_rate *rate) {
	struct fw_slice unit = text;
	struct fw_slice count = fw_slice_cut(&unit, '/');
	enum fw_net_fault fault = parse_count(count, FW_RATE_MAX, FW_NET_RATE, &rate->count);
	if (fault != FW_NET_NONE) {
		return fault;
	}
	rate->unit = find_unit(unit);
	return rate->unit == FW_UNIT_NONE ? FW_NET_RATE_UNIT : FW_NET_NONE;
}

enum fw_net_fault fw_rate_parse(struct fw_slice text, struct fw_rate *out_rate) {
	struct fw_slice rest = fw_slice_trim(text);
	if (rest.length == 0) {
		return FW_NET_EMPTY;
	}
	struct fw_rate rate = {.burst = FW_BURST_DEFAULT};
	enum fw_net_fault fault = parse_speed(next_word(&rest), &rate);
	struct fw_slice word = next_word(&rest);
	if (fault == FW_NET_NONE && fw_slice_is(word, "burst")) {
		fault = parse_count(next_word(&rest), FW_BURST_MAX, FW_NET_BURST, &rate.burst);
		word = next_word(&rest);
	}
	if (fault == FW_NET_NONE && fw_slice_is(word, "per")) {
		rate.per_source = fw_slice_is(next_word(&rest), "source");
		fault = rate.per_source ? FW_NET_NONE : FW_NET_RATE;
		word = next_word(&rest);
	}
	if (fault == FW_NET_NONE && word.length != 0) {
		fault = FW_NET_RATE;
	}
	if (fault == FW_NET_NONE) {
		*out_rate = rate;
	}
	return fault;
}

void fw_rate_format(const struct fw_rate *rate, struct fw_buf *out) {
	if (rate->count == 0) {
		fw_buf_add_text(out, "no limit");
		return;
	}
	fw_buf_printf(out, "%u/%s burst %u", (unsigned)rate->count, fw_unit_names[rate->unit],
		(unsigned)rate->burst);
	if (rate->per_source) {
		fw_buf_add_text(out, " per source");
	}
}
