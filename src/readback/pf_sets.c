// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Rules of a pf.conf as the sets of packets that they match, in one direction. Where the text does
 * not tell, there are two sets: what a rule matches for sure, and what it matches at most.
 */

#include "readback/pf.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* ---- values ---- */

fw_space fw_pfr_is(struct fw_spaces *spaces, enum fw_var var, uint64_t value) {
	return fw_space_interval(spaces, var, fw_value(value), fw_value(value));
}

fw_space fw_pfr_between(struct fw_spaces *spaces, enum fw_var var, uint64_t low, uint64_t high) {
	return fw_space_interval(spaces, var, fw_value(low), fw_value(high));
}

struct cases {
	FW_VEC(struct fw_case) list;
};

static void cases_fini(struct cases *cases) {
	FW_VEC_FINI(&cases->list);
}

static void add_case(struct cases *cases, struct fw_addr low, struct fw_addr high) {
	struct fw_case *last =
		cases->list.count == 0 ? NULL : &cases->list.items[cases->list.count - 1];

	if (last != NULL && fw_addr_compare(low, last->high) <= 0) {
		if (fw_addr_compare(high, last->high) > 0) {
			last->high = high;
		}
		return;
	}
	FW_VEC_ADD(&cases->list, (struct fw_case){low, high, FW_SPACE_ALL});
}

static int compare_ranges(const void *left, const void *right) {
	return fw_range_compare(left, right);
}

static fw_space of_family(struct fw_spaces *spaces, enum fw_family family, fw_space set) {
	const struct fw_case only = {fw_value((uint64_t)family), fw_value((uint64_t)family), set};

	return fw_space_cases(spaces, FW_VAR_FAMILY, &only, 1);
}

static fw_space cases_space(struct fw_spaces *spaces, enum fw_var var, const struct cases *cases) {
	return cases->list.count == 0
		       ? FW_SPACE_EMPTY
		       : fw_space_cases(spaces, var, cases->list.items, cases->list.count);
}

fw_space fw_pfr_ranges(
	struct fw_spaces *spaces, enum fw_var var, const struct fw_range *ranges, size_t count) {
	struct fw_range *sorted = fw_resize(NULL, count + 1, sizeof(*sorted));
	fw_space set = FW_SPACE_EMPTY;

	if (count != 0) {
		memcpy(sorted, ranges, count * sizeof(*sorted));
		qsort(sorted, count, sizeof(*sorted), compare_ranges);
	}
	for (int family = FW_IPV4; family < FW_FAMILY_COUNT; family++) {
		FW_AUTO(cases_fini) struct cases cases = {0};
		for (size_t i = 0; i < count; i++) {
			if (sorted[i].family == (enum fw_family)family) {
				add_case(&cases, sorted[i].first, sorted[i].last);
			}
		}
		set = fw_space_union(spaces, set,
			of_family(
				spaces, (enum fw_family)family, cases_space(spaces, var, &cases)));
	}
	free(sorted);
	return set;
}

fw_space fw_pfr_icmp_space(struct fw_spaces *spaces, const int *v4, const int *v6) {
	const int *lists[] = {v4, v6};
	static const uint8_t protocols[] = {IPPROTO_ICMP, IPPROTO_ICMPV6};
	fw_space set = FW_SPACE_EMPTY;

	for (size_t i = 0; i < FW_LENGTH(lists); i++) {
		fw_space types = FW_SPACE_EMPTY;
		for (const int *type = lists[i]; *type >= 0; type++) {
			types = fw_space_union(spaces, types,
				fw_pfr_is(spaces, FW_VAR_SOURCE_PORT, (uint64_t)*type));
		}
		set = fw_space_union(spaces, set,
			fw_space_intersect(
				spaces, fw_pfr_is(spaces, FW_VAR_PROTOCOL, protocols[i]), types));
	}
	return set;
}

/*
 * All of it has the router alert option, and a hop limit of 1, so that nobody forwards it (RFC
 * 2236, 3376, 2710, 3810).
 */
