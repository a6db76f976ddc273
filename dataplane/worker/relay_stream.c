// SPDX-License-Identifier: GPL-3.0-or-later
// relay_stream.c - the worker's share of key and stream records: which are free, who holds which, and RFC 3550 figures.
#include "dataplane/worker/relay.h"
#include "dataplane/worker/srtp/srtp_window.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RX_IDLE MONO_S(60) // an SSRC that was silent so long makes room for a new one

// ---- start

static void mark(uint8_t *used, uint32_t index, uint32_t n)
{
	if (index < n)
		used[index] = 1;
}

static void transport_marks(const struct dp_map *m, const struct dp_transport *tp, uint8_t *keys, uint8_t *streams)
{
	if (tp->state == DP_STATE_FREE)
		return;
	for (unsigned e = 0; e < DP_RX_EPOCHS; e++) {
		mark(keys, tp->rx_keys[e].key, m->n_keys);
		for (unsigned i = 0; i < DP_RX_SSRCS; i++)
			mark(streams, tp->rx_ssrcs[e][i].stream, m->n_streams);
	}
	mark(keys, tp->tx_key.key, m->n_keys);
	for (unsigned i = 0; i < DP_TX_SSRCS; i++)
		mark(streams, tp->tx_ssrcs[i].stream, m->n_streams);
}

// Worker w has the w-th part of each pool. Taken in order of the index: low ones first, so that memory stays warm.
static uint32_t share(uint32_t *stack, const uint8_t *used, uint32_t n, unsigned id, unsigned n_workers)
{
	uint32_t first = (uint32_t)((uint64_t)n * id / n_workers), end = (uint32_t)((uint64_t)n * (id + 1) / n_workers);
	uint32_t count = 0;

	for (uint32_t i = end; i-- > first;) {
		if (!used[i])
			stack[count++] = i;
	}
	return count;
}

// A worker that is alone gets nothing from others.
static int stack_open(struct index_stack *s, uint32_t n, unsigned n_workers)
{
	atomic_init(&s->head, DP_NONE);
	if (n_workers == 1)
		return 0;
	s->links = calloc(n, sizeof(*s->links));
	return s->links == NULL ? -ENOMEM : 0;
}

void relay_pools_close(struct relay_worker *w)
{
	free(w->free_keys);
	free(w->free_streams);
	free(w->owed);
	free(w->back_keys.links);
	free(w->back_streams.links);
	free(w->arrivals.links);
}

int relay_pools_load(struct relay_worker *w)
{
	const struct dp_map *m = &w->relay->map;
	unsigned n = m->config.n_workers;
	uint8_t *keys = calloc(m->n_keys, 1), *streams = calloc(m->n_streams, 1);
	int err = -ENOMEM;

	w->free_keys = calloc(m->n_keys, sizeof(*w->free_keys));
	w->free_streams = calloc(m->n_streams, sizeof(*w->free_streams));
	w->owed = calloc(RELAY_OWED(m->n_transports), sizeof(*w->owed));
	if (keys == NULL || streams == NULL || w->free_keys == NULL || w->free_streams == NULL || w->owed == NULL)
		goto out;
	if (stack_open(&w->back_keys, m->n_keys, n) < 0 || stack_open(&w->back_streams, m->n_streams, n) < 0 ||
	    stack_open(&w->arrivals, m->n_transports, n) < 0)
		goto out;
	for (uint32_t i = 0; i < m->n_transports; i++)
		transport_marks(m, &m->transports[i], keys, streams);
	w->n_free_keys = share(w->free_keys, keys, m->n_keys, w->id, n);
	w->n_free_streams = share(w->free_streams, streams, m->n_streams, w->id, n);
	// What a crash left half taken or half given back: nobody refers to it.
	for (uint32_t i = 0; i < w->n_free_keys; i++) {
		if (m->keys[w->free_keys[i]].suite != SRTP_SUITE_NONE)
			srtp_key_wipe(w->engine, &m->keys[w->free_keys[i]]);
	}
	for (uint32_t i = 0; i < w->n_free_streams; i++)
		m->streams[w->free_streams[i]].owner = DP_NONE;
	err = 0;
out:
	free(keys);
	free(streams);
	return err;
}

