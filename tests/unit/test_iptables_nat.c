// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The backends iptables and ip6tables at a gateway: the bytes of the nat table, what becomes of
 * packets in it, and what is forwarded behind it.
 */

#include <check.h>
#include <stdlib.h>

#include "iptables_emit.h"
#include "iptables_walk.h"
#include "nat.h"

static void gateway_set_up(void) {
	set_up();
	nat_set_up();
}

/* ---- bytes ---- */

static const struct nat_row rows[] = {
	{"rest-api", "junction-18", IPPROTO_TCP, 18089, "10.8.0.18", 8088},
	{"node", "junction-17", IPPROTO_TCP, 15556, "10.8.0.17", 5556},
	{"rest-api", "junction-17", IPPROTO_TCP, 18088, "10.8.0.17", 8088},
	{"rest-api", "junction-17", IPPROTO_TCP, 18088, "2001:db8:8::17", 8088},
	{"udp-sinks", "junction-17", IPPROTO_UDP, 15556, "10.8.0.17", 55571},
};

static void forward_rows(void) {
	nat_forward("198.51.100.7 2001:db8::7", rows, FW_LENGTH(rows));
	nat_masquerade("10.8.0.0/24 10.9.0.0/24");
	nat_hairpin("10.8.0.0/24 2001:db8:8::/64", "10.8.0.1", "2001:db8:8::1");
}

/* The commands that lead packets into the chains of a program's file. */
#define HOOKS(program)                                                                             \
	"#   " program " -t nat -C PREROUTING -j FLOWFW-PREROUTING 2>/dev/null || " program        \
	" -t nat -I PREROUTING 1 -j FLOWFW-PREROUTING\n"                                           \
	"#   " program " -t nat -C POSTROUTING -j FLOWFW-POSTROUTING 2>/dev/null || " program      \
	" -t nat -I POSTROUTING 1 -j FLOWFW-POSTROUTING\n"

static const char chains_declared[] = "*nat\n"
				      ":FLOWFW-PREROUTING - [0:0]\n"
				      ":FLOWFW-POSTROUTING - [0:0]\n";

/* What the file has behind the declaration of the hooks' chains. */
static const char *behind_declared(void) {
	const char *at = strstr(emitted(), chains_declared);
	ck_assert_ptr_nonnull(at);
	return at + strlen(chains_declared);
}

START_TEST(a_translation_is_these_bytes) {
	forward_rows();
	ck_assert_str_eq(behind_declared(),
		":FLOWFW-DNAT-tcp - [0:0]\n"
		":FLOWFW-DNAT-udp - [0:0]\n"
		":FLOWFW-SRC-nat_masquerade - [0:0]\n"
		"\n"
		"# forwarding: ports that are devices' in truth\n"
		"-A FLOWFW-PREROUTING -d 198.51.100.7/32 -i eth0 -p tcp -j "
		"FLOWFW-DNAT-tcp\n"
		"-A FLOWFW-PREROUTING -d 198.51.100.7/32 -i eth1 -p tcp -j "
		"FLOWFW-DNAT-tcp\n"
		"-A FLOWFW-PREROUTING -d 198.51.100.7/32 -i eth0 -p udp -j "
		"FLOWFW-DNAT-udp\n"
		"-A FLOWFW-PREROUTING -d 198.51.100.7/32 -i eth1 -p udp -j "
		"FLOWFW-DNAT-udp\n"
		"\n"
		"# hairpin: replies to calls from inside come back through here\n"
		"-A FLOWFW-POSTROUTING -s 10.8.0.0/24 -m conntrack --ctstate DNAT "
		"--ctorigdst 198.51.100.7 -m comment --comment hairpin -j SNAT "
		"--to-source 10.8.0.1\n"
		"\n"
		"# masquerade: what leaves gets the address of the interface that it "
		"leaves on\n"
		"-A FLOWFW-POSTROUTING -o eth0 -m comment --comment masquerade -j "
		"FLOWFW-SRC-nat_masquerade\n"
		"\n"
		"# tcp: outside ports, and the devices' own\n"
		"# junction-17\n"
		"-A FLOWFW-DNAT-tcp -p tcp -m tcp --dport 15556 -m comment --comment "
		"node -j DNAT --to-destination 10.8.0.17:5556\n"
		"-A FLOWFW-DNAT-tcp -p tcp -m tcp --dport 18088 -m comment --comment "
		"rest-api -j DNAT --to-destination 10.8.0.17:8088\n"
		"# junction-18\n"
		"-A FLOWFW-DNAT-tcp -p tcp -m tcp --dport 18089 -m comment --comment "
		"rest-api -j DNAT --to-destination 10.8.0.18:8088\n"
		"\n"
		"# udp: outside ports, and the devices' own\n"
		"# junction-17\n"
		"-A FLOWFW-DNAT-udp -p udp -m udp --dport 15556 -m comment --comment "
		"udp-sinks -j DNAT --to-destination 10.8.0.17:55571\n"
		"\n"
		"# from nat_masquerade\n"
		"-A FLOWFW-SRC-nat_masquerade -s 10.8.0.0/24 -j MASQUERADE\n"
		"-A FLOWFW-SRC-nat_masquerade -s 10.9.0.0/24 -j MASQUERADE\n"
		"COMMIT\n");
	assert_in(out.data, "-I FORWARD 1 -j FLOWFW-FORWARD\n" HOOKS("iptables") ":FLOWFW-INPUT");
}
END_TEST

