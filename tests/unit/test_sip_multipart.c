// SPDX-License-Identifier: GPL-3.0-or-later
// test_sip_multipart.c - parts of multipart bodies: where the description is, what may cross, what is malformed.
#include "signaling/sip_multipart.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define SDP "Content-Type: application/sdp\r\n\r\nv=0\r\n"

// Read from a copy of exactly that size, so that a sanitizer sees what goes beyond.
static int read_copy(struct sip_parts *parts, const char *boundary, const char *text)
{
	static char *copy;
	size_t len = strlen(text);

	free(copy);
	copy = malloc(len > 0 ? len : 1);
	assert_non_null(copy);
	memcpy(copy, text, len);
	return sip_multipart_read(parts, boundary, copy, len);
}

static void assert_text(const char *is, size_t len, const char *should)
{
	assert_int_equal(len, strlen(should));
	assert_memory_equal(is, should, len);
}

static void two_parts(void **state)
{
	struct sip_parts parts;

	assert_int_equal(read_copy(&parts, "b", "preamble\r\n--b \r\n" SDP "\r\n--b\r\nContent-Type: text/plain\r\n"
						"Content-Disposition: x;handling=optional\r\n\r\nhi\r\n\r\n--b--\r\nepilogue"), 0);
	assert_text(parts.sdp, parts.sdp_len, "v=0\r\n");
	assert_int_equal(parts.n_other, 1);
	assert_text(parts.other[0].text, parts.other[0].len, "hi\r\n");
	assert_text(parts.other[0].headers, parts.other[0].headers_len,
		    "Content-Type: text/plain\r\nContent-Disposition: x;handling=optional\r\n");
	assert_false(parts.other[0].required);
	assert_true(parts.other[0].crosses);
}

static void odd_but_right(void **state)
{
	struct sip_parts parts;

	assert_int_equal(read_copy(&parts, "b", "--b\n\nplain\n--b--"), 0); // no headers, bare line ends
	assert_null(parts.sdp);
	assert_text(parts.other[0].text, parts.other[0].len, "plain");
	assert_true(parts.other[0].required);
	assert_int_equal(read_copy(&parts, "b", "--b\r\n" SDP "--bb\r\n--b--"), 0); // another boundary's line is content
	assert_text(parts.sdp, parts.sdp_len, "v=0\r\n--bb");
	assert_int_equal(read_copy(&parts, "b", "--b\r\n--b--"), 0); // an empty part
	assert_int_equal(parts.n_other, 1);
	assert_int_equal(parts.other[0].len, 0);
	assert_int_equal(read_copy(&parts, "b", "--b--\r\n"), 0);
	assert_int_equal(parts.n_other, 0);
	assert_int_equal(read_copy(&parts, "b", "--b\r\ncontent-type :APPLICATION/SDP ;x=y\r\n\r\nv=0\r\n--b--"), 0);
	assert_text(parts.sdp, parts.sdp_len, "v=0");
}

static void what_crosses(void **state)
{
	static const struct {
		const char *headers;
		bool sdp, crosses, required;
	} cases[] = {
		{ "Content-Type: application/sdp\r\n", true, false, false },
		{ "Content-Type: application/sdp\r\nContent-Disposition: session\r\n", true, false, false },
		{ "Content-Type: application/sdp\r\nContent-Disposition: early-session;handling=optional\r\n", false, false, false },
		{ "Content-Type: application/sdp\r\nContent-Disposition: early-session\r\n", false, false, true },
		{ "Content-Type: application/sdp\r\nContent-Transfer-Encoding: base64\r\n", false, false, true },
		{ "Content-Type: application/sdp\r\nContent-Encoding: gzip\r\n", false, false, true },
		{ "Content-Type: application/sdp\r\nContent-Transfer-Encoding: 8bit\r\n", true, false, false },
		{ "Content-Type: multipart/mixed;boundary=c\r\n", false, false, true },
		{ "Content-Type: message/sipfrag\r\nContent-Disposition: aib; handling=optional\r\n", false, false, false },
		{ "Content-Type: application/isup;version=x\r\nContent-Disposition: signal;handling=required\r\n", false, true, true },
		{ "Content-Type: application/pidf+xml\r\nContent-Disposition: render ; HANDLING=Optional\r\n", false, true, false },
		{ "Content-Disposition: x;nohandling=optional\r\n", false, true, true },
		{ "X-Any: 1\r\n", false, true, true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sip_parts parts;
		char text[300];

		snprintf(text, sizeof(text), "--b\r\n%s\r\ntext\r\n--b--\r\n", cases[i].headers);
		assert_int_equal(read_copy(&parts, "b", text), 0);
		assert_int_equal(parts.sdp != NULL, cases[i].sdp);
		assert_int_equal(parts.n_other, cases[i].sdp ? 0 : 1);
		assert_int_equal(parts.n_other == 1 && parts.other[0].crosses, cases[i].crosses);
		assert_int_equal(parts.n_other == 1 && parts.other[0].required, cases[i].required);
	}
}

static void second_description(void **state)
{
	struct sip_parts parts;

	assert_int_equal(read_copy(&parts, "b", "--b\r\n" SDP "\r\n--b\r\n" SDP "\r\n--b--"), 0);
	assert_int_equal(parts.n_other, 1);
	assert_false(parts.other[0].crosses);
}

static void malformed(void **state)
{
	static const char *const texts[] = { "", "--b", "--b\r\n", "--b\r\n" SDP, "--b\r\n" SDP "\r\n--b", "-b--", "x--b--", "--b-",
					     "--b\r\n\r\nx--b--", "--bx--" };
	struct sip_parts parts;
	char many[2000] = "";

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(read_copy(&parts, "b", texts[i]), -EBADMSG);
	assert_int_equal(read_copy(&parts, "", "----"), -EBADMSG);
	memset(many, 'b', 71);
	assert_int_equal(read_copy(&parts, many, "--b--"), -EBADMSG);
	many[0] = '\0';
	for (int i = 0; i <= SIP_PARTS_MAX; i++)
		strcat(many, "--b\r\n\r\nx\r\n");
	strcat(many, "--b--");
	assert_int_equal(read_copy(&parts, "b", many), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_parts),	      cmocka_unit_test(odd_but_right), cmocka_unit_test(what_crosses),
		cmocka_unit_test(second_description), cmocka_unit_test(malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
