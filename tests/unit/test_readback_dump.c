// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Dumps that go wrong: a kernel of our own gives the answers, and disturbs them in each way that
 * netlink knows. What is disturbed is asked again, and in the end it is an error; half a rule set
 * is never taken for a whole one. And dumps of what no kernel here would hold: expressions of
 * others, names that are none, attributes cut off or anywhere.
 */

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter_bridge.h>
#include <netinet/in.h>

#include "readback/nftables.h"

/* ---- a kernel ---- */

enum trouble {
	NO_TROUBLE,
	INTERRUPTED, /* NLM_F_DUMP_INTR: the dump was disturbed */
	LOST,	     /* ENOBUFS: some answers were dropped */
	SIGNALLED,   /* EINTR: nothing happened */
	CUT_SHORT,   /* a message is not whole */
	NOT_ENDED,   /* the last message does not come */
	VANISHED,    /* ENOENT: a set was removed meanwhile */
	CHANGED,     /* the rules are other ones in the end */
	NAMELESS,    /* a table without a name */
	FORBIDDEN,   /* EPERM */
	DONE_BADLY,  /* the dump ends with an error */
};

static struct {
	enum trouble trouble;
	unsigned times;	   /* how often it is made */
	unsigned attempts; /* dumps of tables that were begun */
	unsigned generation;
	char answer[16384];
	size_t length;
	uint16_t type; /* of the request that is answered */
	int error;     /* errno, before the answer */
	bool quiet;    /* the answer was taken */
	const char *table;
	void (*expressions)(struct nlmsghdr *header, uint64_t rule);
	bool garbles;
	uint8_t family; /* of the table; 0: inet */
	uint32_t hook;	/* of the chain; 0: forward */
} kernel;

static unsigned garble_state;

static unsigned garble_random(unsigned count) {
	garble_state = garble_state * 1664525 + 1013904223;
	return (garble_state >> 8) % count;
}

static bool in_trouble(enum trouble trouble) {
	return kernel.trouble == trouble && kernel.times != 0;
}

static struct nlmsghdr *put(uint16_t type, uint32_t sequence) {
	struct nlmsghdr *header = mnl_nlmsg_put_header(kernel.answer + kernel.length);
	header->nlmsg_type = type;
	header->nlmsg_seq = sequence;
	header->nlmsg_flags = NLM_F_MULTI;
	return header;
}

static struct nlmsghdr *put_object(uint16_t type, uint32_t sequence) {
	struct nlmsghdr *header = put((NFNL_SUBSYS_NFTABLES << 8) | type, sequence);
	struct nfgenmsg *extra = mnl_nlmsg_put_extra_header(header, sizeof(*extra));
	extra->nfgen_family = kernel.family != 0 ? kernel.family : NFPROTO_INET;
	return header;
}

static void end(const struct nlmsghdr *header) {
	kernel.length += header->nlmsg_len;
}

static void put_done(uint32_t sequence, int error) {
	struct nlmsghdr *header = put(NLMSG_DONE, sequence);
	int32_t *status = mnl_nlmsg_put_extra_header(header, sizeof(*status));
	*status = error;
	end(header);
}

static void put_error(uint32_t sequence, int error) {
	struct nlmsghdr *header = put(NLMSG_ERROR, sequence);
	struct nlmsgerr *answer = mnl_nlmsg_put_extra_header(header, sizeof(*answer));
	answer->error = -error;
	end(header);
}

static void put_generation(uint32_t sequence) {
	struct nlmsghdr *header = put_object(NFT_MSG_NEWGEN, sequence);
	mnl_attr_put_u32(header, NFTA_GEN_ID, htonl(kernel.generation));
	end(header);
	if (in_trouble(CHANGED)) {
		kernel.generation++;
		kernel.times -= kernel.generation % 2;
	}
}

static void put_tables(uint32_t sequence) {
	struct nlmsghdr *header = put_object(NFT_MSG_NEWTABLE, sequence);
	kernel.attempts++;
	if (in_trouble(NAMELESS)) {
		kernel.times--;
	} else {
		mnl_attr_put_strz(header, NFTA_TABLE_NAME, kernel.table);
	}
	end(header);
}

