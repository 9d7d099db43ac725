// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Text backends: the bytes of a rule set, quoting, frames, and what a backend refuses.
 */

#include <check.h>
#include <stdlib.h>
#include <unistd.h>

#include "emit/common.h"
#include "emit/emit.h"
#include "model.h"

static struct fw_diags diags;
static struct fw_buf out, out_file;

static void set_up(void) {
	diags = (struct fw_diags){0};
	out = out_file = (struct fw_buf){0};
	model_set_up();
}

static void tear_down(void) {
	fw_buf_fini(&out);
	fw_buf_fini(&out_file);
	fw_diags_fini(&diags);
	model_tear_down();
}

static const struct fw_source *frame_of(const char *text) {
	const struct fw_source *frame =
		fw_source_text(&model.arena, "own.nft", fw_slice(text), &diags);
	ck_assert_ptr_nonnull(frame);
	return frame;
}

static const struct fw_emitter *nftables(void) {
	const struct fw_emitter *found = fw_emitter_find("nftables");
	ck_assert_ptr_nonnull(found);
	return found;
}

/* The backend with its default options, in this frame. */
static struct fw_job job_of(const struct fw_emitter *emitter, const char *frame) {
	struct fw_job job = {.emitter = emitter, .spec = emitter->frames, .frame = frame_of(frame)};
	fw_options_init(&job.options, emitter);
	return job;
}

static bool emit(const struct fw_emitter *emitter, const char *frame) {
	struct fw_job job = job_of(emitter, frame);
	return fw_emit(&job, model_policy(), &out, &out_file, &diags);
}

/* The rule set in the shortest frame. */
static const char *emitted(void) {
	ck_assert(emit(nftables(), "@header@\n@reset@\n@rules@\n"));
	ck_assert_uint_eq(diags.errors, 0);
	return out.data;
}

/* Whether the rule set has these lines one after the other, whatever is round them. */
static void assert_lines(const char *lines) {
	const char *text = emitted();
	ck_assert_msg(strstr(text, lines) != NULL, "no\n%s\nin\n%s", lines, text);
}

/* ---- nftables ---- */

#define RESET                                                                                      \
	"table inet flowfw\n"                                                                      \
	"delete table inet flowfw\n"                                                               \
	"table ip flowfw_nat\n"                                                                    \
	"delete table ip flowfw_nat\n"                                                             \
	"table ip6 flowfw_nat\n"                                                                   \
	"delete table ip6 flowfw_nat\n"

#define OPENING(interface)                                                                         \
	"\n"                                                                                       \
	"\t\t# loopback, and replies to what was allowed\n"                                        \
	"\t\t" interface " \"lo\" accept comment \"loopback\"\n"                                   \
	"\t\tct state established,related accept\n"                                                \
	"\t\tct state invalid drop\n"

START_TEST(a_rule_set_is_these_bytes) {
	struct fw_set *cameras = model_set("cameras", "10.0.0.1=north 10.0.0.2=south@80/tcp+udp");
	cameras->title = "cameras";
	struct fw_flow *rtsp = model_flow(FW_OUTPUT, "rtsp", "554/tcp");
	rtsp->title = "camera streams";
	rtsp->destination = model_side(cameras, NULL);
	rtsp->own_ports = true;
	struct fw_flow *ssh = model_flow(FW_INPUT, "ssh", "22/tcp");
	ssh->title = "ssh";
	ssh->limit = (struct fw_rate){10, FW_MINUTE, 5, false};
	model.policy.name = "junction-17";
	model.policy.extends = "enterprise";
	model.policy.title = "TrafficEnterprise server";
	model.policy.counters = true;
	model.policy.log = (struct fw_log){true, "flowfw ", {10, FW_MINUTE, 5, false}};
	ck_assert_str_eq(emitted(),
		"# flowfw: junction-17, extends enterprise (TrafficEnterprise server)\n" RESET
		"table inet flowfw {\n"
		"\tcounter service_rtsp {\n"
		"\t}\n"
		"\n"
		"\tcounter service_ssh {\n"
		"\t}\n"
		"\n"
		"\tlimit service_ssh_input {\n"
		"\t\trate 10/minute burst 5 packets\n"
		"\t}\n"
		"\n"
		"\t# cameras\n"
		"\tset ipv4_cameras {\n"
		"\t\ttype ipv4_addr\n"
		"\t\telements = {\n"
		"\t\t\t10.0.0.1,\t# north\n"
		"\t\t}\n"
		"\t}\n"
		"\n"
		"\t# cameras: address . port, tcp and udp alike\n"
		"\tset ipv4_cameras_ports {\n"
		"\t\ttype ipv4_addr . inet_service\n"
		"\t\telements = {\n"
		"\t\t\t10.0.0.2 . 80,\t# south\n"
		"\t\t}\n"
		"\t}\n"
		"\n"
		"\tchain input {\n"
		"\t\ttype filter hook input priority 0; policy drop;\n" OPENING(
			"iifname") "\n"
				   "\t\t# ssh\n"
				   "\t\ttcp dport 22 limit name \"service_ssh_input\" "
				   "counter name \"service_ssh\" accept comment \"ssh\"\n"
				   "\n"
				   "\t\t# what is left is dropped\n"
				   "\t\tlimit rate 10/minute burst 5 packets log prefix \"flowfw "
				   "input: \"\n"
				   "\t}\n"
				   "\n"
				   "\tchain output {\n"
				   "\t\ttype filter hook output priority 0; policy drop;\n" OPENING(
					   "oifname") "\n"
						      "\t\t# rtsp: camera streams\n"
						      "\t\ttcp dport 554 ip daddr @ipv4_cameras "
						      "counter name \"service_rtsp\" accept "
						      "comment \"rtsp\"\n"
						      "\t\tip daddr . tcp dport "
						      "@ipv4_cameras_ports "
						      "counter name \"service_rtsp\" accept "
						      "comment \"rtsp\"\n"
						      "\t\tip daddr . udp dport "
						      "@ipv4_cameras_ports "
						      "counter name \"service_rtsp\" accept "
						      "comment \"rtsp\"\n"
						      "\n"
						      "\t\t# what is left is dropped\n"
						      "\t\tlimit rate 10/minute burst 5 packets "
						      "log prefix \"flowfw output: \"\n"
						      "\t}\n"
						      "}\n");
}
END_TEST

