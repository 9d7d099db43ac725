// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Changes on a terminal and in a merge request. What authors wrote is escaped for each of them: no
 * name can move a cursor, end a table, or call somebody.
 */

#include <string.h>

#include "cmd/changes_rows.h"

enum {
	SERVICES_SHOWN = 8,
	FOLD_FROM = 10, /* rows of a table that a comment does not show at once */
};

static const char *const titles[FW_ROWS_COUNT] = {
	[FW_ROWS_ALLOWED] = "Newly allowed",
	[FW_ROWS_DENIED] = "Newly denied",
	[FW_ROWS_LIMITS] = "Other limits",
	[FW_ROWS_ANSWERS] = "Other answers",
	[FW_ROWS_DETOURS] = "Translation",
	[FW_ROWS_STRICTER] = "Stricter than written",
};
/* Whose way it is to be stricter. */
static const char *const kind_names[] = {
	[FW_RULESET_NFTABLES] = "nftables",
	[FW_RULESET_IPTABLES] = "iptables",
	[FW_RULESET_IP6TABLES] = "ip6tables",
	[FW_RULESET_PF] = "pf",
	[FW_RULESET_PF_FREEBSD] = "pf",
	[FW_RULESET_LIVE] = "the kernel",
};
static const char title_unknown[] = "Not understood, so that nothing is proven";

/** One of the two forms. */
struct form {
	/** What others wrote, so that it does no harm. */
	void (*add)(struct fw_buf *out, const char *text);
	const char *separator; /* of what is said of one row */
	const char *by;	       /* before who allows it, unless there is a column for that */
};

/* ---- words of a row ---- */

static void add_services(struct fw_buf *out, const struct fw_change_services *services) {
	for (size_t i = 0; i < services->count && i < SERVICES_SHOWN; i++) {
		fw_buf_printf(out, "%s%s", i != 0 ? ", " : "", services->items[i]);
	}
	if (services->count > SERVICES_SHOWN) {
		fw_buf_printf(out, " and %zu more", services->count - SERVICES_SHOWN);
	}
}

/* What lets a packet pass that no service is asked about. */
static const char *base_rule(const struct fw_change_row *row) {
	uint64_t state = row->witness.values[FW_VAR_TRACKING].low;

	if (row->witness.values[FW_VAR_IN].low == FW_INTERFACE_LOOPBACK ||
		row->witness.values[FW_VAR_OUT].low == FW_INTERFACE_LOOPBACK) {
		return "what the machine may say to itself";
	}
	return state == FW_TRACKING_ESTABLISHED || state == FW_TRACKING_RELATED
		       ? "what belongs to a connection"
		       : "no service";
}

static void add_policy(
	struct fw_buf *out, const struct fw_change_row *row, const struct fw_change_services *who) {
	if (who->verdict == FW_ACCEPT) {
		fw_buf_add_text(out, "whatever is accepted there");
	} else if (who->verdict == FW_UNTOUCHED) {
		fw_buf_add_text(out, "the hook, which is left alone");
	} else if (who->count == 0) {
		fw_buf_add_text(out, base_rule(row));
	} else {
		add_services(out, who);
	}
}

static void add_rule(
	struct fw_buf *out, const struct form *form, const struct fw_change_rule *rule) {
	if (rule->place == NULL) {
		fw_buf_add_text(out, "no rule");
		return;
	}
	form->add(out, rule->place);
	if (rule->text != NULL) {
		fw_buf_add_text(out, ": ");
		form->add(out, rule->text);
	}
	if (rule->others) {
		fw_buf_add_text(out, " and others");
	}
}

/* Who of a side lets the packets of a row pass. */
static void add_side(struct fw_buf *out, const struct form *form, const struct fw_changes *changes,
	const struct fw_change_row *row, enum fw_which which) {
	if (changes->sides[which].policy != NULL) {
		add_policy(out, row, &row->services[which]);
	} else {
		add_rule(out, form, &row->rules[which]);
	}
}

static bool same_services(const struct fw_change_services *a, const struct fw_change_services *b) {
	bool same = a->verdict == b->verdict && a->count == b->count;

	for (size_t i = 0; same && i < a->count; i++) {
		same = strcmp(a->items[i], b->items[i]) == 0;
	}
	return same;
}

