// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_PROFILE_PROFILE_H
#define FW_PROFILE_PROFILE_H
/*
 * YAML to policy: finds the files, reads services, roles, profiles and sites in layers, merges
 * them, and resolves the result. flowfw-profile(5) is the description of the language.
 */

#include "policy/policy.h"

/** Where profiles and templates are found. */
struct fw_library {
	/** Folders that hold `NAME.yaml`, services/ and roles/; the first that has a file wins. */
	FW_VEC(const char *) folders;
	const char *templates;		/* the folder of frames and starter files */
	struct fw_library_cache *cache; /* what fw_library_keep keeps; NULL: nothing */
};

/**
 * ./profiles, $XDG_CONFIG_HOME/flowfw/profiles (else ~/.config), /etc/flowfw/profiles, the
 * installed folder; $FLOWFW_DATADIR replaces the installed one.
 */
void fw_library_init(struct fw_library *library, struct fw_arena *arena);
/** For a library whose folders are set by hand: makes room for what fw_library_keep keeps. */
void fw_library_init_cache(struct fw_library *library);
void fw_library_fini(struct fw_library *library);
/**
 * Reads what every profile stands on once, for many calls of fw_profile_load. A file with a mistake
 * is not kept: each profile that needs it will find it again. Sources are counted in `diags`, and
 * those lists must go on from there that are to name these.
 */
void fw_library_keep(const struct fw_library *library, struct fw_diags *diags);

struct fw_fleet;

/** What `--set`, `--only` and `--without` ask for. */
struct fw_request {
	const char *profile;	      /* a name or a path */
	const char *as;		      /* where that file belongs; or NULL: where it is */
	const struct fw_fleet *fleet; /* whose groups lie under the site's own; or NULL */
	const char *const *sets;      /* "services.udp-sinks.ports=55571/udp" */
	size_t set_count;
	bool only[FW_IMPORTANCE_COUNT]; /* --only, by importance; all false: everything */
	bool without[FW_IMPORTANCE_COUNT];
};

/** Why a service that is listed makes no flow. */
enum fw_service_state {
	FW_SERVICE_NONE,
	FW_SERVICE_ON,
	FW_SERVICE_OFF,	    /* off by default or by the site */
	FW_SERVICE_CUT,	    /* by --only or --without */
	FW_SERVICE_WAITING, /* its group is not set */
};
enum { FW_SERVICE_STATE_COUNT = 5 };
extern const char *const fw_service_state_names[FW_SERVICE_STATE_COUNT];

/** A row of the port table: a service after all layers, as `list services` prints it. */
struct fw_service_row {
	const char *id, *title, *breaks, *note; /* breaks and note may be NULL */
	const char *role;  /* the role that asked for it; "base", "site", or NULL: no role of the
			      profile does */
	const char *ports; /* "8088/tcp", "from cameras", "icmp echo-request" */
	const char *direction; /* "input", "output", "both" */
	const char *peers;     /* "clients (any)", "198.51.100.25", "any" */
	enum fw_importance level;
	enum fw_provenance provenance;
	enum fw_service_state state;
	struct fw_span span;	    /* of the definition */
	struct fw_span listed_span; /* where that role lists it; of no source where none does */
	struct fw_span site_span;   /* the nearest profile or site that changes it, likewise */
	/** What it asks of a packet's headers, as its flows do or would; empty where that is each
	 * peer's own. */
	const struct fw_clause *clauses;
	size_t clause_count;
};

struct fw_group_row {
	const char *name, *title;
	bool set;	   /* by the site */
	const char *unset; /* what it means while unset: "any", "none" */
	size_t entries;
	struct fw_span span;
};

/** Interfaces by the profile's name for them. */
struct fw_interface_row {
	const char *name;
	struct fw_names kernel_names; /* as they were written */
	struct fw_span span;
};

/** How FLOW Insights calls a device, "198.51.100.7:18088:15556", and what that is inside,
 * "10.8.0.17:8088:5556". NULL: it cannot; or it is reached there as it is called. */
struct fw_login {
	const char *outside, *inside;
};

/** A device behind a gateway, or one that a client calls. */
struct fw_device {
	const char *name, *title; /* NULL where nobody said */
	/** What it is: a profile's name, or a path as it can be opened; NULL where nobody said. */
	const char *profile;
	bool site;		       /* `profile` is the path of a site file of its own */
	const struct fw_login *logins; /* by address; at least one */
	size_t login_count;
	struct fw_range ranges[FW_FAMILY_COUNT]; /* its address; of no family: it has none */
	struct fw_span span;
};

struct fw_profile {
	struct fw_policy policy;
	/** By name. */
	const struct fw_device *devices;
	size_t device_count;
	/** In the order in which base and the roles list them; those of no role last. */
	const struct fw_service_row *services;
	size_t service_count;
	const struct fw_group_row *groups;
	size_t group_count;
	const struct fw_interface_row *interfaces; /* as they came */
	size_t interface_count;
};

/** False: an error is in the list. Everything in *out_profile is the arena's. */
bool fw_profile_load(struct fw_arena *arena, const struct fw_library *library,
	const struct fw_request *request, struct fw_profile *out_profile, struct fw_diags *diags);

/**
 * Reads a packet in words, as `expect` has it behind `allow` and `deny`: the whole of a source.
 * Interfaces are the profile's, or a kernel's of any name. False: a usage error is in the list.
 */
bool fw_packet_parse(struct fw_arena *arena, const struct fw_profile *profile,
	const struct fw_source *source, struct fw_packet *out_packet, struct fw_diags *diags);

/** Flows of the forward hook that a device needs of the gateway it is behind. */
struct fw_needs {
	const struct fw_flow *flows;
	size_t count;
};

/**
 * As fw_profile_load, for a host that is known as `device` to some gateway: what it needs there, on
 * whatever interfaces, by its own file alone.
 */
bool fw_profile_load_behind(struct fw_arena *arena, const struct fw_library *library,
	const struct fw_request *request, const struct fw_device *device,
	struct fw_profile *out_profile, struct fw_needs *out_needs, struct fw_diags *diags);

/* ---- fleets ---- */

/** A site or gateway of a fleet. */
struct fw_fleet_member {
	const char *path; /* as it can be opened */
	const char *name; /* of its rule sets: the file's without .yaml, or what the fleet says */
	struct fw_span span;
};

/** A fleet file, read: what it names, not what these files hold. The arena's. */
struct fw_fleet {
	const char *name, *title;
	/** By name; no two have the same. */
	const struct fw_fleet_member *sites, *gateways;
	size_t site_count, gateway_count;
	const struct fw_yaml_node *groups; /* shared by all members; or NULL */
};

/**
 * Reads a fleet file. Paths in it are relative to it; one with *, ? or [ stands for all files that
 * match, at least one. Its memory grows by the length of the paths alone. False: an error is in the
 * list.
 */
bool fw_fleet_read(struct fw_arena *arena, const char *path, struct fw_fleet *out_fleet,
	struct fw_diags *diags);

/** One file of the library, for `list profiles` and `list roles`. */
struct fw_library_row {
	const char *name, *title, *path;
};

enum fw_library_kind { FW_LIBRARY_NONE, FW_LIBRARY_PROFILES, FW_LIBRARY_ROLES };

/** By name. False: an error is in the list. */
bool fw_library_list(struct fw_arena *arena, const struct fw_library *library,
	enum fw_library_kind kind, const struct fw_library_row **out_rows, size_t *out_count,
	struct fw_diags *diags);

#endif