static const struct fw_icmp_type codes[] = {{3, 4}};
static const struct fw_icmp_type types[] = {{3, -1}, {11, -1}, {200, -1}};
static const struct fw_icmp_type types6[] = {{134, -1}};
static const struct fw_ports some_ports[] = {{80, 80}, {8000, 8010}};

static const struct {
	struct fw_clause clause;
	const char *source; /* a list of the service's own, or NULL */
	const char *rule;
} clauses[] = {
	{{.protocol = 6, .ports = some_ports, .port_count = 2}, NULL,
		"tcp dport { 80, 8000-8010 }"},
	{{.protocol = 17,
		 .source_ports = some_ports,
		 .source_port_count = 1,
		 .ports = some_ports + 1,
		 .port_count = 1},
		"0.0.0.0/0", "meta nfproto ipv4 udp sport 80 udp dport 8000-8010"},
	{{.protocol = 6, .ports = some_ports, .port_count = 1}, "10.0.0.1-10.0.0.9",
		"tcp dport 80 ip saddr 10.0.0.1-10.0.0.9"},
	{{.protocol = 1, .family = FW_IPV4, .types = types, .type_count = 3}, NULL,
		"icmp type { destination-unreachable, time-exceeded, 200 }"},
	{{.protocol = 1, .family = FW_IPV4, .types = codes, .type_count = 1}, NULL,
		"icmp type destination-unreachable icmp code 4"},
	{{.protocol = 58, .family = FW_IPV6, .types = types6, .type_count = 1, .hop_limit = 255},
		"fe80::/10", "ip6 hoplimit 255 icmpv6 type nd-router-advert ip6 saddr fe80::/10"},
	/* By names that are nft's own words, else by number. */
	{{.protocol = 2}, "10.0.0.1", "ip protocol igmp ip saddr 10.0.0.1"},
	{{.protocol = 50}, NULL, "meta l4proto esp"},
	{{.protocol = 47}, "::/0", "meta nfproto ipv6 meta l4proto 47"},
};

START_TEST(matches_are_written_as_nft_lists_them) {
	struct fw_flow *flow = model_flow(FW_INPUT, "x", NULL);
	model_clause(flow, clauses[_i].clause);
	if (clauses[_i].source != NULL) {
		flow->source = model_side(model_literal("x", clauses[_i].source), NULL);
	}
	assert_lines(fw_arena_printf(
		&model.arena, "\t\t# x\n\t\t%s accept comment \"x\"\n", clauses[_i].rule));
}
END_TEST

START_TEST(interfaces_and_exceptions_are_written) {
	static const char *const names[] = {"eth0", "wg0"};
	struct fw_flow *flow = model_flow(FW_OUTPUT, "x", "80/tcp");
	flow->out_interfaces.items = names;
	flow->out_interfaces.count = 2;
	flow->destination =
		model_side(NULL, model_literal("x_except", "10.0.0.0/8 192.168.0.0/16"));
	assert_lines("\t\toifname { \"eth0\", \"wg0\" } tcp dport 80 ip daddr != @ipv4_x_except "
		     "accept comment \"x\"\n"
		     "\t\toifname { \"eth0\", \"wg0\" } meta nfproto ipv6 tcp dport 80 "
		     "accept comment \"x\"\n");
}
END_TEST

