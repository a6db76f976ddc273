// SPDX-License-Identifier: GPL-3.0-or-later
// test_keying_sdes.c - a=crypto lines: the examples of RFC 4568, 6188 and 7714 lengths, and each named fault.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "mediarelay/keying/base64.h"
#include "mediarelay/keying/sdes.h"

#define KEY "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"
#define KEY2 "NzB4d1BINUAvLEw6UzF3WSJ+PSdFcGdUJShpX1Zj"
#define KEY16 "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubA==" // of AEAD_AES_128_GCM: 28 octets
#define CM80 "1 AES_CM_128_HMAC_SHA1_80 inline:"

static int parse(const char *text, struct sdes_line *line, enum sdes_fault *fault)
{
	// A copy without a byte behind it: the sanitizer sees an over-read.
	size_t len = strlen(text);
	char *copy = malloc(len + (len == 0));
	int err;

	memcpy(copy, text, len);
	err = sdes_line_parse(line, copy, len, fault);
	free(copy);
	return err;
}

static void examples_of_the_rfc(void **state)
{
	struct sdes_line line;
	enum sdes_fault fault;

	(void)state;
	// RFC 4568 section 4.1, 9.1 and 10.
	assert_int_equal(parse(CM80 KEY "|2^20|1:4", &line, &fault), 0);
	assert_int_equal(line.mki.len, 4);
	assert_memory_equal(line.mki.bytes, "\0\0\0\1", 4);
	assert_int_equal(parse(CM80 KEY2 "|2^20|1:4 FEC_ORDER=FEC_SRTP", &line, &fault), -ENOTSUP);
	assert_int_equal(parse("2 F8_128_HMAC_SHA1_80 inline:MTIzNDU2Nzg5QUJDREUwMTIzNDU2Nzg5QUJjZGVm|2^20|1:4;"
			       "inline:QUJjZGVmMTIzNDU2Nzg5QUJDREUwMTIzNDU2Nzg5|2^20|2:4 FEC_ORDER=FEC_SRTP",
			       &line, &fault),
			 -ENOTSUP);
	assert_int_equal(fault, SDES_FAULT_SUITE);
	assert_int_equal(parse(CM80 "QUJjZGVmMTIzNDU2Nzg5QUJDREUwMTIzNDU2Nzg5|2^20", &line, &fault), 0);
	assert_int_equal(line.tag, 1);
	assert_int_equal(line.master.suite, SRTP_AES_CM_128_HMAC_SHA1_80);
	assert_int_equal(line.lifetime, 1 << 20);
	assert_memory_equal(line.master.key, "ABcdef123456789A", 16);
	assert_memory_equal(line.master.salt, "BCDE0123456789", 14);
	assert_int_equal(parse("7  AES_CM_128_HMAC_SHA1_32\tinline:" KEY2 " WSH=1024 -EXTENSION=1 KDR=0", &line, &fault), 0);
	assert_int_equal(line.wsh, 1024);
	assert_int_equal(line.tag, 7);
	assert_int_equal(line.lifetime, 0);
}

