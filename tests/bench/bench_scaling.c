// SPDX-License-Identifier: GPL-3.0-or-later
// bench_scaling.c - workers with their real loop, each with its core, queue and sessions: packets a second of all of
// them.
//
//   bench_scaling SUITE WORKERS SESSIONS PASSES REPEATS
//
// SESSIONS a worker. One line of JSON. The device is net_null, whose mbufs get the frames of an injector; its copy,
// which stands for the device's DMA, is a part of what is timed here, for every worker alike. Workers are on cores 0
// and up.
#include "tests/bench/measure.h"
#include "tests/bench/stand.h"
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WORKERS_MAX 16
#define WAIT_MS 30000
#define REPEATS_MAX 32
#define PRIORITY 40

struct injector { // of a worker's queue of port 0
	struct dp_queue_ops ops;
	const struct dp_queue_ops *device;
	const struct frames *frames;
	unsigned at, base;      // frames given, ever and before this repeat
	_Atomic unsigned total; // frames to give, ever
	uint64_t began, ended;  // ticks of the newest repeat; valid when all is done
	_Atomic unsigned done;  // frames given and relayed, ever
};

static struct {
	struct stand stand;
	struct frames frames[WORKERS_MAX];
	struct injector injectors[WORKERS_MAX];
	struct dp_queue_ops silent;
	unsigned workers;
} b;

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "bench_scaling: %s\n", what);
	exit(1);
}

// ---- the device

static uint16_t inject(struct dp_queue *q, struct rte_mbuf **pkts, uint16_t n)
{
	struct injector *in = &b.injectors[q->id];
	unsigned left = in->total - in->at;

	if (left == 0) {
		if (in->done != in->at) {
			in->ended = measure_ticks();
			in->done = in->at;
		}
		return 0;
	}
	if (in->at == in->base)
		in->began = measure_ticks();
	n = in->device->rx(q, pkts, left < n ? (uint16_t)left : n);
	for (unsigned i = 0; i < n; i++) {
		memcpy(rte_pktmbuf_mtod(pkts[i], uint8_t *), frames_at(in->frames, in->at - in->base + i),
		       in->frames->len);
		pkts[i]->data_len = (uint16_t)in->frames->len;
		pkts[i]->pkt_len = (uint32_t)in->frames->len;
	}
	in->at += n;
	return n;
}

static uint16_t nothing(struct dp_queue *q, struct rte_mbuf **pkts, uint16_t n)
{
	return 0;
}

static void injectors_open(void)
{
	b.silent = *b.stand.relay.ports[1]->queues[0]->ops;
	b.silent.rx = nothing; // net_null's endless packets
	for (unsigned w = 0; w < b.workers; w++) {
		struct dp_queue *q = b.stand.relay.ports[0]->queues[w];

		b.injectors[w].device = q->ops;
		b.injectors[w].ops = *q->ops;
		b.injectors[w].ops.rx = inject;
		b.injectors[w].frames = &b.frames[w];
		q->ops = &b.injectors[w].ops;
		b.stand.relay.ports[1]->queues[w]->ops = &b.silent;
	}
}

// ---- the measurement

// For the fraction of a second that a repeat takes the workers have their cores for themselves, if they may; we must be
// able to end it.
static void priority(bool high)
{
	const struct sched_param workers = { .sched_priority = high ? PRIORITY : 0 };
	const struct sched_param own = { .sched_priority = high ? PRIORITY + 1 : 0 };
	int policy = high ? SCHED_FIFO : SCHED_OTHER;

	(void)pthread_setschedparam(pthread_self(), policy, &own);
	for (unsigned w = 0; w < b.workers; w++)
		(void)pthread_setschedparam(b.stand.relay.workers[w]->thread, policy, &workers);
}

static void injectors_wait(void)
{
	for (unsigned w = 0, ms = 0; w < b.workers; ms++) {
		if (b.injectors[w].done == b.injectors[w].total)
			w++;
		else
			nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
		must(ms < WAIT_MS, "a worker does not come to the end of its frames");
	}
}

// Packets a second, in millions, from the first frame of any worker to the end of the last.
static double repeat(void)
{
	uint64_t began = UINT64_MAX, ended = 0, packets = 0;

	stand_sessions_make(&b.stand);
	for (unsigned w = 0; w < b.workers; w++) {
		b.injectors[w].base = b.injectors[w].at;
		packets += b.frames[w].plan.sessions * b.frames[w].plan.passes;
	}
	priority(true);
	for (unsigned w = 0; w < b.workers; w++) // last: they begin
		b.injectors[w].total += b.frames[w].plan.sessions * b.frames[w].plan.passes;
	injectors_wait();
	priority(false);
	for (unsigned w = 0; w < b.workers; w++) {
		began = b.injectors[w].began < began ? b.injectors[w].began : began;
		ended = b.injectors[w].ended > ended ? b.injectors[w].ended : ended;
	}
	must(stand_dropped(&b.stand) == 0 && stand_sent(&b.stand) == packets, "packets were dropped");
	stand_sessions_forget(&b.stand);
	return (double)packets * 1e3 / measure_ns(ended - began);
}

int main(int argc, char **argv)
{
	struct stand_plan plan = { .driver = DP_DRIVER_NULL, .frames = b.frames };
	double rates[REPEATS_MAX];
	unsigned sessions, passes, repeats;
	enum srtp_suite suite;

	must(argc == 6, "usage: bench_scaling SUITE WORKERS SESSIONS PASSES REPEATS");
	suite = srtp_suite_by_name(argv[1], strlen(argv[1]));
	b.workers = plan.workers = (unsigned)atoi(argv[2]);
	sessions = (unsigned)atoi(argv[3]);
	passes = (unsigned)atoi(argv[4]);
	repeats = (unsigned)atoi(argv[5]);
	must(suite != SRTP_SUITE_NONE && b.workers >= 1 && b.workers <= WORKERS_MAX && sessions > 0 && passes > 0 &&
		     repeats >= 1 && repeats <= REPEATS_MAX,
	     "not such numbers, or no such suite");
	for (unsigned w = 0; w < b.workers; w++) {
		plan.cpu[w] = (uint16_t)w;
		b.frames[w].plan = (struct frames_plan){ .in = suite,
							 .sessions = sessions,
							 .passes = passes,
							 .payload = 160,
							 .addresses = 4,
							 .first = w * sessions };
	}
	stand_open(&b.stand, &plan);
	for (unsigned w = 0; w < b.workers; w++)
		frames_open(&b.frames[w], &b.frames[w].plan);
	injectors_open();
	stand_start(&b.stand);
	(void)repeat(); // does not count
	for (unsigned r = 0; r < repeats; r++)
		rates[r] = repeat();
	stand_stop(&b.stand);
	printf("{\"program\":\"bench_scaling\",\"suite\":\"%s\",\"workers\":%u,\"sessions\":%u,\"passes\":%u,", argv[1],
	       b.workers, sessions, passes);
	print_list("mpps", rates, repeats);
	printf("}\n");
	return 0;
}
