// SPDX-License-Identifier: GPL-3.0-or-later
// test_call_record.c - call records: found by the next process, torn ones reported absent, erased ones wiped.
#include "mediarelay/call_record.h"
#include "base/region.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define SESSIONS 3

static struct region region;

static int setup(void **state)
{
	(void)state;
	return region_create(&region, "test-records", call_records_footprint(SESSIONS), false);
}

static int teardown(void **state)
{
	(void)state;
	region_unmap(&region);
	return 0;
}

static struct call_records *open_records(void)
{
	struct call_records *cr;

	assert_int_equal(call_records_open(&cr, dup(region.fd), SESSIONS), 0);
	return cr;
}

static void test_written_and_found(void **state)
{
	struct call_records *cr = open_records();
	char back[64];

	(void)state;
	assert_int_equal(call_records_count(cr), SESSIONS);
	assert_int_equal(call_record_read(cr, 1, CALL_RECORD_SIP, back, sizeof(back)), -ENOENT);
	assert_int_equal(call_record_write(cr, 1, CALL_RECORD_SIP, "dialog", 7), 0);
	assert_int_equal(call_record_write(cr, 1, CALL_RECORD_MEDIA, "keys", 5), 0);
	assert_int_equal(call_record_write(cr, 1, CALL_RECORD_PENDING, "INVITE", 7), 0);
	call_records_close(cr);
	cr = open_records(); // as the next control would
	assert_int_equal(call_record_read(cr, 1, CALL_RECORD_SIP, back, sizeof(back)), 7);
	assert_string_equal(back, "dialog");
	assert_int_equal(call_record_read(cr, 1, CALL_RECORD_MEDIA, back, sizeof(back)), 5);
	assert_string_equal(back, "keys");
	assert_int_equal(call_record_read(cr, 1, CALL_RECORD_PENDING, back, sizeof(back)), 7);
	assert_string_equal(back, "INVITE");
	assert_int_equal(call_record_read(cr, 2, CALL_RECORD_SIP, back, sizeof(back)), -ENOENT);
	assert_int_equal(call_record_read(cr, 1, CALL_RECORD_SIP, back, 3), -EMSGSIZE);
	call_records_close(cr);
}

static void test_bounds(void **state)
{
	static uint8_t big[CALL_RECORD_MEDIA_SIZE + 1];
	struct call_records *cr = open_records(), *other;

	(void)state;
	assert_int_equal(call_record_write(cr, 0, CALL_RECORD_SIP, "x", 1), -ENOENT);
	assert_int_equal(call_record_write(cr, SESSIONS + 1, CALL_RECORD_SIP, "x", 1), -ENOENT);
	assert_int_equal(call_record_write(cr, 1, CALL_RECORD_MEDIA, big, sizeof(big)), -EMSGSIZE);
	assert_int_equal(call_record_write(cr, SESSIONS, CALL_RECORD_MEDIA, big, CALL_RECORD_MEDIA_SIZE), 0);
	assert_int_equal(call_records_open(&other, dup(region.fd), 1000), -EPROTO); // the region is too small for that
	call_records_close(cr);
}

static bool holds(const void *bytes, size_t size, const char *word)
{
	return memmem(bytes, size, word, strlen(word)) != NULL;
}

static void test_erased_is_wiped(void **state)
{
	struct call_records *cr = open_records();

	(void)state;
	assert_int_equal(call_record_write(cr, 2, CALL_RECORD_MEDIA, "SECRETKEY....", 14), 0);
	assert_true(holds(region.base, region.size, "SECRETKEY"));
	assert_int_equal(call_record_write(cr, 2, CALL_RECORD_MEDIA, NULL, 0), 0);
	assert_false(holds(region.base, region.size, "SECRETKEY"));
	assert_false(holds(region.base, region.size, "CRETKEY"));
	call_records_close(cr);
}

// A writer killed at any moment: what is read is the old record, the new one, or nothing; never a mixture.
static void test_killed_writer(void **state)
{
	uint8_t back[CALL_RECORD_MEDIA_SIZE];
	unsigned whole = 0;

	(void)state;
	for (unsigned round = 0; round < 60; round++) {
		struct call_records *cr = open_records();
		pid_t pid;
		int len;

		call_record_write(cr, 3, CALL_RECORD_MEDIA, NULL, 0);
		call_records_close(cr);
		pid = fork();
		if (pid == 0) {
			static uint8_t bytes[CALL_RECORD_MEDIA_SIZE];

			cr = open_records();
			for (uint8_t fill = 0;; fill++) {
				memset(bytes, fill, sizeof(bytes));
				call_record_write(cr, 3, CALL_RECORD_MEDIA, bytes, sizeof(bytes));
			}
		}
		usleep(500 + 37 * round);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		cr = open_records();
		len = call_record_read(cr, 3, CALL_RECORD_MEDIA, back, sizeof(back));
		if (len > 0) {
			whole++;
			for (int i = 1; i < len; i++)
				assert_int_equal(back[i], back[0]);
		} else {
			assert_int_equal(len, -ENOENT);
		}
		call_record_write(cr, 3, CALL_RECORD_MEDIA, "mended", 7); // a torn part can be written again
		assert_int_equal(call_record_read(cr, 3, CALL_RECORD_MEDIA, back, sizeof(back)), 7);
		call_records_close(cr);
	}
	assert_true(whole > 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_written_and_found),
		T(test_bounds),
		T(test_erased_is_wiped),
		T(test_killed_writer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
