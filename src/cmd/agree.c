// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A fleet is looked at as a whole: each member by itself, and each gateway beside the sites of the
 * fleet that are its devices. A site is a gateway's device where the gateway names its file, or
 * calls the device as the fleet calls the site.
 */

#include "cmd/agree.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd/members.h"
#include "cmd/verdict.h"
#include "meaning/meaning.h"

enum { GAPS_SHOWN = 20 }; /* of one device */

/** A site's file, to be found again under another name. */
struct site_file {
	dev_t device;
	ino_t inode;
	size_t index;
};

struct fleet_check {
	struct fw_run *run;
	struct fw_fleet_members members;
	struct site_file *files; /* of sites, in order */
	size_t file_count;
};

static void fleet_check_fini(struct fleet_check *check) {
	fw_members_fini(&check->members);
	free(check->files);
}

/* ---- which site is a device? ---- */

static int compare_files(const void *left, const void *right) {
	const struct site_file *a = left;
	const struct site_file *b = right;

	if (a->device != b->device) {
		return a->device < b->device ? -1 : 1;
	}
	return (a->inode > b->inode) - (a->inode < b->inode);
}

/* Whatever is not there is its own member's mistake. */
static void find_files(struct fleet_check *check) {
	const struct fw_fleet *fleet = &check->members.fleet;
	struct stat status;

	check->files = fw_alloc(fleet->site_count * sizeof(*check->files));
	for (size_t i = 0; i < fleet->site_count; i++) {
		if (stat(fleet->sites[i].path, &status) == 0) {
			check->files[check->file_count++] =
				(struct site_file){status.st_dev, status.st_ino, i};
		}
	}
	if (check->file_count != 0) {
		qsort(check->files, check->file_count, sizeof(*check->files), compare_files);
	}
}

static int compare_name(const void *name, const void *member) {
	return strcmp(name, ((const struct fw_fleet_member *)member)->name);
}

static const struct fw_fleet_member *site_of(
	const struct fleet_check *check, const struct fw_device *device) {
	const struct fw_fleet *fleet = &check->members.fleet;
	struct stat status;

	if (!device->site) {
		return fleet->site_count == 0
			       ? NULL
			       : bsearch(device->name, fleet->sites, fleet->site_count,
					 sizeof(*fleet->sites), compare_name);
	}
	if (check->file_count == 0 || stat(device->profile, &status) != 0) {
		return NULL;
	}
	const struct site_file wanted = {status.st_dev, status.st_ino, 0};
	const struct site_file *found = bsearch(
		&wanted, check->files, check->file_count, sizeof(*check->files), compare_files);
	return found != NULL ? &fleet->sites[found->index] : NULL;
}

/* ---- one member, in a process of the pool ---- */

struct work {
	const struct fleet_check *check;
	struct fw_arena arena; /* what diagnostics point into stays until they are printed */
	struct fw_diags diags;
};

static void work_fini(struct work *work) {
	fw_diags_fini(&work->diags);
	fw_arena_fini(&work->arena);
}

/* "8088/tcp from 203.0.113.1 to 10.8.0.17" */
static const char *describe(struct work *work, const struct fw_point *packet) {
	FW_AUTO(fw_buf_fini) struct fw_buf text = {0};
	enum fw_family family = (enum fw_family)packet->values[FW_VAR_FAMILY].low;
	uint8_t protocol = (uint8_t)packet->values[FW_VAR_PROTOCOL].low;
	const char *name = fw_protocol_name(protocol);

	if (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6) {
		fw_buf_printf(&text, "%s type %u ", name,
			(unsigned)packet->values[FW_VAR_SOURCE_PORT].low);
	} else if (name != NULL) {
		fw_buf_printf(&text, "%u/%s ", (unsigned)packet->values[FW_VAR_PORT].low, name);
	} else {
		fw_buf_printf(&text, "protocol %u ", protocol);
	}
	fw_buf_add_text(&text, "from ");
	fw_addr_format(family, packet->values[FW_VAR_SOURCE], &text);
	fw_buf_add_text(&text, " to ");
	fw_addr_format(family, packet->values[FW_VAR_DESTINATION], &text);
	return fw_arena_text(&work->arena, fw_buf_slice(&text));
}

static void report_gap(
	struct work *work, const struct fw_device *device, const struct fw_gap *gap) {
	struct fw_diags *diags = &work->diags;
	const char *packet = describe(work, &gap->witness);

	if (gap->flow != NULL) {
		struct fw_diag *diag = fw_finding(diags, device->span, "gateway-closed",
			"'%s' needs '%s', and this gateway does not pass all of it", device->name,
			gap->flow->service);
		fw_diag_note(
			diags, diag, gap->flow->span, "'%s' of the device", gap->flow->service);
		fw_diag_hint(diags, diag, "not passed is %s", packet);
		return;
	}
	struct fw_diag *diag = fw_finding(diags, gap->forwarding->span, "device-closed",
		"the outside port %u/%s leads to '%s' of '%s', which drops some of what comes",
		gap->forwarding->outside_port, fw_protocol_name(gap->forwarding->protocol),
		gap->forwarding->service, device->name);
	fw_diag_note(diags, diag, gap->service_span, "the device's side");
	fw_diag_hint(diags, diag, "dropped is %s", packet);
}

