// SPDX-License-Identifier: GPL-3.0-or-later
// test_media_rekey.c - keys of a line that has some: when the new ones are received under and when sent under, how long the
// old ones are good, what stays, and what happens when nothing comes.
#include "base/secret.h"
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

static const uint8_t report[] = { 0x80, 201, 0, 1, 0xde, 0xad, 0xbe, 0xef };

// SDES: a call whose access line is `a`, the core one plain.

struct sdes_call {
	uint32_t session;
	struct media_plan plan;
	struct media_line *a, *b;
};

static void sdes_begin(struct sdes_call *call)
{
	assert_int_equal(media_session_open(media, &call->session), 0);
	call->plan = two_legs(call->session);
	call->a = &call->plan.legs[0].lines[0];
	call->b = &call->plan.legs[1].lines[0];
	agree_sdes(call->a, "192.0.2.50:4000");
	agree_plain(call->b, "10.0.0.9:5000");
	call->a->rtcp_mux = true;
	apply(&call->plan);
	wait_event(MEDIA_EVENT_SECURED, 1);
	wait_event(MEDIA_EVENT_SECURED, 2);
}

static void fresh(struct srtp_master *master)
{
	assert_int_equal(secret_random(master->key, 16), 0);
}

static void sdes_rekey(struct sdes_call *call, enum media_confirm confirm)
{
	fresh(&call->a->keying.rx);
	fresh(&call->a->keying.tx);
	call->a->confirm = confirm;
	apply(&call->plan);
	EVENTUALLY(at(&call->a->seat.rtp).n_rx == 2);
	assert_memory_equal(at(&call->a->seat.rtp).rx.master.key, call->a->keying.rx.key, 16);
}

static unsigned n_tx(const struct sdes_call *call)
{
	return at(&call->a->seat.rtp).n_tx;
}

// The media thread has done all that it was told so far.
static void caught_up(struct sdes_call *call)
{
	unsigned paths = at(&call->b->seat.rtp).n_paths;

	call->b->silent_allowed = !call->b->silent_allowed;
	apply(&call->plan);
	EVENTUALLY(at(&call->b->seat.rtp).n_paths > paths);
}

static void ours_waits_for_the_ack(void **state)
{
	struct sdes_call call;

	(void)state;
	sdes_begin(&call);
	sdes_rekey(&call, MEDIA_CONFIRM_AWAITED);
	caught_up(&call);
	assert_int_equal(n_tx(&call), 1);
	call.a->confirm = MEDIA_CONFIRMED;
	apply(&call.plan);
	EVENTUALLY(n_tx(&call) == 2);
	assert_int_equal(at(&call.a->seat.rtp).tx.epoch, 2);
	assert_memory_equal(at(&call.a->seat.rtp).tx.master.key, call.a->keying.tx.key, 16);
	assert_false(told(MEDIA_EVENT_SECURED, 1)); // the call is not secured once more
	end_session(call.session);
}

static void ours_waits_for_a_packet_under_theirs(void **state)
{
	struct sdes_call call;

	(void)state;
	sdes_begin(&call);
	sdes_rekey(&call, MEDIA_CONFIRM_AWAITED);
	fake_dp_epoch(&call.a->seat.rtp, 1); // a late word on the key before
	caught_up(&call);
	assert_int_equal(n_tx(&call), 1);
	fake_dp_epoch(&call.a->seat.rtp, 2);
	EVENTUALLY(n_tx(&call) == 2);
	end_session(call.session);
}

static void ours_follows_our_ack_soon(void **state)
{
	struct sdes_call call;

	(void)state;
	sdes_begin(&call);
	sdes_rekey(&call, MEDIA_CONFIRM_SOON);
	EVENTUALLY(n_tx(&call) == 2);
	end_session(call.session);
}

static void ours_follows_their_answer_at_once(void **state)
{
	struct sdes_call call;

	(void)state;
	sdes_begin(&call);
	sdes_rekey(&call, MEDIA_CONFIRMED);
	EVENTUALLY(n_tx(&call) == 2);
	end_session(call.session);
}

