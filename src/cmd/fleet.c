// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A fleet becomes a folder of rule sets. Processes compile its members and write new files out of
 * sight; when all are done, the files are brought to the disk and take their names. So a run that
 * is interrupted has changed nothing, and a member that fails keeps the rule sets that it had.
 */

#include "cmd/fleet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/manifest.h"
#include "cmd/members.h"
#include "cmd/prove.h"

enum {
	ORPHANS_SHOWN = 20,
	PROOFS_MAX = FW_POOL_RESULT_MAX / 2, /* bytes of what is told of proofs that fail */
};

/** One of the files that each member gets. */
struct target {
	const char *suffix; /* behind the member's name */
	size_t job;
	bool second; /* the second file of that job's backend */
};

struct fleet_run {
	struct fw_run *run;
	const struct fw_fleet_plan *plan;
	struct fw_fleet_members members;
	FW_VEC(struct target) targets; /* a second file before the first, which refers to it */
	struct fw_folder folder;
	bool folder_there;
	struct fw_manifest known;     /* what the folder said of itself before */
	bool stale;		      /* under --check: something would change */
	FW_VEC(const char *) leaving; /* files that are to be removed */
	size_t removed;
};

static void fleet_run_fini(struct fleet_run *fleet) {
	if (fleet->folder_there) {
		fw_folder_fini(&fleet->folder);
	}
	FW_VEC_FINI(&fleet->targets);
	FW_VEC_FINI(&fleet->leaving);
	fw_manifest_fini(&fleet->known);
	fw_members_fini(&fleet->members);
}

static void file_name(
	struct fw_buf *out, const struct fw_fleet_member *member, const struct target *target) {
	out->length = 0;
	fw_buf_add_text(out, member->name);
	fw_buf_add_text(out, target->suffix);
}

/** "flowfw: 'out/junction-17.nft' would change" */
static void add_line(
	struct fw_buf *out, const struct fleet_run *fleet, struct fw_slice file, const char *what) {
	fw_buf_add_text(out, "flowfw: '");
	fw_buf_add_escaped(out, fw_slice(fleet->plan->folder));
	fw_buf_add_char(out, '/');
	fw_buf_add_escaped(out, file);
	fw_buf_printf(out, "' %s\n", what);
}

/* ---- one member, in a process of the pool ---- */

struct work {
	const struct fleet_run *fleet;
	const struct fw_fleet_member *member;
	struct fw_arena arena;
	struct fw_diags diags;
	struct fw_file_counts files;
	struct fw_buf lines, path, texts[2]; /* texts: of a job's first and second file */
	struct fw_buf proofs;		     /* what is different from what it should be */
};

static void work_fini(struct work *work) {
	fw_buf_fini(&work->lines);
	fw_buf_fini(&work->path);
	fw_buf_fini(&work->texts[0]);
	fw_buf_fini(&work->texts[1]);
	fw_buf_fini(&work->proofs);
	fw_diags_fini(&work->diags);
	fw_arena_fini(&work->arena);
}

/* Whether flowfw wrote it, be it for no fleet: every frame begins with a line like this. */
static bool is_our_work(const char *path) {
	enum { HEAD = 4096 };
	static const char mark[] = "# flowfw: ";
	FW_AUTO(fw_buf_fini) struct fw_buf head = {0};
	if (fw_file_head(path, HEAD, &head) != 0) {
		return false;
	}
	struct fw_slice rest = fw_buf_slice(&head);
	while (rest.length != 0) {
		struct fw_slice line = fw_slice_cut(&rest, '\n');
		if (line.length >= strlen(mark) && memcmp(line.data, mark, strlen(mark)) == 0) {
			return true;
		}
	}
	return false;
}

/* False: what is there is not ours to replace; the error is in the list. */
static bool may_replace(struct work *work, struct fw_slice file, enum fw_file_change change) {
	const struct fleet_run *fleet = work->fleet;
	FW_AUTO(fw_buf_fini) struct fw_buf path = {0};
	fw_buf_printf(&path, "%s/%.*s", fleet->plan->folder, (int)file.length, file.data);
	if (change == FW_FILE_SPECIAL) {
		fw_failure(&work->diags, "foreign-file", 0,
			"'%s' is no regular file, and is not replaced", path.data);
		return false;
	}
	if (change == FW_FILE_CHANGED && !fw_manifest_has(&fleet->known, file) &&
		!is_our_work(path.data)) {
		struct fw_diag *diag = fw_failure(&work->diags, "foreign-file", 0,
			"'%s' is there and not of flowfw's making, and is not replaced", path.data);
		fw_diag_hint(&work->diags, diag, "move it away");
		return false;
	}
	return true;
}

