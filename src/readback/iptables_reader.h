// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_READBACK_IPTABLES_READER_H
#define FW_READBACK_IPTABLES_READER_H
/*
 * What reads a text of iptables-save line by line: its state, and the chains of the tables so far.
 */

#include "readback/iptables.h"

struct fw_ipt_reader {
	struct fw_arena *arena;
	struct fw_ipt_text *text;
	struct fw_ipt_pool pool;
	struct fw_ipt_parse parse;
	struct fw_ipt_words words;
	enum fw_ipt_table table;
	bool seen[FW_IPT_TABLE_COUNT];
	bool begun; /* some table, known or not */
	bool too_large;
	bool fills;		   /* some rule adds to a set */
	uint32_t line, start, end; /* the line looked at */
	uint32_t table_line, table_start, table_end;
	FW_VEC(struct fw_ipt_chain) chains;
	FW_VEC(struct fw_ipt_rule) rules;
	FW_VEC(struct fw_ipt_guard *) guards;
	FW_VEC(const char *) names;
	FW_VEC(struct fw_rb_unknown) unknowns;
	FW_VEC(const char *) remarks;
};

/** Something that is not understood, at a line of the text; `what` lives as long as the arena. */
void fw_ipt_note_at(struct fw_ipt_reader *reader, const char *what, uint32_t line, uint32_t start,
	uint32_t end);
/** The same at the line that is read. */
void fw_ipt_note(struct fw_ipt_reader *reader, const char *what);
/** "what 'value'" there. */
void fw_ipt_note_value(struct fw_ipt_reader *reader, const char *what, struct fw_slice value);

/** Which hook a table's chain of this name is called from; FW_IPT_NO_BASE: from none. */
enum fw_ipt_base fw_ipt_base_of(enum fw_ipt_table table, struct fw_slice name);
/** What a chain's name in the table that is read goes by; its mark is one more than the chain's
 * index, 0 where there is no such chain yet. */
struct fw_ipt_number *fw_ipt_chain_number(struct fw_ipt_reader *reader, struct fw_slice name);
/** The index of a chain, known so far or not: chains are called before they are declared, too. */
uint32_t fw_ipt_get_chain(struct fw_ipt_reader *reader, struct fw_slice name);
/** The same itself, until another one is made. */
struct fw_ipt_chain *fw_ipt_chain_called(struct fw_ipt_reader *reader, struct fw_slice name);
void fw_ipt_empty_chain(struct fw_ipt_chain *chain);
void fw_ipt_set_policy(
	struct fw_ipt_reader *reader, struct fw_ipt_chain *chain, struct fw_slice policy);
/** ":INPUT DROP [0:0]" */
void fw_ipt_declare_chain(
	struct fw_ipt_reader *reader, struct fw_slice name, struct fw_slice policy);

#endif
