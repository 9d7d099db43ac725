// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The table of backends. One more backend is one more line here, and a file of its own.
 */

#include <string.h>

#include "emit/registry.h"

const struct fw_emitter *const fw_emitters[] = {
	&fw_ip6tables_emitter,
	&fw_iptables_emitter,
	&fw_nftables_emitter,
	&fw_pf_emitter,
	NULL,
};

const struct fw_emitter *fw_emitter_find(const char *name) {
	for (const struct fw_emitter *const *emitter = fw_emitters; *emitter != NULL; emitter++) {
		if (strcmp((*emitter)->name, name) == 0) {
			return *emitter;
		}
	}
	return NULL;
}
