// SPDX-License-Identifier: GPL-3.0-or-later
// relay_command.c - what control asks for, applied between bursts. A crash in the middle has the command applied again:
// each one leads to the same state from wherever the first try ended.
#include "base/clock.h"
#include "dataplane/worker/relay.h"
#include <string.h>
#include "dataplane/fastpath.h"

static struct dp_transport *transport_of(struct relay_worker *w, struct dp_ref ref)
{
	struct dp_transport *tp = transport_named(w->relay, ref);

	return tp != NULL && transport_worker(tp) == w->id && tp->state == DP_STATE_PUBLISHED ? tp : NULL;
}

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

// ---- keys

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

static void work_key(struct dp_transport *tp, enum srtp_suite suite)
{
	tp->work &= (uint8_t)~DP_WORK_LONGER_KEY;
	if (srtp_suite_info(suite)->key_len > 16)
		tp->work |= DP_WORK_LONGER_KEY;
}

static void on_keys(struct relay_worker *w, struct dp_transport *tp, struct dp_ref ref, const struct dp_keys *k)
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
	work_key(tp, k->master.suite);
	if (rx)
		keys_rx(w, tp, k, fresh);
	else
		keys_tx(w, tp, k, fresh);
	transport_write_end(tp);
}

static void on_retire(struct relay_worker *w, struct dp_transport *tp, enum dp_direction direction, uint32_t below)
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

// ---- birth and death

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