static void write_file(struct work *work, struct fw_slice file, struct fw_slice text) {
	const struct fleet_run *fleet = work->fleet;
	int error = fw_folder_write(&fleet->folder, file.data, text);
	if (error != 0) {
		/* Without the file's name it is the same for all, and said once. */
		fw_failure(&work->diags, "write-failed", error, "cannot write into the folder '%s'",
			fleet->plan->folder);
	}
	work->files.written++;
}

static void deliver(struct work *work, struct fw_slice file, struct fw_slice text) {
	const struct fleet_run *fleet = work->fleet;
	enum fw_file_change change = FW_FILE_CREATED;
	int error = fleet->folder_there
			    ? fw_folder_compare(&fleet->folder, file.data, text, &change)
			    : 0;
	if (error != 0) {
		fw_failure(&work->diags, "read-failed", error, "cannot read '%s/%s'",
			fleet->plan->folder, file.data);
	} else if (change == FW_FILE_SAME) {
		work->files.unchanged++;
	} else if (!may_replace(work, file, change)) {
		return;
	} else if (!fleet->plan->check) {
		write_file(work, file, text);
	} else {
		work->files.stale++;
		add_line(&work->lines, fleet, file,
			change == FW_FILE_CREATED ? "would be created" : "would change");
	}
}

/* False: an error is in the list. */
static bool prove(struct work *work, const struct fw_job *job, const struct fw_policy *policy) {
	FW_AUTO(fw_buf_fini) struct fw_buf text = {0};
	const struct fw_emitted emitted = {
		.policy = policy,
		.job = job,
		.rules = fw_buf_slice(&work->texts[0]),
		.sets = fw_buf_slice(&work->texts[1]),
		.label = fw_arena_printf(
			&work->arena, "%s%s", work->member->name, job->emitter->suffix),
	};
	bool proven = fw_prove_emitted(&emitted, &work->diags, &text);
	if (work->proofs.length + text.length <= PROOFS_MAX) {
		fw_buf_add_slice(&work->proofs, fw_buf_slice(&text));
	}
	return proven;
}

static void emit(struct work *work, size_t number, const struct fw_policy *policy) {
	const struct fleet_run *fleet = work->fleet;
	const struct fw_job *job = &fleet->plan->jobs[number];
	work->texts[0].length = work->texts[1].length = 0;
	bool emitted = fw_emit(job, policy, &work->texts[0], &work->texts[1], &work->diags) &&
		       (!fleet->plan->verify || prove(work, job, policy));
	for (size_t i = 0; i < fleet->targets.count && emitted; i++) {
		const struct target *target = &fleet->targets.items[i];
		if (target->job == number && work->diags.errors == 0) {
			file_name(&work->path, work->member, target);
			deliver(work, fw_buf_slice(&work->path),
				fw_buf_slice(&work->texts[target->second]));
		}
	}
}

static void drop(void *context, const struct fw_fleet_member *member) {
	const struct fleet_run *fleet = context;
	FW_AUTO(fw_buf_fini) struct fw_buf file = {0};
	for (size_t i = 0; i < fleet->targets.count && fleet->folder_there; i++) {
		file_name(&file, member, &fleet->targets.items[i]);
		fw_folder_drop(&fleet->folder, file.data);
	}
}

static void compile(void *context, size_t index, struct fw_buf *out_result) {
	const struct fleet_run *fleet = context;
	struct fw_run *run = fleet->run;
	FW_AUTO(work_fini)
	struct work work = {
		.fleet = fleet,
		.member = fw_member_at(&fleet->members, index),
		.diags.sources = run->diags.sources,
	};
	const struct fw_request request = fw_member_request(&fleet->members, work.member);
	struct fw_profile profile;
	if (fw_profile_load(&work.arena, &run->library, &request, &profile, &work.diags) &&
		fw_member_fits(&fleet->members, index, &profile.policy, &work.diags)) {
		for (size_t i = 0; i < fleet->plan->job_count; i++) {
			emit(&work, i, &profile.policy);
		}
	}
	if (work.diags.errors != 0) {
		drop(context, work.member);
		work.files = (struct fw_file_counts){0};
		work.lines.length = 0;
		fw_buf_add_slice(&work.lines, fw_buf_slice(&work.proofs));
	}
	fw_report_write(out_result, FW_POOL_RESULT_MAX, &work.diags, run->quiet,
		fw_member_at(&fleet->members, 0)->span.source, fw_buf_slice(&work.lines),
		work.files);
}

