// SPDX-License-Identifier: GPL-3.0-or-later
// relay_output.c - from a datagram to a frame on a port.
#include "dataplane/worker/relay.h"
#include "dataplane/worker/frame.h"
#include "dataplane/worker/srtp/rtp_header.h"
#include <string.h>
#include "dataplane/fastpath.h"

static inline bool fits(uint16_t path_mtu, uint16_t mtu, size_t len, bool v6)
{
	if (path_mtu != 0 && path_mtu < mtu)
		mtu = path_mtu;
	return len + FRAME_UDP + (v6 ? FRAME_IPV6 : FRAME_IPV4) <= mtu;
}

// ---- to the ports

// Before they are the port's. Of those that it does not take, tx_full tells.
static __attribute__((noinline, cold)) void trace_all(struct relay_worker *w, const struct relay_tx *tx)
{
	for (uint16_t i = 0; i < tx->n; i++)
		relay_trace_out(w, tx->pkts[i]->hash.usr, tx->pkts[i]);
}

static void port_send(struct relay_worker *w, struct relay_tx *tx, unsigned port)
{
	uint16_t sent;

	if (w->tracing)
		trace_all(w, tx);
	sent = tx->queue->ops->tx(tx->queue, tx->pkts, tx->n);

	dp_count(&w->record->tx_packets[port], sent);
	for (uint16_t i = sent; i < tx->n; i++)
		relay_drop(w, &w->relay->map.transports[tx->pkts[i]->hash.usr], RELAY_DROP_TX_FULL, tx->pkts[i]);
	tx->n = 0;
}

void relay_flush(struct relay_worker *w)
{
	for (unsigned i = 0; i < w->relay->map.config.n_ports; i++) {
		if (w->tx[i].n > 0)
			port_send(w, &w->tx[i], i);
	}
}

static void hairpin(struct relay_worker *w, struct dp_transport *tp, struct rte_mbuf *m)
{
	if (m->vlan_tci >= RELAY_HOPS) {
		relay_drop(w, tp, RELAY_DROP_LOOP, m);
	} else if (w->n_hairpin == RELAY_HAIRPIN) {
		relay_drop(w, tp, RELAY_DROP_TX_FULL, m);
	} else {
		m->port = (uint16_t)(RELAY_INSIDE | tp->network);
		m->vlan_tci++; // hops so far: no port of ours uses the field
		if (w->tracing)
			relay_trace_out(w, (uint32_t)(tp - w->relay->map.transports), m);
		w->hairpin[w->n_hairpin++] = m;
	}
}

static inline void frame_send(struct relay_worker *w, struct dp_transport *tp, uint32_t index, struct rte_mbuf *m,
			      unsigned kind, unsigned port)
{
	struct relay_tx *tx = &w->tx[port];

	if (kind == NEXTHOP_HAIRPIN) {
		hairpin(w, tp, m);
		return;
	}
	if (tx->n == sizeof(tx->pkts) / sizeof(tx->pkts[0]))
		port_send(w, tx, port);
	m->hash.usr = index;
	tx->pkts[tx->n++] = m;
}

// ---- media

enum relay_drop relay_no_way(const struct dp_transport *tp)
{
	return tp->path.remote.addr.family == INET_NONE ? RELAY_DROP_NO_PATH : RELAY_DROP_NO_NEXTHOP;
}

static inline void sent_account(struct dp_out *out, const struct packet *p, mono_ns now)
{
	out->ssrc = rtp_ssrc(p->bytes);
	dp_count(&out->packets, 1);
	dp_count(&out->octets, p->payload_len);
	__atomic_store_n(&out->last, now, __ATOMIC_RELAXED);
}

void stage_headers(struct relay_worker *w, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		struct packet *p = &w->out[i];
		struct dp_out *out = &p->tp->out;
		struct nexthop_way way;
		struct frame_fit fit;

		if (!nexthop_headers(w->relay->hops, p->index, out->path_serial, p->bytes, &way)) {
			relay_drop(w, p->tp, relay_no_way(p->tp), p->m);
			continue;
		}
		if (!fits(out->mtu, way.mtu, p->len, way.v6)) {
			relay_drop(w, p->tp, RELAY_DROP_TOO_BIG, p->m);
			continue;
		}
		sent_account(out, p, w->now);
		fit = (struct frame_fit){ .len = p->len, .headers = way.headers, .v6 = way.v6, .dscp = out->dscp,
					  .checksum = w->relay->ports[way.port]->tx_checksum };
		frame_finish(p->m, p->bytes, &fit);
		frame_send(w, p->tp, p->index, p->m, way.kind, way.port);
	}
}

// ---- control's own datagrams

#define WAIT MONO_MS(500) // for a neighbour; what sent it sends it again by then
#define WAIT_STEP MONO_MS(1)

