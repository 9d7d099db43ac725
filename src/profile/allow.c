// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `allow-lint`: warnings that an author knows of and means, of a whole profile or of one service.
 */

#include "profile/draft.h"

#include <string.h>

/* Every id of a warning; those that backends, or rule sets, alone give are not missed where none is
 * asked. */
static const struct lint {
	const char *id;
	bool of_backend;
} lints[] = {
	{"essential-off", false},
	{"forward-claimed", false},
	{"hidden-service", false},
	{"hook-open", false},
	{"log-rate", true},
	{"lowered", true},
	{"masquerade-nobody", false},
	{"matches-nothing", false},
	{"nested-entry", false},
	{"no-admin-access", false},
	{"no-devices", false},
	{"open-to-any", false},
	{"plain-http", false},
	{"rule-set-remark", true},
	{"same-service", false},
	{"service-off", false},
	{"service-waiting", false},
	{"suspect-port", false},
	{"unset-group", false},
	{"untouched-stateless", true},
	{"unused-allow", false},
	{"unused-group", false},
	{"unused-interface", false},
	{"vpn-inside-off", false},
};

static const struct lint *find_lint(const char *id) {
	for (size_t i = 0; i < FW_LENGTH(lints); i++) {
		if (strcmp(lints[i].id, id) == 0) {
			return &lints[i];
		}
	}
	return NULL;
}

static void no_lint(struct draft *draft, const struct name_ref *ref) {
	const char *ids[FW_LENGTH(lints)];
	for (size_t i = 0; i < FW_LENGTH(lints); i++) {
		ids[i] = lints[i].id;
	}
	struct fw_diag *diag = fw_error(
		draft->diags, ref->span, "unknown-lint", "there is no warning '%s'", ref->name);
	fw_diag_suggest(draft->diags, diag, fw_slice(ref->name), ids, FW_LENGTH(ids));
	if (diag->hint == NULL) {
		fw_diag_hint(draft->diags, diag, "warnings end with their name: [open-to-any]");
	}
}

void fw_read_allow(
	struct draft *draft, const struct fw_yaml_node *node, struct name_refs *out_allow) {
	struct name_refs refs;
	bool on;

	/* Takes back what a lower layer allowed. */
	if (fw_node_is_switch(node, &on) && !on) {
		*out_allow = (struct name_refs){0};
		return;
	}
	if (!fw_read_names(draft, node, "a warning", &refs)) {
		return;
	}
	for (size_t i = 0; i < refs.count; i++) {
		if (find_lint(refs.items[i].name) == NULL) {
			no_lint(draft, &refs.items[i]);
		}
	}
	*out_allow = refs;
}

/* What a file allows that others build on may be of use to them alone. */
static void allow(struct draft *draft, const struct name_refs *refs, const char *service,
	const struct fw_source *nearest) {
	for (size_t i = 0; i < refs->count; i++) {
		const struct name_ref *ref = &refs->items[i];
		const struct lint *lint = find_lint(ref->name);
		if (lint != NULL) {
			fw_diags_allow(draft->diags,
				(struct fw_allowance){
					.id = lint->id,
					.about = service,
					.span = ref->span,
					.needed = !lint->of_backend && ref->span.source == nearest,
				});
		}
	}
}

void fw_allow(struct draft *draft, const struct fw_source *nearest) {
	allow(draft, &draft->allow, NULL, nearest);
	for (struct service *service = draft->services; service != NULL;
		service = service->hh.next) {
		allow(draft, &service->allow, service->id, nearest);
	}
}
