// SPDX-License-Identifier: GPL-3.0-or-later
// life_bed.c - the ports, and the making and opening of packets.
#include "tests/dataplane/life_bed.h"
#include "base/clock.h"
#include "dataplane/worker/memory.h"
#include "dataplane/worker/srtp/rtp_header.h"
#include "dataplane/worker/srtp/srtp_window.h"
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define HEADERS 42 // Ethernet, IPv4, UDP
#define PAYLOAD 160
#define RTP 12
#define FIRST_PORT 16384
#define SLOT_PORT 18000
#define FAR_PORT 20000 // of a flow's out leg, and FAR_STEP further on of each copy
#define FAR_STEP 1000
#define SLOT_FAR 40000
#define OLD_LEFT 20

// DPDK's packet pool was not built with the thread sanitizer, which so does not see that what one thread gave back another
// takes later.
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
	return "race:rte_pktmbuf_reset\nrace:rte_pktmbuf_free\nrace:rte_pktmbuf_prefree_seg\nrace:rte_ring_count\n";
}
#define PACKET_TAKEN(m) __tsan_acquire(m)
#define PACKET_GIVEN(m) __tsan_release(m)
#else
#define PACKET_TAKEN(m) ((void)(m))
#define PACKET_GIVEN(m) ((void)(m))
#endif

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "life_bed: %s\n", what);
	abort();
}

static void *aligned_new(size_t size)
{
	void *p = aligned_alloc(64, (size + 63) / 64 * 64);

	must(p != NULL, "memory");
	memset(p, 0, size);
	return p;
}

// ---- frames

static void put16(uint8_t *at, unsigned v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static void put32(uint8_t *at, uint32_t v)
{
	put16(at, v >> 16);
	put16(at + 2, v);
}

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void headers_write(uint8_t *f, uint16_t port, size_t len)
{
	static const uint8_t ip[20] = { 0x45, 0, 0, 0, 0, 0, 0, 0, 64, IPPROTO_UDP, 0, 0, 198, 51, 100, 1, 192, 0, 2, 1 };
	uint32_t sum = 0;

	memset(f, 0, HEADERS);
	f[12] = 8;
	memcpy(f + 14, ip, sizeof(ip));
	put16(f + 16, (unsigned)len + 28);
	for (unsigned i = 0; i < 20; i += 2)
		sum += (unsigned)(f[14 + i] << 8 | f[15 + i]);
	put16(f + 24, (uint16_t) ~((sum & 0xffff) + (sum >> 16)));
	put16(f + 34, 4000);
	put16(f + 36, port);
	put16(f + 38, (unsigned)len + 8);
}

// RTP whose payload says whose it is and which.
static void rtp_write(uint8_t *rtp, uint32_t ssrc, uint32_t who, uint32_t number)
{
	memset(rtp, 0, RTP);
	rtp[0] = 0x80;
	put16(rtp + 2, number);
	put32(rtp + 4, number * 160);
	put32(rtp + 8, ssrc);
	put32(rtp + RTP, who);
	put32(rtp + RTP + 4, number);
	memset(rtp + RTP + 8, (int)(number & 0xff), PAYLOAD - 8);
}

// ---- time

static uint64_t processor_time(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return MONO_S(ts.tv_sec) + (uint64_t)ts.tv_nsec;
}

// The worker comes to a port: what it took since it was at one, and how much of it for commands.
static void time_in(struct life_worker *lw, uint64_t commands)
{
	uint64_t at = processor_time(), away = lw->left_at == 0 ? 0 : at - lw->left_at;

	lw->came_at = at;
	if (away > LIFE_GAP && commands < LIFE_GAP) {
		lw->interrupted++;
		away = 0;
	}
	atomic_store_explicit(&lw->now, lw->now + away, memory_order_relaxed);
	if (away > lw->longest)
		lw->longest = away;
	lw->gaps += away > LIFE_GAP;
}

static void time_out(struct life_worker *lw)
{
	lw->left_at = processor_time();
	lw->here += lw->left_at - lw->came_at;
	lw->interrupted_here += lw->left_at - lw->came_at > LIFE_GAP;
}

// ---- the phones

static struct rte_mbuf *frame_new(struct life_worker *lw, uint16_t port, uint32_t who, uint32_t number, uint32_t ssrc)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(lw->bed->relay.pool);
	uint8_t *at;

	must(m != NULL, "packet memory");
	PACKET_TAKEN(m);
	at = rte_pktmbuf_mtod(m, uint8_t *);
	headers_write(at, port, RTP + PAYLOAD);
	rtp_write(at + HEADERS, ssrc, who, number);
	m->data_len = HEADERS + RTP + PAYLOAD;
	m->port = 0;
	m->vlan_tci = 0;
	return m;
}

