// SPDX-License-Identifier: GPL-3.0-or-later
// relay_crypt.c - the secured stages: whole bursts to the SRTP engine, and the binding of SSRCs to streams.
#include "dataplane/worker/relay.h"
#include "dataplane/worker/srtp/rtp_header.h"
#include "dataplane/worker/srtp/srtp_window.h"
#include <string.h>
#include "dataplane/fastpath.h"

// A packet is checked three times at most: newest key, the key before it, and another roll-over counter. How often the
// second and third may happen is bounded for each transport, so that forged packets cost one check.
#define RETRY_SPAN MONO_MS(100)
#define RETRY_OLD_KEY 256 // in a span; real ones come while a key changes
#define RETRY_ROC 8

static const enum relay_drop drop_of[SRTP_RESULT_COUNT] = {
	[SRTP_OK] = RELAY_OK,
	[SRTP_SHORT] = RELAY_DROP_MALFORMED,
	[SRTP_NO_ROOM] = RELAY_DROP_TOO_BIG,
	[SRTP_NO_KEY] = RELAY_DROP_NOT_KEYED,
	[SRTP_WRONG_SSRC] = RELAY_DROP_MALFORMED,
	[SRTP_MKI] = RELAY_DROP_MKI,
	[SRTP_EXTENSION] = RELAY_DROP_EXTENSION,
	[SRTP_AUTH] = RELAY_DROP_AUTH,
	[SRTP_REPLAY] = RELAY_DROP_REPLAY,
	[SRTP_OLD] = RELAY_DROP_OLD,
	[SRTP_TX_REPEAT] = RELAY_DROP_TX_REPEAT,
	[SRTP_KEY_EXPIRED] = RELAY_DROP_KEY_EXPIRED,
	[SRTP_DEVICE] = RELAY_DROP_CRYPTO_DEVICE,
};

static __attribute__((noinline)) struct dp_stream *stream_find_more(struct relay_worker *w, struct dp_transport *tp,
								    unsigned epoch, uint32_t ssrc)
{
	const struct dp_ssrc_slot *slot;

	for (unsigned i = 1; i < DP_RX_SSRCS && (slot = dp_rx_slot(&w->relay->map, tp, epoch, i)) != NULL; i++) {
		if (slot->ssrc == ssrc && slot->stream < w->relay->map.n_streams)
			return dp_stream_at(&w->relay->map, slot->stream);
	}
	return NULL;
}

static inline struct dp_stream *stream_find(struct relay_worker *w, struct dp_transport *tp, unsigned epoch,
					    uint32_t ssrc)
{
	const struct dp_ssrc_slot *first = &tp->rx[epoch].first;

	if (first->ssrc == ssrc && first->stream < w->relay->map.n_streams)
		return dp_stream_at(&w->relay->map, first->stream);
	return stream_find_more(w, tp, epoch, ssrc);
}

static inline void op_header(struct relay_worker *w, struct srtp_op *op, const struct dp_transport *tp, uint8_t work)
{
	if (!(work & DP_WORK_HEADER))
		return;
	op->cryptex = work & DP_WORK_CRYPTEX;
	op->encrypted = work & DP_WORK_ENCRYPT ? rare_of(w->relay, tp)->extensions.encrypted : NULL;
}

// ---- in

static struct srtp_stream *scratch_for(struct relay_worker *w, struct dp_transport *tp, unsigned epoch, uint32_t ssrc)
{
	struct scratch_stream *s;

	for (unsigned i = 0; i < w->n_scratch; i++) {
		s = &w->scratch[i];
		if (s->tp == tp && s->epoch == epoch && s->state.ssrc == ssrc)
			return &s->state;
	}
	s = &w->scratch[w->n_scratch++]; // one a packet and key at most
	s->tp = tp;
	s->epoch = epoch;
	s->bound = NULL;
	srtp_stream_init(&s->state, ssrc, tp->rx_epochs[epoch].roc, w->relay->map.config.replay_window);
	return &s->state;
}

static struct scratch_stream *scratch_of(struct relay_worker *w, struct srtp_stream *state)
{
	struct scratch_stream *s = (struct scratch_stream *)((uint8_t *)state - offsetof(struct scratch_stream, state));

