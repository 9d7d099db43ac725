// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The rules of the running kernel: read once, and lowered to chains that can be run. Tables of
 * other families, and of iptables-nft, are told apart first.
 */

#include "readback/nftables.h"

#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_bridge.h>

#include "netlink/netlink.h"

/* Of the netdev family; headers of the kernel have it since 5.16. */
enum { NETDEV_EGRESS = 1 };

/* What was read, of the arena. */
struct content {
	struct fw_dump dump;
	const struct fw_rb_index *indices;
	size_t index_count;
	const char *const *remarks;
	size_t remark_count;
	const struct fw_rb_unknown *unknowns;
	size_t unknown_count;
};

struct reading {
	struct fw_arena *arena;
	struct content *content;
	FW_VEC(const char *) names, remarks;
	FW_VEC(struct fw_rb_unknown) unknowns;
	FW_VEC(struct fw_rb_index) indices;
};

static void reading_fini(struct reading *reading) {
	FW_VEC_FINI(&reading->names);
	FW_VEC_FINI(&reading->remarks);
	FW_VEC_FINI(&reading->unknowns);
	FW_VEC_FINI(&reading->indices);
}

/* ---- the socket ---- */

static ssize_t send_to(void *context, const void *bytes, size_t length) {
	const struct fw_netlink *netlink = context;

	return mnl_socket_sendto(netlink->socket, bytes, length);
}

static ssize_t receive_from(void *context, void *buffer, size_t size) {
	const struct fw_netlink *netlink = context;

	return mnl_socket_recvfrom(netlink->socket, buffer, size);
}

/* ---- tables that are not ours to read ---- */

static const char *table_text(struct fw_arena *arena, const struct fw_dump_table *table) {
	static const char *const families[] = {
		[NFPROTO_INET] = "inet",
		[NFPROTO_IPV4] = "ip",
		[NFPROTO_ARP] = "arp",
		[NFPROTO_NETDEV] = "netdev",
		[NFPROTO_BRIDGE] = "bridge",
		[NFPROTO_IPV6] = "ip6",
	};
	const char *family = table->family < FW_LENGTH(families) ? families[table->family] : NULL;

	return fw_arena_printf(
		arena, "%s %s", family != NULL ? family : "another family", table->name);
}

static bool is_ip(const struct fw_dump_table *table) {
	return table->family == NFPROTO_IPV4 || table->family == NFPROTO_IPV6;
}

/* In our hooks, or on the way there. */
static bool is_read(const struct fw_dump_table *table) {
	return (is_ip(table) || table->family == NFPROTO_INET || table->family == NFPROTO_NETDEV) &&
	       !table->opaque && (table->flags & NFT_TABLE_F_DORMANT) == 0;
}

/* By its name and those of its base chains, iptables-nft takes a table for its own. */
static bool has_iptables_name(const struct fw_dump *dump, const struct fw_dump_table *table) {
	static const char *const tables[] = {"filter", "nat", "mangle", "raw", "security"};
	static const char *const chains[] = {
		"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"};
	bool named = false;

	for (size_t i = 0; i < FW_LENGTH(tables); i++) {
		named = named || (is_ip(table) && strcmp(table->name, tables[i]) == 0);
	}
	for (size_t i = 0; named && i < dump->chain_count; i++) {
		const struct fw_dump_chain *chain = &dump->chains[i];
		if (chain->table == table && chain->base) {
			bool known = false;
			for (size_t j = 0; j < FW_LENGTH(chains); j++) {
				known = known || strcmp(chain->name, chains[j]) == 0;
			}
			named = known;
		}
	}
	return named;
}

/*
 * Rules that only iptables-nft can read make all its tables of a family opaque, as it tells all of
 * them; where there is no such rule, they are as good as any other's.
 */
static bool mark_opaque(struct fw_dump *dump) {
	bool strange[NFPROTO_NUMPROTO] = {false};
	bool any = false;

	for (size_t i = 0; i < dump->table_count; i++) {
		const struct fw_dump_table *table = &dump->tables[i];
		if (table->strange && has_iptables_name(dump, table)) {
			strange[table->family] = true;
		}
	}
	for (size_t i = 0; i < dump->table_count; i++) {
		struct fw_dump_table *table = &dump->tables[i];
		table->opaque =
			is_ip(table) && strange[table->family] && has_iptables_name(dump, table);
		any = any || table->opaque;
	}
	return any;
}

