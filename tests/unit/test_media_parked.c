// SPDX-License-Identifier: GPL-3.0-or-later
// test_media_parked.c - handshakes before the answer: how many a port keeps, for how long, and whose keys are taken.
#include "dtls/dtls_endpoint.h"
#include "dtls/dtls_identity.h"
#include "tests/support/media_stand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define KEPT 8                // handshakes a port
#define PARKED_TIME MONO_S(10)
#define PHONES (KEPT + 1)

static uint32_t session;
static struct media_plan plan;
static struct media_line *line;

// Phones outside, each at an address and with a certificate of its own.
struct phone {
	struct dtls_identity *identity;
	struct dtls_endpoint *endpoint;
	struct inet_endpoint address;
};

static struct phone phones[PHONES];

static void phone_send(void *ctx, const uint8_t *datagram, size_t len)
{
	const struct phone *p = ctx;

	fake_dp_punt(&line->seat.rtp, &p->address, DP_PUNT_DTLS, datagram, len);
}

// As the active side, to its end: the phone has its keys, our side knows no fingerprint yet.
static void phone_shakes_hands(struct phone *p)
{
	struct dtls_out out = { .send = phone_send, .ctx = p };
	struct dtls_endpoint_config c = { .identity = p->identity, .role = DTLS_ACTIVE, .retransmit_ms = 5000 };
	uint8_t datagram[2048];
	struct inet_endpoint to;

	assert_int_equal(dtls_endpoint_open(&p->endpoint, &c), 0);
	assert_int_equal(dtls_endpoint_start(p->endpoint, &out), 0);
	while (dtls_endpoint_status(p->endpoint) == DTLS_HANDSHAKING) {
		int got = fake_dp_sent(&to, datagram, sizeof(datagram));

		assert_true(got > 0);
		if (!inet_endpoint_equal(&to, &p->address))
			continue; // an acknowledgement or a farewell, to another one
		assert_int_equal(dtls_endpoint_input(p->endpoint, datagram, (size_t)got, &out), 0);
	}
	assert_int_equal(dtls_endpoint_status(p->endpoint), DTLS_PARKED); // it was given no fingerprint, either
}

static void answer_names(const struct phone *p)
{
	line->agreed = line->rtcp_mux = true;
	line->keying.mechanism = KEYING_DTLS_SRTP;
	line->keying.dtls_role = DTLS_PASSIVE;
	line->keying.suites[0] = SRTP_AEAD_AES_256_GCM;
	line->keying.fingerprints.n = 1;
	line->keying.fingerprints.list[0] = *dtls_identity_fingerprint(p->identity, DTLS_HASH_SHA256);
	line->remote = p->address;
	apply(&plan);
}

static void assert_secured_with(const struct phone *p)
{
	struct fake_transport t;

	wait_event(MEDIA_EVENT_SECURED, 1);
	assert_true(fake_dp_at(&line->seat.rtp, &t));
	assert_int_equal(t.n_rx, 1);
	assert_true(inet_endpoint_equal(&t.path.remote, &p->address));
}

static void assert_no_keys(void)
{
	struct fake_transport t;

	wait_event(MEDIA_EVENT_FAILED, 1);
	assert_true(fake_dp_at(&line->seat.rtp, &t));
	assert_int_equal(t.n_rx, 0);
	assert_int_equal(t.n_tx, 0);
}

static void open_line(void)
{
	plan = one_leg(session, 1, ACCESS);
	line = &plan.legs[0].lines[0];
	apply(&plan); // our offer is out
	EVENTUALLY(fake_dp_live() == 2);
}

static int setup(void **state)
{
	if (stand_setup(state) < 0 || media_session_open(media, &session) < 0)
		return -1;
	open_line();
	return 0;
}

static int teardown(void **state)
{
	end_session(session);
	stand_teardown(state);
	for (unsigned i = 0; i < PHONES; i++) {
		dtls_endpoint_close(phones[i].endpoint);
		phones[i].endpoint = NULL;
	}
	return 0;
}

