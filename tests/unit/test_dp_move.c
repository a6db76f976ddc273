// SPDX-License-Identifier: GPL-3.0-or-later
// test_dp_move.c - three workers whose rounds the test has in hand: packets that come in at the wrong one, and sessions
// that move, in every order of rounds and packets. A reader that holds the keys looks at all that leaves: nothing lost,
// doubled or overtaken, no index twice. Also a relay that ends in the middle.
#include "tests/support/relay_alone.h"
#include "tests/support/srtp_reader.h"
#include "dataplane/worker/relay_report.h"
#include "dataplane/worker/srtp/srtp_window.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define WORKERS ALONE_WORKERS
#define SESSIONS 4
#define STREAMS (2 * SESSIONS)
#define STEPS 120
#define SCHEDULES 400

// A session: SRTP on the access side, plain on the core side, media both ways. Both directions are streams.
struct session {
	struct dp_ref leg[2]; // access, core
	uint16_t port;
	uint16_t worker; // where it is to be
	struct srtp_master rx, tx; // of the access leg
};

struct stream {
	struct session *session;
	bool from_access;
	unsigned queue; // that the network card gives it to
	uint16_t next;  // sequence number to send
	uint16_t seen;  // how many came out
};

static struct relay_alone *ra;
static struct srtp_reader *reader;
static struct session sessions[SESSIONS];
static struct stream streams[STREAMS];
static struct srtp_key *keys[SESSIONS];        // the phones' own
static struct srtp_stream *phones[SESSIONS];
static unsigned looked; // frames of ra->sent that were looked at
static uint32_t used[DP_POOLS]; // records
static uint8_t octet;

// ---- sessions

static void master_make(struct srtp_master *m)
{
	octet++;
	*m = (struct srtp_master){ .suite = SRTP_AES_CM_128_HMAC_SHA1_80 };
	memset(m->key, octet, 16);
	memset(m->salt, (uint8_t)~octet, 14);
}

static struct dp_ref leg_make(struct session *s, unsigned network, unsigned worker)
{
	struct dp_transport_conf conf = { .network = (uint16_t)network, .mode = DP_MODE_RTP, .local.port = s->port,
					  .worker = (uint16_t)worker };
	struct nexthop hop = { .kind = NEXTHOP_ETHER, .port = (uint8_t)network, .mtu = 1500, .mac = { 2, 9 } };
	struct dp_path path = { 0 };
	struct dp_ref ref;

	conf.local.addr = (struct inet_addr){ .family = INET_V4, .bytes = { 192, 0, (uint8_t)network, 1 } };
	inet_endpoint_parse(&path.remote, network == 0 ? "198.51.100.1:4000" : "198.51.100.2:4000");
	assert_int_equal(dp_transport_alloc(ra->client, &ref), 0);
	dp_transport_publish(ra->client, ref, &conf);
	dp_transport_secure(ra->client, ref, network == 0 ? DP_SRTP : DP_PLAIN);
	dp_transport_path(ra->client, ref, &path);
	for (unsigned i = 0; i < 4; i++)
		relay_alone_round(ra, worker);
	nexthop_set(ra->relay.hops, ref.index, ra->relay.map.transports[ref.index].out.path_serial, &hop);
	return ref;
}

static void keys_give(struct session *s, uint32_t epoch)
{
	struct dp_keys k = { .epoch = epoch, .direction = DP_RX, .master = s->rx };

	dp_transport_keys(ra->client, s->leg[0], &k);
	k.direction = DP_TX;
	k.master = s->tx;
	dp_transport_keys(ra->client, s->leg[0], &k);
}

static void session_make(unsigned i, unsigned worker)
{
	struct session *s = &sessions[i];

	s->port = (uint16_t)(16384 + 2 * i);
	s->worker = (uint16_t)worker;
	master_make(&s->rx);
	master_make(&s->tx);
	srtp_reader_key(reader, &s->tx);
	s->leg[0] = leg_make(s, 0, worker);
	s->leg[1] = leg_make(s, 1, worker);
	keys_give(s, 1);
	for (unsigned k = 0; k < 2; k++)
		dp_transport_edges(ra->client, s->leg[k], &(struct dp_edge){ .to = s->leg[!k], .open = true }, 1);
	assert_int_equal(srtp_key_derive(ra->worker->engine, keys[i], &s->rx, NULL, 0), 0);
	srtp_stream_init(phones[i], 0x1000 + i, 0, 128);
	for (unsigned k = 0; k < 2; k++)
		streams[2 * i + k] = (struct stream){ .session = s, .from_access = k == 0,
						      .queue = (unsigned)rand() % WORKERS, .next = 65000 };
}

