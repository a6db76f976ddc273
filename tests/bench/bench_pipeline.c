// SPDX-License-Identifier: GPL-3.0-or-later
// bench_pipeline.c - the relay's own burst function over net_null, with 10,000 sessions in random order: ns a packet.
//
//   bench_pipeline SUITE PAYLOAD OUT [BURST]       SUITE: 0 plain, 1 CM_SHA1_80, 5 GCM-128, 6 GCM-256; OUT: 0 plain, 1
//   same suite
//
// Timed: rx burst, all stages, tx burst. Not timed: the copy that stands for the device's DMA. Every packet is counted
// at its leg: a figure with drops is no figure, and ends with an error.
#include "base/secret.h"
#include "dataplane/worker/memory.h"
#include "dataplane/worker/relay.h"
#include "dataplane/worker/srtp/srtp_window.h"
#include <arpa/inet.h>
#include <errno.h>
#include <rte_cycles.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define SESSIONS 10000
#define PASSES 6
#define WARM 2 // passes that do not count
#define RUNS 5
#define FRAME_MAX 1600
#define FIRST_PORT 20000

static struct {
	enum srtp_suite suite;
	unsigned payload, burst;
	bool secured_out;
	struct relay relay;
	struct relay_worker *w;
	struct region region;
	struct dp_client *dp;
	struct dp_ref in[SESSIONS], out[SESSIONS];
	struct srtp_master master[SESSIONS];
	uint8_t (*frames)[FRAME_MAX];
	size_t frame_len;
	uint32_t order[SESSIONS];
	double bursts[SESSIONS * PASSES];
} b;

static void must(int err, const char *what)
{
	if (err >= 0)
		return;
	fprintf(stderr, "%s: %s\n", what, strerror(-err));
	exit(1);
}

static void nothing_event(void *ctx, const struct dp_event *event)
{
}

static void nothing_punt(void *ctx, const struct dp_punt *punt)
{
}

static void config_make(struct dp_config *c)
{
	*c = (struct dp_config){ .n_ports = 2, .n_networks = 2, .n_addresses = 2, .n_workers = 1, .replay_window = 128,
				 .poll = DP_POLL_BUSY, .max_transports = 2 * SESSIONS };
	for (unsigned i = 0; i < 2; i++) {
		snprintf(c->ports[i].name, sizeof(c->ports[i].name), "null%u", i);
		c->ports[i].driver = DP_DRIVER_NULL;
		c->networks[i].port = (uint8_t)i;
		c->addresses[i] = (struct dp_address){ .network = (uint8_t)i,
						       .first_port = FIRST_PORT,
						       .last_port = 40000 };
		c->addresses[i].addr.family = INET_V4;
		memcpy(c->addresses[i].addr.bytes, (uint8_t[]){ 192, 0, 2, (uint8_t)(1 + i) }, 4);
	}
	c->worker_cpu[0] = UINT16_MAX;
}

static void relay_make(void)
{
	const struct dp_callbacks callbacks = { .event = nothing_event, .punt = nothing_punt };
	struct dp_config config;
	char why[256] = "";
	int event = eventfd(0, EFD_NONBLOCK);

	config_make(&config);
	must(region_create(&b.region, "bench", dp_region_size(&config), true), "region");
	must(dp_region_format(b.region.base, b.region.size, &config), "format");
	must(dp_map_open(&b.relay.map, dup(b.region.fd)), "map");
	b.relay.control_event = event;
	if (memory_open(&config, 16383, &b.relay.pool, why) < 0) {
		fprintf(stderr, "%s\n", why);
		exit(1);
	}
	for (unsigned i = 0; i < 2; i++)
		must(dp_port_open(&b.relay.ports[i], &config, i, -1, false, b.relay.pool, why), why);
	must(relay_table_open(&b.relay.table, &config), "table");
	must(nexthops_open(&b.relay.hops, &b.relay.map, b.relay.table, b.relay.ports, event), "next hops");
	must(relay_worker_open(&b.w, &b.relay, 0), "worker");
	b.relay.workers[0] = b.w;
	must(dp_client_open(&b.dp, dup(b.region.fd), event, event, &callbacks), "client");
	printf("crypto %s, region on %s, packets on %s\n", srtp_engine_arch(b.w->engine),
	       b.region.huge ? "hugepages" : "4 KB pages", rte_eal_has_hugepages() ? "hugepages" : "4 KB pages");
}

// Commands only: a round would also take net_null's endless packets.
static void apply(void)
{
	while (relay_commands(b.w) > 0)
		dp_client_dispatch(b.dp);
	dp_client_dispatch(b.dp);
}

static void keys_give(struct dp_ref ref, enum dp_direction direction, const struct srtp_master *master)
{
	struct dp_keys keys = { .direction = direction, .epoch = 1, .master = *master };

	dp_transport_keys(b.dp, ref, &keys);
}