static void a_later_key_takes_the_place_of_one_held(void **state)
{
	struct sdes_call call;

	(void)state;
	sdes_begin(&call);
	sdes_rekey(&call, MEDIA_CONFIRM_AWAITED);
	fresh(&call.a->keying.rx);
	fresh(&call.a->keying.tx);
	apply(&call.plan);
	EVENTUALLY(at(&call.a->seat.rtp).n_rx == 3);
	fake_dp_epoch(&call.a->seat.rtp, 2);
	caught_up(&call);
	assert_int_equal(n_tx(&call), 1);
	fake_dp_epoch(&call.a->seat.rtp, 3);
	EVENTUALLY(n_tx(&call) == 2);
	assert_int_equal(at(&call.a->seat.rtp).tx.epoch, 3);
	assert_memory_equal(at(&call.a->seat.rtp).tx.master.key, call.a->keying.tx.key, 16);
	end_session(call.session);
}

static void a_key_given_up_does_not_come_back(void **state)
{
	struct sdes_call call;
	struct media_event failed;

	(void)state;
	sdes_begin(&call);
	fake_dp_refuse(&call.a->seat.rtp, DP_TX, 1);
	failed = wait_event(MEDIA_EVENT_FAILED, 1);
	assert_non_null(strstr(failed.cause, "given up"));
	end_session(call.session);
}

// The overlap

static uint32_t retired(const struct sdes_call *call)
{
	return at(&call->a->seat.rtp).retired[DP_RX];
}

static void old_key_goes_two_seconds_after_the_new_one_is_heard(void **state)
{
	struct sdes_call call;

	(void)state;
	sdes_begin(&call);
	sdes_rekey(&call, MEDIA_CONFIRMED);
	stand_ahead += MONO_S(7);
	fake_dp_epoch(&call.a->seat.rtp, 2);
	usleep(1200000); // a tick
	assert_int_equal(retired(&call), 0);
	stand_ahead += MONO_S(2);
	EVENTUALLY(retired(&call) == 2);
	assert_int_equal(at(&call.a->seat.rtp).retired[DP_TX], 0);
	end_session(call.session);
}

static void old_key_goes_after_ten_seconds_of_silence(void **state)
{
	struct sdes_call call;

	(void)state;
	sdes_begin(&call);
	sdes_rekey(&call, MEDIA_CONFIRMED);
	stand_ahead += MONO_S(10);
	EVENTUALLY(retired(&call) == 2);
	end_session(call.session);
}

static void old_key_stays_while_ours_is_held(void **state)
{
	struct sdes_call call;

	(void)state;
	sdes_begin(&call);
	sdes_rekey(&call, MEDIA_CONFIRM_AWAITED);
	stand_ahead += MONO_S(20);
	usleep(1200000); // a tick
	assert_int_equal(retired(&call), 0);
	call.a->confirm = MEDIA_CONFIRMED;
	apply(&call.plan);
	EVENTUALLY(retired(&call) == 2);
	end_session(call.session);
}

// SRTCP

static int report_of_core(const struct sdes_call *call, uint8_t packet[256])
{
	struct inet_endpoint to;

	fake_dp_punt(&call->b->seat.rtcp, &call->b->remote_rtcp, DP_PUNT_RTCP, report, sizeof(report));
	return fake_dp_sent(&to, packet, 256);
}

static uint32_t index_of(const uint8_t *packet)
{
	uint32_t word;

	memcpy(&word, packet + sizeof(report), sizeof(word));
	return ntohl(word) & 0x7fffffff;
}

