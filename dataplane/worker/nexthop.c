// SPDX-License-Identifier: GPL-3.0-or-later
// nexthop.c - birth, and the slots that workers read.
#include "dataplane/worker/nexthop_priv.h"
#include "dataplane/worker/frame.h"
#include "dataplane/worker/memory.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

int nexthops_open(struct nexthops **nhp, const struct dp_map *map, const struct relay_table *table,
		  struct dp_port *const ports[DP_PORTS_MAX], int control_event)
{
	struct nexthops *nh = calloc(1, sizeof(*nh));
	uint32_t n = map->n_transports + NEXTHOP_QUERIES * map->config.n_workers;
	int err = -ENOMEM;

	if (nh == NULL)
		return -ENOMEM;
	nh->map = map;
	nh->table = table;
	nh->ports = ports;
	nh->control_event = control_event;
	nh->n_slots = n;
	nh->n_words = (n + 63) / 64;
	nh->n_buckets = 1024;
	nh->resolve_all_at = MONO_NEVER;
	nh->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	nh->slots = memory_table(n * sizeof(*nh->slots));
	nh->dirty = calloc(nh->n_words, sizeof(*nh->dirty));
	nh->links = calloc(n, sizeof(*nh->links));
	nh->neighbours = calloc(n, sizeof(*nh->neighbours));
	nh->buckets = calloc(nh->n_buckets, sizeof(*nh->buckets));
	nh->queries = calloc(n - map->n_transports, sizeof(*nh->queries));
	if (nh->slots == NULL || nh->dirty == NULL || nh->links == NULL || nh->neighbours == NULL ||
	    nh->buckets == NULL || nh->queries == NULL)
		goto out;
	if (nh->wake < 0) {
		err = -errno;
		goto out;
	}
	for (uint32_t i = 0; i < nh->n_buckets; i++)
		nh->buckets[i] = DP_NONE;
	for (uint32_t i = 0; i < n; i++) {
		nh->links[i].neighbour = DP_NONE;
		nh->neighbours[i].first = DP_NONE;
		nh->neighbours[i].next_hash = i + 1 < n ? i + 1 : DP_NONE;
	}
	err = byte_ring_attach(&nh->events, map->events[map->config.n_workers], DP_EVENT_RING, BYTE_RING_PRODUCER);
	if (err < 0)
		goto out;
	*nhp = nh;
	nh = NULL;
out:
	nexthops_close(nh);
	return err;
}

void nexthops_close(struct nexthops *nh)
{
	if (nh == NULL)
		return;
	nexthops_stop(nh);
	rtnetlink_close(nh->rtnl);
	if (nh->wake >= 0)
		close(nh->wake);
	memory_table_free(nh->slots);
	free(nh->dirty);
	free(nh->links);
	free(nh->neighbours);
	free(nh->buckets);
	free(nh->queries);
	free(nh);
}

int nexthops_start(struct nexthops *nh)
{
	int err = rtnetlink_open(&nh->rtnl);

	if (err < 0)
		return err;
	host_addresses_look(nh); // before control gives an address to a call
	nexthop_wake(nh);        // what the records hold from before
	err = -pthread_create(&nh->thread, NULL, keeper_run, nh);
	nh->running = err == 0;
	return err;
}

void nexthops_stop(struct nexthops *nh)
{
	if (!nh->running)
		return;
	atomic_store(&nh->stop, true);
	eventfd_write(nh->wake, 1);
	pthread_join(nh->thread, NULL);
	nh->running = false;
}

void nexthop_prefetch(const struct nexthops *nh, uint32_t transport)
{
	__builtin_prefetch(&nh->slots[transport]);
}

static bool head_is(uint64_t head, uint32_t path_serial)
{
	return head != 0 && head >> 32 == path_serial;
}

bool nexthop_ready(const struct nexthops *nh, uint32_t transport, uint32_t path_serial)
{
	return head_is(atomic_load_explicit(&nh->slots[transport].head, memory_order_relaxed), path_serial);
}

