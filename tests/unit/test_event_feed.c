// SPDX-License-Identifier: GPL-3.0-or-later
// test_event_feed.c - notices of two threads: all of them, in the order of their times; and when nobody takes them, neither thread
// waits, and what was lost is counted to the last one.
#include "gateway/admin/event_feed.h"
#include <event2/event.h>
#include <event2/thread.h>
#include <pthread.h>
#include <stdatomic.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define MANY 20000
#define LONG_S 60 // what only a fault reaches

struct stand {
	struct event_feed *feed;
	struct event_base *base;
	_Atomic uint64_t clock;
	uint64_t sip, media, lost, disorder, expected;
	mono_ns last;
	struct event *on_late;
};

static void count(struct stand *st, uint64_t *of, mono_ns at)
{
	(*of)++;
	st->disorder += at < st->last;
	st->last = at;
	if (st->sip + st->media + st->lost == st->expected)
		event_base_loopbreak(st->base);
}

static void take_sip(void *ctx, const struct sip_notice *n)
{
	struct stand *st = ctx;

	if (n->call != st->sip + st->lost + 1 && st->lost == 0)
		st->disorder++;
	count(st, &st->sip, n->at);
}

static void take_media(void *ctx, const struct media_notice *n)
{
	count(ctx, &((struct stand *)ctx)->media, n->at);
}

static void take_lost(void *ctx, uint64_t n)
{
	struct stand *st = ctx;

	st->lost += n;
	if (st->sip + st->media + st->lost == st->expected)
		event_base_loopbreak(st->base);
}

static void late(evutil_socket_t fd, short what, void *ctx)
{
	event_base_loopbreak(((struct stand *)ctx)->base);
}

static void stand_open(struct stand *st)
{
	static const struct timeval patience = { .tv_sec = LONG_S };

	*st = (struct stand){ .base = event_base_new() };
	assert_int_equal(event_feed_open(&st->feed), 0);
	st->on_late = event_new(st->base, -1, 0, late, st);
	event_add(st->on_late, &patience);
}

static void stand_listen(struct stand *st)
{
	const struct event_listener listener = { .sip = take_sip, .media = take_media, .lost = take_lost, .ctx = st };

	assert_int_equal(event_feed_listen(st->feed, st->base, &listener), 0);
	event_base_dispatch(st->base);
}

static void stand_close(struct stand *st)
{
	event_feed_close(st->feed);
	event_free(st->on_late);
	event_base_free(st->base);
}

static void *tell_sip(void *arg)
{
	struct stand *st = arg;

	for (uint32_t i = 1; i <= MANY; i++)
		event_feed_sip(st->feed, &(struct sip_notice){ .call = i, .at = atomic_fetch_add(&st->clock, 1) });
	return NULL;
}

static void *tell_media(void *arg)
{
	struct stand *st = arg;

	for (uint32_t i = 1; i <= MANY; i++)
		event_feed_media(st->feed, &(struct media_notice){ .call = i, .at = atomic_fetch_add(&st->clock, 1) });
	return NULL;
}

static void both_begin(struct stand *st, pthread_t both[2])
{
	stand_open(st);
	st->expected = 2 * MANY;
	assert_int_equal(pthread_create(&both[0], NULL, tell_sip, st), 0);
	assert_int_equal(pthread_create(&both[1], NULL, tell_media, st), 0);
}

static void both_end(const pthread_t both[2])
{
	pthread_join(both[0], NULL);
	pthread_join(both[1], NULL);
}

// Nobody takes anything while they write, so the rings overflow: both threads come to their end all the same.
static void who_writes_never_waits(void **state)
{
	struct stand st;
	pthread_t both[2];

	both_begin(&st, both);
	both_end(both);
	stand_listen(&st);
	assert_int_equal(st.sip + st.media + st.lost, 2 * MANY);
	assert_true(st.sip > 500 && st.media > 500 && st.lost > MANY);
	assert_int_equal(st.disorder, 0); // of what there was
	stand_close(&st);
}

// Taken as they are written: every one is accounted for.
static void both_are_heard(void **state)
{
	struct stand st;
	pthread_t both[2];

	both_begin(&st, both);
	stand_listen(&st);
	both_end(both);
	assert_int_equal(st.sip + st.media + st.lost, 2 * MANY);
	stand_close(&st);
}

// What sip says of a call, media cannot overtake.
static void in_the_order_of_their_times(void **state)
{
	struct stand st;

	stand_open(&st);
	st.expected = 6;
	for (unsigned i = 0; i < 3; i++) {
		event_feed_media(st.feed, &(struct media_notice){ .call = i + 1, .at = 10 * i + 5 });
		event_feed_sip(st.feed, &(struct sip_notice){ .call = i + 1, .at = 10 * i + 5 }); // as late: sip's comes first
	}
	stand_listen(&st);
	assert_int_equal(st.sip, 3);
	assert_int_equal(st.media, 3);
	assert_int_equal(st.disorder, 0);
	event_feed_deaf(st.feed);
	event_feed_sip(st.feed, &(struct sip_notice){ .call = 1 }); // nobody is there: it stays
	stand_close(&st);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_writes_never_waits),
		cmocka_unit_test(both_are_heard),
		cmocka_unit_test(in_the_order_of_their_times),
	};

	evthread_use_pthreads();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
