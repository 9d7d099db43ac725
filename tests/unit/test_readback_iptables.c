// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The reader of iptables-save: each option in all its spellings, what it does not understand, and
 * texts that nobody in his right mind would load. Chains are for test_readback_iptables_chains.c,
 * rule sets of others, and the real iptables, for tests/readback.
 */

#include "readback/readback.h"

#include <stdio.h>

#include "space_model.h"

static struct fw_arena arena;
static struct fw_spaces spaces;
static struct fw_diags diags;

static const char *const names[] = {"eth*", "eth0", "eth1", "wlan*"};
static const struct fw_rb_interfaces interfaces = {names, FW_LENGTH(names)};

static void set_up(void) {
	fw_spaces_init(&spaces, NULL);
}

static void tear_down(void) {
	fw_spaces_fini(&spaces);
	fw_arena_fini(&arena);
	fw_diags_fini(&diags);
}

/* ---- reading ---- */

static struct fw_readback read_slice(
	enum fw_family family, bool file, struct fw_slice text, const char *sets) {
	struct fw_source *sources = FW_ARENA_ARRAY(&arena, struct fw_source, 2);
	struct fw_ruleset ruleset;
	struct fw_readback readback;

	sources[0] = (struct fw_source){.name = "text", .text = text};
	if (sets != NULL) {
		sources[1] = (struct fw_source){.name = "sets", .text = fw_slice(sets)};
	}
	ck_assert(fw_read_iptables(&arena, family, file, &sources[0],
		sets != NULL ? &sources[1] : NULL, &ruleset, &diags));
	ck_assert(ruleset.lower(&ruleset, &arena, &spaces, &interfaces, &readback));
	return readback;
}

static struct fw_readback read_text(enum fw_family family, const char *text) {
	return read_slice(family, true, fw_slice(text), NULL);
}

/* A rule of INPUT in front of a policy that says the contrary. */
static struct fw_readback read_rule(enum fw_family family, const char *rule) {
	return read_text(
		family, fw_arena_printf(&arena,
				"*filter\n:INPUT DROP [0:0]\n:chain - [0:0]\n:other - [0:0]\n"
				"%s\n-A chain -p tcp -j ACCEPT\n-A other -j DROP\nCOMMIT\n",
				rule));
}

static void expect_known(const struct fw_readback *readback, const char *text) {
	for (size_t i = 0; i < readback->unknown_count; i++) {
		ck_abort_msg("%s: %s is not understood", text, readback->unknowns[i].what);
	}
}

/* ---- spellings ---- */

struct spelling {
	enum fw_family family;
	const char *rule, *other;
};

