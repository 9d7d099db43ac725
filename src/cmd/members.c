// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The members of a fleet and the pool of processes that looks at them, see members.h.
 */

#include "cmd/members.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

void fw_members_fini(struct fw_fleet_members *members) {
	fw_report_fini(&members->report);
	free(members->failed);
}

bool fw_members_read(struct fw_fleet_members *members, const char *path) {
	struct fw_run *run = members->run;

	fw_library_keep(&run->library, &run->diags);
	if (!fw_fleet_read(&run->arena, path, &members->fleet, &run->diags)) {
		return false;
	}
	members->report.members = fw_members_count(members);
	members->failed = fw_alloc(fw_members_count(members) * sizeof(*members->failed));
	return true;
}

size_t fw_members_count(const struct fw_fleet_members *members) {
	return members->fleet.site_count + members->fleet.gateway_count;
}

bool fw_members_is_gateway(const struct fw_fleet_members *members, size_t index) {
	return index >= members->fleet.site_count;
}

const struct fw_fleet_member *fw_member_at(const struct fw_fleet_members *members, size_t index) {
	const struct fw_fleet *fleet = &members->fleet;
	return fw_members_is_gateway(members, index) ? &fleet->gateways[index - fleet->site_count]
						     : &fleet->sites[index];
}

struct fw_request fw_member_request(
	const struct fw_fleet_members *members, const struct fw_fleet_member *member) {
	struct fw_request request = *fw_run_request(members->run);
	request.profile = member->path;
	request.fleet = &members->fleet;
	return request;
}

bool fw_member_fits(const struct fw_fleet_members *members, size_t index,
	const struct fw_policy *policy, struct fw_diags *diags) {
	const struct fw_fleet_member *member = fw_member_at(members, index);
	bool gateway = policy->position == FW_GATEWAY;
	if (gateway == fw_members_is_gateway(members, index)) {
		return true;
	}
	struct fw_diag *diag = fw_error(diags, member->span, "misplaced-member",
		gateway ? "'%s' is a gateway" : "'%s' is no gateway", member->path);
	fw_diag_hint(diags, diag, gateway ? "name it under `gateways`" : "name it under `sites`");
	return false;
}

void fw_members_say(struct fw_fleet_members *members, const struct fw_buf *text) {
	if (text->length != 0) {
		fw_progress_hide(&members->progress);
		(void)fw_write_all(STDERR_FILENO, fw_buf_slice(text));
	}
}

/* ---- results ---- */

static void take(void *context, size_t index, struct fw_slice packet) {
	struct fw_fleet_members *members = context;
	FW_AUTO(fw_buf_fini) struct fw_buf text = {0};
	members->failed[index] = !fw_report_take(
		&members->report, fw_member_at(members, index)->name, packet, &text);
	fw_members_say(members, &text);
}

static void lost(void *context, size_t index, int status) {
	struct fw_fleet_members *members = context;
	const struct fw_fleet_member *member = fw_member_at(members, index);
	FW_AUTO(fw_diags_fini) struct fw_diags diags = {0};
	FW_AUTO(fw_buf_fini) struct fw_buf packet = {0};
	if (WIFSIGNALED(status)) {
		fw_failure_at(&diags, member->span, "process-lost", 0,
			"the process that looked at '%s' was ended by signal %d (%s)", member->path,
			WTERMSIG(status), strsignal(WTERMSIG(status)));
	} else {
		fw_failure_at(&diags, member->span, "process-lost", 0,
			"the process that looked at '%s' ended too early", member->path);
	}
	if (members->drop != NULL) {
		members->drop(members->context, member);
	}
	fw_report_write(&packet, FW_POOL_RESULT_MAX, &diags, true, NULL, FW_SLICE(""),
		(struct fw_file_counts){0});
	take(members, index, fw_buf_slice(&packet));
}

static void progress(void *context, size_t finished) {
	struct fw_fleet_members *members = context;
	fw_progress_show(&members->progress, finished);
}

static void work(void *context, size_t index, struct fw_buf *out_packet) {
	const struct fw_fleet_members *members = context;
	members->work(members->context, index, out_packet);
}

/* ---- the pool ---- */

static unsigned process_count(const struct fw_fleet_members *members, unsigned processes) {
	long wanted = processes;
	if (wanted == 0) {
		wanted = sysconf(_SC_NPROCESSORS_ONLN);
	}
	if (wanted > FW_POOL_PROCESSES_MAX) {
		wanted = FW_POOL_PROCESSES_MAX;
	}
	if ((size_t)wanted > fw_members_count(members)) {
		wanted = (long)fw_members_count(members);
	}
	return wanted > 0 ? (unsigned)wanted : 1;
}

bool fw_members_run(struct fw_fleet_members *members, unsigned processes,
	const struct fw_signals *signals, int *out_signal) {
	struct fw_pool pool = {
		.count = fw_members_count(members),
		.processes = process_count(members, processes),
		.signals = signals,
		.context = members,
		.work = work,
		.take = take,
		.lost = lost,
		.progress = progress,
	};
	fw_progress_init(&members->progress, pool.count);
	int error = fw_pool_run(&pool, out_signal);
	fw_progress_hide(&members->progress);
	if (error != 0) {
		fw_failure(&members->run->diags, "no-process", error, "cannot start a process");
	}
	return error == 0 && *out_signal == 0;
}

enum fw_exit fw_members_status(const struct fw_fleet_members *members) {
	static const struct {
		enum fw_fault fault;
		enum fw_exit status;
	} statuses[] = {
		{FW_FAULT_SYSTEM, FW_EXIT_SYSTEM},
		{FW_FAULT_BACKEND, FW_EXIT_BACKEND},
		{FW_FAULT_PROFILE, FW_EXIT_PROFILE},
		{FW_FAULT_USAGE, FW_EXIT_USAGE},
		{FW_FAULT_FINDING, FW_EXIT_DIFFERS},
		{FW_FAULT_UNPROVEN, FW_EXIT_UNPROVEN},
	};
	for (size_t i = 0; i < FW_LENGTH(statuses); i++) {
		if ((members->report.faults & 1U << statuses[i].fault) != 0) {
			return statuses[i].status;
		}
	}
	return FW_EXIT_FINE;
}
