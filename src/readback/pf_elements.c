// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What rules of a pf.conf are made of: addresses, ports, interfaces, protocols, types of ICMP, TCP
 * flags and where translations lead to, and lists of them.
 */

#include "readback/pf.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static void *keep(struct fw_pfr_parser *parser, const void *items, size_t count, size_t size) {
	void *copy = fw_arena_array(parser->arena, count, size);

	if (count != 0) {
		memcpy(copy, items, count * size);
	}
	return copy;
}
#define KEEP(parser, vec) keep((parser), (vec)->items, (vec)->count, sizeof(*(vec)->items))

/* ---- addresses ---- */

/* The network of an address; bits behind its length do not matter to pf. */
static struct fw_range network(enum fw_family family, struct fw_addr address, unsigned length) {
	unsigned bits = (family == FW_IPV4 ? 32 : 128) - length;
	struct fw_addr mask = {0, 0};

	if (bits >= 64) {
		mask.low = UINT64_MAX;
		mask.high = bits == 128 ? UINT64_MAX : ((uint64_t)1 << (bits - 64)) - 1;
	} else {
		mask.low = ((uint64_t)1 << bits) - 1;
	}
	return (struct fw_range){{address.high & ~mask.high, address.low & ~mask.low},
		{address.high | mask.high, address.low | mask.low}, family};
}

/* One address as numbers; with `short_form`, 10.1 too, as networks are written. */
static bool single(struct fw_slice text, bool short_form, struct fw_range *out_range) {
	char full[sizeof("255.255.255.255")];
	size_t dots = 0;

	for (size_t i = 0; i < text.length; i++) {
		dots += text.data[i] == '.';
		if (short_form && text.data[i] != '.' &&
			(text.data[i] < '0' || text.data[i] > '9')) {
			short_form = false;
		}
	}
	if (short_form && dots < 3 && text.length + 2 * (3 - dots) < sizeof(full)) {
		memcpy(full, text.data, text.length);
		for (; dots < 3; dots++) {
			memcpy(full + text.length, ".0", 2);
			text.length += 2;
		}
		text.data = full;
	}
	return memchr(text.data, '-', text.length) == NULL &&
	       fw_range_parse(text, out_range) == FW_NET_NONE && fw_range_is_single(out_range);
}

static void add(struct fw_pfr_addresses *out, struct fw_pfr_address address) {
	FW_VEC_ADD(&out->list, address);
}

static bool add_opaque(struct fw_pfr_parser *parser, struct fw_pfr_addresses *out, bool negated,
	enum fw_pfr_address_kind kind, struct fw_slice text) {
	add(out, (struct fw_pfr_address){.kind = kind,
			 .negated = negated,
			 .text = fw_arena_printf(
				 parser->arena, "%.*s", (int)text.length, text.data)});
	return true;
}

/* lo0 has the addresses that RFC 5735 and RFC 4291 give to this host alone. */
static bool add_loopback(struct fw_pfr_addresses *out, bool network_too) {
	struct fw_addr v4 = {0, (uint64_t)127 << 24 | 1}, v6 = {0, 1};

	add(out, (struct fw_pfr_address){.kind = FW_PFR_RANGE,
			 .range = network(FW_IPV4, v4, network_too ? 8 : 32)});
	add(out, (struct fw_pfr_address){.kind = FW_PFR_RANGE, .range = network(FW_IPV6, v6, 128)});
	return true;
}

/*
 * An interface's name, or `self`, perhaps with modifiers. In parentheses it stands for what is true
 * when a packet comes, else for what was true when the rules were loaded, as a list.
 */
static bool add_named(struct fw_pfr_parser *parser, struct fw_pfr_addresses *out, bool negated,
	struct fw_slice text, bool dynamic) {
	if (fw_slice_is(text, "self") && (dynamic || !negated)) {
		add(out, (struct fw_pfr_address){.kind = FW_PFR_SELF, .negated = negated});
		return true;
	}
	if (fw_slice_is(text, "self:broadcast") && (dynamic || !negated)) {
		add(out, (struct fw_pfr_address){.kind = FW_PFR_BROADCAST, .negated = negated});
		return true;
	}
	if (!negated && (fw_slice_is(text, "lo0") || fw_slice_is(text, "lo0:network"))) {
		return add_loopback(out, fw_slice_is(text, "lo0:network"));
	}
	struct fw_slice rest = text, name = fw_slice_cut(&rest, ':');
	bool own = dynamic && name.length != 0 && (rest.data == NULL || fw_slice_is(rest, "0"));
	return add_opaque(parser, out, negated, own ? FW_PFR_OWN : FW_PFR_OPAQUE, text);
}