fw_space fw_pfr_membership(struct fw_spaces *spaces) {
	static const int none[] = {-1}, types[] = {130, 131, 132, 143, -1};
	fw_space set = fw_space_intersect(spaces, fw_pfr_is(spaces, FW_VAR_FAMILY, FW_IPV6),
		fw_pfr_icmp_space(spaces, none, types));

	set = fw_space_union(spaces, set, fw_pfr_is(spaces, FW_VAR_PROTOCOL, IPPROTO_IGMP));
	set = fw_space_subtract(spaces, set, fw_pfr_is(spaces, FW_VAR_HOOK, FW_RB_FORWARD));
	set = fw_space_subtract(spaces, set, fw_pfr_is(spaces, FW_VAR_IN, 1));
	return fw_space_subtract(spaces, set, fw_pfr_is(spaces, FW_VAR_OUT, 1));
}

/* ---- tables: the longest prefix that holds an address decides ---- */

static int compare_entries(const void *left, const void *right) {
	const struct fw_pfr_entry *a = left;
	const struct fw_pfr_entry *b = right;

	return fw_range_compare(&a->range, &b->range);
}

/* Prefixes that hold one another, the innermost last. */
struct nest {
	FW_VEC(const struct fw_pfr_entry *) list;
};

/* Adds what the innermost one has from `from` up to its end, or up to `to`. */
static struct fw_addr leave(
	struct nest *nest, struct cases *cases, struct fw_addr from, const struct fw_addr *to) {
	const struct fw_pfr_entry *inner = nest->list.items[nest->list.count - 1];
	struct fw_addr end = to != NULL ? fw_addr_previous(*to) : inner->range.last;

	if (!inner->negated && fw_addr_compare(from, end) <= 0 &&
		(to == NULL || fw_addr_compare(*to, from) > 0)) {
		add_case(cases, from, end);
	}
	return to != NULL ? *to : fw_addr_next(inner->range.last);
}

static void table_cases(const struct fw_pfr_entry *entries, size_t count, enum fw_family family,
	struct cases *cases) {
	struct nest nest = {0};
	struct fw_addr from = {0, 0};

	for (size_t i = 0; i < count; i++) {
		const struct fw_pfr_entry *entry = &entries[i];
		if (entry->range.family != family) {
			continue;
		}
		while (nest.list.count != 0 &&
			fw_addr_compare(nest.list.items[nest.list.count - 1]->range.last,
				entry->range.first) < 0) {
			from = leave(&nest, cases, from, NULL);
			nest.list.count--;
		}
		if (nest.list.count != 0) {
			leave(&nest, cases, from, &entry->range.first);
		}
		from = entry->range.first;
		FW_VEC_ADD(&nest.list, entry);
	}
	for (; nest.list.count != 0; nest.list.count--) {
		from = leave(&nest, cases, from, NULL);
		bool over = from.high == 0 && from.low == 0;
		if (over) {
			break;
		}
	}
	FW_VEC_FINI(&nest.list);
}

static fw_space make_table(
	struct fw_pfr_scene *scene, const struct fw_pfr_table *table, enum fw_var var) {
	struct fw_pfr_entry *entries = fw_resize(NULL, table->entry_count + 1, sizeof(*entries));
	fw_space set = FW_SPACE_EMPTY;

	if (table->entry_count != 0) {
		memcpy(entries, table->entries, table->entry_count * sizeof(*entries));
		qsort(entries, table->entry_count, sizeof(*entries), compare_entries);
	}
	for (size_t i = 1; i < table->entry_count; i++) {
		if (fw_range_compare(&entries[i - 1].range, &entries[i].range) == 0 &&
			entries[i - 1].negated != entries[i].negated) {
			fw_pfr_unknown(scene->notes, table->place,
				"a table with one network twice, once negated");
		}
	}
	for (int family = FW_IPV4; family < FW_FAMILY_COUNT; family++) {
		FW_AUTO(cases_fini) struct cases cases = {0};
		table_cases(entries, table->entry_count, (enum fw_family)family, &cases);
		set = fw_space_union(scene->spaces, set,
			of_family(scene->spaces, (enum fw_family)family,
				cases_space(scene->spaces, var, &cases)));
	}
	free(entries);
	return set;
}

/* Marks the tables of a side as needed there. */
static void need_tables(
	struct fw_pfr_scene *scene, const struct fw_pfr_side *side, enum fw_var var) {
	for (size_t i = 0; i < side->count; i++) {
		if (side->items[i].kind == FW_PFR_TABLE) {
			scene->tables[side->items[i].table][var == FW_VAR_DESTINATION] =
				FW_SPACE_ALL;
		}
	}
}

