// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Text of iptables-save and ip6tables-save as tables, chains and rules; files for iptables-restore
 * too, as people write them. What a rule means is for other files of this module.
 */

#include "readback/iptables_reader.h"

#include <stdlib.h>
#include <string.h>

/* What a text may hold, so that hostile ones end: lists of addresses multiply. */
enum { RULES_MAX = 1 << 22 };

/* ---- rules ---- */

/* An interval of addresses that a match asks for is the rule's own, where -s or -d is not there. */
static void claim_side(struct fw_ipt_parse *parse, enum fw_var var, struct fw_ipt_side *side) {
	size_t kept = 0;

	for (size_t i = 0; i < parse->conds.count; i++) {
		const struct fw_ipt_cond *cond = &parse->conds.items[i];
		if (!side->asked && cond->kind == FW_IPT_VALUES && cond->var == var &&
			cond->count == 1) {
			const struct fw_interval *interval = cond->data;
			*side = (struct fw_ipt_side){
				interval->low, interval->high, true, cond->inverted != 0};
			continue;
		}
		parse->conds.items[kept++] = *cond;
	}
	parse->conds.count = kept;
}

static void describe_guard(struct fw_ipt_reader *reader, struct fw_ipt_guard *guard) {
	for (size_t i = 0; i < guard->count; i++) {
		const struct fw_ipt_cond *cond = &guard->conds[i];
		const struct fw_ipt_set *set;
		const char *unknown = NULL;
		if (cond->kind == FW_IPT_UNKNOWN) {
			unknown = cond->data;
		} else if (cond->kind == FW_IPT_ORIGINAL) {
			guard->original = cond->data;
		} else if (cond->kind == FW_IPT_SET) {
			const struct fw_ipt_sets *sets = reader->text->sets;
			set = sets == NULL ? NULL : fw_ipt_sets_find(sets, cond->data);
			unknown = set == NULL ? fw_ipt_describe(&reader->pool, "the missing set",
							fw_slice(cond->data))
					      : fw_ipt_set_unknown(sets, set);
		} else if (cond->kind == FW_IPT_VALUES && cond->var == FW_VAR_HOP_LIMIT) {
			reader->text->asks_hop_limit = true;
		}
		guard->asks_in = guard->asks_in || cond->kind == FW_IPT_IN;
		if (cond->kind == FW_IPT_TYPE) {
			guard->asks_type[cond->var == FW_VAR_DESTINATION] = true;
		}
		if (guard->unknown == NULL) {
			guard->unknown = unknown;
		}
	}
}

static void name_interfaces(struct fw_ipt_reader *reader, const struct fw_ipt_guard *guard) {
	for (size_t i = 0; i < guard->count; i++) {
		const struct fw_ipt_cond *cond = &guard->conds[i];
		const char *name = cond->data;
		if (cond->kind != FW_IPT_IN && cond->kind != FW_IPT_OUT) {
			continue;
		}
		if (cond->numbers[0] != 0) {
			FW_VEC_ADD(&reader->names, fw_arena_printf(reader->arena, "%s*", name));
		} else if (strcmp(name, "lo") != 0) {
			FW_VEC_ADD(&reader->names, name);
		}
	}
}

/* What tells whether rules add to a set of this name, or delete from it. */
static struct fw_ipt_number *filled_mark(struct fw_ipt_reader *reader, const char *set) {
	struct fw_buf key FW_AUTO(fw_buf_fini) = {0};

	fw_buf_printf(&key, "filled %s", set);
	return fw_ipt_intern_number(&reader->pool, fw_buf_slice(&key));
}

/* The set, or the first of its list, that rules fill; or NULL. */
static const char *filled_set(struct fw_ipt_reader *reader, const char *name) {
	const struct fw_ipt_sets *sets = reader->text->sets;
	const struct fw_ipt_set *set = sets == NULL ? NULL : fw_ipt_sets_find(sets, name);

	if (filled_mark(reader, name)->mark != 0) {
		return name;
	}
	for (size_t i = 0; set != NULL && set->list && i < set->member_count; i++) {
		if (filled_mark(reader, set->members[i].set)->mark != 0) {
			return set->members[i].set;
		}
	}
	return NULL;
}

