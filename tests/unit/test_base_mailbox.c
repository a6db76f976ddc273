// SPDX-License-Identifier: GPL-3.0-or-later
// test_base_mailbox.c - order, bound, and a descriptor that is readable while there may be messages.
#include "base/mailbox.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static int readable(const struct mailbox *mb, int timeout_ms)
{
	struct pollfd pfd = { .fd = mailbox_fd(mb), .events = POLLIN };

	return poll(&pfd, 1, timeout_ms);
}

static void order_bound_and_bell(void **state)
{
	struct mailbox *mb = NULL;
	int value;

	assert_int_equal(mailbox_open(&mb, 0, sizeof(int)), -EINVAL);
	assert_int_equal(mailbox_open(&mb, SIZE_MAX, SIZE_MAX), -ENOMEM);
	assert_int_equal(mailbox_open(&mb, 3, sizeof(int)), 0);
	assert_int_equal(readable(mb, 0), 0);
	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < 3; i++)
			assert_int_equal(mailbox_push(mb, &i), 0);
		assert_int_equal(mailbox_push(mb, &round), -ENOSPC);
		for (int i = 0; i < 3; i++) {
			assert_int_equal(readable(mb, 0), 1);
			assert_int_equal(mailbox_pop(mb, &value), 0);
			assert_int_equal(value, i);
		}
		assert_int_equal(mailbox_pop(mb, &value), -EAGAIN);
		assert_int_equal(readable(mb, 0), 0);
	}
	mailbox_close(mb);
	mailbox_close(NULL);
}

#define SENDERS 4
#define EACH 20000

struct note {
	int sender, number;
};

static struct mailbox *shared;

static void *send_notes(void *arg)
{
	struct note n = { .sender = (int)(intptr_t)arg };

	while (n.number < EACH) {
		if (mailbox_push(shared, &n) == 0)
			n.number++;
		else
			sched_yield();
	}
	return NULL;
}

static void many_senders(void **state)
{
	pthread_t senders[SENDERS];
	int next[SENDERS] = { 0 };
	struct note n;

	assert_int_equal(mailbox_open(&shared, 64, sizeof(n)), 0);
	for (intptr_t i = 0; i < SENDERS; i++)
		assert_int_equal(pthread_create(&senders[i], NULL, send_notes, (void *)i), 0);
	for (int total = 0; total < SENDERS * EACH;) {
		if (mailbox_pop(shared, &n) < 0) {
			assert_int_equal(readable(shared, 10000), 1); // a lost bell would end here
			continue;
		}
		assert_int_equal(n.number, next[n.sender]++);
		total++;
	}
	for (size_t i = 0; i < SENDERS; i++)
		pthread_join(senders[i], NULL);
	assert_int_equal(mailbox_pop(shared, &n), -EAGAIN);
	assert_int_equal(readable(shared, 0), 0); // a bell that stays would keep its reader awake for ever
	mailbox_close(shared);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order_bound_and_bell),
		cmocka_unit_test(many_senders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
