// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Rules as iptables-save writes them, by words that iptables 1.6 knows, and names for chains.
 */

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "emit/common.h"
#include "emit/iptables.h"

#define uthash_malloc(size) fw_alloc(size)
#include <uthash.h>

enum {
	CHAIN_NAME_MAX = 28, /* XT_EXTENSION_MAXNAMELEN without its NUL */
	MULTIPORT_MAX = 15,  /* XT_MULTI_PORTS; a range takes two */
	HASH_LENGTH = 9,     /* "-01234567" */
	TAG_TRIES = 8,
};

/* ---- addresses ---- */

unsigned fw_ipt_bits(enum fw_family family) {
	return family == FW_IPV4 ? 32 : 128;
}

static struct fw_addr low_bits(unsigned count) {
	struct fw_addr mask = {0, UINT64_MAX};
	if (count < 64) {
		mask.low = ((uint64_t)1 << count) - 1;
	} else {
		mask.high = count < 128 ? ((uint64_t)1 << (count - 64)) - 1 : UINT64_MAX;
	}
	return mask;
}

static struct fw_addr with_bits(struct fw_addr addr, struct fw_addr mask) {
	return (struct fw_addr){addr.high | mask.high, addr.low | mask.low};
}

struct fw_range fw_ipt_prefix_range(enum fw_family family, struct fw_ipt_prefix prefix) {
	struct fw_addr mask = low_bits(fw_ipt_bits(family) - prefix.length);
	struct fw_addr last = with_bits(prefix.addr, mask);
	struct fw_addr first = {last.high & ~mask.high, last.low & ~mask.low};

	return (struct fw_range){first, last, family};
}

void fw_ipt_split_range(const struct fw_range *range, unsigned shortest, fw_ipt_prefixes *out) {
	unsigned bits = fw_ipt_bits(range->family);
	struct fw_addr at = range->first, end;

	for (;; at = fw_addr_next(end)) {
		unsigned free = 0;
		end = at;
		while (free < bits - shortest) {
			struct fw_addr mask = low_bits(free + 1);
			struct fw_addr next = with_bits(at, mask);
			bool aligned = (at.high & mask.high) == 0 && (at.low & mask.low) == 0;
			if (!aligned || fw_addr_compare(next, range->last) > 0) {
				break;
			}
			end = next;
			free++;
		}
		struct fw_ipt_prefix prefix = {at, bits - free};
		FW_VEC_ADD(out, prefix);
		if (fw_addr_compare(end, range->last) == 0) {
			return;
		}
	}
}

/* ---- headers ---- */

typedef FW_VEC(const char *) text_vec;

static struct fw_ipt_headers take_headers(const struct fw_ipt *ipt, text_vec *texts) {
	const char **items = FW_ARENA_ARRAY(ipt->arena, const char *, texts->count);
	struct fw_ipt_headers headers = {items, texts->count};

	if (texts->count != 0) {
		memcpy(items, texts->items, texts->count * sizeof(*items));
	}
	FW_VEC_FINI(texts);
	return headers;
}

/* Words that iptables brings itself, so that no /etc/protocols is needed; others go by number. */
static const char *protocol_match(const struct fw_ipt *ipt, uint8_t protocol) {
	switch (protocol) {
	case IPPROTO_ICMP:
		return "-p icmp";
	case IPPROTO_TCP:
		return "-p tcp";
	case IPPROTO_UDP:
		return "-p udp";
	case IPPROTO_ICMPV6:
		return "-p ipv6-icmp";
	default:
		return fw_arena_printf(ipt->arena, "-p %u", (unsigned)protocol);
	}
}

/* Ports that fit one match. */
struct chunk {
	const struct fw_ports *ports;
	size_t count;
};

/* Cuts the next chunk off the list. */
static struct chunk next_chunk(struct chunk *rest) {
	struct chunk chunk = {rest->ports, 0};
	size_t slots = 0;

	while (chunk.count < rest->count) {
		const struct fw_ports *next = &chunk.ports[chunk.count];
		slots += next->low == next->high ? 1 : 2;
		if (slots > MULTIPORT_MAX) {
			break;
		}
		chunk.count++;
	}
	if (chunk.count != 0) {
		rest->ports += chunk.count;
		rest->count -= chunk.count;
	}
	return chunk;
}

