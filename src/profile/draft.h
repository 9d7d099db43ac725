// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_PROFILE_DRAFT_H
#define FW_PROFILE_DRAFT_H
/*
 * Private to profile/: the draft that layers of YAML are merged into before it becomes a policy.
 * A draft keeps what was written, with the place of each value; resolve.c gives it a meaning.
 */

#include "profile/profile.h"
#include "yaml/yaml.h"

#define uthash_fatal(message) abort()
#include <stdlib.h>
#include <uthash.h>

/* ---- limits ---- */

enum {
	EXTENDS_MAX = 16,   /* files in a chain of `extends` */
	TITLE_MAX = 400,    /* bytes of a title, a note and the like */
	NAME_MAX_SITE = 64, /* bytes of a site's name */
	NAME_MAX_ENDPOINT = 128,
	NAME_MAX_INTERFACE = 15, /* IFNAMSIZ of linux/if.h, less the NUL */
	INTERFACES_MAX = 1000,	 /* that a site names */
	LIST_MAX = 1000,	 /* entries of a list other than the members of a group */
	DEVICES_MAX = 65535,	 /* more than a gateway has ports for */
};

/* ---- words ---- */

/** What a layer is; bits, so that a table of keys can say where each may stand. */
enum kind {
	KIND_NONE = 0,
	KIND_SERVICES = 1 << 0, /* profiles/services/: definitions */
	KIND_BASE = 1 << 1,
	KIND_ROLE = 1 << 2,
	KIND_PROFILE = 1 << 3,
	KIND_SITE = 1 << 4,
	KIND_SITE_SERVICE = 1 << 5, /* a service that a site defines, not adjusts */
};

enum direction {
	DIRECTION_NONE,
	DIRECTION_INPUT,
	DIRECTION_OUTPUT,
	DIRECTION_BOTH,
	DIRECTION_FORWARD, /* through the machine, not to it */
};
enum { DIRECTION_COUNT = 5 };
extern const char *const fw_direction_names[DIRECTION_COUNT];

enum enabled { ENABLED_NONE, ENABLED_ON, ENABLED_OFF, ENABLED_WHEN_NAMED };

/** Whether a device's packets of a service are known at its gateway. */
enum crossing {
	CROSSING_DEVICE,  /* as the device has it */
	CROSSING_GATEWAY, /* as the gateway has it, for all devices alike */
	CROSSING_NEVER,	  /* they stay on their link */
};

/** The key of the base block that turns a base service on and off; SWITCH_NONE: always on. */
enum base_switch {
	SWITCH_NONE,
	SWITCH_DHCP,
	SWITCH_ECHO,
	SWITCH_MLD,
	SWITCH_DNS_OVER_TCP,
	SWITCH_RTP,
	SWITCH_RTP_MULTICAST,
};
enum { SWITCH_COUNT = 7 };

/* ---- values with their places; a span without a source: not given ---- */

struct port_spec {
	struct fw_ports ports;
	unsigned protocols; /* FW_PROTO_ bits */
};

struct port_specs {
	const struct port_spec *items;
	size_t count;
	struct fw_span span;
};

enum ports_kind { PORTS_LIST, PORTS_FROM_GROUP, PORTS_FROM_RTP };

struct icmp_types {
	const struct fw_icmp_type *items;
	size_t count;
	struct fw_span span;
};

struct protocols {
	const uint8_t *items;
	size_t count;
	struct fw_span span;
};

/** A group's name, or an address, prefix or range. */
struct peer {
	const char *group; /* NULL: range */
	struct fw_range range;
	struct fw_span span;
};

struct peers {
	const struct peer *items;
	size_t count;
	bool any; /* in so many words */
	struct fw_span span;
};

struct name_ref {
	const char *name;
	struct fw_span span;
};

struct name_refs {
	const struct name_ref *items;
	size_t count;
	struct fw_span span;
};

struct log_setting {
	bool on;
	const char *prefix;  /* NULL: not given */
	struct fw_rate rate; /* count 0: not given */
	struct fw_span span;
};

/* ---- the draft ---- */

