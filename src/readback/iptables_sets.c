// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sets of ipset, from what `ipset save` prints; and from files for `ipset restore`, which may also
 * flush, swap, rename and destroy. A set's type says what its members are made of: addresses and
 * ports, in an order of their own.
 */

#include "readback/iptables.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define uthash_malloc(size) fw_alloc(size)
#include <uthash.h>

/* A set that is being read. */
struct draft {
	struct fw_ipt_set set;
	FW_VEC(struct fw_ipt_member) members;
	bool times, fades;   /* members may have a time to stay; some of them do have one */
	uint64_t usual_time; /* of members that do not say theirs; 0: for ever */
	uint64_t elements, elements_max;
};

enum {
	ELEMENTS_MAX = 65536, /* of a hash that does not say it */
	MANY = 1 << 30,	      /* elements of one member */
};

struct entry {
	const char *name;
	struct draft *draft;
	UT_hash_handle hh;
};

struct reader {
	struct fw_arena *arena;
	struct fw_ipt_pool *pool;
	struct entry *entries;
	struct fw_ipt_sets *sets;
	bool file;
	uint32_t line;
};

/* ---- names ---- */

static struct entry *find(const struct reader *reader, struct fw_slice name) {
	struct entry *found;

	HASH_FIND(hh, reader->entries, name.data, name.length, found);
	return found;
}

static void put(struct reader *reader, struct fw_slice name, struct draft *draft) {
	struct entry *entry = FW_ARENA_NEW(reader->arena, struct entry);

	entry->name = fw_ipt_intern_text(reader->pool, name);
	entry->draft = draft;
	HASH_ADD_KEYPTR(hh, reader->entries, entry->name, name.length, entry);
}

static int compare_entries(const struct entry *a, const struct entry *b) {
	return strcmp(a->name, b->name);
}

static int compare_named(const void *left, const void *right) {
	const struct fw_ipt_named *a = left, *b = right;

	return strcmp(a->name, b->name);
}

const struct fw_ipt_set *fw_ipt_sets_find(const struct fw_ipt_sets *sets, const char *name) {
	struct fw_ipt_named key = {.name = name};
	const struct fw_ipt_named *found =
		sets->count == 0
			? NULL
			: bsearch(&key, sets->items, sets->count, sizeof(key), compare_named);

	return found != NULL ? found->set : NULL;
}

/* Moves what was read into the arena. */
static void seal(struct reader *reader) {
	struct entry *entry, *next;
	struct fw_ipt_named *items =
		FW_ARENA_ARRAY(reader->arena, struct fw_ipt_named, HASH_COUNT(reader->entries));

	HASH_SORT(reader->entries, compare_entries);
	HASH_ITER (hh, reader->entries, entry, next) {
		struct draft *draft = entry->draft;
		struct fw_ipt_member *members =
			FW_ARENA_ARRAY(reader->arena, struct fw_ipt_member, draft->members.count);
		for (size_t i = 0; i < draft->members.count; i++) {
			members[i] = draft->members.items[i];
		}
		draft->set.members = members;
		draft->set.member_count = draft->members.count;
		if (draft->fades) {
			draft->set.fading = fw_ipt_describe(reader->pool,
				"members that go away by themselves, of the set",
				fw_slice(entry->name));
		}
		FW_VEC_FINI(&draft->members);
		items[reader->sets->count++] = (struct fw_ipt_named){entry->name, &draft->set};
		HASH_DEL(reader->entries, entry);
	}
	reader->sets->items = items;
}

static void wrong(struct reader *reader, const char *what, struct fw_slice value) {
	if (reader->sets->unknown == NULL) {
		reader->sets->unknown = fw_ipt_describe(reader->pool, what, value);
		reader->sets->line = reader->line;
	}
}

static void set_wrong(
	struct reader *reader, struct fw_ipt_set *set, const char *what, struct fw_slice value) {
	if (set->unknown == NULL) {
		set->unknown = fw_ipt_describe(reader->pool, what, value);
	}
}

/* ---- create ---- */

static bool add_part(struct fw_ipt_set *set, struct fw_slice name) {
	enum fw_ipt_part part = fw_slice_is(name, "port") ? FW_IPT_PORT
				: fw_slice_is(name, "ip") || fw_slice_is(name, "net")
					? FW_IPT_ADDRESS
					: FW_IPT_NO_PART;

	if (part == FW_IPT_NO_PART || set->part_count == FW_IPT_PARTS_MAX) {
		return false;
	}
	set->nets[set->part_count] = fw_slice_is(name, "net");
	set->parts[set->part_count++] = part;
	return true;
}

