// SPDX-License-Identifier: GPL-3.0-or-later
// fuzz_dp_media.c - whole frames into the relay's burst function, with plain, secured and RTCP transports published.
//
// First octet: bits 0-1 which transport a made-up header addresses (0: the rest is the frame itself, from Ethernet on),
// bit 2 from the right source, bit 3 protected with the leg's key, bit 4 IPv6, bit 5 cut the frame's last octet.
// What must hold: every packet ends in exactly one place, no packet memory is lost, and what leaves is a sound frame.
#include "base/secret.h"
#include "dataplane/worker/memory.h"
#include "dataplane/worker/relay.h"
#include "dataplane/worker/srtp/rtp_header.h"
#include "dataplane/worker/srtp/srtp_window.h"
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mempool.h>
#include <rte_udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define POOL 511
#define TO_FRAME 0
#define TO_PLAIN 1
#define TO_SECURED 2
#define TO_RTCP 3

static struct relay relay;
static struct relay_worker *worker;
static struct dp_client *client;
static struct srtp_key *peer_key;
static struct srtp_stream *peer_stream;
static struct dp_port ports[2];
static struct dp_queue queues[2];
static unsigned n_sent, n_punted;

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "fuzz_dp_media: %s\n", what);
	abort();
}

// ---- a port of our own: looks at what leaves

static uint16_t port_rx(struct dp_queue *q, struct rte_mbuf **pkts, uint16_t n)
{
	return 0;
}

static void frame_is_sound(struct rte_mbuf *m)
{
	uint8_t *f = rte_pktmbuf_mtod(m, uint8_t *);
	uint16_t type = (uint16_t)(f[12] << 8 | f[13]);

	must(m->data_len >= 14 && m->data_len <= 1514, "length of a frame");
	if (type == RTE_ETHER_TYPE_IPV4) {
		struct rte_ipv4_hdr *ip = (void *)(f + 14);
		struct rte_udp_hdr *udp = (void *)(ip + 1);
		uint16_t check = udp->dgram_cksum;

		must(rte_be_to_cpu_16(ip->total_length) + 14u == m->data_len, "IPv4 length");
		must(rte_raw_cksum(ip, 20) == 0xffff, "IPv4 checksum");
		udp->dgram_cksum = 0;
		must(rte_ipv4_udptcp_cksum(ip, udp) == check, "UDP checksum");
	} else {
		struct rte_ipv6_hdr *ip = (void *)(f + 14);
		struct rte_udp_hdr *udp = (void *)(ip + 1);
		uint16_t check = udp->dgram_cksum;

		must(type == RTE_ETHER_TYPE_IPV6, "type of a frame");
		must(rte_be_to_cpu_16(ip->payload_len) + 54u == m->data_len, "IPv6 length");
		udp->dgram_cksum = 0;
		must(rte_ipv6_udptcp_cksum(ip, udp) == check, "UDP checksum");
	}
}

static uint16_t port_tx(struct dp_queue *q, struct rte_mbuf **pkts, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		frame_is_sound(pkts[i]);
		rte_pktmbuf_free(pkts[i]);
		n_sent++;
	}
	return n;
}

static bool port_settle(struct dp_queue *q)
{
	return true;
}

static const struct dp_queue_ops ops = { .rx = port_rx, .tx = port_tx, .settle = port_settle };

// ---- set-up

static void on_punt(void *ctx, const struct dp_punt *punt)
{
	n_punted++;
	must(punt->len <= 2048 && punt->kind >= DP_PUNT_STUN && punt->kind <= DP_PUNT_RTCP, "punt");
}

static void on_event(void *ctx, const struct dp_event *event)
{
}

static void config_make(struct dp_config *c)
{
	*c = (struct dp_config){ .n_ports = 2, .n_networks = 2, .n_workers = 1, .max_transports = 16, .replay_window = 128,
				 .hugepages = DP_HUGEPAGES_OFF };
	for (unsigned i = 0; i < 2; i++) {
		c->networks[i].port = (uint8_t)i;
		for (unsigned v6 = 0; v6 < 2; v6++) {
			struct dp_address *a = &c->addresses[c->n_addresses++];
			char text[32];

			*a = (struct dp_address){ .network = (uint8_t)i, .first_port = 16384, .last_port = 16400 };
			snprintf(text, sizeof(text), v6 ? "2001:db8:%u::1" : "192.0.%u.1", i);
			must(inet_addr_parse(&a->addr, text) == 0, text);
		}
	}
}

