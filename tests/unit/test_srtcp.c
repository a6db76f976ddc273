// SPDX-License-Identifier: GPL-3.0-or-later
// test_srtcp.c - SRTCP of every suite: there and back, tampering, replay, plain text refused, indices over a restart.
#include "mediarelay/srtcp.h"
#include "base/secret.h"
#include "tests/support/srtp_reference.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <srtp2/srtp.h>

#define REPORT_LEN 52 // SR with one report block

struct pair {
	struct srtp_master master;
	struct srtcp *tx, *rx;
};

static void report(uint8_t *packet, uint32_t ssrc)
{
	uint32_t word = htonl(ssrc);

	for (size_t i = 0; i < REPORT_LEN; i++)
		packet[i] = (uint8_t)i;
	packet[0] = 0x81;
	packet[1] = 200;
	packet[2] = 0;
	packet[3] = REPORT_LEN / 4 - 1;
	memcpy(packet + 4, &word, 4);
}

static struct pair pair_open(enum srtp_suite suite)
{
	struct pair p = { .master.suite = suite };

	secret_random(p.master.key, sizeof(p.master.key));
	secret_random(p.master.salt, sizeof(p.master.salt));
	assert_int_equal(srtcp_open(&p.tx, &p.master, SRTCP_SEND), 0);
	assert_int_equal(srtcp_open(&p.rx, &p.master, SRTCP_RECEIVE), 0);
	return p;
}

static void pair_close(struct pair *p)
{
	srtcp_close(p->tx);
	srtcp_close(p->rx);
}

static size_t sealed(struct pair *p, uint8_t *packet, uint32_t ssrc)
{
	size_t len = REPORT_LEN;

	report(packet, ssrc);
	assert_int_equal(srtcp_protect(p->tx, packet, &len, REPORT_LEN + SRTCP_TRAILER_MAX), 0);
	return len;
}

static void test_every_suite(void **state)
{
	(void)state;
	for (int suite = 1; suite < SRTP_SUITE_COUNT; suite++) {
		uint8_t packet[REPORT_LEN + SRTCP_TRAILER_MAX], copy[sizeof(packet)], clear[REPORT_LEN];
		struct pair p = pair_open((enum srtp_suite)suite);
		size_t len = sealed(&p, packet, 7), again;

		report(clear, 7);
		assert_int_equal(len, REPORT_LEN + 4 + srtp_suite_info((enum srtp_suite)suite)->rtcp_tag_len);
		assert_memory_equal(packet, clear, 8);
		assert_true(srtp_suite_info((enum srtp_suite)suite)->encrypts ==
			    (memcmp(packet + 8, clear + 8, REPORT_LEN - 8) != 0));
		for (size_t bit = 0; bit < 8 * len; bit += 5) { // any flipped bit is refused, and binds nothing
			struct srtcp_marks marks;

			memcpy(copy, packet, len);
			copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
			again = len;
			assert_int_not_equal(srtcp_unprotect(p.rx, copy, &again), 0);
			srtcp_save(p.rx, &marks);
			assert_int_equal(marks.n, 0);
		}
		memcpy(copy, packet, len);
		again = len;
		assert_int_equal(srtcp_unprotect(p.rx, copy, &again), 0);
		assert_int_equal(again, REPORT_LEN);
		assert_memory_equal(copy, clear, REPORT_LEN);
		again = len;
		assert_int_equal(srtcp_unprotect(p.rx, packet, &again), -EALREADY);
		pair_close(&p);
	}
}

