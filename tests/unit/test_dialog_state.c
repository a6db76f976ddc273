// SPDX-License-Identifier: GPL-3.0-or-later
// test_dialog_state.c - the dialog table: every state against every event, and the stories that it must tell.
#include "signaling/dialog_state.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

// One row a state, one column an event: progress, answer, ack, fail, no ack, bye out, bye in, bye done, lost.
#define NO DIALOG_IMPOSSIBLE
static const enum dialog_state expected[DIALOG_STATE_COUNT][DIALOG_EVENT_COUNT] = {
	[DIALOG_TRYING] = { DIALOG_EARLY, DIALOG_ANSWERED, NO, DIALOG_TERMINATED, NO, NO, NO, NO, NO },
	[DIALOG_EARLY] = { DIALOG_EARLY, DIALOG_ANSWERED, NO, DIALOG_TERMINATED, NO, NO, DIALOG_TERMINATED, NO, NO },
	[DIALOG_ANSWERED] = { NO, NO, DIALOG_CONFIRMED, NO, DIALOG_CONFIRMED, DIALOG_ENDING, DIALOG_TERMINATED, NO, NO },
	[DIALOG_CONFIRMED] = { NO, NO, NO, NO, NO, DIALOG_ENDING, DIALOG_TERMINATED, NO, DIALOG_TERMINATED },
	[DIALOG_ENDING] = { NO, NO, DIALOG_ENDING, NO, DIALOG_ENDING, NO, DIALOG_ENDING, DIALOG_TERMINATED,
			    DIALOG_TERMINATED },
	[DIALOG_TERMINATED] = { NO, NO, NO, NO, NO, NO, NO, NO, NO },
};

static void every_pair(void **state)
{
	for (int s = DIALOG_TRYING; s < DIALOG_STATE_COUNT; s++) {
		for (int e = 0; e < DIALOG_EVENT_COUNT; e++) {
			struct dialog_fsm fsm = { .state = (enum dialog_state)s, .number = 7, .since = MONO_S(1) };
			int err = dialog_step(&fsm, (enum dialog_event)e, MONO_S(2));

			if (expected[s][e] == DIALOG_IMPOSSIBLE) {
				assert_int_equal(err, -EPROTO);
				assert_int_equal(fsm.state, s);
				assert_int_equal(fsm.since, MONO_S(1));
			} else {
				assert_int_equal(err, 0);
				assert_int_equal(fsm.state, expected[s][e]);
				assert_int_equal(fsm.since, expected[s][e] == (enum dialog_state)s ? MONO_S(1) : MONO_S(2));
			}
		}
	}
}

static void run(struct dialog_fsm *fsm, const enum dialog_event *events, size_t n)
{
	dialog_fsm_start(fsm, 1, 0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(dialog_step(fsm, events[i], MONO_S(i + 1)), 0);
}

#define RUN(fsm, ...)                                                                              \
	run((fsm), (const enum dialog_event[]){ __VA_ARGS__ },                                     \
	    sizeof((const enum dialog_event[]){ __VA_ARGS__ }) / sizeof(enum dialog_event))

static void stories(void **state)
{
	struct dialog_fsm fsm;

	RUN(&fsm, DIALOG_EV_PROGRESS, DIALOG_EV_PROGRESS, DIALOG_EV_ANSWER, DIALOG_EV_ACK, DIALOG_EV_BYE_IN);
	assert_true(dialog_is_over(&fsm));
	RUN(&fsm, DIALOG_EV_ANSWER, DIALOG_EV_NO_ACK, DIALOG_EV_BYE_OUT, DIALOG_EV_BYE_DONE);
	assert_true(dialog_is_over(&fsm));
	RUN(&fsm, DIALOG_EV_ANSWER, DIALOG_EV_ACK, DIALOG_EV_BYE_OUT, DIALOG_EV_BYE_IN, DIALOG_EV_BYE_DONE);
	assert_true(dialog_is_over(&fsm));
	assert_int_equal(fsm.since, MONO_S(5));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_pair),
		cmocka_unit_test(stories),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
