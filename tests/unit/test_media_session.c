// SPDX-License-Identifier: GPL-3.0-or-later
// test_media_session.c - plans become ports, keys, paths and edges, and end: the media thread against a packet path in memory.
#include "base/secret.h"
#include "mediarelay/srtcp.h"
#include "tests/support/media_stand.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void test_prepared_is_closed(void **state)
{
	struct fake_transport t;
	struct media_plan plan;
	uint32_t session;

	(void)state;
	assert_int_equal(media_session_open(media, &session), 0);
	plan = two_legs(session);
	apply(&plan);
	EVENTUALLY(fake_dp_live() == 4); // RTP and RTCP of two lines
	t = at(&plan.legs[0].lines[0].seat.rtp);
	assert_int_equal(t.security, 0); // neither, until it is agreed: no media passes
	assert_int_equal(t.path.remote.addr.family, INET_NONE);
	EVENTUALLY(at(&plan.legs[0].lines[0].seat.rtp).n_edges == 1);
	assert_false(at(&plan.legs[0].lines[0].seat.rtp).edges[0].open);
	end_session(session);
}

static void test_plain_flows(void **state)
{
	struct media_plan plan;
	struct media_line *a, *b;
	uint32_t session;

	(void)state;
	assert_int_equal(media_session_open(media, &session), 0);
	plan = two_legs(session);
	a = &plan.legs[0].lines[0], b = &plan.legs[1].lines[0];
	agree_plain(a, "192.0.2.50:4000");
	agree_plain(b, "10.0.0.9:5000");
	apply(&plan);
	wait_event(MEDIA_EVENT_SECURED, 1);
	wait_event(MEDIA_EVENT_SECURED, 2);
	EVENTUALLY(at(&a->seat.rtp).n_edges == 1 && at(&a->seat.rtp).edges[0].open);
	assert_true(at(&b->seat.rtp).edges[0].open);
	assert_int_equal(at(&a->seat.rtp).security, DP_PLAIN);
	assert_true(sends_to(&b->seat.rtp, &b->remote));
	assert_int_equal(at(&a->seat.rtp).path.dscp, 46);

	a->send = false; // hold: the far side's media is no longer wanted here
	apply(&plan);
	EVENTUALLY(!at(&b->seat.rtp).edges[0].open);
	assert_true(at(&a->seat.rtp).edges[0].open);
	end_session(session);
}

static void test_mux_closes_rtcp_port(void **state)
{
	struct media_plan plan;
	uint32_t session;

	(void)state;
	assert_int_equal(media_session_open(media, &session), 0);
	plan = two_legs(session);
	plan.legs[0].lines[0].rtcp_mux = true;
	agree_plain(&plan.legs[0].lines[0], "192.0.2.50:4000");
	agree_plain(&plan.legs[1].lines[0], "10.0.0.9:5000");
	apply(&plan);
	wait_event(MEDIA_EVENT_SECURED, 2);
	EVENTUALLY(fake_dp_live() == 3);
	end_session(session);
}

static void test_sdes_keys(void **state)
{
	struct fake_transport t;
	struct media_plan plan;
	struct media_line *a;
	uint32_t session;

	(void)state;
	assert_int_equal(media_session_open(media, &session), 0);
	plan = two_legs(session);
	a = &plan.legs[0].lines[0];
	agree_sdes(a, "192.0.2.50:4000");
	agree_plain(&plan.legs[1].lines[0], "10.0.0.9:5000");
	apply(&plan);
	wait_event(MEDIA_EVENT_SECURED, 1);
	t = at(&a->seat.rtp);
	assert_int_equal(t.security, DP_SRTP);
	assert_memory_equal(t.rx.master.key, a->keying.rx.key, 16);
	assert_memory_equal(t.tx.master.key, a->keying.tx.key, 16);
	assert_int_equal(t.rx.epoch, 1);

	apply(&plan); // the same again: no new key
	secret_random(a->keying.tx.key, 16);
	apply(&plan);
	EVENTUALLY(at(&a->seat.rtp).tx.epoch == 2);
	assert_int_equal(at(&a->seat.rtp).n_tx, 2);
	end_session(session);
}

static void test_silence_is_told(void **state)
{
	struct media_event silent;
	struct media_plan plan;
	uint32_t session;

	(void)state;
	assert_int_equal(media_session_open(media, &session), 0);
	plan = two_legs(session);
	agree_plain(&plan.legs[0].lines[0], "192.0.2.50:4000");
	agree_plain(&plan.legs[1].lines[0], "10.0.0.9:5000");
	plan.legs[1].lines[0].silent_allowed = true; // on hold: says nothing, and may
	apply(&plan);
	silent = wait_event(MEDIA_EVENT_SILENT, 1);
	assert_non_null(strstr(silent.cause, "access"));
	assert_false(told(MEDIA_EVENT_SILENT, 2));
	end_session(session);
}

