// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * All packets of one direction through the rules at once, as sets. The last rule that matches
 * decides, so packets go on in streams, by what was decided of them so far, until a quick rule or
 * the end of the rules makes it final. What a rule matches may get a tag or another address on its
 * way, for the rules behind it.
 *
 * Neighbouring rules of one kind, which change nothing on the way, are taken as one: among them
 * order makes no difference, and there may be many of them.
 */

#include "readback/pf.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum {
	NAMED_MAX = 2048, /* rules of one kind, one after the other, that are told one by one */
	CLUSTERS_MAX = 16,
	STEPS_MAX = 256, /* rules, or rows of one kind, until sets are forgotten */
};

struct run {
	struct fw_pfr_scene *scene;
	struct fw_spaces *spaces;
	struct fw_pfr_streams streams;
	struct fw_pfr_hits hits; /* in the order of rules; those of a batch backwards */
	struct fw_pfr_journey *out;
	unsigned depth;
	uint32_t mark; /* sets from behind it are this run's */
	size_t steps;  /* since those that nobody needs were forgotten */
};

/* ---- forgetting ---- */

struct handles {
	FW_VEC(fw_space) list;
	size_t taken;
};

/* Gathers sets, or puts them back in the same order. */
static void keep(struct handles *handles, fw_space *set, bool back) {
	if (back) {
		*set = handles->list.items[handles->taken++];
	} else {
		FW_VEC_ADD(&handles->list, *set);
	}
}

static void keep_all(struct run *run, struct handles *handles, bool back) {
	struct fw_pfr_streams *streams[] = {&run->streams, &run->out->ends};
	struct fw_pfr_hits *hits[] = {&run->hits, &run->out->translated};

	for (size_t i = 0; i < FW_LENGTH(streams); i++) {
		for (size_t j = 0; j < streams[i]->list.count; j++) {
			keep(handles, &streams[i]->list.items[j].set, back);
		}
	}
	for (size_t i = 0; i < FW_LENGTH(hits); i++) {
		for (size_t j = 0; j < hits[i]->list.count; j++) {
			keep(handles, &hits[i]->list.items[j].set, back);
		}
	}
}

/* Each rule leaves sets behind that were on their way before it. */
static void forget(struct run *run) {
	struct handles handles = {0};

	if (run->depth != 0 || ++run->steps < STEPS_MAX || run->spaces->exhausted) {
		return;
	}
	run->steps = 0;
	keep_all(run, &handles, false);
	fw_spaces_release(run->spaces, run->mark, handles.list.items, handles.list.count);
	keep_all(run, &handles, true);
	FW_VEC_FINI(&handles.list);
}

/* ---- streams ---- */

static bool same_way(const struct fw_pfr_stream *a, const struct fw_pfr_stream *b) {
	return a->kind == b->kind && a->rated == b->rated && a->redirect == b->redirect &&
	       a->nat == b->nat && a->depth == b->depth;
}

static void add_stream(struct run *run, struct fw_pfr_streams *streams, struct fw_pfr_stream one) {
	if (one.set == FW_SPACE_EMPTY) {
		return;
	}
	for (size_t i = 0; i < streams->list.count; i++) {
		struct fw_pfr_stream *other = &streams->list.items[i];
		if (same_way(other, &one)) {
			other->set = fw_space_union(run->spaces, other->set, one.set);
			return;
		}
	}
	FW_VEC_ADD(&streams->list, one);
}

/*
 * FreeBSD keeps a state of what it translates, whatever the rules say of states. As sources are
 * translated on the way out, and destinations on the way in, each way looks at its own.
 */
static fw_space translated_space(struct run *run, const struct fw_pfr_stream *one) {
	if (run->scene->config->dialect != FW_RB_FREEBSD) {
		return FW_SPACE_EMPTY;
	}
	if (run->scene->direction == FW_PFR_OUT) {
		return one->nat != NULL ? one->set : FW_SPACE_EMPTY;
	}
	return fw_space_intersect(
		run->spaces, one->set, fw_pfr_is(run->spaces, FW_VAR_TRANSLATED, 1));
}

