// SPDX-License-Identifier: GPL-3.0-or-later
// test_sofia.c - what the SIP library gets from us in place of its own: the clock, and how much of a stream it reads at once.
#include "signaling/sofia.h"
#include <setjmp.h>
#include <sofia-sip/su.h>
#include <sofia-sip/su_time.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#define MUCH 150000 // octets: more than a message may have, and less than a socket takes by default
#define PIECE 50000
#define AT_ONCE 65536

static void much_of_a_stream_is_read_in_parts(void **state)
{
	static char bytes[MUCH];
	int ends[2], waiting = 0;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	assert_int_equal(su_getmsgsize(ends[1]), 0);
	assert_int_equal(send(ends[0], bytes, PIECE, 0), PIECE);
	assert_int_equal(su_getmsgsize(ends[1]), PIECE);
	for (size_t sent = PIECE; sent < MUCH; sent += PIECE)
		assert_int_equal(send(ends[0], bytes, PIECE, MSG_DONTWAIT), PIECE);
	assert_int_equal(ioctl(ends[1], FIONREAD, &waiting), 0);
	assert_int_equal(waiting, MUCH);
	assert_int_equal(su_getmsgsize(ends[1]), AT_ONCE);
	close(ends[0]);
	close(ends[1]);
	assert_true(su_getmsgsize(ends[1]) < 0);
}

static void the_clock_has_whole_milliseconds(void **state)
{
	su_time_t before;

	sofia_setup();
	before = su_now();
	for (unsigned i = 0; i < 10000; i++) {
		su_time_t now = su_now();

		assert_int_equal(now.tv_usec % 1000, 0);
		assert_true(su_time_cmp(now, before) >= 0);
		before = now;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(much_of_a_stream_is_read_in_parts),
		cmocka_unit_test(the_clock_has_whole_milliseconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