START_TEST(limits_per_source_are_meters) {
	struct fw_flow *flow = model_flow(FW_INPUT, "ssh", "22/tcp");
	flow->limit = (struct fw_rate){1, FW_HOUR, 37, true};
	flow->source = model_side(model_literal("ssh", "10.0.0.0/8"), NULL);
	assert_lines("\t# ssh: its limit, for each source\n"
		     "\tchain service_ssh_input {\n"
		     "\t\tmeter ipv4_ssh_input_sources size 65535 "
		     "{ ip saddr timeout 1d13h limit rate 1/hour burst 37 packets } "
		     "accept comment \"ssh\"\n"
		     "\t}\n");
	ck_assert_ptr_nonnull(
		strstr(out.data, "tcp dport 22 ip saddr 10.0.0.0/8 jump service_ssh_input "
				 "comment"));
	ck_assert_ptr_null(strstr(out.data, "set ipv4"));
}
END_TEST

START_TEST(a_newer_kernel_takes_ranges_with_ports) {
	struct fw_flow *flow = model_flow(FW_OUTPUT, "rtsp", NULL);
	flow->destination = model_side(
		model_set("g", "10.1.0.0/16=n@80-90/tcp 10.2.0.1-10.2.0.9@80/tcp"), NULL);
	flow->own_ports = true;
	struct fw_job job = job_of(nftables(), "@header@\n@reset@\n@rules@\n");
	ck_assert(fw_options_set(&job.options, nftables(), "kernel=5.6", &diags));
	ck_assert(fw_emit(&job, model_policy(), &out, &out_file, &diags));
	ck_assert_ptr_nonnull(strstr(out.data, "\t# g: address . port, tcp\n"
					       "\tset ipv4_g_ranges_tcp {\n"
					       "\t\ttype ipv4_addr . inet_service\n"
					       "\t\tflags interval\n"
					       "\t\telements = {\n"
					       "\t\t\t10.1.0.0/16 . 80-90,\t# n\n"
					       "\t\t\t10.2.0.1-10.2.0.9 . 80,\n"
					       "\t\t}\n"
					       "\t}\n"));
	ck_assert_ptr_nonnull(strstr(
		out.data, "\t\tip daddr . tcp dport @ipv4_g_ranges_tcp accept comment \"rtsp\"\n"));
}
END_TEST

START_TEST(what_is_left_is_rejected) {
	model.policy.hooks[FW_FORWARD].verdict = FW_REJECT;
	model.policy.log = (struct fw_log){true, "fw ", {0}};
	assert_lines("\tchain forward {\n"
		     "\t\ttype filter hook forward priority 0; policy drop;\n"
		     "\n"
		     "\t\t# replies to what was allowed\n"
		     "\t\tct state established,related accept\n"
		     "\t\tct state invalid drop\n"
		     "\n"
		     "\t\t# what is left is rejected\n"
		     "\t\tlog prefix \"fw forward: \"\n"
		     "\t\tmeta l4proto tcp reject with tcp reset\n"
		     "\t\treject with icmpx type admin-prohibited\n"
		     "\t}\n");
}
END_TEST

enum { NAMED_MAX = 256 };

/* Long sets are read by machines: no names, but a size. */
static const struct {
	size_t count;
	bool named, sized;
} lengths[] = {
	{NAMED_MAX, true, false},
	{NAMED_MAX + 1, false, false},
	{1024, false, true},
};

START_TEST(long_sets_have_no_names) {
	size_t count = lengths[_i].count;
	struct fw_endpoint *endpoints = FW_ARENA_ARRAY(&model.arena, struct fw_endpoint, count);
	for (size_t i = 0; i < count; i++) {
		struct fw_addr addr = {0, 0x0a000000 + i};
		endpoints[i] = (struct fw_endpoint){{addr, addr, FW_IPV4}, .name = "n"};
	}
	struct fw_set set = {.name = "g"};
	set.members[FW_IPV4] = (struct fw_members){endpoints, count, count};
	model_flow(FW_INPUT, "x", "1/tcp")->source = model_side(&set, NULL);
	const char *text = emitted();
	ck_assert_int_eq(strstr(text, "10.0.0.255,\t# n\n") != NULL, lengths[_i].named);
	ck_assert_int_eq(strstr(text, "\t\tsize 1024\n") != NULL, lengths[_i].sized);
}
END_TEST