static void add_end(struct run *run, struct fw_pfr_stream one) {
	one.depth = 0;
	if (one.kind == FW_PFR_UNMATCHED) {
		struct fw_pfr_stream dropped = one;
		dropped.kind = FW_PFR_DROPPED;
		dropped.set =
			fw_space_intersect(run->spaces, one.set, fw_pfr_membership(run->spaces));
		one.set = fw_space_subtract(run->spaces, one.set, dropped.set);
		add_stream(run, &run->out->ends, dropped);
	}
	if (one.kind == FW_PFR_UNMATCHED || one.kind == FW_PFR_STATELESS) {
		struct fw_pfr_stream kept = one;
		kept.kind = FW_PFR_PASSED;
		kept.set = translated_space(run, &one);
		one.set = fw_space_subtract(run->spaces, one.set, kept.set);
		add_stream(run, &run->out->ends, kept);
	}
	add_stream(run, &run->out->ends, one);
}

static void add_hit(struct fw_pfr_hits *hits, const struct fw_pfr_rule *rule,
	const struct fw_pfr_rule *last, fw_space set) {
	if (set != FW_SPACE_EMPTY) {
		FW_VEC_ADD(&hits->list, (struct fw_pfr_hit){rule, last, set, false});
	}
}

/*
 * Of what a rule passes, what it drops for its IP options, before there is a state. Some releases
 * know router alert, and let it pass whatever the rule says.
 */
static fw_space optioned(struct run *run, const struct fw_pfr_rule *rule, fw_space set) {
	if (!rule->without_opts) {
		return FW_SPACE_EMPTY;
	}
	set = fw_space_intersect(run->spaces, set, fw_pfr_membership(run->spaces));
	if (set != FW_SPACE_EMPTY) {
		fw_pfr_remark(run->scene->notes,
			fw_arena_printf(run->scene->arena,
				"%s: multicast membership passes by rules without 'allow-opts' on "
				"some releases of pf, and is taken to be dropped",
				run->scene->config->name));
	}
	return set;
}

/* Takes that out of a stream. */
static struct fw_pfr_stream cut_optioned(
	struct run *run, const struct fw_pfr_rule *rule, struct fw_pfr_stream *stream) {
	struct fw_pfr_stream dropped = *stream;

	dropped.kind = FW_PFR_DROPPED;
	dropped.set = optioned(run, rule, stream->set);
	stream->set = fw_space_subtract(run->spaces, stream->set, dropped.set);
	return dropped;
}

/* Of rules that decide, all alike: what they do, and what they drop for its IP options. */
static void add_hits(struct run *run, const struct fw_pfr_rule *rule,
	const struct fw_pfr_rule *last, fw_space set) {
	fw_space dropped = optioned(run, rule, set);

	add_hit(&run->hits, rule, last, fw_space_subtract(run->spaces, set, dropped));
	if (dropped != FW_SPACE_EMPTY) {
		FW_VEC_ADD(&run->hits.list, (struct fw_pfr_hit){rule, last, dropped, true});
	}
}

/* What is on its way, among packets whose source was translated alike. There may be a stream for
 * each rule with bounds. */
static fw_space live_space(struct run *run, const struct fw_pfr_rule *nat) {
	size_t count = 0;
	fw_space *sets = fw_resize(NULL, run->streams.list.count + 1, sizeof(*sets));

	for (size_t i = 0; i < run->streams.list.count; i++) {
		if (run->streams.list.items[i].nat == nat) {
			sets[count++] = run->streams.list.items[i].set;
		}
	}
	fw_space set = fw_space_union_all(run->spaces, sets, count);
	free(sets);
	return set;
}

/* ---- what rules do to packets ---- */

static fw_space with_value(struct run *run, fw_space set, enum fw_var var, struct fw_addr value) {
	set = fw_space_exists(run->spaces, set, var);
	return fw_space_intersect(
		run->spaces, set, fw_space_interval(run->spaces, var, value, value));
}

static fw_space tagged(struct run *run, const struct fw_pfr_rule *rule, fw_space set) {
	return rule->tag == 0 ? set : with_value(run, set, FW_PFR_VAR_TAG, fw_value(rule->tag));
}

