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
	ck_assert_uint_eq(expects[0].packet.in.count, 1);
	ck_assert_str_eq(expects[0].packet.in.items[0], "eth0");
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

/* ---- gateways and clients ---- */

static const char more_services[] =
	"flowfw: 1\n"
	"services:\n"
	"  errors: {direction: both, icmp: 3, icmpv6: 1, crossing: gateway, source: standard}\n"
	"  leases: {direction: output, ports: 67/udp, crossing: never, source: standard}\n"
	"  images: {direction: input, ports: 5556/tcp, from: clients, source: published}\n"
	"  sinks: {direction: input, ports: 55570/udp, from: clients, source: published}\n"
	"  pushes: {direction: output, ports: 1-65535/udp, to: clients, enabled: when-named,\n"
	"    follows: sinks, source: assumption}\n"
	"groups:\n"
	"  operators: {default: none}\n"
	"  devices: {default: any}\n";

/* A library with positions, and a site of a gateway or client with these lines. */
static struct fw_profile placed(const char *position, const char *lines) {
	struct fw_buf text = {0};
	struct fw_profile profile;
	char path[256];

	put("services/more.yaml", more_services);
	put("base.yaml", "flowfw: 1\n"
			 "base: {input: drop, output: drop, forward: untouched, echo: on}\n"
			 "forward: {pair: [api, images], further: [extra, sinks]}\n"
			 "services: [errors, leases, ping]\n");
	put("roles/two.yaml", "flowfw: 1\nrole: two\nservices: [images, sinks, pushes]\n");
	put("box.yaml", "flowfw: 1\nprofile: box\nroles: [one, two]\n");
	put("gateway.yaml", "flowfw: 1\nprofile: gateway\nposition: gateway\n"
			    "base: {input: untouched, output: untouched, forward: drop}\n");
	put("client.yaml", "flowfw: 1\nprofile: client\nposition: client\n"
			   "mirror: [api, images, sinks, pushes]\n");
	fw_buf_printf(&text, "flowfw: 1\nsite: s\nextends: %s\n%s", position, lines);
	put("s.yaml", text.data);
	fw_buf_fini(&text);
	snprintf(path, sizeof(path), "%s/s.yaml", folder);
	ck_assert(load(&(struct fw_request){.profile = path}, &profile));
	return profile;
}

static size_t count_flows(const struct fw_profile *profile, const char *service) {
	size_t count = 0;
	for (size_t i = 0; i < profile->policy.flow_count; i++) {
		count += strcmp(profile->policy.flows[i].service, service) == 0;
	}
	return count;
}

static size_t members(const struct fw_side *side, enum fw_family family) {
	ck_assert_uint_eq(side->set_count, 1);
	return side->sets[0]->members[family].count;
}

static const char two_devices[] =
	"interfaces: {outside: eth0, inside: eth1}\n"
	"outside: {address: 198.51.100.7}\n"
	"groups: {clients: [203.0.113.0/24], cameras: [10.30.0.0/16]}\n"
	"devices:\n"
	"  - {name: b, extends: box, address: [10.8.0.2, '2001:db8::2'], forward: {base: 100}}\n"
	"  - {name: a, extends: box, address: 10.8.0.1, forward: {api: 200, images: 300}}\n";

START_TEST(devices_that_agree_share_a_flow) {
	struct fw_profile profile = placed("gateway", two_devices);
	ck_assert_int_eq(profile.policy.position, FW_GATEWAY);
	ck_assert_int_eq(profile.policy.hooks[FW_INPUT].verdict, FW_UNTOUCHED);
	ck_assert_int_eq(profile.policy.hooks[FW_FORWARD].verdict, FW_DROP);

	const struct fw_flow *api = find(&profile, FW_FORWARD, "api");
	ck_assert_uint_eq(count_flows(&profile, "api"), 1);
	ck_assert(api->inbound);
	ck_assert_str_eq(api->source.sets[0]->name, "clients");
	ck_assert_str_eq(api->destination.sets[0]->name, "devices");
	ck_assert_uint_eq(members(&api->destination, FW_IPV4), 2);
	ck_assert_uint_eq(members(&api->destination, FW_IPV6), 1);
	ck_assert_uint_eq(api->in_interfaces.count, 0);
	ck_assert_str_eq(api->out_interfaces.items[0], "eth1");
	ck_assert_uint_eq(api->clauses[0].ports[0].low, 8088);

	const struct fw_flow *stream = find(&profile, FW_FORWARD, "stream");
	ck_assert(!stream->inbound);
	ck_assert_str_eq(stream->source.sets[0]->name, "devices");
	ck_assert_str_eq(stream->in_interfaces.items[0], "eth1");
	ck_assert_uint_eq(stream->out_interfaces.count, 0);
}
END_TEST