/* Whatever an author writes stays in its comment, on its line. */
START_TEST(names_cannot_become_rules) {
	struct fw_set *set = model_set("g", "10.0.0.1");
	struct fw_endpoint evil = set->members[FW_IPV4].items[0];
	evil.name = "a\n}\" \\";
	set->members[FW_IPV4].items = &evil;
	set->title = "t\n\taccept \\";
	struct fw_flow *flow = model_flow(FW_INPUT, "x", "1/tcp");
	flow->title = "line\nreject\x7f\\";
	flow->source = model_side(set, NULL);
	model.policy.name = "n\n\r\\";
	model.policy.title = "\xe2\x80\xaeright to left";
	model.policy.extends = "base\n";
	assert_lines("\t\t\t10.0.0.1,\t# a?}\" ?\n");
	ck_assert_ptr_nonnull(strstr(out.data, "# flowfw: n???, extends base? (?right to left)\n"));
	ck_assert_ptr_nonnull(strstr(out.data, "\t# t??accept ?\n\tset ipv4_g {\n"));
	ck_assert_ptr_nonnull(strstr(out.data, "\t\t# x: line?reject??\n"));
}
END_TEST

/* ---- quoting ---- */

static const struct {
	const char *text, *quoted, *comment;
} quotings[] = {
	{"", "\"\"", ""},
	{"rest-api", "\"rest-api\"", "rest-api"},
	{"a\"b\\c", "\"a?b?c\"", "a\"b?c"},
	{"tab\there", "\"tab?here\"", "tab?here"},
	{"a\nb\rc", "\"a?b?c\"", "a?b?c"},
	{"k\xc3\xa4mera", "\"k??mera\"", "k\xc3\xa4mera"},
	{"\xc2\x85"
	 "nel",
		"\"??nel\"", "?nel"},
	{"\xe2\x80\xa8ls", "\"???ls\"", "?ls"},
	{"\xe2\x80\xae"
	 "rlo\xe2\x81\xa6",
		"\"???rlo???\"", "?rlo?"},
	{"\xef\xbb\xbf"
	 "bom\xd8\x9c",
		"\"???bom??\"", "?bom?"},
	{"\xe2\x82\xac", "\"???\"", "\xe2\x82\xac"},
	/* Broken off in the middle of a character. */
	{"\xe2", "\"?\"", "\xe2"},
	{"\xe2\x80", "\"??\"", "\xe2\x80"},
	{"0123456789abcdefghij", "\"0123456789abcdef\"", "0123456789abcdefghij"},
};

START_TEST(texts_are_quoted) {
	fw_buf_add_quoted(&out, quotings[_i].text, 16);
	ck_assert_str_eq(out.data, quotings[_i].quoted);
	out.length = 0;
	fw_buf_add_text(&out, "");
	fw_buf_add_comment(&out, quotings[_i].text);
	ck_assert_str_eq(out.data, quotings[_i].comment);
}
END_TEST

/* ---- frames ---- */

static const struct {
	const char *frame;
	const char *ids; /* of the errors, with their lines */
} frames[] = {
	{"@header@\n@reset@\n@rules@\n", ""},
	{"@header@\r\n@reset@\r\n@rules@", ""},
	{"#!/usr/sbin/nft -f\n#% see @rules@ and \"\n@header@\n\nflush ruleset\n@reset@\n@rules@\n"
	 "table ip x { } # \" {\ndefine a = \"#{\"\n",
		""},
	{"define a = { 1,\n2 }\n@header@\n@reset@\n@rules@\n", ""},
	{"ip saddr @ipv4_x ip daddr @y # a@b.example c@d\n@header@\n@reset@\n@rules@\n", ""},
	{"", "frame-placeholder-missing:1 frame-placeholder-missing:1 frame-placeholder-missing:1"},
	{"@header@\n@reset@\n", "frame-placeholder-missing:3"},
	{"@header@\n@reset@\n#% @rules@\n", "frame-placeholder-missing:4"},
	{"@header@\n@reset@\n# @rules@\n",
		"frame-placeholder-inline:3 frame-placeholder-missing:4"},
	{"@header@\n@reset@\n @rules@\n", "frame-placeholder-inline:3 frame-placeholder-missing:4"},
	{"@header@\n@reset@\n@rules@ # \n",
		"frame-placeholder-inline:3 frame-placeholder-missing:4"},
	{"@header@\n@reset@\n@rules@\n@rules@\n", "frame-placeholder-twice:4"},
	{"@header@\n@rules@\n@reset@\n", "frame-placeholder-order:3"},
	{"@header@\n@reset@\n@rules@\n@ruels@\n", "frame-placeholder-unknown:4"},
	{"@header@\n@reset@\n@rules@\nx @ruels@ @rules@\n",
		"frame-placeholder-unknown:4 frame-placeholder-inline:4"},
	/* What would swallow the line behind it. */
	{"# x \\\n@header@\n@reset@\n@rules@\n", "frame-line-continued:1"},
	{"x \\ \t\r\n@header@\n@reset@\n@rules@\n", "frame-line-continued:1"},
	{"define a = \"x\n@header@\n@reset@\n@rules@\n\"\n",
		"frame-quote-open:1 frame-quote-open:5"},
	{"@header@\n@reset@\ntable ip x {\n@rules@\n}\n", "frame-placeholder-enclosed:4"},
	{"}\n@header@\n@reset@\n@rules@\n{\n",
		"frame-placeholder-enclosed:2 frame-placeholder-enclosed:3 "
		"frame-placeholder-enclosed:4"},
};

