// SPDX-License-Identifier: GPL-3.0-or-later
// test_session_life.c - the life of sessions under load: while a worker forwards at half of what it can, control publishes,
// keys, swaps keys, joins, fans out and removes, a thousand times a second. Not a packet of another session may be lost,
// late or out of order, none of those whose keys change, and at the end all is free. Then sessions that move between two
// workers at work, and packets that all come in at the wrong one.
//
//   test_session_life [SECONDS [TEST]]      3; 600 with SALLYPORT_FULL=1
#include "tests/dataplane/life_bed.h"
#include "base/clock.h"
#include "dataplane/worker/srtp/srtp_window.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#define STEADY 256
#define ROLLING 16 // their keys change
#define FANNED 16  // their edges do
#define OPS 1000   // a second of the worker's time
#define ENOUGH 0.2 // seconds of the worker's time
#define SLOT_LIFE MONO_MS(10)
#define MOVERS 32
#define MOVE_EVERY MONO_MS(10)

static double seconds = 3;

// ---- a relay that stalls, sleeps and loses: so that the test is seen to notice

static _Atomic uint64_t stall; // ns that each new key takes
static _Atomic bool careless;  // of each thousand bursts one takes long, one waits for something, one comes one packet short
int __real_srtp_key_derive(struct srtp_engine *engine, struct srtp_key *key, const struct srtp_master *master,
			   const struct srtp_mki *mki, uint64_t lifetime);
int __wrap_srtp_key_derive(struct srtp_engine *engine, struct srtp_key *key, const struct srtp_master *master,
			   const struct srtp_mki *mki, uint64_t lifetime);

void __real_relay_burst(struct relay_worker *w, struct rte_mbuf **pkts, uint16_t n);
void __wrap_relay_burst(struct relay_worker *w, struct rte_mbuf **pkts, uint16_t n);

static uint64_t processor_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return MONO_S(ts.tv_sec) + (uint64_t)ts.tv_nsec;
}

static void spin(uint64_t ns)
{
	for (uint64_t end = processor_ns() + ns; processor_ns() < end;)
		;
}

int __wrap_srtp_key_derive(struct srtp_engine *engine, struct srtp_key *key, const struct srtp_master *master,
			   const struct srtp_mki *mki, uint64_t lifetime)
{
	if (stall > 0)
		spin(stall);
	return __real_srtp_key_derive(engine, key, master, mki, lifetime);
}

void __wrap_relay_burst(struct relay_worker *w, struct rte_mbuf **pkts, uint16_t n)
{
	static _Thread_local unsigned bursts;

	switch (careless ? bursts++ % 1000 : 0) {
	case 250: spin(MONO_MS(2)); break;
	case 500: nanosleep(&(struct timespec){ .tv_nsec = 1000 }, NULL); break;
	case 750: rte_pktmbuf_free(pkts[--n]); break;
	default: break;
	}
	__real_relay_burst(w, pkts, n);
}

// ---- what control does

struct swap { // of a rolling session
	struct life_flow *flow;
	unsigned step;
	uint32_t epoch; // in force
};

struct control {
	struct life_bed *bed;
	struct swap swaps[ROLLING];
	struct life_flow *fanned[FANNED];
	unsigned turn;
	bool hasty; // retires the old key before the phone has left it
	uint64_t ops, published, swapped, retired, edged, extended, removed, moved;
	mono_ns removal_longest; // from the word to DP_EVENT_REMOVED
	mono_ns removal_sum;
	uint16_t slot_of[1024]; // transport index
};

static struct control ctl;

static bool read_epochs(struct dp_ref ref, uint32_t *rx, uint32_t *tx)
{
	struct dp_transport_view view;

	if (!dp_transport_read(&ctl.bed->relay.map.transports[ref.index], &view))
		return false;
	*rx = view.rx_epoch;
	*tx = view.tx_epoch;
	return true;
}

