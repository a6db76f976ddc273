// SPDX-License-Identifier: GPL-3.0-or-later
// test_sip_secrets.c - what is crossed out of a message before somebody else sees it; and messages out of a stream in pieces.
#include "signaling/sip_raw.h"
#include "signaling/sip_secrets.h"
#include "signaling/sip_stream.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define HEAD "INVITE sip:a@b SIP/2.0\r\n"

static void expect(const char *in, const char *out, bool content)
{
	size_t len = strlen(in);
	char *text = malloc(len); // without a zero byte behind it: the sanitizer sees who looks for one

	assert_non_null(text);
	memcpy(text, in, len);
	sip_secrets_blank(text, len, content);
	assert_int_equal(len, strlen(out));
	if (memcmp(text, out, len) != 0)
		print_error("%.*s", (int)len, text);
	assert_memory_equal(text, out, len);
	free(text);
}

static void secrets_are_crossed_out(void **state)
{
	static const char *const rows[][2] = {
		{ HEAD "Authorization: Digest username=\"a\", response=\"0123abcd\", nonce=\"n\"\r\n\r\n",
		  HEAD "Authorization: Digest username=\"a\", response=\"xxxxxxxx\", nonce=\"n\"\r\n\r\n" },
		{ HEAD "proxy-authorization : digest response = 0123abcd,opaque=\"o\"\r\n\r\n",
		  HEAD "proxy-authorization : digest response = xxxxxxxx,opaque=\"o\"\r\n\r\n" },
		{ HEAD "Authorization: Digest realm=\"response=no, \\\"\",\r\n RESPONSE=\"ab\\\"cd\"\r\nTo: x\r\n\r\n",
		  HEAD "Authorization: Digest realm=\"response=no, \\\"\",\r\n RESPONSE=\"xxxxxx\"\r\nTo: x\r\n\r\n" },
		{ HEAD "Authorization: Digest response=\"abc, never=\"\r\n \r\n\r\n", HEAD "Authorization: Digest response=\"xxxxxxxxxx=\"\r\n \r\n\r\n" },
		{ HEAD "Authorization: Digest response=\"abc, ends\r\n\r\n", HEAD "Authorization: Digest response=\"xxxxxxxxx\r\n\r\n" },
		{ HEAD "Authorization: Basic YTpi\r\n\r\n", HEAD "Authorization: Basicxxxxx\r\n\r\n" },
		{ "SIP/2.0 200 OK\r\nAuthentication-Info: rspauth=\"12\", qop=auth\r\n\r\n",
		  "SIP/2.0 200 OK\r\nAuthentication-Info: rspauth=\"xx\", qop=auth\r\n\r\n" },
		{ HEAD "a=crypto:1 X inline:kept in a head\r\nl: 5\r\n\r\na=crypto:1 X inline:QUJD+/==|2^31\r\nk=base64:QQ==\r\na=ice-pwd:pw",
		  HEAD "a=crypto:1 X inline:kept in a head\r\nl: 5\r\n\r\na=crypto:1 X inline:xxxxxx==|2^31\r\nk=xxxxxxxxx==\r\na=ice-pwd:xx" },
		{ HEAD "e: gzip\r\n\r\nabc\r\ndef=", HEAD "e: gzip\r\n\r\nxxx\r\nxxx=" },
		{ HEAD "\r\n--b\r\nContent-Transfer-Encoding: base64\r\n\r\nYQ==\r\n", HEAD "\r\nxxx\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n\r\nxx==\r\n" },
		{ HEAD "\r\n--b\r\nContent-Transfer-Encoding: 8bit\r\n\r\na=sendrecv\r\n", HEAD "\r\n--b\r\nContent-Transfer-Encoding: 8bit\r\n\r\na=sendrecv\r\n" },
		{ "INFO sip:a SIP/2.0\r\n\r\nSignal=5", "INFO sip:a SIP/2.0\r\n\r\nxxxxxx=x" },
		{ "MESSAGE sip:a SIP/2.0\r\n\r\nhello", "MESSAGE sip:a SIP/2.0\r\n\r\nxxxxx" },
		{ HEAD "Authorization", HEAD "Authorization" }, { HEAD "Authorization:", HEAD "Authorization:" }, { "", "" }, { "\r\n\r\n", "\r\n\r\n" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect(rows[i][0], rows[i][1], false);
	expect("INFO sip:a SIP/2.0\r\n\r\nSignal=5\r\na=ice-pwd:abc", "INFO sip:a SIP/2.0\r\n\r\nSignal=5\r\na=ice-pwd:xxx", true);
}

static void users_are_found(void **state)
{
	static const char *const rows[][2] = {
		{ "<sip:alice@h>;tag=1", "alice" }, { "\"A: <b>\" sip:bob@h", "" }, { "sips:c@h;x", "c" }, { "<sip:h>", "" },
		{ "tel:+4912;phone-context=x", "+4912" }, { "<tel:911>", "911" }, { "INVITE sip:100@h SIP/2.0\r", "100" }, { "", "" }, { "<", "" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sip_text user = sip_raw_user((struct sip_text){ rows[i][0], strlen(rows[i][0]) });

		if (i != 1) // a display name with a bracket: nobody's
			assert_true(sip_text_is(user, rows[i][1]));
	}
}

#define ONE "\r\n\r\nOPTIONS sip:a SIP/2.0\r\nContent-Length: 4\r\n\r\nabcd"
#define TWO "SIP/2.0 200 OK\r\nl : 0\r\n\r\n"

static void message_came(void *ctx, char *message, size_t len)
{
	unsigned *n = ctx;

	if (*n % 2 == 0)
		assert_true(len == strlen(ONE) - 4 && memcmp(message, ONE + 4, len) == 0);
	else
		assert_true(len == strlen(TWO) && memcmp(message, TWO, len) == 0);
	++*n;
}

static bool feed(struct sip_streams *streams, int fd, uint16_t port, const char *text, size_t len, unsigned *n)
{
	struct sip_stream_name name = { .fd = fd, .remote = { .addr.family = INET_V4, .port = port } };
	char *bytes = malloc(len + 1);
	bool good;

	assert_non_null(bytes);
	memcpy(bytes, text, len);
	good = sip_stream_feed(streams, &name, bytes, len, message_came, n);
	free(bytes);
	return good;
}

static void streams_come_in_pieces(void **state)
{
	static const char all[] = ONE TWO ONE TWO;
	struct sip_streams *streams = sip_streams_new();
	unsigned n;

	assert_non_null(streams);
	for (size_t step = 1; step < sizeof(all); step++) { // wherever it is cut
		n = 0;
		for (size_t at = 0; at < sizeof(all) - 1; at += step) {
			size_t len = sizeof(all) - 1 - at < step ? sizeof(all) - 1 - at : step;

			assert_true(feed(streams, 7, 5060, all + at, len, &n));
		}
		assert_int_equal(n, 4);
	}
	n = 0;
	assert_false(feed(streams, 7, 5060, "abcd and more\r\n", 15, &n)); // in the middle of one: nothing is made of it
	assert_true(feed(streams, 7, 5060, ONE, strlen(ONE), &n));
	assert_true(feed(streams, 8, 5060, TWO, 9, &n)); // a piece of a connection
	assert_true(feed(streams, 8, 5061, TWO, strlen(TWO), &n)); // whose number another one has now
	assert_int_equal(n, 2);
	for (int fd = 100; fd < 300; fd++) // more of them than there are places
		assert_true(feed(streams, fd, 5060, ONE, 20, &n));
	assert_true(feed(streams, 299, 5060, ONE + 20, strlen(ONE) - 20, &n));
	assert_int_equal(n, 3);
	sip_streams_free(streams);
}

static void what_is_no_message(void **state)
{
	assert_true(sip_raw_message("OPTIONS sip:a SIP/2.0\r\nContent-Length: x\r\n\r\n", 45) < 0);
	assert_true(sip_raw_message("OPTIONS sip:a SIP/2.0\r\nContent-Length: 99999999999999999999\r\n\r\n", 64) < 0);
	assert_true(sip_raw_message("GET / HTTP/1.1\r\n\r\n", 18) < 0);
	assert_int_equal(sip_raw_message("OPTIONS sip:a SIP/2.0\r\nContent-Length: 4\r\n\r\nabc", 47), 0);
	assert_int_equal(sip_raw_message("OPTIONS", 7), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(secrets_are_crossed_out),
		cmocka_unit_test(users_are_found),
		cmocka_unit_test(streams_come_in_pieces),
		cmocka_unit_test(what_is_no_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