	return s >= w->scratch && s < w->scratch + RELAY_SCRATCH ? s : NULL;
}

// False: that epoch has no key.
static inline bool op_in(struct relay_worker *w, struct srtp_op *op, struct packet *p, unsigned epoch)
{
	struct dp_transport *tp = p->tp;
	struct srtp_key *key = key_at(w->relay, &tp->rx[epoch].key);
	uint32_t ssrc = rtp_ssrc(p->bytes);
	struct dp_stream *st;

	if (key == NULL)
		return false;
	st = stream_find(w, tp, epoch, ssrc);
	*op = (struct srtp_op){
		.packet = p->bytes,
		.len = p->len,
		.hdr_len = p->hdr_len,
		.key = key,
		.stream = st != NULL ? &st->srtp : scratch_for(w, tp, epoch, ssrc),
	};
	op_header(w, op, tp, tp->work);
	return true;
}

static __attribute__((noinline)) bool op_in_old(struct relay_worker *w, struct srtp_op *op, struct packet *p)
{
	return op_in(w, op, p, (rx_newest(p->tp) + 1) % DP_RX_EPOCHS);
}

// Where a packet goes out: it arrives while the burst is decrypted.
static inline __attribute__((always_inline)) void warm_way(struct relay_worker *w, const struct packet *p)
{
	uint32_t to = p->tp->first_edge.index;

	if (to >= w->relay->map.n_transports)
		return;
	lines_prefetch(&w->relay->map.transports[to].out, 1);
	nexthop_prefetch(w->relay->hops, to);
}

// The newest key, and what is needed of it: on its way into the cache from now on. So nothing of a key is looked at here.
void unprotect_add(struct relay_worker *w, struct packet *p, uint16_t at)
{
	const struct dp_rx *rx = &p->tp->rx[rx_newest(p->tp)];
	struct srtp_op *op = &w->ops[w->n_ops];

	warm_way(w, p);
	if (p->tp->security == DP_PLAIN && rx->first.stream < w->relay->map.n_streams)
		lines_prefetch(dp_stream_at(&w->relay->map, rx->first.stream), 1);
	if (p->tp->security != DP_SRTP || !op_in(w, op, p, rx_newest(p->tp)))
		return;
	w->who[w->n_ops++] = at;
	key_prefetch(op->key);
	lines_prefetch((const uint8_t *)op->stream - offsetof(struct dp_stream, srtp), 2);
}

// An authenticated packet of an SSRC without a stream binds one: RFC 3711 3.2.3 leaves to us when.
static struct dp_stream *stream_of_op(struct relay_worker *w, const struct packet *p, struct srtp_op *op)
{
	struct scratch_stream *s = scratch_of(w, op->stream);

	if (s == NULL)
		return (struct dp_stream *)((uint8_t *)op->stream - offsetof(struct dp_stream, srtp));
	if (s->bound == NULL)
		s->bound = stream_bind(w, p->index, s->epoch, &s->state);
	return s->bound;
}

static bool retry_allowed(struct relay_worker *w, struct dp_transport *tp, uint32_t limit)
{
	if (w->now > tp->retries_since + RETRY_SPAN) {
		tp->retries_since = w->now;
		tp->retries = 0;
	}
	return tp->retries++ < limit;
}

// The roll-over counter next to the one that was guessed: where the packet is if more than 2^15 were lost, or the first
// ones after a wrap.
static uint64_t other_index(const struct srtp_stream *s, uint64_t guess)
{
	if (s->started && guess > s->highest && guess >= 0x10000)
		return guess - 0x10000;
	return guess + 0x10000;
}

// The newer key's stream may have an index already that is fresh under the one before: its sender began a new sequence.
static bool may_be_another_keys(const struct srtp_op *op)
{
	return op->result == SRTP_AUTH || op->result == SRTP_REPLAY || op->result == SRTP_OLD;
}

// It does not carry the MKI of the key that was tried.
static bool is_another_mkis(const struct srtp_op *op)
{
	return op->result == SRTP_MKI || (op->result == SRTP_SHORT && op->key->mki_len != 0);
}