static void key_make(struct srtp_key *key, enum srtp_suite suite, unsigned who, uint32_t epoch)
{
	struct srtp_master master;

	life_master(&master, suite, who, epoch);
	assert_int_equal(__real_srtp_key_derive(ctl.bed->engine, key, &master, NULL, 0), 0);
}

static bool swap_begin(struct swap *s)
{
	struct life_flow *f = s->flow;
	uint32_t next = s->epoch + 1;

	key_make(&f->phone->key[next & 1], f->in_suite, 2 * f->id, next);
	key_make(&f->far->key[next & 1], f->out_suite, 2 * f->id + 1, next);
	atomic_store_explicit(&f->far_next, next, memory_order_release);
	life_keys(ctl.bed, f->in, DP_RX, f->in_suite, 2 * f->id, next);
	life_keys(ctl.bed, f->out, DP_TX, f->out_suite, 2 * f->id + 1, next);
	ctl.swapped++;
	s->step = 1;
	return true;
}

// The relay has both keys: the phone may use the new one, after some more packets under the old.
static bool swap_known(struct swap *s)
{
	uint32_t rx = 0, tx = 0, none;

	if (!read_epochs(s->flow->in, &rx, &none) || !read_epochs(s->flow->out, &none, &tx) || rx != s->epoch + 1 ||
	    tx != s->epoch + 1)
		return false;
	if (ctl.hasty)
		dp_transport_retire(ctl.bed->client, s->flow->in, DP_RX, s->epoch + 1);
	atomic_store_explicit(&s->flow->phone_wanted, s->epoch + 1, memory_order_release);
	s->step = 2;
	return false;
}

static bool swap_end(struct swap *s)
{
	if (atomic_load_explicit(&s->flow->phone_epoch, memory_order_acquire) != s->epoch + 1 ||
	    atomic_load_explicit(&s->flow->far_epoch, memory_order_acquire) != s->epoch + 1 ||
	    atomic_load_explicit(&s->flow->heard, memory_order_acquire) <= s->flow->switched_at)
		return false; // what was sent under the old key is through
	dp_transport_retire(ctl.bed->client, s->flow->in, DP_RX, s->epoch + 1);
	s->epoch++;
	s->step = 0;
	ctl.retired++;
	return true;
}

static bool swap_step(unsigned i)
{
	struct swap *s = &ctl.swaps[i % ROLLING];

	return s->step == 0 ? swap_begin(s) : s->step == 1 ? swap_known(s) : swap_end(s);
}

// One copy, three, two, three in another order: the first is always among them.
static bool edges_step(unsigned i)
{
	struct life_flow *f = ctl.fanned[i % FANNED];
	struct dp_edge all[3] = { { .to = f->out, .open = true },
				  { .to = f->extra[0], .open = true },
				  { .to = f->extra[1], .open = i % 5 != 0 } };
	struct dp_edge turned[3] = { all[2], all[1], all[0] };
	unsigned phase = i / FANNED % 4;

	dp_transport_edges(ctl.bed->client, f->in, phase == 3 ? turned : all, phase == 0 ? 1 : phase == 2 ? 2 : 3);
	ctl.edged++;
	return true;
}

static bool extensions_step(unsigned i)
{
	struct dp_extensions x = { .mode = i % 3 == 0 ? DP_EXTENSION_STRIP : i % 3 == 1 ? DP_EXTENSION_FILTER :
										  DP_EXTENSION_PASS };

	dp_transport_extensions(ctl.bed->client, ctl.fanned[i % FANNED]->in, &x);
	ctl.extended++;
	return true;
}