static const struct spelling spellings[] = {
	{FW_IPV4, "-A INPUT -s 10.0.0.1 -j ACCEPT",
		"--append INPUT --source 10.0.0.1/32 --jump ACCEPT"},
	{FW_IPV4, "-A INPUT -s 10.0.0.1 -j ACCEPT",
		"-A INPUT --src 10.0.0.1/255.255.255.255 -j ACCEPT"},
	{FW_IPV4, "-A INPUT -d 10.0.0.0/8 -j ACCEPT",
		"-A INPUT --destination 10.9.9.9/8 -j ACCEPT"},
	{FW_IPV4, "-A INPUT -d 10.0.0.0/8 -j ACCEPT", "-A INPUT --dst 10/8 -j ACCEPT"},
	{FW_IPV4, "-A INPUT ! -d 10.0.0.0/8 -j ACCEPT", "-A INPUT -d ! 10.0.0.0/8 -j ACCEPT"},
	{FW_IPV4, "-A INPUT -d 0.0.0.0/0 -j ACCEPT", "-A INPUT -j ACCEPT"},
	{FW_IPV4, "-A INPUT -s 10.0.0.1,10.0.0.7 -d 10.0.0.2,10.0.0.3 -j ACCEPT",
		"-A INPUT -s 10.0.0.1 -d 10.0.0.2/31 -j ACCEPT\n"
		"-A INPUT -s 10.0.0.7 -d 10.0.0.2/31 -j ACCEPT"},
	{FW_IPV6, "-A INPUT -s 2001:db8::/32 -j ACCEPT",
		"-A INPUT -s 2001:db8:1::/ffff:ffff:: -j ACCEPT"},
	{FW_IPV6, "-A INPUT -s ::ffff:192.0.2.1 -j ACCEPT",
		"-A INPUT -s ::ffff:c000:201/128 -j ACCEPT"},
	{FW_IPV4, "-A INPUT -p tcp -j ACCEPT", "-A INPUT --protocol 6 -j ACCEPT"},
	{FW_IPV4, "-A INPUT -p tcp -j ACCEPT", "-A INPUT --proto TCP -j ACCEPT"},
	{FW_IPV4, "-A INPUT -p all -j ACCEPT", "-A INPUT -p 0 -j ACCEPT"},
	{FW_IPV4, "-A INPUT ! -p udp -j ACCEPT", "-A INPUT ! --protocol 17 -j ACCEPT"},
	{FW_IPV6, "-A INPUT -p icmpv6 -j ACCEPT", "-A INPUT -p ipv6-icmp -j ACCEPT"},
	{FW_IPV4, "-A INPUT -i eth0 -j ACCEPT", "-A INPUT --in-interface eth0 -j ACCEPT"},
	{FW_IPV4, "-A INPUT -i + -j ACCEPT", "-A INPUT -j ACCEPT"},
	{FW_IPV4, "-A INPUT ! -i + -j ACCEPT", "-A INPUT -p tcp ! -i + -j ACCEPT"},
	{FW_IPV4, "-A chain ! -o eth0 -j ACCEPT\n-A INPUT -j chain", "-A INPUT -j ACCEPT"},
	{FW_IPV4, "-A INPUT ! -f -j ACCEPT", "-A INPUT ! --fragments -j ACCEPT"},
	{FW_IPV4, "-A INPUT ! -f -j ACCEPT", "-A INPUT -j ACCEPT"},
	{FW_IPV4, "-A INPUT -j chain", "-A INPUT --goto chain"},
	{FW_IPV4, "-I INPUT -j DROP\n-I INPUT 1 -j ACCEPT", "-A INPUT -j ACCEPT"},
	{FW_IPV4, "[3:4] -A INPUT -c 1 2 -j ACCEPT", "-A INPUT --set-counters 1 2 -j ACCEPT"},
	{FW_IPV4, "-A INPUT -6 -j DROP\n-A INPUT -j ACCEPT", "-A INPUT -4 -j ACCEPT"},
	{FW_IPV4, "-A INPUT -p tcp --dport 80 -j ACCEPT",
		"-A INPUT -p tcp -m tcp --destination-port=http -j ACCEPT"},
	{FW_IPV4, "-A INPUT -p tcp --sport 1024: -j ACCEPT",
		"-A INPUT -p tcp -m tcp --source-port 1024:65535 -j ACCEPT"},
	{FW_IPV4, "-A INPUT -p udp ! --sport :53 -j ACCEPT",
		"-A INPUT -p udp -m udp ! --sport 0:domain -j ACCEPT"},
	{FW_IPV4, "-A INPUT -p sctp --dport 9 -j ACCEPT",
		"-A INPUT -p 132 -m sctp --destination-port 9 -j ACCEPT"},
	{FW_IPV4, "-A INPUT -p udplite --dport 9 -j ACCEPT",
		"-A INPUT -p 136 -m multiport --destination-ports 9 -j ACCEPT"},
	{FW_IPV4, "-A INPUT -p dccp --dport 9 -j ACCEPT",
		"-A INPUT -p 33 -m dccp --dport 9 -j ACCEPT"},
	{FW_IPV4, "-A INPUT -p tcp --syn -j ACCEPT",
		"-A INPUT -p tcp --tcp-flags FIN,SYN,RST,ACK SYN -j ACCEPT"},
	{FW_IPV4, "-A INPUT -p tcp ! --syn -j ACCEPT",
		"-A INPUT -p tcp ! --tcp-flags syn,rst,ack,fin syn -j ACCEPT"},
	{FW_IPV4, "-A INPUT -p tcp --tcp-flags ALL NONE -j ACCEPT",
		"-A INPUT -p tcp --tcp-flags FIN,SYN,RST,PSH,ACK,URG NONE -j ACCEPT"},
	{FW_IPV4, "-A INPUT -p tcp -m multiport --dports 80,90:95,81 -j ACCEPT",
		"-A INPUT -p tcp -m multiport --destination-ports 80:81,92:95,90:93 -j ACCEPT"},
	{FW_IPV4, "-A INPUT -p tcp -m multiport --sports 80 -j ACCEPT",
		"-A INPUT -p tcp -m multiport --source-ports www -j ACCEPT"},
	{FW_IPV4, "-A INPUT -p tcp -m multiport --ports 80,81 -j ACCEPT",
		"-A INPUT -p tcp --dport 80:81 -j ACCEPT\n-A INPUT -p tcp --sport 80:81 -j ACCEPT"},
	{FW_IPV4, "-A INPUT -p tcp -m multiport ! --ports 80 -j ACCEPT",
		"-A INPUT -p tcp ! --dport 80 ! --sport 80 -j ACCEPT"},
	{FW_IPV4, "-A INPUT -p icmp --icmp-type echo-request -j ACCEPT",
		"-A INPUT -p icmp -m icmp --icmp-type 8 -j ACCEPT"},
	{FW_IPV4, "-A INPUT -p icmp --icmp-type ping -j ACCEPT",
		"-A INPUT -p 1 -m icmp --icmp-type ECHO-REQ -j ACCEPT"},
	{FW_IPV4, "-A INPUT -p icmp --icmp-type fragmentation-needed -j ACCEPT",
		"-A INPUT -p icmp --icmp-type 3/4 -j ACCEPT"},
	{FW_IPV4, "-A INPUT -p icmp --icmp-type any -j ACCEPT", "-A INPUT -p icmp -j ACCEPT"},
	{FW_IPV4, "-A INPUT -p icmp --icmp-type 255 -j ACCEPT", "-A INPUT -p icmp -j ACCEPT"},
	{FW_IPV6, "-A INPUT -p icmpv6 --icmpv6-type neighbour-advertisement -j ACCEPT",
		"-A INPUT -p ipv6-icmp -m icmp6 --icmpv6-type 136 -j ACCEPT"},
	{FW_IPV6, "-A INPUT -p icmpv6 ! --icmpv6-type 1/4 -j ACCEPT",
		"-A INPUT -p icmpv6 ! --icmpv6-type port-unreachable -j ACCEPT"},
	{FW_IPV4, "-A INPUT -m iprange --src-range 10.0.0.0-10.0.0.7 -j ACCEPT",
		"-A INPUT -s 10.0.0.0/29 -j ACCEPT"},
	{FW_IPV4, "-A INPUT -m iprange ! --dst-range 10.0.0.0-10.0.0.7 -j ACCEPT",
		"-A INPUT ! -d 10.0.0.0/29 -j ACCEPT"},
	{FW_IPV4, "-A INPUT -s 10.0.0.0/30 -m iprange --src-range 10.0.0.2-10.0.0.9 -j ACCEPT",
		"-A INPUT -s 10.0.0.2/31 -j ACCEPT"},
	{FW_IPV4, "-A INPUT -m addrtype --dst-type MULTICAST -j ACCEPT",
		"-A INPUT -d 224.0.0.0/4 -j ACCEPT"},
	{FW_IPV6, "-A INPUT -m addrtype ! --src-type MULTICAST -j ACCEPT",
		"-A INPUT ! -s ff00::/8 -j ACCEPT"},
	{FW_IPV4, "-A INPUT -m addrtype --dst-type local,BROADCAST,MULTICAST,UNICAST -j ACCEPT",
		"-A INPUT -j ACCEPT"},
	{FW_IPV4, "-A INPUT -m addrtype ! --dst-type LOCAL,BROADCAST -j ACCEPT",
		"-A INPUT -d 224.0.0.0/4 -j ACCEPT"},
	{FW_IPV4, "-A INPUT ! -i lo -m addrtype ! --src-type LOCAL -j ACCEPT",
		"-A INPUT ! -i lo ! -s 127.0.0.0/8 -j ACCEPT"},
	{FW_IPV6, "-A INPUT -m addrtype --src-type UNSPEC -j ACCEPT",
		"-A INPUT -s ::/128 -j ACCEPT"},
	{FW_IPV4, "-A INPUT -m recent --set --rsource --name x -j ACCEPT", "-A INPUT -j ACCEPT"},
	{FW_IPV4, "-A INPUT -m recent ! --set -j ACCEPT", "-A INPUT ! -i + -j ACCEPT"},
	{FW_IPV4, "-A INPUT -m length --length 0: -j ACCEPT", "-A INPUT -j ACCEPT"},
	{FW_IPV6, "-A INPUT -m frag ! --fragid 1 -j ACCEPT", "-A INPUT ! -i + -j ACCEPT"},
	{FW_IPV4, "-A INPUT -m physdev --physdev-is-out -j ACCEPT", "-A INPUT ! -i + -j ACCEPT"},
	{FW_IPV4, "-A INPUT -m physdev ! --physdev-is-bridged -j ACCEPT", "-A INPUT -j ACCEPT"},
	{FW_IPV4,
		"-A INPUT -m conntrack --ctstate NEW ! --ctstatus SEEN_REPLY,ASSURED,EXPECTED -j "
		"ACCEPT",
		"-A INPUT -m conntrack --ctstate NEW -j ACCEPT"},
	{FW_IPV4, "-A INPUT -m conntrack --ctstate ESTABLISHED --ctstatus CONFIRMED -j ACCEPT",
		"-A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT"},
	{FW_IPV4, "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED,SNAT -j ACCEPT",
		"-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"},
	{FW_IPV4,
		"-A INPUT -p tcp --dport 22 -m hashlimit --hashlimit 6/min --hashlimit-mode "
		"srcip,dstport --hashlimit-name a -j ACCEPT",
		"-A INPUT -p tcp --dport 22 -m hashlimit --hashlimit 6/min --hashlimit-mode srcip "
		"--hashlimit-name a -j ACCEPT"},
	{FW_IPV4,
		"-A INPUT -m limit --limit 1/s -m string --string x --algo bm -j LOG\n"
		"-A INPUT -m hashlimit --hashlimit 1/s --hashlimit-mode dstip --hashlimit-name x "
		"-j LOG\n-A INPUT -j ACCEPT",
		"-A INPUT -j ACCEPT"},
	{FW_IPV4,
		"-A INPUT -j SET --add-set x src,dst --exist\n"
		"-A INPUT -j IDLETIMER --timeout 9 --label x\n-A INPUT -j ACCEPT",
		"-A INPUT -j ACCEPT"},
	{FW_IPV6, "-A INPUT -m hl --hl-lt 255 -j ACCEPT", "-A INPUT -m hl ! --hl-eq 255 -j ACCEPT"},
	{FW_IPV6, "-A INPUT -m hl --hl-gt 254 -j ACCEPT", "-A INPUT -m hl --hl-eq 255 -j ACCEPT"},
	{FW_IPV4, "-A INPUT -m state --state NEW -j ACCEPT",
		"-A INPUT -m conntrack --ctstate NEW -j ACCEPT"},
	{FW_IPV4, "-A INPUT -m conntrack ! --ctstate INVALID,UNTRACKED -j ACCEPT",
		"-A INPUT -m conntrack --ctstate NEW,RELATED,established -j ACCEPT"},
	{FW_IPV4, "-A INPUT -m conntrack ! --ctstate DNAT -j DROP\n-A INPUT -j ACCEPT",
		"-A INPUT -m conntrack --ctstate DNAT -j ACCEPT"},
	{FW_IPV4, "-A INPUT -m conntrack --ctstate NEW --ctdir ORIGINAL -j ACCEPT",
		"-A INPUT -m conntrack --ctstate NEW ! --ctdir REPLY -j ACCEPT"},
	{FW_IPV4, "-A INPUT -m conntrack --ctstate NEW,ESTABLISHED --ctproto tcp -j ACCEPT",
		"-A INPUT -p 6 -m conntrack --ctstate NEW,ESTABLISHED -j ACCEPT"},
	{FW_IPV4, "-A INPUT -m limit --limit 60/min -j ACCEPT",
		"-A INPUT -m limit --limit 60/minute --limit-burst 5 -j ACCEPT"},
	{FW_IPV4, "-A INPUT -m limit -j ACCEPT", "-A INPUT -m limit --limit 3/h -j ACCEPT"},
	{FW_IPV4,
		"-A INPUT -m hashlimit --hashlimit 6/min --hashlimit-mode srcip --hashlimit-name a "
		"-j ACCEPT",
		"-A INPUT -m hashlimit --hashlimit-upto 6/m --hashlimit-burst 5 --hashlimit-mode "
		"srcip "
		"--hashlimit-srcmask 32 --hashlimit-htable-size 9 --hashlimit-htable-max 70000 "
		"--hashlimit-htable-expire 60000 --hashlimit-htable-gcinterval 9 --hashlimit-name "
		"b "
		"-j ACCEPT"},
	{FW_IPV4, "-A INPUT -m comment --comment \"-j DROP \\\" x\" -j ACCEPT",
		"-A INPUT -j ACCEPT"},
	{FW_IPV4, "-A INPUT -m comment --comment \"\" -j ACCEPT", "-A INPUT\t-j  ACCEPT "},
	{FW_IPV4,
		"-A INPUT -j LOG --log-prefix \"a b\" --log-level 4 --log-uid\n-A INPUT -j ACCEPT",
		"-A INPUT -m string --string \"-j DROP\" --algo bm -j NFLOG --nflog-group 1\n"
		"-A INPUT -m mark --mark 1 -j MARK --set-mark 2\n-A INPUT -p tcp\n-A INPUT -j "
		"ACCEPT"},
	{FW_IPV4, "-A INPUT -j REJECT --reject-with icmp-admin-prohibited", "-A INPUT -j REJECT"},
	{FW_IPV4, "-A INPUT -p tcp -j ACCEPT\n-F INPUT\n-A INPUT -j ACCEPT", "-A INPUT -j ACCEPT"},
	{FW_IPV4, "-P INPUT ACCEPT", "-A INPUT -j ACCEPT"},
	{FW_IPV4, "-N third\n-A third -j ACCEPT\n-A INPUT -j third", "-A INPUT -j ACCEPT"},
	{FW_IPV4, "-Z\n-Z INPUT\n-A INPUT -j ACCEPT", "-A INPUT -j ACCEPT"},
};

