// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * flowfw init: a commented file to start from, for a device, a gateway, a client or a fleet. The
 * text is a template; here its placeholders are filled with values that were checked, and quoted,
 * before anything is written.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"

enum { OPTION_ADMINS = FW_OPTION_OWN, OPTION_FLEET };

/** As long as a site's name may be, in bytes; see flowfw-profile(5). */
enum { SITE_NAME_MAX = 64 };

static const char help[] =
	"usage: flowfw init --profile NAME [--admins LIST] FILE\n"
	"       flowfw init --fleet FILE\n"
	"Writes a commented site or fleet file to start from. FILE must not exist; its\n"
	"name without .yaml becomes the site's or fleet's.\n"
	"\n"
	"  -p, --profile NAME   the shipped profile that the site extends, one of\n"
	"                       'flowfw list profiles'\n"
	"      --admins LIST    who administers the machine: addresses, prefixes or\n"
	"                       ranges with commas between them; asked for on a terminal\n"
	"      --fleet          a fleet file, which names many sites\n"
	"  -h, --help           this text\n"
	"\n"
	"exit: 0 fine, 2 usage, 5 FILE exists or cannot be written. See flowfw(1).\n";

static const struct option options[] = {
	{"profile", required_argument, NULL, 'p'},
	{"admins", required_argument, NULL, OPTION_ADMINS},
	{"fleet", no_argument, NULL, OPTION_FLEET},
	FW_HELP_OPTION,
	{0},
};

struct arguments {
	const char *path;
	const char *admins; /* a list with commas; NULL: not given */
	bool fleet;
};

/* ---- the command line ---- */

static void check_profile(struct fw_run *run) {
	const struct fw_library_row *rows;
	size_t count;
	if (!fw_library_list(
		    &run->arena, &run->library, FW_LIBRARY_PROFILES, &rows, &count, &run->diags)) {
		return;
	}
	FW_VEC(const char *) names = {0};
	bool found = false;
	for (size_t i = 0; i < count; i++) {
		FW_VEC_ADD(&names, rows[i].name);
		found = found || strcmp(rows[i].name, run->request.profile) == 0;
	}
	if (!found) {
		struct fw_diag *diag = fw_usage(&run->diags, "unknown-profile",
			"no profile is named '%s'", run->request.profile);
		fw_diag_suggest(&run->diags, diag, fw_slice(run->request.profile), names.items,
			names.count);
		if (diag->hint == NULL) {
			fw_diag_hint(
				&run->diags, diag, "'flowfw list profiles' shows what there is");
		}
	}
	FW_VEC_FINI(&names);
}

static bool read_arguments(struct fw_run *run, int argc, char *argv[], struct arguments *out) {
	int option;
	while ((option = fw_option_next(run, argc, argv, ":p:h", options)) != -1) {
		if (option == OPTION_ADMINS) {
			out->admins = optarg;
		} else if (option == OPTION_FLEET) {
			out->fleet = true;
		}
	}
	if (!out->fleet) {
		fw_option_need_profile(run, "init");
	} else if (run->request.profile != NULL || out->admins != NULL) {
		fw_usage(&run->diags, "option-conflict",
			"a fleet has neither a profile nor administrators; its sites have");
	}
	if (!fw_options_fine(run)) {
		return false;
	}
	if (optind == argc) {
		fw_usage(&run->diags, "operands", "init needs the name of the file to write");
	} else if (argc - optind > 1) {
		fw_usage(&run->diags, "operands", "init writes one file; '%s' is the second",
			argv[optind + 1]);
	} else {
		out->path = argv[optind];
	}
	if (!out->fleet) {
		check_profile(run);
	}
	return fw_options_fine(run);
}

/* ---- who administers the device ---- */