static void rounds(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		for (unsigned w = 0; w < WORKERS; w++)
			relay_alone_round(ra, w);
	}
}

static void pools_note(void)
{
	rounds(2);
	for (unsigned k = 0; k < DP_POOLS; k++)
		used[k] = dp_client_pool(ra->client, (enum dp_pool)k).used;
}

static void pools_are_as_noted(void)
{
	rounds(3);
	for (unsigned k = 0; k < DP_POOLS; k++)
		assert_int_equal(dp_client_pool(ra->client, (enum dp_pool)k).used, used[k]);
	assert_int_equal(rte_mempool_in_use_count(ra->relay.pool), 0);
}

static int setup(void **state)
{
	if (ra == NULL)
		ra = relay_alone_open_workers(WORKERS);
	for (unsigned i = 0; i < SESSIONS && keys[i] == NULL; i++) {
		keys[i] = aligned_alloc(64, sizeof(*keys[i]));
		phones[i] = aligned_alloc(64, sizeof(*phones[i]));
	}
	reader = srtp_reader_open();
	pools_note();
	for (unsigned i = 0; i < SESSIONS; i++)
		session_make(i, i % WORKERS);
	rounds(20);
	looked = ra->n_sent;
	return 0;
}

static int teardown(void **state)
{
	unsigned removed = ra->events[DP_EVENT_REMOVED];

	for (unsigned i = 0; i < SESSIONS; i++) {
		dp_transport_remove(ra->client, sessions[i].leg[0]);
		dp_transport_remove(ra->client, sessions[i].leg[1]);
	}
	rounds(20);
	assert_int_equal(ra->events[DP_EVENT_REMOVED] - removed, 2 * SESSIONS);
	pools_are_as_noted();
	srtp_reader_close(reader);
	return 0;
}

// ---- packets

static void speak(struct stream *st)
{
	unsigned i = (unsigned)(st->session - sessions);
	struct alone_to to = { .network = st->from_access ? 0 : 1, .source_port = 4000, .port = st->session->port,
			       .source_last = st->from_access ? 1 : 2 };
	uint8_t rtp[128] = { 0x80, 0, (uint8_t)(st->next >> 8), (uint8_t)st->next, 0, 0, 0, 0, 0, 0,
			     st->from_access ? 0x10 : 0x20, (uint8_t)i };
	uint8_t frame[256];
	uint16_t len = 12 + 40;

	memset(rtp + 12, st->next, 40);
	st->next++;
	if (st->from_access) {
		struct srtp_op op = { .packet = rtp, .len = len, .room = sizeof(rtp), .hdr_len = 12, .key = keys[i],
				      .stream = phones[i] };

		srtp_protect_burst(ra->worker->engine, &op, 1);
		assert_int_equal(op.result, SRTP_OK);
		len = op.len;
	}
	relay_alone_put(ra, to.network, st->queue, frame, relay_alone_frame_make(frame, &to, rtp, len));
}

static void heard(const uint8_t *rtp, size_t len, unsigned port)
{
	unsigned i = rtp[11] % SESSIONS;
	struct stream *st = &streams[2 * i + (port == 0)]; // what leaves to the access side came from the core
	uint16_t seq = (uint16_t)(rtp[2] << 8 | rtp[3]);

	assert_int_equal(len, 52);
	assert_int_equal(rtp[10], st->from_access ? 0x10 : 0x20);
	assert_int_equal(seq, (uint16_t)(65000 + st->seen)); // the next one: none lost, doubled or overtaken
	assert_int_equal(rtp[12], (uint8_t)seq);
	st->seen++;
}

static void look(void)
{
	for (; looked != ra->n_sent; looked++) {
		const struct alone_frame *f = &ra->sent[looked % ALONE_FRAMES];
		struct reader_packet plain;

		if (f->port == 1) {
			heard(f->bytes + 42, f->len - 42u, 1);
			continue;
		}
		assert_int_equal(srtp_reader_see(reader, f->bytes + 42, f->len - 42u, &plain), READER_FRESH);
		heard(plain.bytes, plain.len, 0);
	}
}