/* Whether rules do no more than accept, count and log. */
static bool is_harmless(const struct nlattr *expressions) {
	static const char *const deciding[] = {"reject", "queue", "fwd", "lookup", "target",
		"flow_offload", "payload", "nat", "masq", "redir"};
	struct fw_expression expression;
	const struct nlattr *at = NULL;

	while (fw_expression_next(expressions, &at, &expression)) {
		struct fw_attrs attrs = fw_attrs_of(expression.data, FW_ATTRS_MAX);
		for (size_t i = 0; i < FW_LENGTH(deciding); i++) {
			bool loads = strcmp(expression.name, "payload") == 0 &&
				     attrs.at[NFTA_PAYLOAD_DREG] != NULL;
			if (!loads && strcmp(expression.name, deciding[i]) == 0) {
				return false;
			}
		}
		if (strcmp(expression.name, "immediate") == 0) {
			struct fw_attrs data =
				fw_attrs_of(attrs.at[NFTA_IMMEDIATE_DATA], NFTA_DATA_MAX);
			struct fw_attrs verdict =
				fw_attrs_of(data.at[NFTA_DATA_VERDICT], NFTA_VERDICT_MAX);
			const struct nlattr *code = verdict.at[NFTA_VERDICT_CODE];
			if (code != NULL && ((int32_t)fw_attr_u32(code) == NF_DROP ||
						    (int32_t)fw_attr_u32(code) == NF_QUEUE)) {
				return false;
			}
		}
	}
	return true;
}

/* Whether a table of another family may keep packets from our hooks. */
static bool may_drop(const struct fw_dump *dump, const struct fw_dump_table *table) {
	for (size_t i = 0; i < dump->chain_count; i++) {
		const struct fw_dump_chain *chain = &dump->chains[i];
		if (chain->table != table) {
			continue;
		}
		for (size_t j = 0; j < chain->rule_count; j++) {
			if (!is_harmless(chain->rules[j].expressions)) {
				return true;
			}
		}
		if (chain->drops) {
			return true;
		}
	}
	return false;
}

/* What a bridge hands on from port to port is at most what is forwarded. */
static bool only_forwards(const struct fw_dump *dump, const struct fw_dump_table *table) {
	for (size_t i = 0; i < dump->chain_count; i++) {
		const struct fw_dump_chain *chain = &dump->chains[i];
		bool idle = !chain->base || (chain->rule_count == 0 && !chain->drops);
		if (chain->table == table && !idle && chain->hook != NF_BR_FORWARD) {
			return false;
		}
	}
	return table->family == NFPROTO_BRIDGE;
}

static void note_table(struct reading *reading, const struct fw_dump_table *table) {
	const char *name = table_text(reading->arena, table);
	const char *remark = NULL;

	if ((table->flags & NFT_TABLE_F_DORMANT) != 0) {
		remark = "is dormant: it decides nothing";
	} else if (table->opaque) {
		remark = "is of iptables-nft";
	} else if (is_read(table)) {
		return;
	} else if (table->family == NFPROTO_ARP || !may_drop(&reading->content->dump, table)) {
		remark = "decides nothing here";
	}
	if (remark != NULL) {
		FW_VEC_ADD(&reading->remarks,
			fw_arena_printf(reading->arena, "the table %s %s", name, remark));
	} else {
		FW_VEC_ADD(&reading->unknowns,
			(struct fw_rb_unknown){
				.place = {.text = name},
				.what = "a table that drops packets before they are IP's",
				.hook = only_forwards(&reading->content->dump, table)
						? FW_RB_FORWARD
						: FW_RB_NONE,
			});
	}
}

static void note_set(struct reading *reading, const struct fw_dump_set *set) {
	if (set->expires && is_read(set->table)) {
		FW_VEC_ADD(&reading->remarks,
			fw_arena_printf(reading->arena, "elements of the set %s %s expire",
				table_text(reading->arena, set->table), set->name));
	}
}

