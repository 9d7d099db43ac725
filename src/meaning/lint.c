// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is odd about a policy, as far as only sets of packets tell: flows that nothing matches,
 * services that others hide, and plain HTTP for the world.
 *
 * A service is hidden where each of its packets is also in another one's set. All packets that are
 * in two sets at least are found in one go, halves first, so that many services cost little more
 * than the union of them.
 */

#include "meaning/meaning.h"

#include <stdlib.h>
#include <string.h>

enum {
	EXPLAINED_MAX = 100, /* hidden services whose hiders are looked for */
	HIDERS_MAX = 8,
};

/* All flows of one service. */
struct unit {
	const char *service;
	struct fw_span span;
	fw_space free;	  /* of flows without a limit */
	fw_space limited; /* of the others */
	bool watched;	  /* of the author's making, and for nothing but what it lets pass */
	bool twin;	  /* another one is just the same */
	bool hidden;	  /* others hold it */
};

struct lint {
	struct fw_spaces *spaces;
	const struct fw_interfaces *interfaces;
	const struct fw_policy *policy;
	struct fw_diags *diags;
	fw_space judged; /* packets that flows decide about */
	fw_space public; /* those from addresses that are not private */
	struct unit *units;
	size_t unit_count;
	size_t explained;
};

static fw_space one(struct fw_spaces *spaces, enum fw_var var, uint64_t value) {
	return fw_space_interval(spaces, var, fw_value(value), fw_value(value));
}

static bool is_strict(const struct fw_policy *policy, enum fw_hook hook) {
	enum fw_verdict verdict = policy->hooks[hook].verdict;

	return verdict == FW_DROP || verdict == FW_REJECT;
}

/* ---- sets that everything is held against ---- */

/* What can be, but for the loopback, where everything passes. */
static fw_space judged_space(const struct lint *lint) {
	fw_space set = fw_space_universe(lint->spaces, fw_interfaces_count(lint->interfaces));
	fw_space in = one(lint->spaces, FW_VAR_IN, FW_INTERFACE_LOOPBACK);
	fw_space out = one(lint->spaces, FW_VAR_OUT, FW_INTERFACE_LOOPBACK);

	in = fw_space_intersect(lint->spaces, in, one(lint->spaces, FW_VAR_HOOK, FW_INPUT));
	out = fw_space_intersect(lint->spaces, out, one(lint->spaces, FW_VAR_HOOK, FW_OUTPUT));
	set = fw_space_subtract(lint->spaces, set, in);
	return fw_space_subtract(lint->spaces, set, out);
}

/*
 * RFC 1918, RFC 4193, and what never comes from another network: loopback and link-local. The
 * addresses of RFC 6598 are shared with all other customers of a provider, so they are not private.
 */
static fw_space public_space(struct fw_spaces *spaces) {
	static const char *const ranges[] = {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",
		"127.0.0.0/8", "169.254.0.0/16", "fc00::/7", "fe80::/10", "::1"};
	fw_space private[FW_LENGTH(ranges)];

	for (size_t i = 0; i < FW_LENGTH(ranges); i++) {
		struct fw_range range = {0};
		fw_range_parse(fw_slice(ranges[i]), &range);
		private[i] = fw_space_intersect(spaces, one(spaces, FW_VAR_FAMILY, range.family),
			fw_space_interval(spaces, FW_VAR_SOURCE, range.first, range.last));
	}
	return fw_space_complement(spaces, fw_space_union_all(spaces, private, FW_LENGTH(ranges)));
}

/* ---- flows that nothing matches ---- */

static void lint_empty(struct lint *lint, const struct fw_flow *flow, bool loopback) {
	struct fw_diag *diag;

	if (flow->base) {
		return;
	}
	if (loopback) {
		diag = fw_warning(lint->diags, flow->span, "matches-nothing",
			"'%s' is for the loopback interface, where everything passes",
			flow->service);
	} else {
		diag = fw_warning(lint->diags, flow->span, "matches-nothing",
			"no packet of %s can match '%s'", fw_hook_names[flow->hook], flow->service);
	}
	const struct fw_set *except = fw_flow_peers(flow)->except;
	if (!loopback && except != NULL) {
		fw_diag_note(lint->diags, diag, except->span, "excepted are all that it is for");
	}
	fw_diag_about(lint->diags, diag, flow->service);
}

/* ---- plain HTTP ---- */

/* The entry of a group that a source address comes from. */
static const struct fw_endpoint *entry_of(
	const struct fw_side *side, enum fw_family family, struct fw_addr address) {
	for (size_t i = 0; i < side->set_count; i++) {
		const struct fw_members *members = &side->sets[i]->members[family];
		for (size_t j = 0; j < members->count; j++) {
			const struct fw_range *range = &members->items[j].range;
			if (fw_addr_compare(range->first, address) <= 0 &&
				fw_addr_compare(address, range->last) <= 0) {
				return &members->items[j];
			}
		}
	}
	return NULL;
}