/* "hash:net,port" */
static void read_type(struct reader *reader, struct fw_ipt_set *set, struct fw_slice type) {
	struct fw_slice rest = type;
	struct fw_slice method = fw_slice_cut(&rest, ':');
	bool known = rest.data != NULL;

	set->type = fw_ipt_intern_text(reader->pool, type);
	if (fw_slice_is(type, "list:set")) {
		set->list = true;
		return;
	}
	known = known && (fw_slice_is(method, "hash") || fw_slice_is(method, "bitmap"));
	while (known && rest.data != NULL) {
		known = add_part(set, fw_slice_cut(&rest, ','));
	}
	if (!known) {
		set_wrong(reader, set, "the type of set", type);
		return;
	}
	set->family =
		set->part_count == 1 && set->parts[0] == FW_IPT_PORT ? FW_FAMILY_NONE : FW_IPV4;
}

static bool is_one_of(struct fw_slice word, const char *const *names, size_t count) {
	for (size_t i = 0; i < count; i++) {
		if (fw_slice_is(word, names[i])) {
			return true;
		}
	}
	return false;
}

/* What says how a set is kept, and how long its members stay. */
static bool read_keeping(struct draft *draft, struct fw_slice word, struct fw_slice value) {
	static const char *const plain[] = {"hashsize", "size", "bucketsize", "probes", "resize"};
	uint64_t number;

	if (fw_slice_is(word, "range") || fw_slice_is(word, "initval")) {
		return true;
	}
	if (!fw_ipt_decimal(value, UINT32_MAX, &number)) {
		return false;
	}
	if (fw_slice_is(word, "timeout")) {
		draft->times = true;
		draft->usual_time = number;
	} else if (fw_slice_is(word, "maxelem")) {
		draft->elements_max = number;
	} else {
		return is_one_of(word, plain, FW_LENGTH(plain));
	}
	return true;
}

static void read_set_option(
	struct reader *reader, struct draft *draft, struct fw_slice word, struct fw_slice value) {
	struct fw_ipt_set *set = &draft->set;
	uint64_t number;

	if (read_keeping(draft, word, value)) {
		return;
	}
	if (fw_slice_is(word, "family") && fw_slice_is(value, "inet")) {
		return;
	}
	if (fw_slice_is(word, "family") && fw_slice_is(value, "inet6")) {
		set->family = FW_IPV6;
	} else if (fw_slice_is(word, "netmask") &&
		   fw_ipt_decimal(value, set->family == FW_IPV6 ? 128 : 32, &number)) {
		set->netmask = (unsigned)number;
	} else {
		set_wrong(reader, set, "the option", word);
	}
}

static void read_create(struct reader *reader, const struct fw_ipt_word *words, size_t count) {
	static const char *const plain[] = {
		"counters", "comment", "skbinfo", "forceadd", "-exist", "-!"};

	if (count < 3) {
		wrong(reader, "the command", words[0].text);
		return;
	}
	if (find(reader, words[1].text) != NULL) {
		return; /* with -exist it stays as it is, and without the file is refused */
	}
	struct draft *draft = FW_ARENA_NEW(reader->arena, struct draft);
	struct fw_ipt_set *set = &draft->set;
	put(reader, words[1].text, draft);
	read_type(reader, set, words[2].text);
	draft->elements_max = words[2].text.data[0] == 'h' ? ELEMENTS_MAX : UINT64_MAX;
	for (size_t i = 3; i < count; i++) {
		if (is_one_of(words[i].text, plain, FW_LENGTH(plain))) {
			continue;
		}
		if (++i == count) {
			set_wrong(reader, set, "the option", words[i - 1].text);
		} else {
			read_set_option(reader, draft, words[i - 1].text, words[i].text);
		}
	}
}

/* ---- add ---- */

static struct fw_addr masked(
	enum fw_family family, struct fw_addr addr, unsigned netmask, bool up) {
	unsigned bits = (family == FW_IPV6 ? 128 : 32) - netmask;
	struct fw_addr host =
		bits == 128  ? (struct fw_addr){UINT64_MAX, UINT64_MAX}
		: bits >= 64 ? (struct fw_addr){(UINT64_C(1) << (bits - 64)) - 1, UINT64_MAX}
			     : (struct fw_addr){0, (UINT64_C(1) << bits) - 1};

	return up ? (struct fw_addr){addr.high | host.high, addr.low | host.low}
		  : (struct fw_addr){addr.high & ~host.high, addr.low & ~host.low};
}

