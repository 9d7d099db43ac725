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
	const char *templates; /* the folder of frames and starter files */
};

/**
 * ./profiles, $XDG_CONFIG_HOME/flowfw/profiles (else ~/.config), /etc/flowfw/profiles, the
 * installed folder; $FLOWFW_DATADIR replaces the installed one.
 */
void fw_library_init(struct fw_library *library, struct fw_arena *arena);
void fw_library_fini(struct fw_library *library);

/** What `--set`, `--only` and `--without` ask for. */
struct fw_request {
	const char *profile;	 /* a name or a path */
	const char *const *sets; /* "services.udp-sinks.ports=55571/udp" */
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
	struct fw_span span;
};

struct fw_group_row {
	const char *name, *title;
	bool set;	   /* by the site */
	const char *unset; /* what it means while unset: "any", "none" */
	size_t entries;
	struct fw_span span;
};

struct fw_profile {
	struct fw_policy policy;
	/** In the order in which base and the roles list them; those of no role last. */
	const struct fw_service_row *services;
	size_t service_count;
	const struct fw_group_row *groups;
	size_t group_count;
};

/** False: an error is in the list. Everything in *out_profile is the arena's. */
bool fw_profile_load(struct fw_arena *arena, const struct fw_library *library,
	const struct fw_request *request, struct fw_profile *out_profile, struct fw_diags *diags);

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