// RFC 3711 section 3.4, RFC 7714 section 9.2: where the MKI stands; the library, which can do it itself, agrees.
static void test_mki_of_every_suite(void **state)
{
	static const struct srtp_mki mkis[] = { { 1, { 7 } }, { 4, { 1, 2, 3, 4 } }, { 16, { 0xff, 1, 2 } } };

	(void)state;
	for (int i = 0; i < 3 * (SRTP_SUITE_COUNT - 1); i++) {
		enum srtp_suite suite = (enum srtp_suite)(1 + i / 3);
		const struct srtp_suite_info *info = srtp_suite_info(suite);
		const struct srtp_mki *mki = &mkis[i % 3];
		uint8_t packet[REPORT_LEN + SRTCP_TRAILER_MAX], copy[sizeof(packet)], clear[REPORT_LEN];
		struct pair p = pair_open(suite);
		struct srtp_mki other = *mki;
		size_t len, again, at;

		srtcp_set_mki(p.tx, mki);
		srtcp_set_mki(NULL, mki);
		len = sealed(&p, packet, 7);
		report(clear, 7);
		assert_int_equal(len, REPORT_LEN + 4 + mki->len + info->rtcp_tag_len);
		at = info->aead ? len - mki->len : len - info->rtcp_tag_len - mki->len;
		assert_memory_equal(packet + at, mki->bytes, mki->len);
		memcpy(copy, packet, again = len);
		assert_int_not_equal(srtcp_unprotect(p.rx, copy, &again), 0); // none is expected
		other.bytes[mki->len - 1] ^= 1;
		srtcp_set_mki(p.rx, &other);
		memcpy(copy, packet, again = len);
		assert_int_equal(srtcp_unprotect(p.rx, copy, &again), -EBADMSG);
		assert_memory_equal(copy, packet, len); // untouched: another key may have that one
		srtcp_set_mki(p.rx, mki);
		for (size_t n = 0; n < len; n++) {
			memcpy(copy, packet, again = n);
			assert_int_not_equal(srtcp_unprotect(p.rx, copy, &again), 0);
		}
		memcpy(copy, packet, again = len);
		assert_int_equal(srtcp_unprotect(p.rx, copy, &again), 0);
		assert_int_equal(again, REPORT_LEN);
		assert_memory_equal(copy, clear, REPORT_LEN);
		pair_close(&p);
	}
}

// One key, four octets of MKI, both directions.
static srtp_t library_session(const struct pair *p, void (*set)(srtp_crypto_policy_t *), bool sends)
{
	const struct srtp_suite_info *info = srtp_suite_info(p->master.suite);
	uint8_t key[SRTP_KEY_MAX + SRTP_SALT_MAX], mki[4] = { 1, 2, 3, 4 };
	srtp_master_key_t master = { .key = key, .mki_id = mki, .mki_size = sizeof(mki) }, *masters[] = { &master };
	srtp_policy_t policy = { .window_size = 128, .keys = masters, .num_master_keys = 1 };
	srtp_t session;

	memcpy(key, p->master.key, info->key_len);
	memcpy(key + info->key_len, p->master.salt, info->salt_len);
	set(&policy.rtp);
	set(&policy.rtcp);
	policy.ssrc.type = sends ? ssrc_any_outbound : ssrc_any_inbound;
	assert_int_equal(srtp_create(&session, &policy), srtp_err_status_ok);
	return session;
}

static void test_mki_as_the_library_has_it(void **state)
{
	static const struct {
		enum srtp_suite suite;
		void (*set)(srtp_crypto_policy_t *);
	} suites[] = { { SRTP_AES_CM_128_HMAC_SHA1_80, srtp_crypto_policy_set_rtp_default },
		       { SRTP_AEAD_AES_128_GCM, srtp_crypto_policy_set_aes_gcm_128_16_auth } };
	static const struct srtp_mki mki = { 4, { 1, 2, 3, 4 } };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		uint8_t packet[REPORT_LEN + 64], clear[REPORT_LEN];
		struct pair p = pair_open(suites[i].suite);
		srtp_t out = library_session(&p, suites[i].set, true), in = library_session(&p, suites[i].set, false);
		int octets = REPORT_LEN;
		size_t len;

		report(clear, 7);
		srtcp_set_mki(p.tx, &mki);
		srtcp_set_mki(p.rx, &mki);
		report(packet, 7);
		assert_int_equal(srtp_protect_rtcp_mki(out, packet, &octets, 1, 0), srtp_err_status_ok);
		len = (size_t)octets;
		assert_int_equal(srtcp_unprotect(p.rx, packet, &len), 0);
		assert_memory_equal(packet, clear, REPORT_LEN);
		octets = (int)sealed(&p, packet, 7);
		assert_int_equal(srtp_unprotect_rtcp_mki(in, packet, &octets, 1), srtp_err_status_ok);
		assert_int_equal(octets, REPORT_LEN);
		assert_memory_equal(packet, clear, REPORT_LEN);
		srtp_dealloc(out);
		srtp_dealloc(in);
		pair_close(&p);
	}
}