START_TEST(the_other_family_is_in_its_own_file) {
	forward_rows();
	backend = "ip6tables";
	ck_assert_str_eq(behind_declared(),
		":FLOWFW-DNAT-tcp - [0:0]\n"
		"\n"
		"# forwarding: ports that are devices' in truth\n"
		"-A FLOWFW-PREROUTING -d 2001:db8::7/128 -i eth0 -p tcp -j "
		"FLOWFW-DNAT-tcp\n"
		"-A FLOWFW-PREROUTING -d 2001:db8::7/128 -i eth1 -p tcp -j "
		"FLOWFW-DNAT-tcp\n"
		"\n"
		"# hairpin: replies to calls from inside come back through here\n"
		"-A FLOWFW-POSTROUTING -s 2001:db8:8::/64 -m conntrack --ctstate "
		"DNAT --ctorigdst 2001:db8::7 -m comment --comment hairpin -j "
		"SNAT --to-source 2001:db8:8::1\n"
		"\n"
		"# tcp: outside ports, and the devices' own\n"
		"# junction-17\n"
		"-A FLOWFW-DNAT-tcp -p tcp -m tcp --dport 18088 -m comment "
		"--comment rest-api -j DNAT --to-destination "
		"[2001:db8:8::17]:8088\n"
		"COMMIT\n");
}
END_TEST

START_TEST(a_host_has_no_nat_table) {
	forward_rows();
	model.policy.translation = (struct fw_translation){0};
	backend = _i == 0 ? "iptables" : "ip6tables";
	ck_assert_ptr_null(strstr(emitted(), "*nat"));
	assert_in(out.data, "# Nothing is translated. Where an older file did so, end that:\n");
	assert_in(out.data, "tables -t nat -D PREROUTING -j FLOWFW-PREROUTING\n");
	ck_assert_int_eq(out.data[out.length - 1], '\n');
	ck_assert_int_ne(out.data[out.length - 2], '\n');
}
END_TEST

/* What an older file forwarded is gone. */
START_TEST(a_gateway_that_translates_nothing_has_empty_chains) {
	ck_assert_str_eq(behind_declared(), "COMMIT\n");
}
END_TEST

/* There may be no such table: it is named in comments alone. */
START_TEST(untranslated_ipv6_needs_no_nat_table) {
	nat_forward("198.51.100.7", rows, 3);
	nat_masquerade("10.8.0.0/24");
	nat_hairpin("10.8.0.0/24 2001:db8:8::/64", "10.8.0.1", "2001:db8:8::1");
	backend = "ip6tables";
	assert_lines("# Nothing is translated. Where an older file did so, end that:\n"
		     "#   ! ip6tables -t nat -C PREROUTING -j FLOWFW-PREROUTING 2>/dev/null || "
		     "ip6tables -t nat -D PREROUTING -j FLOWFW-PREROUTING\n"
		     "#   ! ip6tables -t nat -C POSTROUTING -j FLOWFW-POSTROUTING 2>/dev/null || "
		     "ip6tables -t nat -D POSTROUTING -j FLOWFW-POSTROUTING\n");
	ck_assert_ptr_null(strstr(out.data, "*nat"));
}
END_TEST

