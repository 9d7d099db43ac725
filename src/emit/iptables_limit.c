// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Rates, as xt_limit and xt_hashlimit keep them, and what a file of one family must refuse: it
 * would load as something else than what was written.
 *
 * One bucket cannot serve two files, and a flow of both families has a bucket in each: so each
 * gets half of its rate and burst.
 */

#include <netinet/in.h>
#include <string.h>

#include "emit/iptables.h"

enum {
	TICKS = 10000,	    /* a second, to xt_limit (XT_LIMIT_SCALE) */
	TICKS_ENOUGH = 100, /* between packets: cutting the rest off a tick changes no 1 % */
	DAY = 24 * 60 * 60,
	/* A bucket that fills in a day fits the 32 bits of every kernel's xt_limit; more may not.
	 */
	REFILL_MAX = DAY,
	SOURCES_MAX = 65535,
	HASHLIMIT_NAME_MAX = 15, /* of revision 1, which iptables 1.6.0 writes */
	ICMP_ANY = 255,		 /* what iptables and the kernel take for every type */
};

static const uint32_t unit_seconds[FW_UNIT_COUNT] = {
	[FW_SECOND] = 1,
	[FW_MINUTE] = 60,
	[FW_HOUR] = 60 * 60,
	[FW_DAY] = DAY,
};

/* ---- what a flow meets ---- */

bool fw_ipt_covers_all(const struct fw_set *set, enum fw_family family, bool plain) {
	const struct fw_members *members = &set->members[family];
	size_t own = members->plain_count;

	return (own != 0 && fw_range_is_all(&members->items[0].range)) ||
	       (!plain && own < members->count && fw_range_is_all(&members->items[own].range));
}

bool fw_ipt_side_reaches(const struct fw_side *side, enum fw_family family) {
	return fw_side_has_family(side, family) &&
	       (side->except == NULL || !fw_ipt_covers_all(side->except, family, false));
}

bool fw_ipt_reaches(const struct fw_flow *flow, enum fw_family family) {
	return fw_flow_has_family(flow, family) && fw_ipt_side_reaches(&flow->source, family) &&
	       fw_ipt_side_reaches(&flow->destination, family);
}

static bool same_rate(const struct fw_rate *a, const struct fw_rate *b) {
	return a->count == b->count && a->unit == b->unit && a->burst == b->burst &&
	       a->per_source == b->per_source;
}

static bool same_log(const struct fw_log *a, const struct fw_log *b) {
	return a->on == b->on &&
	       (!a->on || (strcmp(a->prefix, b->prefix) == 0 && same_rate(&a->rate, &b->rate)));
}

bool fw_ipt_same_bucket(const struct fw_flow *a, const struct fw_flow *b) {
	return a->hook == b->hook && strcmp(a->service, b->service) == 0 &&
	       same_rate(&a->limit, &b->limit) && same_log(&a->log, &b->log);
}

/* Whether the bucket of a flow, which stands next to others that share it, is in both files. */
static bool in_both(const struct fw_policy *policy, const struct fw_flow *flow) {
	const struct fw_flow *end = policy->flows + policy->flow_count;
	bool reached[FW_FAMILY_COUNT] = {0};

	while (flow > policy->flows && fw_ipt_same_bucket(flow - 1, flow)) {
		flow--;
	}
	for (const struct fw_flow *at = flow; at < end && fw_ipt_same_bucket(at, flow); at++) {
		reached[FW_IPV4] |= fw_ipt_reaches(at, FW_IPV4);
		reached[FW_IPV6] |= fw_ipt_reaches(at, FW_IPV6);
	}
	return reached[FW_IPV4] && reached[FW_IPV6];
}

/* Half of 5/second is 150/minute. A count or burst of 0: there is no half. */
static struct fw_rate half_of(struct fw_rate rate) {
	if (rate.count % 2 != 0 && rate.unit != FW_DAY) {
		enum fw_unit longer = (enum fw_unit)(rate.unit + 1);
		rate.count *= unit_seconds[longer] / unit_seconds[rate.unit];
		rate.unit = longer;
	}
	rate.count /= 2;
	rate.burst /= 2;
	return rate;
}

/* What this file has of a flow's limit. */
static struct fw_rate flow_rate(const struct fw_policy *policy, const struct fw_flow *flow) {
	bool halved = flow->limit.count != 0 && !flow->limit.per_source && in_both(policy, flow);
	return halved ? half_of(flow->limit) : flow->limit;
}

/* ---- writing ---- */

const char *fw_ipt_limit(const struct fw_ipt *ipt, const struct fw_rate *rate) {
	if (rate->count == 0) {
		return "";
	}
	return fw_arena_printf(ipt->arena, " -m limit --limit %u/%s --limit-burst %u",
		(unsigned)rate->count, fw_unit_names[rate->unit], (unsigned)rate->burst);
}

/*
 * The kernel gives a rule that names a table of buckets the one that is there, with the rate that
 * it was made with: so the name changes with the rate. An entry that goes before its bucket is full
 * again would hand out a new burst too early.
 */
