// SPDX-License-Identifier: GPL-3.0-or-later
// test_dtls_endpoint.c - handshakes of our endpoint with itself: versions, profiles, parking, claims, keys, close.
#include "tests/support/dtls_link.h"
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const enum dtls_version versions[][2] = {
	{ DTLS_VERSION_1_2, DTLS_VERSION_1_2 },
	{ DTLS_VERSION_1_3, DTLS_VERSION_1_3 },
	{ DTLS_VERSION_1_2, DTLS_VERSION_1_3 },
};

static void assert_status(const struct dtls_endpoint *ep, enum dtls_status status)
{
	if (dtls_endpoint_failure(ep) != DTLS_FAILURE_NONE)
		print_message("failure: %s\n", dtls_failure_text(dtls_endpoint_failure(ep)));
	assert_int_equal(dtls_endpoint_status(ep), status);
}

static void assert_same_keys(struct dtls_link *l, uint16_t profile)
{
	const struct dtls_profile *p = dtls_profile_find(profile);
	struct dtls_srtp_keys rx[2], tx[2];

	for (int end = CLIENT; end <= SERVER; end++) {
		assert_int_equal(dtls_endpoint_take_keys(l->end[end], &rx[end], &tx[end]), 0);
		assert_int_equal(rx[end].profile, profile);
		assert_int_equal(rx[end].key_len, p->key_len);
		assert_int_equal(rx[end].salt_len, p->salt_len);
		assert_int_equal(dtls_endpoint_take_keys(l->end[end], &rx[end], &tx[end]), -ENODATA);
	}
	assert_memory_equal(&rx[CLIENT], &tx[SERVER], sizeof(rx[0]));
	assert_memory_equal(&tx[CLIENT], &rx[SERVER], sizeof(rx[0]));
	assert_memory_not_equal(rx[CLIENT].key, tx[CLIENT].key, p->key_len);
}

static void expect_each_other(struct dtls_link *l, struct dtls_fingerprints lists[2])
{
	for (int end = CLIENT; end <= SERVER; end++) {
		link_expect(l, !end, &lists[end], DTLS_HASH_SHA256);
		l->config[end].expected = &lists[end];
	}
}

static void test_every_version_secures(void **state)
{
	for (size_t i = 0; i < 3; i++) {
		struct dtls_link *l = link_new(versions[i][0], versions[i][1]);
		struct dtls_fingerprints lists[2];
		struct dtls_endpoint_info info;

		expect_each_other(l, lists);
		link_open(l);
		link_run(l);
		assert_status(l->end[CLIENT], DTLS_SECURED);
		assert_status(l->end[SERVER], DTLS_SECURED);
		dtls_endpoint_info(l->end[SERVER], &info);
		assert_string_equal(info.version, versions[i][1] == DTLS_VERSION_1_2 ? "1.2" : "1.3");
		print_message("%s %s %s %s\n", info.version, info.cipher, info.group,
			      dtls_profile_find(info.profile)->name);
		assert_string_equal(info.group, "X25519"); // the first that the client offers
		assert_int_equal(info.retransmissions, 0);
		assert_true(l->longest[CLIENT] <= 1200 && l->longest[SERVER] <= 1200);
		assert_same_keys(l, DTLS_PROFILE_AEAD_AES_256_GCM);
		link_free(l);
	}
}

static void test_parked_then_claimed(void **state)
{
	for (size_t i = 0; i < 3; i++) {
		struct dtls_link *l = link_new(versions[i][0], versions[i][1]);
		struct dtls_fingerprints right, wrong, refused = { .refused = 1 };
		struct dtls_srtp_keys rx, tx;
		struct dtls_fingerprint shown;

		link_open(l);
		assert_int_equal(dtls_endpoint_peer_fingerprint(l->end[SERVER], &shown), -ENOENT);
		link_run(l);
		for (int end = CLIENT; end <= SERVER; end++) {
			assert_status(l->end[end], DTLS_PARKED);
			assert_int_equal(dtls_endpoint_take_keys(l->end[end], &rx, &tx), -EAGAIN);
			link_expect(l, end, &wrong, DTLS_HASH_SHA256); // its own: never the peer's
			link_expect(l, !end, &right, DTLS_HASH_SHA384);
			assert_int_equal(dtls_endpoint_claim(l->end[end], &refused), -EPERM);
			assert_int_equal(dtls_endpoint_claim(l->end[end], &wrong), -EACCES);
			assert_status(l->end[end], DTLS_PARKED);
			assert_int_equal(dtls_endpoint_take_keys(l->end[end], &rx, &tx), -EAGAIN);
			assert_int_equal(dtls_endpoint_peer_fingerprint(l->end[end], &shown), 0);
			assert_memory_equal(&shown, dtls_identity_fingerprint(l->identity[!end], DTLS_HASH_SHA256),
					    sizeof(shown));
			assert_int_equal(dtls_endpoint_claim(l->end[end], &right), 0);
			assert_status(l->end[end], DTLS_SECURED);
			assert_int_equal(dtls_endpoint_claim(l->end[end], &right), -EALREADY);
		}
		assert_same_keys(l, DTLS_PROFILE_AEAD_AES_256_GCM);
		link_free(l);
	}
}

