// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_READBACK_NFTABLES_H
#define FW_READBACK_NFTABLES_H
/*
 * Private to readback/: what the kernel tells of its tables, and how expressions become sets of
 * packets. nftables_dump.c asks the kernel; nftables_value.c knows what a register holds;
 * nftables_set.c looks up keys; nftables_rule.c runs the expressions of a rule; nftables.c puts
 * chains together.
 */

#include <linux/netlink.h>
#include <sys/types.h>

#include "readback/program.h"

/* ---- what the kernel holds: nftables_dump.c ---- */

struct fw_dump_table {
	uint8_t family; /* NFPROTO_ */
	const char *name;
	uint32_t flags; /* NFT_TABLE_F_ */
	bool opaque;	/* of iptables-nft */
	bool strange;	/* rules that only its modules understand */
};

enum fw_dump_kind { FW_DUMP_FILTER, FW_DUMP_NAT, FW_DUMP_OTHER_KIND };

struct fw_dump_rule {
	uint64_t handle;
	const struct nlattr *expressions; /* NULL: none */
	size_t serial;			  /* among all rules */
};

struct fw_dump_chain {
	const struct fw_dump_table *table;
	const char *name;
	uint64_t handle;
	bool base;
	uint32_t hook; /* as the family numbers them */
	int32_t priority;
	enum fw_dump_kind kind;
	bool drops;
	bool reroutes; /* what it changes of packets makes them go elsewhere */
	/** Of a base chain on devices; some may be known by the beginning of their names only. */
	const char **devices;
	size_t device_count;
	bool more_devices;
	const struct fw_dump_rule *rules;
	size_t rule_count;
};

struct fw_dump_element {
	const uint8_t *key;	/* NULL: what no other element holds */
	const uint8_t *key_end; /* NULL: none */
	uint32_t flags;		/* NFT_SET_ELEM_ */
	const uint8_t *data;	/* of a map */
	uint32_t data_length;
	int32_t verdict;   /* of a verdict map */
	const char *chain; /* that it leads to */
	const char *object;
	bool has_verdict, broken;	 /* broken: cannot be read */
	bool stateful;			 /* it has an expression that lets packets through or not */
	const struct nlattr *expression; /* the only one; NULL: none, or several */
};

/* Of a concatenation; 0: nothing is known of its fields. */
enum { FW_DUMP_FIELDS_MAX = 16 };

struct fw_dump_set {
	const struct fw_dump_table *table;
	const char *name;
	uint32_t flags; /* NFT_SET_ */
	uint32_t key_length, data_length, object_type;
	uint32_t fields[FW_DUMP_FIELDS_MAX];
	size_t field_count;
	const struct nlattr *expressions; /* of each new element, NULL: none */
	uint64_t timeout;	     /* in milliseconds that new elements are kept; 0: for good */
	uint32_t size;		     /* how many there may be; 0: any number */
	const struct nlattr *adding; /* by which a rule does so, NULL: none does; */
	bool shared;		     /* others do the same, */
	bool mixed;		     /* or something else */
	bool changes;		     /* packets add to it, or take away */
	bool expires;		     /* some elements do, after a time */
	const struct fw_dump_element *elements;
	size_t element_count;
};

struct fw_dump_object {
	const struct fw_dump_table *table;
	const char *name;
	uint32_t type; /* NFT_OBJECT_ */
	const struct nlattr *data;
	size_t serial;
};

/** All of it is an arena's. */
struct fw_dump {
	struct fw_dump_table *tables;
	size_t table_count;
	struct fw_dump_chain *chains;
	size_t chain_count;
	struct fw_dump_set *sets;
	size_t set_count;
	struct fw_dump_object *objects;
	size_t object_count;
	size_t rule_count;
	const struct fw_dump_name *names; /* sorted */
	size_t name_count;
};

enum fw_dump_what { FW_DUMP_CHAIN, FW_DUMP_SET, FW_DUMP_OBJECT };

/** By name in a table; NULL: there is none. */
const void *fw_dump_find(const struct fw_dump *dump, enum fw_dump_what what,
	const struct fw_dump_table *table, const char *name, uint32_t type);

/** The way to the kernel; functions return bytes, or -1 and errno. Receiving never waits. */
struct fw_dump_link {
	ssize_t (*send)(void *context, const void *bytes, size_t length);
	ssize_t (*receive)(void *context, void *buffer, size_t size);
	void *context;
	uint32_t sequence;
};

/** Asking is begun again when the rules changed meanwhile. */
enum { FW_DUMP_ATTEMPTS = 10 };

/** False: an error is in the list. */
bool fw_dump_read(struct fw_arena *arena, struct fw_dump_link *link, struct fw_dump *out,
	struct fw_diags *diags);

/** As fw_read_nftables, by that way. */
bool fw_dump_ruleset(struct fw_arena *arena, struct fw_dump_link *link, bool apart,
	struct fw_ruleset *out, bool *out_opaque, struct fw_diags *diags);

