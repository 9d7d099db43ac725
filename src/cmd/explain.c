// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * flowfw explain: what becomes of packets, and which lines of which files say so.
 */

#include "cmd/explain.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
	"usage: flowfw explain [options] PROFILE... [PACKET...]\n"
	"Says what becomes of packets, and why: which service allows them, in which line\n"
	"of which file, or what would be allowed instead.\n"
	"\n"
	"PACKET is in words, as behind allow and deny in flowfw-profile(5):\n"
	"  flowfw explain junction-17.yaml 'input 8088/tcp from 10.20.1.1'\n"
	"  flowfw explain junction-17.yaml 'input icmpv6 echo-request on uplink'\n"
	"  flowfw explain city.yaml 'input 18088/tcp from 203.0.113.5 to 198.51.100.7'\n"
	"What it does not say may be anything. Each packet is asked of each profile.\n"
	"\n"
	"A packet may be put together by options instead:\n"
	"      --hook HOOK         input (which is the default), output or forward\n"
	"      --port PORT         the destination's: 8088, or 8088/tcp\n"
	"      --proto PROTOCOL    tcp, which is the default for a port, udp, igmp ...\n"
	"      --icmp TYPE         echo-request, 3/4 ...; of ICMPv6 with an IPv6 address\n"
	"      --icmpv6 TYPE       the same of ICMPv6\n"
	"      --from ADDRESS      its source\n"
	"      --to ADDRESS        its destination\n"
	"      --source-port PORT  its source's\n"
	"      --on INTERFACE      that it comes in or goes out by\n"
	"      --in-interface INTERFACE\n"
	"      --out-interface INTERFACE\n"
	"                          those of what is forwarded\n"
	"      --state STATE       new, established, related, invalid or untracked\n"
	"\n"
	"  -p, --profile PROFILE   a profile, as an option\n"
	"      --set PATH=VALUE    change one key, as a site file would; may be repeated\n"
	"      --only LEVELS       only services of these levels: required, recommended,\n"
	"                          optional; with commas between them\n"
	"      --without LEVELS    no services of these levels\n"
	"      --json              for machines\n"
	"  -h, --help              this text\n"
	"\n"
	"exit: 0 all of it is allowed, if only up to a limit, 1 some of it is denied,\n"
	"2 usage, 3 invalid profile, 5 system failure, or too complex. See flowfw(1).\n";

/* The parts of a packet that options give, in the order of a sentence's words. */
enum part {
	PART_HOOK,
	PART_PORT,
	PART_PROTOCOL,
	PART_ICMP,
	PART_ICMPV6,
	PART_FROM,
	PART_TO,
	PART_SOURCE_PORT,
	PART_ON,
	PART_IN,
	PART_OUT,
	PART_STATE,
};
enum { PART_COUNT = PART_STATE + 1 };

enum { OPTION_PARTS = FW_OPTION_OWN, OPTION_JSON = OPTION_PARTS + PART_COUNT };

static const struct option options[] = {
	FW_PROFILE_OPTIONS,
	{"hook", required_argument, NULL, OPTION_PARTS + PART_HOOK},
	{"port", required_argument, NULL, OPTION_PARTS + PART_PORT},
	{"proto", required_argument, NULL, OPTION_PARTS + PART_PROTOCOL},
	{"icmp", required_argument, NULL, OPTION_PARTS + PART_ICMP},
	{"icmpv6", required_argument, NULL, OPTION_PARTS + PART_ICMPV6},
	{"from", required_argument, NULL, OPTION_PARTS + PART_FROM},
	{"to", required_argument, NULL, OPTION_PARTS + PART_TO},
	{"source-port", required_argument, NULL, OPTION_PARTS + PART_SOURCE_PORT},
	{"on", required_argument, NULL, OPTION_PARTS + PART_ON},
	{"in-interface", required_argument, NULL, OPTION_PARTS + PART_IN},
	{"out-interface", required_argument, NULL, OPTION_PARTS + PART_OUT},
	{"state", required_argument, NULL, OPTION_PARTS + PART_STATE},
	{"json", no_argument, NULL, OPTION_JSON},
	FW_HELP_OPTION,
	{0},
};

struct arguments {
	FW_VEC(const char *) profiles;
	FW_VEC(const char *) questions;
	const char *parts[PART_COUNT]; /* NULL: not given */
	bool json;
};

static void arguments_fini(struct arguments *arguments) {
	FW_VEC_FINI(&arguments->profiles);
	FW_VEC_FINI(&arguments->questions);
}

/* ---- packets from options ---- */

static bool is_ipv6(const char *address) {
	return address != NULL && strchr(address, ':') != NULL;
}