START_TEST(some_services_are_not_forwarded_as_the_device_has_them) {
	struct fw_profile profile = placed("gateway", two_devices);
	/* The gateway's own, and both ways for all devices. */
	ck_assert_uint_eq(count_flows(&profile, "errors"), 4);
	ck_assert_ptr_null(find(&profile, FW_FORWARD, "leases"));
	ck_assert_ptr_null(find(&profile, FW_FORWARD, "hooks"));
}
END_TEST

START_TEST(devices_that_differ_have_flows_of_their_own) {
	put("own.yaml", "flowfw: 1\nsite: own\nextends: box\ninterfaces: {vpn: wg0}\n"
			"groups: {clients: [203.0.113.9]}\n"
			"services:\n"
			"  extra: {enabled: on, interface: vpn}\n"
			"  images: {to: 10.8.0.99}\n");
	struct fw_profile profile =
		placed("gateway", "groups: {clients: [203.0.113.0/24], cameras: [10.30.0.1]}\n"
				  "devices:\n"
				  "  - {name: a, site: own.yaml, address: 10.8.0.1}\n"
				  "  - {name: b, extends: box, address: 10.8.0.2}\n"
				  "  - {name: c, extends: box, address: 10.8.0.3,\n"
				  "     services: {api: {limit: 5/minute}}}\n");
	ck_assert_uint_eq(count_flows(&profile, "api"), 3);
	/* Its tunnel is none of the gateway's business, and neither is another host's address. */
	ck_assert_uint_eq(count_flows(&profile, "extra"), 0);
	const struct fw_flow *images = find(&profile, FW_FORWARD, "images");
	ck_assert_uint_eq(count_flows(&profile, "images"), 1);
	ck_assert_uint_eq(members(&images->destination, FW_IPV4), 2);
	/* The gateway's groups mean nothing for a device with a site file. */
	for (size_t i = 0; i < profile.policy.set_count; i++) {
		const struct fw_set *set = profile.policy.sets[i];
		if (strcmp(set->name, "a.clients") == 0) {
			ck_assert_uint_eq(
				set->members[FW_IPV4].items[0].range.first.low, 0xcb007109);
			return;
		}
	}
	ck_abort_msg("the group of a is not there");
}
END_TEST

START_TEST(ports_are_forwarded_where_the_outside_has_the_family) {
	struct fw_profile profile = placed("gateway", two_devices);
	const struct fw_translation *translation = &profile.policy.translation;
	ck_assert(translation->on);
	ck_assert_uint_eq(translation->forwarding_count, 4);
	const struct fw_forwarding *first = &translation->forwardings[0];
	ck_assert_str_eq(first->service, "api");
	ck_assert_str_eq(first->device, "b");
	ck_assert_uint_eq(first->outside_port, 100);
	ck_assert_uint_eq(first->port, 8088);
	ck_assert_uint_eq(first->address.low, 0x0a080002);
	ck_assert_uint_eq(translation->forwardings[2].outside_port, 101);
	ck_assert_uint_eq(translation->entry.count, 1);
	ck_assert_str_eq(translation->entry.items[0], "eth0");

	ck_assert_uint_eq(profile.device_count, 2);
	const struct fw_device *a = &profile.devices[0], *b = &profile.devices[1];
	ck_assert_uint_eq(a->login_count, 1);
	ck_assert_str_eq(a->logins[0].outside, "198.51.100.7:200:300");
	ck_assert_str_eq(a->logins[0].inside, "10.8.0.1:8088:5556");
	ck_assert_uint_eq(b->login_count, 2);
	ck_assert_str_eq(b->logins[0].outside, "198.51.100.7:100:101");
	ck_assert_str_eq(b->logins[1].outside, "[2001:db8::2]:8088:5556");
}
END_TEST

START_TEST(sources_are_translated_as_far_as_they_are_asked_for) {
	struct fw_buf lines = {0};
	fw_buf_printf(&lines, "%s%s", two_devices,
		"inside: {address: [10.8.0.254, '2001:db8::fe'], networks: [10.8.0.0/24, "
		"'2001:db8::/64']}\n"
		"masquerade: on\nhairpin: on\n");
	struct fw_profile profile = placed("gateway", lines.data);
	fw_buf_fini(&lines);
	const struct fw_translation *translation = &profile.policy.translation;
	ck_assert_uint_eq(translation->masqueraded->members[FW_IPV4].count, 1);
	ck_assert_uint_eq(translation->masqueraded->members[FW_IPV6].count, 0);
	ck_assert_str_eq(translation->exit.items[0], "eth0");
	/* The outside has no IPv6 address that somebody could call. */
	ck_assert_uint_eq(translation->hairpin->members[FW_IPV4].count, 1);
	ck_assert_uint_eq(translation->hairpin->members[FW_IPV6].count, 0);
	ck_assert_uint_eq(translation->hairpin_address[FW_IPV4].low, 0x0a0800fe);
	ck_assert_uint_eq(translation->entry.count, 2);
}
END_TEST

