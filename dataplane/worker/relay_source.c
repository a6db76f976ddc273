// SPDX-License-Identifier: GPL-3.0-or-later
// relay_source.c - who is sent by a secured transport, and under which SSRC: no (key, SSRC, index) is used twice.
//
// A source is an SSRC and the transport that it comes in by. It is sent as it came (carried), unless its indices could
// have been used before: another source has this SSRC, it began its sequence anew, or another transport sends under the key
// as well (several answerers of one offer with SDES). Then it is sent under an SSRC of
// the relay's own (mapped). Those are base + k * ODD with k counting up under each key, so none comes twice and none
// has to be remembered; carried ones are remembered as long as the key lives.
#include "dataplane/worker/relay.h"
#include "dataplane/worker/srtp/rtp_header.h"
#include "dataplane/worker/srtp/srtp_window.h"
#include <rte_random.h>
#include <string.h>
#include "dataplane/fastpath.h"

#define ODD UINT32_C(0x9e3779b1) // multiples modulo 2^32 do not repeat for 2^32 steps
#define ODD_INVERSE UINT32_C(0x0e8b2f51)

#define MAPS_AT_ONCE 8 // new SSRCs of ours a transport, and then
#define MAPS_EVERY MONO_MS(500)
#define MAPPED_IDLE MONO_S(5) // its slot goes to another source then; should it speak again, under one more SSRC

#define FEEDS MONO_S(1) // a transport that did not bring a source for so long may have lost it to another

// A plain source began anew if so many packets in a row repeat what was sent, over so much time, and nothing new came
// in between. Less is a network that delivers twice or late: a burst of video comes twice within a few milliseconds.
#define RESTART_RUN 3
#define RESTART_TIME MONO_MS(35)
#define RESTART_STEP 8 // packets of it may be lost

static struct dp_tx_slot *slot_at(const struct relay_worker *w, struct dp_transport *tp, unsigned i)
{
	return dp_tx_slot(&w->relay->map, tp, i);
}

void source_key_new(struct dp_rare *rare)
{
	rare->map_base = (uint32_t)rte_rand();
	rare->map_count = 0;
	for (unsigned i = 0; i < DP_RESTARTS; i++)
		rare->restarts[i].stream = DP_NONE;
}

void source_forget(struct relay_worker *w, struct dp_transport *tp)
{
	struct dp_tx_slot *slot;
	uint32_t more = tp->tx_more;

	for (unsigned i = 0; i < DP_TX_SSRCS && (slot = slot_at(w, tp, i)) != NULL; i++) {
		uint32_t stream = slot->stream;

		slot->stream = DP_NONE;
		stream_give(w, stream);
	}
	tp->tx_more = DP_NONE;
	srtp_window_order();
	record_pool_give(&w->relay->records[DP_POOL_TX_SSRCS], more);
}

// ---- SSRCs

static bool slot_live(const struct relay_worker *w, const struct dp_tx_slot *slot)
{
	return slot->stream < w->relay->map.n_streams;
}

static bool slot_carried(const struct dp_tx_slot *slot)
{
	return slot->stream != DP_NONE && slot->out == slot->ssrc;
}

// Whether any packet under this key may have been sent with it, or may yet be.
static bool ssrc_known(const struct relay_worker *w, struct dp_transport *tp, uint32_t ssrc)
{
	const struct dp_rare *rare = rare_of(w->relay, tp);
	const struct dp_tx_slot *slot;

	if ((ssrc - rare->map_base) * ODD_INVERSE <= rare->map_count)
		return true;
	for (unsigned i = 0; i < DP_TX_SSRCS && (slot = slot_at(w, tp, i)) != NULL; i++) {
		if (slot->stream != DP_NONE && (slot->out == ssrc || slot->ssrc == ssrc))
			return true;
	}
	return false;
}

static bool map_allowed(struct relay_worker *w, struct dp_transport *tp)
{
	struct dp_rare *rare = rare_of(w->relay, tp);

	if (rare->map_since == 0 || w->now >= rare->map_since + MAPS_AT_ONCE * MAPS_EVERY) {
		rare->map_since = w->now;
		rare->map_credit = MAPS_AT_ONCE;
	}
	while (rare->map_credit < MAPS_AT_ONCE && w->now >= rare->map_since + MAPS_EVERY) {
		rare->map_since += MAPS_EVERY;
		rare->map_credit++;
	}
	return rare->map_credit > 0;
}