static void all_were_heard(void)
{
	rounds(20);
	look();
	for (unsigned i = 0; i < STREAMS; i++)
		assert_int_equal((uint16_t)(65000 + streams[i].seen), streams[i].next);
}

static uint64_t total(size_t offset)
{
	uint64_t sum = 0;

	for (unsigned w = 0; w < WORKERS; w++)
		sum += *(const uint64_t *)(const void *)((const uint8_t *)ra->relay.workers[w]->record + offset);
	return sum;
}
#define TOTAL(field) total(offsetof(struct dp_worker_record, field))

static uint64_t dropped(void)
{
	uint64_t sum = 0;

	for (unsigned d = 1; d < RELAY_DROP_COUNT; d++)
		sum += total(offsetof(struct dp_worker_record, drops) + d * sizeof(uint64_t));
	return sum;
}

// ---- the wrong worker

static void what_comes_in_elsewhere_is_handed_over(void **state)
{
	uint64_t out = TOTAL(handed_out), in = TOTAL(handed_in), wrong = 0;
	struct dp_worker_stats before, after;

	assert_int_equal(dp_worker_stats(ra->client, 1, &before), 0);
	for (unsigned n = 0; n < 30; n++) {
		for (unsigned i = 0; i < STREAMS; i++) {
			streams[i].queue = (streams[i].session->worker + 1) % WORKERS; // each packet
			speak(&streams[i]);
			wrong++;
		}
		rounds(1);
		look();
	}
	all_were_heard();
	assert_int_equal(TOTAL(handed_out) - out, wrong);
	assert_int_equal(TOTAL(handed_in) - in, wrong);
	assert_int_equal(dp_worker_stats(ra->client, 1, &after), 0);
	assert_int_equal(after.handed_in - before.handed_in, 30 * 2); // of the session that is there
	assert_int_equal(after.rx_packets - before.rx_packets, after.handed_out - before.handed_out);
	assert_int_equal(dp_worker_stats(ra->client, WORKERS, &after), -2);
}

// Said of a worker of whose packets at least a tenth were others', and of no fewer than a thousand.
static void the_share_is_told(void **state)
{
	struct relay_report report = { 0 };
	struct dp_worker_record *r = &ra->relay.map.workers[1];

	r->rx_packets[0] += 10000;
	r->handed_out += 5000;
	relay_report_look(&report, &ra->relay.map, MONO_S(1)); // what was before it looked is no share
	assert_int_equal(relay_report_share(&report, &ra->relay.map, 1), 0);
	r->rx_packets[0] += 500;
	r->rx_packets[1] += 499;
	r->handed_out += 250;
	assert_int_equal(relay_report_share(&report, &ra->relay.map, 1), 0);
	r->rx_packets[1]++;
	assert_int_equal(relay_report_share(&report, &ra->relay.map, 1), 25);
	relay_report_look(&report, &ra->relay.map, MONO_S(60)); // not yet a minute
	assert_int_equal(relay_report_share(&report, &ra->relay.map, 1), 25);
	relay_report_look(&report, &ra->relay.map, MONO_S(61));
	assert_int_equal(relay_report_share(&report, &ra->relay.map, 1), 0);
	r->rx_packets[0] += 10000;
	r->handed_out += 999;
	assert_int_equal(relay_report_share(&report, &ra->relay.map, 1), 0); // 9 %
	r->handed_out += 1;
	assert_int_equal(relay_report_share(&report, &ra->relay.map, 1), 10);
}

// A route that ends in a media address of our own, behind which another worker has the session.
static void what_turns_round_inside_is_handed_over(void **state)
{
	const struct nexthop inside = { .kind = NEXTHOP_HAIRPIN, .mtu = 1500 };
	struct session *s = &sessions[0], *t = &sessions[1];
	uint64_t in = ra->relay.workers[t->worker]->record->handed_in;
	struct dp_path path = { .remote = { .port = t->port, .addr = { .family = INET_V4, .bytes = { 192, 0, 1, 1 } } } };
	unsigned sent = ra->n_sent;
	struct reader_packet plain;

	assert_int_not_equal(s->worker, t->worker);
	dp_transport_path(ra->client, s->leg[1], &path);
	path.remote.port = s->port;
	dp_transport_path(ra->client, t->leg[1], &path);
	rounds(4);
	nexthop_set(ra->relay.hops, s->leg[1].index, ra->relay.map.transports[s->leg[1].index].out.path_serial, &inside);
	streams[0].queue = s->worker;
	for (unsigned i = 0; i < 40; i++)
		speak(&streams[0]);
	rounds(6);
	assert_int_equal(ra->n_sent - sent, 40);
	assert_int_equal(ra->relay.workers[t->worker]->record->handed_in - in, 40);
	for (unsigned i = 0; i < 40; i++) {
		const struct alone_frame *f = &ra->sent[(sent + i) % ALONE_FRAMES];

		assert_int_equal(f->port, 0);
		assert_int_equal(f->queue, t->worker);
		assert_int_equal(srtp_reader_see(reader, f->bytes + 42, f->len - 42u, &plain), READER_FRESH);
		assert_int_equal((uint16_t)(plain.bytes[2] << 8 | plain.bytes[3]), (uint16_t)(65000 + i));
	}
}

