// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sets and their elements, named and nameless. Written with libmnl straight into the batch: a set
 * may have a million elements, and an object of libnftnl's for each would be the larger part of the
 * memory.
 */

#include <arpa/inet.h>
#include <assert.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <libnftnl/udata.h>
#include <linux/netfilter/nf_tables.h>

#include "kernel/transaction.h"

/* ---- declaring ---- */

/* Numbers that nft gives its types (enum datatypes in its source): the kernel only keeps them. */
enum {
	TYPE_IPV4 = 7,
	TYPE_IPV6 = 8,
	TYPE_PORT = 13,
	TYPE_ICMP = 14,
	TYPE_ICMPV6 = 29,
	TYPE_IFNAME = 41,
	TYPE_BITS = 6, /* of one type within the number of a concatenation */
};

enum byte_order { ORDER_NONE, ORDER_HOST, ORDER_BIG };

/** A set as the kernel wants it declared. */
struct form {
	const char *name;
	uint32_t flags; /* NFT_SET_ */
	uint32_t type, key_length, size;
	uint32_t data_type, data_length; /* of a map; or 0 */
	enum byte_order order;
	uint32_t fields[2]; /* lengths of a concatenation's, where ranges make them matter */
};

static const uint32_t address_types[FW_FAMILY_COUNT] = {
	[FW_IPV4] = TYPE_IPV4,
	[FW_IPV6] = TYPE_IPV6,
};
static const uint32_t address_lengths[FW_FAMILY_COUNT] = {[FW_IPV4] = 4, [FW_IPV6] = 16};
static const uint32_t icmp_types[FW_FAMILY_COUNT] = {
	[FW_IPV4] = TYPE_ICMP,
	[FW_IPV6] = TYPE_ICMPV6,
};

/* nft notes the byte orders for itself; without them a listing would not read keys and values. */
static void put_byte_order(struct nlmsghdr *message, const struct form *form) {
	struct nftnl_udata_buf *data = nftnl_udata_buf_alloc(NFT_USERDATA_MAXLEN);

	assert(data != NULL);
	nftnl_udata_put_u32(data, NFTNL_UDATA_SET_KEYBYTEORDER, form->order);
	if (form->data_length != 0) {
		nftnl_udata_put_u32(data, NFTNL_UDATA_SET_DATABYTEORDER, ORDER_BIG);
	}
	mnl_attr_put(
		message, NFTA_SET_USERDATA, nftnl_udata_buf_len(data), nftnl_udata_buf_data(data));
	nftnl_udata_buf_free(data);
}

/** Where a concatenation holds ranges, the kernel must know its fields apart. */
static void put_fields(struct nlmsghdr *message, const struct form *form) {
	struct nlattr *fields = mnl_attr_nest_start(message, NFTA_SET_DESC_CONCAT);
	for (size_t i = 0; i < FW_LENGTH(form->fields); i++) {
		struct nlattr *field = mnl_attr_nest_start(message, NFTA_LIST_ELEM);
		mnl_attr_put_u32(message, NFTA_SET_FIELD_LEN, htonl(form->fields[i]));
		mnl_attr_nest_end(message, field);
	}
	mnl_attr_nest_end(message, fields);
}

static void put_description(struct nlmsghdr *message, const struct form *form) {
	bool concatenated = (form->flags & NFT_SET_CONCAT) != 0;
	if (form->size == 0 && !concatenated) {
		return;
	}
	struct nlattr *description = mnl_attr_nest_start(message, NFTA_SET_DESC);
	if (form->size != 0) {
		mnl_attr_put_u32(message, NFTA_SET_DESC_SIZE, htonl(form->size));
	}
	if (concatenated) {
		put_fields(message, form);
	}
	mnl_attr_nest_end(message, description);
}

static void put_data(struct nlmsghdr *message, const struct form *form) {
	if (form->data_length != 0) {
		mnl_attr_put_u32(message, NFTA_SET_DATA_TYPE, htonl(form->data_type));
		mnl_attr_put_u32(message, NFTA_SET_DATA_LEN, htonl(form->data_length));
	}
}