START_TEST(reads_all_spellings) {
	const struct spelling *spelling = &spellings[_i];
	struct fw_readback one = read_rule(spelling->family, spelling->rule);
	struct fw_readback other = read_rule(spelling->family, spelling->other);

	expect_known(&one, spelling->rule);
	expect_known(&other, spelling->other);
	for (int hook = FW_RB_INPUT; hook < FW_RB_HOOK_COUNT; hook++) {
		ck_assert_msg(one.must[hook] == other.must[hook] &&
				      one.may[hook] == other.may[hook] &&
				      one.rejected[hook] == other.rejected[hook],
			"%s: %s", spelling->rule, spelling->other);
	}
	ck_assert_uint_eq(one.rated_count, other.rated_count);
	for (size_t i = 0; i < one.rated_count; i++) {
		ck_assert_uint_eq(one.rated[i].rate.count, other.rated[i].rate.count);
		ck_assert_uint_eq(one.rated[i].rate.burst, other.rated[i].rate.burst);
		ck_assert(one.rated[i].rate.unit == other.rated[i].rate.unit);
		ck_assert(one.rated[i].rate.per_source == other.rated[i].rate.per_source);
	}
}
END_TEST

/* ---- what is not understood ---- */

struct stranger {
	enum fw_family family;
	const char *rule, *what;
};

