// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_CMD_MANIFEST_H
#define FW_CMD_MANIFEST_H
/*
 * The list of the files that were written into a folder for a fleet, kept in that folder: so it is
 * known which of them belong to nobody any more, and which are not ours to touch.
 */

#include "diag/diag.h"

#define FW_MANIFEST ".flowfw-fleet"

struct fw_manifest_entry {
	struct fw_slice file;	/* "junction-17.nft" */
	struct fw_slice member; /* "junction-17" */
};

/** A zeroed struct is that of an empty folder. */
struct fw_manifest {
	struct fw_buf text;			  /* behind the entries that were read */
	FW_VEC(struct fw_manifest_entry) entries; /* by file once it is sorted */
};

void fw_manifest_fini(struct fw_manifest *manifest);
/**
 * Reads that of a folder, nothing where there is none. False: it is another fleet's, or no
 * manifest; the error is in the list.
 */
bool fw_manifest_read(struct fw_manifest *manifest, const char *folder, const char *fleet,
	struct fw_diags *diags);
/** Adds an entry, whose texts outlive the manifest. */
void fw_manifest_add(struct fw_manifest *manifest, struct fw_slice file, struct fw_slice member);
void fw_manifest_sort(struct fw_manifest *manifest);
/** Whether a sorted one names the file. */
bool fw_manifest_has(const struct fw_manifest *manifest, struct fw_slice file);
/** The text of a sorted one. */
void fw_manifest_format(const struct fw_manifest *manifest, const char *fleet, struct fw_buf *out);

#endif
