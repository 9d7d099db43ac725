// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_READBACK_PF_H
#define FW_READBACK_PF_H
/*
 * Private to the reader of pf.conf: its tokens, what it says once it is read, and the walk of
 * packets through it. pf.c says what is assumed about pf.
 */

#include "readback/readback.h"

/* ---- tokens: pf_lex.c ---- */

enum fw_pfr_token_kind {
	FW_PFR_NO_TOKEN,
	FW_PFR_WORD, /* numbers too */
	FW_PFR_QUOTED,
	FW_PFR_OPERATOR,
	FW_PFR_NEWLINE,
	FW_PFR_BAD, /* nothing that pfctl would take; the text says why */
	FW_PFR_END,
};

struct fw_pfr_token {
	enum fw_pfr_token_kind kind;
	struct fw_slice text;
	bool number; /* decimal digits alone */
	uint32_t start, end;
	size_t line;
};

struct fw_pfr_macro;

struct fw_pfr_lexer {
	struct fw_arena *arena;
	const struct fw_source *source;
	size_t at, line;
	/* A macro's text, which comes before what follows in the source. */
	struct fw_slice expansion;
	struct fw_pfr_macro *macros;
	size_t expanded; /* bytes, of all macros so far */
};

void fw_pfr_lexer_fini(struct fw_pfr_lexer *lexer);
/** Never fails: what is wrong is a token, and the next call goes on behind it. */
struct fw_pfr_token fw_pfr_next(struct fw_pfr_lexer *lexer);
/** Sets a macro; `name` and `value` are the arena's. */
void fw_pfr_define(struct fw_pfr_lexer *lexer, struct fw_slice name, struct fw_slice value);

/* ---- names: pf_names.c ---- */

/** False: not known here. */
bool fw_pfr_protocol(struct fw_slice name, uint8_t *out_protocol);
bool fw_pfr_service(struct fw_slice name, uint16_t *out_port);
bool fw_pfr_icmp_type(enum fw_family family, struct fw_slice name, uint8_t *out_type);
bool fw_pfr_icmp_code(enum fw_family family, uint8_t type, struct fw_slice name, uint8_t *out_code);

/** Of states. */
enum fw_pfr_timeout_class { FW_PFR_TCP, FW_PFR_UDP, FW_PFR_ICMP, FW_PFR_OTHER };
enum { FW_PFR_TIMEOUT_CLASSES = 4 };
/** Those that end states are 0 to FW_PFR_TIMEOUTS - 1; the others are behind. False: no such. */
bool fw_pfr_timeout(struct fw_slice name, unsigned *out_index);
enum {
	FW_PFR_TIMEOUTS = 14,
	FW_PFR_ADAPTIVE_START = FW_PFR_TIMEOUTS,
	FW_PFR_TIMEOUT_COUNT = 20,
};
/** The shortest of a class: those that are set, else pf's defaults. 0 stands for not set. */
uint32_t fw_pfr_shortest(
	const uint32_t timeouts[static FW_PFR_TIMEOUT_COUNT], enum fw_pfr_timeout_class class);

/** Whether states that live but so long are gone before what belongs to them is through. */
bool fw_pfr_is_hasty(unsigned index, uint32_t seconds);
/** What is said of that, and of a rule that lets packets from far away look as if from a neighbour.
 */
extern const char fw_pfr_forgotten[], fw_pfr_hops_raised[];

/* ---- what it says ---- */

enum fw_pfr_address_kind {
	FW_PFR_NO_ADDRESS,
	FW_PFR_RANGE,
	FW_PFR_TABLE,
	FW_PFR_SELF,	  /* every address of this host */
	FW_PFR_BROADCAST, /* every broadcast address of its networks */
	FW_PFR_OWN,	  /* some of its addresses, and nothing tells which: (em0) */
	FW_PFR_OPAQUE,	  /* nothing tells at all: em0:network, a host's name */
};