static void slot_publish(struct life_slot *s, unsigned i)
{
	static uint32_t life;
	enum srtp_suite suite = i % 2 ? SRTP_AEAD_AES_128_GCM : SRTP_AES_CM_128_HMAC_SHA1_80;

	life++;
	(void)atomic_load_explicit(&s->sent, memory_order_acquire); // the phone has left the key
	key_make(s->phone, suite, 10000 + i, life);
	srtp_stream_init(&s->stream, 7, 0, 128);
	s->port = (uint16_t)(18000 + i);
	s->removed = 0;
	for (unsigned k = 0; k < 2; k++) {
		s->leg[k] = life_leg(ctl.bed, k, s->port, DP_SRTP, 0);
		ctl.slot_of[s->leg[k].index] = (uint16_t)(i + 1);
		life_keys(ctl.bed, s->leg[k], DP_RX, suite, 10000 + i, life + k * 1000000);
		life_keys(ctl.bed, s->leg[k], DP_TX, suite, 20000 + i, life + k * 1000000);
	}
	for (unsigned k = 0; k < 2; k++)
		dp_transport_edges(ctl.bed->client, s->leg[k], &(struct dp_edge){ .to = s->leg[!k], .open = true }, 1);
	s->since = clock_now();
	atomic_store_explicit(&s->state, SLOT_PUBLISHED, memory_order_release);
	ctl.published++;
}

static bool slot_step(unsigned i)
{
	struct life_slot *s = &ctl.bed->slots[i % LIFE_SLOTS];

	switch (atomic_load_explicit(&s->state, memory_order_relaxed)) {
	case SLOT_FREE:
		slot_publish(s, i % LIFE_SLOTS);
		return true;
	case SLOT_PUBLISHED:
		if (life_hop(ctl.bed, s->leg[0], 0) && life_hop(ctl.bed, s->leg[1], 1))
			atomic_store_explicit(&s->state, SLOT_LIVE, memory_order_release);
		return false;
	case SLOT_LIVE:
		if (clock_now() < s->since + SLOT_LIFE)
			return false;
		atomic_store_explicit(&s->state, SLOT_REMOVING, memory_order_release);
		s->since = clock_now();
		dp_transport_remove(ctl.bed->client, s->leg[0]);
		dp_transport_remove(ctl.bed->client, s->leg[1]);
		return true;
	default:
		return false;
	}
}

static void on_event(struct life_bed *bed, const struct dp_event *event)
{
	struct life_slot *s;
	mono_ns took;

	ctl.moved += event->kind == DP_EVENT_MOVED;
	assert_int_not_equal(event->kind, DP_EVENT_KEY_REFUSED);
	if (event->kind != DP_EVENT_REMOVED || ctl.slot_of[event->transport.index] == 0)
		return;
	s = &bed->slots[ctl.slot_of[event->transport.index] - 1];
	ctl.slot_of[event->transport.index] = 0;
	if (++s->removed < 2)
		return;
	took = clock_now() - s->since;
	ctl.removal_sum += took;
	if (took > ctl.removal_longest)
		ctl.removal_longest = took;
	ctl.removed++;
	atomic_store_explicit(&s->state, SLOT_FREE, memory_order_release);
}

// One operation of those that can be done; of ten five are lives, two edges, two keys, one extensions.
static bool operate(void)
{
	for (unsigned tries = 0; tries < 200; tries++) {
		unsigned i = ctl.turn++, n = i / 10;
		bool done;

		switch (i % 10) {
		case 0: case 2: case 4: case 6: case 8: done = slot_step(i / 2); break;
		case 1: case 5: done = edges_step(2 * n + i % 10 / 5); break;
		case 9: done = extensions_step(n); break;
		default: done = swap_step(2 * n + i % 10 / 7); break;
		}
		if (done) {
			ctl.ops++;
			return true;
		}
	}
	return false;
}

static bool enough(double now)
{
	return now >= ENOUGH && ctl.published > 20 && ctl.removed > 10 && ctl.retired >= 2 && ctl.edged > 20;
}

// So many seconds by the clock, and longer where that was not enough for a worker on a busy machine. Returns what it had by
// then, in seconds of its own.
static double control_until(double end_seconds, uint64_t rate)
{
	struct life_bed *bed = ctl.bed;
	mono_ns end = clock_now() + (mono_ns)(end_seconds * 1e9), limit = end + MONO_S(20);
	uint64_t begin = atomic_load(&bed->workers[0].now), ops = ctl.ops;
	double now = 0;

	while (clock_now() < end || (!enough(now) && clock_now() < limit)) {
		now = (double)(atomic_load(&bed->workers[0].now) - begin) / 1e9;
		for (unsigned n = 0; n < 200 && (double)(ctl.ops - ops) < now * (double)rate; n++) {
			if (!operate())
				break;
		}
		dp_client_dispatch(bed->client);
		nanosleep(&(struct timespec){ .tv_nsec = 200000 }, NULL);
	}
	return now;
}