static void put_chains(uint32_t sequence) {
	struct nlmsghdr *header = put_object(NFT_MSG_NEWCHAIN, sequence);
	mnl_attr_put_strz(header, NFTA_CHAIN_TABLE, kernel.table);
	mnl_attr_put_strz(header, NFTA_CHAIN_NAME, "input");
	mnl_attr_put_u32(header, NFTA_CHAIN_POLICY, htonl(0));
	struct nlattr *hook = mnl_attr_nest_start(header, NFTA_CHAIN_HOOK);
	mnl_attr_put_u32(
		header, NFTA_HOOK_HOOKNUM, htonl(kernel.hook != 0 ? kernel.hook : NF_INET_FORWARD));
	mnl_attr_put_u32(header, NFTA_HOOK_PRIORITY, htonl(0));
	mnl_attr_nest_end(header, hook);
	end(header);
}

static void put_sets(uint32_t sequence) {
	struct nlmsghdr *header = put_object(NFT_MSG_NEWSET, sequence);
	mnl_attr_put_strz(header, NFTA_SET_TABLE, kernel.table);
	mnl_attr_put_strz(header, NFTA_SET_NAME, "ports");
	mnl_attr_put_u32(header, NFTA_SET_KEY_LEN, htonl(2));
	end(header);
}

static void put_element(struct nlmsghdr *header, uint16_t port) {
	struct nlattr *element = mnl_attr_nest_start(header, NFTA_LIST_ELEM);
	struct nlattr *key = mnl_attr_nest_start(header, NFTA_SET_ELEM_KEY);
	mnl_attr_put_u16(header, NFTA_DATA_VALUE, htons(port));
	mnl_attr_nest_end(header, key);
	mnl_attr_nest_end(header, element);
}

/* In two pieces. */
static void put_elements(uint32_t sequence) {
	for (uint16_t i = 0; i < 2; i++) {
		struct nlmsghdr *header = put_object(NFT_MSG_NEWSETELEM, sequence);
		struct nlattr *list = mnl_attr_nest_start(header, NFTA_SET_ELEM_LIST_ELEMENTS);
		put_element(header, (uint16_t)(10 * i + 1));
		put_element(header, (uint16_t)(10 * i + 2));
		mnl_attr_nest_end(header, list);
		end(header);
	}
}

static void put_rules(uint32_t sequence) {
	for (uint64_t i = 0; i < 3; i++) {
		struct nlmsghdr *header = put_object(NFT_MSG_NEWRULE, sequence);
		mnl_attr_put_strz(header, NFTA_RULE_TABLE, kernel.table);
		mnl_attr_put_strz(header, NFTA_RULE_CHAIN, "input");
		mnl_attr_put(header, NFTA_RULE_USERDATA, 6, "\0\n\033[2J");
		if (kernel.expressions != NULL) {
			struct nlattr *list = mnl_attr_nest_start(header, NFTA_RULE_EXPRESSIONS);
			kernel.expressions(header, i);
			mnl_attr_nest_end(header, list);
		}
		end(header);
	}
}

/* Troubles of the dump of elements, the last one and the longest. */
static void disturb(uint32_t sequence) {
	struct nlmsghdr *first = (struct nlmsghdr *)(void *)kernel.answer;
	size_t whole = kernel.length;

	if (kernel.times == 0 || kernel.trouble == NO_TROUBLE || kernel.trouble == CHANGED ||
		kernel.trouble == NAMELESS) {
		return;
	}
	kernel.times--;
	switch (kernel.trouble) {
	case INTERRUPTED:
		first->nlmsg_flags |= NLM_F_DUMP_INTR;
		break;
	case LOST:
		kernel.error = ENOBUFS;
		break;
	case SIGNALLED:
		kernel.error = EINTR;
		break;
	case CUT_SHORT:
		kernel.length = first->nlmsg_len + 20;
		break;
	case NOT_ENDED:
		kernel.length = whole - NLMSG_SPACE(sizeof(int32_t));
		break;
	case VANISHED:
		kernel.length = 0;
		put_error(sequence, ENOENT);
		break;
	case FORBIDDEN:
		kernel.length = 0;
		put_error(sequence, EPERM);
		break;
	case DONE_BADLY:
		kernel.length = whole - NLMSG_SPACE(sizeof(int32_t));
		put_done(sequence, -EINVAL);
		break;
	case NO_TROUBLE:
	case CHANGED:
	case NAMELESS:
		break;
	}
}

