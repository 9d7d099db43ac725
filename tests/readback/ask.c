// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reads a rule set back and answers for packets: one a line on stdin, as words and their values
 *
 *     input tcp in eth0 from 10.0.0.1 to 10.0.0.2 sport 4000 port 22 flags 2 state new
 *     before icmp in eth0 from 10.0.0.1 to 10.0.0.2 type 8 code 0
 *     behind udp out eth1 from 10.0.0.1 to 10.0.0.2 port 53 translated 1
 *
 * where `before` and `behind` ask for the translation before and behind routing. Each answer is a
 * line: the verdict, a tab, and the rule that gives it. What was not understood comes first, a line
 * each that begins with a question mark, then remarks, which begin with a hash.
 *
 * ask nftables: what the kernel holds in the network namespace.
 * ask ipv4|ipv6 FILE [SETS]: text of iptables-save or ip6tables-save, and of ipset save.
 */

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "readback/readback.h"

/* ---- reading a rule set ---- */

static const struct fw_source *read_file(
	struct fw_arena *arena, const char *path, struct fw_diags *diags) {
	struct fw_source *source = FW_ARENA_NEW(arena, struct fw_source);
	struct fw_buf text FW_AUTO(fw_buf_fini) = {0};
	int error = fw_file_read(path, FW_SOURCE_MAX, &text);

	if (error != 0) {
		fw_failure(diags, "unreadable-file", error, "cannot read '%s'", path);
		return NULL;
	}
	*source = (struct fw_source){
		.name = path, .text = {fw_arena_text(arena, fw_buf_slice(&text)), text.length}};
	return source;
}

static bool read_iptables(struct fw_arena *arena, int argc, char *argv[], struct fw_ruleset *out,
	struct fw_diags *diags) {
	enum fw_family family = strcmp(argv[1], "ipv4") == 0 ? FW_IPV4 : FW_IPV6;
	const struct fw_source *text = read_file(arena, argv[2], diags);
	const struct fw_source *sets = argc > 3 ? read_file(arena, argv[3], diags) : NULL;

	return text != NULL && (argc == 3 || sets != NULL) &&
	       fw_read_iptables(arena, family, true, text, sets, out, diags);
}

static bool read_rules(struct fw_arena *arena, int argc, char *argv[], struct fw_ruleset *out,
	struct fw_diags *diags) {
	bool opaque = false;

	if (argc == 2 && strcmp(argv[1], "nftables") == 0) {
		return fw_read_nftables(arena, false, out, &opaque, diags);
	}
	if ((argc == 3 || argc == 4) &&
		(strcmp(argv[1], "ipv4") == 0 || strcmp(argv[1], "ipv6") == 0)) {
		return read_iptables(arena, argc, argv, out, diags);
	}
	fw_usage(diags, "usage", "usage: ask nftables | ask ipv4|ipv6 FILE [SETS]");
	return false;
}