/* What comes in by one interface only, as by a tunnel, may have its protection there. */
static bool lint_plain(struct lint *lint, const struct fw_flow *flow, fw_space set) {
	bool comes = flow->hook == FW_INPUT || flow->inbound ||
		     (flow->hook == FW_FORWARD && fw_side_is_open(&flow->source));

	if (!flow->plain_http || !comes || flow->in_interfaces.count != 0) {
		return false;
	}
	set = fw_space_intersect(lint->spaces, set, lint->public);
	if (set == FW_SPACE_EMPTY || lint->spaces->exhausted) {
		return false;
	}
	const struct fw_point point = fw_space_witness(lint->spaces, set);
	enum fw_family family = (enum fw_family)point.values[FW_VAR_FAMILY].low;
	FW_AUTO(fw_buf_fini) struct fw_buf address = {0};
	fw_addr_format(family, point.values[FW_VAR_SOURCE], &address);
	struct fw_diag *diag = fw_warning(lint->diags, flow->span, "plain-http",
		"'%s' is HTTP without encryption, and open to more than private addresses, like %s",
		flow->service, address.data);
	const struct fw_endpoint *entry =
		entry_of(&flow->source, family, point.values[FW_VAR_SOURCE]);
	if (entry != NULL) {
		fw_diag_note(lint->diags, diag, entry->span, "by this entry");
	}
	fw_diag_hint(lint->diags, diag,
		"anybody on the way reads and changes it; let them come through a tunnel");
	fw_diag_about(lint->diags, diag, flow->service);
	return true;
}

/* ---- flows into services ---- */

static int by_service(const void *left, const void *right) {
	const struct fw_flow *a = *(const struct fw_flow *const *)left;
	const struct fw_flow *b = *(const struct fw_flow *const *)right;
	int order = strcmp(a->service, b->service);

	return order != 0 ? order : (a > b) - (a < b);
}

/* The flows of one service. */
static void read_unit(struct lint *lint, const struct fw_flow *const *flows, size_t count) {
	struct unit *unit = &lint->units[lint->unit_count++];
	fw_space *sets = fw_resize(NULL, 2 * count, sizeof(*sets));
	size_t free_count = 0, limited_count = 0;
	bool empty_told = false, plain_told = false;

	*unit = (struct unit){
		.service = flows[0]->service, .span = flows[0]->span, .watched = true};
	for (size_t i = 0; i < count; i++) {
		const struct fw_flow *flow = flows[i];
		unit->watched &=
			!flow->base && !flow->log.on && is_strict(lint->policy, flow->hook);
		if (!is_strict(lint->policy, flow->hook)) {
			continue;
		}
		fw_space whole = fw_flow_space(lint->spaces, lint->interfaces, flow);
		fw_space set = fw_space_intersect(lint->spaces, whole, lint->judged);
		if (set == FW_SPACE_EMPTY && !empty_told) {
			fw_space can_be = fw_space_universe(
				lint->spaces, fw_interfaces_count(lint->interfaces));
			whole = fw_space_intersect(lint->spaces, whole, can_be);
			lint_empty(lint, flow, whole != FW_SPACE_EMPTY);
			empty_told = true;
		}
		plain_told = plain_told || lint_plain(lint, flow, set);
		if (flow->limit.count == 0) {
			sets[free_count++] = set;
		} else {
			sets[count + limited_count++] = set;
		}
	}
	unit->free = fw_space_union_all(lint->spaces, sets, free_count);
	unit->limited = fw_space_union_all(lint->spaces, sets + count, limited_count);
	free(sets);
}

static void read_units(struct lint *lint) {
	size_t count = lint->policy->flow_count;
	const struct fw_flow **flows = fw_resize(NULL, count, sizeof(*flows));

	for (size_t i = 0; i < count; i++) {
		flows[i] = &lint->policy->flows[i];
	}
	qsort(flows, count, sizeof(*flows), by_service);
	for (size_t i = 0, begin = 0; i < count; i++) {
		bool last = i + 1 == count || strcmp(flows[i]->service, flows[i + 1]->service) != 0;
		if (last) {
			read_unit(lint, flows + begin, i + 1 - begin);
			begin = i + 1;
		}
	}
	free(flows);
}

/* ---- the same, twice ---- */

