// SPDX-License-Identifier: GPL-3.0-or-later
// test_base_byte_ring.c - order and wholeness of messages: in one thread against a model, between threads, between
// processes that are killed at random; and what a hostile other side can do to positions and lengths.
#include "base/byte_ring.h"
#include "base/clock.h"
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#define CAPACITY 1024

// The layout that byte_ring.c has; only hostile_positions writes through it.
#define HEAD_AT 0
#define TAIL_AT 64
#define DATA_AT 192

struct both {
	uint8_t *memory;
	struct byte_ring in, out;
};

static struct both ring_make(size_t capacity)
{
	struct both b;

	b.memory = mmap(NULL, byte_ring_footprint(capacity), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(b.memory, MAP_FAILED);
	assert_int_equal(byte_ring_format(b.memory, capacity), 0);
	assert_int_equal(byte_ring_attach(&b.in, b.memory, capacity, BYTE_RING_PRODUCER), 0);
	assert_int_equal(byte_ring_attach(&b.out, b.memory, capacity, BYTE_RING_CONSUMER), 0);
	return b;
}

static void ring_free(struct both *b, size_t capacity)
{
	munmap(b->memory, byte_ring_footprint(capacity));
}

// A message is its number, and a tail whose length and bytes follow from the number.
struct message {
	uint64_t number;
	uint8_t tail[56];
};

static size_t message_fill(struct message *m, uint64_t number)
{
	size_t len = number * 7 % sizeof(m->tail);

	m->number = number;
	memset(m->tail, (int)(number & 0xff), len);
	return len;
}

static int push_number(struct byte_ring *in, uint64_t number)
{
	struct message m;
	size_t len = message_fill(&m, number);

	return byte_ring_push2(in, &m.number, sizeof(m.number), m.tail, len);
}

static void check_message(const void *bytes, size_t len, uint64_t expected)
{
	struct message m, want;
	size_t tail = message_fill(&want, expected);

	assert_int_equal(len, sizeof(m.number) + tail);
	memcpy(&m, bytes, len);
	assert_int_equal(m.number, expected);
	assert_memory_equal(m.tail, want.tail, tail);
}

static void order_and_room(void **state)
{
	struct both b = ring_make(CAPACITY);
	uint64_t pushed = 0, popped = 0, refused = 0;
	const void *bytes;
	size_t len;

	srand(1);
	for (int round = 0; round < 20000; round++) {
		if (rand() % 2 == 0) {
			int err = push_number(&b.in, pushed);

			assert_true(err == 0 || err == -ENOSPC);
			pushed += err == 0;
			refused += err == -ENOSPC;
		} else {
			int err = byte_ring_peek(&b.out, &bytes, &len);

			assert_int_equal(err, popped == pushed ? -EAGAIN : 0);
			if (err == 0) {
				assert_int_equal((uintptr_t)bytes % 8, 0);
				check_message(bytes, len, popped++);
				byte_ring_next(&b.out);
			}
		}
	}
	assert_true(pushed > 5000);
	assert_int_equal(byte_ring_refused(&b.in), refused);
	ring_free(&b, CAPACITY);
}

static void sizes(void **state)
{
	struct both b = ring_make(CAPACITY);
	static const uint8_t zeros[CAPACITY];
	const void *bytes;
	size_t len;

	assert_int_equal(byte_ring_push2(&b.in, zeros, CAPACITY / 2 - 8, NULL, 0), 0);
	assert_int_equal(byte_ring_push2(&b.in, zeros, CAPACITY / 2 - 7, NULL, 0), -EMSGSIZE);
	assert_int_equal(byte_ring_push2(&b.in, zeros, SIZE_MAX, zeros, 2), -EMSGSIZE);
	assert_int_equal(byte_ring_push2(&b.in, NULL, 0, NULL, 0), 0); // an empty message is one
	assert_int_equal(byte_ring_peek(&b.out, &bytes, &len), 0);
	assert_int_equal(len, CAPACITY / 2 - 8);
	byte_ring_next(&b.out);
	// The largest message fits an empty ring wherever it starts.
	assert_int_equal(byte_ring_peek(&b.out, &bytes, &len), 0);
	assert_int_equal(len, 0);
	byte_ring_next(&b.out);
	assert_int_equal(byte_ring_push2(&b.in, zeros, CAPACITY / 2 - 8, NULL, 0), 0);
	assert_int_equal(byte_ring_peek(&b.out, &bytes, &len), 0);
	assert_int_equal(len, CAPACITY / 2 - 8);
	assert_int_equal(byte_ring_format(b.memory, 1000), -EINVAL); // no power of two
	assert_int_equal(byte_ring_format(b.memory + 8, CAPACITY), -EINVAL);
	ring_free(&b, CAPACITY);
}

static void store(const struct both *b, size_t at, uint64_t value)
{
	memcpy(b->memory + at, &value, sizeof(value));
}

static void hostile_positions(void **state)
{
	static const uint64_t bad[] = { CAPACITY + 8, UINT64_MAX, 4, UINT64_C(1) << 63 };
	const void *bytes;
	size_t len;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct both b = ring_make(CAPACITY);

		store(&b, HEAD_AT, bad[i]);
		assert_int_equal(byte_ring_peek(&b.out, &bytes, &len), -EBADMSG);
		store(&b, TAIL_AT, bad[i]);
		assert_int_equal(push_number(&b.in, 0), -EBADMSG);
		// Whoever attaches anew starts with an empty ring that works.
		assert_int_equal(byte_ring_attach(&b.in, b.memory, CAPACITY, BYTE_RING_PRODUCER), 0);
		assert_int_equal(byte_ring_attach(&b.out, b.memory, CAPACITY, BYTE_RING_CONSUMER), 0);
		ring_free(&b, CAPACITY);
	}
}