static const struct stranger strangers[] = {
	{FW_IPV4, "-A INPUT -s example.org -j ACCEPT", "the address 'example.org'"},
	{FW_IPV4, "-A INPUT -s 010.0.0.1 -j ACCEPT", "the address '010.0.0.1'"},
	{FW_IPV4, "-A INPUT -s 10.0.0.1/255.0.255.0 -j ACCEPT",
		"the address '10.0.0.1/255.0.255.0'"},
	{FW_IPV4, "-A INPUT -s 10.0.0.1/33 -j ACCEPT", "the address '10.0.0.1/33'"},
	{FW_IPV4, "-A INPUT -s 10.0.0.1.2 -j ACCEPT", "the address '10.0.0.1.2'"},
	{FW_IPV4, "-A INPUT -s \"\" -j ACCEPT", "the address ''"},
	{FW_IPV4, "-A INPUT ! -s 10.0.0.1,10.0.0.2 -j ACCEPT",
		"the list of addresses '10.0.0.1,10.0.0.2'"},
	{FW_IPV6, "-A INPUT -s 10.0.0.1 -j ACCEPT", "the address '10.0.0.1'"},
	{FW_IPV6, "-A INPUT -s fe80::1%eth0 -j ACCEPT", "the address 'fe80::1%eth0'"},
	{FW_IPV4, "-A INPUT -p nonsense -j ACCEPT", "the protocol 'nonsense'"},
	{FW_IPV4, "-A INPUT -p 256 -j ACCEPT", "the protocol '256'"},
	{FW_IPV4, "-A INPUT ! -p all -j ACCEPT", "the protocol 'all'"},
	{FW_IPV4, "-A INPUT -i 1234567890123456 -j ACCEPT", "the interface '1234567890123456'"},
	{FW_IPV4, "-A INPUT -p tcp --dport 65536 -j ACCEPT", "the port '65536'"},
	{FW_IPV4, "-A INPUT -p tcp --dport 9:1 -j ACCEPT", "the port '9:1'"},
	{FW_IPV4, "-A INPUT -p tcp --dport 18446744073709551617 -j ACCEPT",
		"the port '18446744073709551617'"},
	{FW_IPV4, "-A INPUT --dport 80 -j ACCEPT", "the option '--dport'"},
	{FW_IPV4, "-A INPUT -m tcp --dport 80 -j ACCEPT",
		"a rule without the protocol of the match 'tcp'"},
	{FW_IPV4, "-A INPUT -m multiport --dports 80 -j ACCEPT",
		"a rule without the protocol of the match 'multiport'"},
	{FW_IPV4, "-A INPUT ! -p tcp -m tcp --dport 80 -j ACCEPT",
		"a rule without the protocol of the match 'tcp'"},
	{FW_IPV4,
		"-A INPUT -p tcp -m multiport --dports 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16 -j "
		"DROP",
		"the port '16'"},
	{FW_IPV4, "-A INPUT -p icmp --icmp-type nonsense -j ACCEPT", "the type 'nonsense'"},
	{FW_IPV4, "-A INPUT -p icmp --icmp-type host -j ACCEPT", "the type 'host'"},
	{FW_IPV4, "-A INPUT -p icmp --icmp-type 8/256 -j ACCEPT", "the type '8/256'"},
	{FW_IPV4, "-A INPUT -p tcp --tcp-option 8 -j ACCEPT", "the option 'tcp-option'"},
	{FW_IPV4, "-A INPUT -p tcp --tcp-flags SYN,XXX SYN -j ACCEPT", "the flags 'SYN'"},
	{FW_IPV4, "-A INPUT -m ttl --ttl-eq 255 -j ACCEPT", "the match 'ttl'"},
	{FW_IPV4, "-A INPUT -m set --match-set x src -j ACCEPT", "the missing set 'x'"},
	{FW_IPV4, "-A INPUT -m conntrack --ctstate SNAT -j ACCEPT", "the state 'SNAT'"},
	{FW_IPV4, "-A INPUT -m conntrack --ctdir REPLY -j ACCEPT", "the option 'ctdir'"},
	{FW_IPV4, "-A INPUT -m conntrack --ctstate RELATED --ctproto 6 -j ACCEPT",
		"the option 'ctproto'"},
	{FW_IPV4, "-A INPUT -m conntrack --ctstate INVALID --ctproto 6 -j ACCEPT",
		"a state without a connection, and more of conntrack"},
	{FW_IPV4, "-A INPUT -m conntrack --ctorigdst 10.0.0.1 -j ACCEPT",
		"the option 'ctorigdst' of what is not translated"},
	{FW_IPV4, "-A INPUT -m conntrack --ctstate DNAT --ctorigdst 10.0.0.1 -j ACCEPT",
		"a verdict by the destination before translation"},
	{FW_IPV4, "-A INPUT -m conntrack --ctorigsrcport 1 -j ACCEPT",
		"the option 'ctorigsrcport'"},
	{FW_IPV4, "-A INPUT -m conntrack --ctexpire 1:2 -j ACCEPT", "the option 'ctexpire'"},
	{FW_IPV4, "-A INPUT -m limit --limit 0/s -j ACCEPT", "the rate '0/s'"},
	{FW_IPV4, "-A INPUT -m limit --limit 5/fortnight -j ACCEPT", "the rate '5/fortnight'"},
	{FW_IPV4, "-A INPUT -m limit --limit 99999999999/s -j ACCEPT", "the rate '99999999999/s'"},
	{FW_IPV4, "-A INPUT -m limit --limit-burst 0 -j ACCEPT", "the burst '0'"},
	{FW_IPV4, "-A INPUT -m limit -m limit -j ACCEPT", "two limits"},
	{FW_IPV4, "-A INPUT -p tcp -m limit --limit 1/s -m tcp --dport 22 -j ACCEPT",
		"a match behind a limit"},
	{FW_IPV4, "-A INPUT -m policy --dir in --pol ipsec --proto esp -j ACCEPT",
		"the match 'policy'"},
	{FW_IPV4, "-A INPUT -m recent --rcheck --name x -j ACCEPT", "the match 'recent'"},
	{FW_IPV4, "-A INPUT -m recent --nonsense -j ACCEPT", "the option '--nonsense'"},
	{FW_IPV6, "-A INPUT -m rt -j ACCEPT", "the match 'rt'"},
	{FW_IPV6, "-A INPUT -m rt ! --rt-type 0 -j ACCEPT", "the match 'rt'"},
	{FW_IPV6, "-A INPUT -m rt --rt-type 0 --rt-segsleft 1: -j ACCEPT", "the match 'rt'"},
	{FW_IPV6, "-A INPUT -m dst -j ACCEPT", "the match 'dst'"},
	{FW_IPV6, "-A INPUT -m hbh -j ACCEPT", "the match 'hbh'"},
	{FW_IPV6, "-A INPUT -m ah -j ACCEPT", "the match 'ah'"},
	{FW_IPV6, "-A INPUT -p esp -m esp -j ACCEPT", "the match 'esp'"},
	{FW_IPV6, "-A INPUT -p mh -m mh -j ACCEPT", "the match 'mh'"},
	{FW_IPV6, "-A INPUT -m eui64 -j ACCEPT", "the match 'eui64'"},
	{FW_IPV6, "-A INPUT -m ipv6header --header dst -j ACCEPT", "the match 'ipv6header'"},
	{FW_IPV6, "-A INPUT -f -j ACCEPT", "the option '-f'"},
	{FW_IPV6, "-A INPUT -s fe80::/010 -j ACCEPT", "the address 'fe80::/010'"},
	{FW_IPV4, "-A INPUT -s 10.20.0.0/016 -j ACCEPT", "the address '10.20.0.0/016'"},
	{FW_IPV4, "-A INPUT -p 017 -j ACCEPT", "the protocol '017'"},
	{FW_IPV4, "-A INPUT -p tcp --dport 05556 -j ACCEPT", "the port '05556'"},
	{FW_IPV4, "-A INPUT -p tcp --dport 1:020 -j ACCEPT", "the port '1:020'"},
	{FW_IPV4, "-A INPUT -p tcp --dport 0x50 -j ACCEPT", "the port '0x50'"},
	{FW_IPV4, "-A INPUT -p tcp -m multiport --dports 993,0495 -j ACCEPT", "the port '0495'"},
	{FW_IPV4, "-A INPUT -p icmp --icmp-type 011 -j ACCEPT", "the type '011'"},
	{FW_IPV4, "-A INPUT -p icmp --icmp-type 8/00 -j ACCEPT", "the type '8/00'"},
	{FW_IPV6, "-A INPUT -p icmpv6 --icmpv6-type 0200 -j ACCEPT", "the type '0200'"},
	{FW_IPV6, "-A INPUT -m hl --hl-eq 0377 -j ACCEPT", "the hop limit '0377'"},
	{FW_IPV4, "-A INPUT -m limit --limit 010/min -j ACCEPT", "the rate '010/min'"},
	{FW_IPV4, "-A INPUT -m limit --limit-burst 010 -j ACCEPT", "the burst '010'"},
	{FW_IPV4,
		"-A INPUT -m hashlimit --hashlimit 1/s --hashlimit-name x --hashlimit-burst 010 -j "
		"ACCEPT",
		"the burst '010'"},
	{FW_IPV4,
		"-A INPUT -m hashlimit --hashlimit 1/s --hashlimit-name x "
		"--hashlimit-htable-expire 020000 -j ACCEPT",
		"the value '020000'"},
	{FW_IPV4, "-A INPUT -j MARK --set-mark 010", "the value '010'"},
	{FW_IPV4, "-I INPUT 01 -j ACCEPT", "the word '01'"},
	{FW_IPV4, "-A INPUT -j TEE --gateway 10.0.0.1", "the target 'TEE'"},
	{FW_IPV4, "-A INPUT -m owner --uid-owner 0 -j ACCEPT",
		"a rule that the kernel does not take where it comes from 'INPUT'"},
	{FW_IPV4, "-A chain -m owner --uid-owner 0 -j LOG\n-A INPUT -j chain",
		"a rule that the kernel does not take where it comes from 'INPUT'"},
	{FW_IPV4,
		"-A INPUT -m hashlimit --hashlimit 1/s --hashlimit-burst 9 --hashlimit-name x -j "
		"ACCEPT",
		"buckets that are forgotten before they are full"},
	{FW_IPV4,
		"-A INPUT -m hashlimit --hashlimit 1/s --hashlimit-burst 9 --hashlimit-name x "
		"--hashlimit-htable-expire 8999 -j ACCEPT",
		"buckets that are forgotten before they are full"},
	{FW_IPV4,
		"-A INPUT -m hashlimit --hashlimit 1/s --hashlimit-burst 1 --hashlimit-name x "
		"--hashlimit-mode srcip --hashlimit-htable-max 16 -j ACCEPT",
		"a table of few buckets"},
	{FW_IPV4,
		"-A INPUT -m hashlimit --hashlimit 1/s --hashlimit-burst 1 --hashlimit-name x "
		"--hashlimit-mode srcip --hashlimit-htable-size 16 -j ACCEPT",
		"a table of few buckets"},
	{FW_IPV4,
		"-A INPUT -p udp -m hashlimit --hashlimit 5/s --hashlimit-name x -j LOG\n"
		"-A INPUT -p tcp -m hashlimit --hashlimit 5/s --hashlimit-name x -j ACCEPT",
		"a rule that uses up the limit of another"},
	{FW_IPV4,
		"-A INPUT -p tcp -m hashlimit --hashlimit 5/s --hashlimit-name x -j ACCEPT\n"
		"-A INPUT -p udp -m hashlimit --hashlimit 5/s --hashlimit-name x -j DROP",
		"a rule that uses up the limit of another"},
	{FW_IPV4,
		"-A INPUT -p tcp -m hashlimit --hashlimit 5/s --hashlimit-name x -j ACCEPT\n"
		"-A INPUT -p udp -m hashlimit --hashlimit 5/s --hashlimit-name x",
		"a rule that uses up the limit of another"},
	{FW_IPV4, "-A INPUT -m length --length 9:1 -j ACCEPT", "the length '9:1'"},
	{FW_IPV4, "-A INPUT -m length --length 28 -j ACCEPT", "the match 'length'"},
	{FW_IPV4, "-A INPUT -m conntrack --ctstatus NONE -j ACCEPT", "the status 'NONE'"},
	{FW_IPV4, "-A INPUT -m addrtype --dst-type UNSPEC -j ACCEPT",
		"the type of address 'UNSPEC'"},
	{FW_IPV4, "-A INPUT -m addrtype --dst-type UNI -j ACCEPT", "the type of address 'UNI'"},
	{FW_IPV6, "-A INPUT -m addrtype --dst-type BROADCAST -j ACCEPT",
		"the type of address 'BROADCAST'"},
	{FW_IPV6, "-A INPUT -m addrtype --dst-type LOCAL,MULTICAST -j ACCEPT",
		"the type of address 'LOCAL,MULTICAST'"},
	{FW_IPV4, "-A INPUT -m addrtype --dst-type LOCAL --limit-iface-in -j ACCEPT",
		"whether an address is an interface's own"},
	{FW_IPV4, "-A INPUT -m addrtype --dst-type BROADCAST -j ACCEPT",
		"packets to all of a network, which pass where others do not"},
	{FW_IPV4, "-A INPUT -m addrtype --src-type LOCAL -j ACCEPT",
		"packets with a source of this host, which pass where others do not"},
	{FW_IPV4,
		"-A INPUT -p tcp -m hashlimit --hashlimit 1/s --hashlimit-mode srcip,dstport "
		"--hashlimit-name x -j ACCEPT",
		"a limit for each port"},
	{FW_IPV4,
		"-A INPUT -m hashlimit --hashlimit 6/s --hashlimit-name x -j ACCEPT\n"
		"-A INPUT -p tcp -m hashlimit --hashlimit 7/s --hashlimit-name x -j ACCEPT",
		"two rates for one table of hashlimit"},
	{FW_IPV4, "-A INPUT -j NFQUEUE --queue-num 1", "the target 'NFQUEUE'"},
	{FW_IPV4, "-A INPUT -j NOTRACK", "outside of its table: the target 'NOTRACK'"},
	{FW_IPV4, "-A INPUT -j missing", "the target 'missing'"},
	{FW_IPV4, "-A INPUT -j INPUT", "the target 'INPUT'"},
	{FW_IPV4, "-A INPUT -g ACCEPT", "the target 'ACCEPT'"},
	{FW_IPV4, "-A INPUT -j REJECT --reject-with nonsense", "the reason 'nonsense'"},
	{FW_IPV4, "-A INPUT -j ACCEPT -j DROP", "more than one target"},
	{FW_IPV4, "-A INPUT -j ACCEPT !", "a negation of nothing"},
	{FW_IPV4, "-A INPUT -j", "an option without its value"},
	{FW_IPV4, "-A INPUT -p tcp --tcp-flags SYN", "an option without its value"},
	{FW_IPV4, "-A INPUT -p tcp --syn=1 -j ACCEPT", "the value '1'"},
	{FW_IPV4, "-A INPUT nonsense -j ACCEPT", "the word 'nonsense'"},
	{FW_IPV4, "-A INPUT - -j ACCEPT", "the word '-'"},
	{FW_IPV4, "-A INPUT -- -j ACCEPT", "the option '--'"},
	{FW_IPV4, "-A INPUT -t nat -j ACCEPT", "the option '-t'"},
	{FW_IPV4, "-A INPUT --no-such -j ACCEPT", "the option '--no-such'"},
	{FW_IPV4, "-A INPUT -j DNAT --to-destination 10.0.0.1",
		"outside of its table: the target 'DNAT'"},
	{FW_IPV4, "-D INPUT 1", "the line '-D'"},
	{FW_IPV4, "-A", "the line '-A'"},
	{FW_IPV4, "-I INPUT 2 -j ACCEPT", "an insertion between rules"},
	{FW_IPV4, "-P INPUT QUEUE", "the policy 'QUEUE'"},
	{FW_IPV4, "-N chain", "a second declaration of the chain 'chain'"},
	{FW_IPV4, ":x", "the line ':x'"},
	{FW_IPV4, "[1:2]", "the line '[1:2]'"},
	{FW_IPV4, "*nonsense", "a table in a table"},
	{FW_IPV4, "COMMIT\r", "the line 'COMMIT\\r'"},
	{FW_IPV4, "-A INPUT -m comment --comment \"open -j ACCEPT", "a quote that does not end"},
	{FW_IPV4, "-A INPUT -m comment --comment \"open\\", "a quote that does not end"},
	{FW_IPV4, "-A nowhere -j ACCEPT", "the missing chain 'nowhere'"},
	{FW_IPV4, "-A INPUT -j chain\n-A chain -j chain",
		"chains that call each other in a circle"},
	{FW_IPV6, "-A INPUT -m hl --hl-eq 256 -j ACCEPT", "the hop limit '256'"},
};

