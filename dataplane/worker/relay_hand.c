// SPDX-License-Identifier: GPL-3.0-or-later
// relay_hand.c - a transport has one worker, but the network card chooses the queue. What comes in elsewhere goes on to
// its worker by ring: whole bursts, in order, never back to the device.
#include "dataplane/worker/relay.h"
#include <string.h>
#include "dataplane/fastpath.h"

// On its way here: it waits until the transport is ours, so that none overtakes it (relay_move.c).
static void hold(struct relay_worker *w, struct rte_mbuf *m)
{
	if (w->n_held == RELAY_HELD) {
		relay_drop(w, NULL, RELAY_DROP_INBOX_FULL, m);
		return;
	}
	w->held[w->n_held++] = m;
	dp_count(&w->record->held, 1);
}

void relay_held_release(struct relay_worker *w)
{
	struct rte_mbuf *pkts[RELAY_HELD];
	unsigned n = w->n_held;

	memcpy(pkts, w->held, n * sizeof(pkts[0]));
	w->n_held = 0;
	for (unsigned i = 0; i < n; i += RELAY_BURST) // of transports that are not here yet: held again
		relay_burst(w, pkts + i, (uint16_t)(n - i < RELAY_BURST ? n - i : RELAY_BURST));
}

// The heir first: when the mark is gone, the worker that is read afterwards is the new one.
static unsigned owner_of(const struct relay_worker *w, const struct dp_transport *tp)
{
	uint16_t heir = atomic_load_explicit(&rare_of(w->relay, tp)->heir, memory_order_acquire);

	return heir != 0 ? heir - 1u : dp_worker_of(tp);
}

void relay_hand(struct relay_worker *w, struct packet *p)
{
	unsigned owner = owner_of(w, p->tp);
	struct relay_handout *out;

	if (owner == w->id) {
		hold(w, p->m);
		return;
	}
	if (owner >= w->relay->map.config.n_workers) {
		relay_drop(w, NULL, RELAY_DROP_NO_TRANSPORT, p->m);
		return;
	}
	out = &w->handout[owner];
	out->pkts[out->n++] = p->m; // a burst fits
	w->handing |= 1u << owner;
}

static void hand_to(struct relay_worker *w, struct relay_worker *other, struct relay_handout *out)
{
	unsigned n = rte_ring_mp_enqueue_burst(other->inbox, (void *const *)out->pkts, out->n, NULL);

	dp_count(&w->record->handed_out, n);
	for (unsigned i = n; i < out->n; i++) // its counters are not ours to write
		relay_drop(w, NULL, RELAY_DROP_INBOX_FULL, out->pkts[i]);
	out->n = 0;
	w->wake_others |= 1u << other->id;
}

void relay_hand_flush(struct relay_worker *w)
{
	for (; w->handing != 0; w->handing &= w->handing - 1) {
		unsigned other = (unsigned)__builtin_ctz(w->handing);

		hand_to(w, w->relay->workers[other], &w->handout[other]);
	}
}

// As many bursts as from queues of its own: whoever sends here polls as many.
unsigned relay_hand_take(struct relay_worker *w)
{
	struct rte_mbuf *pkts[RELAY_BURST];
	unsigned done = 0, n = RELAY_BURST;

	for (unsigned i = 0; n == RELAY_BURST && (i < w->n_rx || i == 0); i++) {
		n = rte_ring_sc_dequeue_burst(w->inbox, (void **)pkts, RELAY_BURST, NULL);
		if (n > 0)
			relay_burst(w, pkts, (uint16_t)n);
		done += n;
	}
	dp_count(&w->record->handed_in, done);
	return done;
}
