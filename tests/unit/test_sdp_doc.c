// SPDX-License-Identifier: GPL-3.0-or-later
// test_sdp_doc.c - documents: bounds and their errors, edits, and that no failed allocation is lost or leaks.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "signaling/sdp/sdp_doc.h"
#include "tests/support/sdp_case.h"
#include "tests/support/sdp_parsed.h"

// The n-th allocation from now on fails; -1: none. The link wraps the three that the code uses.
static int fail_after = -1;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_reallocarray(void *p, size_t n, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);

static bool fails(void)
{
	return fail_after >= 0 && fail_after-- == 0;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return fails() ? NULL : __real_reallocarray(p, n, size);
}

static void refused(const char *text, size_t len, unsigned line, unsigned column, const char *why)
{
	struct sdp_error error = { 0 };
	struct sdp_doc *doc = NULL;

	assert_int_equal(sdp_doc_parse(&doc, text, len, &error), -EBADMSG);
	assert_null(doc);
	assert_string_equal(error.text, why);
	assert_int_equal(error.line, line);
	assert_int_equal(error.column, column);
	assert_int_equal(sdp_doc_parse(&doc, text, len, NULL), -EBADMSG);
}

static void printed(struct sdp_doc *doc, const char *text)
{
	size_t len;
	char *body = sdp_doc_print(doc, &len);

	assert_string_equal(body, text);
	assert_int_equal(len, strlen(text));
	sdp_body_free(body, len);
}