static void srtcp_of_a_key_that_stays_goes_on(void **state)
{
	struct sdes_call call;
	uint8_t packet[256];

	(void)state;
	sdes_begin(&call);
	for (uint32_t i = 1; i <= 3; i++) {
		assert_int_equal(report_of_core(&call, packet), sizeof(report) + 14);
		assert_int_equal(index_of(packet), i);
	}
	fresh(&call.a->keying.rx); // theirs alone
	apply(&call.plan);
	EVENTUALLY(at(&call.a->seat.rtp).n_rx == 2);
	assert_int_equal(report_of_core(&call, packet), sizeof(report) + 14);
	assert_int_equal(index_of(packet), 4);
	end_session(call.session);
}

static void srtcp_moves_with_its_port(void **state)
{
	struct sdes_call call;
	uint8_t packet[256];

	(void)state;
	sdes_begin(&call);
	assert_int_equal(report_of_core(&call, packet), sizeof(report) + 14);
	call.a->rtcp_mux = false; // one key for both ports: the index must not begin anew
	apply(&call.plan);
	EVENTUALLY(fake_dp_live() == 4);
	assert_int_equal(report_of_core(&call, packet), sizeof(report) + 14);
	assert_int_equal(index_of(packet), 2);
	call.a->rtcp_mux = true;
	apply(&call.plan);
	EVENTUALLY(fake_dp_live() == 3);
	assert_int_equal(report_of_core(&call, packet), sizeof(report) + 14);
	assert_int_equal(index_of(packet), 3);
	end_session(call.session);
}

// Whether a report that access seals with this context comes out at the core.
static bool passes(const struct sdes_call *call, struct srtcp *theirs, uint8_t kept[64])
{
	uint8_t packet[256], out[256];
	struct inet_endpoint to;
	size_t len = sizeof(report);

	memcpy(packet, report, sizeof(report));
	assert_int_equal(srtcp_protect(theirs, packet, &len, sizeof(packet)), 0);
	if (kept != NULL)
		memcpy(kept, packet, len);
	fake_dp_punt(&call->a->seat.rtp, &call->a->remote, DP_PUNT_RTCP, packet, len);
	return fake_dp_sent(&to, out, sizeof(out)) == sizeof(report);
}

static void srtcp_is_taken_under_both_keys(void **state)
{
	struct srtcp *before, *after;
	struct inet_endpoint to;
	struct sdes_call call;
	uint8_t kept[64], out[64];

	(void)state;
	sdes_begin(&call);
	assert_int_equal(srtcp_open(&before, &call.a->keying.rx, SRTCP_SEND), 0);
	assert_true(passes(&call, before, kept));
	sdes_rekey(&call, MEDIA_CONFIRM_AWAITED);
	assert_int_equal(srtcp_open(&after, &call.a->keying.rx, SRTCP_SEND), 0);
	assert_true(passes(&call, before, NULL));
	assert_int_equal(n_tx(&call), 1);
	fake_dp_punt(&call.a->seat.rtp, &call.a->remote, DP_PUNT_RTCP, kept, sizeof(report) + 14); // replayed
	assert_int_equal(fake_dp_sent(&to, out, sizeof(out)), -1);
	assert_true(passes(&call, after, NULL));
	EVENTUALLY(n_tx(&call) == 2); // it said that the peer has changed over
	stand_ahead += MONO_S(10);
	EVENTUALLY(retired(&call) == 2);
	assert_false(passes(&call, before, NULL));
	assert_true(passes(&call, after, NULL));
	srtcp_close(before);
	srtcp_close(after);
	end_session(call.session);
}

// DTLS: two of ours, which name their associations

static void pair_secured(struct dtls_pair *p)
{
	pair_open(p);
	agree_dtls(p->line[0], DTLS_PASSIVE, &p->line[1]->seat.rtp, media_fingerprint(media));
	agree_dtls(p->line[1], DTLS_ACTIVE, &p->line[0]->seat.rtp, media_fingerprint(media));
	for (unsigned i = 0; i < 2; i++) {
		strcpy(p->line[i]->keying.tls_id, "first");
		apply(&p->plan[i]);
	}
	wait_event(MEDIA_EVENT_SECURED, 1);
	wait_event(MEDIA_EVENT_SECURED, 2);
}

