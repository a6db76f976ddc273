// SPDX-License-Identifier: GPL-3.0-or-later
// relay_transport.c - a transport's birth and death, and its place among those of its port. What it leaves behind, and what control
// has to be told of it, is owed and settled when there is time.
#include "dataplane/worker/relay.h"
#include <string.h>
#include "dataplane/fastpath.h"

void transport_derive(struct dp_transport *tp)
{
	const struct inet_endpoint *remote = &tp->path.remote;
	bool lives = tp->state == DP_STATE_PUBLISHED;

	tp->first_edge = tp->edges[0].to;
	tp->first_open = tp->n_edges > 0 && tp->edges[0].open;
	tp->remote_family = remote->addr.family;
	tp->remote_port = remote->port;
	memcpy(tp->remote, remote->addr.bytes, sizeof(tp->remote));
	tp->out.security = lives ? tp->security : 0;
	tp->out.dscp = tp->path.dscp;
	tp->out.mtu = tp->path.mtu;
	tp->out.work = tp->work;
	// Other workers look at these two (edge_leads()): whose it is, before what it is called.
	__atomic_store_n(&tp->out.worker, tp->worker, __ATOMIC_RELEASE);
	__atomic_store_n(&tp->out.generation, lives ? tp->generation : 0, __ATOMIC_RELEASE);
}

// The transports of a port: its slot names the first, each names the next. Only the worker that has them changes the list.
static struct dp_transport *port_entry(const struct relay_worker *w, uint32_t entry)
{
	return entry != 0 && entry <= w->relay->map.n_transports ? &w->relay->map.transports[entry - 1] : NULL;
}

static struct dp_transport *port_first(const struct relay_worker *w, _Atomic uint32_t *slot)
{
	return slot != NULL ? port_entry(w, atomic_load_explicit(slot, memory_order_relaxed)) : NULL;
}

void port_enter(struct relay_worker *w, struct dp_transport *tp, uint32_t index)
{
	_Atomic uint32_t *slot = relay_table_slot(w->relay->table, tp->network, &tp->local);
	struct dp_transport *before = NULL, *at = port_first(w, slot);

	if (slot == NULL)
		return;
	if (at != NULL && at->session != tp->session)
		at = NULL; // what a port that was given to another session had before
	while (at != NULL && at != tp && at->rank > tp->rank) {
		before = at;
		at = port_entry(w, at->beside);
	}
	if (at == tp)
		return;
	tp->beside = at != NULL ? (uint32_t)(at - w->relay->map.transports) + 1 : 0;
	if (before != NULL)
		before->beside = index + 1;
	else
		atomic_store_explicit(slot, index + 1, memory_order_release);
}

static void port_leave(struct relay_worker *w, const struct dp_transport *tp)
{
	_Atomic uint32_t *slot = relay_table_slot(w->relay->table, tp->network, &tp->local);
	struct dp_transport *before = NULL, *at = port_first(w, slot);

	while (at != NULL && at != tp) {
		before = at;
		at = port_entry(w, at->beside);
	}
	if (at == NULL)
		return;
	if (before != NULL)
		before->beside = tp->beside;
	else
		atomic_store(slot, tp->beside);
}

// One more of a session's on a port comes before the others.
static uint32_t rank_of(const struct relay_worker *w, const struct dp_transport_conf *conf)
{
	const struct dp_transport *first = port_first(w, relay_table_slot(w->relay->table, conf->network, &conf->local));

	return first != NULL && first->session == conf->session ? first->rank + 1 : 0;
}

// No packet finds it any more. Those of this round are through: commands are applied between bursts.
static void unpublish(struct relay_worker *w, struct dp_transport *tp, uint32_t index)
{
	port_leave(w, tp);
	nexthop_dirty(w->relay->hops, index);
	w->keeper_wants_wake = true;
}

static void mutable_reset(struct dp_transport *tp, struct dp_rare *rare)
{
	uint32_t path_serial = tp->out.path_serial; // what the keeper resolved for it before is no more

	tp->rx_newest = 0;
	tp->rx_epoch_floor = tp->tx_epoch_floor = 0;
	tp->source_reported = tp->retries_since = 0;
	tp->retries = 0;
	for (unsigned e = 0; e < DP_RX_EPOCHS; e++) {
		tp->rx[e] = (struct dp_rx){ .key = DP_NONE, .first = { .stream = DP_NONE } };
		tp->rx_epochs[e] = (struct dp_epoch){ 0 };
		tp->rx_more[e] = DP_NONE;
	}
	tp->out = (struct dp_out){ .key = DP_NONE, .path_serial = path_serial + 1, .first = { .stream = DP_NONE } };
	tp->tx_epoch = (struct dp_epoch){ 0 };
	tp->tx_more = DP_NONE;
	tp->work = 0;
	memset(rare, 0, sizeof(*rare));
	source_key_new(rare);
	memset(&tp->counters, 0, sizeof(tp->counters));
}

