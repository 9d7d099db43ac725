// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_READBACK_IPTABLES_H
#define FW_READBACK_IPTABLES_H
/*
 * Private to the reader of iptables-save: its text as tables, chains and rules, and what the files
 * that read it need of each other.
 */

#include "readback/program.h"

/* ---- what a rule asks for ---- */

/** Types of addresses, as the kernel's routes have them; bits. */
enum fw_ipt_type {
	FW_IPT_NO_TYPE,
	FW_IPT_UNSPECIFIED = 1,
	FW_IPT_UNICAST = 2,
	FW_IPT_LOCAL = 4,
	FW_IPT_ALL_OF_A_NETWORK = 8, /* broadcast */
	FW_IPT_MULTICAST = 16,
};

enum fw_ipt_kind {
	FW_IPT_NONE,
	FW_IPT_VALUES, /* `var` is in one of the intervals */
	FW_IPT_PORTS,  /* one of both ports is */
	FW_IPT_ICMP,   /* numbers: types from, to, codes from, to */
	FW_IPT_FLAGS,  /* numbers: mask, value */
	FW_IPT_STATES, /* numbers: bits of enum fw_tracking, and whether a translated one will do */
	FW_IPT_IN,     /* data: an interface's name, text; numbers: whether more may follow */
	FW_IPT_OUT,    /* likewise */
	FW_IPT_SET, /* data: a set's name, text; numbers: bits of dimensions that are dst, count */
	FW_IPT_ORIGINAL, /* data: a fw_range, the destination before translation */
	FW_IPT_TYPE,	 /* the address `var` is of one of these; numbers: bits of fw_ipt_type */
	FW_IPT_NEVER,	 /* no packet that there is a model of */
	FW_IPT_UNKNOWN,	 /* data: what, text */
};

/** Bytes without gaps, its data interned: equal ones are equal byte for byte. */
struct fw_ipt_cond {
	uint8_t kind, inverted;
	uint16_t var;
	uint32_t numbers[4];
	uint32_t count; /* of intervals */
	const void *data;
};

/** All that a rule asks for but for -s, -d and rates. Rules that ask for the same share one. */
struct fw_ipt_guard {
	const struct fw_ipt_cond *conds;
	size_t count;
	size_t index;
	const char *unknown;		 /* the first that is not understood, or NULL */
	const struct fw_range *original; /* or NULL */
	const char *filled;		 /* a set that rules add to or delete from, or NULL */
	bool asks_in;
	bool asks_type[2]; /* of the source's address, and of the destination's */
};

struct fw_ipt_side {
	struct fw_addr low, high;
	bool asked, inverted;
};

struct fw_ipt_rate {
	struct fw_rate rate;
	bool over;
	size_t bucket; /* 0: one of the rule's own */
};

#define FW_IPT_NO_RULE UINT32_MAX

struct fw_ipt_rule {
	struct fw_ipt_side source, destination;
	const struct fw_ipt_guard *guard;
	const struct fw_ipt_rate *rate;	     /* or NULL */
	const struct fw_rb_rewrite *rewrite; /* or NULL */
	const char *unknown;		     /* what is not understood of it, or NULL */
	enum fw_rb_action action;
	uint32_t chain;	     /* of a jump or goto */
	uint32_t line;	     /* from 1 */
	uint32_t start, end; /* in the source */
	uint32_t next;	     /* in its chain, or FW_IPT_NO_RULE */
	uint32_t refused_in; /* bits of chains that the kernel calls, where it does not take it */
};

/* ---- tables ---- */

enum fw_ipt_table {
	FW_IPT_NO_TABLE,
	FW_IPT_RAW,
	FW_IPT_MANGLE,
	FW_IPT_NAT,
	FW_IPT_FILTER,
	FW_IPT_SECURITY,
};
enum { FW_IPT_TABLE_COUNT = FW_IPT_SECURITY + 1 };

extern const char *const fw_ipt_table_names[FW_IPT_TABLE_COUNT];