// Second and third tries for what did not verify: `again` names packets of in[] by their place in ops[].
static unsigned gather_old_key(struct relay_worker *w, const uint16_t *who, unsigned n, struct srtp_op *again,
			       uint16_t *at)
{
	unsigned m = 0;

	for (unsigned i = 0; i < n; i++) {
		struct dp_transport *tp = w->in[who[i]].tp;
		unsigned old = (rx_newest(tp) + 1) % DP_RX_EPOCHS;
		const struct srtp_key *key = key_at(w->relay, &tp->rx[old].key);

		bool said = is_another_mkis(&w->ops[i]); // then no key is guessed

		if ((!said && !may_be_another_keys(&w->ops[i])) || key == NULL || w->ops[i].key == key ||
		    !srtp_key_mki_is(key, w->in[who[i]].bytes, w->in[who[i]].len) ||
		    (!said && !retry_allowed(w, tp, RETRY_OLD_KEY)))
			continue;
		if (op_in_old(w, &again[m], &w->in[who[i]]))
			at[m++] = (uint16_t)i;
	}
	return m;
}

static unsigned gather_other_roc(struct relay_worker *w, const uint16_t *who, unsigned n, struct srtp_op *again,
				 uint16_t *at)
{
	unsigned m = 0;

	for (unsigned i = 0; i < n; i++) {
		const struct srtp_op *op = &w->ops[i];

		if (op->result != SRTP_AUTH || !retry_allowed(w, w->in[who[i]].tp, RETRY_ROC))
			continue;
		again[m] = *op;
		again[m].fixed_index = true;
		again[m].index = other_index(op->stream, srtp_index_guess(op->stream, rtp_seq(op->packet)));
		at[m++] = (uint16_t)i;
	}
	return m;
}

static void try_again(struct relay_worker *w, struct srtp_op *again, const uint16_t *at, unsigned m)
{
	if (m == 0)
		return;
	srtp_unprotect_burst(w->engine, again, m);
	for (unsigned k = 0; k < m; k++) {
		bool first_failed = w->ops[at[k]].result == SRTP_AUTH, said = is_another_mkis(&w->ops[at[k]]);

		if (again[k].result == SRTP_OK || (again[k].result != SRTP_AUTH && first_failed) || said)
			w->ops[at[k]] = again[k];
	}
}

static __attribute__((noinline)) void try_failed(struct relay_worker *w, const uint16_t *who, unsigned n)
{
	struct srtp_op again[RELAY_BURST];
	uint16_t at[RELAY_BURST] = { 0 };

	try_again(w, again, at, gather_old_key(w, who, n, again, at));
	try_again(w, again, at, gather_other_roc(w, who, n, again, at));
}

// ops[0..n) belong to the packets that who[] names.
static inline void unprotect(struct relay_worker *w, const uint16_t *who, unsigned n)
{
	unsigned failed = 0;

	srtp_unprotect_burst(w->engine, w->ops, n);
	static_assert(SRTP_OK == 0, "many results are looked at as one");
	for (unsigned i = 0; i < n; i++)
		failed |= w->ops[i].result;
	if (failed)
		try_failed(w, who, n);
}

// After a kill in between it is said again.
static void epoch_say(struct relay_worker *w, const struct packet *p, const struct srtp_key *key)
{
	unsigned newest = rx_newest(p->tp);
	struct dp_event event = {
		.kind = DP_EVENT_EPOCH,
		.transport = { .index = p->index, .generation = p->tp->generation },
		.epoch = p->tp->rx_epochs[newest].epoch,
	};

	if (key == key_at(w->relay, &p->tp->rx[newest].key) && relay_event(w, &event))
		p->tp->work &= (uint8_t)~DP_WORK_EPOCH;
}

static enum relay_drop result_in(struct relay_worker *w, struct packet *p, struct srtp_op *op)
{
	enum relay_drop drop = drop_of[op->result];

	if (drop != RELAY_OK)
		return drop;
	p->stream = stream_of_op(w, p, op);
	p->len = op->len;
	p->rtp_index = op->index;
	if ((p->tp->work & DP_WORK_EPOCH) && !w->events_full)
		epoch_say(w, p, op->key);
	return p->stream == NULL ? RELAY_DROP_SSRC_LIMIT : RELAY_OK;
}