static int setup_group(void **state)
{
	if (stand_group_setup(state) < 0)
		return -1;
	for (unsigned i = 0; i < PHONES; i++) {
		char text[32];

		snprintf(text, sizeof(text), "192.0.2.50:%u", 4000 + i);
		if (inet_endpoint_parse(&phones[i].address, text) < 0 || dtls_identity_make(&phones[i].identity, 1) < 0)
			return -1;
	}
	return 0;
}

static int teardown_group(void **state)
{
	for (unsigned i = 0; i < PHONES; i++)
		dtls_identity_unref(phones[i].identity);
	return stand_group_teardown(state);
}

static void each_of_eight_can_be_claimed(void **state)
{
	for (unsigned i = 0; i < KEPT; i++)
		phone_shakes_hands(&phones[i]);
	answer_names(&phones[0]); // the oldest
	assert_secured_with(&phones[0]);
}

static void a_ninth_takes_the_place_of_the_oldest(void **state)
{
	for (unsigned i = 0; i < PHONES; i++)
		phone_shakes_hands(&phones[i]);
	answer_names(&phones[PHONES - 1]);
	assert_secured_with(&phones[PHONES - 1]);
}

static void the_oldest_of_nine_is_gone(void **state)
{
	for (unsigned i = 0; i < PHONES; i++)
		phone_shakes_hands(&phones[i]);
	answer_names(&phones[0]);
	assert_no_keys();
}

// Phone 0 is parked, and time passes. Its timer is set anew by any datagram of its own.
static void phone_is_parked_for(mono_ns time)
{
	phone_shakes_hands(&phones[0]);
	phone_shakes_hands(&phones[2]); // answered after phone 0's last flight was read: that one is parked by now
	stand_ahead = time;
	phone_send(&phones[0], (const uint8_t *)"\x17\xfe\xfd", 3);
	phone_shakes_hands(&phones[1]);
}

static void parked_for_just_less_than_ten_seconds(void **state)
{
	phone_is_parked_for(PARKED_TIME - MONO_S(2));
	answer_names(&phones[0]);
	assert_secured_with(&phones[0]);
}

static void parked_for_ten_seconds_is_given_up(void **state)
{
	phone_is_parked_for(PARKED_TIME);
	answer_names(&phones[0]);
	assert_no_keys();
}

static void a_younger_one_outlives_it(void **state)
{
	phone_is_parked_for(PARKED_TIME);
	answer_names(&phones[1]);
	assert_secured_with(&phones[1]);
}

// The peer is parked; then one host makes as many handshakes as a port keeps, each with an address that it proves.
static void strangers_of_one_host_end_their_own(void **state)
{
	struct inet_endpoint usual = phones[0].address;

	assert_int_equal(inet_endpoint_parse(&phones[0].address, "192.0.2.77:4000"), 0);
	for (unsigned i = 0; i < PHONES; i++)
		phone_shakes_hands(&phones[i]);
	answer_names(&phones[0]);
	assert_secured_with(&phones[0]);
	phones[0].address = usual;
}

static void next_call(void)
{
	media_session_close(media, session);
	EVENTUALLY(media_session_count(media) == 0);
	stand_ahead += MONO_S(61); // the port has rested
	stand_forget_events();
	assert_int_equal(media_session_open(media, &session), 0);
	open_line();
}

// A handshake that was parked there in another call: nobody, even if the new call signals its certificate.
static void a_port_remembers_nothing_of_its_last_call(void **state)
{
	uint16_t port = line->seat.rtp.port;

	phone_shakes_hands(&phones[0]);
	do
		next_call();
	while (line->seat.rtp.port != port);
	answer_names(&phones[0]);
	assert_no_keys();
}

static void a_port_takes_a_new_handshake_in_its_next_call(void **state) // positive control
{
	uint16_t port = line->seat.rtp.port;

	do
		next_call();
	while (line->seat.rtp.port != port);
	phone_shakes_hands(&phones[0]);
	answer_names(&phones[0]);
	assert_secured_with(&phones[0]);
}

// Our one offer went to several phones (forks), whose answers come one after the other.
static void provisional_answer_of(const struct phone *p)
{
	line->provisional = true;
	answer_names(p);
}

static void final_answer_of(const struct phone *p)
{
	line->provisional = false;
	answer_names(p);
}

