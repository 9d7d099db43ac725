// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What runs in the network namespace of the process. nf_tables tells by netlink what it holds, but
 * for tables whose rules only iptables-nft can read; what those and the older ip_tables hold has to
 * be told by their own programs.
 */

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/ruleset_sources.h"

enum { ERRORS_MAX = 4096, NAMES_MAX = 4096 };

/* A program that tells the rules of one family of one of the two iptables. */
struct teller {
	enum fw_family family;
	bool legacy;
	/* The second one may be of either iptables, and says which. */
	const char *programs[2];
	const char *tables; /* where the kernel tells which tables ip_tables has; or NULL */
};

static const struct teller tellers[] = {
	{FW_IPV4, false, {"iptables-nft-save", "iptables-save"}, NULL},
	{FW_IPV6, false, {"ip6tables-nft-save", "ip6tables-save"}, NULL},
	{FW_IPV4, true, {"iptables-legacy-save", "iptables-save"}, "/proc/net/ip_tables_names"},
	{FW_IPV6, true, {"ip6tables-legacy-save", "ip6tables-save"}, "/proc/net/ip6_tables_names"},
};

struct live {
	struct fw_run *run;
	struct fw_rulesets *out;
	const struct fw_source *texts[FW_LENGTH(tellers)]; /* or NULL */
	const struct fw_source *sets;			   /* what `ipset save` says; or NULL */
};

static bool holds(const struct fw_source *text, const char *word) {
	return text != NULL &&
	       memmem(text->text.data, text->text.length, word, strlen(word)) != NULL;
}

/* ---- programs that tell ---- */

static void process_fini(struct fw_process *process) {
	fw_buf_fini(&process->output);
	fw_buf_fini(&process->errors);
}

static struct fw_slice first_line(const struct fw_buf *text) {
	struct fw_slice rest = fw_buf_slice(text);

	return fw_slice_cut(&rest, '\n');
}

/* What a program prints. NULL: there is none of that name, *out_error is ENOENT; or an error is in
 * the list. */
static const struct fw_source *ask(
	struct fw_run *run, const char *program, const char *argument, int *out_error) {
	const char *const arguments[] = {program, argument, NULL};
	FW_AUTO(process_fini)
	struct fw_process process = {.arguments = arguments,
		.output_max = FW_SOURCE_MAX,
		.errors_max = ERRORS_MAX,
		.seconds_max = FW_RULESET_SECONDS_MAX};
	int error = fw_process_run(&process);

	*out_error = error;
	if (error == ENOENT) {
		return NULL;
	}
	if (error == ETIMEDOUT) {
		fw_failure(&run->diags, "unreadable-rules", 0, "%s did not end within %d seconds",
			program, FW_RULESET_SECONDS_MAX);
		return NULL;
	}
	if (error != 0) {
		fw_failure(&run->diags, "unreadable-rules", error, "cannot run %s", program);
		return NULL;
	}
	if (process.status != 0) {
		struct fw_slice why = first_line(&process.errors);
		fw_failure(&run->diags, "unreadable-rules", 0, "%s fails: %.*s", program,
			(int)why.length, why.length != 0 ? why.data : "");
		return NULL;
	}
	struct fw_slice text = {
		fw_arena_text(&run->arena, fw_buf_slice(&process.output)), process.output.length};
	return fw_source_bytes(&run->arena, program, text, &run->diags);
}

static void no_program(
	struct fw_run *run, const char *program, const char *whose, const char *package) {
	struct fw_diag *diag = fw_failure(&run->diags, "no-program", 0,
		"there is no program '%s' to tell what %s", program, whose);

	fw_diag_hint(&run->diags, diag, "install the package %s", package);
}

/* ---- iptables ---- */

/* Neither is asked where it has no tables, and what it prints of some begins with its name. */
static bool is_from(const struct fw_source *text, bool legacy) {
	struct fw_slice rest = text->text;
	struct fw_slice head = fw_slice_cut(&rest, '\n');
	bool nft = memmem(head.data, head.length, "nf_tables", strlen("nf_tables")) != NULL ||
		   memmem(head.data, head.length, "xtables-save", strlen("xtables-save")) != NULL;

	return head.length != 0 && nft != legacy;
}

static bool ask_teller(struct live *live, size_t which) {
	const struct teller *teller = &tellers[which];
	struct fw_run *run = live->run;
	size_t errors = run->diags.errors;
	int error = ENOENT;

	for (size_t i = 0; i < FW_LENGTH(teller->programs) && live->texts[which] == NULL; i++) {
		const struct fw_source *text = ask(run, teller->programs[i], NULL, &error);
		if (run->diags.errors != errors) {
			return false;
		}
		if (text != NULL && (i == 0 || is_from(text, teller->legacy))) {
			live->texts[which] = text;
		}
	}
	if (live->texts[which] == NULL) {
		no_program(run, teller->programs[0],
			teller->legacy ? "the tables of ip_tables hold"
				       : "the tables of iptables-nft hold",
			"iptables");
	}
	return live->texts[which] != NULL;
}

/* Whether ip_tables has any tables, in *out. Asking their program would make them. Without the
 * module there is no such file; without /proc there is nothing to know it by. */