/* Errors about other packets begin nothing, and nothing is translated for them. */
static fw_space without_errors(struct run *run, fw_space set) {
	static const int v4[] = {3, 4, 5, 11, 12, -1}, v6[] = {1, 2, 3, 4, -1};

	return fw_space_subtract(run->spaces, set, fw_pfr_icmp_space(run->spaces, v4, v6));
}

/* Packets as they come out of a rule that gives them another destination. */
static fw_space redirected(struct run *run, const struct fw_pfr_rule *rule, fw_space set) {
	const struct fw_pfr_target *target = rule->rdr;
	fw_space before =
		fw_space_intersect(run->spaces, set, fw_pfr_is(run->spaces, FW_VAR_TRANSLATED, 1));

	if (before != FW_SPACE_EMPTY) {
		fw_pfr_unknown(run->scene->notes, rule->place,
			"a translation of what was translated before");
	}
	if (target->interface != NULL) {
		fw_pfr_unknown(run->scene->notes, rule->place,
			"a translation to an interface, whose addresses are not in this text");
	}
	set = with_value(run, set, FW_VAR_DESTINATION, target->address);
	if (target->port != 0) {
		set = with_value(run, set, FW_VAR_PORT, fw_value(target->port));
	}
	return with_value(run, set, FW_VAR_TRANSLATED, fw_value(1));
}

/* Lets a stream's packets through a translation. */
static struct fw_pfr_stream translate(
	struct run *run, const struct fw_pfr_rule *rule, struct fw_pfr_stream stream) {
	if (rule->rdr != NULL || rule->nat != NULL) {
		add_hit(&run->out->translated, rule, rule, without_errors(run, stream.set));
	}
	if (rule->rdr != NULL) {
		stream.set = redirected(run, rule, stream.set);
	}
	if (rule->nat != NULL) {
		if (stream.nat != NULL) {
			fw_pfr_unknown(run->scene->notes, rule->place,
				"a translation of what was translated before");
		}
		stream.nat = rule;
	}
	return stream;
}

/* What it comes to, once it is final: a rule that decides may translate. */
static void finish(struct run *run, struct fw_pfr_stream stream) {
	if (stream.redirect != NULL) {
		stream = translate(run, stream.redirect, stream);
		stream.redirect = NULL;
	}
	add_end(run, stream);
}

/* ---- rules ---- */

static enum fw_pfr_kind kind_of(const struct fw_pfr_rule *rule) {
	if (rule->action == FW_PFR_BLOCK) {
		return rule->returns ? FW_PFR_RETURNED : FW_PFR_DROPPED;
	}
	return rule->keeps ? FW_PFR_PASSED : FW_PFR_STATELESS;
}

/* Whether it decides, and does nothing else. */
static bool is_plain(const struct fw_pfr_rule *rule) {
	return (rule->action == FW_PFR_PASS || rule->action == FW_PFR_BLOCK) && rule->tag == 0 &&
	       rule->bounds == NULL && rule->nat == NULL && rule->rdr == NULL;
}

static bool same_kind(const struct fw_pfr_rule *a, const struct fw_pfr_rule *b) {
	return is_plain(b) && a->quick == b->quick && a->without_opts == b->without_opts &&
	       kind_of(a) == kind_of(b);
}

/* What it matches of these. Where that is not told, it may as well not match. */
static fw_space matched(struct run *run, const struct fw_pfr_rule *rule,
	const struct fw_pfr_target *nat, fw_space among) {
	struct fw_pfr_match match = fw_pfr_match(run->scene, rule, nat);
	fw_space sure = fw_space_intersect(run->spaces, match.sure, among);

	if (match.sure != match.perhaps) {
		fw_space perhaps = fw_space_intersect(run->spaces, match.perhaps, among);
		if (perhaps != sure) {
			fw_pfr_unknown(run->scene->notes, rule->place, match.why);
		}
	}
	if (rule->bound && rule->keeps && sure != FW_SPACE_EMPTY) {
		fw_pfr_unknown(
			run->scene->notes, rule->place, "states that are bound to interfaces");
	}
	return sure;
}

