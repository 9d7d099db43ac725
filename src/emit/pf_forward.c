// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Forwarded packets, which come in on one interface and go out on another.
 *
 * What comes in has its addresses after ports were forwarded and before sources are translated, as
 * the forward hook sees them, so it is decided there; a tag remembers what is left to ask as it
 * goes out: whether its interface is one of those that the flow has. Tags stay with a packet on its
 * way through the kernel, a state puts its own on each packet of it, and a rule sees what `match`
 * rules before it gave (pf.conf, tag; pf_match_tag() and pf_tag_packet() of pf.c). The tags:
 *
 *   flowfw_local               this host's own, by its address
 *   flowfw_translated          forwarded to a device; gone once it is known who called
 *   flowfw_forward, _hairpin   on its way through; past the rules: let in, to go out anywhere
 *   flowfw_stateless           let in by a rule without a state
 *   flowfw_forward_to_em1 …    let in, to go out on em1 alone
 *   flowfw_sent                let out; its replies have that tag by their state, and are not
 *                              taken for what was let in, should the state of the way in be gone
 *
 * A packet that the kernel wraps or unwraps may keep its tag (IPsec, gif), and is another packet
 * then. So what comes in gets a tag by its addresses first of all, and so does what goes out with
 * an address of this host.
 */

#include "emit/pf.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum { TAG_MAX = 63 }; /* PF_TAG_NAME_SIZE with its NUL is 64 */

static const char *const kind_tags[FW_PF_KIND_COUNT] = {
	[FW_PF_KEPT] = "flowfw_forward",
	[FW_PF_HAIRPIN] = "flowfw_hairpin",
	[FW_PF_STATELESS] = "flowfw_stateless",
};

/* ---- exits ---- */