// As the RFCs say it, on OpenSSL: labels 3 to 5, IV, E flag, MKI and tag of each suite (AES-192 is our patch's).
static void test_every_suite_is_the_rfcs(void **state)
{
	(void)state;
	for (int i = 0; i < 4 * (SRTP_SUITE_COUNT - 1); i++) {
		struct srtp_mki mki = { .len = (uint8_t)(i % 4 * 5), .bytes = { 9, 8, 7 } };
		uint8_t clear[REPORT_LEN], ours[REPORT_LEN + SRTCP_TRAILER_MAX], want[sizeof(ours)];
		struct pair p = pair_open((enum srtp_suite)(1 + i / 4));

		srtcp_set_mki(p.tx, &mki);
		srtcp_set_mki(p.rx, &mki);
		for (uint32_t index = 1; index < 200; index++) {
			size_t len = sealed(&p, ours, 0x80000007);

			report(clear, 0x80000007);
			assert_int_equal(srtp_reference_protect_rtcp(&p.master, &mki, want, clear, REPORT_LEN, index),
					 len);
			assert_memory_equal(ours, want, len);
			assert_int_equal(srtcp_unprotect(p.rx, want, &len), 0);
			assert_memory_equal(want, clear, REPORT_LEN);
		}
		pair_close(&p);
	}
}

static srtp_t library_with(const struct pair *p, srtp_ssrc_type_t type, srtp_sec_serv_t services)
{
	const struct srtp_suite_info *info = srtp_suite_info(p->master.suite);
	uint8_t key[SRTP_KEY_MAX + SRTP_SALT_MAX];
	srtp_policy_t policy = { .window_size = 128, .key = key, .ssrc.type = type };
	srtp_t session;

	memcpy(key, p->master.key, info->key_len);
	memcpy(key + info->key_len, p->master.salt, info->salt_len);
	if (info->aead && info->key_len == 16)
		srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtcp);
	else if (info->aead)
		srtp_crypto_policy_set_aes_gcm_256_16_auth(&policy.rtcp);
	else if (!info->encrypts)
		srtp_crypto_policy_set_null_cipher_hmac_sha1_80(&policy.rtcp);
	else if (info->key_len == 16)
		srtp_crypto_policy_set_rtcp_default(&policy.rtcp);
	else if (info->key_len == 24)
		srtp_crypto_policy_set_aes_cm_192_hmac_sha1_80(&policy.rtcp);
	else
		srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80(&policy.rtcp);
	policy.rtcp.sec_serv = services;
	policy.rtp = policy.rtcp;
	assert_int_equal(srtp_create(&session, &policy), srtp_err_status_ok);
	return session;
}

// Authentic, by the peer's own key, and with the other E flag: to a receiver that negotiated that it is good.
static void test_flag_is_the_suites(void **state)
{
	(void)state;
	for (int suite = 1; suite < SRTP_SUITE_COUNT; suite++) {
		bool encrypts = srtp_suite_info((enum srtp_suite)suite)->encrypts;
		srtp_sec_serv_t other = encrypts ? sec_serv_auth : sec_serv_conf_and_auth;
		uint8_t packet[REPORT_LEN + 64], copy[sizeof(packet)], clear[REPORT_LEN];
		struct pair p = pair_open((enum srtp_suite)suite);
		srtp_t out = library_with(&p, ssrc_any_outbound, other);
		srtp_t in = library_with(&p, ssrc_any_inbound, other);
		int octets = REPORT_LEN;
		struct srtcp_marks marks;
		size_t len;

		report(clear, 7);
		report(packet, 7);
		assert_int_equal(srtp_protect_rtcp(out, packet, &octets), srtp_err_status_ok);
		memcpy(copy, packet, sizeof(copy));
		len = (size_t)octets;
		assert_int_equal(srtcp_unprotect(p.rx, packet, &len), -EPERM);
		srtcp_save(p.rx, &marks);
		assert_int_equal(marks.n, 0);
		assert_int_equal(srtp_unprotect_rtcp(in, copy, &octets), srtp_err_status_ok);
		assert_memory_equal(copy, clear, REPORT_LEN);
		srtp_dealloc(out);
		srtp_dealloc(in);
		pair_close(&p);
	}
}

static void test_plain_is_refused(void **state)
{
	uint8_t packet[REPORT_LEN + SRTCP_TRAILER_MAX];
	struct pair p = pair_open(SRTP_AES_CM_128_HMAC_SHA1_80);
	size_t len = sealed(&p, packet, 7);

	(void)state;
	packet[REPORT_LEN] &= 0x7f; // E = 0: "authenticated only" was never negotiated
	assert_int_equal(srtcp_unprotect(p.rx, packet, &len), -EPERM);
	len = 8;
	report(packet, 7);
	assert_int_equal(srtcp_unprotect(p.rx, packet, &len), -EBADMSG);
	pair_close(&p);
}

