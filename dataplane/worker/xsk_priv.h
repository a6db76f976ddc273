// SPDX-License-Identifier: GPL-3.0-or-later
// xsk_priv.h - an AF_XDP queue, as its port makes it and its worker uses it.
#pragma once
#include "dataplane/worker/dp_port.h"
#include <xdp/xsk.h>

#define XSK_RING 2048
#define XSK_FILL 1024  // frames that wait for packets, a queue
#define XSK_REFILL 64  // and are topped up by so many

struct xsk_umem_of;

struct xsk_queue {
	struct dp_queue queue;
	struct xsk_socket *socket;
	struct xsk_ring_cons rx, completion;
	struct xsk_ring_prod tx, fill;
	struct rte_mempool *pool;
	uint8_t *base;         // of the umem
	uint32_t fill_missing; // frames that the fill ring should have and has not
	uint32_t tx_pending;   // frames in the kernel's hands
	bool busy_poll;        // the device is polled by our own calls
	bool starved;          // no packet memory when we last looked
	uint64_t pool_empty;   // times that this began; worker: wo, main thread: ro
	struct xsk_umem_of *umem;
};

extern const struct dp_queue_ops xsk_ops;

void xsk_fill_up(struct xsk_queue *q);