START_TEST(says_what_it_does_not_understand) {
	const struct stranger *stranger = &strangers[_i];
	struct fw_readback readback = read_rule(stranger->family, stranger->rule);

	ck_assert_msg(readback.unknown_count != 0, "%s", stranger->rule);
	ck_assert_str_eq(readback.unknowns[0].what, stranger->what);
	ck_assert(strncmp(readback.unknowns[0].place.text, "text:", 5) == 0);
}
END_TEST

START_TEST(what_does_not_decide_is_not_unknown) {
	static const char *const rules[] = {
		"-A INPUT -m string --string x --algo bm -j LOG",
		"-A OUTPUT -m owner --uid-owner 0 -j MARK --set-mark 1",
		"-A INPUT -m hashlimit --hashlimit 1/s --hashlimit-burst 9 --hashlimit-name x "
		"--hashlimit-mode srcip --hashlimit-htable-max 65535 --hashlimit-htable-expire "
		"9000 -j ACCEPT",
		("-A INPUT -m hashlimit --hashlimit 5/s --hashlimit-name x -j LOG\n"
		 "-A INPUT -m hashlimit --hashlimit 5/s --hashlimit-name x -j MARK --set-mark 0x1"),
		"-A INPUT -m recent --set --name x",
		":alone - [0:0]\n-A alone -m string --string x --algo bm -j DROP",
		"-A INPUT -p tcp -j DROP\n-A INPUT -p tcp -m string --string x --algo bm -j ACCEPT",
		"-A other -o eth0 -m string --string x --algo bm -j ACCEPT\n-A INPUT -j other",
		"-A INPUT -m string --string x --algo bm -j DROP",
		"-A INPUT -m string --string x --algo bm -j chain\n-A INPUT -p tcp -j ACCEPT",
		"-A INPUT -m mark --mark 1 -j other",
		"-A INPUT -m set --match-set missing src -j DROP",
		"-A OUTPUT -m owner --uid-owner 0 -j ACCEPT",
		"-A INPUT -m conntrack --ctstate NEW --ctdir REPLY -j ACCEPT",
	};

	for (size_t i = 0; i < FW_LENGTH(rules); i++) {
		struct fw_readback readback = read_rule(FW_IPV4, rules[i]);
		expect_known(&readback, rules[i]);
	}
}
END_TEST