static bool pair_has(const struct dtls_pair *p, unsigned keys)
{
	for (unsigned i = 0; i < 2; i++) {
		struct fake_transport t = at(&p->line[i]->seat.rtp);

		if (t.n_rx != keys || t.n_tx != keys)
			return false;
	}
	return true;
}

static void a_new_association_on_the_same_addresses(void **state)
{
	struct srtp_master old;
	struct dtls_pair p;

	(void)state;
	stand_profile.keying_timeout = MONO_S(8);
	pair_secured(&p);
	old = at(&p.line[0]->seat.rtp).rx.master;
	for (unsigned i = 0; i < 2; i++) {
		strcpy(p.line[i]->keying.tls_id, "second");
		apply(&p.plan[i]);
	}
	EVENTUALLY(pair_has(&p, 2));
	assert_cross_keys(&p);
	assert_memory_not_equal(old.key, at(&p.line[0]->seat.rtp).rx.master.key, 32);
	for (unsigned i = 0; i < 2; i++) { // the roles change
		p.line[i]->keying.dtls_role = p.line[i]->keying.dtls_role == DTLS_ACTIVE ? DTLS_PASSIVE : DTLS_ACTIVE;
		apply(&p.plan[i]);
	}
	EVENTUALLY(pair_has(&p, 3));
	assert_cross_keys(&p);
	stand_profile.keying_timeout = MONO_MS(600);
	pair_end(&p);
}

// Two profiles that list a NULL cipher first: it is taken by a call of its own, and never in place of what encrypts.
static void a_new_association_does_not_lose_encryption(void **state)
{
	enum srtp_suite null_first[KEYING_SUITES_MAX + 1] = { SRTP_NULL_HMAC_SHA1_80, SRTP_AEAD_AES_256_GCM };
	struct dtls_pair p;

	(void)state;
	for (int fresh = 0; fresh < 2; fresh++) {
		if (fresh)
			memcpy(stand_profile.keying.suites, null_first, sizeof(null_first));
		pair_secured(&p);
		assert_int_equal(at(&p.line[0]->seat.rtp).tx.master.suite, null_first[!fresh]);
		for (unsigned i = 0; i < 2 && !fresh; i++) {
			memcpy(p.line[i]->keying.suites, null_first, sizeof(null_first));
			strcpy(p.line[i]->keying.tls_id, "second");
			apply(&p.plan[i]);
		}
		if (!fresh) {
			EVENTUALLY(pair_has(&p, 2));
			assert_cross_keys(&p); // AEAD_AES_256_GCM
		}
		pair_end(&p);
		stand_forget_events();
	}
	memset(stand_profile.keying.suites, 0, sizeof(stand_profile.keying.suites));
}

static void the_handshake_may_be_before_the_answer(void **state)
{
	struct dtls_pair p;

	(void)state;
	stand_profile.keying_timeout = MONO_S(8);
	pair_secured(&p);
	p.line[0]->changing = true; // our offer is open
	apply(&p.plan[0]);
	strcpy(p.line[1]->keying.tls_id, "second");
	apply(&p.plan[1]); // their answer is under way, and they begin
	EVENTUALLY(at(&p.line[1]->seat.rtp).n_rx == 2);
	assert_int_equal(at(&p.line[0]->seat.rtp).n_rx, 1); // parked
	p.line[0]->changing = false;
	strcpy(p.line[0]->keying.tls_id, "second");
	apply(&p.plan[0]);
	EVENTUALLY(pair_has(&p, 2));
	assert_cross_keys(&p);
	stand_profile.keying_timeout = MONO_MS(600);
	pair_end(&p);
}

