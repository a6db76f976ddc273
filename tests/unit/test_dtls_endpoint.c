// SPDX-License-Identifier: GPL-3.0-or-later
// test_dtls_endpoint.c - handshakes of our endpoint with itself: versions, profiles, parking, claims, keys, close.
#include "tests/support/dtls_link.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
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
		print_message("%s %s %s %s\n", info.version, info.cipher, info.group, dtls_profile_find(info.profile)->name);
		assert_int_equal(info.retransmissions, 0);
		assert_true(l->longest[CLIENT] <= 1200 && l->longest[SERVER] <= 1200);
		assert_same_keys(l, DTLS_PROFILE_AEAD_AES_256_GCM);
		link_free(l);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_version_secures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
