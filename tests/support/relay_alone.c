// SPDX-License-Identifier: GPL-3.0-or-later
// relay_alone.c - a worker between two ports that only remember.
#include "tests/support/relay_alone.h"
#include "dataplane/worker/memory.h"
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define POOL 511

static struct relay_alone alone;

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "relay_alone: %s\n", what);
	abort();
}

static uint16_t port_rx(struct dp_queue *q, struct rte_mbuf **pkts, uint16_t n)
{
	struct alone_queue *queue = (struct alone_queue *)q;
	uint16_t got = 0;

	for (; got < n && queue->n > 0; got++, queue->n--)
		pkts[got] = queue->frames[queue->head++ % ALONE_QUEUED];
	return got;
}

static uint16_t port_tx(struct dp_queue *q, struct rte_mbuf **pkts, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		struct alone_frame *f = &alone.sent[alone.n_sent++ % ALONE_FRAMES];

		must(pkts[i]->data_len <= sizeof(f->bytes) && pkts[i]->nb_segs == 1, "frame");
		f->port = q->port->index;
		f->queue = q->id;
		f->len = pkts[i]->data_len;
		memcpy(f->bytes, rte_pktmbuf_mtod(pkts[i], const void *), f->len);
		rte_pktmbuf_free(pkts[i]);
	}
	return n;
}

static bool port_settle(struct dp_queue *q)
{
	return true;
}

static const struct dp_queue_ops ops = { .rx = port_rx, .tx = port_tx, .settle = port_settle };

static void on_punt(void *ctx, const struct dp_punt *punt)
{
	alone.n_punts++;
	alone.last_punt = *punt;
	if (alone.punted != NULL)
		alone.punted(punt);
}

static void on_traced(void *ctx, const struct dp_traced *packet)
{
	if (alone.traced != NULL)
		alone.traced(packet);
}

static void on_event(void *ctx, const struct dp_event *event)
{
	alone.n_events++;
	alone.last_event = *event;
	alone.events[event->kind % 16]++;
}

static void config_make(struct dp_config *c, unsigned n_workers, uint16_t vlan, uint16_t mtu)
{
	*c = (struct dp_config){ .n_ports = 2,
				 .n_networks = 2,
				 .n_workers = (uint8_t)n_workers,
				 .max_transports = 64,
				 .replay_window = 128,
				 .hugepages = DP_HUGEPAGES_OFF };
	for (unsigned i = 0; i < 2; i++) {
		c->networks[i].port = (uint8_t)i;
		c->ports[i].mtu = mtu;
		for (unsigned v6 = 0; v6 < 2; v6++) {
			struct dp_address *a = &c->addresses[c->n_addresses++];
			char text[32];

			*a = (struct dp_address){ .network = (uint8_t)i, .first_port = 16384, .last_port = 16400 };
			snprintf(text, sizeof(text), v6 ? "2001:db8:%u::1" : "192.0.%u.1", i);
			must(inet_addr_parse(&a->addr, text) == 0, text);
		}
	}
	c->networks[1].vlan = vlan;
}

static void ports_make(unsigned n_queues, uint16_t mtu)
{
	for (unsigned i = 0; i < 2; i++) {
		alone.ports[i] = (struct dp_port){ .index = (uint8_t)i,
						   .mac = { 2, 0, 0, 0, 0, (uint8_t)(1 + i) },
						   .mtu = mtu,
						   .n_queues = (uint16_t)n_queues };
		for (unsigned q = 0; q < n_queues; q++) {
			alone.queues[i][q].queue =
				(struct dp_queue){ .ops = &ops, .port = &alone.ports[i], .id = (uint16_t)q, .fd = -1 };
			alone.ports[i].queues[q] = &alone.queues[i][q].queue;
		}
		alone.relay.ports[i] = &alone.ports[i];
	}
}

static void workers_open(void)
{
	for (unsigned i = 0; i < alone.n_workers; i++)
		must(relay_worker_open(&alone.relay.workers[i], &alone.relay, i) == 0, "worker");
	alone.worker = alone.relay.workers[0];
}