static bool read_address(
	const struct fw_ipt_set *set, struct fw_slice text, struct fw_interval *out) {
	struct fw_range range;

	if (!fw_ipt_address(set->family, text, &range) &&
		!fw_ipt_address_range(set->family, text, &range)) {
		return false;
	}
	*out = (struct fw_interval){range.first, range.last};
	if (set->netmask != 0) {
		out->low = masked(set->family, out->low, set->netmask, false);
		out->high = masked(set->family, out->high, set->netmask, true);
	}
	return true;
}

/* A type and code of ICMP as the kernel's sets have them; of a name, its first code. */
static bool read_type_code(uint8_t protocol, struct fw_slice text, struct fw_interval *out) {
	uint32_t numbers[4];
	enum fw_family family = protocol == IPPROTO_ICMP ? FW_IPV4 : FW_IPV6;

	if (!fw_ipt_icmp(family, text, numbers) || numbers[0] != numbers[1]) {
		return false;
	}
	out->low = out->high = fw_value(numbers[0] << 8 | numbers[2]);
	return true;
}

/* "80", "80-90", "udp:53", "icmp:echo-request", "esp:0" */
static bool read_port(struct fw_slice text, struct fw_ipt_member *member, struct fw_interval *out) {
	struct fw_slice rest = text;
	struct fw_slice name = fw_slice_cut(&rest, ':');
	struct fw_ports ports;

	member->protocol = IPPROTO_TCP;
	if (rest.data == NULL) {
		rest = text;
	} else if (!fw_ipt_protocol(name, &member->protocol)) {
		return false;
	}
	if (member->protocol == IPPROTO_ICMP || member->protocol == IPPROTO_ICMPV6) {
		return read_type_code(member->protocol, rest, out);
	}
	if (!fw_ipt_ports(rest, '-', &ports)) {
		return false;
	}
	*out = (struct fw_interval){fw_value(ports.low), fw_value(ports.high)};
	return true;
}

static bool read_member(struct reader *reader, const struct fw_ipt_set *set, struct fw_slice text,
	struct fw_ipt_member *member) {
	struct fw_slice rest = text;

	if (set->list) {
		member->set = fw_ipt_intern_text(reader->pool, text);
		return true;
	}
	for (size_t i = 0; i < set->part_count; i++) {
		struct fw_slice part = fw_slice_cut(&rest, ',');
		bool good =
			part.data != NULL &&
			(set->parts[i] == FW_IPT_PORT ? read_port(part, member, &member->parts[i])
						      : read_address(set, part, &member->parts[i]));
		if (!good) {
			return false;
		}
	}
	return rest.data == NULL;
}

/* How many elements the kernel makes of a member, at least, or many: networks are one each. */
static uint64_t element_count(const struct fw_ipt_set *set, const struct fw_ipt_member *member) {
	uint64_t count = 1;

	for (size_t i = 0; i < set->part_count; i++) {
		const struct fw_interval *part = &member->parts[i];
		unsigned netmask = set->netmask != 0 ? 32 - set->netmask : 0;
		uint64_t more = part->high.low - part->low.low;
		if (set->parts[i] == FW_IPT_ADDRESS) {
			bool single = set->nets[i] || set->family == FW_IPV6;
			more = single ? 0 : more >> netmask;
		}
		count = more < MANY / count ? count * (more + 1) : MANY;
	}
	return count;
}

/* Whether a file cannot be loaded for a member. */
static void check_member(struct reader *reader, struct draft *draft,
	const struct fw_ipt_member *member, struct fw_slice name) {
	if (!reader->file || draft->set.list) {
		return;
	}
	draft->elements += element_count(&draft->set, member);
	if (draft->elements > draft->elements_max) {
		wrong(reader, "more members than its 'maxelem' for the set", name);
	}
}

/* How long a member stays; 0: for ever. */
static void take_time(struct reader *reader, struct draft *draft, uint64_t seconds) {
	if (!draft->times) {
		wrong(reader, "for a set without it, the option", FW_SLICE("timeout"));
	}
	draft->fades = draft->fades || seconds != 0;
}

static void read_member_options(struct reader *reader, struct draft *draft,
	const struct fw_ipt_word *words, size_t count, struct fw_ipt_member *member) {
	static const char *const valued[] = {
		"comment", "packets", "bytes", "skbmark", "skbprio", "skbqueue"};
	struct fw_ipt_set *set = &draft->set;
	bool timed = false;
	uint64_t seconds;

	for (size_t i = 0; i < count; i++) {
		if (fw_slice_is(words[i].text, "-exist") || fw_slice_is(words[i].text, "-!")) {
			continue;
		}
		if (fw_slice_is(words[i].text, "nomatch")) {
			member->excluded = set->excludes = true;
		} else if (fw_slice_is(words[i].text, "timeout") && i + 1 < count &&
			   fw_ipt_decimal(words[i + 1].text, UINT32_MAX, &seconds)) {
			timed = true;
			i++;
			take_time(reader, draft, seconds);
		} else if (!is_one_of(words[i].text, valued, FW_LENGTH(valued)) || ++i == count) {
			set_wrong(reader, set, "the option", words[i < count ? i : count - 1].text);
		}
	}
	draft->fades = draft->fades || (!timed && draft->usual_time != 0);
}

