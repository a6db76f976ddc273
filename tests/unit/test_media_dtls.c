// SPDX-License-Identifier: GPL-3.0-or-later
// test_media_dtls.c - handshakes of a line: roles, loss, before the answer, strangers, nobody.
#include "tests/support/media_stand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void test_dtls_both_roles(void **state)
{
	struct dtls_pair p;

	(void)state;
	pair_open(&p);
	agree_dtls(p.line[0], DTLS_PASSIVE, &p.line[1]->seat.rtp, media_fingerprint(media));
	agree_dtls(p.line[1], DTLS_ACTIVE, &p.line[0]->seat.rtp, media_fingerprint(media));
	apply(&p.plan[0]);
	apply(&p.plan[1]);
	wait_event(MEDIA_EVENT_SECURED, 1);
	wait_event(MEDIA_EVENT_SECURED, 2);
	assert_cross_keys(&p);
	pair_end(&p);
}

// A call of ours rings, then is answered: the hello that goes with the final answer is the one that counts, whatever the ringing said.
static void test_dtls_answer_after_a_provisional_one(void **state)
{
	for (int agreed_early = 0; agreed_early < 2; agreed_early++) {
		struct dtls_pair p;

		pair_open(&p);
		agree_dtls(p.line[0], DTLS_PASSIVE, &p.line[1]->seat.rtp, media_fingerprint(media));
		apply(&p.plan[0]);
		p.line[1]->provisional = true;
		if (!agreed_early)
			apply(&p.plan[1]);
		agree_dtls(p.line[1], DTLS_ACTIVE, &p.line[0]->seat.rtp, media_fingerprint(media));
		if (agreed_early)
			apply(&p.plan[1]);
		p.line[1]->provisional = false;
		apply(&p.plan[1]);
		wait_event(MEDIA_EVENT_SECURED, 1);
		wait_event(MEDIA_EVENT_SECURED, 2);
		assert_cross_keys(&p);
		pair_end(&p);
	}
}

static void test_dtls_lost_datagrams(void **state)
{
	struct dtls_pair p;

	(void)state;
	stand_profile.keying_timeout = MONO_S(5);
	pair_open(&p);
	agree_dtls(p.line[0], DTLS_PASSIVE, &p.line[1]->seat.rtp, media_fingerprint(media));
	agree_dtls(p.line[1], DTLS_ACTIVE, &p.line[0]->seat.rtp, media_fingerprint(media));
	fake_dp_lose(4);
	apply(&p.plan[0]);
	apply(&p.plan[1]);
	wait_event(MEDIA_EVENT_SECURED, 1);
	wait_event(MEDIA_EVENT_SECURED, 2);
	assert_cross_keys(&p);
	pair_end(&p);
	stand_profile.keying_timeout = MONO_MS(600);
}

static void test_dtls_before_the_answer(void **state)
{
	struct dtls_pair p;

	(void)state;
	pair_open(&p);
	apply(&p.plan[0]); // prepared: our offer is out
	EVENTUALLY(fake_dp_live() == 2);
	agree_dtls(p.line[1], DTLS_ACTIVE, &p.line[0]->seat.rtp, media_fingerprint(media));
	apply(&p.plan[1]);
	wait_event(MEDIA_EVENT_SECURED, 2); // the handshake is through
	assert_int_equal(at(&p.line[0]->seat.rtp).n_rx, 0); // parked: nothing left the endpoint
	assert_int_equal(at(&p.line[0]->seat.rtp).path.remote.addr.family, INET_NONE);

	agree_dtls(p.line[0], DTLS_PASSIVE, &p.line[1]->seat.rtp, media_fingerprint(media));
	apply(&p.plan[0]);
	wait_event(MEDIA_EVENT_SECURED, 1);
	assert_cross_keys(&p);
	pair_end(&p);
}

static void test_dtls_wrong_certificate(void **state)
{
	static const char wrong[] = "sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:"
				    "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF";
	struct media_event failed;
	struct dtls_pair p;

	(void)state;
	for (int parked = 0; parked < 2; parked++) {
		pair_open(&p);
		if (!parked)
			agree_dtls(p.line[0], DTLS_PASSIVE, &p.line[1]->seat.rtp, wrong);
		agree_dtls(p.line[1], DTLS_ACTIVE, &p.line[0]->seat.rtp, media_fingerprint(media));
		apply(&p.plan[0]);
		apply(&p.plan[1]);
		if (parked) {
			wait_event(MEDIA_EVENT_SECURED, 2);
			agree_dtls(p.line[0], DTLS_PASSIVE, &p.line[1]->seat.rtp, wrong);
			apply(&p.plan[0]);
		}
		failed = wait_event(MEDIA_EVENT_FAILED, 1);
		assert_non_null(strstr(failed.cause, "fingerprint"));
		assert_int_equal(at(&p.line[0]->seat.rtp).n_rx, 0);
		assert_int_equal(at(&p.line[0]->seat.rtp).n_tx, 0);
		pair_end(&p);
		stand_forget_events();
	}
}

static void test_nobody_shakes_hands(void **state)
{
	struct inet_endpoint nowhere = endpoint("192.0.2.77:9");
	struct dtls_pair p;

	(void)state;
	pair_open(&p);
	agree_dtls(p.line[0], DTLS_ACTIVE, &nowhere, media_fingerprint(media));
	agree_dtls(p.line[1], DTLS_PASSIVE, &nowhere, media_fingerprint(media));
	apply(&p.plan[0]);
	apply(&p.plan[1]);
	wait_event(MEDIA_EVENT_FAILED, 1);
	wait_event(MEDIA_EVENT_FAILED, 2);
	pair_end(&p);
}