/* Each table is in force from its own COMMIT on: what guards devices, before what opens ports. */
START_TEST(the_filter_table_comes_first) {
	static const char *const frames[][2] = {
		{"chains", "@header@\n@usage@\n*filter\n@chains@\n@rules@\nCOMMIT\n@nat@\n"},
		{"standalone", "@header@\n@notes@\n*filter\n@policies@\n@chains@\n@hooks@\n@rules@"
			       "\nCOMMIT\n@nat-table@\n"},
	};
	forward_rows();
	ck_assert(emit_in(frames[_i][0], frames[_i][1]));
	const char *filter = strstr(out.data, "\n*filter\n"),
		   *commit = strstr(filter, "\nCOMMIT\n"), *nat = strstr(filter, "\n*nat\n");
	ck_assert(filter < commit && commit < nat);
	ck_assert_uint_eq(lines_with(out.data, "\nCOMMIT\n"), 2);
	ck_assert_ptr_null(strstr(nat, "-j ACCEPT"));
}
END_TEST

START_TEST(a_whole_table_has_its_hooks) {
	forward_rows();
	ck_assert(emit_in("standalone",
		"@header@\n@notes@\n@policies@\n@chains@\n@hooks@\n@rules@\n@nat-table@\n"));
	assert_in(out.data, "\n# Replaces the whole nat table, too: ");
	assert_in(out.data, "\n*nat\n"
			    ":PREROUTING ACCEPT [0:0]\n"
			    ":POSTROUTING ACCEPT [0:0]\n"
			    ":FLOWFW-PREROUTING - [0:0]\n");
	assert_in(out.data, "\n-A PREROUTING -j FLOWFW-PREROUTING\n"
			    "-A POSTROUTING -j FLOWFW-POSTROUTING\n");
}
END_TEST

START_TEST(a_frame_without_the_nat_table_is_refused) {
	forward_rows();
	ck_assert(!emit_in("chains", "@header@\n@usage@\n@chains@\n@rules@\n"));
	ck_assert_str_eq(diags.list.items[0]->id, "frame-placeholder-missing");
}
END_TEST

/* Whatever an author writes stays in its comment, on its line. */
START_TEST(names_cannot_become_rules) {
	static const struct nat_row evil[] = {
		{"a\" -j ACCEPT\n-A X", "b\n-A PREROUTING -j ACCEPT \\", IPPROTO_TCP, 1, "10.8.0.2",
			2},
	};
	nat_forward("198.51.100.7", evil, 1);
	assert_lines("\n# b?-A PREROUTING -j ACCEPT ?\n"
		     "-A FLOWFW-DNAT-tcp -p tcp -m tcp --dport 1 -m comment --comment \"a? -j "
		     "ACCEPT?-A X\" -j DNAT --to-destination 10.8.0.2:2\n");
}
END_TEST

START_TEST(any_interface_will_do) {
	nat_forward("198.51.100.7 198.51.100.8", rows, 1);
	model.policy.translation.entry = (struct fw_names){0};
	assert_lines("-A FLOWFW-PREROUTING -d 198.51.100.7/32 -p tcp -j FLOWFW-DNAT-tcp\n"
		     "-A FLOWFW-PREROUTING -d 198.51.100.8/32 -p tcp -j FLOWFW-DNAT-tcp\n");
}
END_TEST

START_TEST(sources_are_sets_in_another_file) {
	forward_rows();
	ipset = "ipset=on";
	assert_lines("-A FLOWFW-POSTROUTING -o eth0 -m set --match-set flowfw4-nat_masquerade src "
		     "-m comment --comment masquerade -j MASQUERADE\n");
	assert_in(out_file.data, "add flowfw4_new 10.9.0.0/24 -exist\n");
	assert_in(out.data, "-s 10.8.0.0/24 -m conntrack --ctstate DNAT --ctorigdst ");
}
END_TEST

START_TEST(a_source_of_everything_needs_no_set) {
	nat_masquerade("0.0.0.0/0");
	assert_lines("-A FLOWFW-POSTROUTING -o eth0 -m comment --comment masquerade -j "
		     "MASQUERADE\n");
}
END_TEST

/* ---- packets ---- */

static struct packet new_packet(const char *protocol, unsigned port, const char *address) {
	struct fw_range range = nat_range(address);
	return (struct packet){.source = nat_range(range.family == FW_IPV4 ? "203.0.113.1" : "::1"),
		.destination = range,
		.protocol = protocol,
		.port = port,
		.in = "eth0"};
}

