// SPDX-License-Identifier: GPL-3.0-or-later
// relay_command.c - what control asks for, applied between bursts. A crash in the middle has the command applied again:
// each one leads to the same state from wherever the first try ended.
#include "dataplane/worker/relay.h"
#include <string.h>
#include "dataplane/worker/fastpath.h"

#define COMMANDS_A_ROUND 64

static struct dp_transport *transport_of(struct relay_worker *w, struct dp_ref ref)
{
	struct dp_transport *tp;

	if (ref.index >= w->relay->map.n_transports)
		return NULL;
	tp = &w->relay->map.transports[ref.index];
	if (tp->generation != ref.generation || tp->state != DP_STATE_PUBLISHED || tp->worker != w->id)
		return NULL;
	return tp;
}

static void write_begin(struct dp_transport *tp)
{
	atomic_store_explicit(&tp->sequence, tp->sequence | 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
}

static void write_end(struct dp_transport *tp)
{
	atomic_store_explicit(&tp->sequence, (tp->sequence | 1) + 1, memory_order_release);
}

// ---- keys

static void ssrcs_release(struct relay_worker *w, struct dp_transport *tp, struct dp_ssrc_slot *slots)
{
	for (unsigned i = 0; i < DP_RX_SSRCS; i++)
		stream_release(w, tp, &slots[i]);
}

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
static void key_leave(struct relay_worker *w, struct dp_transport *tp, enum dp_direction d,
		      const struct dp_key_slot *slot)
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

static void rx_release(struct relay_worker *w, struct dp_transport *tp, unsigned e)
{
	uint32_t key = tp->rx_keys[e].key;

	key_leave(w, tp, DP_RX, &tp->rx_keys[e]);

	tp->rx_keys[e].key = DP_NONE;
	ssrcs_release(w, tp, tp->rx_ssrcs[e]);
	key_release(w, key);
}

static void tx_release(struct relay_worker *w, struct dp_transport *tp)
{
	uint32_t key = tp->tx_key.key;

	key_leave(w, tp, DP_TX, &tp->tx_key);
	tp->tx_key.key = DP_NONE;
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

static void key_again(struct relay_worker *w, struct dp_key_slot *slot, uint32_t epoch, uint32_t fresh)
{
	struct srtp_key *key = key_at(w->relay, slot);
	const struct srtp_key *same = &w->relay->map.keys[fresh];

	key->mki_len = same->mki_len;
	memcpy(key->mki, same->mki, sizeof(key->mki));
	slot->epoch = epoch;
	key_release(w, fresh);
}

static bool epoch_is_new(const struct dp_key_slot *newest, uint32_t floor, uint32_t epoch)
{
	return epoch >= floor && (newest->key == DP_NONE || epoch > newest->epoch);
}

static void keys_rx(struct relay_worker *w, struct dp_transport *tp, const struct dp_keys *k, uint32_t fresh)
{
	struct dp_key_slot *newest = &tp->rx_keys[rx_newest(tp)];
	const struct srtp_key *before = key_at(w->relay, newest);
	unsigned other = (rx_newest(tp) + 1) % DP_RX_EPOCHS;
	const struct srtp_key *last = key_at(w->relay, &tp->rx_keys[other]);

	tp->work |= DP_WORK_EPOCH;
	atomic_signal_fence(memory_order_seq_cst);
	if (before != NULL && key_same(before, &w->relay->map.keys[fresh])) {
		key_again(w, newest, k->epoch, fresh);
		return;
	}
	if (last != NULL && key_same(last, &w->relay->map.keys[fresh])) { // back during the overlap: windows are there
		key_again(w, &tp->rx_keys[other], k->epoch, fresh);
		atomic_signal_fence(memory_order_seq_cst);
		tp->rx_newest = other;
		return;
	}
	rx_release(w, tp, other);
	tp->rx_keys[other] = (struct dp_key_slot){ .key = fresh, .epoch = k->epoch, .roc = k->roc };
	atomic_signal_fence(memory_order_seq_cst);
	tp->rx_newest = other;
}

static void keys_tx(struct relay_worker *w, struct dp_transport *tp, const struct dp_keys *k, uint32_t fresh)
{
	const struct srtp_key *before = key_at(w->relay, &tp->tx_key);

	if (before != NULL && key_same(before, &w->relay->map.keys[fresh])) {
		key_again(w, &tp->tx_key, k->epoch, fresh);
		return;
	}
	tx_release(w, tp);
	source_key_new(rare_of(w->relay, tp));
	tp->tx_key.epoch = k->epoch;
	tp->tx_key.roc = k->roc;
	atomic_signal_fence(memory_order_seq_cst);
	tp->tx_key.key = fresh;
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

static void on_keys(struct relay_worker *w, struct dp_transport *tp, struct dp_ref ref, const struct dp_keys *k)
{
	bool rx = k->direction == DP_RX;
	const struct dp_key_slot *newest = rx ? &tp->rx_keys[rx_newest(tp)] : &tp->tx_key;
	uint32_t fresh;

	if (!epoch_is_new(newest, rx ? tp->rx_epoch_floor : tp->tx_epoch_floor, k->epoch))
		return;
	fresh = key_take(w);
	if (fresh == DP_NONE)
		return; // cannot be: there are as many as all transports can hold, and one to spare
	if (srtp_key_derive(w->engine, &w->relay->map.keys[fresh], &k->master, &k->mki, k->lifetime) < 0) {
		key_release(w, fresh);
		return;
	}
	if (key_was_left(rare_of(w->relay, tp), rx ? DP_RX : DP_TX, &w->relay->map.keys[fresh])) {
		key_release(w, fresh);
		refuse(w, ref, k);
		return;
	}
	write_begin(tp);
	if (rx)
		keys_rx(w, tp, k, fresh);
	else
		keys_tx(w, tp, k, fresh);
	write_end(tp);
}

static void on_retire(struct relay_worker *w, struct dp_transport *tp, enum dp_direction direction, uint32_t below)
{
	write_begin(tp);
	if (direction == DP_RX) {
		if (below > tp->rx_epoch_floor)
			tp->rx_epoch_floor = below;
		for (unsigned e = 0; e < DP_RX_EPOCHS; e++) {
			if (tp->rx_keys[e].key != DP_NONE && tp->rx_keys[e].epoch < below)
				rx_release(w, tp, e);
		}
	} else {
		if (below > tp->tx_epoch_floor)
			tp->tx_epoch_floor = below;
		if (tp->tx_key.key != DP_NONE && tp->tx_key.epoch < below)
			tx_release(w, tp);
	}
	write_end(tp);
}

// ---- birth and death

static void unpublish(struct relay_worker *w, struct dp_transport *tp, uint32_t index)
{
	_Atomic uint32_t *slot = relay_table_slot(w->relay->table, tp->network, &tp->local);
	uint32_t mine = index + 1;

	if (slot != NULL)
		atomic_compare_exchange_strong(slot, &mine, 0);
	for (unsigned e = 0; e < DP_RX_EPOCHS; e++)
		rx_release(w, tp, e);
	tx_release(w, tp);
	nexthop_dirty(w->relay->hops, index);
	w->keeper_wants_wake = true;
}

static void mutable_reset(struct dp_transport *tp, struct dp_rare *rare)
{
	tp->rx_newest = 0;
	tp->tx_key = (struct dp_key_slot){ .key = DP_NONE };
	tp->rx_epoch_floor = tp->tx_epoch_floor = 0;
	tp->source_reported = tp->retries_since = 0;
	tp->retries = 0;
	for (unsigned e = 0; e < DP_RX_EPOCHS; e++) {
		tp->rx_keys[e] = (struct dp_key_slot){ .key = DP_NONE };
		for (unsigned i = 0; i < DP_RX_SSRCS; i++)
			tp->rx_ssrcs[e][i] = (struct dp_ssrc_slot){ .stream = DP_NONE };
	}
	for (unsigned i = 0; i < DP_TX_SSRCS; i++)
		tp->tx_ssrcs[i] = (struct dp_tx_slot){ .stream = DP_NONE };
	tp->work = 0;
	memset(rare, 0, sizeof(*rare));
	source_key_new(rare);
	memset(&tp->counters, 0, sizeof(tp->counters));
	tp->counters.newest_stream = DP_NONE;
}

static void on_publish(struct relay_worker *w, struct dp_ref ref, const struct dp_transport_conf *conf)
{
	_Atomic uint32_t *slot = relay_table_slot(w->relay->table, conf->network, &conf->local);
	struct dp_transport *tp;

	if (ref.index >= w->relay->map.n_transports || slot == NULL || conf->worker != w->id)
		return;
	tp = &w->relay->map.transports[ref.index];
	if (tp->state == DP_STATE_PUBLISHED && tp->generation == ref.generation)
		return;
	write_begin(tp);
	if (tp->state == DP_STATE_PUBLISHED)
		unpublish(w, tp, ref.index);
	tp->state = DP_STATE_FREE;
	atomic_signal_fence(memory_order_seq_cst);
	mutable_reset(tp, rare_of(w->relay, tp));
	tp->generation = ref.generation;
	tp->mode = (uint8_t)conf->mode;
	tp->security = 0;
	tp->n_edges = 0;
	tp->worker = conf->worker;
	tp->network = (uint8_t)conf->network;
	tp->path = (struct dp_path){ .remote.addr.family = INET_NONE };
	tp->path_serial++;
	tp->local = conf->local;
	tp->session = conf->session;
	tp->owner_tag = conf->owner_tag;
	atomic_signal_fence(memory_order_seq_cst);
	tp->state = DP_STATE_PUBLISHED;
	write_end(tp);
	atomic_store_explicit(slot, ref.index + 1, memory_order_release);
}

static void removal_owe(struct relay_worker *w, uint32_t index)
{
	uint32_t next = (w->removing_tail + 1) % (w->relay->map.n_transports + 1);

	if (next == w->removing_head)
		return; // cannot be: a transport stands in it once
	w->removing[w->removing_tail] = index;
	w->removing_tail = next;
}

static void on_remove(struct relay_worker *w, struct dp_ref ref)
{
	struct dp_transport *tp;

	if (ref.index >= w->relay->map.n_transports)
		return;
	tp = &w->relay->map.transports[ref.index];
	if (tp->state == DP_STATE_REMOVING || (tp->state == DP_STATE_PUBLISHED && tp->generation != ref.generation))
		return;
	write_begin(tp);
	if (tp->state == DP_STATE_PUBLISHED)
		unpublish(w, tp, ref.index);
	tp->generation = ref.generation; // one that was never published is told of as well
	tp->worker = (uint16_t)w->id;
	tp->state = DP_STATE_REMOVING;
	write_end(tp);
	removal_owe(w, ref.index);
}

// Tells control what is gone. No packet of a removed transport is under way: they are found anew each burst.
void relay_removals(struct relay_worker *w)
{
	uint32_t size = w->relay->map.n_transports + 1;

	while (w->removing_head != w->removing_tail) {
		uint32_t index = w->removing[w->removing_head];
		struct dp_transport *tp = &w->relay->map.transports[index];
		struct dp_event event = {
			.kind = DP_EVENT_REMOVED,
			.transport = { .index = index, .generation = tp->generation },
		};

		if (!relay_event(w, &event))
			return; // the ring is full: next round
		atomic_signal_fence(memory_order_seq_cst);
		tp->state = DP_STATE_FREE;
		w->removing_head = (w->removing_head + 1) % size;
	}
}

// ---- the rest

static void on_path(struct relay_worker *w, struct dp_transport *tp, uint32_t index, const struct dp_path *path)
{
	bool moved = !inet_endpoint_equal(&tp->path.remote, &path->remote);

	write_begin(tp);
	tp->path = *path;
	if (moved)
		tp->path_serial++;
	write_end(tp);
	nexthop_dirty(w->relay->hops, index);
	w->keeper_wants_wake = true;
}

static void on_extensions(struct relay_worker *w, struct dp_transport *tp, const struct dp_extensions *extensions)
{
	static const uint8_t none[sizeof(extensions->encrypted)];
	bool encrypted = memcmp(extensions->encrypted, none, sizeof(none)) != 0;

	write_begin(tp);
	rare_of(w->relay, tp)->extensions = *extensions;
	tp->work = (uint8_t)((tp->work & DP_WORK_EPOCH) |
			     (extensions->mode != DP_EXTENSION_PASS ? DP_WORK_CHOOSE : 0) |
			     (encrypted ? DP_WORK_ENCRYPT : 0) | (extensions->cryptex ? DP_WORK_CRYPTEX : 0));
	write_end(tp);
}

static void on_edges(struct dp_transport *tp, const struct dp_edge *edges, uint32_t n)
{
	write_begin(tp);
	tp->n_edges = 0;
	for (uint32_t i = 0; i < n && i < DP_EDGES_MAX; i++)
		tp->edges[tp->n_edges++] = edges[i];
	write_end(tp);
}

// Security only rises: what was secured once never speaks plain again.
static void on_secure(struct relay_worker *w, struct dp_transport *tp, uint32_t security)
{
	if (security != DP_PLAIN && security != DP_SRTP)
		return;
	if (tp->security == DP_SRTP)
		return;
	write_begin(tp);
	ssrcs_release(w, tp, tp->rx_ssrcs[0]); // what plain packets bound
	tp->security = (uint8_t)security;
	write_end(tp);
}

static void command_apply(struct relay_worker *w, const struct dp_command *c, const uint8_t *body, size_t body_len)
{
	struct dp_transport *tp;

	if (c->kind == DP_COMMAND_PUBLISH) {
		on_publish(w, c->transport, &c->publish);
		return;
	}
	if (c->kind == DP_COMMAND_REMOVE) {
		on_remove(w, c->transport);
		return;
	}
	tp = transport_of(w, c->transport);
	if (tp == NULL)
		return;
	switch (c->kind) {
	case DP_COMMAND_SECURE: on_secure(w, tp, c->secure); break;
	case DP_COMMAND_PATH: on_path(w, tp, c->transport.index, &c->path); break;
	case DP_COMMAND_KEYS: on_keys(w, tp, c->transport, &c->keys); break;
	case DP_COMMAND_RETIRE: on_retire(w, tp, c->retire.direction, c->retire.below_epoch); break;
	case DP_COMMAND_EXTENSIONS: on_extensions(w, tp, &c->extensions); break;
	case DP_COMMAND_EDGES: on_edges(tp, c->edges.list, c->edges.n); break;
	case DP_COMMAND_SEND: relay_datagram(w, c->transport.index, &c->send_to, body, body_len); break;
	default: break;
	}
}

unsigned relay_commands(struct relay_worker *w)
{
	unsigned done = 0;
	const void *message;
	size_t len;

	while (done < COMMANDS_A_ROUND && byte_ring_peek(&w->commands, &message, &len) == 0) {
		struct dp_command c;

		if (len >= sizeof(c)) {
			memcpy(&c, message, sizeof(c)); // checked as a copy: control could still write there
			command_apply(w, &c, (const uint8_t *)message + sizeof(c), len - sizeof(c));
			if (c.kind == DP_COMMAND_KEYS)
				explicit_bzero((void *)(uintptr_t)message, len);
			explicit_bzero(&c, sizeof(c));
		}
		byte_ring_next(&w->commands);
		done++;
	}
	if (done > 0) {
		dp_count(&w->record->commands, done);
		relay_removals(w);
	}
	return done;
}
