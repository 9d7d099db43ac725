// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From YAML files to policies: merging, states of services, sides, clauses. What is wrong with a
 * file is the golden cases' part; here a library of a few lines shows what right files mean.
 */

#include <check.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profile/profile.h"

static char folder[] = "/tmp/flowfw-test-XXXXXX";
static struct fw_arena arena;
static struct fw_diags diags;
static struct fw_library library;

static void put(const char *name, const char *text) {
	char path[256];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	ck_assert_int_eq(fw_file_replace(path, fw_slice(text), NULL), 0);
}

static const char services[] =
	"flowfw: 1\n"
	"services:\n"
	"  always: {direction: both, icmp: echo-request, icmpv6: echo-request, source: standard}\n"
	"  ping: {direction: input, icmp: echo-request, limit: 5/second, switch: echo, source: "
	"standard}\n"
	"  api: {direction: input, ports: 8088/tcp, from: clients, level: required, source: "
	"published}\n"
	"  hooks: {direction: output, ports: from-group, to: receivers, source: published}\n"
	"  stream: {direction: output, ports: from-group, default-ports: 554/tcp+udp, to: "
	"cameras,\n"
	"    source: published}\n"
	"  media: {direction: output, ports: 1024-65535/udp, to: cameras, enabled: when-named,\n"
	"    source: assumption}\n"
	"  extra: {direction: input, ports: 9/tcp, enabled: off, level: optional, source: "
	"article}\n"
	"  vague: {enabled: off, source: article}\n"
	"groups:\n"
	"  clients: {default: any}\n"
	"  receivers: {default: none}\n"
	"  cameras: {default: any}\n"
	"  rtp-multicast: {default: none}\n";

static const char base[] = "flowfw: 1\n"
			   "base: {input: drop, output: reject, forward: untouched, echo: limited, "
			   "vpn-inside: [api]}\n"
			   "services: [always, ping]\n";