/* Takes packets out of all streams of a translation, and does with each part as `part` says. */
static void take(struct run *run, const struct fw_pfr_rule *nat, fw_space set, bool stays,
	struct fw_pfr_streams *out_parts) {
	for (size_t i = 0; i < run->streams.list.count; i++) {
		struct fw_pfr_stream *stream = &run->streams.list.items[i];
		if (stream->nat != nat) {
			continue;
		}
		struct fw_pfr_stream part = *stream;
		part.set = fw_space_intersect(run->spaces, stream->set, set);
		if (!stays) {
			stream->set = fw_space_subtract(run->spaces, stream->set, part.set);
		}
		if (part.set != FW_SPACE_EMPTY) {
			FW_VEC_ADD(&out_parts->list, part);
		}
	}
}

/* Packets of a stream that a rule decides: for good, or until another rule matches. */
static void decide(struct run *run, const struct fw_pfr_rule *rule, struct fw_pfr_stream stream) {
	if (rule->quick) {
		finish(run, stream);
	} else {
		add_stream(run, &run->streams, stream);
	}
}

/* Bounds of connections are TCP's alone. */
static fw_space bounded_space(struct run *run, const struct fw_pfr_rule *rule, fw_space set) {
	const struct fw_pfr_bounds *bounds = rule->bounds;
	bool all = bounds->packets.count != 0 || bounds->max != 0 || bounds->source_states != 0;

	if (all) {
		return set;
	}
	return fw_space_intersect(
		run->spaces, set, fw_pfr_is(run->spaces, FW_VAR_PROTOCOL, IPPROTO_TCP));
}

static void apply_decision(
	struct run *run, const struct fw_pfr_rule *rule, struct fw_pfr_stream stream) {
	struct fw_pfr_stream bounded;

	stream.set = tagged(run, rule, stream.set);
	stream.rated = NULL;
	stream.redirect = NULL;
	stream.depth = run->depth;
	decide(run, rule, cut_optioned(run, rule, &stream));
	stream.kind = kind_of(rule);
	stream.redirect = rule->nat != NULL || rule->rdr != NULL ? rule : NULL;
	if (rule->bounds != NULL) {
		bounded = stream;
		bounded.rated = rule;
		bounded.set = bounded_space(run, rule, stream.set);
		stream.set = fw_space_subtract(run->spaces, stream.set, bounded.set);
		decide(run, rule, bounded);
	}
	decide(run, rule, stream);
}

/* The translations that packets on their way have met; NULL is that of most. */
struct views {
	FW_VEC(const struct fw_pfr_rule *) list;
};

static void find_views(const struct run *run, struct views *views) {
	for (size_t i = 0; i < run->streams.list.count; i++) {
		const struct fw_pfr_rule *nat = run->streams.list.items[i].nat;
		bool known = false;
		for (size_t j = 0; j < views->list.count; j++) {
			known = known || views->list.items[j] == nat;
		}
		if (!known) {
			FW_VEC_ADD(&views->list, nat);
		}
	}
}

static const struct fw_pfr_target *view_target(const struct fw_pfr_rule *nat) {
	return nat == NULL ? NULL : nat->nat;
}

/* What a rule beyond its rate would not match goes on as if it had not. */
static void run_rule(
	struct run *run, const struct fw_pfr_rule *rule, const struct fw_pfr_rule *nat) {
	struct fw_pfr_streams parts = {0};
	bool stays = rule->bounds != NULL && rule->bounds->packets.count != 0;
	fw_space set = matched(run, rule, view_target(nat), live_space(run, nat));

	take(run, nat, set, stays, &parts);
	if (rule->action != FW_PFR_MATCH) {
		add_hits(run, rule, rule, set);
	}
	for (size_t i = 0; i < parts.list.count; i++) {
		struct fw_pfr_stream part = parts.list.items[i];
		if (rule->action == FW_PFR_MATCH) {
			part.set = tagged(run, rule, part.set);
			add_stream(run, &run->streams, translate(run, rule, part));
		} else {
			apply_decision(run, rule, part);
		}
	}
	FW_VEC_FINI(&parts.list);
}

