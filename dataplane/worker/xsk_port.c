// SPDX-License-Identifier: GPL-3.0-or-later
// xsk_port.c - AF_XDP, one socket a queue, all over umems that are the mbuf pools themselves: a packet is never copied
// between the rings and the workers. Why not DPDK's PMD: docs/decisions/0020-xsk-port.md; who shares a umem: 0096.
#include "dataplane/worker/memory.h"
#include "dataplane/worker/xsk_priv.h"
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BIND_TRIES 100     // a zero-copy queue is free only when the kernel has buried the last owner's socket
#define BIND_PAUSE_NS 5000000

// One registration of a pool with the kernel. The sockets of one agree on zero-copy, so a pool has up to two.
struct xsk_umem_of {
	struct xsk_umem *umem; // NULL: not in use
	struct rte_mempool *pool;
	bool zero_copy;
	uint8_t *base;
	unsigned users;
	struct xsk_ring_prod fill; // libxdp wants a pair at creation; the first socket takes it
	struct xsk_ring_cons completion;
	bool pair_taken;
};

static struct xsk_umem_of umems[2 * MEMORY_NODES]; // main thread only

// ---- umems

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

static int umem_register(struct xsk_umem_of *u, struct rte_mempool *pool, bool zero_copy)
{
	struct xsk_umem_config cfg = {
		.fill_size = XSK_RING,
		.comp_size = XSK_RING,
		.frame_size = rte_mempool_calc_obj_size(pool->elt_size, pool->flags, NULL),
		.frame_headroom = pool->header_size + sizeof(struct rte_mbuf) + rte_pktmbuf_priv_size(pool) +
				  RTE_PKTMBUF_HEADROOM - XDP_PACKET_HEADROOM,
		.flags = XDP_UMEM_UNALIGNED_CHUNK_FLAG,
	};
	uintptr_t span[2] = { 0, 0 };

	rte_mempool_mem_iter(pool, area_of, span);
	*u = (struct xsk_umem_of){ .pool = pool, .zero_copy = zero_copy, .base = (uint8_t *)span[0] };
	return xsk_umem__create(&u->umem, (void *)span[0], span[1] - span[0], &u->fill, &u->completion, &cfg);
}

static int umem_get(struct xsk_umem_of **up, struct rte_mempool *pool, bool zero_copy)
{
	struct xsk_umem_of *room = NULL;
	int err;

	for (unsigned i = 0; i < sizeof(umems) / sizeof(umems[0]); i++) {
		struct xsk_umem_of *u = &umems[i];

		if (u->umem == NULL) {
			room = u;
		} else if (u->pool == pool && u->zero_copy == zero_copy) {
			*up = u;
			return 0;
		}
	}
	if (room == NULL)
		return -ENOSPC;
	err = umem_register(room, pool, zero_copy);
	if (err < 0)
		room->umem = NULL;
	else
		*up = room;
	return err;
}

static void umem_release(struct xsk_umem_of *u)
{
	if (u->umem != NULL && u->users == 0) {
		xsk_umem__delete(u->umem);
		u->umem = NULL;
	}
}

// ---- queues

// Each queue must have its socket, for the program redirects by queue. What knows no channels (lo) has one.
unsigned xsk_rx_queues(const char *name)
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
	struct xsk_umem_of *u = q->umem;
	int err = -EBUSY;

	for (unsigned i = 0; i < BIND_TRIES && err == -EBUSY; i++) {
		if (i > 0)
			nanosleep(&(struct timespec){ .tv_nsec = BIND_PAUSE_NS }, NULL);
		err = xsk_socket__create_shared(&q->socket, name, q->queue.id, u->umem, &q->rx, &q->tx,
						u->pair_taken ? &q->fill : &u->fill,
						u->pair_taken ? &q->completion : &u->completion, cfg);
	}
	if (err == 0 && !u->pair_taken) {
		q->fill = u->fill;
		q->completion = u->completion;
		u->pair_taken = true;
	}
	return err;
}

static int queue_open(struct dp_port *port, uint16_t id, struct xsk_umem_of *u)
{
	struct xsk_socket_config cfg = {
		.rx_size = XSK_RING,
		.tx_size = XSK_RING,
		.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
		.bind_flags = XDP_USE_NEED_WAKEUP | (u->zero_copy ? XDP_ZEROCOPY : XDP_COPY),
	};
	struct xsk_queue *q = aligned_alloc(64, (sizeof(*q) + 63) / 64 * 64);
	int err;

	if (q == NULL)
		return -ENOMEM;
	*q = (struct xsk_queue){
		.queue = { .ops = &xsk_ops, .port = port, .id = id, .fd = -1 },
		.pool = u->pool,
		.base = u->base,
		.umem = u,
		.fill_missing = XSK_FILL,
	};
	err = socket_bind(q, port->name, &cfg);
	if (err < 0) {
		free(q);
		return err;
	}
	u->users++;
	port->queues[port->n_queues++] = &q->queue;
	q->queue.fd = xsk_socket__fd(q->socket);
	return 0;
}

