// SPDX-License-Identifier: GPL-3.0-or-later
// bench_memif.c - two processes with net_memif between them: traffic, and the relay with its worker's real loop.
//
//   bench_memif traffic|relay SOCKET SUITE SESSIONS PASSES CPU
//
// Each is led by lines on its standard input and answers each with a line of JSON. relay: `make` gives every session
// its keys, `forget` ends them; traffic: `run` sends each session PASSES frames (SRTP to RTP) as fast as the relay
// takes them, waits for what comes back, and looks at a part of it. Frames are copied into the shared memory of the
// interface and out of it by each side: net_memif without zero-copy. The worker polls, and so has its core for itself.
#include "base/clock.h"
#include "dataplane/worker/memory.h"
#include "tests/bench/measure.h"
#include "tests/bench/stand.h"
#include <rte_ethdev.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PACKETS 16383
#define BURST 32
#define PRIORITY 40
#define MEET MONO_S(20)      // the two ends, at most
#define SILENCE MONO_MS(300) // nothing more will come
#define LOOK_EVERY 4099      // packets

static struct {
	bool relay;
	char devargs[2][128];
	struct frames frames;
	unsigned cpu;
} b;

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "bench_memif: %s\n", what);
	exit(1);
}

// ---- the relay's process

static double thread_seconds(pthread_t thread)
{
	struct timespec ts;
	clockid_t clock;

	must(pthread_getcpuclockid(thread, &clock) == 0 && clock_gettime(clock, &ts) == 0, "the worker's clock");
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

// For a run of a fraction of a second each side has its core for itself, if it may.
static void priority(pthread_t thread, bool high)
{
	const struct sched_param param = { .sched_priority = high ? PRIORITY : 0 };

	(void)pthread_setschedparam(thread, high ? SCHED_FIFO : SCHED_OTHER, &param);
}

static int relay_main(void)
{
	struct stand_plan plan = { .driver = DP_DRIVER_MEMIF,
				   .devargs = { b.devargs[0], b.devargs[1] },
				   .workers = 1,
				   .cpu = { (uint16_t)b.cpu },
				   .frames = &b.frames };
	struct stand stand;
	char line[32];

	stand_open(&stand, &plan);
	frames_keys(&b.frames, &b.frames.plan);
	stand_start(&stand);
	printf("{\"ready\":true}\n");
	while (fgets(line, sizeof(line), stdin) != NULL) {
		if (strcmp(line, "make\n") == 0)
			stand_sessions_make(&stand);
		priority(stand.relay.workers[0]->thread, strcmp(line, "make\n") == 0);
		printf("{\"sent\":%llu,\"dropped\":%llu,\"cpu_seconds\":%.6f}\n",
		       (unsigned long long)(strcmp(line, "forget\n") != 0 ? stand_sent(&stand) : 0),
		       (unsigned long long)stand_dropped(&stand), thread_seconds(stand.relay.workers[0]->thread));
		if (strcmp(line, "forget\n") == 0)
			stand_sessions_forget(&stand);
		fflush(stdout);
	}
	stand_stop(&stand);
	return 0;
}

// ---- traffic's process

struct run {
	unsigned sent, received, wrong, looked;
	mono_ns began, ended; // first sent, newest received
};

static void look(struct run *r, const struct rte_mbuf *m)
{
	const uint8_t *rtp = rte_pktmbuf_mtod(m, const uint8_t *) + FRAMES_HEADERS;

	if (r->received++ % LOOK_EVERY != 0)
		return;
	r->looked++;
	// A plain packet says whose it is: its payload is its session and pass, as rtp_make() has it.
	if (m->data_len != FRAMES_HEADERS + 12 + b.frames.plan.payload ||
	    rtp[12] != (uint8_t)((unsigned)(rtp[10] << 8 | rtp[11]) - 1000 + (unsigned)(rtp[2] << 8 | rtp[3]) - 1) ||
	    memcmp(rtp + 12, rtp + 13, b.frames.plan.payload - 1) != 0)
		r->wrong++;
}

static void receive(struct run *r, struct dp_queue *q)
{
	struct rte_mbuf *pkts[BURST];
	uint16_t n = q->ops->rx(q, pkts, BURST);

	if (n == 0)
		return;
	for (unsigned i = 0; i < n; i++)
		look(r, pkts[i]);
	rte_pktmbuf_free_bulk(pkts, n);
	r->ended = clock_now();
}

static void frame_put(struct rte_mbuf *m, unsigned t)
{
	m->data_len = (uint16_t)b.frames.len;
	m->pkt_len = (uint32_t)b.frames.len;
	memcpy(rte_pktmbuf_mtod(m, uint8_t *), frames_at(&b.frames, t), b.frames.len);
}

static void traffic_run(struct dp_port **ports, struct rte_mempool *pool, struct run *r)
{
	struct dp_queue *tx = ports[0]->queues[0], *rx = ports[1]->queues[0];
	unsigned total = b.frames.plan.sessions * b.frames.plan.passes;
	struct rte_mbuf *pkts[BURST];
	unsigned have = 0, made = 0;

	*r = (struct run){ .began = clock_now() };
	r->ended = r->began;
	while (r->received < total && clock_now() < r->ended + SILENCE) {
		if (have == 0 && made < total) {
			have = total - made < BURST ? total - made : BURST;
			must(rte_pktmbuf_alloc_bulk(pool, pkts, have) == 0, "packet memory");
			for (unsigned i = 0; i < have; i++)
				frame_put(pkts[i], made++);
		}
		if (have > 0) {
			uint16_t n = tx->ops->tx(tx, pkts, (uint16_t)have);

			r->sent += n;
			have -= n;
			memmove(pkts, pkts + n, have * sizeof(pkts[0]));
		}
		receive(r, rx);
	}
	rte_pktmbuf_free_bulk(pkts, have);
}

static bool linked(unsigned port)
{
	struct rte_eth_link link = { 0 };
	uint16_t device;
	char name[32];

	snprintf(name, sizeof(name), "net_memif%u", port);
	return rte_eth_dev_get_port_by_name(name, &device) == 0 && rte_eth_link_get_nowait(device, &link) == 0 &&
	       link.link_status == RTE_ETH_LINK_UP;
}

static void meet(void)
{
	mono_ns end = clock_now() + MEET;

	while (!linked(0) || !linked(1)) {
		must(clock_now() < end, "the other end does not come");
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	}
}

static int traffic_main(void)
{
	struct dp_config config = { .n_ports = 2, .n_workers = 1 };
	struct dp_port *ports[2];
	struct rte_mempool *pool;
	char why[256] = "", line[32];
	cpu_set_t one;
	struct run r;

	config.memory_mb = 128 + (uint32_t)((uint64_t)b.frames.plan.sessions * b.frames.plan.passes * 256 >> 20);
	for (unsigned i = 0; i < 2; i++) {
		config.ports[i].driver = DP_DRIVER_MEMIF;
		snprintf(config.ports[i].name, sizeof(config.ports[i].name), "traffic%u", i);
		snprintf(config.ports[i].devargs, sizeof(config.ports[i].devargs), "%s", b.devargs[i]);
	}
	must(memory_open(&config, PACKETS, &pool, why) == 0, why);
	for (unsigned i = 0; i < 2; i++)
		must(dp_port_open(&ports[i], &config, i, -1, pool, why) == 0, why);
	frames_open(&b.frames, &b.frames.plan);
	CPU_ZERO(&one);
	CPU_SET(b.cpu, &one);
	must(sched_setaffinity(0, sizeof(one), &one) == 0, "no such core");
	printf("{\"ready\":true}\n");
	while (fgets(line, sizeof(line), stdin) != NULL) {
		if (strcmp(line, "meet\n") == 0) {
			meet();
			printf("{\"met\":true}\n");
			continue;
		}
		priority(pthread_self(), true);
		traffic_run(ports, pool, &r);
		priority(pthread_self(), false);
		printf("{\"sent\":%u,\"received\":%u,\"wrong\":%u,\"looked\":%u,\"seconds\":%.6f}\n", r.sent,
		       r.received, r.wrong, r.looked, (double)(r.ended - r.began) / 1e9);
	}
	return 0;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	must(argc == 7, "usage: bench_memif traffic|relay SOCKET SUITE SESSIONS PASSES CPU");
	b.relay = strcmp(argv[1], "relay") == 0;
	b.frames.plan = (struct frames_plan){ .in = srtp_suite_by_name(argv[3], strlen(argv[3])),
					      .sessions = (unsigned)atoi(argv[4]),
					      .passes = (unsigned)atoi(argv[5]),
					      .payload = 160,
					      .addresses = 1 };
	b.cpu = (unsigned)atoi(argv[6]);
	must(b.frames.plan.in != SRTP_SUITE_NONE && b.frames.plan.sessions > 0, "no such suite, or no sessions");
	for (unsigned i = 0; i < 2; i++)
		snprintf(b.devargs[i], sizeof(b.devargs[i]), "role=%s,id=%u,socket=%.72s,socket-abstract=no,rsize=11",
			 b.relay ? "client" : "server", i, argv[2]);
	return b.relay ? relay_main() : traffic_main();
}
