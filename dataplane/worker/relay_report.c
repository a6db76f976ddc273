// SPDX-License-Identifier: GPL-3.0-or-later
// relay_report.c - lines about the workers: how much came in at the wrong one, and at the end what each has done.
#include "dataplane/worker/relay_report.h"
#include "base/log.h"

#define TAG "relay"
#define SPAN MONO_S(60)
#define LEAST 1000 // packets in a span: fewer say nothing about a card's hash
#define SHARE 10   // percent

static uint64_t counter(const uint64_t *at)
{
	return __atomic_load_n(at, __ATOMIC_RELAXED);
}

static uint64_t received_by(const struct dp_worker_record *r)
{
	uint64_t n = 0;

	for (unsigned p = 0; p < DP_PORTS_MAX; p++)
		n += counter(&r->rx_packets[p]);
	return n;
}

static unsigned percent(uint64_t part, uint64_t whole)
{
	return whole == 0 ? 0 : (unsigned)(100 * part / whole);
}

unsigned relay_report_share(const struct relay_report *report, const struct dp_map *map, unsigned worker)
{
	const struct dp_worker_record *r = &map->workers[worker];
	uint64_t received = received_by(r) - report->received[worker];
	unsigned share = percent(counter(&r->handed_out) - report->handed_out[worker], received);

	return received >= LEAST && share >= SHARE ? share : 0;
}

void relay_report_look(struct relay_report *report, const struct dp_map *map, mono_ns now)
{
	if (report->since != 0 && now < report->since + SPAN)
		return;
	for (unsigned w = 0; w < map->config.n_workers; w++) {
		const struct dp_worker_record *r = &map->workers[w];
		unsigned share = report->since == 0 ? 0 : relay_report_share(report, map, w);

		if (share > 0)
			log_info(TAG, "packets come in at another worker", LOG_UINT("worker", w),
				 LOG_UINT("share_percent", share),
				 LOG_UINT("received", received_by(r) - report->received[w]),
				 LOG_UINT("handed_over", counter(&r->handed_out) - report->handed_out[w]));
		report->received[w] = received_by(r);
		report->handed_out[w] = counter(&r->handed_out);
	}
	report->since = now;
}

void relay_report_end(const struct dp_map *map)
{
	for (unsigned w = 0; w < map->config.n_workers; w++) {
		const struct dp_worker_record *r = &map->workers[w];
		uint64_t received = received_by(r), out = counter(&r->handed_out), busy = counter(&r->busy);

		log_info(TAG, "worker stopped", LOG_UINT("worker", w), LOG_UINT("received", received),
			 LOG_UINT("handed_over", out), LOG_UINT("share_percent", percent(out, received)),
			 LOG_UINT("taken_over", counter(&r->handed_in)), LOG_UINT("held", counter(&r->held)),
			 LOG_UINT("moved_in", counter(&r->moved_in)), LOG_UINT("moved_out", counter(&r->moved_out)),
			 LOG_UINT("busy_percent", percent(busy, busy + counter(&r->idle))));
	}
}