struct service {
	UT_hash_handle hh; /* by id */
	const char *id;
	struct fw_span span; /* where it was defined */
	struct fw_span
		touched;  /* where a person would change it: the nearest layer that names it */
	bool base;	  /* profiles/base.yaml lists it */
	const char *role; /* the first role that lists it, "base", "site"; NULL: none */
	size_t order;	  /* of being listed */
	struct fw_span listed_span;				      /* where that role lists it */
	struct fw_span role_level_span, role_from_span, role_to_span; /* what a role said of it */
	bool in_tunnel;						      /* vpn-inside names it */
	bool from_given, to_given; /* by a role, profile or site, so `follows` does not set them */
	const char *follows; /* the service whose peers, interface and state it takes; or NULL */
	struct fw_span follows_span;
	enum enabled turned; /* ON or OFF by a profile or site; NONE: as defined */
	struct fw_span turned_span;
	struct fw_span adjusted_span; /* where a site gave it settings */
	bool broken;		      /* some setting was wrong: no errors that follow from it */

	const char *title, *breaks, *note;
	enum direction direction;
	enum ports_kind ports_kind;
	struct port_specs ports, default_ports, source_ports;
	struct icmp_types icmp[FW_FAMILY_COUNT];
	struct protocols protocols;
	uint8_t hop_limit;
	struct peers from, to, except;
	struct name_refs interfaces;
	struct name_refs in_interfaces, out_interfaces; /* of DIRECTION_FORWARD */
	enum crossing crossing;
	bool mirrored; /* seen from the client's side */
	bool some_own; /* some of the devices that a mirrored one calls have ports of their own */
	enum fw_importance level;
	struct fw_rate limit;
	struct log_setting log;
	enum fw_provenance provenance;
	enum enabled enabled;
	enum base_switch on_switch;
	struct port_specs suspect;
	const char *suspect_why;
	enum enabled plain_http; /* ON or OFF where somebody said so */
	struct name_refs allow;	 /* warnings about it */

	enum fw_service_state state; /* resolve.c's, like what follows */
	struct fw_side own_end;
	const struct fw_set *excepted; /* or NULL */
};

/** Members of a group as they are read; the list is on the heap until the group is resolved. */
struct endpoints {
	struct draft *draft;
	FW_VEC(struct fw_endpoint) list;
	bool shared;		/* with a set: the arena frees them */
	struct endpoints *next; /* all of a draft, for freeing */
};

enum group_state { GROUP_UNSET, GROUP_ANY, GROUP_LIST };

struct group {
	UT_hash_handle hh; /* by name */
	const char *name, *title;
	struct fw_span span;	   /* where it was declared */
	bool unset_any;		   /* an unset group means any; else nobody */
	const char *unset_warning; /* or NULL */
	enum group_state state;
	struct fw_span set_span; /* the key that set it */
	struct endpoints *members;
	bool by_site; /* declared by a site */
	bool used;
	size_t tolerated_count;	  /* of the services that it opens, those that allow that */
	const char *tolerated_by; /* the last of them */
	struct group *inherited;  /* a gateway's, which a device has from there; or NULL */
	struct fw_set *resolved;  /* resolve.c's, like what follows */
	const char *opened;	  /* services that anybody reaches because it is unset, in words */
	size_t opened_count;
	struct fw_span opened_span;
};

struct interface {
	UT_hash_handle hh; /* by name */
	const char *name;
	const char *const *kernel_names;
	size_t count;
	struct fw_span span;
	bool used;
};

struct base {
	struct fw_hook_policy hooks[FW_HOOK_COUNT];
	struct log_setting log;
	bool switches[SWITCH_COUNT];
	bool echo_limited;
	struct port_specs rtp_ports; /* count 0: off */
	struct fw_span rtp_span;
	struct name_refs vpn_inside;
	enum kind vpn_inside_by;
	bool counters;
};

/* ---- devices, and the machine in front of them ---- */

/** `rest-api: 18088`; or `video: on`, at its place behind the base. */
struct device_forward {
	struct name_ref service;
	uint16_t port; /* 0: behind the base */
	bool off;      /* it is not forwarded */
	struct fw_span span;
};