struct fw_pfr_address {
	enum fw_pfr_address_kind kind;
	bool negated;
	struct fw_range range;
	size_t table;
	const char *text; /* of the last two */
};

struct fw_pfr_side {
	const struct fw_pfr_address *items; /* none: any */
	size_t count;
	bool has_ports; /* then none of `ports` is no port at all */
	const struct fw_ports *ports;
	size_t port_count;
	bool joined; /* they are fewer than the text has, as some touch */
	bool plain;  /* the text has ports and ranges, and no operators */
};

struct fw_pfr_interface {
	const char *name;
	bool negated;
};

struct fw_pfr_icmp {
	uint8_t protocol, type;
	int16_t code; /* -1: any */
};

enum fw_pfr_action {
	FW_PFR_NO_ACTION,
	FW_PFR_PASS,
	FW_PFR_BLOCK,
	FW_PFR_MATCH,
	FW_PFR_ANCHOR,
	FW_PFR_TRANSLATE, /* nat, rdr and their `no` on FreeBSD */
};

enum fw_pfr_direction { FW_PFR_BOTH_WAYS, FW_PFR_IN, FW_PFR_OUT };

/** So many in so many seconds; a count of 0 is none. */
struct fw_pfr_pace {
	uint32_t count, seconds;
};

/** What may stop packets of a rule at a rate or a count. */
struct fw_pfr_bounds {
	struct fw_pfr_pace packets, connections;
	uint32_t max, source_states, source_connections;
	uint32_t timeouts[FW_PFR_TIMEOUT_COUNT];
};

/** Where addresses lead to. */
struct fw_pfr_target {
	enum fw_family family;
	struct fw_addr address;
	const char *interface; /* its address, instead */
	uint16_t port;	       /* 0: kept; of a source: chosen by pf, unless `same_port` */
	bool same_port;
};

struct fw_pfr_ruleset;

struct fw_pfr_rule {
	struct fw_place place;
	enum fw_pfr_action action;
	enum fw_pfr_direction direction;
	enum fw_family family;
	bool returns; /* blocks with an answer */
	bool quick;
	bool keeps;	   /* a state */
	bool sloppy;	   /* about ICMP, that is: answers may begin a state */
	bool bound;	   /* the state is the interface's */
	bool never;	   /* matches nothing here: fragments */
	bool passes;	   /* `rdr pass` */
	bool negative;	   /* `no nat` */
	bool both_ways;	   /* `nat` is of sources, and of destinations back */
	bool without_opts; /* lets nothing pass that comes with IP options, and may match it */
	bool has_state;	   /* says how it keeps a state */
	bool has_flags;
	uint8_t flags, flags_of;
	uint8_t tag, tagged; /* numbers from 1 on; 0: none */
	bool not_tagged;
	const struct fw_pfr_interface *interfaces;
	size_t interface_count;
	const struct fw_pfr_interface *received_on; /* or NULL */
	const uint8_t *protocols;
	size_t protocol_count;
	const struct fw_pfr_icmp *types;
	size_t type_count;
	struct fw_pfr_side source, destination;
	const struct fw_pfr_bounds *bounds; /* or NULL */
	const struct fw_pfr_target *nat, *rdr;
	const struct fw_pfr_ruleset *body; /* an anchor's */
};

struct fw_pfr_ruleset {
	const struct fw_pfr_rule *rules;
	size_t count;
};

struct fw_pfr_entry {
	struct fw_range range;
	bool negated;
};

struct fw_pfr_table {
	const char *name;
	struct fw_place place;
	bool defined;	      /* in the text */
	bool open;	      /* what it holds is not said, or not only */
	const char *overload; /* the place of a rule that fills it; or NULL */
	const struct fw_pfr_entry *entries;
	size_t entry_count;
};