/* Where a packet goes to, or NULL: where it was sent to. */
static const char *walk_in(struct walk *walk) {
	enum verdict verdict = walk_chain(walk, "FLOWFW-PREROUTING", 2);
	ck_assert(verdict == TRANSLATED || verdict == RETURNED);
	return verdict == TRANSLATED ? walk->address : NULL;
}

static void assert_goes_to(const struct packet *packet, const char *address) {
	struct walk walk = {.packet = packet};
	const char *found = walk_in(&walk);
	ck_assert_msg(
		found == NULL ? address == NULL : address != NULL && strcmp(found, address) == 0,
		"%s port %u: %s, not %s", packet->protocol, packet->port, found, address);
}

START_TEST(what_is_forwarded_is_of_one_kind) {
	forward_rows();
	emitted();
	parse_file(out.data);
	struct packet packet = new_packet("tcp", 18088, "198.51.100.7");
	assert_goes_to(&packet, "10.8.0.17:8088");
	packet.in = "eth1";
	assert_goes_to(&packet, "10.8.0.17:8088");
	packet.in = "eth2";
	assert_goes_to(&packet, NULL);
	packet = new_packet("udp", 18088, "198.51.100.7");
	assert_goes_to(&packet, NULL);
	packet = new_packet("udp", 15556, "198.51.100.7");
	assert_goes_to(&packet, "10.8.0.17:55571");
	packet = new_packet("tcp", 18088, "198.51.100.8");
	assert_goes_to(&packet, NULL);
}
END_TEST

/* What becomes of the source of a packet behind the forward hook. */
static const struct {
	const char *source, *out;
	bool translated;
	const char *asked, *address; /* `address` NULL: stays */
} sources[] = {
	{"10.8.0.5", "eth1", true, "198.51.100.7", "10.8.0.1"},
	{"10.8.0.5", "eth1", true, "198.51.100.8", NULL}, // somebody else's
	{"10.8.0.5", "eth1", false, "10.8.0.17", NULL},
	{"203.0.113.1", "eth1", true, "198.51.100.7", NULL},
	{"10.8.0.5", "eth0", false, "192.0.2.1", "exit"},
	{"10.9.0.5", "eth0", false, "192.0.2.1", "exit"},
	{"10.9.0.5", "eth1", false, "192.0.2.1", NULL},
	{"10.10.0.5", "eth0", false, "192.0.2.1", NULL},
	/* Both: an address that is known, whichever way it leaves. */
	{"10.8.0.5", "eth0", true, "198.51.100.7", "10.8.0.1"},
};

START_TEST(sources_are_translated_once) {
	forward_rows();
	emitted();
	parse_file(out.data);
	struct packet packet = new_packet("tcp", 8088, "10.8.0.17");
	packet.in = NULL;
	packet.out = sources[_i].out;
	packet.source = nat_range(sources[_i].source);
	packet.translated = sources[_i].translated;
	packet.asked = nat_range(sources[_i].asked);
	struct walk walk = {.packet = &packet};
	enum verdict verdict = walk_chain(&walk, "FLOWFW-POSTROUTING", 2);
	ck_assert_int_eq(verdict, sources[_i].address != NULL ? TRANSLATED : RETURNED);
	if (verdict == TRANSLATED) {
		ck_assert_str_eq(walk.address != NULL ? walk.address : "exit", sources[_i].address);
	}
}
END_TEST

/* ---- many devices ---- */

static uint32_t seed;

static unsigned random_below(unsigned limit) {
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % limit;
}

/* How the outside ports of devices lie. */
enum plan { DENSE, SPARSE, RANDOM, SERVICES };

static uint16_t planned_port(enum plan plan, unsigned i, unsigned count) {
	switch (plan) {
	case DENSE:
		return (uint16_t)(18000 + i);
	case SPARSE:
		return (uint16_t)(1 + i * (65535 / count));
	case RANDOM:
		return (uint16_t)(1 + (i * 40503U) % 65535);
	case SERVICES:
		return (uint16_t)(15000 + i % 4 * 10000 + i / 4);
	}
	return 0;
}

