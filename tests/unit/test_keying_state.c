// SPDX-License-Identifier: GPL-3.0-or-later
// test_keying_state.c - every state and event of the keying table against a list written by hand.
#include "mediarelay/keying_state.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

// "state event next"; whatever is not listed must be refused without moving.
static const char *const allowed[] = {
	"none prepare pending",	     "none agree pending",	  "none keys secured",
	"pending prepare pending",   "pending agree pending",	  "pending park parked",
	"pending keys secured",	     "pending expire failed",	  "parked prepare parked",
	"parked agree parked",	     "parked park parked",	  "parked unpark pending",
	"parked keys secured",	     "parked expire failed",	  "secured prepare secured",
	"secured agree rekeying",    "secured park secured",	  "secured unpark secured",
	"secured keys secured",	     "rekeying prepare rekeying", "rekeying keep secured",
	"rekeying agree rekeying",   "rekeying park rekeying",	  "rekeying unpark rekeying",
	"rekeying keys secured",     "rekeying expire failed",	  "failed agree pending",
	"failed keys secured",
};

static const char *expected_next(const char *state, const char *event)
{
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
		const char *at = allowed[i];

		if (strncmp(at, state, strlen(state)) != 0 || at[strlen(state)] != ' ')
			continue;
		at += strlen(state) + 1;
		if (strncmp(at, event, strlen(event)) == 0 && at[strlen(event)] == ' ')
			return at + strlen(event) + 1;
	}
	return NULL;
}

static void test_table(void **state)
{
	size_t moved = 0;

	(void)state;
	for (int s = 0; s < KEYING_STATE_COUNT; s++) {
		for (int e = 0; e < KEYING_EVENT_COUNT; e++) {
			enum keying_state now = (enum keying_state)s;
			const char *next = expected_next(keying_state_name(now), keying_event_name((enum keying_event)e));
			int err = keying_step(&now, (enum keying_event)e);

			if (next == NULL) {
				assert_int_equal(err, -EPROTO);
				assert_int_equal(now, s);
				continue;
			}
			assert_int_equal(err, 0);
			assert_string_equal(keying_state_name(now), next);
			moved++;
		}
	}
	assert_int_equal(moved, sizeof(allowed) / sizeof(allowed[0]));
}

static void test_out_of_range(void **state)
{
	enum keying_state now = KEYING_STATE_COUNT;

	(void)state;
	assert_int_equal(keying_step(&now, KEYING_EVENT_KEYS), -EPROTO);
	now = KEYING_STATE_NONE;
	assert_int_equal(keying_step(&now, KEYING_EVENT_COUNT), -EPROTO);
	assert_string_equal(keying_state_name(KEYING_STATE_COUNT), "invalid");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_table), cmocka_unit_test(test_out_of_range) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