static void frame_end(struct rte_mbuf *m, uint16_t port, uint16_t len)
{
	if (len != RTP + PAYLOAD)
		headers_write(rte_pktmbuf_mtod(m, uint8_t *), port, len);
	m->data_len = (uint16_t)(HEADERS + len);
	m->pkt_len = m->data_len;
}

static void phone_key(struct life_flow *f)
{
	uint32_t wanted = atomic_load_explicit(&f->phone_wanted, memory_order_acquire);

	if (wanted == f->phone_epoch || (f->old_left > 0 && f->old_left-- > 0))
		return;
	srtp_stream_init(&f->phone_stream, f->id + 1, 0, 128);
	f->old_left = OLD_LEFT;
	f->switched_at = f->sent - 1; // this one
	atomic_store_explicit(&f->phone_epoch, wanted, memory_order_release);
}

static void flow_speak(struct life_worker *lw, struct life_flow *f, struct rte_mbuf **m, struct srtp_op *op)
{
	*m = frame_new(lw, f->port, f->id, f->sent++, f->id + 1);
	if (f->in_suite == SRTP_SUITE_NONE) {
		frame_end(*m, f->port, RTP + PAYLOAD);
		return;
	}
	phone_key(f);
	*op = (struct srtp_op){ .packet = rte_pktmbuf_mtod(*m, uint8_t *) + HEADERS, .len = RTP + PAYLOAD, .room = 1000,
				.hdr_len = RTP, .key = &f->phone->key[f->phone_epoch & 1],
				.stream = &f->phone_stream };
}

static bool slot_speak(struct life_worker *lw, struct life_slot *s, struct rte_mbuf **m, struct srtp_op *op)
{
	if (atomic_load_explicit(&s->state, memory_order_acquire) != SLOT_LIVE)
		return false;
	*m = frame_new(lw, s->port, LIFE_FLOWS, s->sent, 7);
	*op = (struct srtp_op){ .packet = rte_pktmbuf_mtod(*m, uint8_t *) + HEADERS, .len = RTP + PAYLOAD, .room = 1000,
				.hdr_len = RTP, .key = s->phone, .stream = &s->stream };
	atomic_store_explicit(&s->sent, s->sent + 1, memory_order_release);
	return true;
}

// How often the relay tries an old key is bounded, by the clock: a phone whose key changes speaks once a millisecond.
static bool flow_waits(struct life_flow *f)
{
	mono_ns now;

	if (atomic_load_explicit(&f->far_next, memory_order_acquire) == f->phone_epoch)
		return false;
	now = clock_now();
	if (now < f->old_said + MONO_MS(1))
		return true;
	f->old_said = now;
	return false;
}

// The next packets of this queue's flows, in turn; one of 16 is of a session that comes and goes.
static uint16_t speak(struct life_worker *lw, struct rte_mbuf **pkts, uint16_t n)
{
	struct life_bed *bed = lw->bed;
	struct srtp_op ops[RELAY_BURST];
	uint16_t ports[RELAY_BURST], who[RELAY_BURST], made = 0;
	unsigned secured = 0;

	for (unsigned tries = 0; made < n && tries < 2 * bed->n_flows + n; tries++) {
		struct life_flow *f = &bed->flows[lw->turn++ % bed->n_flows];
		struct life_slot *s = bed->n_slots == 0 ? NULL : &bed->slots[lw->turn / 16 % bed->n_slots];

		ops[secured].packet = NULL;
		if (s != NULL && lw->turn % 16 == 0 && slot_speak(lw, s, &pkts[made], &ops[secured])) {
			ports[made] = s->port;
		} else if (f->queue == lw->id && (lw->turn / bed->n_flows + f->id) % f->every == 0 && !flow_waits(f)) {
			flow_speak(lw, f, &pkts[made], &ops[secured]);
			ports[made] = f->port;
		} else {
			continue;
		}
		if (ops[secured].packet != NULL)
			who[secured++] = made;
		made++;
	}
	srtp_protect_burst(lw->engine, ops, secured);
	for (unsigned i = 0; i < secured; i++) {
		must(ops[i].result == SRTP_OK, "a phone's packet");
		frame_end(pkts[who[i]], ports[who[i]], ops[i].len);
	}
	return made;
}