static void workers_close(void)
{
	for (unsigned i = 0; i < alone.n_workers; i++) {
		relay_worker_close(alone.relay.workers[i]);
		alone.relay.workers[i] = NULL;
	}
}

static struct relay_alone *alone_open(unsigned n_workers, uint16_t vlan_of_second, uint16_t mtu)
{
	const struct dp_callbacks callbacks = { .punt = on_punt, .event = on_event, .traced = on_traced };
	struct dp_config config;
	struct region region;
	char why[256] = "";

	config_make(&config, n_workers, vlan_of_second, mtu);
	alone.n_workers = n_workers;
	must(region_create(&region, "alone", dp_region_size(&config), false) == 0, "region");
	must(dp_region_format(region.base, region.size, &config) == 0, "format");
	must(dp_map_open(&alone.relay.map, dup(region.fd)) == 0, "map");
	must(memory_open(&config, n_workers == 1 ? POOL : 8 * POOL + 7, &alone.relay.pool, why) == 0, why);
	alone.relay.control_event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	ports_make(n_workers, mtu);
	must(relay_table_open(&alone.relay.table, &config) == 0, "table");
	must(nexthops_open(&alone.relay.hops, &alone.relay.map, alone.relay.table, alone.relay.ports,
			   alone.relay.control_event) == 0, "next hops");
	workers_open();
	must(dp_client_open(&alone.client, dup(region.fd), alone.relay.control_event, alone.relay.control_event,
			    &callbacks) == 0, "client");
	region_unmap(&region);
	alone.worker->now = MONO_S(1000);
	return &alone;
}

struct relay_alone *relay_alone_open(uint16_t vlan_of_second)
{
	return alone_open(1, vlan_of_second, 1500);
}

struct relay_alone *relay_alone_open_workers(unsigned n_workers)
{
	return alone_open(n_workers, 0, 1500);
}

struct relay_alone *relay_alone_open_long(uint16_t vlan_of_second, uint16_t mtu)
{
	return alone_open(1, vlan_of_second, mtu);
}

void relay_alone_close(struct relay_alone *ra)
{
	dp_client_close(ra->client);
	nexthops_close(ra->relay.hops);
	workers_close();
	relay_table_close(ra->relay.table);
	memory_close(ra->relay.pool);
	close(ra->relay.control_event);
	dp_map_close(&ra->relay.map);
}

void relay_alone_commands(struct relay_alone *ra)
{
	while (relay_commands(ra->worker) > 0)
		dp_client_dispatch(ra->client);
	relay_flush(ra->worker);
	dp_client_dispatch(ra->client);
}

struct dp_ref relay_alone_leg(struct relay_alone *ra, unsigned network, const char *local, uint16_t port,
			      const char *remote, enum dp_security security, enum dp_mode mode)
{
	struct dp_transport_conf conf = { .network = (uint16_t)network, .mode = mode, .local.port = port };
	struct nexthop hop = { .kind = NEXTHOP_ETHER, .port = (uint8_t)network, .mac = { 2, 9 } };
	struct dp_path path = { .remote.port = 4000, .learn = true };
	struct dp_ref ref;

	hop.mtu = ra->ports[network].mtu;
	hop.vlan = ra->relay.map.config.networks[network].vlan;
	must(inet_addr_parse(&conf.local.addr, local) == 0 && inet_addr_parse(&path.remote.addr, remote) == 0,
	     "address");
	must(dp_transport_alloc(ra->client, &ref) == 0, "alloc");
	dp_transport_publish(ra->client, ref, &conf);
	dp_transport_secure(ra->client, ref, security);
	dp_transport_path(ra->client, ref, &path);
	relay_alone_commands(ra);
	must(nexthop_set(ra->relay.hops, ref.index, ra->relay.map.transports[ref.index].out.path_serial, &hop), "headers");
	return ref;
}