static void need_all(struct fw_pfr_scene *scene, const struct fw_pfr_ruleset *ruleset) {
	for (size_t i = 0; i < ruleset->count; i++) {
		need_tables(scene, &ruleset->rules[i].source, FW_VAR_SOURCE);
		need_tables(scene, &ruleset->rules[i].destination, FW_VAR_DESTINATION);
		if (ruleset->rules[i].body != NULL) {
			need_all(scene, ruleset->rules[i].body);
		}
	}
}

void fw_pfr_make_tables(struct fw_pfr_scene *scene) {
	static const enum fw_var vars[] = {FW_VAR_SOURCE, FW_VAR_DESTINATION};
	size_t count = scene->config->table_count;

	scene->tables = fw_arena_array(scene->arena, count, sizeof(*scene->tables));
	need_all(scene, &scene->config->rules);
	need_all(scene, &scene->config->translations);
	for (size_t i = 0; i < count; i++) {
		for (size_t side = 0; side < FW_LENGTH(vars); side++) {
			fw_space *set = &scene->tables[i][side];
			if (*set != FW_SPACE_EMPTY) {
				*set = make_table(scene, &scene->config->tables[i], vars[side]);
			}
		}
	}
}

static fw_space table_space(struct fw_pfr_scene *scene, size_t number, enum fw_var var) {
	return scene->tables[number][var == FW_VAR_DESTINATION];
}

/* What others may have put into a table: it matters unless the table only blocks. */
static void check_table(struct fw_pfr_scene *scene, const struct fw_pfr_rule *rule,
	const struct fw_pfr_address *one) {
	const struct fw_pfr_table *table = &scene->config->tables[one->table];
	bool only_blocks = rule->action == FW_PFR_BLOCK && !one->negated;

	if (!table->defined) {
		fw_pfr_unknown(scene->notes, rule->place,
			fw_arena_printf(scene->arena,
				"the table <%s>, whose addresses are not in this text",
				table->name));
	} else if ((table->open || table->overload != NULL) && !only_blocks) {
		fw_pfr_unknown(scene->notes, rule->place,
			fw_arena_printf(scene->arena,
				"the table <%s>, whose addresses are not all in this text",
				table->name));
	} else if (table->open || table->overload != NULL) {
		fw_pfr_remark(scene->notes,
			fw_arena_printf(scene->arena,
				"%s: the table <%s> blocks what it is filled with in use",
				rule->place.text, table->name));
	}
}

/* ---- interfaces ---- */

static bool is_loopback(const char *name) {
	return strcmp(name, "lo") == 0 || strcmp(name, "lo0") == 0;
}