// What encrypts it there.
static inline __attribute__((always_inline)) void warm_out(struct relay_worker *w, const struct packet *p)
{
	const struct dp_map *map = &w->relay->map;
	const struct dp_out *out;

	if (p->tp->first_edge.index >= map->n_transports)
		return;
	out = &map->transports[p->tp->first_edge.index].out;
	if (out->security != DP_SRTP)
		return;
	if (out->key < map->n_keys)
		key_prefetch(dp_key_at(map, out->key));
	if (out->first.stream < map->n_streams)
		lines_prefetch(&dp_stream_at(map, out->first.stream)->srtp, 1);
}

// RFC 3550 A.1 in one line: the index nearest to the highest so far.
static uint64_t plain_index(const struct dp_stream *st, uint16_t seq)
{
	if (st->received == 0)
		return 0x10000 | seq; // one cycle below, for what was overtaken by the first
	return st->highest_index + (uint64_t)(int64_t)(int16_t)(seq - (uint16_t)st->highest_index);
}

static enum relay_drop accept_plain(struct relay_worker *w, struct packet *p)
{
	struct dp_transport *tp = p->tp;
	uint32_t ssrc = rtp_ssrc(p->bytes);

	if (!p->proven) {
		if (relay_source_wanted(p))
			relay_source_event(w, p, false);
		return RELAY_DROP_WRONG_SOURCE;
	}
	p->stream = stream_find(w, tp, 0, ssrc);
	if (p->stream == NULL)
		p->stream = stream_bind(w, p->index, 0, &(struct srtp_stream){ .ssrc = ssrc });
	if (p->stream == NULL)
		return RELAY_DROP_SSRC_LIMIT;
	p->rtp_index = plain_index(p->stream, rtp_seq(p->bytes));
	return RELAY_OK;
}

// Only what is accepted changes anything. Where the peer is, control decides: we say where its newest packet came from.
static inline void accepted(struct relay_worker *w, struct packet *p)
{
	if (p->tp->work & DP_WORK_CHOOSE)
		extension_choose(p, &rare_of(w->relay, p->tp)->extensions);
	p->payload_len = (uint16_t)(p->len - p->hdr_len);
	stream_account(p, w->now);
}

static inline enum relay_drop accept_secured(struct relay_worker *w, struct packet *p, struct srtp_op *op)
{
	enum relay_drop drop = result_in(w, p, op);

	if (drop == RELAY_OK && !p->proven && (p->stream->received == 0 || p->rtp_index > p->stream->highest_index))
		relay_source_event(w, p, true);
	return drop;
}

uint16_t stage_unprotect(struct relay_worker *w, uint16_t n)
{
	uint16_t kept = 0;
	unsigned k = 0;

	w->who[w->n_ops] = RELAY_BURST; // nobody
	if (w->n_ops > 0)
		unprotect(w, w->who, w->n_ops);
	for (uint16_t i = 0; i < n; i++) {
		struct packet *p = &w->in[i];
		enum relay_drop drop = RELAY_DROP_NOT_KEYED;

		if (w->who[k] == i)
			drop = accept_secured(w, p, &w->ops[k++]);
		else if (p->tp->security == DP_PLAIN)
			drop = accept_plain(w, p);
		if (drop != RELAY_OK) {
			relay_drop(w, p->tp, drop, p->m);
			continue;
		}
		warm_out(w, p);
		accepted(w, p);
		packet_keep(w->in, kept++, i);
	}
	return kept;
}

// ---- out

static __attribute__((noinline)) const struct dp_tx_slot *slot_out_more(struct relay_worker *w, const struct packet *p,
									  enum relay_drop *why)
{
	const struct dp_tx_slot *slot;

	for (unsigned i = 1; i < DP_TX_SSRCS && (slot = dp_tx_slot(&w->relay->map, p->tp, i)) != NULL; i++) {
		if (slot->ssrc == p->ssrc && slot->from == p->from && slot->stream < w->relay->map.n_streams)
			return slot;
	}
	return source_slot(w, p, why);
}

static inline const struct dp_tx_slot *slot_out(struct relay_worker *w, const struct packet *p, enum relay_drop *why)
{
	const struct dp_tx_slot *first = &p->tp->out.first;

	if (first->ssrc == p->ssrc && first->from == p->from && first->stream < w->relay->map.n_streams)
		return first;
	return slot_out_more(w, p, why);
}

