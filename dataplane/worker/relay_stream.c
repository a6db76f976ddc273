// SPDX-License-Identifier: GPL-3.0-or-later
// relay_stream.c - key and stream records: who holds which, and RFC 3550 figures.
#include "dataplane/worker/relay.h"
#include "dataplane/worker/srtp/srtp_window.h"
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RX_IDLE MONO_S(60) // an SSRC that was silent so long makes room for a new one

// ---- start

static void streams_mark(struct relay *r, struct dp_transport *tp)
{
	const struct dp_map *m = &r->map;

	for (unsigned e = 0; e < DP_RX_EPOCHS; e++) {
		for (unsigned i = 0; i < DP_RX_SSRCS && dp_rx_slot(m, tp, e, i) != NULL; i++)
			record_pool_use(&r->records[DP_POOL_STREAMS], dp_rx_slot(m, tp, e, i)->stream);
	}
	for (unsigned i = 0; i < DP_TX_SSRCS && dp_tx_slot(m, tp, i) != NULL; i++)
		record_pool_use(&r->records[DP_POOL_STREAMS], dp_tx_slot(m, tp, i)->stream);
}

static void key_mark_used(struct relay *r, uint32_t key)
{
	record_pool_use(&r->records[key < r->map.n_keys_cm ? DP_POOL_KEYS_CM : DP_POOL_KEYS_GCM], key);
}

static void transport_marks(struct relay *r, struct dp_transport *tp)
{
	if (tp->state == DP_STATE_FREE)
		return;
	for (unsigned e = 0; e < DP_RX_EPOCHS; e++) {
		key_mark_used(r, tp->rx[e].key);
		record_pool_use(&r->records[DP_POOL_RX_SSRCS], tp->rx_more[e]);
	}
	key_mark_used(r, tp->out.key);
	record_pool_use(&r->records[DP_POOL_TX_SSRCS], tp->tx_more);
	streams_mark(r, tp);
	r->n_overlaps += key_at(r, &tp->rx[0].key) != NULL && key_at(r, &tp->rx[1].key) != NULL;
}

static void key_wipe(struct relay_worker *w, uint32_t index);

static bool key_is_blank(const struct srtp_key *key)
{
	static const uint8_t zero[sizeof(key->cipher_key)];

	return key->suite == SRTP_SUITE_NONE && memcmp(key->cipher_key, zero, sizeof(zero)) == 0 &&
	       memcmp(key->salt, zero, sizeof(key->salt)) == 0;
}

// What a crash left half taken or half given back: nobody refers to it.
static void unused_clean(struct relay_worker *w)
{
	struct relay *r = w->relay;

	for (uint32_t i = 0; i < r->map.n_keys; i++) {
		if (!record_pool_used(&r->records[i < r->map.n_keys_cm ? DP_POOL_KEYS_CM : DP_POOL_KEYS_GCM], i) &&
		    !key_is_blank(dp_key_at(&r->map, i)))
			key_wipe(w, i);
	}
	for (uint32_t i = 0; i < r->map.n_streams; i++) {
		if (!record_pool_used(&r->records[DP_POOL_STREAMS], i))
			dp_stream_at(&r->map, i)->owner = DP_NONE;
	}
}

static int records_open(struct relay *r)
{
	const struct dp_map *m = &r->map;
	const struct {
		uint32_t first, n;
	} of[DP_POOLS] = {
		[DP_POOL_KEYS_CM] = { 0, m->n_keys_cm },
		[DP_POOL_KEYS_GCM] = { m->n_keys_cm, m->n_keys - m->n_keys_cm },
		[DP_POOL_STREAMS] = { 0, m->n_streams },
		[DP_POOL_RX_SSRCS] = { 0, m->n_rx_more },
		[DP_POOL_TX_SSRCS] = { 0, m->n_tx_more },
	};
	int err = 0;

	for (unsigned k = 0; k < DP_POOLS && err == 0; k++)
		err = record_pool_open(&r->records[k], of[k].first, of[k].n, &m->header->pools[k]);
	return err;
}

