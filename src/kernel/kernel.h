// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_KERNEL_KERNEL_H
#define FW_KERNEL_KERNEL_H
/*
 * The running kernel: a lowered policy as nf_tables messages (libnftnl), handed over as a dry run.
 */

#include "nftables/nftables.h"

/**
 * Asks the running kernel, in the caller's network namespace, whether it would load the table that
 * filters, and those that translate; nothing is changed. What it lacks is an error at the place of
 * the service that needs it. False: an error is in the list.
 */
bool fw_kernel_check(const struct fw_nft_table *table, struct fw_diags *diags);

#endif
