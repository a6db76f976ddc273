// SPDX-License-Identifier: GPL-3.0-or-later
// test_keying_choose.c - offering, choosing and accepting: policies, roles, what is in force, and that nothing is lowered.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "mediarelay/keying/keying.h"
#include "mediarelay/keying/sdes.h"

#define KEY "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"
#define KEY2 "NzB4d1BINUAvLEw6UzF3WSJ+PSdFcGdUJShpX1Zj"
#define FP "sha-256 AB:12:CD:34:EF:56:AB:12:CD:34:EF:56:AB:12:CD:34:EF:56:AB:12:CD:34:EF:56:AB:12:CD:34:EF:56:AB:12"
#define FP2 "sha-256 00:12:CD:34:EF:56:AB:12:CD:34:EF:56:AB:12:CD:34:EF:56:AB:12:CD:34:EF:56:AB:12:CD:34:EF:56:AB:12"
#define OURS "sha-256 11:11"

static uint8_t next_random;
static bool random_fails;

static int random_fake(void *ctx, uint8_t *dst, size_t len)
{
	if (random_fails)
		return -EIO;
	memset(dst, ++next_random, len);
	return 0;
}

static const struct env env = { .random = random_fake };
static const struct keying_identity us = { OURS, "ourtlsidourtlsidourtlsid" };
static const struct keying_facts plain_facts = { .ice = false };

static struct keying_policy policy_of(enum keying_mechanism a, enum keying_mechanism b, enum keying_mechanism c)
{
	return (struct keying_policy){
		.accept = { a, b, c },
		.offer = { a, a != KEYING_PLAIN && b != KEYING_PLAIN ? b : KEYING_UNDECIDED },
	};
}

static void add_crypto(struct keying_lines *lines, const char *value)
{
	lines->crypto[lines->n_crypto].value = value;
	lines->crypto[lines->n_crypto++].len = strlen(value);
}

static struct keying_lines sdes_lines(const char *first, const char *second)
{
	struct keying_lines lines = { .proto = { KEYING_RTP_SAVP, false } };

	add_crypto(&lines, first);
	if (second != NULL)
		add_crypto(&lines, second);
	return lines;
}

static struct keying_lines dtls_lines(const char *fingerprint, enum keying_setup setup, const char *tls_id)
{
	struct keying_lines lines = { .proto = { KEYING_UDP_TLS_RTP_SAVP, true }, .setup = setup, .fingerprint_seen = true };

	assert_int_equal(dtls_fingerprints_add(&lines.fingerprints, fingerprint, strlen(fingerprint)), 0);
	snprintf(lines.tls_id, sizeof(lines.tls_id), "%s", tls_id);
	return lines;
}

static int choose(struct keying_choice *choice, struct keying_local *local, const struct keying_policy *policy,
		  const struct keying_lines *lines, const struct keying_choice *current, struct keying_reason *reason)
{
	return keying_choose(choice, local, policy, lines, &plain_facts, &us, current, &env, reason);
}

static void policies_are_checked(void **state)
{
	struct keying_policy p = policy_of(KEYING_DTLS_SRTP, KEYING_SDES, KEYING_PLAIN);

	(void)state;
	assert_null(keying_policy_fault(&p));
	p.suites[0] = SRTP_AES_256_CM_HMAC_SHA1_80;
	assert_string_equal(keying_policy_fault(&p), "suites: none of them is a DTLS-SRTP profile");
	p.suites[1] = SRTP_AEAD_AES_128_GCM;
	assert_null(keying_policy_fault(&p));
	p.suites[2] = SRTP_AEAD_AES_128_GCM;
	assert_string_equal(keying_policy_fault(&p), "suites: a suite stands twice");
	p.suites[2] = SRTP_SUITE_COUNT;
	assert_string_equal(keying_policy_fault(&p), "suites: an unknown suite");
	p = policy_of(KEYING_SDES, KEYING_SDES, KEYING_UNDECIDED);
	assert_string_equal(keying_policy_fault(&p), "names a mechanism twice");
	p = (struct keying_policy){ .accept = { KEYING_SDES } };
	assert_string_equal(keying_policy_fault(&p), "names no mechanism");
	p.offer[0] = KEYING_SDES;
	p.offer[1] = KEYING_PLAIN;
	assert_string_equal(keying_policy_fault(&p), "offer: with form strict, none is offered alone");
}