static void every_suite_has_its_length(void **state)
{
	uint8_t octets[SRTP_KEY_MAX + SRTP_SALT_MAX + 1];
	char text[160], key[80];
	struct sdes_line line;
	enum sdes_fault fault;

	(void)state;
	for (size_t i = 0; i < sizeof(octets); i++)
		octets[i] = (uint8_t)(200 + i);
	for (int s = SRTP_SUITE_NONE + 1; s < SRTP_SUITE_COUNT; s++) {
		const struct srtp_suite_info *info = srtp_suite_info((enum srtp_suite)s);
		size_t want = (size_t)info->key_len + info->salt_len;

		if (!info->sdes)
			continue;
		assert_true(s != SRTP_NULL_HMAC_SHA1_80 && s != SRTP_NULL_HMAC_SHA1_32);
		for (size_t len = want - 1; len <= want + 1; len++) {
			base64_encode(key, sizeof(key), octets, len);
			snprintf(text, sizeof(text), "3 %s inline:%s", info->name, key);
			assert_int_equal(parse(text, &line, &fault), len == want ? 0 : -EINVAL);
			assert_int_equal(fault, len == want ? SDES_FAULT_NONE : SDES_FAULT_KEY_LENGTH);
		}
		base64_encode(key, sizeof(key), octets, want);
		key[strcspn(key, "=")] = '\0'; // padding may be left out
		snprintf(text, sizeof(text), "3 %s inline:%s", info->name, key);
		assert_int_equal(parse(text, &line, &fault), 0);
		assert_memory_equal(line.master.key, octets, info->key_len);
		assert_memory_equal(line.master.salt, octets + info->key_len, info->salt_len);
	}
}