/** The chains that the kernel calls. */
enum fw_ipt_base {
	FW_IPT_NO_BASE,
	FW_IPT_PREROUTING,
	FW_IPT_INPUT,
	FW_IPT_FORWARD,
	FW_IPT_OUTPUT,
	FW_IPT_POSTROUTING,
};
enum { FW_IPT_BASE_COUNT = FW_IPT_POSTROUTING + 1 };

extern const char *const fw_ipt_base_names[FW_IPT_BASE_COUNT];

struct fw_ipt_chain {
	const char *name;
	enum fw_ipt_table table;
	enum fw_ipt_base base;
	bool declared, drops; /* drops: by its policy */
	uint32_t first, last; /* rules, or FW_IPT_NO_RULE */
	uint32_t references;  /* of jumps and gotos */
	uint32_t line, start, end;
};

/** A whole text; the arena's. */
struct fw_ipt_text {
	enum fw_family family;
	const struct fw_source *source;
	const struct fw_ipt_chain *chains;
	size_t chain_count;
	const struct fw_ipt_rule *rules;
	size_t rule_count;
	const struct fw_ipt_guard *const *guards;
	size_t guard_count;
	const struct fw_ipt_sets *sets; /* NULL: no file was given */
	const struct fw_rb_unknown *unknowns;
	size_t unknown_count;
	const char *const *remarks;
	size_t remark_count;
	bool asks_hop_limit;
	/** The first rules that ask for a type of the source's address, and the destination's. */
	const struct fw_ipt_rule *asks_type[2];
};

/** "rules.v4:31". */
struct fw_place fw_ipt_place(struct fw_arena *arena, const struct fw_source *source, uint32_t line,
	uint32_t start, uint32_t end);

/* ---- words: iptables_words.c ---- */

struct fw_ipt_word {
	struct fw_slice text;
	bool quoted;
};

struct fw_ipt_words {
	FW_VEC(struct fw_ipt_word) list;
};

/** The words of a line, as iptables-restore or ipset parts them. False: a quote does not end. */
bool fw_ipt_split(
	struct fw_arena *arena, struct fw_slice line, bool ipset, struct fw_ipt_words *out);

/* ---- values: iptables_values.c; all false where it is none ---- */

/**
 * A decimal number. One that begins with a needless 0 is none: to some of the tools it is octal, to
 * some decimal, to some wrong, and none of them prints it.
 */
bool fw_ipt_decimal(struct fw_slice text, uint64_t max, uint64_t *out);
/** An address, also with a prefix length or a mask of leading ones; host bits don't count. */
bool fw_ipt_address(enum fw_family family, struct fw_slice text, struct fw_range *out);
/** An address, or two with a hyphen. */
bool fw_ipt_address_range(enum fw_family family, struct fw_slice text, struct fw_range *out);
/** A name or number; "all" is 0. */
bool fw_ipt_protocol(struct fw_slice text, uint8_t *out);
/** A number or well-known name, or two with a separator, either left out. */
bool fw_ipt_ports(struct fw_slice text, char separator, struct fw_ports *out);
/** A type by name, or by number with or without a code: as in FW_IPT_ICMP. */
bool fw_ipt_icmp(enum fw_family family, struct fw_slice text, uint32_t out[static 4]);
/** "10/min", "5/sec", "3". */
bool fw_ipt_rate(struct fw_slice text, struct fw_rate *out);

/* ---- the same data once: iptables_pool.c ---- */

struct fw_ipt_pool {
	struct fw_arena *arena;
	struct fw_ipt_slot *slots; /* by hash */
	size_t slot_count, count;
	uint64_t key[2]; /* of the hash: one that nobody knows, for each pool */
};

struct fw_ipt_slot;

void fw_ipt_pool_fini(struct fw_ipt_pool *pool);
/** The one copy of these bytes, in the arena, with a NUL behind. */
const void *fw_ipt_intern(struct fw_ipt_pool *pool, const void *bytes, size_t size);
const char *fw_ipt_intern_text(struct fw_ipt_pool *pool, struct fw_slice text);
/** What goes with bytes: a number from 1 on, and one that the caller may set, 0 at first. */
struct fw_ipt_number {
	size_t number, mark;
};
struct fw_ipt_number *fw_ipt_intern_number(struct fw_ipt_pool *pool, struct fw_slice bytes);

