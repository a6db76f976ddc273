// SPDX-License-Identifier: GPL-3.0-or-later
// xsk_port.c - AF_XDP, one socket a queue, all over one umem that is the mbuf pool itself: a packet is never copied
// between the rings and the workers. Why not DPDK's PMD: docs/decisions/0020-xsk-port.md.
//
// A frame in the rings is an mbuf of the pool: address = where the mempool element starts, offset = where the data is
// (unaligned chunks). The kernel keeps XDP_PACKET_HEADROOM in front of a received frame.
#include "dataplane/worker/dp_port.h"
#include <errno.h>
#include <linux/bpf.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <bpf/bpf.h>
#include <poll.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <xdp/xsk.h>

#define RING 2048
#define FILL 1024          // frames that wait for packets, a queue
#define KICKS 8            // calls at most to get a burst out
#define REFILL 64          // and are topped up by so many
#define BIND_TRIES 100     // a zero-copy queue is free only when the kernel has buried the last owner's socket
#define BIND_PAUSE_NS 5000000

struct xsk_queue {
	struct dp_queue queue;
	struct xsk_socket *socket;
	struct xsk_ring_cons rx, completion;
	struct xsk_ring_prod tx, fill;
	struct rte_mempool *pool;
	uint8_t *base;         // of the umem
	uint32_t fill_missing; // frames that the fill ring should have and has not
	uint32_t tx_pending;   // frames in the kernel's hands
};

struct xsk_shared { // the umem: one for all ports, made with the first
	struct xsk_umem *umem;
	struct rte_mempool *pool;
	uint8_t *base;
	unsigned users;
	struct xsk_ring_prod fill; // libxdp wants a pair at creation; the first socket takes it
	struct xsk_ring_cons completion;
	bool pair_taken;
};

static struct xsk_shared shared; // main thread only

// ---- addresses

static uint8_t *element_of(const struct rte_mempool *pool, struct rte_mbuf *m)
{
	return (uint8_t *)m - pool->header_size;
}

static struct rte_mbuf *mbuf_at(const struct xsk_queue *q, uint64_t address)
{
	return (struct rte_mbuf *)(q->base + xsk_umem__extract_addr(address) + q->pool->header_size);
}

// ---- one queue's day