/* Of two that are the same it is the author's that could go, so it is not the first. */
static int by_sets(const void *left, const void *right) {
	const struct unit *a = *(struct unit *const *)left;
	const struct unit *b = *(struct unit *const *)right;

	if (a->free != b->free) {
		return a->free < b->free ? -1 : 1;
	}
	return a->watched != b->watched ? (int)a->watched - (int)b->watched : (a > b) - (a < b);
}

/* Equal sets are the same handle. Two limits are two buckets, which are not the same. */
static void lint_twins(struct lint *lint) {
	struct unit **units = fw_resize(NULL, lint->unit_count, sizeof(*units));
	size_t count = 0;

	for (size_t i = 0; i < lint->unit_count; i++) {
		struct unit *unit = &lint->units[i];
		if (unit->limited == FW_SPACE_EMPTY && unit->free != FW_SPACE_EMPTY) {
			units[count++] = unit;
		}
	}
	qsort(units, count, sizeof(*units), by_sets);
	for (size_t i = 1, first = 0; i < count; i++) {
		if (units[i]->free != units[first]->free) {
			first = i;
			continue;
		}
		units[i]->twin = true;
		if (units[i]->watched) {
			struct fw_diag *diag = fw_warning(lint->diags, units[i]->span,
				"same-service", "'%s' allows just what '%s' does",
				units[i]->service, units[first]->service);
			fw_diag_note(lint->diags, diag, units[first]->span, "the other one");
			fw_diag_about(lint->diags, diag, units[i]->service);
		}
	}
	free(units);
}

/* ---- hidden by others ---- */

/*
 * Sets of units, halved again and again. `joined` are the unions of the whole and of all parts:
 * first that of a part, then all of its first half, then all of its second one.
 */
struct halves {
	struct unit **units;
	fw_space *sets, *joined;
	size_t count;
};

static void halves_fini(struct halves *halves) {
	free(halves->units);
	free(halves->sets);
	free(halves->joined);
}

/* Of units with limits, or of those without. */
static void halves_init(struct halves *halves, struct lint *lint, bool limited) {
	*halves = (struct halves){
		.units = fw_resize(NULL, lint->unit_count, sizeof(*halves->units)),
		.sets = fw_resize(NULL, lint->unit_count, sizeof(*halves->sets)),
		.joined = fw_resize(NULL, 2 * lint->unit_count, sizeof(*halves->joined)),
	};
	for (size_t i = 0; i < lint->unit_count; i++) {
		struct unit *unit = &lint->units[i];
		fw_space set = limited ? unit->limited : unit->free;
		if (set != FW_SPACE_EMPTY && !unit->twin) {
			halves->units[halves->count] = unit;
			halves->sets[halves->count++] = set;
		}
	}
}

/* Fills in what is joined; returns the packets that are in two of the sets or more. */
static fw_space join(
	struct fw_spaces *spaces, const fw_space *sets, size_t count, fw_space *joined) {
	size_t half = count / 2;

	if (count == 1) {
		joined[0] = sets[0];
		return FW_SPACE_EMPTY;
	}
	fw_space *left = joined + 1, *right = joined + 2 * half;
	fw_space twice = fw_space_union(spaces, join(spaces, sets, half, left),
		join(spaces, sets + half, count - half, right));
	joined[0] = fw_space_union(spaces, *left, *right);
	return fw_space_union(spaces, twice, fw_space_intersect(spaces, *left, *right));
}

/* Marks the units that are part of a set, which gets smaller on the way to each. */
static void mark_hidden(struct fw_spaces *spaces, struct unit **units, size_t count,
	const fw_space *joined, fw_space by) {
	size_t half = count / 2;

	by = fw_space_intersect(spaces, by, joined[0]);
	if (by == FW_SPACE_EMPTY) {
		return;
	}
	if (count == 1) {
		units[0]->hidden = by == joined[0];
		return;
	}
	mark_hidden(spaces, units, half, joined + 1, by);
	mark_hidden(spaces, units + half, count - half, joined + 2 * half, by);
}

/* The units that hide one, none of which could be left out. */
struct hiders {
	const struct unit *units[HIDERS_MAX];
	size_t count; /* HIDERS_MAX: or more */
};

/* One alone, if there is one. */
static bool find_hider(
	const struct lint *lint, const struct unit *hidden, fw_space set, struct hiders *out) {
	for (size_t i = 0; i < lint->unit_count; i++) {
		const struct unit *unit = &lint->units[i];
		if (unit != hidden && !unit->twin &&
			fw_space_is_subset(lint->spaces, set, unit->free)) {
			*out = (struct hiders){.units = {unit}, .count = 1};
			return true;
		}
	}
	return false;
}

/* What of a set is in none of them, `but` one. */
static fw_space left_by(
	const struct lint *lint, const struct hiders *hiders, size_t but, fw_space set) {
	for (size_t i = 0; i < hiders->count; i++) {
		if (i != but) {
			set = fw_space_subtract(lint->spaces, set, hiders->units[i]->free);
		}
	}
	return set;
}

