// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Groups as chains: a rule for each member while they are few, else a tree of chains over address
 * prefixes, so that a packet meets the rules of one path, not of all members.
 *
 * A tree splits at fixed bits: a chain stands for a prefix whose length is four bits short of the
 * whole address, five where members have ports of their own, or a multiple of three bits less, and
 * has one rule for each of the next bits' values that has members: the member itself where it is
 * alone, else the way into the chain of the longest such prefix that they share. Loading costs by
 * chain more than by rule, and grows with their square, so the chains that most of them are, those
 * at the ends, are the widest. So a member that comes or goes changes its own line and, where it
 * parts from one other, those of the chain in which they part. Chains are named by group and
 * prefix.
 *
 * A packet that is no member falls off the end of the chain it has come to. As chains are entered
 * by `goto`, it is back in the chain of its hook then.
 */

#include <stdlib.h>
#include <string.h>

#include "emit/iptables.h"

enum {
	/* Bits that the last chain on a path decides on. Names have no room for less than four;
	 * with ports there is a rule for each one, and chains cost most to load. */
	LEAF = 4,
	LEAF_OF_PORTS = 5,
	STRIDE = 3, /* and each of the others */
	SLOTS = 1 << STRIDE,
	/* Members of larger groups have no names beside them. */
	NAMED_MAX = 256,
};

const char *fw_ipt_part_name(
	const struct fw_ipt *ipt, const struct fw_set *set, enum fw_ipt_part part) {
	static const char *const suffixes[] = {
		[FW_IPT_PLAIN] = "", [FW_IPT_OWN] = "_own", [FW_IPT_PORTS] = "_ports"};
	bool peers = set->literal && strchr(set->name, '_') == NULL;

	return fw_arena_printf(
		ipt->arena, "%s%s%s", set->name, peers ? "_peers" : "", suffixes[part]);
}

const struct fw_endpoint *fw_ipt_part(
	const struct fw_members *members, enum fw_ipt_part part, size_t *out_count) {
	bool plain = part == FW_IPT_PLAIN;
	*out_count = plain ? members->plain_count : members->count - members->plain_count;
	return plain || *out_count == 0 ? members->items : members->items + members->plain_count;
}

/* ---- one chain, or a tree of them ---- */

/* A prefix of a member's range. */
struct leaf {
	struct fw_ipt_prefix prefix;
	const struct fw_endpoint *endpoint;
};

struct leaves {
	const struct leaf *items;
	size_t count;
};

struct tree {
	struct fw_ipt *ipt;
	const char *root;	       /* the chain that is entered first */
	const char *tag;	       /* in the names of the others */
	const char *found, *otherwise; /* what to do then; `otherwise` may be NULL: nothing */
	bool source, ports, named;
	unsigned levels; /* of chains below the root at most */
};

/* The chain of a prefix, and what it holds. */
struct fw_ipt_branch {
	const char *name;
	const struct tree *tree;
	struct leaves leaves;
	unsigned level; /* the prefix's length */
	unsigned depth;
	size_t first, count; /* the chains that it leads to */
	size_t parent;	     /* leads to it, unless that is the root */
	bool declared;
};

/* Where rules go. */
struct place {
	const struct tree *tree;
	const char *chain;
	struct fw_buf *out;
};

static void add_rule(
	const struct place *place, const struct fw_range *range, struct fw_ipt_rule rule) {
	rule.chain = place->chain;
	*(place->tree->source ? &rule.source : &rule.destination) = range;
	fw_ipt_add_rule(place->out, &rule);
}

static void add_member(const struct place *place, const struct fw_range *range,
	const struct fw_endpoint *endpoint) {
	const struct tree *tree = place->tree;
	struct fw_ipt_rule rule = {
		.comment = tree->named ? endpoint->name : NULL, .target = tree->found};

	if (!tree->ports) {
		add_rule(place, range, rule);
		return;
	}
	struct fw_port_list rest = *endpoint->own;
	while (fw_ipt_list_header(&rest, &tree->ipt->text)) {
		rule.header = tree->ipt->text.data;
		add_rule(place, range, rule);
	}
}

static void add_leaf(const struct place *place, const struct leaf *leaf) {
	struct fw_range range = fw_ipt_prefix_range(place->tree->ipt->family, leaf->prefix);
	add_member(place, &range, leaf->endpoint);
}

static void add_otherwise(const struct place *place) {
	if (place->tree->otherwise != NULL) {
		add_rule(place, NULL, (struct fw_ipt_rule){.target = place->tree->otherwise});
	}
}

