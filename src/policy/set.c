// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sets of endpoints in canonical order. Duplicates, nested and overlapping ranges are resolved
 * here, so that no loader has to (nf_tables refuses them, ipset and pf each treat them their way).
 */

#include "policy/policy.h"

#include <stdlib.h>
#include <string.h>

static int compare_ports(
	const struct fw_ports *a, size_t a_count, const struct fw_ports *b, size_t b_count) {
	for (size_t i = 0; i < a_count && i < b_count; i++) {
		if (a[i].low != b[i].low) {
			return a[i].low < b[i].low ? -1 : 1;
		}
		if (a[i].high != b[i].high) {
			return a[i].high < b[i].high ? -1 : 1;
		}
	}
	return (a_count > b_count) - (a_count < b_count);
}

int fw_port_list_compare(const struct fw_port_list *a, const struct fw_port_list *b) {
	if (a == b) {
		return 0;
	}
	if (a == NULL || b == NULL) {
		return a == NULL ? -1 : 1;
	}
	int order = compare_ports(a->tcp, a->tcp_count, b->tcp, b->tcp_count);
	return order != 0 ? order : compare_ports(a->udp, a->udp_count, b->udp, b->udp_count);
}

static int compare_names(const char *a, const char *b) {
	if (a == NULL || b == NULL) {
		return (a == NULL) - (b == NULL);
	}
	return strcmp(a, b);
}

/* The order of struct fw_members, families apart. */
static int by_address(const void *left, const void *right) {
	const struct fw_endpoint *a = left;
	const struct fw_endpoint *b = right;

	if (a->range.family != b->range.family) {
		return a->range.family < b->range.family ? -1 : 1;
	}
	if ((a->own == NULL) != (b->own == NULL)) {
		return a->own == NULL ? -1 : 1;
	}
	int order = fw_range_compare(&a->range, &b->range);
	if (order == 0) {
		order = fw_port_list_compare(a->own, b->own);
	}
	return order != 0 ? order : compare_names(a->name, b->name);
}

/* As by_address, with all endpoints of one port list side by side: the order to join in. */
static int by_ports(const void *left, const void *right) {
	const struct fw_endpoint *a = left;
	const struct fw_endpoint *b = right;

	if (a->range.family == b->range.family && a->own != NULL && b->own != NULL) {
		int order = fw_port_list_compare(a->own, b->own);
		if (order != 0) {
			return order;
		}
	}
	return by_address(left, right);
}

/* Long lists mostly come sorted from whatever wrote them. */
static bool is_sorted(const struct fw_endpoint *endpoints, size_t count) {
	for (size_t i = 1; i < count; i++) {
		if (by_address(&endpoints[i - 1], &endpoints[i]) > 0) {
			return false;
		}
	}
	return true;
}

static bool same_part(const struct fw_endpoint *a, const struct fw_endpoint *b) {
	return a->range.family == b->range.family && (a->own == NULL) == (b->own == NULL);
}

/* In sorted order whatever overlaps anything overlaps its neighbour. */
static bool any_overlap(const struct fw_endpoint *endpoints, size_t count) {
	for (size_t i = 1; i < count; i++) {
		const struct fw_endpoint *before = &endpoints[i - 1];
		if (same_part(before, &endpoints[i]) &&
			fw_range_overlaps(&before->range, &endpoints[i].range)) {
			return true;
		}
	}
	return false;
}

/* Joins neighbours that overlap and have the same ports; returns how many are left. */
static size_t join(struct fw_endpoint *endpoints, size_t count) {
	size_t kept = 0;

	for (size_t i = 1; i < count; i++) {
		struct fw_endpoint *last = &endpoints[kept];
		const struct fw_endpoint *next = &endpoints[i];

		if (last->own == next->own && fw_range_overlaps(&last->range, &next->range)) {
			if (fw_addr_compare(next->range.last, last->range.last) > 0) {
				last->range.last = next->range.last;
			}
		} else {
			endpoints[++kept] = *next;
		}
	}
	return kept + 1;
}

static void fill(struct fw_set *set, const struct fw_endpoint *endpoints, size_t count) {
	for (size_t i = 0; i < count; i++) {
		struct fw_members *members = &set->members[endpoints[i].range.family];
		if (members->count++ == 0) {
			members->items = &endpoints[i];
		}
		members->plain_count += endpoints[i].own == NULL;
		if (members->range == NULL && fw_range_prefix_length(&endpoints[i].range) < 0) {
			members->range = &endpoints[i];
		}
	}
}

void fw_set_resolve(struct fw_set *set, struct fw_endpoint *endpoints, size_t count) {
	if (count != 0 && !is_sorted(endpoints, count)) {
		qsort(endpoints, count, sizeof(*endpoints), by_address);
	}
	if (any_overlap(endpoints, count)) {
		qsort(endpoints, count, sizeof(*endpoints), by_ports);
		count = join(endpoints, count);
		qsort(endpoints, count, sizeof(*endpoints), by_address);
	}
	fill(set, endpoints, count);
}

bool fw_set_share(struct fw_set *set, const struct fw_endpoint *endpoints, size_t count) {
	bool canonical = is_sorted(endpoints, count) && !any_overlap(endpoints, count);

	if (canonical) {
		fill(set, endpoints, count);
	}
	return canonical;
}

/* From the first address on, each range must begin where those before it end. */
static bool part_covers(const struct fw_endpoint *endpoints, size_t count, enum fw_family family) {
	struct fw_addr next = {0, 0};

	for (size_t i = 0; i < count && fw_addr_compare(endpoints[i].range.first, next) <= 0; i++) {
		struct fw_range so_far = {{0, 0}, endpoints[i].range.last, family};
		if (fw_range_is_all(&so_far)) {
			return true;
		}
		if (fw_addr_compare(next, so_far.last) <= 0) {
			next = fw_addr_next(so_far.last);
		}
	}
	return false;
}

bool fw_set_covers(const struct fw_set *set, enum fw_family family) {
	const struct fw_members *members = &set->members[family];

	size_t own = members->count - members->plain_count;

	return part_covers(members->items, members->plain_count, family) ||
	       (own != 0 && part_covers(members->items + members->plain_count, own, family));
}