/* Changes some bytes behind the headers of a message. */
static void garble(void) {
	size_t start = NLMSG_HDRLEN + sizeof(struct nfgenmsg);

	for (unsigned i = 0; kernel.length > start + 8 && i < 1 + garble_random(3); i++) {
		size_t at = start + garble_random((unsigned)(kernel.length - start - 4));
		uint16_t number = (uint16_t)garble_random(40);
		switch (garble_random(4)) {
		case 0:
			kernel.answer[at] ^= (char)(1 << garble_random(8));
			break;
		case 1:
			memcpy(kernel.answer + (at & ~(size_t)3), &number, sizeof(number));
			break;
		case 2:
			memcpy(kernel.answer + (at & ~(size_t)3) + 2, &number, sizeof(number));
			break;
		default:
			kernel.answer[at] = (char)garble_random(256);
			break;
		}
	}
}

static ssize_t send_request(void *context, const void *bytes, size_t length) {
	const struct nlmsghdr *header = bytes;
	uint32_t sequence = header->nlmsg_seq;
	(void)context;
	kernel.length = 0;
	kernel.quiet = false;
	kernel.type = header->nlmsg_type & 0xff;
	switch (kernel.type) {
	case NFT_MSG_GETGEN:
		put_generation(sequence);
		return (ssize_t)length;
	case NFT_MSG_GETTABLE:
		put_tables(sequence);
		break;
	case NFT_MSG_GETCHAIN:
		put_chains(sequence);
		break;
	case NFT_MSG_GETSET:
		put_sets(sequence);
		break;
	case NFT_MSG_GETRULE:
		put_rules(sequence);
		break;
	case NFT_MSG_GETSETELEM:
		put_elements(sequence);
		break;
	default:
		break;
	}
	if (kernel.garbles && garble_random(4) == 0) {
		garble();
	}
	put_done(sequence, 0);
	if (kernel.type == NFT_MSG_GETSETELEM) {
		disturb(sequence);
	}
	return (ssize_t)length;
}

static ssize_t receive_answer(void *context, void *buffer, size_t size) {
	(void)context;
	if (kernel.error != 0) {
		errno = kernel.error;
		kernel.error = 0;
		return -1;
	}
	if (kernel.quiet || kernel.length == 0) {
		errno = EAGAIN;
		return -1;
	}
	ck_assert_uint_le(kernel.length, size);
	memcpy(buffer, kernel.answer, kernel.length);
	kernel.quiet = true;
	return (ssize_t)kernel.length;
}

static bool read_all(enum trouble trouble, unsigned times, struct fw_arena *arena,
	struct fw_dump *out, struct fw_diags *diags) {
	struct fw_dump_link link = {send_request, receive_answer, NULL, 1};
	memset(&kernel, 0, sizeof(kernel));
	kernel.trouble = trouble;
	kernel.times = times;
	kernel.table = "filter";
	return fw_dump_read(arena, &link, out, diags);
}

/* ---- tests ---- */

static void check_whole(const struct fw_dump *dump) {
	ck_assert_uint_eq(dump->table_count, 1);
	ck_assert_uint_eq(dump->chain_count, 1);
	ck_assert_uint_eq(dump->chains[0].rule_count, 3);
	ck_assert_uint_eq(dump->set_count, 1);
	ck_assert_uint_eq(dump->sets[0].element_count, 4);
	const uint8_t last[] = {0, 12};
	ck_assert_mem_eq(dump->sets[0].elements[3].key, last, sizeof(last));
	ck_assert_ptr_eq(
		fw_dump_find(dump, FW_DUMP_SET, &dump->tables[0], "ports", 0), &dump->sets[0]);
	ck_assert_ptr_null(fw_dump_find(dump, FW_DUMP_SET, &dump->tables[0], "input", 0));
}

static const struct {
	enum trouble trouble;
	bool again; /* it is asked again, else it does not matter at all */
} passing[] = {
	{NO_TROUBLE, false},
	{INTERRUPTED, true},
	{LOST, true},
	{SIGNALLED, false},
	{CUT_SHORT, true},
	{NOT_ENDED, true},
	{VANISHED, true},
	{CHANGED, true},
	{NAMELESS, true},
};

START_TEST(what_is_disturbed_is_asked_again) {
	struct fw_arena arena FW_AUTO(fw_arena_fini) = {0};
	struct fw_diags diags FW_AUTO(fw_diags_fini) = {0};
	struct fw_dump dump;
	ck_assert(read_all(passing[_i].trouble, 3, &arena, &dump, &diags));
	check_whole(&dump);
	ck_assert_uint_eq(diags.errors, 0);
	ck_assert_uint_eq(kernel.attempts, passing[_i].again ? 4 : 1);
}
END_TEST