/* "--sport 67", or "-m multiport --sports 67,68:70"; `what` is 's' or 'd'. */
static void add_ports(struct fw_buf *out, char what, struct chunk chunk) {
	if (chunk.count == 1) {
		fw_buf_add_text(out, " --");
		fw_buf_add_char(out, what);
		fw_buf_add_text(out, "port ");
	} else {
		fw_buf_add_text(out, " -m multiport --");
		fw_buf_add_char(out, what);
		fw_buf_add_text(out, "ports ");
	}
	for (size_t i = 0; i < chunk.count; i++) {
		if (i != 0) {
			fw_buf_add_char(out, ',');
		}
		fw_buf_add_uint(out, chunk.ports[i].low);
		if (chunk.ports[i].low != chunk.ports[i].high) {
			fw_buf_add_char(out, ':');
			fw_buf_add_uint(out, chunk.ports[i].high);
		}
	}
}

static void add_ports_header(
	struct fw_buf *out, const char *match, struct chunk source, struct chunk destination) {
	fw_buf_add_text(out, match);
	if (source.count == 1 || destination.count == 1) {
		fw_buf_add_text(out, " -m ");
		fw_buf_add_text(out, match + strlen("-p "));
	}
	/* Those of the protocol's own match stand next to it. */
	bool source_first = source.count == 1 || destination.count != 1;
	for (int i = 0; i < 2; i++) {
		bool is_source = (i == 0) == source_first;
		struct chunk chunk = is_source ? source : destination;
		if (chunk.count != 0) {
			add_ports(out, is_source ? 's' : 'd', chunk);
		}
	}
}

static const char *ports_header(
	const struct fw_ipt *ipt, uint8_t protocol, struct chunk source, struct chunk destination) {
	FW_AUTO(fw_buf_fini) struct fw_buf text = {0};
	add_ports_header(&text, protocol_match(ipt, protocol), source, destination);
	return fw_arena_text(ipt->arena, fw_buf_slice(&text));
}

/* A header for each chunk of source ports with each of destination ports; no ports: any. */
static void add_port_headers(const struct fw_ipt *ipt, uint8_t protocol, struct chunk source,
	struct chunk destination, text_vec *out) {
	do {
		struct chunk from = next_chunk(&source), rest = destination;
		do {
			struct chunk to = next_chunk(&rest);
			FW_VEC_ADD(out, ports_header(ipt, protocol, from, to));
		} while (rest.count != 0);
	} while (source.count != 0);
}

static const char *type_header(const struct fw_ipt *ipt, const struct fw_icmp_type *type) {
	const char *code =
		type->code < 0 ? "" : fw_arena_printf(ipt->arena, "/%u", (unsigned)type->code);
	return fw_arena_printf(ipt->arena,
		ipt->family == FW_IPV4 ? "-p icmp -m icmp --icmp-type %u%s"
				       : "-p ipv6-icmp -m icmp6 --icmpv6-type %u%s",
		(unsigned)type->type, code);
}

struct fw_ipt_headers fw_ipt_clause_headers(
	const struct fw_ipt *ipt, const struct fw_clause *clause) {
	text_vec texts = {0};

	for (size_t i = 0; i < clause->type_count; i++) {
		FW_VEC_ADD(&texts, type_header(ipt, &clause->types[i]));
	}
	if (clause->type_count == 0) {
		struct chunk source = {clause->source_ports, clause->source_port_count};
		struct chunk destination = {clause->ports, clause->port_count};
		add_port_headers(ipt, clause->protocol, source, destination, &texts);
	}
	for (size_t i = 0; clause->hop_limit != 0 && i < texts.count; i++) {
		texts.items[i] = fw_arena_printf(ipt->arena, "%s -m hl --hl-eq %u", texts.items[i],
			(unsigned)clause->hop_limit);
	}
	return take_headers(ipt, &texts);
}

bool fw_ipt_list_header(struct fw_port_list *rest, struct fw_buf *out) {
	const struct chunk none = {0};
	struct chunk tcp = {rest->tcp, rest->tcp_count}, udp = {rest->udp, rest->udp_count};
	bool left = tcp.count + udp.count != 0;

	out->length = 0;
	if (tcp.count != 0) {
		add_ports_header(out, "-p tcp", none, next_chunk(&tcp));
	} else if (udp.count != 0) {
		add_ports_header(out, "-p udp", none, next_chunk(&udp));
	}
	*rest = (struct fw_port_list){tcp.ports, udp.ports, tcp.count, udp.count};
	return left;
}

/* ---- rules ---- */

static bool is_bare(char c) {
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_' || c == '.';
}

void fw_ipt_add_word(struct fw_buf *out, const char *word) {
	size_t length = 0;
	while (is_bare(word[length])) {
		length++;
	}
	if (length != 0 && length <= FW_IPT_COMMENT_MAX && word[length] == '\0') {
		fw_buf_add_text(out, word);
	} else {
		fw_buf_add_quoted(out, word, FW_IPT_COMMENT_MAX);
	}
}