static const char *error_ids(void) {
	out.length = 0;
	fw_buf_add_text(&out, "");
	for (size_t i = 0; i < diags.list.count; i++) {
		size_t line, column;
		fw_span_place(diags.list.items[i]->span, &line, &column);
		fw_buf_printf(&out, "%s%s:%zu", i != 0 ? " " : "", diags.list.items[i]->id, line);
	}
	return out.data;
}

START_TEST(frames_are_checked) {
	struct fw_job job = job_of(nftables(), frames[_i].frame);
	bool fine = fw_frame_check(&job, &diags);
	ck_assert_str_eq(error_ids(), frames[_i].ids);
	ck_assert_int_eq(fine, frames[_i].ids[0] == '\0');
}
END_TEST

START_TEST(a_misspelt_placeholder_is_guessed) {
	struct fw_job job = job_of(nftables(), "@header@\n@reset@\n@rules@\n@ruels@\n");
	ck_assert(!fw_frame_check(&job, &diags));
	ck_assert_ptr_nonnull(diags.list.items[0]->hint);
	ck_assert_ptr_nonnull(strstr(diags.list.items[0]->hint, "rules"));
}
END_TEST

START_TEST(a_bad_frame_emits_nothing) {
	fw_buf_add_text(&out, "before");
	ck_assert(!emit(nftables(), "@rules@\n"));
	ck_assert_str_eq(out.data, "before");
}
END_TEST

/* ---- a backend that can do little ---- */

static void emit_stub(const struct fw_policy *policy, const struct fw_options *options,
	struct fw_outputs *outputs) {
	(void)options;
	fw_buf_add_text(fw_outputs_section(outputs, "two"), policy->name);
	fw_buf_add_text(fw_outputs_section(outputs, "one"), "1\n");
	fw_buf_add_text(fw_outputs_section(outputs, "two"), "\n");
	fw_buf_add_text(fw_outputs_section(outputs, "sets"), "sets\n");
}

static bool check_stub(
	const struct fw_policy *policy, const struct fw_options *options, struct fw_diags *list) {
	(void)options;
	bool fine = strcmp(policy->name, "refused") != 0 && strcmp(policy->name, "mute") != 0;
	if (strcmp(policy->name, "refused") == 0) {
		fw_refusal(list, (struct fw_span){0}, "stub", "no");
	}
	return fine;
}

static struct fw_support_table support_stub(const struct fw_options *options) {
	static const enum fw_support tables[][FW_FEATURE_LOG + 1] = {
		{[FW_FEATURE_LOG] = FW_LOWERED},
		{[FW_FEATURE_LOG] = FW_NATIVE, [FW_FEATURE_FORWARD] = FW_NATIVE},
	};
	bool better = strcmp(options->values[0], "better") == 0;
	return (struct fw_support_table){tables[better], FW_LENGTH(tables[better])};
}

static const char *const stub_one[] = {"one", NULL};
static const char *const stub_both[] = {"one", "two", NULL};
static const struct fw_frame_spec stub_frames[] = {
	{"both", stub_both, "@one@\n@two@\n"},
	{"one", stub_one, "@one@\n"},
	{0},
};

static const char *const stub_dialects[] = {"plain", "better", NULL};
static const char *const stub_switch[] = {"off", "on", NULL};
static const struct fw_option_spec stub_options[] = {
	{"dialect", "what is said", stub_dialects},
	{"sets", "a second file", stub_switch},
};
static const char *const stub_variants[] = {"dialect=better", NULL};

static const struct fw_emitter stub = {
	.abi = FW_EMITTER_ABI,
	.name = "stub",
	.summary = "what can do little",
	.suffix = ".stub",
	.frames = stub_frames,
	.options = stub_options,
	.option_count = FW_LENGTH(stub_options),
	.variants = stub_variants,
	.file = "sets",
	.support = support_stub,
	.check = check_stub,
	.emit = emit_stub,
};

/* ---- options ---- */

static const struct {
	const char *text;
	const char *dialect, *sets; /* what the options are then */
	const char *id;		    /* of the error, or NULL */
} settings[] = {
	{"dialect=better", "better", "off", NULL},
	{"dialect=plain", "plain", "off", NULL},
	{"sets", "plain", "on", NULL},
	{"sets=on", "plain", "on", NULL},
	{"sets=off", "plain", "off", NULL},
	{"dialect=worse", "plain", "off", "option-value"},
	{"dialect=", "plain", "off", "option-value"},
	{"dialect", "plain", "off", "option-value"},
	{"dialect=better=", "plain", "off", "option-value"},
	{"dialect =better", "plain", "off", "unknown-option"},
	{"dialec=better", "plain", "off", "unknown-option"},
	{"Sets", "plain", "off", "unknown-option"},
	{"=on", "plain", "off", "unknown-option"},
	{"", "plain", "off", "unknown-option"},
};