static struct dp_ref leg_make(unsigned network, unsigned session, bool secured)
{
	struct dp_transport_conf conf = { .network = (uint16_t)network, .mode = DP_MODE_RTP };
	struct dp_path path = { 0 };
	struct dp_ref ref;

	conf.local.addr = b.relay.map.config.addresses[network].addr;
	conf.local.port = (uint16_t)(FIRST_PORT + session);
	path.remote.addr.family = INET_V4;
	memcpy(path.remote.addr.bytes, (uint8_t[]){ 198, 51, 100, (uint8_t)(1 + network) }, 4);
	path.remote.port = 4000;
	must(dp_transport_alloc(b.dp, &ref), "alloc");
	dp_transport_publish(b.dp, ref, &conf);
	dp_transport_secure(b.dp, ref, secured ? DP_SRTP : DP_PLAIN);
	dp_transport_path(b.dp, ref, &path);
	return ref;
}

static void sessions_make(void)
{
	for (unsigned i = 0; i < SESSIONS; i++) {
		const struct nexthop hop = {
			.kind = NEXTHOP_ETHER, .port = 1, .mtu = 1500, .mac = { 2, 0, 0, 0, 0, 2 }
		};

		b.master[i].suite = b.suite;
		must(secret_random(b.master[i].key, sizeof(b.master[i].key)), "random");
		must(secret_random(b.master[i].salt, sizeof(b.master[i].salt)), "random");
		b.in[i] = leg_make(0, i, b.suite != SRTP_SUITE_NONE);
		b.out[i] = leg_make(1, i, b.secured_out);
		if (b.suite != SRTP_SUITE_NONE)
			keys_give(b.in[i], DP_RX, &b.master[i]);
		if (b.secured_out) {
			struct srtp_master other = b.master[i];

			other.key[0] ^= 1;
			keys_give(b.out[i], DP_TX, &other);
		}
		dp_transport_edges(b.dp, b.in[i], &(struct dp_edge){ .to = b.out[i], .open = true }, 1);
		apply();
		nexthop_set(b.relay.hops, b.out[i].index, b.relay.map.transports[b.out[i].index].path_serial, &hop);
	}
}

// ---- frames as they would come in

static void order_make(void)
{
	for (uint32_t i = 0; i < SESSIONS; i++)
		b.order[i] = i;
	for (uint32_t i = SESSIONS - 1; i > 0; i--) {
		uint32_t j = (uint32_t)random() % (i + 1), swap = b.order[i];

		b.order[i] = b.order[j];
		b.order[j] = swap;
	}
}

static size_t rtp_make(uint8_t *at, unsigned session, unsigned pass, struct srtp_key *key, struct srtp_stream *stream)
{
	uint32_t ssrc = htonl(1000 + session), stamp = htonl(pass * 160);
	struct srtp_op op = { .packet = at,
			      .len = (uint16_t)(12 + b.payload),
			      .hdr_len = 12,
			      .key = key,
			      .stream = stream,
			      .room = (uint16_t)(12 + b.payload + SRTP_TAG_MAX) };

	memcpy(at, (uint8_t[]){ 0x80, 96, 0, (uint8_t)(1 + pass) }, 4);
	memcpy(at + 4, &stamp, 4);
	memcpy(at + 8, &ssrc, 4);
	memset(at + 12, (int)pass, b.payload);
	if (b.suite == SRTP_SUITE_NONE)
		return op.len;
	srtp_protect_burst(b.w->engine, &op, 1);
	must(op.result == SRTP_OK ? 0 : -EIO, "protect");
	return op.len;
}

