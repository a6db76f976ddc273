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
#include "dataplane/worker/nexthop_priv.h"
#include "tests/bench/measure.h"
#include "tests/bench/options.h"
#include "tests/bench/stand.h"
#include <rte_eal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
	struct options options;
	struct frames frames;
	struct measure measure;
	struct stand stand;
	struct relay_worker *w;
	struct dp_queue *leaving; // where the relay sends: watched in the run that does not count
	struct dp_queue_ops watched;
	const struct dp_queue_ops *device;
	unsigned at; // of the frames: the burst that is being relayed
	unsigned long wrong, checked;
	struct {
		size_t transport, key, stream;    // octets of a record
		double transports, keys, streams; // in use for a session
	} memory;
} b;

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
	b.leaving = b.stand.relay.ports[1]->queues[0];
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
	struct dp_queue *rx = b.stand.relay.ports[0]->queues[0];
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
		else
			dp_client_dispatch(
				b.stand.dp); // each key's first packet is told of: a full ring would be tried in vain
	}
	measure_end(&b.measure);
	watch(false);
}

// Each packet left by its session's leg, and none was dropped.
static void account(void)
{
	unsigned total = b.options.sessions * b.options.passes / b.options.burst * b.options.burst;

	if (stand_sent(&b.stand) == total && stand_dropped(&b.stand) == 0 && b.wrong == 0)
		return;
	fprintf(stderr, "bench_pipeline: not every packet came through as it should\n");
	exit(1);
}

// What the sessions take, from the records of the media region that are in use. A transport, with its next hop, serves
// two directions, so half of it is one's; a direction here has its key and one SSRC.
static void memory_look(void)
{
	const struct dp_map *m = &b.stand.relay.map;
	const struct srtp_suite_info *info = srtp_suite_info(b.options.in);
	unsigned transports = 0, keys = 0, streams = 0;

	b.memory.key = info != NULL && info->aead ? sizeof(struct srtp_key) : SRTP_KEY_CM_SIZE;
	for (uint32_t i = 0; i < m->n_transports; i++) {
		const struct dp_transport *tp = &m->transports[i];

		if (tp->state != DP_STATE_PUBLISHED)
			continue;
		transports++;
		for (unsigned k = 0; k < DP_RX_EPOCHS; k++)
			keys += tp->rx[k].key != DP_NONE;
		keys += tp->out.key != DP_NONE;
	}
	for (uint32_t i = 0; i < m->n_streams; i++)
		streams += dp_stream_at(m, i)->owner != DP_NONE;
	b.memory.transport = sizeof(struct dp_transport) + sizeof(struct dp_rare) + sizeof(struct nexthop_slot) +
			     sizeof(struct link) + sizeof(struct neighbour);
	b.memory.transports = (double)transports / b.options.sessions;
	b.memory.keys = (double)keys / b.options.sessions;
	b.memory.streams = (double)streams / b.options.sessions;
	b.memory.stream = m->stream_size;
}

static void repeat(enum dp_checksum checksum, bool checked, double *ns, double *median)
{
	b.stand.relay.ports[1]->tx_checksum = (uint8_t)checksum;
	stand_sessions_make(&b.stand);
	run(checked);
	account();
	if (checked)
		memory_look();
	stand_sessions_forget(&b.stand);
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
	printf(",\"memory\":{\"transport\":%zu,\"key\":%zu,\"stream\":%zu,\"transports_a_session\":%.3f,"
	       "\"keys_a_session\":%.3f,\"streams_a_session\":%.3f,\"direction\":%.0f,\"region\":%zu}",
	       b.memory.transport, b.memory.key, b.memory.stream, b.memory.transports, b.memory.keys, b.memory.streams,
	       (double)b.memory.transport / 2 + b.memory.keys * (double)b.memory.key +
		       b.memory.streams * (double)b.memory.stream,
	       b.stand.region.size);
	printf(",\"wrong\":%lu,\"checked\":%lu,\"switches\":%ld,\"stolen_ms\":%ld,\"crypto\":\"%s\",\"hugepages\":%s}"
	       "\n",
	       b.wrong, b.checked, b.measure.switches, b.measure.stolen, srtp_engine_arch(b.w->engine),
	       b.stand.region.huge && rte_eal_has_hugepages() ? "true" : "false");
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
	stand_open(&b.stand, &(struct stand_plan){ .driver = DP_DRIVER_NULL,
						   .workers = 1,
						   .cpu = { UINT16_MAX },
						   .frames = &b.frames,
						   .no_huge = b.options.no_huge });
	b.w = b.stand.relay.workers[0];
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
