// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The options of one rule, as getopt_long would find them: those of every rule here, those of
 * matches and targets by their tables. Reading stops at the first thing that cannot be parsed:
 * iptables-restore would refuse the file that holds it. What the kernel itself holds was parsed by
 * somebody, so there a module that is in no table may have any options.
 */

#include "readback/iptables.h"

#include <stdlib.h>
#include <string.h>

enum {
	OPTION_NONE,
	OPTION_SOURCE,
	OPTION_DESTINATION,
	OPTION_PROTOCOL,
	OPTION_IN,
	OPTION_OUT,
	OPTION_MATCH,
	OPTION_JUMP,
	OPTION_GOTO,
	OPTION_FRAGMENT,
	OPTION_COUNTERS,
	OPTION_IPV4,
	OPTION_IPV6,
};

enum {
	PREFIX_MAX = 15, /* bytes of an interface's name */
	LIST_MAX = 4096, /* addresses of -s or -d */
	SHOWN_MAX = 64,	 /* bytes of what is not understood */
};

static const struct fw_ipt_option base_options[] = {
	{"source", OPTION_SOURCE, 1},
	{"src", OPTION_SOURCE, 1},
	{"destination", OPTION_DESTINATION, 1},
	{"dst", OPTION_DESTINATION, 1},
	{"protocol", OPTION_PROTOCOL, 1},
	{"proto", OPTION_PROTOCOL, 1},
	{"in-interface", OPTION_IN, 1},
	{"out-interface", OPTION_OUT, 1},
	{"match", OPTION_MATCH, 1},
	{"jump", OPTION_JUMP, 1},
	{"goto", OPTION_GOTO, 1},
	{"fragments", OPTION_FRAGMENT, 0},
	{"set-counters", OPTION_COUNTERS, 2},
	{"ipv4", OPTION_IPV4, 0},
	{"ipv6", OPTION_IPV6, 0},
};

static const struct {
	char letter;
	struct fw_ipt_option option;
} short_options[] = {
	{'s', {"s", OPTION_SOURCE, 1}},
	{'d', {"d", OPTION_DESTINATION, 1}},
	{'p', {"p", OPTION_PROTOCOL, 1}},
	{'i', {"i", OPTION_IN, 1}},
	{'o', {"o", OPTION_OUT, 1}},
	{'m', {"m", OPTION_MATCH, 1}},
	{'j', {"j", OPTION_JUMP, 1}},
	{'g', {"g", OPTION_GOTO, 1}},
	{'f', {"f", OPTION_FRAGMENT, 0}},
	{'c', {"c", OPTION_COUNTERS, 2}},
	{'4', {"4", OPTION_IPV4, 0}},
	{'6', {"6", OPTION_IPV6, 0}},
};

/* ---- what rules ask for ---- */

const char *fw_ipt_describe(struct fw_ipt_pool *pool, const char *what, struct fw_slice value) {
	struct fw_buf text FW_AUTO(fw_buf_fini) = {0};

	value.length = value.length < SHOWN_MAX ? value.length : SHOWN_MAX;
	fw_buf_add_text(&text, what);
	fw_buf_add_text(&text, " '");
	fw_buf_add_escaped(&text, value);
	fw_buf_add_char(&text, '\'');
	return fw_ipt_intern_text(pool, fw_buf_slice(&text));
}

void fw_ipt_wrong(struct fw_ipt_parse *parse, const char *what) {
	if (parse->unknown == NULL) {
		parse->unknown = what;
	}
}

void fw_ipt_wrong_value(struct fw_ipt_parse *parse, const char *what, struct fw_slice value) {
	fw_ipt_wrong(parse, fw_ipt_describe(parse->pool, what, value));
}

static void note_asking(struct fw_ipt_parse *parse) {
	parse->last_asking =
		parse->asking > parse->last_asking ? parse->asking : parse->last_asking;
}

void fw_ipt_ask(struct fw_ipt_parse *parse, struct fw_ipt_cond cond) {
	if (parse->opaque != NULL) {
		return;
	}
	FW_VEC_ADD(&parse->conds, cond);
	note_asking(parse);
}

void fw_ipt_ask_unknown(struct fw_ipt_parse *parse, const char *what) {
	fw_ipt_ask(parse, (struct fw_ipt_cond){.kind = FW_IPT_UNKNOWN,
				  .data = fw_ipt_intern_text(parse->pool, fw_slice(what))});
}

