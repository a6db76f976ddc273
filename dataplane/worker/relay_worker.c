// SPDX-License-Identifier: GPL-3.0-or-later
// relay_worker.c - a worker's loop: commands, packets, wakes, and rest when there is nothing to do.
//
// Rest is a nap while packets come, so that what comes meanwhile is one burst (decision 0099); then a poll() on the
// descriptors of its queues and its own eventfd: a packet on any port ends it at once, so an idle relay uses no CPU and
// a silent port delays none of the others. Ports without a descriptor are looked at every 50 us.
#include "dataplane/worker/exception.h"
#include "dataplane/worker/relay.h"
#include "dataplane/worker/srtp/srtp_offload.h"
#include "base/clock.h"
#include "dataplane/worker/cryptodev/crypto_device.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define INBOX 1024
#define NAP 50000               // ns, as long as packets come: what comes meanwhile is one burst
#define LULL 250000             // ns of nothing to do until packets are waited for instead
#define REST_POLLED 50000       // ns, with a port that must be polled
#define REST_WAITING 1000000    // with datagrams that wait for a neighbour, or frames that the device did not take yet
#define REST 100000000          // else; heartbeat

// ---- birth

static int rings_attach(struct relay_worker *w)
{
	const struct dp_map *m = &w->relay->map;
	int err = byte_ring_attach(&w->commands, m->commands[w->id], DP_COMMAND_RING, BYTE_RING_CONSUMER);

	for (unsigned k = 0; k < DP_CLASSES && err == 0; k++)
		err = byte_ring_attach(&w->punts[k], m->punts[w->id][k], dp_punt_ring[k], BYTE_RING_PRODUCER);
	if (err == 0)
		err = byte_ring_attach(&w->traces, m->traces[w->id], DP_TRACE_RING, BYTE_RING_PRODUCER);
	if (err == 0)
		err = byte_ring_attach(&w->events, m->events[w->id], DP_EVENT_RING, BYTE_RING_PRODUCER);
	return err;
}

// One broken key must cost its own leg only.
static void key_adopt(struct relay_worker *w, uint32_t *slot)
{
	struct srtp_key *key = key_at(w->relay, slot);
	uint32_t index = *slot;

	if (key == NULL)
		return;
	if (!key_fits(w->relay, index) || srtp_key_adopt(w->engine, key) < 0) {
		*slot = DP_NONE;
		key_release(w, index);
	}
}

// What the last relay left: keys expanded for this CPU, paths to resolve, removals to tell of.
static void records_adopt(struct relay_worker *w)
{
	const struct dp_map *m = &w->relay->map;

	for (uint32_t i = 0; i < m->n_transports; i++) {
		struct dp_transport *tp = &m->transports[i];

		if (dp_worker_of(tp) != w->id)
			continue;
		if (tp->sequence & 1)
			atomic_fetch_add(&tp->sequence, 1);
		transport_adopt(w, i);
		transport_derive(tp);
		if (tp->state != DP_STATE_PUBLISHED)
			continue;
		for (unsigned e = 0; e < DP_RX_EPOCHS; e++)
			key_adopt(w, &tp->rx[e].key);
		key_adopt(w, &tp->out.key);
		port_enter(w, tp, i);
		nexthop_dirty(w->relay->hops, i);
	}
}

int relay_worker_open(struct relay_worker **wp, struct relay *relay, unsigned id)
{
	struct relay_worker *w = aligned_alloc(alignof(struct relay_worker), sizeof(*w));
	char name[32];
	int err;

	if (w == NULL)
		return -ENOMEM;
	memset(w, 0, sizeof(*w));
	w->relay = relay;
	w->id = id;
	w->record = &relay->map.workers[id];
	w->pool = relay->pools[relay->plan.worker[id]] != NULL ? relay->pools[relay->plan.worker[id]] : relay->pool;
	w->budget = RELAY_BUDGET;
	w->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	snprintf(name, sizeof(name), "inbox%u", id);
	w->inbox = rte_ring_create(name, INBOX, SOCKET_ID_ANY, RING_F_SC_DEQ);
	err = w->inbox == NULL ? -rte_errno : w->wake < 0 ? -errno : 0;
	if (err == 0)
		err = srtp_engine_open_with(&w->engine, SRTP_ARCH_AUTO,
					    relay->crypto != NULL ? crypto_device_queue(relay->crypto, id) : NULL);
	if (err == 0)
		err = rings_attach(w);
	if (err == 0)
		err = relay_queues_take(w);
	if (err == 0)
		err = relay_records_open(w);
	if (err < 0) {
		relay_worker_close(w);
		return err;
	}
	records_adopt(w);
	*wp = w;
	return 0;
}