START_TEST(options_are_read) {
	struct fw_options options;
	fw_options_init(&options, &stub);
	bool fine = fw_options_set(&options, &stub, settings[_i].text, &diags);
	ck_assert_int_eq(fine, settings[_i].id == NULL);
	ck_assert_str_eq(fw_options_get(&options, &stub, "dialect"), settings[_i].dialect);
	ck_assert_str_eq(fw_options_get(&options, &stub, "sets"), settings[_i].sets);
	ck_assert_int_eq(
		fw_options_on(&options, &stub, "sets"), strcmp(settings[_i].sets, "on") == 0);
	ck_assert_int_eq(fw_options_file(&options, &stub), fw_options_on(&options, &stub, "sets"));
	if (!fine) {
		ck_assert_str_eq(diags.list.items[0]->id, settings[_i].id);
		ck_assert_int_eq(diags.list.items[0]->fault, FW_FAULT_USAGE);
	}
}
END_TEST

/* The last one counts, and one option leaves the others alone. */
START_TEST(options_are_read_in_order) {
	static const char *const texts[] = {"sets", "dialect=better", "dialect=plain"};
	struct fw_options options;
	fw_options_init(&options, &stub);
	for (size_t i = 0; i < FW_LENGTH(texts); i++) {
		ck_assert(fw_options_set(&options, &stub, texts[i], &diags));
	}
	ck_assert_ptr_eq(options.values[0], stub_dialects[0]);
	ck_assert_ptr_eq(options.values[1], stub_switch[1]);
}
END_TEST

START_TEST(options_are_guessed) {
	static const char *const texts[][2] = {
		{"dialekt=better", "dialect"}, {"dialect=beter", "better"}, {"x", "--long"}};
	struct fw_options options;
	fw_options_init(&options, &stub);
	for (size_t i = 0; i < FW_LENGTH(texts); i++) {
		ck_assert(!fw_options_set(&options, &stub, texts[i][0], &diags));
		const char *hint = diags.list.items[i]->hint;
		ck_assert_ptr_nonnull(hint);
		ck_assert_ptr_nonnull(strstr(hint, texts[i][1]));
	}
}
END_TEST

START_TEST(a_backend_may_have_no_options) {
	static const struct fw_emitter bare = {.name = "bare"};
	struct fw_options options;
	fw_options_init(&options, &bare);
	ck_assert(!fw_options_set(&options, &bare, "sets", &diags));
	ck_assert(!fw_options_file(&options, &bare));
}
END_TEST

START_TEST(options_change_what_can_be_said) {
	struct fw_options options;
	fw_options_init(&options, &stub);
	ck_assert_int_eq(fw_emitter_support(&stub, &options, FW_FEATURE_LOG), FW_LOWERED);
	ck_assert_int_eq(fw_emitter_support(&stub, &options, FW_FEATURE_FORWARD), FW_NONE);
	ck_assert(fw_options_set(&options, &stub, stub_variants[0], &diags));
	ck_assert_int_eq(fw_emitter_support(&stub, &options, FW_FEATURE_LOG), FW_NATIVE);
	ck_assert_int_eq(fw_emitter_support(&stub, &options, FW_FEATURE_FORWARD), FW_NATIVE);
	ck_assert_int_eq(fw_emitter_support(&stub, &options, FW_FEATURE_HOP_LIMIT), FW_NONE);
}
END_TEST

START_TEST(a_second_file_is_written_where_it_is_asked_for) {
	struct fw_job job = job_of(&stub, "@one@\n@two@\n");
	ck_assert(fw_emit(&job, model_policy(), &out, &out_file, &diags));
	ck_assert_uint_eq(out_file.length, 0);
	ck_assert(fw_options_set(&job.options, &stub, "sets", &diags));
	ck_assert(fw_emit(&job, &model.policy, &out, &out_file, &diags));
	ck_assert_str_eq(out_file.data, "sets\n");
	ck_assert_str_eq(out.data, "1\ntest\n1\ntest\n");
}
END_TEST

/* ---- frames of one backend ---- */

