// SPDX-License-Identifier: GPL-3.0-or-later
// test_dtls_fingerprint.c - a=fingerprint lines: grammar, refused and unknown hashes, the rule of RFC 8122 section 5.
#include "dtls/dtls_fingerprint.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

// SHA-256, SHA-384 and SHA-512 of "abc" (FIPS 180-2 appendices B, C and D).
#define ABC_256 \
	"sha-256 BA:78:16:BF:8F:01:CF:EA:41:41:40:DE:5D:AE:22:23:B0:03:61:A3:96:17:7A:9C:B4:10:FF:61:F2:00:15:AD"
#define ABC_384                                                                                                    \
	"sha-384 CB:00:75:3F:45:A3:5E:8B:B5:A0:3D:69:9A:C6:50:07:27:2C:32:AB:0E:DE:D1:63:1A:8B:60:5A:43:FF:5B:ED:" \
	"80:86:07:2B:A1:E7:CC:23:58:BA:EC:A1:34:C8:25:A7"
#define ABC_512                                                                                                    \
	"sha-512 DD:AF:35:A1:93:61:7A:BA:CC:41:73:49:AE:20:41:31:12:E6:FA:4E:89:A9:7E:A2:0A:9E:EE:E6:4B:55:D3:9A:" \
	"21:92:99:2A:27:4F:C1:A8:36:BA:3C:23:A3:FE:EB:BD:45:4D:44:23:64:3C:E8:0E:2A:9A:C9:4F:A5:4C:A4:9F"
#define ZERO_256 \
	"sha-256 00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00"
#define ZERO_512                                                                                                   \
	"sha-512 00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:" \
	"00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00"

static int parse(struct dtls_fingerprint *fp, const char *text)
{
	return dtls_fingerprint_parse(fp, text, strlen(text));
}

static void test_reads_and_prints(void **state)
{
	static const char *const lines[] = { ABC_256, ABC_384, ABC_512 };

	for (size_t i = 0; i < 3; i++) {
		char text[DTLS_FINGERPRINT_STRLEN];
		struct dtls_fingerprint fp, of;

		assert_int_equal(parse(&fp, lines[i]), 0);
		assert_string_equal(dtls_fingerprint_print(text, &fp), lines[i]);
		assert_int_equal(dtls_fingerprint_of(&of, fp.hash, "abc", 3), 0);
		assert_true(dtls_fingerprint_equal(&fp, &of));
		assert_memory_equal(&fp, &of, sizeof(fp));
	}
}

static void test_either_case(void **state)
{
	char line[] = ABC_256;
	struct dtls_fingerprint a, b;

	assert_int_equal(parse(&a, line), 0);
	for (char *p = line; *p != 0; p++)
		if (*p >= 'A' && *p <= 'F')
			*p |= 0x20;
	memcpy(line, "SHA-256", 7);
	assert_int_equal(parse(&b, line), 0);
	assert_true(dtls_fingerprint_equal(&a, &b));
	assert_int_equal(parse(&b, ABC_256 " \r"), 0); // trailing blanks happen
	assert_int_equal(parse(&b, "sha-256   " ABC_256), -EINVAL);
}

static void test_refused_unknown_malformed(void **state)
{
	static const struct {
		const char *text;
		int err;
	} rows[] = {
		{ "sha-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB", -EPERM },
		{ "SHA-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB", -EPERM },
		{ "md5 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF", -EPERM },
		{ "md2 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF", -EPERM },
		{ "sha-224 00:11", -ENOTSUP },
		{ "sha3-256 00:11", -ENOTSUP },
		{ "sha256 BA:78", -ENOTSUP }, // not the registered name
		{ "sha-256 BA:78", -EINVAL }, // too short
		{ ABC_256 ":00", -EINVAL },   // too long
		{ ABC_256 ":", -EINVAL },
		{ "sha-256", -EINVAL },
		{ "sha-256 ", -EINVAL },
		{ "", -EINVAL },
		{ " ", -EINVAL },
		{ " sha-256 00", -EINVAL },
		{ "sha-256 0", -EINVAL },
		{ "sha-224 0G:11", -EINVAL },
		{ "sha-224 00-11", -EINVAL },
		{ "sha-1 zz", -EINVAL }, // malformed comes before refused
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct dtls_fingerprint fp;

		assert_int_equal(parse(&fp, rows[i].text), rows[i].err);
	}
}

static void test_list_counts(void **state)
{
	struct dtls_fingerprints list = { 0 };

	assert_int_equal(dtls_fingerprints_add(&list, "md5 00", 6), 0);
	assert_int_equal(dtls_fingerprints_add(&list, "sha-224 00", 10), 0);
	assert_int_equal(dtls_fingerprints_add(&list, "sha-256 00", 10), -EINVAL);
	for (int i = 0; i < 10; i++)
		assert_int_equal(dtls_fingerprints_add(&list, ABC_256, strlen(ABC_256)), 0);
	assert_int_equal(list.n, DTLS_FINGERPRINTS_MAX);
	assert_int_equal(list.refused, 1);
	assert_int_equal(list.ignored, 3);
}

static bool match(const char *a, const char *b, const char *c)
{
	const char *const lines[] = { a, b, c };
	struct dtls_fingerprints list = { 0 };

	for (size_t i = 0; i < 3; i++)
		if (lines[i] != NULL)
			assert_int_equal(dtls_fingerprints_add(&list, lines[i], strlen(lines[i])), 0);
	return dtls_fingerprints_match(&list, "abc", 3);
}

static void test_most_preferred_hash_decides(void **state)
{
	assert_true(match(ABC_256, NULL, NULL));
	assert_true(match(ABC_384, NULL, NULL));
	assert_true(match(ABC_512, NULL, NULL));
	assert_false(match(ZERO_256, NULL, NULL));
	assert_true(match(ZERO_256, ABC_256, NULL)); // two certificates, one is shown
	assert_true(match(ABC_256, ZERO_256, NULL));
	assert_true(match(ABC_256, ABC_512, NULL));
	assert_false(match(ABC_256, ZERO_512, NULL)); // SHA-512 is there and says no
	assert_true(match(ZERO_256, ABC_512, ZERO_512));
	assert_true(match("md5 00", "sha-224 00", ABC_256));
	assert_false(match("md5 00", "sha-1 00", NULL));
	assert_false(match(NULL, NULL, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads_and_prints),
		cmocka_unit_test(test_either_case),
		cmocka_unit_test(test_refused_unknown_malformed),
		cmocka_unit_test(test_list_counts),
		cmocka_unit_test(test_most_preferred_hash_decides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