void relay_worker_close(struct relay_worker *w)
{
	if (w == NULL)
		return;
	for (unsigned i = 0; i < w->n_hairpin; i++)
		rte_pktmbuf_free(w->hairpin[i]);
	for (unsigned i = 0; i < w->n_held; i++)
		rte_pktmbuf_free(w->held[i]);
	for (void *m; w->inbox != NULL && rte_ring_sc_dequeue(w->inbox, &m) == 0;)
		rte_pktmbuf_free(m);
	rte_ring_free(w->inbox);
	srtp_engine_close(w->engine);
	if (w->wake >= 0)
		close(w->wake);
	relay_records_close(w);
	free(w);
}

void relay_worker_wake(struct relay_worker *w)
{
	eventfd_write(w->wake, 1);
}

// ---- the loop

static unsigned packets_from_queue(struct relay_worker *w, struct dp_queue *q)
{
	struct rte_mbuf *pkts[RELAY_BURST];
	uint16_t n = q->ops->rx(q, pkts, RELAY_BURST);

	if (n > 0) {
		dp_count(&w->record->rx_packets[q->port->index], n);
		dp_count(&w->record->bursts, 1);
		relay_burst(w, pkts, n);
		relay_flush(w);
	}
	return n;
}

static unsigned packets_from_inside(struct relay_worker *w)
{
	struct rte_mbuf *pkts[RELAY_BURST];
	unsigned n, done = relay_hand_take(w);

	while (w->n_hairpin > 0) { // each packet some rounds at most: RELAY_HOPS
		n = w->n_hairpin < RELAY_BURST ? w->n_hairpin : RELAY_BURST;
		memcpy(pkts, w->hairpin, n * sizeof(pkts[0]));
		w->n_hairpin -= n;
		memmove(w->hairpin, w->hairpin + n, w->n_hairpin * sizeof(w->hairpin[0]));
		relay_burst(w, pkts, (uint16_t)n);
		done += n;
	}
	return done;
}

// The time since the round before belongs to that one, its rest included. Commands get the third of what packets took,
// so that a storm of them leaves the packets three quarters of the time; a worker without packets has no such bound.
static void round_account(struct relay_worker *w, mono_ns now)
{
	uint64_t took = w->now == 0 || now < w->now ? 0 : now - w->now;

	dp_count(w->worked ? &w->record->busy : &w->record->idle, took);
	if (!w->had_packets)
		w->budget = RELAY_BUDGET;
	else
		w->budget += (int64_t)(took > w->commands_took ? took - w->commands_took : 0) / 3;
	if (w->budget > RELAY_BUDGET)
		w->budget = RELAY_BUDGET;
	w->commands_took = 0;
	w->now = now;
}

// What this worker read in rounds before it does not hold any more: one word for all that wait for it.
static void token_change(struct relay_worker *w)
{
	if (w->relay->map.config.n_workers > 1)
		atomic_store(&w->token, ++w->rounds);
}

static void crypto_tend(struct relay_worker *w)
{
	const struct crypto_counters *c = crypto_device_counters(w->relay->crypto, w->id);

	srtp_engine_tend(w->engine);
	__atomic_store_n(&w->record->crypto_jobs, c->jobs, __ATOMIC_RELAXED);
	__atomic_store_n(&w->record->crypto_failed, c->failed, __ATOMIC_RELAXED);
	__atomic_store_n(&w->record->crypto_stalled, c->stalled, __ATOMIC_RELAXED);
}

