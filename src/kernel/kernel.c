// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Hands a table to the kernel, and turns what it refuses into diagnostics at the place in the
 * profile that asked for it.
 */

#include "kernel/kernel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/transaction.h"

/** One hand-over. */
struct run {
	const struct fw_nft_table *table; /* the one that filters */
	struct fw_netlink *netlink;
	struct fw_transaction transaction;
	size_t beginning;		   /* bytes that every batch begins with */
	FW_VEC(struct fw_subject) refused; /* each of them has been told */
	bool commit, stopped;		   /* stopped: there is no use in going on */
	struct fw_diags *diags;
};

/* ---- which part of a rule ---- */

static bool has_refused(const struct fw_transaction *transaction, const struct fw_nft_rule *rule,
	const struct fw_netlink_answer *answers, int count) {
	for (int i = 0; i < count; i++) {
		if (fw_transaction_subject(transaction, answers[i].sequence)->rule == rule) {
			return true;
		}
	}
	return false;
}

/*
 * The kernel says that it refuses a rule, not what in it. So the rule is tried again with its first
 * expression only, then with the first two, and so on, each time in a dry run of its own: the one
 * that makes it refused is named. NULL: none of them did.
 */
static const char *find_culprit(struct run *run, const struct fw_subject *subject) {
	struct fw_transaction trial FW_AUTO(fw_transaction_fini) = {0};
	struct fw_netlink_answer answers[FW_ANSWERS_MAX];
	const char *last = NULL;
	size_t keep = 0, total;
	int count;

	do {
		fw_transaction_begin(&trial, run->netlink, run->table);
		total = fw_transaction_rule(
			&trial, subject->table, subject->chain, subject->rule, ++keep, &last);
		count = fw_batch_check(&trial.batch, answers, run->diags);
		if (has_refused(&trial, subject->rule, answers, count)) {
			return last;
		}
	} while (count >= 0 && keep < total);
	return NULL;
}

/* ---- what the kernel lacks ---- */

/** A part that is not in every kernel with nf_tables: expressions by name, and other objects. */
static const struct part {
	const char *name, *words, *needs;
} parts[] = {
	{"table", "a table",
		"CONFIG_NF_TABLES_INET, CONFIG_NF_TABLES_IPV4 and CONFIG_NF_TABLES_IPV6"},
	{"chain", "a chain", "CONFIG_NF_TABLES_INET"},
	{"nat chain", "a chain that translates",
		"CONFIG_NFT_NAT (module nft_chain_nat; nft_chain_nat_ipv4 and nft_chain_nat_ipv6 "
		"if it is an older one)"},
	{"counter", "a counter", "CONFIG_NFT_COUNTER (module nft_counter) if it is an older one"},
	{"set", "a set", "CONFIG_NF_TABLES_SET (module nf_tables_set) if it is an older one"},
	{"ct", "connection tracking", "CONFIG_NFT_CT (module nft_ct)"},
	{"dynset", "a limit for each source",
		"CONFIG_NFT_LIMIT (module nft_limit), and CONFIG_NF_TABLES_SET (module "
		"nf_tables_set) if it is an older one"},
	{"limit", "a rate limit", "CONFIG_NFT_LIMIT (module nft_limit)"},
	{"log", "logging",
		"CONFIG_NFT_LOG (module nft_log) and CONFIG_NF_LOG_SYSLOG (module nf_log_syslog; "
		"nf_log_ipv4 and nf_log_ipv6 if it is an older one)"},
	{"masq", "masquerade",
		"CONFIG_NFT_MASQ (module nft_masq; nft_masq_ipv4 if it is an older one)"},
	{"nat", "a translation", "CONFIG_NFT_NAT (module nft_nat)"},
	{"objref", "a named counter or limit",
		"CONFIG_NFT_OBJREF (module nft_objref) if it is an older one"},
	{"reject", "a reject", "CONFIG_NFT_REJECT_INET (module nft_reject_inet)"},
};

static const struct part *find_part(const char *name) {
	for (size_t i = 0; name != NULL && i < FW_LENGTH(parts); i++) {
		if (strcmp(parts[i].name, name) == 0) {
			return &parts[i];
		}
	}
	return NULL;
}

