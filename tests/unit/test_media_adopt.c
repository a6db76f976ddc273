// SPDX-License-Identifier: GPL-3.0-or-later
// test_media_adopt.c - a control that dies leaves flows and records; the next one goes on with them.
#include "mediarelay/srtcp.h"
#include "tests/support/media_stand.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static const uint8_t receiver_report[] = { 0x80, 201, 0, 1, 0xde, 0xad, 0xbe, 0xef };

static void child_makes_a_call(uint32_t *session, struct media_plan *plan)
{
	media = stand_open();
	assert_int_equal(media_session_open(media, session), 0);
	*plan = two_legs(*session);
	agree_sdes(&plan->legs[0].lines[0], "192.0.2.50:4000");
	agree_plain(&plan->legs[1].lines[0], "10.0.0.9:5000");
	apply(plan);
	wait_event(MEDIA_EVENT_SECURED, 1);
	wait_event(MEDIA_EVENT_SECURED, 2);
}

static void test_adopt_after_death(void **state)
{
	struct { uint32_t session; struct media_plan plan; } call;
	struct media_line *a;
	struct srtcp *theirs;
	struct inet_endpoint to;
	uint8_t packet[256];
	int pipefd[2], status, got, tries = 0;
	size_t len;
	pid_t pid;

	(void)state;
	media_close(media);
	assert_int_equal(pipe(pipefd), 0);
	pid = fork();
	if (pid == 0) {
		struct inet_endpoint ignored;

		child_makes_a_call(&call.session, &call.plan);
		fake_dp_punt(&call.plan.legs[1].lines[0].seat.rtcp, &call.plan.legs[1].lines[0].remote_rtcp,
			     DP_PUNT_RTCP, receiver_report, sizeof(receiver_report));
		fake_dp_sent(&ignored, packet, sizeof(packet)); // SRTCP index 1 is used
		_exit(write(pipefd[1], &call, sizeof(call)) == sizeof(call) ? 0 : 1);
	}
	for (size_t at = 0; at < sizeof(call); at += (size_t)got) { // a plan is larger than a pipe
		got = (int)read(pipefd[0], (uint8_t *)&call + at, sizeof(call) - at);
		assert_true(got > 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(pipefd[0]);
	close(pipefd[1]);

	media = stand_open();
	assert_int_equal(fake_dp_live(), 4);
	assert_int_equal(media_session_count(media), 1); // its number is taken
	assert_int_equal(media_session_adopt(media, call.session), 0);
	a = &call.plan.legs[0].lines[0];
	assert_int_equal(srtcp_open(&theirs, &a->keying.tx, SRTCP_RECEIVE), 0);
	do // until the adoption is through, nobody knows the port
		fake_dp_punt(&call.plan.legs[1].lines[0].seat.rtcp, &call.plan.legs[1].lines[0].remote_rtcp,
			     DP_PUNT_RTCP, receiver_report, sizeof(receiver_report));
	while ((got = fake_dp_sent(&to, packet, sizeof(packet))) < 0 && ++tries < 3);
	assert_int_equal(got, sizeof(receiver_report) + 14);
	// E flag and index: far beyond the 1 that the dead control used, so no index comes twice
	assert_true((ntohl(*(uint32_t *)(void *)(packet + sizeof(receiver_report))) & 0x7fffffff) > 1);
	len = (size_t)got;
	assert_int_equal(srtcp_unprotect(theirs, packet, &len), 0);
	srtcp_close(theirs);
	end_session(call.session);
}

#define SEATS_MAX 4096

static unsigned seats_free(void)
{
	static struct media_seat taken[SEATS_MAX];
	unsigned n = 0;

	while (n < SEATS_MAX && media_seat_take(media, 0, INET_V4, &taken[n]) == 0)
		n++;
	for (unsigned i = 0; i < n; i++)
		media_seat_return(media, &taken[i]);
	return n;
}

// Killed while a call was taken down: the relay has let its ports go, and the record stands. Nobody adopts it.
static void a_record_without_flows_is_given_up(void **state)
{
	unsigned seats = seats_free();
	pid_t pid;
	int status;

	(void)state;
	assert_in_range(seats, 2, SEATS_MAX - 1);
	media_close(media);
	pid = fork();
	if (pid == 0) {
		struct media_plan plan;
		uint32_t session;

		media = stand_open();
		assert_int_equal(media_session_open(media, &session), 0);
		plan = two_legs(session);
		plan.legs[1].lines[0].seat = seat(0); // both of one realm
		agree_plain(&plan.legs[0].lines[0], "192.0.2.50:4000");
		agree_plain(&plan.legs[1].lines[0], "192.0.2.51:5000");
		apply(&plan);
		wait_event(MEDIA_EVENT_SECURED, 1);
		wait_event(MEDIA_EVENT_SECURED, 2);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	fake_dp_reset();
	media = stand_open();
	assert_int_equal(media_session_count(media), 1);
	assert_int_equal(seats_free(), seats - 2);
	media_adopted(media); // nobody has named it
	EVENTUALLY(media_session_count(media) == 0);
	stand_ahead += MONO_S(61);
	assert_int_equal(seats_free(), seats);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STAND_TEST(test_adopt_after_death),
		STAND_TEST(a_record_without_flows_is_given_up),
	};
	return cmocka_run_group_tests(tests, stand_group_setup, stand_group_teardown);
}
