// SPDX-License-Identifier: GPL-2.0-or-later
/* Chains of iptables: which there are, and what is said of each. */

#include "readback/iptables_reader.h"

const char *const fw_ipt_table_names[FW_IPT_TABLE_COUNT] = {
	[FW_IPT_RAW] = "raw",
	[FW_IPT_MANGLE] = "mangle",
	[FW_IPT_NAT] = "nat",
	[FW_IPT_FILTER] = "filter",
	[FW_IPT_SECURITY] = "security",
};

const char *const fw_ipt_base_names[FW_IPT_BASE_COUNT] = {
	[FW_IPT_PREROUTING] = "PREROUTING",
	[FW_IPT_INPUT] = "INPUT",
	[FW_IPT_FORWARD] = "FORWARD",
	[FW_IPT_OUTPUT] = "OUTPUT",
	[FW_IPT_POSTROUTING] = "POSTROUTING",
};

/* What a text may hold, so that hostile ones end. */
enum { CHAINS_MAX = 1 << 22 };

/* ---- what is not understood ---- */

void fw_ipt_note_at(struct fw_ipt_reader *reader, const char *what, uint32_t line, uint32_t start,
	uint32_t end) {
	if (reader->unknowns.count < FW_RB_UNKNOWNS_MAX) {
		struct fw_place place =
			fw_ipt_place(reader->arena, reader->text->source, line, start, end);
		FW_VEC_ADD(&reader->unknowns, (struct fw_rb_unknown){.place = place, .what = what});
	}
}

void fw_ipt_note(struct fw_ipt_reader *reader, const char *what) {
	fw_ipt_note_at(reader, what, reader->line, reader->start, reader->end);
}

void fw_ipt_note_value(struct fw_ipt_reader *reader, const char *what, struct fw_slice value) {
	fw_ipt_note(reader, fw_ipt_describe(&reader->pool, what, value));
}

/* ---- chains ---- */

enum fw_ipt_base fw_ipt_base_of(enum fw_ipt_table table, struct fw_slice name) {
	static const unsigned there[FW_IPT_TABLE_COUNT] = {
		[FW_IPT_RAW] = 1U << FW_IPT_PREROUTING | 1U << FW_IPT_OUTPUT,
		[FW_IPT_MANGLE] = 1U << FW_IPT_PREROUTING | 1U << FW_IPT_INPUT |
				  1U << FW_IPT_FORWARD | 1U << FW_IPT_OUTPUT |
				  1U << FW_IPT_POSTROUTING,
		[FW_IPT_NAT] = 1U << FW_IPT_PREROUTING | 1U << FW_IPT_INPUT | 1U << FW_IPT_OUTPUT |
			       1U << FW_IPT_POSTROUTING,
		[FW_IPT_FILTER] = 1U << FW_IPT_INPUT | 1U << FW_IPT_FORWARD | 1U << FW_IPT_OUTPUT,
		[FW_IPT_SECURITY] = 1U << FW_IPT_INPUT | 1U << FW_IPT_FORWARD | 1U << FW_IPT_OUTPUT,
	};

	for (int base = FW_IPT_PREROUTING; base < FW_IPT_BASE_COUNT; base++) {
		if ((there[table] >> base & 1) != 0 && fw_slice_is(name, fw_ipt_base_names[base])) {
			return (enum fw_ipt_base)base;
		}
	}
	return FW_IPT_NO_BASE;
}

/* The number of a chain's name in the table that is read, behind the table's initial. */
struct fw_ipt_number *fw_ipt_chain_number(struct fw_ipt_reader *reader, struct fw_slice name) {
	struct fw_buf key FW_AUTO(fw_buf_fini) = {0};

	fw_buf_add_text(&key, fw_ipt_table_names[reader->table]);
	fw_buf_add_char(&key, ' ');
	fw_buf_add_slice(&key, name);
	return fw_ipt_intern_number(&reader->pool, fw_buf_slice(&key));
}

uint32_t fw_ipt_get_chain(struct fw_ipt_reader *reader, struct fw_slice name) {
	struct fw_ipt_number *number = fw_ipt_chain_number(reader, name);

	if (number->mark != 0) {
		return (uint32_t)number->mark - 1;
	}
	if (reader->chains.count == CHAINS_MAX) {
		reader->too_large = true;
		return 0;
	}
	FW_VEC_ADD(&reader->chains, (struct fw_ipt_chain){
					    .name = fw_ipt_intern_text(&reader->pool, name),
					    .table = reader->table,
					    .base = fw_ipt_base_of(reader->table, name),
					    .first = FW_IPT_NO_RULE,
					    .last = FW_IPT_NO_RULE,
					    .line = reader->line,
					    .start = reader->start,
					    .end = reader->end,
				    });
	number->mark = reader->chains.count;
	return (uint32_t)reader->chains.count - 1;
}

struct fw_ipt_chain *fw_ipt_chain_called(struct fw_ipt_reader *reader, struct fw_slice name) {
	uint32_t chain = fw_ipt_get_chain(reader, name); /* may move them all */

	return &reader->chains.items[chain];
}

void fw_ipt_empty_chain(struct fw_ipt_chain *chain) {
	chain->first = chain->last = FW_IPT_NO_RULE;
}

void fw_ipt_set_policy(
	struct fw_ipt_reader *reader, struct fw_ipt_chain *chain, struct fw_slice policy) {
	chain->drops = fw_slice_is(policy, "DROP");
	if (chain->base == FW_IPT_NO_BASE ? !fw_slice_is(policy, "-")
					  : !chain->drops && !fw_slice_is(policy, "ACCEPT")) {
		fw_ipt_note_value(reader, "the policy", policy);
	}
}

void fw_ipt_declare_chain(
	struct fw_ipt_reader *reader, struct fw_slice name, struct fw_slice policy) {
	struct fw_ipt_chain *chain = fw_ipt_chain_called(reader, name);

	if (chain->declared) {
		fw_ipt_note_value(reader, "a second declaration of the chain", name);
	}
	chain->declared = true;
	chain->line = reader->line;
	chain->start = reader->start;
	chain->end = reader->end;
	fw_ipt_set_policy(reader, chain, policy);
}