/* ---- the manifest ---- */

static int by_name(const void *key, const void *member) {
	return fw_slice_compare(*(const struct fw_slice *)key,
		fw_slice(((const struct fw_fleet_member *)member)->name));
}

static bool is_member(const struct fleet_run *fleet, struct fw_slice name) {
	const struct fw_fleet *all = &fleet->members.fleet;
	return bsearch(&name, all->sites, all->site_count, sizeof(*all->sites), by_name) != NULL ||
	       bsearch(&name, all->gateways, all->gateway_count, sizeof(*all->gateways), by_name) !=
		       NULL;
}

/** Adds what the members have now. One that failed has what it had. */
static void add_members(struct fleet_run *fleet, struct fw_manifest *manifest) {
	FW_AUTO(fw_buf_fini) struct fw_buf file = {0};
	for (size_t i = 0; i < fw_members_count(&fleet->members); i++) {
		const struct fw_fleet_member *member = fw_member_at(&fleet->members, i);
		for (size_t j = 0; j < fleet->targets.count; j++) {
			file_name(&file, member, &fleet->targets.items[j]);
			if (fleet->members.failed[i] &&
				!fw_manifest_has(&fleet->known, fw_buf_slice(&file))) {
				continue;
			}
			struct fw_slice text = {
				fw_arena_text(&fleet->run->arena, fw_buf_slice(&file)),
				file.length};
			fw_manifest_add(manifest, text, fw_slice(member->name));
		}
	}
	fw_manifest_sort(manifest);
}

static bool is_there(const struct fleet_run *fleet, struct fw_slice file) {
	FW_AUTO(fw_buf_fini) struct fw_buf path = {0};
	fw_buf_printf(&path, "%s/%.*s", fleet->plan->folder, (int)file.length, file.data);
	return access(path.data, F_OK) == 0;
}

/** Removes the files of those who have left the fleet. False: some are still there. */
static bool prune(struct fleet_run *fleet) {
	size_t errors = fleet->run->diags.errors;
	for (size_t i = 0; i < fleet->leaving.count; i++) {
		const char *name = fleet->leaving.items[i];
		int error = fw_folder_remove(&fleet->folder, name);
		if (error != 0) {
			fw_failure(&fleet->run->diags, "remove-failed", error,
				"cannot remove '%s/%s'", fleet->plan->folder, name);
		} else {
			fleet->removed++;
		}
	}
	return fleet->run->diags.errors == errors;
}

/** A file that belongs to nobody any more. False: it is not to be remembered, either. */
static bool keep_orphan(
	struct fleet_run *fleet, struct fw_slice file, size_t number, struct fw_buf *out) {
	const struct fw_fleet_plan *plan = fleet->plan;
	if (plan->prune && !plan->check) {
		FW_VEC_ADD(&fleet->leaving, fw_arena_text(&fleet->run->arena, file));
		return false;
	}
	fleet->stale |= plan->prune;
	if (number < ORPHANS_SHOWN && (plan->check || !fleet->run->quiet)) {
		add_line(out, fleet, file,
			plan->prune ? "would be removed"
				    : "belongs to no member any more; --prune removes it");
	}
	return true;
}

/**
 * Adds what was known before and is no file of a member by what is compiled now. What other
 * backends wrote for a member stays.
 */
