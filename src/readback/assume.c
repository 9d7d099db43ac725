// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Rule sets that ask what addresses are to the machine, which they do not tell. Hooks do: what
 * comes in is sent to an address of the machine, what goes out comes from one, and what is
 * forwarded has none. Some packets are not as usual, so such a rule set is run several times, each
 * time with something else assumed of them:
 *
 * - What comes by before routing is translated as what is sent to this machine. Where what is sent
 *   to others would be translated otherwise, that is unknown of what is forwarded.
 * - What is sent to all of a network must not pass where packets to one address do not; where it
 *   passes less, a remark says so.
 * - What comes in or through with a source of this machine must not pass where other packets do
 *   not.
 */

#include "readback/program.h"

#include <stdlib.h>
#include <string.h>

struct comparison {
	struct fw_arena *arena;
	struct fw_spaces *spaces;
	const struct fw_rb_assuming *assuming;
	struct fw_readback *out;
	FW_VEC(struct fw_rb_unknown) unknowns;
	FW_VEC(const char *) remarks;
};

static bool is_told(const struct comparison *all, const struct fw_rb_unknown *unknown) {
	for (size_t i = 0; i < all->unknowns.count; i++) {
		const struct fw_rb_unknown *other = &all->unknowns.items[i];
		if (other->hook == unknown->hook && strcmp(other->what, unknown->what) == 0 &&
			strcmp(other->place.text, unknown->place.text) == 0) {
			return true;
		}
	}
	return false;
}

static void add_unknown(struct comparison *all, struct fw_rb_unknown unknown) {
	if (all->unknowns.count < FW_RB_UNKNOWNS_MAX && !is_told(all, &unknown)) {
		FW_VEC_ADD(&all->unknowns, unknown);
	}
}

static bool run(struct comparison *all, unsigned assumed, struct fw_readback *out) {
	*out = (struct fw_readback){0};
	return all->assuming->run(all->assuming->context, assumed, out);
}

/* ---- what is forwarded ---- */

static bool same_rewrite(const struct fw_rb_rewrite *a, const struct fw_rb_rewrite *b) {
	bool same = a->source == b->source && a->masquerade == b->masquerade &&
		    a->family == b->family && fw_addr_compare(a->address, b->address) == 0 &&
		    a->port == b->port && a->set == b->set &&
		    a->original_count == b->original_count;

	for (size_t i = 0; same && i < a->original_count; i++) {
		same = fw_addr_compare(a->originals[i].first, b->originals[i].first) == 0 &&
		       fw_addr_compare(a->originals[i].last, b->originals[i].last) == 0;
	}
	return same;
}

/* What is translated by those from a number on; sources don't depend on where packets go. */
static fw_space rewritten(
	struct comparison *all, const struct fw_readback *readback, size_t first) {
	FW_VEC(fw_space) sets = {0};

	for (size_t i = first; i < readback->rewrite_count; i++) {
		if (!readback->rewrites[i].source) {
			FW_VEC_ADD(&sets, readback->rewrites[i].set);
		}
	}
	fw_space set = fw_space_union_all(all->spaces, sets.items, sets.count);
	FW_VEC_FINI(&sets);
	return set;
}

static void check_rewrites(struct comparison *all, const struct fw_readback *other) {
	const struct fw_readback *out = all->out;
	size_t i = 0;

	while (i < out->rewrite_count && i < other->rewrite_count &&
		same_rewrite(&out->rewrites[i], &other->rewrites[i])) {
		i++;
	}
	fw_space set =
		fw_space_union(all->spaces, rewritten(all, out, i), rewritten(all, other, i));
	if (set != FW_SPACE_EMPTY) {
		add_unknown(all,
			(struct fw_rb_unknown){
				.place = i < out->rewrite_count ? out->rewrites[i].place
								: other->rewrites[i].place,
				.what = "a translation of what is sent to this host alone, or not "
					"to it",
				.hook = FW_RB_FORWARD,
				.translated = set,
			});
	}
}