// Counted first: a kill loses an SSRC, it does not use one twice.
static uint32_t map_next(struct relay_worker *w, struct dp_transport *tp)
{
	struct dp_rare *rare = rare_of(w->relay, tp);
	uint32_t out;

	do {
		out = rare->map_base + (rare->map_count + 1) * ODD;
		if (!ssrc_known(w, tp, out))
			break;
		rare->map_count++;
	} while (true);
	rare->map_count++;
	rare->map_credit--;
	srtp_window_order();
	return out;
}

// ---- slots

// When the source of a slot was heard last, by the transport that it comes in by; 0: that knows it no more.
static mono_ns slot_heard(const struct relay_worker *w, const struct dp_tx_slot *slot)
{
	const struct dp_map *m = &w->relay->map;
	mono_ns newest = 0;

	if (slot->from >= m->n_transports || transport_worker(&m->transports[slot->from]) != w->id)
		return 0;
	for (unsigned i = 0; i < DP_RX_EPOCHS * DP_RX_SSRCS; i++) {
		const struct dp_ssrc_slot *rx = dp_rx_slot(m, &m->transports[slot->from], i / DP_RX_SSRCS, i % DP_RX_SSRCS);
		const struct dp_stream *st = rx != NULL && rx->ssrc == slot->ssrc ? stream_at(w->relay, rx->stream) : NULL;

		if (st != NULL && st->last_time > newest)
			newest = st->last_time;
	}
	return newest;
}

// Room for SSRCs beyond the first; empty before it can be found.
static struct dp_tx_slot *more_take(struct relay_worker *w, struct dp_transport *tp)
{
	uint32_t more = record_pool_take(&w->relay->records[DP_POOL_TX_SSRCS]);

	if (more == DP_NONE)
		return NULL;
	for (unsigned i = 0; i < DP_TX_SSRCS - 1; i++)
		w->relay->map.tx_more[more].slots[i] = (struct dp_tx_slot){ .stream = DP_NONE };
	srtp_window_order();
	tp->tx_more = more;
	return &w->relay->map.tx_more[more].slots[0];
}

static struct dp_tx_slot *slot_free(struct relay_worker *w, struct dp_transport *tp)
{
	struct dp_tx_slot *idle = NULL, *slot;
	mono_ns oldest = MONO_NEVER;
	unsigned i;

	for (i = 0; i < DP_TX_SSRCS && (slot = slot_at(w, tp, i)) != NULL; i++) {
		mono_ns heard;

		if (slot->stream == DP_NONE)
			return slot;
		if (!slot_live(w, slot) || slot_carried(slot))
			continue;
		heard = slot_heard(w, slot);
		if (heard < oldest && w->now >= heard + MAPPED_IDLE) {
			oldest = heard;
			idle = slot;
		}
	}
	slot = i == 1 ? more_take(w, tp) : NULL;
	return slot != NULL ? slot : idle;
}

static void slot_empty(struct relay_worker *w, struct dp_tx_slot *slot, uint32_t instead)
{
	uint32_t stream = slot->stream;

	__atomic_store_n(&slot->stream, instead, __ATOMIC_RELAXED);
	stream_give(w, stream);
}

static const struct dp_tx_slot *slot_fill(struct relay_worker *w, const struct packet *p, struct dp_tx_slot *slot,
					  uint32_t out)
{
	struct srtp_stream srtp;
	struct dp_stream *st;

	slot_empty(w, slot, DP_NONE);
	srtp_stream_init(&srtp, out, p->tp->tx_epoch.roc, w->relay->map.config.replay_window);
	st = stream_take(w, p->index, &srtp);
	if (st == NULL)
		return NULL;
	slot->ssrc = p->ssrc;
	slot->from = p->from;
	slot->out = out;
	__atomic_store_n(&slot->stream, stream_index(w->relay, st), __ATOMIC_RELEASE);
	return slot;
}

static bool may_carry(const struct relay_worker *w, struct dp_transport *tp, uint32_t ssrc)
{
	const struct dp_tx_slot *slot;
	unsigned carried = 0;

	for (unsigned i = 0; i < DP_TX_SSRCS && (slot = slot_at(w, tp, i)) != NULL; i++)
		carried += slot_carried(slot);
	return rare_of(w->relay, tp)->apart == 0 && carried < DP_TX_CARRIED && !ssrc_known(w, tp, ssrc);
}