/* ---- a rule's options: iptables_rule.c, iptables_match.c, iptables_target.c ---- */

/** The options of one -m conntrack. */
struct fw_ipt_tracking {
	bool asks_state, state_inverted, translated, source_translated;
	unsigned states;
	bool asks_status, status_inverted;
	unsigned status;
	int direction; /* 0: not asked for; 1 original, 2 reply */
	bool asks_protocol, protocol_inverted;
	uint8_t protocol;
	const struct fw_range *original;
	const char *unknown;
};

/** The options of one -m limit or hashlimit. */
struct fw_ipt_limit {
	struct fw_rate rate;
	bool over;
	struct fw_slice name;	    /* of a hashlimit's table */
	uint32_t size, max, expire; /* of that; 0: as usual */
	bool per_port;		    /* a bucket for each destination port, too */
	const char *unknown;
};

/** The options of one -m addrtype. */
struct fw_ipt_kinds {
	unsigned types[2]; /* of the source, and of the destination: bits of fw_ipt_type */
	bool inverted[2];
	bool limited; /* to addresses of one interface */
	const char *unknown;
};

struct fw_ipt_parse;
struct fw_ipt_match;
struct fw_ipt_option;

/** A match of a rule, as its options are read. */
struct fw_ipt_instance {
	const struct fw_ipt_match *match;
	union {
		struct fw_ipt_tracking tracking;
		struct fw_ipt_limit limit;
		struct fw_ipt_kinds kinds;
		bool inverted;	/* as a whole */
		unsigned asked; /* of one that nothing but its words is known of: bits of numbers */
	};
	uint64_t seen; /* options, by their rows */
};

/** An option's value, or "" where it takes none. */
struct fw_ipt_value {
	unsigned option;  /* the number of its row */
	const char *name; /* in full */
	bool inverted;
	struct fw_slice text;
	struct fw_slice second; /* of options that take two */
};

/** How a value has to look. */
enum fw_ipt_form {
	FW_IPT_ANY_FORM, /* or whoever takes it looks at it */
	FW_IPT_NUMBER,
	FW_IPT_MASKED, /* a number, also with another behind a slash */
	FW_IPT_SPAN,   /* a number, or two with a colon, either left out */
	FW_IPT_WHERE,  /* an address */
	FW_IPT_LEVEL,  /* of a log: a number or a name */
};

struct fw_ipt_option {
	const char *name;
	unsigned number;
	unsigned values;
	enum fw_ipt_form form; /* of the first */
};

struct fw_ipt_match {
	const char *name;
	enum fw_family family; /* FW_FAMILY_NONE: both */
	const struct fw_ipt_option *options;
	size_t option_count;
	void (*take)(struct fw_ipt_parse *parse, struct fw_ipt_instance *instance,
		const struct fw_ipt_value *value);
	void (*finish)(struct fw_ipt_parse *parse, struct fw_ipt_instance *instance); /* or NULL */
	bool needs;	/* at least one of its options */
	unsigned bases; /* bits of chains that the kernel takes it in, or in one that those call;
			   0: all */
};

enum fw_ipt_effect {
	FW_IPT_NO_EFFECT,
	FW_IPT_VERDICT, /* `action` */
	FW_IPT_OPAQUE,	/* not understood */
	FW_IPT_REWRITES,
	FW_IPT_HOPS, /* changes the hop limit */
};

struct fw_ipt_target {
	const char *name;
	enum fw_family family;
	enum fw_ipt_effect effect;
	enum fw_rb_action action;
	const struct fw_ipt_option *options;
	size_t option_count;
	void (*take)(struct fw_ipt_parse *parse, const struct fw_ipt_value *value); /* or NULL */
	bool source, own; /* of one that translates: the source, and to an own address */
	bool needs;	  /* at least one of its options */
	unsigned tables;  /* bits of those that may have it; 0: all */
	unsigned bases;	  /* as of a match */
};

