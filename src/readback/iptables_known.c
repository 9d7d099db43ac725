// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Matches that ask for what sets of packets do not have (bytes, times, marks), and of which nothing
 * is known but their words: enough to tell a rule that may hold from one that iptables-restore
 * refuses.
 */

#include "readback/iptables.h"

/* An option's number: of those with the same one, there has to be one. */
enum { FREE, FIRST, SECOND };

static const struct fw_ipt_option string_options[] = {
	{"from", FREE, 1, FW_IPT_NUMBER},
	{"to", FREE, 1, FW_IPT_NUMBER},
	{"algo", FIRST, 1},
	{"icase", FREE, 0},
	{"string", SECOND, 1},
	{"hex-string", SECOND, 1},
};

static const struct fw_ipt_option time_options[] = {
	{"datestart", FREE, 1},
	{"datestop", FREE, 1},
	{"timestart", FREE, 1},
	{"timestop", FREE, 1},
	{"monthdays", FREE, 1},
	{"weekdays", FREE, 1},
	{"kerneltz", FREE, 0},
	{"contiguous", FREE, 0},
};

static const struct fw_ipt_option mark_options[] = {{"mark", FIRST, 1, FW_IPT_MASKED}};

static const struct fw_ipt_option mac_options[] = {{"mac-source", FIRST, 1}};

static const struct fw_ipt_option pkttype_options[] = {{"pkt-type", FIRST, 1}};

static const struct fw_ipt_option connlimit_options[] = {
	{"connlimit-upto", FIRST, 1, FW_IPT_NUMBER},
	{"connlimit-above", FIRST, 1, FW_IPT_NUMBER},
	{"connlimit-mask", FREE, 1},
	{"connlimit-saddr", FREE, 0},
	{"connlimit-daddr", FREE, 0},
};

static const struct fw_ipt_option connbytes_options[] = {
	{"connbytes", FIRST, 1, FW_IPT_SPAN},
	{"connbytes-dir", SECOND, 1},
	{"connbytes-mode", FREE, 1},
};

static const struct fw_ipt_option u32_options[] = {{"u32", FIRST, 1}};

static const struct fw_ipt_option policy_options[] = {
	{"dir", FIRST, 1},
	{"pol", SECOND, 1},
	{"strict", FREE, 0},
	{"reqid", FREE, 1, FW_IPT_NUMBER},
	{"spi", FREE, 1, FW_IPT_NUMBER},
	{"proto", FREE, 1},
	{"mode", FREE, 1},
	{"tunnel-src", FREE, 1, FW_IPT_WHERE},
	{"tunnel-dst", FREE, 1, FW_IPT_WHERE},
};

static const struct fw_ipt_option ttl_options[] = {
	{"ttl-eq", FIRST, 1, FW_IPT_NUMBER},
	{"ttl-lt", FIRST, 1, FW_IPT_NUMBER},
	{"ttl-gt", FIRST, 1, FW_IPT_NUMBER},
};

static const struct fw_ipt_option dscp_options[] = {
	{"dscp", FIRST, 1, FW_IPT_NUMBER},
	{"dscp-class", FIRST, 1},
};

static const struct fw_ipt_option tos_options[] = {{"tos", FIRST, 1}};

static const struct fw_ipt_option statistic_options[] = {
	{"mode", FIRST, 1},
	{"probability", SECOND, 1},
	{"every", SECOND, 1, FW_IPT_NUMBER},
	{"packet", FREE, 1, FW_IPT_NUMBER},
};

static const struct fw_ipt_option quota_options[] = {{"quota", FIRST, 1, FW_IPT_NUMBER}};

static const struct fw_ipt_option socket_options[] = {
	{"transparent", FREE, 0},
	{"nowildcard", FREE, 0},
	{"restore-skmark", FREE, 0},
};

static const struct fw_ipt_option helper_options[] = {{"helper", FIRST, 1}};

static const struct fw_ipt_option cpu_options[] = {{"cpu", FIRST, 1, FW_IPT_NUMBER}};

static const struct fw_ipt_option devgroup_options[] = {
	{"src-group", FIRST, 1},
	{"dst-group", FIRST, 1},
};