// ---- set-up and judgement

static void flows_make(void)
{
	static const enum srtp_suite in[4] = { SRTP_AES_CM_128_HMAC_SHA1_80, SRTP_AES_CM_128_HMAC_SHA1_80,
					       SRTP_AEAD_AES_128_GCM, SRTP_AEAD_AES_128_GCM };
	static const enum srtp_suite out[4] = { SRTP_SUITE_NONE, SRTP_AES_CM_128_HMAC_SHA1_80, SRTP_SUITE_NONE,
						SRTP_AEAD_AES_128_GCM };

	for (unsigned i = 0; i < STEADY; i++)
		life_flow_make(ctl.bed, in[i % 4], out[i % 4], 0, 0, 0);
	for (unsigned i = 0; i < ROLLING; i++) {
		ctl.swaps[i] = (struct swap){ .epoch = 1 };
		ctl.swaps[i].flow = life_flow_make(ctl.bed, in[1 + 2 * (i % 2)], out[1 + 2 * (i % 2)], 0, 0, 0);
		ctl.swaps[i].flow->every = 8;
	}
	for (unsigned i = 0; i < FANNED; i++) {
		ctl.fanned[i] = life_flow_make(ctl.bed, in[0], out[i % 4], 2, 0, 0);
		ctl.fanned[i]->every = 8;
	}
	for (unsigned i = 0; i < LIFE_SLOTS; i++)
		ctl.bed->slots[i].phone = aligned_alloc(64, sizeof(*ctl.bed->slots[i].phone));
	ctl.bed->n_slots = LIFE_SLOTS;
}

static void begin(unsigned n_workers, unsigned n_queues, enum dp_poll poll)
{
	memset(&ctl, 0, sizeof(ctl));
	ctl.bed = life_open(n_workers, n_queues, poll, on_event);
}

// Lets all that is under way come out, and ends what is left.
static void end(void)
{
	struct life_bed *bed = ctl.bed;
	uint64_t given;

	atomic_store(&bed->rate, 0);
	do {
		given = atomic_load(&bed->given);
		dp_client_dispatch(bed->client);
		usleep(20000);
	} while (atomic_load(&bed->given) != given);
	life_stop(bed);
	life_settle(bed);
}

static void end_all(void)
{
	struct life_bed *bed = ctl.bed;

	for (unsigned i = 0; i < bed->n_flows; i++)
		life_flow_remove(bed, &bed->flows[i]);
	for (unsigned i = 0; i < bed->n_slots; i++) {
		if (bed->slots[i].state != SLOT_FREE && bed->slots[i].state != SLOT_REMOVING) {
			dp_transport_remove(bed->client, bed->slots[i].leg[0]);
			dp_transport_remove(bed->client, bed->slots[i].leg[1]);
		}
	}
	life_settle(bed);
	life_pools_check(bed);
	life_close(bed);
	ctl.bed = NULL;
}

// After a failure: the next test has its own relay.
static int abandon(void **state)
{
	stall = 0;
	careless = false;
	if (ctl.bed != NULL) {
		life_stop(ctl.bed);
		life_close(ctl.bed);
	}
	ctl.bed = NULL;
	return 0;
}

struct verdict {
	uint64_t sent, lost, late, overflow, gaps, unknown;
};

static struct verdict judge(unsigned first, unsigned n)
{
	const struct life_bed *bed = ctl.bed;
	struct verdict v = { 0 };

	for (unsigned i = first; i < first + n; i++) {
		const struct life_flow *f = &bed->flows[i];

		v.sent += f->sent;
		v.lost += f->sent - f->heard - f->late;
		v.late += f->late;
	}
	for (unsigned w = 0; w < bed->n_workers; w++) {
		v.overflow += bed->workers[w].overflow;
		v.gaps += bed->workers[w].gaps;
		v.unknown += bed->workers[w].unknown;
	}
	return v;
}

