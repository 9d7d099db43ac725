// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Everything that nf_tables holds, as the kernel tells it: a dump for each kind of object, and one
 * for the elements of each set. The kernel numbers the states of its rules; where the number is
 * another one in the end, or a dump says that it was disturbed, all is asked again.
 *
 * Attributes are read as they are, by libmnl: libnftnl refuses a whole rule for one expression that
 * it does not know, and all that is wanted of such a rule is to say where it is.
 */

#include "readback/nftables.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

enum {
	REQUEST_MAX = 4096,
	ANSWER_MAX = 256 * 1024, /* the kernel's own limit is lower */
	DONE = 0,		 /* of asking; else an errno value */
};

/* ---- attributes ---- */

/* The attribute behind `at`, or the first one where that is NULL. NULL: there are no more. */
static const struct nlattr *next_attr(const void *start, size_t length, const struct nlattr *at) {
	const char *end = (const char *)start + length;

	at = at == NULL ? start : mnl_attr_next(at);
	return mnl_attr_ok(at, (int)(end - (const char *)at)) ? at : NULL;
}

static const struct nlattr *next_nested(const struct nlattr *list, const struct nlattr *at) {
	return list == NULL
		       ? NULL
		       : next_attr(mnl_attr_get_payload(list), mnl_attr_get_payload_len(list), at);
}

/* False: its type is none of those. */
static bool put_attr(struct fw_attrs *attrs, const struct nlattr *attr, unsigned max) {
	unsigned type = mnl_attr_get_type(attr);

	if (type > max || type > FW_ATTRS_MAX) {
		return false;
	}
	attrs->at[type] = attr;
	return true;
}

struct fw_attrs fw_attrs_of(const struct nlattr *nested, unsigned max) {
	struct fw_attrs attrs = {0};
	const struct nlattr *attr = NULL;

	while ((attr = next_nested(nested, attr)) != NULL) {
		if (!put_attr(&attrs, attr, max)) {
			attrs.strange = true;
		}
	}
	return attrs;
}

uint8_t fw_attr_u8(const struct nlattr *attr) {
	return attr != NULL && mnl_attr_get_payload_len(attr) != 0 ? mnl_attr_get_u8(attr) : 0;
}

uint32_t fw_attr_u32(const struct nlattr *attr) {
	uint32_t value = 0;

	if (attr != NULL && mnl_attr_get_payload_len(attr) >= sizeof(value)) {
		memcpy(&value, mnl_attr_get_payload(attr), sizeof(value));
	}
	return ntohl(value);
}

uint64_t fw_attr_u64(const struct nlattr *attr) {
	uint8_t bytes[8] = {0};
	uint64_t value = 0;

	if (attr != NULL && mnl_attr_get_payload_len(attr) >= sizeof(bytes)) {
		memcpy(bytes, mnl_attr_get_payload(attr), sizeof(bytes));
	}
	for (size_t i = 0; i < sizeof(bytes); i++) {
		value = value << 8 | bytes[i];
	}
	return value;
}

bool fw_attr_same(const struct nlattr *a, const struct nlattr *b) {
	size_t length = mnl_attr_get_payload_len(a);

	return length == mnl_attr_get_payload_len(b) &&
	       memcmp(mnl_attr_get_payload(a), mnl_attr_get_payload(b), length) == 0;
}

const char *fw_attr_text(const struct nlattr *attr) {
	if (attr == NULL ||
		memchr(mnl_attr_get_payload(attr), '\0', mnl_attr_get_payload_len(attr)) == NULL) {
		return NULL;
	}
	return mnl_attr_get_payload(attr);
}

const uint8_t *fw_attr_value(const struct nlattr *data, uint32_t *out_length) {
	struct fw_attrs attrs = fw_attrs_of(data, NFTA_DATA_MAX);

	if (attrs.at[NFTA_DATA_VALUE] == NULL) {
		return NULL;
	}
	*out_length = mnl_attr_get_payload_len(attrs.at[NFTA_DATA_VALUE]);
	return mnl_attr_get_payload(attrs.at[NFTA_DATA_VALUE]);
}