START_TEST(what_is_always_disturbed_is_an_error) {
	struct fw_arena arena FW_AUTO(fw_arena_fini) = {0};
	struct fw_diags diags FW_AUTO(fw_diags_fini) = {0};
	struct fw_dump dump;
	if (!passing[_i].again) {
		return;
	}
	ck_assert(!read_all(passing[_i].trouble, 1000, &arena, &dump, &diags));
	ck_assert_uint_eq(diags.errors, 1);
	ck_assert_str_eq(diags.list.items[0]->id, "kernel-changing");
	ck_assert_uint_eq(kernel.attempts, FW_DUMP_ATTEMPTS);
}
END_TEST

START_TEST(refusals_are_errors_at_once) {
	static const struct {
		enum trouble trouble;
		const char *id;
	} refusals[] = {{FORBIDDEN, "kernel-permission"}, {DONE_BADLY, "kernel-netlink"}};
	struct fw_arena arena FW_AUTO(fw_arena_fini) = {0};
	struct fw_diags diags FW_AUTO(fw_diags_fini) = {0};
	struct fw_dump dump;
	ck_assert(!read_all(refusals[_i].trouble, 1, &arena, &dump, &diags));
	ck_assert_uint_eq(diags.errors, 1);
	ck_assert_str_eq(diags.list.items[0]->id, refusals[_i].id);
	ck_assert_uint_eq(kernel.attempts, 1);
}
END_TEST

/* ---- what no kernel here would hold ---- */

static struct nlattr *start_expression(struct nlmsghdr *header, const char *name) {
	struct nlattr *expression = mnl_attr_nest_start(header, NFTA_LIST_ELEM);
	mnl_attr_put_strz(header, NFTA_EXPR_NAME, name);
	return expression;
}

static void put_unknown(struct nlmsghdr *header, const char *name) {
	struct nlattr *expression = start_expression(header, name);
	struct nlattr *data = mnl_attr_nest_start(header, NFTA_EXPR_DATA);
	mnl_attr_put_u32(header, 1, htonl(7));
	mnl_attr_put_u32(header, 99, htonl(7));
	mnl_attr_nest_end(header, data);
	mnl_attr_nest_end(header, expression);
}

static void put_flow_table(struct nlmsghdr *header) {
	struct nlattr *expression = start_expression(header, "flow_offload");
	struct nlattr *data = mnl_attr_nest_start(header, NFTA_EXPR_DATA);
	mnl_attr_put_strz(header, NFTA_FLOW_TABLE_NAME, "fast");
	mnl_attr_nest_end(header, data);
	mnl_attr_nest_end(header, expression);
}

static void put_load(struct nlmsghdr *header, const char *name, unsigned key, uint32_t value) {
	struct nlattr *expression = start_expression(header, name);
	struct nlattr *data = mnl_attr_nest_start(header, NFTA_EXPR_DATA);
	mnl_attr_put_u32(header, key, htonl(value));
	mnl_attr_put_u32(header, 3 - key, htonl(NFT_REG_1)); /* 1 and 2: register and key */
	mnl_attr_nest_end(header, data);
	mnl_attr_nest_end(header, expression);
}

static void put_value(struct nlmsghdr *header, uint16_t attr, const void *bytes, size_t length) {
	struct nlattr *value = mnl_attr_nest_start(header, attr);
	mnl_attr_put(header, NFTA_DATA_VALUE, length, bytes);
	mnl_attr_nest_end(header, value);
}

static void put_equal(struct nlmsghdr *header, const void *bytes, size_t length) {
	struct nlattr *expression = start_expression(header, "cmp");
	struct nlattr *data = mnl_attr_nest_start(header, NFTA_EXPR_DATA);
	mnl_attr_put_u32(header, NFTA_CMP_SREG, htonl(NFT_REG_1));
	mnl_attr_put_u32(header, NFTA_CMP_OP, htonl(NFT_CMP_EQ));
	put_value(header, NFTA_CMP_DATA, bytes, length);
	mnl_attr_nest_end(header, data);
	mnl_attr_nest_end(header, expression);
}