// ---- the far ends

static void flow_heard(struct life_flow *f, const uint8_t *rtp)
{
	uint32_t number = get32(rtp + RTP + 4), heard = f->heard + (uint32_t)f->lost;

	if (number < heard) {
		f->late++;
		return;
	}
	f->lost += number - heard;
	atomic_store_explicit(&f->heard, f->heard + 1, memory_order_release);
}

static void extra_heard(struct life_flow *f, unsigned which, const uint8_t *rtp)
{
	uint32_t number = get32(rtp + RTP + 4);

	f->extra_late += number < f->extra_next[which];
	f->extra_next[which] = number + 1;
	f->extra_heard++;
}

static bool open_with(struct life_worker *lw, struct life_flow *f, uint32_t epoch, struct srtp_stream *stream, uint8_t *rtp,
		      uint16_t len)
{
	struct srtp_op op = { .packet = rtp, .len = len, .room = len, .hdr_len = RTP, .key = &f->far->key[epoch & 1],
			      .stream = stream };

	srtp_unprotect_burst(lw->engine, &op, 1);
	return op.result == SRTP_OK;
}

// Under the key that it had last, or the one that it was told of; never back.
static bool far_open(struct life_worker *lw, struct life_flow *f, uint8_t *rtp, uint16_t len)
{
	uint32_t next = atomic_load_explicit(&f->far_next, memory_order_acquire);
	struct srtp_stream fresh;

	if (f->out_suite == SRTP_SUITE_NONE || open_with(lw, f, f->far_epoch, &f->far_stream, rtp, len))
		return true;
	if (next == f->far_epoch)
		return false;
	srtp_stream_init(&fresh, f->id + 1, 0, 128);
	if (!open_with(lw, f, next, &fresh, rtp, len))
		return false;
	f->far_stream = fresh;
	atomic_store_explicit(&f->far_epoch, next, memory_order_release);
	return true;
}

static void hear(struct life_worker *lw, uint8_t *frame, uint16_t len)
{
	unsigned port = (unsigned)(frame[36] << 8 | frame[37]), which, id;
	uint8_t *rtp = frame + HEADERS;

	if (port >= SLOT_FAR) {
		lw->slots_heard++;
		return;
	}
	which = (port - FAR_PORT) / FAR_STEP;
	id = (port - FAR_PORT) % FAR_STEP;
	must(id < lw->bed->n_flows && which <= LIFE_EXTRA, "a frame to nobody");
	if (which == 0 && !far_open(lw, &lw->bed->flows[id], rtp, (uint16_t)(len - HEADERS))) {
		lw->unknown++;
		return;
	}
	must(get32(rtp + RTP) == id, "a packet of another session");
	must(rtp[RTP + PAYLOAD - 1] == rtp[RTP + 7], "a payload that was changed");
	if (which == 0)
		flow_heard(&lw->bed->flows[id], rtp);
	else
		extra_heard(&lw->bed->flows[id], which - 1, rtp);
}

// ---- the ports

// Since no packet waited last, of what it was when the rate was chosen. 0: too few to say, as after one long absence.
static double cost_here(const struct life_worker *lw)
{
	uint64_t n = lw->given - lw->given_before;

	return n < LIFE_RING / 2 ? 0 : (double)(lw->here - lw->here_before) / (double)n / lw->usual;
}

