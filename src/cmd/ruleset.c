// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Rule sets of all kinds: which reader makes sense of them, the numbers of their interfaces, and
 * what they do together.
 */

#include <stdlib.h>
#include <string.h>

#include "cmd/ruleset_sources.h"

/* ---- operands ---- */

static const struct {
	const char *name;   /* before a colon; or NULL */
	const char *suffix; /* of files; or NULL */
} kinds[FW_RULESET_KIND_COUNT] = {
	[FW_RULESET_NFTABLES] = {"nftables", ".nft"},
	[FW_RULESET_IPTABLES] = {"iptables", ".v4"},
	[FW_RULESET_IP6TABLES] = {"ip6tables", ".v6"},
	[FW_RULESET_PF] = {"pf", ".conf"},
	[FW_RULESET_PF_FREEBSD] = {"pf-freebsd", NULL},
};

static bool ends_with(const char *text, const char *end) {
	size_t length = strlen(text), end_length = strlen(end);

	return length > end_length && strcmp(text + length - end_length, end) == 0;
}

enum fw_ruleset_kind fw_ruleset_kind_of(const char *path) {
	for (int kind = FW_RULESET_NFTABLES; kind < FW_RULESET_KIND_COUNT; kind++) {
		if (kinds[kind].suffix != NULL && ends_with(path, kinds[kind].suffix)) {
			return (enum fw_ruleset_kind)kind;
		}
	}
	return FW_RULESET_NONE;
}

/* The kind before a colon; *path is what stands behind it. */
static enum fw_ruleset_kind kind_before(const char *operand, const char **path) {
	for (int kind = FW_RULESET_NFTABLES; kind < FW_RULESET_KIND_COUNT; kind++) {
		size_t length = kinds[kind].name != NULL ? strlen(kinds[kind].name) : 0;
		if (length != 0 && strncmp(operand, kinds[kind].name, length) == 0 &&
			operand[length] == ':') {
			*path = operand + length + 1;
			return (enum fw_ruleset_kind)kind;
		}
	}
	return FW_RULESET_NONE;
}

bool fw_ruleset_input_parse(const char *operand, struct fw_ruleset_input *out) {
	if (strcmp(operand, "live") == 0) {
		*out = (struct fw_ruleset_input){.kind = FW_RULESET_LIVE};
		return true;
	}
	const char *path = operand;
	enum fw_ruleset_kind kind = kind_before(operand, &path);
	if (kind == FW_RULESET_NONE) {
		kind = fw_ruleset_kind_of(operand);
	}
	if (kind == FW_RULESET_NONE) {
		return false;
	}
	*out = (struct fw_ruleset_input){.kind = kind, .path = path};
	return true;
}

/* ---- reading ---- */

static bool holds(const struct fw_source *text, const char *word) {
	return memmem(text->text.data, text->text.length, word, strlen(word)) != NULL;
}

/* What no text of another kind has on a line of its own: "*filter", "table inet x {". */
static enum fw_ruleset_kind kind_by_line(struct fw_slice line) {
	static const char *const tables[] = {"*filter", "*nat", "*mangle", "*raw", "*security"};
	static const char *const families[] = {"inet", "ip", "ip6", "arp", "bridge", "netdev"};
	struct fw_slice rest = fw_slice_trim(line);

	for (size_t i = 0; i < FW_LENGTH(tables); i++) {
		if (fw_slice_is(rest, tables[i])) {
			return FW_RULESET_IPTABLES;
		}
	}
	if (fw_slice_is(rest, "flush ruleset")) {
		return FW_RULESET_NFTABLES;
	}
	bool table = fw_slice_is(fw_slice_cut(&rest, ' '), "table");
	struct fw_slice family = fw_slice_cut(&rest, ' ');
	for (size_t i = 0; i < FW_LENGTH(families) && table && rest.data != NULL; i++) {
		if (fw_slice_is(family, families[i])) {
			return FW_RULESET_NFTABLES;
		}
	}
	return FW_RULESET_NONE;
}

/* False: it is of another kind, which is in the list. */
static bool check_kind(
	struct fw_run *run, enum fw_ruleset_kind kind, const struct fw_source *text) {
	static const enum fw_ruleset_kind like[FW_RULESET_KIND_COUNT] = {
		[FW_RULESET_NFTABLES] = FW_RULESET_NFTABLES,
		[FW_RULESET_IPTABLES] = FW_RULESET_IPTABLES,
		[FW_RULESET_IP6TABLES] = FW_RULESET_IPTABLES,
	};
	enum fw_ruleset_kind found = FW_RULESET_NONE;
	struct fw_slice rest = text->text;

	while (rest.data != NULL && found == FW_RULESET_NONE) {
		found = kind_by_line(fw_slice_cut(&rest, '\n'));
	}
	if (found == FW_RULESET_NONE || found == like[kind]) {
		return true;
	}
	fw_usage(&run->diags, "rule-set-kind", "'%s' is a text of %s, and not of %s", text->name,
		found == FW_RULESET_NFTABLES ? "nft" : "iptables-save", kinds[kind].name);
	return false;
}