// False: another worker has not quite let go of the index.
bool transport_publish(struct relay_worker *w, struct dp_ref ref, const struct dp_transport_conf *conf)
{
	struct dp_transport *tp;

	if (ref.index >= w->relay->map.n_transports || conf->worker != w->id ||
	    relay_table_slot(w->relay->table, conf->network, &conf->local) == NULL)
		return true;
	tp = &w->relay->map.transports[ref.index];
	if (tp->state == DP_STATE_PUBLISHED && tp->generation == ref.generation)
		return true;
	if (tp->state != DP_STATE_FREE && transport_worker(tp) != w->id)
		return false;
	transport_write_begin(tp);
	if (tp->state == DP_STATE_PUBLISHED)
		unpublish(w, tp, ref.index);
	if (tp->state != DP_STATE_FREE)
		keys_release(w, tp);
	tp->state = DP_STATE_FREE;
	atomic_signal_fence(memory_order_seq_cst);
	mutable_reset(tp, rare_of(w->relay, tp));
	tp->generation = ref.generation;
	tp->mode = (uint8_t)conf->mode;
	tp->security = 0;
	tp->n_edges = 0;
	__atomic_store_n(&tp->worker, conf->worker, __ATOMIC_RELEASE);
	tp->network = (uint8_t)conf->network;
	memset(tp->edges, 0, sizeof(tp->edges));
	tp->path = (struct dp_path){ .remote.addr.family = INET_NONE };
	tp->local = conf->local;
	tp->session = conf->session;
	tp->owner_tag = conf->owner_tag;
	tp->rank = rank_of(w, conf);
	atomic_signal_fence(memory_order_seq_cst);
	tp->state = DP_STATE_PUBLISHED;
	transport_write_end(tp);
	port_enter(w, tp, ref.index);
	return true;
}

static void owe(struct relay_worker *w, uint32_t index)
{
	uint32_t next = (w->owed_tail + 1) % RELAY_OWED(w->relay->map.n_transports);

	if (next == w->owed_head)
		return; // cannot be: a transport stands in it twice at most, for its move and its removal
	w->owed[w->owed_tail] = index;
	w->owed_tail = next;
}

// Unpublished now; wiped and freed with many others when the worker has time for it (relay_owed_settle()).
// False: as transport_publish().
bool transport_remove(struct relay_worker *w, struct dp_ref ref)
{
	struct dp_transport *tp;

	if (ref.index >= w->relay->map.n_transports)
		return true;
	tp = &w->relay->map.transports[ref.index];
	if (tp->state == DP_STATE_PUBLISHED && (tp->generation != ref.generation || transport_worker(tp) != w->id))
		return true;
	if (tp->state == DP_STATE_REMOVING)
		return transport_worker(tp) == w->id;
	transport_write_begin(tp);
	if (tp->state == DP_STATE_PUBLISHED)
		unpublish(w, tp, ref.index);
	else
		mutable_reset(tp, rare_of(w->relay, tp));
	tp->generation = ref.generation; // one that was never published is told of as well
	__atomic_store_n(&tp->worker, (uint16_t)w->id, __ATOMIC_RELEASE);
	tp->state = DP_STATE_REMOVING;
	transport_write_end(tp);
	owe(w, ref.index);
	return true;
}

void transport_arrived(struct relay_worker *w, uint32_t index)
{
	struct dp_transport *tp = &w->relay->map.transports[index];
	struct dp_rare *rare = rare_of(w->relay, tp);

	if (transport_worker(tp) != (DP_COMING | w->id))
		return;
	rare->moved = 1;
	keys_arrived(w, tp);
	transport_write_begin(tp);
	__atomic_store_n(&tp->worker, (uint16_t)w->id, __ATOMIC_RELEASE);
	transport_write_end(tp);
	atomic_store(&rare->heir, 0);
	dp_count(&w->record->moved_in, 1);
	owe(w, index);
}

void transport_adopt(struct relay_worker *w, uint32_t index)
{
	struct dp_transport *tp = &w->relay->map.transports[index];
	struct dp_rare *rare = rare_of(w->relay, tp);

	transport_arrived(w, index);
	atomic_store(&rare->heir, 0); // a move that had only begun begins again
	if (tp->state == DP_STATE_REMOVING || rare->moved)
		owe(w, index);
}

static bool say(struct relay_worker *w, enum dp_event_kind kind, uint32_t index)
{
	struct dp_event event = {
		.kind = kind,
		.transport = { .index = index, .generation = w->relay->map.transports[index].generation },
		.worker = (uint16_t)w->id,
	};

	return relay_event(w, &event);
}

// False: the event ring is full.
static bool removal_settle(struct relay_worker *w, struct dp_transport *tp, uint32_t index)
{
	keys_release(w, tp);
	if (!say(w, DP_EVENT_REMOVED, index))
		return false;
	__atomic_store_n(&tp->state, DP_STATE_FREE, __ATOMIC_RELEASE);
	return true;
}

static bool move_settle(struct relay_worker *w, struct dp_rare *rare, uint32_t index)
{
	if (!say(w, DP_EVENT_MOVED, index))
		return false;
	rare->moved = 0;
	return true;
}

bool relay_owed_settle(struct relay_worker *w)
{
	uint32_t index = w->owed[w->owed_head];
	struct dp_transport *tp = &w->relay->map.transports[index];
	struct dp_rare *rare = rare_of(w->relay, tp);

	if (transport_worker(tp) == w->id && rare->moved && !move_settle(w, rare, index))
		return false;
	if (transport_worker(tp) == w->id && tp->state == DP_STATE_REMOVING && !removal_settle(w, tp, index))
		return false;
	w->owed_head = (w->owed_head + 1) % RELAY_OWED(w->relay->map.n_transports);
	return true;
}