static void hostile_lengths(void **state)
{
	static const uint32_t bad[] = { UINT32_MAX, UINT32_MAX - 1, 0x80000000, CAPACITY, CAPACITY / 2 + 1, 57, 4096 };
	const void *bytes;
	size_t len;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct both b = ring_make(CAPACITY);

		assert_int_equal(push_number(&b.in, 8), 0); // 64 bytes with its head
		memcpy(b.memory + DATA_AT, &bad[i], sizeof(bad[i]));
		assert_int_equal(byte_ring_peek(&b.out, &bytes, &len), -EBADMSG);
		ring_free(&b, CAPACITY);
	}
}

static void random_memory_never_breaks_the_reader(void **state)
{
	struct both b = ring_make(CAPACITY);
	const void *bytes;
	size_t len;

	srand(2);
	for (int round = 0; round < 200000; round++) {
		b.memory[(size_t)rand() % byte_ring_footprint(CAPACITY)] = (uint8_t)rand();
		if (byte_ring_peek(&b.out, &bytes, &len) == 0) {
			const uint8_t *at = bytes;

			assert_true(at >= b.memory + DATA_AT && at + len <= b.memory + byte_ring_footprint(CAPACITY));
			byte_ring_next(&b.out);
		}
		push_number(&b.in, (uint64_t)round);
		if (round % 100 == 0) {
			byte_ring_attach(&b.in, b.memory, CAPACITY, BYTE_RING_PRODUCER);
			byte_ring_attach(&b.out, b.memory, CAPACITY, BYTE_RING_CONSUMER);
		}
	}
	ring_free(&b, CAPACITY);
}

#define THREAD_MESSAGES 200000

static void *produce(void *arg)
{
	struct byte_ring *in = arg;

	for (uint64_t n = 0; n < THREAD_MESSAGES;) {
		if (push_number(in, n) == 0)
			n++;
		else
			sched_yield();
	}
	return NULL;
}

static void two_threads(void **state)
{
	struct both b = ring_make(CAPACITY);
	pthread_t producer;
	const void *bytes;
	size_t len;

	assert_int_equal(pthread_create(&producer, NULL, produce, &b.in), 0);
	for (uint64_t n = 0; n < THREAD_MESSAGES;) {
		if (byte_ring_peek(&b.out, &bytes, &len) < 0) {
			sched_yield();
			continue;
		}
		check_message(bytes, len, n++);
		byte_ring_next(&b.out);
	}
	pthread_join(producer, NULL);
	ring_free(&b, CAPACITY);
}

// Sleeps by the protocol; a lost wake would leave the reader in read() for ever (alarm ends the test).
static void *produce_and_wake(void *arg)
{
	void **args = arg;
	struct byte_ring *in = args[0];
	int *pipe_fd = args[1];

	for (uint64_t n = 0; n < 20000;) {
		if (push_number(in, n) < 0) {
			sched_yield();
			continue;
		}
		n++;
		if (byte_ring_take_sleeping(in))
			assert_int_equal(write(pipe_fd[1], "w", 1), 1);
	}
	return NULL;
}