static void put_lookup(struct nlmsghdr *header) {
	struct nlattr *expression = start_expression(header, "lookup");
	struct nlattr *data = mnl_attr_nest_start(header, NFTA_EXPR_DATA);
	mnl_attr_put_strz(header, NFTA_LOOKUP_SET, "ports");
	mnl_attr_put_u32(header, NFTA_LOOKUP_SREG, htonl(NFT_REG_1));
	mnl_attr_nest_end(header, data);
	mnl_attr_nest_end(header, expression);
}

static void put_verdict(struct nlmsghdr *header, uint32_t code) {
	struct nlattr *expression = start_expression(header, "immediate");
	struct nlattr *data = mnl_attr_nest_start(header, NFTA_EXPR_DATA);
	mnl_attr_put_u32(header, NFTA_IMMEDIATE_DREG, htonl(NFT_REG_VERDICT));
	struct nlattr *value = mnl_attr_nest_start(header, NFTA_IMMEDIATE_DATA);
	struct nlattr *verdict = mnl_attr_nest_start(header, NFTA_DATA_VERDICT);
	mnl_attr_put_u32(header, NFTA_VERDICT_CODE, htonl(code));
	mnl_attr_nest_end(header, verdict);
	mnl_attr_nest_end(header, value);
	mnl_attr_nest_end(header, data);
	mnl_attr_nest_end(header, expression);
}

/* flow add, then established connections are accepted, or only those of TCP. */
static void put_flow(struct nlmsghdr *header, const uint8_t *protocol) {
	const uint32_t established = 2;
	put_load(header, "ct", NFTA_CT_KEY, NFT_CT_STATE);
	put_equal(header, &established, sizeof(established));
	if (protocol != NULL) {
		put_load(header, "meta", NFTA_META_KEY, NFT_META_L4PROTO);
		put_equal(header, protocol, 1);
	}
	put_verdict(header, NF_ACCEPT);
}

static void put_flows(struct nlmsghdr *header, uint64_t rule) {
	if (rule == 0) {
		put_flow_table(header);
	} else if (rule == 1) {
		put_flow(header, NULL);
	}
}

static void put_some_flows(struct nlmsghdr *header, uint64_t rule) {
	static const uint8_t tcp = IPPROTO_TCP;
	if (rule == 0) {
		put_flow_table(header);
	} else if (rule == 1) {
		put_flow(header, &tcp);
	}
}

static void put_queue(struct nlmsghdr *header, uint64_t rule) {
	if (rule == 1) {
		put_unknown(header, "queue");
	}
}

static void put_newer(struct nlmsghdr *header, uint64_t rule) {
	if (rule == 2) {
		put_unknown(header, "quantum\n");
		put_verdict(header, NF_ACCEPT);
	}
}

static void put_queue_verdict(struct nlmsghdr *header, uint64_t rule) {
	if (rule == 2) {
		put_verdict(header, NF_QUEUE);
	}
}

/* Some of all. */
static void put_all(struct nlmsghdr *header, uint64_t rule) {
	const uint32_t established = 2;
	if (rule == 0) {
		put_load(header, "meta", NFTA_META_KEY, NFT_META_L4PROTO);
		put_lookup(header);
		put_verdict(header, NF_DROP);
	} else if (rule == 1) {
		put_load(header, "ct", NFTA_CT_KEY, NFT_CT_STATE);
		put_equal(header, &established, sizeof(established));
		put_unknown(header, "limit");
		put_unknown(header, "payload");
	} else {
		put_load(header, "meta", NFTA_META_KEY, NFT_META_IIFNAME);
		put_equal(header, "eth0", 5);
		put_unknown(header, "bitwise");
		put_unknown(header, "fib");
		put_unknown(header, "dynset");
		put_verdict(header, NF_ACCEPT);
	}
}

/* False: the dump was refused. */
static bool lower_all(struct fw_arena *arena, struct fw_spaces *spaces, struct fw_readback *out) {
	struct fw_diags diags FW_AUTO(fw_diags_fini) = {0};
	struct fw_dump_link link = {send_request, receive_answer, NULL, 1};
	struct fw_ruleset ruleset;
	bool opaque;
	if (!fw_dump_ruleset(arena, &link, false, &ruleset, &opaque, &diags)) {
		ck_assert_uint_eq(diags.errors, 1);
		return false;
	}
	struct fw_rb_interfaces interfaces = {
		ruleset.names, ruleset.name_count < 2 ? ruleset.name_count : 0};
	ck_assert(ruleset.lower(&ruleset, arena, spaces, &interfaces, out));
	return true;
}