/* `what` is interned, so that rules that ask for the same share a guard. */
void fw_ipt_ask_doubtful(struct fw_ipt_parse *parse, const struct fw_ipt_cond *sure,
	struct fw_ipt_cond perhaps, const char *what) {
	if (parse->opaque != NULL) {
		return;
	}
	if (sure == NULL) {
		fw_ipt_ask(parse, perhaps);
		fw_ipt_ask_unknown(parse, what);
		return;
	}
	what = fw_ipt_intern_text(parse->pool, fw_slice(what));
	FW_VEC_ADD(&parse->doubts, (struct fw_ipt_doubt){*sure, perhaps, what});
	note_asking(parse);
}

void fw_ipt_ask_option(struct fw_ipt_parse *parse, const struct fw_ipt_value *value) {
	fw_ipt_ask_unknown(
		parse, fw_ipt_describe(parse->pool, "the option", fw_slice(value->name)));
}

struct fw_ipt_cond fw_ipt_interval(struct fw_ipt_parse *parse, enum fw_var var, struct fw_addr low,
	struct fw_addr high, bool inverted) {
	struct fw_interval interval = {low, high};

	return (struct fw_ipt_cond){
		.kind = FW_IPT_VALUES,
		.inverted = inverted,
		.var = (uint16_t)var,
		.count = 1,
		.data = fw_ipt_intern(parse->pool, &interval, sizeof(interval)),
	};
}

void fw_ipt_ask_interval(struct fw_ipt_parse *parse, enum fw_var var, struct fw_addr low,
	struct fw_addr high, bool inverted) {
	fw_ipt_ask(parse, fw_ipt_interval(parse, var, low, high, inverted));
}

/* ---- matches ---- */

static void narrow_bases(struct fw_ipt_parse *parse, unsigned bases) {
	parse->refused_in |= bases != 0 ? ~bases : 0;
}

static struct fw_ipt_instance *add_instance(
	struct fw_ipt_parse *parse, const struct fw_ipt_match *match) {
	if (parse->instance_count == FW_IPT_INSTANCES_MAX) {
		fw_ipt_wrong(parse, "too many matches");
		return NULL;
	}
	struct fw_ipt_instance *instance = &parse->instances[parse->instance_count++];
	*instance = (struct fw_ipt_instance){.match = match};
	narrow_bases(parse, match->bases);
	return instance;
}

static void finish_all(struct fw_ipt_parse *parse) {
	for (size_t i = 0; i < parse->instance_count; i++) {
		struct fw_ipt_instance *instance = &parse->instances[i];
		parse->asking = i + 1;
		if (instance->match->needs && instance->seen == 0) {
			fw_ipt_wrong_value(
				parse, "no option of the match", fw_slice(instance->match->name));
		}
		if (instance->match->finish != NULL && parse->unknown == NULL) {
			instance->match->finish(parse, instance);
		}
	}
}

static void take_match(struct fw_ipt_parse *parse, const struct fw_ipt_value *value) {
	const struct fw_ipt_match *match = fw_ipt_match_find(parse->family, value->text);

	if (match != NULL) {
		add_instance(parse, match);
	} else if (parse->file) {
		fw_ipt_wrong_value(parse, "the match", value->text);
	} else if (parse->opaque == NULL) {
		parse->opaque = fw_ipt_describe(parse->pool, "the match", value->text);
	}
}

/* The match of the protocol comes by itself with its first option. */
static bool load_protocol(struct fw_ipt_parse *parse) {
	const struct fw_ipt_match *match = fw_ipt_match_of(parse->family, parse->protocol);

	for (size_t i = 0; match != NULL && i < parse->instance_count; i++) {
		if (parse->instances[i].match == match) {
			return false;
		}
	}
	if (match == NULL) {
		return false;
	}
	return add_instance(parse, match) != NULL;
}

/* ---- what every rule has ---- */

static void take_address(struct fw_ipt_parse *parse, const struct fw_ipt_value *value) {
	bool source = value->option == OPTION_SOURCE;
	struct fw_slice rest = value->text;
	size_t count = 0;

	/* Behind what is not understood, it may be some value. */
	while (rest.data != NULL && parse->unknown == NULL && parse->opaque == NULL) {
		struct fw_slice part = fw_slice_cut(&rest, ',');
		struct fw_range range;
		if (!fw_ipt_address(parse->family, part, &range)) {
			fw_ipt_wrong_value(parse, "the address", part);
		} else if (++count > LIST_MAX || (count > 1 && value->inverted)) {
			fw_ipt_wrong_value(parse, "the list of addresses", value->text);
		} else {
			struct fw_ipt_side side = {range.first, range.last, true, value->inverted};
			if (source) {
				FW_VEC_ADD(&parse->sources, side);
			} else {
				FW_VEC_ADD(&parse->destinations, side);
			}
		}
	}
}