static enum relay_drop datagram_by(struct relay_worker *w, uint32_t index, const struct inet_endpoint *to,
				   const struct nexthop *hop, const void *bytes, size_t len)
{
	struct dp_transport *tp = &w->relay->map.transports[index];
	struct frame_fit fit = { .len = (uint16_t)len, .v6 = to->addr.family == INET_V6, .dscp = tp->path.dscp };
	struct rte_mbuf *m;
	uint8_t *at;

	if (!fits(tp->path.mtu, hop->mtu, len, fit.v6))
		return RELAY_DROP_TOO_BIG;
	m = rte_pktmbuf_alloc(w->pool);
	if (m == NULL)
		return RELAY_DROP_NO_MBUF;
	at = rte_pktmbuf_mtod(m, uint8_t *);
	if (len > rte_pktmbuf_tailroom(m)) {
		rte_pktmbuf_free(m);
		return RELAY_DROP_TOO_BIG;
	}
	memcpy(at, bytes, len);
	m->vlan_tci = 0;
	fit.headers = (uint8_t)frame_headers_make(at, &tp->local, to, w->relay->ports[hop->port]->mac, hop);
	fit.checksum = w->relay->ports[hop->port]->tx_checksum;
	frame_finish(m, at, &fit);
	frame_send(w, tp, index, m, hop->kind, hop->port);
	return RELAY_OK;
}

static enum relay_drop datagram(struct relay_worker *w, uint32_t index, const struct inet_endpoint *to,
				const void *bytes, size_t len)
{
	struct nexthop hop;

	if (to->addr.family != w->relay->map.transports[index].local.addr.family ||
	    !nexthop_get_for(w->relay->hops, w->id, index, to, &hop, &w->keeper_wants_wake))
		return RELAY_DROP_NO_NEXTHOP;
	return datagram_by(w, index, to, &hop, bytes, len);
}

static bool datagram_wait(struct relay_worker *w, uint32_t index, const struct inet_endpoint *to, const void *bytes,
			  size_t len)
{
	for (unsigned i = 0; i < RELAY_WAITING && len <= RELAY_DATAGRAM; i++) {
		struct relay_waiting *wait = &w->waiting[i];

		if (wait->len != 0)
			continue;
		wait->until = w->now + WAIT;
		wait->index = index;
		wait->generation = w->relay->map.transports[index].generation;
		wait->to = *to;
		wait->len = (uint16_t)len;
		memcpy(wait->bytes, bytes, len);
		w->n_waiting++;
		return true;
	}
	return false;
}

// Port and VLAN are the transport's own, whatever control says; and nothing leaves under an address that another host may
// have now.
static bool return_hop(const struct relay_worker *w, uint32_t index, const struct dp_return *by, struct nexthop *hop)
{
	const struct dp_map *map = &w->relay->map;
	const struct dp_network *net = network_of(w, &map->transports[index]);

	if (net == NULL || !by->known || (by->mac[0] & 1) != 0 ||
	    atomic_load_explicit(&map->header->absent, memory_order_relaxed) != 0)
		return false;
	*hop = (struct nexthop){
		.kind = NEXTHOP_ETHER, .port = net->port, .mtu = w->relay->ports[net->port]->mtu, .vlan = net->vlan
	};
	memcpy(hop->mac, by->mac, sizeof(hop->mac));
	return true;
}

void relay_answer(struct relay_worker *w, uint32_t index, const struct inet_endpoint *to, const struct dp_return *by,
		  const void *bytes, size_t len)
{
	struct dp_transport *tp = &w->relay->map.transports[index];
	enum relay_drop drop;
	struct nexthop hop;

	if (to->addr.family != tp->local.addr.family || nexthop_known(w->relay->hops, w->id, index, to, &hop) ||
	    !return_hop(w, index, by, &hop)) {
		relay_datagram(w, index, to, bytes, len);
		return;
	}
	drop = datagram_by(w, index, to, &hop, bytes, len);
	if (drop != RELAY_OK)
		relay_drop(w, tp, drop, NULL);
}

void relay_datagram(struct relay_worker *w, uint32_t index, const struct inet_endpoint *to, const void *bytes,
		    size_t len)
{
	enum relay_drop drop = datagram(w, index, to, bytes, len);

	if (drop == RELAY_DROP_NO_NEXTHOP && to->addr.family == w->relay->map.transports[index].local.addr.family &&
	    datagram_wait(w, index, to, bytes, len))
		return;
	if (drop != RELAY_OK)
		relay_drop(w, &w->relay->map.transports[index], drop, NULL);
}

void relay_waiting_retry(struct relay_worker *w)
{
	if (w->n_waiting == 0 || w->now < w->waiting_next)
		return;
	w->waiting_next = w->now + WAIT_STEP;
	for (unsigned i = 0; i < RELAY_WAITING; i++) {
		struct relay_waiting *wait = &w->waiting[i];
		struct dp_transport *tp = &w->relay->map.transports[wait->index];
		enum relay_drop drop = RELAY_OK;

		if (wait->len == 0)
			continue;
		if (transport_worker(tp) != w->id) {
			wait->len = 0; // moved meanwhile: who sent it sends it again
			w->n_waiting--;
			continue;
		}
		if (tp->generation == wait->generation && tp->state == DP_STATE_PUBLISHED) {
			drop = datagram(w, wait->index, &wait->to, wait->bytes, wait->len);
			if (drop == RELAY_DROP_NO_NEXTHOP && w->now < wait->until)
				continue;
		}
		if (drop != RELAY_OK)
			relay_drop(w, tp, drop, NULL);
		wait->len = 0;
		w->n_waiting--;
	}
}