static void test_claimed_in_the_middle(void **state)
{
	struct dtls_link *l = link_new(DTLS_VERSION_1_2, DTLS_VERSION_1_3);
	struct dtls_fingerprints right;

	link_open(l);
	dtls_endpoint_start(l->end[CLIENT], &l->out[CLIENT]);
	link_deliver(l, SERVER);
	link_expect(l, CLIENT, &right, DTLS_HASH_SHA512);
	assert_int_equal(dtls_endpoint_claim(l->end[SERVER], &right), 0);
	assert_status(l->end[SERVER], DTLS_HANDSHAKING);
	link_run(l);
	assert_status(l->end[SERVER], DTLS_SECURED);
	assert_status(l->end[CLIENT], DTLS_PARKED);
	link_free(l);
}

// The end under test knows a fingerprint that is not its peer's: it must say nothing more, and give nothing out.
static void test_wrong_fingerprint(void **state)
{
	for (size_t i = 0; i < 6; i++) {
		int end = (int)(i % 2);
		struct dtls_link *l = link_new(versions[i / 2][0], versions[i / 2][1]);
		struct dtls_fingerprints wrong;
		struct dtls_endpoint_info info;
		struct dtls_srtp_keys rx, tx;
		size_t sent;

		link_expect(l, end, &wrong, DTLS_HASH_SHA256);
		l->config[end].expected = &wrong;
		l->config[end].send_alerts = true; // even then
		link_open(l);
		dtls_endpoint_start(l->end[CLIENT], &l->out[CLIENT]);
		do {
			sent = l->sent[end];
			link_deliver(l, !end);
		} while (link_deliver(l, end) == 0);
		assert_int_equal(dtls_endpoint_status(l->end[end]), DTLS_FAILED);
		assert_int_equal(dtls_endpoint_failure(l->end[end]), DTLS_FAILURE_FINGERPRINT);
		assert_int_equal(dtls_failure_fault(DTLS_FAILURE_FINGERPRINT), DTLS_FAULT_PEER);
		assert_int_equal(dtls_endpoint_take_keys(l->end[end], &rx, &tx), -EAGAIN);
		assert_true(l->sent[end] == sent); // not even an alert
		dtls_endpoint_info(l->end[end], &info);
		assert_int_equal(info.drops[DTLS_DROP_ALERT_UNSENT], 1);
		assert_int_equal(dtls_endpoint_deadline(l->end[end]), MONO_NEVER);
		link_free(l);
	}
}

static void test_two_fingerprints_one_right(void **state)
{
	struct dtls_link *l = link_new(DTLS_VERSION_1_2, DTLS_VERSION_1_3);
	struct dtls_fingerprints lists[2];

	expect_each_other(l, lists);
	for (int end = CLIENT; end <= SERVER; end++) {
		lists[end].list[1] = lists[end].list[0];
		lists[end].list[end].digest[0] ^= 1; // once the first is wrong, once the second
		lists[end].n = 2;
	}
	link_open(l);
	link_run(l);
	assert_status(l->end[CLIENT], DTLS_SECURED);
	assert_status(l->end[SERVER], DTLS_SECURED);
	link_free(l);
}

static void test_only_refused_fingerprints(void **state)
{
	struct dtls_link *l = link_new(DTLS_VERSION_1_2, DTLS_VERSION_1_3);
	struct dtls_fingerprints none = { 0 };
	struct dtls_endpoint *ep = NULL;

	assert_int_equal(dtls_fingerprints_add(&none, "sha-1 00", 8), 0);
	l->config[SERVER].expected = &none;
	assert_int_equal(dtls_endpoint_open(&ep, &l->config[SERVER]), -EPERM);
	assert_null(ep);
	link_free(l);
}

