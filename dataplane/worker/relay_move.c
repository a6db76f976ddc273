// SPDX-License-Identifier: GPL-3.0-or-later
// relay_move.c - the transports of a session go to another worker, all at once. Keys, windows and figures stay where they
// are; what moves is who may write them. It takes some rounds, during which the command stays the next one of its ring:
//
//   1. The owner marks each transport with its heir. From now on other workers give packets to the heir, which holds them;
//      what came in by the owner's own queues it still relays.
//   2. Each other worker has begun a new round or rests: no packet is under way to the owner any more. What its inbox holds
//      now it relays, too.
//   3. The owner writes DP_COMING: it relays them no more. When all that it sent is with the devices (it may send by
//      another worker's queue), it gives the list to the heir as a whole.
//   4. The heir takes them between two bursts, says DP_EVENT_MOVED, and relays what it held.
//
// So no context has two writers, no packet is lost, and each stream keeps its order. After a kill the marks go, what was
// DP_COMING is the heir's, and the command is applied again to the rest.
#include "dataplane/worker/relay.h"
#include <string.h>
#include "dataplane/fastpath.h"

// How many a ring was given, and how many of these were taken, modulo 2^32.
static uint32_t ring_given(const struct rte_ring *r)
{
	return __atomic_load_n(&r->prod.tail, __ATOMIC_ACQUIRE);
}

static uint32_t ring_taken(const struct rte_ring *r)
{
	return __atomic_load_n(&r->cons.tail, __ATOMIC_ACQUIRE);
}

enum stage { STAGE_NONE, STAGE_MARKED, STAGE_DRAINING, STAGE_SENDING };

static struct dp_transport *movable(const struct relay_worker *w, struct dp_ref ref)
{
	struct dp_transport *tp = transport_named(w->relay, ref);

	return tp != NULL && tp->state == DP_STATE_PUBLISHED && transport_worker(tp) == w->id ? tp : NULL;
}

static void mark(struct relay_worker *w, uint16_t to, const struct dp_ref *refs, uint32_t n)
{
	struct relay_move *move = &w->move;

	for (uint32_t i = 0; i < n; i++) {
		struct dp_transport *tp = movable(w, refs[i]);

		if (tp != NULL)
			atomic_store(&rare_of(w->relay, tp)->heir, (uint16_t)(to + 1));
	}
	atomic_thread_fence(memory_order_seq_cst); // a worker that begins a round after this sees the marks
	for (unsigned i = 0; i < w->relay->map.config.n_workers; i++)
		move->tokens[i] = i == w->id ? 0 : atomic_load(&w->relay->workers[i]->token);
	move->stage = STAGE_MARKED;
}

static bool others_have_passed(struct relay_worker *w)
{
	struct relay_move *move = &w->move;
	bool passed = true;

	for (unsigned i = 0; i < w->relay->map.config.n_workers; i++) {
		if (move->tokens[i] != 0 && atomic_load(&w->relay->workers[i]->token) != move->tokens[i])
			move->tokens[i] = 0;
		passed &= move->tokens[i] == 0;
	}
	return passed;
}

static void keys_forget(struct relay_worker *w, const struct dp_transport *tp)
{
	for (unsigned e = 0; e < DP_RX_EPOCHS; e++) {
		if (key_at(w->relay, &tp->rx[e].key) != NULL)
			srtp_key_forget(w->engine, key_at(w->relay, &tp->rx[e].key));
	}
	if (key_at(w->relay, &tp->out.key) != NULL)
		srtp_key_forget(w->engine, key_at(w->relay, &tp->out.key));
}

static void give_up(struct relay_worker *w, uint16_t to, const struct dp_ref *refs, uint32_t n)
{
	struct relay_worker *heir = w->relay->workers[to];
	struct relay_move *move = &w->move;

	relay_flush(w);
	move->first = move->last = DP_NONE;
	for (uint32_t i = 0; i < n; i++) {
		struct dp_transport *tp = movable(w, refs[i]);

		if (tp == NULL)
			continue;
		keys_forget(w, tp);
		transport_write_begin(tp);
		__atomic_store_n(&tp->worker, (uint16_t)(DP_COMING | to), __ATOMIC_RELEASE);
		transport_write_end(tp);
		heir->arrivals.links[refs[i].index] = move->first;
		move->first = refs[i].index;
		if (move->last == DP_NONE)
			move->last = move->first;
		dp_count(&w->record->moved_out, 1);
	}
	for (unsigned p = 0; p < w->relay->map.config.n_ports; p++)
		move->sent_until[p] = w->tx[p].queue->outbox == NULL ? 0 : ring_given(w->tx[p].queue->outbox);
	move->stage = STAGE_SENDING;
}

static bool all_is_sent(const struct relay_worker *w)
{
	for (unsigned p = 0; p < w->relay->map.config.n_ports; p++) {
		const struct rte_ring *outbox = w->tx[p].queue->outbox;

		if (outbox != NULL && (int32_t)(ring_taken(outbox) - w->move.sent_until[p]) < 0)
			return false;
	}
	return true;
}

static void give(struct relay_worker *w, uint16_t to)
{
	const struct relay_move *move = &w->move;

	if (move->first == DP_NONE)
		return;
	index_stack_push(&w->relay->workers[to]->arrivals, move->first, move->last);
	w->wake_others |= 1u << to;
}

bool relay_move(struct relay_worker *w, uint16_t to, const struct dp_ref *refs, uint32_t n)
{
	struct relay_move *move = &w->move;

	if (to >= w->relay->map.config.n_workers || to == w->id)
		return true;
	if (move->stage == STAGE_NONE)
		mark(w, to, refs, n);
	if (move->stage == STAGE_MARKED) {
		if (!others_have_passed(w))
			return false;
		move->inbox_until = ring_given(w->inbox);
		move->stage = STAGE_DRAINING;
	}
	if (move->stage == STAGE_DRAINING) {
		if ((int32_t)(ring_taken(w->inbox) - move->inbox_until) < 0)
			return false;
		give_up(w, to, refs, n);
	}
	if (!all_is_sent(w))
		return false;
	give(w, to);
	move->stage = STAGE_NONE;
	return true;
}

// Before the first packet of a round: either none of a session's transports is ours in it, or all are.
void relay_arrivals(struct relay_worker *w)
{
	uint32_t n_transports = w->relay->map.n_transports, index = index_stack_take(&w->arrivals);

	if (index == DP_NONE)
		return;
	for (uint32_t i = 0; i < n_transports && index < n_transports; i++) {
		uint32_t next = w->arrivals.links[index];

		transport_arrived(w, index);
		index = next;
	}
	relay_held_release(w);
}