enum { FW_IPT_INSTANCES_MAX = 32 };

/** A match that holds for some packets, and perhaps for others; they have none in common. */
struct fw_ipt_doubt {
	struct fw_ipt_cond sure, perhaps;
	const char *what;
};

/** One rule, as its words are read. */
struct fw_ipt_parse {
	struct fw_arena *arena;
	struct fw_ipt_pool *pool;
	enum fw_family family;
	bool file; /* else it was printed of what runs */
	enum fw_ipt_table table;
	enum fw_ipt_base base; /* whose rule it is */
	const struct fw_ipt_word *words;
	size_t count, next;
	bool inverted;
	const char *unknown; /* it cannot be parsed; reading stopped there */
	const char *opaque;  /* a match that is not known: what follows it does not count */
	uint64_t seen;	     /* options that every rule has, by their numbers */
	uint64_t target_seen;
	bool other_family;   /* -4 or -6 */
	int protocol;	     /* asked for and not inverted; else -1 */
	uint32_t refused_in; /* as of a rule */
	FW_VEC(struct fw_ipt_cond) conds;
	FW_VEC(struct fw_ipt_doubt) doubts; /* beside them */
	FW_VEC(struct fw_ipt_side) sources, destinations;
	size_t instance_count;
	size_t asking, last_asking; /* the match, by its place from 1 on, that asks for something */
	struct fw_ipt_rate rate;
	bool limited;	 /* by that rate */
	size_t limit_at; /* the place of its match */
	const struct fw_ipt_target *target;
	const char *chain;   /* of a jump or goto, or a target that is not known */
	bool decided, goes;  /* there was -j or -g; -g */
	const char *refusal; /* what is not understood of the target, or NULL */
	struct fw_rb_rewrite rewrite;
	struct fw_ports range;	     /* of ports that a translation has the choice of; 0: none */
	bool random;		     /* which one is told by nothing */
	FW_VEC(const char *) filled; /* names of sets that it adds to or deletes from */
	struct fw_ipt_instance *instances; /* FW_IPT_INSTANCES_MAX, the caller's */
};

/** Makes it ready for a rule; the arena, pool and family stay. */
void fw_ipt_parse_reset(struct fw_ipt_parse *parse);
void fw_ipt_parse_fini(struct fw_ipt_parse *parse);
/** Reads the words from `next` on, behind the chain's name. */
void fw_ipt_parse_rule(struct fw_ipt_parse *parse);

/** "the option 'x'" for "the option" and x. */
const char *fw_ipt_describe(struct fw_ipt_pool *pool, const char *what, struct fw_slice value);
/** Stops reading, as something is not understood. */
void fw_ipt_wrong(struct fw_ipt_parse *parse, const char *what);
void fw_ipt_wrong_value(struct fw_ipt_parse *parse, const char *what, struct fw_slice value);
void fw_ipt_ask(struct fw_ipt_parse *parse, struct fw_ipt_cond cond);
void fw_ipt_ask_unknown(struct fw_ipt_parse *parse, const char *what);
/** It holds for what is `sure` (NULL: nothing), and perhaps for other packets. */
void fw_ipt_ask_doubtful(struct fw_ipt_parse *parse, const struct fw_ipt_cond *sure,
	struct fw_ipt_cond perhaps, const char *what);
/** What an option asks for is not understood. */
void fw_ipt_ask_option(struct fw_ipt_parse *parse, const struct fw_ipt_value *value);
struct fw_ipt_cond fw_ipt_interval(struct fw_ipt_parse *parse, enum fw_var var, struct fw_addr low,
	struct fw_addr high, bool inverted);
/** `var` is in low to high. */
void fw_ipt_ask_interval(struct fw_ipt_parse *parse, enum fw_var var, struct fw_addr low,
	struct fw_addr high, bool inverted);