/* ---- names of interfaces ---- */

/* A name as the kernel writes it: zeroes up to its full length. */
static bool is_name(const uint8_t *bytes) {
	size_t length = strnlen((const char *)bytes, IFNAMSIZ);

	if (length == 0 || length == IFNAMSIZ) {
		return false;
	}
	for (size_t i = 0; i < length; i++) {
		if (bytes[i] <= ' ' || bytes[i] == '/' || bytes[i] == 0x7f) {
			return false;
		}
	}
	for (size_t i = length; i < IFNAMSIZ; i++) {
		if (bytes[i] != 0) {
			return false;
		}
	}
	/* A star is for what begins so. */
	return bytes[length - 1] != '*';
}

static void add_name(struct reading *reading, const char *name) {
	if (strcmp(name, "lo") != 0) {
		FW_VEC_ADD(&reading->names, fw_arena_text(reading->arena, fw_slice(name)));
	}
}

static void add_devices(struct reading *reading, const struct fw_dump_chain *chain) {
	for (size_t i = 0; i < chain->device_count; i++) {
		add_name(reading, chain->devices[i]);
	}
}

static void add_names_of(struct reading *reading, const uint8_t *bytes, uint32_t length) {
	for (uint32_t at = 0; bytes != NULL && at + IFNAMSIZ <= length; at += 4) {
		if (is_name(bytes + at)) {
			add_name(reading, (const char *)bytes + at);
		}
	}
}

/* The name for whatever begins so. */
static void add_begin(struct reading *reading, const uint8_t *whole) {
	if (is_name(whole)) {
		FW_VEC_ADD(&reading->names,
			fw_arena_printf(reading->arena, "%s*", (const char *)whole));
	}
}

/* A comparison may be shorter than a name: with its end, or without. */
static void add_compared(struct reading *reading, const uint8_t *bytes, uint32_t length) {
	uint8_t whole[IFNAMSIZ] = {0};

	if (bytes == NULL || length > IFNAMSIZ) {
		return;
	}
	memcpy(whole, bytes, length);
	if (length == IFNAMSIZ || memchr(bytes, '\0', length) != NULL) {
		add_names_of(reading, whole, sizeof(whole));
	} else {
		add_begin(reading, whole);
	}
}

static void add_looked_up(struct reading *reading, const struct fw_dump_set *set) {
	for (size_t i = 0; set != NULL && i < set->element_count; i++) {
		const struct fw_dump_element *element = &set->elements[i];
		if (!element->broken) {
			add_names_of(reading, element->key, set->key_length);
		}
		if (!element->broken && element->key != NULL && set->key_length == IFNAMSIZ &&
			(set->flags & NFT_SET_INTERVAL) != 0) {
			add_begin(reading, element->key);
		}
	}
}

/* Whatever may be a name in a rule that looks at interfaces. One too many does no harm. */
static void find_names(struct reading *reading, const struct fw_dump_chain *chain,
	const struct fw_dump_rule *rule) {
	const struct fw_dump *dump = &reading->content->dump;
	struct fw_expression expression;
	const struct nlattr *at = NULL;
	bool by_name = false;

	while (fw_expression_next(rule->expressions, &at, &expression)) {
		struct fw_attrs attrs = fw_attrs_of(expression.data, FW_ATTRS_MAX);
		uint32_t length = 0;
		if (strcmp(expression.name, "meta") == 0) {
			uint32_t key = fw_attr_u32(attrs.at[NFTA_META_KEY]);
			by_name = by_name || key == NFT_META_IIFNAME || key == NFT_META_OIFNAME;
		} else if (by_name && strcmp(expression.name, "cmp") == 0) {
			const uint8_t *bytes = fw_attr_value(attrs.at[NFTA_CMP_DATA], &length);
			add_compared(reading, bytes, length);
		} else if (by_name && strcmp(expression.name, "lookup") == 0) {
			add_looked_up(reading, fw_dump_find(dump, FW_DUMP_SET, chain->table,
						       fw_attr_text(attrs.at[NFTA_LOOKUP_SET]), 0));
		}
	}
}