/* ---- what iptables-restore refuses ---- */

/* Rules, but for the chain, that make a text useless wherever they stand. */
static const char *const refused[] = {
	"--nonsense -j DROP",
	"-j DROP --nonsense",
	"-m nonsense -j DROP",
	"-m recent --set --nonsense -j DROP",
	"-m string --algo bm --string x --nonsense -j DROP",
	"-m string --string x -j DROP",
	"-m statistic --mode random -j DROP",
	"-m mark --mark 0xg -j DROP",
	"-m conntrack -j DROP",
	"-m conntrack --ctstate NONSENSE -j DROP",
	"-m conntrack --ctstate NEW --ctstate INVALID -j DROP",
	"-m limit --limit 0/s -j DROP",
	"-m hashlimit --hashlimit-name x --hashlimit 1/s --hashlimit-mode odd -j DROP",
	"-m addrtype --dst-type NONSENSE -j DROP",
	"-p tcp -m multiport -j DROP",
	"-p tcp --dport 65536 -j DROP",
	"-p tcp --dport 22 --dport 23 -j DROP",
	"-s 10.0.0.1 -s 10.0.0.2 -j DROP",
	"-p nonsense -j DROP",
	"-j NONSENSE",
	"-j NONSENSE --odd 1",
	"-j LOG --log-level nonsense",
	"-j LOG --log-prefix x --log-prefix y",
	"-j MARK",
	"-j MARK --set-mark x",
	"-j NFQUEUE --nonsense",
	"-j DNAT --to-destination 10.0.0.1",
	"-j CT --notrack",
	"-j TEE --gateway nonsense",
	"-j REJECT --reject-with nonsense",
	"-4 --nonsense",
};

START_TEST(what_is_refused_is_unknown_wherever_it_stands) {
	const char *rule = fw_arena_printf(&arena, "-A other %s", refused[_i]);
	struct fw_readback apart = read_rule(FW_IPV4, rule);
	struct fw_readback behind = read_rule(
		FW_IPV4, fw_arena_printf(&arena, "-A INPUT -j ACCEPT\n-A INPUT %s", refused[_i]));

	ck_assert_msg(apart.unknown_count == 1, "%s", refused[_i]);
	ck_assert_str_eq(apart.unknowns[0].place.text, "text:5");
	ck_assert(apart.unknowns[0].hook == FW_RB_NONE);
	ck_assert_msg(behind.unknown_count == 1, "%s", refused[_i]);
	ck_assert_str_eq(behind.unknowns[0].place.text, "text:6");
}
END_TEST

/* Rules of the other family are none of this one's, from where that is said. */
START_TEST(what_is_well_formed_counts_where_it_matters) {
	static const char *const rules[] = {
		"-m string --algo bm --string x -j DROP",
		"-m mark --mark 0x1/0xff -j DROP",
		"-m conntrack --ctorigsrc 10.0.0.1 -j DROP",
		"-m addrtype --dst-type ANYCAST -j DROP",
		"-m set --match-set missing src -j DROP",
		"-j NFQUEUE --queue-num 1 --queue-bypass",
		"-6 --nonsense",
	};

	for (size_t i = 0; i < FW_LENGTH(rules); i++) {
		struct fw_readback apart =
			read_rule(FW_IPV4, fw_arena_printf(&arena, "-A other %s", rules[i]));
		struct fw_readback behind = read_rule(FW_IPV4,
			fw_arena_printf(&arena, "-A INPUT -j ACCEPT\n-A INPUT %s", rules[i]));
		expect_known(&apart, rules[i]);
		expect_known(&behind, rules[i]);
	}
}
END_TEST

/* Somebody knew what runs: of modules that are new here, it is told where they matter. */
START_TEST(what_runs_may_be_newer) {
	static const struct {
		const char *rule, *what;
	} rules[] = {
		{"-m nonsense --odd 1 ! --set x -j ACCEPT", "the match 'nonsense'"},
		{"-m recent --nonsense -j ACCEPT", "the option '--nonsense'"},
		{"-m string --algo bm --string x --nonsense 1 -j ACCEPT",
			"the option '--nonsense'"},
		{"-j NONSENSE --odd 1", "the target 'NONSENSE'"},
		{"-j REJECT --nonsense 1", "the option '--nonsense'"},
	};
	static const char *const broken[] = {"--nonsense -j DROP", "-p tcp --dport 65536 -j DROP"};

	for (size_t i = 0; i < FW_LENGTH(rules); i++) {
		const char *text = fw_arena_printf(&arena,
			"*filter\n:INPUT DROP [0:0]\n:other - [0:0]\n-A INPUT %s\nCOMMIT\n",
			rules[i].rule);
		const char *apart = fw_arena_printf(&arena,
			"*filter\n:INPUT DROP [0:0]\n:other - [0:0]\n-A other %s\nCOMMIT\n",
			rules[i].rule);
		struct fw_readback met = read_slice(FW_IPV4, false, fw_slice(text), NULL);
		struct fw_readback idle = read_slice(FW_IPV4, false, fw_slice(apart), NULL);
		ck_assert_uint_eq(met.unknown_count, 1);
		ck_assert_str_eq(met.unknowns[0].what, rules[i].what);
		expect_known(&idle, rules[i].rule);
	}
	for (size_t i = 0; i < FW_LENGTH(broken); i++) {
		const char *text = fw_arena_printf(
			&arena, "*filter\n:other - [0:0]\n-A other %s\nCOMMIT\n", broken[i]);
		struct fw_readback readback = read_slice(FW_IPV4, false, fw_slice(text), NULL);
		ck_assert_uint_eq(readback.unknown_count, 1);
	}
}
END_TEST

START_TEST(lines_that_are_refused_are_unknown) {
	static const char *const lines[] = {" ", "\t", " # x", " COMMIT\n*nat", "COMMIT \n*nat",
		"COMMIT now\n*nat", " :x - [0:0]", " *nat", "nonsense", "[x] -A INPUT -j DROP",
		"[1:2 -A INPUT -j DROP", "[1:2]", "-A INPUT -j later\n:later - [0:0]",
		"-A later -j DROP\n:later - [0:0]", "-F nowhere", "-Z nowhere", "-X nowhere",
		"-X chain", "-A INPUT -o eth0 -j DROP", "-A OUTPUT -i eth0 -j DROP",
		"-P chain ACCEPT", "-A \"\" -j DROP"};

	for (size_t i = 0; i < FW_LENGTH(lines); i++) {
		struct fw_readback readback = read_text(FW_IPV4,
			fw_arena_printf(&arena,
				"*filter\n:INPUT DROP [0:0]\n:chain - [0:0]\n-A chain -j DROP\n%s\n"
				"COMMIT\n",
				lines[i]));
		ck_assert_msg(readback.unknown_count != 0, "%s", lines[i]);
	}
}
END_TEST

/* ---- texts ---- */