static double rate_max(void)
{
	struct life_worker *lw = &ctl.bed->workers[0];
	uint64_t given, now;

	atomic_store(&ctl.bed->rate, UINT64_MAX);
	usleep(200000); // caches, lazily bound SSRCs
	given = atomic_load(&ctl.bed->given);
	now = atomic_load(&lw->now);
	usleep(500000);
	while (atomic_load(&lw->now) < now + MONO_MS(20))
		usleep(10000);
	return (double)(atomic_load(&ctl.bed->given) - given) * 1e9 / (double)(atomic_load(&lw->now) - now);
}

static void say_drops(void)
{
	for (unsigned w = 0; w < ctl.bed->n_workers; w++) {
		const struct dp_worker_record *r = ctl.bed->relay.workers[w]->record;

		for (unsigned d = 1; d < RELAY_DROP_COUNT; d++) {
			if (r->drops[d] > 0)
				print_message("  %s %llu\n", relay_drop_name[d], (unsigned long long)r->drops[d]);
		}
	}
}

static double load_time; // seconds of the worker's, at half of its rate
static uint64_t blocked; // times that it waited for something meanwhile

static void load(double for_seconds, uint64_t ops)
{
	double rate;

	begin(1, 1, DP_POLL_BUSY);
	flows_make();
	life_start(ctl.bed);
	rate = rate_max();
	atomic_store(&ctl.bed->rate, (uint64_t)(rate / 2));
	print_message("%.0f packets a second of the worker's time; half of it from now on\n", rate);
	blocked = life_blocked(ctl.bed, 0);
	load_time = control_until(for_seconds, ops);
	blocked = life_blocked(ctl.bed, 0) - blocked;
	end();
}

// The time that the worker takes from its port. Interrupts meet it as they meet the ports, at which its thread spends more.
static bool often_away(const struct verdict *v)
{
	const struct life_worker *lw = &ctl.bed->workers[0];

	print_message("longest from the port: %.0f us, above 1 ms for commands %llu times; interrupts above 1 ms: %llu in its "
		      "time, %llu in the ports'; packets that waited at most %llu, did not fit %llu, and while all was slow "
		      "%llu (a packet cost the ports %.2f of what it had before); blocked %llu times\n",
		      (double)lw->longest / 1e3, (unsigned long long)lw->gaps, (unsigned long long)lw->interrupted,
		      (unsigned long long)lw->interrupted_here, (unsigned long long)lw->worst_queue,
		      (unsigned long long)lw->overflow, (unsigned long long)lw->slowed, lw->cost,
		      (unsigned long long)blocked);
	return (double)v->gaps > 5 + load_time / 10 || lw->interrupted > 5 + 2 * lw->interrupted_here;
}

static void nothing_is_lost(const struct verdict *v)
{
	assert_false(often_away(v));
	assert_int_equal(blocked, 0);
	assert_int_equal(v->overflow, 0); // did not fit
	assert_int_equal(v->lost + v->late + v->unknown, 0);
}

// ---- the tests