/* Rules that know interfaces by number: numbers are those of now. */
static bool asks_for_index(const struct nlattr *expressions) {
	struct fw_expression expression;
	const struct nlattr *at = NULL;

	while (fw_expression_next(expressions, &at, &expression)) {
		struct fw_attrs attrs = fw_attrs_of(expression.data, FW_ATTRS_MAX);
		uint32_t key = fw_attr_u32(attrs.at[NFTA_META_KEY]);
		if (strcmp(expression.name, "meta") == 0 && attrs.at[NFTA_META_DREG] != NULL &&
			(key == NFT_META_IIF || key == NFT_META_OIF)) {
			return true;
		}
	}
	return false;
}

/* Of a namespace that stands in for another, only lo has its number. */
static void add_indices(struct reading *reading, bool apart) {
	struct if_nameindex *all = if_nameindex();

	for (const struct if_nameindex *one = all; one != NULL && one->if_index != 0; one++) {
		if (apart && strcmp(one->if_name, "lo") != 0) {
			continue;
		}
		const char *name = fw_arena_text(reading->arena, fw_slice(one->if_name));
		add_name(reading, name);
		FW_VEC_ADD(&reading->indices, (struct fw_rb_index){one->if_index, name});
	}
	if_freenameindex(all);
}

static void find_interfaces(struct reading *reading, bool apart) {
	const struct fw_dump *dump = &reading->content->dump;
	bool by_index = false;

	for (size_t i = 0; i < dump->chain_count; i++) {
		const struct fw_dump_chain *chain = &dump->chains[i];
		if (is_read(chain->table)) {
			add_devices(reading, chain);
		}
		for (size_t j = 0; is_read(chain->table) && j < chain->rule_count; j++) {
			find_names(reading, chain, &chain->rules[j]);
			by_index = by_index || asks_for_index(chain->rules[j].expressions);
		}
	}
	if (by_index) {
		add_indices(reading, apart);
	}
}

/* ---- lowering ---- */

static bool is_foreign(const struct fw_dump_table *table) {
	return strcmp(table->name, is_ip(table) ? "flowfw_nat" : "flowfw") != 0;
}

static fw_space seen_by(struct fw_spaces *spaces, const struct fw_dump_table *table) {
	enum fw_family family = table->family == NFPROTO_IPV4 ? FW_IPV4 : FW_IPV6;

	return is_ip(table) ? fw_space_interval(spaces, FW_VAR_FAMILY, fw_value((uint64_t)family),
				      fw_value((uint64_t)family))
			    : FW_SPACE_ALL;
}

static int compare_names(const void *left, const void *right) {
	return strcmp(left, *(const char *const *)right);
}

static uint64_t number_of(const struct fw_rb_interfaces *interfaces, const char *name) {
	const char *const *found = interfaces->count == 0
					   ? NULL
					   : bsearch(name, interfaces->names, interfaces->count,
						     sizeof(name), compare_names);

	return found == NULL ? 1 : (uint64_t)(found - interfaces->names) + 2;
}

/* Packets that come or go by one of a chain's devices. */
static fw_space on_devices(
	struct fw_lowering *lowering, const struct fw_dump_chain *chain, enum fw_var var) {
	fw_space set = FW_SPACE_EMPTY;

	for (size_t i = 0; i < chain->device_count; i++) {
		struct fw_addr number =
			fw_value(number_of(lowering->interfaces, chain->devices[i]));
		set = fw_space_union(lowering->spaces, set,
			fw_space_interval(lowering->spaces, var, number, number));
	}
	return set;
}

/* Chains on the devices themselves: before all others, and behind them. */
static bool place_on_devices(
	struct fw_lowering *lowering, const struct fw_dump_chain *from, struct fw_rb_chain *out) {
	bool egress = from->table->family == NFPROTO_NETDEV && from->hook == NETDEV_EGRESS;

	out->edge = egress ? FW_RB_BEHIND_ROUTING : FW_RB_BEFORE_ROUTING;
	out->priority = egress ? INT_MAX : INT_MIN;
	out->seen = on_devices(lowering, from, egress ? FW_VAR_OUT : FW_VAR_IN);
	return !from->more_devices;
}

