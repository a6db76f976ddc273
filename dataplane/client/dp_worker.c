// SPDX-License-Identifier: GPL-3.0-or-later
// dp_worker.c - what the workers have to do, and which of them gets a new session.
#include "dataplane/client/dp_client_priv.h"
#include <errno.h>

#define LOOK MONO_MS(100) // at their records at most so often
#define SPAN MONO_S(1)    // over which a worker's share is a mean, about

int dp_worker_stats(const struct dp_client *dp, unsigned worker, struct dp_worker_stats *stats)
{
	const struct dp_worker_record *r;

	if (worker >= dp->map.config.n_workers)
		return -ENOENT;
	r = &dp->map.workers[worker];
	*stats = (struct dp_worker_stats){
		.commands = dp_counter(&r->commands),
		.handed_out = dp_counter(&r->handed_out),
		.handed_in = dp_counter(&r->handed_in),
		.held = dp_counter(&r->held),
		.moved_out = dp_counter(&r->moved_out),
		.moved_in = dp_counter(&r->moved_in),
		.busy = dp_counter(&r->busy),
		.idle = dp_counter(&r->idle),
	};
	for (unsigned p = 0; p < DP_PORTS_MAX; p++) {
		stats->rx_packets += dp_counter(&r->rx_packets[p]);
		stats->tx_packets += dp_counter(&r->tx_packets[p]);
	}
	for (unsigned i = 0; i < RELAY_DROP_COUNT; i++)
		stats->drops[i] = dp_counter(&r->drops[i]);
	return 0;
}

void dp_load_add(struct dp_client *dp, uint16_t worker)
{
	dp->load[worker].n++;
	dp->load[worker].n_new++;
}

void dp_load_remove(struct dp_client *dp, uint16_t worker)
{
	struct dp_load *load = &dp->load[worker];

	load->n -= load->n > 0;
	load->n_new -= load->n_new > 0;
}

static void load_look(struct dp_client *dp, unsigned worker)
{
	const struct dp_worker_record *r = &dp->map.workers[worker];
	struct dp_load *load = &dp->load[worker];
	uint64_t busy = dp_counter(&r->busy), idle = dp_counter(&r->idle);
	uint64_t time = busy - load->busy + idle - load->idle;

	if (time == 0)
		return; // it rests
	load->share += ((double)(busy - load->busy) / (double)time - load->share) *
		       (time < SPAN ? (double)time / (double)SPAN : 1);
	load->busy = busy;
	load->idle = idle;
	load->n_new = 0;
}

// What is new does not show in a worker's share yet: it is taken to cost what a transport costs on the average.
uint16_t dp_worker_choose(struct dp_client *dp)
{
	unsigned n_workers = dp->map.config.n_workers;
	mono_ns now = clock_now();
	double shares = 0, known = 0, least = 0;
	uint16_t best = 0;

	for (unsigned w = 0; w < n_workers; w++) {
		if (now >= dp->load_at + LOOK)
			load_look(dp, w);
		shares += dp->load[w].share;
		known += dp->load[w].n - dp->load[w].n_new;
	}
	if (now >= dp->load_at + LOOK)
		dp->load_at = now;
	for (unsigned w = 0; w < n_workers; w++) {
		const struct dp_load *load = &dp->load[w];
		double cost = load->share + (known > 0 ? load->n_new * shares / known : 0);

		if (w == 0 || cost < least - 0.01 || (cost < least + 0.01 && load->n < dp->load[best].n)) {
			best = (uint16_t)w;
			least = cost;
		}
	}
	return best;
}