static void a_refused_offer_leaves_nothing(void **state)
{
	struct dtls_pair p;

	(void)state;
	pair_secured(&p);
	p.line[0]->changing = true;
	apply(&p.plan[0]);
	strcpy(p.line[1]->keying.tls_id, "second");
	apply(&p.plan[1]);
	EVENTUALLY(at(&p.line[1]->seat.rtp).n_rx == 2);
	p.line[0]->changing = false; // rolled back
	apply(&p.plan[0]);
	p.line[0]->silent_allowed = true;
	apply(&p.plan[0]);
	usleep(50000);
	assert_int_equal(at(&p.line[0]->seat.rtp).n_rx, 1);
	assert_int_equal(at(&p.line[0]->seat.rtp).n_tx, 1);
	assert_false(told(MEDIA_EVENT_FAILED, 1));
	pair_end(&p);
}

// The peer does not shake hands: it is not there any more.
static void pair_half_gone(struct dtls_pair *p)
{
	pair_secured(p);
	media_session_close(media, p->session[1]);
	EVENTUALLY(media_session_count(media) == 1);
	stand_forget_events();
}

static void same_certificate_and_media_keep_the_old_keys(void **state)
{
	struct dtls_pair p;

	(void)state;
	pair_half_gone(&p);
	p.line[0]->keying.dtls_role = DTLS_ACTIVE;
	apply(&p.plan[0]);
	usleep(50000);
	fake_dp_set_last_rx(&p.line[0]->seat.rtp, clock_now());
	usleep(800000); // the keying timeout is 0.6 s
	assert_false(told(MEDIA_EVENT_FAILED, 1));
	assert_int_equal(at(&p.line[0]->seat.rtp).n_rx, 1);
	end_session(p.session[0]);
}

static void same_certificate_without_media_fails(void **state)
{
	struct dtls_pair p;

	(void)state;
	pair_half_gone(&p);
	p.line[0]->keying.dtls_role = DTLS_ACTIVE;
	apply(&p.plan[0]);
	assert_string_equal(wait_event(MEDIA_EVENT_FAILED, 1).cause, "no new keys in time");
	end_session(p.session[0]);
}

static void another_certificate(struct dtls_pair *p)
{
	static const char other[] = "sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:"
				    "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF";

	p->line[0]->keying.fingerprints.n = 0;
	assert_int_equal(dtls_fingerprints_add(&p->line[0]->keying.fingerprints, other, strlen(other)), 0);
}

static void another_certificate_fails_whatever_comes(void **state)
{
	struct dtls_pair p;

	(void)state;
	pair_half_gone(&p);
	another_certificate(&p);
	apply(&p.plan[0]);
	usleep(50000);
	fake_dp_set_last_rx(&p.line[0]->seat.rtp, clock_now());
	p.line[0]->keying.dtls_role = DTLS_ACTIVE; // a second change does not make the first one good
	apply(&p.plan[0]);
	assert_string_equal(wait_event(MEDIA_EVENT_FAILED, 1).cause, "no new keys in time");
	end_session(p.session[0]);
}

static void a_named_association_moves_at_once(void **state)
{
	struct inet_endpoint moved = endpoint("192.0.2.99:9000");
	struct dtls_pair p;

	(void)state;
	pair_half_gone(&p);
	p.line[0]->remote = moved;
	apply(&p.plan[0]);
	EVENTUALLY(sends_to(&p.line[0]->seat.rtp, &moved));
	usleep(800000);
	assert_false(told(MEDIA_EVENT_FAILED, 1));
	end_session(p.session[0]);
}

