// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Packets and what is made of them. Two diagnostics are of one sort when their key is the same: the
 * id, the place and the message.
 */

#include "cmd/report.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"

#define uthash_malloc(size) fw_alloc(size)
#include <uthash.h>

enum {
	SORTS_MAX = 1000, /* of errors, and of warnings, that are told apart */
	FAILURES_SHOWN = 20,
};

/* ---- packets: these structs, then text; both ends are one program ---- */

struct head {
	size_t errors;
	unsigned faults;
	struct fw_file_counts files;
	uint32_t lines_length;
};

struct item {
	uint64_t key;
	uint32_t length;
	bool warning;
	bool of_all; /* it counts when all members have it */
};

/* FNV-1a: no key is chosen by anyone but the authors, whom a collision would cost a repetition. */
static void hash_bytes(uint64_t *hash, const void *bytes, size_t length) {
	const unsigned char *byte = bytes;
	for (size_t i = 0; i < length; i++) {
		*hash = (*hash ^ byte[i]) * 0x100000001b3;
	}
}

static void hash_text(uint64_t *hash, const char *text) {
	hash_bytes(hash, text, strlen(text) + 1);
}

static uint64_t key_of(const struct fw_diag *diag) {
	uint64_t key = 0xcbf29ce484222325;
	hash_text(&key, diag->id);
	hash_text(&key, diag->message);
	if (diag->span.source != NULL) {
		hash_text(&key, diag->span.source->name);
		hash_bytes(&key, &diag->span.start, sizeof(diag->span.start));
		hash_bytes(&key, &diag->span.end, sizeof(diag->span.end));
	}
	return key;
}

static void write_items(struct fw_buf *out, size_t limit, const struct fw_diags *diags,
	enum fw_level level, const struct fw_source *shared) {
	const struct fw_diag *shown[FW_DIAGS_SHOWN];
	size_t count = fw_diags_shown(diags, level, shown);
	FW_AUTO(fw_buf_fini) struct fw_buf text = {0};
	for (size_t i = 0; i < count; i++) {
		text.length = 0;
		fw_diag_render(shown[i], &text);
		struct item item = {
			.key = key_of(shown[i]),
			.length = (uint32_t)text.length,
			.warning = level == FW_WARNING,
			.of_all = shared != NULL && shown[i]->span.source == shared &&
				  strcmp(shown[i]->id, "unused-group") == 0,
		};
		if (out->length + sizeof(item) + text.length <= limit) {
			fw_buf_add(out, &item, sizeof(item));
			fw_buf_add_slice(out, fw_buf_slice(&text));
		}
	}
}

void fw_report_write(struct fw_buf *out, size_t limit, const struct fw_diags *diags, bool quiet,
	const struct fw_source *shared, struct fw_slice lines, struct fw_file_counts files) {
	struct head head = {
		.errors = diags->errors,
		.files = files,
	};
	if (sizeof(head) + lines.length <= limit) {
		head.lines_length = (uint32_t)lines.length;
	}
	for (size_t i = 0; i < diags->list.count; i++) {
		const struct fw_diag *diag = diags->list.items[i];
		head.faults |= diag->level == FW_ERROR ? 1U << diag->fault : 0;
	}
	fw_buf_add(out, &head, sizeof(head));
	fw_buf_add(out, lines.data, head.lines_length);
	if (diags->errors != 0) {
		write_items(out, limit, diags, FW_ERROR, shared);
	} else if (!quiet) {
		write_items(out, limit, diags, FW_WARNING, shared);
	}
}

/** Cuts what a packet begins with off it; false where nothing is left. */
static bool cut(struct fw_slice *packet, void *out, size_t size) {
	if (packet->length < size) {
		return false;
	}
	memcpy(out, packet->data, size);
	*packet = (struct fw_slice){packet->data + size, packet->length - size};
	return true;
}

static struct fw_slice cut_text(struct fw_slice *packet, size_t length) {
	assert(length <= packet->length);
	struct fw_slice text = {packet->data, length};
	*packet = (struct fw_slice){packet->data + length, packet->length - length};
	return text;
}

/* ---- all members ---- */

