// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Begins a batch: tables, chains, counters and limits. The tables are declared, deleted and
 * declared again, as in the text, so that nothing the kernel holds under our names matters.
 */

#include <arpa/inet.h>
#include <assert.h>
#include <endian.h>
#include <stdlib.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "kernel/transaction.h"

const char *const fw_table_words[FW_FAMILY_COUNT] = {
	[FW_FAMILY_NONE] = "inet " FW_NFT_TABLE,
	[FW_IPV4] = "ip " FW_NFT_NAT_TABLE,
	[FW_IPV6] = "ip6 " FW_NFT_NAT_TABLE,
};

/* ---- messages ---- */

static const uint8_t family_numbers[FW_FAMILY_COUNT] = {
	[FW_FAMILY_NONE] = NFPROTO_INET,
	[FW_IPV4] = NFPROTO_IPV4,
	[FW_IPV6] = NFPROTO_IPV6,
};

static struct nlmsghdr *add_message(
	struct fw_transaction *transaction, uint16_t type, uint8_t family, uint16_t flags) {
	FW_VEC_ADD(&transaction->subjects, transaction->subject);
	return fw_batch_message(&transaction->batch, type, family, flags);
}

struct nlmsghdr *fw_transaction_message(
	struct fw_transaction *transaction, uint16_t type, uint16_t flags) {
	return add_message(
		transaction, type, family_numbers[transaction->subject.table->family], flags);
}

const struct fw_subject *fw_transaction_subject(
	const struct fw_transaction *transaction, uint32_t sequence) {
	size_t index = sequence - transaction->first;

	assert(index < transaction->subjects.count);
	return &transaction->subjects.items[index];
}

/* ---- tables ---- */

static void add_table_message(
	struct fw_transaction *transaction, uint16_t type, enum fw_family family, uint16_t flags) {
	struct nlmsghdr *message;

	transaction->subject = (struct fw_subject){FW_SUBJECT_TABLE, fw_table_words[family]};
	message = add_message(transaction, type, family_numbers[family], flags);
	mnl_attr_put_strz(message, NFTA_TABLE_NAME,
		family == FW_FAMILY_NONE ? FW_NFT_TABLE : FW_NFT_NAT_TABLE);
	fw_batch_message_end(&transaction->batch);
}

static void reset_tables(struct fw_transaction *transaction) {
	for (int i = FW_FAMILY_NONE; i < FW_FAMILY_COUNT; i++) {
		enum fw_family family = (enum fw_family)i;

		add_table_message(transaction, NFT_MSG_NEWTABLE, family, NLM_F_CREATE);
		add_table_message(transaction, NFT_MSG_DELTABLE, family, 0);
	}
}

/* ---- chains ---- */

static const uint32_t hook_numbers[FW_HOOK_COUNT] = {
	[FW_INPUT] = NF_INET_LOCAL_IN,
	[FW_OUTPUT] = NF_INET_LOCAL_OUT,
	[FW_FORWARD] = NF_INET_FORWARD,
};

/** Where translation is done, and with what priority: NF_IP_PRI_NAT_DST, NF_IP_PRI_NAT_SRC. */
static const struct {
	uint32_t number;
	int priority;
} nat_hooks[FW_NFT_NAT_COUNT] = {
	[FW_NFT_PREROUTING] = {NF_INET_PRE_ROUTING, -100},
	[FW_NFT_POSTROUTING] = {NF_INET_POST_ROUTING, 100},
};

static void put_hook(struct nlmsghdr *message, const struct fw_nft_chain *chain) {
	bool nat = chain->nat != FW_NFT_NAT_NONE;
	uint32_t number = nat ? nat_hooks[chain->nat].number : hook_numbers[chain->hook];
	int priority = nat ? nat_hooks[chain->nat].priority : 0;
	struct nlattr *hook;

	mnl_attr_put_strz(message, NFTA_CHAIN_TYPE, nat ? "nat" : "filter");
	hook = mnl_attr_nest_start(message, NFTA_CHAIN_HOOK);
	mnl_attr_put_u32(message, NFTA_HOOK_HOOKNUM, htonl(number));
	mnl_attr_put_u32(message, NFTA_HOOK_PRIORITY, htonl((uint32_t)priority));
	mnl_attr_nest_end(message, hook);
	mnl_attr_put_u32(message, NFTA_CHAIN_POLICY, htonl(chain->accept ? NF_ACCEPT : NF_DROP));
}

