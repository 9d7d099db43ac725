// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * flowfw list: what there is to choose from, as tables for people. Columns are aligned by code
 * points; a column that is empty in every row is left out.
 */

#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "emit/emit.h"

enum { OPTION_ALL = FW_OPTION_OWN, OPTION_LONG };

static const char help[] =
	"usage: flowfw list WHAT [options] [PROFILE]\n"
	"Shows what there is. WHAT is one of\n"
	"  services   the port table of a profile: what listens, what it calls, for whom\n"
	"  groups     the groups of addresses that a profile knows, and what they hold\n"
	"  profiles   the profiles that --profile and 'extends:' take by name\n"
	"  roles      what profiles are made of\n"
	"  backends   the kinds of rule sets that 'flowfw gen' writes\n"
	"  frames     the texts that 'flowfw gen --frame' puts around the rules\n"
	"\n"
	"with services and groups\n"
	"  -p, --profile PROFILE   name of a shipped profile, or path of a site file\n"
	"      --set PATH=VALUE    change one key, as a site file would; may be repeated\n"
	"      --only LEVELS       only services of these levels: required, recommended,\n"
	"                          optional; with commas between them\n"
	"      --without LEVELS    no services of these levels\n"
	"with services\n"
	"      --long              what breaks when a service is blocked, and notes\n"
	"      --all               the base rules too, and services outside the profile\n"
	"\n"
	"  -h, --help              this text\n"
	"\n"
	"exit: 0 fine, 2 usage, 3 invalid profile, 5 system failure. See flowfw(1).\n";

static const struct option options[] = {
	FW_PROFILE_OPTIONS,
	{"all", no_argument, NULL, OPTION_ALL},
	{"long", no_argument, NULL, OPTION_LONG},
	FW_HELP_OPTION,
	{0},
};

/* ---- tables ---- */

enum { COLUMNS_MAX = 8, DETAILS_MAX = 2 };

struct row {
	const char *cells[COLUMNS_MAX];
	const char *details[DETAILS_MAX]; /* lines below the row, or NULL */
};

struct table {
	struct fw_arena *arena;
	size_t columns;
	FW_VEC(struct row) rows; /* the first one is the head */
};

static void table_fini(struct table *table) {
	FW_VEC_FINI(&table->rows);
}

/** An author's text as it may stand on a terminal. */
static const char *printable(struct fw_arena *arena, const char *text) {
	FW_AUTO(fw_buf_fini) struct fw_buf escaped = {0};
	fw_buf_add_escaped(&escaped, fw_slice(text));
	return fw_arena_text(arena, fw_buf_slice(&escaped));
}

/** Adds a row; a cell that is NULL shows as "-", an empty one as nothing. */
static struct row *table_add(struct table *table, struct row row) {
	for (size_t i = 0; i < table->columns; i++) {
		row.cells[i] = row.cells[i] != NULL ? printable(table->arena, row.cells[i]) : "-";
	}
	FW_VEC_ADD(&table->rows, row);
	return &table->rows.items[table->rows.count - 1];
}

static size_t code_points(const char *text) {
	size_t count = 0;
	for (; *text != '\0'; text++) {
		count += ((unsigned char)*text & 0xc0) != 0x80;
	}
	return count;
}

/** 0 for a column that has a head and nothing below it. */
static size_t column_width(const struct table *table, size_t column) {
	size_t width = 0;
	for (size_t i = 1; i < table->rows.count; i++) {
		size_t length = code_points(table->rows.items[i].cells[column]);
		width = length > width ? length : width;
	}
	size_t head = code_points(table->rows.items[0].cells[column]);
	return width != 0 && head > width ? head : width;
}

static void add_blanks(struct fw_buf *out, size_t count) {
	memset(fw_buf_reserve(out, count), ' ', count);
	fw_buf_grew(out, count);
}

static void row_format(
	const struct row *row, size_t columns, const size_t widths[], struct fw_buf *out) {
	size_t owed = 0; /* blanks before the next text, so that no line ends in them */
	for (size_t i = 0; i < columns; i++) {
		if (widths[i] == 0) {
			continue;
		}
		size_t length = code_points(row->cells[i]);
		if (length != 0) {
			add_blanks(out, owed);
			fw_buf_add_text(out, row->cells[i]);
			owed = 0;
		}
		owed += widths[i] - length + 2;
	}
	fw_buf_add_char(out, '\n');
	for (size_t i = 0; i < DETAILS_MAX; i++) {
		if (row->details[i] != NULL) {
			fw_buf_printf(out, "    %s\n", row->details[i]);
		}
	}
}