/** Asks on the terminal, if there is one: the answer, or NULL. */
static const char *ask_admins(struct fw_run *run) {
	if (isatty(STDIN_FILENO) == 0 || isatty(STDERR_FILENO) == 0) {
		return NULL;
	}
	fputs("Who administers it? Addresses, prefixes or ranges, with commas between\n"
	      "them (nothing: decide later): ",
		stderr);
	char *line = NULL;
	size_t size = 0;
	ssize_t length = getline(&line, &size, stdin);
	struct fw_slice answer = {line, length > 0 ? (size_t)length : 0};
	if (answer.length != 0 && answer.data[answer.length - 1] == '\n') {
		answer.length--;
	}
	answer = fw_slice_trim(answer);
	const char *admins = answer.length != 0 ? fw_arena_text(&run->arena, answer) : NULL;
	free(line);
	return admins;
}

static void refuse_admin(struct fw_run *run, struct fw_slice text, enum fw_net_fault fault,
	const struct fw_range *fixed) {
	struct fw_diag *diag = fw_usage(&run->diags, "bad-address", "admins: '%.*s' %s",
		(int)text.length, text.data, fw_net_fault_texts[fault]);
	if (fault == FW_NET_HOST_BITS) {
		FW_AUTO(fw_buf_fini) struct fw_buf hint = {0};
		fw_range_format(fixed, &hint);
		fw_diag_hint(&run->diags, diag, "the network is %s", hint.data);
	}
}

/** Turns the list into the items of a YAML list, quoted where a colon asks for it. */
static void format_admins(struct fw_run *run, const char *list, struct fw_buf *out) {
	struct fw_slice rest = fw_slice(list);
	while (rest.data != NULL) {
		struct fw_slice text = fw_slice_trim(fw_slice_cut(&rest, ','));
		struct fw_range range = {0};
		enum fw_net_fault fault = fw_range_parse(text, &range);
		if (fault != FW_NET_NONE) {
			refuse_admin(run, text, fault, &range);
			continue;
		}
		const char *quote = range.family == FW_IPV6 ? "\"" : "";
		fw_buf_add_text(out, out->length != 0 ? ", " : "");
		fw_buf_add_text(out, quote);
		fw_range_format(&range, out);
		fw_buf_add_text(out, quote);
	}
}

/* ---- the site's name ---- */

/** Whether a profile may hold the text as it is: valid UTF-8 without control characters. */
static bool is_printable(struct fw_run *run, struct fw_slice text) {
	FW_AUTO(fw_diags_fini) struct fw_diags refusals = {0};
	return fw_source_text(&run->arena, "", text, &refusals) != NULL &&
	       memchr(text.data, '\t', text.length) == NULL &&
	       memchr(text.data, '\n', text.length) == NULL &&
	       memchr(text.data, '\r', text.length) == NULL;
}

/** Cuts the text to SITE_NAME_MAX bytes without splitting a character. */
static struct fw_slice shorten(struct fw_slice text) {
	size_t length = text.length < SITE_NAME_MAX ? text.length : SITE_NAME_MAX;
	while (length < text.length && length > 0 &&
		((unsigned char)text.data[length] & 0xc0) == 0x80) {
		length--;
	}
	return (struct fw_slice){text.data, length};
}

/**
 * The site's name as a quoted YAML scalar, so that `on` or `2024` stay text. Where a file's name
 * holds what no profile may, everything but its printable ASCII becomes a hyphen.
 */
static void format_site(struct fw_run *run, const char *path, struct fw_buf *out) {
	struct fw_slice stem = shorten(fw_path_stem(path));
	bool whole = is_printable(run, stem);
	fw_buf_add_char(out, '"');
	for (size_t i = 0; i < stem.length; i++) {
		char c = stem.data[i];
		if (c == '"' || c == '\\') {
			fw_buf_add_char(out, '\\');
		}
		fw_buf_add_char(out, whole || (c >= ' ' && c <= '~') ? c : '-');
	}
	fw_buf_add_char(out, '"');
}

/* ---- the text ---- */

/** The file in templates/ to begin with. What is wrong with a profile of the user's own is for
 * `check` to say. */