/* "by A before, B after" */
static void add_both_policies(
	struct fw_buf *out, const struct form *form, const struct fw_change_row *row) {
	const struct fw_change_services *before = &row->services[FW_BEFORE];
	const struct fw_change_services *after = &row->services[FW_AFTER];
	bool same = same_services(before, after);

	fw_buf_add_text(out, form->by);
	if (!same) {
		add_policy(out, row, before);
		fw_buf_add_text(out, " before, ");
	}
	add_policy(out, row, after);
	fw_buf_add_text(out, same ? "" : " after");
}

/* Rules are long: "before by A", and apart from that "after by B". */
static void add_both_sides(struct fw_buf *out, const struct form *form,
	const struct fw_changes *changes, const struct fw_change_row *row) {
	for (int i = FW_BEFORE; i < FW_WHICH_COUNT; i++) {
		fw_buf_printf(
			out, "%s%s by ", i != FW_BEFORE ? form->separator : "", fw_which_names[i]);
		add_side(out, form, changes, row, (enum fw_which)i);
	}
}

/* Who allows it, or did. */
static void add_allowed_by(struct fw_buf *out, const struct form *form,
	const struct fw_changes *changes, const struct fw_change_row *row) {
	bool before = fw_change_lets_pass(row, FW_BEFORE);

	if (row->change != FW_RATE_CHANGED) {
		fw_buf_add_text(out, form->by);
		add_side(out, form, changes, row, before ? FW_BEFORE : FW_AFTER);
	} else if (changes->of_policies) {
		add_both_policies(out, form, row);
	} else {
		add_both_sides(out, form, changes, row);
	}
}

/* The rule that denies what the other side lets pass, where there is one. */
static void add_denied_by(
	struct fw_buf *out, const struct form *form, const struct fw_change_row *row) {
	for (int i = FW_BEFORE; i < FW_WHICH_COUNT; i++) {
		if (!fw_change_lets_pass(row, (enum fw_which)i) && row->rules[i].place != NULL) {
			fw_buf_printf(out, "%sdenied %s by ", form->separator, fw_which_names[i]);
			add_rule(out, form, &row->rules[i]);
		}
	}
}

static bool same_rate(const struct fw_rate *a, const struct fw_rate *b) {
	return a->count == b->count && a->unit == b->unit && a->burst == b->burst &&
	       a->per_source == b->per_source;
}

/* Adds nothing where no limit is worth a word. */
static void add_rates(struct fw_buf *out, const struct fw_change_row *row) {
	const struct fw_rate *before = &row->rates[FW_BEFORE], *after = &row->rates[FW_AFTER];

	if (row->change == FW_RATE_CHANGED && same_rate(before, after)) {
		fw_rate_format(after, out);
		fw_buf_add_text(out, " as before, but shared with other packets");
	} else if (row->change == FW_RATE_CHANGED) {
		fw_rate_format(before, out);
		fw_buf_add_text(out, " before, ");
		fw_rate_format(after, out);
		fw_buf_add_text(out, " after");
	} else if (row->change == FW_NEWLY_ALLOWED && after->count != 0) {
		fw_rate_format(after, out);
	}
}

/* `how` is put before the number. */
static void add_left_out(struct fw_buf *out, const char *how, size_t left_out) {
	fw_buf_printf(out, "and %s%zu more; --limit shows more of them", how, left_out);
}

/* ---- what takes a sentence ---- */

static void add_target(
	struct fw_buf *out, enum fw_family family, const struct fw_proof_target *target) {
	bool brackets = family == FW_IPV6 && target->port != 0;

	if (!target->translated) {
		fw_buf_add_text(out, "not translated");
		return;
	}
	fw_buf_add_text(out, "to ");
	if (target->masquerade) {
		fw_buf_add_text(out, "the interface's own address");
	} else {
		fw_buf_add_text(out, brackets ? "[" : "");
		fw_addr_format(family, target->address, out);
		fw_buf_add_text(out, brackets ? "]" : "");
	}
	if (target->port != 0) {
		fw_buf_printf(out, "%s%u", target->masquerade ? " and port " : ":", target->port);
	}
}