/** Returns the id of the set within the batch. */
static uint32_t declare(struct fw_transaction *transaction, const struct form *form) {
	struct nlmsghdr *message =
		fw_transaction_message(transaction, NFT_MSG_NEWSET, NLM_F_CREATE);

	mnl_attr_put_strz(message, NFTA_SET_TABLE, transaction->subject.table->name);
	mnl_attr_put_strz(message, NFTA_SET_NAME, form->name);
	mnl_attr_put_u32(message, NFTA_SET_ID, htonl(++transaction->set_id));
	mnl_attr_put_u32(message, NFTA_SET_FLAGS, htonl(form->flags));
	mnl_attr_put_u32(message, NFTA_SET_KEY_TYPE, htonl(form->type));
	mnl_attr_put_u32(message, NFTA_SET_KEY_LEN, htonl(form->key_length));
	put_data(message, form);
	put_description(message, form);
	put_byte_order(message, form);
	fw_batch_message_end(&transaction->batch);
	return transaction->set_id;
}

/* ---- elements ---- */

/** Adds one of `items` to the list of elements that a message ends with. */
typedef void add_item(struct nlmsghdr *list, const void *items, size_t index);

/** One message with the items from `first` on, FW_PIECE at most. A set without id goes by name. */
static void add_piece(struct fw_transaction *transaction, const char *name, uint32_t id,
	add_item *add, const void *items, size_t first, size_t count) {
	size_t end = count - first > FW_PIECE ? first + FW_PIECE : count;
	struct nlmsghdr *message =
		fw_transaction_message(transaction, NFT_MSG_NEWSETELEM, NLM_F_CREATE);
	struct nlattr *nest;

	mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_TABLE, transaction->subject.table->name);
	mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_SET, name);
	if (id != 0) {
		mnl_attr_put_u32(message, NFTA_SET_ELEM_LIST_SET_ID, htonl(id));
	}
	nest = mnl_attr_nest_start(message, NFTA_SET_ELEM_LIST_ELEMENTS);
	for (size_t i = first; i < end; i++) {
		add(message, items, i);
	}
	mnl_attr_nest_end(message, nest);
	fw_batch_message_end(&transaction->batch);
}

static struct nlattr *begin_element(struct nlmsghdr *list, const void *key, size_t length) {
	struct nlattr *element = mnl_attr_nest_start(list, NFTA_LIST_ELEM);
	struct nlattr *nest = mnl_attr_nest_start(list, NFTA_SET_ELEM_KEY);

	mnl_attr_put(list, NFTA_DATA_VALUE, length, key);
	mnl_attr_nest_end(list, nest);
	return element;
}

static void add_element(struct nlmsghdr *list, const void *key, size_t length) {
	mnl_attr_nest_end(list, begin_element(list, key, length));
}

/** The first value behind an interval. */
static void add_end(struct nlmsghdr *list, const void *key, size_t length) {
	struct nlattr *element = begin_element(list, key, length);

	mnl_attr_put_u32(list, NFTA_SET_ELEM_FLAGS, htonl(NFT_SET_ELEM_INTERVAL_END));
	mnl_attr_nest_end(list, element);
}

/*
 * nft begins a list of intervals that starts above zero with the end of nothing, at zero. It counts
 * against the set's size, so the dry run must not leave it out.
 */
static void add_zero(struct nlmsghdr *list, size_t length) {
	static const uint8_t zero[16];

	add_end(list, zero, length);
}

/* ---- sets of addresses ---- */

static bool is_zero(struct fw_addr addr) {
	return addr.high == 0 && addr.low == 0;
}

static bool is_highest(const struct fw_range *range) {
	struct fw_addr last = range->last;

	return last.low == (range->family == FW_IPV4 ? UINT32_MAX : UINT64_MAX) &&
	       last.high == (range->family == FW_IPV4 ? 0 : UINT64_MAX);
}

static void add_address(struct nlmsghdr *list, const void *items, size_t index) {
	const struct fw_endpoint *endpoints = items;
	const struct fw_range *range = &endpoints[index].range;
	uint8_t key[16];

	add_element(list, key, fw_addr_bytes(range->family, range->first, key));
}

