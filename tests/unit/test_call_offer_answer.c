// SPDX-License-Identifier: GPL-3.0-or-later
// test_call_offer_answer.c - the offer/answer table: every state against every event, glare, roll-back and preview.
#include "signaling/offer_answer.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

// Columns: send offer, receive offer, preview, send answer, receive answer, refused, refuse.
#define NO OA_IMPOSSIBLE
static const enum oa_state expected[OA_STATE_COUNT][OA_EVENT_COUNT] = {
	[OA_STABLE] = { OA_OFFER_SENT, OA_OFFER_RECEIVED, NO, NO, NO, NO, NO },
	[OA_OFFER_SENT] = { NO, NO, OA_OFFER_SENT, NO, OA_STABLE, OA_STABLE, NO },
	[OA_OFFER_RECEIVED] = { NO, NO, OA_OFFER_RECEIVED, OA_STABLE, NO, NO, OA_STABLE },
};

static void every_pair(void **state)
{
	for (int s = OA_STABLE; s < OA_STATE_COUNT; s++) {
		for (int e = 0; e < OA_EVENT_COUNT; e++) {
			struct oa_fsm fsm = { .state = (enum oa_state)s, .number = 7, .since = MONO_S(1) };
			bool allowed = expected[s][e] != OA_IMPOSSIBLE;

			assert_int_equal(oa_allows(&fsm, (enum oa_event)e), allowed);
			assert_int_equal(oa_step(&fsm, (enum oa_event)e, MONO_S(2)), allowed ? 0 : -EPROTO);
			assert_int_equal(fsm.state, allowed ? expected[s][e] : (enum oa_state)s);
			assert_int_equal(fsm.since, fsm.state == (enum oa_state)s ? MONO_S(1) : MONO_S(2));
		}
	}
}

static void glare_is_an_offer_that_meets_an_offer(void **state)
{
	struct oa_fsm fsm;

	oa_fsm_start(&fsm, 1, 0);
	assert_int_equal(oa_step(&fsm, OA_EV_SEND_OFFER, 1), 0);
	assert_int_equal(oa_step(&fsm, OA_EV_RECV_OFFER, 2), -EPROTO);
	assert_int_equal(oa_step(&fsm, OA_EV_SEND_OFFER, 2), -EPROTO);
	assert_int_equal(oa_step(&fsm, OA_EV_REFUSED, 3), 0);
	assert_int_equal(oa_step(&fsm, OA_EV_RECV_OFFER, 4), 0);
}

static void a_preview_is_no_answer(void **state)
{
	struct oa_fsm fsm;

	oa_fsm_start(&fsm, 1, 0);
	assert_int_equal(oa_step(&fsm, OA_EV_SEND_OFFER, 1), 0);
	assert_int_equal(oa_step(&fsm, OA_EV_PREVIEW, 2), 0);
	assert_int_equal(oa_step(&fsm, OA_EV_PREVIEW, 3), 0);
	assert_int_equal(fsm.state, OA_OFFER_SENT);
	assert_int_equal(oa_step(&fsm, OA_EV_RECV_ANSWER, 4), 0);
	assert_int_equal(fsm.state, OA_STABLE);
	assert_int_equal(oa_step(&fsm, OA_EV_PREVIEW, 5), -EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_pair),
		cmocka_unit_test(glare_is_an_offer_that_meets_an_offer),
		cmocka_unit_test(a_preview_is_no_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