/* Where a base chain stands. False: nobody knows. */
static bool place_chain(
	struct fw_lowering *lowering, const struct fw_dump_chain *from, struct fw_rb_chain *out) {
	bool nat = from->kind == FW_DUMP_NAT;

	if (from->table->family == NFPROTO_NETDEV || from->hook == NF_INET_INGRESS) {
		return place_on_devices(lowering, from, out);
	}
	out->nat = nat;
	switch (from->hook) {
	case NF_INET_PRE_ROUTING:
		out->edge = nat ? FW_RB_NO_EDGE : FW_RB_BEFORE_ROUTING;
		return true;
	case NF_INET_POST_ROUTING:
		out->edge = nat ? FW_RB_NO_EDGE : FW_RB_BEHIND_ROUTING;
		out->source = nat;
		return true;
	case NF_INET_LOCAL_IN:
		out->hook = nat ? FW_RB_NONE : FW_RB_INPUT;
		out->source = out->local = nat;
		return true;
	case NF_INET_LOCAL_OUT:
		out->hook = nat ? FW_RB_NONE : FW_RB_OUTPUT;
		out->local = nat;
		return true;
	case NF_INET_FORWARD:
		out->hook = FW_RB_FORWARD;
		return !nat;
	default:
		return false;
	}
}

/* A base chain at a place that is not known, or of a kind that is not. */
static void note_strange(struct fw_lowering *lowering, const char *name, struct fw_readback *out) {
	struct fw_rb_unknown *all =
		FW_ARENA_ARRAY(lowering->arena, struct fw_rb_unknown, out->unknown_count + 1);

	for (size_t i = 0; i < out->unknown_count; i++) {
		all[i] = out->unknowns[i];
	}
	all[out->unknown_count++] = (struct fw_rb_unknown){
		.place = {.text = name}, .what = "a chain of another kind, or on other devices"};
	out->unknowns = all;
}

static void lower_chain(struct fw_lowering *lowering, const struct fw_dump_chain *from,
	struct fw_rb_chain *to, struct fw_readback *out) {
	struct fw_rb_rules rules = {0};
	const struct fw_dump_table *table = from->table;

	if (!is_read(table)) {
		return;
	}
	const char *name = fw_arena_printf(
		lowering->arena, "%s %s", table_text(lowering->arena, table), from->name);
	*to = (struct fw_rb_chain){
		.priority = from->priority,
		.drops = from->drops,
		.foreign = is_foreign(table),
		.seen = seen_by(lowering->spaces, table),
		.place = {.text = fw_arena_printf(lowering->arena, "%s policy", name)},
	};
	if (from->base && (from->kind == FW_DUMP_OTHER_KIND || !place_chain(lowering, from, to))) {
		*to = (struct fw_rb_chain){0};
		note_strange(lowering, name, out);
		return;
	}
	for (size_t i = 0; i < from->rule_count; i++) {
		fw_lower_rule(lowering, from, &from->rules[i], &rules);
	}
	to->rules =
		fw_rb_copy(lowering->arena, rules.list.items, rules.list.count, sizeof(*to->rules));
	to->rule_count = rules.list.count;
	FW_VEC_FINI(&rules.list);
}

/* What lowering needs, each time that it is done. */
struct task {
	struct fw_arena *arena;
	struct fw_spaces *spaces;
	fw_space universe;
	const struct content *content;
	const struct fw_rb_interfaces *interfaces;
	const struct fw_place *asks_source, *asks_destination;
};