static void set_up(void) {
	arena = (struct fw_arena){0};
	diags = (struct fw_diags){0};
	strcpy(folder, "/tmp/flowfw-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	char path[256];
	snprintf(path, sizeof(path), "%s/services", folder);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/roles", folder);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	put("services/all.yaml", services);
	put("base.yaml", base);
	put("roles/one.yaml",
		"flowfw: 1\nrole: one\nservices: [api, hooks, stream, media, extra]\n");
	put("product.yaml", "flowfw: 1\nprofile: product\ntitle: The product\nroles: [one]\n");
	library = (struct fw_library){.templates = ""};
	FW_VEC_ADD(&library.folders, folder);
}

static void tear_down(void) {
	char command[300];
	snprintf(command, sizeof(command), "rm -r '%s'", folder);
	ck_assert_int_eq(system(command), 0);
	fw_library_fini(&library);
	fw_diags_fini(&diags);
	fw_arena_fini(&arena);
}

static bool load(const struct fw_request *request, struct fw_profile *profile) {
	if (fw_profile_load(&arena, &library, request, profile, &diags)) {
		return true;
	}
	struct fw_buf text = {0};
	fw_diags_render(&diags, true, &text);
	fprintf(stderr, "%s", text.data);
	fw_buf_fini(&text);
	return false;
}

/* A site of the product with these lines. */
static struct fw_profile site(const char *lines) {
	struct fw_buf text = {0};
	struct fw_profile profile;
	char path[256];
	fw_buf_printf(&text, "flowfw: 1\nsite: s\nextends: product\n%s", lines);
	put("s.yaml", text.data);
	fw_buf_fini(&text);
	snprintf(path, sizeof(path), "%s/s.yaml", folder);
	ck_assert(load(&(struct fw_request){.profile = path}, &profile));
	return profile;
}

static const struct fw_flow *find(
	const struct fw_profile *profile, enum fw_hook hook, const char *service) {
	for (size_t i = 0; i < profile->policy.flow_count; i++) {
		const struct fw_flow *flow = &profile->policy.flows[i];
		if (flow->hook == hook && strcmp(flow->service, service) == 0) {
			return flow;
		}
	}
	return NULL;
}

static const struct fw_service_row *row(const struct fw_profile *profile, const char *id) {
	for (size_t i = 0; i < profile->service_count; i++) {
		if (strcmp(profile->services[i].id, id) == 0) {
			return &profile->services[i];
		}
	}
	ck_abort_msg("no row for %s", id);
}

static bool warned(const char *id) {
	for (size_t i = 0; i < diags.list.count; i++) {
		if (strcmp(diags.list.items[i]->id, id) == 0) {
			return true;
		}
	}
	return false;
}

START_TEST(a_bare_product) {
	struct fw_profile profile;
	ck_assert(load(&(struct fw_request){.profile = "product"}, &profile));
	ck_assert_str_eq(profile.policy.name, "product");
	ck_assert_str_eq(profile.policy.title, "The product");
	ck_assert_ptr_null(profile.policy.extends);
	ck_assert_int_eq(profile.policy.hooks[FW_INPUT].verdict, FW_DROP);
	ck_assert_int_eq(profile.policy.hooks[FW_OUTPUT].verdict, FW_REJECT);
	ck_assert_int_eq(profile.policy.hooks[FW_FORWARD].verdict, FW_UNTOUCHED);
	ck_assert_ptr_nonnull(find(&profile, FW_INPUT, "always"));
	ck_assert_ptr_nonnull(find(&profile, FW_OUTPUT, "always"));
	ck_assert_uint_eq(find(&profile, FW_INPUT, "ping")->limit.count, 5);
	ck_assert_uint_eq(find(&profile, FW_INPUT, "api")->source.set_count, 0);
	ck_assert_ptr_null(find(&profile, FW_OUTPUT, "hooks"));
	ck_assert_ptr_null(find(&profile, FW_OUTPUT, "media"));
	ck_assert_ptr_null(find(&profile, FW_INPUT, "extra"));
	ck_assert_int_eq(row(&profile, "hooks")->state, FW_SERVICE_WAITING);
	ck_assert_int_eq(row(&profile, "media")->state, FW_SERVICE_WAITING);
	ck_assert_int_eq(row(&profile, "extra")->state, FW_SERVICE_OFF);
	ck_assert_ptr_null(row(&profile, "vague")->role);
	ck_assert(warned("unset-group"));
	ck_assert(warned("no-admin-access"));
}
END_TEST

START_TEST(default_ports_make_two_clauses) {
	struct fw_profile profile = site("");
	const struct fw_flow *flow = find(&profile, FW_OUTPUT, "stream");
	ck_assert(flow->own_ports);
	ck_assert_uint_eq(flow->clause_count, 2);
	ck_assert_uint_eq(flow->clauses[0].protocol, IPPROTO_TCP);
	ck_assert_uint_eq(flow->clauses[1].protocol, IPPROTO_UDP);
	ck_assert_uint_eq(flow->clauses[1].ports[0].low, 554);
}
END_TEST

START_TEST(groups_become_sets) {
	struct fw_profile profile = site(
		"groups:\n"
		"  clients: [10.0.0.0/8, 2001:db8::/32]\n"
		"  receivers: [{name: city, address: [10.1.1.1, 10.1.1.2], ports: [443/tcp]}]\n"
		"  cameras: [10.2.0.1, {address: 10.2.0.2, ports: 8554/tcp+udp}]\n");
	const struct fw_set *clients = find(&profile, FW_INPUT, "api")->source.sets[0];
	ck_assert_str_eq(clients->name, "clients");
	ck_assert(!clients->literal);
	ck_assert_uint_eq(clients->members[FW_IPV4].count, 1);
	ck_assert_uint_eq(clients->members[FW_IPV6].count, 1);
	const struct fw_set *city = find(&profile, FW_OUTPUT, "hooks")->destination.sets[0];
	ck_assert_uint_eq(city->members[FW_IPV4].count, 2);
	ck_assert_uint_eq(city->members[FW_IPV4].plain_count, 0);
	ck_assert_str_eq(city->members[FW_IPV4].items[1].name, "city");
	ck_assert_ptr_eq(city->members[FW_IPV4].items[0].own, city->members[FW_IPV4].items[1].own);
	const struct fw_set *cameras = find(&profile, FW_OUTPUT, "media")->destination.sets[0];
	ck_assert_uint_eq(cameras->members[FW_IPV4].count, 2);
	ck_assert_uint_eq(cameras->members[FW_IPV4].plain_count, 1);
	ck_assert_uint_eq(cameras->members[FW_IPV4].items[1].own->udp[0].low, 8554);
	ck_assert_ptr_eq(find(&profile, FW_OUTPUT, "stream")->destination.sets[0], cameras);
}
END_TEST

START_TEST(lists_mix_groups_and_addresses) {
	struct fw_profile profile = site("groups: {clients: [10.0.0.0/8]}\n"
					 "services: {api: {from: [clients, 192.0.2.1], "
					 "except: [10.9.0.0/16, clients]}}\n");
	const struct fw_side *side = &find(&profile, FW_INPUT, "api")->source;
	ck_assert_uint_eq(side->set_count, 2);
	ck_assert_str_eq(side->sets[0]->name, "api");
	ck_assert(side->sets[0]->literal);
	ck_assert_str_eq(side->except->name, "api_except");
	ck_assert_uint_eq(side->except->members[FW_IPV4].count, 1);
}
END_TEST

START_TEST(sites_turn_services) {
	struct fw_profile profile =
		site("services: {api: off, extra: on, always: off,\n"
		     "  vague: {enabled: on, direction: input, ports: 7/udp},\n"
		     "  own: {direction: output, ports: 25/tcp, to: 10.0.0.1}}\n");
	ck_assert_ptr_null(find(&profile, FW_INPUT, "api"));
	ck_assert_ptr_null(find(&profile, FW_INPUT, "always"));
	ck_assert_ptr_nonnull(find(&profile, FW_INPUT, "extra"));
	ck_assert_ptr_nonnull(find(&profile, FW_INPUT, "vague"));
	ck_assert_ptr_nonnull(find(&profile, FW_OUTPUT, "own"));
	ck_assert_int_eq(row(&profile, "own")->provenance, FW_SITE);
	ck_assert_int_eq(row(&profile, "own")->level, FW_REQUIRED);
	ck_assert(warned("essential-off"));
}
END_TEST

START_TEST(settings_alone_turn_nothing_on) {
	struct fw_profile profile = site("services: {extra: {ports: 10/tcp}}\n");
	ck_assert_ptr_null(find(&profile, FW_INPUT, "extra"));
	ck_assert(warned("service-off"));
}
END_TEST

START_TEST(on_does_not_make_a_waiting_service_wider) {
	struct fw_profile profile = site("services: {media: on}\n");
	ck_assert_ptr_null(find(&profile, FW_OUTPUT, "media"));
	ck_assert(warned("service-waiting"));
	profile = site("groups: {cameras: any}\n");
	ck_assert_ptr_null(find(&profile, FW_OUTPUT, "media"));
}
END_TEST

START_TEST(the_order_of_peers_means_nothing) {
	struct fw_profile profile = site("groups: {clients: [10.0.0.0/8], cameras: [10.9.0.1]}\n"
					 "services: {api: {from: [clients, cameras, clients]}}\n");
	const struct fw_side *side = &find(&profile, FW_INPUT, "api")->source;
	ck_assert_uint_eq(side->set_count, 2);
	ck_assert_str_eq(side->sets[0]->name, "cameras");
	ck_assert_str_eq(side->sets[1]->name, "clients");
}
END_TEST

START_TEST(everybody_is_nobody_named) {
	struct fw_profile profile = site("groups: {cameras: [0.0.0.0/1, 128.0.0.0/1]}\n");
	ck_assert_ptr_null(find(&profile, FW_OUTPUT, "media"));
	ck_assert_int_eq(row(&profile, "media")->state, FW_SERVICE_WAITING);
}
END_TEST

START_TEST(one_excepted_group_is_that_group) {
	struct fw_profile profile = site("groups: {guests: [10.9.0.0/16]}\n"
					 "services: {api: {except: guests}}\n");
	ck_assert_str_eq(find(&profile, FW_INPUT, "api")->source.except->name, "guests");
}
END_TEST

START_TEST(the_tunnel_keeps_what_else_is_asked) {
	struct fw_profile profile = site("interfaces: {vpn: wg0}\n"
					 "services: {api: {to: 10.9.9.9, except: 10.8.0.0/16}}\n"
					 "base: {vpn-inside: [api, api]}\n");
	size_t count = 0;
	for (size_t i = 0; i < profile.policy.flow_count; i++) {
		const struct fw_flow *flow = &profile.policy.flows[i];
		if (flow->in_interfaces.count != 0) {
			count++;
			ck_assert_uint_eq(flow->destination.set_count, 1);
			ck_assert_ptr_nonnull(flow->source.except);
		}
	}
	ck_assert_uint_eq(count, 1);
}
END_TEST

START_TEST(a_closed_folder_is_no_absent_one) {
	/* Root may read everything, so it takes another's place; anybody else stays who he is. */
	bool root = geteuid() == 0;
	char path[300];
	struct fw_profile profile;
	char closed[] = "/tmp/flowfw-test-XXXXXX";
	ck_assert_ptr_nonnull(mkdtemp(closed));
	snprintf(path, sizeof(path), "%s/roles", closed);
	ck_assert_int_eq(mkdir(path, 0), 0);
	snprintf(path, sizeof(path), "%s/services", closed);
	ck_assert_int_eq(mkdir(path, 0), 0);
	ck_assert_int_eq(chmod(closed, 0755), 0);
	ck_assert_int_eq(chmod(folder, 0755), 0);
	char *open_folder = fw_arena_text(&arena, fw_slice(folder));
	library.folders.items[0] = closed;
	FW_VEC_ADD(&library.folders, open_folder);
	snprintf(path, sizeof(path), "%s/services", folder);
	ck_assert_int_eq(chmod(path, 0755), 0);
	if (root) {
		ck_assert_int_eq(setegid(65534), 0);
		ck_assert_int_eq(seteuid(65534), 0);
	}
	bool loaded = fw_profile_load(
		&arena, &library, &(struct fw_request){.profile = "product"}, &profile, &diags);
	if (root) {
		ck_assert_int_eq(seteuid(0), 0);
		ck_assert_int_eq(setegid(0), 0);
	}
	ck_assert(!loaded);
	ck_assert(warned("unreadable-file"));
	ck_assert(warned("unreadable-folder"));
	snprintf(path, sizeof(path), "%s/services", closed);
	ck_assert_int_eq(rmdir(path), 0);
	snprintf(path, sizeof(path), "%s/roles", closed);
	ck_assert_int_eq(rmdir(path), 0);
	ck_assert_int_eq(rmdir(closed), 0);
}
END_TEST

START_TEST(a_pipe_is_no_file_of_the_library) {
	char path[256];
	struct fw_profile profile;
	snprintf(path, sizeof(path), "%s/services/pipe.yaml", folder);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert(!fw_profile_load(
		&arena, &library, &(struct fw_request){.profile = "product"}, &profile, &diags));
	ck_assert(warned("not-a-file"));
}
END_TEST

START_TEST(levels_cut) {
	struct fw_profile profile;
	struct fw_request request = {.profile = "product", .only = {[FW_REQUIRED] = true}};
	ck_assert(load(&request, &profile));
	ck_assert_ptr_nonnull(find(&profile, FW_INPUT, "api"));
	ck_assert_ptr_nonnull(find(&profile, FW_INPUT, "ping"));
	ck_assert_ptr_null(find(&profile, FW_OUTPUT, "stream"));
	ck_assert_int_eq(row(&profile, "stream")->state, FW_SERVICE_CUT);
	request = (struct fw_request){.profile = "product", .without = {[FW_REQUIRED] = true}};
	ck_assert(load(&request, &profile));
	ck_assert_ptr_null(find(&profile, FW_INPUT, "api"));
	ck_assert_ptr_nonnull(find(&profile, FW_OUTPUT, "stream"));
}
END_TEST

START_TEST(the_tunnel_admits_what_it_should) {
	struct fw_profile profile = site("interfaces: {vpn: wg0}\ngroups: {clients: [10.0.0.1]}\n");
	size_t count = 0;
	for (size_t i = 0; i < profile.policy.flow_count; i++) {
		const struct fw_flow *flow = &profile.policy.flows[i];
		if (strcmp(flow->service, "api") == 0 && flow->in_interfaces.count == 1) {
			count++;
			ck_assert_str_eq(flow->in_interfaces.items[0], "wg0");
			ck_assert_uint_eq(flow->source.set_count, 0);
		}
	}
	ck_assert_uint_eq(count, 1);
	profile = site("interfaces: {vpn: wg0}\nbase: {vpn-inside: off}\n");
	ck_assert_uint_eq(find(&profile, FW_INPUT, "api")->in_interfaces.count, 0);
}
END_TEST

START_TEST(sets_override_the_site) {
	struct fw_profile profile;
	char path[256];
	snprintf(path, sizeof(path), "%s/s.yaml", folder);
	site("services: {api: {ports: 1/tcp}}\n");
	static const char *const sets[] = {"services.api.ports=55571/udp", "base.echo=on",
		"groups.clients=[10.0.0.1, 10.0.0.2]", "interfaces.uplink=eth7",
		"services.api.interface=uplink"};
	ck_assert(load(
		&(struct fw_request){.profile = path, .sets = sets, .set_count = FW_LENGTH(sets)},
		&profile));
	const struct fw_flow *api = find(&profile, FW_INPUT, "api");
	ck_assert_uint_eq(api->clauses[0].protocol, IPPROTO_UDP);
	ck_assert_uint_eq(api->clauses[0].ports[0].low, 55571);
	ck_assert_uint_eq(api->source.sets[0]->members[FW_IPV4].count, 2);
	ck_assert_str_eq(api->in_interfaces.items[0], "eth7");
	ck_assert_uint_eq(find(&profile, FW_INPUT, "ping")->limit.count, 0);
}
END_TEST

START_TEST(chains_merge_nearest_last) {
	put("middle.yaml", "flowfw: 1\nsite: middle\nextends: product\n"
			   "groups: {clients: [10.0.0.1], cameras: [10.0.0.9]}\n"
			   "base: {echo: off, output: accept}\n");
	struct fw_profile profile;
	put("near.yaml", "flowfw: 1\nsite: near\nextends: middle.yaml\n"
			 "groups: {clients: [10.0.0.2]}\nbase: {echo: on}\n");
	char path[256];
	snprintf(path, sizeof(path), "%s/near.yaml", folder);
	ck_assert(load(&(struct fw_request){.profile = path}, &profile));
	ck_assert_str_eq(profile.policy.name, "near");
	ck_assert_str_eq(profile.policy.extends, "product");
	ck_assert_int_eq(profile.policy.hooks[FW_OUTPUT].verdict, FW_ACCEPT);
	const struct fw_set *clients = find(&profile, FW_INPUT, "api")->source.sets[0];
	ck_assert_uint_eq(clients->members[FW_IPV4].count, 1);
	ck_assert_uint_eq(clients->members[FW_IPV4].items[0].range.first.low, 0x0a000002);
	ck_assert_ptr_nonnull(find(&profile, FW_OUTPUT, "media"));
	ck_assert_ptr_nonnull(find(&profile, FW_INPUT, "ping"));
}
END_TEST

START_TEST(expectations_are_read) {
	struct fw_profile profile =
		site("interfaces: {uplink: eth0}\n"
		     "expect:\n"
		     "  - allow input 8088/tcp from 10.20.1.1 on uplink\n"
		     "  - deny output icmpv6 echo-request to 2001:db8::1\n"
		     "  - deny forward\n"
		     "  - deny input udp from 10.0.0.1 to 10.0.0.2 source-port 53\n");
	ck_assert_uint_eq(profile.policy.expect_count, 4);
	const struct fw_expect *expects = profile.policy.expects;
	ck_assert(expects[0].allow);
	ck_assert_int_eq(expects[0].packet.port, 8088);
	ck_assert_int_eq(expects[0].packet.protocol, IPPROTO_TCP);
	ck_assert_int_eq(expects[0].packet.family, FW_IPV4);
	ck_assert_str_eq(expects[0].packet.interface, "eth0");
	ck_assert(expects[1].packet.has_type);
	ck_assert_int_eq(expects[1].packet.type.type, 128);
	ck_assert_int_eq(expects[2].packet.hook, FW_FORWARD);
	ck_assert_int_eq(expects[2].packet.protocol, -1);
	ck_assert_int_eq(expects[3].packet.source_port, 53);
	ck_assert_int_eq(expects[3].packet.port, -1);
}
END_TEST

START_TEST(a_file_in_the_first_folder_wins) {
	char path[] = "/tmp/flowfw-test-XXXXXX";
	ck_assert_ptr_nonnull(mkdtemp(path));
	char file[256], old[sizeof(folder)];
	snprintf(file, sizeof(file), "%s/product.yaml", path);
	ck_assert_int_eq(
		fw_file_replace(file,
			FW_SLICE("flowfw: 1\nprofile: product\ntitle: Mine\nroles: [one]\n"), NULL),
		0);
	strcpy(old, folder);
	library.folders.items[0] = path;
	FW_VEC_ADD(&library.folders, old);
	struct fw_profile profile;
	ck_assert(load(&(struct fw_request){.profile = "product"}, &profile));
	ck_assert_str_eq(profile.policy.title, "Mine");

	const struct fw_library_row *rows;
	size_t count;
	ck_assert(fw_library_list(&arena, &library, FW_LIBRARY_PROFILES, &rows, &count, &diags));
	ck_assert_uint_eq(count, 1);
	ck_assert_str_eq(rows[0].title, "Mine");
	ck_assert(fw_library_list(&arena, &library, FW_LIBRARY_ROLES, &rows, &count, &diags));
	ck_assert_uint_eq(count, 1);
	ck_assert_str_eq(rows[0].name, "one");
	ck_assert_int_eq(unlink(file), 0);
	ck_assert_int_eq(rmdir(path), 0);
}
END_TEST

/* 100,000 members: read, sorted and resolved, and no node for each. */
START_TEST(long_lists_stream) {
	struct fw_buf text = {0};
	fw_buf_add_text(&text, "groups:\n  cameras:\n");
	for (unsigned i = 100000; i > 0; i--) {
		fw_buf_printf(&text, "    - {name: c%u, address: 10.%u.%u.%u}\n", i, i >> 16,
			i >> 8 & 255, i & 255);
	}
	struct fw_profile profile = site(text.data);
	fw_buf_fini(&text);
	const struct fw_set *cameras = find(&profile, FW_OUTPUT, "media")->destination.sets[0];
	ck_assert_uint_eq(cameras->members[FW_IPV4].count, 100000);
	ck_assert_str_eq(cameras->members[FW_IPV4].items[0].name, "c1");
	ck_assert_str_eq(cameras->members[FW_IPV4].items[99999].name, "c100000");
}
END_TEST

int main(void) {
	Suite *suite = suite_create("profile");
	TCase *all = tcase_create("profile");
	tcase_set_timeout(all, 60);
	tcase_add_checked_fixture(all, set_up, tear_down);
	tcase_add_test(all, a_bare_product);
	tcase_add_test(all, default_ports_make_two_clauses);
	tcase_add_test(all, groups_become_sets);
	tcase_add_test(all, lists_mix_groups_and_addresses);
	tcase_add_test(all, sites_turn_services);
	tcase_add_test(all, settings_alone_turn_nothing_on);
	tcase_add_test(all, on_does_not_make_a_waiting_service_wider);
	tcase_add_test(all, the_order_of_peers_means_nothing);
	tcase_add_test(all, everybody_is_nobody_named);
	tcase_add_test(all, one_excepted_group_is_that_group);
	tcase_add_test(all, the_tunnel_keeps_what_else_is_asked);
	tcase_add_test(all, a_closed_folder_is_no_absent_one);
	tcase_add_test(all, a_pipe_is_no_file_of_the_library);
	tcase_add_test(all, levels_cut);
	tcase_add_test(all, the_tunnel_admits_what_it_should);
	tcase_add_test(all, sets_override_the_site);
	tcase_add_test(all, chains_merge_nearest_last);
	tcase_add_test(all, expectations_are_read);
	tcase_add_test(all, a_file_in_the_first_folder_wins);
	tcase_add_test(all, long_lists_stream);
	suite_add_tcase(suite, all);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