static const struct fw_ipt_option spi_options[] = {
	{"espspi", FREE, 1, FW_IPT_SPAN},
};

static const struct fw_ipt_option cgroup_options[] = {
	{"cgroup", FIRST, 1, FW_IPT_NUMBER},
	{"path", FIRST, 1},
};

static const struct fw_ipt_option tcpmss_options[] = {{"mss", FIRST, 1, FW_IPT_SPAN}};

static const struct fw_ipt_option connlabel_options[] = {
	{"label", FIRST, 1},
	{"set", FREE, 0},
};

/* Whoever sends a packet chooses the headers in front of its TCP. */
static const struct fw_ipt_option rt_options[] = {
	{"rt-type", FREE, 1, FW_IPT_NUMBER},
	{"rt-segsleft", FREE, 1, FW_IPT_SPAN},
	{"rt-len", FREE, 1, FW_IPT_NUMBER},
	{"rt-0-res", FREE, 0},
	{"rt-0-addrs", FREE, 1},
	{"rt-0-not-strict", FREE, 0},
};

static void take(struct fw_ipt_parse *parse, struct fw_ipt_instance *instance,
	const struct fw_ipt_value *value) {
	(void)parse;
	instance->asked |= 1U << value->option;
}

static void finish(struct fw_ipt_parse *parse, struct fw_ipt_instance *instance) {
	const struct fw_ipt_match *match = instance->match;
	const char *what = fw_ipt_describe(parse->pool, "the match", fw_slice(match->name));
	unsigned needed = 0;

	for (size_t i = 0; i < match->option_count; i++) {
		needed |= 1U << match->options[i].number;
	}
	needed &= ~(1U << FREE);
	if ((instance->asked & needed) != needed) {
		fw_ipt_wrong(parse, what);
	} else {
		fw_ipt_ask_unknown(parse, what);
	}
}

#define KNOWN(name, family, table)                                                                 \
	{ (name), (family), (table), FW_LENGTH(table), take, finish, false, 0 }

static const struct fw_ipt_match matches[] = {
	KNOWN("string", FW_FAMILY_NONE, string_options),
	KNOWN("time", FW_FAMILY_NONE, time_options),
	KNOWN("mark", FW_FAMILY_NONE, mark_options),
	KNOWN("connmark", FW_FAMILY_NONE, mark_options),
	KNOWN("mac", FW_FAMILY_NONE, mac_options),
	KNOWN("pkttype", FW_FAMILY_NONE, pkttype_options),
	KNOWN("connlimit", FW_FAMILY_NONE, connlimit_options),
	KNOWN("connbytes", FW_FAMILY_NONE, connbytes_options),
	KNOWN("connlabel", FW_FAMILY_NONE, connlabel_options),
	KNOWN("u32", FW_FAMILY_NONE, u32_options),
	KNOWN("policy", FW_FAMILY_NONE, policy_options),
	KNOWN("ttl", FW_IPV4, ttl_options),
	KNOWN("dscp", FW_FAMILY_NONE, dscp_options),
	KNOWN("tos", FW_FAMILY_NONE, tos_options),
	KNOWN("statistic", FW_FAMILY_NONE, statistic_options),
	KNOWN("quota", FW_FAMILY_NONE, quota_options),
	KNOWN("socket", FW_FAMILY_NONE, socket_options),
	KNOWN("helper", FW_FAMILY_NONE, helper_options),
	KNOWN("cpu", FW_FAMILY_NONE, cpu_options),
	KNOWN("devgroup", FW_FAMILY_NONE, devgroup_options),
	KNOWN("esp", FW_FAMILY_NONE, spi_options),
	KNOWN("cgroup", FW_FAMILY_NONE, cgroup_options),
	KNOWN("tcpmss", FW_FAMILY_NONE, tcpmss_options),
	KNOWN("rt", FW_IPV6, rt_options),
};

const struct fw_ipt_match *fw_ipt_known_find(enum fw_family family, struct fw_slice name) {
	for (size_t i = 0; i < FW_LENGTH(matches); i++) {
		if (fw_slice_is(name, matches[i].name) &&
			(matches[i].family == FW_FAMILY_NONE || matches[i].family == family)) {
			return &matches[i];
		}
	}
	return NULL;
}
