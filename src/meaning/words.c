// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Packets in words, one or many: as `expect` has them, as far as it goes, with the names of groups
 * and interfaces. Lists are cut short, since words are for people.
 */

#include "meaning/names.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>

enum {
	LISTED_MAX = 8,
	CLIENT_PORT = 49152, /* what stands for any port of a client, see fw_space_witness */
	SYN = 2,
	HOP_LIMIT = 64,
};

const char *const fw_tracking_names[FW_TRACKING_COUNT] = {
	[FW_TRACKING_NEW] = "new",
	[FW_TRACKING_ESTABLISHED] = "established",
	[FW_TRACKING_RELATED] = "related",
	[FW_TRACKING_INVALID] = "invalid",
	[FW_TRACKING_UNTRACKED] = "untracked",
};

/* ---- lists ---- */

/* "a, b, c and 5 more". */
struct list {
	struct fw_buf *out;
	size_t count;
};

/* Whether there is room for one more, and then what stands before it. */
static bool list_next(struct list *list) {
	bool room = list->count < LISTED_MAX;

	if (room && list->count != 0) {
		fw_buf_add_text(list->out, ", ");
	}
	list->count++;
	return room;
}

static void list_end(const struct list *list) {
	if (list->count > LISTED_MAX) {
		fw_buf_printf(list->out, " and %zu more", list->count - LISTED_MAX);
	}
}

static bool is_single(const struct fw_interval *interval) {
	return fw_addr_compare(interval->low, interval->high) == 0;
}

static void add_interval(struct fw_buf *out, const struct fw_interval *interval) {
	fw_buf_add_uint(out, interval->low.low);
	if (!is_single(interval)) {
		fw_buf_add_char(out, '-');
		fw_buf_add_uint(out, interval->high.low);
	}
}

/* Whether there are fewer gaps between intervals than intervals. */
static bool has_fewer_gaps(const struct fw_intervals *values, struct fw_addr last) {
	const struct fw_addr first = {0, 0};

	return values->count > 1 && fw_addr_compare(values->items[0].low, first) == 0 &&
	       fw_addr_compare(values->items[values->count - 1].high, last) == 0;
}

static struct fw_interval gap_behind(const struct fw_interval *interval) {
	return (struct fw_interval){
		fw_addr_next(interval[0].high), fw_addr_previous(interval[1].low)};
}

/* " name 1, 5-7" where the variable is asked for at all, or " name any but 2, 4". */
static void add_numbers(
	struct fw_buf *out, const char *name, enum fw_var var, const struct fw_intervals *values) {
	struct list list = {.out = out};
	bool gaps = has_fewer_gaps(values, fw_var_max[var]);

	if (values->count != 0) {
		fw_buf_printf(out, " %s %s", name, gaps ? "any but " : "");
	}
	for (size_t i = 0; i + gaps < values->count; i++) {
		const struct fw_interval interval =
			gaps ? gap_behind(&values->items[i]) : values->items[i];
		if (list_next(&list)) {
			add_interval(out, &interval);
		}
	}
	list_end(&list);
}

/* ---- a box ---- */

/* A box that is being put into words. */
struct writer {
	const struct fw_words *words;
	const struct fw_box *box;
	struct fw_buf *out;
	enum fw_family family; /* of all its packets; or FW_FAMILY_NONE */
	bool family_told;
};

static const struct fw_intervals *values_of(const struct writer *writer, enum fw_var var) {
	return &writer->box->values[var];
}

static void write_numbers(const struct writer *writer, const char *name, enum fw_var var) {
	add_numbers(writer->out, name, var, values_of(writer, var));
}

static bool holds(const struct fw_intervals *values, uint64_t value) {
	for (size_t i = 0; i < values->count; i++) {
		if (values->items[i].low.low <= value && value <= values->items[i].high.low) {
			return true;
		}
	}
	return values->count == 0;
}

/* The one value that small variables may have; 0 where there are more, or none is asked for. */
static uint64_t only_value(const struct fw_intervals *values) {
	return values->count == 1 && is_single(&values->items[0]) ? values->items[0].low.low : 0;
}

/* Only IPv6 has addresses from 2^32 on. */
static bool is_beyond_ipv4(const struct fw_intervals *values) {
	return values->count != 0 &&
	       (values->items[0].low.high != 0 || values->items[0].low.low > UINT32_MAX);
}