/** A sort of diagnostic that some member had. */
struct fw_report_entry {
	UT_hash_handle hh; /* by key */
	uint64_t key;
	const char *text; /* of a warning, as the first member had it */
	size_t members;
	bool of_all;
};

void fw_report_fini(struct fw_report *report) {
	HASH_CLEAR(hh, report->errors);
	HASH_CLEAR(hh, report->warnings);
	FW_VEC_FINI(&report->failures);
	fw_arena_fini(&report->arena);
}

/** The entry of that key, made where there is none; NULL: there are too many. */
static struct fw_report_entry *entry_of(
	struct fw_report *report, struct fw_report_entry **table, uint64_t key) {
	struct fw_report_entry *entry = NULL;
	HASH_FIND(hh, *table, &key, sizeof(key), entry);
	if (entry == NULL && HASH_COUNT(*table) < SORTS_MAX) {
		entry = FW_ARENA_NEW(&report->arena, struct fw_report_entry);
		entry->key = key;
		HASH_ADD(hh, *table, key, sizeof(entry->key), entry);
	}
	return entry;
}

static void take_error(struct fw_report *report, const struct item *item, struct fw_slice text,
	struct fw_buf *out) {
	struct fw_report_entry *entry = entry_of(report, &report->errors, item->key);
	if (entry == NULL || entry->members++ == 0) {
		fw_buf_add_slice(out, text);
	}
}

static void take_warning(struct fw_report *report, const struct item *item, struct fw_slice text) {
	struct fw_report_entry *entry = entry_of(report, &report->warnings, item->key);
	if (entry == NULL) {
		report->more_warnings++;
		return;
	}
	if (entry->members++ == 0) {
		entry->of_all = item->of_all;
		entry->text = fw_arena_text(&report->arena, text);
	}
}

bool fw_report_take(
	struct fw_report *report, const char *member, struct fw_slice packet, struct fw_buf *out) {
	struct head head;
	struct item item;
	if (!cut(&packet, &head, sizeof(head))) {
		assert(!"a packet has a head");
	}
	fw_buf_add_slice(out, cut_text(&packet, head.lines_length));
	report->faults |= head.faults;
	report->files.written += head.files.written;
	report->files.unchanged += head.files.unchanged;
	report->files.stale += head.files.stale;
	while (cut(&packet, &item, sizeof(item))) {
		struct fw_slice text = cut_text(&packet, item.length);
		if (item.warning) {
			take_warning(report, &item, text);
		} else {
			take_error(report, &item, text, out);
		}
	}
	if (head.errors == 0) {
		return true;
	}
	report->failed++;
	if (report->failures.count < FAILURES_SHOWN) {
		FW_VEC_ADD(&report->failures, (struct fw_report_failure){member, head.errors});
	}
	return false;
}

void fw_report_warnings(const struct fw_report *report, struct fw_buf *out) {
	size_t shown = 0, more = report->more_warnings;
	size_t compiled = report->members - report->failed;
	for (const struct fw_report_entry *entry = report->warnings; entry != NULL;
		entry = entry->hh.next) {
		if (entry->of_all && entry->members != compiled) {
			continue;
		}
		if (shown++ >= FW_DIAGS_SHOWN) {
			more++;
			continue;
		}
		fw_buf_add_text(out, entry->text);
		if (entry->members > 1) {
			fw_buf_printf(out, "note: %zu of %zu members have this\n", entry->members,
				report->members);
		}
	}
	if (more != 0) {
		fw_buf_printf(out, "flowfw: %zu more warning%s not shown\n", more, fw_plural(more));
	}
}

void fw_report_failures(const struct fw_report *report, struct fw_buf *out) {
	for (size_t i = 0; i < report->failures.count; i++) {
		const struct fw_report_failure *failure = &report->failures.items[i];
		fw_buf_add_text(out, "flowfw: '");
		fw_buf_add_escaped(out, fw_slice(failure->member));
		fw_buf_printf(out, "' failed: %zu error%s\n", failure->errors,
			fw_plural(failure->errors));
	}
	if (report->failed > report->failures.count) {
		fw_buf_printf(
			out, "flowfw: %zu more failed\n", report->failed - report->failures.count);
	}
}
