// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whether two texts of iptables mean the same, and as much of them is not understood:
 *
 *     iptables_same ipv4|ipv6 FILE FILE [SETS [SETS]]
 *
 * Sets are those of both, or of one each.
 *
 * Exit status 0: they do; 1: they do not, and why is on stdout.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "readback/readback.h"

enum { BOTH = 2, FIRST_SETS = 4 /* of the arguments */ };

static int compare_names(const void *left, const void *right) {
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* The names of both, sorted, each once. */
static struct fw_rb_interfaces interfaces_of(
	struct fw_arena *arena, const struct fw_ruleset rulesets[BOTH]) {
	const char **names = FW_ARENA_ARRAY(
		arena, const char *, rulesets[0].name_count + rulesets[1].name_count + 1);
	size_t count = 0, kept = 0;

	for (size_t i = 0; i < BOTH; i++) {
		for (size_t j = 0; j < rulesets[i].name_count; j++) {
			names[count++] = rulesets[i].names[j];
		}
	}
	qsort(names, count, sizeof(*names), compare_names);
	for (size_t i = 0; i < count; i++) {
		if (kept == 0 || strcmp(names[kept - 1], names[i]) != 0) {
			names[kept++] = names[i];
		}
	}
	return (struct fw_rb_interfaces){names, kept};
}

static bool read_source(struct fw_arena *arena, const char *path, struct fw_source *out) {
	struct fw_buf text FW_AUTO(fw_buf_fini) = {0};

	if (fw_file_read(path, FW_SOURCE_MAX, &text) != 0) {
		return false;
	}
	*out = (struct fw_source){
		.name = path, .text = {fw_arena_text(arena, fw_buf_slice(&text)), text.length}};
	return true;
}

/* Rates count by what they let through: iptables prints 60/minute as 1/second. */
static uint64_t in_a_day(const struct fw_rate *rate) {
	static const uint64_t times[FW_UNIT_COUNT] = {0, 86400, 1440, 24, 1};

	return rate->count * times[rate->unit];
}

static const char *compare_rates(const struct fw_readback *a, const struct fw_readback *b) {
	if (a->rated_count != b->rated_count) {
		return "other numbers of limits";
	}
	for (size_t i = 0; i < a->rated_count; i++) {
		const struct fw_rb_rated *one = &a->rated[i], *other = &b->rated[i];
		if (one->hook != other->hook || one->set != other->set ||
			in_a_day(&one->rate) != in_a_day(&other->rate) ||
			one->rate.burst != other->rate.burst ||
			one->rate.per_source != other->rate.per_source) {
			return "limits differ";
		}
	}
	return NULL;
}

static const char *compare_rewrites(const struct fw_readback *a, const struct fw_readback *b) {
	if (a->rewrite_count != b->rewrite_count) {
		return "other numbers of translations";
	}
	for (size_t i = 0; i < a->rewrite_count; i++) {
		const struct fw_rb_rewrite *one = &a->rewrites[i], *other = &b->rewrites[i];
		if (one->source != other->source || one->masquerade != other->masquerade ||
			one->family != other->family || one->set != other->set ||
			fw_addr_compare(one->address, other->address) != 0 ||
			one->port != other->port || one->original_count != other->original_count) {
			return "translations differ";
		}
	}
	return NULL;
}

static const char *compare(const struct fw_readback *a, const struct fw_readback *b) {
	for (int hook = FW_RB_INPUT; hook < FW_RB_HOOK_COUNT; hook++) {
		if (a->must[hook] != b->must[hook] || a->may[hook] != b->may[hook]) {
			return "what passes differs";
		}
		if (a->rejected[hook] != b->rejected[hook]) {
			return "what is rejected differs";
		}
	}
	if (a->unknown_count != b->unknown_count) {
		return "other numbers of unknowns";
	}
	const char *difference = compare_rates(a, b);
	return difference != NULL ? difference : compare_rewrites(a, b);
}

int main(int argc, char *argv[]) {
	struct fw_arena arena FW_AUTO(fw_arena_fini) = {0};
	struct fw_diags diags FW_AUTO(fw_diags_fini) = {0};
	struct fw_spaces spaces FW_AUTO(fw_spaces_fini) = {0};
	struct fw_source texts[BOTH], sets[BOTH];
	struct fw_ruleset rulesets[BOTH];
	struct fw_readback readbacks[BOTH] = {0};

	if (argc < FIRST_SETS || argc > FIRST_SETS + BOTH) {
		fputs("usage: iptables_same ipv4|ipv6 FILE FILE [SETS [SETS]]\n", stderr);
		return 2;
	}
	enum fw_family family = strcmp(argv[1], "ipv4") == 0 ? FW_IPV4 : FW_IPV6;
	for (size_t i = 0; i < BOTH; i++) {
		const char *path = argc == FIRST_SETS ? NULL : argv[i == 0 ? FIRST_SETS : argc - 1];
		if (!read_source(&arena, argv[i + 2], &texts[i]) ||
			(path != NULL && !read_source(&arena, path, &sets[i])) ||
			!fw_read_iptables(&arena, family, false, &texts[i],
				path != NULL ? &sets[i] : NULL, &rulesets[i], &diags)) {
			fprintf(stderr, "cannot read %s\n", argv[i + 2]);
			return 2;
		}
	}
	struct fw_rb_interfaces interfaces = interfaces_of(&arena, rulesets);
	fw_spaces_init(&spaces, NULL);
	for (size_t i = 0; i < BOTH; i++) {
		if (!rulesets[i].lower(&rulesets[i], &arena, &spaces, &interfaces, &readbacks[i])) {
			fputs("exhausted\n", stderr);
			return 2;
		}
		for (size_t j = 0; j < readbacks[i].unknown_count; j++) {
			const struct fw_rb_unknown *unknown = &readbacks[i].unknowns[j];
			printf("? %s: %s\n", unknown->place.text, unknown->what);
		}
	}
	const char *difference = compare(&readbacks[0], &readbacks[1]);
	if (difference != NULL) {
		printf("%s\n", difference);
	}
	return difference != NULL;
}