static struct dp_ref leg(unsigned network, const char *local, uint16_t port, const char *remote, enum dp_security security,
			 enum dp_mode mode)
{
	struct dp_transport_conf conf = { .network = (uint16_t)network, .mode = mode, .local.port = port };
	struct dp_path path = { .remote.port = 4000, .learn = true };
	const struct nexthop hop = { .kind = NEXTHOP_ETHER, .port = (uint8_t)network, .mtu = 1500, .mac = { 2 } };
	struct dp_ref ref;

	must(inet_addr_parse(&conf.local.addr, local) == 0 && inet_addr_parse(&path.remote.addr, remote) == 0, "address");
	must(dp_transport_alloc(client, &ref) == 0, "alloc");
	dp_transport_publish(client, ref, &conf);
	dp_transport_secure(client, ref, security);
	dp_transport_path(client, ref, &path);
	relay_commands(worker);
	nexthop_set(relay.hops, ref.index, relay.map.transports[ref.index].path_serial, &hop);
	return ref;
}

static void join(struct dp_ref x, struct dp_ref y)
{
	dp_transport_edges(client, x, &(struct dp_edge){ .to = y, .open = true }, 1);
	dp_transport_edges(client, y, &(struct dp_edge){ .to = x, .open = true }, 1);
}

static void legs_make(void)
{
	struct dp_keys keys = { .direction = DP_RX, .epoch = 1, .master.suite = SRTP_AEAD_AES_128_GCM };
	struct dp_ref plain4 = leg(0, "192.0.0.1", 16384, "198.51.100.1", DP_PLAIN, DP_MODE_RTP);
	struct dp_ref secured4 = leg(1, "192.0.1.1", 16386, "198.51.100.2", DP_SRTP, DP_MODE_RTP);
	struct dp_ref plain6 = leg(0, "2001:db8::1", 16384, "2001:db8:ff::1", DP_PLAIN, DP_MODE_RTP);
	struct dp_ref secured6 = leg(1, "2001:db8:1::1", 16386, "2001:db8:ff::2", DP_SRTP, DP_MODE_RTP);

	leg(0, "192.0.0.1", 16385, "198.51.100.1", DP_PLAIN, DP_MODE_RTCP);
	leg(0, "2001:db8::1", 16385, "2001:db8:ff::1", DP_PLAIN, DP_MODE_RTCP);
	join(plain4, secured4);
	join(plain6, secured6);
	for (unsigned direction = DP_RX; direction <= DP_TX; direction++) {
		keys.direction = direction;
		keys.master.key[0] = (uint8_t)direction;
		dp_transport_keys(client, secured4, &keys);
		dp_transport_keys(client, secured6, &keys);
		if (direction == DP_RX)
			must(srtp_key_derive(worker->engine, peer_key, &keys.master, 0) == 0, "derive");
	}
	while (relay_commands(worker) > 0)
		continue;
}

static void relay_make(void)
{
	const struct dp_callbacks callbacks = { .punt = on_punt, .event = on_event };
	struct dp_config config;
	struct region region;
	char why[256] = "";

	config_make(&config);
	must(region_create(&region, "fuzz", dp_region_size(&config), false) == 0, "region");
	must(dp_region_format(region.base, region.size, &config) == 0, "format");
	must(dp_map_open(&relay.map, region.fd) == 0, "map");
	must(memory_open(&config, POOL, &relay.pool, why) == 0, why);
	relay.control_event = eventfd(0, EFD_NONBLOCK);
	for (unsigned i = 0; i < 2; i++) {
		queues[i] = (struct dp_queue){ .ops = &ops, .port = &ports[i], .fd = -1 };
		ports[i] = (struct dp_port){ .index = (uint8_t)i, .mtu = 1500, .n_queues = 1, .queues = { &queues[i] } };
		relay.ports[i] = &ports[i];
	}
	must(relay_table_open(&relay.table, &config) == 0, "table");
	must(nexthops_open(&relay.hops, &relay.map, relay.table, relay.ports, relay.control_event) == 0, "next hops");
	must(relay_worker_open(&worker, &relay, 0) == 0, "worker");
	relay.workers[0] = worker;
	must(dp_client_open(&client, dup(region.fd), relay.control_event, relay.control_event, &callbacks) == 0, "client");
	peer_key = aligned_alloc(64, sizeof(*peer_key));
	peer_stream = aligned_alloc(64, sizeof(*peer_stream));
	must(peer_key != NULL && peer_stream != NULL, "memory");
	legs_make();
}

// ---- one input

