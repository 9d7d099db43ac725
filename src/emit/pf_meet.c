// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whether two flows have packets in common, as far as it is told by each part alone: it says rather
 * that they have. Out-interfaces and exceptions are left aside.
 */

#include "emit/pf.h"

#include <netinet/in.h>
#include <string.h>

/* ---- names and ports ---- */

static bool names_meet(const struct fw_names *a, const struct fw_names *b) {
	bool meet = a->count == 0 || b->count == 0;

	for (size_t i = 0; i < a->count; i++) {
		for (size_t j = 0; j < b->count && !meet; j++) {
			meet = strcmp(a->items[i], b->items[j]) == 0;
		}
	}
	return meet;
}

static bool ports_meet(
	const struct fw_ports *a, size_t a_count, const struct fw_ports *b, size_t b_count) {
	bool meet = a_count == 0 || b_count == 0;

	for (size_t i = 0, j = 0; i < a_count && j < b_count && !meet;) {
		meet = a[i].low <= b[j].high && b[j].low <= a[i].high;
		*(a[i].high < b[j].high ? &i : &j) += 1;
	}
	return meet;
}

static bool types_meet(const struct fw_clause *a, const struct fw_clause *b) {
	bool meet = a->type_count == 0 || b->type_count == 0;

	for (size_t i = 0; i < a->type_count; i++) {
		for (size_t j = 0; j < b->type_count && !meet; j++) {
			const struct fw_icmp_type *x = &a->types[i], *y = &b->types[j];
			meet = x->type == y->type &&
			       (x->code < 0 || y->code < 0 || x->code == y->code);
		}
	}
	return meet;
}

/* ---- addresses ---- */

/* Sorted by where they begin; those behind one another may be in each other. */
struct row {
	const struct fw_endpoint *items;
	size_t count;
};

/* Goes through both in order: what begins before the other's end so far meets it. */
static bool rows_meet(struct row a, struct row b) {
	const struct fw_addr *a_end = NULL, *b_end = NULL;
	bool meet = false;

	while (!meet && a.count + b.count != 0) {
		bool from_a = b.count == 0 || (a.count != 0 && fw_addr_compare(a.items->range.first,
								       b.items->range.first) <= 0);
		struct row *row = from_a ? &a : &b;
		const struct fw_addr **end = from_a ? &a_end : &b_end;
		const struct fw_addr *other = from_a ? b_end : a_end;
		meet = other != NULL && fw_addr_compare(row->items->range.first, *other) <= 0;
		if (*end == NULL || fw_addr_compare(row->items->range.last, **end) > 0) {
			*end = &row->items->range.last;
		}
		row->items++;
		row->count--;
	}
	return meet;
}

static struct row part_of(const struct fw_members *members, bool plain) {
	size_t first = plain ? 0 : members->plain_count;
	return (struct row){members->items + first,
		plain ? members->plain_count : members->count - members->plain_count};
}

static bool members_meet(const struct fw_members *a, const struct fw_members *b) {
	bool meet = false;
	for (int i = 0; i < 4 && !meet; i++) {
		meet = rows_meet(part_of(a, (i & 1) != 0), part_of(b, (i & 2) != 0));
	}
	return meet;
}

static bool sides_meet(const struct fw_side *a, const struct fw_side *b, enum fw_family family) {
	bool meet = (a->set_count == 0 && fw_side_has_family(b, family)) ||
		    (b->set_count == 0 && fw_side_has_family(a, family));

	for (size_t i = 0; i < a->set_count; i++) {
		for (size_t j = 0; j < b->set_count && !meet; j++) {
			meet = members_meet(
				&a->sets[i]->members[family], &b->sets[j]->members[family]);
		}
	}
	return meet;
}

/* ---- flows ---- */

static bool has_ports(uint8_t protocol) {
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP;
}

static bool clauses_meet(
	const struct fw_clause *a, const struct fw_clause *b, enum fw_family family) {
	return (a->family == FW_FAMILY_NONE || a->family == family) &&
	       (b->family == FW_FAMILY_NONE || b->family == family) && a->protocol == b->protocol &&
	       ports_meet(a->ports, a->port_count, b->ports, b->port_count) &&
	       ports_meet(a->source_ports, a->source_port_count, b->source_ports,
		       b->source_port_count) &&
	       types_meet(a, b);
}

/* Members with ports of their own may have any. */
static bool own_ports_meet(const struct fw_flow *a, const struct fw_flow *b) {
	bool meet = a->own_ports && b->own_ports;
	for (size_t i = 0; a->own_ports && i < b->clause_count && !meet; i++) {
		meet = has_ports(b->clauses[i].protocol);
	}
	return meet;
}

static bool protocols_meet(
	const struct fw_flow *a, const struct fw_flow *b, enum fw_family family) {
	bool meet = own_ports_meet(a, b) || own_ports_meet(b, a);

	for (size_t i = 0; i < a->clause_count; i++) {
		for (size_t j = 0; j < b->clause_count && !meet; j++) {
			meet = clauses_meet(&a->clauses[i], &b->clauses[j], family);
		}
	}
	return meet;
}

bool fw_pf_flows_meet(const struct fw_flow *a, const struct fw_flow *b) {
	bool meet = false;

	for (int i = FW_IPV4; i < FW_FAMILY_COUNT && !meet; i++) {
		enum fw_family family = (enum fw_family)i;
		meet = protocols_meet(a, b, family) && sides_meet(&a->source, &b->source, family) &&
		       sides_meet(&a->destination, &b->destination, family);
	}
	return meet && names_meet(&a->in_interfaces, &b->in_interfaces);
}
