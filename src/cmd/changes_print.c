// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Changes on a terminal, in a merge request, and for machines. What authors wrote is escaped for
 * each of them: no name can move a cursor, end a table, or call somebody.
 */

#include "cmd/changes.h"

#include <netinet/in.h>
#include <string.h>

#include "cmd/json.h"

enum {
	SERVICES_SHOWN = 8,
	FOLD_FROM = 10, /* rows of a table that a comment does not show at once */
};

static const struct {
	const char *title, *key;
} sections[] = {
	[FW_NEWLY_ALLOWED] = {"Newly allowed", "newly-allowed"},
	[FW_NEWLY_DENIED] = {"Newly denied", "newly-denied"},
	[FW_RATE_CHANGED] = {"Other limits", "limits"},
};

/* ---- words of a row, without anything of a form ---- */

static void add_services(struct fw_buf *out, const struct fw_change_services *services) {
	if (services->verdict == FW_ACCEPT) {
		fw_buf_add_text(out, "whatever is accepted there");
		return;
	}
	if (services->verdict == FW_UNTOUCHED) {
		fw_buf_add_text(out, "the hook, which is left alone");
		return;
	}
	for (size_t i = 0; i < services->count && i < SERVICES_SHOWN; i++) {
		fw_buf_printf(out, "%s%s", i != 0 ? ", " : "", services->items[i]);
	}
	if (services->count > SERVICES_SHOWN) {
		fw_buf_printf(out, " and %zu more", services->count - SERVICES_SHOWN);
	}
}

static bool same_services(const struct fw_change_services *a, const struct fw_change_services *b) {
	bool same = a->verdict == b->verdict && a->count == b->count;

	for (size_t i = 0; same && i < a->count; i++) {
		same = strcmp(a->items[i], b->items[i]) == 0;
	}
	return same;
}

/* Who allows it, or did. */
static void add_allowed_by(
	struct fw_buf *out, const struct fw_change_row *row, enum fw_change change) {
	const struct fw_change_services *before = &row->services[FW_BEFORE];
	const struct fw_change_services *after = &row->services[FW_AFTER];
	bool both = change == FW_RATE_CHANGED && !same_services(before, after);

	if (change == FW_NEWLY_DENIED || both) {
		add_services(out, before);
	}
	fw_buf_add_text(out, both ? " before, " : "");
	if (change != FW_NEWLY_DENIED) {
		add_services(out, after);
	}
	fw_buf_add_text(out, both ? " after" : "");
}

static bool same_rate(const struct fw_rate *a, const struct fw_rate *b) {
	return a->count == b->count && a->unit == b->unit && a->burst == b->burst &&
	       a->per_source == b->per_source;
}

/* Adds nothing where no limit is worth a word. */
static void add_rates(struct fw_buf *out, const struct fw_change_row *row, enum fw_change change) {
	const struct fw_rate *before = &row->rates[FW_BEFORE], *after = &row->rates[FW_AFTER];

	if (change == FW_RATE_CHANGED && same_rate(before, after)) {
		fw_rate_format(after, out);
		fw_buf_add_text(out, " as before, but shared with other packets");
	} else if (change == FW_RATE_CHANGED) {
		fw_rate_format(before, out);
		fw_buf_add_text(out, " before, ");
		fw_rate_format(after, out);
		fw_buf_add_text(out, " after");
	} else if (change == FW_NEWLY_ALLOWED && after->count != 0) {
		fw_rate_format(after, out);
	}
}

static void add_left_out(struct fw_buf *out, const struct fw_change_section *section) {
	fw_buf_printf(out, "and %zu more; --limit shows more of them", section->left_out);
}

/* Lines that are not about packets, one kind after the other. */
struct line_writer {
	struct fw_buf *out;
	const char *kind; /* of the line before */
	void (*begin)(struct fw_buf *out, const char *kind);
	void (*add)(struct fw_buf *out, const char *text);
};

