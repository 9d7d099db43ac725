// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_TEST_IPTABLES_WALK_H
#define FW_TEST_IPTABLES_WALK_H
/*
 * A packet's way through a rule file, and what the policy itself says of the packet: two readings
 * that share nothing with the backend, and must agree.
 */

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"

/* ---- what the rules let through ---- */

enum { RULES_MAX = 20000, WORDS_MAX = 24, LEVELS_MAX = 15 };

/* A rule file, cut into words. */
struct parsed_rule {
	const char *chain, *words[WORDS_MAX];
	size_t count;
	size_t jump; /* of the words: "-j" or "-g" */
};

static struct {
	struct parsed_rule rules[RULES_MAX];
	size_t count, declared;
	const char *whole;
	char *text;
} file;

struct packet {
	struct fw_range source, destination;
	const char *protocol;
	unsigned port;
	const char *in, *out;  /* interfaces, or NULL */
	struct fw_range asked; /* where it was sent to, if it was translated */
	bool translated;
};

/* Every chain is declared once, and before it is asked for; no name is too long. */
static void check_declared(const char *chain, size_t before) {
	char *line = fw_arena_printf(&model.arena, ":%s - [0:0]\n", chain);
	const char *at = strstr(file.whole, line);
	ck_assert_msg(at != NULL && (size_t)(at - file.whole) < before, "%s", chain);
	ck_assert_msg(strstr(at + 1, line) == NULL, "%s twice", chain);
	ck_assert_uint_le(strlen(chain), 28);
}

static size_t find_jump(const struct parsed_rule *rule) {
	size_t at = 0;
	while (strcmp(rule->words[at], "-j") != 0 && strcmp(rule->words[at], "-g") != 0) {
		at++;
		ck_assert_uint_lt(at + 1, rule->count);
	}
	return at;
}

static void parse_file(const char *text) {
	char *rest, *word_rest;
	free(file.text);
	file.whole = text;
	file.text = strdup(text);
	file.count = 0;
	for (char *line = strtok_r(file.text, "\n", &rest); line != NULL;
		line = strtok_r(NULL, "\n", &rest)) {
		size_t before = (size_t)(line - file.text);
		if (strncmp(line, "-A ", 3) != 0) {
			continue;
		}
		ck_assert_uint_lt(file.count, RULES_MAX);
		struct parsed_rule *rule = &file.rules[file.count++];
		strtok_r(line, " ", &word_rest);
		rule->chain = strtok_r(NULL, " ", &word_rest);
		rule->count = 0;
		for (char *word; (word = strtok_r(NULL, " ", &word_rest)) != NULL;) {
			ck_assert_uint_lt(rule->count, WORDS_MAX);
			rule->words[rule->count++] = word;
		}
		check_declared(rule->chain, before);
		rule->jump = find_jump(rule);
		const char *target = rule->words[rule->jump + 1];
		if (strncmp(target, "FLOWFW", 6) == 0) {
			check_declared(target, before);
		}
	}
}

static bool in_prefix(const char *text, const struct fw_range *address) {
	struct fw_range range;
	ck_assert_int_eq(fw_range_parse(fw_slice(text), &range), FW_NET_NONE);
	return fw_range_contains(&range, address);
}

/* "80,8000:8010" */
static bool in_ports(const char *text, unsigned port) {
	for (const char *at = text; at != NULL; at = strchr(at, ',')) {
		at += *at == ',';
		char *end;
		unsigned long low = strtoul(at, &end, 10);
		unsigned long high = *end == ':' ? strtoul(end + 1, NULL, 10) : low;
		if (port >= low && port <= high) {
			return true;
		}
	}
	return false;
}

static bool is_name(const char *name, const char *value) {
	return name != NULL && strcmp(name, value) == 0;
}

/* A packet of a new connection. A word that is not known here fails the test. */
static bool rule_matches(const struct parsed_rule *rule, const struct packet *packet) {
	for (size_t i = 0; i < rule->jump; i += 2) {
		const char *option = rule->words[i], *value = rule->words[i + 1];
		bool met = true;
		if (strcmp(option, "-s") == 0 || strcmp(option, "--src-range") == 0) {
			met = in_prefix(value, &packet->source);
		} else if (strcmp(option, "-d") == 0 || strcmp(option, "--dst-range") == 0) {
			met = in_prefix(value, &packet->destination);
		} else if (strcmp(option, "-p") == 0) {
			met = strcmp(value, packet->protocol) == 0;
		} else if (strcmp(option, "--dport") == 0 || strcmp(option, "--dports") == 0) {
			met = in_ports(value, packet->port);
		} else if (strcmp(option, "-i") == 0) {
			met = is_name(packet->in, value);
		} else if (strcmp(option, "-o") == 0) {
			met = is_name(packet->out, value);
		} else if (strcmp(option, "--ctstate") == 0) {
			met = packet->translated && strcmp(value, "DNAT") == 0;
		} else if (strcmp(option, "--ctorigdst") == 0) {
			met = in_prefix(value, &packet->asked);
		} else {
			ck_assert_msg(strcmp(option, "-m") == 0 || strcmp(option, "--comment") == 0,
				"%s", option);
		}
		if (!met) {
			return false;
		}
	}
	return true;
}

enum verdict { RETURNED, ACCEPTED, DROPPED, TRANSLATED };