static bool keys_of(const struct phone *p, unsigned n_tx)
{
	struct fake_transport t;

	return fake_dp_at(&line->seat.rtp, &t) && t.n_tx == n_tx && inet_endpoint_equal(&t.path.remote, &p->address);
}

static void each_fork_has_its_own_handshake(void **state)
{
	for (unsigned i = 0; i < 3; i++)
		phone_shakes_hands(&phones[i]);
	provisional_answer_of(&phones[0]);
	assert_secured_with(&phones[0]);
	provisional_answer_of(&phones[1]);
	EVENTUALLY(keys_of(&phones[1], 2));
	final_answer_of(&phones[2]);
	EVENTUALLY(keys_of(&phones[2], 3));
	assert_false(told(MEDIA_EVENT_FAILED, 1));
}

static void a_forks_handshake_comes_after_its_answer(void **state)
{
	provisional_answer_of(&phones[0]);
	phone_shakes_hands(&phones[1]); // whose answer is not here yet
	phone_shakes_hands(&phones[0]);
	assert_secured_with(&phones[0]);
	final_answer_of(&phones[1]);
	EVENTUALLY(keys_of(&phones[1], 2));
}

static void the_handshake_comes_after_the_last_answer(void **state)
{
	provisional_answer_of(&phones[0]);
	phone_shakes_hands(&phones[0]);
	assert_secured_with(&phones[0]);
	final_answer_of(&phones[1]);
	phone_shakes_hands(&phones[1]);
	EVENTUALLY(keys_of(&phones[1], 2));
}

static void a_handshake_that_ends_after_the_final_answer(void **state)
{
	provisional_answer_of(&phones[1]);
	final_answer_of(&phones[1]);
	phone_shakes_hands(&phones[1]);
	assert_secured_with(&phones[1]);
}

// Each fork as a leg of its own, all of one seat: dialogs 1, 2, 3.
#define FORKS 3

static void forks_open(enum keying_mechanism mechanism)
{
	for (uint8_t i = 1; i < FORKS; i++) {
		plan.legs[i] = plan.legs[0];
		plan.legs[i].dialog = i + 1u;
	}
	for (uint8_t i = 0; i < FORKS; i++) {
		struct media_line *l = &plan.legs[i].lines[0];
		struct media_seat seat = l->seat;

		l->agreed = false;
		if (mechanism == KEYING_DTLS_SRTP) {
			char text[DTLS_FINGERPRINT_STRLEN];

			agree_dtls(l, DTLS_PASSIVE, &phones[i].address,
				   dtls_fingerprint_print(text, dtls_identity_fingerprint(phones[i].identity, DTLS_HASH_SHA256)));
		} else {
			agree_sdes(l, "192.0.2.50:4000");
			l->remote.port += i;
			l->remote_rtcp = l->remote;
			l->rtcp_mux = true;
			l->keying.tx = plan.legs[0].lines[0].keying.tx; // our offer's
		}
		l->seat = seat;
		l->provisional = true;
	}
}

static void forks_speak(uint8_t n)
{
	plan.n_legs = n;
	apply(&plan);
}

static bool fork_has_keys(uint32_t dialog)
{
	struct fake_transport t;

	return fake_dp_of(dialog, &t) && t.n_rx == 1 && t.n_tx == 1 &&
	       inet_endpoint_equal(&t.path.remote, &plan.legs[dialog - 1].lines[0].remote);
}

// That one has won. It stays as it is, and alone.
static void fork_wins(uint32_t dialog)
{
	struct fake_transport t;

	plan.legs[0] = plan.legs[dialog - 1];
	plan.n_legs = 1;
	line->provisional = false;
	apply(&plan);
	EVENTUALLY(fake_dp_live() == 1);
	assert_true(fake_dp_of(dialog, &t) && t.n_rx == 1 && t.n_tx == 1);
}

