// SPDX-License-Identifier: GPL-3.0-or-later
// test_dp_source.c - no index twice, and no dead call: sources that begin anew, that repeat, that share an SSRC, that
// flood; keys that change and come back; a worker that ends at any instruction. A reader that holds the keys looks at
// all that leaves.
#include "tests/support/relay_alone.h"
#include "tests/support/srtp_peer.h"
#include "tests/support/srtp_reader.h"
#include "dataplane/worker/srtp/srtp_window.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define SSRC 0x1234

static struct relay_alone *ra;
static struct srtp_reader *reader;
static struct dp_ref plain, other, secured; // plain and other lead to secured
static uint32_t epoch;
static uint8_t key_octet;

static const struct alone_to from_plain = { .network = 0, .source_port = 4000, .port = 16384, .source_last = 1 };
static const struct alone_to from_other = { .network = 0, .source_port = 4000, .port = 16388, .source_last = 1 };

static struct dp_keys key_make(enum dp_direction direction, uint8_t octet)
{
	return srtp_peer_keys(direction, ++epoch, octet);
}

static void key_next(void)
{
	struct dp_keys keys = key_make(DP_TX, ++key_octet);

	srtp_reader_key(reader, &keys.master);
	dp_transport_keys(ra->client, secured, &keys);
	relay_alone_commands(ra);
}

static void join(struct dp_ref from, struct dp_ref to)
{
	dp_transport_edges(ra->client, from, &(struct dp_edge){ .to = to, .open = true }, 1);
	relay_alone_commands(ra);
}

static int setup(void **state)
{
	if (ra == NULL)
		ra = relay_alone_open(0);
	reader = srtp_reader_open();
	plain = relay_alone_leg(ra, 0, "192.0.0.1", 16384, "198.51.100.1", DP_PLAIN, DP_MODE_RTP);
	other = relay_alone_leg(ra, 0, "192.0.0.1", 16388, "198.51.100.1", DP_PLAIN, DP_MODE_RTP);
	secured = relay_alone_leg(ra, 1, "192.0.1.1", 16386, "198.51.100.2", DP_SRTP, DP_MODE_RTP);
	join(plain, secured);
	join(other, secured);
	epoch = 0;
	key_next();
	return 0;
}

static int teardown(void **state)
{
	dp_transport_remove(ra->client, plain);
	dp_transport_remove(ra->client, other);
	dp_transport_remove(ra->client, secured);
	relay_alone_commands(ra);
	srtp_reader_close(reader);
	return 0;
}

static uint64_t drops(enum relay_drop drop)
{
	return ra->worker->record->drops[drop];
}

static uint64_t secured_drops(enum relay_drop drop)
{
	return ra->relay.map.transports[secured.index].counters.drops[drop];
}

static size_t rtp(uint8_t *dst, uint32_t ssrc, uint16_t seq, uint8_t payload)
{
	memset(dst, payload, 12 + 40);
	memcpy(dst, (uint8_t[]){ 0x80, 0, (uint8_t)(seq >> 8), (uint8_t)seq, 0, 0, 0, 0 }, 8);
	memcpy(dst + 8, (uint8_t[]){ (uint8_t)(ssrc >> 24), (uint8_t)(ssrc >> 16), (uint8_t)(ssrc >> 8),
				     (uint8_t)ssrc }, 4);
	return 12 + 40;
}

// One packet, `ms` after the one before. Returns whether it left; what left was read and was fresh.
static bool say_by(const struct alone_to *to, uint32_t ssrc, uint16_t seq, unsigned ms, struct reader_packet *out)
{
	const struct alone_frame *f = &ra->sent[ra->n_sent % ALONE_FRAMES];
	unsigned sent = ra->n_sent;
	uint8_t payload[64];
	size_t len = rtp(payload, ssrc, seq, (uint8_t)rand());

	ra->worker->now += MONO_MS(ms) - MONO_MS(1);
	relay_alone_datagram(ra, to, payload, len);
	if (ra->n_sent == sent)
		return false;
	assert_int_equal(ra->n_sent, sent + 1);
	assert_int_equal(srtp_reader_see(reader, f->bytes + 42, f->len - 42u, out), READER_FRESH);
	if (out != NULL) {
		assert_int_equal(out->len, len);
		assert_memory_equal(out->bytes + 12, payload + 12, len - 12);
	}
	return true;
}