static void test_profile_matrix(void **state)
{
	static const struct {
		uint16_t client[4], server[4], chosen;
	} rows[] = {
		{ { 0 }, { 0 }, 8 },
		{ { 1, 8, 7 }, { 7, 8, 1 }, 7 }, // the passive side's order
		{ { 1, 8, 7 }, { 8, 7, 1 }, 8 },
		{ { 1, 8, 7 }, { 1, 7, 8 }, 1 },
		{ { 1, 2 }, { 8, 7, 2, 1 }, 2 },
		{ { 2 }, { 0 }, 2 },
		{ { 8 }, { 7, 1 }, 0 },
		{ { 1 }, { 8 }, 0 },
		{ { 5 }, { 0 }, 0 }, // NULL ciphers alone, and nobody asked for them
		{ { 6, 5 }, { 8, 1, 2 }, 0 },
		{ { 5, 1 }, { 1, 5 }, 1 },
		{ { 5, 6 }, { 1, 5 }, 5 },
		{ { 6 }, { 6 }, 6 },
	};

	for (size_t i = 0; i < 3 * sizeof(rows) / sizeof(rows[0]); i++) {
		struct dtls_link *l = link_new(versions[i % 3][0], versions[i % 3][1]);
		struct dtls_fingerprints lists[2];

		expect_each_other(l, lists);
		memcpy(l->config[CLIENT].profiles, rows[i / 3].client, sizeof(rows[0].client));
		memcpy(l->config[SERVER].profiles, rows[i / 3].server, sizeof(rows[0].server));
		link_open(l);
		link_run(l);
		if (rows[i / 3].chosen != 0) {
			assert_same_keys(l, rows[i / 3].chosen);
		} else {
			assert_int_equal(dtls_endpoint_failure(l->end[SERVER]), DTLS_FAILURE_NO_PROFILE);
			assert_int_equal(dtls_failure_fault(DTLS_FAILURE_NO_PROFILE), DTLS_FAULT_POLICY);
			assert_int_equal(l->sent[SERVER], 0); // not a word
		}
		link_free(l);
	}
}

static void test_versions_do_not_meet(void **state)
{
	for (int newer = CLIENT; newer <= SERVER; newer++) {
		struct dtls_link *l = link_new(DTLS_VERSION_1_2, DTLS_VERSION_1_2);

		l->config[newer].min_version = l->config[newer].max_version = DTLS_VERSION_1_3;
		l->config[CLIENT].send_alerts = l->config[SERVER].send_alerts = true;
		link_open(l);
		link_run(l);
		assert_int_equal(dtls_endpoint_status(l->end[CLIENT]), DTLS_FAILED);
		assert_int_equal(dtls_endpoint_status(l->end[SERVER]), DTLS_FAILED);
		print_message("client: %s; server: %s\n", dtls_failure_text(dtls_endpoint_failure(l->end[CLIENT])),
			      dtls_failure_text(dtls_endpoint_failure(l->end[SERVER])));
		link_free(l);
	}
}

static void test_older_peer_is_met(void **state)
{
	for (int older = CLIENT; older <= SERVER; older++) {
		struct dtls_link *l = link_new(DTLS_VERSION_1_2, DTLS_VERSION_1_3);
		struct dtls_endpoint_info info;

		l->config[older].max_version = DTLS_VERSION_1_2;
		link_open(l);
		link_run(l);
		assert_status(l->end[CLIENT], DTLS_PARKED);
		assert_status(l->end[SERVER], DTLS_PARKED);
		dtls_endpoint_info(l->end[!older], &info);
		assert_string_equal(info.version, "1.2");
		link_free(l);
	}
}

// Whatever kind of certificate the peer shows: the fingerprint is what counts (dates, usage, issuer say nothing).
static void test_kinds_of_certificates(void **state)
{
	static const char *const names[] = {
		"rsa", "p384", "ed25519", "expired", "server_only", "no_signature", "chain"
	};

	for (size_t i = 0; i < 2 * 3 * sizeof(names) / sizeof(names[0]); i++) {
		int shows = (int)(i % 2);
		struct dtls_link *l = link_new(versions[i / 2 % 3][0], versions[i / 2 % 3][1]);
		struct dtls_fingerprints lists[2];
		char path[128];

		snprintf(path, sizeof(path), "tests/support/dtls_certs/%s.pem", names[i / 6]);
		dtls_identity_unref(l->identity[shows]);
		assert_int_equal(dtls_identity_load(&l->identity[shows], path, path), 0);
		l->config[shows].identity = l->identity[shows];
		expect_each_other(l, lists);
		link_open(l);
		link_run(l);
		if (dtls_endpoint_status(l->end[CLIENT]) != DTLS_SECURED ||
		    dtls_endpoint_status(l->end[SERVER]) != DTLS_SECURED)
			print_message("%s shown by %s, versions %zu\n", names[i / 6],
				      shows == CLIENT ? "client" : "server", i / 2 % 3);
		assert_status(l->end[CLIENT], DTLS_SECURED);
		assert_status(l->end[SERVER], DTLS_SECURED);
		link_free(l);
	}
}