/* The bits that two addresses begin with alike, of 128. */
static unsigned shared_bits(struct fw_addr a, struct fw_addr b) {
	if (a.high != b.high) {
		return (unsigned)__builtin_clzll(a.high ^ b.high);
	}
	return a.low != b.low ? 64 + (unsigned)__builtin_clzll(a.low ^ b.low) : 128;
}

/* The longest prefix length that chains have, up to `length`. */
static unsigned level_of(const struct tree *tree, unsigned length) {
	unsigned level = fw_ipt_bits(tree->ipt->family) - (tree->ports ? LEAF_OF_PORTS : LEAF);
	while (level > length) {
		level = level > STRIDE ? level - STRIDE : 0;
	}
	return level;
}

static unsigned next_level(const struct tree *tree, unsigned level) {
	unsigned next = level_of(tree, level + STRIDE);
	return next > level ? next : fw_ipt_bits(tree->ipt->family);
}

static const struct leaf *last_of(struct leaves leaves) {
	return &leaves.items[leaves.count - 1];
}

static bool all_alike(struct leaves leaves) {
	const struct fw_ipt_prefix *first = &leaves.items[0].prefix,
				   *last = &last_of(leaves)->prefix;
	return first->length == last->length && fw_addr_compare(first->addr, last->addr) == 0;
}

/* The level at which leaves part. They are in order, so one that is wider than that is the first.
 */
static unsigned common_level(const struct tree *tree, struct leaves leaves) {
	unsigned bits = fw_ipt_bits(tree->ipt->family);
	const struct fw_ipt_prefix *first = &leaves.items[0].prefix;
	unsigned common = shared_bits(first->addr, last_of(leaves)->prefix.addr) - (128 - bits);

	return level_of(tree, first->length < common ? first->length : common);
}

/* How many of the leaves, in order, begin with the same `length` bits as the first: the steps of
 * the search double, then halve. */
static size_t count_alike(const struct tree *tree, struct leaves leaves, unsigned length) {
	unsigned needed = length + 128 - fw_ipt_bits(tree->ipt->family);
	struct fw_addr first = leaves.items[0].prefix.addr;
	size_t count = 1, step = 1;

	while (count + step <= leaves.count &&
		shared_bits(first, leaves.items[count + step - 1].prefix.addr) >= needed) {
		count += step;
		step *= 2;
	}
	for (; step != 0; step /= 2) {
		if (count + step <= leaves.count &&
			shared_bits(first, leaves.items[count + step - 1].prefix.addr) >= needed) {
			count += step;
		}
	}
	return count;
}

/*
 * Cuts off *rest what the next rule of a chain is for: a member as wide as the slots or wider, or
 * all members of one slot. `end` is the length of the slots' prefixes.
 */
static struct leaves next_slot(const struct tree *tree, struct leaves *rest, unsigned end) {
	struct leaves slot = {rest->items, 1};

	if (slot.items[0].prefix.length >= end) {
		slot.count = count_alike(tree, *rest, end);
	}
	rest->items += slot.count;
	rest->count -= slot.count;
	return slot;
}

/* The chain for what the leaves share. */
static void add_branch(const struct tree *tree, struct leaves leaves, unsigned depth) {
	struct fw_ipt *ipt = tree->ipt;
	struct fw_ipt_branch branch = {
		.tree = tree,
		.leaves = leaves,
		.level = common_level(tree, leaves),
		.depth = depth,
	};
	struct fw_range range = fw_ipt_prefix_range(
		ipt->family, (struct fw_ipt_prefix){leaves.items[0].prefix.addr, branch.level});
	struct fw_ipt_prefix prefix = {range.first, branch.level};

	branch.name = fw_ipt_branch_name(ipt, tree->tag, prefix);
	FW_VEC_ADD(&ipt->branches, branch);
}

/* The rule into a chain. */
static void enter_branch(const struct place *place, const struct fw_ipt_branch *branch) {
	struct fw_range range = fw_ipt_prefix_range(place->tree->ipt->family,
		(struct fw_ipt_prefix){branch->leaves.items[0].prefix.addr, branch->level});

	add_rule(place, &range, (struct fw_ipt_rule){.target = "-g ", .to = branch->name});
}

/* At the last level that the kernel follows all that is left stands in one chain. */
static bool is_parted(const struct fw_ipt_branch *branch, struct leaves rest) {
	return branch->depth < branch->tree->levels && rest.count != 0;
}

static unsigned slots_end(const struct fw_ipt_branch *branch) {
	return next_level(branch->tree, branch->level);
}