static void contexts_release(struct relay_worker *w, struct dp_transport *tp)
{
	for (unsigned e = 0; e < DP_RX_EPOCHS; e++)
		rx_release(w, tp, e);
	tx_release(w, tp);
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
static bool on_publish(struct relay_worker *w, struct dp_ref ref, const struct dp_transport_conf *conf)
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
		contexts_release(w, tp);
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

// Unpublished now; wiped and freed with many others when the worker has time for it (owed_settle()).
// False: as on_publish().
static bool on_remove(struct relay_worker *w, struct dp_ref ref)
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

static void key_arrived(struct relay_worker *w, const uint32_t *slot)
{
	struct srtp_key *key = key_at(w->relay, slot);

	if (key != NULL && key_fits(w->relay, *slot)) // the same expansion serves, but an engine of a device's must know its keys
		(void)srtp_key_adopt(w->engine, key);
}

void transport_arrived(struct relay_worker *w, uint32_t index)
{
	struct dp_transport *tp = &w->relay->map.transports[index];
	struct dp_rare *rare = rare_of(w->relay, tp);

	if (transport_worker(tp) != (DP_COMING | w->id))
		return;
	rare->moved = 1;
	for (unsigned e = 0; e < DP_RX_EPOCHS; e++)
		key_arrived(w, &tp->rx[e].key);
	key_arrived(w, &tp->out.key);
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
	contexts_release(w, tp);
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

static bool owed_settle(struct relay_worker *w)
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

// ---- the rest

static void on_path(struct relay_worker *w, struct dp_transport *tp, uint32_t index, const struct dp_path *path)
{
	bool moved = !inet_endpoint_equal(&tp->path.remote, &path->remote);

	transport_write_begin(tp);
	tp->path = *path;
	if (moved)
		tp->out.path_serial++;
	transport_write_end(tp);
	nexthop_dirty(w->relay->hops, index);
	w->keeper_wants_wake = true;
}

static void on_extensions(struct relay_worker *w, struct dp_transport *tp, const struct dp_extensions *extensions)
{
	static const uint8_t none[sizeof(extensions->encrypted)];
	bool encrypted = memcmp(extensions->encrypted, none, sizeof(none)) != 0;

	transport_write_begin(tp);
	rare_of(w->relay, tp)->extensions = *extensions;
	tp->work = (uint8_t)((tp->work & (DP_WORK_EPOCH | DP_WORK_TRACE | DP_WORK_TRACE_ALL | DP_WORK_LONGER_KEY)) |
			     (extensions->mode != DP_EXTENSION_PASS ? DP_WORK_CHOOSE : 0) |
			     (encrypted ? DP_WORK_ENCRYPT : 0) | (extensions->cryptex ? DP_WORK_CRYPTEX : 0));
	transport_write_end(tp);
}

static void on_trace(struct dp_transport *tp, uint32_t trace)
{
	transport_write_begin(tp);
	tp->work &= (uint8_t)~(DP_WORK_TRACE | DP_WORK_TRACE_ALL);
	if (trace == DP_TRACE_HEADERS || trace == DP_TRACE_ALL)
		tp->work |= DP_WORK_TRACE;
	if (trace == DP_TRACE_ALL)
		tp->work |= DP_WORK_TRACE_ALL;
	transport_write_end(tp);
}

static void on_edges(struct dp_transport *tp, const struct dp_edge *edges, uint32_t n)
{
	transport_write_begin(tp);
	tp->n_edges = 0;
	for (uint32_t i = 0; i < n && i < DP_EDGES_MAX; i++)
		tp->edges[tp->n_edges++] = edges[i];
	transport_write_end(tp);
}

// Security only rises: what was secured once never speaks plain again.
static void on_secure(struct relay_worker *w, struct dp_transport *tp, uint32_t security)
{
	if (security != DP_PLAIN && security != DP_SRTP)
		return;
	if (tp->security == DP_SRTP)
		return;
	transport_write_begin(tp);
	streams_release(w, tp, 0); // what plain packets bound
	tp->security = (uint8_t)security;
	transport_write_end(tp);
}

static bool on_move(struct relay_worker *w, uint32_t to, const uint8_t *body, size_t body_len)
{
	struct dp_ref refs[DP_MOVE_MAX];
	size_t n = body_len / sizeof(refs[0]);

	if (n > DP_MOVE_MAX || to >= DP_WORKERS_MAX)
		return true;
	memcpy(refs, body, n * sizeof(refs[0]));
	return relay_move(w, (uint16_t)to, refs, (uint32_t)n);
}

// False: it cannot be done yet, and is the next one again.
static bool command_apply(struct relay_worker *w, const struct dp_command *c, const uint8_t *body, size_t body_len)
{
	struct dp_transport *tp;

	if (c->kind == DP_COMMAND_PUBLISH)
		return on_publish(w, c->transport, &c->publish);
	if (c->kind == DP_COMMAND_MOVE)
		return on_move(w, c->move_to, body, body_len);
	if (c->kind == DP_COMMAND_REMOVE)
		return on_remove(w, c->transport);
	tp = transport_of(w, c->transport);
	if (tp == NULL)
		return true;
	switch (c->kind) {
	case DP_COMMAND_SECURE: on_secure(w, tp, c->secure); break;
	case DP_COMMAND_PATH: on_path(w, tp, c->transport.index, &c->path); break;
	case DP_COMMAND_KEYS: on_keys(w, tp, c->transport, &c->keys); break;
	case DP_COMMAND_RETIRE: on_retire(w, tp, c->retire.direction, c->retire.below_epoch); break;
	case DP_COMMAND_EXTENSIONS: on_extensions(w, tp, &c->extensions); break;
	case DP_COMMAND_EDGES: on_edges(tp, c->edges.list, c->edges.n); break;
	case DP_COMMAND_TRACE: on_trace(tp, c->trace); break;
	case DP_COMMAND_SEND: relay_answer(w, c->transport.index, &c->send.to, &c->send.by, body, body_len); break;
	default: break;
	}
	return true;
}

static bool command_next(struct relay_worker *w)
{
	const void *message;
	bool through = true;
	size_t len;

	if (byte_ring_peek(&w->commands, &message, &len) != 0)
		return false;
	if (len >= sizeof(struct dp_command)) {
		struct dp_command c;

		memcpy(&c, message, sizeof(c)); // checked as a copy: control could still write there
		through = command_apply(w, &c, (const uint8_t *)message + sizeof(c), len - sizeof(c));
		if (c.kind == DP_COMMAND_KEYS)
			explicit_bzero((void *)(uintptr_t)message, len);
		explicit_bzero(&c, sizeof(c));
	}
	if (through) {
		byte_ring_next(&w->commands);
		dp_count(&w->record->commands, 1);
	}
	return through;
}

// One of what is owed with each command: neither keeps the other waiting. A packet waits for the last one that was begun.
unsigned relay_commands(struct relay_worker *w)
{
	mono_ns begin = clock_now();
	unsigned done = 0, more;

	do {
		more = command_next(w);
		if (w->owed_head != w->owed_tail)
			more += owed_settle(w);
		done += more;
		w->commands_took = clock_now() - begin;
	} while (more > 0 && (int64_t)w->commands_took < w->budget);
	return done;
}