/* What a side does to the packets of an answer or a detour. */
static void add_fate(struct fw_buf *out, const struct fw_change_row *row, enum fw_which which) {
	const struct fw_change_rule *rule = &row->rules[which];

	if (row->detour != NULL) {
		add_target(out, row->detour->family,
			which == FW_BEFORE ? &row->detour->before : &row->detour->after);
	} else {
		fw_buf_add_text(out, row->answered == (which == FW_AFTER) ? "rejected" : "dropped");
	}
	fw_buf_printf(out, " %s", fw_which_names[which]);
	if (rule->place != NULL) {
		fw_buf_printf(out, " (%s%s)", rule->place, rule->others ? " and others" : "");
	}
}

/* All of an answer or a detour, but for its witness; not escaped. */
static void add_sentence(struct fw_buf *out, const struct fw_change_row *row) {
	if (row->detour != NULL) {
		fw_buf_printf(out, "%s of ", row->detour->source ? "source" : "destination");
	}
	fw_buf_printf(out, "%s: ", row->words);
	add_fate(out, row, FW_BEFORE);
	fw_buf_add_text(out, ", ");
	add_fate(out, row, FW_AFTER);
}

/* The place and what is there; not escaped. */
static void add_unknown(struct fw_buf *out, const struct fw_changes *changes, size_t number) {
	const struct fw_rb_unknown *unknown = changes->unknowns.items[number].unknown;
	const char *line = fw_change_line(&changes->run->arena, &unknown->place);

	fw_buf_printf(out, "%s: %s", unknown->place.text, unknown->what);
	if (line != NULL && strstr(unknown->what, line) == NULL) {
		fw_buf_printf(out, ": %s", line);
	}
}

/* Which packets alone are compared; nothing where that goes without saying. */
static void add_family(struct fw_buf *out, const struct fw_changes *changes) {
	if (fw_changes_is_partial(changes)) {
		fw_buf_printf(out, "only %s is compared", fw_family_names[changes->scope.family]);
	}
}

/* "Stricter than written, as iptables has it" */
static void add_title(struct fw_buf *out, const struct fw_changes *changes, enum fw_rows kind) {
	enum fw_which which = fw_changes_asked(changes) == FW_BEFORE ? FW_AFTER : FW_BEFORE;

	fw_buf_add_text(out, titles[kind]);
	if (kind == FW_ROWS_STRICTER) {
		fw_buf_printf(
			out, ", as %s has it", kind_names[changes->sides[which].rulesets->kind]);
	}
}

static bool nothing_to_say(const struct fw_changes *changes) {
	return changes->equal && changes->unknowns.count == 0 &&
	       changes->sections[FW_ROWS_STRICTER].count == 0 && !fw_changes_is_partial(changes);
}

/* Lines that are not about packets, one kind after the other. */
struct line_writer {
	struct fw_buf *out;
	const char *kind; /* of the line before */
	void (*begin)(struct fw_buf *out, const char *title);
	void (*add)(struct fw_buf *out, const char *text);
};

static void write_line(void *context, const char *kind, const char *text) {
	struct line_writer *writer = context;

	if (writer->kind == NULL || strcmp(writer->kind, kind) != 0) {
		bool answers = strcmp(kind, "answers") == 0;
		writer->begin(writer->out, titles[answers ? FW_ROWS_ANSWERS : FW_ROWS_DETOURS]);
	}
	writer->kind = kind;
	writer->add(writer->out, text);
}

static void write_unknowns(const struct line_writer *writer, const struct fw_changes *changes) {
	if (changes->unknowns.count != 0) {
		writer->begin(writer->out, title_unknown);
	}
	for (size_t i = 0; i < changes->unknowns.count && i < changes->limit; i++) {
		FW_AUTO(fw_buf_fini) struct fw_buf text = {0};
		add_unknown(&text, changes, i);
		writer->add(writer->out, text.data);
	}
	if (changes->unknowns.count > changes->limit) {
		FW_AUTO(fw_buf_fini) struct fw_buf text = {0};
		add_left_out(&text, "", changes->unknowns.count - changes->limit);
		writer->add(writer->out, text.data);
	}
}