static void test_mtu_is_kept(void **state)
{
	static const uint16_t mtus[] = { 300, 512, 1200, 1472 };

	for (size_t i = 0; i < 12; i++) {
		struct dtls_link *l = link_new(versions[i % 3][0], versions[i % 3][1]);
		uint16_t mtu = mtus[i / 3];

		l->config[CLIENT].mtu = l->config[SERVER].mtu = mtu;
		link_open(l);
		link_run(l);
		assert_status(l->end[CLIENT], DTLS_PARKED);
		assert_status(l->end[SERVER], DTLS_PARKED);
		assert_in_range(l->longest[SERVER], 1, mtu);
		assert_in_range(l->longest[CLIENT], 1, mtu);
		link_free(l);
	}
}

static void test_post_quantum_client(void **state)
{
	struct dtls_link *l = link_new(DTLS_VERSION_1_2, DTLS_VERSION_1_3);
	struct dtls_endpoint_info info;

	l->config[CLIENT].post_quantum = true;
	l->config[CLIENT].mtu = l->config[SERVER].mtu = 1472;
	link_open(l);
	link_run(l);
	assert_status(l->end[SERVER], DTLS_PARKED);
	dtls_endpoint_info(l->end[SERVER], &info);
	assert_string_equal(info.group, "X25519MLKEM768");
	link_free(l);
}

static void test_close_notify(void **state)
{
	for (size_t i = 0; i < 6; i++) {
		int closes = (int)(i % 2);
		struct dtls_link *l = link_new(versions[i / 2][0], versions[i / 2][1]);

		link_open(l);
		assert_int_equal(dtls_endpoint_close_notify(l->end[closes], &l->out[closes]), -ENOTCONN);
		link_run(l);
		assert_int_equal(dtls_endpoint_close_notify(l->end[closes], &l->out[closes]), 0);
		assert_int_equal(l->to[!closes].n, 1);
		link_deliver(l, !closes);
		assert_status(l->end[!closes], DTLS_CLOSED);
		link_free(l);
	}
}

static void test_gives_up_in_time(void **state)
{
	for (int alone = CLIENT; alone <= SERVER; alone++) {
		struct dtls_link *l = link_new(DTLS_VERSION_1_2, DTLS_VERSION_1_3);
		struct dtls_endpoint_info info;
		mono_ns start;

		l->config[alone].retransmit_ms = 100;
		l->config[alone].handshake_ms = 5000;
		link_open(l);
		assert_int_equal(dtls_endpoint_deadline(l->end[alone]), MONO_NEVER);
		start = l->now;
		dtls_endpoint_start(l->end[CLIENT], &l->out[CLIENT]);
		if (alone == SERVER) { // hears one ClientHello, then nothing
			link_deliver(l, SERVER);
			dtls_endpoint_close(l->end[CLIENT]);
			assert_int_equal(dtls_endpoint_open(&l->end[CLIENT], &l->config[CLIENT]), 0);
		}
		link_wait(l, MONO_S(20));
		assert_int_equal(dtls_endpoint_failure(l->end[alone]), DTLS_FAILURE_TIMEOUT);
		dtls_endpoint_info(l->end[alone], &info);
		assert_int_equal(info.retransmissions, 5); // after 100, 300, 700, 1,500 and 3,100 ms
		assert_true(l->now >= start + MONO_MS(5000));
		assert_int_equal(dtls_endpoint_deadline(l->end[alone]), MONO_NEVER);
		link_free(l);
	}
}