unsigned relay_worker_round(struct relay_worker *w)
{
	unsigned told = 0, packets = 0;

	token_change(w);
	round_account(w, clock_now());
	atomic_store_explicit(&w->relay->map.header->relay_alive, w->now, memory_order_relaxed);
	atomic_store_explicit(&w->record->heartbeat, w->now, memory_order_relaxed);
	w->tracing = atomic_load_explicit(&w->relay->map.header->traced, memory_order_relaxed) != 0;
	if (w->relay->map.config.n_workers > 1)
		relay_arrivals(w);
	if (w->budget > 0)
		told = relay_commands(w);
	w->budget -= (int64_t)w->commands_took;
	relay_waiting_retry(w);
	for (unsigned i = 0; i < w->n_rx; i++)
		packets += packets_from_queue(w, w->rx[i]);
	packets += packets_from_inside(w);
	packets += relay_outboxes_send(w);
	relay_flush(w);
	relay_wakes(w);
	if (w->taps_want_wake) {
		w->taps_want_wake = false;
		exceptions_wake(w->relay->exceptions);
	}
	if (w->relay->crypto != NULL)
		crypto_tend(w);
	w->had_packets = packets > 0;
	w->worked = told + packets > 0;
	return told + packets;
}

static void rest(struct relay_worker *w, bool nap)
{
	struct pollfd fds[1 + sizeof(w->rx) / sizeof(w->rx[0])];
	long ns = w->n_waiting > 0 || w->owed_head != w->owed_tail ? REST_WAITING : REST;
	struct timespec ts = { 0 };
	const void *message;
	uint64_t ticks;
	nfds_t n = 1;
	size_t len;

	fds[0] = (struct pollfd){ .fd = w->wake, .events = POLLIN };
	for (unsigned i = 0; i < w->n_rx; i++) {
		struct dp_queue *q = w->rx[i];

		if (!q->ops->settle(q) && ns > REST_WAITING)
			ns = REST_WAITING;
		if (q->fd >= 0 && !nap)
			fds[n++] = (struct pollfd){ .fd = q->fd, .events = POLLIN };
		else if (!nap)
			ns = REST_POLLED;
	}
	if (nap)
		ns = NAP;
	byte_ring_set_sleeping(&w->commands);
	atomic_store(&w->token, 0); // whoever hands us something from now on wakes us
	if (byte_ring_peek(&w->commands, &message, &len) == 0 || rte_ring_count(w->inbox) > 0 || w->n_held > 0 ||
	    relay_outboxes_wait(w) ||
	    atomic_load(&w->arrivals.head) != DP_NONE) {
		(void)byte_ring_take_sleeping(&w->commands);
		return;
	}
	dp_count(&w->record->sleeps, 1);
	ts.tv_nsec = ns;
	ppoll(fds, n, &ts, NULL);
	if (fds[0].revents != 0)
		(void)!read(w->wake, &ticks, sizeof(ticks));
	for (nfds_t i = 1; i < n; i++) { // an interface that went away would end every rest at once
		if ((fds[i].revents & (POLLERR | POLLHUP | POLLNVAL)) != 0) {
			nanosleep(&(struct timespec){ .tv_nsec = REST_WAITING }, NULL);
			break;
		}
	}
}

static void *worker_run(void *arg)
{
	struct relay_worker *w = arg;
	bool busy = w->relay->map.config.poll == DP_POLL_BUSY;

	if (rte_thread_register() < 0)
		return NULL; // the heartbeat stops: the supervisor sees it
	while (!atomic_load_explicit(&w->relay->stop, memory_order_relaxed)) {
		unsigned done = relay_worker_round(w);

		if (w->had_packets)
			w->packets_seen = w->now;
		if (done == 0 && !busy)
			rest(w, w->now - w->packets_seen < LULL); // a command is no sign of packets
	}
	rte_thread_unregister();
	return NULL;
}

int relay_worker_start(struct relay_worker *w)
{
	uint16_t cpu = w->relay->map.config.worker_cpu[w->id];
	pthread_attr_t attr;
	char name[16];
	int err;

	pthread_attr_init(&attr);
	if (cpu != UINT16_MAX) {
		cpu_set_t set;

		CPU_ZERO(&set);
		CPU_SET(cpu, &set);
		pthread_attr_setaffinity_np(&attr, sizeof(set), &set);
	}
	err = -pthread_create(&w->thread, &attr, worker_run, w);
	pthread_attr_destroy(&attr);
	if (err < 0)
		return err;
	snprintf(name, sizeof(name), "worker%u", w->id);
	pthread_setname_np(w->thread, name);
	return 0;
}

void relay_worker_join(struct relay_worker *w)
{
	relay_worker_wake(w);
	pthread_join(w->thread, NULL);
}
