// SPDX-License-Identifier: GPL-3.0-or-later
// test_sdp_same.c - which differences between two descriptions of ours concern their reader, and which do not.
#include "signaling/sdp/sdp_same.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "tests/support/sdp_parsed.h"

#define OURS "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
#define AUDIO "m=audio 4000 RTP/AVP 0 8\r\na=rtpmap:0 PCMU/8000\r\na=sendrecv\r\n"
#define VIDEO "m=video 5000 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\na=sendrecv\r\n"

static bool compare(bool (*how)(const struct sdp_doc *, const struct sdp_doc *), const char *left, const char *right)
{
	struct sdp_doc *a = parsed(left), *b = parsed(right);
	bool result = how(a, b);

	sdp_doc_free(a);
	sdp_doc_free(b);
	return result;
}

// One text in place of another, in the usual description.
static void changed(char *to, size_t room, const char *from, const char *into)
{
	static const char usual[] = OURS AUDIO VIDEO;
	const char *at = strstr(usual, from);

	assert_non_null(at);
	snprintf(to, room, "%.*s%s%s", (int)(at - usual), usual, into, at + strlen(from));
}

static const struct {
	const char *from, *into;
	bool same;
} changes[] = {
	// What is this leg's own.
	{ "o=- 1 1 IN IP4 192.0.2.1", "o=- 1 7 IN IP4 192.0.2.1", true },
	{ "c=IN IP4 192.0.2.1", "c=IN IP4 192.0.2.99", true },
	{ "m=audio 4000", "m=audio 4002", true },
	{ "m=audio 4000 RTP/AVP", "m=audio 4000 RTP/SAVP", true },
	{ "a=sendrecv\r\nm=video", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\r\n"
				   "a=sendrecv\r\nm=video", true },
	{ "a=sendrecv\r\nm=video", "a=setup:actpass\r\na=sendrecv\r\nm=video", true },
	{ "a=sendrecv\r\nm=video", "a=rtcp-mux\r\na=rtcp:4009\r\na=sendrecv\r\nm=video", true },
	{ "a=sendrecv\r\nm=video", "a=mid:audio\r\na=sendrecv\r\nm=video", true },
	{ "t=0 0\r\n", "t=0 0\r\na=group:LS 1 2\r\n", true },
	{ "a=sendrecv\r\nm=video", "m=video", true }, // sendrecv is what is meant without
	// What is the ends'.
	{ "RTP/AVP 0 8", "RTP/AVP 8 0", false },
	{ "RTP/AVP 0 8", "RTP/AVP 0", false },
	{ "RTP/AVP 0 8", "RTP/AVP 0 8 9", false },
	{ "PCMU/8000", "PCMU/16000", false },
	{ "a=sendrecv\r\nm=video", "a=sendonly\r\nm=video", false },
	{ "a=sendrecv\r\nm=video", "a=inactive\r\nm=video", false },
	{ "a=sendrecv\r\nm=video", "a=fmtp:0 x=1\r\na=sendrecv\r\nm=video", false },
	{ "a=sendrecv\r\nm=video", "a=ptime:20\r\na=sendrecv\r\nm=video", false },
	{ "a=sendrecv\r\nm=video", "a=x-unknown\r\na=sendrecv\r\nm=video", false },
	{ "a=sendrecv\r\nm=video", "a=extmap:1 urn:x\r\na=sendrecv\r\nm=video", false },
	{ "a=sendrecv\r\nm=video", "a=curr:qos local none\r\na=sendrecv\r\nm=video", false },
	{ "m=video 5000", "m=video 0", false },
	{ "m=video", "m=audio", false },
	{ VIDEO, "", false },
	{ "s=-", "s=other", false },
	{ "t=0 0\r\n", "b=AS:64\r\nt=0 0\r\n", false },
};

static void what_concerns_the_reader(void **state)
{
	char text[1024];

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		changed(text, sizeof(text), changes[i].from, changes[i].into);
		if (compare(sdp_same, OURS AUDIO VIDEO, text) != changes[i].same ||
		    compare(sdp_same, text, OURS AUDIO VIDEO) != changes[i].same)
			fail_msg("%s -> %s", changes[i].from, changes[i].into);
	}
}

// Of a refused line nothing else has a meaning.
static void a_refused_line_says_nothing(void **state)
{
	assert_true(compare(sdp_same, OURS AUDIO "m=video 0 RTP/AVP 96\r\n", OURS AUDIO "m=video 0 RTP/SAVP 31 32\r\na=inactive\r\n"));
}

static void what_an_answer_covers(void **state)
{
	static const struct {
		const char *answer, *other;
		bool covers;
	} pairs[] = {
		{ AUDIO, AUDIO, true },
		{ "m=audio 1 RTP/AVP 8 0 101\r\n", AUDIO, true },
		{ "m=audio 1 RTP/AVP 0\r\n", AUDIO, false },
		{ "m=audio 1 RTP/AVP 00 8\r\n", AUDIO, false },
		{ "m=audio 1 RTP/AVP 0 8\r\na=sendonly\r\n", AUDIO, false }, // it does not receive what the other sends
		{ "m=audio 1 RTP/AVP 0 8\r\na=recvonly\r\n", AUDIO, true },
		{ "m=audio 1 RTP/AVP 0 8\r\na=sendonly\r\n", "m=audio 2 RTP/AVP 0 8\r\na=recvonly\r\n", true },
		{ "m=audio 0 RTP/AVP 0 8\r\n", AUDIO, false },
		{ AUDIO, "m=audio 0 RTP/AVP 9\r\n", true },
		{ AUDIO VIDEO, AUDIO, false },
	};
	char left[1024], right[1024];

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		snprintf(left, sizeof(left), OURS "%s", pairs[i].answer);
		snprintf(right, sizeof(right), OURS "%s", pairs[i].other);
		if (compare(sdp_covers, left, right) != pairs[i].covers)
			fail_msg("pair %zu", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_concerns_the_reader),
		cmocka_unit_test(a_refused_line_says_nothing),
		cmocka_unit_test(what_an_answer_covers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