static void read_add(struct reader *reader, const struct fw_ipt_word *words, size_t count) {
	struct entry *entry = count < 3 ? NULL : find(reader, words[1].text);
	struct fw_ipt_member member = {0};

	if (entry == NULL) {
		wrong(reader, "a member of the set", count < 2 ? FW_SLICE("") : words[1].text);
		return;
	}
	struct fw_ipt_set *set = &entry->draft->set;
	if (set->unknown != NULL) {
		return;
	}
	if (!read_member(reader, set, words[2].text, &member)) {
		set_wrong(reader, set, "the member", words[2].text);
		return;
	}
	read_member_options(reader, entry->draft, words + 3, count - 3, &member);
	check_member(reader, entry->draft, &member, words[1].text);
	FW_VEC_ADD(&entry->draft->members, member);
}

/* ---- other commands ---- */

static void read_two(struct reader *reader, const struct fw_ipt_word *words, size_t count) {
	bool swaps = fw_slice_is(words[0].text, "swap");
	struct entry *first = count != 3 ? NULL : find(reader, words[1].text);
	struct entry *second = count != 3 ? NULL : find(reader, words[2].text);

	if (first == NULL || (second != NULL) != swaps) {
		wrong(reader, "the command", words[0].text);
		return;
	}
	struct draft *draft = first->draft;
	if (swaps) {
		const struct fw_ipt_set *one = &draft->set, *other = &second->draft->set;
		if (one->type != other->type || one->family != other->family) {
			wrong(reader, "a swap of sets of two kinds:", words[1].text);
		}
		first->draft = second->draft;
		second->draft = draft;
	} else {
		HASH_DEL(reader->entries, first);
		put(reader, words[2].text, draft);
	}
}

static void read_one(struct reader *reader, const struct fw_ipt_word *words, size_t count) {
	struct entry *entry = count != 2 ? NULL : find(reader, words[1].text);

	if (entry == NULL) {
		wrong(reader, "the command", words[0].text);
		return;
	}
	struct draft *draft = entry->draft;
	if (fw_slice_is(words[0].text, "destroy")) {
		FW_VEC_FINI(&draft->members);
		HASH_DEL(reader->entries, entry);
	} else {
		draft->members.count = 0;
		draft->elements = 0;
		draft->fades = draft->set.excludes = false;
	}
}

static void read_command(struct reader *reader, const struct fw_ipt_word *words, size_t count) {
	static const char *const adds[] = {"add", "-A"}, *const creates[] = {"create", "-N"},
				 *const twos[] = {"swap", "rename"},
				 *const ones[] = {"flush", "destroy"};
	struct fw_slice name = words[0].text;

	if (is_one_of(name, adds, FW_LENGTH(adds))) {
		read_add(reader, words, count);
	} else if (is_one_of(name, creates, FW_LENGTH(creates))) {
		read_create(reader, words, count);
	} else if (is_one_of(name, twos, FW_LENGTH(twos))) {
		read_two(reader, words, count);
	} else if (is_one_of(name, ones, FW_LENGTH(ones))) {
		read_one(reader, words, count);
	} else if (!fw_slice_is(name, "COMMIT")) {
		wrong(reader, "the command", name);
	}
}

void fw_ipt_sets_read(struct fw_arena *arena, struct fw_ipt_pool *pool, bool file,
	const struct fw_source *source, struct fw_ipt_sets *out) {
	struct reader reader = {.arena = arena, .pool = pool, .sets = out, .file = file};
	struct fw_ipt_words words = {0};
	struct fw_slice rest = source->text;

	*out = (struct fw_ipt_sets){.source = source};
	while (rest.data != NULL) {
		struct fw_slice line = fw_slice_trim(fw_slice_cut(&rest, '\n'));
		reader.line++;
		if (line.length == 0 || line.data[0] == '#') {
			continue;
		}
		if (memchr(line.data, 0, line.length) != NULL ||
			!fw_ipt_split(arena, line, true, &words)) {
			wrong(&reader, "the line", line);
		} else {
			read_command(&reader, words.list.items, words.list.count);
		}
	}
	FW_VEC_FINI(&words.list);
	seal(&reader);
}