enum fw_family fw_box_family(const struct fw_box *box) {
	if (is_beyond_ipv4(&box->values[FW_VAR_SOURCE]) ||
		is_beyond_ipv4(&box->values[FW_VAR_DESTINATION])) {
		return FW_IPV6;
	}
	return (enum fw_family)only_value(&box->values[FW_VAR_FAMILY]);
}

/* ---- hook, protocol, ports ---- */

/* Whether packets of a hook have the interfaces that the box asks for, or that they lack. */
static bool hook_fits(const struct writer *writer, enum fw_hook hook) {
	const struct fw_intervals *in = values_of(writer, FW_VAR_IN);
	const struct fw_intervals *out = values_of(writer, FW_VAR_OUT);
	bool some_in = in->count == 0 || in->items[in->count - 1].high.low != 0;
	bool some_out = out->count == 0 || out->items[out->count - 1].high.low != 0;

	return holds(values_of(writer, FW_VAR_HOOK), hook) &&
	       (hook == FW_OUTPUT ? holds(in, 0) : some_in) &&
	       (hook == FW_INPUT ? holds(out, 0) : some_out);
}

/* The only hook that the box is about; FW_HOOK_NONE: there are more. */
static enum fw_hook only_hook(const struct writer *writer) {
	enum fw_hook only = FW_HOOK_NONE;
	unsigned count = 0;

	for (int i = FW_INPUT; i < FW_HOOK_COUNT; i++) {
		enum fw_hook hook = (enum fw_hook)i;
		if (hook_fits(writer, hook)) {
			only = hook;
			count++;
		}
	}
	return count == 1 ? only : FW_HOOK_NONE;
}

static void write_hook(const struct writer *writer) {
	bool first = true;

	for (int i = FW_INPUT; i < FW_HOOK_COUNT; i++) {
		if (hook_fits(writer, (enum fw_hook)i)) {
			fw_buf_printf(writer->out, "%s%s", first ? "" : " or ", fw_hook_names[i]);
			first = false;
		}
	}
}

static void add_protocol(struct fw_buf *out, unsigned protocol) {
	const char *name = fw_protocol_name((uint8_t)protocol);

	if (name != NULL) {
		fw_buf_add_text(out, name);
	} else {
		fw_buf_printf(out, "protocol %u", protocol);
	}
}

/* Names, and numbers of what has none; of those that are missing where these are fewer. */
static void write_protocols(const struct writer *writer) {
	const struct fw_intervals *values = values_of(writer, FW_VAR_PROTOCOL);
	struct list list = {.out = writer->out};
	bool gaps = has_fewer_gaps(values, fw_value(UINT8_MAX));

	fw_buf_add_text(writer->out, gaps ? " any protocol but " : " ");
	for (unsigned protocol = 0; protocol <= UINT8_MAX; protocol++) {
		if (holds(values, protocol) != gaps && list_next(&list)) {
			add_protocol(writer->out, protocol);
		}
	}
	list_end(&list);
}

static bool has_ports(unsigned protocol) {
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_DCCP ||
	       protocol == IPPROTO_SCTP || protocol == IPPROTO_UDPLITE;
}

static bool all_have_ports(const struct fw_intervals *protocols) {
	for (unsigned protocol = 0; protocol <= UINT8_MAX; protocol++) {
		if (holds(protocols, protocol) && !has_ports(protocol)) {
			return false;
		}
	}
	return true;
}

/* " 80/tcp, 53/tcp+udp" */
static void write_ports(const struct writer *writer) {
	const struct fw_intervals *ports = values_of(writer, FW_VAR_PORT);
	struct list list = {.out = writer->out};

	fw_buf_add_char(writer->out, ' ');
	for (size_t i = 0; i < ports->count; i++) {
		if (!list_next(&list)) {
			continue;
		}
		add_interval(writer->out, &ports->items[i]);
		char before = '/';
		for (unsigned protocol = 0; protocol <= UINT8_MAX; protocol++) {
			if (holds(values_of(writer, FW_VAR_PROTOCOL), protocol)) {
				fw_buf_add_char(writer->out, before);
				add_protocol(writer->out, protocol);
				before = '+';
			}
		}
	}
	list_end(&list);
}

/* A type and, where one is asked for, a code. */
static void add_icmp(struct fw_buf *out, enum fw_family family, const struct fw_interval *types,
	const struct fw_interval *codes) {
	const struct fw_icmp_type type = {(uint8_t)types->low.low, -1};
	const char *name = codes == NULL && is_single(types) ? fw_icmp_name(family, type) : NULL;

	if (name != NULL) {
		fw_buf_add_text(out, name);
	} else {
		add_interval(out, types);
	}
	if (codes != NULL) {
		fw_buf_add_char(out, '/');
		add_interval(out, codes);
	}
}