static void write_line(void *context, const char *kind, const char *text) {
	struct line_writer *writer = context;

	if (writer->kind == NULL || strcmp(writer->kind, kind) != 0) {
		writer->begin(writer->out, kind);
	}
	writer->kind = kind;
	writer->add(writer->out, text);
}

static const char *kind_title(const char *kind) {
	return strcmp(kind, "answers") == 0 ? "Other answers" : "Translation";
}

/* ---- text ---- */

static void text_title(struct fw_buf *out, const char *title) {
	fw_buf_printf(out, "\n%s\n", title);
}

static void text_row(struct fw_buf *out, const struct fw_change_row *row, enum fw_change change) {
	FW_AUTO(fw_buf_fini) struct fw_buf rates = {0};

	fw_buf_add_text(out, "  ");
	fw_buf_add_escaped(out, fw_slice(row->words));
	fw_buf_add_text(out, "\n      by ");
	add_allowed_by(out, row, change);
	add_rates(&rates, row, change);
	if (rates.length != 0) {
		fw_buf_add_text(out, "\n      limit ");
		fw_buf_add_slice(out, fw_buf_slice(&rates));
	}
	fw_buf_printf(out, "\n      such as %s\n", row->witness_words);
}

static void text_section(
	struct fw_buf *out, const struct fw_changes *changes, enum fw_change change) {
	const struct fw_change_section *section = &changes->sections[change];

	if (section->count == 0) {
		return;
	}
	text_title(out, sections[change].title);
	for (size_t i = 0; i < section->count; i++) {
		text_row(out, &section->rows[i], change);
	}
	if (section->left_out != 0) {
		fw_buf_add_text(out, "  ");
		add_left_out(out, section);
		fw_buf_add_char(out, '\n');
	}
}

static void text_kind(struct fw_buf *out, const char *kind) {
	text_title(out, kind_title(kind));
}

static void text_line(struct fw_buf *out, const char *text) {
	fw_buf_add_text(out, "  ");
	fw_buf_add_escaped(out, fw_slice(text));
	fw_buf_add_char(out, '\n');
}

void fw_changes_text(const struct fw_changes *changes, struct fw_buf *out) {
	struct line_writer writer = {.out = out, .begin = text_kind, .add = text_line};

	if (changes->comparison.equal) {
		return;
	}
	for (size_t i = 0; i < FW_WHICH_COUNT; i++) {
		fw_buf_add_text(out, i == FW_BEFORE ? "before: " : "after:  ");
		fw_buf_add_escaped(out, fw_slice(changes->sides[i].label));
		fw_buf_add_char(out, '\n');
	}
	for (int change = FW_NEWLY_ALLOWED; change <= FW_RATE_CHANGED; change++) {
		text_section(out, changes, (enum fw_change)change);
	}
	fw_changes_lines(changes, write_line, &writer);
}

/* ---- markdown ---- */

/*
 * As <code>, in which nobody is called by @name, and nothing becomes a link; and character by
 * character, as numbers never begin any markup.
 */
static void add_code(struct fw_buf *out, const char *text) {
	static const char plain[] = " ./,:-()";
	FW_AUTO(fw_buf_fini) struct fw_buf escaped = {0};

	fw_buf_add_escaped(&escaped, fw_slice(text));
	fw_buf_add_text(out, "<code>");
	for (size_t i = 0; i < escaped.length; i++) {
		unsigned char c = (unsigned char)escaped.data[i];
		bool is_plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
				(c >= 'A' && c <= 'Z') || c >= 0x80 ||
				memchr(plain, c, sizeof(plain) - 1) != NULL;
		if (is_plain) {
			fw_buf_add_char(out, (char)c);
		} else {
			fw_buf_printf(out, "&#%u;", c);
		}
	}
	fw_buf_add_text(out, "</code>");
}

static void markdown_title(struct fw_buf *out, const char *title) {
	fw_buf_printf(out, "\n#### %s\n\n", title);
}