static const struct fw_ipt_guard *get_guard(struct fw_ipt_reader *reader) {
	const struct fw_ipt_parse *parse = &reader->parse;
	size_t size = parse->conds.count * sizeof(*parse->conds.items);
	struct fw_slice bytes = {(const char *)parse->conds.items, size};
	struct fw_ipt_number *number = fw_ipt_intern_number(&reader->pool, bytes);

	if (number->mark == 0) {
		struct fw_ipt_guard *guard = FW_ARENA_NEW(reader->arena, struct fw_ipt_guard);
		guard->conds = fw_ipt_intern(&reader->pool, parse->conds.items, size);
		guard->count = parse->conds.count;
		guard->index = reader->guards.count;
		describe_guard(reader, guard);
		name_interfaces(reader, guard);
		FW_VEC_ADD(&reader->guards, guard);
		number->mark = reader->guards.count;
	}
	return reader->guards.items[number->mark - 1];
}

/* What a target does to the rule. */
static void set_target(struct fw_ipt_reader *reader, struct fw_ipt_rule *rule) {
	struct fw_ipt_parse *parse = &reader->parse;

	rule->action = FW_RB_CONTINUE;
	if (parse->chain != NULL) {
		rule->action = parse->goes ? FW_RB_GOTO : FW_RB_JUMP;
		rule->chain = fw_ipt_get_chain(reader, fw_slice(parse->chain));
		reader->chains.items[rule->chain].references++;
	} else if (parse->target != NULL) {
		rule->unknown = fw_ipt_target_set(parse, rule);
	}
}

static void link_rule(struct fw_ipt_reader *reader, uint32_t chain, bool in_front,
	const struct fw_ipt_rule *rule) {
	struct fw_ipt_chain *to = &reader->chains.items[chain];
	uint32_t index = (uint32_t)reader->rules.count;

	if (reader->rules.count == RULES_MAX) {
		reader->too_large = true;
		return;
	}
	FW_VEC_ADD(&reader->rules, *rule);
	if (in_front || to->first == FW_IPT_NO_RULE) {
		reader->rules.items[index].next = to->first;
		to->last = to->first == FW_IPT_NO_RULE ? index : to->last;
		to->first = index;
	} else {
		reader->rules.items[index].next = FW_IPT_NO_RULE;
		reader->rules.items[to->last].next = index;
		to->last = index;
	}
}

/* One for each address in the lists of -s and -d. */
static void link_rules(
	struct fw_ipt_reader *reader, uint32_t chain, bool in_front, struct fw_ipt_rule *rule) {
	const struct fw_ipt_parse *parse = &reader->parse;
	size_t sources = parse->sources.count != 0 ? parse->sources.count : 1;
	size_t destinations = parse->destinations.count != 0 ? parse->destinations.count : 1;

	for (size_t i = 0; i < sources && !reader->too_large; i++) {
		for (size_t j = 0; j < destinations && !reader->too_large; j++) {
			if (parse->sources.count != 0) {
				rule->source = parse->sources.items[i];
			}
			if (parse->destinations.count != 0) {
				rule->destination = parse->destinations.items[j];
			}
			link_rule(reader, chain, in_front, rule);
		}
	}
}

static struct fw_ipt_cond unknown_cond(const char *what) {
	return (struct fw_ipt_cond){.kind = FW_IPT_UNKNOWN, .data = what};
}

/* The rule as it is, and others for what it may match besides. */
static void link_all(
	struct fw_ipt_reader *reader, uint32_t chain, bool in_front, struct fw_ipt_rule *rule) {
	struct fw_ipt_parse *parse = &reader->parse;
	bool decides = rule->action != FW_RB_CONTINUE && rule->unknown == NULL;
	bool calls = rule->action == FW_RB_JUMP || rule->action == FW_RB_GOTO;

	if (parse->opaque != NULL) {
		FW_VEC_ADD(&parse->conds, unknown_cond(parse->opaque));
	}
	size_t asked = parse->conds.count;

	for (size_t i = 0; i < parse->doubts.count && decides; i++) {
		struct fw_ipt_rule doubtful = *rule;
		parse->conds.count = asked;
		for (size_t j = 0; j < i; j++) {
			FW_VEC_ADD(&parse->conds, parse->doubts.items[j].sure);
		}
		FW_VEC_ADD(&parse->conds, parse->doubts.items[i].perhaps);
		FW_VEC_ADD(&parse->conds, unknown_cond(parse->doubts.items[i].what));
		doubtful.guard = get_guard(reader);
		link_rules(reader, chain, in_front, &doubtful);
		reader->chains.items[rule->chain].references += calls;
	}
	parse->conds.count = asked;
	for (size_t i = 0; i < parse->doubts.count; i++) {
		FW_VEC_ADD(&parse->conds, parse->doubts.items[i].sure);
	}
	rule->guard = get_guard(reader);
	link_rules(reader, chain, in_front, rule);
}

