// SPDX-License-Identifier: GPL-3.0-or-later
// relay_queue.c - which worker has which queues. A port with more queues than workers: each polls every n-th and sends
// by the first of these. With fewer: who has none hands its frames to a worker that has one, by that queue's outbox.
// Linux's frames for a NIC that is all ours come the same way.
#include "dataplane/worker/exception.h"
#include "dataplane/worker/relay.h"
#include <errno.h>
#include <rte_errno.h>
#include <stdio.h>
#include "dataplane/fastpath.h"

#define OUTBOX 1024

// ---- birth

static int outbox_make(struct dp_queue *q)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "outbox%u.%u", q->port->index, q->id);
	q->outbox = rte_ring_create(name, OUTBOX, SOCKET_ID_ANY, RING_F_SC_DEQ);
	return q->outbox == NULL ? -rte_errno : 0;
}

int relay_outboxes_open(struct relay *r)
{
	const struct dp_config *c = &r->map.config;
	int err = 0;

	for (unsigned p = 0; p < c->n_ports; p++) {
		struct dp_port *port = r->ports[p];
		unsigned n = port->n_queues < c->n_workers ? port->n_queues : port->exception != NULL ? 1 : 0;

		for (unsigned q = 0; q < n && err == 0; q++)
			err = outbox_make(port->queues[q]);
	}
	return err;
}

void relay_outboxes_close(struct relay *r)
{
	for (unsigned p = 0; p < r->map.config.n_ports; p++) {
		for (unsigned q = 0; r->ports[p] != NULL && q < r->ports[p]->n_queues; q++) {
			struct rte_ring *ring = r->ports[p]->queues[q]->outbox;
			struct rte_mbuf *m;

			while (ring != NULL && rte_ring_dequeue(ring, (void **)&m) == 0)
				rte_pktmbuf_free(m);
			rte_ring_free(ring);
			r->ports[p]->queues[q]->outbox = NULL;
		}
	}
}

// ---- another worker's queue

static uint16_t lent_tx(struct dp_queue *queue, struct rte_mbuf **pkts, uint16_t n)
{
	struct relay_lent *lent = (struct relay_lent *)queue;
	unsigned taken = rte_ring_mp_enqueue_burst(queue->outbox, (void **)pkts, n, NULL);

	if (taken > 0)
		lent->borrower->wake_others |= 1u << queue->id; // fewer queues than workers: its worker has its number
	return (uint16_t)taken;
}

static const struct dp_queue_ops lent_ops = { .tx = lent_tx };

static void queue_borrow(struct relay_worker *w, unsigned p)
{
	struct dp_port *port = w->relay->ports[p];
	uint16_t q = (uint16_t)(w->id % port->n_queues);

	w->lent[p] = (struct relay_lent){
		.queue = { .ops = &lent_ops, .port = port, .id = q, .fd = -1, .outbox = port->queues[q]->outbox },
		.borrower = w,
	};
	w->tx[p].queue = &w->lent[p].queue;
}

int relay_queues_take(struct relay_worker *w)
{
	const struct dp_config *c = &w->relay->map.config;

	for (unsigned p = 0; p < c->n_ports; p++) {
		struct dp_port *port = w->relay->ports[p];

		for (unsigned q = w->id; q < port->n_queues; q += c->n_workers) {
			if (w->n_rx == sizeof(w->rx) / sizeof(w->rx[0]))
				return -E2BIG;
			w->rx[w->n_rx++] = port->queues[q];
			if (w->tx[p].queue == NULL)
				w->tx[p].queue = port->queues[q];
		}
		if (w->tx[p].queue != NULL)
			continue;
		if (port->n_queues == 0 || port->queues[w->id % port->n_queues]->outbox == NULL)
			return -ENXIO;
		queue_borrow(w, p);
	}
	return 0;
}

// ---- what others have for our queues

unsigned relay_outboxes_send(struct relay_worker *w)
{
	unsigned done = 0;

	for (unsigned i = 0; i < w->n_rx; i++) {
		struct dp_queue *q = w->rx[i];
		struct rte_mbuf *pkts[RELAY_BURST];
		uint16_t n, sent;

		if (q->outbox == NULL)
			continue;
		n = (uint16_t)rte_ring_sc_dequeue_burst(q->outbox, (void **)pkts, RELAY_BURST, NULL);
		sent = n == 0 ? 0 : q->ops->tx(q, pkts, n);
		dp_count(&w->record->tx_packets[q->port->index], sent);
		for (uint16_t k = sent; k < n; k++)
			relay_drop(w, NULL, RELAY_DROP_TX_FULL, pkts[k]); // whose they were is not ours to write
		done += n;
	}
	return done;
}

bool relay_outboxes_wait(const struct relay_worker *w)
{
	for (unsigned i = 0; i < w->n_rx; i++) {
		if (w->rx[i]->outbox != NULL && rte_ring_count(w->rx[i]->outbox) > 0)
			return true;
	}
	return false;
}

// ---- to Linux

void relay_not_ours(struct relay_worker *w, struct rte_mbuf *m)
{
	struct dp_port *port = m->port < w->relay->map.config.n_ports ? w->relay->ports[m->port] : NULL;

	if (port == NULL || port->exception == NULL) {
		dp_count(&w->record->ignored, 1);
	} else if (exception_push(port->exception, m)) {
		w->taps_want_wake = true;
		return;
	} else {
		dp_count(&w->record->to_linux_full[m->port], 1);
	}
	rte_pktmbuf_free(m);
}

bool relay_goes_up(const struct relay_worker *w, const struct rte_mbuf *m)
{
	return m->port < w->relay->map.config.n_ports && w->relay->ports[m->port]->exception != NULL;
}
