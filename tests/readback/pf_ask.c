// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reads a pf.conf and answers what becomes of packets, for pf.py:
 *
 *     pf_ask openbsd|freebsd conf|anchor FILE [INTERFACE…] < questions
 *
 * A question is a line: hook, in- and out-interface (- for none), family, protocol, source,
 * destination, source port or type, destination port or code, TCP flags as a number, whether it was
 * translated. First comes
 * what was read besides: unknowns, remarks, rates, translations. Then an answer a line: pass, may,
 * return or drop, the line of the rule that decides, and "outside" where that is not compared.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "readback/readback.h"

enum { NAMES_MAX = 256, LINE_LENGTH = 1024 };

struct asked {
	struct fw_spaces spaces;
	struct fw_readback readback;
	struct fw_rb_interfaces interfaces;
	const char *names[NAMES_MAX];
};

static int compare(const void *left, const void *right) {
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static void set_names(
	struct asked *asked, const struct fw_ruleset *ruleset, char **more, int count) {
	size_t all = 0, kept = 0;

	for (size_t i = 0; i < ruleset->name_count && all < NAMES_MAX; i++) {
		asked->names[all++] = ruleset->names[i];
	}
	for (int i = 0; i < count && all < NAMES_MAX; i++) {
		asked->names[all++] = more[i];
	}
	qsort(asked->names, all, sizeof(*asked->names), compare);
	for (size_t i = 0; i < all; i++) {
		if (kept == 0 || strcmp(asked->names[kept - 1], asked->names[i]) != 0) {
			asked->names[kept++] = asked->names[i];
		}
	}
	asked->interfaces = (struct fw_rb_interfaces){asked->names, kept};
}

static uint64_t interface_number(const struct asked *asked, const char *name) {
	if (strcmp(name, "-") == 0) {
		return 0;
	}
	if (strcmp(name, "lo0") == 0) {
		return 1;
	}
	for (size_t i = 0; i < asked->interfaces.count; i++) {
		if (strcmp(asked->names[i], name) == 0) {
			return i + 2;
		}
	}
	return asked->interfaces.count + 2;
}

static struct fw_addr address(const char *text) {
	struct fw_range range = {0};

	if (fw_range_parse(fw_slice(text), &range) != FW_NET_NONE) {
		fprintf(stderr, "not an address: %s\n", text);
		exit(2);
	}
	return range.first;
}

static const char *verdict(const struct asked *asked, int hook, const struct fw_point *point) {
	const struct fw_readback *readback = &asked->readback;

	if (fw_space_contains(&asked->spaces, readback->must[hook], point)) {
		return "pass";
	}
	if (fw_space_contains(&asked->spaces, readback->may[hook], point)) {
		return "may";
	}
	return fw_space_contains(&asked->spaces, readback->rejected[hook], point) ? "return"
										  : "drop";
}

static void answer(const struct asked *asked, char *line) {
	struct fw_point point = {0};
	int hook, family, protocol;
	unsigned source_port, port, flags, translated;
	char in[64], out[64], source[64], destination[64];

	if (sscanf(line, "%d %63s %63s %d %d %63s %63s %u %u %u %u", &hook, in, out, &family,
		    &protocol, source, destination, &source_port, &port, &flags,
		    &translated) != 11) {
		fprintf(stderr, "not a question: %s", line);
		exit(2);
	}
	point.values[FW_VAR_HOOK] = fw_value((uint64_t)hook);
	point.values[FW_VAR_IN] = fw_value(interface_number(asked, in));
	point.values[FW_VAR_OUT] = fw_value(interface_number(asked, out));
	point.values[FW_VAR_FAMILY] = fw_value((uint64_t)family);
	point.values[FW_VAR_PROTOCOL] = fw_value((uint64_t)protocol);
	point.values[FW_VAR_SOURCE] = address(source);
	point.values[FW_VAR_DESTINATION] = address(destination);
	point.values[FW_VAR_SOURCE_PORT] = fw_value(source_port);
	point.values[FW_VAR_PORT] = fw_value(port);
	point.values[FW_VAR_FLAGS] = fw_value(flags);
	point.values[FW_VAR_HOP_LIMIT] = fw_value(family == FW_IPV6 ? 255 : 0);
	point.values[FW_VAR_TRACKING] = fw_value(FW_TRACKING_NEW);
	point.values[FW_VAR_TRANSLATED] = fw_value(translated);
	const struct fw_rb_decision *decision = fw_readback_decision(
		&asked->spaces, &asked->readback, (enum fw_rb_hook)hook, &point);
	printf("%s %s%s\n", verdict(asked, hook, &point),
		decision ? decision->place.text : "nobody",
		fw_space_contains(&asked->spaces, asked->readback.outside, &point) ? " outside"
										   : "");
}

static void tell_rest(const struct fw_readback *readback) {
	FW_AUTO(fw_buf_fini) struct fw_buf out = {0};

	for (size_t i = 0; i < readback->unknown_count; i++) {
		fw_buf_printf(&out, "unknown %s: %s\n", readback->unknowns[i].place.text,
			readback->unknowns[i].what);
	}
	for (size_t i = 0; i < readback->remark_count; i++) {
		fw_buf_printf(&out, "remark %s\n", readback->remarks[i]);
	}
	for (size_t i = 0; i < readback->rated_count; i++) {
		fw_buf_printf(&out, "rated %d %s ", readback->rated[i].hook,
			readback->rated[i].place.text);
		fw_rate_format(&readback->rated[i].rate, &out);
		fw_buf_add_char(&out, '\n');
	}
	for (size_t i = 0; i < readback->rewrite_count; i++) {
		const struct fw_rb_rewrite *one = &readback->rewrites[i];
		fw_buf_printf(&out, "rewrite %s %s ", one->place.text,
			one->source ? "source" : "destination");
		if (one->masquerade) {
			fw_buf_add_text(&out, "masquerade");
		} else {
			fw_addr_format(one->family, one->address, &out);
		}
		fw_buf_printf(&out, " %u\n", one->port);
	}
	fw_buf_add_text(&out, "answers\n");
	fwrite(out.data, 1, out.length, stdout);
}

int main(int argc, char **argv) {
	FW_AUTO(fw_arena_fini) struct fw_arena arena = {0};
	FW_AUTO(fw_buf_fini) struct fw_buf text = {0};
	FW_AUTO(fw_diags_fini) struct fw_diags diags = {0};
	struct asked asked = {0};
	struct fw_ruleset ruleset;
	char line[LINE_LENGTH];

	if (argc < 4 || fw_file_read(argv[3], FW_SOURCE_MAX, &text) != 0) {
		fprintf(stderr, "usage: pf_ask openbsd|freebsd conf|anchor FILE [INTERFACE...]\n");
		return 2;
	}
	struct fw_source source = {.name = "", .text = fw_buf_slice(&text)};
	fw_read_pf(&arena, strcmp(argv[1], "openbsd") == 0 ? FW_RB_OPENBSD : FW_RB_FREEBSD,
		strcmp(argv[2], "anchor") == 0, &source, &ruleset, &diags);
	fw_spaces_init(&asked.spaces, NULL);
	set_names(&asked, &ruleset, argv + 4, argc - 4);
	if (!ruleset.lower(&ruleset, &arena, &asked.spaces, &asked.interfaces, &asked.readback)) {
		puts("exhausted");
		return 1;
	}
	tell_rest(&asked.readback);
	while (fgets(line, sizeof(line), stdin) != NULL) {
		answer(&asked, line);
	}
	fw_spaces_fini(&asked.spaces);
	return 0;
}
