// SPDX-License-Identifier: GPL-3.0-or-later
// fuzz_http_request.c - any octets as the head of a request: what is taken is within its bounds and means one thing, what
// has been refused stays refused whatever follows, and a query gives no value that is not printable.
#include "gateway/admin/http_request.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_printable(const char *text, size_t size)
{
	size_t len = strnlen(text, size);

	if (len == size)
		abort();
	for (size_t i = 0; i < len; i++) {
		if (text[i] < 0x20 || text[i] > 0x7e)
			abort();
	}
}

static void check_query(const char *query)
{
	static const char *const names[] = { "limit", "after", "realm", "a" };
	char value[32];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (http_query_value(query, names[i], value, sizeof(value)) == 0)
			check_printable(value, sizeof(value));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_request r, half;
	int n = http_request_parse(&r, (const char *)data, size);

	if (n > (int)size || n > (int)HTTP_HEAD_MAX || (n < 0 && (n > -400 || n < -599)))
		abort();
	if (http_request_parse(&half, (const char *)data, size / 2) < 0 && n >= 0)
		abort();
	if (n <= 0)
		return 0;
	check_printable(r.path, sizeof(r.path));
	check_printable(r.query, sizeof(r.query));
	if (r.path[0] != '/' || strstr(r.path, "//") != NULL || strstr(r.path, "/../") != NULL || r.method >= HTTP_METHOD_COUNT ||
	    r.content_length > HTTP_BODY_MAX)
		abort();
	check_query(r.query);
	return 0;
}