/** A head with nothing below it is nothing. */
static void table_format(const struct table *table, struct fw_buf *out) {
	if (table->rows.count == 1) {
		return;
	}
	size_t widths[COLUMNS_MAX];
	for (size_t i = 0; i < table->columns; i++) {
		widths[i] = column_width(table, i);
	}
	for (size_t i = 0; i < table->rows.count; i++) {
		row_format(&table->rows.items[i], table->columns, widths, out);
	}
}

/* ---- what there is: each fills a table; false: an error is in the list ---- */

/** What to list, and how much of it. */
struct listing {
	bool all, details;
};

static const char *detail(struct fw_arena *arena, const char *label, const char *text) {
	return text != NULL ? fw_arena_printf(arena, "%s: %s", label, printable(arena, text))
			    : NULL;
}

static const char *service_state(const struct fw_service_row *service) {
	return service->state != FW_SERVICE_ON ? fw_service_state_names[service->state] : "";
}

/** Not a base rule, and asked for by a role or turned on by the site. */
static bool is_of_profile(const struct fw_service_row *service) {
	return !fw_row_is_base(service) &&
	       (service->role != NULL || service->state != FW_SERVICE_OFF);
}

static bool list_services(struct fw_run *run, const struct listing *listing, struct table *table) {
	struct fw_profile profile;
	if (!fw_run_profile(run, &profile)) {
		return false;
	}
	table->columns = 8;
	table_add(table, (struct row){{"SERVICE", "WHAT", "PORT", "DIRECTION", "LEVEL", "PEERS",
				 "PROVENANCE", "STATE"}});
	for (size_t i = 0; i < profile.service_count; i++) {
		const struct fw_service_row *service = &profile.services[i];
		if (!listing->all && !is_of_profile(service)) {
			continue;
		}
		struct row *row = table_add(
			table, (struct row){{service->id, service->title, service->ports,
				       service->direction, fw_importance_names[service->level],
				       service->peers, fw_provenance_names[service->provenance],
				       service_state(service)}});
		if (listing->details) {
			row->details[0] = detail(&run->arena, "breaks", service->breaks);
			row->details[1] = detail(&run->arena, "note", service->note);
		}
	}
	return true;
}

static const char *group_members(struct fw_arena *arena, const struct fw_group_row *group) {
	if (!group->set) {
		return fw_arena_printf(arena, "unset (%s)", group->unset);
	}
	return group->entries != 0 ? fw_arena_printf(arena, "%zu", group->entries) : "any";
}

static bool list_groups(struct fw_run *run, const struct listing *listing, struct table *table) {
	(void)listing;
	struct fw_profile profile;
	if (!fw_run_profile(run, &profile)) {
		return false;
	}
	table->columns = 3;
	table_add(table, (struct row){{"GROUP", "WHAT", "ENTRIES"}});
	for (size_t i = 0; i < profile.group_count; i++) {
		const struct fw_group_row *group = &profile.groups[i];
		table_add(table, (struct row){{group->name, group->title,
					 group_members(&run->arena, group)}});
	}
	return true;
}

static bool list_library(
	struct fw_run *run, enum fw_library_kind kind, const char *head, struct table *table) {
	const struct fw_library_row *rows;
	size_t count;
	if (!fw_library_list(&run->arena, &run->library, kind, &rows, &count, &run->diags)) {
		return false;
	}
	table->columns = 3;
	table_add(table, (struct row){{head, "WHAT", "FILE"}});
	for (size_t i = 0; i < count; i++) {
		table_add(table, (struct row){{rows[i].name, rows[i].title, rows[i].path}});
	}
	return true;
}

static bool list_profiles(struct fw_run *run, const struct listing *listing, struct table *table) {
	(void)listing;
	return list_library(run, FW_LIBRARY_PROFILES, "PROFILE", table);
}

static bool list_roles(struct fw_run *run, const struct listing *listing, struct table *table) {
	(void)listing;
	return list_library(run, FW_LIBRARY_ROLES, "ROLE", table);
}

static bool list_backends(struct fw_run *run, const struct listing *listing, struct table *table) {
	(void)run;
	(void)listing;
	table->columns = 3;
	table_add(table, (struct row){{"BACKEND", "WHAT", "FILES"}});
	for (size_t i = 0; fw_emitters[i] != NULL; i++) {
		table_add(table, (struct row){{fw_emitters[i]->name, fw_emitters[i]->summary,
					 fw_emitters[i]->suffix}});
	}
	return true;
}

/** A frame says what it is for in the first of its own comments: `#% …`. */
static const char *frame_summary(struct fw_run *run, const struct fw_source *frame) {
	struct fw_slice rest = frame->text;
	while (rest.data != NULL) {
		struct fw_slice line = fw_slice_cut(&rest, '\n');
		if (line.length > 2 && memcmp(line.data, "#%", 2) == 0) {
			struct fw_slice text = {line.data + 2, line.length - 2};
			return fw_arena_text(&run->arena, fw_slice_trim(text));
		}
	}
	return NULL;
}

