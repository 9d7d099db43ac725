// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_EMIT_NFTABLES_H
#define FW_EMIT_NFTABLES_H
/*
 * Private to the nftables backend: how its rules are written.
 */

#include "nftables/nftables.h"

/** "rate 10/minute burst 5 packets" */
void fw_nftables_add_rate(struct fw_buf *out, const struct fw_rate *rate);
/** One line, with its comment. */
void fw_nftables_add_rule(struct fw_buf *out, const struct fw_nft_rule *rule);

#endif