static const char *template_name(const struct fw_run *run, bool fleet) {
	static const char *const names[FW_POSITION_COUNT] = {
		[FW_HOST] = "site.yaml",
		[FW_GATEWAY] = "gateway.yaml",
		[FW_CLIENT] = "client.yaml",
	};
	FW_AUTO(fw_arena_fini) struct fw_arena arena = {0};
	FW_AUTO(fw_diags_fini) struct fw_diags diags = {0};
	struct fw_profile profile;
	if (fleet) {
		return "fleet.yaml";
	}
	bool good = fw_profile_load(&arena, &run->library, &run->request, &profile, &diags);
	return names[good ? profile.policy.position : FW_HOST];
}

struct placeholder {
	const char *name; /* begins with '@' */
	struct fw_slice value;
};

static const struct placeholder *placeholder_at(
	struct fw_slice text, const struct placeholder *placeholders) {
	for (const struct placeholder *p = placeholders; p->name != NULL; p++) {
		size_t length = strlen(p->name);
		if (length <= text.length && memcmp(text.data, p->name, length) == 0) {
			return p;
		}
	}
	return NULL;
}

static void fill(struct fw_slice text, const struct placeholder *placeholders, struct fw_buf *out) {
	while (text.length != 0) {
		const struct placeholder *found = placeholder_at(text, placeholders);
		size_t taken = found != NULL ? strlen(found->name) : 1;
		if (found != NULL) {
			fw_buf_add_slice(out, found->value);
		} else {
			fw_buf_add_char(out, text.data[0]);
		}
		text.data += taken;
		text.length -= taken;
	}
}

/**
 * Writes the file. Until the administrators are known, the lines that need them stay comments, with
 * an example instead: `from: admins` would let everybody in.
 */
static void write_starter(
	struct fw_run *run, const struct arguments *arguments, struct fw_slice admins) {
	const char *path = arguments->path;
	const char *source = fw_arena_printf(
		&run->arena, "%s/%s", run->library.templates, template_name(run, arguments->fleet));
	const struct fw_source *starter =
		fw_source_read(&run->arena, source, (struct fw_span){0}, &run->diags);
	if (starter == NULL) {
		return;
	}
	FW_AUTO(fw_buf_fini) struct fw_buf site = {0};
	FW_AUTO(fw_buf_fini) struct fw_buf text = {0};
	format_site(run, path, &site);
	bool known = admins.length != 0;
	const struct placeholder placeholders[] = {
		{"@SITE@", fw_buf_slice(&site)},
		{"@PROFILE@", arguments->fleet ? FW_SLICE("") : fw_slice(run->request.profile)},
		{"@ADMINS@", known ? admins : FW_SLICE("10.20.5.10-10.20.5.20")},
		{"@#@", known ? FW_SLICE("") : FW_SLICE("# ")},
		{0},
	};
	fill(starter->text, placeholders, &text);
	int error = fw_file_create(path, fw_buf_slice(&text));
	if (error != 0) {
		struct fw_diag *diag =
			fw_failure(&run->diags, "write-failed", error, "cannot create '%s'", path);
		if (error == EEXIST) {
			fw_diag_hint(&run->diags, diag, "init never overwrites a file");
		}
	}
}

static enum fw_exit run_init(struct fw_run *run, int argc, char *argv[]) {
	struct arguments arguments = {0};
	if (!read_arguments(run, argc, argv, &arguments)) {
		return FW_EXIT_FINE;
	}
	FW_AUTO(fw_buf_fini) struct fw_buf admins = {0};
	const char *list = arguments.admins;
	if (list == NULL && !arguments.fleet) {
		list = ask_admins(run);
	}
	if (list != NULL) {
		format_admins(run, list, &admins);
	}
	if (fw_options_fine(run)) {
		write_starter(run, &arguments, fw_buf_slice(&admins));
	}
	return FW_EXIT_FINE;
}

const struct fw_command fw_command_init = {"init", help, run_init};