/* Makes the chains that one leads to, and theirs. */
static void part_branch(struct fw_ipt *ipt, size_t at) {
	const struct fw_ipt_branch branch = ipt->branches.items[at];
	unsigned end = slots_end(&branch);
	struct leaves rest = branch.leaves;
	size_t first = ipt->branches.count;

	while (is_parted(&branch, rest)) {
		struct leaves slot = next_slot(branch.tree, &rest, end);
		if (!all_alike(slot)) {
			add_branch(branch.tree, slot, branch.depth + 1);
		}
	}
	size_t last = ipt->branches.count;
	ipt->branches.items[at].first = first;
	ipt->branches.items[at].count = last - first;
	for (size_t i = first; i < last; i++) {
		ipt->branches.items[i].parent = at;
		part_branch(ipt, i);
	}
}

/* The rules for a slot: a member, however often it stands there, or the way into the next chain. */
static void write_slot(
	const struct place *place, struct leaves slot, const struct fw_ipt_branch **next) {
	if (!all_alike(slot)) {
		enter_branch(place, (*next)++);
		return;
	}
	for (size_t i = 0; i < slot.count; i++) {
		add_leaf(place, &slot.items[i]);
	}
}

static void write_branch(
	const struct fw_ipt *ipt, const struct fw_ipt_branch *branch, struct fw_buf *out) {
	const struct place place = {branch->tree, branch->name, out};
	const struct fw_ipt_branch *next = ipt->branches.items + branch->first;
	unsigned end = slots_end(branch);
	struct leaves rest = branch->leaves;

	while (is_parted(branch, rest)) {
		write_slot(&place, next_slot(branch->tree, &rest, end), &next);
	}
	for (size_t i = 0; i < rest.count; i++) {
		add_leaf(&place, &rest.items[i]);
	}
	add_otherwise(&place);
}

/* The slot that has nearly all of the leaves, where the others are few; else an empty one. */
static struct leaves heavy_slot(
	const struct tree *tree, struct leaves leaves, unsigned end, size_t others_max) {
	struct leaves rest = leaves, heavy = {0};
	size_t others = 0;

	while (rest.count != 0) {
		struct leaves slot = next_slot(tree, &rest, end);
		if (slot.count >= leaves.count - leaves.count / SLOTS) {
			heavy = slot;
		} else {
			others++;
		}
	}
	return others <= others_max && heavy.count != 0 && !all_alike(heavy) ? heavy
									     : (struct leaves){0};
}

/* Once, and before a rule that leads there. */
static void declare(struct fw_ipt *ipt, size_t at, struct fw_buf *out) {
	struct fw_ipt_branch *branch = &ipt->branches.items[at];
	if (!branch->declared) {
		fw_ipt_declare(out, branch->name);
		branch->declared = true;
	}
}

/* All that a branch leads to. */
static void declare_next(
	struct fw_ipt *ipt, const struct fw_ipt_branch *branch, struct fw_buf *out) {
	for (size_t i = branch->count; i-- != 0;) {
		declare(ipt, branch->first + i, out);
	}
}

/* As write_slot, of the root, whose chains are made as it goes. */
static void write_root_slot(const struct place *place, struct leaves slot) {
	struct fw_ipt *ipt = place->tree->ipt;
	size_t at = ipt->branches.count;

	if (!all_alike(slot)) {
		add_branch(place->tree, slot, 1);
	}
	const struct fw_ipt_branch *next = ipt->branches.items + at;
	write_slot(place, slot, &next);
}

/*
 * What is far from nearly all others hangs at the root, beside the chain of those: so a member that
 * moves far away does not put a new chain on top of the tree.
 */
static void write_root(const struct tree *tree, struct leaves leaves) {
	struct fw_ipt *ipt = tree->ipt;
	const struct place place = {tree, tree->root, &ipt->below};
	size_t room = SLOTS, first = ipt->branches.count;

	for (;;) {
		unsigned end = next_level(tree, common_level(tree, leaves));
		struct leaves heavy = heavy_slot(tree, leaves, end, room), rest = leaves;
		if (heavy.count == 0) {
			break;
		}
		while (rest.count != 0) {
			struct leaves slot = next_slot(tree, &rest, end);
			if (slot.items != heavy.items) {
				write_root_slot(&place, slot);
				room--;
			}
		}
		leaves = heavy;
	}
	write_root_slot(&place, leaves);
	add_otherwise(&place);
	size_t last = ipt->branches.count;
	for (size_t i = first; i < last; i++) {
		declare(ipt, i, ipt->declarations);
	}
	for (size_t i = first; i < last; i++) {
		part_branch(ipt, i);
	}
}

/* ---- all trees ---- */

