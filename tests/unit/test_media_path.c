// SPDX-License-Identifier: GPL-3.0-or-later
// test_media_path.c - where media goes: what moves it and what does not.
#include "tests/support/media_stand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

// A plain call whose core peer says `signalled` in its SDP and speaks SIP from 10.0.0.9; agreed, its window open or not.
static void begin_plain(struct media_plan *plan, uint32_t *session, const char *signalled)
{
	assert_int_equal(media_session_open(media, session), 0);
	*plan = two_legs(*session);
	agree_plain(&plan->legs[0].lines[0], "192.0.2.50:4000");
	agree_plain(&plan->legs[1].lines[0], signalled);
	plan->legs[1].lines[0].sip_source = endpoint("10.0.0.9:0").addr;
	apply(plan);
	wait_event(MEDIA_EVENT_SECURED, 2);
}

// The media thread has taken up all that the relay said so far.
static void caught_up(struct media_plan *plan, struct media_line *line)
{
	unsigned told = at(&line->seat.rtp).n_paths;

	line->silent_allowed = !line->silent_allowed;
	apply(plan);
	EVENTUALLY(at(&line->seat.rtp).n_paths > told);
}

static void twice_from(const struct media_line *line, const struct inet_endpoint *source)
{
	fake_dp_source(&line->seat.rtp, source, false);
	fake_dp_source(&line->seat.rtp, source, false);
}

static void test_secured_leg_follows_authenticated_source(void **state)
{
	struct inet_endpoint moved = endpoint("192.0.2.51:4444"), thief = endpoint("192.0.2.66:6666");
	struct media_plan plan;
	struct media_line *a;
	uint32_t session;
	unsigned told;

	(void)state;
	assert_int_equal(media_session_open(media, &session), 0);
	plan = two_legs(session);
	a = &plan.legs[0].lines[0];
	agree_sdes(a, "192.0.2.50:4000");
	agree_plain(&plan.legs[1].lines[0], "10.0.0.9:5000");
	apply(&plan);
	wait_event(MEDIA_EVENT_SECURED, 2);
	fake_dp_source(&a->seat.rtp, &moved, true);
	fake_dp_source(&a->seat.rtp, &moved, true);
	EVENTUALLY(sends_to(&a->seat.rtp, &moved));
	fake_dp_source(&a->seat.rtp, &thief, false);
	fake_dp_source(&a->seat.rtp, &thief, false);
	fake_dp_source(&a->seat.rtp, &thief, true); // at most once in two seconds
	fake_dp_source(&a->seat.rtp, &thief, true);
	apply(&plan); // the same plan keeps the address that was found
	a->silent_allowed = true;
	told = at(&a->seat.rtp).n_paths;
	apply(&plan);
	EVENTUALLY(at(&a->seat.rtp).n_paths > told);
	assert_true(sends_to(&a->seat.rtp, &moved));
	end_session(session);
}

static void test_plain_leg_learns_once(void **state)
{
	struct inet_endpoint real = endpoint("10.0.0.9:5555"), thief = endpoint("10.0.0.66:6666");
	struct media_plan plan;
	struct media_line *b = &plan.legs[1].lines[0];
	uint32_t session;

	(void)state;
	begin_plain(&plan, &session, "192.168.1.5:5000");
	assert_true(at(&b->seat.rtp).path.learn);
	twice_from(b, &thief); // not where the SIP comes from
	caught_up(&plan, b);
	assert_true(sends_to(&b->seat.rtp, &b->remote));
	twice_from(b, &real);
	EVENTUALLY(sends_to(&b->seat.rtp, &real));
	thief = endpoint("10.0.0.9:6666"); // the same NAT's
	twice_from(b, &thief);
	caught_up(&plan, b);
	assert_true(sends_to(&b->seat.rtp, &real));
	fake_dp_source(&b->seat.rtp, &b->remote, false); // the signalled address goes before what was learned
	EVENTUALLY(sends_to(&b->seat.rtp, &b->remote));
	EVENTUALLY(!at(&b->seat.rtp).path.learn);
	end_session(session);
}

static void test_heard_peer_closes_the_window(void **state)
{
	struct inet_endpoint other = endpoint("10.0.0.9:6666");
	struct media_plan plan;
	struct media_line *b = &plan.legs[1].lines[0];
	uint32_t session;

	(void)state;
	begin_plain(&plan, &session, "192.168.1.5:5000");
	fake_dp_set_last_rx(&b->seat.rtp, clock_now());
	twice_from(b, &other);
	EVENTUALLY(!at(&b->seat.rtp).path.learn);
	assert_true(sends_to(&b->seat.rtp, &b->remote));
	// Another signalled address opens it anew, whatever was heard before.
	b->remote = endpoint("192.168.1.5:7000");
	apply(&plan);
	EVENTUALLY(at(&b->seat.rtp).path.learn);
	twice_from(b, &other);
	EVENTUALLY(sends_to(&b->seat.rtp, &other));
	end_session(session);
}

static void test_plain_learning_by_policy(void **state)
{
	static const struct {
		enum media_learn learn;
		const char *signalled;
		bool window;
	} cases[] = {
		{ MEDIA_LEARN_NAT, "10.0.0.9:5000", false }, // no NAT: nothing else is the peer's
		{ MEDIA_LEARN_NAT, "192.168.1.5:5000", true },
		{ MEDIA_LEARN_NEVER, "192.168.1.5:5000", false },
		{ MEDIA_LEARN_ANY, "10.0.0.9:5000", true },
	};
	struct inet_endpoint other = endpoint("10.0.0.66:6666");
	struct media_plan plan;
	struct media_line *b = &plan.legs[1].lines[0];
	uint32_t session;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		stand_profile.learn = cases[i].learn;
		begin_plain(&plan, &session, cases[i].signalled);
		assert_int_equal(at(&b->seat.rtp).path.learn, cases[i].window);
		twice_from(b, &other);
		caught_up(&plan, b);
		assert_true(sends_to(&b->seat.rtp, &b->remote)); // in no mode at once
		if (cases[i].learn == MEDIA_LEARN_ANY) {
			usleep(1100000);
			fake_dp_source(&b->seat.rtp, &other, false);
			EVENTUALLY(sends_to(&b->seat.rtp, &other));
		}
		end_session(session);
	}
	stand_profile.learn = MEDIA_LEARN_NAT;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STAND_TEST(test_secured_leg_follows_authenticated_source),
		STAND_TEST(test_plain_leg_learns_once),
		STAND_TEST(test_heard_peer_closes_the_window),
		STAND_TEST(test_plain_learning_by_policy),
	};
	return cmocka_run_group_tests(tests, stand_group_setup, stand_group_teardown);
}