/** NULL: not known. */
const struct fw_ipt_match *fw_ipt_match_find(enum fw_family family, struct fw_slice name);
/** The match that comes with a protocol, or NULL. */
const struct fw_ipt_match *fw_ipt_match_of(enum fw_family family, int protocol);
const struct fw_ipt_target *fw_ipt_target_find(enum fw_family family, struct fw_slice name);
/** What the target that was found does to a rule. Returns what is not understood of it, or NULL. */
const char *fw_ipt_target_set(struct fw_ipt_parse *parse, struct fw_ipt_rule *rule);
/** Is understood where no rule asks for the hop limit. */
extern const char fw_ipt_hops_changed[];

/** Connection tracking: iptables_tracking.c. */
extern const struct fw_ipt_match fw_ipt_conntrack, fw_ipt_state;
/** Rates: iptables_limit.c. */
extern const struct fw_ipt_match fw_ipt_limit_match, fw_ipt_hashlimit;
/** Types of addresses: iptables_type.c. */
extern const struct fw_ipt_match fw_ipt_addrtype;
/** Whether a value looks as it has to. */
bool fw_ipt_has_form(enum fw_family family, enum fw_ipt_form form, struct fw_slice text);

/** Matches that nothing but the words are known of: iptables_known.c. NULL: it is none of them. */
const struct fw_ipt_match *fw_ipt_known_find(enum fw_family family, struct fw_slice name);
/** Matches that are known to hold or not to hold for some packets: iptables_doubt.c. NULL: it is
 * none of them. */
const struct fw_ipt_match *fw_ipt_doubtful_find(enum fw_family family, struct fw_slice name);

/* ---- rules and the chains that they are in: iptables_check.c ---- */

struct fw_ipt_checked {
	struct fw_ipt_pool *pool;
	const struct fw_ipt_chain *chains;
	size_t chain_count;
	struct fw_ipt_rule *rules;
	size_t rule_count;
};

/** Tells of rules that the kernel does not take where they are called from. */
void fw_ipt_check_bases(const struct fw_ipt_checked *all,
	void (*refuse)(void *context, struct fw_ipt_rule *rule, const char *what), void *context);
/** Rules that take of a bucket which others decide by, and do not accept, are unknowns then. */
void fw_ipt_check_buckets(const struct fw_ipt_checked *all);

/* ---- ipset: iptables_sets.c, iptables_members.c ---- */

enum fw_ipt_part { FW_IPT_NO_PART, FW_IPT_ADDRESS, FW_IPT_PORT };
enum { FW_IPT_PARTS_MAX = 3 };

struct fw_ipt_member {
	struct fw_interval parts[FW_IPT_PARTS_MAX]; /* a port of ICMP: type and code, 256 to one */
	const char *set;			    /* of a list */
	uint8_t protocol;
	bool excluded; /* nomatch */
};

struct fw_ipt_set {
	const char *type;      /* "hash:net,port" */
	enum fw_family family; /* FW_FAMILY_NONE: of ports alone, or a list */
	bool list, excludes;   /* excludes: some are nomatch */
	enum fw_ipt_part parts[FW_IPT_PARTS_MAX];
	bool nets[FW_IPT_PARTS_MAX]; /* of addresses: a part is a network, not each of them */
	size_t part_count;
	unsigned netmask;
	const char *unknown; /* or NULL */
	const char *fading;  /* what is said of members that go away by themselves; NULL: none do */
	const struct fw_ipt_member *members;
	size_t member_count;
};

struct fw_ipt_named {
	const char *name;
	struct fw_ipt_set *set;
};

struct fw_ipt_sets {
	const struct fw_ipt_named *items; /* by name */
	size_t count;
	const char *unknown; /* of the file, where no set is to blame; or NULL */
	uint32_t line;
	const struct fw_source *source;
};

/** Reads what ipset save prints, and other commands of `ipset restore`. `file`: it is yet to be
 * loaded, which what is wrong with it may prevent. */
void fw_ipt_sets_read(struct fw_arena *arena, struct fw_ipt_pool *pool, bool file,
	const struct fw_source *source, struct fw_ipt_sets *out);
