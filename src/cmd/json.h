// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_CMD_JSON_H
#define FW_CMD_JSON_H
/*
 * What `--json` prints: one object, whose keys stand in the order in which they were added. Values
 * go into the object or list that was opened last. Texts that are not UTF-8 are shown escaped.
 */

#include <jansson.h>

#include "cmd/cmd.h"

enum { FW_JSON_DEPTH_MAX = 16 };

struct fw_json {
	json_t *open[FW_JSON_DEPTH_MAX]; /* the whole first, then what is open in it */
	size_t depth;
};

/** Begins the object. */
void fw_json_init(struct fw_json *json);
void fw_json_fini(struct fw_json *json);

/* `key` is NULL inside of lists. */

/** An object, until fw_json_close. */
void fw_json_object(struct fw_json *json, const char *key);
/** A list, until fw_json_close. */
void fw_json_list(struct fw_json *json, const char *key);
void fw_json_close(struct fw_json *json);
/** NULL is null. */
void fw_json_text(struct fw_json *json, const char *key, const char *text);
void fw_json_slice(struct fw_json *json, const char *key, struct fw_slice text);
void fw_json_number(struct fw_json *json, const char *key, int64_t number);
void fw_json_bool(struct fw_json *json, const char *key, bool value);
void fw_json_null(struct fw_json *json, const char *key);

/** Writes it to standard output, once all is closed. False: an error is in the list. */
bool fw_json_print(struct fw_run *run, const struct fw_json *json);

#endif