/* " -s 10.0.0.1/32"; false: it is no prefix, and waits for add_ranges. */
static bool add_prefix(struct fw_buf *out, const char *option, const struct fw_range *range) {
	int length = range != NULL ? fw_range_prefix_length(range) : 0;

	if (length > 0) {
		fw_buf_add_text(out, option);
		fw_addr_format(range->family, range->first, out);
		if (length == 32) {
			fw_buf_add_text(out, "/32");
		} else {
			fw_buf_add_char(out, '/');
			fw_buf_add_uint(out, (uint64_t)length);
		}
	}
	return length >= 0;
}

static void add_ranges(
	struct fw_buf *out, const struct fw_range *source, const struct fw_range *destination) {
	static const char *const options[] = {" --src-range ", " --dst-range "};
	const struct fw_range *const ranges[] = {source, destination};
	const char *match = " -m iprange";

	for (size_t i = 0; i < FW_LENGTH(ranges); i++) {
		if (ranges[i] != NULL) {
			fw_buf_add_text(out, match);
			fw_buf_add_text(out, options[i]);
			fw_range_format(ranges[i], out);
			match = "";
		}
	}
}

static void add_interface(struct fw_buf *out, const char *option, const char *name) {
	if (name != NULL) {
		fw_buf_add_text(out, option);
		fw_ipt_add_word(out, name);
	}
}

void fw_ipt_add_rule(struct fw_buf *out, const struct fw_ipt_rule *rule) {
	fw_buf_add_text(out, "-A ");
	fw_buf_add_text(out, rule->chain);
	bool from = add_prefix(out, " -s ", rule->source);
	bool to = add_prefix(out, " -d ", rule->destination);
	add_interface(out, " -i ", rule->in);
	add_interface(out, " -o ", rule->out);
	if (rule->header != NULL) {
		fw_buf_add_char(out, ' ');
		fw_buf_add_text(out, rule->header);
	}
	if (!from || !to) {
		add_ranges(out, from ? NULL : rule->source, to ? NULL : rule->destination);
	}
	if (rule->matches != NULL) {
		fw_buf_add_text(out, rule->matches);
	}
	if (rule->comment != NULL) {
		fw_buf_add_text(out, " -m comment --comment ");
		fw_ipt_add_word(out, rule->comment);
	}
	fw_buf_add_char(out, ' ');
	fw_buf_add_text(out, rule->target);
	if (rule->to != NULL) {
		fw_buf_add_text(out, rule->to);
	}
	fw_buf_add_char(out, '\n');
}

void fw_ipt_add_heading(struct fw_buf *out, const char *title, const char *note) {
	fw_buf_add_text(out, "\n# ");
	fw_buf_add_comment(out, title);
	if (note != NULL) {
		fw_buf_add_text(out, ": ");
		fw_buf_add_comment(out, note);
	}
	fw_buf_add_char(out, '\n');
}

/* ---- names ---- */

struct fw_ipt_name {
	const char *text;
	UT_hash_handle hh;
};

/* False: it is taken. */
static bool take_name(struct fw_ipt *ipt, const char *text) {
	struct fw_ipt_name *name;
	HASH_FIND_STR(ipt->names, text, name);
	if (name != NULL) {
		return false;
	}
	name = FW_ARENA_NEW(ipt->arena, struct fw_ipt_name);
	name->text = text;
	HASH_ADD_KEYPTR(hh, ipt->names, name->text, strlen(name->text), name);
	return true;
}

/* 64-bit FNV-1a. */
static uint64_t hash_text(const char *text) {
	uint64_t hash = 0xcbf29ce484222325;
	for (; *text != '\0'; text++) {
		hash = (hash ^ (unsigned char)*text) * 0x100000001b3;
	}
	return hash;
}

/*
 * A name that is too long, or that a cut one has already, ends in a hash of the whole. Two things
 * must never share a name, and a hash can be made to collide: then the next number is taken.
 */
const char *fw_ipt_name(struct fw_ipt *ipt, const char *prefix, const char *key, size_t limit) {
	const char *name = fw_arena_printf(ipt->arena, "%s%s", prefix, key);
	uint32_t hash = (uint32_t)(hash_text(key) >> 32);
	int kept = (int)(limit - HASH_LENGTH);

	if (strlen(name) <= limit && take_name(ipt, name)) {
		return name;
	}
	const char *cut;
	do {
		cut = fw_arena_printf(ipt->arena, "%.*s-%08x", kept, name, (unsigned)hash++);
	} while (!take_name(ipt, cut));
	return cut;
}

/*
 * Sets of many devices begin alike, and two letters leave room for few hashes. So what finds no
 * tag soon gets one of a longer hash, without the letters.
 */