static int compare_texts(const void *left, const void *right) {
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static int compare_bits(const void *left, const void *right) {
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
	return (a > b) - (a < b);
}

static bool has_interface(const struct fw_pf_forward *forward, const char *name) {
	for (size_t i = 0; i < forward->interface_count; i++) {
		if (strcmp(forward->interfaces[i], name) == 0) {
			return true;
		}
	}
	return false;
}

/* The interfaces that flows ask for as a packet goes out. False: too many. */
static bool collect_interfaces(struct fw_pf_forward *forward, const struct fw_policy *policy) {
	for (size_t i = 0; i < policy->flow_count; i++) {
		const struct fw_flow *flow = &policy->flows[i];
		for (size_t j = 0; flow->hook == FW_FORWARD && j < flow->out_interfaces.count;
			j++) {
			const char *name = flow->out_interfaces.items[j];
			if (has_interface(forward, name)) {
				continue;
			}
			if (forward->interface_count == FW_PF_INTERFACES_MAX) {
				return false;
			}
			forward->interfaces[forward->interface_count++] = name;
		}
	}
	if (forward->interface_count != 0) {
		qsort(forward->interfaces, forward->interface_count, sizeof(const char *),
			compare_texts);
	}
	return true;
}

static uint64_t bits_of(const struct fw_pf_forward *forward, const struct fw_names *names) {
	uint64_t bits = 0;
	for (size_t i = 0; i < names->count; i++) {
		for (size_t j = 0; j < forward->interface_count; j++) {
			bool same = strcmp(forward->interfaces[j], names->items[i]) == 0;
			bits |= (uint64_t)(same ? 1 : 0) << j;
		}
	}
	return bits;
}

bool fw_pf_forward_is_anywhere(const struct fw_pf_forward *forward, const struct fw_flow *flow) {
	return bits_of(forward, &flow->out_interfaces) == 0;
}

bool fw_pf_forward_covers(const struct fw_pf_forward *forward, const struct fw_flow *outer,
	const struct fw_flow *flow) {
	uint64_t all = bits_of(forward, &outer->out_interfaces);
	uint64_t bits = bits_of(forward, &flow->out_interfaces);

	return all == 0 || (bits != 0 && (bits & ~all) == 0);
}

/* That of a flow plus 1; 0: none, or that of flows with a limit alone. */
static size_t list_of(const struct fw_pf_forward *forward, const struct fw_flow *flow) {
	uint64_t bits = bits_of(forward, &flow->out_interfaces);
	for (size_t i = 0; i < forward->list_count; i++) {
		if (forward->lists[i] == bits) {
			return i + 1;
		}
	}
	return 0;
}

/* Whether it is one of the flows that have a list, with a limit or without. */
static bool has_list(const struct fw_flow *flow, bool limited) {
	return flow->hook == FW_FORWARD && flow->out_interfaces.count != 0 &&
	       (flow->limit.count != 0) == limited;
}

/* False: too many. */
static bool collect_lists(struct fw_pf_forward *forward, const struct fw_policy *policy) {
	for (size_t i = 0; i < policy->flow_count; i++) {
		const struct fw_flow *flow = &policy->flows[i];
		if (!has_list(flow, false) || list_of(forward, flow) != 0) {
			continue;
		}
		if (forward->list_count == FW_PF_EXITS_MAX) {
			return false;
		}
		forward->lists[forward->list_count++] = bits_of(forward, &flow->out_interfaces);
	}
	if (forward->list_count != 0) {
		qsort(forward->lists, forward->list_count, sizeof(uint64_t), compare_bits);
	}
	return true;
}

static struct fw_pf_exit *find_exit(struct fw_pf_forward *forward, uint64_t bits) {
	for (size_t i = 0; i < forward->exit_count; i++) {
		if (forward->exits[i].bits == bits) {
			return &forward->exits[i];
		}
	}
	return NULL;
}

static struct fw_names names_of(
	const struct fw_pf_forward *forward, struct fw_arena *arena, uint64_t bits) {
	const char **items = FW_ARENA_ARRAY(arena, const char *, forward->interface_count);
	size_t count = 0;

	for (size_t i = 0; i < forward->interface_count; i++) {
		if (bits >> i & 1) {
			items[count++] = forward->interfaces[i];
		}
	}
	return (struct fw_names){items, count};
}

/*
 * "flowfw_forward_to_em1+em2". One that is too long ends in its number instead, which no
 * interface has for a name.
 */
static const char *exit_tag(
	struct fw_arena *arena, const char *kind, const struct fw_names *names, size_t number) {
	FW_AUTO(fw_buf_fini) struct fw_buf tag = {0};
	FW_AUTO(fw_buf_fini) struct fw_buf end = {0};

	fw_buf_add_text(&tag, kind);
	for (size_t i = 0; i < names->count; i++) {
		fw_buf_add_text(&tag, i == 0 ? "_to_" : "+");
		fw_buf_add_text(&tag, names->items[i]);
	}
	if (tag.length > TAG_MAX) {
		fw_buf_printf(&end, "+%zu", number);
		tag.length = TAG_MAX - end.length;
		fw_buf_add_slice(&tag, fw_buf_slice(&end));
	}
	return fw_arena_text(arena, fw_buf_slice(&tag));
}

/* False: too many. */
static bool add_exit(struct fw_pf_forward *forward, struct fw_arena *arena, uint64_t bits) {
	if (forward->exit_count == FW_PF_EXITS_MAX) {
		return false;
	}
	struct fw_pf_exit *exit = &forward->exits[forward->exit_count];
	*exit = (struct fw_pf_exit){.bits = bits, .names = names_of(forward, arena, bits)};
	for (int kind = FW_PF_KEPT; kind < FW_PF_KIND_COUNT; kind++) {
		exit->tags[kind] =
			exit_tag(arena, kind_tags[kind], &exit->names, forward->exit_count);
	}
	forward->exit_count++;
	return true;
}

/* Whatever lists come to together, each once; what the first lists do, first. */
static bool collect_unions(struct fw_pf_forward *forward, struct fw_arena *arena) {
	for (size_t i = 0; i < forward->list_count; i++) {
		forward->reach[i] = forward->exit_count;
		for (size_t j = 0; j < forward->reach[i]; j++) {
			uint64_t bits = forward->exits[j].bits | forward->lists[i];
			if (find_exit(forward, bits) == NULL && !add_exit(forward, arena, bits)) {
				return false;
			}
		}
	}
	return true;
}

/* Those of flows with a limit. */
static bool collect_limited(
	struct fw_pf_forward *forward, struct fw_arena *arena, const struct fw_policy *policy) {
	for (size_t i = 0; i < policy->flow_count; i++) {
		const struct fw_flow *flow = &policy->flows[i];
		uint64_t bits = bits_of(forward, &flow->out_interfaces);
		if (has_list(flow, true) && find_exit(forward, bits) == NULL &&
			!add_exit(forward, arena, bits)) {
			return false;
		}
	}
	return true;
}

static bool has_flow(const struct fw_policy *policy) {
	bool has = false;
	for (size_t i = 0; i < policy->flow_count && !has; i++) {
		has = policy->flows[i].hook == FW_FORWARD;
	}
	return has;
}

void fw_pf_forward_init(
	struct fw_pf_forward *forward, struct fw_arena *arena, const struct fw_policy *policy) {
	const struct fw_hook_policy *hooks = policy->hooks;
	enum fw_verdict verdict = hooks[FW_FORWARD].verdict;

	*forward = (struct fw_pf_forward){.fits = true};
	forward->on = verdict != FW_UNTOUCHED &&
		      (policy->translation.on || hooks[FW_INPUT].verdict == FW_UNTOUCHED ||
			      hooks[FW_OUTPUT].verdict == FW_UNTOUCHED || has_flow(policy));
	for (int family = FW_IPV4; family < FW_FAMILY_COUNT; family++) {
		forward->hairpin[family] =
			fw_pf_has_hairpin(&policy->translation, (enum fw_family)family);
	}
	/* Where all may pass, so may what a flow allows elsewhere. */
	if (forward->on && verdict != FW_ACCEPT) {
		forward->fits =
			collect_interfaces(forward, policy) && collect_lists(forward, policy);
	}
	add_exit(forward, arena, 0);
	forward->fits = forward->fits && collect_unions(forward, arena) &&
			collect_limited(forward, arena, policy);
}

bool fw_pf_forward_uses(const struct fw_pf_forward *forward, enum fw_pf_kind kind) {
	bool used = false;
	for (size_t i = 0; i < forward->exit_count && !used; i++) {
		used = forward->exits[i].used[kind];
	}
	return used;
}

/* ---- rules for what comes in ---- */

static bool may_hairpin(const struct fw_pf_forward *forward, const struct fw_pf_rule *rule) {
	bool ports = rule->protocol == IPPROTO_TCP || rule->protocol == IPPROTO_UDP ||
		     rule->protocol == 0;
	return ports && rule->stateful &&
	       (rule->family != FW_FAMILY_NONE
			       ? forward->hairpin[rule->family]
			       : forward->hairpin[FW_IPV4] || forward->hairpin[FW_IPV6]);
}

static enum fw_pf_kind kind_of(const struct fw_pf_rule *rule) {
	return rule->stateful ? FW_PF_KEPT : FW_PF_STATELESS;
}

/* The tag that a packet of the kind has before a rule gives it the first exit. */
static const char *tag_before(const struct fw_pf_exit *exit, enum fw_pf_kind kind) {
	bool first = exit->bits == 0 && kind == FW_PF_STATELESS;
	return exit->tags[first ? FW_PF_KEPT : kind];
}

static void add_tagged(struct fw_pf_lowering *lowering, const struct fw_pf_rule *rule,
	struct fw_pf_exit *exit, enum fw_pf_kind kind) {
	struct fw_pf_rule added = *rule;

	added.tagged = tag_before(&lowering->forward->exits[0], kind);
	added.tag = exit->tags[kind];
	exit->used[kind] = true;
	FW_VEC_ADD(&lowering->rules, added);
}

/* To any interface: the tag that a packet has already says that, but for what has no state. */
static void add_anywhere(struct fw_pf_lowering *lowering, const struct fw_pf_rule *rule) {
	struct fw_pf_forward *forward = lowering->forward;
	struct fw_pf_exit *exit = &forward->exits[0];
	struct fw_pf_rule added = *rule;

	added.not_tagged = FW_PF_LOCAL_TAG;
	if (rule->in) {
		added.tag = rule->stateful ? NULL : exit->tags[FW_PF_STATELESS];
		exit->used[kind_of(rule)] = true;
		exit->used[FW_PF_HAIRPIN] |= may_hairpin(forward, rule);
	}
	FW_VEC_ADD(&lowering->rules, added);
}

/* What goes out is asked for its tag alone; a rule for that is of the hook's verdict. */
static void add_rule(struct fw_pf_lowering *lowering, const struct fw_pf_rule *rule) {
	struct fw_pf_forward *forward = lowering->forward;

	forward->options |= rule->options;
	if (fw_pf_forward_is_anywhere(forward, rule->flow)) {
		add_anywhere(lowering, rule);
	} else if (forward->list_count > 1 && !rule->limited) {
		struct fw_pf_rule added = *rule;
		added.not_tagged = FW_PF_LOCAL_TAG; // fw_pf_forward_prelude() gave the tag
		FW_VEC_ADD(&lowering->rules, added);
	} else {
		struct fw_pf_exit *exit =
			find_exit(forward, bits_of(forward, &rule->flow->out_interfaces));
		add_tagged(lowering, rule, exit, kind_of(rule));
		if (may_hairpin(forward, rule)) {
			add_tagged(lowering, rule, exit, FW_PF_HAIRPIN);
		}
	}
}

void fw_pf_forward_tag(struct fw_pf_lowering *lowering, size_t first) {
	size_t count = lowering->rules.count - first;
	struct fw_pf_rule *rules = FW_ARENA_ARRAY(lowering->arena, struct fw_pf_rule, count);

	if (count != 0) {
		memcpy(rules, lowering->rules.items + first, count * sizeof(*rules));
	}
	lowering->rules.count = first;
	for (size_t i = 0; i < count; i++) {
		add_rule(lowering, &rules[i]);
	}
}

/* ---- flows with different out-interfaces ---- */

static void add_step(struct fw_buf *out, struct fw_arena *arena, const struct fw_pf_rule *rule,
	const struct fw_pf_exit *from, struct fw_pf_exit *to, enum fw_pf_kind kind) {
	if (from->bits != 0 && !from->used[kind]) {
		return;
	}
	to->used[kind] = true;
	fw_pf_add_line(out, "match in", rule,
		fw_arena_printf(arena, "tagged %s tag %s", tag_before(from, kind), to->tags[kind]));
}

/* From whatever a packet may take by earlier lists, to that and this list. */
static void add_steps(struct fw_buf *out, struct fw_pf_lowering *lowering,
	const struct fw_pf_rule *rule, size_t list) {
	struct fw_pf_forward *forward = lowering->forward;

	for (size_t i = 0; i < forward->reach[list]; i++) {
		const struct fw_pf_exit *from = &forward->exits[i];
		struct fw_pf_exit *to = find_exit(forward, from->bits | forward->lists[list]);
		if (from == to) {
			continue;
		}
		add_step(out, lowering->arena, rule, from, to, kind_of(rule));
		if (may_hairpin(forward, rule)) {
			add_step(out, lowering->arena, rule, from, to, FW_PF_HAIRPIN);
		}
	}
}

static void add_list(struct fw_buf *out, struct fw_pf_lowering *lowering,
	const struct fw_policy *policy, size_t list) {
	const struct fw_pf_forward *forward = lowering->forward;

	for (size_t i = 0; i < policy->flow_count; i++) {
		const struct fw_flow *flow = &policy->flows[i];
		if (!has_list(flow, false) || list_of(forward, flow) != list + 1) {
			continue;
		}
		fw_pf_lower_plain(lowering, flow, true);
		for (size_t j = 0; j < lowering->rules.count; j++) {
			add_steps(out, lowering, &lowering->rules.items[j], list);
		}
		lowering->rules.count = 0;
	}
}

/*
 * A packet may be in flows of several lists, and take what any of them allows. The first rule that
 * lets it in knows its own list alone, so all lists are gone through before.
 */
void fw_pf_forward_prelude(
	struct fw_buf *out, struct fw_pf_lowering *lowering, const struct fw_policy *policy) {
	if (lowering->forward->list_count < 2) {
		return;
	}
	fw_pf_separate(out);
	fw_buf_add_text(out, "# forward: where it may go out\n");
	for (size_t i = 0; i < lowering->forward->list_count; i++) {
		add_list(out, lowering, policy, i);
	}
}

/* ---- what is forwarded ---- */

static void add_match(
	struct fw_buf *out, const char *tagged, const char *not_tagged, const char *tag) {
	fw_buf_add_text(out, "match in from any to any");
	fw_pf_add_tags(out, tagged, not_tagged, tag);
	fw_buf_add_char(out, '\n');
}

static void add_callers(
	struct fw_buf *out, struct fw_pf_lowering *lowering, const struct fw_set *callers) {
	static const struct fw_clause clause = {.protocol = 0};
	const struct fw_flow flow = {
		.hook = FW_FORWARD,
		.source = {&callers, 1, NULL},
		.clauses = &clause,
		.clause_count = 1,
	};
	const char *options = fw_arena_printf(lowering->arena, "tagged %s tag %s",
		FW_PF_TRANSLATED_TAG, kind_tags[FW_PF_HAIRPIN]);

	fw_pf_lower_plain(lowering, &flow, true);
	for (size_t i = 0; i < lowering->rules.count; i++) {
		fw_pf_add_line(out, "match in", &lowering->rules.items[i], options);
	}
	lowering->rules.count = 0;
}

void fw_pf_forward_arrive(
	struct fw_buf *out, struct fw_pf_lowering *lowering, const struct fw_policy *policy) {
	const struct fw_pf_forward *forward = lowering->forward;
	bool hairpin = forward->hairpin[FW_IPV4] || forward->hairpin[FW_IPV6];
	const char *through = kind_tags[FW_PF_KEPT];

	fw_pf_separate(out);
	fw_buf_add_text(out, "# what is on its way through, and what is this host's\n");
	add_match(out, NULL, hairpin ? FW_PF_TRANSLATED_TAG : NULL, through);
	if (hairpin) {
		add_callers(out, lowering, policy->translation.hairpin);
		add_match(out, FW_PF_TRANSLATED_TAG, NULL, through);
	}
	fw_buf_add_text(out, "match in from any to $local_to tag " FW_PF_LOCAL_TAG "\n");
}

/* What found its exit has the tag of what may go out anywhere from here on. */
static void add_exits(
	struct fw_buf *out, const struct fw_pf_forward *forward, enum fw_pf_kind kind) {
	for (size_t i = 1; i < forward->exit_count; i++) {
		const struct fw_pf_exit *exit = &forward->exits[i];
		if (exit->used[kind]) {
			fw_buf_add_text(out, "match out");
			fw_pf_add_interfaces(out, &exit->names);
			fw_buf_add_text(out, " from any to any");
			fw_pf_add_tags(out, exit->tags[kind], NULL, kind_tags[kind]);
			fw_buf_add_char(out, '\n');
		}
	}
}

static void add_pass(struct fw_buf *out, const char *tagged, const char *state) {
	fw_buf_add_text(out, "pass out quick from any to any");
	fw_pf_add_tags(out, tagged, NULL, "flowfw_sent");
	fw_buf_printf(out, " %s label \"flowfw: forward\"\n", state);
}

static void add_kind(
	struct fw_buf *out, const struct fw_pf_forward *forward, enum fw_pf_kind kind) {
	const char *state = kind != FW_PF_STATELESS ? "keep state"
			    : forward->options	    ? "no state allow-opts"
						    : "no state";

	if (fw_pf_forward_uses(forward, kind)) {
		add_pass(out, kind_tags[kind], state);
	}
}

/* What FreeBSD translated has this host's address by now; what did asked for its exit before. */
static void add_natted(struct fw_buf *out) {
	fw_pf_separate(out);
	fw_buf_add_text(out, "# forward: what was let in and is translated\n");
	add_pass(out, FW_PF_NATTED_TAG, "keep state");
}

void fw_pf_forward_leave(struct fw_buf *out, const struct fw_pf_forward *forward,
	struct fw_slice sources, enum fw_pf_dialect dialect) {
	bool freebsd = dialect == FW_PF_FREEBSD;

	if (freebsd && sources.length != 0) {
		add_natted(out);
	}
	fw_pf_separate(out);
	fw_buf_add_text(out, "# what this host sends, and what was let in and goes out\n"
			     "match out from $local_from to any tag " FW_PF_LOCAL_TAG "\n");
	for (int kind = FW_PF_KEPT; kind < FW_PF_KIND_COUNT; kind++) {
		if (kind != FW_PF_HAIRPIN || !freebsd) {
			add_exits(out, forward, (enum fw_pf_kind)kind);
		}
	}
	if (!freebsd) {
		fw_buf_add_slice(out, sources);
	}
	for (int kind = FW_PF_KEPT; kind < FW_PF_KIND_COUNT; kind++) {
		if (kind != FW_PF_HAIRPIN || !freebsd) {
			add_kind(out, forward, (enum fw_pf_kind)kind);
		}
	}
}