static void add_range(struct nlmsghdr *list, const void *items, size_t index) {
	const struct fw_endpoint *endpoints = items;
	const struct fw_range *range = &endpoints[index].range;
	uint8_t key[16];

	if (index == 0 && !is_zero(range->first)) {
		add_zero(list, address_lengths[range->family]);
	}
	add_address(list, items, index);
	if (!is_highest(range)) {
		add_end(list, key, fw_addr_bytes(range->family, fw_addr_next(range->last), key));
	}
}

enum { FIELD = 4, PAIR_MAX = 16 + FIELD }; /* fields of a concatenation are padded to FIELD bytes */

/** The key of an address and a port; returns its length. */
static size_t pair_key(
	enum fw_family family, struct fw_addr addr, uint16_t port, uint8_t out[static PAIR_MAX]) {
	size_t length = fw_addr_bytes(family, addr, out);
	const uint8_t field[FIELD] = {(uint8_t)(port >> 8), (uint8_t)port};

	memcpy(out + length, field, FIELD);
	return length + FIELD;
}

static struct nlattr *begin_pair(struct nlmsghdr *list, const struct fw_nft_element *element) {
	const struct fw_range *range = &element->endpoint->range;
	uint8_t key[PAIR_MAX];

	return begin_element(
		list, key, pair_key(range->family, range->first, element->ports.low, key));
}

static void add_pair(struct nlmsghdr *list, const void *items, size_t index) {
	const struct fw_nft_element *elements = items;

	mnl_attr_nest_end(list, begin_pair(list, &elements[index]));
}

/** Ranges of a concatenation have both ends in one element. */
static void add_pair_range(struct nlmsghdr *list, const void *items, size_t index) {
	const struct fw_nft_element *elements = items;
	const struct fw_range *range = &elements[index].endpoint->range;
	uint8_t last[PAIR_MAX];
	size_t length = pair_key(range->family, range->last, elements[index].ports.high, last);
	struct nlattr *element = begin_pair(list, &elements[index]);
	struct nlattr *nest = mnl_attr_nest_start(list, NFTA_SET_ELEM_KEY_END);

	mnl_attr_put(list, NFTA_DATA_VALUE, length, last);
	mnl_attr_nest_end(list, nest);
	mnl_attr_nest_end(list, element);
}

/* ---- maps of ports to addresses ---- */

static void add_forwarding(struct nlmsghdr *list, const void *items, size_t index) {
	const struct fw_forwarding *forwarding = (const struct fw_forwarding *)items + index;
	uint16_t key = htons(forwarding->outside_port);
	struct nlattr *element = begin_element(list, &key, sizeof(key));
	struct nlattr *data = mnl_attr_nest_start(list, NFTA_SET_ELEM_DATA);
	uint8_t value[16];

	mnl_attr_put(list, NFTA_DATA_VALUE,
		fw_addr_bytes(forwarding->family, forwarding->address, value), value);
	mnl_attr_nest_end(list, data);
	mnl_attr_nest_end(list, element);
}

/* ---- named sets and maps ---- */

/*
 * The set of a meter counts as nameless although it has a name: it goes with its rule. The timeout
 * is the rule's.
 */
static uint32_t set_flags(const struct fw_nft_set *set) {
	if (set->key == FW_NFT_PORT_TO_ADDR) {
		return NFT_SET_MAP;
	}
	if (set->dynamic) {
		return NFT_SET_ANONYMOUS | NFT_SET_EVAL | NFT_SET_TIMEOUT;
	}
	return set->interval ? NFT_SET_INTERVAL : 0;
}

static void begin_set(struct fw_transaction *transaction, const struct fw_nft_table *table,
	const struct fw_nft_set *set) {
	transaction->subject = (struct fw_subject){FW_SUBJECT_SET, set->name, set->span, table};
}

void fw_transaction_set(struct fw_transaction *transaction, const struct fw_nft_table *table,
	const struct fw_nft_set *set) {
	struct form form = {
		.name = set->name,
		.flags = set_flags(set),
		.type = address_types[set->family],
		.key_length = address_lengths[set->family],
		.size = set->size,
		.order = ORDER_BIG,
	};

	if (set->key == FW_NFT_ADDR_PORT) {
		form.fields[0] = form.key_length;
		form.fields[1] = sizeof(uint16_t);
		form.flags |= set->interval ? NFT_SET_CONCAT : 0;
		form.type = form.type << TYPE_BITS | TYPE_PORT;
		form.key_length += FIELD;
		form.order = ORDER_NONE;
	} else if (set->key == FW_NFT_PORT_TO_ADDR) {
		form.data_type = form.type;
		form.data_length = form.key_length;
		form.type = TYPE_PORT;
		form.key_length = sizeof(uint16_t);
	}
	begin_set(transaction, table, set);
	declare(transaction, &form);
}