#include "dataplane/worker/fastpath.h"

// ---- a transport that moved holds records of the worker's where it was: they go back there

// Whose share an index is of: the inverse of share().
static unsigned home_of(const struct relay_worker *w, uint32_t index, uint32_t n)
{
	unsigned n_workers = w->relay->map.config.n_workers;

	return n_workers == 1 ? 0 : (unsigned)((((uint64_t)index + 1) * n_workers - 1) / n);
}

static void collect(uint32_t *stack, uint32_t *count, struct index_stack *back, uint32_t n)
{
	uint32_t index = index_stack_take(back);

	for (; index < n && *count < n; index = back->links[index])
		stack[(*count)++] = index;
}

void relay_pools_collect(struct relay_worker *w)
{
	collect(w->free_keys, &w->n_free_keys, &w->back_keys, w->relay->map.n_keys);
	collect(w->free_streams, &w->n_free_streams, &w->back_streams, w->relay->map.n_streams);
}

// ---- keys

uint32_t key_take(struct relay_worker *w)
{
	return w->n_free_keys > 0 ? w->free_keys[--w->n_free_keys] : DP_NONE;
}

void key_release(struct relay_worker *w, uint32_t key)
{
	unsigned home;

	if (key >= w->relay->map.n_keys || w->n_free_keys == w->relay->map.n_keys)
		return;
	srtp_key_wipe(w->engine, &w->relay->map.keys[key]);
	home = home_of(w, key, w->relay->map.n_keys);
	if (home == w->id)
		w->free_keys[w->n_free_keys++] = key;
	else if (w->relay->workers[home] != NULL) // else it is not there yet, and will find the key free
		index_stack_push(&w->relay->workers[home]->back_keys, key, key);
}

// ---- streams

struct dp_stream *stream_take(struct relay_worker *w, uint32_t owner, const struct srtp_stream *srtp)
{
	struct dp_stream *st;

	if (w->n_free_streams == 0)
		return NULL;
	st = &w->relay->map.streams[w->free_streams[--w->n_free_streams]];
	memset(st, 0, sizeof(*st));
	st->owner = owner;
	st->ssrc = srtp->ssrc;
	st->srtp = *srtp;
	st->last_time = w->now; // young from here on: the rest of this burst must not take its place
	srtp_window_order(); // a kill after this one finds a stream that can be used
	return st;
}

void stream_give(struct relay_worker *w, uint32_t stream)
{
	unsigned home;

	if (stream >= w->relay->map.n_streams || w->n_free_streams == w->relay->map.n_streams)
		return;
	srtp_window_order();
	w->relay->map.streams[stream].owner = DP_NONE;
	home = home_of(w, stream, w->relay->map.n_streams);
	if (home == w->id)
		w->free_streams[w->n_free_streams++] = stream;
	else if (w->relay->workers[home] != NULL)
		index_stack_push(&w->relay->workers[home]->back_streams, stream, stream);
}

static struct dp_ssrc_slot *slot_for_new(struct relay_worker *w, struct dp_transport *tp, struct dp_ssrc_slot *slots)
{
	struct dp_ssrc_slot *oldest = NULL;
	mono_ns oldest_time = MONO_NEVER;

	for (unsigned i = 0; i < DP_RX_SSRCS; i++) {
		mono_ns last;

		if (slots[i].stream >= w->relay->map.n_streams)
			return &slots[i];
		last = w->relay->map.streams[slots[i].stream].last_time;
		if (last < oldest_time) {
			oldest_time = last;
			oldest = &slots[i];
		}
	}
	if (oldest == NULL || oldest_time + RX_IDLE > w->now)
		return NULL;
	stream_release(w, tp, oldest);
	return oldest;
}