/* ---- attributes ---- */

enum { FW_ATTRS_MAX = 31 };

struct fw_attrs {
	const struct nlattr *at[FW_ATTRS_MAX + 1];
	bool strange; /* there were others */
};

/** Those inside of one, from 1 to `max`; none where it is NULL. */
struct fw_attrs fw_attrs_of(const struct nlattr *nested, unsigned max);
/** Big-endian numbers; 0 where it is not there. */
uint8_t fw_attr_u8(const struct nlattr *attr);
uint32_t fw_attr_u32(const struct nlattr *attr);
uint64_t fw_attr_u64(const struct nlattr *attr);
/** NULL where it is not there, or has no end. */
const char *fw_attr_text(const struct nlattr *attr);
/** Whether two hold the same. */
bool fw_attr_same(const struct nlattr *a, const struct nlattr *b);
/** The bytes of a value (NFTA_DATA_VALUE inside); NULL: there are none. */
const uint8_t *fw_attr_value(const struct nlattr *data, uint32_t *out_length);

/** An expression, or one in a list of them. */
struct fw_expression {
	const char *name;
	const struct nlattr *data;
};

/** The data of the limit in a list of expressions, or of the one that stands alone; either may be
 * NULL. NULL: there is none. */
const struct nlattr *fw_limit_among(const struct nlattr *list, const struct nlattr *one);

/** Whether there is one more behind `*at`, which is NULL before the first. */
bool fw_expression_next(
	const struct nlattr *list, const struct nlattr **at, struct fw_expression *out);

/* ---- what is known of a packet ---- */

/** Packets for which something surely holds, and those for which it may. */
struct fw_truth {
	fw_space yes, most; /* `yes` is part of `most` */
	const char *what;   /* that is not understood; NULL where both are equal */
};

struct fw_truth fw_truth_and(
	struct fw_spaces *spaces, const struct fw_truth *a, const struct fw_truth *b);
struct fw_truth fw_truth_not(struct fw_spaces *spaces, const struct fw_truth *a);
static inline struct fw_truth fw_truth_is(fw_space set) {
	return (struct fw_truth){set, set, NULL};
}
static inline struct fw_truth fw_truth_unknown(const char *what) {
	return (struct fw_truth){FW_SPACE_EMPTY, FW_SPACE_ALL, what};
}

/* ---- what registers hold: nftables_value.c ---- */

enum {
	FW_REGISTER_BYTES = 64,
	FW_REGISTER_PARTS = 32,
	FW_VALUE_MAX = 16, /* bytes of one field */
};

enum fw_part_kind {
	FW_PART_NONE,	 /* not understood: `what` */
	FW_PART_FIELD,	 /* of a header: some bytes, masked */
	FW_PART_CHOICES, /* one of a few, by a variable of the packet */
	FW_PART_BYTES,	 /* always the same */
	FW_PART_MAPPED,	 /* what a map says */
	FW_PART_CLASSES, /* one of a few, of which packets tell no more than which it may be */
};

/** Packets that may have this in a register; surely, where no other class has them. */
struct fw_class {
	fw_space set;
	uint8_t bytes[4];
};

struct fw_classes {
	const struct fw_class *items; /* each packet that can be is in one at least */
	size_t count;
	const char *what; /* the match that asks for more than packets tell */
};

/** What a variable looks like in a register. */
struct fw_choice {
	uint16_t value;
	uint8_t bytes[FW_VALUE_MAX];
	/*
	 * Of an interface by name: only these first bytes are known, and that no longer begin has a
	 * choice of its own, nor the whole; 0: all are.
	 */
	unsigned open;
	bool other; /* an interface of which only is known which names, or numbers, it has not */
};

struct fw_choices {
	enum fw_var var;
	bool plain;		       /* as loaded: of one kind, by variable and length */
	bool numbers;		       /* of one byte each, which is the value itself */
	const struct fw_choice *items; /* sorted by value, each once */
	size_t count;
	/* Of interfaces: how long a name or number is, and why those may fit that are not known. */
	unsigned size;
	const char *vague;
	uint8_t known[FW_VALUE_MAX]; /* bits that are understood */
};

struct fw_part {
	enum fw_part_kind kind;
	unsigned at, length; /* in bytes of the registers */
	const char *what;
	enum fw_var var;
	unsigned size, from; /* of the whole field; where the part begins in it */
	bool origin;	     /* a field of the packet that began the connection */
	uint8_t mask[FW_VALUE_MAX], flip[FW_VALUE_MAX]; /* by byte of the part */
	const struct fw_choices *choices;
	const struct fw_classes *classes;
	uint8_t bytes[FW_REGISTER_BYTES];
	const struct fw_lookup *map;
};

struct fw_registers {
	struct fw_part parts[FW_REGISTER_PARTS];
	size_t count;
};