static inline void words_copy(uint8_t *to, const _Atomic uint64_t *words, unsigned n)
{
#pragma GCC unroll 6
	for (unsigned i = 0; i < n; i++) {
		uint64_t word = atomic_load_explicit(&words[i], memory_order_relaxed);

		memcpy(to + i * sizeof(word), &word, sizeof(word));
	}
}

bool nexthop_headers(const struct nexthops *nh, uint32_t transport, uint32_t path_serial, uint8_t *payload,
		     struct nexthop_way *way)
{
	const struct nexthop_slot *s = &nh->slots[transport];
	uint64_t head = atomic_load_explicit(&s->head, memory_order_acquire);

	if (!head_is(head, path_serial))
		return false;
	words_copy(payload - 48, s->last, 6);
	if (head & NEXTHOP_HEAD_V6)
		words_copy(payload - FRAME_HEADERS_MAX, s->before, 4);
	atomic_thread_fence(memory_order_acquire);
	if (atomic_load_explicit(&s->head, memory_order_relaxed) != head)
		return false; // it is just being changed: this one packet is lost
	way->kind = head >> NEXTHOP_HEAD_KIND & 3;
	way->port = head >> 16 & 0xff;
	way->mtu = head & 0xffff;
	way->v6 = (head & NEXTHOP_HEAD_V6) != 0;
	way->headers = (uint8_t)(14 + (head & NEXTHOP_HEAD_VLAN ? 4 : 0) + (way->v6 ? FRAME_IPV6 : FRAME_IPV4) + FRAME_UDP);
	return true;
}

bool nexthop_get(const struct nexthops *nh, uint32_t transport, uint32_t path_serial, struct nexthop *out)
{
	const struct nexthop_slot *s = &nh->slots[transport];
	uint64_t head = atomic_load_explicit(&s->head, memory_order_acquire), tail;

	if (!head_is(head, path_serial))
		return false;
	tail = atomic_load_explicit(&s->tail, memory_order_acquire);
	if (atomic_load_explicit(&s->head, memory_order_relaxed) != head)
		return false;
	out->kind = head >> NEXTHOP_HEAD_KIND & 3;
	out->port = head >> 16 & 0xff;
	out->mtu = head & 0xffff;
	out->vlan = (uint16_t)(tail >> 48);
	memcpy(out->mac, &tail, sizeof(out->mac));
	return true;
}

static bool query_is(const struct nexthop_query *q, uint16_t network, const struct inet_addr *from,
		     const struct inet_endpoint *to)
{
	return q->serial != 0 && q->network == network && inet_addr_equal(&q->from, from) &&
	       inet_endpoint_equal(&q->to, to);
}

bool nexthop_known(const struct nexthops *nh, unsigned worker, uint32_t transport, const struct inet_endpoint *to,
		   struct nexthop *out)
{
	const struct dp_transport *tp = &nh->map->transports[transport];
	const struct nexthop_query *queries = &nh->queries[worker * NEXTHOP_QUERIES];
	uint32_t first = nh->map->n_transports + worker * NEXTHOP_QUERIES;

	if (inet_endpoint_equal(to, &tp->path.remote))
		return nexthop_get(nh, transport, tp->out.path_serial, out);
	for (unsigned i = 0; i < NEXTHOP_QUERIES; i++) {
		if (query_is(&queries[i], tp->network, &tp->local.addr, to))
			return nexthop_get(nh, first + i, queries[i].serial, out);
	}
	return false;
}

uint16_t nexthop_mtu(const struct nexthops *nh, unsigned worker, uint32_t transport, const struct inet_endpoint *to)
{
	struct nexthop hop;

	return nexthop_known(nh, worker, transport, to, &hop) ? hop.mtu : 0;
}