static struct rte_mbuf *frame_new(struct relay_alone *ra, unsigned port, const void *bytes, size_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(ra->relay.pool);

	must(m != NULL, "packet memory");
	must(len <= rte_pktmbuf_tailroom(m), "frame length");
	memcpy(rte_pktmbuf_mtod(m, void *), bytes, len);
	m->data_len = (uint16_t)len;
	m->pkt_len = (uint32_t)len;
	m->port = (uint16_t)port;
	m->vlan_tci = 0;
	return m;
}

void relay_alone_put(struct relay_alone *ra, unsigned port, unsigned queue, const void *bytes, size_t len)
{
	struct alone_queue *q = &ra->queues[port][queue];

	must(q->n < ALONE_QUEUED, "queue");
	q->frames[(q->head + q->n++) % ALONE_QUEUED] = frame_new(ra, port, bytes, len);
}

void relay_alone_round(struct relay_alone *ra, unsigned worker)
{
	relay_worker_round(ra->relay.workers[worker]);
	dp_client_dispatch(ra->client);
}

void relay_alone_frame(struct relay_alone *ra, unsigned port, const void *bytes, size_t len)
{
	struct rte_mbuf *m = frame_new(ra, port, bytes, len);

	ra->worker->now += MONO_MS(1);
	relay_burst(ra->worker, &m, 1);
	relay_flush(ra->worker);
	dp_client_dispatch(ra->client);
}

size_t relay_alone_frame_make(uint8_t *f, const struct alone_to *to, const void *payload, size_t len)
{
	size_t at = 12;
	uint32_t sum = 0;
	uint8_t *ip;

	memset(f, 0, 64);
	if (to->vlan != 0) {
		memcpy(f + at, (uint8_t[]){ 0x81, 0, 0, (uint8_t)to->vlan }, 4);
		at += 4;
	}
	f[at] = 8;
	ip = f + at + 2;
	ip[0] = 0x45;
	ip[2] = (uint8_t)((len + 28) >> 8);
	ip[3] = (uint8_t)(len + 28);
	ip[8] = 64;
	ip[9] = IPPROTO_UDP;
	memcpy(ip + 12, (uint8_t[]){ 198, 51, 100, to->source_last, 192, 0, (uint8_t)to->network, 1 }, 8);
	for (unsigned i = 0; i < 20; i += 2)
		sum += (unsigned)(ip[i] << 8 | ip[i + 1]);
	sum = ~((sum & 0xffff) + (sum >> 16));
	ip[10] = (uint8_t)(sum >> 8);
	ip[11] = (uint8_t)sum;
	memcpy(ip + 20,
	       (uint8_t[]){ (uint8_t)(to->source_port >> 8), (uint8_t)to->source_port, (uint8_t)(to->port >> 8),
			    (uint8_t)to->port, (uint8_t)((len + 8) >> 8), (uint8_t)(len + 8) },
	       6);
	if (len > 0)
		memcpy(ip + 28, payload, len);
	return (size_t)(ip + 28 - f) + len;
}

void relay_alone_datagram(struct relay_alone *ra, const struct alone_to *to, const void *payload, size_t len)
{
	uint8_t frame[2048];

	relay_alone_frame(ra, to->network, frame, relay_alone_frame_make(frame, to, payload, len));
}

void relay_alone_reopen(struct relay_alone *ra)
{
	mono_ns now = ra->worker->now;

	workers_close();
	workers_open();
	ra->worker->now = now;
}

uint32_t relay_alone_free_streams(const struct relay_alone *ra)
{
	struct dp_pool_fill fill = dp_client_pool(ra->client, DP_POOL_STREAMS);

	return fill.max - fill.used;
}

uint64_t relay_alone_ended(const struct relay_alone *ra)
{
	const struct dp_worker_record *r = ra->worker->record;
	uint64_t n = r->ignored + ra->n_sent;

	for (unsigned i = 1; i < RELAY_DROP_COUNT; i++)
		n += r->drops[i];
	for (unsigned k = 0; k < DP_CLASSES; k++)
		n += r->punts[k];
	return n;
}