static void a_thousand_lives_a_second(void **state)
{
	struct life_worker *lw;
	struct verdict steady, rolling, fanned;

	load(seconds, OPS);
	lw = &ctl.bed->workers[0];
	steady = judge(0, STEADY);
	rolling = judge(STEADY, ROLLING);
	fanned = judge(STEADY + ROLLING, FANNED);
	print_message("%.2f s of its time: %llu operations (%llu published, %llu removed, %llu keys swapped and %llu retired,"
		      " %llu edges, %llu extensions)\n",
		      load_time, (unsigned long long)ctl.ops, (unsigned long long)ctl.published,
		      (unsigned long long)ctl.removed, (unsigned long long)ctl.swapped, (unsigned long long)ctl.retired,
		      (unsigned long long)ctl.edged, (unsigned long long)ctl.extended);
	print_message("steady: %llu sent, %llu lost, %llu late; keys: %llu, %llu, %llu; fanned out: %llu, %llu, %llu\n",
		      (unsigned long long)steady.sent, (unsigned long long)steady.lost, (unsigned long long)steady.late,
		      (unsigned long long)rolling.sent, (unsigned long long)rolling.lost,
		      (unsigned long long)rolling.late, (unsigned long long)fanned.sent,
		      (unsigned long long)fanned.lost, (unsigned long long)fanned.late);
	print_message("removed after %.2f ms, at most %.2f ms\n",
		      (double)ctl.removal_sum / 1e6 / (double)(ctl.removed > 0 ? ctl.removed : 1),
		      (double)ctl.removal_longest / 1e6);
	say_drops();
	nothing_is_lost(&steady);
	assert_int_equal(rolling.lost + rolling.late, 0);
	assert_int_equal(fanned.lost + fanned.late, 0);
	assert_true(enough(load_time));
	assert_true((double)ctl.ops > 0.9 * OPS * load_time);
	assert_true(lw->slots_heard > 0);
	for (unsigned i = 0; i < FANNED; i++) {
		assert_true(ctl.fanned[i]->extra_heard > 0);
		assert_int_equal(ctl.fanned[i]->extra_late, 0);
	}
	end_all();
}

// As many commands as there is room for, all at once, again and again.
static void a_storm_of_commands(void **state)
{
	struct verdict steady;

	load(0.3 * seconds < 2 ? 0.3 * seconds : 2, 20000);
	steady = judge(0, STEADY);
	print_message("%.0f operations a second: %llu packets sent, %llu lost\n", (double)ctl.ops / load_time,
		      (unsigned long long)steady.sent, (unsigned long long)steady.lost);
	nothing_is_lost(&steady);
	end_all();
}

// The same judgement of a relay that is away for 2 ms with each key, of a careless one, and of a control that retires too
// early.
static void a_relay_that_is_away_is_seen(void **state)
{
	struct verdict v;

	stall = MONO_MS(2);
	load(0.8, OPS);
	stall = 0;
	v = judge(0, STEADY);
	assert_true(often_away(&v));
	assert_true(v.gaps > 5);
	end_all();
}

static void a_careless_relay_is_seen(void **state)
{
	struct verdict v;

	careless = true;
	load(0.8, OPS);
	careless = false;
	v = judge(0, STEADY);
	assert_true(often_away(&v));
	assert_true(v.gaps <= 5);
	assert_true(blocked > 0);
	assert_true(v.lost > 0);
	end_all();
}

static void a_key_that_is_retired_too_early_is_seen(void **state)
{
	begin(1, 1, DP_POLL_BUSY);
	flows_make();
	ctl.hasty = true;
	life_start(ctl.bed);
	atomic_store(&ctl.bed->rate, 20000);
	for (mono_ns limit = clock_now() + MONO_S(20); ctl.retired < ROLLING && clock_now() < limit;)
		control_until(0.2, OPS);
	end();
	assert_true(judge(STEADY, ROLLING).lost > 0);
	assert_int_equal(judge(0, STEADY).lost, 0);
	end_all();
}

// ---- removal

// All at once: nothing waits for a grace period of its own, and each is told of.
static void what_a_removal_costs(void **state)
{
	struct life_bed *bed;
	uint64_t before, took = 0;
	unsigned rounds = 0, n;

	begin(1, 1, DP_POLL_BUSY);
	bed = ctl.bed;
	for (n = 0; n < LIFE_SLOTS; n++) {
		bed->slots[n].phone = aligned_alloc(64, sizeof(*bed->slots[n].phone));
		slot_publish(&bed->slots[n], n);
	}
	life_settle(bed);
	for (unsigned i = 0; i < LIFE_SLOTS; i++) {
		dp_transport_remove(bed->client, bed->slots[i].leg[0]);
		dp_transport_remove(bed->client, bed->slots[i].leg[1]);
	}
	for (; ctl.removed < LIFE_SLOTS && rounds < 10000; rounds++) {
		before = processor_ns();
		relay_worker_round(bed->relay.workers[0]);
		took += processor_ns() - before;
		dp_client_dispatch(bed->client);
	}
	print_message("%u transports with two keys each removed in %u rounds, %.0f ns each\n", 2 * LIFE_SLOTS, rounds,
		      (double)took / (2 * LIFE_SLOTS));
	assert_int_equal(ctl.removed, LIFE_SLOTS);
	life_settle(bed);
	life_pools_check(bed);
	life_close(bed);
	ctl.bed = NULL;
}

