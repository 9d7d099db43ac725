// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_KERNEL_TRANSACTION_H
#define FW_KERNEL_TRANSACTION_H
/*
 * Private to the module: one batch of nf_tables messages under construction, and what each message
 * in it is about. The messages say what the text of the nftables backend says.
 */

#include "kernel/kernel.h"
#include "netlink/netlink.h"

enum fw_subject_kind {
	FW_SUBJECT_NONE,
	FW_SUBJECT_TABLE,
	FW_SUBJECT_CHAIN,
	FW_SUBJECT_COUNTER,
	FW_SUBJECT_LIMIT,
	FW_SUBJECT_SET,
	FW_SUBJECT_RULE,
};
enum { FW_SUBJECT_COUNT = FW_SUBJECT_RULE + 1 };

/** The table of each family, in words: "inet flowfw" for FW_FAMILY_NONE, "ip flowfw_nat" … */
extern const char *const fw_table_words[FW_FAMILY_COUNT];

/** What a message is about, so that its refusal finds a name and a place. */
struct fw_subject {
	enum fw_subject_kind kind;
	const char *name; /* of a table its words, of what else is no rule */
	struct fw_span span;
	/** The table that the message is to; NULL for FW_SUBJECT_TABLE. */
	const struct fw_nft_table *table;
	/** FW_SUBJECT_RULE: the rule and where it stands. */
	const struct fw_nft_chain *chain;
	const struct fw_nft_rule *rule;
	bool nameless; /* the message makes or fills a nameless set of the rule */
};

/** A zeroed struct is not begun. */
struct fw_transaction {
	struct fw_batch batch;
	FW_VEC(struct fw_subject) subjects; /* of each message of the batch, in order */
	uint32_t first;			    /* sequence number of the first of them */
	struct fw_subject subject;	    /* of the messages that are added next */
	uint32_t set_id;		    /* of the set that was declared last */
};

/**
 * Begins a batch, also in place of one that was built before, with all that rules refer to: empties
 * and makes the tables, makes chains, counters, limits and sets without elements. `table` is the
 * one that filters; the others come with it.
 */
void fw_transaction_begin(struct fw_transaction *transaction, struct fw_netlink *netlink,
	const struct fw_nft_table *table);
void fw_transaction_fini(struct fw_transaction *transaction);
/** A message to the table of transaction->subject about it; ends with fw_batch_message_end(). */
struct nlmsghdr *fw_transaction_message(
	struct fw_transaction *transaction, uint16_t type, uint16_t flags);
/** What the message with this sequence number is about. */
const struct fw_subject *fw_transaction_subject(
	const struct fw_transaction *transaction, uint32_t sequence);

/* ---- sets ---- */

/** Elements that are added by one message; their list must stay below 64 KiB. */
enum { FW_PIECE = 512 };

void fw_transaction_set(struct fw_transaction *transaction, const struct fw_nft_table *table,
	const struct fw_nft_set *set);
/** Adds the elements from `first` on, FW_PIECE at most. */
void fw_transaction_piece(struct fw_transaction *transaction, const struct fw_nft_table *table,
	const struct fw_nft_set *set, size_t first);

/* Nameless sets: each returns the id by which a rule of the same batch looks it up, under the name
 * FW_SET_NAMELESS. */

#define FW_SET_NAMELESS "__set%d"
/** The kernel keeps interface names in this many bytes, padded with zeros. */
enum { FW_IFNAME_SIZE = 16 };

uint32_t fw_transaction_ports(
	struct fw_transaction *transaction, const struct fw_ports *ports, size_t count);
uint32_t fw_transaction_names(
	struct fw_transaction *transaction, const char *const *names, size_t count);
uint32_t fw_transaction_types(struct fw_transaction *transaction, enum fw_family family,
	const struct fw_icmp_type *types, size_t count);

/* ---- rules ---- */

/** Seconds, as the kernel counts them in a limit. */
uint64_t fw_unit_seconds(enum fw_unit unit);

/**
 * Adds a rule of a chain of the table, and its nameless sets, with its first `keep` expressions
 * only. Returns how many it has; *out_last is the name of the last one that was kept.
 */
size_t fw_transaction_rule(struct fw_transaction *transaction, const struct fw_nft_table *table,
	const struct fw_nft_chain *chain, const struct fw_nft_rule *rule, size_t keep,
	const char **out_last);

/* ---- all tables ---- */

/**
 * What fw_kernel_check() does, over an open socket. With `commit` the kernel is made to load the
 * tables, in one batch; without, in as many as netlink->limit asks for.
 */
bool fw_kernel_run(const struct fw_nft_table *table, struct fw_netlink *netlink, bool commit,
	struct fw_diags *diags);

#endif