struct device {
	const char *name, *title;
	struct fw_span span; /* of its name, or of the entry */
	struct peers addresses;
	const char *extends, *site; /* one of them, or neither for a client's */
	struct fw_span profile_span;
	const struct fw_yaml_node *groups, *services; /* as in a site file; or NULL */
	const struct device_forward *forwards;
	size_t forward_count;
	uint16_t forward_base; /* 0: none */
	struct fw_span forward_span, base_span;
	const struct layer *layer; /* whose list it is in: paths are relative to its file */
};

/** What a profile or site says of the machine's place in the network. */
struct place {
	enum fw_position position;
	struct fw_span position_span;
	const struct device *devices;
	size_t device_count;
	struct fw_span devices_span;
	struct peers outside, inside, networks; /* addresses; prefixes */
	bool masquerade, hairpin;
	struct fw_span masquerade_span, hairpin_span;
	struct name_refs pair, further; /* services in the order of ports behind a base */
	struct name_refs mirror;
};

struct port_list_entry;

struct draft {
	struct fw_arena *arena;
	struct fw_arena nodes; /* of YAML: apart, since a stream takes memory back item by item */
	struct fw_diags *diags;
	const struct fw_library *library;
	struct service *services; /* hash, in the order of definition */
	struct group *groups;
	struct interface *interfaces;
	struct base base;
	struct place place;
	struct draft *gateway; /* of a device's draft: what it is behind; else NULL */
	FW_VEC(struct fw_expect) expects;
	struct endpoints *endpoints;
	struct port_list_entry *port_lists; /* hash: equal lists are one */
	const struct fw_port_list *
		*single_ports;	/* those of one port, by protocols and port; NULL: none */
	size_t listed;		/* services listed so far */
	struct name_refs allow; /* warnings about anything */
	const char *name, *title, *extends;
};

void fw_draft_init(struct draft *draft, struct fw_arena *arena, const struct fw_library *library,
	struct fw_diags *diags);
void fw_draft_fini(struct draft *draft);
struct service *fw_draft_service(struct draft *draft, struct fw_slice id);
struct group *fw_draft_group(struct draft *draft, struct fw_slice name);
struct interface *fw_draft_interface(struct draft *draft, struct fw_slice name);
/** Error unknown-service, unknown-group, unknown-interface, with the nearest name as hint. */
struct fw_diag *fw_draft_no_service(struct draft *draft, struct fw_span span, struct fw_slice id);
void fw_draft_no_group(struct draft *draft, struct fw_span span, struct fw_slice name);
void fw_draft_no_interface(struct draft *draft, struct fw_span span, struct fw_slice name);
/** The one list with these ports; it lives as long as the draft of the gateway, if there is one. */
const struct fw_port_list *fw_draft_port_list(
	struct draft *draft, const struct port_spec *specs, size_t count);

/* ---- values.c: nodes to values; false: an error is in the list ---- */

/** A key of a mapping: where it may stand and who reads its value. */
struct key {
	const char *name;
	unsigned kinds;
	void (*read)(struct draft *draft, void *object, enum kind kind,
		const struct fw_yaml_node *key, const struct fw_yaml_node *value);
};

/** Reads a mapping by a table of keys; a key that is not in it, or not for this kind, is an error.
 */
void fw_read_mapping(struct draft *draft, const struct fw_yaml_node *mapping, const char *what,
	const struct key *keys, size_t key_count, enum kind kind, void *object);
/** Error wrong-type unless the node is of this kind and not null. */
bool fw_read_kind(struct draft *draft, const struct fw_yaml_node *node, enum fw_yaml_kind kind,
	const char *what);
bool fw_node_is_null(const struct fw_yaml_node *node);
/** A scalar that says on or off, true or false, yes or no. */
bool fw_node_is_switch(const struct fw_yaml_node *node, bool *out_on);
bool fw_read_switch(
	struct draft *draft, const struct fw_yaml_node *node, const char *what, bool *out_on);
/** One of the names from index 1 on; NULL names are skipped. */
bool fw_read_word(struct draft *draft, const struct fw_yaml_node *node, const char *what,
	const char *const *names, size_t count, int *out_index);
/** Printable text of at most `limit` bytes, copied. */
bool fw_read_text(struct draft *draft, const struct fw_yaml_node *node, const char *what,
	size_t limit, const char **out_text);
/** A name of flowfw's own: [a-z][a-z0-9-]*, FW_NAME_MAX at most; copied. */
bool fw_read_name(struct draft *draft, const struct fw_yaml_node *node, const char *what,
	const char **out_name);
