// SPDX-License-Identifier: GPL-3.0-or-later
// byte_ring.h - single producer, single consumer ring of length-prefixed messages in memory shared by two processes.
// Either side may be killed at any instruction: a message is there wholly or not at all, and one that was being read is
// read again (the consumer moves on with byte_ring_next() only after it has acted). Positions are checked on every use,
// since the other process is another trust domain: a broken ring reports -EBADMSG and is reset by its owner.
#pragma once
#include <stddef.h>
#include <stdint.h>

struct byte_ring; // lives in the shared region; no pointers inside

size_t byte_ring_footprint(size_t capacity); // bytes of memory for a ring of `capacity` (a power of two) data bytes
int byte_ring_init(struct byte_ring *ring, size_t capacity);
int byte_ring_push2(struct byte_ring *ring, const void *head, size_t head_len, const void *body, size_t body_len);
								      // -ENOSPC: full (counted in the ring)
// The next message in place, contiguous, valid until byte_ring_next(); -EAGAIN when empty.
int byte_ring_peek(struct byte_ring *ring, const void **message, size_t *len);
void byte_ring_next(struct byte_ring *ring);
uint64_t byte_ring_refused(const struct byte_ring *ring);
// Sleep protocol: the consumer sets sleeping before a last peek; a producer that sees it clears it and rings the eventfd.
void byte_ring_set_sleeping(struct byte_ring *ring);
int byte_ring_take_sleeping(struct byte_ring *ring); // 1: the producer must wake the consumer
