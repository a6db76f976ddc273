// SPDX-License-Identifier: GPL-3.0-or-later
// xsk_queue.c - one AF_XDP queue's day. A frame in the rings is an mbuf of the pool: address = where the mempool
// element starts, offset = where the data is (unaligned chunks). The kernel keeps XDP_PACKET_HEADROOM in front of a
// received frame.
#include "dataplane/worker/xsk_priv.h"
#include <errno.h>
#include <linux/bpf.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <sys/socket.h>
#include <string.h>
#include "dataplane/fastpath.h"

#define KICKS 8 // calls at most to get a burst out

// ---- addresses

static uint8_t *element_of(const struct rte_mempool *pool, struct rte_mbuf *m)
{
	return (uint8_t *)m - pool->header_size;
}

static struct rte_mbuf *mbuf_at(const struct xsk_queue *q, uint64_t address)
{
	return (struct rte_mbuf *)(q->base + xsk_umem__extract_addr(address) + q->pool->header_size);
}

// ---- memory

// Counted when it begins, not each time that we look again.
static void starves(struct xsk_queue *q, bool now)
{
	if (now && !q->starved)
		dp_count(&q->pool_empty, 1);
	q->starved = now;
}

void xsk_fill_up(struct xsk_queue *q)
{
	struct rte_mbuf *pkts[XSK_REFILL];
	uint32_t at;

	while (q->fill_missing >= XSK_REFILL) {
		if (rte_pktmbuf_alloc_bulk(q->pool, pkts, XSK_REFILL) != 0) {
			starves(q, true); // what the workers free comes back here
			return;
		}
		starves(q, false);
		if (xsk_ring_prod__reserve(&q->fill, XSK_REFILL, &at) == 0) {
			rte_pktmbuf_free_bulk(pkts, XSK_REFILL);
			return;
		}
		for (unsigned i = 0; i < XSK_REFILL; i++)
			*xsk_ring_prod__fill_addr(&q->fill,
						  at + i) = (uint64_t)(element_of(q->pool, pkts[i]) - q->base);
		xsk_ring_prod__submit(&q->fill, XSK_REFILL);
		q->fill_missing -= XSK_REFILL;
	}
}

static void reclaim(struct xsk_queue *q)
{
	struct rte_mbuf *done[64];
	uint32_t at, n;

	while (q->tx_pending > 0 && (n = xsk_ring_cons__peek(&q->completion, 64, &at)) > 0) {
		for (uint32_t i = 0; i < n; i++)
			done[i] = mbuf_at(q, *xsk_ring_cons__comp_addr(&q->completion, at + i));
		xsk_ring_cons__release(&q->completion, n);
		rte_pktmbuf_free_bulk(done, n);
		q->tx_pending -= n;
	}
}

// ---- in

static uint16_t xsk_rx(struct dp_queue *queue, struct rte_mbuf **pkts, uint16_t n)
{
	struct xsk_queue *q = (struct xsk_queue *)queue;
	uint32_t at, got = xsk_ring_cons__peek(&q->rx, n, &at);

	if (got == 0) {
		xsk_fill_up(q);
		// Never poll() here with a timeout: the worker has other ports. A driver that asks for a nudge gets one,
		// and one that we are to poll is polled by this very call.
		if (q->busy_poll || xsk_ring_prod__needs_wakeup(&q->fill))
			recvfrom(q->queue.fd, NULL, 0, MSG_DONTWAIT, NULL, NULL);
		return 0;
	}
	for (uint32_t i = 0; i < got; i++) {
		const struct xdp_desc *d = xsk_ring_cons__rx_desc(&q->rx, at + i);
		struct rte_mbuf *m = mbuf_at(q, d->addr);

		m->data_off = (uint16_t)(xsk_umem__extract_offset(d->addr) - sizeof(struct rte_mbuf) -
					 rte_pktmbuf_priv_size(q->pool) - q->pool->header_size);
		m->data_len = (uint16_t)d->len;
		m->pkt_len = d->len;
		m->port = q->queue.port->index;
		m->vlan_tci = 0;
		m->ol_flags = 0;
		pkts[i] = m;
	}
	xsk_ring_cons__release(&q->rx, got);
	q->fill_missing += got;
	xsk_fill_up(q);
	return (uint16_t)got;
}

