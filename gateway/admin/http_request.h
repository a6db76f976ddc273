// SPDX-License-Identifier: GPL-3.0-or-later
// http_request.h - the head of one HTTP/1.1 request (RFC 9112): octets in, a request or a refusal out. No I/O.
// Stricter than the RFC where it leaves a choice, since whoever writes to this door is a program of ours or a scraper: CRLF
// alone ends a line, no folded lines, no Transfer-Encoding, origin form alone, nothing in a path that could mean two things.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_HEAD_MAX 16384u
#define HTTP_BODY_MAX (1u << 20)
#define HTTP_PATH_MAX 256
#define HTTP_VALUE_MAX 256

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_PUT, HTTP_DELETE, HTTP_METHOD_COUNT };
extern const char *const http_method_word[HTTP_METHOD_COUNT];

struct http_request {
	enum http_method method;
	char path[HTTP_PATH_MAX];   // decoded, printable, without "." and ".." and empty segments
	char query[HTTP_VALUE_MAX]; // as it came, without the question mark
	// Of headers, what anybody here asks for; empty where there was none.
	char host[HTTP_VALUE_MAX], authorization[HTTP_VALUE_MAX], accept[HTTP_VALUE_MAX], content_type[HTTP_VALUE_MAX],
		origin[HTTP_VALUE_MAX], fetch_site[HTTP_VALUE_MAX], last_event_id[HTTP_VALUE_MAX],
		if_match[HTTP_VALUE_MAX];
	uint64_t content_length; // 0 where it does not say
	bool keep_alive, expects_continue, wants_host; // the last: HTTP/1.1
};

// Octets of the head; 0: it is not whole yet; negative: the status of the refusal, after which the connection cannot go on:
// 400, 413 (body above HTTP_BODY_MAX), 414, 417, 431 (above HTTP_HEAD_MAX), 501, 505.
int http_request_parse(struct http_request *r, const char *bytes, size_t len);

// The value of one parameter of a query, decoded, into `value`. 0; -ENOENT: not there; -EINVAL: malformed, too long, twice.
int http_query_value(const char *query, const char *name, char *value, size_t size);