bool fw_expression_next(
	const struct nlattr *list, const struct nlattr **at, struct fw_expression *out) {
	*at = next_nested(list, *at);
	if (*at == NULL) {
		return false;
	}
	struct fw_attrs attrs = fw_attrs_of(*at, NFTA_EXPR_MAX);
	const char *name = fw_attr_text(attrs.at[NFTA_EXPR_NAME]);
	*out = (struct fw_expression){name != NULL ? name : "", attrs.at[NFTA_EXPR_DATA]};
	return true;
}

const struct nlattr *fw_limit_among(const struct nlattr *list, const struct nlattr *one) {
	struct fw_attrs alone = fw_attrs_of(one, NFTA_EXPR_MAX);
	const char *name = fw_attr_text(alone.at[NFTA_EXPR_NAME]);
	struct fw_expression expression;
	const struct nlattr *at = NULL;

	if (name != NULL && strcmp(name, "limit") == 0) {
		return alone.at[NFTA_EXPR_DATA];
	}
	while (fw_expression_next(list, &at, &expression)) {
		if (strcmp(expression.name, "limit") == 0) {
			return expression.data;
		}
	}
	return NULL;
}

/* ---- asking ---- */

struct asking {
	struct fw_arena *arena;
	struct fw_dump_link *link;
	struct fw_dump *out;
	char *buffer;
	struct fw_dump_set *set; /* whose elements are asked for */
	uint32_t generation;
	bool bad; /* an answer cannot be read */
	FW_VEC(struct fw_dump_table) tables;
	FW_VEC(struct fw_dump_chain) chains;
	FW_VEC(struct fw_dump_set) sets;
	FW_VEC(struct fw_dump_object) objects;
	FW_VEC(struct fw_dump_element) elements;
	FW_VEC(struct fw_dump_rule) rules;
	FW_VEC(struct fw_dump_chain *) owners; /* of the rules */
};

typedef void taker(struct asking *asking, uint8_t family, const struct fw_attrs *attrs);

static void asking_fini(struct asking *asking) {
	free(asking->buffer);
	FW_VEC_FINI(&asking->tables);
	FW_VEC_FINI(&asking->chains);
	FW_VEC_FINI(&asking->sets);
	FW_VEC_FINI(&asking->objects);
	FW_VEC_FINI(&asking->elements);
	FW_VEC_FINI(&asking->rules);
	FW_VEC_FINI(&asking->owners);
}

/* What is known of one request so far. */
struct progress {
	taker *take;
	unsigned max; /* of its attributes */
	uint32_t sequence;
	bool dump, ended, disturbed;
	int error;
};

static void take_message(
	struct asking *asking, struct progress *progress, const struct nlmsghdr *header) {
	struct fw_attrs attrs = {0};
	const struct nfgenmsg *extra = mnl_nlmsg_get_payload(header);
	size_t length = mnl_nlmsg_get_payload_len(header);
	const struct nlattr *attr = NULL;

	if (length < sizeof(*extra)) {
		asking->bad = true;
		return;
	}
	while ((attr = next_attr(extra + 1, length - sizeof(*extra), attr)) != NULL) {
		put_attr(&attrs, attr, progress->max);
	}
	progress->take(asking, extra->nfgen_family, &attrs);
	progress->ended = progress->ended || !progress->dump;
}