START_TEST(a_frame_has_the_sections_of_its_name) {
	struct fw_job job = job_of(&stub, "@one@\n");
	ck_assert(!fw_emit(&job, model_policy(), &out, &out_file, &diags));
	ck_assert_str_eq(diags.list.items[0]->id, "frame-placeholder-missing");
	job.spec = fw_emitter_frame(&stub, "one");
	ck_assert(fw_emit(&job, &model.policy, &out, &out_file, &diags));
	ck_assert_str_eq(out.data, "1\n");
	job.frame = frame_of("@one@\n@two@\n");
	ck_assert(!fw_emit(&job, &model.policy, &out, &out_file, &diags));
	ck_assert_str_eq(diags.list.items[1]->id, "frame-placeholder-unknown");
	ck_assert_str_eq(
		diags.list.items[1]->message, "frame 'one' of backend 'stub' has no section 'two'");
}
END_TEST

START_TEST(frames_are_found_by_name) {
	ck_assert_ptr_eq(fw_emitter_frame(&stub, "both"), &stub_frames[0]);
	ck_assert_ptr_eq(fw_emitter_frame(&stub, "one"), &stub_frames[1]);
	ck_assert_ptr_null(fw_emitter_frame(&stub, "on"));
}
END_TEST

/* ---- support ---- */

START_TEST(a_frame_is_filled_in_its_own_order) {
	model.policy.log = (struct fw_log){true, "", {0}};
	ck_assert(emit(&stub, "#% own\n# kept\r\n@one@\n\n@two@\nlast"));
	ck_assert_str_eq(out.data, "# kept\n1\n\ntest\nlast\n");
}
END_TEST

/* Features past the table's end, too; a service hears of each once, however many flows it has. */
START_TEST(what_a_backend_cannot_say_is_refused_once) {
	for (int hook = FW_INPUT; hook <= FW_OUTPUT; hook++) {
		struct fw_flow *flow = model_flow((enum fw_hook)hook, "ssh", "22/tcp");
		flow->limit = (struct fw_rate){10, FW_MINUTE, 5, false};
	}
	model_flow(FW_INPUT, "x", "22/tcp")->limit = (struct fw_rate){10, FW_MINUTE, 5, true};
	model.policy.hooks[FW_INPUT].verdict = FW_REJECT;
	model.policy.hooks[FW_OUTPUT].verdict = FW_REJECT;
	ck_assert(!emit(&stub, "@one@\n@two@\n"));
	ck_assert_uint_eq(out.length, 0);
	ck_assert_uint_eq(diags.errors, 3);
	for (size_t i = 0; i < diags.list.count; i++) {
		ck_assert_str_eq(diags.list.items[i]->id, "not-expressible");
		ck_assert_int_eq(diags.list.items[i]->fault, FW_FAULT_BACKEND);
	}
	ck_assert_str_eq(diags.list.items[1]->message,
		"backend 'stub' cannot express a limit, which service 'ssh' asks for");
}
END_TEST

START_TEST(check_has_its_say) {
	model.policy.name = "refused";
	ck_assert(!emit(&stub, "@one@\n@two@\n"));
	ck_assert_str_eq(diags.list.items[0]->id, "stub");
	ck_assert_uint_eq(out.length, 0);
}
END_TEST

START_TEST(a_refusal_without_a_reason_is_one) {
	model.policy.name = "mute";
	ck_assert(!emit(&stub, "@one@\n@two@\n"));
	ck_assert_str_eq(diags.list.items[0]->id, "refused");
	ck_assert_uint_eq(out.length, 0);
}
END_TEST

START_TEST(what_is_lowered_is_a_warning) {
	model.policy.log = (struct fw_log){true, "", {0}};
	ck_assert(emit(&stub, "@one@\n@two@\n"));
	ck_assert_uint_eq(diags.warnings, 1);
	ck_assert_str_eq(diags.list.items[0]->id, "lowered");
	ck_assert_str_eq(diags.list.items[0]->message,
		"backend 'stub' makes something stricter of a log of what is dropped");
}
END_TEST

/* ---- plug-ins ---- */

START_TEST(a_whole_plugin_is_fine) {
	ck_assert(fw_plugin_check(&stub, "stub.so", &diags));
	ck_assert_uint_eq(diags.errors, 0);
}
END_TEST

/* Those that are built in follow the same rules, but have their frames in files. */
START_TEST(built_in_backends_are_whole) {
	for (size_t i = 0; fw_emitters[i] != NULL; i++) {
		struct fw_frame_spec copies[FW_SECTIONS_MAX] = {0};
		struct fw_emitter copy = *fw_emitters[i];
		for (size_t j = 0; copy.frames[j].name != NULL; j++) {
			ck_assert_uint_lt(j + 1, FW_LENGTH(copies));
			ck_assert_ptr_null(copy.frames[j].text);
			copies[j] = copy.frames[j];
			copies[j].text = "";
		}
		copy.frames = copies;
		ck_assert_msg(fw_plugin_check(&copy, copy.name, &diags), "%s",
			diags.errors != 0 ? diags.list.items[0]->message : "");
	}
}
END_TEST