static int compare_names(const void *left, const void *right) {
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* Its names, sorted, each once. */
static struct fw_rb_interfaces interfaces_of(
	struct fw_arena *arena, const struct fw_ruleset *ruleset) {
	const char **names = FW_ARENA_ARRAY(arena, const char *, ruleset->name_count + 1);
	size_t count = 0;

	for (size_t i = 0; i < ruleset->name_count; i++) {
		names[i] = ruleset->names[i];
	}
	qsort(names, ruleset->name_count, sizeof(*names), compare_names);
	for (size_t i = 0; i < ruleset->name_count; i++) {
		if (count == 0 || strcmp(names[count - 1], names[i]) != 0) {
			names[count++] = names[i];
		}
	}
	return (struct fw_rb_interfaces){names, count};
}

static uint64_t number_of(const struct fw_rb_interfaces *interfaces, const char *name) {
	if (strcmp(name, "lo") == 0) {
		return 1;
	}
	for (size_t i = 0; i < interfaces->count; i++) {
		if (strcmp(interfaces->names[i], name) == 0) {
			return i + 2;
		}
	}
	return interfaces->count + 2;
}

/* ---- packets in words ---- */

struct question {
	enum fw_rb_hook hook; /* FW_RB_NONE: translation */
	bool source;	      /* of it */
	bool has_original;
	struct fw_addr original;
	struct fw_point point;
};

static const struct {
	const char *word;
	enum fw_rb_hook hook;
	bool source;
} hooks[] = {
	{"input", FW_RB_INPUT, false},
	{"output", FW_RB_OUTPUT, false},
	{"forward", FW_RB_FORWARD, false},
	{"before", FW_RB_NONE, false},
	{"behind", FW_RB_NONE, true},
};

static const struct {
	const char *word;
	enum fw_var var;
} numbers[] = {
	{"sport", FW_VAR_SOURCE_PORT},
	{"type", FW_VAR_SOURCE_PORT},
	{"port", FW_VAR_PORT},
	{"code", FW_VAR_PORT},
	{"flags", FW_VAR_FLAGS},
	{"hops", FW_VAR_HOP_LIMIT},
	{"translated", FW_VAR_TRANSLATED},
};

static const char *const states[FW_TRACKING_COUNT] = {
	[FW_TRACKING_NEW] = "new",
	[FW_TRACKING_ESTABLISHED] = "established",
	[FW_TRACKING_RELATED] = "related",
	[FW_TRACKING_INVALID] = "invalid",
	[FW_TRACKING_UNTRACKED] = "untracked",
};

static bool set_address(struct question *question, enum fw_var var, const char *value) {
	struct fw_range range;

	if (fw_range_parse(fw_slice(value), &range) != FW_NET_NONE || !fw_range_is_single(&range)) {
		return false;
	}
	if (var == FW_VAR_NONE) {
		question->has_original = true;
		question->original = range.first;
	} else {
		question->point.values[var] = range.first;
		question->point.values[FW_VAR_FAMILY] = fw_value(range.family);
	}
	return true;
}

static bool set_state(struct question *question, const char *value) {
	for (unsigned i = FW_TRACKING_NEW; i < FW_TRACKING_COUNT; i++) {
		if (strcmp(states[i], value) == 0) {
			question->point.values[FW_VAR_TRACKING] = fw_value(i);
			return true;
		}
	}
	return false;
}

static bool set_word(struct question *question, const struct fw_rb_interfaces *interfaces,
	const char *word, const char *value) {
	struct fw_addr *values = question->point.values;

	if (strcmp(word, "in") == 0 || strcmp(word, "out") == 0) {
		values[word[0] == 'i' ? FW_VAR_IN : FW_VAR_OUT] =
			fw_value(number_of(interfaces, value));
		return true;
	}
	if (strcmp(word, "from") == 0 || strcmp(word, "to") == 0) {
		return set_address(
			question, word[0] == 'f' ? FW_VAR_SOURCE : FW_VAR_DESTINATION, value);
	}
	if (strcmp(word, "original") == 0) {
		return set_address(question, FW_VAR_NONE, value);
	}
	if (strcmp(word, "state") == 0) {
		return set_state(question, value);
	}
	for (size_t i = 0; i < FW_LENGTH(numbers); i++) {
		if (strcmp(numbers[i].word, word) == 0) {
			values[numbers[i].var] = fw_value(strtoul(value, NULL, 10));
			return true;
		}
	}
	return false;
}

/* A packet like most: a new connection from a client's port, by an interface of no known name. */
static void set_defaults(
	struct question *question, const struct fw_rb_interfaces *interfaces, uint8_t protocol) {
	uint64_t other = interfaces->count + 2;
	struct fw_addr *values = question->point.values;
	bool ports = protocol == IPPROTO_TCP || protocol == IPPROTO_UDP;

	values[FW_VAR_HOOK] = fw_value(question->hook);
	values[FW_VAR_PROTOCOL] = fw_value(protocol);
	values[FW_VAR_SOURCE_PORT] = fw_value(ports ? 40000 : 0);
	values[FW_VAR_FLAGS] = fw_value(protocol == IPPROTO_TCP ? 2 : 0);
	values[FW_VAR_TRACKING] = fw_value(FW_TRACKING_NEW);
	values[FW_VAR_HOP_LIMIT] = fw_value(64);
	values[FW_VAR_IN] =
		fw_value(question->hook == FW_RB_OUTPUT || question->source ? 0 : other);
	values[FW_VAR_OUT] =
		fw_value(question->hook == FW_RB_OUTPUT || question->hook == FW_RB_FORWARD ||
					 question->source
				 ? other
				 : 0);
}

static bool parse(
	char *line, const struct fw_rb_interfaces *interfaces, struct question *question) {
	const char *hook = strtok(line, " \n"), *protocol = strtok(NULL, " \n");
	bool known = false;
	uint8_t number;

	*question = (struct question){0};
	if (hook == NULL || protocol == NULL ||
		fw_protocol_parse(fw_slice(protocol), &number) != FW_NET_NONE) {
		return false;
	}
	for (size_t i = 0; i < FW_LENGTH(hooks); i++) {
		if (strcmp(hooks[i].word, hook) == 0) {
			question->hook = hooks[i].hook;
			question->source = hooks[i].source;
			known = true;
		}
	}
	set_defaults(question, interfaces, number);
	for (const char *word; known && (word = strtok(NULL, " \n")) != NULL;) {
		const char *value = strtok(NULL, " \n");
		known = value != NULL && set_word(question, interfaces, word, value);
	}
	if (question->point.values[FW_VAR_FAMILY].low == FW_IPV4) {
		question->point.values[FW_VAR_HOP_LIMIT] = fw_value(0);
	}
	return known && question->point.values[FW_VAR_FAMILY].low != 0;
}

/* ---- answers ---- */

static void print_rate(const struct fw_rate *rate) {
	struct fw_buf text FW_AUTO(fw_buf_fini) = {0};

	fw_rate_format(rate, &text);
	printf("%s", text.data);
}

static void answer_verdict(const struct fw_spaces *spaces, const struct fw_readback *readback,
	const struct question *question) {
	const struct fw_rb_decision *decision =
		fw_readback_decision(spaces, readback, question->hook, &question->point);
	enum fw_rb_hook hook = question->hook;

	if (fw_space_contains(spaces, readback->must[hook], &question->point)) {
		printf("accept");
	} else if (fw_space_contains(spaces, readback->may[hook], &question->point)) {
		printf("limited");
		for (size_t i = 0; i < readback->rated_count; i++) {
			const struct fw_rb_rated *rated = &readback->rated[i];
			if (rated->hook == hook &&
				fw_space_contains(spaces, rated->set, &question->point)) {
				printf(" ");
				print_rate(&rated->rate);
			}
		}
	} else if (fw_space_contains(spaces, readback->rejected[hook], &question->point)) {
		printf("reject");
	} else {
		printf("drop");
	}
	printf("\t%s\n", decision != NULL ? decision->place.text : "no rule");
}

static bool applies(const struct fw_spaces *spaces, const struct fw_rb_rewrite *rewrite,
	const struct question *question) {
	if (rewrite->source != question->source ||
		!fw_space_contains(spaces, rewrite->set, &question->point)) {
		return false;
	}
	for (size_t i = 0; i < rewrite->original_count; i++) {
		if (question->has_original &&
			fw_addr_compare(rewrite->originals[i].first, question->original) <= 0 &&
			fw_addr_compare(question->original, rewrite->originals[i].last) <= 0) {
			return true;
		}
	}
	return rewrite->original_count == 0;
}

static void answer_rewrite(const struct fw_spaces *spaces, const struct fw_readback *readback,
	const struct question *question) {
	for (size_t i = 0; i < readback->rewrite_count; i++) {
		const struct fw_rb_rewrite *rewrite = &readback->rewrites[i];
		struct fw_buf text FW_AUTO(fw_buf_fini) = {0};
		if (!applies(spaces, rewrite, question)) {
			continue;
		}
		fw_addr_format(rewrite->family, rewrite->address, &text);
		printf("%s", rewrite->masquerade ? "interface" : text.data);
		if (rewrite->port != 0) {
			printf(" port %u", rewrite->port);
		}
		printf("\t%s\n", rewrite->place.text);
		return;
	}
	printf("same\tno rule\n");
}

static void answer_all(const struct fw_spaces *spaces, const struct fw_readback *readback,
	const struct fw_rb_interfaces *interfaces) {
	char line[1024];

	for (size_t i = 0; i < readback->unknown_count; i++) {
		printf("? %s: %s\n", readback->unknowns[i].place.text, readback->unknowns[i].what);
	}
	for (size_t i = 0; i < readback->remark_count; i++) {
		printf("# %s\n", readback->remarks[i]);
	}
	while (fgets(line, sizeof(line), stdin) != NULL) {
		struct question question;
		if (!parse(line, interfaces, &question)) {
			printf("not a packet\t\n");
		} else if (question.hook == FW_RB_NONE) {
			answer_rewrite(spaces, readback, &question);
		} else {
			answer_verdict(spaces, readback, &question);
		}
	}
}

int main(int argc, char *argv[]) {
	struct fw_arena arena FW_AUTO(fw_arena_fini) = {0};
	struct fw_diags diags FW_AUTO(fw_diags_fini) = {0};
	struct fw_buf text FW_AUTO(fw_buf_fini) = {0};
	struct fw_spaces spaces FW_AUTO(fw_spaces_fini) = {0};
	struct fw_ruleset ruleset;
	struct fw_readback readback = {0};

	if (!read_rules(&arena, argc, argv, &ruleset, &diags)) {
		fw_diags_render(&diags, true, &text);
		fputs(text.data, stderr);
		return EXIT_FAILURE;
	}
	struct fw_rb_interfaces interfaces = interfaces_of(&arena, &ruleset);
	fw_spaces_init(&spaces, NULL);
	if (!ruleset.lower(&ruleset, &arena, &spaces, &interfaces, &readback)) {
		fputs("exhausted\n", stderr);
		return EXIT_FAILURE;
	}
	answer_all(&spaces, &readback, &interfaces);
	return EXIT_SUCCESS;
}