struct dp_stream *stream_bind(struct relay_worker *w, uint32_t index, unsigned epoch, const struct srtp_stream *srtp)
{
	struct dp_transport *tp = &w->relay->map.transports[index];
	struct dp_ssrc_slot *slot = slot_for_new(w, tp, tp->rx_ssrcs[epoch]);
	struct dp_stream *st = slot == NULL ? NULL : stream_take(w, index, srtp);

	if (st == NULL)
		return NULL;
	slot->ssrc = srtp->ssrc;
	srtp_window_order();
	slot->stream = (uint32_t)(st - w->relay->map.streams);
	return st;
}

void stream_release(struct relay_worker *w, struct dp_transport *tp, struct dp_ssrc_slot *slot)
{
	uint32_t stream = slot->stream;
	struct dp_stream *st;

	if (stream >= w->relay->map.n_streams)
		return;
	st = &w->relay->map.streams[stream];
	if (st->received > 0) {
		uint64_t expected = st->highest_index - st->first_index + 1;

		if (expected > st->received)
			dp_count(&tp->counters.lost_before, expected - st->received);
	}
	slot->stream = DP_NONE;
	stream_give(w, stream);
}

// ---- figures

static const uint32_t clock_rates[] = { 8000, 16000, 24000, 32000, 44100, 48000, 90000 };

// The RTP clock is not in the packet; the pace tells: the known rate nearest to timestamps gone by in time gone by.
static uint32_t clock_guess(uint32_t rtp, mono_ns time)
{
	uint64_t hz = (uint64_t)rtp * 1000000000u / (time > 0 ? time : 1);
	uint32_t best = clock_rates[0];

	for (size_t i = 1; i < sizeof(clock_rates) / sizeof(clock_rates[0]); i++) {
		uint64_t here = hz > clock_rates[i] ? hz - clock_rates[i] : clock_rates[i] - hz;
		uint64_t there = hz > best ? hz - best : best - hz;

		if (here < there)
			best = clock_rates[i];
	}
	return best;
}

static void jitter_account(struct dp_stream *st, uint32_t rtp, mono_ns now)
{
	int64_t sent, d;

	if ((st->received & (st->received - 1)) == 0 && st->received >= 8 && now > st->first_time + MONO_MS(100))
		st->clock_hz = clock_guess(rtp - st->first_rtp, now - st->first_time);
	if (st->clock_hz == 0)
		return;
	// RFC 3550 6.4.1: D = (R_j - R_i) - (S_j - S_i), J += (|D| - J) / 16
	sent = (int64_t)(int32_t)(rtp - st->last_rtp) * 1000000000 / st->clock_hz;
	d = (int64_t)(now - st->last_time) - sent;
	if (d < 0)
		d = -d;
	if (d < (int64_t)MONO_S(1)) // more is a new talk spurt with its own timestamps
		st->jitter_ns16 += (uint32_t)d - (st->jitter_ns16 + 8) / 16;
}

void stream_account(struct dp_transport *tp, struct packet *p, mono_ns now)
{
	struct dp_stream *st = p->stream;
	uint32_t rtp = (uint32_t)p->bytes[4] << 24 | (uint32_t)p->bytes[5] << 16 | (uint32_t)p->bytes[6] << 8 |
		       p->bytes[7];

	if (st->received == 0) {
		st->first_index = st->highest_index = p->rtp_index;
		st->first_time = now;
		st->first_rtp = rtp;
	} else {
		if (p->rtp_index > st->highest_index)
			st->highest_index = p->rtp_index;
		if (p->rtp_index < st->first_index)
			st->first_index = p->rtp_index; // it had been overtaken
		jitter_account(st, rtp, now);
	}
	st->received++;
	st->last_rtp = rtp;
	st->last_time = now;
	tp->counters.rx_ssrc = st->ssrc;
	dp_count(&tp->counters.rx_packets, 1);
	dp_count(&tp->counters.rx_octets, p->payload_len);
	__atomic_store_n(&tp->counters.last_rx, now, __ATOMIC_RELAXED);
}