// ---- two workers

static void movers_make(unsigned n, unsigned n_queues, bool all_wrong)
{
	for (unsigned i = 0; i < n; i++) {
		enum srtp_suite suite = i % 2 ? SRTP_AEAD_AES_128_GCM : SRTP_AES_CM_128_HMAC_SHA1_80;
		uint16_t worker = all_wrong ? 1 : i % 2;
		struct life_flow *f = life_flow_make(ctl.bed, i % 3 == 0 && i >= ROLLING ? SRTP_SUITE_NONE : suite, suite,
						     0, worker, all_wrong ? 0 : i / 2 % n_queues);

		if (i >= ROLLING)
			continue;
		ctl.swaps[i] = (struct swap){ .flow = f, .epoch = 1 };
		f->every = 8;
	}
}

static uint64_t moves;

static void move_one(unsigned i)
{
	struct life_flow *f = &ctl.bed->flows[i % MOVERS];
	struct dp_ref refs[2] = { f->in, f->out };

	if (dp_session_move(ctl.bed->client, refs, 2, !f->worker) < 0)
		return; // it is moving yet
	f->worker = !f->worker;
	moves++;
}

static void window_end(void)
{
	struct life_bed *bed = ctl.bed;
	mono_ns limit = clock_now() + MONO_S(20);

	atomic_store(&bed->rate, 0);
	atomic_store(&bed->window, 0);
	while (atomic_load(&bed->given) != atomic_load(&bed->back) && clock_now() < limit) {
		dp_client_dispatch(bed->client);
		usleep(1000);
	}
	for (unsigned n = 0; n < 50; n++) { // moves that are under way
		dp_client_dispatch(bed->client);
		usleep(1000);
	}
	end();
}

static double busy_share(unsigned worker, const struct dp_worker_stats *before)
{
	struct dp_worker_stats s;

	assert_int_equal(dp_worker_stats(ctl.bed->client, worker, &s), 0);
	return (double)(s.busy - before->busy) / (double)(s.busy - before->busy + s.idle - before->idle);
}

// A hundred moves a second, keys that are swapped meanwhile, half of the packets at the wrong worker.
static void movers_work(unsigned n_queues)
{
	struct dp_worker_stats s[2];
	struct verdict v;
	mono_ns stop;

	moves = 0;
	begin(2, n_queues, DP_POLL_ADAPTIVE);
	movers_make(MOVERS, n_queues, false);
	atomic_store(&ctl.bed->window, 128);
	life_start(ctl.bed);
	stop = clock_now() + (mono_ns)(seconds / 4 * 1e9);
	for (unsigned i = 0; clock_now() < stop || (moves <= 20 && clock_now() < stop + MONO_S(20)); i++) {
		move_one(i);
		for (unsigned k = 0; k < ROLLING; k++) {
			if (ctl.swaps[k].step != 0 || k == i / 2 % ROLLING)
				swap_step(k);
		}
		dp_client_dispatch(ctl.bed->client);
		nanosleep(&(struct timespec){ .tv_nsec = (long)MOVE_EVERY }, NULL);
	}
	window_end();
	v = judge(0, MOVERS);
	for (unsigned w = 0; w < 2; w++)
		assert_int_equal(dp_worker_stats(ctl.bed->client, w, &s[w]), 0);
	print_message("%llu moves, %llu keys swapped: %llu packets, %llu lost, %llu late; handed over %llu, held %llu\n",
		      (unsigned long long)moves, (unsigned long long)ctl.swapped, (unsigned long long)v.sent,
		      (unsigned long long)v.lost, (unsigned long long)v.late,
		      (unsigned long long)(s[0].handed_out + s[1].handed_out),
		      (unsigned long long)(s[0].held + s[1].held));
	say_drops();
	assert_int_equal(v.lost + v.late + v.unknown, 0);
	assert_int_equal(s[0].moved_out + s[1].moved_out, 2 * moves);
	assert_int_equal(s[0].moved_in + s[1].moved_in, 2 * moves);
	assert_int_equal(ctl.moved, 2 * moves);
	assert_true(moves > 20 && v.sent > 1000);
	for (unsigned i = 0; i < MOVERS; i++)
		assert_int_equal(ctl.bed->relay.map.transports[ctl.bed->flows[i].in.index].worker,
				 ctl.bed->flows[i].worker);
	end_all();
}

