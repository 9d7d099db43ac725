// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A rule of pf as a line of pf.conf: its words, lists and options.
 */

#include <assert.h>
#include <netinet/in.h>
#include <string.h>

#include "emit/common.h"
#include "emit/pf.h"

enum { LABEL_MAX = 63 }; /* bytes; PF_RULE_LABEL_SIZE with its NUL is 64 */

/* ---- words ---- */

const char *const fw_pf_families[FW_FAMILY_COUNT] = {
	[FW_IPV4] = "inet",
	[FW_IPV6] = "inet6",
};

/* Those that /etc/protocols of both systems has; others go by number. */
static const char *const protocol_words[UINT8_MAX + 1] = {
	[IPPROTO_ICMP] = "icmp",
	[IPPROTO_IGMP] = "igmp",
	[IPPROTO_TCP] = "tcp",
	[IPPROTO_UDP] = "udp",
	[IPPROTO_GRE] = "gre",
	[IPPROTO_ESP] = "esp",
	[IPPROTO_AH] = "ah",
	[IPPROTO_ICMPV6] = "icmp6",
};

static const char *const type_words[FW_FAMILY_COUNT] = {
	[FW_IPV4] = "icmp-type",
	[FW_IPV6] = "icmp6-type",
};

/* Names of icmp(4) and icmp6(4); others go by number. */
static const char *const type_names[FW_FAMILY_COUNT][UINT8_MAX + 1] = {
	[FW_IPV4] =
		{
			[0] = "echorep",
			[3] = "unreach",
			[4] = "squench",
			[5] = "redir",
			[8] = "echoreq",
			[9] = "routeradv",
			[10] = "routersol",
			[11] = "timex",
			[12] = "paramprob",
			[13] = "timereq",
			[14] = "timerep",
			[15] = "inforeq",
			[16] = "inforep",
			[17] = "maskreq",
			[18] = "maskrep",
		},
	[FW_IPV6] =
		{
			[1] = "unreach",
			[2] = "toobig",
			[3] = "timex",
			[4] = "paramprob",
			[128] = "echoreq",
			[129] = "echorep",
			[133] = "routersol",
			[134] = "routeradv",
			[135] = "neighbrsol",
			[136] = "neighbradv",
			[137] = "redir",
		},
};

static void add_name_or_number(struct fw_buf *out, const char *name, unsigned number) {
	if (name != NULL) {
		fw_buf_add_text(out, name);
	} else {
		fw_buf_add_uint(out, number);
	}
}

/* $-words in a label are expanded (pf.conf, label); ids of services have none. */
static void add_label(struct fw_buf *out, const char *label) {
	assert(strchr(label, '$') == NULL);
	fw_buf_add_text(out, " label ");
	fw_buf_add_quoted(out, label, LABEL_MAX);
}

void fw_pf_add_heading(struct fw_buf *out, const char *title, const char *note) {
	fw_buf_add_text(out, "# ");
	fw_buf_add_comment(out, title);
	if (note != NULL) {
		fw_buf_add_text(out, ": ");
		fw_buf_add_comment(out, note);
	}
	fw_buf_add_char(out, '\n');
}

void fw_pf_separate(struct fw_buf *out) {
	if (out->length != 0) {
		fw_buf_add_char(out, '\n');
	}
}

/* ---- parts of a rule ---- */

/* Adds one of the things in braces; a single one stands without. */
typedef void item_writer(struct fw_buf *out, const struct fw_pf_rule *rule, size_t at);

static void add_list(
	struct fw_buf *out, const struct fw_pf_rule *rule, size_t count, item_writer *add) {
	fw_buf_add_text(out, count > 1 ? "{ " : "");
	for (size_t i = 0; i < count; i++) {
		fw_buf_add_text(out, i != 0 ? ", " : "");
		add(out, rule, i);
	}
	fw_buf_add_text(out, count > 1 ? " }" : "");
}

void fw_pf_add_interfaces(struct fw_buf *out, const struct fw_names *names) {
	if (names->count == 0) {
		return;
	}
	fw_buf_add_text(out, names->count > 1 ? " on { " : " on ");
	for (size_t i = 0; i < names->count; i++) {
		fw_buf_add_text(out, i != 0 ? ", " : "");
		fw_buf_add_text(out, names->items[i]);
	}
	fw_buf_add_text(out, names->count > 1 ? " }" : "");
}