/* What cannot be parsed is no rule at all: the text that holds it is never loaded. */
static void read_rule(struct fw_ipt_reader *reader, size_t from, uint32_t chain, bool in_front) {
	struct fw_ipt_parse *parse = &reader->parse;
	struct fw_ipt_rule rule = {
		.line = reader->line, .start = reader->start, .end = reader->end};

	fw_ipt_parse_reset(parse);
	parse->words = reader->words.list.items;
	parse->count = reader->words.list.count;
	parse->next = from;
	parse->table = reader->table;
	parse->base = reader->chains.items[chain].base;
	fw_ipt_parse_rule(parse);
	if (parse->unknown != NULL) {
		fw_ipt_note(reader, parse->unknown);
		return;
	}
	if (parse->other_family) {
		return;
	}
	set_target(reader, &rule);
	rule.refused_in = parse->refused_in;
	if (parse->limited) {
		struct fw_ipt_rate *rate = FW_ARENA_NEW(reader->arena, struct fw_ipt_rate);
		*rate = parse->rate;
		rule.rate = rate;
	}
	if (parse->sources.count == 0) {
		claim_side(parse, FW_VAR_SOURCE, &rule.source);
	}
	if (parse->destinations.count == 0) {
		claim_side(parse, FW_VAR_DESTINATION, &rule.destination);
	}
	for (size_t i = 0; i < parse->filled.count; i++) {
		filled_mark(reader, parse->filled.items[i])->mark = 1;
		reader->fills = true;
	}
	link_all(reader, chain, in_front, &rule);
}

/* ---- commands ---- */

enum command { NO_COMMAND, APPEND, INSERT, NEW, POLICY, FLUSH, REMOVE, ZERO };

static enum command find_command(struct fw_slice word) {
	static const struct {
		const char *name;
		enum command command;
	} commands[] = {
		{"-A", APPEND},
		{"--append", APPEND},
		{"-I", INSERT},
		{"--insert", INSERT},
		{"-N", NEW},
		{"--new-chain", NEW},
		{"-P", POLICY},
		{"--policy", POLICY},
		{"-F", FLUSH},
		{"--flush", FLUSH},
		{"-X", REMOVE},
		{"--delete-chain", REMOVE},
		{"-Z", ZERO},
		{"--zero", ZERO},
	};

	for (size_t i = 0; i < FW_LENGTH(commands); i++) {
		if (fw_slice_is(word, commands[i].name)) {
			return commands[i].command;
		}
	}
	return NO_COMMAND;
}

static bool is_number(struct fw_slice word, uint64_t *out) {
	return fw_ipt_decimal(word, UINT32_MAX, out);
}

/* All chains of the table, or one. */
static void flush(struct fw_ipt_reader *reader, const struct fw_slice *name) {
	if (name != NULL) {
		fw_ipt_empty_chain(fw_ipt_chain_called(reader, *name));
		return;
	}
	for (size_t i = 0; i < reader->chains.count; i++) {
		if (reader->chains.items[i].table == reader->table) {
			fw_ipt_empty_chain(&reader->chains.items[i]);
		}
	}
}

/* Chains that are removed are empty, and nobody calls them. */
static void remove_chain(struct fw_ipt_reader *reader, struct fw_slice name) {
	struct fw_ipt_chain *chain = fw_ipt_chain_called(reader, name);

	if (chain->base != FW_IPT_NO_BASE || chain->first != FW_IPT_NO_RULE ||
		chain->references != 0) {
		fw_ipt_note_value(reader, "the removal of the chain", name);
	}
	chain->declared = false;
}