static void proto_follows_from_what_is_offered(void **state)
{
	static const struct {
		enum keying_mechanism offer[2];
		const char *avp, *avpf;
	} cases[] = {
		{ { KEYING_PLAIN }, "RTP/AVP", "RTP/AVPF" },
		{ { KEYING_SDES }, "RTP/SAVP", "RTP/SAVPF" },
		{ { KEYING_DTLS_SRTP }, "UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF" },
		{ { KEYING_DTLS_SRTP, KEYING_SDES }, "RTP/SAVP", "RTP/SAVPF" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct keying_policy p = { .accept = { KEYING_PLAIN }, .offer = { cases[i].offer[0], cases[i].offer[1] } };
		struct keying_local local;

		assert_int_equal(keying_offer(&local, &p, false, &us, NULL, &env), 0);
		assert_string_equal(keying_proto_name(local.proto), cases[i].avp);
		assert_int_equal(keying_offer(&local, &p, true, &us, NULL, &env), 0);
		assert_string_equal(keying_proto_name(local.proto), cases[i].avpf);
	}
}

static void an_offer_has_fresh_keys_a_line(void **state)
{
	struct keying_policy p = policy_of(KEYING_SDES, KEYING_DTLS_SRTP, KEYING_UNDECIDED);
	char text[KEYING_ATTRIBUTE_MAX];
	struct keying_local a, b;
	size_t n = 0;

	(void)state;
	assert_int_equal(keying_offer(&a, &p, false, &us, NULL, &env), 0);
	assert_int_equal(keying_offer(&b, &p, false, &us, NULL, &env), 0);
	assert_int_equal(a.n_crypto, 5);
	for (size_t i = 0; i < a.n_crypto; i++) {
		assert_int_equal(a.crypto[i].tag, i + 1);
		assert_int_equal(a.crypto[i].master.suite, keying_suites_default[i]);
		for (size_t j = 0; j < a.n_crypto; j++) {
			assert_memory_not_equal(a.crypto[i].master.key, b.crypto[j].master.key, 16);
			assert_true(i == j || memcmp(a.crypto[i].master.key, a.crypto[j].master.key, 16) != 0);
		}
	}
	while (keying_local_attribute(&a, n, text) > 0)
		n++;
	assert_int_equal(n, 8); // five crypto, fingerprint, setup, tls-id
	assert_true(keying_local_attribute(&a, 6, text) > 0);
	assert_string_equal(text, "setup:actpass");
	random_fails = true;
	assert_int_equal(keying_offer(&a, &p, false, &us, NULL, &env), -EIO);
	random_fails = false;
	assert_int_equal(a.n_crypto, 0);
}

static void our_order_chooses_the_suite(void **state)
{
	struct keying_policy p = policy_of(KEYING_SDES, KEYING_UNDECIDED, KEYING_UNDECIDED);
	struct keying_lines lines = sdes_lines("5 AES_CM_128_HMAC_SHA1_80 inline:" KEY "|2^31", "6 AES_CM_128_HMAC_SHA1_32 inline:" KEY2);
	char text[KEYING_ATTRIBUTE_MAX];
	struct keying_reason reason;
	struct keying_choice choice;
	struct keying_local local;

	(void)state;
	assert_int_equal(choose(&choice, &local, &p, &lines, NULL, &reason), 0);
	assert_int_equal(choice.mechanism, KEYING_SDES);
	assert_int_equal(choice.rx.suite, SRTP_AES_CM_128_HMAC_SHA1_80);
	assert_int_equal(choice.rx_lifetime, 1u << 31);
	assert_int_equal(choice.tx.suite, choice.rx.suite);
	assert_memory_not_equal(choice.tx.key, choice.rx.key, 16);
	assert_true(keying_local_attribute(&local, 0, text) > 0);
	assert_memory_equal(text, "crypto:5 AES_CM_128_HMAC_SHA1_80 inline:", 40);
	assert_int_equal(keying_local_attribute(&local, 1, text), 0);
	p.suites[0] = SRTP_AES_CM_128_HMAC_SHA1_32;
	p.suites[1] = SRTP_AES_CM_128_HMAC_SHA1_80;
	assert_int_equal(choose(&choice, &local, &p, &lines, NULL, &reason), 0);
	assert_int_equal(local.crypto[0].tag, 6);
	p.suites[0] = SRTP_AEAD_AES_256_GCM;
	p.suites[1] = SRTP_SUITE_NONE;
	assert_int_equal(choose(&choice, &local, &p, &lines, NULL, &reason), -ENOTSUP);
	assert_string_equal(reason.text, "SDES: no suite in common");
	lines = sdes_lines("5 AEAD_AES_256_GCM inline:" KEY, NULL);
	assert_int_equal(choose(&choice, &local, &p, &lines, NULL, &reason), -ENOTSUP);
	assert_string_equal(reason.text, "SDES: key and salt have not the length of the suite");
	// A tag that stands twice: the second line with it is not looked at.
	p.suites[0] = SRTP_AES_CM_128_HMAC_SHA1_32;
	lines = sdes_lines("5 AES_CM_128_HMAC_SHA1_80 inline:" KEY, "5 AES_CM_128_HMAC_SHA1_32 inline:" KEY2);
	assert_int_equal(choose(&choice, &local, &p, &lines, NULL, &reason), -ENOTSUP);
	random_fails = true;
	lines = sdes_lines("5 AES_CM_128_HMAC_SHA1_32 inline:" KEY, NULL);
	assert_int_equal(choose(&choice, &local, &p, &lines, NULL, &reason), -EIO);
	random_fails = false;
}

static void a_repeated_key_does_not_rekey(void **state)
{
	struct keying_policy p = policy_of(KEYING_SDES, KEYING_UNDECIDED, KEYING_UNDECIDED);
	struct keying_lines lines = sdes_lines("1 AES_CM_128_HMAC_SHA1_80 inline:" KEY, NULL);
	struct keying_choice first, again, other;
	struct keying_reason reason;
	struct keying_local local;

	(void)state;
	assert_int_equal(choose(&first, &local, &p, &lines, NULL, &reason), 0);
	assert_int_equal(choose(&again, &local, &p, &lines, &first, &reason), 0);
	assert_memory_equal(&again.tx, &first.tx, sizeof(first.tx));
	lines = sdes_lines("1 AES_CM_128_HMAC_SHA1_80 inline:" KEY2, NULL);
	assert_int_equal(choose(&other, &local, &p, &lines, &first, &reason), 0);
	assert_memory_not_equal(other.tx.key, first.tx.key, 16);
	// In our own offer the suite in force comes first, with the key in force.
	assert_int_equal(keying_offer(&local, &p, false, &us, &first, &env), 0);
	assert_memory_equal(&local.crypto[0].master, &first.tx, sizeof(first.tx));
	assert_int_equal(local.n_crypto, 5);
	for (size_t i = 1; i < local.n_crypto; i++)
		assert_int_not_equal(local.crypto[i].master.suite, first.tx.suite);
}

static void assert_mki(const struct srtp_mki *mki, uint8_t len, uint8_t last)
{
	assert_int_equal(mki->len, len);
	assert_int_equal(mki->bytes[len - 1], last);
}

// The peer's MKI is in its packets; ours is as long, and another one for each key of ours.
static void an_mki_is_answered_by_one(void **state)
{
	struct keying_policy p = policy_of(KEYING_SDES, KEYING_UNDECIDED, KEYING_UNDECIDED);
	struct keying_lines lines = sdes_lines("1 AES_CM_128_HMAC_SHA1_80 inline:" KEY "|2^31|7:4", NULL);
	struct keying_choice first, again, other;
	char text[KEYING_ATTRIBUTE_MAX];
	struct keying_reason reason;
	struct keying_local local;

	(void)state;
	assert_int_equal(choose(&first, &local, &p, &lines, NULL, &reason), 0);
	assert_mki(&first.rx_mki, 4, 7);
	assert_mki(&first.tx_mki, 4, 7);
	assert_true(keying_local_attribute(&local, 0, text) > 0);
	assert_string_equal(text + strlen(text) - 4, "|7:4");
	assert_int_equal(choose(&again, &local, &p, &lines, &first, &reason), 0);
	assert_true(keying_choice_same(&again, &first));
	// A new key under the same MKI: ours is told apart all the same.
	lines = sdes_lines("1 AES_CM_128_HMAC_SHA1_80 inline:" KEY2 "|2^31|7:4", NULL);
	assert_int_equal(choose(&other, &local, &p, &lines, &first, &reason), 0);
	assert_mki(&other.rx_mki, 4, 7);
	assert_mki(&other.tx_mki, 4, 8);
	lines = sdes_lines("1 AES_CM_128_HMAC_SHA1_80 inline:" KEY2 "|8:4", NULL); // a new MKI: the peer sees a new key
	assert_int_equal(choose(&other, &local, &p, &lines, &first, &reason), 0);
	assert_mki(&other.tx_mki, 4, 8);
	// Our own offer repeats the key in force with its MKI; another key has another.
	assert_int_equal(keying_offer(&local, &p, false, &us, &first, &env), 0);
	assert_mki(&local.crypto[0].mki, 4, 7);
	assert_mki(&local.crypto[1].mki, 4, 8);
	p.mki = KEYING_MKI_NEVER;
	assert_int_equal(choose(&other, &local, &p, &lines, NULL, &reason), -ENOTSUP);
	assert_string_equal(reason.text, "SDES: an MKI, which the profile forbids");
	lines = sdes_lines("1 AES_CM_128_HMAC_SHA1_80 inline:" KEY "|1:17", NULL);
	assert_int_equal(choose(&other, &local, &p, &lines, NULL, &reason), -ENOTSUP);
	assert_string_equal(reason.text, "SDES: an MKI above 16 octets, which we do not do");
	lines = sdes_lines("1 AES_CM_128_HMAC_SHA1_80 inline:" KEY "|1:1;inline:" KEY2 "|2:1", NULL);
	assert_int_equal(choose(&other, &local, &p, &lines, NULL, &reason), -ENOTSUP);
	assert_string_equal(reason.text, "SDES: several keys, which we do not do");
	add_crypto(&lines, "2 AES_CM_128_HMAC_SHA1_80 inline:" KEY);
	assert_int_equal(choose(&other, &local, &p, &lines, NULL, &reason), 0);
	assert_int_equal(local.crypto[0].tag, 2);
	assert_int_equal(other.tx_mki.len, 0);
}

static void an_mki_is_offered_if_the_profile_says_so(void **state)
{
	struct keying_policy p = policy_of(KEYING_SDES, KEYING_UNDECIDED, KEYING_UNDECIDED);
	struct keying_lines answer = sdes_lines("1 AES_CM_128_HMAC_SHA1_80 inline:" KEY "|3:2", NULL);
	struct keying_reason reason;
	struct keying_choice choice;
	struct keying_local local;

	(void)state;
	p.suites[0] = SRTP_AES_CM_128_HMAC_SHA1_80;
	assert_int_equal(keying_offer(&local, &p, false, &us, NULL, &env), 0);
	assert_int_equal(local.crypto[0].mki.len, 0);
	assert_int_equal(keying_accept_answer(&choice, &local, &answer, &reason), 0); // the answer's own key, its own MKI
	assert_mki(&choice.rx_mki, 2, 3);
	assert_int_equal(choice.tx_mki.len, 0);
	p.mki = KEYING_MKI_OFFER;
	assert_int_equal(keying_offer(&local, &p, false, &us, NULL, &env), 0);
	assert_mki(&local.crypto[0].mki, 1, 1);
	assert_int_equal(keying_accept_answer(&choice, &local, &answer, &reason), 0);
	assert_mki(&choice.rx_mki, 2, 3);
	assert_mki(&choice.tx_mki, 1, 1);
	p.mki = KEYING_MKI_NEVER;
	assert_int_equal(keying_offer(&local, &p, false, &us, NULL, &env), 0);
	assert_int_equal(local.crypto[0].mki.len, 0);
	assert_int_equal(keying_accept_answer(&choice, &local, &answer, &reason), -ENOTSUP);
	assert_string_equal(reason.text, "SDES answer: an MKI, which the profile forbids");
}

#define UNENCRYPTED " UNENCRYPTED_SRTP UNENCRYPTED_SRTCP"

// NULL ciphers: only if the profile lists them, and never in place of what was encrypted.
static void null_ciphers_are_asked_for(void **state)
{
	struct keying_policy p = policy_of(KEYING_SDES, KEYING_DTLS_SRTP, KEYING_UNDECIDED);
	struct keying_lines null = sdes_lines("1 AES_CM_128_HMAC_SHA1_80 inline:" KEY UNENCRYPTED, NULL);
	struct keying_lines aes = sdes_lines("1 AES_CM_128_HMAC_SHA1_80 inline:" KEY2, NULL);
	struct keying_lines dtls = dtls_lines(FP, KEYING_ACTPASS, "");
	struct keying_facts floor = { .floor = KEYING_FLOOR_ENCRYPTED };
	struct keying_choice choice, first;
	char text[KEYING_ATTRIBUTE_MAX];
	struct keying_reason reason;
	struct keying_local local;

	(void)state;
	assert_int_equal(choose(&choice, &local, &p, &null, NULL, &reason), -ENOTSUP);
	assert_string_equal(reason.text, "SDES: unencrypted SRTP, which the profile does not list");
	p.suites[0] = SRTP_AES_CM_128_HMAC_SHA1_80;
	p.suites[1] = SRTP_NULL_HMAC_SHA1_80;
	assert_int_equal(choose(&choice, &local, &p, &null, NULL, &reason), 0);
	assert_int_equal(choice.rx.suite, SRTP_NULL_HMAC_SHA1_80);
	assert_true(keying_local_attribute(&local, 0, text) > 0); // RFC 4568 section 7.1.2: the answer has the parameters
	assert_string_equal(text + strlen(text) - strlen(UNENCRYPTED), UNENCRYPTED);
	assert_int_equal(keying_floor_of(&choice), KEYING_FLOOR_SECURED);
	assert_int_equal(choose(&first, &local, &p, &aes, NULL, &reason), 0);
	assert_int_equal(choose(&choice, &local, &p, &null, &first, &reason), -ENOTSUP);
	assert_string_equal(reason.text, "SDES: the offer would take the media's encryption away");
	assert_int_equal(keying_choose(&choice, &local, &p, &null, &floor, &us, NULL, &env, &reason), -ENOTSUP);
	add_crypto(&null, "2 AES_CM_128_HMAC_SHA1_80 inline:" KEY2);
	assert_int_equal(choose(&choice, &local, &p, &null, &first, &reason), 0);
	assert_int_equal(local.crypto[0].tag, 2);

	assert_int_equal(keying_offer(&local, &p, false, &us, NULL, &env), 0);
	assert_int_equal(local.n_crypto, 2);
	assert_int_equal(local.suites[1], SRTP_NULL_HMAC_SHA1_80); // of DTLS-SRTP beside
	struct keying_lines lowered = sdes_lines("1 AES_CM_128_HMAC_SHA1_80 inline:" KEY UNENCRYPTED, NULL);

	assert_int_equal(keying_accept_answer(&choice, &local, &lowered, &reason), -ENOTSUP);
	assert_string_equal(reason.text, "SDES answer: another suite than its tag's");
	assert_int_equal(keying_offer(&local, &p, false, &us, &first, &env), 0);
	assert_int_equal(local.n_crypto, 1); // what is encrypted is not offered in clear
	p.accept[0] = KEYING_DTLS_SRTP;
	p.accept[1] = KEYING_UNDECIDED;
	assert_int_equal(choose(&first, &local, &p, &dtls, NULL, &reason), 0);
	assert_int_equal(first.suites[1], SRTP_NULL_HMAC_SHA1_80);
	assert_int_equal(choose(&choice, &local, &p, &dtls, &first, &reason), 0);
	assert_int_equal(choice.suites[1], SRTP_SUITE_NONE);
	p.suites[0] = SRTP_NULL_HMAC_SHA1_32;
	assert_int_equal(choose(&choice, &local, &p, &dtls, &first, &reason), -ENOTSUP);
	assert_string_equal(reason.text, "DTLS-SRTP: the profile would take the media's encryption away");
}

static void choices_are_compared_by_what_they_say(void **state)
{
	struct keying_choice a, b;

	(void)state;
	memset(&a, 0xff, sizeof(a)); // what lies between and behind the members does not count
	memset(&b, 0, sizeof(b));
	a.mechanism = b.mechanism = KEYING_SDES;
	a.rx.suite = b.rx.suite = a.tx.suite = b.tx.suite = SRTP_AES_CM_128_HMAC_SHA1_80;
	memset(a.rx.key, 1, 16);
	memset(b.rx.key, 1, 16);
	memset(a.rx.salt, 2, 14);
	memset(b.rx.salt, 2, 14);
	memset(a.tx.key, 3, 16);
	memset(b.tx.key, 3, 16);
	memset(a.tx.salt, 4, 14);
	memset(b.tx.salt, 4, 14);
	a.rx_mki.len = a.tx_mki.len = 0;
	assert_true(keying_choice_same(&a, &b));
	a.rx_mki = b.rx_mki = (struct srtp_mki){ 2, { 0, 1 } };
	assert_true(keying_choice_same(&a, &b));
	b.rx_mki.bytes[1] = 2;
	assert_false(keying_choice_same(&a, &b));
	b.rx_mki = a.rx_mki;
	b.tx_mki.len = 1;
	assert_false(keying_choice_same(&a, &b));
	b.tx_mki.len = 0;
	b.tx.salt[13] ^= 1;
	assert_false(keying_choice_same(&a, &b));
	a.mechanism = b.mechanism = KEYING_DTLS_SRTP;
	a.dtls_role = b.dtls_role = DTLS_ACTIVE;
	a.tls_id[0] = b.tls_id[0] = '\0';
	a.fingerprints.n = b.fingerprints.n = 1;
	assert_int_equal(dtls_fingerprint_parse(&a.fingerprints.list[0], FP, strlen(FP)), 0);
	b.fingerprints.list[0] = a.fingerprints.list[0];
	assert_true(keying_choice_same(&a, &b));
	b.dtls_role = DTLS_PASSIVE;
	assert_false(keying_choice_same(&a, &b));
	b.dtls_role = DTLS_ACTIVE;
	b.tls_id[0] = 'x';
	assert_false(keying_choice_same(&a, &b));
	b.tls_id[0] = '\0';
	assert_int_equal(dtls_fingerprint_parse(&b.fingerprints.list[0], FP2, strlen(FP2)), 0);
	assert_false(keying_choice_same(&a, &b));
	a.mechanism = KEYING_PLAIN;
	assert_false(keying_choice_same(&a, &b));
	b.mechanism = KEYING_PLAIN;
	assert_true(keying_choice_same(&a, &b));
}

static void roles_come_from_setup_and_policy(void **state)
{
	static const struct {
		enum keying_setup offer;
		enum keying_role policy;
		bool ice, at_source;
		int role; // -1: refused
	} cases[] = {
		{ KEYING_ACTPASS, KEYING_ROLE_AUTO, false, false, DTLS_PASSIVE },
		{ KEYING_ACTPASS, KEYING_ROLE_AUTO, true, false, DTLS_ACTIVE },
		{ KEYING_ACTPASS, KEYING_ROLE_AUTO, false, true, DTLS_ACTIVE },
		{ KEYING_ACTPASS, KEYING_ROLE_ACTIVE, false, false, DTLS_ACTIVE },
		{ KEYING_ACTPASS, KEYING_ROLE_PASSIVE, true, true, DTLS_PASSIVE },
		{ KEYING_ACTIVE, KEYING_ROLE_ACTIVE, true, true, DTLS_PASSIVE },
		{ KEYING_PASSIVE, KEYING_ROLE_PASSIVE, false, false, DTLS_ACTIVE },
		{ KEYING_SETUP_NONE, KEYING_ROLE_ACTIVE, false, false, DTLS_PASSIVE },
		{ KEYING_HOLDCONN, KEYING_ROLE_AUTO, false, false, -1 },
		{ KEYING_SETUP_BAD, KEYING_ROLE_AUTO, false, false, -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct keying_policy p = policy_of(KEYING_DTLS_SRTP, KEYING_UNDECIDED, KEYING_UNDECIDED);
		struct keying_facts facts = { .ice = cases[i].ice, .media_at_source = cases[i].at_source };
		struct keying_lines lines = dtls_lines(FP, cases[i].offer, "");
		struct keying_choice choice;
		struct keying_local local;
		int err;

		p.role = cases[i].policy;
		err = keying_choose(&choice, &local, &p, &lines, &facts, &us, NULL, &env, NULL);
		assert_int_equal(err, cases[i].role < 0 ? -ENOTSUP : 0);
		if (err < 0)
			continue;
		assert_int_equal(choice.dtls_role, cases[i].role);
		assert_int_equal(local.setup, cases[i].role == DTLS_ACTIVE ? KEYING_ACTIVE : KEYING_PASSIVE);
		assert_string_equal(local.tls_id, ""); // not offered
		assert_int_equal(choice.suites[0], SRTP_AEAD_AES_256_GCM);
	}
}

static void an_association_that_stays_keeps_its_roles(void **state)
{
	struct keying_policy p = policy_of(KEYING_DTLS_SRTP, KEYING_UNDECIDED, KEYING_UNDECIDED);
	struct keying_lines lines = dtls_lines(FP, KEYING_ACTIVE, "abcabcabcabcabcabcabc");
	struct keying_choice first, again;
	struct keying_local local;

	(void)state;
	p.role = KEYING_ROLE_ACTIVE;
	assert_int_equal(choose(&first, &local, &p, &lines, NULL, NULL), 0);
	assert_int_equal(first.dtls_role, DTLS_PASSIVE);
	assert_string_equal(local.tls_id, us.tls_id);
	lines.setup = KEYING_ACTPASS; // a re-offer says actpass again
	assert_int_equal(choose(&again, &local, &p, &lines, &first, NULL), 0);
	assert_int_equal(again.dtls_role, DTLS_PASSIVE);
	assert_int_equal(keying_offer(&local, &p, false, &us, &first, &env), 0); // our own re-offer
	assert_string_equal(keying_proto_name(local.proto), "UDP/TLS/RTP/SAVPF");
	assert_int_equal(local.setup, KEYING_ACTPASS);
	first.proto = (struct keying_proto){ KEYING_RTP_SAVP, true }; // as it was offered to us long ago
	assert_int_equal(keying_offer(&local, &p, false, &us, &first, &env), 0);
	assert_string_equal(keying_proto_name(local.proto), "RTP/SAVPF");
	lines = dtls_lines(FP2, KEYING_ACTPASS, "abcabcabcabcabcabcabc"); // another certificate: another association
	assert_int_equal(choose(&again, &local, &p, &lines, &first, NULL), 0);
	assert_int_equal(again.dtls_role, DTLS_ACTIVE);
	lines = dtls_lines(FP, KEYING_ACTPASS, "defdefdefdefdefdefdef");
	assert_int_equal(choose(&again, &local, &p, &lines, &first, NULL), 0);
	assert_int_equal(again.dtls_role, DTLS_ACTIVE);
}

static void security_is_never_lowered(void **state)
{
	struct keying_policy p = policy_of(KEYING_DTLS_SRTP, KEYING_SDES, KEYING_PLAIN);
	struct keying_lines plain = { .proto = { KEYING_RTP_AVP, false } };
	struct keying_choice current = { .mechanism = KEYING_DTLS_SRTP }, choice = { .mechanism = KEYING_UNDECIDED };
	struct keying_reason reason;
	struct keying_local local;

	(void)state;
	assert_int_equal(choose(&choice, &local, &p, &plain, NULL, &reason), 0);
	assert_int_equal(choice.mechanism, KEYING_PLAIN);
	assert_int_equal(choose(&choice, &local, &p, &plain, &current, &reason), -ENOTSUP); // a re-INVITE takes nothing away
	assert_string_equal(reason.text, "the offer would take the media's protection away");
	// The same for a line that was taken away in between.
	struct keying_facts floor = { .floor = KEYING_FLOOR_SECURED };
	assert_int_equal(keying_choose(&choice, &local, &p, &plain, &floor, &us, NULL, &env, &reason), -ENOTSUP);
	assert_string_equal(reason.text, "the offer would take the media's protection away");
	p = policy_of(KEYING_DTLS_SRTP, KEYING_SDES, KEYING_UNDECIDED);
	assert_int_equal(choose(&choice, &local, &p, &plain, NULL, &reason), -ENOTSUP);
	assert_string_equal(reason.text, "media must be secured here: dtls-srtp, sdes");
	p.signalling_security_required = true;
	struct keying_lines dtls = dtls_lines(FP, KEYING_ACTPASS, "");
	struct keying_facts secure = { .signalling_secure = true };
	assert_int_equal(choose(&choice, &local, &p, &dtls, NULL, &reason), -ENOTSUP);
	assert_int_equal(keying_choose(&choice, &local, &p, &dtls, &secure, &us, NULL, &env, &reason), 0);
	dtls.proto.transport = KEYING_RTP_AVP; // a fingerprint on RTP/AVP is plain RTP
	assert_int_equal(keying_choose(&choice, &local, &p, &dtls, &secure, &us, NULL, &env, &reason), -ENOTSUP);
	assert_int_equal(keying_offer(&local, &(struct keying_policy){ .accept = { KEYING_PLAIN }, .offer = { KEYING_PLAIN } }, true,
				      &us, &current, &env),
			 0);
	assert_int_equal(local.mechanisms[0], KEYING_DTLS_SRTP); // what is in force is offered again, whatever the policy says now
}

static void answers_are_held_to_the_offer(void **state)
{
	struct keying_policy p = policy_of(KEYING_SDES, KEYING_DTLS_SRTP, KEYING_UNDECIDED);
	struct keying_policy dtls_only = policy_of(KEYING_DTLS_SRTP, KEYING_UNDECIDED, KEYING_UNDECIDED);
	struct keying_local both, dtls;
	struct keying_lines answer;
	struct keying_choice choice = { .mechanism = KEYING_UNDECIDED };
	struct keying_reason reason;
	char own[KEYING_ATTRIBUTE_MAX];

	(void)state;
	assert_int_equal(keying_offer(&both, &p, false, &us, NULL, &env), 0);
	assert_int_equal(keying_offer(&dtls, &dtls_only, false, &us, NULL, &env), 0);

	answer = sdes_lines("4 AES_CM_128_HMAC_SHA1_80 inline:" KEY, NULL);
	assert_int_equal(keying_accept_answer(&choice, &both, &answer, &reason), 0);
	assert_int_equal(choice.mechanism, KEYING_SDES);
	assert_memory_equal(&choice.tx, &both.crypto[3].master, sizeof(choice.tx));
	keying_choice_wipe(&choice);

	answer = sdes_lines("3 AES_CM_128_HMAC_SHA1_80 inline:" KEY, NULL);
	assert_int_equal(keying_accept_answer(&choice, &both, &answer, &reason), -ENOTSUP);
	assert_string_equal(reason.text, "SDES answer: another suite than its tag's");
	answer = sdes_lines("9 AES_CM_128_HMAC_SHA1_80 inline:" KEY, NULL);
	assert_int_equal(keying_accept_answer(&choice, &both, &answer, &reason), -ENOTSUP);
	assert_string_equal(reason.text, "SDES answer: a tag that was not offered");
	answer = sdes_lines("4 AES_CM_128_HMAC_SHA1_80 inline:" KEY, "5 AES_CM_128_HMAC_SHA1_32 inline:" KEY2);
	assert_int_equal(keying_accept_answer(&choice, &both, &answer, &reason), -ENOTSUP);
	assert_string_equal(reason.text, "SDES answer: several crypto lines");
	keying_local_attribute(&both, 3, own);
	answer = sdes_lines(own + strlen("crypto:"), NULL);
	assert_int_equal(keying_accept_answer(&choice, &both, &answer, &reason), -ENOTSUP);
	assert_string_equal(reason.text, "SDES answer: our own key sent back");

	answer = dtls_lines(FP, KEYING_ACTIVE, "xyzxyzxyzxyzxyzxyzxyz");
	assert_int_equal(keying_accept_answer(&choice, &dtls, &answer, &reason), 0);
	assert_int_equal(choice.dtls_role, DTLS_PASSIVE);
	assert_string_equal(choice.tls_id, "xyzxyzxyzxyzxyzxyzxyz");
	assert_int_equal(choice.suites[0], SRTP_AEAD_AES_256_GCM);
	answer.proto = (struct keying_proto){ KEYING_RTP_SAVP, false };
	assert_int_equal(keying_accept_answer(&choice, &both, &answer, &reason), 0);
	assert_int_equal(choice.mechanism, KEYING_DTLS_SRTP);
	answer.setup = KEYING_ACTPASS;
	assert_int_equal(keying_accept_answer(&choice, &dtls, &answer, &reason), -ENOTSUP);

	answer = (struct keying_lines){ .proto = { KEYING_RTP_AVP, false } };
	assert_int_equal(keying_accept_answer(&choice, &dtls, &answer, &reason), -ENOTSUP);
	assert_string_equal(reason.text, "answered RTP/AVP to UDP/TLS/RTP/SAVP");
	assert_int_equal(keying_accept_answer(&choice, &both, &answer, &reason), -ENOTSUP);
	answer = sdes_lines("1 AES_CM_128_HMAC_SHA1_80 inline:" KEY, NULL); // SDES where DTLS-SRTP alone was offered
	assert_int_equal(keying_accept_answer(&choice, &dtls, &answer, &reason), -ENOTSUP);
	assert_string_equal(reason.text, "DTLS-SRTP: no fingerprint");
}

// RFC 8842 section 5.3: while the association stays so does its name; a new one has a new name, which our offers repeat.
static void a_new_association_has_a_new_name(void **state)
{
	struct keying_policy p = policy_of(KEYING_DTLS_SRTP, KEYING_UNDECIDED, KEYING_UNDECIDED);
	struct keying_lines lines = dtls_lines(FP, KEYING_ACTIVE, "abcabcabcabcabcabcabc");
	struct keying_choice first, second, third;
	struct keying_local local;

	(void)state;
	assert_int_equal(choose(&first, &local, &p, &lines, NULL, NULL), 0);
	assert_string_equal(first.our_tls_id, us.tls_id);
	assert_int_equal(choose(&second, &local, &p, &lines, &first, NULL), 0); // the same again
	assert_string_equal(local.tls_id, us.tls_id);
	strcpy(lines.tls_id, "xyzxyzxyzxyzxyzxyzxyz");
	assert_int_equal(choose(&second, &local, &p, &lines, &first, NULL), 0);
	assert_string_not_equal(local.tls_id, us.tls_id);
	assert_int_equal(strlen(local.tls_id), 32);
	assert_string_equal(second.our_tls_id, local.tls_id);
	assert_int_equal(keying_offer(&local, &p, false, &us, &second, &env), 0);
	assert_string_equal(local.tls_id, second.our_tls_id);
	lines.setup = KEYING_PASSIVE; // another role
	assert_int_equal(choose(&third, &local, &p, &lines, &second, NULL), 0);
	assert_string_not_equal(third.our_tls_id, second.our_tls_id);
	lines.tls_id[0] = '\0';
	assert_int_equal(choose(&third, &local, &p, &lines, &second, NULL), 0);
	assert_string_equal(local.tls_id, "");
}

static void tls_ids_that_are_long_still_differ(void **state)
{
	char a[KEYING_TLS_ID_MAX], b[KEYING_TLS_ID_MAX], text[255];

	(void)state;
	memset(text, 'x', sizeof(text));
	keying_tls_id_set(a, text, sizeof(text));
	assert_int_equal(strlen(a), KEYING_TLS_ID_MAX - 1);
	text[254] = 'y';
	keying_tls_id_set(b, text, sizeof(text));
	assert_string_not_equal(a, b);
	keying_tls_id_set(a, text, KEYING_TLS_ID_MAX - 1);
	assert_memory_equal(a, text, KEYING_TLS_ID_MAX - 1);
	keying_tls_id_set(a, text, KEYING_TLS_ID_MAX);
	assert_true(strchr(a, '~') != NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(policies_are_checked),
		cmocka_unit_test(proto_follows_from_what_is_offered),
		cmocka_unit_test(an_offer_has_fresh_keys_a_line),
		cmocka_unit_test(our_order_chooses_the_suite),
		cmocka_unit_test(a_repeated_key_does_not_rekey),
		cmocka_unit_test(an_mki_is_answered_by_one),
		cmocka_unit_test(an_mki_is_offered_if_the_profile_says_so),
		cmocka_unit_test(null_ciphers_are_asked_for),
		cmocka_unit_test(choices_are_compared_by_what_they_say),
		cmocka_unit_test(roles_come_from_setup_and_policy),
		cmocka_unit_test(an_association_that_stays_keeps_its_roles),
		cmocka_unit_test(security_is_never_lowered),
		cmocka_unit_test(answers_are_held_to_the_offer),
		cmocka_unit_test(a_new_association_has_a_new_name),
		cmocka_unit_test(tls_ids_that_are_long_still_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
