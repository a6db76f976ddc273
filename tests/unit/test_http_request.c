// SPDX-License-Identifier: GPL-3.0-or-later
// test_http_request.c - heads that are taken, as what; heads that are refused, with which status; heads that come in pieces.
#include "gateway/admin/http_request.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

// In memory of just that size, so that a sanitizer sees a step beyond.
static int parse(struct http_request *r, const char *text, size_t len)
{
	char *copy = malloc(len + 1);
	int n;

	assert_non_null(copy);
	memcpy(copy, text, len);
	n = http_request_parse(r, copy, len);
	free(copy);
	return n;
}

static void a_whole_head(void **state)
{
	static const char text[] = "PUT /v1/calls/a%20b?limit=3&x=%41 HTTP/1.1\r\nhost: gw:8780\r\nAuthorization:  Bearer  t\t \r\n"
				   "X-Unknown: \x80\xff\r\nContent-Length: 12\r\ncontent-TYPE: application/json\r\n"
				   "Expect: 100-Continue\r\nConnection: close\r\n\r\nbody";
	struct http_request r;

	assert_int_equal(parse(&r, text, sizeof(text) - 1), sizeof(text) - 1 - 4);
	assert_int_equal(r.method, HTTP_PUT);
	assert_string_equal(r.path, "/v1/calls/a b");
	assert_string_equal(r.query, "limit=3&x=%41");
	assert_string_equal(r.host, "gw:8780");
	assert_string_equal(r.authorization, "Bearer  t");
	assert_string_equal(r.content_type, "application/json");
	assert_int_equal(r.content_length, 12);
	assert_true(r.expects_continue);
	assert_false(r.keep_alive);
	assert_int_equal(parse(&r, "GET / HTTP/1.0\r\n\r\n", 18), 18);
	assert_false(r.keep_alive);
}

static void pieces_say_nothing_yet(void **state)
{
	static const char text[] = "GET /metrics HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n";
	struct http_request r;

	for (size_t n = 0; n < sizeof(text) - 1; n++)
		assert_int_equal(parse(&r, text, n), 0);
	assert_int_equal(parse(&r, text, sizeof(text) - 1), sizeof(text) - 1);
}

static void refusals(void **state)
{
#define HOST "Host: a\r\n"
	static const struct {
		const char *text;
		int status;
	} rows[] = {
		{ "GET /\r\n\r\n", 400 }, { "GET / HTTP/1.1\r\n\r\n", 400 }, { "GET / HTTP/1.1\r\nConnection: close\r\n\r\n", 400 },
		{ " GET / HTTP/1.1\r\n" HOST "\r\n", 400 }, { "GET / HTTP/1.1 \r\n" HOST "\r\n", 400 },
		{ "GET / HTTP/1.2\r\n" HOST "\r\n", 505 }, { "GET / HTTPS/1.1\r\n" HOST "\r\n", 400 },
		{ "get / HTTP/1.1\r\n" HOST "\r\n", 501 }, { "G(T / HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "GET * HTTP/1.1\r\n" HOST "\r\n", 400 }, { "GET /a b HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "GET /# HTTP/1.1\r\n" HOST "\r\n", 400 }, { "GET /%2 HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "GET /%zz HTTP/1.1\r\n" HOST "\r\n", 400 }, { "GET /%25 HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "GET /%5c HTTP/1.1\r\n" HOST "\r\n", 400 }, { "GET /%0a HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "GET /. HTTP/1.1\r\n" HOST "\r\n", 400 }, { "GET /a/.. HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "GET // HTTP/1.1\r\n" HOST "\r\n", 400 }, { "GET / HTTP/1.1\r\nno colon\r\n" HOST "\r\n", 400 },
		{ "GET / HTTP/1.1\r\n: empty\r\n" HOST "\r\n", 400 }, { "GET / HTTP/1.1\r\nA: \x01\r\n" HOST "\r\n", 400 },
		{ "GET / HTTP/1.1\r\nA: b\r\n\tc\r\n" HOST "\r\n", 400 }, { "GET / HTTP/1.1\r\n" HOST HOST "\r\n", 400 },
		{ "PUT / HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n", 400 }, { "PUT / HTTP/1.1\r\n" HOST "Content-Length: +1\r\n\r\n", 400 },
		{ "PUT / HTTP/1.1\r\n" HOST "Content-Length: 1, 1\r\n\r\n", 400 },
		{ "PUT / HTTP/1.1\r\n" HOST "Content-Length: 1048577\r\n\r\n", 413 },
		{ "PUT / HTTP/1.1\r\n" HOST "Transfer-Encoding: identity\r\n\r\n", 501 },
		{ "GET / HTTP/1.1\r\n" HOST "Authorization: a\r\nAuthorization: b\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\nHost", 400 }, { "GET / HTTP/1.1\rx", 400 },
	};
	char long_value[400] = "GET / HTTP/1.1\r\n" HOST "Accept: ";
	struct http_request r;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int n = parse(&r, rows[i].text, strlen(rows[i].text));

		if (n != -rows[i].status)
			fail_msg("%s gave %d", rows[i].text, n);
	}
	assert_int_equal(parse(&r, "GET /\0 HTTP", 11), -400);
	memset(long_value + strlen(long_value), 'x', HTTP_VALUE_MAX);
	strcat(long_value, "\r\n\r\n");
	assert_int_equal(parse(&r, long_value, strlen(long_value)), -431);
#undef HOST
}

static void bounds(void **state)
{
	char *text = calloc(1, HTTP_HEAD_MAX + 64);
	struct http_request r;
	size_t head;

	assert_non_null(text);
	head = (size_t)sprintf(text, "GET / HTTP/1.1\r\nHost: a\r\nX: ");
	memset(text + head, 'y', HTTP_HEAD_MAX);
	assert_int_equal(parse(&r, text, HTTP_HEAD_MAX - 1), 0);
	assert_int_equal(parse(&r, text, HTTP_HEAD_MAX), -431);
	memcpy(text + HTTP_HEAD_MAX - 4, "\r\n\r\n", 4);
	assert_int_equal(parse(&r, text, HTTP_HEAD_MAX), HTTP_HEAD_MAX);
	free(text);
}

static void query_values(void **state)
{
	char value[8];

	assert_int_equal(http_query_value("a=1&b=%41%20c&c=", "b", value, sizeof(value)), 0);
	assert_string_equal(value, "A c");
	assert_int_equal(http_query_value("a=1", "a", value, sizeof(value)), 0);
	assert_int_equal(http_query_value("ab=1&&", "a", value, sizeof(value)), -ENOENT);
	assert_int_equal(http_query_value("c=", "c", value, sizeof(value)), 0);
	assert_string_equal(value, "");
	assert_int_equal(http_query_value("a=1&a=2", "a", value, sizeof(value)), -EINVAL);
	assert_int_equal(http_query_value("a=12345678", "a", value, sizeof(value)), -EINVAL);
	assert_int_equal(http_query_value("a=%0a", "a", value, sizeof(value)), -EINVAL);
	assert_int_equal(http_query_value("a=%4", "a", value, sizeof(value)), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_head), cmocka_unit_test(pieces_say_nothing_yet), cmocka_unit_test(refusals),
		cmocka_unit_test(bounds),	cmocka_unit_test(query_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
