// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What `--json` prints, see json.h. jansson keeps the order of keys, and refuses what is not UTF-8.
 */

#include "cmd/json.h"

#include <assert.h>
#include <stdlib.h>

enum { INDENT = 2 };

static json_t *innermost(const struct fw_json *json) {
	assert(json->depth > 0);
	return json->open[json->depth - 1];
}

/* Hands the value over. */
static void add(struct fw_json *json, const char *key, json_t *value) {
	json_t *into = innermost(json);
	int failed = key != NULL ? json_object_set_new(into, key, value)
				 : json_array_append_new(into, value);

	assert(failed == 0); /* memory does not run out; a key where one belongs */
}

static void open_value(struct fw_json *json, const char *key, json_t *value) {
	assert(json->depth < FW_JSON_DEPTH_MAX);
	add(json, key, value);
	json->open[json->depth++] = value;
}

void fw_json_init(struct fw_json *json) {
	json_set_alloc_funcs(fw_alloc, free);
	*json = (struct fw_json){.open = {json_object()}, .depth = 1};
}

void fw_json_fini(struct fw_json *json) {
	json_decref(json->open[0]);
	*json = (struct fw_json){0};
}

void fw_json_object(struct fw_json *json, const char *key) {
	open_value(json, key, json_object());
}

void fw_json_list(struct fw_json *json, const char *key) {
	open_value(json, key, json_array());
}

void fw_json_close(struct fw_json *json) {
	assert(json->depth > 1);
	json->depth--;
}

void fw_json_slice(struct fw_json *json, const char *key, struct fw_slice text) {
	json_t *value = json_stringn(text.data != NULL ? text.data : "", text.length);

	if (value == NULL) { /* not UTF-8 */
		FW_AUTO(fw_buf_fini) struct fw_buf escaped = {0};
		fw_buf_add_escaped(&escaped, text);
		value = json_stringn(escaped.data, escaped.length);
	}
	add(json, key, value);
}

void fw_json_text(struct fw_json *json, const char *key, const char *text) {
	if (text == NULL) {
		fw_json_null(json, key);
	} else {
		fw_json_slice(json, key, fw_slice(text));
	}
}

void fw_json_number(struct fw_json *json, const char *key, int64_t number) {
	add(json, key, json_integer(number));
}

void fw_json_bool(struct fw_json *json, const char *key, bool value) {
	add(json, key, json_boolean(value));
}

void fw_json_null(struct fw_json *json, const char *key) {
	add(json, key, json_null());
}

static int add_text(const char *text, size_t length, void *context) {
	fw_buf_add(context, text, length);
	return 0;
}

bool fw_json_print(struct fw_run *run, const struct fw_json *json) {
	FW_AUTO(fw_buf_fini) struct fw_buf text = {0};

	assert(json->depth == 1);
	json_dump_callback(json->open[0], add_text, &text, JSON_INDENT(INDENT));
	fw_buf_add_char(&text, '\n');
	return fw_print(run, fw_buf_slice(&text));
}