START_TEST(tables_must_end_and_be_there_once) {
	static const struct {
		const char *text, *what;
	} texts[] = {
		{"*filter\n:INPUT DROP [0:0]\n", "a table without COMMIT"},
		{"*filter\nCOMMIT\n*filter\nCOMMIT\n", "a second table 'filter'"},
		{"*broute\nCOMMIT\n", "the table 'broute'"},
		{"-A INPUT -j DROP\n", "a line in no table: '-A'"},
		{"COMMIT\n", "a COMMIT of no table"},
		{"*filter\n\"\" x\nCOMMIT\n", "the line ''"},
	};

	for (size_t i = 0; i < FW_LENGTH(texts); i++) {
		struct fw_readback readback = read_text(FW_IPV4, texts[i].text);
		ck_assert_uint_ge(readback.unknown_count, 1);
		ck_assert_str_eq(readback.unknowns[0].what, texts[i].what);
	}
	struct fw_readback nothing = read_text(FW_IPV4, "");
	expect_known(&nothing, "an empty text");
	ck_assert(nothing.must[FW_RB_INPUT] == nothing.may[FW_RB_INPUT]);
	struct fw_readback nul = read_slice(FW_IPV4, false,
		FW_SLICE("*filter\n-A INPUT -s 10.0.0.1\0 -j DROP\nCOMMIT\n"), NULL);
	ck_assert_uint_eq(nul.unknown_count, 1);
	ck_assert_str_eq(nul.unknowns[0].what, "a NUL");
}
END_TEST

START_TEST(own_chains_are_called_where_that_is_asked_for) {
	static const char text[] =
		"*filter\n:FLOWFW-INPUT - [0:0]\n-A FLOWFW-INPUT -j DROP\nCOMMIT\n";
	static const char with_input[] = "*filter\n:INPUT ACCEPT [0:0]\n:FLOWFW-INPUT - [0:0]\n-A "
					 "FLOWFW-INPUT -j DROP\nCOMMIT\n";
	struct fw_readback alone = read_slice(FW_IPV4, false, fw_slice(text), NULL);
	struct fw_readback called = read_slice(FW_IPV4, true, fw_slice(text), NULL);
	struct fw_readback declared = read_slice(FW_IPV4, true, fw_slice(with_input), NULL);

	ck_assert(alone.must[FW_RB_INPUT] == declared.must[FW_RB_INPUT]);
	ck_assert(alone.must[FW_RB_INPUT] != called.must[FW_RB_INPUT]);
	ck_assert_uint_eq(called.remark_count, 1);
	ck_assert_uint_eq(alone.remark_count + declared.remark_count, 0);
}
END_TEST

START_TEST(sets_that_are_odd_are_unknown) {
	static const char rules[] = "*filter\n:INPUT DROP [0:0]\n"
				    "-A INPUT -m set --match-set x src -j ACCEPT\nCOMMIT\n";
	static const struct {
		const char *sets, *what;
	} cases[] = {
		{"create x hash:mac\n", "the type of set 'hash:mac'"},
		{"create x hash:net,iface\n", "the type of set 'hash:net,iface'"},
		{"create x hash:ip,mark\n", "the type of set 'hash:ip,mark'"},
		{"create x hash\n", "the type of set 'hash'"},
		{"create x hash:ip odd 1\n", "the option 'odd'"},
		{"create x hash:ip netmask 33\n", "the option 'netmask'"},
		{"create x hash:ip\nadd x 10.0.0.256\n", "the member '10.0.0.256'"},
		{"create x hash:ip\nadd x 10.0.0.1,tcp:9\n", "the member '10.0.0.1,tcp:9'"},
		{"create x hash:ip,port\nadd x 10.0.0.1\n", "the member '10.0.0.1'"},
		{"create x hash:ip,port\nadd x 10.0.0.1,xyz:9\n", "the member '10.0.0.1,xyz:9'"},
		{"create x hash:ip\nadd x 10.0.0.1 odd\n", "the option 'odd'"},
		{"create x hash:ip\nadd x 10.0.0.1 timeout\n", "the option 'timeout'"},
		{"create x list:set\nadd x y\n", "a list of sets with a set that is missing"},
		{"create x list:set\nadd x x\n", "a list of sets with a set that is missing"},
		{"create x hash:net,net\nadd x 10.0.0.0/8,10.0.0.0/8 nomatch\n",
			"a member that is excluded"},
		{"add y 10.0.0.1\ncreate x hash:ip\n", "a member of the set 'y'"},
		{"create x hash:ip\nodd x\n", "the command 'odd'"},
		{"create x hash:ip\nswap x y\n", "the command 'swap'"},
		{"create x hash:ip\nadd x \"10.0.0.1\n", "the line 'add x \"10.0.0.1'"},
		{"create\n", "the command 'create'"},
		{"create x hash:net\nadd x 10.20.0.0/016\n", "the member '10.20.0.0/016'"},
		{"create x hash:net,port\nadd x 10.0.0.0/8,tcp:08554\n",
			"the member '10.0.0.0/8,tcp:08554'"},
		{"create x hash:net,port\nadd x 10.0.0.0/8,017:5\n",
			"the member '10.0.0.0/8,017:5'"},
		{"create x hash:ip maxelem 010\n", "the option 'maxelem'"},
		{"create x hash:ip netmask 030\n", "the option 'netmask'"},
		{"create x hash:ip timeout 010\n", "the option 'timeout'"},
		{"create x hash:ip timeout 1\nadd x 10.0.0.1 timeout 010\n",
			"the option 'timeout'"},
		{"create x hash:ip timeout 9\nadd x 10.0.0.1\n",
			"members that go away by themselves, of the set 'x'"},
		{"create x hash:ip timeout 0\nadd x 10.0.0.1 timeout 9\n",
			"members that go away by themselves, of the set 'x'"},
		{"create y hash:ip timeout 9\nadd y 10.0.0.1\ncreate x list:set\nadd x y\n",
			"members that go away by themselves, of the set 'y'"},
		{"create x hash:ip\nadd x 10.0.0.1 timeout 9\n",
			"for a set without it, the option 'timeout'"},
		{"create x hash:ip maxelem 1\nadd x 10.0.0.1\nadd x 10.0.0.2\n",
			"more members than its 'maxelem' for the set 'x'"},
		{"create x hash:ip\nadd x 10.0.0.0/15\n",
			"more members than its 'maxelem' for the set 'x'"},
		{"create x hash:ip\ncreate y hash:ip family inet6\nswap x y\n",
			"a swap of sets of two kinds: 'x'"},
		{"create x hash:ip\ncreate y hash:net\nswap x y\n",
			"a swap of sets of two kinds: 'x'"},
	};

	for (size_t i = 0; i < FW_LENGTH(cases); i++) {
		struct fw_readback readback =
			read_slice(FW_IPV4, true, fw_slice(rules), cases[i].sets);
		ck_assert_msg(readback.unknown_count != 0, "%s", cases[i].sets);
		ck_assert_str_eq(readback.unknowns[0].what, cases[i].what);
	}
}
END_TEST