static void queues_close(struct dp_port *port)
{
	for (; port->n_queues > 0; port->n_queues--) {
		struct xsk_queue *q = (struct xsk_queue *)port->queues[port->n_queues - 1];

		xsk_socket__delete(q->socket);
		q->umem->users--;
		umem_release(q->umem);
		free(q);
	}
}

static int queues_open(struct dp_port *port, unsigned n, bool zero_copy, char why[256])
{
	struct xsk_umem_of *u;
	int err = umem_get(&u, port->pool, zero_copy);

	if (err < 0) {
		snprintf(why, 256, "packet memory cannot be registered for AF_XDP: %s", strerror(-err));
		return err;
	}
	for (unsigned i = 0; i < n && err == 0; i++) {
		err = queue_open(port, (uint16_t)i, u);
		if (err < 0)
			snprintf(why, 256,
				 "interface %s: queue %u of %u cannot be bound%s (%s); if it has none: ethtool -L %s "
				 "combined %u",
				 port->name, i, n, zero_copy ? " for zero-copy" : "", strerror(-err), port->name,
				 i > 0 ? i : 1);
	}
	if (err < 0) {
		queues_close(port);
		umem_release(u);
	}
	return err;
}

// ---- zero-copy or not

static void words(char dst[DP_PORT_WORDS], const char *text)
{
	snprintf(dst, DP_PORT_WORDS, "%s", text);
}

static const char *xdp_mode_of(const struct dp_port *port)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, q);

	if (bpf_xdp_query(port->ifindex, 0, &q) < 0)
		return "unknown";
	return q.drv_prog_id != 0 ? "native" : q.skb_prog_id != 0 ? "generic" : "none";
}

static int queues_bind(struct dp_port *port, const struct dp_port_config *pc, unsigned n, char why[256])
{
	struct dp_port_way *way = &port->way;
	bool generic = strcmp(way->xdp, "generic") == 0;
	int err = -EOPNOTSUPP;

	if (pc->zero_copy == DP_ZERO_COPY_ON && generic) {
		snprintf(why, 256, "interface %s: zero_copy: on needs native XDP, and its program is generic", pc->name);
		return err;
	}
	if (pc->zero_copy != DP_ZERO_COPY_OFF && !generic)
		err = queues_open(port, n, true, why);
	way->zero_copy = err == 0;
	if (err == 0 || pc->zero_copy == DP_ZERO_COPY_ON)
		words(way->zero_copy_why, "the driver can");
	else if (pc->zero_copy == DP_ZERO_COPY_OFF)
		words(way->zero_copy_why, "settings");
	else if (generic)
		words(way->zero_copy_why, "generic XDP cannot");
	else
		snprintf(way->zero_copy_why, sizeof(way->zero_copy_why), "the driver cannot: %s", strerror(-err));
	return err == 0 || pc->zero_copy == DP_ZERO_COPY_ON ? err : queues_open(port, n, false, why);
}

// ---- busy polling: the device works when the worker asks, and not by interrupts

static int option(int fd, int name, int value)
{
	return setsockopt(fd, SOL_SOCKET, name, &value, sizeof(value)) < 0 ? -errno : 0;
}

// Interrupts stay off between two polls only if the interface is told to wait with them.
static void busy_poll_describe(struct dp_port *port)
{
	static const char *const files[] = { "napi_defer_hard_irqs", "gro_flush_timeout" };
	char path[128];

	words(port->way.busy_poll_why, "settings");
	for (unsigned i = 0; i < 2; i++) {
		unsigned long n = 0;
		FILE *in;

		snprintf(path, sizeof(path), "/sys/class/net/%s/%s", port->name, files[i]);
		in = fopen(path, "re");
		if (in == NULL)
			continue;
		if (fscanf(in, "%lu", &n) == 1 && n == 0)
			snprintf(port->way.busy_poll_why, sizeof(port->way.busy_poll_why),
				 "settings, but %s is 0: interrupts go on", files[i]);
		fclose(in);
	}
}