static bool say(uint16_t seq)
{
	return say_by(&from_plain, SSRC, seq, 20, NULL);
}

static size_t maps(struct dp_ssrc_map *map)
{
	return dp_transport_ssrc_maps(ra->client, secured, map, DP_TX_SSRCS);
}

// The proof can fail: a sender that forgets its indices makes what the reader calls repeated, another's key is unknown.
static void the_reader_sees_what_is_wrong(void **state)
{
	struct dp_keys keys = key_make(DP_TX, 200), foreign = key_make(DP_TX, 201);
	struct srtp_key *key = aligned_alloc(64, sizeof(*key));
	struct srtp_stream *stream = aligned_alloc(64, sizeof(*stream));
	struct reader_packet got;

	srtp_reader_key(reader, &keys.master);
	for (unsigned i = 0; i < 3; i++) {
		uint8_t packet[128];
		struct srtp_op op = { .packet = packet, .room = sizeof(packet), .hdr_len = 12, .key = key,
				      .stream = stream };

		assert_int_equal(srtp_key_derive(ra->worker->engine, key, i < 2 ? &keys.master : &foreign.master, NULL,
						 0), 0);
		srtp_stream_init(stream, SSRC, 3, 128);
		op.len = (uint16_t)rtp(packet, SSRC, 700, (uint8_t)i);
		srtp_protect_burst(ra->worker->engine, &op, 1);
		assert_int_equal(op.result, SRTP_OK);
		assert_int_equal(srtp_reader_see(reader, packet, op.len, &got),
				 i == 0 ? READER_FRESH : i == 1 ? READER_REPEATED : READER_UNKNOWN);
		assert_int_equal(got.index, 3 << 16 | 700);
	}
	free(key);
	free(stream);
}

static void a_source_that_begins_anew_goes_on(void **state)
{
	struct dp_ssrc_map map[DP_TX_SSRCS];
	struct reader_packet got;
	uint32_t first;

	for (unsigned i = 0; i < 500; i++)
		assert_true(say((uint16_t)(1000 + i)));
	assert_int_equal(maps(map), 0);
	assert_false(say(1000)); // two are lost, as many as it takes to know
	assert_false(say(1001));
	assert_true(say_by(&from_plain, SSRC, 1002, 20, &got));
	assert_int_equal(got.index, 1002);
	assert_int_not_equal(got.ssrc, SSRC);
	assert_int_equal(maps(map), 1);
	assert_int_equal(map[0].in, SSRC);
	assert_int_equal(map[0].out, got.ssrc);
	first = got.ssrc;
	for (unsigned i = 3; i < 500; i++)
		assert_true(say((uint16_t)(1000 + i)));
	relay_alone_reopen(ra); // the map is in the records
	assert_int_equal(maps(map), 1);
	assert_true(say_by(&from_plain, SSRC, 1500, 20, &got));
	assert_int_equal(got.ssrc, first);
	assert_false(say(7)); // once more, with packets of it lost
	assert_false(say(9));
	assert_true(say_by(&from_plain, SSRC, 14, 20, &got));
	assert_int_not_equal(got.ssrc, first);
	assert_int_equal(maps(map), 1);
	assert_int_equal(map[0].out, got.ssrc);
	assert_int_equal(secured_drops(RELAY_DROP_TX_REPEAT), 4);
	key_next(); // nothing was sent under the next key: as it comes
	assert_true(say_by(&from_plain, SSRC, 15, 20, &got));
	assert_int_equal(got.ssrc, SSRC);
	assert_int_equal(maps(map), 0);
}

// A network that delivers twice is no source that began anew.
static void what_comes_twice_is_dropped(void **state)
{
	struct dp_ssrc_map map[DP_TX_SSRCS];
	unsigned again = 0;

	for (unsigned frame = 0; frame < 200; frame++) { // video: ten packets at once, and once more 5 ms later
		for (unsigned copy = 0; copy < 2; copy++) {
			for (unsigned i = 0; i < 10; i++) {
				again += copy;
				assert_int_equal(say_by(&from_plain, SSRC, (uint16_t)(frame * 10 + i),
							i > 0 ? 1 : copy ? 5 : 19, NULL), copy == 0);
			}
		}
	}
	for (unsigned i = 0; i < 500; i++) { // audio, each packet twice, the second late
		assert_true(say((uint16_t)(2000 + i)));
		if (i >= 5) {
			assert_false(say_by(&from_plain, SSRC, (uint16_t)(2000 + i - 5), 1, NULL));
			again++;
		}
	}
	assert_int_equal(secured_drops(RELAY_DROP_TX_REPEAT), again);
	assert_int_equal(maps(map), 0);
}