static void forks_are_keyed_at_once(void **state)
{
	phone_shakes_hands(&phones[1]); // before any answer
	phone_shakes_hands(&phones[0]);
	forks_open(KEYING_DTLS_SRTP);
	forks_speak(1);
	EVENTUALLY(fork_has_keys(1));
	forks_speak(2); // its handshake is on the first one's line
	EVENTUALLY(fork_has_keys(2));
	phone_shakes_hands(&phones[2]);
	forks_speak(3);
	EVENTUALLY(fork_has_keys(3) && fork_has_keys(2) && fork_has_keys(1));
	assert_false(told(MEDIA_EVENT_FAILED, 1));
	fork_wins(2);
}

// Answers first; what a phone sends then comes to the newest line until its own address is known.
static void forks_shake_hands_after_their_answers(void **state)
{
	forks_open(KEYING_DTLS_SRTP);
	forks_speak(3);
	for (unsigned i = 0; i < FORKS; i++)
		phone_shakes_hands(&phones[i]);
	EVENTUALLY(fork_has_keys(1) && fork_has_keys(2) && fork_has_keys(3));
	fork_wins(1);
}

// From another address than its answer says: it is known by its certificate alone.
static void a_fork_is_found_by_its_certificate(void **state)
{
	struct inet_endpoint usual = phones[0].address;

	forks_open(KEYING_DTLS_SRTP);
	forks_speak(3);
	phones[0].address.port += 500;
	phone_shakes_hands(&phones[0]);
	plan.legs[0].lines[0].remote = phones[0].address;
	EVENTUALLY(fork_has_keys(1));
	assert_false(fork_has_keys(3));
	phones[0].address = usual;
	plan.legs[0].lines[0].remote = usual;
	fork_wins(1);
}

// The handshake has come to a loser's line, and its end comes when that is no more.
static void a_winners_handshake_outlives_the_losers(void **state)
{
	forks_open(KEYING_DTLS_SRTP);
	phone_shakes_hands(&phones[1]);
	forks_speak(1);
	plan.legs[0] = plan.legs[1];
	line->provisional = false;
	apply(&plan); // the 200 is the first that its phone says
	wait_event(MEDIA_EVENT_SECURED, 2);
	EVENTUALLY(fake_dp_live() == 1);
	struct fake_transport t;

	assert_true(fake_dp_of(2, &t) && t.n_rx == 1);
}

static void forks_share_the_key_of_our_offer(void **state)
{
	struct fake_transport t;

	forks_open(KEYING_SDES);
	for (uint8_t n = 1; n <= FORKS; n++) {
		forks_speak(n);
		EVENTUALLY(fork_has_keys(n));
		assert_true(fake_dp_of(n, &t));
		assert_int_equal(t.tx.apart, n > 1);
	}
	fork_wins(1);
}

// Who has given a provisional answer only may never shake hands.
static void no_keys_are_due_before_the_final_answer(void **state)
{
	mono_ns usual = stand_profile.keying_timeout;

	stand_profile.keying_timeout = MONO_MS(50);
	provisional_answer_of(&phones[0]);
	usleep(300000);
	assert_false(told(MEDIA_EVENT_FAILED, 1));
	final_answer_of(&phones[0]);
	wait_event(MEDIA_EVENT_FAILED, 1);
	stand_profile.keying_timeout = usual;
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(each_of_eight_can_be_claimed),
		T(a_ninth_takes_the_place_of_the_oldest),
		T(the_oldest_of_nine_is_gone),
		T(parked_for_just_less_than_ten_seconds),
		T(parked_for_ten_seconds_is_given_up),
		T(a_younger_one_outlives_it),
		T(strangers_of_one_host_end_their_own),
		T(a_port_remembers_nothing_of_its_last_call),
		T(a_port_takes_a_new_handshake_in_its_next_call),
		T(each_fork_has_its_own_handshake),
		T(a_forks_handshake_comes_after_its_answer),
		T(the_handshake_comes_after_the_last_answer),
		T(a_handshake_that_ends_after_the_final_answer),
		T(no_keys_are_due_before_the_final_answer),
		T(forks_are_keyed_at_once),
		T(forks_shake_hands_after_their_answers),
		T(a_fork_is_found_by_its_certificate),
		T(a_winners_handshake_outlives_the_losers),
		T(forks_share_the_key_of_our_offer),
	};
	return cmocka_run_group_tests(tests, setup_group, teardown_group);
}