static void each_fault_has_its_name(void **state)
{
	static const struct {
		const char *text;
		int err;
		enum sdes_fault fault;
	} cases[] = {
		{ "", -EINVAL, SDES_FAULT_SYNTAX },
		{ "   ", -EINVAL, SDES_FAULT_SYNTAX },
		{ "1", -EINVAL, SDES_FAULT_SYNTAX },
		{ "1 NULL_HMAC_SHA1_80 inline:" KEY, -ENOTSUP, SDES_FAULT_SUITE }, // no name of SDES
		{ "1 AES_CM_128_HMAC_SHA1_80", -EINVAL, SDES_FAULT_SYNTAX },
		{ "x AES_CM_128_HMAC_SHA1_80 inline:" KEY, -EINVAL, SDES_FAULT_TAG },
		{ "-1 AES_CM_128_HMAC_SHA1_80 inline:" KEY, -EINVAL, SDES_FAULT_TAG },
		{ "01 AES_CM_128_HMAC_SHA1_80 inline:" KEY, -EINVAL, SDES_FAULT_TAG },
		{ "1234567890 AES_CM_128_HMAC_SHA1_80 inline:" KEY, -EINVAL, SDES_FAULT_TAG },
		{ "1 AES_CM_512_HMAC_SHA1_80 inline:" KEY, -ENOTSUP, SDES_FAULT_SUITE },
		{ "1 NULL_HMAC_SHA1_80 inline:" KEY, -ENOTSUP, SDES_FAULT_SUITE },
		{ "1 AES_CM_128_HMAC_SHA1_80 " KEY, -EINVAL, SDES_FAULT_METHOD },
		{ "1 AES_CM_128_HMAC_SHA1_80 uri:" KEY, -EINVAL, SDES_FAULT_METHOD },
		{ CM80 KEY ";", -EINVAL, SDES_FAULT_METHOD },
		{ CM80, -EINVAL, SDES_FAULT_KEY_LENGTH },
		{ CM80 "WVNf*19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz", -EINVAL, SDES_FAULT_BASE64 },
		{ CM80 "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGV", -EINVAL, SDES_FAULT_BASE64 }, // bits behind the end
		{ CM80 KEY "A", -EINVAL, SDES_FAULT_BASE64 },
		{ CM80 KEY "====", -EINVAL, SDES_FAULT_BASE64 },
		{ CM80 KEY "AAAA", -EINVAL, SDES_FAULT_KEY_LENGTH },
		{ CM80 KEY "|", -EINVAL, SDES_FAULT_LIFETIME },
		{ CM80 KEY "|0", -EINVAL, SDES_FAULT_LIFETIME },
		{ CM80 KEY "|2^", -EINVAL, SDES_FAULT_LIFETIME },
		{ CM80 KEY "|2^49", -EINVAL, SDES_FAULT_LIFETIME },
		{ CM80 KEY "|281474976710657", -EINVAL, SDES_FAULT_LIFETIME },
		{ CM80 KEY "|99999999999999999999", -EINVAL, SDES_FAULT_LIFETIME },
		{ CM80 KEY "|-5", -EINVAL, SDES_FAULT_LIFETIME },
		{ CM80 KEY "|2^48", 0, SDES_FAULT_NONE },
		{ CM80 KEY "|281474976710656", 0, SDES_FAULT_NONE },
		{ CM80 KEY "|1:", -EINVAL, SDES_FAULT_MKI },
		{ CM80 KEY "|:4", -EINVAL, SDES_FAULT_MKI },
		{ CM80 KEY "|1:0", -EINVAL, SDES_FAULT_MKI },
		{ CM80 KEY "|1:129", -EINVAL, SDES_FAULT_MKI },
		{ CM80 KEY "|256:1", -EINVAL, SDES_FAULT_MKI },
		{ CM80 KEY "|2^20|1:4|5", -EINVAL, SDES_FAULT_MKI },
		{ CM80 KEY "|1:4|2^20", -EINVAL, SDES_FAULT_SYNTAX },
		{ CM80 KEY "|255:1", 0, SDES_FAULT_NONE },
		{ CM80 KEY "|65536:2", -EINVAL, SDES_FAULT_MKI },
		{ CM80 KEY "|00000000000000000000000000000000000000000000000001:1", 0, SDES_FAULT_NONE },
		{ CM80 KEY "|340282366920938463463374607431768211455:16", 0, SDES_FAULT_NONE },
		{ CM80 KEY "|340282366920938463463374607431768211456:16", -EINVAL, SDES_FAULT_MKI },
		{ CM80 KEY "|99999999999999999999999999999999999999999:16", -EINVAL, SDES_FAULT_MKI },
		{ CM80 KEY "|1x:4", -EINVAL, SDES_FAULT_MKI },
		{ CM80 KEY "|1:17", -ENOTSUP, SDES_FAULT_MKI_LONG },
		{ CM80 KEY "|1:128", -ENOTSUP, SDES_FAULT_MKI_LONG },
		{ CM80 KEY "|1|x:17", -EINVAL, SDES_FAULT_MKI },
		{ CM80 KEY "|2^20|1:4;inline:" KEY2 "|2^20|2:4", -ENOTSUP, SDES_FAULT_SEVERAL_KEYS },
		{ CM80 KEY ";inline:" KEY2, -ENOTSUP, SDES_FAULT_SEVERAL_KEYS },
		{ CM80 KEY ";inline:AAAA", -EINVAL, SDES_FAULT_KEY_LENGTH },
		{ CM80 KEY " KDR=1", -ENOTSUP, SDES_FAULT_KDR },
		{ CM80 KEY " KDR=24", -ENOTSUP, SDES_FAULT_KDR },
		{ CM80 KEY " KDR=25", -EINVAL, SDES_FAULT_PARAMETER },
		{ CM80 KEY " KDR=", -EINVAL, SDES_FAULT_PARAMETER },
		{ CM80 KEY " KDR", -EINVAL, SDES_FAULT_PARAMETER },
		{ CM80 KEY " UNENCRYPTED_SRTP UNENCRYPTED_SRTCP", 0, SDES_FAULT_NONE },
		{ CM80 KEY " UNENCRYPTED_SRTCP WSH=64 UNENCRYPTED_SRTP", 0, SDES_FAULT_NONE },
		{ CM80 KEY " UNENCRYPTED_SRTP UNENCRYPTED_SRTCP UNAUTHENTICATED_SRTP", -ENOTSUP,
		  SDES_FAULT_UNAUTHENTICATED_SRTP },
		{ "1 AEAD_AES_128_GCM inline:" KEY16 " UNENCRYPTED_SRTP UNENCRYPTED_SRTCP", -ENOTSUP,
		  SDES_FAULT_UNENCRYPTED_SUITE },
		{ CM80 KEY " UNENCRYPTED_SRTP", -ENOTSUP, SDES_FAULT_UNENCRYPTED_SRTP },
		{ CM80 KEY " UNENCRYPTED_SRTP=1", -EINVAL, SDES_FAULT_PARAMETER },
		{ CM80 KEY " UNENCRYPTED_SRTCP", -ENOTSUP, SDES_FAULT_UNENCRYPTED_SRTCP },
		{ CM80 KEY " UNAUTHENTICATED_SRTP", -ENOTSUP, SDES_FAULT_UNAUTHENTICATED_SRTP },
		{ CM80 KEY " UNENCRYPTED_SRTP UNENCRYPTED_SRTP", -EINVAL, SDES_FAULT_PARAMETER_TWICE },
		{ CM80 KEY " FEC_KEY=inline:" KEY2, -ENOTSUP, SDES_FAULT_FEC },
		{ CM80 KEY " WSH=63", -EINVAL, SDES_FAULT_PARAMETER },
		{ CM80 KEY " WSH=64", 0, SDES_FAULT_NONE },
		{ CM80 KEY " WSH=x", -EINVAL, SDES_FAULT_PARAMETER },
		{ CM80 KEY " SOMETHING", -ENOTSUP, SDES_FAULT_PARAMETER_UNKNOWN },
		{ CM80 KEY " -SOMETHING", 0, SDES_FAULT_NONE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sdes_line line, before;
		enum sdes_fault fault;
		int err;

		memset(&line, 0x5a, sizeof(line));
		before = line;
		err = parse(cases[i].text, &line, &fault);
		if (err != cases[i].err || fault != cases[i].fault)
			fail_msg("%s: %d %s", cases[i].text, err, sdes_fault_text[fault]);
		if (err < 0)
			assert_memory_equal(&line, &before, sizeof(line)); // nothing of a refused line, its key least of all
	}
}

// What is read prints as it was written.
static void there_and_back(const char *text, struct sdes_line *line)
{
	char printed[300];

	assert_int_equal(parse(text, line, NULL), 0);
	assert_true(sdes_line_print(printed, sizeof(printed), line) > 0);
	assert_string_equal(printed + strlen("crypto:"), text);
	assert_int_equal(sdes_line_print(printed, strlen(text), line), 0); // no room
}

static void draft_names_are_read_and_repeated(void **state)
{
	static const struct {
		const char *name;
		enum srtp_suite suite;
		size_t len;
		bool draft;
	} cases[] = {
		{ "AES_CM_256_HMAC_SHA1_80", SRTP_AES_256_CM_HMAC_SHA1_80, 46, true },
		{ "AES_CM_256_HMAC_SHA1_32", SRTP_AES_256_CM_HMAC_SHA1_32, 46, true },
		{ "AES_CM_192_HMAC_SHA1_80", SRTP_AES_192_CM_HMAC_SHA1_80, 38, true },
		{ "AES_CM_192_HMAC_SHA1_32", SRTP_AES_192_CM_HMAC_SHA1_32, 38, true },
		{ "AES_192_CM_HMAC_SHA1_80", SRTP_AES_192_CM_HMAC_SHA1_80, 38, false },
		{ "AES_192_CM_HMAC_SHA1_32", SRTP_AES_192_CM_HMAC_SHA1_32, 38, false },
	};
	uint8_t octets[46] = { 1, 2, 3 };
	char key[80], text[200];
	struct sdes_line line;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		base64_encode(key, sizeof(key), octets, cases[i].len);
		snprintf(text, sizeof(text), "4 %s inline:%s", cases[i].name, key);
		there_and_back(text, &line);
		assert_int_equal(line.master.suite, cases[i].suite);
		assert_int_equal(line.draft_name, cases[i].draft);
	}
}

