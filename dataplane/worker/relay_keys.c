// SPDX-License-Identifier: GPL-3.0-or-later
// relay_keys.c - a transport's keys: epochs that come, overlap and are retired, in whatever order they are told of, and again after
// a crash. A key that was left is never taken up a second time: its indices have been used.
#include "dataplane/worker/relay.h"
#include <string.h>
#include "dataplane/fastpath.h"

// A key is known again by the begin of its session salt, which is as much a secret as the packets' bytes are.
static uint64_t key_mark(const struct srtp_key *key)
{
	uint64_t mark;

	memcpy(&mark, key->salt, sizeof(mark));
	return mark;
}

static bool key_was_left(const struct dp_rare *rare, enum dp_direction d, const struct srtp_key *key)
{
	for (unsigned i = 0; i < DP_KEYS_LEFT && i < rare->n_keys_left[d]; i++) {
		if (rare->keys_left[d][i] == key_mark(key))
			return true;
	}
	return false;
}

// Before it is released: after a kill in between it stands there twice, which harms nothing.
static void key_leave(struct relay_worker *w, struct dp_transport *tp, enum dp_direction d, const uint32_t *slot)
{
	const struct srtp_key *key = key_at(w->relay, slot);
	struct dp_rare *rare = rare_of(w->relay, tp);

	if (key == NULL || key_was_left(rare, d, key))
		return;
	rare->keys_left[d][rare->n_keys_left[d] % DP_KEYS_LEFT] = key_mark(key);
	atomic_signal_fence(memory_order_seq_cst);
	rare->n_keys_left[d]++;
	atomic_signal_fence(memory_order_seq_cst);
}

static bool rx_overlaps(const struct relay_worker *w, const struct dp_transport *tp)
{
	return key_at(w->relay, &tp->rx[0].key) != NULL && key_at(w->relay, &tp->rx[1].key) != NULL;
}

static void rx_release(struct relay_worker *w, struct dp_transport *tp, unsigned e)
{
	uint32_t key = tp->rx[e].key;

	key_leave(w, tp, DP_RX, &tp->rx[e].key);
	if (rx_overlaps(w, tp))
		w->relay->n_overlaps--;
	tp->rx[e].key = DP_NONE;
	streams_release(w, tp, e);
	key_release(w, key);
}

static void tx_release(struct relay_worker *w, struct dp_transport *tp)
{
	uint32_t key = tp->out.key;

	key_leave(w, tp, DP_TX, &tp->out.key);
	tp->out.key = DP_NONE;
	source_forget(w, tp);
	key_release(w, key);
}

// The same key under a new epoch keeps its roll-over counters: starting them anew would use indices twice.
static bool key_same(const struct srtp_key *a, const struct srtp_key *b)
{
	return a->suite == b->suite && memcmp(a->salt, b->salt, sizeof(a->salt)) == 0 &&
	       memcmp(a->cipher_key, b->cipher_key, sizeof(a->cipher_key)) == 0 &&
	       memcmp(a->auth_key, b->auth_key, sizeof(a->auth_key)) == 0;
}

static void key_again(struct relay_worker *w, struct srtp_key *key, uint32_t fresh)
{
	const struct srtp_key *same = dp_key_at(&w->relay->map, fresh);

	key->mki_len = same->mki_len;
	memcpy(key->mki, same->mki, sizeof(key->mki));
	key_release(w, fresh);
}

static bool epoch_is_new(uint32_t key, const struct dp_epoch *newest, uint32_t floor, uint32_t epoch)
{
	return epoch >= floor && (key == DP_NONE || epoch > newest->epoch);
}

// The spare keys are for overlaps; when as many are out, the key before goes at once, and what is still under way with
// it is lost.
static void overlap_bound(struct relay_worker *w, struct dp_transport *tp, unsigned older)
{
	const struct dp_map *m = &w->relay->map;

	if (!rx_overlaps(w, tp))
		return;
	w->relay->n_overlaps++;
	if (w->relay->n_overlaps + m->config.n_workers > m->n_keys_cm - 2 * m->n_transports) {
		atomic_fetch_add_explicit(&m->header->pools[DP_POOL_KEYS_CM].refused, 1, memory_order_relaxed);
		rx_release(w, tp, older);
	}
}