const char *fw_ipt_tag(struct fw_ipt *ipt, const char *stem, const char *root) {
	uint32_t hash = (uint32_t)(hash_text(root) >> 32);
	const char *tag;

	for (unsigned i = 0; i < TAG_TRIES; i++) {
		tag = fw_arena_printf(ipt->arena, "%.2s%03x", stem, ((hash >> 20) + i) & 0xfff);
		if (take_name(ipt, tag)) {
			return tag;
		}
	}
	do {
		tag = fw_arena_printf(ipt->arena, "%05x", (unsigned)hash++ & 0xfffff);
	} while (!take_name(ipt, tag));
	return tag;
}

/* In hexadecimal, `digits` of them. */
static void add_hex(struct fw_buf *out, uint32_t value, unsigned digits) {
	while (digits-- != 0) {
		fw_buf_add_char(out, "0123456789abcdef"[value >> 4 * digits & 0xf]);
	}
}

/*
 * Names of one tree are in the order of the addresses, as far as they have room for that; see
 * fw_ipt_add_branches(). Up to 23 bytes they take the heap of iptables-restore no more than other
 * words do, which saves a tenth of its time; the last digit of an IPv4 prefix would be 0. In IPv6
 * the last half of a network's prefix tells more than the first.
 */
const char *fw_ipt_branch_name(struct fw_ipt *ipt, const char *tag, struct fw_ipt_prefix prefix) {
	struct fw_buf *text = &ipt->text;

	if (ipt->family == FW_IPV4) {
		text->length = 0;
		fw_buf_add_text(text, FW_IPT_PREFIX);
		fw_buf_add_text(text, tag);
		fw_buf_add_char(text, '-');
		add_hex(text, (uint32_t)prefix.addr.low >> 4, 7);
		fw_buf_add_text(text, prefix.length < 10 ? ".0" : ".");
		fw_buf_add_uint(text, prefix.length);
		return fw_arena_text(ipt->arena, fw_buf_slice(text));
	}
	FW_AUTO(fw_buf_fini) struct fw_buf key = {0};
	fw_addr_format(FW_IPV6, prefix.addr, &key);
	fw_buf_add_char(&key, '/');
	fw_buf_add_uint(&key, prefix.length);
	uint32_t hash = (uint32_t)(hash_text(key.data) >> 32);
	const char *name;
	do {
		text->length = 0;
		fw_buf_add_text(text, FW_IPT_PREFIX);
		fw_buf_add_text(text, tag);
		fw_buf_add_char(text, '-');
		add_hex(text, (uint32_t)(prefix.addr.high & 0xffffff), 6);
		add_hex(text, hash++, 8);
		name = fw_arena_text(ipt->arena, fw_buf_slice(text));
	} while (!take_name(ipt, name));
	return name;
}

void fw_ipt_declare(struct fw_buf *out, const char *chain) {
	fw_buf_add_char(out, ':');
	fw_buf_add_text(out, chain);
	fw_buf_add_text(out, " - [0:0]\n");
}

const char *fw_ipt_chain(struct fw_ipt *ipt, const char *key) {
	const char *name = fw_ipt_name(ipt, FW_IPT_PREFIX, key, CHAIN_NAME_MAX);
	fw_ipt_declare(ipt->declarations, name);
	return name;
}

const char *fw_ipt_jump(const struct fw_ipt *ipt, struct fw_ipt_target target) {
	return fw_arena_printf(ipt->arena, "-j %s", target.name);
}

const char *fw_ipt_go(const struct fw_ipt *ipt, struct fw_ipt_target target) {
	return fw_arena_printf(ipt->arena, "-%c %s", target.chain ? 'g' : 'j', target.name);
}

/* ---- what was made before ---- */

struct fw_ipt_made {
	const char *key, *name;
	UT_hash_handle hh;
};

const char *fw_ipt_find(const struct fw_ipt *ipt, const char *key) {
	const struct fw_ipt_made *made;
	HASH_FIND_STR(ipt->made, key, made);
	return made != NULL ? made->name : NULL;
}

void fw_ipt_keep(struct fw_ipt *ipt, const char *key, const char *name) {
	struct fw_ipt_made *made = FW_ARENA_NEW(ipt->arena, struct fw_ipt_made);
	made->key = key;
	made->name = name;
	HASH_ADD_KEYPTR(hh, ipt->made, made->key, strlen(made->key), made);
}

void fw_ipt_fini(struct fw_ipt *ipt) {
	HASH_CLEAR(hh, ipt->names);
	HASH_CLEAR(hh, ipt->made);
	fw_buf_fini(&ipt->below);
	fw_buf_fini(&ipt->text);
	FW_VEC_FINI(&ipt->branches);
}