static void mkis_are_numbers_of_their_length(void **state)
{
	static const struct {
		const char *text;
		uint8_t len, octets[SRTP_MKI_MAX];
	} cases[] = {
		{ "0:1", 1, { 0 } },
		{ "255:1", 1, { 0xff } },
		{ "1:4", 4, { 0, 0, 0, 1 } },
		{ "305419896:4", 4, { 0x12, 0x34, 0x56, 0x78 } },
		{ "18446744073709551616:9", 9, { 1 } },
		{ "340282366920938463463374607431768211455:16", 16,
		  { 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255 } },
		{ "10000000000000000000000000000000000000:16", 16, // bc: obase=16
		  { 0x07, 0x85, 0xee, 0x10, 0xd5, 0xda, 0x46, 0xd9, 0x00, 0xf4, 0x36, 0xa0, 0, 0, 0, 0 } },
	};
	struct sdes_line line;
	char text[200];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(text, sizeof(text), CM80 KEY "|%s", cases[i].text);
		there_and_back(text, &line);
		assert_int_equal(line.mki.len, cases[i].len);
		assert_memory_equal(line.mki.bytes, cases[i].octets, cases[i].len);
	}
	assert_int_equal(parse(CM80 KEY "|2^31|007:1", &line, NULL), 0);
	assert_int_equal(line.mki.bytes[0], 7);
	assert_int_equal(line.lifetime, 1u << 31);
}