static void markdown_row(
	struct fw_buf *out, const struct fw_change_row *row, enum fw_change change) {
	FW_AUTO(fw_buf_fini) struct fw_buf services = {0};
	FW_AUTO(fw_buf_fini) struct fw_buf rates = {0};

	add_allowed_by(&services, row, change);
	add_rates(&rates, row, change);
	fw_buf_add_text(out, "| ");
	add_code(out, row->words);
	fw_buf_add_text(out, " | ");
	fw_buf_add_slice(out, fw_buf_slice(&services));
	fw_buf_add_text(out, " | ");
	if (rates.length != 0) {
		fw_buf_add_slice(out, fw_buf_slice(&rates));
		fw_buf_add_char(out, ' ');
	}
	fw_buf_add_text(out, "| ");
	add_code(out, row->witness_words);
	fw_buf_add_text(out, " |\n");
}

static void markdown_section(
	struct fw_buf *out, const struct fw_changes *changes, enum fw_change change) {
	const struct fw_change_section *section = &changes->sections[change];
	bool folded = section->count >= FOLD_FROM;

	if (section->count == 0) {
		return;
	}
	markdown_title(out, sections[change].title);
	if (folded) {
		fw_buf_printf(out, "<details><summary>%zu rows</summary>\n\n", section->count);
	}
	fw_buf_add_text(out, "| Packets | By | Limit | Such as |\n| --- | --- | --- | --- |\n");
	for (size_t i = 0; i < section->count; i++) {
		markdown_row(out, &section->rows[i], change);
	}
	if (section->left_out != 0) {
		fw_buf_add_char(out, '\n');
		add_left_out(out, section);
		fw_buf_add_char(out, '\n');
	}
	if (folded) {
		fw_buf_add_text(out, "\n</details>\n");
	}
}

static void markdown_kind(struct fw_buf *out, const char *kind) {
	markdown_title(out, kind_title(kind));
}

static void markdown_line(struct fw_buf *out, const char *text) {
	fw_buf_add_text(out, "- ");
	add_code(out, text);
	fw_buf_add_char(out, '\n');
}

void fw_changes_markdown(const struct fw_changes *changes, struct fw_buf *out) {
	struct line_writer writer = {.out = out, .begin = markdown_kind, .add = markdown_line};

	if (changes->comparison.equal) {
		return;
	}
	fw_buf_add_text(out, "### What the firewall does differently\n\n");
	for (size_t i = 0; i < FW_WHICH_COUNT; i++) {
		fw_buf_add_text(out, i == FW_BEFORE ? "Before: " : ", after: ");
		add_code(out, changes->sides[i].label);
	}
	fw_buf_add_char(out, '\n');
	for (int change = FW_NEWLY_ALLOWED; change <= FW_RATE_CHANGED; change++) {
		markdown_section(out, changes, (enum fw_change)change);
	}
	fw_changes_lines(changes, write_line, &writer);
}

/* ---- JSON ---- */

static void json_address(
	struct fw_json *json, const char *key, enum fw_family family, struct fw_addr addr) {
	FW_AUTO(fw_buf_fini) struct fw_buf text = {0};

	fw_addr_format(family, addr, &text);
	fw_json_slice(json, key, fw_buf_slice(&text));
}

static void json_number(
	struct fw_json *json, const char *key, const struct fw_point *point, enum fw_var var) {
	fw_json_number(json, key, (int64_t)point->values[var].low);
}

static void json_interface(
	struct fw_json *json, const struct fw_changes *changes, const char *key, unsigned number) {
	const char *name = fw_interface_name(&changes->interfaces, number);

	if (number != 0) {
		fw_json_text(json, key, name);
	}
}