static const struct {
	void (*expressions)(struct nlmsghdr *header, uint64_t rule);
	const char *what; /* NULL: all is understood */
} strangers[] = {
	{put_flows, NULL},
	{put_some_flows, "a flow table"},
	{put_queue, "'queue'"},
	{put_newer, "'quantum\n'"},
	{put_queue_verdict, "a verdict of another kind"},
};

START_TEST(what_is_not_known_is_named) {
	struct fw_arena arena FW_AUTO(fw_arena_fini) = {0};
	struct fw_spaces spaces FW_AUTO(fw_spaces_fini) = {0};
	struct fw_readback readback;
	fw_spaces_init(&spaces, NULL);
	memset(&kernel, 0, sizeof(kernel));
	kernel.table = "a\nb";
	kernel.expressions = strangers[_i].expressions;
	ck_assert(lower_all(&arena, &spaces, &readback));
	ck_assert_uint_eq(readback.unknown_count, strangers[_i].what != NULL);
	if (strangers[_i].what != NULL) {
		ck_assert_ptr_nonnull(strstr(readback.unknowns[0].what, strangers[_i].what));
		ck_assert_ptr_nonnull(strstr(readback.unknowns[0].place.text, "inet a\nb input"));
		ck_assert_int_eq(readback.unknowns[0].hook, FW_RB_FORWARD);
	}
}
END_TEST

START_TEST(garbled_answers_do_no_harm) {
	struct fw_spaces spaces FW_AUTO(fw_spaces_fini) = {0};
	struct fw_readback readback;
	unsigned lowered = 0;
	fw_spaces_init(&spaces, NULL);
	for (unsigned i = 0; i < 400; i++) {
		struct fw_arena arena FW_AUTO(fw_arena_fini) = {0};
		uint32_t mark = fw_spaces_mark(&spaces);
		memset(&kernel, 0, sizeof(kernel));
		kernel.table = "filter";
		kernel.expressions = put_all;
		kernel.garbles = true;
		garble_state = (unsigned)_i * 1000 + i;
		lowered += lower_all(&arena, &spaces, &readback);
		fw_spaces_release(&spaces, mark, NULL, 0);
	}
	ck_assert_uint_gt(lowered, 100);
}
END_TEST

/* Frames that a bridge hands on are nobody's input or output. */
START_TEST(what_bridges_drop_is_of_a_hook) {
	static const struct {
		uint32_t number;
		enum fw_rb_hook hook;
	} hooks[] = {
		{NF_BR_LOCAL_IN, FW_RB_NONE},
		{NF_BR_FORWARD, FW_RB_FORWARD},
		{NF_BR_LOCAL_OUT, FW_RB_NONE},
		{NF_BR_POST_ROUTING, FW_RB_NONE},
	};
	struct fw_arena arena FW_AUTO(fw_arena_fini) = {0};
	struct fw_spaces spaces FW_AUTO(fw_spaces_fini) = {0};
	struct fw_readback readback;
	fw_spaces_init(&spaces, NULL);
	memset(&kernel, 0, sizeof(kernel));
	kernel.table = "switch";
	kernel.family = NFPROTO_BRIDGE;
	kernel.hook = hooks[_i].number;
	ck_assert(lower_all(&arena, &spaces, &readback));
	ck_assert_uint_eq(readback.unknown_count, 1);
	ck_assert_str_eq(readback.unknowns[0].place.text, "bridge switch");
	ck_assert(readback.unknowns[0].hook == hooks[_i].hook);
}
END_TEST

int main(void) {
	Suite *suite = suite_create("readback-dump");
	TCase *one = tcase_create("dump");
	tcase_add_loop_test(one, what_is_disturbed_is_asked_again, 0, FW_LENGTH(passing));
	tcase_add_loop_test(one, what_is_always_disturbed_is_an_error, 0, FW_LENGTH(passing));
	tcase_add_loop_test(one, refusals_are_errors_at_once, 0, 2);
	tcase_add_loop_test(one, what_is_not_known_is_named, 0, FW_LENGTH(strangers));
	tcase_add_loop_test(one, what_bridges_drop_is_of_a_hook, 0, 4);
	tcase_add_loop_test(one, garbled_answers_do_no_harm, 0, 4);
	suite_add_tcase(suite, one);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