static bool dynamic_address(
	struct fw_pfr_parser *parser, struct fw_pfr_addresses *out, bool negated) {
	struct fw_slice name;

	if (!fw_pfr_text(parser, "interface", &name) || !fw_pfr_expect(parser, ")")) {
		return false;
	}
	if (fw_pfr_accept(parser, "/")) {
		uint64_t length;
		return fw_pfr_number(parser, "prefix length", 128, &length) &&
		       add_opaque(parser, out, negated, FW_PFR_OPAQUE, name);
	}
	return add_named(parser, out, negated, name, true);
}

static bool range_of(
	struct fw_pfr_parser *parser, const struct fw_range *first, struct fw_range *out_range) {
	struct fw_slice text;
	struct fw_range last;

	if (!fw_pfr_text(parser, "end of a range", &text)) {
		return false;
	}
	if (!single(text, false, &last) || last.family != first->family ||
		fw_addr_compare(first->first, last.first) > 0) {
		return fw_pfr_fail(parser, "a range of addresses that is none");
	}
	*out_range = (struct fw_range){first->first, last.last, first->family};
	return true;
}

static bool written_address(
	struct fw_pfr_parser *parser, struct fw_pfr_addresses *out, bool negated) {
	struct fw_pfr_address address = {.kind = FW_PFR_RANGE, .negated = negated};
	struct fw_slice text;
	uint64_t length;

	if (!fw_pfr_text(parser, "address", &text)) {
		return false;
	}
	bool prefix = fw_pfr_accept(parser, "/");
	if (!single(text, prefix, &address.range)) {
		if (prefix && !fw_pfr_number(parser, "prefix length", 128, &length)) {
			return false;
		}
		return prefix ? add_opaque(parser, out, negated, FW_PFR_OPAQUE, text)
			      : add_named(parser, out, negated, text, false);
	}
	if (prefix) {
		unsigned most = address.range.family == FW_IPV4 ? 32 : 128;
		if (!fw_pfr_number(parser, "prefix length", most, &length)) {
			return false;
		}
		address.range =
			network(address.range.family, address.range.first, (unsigned)length);
	} else if (fw_pfr_accept(parser, "-") &&
		   !range_of(parser, &address.range, &address.range)) {
		return false;
	}
	add(out, address);
	return !parser->failed;
}

bool fw_pfr_address(struct fw_pfr_parser *parser, struct fw_pfr_addresses *out) {
	bool negated = fw_pfr_accept(parser, "!");

	if (fw_pfr_at(parser, "no-route") || fw_pfr_at(parser, "urpf-failed") ||
		fw_pfr_at(parser, "route")) {
		return fw_pfr_fail_at(parser, "addresses by their route");
	}
	if (fw_pfr_at(parser, "<")) {
		struct fw_slice name;
		if (!fw_pfr_table_name(parser, &name)) {
			return false;
		}
		add(out, (struct fw_pfr_address){.kind = FW_PFR_TABLE,
				 .negated = negated,
				 .table = fw_pfr_table_number(parser, name)});
		return true;
	}
	if (fw_pfr_accept(parser, "(")) {
		return dynamic_address(parser, out, negated);
	}
	return written_address(parser, out, negated);
}

/* ---- ports ---- */

struct ports {
	FW_VEC(struct fw_ports) list;
	bool odd; /* some are by operators */
};

static void ports_fini(struct ports *ports) {
	FW_VEC_FINI(&ports->list);
}

static void add_ports(struct ports *ports, int64_t low, int64_t high) {
	if (low <= high) {
		FW_VEC_ADD(&ports->list, (struct fw_ports){(uint16_t)low, (uint16_t)high});
	}
}

bool fw_pfr_port_number(struct fw_pfr_parser *parser, struct fw_slice text, uint16_t *out_port) {
	uint64_t value;

	if (fw_slice_to_uint(text, UINT16_MAX, &value)) {
		*out_port = (uint16_t)value;
		return true;
	}
	if (fw_pfr_service(text, out_port)) {
		return true;
	}
	return fw_pfr_fail(parser, "a port by a name that is not known here");
}