// ---- out

static bool tx_waits(const struct xsk_queue *q)
{
	return __atomic_load_n(q->tx.consumer, __ATOMIC_ACQUIRE) != *q->tx.producer;
}

// One call moves a batch of the ring only. Bounded: a device that takes nothing is tried again with the next burst.
static void kick(struct xsk_queue *q)
{
	for (unsigned i = 0; i < KICKS && tx_waits(q) && xsk_ring_prod__needs_wakeup(&q->tx); i++) {
		if (sendto(q->queue.fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 && errno != EAGAIN)
			return;
	}
}

// A packet that came in on another NUMA node is not in our umem: only then it is copied. NULL: no memory.
static struct rte_mbuf *at_home(struct xsk_queue *q, struct rte_mbuf *m)
{
	struct rte_mbuf *copy;
	char *bytes;

	if (m->pool == q->pool)
		return m;
	copy = rte_pktmbuf_alloc(q->pool);
	bytes = copy == NULL ? NULL : rte_pktmbuf_append(copy, m->data_len);
	if (bytes == NULL) {
		rte_pktmbuf_free(copy);
		starves(q, true);
		return NULL;
	}
	memcpy(bytes, rte_pktmbuf_mtod(m, const void *), m->data_len);
	rte_pktmbuf_free(m);
	return copy;
}

static uint32_t tx_room(struct xsk_queue *q, uint32_t n)
{
	uint32_t room = xsk_prod_nb_free(&q->tx, n);

	// Not more than the completion ring can give back: else the kernel would have nowhere to put them.
	if (room > XSK_RING - q->tx_pending)
		room = XSK_RING - q->tx_pending;
	return n < room ? n : room;
}

static void frame_write(struct xsk_queue *q, struct xdp_desc *d, struct rte_mbuf *m)
{
	uint8_t *element = element_of(q->pool, m);
	uint64_t offset = (uint64_t)(rte_pktmbuf_mtod(m, uint8_t *) - element);

	d->addr = (uint64_t)(element - q->base) | offset << XSK_UNALIGNED_BUF_OFFSET_SHIFT;
	d->len = m->data_len;
	d->options = 0;
}

static uint16_t xsk_tx(struct dp_queue *queue, struct rte_mbuf **pkts, uint16_t n)
{
	struct xsk_queue *q = (struct xsk_queue *)queue;
	uint32_t at = 0, room;
	uint16_t sent = 0;

	reclaim(q);
	room = tx_room(q, n);
	for (struct rte_mbuf *m; sent < room && (m = at_home(q, pkts[sent])) != NULL; sent++)
		pkts[sent] = m;
	if (sent > 0 && xsk_ring_prod__reserve(&q->tx, sent, &at) == sent) {
		for (uint16_t i = 0; i < sent; i++)
			frame_write(q, xsk_ring_prod__tx_desc(&q->tx, at + i), pkts[i]);
		xsk_ring_prod__submit(&q->tx, sent);
		q->tx_pending += sent;
	} else {
		sent = 0;
	}
	kick(q);
	return sent;
}

static bool xsk_settle(struct dp_queue *queue)
{
	struct xsk_queue *q = (struct xsk_queue *)queue;

	kick(q);
	reclaim(q);
	xsk_fill_up(q);
	return !tx_waits(q) && q->fill_missing < XSK_REFILL;
}

const struct dp_queue_ops xsk_ops = { .rx = xsk_rx, .tx = xsk_tx, .settle = xsk_settle };
