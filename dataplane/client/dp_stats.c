// SPDX-License-Identifier: GPL-3.0-or-later
// dp_stats.c - reading the records: one transport's figures, and a walk over all that are published.
#include "dataplane/client/dp_client_priv.h"
#include <errno.h>
#include <string.h>

static const struct dp_stream *stream_of(const struct dp_client *dp, uint32_t stream, uint32_t owner)
{
	const struct dp_stream *st = stream < dp->map.n_streams ? dp_stream_at(&dp->map, stream) : NULL;

	return st != NULL && st->owner == owner ? st : NULL;
}

// RFC 3550 A.3. The fields are read while the worker writes them: off by a packet at most.
static uint64_t stream_lost(const struct dp_stream *st)
{
	uint64_t received = dp_counter(&st->received);
	uint64_t expected = dp_counter(&st->highest_index) - dp_counter(&st->first_index) + 1;

	return received == 0 || expected < received ? 0 : expected - received;
}

static void stream_add(const struct dp_stream *st, struct dp_stats *stats)
{
	uint64_t received = dp_counter(&st->received);
	mono_ns last = dp_counter(&st->last_time);

	stats->rx_packets += received;
	stats->rx_octets += dp_counter(&st->octets);
	stats->lost += stream_lost(st);
	if (received == 0 || last < stats->last_rx)
		return;
	stats->last_rx = last;
	stats->rx_ssrc = st->srtp.ssrc;
	stats->jitter_us = st->jitter_ns16 / 16 / 1000;
	stats->clock_hz = dp_clock_hz[st->clock % (sizeof(dp_clock_hz) / sizeof(dp_clock_hz[0]))];
}

// Read while the worker writes; the caller sees whether streams were forgotten meanwhile.
__attribute__((no_sanitize_thread)) static void stats_read(const struct dp_client *dp, struct dp_transport *tp,
							   uint32_t index, struct dp_stats *stats)
{
	const struct dp_counters *c = &tp->counters;
	const struct dp_ssrc_slot *slot;

	*stats = (struct dp_stats){
		.rx_packets = dp_counter(&c->packets_before),
		.rx_octets = dp_counter(&c->octets_before),
		.tx_packets = dp_counter(&tp->out.packets),
		.tx_octets = dp_counter(&tp->out.octets),
		.lost = dp_counter(&c->lost_before),
		.rx_ssrc = c->ssrc_before,
		.tx_ssrc = tp->out.ssrc,
		.last_rx = c->last_before,
		.last_tx = dp_counter(&tp->out.last),
	};
	for (unsigned i = 0; i < RELAY_DROP_COUNT; i++)
		stats->drops[i] = dp_counter(&c->drops[i]);
	for (unsigned e = 0; e < DP_RX_EPOCHS; e++) {
		for (unsigned i = 0; i < DP_RX_SSRCS && (slot = dp_rx_slot(&dp->map, tp, e, i)) != NULL; i++) {
			const struct dp_stream *st = stream_of(dp, slot->stream, index);

			if (st != NULL)
				stream_add(st, stats);
		}
	}
}

#define TRIES 1000

int dp_transport_stats(const struct dp_client *dp, struct dp_ref ref, struct dp_stats *stats)
{
	struct dp_transport *tp;

	if (ref.index >= dp->map.n_transports)
		return -ENOENT;
	tp = &dp->map.transports[ref.index];
	if (tp->generation != ref.generation || tp->state == DP_STATE_FREE)
		return -ENOENT;
	for (unsigned tries = 0; tries < TRIES; tries++) { // a relay that was killed in a command leaves it odd: good enough
		uint32_t before = atomic_load_explicit(&tp->sequence, memory_order_acquire);

		stats_read(dp, tp, ref.index, stats);
		atomic_thread_fence(memory_order_acquire);
		if ((before & 1) == 0 && atomic_load_explicit(&tp->sequence, memory_order_relaxed) == before)
			break;
	}
	return tp->generation == ref.generation ? 0 : -ENOENT;
}

struct dp_pool_fill dp_client_pool(const struct dp_client *dp, enum dp_pool pool)
{
	static const char *const names[DP_POOLS] = { "keys_cm", "keys_gcm", "streams", "rx_ssrcs", "tx_ssrcs" };
	const struct dp_pool_record *r = &dp->map.header->pools[pool];

	return (struct dp_pool_fill){
		.name = names[pool],
		.used = atomic_load_explicit(&r->used, memory_order_relaxed),
		.max = r->max,
		.refused = atomic_load_explicit(&r->refused, memory_order_relaxed),
	};
}

int dp_client_ring(const struct dp_client *dp, unsigned worker, enum dp_ring ring, struct dp_ring_fill *fill)
{
	static const char *const names[DP_RINGS] = { "commands", "punts_rtcp", "punts_proven", "punts_unproven", "events", "traces" };
	const struct byte_ring *r;

	if (worker >= dp->map.config.n_workers || ring >= DP_RINGS)
		return -ENOENT;
	if (ring == DP_RING_COMMANDS)
		r = &dp->commands[worker];
	else if (ring == DP_RING_EVENTS)
		r = &dp->events[worker];
	else if (ring == DP_RING_TRACES)
		r = &dp->traces[worker];
	else
		r = &dp->punts[worker][ring - DP_RING_PUNTS_RTCP];
	*fill = (struct dp_ring_fill){ names[ring], byte_ring_used(r), r->capacity, byte_ring_refused(r) };
	return 0;
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
	const struct dp_tx_slot *slot;
	struct dp_transport *tp;
	size_t n = 0;

	if (out_transport.index >= dp->map.n_transports)
		return 0;
	tp = &dp->map.transports[out_transport.index];
	for (unsigned i = 0; i < DP_TX_SSRCS && n < max && (slot = dp_tx_slot(&dp->map, tp, i)) != NULL; i++) {
		struct dp_ssrc_map map;

		if (tx_slot_read(slot, dp->map.n_streams, &map) && map.in != map.out)
			maps[n++] = map;
	}
	return tp->generation == out_transport.generation && tp->state == DP_STATE_PUBLISHED ? n : 0;
}

int dp_port_stats(const struct dp_client *dp, unsigned port, struct dp_port_stats *stats)
{
	const struct dp_port_record *r = &dp->map.ports[port];

	if (port >= dp->map.config.n_ports)
		return -ENOENT;
	*stats = (struct dp_port_stats){
		.up = dp_counter(&r->up) != 0,
		.changes = dp_counter(&r->changes),
		.pool_size = dp_counter(&r->pool_size),
		.pool_free = dp_counter(&r->pool_free),
		.pool_empty = dp_counter(&r->pool_empty),
		.missed = dp_counter(&r->missed),
		.to_linux = dp_counter(&r->to_linux),
		.from_linux = dp_counter(&r->from_linux),
		.to_linux_lost = dp_counter(&r->to_linux_lost),
		.from_linux_lost = dp_counter(&r->from_linux_lost),
	};
	for (unsigned w = 0; w < dp->map.config.n_workers; w++)
		stats->to_linux_lost += dp_counter(&dp->map.workers[w].to_linux_full[port]);
	return 0;
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