// Its owner does not look: what fits waits, the rest is dropped by name, and what fitted is heard in order.
static void an_inbox_that_is_full(void **state)
{
	struct stream *st = &streams[0];
	uint64_t full = TOTAL(drops[RELAY_DROP_INBOX_FULL]), out = TOTAL(handed_out);
	unsigned room = rte_ring_free_count(ra->relay.workers[st->session->worker]->inbox);

	st->queue = (st->session->worker + 1) % WORKERS;
	for (unsigned i = 0; i < room + 100; i++)
		speak(st);
	for (unsigned i = 0; i < (room + 100) / RELAY_BURST + 1; i++)
		relay_alone_round(ra, st->queue);
	assert_int_equal(TOTAL(drops[RELAY_DROP_INBOX_FULL]) - full, 100);
	assert_int_equal(TOTAL(handed_out) - out, room);
	for (unsigned i = 0; i < room / RELAY_BURST + 1; i++) {
		relay_alone_round(ra, st->session->worker);
		look();
	}
	assert_int_equal(st->seen, room);
	st->next = (uint16_t)(65000 + room);
	phones[0]->started = 0; // the phone goes on where it was heard last
	srtp_stream_init(phones[0], 0x1000, 0, 128);
	phones[0]->highest = (uint64_t)(65000 + room - 1);
	phones[0]->started = 1;
	speak(st);
	all_were_heard();
}

// ---- moves

static int session_move(struct session *s, unsigned to)
{
	int err = dp_session_move(ra->client, s->leg, 2, (uint16_t)to);

	if (err == 0)
		s->worker = (uint16_t)to;
	return err;
}

static void all_are_where_they_should_be(void)
{
	for (unsigned i = 0; i < SESSIONS; i++) {
		for (unsigned k = 0; k < 2; k++) {
			uint32_t index = sessions[i].leg[k].index;

			assert_int_equal(ra->relay.map.transports[index].worker, sessions[i].worker);
			assert_int_equal(atomic_load(&ra->relay.map.rare[index].heir), 0);
			assert_int_equal(ra->relay.map.rare[index].moved, 0);
		}
	}
}

static void a_move_is_told(void **state)
{
	struct session *s = &sessions[0];
	struct dp_ref mixed[2] = { s->leg[0], sessions[1].leg[0] };
	unsigned told = ra->events[DP_EVENT_MOVED];

	assert_int_equal(dp_session_move(ra->client, mixed, 2, 1), -22); // of two workers
	assert_int_equal(dp_session_move(ra->client, s->leg, 2, WORKERS), -22);
	assert_int_equal(dp_session_move(ra->client, s->leg, 0, 1), -22);
	assert_int_equal(session_move(s, s->worker), 0);
	rounds(5);
	assert_int_equal(ra->events[DP_EVENT_MOVED], told);
	assert_int_equal(session_move(s, 1), 0);
	assert_int_equal(session_move(s, 2), -16); // not again before it is through
	s->worker = 1;
	rounds(8);
	assert_int_equal(ra->events[DP_EVENT_MOVED], told + 2);
	assert_int_equal(ra->last_event.worker, 1);
	all_are_where_they_should_be();
	assert_int_equal(session_move(s, 2), 0);
	rounds(8);
	all_are_where_they_should_be();
}

