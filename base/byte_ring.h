// SPDX-License-Identifier: GPL-3.0-or-later
// byte_ring.h - single producer, single consumer ring of length-prefixed messages in memory shared by two processes.
// Either side may be killed at any instruction: a message is there wholly or not at all, and one that was being read is
// read again (the consumer moves on with byte_ring_next() only after it has acted). The other process is another trust
// domain: capacity and own position are kept outside the shared memory, the other's position and every length are
// checked on each use. A broken ring reports -EBADMSG; the side that attaches next starts it empty.
#pragma once
#include <stddef.h>
#include <stdint.h>

struct byte_ring_memory; // the part in the shared region; no pointers inside

enum byte_ring_role { BYTE_RING_PRODUCER, BYTE_RING_CONSUMER };

struct byte_ring { // one side's private handle; plain value, nothing to release
	struct byte_ring_memory *memory;
	size_t capacity;
	uint64_t position; // bytes written (producer) or acted upon (consumer) since the ring was formatted
	size_t reading;    // consumer: record at `position` that byte_ring_next() leaves behind
	enum byte_ring_role role;
};

// Bytes of memory for a ring of `capacity` data bytes: a power of two, 64 at least. Memory is aligned to 64.
size_t byte_ring_footprint(size_t capacity);
int byte_ring_format(void *memory, size_t capacity); // once, by the region's maker; zeroed memory is no ring yet
int byte_ring_attach(struct byte_ring *ring, void *memory, size_t capacity, enum byte_ring_role role);
// -ENOSPC: full (counted in the ring). -EMSGSIZE: above half the capacity. -EBADMSG: the consumer broke it.
int byte_ring_push2(struct byte_ring *ring, const void *head, size_t head_len, const void *body, size_t body_len);
// The next message in place, contiguous, aligned to 8, valid until byte_ring_next(); -EAGAIN when empty. The producer
// could still change the bytes: copy before checking what matters.
int byte_ring_peek(struct byte_ring *ring, const void **message, size_t *len);
void byte_ring_next(struct byte_ring *ring);
uint64_t byte_ring_refused(const struct byte_ring *ring); // messages that did not fit
size_t byte_ring_used(const struct byte_ring *ring);      // bytes pushed and not acted upon yet, from either side
// Sleep protocol: the consumer sets sleeping before a last peek; a producer that sees it clears it and rings the
// eventfd.
void byte_ring_set_sleeping(struct byte_ring *ring);
int byte_ring_take_sleeping(struct byte_ring *ring); // after a push; 1: the producer must wake the consumer