struct fw_pfr_notes {
	FW_VEC(struct fw_rb_unknown) unknowns;
	FW_VEC(const char *) remarks;
};
enum {
	FW_PFR_NOTES_MAX = 100 /* of each kind; further ones tell nothing new */
};

void fw_pfr_notes_fini(struct fw_pfr_notes *notes);
/** Each place and text once. `what` is for ever. */
void fw_pfr_unknown(struct fw_pfr_notes *notes, struct fw_place place, const char *what);
void fw_pfr_remark(struct fw_pfr_notes *notes, const char *what);

struct fw_pfr_config {
	enum fw_rb_dialect dialect;
	const char *name; /* of the source */
	struct fw_pfr_ruleset rules, translations;
	const struct fw_pfr_table *tables;
	size_t table_count;
	const struct fw_pfr_interface *skipped;
	size_t skipped_count;
	bool timeouts; /* set by the text: pf's defaults say nothing */
	const struct fw_rb_unknown *unknowns;
	size_t unknown_count;
	const char *const *remarks;
	size_t remark_count;
};

/* ---- reading: pf_parse.c, pf_rule.c, pf_states.c, pf_elements.c ---- */

struct fw_pfr_name; /* of a table or a tag, by hash */

struct fw_pfr_rules {
	FW_VEC(struct fw_pfr_rule) list;
};

struct fw_pfr_parser {
	struct fw_arena *arena;
	struct fw_pfr_lexer lexer;
	enum fw_rb_dialect dialect;
	struct fw_pfr_token token;
	bool failed;	       /* in this statement */
	struct fw_place place; /* of this statement */
	struct fw_pfr_notes notes;
	struct fw_pfr_rules *rules; /* the innermost anchor's, or those of the whole */
	struct fw_pfr_rules translations;
	struct fw_pfr_rules binat_out, binat_in; /* go before them, and behind */
	unsigned depth;				 /* of anchors */
	unsigned nesting;			 /* of lists */
	size_t bounded;				 /* rules with bounds so far */
	bool in_anchor;				 /* the whole text is an anchor's */
	bool returns, bound;			 /* block-policy, state-policy */
	struct fw_pfr_rule defaults;		 /* states */
	bool timeouts;
	struct fw_pfr_name *table_names, *tag_names;
	FW_VEC(struct fw_pfr_table) tables;
	FW_VEC(struct fw_pfr_interface) skipped;
	FW_VEC(const char *) interfaces;
	unsigned tag_count;
};

/** What cannot be read, or is not understood: the statement is given up. Returns false. */
bool fw_pfr_fail(struct fw_pfr_parser *parser, const char *what);
/** With the token in it. */
bool fw_pfr_fail_at(struct fw_pfr_parser *parser, const char *what);

void fw_pfr_advance(struct fw_pfr_parser *parser);
/** Whether the token is this word or operator; in quotes a word is none. */
bool fw_pfr_at(const struct fw_pfr_parser *parser, const char *text);
bool fw_pfr_accept(struct fw_pfr_parser *parser, const char *text);
bool fw_pfr_expect(struct fw_pfr_parser *parser, const char *text);
/** Whether nothing follows in this statement, or it was given up. */
bool fw_pfr_at_end(const struct fw_pfr_parser *parser);
/** A word, quoted or not. */
bool fw_pfr_text(struct fw_pfr_parser *parser, const char *wanted, struct fw_slice *out_text);
bool fw_pfr_number(struct fw_pfr_parser *parser, const char *wanted, uint64_t max, uint64_t *out);
void fw_pfr_newlines(struct fw_pfr_parser *parser);
/** One item, or some in braces with commas or nothing between them. */
bool fw_pfr_items(
	struct fw_pfr_parser *parser, bool (*item)(struct fw_pfr_parser *, void *), void *context);

struct fw_pfr_addresses {
	FW_VEC(struct fw_pfr_address) list;
};

