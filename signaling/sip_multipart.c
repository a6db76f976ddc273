// SPDX-License-Identifier: GPL-3.0-or-later
// sip_multipart.c - see sip_multipart.h.
#include "signaling/sip_multipart.h"
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#define BOUNDARY_MAX 70u // RFC 2046 section 5.1.1

struct delimiter {
	size_t begin, end; // of its line, with the line break before it, which is no part of the content
	bool last;
};

// Where the line that begins at `at` ends: behind its line break, or at the end of the text.
static size_t line_end(const char *text, size_t len, size_t at)
{
	const char *end = at < len ? memchr(text + at, '\n', len - at) : NULL;

	return end != NULL ? (size_t)(end - text) + 1 : len;
}

static bool is_blank(const char *text, size_t from, size_t to)
{
	for (; from < to; from++) {
		if (strchr(" \t\r\n", text[from]) == NULL || text[from] == '\0')
			return false;
	}
	return true;
}

static bool is_delimiter(const char *text, size_t at, size_t end, const char *boundary, bool *last)
{
	size_t blen = strlen(boundary), rest = at + 2 + blen;

	if (rest > end || memcmp(text + at, "--", 2) != 0 || memcmp(text + at + 2, boundary, blen) != 0)
		return false;
	*last = end - rest >= 2 && memcmp(text + rest, "--", 2) == 0;
	return is_blank(text, *last ? rest + 2 : rest, end);
}

// The first at or behind `from`, which begins a line.
static int find_delimiter(struct delimiter *found, const char *text, size_t len, size_t from, const char *boundary)
{
	for (size_t at = from, end; at < len; at = end) {
		end = line_end(text, len, at);
		if (!is_delimiter(text, at, end, boundary, &found->last))
			continue;
		found->end = end;
		found->begin = at;
		if (found->begin > from)
			found->begin -= found->begin - 1 > from && text[found->begin - 2] == '\r' ? 2 : 1;
		return 0;
	}
	return -EBADMSG;
}

// The value of a header in these lines; NULL: it is not there. Folded lines end where they fold.
static const char *header_value(const struct sip_part *part, const char *name, size_t *len)
{
	size_t nlen = strlen(name);

	for (size_t at = 0, end; at < part->headers_len; at = end) {
		const char *line = part->headers + at;
		size_t colon = nlen;

		end = line_end(part->headers, part->headers_len, at);
		if (end - at <= nlen || strncasecmp(line, name, nlen) != 0)
			continue;
		while (colon < end - at && (line[colon] == ' ' || line[colon] == '\t'))
			colon++;
		if (colon == end - at || line[colon] != ':')
			continue;
		for (colon++; colon < end - at && (line[colon] == ' ' || line[colon] == '\t');)
			colon++;
		*len = end - at - colon;
		while (*len > 0 && strchr(" \t\r\n", line[colon + *len - 1]) != NULL)
			(*len)--;
		return line + colon;
	}
	*len = 0;
	return NULL;
}

// The word before parameters.
static bool word_is(const char *value, size_t len, const char *word)
{
	size_t n = strlen(word);

	return len >= n && strncasecmp(value, word, n) == 0 && (len == n || strchr(" \t;", value[n]) != NULL);
}

static bool begins_with(const char *value, size_t len, const char *word)
{
	return len >= strlen(word) && strncasecmp(value, word, strlen(word)) == 0;
}

bool sip_disposition_required(const char *value, size_t len)
{
	static const char name[] = "handling=";

	for (size_t at = 0; at + sizeof(name) - 1 <= len; at++) {
		if (at > 0 && (value[at - 1] == ';' || isspace((unsigned char)value[at - 1])) &&
		    strncasecmp(value + at, name, sizeof(name) - 1) == 0)
			return !word_is(value + at + sizeof(name) - 1, len - at - (sizeof(name) - 1), "optional");
	}
	return true;
}

static bool is_plain(const struct sip_part *part)
{
	size_t len;
	const char *transfer = header_value(part, "Content-Transfer-Encoding", &len);

	if (transfer != NULL && !word_is(transfer, len, "7bit") && !word_is(transfer, len, "8bit") &&
	    !word_is(transfer, len, "binary"))
		return false;
	return header_value(part, "Content-Encoding", &len) == NULL;
}

static int take_part(struct sip_parts *parts, const char *text, size_t len)
{
	struct sip_part part = { .headers = text, .crosses = true };
	size_t at = 0, end, type_len, disposition_len;

	for (; at < len; at = end) { // headers end with an empty line
		end = line_end(text, len, at);
		if (is_blank(text, at, end))
			break;
	}
	part.headers_len = at;
	part.text = text + (at < len ? line_end(text, len, at) : len);
	part.len = (size_t)(text + len - part.text);
	const char *type = header_value(&part, "Content-Type", &type_len);
	const char *disposition = header_value(&part, "Content-Disposition", &disposition_len);
	bool sdp = type != NULL && word_is(type, type_len, "application/sdp");

	if (sdp && parts->sdp == NULL && is_plain(&part) &&
	    (disposition == NULL || word_is(disposition, disposition_len, "session"))) {
		parts->sdp = part.text;
		parts->sdp_len = part.len;
		return 0;
	}
	if (parts->n_other == SIP_PARTS_MAX)
		return -E2BIG;
	part.required = disposition == NULL || sip_disposition_required(disposition, disposition_len);
	part.crosses = !sdp && (type == NULL || (!begins_with(type, type_len, "multipart/") &&
						 !begins_with(type, type_len, "message/")));
	parts->other[parts->n_other++] = part;
	return 0;
}

int sip_multipart_read(struct sip_parts *parts, const char *boundary, const char *text, size_t len)
{
	struct delimiter this, next;
	int err;

	*parts = (struct sip_parts){ .sdp = NULL };
	if (boundary[0] == '\0' || strlen(boundary) > BOUNDARY_MAX)
		return -EBADMSG;
	err = find_delimiter(&this, text, len, 0, boundary);
	while (err == 0 && !this.last) {
		err = find_delimiter(&next, text, len, this.end, boundary);
		if (err == 0)
			err = take_part(parts, text + this.end, next.begin - this.end);
		this = next;
	}
	return err;
}