/* What is not understood of a translation, though it is met only by what is sent to others. */
static bool check_foreign(struct comparison *all) {
	struct fw_readback other;

	if (!run(all, FW_RB_ASSUME_FOREIGN, &other)) {
		return false;
	}
	check_rewrites(all, &other);
	for (size_t i = 0; i < other.unknown_count; i++) {
		struct fw_rb_unknown unknown = other.unknowns[i];
		if (unknown.hook == FW_RB_NONE && !is_told(all, &unknown)) {
			unknown.hook = FW_RB_FORWARD;
			add_unknown(all, unknown);
		}
	}
	return true;
}

/* ---- what is unusual ---- */

/* What may pass a hook must be no more than usually. True: it is less. */
static bool compare(struct comparison *all, const struct fw_readback *other, enum fw_rb_hook hook,
	const struct fw_place *place, const char *what) {
	fw_space usual = all->out->may[hook], unusual = other->may[hook];
	bool more = fw_space_subtract(all->spaces, unusual, usual) != FW_SPACE_EMPTY ||
		    fw_space_subtract(all->spaces, other->must[hook], all->out->must[hook]) !=
			    FW_SPACE_EMPTY;

	for (size_t i = 0; i < other->unknown_count; i++) {
		add_unknown(all, other->unknowns[i]);
	}
	if (more) {
		add_unknown(all, (struct fw_rb_unknown){
					 .place = *place,
					 .what = what,
					 .hook = hook,
				 });
	}
	return fw_space_subtract(all->spaces, usual, unusual) != FW_SPACE_EMPTY;
}

static bool check_broadcast(struct comparison *all) {
	static const char what[] = "packets to all of a network, which pass where others do not";
	const struct fw_place *place = all->assuming->asks_destination;
	struct fw_readback other;

	if (!run(all, FW_RB_ASSUME_BROADCAST, &other)) {
		return false;
	}
	bool less = compare(all, &other, FW_RB_INPUT, place, what);
	less = compare(all, &other, FW_RB_OUTPUT, place, what) || less;
	if (less) {
		FW_VEC_ADD(&all->remarks,
			fw_arena_printf(all->arena,
				"%s: packets to all of a network pass less than those to one "
				"address",
				place->text));
	}
	return true;
}

static bool check_spoofed(struct comparison *all) {
	static const char what[] = "packets with a source of this host, which pass where others do "
				   "not";
	const struct fw_place *place = all->assuming->asks_source;
	struct fw_readback other;

	if (!run(all, FW_RB_ASSUME_SPOOFED, &other)) {
		return false;
	}
	compare(all, &other, FW_RB_INPUT, place, what);
	compare(all, &other, FW_RB_FORWARD, place, what);
	return true;
}

/* ---- all of it ---- */

bool fw_rb_assume(struct fw_arena *arena, struct fw_spaces *spaces,
	const struct fw_rb_assuming *assuming, struct fw_readback *out) {
	struct comparison all = {
		.arena = arena, .spaces = spaces, .assuming = assuming, .out = out};

	for (size_t i = 0; i < out->unknown_count; i++) {
		add_unknown(&all, out->unknowns[i]);
	}
	for (size_t i = 0; i < out->remark_count; i++) {
		FW_VEC_ADD(&all.remarks, out->remarks[i]);
	}
	bool done = (assuming->asks_destination == NULL ||
			    (check_foreign(&all) && check_broadcast(&all))) &&
		    (assuming->asks_source == NULL || check_spoofed(&all));
	out->unknowns = fw_rb_copy(
		arena, all.unknowns.items, all.unknowns.count, sizeof(*all.unknowns.items));
	out->unknown_count = all.unknowns.count;
	out->remarks =
		fw_rb_copy(arena, all.remarks.items, all.remarks.count, sizeof(*all.remarks.items));
	out->remark_count = all.remarks.count;
	FW_VEC_FINI(&all.unknowns);
	FW_VEC_FINI(&all.remarks);
	return done && !spaces->exhausted;
}