static const char *source_limit(struct fw_ipt *ipt, const struct fw_flow *flow, const char *use) {
	const struct fw_rate *rate = &flow->limit;
	const char *speed = fw_arena_printf(
		ipt->arena, "%u/%s", (unsigned)rate->count, fw_unit_names[rate->unit]);
	const char *key = fw_arena_printf(ipt->arena, "%s.%s.%s.%u.%u%s", flow->service,
		fw_hook_names[flow->hook], speed, (unsigned)rate->burst, ipt->serial, use);
	uint64_t refill = (uint64_t)rate->burst * unit_seconds[rate->unit] * 1000 / rate->count + 1;

	return fw_arena_printf(ipt->arena,
		" -m hashlimit --hashlimit-upto %s --hashlimit-burst %u --hashlimit-mode srcip"
		" --hashlimit-name %s --hashlimit-htable-max %d --hashlimit-htable-expire %llu",
		speed, (unsigned)rate->burst, fw_ipt_name(ipt, "", key, HASHLIMIT_NAME_MAX),
		SOURCES_MAX, (unsigned long long)refill);
}

const char *fw_ipt_flow_limit(struct fw_ipt *ipt, const struct fw_flow *flow, const char *use) {
	if (flow->limit.per_source) {
		return source_limit(ipt, flow, use);
	}
	struct fw_rate rate = flow_rate(ipt->policy, flow);
	return fw_ipt_limit(ipt, &rate);
}

/* ---- refusing ---- */

struct check {
	enum fw_family family;
	const char *backend;
	const struct fw_policy *policy;
	struct fw_diags *diags;
	const struct fw_flow *limited; /* the last flow whose limit was checked */
};

/* "…, which service 'x' asks for" */
static struct fw_diag *refuse(
	const struct check *check, const struct fw_flow *flow, const char *what) {
	return fw_refusal(check->diags, flow->span, "not-expressible",
		"backend '%s' cannot express %s, which service '%s' asks for", check->backend, what,
		flow->service);
}

/* `who` is in front of the rate in a message. */
static void check_rate(const struct check *check, const struct fw_rate *rate, struct fw_span span,
	const char *who) {
	if (rate->count == 0) {
		return;
	}
	uint64_t ticks = (uint64_t)TICKS * unit_seconds[rate->unit];
	uint64_t between = ticks / rate->count;
	if (between < TICKS_ENOUGH && between * rate->count != ticks) {
		struct fw_diag *diag = fw_refusal(check->diags, span, "not-expressible",
			"backend '%s' would make a higher rate of %s: %u/%s", check->backend, who,
			(unsigned)rate->count, fw_unit_names[rate->unit]);
		fw_diag_hint(check->diags, diag, "%llu/%s can be kept",
			(unsigned long long)(ticks / (between + 1)), fw_unit_names[rate->unit]);
	}
	uint64_t most = (uint64_t)REFILL_MAX * rate->count / unit_seconds[rate->unit];
	if (rate->burst > most) {
		struct fw_diag *diag = fw_refusal(check->diags, span, "not-expressible",
			"backend '%s' cannot keep %s, whose burst of %u takes more than a day at "
			"%u/%s",
			check->backend, who, (unsigned)rate->burst, (unsigned)rate->count,
			fw_unit_names[rate->unit]);
		fw_diag_hint(
			check->diags, diag, "a burst of %llu would do", (unsigned long long)most);
	}
}

/* Once for all flows that share a bucket. */
static void check_limit(struct check *check, const struct fw_flow *flow) {
	if (check->limited != NULL && fw_ipt_same_bucket(check->limited, flow)) {
		return;
	}
	check->limited = flow;
	struct fw_rate rate = flow_rate(check->policy, flow);
	if (flow->limit.count != 0 && (rate.count == 0 || rate.burst == 0)) {
		struct fw_diag *diag = refuse(check, flow, "half of a limit for each family");
		fw_diag_hint(check->diags, diag,
			"a higher rate or burst, or addresses of one family only");
		return;
	}
	if (!same_rate(&rate, &flow->limit)) {
		struct fw_diag *diag = fw_warning(check->diags, flow->span, "lowered",
			"backend '%s' gives service '%s' half of its limit: the other half is for "
			"the other family",
			check->backend, flow->service);
		fw_diag_about(check->diags, diag, flow->service);
	}
	check_rate(check, &rate, flow->span, "the limit");
	if (flow->log.on) {
		check_rate(check, &flow->log.rate, flow->span, "the log's limit");
	}
}

static void check_clauses(const struct check *check, const struct fw_flow *flow) {
	for (size_t i = 0; i < flow->clause_count; i++) {
		const struct fw_clause *clause = &flow->clauses[i];
		if (clause->protocol == IPPROTO_IP) {
			refuse(check, flow, "protocol 0, which stands for any");
		}
		for (size_t j = 0; check->family == FW_IPV4 && clause->family == FW_IPV4 &&
				   j < clause->type_count;
			j++) {
			if (clause->types[j].type == ICMP_ANY) {
				refuse(check, flow, "ICMP type 255, which stands for any");
			}
		}
	}
}

bool fw_ipt_check(enum fw_family family, const char *backend, const struct fw_policy *policy,
	struct fw_diags *diags) {
	struct check check = {family, backend, policy, diags, NULL};
	size_t errors = diags->errors;

	for (size_t i = 0; i < policy->flow_count; i++) {
		const struct fw_flow *flow = &policy->flows[i];
		if (policy->hooks[flow->hook].verdict != FW_UNTOUCHED &&
			fw_ipt_reaches(flow, family)) {
			check_limit(&check, flow);
			check_clauses(&check, flow);
		}
	}
	if (policy->log.on) {
		check_rate(&check, &policy->log.rate, policy->log_span, "the log's limit");
	}
	return diags->errors == errors;
}