// The server takes its keys as soon as it may; then it turns out that its last flight was lost.
static void test_last_flight_is_repeated_after_the_keys_are_taken(void **state)
{
	for (size_t i = 0; i < 2; i++) {
		struct dtls_link *l = link_new(versions[i][0], versions[i][1]);
		struct dtls_fingerprints lists[2];
		struct dtls_srtp_keys rx[2], tx[2];

		expect_each_other(l, lists);
		link_open(l);
		dtls_endpoint_start(l->end[CLIENT], &l->out[CLIENT]);
		link_deliver(l, SERVER);
		link_deliver(l, CLIENT);
		link_deliver(l, SERVER);
		assert_status(l->end[SERVER], DTLS_SECURED);
		assert_int_equal(dtls_endpoint_take_keys(l->end[SERVER], &rx[SERVER], &tx[SERVER]), 0);
		for (int lost = 0; lost < 3; lost++) {
			link_discard(l, CLIENT);
			link_wait(l, MONO_MS(200) << lost);
			link_deliver(l, SERVER);
			assert_in_range(l->to[CLIENT].n, 1, 4);
		}
		link_run(l);
		assert_status(l->end[CLIENT], DTLS_SECURED);
		assert_int_equal(dtls_endpoint_take_keys(l->end[CLIENT], &rx[CLIENT], &tx[CLIENT]), 0);
		assert_memory_equal(&rx[CLIENT], &tx[SERVER], sizeof(rx[0]));
		assert_memory_equal(&tx[CLIENT], &rx[SERVER], sizeof(rx[0]));
		dtls_endpoint_close_notify(l->end[CLIENT], &l->out[CLIENT]);
		link_pass(l);
		assert_status(l->end[SERVER], DTLS_CLOSED);
		link_free(l);
	}
}

// Threads share the certificates and nothing else.
static void *handshakes(void *arg)
{
	const struct dtls_link *parent = arg;
	int done = 0;

	for (int i = 0; i < 50; i++) {
		struct dtls_link *l = link_new(DTLS_VERSION_1_2, i % 2 ? DTLS_VERSION_1_2 : DTLS_VERSION_1_3);

		for (int end = CLIENT; end <= SERVER; end++) {
			dtls_identity_unref(l->identity[end]);
			l->identity[end] = l->config[end].identity = dtls_identity_ref(parent->identity[end]);
		}
		link_open(l);
		link_run(l);
		done += dtls_endpoint_status(l->end[CLIENT]) == DTLS_PARKED &&
			dtls_endpoint_status(l->end[SERVER]) == DTLS_PARKED;
		link_free(l);
	}
	return (void *)(intptr_t)done;
}

static void test_threads_share_an_identity(void **state)
{
	struct dtls_link *l = link_new(DTLS_VERSION_1_2, DTLS_VERSION_1_3);
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, handshakes, l), 0);
	for (int i = 0; i < 4; i++) {
		void *done;

		assert_int_equal(pthread_join(threads[i], &done), 0);
		assert_int_equal((intptr_t)done, 50);
	}
	link_free(l);
}

static void test_configuration_is_checked(void **state)
{
	struct dtls_link *l = link_new(DTLS_VERSION_1_3, DTLS_VERSION_1_2);
	struct dtls_endpoint *ep;
	struct dtls_endpoint_config config = l->config[SERVER];

	assert_int_equal(dtls_endpoint_open(&ep, &config), -EINVAL); // no such range
	config.max_version = DTLS_VERSION_1_3;
	assert_int_equal(dtls_endpoint_open(NULL, &config), -EINVAL);
	config.mtu = 100;
	assert_int_equal(dtls_endpoint_open(&ep, &config), -EINVAL);
	config.mtu = 0;
	config.profiles[0] = 0x0003; // taken back (RFC 6188 registered none)
	assert_int_equal(dtls_endpoint_open(&ep, &config), -EINVAL);
	config.profiles[0] = 0;
	config.identity = NULL;
	assert_int_equal(dtls_endpoint_open(&ep, &config), -EINVAL);
	dtls_endpoint_close(NULL);
	link_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_version_secures),
		cmocka_unit_test(test_parked_then_claimed),
		cmocka_unit_test(test_claimed_in_the_middle),
		cmocka_unit_test(test_wrong_fingerprint),
		cmocka_unit_test(test_two_fingerprints_one_right),
		cmocka_unit_test(test_only_refused_fingerprints),
		cmocka_unit_test(test_profile_matrix),
		cmocka_unit_test(test_versions_do_not_meet),
		cmocka_unit_test(test_older_peer_is_met),
		cmocka_unit_test(test_kinds_of_certificates),
		cmocka_unit_test(test_mtu_is_kept),
		cmocka_unit_test(test_post_quantum_client),
		cmocka_unit_test(test_close_notify),
		cmocka_unit_test(test_gives_up_in_time),
		cmocka_unit_test(test_last_flight_is_repeated_after_the_keys_are_taken),
		cmocka_unit_test(test_threads_share_an_identity),
		cmocka_unit_test(test_configuration_is_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
