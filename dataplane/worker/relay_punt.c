// SPDX-License-Identifier: GPL-3.0-or-later
// relay_punt.c - what goes up to control: datagrams in three classes, and events. Bounded, woken once a round.
#include "dataplane/worker/relay.h"
#include <string.h>
#include <sys/eventfd.h>
#include "dataplane/fastpath.h"

#define SOURCE_EVERY MONO_MS(50) // one word about a new source a transport

void relay_drop(struct relay_worker *w, struct dp_transport *tp, enum relay_drop reason, struct rte_mbuf *m)
{
	dp_count(&w->record->drops[reason], 1);
	if (tp != NULL)
		dp_count(&tp->counters.drops[reason], 1);
	if (m != NULL)
		rte_pktmbuf_free(m);
}

static struct inet_endpoint source_of(const struct packet *p)
{
	struct inet_endpoint ep = { .addr.family = p->family, .port = p->source_port };

	memcpy(ep.addr.bytes, p->source, p->family == INET_V4 ? 4 : 16);
	return ep;
}

// The frame's own sender, if it came by the port of its transport's network: not from inside, nor by lo.
static struct dp_return back_of(const struct relay_worker *w, const struct packet *p)
{
	const struct dp_network *net = network_of(w, p->tp);
	struct dp_return back = { .known = net != NULL && p->m->port == net->port };

	memcpy(back.mac, rte_pktmbuf_mtod_offset(p->m, const uint8_t *, 6), sizeof(back.mac));
	return back;
}

void relay_punt(struct relay_worker *w, struct packet *p, enum dp_punt_kind kind)
{
	struct dp_punt_head head = {
		.transport = { .index = p->index, .generation = p->tp->generation },
		.kind = kind,
		.proven = p->proven,
		.source = source_of(p),
	};
	enum dp_punt_class class = DP_CLASS_UNPROVEN;

	if (kind == DP_PUNT_DTLS) { // its flights are the only datagrams of control's that could be cut to measure
		head.mtu = nexthop_mtu(w->relay->hops, w->id, p->index, &head.source);
		head.back = back_of(w, p);
	}
	if (p->proven)
		class = kind == DP_PUNT_RTCP ? DP_CLASS_RTCP : DP_CLASS_PROVEN;
	if (byte_ring_push2(&w->punts[class], &head, sizeof(head), p->bytes, p->len) < 0) {
		relay_drop(w, p->tp, RELAY_DROP_PUNT_FULL, p->m);
		return;
	}
	dp_count(&w->record->punts[class], 1);
	w->control_wants_wake |= byte_ring_take_sleeping(&w->punts[class]);
	rte_pktmbuf_free(p->m);
}

bool relay_event(struct relay_worker *w, const struct dp_event *event)
{
	if (byte_ring_push2(&w->events, event, sizeof(*event), NULL, 0) < 0) {
		w->events_full = true;
		return false;
	}
	w->control_wants_wake |= byte_ring_take_sleeping(&w->events);
	return true;
}

bool relay_source_wanted(const struct packet *p)
{
	const struct dp_path *path = &p->tp->path;
	struct inet_endpoint source;

	if (!path->learn || path->learn_from == 0)
		return path->learn;
	source = source_of(p);
	return inet_addr_hash(&source.addr) == path->learn_from;
}

void relay_source_event(struct relay_worker *w, const struct packet *p, bool authenticated)
{
	struct dp_event event = {
		.kind = DP_EVENT_SOURCE,
		.transport = { .index = p->index, .generation = p->tp->generation },
		.source = source_of(p),
		.ssrc = p->hdr_len >= 12 ? (uint32_t)p->bytes[8] << 24 | (uint32_t)p->bytes[9] << 16 |
						(uint32_t)p->bytes[10] << 8 | p->bytes[11] : 0,
		.srtp_index = authenticated ? p->rtp_index : 0,
		.authenticated = authenticated,
	};

	if (w->events_full)
		return;
	if (p->tp->source_reported != 0 && w->now < p->tp->source_reported + SOURCE_EVERY)
		return;
	if (relay_event(w, &event))
		p->tp->source_reported = w->now;
}

void relay_wakes(struct relay_worker *w)
{
	if (w->control_wants_wake) {
		w->control_wants_wake = false;
		eventfd_write(w->relay->control_event, 1);
	}
	if (w->keeper_wants_wake) {
		w->keeper_wants_wake = false;
		nexthop_wake(w->relay->hops);
	}
	if (w->wake_others == 0)
		return;
	atomic_thread_fence(memory_order_seq_cst); // with rest(): one of the two sees what the other did
	for (; w->wake_others != 0; w->wake_others &= w->wake_others - 1) {
		struct relay_worker *other = w->relay->workers[__builtin_ctz(w->wake_others)];

		if (atomic_load(&other->token) == 0)
			relay_worker_wake(other);
	}
}
