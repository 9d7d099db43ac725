// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The verdict on a rule set, see prove.h.
 */

#include "cmd/prove.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the proof ---- */

bool fw_prove_find(struct fw_prove *prove, struct fw_run *run) {
	struct fw_changes *changes = &prove->changes;

	if (!fw_rulesets_read(run, &prove->input, &prove->rulesets)) {
		return false;
	}
	if (prove->family != FW_FAMILY_NONE) {
		prove->rulesets.family = prove->family;
	}
	changes->sides[FW_BEFORE].label = prove->policy->name;
	changes->sides[FW_BEFORE].policy = prove->policy;
	changes->sides[FW_AFTER].label = prove->label;
	changes->sides[FW_AFTER].rulesets = &prove->rulesets;
	changes->limit = prove->limit;
	changes->scope = fw_changes_scope(changes->sides);
	return fw_changes_find(changes, run);
}

void fw_prove_fini(struct fw_prove *prove) {
	fw_changes_fini(&prove->changes);
	fw_rulesets_fini(&prove->rulesets);
}

enum fw_exit fw_prove_exit(const struct fw_prove *prove) {
	return fw_changes_exit(&prove->changes);
}

const char *fw_prove_verdict(const struct fw_prove *prove) {
	switch (fw_prove_exit(prove)) {
	case FW_EXIT_FINE:
		return "proven";
	case FW_EXIT_UNPROVEN:
		return "unproven";
	default:
		return "different";
	}
}

/* ---- in words ---- */

static void add_proven(const struct fw_prove *prove, struct fw_buf *out) {
	const struct fw_change_section *stricter = &prove->changes.sections[FW_ROWS_STRICTER];
	enum fw_family family = prove->rulesets.family;
	size_t count = stricter->count + stricter->left_out;

	fw_buf_add_text(out, "proven");
	if (family != FW_FAMILY_NONE) {
		fw_buf_printf(out, " for %s", fw_family_names[family]);
	}
	fw_buf_add_text(out, "; it does what ");
	fw_buf_add_escaped(out, fw_slice(prove->policy->name));
	fw_buf_add_text(out, " says");
	if (count != 0) {
		fw_buf_printf(out, ", and %zu limit%s %s stricter", count, fw_plural(count),
			count == 1 ? "is" : "are");
	}
}

static void add_unproven(const struct fw_prove *prove, struct fw_buf *out) {
	size_t count = prove->changes.unknowns.count;

	fw_buf_printf(out, "unproven; %zu thing%s in it %s not understood", count, fw_plural(count),
		count == 1 ? "is" : "are");
}

/* Whether any rule of flowfw's own decides anything. */
static bool is_flowfw(const struct fw_prove *prove) {
	const struct fw_readback *readback = &prove->changes.sides[FW_AFTER].readback;
	bool own = false;

	for (size_t i = 0; !own && i < readback->decision_count; i++) {
		own = !readback->decisions[i].foreign;
	}
	return own;
}

static void add_different(const struct fw_prove *prove, struct fw_buf *out) {
	bool live = prove->input.kind == FW_RULESET_LIVE;

	fw_buf_add_text(out, "different from ");
	fw_buf_add_escaped(out, fw_slice(prove->policy->name));
	if (!is_flowfw(prove)) {
		fw_buf_add_text(out,
			live ? "; no rule of flowfw is in force" : "; no rule in it is flowfw's");
	}
}

void fw_prove_text(const struct fw_prove *prove, struct fw_buf *out) {
	fw_buf_add_escaped(out, fw_slice(prove->label));
	fw_buf_add_text(out, ": ");
	switch (fw_prove_exit(prove)) {
	case FW_EXIT_FINE:
		add_proven(prove, out);
		break;
	case FW_EXIT_UNPROVEN:
		add_unproven(prove, out);
		break;
	default:
		add_different(prove, out);
		break;
	}
	fw_buf_add_char(out, '\n');
	if (fw_prove_exit(prove) != FW_EXIT_FINE) {
		fw_changes_text_sections(&prove->changes, out);
	}
}

/* ---- what a backend made ---- */

enum {
	ROWS = 5,	 /* of each kind that is told on standard error */
	MISTAKES = 10,	 /* that are handed over */
	TEXT_MAX = 8192, /* of rows */
};

