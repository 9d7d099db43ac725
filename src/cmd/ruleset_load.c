// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A text for nft(8), loaded by it into a network namespace where it harms nobody, and read back
 * from the kernel. What nft says against the text is told at its lines.
 */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/ruleset_sources.h"

/* What nft knows the text by: a file, so that it reads it as one. */
static const char text_name[] = "/proc/self/fd/0";

enum {
	WORDS_MAX = 64 * 1024, /* bytes of what nft says */
	REFUSALS_SHOWN = 10,
};

/* ---- the namespace ---- */

/* Whether a kernel variable is there, and is this. */
static bool is_set_to(const char *path, char value) {
	FW_AUTO(fw_buf_fini) struct fw_buf text = {0};

	return fw_file_head(path, 1, &text) == 0 && text.length == 1 && text.data[0] == value;
}

static void no_namespace(struct fw_run *run, int error, const struct fw_source *text) {
	struct fw_diag *diag = fw_failure(&run->diags, "no-namespace", error,
		"cannot make a network namespace to load '%s' into", text->name);
	if (is_set_to("/proc/sys/kernel/unprivileged_userns_clone", '0')) {
		fw_diag_hint(&run->diags, diag,
			"do it as root, or: sysctl kernel.unprivileged_userns_clone=1");
	} else if (is_set_to("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", '1')) {
		fw_diag_hint(&run->diags, diag,
			"do it as root, or: sysctl "
			"kernel.apparmor_restrict_unprivileged_userns=0");
	} else if (is_set_to("/proc/sys/user/max_user_namespaces", '0')) {
		fw_diag_hint(&run->diags, diag,
			"do it as root, or: sysctl user.max_user_namespaces=1024");
	} else {
		fw_diag_hint(&run->diags, diag,
			"do it as root, where the right to make namespaces was not taken away");
	}
}

/* Returns 0 or an errno value. */
static int write_to(const char *path, const char *text) {
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0) {
		return errno;
	}
	int error = fw_write_all(fd, fw_slice(text));
	close(fd);
	return error;
}

/* With the rights of one's own user namespace, where one has none at home. */
static int enter_as_user(struct fw_arena *arena) {
	/* Root is the only one that keeps its rights when a program is run. */
	const char *user = fw_arena_printf(arena, "0 %u 1", geteuid());
	const char *group = fw_arena_printf(arena, "0 %u 1", getegid());

	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
		return errno;
	}
	int error = write_to("/proc/self/setgroups", "deny");
	if (error == 0) {
		error = write_to("/proc/self/uid_map", user);
	}
	return error != 0 ? error : write_to("/proc/self/gid_map", group);
}

static bool enter_namespace(struct fw_run *run, const struct fw_source *text) {
	int error = unshare(CLONE_NEWNET) != 0 ? errno : 0;

	if (error == EPERM) {
		error = enter_as_user(&run->arena);
	}
	if (error != 0) {
		no_namespace(run, error, text);
	}
	return error == 0;
}

/* ---- what nft says ---- */

static void cut_number(struct fw_slice *rest, uint64_t *out_number) {
	size_t length = 0;

	while (length < rest->length && rest->data[length] >= '0' && rest->data[length] <= '9') {
		length++;
	}
	if (!fw_slice_to_uint((struct fw_slice){rest->data, length}, UINT32_MAX, out_number)) {
		*out_number = 0;
	}
	rest->data += length;
	rest->length -= length;
}

static bool cut_text(struct fw_slice *rest, struct fw_slice text) {
	if (rest->length < text.length || memcmp(rest->data, text.data, text.length) != 0) {
		return false;
	}
	rest->data += text.length;
	rest->length -= text.length;
	return true;
}

/* "12:3-5" of a text; nowhere if there is no such line. */
static struct fw_span cut_span(struct fw_slice *rest, const struct fw_source *text) {
	uint64_t line = 0, first = 0, last = 0;

	cut_number(rest, &line);
	if (cut_text(rest, FW_SLICE(":"))) {
		cut_number(rest, &first);
		last = first;
		if (cut_text(rest, FW_SLICE("-"))) {
			cut_number(rest, &last);
		}
	}
	struct fw_slice lines = text->text, found = {0};
	for (uint64_t i = 0; i < line && lines.data != NULL; i++) {
		found = fw_slice_cut(&lines, '\n');
	}
	if (line == 0 || found.data == NULL) {
		return (struct fw_span){0};
	}
	/* Columns are bytes from 1; before nft 0.9.1 a tab was eight of them. */
	uint32_t start = (uint32_t)(found.data - text->text.data);
	uint64_t from = first == 0 ? 0 : first - 1;
	from = from < found.length ? from : found.length;
	uint64_t to = last < found.length ? last : found.length;
	return (struct fw_span){
		text, start + (uint32_t)from, start + (uint32_t)(to > from ? to : from)};
}