/* Chains are there before anything is said of them. */
static bool is_missing(struct fw_ipt_reader *reader, struct fw_slice name) {
	size_t mark = fw_ipt_chain_number(reader, name)->mark;

	return fw_ipt_base_of(reader->table, name) == FW_IPT_NO_BASE &&
	       (mark == 0 || !reader->chains.items[mark - 1].declared);
}

static void run_command(struct fw_ipt_reader *reader, size_t at) {
	const struct fw_ipt_word *words = reader->words.list.items;
	size_t count = reader->words.list.count;
	enum command command = find_command(words[at].text);
	const struct fw_slice *name = at + 1 < count ? &words[at + 1].text : NULL;
	uint64_t number;

	if (name != NULL && command != NO_COMMAND && command != NEW && is_missing(reader, *name)) {
		fw_ipt_note_value(reader, "the missing chain", *name);
	} else if ((command == ZERO || command == FLUSH) && at + 2 >= count) {
		if (command == FLUSH) {
			flush(reader, name);
		}
	} else if (command == NO_COMMAND || name == NULL) {
		fw_ipt_note_value(reader, "the line", words[at].text);
	} else if (command == APPEND) {
		read_rule(reader, at + 2, fw_ipt_get_chain(reader, *name), false);
	} else if (command == INSERT) {
		bool placed = at + 2 < count && is_number(words[at + 2].text, &number);
		if (placed && number != 1) {
			fw_ipt_note(reader, "an insertion between rules");
		}
		read_rule(reader, at + 2 + placed, fw_ipt_get_chain(reader, *name), true);
	} else if (command == NEW && at + 2 == count) {
		fw_ipt_declare_chain(reader, *name, FW_SLICE("-"));
	} else if (command == POLICY && at + 3 == count) {
		fw_ipt_set_policy(reader, fw_ipt_chain_called(reader, *name), words[at + 2].text);
	} else if (command == REMOVE && at + 2 == count) {
		remove_chain(reader, *name);
	} else {
		fw_ipt_note_value(reader, "the command", words[at].text);
	}
}

/* ---- lines ---- */

static void begin_table(struct fw_ipt_reader *reader, struct fw_slice name) {
	if (reader->table != FW_IPT_NO_TABLE) {
		fw_ipt_note(reader, "a table in a table");
	}
	reader->begun = true;
	reader->table = FW_IPT_NO_TABLE;
	for (int i = FW_IPT_RAW; i < FW_IPT_TABLE_COUNT; i++) {
		if (fw_slice_is(name, fw_ipt_table_names[i])) {
			reader->table = (enum fw_ipt_table)i;
		}
	}
	if (reader->table == FW_IPT_NO_TABLE) {
		fw_ipt_note_value(reader, "the table", name);
		return;
	}
	if (reader->seen[reader->table]) {
		fw_ipt_note_value(reader, "a second table", name);
	}
	reader->seen[reader->table] = true;
	reader->table_line = reader->line;
	reader->table_start = reader->start;
	reader->table_end = reader->end;
}

static void end_table(struct fw_ipt_reader *reader, struct fw_slice line) {
	if (reader->table == FW_IPT_NO_TABLE) {
		fw_ipt_note(reader, "a COMMIT of no table");
	}
	if (!fw_slice_is(line, "COMMIT")) {
		fw_ipt_note_value(reader, "the line", line);
	}
	reader->table = FW_IPT_NO_TABLE;
}

static void read_declaration(struct fw_ipt_reader *reader) {
	const struct fw_ipt_word *words = reader->words.list.items;
	struct fw_slice name = words[0].text;

	name = (struct fw_slice){name.data + 1, name.length - 1};
	if (name.length == 0 || reader->words.list.count < 2 || reader->words.list.count > 3) {
		fw_ipt_note_value(reader, "the line", words[0].text);
		return;
	}
	fw_ipt_declare_chain(reader, name, words[1].text);
}