/* " icmp echo-request, 3/4" */
static void write_icmp(struct writer *writer, unsigned protocol) {
	enum fw_family family = protocol == IPPROTO_ICMP ? FW_IPV4 : FW_IPV6;
	const struct fw_intervals *types = values_of(writer, FW_VAR_SOURCE_PORT);
	const struct fw_intervals *codes = values_of(writer, FW_VAR_PORT);
	struct list list = {.out = writer->out};

	writer->family_told |= writer->family == family;
	fw_buf_add_char(writer->out, ' ');
	add_protocol(writer->out, protocol);
	if (types->count == 0) {
		write_numbers(writer, "code", FW_VAR_PORT);
		return;
	}
	fw_buf_add_char(writer->out, ' ');
	for (size_t i = 0; i < types->count; i++) {
		for (size_t j = 0; j < codes->count || j == 0; j++) {
			if (list_next(&list)) {
				add_icmp(writer->out, family, &types->items[i],
					codes->count != 0 ? &codes->items[j] : NULL);
			}
		}
	}
	list_end(&list);
}

/* Whether ICMP is among the protocols that are asked for, so that numbers may be its types. */
static bool has_types(const struct writer *writer) {
	const struct fw_intervals *protocols = values_of(writer, FW_VAR_PROTOCOL);

	return protocols->count != 0 &&
	       (holds(protocols, IPPROTO_ICMP) || holds(protocols, IPPROTO_ICMPV6));
}

static void write_what(struct writer *writer) {
	const struct fw_intervals *protocols = values_of(writer, FW_VAR_PROTOCOL);
	const struct fw_intervals *ports = values_of(writer, FW_VAR_PORT);
	unsigned only = (unsigned)only_value(protocols);

	if (only == IPPROTO_ICMP || only == IPPROTO_ICMPV6) {
		write_icmp(writer, only);
	} else if (protocols->count != 0 && ports->count != 0 && all_have_ports(protocols) &&
		   !has_fewer_gaps(ports, fw_var_max[FW_VAR_PORT])) {
		write_ports(writer);
	} else {
		if (protocols->count != 0) {
			write_protocols(writer);
		}
		write_numbers(writer, has_types(writer) ? "port or code" : "port", FW_VAR_PORT);
	}
}

/* ---- addresses ---- */

static const struct fw_addr last_of[FW_FAMILY_COUNT] = {
	[FW_IPV4] = {0, UINT32_MAX},
	[FW_IPV6] = {UINT64_MAX, UINT64_MAX},
};

static void write_group(struct writer *writer, const struct fw_set *group,
	const struct fw_policy *other, const char *label) {
	fw_buf_add_text(writer->out, group->name);
	if (fw_group_is_ambiguous(other, group)) {
		fw_buf_printf(writer->out, " (%s)", label);
	}
	writer->family_told |=
		group->members[FW_IPV4].count == 0 || group->members[FW_IPV6].count == 0;
}

static bool write_as_group(
	struct writer *writer, enum fw_family family, const struct fw_intervals *values) {
	const struct fw_words *words = writer->words;
	const struct fw_set *group = fw_group_of(words->policy, family, values);

	if (group != NULL) {
		write_group(writer, group, words->other, words->label);
		return true;
	}
	group = fw_group_of(words->other, family, values);
	if (group != NULL) {
		write_group(writer, group, words->policy, words->other_label);
	}
	return group != NULL;
}

static void add_range(
	const struct fw_words *words, const struct fw_range *range, struct fw_buf *out) {
	const char *name = fw_entry_name(words->policy, range);

	if (name == NULL) {
		name = fw_entry_name(words->other, range);
	}
	fw_range_format(range, out);
	if (name != NULL) {
		fw_buf_printf(out, " (%s)", name);
	}
}

static void list_addresses(const struct fw_words *words, struct list *list, enum fw_family family,
	const struct fw_intervals *values) {
	for (size_t i = 0; i < values->count; i++) {
		const struct fw_interval *interval = &values->items[i];
		const struct fw_range range = {interval->low, interval->high, family};
		if (!list_next(list)) {
			continue;
		}
		if (fw_range_is_all(&range)) {
			fw_buf_printf(list->out, "any %s", fw_family_names[family]);
		} else {
			add_range(words, &range, list->out);
		}
	}
}