static void no_wake_is_lost(void **state)
{
	struct both b = ring_make(CAPACITY);
	int fd[2];
	void *args[] = { &b.in, fd };
	pthread_t producer;
	const void *bytes;
	size_t len;
	char wake;

	assert_int_equal(pipe(fd), 0);
	alarm(30);
	assert_int_equal(pthread_create(&producer, NULL, produce_and_wake, args), 0);
	for (uint64_t n = 0; n < 20000;) {
		if (byte_ring_peek(&b.out, &bytes, &len) == 0) {
			check_message(bytes, len, n++);
			byte_ring_next(&b.out);
			continue;
		}
		byte_ring_set_sleeping(&b.out);
		if (byte_ring_peek(&b.out, &bytes, &len) == -EAGAIN)
			assert_int_equal(read(fd[0], &wake, 1), 1);
	}
	alarm(0);
	pthread_join(producer, NULL);
	close(fd[0]);
	close(fd[1]);
	ring_free(&b, CAPACITY);
}

// The child's side of the crash test: counts in shared memory what it is certain of.
struct progress {
	_Atomic uint64_t pushed, popped;
};

_Noreturn static void child_produce(struct both *b, struct progress *p)
{
	struct byte_ring in;

	byte_ring_attach(&in, b->memory, CAPACITY, BYTE_RING_PRODUCER);
	for (;;) {
		if (push_number(&in, p->pushed) == 0)
			p->pushed++;
	}
}

_Noreturn static void child_consume(struct both *b, struct progress *p)
{
	struct byte_ring out;
	const void *bytes;
	size_t len;

	byte_ring_attach(&out, b->memory, CAPACITY, BYTE_RING_CONSUMER);
	for (;;) {
		if (byte_ring_peek(&out, &bytes, &len) < 0)
			continue;
		p->popped++;
		byte_ring_next(&out);
	}
}

static void sleep_us(long us)
{
	nanosleep(&(struct timespec){ .tv_nsec = us * 1000 }, NULL);
}

static void kill_after(pid_t pid, long us)
{
	int status;

	sleep_us(us);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

// The producer dies between any two instructions. What is read is whole and in order; at most the one message whose
// push was not yet noted comes twice.
static void killed_producer(void **state)
{
	struct both b = ring_make(CAPACITY);
	struct progress *p = mmap(NULL, sizeof(*p), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t expected = 0, repeated = 0, got;
	const void *bytes;
	size_t len;

	srand(3);
	for (int round = 0; round < 100; round++) {
		mono_ns end = clock_now() + MONO_MS(2);
		pid_t pid = fork();

		if (pid == 0)
			child_produce(&b, p);
		while (clock_now() < end) {
			if (byte_ring_peek(&b.out, &bytes, &len) < 0)
				continue;
			memcpy(&got, bytes, sizeof(got));
			if (got + 1 == expected) {
				expected--;
				repeated++;
			}
			check_message(bytes, len, expected++);
			byte_ring_next(&b.out);
		}
		kill_after(pid, rand() % 300);
	}
	assert_true(expected > 1000);
	assert_true(repeated <= 100);
	munmap(p, sizeof(*p));
	ring_free(&b, CAPACITY);
}

// The consumer dies: nothing that it did not act upon is lost.
static void killed_consumer(void **state)
{
	struct both b = ring_make(CAPACITY);
	struct progress *p = mmap(NULL, sizeof(*p), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t pushed = 0, left = 0;
	const void *bytes;
	size_t len;

	srand(4);
	for (int round = 0; round < 100; round++) {
		mono_ns end = clock_now() + MONO_MS(2);
		pid_t pid = fork();

		if (pid == 0)
			child_consume(&b, p);
		while (clock_now() < end)
			pushed += push_number(&b.in, pushed) == 0;
		kill_after(pid, rand() % 300);
	}
	assert_int_equal(byte_ring_attach(&b.out, b.memory, CAPACITY, BYTE_RING_CONSUMER), 0);
	for (; byte_ring_peek(&b.out, &bytes, &len) == 0; left++)
		byte_ring_next(&b.out);
	assert_true(p->popped + left >= pushed && p->popped + left <= pushed + 100); // one read twice a kill at most
	assert_true(pushed > 1000);
	munmap(p, sizeof(*p));
	ring_free(&b, CAPACITY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order_and_room),
		cmocka_unit_test(sizes),
		cmocka_unit_test(hostile_positions),
		cmocka_unit_test(hostile_lengths),
		cmocka_unit_test(random_memory_never_breaks_the_reader),
		cmocka_unit_test(two_threads),
		cmocka_unit_test(no_wake_is_lost),
		cmocka_unit_test(killed_producer),
		cmocka_unit_test(killed_consumer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