static uint16_t due_by_time(struct life_worker *lw, uint64_t rate, uint16_t n)
{
	double waiting;

	if (rate == UINT64_MAX)
		return n;
	if (rate == 0)
		return 0;
	if (rate != lw->rate) {
		lw->due = (double)lw->given - (double)rate * (double)lw->now / 1e9;
		lw->longest = lw->gaps = lw->interrupted = lw->interrupted_here = lw->worst_queue = 0;
		lw->usual = lw->given == 0 ? 0 : (double)lw->here / (double)lw->given;
		lw->here_before = lw->here;
		lw->given_before = lw->given;
		lw->rate = rate;
	}
	waiting = lw->due + (double)rate * (double)lw->now / 1e9 - (double)lw->given;
	if (waiting < 1) { // nothing to do: on to the next one
		uint64_t leap = (uint64_t)((1 - waiting) * 1e9 / (double)rate) + 1;

		lw->here_before = lw->here;
		lw->given_before = lw->given;
		atomic_store_explicit(&lw->now, lw->now + (leap < 1000 ? leap : 1000), memory_order_relaxed);
		return 0;
	}
	if ((uint64_t)waiting > lw->worst_queue)
		lw->worst_queue = (uint64_t)waiting;
	if (waiting > LIFE_RING) {
		lw->cost = cost_here(lw);
		*(lw->cost > LIFE_SLOW ? &lw->slowed : &lw->overflow) += (uint64_t)waiting - LIFE_RING;
		lw->due -= waiting - LIFE_RING;
		waiting = LIFE_RING;
	}
	return waiting < n ? (uint16_t)waiting : n;
}

static uint16_t due_by_window(struct life_bed *bed, uint16_t n)
{
	uint64_t under_way = atomic_load_explicit(&bed->given, memory_order_relaxed) -
			     atomic_load_explicit(&bed->back, memory_order_relaxed);
	uint32_t window = atomic_load_explicit(&bed->window, memory_order_relaxed);

	if (under_way >= window)
		return 0;
	return window - under_way < n ? (uint16_t)(window - under_way) : n;
}

static uint16_t port_rx(struct dp_queue *q, struct rte_mbuf **pkts, uint16_t n)
{
	struct life_worker *lw = (struct life_worker *)((uint8_t *)q - offsetof(struct life_worker, queues) -
							q->port->index * sizeof(*q));
	struct life_bed *bed = lw->bed;

	if (q->port->index != 0)
		return 0;
	if (lw->left_at == 0)
		lw->thread = gettid();
	time_in(lw, bed->relay.workers[lw->id]->commands_took);
	if (atomic_load_explicit(&bed->window, memory_order_relaxed) > 0)
		n = due_by_window(bed, n);
	else
		n = due_by_time(lw, atomic_load_explicit(&bed->rate, memory_order_relaxed), n);
	n = n == 0 ? 0 : speak(lw, pkts, n);
	lw->given += n;
	atomic_fetch_add_explicit(&bed->given, n, memory_order_relaxed);
	time_out(lw);
	return n;
}

static uint16_t port_tx(struct dp_queue *q, struct rte_mbuf **pkts, uint16_t n)
{
	struct life_worker *lw = (struct life_worker *)((uint8_t *)q - offsetof(struct life_worker, queues) -
							q->port->index * sizeof(*q));

	time_in(lw, 0);
	for (uint16_t i = 0; i < n; i++) {
		hear(lw, rte_pktmbuf_mtod(pkts[i], uint8_t *), pkts[i]->data_len);
		PACKET_GIVEN(pkts[i]);
		rte_pktmbuf_free(pkts[i]);
	}
	atomic_fetch_add_explicit(&lw->bed->back, n, memory_order_relaxed);
	time_out(lw);
	return n;
}

static bool port_settle(struct dp_queue *q)
{
	return true;
}

static const struct dp_queue_ops port_ops = { .rx = port_rx, .tx = port_tx, .settle = port_settle };

// ---- birth and death

static struct life_bed life;
static struct region region; // mapped once: what control and relay say to each other is the same memory to the sanitizer

int __wrap_region_map(struct region *r, int fd);
void __wrap_region_unmap(struct region *r);
void __real_region_unmap(struct region *r);

int __wrap_region_map(struct region *r, int fd)
{
	*r = region;
	r->fd = fd;
	return 0;
}

void __wrap_region_unmap(struct region *r)
{
	close(r->fd);
}

static void on_event(void *ctx, const struct dp_event *event)
{
	if (life.event != NULL)
		life.event(&life, event);
}

