// SPDX-License-Identifier: GPL-3.0-or-later
// http_request.c - request line and headers in the order of RFC 9112.
#include "gateway/admin/http_request.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

const char *const http_method_word[HTTP_METHOD_COUNT] = { "GET", "HEAD", "POST", "PUT", "DELETE" };

struct span {
	const char *at;
	size_t len;
};

static bool span_is(struct span s, const char *word)
{
	return s.len == strlen(word) && memcmp(s.at, word, s.len) == 0;
}

// RFC 9110 section 5.6.2
static bool is_token_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_token(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (!is_token_char(s.at[i]))
			return false;
	}
	return s.len > 0;
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// Percent-encoding undone. What is left must be printable ASCII; `never` are characters that may not come so.
static int decode(char *dst, size_t size, struct span s, const char *never)
{
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++) {
		int c = (unsigned char)s.at[i];

		if (c == '%') {
			if (i + 2 >= s.len || hex(s.at[i + 1]) < 0 || hex(s.at[i + 2]) < 0)
				return -EINVAL;
			c = hex(s.at[i + 1]) << 4 | hex(s.at[i + 2]);
			if (c == '\0' || strchr(never, c) != NULL)
				return -EINVAL;
			i += 2;
		}
		if (c < 0x20 || c > 0x7e)
			return -EINVAL;
		if (n + 1 >= size)
			return -EMSGSIZE;
		dst[n++] = (char)c;
	}
	dst[n] = '\0';
	return 0;
}

// "/v1//x", "/v1/./x" and "/v1/../x" are nobody's path here.
static bool has_odd_segment(const char *path)
{
	for (const char *at = path; *at == '/'; at += 1 + strcspn(at + 1, "/")) {
		size_t len = strcspn(at + 1, "/");

		if (len == 0 && at[1] == '/')
			return true;
		if ((len == 1 && at[1] == '.') || (len == 2 && at[1] == '.' && at[2] == '.'))
			return true;
	}
	return false;
}

static int read_target(struct http_request *r, struct span target)
{
	const char *mark = memchr(target.at, '?', target.len);
	struct span path = { target.at, mark != NULL ? (size_t)(mark - target.at) : target.len };
	size_t query = mark != NULL ? target.len - path.len - 1 : 0;
	int err;

	if (target.len == 0 || target.at[0] != '/') // RFC 9112 section 3.2.1: not for a proxy, not "*"
		return -400;
	for (size_t i = 0; i < target.len; i++) {
		if (target.at[i] <= 0x20 || target.at[i] >= 0x7f || target.at[i] == '#')
			return -400;
	}
	err = decode(r->path, sizeof(r->path), path, "/%\\");
	if (err == -EMSGSIZE || query >= sizeof(r->query))
		return -414;
	if (err < 0 || has_odd_segment(r->path))
		return -400;
	memcpy(r->query, mark != NULL ? mark + 1 : "", query);
	r->query[query] = '\0';
	return 0;
}

static int read_request_line(struct http_request *r, struct span line)
{
	const char *first = memchr(line.at, ' ', line.len);
	const char *last = first != NULL ? memrchr(line.at, ' ', line.len) : NULL;
	struct span method, version;

	if (first == NULL || last == first)
		return -400;
	method = (struct span){ line.at, (size_t)(first - line.at) };
	version = (struct span){ last + 1, (size_t)(line.at + line.len - last - 1) };
	if (!is_token(method))
		return -400;
	if (!span_is(version, "HTTP/1.1") && !span_is(version, "HTTP/1.0"))
		return version.len == 8 && memcmp(version.at, "HTTP/", 5) == 0 ? -505 : -400;
	r->keep_alive = r->wants_host = span_is(version, "HTTP/1.1");
	for (r->method = 0; r->method < HTTP_METHOD_COUNT; r->method++) {
		if (span_is(method, http_method_word[r->method]))
			return read_target(r, (struct span){ first + 1, (size_t)(last - first - 1) });
	}
	return -501;
}

static int read_length(uint64_t *length, struct span value)
{
	*length = 0;
	if (value.len == 0)
		return -400;
	for (size_t i = 0; i < value.len; i++) {
		if (value.at[i] < '0' || value.at[i] > '9')
			return -400;
		*length = *length * 10 + (uint64_t)(value.at[i] - '0');
		if (*length > HTTP_BODY_MAX)
			return -413;
	}
	return 0;
}

enum header { HEADER_HOST, HEADER_AUTHORIZATION, HEADER_ACCEPT, HEADER_CONTENT_TYPE, HEADER_ORIGIN, HEADER_FETCH_SITE, HEADER_IF_MATCH, HEADER_LAST_EVENT_ID,
	      HEADER_LENGTH, HEADER_CONNECTION, HEADER_EXPECT, HEADER_TRANSFER, HEADERS };

static const struct header_name {
	const char *name;
	size_t offset; // of its text; 0: has none
} header_names[HEADERS] = {
	[HEADER_HOST] = { "host", offsetof(struct http_request, host) },
	[HEADER_AUTHORIZATION] = { "authorization", offsetof(struct http_request, authorization) },
	[HEADER_ACCEPT] = { "accept", offsetof(struct http_request, accept) },
	[HEADER_CONTENT_TYPE] = { "content-type", offsetof(struct http_request, content_type) },
	[HEADER_ORIGIN] = { "origin", offsetof(struct http_request, origin) },
	[HEADER_IF_MATCH] = { "if-match", offsetof(struct http_request, if_match) },
	[HEADER_FETCH_SITE] = { "sec-fetch-site", offsetof(struct http_request, fetch_site) },
	[HEADER_LAST_EVENT_ID] = { "last-event-id", offsetof(struct http_request, last_event_id) },
	[HEADER_LENGTH] = { "content-length", 0 },
	[HEADER_CONNECTION] = { "connection", 0 },
	[HEADER_EXPECT] = { "expect", 0 },
	[HEADER_TRANSFER] = { "transfer-encoding", 0 },
};