/* How far a packet came, and what it cost. */
struct walk {
	const struct packet *packet;
	size_t met;
	unsigned depth;
	const char *address; /* that it is translated to, or NULL: that of the interface */
};

static enum verdict walk_chain(struct walk *walk, const char *chain, unsigned depth) {
	ck_assert_uint_le(depth, LEVELS_MAX);
	walk->depth = depth > walk->depth ? depth : walk->depth;
	for (size_t i = 0; i < file.count; i++) {
		const struct parsed_rule *rule = &file.rules[i];
		if (strcmp(rule->chain, chain) != 0) {
			continue;
		}
		walk->met++;
		if (!rule_matches(rule, walk->packet)) {
			continue;
		}
		const char *how = rule->words[rule->jump];
		const char *target = rule->words[rule->jump + 1];
		if (strcmp(target, "ACCEPT") == 0) {
			return ACCEPTED;
		}
		if (strcmp(target, "DROP") == 0) {
			return DROPPED;
		}
		if (strcmp(target, "RETURN") == 0) {
			return RETURNED;
		}
		if (strncmp(target, "FLOWFW", 6) != 0) {
			walk->address =
				rule->jump + 2 < rule->count ? rule->words[rule->count - 1] : NULL;
			return TRANSLATED;
		}
		enum verdict verdict = walk_chain(walk, target, depth + 1);
		if (verdict != RETURNED || strcmp(how, "-g") == 0) {
			return verdict;
		}
	}
	return RETURNED;
}

static inline enum verdict walk_hook(struct walk *walk, enum fw_hook hook) {
	static const char *const chains[FW_HOOK_COUNT] = {
		[FW_INPUT] = "FLOWFW-INPUT",
		[FW_OUTPUT] = "FLOWFW-OUTPUT",
		[FW_FORWARD] = "FLOWFW-FORWARD",
	};
	return walk_chain(walk, chains[hook], 1);
}

/* ---- what the policy lets through, asked of the policy itself ---- */

static bool list_has(const struct fw_ports *ports, size_t count, unsigned port) {
	for (size_t i = 0; i < count; i++) {
		if (port >= ports[i].low && port <= ports[i].high) {
			return true;
		}
	}
	return false;
}

static bool own_has(const struct fw_port_list *own, const struct packet *packet) {
	return strcmp(packet->protocol, "tcp") == 0
		       ? list_has(own->tcp, own->tcp_count, packet->port)
		       : list_has(own->udp, own->udp_count, packet->port);
}

enum which { ANY_MEMBER, PLAIN_MEMBER, PORT_MEMBER };

static bool set_has(const struct fw_set *set, const struct fw_range *address, enum which which,
	const struct packet *packet) {
	const struct fw_members *members = &set->members[address->family];
	for (size_t i = 0; i < members->count; i++) {
		const struct fw_endpoint *member = &members->items[i];
		if (fw_range_contains(&member->range, address) &&
			(which == ANY_MEMBER || (which == PLAIN_MEMBER) == (member->own == NULL)) &&
			(which != PORT_MEMBER || own_has(member->own, packet))) {
			return true;
		}
	}
	return false;
}

static bool side_has(const struct fw_side *side, const struct fw_range *address, enum which which,
	const struct packet *packet) {
	bool has = side->set_count == 0 && which != PORT_MEMBER;
	for (size_t i = 0; i < side->set_count; i++) {
		has |= set_has(side->sets[i], address, which, packet);
	}
	return has && (side->except == NULL || !set_has(side->except, address, ANY_MEMBER, packet));
}

static bool clause_has(const struct fw_flow *flow, const struct packet *packet) {
	uint8_t protocol = strcmp(packet->protocol, "tcp") == 0 ? IPPROTO_TCP : IPPROTO_UDP;
	for (size_t i = 0; i < flow->clause_count; i++) {
		const struct fw_clause *clause = &flow->clauses[i];
		if (clause->protocol == protocol &&
			list_has(clause->ports, clause->port_count, packet->port)) {
			return true;
		}
	}
	return false;
}

static bool names_have(const struct fw_names *names, const char *name) {
	bool has = names->count == 0;
	for (size_t i = 0; i < names->count; i++) {
		has |= is_name(name, names->items[i]);
	}
	return has;
}

static bool flow_has(const struct fw_flow *flow, const struct packet *packet) {
	bool input = flow->hook == FW_INPUT || flow->inbound;
	if (!names_have(&flow->in_interfaces, packet->in) ||
		!names_have(&flow->out_interfaces, packet->out)) {
		return false;
	}
	enum which plain = flow->own_ports ? PLAIN_MEMBER : ANY_MEMBER;
	if (clause_has(flow, packet) &&
		side_has(&flow->source, &packet->source, input ? plain : ANY_MEMBER, packet) &&
		side_has(&flow->destination, &packet->destination, input ? ANY_MEMBER : plain,
			packet)) {
		return true;
	}
	return flow->own_ports &&
	       side_has(&flow->source, &packet->source, input ? PORT_MEMBER : ANY_MEMBER, packet) &&
	       side_has(&flow->destination, &packet->destination, input ? ANY_MEMBER : PORT_MEMBER,
		       packet);
}

static inline bool policy_has(enum fw_hook hook, const struct packet *packet) {
	for (size_t i = 0; i < model.policy.flow_count; i++) {
		if (model.policy.flows[i].hook == hook &&
			flow_has(&model.policy.flows[i], packet)) {
			return true;
		}
	}
	return false;
}

#endif