/* "[12:345]" */
static bool are_counters(struct fw_slice word) {
	struct fw_slice packets = word, bytes;
	uint64_t number;

	if (word.length < 2 || word.data[0] != '[' || word.data[word.length - 1] != ']') {
		return false;
	}
	bytes = (struct fw_slice){word.data + 1, word.length - 2};
	packets = fw_slice_cut(&bytes, ':');
	return fw_ipt_decimal(packets, UINT64_MAX, &number) &&
	       fw_ipt_decimal(bytes, UINT64_MAX, &number);
}

/* Rules alone may stand behind blanks. */
static void read_words(struct fw_ipt_reader *reader, struct fw_slice line) {
	const struct fw_ipt_word *words = reader->words.list.items;
	struct fw_slice first = words[0].text;
	size_t at = 0;

	if (first.data != line.data && (first.length == 0 || first.data[0] != '-')) {
		fw_ipt_note_value(reader, "the line", first);
	} else if (first.length != 0 && first.data[0] == '*') {
		begin_table(reader, (struct fw_slice){first.data + 1, first.length - 1});
	} else if (fw_slice_is(first, "COMMIT")) {
		end_table(reader, line);
	} else if (reader->table == FW_IPT_NO_TABLE) {
		fw_ipt_note_value(reader, "a line in no table:", first);
	} else if (first.length != 0 && first.data[0] == ':') {
		read_declaration(reader);
	} else {
		at += are_counters(first);
		if (at == reader->words.list.count) {
			fw_ipt_note_value(reader, "the line", first);
		} else {
			run_command(reader, at);
		}
	}
}

static void read_line(struct fw_ipt_reader *reader, struct fw_slice line) {
	struct fw_slice trimmed = fw_slice_trim(line);

	if (line.length == 0 || line.data[0] == '#') {
		return;
	}
	if (trimmed.length == 0) {
		fw_ipt_note(reader, "a line of blanks");
		return;
	}
	if (memchr(line.data, 0, line.length) != NULL) {
		fw_ipt_note(reader, "a NUL");
	} else if (!fw_ipt_split(reader->arena, line, false, &reader->words)) {
		fw_ipt_note(reader, "a quote that does not end");
	} else {
		read_words(reader, line);
	}
}

/* What is said of a table that does not end cannot be loaded. */
static void read_lines(struct fw_ipt_reader *reader) {
	struct fw_slice rest = reader->text->source->text;

	while (rest.data != NULL && !reader->too_large) {
		struct fw_slice line = fw_slice_cut(&rest, '\n');
		reader->line++;
		reader->start = (uint32_t)(line.data - reader->text->source->text.data);
		reader->end = reader->start + (uint32_t)line.length;
		read_line(reader, line);
	}
	if (reader->unknowns.count > 1 && !reader->begun) {
		reader->unknowns.count = 1; /* each of its lines would be one */
		reader->unknowns.items[0].what =
			"a text that is not of iptables-save, for it has no tables";
	}
	if (reader->table != FW_IPT_NO_TABLE) {
		fw_ipt_note_at(reader, "a table without COMMIT", reader->table_line,
			reader->table_start, reader->table_end);
	}
}

/* ---- the end ---- */

/* Rules of flowfw's chains where those that call them are somebody else's: its own come first. */
static void call_base(
	struct fw_ipt_reader *reader, enum fw_ipt_table table, enum fw_ipt_base base) {
	struct fw_slice name = fw_slice(fw_ipt_base_names[base]);
	struct fw_buf own FW_AUTO(fw_buf_fini) = {0};

	fw_buf_printf(&own, "FLOWFW-%s", fw_ipt_base_names[base]);
	reader->table = table;
	size_t called = fw_ipt_chain_number(reader, fw_buf_slice(&own))->mark;
	if (called == 0 || !reader->chains.items[called - 1].declared ||
		fw_ipt_chain_number(reader, name)->mark != 0 ||
		fw_ipt_base_of(table, name) == FW_IPT_NO_BASE) {
		return;
	}
	const struct fw_ipt_chain *chain = &reader->chains.items[called - 1];
	struct fw_ipt_rule rule = {
		.action = FW_RB_JUMP,
		.chain = (uint32_t)called - 1,
		.line = chain->line,
		.start = chain->start,
		.end = chain->end,
	};
	reader->line = chain->line;
	reader->start = chain->start;
	reader->end = chain->end;
	fw_ipt_parse_reset(&reader->parse);
	rule.guard = get_guard(reader);
	uint32_t caller = fw_ipt_get_chain(reader, name);
	if (reader->too_large) {
		return;
	}
	reader->chains.items[caller].declared = true;
	link_rule(reader, caller, false, &rule);
	reader->chains.items[called - 1].references++;
	FW_VEC_ADD(&reader->remarks,
		fw_arena_printf(reader->arena, "%s of table %s is taken to call FLOWFW-%s first",
			fw_ipt_base_names[base], fw_ipt_table_names[table],
			fw_ipt_base_names[base]));
}