static void take_protocol(struct fw_ipt_parse *parse, const struct fw_ipt_value *value) {
	uint8_t protocol;

	if (!fw_ipt_protocol(value->text, &protocol) || (protocol == 0 && value->inverted)) {
		fw_ipt_wrong_value(parse, "the protocol", value->text);
		return;
	}
	if (protocol == 0) {
		return;
	}
	parse->protocol = value->inverted ? -1 : protocol;
	fw_ipt_ask_interval(
		parse, FW_VAR_PROTOCOL, fw_value(protocol), fw_value(protocol), value->inverted);
}

/* Chains that the kernel calls have no rules about an interface that packets there do not have. */
static bool may_ask(const struct fw_ipt_parse *parse, const struct fw_ipt_value *value) {
	return value->option == OPTION_IN
		       ? parse->base != FW_IPT_OUTPUT && parse->base != FW_IPT_POSTROUTING
		       : parse->base != FW_IPT_INPUT && parse->base != FW_IPT_PREROUTING;
}

/* A plus at the end stands for anything that may follow. */
static void take_interface(struct fw_ipt_parse *parse, const struct fw_ipt_value *value) {
	struct fw_slice name = value->text;
	bool open = name.length != 0 && name.data[name.length - 1] == '+';

	name.length -= open;
	if (value->text.length == 0 || name.length > PREFIX_MAX || !may_ask(parse, value)) {
		fw_ipt_wrong_value(parse, "the interface", value->text);
		return;
	}
	if (name.length == 0) {
		if (value->inverted) {
			fw_ipt_ask(parse, (struct fw_ipt_cond){.kind = FW_IPT_NEVER});
		}
		return;
	}
	fw_ipt_ask(parse, (struct fw_ipt_cond){
				  .kind = value->option == OPTION_IN ? FW_IPT_IN : FW_IPT_OUT,
				  .inverted = value->inverted,
				  .numbers = {open},
				  .data = fw_ipt_intern_text(parse->pool, name),
			  });
}

static void take_target(struct fw_ipt_parse *parse, const struct fw_ipt_value *value) {
	if (parse->decided || value->inverted) {
		fw_ipt_wrong(parse, "more than one target");
		return;
	}
	parse->decided = true;
	parse->goes = value->option == OPTION_GOTO;
	if (!parse->goes) {
		parse->target = fw_ipt_target_find(parse->family, value->text);
	}
	if (parse->target == NULL) {
		parse->chain = fw_ipt_intern_text(parse->pool, value->text);
		return;
	}
	narrow_bases(parse, parse->target->bases);
	if (parse->file && parse->target->tables != 0 &&
		(parse->target->tables >> parse->table & 1) == 0) {
		fw_ipt_wrong_value(parse, "outside of its table: the target", value->text);
	} else if (parse->target->effect == FW_IPT_OPAQUE) {
		parse->refusal = fw_ipt_describe(parse->pool, "the target", value->text);
	}
}

static void take_base(struct fw_ipt_parse *parse, const struct fw_ipt_value *value) {
	switch (value->option) {
	case OPTION_SOURCE:
	case OPTION_DESTINATION:
		take_address(parse, value);
		break;
	case OPTION_PROTOCOL:
		take_protocol(parse, value);
		break;
	case OPTION_IN:
	case OPTION_OUT:
		take_interface(parse, value);
		break;
	case OPTION_MATCH:
		take_match(parse, value);
		break;
	case OPTION_JUMP:
	case OPTION_GOTO:
		take_target(parse, value);
		break;
	case OPTION_FRAGMENT:
		/* No packet that there is a model of is a later fragment. */
		if (parse->family == FW_IPV6) {
			fw_ipt_wrong(parse, "the option '-f'");
		} else if (!value->inverted) {
			fw_ipt_ask(parse, (struct fw_ipt_cond){.kind = FW_IPT_NEVER});
		}
		break;
	case OPTION_IPV4:
	case OPTION_IPV6:
		parse->other_family = parse->other_family ||
				      (value->option == OPTION_IPV4) != (parse->family == FW_IPV4);
		break;
	default:
		break;
	}
}