START_TEST(another_interface_is_refused) {
	struct fw_emitter other = {.abi = FW_EMITTER_ABI + 1};
	ck_assert(!fw_plugin_check(&other, "stub.so", &diags));
	ck_assert_str_eq(diags.list.items[0]->id, "plugin-abi");
	ck_assert_int_eq(diags.list.items[0]->fault, FW_FAULT_SYSTEM);
}
END_TEST

/* The tests of the program try the other parts, with objects that are really loaded. */
START_TEST(a_plugin_with_too_many_sections_is_refused) {
	static const char *const many[] = {
		"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", NULL};
	const struct fw_frame_spec one_frame[] = {{"many", many, "@a@\n"}, {0}};
	struct fw_emitter other = stub;
	other.frames = one_frame;
	ck_assert(!fw_plugin_check(&other, "stub.so", &diags));
	ck_assert_str_eq(
		diags.list.items[0]->message, "plug-in 'stub.so' has no valid 'frames: sections'");
}
END_TEST

START_TEST(a_folder_that_others_may_write_to_is_refused) {
	char folder[] = "/tmp/flowfw-test-XXXXXX";
	ck_assert_ptr_nonnull(mkdtemp(folder));
	struct fw_plugins plugins = {0};
	bool loaded = fw_plugins_load(&plugins, folder, &diags);
	fw_plugins_fini(&plugins);
	rmdir(folder);
	ck_assert(!loaded);
	ck_assert_str_eq(diags.list.items[0]->id, "plugin-unsafe");
}
END_TEST

START_TEST(backends_are_found_by_name) {
	ck_assert_ptr_null(fw_emitter_find("nftable"));
	for (size_t i = 0; fw_emitters[i] != NULL; i++) {
		const struct fw_emitter *emitter = fw_emitters[i];
		ck_assert_ptr_eq(fw_emitter_find(emitter->name), emitter);
		ck_assert_uint_eq(emitter->abi, FW_EMITTER_ABI);
		ck_assert(i == 0 || strcmp(fw_emitters[i - 1]->name, emitter->name) < 0);
		ck_assert_ptr_eq(
			fw_emitter_frame(emitter, emitter->frames[0].name), emitter->frames);
	}
	for (size_t i = 0; i < FW_SUPPORT_COUNT; i++) {
		ck_assert_ptr_nonnull(fw_support_names[i]);
	}
}
END_TEST

int main(void) {
	Suite *suite = suite_create("emit");
	TCase *tests = tcase_create("text");
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, a_rule_set_is_these_bytes);
	tcase_add_loop_test(
		tests, matches_are_written_as_nft_lists_them, 0, (int)FW_LENGTH(clauses));
	tcase_add_test(tests, interfaces_and_exceptions_are_written);
	tcase_add_test(tests, limits_per_source_are_meters);
	tcase_add_test(tests, what_is_left_is_rejected);
	tcase_add_test(tests, a_newer_kernel_takes_ranges_with_ports);
	tcase_add_loop_test(tests, long_sets_have_no_names, 0, (int)FW_LENGTH(lengths));
	tcase_add_test(tests, names_cannot_become_rules);
	tcase_add_loop_test(tests, texts_are_quoted, 0, (int)FW_LENGTH(quotings));
	tcase_add_loop_test(tests, frames_are_checked, 0, (int)FW_LENGTH(frames));
	tcase_add_test(tests, a_misspelt_placeholder_is_guessed);
	tcase_add_test(tests, a_bad_frame_emits_nothing);
	tcase_add_test(tests, a_frame_is_filled_in_its_own_order);
	tcase_add_loop_test(tests, options_are_read, 0, (int)FW_LENGTH(settings));
	tcase_add_test(tests, options_are_read_in_order);
	tcase_add_test(tests, options_are_guessed);
	tcase_add_test(tests, a_backend_may_have_no_options);
	tcase_add_test(tests, options_change_what_can_be_said);
	tcase_add_test(tests, a_second_file_is_written_where_it_is_asked_for);
	tcase_add_test(tests, a_frame_has_the_sections_of_its_name);
	tcase_add_test(tests, frames_are_found_by_name);
	tcase_add_test(tests, what_a_backend_cannot_say_is_refused_once);
	tcase_add_test(tests, check_has_its_say);
	tcase_add_test(tests, a_refusal_without_a_reason_is_one);
	tcase_add_test(tests, what_is_lowered_is_a_warning);
	tcase_add_test(tests, a_whole_plugin_is_fine);
	tcase_add_test(tests, built_in_backends_are_whole);
	tcase_add_test(tests, another_interface_is_refused);
	tcase_add_test(tests, a_plugin_with_too_many_sections_is_refused);
	tcase_add_test(tests, a_folder_that_others_may_write_to_is_refused);
	tcase_add_test(tests, backends_are_found_by_name);
	suite_add_tcase(suite, tests);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
