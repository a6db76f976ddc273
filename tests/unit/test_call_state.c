// SPDX-License-Identifier: GPL-3.0-or-later
// test_call_state.c - the call table: every state against every event, and that each call can come to its end.
#include "signaling/call_state.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

// One row a state, one column an event: routed, progress, answer, ack, re-invite, settled, cancel, fail, hangup, gone.
#define NO CALL_IMPOSSIBLE
static const enum call_state expected[CALL_STATE_COUNT][CALL_EVENT_COUNT] = {
	[CALL_ROUTING] = { CALL_CALLING, NO, NO, NO, NO, NO, CALL_ENDED, CALL_ENDED, NO, NO },
	[CALL_CALLING] = { NO, CALL_EARLY, CALL_ANSWERING, NO, NO, NO, CALL_CANCELLING, CALL_ENDING, NO, NO },
	[CALL_EARLY] = { NO, CALL_EARLY, CALL_ANSWERING, NO, NO, NO, CALL_CANCELLING, CALL_ENDING, NO, NO },
	[CALL_ANSWERING] = { NO, NO, NO, CALL_UP, NO, NO, NO, NO, CALL_ENDING, NO },
	[CALL_UP] = { NO, NO, NO, CALL_UP, CALL_MODIFYING, NO, NO, NO, CALL_ENDING, NO },
	[CALL_MODIFYING] = { NO, NO, NO, CALL_MODIFYING, NO, CALL_UP, NO, NO, CALL_ENDING, NO },
	[CALL_CANCELLING] = { NO, CALL_CANCELLING, CALL_ENDING, NO, NO, NO, NO, CALL_ENDING, NO, CALL_ENDED },
	[CALL_ENDING] = { NO, NO, NO, CALL_ENDING, NO, NO, NO, NO, NO, CALL_ENDED },
	[CALL_ENDED] = { NO, NO, NO, NO, NO, NO, NO, NO, NO, NO },
};

static void every_pair(void **state)
{
	for (int s = CALL_ROUTING; s < CALL_STATE_COUNT; s++) {
		for (int e = 0; e < CALL_EVENT_COUNT; e++) {
			struct call_fsm fsm = { .state = (enum call_state)s, .number = 7, .since = MONO_S(1) };
			bool allowed = expected[s][e] != CALL_IMPOSSIBLE;

			assert_int_equal(call_allows(&fsm, (enum call_event)e), allowed);
			assert_int_equal(call_step(&fsm, (enum call_event)e, MONO_S(2)), allowed ? 0 : -EPROTO);
			assert_int_equal(fsm.state, allowed ? expected[s][e] : (enum call_state)s);
			assert_int_equal(fsm.since, fsm.state == (enum call_state)s ? MONO_S(1) : MONO_S(2));
		}
	}
}

// From every state some way leads to the end: no call can be stuck for good.
static void every_state_can_end(void **state)
{
	for (int s = CALL_ROUTING; s < CALL_ENDED; s++) {
		bool reached[CALL_STATE_COUNT] = { false };

		reached[s] = true;
		for (int round = 0; round < CALL_STATE_COUNT; round++) {
			for (int from = 0; from < CALL_STATE_COUNT; from++) {
				for (int e = 0; reached[from] && e < CALL_EVENT_COUNT; e++)
					reached[expected[from][e]] = true;
			}
		}
		assert_true(reached[CALL_ENDED]);
	}
}

static void set_up_is_before_the_answer(void **state)
{
	for (int s = CALL_ROUTING; s < CALL_STATE_COUNT; s++) {
		struct call_fsm fsm = { .state = (enum call_state)s };

		assert_int_equal(call_is_setting_up(&fsm), s == CALL_ROUTING || s == CALL_CALLING || s == CALL_EARLY);
		assert_true(strlen(call_state_text((enum call_state)s)) > 1);
	}
}

static void restored_calls_are_up(void **state)
{
	struct call_fsm fsm;

	call_fsm_restore(&fsm, 3, MONO_S(9));
	assert_int_equal(fsm.state, CALL_UP);
	assert_int_equal(call_step(&fsm, CALL_EV_HANGUP, MONO_S(10)), 0);
	assert_int_equal(call_step(&fsm, CALL_EV_GONE, MONO_S(11)), 0);
	assert_int_equal(fsm.state, CALL_ENDED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_pair),
		cmocka_unit_test(every_state_can_end),
		cmocka_unit_test(set_up_is_before_the_answer),
		cmocka_unit_test(restored_calls_are_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
