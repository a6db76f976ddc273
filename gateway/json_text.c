// SPDX-License-Identifier: GPL-3.0-or-later
// json_text.c - UTF-8 by jansson's own judgement, character by character where the whole is not.
#include "gateway/json_text.h"
#include <stdlib.h>
#include <string.h>

// Octets of the character at text by its first one; what follows is judged with it.
static size_t claimed_length(unsigned char first)
{
	return first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
}

static size_t good_length(const char *text, size_t left)
{
	size_t len = claimed_length((unsigned char)*text);
	json_t *one = len <= left ? json_stringn(text, len) : NULL;

	json_decref(one);
	return one != NULL ? len : 0;
}

static json_t *mended(const char *text)
{
	size_t left = strlen(text), n = 0;
	char *copy = malloc(3 * left + 1); // U+FFFD has three octets
	json_t *string;

	if (copy == NULL)
		return NULL;
	while (left > 0) {
		size_t len = good_length(text, left);

		memcpy(copy + n, len > 0 ? text : "\xef\xbf\xbd", len > 0 ? len : 3);
		n += len > 0 ? len : 3;
		text += len > 0 ? len : 1;
		left -= len > 0 ? len : 1;
	}
	string = json_stringn(copy, n);
	free(copy);
	return string;
}

json_t *json_text(const char *text)
{
	json_t *string = json_string(text);

	return string != NULL ? string : mended(text);
}