static void write_addresses(
	struct writer *writer, enum fw_family family, const struct fw_intervals *values) {
	struct list list = {.out = writer->out};

	if (!write_as_group(writer, family, values)) {
		list_addresses(writer->words, &list, family, values);
		list_end(&list);
		writer->family_told = true;
	}
}

/* The intervals of one family, as far as they are in it. `items` has room for all. */
static struct fw_intervals in_family(
	const struct fw_intervals *values, enum fw_family family, struct fw_interval *items) {
	size_t count = 0;

	for (size_t i = 0; i < values->count; i++) {
		struct fw_interval interval = values->items[i];
		if (fw_addr_compare(interval.low, last_of[family]) > 0) {
			break;
		}
		if (fw_addr_compare(interval.high, last_of[family]) > 0) {
			interval.high = last_of[family];
		}
		items[count++] = interval;
	}
	return (struct fw_intervals){items, count};
}

/* The gaps between intervals that begin and end with their family. `items` has room for all. */
static struct fw_intervals gaps_between(
	const struct fw_intervals *values, struct fw_interval *items) {
	for (size_t i = 0; i + 1 < values->count; i++) {
		items[i] = gap_behind(&values->items[i]);
	}
	return (struct fw_intervals){items, values->count - 1};
}

/* Addresses of one family, in as few words as will do. */
static void write_family(struct writer *writer, const char *word, enum fw_family family,
	const struct fw_intervals *values) {
	const struct fw_interval *first = &values->items[0];
	const struct fw_range range = {first->low, first->high, family};

	if (fw_range_is_all(&range)) {
		return;
	}
	fw_buf_printf(writer->out, " %s ", word);
	if (!has_fewer_gaps(values, last_of[family])) {
		write_addresses(writer, family, values);
		return;
	}
	struct fw_interval *items = fw_resize(NULL, values->count, sizeof(*items));
	const struct fw_intervals gaps = gaps_between(values, items);
	fw_buf_add_text(writer->out, "any but ");
	write_addresses(writer, family, &gaps);
	free(items);
}

/* Numbers below 2^32 are addresses of both families. */
static void write_both_families(
	struct writer *writer, const char *word, const struct fw_intervals *values) {
	struct list list = {.out = writer->out};
	struct fw_interval *items = fw_resize(NULL, values->count, sizeof(*items));
	const struct fw_intervals ipv4 = in_family(values, FW_IPV4, items);

	fw_buf_printf(writer->out, " %s ", word);
	list_addresses(writer->words, &list, FW_IPV4, &ipv4);
	list_addresses(writer->words, &list, FW_IPV6, values);
	list_end(&list);
	free(items);
}

static void write_end(struct writer *writer, const char *word, enum fw_var var) {
	const struct fw_intervals *values = values_of(writer, var);

	if (values->count == 0) {
		return;
	}
	if (writer->family == FW_FAMILY_NONE) {
		write_both_families(writer, word, values);
		return;
	}
	struct fw_interval *items = fw_resize(NULL, values->count, sizeof(*items));
	const struct fw_intervals own = in_family(values, writer->family, items);
	if (own.count != 0) {
		write_family(writer, word, writer->family, &own);
	}
	free(items);
}

/* ---- the rest ---- */

static void add_interface(
	struct fw_buf *out, const struct fw_interfaces *interfaces, unsigned number) {
	const char *name = fw_interface_name(interfaces, number);
	/* With no others named, the last number is simply any but lo. */
	fw_buf_add_text(out, name != NULL ? name : "other interfaces");
}

static bool is_any_but_loopback(
	const struct fw_interfaces *interfaces, const struct fw_intervals *values) {
	return values->count == 1 && values->items[0].low.low == FW_INTERFACE_LOOPBACK + 1 &&
	       values->items[0].high.low >= fw_interfaces_count(interfaces);
}

/* "any but eth0, eth1", where that is no longer than to name some of the others. False: it is.
 * `local`: as below. */
static bool write_any_but(const struct writer *writer, const struct fw_intervals *values,
	const char *word, bool local) {
	const struct fw_interfaces *interfaces = writer->words->interfaces;
	struct list list = {.out = writer->out};
	unsigned first = FW_INTERFACE_LOOPBACK + local, last = fw_interfaces_count(interfaces);
	size_t in = 0, but = 0;

	for (unsigned i = first; i < last; i++) {
		bool open = fw_interface_is_open(interfaces, i);
		in += !open && holds(values, i);
		but += !open && !holds(values, i);
	}
	if (but == 0 || (in != 0 && but > in + 1) ||
		(local && holds(values, FW_INTERFACE_LOOPBACK))) {
		return false;
	}
	fw_buf_printf(writer->out, " %s any but ", word);
	for (unsigned i = first; i < last; i++) {
		if (!holds(values, i) && list_next(&list)) {
			add_interface(writer->out, interfaces, i);
		}
	}
	list_end(&list);
	return true;
}

