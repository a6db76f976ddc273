// SPDX-License-Identifier: GPL-3.0-or-later
// admin_workers.c - the relay's workers with their load and rings, its pools, and the interfaces that media comes by.
#include "gateway/admin/admin_workers.h"
#include "gateway/admin/admin_priv.h"
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>

// Busy and idle time of each worker as they were at the last two seconds.
struct admin_loads {
	const struct dp_client *dp;
	struct event *second;
	struct {
		mono_ns busy[2], idle[2]; // [1]: before
	} of[DP_WORKERS_MAX];
};

static json_t *count(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static void second_passed(evutil_socket_t fd, short what, void *arg)
{
	struct admin_loads *loads = arg;
	struct dp_worker_stats w;

	for (unsigned i = 0; i < DP_WORKERS_MAX && dp_worker_stats(loads->dp, i, &w) == 0; i++) {
		loads->of[i].busy[1] = loads->of[i].busy[0];
		loads->of[i].idle[1] = loads->of[i].idle[0];
		loads->of[i].busy[0] = w.busy;
		loads->of[i].idle[0] = w.idle;
	}
}

int admin_loads_open(struct admin_loads **loadsp, struct event_base *base, const struct dp_client *dp)
{
	static const struct timeval second = { .tv_sec = 1 };
	struct admin_loads *loads = calloc(1, sizeof(*loads));

	if (loads == NULL)
		return -ENOMEM;
	loads->dp = dp;
	loads->second = event_new(base, -1, EV_PERSIST, second_passed, loads);
	if (loads->second == NULL || event_add(loads->second, &second) < 0) {
		admin_loads_close(loads);
		return -ENOMEM;
	}
	second_passed(-1, 0, loads);
	*loadsp = loads;
	return 0;
}

void admin_loads_close(struct admin_loads *loads)
{
	if (loads == NULL)
		return;
	if (loads->second != NULL)
		event_free(loads->second);
	free(loads);
}

static double load_of(const struct admin_loads *loads, unsigned worker)
{
	mono_ns busy = loads->of[worker].busy[0] - loads->of[worker].busy[1];
	mono_ns idle = loads->of[worker].idle[0] - loads->of[worker].idle[1];

	return busy + idle > 0 ? (double)busy / (double)(busy + idle) : 0;
}

static json_t *rings_of(const struct dp_client *dp, unsigned worker)
{
	struct dp_ring_fill fill;
	json_t *list = json_array();

	for (unsigned i = 0; i < DP_RINGS && dp_client_ring(dp, worker, i, &fill) == 0; i++)
		json_array_append_new(list, json_pack("{s:s, s:o, s:o, s:o}", "name", fill.name, "used_bytes", count(fill.used),
						      "size_bytes", count(fill.size), "refused", count(fill.refused)));
	return list;
}

static json_t *drops_of(const struct dp_worker_stats *w)
{
	json_t *drops = json_object();

	for (unsigned d = 1; d < RELAY_DROP_COUNT; d++) {
		if (w->drops[d] > 0)
			json_object_set_new(drops, relay_drop_name[d], count(w->drops[d]));
	}
	return drops;
}

static json_t *workers_of(const struct admin *admin, const struct dp_client *dp)
{
	const struct dp_config *cfg = &admin->start.config->dataplane;
	struct dp_worker_stats w;
	json_t *list = json_array();

	for (unsigned i = 0; i < cfg->n_workers && dp_worker_stats(dp, i, &w) == 0; i++)
		json_array_append_new(
			list, json_pack("{s:i, s:o, s:f, s:f, s:f, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "worker", (int)i, "cpu",
					cfg->worker_cpu[i] != UINT16_MAX ? json_integer(cfg->worker_cpu[i]) : json_null(), "load",
					load_of(admin->loads, i), "busy_seconds", (double)w.busy / 1e9, "idle_seconds",
					(double)w.idle / 1e9, "rx_packets", count(w.rx_packets), "tx_packets", count(w.tx_packets),
					"handed_in", count(w.handed_in), "handed_out", count(w.handed_out), "commands",
					count(w.commands), "drops", drops_of(&w), "rings", rings_of(dp, i)));
	return list;
}

static json_t *pools_of(const struct dp_client *dp)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < DP_POOLS; i++) {
		struct dp_pool_fill fill = dp_client_pool(dp, i);

		json_array_append_new(list, json_pack("{s:s, s:o, s:o, s:o}", "name", fill.name, "used", count(fill.used), "size",
						      count(fill.max), "refused", count(fill.refused)));
	}
	return list;
}

static json_t *interfaces_of(const struct admin *admin, const struct dp_client *dp)
{
	const struct dp_config *cfg = &admin->start.config->dataplane;
	struct dp_port_stats p;
	json_t *list = json_array();

	for (unsigned i = 0; i < cfg->n_ports && dp_port_stats(dp, i, &p) == 0; i++)
		json_array_append_new(list, json_pack("{s:s, s:b, s:o, s:o, s:o, s:o, s:o}", "name", cfg->ports[i].name, "up", p.up,
						      "link_changes", count(p.changes), "missed_frames", count(p.missed),
						      "buffers_free", count(p.pool_free), "buffers", count(p.pool_size),
						      "buffers_refused", count(p.pool_empty)));
	return list;
}

void admin_workers(struct admin_request *rq)
{
	const struct dp_client *dp = media_packet_path(rq->admin->start.media);

	admin_answer_json(rq, 200, json_pack("{s:o, s:o, s:o}", "workers", workers_of(rq->admin, dp), "pools", pools_of(dp), "interfaces",
					     interfaces_of(rq->admin, dp)));
}
