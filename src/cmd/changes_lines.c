// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What two policies do differently beside letting packets pass: what is told to those that don't
 * pass, and translation, a line each.
 */

#include "cmd/changes.h"

/* Lines while they are made. */
struct lines {
	const struct fw_changes *changes;
	void (*line)(void *context, const char *kind, const char *text);
	void *context;
	struct fw_buf text;
};

/* Hands over what was written. */
static void end_line(struct lines *lines, const char *kind) {
	lines->line(lines->context, kind, lines->text.data);
	lines->text.length = 0;
}

static void say_answers(struct lines *lines) {
	for (int hook = FW_INPUT; hook < FW_HOOK_COUNT; hook++) {
		const struct fw_changed_side *sides = lines->changes->sides;
		if (lines->changes->comparison.answers_differ[hook]) {
			fw_buf_printf(&lines->text,
				"%s: what no service allows: %s before, %s after",
				fw_hook_names[hook],
				fw_verdict_names[sides[FW_BEFORE].policy->hooks[hook].verdict],
				fw_verdict_names[sides[FW_AFTER].policy->hooks[hook].verdict]);
			end_line(lines, "answers");
		}
	}
}

static void say_forwardings(struct lines *lines, const char *what,
	const struct fw_forwarding *const *forwardings, size_t count) {
	size_t limit = lines->changes->limit;

	for (size_t i = 0; i < count && i < limit; i++) {
		const struct fw_forwarding *forwarding = forwardings[i];
		bool ipv6 = forwarding->family == FW_IPV6;
		fw_buf_printf(&lines->text, "%s: outside port %u/%s to %s", what,
			forwarding->outside_port, fw_protocol_name(forwarding->protocol),
			ipv6 ? "[" : "");
		fw_addr_format(forwarding->family, forwarding->address, &lines->text);
		fw_buf_printf(&lines->text, "%s:%u, %s of %s", ipv6 ? "]" : "", forwarding->port,
			forwarding->service, forwarding->device);
		end_line(lines, "translation");
	}
	if (count > limit) {
		fw_buf_printf(&lines->text, "%s: and %zu more", what, count - limit);
		end_line(lines, "translation");
	}
}

static void add_names(struct fw_buf *out, const struct fw_names *names) {
	for (size_t i = 0; i < names->count; i++) {
		fw_buf_printf(out, "%s%s", i != 0 ? ", " : "", names->items[i]);
	}
	if (names->count == 0) {
		fw_buf_add_text(out, "any interface");
	}
}

enum { MEMBERS_SHOWN = 8 };

/* The addresses of a set, the first few of them; "off" where there are none. */
static void add_set(struct fw_buf *out, const struct fw_set *set) {
	size_t count = 0;

	for (int family = FW_IPV4; set != NULL && family < FW_FAMILY_COUNT; family++) {
		const struct fw_members *members = &set->members[family];
		for (size_t i = 0; i < members->count; i++, count++) {
			if (count < MEMBERS_SHOWN) {
				fw_buf_add_text(out, count != 0 ? ", " : "");
				fw_range_format(&members->items[i].range, out);
			}
		}
	}
	if (count > MEMBERS_SHOWN) {
		fw_buf_printf(out, " and %zu more", count - MEMBERS_SHOWN);
	} else if (count == 0) {
		fw_buf_add_text(out, "off");
	}
}

static void add_entry(struct fw_buf *out, const struct fw_translation *translation) {
	add_names(out, &translation->entry);
}

static void add_outside(struct fw_buf *out, const struct fw_translation *translation) {
	add_set(out, translation->outside_addresses);
}

static void add_masquerade(struct fw_buf *out, const struct fw_translation *translation) {
	add_set(out, translation->masqueraded);
	if (translation->masqueraded != NULL) {
		fw_buf_add_text(out, " by ");
		add_names(out, &translation->exit);
	}
}

static void add_hairpin(struct fw_buf *out, const struct fw_translation *translation) {
	const char *before = " as ";

	add_set(out, translation->hairpin);
	for (int i = FW_IPV4; translation->hairpin != NULL && i < FW_FAMILY_COUNT; i++) {
		enum fw_family family = (enum fw_family)i;
		if (translation->hairpin->members[family].count != 0) {
			fw_buf_add_text(out, before);
			fw_addr_format(family, translation->hairpin_address[family], out);
			before = ", ";
		}
	}
}

/* "WHAT: this before; that after" */
static void say_both(struct lines *lines, bool differs, const char *what,
	void (*add)(struct fw_buf *out, const struct fw_translation *translation)) {
	if (!differs) {
		return;
	}
	fw_buf_printf(&lines->text, "%s: ", what);
	for (size_t i = 0; i < FW_WHICH_COUNT; i++) {
		add(&lines->text, &lines->changes->sides[i].policy->translation);
		fw_buf_printf(&lines->text, " %s%s", fw_which_names[i], i == 0 ? "; " : "");
	}
	end_line(lines, "translation");
}

void fw_changes_lines(const struct fw_changes *changes,
	void (*line)(void *context, const char *kind, const char *text), void *context) {
	const struct fw_comparison *comparison = &changes->comparison;
	struct lines lines = {.changes = changes, .line = line, .context = context};

	say_answers(&lines);
	say_forwardings(
		&lines, "newly forwarded", comparison->newly_forwarded, comparison->newly_count);
	say_forwardings(&lines, "no longer forwarded", comparison->no_longer_forwarded,
		comparison->no_longer_count);
	say_both(&lines, comparison->outside_differs, "outside address", add_outside);
	say_both(&lines, comparison->entry_differs, "forwarded from", add_entry);
	say_both(&lines, comparison->masquerade_differs, "masquerade", add_masquerade);
	say_both(&lines, comparison->hairpin_differs, "hairpin", add_hairpin);
	fw_buf_fini(&lines.text);
}
