// SPDX-License-Identifier: GPL-3.0-or-later
// test_session_timer.c - RFC 4028 as tables: what is served, asked, learnt, and when refreshes and ends are due.
#include "signaling/session_timer.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

static const struct session_policy half_an_hour = { 1800, 90 }, strict = { 1800, 600 }, none = { 0, 90 };

static void a_request_too_short(void **state)
{
	assert_int_equal(session_timer_check(&strict, &(struct session_words){ .expires_s = 599, .supported = true }), 422);
	assert_int_equal(session_timer_check(&strict, &(struct session_words){ .expires_s = 600, .supported = true }), 0);
	assert_int_equal(session_timer_check(&strict, &(struct session_words){ .supported = true }), 0);
	// RFC 4028 section 9: a client without support would not understand
	assert_int_equal(session_timer_check(&strict, &(struct session_words){ .expires_s = 599 }), 0);
}

static void served(void **state)
{
	static const struct {
		const struct session_policy *policy;
		struct session_words asked;
		uint32_t interval;
		enum session_refresher refresher;
		enum session_role said;
		bool required;
	} cases[] = {
		// asked for: taken as it is, or lowered to ours
		{ &half_an_hour, { 1200, SESSION_ANY, 0, true }, 1200, SESSION_PEER, SESSION_UAC, true },
		{ &half_an_hour, { 1200, SESSION_UAC, 0, true }, 1200, SESSION_PEER, SESSION_UAC, true },
		{ &half_an_hour, { 1200, SESSION_UAS, 0, true }, 1200, SESSION_US, SESSION_UAS, false },
		{ &half_an_hour, { 7200, SESSION_UAS, 0, true }, 1800, SESSION_US, SESSION_UAS, false },
		{ &half_an_hour, { 7200, SESSION_UAS, 3600, true }, 3600, SESSION_US, SESSION_UAS, false },
		{ &half_an_hour, { 7200, SESSION_UAS, 7200, true }, 7200, SESSION_US, SESSION_UAS, false },
		{ &none, { 7200, SESSION_ANY, 0, true }, 7200, SESSION_PEER, SESSION_UAC, true },
		// by a proxy, for a client that knows nothing of it
		{ &half_an_hour, { 1200, SESSION_UAC, 0, false }, 1200, SESSION_US, SESSION_UAS, false },
		{ &half_an_hour, { 30, SESSION_ANY, 0, false }, 0, SESSION_NOBODY, SESSION_ANY, false },
		// not asked for: ours, and we refresh
		{ &half_an_hour, { 0, SESSION_ANY, 0, true }, 1800, SESSION_US, SESSION_UAS, false },
		{ &half_an_hour, { 0, SESSION_ANY, 3600, true }, 3600, SESSION_US, SESSION_UAS, false },
		{ &half_an_hour, { 0, SESSION_ANY, 0, false }, 1800, SESSION_US, SESSION_UAS, false },
		{ &none, { 0, SESSION_ANY, 0, true }, 0, SESSION_NOBODY, SESSION_ANY, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct session_timer timer = { .interval_s = 77, .refresher = SESSION_US };
		struct session_words said = session_timer_serve(&timer, cases[i].policy, &cases[i].asked);

		assert_int_equal(said.expires_s, cases[i].interval);
		assert_int_equal(said.refresher, cases[i].said);
		assert_int_equal(said.required, cases[i].required);
		assert_int_equal(timer.interval_s, cases[i].interval);
		assert_int_equal(timer.refresher, cases[i].refresher);
		assert_int_equal(timer.able, cases[i].asked.supported);
	}
}

static void asked(void **state)
{
	struct session_timer timer = { 0 };
	struct session_words said = session_timer_ask(&timer, &half_an_hour);

	assert_int_equal(said.expires_s, 1800);
	assert_int_equal(said.min_s, 90);
	assert_int_equal(said.refresher, SESSION_ANY);
	assert_int_equal(session_timer_ask(&timer, &none).expires_s, 0);
	timer = (struct session_timer){ .interval_s = 600, .refresher = SESSION_PEER };
	said = session_timer_ask(&timer, &none); // the session has one, whatever we should have asked for
	assert_int_equal(said.expires_s, 600);
	assert_int_equal(said.refresher, SESSION_UAS);
	timer.refresher = SESSION_US;
	assert_int_equal(session_timer_ask(&timer, &none).refresher, SESSION_UAC);
	timer.min_s = 900;
	said = session_timer_ask(&timer, &none);
	assert_int_equal(said.expires_s, 900);
	assert_int_equal(said.min_s, 900);
}

static void learnt(void **state)
{
	static const struct {
		const struct session_policy *policy;
		struct session_words said;
		uint32_t interval;
		enum session_refresher refresher;
		bool able;
	} cases[] = {
		{ &half_an_hour, { 1800, SESSION_UAC }, 1800, SESSION_US, true },
		{ &half_an_hour, { 900, SESSION_UAS }, 900, SESSION_PEER, true },
		{ &half_an_hour, { 900, SESSION_ANY }, 900, SESSION_US, true },
		{ &half_an_hour, { 5, SESSION_UAC }, 90, SESSION_US, true }, // against section 4
		{ &half_an_hour, { 4000000000u, SESSION_UAC }, 86400, SESSION_US, true },
		{ &half_an_hour, { 0 }, 1800, SESSION_US, false }, // a peer without: is it still there?
		{ &none, { 0 }, 0, SESSION_NOBODY, false },
		{ &none, { 900, SESSION_UAS }, 900, SESSION_PEER, true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct session_timer timer = { 0 };

		session_timer_learn(&timer, cases[i].policy, &cases[i].said);
		assert_int_equal(timer.interval_s, cases[i].interval);
		assert_int_equal(timer.refresher, cases[i].refresher);
		assert_int_equal(timer.able, cases[i].able);
	}
}

static void raised(void **state)
{
	struct session_timer timer = { 0 };

	assert_true(session_timer_raise(&timer, &(struct session_words){ .min_s = 3600 }));
	assert_int_equal(session_timer_ask(&timer, &half_an_hour).expires_s, 3600);
	assert_false(session_timer_raise(&timer, &(struct session_words){ .min_s = 3600 })); // it said so before: no end of it
	assert_false(session_timer_raise(&timer, &(struct session_words){ .min_s = 0 }));
	assert_false(session_timer_raise(&timer, &(struct session_words){ .min_s = 86401 }));
	assert_true(session_timer_raise(&timer, &(struct session_words){ .min_s = 7200 }));
}

static void when(void **state)
{
	static const uint32_t cases[][3] = { { 0, 0, 0 }, { 90, 45, 60 }, { 96, 48, 64 }, { 180, 90, 148 }, { 1800, 900, 1768 } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct session_timer timer = { .interval_s = cases[i][0], .refresher = SESSION_US };

		assert_int_equal(session_timer_refresh_s(&timer), cases[i][1]);
		assert_int_equal(session_timer_end_s(&timer), cases[i][2]);
		timer.refresher = SESSION_PEER;
		assert_int_equal(session_timer_refresh_s(&timer), 0);
		assert_int_equal(session_timer_end_s(&timer), cases[i][2]);
	}
	for (int status = 300; status < 700; status++)
		assert_int_equal(session_timer_lost(status), status == 408 || status == 481);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_too_short), cmocka_unit_test(served), cmocka_unit_test(asked),
		cmocka_unit_test(learnt),	       cmocka_unit_test(raised), cmocka_unit_test(when),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