static void sessions_move_at_work(void **state)
{
	movers_work(2);
}

// The second worker has no queue: it gets all by its inbox, and sends by the first one's queue.
static void sessions_move_with_one_queue(void **state)
{
	movers_work(1);
}

static void all_come_in_at_the_wrong_worker(void **state)
{
	struct dp_worker_stats before[2], after[2];
	double share[2];
	struct verdict v;

	begin(2, 2, DP_POLL_ADAPTIVE);
	movers_make(MOVERS, 2, true);
	for (unsigned w = 0; w < 2; w++)
		assert_int_equal(dp_worker_stats(ctl.bed->client, w, &before[w]), 0);
	atomic_store(&ctl.bed->window, 128);
	life_start(ctl.bed);
	usleep((useconds_t)(seconds / 6 * 1e6));
	for (mono_ns limit = clock_now() + MONO_S(20); atomic_load(&ctl.bed->back) <= 1000 && clock_now() < limit;)
		usleep(10000);
	share[0] = busy_share(0, &before[0]);
	share[1] = busy_share(1, &before[1]);
	window_end();
	v = judge(0, MOVERS);
	for (unsigned w = 0; w < 2; w++)
		assert_int_equal(dp_worker_stats(ctl.bed->client, w, &after[w]), 0);
	print_message("%llu packets, all handed over: %llu lost, %llu late; workers busy %.0f %% and %.0f %%\n",
		      (unsigned long long)v.sent, (unsigned long long)v.lost, (unsigned long long)v.late,
		      100 * share[0], 100 * share[1]);
	assert_int_equal(v.lost + v.late + v.unknown, 0);
	assert_true(v.sent > 1000);
	assert_int_equal(after[0].rx_packets, v.sent);
	assert_int_equal(after[0].handed_out, v.sent);
	assert_int_equal(after[1].handed_in, v.sent);
	assert_int_equal(after[1].tx_packets, v.sent);
	assert_int_equal(after[0].drops[RELAY_DROP_INBOX_FULL], 0);
	assert_true(share[0] > 0 && share[0] <= 1 && share[1] > 0 && share[1] <= 1);
	end_all();
}

int main(int argc, char **argv)
{
#define TEST(f) cmocka_unit_test_teardown(f, abandon)
	const struct CMUnitTest tests[] = {
		TEST(a_thousand_lives_a_second),
		TEST(a_storm_of_commands),
		TEST(a_relay_that_is_away_is_seen),
		TEST(a_careless_relay_is_seen),
		TEST(a_key_that_is_retired_too_early_is_seen),
		TEST(what_a_removal_costs),
		TEST(sessions_move_at_work),
		TEST(sessions_move_with_one_queue),
		TEST(all_come_in_at_the_wrong_worker),
	};

	if (getenv("SALLYPORT_FULL") != NULL && strcmp(getenv("SALLYPORT_FULL"), "1") == 0)
		seconds = 600;
	if (argc > 1)
		seconds = strtod(argv[1], NULL);
	if (argc > 2)
		cmocka_set_test_filter(argv[2]);
	setvbuf(stdout, NULL, _IOLBF, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
