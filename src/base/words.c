// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * "Did you mean": the nearest word by optimal string alignment, the edit distance that counts two
 * swapped neighbours as one slip. Only distances up to a limit matter, so most candidates fall out
 * by their length or after a few rows.
 */

#include <string.h>

#include "base/base.h"

/* Nobody mistypes a word this long and wants it guessed; it also bounds the rows on the stack. */
enum { WORD_MAX = 64 };

static size_t least(size_t a, size_t b) {
	return a < b ? a : b;
}

/**
 * One row of the table of distances between beginnings: word[0..i] against every beginning of
 * `other`. `above` and `two_above` are the rows of i - 1 and i - 2 (which i == 0 doesn't read).
 * Returns the smallest distance in the row.
 */
static size_t fill_row(struct fw_slice word, size_t i, struct fw_slice other,
	const size_t *two_above, const size_t *above, size_t *row) {
	row[0] = i + 1;
	size_t smallest = row[0];
	for (size_t j = 0; j < other.length; j++) {
		size_t distance = above[j] + (word.data[i] != other.data[j]);
		distance = least(distance, least(above[j + 1], row[j]) + 1);
		if (i > 0 && j > 0 && word.data[i] == other.data[j - 1] &&
			word.data[i - 1] == other.data[j]) {
			distance = least(distance, two_above[j - 1] + 1);
		}
		row[j + 1] = distance;
		smallest = least(smallest, distance);
	}
	return smallest;
}

/** The distance between two words of at most WORD_MAX bytes, or limit + 1 where it is over. */
static size_t distance_within(struct fw_slice word, struct fw_slice other, size_t limit) {
	size_t longer = word.length > other.length ? word.length : other.length;
	if (longer - least(word.length, other.length) > limit) {
		return limit + 1;
	}
	size_t rows[3][WORD_MAX + 1];
	for (size_t j = 0; j <= other.length; j++) {
		rows[0][j] = j;
	}
	size_t smallest_above = 0;
	for (size_t i = 0; i < word.length; i++) {
		size_t smallest =
			fill_row(word, i, other, rows[(i + 2) % 3], rows[i % 3], rows[(i + 1) % 3]);
		/* A swap reaches over one row, so both of the last two have to be past the limit.
		 */
		if (smallest > limit && smallest_above > limit) {
			return limit + 1;
		}
		smallest_above = smallest;
	}
	return least(rows[word.length % 3][other.length], limit + 1);
}

const char *fw_nearest(struct fw_slice word, const char *const *candidates, size_t count) {
	if (word.length > WORD_MAX) {
		return NULL;
	}
	const char *nearest = NULL;
	size_t bound = (word.length >= 3 ? word.length / 3 : 1) + 1; /* to stay under */
	for (size_t i = 0; i < count && bound != 0; i++) {
		if (candidates[i] == NULL) {
			continue;
		}
		struct fw_slice other = {candidates[i], strnlen(candidates[i], WORD_MAX + 1)};
		if (other.length > WORD_MAX) {
			continue;
		}
		size_t distance = distance_within(word, other, bound - 1);
		if (distance < bound) {
			nearest = candidates[i];
			bound = distance;
		}
	}
	return nearest;
}