static bool lower_assuming(void *context, unsigned assumed, struct fw_readback *out) {
	struct task *task = context;
	const struct fw_dump *dump = &task->content->dump;
	struct fw_rb_chain *chains =
		FW_ARENA_ARRAY(task->arena, struct fw_rb_chain, dump->chain_count);
	struct fw_rb_program program = {.chains = chains, .chain_count = dump->chain_count};
	struct fw_lowering lowering = {
		.arena = task->arena,
		.spaces = task->spaces,
		.dump = dump,
		.interfaces = task->interfaces,
		.indices = task->content->indices,
		.index_count = task->content->index_count,
		.lookups = FW_ARENA_ARRAY(task->arena, struct fw_lookup *, dump->set_count),
		.assumed = assumed,
	};

	*out = (struct fw_readback){
		.unknowns = task->content->unknowns,
		.unknown_count = task->content->unknown_count,
		.remarks = task->content->remarks,
		.remark_count = task->content->remark_count,
	};
	for (size_t i = 0; i < dump->chain_count && !task->spaces->exhausted; i++) {
		lower_chain(&lowering, &dump->chains[i], &chains[i], out);
	}
	program.bypasses = lowering.bypasses.items;
	program.bypass_count = lowering.bypasses.count;
	bool whole = !task->spaces->exhausted &&
		     fw_rb_run(task->arena, task->spaces, task->universe, &program, out);
	FW_VEC_FINI(&lowering.bypasses);
	task->asks_source = lowering.asks_source;
	task->asks_destination = lowering.asks_destination;
	return whole;
}

static bool lower(const struct fw_ruleset *ruleset, struct fw_arena *arena,
	struct fw_spaces *spaces, const struct fw_rb_interfaces *interfaces,
	struct fw_readback *out) {
	fw_space universe = fw_space_universe(spaces, (unsigned)interfaces->count + 2);
	uint32_t mark = fw_spaces_mark(spaces);
	struct task task = {.arena = arena,
		.spaces = spaces,
		.universe = universe,
		.content = ruleset->content,
		.interfaces = interfaces};
	struct fw_readback result;

	if (!lower_assuming(&task, 0, &result)) {
		return false;
	}
	struct fw_rb_assuming assuming = {
		lower_assuming, &task, task.asks_source, task.asks_destination};
	bool asks = task.asks_source != NULL || task.asks_destination != NULL;
	if (asks && !fw_rb_assume(arena, spaces, &assuming, &result)) {
		return false;
	}
	fw_rb_release(arena, spaces, mark, &result);
	*out = result;
	return true;
}

/* ---- reading ---- */

#define KEEP(reading, vec)                                                                         \
	fw_rb_copy((reading)->arena, (vec)->items, (vec)->count, sizeof(*(vec)->items))

bool fw_dump_ruleset(struct fw_arena *arena, struct fw_dump_link *link, bool apart,
	struct fw_ruleset *out, bool *out_opaque, struct fw_diags *diags) {
	struct content *content = FW_ARENA_NEW(arena, struct content);
	FW_AUTO(reading_fini)
	struct reading reading = {.arena = arena, .content = content};

	if (!fw_dump_read(arena, link, &content->dump, diags)) {
		return false;
	}
	fw_scan_rules(&content->dump);
	*out_opaque = mark_opaque(&content->dump);
	for (size_t i = 0; i < content->dump.table_count; i++) {
		note_table(&reading, &content->dump.tables[i]);
	}
	for (size_t i = 0; i < content->dump.set_count; i++) {
		note_set(&reading, &content->dump.sets[i]);
	}
	find_interfaces(&reading, apart);
	content->indices = KEEP(&reading, &reading.indices);
	content->index_count = reading.indices.count;
	content->remarks = KEEP(&reading, &reading.remarks);
	content->remark_count = reading.remarks.count;
	content->unknowns = KEEP(&reading, &reading.unknowns);
	content->unknown_count = reading.unknowns.count;
	*out = (struct fw_ruleset){
		.names = KEEP(&reading, &reading.names),
		.name_count = reading.names.count,
		.content = content,
		.lower = lower,
	};
	return true;
}

bool fw_read_nftables(struct fw_arena *arena, bool apart, struct fw_ruleset *out, bool *out_opaque,
	struct fw_diags *diags) {
	struct fw_netlink netlink FW_AUTO(fw_netlink_close) = {0};
	struct fw_dump_link link = {send_to, receive_from, &netlink, 1};

	return fw_netlink_open(&netlink, diags) &&
	       fw_dump_ruleset(arena, &link, apart, out, out_opaque, diags);
}
