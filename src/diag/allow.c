// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Warnings that authors allow: they are kept, with the place of the word that allows them, but they
 * do not count.
 */

#include "diag/allow.h"

#include <stdlib.h>
#include <string.h>

#define uthash_malloc(size)   fw_alloc(size)
#define uthash_fatal(message) abort()
#include <uthash.h>

struct entry {
	UT_hash_handle hh; /* by key */
	struct fw_allowance allowance;
	char key[]; /* the id, a NUL, the service */
};

struct fw_allowances {
	struct entry *table; /* in the order of arrival */
};

static size_t key_size(const char *id, const char *about) {
	return strlen(id) + 1 + (about != NULL ? strlen(about) : 0);
}

static void write_key(const char *id, const char *about, char *out) {
	size_t length = strlen(id) + 1;

	memcpy(out, id, length);
	if (about != NULL) {
		memcpy(out + length, about, strlen(about));
	}
}

static struct entry *find(struct fw_allowances *allowances, const char *id, const char *about) {
	struct entry *entry = NULL;

	if (allowances != NULL) {
		size_t size = key_size(id, about);
		char *key = fw_alloc(size);
		write_key(id, about, key);
		HASH_FIND(hh, allowances->table, key, size, entry);
		free(key);
	}
	return entry;
}

void fw_allowances_free(struct fw_allowances *allowances) {
	struct entry *entry, *next;

	if (allowances == NULL) {
		return;
	}
	HASH_ITER (hh, allowances->table, entry, next) {
		HASH_DEL(allowances->table, entry);
		free(entry);
	}
	free(allowances);
}

const struct fw_allowance *fw_allowance_use(
	struct fw_allowances *allowances, const char *id, const char *about) {
	struct entry *entry = find(allowances, id, about);

	if (entry == NULL) {
		return NULL;
	}
	entry->allowance.used = true;
	return &entry->allowance;
}

void fw_diags_allow(struct fw_diags *diags, struct fw_allowance allowance) {
	if (find(diags->allowances, allowance.id, allowance.about) != NULL) {
		return;
	}
	if (diags->allowances == NULL) {
		diags->allowances = fw_alloc(sizeof(*diags->allowances));
	}
	size_t size = key_size(allowance.id, allowance.about);
	struct entry *entry = fw_alloc(sizeof(*entry) + size);
	entry->allowance = allowance;
	write_key(allowance.id, allowance.about, entry->key);
	HASH_ADD_KEYPTR(hh, diags->allowances->table, entry->key, size, entry);
}

bool fw_diags_allows(struct fw_diags *diags, const char *id, const char *service) {
	return fw_allowance_use(diags->allowances, id, service) != NULL;
}

void fw_diag_about(struct fw_diags *diags, struct fw_diag *diag, const char *service) {
	if (diag->level != FW_WARNING) {
		return;
	}
	const struct fw_allowance *allowance =
		fw_allowance_use(diags->allowances, diag->id, service);
	if (allowance != NULL && diag->allowed == NULL) {
		diag->allowed = allowance;
		diags->warnings--;
		diags->silenced++;
	}
}

void fw_diags_unused(struct fw_diags *diags) {
	static const char id[] = "unused-allow";

	if (diags->allowances == NULL) {
		return;
	}
	for (struct entry *entry = diags->allowances->table; entry != NULL;
		entry = entry->hh.next) {
		const struct fw_allowance *allowance = &entry->allowance;
		if (allowance->needed && !allowance->used && strcmp(allowance->id, id) != 0) {
			struct fw_diag *diag = fw_warning(diags, allowance->span, id,
				"there is no warning '%s' to allow", allowance->id);
			fw_diag_hint(diags, diag, "take it out, so that it hides no later one");
		}
	}
}