static bool read_iptables(struct fw_run *run, const struct fw_ruleset_input *input,
	const struct fw_source *text, struct fw_rulesets *out) {
	const struct fw_source *sets = input->sets;
	struct fw_rulesets_part part = {0};

	if (sets == NULL && input->sets_path != NULL) {
		sets = fw_source_read_bytes(&run->arena, input->sets_path, &run->diags);
		if (sets == NULL) {
			return false;
		}
	}
	out->family = input->kind == FW_RULESET_IPTABLES ? FW_IPV4 : FW_IPV6;
	out->own_iptables = holds(text, "FLOWFW-");
	if (!fw_read_iptables(
		    &run->arena, out->family, true, text, sets, &part.ruleset, &run->diags)) {
		return false;
	}
	FW_VEC_ADD(&out->list, part);
	return true;
}

static bool read_pf(struct fw_run *run, const struct fw_ruleset_input *input,
	const struct fw_source *text, struct fw_rulesets *out) {
	enum fw_rb_dialect dialect = input->kind == FW_RULESET_PF ? FW_RB_OPENBSD : FW_RB_FREEBSD;
	struct fw_rulesets_part part = {0};

	if (!fw_read_pf(&run->arena, dialect, input->anchor, text, &part.ruleset, &run->diags)) {
		return false;
	}
	FW_VEC_ADD(&out->list, part);
	return true;
}

bool fw_rulesets_read(
	struct fw_run *run, const struct fw_ruleset_input *input, struct fw_rulesets *out) {
	const struct fw_source *text = input->text;

	out->kind = input->kind;
	if (input->kind == FW_RULESET_LIVE) {
		return fw_ruleset_read_live(run, out);
	}
	if (text == NULL) {
		text = fw_source_read_bytes(&run->arena, input->path, &run->diags);
	}
	if (text == NULL || !check_kind(run, input->kind, text)) {
		return false;
	}
	switch (input->kind) {
	case FW_RULESET_IPTABLES:
	case FW_RULESET_IP6TABLES:
		return read_iptables(run, input, text, out);
	case FW_RULESET_PF:
	case FW_RULESET_PF_FREEBSD:
		return read_pf(run, input, text, out);
	default:
		return fw_ruleset_load(run, text, input->path, out);
	}
}

void fw_rulesets_fini(struct fw_rulesets *rulesets) {
	FW_VEC_FINI(&rulesets->list);
	FW_VEC_FINI(&rulesets->remarks);
	FW_VEC_FINI(&rulesets->own);
}

/* ---- interfaces ---- */

static int compare_names(const void *left, const void *right) {
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

struct fw_interfaces fw_rulesets_interfaces(struct fw_arena *arena,
	const struct fw_policy *const *policies, size_t policy_count,
	const struct fw_rulesets *const *rulesets, size_t count) {
	struct fw_interfaces all = fw_interfaces_of(arena, policies, policy_count);
	FW_VEC(const char *) names = {0};
	size_t kept = 0;

	for (size_t i = 0; i < all.names.count; i++) {
		FW_VEC_ADD(&names, all.names.items[i]);
	}
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < rulesets[i]->list.count; j++) {
			const struct fw_ruleset *one = &rulesets[i]->list.items[j].ruleset;
			for (size_t k = 0; k < one->name_count; k++) {
				FW_VEC_ADD(&names, one->names[k]);
			}
		}
	}
	if (names.count != 0) {
		qsort(names.items, names.count, sizeof(*names.items), compare_names);
	}
	const char **items = FW_ARENA_ARRAY(arena, const char *, names.count);
	for (size_t i = 0; i < names.count; i++) {
		if (kept == 0 || strcmp(items[kept - 1], names.items[i]) != 0) {
			items[kept++] = names.items[i];
		}
	}
	FW_VEC_FINI(&names);
	return (struct fw_interfaces){.names = {items, kept}};
}

/* ---- lowering ---- */

struct lowering {
	const struct fw_rulesets *rulesets;
	struct fw_arena *arena;
	struct fw_spaces *spaces;
	const struct fw_rb_interfaces interfaces;
	bool opaque[FW_FAMILY_COUNT]; /* tables that nf_tables does not tell */
	FW_VEC(const char *) remarks;
	FW_VEC(struct fw_rb_unknown) unknowns;
};

static void lowering_fini(struct lowering *lowering) {
	FW_VEC_FINI(&lowering->remarks);
	FW_VEC_FINI(&lowering->unknowns);
}