static void errors_name_their_place(void **state)
{
	static const struct {
		const char *text;
		unsigned line, column;
		const char *why;
	} cases[] = {
		{ "", 1, 1, "empty" },
		{ "v=1\r\n", 1, 1, "does not begin with v=0" },
		{ "\r\nv=0\r\n", 1, 1, "does not begin with v=0" },
		{ "v=0\r\ns=-\r\n", 1, 1, "no o= line" },
		{ "v=0\r\no=a 1 1 IN IP4\r\n", 2, 15, "o= must have six words" },
		{ "v=0\r\no=a 1 1 IN IP4 192.0.2.1 x\r\n", 2, 26, "o= must have six words" },
		{ HEAD "v=0\r\n", 6, 1, "v= stands twice" },
		{ HEAD "o=a 1 1 IN IP4 192.0.2.1\r\n", 6, 1, "o= stands twice" },
		{ HEAD "c=\r\n", 6, 3, "c= must have three words" },
		{ HEAD "c=IN IP4 a b\r\n", 6, 12, "c= must have three words" },
		{ HEAD "m=\r\n", 6, 3, "m= without a kind of media" },
		{ HEAD "m=au;dio 1 RTP/AVP 0\r\n", 6, 3, "m= without a kind of media" },
		{ HEAD "m=audio\r\n", 6, 8, "m= without a port" },
		{ HEAD "m=audio x RTP/AVP 0\r\n", 6, 9, "m= with a port that is no number up to 65535" },
		{ HEAD "m=audio -1 RTP/AVP 0\r\n", 6, 9, "m= with a port that is no number up to 65535" },
		{ HEAD "m=audio 65536 RTP/AVP 0\r\n", 6, 9, "m= with a port that is no number up to 65535" },
		{ HEAD "m=audio 4294967298 RTP/AVP 0\r\n", 6, 9, "m= with a port that is no number up to 65535" },
		{ HEAD "m=audio 99999999999999999999999 RTP/AVP 0\r\n", 6, 9, "m= with a port that is no number up to 65535" },
		{ HEAD "m=audio 1/0 RTP/AVP 0\r\n", 6, 10, "m= with a count of ports that is no number" },
		{ HEAD "m=audio 1/ RTP/AVP 0\r\n", 6, 10, "m= with a count of ports that is no number" },
		{ HEAD "m=audio 1\r\n", 6, 10, "m= with a protocol that is no token" },
		{ HEAD "m=audio 1 RTP/AVP 0 \x01\r\n", 6, 21, "m= with a format that is no token" },
		{ HEAD "m=audio 1 RTP/AVP 0\r\ns=x\r\n", 7, 1, "s= in an m-line's section" },
		{ HEAD "a=rtcp:0\r\n", 6, 8, "a=rtcp without a port from 1 to 65535" },
		{ HEAD "a=rtcp:\r\n", 6, 8, "a=rtcp without a port from 1 to 65535" },
		{ HEAD "a=rtcp:9 IN\r\n", 6, 8, "a=rtcp with an address that has not three words" },
		{ HEAD "m=audio 1 RTP/AVP 0\r\na=mid: \r\n", 7, 7, "a=mid that is no token" },
		{ HEAD "m=audio 1 RTP/AVP 0\r\na=mid:a\r\na=mid:b\r\n", 8, 1, "a=mid stands twice in an m-line's section" },
		{ HEAD "m=audio 1 RTP/AVP 0\r\na=mid:a\r\nm=audio 1 RTP/AVP 0\r\na=mid:a\r\n", 9, 7, "a=mid used twice" },
		{ HEAD "x\r\n", 6, 1, "not of the form x=value" },
		{ HEAD "=x\r\n", 6, 1, "not of the form x=value" },
		{ HEAD "1=x\r\n", 6, 1, "not of the form x=value" },
		{ HEAD "ab=x\r\n", 6, 1, "not of the form x=value" },
		{ HEAD "\r\na=x\r\n", 7, 1, "a blank line stands before it" },
		{ HEAD "a=x\ry\r\n", 6, 4, "CR without LF" },
		{ "v=0\r\no=a 1 1 IN IP4 h\r\nm=audio 1 RTP/AVP 0\r\n", 3, 1, "neither this m-line nor the session has a c=" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		refused(cases[i].text, strlen(cases[i].text), cases[i].line, cases[i].column, cases[i].why);
	refused(HEAD "a=x\0y\r\n", sizeof(HEAD "a=x\0y\r\n") - 1, 6, 4, "NUL octet");
}

static char *repeated(const char *line, size_t n)
{
	char *text = calloc(1, sizeof(HEAD) + n * strlen(line) + 64), *to = stpcpy(text, HEAD);

	while (n-- > 0)
		to = stpcpy(to, line);
	return text;
}

static void limits_hold(void **state)
{
	struct sdp_doc *doc;
	char *text;

	(void)state;
	text = repeated("m=audio 1 RTP/AVP 0\r\n", SDP_MEDIA_MAX);
	doc = parsed(text);
	assert_int_equal(sdp_doc_media_count(doc), SDP_MEDIA_MAX);
	assert_int_equal(sdp_doc_add_media(doc, "m=audio 1 RTP/AVP 0", 19), -ENOSPC);
	sdp_doc_free(doc);
	strcat(text, "m=audio 1 RTP/AVP 0\r\n");
	refused(text, strlen(text), 6 + SDP_MEDIA_MAX, 1, "more than 32 m-lines");
	free(text);

	text = repeated("a=x\r\n", SDP_ATTRIBUTES_MAX);
	sdp_doc_free(parsed(text));
	strcat(text, "a=x\r\n");
	refused(text, strlen(text), 6 + SDP_ATTRIBUTES_MAX, 1, "more than 512 attributes in a section");
	free(text);

	text = repeated("b=AS:1\r\n", SDP_LINES_MAX - 5);
	doc = parsed(text);
	assert_int_equal(sdp_doc_append(doc, SDP_SESSION, "a=x"), -ENOSPC);
	sdp_doc_free(doc);
	strcat(text, "b=AS:1\r\n");
	refused(text, strlen(text), 1 + SDP_LINES_MAX, 1, "more than 2048 lines");
	free(text);

	text = calloc(1, SDP_SIZE_MAX + 64);
	memset(text + sprintf(text, "%si=", HEAD), 'x', SDP_LINE_MAX - 2);
	sdp_doc_free(parsed(text));
	strcat(text, "x");
	refused(text, strlen(text), 6, 1, "longer than 8192 octets");
	memset(text, 'x', SDP_SIZE_MAX + 1);
	refused(text, SDP_SIZE_MAX + 1, 1, 1, "more than 65536 octets");
	free(text);
}

static void edits_touch_only_their_lines(void **state)
{
	struct sdp_doc *doc = parsed(HEAD "m=audio  1\tRTP/AVP 0\na=x: odd \nX=what");

	(void)state;
	assert_int_equal(sdp_doc_line_count(doc, 0), 3);
	assert_int_equal(sdp_doc_replace(doc, 0, 1, "a=y", 3), 0);
	printed(doc, HEAD "m=audio  1\tRTP/AVP 0\na=y\r\nX=what");
	assert_int_equal(sdp_doc_append(doc, 0, "a=%s:%d", "n", 7), 0); // the line before it gets an ending
	printed(doc, HEAD "m=audio  1\tRTP/AVP 0\na=y\r\nX=what\r\na=n:7\r\n");
	assert_int_equal(sdp_doc_remove(doc, 0, 1), 0);
	assert_int_equal(sdp_doc_insert(doc, SDP_SESSION, 0 + 5, "a=s", 3), 0);
	assert_int_equal(sdp_doc_replace(doc, 0, 0, "m=audio 9 RTP/AVP 0", 19), 0);
	printed(doc, HEAD "a=s\r\nm=audio 9 RTP/AVP 0\r\nX=what\r\na=n:7\r\n");
	assert_int_equal(sdp_doc_line(doc, 0, 1)->number, 8);
	assert_int_equal(sdp_doc_line(doc, 0, 2)->number, 0);

	assert_int_equal(sdp_doc_remove(doc, 0, 0), -EINVAL);
	assert_int_equal(sdp_doc_remove(doc, 0, 3), -EINVAL);
	assert_int_equal(sdp_doc_remove(doc, 1, 0), -EINVAL);
	assert_int_equal(sdp_doc_insert(doc, 0, 0, "a=x", 3), -EINVAL);   // before its m=
	assert_int_equal(sdp_doc_insert(doc, 0, 1, "m=x 1 y 0", 9), -EINVAL);
	assert_int_equal(sdp_doc_insert(doc, 0, 1, "a=x\r\na=y", 8), -EINVAL);
	assert_int_equal(sdp_doc_replace(doc, 0, 0, "a=x", 3), -EINVAL);
	assert_int_equal(sdp_doc_replace(doc, 0, 1, "nonsense", 8), -EINVAL);
	assert_int_equal(sdp_doc_append(doc, -2, "a=x"), -EINVAL);
	assert_null(sdp_doc_line(doc, 7, 0));
	sdp_doc_free(doc);
}

static void blank_lines_at_the_end_stay_there(void **state)
{
	struct sdp_doc *doc = parsed(HEAD "\r\n\r\n");

	(void)state;
	assert_int_equal(sdp_doc_append(doc, SDP_SESSION, "a=x"), 0);
	printed(doc, HEAD "a=x\r\n\r\n\r\n");
	assert_int_equal(sdp_doc_insert(doc, SDP_SESSION, 7, "a=x", 3), -EINVAL);
	assert_int_equal(sdp_doc_add_media(doc, "m=audio 1 RTP/AVP 0", 19), 0); // nothing may part the sections
	printed(doc, HEAD "a=x\r\nm=audio 1 RTP/AVP 0\r\n");
	sdp_doc_free(doc);
}

static void lines_are_split(void **state)
{
	struct sdp_doc *doc = parsed(HEAD "a=flag\r\na=name:a:b \r\na=:x\r\nQ=zz\r\na=\r\n");
	const struct sdp_line *line;

	(void)state;
	line = sdp_doc_line(doc, SDP_SESSION, 5);
	assert_true(line->name.len == 4 && line->value.len == 0);
	line = sdp_doc_line(doc, SDP_SESSION, 6);
	assert_true(line->name.len == 4 && line->value.len == 4);
	assert_memory_equal(line->value.s, "a:b ", 4);
	line = sdp_doc_line(doc, SDP_SESSION, 7);
	assert_true(line->name.len == 0 && line->value.len == 1);
	line = sdp_doc_line(doc, SDP_SESSION, 8);
	assert_true(line->type == 'Q' && line->name.len == 0 && line->value.len == 2);
	sdp_doc_free(doc);
}

static const char offer_text[] =
	HEAD "a=sendonly\r\nm=audio 5000 RTP/SAVP 0 8\r\na=rtpmap:0 PCMU/8000\r\n"
	"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\r\n"
	"m=video 5002 RTP/SAVP 97\r\na=mid:v\r\n"
	"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:NzB4d1BINUAvLEw6UzF3WSJ+PSdFcGdUJShpX1Zj\r\n";
static const char answer_text[] = HEAD "m=audio 6000 RTP/AVP 0\r\nm=video 0 RTP/AVP 97\r\n";

// A whole offer and answer; -ENOMEM wherever an allocation fails, and 0 at the end.
static int offer_and_answer(void)
{
	struct sdp_doc *offer = NULL, *ours = NULL, *answer = NULL, *back = NULL, *copy = NULL;
	struct sdp_error error;
	struct sdp_case c;
	size_t len = 0;
	char *body = NULL;
	int err;

	sdp_case_init(&c);
	c.near.policy.accept[0] = KEYING_SDES;
	c.near.policy.offer[0] = KEYING_SDES;
	c.far.policy.accept[0] = KEYING_PLAIN;
	c.far.policy.offer[0] = KEYING_PLAIN;
	err = sdp_doc_parse(&offer, offer_text, strlen(offer_text), &error);
	if (err == 0)
		err = sdp_case_offer(&c, offer, NULL, &ours);
	if (err == 0)
		err = sdp_doc_parse(&answer, answer_text, strlen(answer_text), &error);
	if (err == 0)
		err = sdp_case_answer(&c, offer, ours, answer, &back, &error);
	if (err == 0)
		err = sdp_doc_copy(&copy, back);
	if (err == 0) {
		body = sdp_doc_print(copy, &len);
		err = body != NULL ? 0 : -ENOMEM;
	}
	sdp_body_free(body, len);
	sdp_doc_free(copy);
	sdp_doc_free(back);
	sdp_doc_free(answer);
	sdp_doc_free(ours);
	sdp_doc_free(offer);
	sdp_case_wipe(&c);
	return err;
}

static void every_allocation_may_fail(void **state)
{
	int n, err;

	(void)state;
	for (n = 0; n < 1000; n++) {
		fail_after = n;
		err = offer_and_answer();
		if (fail_after >= 0) // none failed: the whole is through
			break;
		assert_int_equal(err, -ENOMEM);
	}
	fail_after = -1;
	assert_int_equal(err, 0);
	assert_true(n > 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors_name_their_place),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(edits_touch_only_their_lines),
		cmocka_unit_test(blank_lines_at_the_end_stay_there),
		cmocka_unit_test(lines_are_split),
		cmocka_unit_test(every_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