static void check_device(struct work *work, const struct fw_profile *gateway,
	const struct fw_device *device, const struct fw_fleet_member *site) {
	const struct fw_request request = fw_member_request(&work->check->members, site);
	const struct fw_arena_mark mark = fw_arena_mark(&work->arena);
	FW_AUTO(fw_diags_fini) struct fw_diags own = {.sources = work->diags.sources};
	struct fw_profile profile;
	struct fw_needs needs;
	struct fw_gap gaps[GAPS_SHOWN];

	/* What is wrong with the site itself is said when its turn comes. */
	if (!fw_profile_load_behind(&work->arena, &work->check->run->library, &request, device,
		    &profile, &needs, &own)) {
		fw_arena_reset(&work->arena, mark);
		return;
	}
	struct fw_spaces spaces;
	fw_spaces_init(&spaces, NULL);
	size_t count = fw_agree(&work->arena, &spaces, &gateway->policy, &profile.policy,
		needs.flows, needs.count, device->name, GAPS_SHOWN, gaps);
	if (spaces.exhausted) {
		fw_failure_at(&work->diags, device->span, "too-complex", 0,
			"'%s' and its gateway are too complex to be compared", device->name);
	}
	for (size_t i = 0; i < count && !spaces.exhausted; i++) {
		report_gap(work, device, &gaps[i]);
	}
	bool said = count != 0 || spaces.exhausted;
	fw_spaces_fini(&spaces);
	if (said) {
		work->diags.sources = own.sources;
	} else {
		fw_arena_reset(&work->arena, mark);
	}
}

static void check_devices(struct work *work, const struct fw_profile *gateway) {
	for (size_t i = 0; i < gateway->device_count; i++) {
		const struct fw_device *device = &gateway->devices[i];
		const struct fw_fleet_member *site = site_of(work->check, device);
		if (site != NULL) {
			check_device(work, gateway, device, site);
		}
	}
}

/* As a run of its own, which in this process it is. */
static void judge(struct work *work, const struct fw_profile *profile) {
	struct fw_run run = *work->check->run;

	run.arena = work->arena;
	run.diags = work->diags;
	fw_judge(&run, profile);
	work->arena = run.arena;
	work->diags = run.diags;
}

static void check_member(void *context, size_t index, struct fw_buf *out_packet) {
	const struct fleet_check *check = context;
	const struct fw_fleet_members *members = &check->members;
	const struct fw_fleet_member *member = fw_member_at(members, index);
	FW_AUTO(work_fini)
	struct work work = {.check = check, .diags.sources = check->run->diags.sources};
	const struct fw_request request = fw_member_request(members, member);
	struct fw_profile profile;

	if (fw_profile_load(&work.arena, &check->run->library, &request, &profile, &work.diags) &&
		fw_member_fits(members, index, &profile.policy, &work.diags)) {
		judge(&work, &profile);
		if (profile.policy.position == FW_GATEWAY) {
			check_devices(&work, &profile);
		}
	}
	fw_report_write(out_packet, FW_POOL_RESULT_MAX, &work.diags, check->run->quiet,
		member->span.source, FW_SLICE(""), (struct fw_file_counts){0});
}

/* ---- all of them ---- */

static void print_verdict(struct fleet_check *check) {
	struct fw_fleet_members *members = &check->members;
	const struct fw_fleet *fleet = &members->fleet;
	const struct fw_report *report = &members->report;
	FW_AUTO(fw_buf_fini) struct fw_buf text = {0};

	fw_report_warnings(report, &text);
	fw_report_failures(report, &text);
	if (report->failed != 0) {
		fw_buf_add_text(&text, "flowfw: fleet '");
		fw_buf_add_escaped(&text, fw_slice(fleet->name));
		fw_buf_printf(&text, "': %zu of %zu member%s failed\n", report->failed,
			report->members, fw_plural(report->members));
	}
	fw_members_say(members, &text);
	if (report->failed != 0 || check->run->diags.errors != 0) {
		return;
	}
	text.length = 0;
	fw_buf_add_escaped(&text, fw_slice(fleet->name));
	fw_buf_printf(&text, ": valid; %zu site%s, %zu gateway%s\n", fleet->site_count,
		fw_plural(fleet->site_count), fleet->gateway_count,
		fw_plural(fleet->gateway_count));
	fw_print(check->run, fw_buf_slice(&text));
}

enum fw_exit fw_fleet_check(struct fw_run *run, const char *path, unsigned processes) {
	struct fleet_check check = {.run = run, .members = {.run = run, .work = check_member}};
	struct fw_signals signals;
	int taken = 0;
	int error = fw_signals_hold(&signals);

	if (error != 0) {
		fw_failure(&run->diags, "no-process", error, "cannot wait for signals");
		return FW_EXIT_SYSTEM;
	}
	check.members.context = &check;
	enum fw_exit status = FW_EXIT_FINE;
	if (fw_members_read(&check.members, path)) {
		find_files(&check);
		fw_members_run(&check.members, processes, &signals, &taken);
		if (taken == 0) {
			print_verdict(&check);
		}
		status = fw_members_status(&check.members);
	}
	fleet_check_fini(&check);
	fw_signals_release(&signals, taken);
	return status;
}
