// SPDX-License-Identifier: GPL-3.0-or-later
// bench_pipeline.c - the relay's own burst function over net_null, with many sessions in random order: ns a packet.
//
//   bench_pipeline [OPTIONS OF limit] [--suite plain] [--out NAME]
//
// One line of JSON: ns with the UDP checksum zero, and the same with it in software. Timed: rx burst, all stages, tx
// burst. Not timed: the copy that stands for the device's DMA. Every packet is counted at its leg, and libsrtp2 looks
// at a part of them: a figure with drops is no figure, and ends with an error. Sessions begin anew with each repeat,
// frames are the same.
#include "base/clock.h"
#include "dataplane/worker/memory.h"
#include "dataplane/worker/relay.h"
#include "tests/bench/frames.h"
#include "tests/bench/measure.h"
#include "tests/bench/options.h"
#include <arpa/inet.h>
#include <errno.h>
#include <rte_eal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define PACKETS 16383

static struct {
	struct options options;
	struct frames frames;
	struct measure measure;
	struct relay relay;
	struct relay_worker *w;
	struct region region;
	struct dp_client *dp;
	struct dp_ref *in, *out;  // of each session
	struct dp_queue *leaving; // where the relay sends: watched in the run that does not count
	struct dp_queue_ops watched;
	const struct dp_queue_ops *device;
	unsigned at; // of the frames: the burst that is being relayed
	unsigned long wrong, checked;
} b;

static void must(int err, const char *what)
{
	if (err >= 0)
		return;
	fprintf(stderr, "bench_pipeline: %s: %s\n", what, strerror(-err));
	exit(1);
}

// ---- the relay, without its threads

static void nothing_event(void *ctx, const struct dp_event *event) {}

static void nothing_punt(void *ctx, const struct dp_punt *punt) {}

