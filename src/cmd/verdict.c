// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What `flowfw check` says on standard output, see verdict.h.
 */

#include "cmd/verdict.h"

#include "cmd/json.h"

static size_t services_on(const struct fw_profile *profile) {
	size_t on = 0;

	for (size_t i = 0; i < profile->service_count; i++) {
		const struct fw_service_row *row = &profile->services[i];
		on += row->state == FW_SERVICE_ON && !fw_row_is_base(row);
	}
	return on;
}

void fw_verdict_print(struct fw_run *run, const struct fw_profile *profile, bool kernel) {
	size_t on = services_on(profile);
	size_t warnings = run->diags.warnings;
	FW_AUTO(fw_buf_fini) struct fw_buf line = {0};

	fw_buf_add_escaped(&line, fw_slice(profile->policy.name));
	fw_buf_printf(&line, ": valid; %zu service%s on, ", on, fw_plural(on));
	if (profile->policy.position != FW_HOST) {
		fw_buf_printf(&line, "%zu device%s, ", profile->device_count,
			fw_plural(profile->device_count));
	}
	fw_buf_printf(&line, "%zu warning%s", warnings, fw_plural(warnings));
	if (run->diags.silenced != 0) {
		fw_buf_printf(&line, ", %zu silenced", run->diags.silenced);
	}
	fw_buf_add_text(&line, kernel ? "; this kernel would load it\n" : "\n");
	fw_print(run, fw_buf_slice(&line));
}

/* ---- JSON ---- */

/* Nothing where it points nowhere. */
static void add_place(struct fw_json *json, struct fw_span span) {
	size_t line, column;

	if (span.source != NULL) {
		fw_span_place(span, &line, &column);
		fw_json_text(json, "file", span.source->name);
		fw_json_number(json, "line", (int64_t)line);
		fw_json_number(json, "column", (int64_t)column);
	}
}

static void add_diag(struct fw_json *json, const struct fw_diag *diag) {
	fw_json_object(json, NULL);
	fw_json_text(json, "id", diag->id);
	fw_json_text(json, "message", diag->message);
	add_place(json, diag->span);
	fw_json_list(json, "notes");
	for (size_t i = 0; i < diag->note_count; i++) {
		fw_json_object(json, NULL);
		fw_json_text(json, "message", diag->notes[i].text);
		add_place(json, diag->notes[i].span);
		fw_json_close(json);
	}
	fw_json_close(json);
	if (diag->hint != NULL) {
		fw_json_text(json, "hint", diag->hint);
	}
	if (diag->allowed != NULL) {
		fw_json_object(json, "allowed");
		add_place(json, diag->allowed->span);
		fw_json_close(json);
	}
	fw_json_close(json);
}

static void add_diags(struct fw_json *json, const char *key, const struct fw_diags *diags,
	enum fw_level level, bool silenced) {
	size_t count;
	const struct fw_diag **items = fw_diags_in_order(diags, &count);

	fw_json_list(json, key);
	for (size_t i = 0; i < count; i++) {
		if (items[i]->level == level && (items[i]->allowed != NULL) == silenced) {
			add_diag(json, items[i]);
		}
	}
	fw_json_close(json);
	free(items);
}

void fw_verdict_print_json(struct fw_run *run, const struct fw_profile *profile) {
	FW_AUTO(fw_json_fini) struct fw_json json;

	fw_json_init(&json);
	fw_json_text(
		&json, "profile", profile != NULL ? profile->policy.name : run->request.profile);
	fw_json_bool(&json, "valid", profile != NULL);
	if (profile != NULL) {
		fw_json_text(&json, "position", fw_position_names[profile->policy.position]);
		fw_json_number(&json, "services", (int64_t)services_on(profile));
		fw_json_number(&json, "devices", (int64_t)profile->device_count);
	}
	add_diags(&json, "errors", &run->diags, FW_ERROR, false);
	/* Those of a profile with mistakes may only follow from them. */
	if (profile != NULL) {
		add_diags(&json, "warnings", &run->diags, FW_WARNING, false);
		add_diags(&json, "silenced", &run->diags, FW_WARNING, true);
	}
	fw_json_print(run, &json);
}