bool nexthop_get_for(struct nexthops *nh, unsigned worker, uint32_t transport, const struct inet_endpoint *to,
		     struct nexthop *out, bool *wake)
{
	const struct dp_transport *tp = &nh->map->transports[transport];
	struct nexthop_query *queries = &nh->queries[worker * NEXTHOP_QUERIES], *q;
	uint32_t first = nh->map->n_transports + worker * NEXTHOP_QUERIES;
	unsigned i;

	if (inet_endpoint_equal(to, &tp->path.remote))
		return nexthop_get(nh, transport, tp->out.path_serial, out);
	for (i = 0; i < NEXTHOP_QUERIES; i++) {
		if (query_is(&queries[i], tp->network, &tp->local.addr, to))
			return nexthop_get(nh, first + i, queries[i].serial, out);
	}
	i = nh->next_query[worker]++ % NEXTHOP_QUERIES; // the oldest gives way
	q = &queries[i];
	atomic_store_explicit(&q->sequence, q->sequence + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	q->network = tp->network;
	q->from = tp->local.addr;
	q->to = *to;
	q->serial = q->serial + 1 == 0 ? 1 : q->serial + 1;
	atomic_store_explicit(&q->sequence, q->sequence + 1, memory_order_release);
	nexthop_dirty(nh, first + i);
	*wake = true;
	return false;
}

static void words_set(_Atomic uint64_t *words, const uint8_t *from, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		uint64_t word;

		memcpy(&word, from + i * sizeof(word), sizeof(word));
		atomic_store_explicit(&words[i], word, memory_order_relaxed);
	}
}

static bool headers_make(const struct nexthops *nh, uint32_t transport, uint32_t path_serial,
			 const struct nexthop *hop, uint8_t headers[FRAME_HEADERS_MAX], bool *v6)
{
	struct dp_transport_view tp;

	if (!dp_transport_read(&nh->map->transports[transport], &tp) || tp.path_serial != path_serial ||
	    tp.local.addr.family != tp.path.remote.addr.family)
		return false;
	memset(headers, 0, FRAME_HEADERS_MAX);
	frame_headers_make(headers + FRAME_HEADERS_MAX, &tp.local, &tp.path.remote, nh->ports[hop->port]->mac, hop);
	*v6 = tp.local.addr.family == INET_V6;
	return true;
}

bool nexthop_set(struct nexthops *nh, uint32_t transport, uint32_t path_serial, const struct nexthop *hop)
{
	struct nexthop_slot *s = &nh->slots[transport];
	uint8_t headers[FRAME_HEADERS_MAX];
	uint64_t tail = 0;
	bool v6 = false;

	memcpy(&tail, hop->mac, sizeof(hop->mac));
	tail |= (uint64_t)hop->vlan << 48;
	atomic_store_explicit(&s->head, 0, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	if (hop->kind == NEXTHOP_NONE)
		return true;
	if (transport < nh->map->n_transports) {
		if (!headers_make(nh, transport, path_serial, hop, headers, &v6))
			return false;
		words_set(s->before, headers, 4);
		words_set(s->last, headers + 32, 6);
	}
	atomic_store_explicit(&s->tail, tail, memory_order_relaxed);
	nh->turn++;
	atomic_store_explicit(&s->head,
			      (uint64_t)path_serial << 32 | (uint64_t)(nh->turn & 15) << NEXTHOP_HEAD_TURN |
				      (v6 ? NEXTHOP_HEAD_V6 : 0) | (hop->vlan != 0 ? NEXTHOP_HEAD_VLAN : 0) |
				      (uint64_t)hop->kind << NEXTHOP_HEAD_KIND | (uint64_t)hop->port << 16 | hop->mtu,
			      memory_order_release);
	return true;
}

void nexthop_dirty(struct nexthops *nh, uint32_t transport)
{
	atomic_fetch_or(&nh->dirty[transport / 64], UINT64_C(1) << transport % 64);
}

void nexthop_wake(struct nexthops *nh)
{
	eventfd_write(nh->wake, 1);
}
