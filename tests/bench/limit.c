// SPDX-License-Identifier: GPL-3.0-or-later
// limit.c - what one core can do at the relay's work with nothing in the way: rx burst, lookup, SRTP, rewrite, tx
// burst.
//
//   limit [--suite NAME] [--out same|plain] [--payload N] [--sessions N] [--addresses N] [--passes N] [--repeats N]
//         [--cpu N] [--fifo]
//
// One line of JSON. The relay is held against it, so its frames, memory and order are those of bench_pipeline
// (frames.h); it has no counters, no records that survive a crash, one key and one SSRC a direction, IPv4 only, no
// options, and no UDP checksum (zero, or the NIC's affair). Not timed: the copy that stands for the device's DMA.
#include "tests/bench/frames.h"
#include "tests/bench/limit_srtp.h"
#include "tests/bench/measure.h"
#include "tests/bench/options.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <rte_bus_vdev.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_hash.h>
#include <rte_hash_crc.h>
#include <rte_ip.h>
#include <rte_malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POOL 4095
#define CACHE 256

struct key { // of the lookup: the local address and port, as they stand in the frame
	uint32_t address;
	uint16_t port;
	uint16_t zero;
};

struct session {
	struct limit_context *in, *out;
};

static struct {
	struct options options;
	struct frames frames;
	struct measure measure;
	struct limit_crypto crypto;
	struct rte_mempool *pool;
	struct rte_hash *table;
	struct session *sessions;
	uint8_t *contexts, *fresh; // fresh: as they are before the first packet
	uint16_t device;
	bool seal; // SRTP out
	unsigned long bad, wrong, checked;
} l;

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "limit: %s\n", what);
	exit(1);
}

// ---- set-up

static void eal_open(void)
{
	char name[] = "limit", no_pci[] = "--no-pci", quiet[] = "--log-level=*:error", lcores[40],
	     memory[] = "--in-memory", no_huge[] = "--no-huge", no_shconf[] = "--no-shconf", m[] = "-m1024",
	     telemetry[] = "--no-telemetry", iova[] = "--iova-mode=va";
	char *huge[] = { name, no_pci, quiet, telemetry, iova, lcores, memory, NULL };
	char *plain[] = { name, no_pci, quiet, telemetry, iova, lcores, no_huge, no_shconf, m, NULL };

	snprintf(lcores, sizeof(lcores), "--lcores=0@(0-%ld)", sysconf(_SC_NPROCESSORS_CONF) - 1);
	if (options_hugepages(&l.options))
		must(rte_eal_init(7, huge) >= 0, "DPDK does not start");
	else
		must(rte_eal_init(9, plain) >= 0, "DPDK does not start");
}

