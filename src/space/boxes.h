// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_SPACE_BOXES_H
#define FW_SPACE_BOXES_H
/* The second half of listing a set. */

#include "space/space.h"

/**
 * Takes from boxes, which lie in `set` as far as `within` goes, all that they ask for without need,
 * and then takes out boxes that lie in others. Where that would be much work the boxes stay as they
 * are.
 */
void fw_boxes_widen(
	struct fw_spaces *spaces, struct fw_boxes *boxes, fw_space set, fw_space within);

#endif