static void records_close(struct relay *r)
{
	for (unsigned k = 0; k < DP_POOLS; k++)
		record_pool_close(&r->records[k]);
}

// The first worker finds what is in use, for all.
static int records_find(struct relay_worker *w)
{
	struct relay *r = w->relay;

	if (r->n_record_users++ > 0)
		return 0;
	r->n_overlaps = 0;
	if (records_open(r) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < r->map.n_transports; i++)
		transport_marks(r, &r->map.transports[i]);
	unused_clean(w);
	return 0;
}

// A worker that is alone gets nothing from others.
static int arrivals_open(struct relay_worker *w)
{
	const struct dp_map *m = &w->relay->map;

	atomic_init(&w->arrivals.head, DP_NONE);
	if (m->config.n_workers == 1)
		return 0;
	w->arrivals.links = calloc(m->n_transports, sizeof(*w->arrivals.links));
	return w->arrivals.links == NULL ? -ENOMEM : 0;
}

int relay_records_open(struct relay_worker *w)
{
	int err;

	w->owed = calloc(RELAY_OWED(w->relay->map.n_transports), sizeof(*w->owed));
	if (w->owed == NULL)
		return -ENOMEM;
	err = records_find(w);
	return err < 0 ? err : arrivals_open(w);
}

void relay_records_close(struct relay_worker *w)
{
	free(w->arrivals.links);
	if (w->owed == NULL)
		return;
	free(w->owed);
	w->owed = NULL;
	if (--w->relay->n_record_users == 0)
		records_close(w->relay);
}

#include "dataplane/fastpath.h"

// ---- keys

// A damaged record of the shorter kind must not have its neighbour wiped.
static void key_wipe(struct relay_worker *w, uint32_t index)
{
	struct srtp_key *key = dp_key_at(&w->relay->map, index);

	if (index < w->relay->map.n_keys_cm && srtp_key_size(key->suite) != SRTP_KEY_CM_SIZE)
		key->suite = SRTP_SUITE_NONE;
	srtp_key_wipe(w->engine, key);
}

static struct record_pool *key_pool(struct relay_worker *w, bool short_key)
{
	return &w->relay->records[short_key ? DP_POOL_KEYS_CM : DP_POOL_KEYS_GCM];
}

uint32_t key_take(struct relay_worker *w, enum srtp_suite suite)
{
	return record_pool_take(key_pool(w, srtp_key_size(suite) == SRTP_KEY_CM_SIZE));
}

void key_release(struct relay_worker *w, uint32_t key)
{
	if (key >= w->relay->map.n_keys)
		return;
	key_wipe(w, key);
	record_pool_give(key_pool(w, key < w->relay->map.n_keys_cm), key);
}

// ---- streams

// The record ends where its window does.
static void srtp_copy(struct dp_stream *st, const struct srtp_stream *srtp)
{
	memcpy(&st->srtp, srtp, offsetof(struct srtp_stream, bits) +
					(srtp_window_mask(srtp) + 1) * sizeof(srtp->bits[0]));
}

struct dp_stream *stream_take(struct relay_worker *w, uint32_t owner, const struct srtp_stream *srtp)
{
	uint32_t index = record_pool_take(&w->relay->records[DP_POOL_STREAMS]);
	struct dp_stream *st;

	if (index == DP_NONE)
		return NULL;
	st = dp_stream_at(&w->relay->map, index);
	memset(st, 0, w->relay->map.stream_size);
	st->owner = owner;
	srtp_copy(st, srtp);
	st->last_time = w->now; // young from here on: the rest of this burst must not take its place
	srtp_window_order(); // a kill after this one finds a stream that can be used
	return st;
}

void stream_give(struct relay_worker *w, uint32_t stream)
{
	struct dp_stream *st = stream_at(w->relay, stream);

	if (st == NULL)
		return;
	srtp_window_order();
	st->owner = DP_NONE;
	record_pool_give(&w->relay->records[DP_POOL_STREAMS], stream);
}

