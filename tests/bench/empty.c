// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The yardstick of starting: a program that is linked with flowfw's libraries, so that they are
 * loaded, and does nothing.
 */

#include <jansson.h>
#include <libmnl/libmnl.h>
#include <libnftnl/table.h>
#include <stdlib.h>
#include <yaml.h>

int main(int argc, char *argv[]) {
	(void)argv;
	if (argc > 1) { // never; but a library that nobody calls may be left out
		yaml_parser_t parser;
		return yaml_parser_initialize(&parser) == 0 || mnl_socket_open(0) == NULL ||
		       nftnl_table_alloc() == NULL || json_object() == NULL;
	}
	return EXIT_SUCCESS;
}
