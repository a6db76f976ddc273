// SPDX-License-Identifier: GPL-3.0-or-later
// test_sdp_build.c - what the goldens do not show: maps, versions, ports of RTCP, wrong use, answers that do not fit.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "signaling/sdp/sdp_build.h"
#include "tests/support/sdp_parsed.h"

static void maps_grow_and_diverge(void **state)
{
	struct sdp_map a = { 0 }, b = { 0 }, before;
	unsigned n_streams = 0;

	(void)state;
	assert_int_equal(sdp_map_offer(&a, &b, &n_streams, 1), 0); // audio, from a
	assert_int_equal(sdp_map_offer(&b, &a, &n_streams, 2), 0); // b appends: stream 1
	assert_int_equal(n_streams, 2);
	b = (struct sdp_map){ .n_lines = 3, .stream = { 0, 1, 2 } }; // a line of b that never came to a
	n_streams = 3;
	assert_int_equal(sdp_map_offer(&a, &b, &n_streams, 3), 0); // a appends: stream 3 is index 2 there, 3 here
	assert_int_equal(n_streams, 4);
	assert_int_equal(sdp_map_line(&a, 3), 2);
	assert_int_equal(sdp_map_line(&b, 3), 3);
	assert_int_equal(sdp_map_line(&a, 2), -1);

	before = a;
	assert_int_equal(sdp_map_offer(&a, &b, &n_streams, 2), -EBADMSG); // fewer than before
	assert_int_equal(sdp_map_offer(&a, &b, &n_streams, SDP_MEDIA_MAX + 1), -ENOSPC);
	assert_int_equal(sdp_map_offer(&a, &b, &n_streams, SDP_MEDIA_MAX), -ENOSPC); // b would need one more
	assert_memory_equal(&a, &before, sizeof(a));
	assert_int_equal(n_streams, 4);
	assert_int_equal(sdp_map_offer(&b, &a, &n_streams, 4), 0); // now stream 2 comes to a, behind
	assert_int_equal(sdp_map_line(&a, 2), 3);
}

struct bench {
	struct sdp_doc *received;
	struct keying_local keying;
	struct sdp_build_line line;
	struct sdp_session_id session;
	struct sdp_build build;
};

static void bench_setup(struct bench *b, const char *received)
{
	*b = (struct bench){ .received = parsed(received), .session = { 77, 5 } };
	b->keying.proto = (struct keying_proto){ KEYING_RTP_AVP, false };
	b->keying.mechanisms[0] = KEYING_PLAIN;
	b->line = (struct sdp_build_line){ .accept = true, .keying = &b->keying, .seat = { .rtp_port = 40000, .rtcp_port = 40001 } };
	inet_addr_parse(&b->line.seat.address, "10.0.0.1");
	b->build = (struct sdp_build){ .received = b->received, .session = &b->session, .lines = &b->line, .n_lines = 1,
				       .origin = b->line.seat.address, .pass_unknown = true };
}

static char *built(struct bench *b, bool answer, struct sdp_doc **keep)
{
	struct sdp_doc *doc;
	char *body;

	assert_int_equal((answer ? sdp_answer_build : sdp_offer_build)(&doc, &b->build), 0);
	body = sdp_doc_print(doc, NULL);
	if (keep != NULL)
		*keep = doc;
	else
		sdp_doc_free(doc);
	return body;
}

static void has(struct bench *b, bool answer, const char *line, bool want)
{
	char *body = built(b, answer, NULL);

	if ((strstr(body, line) != NULL) != want)
		fail_msg("%s is %sin\n%s", line, want ? "not " : "", body);
	free(body);
}

static void rtcp_port_is_said_where_it_must_be(void **state)
{
	struct bench b;

	(void)state;
	bench_setup(&b, HEAD "m=audio 5000 RTP/AVP 0\r\n");
	b.build.offer = b.received;
	has(&b, false, "a=rtcp", false); // the next port needs no word
	b.line.seat.rtcp_port = 40009;
	has(&b, false, "a=rtcp:40009\r\n", true);
	has(&b, true, "a=rtcp:40009\r\n", true);
	b.line.rtcp_mux = true;
	has(&b, false, "a=rtcp-mux\r\na=rtcp:40009\r\n", true); // to fall back to
	has(&b, true, "a=rtcp-mux\r\n", true);
	has(&b, true, "a=rtcp:", false);
	sdp_doc_free(b.received);
}

