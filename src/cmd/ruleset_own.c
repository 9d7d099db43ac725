// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Addresses of the machine itself. Packets to other ones never come to its input, whatever rules
 * say of them: docker drops what is sent to its containers past its bridge, before it is routed.
 */

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "cmd/ruleset_sources.h"

static void add(struct fw_rulesets *out, const char *text) {
	struct fw_range range;

	if (fw_range_parse(fw_slice(text), &range) == FW_NET_NONE) {
		FW_VEC_ADD(&out->own, range);
	}
}

static void add_address(struct fw_rulesets *out, const struct sockaddr *address) {
	char text[NI_MAXHOST];
	bool ipv6 = address != NULL && address->sa_family == AF_INET6;
	socklen_t length = ipv6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);

	if (address == NULL || (!ipv6 && address->sa_family != AF_INET) ||
		getnameinfo(address, length, text, sizeof(text), NULL, 0, NI_NUMERICHOST) != 0) {
		return;
	}
	struct fw_slice rest = fw_slice(text);
	text[fw_slice_cut(&rest, '%').length] = '\0'; /* "fe80::1%eth0" */
	add(out, text);
}

bool fw_ruleset_read_own(struct fw_run *run, struct fw_rulesets *out) {
	/* What is everybody's, and what comes by the loopback even where it has no address. */
	static const char *const always[] = {"0.0.0.0", "127.0.0.0/8", "224.0.0.0/4",
		"255.255.255.255", "::", "::1", "ff00::/8"};
	struct ifaddrs *all;

	if (getifaddrs(&all) != 0) {
		fw_failure(&run->diags, "unreadable-rules", errno,
			"cannot read the addresses of this machine");
		return false;
	}
	for (size_t i = 0; i < FW_LENGTH(always); i++) {
		add(out, always[i]);
	}
	for (const struct ifaddrs *one = all; one != NULL; one = one->ifa_next) {
		add_address(out, one->ifa_addr);
		if ((one->ifa_flags & IFF_BROADCAST) != 0) {
			add_address(out, one->ifa_broadaddr);
		}
	}
	freeifaddrs(all);
	return true;
}

/* Packets to one of the machine's addresses. */
static fw_space own_space(const struct fw_rulesets *rulesets, struct fw_spaces *spaces) {
	fw_space all = FW_SPACE_EMPTY;

	for (size_t i = 0; i < rulesets->own.count; i++) {
		const struct fw_range *range = &rulesets->own.items[i];
		struct fw_addr family = fw_value((uint64_t)range->family);
		fw_space one = fw_space_intersect(spaces,
			fw_space_interval(spaces, FW_VAR_FAMILY, family, family),
			fw_space_interval(spaces, FW_VAR_DESTINATION, range->first, range->last));
		all = fw_space_union(spaces, all, one);
	}
	return all;
}

void fw_ruleset_leave_out_others(const struct fw_rulesets *rulesets, struct fw_spaces *spaces,
	struct fw_readback *readback) {
	fw_space own = own_space(rulesets, spaces);

	for (size_t i = 0; i < readback->decision_count; i++) {
		const struct fw_rb_decision *one = &readback->decisions[i];
		if (one->hook == FW_RB_INPUT && one->foreign && !one->accepts &&
			fw_space_intersect(spaces, one->set, own) == FW_SPACE_EMPTY) {
			readback->outside = fw_space_union(spaces, readback->outside, one->set);
		}
	}
}
