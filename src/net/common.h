// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_NET_COMMON_H
#define FW_NET_COMMON_H
/* What the parsers of this module share: decimal numbers as nets write them. */

#include "net/net.h"

/**
 * Reads a decimal number from 0 to `limit`. Returns FW_NET_NONE and sets *out_value, or
 * FW_NET_LEADING_ZERO, or else `fault`.
 */
enum fw_net_fault fw_number_parse(
	struct fw_slice text, uint64_t limit, enum fw_net_fault fault, uint64_t *out_value);

#endif