static void add_what(const char *const parts[], struct fw_buf *out) {
	const char *port = parts[PART_PORT], *protocol = parts[PART_PROTOCOL];

	if (parts[PART_ICMPV6] != NULL) {
		fw_buf_printf(out, " icmpv6 %s", parts[PART_ICMPV6]);
	} else if (parts[PART_ICMP] != NULL) {
		bool ipv6 = is_ipv6(parts[PART_FROM]) || is_ipv6(parts[PART_TO]);
		fw_buf_printf(out, " %s %s", ipv6 ? "icmpv6" : "icmp", parts[PART_ICMP]);
	} else if (port != NULL && strchr(port, '/') == NULL) {
		fw_buf_printf(out, " %s/%s", port, protocol != NULL ? protocol : "tcp");
	} else if (port != NULL || protocol != NULL) {
		fw_buf_printf(out, " %s", port != NULL ? port : protocol);
	}
}

/* The sentence that the options mean, if there are any. */
static void ask_by_options(struct fw_run *run, struct arguments *arguments) {
	static const struct {
		enum part part;
		const char *word;
	} conditions[] = {
		{PART_FROM, "from"},
		{PART_TO, "to"},
		{PART_SOURCE_PORT, "source-port"},
		{PART_ON, "on"},
		{PART_IN, "in-interface"},
		{PART_OUT, "out-interface"},
		{PART_STATE, "state"},
	};
	const char *const *parts = arguments->parts;
	FW_AUTO(fw_buf_fini) struct fw_buf words = {0};
	bool any = false;

	for (int part = 0; part < PART_COUNT; part++) {
		any |= parts[part] != NULL;
	}
	if (!any) {
		return;
	}
	fw_buf_add_text(&words, parts[PART_HOOK] != NULL ? parts[PART_HOOK] : "input");
	add_what(parts, &words);
	for (size_t i = 0; i < FW_LENGTH(conditions); i++) {
		if (parts[conditions[i].part] != NULL) {
			fw_buf_printf(
				&words, " %s %s", conditions[i].word, parts[conditions[i].part]);
		}
	}
	FW_VEC_ADD(&arguments->questions, fw_arena_text(&run->arena, fw_buf_slice(&words)));
}

/* ---- arguments ---- */

static bool begins_with_hook(const char *operand) {
	struct fw_slice rest = fw_slice_trim(fw_slice(operand));
	struct fw_slice word = fw_slice_cut(&rest, ' ');

	for (int hook = FW_INPUT; hook < FW_HOOK_COUNT; hook++) {
		if (fw_slice_is(word, fw_hook_names[hook])) {
			return true;
		}
	}
	return false;
}

/* A sentence, even one with a mistake in its first word; no file has such a name. */
static bool is_question(const char *operand) {
	return begins_with_hook(operand) ||
	       (strchr(operand, ' ') != NULL && access(operand, F_OK) != 0);
}

/* Profiles, then sentences; the words of one may be operands of their own. */
static void read_operands(
	struct fw_run *run, struct arguments *arguments, int count, char *operands[]) {
	for (int i = 0; i < count; i++) {
		size_t asked = arguments->questions.count;
		if (is_question(operands[i])) {
			FW_VEC_ADD(&arguments->questions, operands[i]);
		} else if (asked == 0) {
			FW_VEC_ADD(&arguments->profiles, operands[i]);
		} else {
			arguments->questions.items[asked - 1] = fw_arena_printf(&run->arena,
				"%s %s", arguments->questions.items[asked - 1], operands[i]);
		}
	}
}

static void check_parts(struct fw_run *run, const char *const parts[]) {
	bool icmp = parts[PART_ICMP] != NULL || parts[PART_ICMPV6] != NULL;

	if (icmp && (parts[PART_PORT] != NULL || parts[PART_PROTOCOL] != NULL)) {
		fw_usage(&run->diags, "option-conflict",
			"an ICMP type goes with neither --port nor --proto");
	} else if (parts[PART_ICMP] != NULL && parts[PART_ICMPV6] != NULL) {
		fw_usage(&run->diags, "option-conflict", "--icmp and --icmpv6 do not go together");
	} else if (parts[PART_PORT] != NULL && parts[PART_PROTOCOL] != NULL &&
		   strchr(parts[PART_PORT], '/') != NULL) {
		fw_usage(&run->diags, "option-conflict",
			"the protocol is given twice, by --port and by --proto");
	}
}

static bool read_arguments(
	struct fw_run *run, int argc, char *argv[], struct arguments *arguments) {
	int option;

	while ((option = fw_option_next(run, argc, argv, ":p:h", options)) != -1) {
		if (option == OPTION_JSON) {
			arguments->json = true;
		} else if (option >= OPTION_PARTS && option < OPTION_PARTS + PART_COUNT) {
			arguments->parts[option - OPTION_PARTS] = optarg;
		}
	}
	if (run->request.profile != NULL) {
		FW_VEC_ADD(&arguments->profiles, run->request.profile);
	}
	read_operands(run, arguments, argc - optind, argv + optind);
	check_parts(run, arguments->parts);
	ask_by_options(run, arguments);
	if (arguments->profiles.count == 0) {
		fw_option_need_profile(run, "explain");
	} else if (arguments->questions.count == 0 && !run->help) {
		struct fw_diag *diag =
			fw_usage(&run->diags, "no-packet", "explain needs a packet to explain");
		fw_diag_hint(&run->diags, diag, "like: 'input 8088/tcp from 10.20.1.1'");
	}
	return fw_options_fine(run);
}