static void call_bases(struct fw_ipt_reader *reader) {
	for (int table = FW_IPT_RAW; table < FW_IPT_TABLE_COUNT; table++) {
		for (int base = FW_IPT_PREROUTING; base < FW_IPT_BASE_COUNT; base++) {
			call_base(reader, (enum fw_ipt_table)table, (enum fw_ipt_base)base);
		}
	}
}

static void find_filled(struct fw_ipt_reader *reader) {
	for (size_t i = 0; i < reader->guards.count && reader->fills; i++) {
		struct fw_ipt_guard *guard = reader->guards.items[i];
		for (size_t j = 0; j < guard->count && guard->filled == NULL; j++) {
			if (guard->conds[j].kind == FW_IPT_SET) {
				guard->filled = filled_set(reader, guard->conds[j].data);
			}
		}
	}
}

/* A rule about a set that others fill: what is dropped then may be more in use. */
static void check_filled(struct fw_ipt_reader *reader, struct fw_ipt_rule *rule) {
	bool drops = rule->action == FW_RB_DROP || rule->action == FW_RB_REJECT;
	bool inverted = false;

	if (rule->guard->filled == NULL || rule->action == FW_RB_CONTINUE) {
		return;
	}
	for (size_t i = 0; i < rule->guard->count; i++) {
		const struct fw_ipt_cond *cond = &rule->guard->conds[i];
		inverted = inverted || (cond->kind == FW_IPT_SET && cond->inverted != 0);
	}
	if (!drops || inverted) {
		rule->unknown = fw_ipt_describe(
			&reader->pool, "a set that rules fill:", fw_slice(rule->guard->filled));
	} else if (reader->remarks.count < FW_RB_UNKNOWNS_MAX) {
		FW_VEC_ADD(&reader->remarks,
			fw_arena_printf(reader->arena,
				"%s:%u: the set '%s' drops what other rules fill it with in use",
				reader->text->source->name, (unsigned)rule->line,
				rule->guard->filled));
	}
}

/* With such a rule no file is loaded at all, so that it is none; in a kernel it matters if packets
 * come to it. */
static void refuse(void *context, struct fw_ipt_rule *rule, const char *what) {
	struct fw_ipt_reader *reader = context;

	if (reader->parse.file) {
		fw_ipt_note_at(reader, what, rule->line, rule->start, rule->end);
		rule->action = FW_RB_CONTINUE;
		rule->unknown = NULL;
	} else {
		rule->unknown = what;
	}
}

/* A call of what is no chain that was there before. A kernel's is of a module that is not known. */
static void check_call(struct fw_ipt_reader *reader, struct fw_ipt_rule *rule) {
	const struct fw_ipt_chain *chain = &reader->chains.items[rule->chain];

	if (!chain->declared || chain->base != FW_IPT_NO_BASE || chain->line > rule->line) {
		refuse(reader, rule,
			fw_ipt_describe(&reader->pool, "the target", fw_slice(chain->name)));
	}
}

/* Calls of chains that are missing, changes that nothing asks about, and what only the whole of the
 * rules tells. */
static void check_rules(struct fw_ipt_reader *reader) {
	struct fw_ipt_checked all = {&reader->pool, reader->chains.items, reader->chains.count,
		reader->rules.items, reader->rules.count};

	for (size_t i = 0; i < reader->rules.count; i++) {
		struct fw_ipt_rule *rule = &reader->rules.items[i];
		if (rule->unknown == fw_ipt_hops_changed && !reader->text->asks_hop_limit) {
			rule->unknown = NULL;
		}
		check_filled(reader, rule);
		if (rule->action == FW_RB_JUMP || rule->action == FW_RB_GOTO) {
			check_call(reader, rule);
		}
	}
	if (reader->parse.file) {
		fw_ipt_check_bases(&all, refuse, reader);
	}
	fw_ipt_check_buckets(&all);
}