/** All bits of a field's bytes. */
struct fw_part fw_part_field(enum fw_var var, unsigned size, unsigned from, unsigned length);
struct fw_part fw_part_choices(const struct fw_choices *choices, unsigned length);
struct fw_part fw_part_classes(const struct fw_classes *classes, unsigned length);
struct fw_part fw_part_bytes(const uint8_t *bytes, unsigned length);
struct fw_part fw_part_unknown(const char *what, unsigned length);

/** Where a register begins, in bytes; FW_REGISTER_BYTES for one that is none. */
unsigned fw_register_at(uint32_t number);
/** Loads parts one behind the other, and zeroes up to the next register. */
void fw_registers_load(
	struct fw_registers *registers, unsigned at, const struct fw_part *parts, size_t count);
/** The part that holds a byte; NULL: none does. */
const struct fw_part *fw_registers_find(const struct fw_registers *registers, unsigned at);
/** (bytes & mask) ^ flip, from one register into another. */
void fw_registers_mask(struct fw_registers *registers, struct fw_arena *arena, unsigned from,
	unsigned to, unsigned length, const uint8_t *mask, const uint8_t *flip);
/** Turns numbers of `size` bytes round. */
void fw_registers_turn(struct fw_registers *registers, struct fw_arena *arena, unsigned from,
	unsigned to, unsigned length, unsigned size);

/** Packets whose registers hold these bytes. */
struct fw_truth fw_registers_equal(struct fw_spaces *spaces, const struct fw_registers *registers,
	unsigned at, unsigned length, const uint8_t *bytes);
/** Packets whose registers are from low to high, compared byte by byte. */
struct fw_truth fw_registers_between(struct fw_spaces *spaces, const struct fw_registers *registers,
	unsigned at, unsigned length, const uint8_t *low, const uint8_t *high);

/** What a part's bytes from low to high say of its variable. */
enum fw_part_answer { FW_PART_UNKNOWN, FW_PART_NEVER, FW_PART_ALWAYS, FW_PART_INTERVALS };

struct fw_intervals_found {
	FW_VEC(struct fw_interval) list; /* sorted, disjoint */
	bool perhaps_other;		 /* interfaces that are not wholly known may fit, too */
};

/** Packets whose part of this kind is one of those that `fits` says. */
struct fw_truth fw_classes_find(struct fw_spaces *spaces, const struct fw_classes *classes,
	bool (*fits)(const struct fw_class *one, void *context), void *context);

/** All interfaces that are not wholly known. */
fw_space fw_choices_vague(struct fw_spaces *spaces, const struct fw_choices *choices);

enum fw_part_answer fw_part_between(const struct fw_part *part, unsigned from, unsigned length,
	const uint8_t *low, const uint8_t *high, struct fw_intervals_found *out);

/* ---- sets: nftables_set.c ---- */

/** Keys of a set that lead to one thing. */
struct fw_lookup_group {
	const struct fw_dump_element *element; /* one of them */
	fw_space set;
	fw_space perhaps; /* packets that may lead there, or elsewhere */
};

/** A set, looked up by what registers hold. */
struct fw_lookup {
	struct fw_lookup *next;
	enum fw_var vars[FW_DUMP_FIELDS_MAX];
	unsigned starts[FW_DUMP_FIELDS_MAX], lengths[FW_DUMP_FIELDS_MAX];
	size_t var_count;
	struct fw_truth found; /* any of them */
	const struct fw_lookup_group *groups;
	size_t group_count;
};

/**
 * Looks up what registers hold from a byte on. `known` is what was made of the set before, to which
 * this is added. NULL: it cannot be understood, `*out_what` says what.
 */
const struct fw_lookup *fw_set_lookup(struct fw_arena *arena, struct fw_spaces *spaces,
	const struct fw_dump_set *set, struct fw_lookup **known,
	const struct fw_registers *registers, unsigned at, const char **out_what);

/* ---- rules: nftables_rule.c ---- */

/** An interface of the namespace that was read. */
struct fw_rb_index {
	uint32_t index;
	const char *name;
};

struct fw_rb_rules {
	FW_VEC(struct fw_rb_rule) list;
};

/** What a rule set is lowered with. */
struct fw_lowering {
	struct fw_arena *arena;
	struct fw_spaces *spaces;
	const struct fw_dump *dump;
	const struct fw_rb_interfaces *interfaces;
	const struct fw_rb_index *indices;
	size_t index_count;
	struct fw_lookup **lookups; /* of each set of the dump */
	const struct fw_choices *choices[FW_VAR_COUNT][FW_VALUE_MAX + 1]; /* by length */
	FW_VEC(struct fw_rb_bypass) bypasses;
	unsigned assumed; /* FW_RB_ASSUME_ */
	const struct fw_place *asks_source, *asks_destination;
};

/** Adds what a rule of a chain does. */
void fw_lower_rule(struct fw_lowering *lowering, const struct fw_dump_chain *chain,
	const struct fw_dump_rule *rule, struct fw_rb_rules *out);
/** Finds sets that packets change, and tables that iptables made; before any rule is lowered. */
void fw_scan_rules(struct fw_dump *dump);

#endif