static void add_known(struct fleet_run *fleet, struct fw_manifest *manifest) {
	FW_AUTO(fw_buf_fini) struct fw_buf text = {0};
	FW_VEC(struct fw_manifest_entry) kept = {0};
	size_t orphans = 0;
	for (size_t i = 0; i < fleet->known.entries.count; i++) {
		struct fw_manifest_entry entry = fleet->known.entries.items[i];
		if (fw_manifest_has(manifest, entry.file) || !is_there(fleet, entry.file)) {
			continue;
		}
		if (is_member(fleet, entry.member) ||
			keep_orphan(fleet, entry.file, orphans++, &text)) {
			FW_VEC_ADD(&kept, entry);
		}
	}
	if (text.length != 0 && orphans > ORPHANS_SHOWN) {
		fw_buf_printf(&text, "flowfw: and so are %zu more\n", orphans - ORPHANS_SHOWN);
	}
	fw_members_say(&fleet->members, &text);
	for (size_t i = 0; i < kept.count; i++) {
		fw_manifest_add(manifest, kept.items[i].file, kept.items[i].member);
	}
	FW_VEC_FINI(&kept);
	fw_manifest_sort(manifest);
}

/** Removes what is to be removed, and makes the list of what is left; *out_changed: it is another
 * one than before. */
static void list_files(struct fleet_run *fleet, struct fw_buf *out, bool *out_changed) {
	FW_AUTO(fw_manifest_fini) struct fw_manifest manifest = {0};
	add_members(fleet, &manifest);
	add_known(fleet, &manifest);
	fw_manifest_format(&manifest, fleet->members.fleet.name, out);
	bool needed = manifest.entries.count != 0 || fleet->known.text.length != 0;
	*out_changed =
		needed && !fw_slice_equal(fw_buf_slice(out), fw_buf_slice(&fleet->known.text));
}

/* ---- the folder ---- */

/** False: the error is in the list. */
static bool open_folder(struct fleet_run *fleet) {
	const struct fw_fleet_plan *plan = fleet->plan;
	int error = fw_folder_open(&fleet->folder, plan->folder, !plan->check);
	if (error == ENOENT && plan->check) {
		return true; /* then all would be new */
	}
	if (error != 0) {
		struct fw_diag *diag = fw_failure(&fleet->run->diags, "unreadable-folder", error,
			"cannot open the folder '%s'", plan->folder);
		if (error == EWOULDBLOCK) {
			fw_diag_hint(&fleet->run->diags, diag,
				"another flowfw is at work in it; wait for its end");
		}
		return false;
	}
	fleet->folder_there = true;
	return fw_manifest_read(
		&fleet->known, plan->folder, fleet->members.fleet.name, &fleet->run->diags);
}

static void publish_file(struct fleet_run *fleet, const char *file) {
	int error = fw_folder_publish(&fleet->folder, file);
	if (error != 0 && error != ENOENT) { /* one that did not change was not written */
		fw_failure(&fleet->run->diags, "write-failed", error, "cannot write '%s/%s'",
			fleet->plan->folder, file);
	}
}

static void publish_members(struct fleet_run *fleet) {
	FW_AUTO(fw_buf_fini) struct fw_buf file = {0};
	for (size_t i = 0; i < fw_members_count(&fleet->members); i++) {
		for (size_t j = 0; j < fleet->targets.count; j++) {
			file_name(
				&file, fw_member_at(&fleet->members, i), &fleet->targets.items[j]);
			publish_file(fleet, file.data);
		}
	}
}

/**
 * What leaves goes first, when all that stays is on the disk; then the list, and then the files:
 * rather it names a file that is not there than one is there unnamed.
 */
static void publish(struct fleet_run *fleet, const struct fw_signals *signals, int *out_signal) {
	FW_AUTO(fw_buf_fini) struct fw_buf list = {0};
	bool changed;
	list_files(fleet, &list, &changed);
	fleet->stale |= changed;
	if (fleet->plan->check || (!changed && fleet->members.report.files.written == 0)) {
		return;
	}
	int error = changed ? fw_folder_write(&fleet->folder, FW_MANIFEST, fw_buf_slice(&list)) : 0;
	if (error == 0) {
		error = fw_folder_sync(
			&fleet->folder, (size_t)fleet->members.report.files.written + 1);
	}
	*out_signal = fw_signals_taken(signals);
	if (*out_signal != 0) {
		return;
	}
	if (error == 0) {
		if (prune(fleet)) {
			publish_file(fleet, FW_MANIFEST);
		}
		publish_members(fleet);
		error = fw_folder_finish(&fleet->folder);
	}
	if (error != 0) {
		fw_failure(&fleet->run->diags, "write-failed", error,
			"cannot write into the folder '%s'", fleet->plan->folder);
	}
}