// Whatever comes first: packets, rounds of any worker, moves, keys, while others rest.
static void schedule(unsigned seed)
{
	uint64_t drops = dropped();

	srand(seed);
	for (unsigned i = 0; i < STREAMS; i++)
		streams[i].queue = (unsigned)rand() % WORKERS;
	for (unsigned step = 0; step < STEPS; step++) {
		unsigned what = (unsigned)rand() % 16;

		if (what < 7) {
			for (unsigned n = (unsigned)rand() % 3; n > 0; n--)
				speak(&streams[(unsigned)rand() % STREAMS]);
		} else if (what < 14) {
			relay_alone_round(ra, (unsigned)rand() % WORKERS);
		} else if (what < 15) {
			(void)session_move(&sessions[(unsigned)rand() % SESSIONS], (unsigned)rand() % WORKERS);
		} else {
			unsigned w = (unsigned)rand() % WORKERS;

			atomic_store(&ra->relay.workers[w]->token, 0); // as when it rests
		}
		look();
	}
	all_were_heard();
	all_are_where_they_should_be();
	assert_int_equal(dropped(), drops);
}

static void nothing_is_lost_in_any_order(void **state)
{
	uint64_t moved = TOTAL(moved_in), held = TOTAL(held);

	for (unsigned seed = 1; seed <= SCHEDULES; seed++)
		schedule(seed);
	assert_int_equal(TOTAL(moved_in), TOTAL(moved_out));
	assert_true(TOTAL(moved_in) - moved > SCHEDULES);
	assert_true(TOTAL(held) - held > SCHEDULES); // and it was not for want of packets under way
	print_message("%u schedules: %llu transports moved, %llu packets held\n", SCHEDULES,
		      (unsigned long long)(TOTAL(moved_in) - moved), (unsigned long long)(TOTAL(held) - held));
}

// More is under way to the owner than it takes in one round, when the session moves to where its packets come in.
static void what_is_under_way_goes_first(void **state)
{
	struct stream *st = &streams[0];
	unsigned to = (st->session->worker + 1) % WORKERS, from = st->session->worker;

	st->queue = to;
	for (unsigned i = 0; i < 400; i++)
		speak(st);
	for (unsigned i = 0; i < 12; i++)
		relay_alone_round(ra, to);
	assert_int_equal(session_move(st->session, to), 0);
	for (unsigned i = 0; i < 30; i++) {
		speak(st);
		relay_alone_round(ra, to);
		relay_alone_round(ra, from);
		relay_alone_round(ra, 3 - to - from);
		look();
	}
	all_were_heard();
	all_are_where_they_should_be();
}

// The command of a swap is given while the session is under way, and reaches the worker that has it then.
static void what_is_said_meanwhile_arrives(void **state)
{
	struct session *s = &sessions[0];
	const struct dp_transport *tp = &ra->relay.map.transports[s->leg[0].index];

	speak(&streams[0]);
	rounds(2);
	assert_int_equal(session_move(s, 2), 0);
	for (uint32_t epoch = 2; epoch < 6; epoch++) {
		master_make(&s->tx);
		srtp_reader_key(reader, &s->tx);
		keys_give(s, epoch);
	}
	dp_transport_retire(ra->client, s->leg[0], DP_TX, 3);
	rounds(20);
	assert_int_equal(tp->worker, 2);
	assert_int_equal(tp->tx_epoch.epoch, 5);
	assert_int_equal(tp->tx_epoch_floor, 3);
	speak(&streams[0]);
	speak(&streams[1]);
	all_were_heard();
	assert_int_equal(session_move(s, 1), 0);
	dp_transport_remove(ra->client, s->leg[0]);
	dp_transport_remove(ra->client, s->leg[1]);
	rounds(20);
	assert_int_equal(tp->state, DP_STATE_FREE);
	session_make(0, 0);
	rounds(10);
}

// ---- a relay that ends at any step of a move

static void after_a_kill_it_goes_on(void **state)
{
	unsigned steps, kills = 0;

	for (steps = 0; steps < 24; steps++) {
		for (unsigned to = 0; to < WORKERS; to++) {
			struct session *s = &sessions[to % SESSIONS];
			unsigned target = (s->worker + 1 + steps % 2) % WORKERS;

			srand(steps * 7 + to);
			assert_int_equal(session_move(s, target), 0);
			for (unsigned i = 0; i < steps; i++)
				relay_alone_round(ra, (unsigned)rand() % WORKERS);
			relay_alone_reopen(ra);
			kills++;
			rounds(12);
			all_are_where_they_should_be();
			for (unsigned i = 0; i < STREAMS; i++)
				speak(&streams[i]);
			all_were_heard();
			assert_int_equal(dp_session_move(ra->client, s->leg, 2, s->worker), 0); // it is not under way
		}
	}
	assert_int_equal(kills, 24 * WORKERS);
}