static enum header header_of(struct span name)
{
	enum header h = 0;

	while (h < HEADERS && (name.len != strlen(header_names[h].name) ||
			       strncasecmp(name.at, header_names[h].name, name.len) != 0))
		h++;
	return h;
}

static bool span_is_word(struct span s, const char *word)
{
	return s.len == strlen(word) && strncasecmp(s.at, word, s.len) == 0;
}

static int take_header(struct http_request *r, enum header h, struct span value)
{
	switch (h) {
	case HEADER_LENGTH:
		return read_length(&r->content_length, value);
	case HEADER_CONNECTION:
		r->keep_alive = r->keep_alive && !span_is_word(value, "close");
		return 0;
	case HEADER_EXPECT:
		r->expects_continue = span_is_word(value, "100-continue");
		return r->expects_continue ? 0 : -417;
	case HEADER_TRANSFER: // two ways to say where a body ends are one too many
		return -501;
	default:
		if (value.len >= HTTP_VALUE_MAX)
			return -431;
		memcpy((char *)r + header_names[h].offset, value.at, value.len); // was zeroed
		return 0;
	}
}

static int read_header(struct http_request *r, struct span line, unsigned *seen)
{
	const char *colon = memchr(line.at, ':', line.len);
	struct span name, value;
	enum header h;

	if (colon == NULL)
		return -400;
	name = (struct span){ line.at, (size_t)(colon - line.at) };
	if (!is_token(name)) // nor is a folded line one (RFC 9112 section 5.2)
		return -400;
	value = (struct span){ colon + 1, (size_t)(line.at + line.len - colon - 1) };
	while (value.len > 0 && (value.at[0] == ' ' || value.at[0] == '\t'))
		value.at++, value.len--;
	while (value.len > 0 && (value.at[value.len - 1] == ' ' || value.at[value.len - 1] == '\t'))
		value.len--;
	for (size_t i = 0; i < value.len; i++) {
		if ((unsigned char)value.at[i] < 0x20 && value.at[i] != '\t')
			return -400;
	}
	h = header_of(name);
	if (h == HEADERS)
		return 0;
	if ((*seen & 1u << h) != 0 && h != HEADER_CONNECTION)
		return -400; // which of the two would count?
	*seen |= 1u << h;
	return take_header(r, h, value);
}

// CRLF alone: a lone LF or CR, and a NUL, are where parsers begin to differ.
static int next_line(struct span *line, const char **at, const char *end)
{
	const char *stop = *at;

	while (stop < end && *stop != '\r' && *stop != '\n' && *stop != '\0')
		stop++;
	if (end - stop < 2 || stop[0] != '\r' || stop[1] != '\n')
		return -400;
	*line = (struct span){ *at, (size_t)(stop - *at) };
	*at = stop + 2;
	return 0;
}

static int read_head(struct http_request *r, const char *bytes, const char *end)
{
	const char *at = bytes;
	struct span line;
	unsigned seen = 0;
	int err = next_line(&line, &at, end);

	if (err == 0)
		err = read_request_line(r, line);
	while (err == 0) {
		err = next_line(&line, &at, end);
		if (err == 0 && line.len == 0)
			break;
		if (err == 0)
			err = read_header(r, line, &seen);
	}
	if (err == 0 && (seen & 1u << HEADER_HOST) == 0 && r->wants_host) // RFC 9112 section 3.2
		err = -400;
	return err;
}

// What will be refused whatever comes need not be waited for.
static bool has_bad_line_end(const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == '\0' || (bytes[i] == '\n' && (i == 0 || bytes[i - 1] != '\r')) ||
		    (bytes[i] == '\r' && i + 1 < len && bytes[i + 1] != '\n'))
			return true;
	}
	return false;
}

int http_request_parse(struct http_request *r, const char *bytes, size_t len)
{
	size_t look = len < HTTP_HEAD_MAX ? len : HTTP_HEAD_MAX;
	const char *blank = memmem(bytes, look, "\r\n\r\n", 4);
	int err;

	memset(r, 0, sizeof(*r));
	if (blank == NULL)
		return has_bad_line_end(bytes, look) ? -400 : len >= HTTP_HEAD_MAX ? -431 : 0;
	err = read_head(r, bytes, blank + 4);
	return err < 0 ? err : (int)(blank + 4 - bytes);
}

int http_query_value(const char *query, const char *name, char *value, size_t size)
{
	size_t len = strlen(name);
	bool found = false;

	for (const char *at = query; *at != '\0'; at += at[0] == '&') {
		size_t whole = strcspn(at, "&");

		if (whole > len && at[len] == '=' && memcmp(at, name, len) == 0) {
			if (found || decode(value, size, (struct span){ at + len + 1, whole - len - 1 }, "") < 0)
				return -EINVAL;
			found = true;
		}
		at += whole;
	}
	return found ? 0 : -ENOENT;
}