// Captured packets sent again from the true source, with other payload, in every order: each index once.
static void replay_on_the_plain_side(void **state)
{
	for (unsigned i = 0; i < 2000; i++)
		assert_true(say((uint16_t)(64000 + i)));
	for (unsigned i = 0; i < 2000; i++)
		say((uint16_t)(64000 + i));
	for (unsigned i = 2000; i-- > 0;)
		say((uint16_t)(64000 + i));
	for (unsigned i = 0; i < 5000; i++)
		say((uint16_t)(64000 + rand() % 2000));
	for (unsigned i = 0; i < 20; i++) // and then the source is heard within a few packets
		say((uint16_t)(500 + i));
	assert_true(say(520));
}

static void two_sources_with_one_ssrc(void **state)
{
	struct dp_ssrc_map map[DP_TX_SSRCS];
	struct reader_packet a, b;

	for (unsigned i = 0; i < 300; i++) {
		assert_true(say_by(&from_plain, SSRC, (uint16_t)(100 + i), 10, &a));
		assert_true(say_by(&from_other, SSRC, (uint16_t)(100 + i), 10, &b));
		assert_true(say_by(&from_plain, SSRC + 1, (uint16_t)(100 + i), 1, NULL)); // beside a third
		assert_true(say_by(&from_other, SSRC + 2, (uint16_t)(100 + i), 1, NULL));
		assert_int_equal(a.ssrc, SSRC);
		assert_int_not_equal(b.ssrc, SSRC);
	}
	assert_int_equal(maps(map), 1);
	assert_int_equal(map[0].out, b.ssrc);
	assert_int_equal(secured_drops(RELAY_DROP_TX_REPEAT), 0);
}

// The same source, which another port of ours hears from now on: it goes on where it was.
static void a_source_that_moves_to_another_port(void **state)
{
	struct dp_ssrc_map map[DP_TX_SSRCS];

	for (unsigned i = 0; i < 50; i++)
		assert_true(say((uint16_t)i));
	dp_transport_edges(ra->client, plain, NULL, 0);
	relay_alone_commands(ra);
	for (unsigned i = 50; i < 100; i++)
		assert_true(say_by(&from_other, SSRC, (uint16_t)i, 20, NULL));
	assert_int_equal(maps(map), 0);
}

// A source that begins anew all the time: bounded, and the stream beside it is not touched.
static void beginning_anew_is_bounded(void **state)
{
	struct dp_ssrc_map map[DP_TX_SSRCS];
	uint32_t free_streams = relay_alone_free_streams(ra), last = SSRC;
	unsigned outs = 0, t = 0;

	for (; t < 60000; t += 40) { // for a minute
		struct reader_packet got;

		assert_true(say_by(&from_other, 0x77, (uint16_t)(t / 40), 20, NULL));
		if (say_by(&from_plain, SSRC, (uint16_t)(t / 40 % 4 + t / 160 % 2 * 1000), 20, &got) &&
		    got.ssrc != last) {
			outs++;
			last = got.ssrc;
		}
	}
	assert_in_range(outs, 60, 8 + 60 * 2 + 1); // eight at once, then two a second
	assert_true(maps(map) <= 1);
	assert_in_range(free_streams - relay_alone_free_streams(ra), 1, 6);
}

static unsigned streams_of(struct dp_transport *tp)
{
	const struct dp_tx_slot *slot;
	unsigned n = 0;

	for (unsigned i = 0; i < DP_TX_SSRCS && (slot = dp_tx_slot(&ra->relay.map, tp, i)) != NULL; i++)
		n += slot->stream < ra->relay.map.n_streams;
	return n;
}