void fw_transaction_piece(struct fw_transaction *transaction, const struct fw_nft_table *table,
	const struct fw_nft_set *set, size_t first) {
	begin_set(transaction, table, set);
	switch (set->key) {
	case FW_NFT_KEY_NONE:
		assert(!"a set without a key");
		break;
	case FW_NFT_ADDR:
		add_piece(transaction, set->name, 0, set->interval ? add_range : add_address,
			set->endpoints, first, set->count);
		break;
	case FW_NFT_ADDR_PORT:
		add_piece(transaction, set->name, 0, set->interval ? add_pair_range : add_pair,
			set->elements, first, set->count);
		break;
	case FW_NFT_PORT_TO_ADDR:
		add_piece(transaction, set->name, 0, add_forwarding, set->forwardings, first,
			set->count);
		break;
	}
}

/* ---- nameless sets ---- */

static uint32_t add_nameless(struct fw_transaction *transaction, struct form form, add_item *add,
	const void *items, size_t count) {
	uint32_t id;

	form.name = FW_SET_NAMELESS;
	form.flags |= NFT_SET_ANONYMOUS | NFT_SET_CONSTANT;
	transaction->subject.nameless = true;
	id = declare(transaction, &form);
	for (size_t first = 0; first < count; first += FW_PIECE) {
		add_piece(transaction, form.name, id, add, items, first, count);
	}
	transaction->subject.nameless = false;
	return id;
}

static void add_port(struct nlmsghdr *list, const void *items, size_t index) {
	const struct fw_ports *ports = items;
	uint16_t key = htons(ports[index].low);

	add_element(list, &key, sizeof(key));
}

static void add_port_range(struct nlmsghdr *list, const void *items, size_t index) {
	const struct fw_ports *ports = items;
	uint16_t behind = htons((uint16_t)(ports[index].high + 1));

	if (index == 0 && ports[0].low != 0) {
		add_zero(list, sizeof(behind));
	}
	add_port(list, items, index);
	if (ports[index].high != UINT16_MAX) {
		add_end(list, &behind, sizeof(behind));
	}
}

static bool has_ranges(const struct fw_ports *ports, size_t count) {
	for (size_t i = 0; i < count; i++) {
		if (ports[i].low != ports[i].high) {
			return true;
		}
	}
	return false;
}

uint32_t fw_transaction_ports(
	struct fw_transaction *transaction, const struct fw_ports *ports, size_t count) {
	bool interval = has_ranges(ports, count);
	struct form form = {
		.flags = interval ? NFT_SET_INTERVAL : 0,
		.type = TYPE_PORT,
		.key_length = sizeof(uint16_t),
		.order = ORDER_BIG,
	};

	return add_nameless(transaction, form, interval ? add_port_range : add_port, ports, count);
}

static void add_name(struct nlmsghdr *list, const void *items, size_t index) {
	const char *const *names = items;
	char key[FW_IFNAME_SIZE] = {0};

	strncpy(key, names[index], sizeof(key) - 1);
	add_element(list, key, sizeof(key));
}

uint32_t fw_transaction_names(
	struct fw_transaction *transaction, const char *const *names, size_t count) {
	struct form form = {
		.type = TYPE_IFNAME,
		.key_length = FW_IFNAME_SIZE,
		.order = ORDER_HOST,
	};

	return add_nameless(transaction, form, add_name, names, count);
}

static void add_type(struct nlmsghdr *list, const void *items, size_t index) {
	const struct fw_icmp_type *types = items;

	add_element(list, &types[index].type, sizeof(types[index].type));
}

uint32_t fw_transaction_types(struct fw_transaction *transaction, enum fw_family family,
	const struct fw_icmp_type *types, size_t count) {
	struct form form = {
		.type = icmp_types[family],
		.key_length = sizeof(types->type),
		.order = ORDER_BIG,
	};

	return add_nameless(transaction, form, add_type, types, count);
}