size_t fw_pfr_table_number(struct fw_pfr_parser *parser, struct fw_slice name);
/** False: there are too many. */
bool fw_pfr_tag_number(struct fw_pfr_parser *parser, struct fw_slice name, uint8_t *out_number);
bool fw_pfr_table_name(struct fw_pfr_parser *parser, struct fw_slice *out_name);
/** Adds what one address stands for. */
bool fw_pfr_address(struct fw_pfr_parser *parser, struct fw_pfr_addresses *out);
/** `any`, an address or a list of them. */
bool fw_pfr_side(struct fw_pfr_parser *parser, struct fw_pfr_side *out);
bool fw_pfr_interface(struct fw_pfr_parser *parser, struct fw_pfr_interface *out);
bool fw_pfr_interfaces(struct fw_pfr_parser *parser, struct fw_pfr_rule *rule);
bool fw_pfr_protocols(struct fw_pfr_parser *parser, struct fw_pfr_rule *rule);
bool fw_pfr_types(struct fw_pfr_parser *parser, enum fw_family family, struct fw_pfr_rule *rule);
bool fw_pfr_flags(struct fw_pfr_parser *parser, struct fw_pfr_rule *rule);
bool fw_pfr_port_number(struct fw_pfr_parser *parser, struct fw_slice text, uint16_t *out_port);
/** One address that others are translated to, with its port. */
bool fw_pfr_redirect(struct fw_pfr_parser *parser, struct fw_pfr_rule *rule, bool source);

/** Statements that begin with this word; false: it is none of theirs. */
bool fw_pfr_rule_statement(struct fw_pfr_parser *parser, struct fw_slice word);
/** One single rule for each combination where counts and rates tell them apart. */
void fw_pfr_add_rule(struct fw_pfr_parser *parser, const struct fw_pfr_rule *rule);
/** What follows `keep`, or with `keeps` false `no`: pf_states.c. */
bool fw_pfr_state(struct fw_pfr_parser *parser, struct fw_pfr_rule *rule, bool keeps);
/** What follows `max-pkt-rate`. */
bool fw_pfr_packet_rate(struct fw_pfr_parser *parser, struct fw_pfr_rule *rule);
/** Makes these a rule's bounds, if they bound anything; those that it has had are part of them. */
void fw_pfr_set_bounds(
	struct fw_pfr_parser *parser, struct fw_pfr_rule *rule, const struct fw_pfr_bounds *bounds);
/** keep state's options, up to ")" or the end of the line. */
bool fw_pfr_state_options(
	struct fw_pfr_parser *parser, struct fw_pfr_rule *rule, const char *close);
/** Reads until the text, or the anchor in braces, ends. */
void fw_pfr_statements(struct fw_pfr_parser *parser);
void fw_pfr_names_fini(struct fw_pfr_parser *parser);

/* ---- rules as sets: pf_sets.c ---- */

struct fw_pfr_match {
	fw_space sure, perhaps; /* all of `sure` is in `perhaps` */
	const char *why;	/* they differ */
};

/** From where rules are looked at. */
struct fw_pfr_scene {
	struct fw_arena *arena;
	struct fw_spaces *spaces;
	const struct fw_rb_interfaces *interfaces;
	const struct fw_pfr_config *config;
	struct fw_pfr_notes *notes;
	fw_space (*tables)[2]; /* by number: of sources, and of destinations */
	enum fw_pfr_direction direction;
	/** Packets whose addresses are this host's, or broadcast addresses of its networks. */
	fw_space own_source, own_destination, broadcast;
	/** Neighbour advertisements and listener reports are answers, as some releases have it. */
	bool more_answers;
};

/** Packets that a rule matches, whose source was translated as `nat` (or NULL) says. */
struct fw_pfr_match fw_pfr_match(struct fw_pfr_scene *scene, const struct fw_pfr_rule *rule,
	const struct fw_pfr_target *nat);
/** The same in two parts, whose intersection it is: one end's address and port, and all the rest.
 */
