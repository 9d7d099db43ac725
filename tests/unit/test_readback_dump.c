// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Dumps that go wrong: a kernel of our own gives the answers, and disturbs them in each way that
 * netlink knows. What is disturbed is asked again, and in the end it is an error; half a rule set
 * is never taken for a whole one.
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
} kernel;

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
	extra->nfgen_family = NFPROTO_INET;
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
		mnl_attr_put_strz(header, NFTA_TABLE_NAME, "filter");
	}
	end(header);
}

static void put_chains(uint32_t sequence) {
	struct nlmsghdr *header = put_object(NFT_MSG_NEWCHAIN, sequence);
	mnl_attr_put_strz(header, NFTA_CHAIN_TABLE, "filter");
	mnl_attr_put_strz(header, NFTA_CHAIN_NAME, "input");
	end(header);
}

static void put_sets(uint32_t sequence) {
	struct nlmsghdr *header = put_object(NFT_MSG_NEWSET, sequence);
	mnl_attr_put_strz(header, NFTA_SET_TABLE, "filter");
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
		mnl_attr_put_strz(header, NFTA_RULE_TABLE, "filter");
		mnl_attr_put_strz(header, NFTA_RULE_CHAIN, "input");
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

int main(void) {
	Suite *suite = suite_create("readback-dump");
	TCase *one = tcase_create("dump");
	tcase_add_loop_test(one, what_is_disturbed_is_asked_again, 0, FW_LENGTH(passing));
	tcase_add_loop_test(one, what_is_always_disturbed_is_an_error, 0, FW_LENGTH(passing));
	tcase_add_loop_test(one, refusals_are_errors_at_once, 0, 2);
	suite_add_tcase(suite, one);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