START_TEST(services_may_be_the_gateways_own) {
	struct fw_buf lines = {0};
	fw_buf_printf(&lines, "%s%s", two_devices,
		"services:\n"
		"  through: {direction: forward, ports: 22/tcp, from: clients, to: devices,\n"
		"    in-interface: outside, out-interface: inside, limit: 5/minute per source}\n");
	struct fw_profile profile = placed("gateway", lines.data);
	fw_buf_fini(&lines);
	const struct fw_flow *through = find(&profile, FW_FORWARD, "through");
	ck_assert_uint_eq(count_flows(&profile, "through"), 1);
	ck_assert(!through->inbound);
	ck_assert_str_eq(through->in_interfaces.items[0], "eth0");
	ck_assert_str_eq(through->out_interfaces.items[0], "eth1");
	ck_assert_str_eq(through->destination.sets[0]->name, "devices");
	ck_assert(through->limit.per_source);
}
END_TEST

START_TEST(a_client_is_the_other_side) {
	struct fw_profile profile = placed("client",
		"devices:\n"
		"  - 10.8.0.0/24\n"
		"  - {name: a, address: 198.51.100.7, forward: {base: 100}}\n"
		"  - {name: b, address: 198.51.100.7, forward: {base: 200, sinks: on}}\n");
	ck_assert_int_eq(profile.policy.position, FW_CLIENT);
	ck_assert(!profile.policy.translation.on);
	ck_assert_ptr_null(find(&profile, FW_INPUT, "api"));
	const struct fw_flow *api = find(&profile, FW_OUTPUT, "api");
	const struct fw_members *called = &api->destination.sets[0]->members[FW_IPV4];
	ck_assert(api->own_ports);
	ck_assert_uint_eq(called->plain_count, 1);
	ck_assert_uint_eq(called->count, 3);
	ck_assert_uint_eq(called->items[1].own->tcp[0].low, 100);
	ck_assert_uint_eq(called->items[1].own->udp_count, 0);
	/* Pushes come from where they were asked for. */
	const struct fw_flow *pushes = find(&profile, FW_INPUT, "pushes");
	ck_assert_uint_eq(members(&pushes->source, FW_IPV4), 2);
	ck_assert_ptr_null(find(&profile, FW_OUTPUT, "pushes"));
	ck_assert_str_eq(profile.devices[1].logins[0].outside, "198.51.100.7:100:101");
}
END_TEST

START_TEST(a_client_may_be_the_operators_router) {
	struct fw_profile profile =
		placed("client", "devices: [10.8.0.0/24]\n"
				 "base: {forward: drop}\n"
				 "groups: {operators: [10.50.0.0/24], clients: [10.50.0.9]}\n"
				 "services: {images: {from: clients}}\n");
	const struct fw_flow *api = find(&profile, FW_FORWARD, "api");
	ck_assert(!api->inbound);
	ck_assert_str_eq(api->source.sets[0]->name, "operators");
	ck_assert_str_eq(api->destination.sets[0]->name, "devices");
	const struct fw_flow *pushes = find(&profile, FW_FORWARD, "pushes");
	ck_assert(pushes->inbound);
	ck_assert_str_eq(pushes->destination.sets[0]->name, "operators");
	/* Never wider than it is written. */
	const struct fw_flow *images = find(&profile, FW_FORWARD, "images");
	ck_assert_str_eq(images->source.sets[0]->name, "images_operators");
	ck_assert_ptr_null(find(&profile, FW_FORWARD, "errors"));
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
	tcase_add_test(all, devices_that_agree_share_a_flow);
	tcase_add_test(all, some_services_are_not_forwarded_as_the_device_has_them);
	tcase_add_test(all, devices_that_differ_have_flows_of_their_own);
	tcase_add_test(all, ports_are_forwarded_where_the_outside_has_the_family);
	tcase_add_test(all, sources_are_translated_as_far_as_they_are_asked_for);
	tcase_add_test(all, services_may_be_the_gateways_own);
	tcase_add_test(all, a_client_is_the_other_side);
	tcase_add_test(all, a_client_may_be_the_operators_router);
	suite_add_tcase(suite, all);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