// The half that a kill leaves: one transport given up, the other not.
static void half_a_move_is_made_whole(void **state)
{
	struct session *s = &sessions[0];
	struct dp_map *m = &ra->relay.map;

	assert_int_equal(session_move(s, 2), 0);
	for (unsigned i = 0; i < 2; i++)
		relay_alone_round(ra, 0); // marked, but the others have not passed
	assert_int_equal(atomic_load(&m->rare[s->leg[0].index].heir), 3);
	m->transports[s->leg[0].index].worker = DP_COMING | 2;
	relay_alone_reopen(ra);
	rounds(12);
	all_are_where_they_should_be();
	speak(&streams[0]);
	speak(&streams[1]);
	all_were_heard();
}

// ---- pools

// What moves takes its records along, and gives them back where it ends, however often.
static void records_come_back(void **state)
{
	struct session *s = &sessions[3];

	for (unsigned n = 0; n < 60; n++) {
		dp_transport_remove(ra->client, s->leg[0]);
		dp_transport_remove(ra->client, s->leg[1]);
		rounds(6);
		session_make(3, n % WORKERS);
		rounds(6);
		speak(&streams[6]);
		speak(&streams[7]);
		all_were_heard();
		assert_int_equal(session_move(s, (n + 1) % WORKERS), 0);
		rounds(8);
		speak(&streams[6]);
		speak(&streams[7]);
		all_were_heard();
		if (n % 40 == 39) { // the reader has room for so many
			srtp_reader_close(reader);
			reader = srtp_reader_open();
			for (unsigned i = 0; i < SESSIONS; i++)
				srtp_reader_key(reader, &sessions[i].tx);
		}
	}
}

// An index that was one worker's is given to another at once: it waits until the first has let go.
static void an_index_waits_until_it_is_free(void **state)
{
	struct dp_map *m = &ra->relay.map;
	struct dp_ref ref;
	struct dp_transport_conf conf = { .mode = DP_MODE_RTP, .worker = 1, .local.port = 16396 };

	inet_addr_parse(&conf.local.addr, "192.0.0.1");
	assert_int_equal(dp_transport_alloc(ra->client, &ref), 0);
	m->transports[ref.index].state = DP_STATE_REMOVING; // the event is out, the last store is not
	m->transports[ref.index].worker = 2;
	dp_transport_publish(ra->client, ref, &conf);
	for (unsigned i = 0; i < 5; i++)
		relay_alone_round(ra, 1);
	assert_int_equal(m->transports[ref.index].state, DP_STATE_REMOVING);
	m->transports[ref.index].state = DP_STATE_FREE;
	relay_alone_round(ra, 1);
	assert_int_equal(m->transports[ref.index].state, DP_STATE_PUBLISHED);
	assert_int_equal(m->transports[ref.index].worker, 1);
	dp_transport_remove(ra->client, ref);
	rounds(4);
}

// ---- new sessions

static void the_least_busy_worker_is_chosen(void **state)
{
	struct dp_worker_record *r[WORKERS];
	unsigned chosen[WORKERS] = { 0 };

	for (unsigned w = 0; w < WORKERS; w++)
		r[w] = ra->relay.workers[w]->record;
	for (unsigned n = 0; n < 20; n++) { // worker 1 is busy, 2 half as much, 0 hardly
		static const uint64_t busy[WORKERS] = { 10, 800, 400 };

		for (unsigned w = 0; w < WORKERS; w++) {
			r[w]->busy += MONO_MS(busy[w]);
			r[w]->idle += MONO_MS(1000 - busy[w]);
		}
		usleep(10100);
		chosen[dp_worker_choose(ra->client)]++;
	}
	assert_int_equal(chosen[1], 0);
	assert_true(chosen[0] >= 18);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_comes_in_elsewhere_is_handed_over),
		TEST(the_share_is_told),
		TEST(what_turns_round_inside_is_handed_over),
		TEST(an_inbox_that_is_full),
		TEST(a_move_is_told),
		TEST(nothing_is_lost_in_any_order),
		TEST(what_is_under_way_goes_first),
		TEST(what_is_said_meanwhile_arrives),
		TEST(after_a_kill_it_goes_on),
		TEST(half_a_move_is_made_whole),
		TEST(records_come_back),
		TEST(an_index_waits_until_it_is_free),
		TEST(the_least_busy_worker_is_chosen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