/* ---- options ---- */

/* An option that was found, and whose it is. */
struct found {
	const struct fw_ipt_option *option;
	struct fw_ipt_instance *instance; /* of a match */
	bool of_target;
	size_t candidates; /* of a name that is shortened */
};

/* Looks for a name among the options of one owner; an exact one wins. */
static bool search(struct fw_slice name, const struct fw_ipt_option *options, size_t count,
	struct found owner, struct found *best) {
	for (size_t i = 0; i < count; i++) {
		if (strncmp(options[i].name, name.data, name.length) != 0) {
			continue;
		}
		bool exact = options[i].name[name.length] == 0;
		if (exact || best->option == NULL) {
			size_t candidates = best->candidates;
			*best = owner;
			best->option = &options[i];
			best->candidates = candidates + 1;
		} else {
			best->candidates++;
		}
		if (exact) {
			best->candidates = 1;
			return true;
		}
	}
	return false;
}

/* Options of a match that is not understood may begin those that are. */
static struct found find_long(struct fw_ipt_parse *parse, struct fw_slice name) {
	struct found best = {0}, none = {0};

	if (search(name, base_options, FW_LENGTH(base_options), (struct found){0}, &best)) {
		return best;
	}
	for (size_t i = parse->instance_count; i > 0; i--) {
		struct fw_ipt_instance *instance = &parse->instances[i - 1];
		const struct fw_ipt_match *match = instance->match;
		if (search(name, match->options, match->option_count,
			    (struct found){.instance = instance}, &best)) {
			return best;
		}
	}
	if (parse->target != NULL &&
		search(name, parse->target->options, parse->target->option_count,
			(struct found){.of_target = true}, &best)) {
		return best;
	}
	return parse->opaque == NULL ? best : none;
}

/* The option that a word names, and what the word holds of its value. */
static struct found find_option(
	struct fw_ipt_parse *parse, struct fw_slice word, struct fw_slice *out_value) {
	*out_value = (struct fw_slice){0};
	if (word.data[1] == '-') {
		struct fw_slice rest = {word.data + 2, word.length - 2};
		struct fw_slice name = fw_slice_cut(&rest, '=');
		*out_value = rest;
		return find_long(parse, name);
	}
	for (size_t i = 0; i < FW_LENGTH(short_options); i++) {
		if (short_options[i].letter == word.data[1]) {
			if (word.length > 2) {
				*out_value = (struct fw_slice){word.data + 2, word.length - 2};
			}
			return (struct found){.option = &short_options[i].option, .candidates = 1};
		}
	}
	return (struct found){0};
}

static bool next_word(struct fw_ipt_parse *parse, struct fw_slice *out) {
	if (parse->next == parse->count) {
		fw_ipt_wrong(parse, "an option without its value");
		return false;
	}
	*out = parse->words[parse->next++].text;
	return true;
}

/* A value may have its negation in front, as people used to write it. */
static bool read_values(struct fw_ipt_parse *parse, const struct found *found,
	struct fw_slice inside, struct fw_ipt_value *out) {
	*out = (struct fw_ipt_value){
		.option = found->option->number,
		.name = found->option->name,
		.inverted = parse->inverted,
		.text = inside,
	};
	if (found->option->values == 0) {
		if (inside.data != NULL) {
			fw_ipt_wrong_value(parse, "the value", inside);
		}
		return inside.data == NULL;
	}
	if (inside.data == NULL) {
		if (!next_word(parse, &out->text)) {
			return false;
		}
		if (fw_slice_is(out->text, "!") && parse->next < parse->count) {
			out->inverted = !out->inverted;
			out->text = parse->words[parse->next++].text;
		}
	}
	return found->option->values < 2 || next_word(parse, &out->second);
}

/* Behind a match that is not understood stand options of its own: whatever begins with hyphens,
 * and what follows up to the next. */
static void skip_option(struct fw_ipt_parse *parse) {
	while (parse->next < parse->count) {
		const struct fw_ipt_word *word = &parse->words[parse->next];
		if (!word->quoted && word->text.length != 0 &&
			(word->text.data[0] == '-' || fw_slice_is(word->text, "!"))) {
			break;
		}
		parse->next++;
	}
}