/* One forwarding a device; the one at `moved` is on another port. */
static void forward_many(enum plan plan, unsigned count, unsigned moved) {
	struct nat_row *many = FW_ARENA_ARRAY(&model.arena, struct nat_row, count);
	for (unsigned i = 0; i < count; i++) {
		many[i] = (struct nat_row){
			.service = "rest-api",
			.device = fw_arena_printf(&model.arena, "device-%u", i),
			.protocol = IPPROTO_TCP,
			.outside_port = planned_port(plan, i != moved ? i : count, count + 1),
			.address = fw_arena_printf(&model.arena, "10.8.%u.%u", i / 256, i % 256),
			.port = 8088,
		};
	}
	nat_forward("198.51.100.7", many, count);
	model.policy.translation.entry = (struct fw_names){0};
}

static const struct {
	enum plan plan;
	unsigned count;
	size_t met; /* rules, at most */
} plans[] = {
	{DENSE, 1, 2},
	{DENSE, 16, 17},
	{DENSE, 17, 33},
	{DENSE, 1000, 40},
	{DENSE, 5000, 46},
	{SPARSE, 1000, 50},
	{RANDOM, 1000, 50},
	{RANDOM, 5000, 60},
	{SERVICES, 4000, 50},
};

START_TEST(a_packet_meets_few_rules_of_many) {
	forward_many(plans[_i].plan, plans[_i].count, UINT32_MAX);
	emitted();
	parse_file(out.data);
	const struct fw_translation *translation = &model.policy.translation;
	seed = (uint32_t)_i;
	for (int i = 0; i < 300; i++) {
		const struct fw_forwarding *forwarding =
			&translation->forwardings[random_below(plans[_i].count)];
		struct packet packet = new_packet("tcp", forwarding->outside_port, "198.51.100.7");
		struct walk walk = {.packet = &packet};
		const char *found = walk_in(&walk);
		FW_AUTO(fw_buf_fini) struct fw_buf want = {0};
		fw_addr_format(FW_IPV4, forwarding->address, &want);
		fw_buf_add_text(&want, ":8088");
		ck_assert_ptr_nonnull(found);
		ck_assert_str_eq(found, want.data);
		ck_assert_uint_le(walk.met, plans[_i].met);
		ck_assert_uint_le(walk.depth, 7);
	}
}
END_TEST

static bool has_port(unsigned port) {
	const struct fw_translation *translation = &model.policy.translation;
	for (size_t i = 0; i < translation->forwarding_count; i++) {
		if (translation->forwardings[i].outside_port == port) {
			return true;
		}
	}
	return false;
}

START_TEST(no_other_port_is_forwarded) {
	forward_many(plans[_i].plan, plans[_i].count, UINT32_MAX);
	emitted();
	parse_file(out.data);
	seed = (uint32_t)_i;
	for (int i = 0; i < 300; i++) {
		unsigned port =
			i % 2 == 0 ? 1 + random_below(65535)
				   : planned_port(plans[_i].plan, random_below(plans[_i].count + 2),
					     plans[_i].count + 1);
		struct packet packet = new_packet("tcp", port, "198.51.100.7");
		struct walk walk = {.packet = &packet};
		ck_assert_int_eq(walk_in(&walk) != NULL, has_port(port));
	}
}
END_TEST

/* The highest and the lowest ports there are, and every one between two. */
START_TEST(a_tree_has_room_for_every_port) {
	static const uint16_t ports[] = {1, 2, 15, 16, 17, 255, 256, 4095, 4096, 4097, 32767, 32768,
		49151, 61440, 65519, 65520, 65534, 65535};
	struct nat_row many[FW_LENGTH(ports)];
	for (size_t i = 0; i < FW_LENGTH(ports); i++) {
		many[i] = (struct nat_row){"x", "one", IPPROTO_UDP, ports[i], "10.8.0.1", ports[i]};
	}
	nat_forward("198.51.100.7", many, FW_LENGTH(ports));
	emitted();
	parse_file(out.data);
	for (size_t i = 0; i < FW_LENGTH(ports); i++) {
		struct packet packet = new_packet("udp", ports[i], "198.51.100.7");
		assert_goes_to(&packet, fw_arena_printf(&model.arena, "10.8.0.1:%u", ports[i]));
	}
	assert_in(out.data, "-A FLOWFW-DNAT-udp -p udp -m udp --dport 61440:65535 -g "
			    "FLOWFW-DNAT-udp.61440-65535\n");
}
END_TEST