/** NULL: there is none. */
const struct fw_ipt_set *fw_ipt_sets_find(const struct fw_ipt_sets *sets, const char *name);
/** What is not understood of a set or the sets that it lists, or NULL. */
const char *fw_ipt_set_unknown(const struct fw_ipt_sets *sets, const struct fw_ipt_set *set);
/** Whether it is known what may be in a set, be it that some of it goes away. */
bool fw_ipt_set_is_bounded(const struct fw_ipt_sets *sets, const struct fw_ipt_set *set);
/** Packets that are at most in a set by the ends that a match names; bits of `ends`: a
 * destination's. */
fw_space fw_ipt_set_space(struct fw_spaces *spaces, const struct fw_ipt_sets *sets,
	const struct fw_ipt_set *set, enum fw_family family, unsigned ends, size_t end_count);

/* ---- intervals that overlap: iptables_sweep.c ---- */

struct fw_ipt_item {
	struct fw_addr low, high;
};

/** Values that are in the same items. */
struct fw_ipt_slice {
	struct fw_addr low, high;
	size_t first, count; /* in `items` of the sweep: numbers of items, rising */
};

struct fw_ipt_sweep {
	FW_VEC(struct fw_ipt_slice) slices; /* sorted and disjoint */
	FW_VEC(uint32_t) items;
};

void fw_ipt_sweep_fini(struct fw_ipt_sweep *sweep);
/** False: they overlap too much for it to be worth while. */
bool fw_ipt_sweep_run(struct fw_ipt_sweep *sweep, const struct fw_ipt_item *items, size_t count);

/* ---- sets and programs: iptables_lower.c, iptables_merge.c ---- */

struct fw_ipt_lowered;
struct fw_ipt_merger;

struct fw_ipt_lowering {
	const struct fw_ipt_text *text;
	unsigned assumed; /* bits of fw_rb_assumption */
	struct fw_arena *arena;
	struct fw_spaces *spaces;
	const struct fw_rb_interfaces *interfaces;
	struct fw_ipt_lowered *chains;
	fw_space *guards; /* by index, once they are made */
	bool *guards_made;
	bool *behind; /* by chain: packets may come there behind routing */
	struct fw_ipt_merger *merger;
};

struct fw_ipt_rules {
	FW_VEC(const struct fw_ipt_rule *) list;
};

/** As in struct fw_ruleset. */
bool fw_ipt_lower(const struct fw_ruleset *ruleset, struct fw_arena *arena,
	struct fw_spaces *spaces, const struct fw_rb_interfaces *interfaces,
	struct fw_readback *out);
/** The rules of a chain that decide anything. */
void fw_ipt_rules_of(const struct fw_ipt_text *text, uint32_t chain, struct fw_ipt_rules *out);
/** The number of a chain in the program, where it is from now on. */
size_t fw_ipt_call(struct fw_ipt_lowering *lowering, uint32_t chain);
/** What a guard asks for, as far as it is understood. */
fw_space fw_ipt_guard_space(struct fw_ipt_lowering *lowering, const struct fw_ipt_guard *guard);
fw_space fw_ipt_side_space(
	struct fw_spaces *spaces, enum fw_var var, const struct fw_ipt_side *side);
/** Packets with addresses of a type, as a condition asks for. */
fw_space fw_ipt_type_space(const struct fw_ipt_lowering *lowering, const struct fw_ipt_cond *cond);
/** What is not understood of a chain's rule, or NULL. */
const char *fw_ipt_rule_unknown(
	const struct fw_ipt_lowering *lowering, uint32_t chain, const struct fw_ipt_rule *rule);

struct fw_ipt_merger *fw_ipt_merger_new(const struct fw_ipt_text *text, struct fw_arena *arena);
void fw_ipt_merger_free(struct fw_ipt_merger *merger);
/**
 * Looks at the rules that begin a list, which ends with its chain, and sets *out_length to how many
 * of them belong together, be it one. True: *out is a rule for all of these; false: they are better
 * left as they are.
 */
bool fw_ipt_merge(struct fw_ipt_lowering *lowering, uint32_t chain,
	const struct fw_ipt_rule *const *rules, size_t count, size_t *out_length,
	struct fw_rb_rule *out);

#endif