static void keys_rx(struct relay_worker *w, struct dp_transport *tp, const struct dp_keys *k, uint32_t fresh)
{
	unsigned newest = rx_newest(tp), other = (newest + 1) % DP_RX_EPOCHS;
	struct srtp_key *before = key_at(w->relay, &tp->rx[newest].key), *last = key_at(w->relay, &tp->rx[other].key);

	tp->work |= DP_WORK_EPOCH;
	atomic_signal_fence(memory_order_seq_cst);
	if (before != NULL && key_same(before, dp_key_at(&w->relay->map, fresh))) {
		key_again(w, before, fresh);
		tp->rx_epochs[newest].epoch = k->epoch;
		return;
	}
	if (last != NULL && key_same(last, dp_key_at(&w->relay->map, fresh))) { // back during the overlap: windows are there
		key_again(w, last, fresh);
		tp->rx_epochs[other].epoch = k->epoch;
		atomic_signal_fence(memory_order_seq_cst);
		tp->rx_newest = (uint8_t)other;
		return;
	}
	rx_release(w, tp, other);
	tp->rx_epochs[other] = (struct dp_epoch){ .epoch = k->epoch, .roc = k->roc };
	atomic_signal_fence(memory_order_seq_cst);
	tp->rx[other].key = fresh;
	atomic_signal_fence(memory_order_seq_cst);
	tp->rx_newest = (uint8_t)other;
	overlap_bound(w, tp, newest);
}

static void keys_tx(struct relay_worker *w, struct dp_transport *tp, const struct dp_keys *k, uint32_t fresh)
{
	struct srtp_key *before = key_at(w->relay, &tp->out.key);

	if (before != NULL && key_same(before, dp_key_at(&w->relay->map, fresh))) {
		key_again(w, before, fresh);
		tp->tx_epoch.epoch = k->epoch;
		return;
	}
	tx_release(w, tp);
	source_key_new(rare_of(w->relay, tp));
	rare_of(w->relay, tp)->apart = k->apart;
	tp->tx_epoch = (struct dp_epoch){ .epoch = k->epoch, .roc = k->roc };
	atomic_signal_fence(memory_order_seq_cst);
	tp->out.key = fresh;
}

static void refuse(struct relay_worker *w, struct dp_ref ref, const struct dp_keys *k)
{
	struct dp_event event = {
		.kind = DP_EVENT_KEY_REFUSED,
		.transport = ref,
		.epoch = k->epoch,
		.direction = k->direction,
	};

	relay_event(w, &event);
}

void keys_install(struct relay_worker *w, struct dp_transport *tp, struct dp_ref ref, const struct dp_keys *k)
{
	bool rx = k->direction == DP_RX;
	uint32_t now = rx ? tp->rx[rx_newest(tp)].key : tp->out.key, fresh;

	if (!epoch_is_new(now, rx ? &tp->rx_epochs[rx_newest(tp)] : &tp->tx_epoch,
			  rx ? tp->rx_epoch_floor : tp->tx_epoch_floor, k->epoch))
		return;
	fresh = key_take(w, k->master.suite);
	if (fresh == DP_NONE)
		return; // cannot be: there are two for each transport, and overlaps are bounded
	if (srtp_key_derive(w->engine, dp_key_at(&w->relay->map, fresh), &k->master, &k->mki, k->lifetime) < 0) {
		key_release(w, fresh);
		return;
	}
	if (key_was_left(rare_of(w->relay, tp), rx ? DP_RX : DP_TX, dp_key_at(&w->relay->map, fresh))) {
		key_release(w, fresh);
		refuse(w, ref, k);
		return;
	}
	transport_write_begin(tp);
	if (rx)
		keys_rx(w, tp, k, fresh);
	else
		keys_tx(w, tp, k, fresh);
	transport_write_end(tp);
}

void keys_retire(struct relay_worker *w, struct dp_transport *tp, enum dp_direction direction, uint32_t below)
{
	transport_write_begin(tp);
	if (direction == DP_RX) {
		if (below > tp->rx_epoch_floor)
			tp->rx_epoch_floor = below;
		for (unsigned e = 0; e < DP_RX_EPOCHS; e++) {
			if (tp->rx[e].key != DP_NONE && tp->rx_epochs[e].epoch < below)
				rx_release(w, tp, e);
		}
	} else {
		if (below > tp->tx_epoch_floor)
			tp->tx_epoch_floor = below;
		if (tp->out.key != DP_NONE && tp->tx_epoch.epoch < below)
			tx_release(w, tp);
	}
	transport_write_end(tp);
}

void keys_release(struct relay_worker *w, struct dp_transport *tp)
{
	for (unsigned e = 0; e < DP_RX_EPOCHS; e++)
		rx_release(w, tp, e);
	tx_release(w, tp);
}

static void key_arrived(struct relay_worker *w, const uint32_t *slot)
{
	struct srtp_key *key = key_at(w->relay, slot);

	if (key != NULL && key_fits(w->relay, *slot)) // the same expansion serves, but an engine of a device's must know its keys
		(void)srtp_key_adopt(w->engine, key);
}

void keys_arrived(struct relay_worker *w, const struct dp_transport *tp)
{
	for (unsigned e = 0; e < DP_RX_EPOCHS; e++)
		key_arrived(w, &tp->rx[e].key);
	key_arrived(w, &tp->out.key);
}