static bool find_tables(struct fw_run *run, const char *path, bool *out) {
	FW_AUTO(fw_buf_fini) struct fw_buf names = {0};
	int error = fw_file_read(path, NAMES_MAX, &names);

	if (error == ENOENT && access("/proc/net/dev", F_OK) == 0) {
		error = 0;
	}
	if (error != 0) {
		fw_failure(&run->diags, "unreadable-rules", error,
			"cannot tell whether there are rules of iptables-legacy: cannot read '%s'",
			path);
	}
	*out = names.length != 0;
	return error == 0;
}

static bool ask_tellers(struct live *live, bool opaque) {
	for (size_t i = 0; i < FW_LENGTH(tellers); i++) {
		bool needed = opaque;
		if (tellers[i].legacy && !find_tables(live->run, tellers[i].tables, &needed)) {
			return false;
		}
		if (needed && !ask_teller(live, i)) {
			return false;
		}
	}
	return true;
}

static bool ask_sets(struct live *live) {
	int error = 0;
	bool needed = false;

	for (size_t i = 0; i < FW_LENGTH(tellers); i++) {
		needed = needed || holds(live->texts[i], " --match-set ");
	}
	if (!needed) {
		return true;
	}
	live->sets = ask(live->run, "ipset", "save", &error);
	if (live->sets == NULL && error == ENOENT) {
		no_program(live->run, "ipset", "the sets hold that rules ask", "ipset");
	}
	return live->sets != NULL;
}

/* ---- together ---- */

/* A table with rules that only nft could tell is named in a comment, and left out. */
static struct fw_rb_unknown untold(const struct fw_source *text) {
	static const char begins[] = "# Table `", ends[] = "is incompatible";
	struct fw_slice rest = text->text;

	while (rest.data != NULL) {
		struct fw_slice line = fw_slice_cut(&rest, '\n');
		if (line.length > strlen(begins) &&
			memcmp(line.data, begins, strlen(begins)) == 0 &&
			memmem(line.data, line.length, ends, strlen(ends)) != NULL) {
			return (struct fw_rb_unknown){.place = {.text = text->name},
				.what = "a table that neither nft nor iptables-nft can tell"};
		}
	}
	return (struct fw_rb_unknown){0};
}

static bool add_text(struct live *live, size_t which) {
	const struct fw_source *text = live->texts[which];
	const struct teller *teller = &tellers[which];
	struct fw_rulesets_part part = {
		.stands_in = teller->legacy ? FW_FAMILY_NONE : teller->family,
		.unknown = untold(text),
	};

	if (!fw_read_iptables(&live->run->arena, teller->family, false, text, live->sets,
		    &part.ruleset, &live->run->diags)) {
		return false;
	}
	live->out->own_iptables = live->out->own_iptables || holds(text, "FLOWFW-");
	FW_VEC_ADD(&live->out->list, part);
	return true;
}

static void remark_both(struct live *live) {
	bool rules[] = {false, false};

	for (size_t i = 0; i < FW_LENGTH(tellers); i++) {
		rules[tellers[i].legacy] |= holds(live->texts[i], "\n-A ");
	}
	if (rules[false] && rules[true]) {
		FW_VEC_ADD(&live->out->remarks,
			"both iptables have rules: packets pass those of iptables-nft and those of "
			"iptables-legacy, and each shows its own alone");
	}
}

/* Hands over what is wrong. False: it is more than that the kernel has no nf_tables. */
static bool is_missing(const struct fw_diags *diags, struct fw_diags *out) {
	bool missing = true;

	for (size_t i = 0; i < diags->list.count; i++) {
		const struct fw_diag *diag = diags->list.items[i];
		if (strcmp(diag->id, "kernel-missing") == 0) {
			continue;
		}
		missing = false;
		struct fw_diag *copy = fw_failure(out, diag->id, 0, "%s", diag->message);
		if (diag->hint != NULL) {
			fw_diag_hint(out, copy, "%s", diag->hint);
		}
	}
	return missing;
}

/* A kernel without nf_tables has no rules there. */
static bool read_nf_tables(struct live *live, bool *out_opaque) {
	struct fw_run *run = live->run;
	struct fw_rulesets_part part = {0};
	FW_AUTO(fw_diags_fini) struct fw_diags diags = {0};

	if (fw_read_nftables(&run->arena, false, &part.ruleset, out_opaque, &diags)) {
		live->out->lines = fw_ruleset_lines_read(run);
	} else {
		const struct fw_source *nothing =
			fw_source_bytes(&run->arena, "nothing", FW_SLICE(""), &run->diags);
		*out_opaque = false;
		if (!is_missing(&diags, &run->diags) ||
			!fw_read_iptables(&run->arena, FW_IPV4, false, nothing, NULL, &part.ruleset,
				&run->diags)) {
			return false;
		}
	}
	FW_VEC_ADD(&live->out->list, part);
	return true;
}

bool fw_ruleset_read_live(struct fw_run *run, struct fw_rulesets *out) {
	struct live live = {.run = run, .out = out};
	bool opaque = false;

	if (!read_nf_tables(&live, &opaque) || !fw_ruleset_read_own(run, out) ||
		!ask_tellers(&live, opaque) || !ask_sets(&live)) {
		return false;
	}
	for (size_t i = 0; i < FW_LENGTH(tellers); i++) {
		if (live.texts[i] != NULL && !add_text(&live, i)) {
			return false;
		}
	}
	remark_both(&live);
	return true;
}