/* What is no part of the packet is left out; an interface that nobody names is null. */
static void json_packet(
	struct fw_json *json, const struct fw_changes *changes, const struct fw_point *point) {
	enum fw_family family = (enum fw_family)point->values[FW_VAR_FAMILY].low;
	uint64_t protocol = point->values[FW_VAR_PROTOCOL].low;
	bool icmp = protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6;

	fw_json_object(json, "packet");
	fw_json_text(json, "hook", fw_hook_names[point->values[FW_VAR_HOOK].low]);
	json_interface(json, changes, "in-interface", (unsigned)point->values[FW_VAR_IN].low);
	json_interface(json, changes, "out-interface", (unsigned)point->values[FW_VAR_OUT].low);
	json_number(json, "protocol", point, FW_VAR_PROTOCOL);
	json_address(json, "source", family, point->values[FW_VAR_SOURCE]);
	json_address(json, "destination", family, point->values[FW_VAR_DESTINATION]);
	json_number(json, icmp ? "icmp-type" : "source-port", point, FW_VAR_SOURCE_PORT);
	json_number(json, icmp ? "icmp-code" : "port", point, FW_VAR_PORT);
	fw_json_close(json);
}

static void json_services(
	struct fw_json *json, const char *key, const struct fw_change_services *services) {
	fw_json_list(json, key);
	for (size_t i = 0; i < services->count; i++) {
		fw_json_text(json, NULL, services->items[i]);
	}
	fw_json_close(json);
}

static void json_rate(struct fw_json *json, const char *key, const struct fw_rate *rate) {
	if (rate->count == 0) {
		fw_json_null(json, key);
		return;
	}
	fw_json_object(json, key);
	fw_json_number(json, "count", rate->count);
	fw_json_text(json, "unit", fw_unit_names[rate->unit]);
	fw_json_number(json, "burst", rate->burst);
	fw_json_bool(json, "per-source", rate->per_source);
	fw_json_close(json);
}

/* Addresses as texts, prefixes where they are some. */
static void json_ranges(struct fw_json *json, const char *key, enum fw_family family,
	const struct fw_intervals *values) {
	const struct fw_addr last = {0, UINT32_MAX};

	if (values->count == 0 || family == FW_FAMILY_NONE) {
		return;
	}
	fw_json_list(json, key);
	for (size_t i = 0; i < values->count; i++) {
		struct fw_range range = {values->items[i].low, values->items[i].high, family};
		FW_AUTO(fw_buf_fini) struct fw_buf text = {0};
		if (family == FW_IPV4 && fw_addr_compare(range.first, last) > 0) {
			break;
		}
		if (family == FW_IPV4 && fw_addr_compare(range.last, last) > 0) {
			range.last = last;
		}
		fw_range_format(&range, &text);
		fw_json_slice(json, NULL, fw_buf_slice(&text));
	}
	fw_json_close(json);
}

/* Numbers as texts, "80" or "1024-65535", as profiles have ports. */
static void json_intervals(
	struct fw_json *json, const char *key, const struct fw_intervals *values) {
	if (values->count == 0) {
		return;
	}
	fw_json_list(json, key);
	for (size_t i = 0; i < values->count; i++) {
		FW_AUTO(fw_buf_fini) struct fw_buf text = {0};
		fw_buf_add_uint(&text, values->items[i].low.low);
		if (values->items[i].low.low != values->items[i].high.low) {
			fw_buf_add_char(&text, '-');
			fw_buf_add_uint(&text, values->items[i].high.low);
		}
		fw_json_slice(json, NULL, fw_buf_slice(&text));
	}
	fw_json_close(json);
}

/* By their names. */
static void json_states(struct fw_json *json, const struct fw_intervals *values) {
	if (values->count == 0) {
		return;
	}
	fw_json_list(json, "states");
	for (size_t i = 0; i < values->count; i++) {
		for (uint64_t state = values->items[i].low.low;
			state <= values->items[i].high.low && state < FW_TRACKING_COUNT; state++) {
			fw_json_text(json, NULL, fw_tracking_names[state]);
		}
	}
	fw_json_close(json);
}

