// SPDX-License-Identifier: GPL-3.0-or-later
// relay_burst.c - a media packet's day, stage by stage over a burst. What leaves on the way leaves by a named drop.
#include "dataplane/worker/relay.h"
#include <string.h>
#include "dataplane/fastpath.h"

// For the second and later edges of a stream: a packet of its own, since each leg encrypts in place.
static struct rte_mbuf *copy_of(struct relay_worker *w, struct packet *p)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(w->pool);
	uint8_t *bytes = m == NULL ? NULL : (uint8_t *)rte_pktmbuf_append(m, p->len);

	if (bytes == NULL) {
		if (m != NULL)
			rte_pktmbuf_free(m);
		return NULL;
	}
	memcpy(bytes, p->bytes, p->len);
	m->port = p->m->port;
	m->vlan_tci = p->m->vlan_tci;
	p->bytes = bytes;
	return m;
}

static inline bool edge_leads(const struct relay_worker *w, struct dp_ref ref)
{
	const struct dp_transport *to;

	if (ref.index >= w->relay->map.n_transports)
		return false;
	to = &w->relay->map.transports[ref.index];
	// In this order: who gives it a generation has said before whose it is.
	return ref.generation != 0 && __atomic_load_n(&to->out.generation, __ATOMIC_ACQUIRE) == ref.generation &&
	       __atomic_load_n(&to->out.worker, __ATOMIC_ACQUIRE) == w->id;
}

// Sends what is in out[] on its way.
static void leave(struct relay_worker *w, uint16_t n)
{
	n = stage_protect(w, n); // SRTP out, if that leg is keyed and can be reached
	stage_headers(w, n);     // addresses, checksums, frame; to the ports
}

// Follows the edges of one packet; returns how many packets are in out[] now.
static __attribute__((noinline)) uint16_t follow_each(struct relay_worker *w, const struct packet *p, uint16_t n)
{
	enum relay_drop why = RELAY_DROP_NO_EDGE;
	const struct dp_edge *last = NULL;
	unsigned n_edges = p->tp->n_edges < DP_EDGES_MAX ? p->tp->n_edges : DP_EDGES_MAX;
	bool sent = false; // an open edge was found

	for (unsigned e = 0; e <= n_edges; e++) {
		const struct dp_edge *edge = e < n_edges ? &p->tp->edges[e] : NULL;
		struct packet *out = &w->out[n];

		if (edge != NULL && !edge_leads(w, edge->to))
			continue;
		if (edge != NULL && !edge->open) {
			why = RELAY_DROP_GATE;
			continue;
		}
		if (last != NULL) { // the packet itself goes by the last open edge, copies by those before
			*out = *p;
			out->from = p->index;
			out->index = last->to.index;
			out->tp = &w->relay->map.transports[last->to.index];
			if (edge != NULL) {
				out->m = copy_of(w, out);
				if (out->m == NULL)
					relay_drop(w, out->tp, RELAY_DROP_NO_MBUF, NULL);
			}
			n += out->m != NULL;
		}
		last = edge;
		sent |= edge != NULL;
	}
	if (!sent)
		relay_drop(w, p->tp, why, p->m);
	return n;
}

// Nearly all have one edge, which stands in the first line.
static inline uint16_t follow(struct relay_worker *w, const struct packet *p, uint16_t n)
{
	const struct dp_ref only = p->tp->first_edge;
	struct packet *out = &w->out[n];

	if (p->tp->n_edges != 1 || !p->tp->first_open || !edge_leads(w, only))
		return follow_each(w, p, n);
	*out = *p;
	out->from = p->index;
	out->index = only.index;
	out->tp = &w->relay->map.transports[only.index];
	return (uint16_t)(n + 1);
}

static void follow_all(struct relay_worker *w, uint16_t n)
{
	uint16_t out = 0;

	for (uint16_t i = 0; i < n; i++) {
		if (out + DP_EDGES_MAX > RELAY_FAN) {
			leave(w, out);
			out = 0;
		}
		out = follow(w, &w->in[i], out);
	}
	leave(w, out);
}

void relay_burst(struct relay_worker *w, struct rte_mbuf **frames, uint16_t n)
{
	w->events_full = false;
	n = stage_parse(w, frames, n); // frame -> RTP of a transport; STUN, DTLS, RTCP leave here, to the punt rings
	n = stage_unprotect(w, n);     // SRTP in: unauthenticated packets end here; plain: the leg's peer only; figures
	follow_all(w, n);              // edges, fan-out, and out by the other legs
}
