// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Groups as chains: a rule for each member while they are few, else a tree of chains over address
 * prefixes, so that a packet meets the rules of one path, not of all members.
 *
 * A tree splits at fixed bits: a chain stands for a prefix whose length is a multiple of three bits
 * short of the whole address, and has one rule for each of the next three bits' values that has
 * members: the member itself where it is alone, else the way into the chain of the longest such
 * prefix that they share. So a member that comes or goes changes its own line and, where it parts
 * from one other, those of the chain in which they part. Chains are named by group and prefix.
 *
 * A packet that is no member falls off the end of the chain it has come to. As chains are entered
 * by `goto`, it is back in the chain of its hook then.
 */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "emit/iptables.h"

enum {
	STRIDE = 3, /* bits that a chain of a tree decides on */
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
struct branch {
	const char *chain;
	size_t at; /* among the file's branches */
	struct leaves leaves;
	unsigned level; /* the prefix's length */
};

static void add_rule(
	const struct tree *tree, const struct fw_range *range, struct fw_ipt_rule rule) {
	struct fw_ipt *ipt = tree->ipt;

	*(tree->source ? &rule.source : &rule.destination) = range;
	fw_ipt_add_rule(rule.chain == tree->root ? &ipt->below : &ipt->branch_rules, &rule);
}

static void add_member(const struct tree *tree, const char *chain, const struct fw_range *range,
	const struct fw_endpoint *endpoint) {
	struct fw_ipt_rule rule = {
		.chain = chain,
		.comment = tree->named ? endpoint->name : NULL,
		.target = tree->found,
	};

	if (!tree->ports) {
		add_rule(tree, range, rule);
		return;
	}
	struct fw_port_list rest = *endpoint->own;
	while (fw_ipt_list_header(&rest, &tree->ipt->text)) {
		rule.header = tree->ipt->text.data;
		add_rule(tree, range, rule);
	}
}

static void add_leaf(const struct tree *tree, const char *chain, const struct leaf *leaf) {
	struct fw_range range = fw_ipt_prefix_range(tree->ipt->family, leaf->prefix);
	add_member(tree, chain, &range, leaf->endpoint);
}

static void add_otherwise(const struct tree *tree, const char *chain) {
	if (tree->otherwise != NULL) {
		add_rule(tree, NULL,
			(struct fw_ipt_rule){.chain = chain, .target = tree->otherwise});
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
static unsigned level_of(unsigned bits, unsigned length) {
	unsigned level = bits - STRIDE;
	while (level > length) {
		level = level > STRIDE ? level - STRIDE : 0;
	}
	return level;
}

static unsigned next_level(unsigned bits, unsigned level) {
	return level_of(bits, level + STRIDE) > level ? level_of(bits, level + STRIDE) : bits;
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

	return level_of(bits, first->length < common ? first->length : common);
}

/*
 * Cuts off *rest what the next rule of a chain is for: a member as wide as the slots or wider, or
 * all members of one slot. `end` is the length of the slots' prefixes.
 */
static struct leaves next_slot(const struct tree *tree, struct leaves *rest, unsigned end) {
	unsigned unused = 128 - fw_ipt_bits(tree->ipt->family);
	const struct leaf *first = &rest->items[0];
	struct leaves slot = {first, 1};

	if (first->prefix.length >= end) {
		while (slot.count < rest->count &&
			shared_bits(first->prefix.addr, first[slot.count].prefix.addr) - unused >=
				end) {
			slot.count++;
		}
	}
	rest->items += slot.count;
	rest->count -= slot.count;
	return slot;
}

/* The rule into a chain for what the leaves share; that chain is written later. */
static struct branch enter_branch(
	const struct tree *tree, const char *chain, struct leaves leaves) {
	struct fw_ipt *ipt = tree->ipt;
	struct branch branch = {.at = ipt->branches.count, .leaves = leaves};
	branch.level = common_level(tree, leaves);
	struct fw_range range = fw_ipt_prefix_range(
		ipt->family, (struct fw_ipt_prefix){leaves.items[0].prefix.addr, branch.level});
	struct fw_ipt_prefix prefix = {range.first, branch.level};

	branch.chain = fw_ipt_branch_name(ipt, tree->tag, prefix);
	FW_VEC_ADD(&ipt->branches, (struct fw_ipt_branch){.name = branch.chain});
	add_rule(tree, &range,
		(struct fw_ipt_rule){.chain = chain, .target = "-g ", .to = branch.chain});
	return branch;
}

struct branches {
	struct branch items[2 * SLOTS];
	size_t count;
};

/* The rules for a slot: a member, however often it stands there, or the way into a chain. */
static void write_slot(
	const struct tree *tree, const char *chain, struct leaves slot, struct branches *branches) {
	if (!all_alike(slot)) {
		assert(branches->count < FW_LENGTH(branches->items));
		branches->items[branches->count++] = enter_branch(tree, chain, slot);
		return;
	}
	for (size_t i = 0; i < slot.count; i++) {
		add_leaf(tree, chain, &slot.items[i]);
	}
}

static void write_branches(
	const struct tree *tree, const struct branches *branches, unsigned depth);

/* At the last level that the kernel follows all that is left stands in one chain. */
static void write_branch(const struct tree *tree, const struct branch *branch, unsigned depth) {
	unsigned end = next_level(fw_ipt_bits(tree->ipt->family), branch->level);
	struct leaves rest = branch->leaves;
	struct branches branches = {.count = 0};
	struct fw_ipt *ipt = tree->ipt;
	struct fw_ipt_branch kept = ipt->branches.items[branch->at];

	kept.start = ipt->branch_rules.length;
	kept.first = ipt->branches.count;
	while (depth < tree->levels && rest.count != 0) {
		write_slot(tree, branch->chain, next_slot(tree, &rest, end), &branches);
	}
	for (size_t i = 0; i < rest.count; i++) {
		add_leaf(tree, branch->chain, &rest.items[i]);
	}
	add_otherwise(tree, branch->chain);
	kept.end = ipt->branch_rules.length;
	kept.count = ipt->branches.count - kept.first;
	ipt->branches.items[branch->at] = kept;
	write_branches(tree, &branches, depth + 1);
}

static void write_branches(
	const struct tree *tree, const struct branches *branches, unsigned depth) {
	for (size_t i = 0; i < branches->count; i++) {
		write_branch(tree, &branches->items[i], depth);
	}
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

/*
 * What is far from nearly all others hangs at the root, beside the chain of those: so a member that
 * moves far away does not put a new chain on top of the tree.
 */
static void write_root(const struct tree *tree, struct leaves leaves) {
	unsigned bits = fw_ipt_bits(tree->ipt->family);
	struct branches branches = {.count = 0};
	size_t room = SLOTS;

	for (;;) {
		unsigned end = next_level(bits, common_level(tree, leaves));
		struct leaves heavy = heavy_slot(tree, leaves, end, room), rest = leaves;
		if (heavy.count == 0) {
			break;
		}
		while (rest.count != 0) {
			struct leaves slot = next_slot(tree, &rest, end);
			if (slot.items != heavy.items) {
				write_slot(tree, tree->root, slot, &branches);
				room--;
			}
		}
		leaves = heavy;
	}
	write_slot(tree, tree->root, leaves, &branches);
	add_otherwise(tree, tree->root);
	for (size_t i = 0; i < branches.count; i++) {
		declare(tree->ipt, branches.items[i].at, tree->ipt->declarations);
	}
	write_branches(tree, &branches, 1);
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
 * the next chain is best the first in the list, and what it leads to not far behind.
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
		for (size_t j = 0; j < branch->count; j++) {
			declare(ipt, branch->first + j, out);
		}
		declare(ipt, (size_t)(branch - ipt->branches.items), out);
		fw_buf_add(
			out, ipt->branch_rules.data + branch->start, branch->end - branch->start);
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
static void drop_contained(const struct tree *tree, leaf_vec *leaves) {
	size_t kept = 1;
	for (size_t i = 1; i < leaves->count; i++) {
		if (!contains(tree, &leaves->items[kept - 1], &leaves->items[i])) {
			leaves->items[kept++] = leaves->items[i];
		}
	}
	leaves->count = kept;
}

static void write_tree(const struct tree *tree, const struct fw_endpoint *endpoints, size_t count) {
	fw_ipt_prefixes prefixes = {0};
	leaf_vec leaves = {0};

	for (size_t i = 0; i < count; i++) {
		prefixes.count = 0;
		fw_ipt_split_range(&endpoints[i].range, 0, &prefixes);
		for (size_t j = 0; j < prefixes.count; j++) {
			struct leaf leaf = {prefixes.items[j], &endpoints[i]};
			FW_VEC_ADD(&leaves, leaf);
		}
	}
	sort_leaves(&leaves);
	if (!tree->ports) {
		drop_contained(tree, &leaves);
	}
	write_root(tree, (struct leaves){leaves.items, leaves.count});
	FW_VEC_FINI(&leaves);
	FW_VEC_FINI(&prefixes);
}

static void write_list(const struct tree *tree, const struct fw_endpoint *endpoints, size_t count) {
	const struct fw_range *widest = NULL;

	for (size_t i = 0; i < count; i++) {
		const struct fw_range *range = &endpoints[i].range;
		if (tree->ports || widest == NULL || !fw_range_contains(widest, range)) {
			add_member(tree, tree->root, range, &endpoints[i]);
			widest = range;
		}
	}
	add_otherwise(tree, tree->root);
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
		const struct tree tree = {
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
		(flat ? write_list : write_tree)(&tree, endpoints, count);
	}
	return (struct fw_ipt_target){chain, true};
}
