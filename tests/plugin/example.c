// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A backend outside the tree, as small as it can be: the permissions of a policy as a table with
 * separators, a line for each protocol of each flow, for people who read rule sets in a
 * spreadsheet. What has no column is not supported, so that no line says more than the profile.
 */

#include <emit/common.h>
#include <emit/emit.h>

enum { FIELD_MAX = 255 };

static const char heads[] = "hook,service,family,protocol,ports,source-ports,hop-limit,peers,local,"
			    "interfaces,limit";

/* Adds the separators between the fields of a line. */
struct line {
	struct fw_buf *out;
	char separator;
};

static void add_field(struct line *line, const char *text) {
	if (line->out->length != 0 && line->out->data[line->out->length - 1] != '\n') {
		fw_buf_add_char(line->out, line->separator);
	}
	fw_buf_add_quoted(line->out, text, FIELD_MAX);
}

/* A list of anything, with blanks between its items. */
static void add_list(struct line *line, struct fw_buf *list) {
	add_field(line, list->length != 0 ? list->data : "any");
	list->length = 0;
}

static void add_blank(struct fw_buf *list) {
	if (list->length != 0) {
		fw_buf_add_char(list, ' ');
	}
}

static void add_ports(struct line *line, const struct fw_clause *clause, struct fw_buf *list) {
	for (size_t i = 0; i < clause->port_count; i++) {
		add_blank(list);
		fw_ports_format(clause->ports[i], list);
	}
	for (size_t i = 0; i < clause->type_count; i++) {
		add_blank(list);
		fw_buf_add_uint(list, clause->types[i].type);
	}
	add_list(line, list);
	for (size_t i = 0; i < clause->source_port_count; i++) {
		add_blank(list);
		fw_ports_format(clause->source_ports[i], list);
	}
	add_list(line, list);
}

static void add_hop_limit(struct line *line, const struct fw_clause *clause, struct fw_buf *list) {
	if (clause->hop_limit != 0) {
		fw_buf_add_uint(list, clause->hop_limit);
	}
	add_list(line, list);
}

static void add_side(struct line *line, const struct fw_side *side, struct fw_buf *list) {
	for (size_t i = 0; i < side->set_count; i++) {
		add_blank(list);
		fw_buf_add_text(list, side->sets[i]->name);
	}
	add_list(line, list);
}

static void add_names(struct fw_buf *list, const struct fw_names *names) {
	for (size_t i = 0; i < names->count; i++) {
		add_blank(list);
		fw_buf_add_text(list, names->items[i]);
	}
}

static void add_interfaces(struct line *line, const struct fw_flow *flow, struct fw_buf *list) {
	add_names(list, &flow->in_interfaces);
	add_names(list, &flow->out_interfaces);
	add_list(line, list);
}

static void add_line(
	struct line *line, const struct fw_flow *flow, const struct fw_clause *clause) {
	FW_AUTO(fw_buf_fini) struct fw_buf list = {0};
	const struct fw_side *peers = fw_flow_peers(flow);

	add_field(line, fw_hook_names[flow->hook]);
	add_field(line, flow->service);
	add_field(line, clause->family != FW_FAMILY_NONE ? fw_family_names[clause->family] : "any");
	add_field(line, fw_protocol_name(clause->protocol));
	add_ports(line, clause, &list);
	add_hop_limit(line, clause, &list);
	add_side(line, peers, &list);
	add_side(line, peers == &flow->source ? &flow->destination : &flow->source, &list);
	add_interfaces(line, flow, &list);
	fw_rate_format(&flow->limit, &list);
	add_list(line, &list);
	fw_buf_add_char(line->out, '\n');
}

static char separator_of(const struct fw_options *options) {
	return fw_options_get(options, &fw_plugin_emitter, "separator")[0] == 'c' ? ',' : ';';
}

static void emit_policy(
	const struct fw_policy *policy, const struct fw_options *options, struct fw_outputs *out) {
	struct line line = {fw_outputs_section(out, "table"), separator_of(options)};
	struct fw_buf *head = fw_outputs_section(out, "head");

	for (size_t i = 0; heads[i] != '\0'; i++) {
		fw_buf_add_char(head, heads[i] == ',' ? line.separator : heads[i]);
	}
	fw_buf_add_char(head, '\n');
	for (size_t i = 0; i < policy->flow_count; i++) {
		const struct fw_flow *flow = &policy->flows[i];
		for (size_t j = 0; j < flow->clause_count; j++) {
			add_line(&line, flow, &flow->clauses[j]);
		}
	}
}

/* What the table of features cannot say: a protocol here is a name. */
static bool check_policy(
	const struct fw_policy *policy, const struct fw_options *options, struct fw_diags *diags) {
	bool fine = true;
	(void)options;
	for (size_t i = 0; i < policy->flow_count; i++) {
		const struct fw_flow *flow = &policy->flows[i];
		for (size_t j = 0; j < flow->clause_count; j++) {
			uint8_t protocol = flow->clauses[j].protocol;
			if (fw_protocol_name(protocol) == NULL) {
				fw_refusal(diags, flow->span, "csv-protocol",
					"protocol %u has no name", protocol);
				fine = false;
			}
		}
	}
	return fine;
}

static struct fw_support_table support(const struct fw_options *options) {
	static const enum fw_support items[] = {
		[FW_FEATURE_LIMIT] = FW_NATIVE,
		[FW_FEATURE_LIMIT_SOURCE] = FW_NATIVE,
		[FW_FEATURE_INTERFACE] = FW_NATIVE,
		[FW_FEATURE_RANGES] = FW_NATIVE,
		[FW_FEATURE_SOURCE_PORTS] = FW_NATIVE,
		[FW_FEATURE_ICMP] = FW_NATIVE,
		[FW_FEATURE_PROTOCOL] = FW_NATIVE,
		[FW_FEATURE_HOP_LIMIT] = FW_NATIVE,
	};
	(void)options;
	return (struct fw_support_table){items, FW_LENGTH(items)};
}

static const char *const separators[] = {"comma", "semicolon", NULL};
static const struct fw_option_spec options[] = {
	{"separator", "what stands between two fields", separators},
};

static const char *const with_head[] = {"head", "table", NULL};
static const char *const without_head[] = {"table", NULL};
static const struct fw_frame_spec frames[] = {
	{"titled", with_head, "#% With a line of titles.\n@head@\n@table@\n"},
	{"bare", without_head, "#% The lines alone.\n@table@\n"},
	{0},
};

const struct fw_emitter fw_plugin_emitter = {
	.abi = FW_EMITTER_ABI,
	.name = "csv",
	.summary = "the permissions as a table for a spreadsheet",
	.suffix = ".csv",
	.frames = frames,
	.options = options,
	.option_count = FW_LENGTH(options),
	.support = support,
	.check = check_policy,
	.emit = emit_policy,
};