/* `80` or `8000:8010` */
static void add_ports(struct fw_buf *out, struct fw_ports ports) {
	fw_buf_add_uint(out, ports.low);
	if (ports.high != ports.low) {
		fw_buf_add_char(out, ':');
		fw_buf_add_uint(out, ports.high);
	}
}

static void add_port(struct fw_buf *out, const struct fw_pf_rule *rule, size_t at) {
	add_ports(out, rule->ports[at]);
}

static void add_source_port(struct fw_buf *out, const struct fw_pf_rule *rule, size_t at) {
	add_ports(out, rule->source_ports[at]);
}

static void add_type(struct fw_buf *out, const struct fw_pf_rule *rule, size_t at) {
	const struct fw_icmp_type *type = &rule->types[at];
	add_name_or_number(out, type_names[rule->family][type->type], type->type);
	if (type->code >= 0) {
		fw_buf_add_text(out, " code ");
		fw_buf_add_uint(out, (uint64_t)type->code);
	}
}

void fw_pf_add_table_name(struct fw_buf *out, const char *name) {
	fw_buf_add_char(out, '<');
	fw_buf_add_text(out, name);
	fw_buf_add_char(out, '>');
}

static void add_item(struct fw_buf *out, const struct fw_pf_item *item, const char *local) {
	switch (item->who) {
	case FW_PF_NOBODY:
		assert(!"a side with nobody on it");
		break;
	case FW_PF_ANY:
		fw_buf_add_text(out, "any");
		break;
	case FW_PF_LOCAL:
		fw_buf_add_text(out, local);
		break;
	case FW_PF_SELF:
		fw_buf_add_text(out, "(self)");
		break;
	case FW_PF_PREFIX: {
		struct fw_pf_entry entry = fw_pf_table_at(item->table, 0);
		fw_range_format(&entry.range, out);
		break;
	}
	case FW_PF_TABLE:
		fw_pf_add_table_name(out, item->table->name);
		break;
	case FW_PF_NOT_TABLE:
		fw_buf_add_text(out, "! ");
		fw_pf_add_table_name(out, item->table->name);
		break;
	}
}

static void add_side(struct fw_buf *out, const struct fw_pf_side *side, const char *local) {
	fw_buf_add_text(out, side->count > 1 ? "{ " : "");
	for (size_t i = 0; i < side->count; i++) {
		fw_buf_add_text(out, i != 0 ? ", " : "");
		add_item(out, &side->items[i], local);
	}
	fw_buf_add_text(out, side->count > 1 ? " }" : "");
}

/* A list of ports, or of types, behind its word. */
static void add_words(struct fw_buf *out, const char *word, const struct fw_pf_rule *rule,
	size_t count, item_writer *add) {
	if (count != 0) {
		fw_buf_add_char(out, ' ');
		fw_buf_add_text(out, word);
		fw_buf_add_char(out, ' ');
		add_list(out, rule, count, add);
	}
}

/* ---- state and limits ---- */

static void add_per(struct fw_buf *out, const char *what, const struct fw_pf_bound *bound) {
	fw_buf_add_text(out, what);
	fw_buf_add_uint(out, bound->count);
	fw_buf_add_char(out, '/');
	fw_buf_add_uint(out, bound->seconds);
}

/*
 * FreeBSD 14 has no max-pkt-rate. As many states as may pass at once, each kept as long as the
 * bucket takes to fill, let no more queries through; adaptive timeouts, which would shorten that
 * from 60% of `max` on, begin where no state can be made any more (pf.conf, OPTIONS).
 */
static void add_state_bound(struct fw_buf *out, const struct fw_pf_bound *bound) {
	fw_buf_printf(out,
		" (max %llu, icmp.first %llu, icmp.error %llu, adaptive.start %llu, "
		"adaptive.end %llu)",
		(unsigned long long)bound->count, (unsigned long long)bound->seconds,
		(unsigned long long)bound->seconds, (unsigned long long)bound->count,
		(unsigned long long)bound->count + 1);
}

