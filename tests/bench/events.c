// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The yardstick of the benchmark: what libyaml alone needs to read a file. It does nothing with the
 * events but count them.
 */

#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

int main(int argc, char *argv[]) {
	FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
	yaml_parser_t parser;
	if (file == NULL || yaml_parser_initialize(&parser) == 0) {
		fputs("usage: events FILE\n", stderr);
		return EXIT_FAILURE;
	}
	yaml_parser_set_input_file(&parser, file);
	size_t count = 0;
	yaml_event_type_t type;
	do {
		yaml_event_t event;
		if (yaml_parser_parse(&parser, &event) == 0) {
			fprintf(stderr, "events: %s\n", parser.problem);
			return EXIT_FAILURE;
		}
		type = event.type;
		yaml_event_delete(&event);
		count++;
	} while (type != YAML_STREAM_END_EVENT);
	yaml_parser_delete(&parser);
	fclose(file);
	printf("%zu\n", count);
	return EXIT_SUCCESS;
}