bool fw_prove_input(const struct fw_job *job, struct fw_ruleset_input *out) {
	static const struct {
		const char *backend;
		enum fw_ruleset_kind kind;
	} kinds[] = {
		{"nftables", FW_RULESET_NFTABLES},
		{"iptables", FW_RULESET_IPTABLES},
		{"ip6tables", FW_RULESET_IP6TABLES},
		{"pf", FW_RULESET_PF},
	};

	for (size_t i = 0; i < FW_LENGTH(kinds); i++) {
		if (strcmp(job->emitter->name, kinds[i].backend) == 0) {
			*out = (struct fw_ruleset_input){.kind = kinds[i].kind};
		}
	}
	if (out->kind == FW_RULESET_PF) {
		out->anchor = strcmp(job->spec->name, "anchor") == 0;
		if (strcmp(fw_options_get(&job->options, job->emitter, "dialect"), "freebsd") ==
			0) {
			out->kind = FW_RULESET_PF_FREEBSD;
		}
	}
	return out->kind != FW_RULESET_NONE;
}

/* What the process that proves hands over: this, mistakes, and then rows in words. */
struct head {
	enum fw_exit status;
	uint32_t mistakes;
};

/* A mistake; then its id, message and hint, each with a NUL behind it. */
struct mistake {
	uint32_t start, end; /* of the rules */
	bool placed, hinted;
};

/* ---- in the process that proves ---- */

static void hand_over_mistakes(const struct fw_diags *diags, struct fw_buf *out, uint32_t *count) {
	for (size_t i = 0; i < diags->list.count && *count < MISTAKES; i++) {
		const struct fw_diag *diag = diags->list.items[i];
		const struct mistake mistake = {.start = diag->span.start,
			.end = diag->span.end,
			.placed = diag->span.source != NULL,
			.hinted = diag->hint != NULL};
		if (diag->level != FW_ERROR) {
			continue;
		}
		fw_buf_add(out, &mistake, sizeof(mistake));
		fw_buf_add(out, diag->id, strlen(diag->id) + 1);
		fw_buf_add(out, diag->message, strlen(diag->message) + 1);
		fw_buf_add(out, mistake.hinted ? diag->hint : "",
			mistake.hinted ? strlen(diag->hint) + 1 : 1);
		(*count)++;
	}
}

static void prove_in_process(const struct fw_emitted *emitted, struct fw_buf *out) {
	struct fw_run run = {0};
	struct fw_prove prove = {.policy = emitted->policy, .label = emitted->label, .limit = ROWS};
	struct head head = {.status = FW_EXIT_SYSTEM};
	FW_AUTO(fw_buf_fini) struct fw_buf mistakes = {0};
	FW_AUTO(fw_buf_fini) struct fw_buf text = {0};

	fw_prove_input(emitted->job, &prove.input);
	prove.input.text = fw_source_bytes(&run.arena, emitted->label, emitted->rules, &run.diags);
	if (fw_options_file(&emitted->job->options, emitted->job->emitter)) {
		prove.input.sets =
			fw_source_bytes(&run.arena, emitted->label, emitted->sets, &run.diags);
	}
	if (fw_prove_find(&prove, &run)) {
		head.status = fw_prove_exit(&prove);
		fw_prove_text(&prove, &text);
	}
	hand_over_mistakes(&run.diags, &mistakes, &head.mistakes);
	fw_buf_add(out, &head, sizeof(head));
	fw_buf_add_slice(out, fw_buf_slice(&mistakes));
	fw_buf_add_slice(out, fw_buf_slice(&text));
	fw_prove_fini(&prove);
	fw_diags_fini(&run.diags);
	fw_arena_fini(&run.arena);
}

static _Noreturn void serve(const struct fw_emitted *emitted, int fd, pid_t parent) {
	FW_AUTO(fw_buf_fini) struct fw_buf result = {0};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == parent) {
		prove_in_process(emitted, &result);
		(void)fw_write_all(fd, fw_buf_slice(&result));
	}
	_exit(EXIT_SUCCESS);
}

/* ---- in the one that asks ---- */

static int read_all(int fd, struct fw_buf *out) {
	enum { CHUNK = 4096 };
	ssize_t got;

	while ((got = TEMP_FAILURE_RETRY(read(fd, fw_buf_reserve(out, CHUNK), CHUNK))) > 0) {
		fw_buf_grew(out, (size_t)got);
	}
	return got < 0 ? errno : 0;
}