/* `port != 22`, `port 1024 >< 2048`, `port 6000:6010`. */
static void add_by_operator(struct ports *ports, struct fw_slice op, int64_t low, int64_t high) {
	if (fw_slice_is(op, "=")) {
		add_ports(ports, low, low);
	} else if (fw_slice_is(op, "!=")) {
		add_ports(ports, 0, low - 1);
		add_ports(ports, low + 1, UINT16_MAX);
	} else if (fw_slice_is(op, "<")) {
		add_ports(ports, 0, low - 1);
	} else if (fw_slice_is(op, "<=")) {
		add_ports(ports, 0, low);
	} else if (fw_slice_is(op, ">")) {
		add_ports(ports, low + 1, UINT16_MAX);
	} else if (fw_slice_is(op, ">=")) {
		add_ports(ports, low, UINT16_MAX);
	} else if (fw_slice_is(op, "><")) {
		add_ports(ports, low + 1, high - 1);
	} else if (fw_slice_is(op, "<>")) {
		add_ports(ports, 0, low - 1);
		add_ports(ports, high + 1, UINT16_MAX);
	} else {
		add_ports(ports, low, high);
	}
}

static bool unary(struct fw_pfr_parser *parser, struct fw_slice *out_operator) {
	static const char *const operators[] = {"=", "!=", "<=", ">=", "<", ">"};

	for (size_t i = 0; i < FW_LENGTH(operators); i++) {
		if (fw_pfr_accept(parser, operators[i])) {
			*out_operator = fw_slice(operators[i]);
			return true;
		}
	}
	return false;
}

static bool port_item(struct fw_pfr_parser *parser, void *context) {
	struct ports *ports = context;
	struct fw_slice op = FW_SLICE("="), text, second = {0};
	uint16_t low = 0, high = 0;
	bool alone = unary(parser, &op);

	if (!fw_pfr_text(parser, "port", &text)) {
		return false;
	}
	if (!alone && memchr(text.data, ':', text.length) != NULL) {
		second = text;
		text = fw_slice_cut(&second, ':');
		op = FW_SLICE(":");
	} else if (!alone && (fw_pfr_at(parser, "><") || fw_pfr_at(parser, "<>"))) {
		op = parser->token.text;
		fw_pfr_advance(parser);
		if (!fw_pfr_text(parser, "port", &second)) {
			return false;
		}
	}
	if (!fw_pfr_port_number(parser, text, &low) ||
		(second.data != NULL && !fw_pfr_port_number(parser, second, &high))) {
		return false;
	}
	if (second.data != NULL && low > high) {
		return fw_pfr_fail(parser, "a range of ports that is none");
	}
	ports->odd = ports->odd || !(fw_slice_is(op, "=") || fw_slice_is(op, ":"));
	add_by_operator(ports, op, low, high);
	return true;
}

static bool side_item(struct fw_pfr_parser *parser, void *context) {
	if (fw_pfr_at(parser, "any")) {
		return fw_pfr_fail(
			parser, "'any' in a list, of which releases make different things");
	}
	if (fw_pfr_at(parser, "{")) {
		return fw_pfr_items(parser, side_item, context);
	}
	return fw_pfr_address(parser, context);
}

bool fw_pfr_side(struct fw_pfr_parser *parser, struct fw_pfr_side *out) {
	struct fw_pfr_addresses addresses = {0};
	FW_AUTO(ports_fini) struct ports ports = {0};

	if (!fw_pfr_accept(parser, "any") && !fw_pfr_at(parser, "port")) {
		bool read = fw_pfr_items(parser, side_item, &addresses);
		out->items = KEEP(parser, &addresses.list);
		out->count = addresses.list.count;
		FW_VEC_FINI(&addresses.list);
		if (!read) {
			return false;
		}
	}
	if (!fw_pfr_accept(parser, "port")) {
		return !parser->failed;
	}
	if (!fw_pfr_items(parser, port_item, &ports)) {
		return false;
	}
	out->has_ports = true;
	if (ports.list.count != 0) {
		size_t count = ports.list.count;
		ports.list.count = fw_ports_normalize(ports.list.items, count);
		out->joined = ports.list.count != count;
		out->plain = !ports.odd && count == 1;
	}
	out->ports = KEEP(parser, &ports.list);
	out->port_count = ports.list.count;
	return true;
}

/* ---- interfaces and protocols ---- */

static bool is_loopback(const char *name) {
	return strcmp(name, "lo") == 0 || strcmp(name, "lo0") == 0;
}