static size_t headers_make(uint8_t *f, uint8_t flags, size_t len)
{
	unsigned which = flags & 3;
	bool v6 = flags & 16, secured = which == TO_SECURED;
	const struct dp_address *to = &relay.map.config.addresses[(secured ? 2 : 0) + (v6 ? 1 : 0)];
	uint16_t port = secured ? 16386 : which == TO_RTCP ? 16385 : 16384;
	struct inet_addr from;
	uint8_t *udp;

	must(inet_addr_parse(&from, v6 ? (secured ? "2001:db8:ff::2" : "2001:db8:ff::1")
				       : (secured ? "198.51.100.2" : "198.51.100.1")) == 0, "source");
	memset(f, 0, 64);
	if (v6) {
		struct rte_ipv6_hdr *ip = (void *)(f + 14);

		f[12] = 0x86;
		f[13] = 0xdd;
		ip->vtc_flow = RTE_BE32(0x60000000);
		ip->payload_len = rte_cpu_to_be_16((uint16_t)(len + 8));
		ip->proto = IPPROTO_UDP;
		memcpy(ip->src_addr, from.bytes, 16);
		memcpy(ip->dst_addr, to->addr.bytes, 16);
		udp = (uint8_t *)(ip + 1);
	} else {
		struct rte_ipv4_hdr *ip = (void *)(f + 14);

		f[12] = 8;
		ip->version_ihl = 0x45;
		ip->total_length = rte_cpu_to_be_16((uint16_t)(len + 28));
		ip->next_proto_id = IPPROTO_UDP;
		memcpy(&ip->src_addr, from.bytes, 4);
		memcpy(&ip->dst_addr, to->addr.bytes, 4);
		ip->hdr_checksum = rte_ipv4_cksum(ip);
		udp = (uint8_t *)(ip + 1);
	}
	udp[0] = (flags & 4) ? 4000 >> 8 : 1;
	udp[1] = 4000 & 0xff;
	udp[2] = (uint8_t)(port >> 8);
	udp[3] = (uint8_t)port;
	udp[4] = (uint8_t)((len + 8) >> 8);
	udp[5] = (uint8_t)(len + 8);
	return (size_t)(udp + 8 - f);
}

static size_t protect(uint8_t *at, size_t len)
{
	struct srtp_op op = { .packet = at, .len = (uint16_t)len, .room = (uint16_t)(len + 16), .key = peer_key,
			      .stream = peer_stream, .hdr_len = rtp_header_len(at, len) };

	if (op.hdr_len == 0)
		return len;
	srtp_stream_init(peer_stream, rtp_ssrc(at), 0, 128); // each input anew: the relay sees repeats, too
	srtp_protect_burst(worker->engine, &op, 1);
	return op.result == SRTP_OK ? op.len : len;
}

static uint64_t ended(void)
{
	uint64_t n = worker->record->ignored + n_sent;

	for (unsigned i = 1; i < RELAY_DROP_COUNT; i++)
		n += worker->record->drops[i];
	for (unsigned k = 0; k < DP_CLASSES; k++)
		n += worker->record->punts[k];
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned before_free;
	struct rte_mbuf *m;
	uint64_t before;
	uint8_t *at;
	size_t len;

	if (worker == NULL)
		relay_make();
	if (size < 1 || size > 1600)
		return 0;
	before_free = rte_mempool_avail_count(relay.pool);
	before = ended();
	m = rte_pktmbuf_alloc(relay.pool);
	must(m != NULL, "packet memory");
	at = rte_pktmbuf_mtod(m, uint8_t *);
	len = 0;
	if ((data[0] & 3) != TO_FRAME)
		len = headers_make(at, data[0], size - 1);
	memcpy(at + len, data + 1, size - 1);
	if ((data[0] & 3) != TO_FRAME && (data[0] & 8)) {
		size_t secured = protect(at + len, size - 1);

		headers_make(at, data[0], secured);
		len += secured;
	} else {
		len += size - 1;
	}
	if ((data[0] & 32) && len > 0)
		len--;
	m->data_len = (uint16_t)len;
	m->pkt_len = (uint32_t)len;
	m->port = (data[0] & 3) == TO_SECURED || data[0] & 64;
	m->vlan_tci = 0;
	worker->now += 1000000;
	relay_burst(worker, &m, 1);
	relay_flush(worker);
	dp_client_dispatch(client);
	must(ended() == before + 1, "a packet ended nowhere, or twice");
	must(rte_mempool_avail_count(relay.pool) == before_free, "packet memory was lost");
	return 0;
}