/* Returns 0 or an errno value; ECANCELED: the process died. */
static int ask(const struct fw_emitted *emitted, struct fw_buf *result) {
	int ends[2], status = 0;
	pid_t parent = getpid();

	if (pipe2(ends, O_CLOEXEC) != 0) {
		return errno;
	}
	/* Where it is ignored, nobody is told how a child ended. */
	void (*before)(int) = signal(SIGCHLD, SIG_DFL);
	pid_t pid = fork();
	if (pid == 0) {
		close(ends[0]);
		serve(emitted, ends[1], parent);
	}
	int error = pid < 0 ? errno : 0;
	close(ends[1]);
	if (error == 0) {
		error = read_all(ends[0], result);
	}
	close(ends[0]);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
	}
	signal(SIGCHLD, before);
	return error == 0 && (status != 0 || result->length < sizeof(struct head)) ? ECANCELED
										   : error;
}

static const char *cut_string(struct fw_slice *rest) {
	const char *text = rest->data;
	size_t length = strlen(text) + 1;

	rest->data += length;
	rest->length -= length;
	return text;
}

static void take(struct fw_slice *rest, void *out, size_t size) {
	memcpy(out, rest->data, size);
	rest->data += size;
	rest->length -= size;
}

/* Its lines are shown when the rules are gone. */
static const struct fw_source *keep_rules(
	const struct fw_emitted *emitted, struct fw_diags *diags) {
	struct fw_slice text = {
		fw_arena_text(&diags->arena, emitted->rules), emitted->rules.length};

	return fw_source_bytes(
		&diags->arena, fw_arena_text(&diags->arena, fw_slice(emitted->label)), text, diags);
}

static void take_mistakes(const struct fw_emitted *emitted, uint32_t count, struct fw_slice *rest,
	struct fw_diags *diags) {
	const struct fw_source *source = NULL;

	for (uint32_t i = 0; i < count; i++) {
		struct mistake mistake;
		struct fw_span span = {0};
		take(rest, &mistake, sizeof(mistake));
		if (mistake.placed) {
			source = source != NULL ? source : keep_rules(emitted, diags);
			span = (struct fw_span){source, mistake.start, mistake.end};
		}
		const char *id = fw_arena_text(&diags->arena, fw_slice(cut_string(rest)));
		struct fw_diag *diag = fw_failure_at(diags, span, id, 0, "%s", cut_string(rest));
		const char *hint = cut_string(rest);
		if (mistake.hinted) {
			fw_diag_hint(diags, diag, "%s", hint);
		}
	}
}

/* Whole lines, as many as are bearable. */
static void add_lines(struct fw_buf *out, struct fw_slice text) {
	bool cut = text.length > TEXT_MAX;

	while (text.length > TEXT_MAX ||
		(cut && text.length != 0 && text.data[text.length - 1] != '\n')) {
		text.length--;
	}
	fw_buf_add_slice(out, text);
	if (cut) {
		fw_buf_add_text(out, "...\n");
	}
}

static void tell(const struct fw_emitted *emitted, enum fw_exit status, struct fw_slice text,
	struct fw_diags *diags, struct fw_buf *out) {
	bool unproven = status == FW_EXIT_UNPROVEN;
	struct fw_diag *diag = fw_finding(diags, (struct fw_span){0}, "not-proven",
		unproven ? "the rule set of '%s' is not proven to do what the profile says, and is "
			   "not written"
			 : "the rule set of '%s' does something else than the profile says, and "
			   "is not written",
		emitted->policy->name);

	if (unproven) {
		diag->fault = FW_FAULT_UNPROVEN;
	}
	fw_diag_hint(diags, diag,
		"rules of a --template count, too; if there are none, please report it as a "
		"defect of flowfw");
	add_lines(out, text);
}

bool fw_prove_emitted(
	const struct fw_emitted *emitted, struct fw_diags *diags, struct fw_buf *out) {
	FW_AUTO(fw_buf_fini) struct fw_buf result = {0};
	struct head head;
	int error = ask(emitted, &result);

	if (error != 0) {
		fw_failure(diags, "process-lost", error == ECANCELED ? 0 : error,
			error == ECANCELED ? "the process that proves '%s' ended too early"
					   : "cannot start a process that proves '%s'",
			emitted->label);
		return false;
	}
	struct fw_slice rest = fw_buf_slice(&result);
	take(&rest, &head, sizeof(head));
	take_mistakes(emitted, head.mistakes, &rest, diags);
	if (head.mistakes == 0 && head.status != FW_EXIT_FINE) {
		tell(emitted, head.status, rest, diags, out);
	}
	return head.mistakes == 0 && head.status == FW_EXIT_FINE;
}
