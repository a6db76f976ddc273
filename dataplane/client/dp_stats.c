// SPDX-License-Identifier: GPL-3.0-or-later
// dp_stats.c - reading the records: one transport's figures, and a walk over all that are published.
#include "dataplane/client/dp_client_priv.h"
#include <errno.h>
#include <string.h>

static const struct dp_stream *stream_of(const struct dp_client *dp, uint32_t stream, uint32_t owner)
{
	if (stream >= dp->map.n_streams || dp->map.streams[stream].owner != owner)
		return NULL;
	return &dp->map.streams[stream];
}

// RFC 3550 A.3. The fields are read while the worker writes them: off by a packet at most.
static uint64_t stream_lost(const struct dp_stream *st)
{
	uint64_t received = dp_counter(&st->received);
	uint64_t expected = dp_counter(&st->highest_index) - dp_counter(&st->first_index) + 1;

	return received == 0 || expected < received ? 0 : expected - received;
}

static void streams_sum(const struct dp_client *dp, const struct dp_transport *tp, uint32_t index,
			struct dp_stats *stats)
{
	const struct dp_stream *newest = stream_of(dp, tp->counters.newest_stream, index);

	for (unsigned e = 0; e < DP_RX_EPOCHS; e++) {
		for (unsigned i = 0; i < DP_RX_SSRCS; i++) {
			const struct dp_stream *st = stream_of(dp, tp->rx_ssrcs[e][i].stream, index);

			if (st != NULL)
				stats->lost += stream_lost(st);
		}
	}
	if (newest == NULL)
		return;
	stats->jitter_us = newest->jitter_ns16 / 16 / 1000;
	stats->clock_hz = newest->clock_hz;
}

int dp_transport_stats(const struct dp_client *dp, struct dp_ref ref, struct dp_stats *stats)
{
	const struct dp_counters *c;
	const struct dp_transport *tp;

	if (ref.index >= dp->map.n_transports)
		return -ENOENT;
	tp = &dp->map.transports[ref.index];
	if (tp->generation != ref.generation || tp->state == DP_STATE_FREE)
		return -ENOENT;
	c = &tp->counters;
	*stats = (struct dp_stats){
		.rx_packets = dp_counter(&c->rx_packets),
		.rx_octets = dp_counter(&c->rx_octets),
		.tx_packets = dp_counter(&c->tx_packets),
		.tx_octets = dp_counter(&c->tx_octets),
		.lost = dp_counter(&c->lost_before),
		.rx_ssrc = c->rx_ssrc,
		.tx_ssrc = c->tx_ssrc,
		.last_rx = dp_counter(&c->last_rx),
		.last_tx = dp_counter(&c->last_tx),
	};
	for (unsigned i = 0; i < RELAY_DROP_COUNT; i++)
		stats->drops[i] = dp_counter(&c->drops[i]);
	streams_sum(dp, tp, ref.index, stats);
	return tp->generation == ref.generation ? 0 : -ENOENT;
}

// Control may look while the worker writes. A slot's `stream` is stored last when it is filled, first when it is given
// up; what was read is good if it is the same afterwards.
__attribute__((no_sanitize_thread)) static bool tx_slot_read(const struct dp_tx_slot *slot, uint32_t n_streams,
							     struct dp_ssrc_map *map)
{
	uint32_t before = __atomic_load_n(&slot->stream, __ATOMIC_ACQUIRE);

	if (before >= n_streams)
		return false;
	map->in = slot->ssrc;
	map->out = slot->out;
	atomic_thread_fence(memory_order_acquire);
	return __atomic_load_n(&slot->stream, __ATOMIC_RELAXED) == before;
}

size_t dp_transport_ssrc_maps(const struct dp_client *dp, struct dp_ref out_transport, struct dp_ssrc_map *maps,
			      size_t max)
{
	const struct dp_transport *tp;
	size_t n = 0;

	if (out_transport.index >= dp->map.n_transports)
		return 0;
	tp = &dp->map.transports[out_transport.index];
	for (unsigned i = 0; i < DP_TX_SSRCS && n < max; i++) {
		struct dp_ssrc_map map;

		if (tx_slot_read(&tp->tx_ssrcs[i], dp->map.n_streams, &map) && map.in != map.out)
			maps[n++] = map;
	}
	return tp->generation == out_transport.generation && tp->state == DP_STATE_PUBLISHED ? n : 0;
}

static void found_from(struct dp_found *f, uint32_t index, const struct dp_transport_view *v)
{
	*f = (struct dp_found){
		.transport = { .index = index, .generation = v->generation },
		.conf = {
			.network = v->network,
			.worker = v->worker,
			.local = v->local,
			.mode = v->mode,
			.session = v->session,
			.owner_tag = v->owner_tag,
		},
		.security = v->security,
		.path = v->path,
		.rx_epoch = v->rx_epoch,
		.tx_epoch = v->tx_epoch,
		.rx_heard = v->rx_heard,
		.n_edges = v->n_edges,
	};
	memcpy(f->edges, v->edges, sizeof(f->edges));
}

uint64_t dp_client_absent(const struct dp_client *dp)
{
	return atomic_load_explicit(&dp->map.header->absent, memory_order_relaxed);
}

void dp_client_walk(struct dp_client *dp, void (*found)(void *ctx, const struct dp_found *f), void *ctx)
{
	for (uint32_t i = 0; i < dp->map.n_transports; i++) {
		struct dp_transport_view view;
		struct dp_found f;

		if (!dp_transport_read(&dp->map.transports[i], &view) || view.state != DP_STATE_PUBLISHED)
			continue;
		found_from(&f, i, &view);
		found(ctx, &f);
	}
}