// The stream itself is not looked at: it may still be on its way into the cache.
static inline void source_set(struct relay_worker *w, struct srtp_op *op, struct packet *p,
			      const struct dp_tx_slot *slot)
{
	if (slot->out != rtp_ssrc(p->bytes))
		rtp_ssrc_set(p->bytes, slot->out);
	op->stream = &dp_stream_at(&w->relay->map, slot->stream)->srtp;
}

static inline enum relay_drop op_out(struct relay_worker *w, struct srtp_op *op, struct packet *p)
{
	const struct dp_out *out = &p->tp->out;
	struct srtp_key *key = key_at(w->relay, &out->key);
	const struct dp_tx_slot *slot;
	enum relay_drop why;

	if (out->security != DP_SRTP || key == NULL)
		return RELAY_DROP_TX_NOT_KEYED;
	if (!nexthop_ready(w->relay->hops, p->index, out->path_serial))
		return relay_no_way(p->tp);
	p->ssrc = rtp_ssrc(p->bytes);
	slot = slot_out(w, p, &why);
	if (slot == NULL)
		return why;
	*op = (struct srtp_op){
		.packet = p->bytes,
		.len = p->len,
		.room = (uint16_t)((uint8_t *)p->m->buf_addr + p->m->buf_len - p->bytes),
		.hdr_len = p->hdr_len,
		.key = key,
	};
	op_header(w, op, p->tp, out->work);
	source_set(w, op, p, slot);
	return RELAY_OK;
}

// An index that was sent before. The source began anew, or the packet ends here; one of the same burst may have decided
// it just now.
static enum relay_drop repeats(struct relay_worker *w, struct srtp_op *op, struct packet *p)
{
	enum relay_drop why = RELAY_DROP_TX_REPEAT;
	const struct dp_tx_slot *slot = source_slot(w, p, &why);

	if (slot != NULL && op->stream == &dp_stream_at(&w->relay->map, slot->stream)->srtp)
		slot = source_repeats(w, p, &why);
	if (slot == NULL)
		return why;
	source_set(w, op, p, slot);
	srtp_protect_burst(w->engine, op, 1);
	return drop_of[op->result];
}

static inline enum relay_drop result_out(struct relay_worker *w, struct packet *p, struct srtp_op *op)
{
	enum relay_drop drop = drop_of[op->result];

	if (drop == RELAY_DROP_TX_REPEAT)
		drop = repeats(w, op, p);
	p->len = op->len;
	return drop;
}

static inline bool any_secured(const struct packet *p, uint16_t n)
{
	unsigned any = 0;

	for (const struct packet *end = p + n; p < end; p++)
		any |= p->tp->out.security ^ DP_PLAIN;
	return any != 0;
}

// What is not to be encrypted stays as it is.
uint16_t stage_protect(struct relay_worker *w, uint16_t n)
{
	enum relay_drop drop[RELAY_FAN];
	uint16_t who[RELAY_FAN], kept = 0;
	unsigned secured = 0, dropped = 0;

	if (!any_secured(w->out, n))
		return n;
	for (uint16_t i = 0; i < n; i++) {
		drop[i] = RELAY_OK;
		if (w->out[i].tp->out.security == DP_PLAIN)
			continue;
		drop[i] = op_out(w, &w->ops[secured], &w->out[i]);
		if (drop[i] == RELAY_OK)
			who[secured++] = i;
		dropped |= drop[i] != RELAY_OK;
	}
	if (secured > 0)
		srtp_protect_burst(w->engine, w->ops, secured);
	for (unsigned k = 0; k < secured; k++) {
		drop[who[k]] = result_out(w, &w->out[who[k]], &w->ops[k]);
		dropped |= drop[who[k]] != RELAY_OK;
	}
	for (uint16_t i = 0; i < n && dropped; i++) {
		if (drop[i] == RELAY_OK)
			packet_keep(w->out, kept++, i);
		else
			relay_drop(w, w->out[i].tp, drop[i], w->out[i].m);
	}
	return dropped ? kept : n;
}