bool fw_slice_is_name(struct fw_slice text);
/** A list, or one item instead of it. Error empty-list for none. */
bool fw_read_list(struct draft *draft, const struct fw_yaml_node *node, const char *what,
	const struct fw_yaml_node *const **out_items, size_t *out_count);
bool fw_read_range(
	struct draft *draft, const struct fw_yaml_node *node, struct fw_range *out_range);
bool fw_read_port(struct draft *draft, const struct fw_yaml_node *node, struct port_spec *out_port);
bool fw_read_ports(
	struct draft *draft, const struct fw_yaml_node *node, struct port_specs *out_ports);
/** As fw_read_ports, the protocol being UDP where none is named. */
bool fw_read_udp_ports(
	struct draft *draft, const struct fw_yaml_node *node, struct port_specs *out_ports);
bool fw_read_peers(struct draft *draft, const struct fw_yaml_node *node, struct peers *out_peers);
bool fw_read_names(struct draft *draft, const struct fw_yaml_node *node, const char *what,
	struct name_refs *out_names);
bool fw_read_rate(struct draft *draft, const struct fw_yaml_node *node, struct fw_rate *out_rate);
bool fw_read_log(struct draft *draft, const struct fw_yaml_node *node, struct log_setting *out_log);
/** An error for a fault of src/net/ in `text`. */
struct fw_diag *fw_net_error(
	struct draft *draft, struct fw_span span, struct fw_slice text, enum fw_net_fault fault);

/* ---- one file each: sections of a layer ---- */

/** What is under `services`. */
void fw_read_services(struct draft *draft, enum kind kind, const char *layer_name,
	const struct fw_yaml_node *node);
/** Puts a service under a role's name, unless one has it. */
void fw_list_service(struct draft *draft, struct service *service, const char *role);
/** What is under `groups`. */
void fw_read_groups(struct draft *draft, enum kind kind, const struct fw_yaml_node *node);
/** Reads one member of a group; `sink` is a struct endpoints. For fw_yaml_stream. */
void fw_read_endpoint(void *sink, const struct fw_yaml_node *item);
struct endpoints *fw_endpoints_new(struct draft *draft);
void fw_read_interfaces(struct draft *draft, const struct fw_yaml_node *node);
void fw_read_base(struct draft *draft, enum kind kind, const struct fw_yaml_node *node);
void fw_read_expects(struct draft *draft, const struct fw_yaml_node *node);
/** What is under `allow-lint`, of a layer or of a service. */
void fw_read_allow(
	struct draft *draft, const struct fw_yaml_node *node, struct name_refs *out_allow);
struct layer;
/** `devices`, `outside`, `inside`, `masquerade`, `hairpin`, `forward` and `mirror` of a layer. */
void fw_read_place(struct draft *draft, const struct layer *layer);
/** Error bad-address for loopback, multicast, link-local and the like. */
bool fw_check_host_address(struct draft *draft, const struct peer *peer);
/** One of these keys but `devices`; false: it is none. */
bool fw_read_place_key(struct draft *draft, enum kind kind, const struct fw_yaml_node *key,
	const struct fw_yaml_node *value);
/** `position`, which two layers of a chain must agree on. */
void fw_read_position(
	struct draft *draft, const struct fw_yaml_node *node, struct fw_span layer_name);

/* ---- layers ---- */

/** One file, read but not merged yet. */
struct layer {
	enum kind kind;
	const struct fw_source *source;
	const struct fw_yaml_node *root;
	const char *name; /* what follows `role:`, `profile:` or `site:` */
	struct fw_span name_span;
	const struct fw_yaml_node *extends; /* or NULL */
	const struct fw_yaml_node *roles;   /* or NULL */
	const char *path;
};

/** Error missing-key unless the file names the version of its language. */
void fw_need_version(struct draft *draft, const struct fw_yaml_node *root);
/** Reads that version; an entry of a table of keys. */
void fw_read_version(struct draft *draft, void *object, enum kind kind,
	const struct fw_yaml_node *key, const struct fw_yaml_node *value);
/** Reads a file and finds out what it is. `as` is where it belongs, unless it is there: or NULL. */
bool fw_layer_read(struct draft *draft, const char *path, const char *as, struct fw_span wanted_by,
	struct layer *out_layer);
