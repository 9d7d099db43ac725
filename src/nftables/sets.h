// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_NFTABLES_SETS_H
#define FW_NFTABLES_SETS_H
/*
 * Sets of a policy as nf_tables sets, made when a rule first asks for one. For the files of this
 * module alone.
 */

#include "nftables/nftables.h"

/** Pairs of address and port, by the protocols that they are for. */
enum pair_kind { PAIR_BOTH, PAIR_TCP, PAIR_UDP };
enum { PAIR_COUNT = 3 };

/** Members that share one list of ports. */
struct list_set {
	const struct fw_nft_set *set;
	const struct fw_port_list *ports;
};

/** The members of a set and family that bring their own ports. */
struct own_sets {
	const struct fw_nft_set *pairs[PAIR_COUNT];  /* NULL where there are none */
	const struct fw_nft_set *ranges[PAIR_COUNT]; /* likewise, where the kernel knows them */
	const struct list_set *lists;
	size_t list_count;
};

struct set_entry;

/** Zeroed but for the arena and the kernel it is empty. Sets are the arena's, the index is the
 * heap's. */
struct set_index {
	struct fw_arena *arena;
	enum fw_nft_kernel kernel;
	struct set_entry *entries;
};

void fw_nft_set_index_fini(struct set_index *index);
/** Members without own ports; there are some. */
const struct fw_nft_set *fw_nft_set_plain(
	struct set_index *index, const struct fw_set *set, enum fw_family family);
/** Addresses of the members with own ports, overlaps joined; there are some. */
const struct fw_nft_set *fw_nft_set_own(
	struct set_index *index, const struct fw_set *set, enum fw_family family);
/** The same members with their ports. */
const struct own_sets *fw_nft_set_own_ports(
	struct set_index *index, const struct fw_set *set, enum fw_family family);
/** A map of forwardings that differ in outside port and address only; there are some. */
const struct fw_nft_set *fw_nft_map_new(
	struct fw_arena *arena, const struct fw_forwarding *forwardings, size_t count);
/** What was asked for of `sets`, in their order. */
typedef FW_VEC(const struct fw_nft_set *) set_vec;
void fw_nft_set_index_list(const struct set_index *index, const struct fw_set *const *sets,
	size_t count, set_vec *out_sets);

#endif