static void test_limits_and_return(void **state)
{
	struct media_seat seats[40];
	uint32_t sessions[5];
	unsigned n = 0;

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(media_session_open(media, &sessions[i]), 0);
	assert_int_equal(media_session_open(media, &sessions[4]), -ENOSPC);
	for (unsigned i = 0; i < 4; i++)
		media_session_close(media, sessions[i]);
	EVENTUALLY(media_session_count(media) == 0);
	while (n < 40 && media_seat_take(media, ACCESS, INET_V4, &seats[n]) == 0)
		n++;
	assert_int_equal(n, 32); // 64 ports, two a seat
	assert_int_equal(media_seat_take(media, ACCESS, INET_V6, &seats[n]), -ENOSPC);
	for (unsigned i = 0; i < n; i++) {
		for (unsigned j = i + 1; j < n; j++)
			assert_int_not_equal(seats[i].rtp.port, seats[j].rtp.port);
		assert_int_equal(seats[i].rtp.port % 2, 0);
		assert_int_equal(strlen(seats[i].tls_id), 32);
	}
	media_seat_return(media, &seats[7]); // never was live: no rest
	assert_int_equal(media_seat_take(media, ACCESS, INET_V4, &seats[39]), 0);
	assert_int_equal(seats[39].rtp.port, seats[7].rtp.port);
}

static void test_number_waits_for_the_relay(void **state)
{
	struct media_plan plan;
	uint32_t session;

	(void)state;
	assert_int_equal(media_session_open(media, &session), 0);
	plan = two_legs(session);
	apply(&plan);
	EVENTUALLY(fake_dp_live() == 4);
	fake_dp_hold_removals(true);
	media_session_close(media, session);
	EVENTUALLY(fake_dp_live() == 0);
	assert_int_equal(media_session_count(media), 1);
}

static const uint8_t receiver_report[] = { 0x80, 201, 0, 1, 0xde, 0xad, 0xbe, 0xef };

static void test_rtcp_is_sealed_and_opened(void **state)
{
	struct media_plan plan;
	struct media_line *a, *b;
	struct srtcp *theirs_rx, *theirs_tx;
	struct inet_endpoint to;
	uint8_t packet[256];
	uint32_t session;
	size_t len;
	int got;

	(void)state;
	assert_int_equal(media_session_open(media, &session), 0);
	plan = two_legs(session);
	a = &plan.legs[0].lines[0], b = &plan.legs[1].lines[0];
	agree_sdes(a, "192.0.2.50:4000");
	agree_plain(b, "10.0.0.9:5000");
	apply(&plan);
	wait_event(MEDIA_EVENT_SECURED, 2);
	assert_int_equal(srtcp_open(&theirs_rx, &a->keying.tx, SRTCP_RECEIVE), 0);
	assert_int_equal(srtcp_open(&theirs_tx, &a->keying.rx, SRTCP_SEND), 0);

	fake_dp_punt(&b->seat.rtcp, &b->remote_rtcp, DP_PUNT_RTCP, receiver_report, sizeof(receiver_report));
	got = fake_dp_sent(&to, packet, sizeof(packet));
	assert_int_equal(got, sizeof(receiver_report) + 14); // index and tag
	assert_true(inet_endpoint_equal(&to, &a->remote_rtcp));
	
	len = (size_t)got;
	assert_int_equal(srtcp_unprotect(theirs_rx, packet, &len), 0);
	assert_int_equal(len, sizeof(receiver_report));
	assert_memory_equal(packet, receiver_report, len);

	memcpy(packet, receiver_report, sizeof(receiver_report)); // plain on a secured leg: ends here
	fake_dp_punt(&a->seat.rtcp, &a->remote_rtcp, DP_PUNT_RTCP, packet, sizeof(receiver_report));
	len = sizeof(receiver_report);
	assert_int_equal(srtcp_protect(theirs_tx, packet, &len, sizeof(packet)), 0);
	fake_dp_punt(&a->seat.rtcp, &a->remote_rtcp, DP_PUNT_RTCP, packet, len);
	fake_dp_punt(&a->seat.rtcp, &a->remote_rtcp, DP_PUNT_RTCP, packet, len); // replayed
	got = fake_dp_sent(&to, packet, sizeof(packet));
	assert_int_equal(got, sizeof(receiver_report));
	assert_true(inet_endpoint_equal(&to, &b->remote_rtcp));
	fake_dp_punt(&b->seat.rtcp, &a->remote, DP_PUNT_RTCP, receiver_report, sizeof(receiver_report)); // a stranger
	assert_int_equal(fake_dp_sent(&to, packet, sizeof(packet)), -1); // one came through, once
	srtcp_close(theirs_rx);
	srtcp_close(theirs_tx);
	end_session(session);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STAND_TEST(test_prepared_is_closed),
		STAND_TEST(test_plain_flows),
		STAND_TEST(test_mux_closes_rtcp_port),
		STAND_TEST(test_sdes_keys),
		STAND_TEST(test_rtcp_is_sealed_and_opened),
		STAND_TEST(test_silence_is_told),
		STAND_TEST(test_limits_and_return),
		STAND_TEST(test_number_waits_for_the_relay),
	};
	return cmocka_run_group_tests(tests, stand_group_setup, stand_group_teardown);
}
