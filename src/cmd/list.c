// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * flowfw list: what there is to choose from, as tables for people.
 */

#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/table.h"
#include "emit/emit.h"

enum { OPTION_ALL = FW_OPTION_OWN, OPTION_LONG };

static const char help[] =
	"usage: flowfw list WHAT [options] [PROFILE]\n"
	"Shows what there is. WHAT is one of\n"
	"  services   the port table of a profile: what listens, what it calls, for whom\n"
	"  groups     the groups of addresses that a profile knows, and what they hold\n"
	"  devices    the devices behind a gateway, or of a client, and how FLOW\n"
	"             Insights calls each: ADDRESS:PORT BLOCK:PORT NODE\n"
	"  profiles   the profiles that --profile and 'extends:' take by name\n"
	"  roles      what profiles are made of\n"
	"  backends   the kinds of rule sets that 'flowfw gen' writes\n"
	"  frames     the texts that 'flowfw gen --frame' puts around the rules\n"
	"\n"
	"with services, groups and devices\n"
	"  -p, --profile PROFILE   name of a shipped profile, or path of a site file\n"
	"      --set PATH=VALUE    change one key, as a site file would; may be repeated\n"
	"      --only LEVELS       only services of these levels: required, recommended,\n"
	"                          optional; with commas between them\n"
	"      --without LEVELS    no services of these levels\n"
	"with services\n"
	"      --long              what breaks when a service is blocked, and notes\n"
	"      --all               the base rules too, and services outside the profile\n"
	"with devices\n"
	"      --long              each forwarded port\n"
	"with backends and frames\n"
	"      --plugin-dir DIR    those of the plug-ins in DIR too; may be repeated\n"
	"with backends\n"
	"      --long              frames, options, and what each backend can express\n"
	"\n"
	"  -h, --help              this text\n"
	"\n"
	"exit: 0 fine, 2 usage, 3 invalid profile, 5 system failure. See flowfw(1).\n";

static const struct option options[] = {
	FW_PROFILE_OPTIONS,
	{"all", no_argument, NULL, OPTION_ALL},
	{"long", no_argument, NULL, OPTION_LONG},
	FW_PLUGIN_OPTION,
	FW_HELP_OPTION,
	{0},
};

/* ---- what there is: each fills a table; false: an error is in the list ---- */

/** What to list, and how much of it. */
struct listing {
	bool all, details;
};

static const char *service_state(const struct fw_service_row *service) {
	return service->state != FW_SERVICE_ON ? fw_service_state_names[service->state] : "";
}

/** Not a base rule, and asked for by a role or turned on by the site. */
static bool is_of_profile(const struct fw_service_row *service) {
	return !fw_row_is_base(service) &&
	       (service->role != NULL || service->state != FW_SERVICE_OFF);
}