/* ---- the whole ---- */

static void add_count(struct fw_buf *out, size_t count, const char *what) {
	fw_buf_printf(out, "%zu file%s %s", count, fw_plural(count), what);
}

static void add_summary(const struct fleet_run *fleet, struct fw_buf *out) {
	const struct fw_report *report = &fleet->members.report;
	fw_buf_add_text(out, "flowfw: fleet '");
	fw_buf_add_escaped(out, fw_slice(fleet->members.fleet.name));
	fw_buf_add_text(out, "': ");
	if (fleet->plan->check) {
		add_count(out, report->files.stale, "would change");
	} else {
		add_count(out, report->files.written, "written");
	}
	fw_buf_printf(out, ", %u unchanged", report->files.unchanged);
	if (fleet->removed != 0) {
		fw_buf_printf(out, ", %zu removed", fleet->removed);
	}
	if (report->failed != 0) {
		fw_buf_printf(out, "; %zu of %zu member%s failed", report->failed, report->members,
			fw_plural(report->members));
	}
	fw_buf_add_char(out, '\n');
}

static void summarize(struct fleet_run *fleet) {
	FW_AUTO(fw_buf_fini) struct fw_buf text = {0};
	fw_report_failures(&fleet->members.report, &text);
	if (!fleet->run->quiet || fleet->members.report.failed != 0) {
		add_summary(fleet, &text);
	}
	fw_members_say(&fleet->members, &text);
}

static void add_targets(struct fleet_run *fleet) {
	for (size_t i = 0; i < fleet->plan->job_count; i++) {
		const struct fw_job *job = &fleet->plan->jobs[i];
		const char *suffix = job->emitter->suffix;
		if (fw_options_file(&job->options, job->emitter)) {
			const char *second = fw_arena_printf(
				&fleet->run->arena, "%s.%s", suffix, job->emitter->file);
			FW_VEC_ADD(&fleet->targets, (struct target){second, i, true});
		}
		FW_VEC_ADD(&fleet->targets, (struct target){suffix, i, false});
	}
}

/** What holds for all members, and what is wrong with that. */
static bool prepare(struct fleet_run *fleet) {
	struct fw_run *run = fleet->run;
	size_t errors = run->diags.errors;
	for (size_t i = 0; i < fleet->plan->job_count; i++) {
		fw_frame_check(&fleet->plan->jobs[i], &run->diags);
	}
	if (!fw_members_read(&fleet->members, fleet->plan->fleet) || run->diags.errors != errors ||
		!open_folder(fleet)) {
		return false;
	}
	add_targets(fleet);
	return true;
}

/** Returns the signal that ended it early, or 0. */
static int run_held(struct fleet_run *fleet, const struct fw_signals *signals) {
	int taken;
	if (fw_members_run(&fleet->members, fleet->plan->processes, signals, &taken)) {
		FW_AUTO(fw_buf_fini) struct fw_buf warnings = {0};
		fw_report_warnings(&fleet->members.report, &warnings);
		fw_members_say(&fleet->members, &warnings);
		publish(fleet, signals, &taken);
	}
	if (taken == 0) {
		summarize(fleet);
	}
	return taken;
}

enum fw_exit fw_fleet_gen(struct fw_run *run, const struct fw_fleet_plan *plan) {
	struct fleet_run fleet = {.run = run,
		.plan = plan,
		.members = {.run = run, .context = &fleet, .work = compile, .drop = drop}};
	struct fw_signals signals;
	enum fw_exit status = FW_EXIT_FINE;
	int taken = 0;
	int error = fw_signals_hold(&signals);
	if (error != 0) {
		fw_failure(&run->diags, "no-process", error, "cannot wait for signals");
		return FW_EXIT_SYSTEM;
	}
	if (prepare(&fleet)) {
		taken = run_held(&fleet, &signals);
		status = fw_members_status(&fleet.members);
		if (status == FW_EXIT_FINE && plan->check &&
			(fleet.stale || fleet.members.report.files.stale != 0)) {
			status = FW_EXIT_DIFFERS;
		}
	}
	fleet_run_fini(&fleet);
	fw_signals_release(&signals, taken);
	return status;
}