static void a_flood_of_ssrcs_is_bounded(void **state)
{
	uint64_t before = drops(RELAY_DROP_SSRC_LIMIT);
	uint32_t ssrc = 0x50000000;
	unsigned passed = 0;
	uint16_t seq = 0;

	for (unsigned i = 0; i < 20000; i++) {
		passed += say_by(&from_plain, ssrc++, 1, 1, NULL);
		if (i % 20 == 0)
			assert_true(say(seq++));
	}
	assert_int_equal(passed, DP_RX_SSRCS - 1); // as many as one leg may bring, with the one that stays
	assert_int_equal(drops(RELAY_DROP_SSRC_LIMIT) - before, 20000 - passed);
}

// Sources that come and go for hours: the first ones go as they come, later ones under SSRCs of ours, and the one that
// stays is not touched.
static void sources_that_come_and_go(void **state)
{
	struct dp_transport *tp = &ra->relay.map.transports[secured.index];
	uint32_t ssrc = 0x50000000;
	struct reader_packet got;
	unsigned carried = 0;
	uint16_t seq = 0;

	for (unsigned i = 0; i < 300; i++) {
		assert_true(say(seq++));
		assert_true(say_by(&from_plain, ++ssrc, 1, 1000, &got));
		carried += got.ssrc == ssrc;
		for (unsigned k = 0; k < 60; k++)
			assert_true(say_by(&from_plain, SSRC, seq++, 200, &got));
		assert_int_equal(got.ssrc, SSRC);
		assert_in_range(streams_of(tp), 1, DP_TX_SSRCS);
	}
	assert_int_equal(carried, DP_TX_CARRIED - 1);
	assert_false(say_by(&from_plain, 0x50000001, 1, 20, &got)); // hours later: the first one's first index
	assert_true(say_by(&from_plain, 0x50000001, 2, 20, &got));
	assert_int_equal(got.ssrc, 0x50000001);
}

// What happens in calls, in any order: at no time is an index used twice, and soon after it is quiet the source is
// heard.
static void anything_in_any_order(void **state)
{
	uint16_t seq[2] = { 60000, 30 };

	srand(11);
	for (unsigned i = 0; i < 40000; i++) {
		unsigned who = rand() % 2, what = rand() % 1000;

		if (what < 4)
			seq[who] = (uint16_t)(seq[who] - rand() % 3000); // begins anew
		else if (what < 6)
			relay_alone_reopen(ra);
		else if (what < 7 && key_octet < 100)
			key_next();
		else if (what < 40)
			seq[who] = (uint16_t)(seq[who] + rand() % 40); // loss
		say_by(who ? &from_other : &from_plain, rand() % 50 == 0 ? SSRC + 1 : SSRC,
		       what < 80 ? (uint16_t)(seq[who] - rand() % 300) : seq[who]++, 1 + rand() % 30, NULL);
	}
	ra->worker->now += MONO_S(10);
	for (unsigned who = 0; who < 2; who++) {
		const struct alone_to *to = who ? &from_other : &from_plain;

		for (unsigned i = 0; i < 40; i++)
			say_by(to, SSRC, seq[who]++, 20, NULL);
		assert_true(say_by(to, SSRC, seq[who]++, 20, NULL));
	}
}

// ---- keys

// Each slot that names a stream names one that is whole, whatever instruction was the last.
static void slots_are_whole(const struct dp_map *m, unsigned *bound)
{
	struct dp_transport *tp = &m->transports[secured.index], *in = &m->transports[plain.index];
	const struct dp_ssrc_slot *rx;
	const struct dp_tx_slot *slot;

	for (unsigned i = 0; i < DP_TX_SSRCS && (slot = dp_tx_slot(m, tp, i)) != NULL; i++) {
		if (slot->stream >= m->n_streams)
			continue;
		assert_int_equal(dp_stream_at(m, slot->stream)->owner, secured.index);
		assert_int_equal(dp_stream_at(m, slot->stream)->srtp.ssrc, slot->out);
		assert_int_equal(dp_stream_at(m, slot->stream)->srtp.window, 128);
		(*bound)++;
	}
	for (unsigned i = 0; i < DP_RX_SSRCS && (rx = dp_rx_slot(m, in, 0, i)) != NULL; i++) {
		if (rx->stream < m->n_streams)
			assert_int_equal(dp_stream_at(m, rx->stream)->srtp.ssrc, rx->ssrc);
	}
}