static int busy_poll_set(struct dp_port *port, const struct dp_port_config *pc, char why[256])
{
	if (pc->busy_poll == 0) {
		words(port->way.busy_poll_why, "settings");
		return 0;
	}
	for (unsigned i = 0; i < port->n_queues; i++) {
		struct xsk_queue *q = (struct xsk_queue *)port->queues[i];
		int err = option(q->queue.fd, SO_PREFER_BUSY_POLL, 1);

		if (err == 0)
			err = option(q->queue.fd, SO_BUSY_POLL, pc->busy_poll_us);
		if (err == 0)
			err = option(q->queue.fd, SO_BUSY_POLL_BUDGET, pc->busy_poll);
		if (err < 0) {
			snprintf(why, 256, "interface %s: busy_poll cannot be set: %s", pc->name, strerror(-err));
			return err;
		}
		q->busy_poll = true;
	}
	port->way.busy_poll = pc->busy_poll;
	busy_poll_describe(port);
	return 0;
}

// ---- the port

static void xsk_port_sample(struct dp_port *port, struct dp_port_record *record)
{
	uint64_t empty = 0, missed = 0;

	for (unsigned i = 0; i < port->n_queues; i++) {
		const struct xsk_queue *q = (const struct xsk_queue *)port->queues[i];
		struct xdp_statistics s = { 0 };
		socklen_t len = sizeof(s);

		empty += dp_counter(&q->pool_empty);
		if (getsockopt(q->queue.fd, SOL_XDP, XDP_STATISTICS, &s, &len) == 0)
			missed += s.rx_dropped + s.rx_ring_full;
	}
	dp_record_set(&record->pool_empty, empty);
	dp_record_set(&record->missed, missed);
}

static void xsk_port_close(struct dp_port *port)
{
	queues_close(port);
	free(port);
}

// From here on the program hands packets over.
static int queues_enter(struct dp_port *port, int map_fd, char why[256])
{
	for (unsigned i = 0; i < port->n_queues; i++) {
		uint32_t key = port->queues[i]->id;

		xsk_fill_up((struct xsk_queue *)port->queues[i]);
		if (bpf_map_update_elem(map_fd, &key, &port->queues[i]->fd, BPF_ANY) < 0) {
			snprintf(why, 256, "interface %s: queue %u: XDP's map: %s", port->name, i, strerror(errno));
			return -errno;
		}
	}
	return 0;
}

static int queues_count(const struct dp_port_config *pc, char why[256])
{
	unsigned n = xsk_rx_queues(pc->name), want = pc->queues;

	if (want == 0 && n > DP_QUEUES_MAX)
		want = DP_QUEUES_MAX;
	if (want == 0 || n == want)
		return (int)n;
	snprintf(why, 256, "interface %s has %u receive queues, %s %u: ethtool -L %s combined %u", pc->name, n,
		 pc->queues != 0 ? "the settings say" : "more than", want, pc->name, want);
	return -E2BIG;
}

static void way_describe(struct dp_port *port, const struct dp_port_config *pc)
{
	struct dp_port_way *way = &port->way;

	words(way->tx_checksum_why, "settings");
	if (pc->tx_checksum == DP_TX_CHECKSUM_ZERO)
		port->tx_checksum = DP_CHECKSUM_ZERO;
	else if (pc->tx_checksum == DP_TX_CHECKSUM_AUTO)
		words(way->tx_checksum_why, "AF_XDP has no offload here");
	words(way->rx_checksum, "none: XDP comes before it");
	words(way->rss, port->n_queues > 1 ? "as ethtool -x shows" : "none: one queue");
	words(way->linux_by, "XDP_PASS");
	snprintf(way->driver, sizeof(way->driver), "af_xdp");
	snprintf(way->rings, sizeof(way->rings), "%s", pc->queues != 0 ? "settings" : "interface");
}

int xsk_port_open(struct dp_port **portp, const struct dp_port_config *pc, unsigned index, int map_fd,
		  struct rte_mempool *pool, char why[256])
{
	struct dp_port *port = calloc(1, sizeof(*port));
	int n, err;

	if (port == NULL)
		return -ENOMEM;
	port->close = xsk_port_close;
	port->sample = xsk_port_sample;
	port->index = (uint8_t)index;
	port->pool = pool;
	snprintf(port->name, sizeof(port->name), "%s", pc->name);
	err = interface_look(port, pc->name);
	if (err < 0) {
		snprintf(why, 256, "interface %s: %s", pc->name, strerror(-err));
		goto out;
	}
	err = n = queues_count(pc, why);
	if (err < 0)
		goto out;
	snprintf(port->way.xdp, sizeof(port->way.xdp), "%s", xdp_mode_of(port));
	err = queues_bind(port, pc, (unsigned)n, why);
	if (err == 0)
		err = busy_poll_set(port, pc, why);
	if (err == 0)
		err = queues_enter(port, map_fd, why);
	if (err < 0)
		goto out;
	way_describe(port, pc);
	*portp = port;
	port = NULL;
out:
	dp_port_close(port);
	return err;
}
