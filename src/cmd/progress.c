// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The progress bar: "flowfw: [======>     ] 512 of 1000", as wide as the terminal, within reason.
 */

#include "cmd/progress.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/base.h"

enum {
	WIDTH_MAX = 80, /* columns of the line */
	BAR_MIN = 10,	/* of the part between brackets; without room for that there is none */
	PAUSE_MS = 100,
};

static bool is_terminal(void) {
	const char *kind = getenv("TERM");
	return isatty(STDERR_FILENO) && kind != NULL && strcmp(kind, "dumb") != 0;
}

void fw_progress_init(struct fw_progress *progress, size_t total) {
	*progress = (struct fw_progress){.total = total, .terminal = is_terminal()};
	clock_gettime(CLOCK_MONOTONIC, &progress->drawn); /* what is done at once needs no bar */
}

/** One column is left free: a cursor behind the last one may be on the next line. */
static size_t line_width(void) {
	struct winsize size;
	size_t columns = WIDTH_MAX;
	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col != 0) {
		columns = size.ws_col;
	}
	return (columns < WIDTH_MAX ? columns : WIDTH_MAX) - 1;
}

static void add_bar(struct fw_buf *line, size_t width, size_t done, size_t total) {
	size_t filled = width * done / total;
	fw_buf_add_char(line, '[');
	for (size_t i = 0; i < width; i++) {
		fw_buf_add_char(line, i < filled ? '=' : i == filled ? '>' : ' ');
	}
	fw_buf_add_text(line, "] ");
}

static bool is_too_early(const struct fw_progress *progress, const struct timespec *now) {
	long long passed = (long long)(now->tv_sec - progress->drawn.tv_sec) * 1000 +
			   (now->tv_nsec - progress->drawn.tv_nsec) / 1000000;
	return passed < PAUSE_MS;
}

void fw_progress_show(struct fw_progress *progress, size_t done) {
	struct timespec now;
	if (!progress->terminal || progress->total == 0) {
		return;
	}
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (is_too_early(progress, &now)) {
		return;
	}
	static const char lead[] = "flowfw: ";
	FW_AUTO(fw_buf_fini) struct fw_buf count = {0};
	FW_AUTO(fw_buf_fini) struct fw_buf line = {0};
	fw_buf_printf(&count, "%zu of %zu", done, progress->total);
	size_t width = line_width();
	size_t taken = strlen(lead) + strlen("[] ") + count.length;
	fw_buf_add_text(&line, "\r\033[K");
	if (width >= taken + BAR_MIN) {
		fw_buf_add_text(&line, lead);
		add_bar(&line, width - taken, done, progress->total);
		fw_buf_add_slice(&line, fw_buf_slice(&count));
	} else if (width >= count.length) {
		fw_buf_add_slice(&line, fw_buf_slice(&count));
	}
	(void)fw_write_all(STDERR_FILENO, fw_buf_slice(&line));
	progress->drawn = now;
	progress->shown = true;
}

void fw_progress_hide(struct fw_progress *progress) {
	if (progress->shown) {
		(void)fw_write_all(STDERR_FILENO, FW_SLICE("\r\033[K"));
		progress->shown = false;
	}
}