/* Rules of one kind that differ in one end of packets alone. */
struct cluster {
	const struct fw_pfr_rule *rule;
	enum fw_var end;	  /* FW_VAR_SOURCE or FW_VAR_DESTINATION */
	struct fw_pfr_match rest; /* all else that they ask for, of packets on their way */
	FW_VEC(fw_space) ends;
};

struct clusters {
	FW_VEC(struct cluster) list;
	FW_VEC(fw_space) alone; /* of rules that are in none */
};

static void clusters_fini(struct clusters *clusters) {
	for (size_t i = 0; i < clusters->list.count; i++) {
		FW_VEC_FINI(&clusters->list.items[i].ends);
	}
	FW_VEC_FINI(&clusters->list);
	FW_VEC_FINI(&clusters->alone);
}

/* That of a rule. NULL: there are too many already, or the next rule is quite another. */
static struct cluster *cluster_of(struct run *run, struct clusters *clusters,
	const struct fw_pfr_rule *rule, bool is_last, const struct fw_pfr_target *nat,
	fw_space live) {
	static const enum fw_var ends[] = {FW_VAR_DESTINATION, FW_VAR_SOURCE};

	for (size_t i = 0; i < clusters->list.count; i++) {
		struct cluster *cluster = &clusters->list.items[i];
		if (fw_pfr_same_but(cluster->rule, rule, cluster->end)) {
			return cluster;
		}
	}
	for (size_t i = 0; i < FW_LENGTH(ends) && !is_last; i++) {
		if (clusters->list.count == CLUSTERS_MAX ||
			!fw_pfr_same_but(rule, rule + 1, ends[i])) {
			continue;
		}
		struct fw_pfr_match rest = fw_pfr_match_but(run->scene, rule, ends[i], nat);
		rest.sure = fw_space_intersect(run->spaces, rest.sure, live);
		rest.perhaps = fw_space_intersect(run->spaces, rest.perhaps, live);
		FW_VEC_ADD(&clusters->list,
			(struct cluster){.rule = rule, .end = ends[i], .rest = rest});
		return &clusters->list.items[clusters->list.count - 1];
	}
	return NULL;
}

/* False: there may be something to say of it, so that it has to be looked at alone. */
static bool join_cluster(struct run *run, struct cluster *cluster, const struct fw_pfr_rule *rule,
	const struct fw_pfr_target *nat) {
	if (cluster == NULL || rule->bound || cluster->rest.sure != cluster->rest.perhaps) {
		return false;
	}
	if (cluster->rest.sure == FW_SPACE_EMPTY) {
		return true;
	}
	struct fw_pfr_match match = fw_pfr_match_end(run->scene, rule, cluster->end, nat);
	if (match.sure != match.perhaps) {
		return false;
	}
	FW_VEC_ADD(&cluster->ends, match.sure);
	return true;
}

static fw_space cluster_space(struct run *run, const struct cluster *cluster) {
	fw_space all = fw_space_union_all(run->spaces, cluster->ends.items, cluster->ends.count);

	return fw_space_intersect(run->spaces, cluster->rest.sure, all);
}

/* What some rules of one kind match. */
static fw_space match_group(struct run *run, const struct fw_pfr_rule *rules, size_t count,
	const struct fw_pfr_target *nat, fw_space live) {
	FW_AUTO(clusters_fini) struct clusters clusters = {0};

	if (count == 1) {
		return matched(run, rules, nat, live);
	}
	for (size_t i = 0; i < count; i++) {
		struct cluster *cluster =
			cluster_of(run, &clusters, &rules[i], i + 1 == count, nat, live);
		if (!join_cluster(run, cluster, &rules[i], nat)) {
			FW_VEC_ADD(&clusters.alone, matched(run, &rules[i], nat, live));
		}
	}
	for (size_t i = 0; i < clusters.list.count; i++) {
		FW_VEC_ADD(&clusters.alone, cluster_space(run, &clusters.list.items[i]));
	}
	return fw_space_union_all(run->spaces, clusters.alone.items, clusters.alone.count);
}