/* `local`: the end of the only way in or out, where lo is told apart. */
static void write_interfaces(
	const struct writer *writer, const char *word, enum fw_var var, bool local) {
	const struct fw_interfaces *interfaces = writer->words->interfaces;
	const struct fw_intervals *values = values_of(writer, var);
	struct list list = {.out = writer->out};

	if (values->count == 0 && local) {
		fw_buf_printf(writer->out, " %s any interface, even lo", word);
	}
	if (values->count == 0 || (local && is_any_but_loopback(interfaces, values))) {
		return;
	}
	bool unnamed = fw_interfaces_hold_unnamed(interfaces, values);
	if (unnamed && write_any_but(writer, values, word, local)) {
		return;
	}
	fw_buf_printf(writer->out, " %s ", word);
	for (unsigned i = FW_INTERFACE_LOOPBACK; i <= fw_interfaces_count(interfaces); i++) {
		bool told = unnamed && fw_interface_is_open(interfaces, i);
		if (!told && holds(values, i) && list_next(&list)) {
			add_interface(writer->out, interfaces, i);
		}
	}
	list_end(&list);
}

static void write_ways(const struct writer *writer) {
	switch (only_hook(writer)) {
	case FW_INPUT:
		write_interfaces(writer, "on", FW_VAR_IN, true);
		break;
	case FW_OUTPUT:
		write_interfaces(writer, "on", FW_VAR_OUT, true);
		break;
	case FW_FORWARD:
	case FW_HOOK_NONE:
		write_interfaces(writer, "in-interface", FW_VAR_IN, false);
		write_interfaces(writer, "out-interface", FW_VAR_OUT, false);
		break;
	}
}

static void write_states(const struct writer *writer) {
	const struct fw_intervals *values = values_of(writer, FW_VAR_TRACKING);
	struct list list = {.out = writer->out};
	unsigned bits = 0;

	for (unsigned state = FW_TRACKING_NEW; state < FW_TRACKING_COUNT; state++) {
		bits |= holds(values, state) ? 1U << state : 0;
	}
	if (bits == (1U << FW_TRACKING_NEW | 1U << FW_TRACKING_UNTRACKED)) {
		return;
	}
	fw_buf_add_text(writer->out, values->count == 0 ? " in any state" : " state ");
	for (unsigned state = FW_TRACKING_NEW; values->count != 0 && state < FW_TRACKING_COUNT;
		state++) {
		if ((bits >> state & 1) != 0 && list_next(&list)) {
			fw_buf_add_text(writer->out, fw_tracking_names[state]);
		}
	}
}

static void write_rest(const struct writer *writer) {
	uint64_t only = only_value(values_of(writer, FW_VAR_PROTOCOL));
	const struct fw_intervals *translated = values_of(writer, FW_VAR_TRANSLATED);

	if (only != IPPROTO_ICMP && only != IPPROTO_ICMPV6) {
		write_numbers(writer, has_types(writer) ? "source-port or type" : "source-port",
			FW_VAR_SOURCE_PORT);
	}
	write_numbers(writer, "flags", FW_VAR_FLAGS);
	write_numbers(writer, "hop-limit", FW_VAR_HOP_LIMIT);
	write_states(writer);
	if (translated->count != 0) {
		fw_buf_add_text(
			writer->out, holds(translated, 1) ? " translated" : " not translated");
	}
}

enum fw_family fw_box_format_bare(
	const struct fw_words *words, const struct fw_box *box, struct fw_buf *out) {
	struct writer writer = {
		.words = words, .box = box, .out = out, .family = fw_box_family(box)};

	write_hook(&writer);
	write_what(&writer);
	write_end(&writer, "from", FW_VAR_SOURCE);
	write_end(&writer, "to", FW_VAR_DESTINATION);
	write_ways(&writer);
	write_rest(&writer);
	return writer.family_told ? FW_FAMILY_NONE : writer.family;
}

