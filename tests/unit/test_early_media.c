// SPDX-License-Identifier: GPL-3.0-or-later
// test_early_media.c - policies of both sides and P-Early-Media, line by line; and what becomes of it in a plan.
#include "signaling/call_streams.h"
#include "signaling/early_media.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void the_stricter_policy(void **state)
{
	static const unsigned gate[] = { EARLY_BOTH, EARLY_BACKWARD, 0 };

	for (int a = 0; a < 3; a++) {
		for (int b = 0; b < 3; b++)
			assert_int_equal(early_media_policy(a, b), gate[a > b ? a : b]);
	}
}

static void what_is_said(void **state)
{
	static const struct {
		const char *value;
		unsigned gate[3];
		bool heard;
	} cases[] = {
		{ NULL, { EARLY_BOTH, EARLY_BOTH, EARLY_BOTH }, true },
		{ "supported", { EARLY_BOTH, EARLY_BOTH, EARLY_BOTH }, true },
		{ "gated", { EARLY_BOTH, EARLY_BOTH, EARLY_BOTH }, true },
		{ "sendrecv", { EARLY_BOTH, EARLY_BOTH, EARLY_BOTH }, true },
		{ "SendOnly,gated", { EARLY_BACKWARD, EARLY_BACKWARD, EARLY_BACKWARD }, true },
		{ "recvonly", { EARLY_FORWARD, EARLY_FORWARD, EARLY_FORWARD }, false },
		{ "inactive", { 0, 0, 0 }, false },
		{ "inactive, sendrecv", { 0, EARLY_BOTH, EARLY_BOTH }, true },
		{ "recvonly , inactive,sendonly", { EARLY_FORWARD, 0, EARLY_BACKWARD }, true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct early_media early = { .allowed = EARLY_BOTH };

		early_media_read(&early, cases[i].value);
		for (unsigned line = 0; line < 3; line++)
			assert_int_equal(early_media_gate(&early, line), cases[i].gate[line]);
		assert_int_equal(early_media_heard(&early), cases[i].heard);
	}
}

static void policy_bounds_what_is_said(void **state)
{
	struct early_media early = { .allowed = EARLY_BACKWARD };
	char many[400] = "";

	early_media_read(&early, "sendrecv");
	assert_int_equal(early_media_gate(&early, 0), EARLY_BACKWARD);
	early_media_read(&early, "inactive");
	assert_false(early_media_heard(&early));
	early_media_read(&early, "supported"); // says nothing of directions: what was said stays
	assert_false(early_media_heard(&early));
	for (int i = 0; i < 30; i++)
		strcat(many, "sendrecv,");
	early_media_read(&early, many);
	assert_int_equal(early.n, EARLY_LINES_MAX);
	assert_int_equal(early_media_gate(&early, 1000), EARLY_BACKWARD);
}

static void gates_of_a_plan(void **state)
{
	static struct media_plan plan;
	struct stream stream = { .wanted = true, .agreed = true };
	struct streams streams = { 1, &stream };

	stream.side[SIDE_CALLER].direction = stream.side[SIDE_CALLEE].direction = SDP_SENDRECV;
	for (unsigned shut = 0; shut <= EARLY_BOTH; shut++) {
		struct plan_parties parties = { .shut = { shut } };

		plan_fill(&plan, &parties, NULL, &streams);
		const struct media_line *caller = &plan.legs[SIDE_CALLER].lines[0], *callee = &plan.legs[SIDE_CALLEE].lines[0];

		assert_int_equal(caller->receive, !(shut & EARLY_FORWARD));
		assert_int_equal(callee->send, !(shut & EARLY_FORWARD));
		assert_int_equal(callee->receive, !(shut & EARLY_BACKWARD));
		assert_int_equal(caller->send, !(shut & EARLY_BACKWARD));
		assert_int_equal(caller->silent_allowed, shut != 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_stricter_policy),
		cmocka_unit_test(what_is_said),
		cmocka_unit_test(policy_bounds_what_is_said),
		cmocka_unit_test(gates_of_a_plan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