bool fw_pfr_interface(struct fw_pfr_parser *parser, struct fw_pfr_interface *out) {
	struct fw_slice name;

	out->negated = fw_pfr_accept(parser, "!");
	if (fw_pfr_at(parser, "rdomain")) {
		return fw_pfr_fail(parser, "a routing domain");
	}
	if (!fw_pfr_text(parser, "interface", &name)) {
		return false;
	}
	out->name = fw_arena_text(parser->arena, name);
	if (!is_loopback(out->name) && strcmp(out->name, "any") != 0) {
		FW_VEC_ADD(&parser->interfaces, out->name);
	}
	return true;
}

struct interfaces {
	FW_VEC(struct fw_pfr_interface) list;
};

static bool interface_item(struct fw_pfr_parser *parser, void *context) {
	struct interfaces *interfaces = context;
	struct fw_pfr_interface one;

	if (!fw_pfr_interface(parser, &one)) {
		return false;
	}
	FW_VEC_ADD(&interfaces->list, one);
	return true;
}

bool fw_pfr_interfaces(struct fw_pfr_parser *parser, struct fw_pfr_rule *rule) {
	struct interfaces interfaces = {0};
	bool read = fw_pfr_items(parser, interface_item, &interfaces);

	rule->interfaces = KEEP(parser, &interfaces.list);
	rule->interface_count = interfaces.list.count;
	FW_VEC_FINI(&interfaces.list);
	return read;
}

struct protocols {
	FW_VEC(uint8_t) list;
};

static bool protocol_item(struct fw_pfr_parser *parser, void *context) {
	struct protocols *protocols = context;
	struct fw_slice text;
	uint8_t protocol;

	if (!fw_pfr_text(parser, "protocol", &text)) {
		return false;
	}
	if (!fw_pfr_protocol(text, &protocol) || protocol == 0) {
		return fw_pfr_fail(parser, "a protocol that is not known here");
	}
	FW_VEC_ADD(&protocols->list, protocol);
	return true;
}

bool fw_pfr_protocols(struct fw_pfr_parser *parser, struct fw_pfr_rule *rule) {
	struct protocols protocols = {0};
	bool read = fw_pfr_items(parser, protocol_item, &protocols);

	rule->protocols = KEEP(parser, &protocols.list);
	rule->protocol_count = protocols.list.count;
	FW_VEC_FINI(&protocols.list);
	return read;
}

struct types {
	enum fw_family family;
	FW_VEC(struct fw_pfr_icmp) list;
};

static bool type_item(struct fw_pfr_parser *parser, void *context) {
	struct types *types = context;
	struct fw_slice text;
	struct fw_pfr_icmp one = {
		.protocol = types->family == FW_IPV4 ? IPPROTO_ICMP : IPPROTO_ICMPV6, .code = -1};
	uint8_t code;

	if (!fw_pfr_text(parser, "type of ICMP", &text)) {
		return false;
	}
	if (!fw_pfr_icmp_type(types->family, text, &one.type)) {
		return fw_pfr_fail(parser, "a type of ICMP that is not known here");
	}
	if (fw_pfr_accept(parser, "code")) {
		if (!fw_pfr_text(parser, "code of ICMP", &text)) {
			return false;
		}
		if (!fw_pfr_icmp_code(types->family, one.type, text, &code)) {
			return fw_pfr_fail(parser, "a code of ICMP that is not known here");
		}
		one.code = code;
	}
	FW_VEC_ADD(&types->list, one);
	return true;
}

bool fw_pfr_types(struct fw_pfr_parser *parser, enum fw_family family, struct fw_pfr_rule *rule) {
	struct types types = {.family = family};
	bool read = fw_pfr_items(parser, type_item, &types);

	rule->types = KEEP(parser, &types.list);
	rule->type_count = types.list.count;
	FW_VEC_FINI(&types.list);
	return read;
}

/* ---- TCP flags ---- */

static bool flag_set(struct fw_pfr_parser *parser, uint8_t *out_flags) {
	static const char letters[] = "FSRPAUEW"; /* in the order of their bits */
	struct fw_slice text;

	if (!fw_pfr_text(parser, "TCP flags", &text)) {
		return false;
	}
	*out_flags = 0;
	for (size_t i = 0; i < text.length; i++) {
		const char *letter = memchr(letters, text.data[i], sizeof(letters) - 1);
		if (letter == NULL) {
			return fw_pfr_fail(parser, "TCP flags that are none");
		}
		*out_flags |= (uint8_t)(1 << (letter - letters));
	}
	return true;
}