/* "/proc/self/fd/0:" and the place behind it. */
static bool cut_place(
	struct fw_slice *rest, const struct fw_source *text, struct fw_span *out_span) {
	if (!cut_text(rest, fw_slice(text_name)) || !cut_text(rest, FW_SLICE(":"))) {
		return false;
	}
	*out_span = cut_span(rest, text);
	return true;
}

static void refuse(struct fw_run *run, const struct fw_source *text, struct fw_span span,
	struct fw_slice why) {
	struct fw_diag *diag = fw_failure_at(&run->diags, span, "nft-refused", 0,
		"nft does not take '%s': %.*s", text->name, (int)why.length, why.data);

	if (memmem(why.data, why.length, "Interface does not exist", 24) != NULL) {
		fw_diag_hint(&run->diags, diag,
			"where it is loaded to be read, there is no interface but lo; iifname and "
			"oifname in place of iif and oif do not ask for one, and --live reads what "
			"runs");
	} else if (memmem(why.data, why.length, "xtables compat", 14) != NULL) {
		fw_diag_hint(&run->diags, diag,
			"rules of iptables-nft are told by iptables-save, whose text -b iptables "
			"reads; --live asks for it by itself");
	}
}

/* Tells what nft said line by line; what is not said of a line of the text, if nothing else is. */
static void refuse_all(struct fw_run *run, const struct fw_source *text, struct fw_slice words) {
	const struct fw_slice error_mark = FW_SLICE(": Error: ");
	struct fw_slice rest = words;
	struct fw_span includer = {0};
	size_t count = 0;

	while (rest.data != NULL && count < REFUSALS_SHOWN) {
		struct fw_slice line = fw_slice_cut(&rest, '\n'), why = line;
		struct fw_span span = includer;
		if (cut_text(&why, FW_SLICE("In file included from "))) {
			cut_place(&why, text, &includer);
			continue;
		}
		bool own = cut_place(&why, text, &span);
		const char *mark =
			memmem(line.data, line.length, error_mark.data, error_mark.length);
		if (line.length == 0 || mark == NULL) {
			continue;
		}
		if (own) {
			cut_text(&why, error_mark);
		}
		refuse(run, text, span, why);
		count++;
	}
	if (count == 0) {
		refuse(run, text, (struct fw_span){0}, fw_slice_trim(words));
	}
}

static bool says(const struct fw_process *nft, const char *what) {
	return nft->errors.data != NULL && strstr(nft->errors.data, what) != NULL;
}

/* nft ended, and not well. */
static void tell_failure(
	struct fw_run *run, const struct fw_source *text, const struct fw_process *nft) {
	if (!WIFEXITED(nft->status)) {
		fw_failure(&run->diags, "nft-failed", 0, "nft died of '%s' while it loaded '%s'",
			strsignal(WTERMSIG(nft->status)), text->name);
	} else if (says(nft, "Message too long") || says(nft, "No buffer space available")) {
		struct fw_diag *diag = fw_failure(&run->diags, "nft-too-large", 0,
			"'%s' is larger than what nft may load without root's rights", text->name);
		fw_diag_hint(&run->diags, diag, "do it as root, or: sysctl net.core.wmem_max=%zu",
			text->text.length * 4 + ((size_t)1 << 20));
	} else if (says(nft, "Operation not permitted")) {
		no_namespace(run, EPERM, text);
	} else {
		refuse_all(run, text, fw_buf_slice(&nft->errors));
	}
}

/* ---- running it ---- */

static void nft_fini(struct fw_process *nft) {
	fw_buf_fini(&nft->output);
	fw_buf_fini(&nft->errors);
}

/* The folder of a file; NULL: where this process is. */
static const char *folder_of(struct fw_run *run, const char *path) {
	const char *slash = path != NULL ? strrchr(path, '/') : NULL;

	if (slash == NULL) {
		return NULL;
	}
	size_t length = slash != path ? (size_t)(slash - path) : 1;
	return fw_arena_text(&run->arena, (struct fw_slice){path, length});
}