static void find_hiders(
	const struct lint *lint, const struct unit *hidden, fw_space set, struct hiders *out) {
	fw_space rest = set;

	*out = (struct hiders){0};
	for (size_t i = 0; i < lint->unit_count && out->count < HIDERS_MAX; i++) {
		const struct unit *unit = &lint->units[i];
		fw_space left = fw_space_subtract(lint->spaces, rest, unit->free);
		if (unit != hidden && !unit->twin && left != rest) {
			rest = left;
			out->units[out->count++] = unit;
		}
	}
	/* Those that came first may hold nothing that later ones do not. */
	for (size_t i = out->count; rest == FW_SPACE_EMPTY && i-- > 0;) {
		if (left_by(lint, out, i, set) == FW_SPACE_EMPTY) {
			out->count--;
			memmove(&out->units[i], &out->units[i + 1],
				(out->count - i) * sizeof(*out->units));
		}
	}
}

static void add_names(struct fw_buf *out, const struct hiders *hiders) {
	if (hiders->count == 0 || hiders->count == HIDERS_MAX) {
		fw_buf_add_text(out, "other services");
		return;
	}
	for (size_t i = 0; i < hiders->count; i++) {
		bool last = i + 1 == hiders->count;
		const char *joint = i == 0 ? "" : last ? " and " : ", ";
		fw_buf_printf(out, "%s'%s'", joint, hiders->units[i]->service);
	}
}

static void warn_hidden(struct lint *lint, const struct unit *unit) {
	FW_AUTO(fw_buf_fini) struct fw_buf names = {0};
	struct hiders hiders = {0};

	if (lint->explained++ < EXPLAINED_MAX) {
		uint32_t mark = fw_spaces_mark(lint->spaces);
		fw_space set = fw_space_union(lint->spaces, unit->free, unit->limited);
		if (!find_hider(lint, unit, set, &hiders)) {
			find_hiders(lint, unit, set, &hiders);
		}
		fw_spaces_release(lint->spaces, mark, NULL, 0);
	}
	if (lint->spaces->exhausted) {
		return;
	}
	add_names(&names, &hiders);
	struct fw_diag *diag = fw_warning(lint->diags, unit->span, "hidden-service",
		"all that '%s' allows is allowed by %s anyway%s", unit->service, names.data,
		unit->limited != FW_SPACE_EMPTY ? ", without its limit" : "");
	for (size_t i = 0; i < hiders.count && i < FW_NOTES_MAX; i++) {
		fw_diag_note(lint->diags, diag, hiders.units[i]->span, "'%s' is here",
			hiders.units[i]->service);
	}
	fw_diag_about(lint->diags, diag, unit->service);
}

/* What passes by a limit of one is hidden by what passes without one. */
static void lint_hidden(struct lint *lint) {
	FW_AUTO(halves_fini) struct halves limited, unlimited;

	halves_init(&limited, lint, true);
	halves_init(&unlimited, lint, false);
	if (unlimited.count != 0) {
		fw_space twice =
			join(lint->spaces, unlimited.sets, unlimited.count, unlimited.joined);
		mark_hidden(
			lint->spaces, unlimited.units, unlimited.count, unlimited.joined, twice);
	}
	if (unlimited.count != 0 && limited.count != 0) {
		join(lint->spaces, limited.sets, limited.count, limited.joined);
		mark_hidden(lint->spaces, limited.units, limited.count, limited.joined,
			unlimited.joined[0]);
	}
	for (size_t i = 0; i < lint->unit_count && !lint->spaces->exhausted; i++) {
		const struct unit *unit = &lint->units[i];
		bool mixed = unit->free != FW_SPACE_EMPTY && unit->limited != FW_SPACE_EMPTY;
		if (unit->hidden && unit->watched && !mixed) {
			warn_hidden(lint, unit);
		}
	}
}

bool fw_meaning_lint(struct fw_spaces *spaces, const struct fw_interfaces *interfaces,
	const struct fw_policy *policy, struct fw_diags *diags) {
	struct lint lint = {
		.spaces = spaces,
		.interfaces = interfaces,
		.policy = policy,
		.diags = diags,
	};

	if (policy->flow_count == 0) {
		return true;
	}
	lint.units = fw_resize(NULL, policy->flow_count, sizeof(*lint.units));
	lint.judged = judged_space(&lint);
	lint.public = public_space(spaces);
	read_units(&lint);
	if (!spaces->exhausted) {
		lint_twins(&lint);
		lint_hidden(&lint);
	}
	free(lint.units);
	return !spaces->exhausted;
}