static void version_grows_with_the_text_alone(void **state)
{
	struct sdp_doc *first, *second, *third;
	struct bench b;
	char *body;

	(void)state;
	bench_setup(&b, HEAD "m=audio 5000 RTP/AVP 0\r\n");
	free(built(&b, false, &first));
	assert_int_equal(b.session.version, 5);
	b.build.previous = first;
	free(built(&b, false, &second));
	assert_int_equal(b.session.version, 5);
	b.line.seat.rtp_port = 40002;
	body = built(&b, false, &third);
	assert_int_equal(b.session.version, 6);
	assert_non_null(strstr(body, "o=- 77 6 IN IP4 10.0.0.1\r\n"));
	free(body);
	b.build.previous = third;
	free(built(&b, false, NULL));
	assert_int_equal(b.session.version, 6);
	sdp_doc_free(first);
	sdp_doc_free(second);
	sdp_doc_free(third);
	sdp_doc_free(b.received);
}

static void an_answer_stays_within_the_offer(void **state)
{
	static const struct {
		const char *offer, *far, *want;
	} cases[] = {
		{ "sendrecv", "sendrecv", "sendrecv" }, { "sendonly", "sendrecv", "recvonly" },
		{ "recvonly", "sendrecv", "sendonly" }, { "inactive", "sendrecv", "inactive" },
		{ "sendonly", "sendonly", "inactive" }, { "sendrecv", "recvonly", "recvonly" },
		{ "recvonly", "inactive", "inactive" },
	};
	char text[512], want[32];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sdp_doc *offer;
		struct bench b;

		snprintf(text, sizeof(text), HEAD "m=audio 5000 RTP/AVP 0\r\na=%s\r\n", cases[i].far);
		bench_setup(&b, text);
		snprintf(text, sizeof(text), HEAD "m=audio 6000 RTP/AVP 0 8\r\na=%s\r\n", cases[i].offer);
		offer = parsed(text);
		b.build.offer = offer;
		snprintf(want, sizeof(want), "a=%s\r\n", cases[i].want);
		has(&b, true, want, true);
		sdp_doc_free(offer);
		sdp_doc_free(b.received);
	}
}

static void wrong_use_is_refused(void **state)
{
	struct sdp_doc *doc = NULL, *two;
	struct bench b;

	(void)state;
	bench_setup(&b, HEAD "m=audio 5000 RTP/AVP 0\r\n");
	assert_int_equal(sdp_answer_build(&doc, &b.build), -EINVAL); // no offer
	b.line.from = 1;
	assert_int_equal(sdp_offer_build(&doc, &b.build), -EINVAL); // no such line
	b.line.from = -1;
	assert_int_equal(sdp_offer_build(&doc, &b.build), -EINVAL); // no description before to know it from
	b.line.from = 0;
	b.line.keying = NULL;
	assert_int_equal(sdp_offer_build(&doc, &b.build), -EINVAL);
	b.line.keying = &b.keying;
	b.line.seat.rtp_port = 0;
	assert_int_equal(sdp_offer_build(&doc, &b.build), -EINVAL);
	b.line.seat.rtp_port = 2;
	two = parsed(HEAD "m=audio 1 RTP/AVP 0\r\nm=audio 2 RTP/AVP 0\r\n");
	b.build.previous = two;
	assert_int_equal(sdp_offer_build(&doc, &b.build), -EINVAL); // an m-line would vanish
	assert_null(doc);
	assert_int_equal(b.session.version, 5);
	sdp_doc_free(two);
	sdp_doc_free(b.received);
}