// A worker that steps through one packet, looked at after each instruction. Returns in how many steps it was done.
static unsigned step_through(const uint8_t *payload, size_t len, unsigned *bound)
{
	unsigned steps = 0;
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		uint8_t frame[2048];
		size_t n = relay_alone_frame_make(frame, &from_plain, payload, len);
		struct rte_mbuf *m = rte_pktmbuf_alloc(ra->relay.pool);

		memcpy(rte_pktmbuf_mtod(m, void *), frame, n);
		m->data_len = (uint16_t)n;
		m->pkt_len = (uint32_t)n;
		m->port = 0;
		m->vlan_tci = 0;
		ra->worker->now += MONO_MS(20);
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
			_exit(1);
		raise(SIGSTOP);
		relay_burst(ra->worker, &m, 1);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	for (; WIFSTOPPED(status); steps++) {
		slots_are_whole(&ra->relay.map, bound);
		assert_int_equal(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL), 0);
		assert_int_equal(waitpid(child, &status, 0), child);
	}
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	return steps;
}

static void killed_at_every_instruction(void **state)
{
	uint8_t payload[64];
	unsigned bound = 0, steps = step_through(payload, rtp(payload, SSRC, 100, 1), &bound); // binds both streams

	assert_true(steps > 500 && bound > 100);
	ra->worker->now += MONO_MS(20);
	relay_alone_reopen(ra); // the child's worker was another's
	for (unsigned i = 1; i < 10; i++)
		assert_true(say((uint16_t)(100 + i)));
	assert_false(say(103));
	assert_false(say(104));
	bound = 0;
	steps = step_through(payload, rtp(payload, SSRC, 105, 1), &bound); // and this one goes on anew
	assert_true(steps > 500 && bound > 100);
	relay_alone_reopen(ra);
	assert_true(say(106));
}

static uint32_t epoch_of(enum dp_direction direction)
{
	struct dp_transport_view view;

	assert_true(dp_transport_read(&ra->relay.map.transports[secured.index], &view));
	return direction == DP_RX ? view.rx_epoch : view.tx_epoch;
}

// Under a key that comes back indices would begin at 0 again, and windows would be empty.
static void a_key_that_was_left_is_refused(void **state)
{
	for (enum dp_direction d = DP_RX; d <= DP_TX; d++) {
		struct dp_keys keys[4] = { key_make(d, 150), key_make(d, 151), key_make(d, 152), key_make(d, 150) };
		unsigned refused = ra->events[DP_EVENT_KEY_REFUSED];

		for (unsigned i = 0; i < 3; i++)
			dp_transport_keys(ra->client, secured, &keys[i]);
		relay_alone_commands(ra);
		assert_int_equal(epoch_of(d), keys[2].epoch);
		assert_int_equal(ra->events[DP_EVENT_KEY_REFUSED], refused);
		dp_transport_keys(ra->client, secured, &keys[3]); // 150 again
		relay_alone_commands(ra);
		assert_int_equal(epoch_of(d), keys[2].epoch);
		assert_int_equal(ra->events[DP_EVENT_KEY_REFUSED], refused + 1);
		assert_int_equal(ra->last_event.epoch, keys[3].epoch);
		assert_int_equal(ra->last_event.direction, d);
		relay_alone_reopen(ra);
		dp_transport_keys(ra->client, secured, &keys[3]);
		relay_alone_commands(ra);
		assert_int_equal(epoch_of(d), keys[2].epoch);
	}

}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_reader_sees_what_is_wrong, setup, teardown),
		cmocka_unit_test_setup_teardown(a_source_that_begins_anew_goes_on, setup, teardown),
		cmocka_unit_test_setup_teardown(what_comes_twice_is_dropped, setup, teardown),
		cmocka_unit_test_setup_teardown(replay_on_the_plain_side, setup, teardown),
		cmocka_unit_test_setup_teardown(two_sources_with_one_ssrc, setup, teardown),
		cmocka_unit_test_setup_teardown(a_source_that_moves_to_another_port, setup, teardown),
		cmocka_unit_test_setup_teardown(beginning_anew_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(a_flood_of_ssrcs_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(sources_that_come_and_go, setup, teardown),
		cmocka_unit_test_setup_teardown(anything_in_any_order, setup, teardown),
		cmocka_unit_test_setup_teardown(killed_at_every_instruction, setup, teardown),
		cmocka_unit_test_setup_teardown(a_key_that_was_left_is_refused, setup, teardown),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	relay_alone_close(ra);
	return failed;
}