static int compare_branches(const void *left, const void *right) {
	const struct fw_ipt_branch *a = *(const struct fw_ipt_branch *const *)left;
	const struct fw_ipt_branch *b = *(const struct fw_ipt_branch *const *)right;

	return strcmp(b->name, a->name);
}

/*
 * In descending order, and declared no sooner than needed. For each line iptables-restore of the
 * nf_tables kind looks its chain up in a sorted list of those that came before, from the start: so
 * the next chain is best the first in the list, and what it leads to not far behind. The older
 * kind walks through all chains now and then, and through some for each name: those that are
 * declared together lie together in memory, so chains that one leads to are.
 */
void fw_ipt_add_branches(struct fw_ipt *ipt, struct fw_buf *out) {
	size_t count = ipt->branches.count;
	const struct fw_ipt_branch **sorted =
		FW_ARENA_ARRAY(ipt->arena, const struct fw_ipt_branch *, count);

	for (size_t i = 0; i < count; i++) {
		sorted[i] = &ipt->branches.items[i];
	}
	if (count != 0) {
		qsort(sorted, count, sizeof(const struct fw_ipt_branch *), compare_branches);
		fw_ipt_add_heading(out, "trees", "members of groups by what their addresses share");
	}
	for (size_t i = 0; i < count; i++) {
		const struct fw_ipt_branch *branch = sorted[i];
		if (!branch->declared) {
			declare_next(ipt, &ipt->branches.items[branch->parent], out);
		}
		declare_next(ipt, branch, out);
		write_branch(ipt, branch, out);
	}
}

/* ---- leaves ---- */

typedef FW_VEC(struct leaf) leaf_vec;

/* By address, the wider before the narrower, else as the members. */
static int compare_leaves(const void *left, const void *right) {
	const struct leaf *a = left, *b = right;

	int order = fw_addr_compare(a->prefix.addr, b->prefix.addr);
	if (order == 0) {
		order = (a->prefix.length > b->prefix.length) -
			(a->prefix.length < b->prefix.length);
	}
	return order != 0 ? order : (a->endpoint > b->endpoint) - (a->endpoint < b->endpoint);
}

static void sort_leaves(leaf_vec *leaves) {
	for (size_t i = 1; i < leaves->count; i++) {
		if (compare_leaves(&leaves->items[i - 1], &leaves->items[i]) > 0) {
			qsort(leaves->items, leaves->count, sizeof(*leaves->items), compare_leaves);
			return;
		}
	}
}

static bool contains(const struct tree *tree, const struct leaf *outer, const struct leaf *inner) {
	unsigned unused = 128 - fw_ipt_bits(tree->ipt->family);
	return shared_bits(outer->prefix.addr, inner->prefix.addr) - unused >= outer->prefix.length;
}

/* Members that bring ports may overlap. Where only their addresses matter, the widest will do. */
static struct leaves drop_contained(const struct tree *tree, struct leaves leaves) {
	size_t kept = 1;
	while (kept < leaves.count &&
		!contains(tree, &leaves.items[kept - 1], &leaves.items[kept])) {
		kept++;
	}
	if (kept >= leaves.count) {
		return leaves;
	}
	struct leaf *items = FW_ARENA_ARRAY(tree->ipt->arena, struct leaf, leaves.count);
	memcpy(items, leaves.items, kept * sizeof(*items));
	for (size_t i = kept; i < leaves.count; i++) {
		if (!contains(tree, &items[kept - 1], &leaves.items[i])) {
			items[kept++] = leaves.items[i];
		}
	}
	return (struct leaves){items, kept};
}

static struct leaves make_leaves(
	struct fw_ipt *ipt, const struct fw_endpoint *endpoints, size_t count) {
	fw_ipt_prefixes prefixes = {0};
	leaf_vec leaves = {0};

	for (size_t i = 0; i < count; i++) {
		const struct fw_range *range = &endpoints[i].range;
		prefixes.count = 0;
		if (fw_range_is_single(range)) {
			struct fw_ipt_prefix prefix = {range->first, fw_ipt_bits(range->family)};
			FW_VEC_ADD(&prefixes, prefix);
		} else {
			fw_ipt_split_range(range, 0, &prefixes);
		}
		for (size_t j = 0; j < prefixes.count; j++) {
			struct leaf leaf = {prefixes.items[j], &endpoints[i]};
			FW_VEC_ADD(&leaves, leaf);
		}
	}
	sort_leaves(&leaves);
	fw_arena_keep(ipt->arena, leaves.items);
	FW_VEC_FINI(&prefixes);
	return (struct leaves){leaves.items, leaves.count};
}