static void answers_must_fit(void **state)
{
	static const struct {
		const char *answer, *why;
		unsigned line;
	} cases[] = {
		{ HEAD "m=audio 1 RTP/AVP 0\r\nm=video 0 RTP/AVP 97\r\n", NULL, 0 },
		{ HEAD "m=audio 1 RTP/AVP 0\r\n", "1 m-lines answer 2", 6 },
		{ HEAD, "0 m-lines answer 2", 1 },
		{ HEAD "m=audio 1 RTP/AVP 0\r\nm=video 0 RTP/AVP 97\r\nm=video 0 RTP/AVP 97\r\n", "3 m-lines answer 2", 8 },
		{ HEAD "m=video 1 RTP/AVP 0\r\nm=audio 0 RTP/AVP 97\r\n", "video answers audio", 6 },
		{ HEAD "m=audio 1 RTP/AVP 0\r\nm=video 3 RTP/AVP 97\r\n", "a port answers port 0", 7 },
	};
	struct sdp_doc *offer = parsed(HEAD "m=audio 7 RTP/AVP 0\r\nm=video 0 RTP/AVP 97\r\n");

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sdp_doc *answer = parsed(cases[i].answer);
		struct sdp_error error = { 0 };

		assert_int_equal(sdp_answer_check(offer, answer, &error), cases[i].why == NULL ? 0 : -EBADMSG);
		if (cases[i].why != NULL)
			assert_string_equal(error.text, cases[i].why);
		assert_int_equal(error.line, cases[i].line);
		sdp_doc_free(answer);
	}
	sdp_doc_free(offer);
}

// Threat P5: no body may hold the sip thread for long. Each of these is the worst of its kind within the bounds.
static void worst_fill(char *text, const char *line, size_t n_media)
{
	char *to = stpcpy(text, HEAD), *end = text + SDP_SIZE_MAX - 200;
	size_t per_section = 1900 / n_media;

	for (size_t m = 0; m < n_media && to < end; m++) {
		to += sprintf(to, "m=audio %zu RTP/AVP 0\r\nc=IN IP4 1.1.1.%zu\r\n", m + 1, m);
		for (size_t i = 0; i < per_section && i < SDP_ATTRIBUTES_MAX && to < end; i++)
			to += sprintf(to, "%s", line);
	}
}

static void no_body_costs_long(void **state)
{
	static const char *const lines[] = {
		"a=x:1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1\r\n",
		"a=x:1.1.1.,1.1.1.,1.1.1.,1.1.1.,1.1.1.,1.1.1.,1.1.1.,1.1.1.,1.1.1.,1.1.1.,1.1.1.,1.1.1.,1.1.1.,1.1.1.\r\n",
		"a=candidate:1 1 UDP 1 1.1.1.1 1 typ host\r\n",
		"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\r\n",
		"a=x\r\n",
		"a=fingerprint:sha-256 00\r\n",
		"a=extmap:4096 urn:ietf:params:rtp-hdrext:encrypt urn:a\r\n",
	};
	char *text = calloc(1, SDP_SIZE_MAX + 256);

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		for (size_t n_media = 1; n_media <= SDP_MEDIA_MAX; n_media *= 32) {
			struct sdp_build_line build_lines[SDP_MEDIA_MAX];
			struct timespec begin, end;
			struct sdp_doc *doc;
			double ms;
			struct bench b;

			worst_fill(text, lines[i], n_media);
			bench_setup(&b, text);
			for (size_t m = 0; m < n_media; m++) {
				build_lines[m] = b.line;
				build_lines[m].from = (int)m;
			}
			b.build.lines = build_lines;
			b.build.n_lines = sdp_doc_media_count(b.received);
			sdp_doc_free(b.received);
			clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
			b.build.received = parsed(text);
			assert_int_equal(sdp_offer_build(&doc, &b.build), 0);
			clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
			ms = (double)(end.tv_sec - begin.tv_sec) * 1e3 + (double)(end.tv_nsec - begin.tv_nsec) / 1e6;
			print_message("%.2f ms: %zu m-lines of %.20s\n", ms, n_media, lines[i]);
			assert_true(ms < 50); // 5 on a machine at peace; sanitizers take ten times that
			sdp_doc_free(doc);
			sdp_doc_free((struct sdp_doc *)b.build.received);
		}
	}
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(maps_grow_and_diverge),
		cmocka_unit_test(rtcp_port_is_said_where_it_must_be),
		cmocka_unit_test(version_grows_with_the_text_alone),
		cmocka_unit_test(an_answer_stays_within_the_offer),
		cmocka_unit_test(wrong_use_is_refused),
		cmocka_unit_test(answers_must_fit),
		cmocka_unit_test(no_body_costs_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