static void fill_up(struct xsk_queue *q)
{
	struct rte_mbuf *pkts[REFILL];
	uint32_t at;

	while (q->fill_missing >= REFILL) {
		if (rte_pktmbuf_alloc_bulk(q->pool, pkts, REFILL) != 0)
			return; // memory is out: what the workers free comes back here
		if (xsk_ring_prod__reserve(&q->fill, REFILL, &at) == 0) {
			rte_pktmbuf_free_bulk(pkts, REFILL);
			return;
		}
		for (unsigned i = 0; i < REFILL; i++)
			*xsk_ring_prod__fill_addr(&q->fill,
						  at + i) = (uint64_t)(element_of(q->pool, pkts[i]) - q->base);
		xsk_ring_prod__submit(&q->fill, REFILL);
		q->fill_missing -= REFILL;
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

static uint16_t xsk_rx(struct dp_queue *queue, struct rte_mbuf **pkts, uint16_t n)
{
	struct xsk_queue *q = (struct xsk_queue *)queue;
	uint32_t at, got = xsk_ring_cons__peek(&q->rx, n, &at);

	if (got == 0) {
		fill_up(q);
		// Never poll() here with a timeout: the worker has other ports. A driver that asks for a nudge gets
		// one.
		if (xsk_ring_prod__needs_wakeup(&q->fill))
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
	fill_up(q);
	return (uint16_t)got;
}

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

static uint16_t xsk_tx(struct dp_queue *queue, struct rte_mbuf **pkts, uint16_t n)
{
	struct xsk_queue *q = (struct xsk_queue *)queue;
	uint32_t at, room;

	reclaim(q);
	room = xsk_prod_nb_free(&q->tx, n);
	// Not more than the completion ring can give back: else the kernel would have nowhere to put them.
	if (room > RING - q->tx_pending)
		room = RING - q->tx_pending;
	if (n > room)
		n = (uint16_t)room;
	if (n > 0 && xsk_ring_prod__reserve(&q->tx, n, &at) == n) {
		for (uint16_t i = 0; i < n; i++) {
			struct xdp_desc *d = xsk_ring_prod__tx_desc(&q->tx, at + i);
			uint8_t *element = element_of(q->pool, pkts[i]);
			uint64_t offset = (uint64_t)(rte_pktmbuf_mtod(pkts[i], uint8_t *) - element);

			d->addr = (uint64_t)(element - q->base) | offset << XSK_UNALIGNED_BUF_OFFSET_SHIFT;
			d->len = pkts[i]->data_len;
			d->options = 0;
		}
		xsk_ring_prod__submit(&q->tx, n);
		q->tx_pending += n;
	} else {
		n = 0;
	}
	kick(q);
	return n;
}

static bool xsk_settle(struct dp_queue *queue)
{
	struct xsk_queue *q = (struct xsk_queue *)queue;

	kick(q);
	reclaim(q);
	fill_up(q);
	return !tx_waits(q) && q->fill_missing < REFILL;
}

static const struct dp_queue_ops xsk_ops = { .rx = xsk_rx, .tx = xsk_tx, .settle = xsk_settle };

// ---- birth

static void area_of(struct rte_mempool *pool, void *opaque, struct rte_mempool_memhdr *chunk, unsigned idx)
{
	uintptr_t *span = opaque;
	uintptr_t first = (uintptr_t)chunk->addr & ~(uintptr_t)4095;
	uintptr_t last = ((uintptr_t)chunk->addr + chunk->len + 4095) & ~(uintptr_t)4095;

	if (idx == 0 || first < span[0])
		span[0] = first;
	if (idx == 0 || last > span[1])
		span[1] = last;
}

static int umem_open(struct rte_mempool *pool)
{
	struct xsk_umem_config cfg = {
		.fill_size = RING,
		.comp_size = RING,
		.frame_size = rte_mempool_calc_obj_size(pool->elt_size, pool->flags, NULL),
		.frame_headroom = pool->header_size + sizeof(struct rte_mbuf) + rte_pktmbuf_priv_size(pool) +
				  RTE_PKTMBUF_HEADROOM - XDP_PACKET_HEADROOM,
		.flags = XDP_UMEM_UNALIGNED_CHUNK_FLAG,
	};
	uintptr_t span[2] = { 0, 0 };
	int err;

	if (shared.users > 0)
		return shared.pool == pool ? 0 : -EXDEV;
	rte_mempool_mem_iter(pool, area_of, span);
	err = xsk_umem__create(&shared.umem, (void *)span[0], span[1] - span[0], &shared.fill, &shared.completion,
			       &cfg);
	if (err < 0)
		return err;
	shared.pool = pool;
	shared.base = (uint8_t *)span[0];
	shared.pair_taken = false;
	return 0;
}

static void umem_release(void)
{
	if (shared.umem != NULL && shared.users == 0) {
		xsk_umem__delete(shared.umem);
		shared.umem = NULL;
	}
}

// Queues by which the interface may receive: each must have its socket, for the program redirects by queue. What knows
// no channels (lo) has one.
static unsigned rx_queues(const char *name)
{
	struct ethtool_channels channels = { .cmd = ETHTOOL_GCHANNELS };
	struct ifreq ifr = { .ifr_data = (char *)&channels };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	unsigned n = 1;

	if (fd < 0)
		return 1;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%.15s", name);
	if (ioctl(fd, SIOCETHTOOL, &ifr) == 0 && channels.combined_count + channels.rx_count > 0)
		n = channels.combined_count + channels.rx_count;
	close(fd);
	return n;
}

static int socket_bind(struct xsk_queue *q, const char *name, const struct xsk_socket_config *cfg)
{
	int err = -EBUSY;

	for (unsigned i = 0; i < BIND_TRIES && err == -EBUSY; i++) {
		if (i > 0)
			nanosleep(&(struct timespec){ .tv_nsec = BIND_PAUSE_NS }, NULL);
		err = xsk_socket__create_shared(&q->socket, name, q->queue.id, shared.umem, &q->rx, &q->tx,
						shared.pair_taken ? &q->fill : &shared.fill,
						shared.pair_taken ? &q->completion : &shared.completion, cfg);
	}
	if (err == 0 && !shared.pair_taken) {
		q->fill = shared.fill;
		q->completion = shared.completion;
		shared.pair_taken = true;
	}
	return err;
}

static int queue_open(struct dp_port *port, uint16_t id, bool copy, int map_fd)
{
	struct xsk_socket_config cfg = {
		.rx_size = RING,
		.tx_size = RING,
		.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
		.bind_flags = XDP_USE_NEED_WAKEUP | (copy ? XDP_COPY : 0),
	};
	struct xsk_queue *q = aligned_alloc(64, (sizeof(*q) + 63) / 64 * 64);
	uint32_t key = id;
	int fd, err;

	if (q == NULL)
		return -ENOMEM;
	*q = (struct xsk_queue){
		.queue = { .ops = &xsk_ops, .port = port, .id = id, .fd = -1 },
		.pool = shared.pool,
		.base = shared.base,
		.fill_missing = FILL,
	};
	err = socket_bind(q, port->name, &cfg);
	if (err < 0) {
		free(q);
		return err;
	}
	shared.users++;
	port->queues[port->n_queues++] = &q->queue;
	fd = xsk_socket__fd(q->socket);
	q->queue.fd = fd;
	fill_up(q);
	// Last: from here on the program hands packets over.
	return bpf_map_update_elem(map_fd, &key, &fd, BPF_ANY) < 0 ? -errno : 0;
}

static void xsk_port_close(struct dp_port *port)
{
	for (unsigned i = 0; i < port->n_queues; i++) {
		struct xsk_queue *q = (struct xsk_queue *)port->queues[i];

		xsk_socket__delete(q->socket);
		shared.users--;
		free(q);
	}
	umem_release();
	free(port);
}

int xsk_port_open(struct dp_port **portp, const struct dp_port_config *pc, unsigned index, int map_fd,
		  bool copy, struct rte_mempool *pool, char why[256])
{
	struct dp_port *port = calloc(1, sizeof(*port));
	unsigned n;
	int err;

	if (port == NULL)
		return -ENOMEM;
	port->close = xsk_port_close;
	port->index = (uint8_t)index;
	snprintf(port->name, sizeof(port->name), "%s", pc->name);
	err = interface_look(port, pc->name);
	if (err < 0) {
		snprintf(why, 256, "interface %s: %s", pc->name, strerror(-err));
		goto out;
	}
	n = rx_queues(pc->name);
	if (n > DP_QUEUES_MAX) {
		snprintf(why, 256, "interface %s has %u receive queues, more than %d: ethtool -L %s combined %d",
			 pc->name, n, DP_QUEUES_MAX, pc->name, DP_QUEUES_MAX);
		err = -E2BIG;
		goto out;
	}
	err = umem_open(pool);
	if (err < 0) {
		snprintf(why, 256, "packet memory cannot be registered for AF_XDP: %s", strerror(-err));
		goto out;
	}
	for (unsigned i = 0; i < n; i++) {
		err = queue_open(port, (uint16_t)i, copy, map_fd);
		if (err < 0) {
			snprintf(why, 256,
				 "interface %s: queue %u of %u cannot be bound (%s); if it has none: ethtool -L %s "
				 "combined %u",
				 pc->name, i, n, strerror(-err), pc->name, i > 0 ? i : 1);
			goto out;
		}
	}
	*portp = port;
	port = NULL;
out:
	dp_port_close(port);
	return err;
}
