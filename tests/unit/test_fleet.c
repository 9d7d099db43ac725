// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fleet files, and libraries that are kept for many profiles. What is wrong with a fleet file is
 * the golden cases' part.
 */

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "profile/profile.h"

static char folder[] = "/tmp/flowfw-test-XXXXXX";
static struct fw_arena arena;
static struct fw_diags diags;
static struct fw_library library;

static const char *in_folder(const char *name) {
	return fw_arena_printf(&arena, "%s/%s", folder, name);
}

static void put(const char *name, const char *text) {
	ck_assert_int_eq(fw_file_replace(in_folder(name), fw_slice(text), NULL), 0);
}

static void set_up(void) {
	arena = (struct fw_arena){0};
	diags = (struct fw_diags){0};
	strcpy(folder, "/tmp/flowfw-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(mkdir(in_folder("services"), 0700), 0);
	ck_assert_int_eq(mkdir(in_folder("roles"), 0700), 0);
	put("services/all.yaml",
		"flowfw: 1\n"
		"services:\n"
		"  api: {direction: input, ports: 8088/tcp, from: clients, source: published}\n"
		"groups: {clients: {default: any}}\n");
	put("base.yaml", "flowfw: 1\nbase: {input: drop, output: accept, forward: untouched}\n");
	put("roles/one.yaml", "flowfw: 1\nrole: one\nservices: [api]\n");
	put("product.yaml", "flowfw: 1\nprofile: product\ntitle: The product\nroles: [one]\n");
	library = (struct fw_library){.templates = ""};
	FW_VEC_ADD(&library.folders, folder);
	fw_library_init_cache(&library);
}

static void tear_down(void) {
	char command[100];
	snprintf(command, sizeof(command), "rm -r '%s'", folder);
	ck_assert_int_eq(system(command), 0);
	fw_library_fini(&library);
	fw_diags_fini(&diags);
	fw_arena_fini(&arena);
}

static void assert_fine(bool fine) {
	if (!fine) {
		struct fw_buf text = {0};
		fw_diags_render(&diags, true, &text);
		fprintf(stderr, "%s", text.data);
		fw_buf_fini(&text);
	}
	ck_assert(fine);
}

static struct fw_fleet fleet(const char *text) {
	struct fw_fleet result;
	put("fleet.yaml", text);
	assert_fine(fw_fleet_read(&arena, in_folder("fleet.yaml"), &result, &diags));
	return result;
}

START_TEST(members_are_sorted_by_name) {
	put("b.yaml", "");
	put("a.yml", "");
	put("z.yaml", "");
	put("plain", "");
	struct fw_fleet city = fleet("flowfw: 1\nfleet: city\ntitle: The city\n"
				     "sites: [b.yaml, {file: a.yml, name: x}, plain]\n"
				     "gateways: z.yaml\n");
	ck_assert_str_eq(city.name, "city");
	ck_assert_str_eq(city.title, "The city");
	ck_assert_ptr_null(city.groups);
	ck_assert_uint_eq(city.site_count, 3);
	ck_assert_str_eq(city.sites[0].name, "b");
	ck_assert_str_eq(city.sites[0].path, in_folder("b.yaml"));
	ck_assert_str_eq(city.sites[1].name, "plain");
	ck_assert_str_eq(city.sites[2].name, "x");
	ck_assert_str_eq(city.sites[2].path, in_folder("a.yml"));
	ck_assert_uint_eq(city.gateway_count, 1);
	ck_assert_str_eq(city.gateways[0].name, "z");
	struct fw_slice place = fw_span_text(city.sites[2].span);
	ck_assert(fw_slice_is(place, "a.yml"));
}
END_TEST

START_TEST(patterns_stand_for_files) {
	for (unsigned i = 0; i < 300; i++) {
		put(fw_arena_printf(&arena, "s%03u.yaml", i), "");
	}
	put("other.yaml", "");
	struct fw_fleet city = fleet("flowfw: 1\nfleet: city\nsites: ['s[0-2]*.yaml']\n");
	ck_assert_uint_eq(city.site_count, 300);
	ck_assert_str_eq(city.sites[0].name, "s000");
	ck_assert_str_eq(city.sites[299].name, "s299");
}
END_TEST

static const struct fw_set *clients(const struct fw_fleet *city, const char *name) {
	struct fw_request request = {.profile = in_folder(name), .fleet = city};
	struct fw_profile profile;
	assert_fine(fw_profile_load(&arena, &library, &request, &profile, &diags));
	ck_assert_uint_eq(profile.policy.flow_count, 1);
	ck_assert_uint_eq(profile.policy.flows[0].source.set_count, 1);
	return profile.policy.flows[0].source.sets[0];
}

static void put_sites(void) {
	put("a.yaml", "flowfw: 1\nsite: a\nextends: product\n");
	put("b.yaml",
		"flowfw: 1\nsite: b\nextends: product\ngroups: {clients: [10.2.0.1, 10.2.0.9]}\n");
}

static const char city_text[] =
	"flowfw: 1\nfleet: city\ngroups: {clients: [10.1.0.1]}\nsites: [a.yaml, b.yaml]\n";

START_TEST(shared_groups_lie_under_the_sites_own) {
	put_sites();
	struct fw_fleet city = fleet(city_text);
	ck_assert_uint_eq(clients(&city, "a.yaml")->members[FW_IPV4].count, 1);
	ck_assert_uint_eq(clients(&city, "b.yaml")->members[FW_IPV4].count, 2);
}
END_TEST

START_TEST(a_kept_library_is_the_same_library) {
	put_sites();
	fw_library_keep(&library, &diags);
	struct fw_fleet city = fleet(city_text);
	/* They are read no more. */
	put("services/all.yaml", "nonsense\n");
	put("base.yaml", "nonsense\n");
	put("roles/one.yaml", "nonsense\n");
	for (int i = 0; i < 3; i++) {
		ck_assert_uint_eq(clients(&city, "a.yaml")->members[FW_IPV4].count, 1);
		ck_assert_uint_eq(clients(&city, "b.yaml")->members[FW_IPV4].count, 2);
	}
}
END_TEST

START_TEST(what_is_wrong_is_not_kept) {
	put_sites();
	put("services/bad.yaml", "flowfw: 1\nservices: {x: {direction: input}\n");
	put("services/members.yaml", "flowfw: 1\ngroups: {more: [10.0.0.1]}\n");
	put("roles/role.yaml", "flowfw: 1\nrole: another\nservices: [api]\n");
	fw_library_keep(&library, &diags);
	ck_assert_uint_eq(diags.errors, 0);
	for (int i = 0; i < 2; i++) {
		struct fw_diags own = {.sources = diags.sources};
		struct fw_request request = {.profile = in_folder("a.yaml")};
		struct fw_profile profile;
		ck_assert(!fw_profile_load(&arena, &library, &request, &profile, &own));
		ck_assert_uint_eq(own.errors, 2);
		fw_diags_fini(&own);
	}
}
END_TEST

int main(void) {
	Suite *suite = suite_create("fleet");
	TCase *all = tcase_create("fleet");
	tcase_set_timeout(all, 60);
	tcase_add_checked_fixture(all, set_up, tear_down);
	tcase_add_test(all, members_are_sorted_by_name);
	tcase_add_test(all, patterns_stand_for_files);
	tcase_add_test(all, shared_groups_lie_under_the_sites_own);
	tcase_add_test(all, a_kept_library_is_the_same_library);
	tcase_add_test(all, what_is_wrong_is_not_kept);
	suite_add_tcase(suite, all);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