/* null stands for all interfaces that nobody names. */
static void json_interfaces(struct fw_json *json, const struct fw_changes *changes, const char *key,
	const struct fw_intervals *values) {
	if (values->count == 0) {
		return;
	}
	fw_json_list(json, key);
	for (size_t i = 0; i < values->count; i++) {
		const struct fw_interval *numbers = &values->items[i];
		for (uint64_t number = numbers->low.low;
			number <= numbers->high.low &&
			number <= fw_interfaces_count(&changes->interfaces);
			number++) {
			fw_json_text(json, NULL,
				fw_interface_name(&changes->interfaces, (unsigned)number));
		}
	}
	fw_json_close(json);
}

/* What is not asked for is left out. */
static void json_box(struct fw_json *json, const struct fw_changes *changes,
	const struct fw_box *box, enum fw_family family) {
	static const struct {
		const char *key;
		enum fw_var var;
	} numbers[] = {
		{"protocols", FW_VAR_PROTOCOL},
		{"source-ports", FW_VAR_SOURCE_PORT},
		{"ports", FW_VAR_PORT},
		{"flags", FW_VAR_FLAGS},
		{"hop-limits", FW_VAR_HOP_LIMIT},
		{"translated", FW_VAR_TRANSLATED},
	};
	fw_json_object(json, NULL);
	if (family != FW_FAMILY_NONE) {
		fw_json_text(json, "family", fw_family_names[family]);
	}
	json_interfaces(json, changes, "in-interfaces", &box->values[FW_VAR_IN]);
	json_interfaces(json, changes, "out-interfaces", &box->values[FW_VAR_OUT]);
	json_ranges(json, "sources", family, &box->values[FW_VAR_SOURCE]);
	json_ranges(json, "destinations", family, &box->values[FW_VAR_DESTINATION]);
	for (size_t i = 0; i < FW_LENGTH(numbers); i++) {
		json_intervals(json, numbers[i].key, &box->values[numbers[i].var]);
	}
	json_states(json, &box->values[FW_VAR_TRACKING]);
	fw_json_close(json);
}

static void json_boxes(
	struct fw_json *json, const struct fw_changes *changes, const struct fw_change_row *row) {
	fw_json_list(json, "boxes");
	for (size_t i = 0; i < row->box_count; i++) {
		const struct fw_box *box = row->boxes[i];
		enum fw_family family = fw_box_family(box);
		bool by_address = box->values[FW_VAR_SOURCE].count != 0 ||
				  box->values[FW_VAR_DESTINATION].count != 0;
		if (family == FW_FAMILY_NONE && by_address) {
			json_box(json, changes, box, FW_IPV4);
			json_box(json, changes, box, FW_IPV6);
		} else {
			json_box(json, changes, box, family);
		}
	}
	fw_json_close(json);
}

static void json_row(struct fw_json *json, const struct fw_changes *changes,
	const struct fw_change_row *row, enum fw_change change) {
	bool verdict_before = row->services[FW_BEFORE].verdict != FW_VERDICT_NONE;
	bool verdict_after = row->services[FW_AFTER].verdict != FW_VERDICT_NONE;

	fw_json_object(json, NULL);
	fw_json_text(json, "hook", fw_hook_names[row->hook]);
	fw_json_text(json, "words", row->words);
	if (change != FW_NEWLY_ALLOWED) {
		json_services(json, "services-before", &row->services[FW_BEFORE]);
		fw_json_text(json, "verdict-before",
			verdict_before ? fw_verdict_names[row->services[FW_BEFORE].verdict] : NULL);
	}
	if (change != FW_NEWLY_DENIED) {
		json_services(json, "services-after", &row->services[FW_AFTER]);
		fw_json_text(json, "verdict-after",
			verdict_after ? fw_verdict_names[row->services[FW_AFTER].verdict] : NULL);
		json_rate(json, "limit-after", &row->rates[FW_AFTER]);
	}
	if (change == FW_RATE_CHANGED) {
		json_rate(json, "limit-before", &row->rates[FW_BEFORE]);
	}
	json_boxes(json, changes, row);
	fw_json_text(json, "witness", row->witness_words);
	json_packet(json, changes, &row->witness);
	fw_json_close(json);
}