/* Trees of the same members, one with their ports and one without, have the same leaves. */
struct fw_ipt_leaves {
	const struct fw_endpoint *endpoints;
	size_t count;
	struct leaves leaves;
};

static struct leaves leaves_of(
	struct fw_ipt *ipt, const struct fw_endpoint *endpoints, size_t count) {
	struct fw_ipt_leaves *last = ipt->last_leaves;

	if (last == NULL || last->endpoints != endpoints || last->count != count) {
		last = FW_ARENA_NEW(ipt->arena, struct fw_ipt_leaves);
		*last = (struct fw_ipt_leaves){
			endpoints, count, make_leaves(ipt, endpoints, count)};
		ipt->last_leaves = last;
	}
	return last->leaves;
}

static void write_tree(const struct tree *tree, const struct fw_endpoint *endpoints, size_t count) {
	struct leaves leaves = leaves_of(tree->ipt, endpoints, count);
	write_root(tree, tree->ports ? leaves : drop_contained(tree, leaves));
}

static void write_list(const struct tree *tree, const struct fw_endpoint *endpoints, size_t count) {
	const struct place place = {tree, tree->root, &tree->ipt->below};
	const struct fw_range *widest = NULL;

	for (size_t i = 0; i < count; i++) {
		const struct fw_range *range = &endpoints[i].range;
		if (tree->ports || widest == NULL || !fw_range_contains(widest, range)) {
			add_member(&place, range, &endpoints[i]);
			widest = range;
		}
	}
	add_otherwise(&place);
}

/* ---- chains of groups ---- */

/* "to cameras: those with ports of their own" */
static void add_heading(struct fw_ipt *ipt, const struct fw_ipt_part_of *of, bool except) {
	static const char *const notes[] = {
		[FW_IPT_OWN] = "those that bring ports",
		[FW_IPT_PORTS] = "those that bring ports, on these",
	};
	const struct fw_set *set = of->set;
	bool titled = set->title != NULL && strcmp(set->title, set->name) != 0;
	const char *note = of->part != FW_IPT_PLAIN ? notes[of->part] : titled ? set->title : NULL;
	const char *heading = fw_arena_printf(ipt->arena, "%s%s %s", except ? "not " : "",
		of->source ? "from" : "to", fw_ipt_part_name(ipt, set, FW_IPT_PLAIN));

	fw_ipt_add_heading(&ipt->below, heading, note);
}

/* "OUT-rtsp.DST-cameras", or without what leads to a mere ACCEPT. */
static const char *chain_key(struct fw_ipt *ipt, const struct fw_ipt_part_of *of, bool except,
	struct fw_ipt_target target) {
	return fw_arena_printf(ipt->arena, "%s%s%s%s%s",
		target.chain ? target.name + strlen(FW_IPT_PREFIX) : "", target.chain ? "." : "",
		except ? "NO" : "", of->source ? "SRC-" : "DST-",
		fw_ipt_part_name(ipt, of->set, of->part));
}

struct fw_ipt_target fw_ipt_members(struct fw_ipt *ipt, struct fw_ipt_part_of of, bool except,
	struct fw_ipt_target target, unsigned levels) {
	size_t count;
	const struct fw_endpoint *endpoints =
		fw_ipt_part(&of.set->members[ipt->family], of.part, &count);
	if (ipt->ipset) {
		endpoints = fw_ipt_wide(ipt, endpoints, &count);
	}
	bool flat = count <= FW_IPT_FLAT_MAX;
	const char *key = chain_key(ipt, &of, except, target);
	const char *kept = flat ? key : fw_arena_printf(ipt->arena, "%s in %u levels", key, levels);
	const char *chain = fw_ipt_find(ipt, kept);

	if (chain == NULL) {
		chain = fw_ipt_chain(ipt, key);
		fw_ipt_keep(ipt, kept, chain);
		struct tree *tree = FW_ARENA_NEW(ipt->arena, struct tree);
		*tree = (struct tree){
			.ipt = ipt,
			.root = chain,
			.tag = flat ? NULL : fw_ipt_tag(ipt, of.set->name, chain),
			.found = except ? "-j RETURN" : fw_ipt_go(ipt, target),
			.otherwise = except ? fw_ipt_go(ipt, target) : NULL,
			.source = of.source,
			.ports = of.part == FW_IPT_PORTS,
			.named = count <= NAMED_MAX,
			.levels = levels,
		};
		add_heading(ipt, &of, except);
		(flat ? write_list : write_tree)(tree, endpoints, count);
	}
	return (struct fw_ipt_target){chain, true};
}