static void device_open(void)
{
	const struct rte_eth_conf conf = { 0 };

	l.pool = rte_pktmbuf_pool_create("packets", POOL, CACHE, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	must(l.pool != NULL, "no memory for packets");
	must(rte_vdev_init("net_null0", "") == 0 && rte_eth_dev_get_port_by_name("net_null0", &l.device) == 0,
	     "net_null");
	must(rte_eth_dev_configure(l.device, 1, 1, &conf) == 0 &&
		     rte_eth_rx_queue_setup(l.device, 0, 512, SOCKET_ID_ANY, NULL, l.pool) == 0 &&
		     rte_eth_tx_queue_setup(l.device, 0, 512, SOCKET_ID_ANY, NULL) == 0 &&
		     rte_eth_dev_start(l.device) == 0,
	     "net_null does not start");
}

static struct limit_context *context_make(unsigned at, const struct srtp_master *master, unsigned session)
{
	struct limit_context *ctx = (struct limit_context *)(l.contexts + l.crypto.size * at);

	limit_context_set(&l.crypto, ctx, master);
	ctx->to_address = htonl(0xc6336402);
	ctx->to_port = htons((uint16_t)(30000 + session % 30000));
	memcpy(ctx->mac, (uint8_t[]){ 2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 2 }, sizeof(ctx->mac));
	return ctx;
}

// Both contexts of a session are made, beside one another, whether SRTP leaves or RTP.
static void sessions_open(void)
{
	const struct rte_hash_parameters table = { .name = "sessions",
						   .entries = l.options.sessions * 2,
						   .key_len = sizeof(struct key),
						   .hash_func = rte_hash_crc };

	l.table = rte_hash_create(&table);
	l.sessions = rte_zmalloc(NULL, l.options.sessions * sizeof(l.sessions[0]), 64);
	l.contexts = rte_zmalloc(NULL, l.options.sessions * 2 * l.crypto.size, 64);
	l.fresh = malloc(l.options.sessions * 2 * l.crypto.size);
	must(l.table != NULL && l.sessions != NULL && l.contexts != NULL && l.fresh != NULL, "no memory for sessions");
	for (unsigned i = 0; i < l.options.sessions; i++) {
		const struct key key = { .address = htonl(frames_address(&l.frames.plan, i)),
					 .port = htons(frames_port(&l.frames.plan, i)) };

		l.sessions[i].in = context_make(2 * i, &l.frames.in[i], i);
		l.sessions[i].out = context_make(2 * i + 1, l.seal ? &l.frames.out[i] : &l.frames.in[i], i);
		must(rte_hash_add_key_data(l.table, &key, l.sessions + i) == 0, "the table is full");
	}
	memcpy(l.fresh, l.contexts, l.options.sessions * 2 * l.crypto.size);
}

static void sessions_restart(void)
{
	memcpy(l.contexts, l.fresh, l.options.sessions * 2 * l.crypto.size);
}

// ---- a packet's day

struct burst {
	struct rte_mbuf *pkts[LIMIT_BURST];
	struct key keys[LIMIT_BURST];
	struct session *session[LIMIT_BURST];
	struct limit_packet p[LIMIT_BURST];
	unsigned n;
};

static inline void context_prefetch(const struct limit_context *ctx)
{
	for (unsigned i = 0; i < l.crypto.lines; i++)
		__builtin_prefetch((const char *)ctx + 64 * i);
}

static void lookup(struct burst *b)
{
	unsigned behind = 12 + l.crypto.tag_len;
	const void *keys[LIMIT_BURST];
	uint64_t hit = 0;

	for (unsigned i = 0; i < b->n; i++) {
		const uint8_t *frame = rte_pktmbuf_mtod(b->pkts[i], uint8_t *);

		memcpy(&b->keys[i].address, frame + 30, 4);
		memcpy(&b->keys[i].port, frame + 36, 2);
		b->keys[i].zero = 0;
		keys[i] = &b->keys[i];
		if (frame[12] != 8 || frame[14] != 0x45 || frame[23] != IPPROTO_UDP)
			l.wrong++;
		b->p[i].rtp = rte_pktmbuf_mtod_offset(b->pkts[i], uint8_t *, FRAMES_HEADERS);
		b->p[i].payload = (uint16_t)(b->pkts[i]->data_len - FRAMES_HEADERS - behind);
	}
	rte_hash_lookup_bulk_data(l.table, keys, b->n, &hit, (void **)b->session);
	must(hit == (b->n == 64 ? ~UINT64_C(0) : (UINT64_C(1) << b->n) - 1), "a frame of no session");
	for (unsigned i = 0; i < b->n; i++) {
		b->p[i].context = b->session[i]->in;
		context_prefetch(b->session[i]->in);
		if (l.seal)
			context_prefetch(b->session[i]->out);
	}
}

static void srtp(struct burst *b)
{
	l.bad += limit_open(&l.crypto, b->p, b->n);
	if (!l.seal)
		return;
	for (unsigned i = 0; i < b->n; i++)
		b->p[i].context = b->session[i]->out;
	l.bad += limit_seal(&l.crypto, b->p, b->n);
}

static inline void put16(uint8_t *at, uint16_t v)
{
	v = htons(v);
	memcpy(at, &v, 2);
}

// From the address and port that it was sent to, to the peer; IPv4 checksum, no UDP checksum.
static void rewrite(struct burst *b)
{
	for (unsigned i = 0; i < b->n; i++) {
		const struct limit_context *to = b->session[i]->in;
		uint8_t *frame = b->p[i].rtp - FRAMES_HEADERS;
		uint16_t rtp = (uint16_t)(12 + b->p[i].payload + (l.seal ? l.crypto.tag_len : 0)), sum;

		memcpy(frame, to->mac, sizeof(to->mac));
		put16(frame + 16, (uint16_t)(28 + rtp));
		memset(frame + 24, 0, 2);
		memcpy(frame + 26, &b->keys[i].address, 4);
		memcpy(frame + 30, &to->to_address, 4);
		sum = rte_ipv4_cksum((const struct rte_ipv4_hdr *)(frame + 14));
		memcpy(frame + 24, &sum, 2);
		memcpy(frame + 34, &b->keys[i].port, 2);
		memcpy(frame + 36, &to->to_port, 2);
		put16(frame + 38, (uint16_t)(8 + rtp));
		memset(frame + 40, 0, 2);
		b->pkts[i]->data_len = (uint16_t)(FRAMES_HEADERS + rtp);
		b->pkts[i]->pkt_len = b->pkts[i]->data_len;
	}
}

// ---- the measurement

static void check(const struct burst *b, unsigned t)
{
	for (unsigned i = 0; i < b->n; i++, l.checked++) {
		if (!frames_good(&l.frames, t + i, b->p[i].rtp, b->pkts[i]->data_len - FRAMES_HEADERS))
			l.wrong++;
	}
}

static void inject(const struct burst *b, unsigned t)
{
	for (unsigned i = 0; i < b->n; i++) {
		memcpy(rte_pktmbuf_mtod(b->pkts[i], uint8_t *), frames_at(&l.frames, t + i), l.frames.len);
		b->pkts[i]->data_len = (uint16_t)l.frames.len;
		b->pkts[i]->pkt_len = (uint32_t)l.frames.len;
	}
}

static void run(bool checked)
{
	unsigned total = l.options.sessions * l.options.passes, warm = l.options.sessions * l.options.warm;
	struct burst b;

	measure_begin(&l.measure);
	for (unsigned t = 0; t + l.options.burst <= total; t += b.n) {
		uint64_t start = measure_ticks(), took;
		unsigned sent = 0;

		b.n = rte_eth_rx_burst(l.device, 0, b.pkts, (uint16_t)l.options.burst);
		took = measure_ticks() - start;
		inject(&b, t);
		start = measure_ticks();
		lookup(&b);
		srtp(&b);
		rewrite(&b);
		took += measure_ticks() - start;
		if (checked && t / l.options.burst % CHECK_EVERY == 0)
			check(&b, t);
		start = measure_ticks();
		while (sent < b.n)
			sent += rte_eth_tx_burst(l.device, 0, b.pkts + sent, (uint16_t)(b.n - sent));
		took += measure_ticks() - start;
		if (t >= warm)
			measure_burst(&l.measure, took, b.n);
	}
	measure_end(&l.measure);
}

static void report(const double *ns, const double *median, unsigned n)
{
	printf("{\"program\":\"limit\",");
	options_print(&l.options);
	print_list("ns", ns, n);
	printf(",");
	print_list("burst_ns", median, n);
	printf(",\"bad\":%lu,\"wrong\":%lu,\"checked\":%lu,\"switches\":%ld,\"stolen_ms\":%ld,\"hugepages\":%s}\n",
	       l.bad, l.wrong, l.checked, l.measure.switches, l.measure.stolen,
	       rte_eal_has_hugepages() ? "true" : "false");
}

int main(int argc, char **argv)
{
	double ns[OPTIONS_REPEATS_MAX], median[OPTIONS_REPEATS_MAX];

	options_read(&l.options, argc, argv);
	must(l.options.in != SRTP_SUITE_NONE && (l.options.out == l.options.in || l.options.out == SRTP_SUITE_NONE),
	     "the limit is of SRTP to RTP, or to SRTP with the same suite");
	l.seal = l.options.out != SRTP_SUITE_NONE;
	eal_open();
	device_open();
	limit_crypto_open(&l.crypto, l.options.in);
	frames_open(&l.frames, &(struct frames_plan){ .in = l.options.in,
						      .out = l.options.out,
						      .sessions = l.options.sessions,
						      .passes = l.options.passes,
						      .payload = l.options.payload,
						      .addresses = l.options.addresses });
	sessions_open();
	measure_open(&l.measure, l.options.cpu, l.options.fifo, l.options.sessions * l.options.passes);
	run(true);
	l.measure.switches = l.measure.stolen = 0;
	for (unsigned r = 0; r < l.options.repeats; r++) {
		sessions_restart();
		run(false);
		ns[r] = measure_mean(&l.measure);
		median[r] = measure_median(&l.measure);
	}
	report(ns, median, l.options.repeats);
	return l.bad + l.wrong > 0;
}