static bool list_frames_of(
	struct fw_run *run, const struct fw_emitter *emitter, struct table *table) {
	FW_AUTO(fw_frames_fini) struct fw_frames frames = {0};
	if (!fw_frames_list(run, emitter, &frames)) {
		return false;
	}
	for (size_t i = 0; i < frames.names.count; i++) {
		const char *name = frames.names.items[i];
		const struct fw_source *frame = fw_frame_read(run, emitter, name);
		if (frame == NULL) {
			return false;
		}
		table_add(table, (struct row){{emitter->name, name, frame_summary(run, frame),
					 strcmp(name, emitter->frame) == 0 ? "default" : ""}});
	}
	return true;
}

static bool list_frames(struct fw_run *run, const struct listing *listing, struct table *table) {
	(void)listing;
	table->columns = 4;
	table_add(table, (struct row){{"BACKEND", "FRAME", "WHAT", ""}});
	for (size_t i = 0; fw_emitters[i] != NULL; i++) {
		if (!list_frames_of(run, fw_emitters[i], table)) {
			return false;
		}
	}
	return true;
}

/* ---- the command ---- */

struct topic {
	const char *name;
	bool profile;  /* it is about one */
	bool services; /* takes --all and --long */
	bool (*list)(struct fw_run *run, const struct listing *listing, struct table *table);
};

static const struct topic topics[] = {
	{"services", true, true, list_services},
	{"groups", true, false, list_groups},
	{"profiles", false, false, list_profiles},
	{"roles", false, false, list_roles},
	{"backends", false, false, list_backends},
	{"frames", false, false, list_frames},
};

static const struct topic *topic_find(struct fw_run *run, const char *name) {
	const char *names[FW_LENGTH(topics)];
	for (size_t i = 0; i < FW_LENGTH(topics); i++) {
		if (strcmp(topics[i].name, name) == 0) {
			return &topics[i];
		}
		names[i] = topics[i].name;
	}
	struct fw_diag *diag = fw_usage(&run->diags, "unknown-topic",
		"'%s' cannot be listed; there are services, groups, profiles, roles, backends and "
		"frames",
		name);
	fw_diag_suggest(&run->diags, diag, fw_slice(name), names, FW_LENGTH(names));
	return NULL;
}

/** Options that say nothing about this topic are mistakes, not decoration. */
static void topic_check(
	struct fw_run *run, const struct topic *topic, const struct listing *listing) {
	if (topic->profile) {
		fw_option_need_profile(run, fw_arena_printf(&run->arena, "list %s", topic->name));
	} else if (run->request.profile != NULL || run->sets.count != 0) {
		fw_usage(&run->diags, "option-conflict", "list %s takes no profile", topic->name);
	}
	if (!topic->services && (listing->all || listing->details)) {
		fw_usage(
			&run->diags, "option-conflict", "--all and --long are for 'list services'");
	}
}

static const struct topic *read_arguments(
	struct fw_run *run, int argc, char *argv[], struct listing *listing) {
	int option;
	while ((option = fw_option_next(run, argc, argv, ":p:h", options)) != -1) {
		if (option == OPTION_ALL) {
			listing->all = true;
		} else if (option == OPTION_LONG) {
			listing->details = true;
		}
	}
	if (!fw_options_fine(run)) {
		return NULL;
	}
	if (optind == argc) {
		fw_usage(&run->diags, "operands",
			"list what? services, groups, profiles, roles, backends or frames");
		return NULL;
	}
	const struct topic *topic = topic_find(run, argv[optind]);
	fw_option_profiles(run, argc - optind - 1, argv + optind + 1);
	if (topic != NULL) {
		topic_check(run, topic, listing);
	}
	return topic;
}

static enum fw_exit run_list(struct fw_run *run, int argc, char *argv[]) {
	run->quiet = true; /* tables are looked at; finding fault is what `check` is for */
	struct listing listing = {0};
	const struct topic *topic = read_arguments(run, argc, argv, &listing);
	if (topic == NULL || !fw_options_fine(run)) {
		return FW_EXIT_FINE;
	}
	FW_AUTO(table_fini) struct table table = {.arena = &run->arena};
	if (topic->list(run, &listing, &table)) {
		FW_AUTO(fw_buf_fini) struct fw_buf text = {0};
		table_format(&table, &text);
		fw_print(run, fw_buf_slice(&text));
	}
	return FW_EXIT_FINE;
}

const struct fw_command fw_command_list = {"list", help, run_list};