START_TEST(one_device_that_moves_changes_few_lines) {
	char *texts[2];
	char **lines[2];
	size_t counts[2];
	for (size_t i = 0; i < 2; i++) {
		forward_many((enum plan)_i, 1000, i == 0 ? UINT32_MAX : 500);
		texts[i] = strdup(emitted());
		lines[i] = sorted_lines(texts[i], &counts[i]);
	}
	size_t gone = lines_missing(lines[0], counts[0], lines[1], counts[1]);
	size_t come = lines_missing(lines[1], counts[1], lines[0], counts[0]);
	ck_assert_uint_ge(gone, 1);
	ck_assert_uint_le(gone, 5);
	ck_assert_uint_le(come, 5);
	free(texts[0]);
	free(texts[1]);
}
END_TEST

START_TEST(another_address_changes_one_line) {
	char *texts[2];
	char **lines[2];
	size_t counts[2];
	for (size_t i = 0; i < 2; i++) {
		forward_many(SERVICES, 1000, UINT32_MAX);
		struct fw_forwarding *copy =
			FW_ARENA_ARRAY(&model.arena, struct fw_forwarding, 1000);
		memcpy(copy, model.policy.translation.forwardings, 1000 * sizeof(*copy));
		copy[500].address.low += i << 16;
		model.policy.translation.forwardings = copy;
		texts[i] = strdup(emitted());
		lines[i] = sorted_lines(texts[i], &counts[i]);
	}
	ck_assert_uint_eq(lines_missing(lines[0], counts[0], lines[1], counts[1]), 1);
	ck_assert_uint_eq(lines_missing(lines[1], counts[1], lines[0], counts[0]), 1);
	free(texts[0]);
	free(texts[1]);
}
END_TEST

/* ---- what is forwarded, in the filter table ---- */

START_TEST(a_forwarded_service_has_what_others_have) {
	static const char *const inside[] = {"eth1"}, *const outside[] = {"eth0", "eth2"};
	struct fw_flow *flow = model_flow(FW_FORWARD, "rest-api", "8088/tcp");
	flow->inbound = true;
	flow->own_ports = true;
	flow->source =
		model_side(model_set("clients", "203.0.113.0/24 203.0.114.1=pc@99/udp"), NULL);
	flow->destination = model_side(model_set("devices", "10.8.0.17 10.8.0.18"), NULL);
	flow->in_interfaces = (struct fw_names){outside, 2};
	flow->out_interfaces = (struct fw_names){inside, 1};
	flow->limit = (struct fw_rate){10, FW_MINUTE, 6, false};
	flow->log = (struct fw_log){true, "flowfw ", {0}};
	model.policy.hooks[FW_FORWARD].verdict = FW_REJECT;
	assert_lines("-A FLOWFW-FORWARD -s 203.0.113.0/24 -i eth0 -o eth1 -p tcp -m tcp --dport "
		     "8088 -m comment --comment rest-api -j FLOWFW-FWD-rest-api-409afe5d\n"
		     "-A FLOWFW-FORWARD -s 203.0.113.0/24 -i eth2 -o eth1 -p tcp ");
	assert_in(out.data, "-A FLOWFW-FORWARD -i eth2 -o eth1 -m comment --comment rest-api -j ");
	assert_in(out.data, " -s 203.0.114.1/32 -p udp -m udp --dport 99 -m comment --comment pc "
			    "-g FLOWFW-FWD-rest-api-409afe5d\n");
	assert_in(out.data,
		"-A FLOWFW-FWD-rest-api-409afe5d -d 10.8.0.18/32 -g FLOWFW-FWD-rest-api\n");
	assert_in(out.data, "-A FLOWFW-FWD-rest-api -m limit --limit 10/minute --limit-burst 6 -m "
			    "comment --comment rest-api -j LOG --log-prefix \"flowfw rest-api: "
			    "\"\n"
			    "-A FLOWFW-FWD-rest-api -m limit --limit 10/minute --limit-burst 6 -m "
			    "comment --comment rest-api -j ACCEPT\n");
	assert_in(out.data, "-A FLOWFW-FORWARD -p tcp -j REJECT --reject-with tcp-reset\n");
	ck_assert_uint_eq(diags.warnings, 0);
}
END_TEST

