// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_PROFILE_GATEWAY_H
#define FW_PROFILE_GATEWAY_H
/*
 * Private to profile/: a gateway under way, shared by the files that make flows (gateway.c), find
 * forwarded ports (forward.c) and fill in the translation (translate.c).
 */

#include "profile/draft.h"

/** A device at a gateway. */
struct station {
	const struct device *device;
	bool has[FW_FAMILY_COUNT];
	struct fw_range ranges[FW_FAMILY_COUNT]; /* its addresses */
	struct fw_span spans[FW_FAMILY_COUNT];
	struct fw_login *logins;
	size_t login_count;
};

/** An outside port of a device's service. */
struct wanted_port {
	const char *service;
	uint16_t port;
	struct fw_span span;
	bool by_base; /* nobody named the service: it may be missing */
};

struct wanted_ports {
	struct wanted_port *items;
	size_t count;
};

/** Families of a station, as bits: 1 << enum fw_family. */
typedef uint8_t family_bits;

struct crowd;
struct model;
struct own_set;
struct variant;
struct taken_port;

struct gateway {
	struct draft *draft;
	const struct fw_request *request;
	const struct place *place;
	struct flows *flows;
	struct station *stations; /* by name */
	size_t count;
	struct model *models; /* those that several devices share */
	struct crowd *crowds;
	struct variant *variants;
	struct own_set *own_sets;
	struct taken_port *taken;
	FW_VEC(struct fw_forwarding) forwardings;
	const struct fw_set *all; /* the devices; or NULL */
	struct fw_names inside, outside;
};

/* ---- gateway.c ---- */

/** In which families a flow of a device is one of its gateway's, too; 0: in none. */
family_bits fw_crossing_families(
	const struct station *station, struct draft *own, const struct fw_flow *flow);

/* ---- forward.c ---- */

/**
 * What a device's `forward` asks for: ports as they are given, and behind its base those of the
 * pair. Mistakes in it are in the list and left out.
 */
struct wanted_ports fw_wanted_ports(struct draft *draft, const struct device *device);
/** NULL: none. */
const struct wanted_port *fw_wanted_port(const struct wanted_ports *wanted, const char *service);
/** Whether the outside address is of this family, too. */
bool fw_outside_has(const struct place *place, enum fw_family family);
/** Adds a device's forwardings, and how it is called; `policy` is its own, `own` its draft. */
void fw_forward_ports(struct gateway *gateway, struct station *station, struct draft *own,
	const struct fw_policy *policy);
/** "ADDRESS:PORT:PORT", an IPv6 address in brackets; the address alone without ports. */
const char *fw_login_format(struct fw_arena *arena, const struct fw_range *address,
	const uint16_t *ports, size_t count);
void fw_forward_fini(struct gateway *gateway);

/* ---- translate.c ---- */

/** Names of the interface that the profile calls so; none: it does not. */
struct fw_names fw_named_interface(struct draft *draft, const char *name);
void fw_translate(struct gateway *gateway, struct fw_translation *translation);

#endif