static bool load(struct fw_run *run, const struct fw_source *text, const char *path) {
	const char *const arguments[] = {"nft", "-I", ".", "-f", text_name, NULL};
	FW_AUTO(nft_fini)
	struct fw_process nft = {
		.arguments = arguments,
		.folder = folder_of(run, path),
		.input = text->text,
		.output_max = WORDS_MAX,
		.errors_max = WORDS_MAX,
		.seconds_max = FW_RULESET_SECONDS_MAX,
	};
	int error = fw_process_run(&nft);

	if (error == ENOENT) {
		struct fw_diag *diag =
			fw_failure(&run->diags, "no-program", 0, "there is no program 'nft'");
		fw_diag_hint(&run->diags, diag, "install the package nftables");
	} else if (error == ETIMEDOUT) {
		struct fw_diag *diag = fw_failure(&run->diags, "nft-failed", 0,
			"nft did not end within %d seconds of loading '%s'", FW_RULESET_SECONDS_MAX,
			text->name);
		fw_diag_hint(&run->diags, diag, "'monitor' in a file waits for ever");
	} else if (error != 0) {
		fw_failure(&run->diags, "nft-failed", error, "cannot run nft");
	} else if (nft.status != 0) {
		tell_failure(run, text, &nft);
	}
	return error == 0 && nft.status == 0;
}

/* ---- remarks ---- */

/* Words of a text for nft, one after the other. */
struct scan {
	struct fw_slice rest;
	size_t line;
	bool begins; /* the next word begins a statement */
};

static bool is_of_word(char c) {
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-' || c == '.' || c == '/' || c == '$' || c == '@';
}

/* Where a text in quotes, a comment or one other character ends. */
static size_t other_end(struct fw_slice rest) {
	const char *end = NULL;

	if (rest.data[0] == '"') {
		end = memchr(rest.data + 1, '"', rest.length - 1);
		return end != NULL ? (size_t)(end - rest.data) + 1 : rest.length;
	}
	if (rest.data[0] == '#') {
		end = memchr(rest.data, '\n', rest.length);
		return end != NULL ? (size_t)(end - rest.data) : rest.length;
	}
	return rest.data[0] == '\\' && rest.length > 1 ? 2 : 1;
}

static bool next_word(struct scan *scan, struct fw_slice *out_word, bool *out_begins) {
	while (scan->rest.length != 0) {
		size_t length = 0;
		while (length < scan->rest.length && is_of_word(scan->rest.data[length])) {
			length++;
		}
		bool found = length != 0;
		if (found) {
			*out_word = (struct fw_slice){scan->rest.data, length};
			*out_begins = scan->begins;
			scan->begins = false;
		} else {
			char c = scan->rest.data[0];
			length = other_end(scan->rest);
			scan->begins = c == '\n' || c == ';' || c == '{' || c == '}' ||
				       (scan->begins && (c == ' ' || c == '\t' || c == '#'));
			scan->line += c == '\n';
		}
		scan->rest.data += length;
		scan->rest.length -= length;
		if (found) {
			return true;
		}
	}
	return false;
}

static void add_remark(struct fw_run *run, const struct fw_source *text, size_t line,
	const char *what, struct fw_rulesets *out) {
	FW_VEC_ADD(
		&out->remarks, fw_arena_printf(&run->arena, "%s:%zu: %s", text->name, line, what));
}

/* What a file does beside its own tables when it is loaded in earnest. */
static void find_remarks(
	struct fw_run *run, const struct fw_source *text, struct fw_rulesets *out) {
	struct scan scan = {.rest = text->text, .line = 1, .begins = true};
	struct fw_slice word;
	bool begins, flush = false;

	while (next_word(&scan, &word, &begins)) {
		if (flush && fw_slice_is(word, "ruleset")) {
			add_remark(run, text, scan.line,
				"'flush ruleset' removes what others have loaded", out);
		}
		if (begins && fw_slice_is(word, "include")) {
			add_remark(run, text, scan.line,
				"'include': what other files hold counts, too", out);
		}
		flush = begins && fw_slice_is(word, "flush");
	}
}

bool fw_ruleset_load(struct fw_run *run, const struct fw_source *text, const char *path,
	struct fw_rulesets *out) {
	struct fw_rulesets_part part = {0};
	bool opaque = false;

	if (!enter_namespace(run, text) || !load(run, text, path) ||
		!fw_read_nftables(&run->arena, true, &part.ruleset, &opaque, &run->diags)) {
		return false;
	}
	find_remarks(run, text, out);
	out->lines = fw_ruleset_lines_read(run);
	if (opaque) {
		part.unknown = (struct fw_rb_unknown){.place = {.text = text->name},
			.what = "a rule that only iptables-nft can read"};
	}
	FW_VEC_ADD(&out->list, part);
	return true;
}