/** Merges it into the draft, all but `expect`. */
void fw_layer_merge(struct draft *draft, const struct layer *layer);
/** Its `expect`, which may name interfaces that only a later layer names. */
void fw_layer_expects(struct draft *draft, const struct layer *layer);
/** `--set PATH=VALUE`, merged as if a nearest site file said it. */
void fw_override_merge(struct draft *draft, const char *text);

/* ---- library.c ---- */

/** The path of `NAME.yaml` below the first folder that has it (`part` is "" or "roles/"); NULL:
 * none. */
const char *fw_library_find(const struct fw_library *library, struct fw_arena *arena,
	const char *part, const char *name);
/**
 * Paths of `PART*.yaml` by file name, the first folder's winning; NULL-terminated. A folder that
 * cannot be read is an error in the list.
 */
const char *const *fw_library_files(const struct fw_library *library, struct fw_arena *arena,
	const char *part, size_t *out_count, struct fw_diags *diags);

/** What fw_library_keep read of that file, or NULL. */
const struct layer *fw_library_layer(const struct fw_library *library, const char *path);
/** The failure that no folder has what every profile stands on. */
void fw_library_missing(struct fw_diags *diags);

/* ---- from draft to profile ---- */

struct flows {
	FW_VEC(struct fw_flow) list;
};

/** Whether a service's settings fit together. False: an error is in the list. */
bool fw_check_service(struct draft *draft, const struct service *service);
/** Adds an error for each peer that a service would take its ports from and that brings none. */
void fw_check_from_group(
	struct draft *draft, const struct service *service, const struct fw_side *peers);
/** Whether it is said only what its position has a use for. */
void fw_check_place(struct draft *draft);
/**
 * Reads what a device is, in a draft that fw_draft_init made for it, and resolves it; its warnings
 * are its own site's. False: an error is in the list.
 */
bool fw_device_load(struct draft *own, struct draft *gateway, const struct device *device,
	const struct fw_request *request, struct fw_profile *out_profile);
/** The path of a device's site file, from its gateway's. */
const char *fw_device_site(struct fw_arena *arena, const struct device *device);
/** Adds what a gateway forwards to the flows, and fills in translation and devices. */
void fw_resolve_gateway(struct draft *draft, const struct fw_request *request, struct flows *flows,
	struct fw_profile *profile);
/** The group of a gateway's or client's devices. */
#define FW_DEVICES_GROUP "devices"
/** Makes that group of `devices`. */
void fw_declare_devices(struct draft *draft);
/** Its members; NULL: there are none. */
const struct fw_set *fw_devices_set(struct draft *draft);
/** Fills in the devices of a client, in the order of its list. */
void fw_list_client_devices(struct draft *draft, struct fw_profile *profile);
struct fw_set *fw_resolve_group(struct draft *draft, struct group *group);
/** What a host whose draft is resolved needs of its gateway. */
struct fw_needs fw_needs_behind(
	struct draft *own, const struct fw_device *device, const struct fw_policy *policy);
/** Turns the services that a client's profile mirrors to its side, towards its devices. */
void fw_mirror_services(struct draft *draft);
/** Kernel names of interfaces, sorted, each once; a name that is not known is an error. */
struct fw_names fw_resolve_interfaces(struct draft *draft, const struct name_refs *refs);

/** Gives the draft its meaning: states of services, flows, sets. */
void fw_resolve(struct draft *draft, const struct fw_request *request, struct fw_profile *profile);
/** What a service asks of a packet's headers; any one of them will do. */
struct clauses {
	struct fw_clause *items;
	size_t count;
};

/** Whether it carries what anybody on the way can read and change. */
bool fw_service_is_plain(const struct service *service);
struct clauses fw_resolve_clauses(struct draft *draft, const struct service *service);
/** Lets go of warnings that layers allow; those in `nearest` must be of use. */
void fw_allow(struct draft *draft, const struct fw_source *nearest);
/** The tables for `list`. */
void fw_rows(struct draft *draft, struct fw_profile *profile);
/** Warnings about what is valid and probably not meant. */
void fw_lint(struct draft *draft, const struct fw_policy *policy);

#endif