static void a_nameless_one_moves_with_its_keys(void **state)
{
	struct inet_endpoint moved = endpoint("192.0.2.99:9000"), was;
	struct dtls_pair p;

	(void)state;
	stand_profile.keying_timeout = MONO_S(1);
	pair_open(&p);
	agree_dtls(p.line[0], DTLS_PASSIVE, &p.line[1]->seat.rtp, media_fingerprint(media));
	agree_dtls(p.line[1], DTLS_ACTIVE, &p.line[0]->seat.rtp, media_fingerprint(media));
	apply(&p.plan[0]);
	apply(&p.plan[1]);
	wait_event(MEDIA_EVENT_SECURED, 1);
	wait_event(MEDIA_EVENT_SECURED, 2);
	was = p.line[0]->remote;
	p.line[0]->remote = moved;
	p.line[0]->silent_allowed = true;
	apply(&p.plan[0]);
	usleep(500000);
	assert_true(sends_to(&p.line[0]->seat.rtp, &was)); // the new address has no association yet
	EVENTUALLY(sends_to(&p.line[0]->seat.rtp, &moved)); // nor will it: the old one moves
	assert_false(told(MEDIA_EVENT_FAILED, 1));
	stand_profile.keying_timeout = MONO_MS(600);
	pair_end(&p);
}

// A control that dies with a key held