struct fw_pfr_match fw_pfr_match_but(struct fw_pfr_scene *scene, const struct fw_pfr_rule *rule,
	enum fw_var end, const struct fw_pfr_target *nat);
struct fw_pfr_match fw_pfr_match_end(struct fw_pfr_scene *scene, const struct fw_pfr_rule *rule,
	enum fw_var end, const struct fw_pfr_target *nat);
/** Whether two rules have the same rest; false may mean that it would be much to compare. */
bool fw_pfr_same_but(const struct fw_pfr_rule *a, const struct fw_pfr_rule *b, enum fw_var end);
/** Makes the sets of all tables, which stay as they are. */
void fw_pfr_make_tables(struct fw_pfr_scene *scene);
/** Packets that pf does not look at. */
fw_space fw_pfr_skipped(struct fw_pfr_scene *scene);
fw_space fw_pfr_is(struct fw_spaces *spaces, enum fw_var var, uint64_t value);
fw_space fw_pfr_between(struct fw_spaces *spaces, enum fw_var var, uint64_t low, uint64_t high);
/** Packets of a family with an address (FW_VAR_SOURCE or FW_VAR_DESTINATION) in a range. */
fw_space fw_pfr_ranges(
	struct fw_spaces *spaces, enum fw_var var, const struct fw_range *ranges, size_t count);
/** ICMP and ICMPv6 of these types; each list ends with -1. */
fw_space fw_pfr_icmp_space(struct fw_spaces *spaces, const int *v4, const int *v6);
/** What tells of multicast membership, always with IP options. It is not forwarded, and on loopback
 * nobody tells it. */
fw_space fw_pfr_membership(struct fw_spaces *spaces);

enum {
	/* So many sets are made before those that nobody needs any more are forgotten. */
	FW_PFR_CHUNK = 32768
};

/* ---- one way of packets through the rules: pf_run.c ---- */

/*
 * A rule's tag is a value of FW_VAR_HOP_LIMIT here, which no rule of pf asks for: 0 is none.
 */
#define FW_PFR_VAR_TAG FW_VAR_HOP_LIMIT
enum { FW_PFR_TAG_MAX = 255 };

enum fw_pfr_kind {
	FW_PFR_NO_KIND,
	FW_PFR_UNMATCHED, /* passes as no rule is about it */
	FW_PFR_PASSED,	  /* and keeps a state */
	FW_PFR_STATELESS, /* passes and keeps none */
	FW_PFR_SKIPPED,
	FW_PFR_DROPPED,
	FW_PFR_RETURNED,
};

/** Packets that have come to the same. */
struct fw_pfr_stream {
	enum fw_pfr_kind kind;
	const struct fw_pfr_rule *rated;    /* passes up to this one's bounds; or NULL */
	const struct fw_pfr_rule *redirect; /* translates when it decides; or NULL */
	const struct fw_pfr_rule *nat; /* translated the source; or NULL. Sets have it as it was */
	unsigned depth;		       /* of the anchor that decided last */
	fw_space set;
};

struct fw_pfr_streams {
	FW_VEC(struct fw_pfr_stream) list;
};

struct fw_pfr_hit {
	const struct fw_pfr_rule *rule, *last; /* one rule, or all from one to another */
	fw_space set;
	bool for_options; /* passes others, and drops these for their IP options */
};

struct fw_pfr_hits {
	FW_VEC(struct fw_pfr_hit) list;
};

/** A zeroed one is empty. */
struct fw_pfr_journey {
	struct fw_pfr_streams ends;
	struct fw_pfr_hits hits;       /* whom a packet meets, the last word first */
	struct fw_pfr_hits translated; /* packets as they came to a translation */
};

void fw_pfr_journey_fini(struct fw_pfr_journey *journey);
void fw_pfr_run(struct fw_pfr_scene *scene, fw_space start, struct fw_pfr_journey *out);

#endif