/* One bucket for both ways, as a service has one in each hook; half of it for each family. */
START_TEST(both_ways_share_a_limit) {
	for (int i = 0; i < 2; i++) {
		struct fw_flow *flow = model_flow(FW_FORWARD, "echo", "7/udp");
		flow->inbound = i == 0;
		flow->limit = (struct fw_rate){10, FW_MINUTE, 6, false};
	}
	assert_lines("-A FLOWFW-FWD-echo -m limit --limit 5/minute --limit-burst 3 -m comment "
		     "--comment echo -j ACCEPT\n");
	ck_assert_uint_eq(lines_with(out.data, "--limit "), 1);
	ck_assert_uint_eq(diags.warnings, 1);
	ck_assert_str_eq(diags.list.items[0]->id, "lowered");
}
END_TEST

/* Devices that mean others by a group have trees of their own, however alike their names are. */
START_TEST(every_device_may_have_trees) {
	enum { DEVICES = 5000, MEMBERS = 9 };
	struct fw_flow *flows = FW_ARENA_ARRAY(&model.arena, struct fw_flow, DEVICES);
	struct fw_flow *first = model_flow(FW_FORWARD, "x", "1/tcp");
	for (unsigned i = 0; i < DEVICES; i++) {
		struct fw_endpoint *members =
			FW_ARENA_ARRAY(&model.arena, struct fw_endpoint, MEMBERS);
		struct fw_set *set = FW_ARENA_NEW(&model.arena, struct fw_set);
		for (unsigned j = 0; j < MEMBERS; j++) {
			struct fw_addr addr = {0, 0x0a000000 + 64 * i + 2 * j};
			members[j].range = (struct fw_range){addr, addr, FW_IPV4};
		}
		set->name = fw_arena_printf(&model.arena, "junction-%u.clients", i);
		fw_set_resolve(set, members, MEMBERS);
		flows[i] = *first;
		flows[i].inbound = true;
		flows[i].source = model_side(set, NULL);
	}
	fw_policy_finish(&model.arena, &model.policy, flows, DEVICES);
	const struct fw_emitter *emitter = fw_emitter_find("iptables");
	FW_AUTO(fw_outputs_fini) struct fw_outputs outputs = {0};
	struct fw_options options;
	fw_options_init(&options, emitter);
	emitter->emit(&model.policy, &options, &outputs);
	const char *rules = fw_outputs_section(&outputs, "rules")->data;
	ck_assert_uint_eq(lines_with(rules, "-A FLOWFW-FORWARD -p tcp"), DEVICES);
	ck_assert_uint_eq(lines_with(rules, "-j ACCEPT\n"), 1 + DEVICES * MEMBERS);
}
END_TEST

int main(void) {
	Suite *suite = suite_create("iptables-nat");
	TCase *tests = tcase_create("text");
	tcase_set_timeout(tests, 120);
	tcase_add_checked_fixture(tests, gateway_set_up, tear_down);
	tcase_add_test(tests, a_translation_is_these_bytes);
	tcase_add_test(tests, the_other_family_is_in_its_own_file);
	tcase_add_loop_test(tests, a_host_has_no_nat_table, 0, 2);
	tcase_add_test(tests, a_gateway_that_translates_nothing_has_empty_chains);
	tcase_add_test(tests, untranslated_ipv6_needs_no_nat_table);
	tcase_add_loop_test(tests, the_filter_table_comes_first, 0, 2);
	tcase_add_test(tests, a_whole_table_has_its_hooks);
	tcase_add_test(tests, a_frame_without_the_nat_table_is_refused);
	tcase_add_test(tests, names_cannot_become_rules);
	tcase_add_test(tests, any_interface_will_do);
	tcase_add_test(tests, sources_are_sets_in_another_file);
	tcase_add_test(tests, a_source_of_everything_needs_no_set);
	tcase_add_test(tests, what_is_forwarded_is_of_one_kind);
	tcase_add_loop_test(tests, sources_are_translated_once, 0, (int)FW_LENGTH(sources));
	tcase_add_loop_test(tests, a_packet_meets_few_rules_of_many, 0, (int)FW_LENGTH(plans));
	tcase_add_loop_test(tests, no_other_port_is_forwarded, 0, (int)FW_LENGTH(plans));
	tcase_add_test(tests, a_tree_has_room_for_every_port);
	tcase_add_loop_test(tests, one_device_that_moves_changes_few_lines, 0, SERVICES + 1);
	tcase_add_test(tests, another_address_changes_one_line);
	tcase_add_test(tests, a_forwarded_service_has_what_others_have);
	tcase_add_test(tests, both_ways_share_a_limit);
	tcase_add_test(tests, every_device_may_have_trees);
	suite_add_tcase(suite, tests);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