// `work` is a child's, which dies then; `what` is as it left it, its pointers excepted.
static void child_dies_after(void (*work)(void *what), void *what, size_t size)
{
	int pipefd[2], status;
	size_t done = 0;
	ssize_t got;
	pid_t pid;

	media_close(media);
	assert_int_equal(pipe(pipefd), 0);
	pid = fork();
	if (pid == 0) {
		media = stand_open();
		work(what);
		for (; done < size; done += (size_t)got)
			got = write(pipefd[1], (uint8_t *)what + done, size - done);
		_exit(0);
	}
	for (; done < size; done += (size_t)got) {
		got = read(pipefd[0], (uint8_t *)what + done, size - done);
		assert_true(got > 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(pipefd[0]);
	close(pipefd[1]);
	media = stand_open();
}

static void hold_a_key(void *what)
{
	sdes_begin(what);
	sdes_rekey(what, MEDIA_CONFIRM_AWAITED);
}

static void child_dies_with_a_key_held(struct sdes_call *call)
{
	child_dies_after(hold_a_key, call, sizeof(*call));
	call->a = &call->plan.legs[0].lines[0];
	call->b = &call->plan.legs[1].lines[0];
	assert_int_equal(n_tx(call), 1);
}

static void adopt(const struct sdes_call *call)
{
	assert_int_equal(media_session_adopt(media, call->session), 0);
	EVENTUALLY(at(&call->a->seat.rtp).n_tx == 2); // told once more of what is in force
	assert_int_equal(at(&call->a->seat.rtp).tx.epoch, 1);
	assert_int_equal(at(&call->a->seat.rtp).rx.epoch, 2);
}

static void a_silent_peer_is_taken_to_have_it(void **state)
{
	struct sdes_call call;

	(void)state;
	child_dies_with_a_key_held(&call);
	adopt(&call);
	EVENTUALLY(at(&call.a->seat.rtp).tx.epoch == 2);
	end_session(call.session);
}

static void a_peer_that_sends_under_its_old_key_is_not(void **state)
{
	struct sdes_call call;
	mono_ns until;

	(void)state;
	child_dies_with_a_key_held(&call);
	adopt(&call);
	for (until = clock_now() + MONO_MS(2500); clock_now() < until; usleep(20000))
		fake_dp_set_last_rx(&call.a->seat.rtp, clock_now());
	assert_int_equal(at(&call.a->seat.rtp).tx.epoch, 1);
	fake_dp_epoch(&call.a->seat.rtp, 2);
	EVENTUALLY(at(&call.a->seat.rtp).tx.epoch == 2);
	end_session(call.session);
}

static void a_packet_while_control_was_away_counts(void **state)
{
	struct sdes_call call;

	(void)state;
	child_dies_with_a_key_held(&call);
	fake_dp_epoch(&call.a->seat.rtp, 2); // before anybody has adopted it
	fake_dp_set_last_rx(&call.a->seat.rtp, clock_now() + MONO_S(60)); // and it goes on
	usleep(50000);
	assert_int_equal(media_session_adopt(media, call.session), 0);
	EVENTUALLY(at(&call.a->seat.rtp).tx.epoch == 2);
	end_session(call.session);
}

static void rekey_and_hear(void *what)
{
	struct sdes_call *call = what;

	hold_a_key(call);
	fake_dp_heard(&call->a->seat.rtp, 2);
}

static void a_packet_that_a_dying_control_was_told_of_counts(void **state)
{
	struct sdes_call call;

	(void)state;
	child_dies_after(rekey_and_hear, &call, sizeof(call));
	call.a = &call.plan.legs[0].lines[0];
	fake_dp_set_last_rx(&call.a->seat.rtp, clock_now() + MONO_S(60));
	assert_int_equal(media_session_adopt(media, call.session), 0);
	EVENTUALLY(at(&call.a->seat.rtp).tx.epoch == 2);
	end_session(call.session);
}

static void secure(void *what)
{
	pair_half_gone(what);
}

// Signalling had recorded a change that media had not when both died: it is told once more, and cannot be answered for.
static void a_change_found_after_a_death_keeps_the_old_keys(void **state)
{
	struct dtls_pair p;

	(void)state;
	child_dies_after(secure, &p, sizeof(p));
	p.line[0] = &p.plan[0].legs[0].lines[0];
	assert_int_equal(media_session_adopt(media, p.session[0]), 0);
	another_certificate(&p);
	apply(&p.plan[0]);
	usleep(50000);
	fake_dp_set_last_rx(&p.line[0]->seat.rtp, clock_now());
	usleep(800000); // the keying timeout is 0.6 s
	assert_false(told(MEDIA_EVENT_FAILED, 1));
	assert_int_equal(at(&p.line[0]->seat.rtp).rx.epoch, 1);
	p.line[0]->keying.fingerprints.list[0].digest[0] ^= 1; // but a change that is heard by this control counts
	apply(&p.plan[0]);
	usleep(50000);
	fake_dp_set_last_rx(&p.line[0]->seat.rtp, clock_now());
	assert_string_equal(wait_event(MEDIA_EVENT_FAILED, 1).cause, "no new keys in time");
	end_session(p.session[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STAND_TEST(ours_waits_for_the_ack),
		STAND_TEST(ours_waits_for_a_packet_under_theirs),
		STAND_TEST(ours_follows_our_ack_soon),
		STAND_TEST(ours_follows_their_answer_at_once),
		STAND_TEST(a_later_key_takes_the_place_of_one_held),
		STAND_TEST(a_key_given_up_does_not_come_back),
		STAND_TEST(old_key_goes_two_seconds_after_the_new_one_is_heard),
		STAND_TEST(old_key_goes_after_ten_seconds_of_silence),
		STAND_TEST(old_key_stays_while_ours_is_held),
		STAND_TEST(srtcp_of_a_key_that_stays_goes_on),
		STAND_TEST(srtcp_moves_with_its_port),
		STAND_TEST(srtcp_is_taken_under_both_keys),
		STAND_TEST(a_new_association_on_the_same_addresses),
		STAND_TEST(a_new_association_does_not_lose_encryption),
		STAND_TEST(the_handshake_may_be_before_the_answer),
		STAND_TEST(a_refused_offer_leaves_nothing),
		STAND_TEST(same_certificate_and_media_keep_the_old_keys),
		STAND_TEST(same_certificate_without_media_fails),
		STAND_TEST(another_certificate_fails_whatever_comes),
		STAND_TEST(a_named_association_moves_at_once),
		STAND_TEST(a_nameless_one_moves_with_its_keys),
		STAND_TEST(a_silent_peer_is_taken_to_have_it),
		STAND_TEST(a_peer_that_sends_under_its_old_key_is_not),
		STAND_TEST(a_packet_while_control_was_away_counts),
		STAND_TEST(a_packet_that_a_dying_control_was_told_of_counts),
		STAND_TEST(a_change_found_after_a_death_keeps_the_old_keys),
	};
	return cmocka_run_group_tests(tests, stand_group_setup, stand_group_teardown);
}