/* What the reader of nf_tables says of tables that are read by other means is for us alone. */
static bool is_of_iptables(struct lowering *lowering, const char *remark) {
	static const char *const begins[FW_FAMILY_COUNT] = {
		[FW_IPV4] = "the table ip ",
		[FW_IPV6] = "the table ip6 ",
	};
	bool found = false;

	for (int family = FW_IPV4; family < FW_FAMILY_COUNT; family++) {
		if (lowering->rulesets->kind == FW_RULESET_LIVE &&
			strncmp(remark, begins[family], strlen(begins[family])) == 0 &&
			ends_with(remark, " is of iptables-nft")) {
			lowering->opaque[family] = true;
			found = true;
		}
	}
	return found;
}

/* That a file's chains are taken to be called is said once of them all. */
static bool is_of_calls(const char *remark) {
	return strstr(remark, " is taken to call FLOWFW-") != NULL;
}

static void take_remarks(struct lowering *lowering, const struct fw_readback *readback) {
	bool calls = false;

	for (size_t i = 0; i < readback->remark_count; i++) {
		const char *remark = readback->remarks[i];
		if (is_of_calls(remark)) {
			calls = true;
		} else if (!is_of_iptables(lowering, remark)) {
			FW_VEC_ADD(&lowering->remarks, remark);
		}
	}
	if (calls) {
		FW_VEC_ADD(&lowering->remarks,
			"its chains FLOWFW-* are taken to be called before all others, as its "
			"header asks for");
	}
}

/* Adds one to those before it. False: exhausted. */
static bool lower_part(struct lowering *lowering, const struct fw_rulesets_part *part, bool first,
	struct fw_readback *all) {
	const struct fw_ruleset *ruleset = &part->ruleset;
	struct fw_readback one = {0}, both = {0};

	if (!ruleset->lower(
		    ruleset, lowering->arena, lowering->spaces, &lowering->interfaces, &one)) {
		return false;
	}
	take_remarks(lowering, &one);
	if (part->unknown.what != NULL) {
		FW_VEC_ADD(&lowering->unknowns, part->unknown);
	}
	if (first) {
		*all = one;
		return true;
	}
	if (!fw_readback_compose(lowering->arena, lowering->spaces, all, &one, &both)) {
		return false;
	}
	*all = both;
	return true;
}

static void add_unknowns(struct lowering *lowering, struct fw_readback *all) {
	struct fw_rb_unknown *unknowns;

	if (lowering->unknowns.count == 0) {
		return;
	}
	for (size_t i = 0; i < all->unknown_count; i++) {
		FW_VEC_ADD(&lowering->unknowns, all->unknowns[i]);
	}
	unknowns = FW_ARENA_ARRAY(lowering->arena, struct fw_rb_unknown, lowering->unknowns.count);
	memcpy(unknowns, lowering->unknowns.items, lowering->unknowns.count * sizeof(*unknowns));
	all->unknowns = unknowns;
	all->unknown_count = lowering->unknowns.count;
}

static void add_remarks(struct lowering *lowering, struct fw_readback *all) {
	const struct fw_rulesets *rulesets = lowering->rulesets;
	size_t own = rulesets->remarks.count, count = own + lowering->remarks.count;
	const char **remarks = FW_ARENA_ARRAY(lowering->arena, const char *, count);

	for (size_t i = 0; i < count; i++) {
		remarks[i] =
			i < own ? rulesets->remarks.items[i] : lowering->remarks.items[i - own];
	}
	all->remarks = remarks;
	all->remark_count = count;
}

bool fw_rulesets_lower(const struct fw_rulesets *rulesets, struct fw_arena *arena,
	struct fw_spaces *spaces, const struct fw_interfaces *interfaces, struct fw_readback *out) {
	FW_AUTO(lowering_fini)
	struct lowering lowering = {
		.rulesets = rulesets,
		.arena = arena,
		.spaces = spaces,
		.interfaces = {interfaces->names.items, interfaces->names.count},
	};
	struct fw_readback all = {0};

	for (size_t i = 0; i < rulesets->list.count; i++) {
		const struct fw_rulesets_part *part = &rulesets->list.items[i];
		bool needed = part->stands_in == FW_FAMILY_NONE || lowering.opaque[part->stands_in];
		if (needed && !lower_part(&lowering, part, i == 0, &all)) {
			return false;
		}
	}
	add_unknowns(&lowering, &all);
	if (rulesets->kind == FW_RULESET_LIVE) {
		fw_ruleset_leave_out_others(rulesets, spaces, &all);
	}
	fw_ruleset_lines_add(rulesets->lines, arena, &all);
	add_remarks(&lowering, &all);
	*out = all;
	return !spaces->exhausted;
}