// RFC 4568 section 6.3.2: the parameters, not the name, take the encryption away.
static void unencrypted_lines_are_null_suites(void **state)
{
	struct sdes_line line, plain;

	(void)state;
	there_and_back(CM80 KEY " UNENCRYPTED_SRTP UNENCRYPTED_SRTCP", &line);
	assert_int_equal(line.master.suite, SRTP_NULL_HMAC_SHA1_80);
	there_and_back("2 AES_CM_128_HMAC_SHA1_32 inline:" KEY "|5:2 UNENCRYPTED_SRTP UNENCRYPTED_SRTCP", &line);
	assert_int_equal(line.master.suite, SRTP_NULL_HMAC_SHA1_32);
	parse(CM80 KEY, &plain, NULL); // the key is the same one
	assert_memory_equal(line.master.key, plain.master.key, 16);
	assert_memory_equal(line.master.salt, plain.master.salt, 14);
}

static void base64_goes_both_ways(void **state)
{
	static const struct { // RFC 4648 section 10
		const char *octets, *text;
	} vectors[] = { { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" },
			{ "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" } };
	static const char *const bad[] = { "Z", "Zg=", "Zg===", "=", "Zh==", "Zm9=", "Zm 9", "Zm-v", "Zm_v", "Zm\xc3v", "Zm9v=", "=m9v" };
	uint8_t all[256], back[256];
	char text[400];

	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		size_t len = strlen(vectors[i].octets);

		base64_encode(text, sizeof(text), (const uint8_t *)vectors[i].octets, len);
		assert_string_equal(text, vectors[i].text);
		assert_int_equal(base64_decode(back, sizeof(back), text, strlen(text)), len);
		assert_memory_equal(back, vectors[i].octets, len);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(base64_decode(back, sizeof(back), bad[i], strlen(bad[i])), -EINVAL);
	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (uint8_t)(255 - i);
	assert_int_equal(base64_encode(text, sizeof(text), all, 256), 344);
	assert_int_equal(base64_decode(back, sizeof(back), text, 344), 256);
	assert_memory_equal(back, all, 256);
	assert_int_equal(base64_decode(back, 255, text, 344), -ENOSPC);
	assert_int_equal(base64_encode(text, 344, all, 256), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(examples_of_the_rfc),
		cmocka_unit_test(every_suite_has_its_length),
		cmocka_unit_test(each_fault_has_its_name),
		cmocka_unit_test(draft_names_are_read_and_repeated),
		cmocka_unit_test(mkis_are_numbers_of_their_length),
		cmocka_unit_test(unencrypted_lines_are_null_suites),
		cmocka_unit_test(base64_goes_both_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