static const struct dp_tx_slot *source_new(struct relay_worker *w, const struct packet *p, enum relay_drop *why)
{
	struct dp_tx_slot *slot = slot_free(w, p->tp);
	bool carry = may_carry(w, p->tp, p->ssrc);

	*why = RELAY_DROP_SSRC_LIMIT;
	if (slot == NULL || record_pool_empty(&w->relay->records[DP_POOL_STREAMS]) || (!carry && !map_allowed(w, p->tp)))
		return NULL;
	return slot_fill(w, p, slot, carry ? p->ssrc : map_next(w, p->tp));
}

// Whether the transport that an SSRC came in by may still bring more of it.
static bool still_feeds(const struct relay_worker *w, const struct dp_tx_slot *slot, uint32_t to)
{
	const struct dp_map *map = &w->relay->map;
	const struct dp_transport *from;

	if (slot->from >= map->n_transports)
		return false;
	from = &map->transports[slot->from];
	if (transport_worker(from) != w->id || from->state != DP_STATE_PUBLISHED || w->now > slot_heard(w, slot) + FEEDS)
		return false;
	for (unsigned e = 0; e < from->n_edges && e < DP_EDGES_MAX; e++) {
		if (from->edges[e].to.index == to && from->edges[e].open)
			return true;
	}
	return false;
}

static struct dp_tx_slot *slot_of(struct relay_worker *w, const struct packet *p)
{
	struct dp_tx_slot *other = NULL, *slot;

	for (unsigned i = 0; i < DP_TX_SSRCS && (slot = slot_at(w, p->tp, i)) != NULL; i++) {
		if (slot->ssrc != p->ssrc || !slot_live(w, slot))
			continue;
		if (slot->from == p->from)
			return slot;
		other = slot;
	}
	if (other == NULL || still_feeds(w, other, p->index))
		return NULL;
	other->from = p->from; // the source moved to another port of ours
	return other;
}

const struct dp_tx_slot *source_slot(struct relay_worker *w, const struct packet *p, enum relay_drop *why)
{
	const struct dp_tx_slot *slot = slot_of(w, p);

	return slot != NULL ? slot : source_new(w, p, why);
}

// ---- sources that begin anew

static struct dp_restart *restart_of(struct dp_rare *rare, uint32_t stream)
{
	struct dp_restart *oldest = &rare->restarts[0];

	for (unsigned i = 0; i < DP_RESTARTS; i++) {
		struct dp_restart *r = &rare->restarts[i];

		if (r->stream == stream)
			return r;
		if (r->stream == DP_NONE || (oldest->stream != DP_NONE && r->since < oldest->since))
			oldest = r;
	}
	return oldest;
}

static bool has_restarted(struct relay_worker *w, const struct packet *p, uint32_t stream)
{
	struct dp_restart *r = restart_of(rare_of(w->relay, p->tp), stream);
	uint64_t highest = dp_stream_at(&w->relay->map, stream)->srtp.highest;
	uint16_t seq = rtp_seq(p->bytes);

	if (r->stream != stream || r->highest != highest || (uint16_t)(seq - r->seq - 1) >= RESTART_STEP) {
		*r = (struct dp_restart){ .stream = stream, .highest = highest, .since = w->now };
	}
	r->seq = seq;
	r->run++;
	if (r->run < RESTART_RUN || w->now < r->since + RESTART_TIME)
		return false;
	r->stream = DP_NONE;
	return true;
}

// A packet whose index was sent before. What was authenticated on its way in was not there before (the replay window of
// its own leg says so): its sender has a new key and began a new sequence with it.
const struct dp_tx_slot *source_repeats(struct relay_worker *w, const struct packet *p, enum relay_drop *why)
{
	struct dp_tx_slot *slot = slot_of(w, p), *fresh;

	*why = RELAY_DROP_TX_REPEAT;
	if (slot == NULL)
		return NULL;
	if (w->relay->map.transports[p->from].security != DP_SRTP && !has_restarted(w, p, slot->stream))
		return NULL;
	if (!map_allowed(w, p->tp))
		return NULL;
	fresh = slot_carried(slot) ? slot_free(w, p->tp) : slot;
	if (fresh == NULL) {
		*why = RELAY_DROP_SSRC_LIMIT;
		return NULL;
	}
	if (fresh != slot)
		slot_empty(w, slot, DP_USED);
	return slot_fill(w, p, fresh, map_next(w, p->tp));
}