static void on_punt(void *ctx, const struct dp_punt *punt)
{
}

static void config_make(struct dp_config *c, unsigned n_workers, enum dp_poll poll)
{
	*c = (struct dp_config){ .n_ports = 2, .n_networks = 2, .n_addresses = 2, .n_workers = (uint8_t)n_workers,
				 .max_transports = 1024, .replay_window = 128, .poll = poll,
				 .hugepages = DP_HUGEPAGES_OFF };
	for (unsigned i = 0; i < 2; i++) {
		c->networks[i].port = (uint8_t)i;
		c->addresses[i] = (struct dp_address){ .network = (uint8_t)i, .first_port = FIRST_PORT,
						       .last_port = 19999 };
		c->addresses[i].addr = (struct inet_addr){ .family = INET_V4, .bytes = { 192, 0, 2, (uint8_t)(1 + i) } };
	}
	for (unsigned i = 0; i < DP_WORKERS_MAX; i++)
		c->worker_cpu[i] = UINT16_MAX;
}

static void ports_make(unsigned n_queues)
{
	for (unsigned p = 0; p < 2; p++) {
		life.ports[p] = (struct dp_port){ .index = (uint8_t)p, .mac = { 2, 0, 0, 0, 0, (uint8_t)(1 + p) },
						  .mtu = 1500, .n_queues = (uint16_t)n_queues };
		for (unsigned w = 0; w < n_queues; w++) {
			life.workers[w].queues[p] = (struct dp_queue){ .ops = &port_ops, .port = &life.ports[p],
								       .id = (uint16_t)w, .fd = -1 };
			life.ports[p].queues[w] = &life.workers[w].queues[p];
		}
		life.relay.ports[p] = &life.ports[p];
	}
}

static void workers_make(void)
{
	for (unsigned w = 0; w < life.n_workers; w++) {
		life.workers[w].bed = &life;
		life.workers[w].id = w;
		must(srtp_engine_open(&life.workers[w].engine, SRTP_ARCH_AUTO) == 0, "engine");
		must(relay_worker_open(&life.relay.workers[w], &life.relay, w) == 0, "worker");
	}
}

struct life_bed *life_open(unsigned n_workers, unsigned n_queues, enum dp_poll poll, void (*event)(struct life_bed *bed,
										  const struct dp_event *event))
{
	const struct dp_callbacks callbacks = { .punt = on_punt, .event = on_event };
	static struct rte_mempool *pool; // DPDK starts once in a process
	struct dp_config config;
	char why[256] = "";

	memset(&life, 0, sizeof(life));
	life.n_workers = n_workers;
	life.event = event;
	config_make(&config, n_workers, poll);
	must(region_create(&region, "life", dp_region_size(&config), false) == 0, "region");
	must(dp_region_format(region.base, region.size, &config) == 0, "format");
	must(dp_map_open(&life.relay.map, dup(region.fd)) == 0, "map");
	if (pool == NULL)
		must(memory_open(&config, 16383, &pool, why) == 0, why);
	life.relay.pool = pool;
	life.relay.control_event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	ports_make(n_queues);
	must(relay_outboxes_open(&life.relay) == 0, "outboxes");
	must(relay_table_open(&life.relay.table, &config) == 0, "table");
	must(nexthops_open(&life.relay.hops, &life.relay.map, life.relay.table, life.relay.ports,
			   life.relay.control_event) == 0, "next hops");
	workers_make();
	must(srtp_engine_open(&life.engine, SRTP_ARCH_AUTO) == 0, "engine");
	must(dp_client_open(&life.client, dup(region.fd), life.relay.control_event, life.relay.control_event,
			    &callbacks) == 0, "client");
	return &life;
}

void life_close(struct life_bed *bed)
{
	dp_client_close(bed->client);
	nexthops_close(bed->relay.hops);
	for (unsigned w = 0; w < bed->n_workers; w++) {
		relay_worker_close(bed->relay.workers[w]);
		srtp_engine_close(bed->workers[w].engine);
	}
	srtp_engine_close(bed->engine);
	relay_outboxes_close(&bed->relay);
	relay_table_close(bed->relay.table);
	close(bed->relay.control_event);
	dp_map_close(&bed->relay.map);
	__real_region_unmap(&region);
	for (unsigned i = 0; i < bed->n_flows; i++) {
		free(bed->flows[i].phone);
		free(bed->flows[i].far);
	}
	for (unsigned i = 0; i < LIFE_SLOTS; i++)
		free(bed->slots[i].phone);
}

