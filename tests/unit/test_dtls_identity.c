// SPDX-License-Identifier: GPL-3.0-or-later
// test_dtls_identity.c - certificates made, stored, loaded, refused.
#include "dtls/dtls_identity.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[] = "/tmp/test_dtls_identity.XXXXXX";
static char path[64];

static int setup(void **state)
{
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/dtls.pem", folder);
	return 0;
}

static int teardown(void **state)
{
	unlink(path);
	return rmdir(folder);
}

static void write_file(const char *text, mode_t mode)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(path, mode), 0);
}

static bool same_certificate(const struct dtls_identity *a, const struct dtls_identity *b)
{
	return dtls_fingerprint_equal(dtls_identity_fingerprint(a, DTLS_HASH_SHA256),
				      dtls_identity_fingerprint(b, DTLS_HASH_SHA256));
}

static void test_make(void **state)
{
	struct dtls_identity *a, *b;
	int64_t now = time(NULL);

	assert_int_equal(dtls_identity_make(&a, 30), 0);
	assert_int_equal(dtls_identity_make(&b, 30), 0);
	assert_false(same_certificate(a, b));
	assert_int_equal(dtls_identity_fingerprint(a, DTLS_HASH_SHA384)->len, 48);
	assert_int_equal(dtls_identity_fingerprint(a, DTLS_HASH_SHA512)->len, 64);
	assert_null(dtls_identity_fingerprint(a, DTLS_HASH_NONE));
	assert_null(dtls_identity_fingerprint(a, DTLS_HASH_COUNT));
	assert_in_range(dtls_identity_facts(a)->expires, now + 28 * 86400, now + 31 * 86400);
	assert_int_equal(dtls_identity_make(&a, 0), -EINVAL);
	assert_int_equal(dtls_identity_make(&a, 99999), -EINVAL);
	dtls_identity_ref(a);
	dtls_identity_unref(a);
	dtls_identity_unref(a);
	dtls_identity_unref(b);
	dtls_identity_unref(NULL);
}

static void test_stored_once_and_private(void **state)
{
	struct dtls_identity *a, *b;
	struct stat st;

	assert_int_equal(dtls_identity_load_or_make(&a, path, 365), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(dtls_identity_load_or_make(&b, path, 365), 0);
	assert_true(same_certificate(a, b));
	dtls_identity_unref(b);
	assert_int_equal(dtls_identity_load(&b, path, path), 0);
	assert_true(same_certificate(a, b));
	dtls_identity_unref(b);
	dtls_identity_unref(a);
}

static void test_readable_by_others_is_refused(void **state)
{
	struct dtls_identity *id;

	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(dtls_identity_load_or_make(&id, path, 365), -EPERM);
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(dtls_identity_load_or_make(&id, path, 365), 0);
	dtls_identity_unref(id);
}

static void test_about_to_expire_is_made_again(void **state)
{
	struct dtls_identity *a, *b;

	unlink(path);
	assert_int_equal(dtls_identity_load_or_make(&a, path, 1), 0); // ends within the day
	assert_int_equal(dtls_identity_load_or_make(&b, path, 30), 0);
	assert_false(same_certificate(a, b));
	assert_in_range(dtls_identity_facts(b)->expires, time(NULL) + 28 * 86400, time(NULL) + 31 * 86400);
	dtls_identity_unref(a);
	dtls_identity_unref(b);
}

static void test_not_ours_is_left_alone(void **state)
{
	static const char text[] = "not a certificate\n";
	struct dtls_identity *id;
	char back[64] = "";
	FILE *f;

	write_file(text, 0600);
	assert_int_equal(dtls_identity_load_or_make(&id, path, 30), -EINVAL);
	f = fopen(path, "r");
	assert_non_null(fgets(back, sizeof(back), f));
	fclose(f);
	assert_string_equal(back, text);
	write_file("", 0600);
	assert_int_equal(dtls_identity_load(&id, path, path), -EINVAL);
	assert_int_equal(dtls_identity_load(&id, "/nonexistent", path), -ENOENT);
	assert_int_equal(dtls_identity_load(&id, "/tmp", "/tmp"), -EINVAL);
	assert_int_equal(dtls_identity_load_or_make(&id, "/nonexistent/dtls.pem", 30), -ENOENT);
}

static void test_key_of_another_certificate(void **state)
{
	struct dtls_identity *id;

	assert_int_equal(
		dtls_identity_load(&id, "tests/support/dtls_certs/rsa.pem", "tests/support/dtls_certs/p384.pem"),
		-EINVAL);
	assert_int_equal(
		dtls_identity_load(&id, "tests/support/dtls_certs/p384.pem", "tests/support/dtls_certs/p384.pem"), 0);
	dtls_identity_unref(id);
	assert_int_equal(
		dtls_identity_load(&id, "tests/support/dtls_certs/rsa.pem", "tests/support/dtls_certs/rsa.pem"), 0);
	dtls_identity_unref(id);
}

static int accept(void *ctx, const struct dtls_identity *id)
{
	return *(int *)ctx;
}

// A judge who says no, and a text that is none, leave what is there; else what was there is beside it.
static void test_replaced(void **state)
{
	struct dtls_identity *old, *new, *stored;
	char before[sizeof(path) + 8];
	int verdict = -EEXIST;
	struct stat st;

	snprintf(before, sizeof(before), "%s.before", path);
	unlink(path);
	assert_int_equal(dtls_identity_load_or_make(&old, path, 30), 0);
	assert_int_equal(dtls_identity_replace(&new, NULL, 0, 30, path, before, accept, &verdict), -EEXIST);
	verdict = 0;
	assert_int_equal(dtls_identity_replace(&new, "no PEM", 6, 30, path, before, accept, &verdict), -EINVAL);
	assert_int_equal(dtls_identity_replace(&new, "", 0, 30, path, before, accept, &verdict), -EINVAL);
	assert_int_equal(access(before, F_OK), -1);
	assert_int_equal(dtls_identity_load(&stored, path, path), 0);
	assert_true(same_certificate(stored, old));
	dtls_identity_unref(stored);
	assert_int_equal(dtls_identity_replace(&new, NULL, 0, 30, path, before, accept, &verdict), 0);
	assert_string_equal(dtls_identity_facts(new)->algorithm, "ECDSA 256");
	assert_in_range(time(NULL) - dtls_identity_facts(new)->starts, 0, 2 * 86400);
	assert_int_equal(dtls_identity_load(&stored, path, path), 0);
	assert_true(same_certificate(stored, new));
	dtls_identity_unref(stored);
	assert_int_equal(dtls_identity_load(&stored, before, before), 0);
	assert_true(same_certificate(stored, old));
	assert_int_equal(stat(before, &st) | stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	unlink(before);
	dtls_identity_unref(stored);
	dtls_identity_unref(old);
	dtls_identity_unref(new);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_make),
		cmocka_unit_test(test_stored_once_and_private),
		cmocka_unit_test(test_readable_by_others_is_refused),
		cmocka_unit_test(test_about_to_expire_is_made_again),
		cmocka_unit_test(test_not_ours_is_left_alone),
		cmocka_unit_test(test_key_of_another_certificate),
		cmocka_unit_test(test_replaced),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