/* The same for groups of so many, one after the other. */
static void match_groups(struct run *run, const struct fw_pfr_rule *rules, size_t count,
	const struct fw_pfr_rule *nat, size_t size, fw_space *groups) {
	fw_space live = live_space(run, nat);
	uint32_t mark = fw_spaces_mark(run->spaces);
	size_t first = 0; /* since the mark */

	for (size_t i = 0, group = 0; i < count; i += size, group++) {
		size_t in_group = count - i < size ? count - i : size;
		groups[group] = match_group(run, &rules[i], in_group, view_target(nat), live);
		if ((group + 1 - first) * size >= FW_PFR_CHUNK) {
			fw_spaces_release(run->spaces, mark, groups + first, group + 1 - first);
			mark = fw_spaces_mark(run->spaces);
			first = group + 1;
		}
	}
}

/* Rules of one kind. Where there are very many, only groups of them can be named. */
static void run_batch(struct run *run, const struct fw_pfr_rule *rules, size_t count,
	const struct fw_pfr_rule *nat) {
	size_t size = count / NAMED_MAX + 1, group_count = (count + size - 1) / size;
	fw_space *groups = fw_resize(NULL, group_count, sizeof(*groups));
	struct fw_pfr_streams parts = {0};

	match_groups(run, rules, count, nat, size, groups);
	for (size_t i = 0; i < group_count; i++) {
		/* Read backwards, the rule that has the last word has to come first. */
		size_t at = rules->quick ? group_count - 1 - i : i;
		size_t end = (at + 1) * size < count ? (at + 1) * size : count;
		add_hits(run, &rules[at * size], &rules[end - 1], groups[at]);
	}
	take(run, nat, fw_space_union_all(run->spaces, groups, group_count), false, &parts);
	free(groups);
	for (size_t i = 0; i < parts.list.count; i++) {
		apply_decision(run, rules, parts.list.items[i]);
	}
	FW_VEC_FINI(&parts.list);
}

static void drop_empty(struct fw_pfr_streams *streams) {
	size_t kept = 0;

	for (size_t i = 0; i < streams->list.count; i++) {
		if (streams->list.items[i].set != FW_SPACE_EMPTY) {
			streams->list.items[kept++] = streams->list.items[i];
		}
	}
	streams->list.count = kept;
}

/* ---- anchors ---- */

static void run_rules(struct run *run, const struct fw_pfr_ruleset *ruleset);

/* What was decided in an anchor is final where the anchor is quick. */
static void leave_anchor(
	struct run *run, const struct fw_pfr_rule *anchor, struct fw_pfr_streams *outside) {
	struct fw_pfr_streams inside = run->streams;

	run->streams = *outside;
	for (size_t i = 0; i < inside.list.count; i++) {
		struct fw_pfr_stream one = inside.list.items[i];
		if (one.depth > run->depth && anchor->quick) {
			finish(run, one);
		} else {
			one.depth = one.depth > run->depth ? run->depth : one.depth;
			add_stream(run, &run->streams, one);
		}
	}
	FW_VEC_FINI(&inside.list);
}

static void run_anchor(struct run *run, const struct fw_pfr_rule *anchor) {
	struct fw_pfr_streams outside, inside = {0};
	struct views views = {0};

	find_views(run, &views);
	for (size_t i = 0; i < views.list.count; i++) {
		const struct fw_pfr_rule *nat = views.list.items[i];
		fw_space set = matched(run, anchor, view_target(nat), live_space(run, nat));
		take(run, nat, set, false, &inside);
	}
	FW_VEC_FINI(&views.list);
	for (size_t i = 0; i < inside.list.count; i++) {
		inside.list.items[i].set = tagged(run, anchor, inside.list.items[i].set);
	}
	outside = run->streams;
	run->streams = inside;
	run->depth++;
	run_rules(run, anchor->body);
	run->depth--;
	leave_anchor(run, anchor, &outside);
}

static bool is_other_way(const struct run *run, const struct fw_pfr_rule *rule) {
	return rule->direction != FW_PFR_BOTH_WAYS && rule->direction != run->scene->direction;
}