static void add_state(
	struct fw_buf *out, const struct fw_pf_rule *rule, enum fw_pf_dialect dialect) {
	bool per_source = rule->limited && rule->flow->limit.per_source;
	bool rate = rule->limited && !per_source && dialect == FW_PF_OPENBSD;

	if (rule->protocol == IPPROTO_TCP) {
		fw_buf_add_text(out, rule->stateful ? " flags S/SA" : " flags any");
	}
	if (rate) {
		add_per(out, " max-pkt-rate ", &rule->bound);
	}
	fw_buf_add_text(out, rule->stateful ? " keep state" : " no state");
	if (per_source) {
		/* Over the rate a connection ends with its handshake (pf.conf, max-src-conn-rate).
		 */
		add_per(out, " (source-track rule, max-src-conn-rate ", &rule->bound);
		fw_buf_add_char(out, ')');
	} else if (rule->limited && !rate) {
		add_state_bound(out, &rule->bound);
	}
	if (rule->options) {
		fw_buf_add_text(out, " allow-opts");
	}
}

/* ---- rules ---- */

/* The author's name of an address that stands without a table. */
static const char *inline_name(const struct fw_pf_rule *rule) {
	const struct fw_pf_side *sides[] = {&rule->source, &rule->destination};
	for (size_t i = 0; i < FW_LENGTH(sides); i++) {
		bool inlined = sides[i]->count == 1 && sides[i]->items[0].who == FW_PF_PREFIX;
		const char *name =
			inlined ? fw_pf_table_at(sides[i]->items[0].table, 0).name : NULL;
		if (name != NULL) {
			return name;
		}
	}
	return NULL;
}

/* All that is asked of a packet but for its tag. */
static void add_criteria(struct fw_buf *out, const struct fw_pf_rule *rule) {
	const struct fw_flow *flow = rule->flow;

	fw_pf_add_interfaces(out, rule->in ? &flow->in_interfaces : &flow->out_interfaces);
	if (rule->family != FW_FAMILY_NONE) {
		fw_buf_add_char(out, ' ');
		fw_buf_add_text(out, fw_pf_families[rule->family]);
	}
	if (rule->protocol != 0) {
		fw_buf_add_text(out, " proto ");
		add_name_or_number(out, protocol_words[rule->protocol], rule->protocol);
	}
	fw_buf_add_text(out, " from ");
	add_side(out, &rule->source, "$local_from");
	add_words(out, "port", rule, rule->source_port_count, add_source_port);
	fw_buf_add_text(out, " to ");
	add_side(out, &rule->destination, "$local_to");
	add_words(out, "port", rule, rule->port_count, add_port);
	add_words(out, type_words[rule->family], rule, rule->type_count, add_type);
}

void fw_pf_add_tags(
	struct fw_buf *out, const char *tagged, const char *not_tagged, const char *tag) {
	if (tagged != NULL || not_tagged != NULL) {
		fw_buf_add_text(out, tagged != NULL ? " tagged " : " ! tagged ");
		fw_buf_add_text(out, tagged != NULL ? tagged : not_tagged);
	}
	if (tag != NULL) {
		fw_buf_add_text(out, " tag ");
		fw_buf_add_text(out, tag);
	}
}

/* The author's name of what the line is about, if it has one, and its end. */
static void add_end(struct fw_buf *out, const char *name) {
	if (name != NULL) {
		fw_buf_add_text(out, "\t# ");
		fw_buf_add_comment(out, name);
	}
	fw_buf_add_char(out, '\n');
}

void fw_pf_add_rule(struct fw_buf *out, const struct fw_pf_rule *rule, enum fw_pf_dialect dialect) {
	fw_buf_add_text(out, rule->in ? "pass in" : "pass out");
	fw_buf_add_text(out, rule->flow->log.on ? " log quick" : " quick");
	add_criteria(out, rule);
	fw_pf_add_tags(out, rule->tagged, rule->not_tagged, rule->tag);
	add_state(out, rule, dialect);
	add_label(out, rule->flow->service);
	add_end(out, inline_name(rule));
}

void fw_pf_add_line(struct fw_buf *out, const char *action, const struct fw_pf_rule *rule,
	const char *options) {
	fw_buf_add_text(out, action);
	add_criteria(out, rule);
	fw_buf_add_char(out, ' ');
	fw_buf_add_text(out, options);
	add_end(out, inline_name(rule));
}
