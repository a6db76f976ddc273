// SPDX-License-Identifier: GPL-3.0-or-later
// test_call_offer_answer.c - the offer/answer table: every state against every event, glare, roll-back and preview.
#include "signaling/oa_crossing.h"
#include "signaling/offer_answer.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

// Columns: send offer, receive offer, preview, send answer, receive answer, refused, refuse, ask, be asked.
#define NO OA_IMPOSSIBLE
static const enum oa_state expected[OA_STATE_COUNT][OA_EVENT_COUNT] = {
	[OA_STABLE] = { OA_OFFER_SENT, OA_OFFER_RECEIVED, NO, NO, NO, NO, NO, OA_ASKED, OA_OWED },
	[OA_ASKED] = { NO, OA_OFFER_RECEIVED, NO, NO, NO, OA_STABLE, NO, NO, NO },
	[OA_OWED] = { OA_OFFER_SENT, NO, NO, NO, NO, NO, OA_STABLE, NO, NO },
	[OA_OFFER_SENT] = { NO, NO, OA_OFFER_SENT, NO, OA_STABLE, OA_STABLE, NO, NO, NO },
	[OA_OFFER_RECEIVED] = { NO, NO, OA_OFFER_RECEIVED, OA_STABLE, NO, NO, OA_STABLE, NO, NO },
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

static void what_opens_an_exchange_names_its_message(void **state)
{
	struct oa_fsm fsm;

	oa_fsm_start(&fsm, 1, 0);
	assert_int_equal(oa_open(&fsm, OA_EV_SEND_OFFER, OA_BY_UPDATE, 1), 0);
	assert_int_equal(fsm.by, OA_BY_UPDATE);
	assert_int_equal(oa_open(&fsm, OA_EV_RECV_OFFER, OA_BY_INVITE, 2), -EPROTO);
	assert_int_equal(fsm.by, OA_BY_UPDATE); // the one that is open
}

// RFC 6337 table 1, column by column: which message answers which.
static void which_message_answers_which(void **state)
{
	static const enum oa_carrier pairs[][2] = {
		{ OA_BY_INVITE, OA_BY_OK },       { OA_BY_OK, OA_BY_ACK },         { OA_BY_INVITE, OA_BY_RELIABLE },
		{ OA_BY_RELIABLE, OA_BY_PRACK },  { OA_BY_PRACK, OA_BY_PRACK_OK }, { OA_BY_UPDATE, OA_BY_UPDATE_OK },
	};

	for (int offer = 0; offer < OA_CARRIER_COUNT; offer++) {
		for (int answer = 0; answer < OA_CARRIER_COUNT; answer++) {
			bool found = false;

			for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
				found |= pairs[i][0] == (enum oa_carrier)offer && pairs[i][1] == (enum oa_carrier)answer;
			assert_int_equal(oa_answers((enum oa_carrier)offer, (enum oa_carrier)answer), found);
		}
	}
}

struct reading {
	enum oa_state state;
	enum oa_carrier by, carrier;
	bool described;
	enum oa_meaning meaning;
};

static const struct reading readings[] = {
	// Our INVITE offered.
	{ OA_OFFER_SENT, OA_BY_INVITE, OA_BY_PLAIN, true, OA_IS_PREVIEW },
	{ OA_OFFER_SENT, OA_BY_INVITE, OA_BY_PLAIN, false, OA_NOTHING },
	{ OA_OFFER_SENT, OA_BY_INVITE, OA_BY_RELIABLE, true, OA_IS_ANSWER },
	{ OA_OFFER_SENT, OA_BY_INVITE, OA_BY_RELIABLE, false, OA_NOTHING },
	{ OA_OFFER_SENT, OA_BY_INVITE, OA_BY_OK, true, OA_IS_ANSWER },
	{ OA_OFFER_SENT, OA_BY_INVITE, OA_BY_OK, false, OA_IS_MISSING },
	{ OA_STABLE, OA_BY_INVITE, OA_BY_OK, true, OA_IS_REPEAT }, // a reliable 1xx has answered
	{ OA_STABLE, OA_BY_INVITE, OA_BY_PLAIN, true, OA_IS_REPEAT },
	{ OA_STABLE, OA_BY_INVITE, OA_BY_OK, false, OA_NOTHING },
	// It did not.
	{ OA_ASKED, OA_BY_INVITE, OA_BY_PLAIN, true, OA_IS_REPEAT }, // no offer: not reliable
	{ OA_ASKED, OA_BY_INVITE, OA_BY_RELIABLE, true, OA_IS_OFFER },
	{ OA_ASKED, OA_BY_INVITE, OA_BY_RELIABLE, false, OA_NOTHING },
	{ OA_ASKED, OA_BY_INVITE, OA_BY_OK, true, OA_IS_OFFER },
	{ OA_ASKED, OA_BY_INVITE, OA_BY_OK, false, OA_IS_MISSING },
	// Ours went in a response.
	{ OA_OFFER_SENT, OA_BY_OK, OA_BY_ACK, true, OA_IS_ANSWER },
	{ OA_OFFER_SENT, OA_BY_OK, OA_BY_ACK, false, OA_IS_MISSING },
	{ OA_OFFER_SENT, OA_BY_RELIABLE, OA_BY_PRACK, true, OA_IS_ANSWER },
	{ OA_OFFER_SENT, OA_BY_RELIABLE, OA_BY_PRACK, false, OA_IS_MISSING },
	{ OA_STABLE, OA_BY_NONE, OA_BY_ACK, true, OA_IS_REPEAT },
	{ OA_STABLE, OA_BY_NONE, OA_BY_ACK, false, OA_NOTHING },
	// New offers, and offers that meet others.
	{ OA_STABLE, OA_BY_NONE, OA_BY_PRACK, true, OA_IS_OFFER },
	{ OA_STABLE, OA_BY_NONE, OA_BY_PRACK, false, OA_NOTHING },
	{ OA_STABLE, OA_BY_NONE, OA_BY_UPDATE, true, OA_IS_OFFER },
	{ OA_STABLE, OA_BY_NONE, OA_BY_UPDATE, false, OA_NOTHING },
	{ OA_STABLE, OA_BY_NONE, OA_BY_INVITE, true, OA_IS_OFFER },
	{ OA_OFFER_SENT, OA_BY_UPDATE, OA_BY_UPDATE, true, OA_IS_GLARE },
	{ OA_OFFER_SENT, OA_BY_INVITE, OA_BY_UPDATE, true, OA_IS_GLARE },
	{ OA_OFFER_SENT, OA_BY_UPDATE, OA_BY_INVITE, true, OA_IS_GLARE },
	{ OA_ASKED, OA_BY_INVITE, OA_BY_UPDATE, true, OA_IS_GLARE },
	{ OA_OFFER_RECEIVED, OA_BY_INVITE, OA_BY_UPDATE, true, OA_IS_EARLY },
	{ OA_OFFER_RECEIVED, OA_BY_UPDATE, OA_BY_INVITE, true, OA_IS_EARLY },
	{ OA_OWED, OA_BY_INVITE, OA_BY_UPDATE, true, OA_IS_EARLY },
	// An answer to one offer is none to another.
	{ OA_OFFER_SENT, OA_BY_UPDATE, OA_BY_OK, true, OA_IS_REPEAT },
	{ OA_OFFER_SENT, OA_BY_UPDATE, OA_BY_UPDATE_OK, true, OA_IS_ANSWER },
	{ OA_OFFER_SENT, OA_BY_UPDATE, OA_BY_UPDATE_OK, false, OA_IS_MISSING },
	{ OA_OFFER_SENT, OA_BY_PRACK, OA_BY_PRACK_OK, true, OA_IS_ANSWER },
	{ OA_OFFER_SENT, OA_BY_PRACK, OA_BY_UPDATE_OK, true, OA_IS_REPEAT },
};

static void what_a_description_means(void **state)
{
	for (size_t i = 0; i < sizeof(readings) / sizeof(readings[0]); i++) {
		struct oa_fsm fsm = { .state = readings[i].state, .by = readings[i].by };

		if (oa_read(&fsm, readings[i].carrier, readings[i].described) != readings[i].meaning)
			fail_msg("reading %zu", i);
	}
}

static void how_an_offer_crosses(void **state)
{
	static const struct {
		enum oa_carrier by;
		struct oa_side other;
		struct oa_way way;
	} crossings[] = {
		{ OA_BY_INVITE, { OA_SIDE_UP, false }, { OA_BY_INVITE, 0 } },
		{ OA_BY_INVITE, { OA_SIDE_UP, true }, { OA_BY_INVITE, 0 } },
		{ OA_BY_INVITE, { OA_SIDE_ACK_DUE, true }, { OA_BY_NONE, 491 } },
		{ OA_BY_UPDATE, { OA_SIDE_UP, true }, { OA_BY_UPDATE, 0 } },
		{ OA_BY_UPDATE, { OA_SIDE_UP, false }, { OA_BY_INVITE, 0 } },
		{ OA_BY_UPDATE, { OA_SIDE_EARLY, true }, { OA_BY_UPDATE, 0 } },
		{ OA_BY_UPDATE, { OA_SIDE_EARLY, false }, { OA_BY_NONE, 504 } },
		{ OA_BY_UPDATE, { OA_SIDE_SETUP, true }, { OA_BY_NONE, 504 } },
		{ OA_BY_UPDATE, { OA_SIDE_PRACK, false }, { OA_BY_PRACK, 0 } },
		{ OA_BY_UPDATE, { OA_SIDE_ACK_DUE, true }, { OA_BY_NONE, 491 } },
		{ OA_BY_PRACK, { OA_SIDE_PRACK, false }, { OA_BY_PRACK, 0 } },
		{ OA_BY_PRACK, { OA_SIDE_EARLY, true }, { OA_BY_UPDATE, 0 } },
		{ OA_BY_PRACK, { OA_SIDE_EARLY, false }, { OA_BY_NONE, 504 } },
		{ OA_BY_PRACK, { OA_SIDE_SETUP, true }, { OA_BY_NONE, 504 } },
		{ OA_BY_RELIABLE, { OA_SIDE_ASKING, false }, { OA_BY_RELIABLE, 0 } },
		{ OA_BY_OK, { OA_SIDE_ASKING, false }, { OA_BY_OK, 0 } },
		{ OA_BY_OK, { OA_SIDE_UP, true }, { OA_BY_NONE, 504 } },
	};

	for (size_t i = 0; i < sizeof(crossings) / sizeof(crossings[0]); i++) {
		struct oa_way way = oa_cross(crossings[i].by, &crossings[i].other);

		if (way.carrier != crossings[i].way.carrier || way.status != crossings[i].way.status)
			fail_msg("crossing %zu: %d %d", i, way.carrier, way.status);
	}
}

// RFC 3261 section 14.1: 2.1 to 4 s for the one that made the Call-ID, 0 to 2 s for the other, in units of 10 ms.
static void back_off_times(void **state)
{
	unsigned least[2] = { 9999, 9999 }, most[2] = { 0, 0 };

	for (uint32_t random = 0; random < 4000; random++) {
		for (int owner = 0; owner < 2; owner++) {
			unsigned ms = oa_back_off_ms(owner, random);

			assert_int_equal(ms % 10, 0);
			least[owner] = ms < least[owner] ? ms : least[owner];
			most[owner] = ms > most[owner] ? ms : most[owner];
		}
	}
	assert_int_equal(least[0], 0);
	assert_int_equal(most[0], 2000);
	assert_int_equal(least[1], 2100);
	assert_int_equal(most[1], 4000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_pair),
		cmocka_unit_test(glare_is_an_offer_that_meets_an_offer),
		cmocka_unit_test(a_preview_is_no_answer),
		cmocka_unit_test(what_opens_an_exchange_names_its_message),
		cmocka_unit_test(which_message_answers_which),
		cmocka_unit_test(what_a_description_means),
		cmocka_unit_test(how_an_offer_crosses),
		cmocka_unit_test(back_off_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