static void run_rules(struct run *run, const struct fw_pfr_ruleset *ruleset) {
	const struct fw_pfr_rule *end = ruleset->rules + ruleset->count, *next;

	for (const struct fw_pfr_rule *rule = ruleset->rules; rule < end; rule = next) {
		struct views views = {0};
		next = rule + 1;
		if (is_other_way(run, rule)) {
			continue;
		}
		forget(run);
		if (run->streams.list.count == 0 || run->spaces->exhausted) {
			return;
		}
		if (rule->action == FW_PFR_ANCHOR) {
			run_anchor(run, rule);
			drop_empty(&run->streams);
			continue;
		}
		while (is_plain(rule) && next < end && same_kind(rule, next)) {
			next++;
		}
		find_views(run, &views);
		for (size_t i = 0; i < views.list.count; i++) {
			if (is_plain(rule)) {
				run_batch(run, rule, (size_t)(next - rule), views.list.items[i]);
			} else {
				run_rule(run, rule, views.list.items[i]);
			}
		}
		FW_VEC_FINI(&views.list);
		drop_empty(&run->streams);
	}
}

/* ---- FreeBSD's translation, of which the first rule that matches counts ---- */

static void run_translations(struct run *run) {
	const struct fw_pfr_ruleset *ruleset = &run->scene->config->translations;
	struct fw_pfr_streams done = {0};

	for (size_t i = 0; i < ruleset->count; i++) {
		const struct fw_pfr_rule *rule = &ruleset->rules[i];
		struct fw_pfr_streams parts = {0};
		fw_space set = matched(run, rule, NULL, live_space(run, NULL));
		take(run, NULL, set, false, &parts);
		for (size_t j = 0; j < parts.list.count; j++) {
			struct fw_pfr_stream part = parts.list.items[j];
			part.set = tagged(run, rule, part.set);
			part = translate(run, rule, part);
			if (rule->passes && !rule->negative) {
				part.kind = FW_PFR_PASSED;
				add_hits(run, rule, rule, part.set);
				add_end(run, cut_optioned(run, rule, &part));
				add_end(run, part);
			} else {
				add_stream(run, &done, part);
			}
		}
		FW_VEC_FINI(&parts.list);
	}
	for (size_t i = 0; i < done.list.count; i++) {
		add_stream(run, &run->streams, done.list.items[i]);
	}
	FW_VEC_FINI(&done.list);
	drop_empty(&run->streams);
}

/* ---- all of it ---- */

void fw_pfr_journey_fini(struct fw_pfr_journey *journey) {
	FW_VEC_FINI(&journey->ends.list);
	FW_VEC_FINI(&journey->hits.list);
	FW_VEC_FINI(&journey->translated.list);
}

static void reverse(struct fw_pfr_hits *hits) {
	for (size_t i = 0, j = hits->list.count; i + 1 < j; i++) {
		struct fw_pfr_hit one = hits->list.items[i];
		hits->list.items[i] = hits->list.items[--j];
		hits->list.items[j] = one;
	}
}

void fw_pfr_run(struct fw_pfr_scene *scene, fw_space start, struct fw_pfr_journey *out) {
	struct run run = {.scene = scene,
		.spaces = scene->spaces,
		.out = out,
		.mark = fw_spaces_mark(scene->spaces)};
	fw_space skipped = fw_space_intersect(scene->spaces, start, fw_pfr_skipped(scene));

	add_end(&run, (struct fw_pfr_stream){.kind = FW_PFR_SKIPPED, .set = skipped});
	add_stream(&run, &run.streams,
		(struct fw_pfr_stream){.kind = FW_PFR_UNMATCHED,
			.set = fw_space_subtract(scene->spaces, start, skipped)});
	run_translations(&run);
	run_rules(&run, &scene->config->rules);
	for (size_t i = 0; i < run.streams.list.count; i++) {
		finish(&run, run.streams.list.items[i]);
	}
	FW_VEC_FINI(&run.streams.list);
	reverse(&run.hits);
	out->hits = run.hits;
}
