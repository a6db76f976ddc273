// SPDX-License-Identifier: GPL-3.0-or-later
// test_event_ring.c - what a reader that comes back is given, and that no more is kept than was said.
#include "gateway/admin/event_ring.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define LIFE 0x19abcu

static struct event_ring *ring_of(size_t entries, size_t octets)
{
	struct event_ring *ring;

	assert_int_equal(event_ring_open(&ring, LIFE, entries, octets), 0);
	return ring;
}

static void text_and_number(void **state)
{
	struct event_ring *ring = ring_of(10, 10000);
	const struct event_entry *e;

	assert_null(event_ring_after(ring, 0));
	assert_int_equal(event_ring_last(ring), 0);
	e = event_ring_add(ring, EVENT_ATTACK, 7, "{\"a\":1}");
	assert_string_equal(e->text, "id: 19abc-1\nevent: attack\ndata: {\"a\":1}\n\n");
	assert_int_equal(e->len, strlen(e->text));
	assert_int_equal(e->call, 7);
	assert_ptr_equal(event_ring_after(ring, 0), e);
	assert_null(event_ring_after(ring, 1));
	event_ring_close(ring);
}

static unsigned count_after(const struct event_ring *ring, uint64_t number, uint64_t *first)
{
	unsigned n = 0;

	*first = 0;
	for (const struct event_entry *e = event_ring_after(ring, number); e != NULL; e = e->next) {
		if (n++ == 0)
			*first = e->number;
	}
	return n;
}

static void the_oldest_give_way_by_number(void **state)
{
	struct event_ring *ring = ring_of(10, 1 << 20);
	uint64_t first;

	for (int i = 0; i < 25; i++)
		event_ring_add(ring, EVENT_GAP, 0, "{}");
	assert_int_equal(event_ring_last(ring), 25);
	assert_int_equal(count_after(ring, 0, &first), 10);
	assert_int_equal(first, 16);
	assert_int_equal(count_after(ring, 20, &first), 5);
	assert_int_equal(first, 21);
	event_ring_close(ring);
}

static void the_oldest_give_way_by_octets(void **state)
{
	struct event_ring *ring = ring_of(1000, 5000);
	char data[1100];
	size_t octets = 0;
	uint64_t first;

	memset(data, 'x', sizeof(data));
	data[1000] = '\0';
	for (int i = 0; i < 25; i++)
		event_ring_add(ring, EVENT_GAP, 0, data);
	for (const struct event_entry *e = event_ring_after(ring, 0); e != NULL; e = e->next)
		octets += e->len;
	assert_int_equal(count_after(ring, 0, &first), 4);
	assert_true(octets <= 5000);
	event_ring_close(ring);
	ring = ring_of(1000, 100); // one that is larger than all that may be kept is still told
	assert_non_null(event_ring_add(ring, EVENT_GAP, 0, data));
	assert_int_equal(count_after(ring, 0, &first), 1);
	event_ring_add(ring, EVENT_GAP, 0, "{}");
	assert_int_equal(count_after(ring, 0, &first), 1);
	assert_int_equal(first, 2);
	event_ring_close(ring);
}

static void ids_of_this_life_alone(void **state)
{
	static const struct {
		const char *id;
		int err;
		uint64_t number;
	} cases[] = {
		{ "19abc-1", 0, 1 }, { "19abc-0", 0, 0 }, { "19abc-2", 0, 2 }, { "19abc-3", -EINVAL, 0 }, // which was not given yet
		{ "19abd-1", -ESTALE, 0 }, { "0-0", -ESTALE, 0 }, { "", -EINVAL, 0 }, { "19abc", -EINVAL, 0 }, { "19abc-", -EINVAL, 0 },
		{ "19abc-01", -EINVAL, 0 }, { "019abc-1", -EINVAL, 0 }, { "19ABC-1", -EINVAL, 0 }, { " 19abc-1", -EINVAL, 0 },
		{ "19abc-1 ", -EINVAL, 0 }, { "19abc--1", -EINVAL, 0 }, { "-19abc-1", -EINVAL, 0 }, { "0x19abc-1", -EINVAL, 0 },
		{ "19abc-99999999999999999999", -EINVAL, 0 }, { "ffffffffffffffffffff-1", -EINVAL, 0 },
	};
	struct event_ring *ring = ring_of(10, 10000);

	event_ring_add(ring, EVENT_GAP, 0, "{}");
	event_ring_add(ring, EVENT_GAP, 0, "{}");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t number = 0;

		if (event_ring_read_id(ring, cases[i].id, &number) != cases[i].err)
			fail_msg("%s", cases[i].id);
		assert_int_equal(number, cases[i].number);
	}
	event_ring_close(ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_and_number),
		cmocka_unit_test(the_oldest_give_way_by_number),
		cmocka_unit_test(the_oldest_give_way_by_octets),
		cmocka_unit_test(ids_of_this_life_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