void life_start(struct life_bed *bed)
{
	atomic_store(&bed->relay.stop, false);
	bed->running = true;
	for (unsigned w = 0; w < bed->n_workers; w++) {
		bed->workers[w].left_at = 0;
		must(relay_worker_start(bed->relay.workers[w]) == 0, "thread");
	}
}

void life_stop(struct life_bed *bed)
{
	atomic_store(&bed->relay.stop, true);
	for (unsigned w = 0; w < bed->n_workers && bed->running; w++) {
		relay_worker_join(bed->relay.workers[w]);
		bed->workers[w].left_at = 0; // another thread's time from now on
	}
	bed->running = false;
}

// A worker that polls never does, unless it sleeps or waits for a lock; that others took its processor is not counted.
uint64_t life_blocked(const struct life_bed *bed, unsigned worker)
{
	unsigned long long times = 0;
	char line[128];
	FILE *f;

	snprintf(line, sizeof(line), "/proc/self/task/%d/status", (int)bed->workers[worker].thread);
	f = fopen(line, "r");
	must(f != NULL, "no such thread");
	while (fgets(line, sizeof(line), f) != NULL && sscanf(line, "voluntary_ctxt_switches: %llu", &times) != 1)
		;
	fclose(f);
	return times;
}

void life_settle(struct life_bed *bed)
{
	unsigned idle = 0;

	while (idle < 4) {
		unsigned done = 0;

		for (unsigned w = 0; w < bed->n_workers; w++)
			done += relay_worker_round(bed->relay.workers[w]);
		dp_client_dispatch(bed->client);
		idle = done > 0 ? 0 : idle + 1;
	}
}

void life_pools_check(struct life_bed *bed)
{
	const struct dp_map *m = &bed->relay.map;
	size_t left = 0;

	for (unsigned k = 0; k < DP_POOLS; k++)
		must(dp_client_pool(bed->client, (enum dp_pool)k).used == 0, "records are missing");
	for (uint32_t i = 0; i < m->n_transports; i++)
		must(m->transports[i].state == DP_STATE_FREE, "a transport is left");
	for (const uint8_t *byte = m->keys_cm; byte < m->streams; byte++) // of both kinds
		left += *byte;
	must(left == 0, "a key was not wiped");
	must(rte_mempool_in_use_count(bed->relay.pool) == 0, "packet memory is missing");
}

// ---- sessions

void life_master(struct srtp_master *master, enum srtp_suite suite, unsigned who, uint32_t epoch)
{
	*master = (struct srtp_master){ .suite = suite };
	for (unsigned i = 0; i < sizeof(master->key); i++)
		master->key[i] = (uint8_t)(who * 7 + epoch * 31 + i);
	put32(master->key, who);
	put32(master->key + 4, epoch);
	put32(master->salt, who ^ epoch);
}

void life_keys(struct life_bed *bed, struct dp_ref ref, enum dp_direction d, enum srtp_suite suite, unsigned who,
	       uint32_t epoch)
{
	struct dp_keys keys = { .direction = d, .epoch = epoch };

	life_master(&keys.master, suite, who, epoch);
	dp_transport_keys(bed->client, ref, &keys);
}

struct dp_ref life_leg(struct life_bed *bed, unsigned network, uint16_t port, enum dp_security security, uint16_t worker)
{
	struct dp_transport_conf conf = { .network = (uint16_t)network, .mode = DP_MODE_RTP, .worker = worker };
	struct dp_path path = { .remote.port = 4000 };
	struct dp_ref ref;

	conf.local.addr = bed->relay.map.config.addresses[network].addr;
	conf.local.port = port;
	path.remote.addr = (struct inet_addr){ .family = INET_V4, .bytes = { 198, 51, 100, (uint8_t)(1 + network) } };
	if (network == 1)
		path.remote.port = port >= SLOT_PORT ? (uint16_t)(SLOT_FAR + port - SLOT_PORT) : port;
	must(dp_transport_alloc(bed->client, &ref) == 0, "no transport is free");
	dp_transport_publish(bed->client, ref, &conf);
	dp_transport_secure(bed->client, ref, security);
	dp_transport_path(bed->client, ref, &path);
	return ref;
}