static void be16(uint8_t *at, unsigned v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static void frame_make(uint8_t *f, unsigned session, size_t rtp_len)
{
	uint32_t sum = 0;

	memset(f, 0, 42);
	f[0] = 2;
	f[12] = 8;
	f[14] = 0x45;
	be16(f + 16, (unsigned)(28 + rtp_len));
	f[22] = 64;
	f[23] = IPPROTO_UDP;
	memcpy(f + 26, (uint8_t[]){ 198, 51, 100, 1, 192, 0, 2, 1 }, 8);
	for (unsigned i = 14; i < 34; i += 2)
		sum += (unsigned)(f[i] << 8 | f[i + 1]);
	be16(f + 24, ~((sum & 0xffff) + (sum >> 16)) & 0xffff);
	be16(f + 34, 4000);
	be16(f + 36, FIRST_PORT + session);
	be16(f + 38, (unsigned)(8 + rtp_len));
	b.frame_len = 42 + rtp_len;
}

static void frames_make(void)
{
	struct srtp_key *key = aligned_alloc(64, sizeof(*key));
	struct srtp_stream *stream = aligned_alloc(64, sizeof(*stream));

	b.frames = malloc((size_t)SESSIONS * PASSES * FRAME_MAX);
	must(key == NULL || stream == NULL || b.frames == NULL ? -ENOMEM : 0, "frames");
	for (unsigned k = 0; k < SESSIONS; k++) {
		unsigned session = b.order[k];

		if (b.suite != SRTP_SUITE_NONE)
			must(srtp_key_derive(b.w->engine, key, &b.master[session], NULL, 0), "derive");
		srtp_stream_init(stream, 1000 + session, 0, 128);
		for (unsigned pass = 0; pass < PASSES; pass++) {
			uint8_t *f = b.frames[pass * SESSIONS + k];

			frame_make(f, session, rtp_make(f + 42, session, pass, key, stream));
		}
	}
	free(key);
	free(stream);
}

// ---- the measurement

static void sessions_forget(void) // each run starts with streams unbound
{
	for (unsigned i = 0; i < SESSIONS; i++) {
		dp_transport_remove(b.dp, b.in[i]);
		dp_transport_remove(b.dp, b.out[i]);
		apply();
	}
}

static int by_value(const void *x, const void *y)
{
	double d = *(const double *)x - *(const double *)y;

	return d < 0 ? -1 : d > 0;
}

// Mean of all bursts; *median of the bursts, which another process on this core hardly moves.
static double run(double *median)
{
	struct dp_queue *rx = b.relay.ports[0]->queues[0];
	uint64_t cycles = 0, counted = 0, n_bursts = 0;

	for (unsigned t = 0; t + b.burst <= SESSIONS * PASSES; t += b.burst) {
		struct rte_mbuf *pkts[RELAY_BURST];
		uint64_t start = rte_rdtsc(), took;
		uint16_t n = rx->ops->rx(rx, pkts, (uint16_t)b.burst);

		took = rte_rdtsc() - start;
		for (unsigned i = 0; i < n; i++) {
			memcpy(rte_pktmbuf_mtod(pkts[i], uint8_t *), b.frames[t + i], b.frame_len);
			pkts[i]->data_len = (uint16_t)b.frame_len;
			pkts[i]->pkt_len = (uint32_t)b.frame_len;
		}
		start = rte_rdtsc();
		b.w->now = clock_now();
		relay_burst(b.w, pkts, n);
		relay_flush(b.w);
		took += rte_rdtsc() - start;
		if (t >= WARM * SESSIONS) {
			cycles += took;
			counted += n;
			b.bursts[n_bursts++] = (double)took * 1e9 / (double)rte_get_tsc_hz() / n;
		}
	}
	qsort(b.bursts, n_bursts, sizeof(b.bursts[0]), by_value);
	*median = b.bursts[n_bursts / 2];
	return (double)cycles * 1e9 / (double)rte_get_tsc_hz() / (double)counted;
}

static void check(void)
{
	uint64_t sent = 0;

	for (unsigned i = 0; i < SESSIONS; i++) {
		struct dp_stats stats;

		must(dp_transport_stats(b.dp, b.out[i], &stats), "stats");
		sent += stats.tx_packets;
	}
	for (unsigned d = 1; d < RELAY_DROP_COUNT; d++) {
		if (b.w->record->drops[d] != 0)
			fprintf(stderr, "drop %s: %llu\n", relay_drop_name[d],
				(unsigned long long)b.w->record->drops[d]);
	}
	must(sent == SESSIONS * PASSES / b.burst * b.burst ? 0 : -EIO, "not every packet came through");
}

int main(int argc, char **argv)
{
	double ns[RUNS], median[RUNS];

	if (argc < 4) {
		fprintf(stderr, "usage: bench_pipeline SUITE PAYLOAD OUT [BURST]\n");
		return 2;
	}
	b.suite = (enum srtp_suite)atoi(argv[1]);
	b.payload = (unsigned)atoi(argv[2]);
	b.secured_out = atoi(argv[3]) != 0;
	b.burst = argc > 4 ? (unsigned)atoi(argv[4]) : RELAY_BURST;
	relay_make();
	order_make();
	for (unsigned r = 0; r < RUNS; r++) {
		sessions_make();
		frames_make();
		memset(b.w->record->drops, 0, sizeof(b.w->record->drops));
		ns[r] = run(&median[r]);
		check();
		sessions_forget();
		free(b.frames);
	}
	qsort(ns, RUNS, sizeof(ns[0]), by_value);
	qsort(median, RUNS, sizeof(median[0]), by_value);
	printf("%s payload %u %s burst %u sessions %u: %.1f ns/pkt = %.2f Mpps (%.1f to %.1f; "
	       "median burst %.1f)\n",
	       srtp_suite_name(b.suite), b.payload, b.secured_out ? "SRTP->SRTP" : "->RTP", b.burst, SESSIONS,
	       ns[RUNS / 2], 1e3 / ns[RUNS / 2], ns[0], ns[RUNS - 1], median[RUNS / 2]);
	return 0;
}
