// SPDX-License-Identifier: GPL-3.0-or-later
// byte_ring.c - records of 8-byte aligned [length, bytes], never split; a record that would cross the end is preceded
// by a pad record up to the end. One store of the producer's position publishes pad and record together.
#include "base/byte_ring.h"
#include <errno.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#define RECORD_ALIGN 8u
#define RECORD_HEAD 8u
#define RECORD_PAD UINT32_MAX
#define CAPACITY_MIN 64u
#define CAPACITY_MAX (1u << 30)
#define CACHE_LINE 64

struct record {
	uint32_t len; // of the bytes that follow, or RECORD_PAD
	uint32_t zero;
};

struct byte_ring_memory {
	alignas(CACHE_LINE) _Atomic uint64_t head;     // producer: wo, consumer: ro
	_Atomic uint64_t refused;                      // producer: wo
	alignas(CACHE_LINE) _Atomic uint64_t tail;     // consumer: wo, producer: ro
	alignas(CACHE_LINE) _Atomic uint32_t sleeping; // consumer sets, producer takes
	alignas(CACHE_LINE) uint8_t data[];
};

static bool capacity_fits(size_t capacity)
{
	return capacity >= CAPACITY_MIN && capacity <= CAPACITY_MAX && (capacity & (capacity - 1)) == 0;
}

size_t byte_ring_footprint(size_t capacity)
{
	return sizeof(struct byte_ring_memory) + capacity;
}

int byte_ring_format(void *memory, size_t capacity)
{
	struct byte_ring_memory *m = memory;

	if (m == NULL || (uintptr_t)m % CACHE_LINE != 0 || !capacity_fits(capacity))
		return -EINVAL;
	memset(m, 0, byte_ring_footprint(capacity));
	return 0;
}

static bool positions_fit(uint64_t head, uint64_t tail, size_t capacity)
{
	return head - tail <= capacity && head % RECORD_ALIGN == 0 && tail % RECORD_ALIGN == 0;
}

int byte_ring_attach(struct byte_ring *ring, void *memory, size_t capacity, enum byte_ring_role role)
{
	struct byte_ring_memory *m = memory;
	uint64_t head, tail;

	if (ring == NULL || m == NULL || (uintptr_t)m % CACHE_LINE != 0 || !capacity_fits(capacity))
		return -EINVAL;
	head = atomic_load(&m->head);
	tail = atomic_load(&m->tail);
	*ring = (struct byte_ring){ .memory = m, .capacity = capacity, .role = role };
	if (role == BYTE_RING_PRODUCER) {
		ring->position = positions_fit(head, tail, capacity) ? head : tail & ~(uint64_t)(RECORD_ALIGN - 1);
		atomic_store(&m->head, ring->position);
	} else {
		ring->position = positions_fit(head, tail, capacity) ? tail : head & ~(uint64_t)(RECORD_ALIGN - 1);
		atomic_store(&m->tail, ring->position);
	}
	return 0;
}

static size_t record_size(size_t len)
{
	return RECORD_HEAD + ((len + RECORD_ALIGN - 1) & ~(size_t)(RECORD_ALIGN - 1));
}

static size_t until_end(const struct byte_ring *ring, uint64_t position)
{
	return ring->capacity - (position & (ring->capacity - 1));
}

static uint8_t *data_at(const struct byte_ring *ring, uint64_t position)
{
	return ring->memory->data + (position & (ring->capacity - 1));
}

static void record_mark(uint8_t *at, uint32_t len)
{
	struct record rec = { .len = len };

	memcpy(at, &rec, sizeof(rec));
}

static void copy(uint8_t *to, const void *from, size_t len)
{
	if (len > 0)
		memcpy(to, from, len);
}

static int refuse(struct byte_ring *ring)
{
	uint64_t refused = atomic_load_explicit(&ring->memory->refused, memory_order_relaxed);

	atomic_store_explicit(&ring->memory->refused, refused + 1, memory_order_relaxed);
	return -ENOSPC;
}

int byte_ring_push2(struct byte_ring *ring, const void *head, size_t head_len, const void *body, size_t body_len)
{
	uint64_t tail = atomic_load_explicit(&ring->memory->tail, memory_order_acquire);
	uint64_t position = ring->position;
	size_t size, used = position - tail;
	uint8_t *at;

	if (head_len > ring->capacity || body_len > ring->capacity)
		return -EMSGSIZE;
	size = record_size(head_len + body_len);
	// A record of at most half the ring fits an empty ring wherever it starts: its pad is shorter than itself.
	if (size > ring->capacity / 2)
		return -EMSGSIZE;
	if (!positions_fit(position, tail, ring->capacity))
		return -EBADMSG;
	if (until_end(ring, position) < size) {
		size_t pad = until_end(ring, position);

		if (ring->capacity - used < pad + size)
			return refuse(ring);
		record_mark(data_at(ring, position), RECORD_PAD);
		position += pad;
	} else if (ring->capacity - used < size) {
		return refuse(ring);
	}
	at = data_at(ring, position);
	record_mark(at, (uint32_t)(head_len + body_len));
	copy(at + RECORD_HEAD, head, head_len);
	copy(at + RECORD_HEAD + head_len, body, body_len);
	ring->position = position + size;
	// Sequentially consistent, as is the load of `sleeping` after it: with the consumer's mirrored pair, one of the
	// two sees the other, and no wake is lost.
	atomic_store(&ring->memory->head, ring->position);
	return 0;
}

static uint32_t record_len_at(const struct byte_ring *ring, uint64_t position)
{
	// Read once: the producer could change it between check and use.
	return __atomic_load_n((const uint32_t *)(const void *)data_at(ring, position), __ATOMIC_RELAXED);
}

int byte_ring_peek(struct byte_ring *ring, const void **message, size_t *len)
{
	uint64_t head = atomic_load(&ring->memory->head);
	uint64_t position = ring->position;
	uint32_t n;

	if (head == position)
		return -EAGAIN;
	if (!positions_fit(head, position, ring->capacity))
		return -EBADMSG;
	n = record_len_at(ring, position);
	if (n == RECORD_PAD) {
		position += until_end(ring, position);
		if (!positions_fit(head, position, ring->capacity) || head == position)
			return -EBADMSG;
		n = record_len_at(ring, position);
	}
	if (n > ring->capacity / 2 || record_size(n) > head - position || record_size(n) > until_end(ring, position))
		return -EBADMSG;
	ring->reading = position - ring->position + record_size(n);
	*message = data_at(ring, position) + RECORD_HEAD;
	*len = n;
	return 0;
}

void byte_ring_next(struct byte_ring *ring)
{
	ring->position += ring->reading;
	ring->reading = 0;
	atomic_store_explicit(&ring->memory->tail, ring->position, memory_order_release);
}

uint64_t byte_ring_refused(const struct byte_ring *ring)
{
	return atomic_load_explicit(&ring->memory->refused, memory_order_relaxed);
}

size_t byte_ring_used(const struct byte_ring *ring)
{
	return atomic_load(&ring->memory->head) - atomic_load(&ring->memory->tail);
}

void byte_ring_set_sleeping(struct byte_ring *ring)
{
	atomic_store(&ring->memory->sleeping, 1);
}

int byte_ring_take_sleeping(struct byte_ring *ring)
{
	if (atomic_load(&ring->memory->sleeping) == 0)
		return 0;
	return atomic_exchange(&ring->memory->sleeping, 0) != 0;
}