// Control adds up what the transport had before and what its streams have: nothing may be missing, nor count twice.
static uint32_t figures_begin(struct dp_transport *tp)
{
	uint32_t sequence = atomic_load_explicit(&tp->sequence, memory_order_relaxed);

	atomic_store_explicit(&tp->sequence, sequence | 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	return sequence;
}

// A command that is under way ends it itself.
static void figures_end(struct dp_transport *tp, uint32_t sequence)
{
	if ((sequence & 1) == 0)
		atomic_store_explicit(&tp->sequence, sequence + 2, memory_order_release);
}

static void stream_release(struct relay_worker *w, struct dp_transport *tp, struct dp_ssrc_slot *slot)
{
	struct dp_stream *st = stream_at(w->relay, slot->stream);
	uint32_t stream = slot->stream, sequence;

	if (st == NULL)
		return;
	sequence = figures_begin(tp);
	slot->stream = DP_NONE;
	srtp_window_order();
	if (st->received > 0) {
		uint64_t expected = st->highest_index - st->first_index + 1;

		dp_count(&tp->counters.packets_before, st->received);
		dp_count(&tp->counters.octets_before, st->octets);
		if (expected > st->received)
			dp_count(&tp->counters.lost_before, expected - st->received);
		if (st->last_time >= tp->counters.last_before) {
			tp->counters.last_before = st->last_time;
			tp->counters.ssrc_before = st->srtp.ssrc;
		}
	}
	figures_end(tp, sequence);
	stream_give(w, stream);
}

void streams_release(struct relay_worker *w, struct dp_transport *tp, unsigned epoch)
{
	struct dp_ssrc_slot *slot;
	uint32_t more = tp->rx_more[epoch];

	for (unsigned i = 0; i < DP_RX_SSRCS && (slot = dp_rx_slot(&w->relay->map, tp, epoch, i)) != NULL; i++)
		stream_release(w, tp, slot);
	tp->rx_more[epoch] = DP_NONE;
	srtp_window_order();
	record_pool_give(&w->relay->records[DP_POOL_RX_SSRCS], more);
}

// Room for SSRCs beyond the first; empty before it can be found.
static struct dp_ssrc_slot *more_take(struct relay_worker *w, struct dp_transport *tp, unsigned epoch)
{
	uint32_t more = record_pool_take(&w->relay->records[DP_POOL_RX_SSRCS]);

	if (more == DP_NONE)
		return NULL;
	for (unsigned i = 0; i < DP_RX_SSRCS - 1; i++)
		w->relay->map.rx_more[more].slots[i] = (struct dp_ssrc_slot){ .stream = DP_NONE };
	srtp_window_order();
	tp->rx_more[epoch] = more;
	return &w->relay->map.rx_more[more].slots[0];
}

static struct dp_ssrc_slot *slot_for_new(struct relay_worker *w, struct dp_transport *tp, unsigned epoch)
{
	struct dp_ssrc_slot *oldest = NULL, *slot;
	mono_ns oldest_time = MONO_NEVER;
	unsigned i;

	for (i = 0; i < DP_RX_SSRCS && (slot = dp_rx_slot(&w->relay->map, tp, epoch, i)) != NULL; i++) {
		const struct dp_stream *st = stream_at(w->relay, slot->stream);

		if (st == NULL)
			return slot;
		if (st->last_time < oldest_time) {
			oldest_time = st->last_time;
			oldest = slot;
		}
	}
	slot = i == 1 ? more_take(w, tp, epoch) : NULL;
	if (slot != NULL)
		return slot;
	if (oldest == NULL || oldest_time + RX_IDLE > w->now)
		return NULL;
	stream_release(w, tp, oldest);
	return oldest;
}

struct dp_stream *stream_bind(struct relay_worker *w, uint32_t index, unsigned epoch, const struct srtp_stream *srtp)
{
	struct dp_transport *tp = &w->relay->map.transports[index];
	struct dp_ssrc_slot *slot = slot_for_new(w, tp, epoch);
	struct dp_stream *st = slot == NULL ? NULL : stream_take(w, index, srtp);

	if (st == NULL)
		return NULL;
	slot->ssrc = srtp->ssrc;
	srtp_window_order();
	slot->stream = stream_index(w->relay, st);
	return st;
}

// ---- figures

#define CLOCKS (sizeof(dp_clock_hz) / sizeof(dp_clock_hz[0]))
#define GUESSES (1u << 20) // packets: after them the pace is known, and dp_stream.first_time may have come round

// Nanoseconds of a tick in units of 2^-12: to multiply by, since a division costs as much as the rest.
#define TICK(hz) ((INT64_C(1000000000) << 12) / (hz))
static const int64_t clock_tick[CLOCKS] = { 0, TICK(8000), TICK(16000), TICK(24000), TICK(32000), TICK(44100),
					     TICK(48000), TICK(90000) };

// The RTP clock is not in the packet; the pace tells: the known rate nearest to timestamps gone by in time gone by.
static uint8_t clock_guess(uint32_t rtp, mono_ns time)
{
	uint64_t hz = (uint64_t)rtp * 1000000000u / (time > 0 ? time : 1);
	uint8_t best = 1;

	for (uint8_t i = 2; i < CLOCKS; i++) {
		uint64_t here = hz > dp_clock_hz[i] ? hz - dp_clock_hz[i] : dp_clock_hz[i] - hz;
		uint64_t there = hz > dp_clock_hz[best] ? hz - dp_clock_hz[best] : dp_clock_hz[best] - hz;

		if (here < there)
			best = i;
	}
	return best;
}

static __attribute__((noinline)) void clock_look(struct dp_stream *st, uint32_t rtp, mono_ns now)
{
	mono_ns time = (mono_ns)((uint32_t)(now >> 16) - st->first_time) << 16;

	if (st->received >= 8 && st->received <= GUESSES && time > MONO_MS(100))
		st->clock = clock_guess(rtp - st->first_rtp, time);
}

static inline void jitter_account(struct dp_stream *st, uint32_t rtp, mono_ns now)
{
	int64_t sent, d;

	if ((st->received & (st->received - 1)) == 0)
		clock_look(st, rtp, now);
	if (st->clock == 0)
		return;
	// RFC 3550 6.4.1: D = (R_j - R_i) - (S_j - S_i), J += (|D| - J) / 16
	sent = (int64_t)(int32_t)(rtp - st->last_rtp) * clock_tick[st->clock % CLOCKS] / 4096;
	d = (int64_t)(now - st->last_time) - sent;
	if (d < 0)
		d = -d;
	if (d < (int64_t)MONO_S(1)) // more is a new talk spurt with its own timestamps
		st->jitter_ns16 += (uint32_t)d - (st->jitter_ns16 + 8) / 16;
}

static inline void index_account(struct dp_stream *st, uint64_t index)
{
	if (index > st->highest_index)
		st->highest_index = index;
	if (index < st->first_index)
		st->first_index = index; // it had been overtaken
}

static inline uint32_t rtp_time(const uint8_t *packet)
{
	uint32_t time;

	memcpy(&time, packet + 4, sizeof(time));
	return be32toh(time);
}

void stream_account(struct packet *p, mono_ns now)
{
	struct dp_stream *st = p->stream;
	uint32_t rtp = rtp_time(p->bytes);

	if (st->received == 0) {
		st->first_index = st->highest_index = p->rtp_index;
		st->first_time = (uint32_t)(now >> 16);
		st->first_rtp = rtp;
	} else {
		index_account(st, p->rtp_index);
		jitter_account(st, rtp, now);
	}
	st->last_rtp = rtp;
	dp_count(&st->octets, p->payload_len);
	dp_count(&st->received, 1);
	__atomic_store_n(&st->last_time, now, __ATOMIC_RELAXED);
}