/* An option that is in no table. Kernels have newer ones. */
static void take_stranger(struct fw_ipt_parse *parse, struct fw_slice word) {
	bool may_be = parse->opaque != NULL || parse->instance_count != 0 ||
		      (parse->decided && !parse->goes);

	if (parse->file || !may_be || word.length < 3 || word.data[1] != '-') {
		fw_ipt_wrong_value(parse, "the option", word);
		return;
	}
	if (parse->decided && parse->refusal == NULL) {
		parse->refusal = fw_ipt_describe(parse->pool, "the option", word);
	} else if (parse->opaque == NULL) {
		parse->opaque = fw_ipt_describe(parse->pool, "the option", word);
	}
	skip_option(parse);
}

/* What each rule, match or target may have but once. True: it has it already. */
static bool is_again(struct fw_ipt_parse *parse, const struct found *found) {
	uint64_t *seen = &parse->seen;
	uint64_t bit = (uint64_t)1 << found->option->number;

	if (found->instance != NULL) {
		seen = &found->instance->seen;
		bit = (uint64_t)1 << (found->option - found->instance->match->options);
	} else if (found->of_target) {
		seen = &parse->target_seen;
		bit = (uint64_t)1 << (found->option - parse->target->options);
	} else if (found->option->number >= OPTION_MATCH) {
		return false;
	}
	bool again = (*seen & bit) != 0;
	*seen |= bit;
	return again;
}

static void take_option(struct fw_ipt_parse *parse, struct fw_slice word) {
	struct fw_slice inside;
	struct fw_ipt_value value;
	struct found found = find_option(parse, word, &inside);

	if (found.option == NULL && load_protocol(parse)) {
		found = find_option(parse, word, &inside);
	}
	if (found.candidates != 1) {
		take_stranger(parse, word);
		return;
	}
	if (!read_values(parse, &found, inside, &value)) {
		return;
	}
	if (is_again(parse, &found)) {
		fw_ipt_wrong_value(parse, "once more the option", word);
		return;
	}
	if (!fw_ipt_has_form(parse->family, found.option->form, value.text)) {
		fw_ipt_wrong_value(parse, "the value", value.text);
		return;
	}
	if (found.instance != NULL) {
		parse->asking = (size_t)(found.instance - parse->instances) + 1;
		found.instance->match->take(parse, found.instance, &value);
		parse->asking = 0;
	} else if (!found.of_target) {
		take_base(parse, &value);
	} else if (parse->target->take != NULL) {
		parse->target->take(parse, &value);
	}
}

void fw_ipt_parse_rule(struct fw_ipt_parse *parse) {
	while (parse->next < parse->count && parse->unknown == NULL && !parse->other_family) {
		struct fw_slice word = parse->words[parse->next++].text;
		if (fw_slice_is(word, "!")) {
			parse->inverted = true;
			continue;
		}
		if (word.length < 2 || word.data[0] != '-') {
			fw_ipt_wrong_value(parse, "the word", word);
			return;
		}
		take_option(parse, word);
		parse->inverted = false;
	}
	if (parse->other_family) {
		return;
	}
	if (parse->inverted) {
		fw_ipt_wrong(parse, "a negation of nothing");
	}
	if (parse->target != NULL && parse->target->needs && parse->target_seen == 0) {
		fw_ipt_wrong_value(parse, "no option of the target", fw_slice(parse->target->name));
	}
	finish_all(parse);
	if (parse->limited && parse->last_asking > parse->limit_at) {
		fw_ipt_ask_unknown(parse, "a match behind a limit");
	}
}

void fw_ipt_parse_reset(struct fw_ipt_parse *parse) {
	*parse = (struct fw_ipt_parse){
		.arena = parse->arena,
		.pool = parse->pool,
		.family = parse->family,
		.file = parse->file,
		.protocol = -1,
		.instances = parse->instances,
		.conds = {parse->conds.items, 0, parse->conds.capacity},
		.doubts = {parse->doubts.items, 0, parse->doubts.capacity},
		.filled = {parse->filled.items, 0, parse->filled.capacity},
		.sources = {parse->sources.items, 0, parse->sources.capacity},
		.destinations = {parse->destinations.items, 0, parse->destinations.capacity},
	};
}

void fw_ipt_parse_fini(struct fw_ipt_parse *parse) {
	FW_VEC_FINI(&parse->conds);
	FW_VEC_FINI(&parse->doubts);
	FW_VEC_FINI(&parse->filled);
	FW_VEC_FINI(&parse->sources);
	FW_VEC_FINI(&parse->destinations);
}