/* ---- text ---- */

static void text_title(struct fw_buf *out, const char *title) {
	fw_buf_printf(out, "\n%s\n", title);
}

static void text_add(struct fw_buf *out, const char *text) {
	fw_buf_add_escaped(out, fw_slice(text));
}

static const struct form text_form = {text_add, "\n      ", "by "};

static void text_line(struct fw_buf *out, const char *text) {
	fw_buf_add_text(out, "  ");
	fw_buf_add_escaped(out, fw_slice(text));
	fw_buf_add_char(out, '\n');
}

static void text_witness(struct fw_buf *out, const struct fw_change_row *row) {
	fw_buf_add_text(out, "      such as ");
	fw_buf_add_escaped(out, fw_slice(row->witness_words));
	fw_buf_add_char(out, '\n');
}

static void text_row(
	struct fw_buf *out, const struct fw_changes *changes, const struct fw_change_row *row) {
	FW_AUTO(fw_buf_fini) struct fw_buf rates = {0};

	fw_buf_add_text(out, "  ");
	fw_buf_add_escaped(out, fw_slice(row->words));
	fw_buf_add_text(out, "\n      ");
	add_allowed_by(out, &text_form, changes, row);
	add_denied_by(out, &text_form, row);
	add_rates(&rates, row);
	if (rates.length != 0) {
		fw_buf_add_text(out, "\n      limit ");
		fw_buf_add_slice(out, fw_buf_slice(&rates));
	}
	fw_buf_add_char(out, '\n');
	text_witness(out, row);
}

static void text_sentence(struct fw_buf *out, const struct fw_change_row *row) {
	FW_AUTO(fw_buf_fini) struct fw_buf sentence = {0};

	add_sentence(&sentence, row);
	text_line(out, sentence.data);
	text_witness(out, row);
}

static void text_section(struct fw_buf *out, const struct fw_changes *changes, enum fw_rows kind) {
	const struct fw_change_section *section = &changes->sections[kind];
	FW_AUTO(fw_buf_fini) struct fw_buf title = {0};

	if (section->count == 0) {
		return;
	}
	add_title(&title, changes, kind);
	text_title(out, title.data);
	for (size_t i = 0; i < section->count; i++) {
		if (section->rows[i].change == FW_CHANGE_NONE) {
			text_sentence(out, &section->rows[i]);
		} else {
			text_row(out, changes, &section->rows[i]);
		}
	}
	if (section->left_out != 0) {
		fw_buf_add_text(out, "  ");
		add_left_out(out, "at least ", section->left_out);
		fw_buf_add_char(out, '\n');
	}
}

void fw_changes_text_sections(const struct fw_changes *changes, struct fw_buf *out) {
	struct line_writer writer = {.out = out, .begin = text_title, .add = text_line};

	write_unknowns(&writer, changes);
	for (int kind = FW_ROWS_ALLOWED; kind < FW_ROWS_COUNT; kind++) {
		text_section(out, changes, (enum fw_rows)kind);
	}
	fw_changes_lines(changes, write_line, &writer);
}