bool fw_pfr_flags(struct fw_pfr_parser *parser, struct fw_pfr_rule *rule) {
	rule->flags = rule->flags_of = 0;
	if (fw_pfr_accept(parser, "any")) {
		return true;
	}
	if (!fw_pfr_at(parser, "/") && !flag_set(parser, &rule->flags)) {
		return false;
	}
	if (!fw_pfr_expect(parser, "/") || !flag_set(parser, &rule->flags_of)) {
		return false;
	}
	if ((rule->flags & ~rule->flags_of) != 0) {
		return fw_pfr_fail(parser, "TCP flags that no packet has");
	}
	return true;
}

/* ---- where translations lead to ---- */

static bool target_item(struct fw_pfr_parser *parser, void *context) {
	return fw_pfr_address(parser, context);
}

static bool target_address(struct fw_pfr_parser *parser, struct fw_pfr_target *target) {
	struct fw_pfr_addresses addresses = {0};
	bool read = fw_pfr_items(parser, target_item, &addresses);
	struct fw_pfr_address one = {0};

	if (read && addresses.list.count == 1) {
		one = addresses.list.items[0];
	}
	FW_VEC_FINI(&addresses.list);
	if (!read) {
		return false;
	}
	if (one.kind == FW_PFR_RANGE && !one.negated && fw_range_is_single(&one.range)) {
		target->family = one.range.family;
		target->address = one.range.first;
		return true;
	}
	if (one.kind == FW_PFR_OWN && !one.negated) {
		struct fw_slice rest = fw_slice(one.text), name = fw_slice_cut(&rest, ':');
		target->interface = fw_arena_text(parser->arena, name);
		return true;
	}
	return fw_pfr_fail(parser, "a translation to what is not one address");
}

/* Ports are mapped one by one, from the first of the rule to the first of the range, so that some
 * keep theirs (pf_get_transaddr of pf.c). */
static bool keeps_ports(struct fw_pfr_parser *parser, const struct fw_pfr_side *side,
	uint16_t first, struct fw_slice last) {
	uint16_t end;

	if (!side->plain || side->ports[0].low != first) {
		return false;
	}
	if (fw_slice_is(last, "*")) {
		return true;
	}
	return fw_pfr_port_number(parser, last, &end) && end >= side->ports[0].high;
}

/* Of a source, pf's own choice of ports does not matter; of a destination, the port does. */
static bool target_port(struct fw_pfr_parser *parser, const struct fw_pfr_rule *rule,
	struct fw_pfr_target *target, bool source) {
	struct fw_slice text;

	if (!fw_pfr_accept(parser, "port")) {
		return true;
	}
	if (!fw_pfr_text(parser, "port", &text)) {
		return false;
	}
	struct fw_slice rest = text, first = fw_slice_cut(&rest, ':');
	if (rest.data != NULL && source) {
		return true;
	}
	if (!fw_pfr_port_number(parser, first, &target->port)) {
		return false;
	}
	if (rest.data != NULL) {
		uint16_t low = target->port;
		target->port = 0;
		return keeps_ports(parser, &rule->destination, low, rest) ||
		       fw_pfr_fail(parser, "a translation to a range of ports");
	}
	return target->port != 0 || fw_pfr_fail(parser, "a translation to port 0");
}

bool fw_pfr_redirect(struct fw_pfr_parser *parser, struct fw_pfr_rule *rule, bool source) {
	struct fw_pfr_target *target = FW_ARENA_NEW(parser->arena, struct fw_pfr_target);

	if (!target_address(parser, target) || !target_port(parser, rule, target, source)) {
		return false;
	}
	/* Of one address there is one way to take turns; pfctl -s prints it nevertheless. */
	fw_pfr_accept(parser, "round-robin");
	if (source && fw_pfr_accept(parser, "static-port")) {
		target->same_port = true;
	}
	if (rule->family == FW_FAMILY_NONE) {
		rule->family = target->family;
	}
	if (target->family != FW_FAMILY_NONE && rule->family != target->family) {
		return fw_pfr_fail(parser, "a translation into the other family");
	}
	if (source) {
		rule->nat = target;
	} else {
		rule->rdr = target;
	}
	return !parser->failed;
}