/* ---- asking ---- */

/* All that is printed in the end. */
struct explaining {
	struct fw_run *run;
	const struct arguments *arguments;
	struct fw_json json;
	struct fw_buf text;
	bool denied;
};

static void explaining_fini(struct explaining *explaining) {
	fw_json_fini(&explaining->json);
	fw_buf_fini(&explaining->text);
}

static void too_complex(struct fw_run *run, const char *path) {
	struct fw_diag *diag =
		fw_failure(&run->diags, "too-complex", 0, "'%s' is too complex to be judged", path);
	fw_diag_hint(&run->diags, diag,
		"groups of prefixes that fit no pattern, each with other ports, cost most");
}

/* The packets of all questions. False: an error is in the list. */
static bool read_packets(struct explaining *explaining, const struct fw_profile *profile,
	struct fw_packet *packets) {
	struct fw_run *run = explaining->run;
	size_t errors = run->diags.errors;

	for (size_t i = 0; i < explaining->arguments->questions.count; i++) {
		const struct fw_source *source = fw_source_text(&run->arena, "packet",
			fw_slice(explaining->arguments->questions.items[i]), &run->diags);
		if (source != NULL) {
			fw_packet_parse(&run->arena, profile, source, &packets[i], &run->diags);
		}
	}
	return run->diags.errors == errors;
}

static void print_answer(struct explaining *explaining, const struct fw_explained *explained) {
	if (explaining->arguments->json) {
		fw_explain_json(explained, &explaining->json);
		return;
	}
	if (explaining->text.length != 0) {
		fw_buf_add_char(&explaining->text, '\n');
	}
	fw_explain_text(explained, explaining->arguments->profiles.count > 1, &explaining->text);
}

/* False: exhausted. */
static bool answer_all(struct explaining *explaining, const char *path,
	const struct fw_profile *profile, const struct fw_packet *packets) {
	struct fw_arena *arena = &explaining->run->arena;
	const struct fw_policy *policy = &profile->policy;
	const struct fw_interfaces interfaces = fw_interfaces_of(arena, &policy, 1);
	FW_AUTO(fw_spaces_fini) struct fw_spaces spaces;
	struct fw_meaning meaning;
	struct fw_oracle oracle;

	fw_spaces_init(&spaces, NULL);
	fw_meaning_init(&meaning, arena, &spaces, &interfaces, policy);
	fw_oracle_init(&oracle, arena, &spaces, &interfaces, policy, &meaning);
	for (size_t i = 0; i < explaining->arguments->questions.count; i++) {
		struct fw_answer answer;
		if (!fw_ask(&oracle, &packets[i], &answer)) {
			return false;
		}
		explaining->denied |= answer.passing != FW_ALL_PACKETS;
		print_answer(explaining,
			&(struct fw_explained){
				.path = path,
				.profile = profile,
				.interfaces = &interfaces,
				.question = fw_slice_trim(
					fw_slice(explaining->arguments->questions.items[i])),
				.packet = &packets[i],
				.answer = &answer,
			});
	}
	return true;
}

/* False: the questions have mistakes, and other profiles would only say so again. */
static bool explain_profile(struct explaining *explaining, const char *path) {
	struct fw_run *run = explaining->run;
	struct fw_request request = *fw_run_request(run);
	struct fw_profile profile;
	struct fw_packet *packets = FW_ARENA_ARRAY(
		&run->arena, struct fw_packet, explaining->arguments->questions.count);

	request.profile = path;
	if (!fw_profile_load(&run->arena, &run->library, &request, &profile, &run->diags)) {
		return true;
	}
	if (!read_packets(explaining, &profile, packets)) {
		return false;
	}
	if (!answer_all(explaining, path, &profile, packets)) {
		too_complex(run, path);
	}
	return true;
}

static enum fw_exit run_explain(struct fw_run *run, int argc, char *argv[]) {
	FW_AUTO(arguments_fini) struct arguments arguments = {0};
	if (!read_arguments(run, argc, argv, &arguments)) {
		return FW_EXIT_FINE;
	}
	FW_AUTO(explaining_fini)
	struct explaining explaining = {.run = run, .arguments = &arguments};
	run->quiet = true; /* warnings are for `check` */
	fw_json_init(&explaining.json);
	fw_json_list(&explaining.json, "answers");
	for (size_t i = 0; i < arguments.profiles.count; i++) {
		if (!explain_profile(&explaining, arguments.profiles.items[i])) {
			return FW_EXIT_FINE;
		}
	}
	fw_json_close(&explaining.json);
	if (arguments.json) {
		fw_json_print(run, &explaining.json);
	} else {
		fw_print(run, fw_buf_slice(&explaining.text));
	}
	return explaining.denied ? FW_EXIT_DIFFERS : FW_EXIT_FINE;
}

const struct fw_command fw_command_explain = {"explain", help, run_explain};