static bool list_services(
	struct fw_run *run, const struct listing *listing, struct fw_table *table) {
	struct fw_profile profile;
	if (!fw_run_profile(run, &profile)) {
		return false;
	}
	table->columns = 8;
	fw_table_add(table, (const char *[]){"SERVICE", "WHAT", "PORT", "DIRECTION", "LEVEL",
				    "PEERS", "PROVENANCE", "STATE"});
	for (size_t i = 0; i < profile.service_count; i++) {
		const struct fw_service_row *service = &profile.services[i];
		if (!listing->all && !is_of_profile(service)) {
			continue;
		}
		fw_table_add(
			table, (const char *[]){service->id, service->title, service->ports,
				       service->direction, fw_importance_names[service->level],
				       service->peers, fw_provenance_names[service->provenance],
				       service_state(service)});
		if (listing->details) {
			fw_table_add_detail(table, "breaks", service->breaks);
			fw_table_add_detail(table, "note", service->note);
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

static bool list_groups(struct fw_run *run, const struct listing *listing, struct fw_table *table) {
	(void)listing;
	struct fw_profile profile;
	if (!fw_run_profile(run, &profile)) {
		return false;
	}
	table->columns = 3;
	fw_table_add(table, (const char *[]){"GROUP", "WHAT", "ENTRIES"});
	for (size_t i = 0; i < profile.group_count; i++) {
		const struct fw_group_row *group = &profile.groups[i];
		fw_table_add(table, (const char *[]){group->name, group->title,
					    group_members(&run->arena, group)});
	}
	return true;
}

/** Below a device: where each of its outside ports leads. */
static void add_forwardings(struct fw_run *run, const struct fw_translation *translation,
	const struct fw_device *device, struct fw_table *table) {
	for (size_t i = 0; i < translation->forwarding_count; i++) {
		const struct fw_forwarding *forwarding = &translation->forwardings[i];
		if (device->name == NULL || strcmp(forwarding->device, device->name) != 0) {
			continue;
		}
		FW_AUTO(fw_buf_fini) struct fw_buf text = {0};
		fw_buf_printf(&text, "%u/%s to %s", forwarding->outside_port,
			fw_protocol_name(forwarding->protocol),
			forwarding->family == FW_IPV6 ? "[" : "");
		fw_addr_format(forwarding->family, forwarding->address, &text);
		fw_buf_printf(
			&text, "%s:%u", forwarding->family == FW_IPV6 ? "]" : "", forwarding->port);
		fw_table_add_detail(table, forwarding->service,
			fw_arena_text(&run->arena, fw_buf_slice(&text)));
	}
}

static bool list_devices(
	struct fw_run *run, const struct listing *listing, struct fw_table *table) {
	struct fw_profile profile;
	if (!fw_run_profile(run, &profile)) {
		return false;
	}
	if (profile.policy.position == FW_HOST) {
		struct fw_diag *diag = fw_usage(&run->diags, "no-devices",
			"'%s' is a host's profile, which has no devices", profile.policy.name);
		fw_diag_hint(&run->diags, diag,
			"devices are a gateway's or a client's: `extends: gateway`, "
			"`extends: insights`");
		return false;
	}
	table->columns = 5;
	fw_table_add(table, (const char *[]){"DEVICE", "LOGIN", "INSIDE", "PROFILE", "WHAT"});
	for (size_t i = 0; i < profile.device_count; i++) {
		const struct fw_device *device = &profile.devices[i];
		for (size_t j = 0; j < device->login_count; j++) {
			const struct fw_login *login = &device->logins[j];
			fw_table_add(table, (const char *[]){device->name, login->outside,
						    login->inside != NULL ? login->inside : "",
						    device->profile != NULL ? device->profile : "",
						    device->title != NULL ? device->title : ""});
		}
		if (listing->details) {
			add_forwardings(run, &profile.policy.translation, device, table);
		}
	}
	return true;
}

static bool list_library(
	struct fw_run *run, enum fw_library_kind kind, const char *head, struct fw_table *table) {
	const struct fw_library_row *rows;
	size_t count;
	if (!fw_library_list(&run->arena, &run->library, kind, &rows, &count, &run->diags)) {
		return false;
	}
	table->columns = 3;
	fw_table_add(table, (const char *[]){head, "WHAT", "FILE"});
	for (size_t i = 0; i < count; i++) {
		fw_table_add(table, (const char *[]){rows[i].name, rows[i].title, rows[i].path});
	}
	return true;
}

static bool list_profiles(
	struct fw_run *run, const struct listing *listing, struct fw_table *table) {
	(void)listing;
	return list_library(run, FW_LIBRARY_PROFILES, "PROFILE", table);
}

static bool list_roles(struct fw_run *run, const struct listing *listing, struct fw_table *table) {
	(void)listing;
	return list_library(run, FW_LIBRARY_ROLES, "ROLE", table);
}

/** "a, b, c", with ` (default)` behind the first. */
static const char *frame_names(struct fw_arena *arena, const struct fw_emitter *emitter) {
	FW_AUTO(fw_buf_fini) struct fw_buf text = {0};
	for (const struct fw_frame_spec *spec = emitter->frames; spec->name != NULL; spec++) {
		bool first = spec == emitter->frames;
		fw_buf_printf(
			&text, "%s%s%s", first ? "" : ", ", spec->name, first ? " (default)" : "");
	}
	return fw_arena_text(arena, fw_buf_slice(&text));
}

/** "-O name=a|b". */
static const char *option_usage(struct fw_arena *arena, const struct fw_option_spec *option) {
	FW_AUTO(fw_buf_fini) struct fw_buf text = {0};
	fw_buf_printf(&text, "-O %s=", option->name);
	for (size_t i = 0; option->values[i] != NULL; i++) {
		fw_buf_printf(&text, "%s%s", i != 0 ? "|" : "", option->values[i]);
	}
	return fw_arena_text(arena, fw_buf_slice(&text));
}

static void describe_backend(
	struct fw_run *run, const struct fw_emitter *emitter, struct fw_table *table) {
	fw_table_add_detail(table, "frames", frame_names(&run->arena, emitter));
	for (size_t i = 0; i < emitter->option_count; i++) {
		const struct fw_option_spec *option = &emitter->options[i];
		fw_table_add_detail(table, option_usage(&run->arena, option),
			fw_arena_printf(&run->arena, "%s (default: %s)", option->summary,
				option->values[0]));
	}
}

static bool list_backends(
	struct fw_run *run, const struct listing *listing, struct fw_table *table) {
	const struct fw_emitter *const *emitters = fw_run_emitters(run);
	table->columns = 3;
	fw_table_add(table, (const char *[]){"BACKEND", "WHAT", "FILES"});
	for (size_t i = 0; emitters[i] != NULL; i++) {
		fw_table_add(table, (const char *[]){emitters[i]->name, emitters[i]->summary,
					    emitters[i]->suffix});
		if (listing->details) {
			describe_backend(run, emitters[i], table);
		}
	}
	return true;
}

/** A backend under some of its options: one column of the matrix. */
struct column {
	const char *head;
	const struct fw_emitter *emitter;
	struct fw_options options;
};

struct columns {
	FW_VEC(struct column) list;
};

static void columns_fini(struct columns *columns) {
	FW_VEC_FINI(&columns->list);
}

static void add_columns(
	struct fw_run *run, struct columns *columns, const struct fw_emitter *emitter) {
	struct column plain = {.head = emitter->name, .emitter = emitter};
	fw_options_init(&plain.options, emitter);
	FW_VEC_ADD(&columns->list, plain);
	for (size_t i = 0; emitter->variants != NULL && emitter->variants[i] != NULL; i++) {
		struct column variant = plain;
		fw_options_set(&variant.options, emitter, emitter->variants[i], &run->diags);
		/* What is the default has its column already. */
		if (memcmp(&variant.options, &plain.options, sizeof(plain.options)) != 0) {
			variant.head = fw_arena_printf(
				&run->arena, "%s (%s)", emitter->name, emitter->variants[i]);
			FW_VEC_ADD(&columns->list, variant);
		}
	}
}

static void find_columns(struct fw_run *run, struct columns *columns) {
	const struct fw_emitter *const *emitters = fw_run_emitters(run);
	for (size_t i = 0; emitters[i] != NULL; i++) {
		add_columns(run, columns, emitters[i]);
	}
}

/** Which backend can say what: a row for each feature, a column for each backend. */
static bool list_matrix(struct fw_run *run, const struct listing *listing, struct fw_table *table) {
	(void)listing;
	FW_AUTO(columns_fini) struct columns columns = {0};
	find_columns(run, &columns);
	size_t count = columns.list.count;
	const char **cells = FW_ARENA_ARRAY(&run->arena, const char *, count + 2);
	table->columns = count + 2;
	for (int feature = FW_FEATURE_NONE; feature < FW_FEATURE_COUNT; feature++) {
		bool head = feature == FW_FEATURE_NONE;
		cells[0] = head ? "FEATURE" : fw_feature_names[feature];
		for (size_t i = 0; i < count; i++) {
			const struct column *column = &columns.list.items[i];
			cells[i + 1] = head ? column->head
					    : fw_support_names[fw_emitter_support(column->emitter,
						      &column->options, (enum fw_feature)feature)];
		}
		cells[count + 1] = head ? "WHAT" : fw_feature_texts[feature];
		fw_table_add(table, cells);
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
	struct fw_run *run, const struct fw_emitter *emitter, struct fw_table *table) {
	for (const struct fw_frame_spec *spec = emitter->frames; spec->name != NULL; spec++) {
		const struct fw_source *frame = fw_frame_read(run, emitter, spec);
		if (frame == NULL) {
			return false;
		}
		fw_table_add(table,
			(const char *[]){emitter->name, spec->name, frame_summary(run, frame),
				spec == emitter->frames ? "default" : ""});
	}
	return true;
}

static bool list_frames(struct fw_run *run, const struct listing *listing, struct fw_table *table) {
	(void)listing;
	table->columns = 4;
	fw_table_add(table, (const char *[]){"BACKEND", "FRAME", "WHAT", ""});
	const struct fw_emitter *const *emitters = fw_run_emitters(run);
	for (size_t i = 0; emitters[i] != NULL; i++) {
		if (!list_frames_of(run, emitters[i], table)) {
			return false;
		}
	}
	return true;
}

/* ---- the command ---- */

typedef bool lister(struct fw_run *run, const struct listing *listing, struct fw_table *table);

struct topic {
	const char *name;
	/* What it is about, and so which options say something about it. */
	bool profile, backends, all, details;
	lister *list;
	lister *more; /* a second table with --long, or NULL */
};

static const struct topic topics[] = {
	{"services", .profile = true, .all = true, .details = true, .list = list_services},
	{"groups", .profile = true, .list = list_groups},
	{"devices", .profile = true, .details = true, .list = list_devices},
	{"profiles", .list = list_profiles},
	{"roles", .list = list_roles},
	{"backends", .backends = true, .details = true, .list = list_backends, .more = list_matrix},
	{"frames", .backends = true, .list = list_frames},
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
		"'%s' cannot be listed; there are services, groups, devices, profiles, roles, "
		"backends and frames",
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
	if (listing->all && !topic->all) {
		fw_usage(&run->diags, "option-conflict", "--all is for 'list services'");
	}
	if (listing->details && !topic->details) {
		fw_usage(&run->diags, "option-conflict",
			"--long is for 'list services', 'list devices' and 'list backends'");
	}
	if (run->plugin_folders.count != 0 && !topic->backends) {
		fw_usage(&run->diags, "option-conflict",
			"--plugin-dir is for 'list backends' and 'list frames'");
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
			"list what? services, groups, devices, profiles, roles, backends or "
			"frames");
		return NULL;
	}
	const struct topic *topic = topic_find(run, argv[optind]);
	fw_option_profiles(run, argc - optind - 1, argv + optind + 1);
	if (topic != NULL) {
		topic_check(run, topic, listing);
	}
	return topic;
}

/** False: an error is in the list. */
static bool add_table(
	struct fw_run *run, const struct listing *listing, lister *list, struct fw_buf *out) {
	FW_AUTO(fw_table_fini) struct fw_table table = {.arena = &run->arena};
	bool listed = list(run, listing, &table);
	if (listed) {
		fw_table_format(&table, out);
	}
	return listed;
}

static enum fw_exit run_list(struct fw_run *run, int argc, char *argv[]) {
	run->quiet = true; /* tables are looked at; finding fault is what `check` is for */
	struct listing listing = {0};
	const struct topic *topic = read_arguments(run, argc, argv, &listing);
	if (topic == NULL || !fw_options_fine(run) || !fw_run_plugins(run)) {
		return FW_EXIT_FINE;
	}
	FW_AUTO(fw_buf_fini) struct fw_buf text = {0};
	bool listed = add_table(run, &listing, topic->list, &text);
	if (listed && listing.details && topic->more != NULL) {
		fw_buf_add_char(&text, '\n');
		listed = add_table(run, &listing, topic->more, &text);
	}
	if (listed) {
		fw_print(run, fw_buf_slice(&text));
	}
	return FW_EXIT_FINE;
}

const struct fw_command fw_command_list = {"list", help, run_list};