void fw_changes_text(const struct fw_changes *changes, struct fw_buf *out) {
	FW_AUTO(fw_buf_fini) struct fw_buf family = {0};

	if (nothing_to_say(changes)) {
		return;
	}
	for (size_t i = 0; i < FW_WHICH_COUNT; i++) {
		fw_buf_add_text(out, i == FW_BEFORE ? "before: " : "after:  ");
		fw_buf_add_escaped(out, fw_slice(changes->sides[i].label));
		fw_buf_add_char(out, '\n');
	}
	add_family(&family, changes);
	if (family.length != 0) {
		fw_buf_printf(out, "%s%s\n", family.data, changes->equal ? "; no difference" : "");
	}
	fw_changes_text_sections(changes, out);
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

static const struct form markdown_form = {add_code, "; ", ""};

static void markdown_title(struct fw_buf *out, const char *title) {
	fw_buf_printf(out, "\n#### %s\n\n", title);
}

static void markdown_row(
	struct fw_buf *out, const struct fw_changes *changes, const struct fw_change_row *row) {
	FW_AUTO(fw_buf_fini) struct fw_buf deciders = {0};
	FW_AUTO(fw_buf_fini) struct fw_buf rates = {0};

	add_allowed_by(&deciders, &markdown_form, changes, row);
	add_denied_by(&deciders, &markdown_form, row);
	add_rates(&rates, row);
	fw_buf_add_text(out, "| ");
	add_code(out, row->words);
	fw_buf_add_text(out, " | ");
	fw_buf_add_slice(out, fw_buf_slice(&deciders));
	fw_buf_add_text(out, " | ");
	if (rates.length != 0) {
		fw_buf_add_slice(out, fw_buf_slice(&rates));
		fw_buf_add_char(out, ' ');
	}
	fw_buf_add_text(out, "| ");
	add_code(out, row->witness_words);
	fw_buf_add_text(out, " |\n");
}

static void markdown_sentence(struct fw_buf *out, const struct fw_change_row *row) {
	FW_AUTO(fw_buf_fini) struct fw_buf sentence = {0};

	add_sentence(&sentence, row);
	fw_buf_add_text(out, "- ");
	add_code(out, sentence.data);
	fw_buf_add_text(out, ", such as ");
	add_code(out, row->witness_words);
	fw_buf_add_char(out, '\n');
}

static void markdown_rows(struct fw_buf *out, const struct fw_changes *changes,
	const struct fw_change_section *section) {
	if (section->rows[0].change == FW_CHANGE_NONE) {
		for (size_t i = 0; i < section->count; i++) {
			markdown_sentence(out, &section->rows[i]);
		}
		return;
	}
	fw_buf_add_text(out, "| Packets | By | Limit | Such as |\n| --- | --- | --- | --- |\n");
	for (size_t i = 0; i < section->count; i++) {
		markdown_row(out, changes, &section->rows[i]);
	}
}

static void markdown_section(
	struct fw_buf *out, const struct fw_changes *changes, enum fw_rows kind) {
	const struct fw_change_section *section = &changes->sections[kind];
	bool folded = section->count >= FOLD_FROM;
	FW_AUTO(fw_buf_fini) struct fw_buf title = {0};

	if (section->count == 0) {
		return;
	}
	add_title(&title, changes, kind);
	markdown_title(out, title.data);
	if (folded) {
		fw_buf_printf(out, "<details><summary>%zu rows</summary>\n\n", section->count);
	}
	markdown_rows(out, changes, section);
	if (section->left_out != 0) {
		fw_buf_add_char(out, '\n');
		add_left_out(out, "at least ", section->left_out);
		fw_buf_add_char(out, '\n');
	}
	if (folded) {
		fw_buf_add_text(out, "\n</details>\n");
	}
}

static void markdown_line(struct fw_buf *out, const char *text) {
	fw_buf_add_text(out, "- ");
	add_code(out, text);
	fw_buf_add_char(out, '\n');
}

void fw_changes_markdown(const struct fw_changes *changes, struct fw_buf *out) {
	struct line_writer writer = {.out = out, .begin = markdown_title, .add = markdown_line};
	FW_AUTO(fw_buf_fini) struct fw_buf family = {0};

	if (nothing_to_say(changes)) {
		return;
	}
	fw_buf_add_text(out, "### What the firewall does differently\n\n");
	for (size_t i = 0; i < FW_WHICH_COUNT; i++) {
		fw_buf_add_text(out, i == FW_BEFORE ? "Before: " : ", after: ");
		add_code(out, changes->sides[i].label);
	}
	add_family(&family, changes);
	if (family.length != 0) {
		fw_buf_printf(out, "; %s%s", family.data, changes->equal ? ": no difference" : "");
	}
	fw_buf_add_char(out, '\n');
	write_unknowns(&writer, changes);
	for (int kind = FW_ROWS_ALLOWED; kind < FW_ROWS_COUNT; kind++) {
		markdown_section(out, changes, (enum fw_rows)kind);
	}
	fw_changes_lines(changes, write_line, &writer);
}
