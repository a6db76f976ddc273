// SPDX-License-Identifier: GPL-3.0-or-later
// The suite table: names of SDES, profiles of DTLS, lengths.
#include "dataplane/srtp_suite.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void names_and_profiles(void **state)
{
	static const struct {
		const char *name;
		enum srtp_suite suite;
		uint16_t profile;
		unsigned key_salt, tag;
	} want[] = {
		{ "AES_CM_128_HMAC_SHA1_80", SRTP_AES_CM_128_HMAC_SHA1_80, 1, 30, 10 },
		{ "AES_CM_128_HMAC_SHA1_32", SRTP_AES_CM_128_HMAC_SHA1_32, 2, 30, 4 },
		{ "AES_256_CM_HMAC_SHA1_80", SRTP_AES_256_CM_HMAC_SHA1_80, 0, 46, 10 },
		{ "AES_256_CM_HMAC_SHA1_32", SRTP_AES_256_CM_HMAC_SHA1_32, 0, 46, 4 },
		{ "AEAD_AES_128_GCM", SRTP_AEAD_AES_128_GCM, 7, 28, 16 },
		{ "AEAD_AES_256_GCM", SRTP_AEAD_AES_256_GCM, 8, 44, 16 },
		{ "AES_192_CM_HMAC_SHA1_80", SRTP_AES_192_CM_HMAC_SHA1_80, 0, 38, 10 },
		{ "AES_192_CM_HMAC_SHA1_32", SRTP_AES_192_CM_HMAC_SHA1_32, 0, 38, 4 },
		{ "NULL_HMAC_SHA1_80", SRTP_NULL_HMAC_SHA1_80, 5, 30, 10 },
		{ "NULL_HMAC_SHA1_32", SRTP_NULL_HMAC_SHA1_32, 6, 30, 4 },
	};

	assert_int_equal(sizeof(want) / sizeof(want[0]), SRTP_SUITE_COUNT - 1);
	for (unsigned i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		const struct srtp_suite_info *info = srtp_suite_info(want[i].suite);

		assert_string_equal(info->name, want[i].name);
		assert_string_equal(srtp_suite_name(want[i].suite), want[i].name);
		assert_int_equal(srtp_suite_by_name(want[i].name, strlen(want[i].name)), want[i].suite);
		assert_int_equal(info->key_len + info->salt_len, want[i].key_salt);
		assert_int_equal(info->tag_len, want[i].tag);
		assert_int_equal(info->rtcp_tag_len, want[i].tag == 4 ? 10 : want[i].tag);
		assert_int_equal(info->dtls_profile, want[i].profile);
		assert_true(info->encrypts == (strncmp(want[i].name, "NULL", 4) != 0));
		assert_true(info->sdes == info->encrypts);
		assert_true(info->aead == (want[i].tag == 16));
		if (want[i].profile != 0)
			assert_int_equal(srtp_suite_by_dtls_profile(want[i].profile), want[i].suite);
	}
}

static void what_is_no_suite(void **state)
{
	assert_null(srtp_suite_info(SRTP_SUITE_NONE));
	assert_null(srtp_suite_info(SRTP_SUITE_COUNT));
	assert_null(srtp_suite_info((enum srtp_suite)-1));
	assert_string_equal(srtp_suite_name(SRTP_SUITE_NONE), "none");
	assert_int_equal(srtp_suite_by_name("F8_128_HMAC_SHA1_80", 19), SRTP_SUITE_NONE);
	assert_int_equal(srtp_suite_by_name("AEAD_AES_128_GCM", 15), SRTP_SUITE_NONE);
	assert_int_equal(srtp_suite_by_name("", 0), SRTP_SUITE_NONE);
	assert_int_equal(srtp_suite_by_name("aead_aes_128_gcm inline:", 16), SRTP_AEAD_AES_128_GCM);
	assert_int_equal(srtp_suite_by_dtls_profile(0), SRTP_SUITE_NONE);
	assert_int_equal(srtp_suite_by_dtls_profile(3), SRTP_SUITE_NONE); // a draft's AES-256
}

static void master_is_split_and_wiped(void **state)
{
	uint8_t bytes[46];
	struct srtp_master master;
	static const struct srtp_master zero;

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i + 1);
	assert_int_equal(srtp_master_set(&master, SRTP_AEAD_AES_256_GCM, bytes, 44), 0);
	assert_memory_equal(master.key, bytes, 32);
	assert_memory_equal(master.salt, bytes + 32, 12);
	assert_int_equal(master.salt[12], 0);
	assert_int_equal(srtp_master_set(&master, SRTP_AEAD_AES_256_GCM, bytes, 46), -EINVAL);
	assert_int_equal(srtp_master_set(&master, SRTP_SUITE_NONE, bytes, 0), -EINVAL);
	srtp_master_wipe(&master);
	assert_memory_equal(&master, &zero, sizeof(zero));
	srtp_master_wipe(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_and_profiles),
		cmocka_unit_test(what_is_no_suite),
		cmocka_unit_test(master_is_split_and_wiped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