// Two ports; the media addresses of the first are those that the frames go to.
static void config_make(struct dp_config *c)
{
	unsigned n = b.options.addresses;

	*c = (struct dp_config){ .n_ports = 2,
				 .n_networks = 2,
				 .n_addresses = (uint8_t)(2 * n),
				 .n_workers = 1,
				 .replay_window = 128,
				 .poll = DP_POLL_BUSY,
				 .max_transports = 2 * b.options.sessions,
				 .hugepages = b.options.no_huge ? DP_HUGEPAGES_OFF : DP_HUGEPAGES_AUTO };
	c->memory_mb = 128 +
		       (uint32_t)((uint64_t)b.options.sessions * b.options.passes * (b.options.payload + 128) >> 20);
	for (unsigned i = 0; i < 2; i++) {
		snprintf(c->ports[i].name, sizeof(c->ports[i].name), "null%u", i);
		c->ports[i].driver = DP_DRIVER_NULL;
		c->networks[i].port = (uint8_t)i;
	}
	for (unsigned i = 0; i < 2 * n; i++) {
		uint32_t addr = htonl(frames_address(&b.frames.plan, i % n) + (i < n ? 0 : 128));

		c->addresses[i] = (struct dp_address){ .network = i >= n,
						       .first_port = FRAMES_FIRST_PORT,
						       .last_port = FRAMES_FIRST_PORT + FRAMES_PORTS - 1 };
		c->addresses[i].addr.family = INET_V4;
		memcpy(c->addresses[i].addr.bytes, &addr, 4);
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
	must(region_create(&b.region, "bench", dp_region_size(&config), !b.options.no_huge), "region");
	must(dp_region_format(b.region.base, b.region.size, &config), "format");
	must(dp_map_open(&b.relay.map, dup(b.region.fd)), "map");
	b.relay.control_event = event;
	must(memory_open(&config, PACKETS, &b.relay.pool, why), why);
	for (unsigned i = 0; i < 2; i++)
		must(dp_port_open(&b.relay.ports[i], &config, i, -1, b.relay.pool, why), why);
	must(relay_table_open(&b.relay.table, &config), "table");
	must(nexthops_open(&b.relay.hops, &b.relay.map, b.relay.table, b.relay.ports, event), "next hops");
	must(relay_worker_open(&b.w, &b.relay, 0), "worker");
	b.relay.workers[0] = b.w;
	must(dp_client_open(&b.dp, dup(b.region.fd), event, event, &callbacks), "client");
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
	const struct dp_keys keys = { .direction = direction, .epoch = 1, .master = *master };

	if (master->suite != SRTP_SUITE_NONE)
		dp_transport_keys(b.dp, ref, &keys);
}

static struct dp_ref leg_make(unsigned network, unsigned session, bool secured)
{
	struct dp_transport_conf conf = { .network = (uint16_t)network, .mode = DP_MODE_RTP };
	unsigned address = session % b.options.addresses + network * b.options.addresses;
	struct dp_path path = { 0 };
	struct dp_ref ref;

	conf.local.addr = b.relay.map.config.addresses[address].addr;
	conf.local.port = frames_port(&b.frames.plan, session);
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
	const struct nexthop hop = { .kind = NEXTHOP_ETHER, .port = 1, .mtu = 1500, .mac = { 2, 0, 0, 0, 0, 2 } };

	for (unsigned i = 0; i < b.options.sessions; i++) {
		b.in[i] = leg_make(0, i, b.options.in != SRTP_SUITE_NONE);
		b.out[i] = leg_make(1, i, b.options.out != SRTP_SUITE_NONE);
		keys_give(b.in[i], DP_RX, &b.frames.in[i]);
		keys_give(b.out[i], DP_TX, &b.frames.out[i]);
		dp_transport_edges(b.dp, b.in[i], &(struct dp_edge){ .to = b.out[i], .open = true }, 1);
		apply();
		nexthop_set(b.relay.hops, b.out[i].index, b.relay.map.transports[b.out[i].index].out.path_serial, &hop);
	}
}

static void sessions_forget(void)
{
	for (unsigned i = 0; i < b.options.sessions; i++) {
		dp_transport_remove(b.dp, b.in[i]);
		dp_transport_remove(b.dp, b.out[i]);
		apply();
	}
}

// ---- what leaves, looked at

static uint16_t watch_tx(struct dp_queue *q, struct rte_mbuf **pkts, uint16_t n)
{
	for (unsigned i = 0; i < n; i++, b.checked++) {
		const uint8_t *frame = rte_pktmbuf_mtod(pkts[i], uint8_t *);

		if (pkts[i]->data_len <= FRAMES_HEADERS ||
		    !frames_good(&b.frames, b.at + i, frame + FRAMES_HEADERS, pkts[i]->data_len - FRAMES_HEADERS))
			b.wrong++;
	}
	return b.device->tx(q, pkts, n);
}

static void watch_open(void)
{
	b.leaving = b.relay.ports[1]->queues[0];
	b.device = b.leaving->ops;
	b.watched = *b.device;
	b.watched.tx = watch_tx;
}

static void watch(bool on)
{
	b.leaving->ops = on ? &b.watched : b.device;
}

// ---- the measurement

static void inject(struct rte_mbuf **pkts, unsigned n, unsigned t)
{
	for (unsigned i = 0; i < n; i++) {
		memcpy(rte_pktmbuf_mtod(pkts[i], uint8_t *), frames_at(&b.frames, t + i), b.frames.len);
		pkts[i]->data_len = (uint16_t)b.frames.len;
		pkts[i]->pkt_len = (uint32_t)b.frames.len;
	}
}

static void run(bool checked)
{
	unsigned total = b.options.sessions * b.options.passes, warm = b.options.sessions * b.options.warm;
	struct dp_queue *rx = b.relay.ports[0]->queues[0];
	struct rte_mbuf *pkts[RELAY_BURST];

	measure_begin(&b.measure);
	for (b.at = 0; b.at + b.options.burst <= total; b.at += b.options.burst) {
		uint64_t start = measure_ticks(), took;
		uint16_t n = rx->ops->rx(rx, pkts, (uint16_t)b.options.burst);

		took = measure_ticks() - start;
		inject(pkts, n, b.at);
		if (checked)
			watch(b.at / b.options.burst % CHECK_EVERY == 0);
		start = measure_ticks();
		b.w->now = clock_now();
		relay_burst(b.w, pkts, n);
		relay_flush(b.w);
		took += measure_ticks() - start;
		if (b.at >= warm)
			measure_burst(&b.measure, took, n);
	}
	measure_end(&b.measure);
	watch(false);
}

// Each packet left by its session's leg, and none was dropped.
static void account(void)
{
	unsigned total = b.options.sessions * b.options.passes / b.options.burst * b.options.burst;
	uint64_t sent = 0;

	for (unsigned i = 0; i < b.options.sessions; i++) {
		struct dp_stats stats;

		must(dp_transport_stats(b.dp, b.out[i], &stats), "stats");
		sent += stats.tx_packets;
	}
	for (unsigned d = 1; d < RELAY_DROP_COUNT; d++) {
		if (b.w->record->drops[d] != 0)
			fprintf(stderr, "drop %s: %llu\n", relay_drop_name[d],
				(unsigned long long)b.w->record->drops[d]);
	}
	must(sent == total && b.wrong == 0 ? 0 : -EIO, "not every packet came through as it should");
}

static void repeat(enum dp_checksum checksum, bool checked, double *ns, double *median)
{
	b.relay.ports[1]->tx_checksum = (uint8_t)checksum;
	sessions_make();
	run(checked);
	account();
	sessions_forget();
	*ns = measure_mean(&b.measure);
	*median = measure_median(&b.measure);
}

static void report(const double *ns, const double *median, const double *software, unsigned n)
{
	printf("{\"program\":\"bench_pipeline\",");
	options_print(&b.options);
	print_list("ns", ns, n);
	printf(",");
	print_list("burst_ns", median, n);
	printf(",");
	print_list("ns_software_checksum", software, n);
	printf(",\"wrong\":%lu,\"checked\":%lu,\"switches\":%ld,\"stolen_ms\":%ld,\"crypto\":\"%s\",\"hugepages\":%s}"
	       "\n",
	       b.wrong, b.checked, b.measure.switches, b.measure.stolen, srtp_engine_arch(b.w->engine),
	       b.region.huge && rte_eal_has_hugepages() ? "true" : "false");
}

int main(int argc, char **argv)
{
	double ns[OPTIONS_REPEATS_MAX], software[OPTIONS_REPEATS_MAX], median[OPTIONS_REPEATS_MAX], other;

	options_read(&b.options, argc, argv);
	b.frames.plan = (struct frames_plan){ .in = b.options.in,
					      .out = b.options.out,
					      .sessions = b.options.sessions,
					      .passes = b.options.passes,
					      .payload = b.options.payload,
					      .addresses = b.options.addresses };
	b.in = calloc(b.options.sessions, sizeof(b.in[0]));
	b.out = calloc(b.options.sessions, sizeof(b.out[0]));
	must(b.in != NULL && b.out != NULL ? 0 : -ENOMEM, "sessions");
	relay_make();
	frames_open(&b.frames, &b.frames.plan);
	watch_open();
	measure_open(&b.measure, b.options.cpu, b.options.fifo, b.options.sessions * b.options.passes);
	repeat(DP_CHECKSUM_ZERO, true, &other, &other);
	b.measure.switches = b.measure.stolen = 0;
	for (unsigned r = 0; r < b.options.repeats; r++) {
		repeat(DP_CHECKSUM_ZERO, false, &ns[r], &median[r]);
		repeat(DP_CHECKSUM_SOFTWARE, false, &software[r], &other);
	}
	report(ns, median, software, b.options.repeats);
	return 0;
}
