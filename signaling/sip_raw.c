// SPDX-License-Identifier: GPL-3.0-or-later
// sip_raw.c - lines and their ends (RFC 3261 sections 7 and 18.3).
#include "signaling/sip_raw.h"
#include <errno.h>
#include <string.h>
#include <strings.h>

#define VERSION "SIP/2.0"
#define START_LINE_MAX 8192

size_t sip_raw_head(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] != '\n')
			continue;
		if (i + 1 < len && text[i + 1] == '\n')
			return i + 2;
		if (i + 2 < len && text[i + 1] == '\r' && text[i + 2] == '\n')
			return i + 3;
	}
	return len;
}

static size_t line_end(const char *text, size_t len, size_t at)
{
	const char *end = at < len ? memchr(text + at, '\n', len - at) : NULL;

	return end != NULL ? (size_t)(end - text) + 1 : len;
}

static struct sip_text trimmed(const char *text, size_t from, size_t to)
{
	while (from < to && strchr(" \t\r\n", text[from]) != NULL && text[from] != '\0')
		from++;
	while (to > from && strchr(" \t\r\n", text[to - 1]) != NULL && text[to - 1] != '\0')
		to--;
	return (struct sip_text){ text + from, to - from };
}

bool sip_raw_line_next(const char *head, size_t len, size_t *at, struct sip_raw_line *line)
{
	size_t begin = *at == 0 ? line_end(head, len, 0) : *at, end = line_end(head, len, begin);
	const char *colon;

	while (end < len && (head[end] == ' ' || head[end] == '\t'))
		end = line_end(head, len, end);
	*at = end;
	if (begin >= len)
		return false;
	colon = memchr(head + begin, ':', end - begin);
	if (colon == NULL) { // the empty line, or none that means something
		*line = (struct sip_raw_line){ { head + begin, 0 }, { head + begin, 0 } };
		return true;
	}
	line->name = trimmed(head, begin, (size_t)(colon - head));
	line->value = trimmed(head, (size_t)(colon - head) + 1, end);
	return true;
}

bool sip_text_is(struct sip_text text, const char *word)
{
	return text.len == strlen(word) && memcmp(text.at, word, text.len) == 0;
}

bool sip_raw_is(const struct sip_raw_line *line, const char *name, char compact)
{
	if (line->name.len == 1 && compact != 0)
		return (line->name.at[0] | 0x20) == compact;
	return line->name.len == strlen(name) && strncasecmp(line->name.at, name, line->name.len) == 0;
}

bool sip_raw_header(const char *head, size_t len, const char *name, char compact, struct sip_text *value)
{
	struct sip_raw_line line;

	for (size_t at = 0; sip_raw_line_next(head, len, &at, &line);) {
		if (sip_raw_is(&line, name, compact)) {
			*value = line.value;
			return true;
		}
	}
	return false;
}

struct sip_text sip_raw_user(struct sip_text value)
{
	const char *open = memchr(value.at, '<', value.len), *end = value.at + value.len, *at = open != NULL ? open + 1 : value.at;
	const char *colon = memchr(at, ':', (size_t)(end - at)), *stop;

	if (colon == NULL)
		return (struct sip_text){ at, 0 };
	at = colon + 1;
	stop = memchr(at, '@', (size_t)(end - at));
	if (stop == NULL && end - colon > 1 && colon - value.at >= 3 && strncasecmp(colon - 3, "tel", 3) == 0) {
		for (stop = at; stop < end && strchr(";>, \t", *stop) == NULL; stop++)
			continue;
	}
	return (struct sip_text){ at, stop != NULL ? (size_t)(stop - at) : 0 };
}

// "INVITE sip:... SIP/2.0" or "SIP/2.0 200 OK", as far as it is there.
static bool is_start_line(const char *text, size_t len)
{
	size_t end = line_end(text, len, 0), word = strlen(VERSION);

	if (len == 0 || text[0] < 'A' || text[0] > 'Z')
		return false;
	if (memchr(text, '\n', len) == NULL)
		return len < START_LINE_MAX;
	while (end > 0 && (text[end - 1] == '\n' || text[end - 1] == '\r'))
		end--;
	return (end >= word && strncasecmp(text, VERSION, word) == 0) ||
	       (end >= word && strncasecmp(text + end - word, VERSION, word) == 0);
}

ssize_t sip_raw_message(const char *text, size_t len)
{
	size_t head = sip_raw_head(text, len), body = 0;
	struct sip_text value;

	if (!is_start_line(text, len))
		return -EINVAL;
	if (head < 4 || text[head - 1] != '\n' || (text[head - 2] != '\n' && (text[head - 2] != '\r' || text[head - 3] != '\n')))
		return 0;
	if (sip_raw_header(text, head, "Content-Length", 'l', &value)) {
		for (size_t i = 0; i < value.len; i++) {
			if (value.at[i] < '0' || value.at[i] > '9' || body > (1u << 24))
				return -EINVAL;
			body = body * 10 + (size_t)(value.at[i] - '0');
		}
	}
	return head + body <= len ? (ssize_t)(head + body) : 0;
}
