// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_EMIT_REGISTRY_H
#define FW_EMIT_REGISTRY_H
/*
 * The backends, each defined in the file of its name.
 */

#include "emit/emit.h"

extern const struct fw_emitter fw_ip6tables_emitter;
extern const struct fw_emitter fw_iptables_emitter;
extern const struct fw_emitter fw_nftables_emitter;
extern const struct fw_emitter fw_pf_emitter;

#endif