static int compare_names(const void *left, const void *right) {
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/*
 * A name without a number is that of a group, or of all interfaces of a driver: which ones those
 * are is told by no text. Where it is the only name, what is in the group and what is not are the
 * only two kinds of interfaces there are.
 */
static fw_space named(
	struct fw_pfr_scene *scene, struct fw_place place, const char *name, enum fw_var var) {
	const struct fw_rb_interfaces *interfaces = scene->interfaces;
	size_t length = strlen(name), others = interfaces->count + 2;

	if (is_loopback(name)) {
		return fw_pfr_is(scene->spaces, var, 1);
	}
	if (strcmp(name, "any") == 0) {
		return fw_pfr_between(scene->spaces, var, 2, others);
	}
	const char *const *found = interfaces->count == 0
					   ? NULL
					   : bsearch(&name, interfaces->names, interfaces->count,
						     sizeof(*interfaces->names), compare_names);
	bool numbered = length != 0 && name[length - 1] >= '0' && name[length - 1] <= '9';
	if (found == NULL || (!numbered && interfaces->count != 1) || strncmp(name, "lo", 2) == 0) {
		fw_pfr_unknown(scene->notes, place,
			fw_arena_printf(scene->arena,
				numbered ? "the interface '%s'"
					 : "the interface group '%s', whose members are not in "
					   "this text",
				name));
		return FW_SPACE_EMPTY;
	}
	return fw_pfr_is(scene->spaces, var, (uint64_t)(found - interfaces->names) + 2);
}

static fw_space interface_space(struct fw_pfr_scene *scene, struct fw_place place,
	const struct fw_pfr_interface *one, enum fw_var var) {
	fw_space set = named(scene, place, one->name, var);

	return one->negated ? fw_space_complement(scene->spaces, set) : set;
}

static fw_space interfaces_space(struct fw_pfr_scene *scene, const struct fw_pfr_rule *rule) {
	enum fw_var var = scene->direction == FW_PFR_IN ? FW_VAR_IN : FW_VAR_OUT;
	fw_space set = rule->interface_count == 0 ? FW_SPACE_ALL : FW_SPACE_EMPTY;

	for (size_t i = 0; i < rule->interface_count; i++) {
		set = fw_space_union(scene->spaces, set,
			interface_space(scene, rule->place, &rule->interfaces[i], var));
	}
	if (rule->received_on != NULL) {
		set = fw_space_intersect(scene->spaces, set,
			interface_space(scene, rule->place, rule->received_on, FW_VAR_IN));
	}
	return set;
}

fw_space fw_pfr_skipped(struct fw_pfr_scene *scene) {
	enum fw_var var = scene->direction == FW_PFR_IN ? FW_VAR_IN : FW_VAR_OUT;
	struct fw_place place = {.text = scene->config->name};
	fw_space set = FW_SPACE_EMPTY;

	for (size_t i = 0; i < scene->config->skipped_count; i++) {
		set = fw_space_union(scene->spaces, set,
			named(scene, place, scene->config->skipped[i].name, var));
	}
	return set;
}

/* ---- addresses ---- */

/* One side of a rule, and the translation that has given it another address. */
struct view {
	struct fw_pfr_scene *scene;
	const struct fw_pfr_rule *rule;
	const struct fw_pfr_side *side;
	enum fw_var var;
	const struct fw_pfr_target *nat; /* of the source; or NULL */
	const char *why;
};

/* All packets, perhaps. */
static struct fw_pfr_match doubtful(struct view *view, const char *why) {
	view->why = why;
	return (struct fw_pfr_match){.sure = FW_SPACE_EMPTY, .perhaps = FW_SPACE_ALL};
}

static struct fw_pfr_match surely(fw_space set) {
	return (struct fw_pfr_match){.sure = set, .perhaps = set};
}

static fw_space own_space(const struct view *view) {
	return view->var == FW_VAR_SOURCE ? view->scene->own_source : view->scene->own_destination;
}

/* An address of this host that is translated to: whichever it is, or one that the text names. */
static struct fw_pfr_match own_match(struct view *view) {
	if (view->nat != NULL && view->nat->interface != NULL) {
		return surely(FW_SPACE_ALL);
	}
	if (view->nat != NULL) {
		return doubtful(view, "whether an address that is translated to is this host's");
	}
	return surely(own_space(view));
}

/* Some addresses of this host: none of other packets, and who knows which of its own. */
static struct fw_pfr_match some_own_match(struct view *view, const struct fw_pfr_address *one) {
	struct fw_slice rest = fw_slice(one->text), name = fw_slice_cut(&rest, ':');

	if (view->nat != NULL && view->nat->interface != NULL &&
		fw_slice_is(name, view->nat->interface)) {
		return surely(FW_SPACE_ALL);
	}
	if (view->nat != NULL) {
		return doubtful(view, "whether an address that is translated to is an interface's");
	}
	view->why = fw_arena_printf(
		view->scene->arena, "the addresses of '%s', which are not in this text", one->text);
	return (struct fw_pfr_match){.sure = FW_SPACE_EMPTY, .perhaps = own_space(view)};
}

/* Ranges and tables are asked about an address that is known, or not. */
static struct fw_pfr_match explicit_match(struct view *view, fw_space set) {
	if (view->nat == NULL) {
		return surely(set);
	}
	if (view->nat->interface != NULL) {
		bool all = set == FW_SPACE_ALL || set == FW_SPACE_EMPTY;
		return all ? surely(set)
			   : doubtful(view, "whether an interface's address, which is translated "
					    "to, is among these");
	}
	return surely(
		fw_space_restrict(view->scene->spaces, set, FW_VAR_SOURCE, view->nat->address));
}

static struct fw_pfr_match address_match(struct view *view, const struct fw_pfr_address *one) {
	struct fw_pfr_scene *scene = view->scene;

	switch (one->kind) {
	case FW_PFR_RANGE:
		return explicit_match(
			view, fw_pfr_ranges(scene->spaces, view->var, &one->range, 1));
	case FW_PFR_TABLE:
		check_table(scene, view->rule, one);
		return explicit_match(view, table_space(scene, one->table, view->var));
	case FW_PFR_SELF:
		return own_match(view);
	case FW_PFR_BROADCAST:
		return surely(view->var == FW_VAR_DESTINATION ? scene->broadcast : FW_SPACE_EMPTY);
	case FW_PFR_OWN:
		return some_own_match(view, one);
	case FW_PFR_OPAQUE:
	case FW_PFR_NO_ADDRESS:
		break;
	}
	return doubtful(
		view, fw_arena_printf(scene->arena,
			      "the addresses of '%s', which are not in this text", one->text));
}

/* What is not an address or a network of a family is another one of that family. */
static struct fw_pfr_match negated(
	struct view *view, const struct fw_pfr_address *one, struct fw_pfr_match match) {
	struct fw_spaces *spaces = view->scene->spaces;
	struct fw_pfr_match opposite = {fw_space_complement(spaces, match.perhaps),
		fw_space_complement(spaces, match.sure), NULL};

	if (one->kind == FW_PFR_RANGE) {
		fw_space family = fw_pfr_is(spaces, FW_VAR_FAMILY, one->range.family);
		opposite.sure = fw_space_intersect(spaces, opposite.sure, family);
		opposite.perhaps = fw_space_intersect(spaces, opposite.perhaps, family);
	}
	return opposite;
}

/* Addresses and networks are made into one set at a time, as there may be many. */
static fw_space plain_ranges(struct view *view) {
	struct fw_range *ranges = fw_resize(NULL, view->side->count + 1, sizeof(*ranges));
	size_t count = 0;

	for (size_t i = 0; i < view->side->count; i++) {
		if (view->side->items[i].kind == FW_PFR_RANGE && !view->side->items[i].negated) {
			ranges[count++] = view->side->items[i].range;
		}
	}
	fw_space set = fw_pfr_ranges(view->scene->spaces, view->var, ranges, count);
	free(ranges);
	return set;
}

static struct fw_pfr_match addresses_match(struct view *view) {
	struct fw_spaces *spaces = view->scene->spaces;

	if (view->side->count == 0) {
		return surely(FW_SPACE_ALL);
	}
	struct fw_pfr_match all = explicit_match(view, plain_ranges(view));
	for (size_t i = 0; i < view->side->count; i++) {
		const struct fw_pfr_address *one = &view->side->items[i];
		if (one->kind == FW_PFR_RANGE && !one->negated) {
			continue;
		}
		struct fw_pfr_match match = address_match(view, one);
		if (one->negated) {
			match = negated(view, one, match);
		}
		all.sure = fw_space_union(spaces, all.sure, match.sure);
		all.perhaps = fw_space_union(spaces, all.perhaps, match.perhaps);
	}
	return all;
}

static struct fw_pfr_match ports_match(struct view *view) {
	FW_AUTO(cases_fini) struct cases cases = {0};
	enum fw_var var = view->var == FW_VAR_SOURCE ? FW_VAR_SOURCE_PORT : FW_VAR_PORT;

	if (!view->side->has_ports) {
		return surely(FW_SPACE_ALL);
	}
	for (size_t i = 0; i < view->side->port_count; i++) {
		FW_VEC_ADD(&cases.list, (struct fw_case){fw_value(view->side->ports[i].low),
						fw_value(view->side->ports[i].high), FW_SPACE_ALL});
	}
	fw_space set = cases_space(view->scene->spaces, var, &cases);
	if (view->nat == NULL || view->nat->same_port) {
		return surely(set);
	}
	if (view->nat->port != 0) {
		return surely(fw_space_restrict(
			view->scene->spaces, set, var, fw_value(view->nat->port)));
	}
	return doubtful(view, "whether a port that pf chooses is among these");
}

/* ---- protocols ---- */

/*
 * Answers begin no state (pf_icmp_mapping of pf.c). Neighbour advertisements and listener reports
 * are answers to some releases alone.
 */
static fw_space answers(struct fw_pfr_scene *scene) {
	static const int v4[] = {0, 9, 14, 16, 18, 34, 36, -1};
	static const int v6[] = {129, 140, 200, -1}, more_v6[] = {129, 131, 136, 140, 200, -1};

	return fw_pfr_icmp_space(scene->spaces, v4, scene->more_answers ? more_v6 : v6);
}

static fw_space types_space(struct fw_pfr_scene *scene, const struct fw_pfr_rule *rule) {
	struct fw_spaces *spaces = scene->spaces;
	fw_space set = FW_SPACE_EMPTY;

	for (size_t i = 0; i < rule->type_count; i++) {
		const struct fw_pfr_icmp *one = &rule->types[i];
		fw_space type = fw_pfr_is(spaces, FW_VAR_SOURCE_PORT, one->type);
		if (one->code >= 0) {
			type = fw_space_intersect(
				spaces, fw_pfr_is(spaces, FW_VAR_PORT, (uint64_t)one->code), type);
		}
		set = fw_space_union(spaces, set, type);
	}
	return set;
}

static fw_space protocols_space(struct fw_pfr_scene *scene, const struct fw_pfr_rule *rule) {
	struct fw_spaces *spaces = scene->spaces;
	fw_space tcp = fw_pfr_is(spaces, FW_VAR_PROTOCOL, IPPROTO_TCP);
	fw_space set = rule->protocol_count == 0 ? FW_SPACE_ALL : FW_SPACE_EMPTY;

	for (size_t i = 0; i < rule->protocol_count; i++) {
		set = fw_space_union(
			spaces, set, fw_pfr_is(spaces, FW_VAR_PROTOCOL, rule->protocols[i]));
	}
	if (rule->type_count != 0) {
		set = fw_space_intersect(spaces, set, types_space(scene, rule));
	}
	if (rule->flags_of != 0) {
		fw_space flags = fw_space_masked(spaces, FW_VAR_FLAGS, rule->flags_of, rule->flags);
		set = fw_space_intersect(spaces, set,
			fw_space_union(spaces, flags, fw_space_complement(spaces, tcp)));
	}
	if (rule->action == FW_PFR_PASS && rule->keeps && !rule->sloppy) {
		set = fw_space_subtract(spaces, set, answers(scene));
	}
	return set;
}

/* ---- a rule ---- */

static fw_space tagged_space(struct fw_pfr_scene *scene, const struct fw_pfr_rule *rule) {
	if (rule->tagged == 0) {
		return FW_SPACE_ALL;
	}
	fw_space set = fw_pfr_is(scene->spaces, FW_PFR_VAR_TAG, rule->tagged);
	return rule->not_tagged ? fw_space_complement(scene->spaces, set) : set;
}

static bool same_interfaces(const struct fw_pfr_rule *a, const struct fw_pfr_rule *b) {
	if (a->interface_count != b->interface_count || a->received_on != b->received_on) {
		return false;
	}
	for (size_t i = 0; i < a->interface_count; i++) {
		if (a->interfaces[i].negated != b->interfaces[i].negated ||
			strcmp(a->interfaces[i].name, b->interfaces[i].name) != 0) {
			return false;
		}
	}
	return true;
}

/* Whether two rules ask for the same but for ports and addresses. */
static bool same_header(const struct fw_pfr_rule *a, const struct fw_pfr_rule *b) {
	return a->action == b->action && a->keeps == b->keeps && a->sloppy == b->sloppy &&
	       a->flags == b->flags && a->flags_of == b->flags_of && a->family == b->family &&
	       a->tagged == b->tagged && a->not_tagged == b->not_tagged && a->type_count == 0 &&
	       b->type_count == 0 && a->protocol_count == b->protocol_count &&
	       (a->protocol_count == 0 ||
		       memcmp(a->protocols, b->protocols, a->protocol_count) == 0) &&
	       same_interfaces(a, b);
}

static bool same_address(const struct fw_pfr_address *a, const struct fw_pfr_address *b) {
	return a->kind == b->kind && a->negated == b->negated && a->table == b->table &&
	       a->range.family == b->range.family &&
	       fw_addr_compare(a->range.first, b->range.first) == 0 &&
	       fw_addr_compare(a->range.last, b->range.last) == 0 &&
	       (a->text == b->text ||
		       (a->text != NULL && b->text != NULL && strcmp(a->text, b->text) == 0));
}

static bool same_side(const struct fw_pfr_side *a, const struct fw_pfr_side *b) {
	enum { FEW = 8 };

	if (a->count != b->count || a->count > FEW) {
		return false;
	}
	for (size_t i = 0; i < a->count; i++) {
		if (!same_address(&a->items[i], &b->items[i])) {
			return false;
		}
	}
	return true;
}

static bool same_ports(const struct fw_pfr_side *a, const struct fw_pfr_side *b) {
	if (a->has_ports != b->has_ports || a->port_count != b->port_count) {
		return false;
	}
	for (size_t i = 0; i < a->port_count; i++) {
		if (a->ports[i].low != b->ports[i].low || a->ports[i].high != b->ports[i].high) {
			return false;
		}
	}
	return true;
}

bool fw_pfr_same_but(const struct fw_pfr_rule *a, const struct fw_pfr_rule *b, enum fw_var end) {
	bool sources = end == FW_VAR_DESTINATION;
	const struct fw_pfr_side *one = sources ? &a->source : &a->destination;
	const struct fw_pfr_side *other = sources ? &b->source : &b->destination;

	return a->direction == b->direction && a->never == b->never && same_header(a, b) &&
	       same_ports(one, other) && same_side(one, other);
}

static void narrow(struct fw_pfr_scene *scene, struct fw_pfr_match *match, struct fw_pfr_match by) {
	bool same = match->sure == match->perhaps && by.sure == by.perhaps;

	match->sure = fw_space_intersect(scene->spaces, match->sure, by.sure);
	match->perhaps =
		same ? match->sure : fw_space_intersect(scene->spaces, match->perhaps, by.perhaps);
	match->why = match->why != NULL ? match->why : by.why;
}

static struct fw_pfr_match match_side(struct fw_pfr_scene *scene, const struct fw_pfr_rule *rule,
	enum fw_var var, const struct fw_pfr_target *nat) {
	const struct fw_pfr_side *side = var == FW_VAR_SOURCE ? &rule->source : &rule->destination;
	struct view view = {scene, rule, side, var, nat, NULL};
	struct fw_pfr_match match = ports_match(&view);

	narrow(scene, &match, addresses_match(&view));
	match.why = view.why;
	return match;
}

static bool is_of_direction(const struct fw_pfr_scene *scene, const struct fw_pfr_rule *rule) {
	return !rule->never &&
	       (rule->direction == FW_PFR_BOTH_WAYS || rule->direction == scene->direction);
}

struct fw_pfr_match fw_pfr_match_end(struct fw_pfr_scene *scene, const struct fw_pfr_rule *rule,
	enum fw_var end, const struct fw_pfr_target *nat) {
	return is_of_direction(scene, rule)
		       ? match_side(scene, rule, end, end == FW_VAR_SOURCE ? nat : NULL)
		       : surely(FW_SPACE_EMPTY);
}

struct fw_pfr_match fw_pfr_match_but(struct fw_pfr_scene *scene, const struct fw_pfr_rule *rule,
	enum fw_var end, const struct fw_pfr_target *nat) {
	struct fw_spaces *spaces = scene->spaces;
	enum fw_var other = end == FW_VAR_SOURCE ? FW_VAR_DESTINATION : FW_VAR_SOURCE;

	if (!is_of_direction(scene, rule)) {
		return surely(FW_SPACE_EMPTY);
	}
	fw_space set =
		fw_space_intersect(spaces, protocols_space(scene, rule), tagged_space(scene, rule));
	if (rule->family != FW_FAMILY_NONE) {
		set = fw_space_intersect(
			spaces, fw_pfr_is(spaces, FW_VAR_FAMILY, rule->family), set);
	}
	struct fw_pfr_match match =
		surely(fw_space_intersect(spaces, interfaces_space(scene, rule), set));
	narrow(scene, &match, fw_pfr_match_end(scene, rule, other, nat));
	return match;
}

struct fw_pfr_match fw_pfr_match(struct fw_pfr_scene *scene, const struct fw_pfr_rule *rule,
	const struct fw_pfr_target *nat) {
	struct fw_pfr_match match = fw_pfr_match_but(scene, rule, FW_VAR_DESTINATION, nat);

	if (match.perhaps != FW_SPACE_EMPTY) {
		narrow(scene, &match, fw_pfr_match_end(scene, rule, FW_VAR_DESTINATION, nat));
	}
	return match;
}