/* The first rules that ask for types of addresses, if any decide by them. */
static void find_types(struct fw_ipt_text *text, size_t count) {
	for (size_t i = 0; i < count; i++) {
		const struct fw_ipt_rule *rule = &text->rules[i];
		for (size_t side = 0; side < FW_LENGTH(text->asks_type); side++) {
			if (rule->guard->asks_type[side] && text->asks_type[side] == NULL &&
				rule->action != FW_RB_CONTINUE) {
				text->asks_type[side] = rule;
			}
		}
	}
}

#define SEAL(reader, vec)                                                                          \
	fw_rb_copy((reader)->arena, (vec)->items, (vec)->count, sizeof(*(vec)->items))

static void finish(struct fw_ipt_reader *reader, struct fw_ruleset *out) {
	struct fw_ipt_text *text = reader->text;

	text->chains = SEAL(reader, &reader->chains);
	text->chain_count = reader->chains.count;
	text->rules = SEAL(reader, &reader->rules);
	find_types(text, reader->rules.count);
	text->rule_count = reader->rules.count;
	text->guards = SEAL(reader, &reader->guards);
	text->guard_count = reader->guards.count;
	text->unknowns = SEAL(reader, &reader->unknowns);
	text->unknown_count = reader->unknowns.count;
	text->remarks = SEAL(reader, &reader->remarks);
	text->remark_count = reader->remarks.count;
	*out = (struct fw_ruleset){
		.names = SEAL(reader, &reader->names),
		.name_count = reader->names.count,
		.content = text,
		.lower = fw_ipt_lower,
	};
}

static void reader_fini(struct fw_ipt_reader *reader) {
	fw_ipt_pool_fini(&reader->pool);
	fw_ipt_parse_fini(&reader->parse);
	FW_VEC_FINI(&reader->words.list);
	FW_VEC_FINI(&reader->chains);
	FW_VEC_FINI(&reader->rules);
	FW_VEC_FINI(&reader->guards);
	FW_VEC_FINI(&reader->names);
	FW_VEC_FINI(&reader->unknowns);
	FW_VEC_FINI(&reader->remarks);
}

static void read_sets(struct fw_ipt_reader *reader, const struct fw_source *source) {
	struct fw_ipt_sets *sets = FW_ARENA_NEW(reader->arena, struct fw_ipt_sets);

	fw_ipt_sets_read(reader->arena, &reader->pool, reader->parse.file, source, sets);
	if (sets->unknown != NULL) {
		struct fw_place place = fw_ipt_place(reader->arena, source, sets->line, 0, 0);
		FW_VEC_ADD(&reader->unknowns,
			(struct fw_rb_unknown){.place = place, .what = sets->unknown});
	}
	reader->text->sets = sets;
}

bool fw_read_iptables(struct fw_arena *arena, enum fw_family family, bool file,
	const struct fw_source *text, const struct fw_source *sets, struct fw_ruleset *out,
	struct fw_diags *diags) {
	FW_AUTO(reader_fini)
	struct fw_ipt_reader reader = {
		.arena = arena,
		.text = FW_ARENA_NEW(arena, struct fw_ipt_text),
		.pool = {.arena = arena},
	};

	*reader.text = (struct fw_ipt_text){.family = family, .source = text};
	reader.parse = (struct fw_ipt_parse){
		.arena = arena,
		.pool = &reader.pool,
		.family = family,
		.file = file,
		.instances = FW_ARENA_ARRAY(arena, struct fw_ipt_instance, FW_IPT_INSTANCES_MAX),
	};
	if (sets != NULL) {
		read_sets(&reader, sets);
	}
	read_lines(&reader);
	if (file) {
		call_bases(&reader);
	}
	if (reader.too_large) {
		fw_failure(diags, "rule-set-too-large", 0,
			"'%s' has more than %d rules, or as many chains", text->name, RULES_MAX);
		return false;
	}
	find_filled(&reader);
	check_rules(&reader);
	finish(&reader, out);
	return true;
}