// What the operator sees of the realm that shakes hands actively.
static uint64_t failed(enum dtls_failure failure)
{
	return counter_read(&media_stats(media)->realms[CORE].handshake_failures[failure]);
}

static uint64_t unanswered(void)
{
	return counter_read(&media_stats(media)->realms[CORE].rtcp_unanswered);
}

// The active one wants RTCP on a port of its own, where nobody is.
static void pair_apart(struct dtls_pair *p, const struct inet_endpoint *media_at, const struct inet_endpoint *rtcp_at)
{
	pair_open(p);
	agree_dtls(p->line[0], DTLS_PASSIVE, &p->line[1]->seat.rtp, media_fingerprint(media));
	agree_dtls(p->line[1], DTLS_ACTIVE, media_at != NULL ? media_at : &p->line[0]->seat.rtp, media_fingerprint(media));
	p->line[1]->rtcp_mux = false;
	p->line[1]->remote_rtcp = *rtcp_at;
	apply(&p->plan[0]);
	apply(&p->plan[1]);
}

// RFC 5764 section 3: the call is well without, and nobody is told of a failure.
static void test_rtcp_that_never_shakes_hands(void **state)
{
	struct inet_endpoint nowhere = endpoint("192.0.2.77:9");
	struct dtls_pair p;

	(void)state;
	stand_profile.keying_timeout = MONO_S(10);
	pair_apart(&p, NULL, &nowhere);
	wait_event(MEDIA_EVENT_SECURED, 1);
	wait_event(MEDIA_EVENT_SECURED, 2);
	stand_ahead += MONO_S(11); // with the next repetition of its hello it is over
	EVENTUALLY(unanswered() == 1);
	for (enum dtls_failure i = 0; i < DTLS_FAILURE_COUNT; i++)
		assert_int_equal(failed(i), 0);
	assert_cross_keys(&p);
	assert_false(told(MEDIA_EVENT_FAILED, 2));
	pair_end(&p);
	stand_profile.keying_timeout = MONO_MS(600);
}

// HelloVerifyRequest with a cookie; the hello that brings it back shows that it has been read.
static void ask_for_cookie(const struct inet_endpoint *local, const struct inet_endpoint *source)
{
	static const uint8_t cookie[] = { 0xc0, 0x0c, 0x1e, 0x5a, 0x11, 0x79, 0x90, 0x47 };
	uint8_t request[] = { 22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 23, // record
			      3, 0, 0, 11, 0, 0, 0, 0, 0, 0, 0, 11,	     // handshake
			      0xfe, 0xff, sizeof(cookie), 0, 0, 0, 0, 0, 0, 0, 0 };
	uint8_t hello[1500];
	struct inet_endpoint to;
	int len;

	memcpy(request + sizeof(request) - sizeof(cookie), cookie, sizeof(cookie));
	fake_dp_punt(local, source, DP_PUNT_DTLS, request, sizeof(request));
	do {
		len = fake_dp_sent(&to, hello, sizeof(hello));
		assert_true(len > 0);
	} while (memmem(hello, (size_t)len, cookie, sizeof(cookie)) == NULL);
}

// It has begun, and does not go on: that one has failed.
static void test_rtcp_that_stops_in_its_handshake(void **state)
{
	struct inet_endpoint nowhere = endpoint("192.0.2.77:9");
	struct dtls_pair p;

	(void)state;
	stand_profile.keying_timeout = MONO_S(10);
	pair_apart(&p, NULL, &nowhere);
	wait_event(MEDIA_EVENT_SECURED, 2);
	ask_for_cookie(&p.line[1]->seat.rtcp, &nowhere);
	stand_ahead += MONO_S(11);
	EVENTUALLY(failed(DTLS_FAILURE_TIMEOUT) == 1);
	assert_int_equal(unanswered(), 0);
	pair_end(&p);
	stand_profile.keying_timeout = MONO_MS(600);
}

// Nor has the media its keys: both have failed.
static void test_nothing_shakes_hands(void **state)
{
	struct inet_endpoint nowhere = endpoint("192.0.2.77:9"), beside = endpoint("192.0.2.77:11");
	struct dtls_pair p;

	(void)state;
	pair_apart(&p, &beside, &nowhere);
	wait_event(MEDIA_EVENT_FAILED, 2);
	stand_ahead += MONO_S(11);
	EVENTUALLY(failed(DTLS_FAILURE_TIMEOUT) == 2);
	assert_int_equal(unanswered(), 0);
	pair_end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STAND_TEST(test_dtls_both_roles),
		STAND_TEST(test_dtls_answer_after_a_provisional_one),
		STAND_TEST(test_dtls_lost_datagrams),
		STAND_TEST(test_dtls_before_the_answer),
		STAND_TEST(test_dtls_wrong_certificate),
		STAND_TEST(test_nobody_shakes_hands),
		STAND_TEST(test_rtcp_that_never_shakes_hands),
		STAND_TEST(test_rtcp_that_stops_in_its_handshake),
		STAND_TEST(test_nothing_shakes_hands),
	};
	return cmocka_run_group_tests(tests, stand_group_setup, stand_group_teardown);
}