bool life_hop(struct life_bed *bed, struct dp_ref ref, unsigned network)
{
	const struct nexthop hop = { .kind = NEXTHOP_ETHER, .port = (uint8_t)network, .mtu = 1500, .mac = { 2, 9 } };
	struct dp_transport_view view;

	if (!dp_transport_read(&bed->relay.map.transports[ref.index], &view) || view.generation != ref.generation ||
	    view.path.remote.addr.family == INET_NONE)
		return false;
	nexthop_set(bed->relay.hops, ref.index, view.path_serial, &hop);
	return true;
}

static struct dp_ref out_leg(struct life_bed *bed, const struct life_flow *f, unsigned which)
{
	enum dp_security security = which == 0 && f->out_suite != SRTP_SUITE_NONE ? DP_SRTP : DP_PLAIN;
	struct dp_path path = { .remote.port = (uint16_t)(FAR_PORT + which * FAR_STEP + f->id) };
	struct dp_ref ref = life_leg(bed, 1, (uint16_t)(FIRST_PORT + 400 * which + f->id), security, f->worker);

	path.remote.addr = (struct inet_addr){ .family = INET_V4, .bytes = { 198, 51, 100, 2 } };
	dp_transport_path(bed->client, ref, &path);
	return ref;
}

struct life_flow *life_flow_make(struct life_bed *bed, enum srtp_suite in, enum srtp_suite out, unsigned n_extra,
				 uint16_t worker, unsigned queue)
{
	struct life_flow *f = &bed->flows[bed->n_flows];
	struct srtp_master master;

	*f = (struct life_flow){ .id = bed->n_flows, .in_suite = in, .out_suite = out, .n_extra = n_extra,
				 .port = (uint16_t)(FIRST_PORT + bed->n_flows), .worker = worker, .queue = queue,
				 .every = 1, .old_left = OLD_LEFT };
	f->phone = aligned_new(sizeof(*f->phone));
	f->far = aligned_new(sizeof(*f->far));
	f->phone_epoch = f->phone_wanted = f->far_epoch = f->far_next = 1;
	f->in = life_leg(bed, 0, f->port, in == SRTP_SUITE_NONE ? DP_PLAIN : DP_SRTP, worker);
	f->out = out_leg(bed, f, 0);
	for (unsigned i = 0; i < n_extra; i++)
		f->extra[i] = out_leg(bed, f, 1 + i);
	if (in != SRTP_SUITE_NONE) {
		life_keys(bed, f->in, DP_RX, in, 2 * f->id, 1);
		life_master(&master, in, 2 * f->id, 1);
		must(srtp_key_derive(bed->engine, &f->phone->key[1], &master, NULL, 0) == 0, "key");
		srtp_stream_init(&f->phone_stream, f->id + 1, 0, 128);
	}
	if (out != SRTP_SUITE_NONE) {
		life_keys(bed, f->out, DP_TX, out, 2 * f->id + 1, 1);
		life_master(&master, out, 2 * f->id + 1, 1);
		must(srtp_key_derive(bed->engine, &f->far->key[1], &master, NULL, 0) == 0, "key");
		srtp_stream_init(&f->far_stream, f->id + 1, 0, 128);
	}
	dp_transport_edges(bed->client, f->in, &(struct dp_edge){ .to = f->out, .open = true }, 1);
	life_settle(bed);
	must(life_hop(bed, f->in, 0) && life_hop(bed, f->out, 1), "published");
	for (unsigned i = 0; i < n_extra; i++)
		must(life_hop(bed, f->extra[i], 1), "published");
	bed->n_flows++; // from now on it speaks
	return f;
}

void life_flow_remove(struct life_bed *bed, struct life_flow *f)
{
	dp_transport_remove(bed->client, f->in);
	dp_transport_remove(bed->client, f->out);
	for (unsigned i = 0; i < f->n_extra; i++)
		dp_transport_remove(bed->client, f->extra[i]);
}