static void json_sections(struct fw_json *json, const struct fw_changes *changes) {
	for (int i = FW_NEWLY_ALLOWED; i <= FW_RATE_CHANGED; i++) {
		const struct fw_change_section *section = &changes->sections[i];
		fw_json_list(json, sections[i].key);
		for (size_t j = 0; j < section->count; j++) {
			json_row(json, changes, &section->rows[j], (enum fw_change)i);
		}
		fw_json_close(json);
	}
	fw_json_object(json, "left-out");
	for (int i = FW_NEWLY_ALLOWED; i <= FW_RATE_CHANGED; i++) {
		fw_json_number(json, sections[i].key, (int64_t)changes->sections[i].left_out);
	}
	fw_json_close(json);
}

static void json_answers(struct fw_json *json, const struct fw_changes *changes) {
	fw_json_list(json, "answers");
	for (int hook = FW_INPUT; hook < FW_HOOK_COUNT; hook++) {
		if (!changes->comparison.answers_differ[hook]) {
			continue;
		}
		fw_json_object(json, NULL);
		fw_json_text(json, "hook", fw_hook_names[hook]);
		for (size_t i = 0; i < FW_WHICH_COUNT; i++) {
			enum fw_verdict verdict = changes->sides[i].policy->hooks[hook].verdict;
			fw_json_text(json, fw_which_names[i], fw_verdict_names[verdict]);
		}
		fw_json_close(json);
	}
	fw_json_close(json);
}

static void json_forwardings(struct fw_json *json, const char *key,
	const struct fw_forwarding *const *forwardings, size_t count) {
	fw_json_list(json, key);
	for (size_t i = 0; i < count; i++) {
		const struct fw_forwarding *forwarding = forwardings[i];
		fw_json_object(json, NULL);
		fw_json_number(json, "outside-port", forwarding->outside_port);
		fw_json_text(json, "protocol", fw_protocol_name(forwarding->protocol));
		json_address(json, "address", forwarding->family, forwarding->address);
		fw_json_number(json, "port", forwarding->port);
		fw_json_text(json, "device", forwarding->device);
		fw_json_text(json, "service", forwarding->service);
		fw_json_close(json);
	}
	fw_json_close(json);
}

static void json_translation(struct fw_json *json, const struct fw_changes *changes) {
	const struct fw_comparison *comparison = &changes->comparison;

	fw_json_object(json, "translation");
	json_forwardings(
		json, "newly-forwarded", comparison->newly_forwarded, comparison->newly_count);
	json_forwardings(json, "no-longer-forwarded", comparison->no_longer_forwarded,
		comparison->no_longer_count);
	fw_json_bool(json, "outside-differs", comparison->outside_differs);
	fw_json_bool(json, "entry-differs", comparison->entry_differs);
	fw_json_bool(json, "masquerade-differs", comparison->masquerade_differs);
	fw_json_bool(json, "hairpin-differs", comparison->hairpin_differs);
	fw_json_close(json);
}

bool fw_changes_json(const struct fw_changes *changes) {
	FW_AUTO(fw_json_fini) struct fw_json json;

	fw_json_init(&json);
	for (size_t i = 0; i < FW_WHICH_COUNT; i++) {
		fw_json_text(&json, fw_which_names[i], changes->sides[i].label);
	}
	fw_json_bool(&json, "equal", changes->comparison.equal);
	json_sections(&json, changes);
	json_answers(&json, changes);
	json_translation(&json, changes);
	return fw_json_print(changes->run, &json);
}