void fw_box_format(const struct fw_words *words, const struct fw_box *box, struct fw_buf *out) {
	enum fw_family family = fw_box_format_bare(words, box, out);

	if (family != FW_FAMILY_NONE) {
		fw_buf_printf(out, " over %s", fw_family_names[family]);
	}
}

/* ---- a packet ---- */

static uint64_t value_of(const struct fw_point *point, enum fw_var var) {
	return point->values[var].low;
}

static void add_point_icmp(struct fw_buf *out, const struct fw_point *point) {
	const struct fw_interval type = {
		point->values[FW_VAR_SOURCE_PORT], point->values[FW_VAR_SOURCE_PORT]};
	const struct fw_interval code = {point->values[FW_VAR_PORT], point->values[FW_VAR_PORT]};
	bool is_ipv4 = value_of(point, FW_VAR_PROTOCOL) == IPPROTO_ICMP;

	fw_buf_add_text(out, is_ipv4 ? "icmp " : "icmpv6 ");
	add_icmp(out, is_ipv4 ? FW_IPV4 : FW_IPV6, &type, code.low.low != 0 ? &code : NULL);
}

static void add_point_what(struct fw_buf *out, const struct fw_point *point) {
	unsigned protocol = (unsigned)value_of(point, FW_VAR_PROTOCOL);
	const char *name = fw_protocol_name((uint8_t)protocol);

	if (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6) {
		add_point_icmp(out, point);
		return;
	}
	if (has_ports(protocol)) {
		fw_buf_add_uint(out, value_of(point, FW_VAR_PORT));
		fw_buf_add_char(out, '/');
	}
	if (name != NULL) {
		fw_buf_add_text(out, name);
	} else {
		fw_buf_add_uint(out, protocol);
	}
}

static void add_point_interface(const struct fw_words *words, const struct fw_point *point,
	const char *word, enum fw_var var, struct fw_buf *out) {
	const char *name = fw_interface_name(words->interfaces, (unsigned)value_of(point, var));

	if (name != NULL) {
		fw_buf_printf(out, " %s %s", word, name);
	}
}

/* What is not as in the packets that one thinks of first. */
static void add_point_rest(const struct fw_point *point, struct fw_buf *out) {
	unsigned protocol = (unsigned)value_of(point, FW_VAR_PROTOCOL);
	uint64_t source_port = value_of(point, FW_VAR_SOURCE_PORT);
	uint64_t hop_limit = value_of(point, FW_VAR_HOP_LIMIT);
	uint64_t state = value_of(point, FW_VAR_TRACKING);

	if (has_ports(protocol) && source_port != CLIENT_PORT) {
		fw_buf_printf(out, " source-port %u", (unsigned)source_port);
	}
	if (protocol == IPPROTO_TCP && value_of(point, FW_VAR_FLAGS) != SYN) {
		fw_buf_printf(out, " flags %u", (unsigned)value_of(point, FW_VAR_FLAGS));
	}
	if (value_of(point, FW_VAR_FAMILY) == FW_IPV6 && hop_limit != HOP_LIMIT) {
		fw_buf_printf(out, " hop-limit %u", (unsigned)hop_limit);
	}
	if (state != FW_TRACKING_NEW) {
		assert(state != FW_TRACKING_NONE && state < FW_TRACKING_COUNT);
		fw_buf_printf(out, " state %s", fw_tracking_names[state]);
	}
	if (value_of(point, FW_VAR_TRANSLATED) != 0) {
		fw_buf_add_text(out, " translated");
	}
}

void fw_point_format(
	const struct fw_words *words, const struct fw_point *point, struct fw_buf *out) {
	enum fw_family family = (enum fw_family)value_of(point, FW_VAR_FAMILY);
	enum fw_hook hook = (enum fw_hook)value_of(point, FW_VAR_HOOK);

	fw_buf_printf(out, "%s ", fw_hook_names[hook]);
	add_point_what(out, point);
	fw_buf_add_text(out, " from ");
	fw_addr_format(family, point->values[FW_VAR_SOURCE], out);
	fw_buf_add_text(out, " to ");
	fw_addr_format(family, point->values[FW_VAR_DESTINATION], out);
	if (hook == FW_FORWARD) {
		add_point_interface(words, point, "in-interface", FW_VAR_IN, out);
		add_point_interface(words, point, "out-interface", FW_VAR_OUT, out);
	} else {
		enum fw_var way = hook == FW_INPUT ? FW_VAR_IN : FW_VAR_OUT;
		add_point_interface(words, point, "on", way, out);
	}
	add_point_rest(point, out);
}