static void test_every_short_length(void **state)
{
	struct pair p = pair_open(SRTP_AEAD_AES_128_GCM);
	uint8_t packet[REPORT_LEN + SRTCP_TRAILER_MAX];
	size_t whole = sealed(&p, packet, 7);

	(void)state;
	for (size_t n = 0; n < whole; n++) {
		uint8_t *exact = malloc(n > 0 ? n : 1); // the sanitizer stands behind the last byte
		size_t len = n;

		memcpy(exact, packet, n);
		assert_int_not_equal(srtcp_unprotect(p.rx, exact, &len), 0);
		free(exact);
	}
	pair_close(&p);
}

static void test_bounds_of_protect(void **state)
{
	uint8_t packet[REPORT_LEN + SRTCP_TRAILER_MAX];
	struct pair p = pair_open(SRTP_AES_CM_128_HMAC_SHA1_80);
	size_t len = REPORT_LEN;

	(void)state;
	report(packet, 7);
	assert_int_equal(srtcp_protect(p.tx, packet, &len, REPORT_LEN), -EMSGSIZE);
	len = 7;
	assert_int_equal(srtcp_protect(p.tx, packet, &len, sizeof(packet)), -EBADMSG);
	for (uint32_t ssrc = 1; ssrc <= SRTCP_SSRCS_MAX; ssrc++)
		sealed(&p, packet, ssrc);
	report(packet, SRTCP_SSRCS_MAX + 1);
	len = REPORT_LEN;
	assert_int_equal(srtcp_protect(p.tx, packet, &len, sizeof(packet)), -ENOSPC);
	pair_close(&p);
}

static uint32_t index_of(const uint8_t *packet)
{
	uint32_t word;

	memcpy(&word, packet + REPORT_LEN, 4);
	return ntohl(word) & 0x7fffffff;
}

static void test_index_over_a_restart(void **state)
{
	uint8_t packet[REPORT_LEN + SRTCP_TRAILER_MAX];
	struct pair p = pair_open(SRTP_AES_256_CM_HMAC_SHA1_80);
	struct srtcp_marks marks;
	uint32_t last = 0;

	(void)state;
	for (unsigned life = 0; life < 5; life++) {
		for (unsigned i = 0; i < 3 * SRTCP_BLOCK / 2; i++) {
			size_t len = sealed(&p, packet, 7);

			assert_true(index_of(packet) > last);
			last = index_of(packet);
			if (srtcp_unsaved(p.tx))
				srtcp_save(p.tx, &marks);
			assert_true(marks.mark[0].index >= last); // saved before it leaves
			assert_int_equal(srtcp_unprotect(p.rx, packet, &len), 0);
		}
		srtcp_close(p.tx); // dies with what the record holds
		assert_int_equal(srtcp_open(&p.tx, &p.master, SRTCP_SEND), 0);
		assert_int_equal(srtcp_restore(p.tx, &marks), 0);
	}
	srtcp_save(p.rx, &marks); // a receiver that comes back refuses what it had seen
	srtcp_close(p.rx);
	assert_int_equal(srtcp_open(&p.rx, &p.master, SRTCP_RECEIVE), 0);
	assert_int_equal(srtcp_restore(p.rx, &marks), 0);
	pair_close(&p);
}

static void test_receiver_restart_refuses_replay(void **state)
{
	uint8_t packet[REPORT_LEN + SRTCP_TRAILER_MAX], copy[sizeof(packet)];
	struct pair p = pair_open(SRTP_AEAD_AES_256_GCM);
	struct srtcp_marks marks;
	size_t len = sealed(&p, packet, 7), again = len;

	(void)state;
	memcpy(copy, packet, len);
	assert_int_equal(srtcp_unprotect(p.rx, copy, &again), 0);
	srtcp_save(p.rx, &marks);
	srtcp_close(p.rx);
	assert_int_equal(srtcp_open(&p.rx, &p.master, SRTCP_RECEIVE), 0);
	assert_int_equal(srtcp_restore(p.rx, &marks), 0);
	assert_int_equal(srtcp_unprotect(p.rx, packet, &len), -EALREADY);
	pair_close(&p);
}

static int setup(void **state)
{
	(void)state;
	return srtcp_setup();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_suite),
		cmocka_unit_test(test_mki_of_every_suite),
		cmocka_unit_test(test_mki_as_the_library_has_it),
		cmocka_unit_test(test_every_suite_is_the_rfcs),
		cmocka_unit_test(test_flag_is_the_suites),
		cmocka_unit_test(test_plain_is_refused),
		cmocka_unit_test(test_every_short_length),
		cmocka_unit_test(test_bounds_of_protect),
		cmocka_unit_test(test_index_over_a_restart),
		cmocka_unit_test(test_receiver_restart_refuses_replay),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
