// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_MEANING_NAMES_H
#define FW_MEANING_NAMES_H
/* What authors call addresses. */

#include "meaning/meaning.h"

/** The group whose members of a family are these addresses; or NULL. `policy` may be NULL. */
const struct fw_set *fw_group_of(
	const struct fw_policy *policy, enum fw_family family, const struct fw_intervals *values);
/** Whether another policy, if there is one, means other addresses by the name of a group. */
bool fw_group_is_ambiguous(const struct fw_policy *other, const struct fw_set *group);
/** What an entry of exactly these addresses is called, in some set; or NULL. `policy` may be NULL.
 */
const char *fw_entry_name(const struct fw_policy *policy, const struct fw_range *range);

#endif