START_TEST(sets_say_what_rules_say) {
	static const struct {
		const char *sets, *match, *rule;
	} cases[] = {
		{"create x hash:ip\nadd x 10.0.0.0/31\nadd x 10.0.0.2-10.0.0.3\n", "x src",
			"-s 10.0.0.0/30"},
		{"create x hash:net -exist\nadd x 9.0.0.0/8\nflush x\nadd x 10.0.0.0/8 -exist\n",
			"x dst", "-d 10.0.0.0/8"},
		{"create y hash:net\nadd y 10.0.0.0/8\nrename y x\n", "x dst", "-d 10.0.0.0/8"},
		{"create y hash:net\nadd y 10.0.0.0/8\ncreate x hash:net\nswap x y\ndestroy y\n",
			"x dst", "-d 10.0.0.0/8"},
		{"create x hash:ip netmask 24\nadd x 10.0.0.0\n", "x src", "-s 10.0.0.0/24"},
		{"create x bitmap:ip range 10.0.0.0-10.0.0.255\nadd x 10.0.0.4\n", "x src",
			"-s 10.0.0.4"},
		{"create x hash:ip,port\nadd x 10.0.0.1,80\n", "x src,src",
			"-s 10.0.0.1 -p tcp --sport 80"},
		{"create x hash:ip,port\nadd x 10.0.0.1,udp:5-9\n", "x src,dst",
			"-s 10.0.0.1 -p udp --dport 5:9"},
		{"create x hash:net,port\nadd x 10.0.0.0/8,icmp:3/1\n", "x src,dst",
			"-s 10.0.0.0/8 -p icmp --icmp-type 3/1"},
		{"create x hash:ip,port\nadd x 10.0.0.1,gre:0\n", "x src,dst",
			"-s 10.0.0.1 -p gre"},
		{"create x hash:net,net\nadd x 10.0.0.0/8,11.0.0.0/8\n", "x src,dst",
			"-s 10.0.0.0/8 -d 11.0.0.0/8"},
		{"create x hash:ip,port,net\nadd x 10.0.0.1,tcp:9,11.0.0.0/8\n", "x src,dst,dst",
			"-s 10.0.0.1 -d 11.0.0.0/8 -p tcp --dport 9"},
		{"create x hash:ip,port\nadd x 10.0.0.1,tcp:9\n", "x src", "! -i +"},
		{"create x hash:ip family inet6\nadd x 2001:db8::1\n", "x src", "! -i +"},
		{"create x hash:ip\n", "x src", "! -i +"},
		{"create x hash:net\nadd x 10.0.0.0/8\nadd x 10.1.0.0/16 nomatch\n", "x src",
			"-s 10.0.0.0/8 -m iprange ! --src-range 10.1.0.0-10.1.255.255"},
	};

	for (size_t i = 0; i < FW_LENGTH(cases); i++) {
		const char *text = fw_arena_printf(&arena,
			"*filter\n:INPUT DROP [0:0]\n-A INPUT -m set --match-set %s -j ACCEPT\n"
			"COMMIT\n",
			cases[i].match);
		struct fw_readback by_set =
			read_slice(FW_IPV4, false, fw_slice(text), cases[i].sets);
		struct fw_readback by_rule = read_rule(
			FW_IPV4, fw_arena_printf(&arena, "-A INPUT %s -j ACCEPT", cases[i].rule));
		expect_known(&by_set, cases[i].sets);
		ck_assert_msg(
			by_set.must[FW_RB_INPUT] == by_rule.must[FW_RB_INPUT], "%s", cases[i].sets);
	}
}
END_TEST

/* ---- odd ones ---- */

/* A name of hashlimit is no chain's, whatever it looks like. */
START_TEST(names_of_tables_are_no_chains) {
	struct fw_readback readback = read_rule(FW_IPV4,
		"-A INPUT -m hashlimit --hashlimit 6/s --hashlimit-name \"filter nowhere\" -j "
		"DROP\n"
		"-A INPUT -m hashlimit --hashlimit 7/s --hashlimit-name \"filled x\" -j DROP\n"
		"-A nowhere -j ACCEPT\n-A INPUT -j SET --add-set x src");
	ck_assert_uint_eq(readback.unknown_count, 1);
	ck_assert_str_eq(readback.unknowns[0].what, "the missing chain 'nowhere'");
}
END_TEST

/* Packets to some address of the host, or one of its networks. */
START_TEST(what_is_said_of_broadcasts_is_compared) {
	struct fw_readback less = read_rule(
		FW_IPV4, "-A INPUT -m addrtype --dst-type BROADCAST -j DROP\n-A INPUT -j ACCEPT");
	struct fw_readback odd = read_rule(FW_IPV4,
		"-A INPUT -m addrtype --dst-type BROADCAST -m string --string x --algo bm -j "
		"ACCEPT\n-A INPUT -d 255.255.255.255 -j ACCEPT");

	expect_known(&less, "a drop of broadcasts");
	ck_assert_uint_eq(less.remark_count, 1);
	ck_assert_str_eq(less.remarks[0],
		"text:5: packets to all of a network pass less than those to one address");
	ck_assert_uint_eq(odd.unknown_count, 1);
	ck_assert_str_eq(odd.unknowns[0].what, "the match 'string'");
}
END_TEST

/* A text with some bytes changed, cut out or put twice. */
static void spoil(struct fw_buf *text) {
	static const char odd[] = "\"\\!:*-/,[]\n\r\t\0 0@9+=";

	for (size_t i = 0; i < 1 + model_random(6) && text->length > 1; i++) {
		size_t at = model_random(text->length);
		if (model_random(3) == 0) {
			size_t cut = model_random(text->length - at) % 40;
			memmove(text->data + at, text->data + at + cut, text->length - at - cut);
			text->length -= cut;
		} else {
			text->data[at] = odd[model_random(sizeof(odd))];
		}
	}
}

START_TEST(spoilt_texts_do_no_harm) {
	struct fw_buf text FW_AUTO(fw_buf_fini) = {0};
	struct fw_buf sets FW_AUTO(fw_buf_fini) = {0};

	model_seed(_i);
	fw_buf_add_text(&text, "*nat\n:PREROUTING ACCEPT [0:0]\n");
	fw_buf_add_text(
		&text, "-A PREROUTING -p tcp --dport 80 -j DNAT --to-destination 10.0.0.1:8\n");
	fw_buf_add_text(&text, "COMMIT\n*filter\n:INPUT DROP [0:0]\n:chain - [0:0]\n");
	for (size_t i = 0; i < 20; i++) {
		const struct spelling *one = &spellings[model_random(FW_LENGTH(spellings))];
		fw_buf_printf(&text, "%s\n", model_random(2) == 0 ? one->rule : one->other);
		const struct stranger *other = &strangers[model_random(FW_LENGTH(strangers))];
		fw_buf_printf(&text, "%s\n", other->rule);
	}
	fw_buf_add_text(&text, "-A INPUT -m set --match-set x src,dst -j ACCEPT\nCOMMIT\n");
	fw_buf_add_text(&sets, "create x hash:ip,port family inet\nadd x 10.0.0.1,tcp:80\n"
			       "create y list:set\nadd y x\nswap x y\nadd x 10.0.0.0/8,udp:1-9\n");
	spoil(&text);
	spoil(&sets);
	fw_buf_add_char(&sets, '\0');
	read_slice(_i % 2 == 0 ? FW_IPV4 : FW_IPV6, _i % 3 == 0, fw_buf_slice(&text), sets.data);
}
END_TEST

int main(void) {
	Suite *suite = suite_create("readback: iptables");
	TCase *words = tcase_create("words");

	tcase_add_checked_fixture(words, set_up, tear_down);
	tcase_set_timeout(words, 60);
	tcase_add_loop_test(words, reads_all_spellings, 0, FW_LENGTH(spellings));
	tcase_add_loop_test(words, says_what_it_does_not_understand, 0, FW_LENGTH(strangers));
	tcase_add_test(words, what_does_not_decide_is_not_unknown);
	tcase_add_loop_test(
		words, what_is_refused_is_unknown_wherever_it_stands, 0, FW_LENGTH(refused));
	tcase_add_test(words, what_is_well_formed_counts_where_it_matters);
	tcase_add_test(words, what_runs_may_be_newer);
	tcase_add_test(words, lines_that_are_refused_are_unknown);
	tcase_add_test(words, tables_must_end_and_be_there_once);
	tcase_add_test(words, own_chains_are_called_where_that_is_asked_for);
	tcase_add_test(words, sets_that_are_odd_are_unknown);
	tcase_add_test(words, sets_say_what_rules_say);
	tcase_add_test(words, names_of_tables_are_no_chains);
	tcase_add_test(words, what_is_said_of_broadcasts_is_compared);
	tcase_add_loop_test(words, spoilt_texts_do_no_harm, 0, 200);
	suite_add_tcase(suite, words);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