static void take_header(
	struct asking *asking, struct progress *progress, const struct nlmsghdr *header) {
	if (header->nlmsg_seq != progress->sequence) {
		return; /* what is left of a request that was given up */
	}
	progress->disturbed = progress->disturbed || (header->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
	if (header->nlmsg_type == NLMSG_DONE) {
		int32_t error = 0;
		if (mnl_nlmsg_get_payload_len(header) >= sizeof(error)) {
			memcpy(&error, mnl_nlmsg_get_payload(header), sizeof(error));
		}
		progress->error = error < 0 ? -error : 0;
		progress->ended = true;
	} else if (header->nlmsg_type == NLMSG_ERROR) {
		const struct nlmsgerr *answer = mnl_nlmsg_get_payload(header);
		bool whole = mnl_nlmsg_get_payload_len(header) >= sizeof(*answer);
		progress->error = whole ? -answer->error : EBADMSG;
		progress->ended = true;
	} else if (header->nlmsg_type >= NLMSG_MIN_TYPE) {
		take_message(asking, progress, header);
	}
}

/* libmnl takes lengths of more than INT_MAX for negative ones. */
static bool is_whole(const struct nlmsghdr *header, int rest) {
	return mnl_nlmsg_ok(header, rest) && header->nlmsg_len <= (unsigned)rest;
}

/* Reads answers until the last one. EAGAIN: it has to be asked again. */
static int receive(struct asking *asking, struct progress *progress) {
	while (!progress->ended) {
		ssize_t length =
			asking->link->receive(asking->link->context, asking->buffer, ANSWER_MAX);
		if (length < 0 && errno == EINTR) {
			continue;
		}
		if (length < 0 && errno == ENOBUFS) {
			progress->disturbed = true;
			continue;
		}
		if (length <= 0) {
			/* The kernel has everything ready, so what is missing will not come. */
			return length == 0 || errno == EWOULDBLOCK ? EAGAIN : errno;
		}
		const struct nlmsghdr *header = (const void *)asking->buffer;
		int rest = (int)length;
		for (; is_whole(header, rest); header = mnl_nlmsg_next(header, &rest)) {
			take_header(asking, progress, header);
		}
		progress->disturbed = progress->disturbed || rest > 0;
	}
	return progress->disturbed || asking->bad ? EAGAIN : progress->error;
}

static int ask(struct asking *asking, uint16_t type, taker *take, unsigned max) {
	union {
		struct nlmsghdr header;
		char bytes[REQUEST_MAX];
	} request = {0};
	struct nlmsghdr *header = mnl_nlmsg_put_header(&request);
	struct nfgenmsg *extra;
	struct progress progress = {
		.take = take,
		.max = max,
		.sequence = asking->link->sequence++,
		.dump = type != NFT_MSG_GETGEN,
	};

	header->nlmsg_type = (NFNL_SUBSYS_NFTABLES << 8) | type;
	header->nlmsg_flags = NLM_F_REQUEST | (progress.dump ? NLM_F_DUMP : 0);
	header->nlmsg_seq = progress.sequence;
	extra = mnl_nlmsg_put_extra_header(header, sizeof(*extra));
	extra->version = NFNETLINK_V0;
	if (asking->set != NULL) {
		extra->nfgen_family = asking->set->table->family;
		mnl_attr_put_strz(header, NFTA_SET_ELEM_LIST_TABLE, asking->set->table->name);
		mnl_attr_put_strz(header, NFTA_SET_ELEM_LIST_SET, asking->set->name);
	}
	if (asking->link->send(asking->link->context, header, header->nlmsg_len) < 0) {
		return errno;
	}
	return receive(asking, &progress);
}

/* ---- keeping what the answers hold ---- */

static const char *keep_text(struct asking *asking, const struct nlattr *attr) {
	const char *text = fw_attr_text(attr);

	if (text == NULL) {
		asking->bad = true;
		return "";
	}
	return fw_arena_text(asking->arena, fw_slice(text));
}

static const struct nlattr *keep_attr(struct asking *asking, const struct nlattr *attr) {
	if (attr == NULL) {
		return NULL;
	}
	return fw_rb_copy(asking->arena, attr, 1, attr->nla_len);
}

static const uint8_t *keep_value(
	struct asking *asking, const struct nlattr *data, uint32_t *out_length) {
	const uint8_t *bytes = data == NULL ? NULL : fw_attr_value(data, out_length);

	return bytes == NULL ? NULL : fw_rb_copy(asking->arena, bytes, 1, *out_length);
}

static const struct fw_dump_table *find_table(
	struct asking *asking, uint8_t family, const struct nlattr *attr) {
	const char *name = fw_attr_text(attr);

	for (size_t i = 0; name != NULL && i < asking->out->table_count; i++) {
		const struct fw_dump_table *table = &asking->out->tables[i];
		if (table->family == family && strcmp(table->name, name) == 0) {
			return table;
		}
	}
	asking->bad = true; /* it came after the tables were told: all is told again */
	return NULL;
}

static void take_generation(struct asking *asking, uint8_t family, const struct fw_attrs *attrs) {
	(void)family;
	asking->generation = fw_attr_u32(attrs->at[NFTA_GEN_ID]);
}

static void take_table(struct asking *asking, uint8_t family, const struct fw_attrs *attrs) {
	FW_VEC_ADD(&asking->tables, (struct fw_dump_table){
					    .family = family,
					    .name = keep_text(asking, attrs->at[NFTA_TABLE_NAME]),
					    .flags = fw_attr_u32(attrs->at[NFTA_TABLE_FLAGS]),
				    });
}

static enum fw_dump_kind kind_of(const struct nlattr *type) {
	const char *name = fw_attr_text(type);

	if (name == NULL || strcmp(name, "filter") == 0 || strcmp(name, "route") == 0) {
		return FW_DUMP_FILTER;
	}
	return strcmp(name, "nat") == 0 ? FW_DUMP_NAT : FW_DUMP_OTHER_KIND;
}

/* Names of devices, or with a kernel that knows them, beginnings of names. */
static void take_devices(
	struct asking *asking, const struct nlattr *hook, struct fw_dump_chain *chain) {
	struct fw_attrs inner = fw_attrs_of(hook, NFTA_HOOK_MAX);
	const struct nlattr *list = inner.at[NFTA_HOOK_DEVS], *one = NULL;
	size_t count = inner.at[NFTA_HOOK_DEV] != NULL;

	while ((one = next_nested(list, one)) != NULL) {
		count++;
	}
	chain->devices = FW_ARENA_ARRAY(asking->arena, const char *, count);
	if (inner.at[NFTA_HOOK_DEV] != NULL) {
		chain->devices[chain->device_count++] = keep_text(asking, inner.at[NFTA_HOOK_DEV]);
	}
	while ((one = next_nested(list, one)) != NULL) {
		if (mnl_attr_get_type(one) == NFTA_DEVICE_NAME) {
			chain->devices[chain->device_count++] = keep_text(asking, one);
		} else {
			chain->more_devices = true;
		}
	}
	chain->more_devices = chain->more_devices || inner.strange;
}

static void take_chain(struct asking *asking, uint8_t family, const struct fw_attrs *attrs) {
	const struct nlattr *hook = attrs->at[NFTA_CHAIN_HOOK];
	const struct nlattr *policy = attrs->at[NFTA_CHAIN_POLICY];
	struct fw_attrs inner = fw_attrs_of(hook, NFTA_HOOK_MAX);
	const char *type = fw_attr_text(attrs->at[NFTA_CHAIN_TYPE]);

	struct fw_dump_chain chain = {
		.table = find_table(asking, family, attrs->at[NFTA_CHAIN_TABLE]),
		.name = keep_text(asking, attrs->at[NFTA_CHAIN_NAME]),
		.handle = fw_attr_u64(attrs->at[NFTA_CHAIN_HANDLE]),
		.base = hook != NULL,
		.hook = fw_attr_u32(inner.at[NFTA_HOOK_HOOKNUM]),
		.priority = (int32_t)fw_attr_u32(inner.at[NFTA_HOOK_PRIORITY]),
		.kind = kind_of(attrs->at[NFTA_CHAIN_TYPE]),
		.drops = policy != NULL && fw_attr_u32(policy) == 0,
		.reroutes = type != NULL && strcmp(type, "route") == 0,
	};

	take_devices(asking, hook, &chain);
	FW_VEC_ADD(&asking->chains, chain);
}

static void take_object(struct asking *asking, uint8_t family, const struct fw_attrs *attrs) {
	FW_VEC_ADD(&asking->objects,
		(struct fw_dump_object){
			.table = find_table(asking, family, attrs->at[NFTA_OBJ_TABLE]),
			.name = keep_text(asking, attrs->at[NFTA_OBJ_NAME]),
			.type = fw_attr_u32(attrs->at[NFTA_OBJ_TYPE]),
			.data = keep_attr(asking, attrs->at[NFTA_OBJ_DATA]),
			.serial = asking->objects.count,
		});
}

static void take_description(struct fw_dump_set *set, const struct nlattr *description) {
	struct fw_attrs inner = fw_attrs_of(description, NFTA_SET_DESC_MAX);
	const struct nlattr *field = NULL;

	set->size = fw_attr_u32(inner.at[NFTA_SET_DESC_SIZE]);
	while ((field = next_nested(inner.at[NFTA_SET_DESC_CONCAT], field)) != NULL) {
		struct fw_attrs lengths = fw_attrs_of(field, NFTA_SET_FIELD_MAX);
		if (set->field_count < FW_DUMP_FIELDS_MAX) {
			set->fields[set->field_count++] =
				fw_attr_u32(lengths.at[NFTA_SET_FIELD_LEN]);
		}
	}
}

static void take_set(struct asking *asking, uint8_t family, const struct fw_attrs *attrs) {
	const struct nlattr *one = attrs->at[NFTA_SET_EXPR];
	struct fw_dump_set set = {
		.table = find_table(asking, family, attrs->at[NFTA_SET_TABLE]),
		.name = keep_text(asking, attrs->at[NFTA_SET_NAME]),
		.flags = fw_attr_u32(attrs->at[NFTA_SET_FLAGS]),
		.key_length = fw_attr_u32(attrs->at[NFTA_SET_KEY_LEN]),
		.data_length = fw_attr_u32(attrs->at[NFTA_SET_DATA_LEN]),
		.object_type = fw_attr_u32(attrs->at[NFTA_SET_OBJ_TYPE]),
		.expressions = keep_attr(asking, attrs->at[NFTA_SET_EXPRESSIONS]),
		.timeout = fw_attr_u64(attrs->at[NFTA_SET_TIMEOUT]),
	};

	if (one != NULL) {
		/* A list of one, so that there is one form only. */
		size_t length = MNL_ATTR_HDRLEN + MNL_ALIGN(one->nla_len);
		asking->bad = asking->bad || length > UINT16_MAX;
		struct nlattr *list = fw_arena_alloc(asking->arena, length);
		list->nla_len = (uint16_t)length;
		memcpy(mnl_attr_get_payload(list), one, one->nla_len);
		set.expressions = list;
	}
	take_description(&set, attrs->at[NFTA_SET_DESC]);
	FW_VEC_ADD(&asking->sets, set);
}

/* Rules are told chain by chain. */
static void take_rule(struct asking *asking, uint8_t family, const struct fw_attrs *attrs) {
	const struct fw_dump_table *table = find_table(asking, family, attrs->at[NFTA_RULE_TABLE]);
	const char *name = fw_attr_text(attrs->at[NFTA_RULE_CHAIN]);
	size_t known = asking->owners.count;
	struct fw_dump_chain *owner = known != 0 ? asking->owners.items[known - 1] : NULL;

	if (table == NULL || name == NULL) {
		asking->bad = true;
		return;
	}
	if (owner == NULL || owner->table != table || strcmp(owner->name, name) != 0) {
		const void *found = fw_dump_find(asking->out, FW_DUMP_CHAIN, table, name, 0);
		owner = found == NULL ? NULL
				      : &asking->out->chains[(const struct fw_dump_chain *)found -
							     asking->out->chains];
	}
	if (owner == NULL) {
		asking->bad = true;
		return;
	}
	FW_VEC_ADD(&asking->owners, owner);
	FW_VEC_ADD(&asking->rules,
		(struct fw_dump_rule){
			.handle = fw_attr_u64(attrs->at[NFTA_RULE_HANDLE]),
			.expressions = keep_attr(asking, attrs->at[NFTA_RULE_EXPRESSIONS]),
			.serial = asking->rules.count,
		});
}

/* Counters and the like decide nothing. */
static bool is_stateful(const struct nlattr *list) {
	struct fw_expression expression;
	const struct nlattr *at = NULL;

	while (fw_expression_next(list, &at, &expression)) {
		if (strcmp(expression.name, "counter") != 0 &&
			strcmp(expression.name, "last") != 0) {
			return true;
		}
	}
	return false;
}

static bool is_stateful_alone(const struct nlattr *one) {
	struct fw_attrs attrs = fw_attrs_of(one, NFTA_EXPR_MAX);
	const char *name = fw_attr_text(attrs.at[NFTA_EXPR_NAME]);

	return one != NULL &&
	       (name == NULL || (strcmp(name, "counter") != 0 && strcmp(name, "last") != 0));
}

static void take_data(
	struct asking *asking, const struct nlattr *data, struct fw_dump_element *element) {
	struct fw_attrs inner = fw_attrs_of(data, NFTA_DATA_MAX);
	struct fw_attrs verdict = fw_attrs_of(inner.at[NFTA_DATA_VERDICT], NFTA_VERDICT_MAX);

	element->data = keep_value(asking, data, &element->data_length);
	if (inner.at[NFTA_DATA_VERDICT] != NULL) {
		element->has_verdict = true;
		element->verdict = (int32_t)fw_attr_u32(verdict.at[NFTA_VERDICT_CODE]);
		if (verdict.at[NFTA_VERDICT_CHAIN] != NULL) {
			element->chain = keep_text(asking, verdict.at[NFTA_VERDICT_CHAIN]);
		}
	}
}

static void take_element(struct asking *asking, const struct nlattr *nested) {
	struct fw_attrs attrs = fw_attrs_of(nested, NFTA_SET_ELEM_MAX);
	struct fw_dump_element element = {.flags = fw_attr_u32(attrs.at[NFTA_SET_ELEM_FLAGS])};
	uint32_t length = asking->set->key_length, end_length = length;
	uint32_t known = NFT_SET_ELEM_INTERVAL_END | NFT_SET_ELEM_CATCHALL;

	asking->set->expires = asking->set->expires || attrs.at[NFTA_SET_ELEM_EXPIRATION] != NULL;
	element.key = keep_value(asking, attrs.at[NFTA_SET_ELEM_KEY], &length);
	element.key_end = keep_value(asking, attrs.at[NFTA_SET_ELEM_KEY_END], &end_length);
	if (attrs.at[NFTA_SET_ELEM_DATA] != NULL) {
		take_data(asking, attrs.at[NFTA_SET_ELEM_DATA], &element);
	}
	if (attrs.at[NFTA_SET_ELEM_OBJREF] != NULL) {
		element.object = keep_text(asking, attrs.at[NFTA_SET_ELEM_OBJREF]);
	}
	element.stateful = is_stateful(attrs.at[NFTA_SET_ELEM_EXPRESSIONS]) ||
			   is_stateful_alone(attrs.at[NFTA_SET_ELEM_EXPR]);
	element.expression = keep_attr(asking, attrs.at[NFTA_SET_ELEM_EXPR]);
	element.broken = length != asking->set->key_length ||
			 end_length != asking->set->key_length || attrs.strange ||
			 (element.flags & ~known) != 0 ||
			 (element.key == NULL && (element.flags & NFT_SET_ELEM_CATCHALL) == 0);
	FW_VEC_ADD(&asking->elements, element);
}

static void take_elements(struct asking *asking, uint8_t family, const struct fw_attrs *attrs) {
	const struct nlattr *nested = NULL;

	(void)family;
	while ((nested = next_nested(attrs->at[NFTA_SET_ELEM_LIST_ELEMENTS], nested)) != NULL) {
		take_element(asking, nested);
	}
}

/* ---- names ---- */

struct fw_dump_name {
	enum fw_dump_what what;
	const struct fw_dump_table *table;
	const char *name;
	uint32_t type;
	const void *item;
};

static int compare_dump_names(const void *left, const void *right) {
	const struct fw_dump_name *a = left;
	const struct fw_dump_name *b = right;

	if (a->what != b->what) {
		return a->what < b->what ? -1 : 1;
	}
	if (a->table != b->table) {
		return a->table < b->table ? -1 : 1;
	}
	if (a->type != b->type) {
		return a->type < b->type ? -1 : 1;
	}
	return strcmp(a->name, b->name);
}

const void *fw_dump_find(const struct fw_dump *dump, enum fw_dump_what what,
	const struct fw_dump_table *table, const char *name, uint32_t type) {
	struct fw_dump_name wanted = {.what = what, .table = table, .name = name, .type = type};
	const struct fw_dump_name *found = NULL;

	if (dump->name_count != 0 && name != NULL) {
		found = bsearch(
			&wanted, dump->names, dump->name_count, sizeof(wanted), compare_dump_names);
	}
	return found == NULL ? NULL : found->item;
}

static void add_name(struct fw_dump_name *names, size_t *count, struct fw_dump_name name) {
	if (name.table != NULL) {
		names[(*count)++] = name;
	}
}

static void index_names(struct fw_arena *arena, struct fw_dump *dump) {
	size_t most = dump->chain_count + dump->set_count + dump->object_count, count = 0;
	struct fw_dump_name *names = FW_ARENA_ARRAY(arena, struct fw_dump_name, most);

	for (size_t i = 0; i < dump->chain_count; i++) {
		const struct fw_dump_chain *one = &dump->chains[i];
		add_name(names, &count,
			(struct fw_dump_name){FW_DUMP_CHAIN, one->table, one->name, 0, one});
	}
	for (size_t i = 0; i < dump->set_count; i++) {
		const struct fw_dump_set *one = &dump->sets[i];
		add_name(names, &count,
			(struct fw_dump_name){FW_DUMP_SET, one->table, one->name, 0, one});
	}
	for (size_t i = 0; i < dump->object_count; i++) {
		const struct fw_dump_object *one = &dump->objects[i];
		add_name(names, &count,
			(struct fw_dump_name){
				FW_DUMP_OBJECT, one->table, one->name, one->type, one});
	}
	if (count != 0) {
		qsort(names, count, sizeof(*names), compare_dump_names);
	}
	dump->names = names;
	dump->name_count = count;
}

/* ---- all of it ---- */

#define KEEP(asking, vec)                                                                          \
	fw_rb_copy((asking)->arena, (vec)->items, (vec)->count, sizeof(*(vec)->items))

/* Hands each chain its rules, which are told one chain after the other. */
static void give_rules(struct asking *asking, struct fw_dump *out) {
	const struct fw_dump_rule *rules = KEEP(asking, &asking->rules);

	out->rule_count = asking->rules.count;
	for (size_t i = 0; i < asking->rules.count; i++) {
		struct fw_dump_chain *owner = asking->owners.items[i];
		if (owner->rules == NULL) {
			owner->rules = &rules[i];
		}
		/* Were they not in one piece, some would be another chain's. */
		asking->bad = asking->bad || owner->rules + owner->rule_count != &rules[i];
		owner->rule_count++;
	}
}

static int ask_elements(struct asking *asking, struct fw_dump_set *set) {
	asking->set = set;
	asking->elements.count = 0;
	int error = ask(asking, NFT_MSG_GETSETELEM, take_elements, NFTA_SET_ELEM_LIST_MAX);
	asking->set = NULL;
	set->elements = KEEP(asking, &asking->elements);
	set->element_count = asking->elements.count;
	return error;
}

/* The tables, then what stands in them. */
static int ask_all(struct asking *asking, struct fw_dump *out) {
	int error = ask(asking, NFT_MSG_GETTABLE, take_table, NFTA_TABLE_MAX);

	out->tables = KEEP(asking, &asking->tables);
	out->table_count = asking->tables.count;
	if (error == DONE) {
		error = ask(asking, NFT_MSG_GETCHAIN, take_chain, NFTA_CHAIN_MAX);
		out->chains = KEEP(asking, &asking->chains);
		out->chain_count = asking->chains.count;
	}
	if (error == DONE) {
		error = ask(asking, NFT_MSG_GETSET, take_set, NFTA_SET_MAX);
		out->sets = KEEP(asking, &asking->sets);
		out->set_count = asking->sets.count;
	}
	if (error == DONE) {
		error = ask(asking, NFT_MSG_GETOBJ, take_object, NFTA_OBJ_MAX);
		out->objects = KEEP(asking, &asking->objects);
		out->object_count = asking->objects.count;
	}
	if (error == DONE) {
		index_names(asking->arena, out);
		error = ask(asking, NFT_MSG_GETRULE, take_rule, NFTA_RULE_MAX);
		give_rules(asking, out);
	}
	for (size_t i = 0; error == DONE && !asking->bad && i < out->set_count; i++) {
		error = ask_elements(asking, &out->sets[i]);
	}
	return error == DONE && asking->bad ? EAGAIN : error;
}

/* Between two looks at the number of the state. */
static int attempt(
	struct fw_arena *arena, struct fw_dump_link *link, char *buffer, struct fw_dump *out) {
	FW_AUTO(asking_fini)
	struct asking asking = {.arena = arena, .link = link, .out = out};

	asking.buffer = buffer;
	*out = (struct fw_dump){0};
	int error = ask(&asking, NFT_MSG_GETGEN, take_generation, NFTA_GEN_MAX);
	uint32_t before = asking.generation;
	if (error == DONE) {
		error = ask_all(&asking, out);
	}
	if (error == DONE) {
		error = ask(&asking, NFT_MSG_GETGEN, take_generation, NFTA_GEN_MAX);
	}
	asking.buffer = NULL;
	return error == DONE && asking.generation != before ? EAGAIN : error;
}

/* Something was removed while it was being asked for, or is being changed right now. */
static bool is_passing(int error) {
	return error == EAGAIN || error == ENOENT || error == EBUSY || error == EINTR ||
	       error == ENOBUFS;
}

static void fail(struct fw_diags *diags, int error) {
	static const char what[] = "cannot read the rules of the kernel";

	if (error == EPERM || error == EACCES) {
		fw_diag_hint(diags, fw_failure(diags, "kernel-permission", error, "%s", what),
			"run this as root, or in a network namespace of your own");
	} else if (is_passing(error)) {
		fw_failure(diags, "kernel-changing", 0,
			"%s: they changed each time they were read, %d times", what,
			FW_DUMP_ATTEMPTS);
	} else {
		fw_failure(diags, "kernel-netlink", error, "%s", what);
	}
}

bool fw_dump_read(struct fw_arena *arena, struct fw_dump_link *link, struct fw_dump *out,
	struct fw_diags *diags) {
	struct fw_arena_mark mark = fw_arena_mark(arena);
	char *buffer = fw_resize(NULL, ANSWER_MAX, 1);
	int error = EAGAIN;

	for (int i = 0; i < FW_DUMP_ATTEMPTS && is_passing(error); i++) {
		fw_arena_reset(arena, mark);
		error = attempt(arena, link, buffer, out);
	}
	free(buffer);
	if (error != DONE) {
		fail(diags, error);
	}
	return error == DONE;
}