/* Not every refusal is for want of something; these are what a missing module comes back as. */
static bool is_lack(int error) {
	return error == ENOENT || error == EOPNOTSUPP || error == EAFNOSUPPORT ||
	       error == EPROTONOSUPPORT;
}

/* ---- telling ---- */

static const char *const kind_names[FW_SUBJECT_COUNT] = {
	[FW_SUBJECT_TABLE] = "table",
	[FW_SUBJECT_CHAIN] = "chain",
	[FW_SUBJECT_COUNTER] = "counter",
	[FW_SUBJECT_LIMIT] = "limit",
	[FW_SUBJECT_SET] = "set",
};

static struct fw_diag *tell_rule(
	struct run *run, const struct fw_subject *subject, const struct part *part, int error) {
	const struct fw_flow *flow = subject->rule->flow;
	const char *owner = flow != NULL ? flow->service : subject->chain->name;
	const char *owner_kind = flow != NULL ? "service" : "chain";

	if (part != NULL) {
		return fw_failure_at(run->diags, subject->span, "kernel-refuses", error,
			"the running kernel cannot load %s in the rules of %s '%s'", part->words,
			owner_kind, owner);
	}
	return fw_failure_at(run->diags, subject->span, "kernel-refuses", error,
		"the running kernel cannot load the rules of %s '%s'", owner_kind, owner);
}

/** What it takes to load a subject that is no rule. */
static const struct part *part_of(const struct fw_subject *subject) {
	bool nat = subject->kind == FW_SUBJECT_CHAIN && subject->chain->nat != FW_NFT_NAT_NONE;

	return find_part(nat ? "nat chain" : kind_names[subject->kind]);
}

static void tell(struct run *run, const struct fw_subject *subject, int error) {
	const struct part *part;
	struct fw_diag *diag;

	if (subject->kind == FW_SUBJECT_RULE) {
		part = find_part(subject->nameless ? "set" : find_culprit(run, subject));
		diag = tell_rule(run, subject, part, error);
	} else {
		part = part_of(subject);
		diag = fw_failure_at(run->diags, subject->span, "kernel-refuses", error,
			"the running kernel cannot load the %s '%s'", kind_names[subject->kind],
			subject->name);
	}
	if (is_lack(error) && part != NULL) {
		fw_diag_hint(run->diags, diag, "the kernel needs %s", part->needs);
	}
}

/* ---- telling once ---- */

/** A service is told once, whichever of its rules was refused. */
static bool is_same(const struct fw_subject *a, const struct fw_subject *b) {
	if (a->kind != b->kind || a->table != b->table) {
		return false;
	}
	if (a->kind != FW_SUBJECT_RULE) {
		return strcmp(a->name, b->name) == 0;
	}
	return a->rule == b->rule || (a->rule->flow != NULL && a->rule->flow == b->rule->flow);
}

static bool uses_set(const struct fw_nft_rule *rule, const char *name) {
	for (size_t i = 0; i < rule->match_count; i++) {
		if (rule->matches[i].set != NULL && strcmp(rule->matches[i].set->name, name) == 0) {
			return true;
		}
	}
	for (size_t i = 0; i < rule->statement_count; i++) {
		const struct fw_nft_set *set = rule->statements[i].set;

		if (set != NULL && strcmp(set->name, name) == 0) {
			return true;
		}
	}
	return false;
}

/** Whether some statement of this kind names `name`. */
static bool uses(
	const struct fw_nft_rule *rule, enum fw_nft_statement_kind kind, const char *name) {
	for (size_t i = 0; i < rule->statement_count; i++) {
		if (rule->statements[i].kind == kind &&
			strcmp(rule->statements[i].text, name) == 0) {
			return true;
		}
	}
	return false;
}

/** Whether `subject` could not but be refused once `cause` was. */
static bool follows(const struct fw_subject *subject, const struct fw_subject *cause) {
	const struct fw_nft_rule *rule = subject->rule;

	if (cause->kind == FW_SUBJECT_TABLE) {
		return subject->table != NULL &&
		       strcmp(cause->name, fw_table_words[subject->table->family]) == 0;
	}
	if (rule == NULL || subject->table != cause->table) {
		return false;
	}
	switch (cause->kind) {
	case FW_SUBJECT_CHAIN:
		return strcmp(subject->chain->name, cause->name) == 0 ||
		       uses(rule, FW_NFT_JUMP, cause->name);
	case FW_SUBJECT_COUNTER:
		return uses(rule, FW_NFT_COUNTER, cause->name);
	case FW_SUBJECT_LIMIT:
		return uses(rule, FW_NFT_LIMIT_NAMED, cause->name);
	case FW_SUBJECT_SET:
		return uses_set(rule, cause->name);
	case FW_SUBJECT_NONE:
	case FW_SUBJECT_TABLE:
	case FW_SUBJECT_RULE:
		break;
	}
	return false;
}