static void add_chain(struct fw_transaction *transaction, const struct fw_nft_table *table,
	const struct fw_nft_chain *chain) {
	struct nlmsghdr *message;

	transaction->subject = (struct fw_subject){
		FW_SUBJECT_CHAIN, chain->name, chain->span, .table = table, .chain = chain};
	message = fw_transaction_message(transaction, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
	mnl_attr_put_strz(message, NFTA_CHAIN_TABLE, table->name);
	mnl_attr_put_strz(message, NFTA_CHAIN_NAME, chain->name);
	if (chain->hook != FW_HOOK_NONE || chain->nat != FW_NFT_NAT_NONE) {
		put_hook(message, chain);
	}
	fw_batch_message_end(&transaction->batch);
}

/* ---- counters and limits ---- */

/** Begins the object's message; its attributes go into the nest that is returned. */
static struct nlattr *begin_object(
	struct fw_transaction *transaction, uint32_t type, struct nlmsghdr **out_message) {
	struct nlmsghdr *message =
		fw_transaction_message(transaction, NFT_MSG_NEWOBJ, NLM_F_CREATE);

	mnl_attr_put_strz(message, NFTA_OBJ_TABLE, transaction->subject.table->name);
	mnl_attr_put_strz(message, NFTA_OBJ_NAME, transaction->subject.name);
	mnl_attr_put_u32(message, NFTA_OBJ_TYPE, htonl(type));
	*out_message = message;
	return mnl_attr_nest_start(message, NFTA_OBJ_DATA);
}

static void end_object(
	struct fw_transaction *transaction, struct nlmsghdr *message, struct nlattr *data) {
	mnl_attr_nest_end(message, data);
	fw_batch_message_end(&transaction->batch);
}

static void add_counter(struct fw_transaction *transaction, const struct fw_nft_table *table,
	const struct fw_nft_counter *counter) {
	struct nlmsghdr *message;
	struct nlattr *data;

	transaction->subject =
		(struct fw_subject){FW_SUBJECT_COUNTER, counter->name, counter->span, table};
	data = begin_object(transaction, NFT_OBJECT_COUNTER, &message);
	end_object(transaction, message, data);
}

static void add_limit(struct fw_transaction *transaction, const struct fw_nft_table *table,
	const struct fw_nft_limit *limit) {
	struct nlmsghdr *message;
	struct nlattr *data;

	transaction->subject =
		(struct fw_subject){FW_SUBJECT_LIMIT, limit->name, limit->span, table};
	data = begin_object(transaction, NFT_OBJECT_LIMIT, &message);
	mnl_attr_put_u64(message, NFTA_LIMIT_RATE, htobe64(limit->rate.count));
	mnl_attr_put_u64(message, NFTA_LIMIT_UNIT, htobe64(fw_unit_seconds(limit->rate.unit)));
	mnl_attr_put_u32(message, NFTA_LIMIT_BURST, htonl(limit->rate.burst));
	mnl_attr_put_u32(message, NFTA_LIMIT_TYPE, htonl(NFT_LIMIT_PKTS));
	end_object(transaction, message, data);
}

/* ---- the beginning of a batch ---- */

/** Makes the table and all of it that has a name. */
static void add_table(struct fw_transaction *transaction, const struct fw_nft_table *table) {
	add_table_message(transaction, NFT_MSG_NEWTABLE, table->family, NLM_F_CREATE);
	for (size_t i = 0; i < table->chain_count; i++) {
		add_chain(transaction, table, &table->chains[i]);
	}
	for (size_t i = 0; i < table->counter_count; i++) {
		add_counter(transaction, table, &table->counters[i]);
	}
	for (size_t i = 0; i < table->limit_count; i++) {
		add_limit(transaction, table, &table->limits[i]);
	}
	for (size_t i = 0; i < table->set_count; i++) {
		fw_transaction_set(transaction, table, table->sets[i]);
	}
}

void fw_transaction_begin(struct fw_transaction *transaction, struct fw_netlink *netlink,
	const struct fw_nft_table *table) {
	transaction->subjects.count = 0;
	transaction->set_id = 0;
	fw_batch_begin(&transaction->batch, netlink);
	transaction->first = netlink->sequence;
	reset_tables(transaction);
	add_table(transaction, table);
	for (int family = FW_IPV4; family < FW_FAMILY_COUNT; family++) {
		if (table->nat[family] != NULL) {
			add_table(transaction, table->nat[family]);
		}
	}
}

void fw_transaction_fini(struct fw_transaction *transaction) {
	if (transaction == NULL) {
		return;
	}
	fw_batch_fini(&transaction->batch);
	FW_VEC_FINI(&transaction->subjects);
}