static void refuse(struct run *run, const struct fw_subject *subject, int error) {
	for (size_t i = 0; i < run->refused.count; i++) {
		const struct fw_subject *before = &run->refused.items[i];

		if (is_same(subject, before) || follows(subject, before)) {
			return;
		}
	}
	FW_VEC_ADD(&run->refused, *subject);
	tell(run, subject, error);
}

/* ---- batches ---- */

static void begin(struct run *run) {
	fw_transaction_begin(&run->transaction, run->netlink, run->table);
	run->beginning = run->transaction.batch.bytes.length;
}

static void send(struct run *run) {
	struct fw_netlink_answer answers[FW_ANSWERS_MAX];
	struct fw_batch *batch = &run->transaction.batch;
	int count = run->commit ? fw_batch_commit(batch, answers, run->diags)
				: fw_batch_check(batch, answers, run->diags);

	if (count < 0) {
		run->stopped = true;
		return;
	}
	for (int i = 0; i < count; i++) {
		refuse(run, fw_transaction_subject(&run->transaction, answers[i].sequence),
			answers[i].error);
	}
}

/*
 * A batch is one system call, and how long it may be is up to the socket: without privilege over
 * the whole machine it cannot hold a set of 100,000 addresses. A dry run may ask in several, each
 * of which begins with the declarations: neither rules nor elements depend on one another. Only the
 * sum of a set's elements is then not held against its size.
 */
static void make_room(struct run *run) {
	size_t length = run->transaction.batch.bytes.length;

	if (!run->commit && length > run->beginning &&
		length + FW_MESSAGE_MAX > run->netlink->limit) {
		send(run);
		begin(run);
	}
}

static void add_elements(
	struct run *run, const struct fw_nft_table *table, const struct fw_nft_set *set) {
	for (size_t first = 0; first < set->count && !run->stopped; first += FW_PIECE) {
		make_room(run);
		fw_transaction_piece(&run->transaction, table, set, first);
	}
}

static void add_rules(
	struct run *run, const struct fw_nft_table *table, const struct fw_nft_chain *chain) {
	const char *last;

	for (size_t i = 0; i < chain->rule_count && !run->stopped; i++) {
		make_room(run);
		fw_transaction_rule(
			&run->transaction, table, chain, &chain->rules[i], SIZE_MAX, &last);
	}
}

static void fill(struct run *run, const struct fw_nft_table *table) {
	for (size_t i = 0; i < table->set_count; i++) {
		add_elements(run, table, table->sets[i]);
	}
	for (size_t i = 0; i < table->chain_count; i++) {
		add_rules(run, table, &table->chains[i]);
	}
}

static void run_fini(struct run *run) {
	fw_transaction_fini(&run->transaction);
	FW_VEC_FINI(&run->refused);
}

bool fw_kernel_run(const struct fw_nft_table *table, struct fw_netlink *netlink, bool commit,
	struct fw_diags *diags) {
	struct run run FW_AUTO(run_fini) = {
		.table = table,
		.netlink = netlink,
		.commit = commit,
		.diags = diags,
	};

	begin(&run);
	fill(&run, table);
	for (int family = FW_IPV4; family < FW_FAMILY_COUNT; family++) {
		if (table->nat[family] != NULL) {
			fill(&run, table->nat[family]);
		}
	}
	if (!run.stopped) {
		send(&run);
	}
	return !run.stopped && run.refused.count == 0;
}

bool fw_kernel_check(const struct fw_nft_table *table, struct fw_diags *diags) {
	struct fw_netlink netlink FW_AUTO(fw_netlink_close) = {0};

	return fw_netlink_open(&netlink, diags) && fw_kernel_run(table, &netlink, false, diags);
}
