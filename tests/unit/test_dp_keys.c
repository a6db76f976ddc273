// SPDX-License-Identifier: GPL-3.0-or-later
// test_dp_keys.c - keys of a leg as a call changes them: roll-over counters over wraps with loss and reordering,
// two receive keys side by side, MKIs, lifetimes, and what control is told.
#include "tests/support/relay_alone.h"
#include "tests/support/srtp_peer.h"
#include "tests/support/srtp_reader.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define SSRC 0xcafe0001
#define PAYLOAD 40

static struct relay_alone *ra;
static struct srtp_reader *reader;
static struct srtp_engine *engine; // of the peers
static struct dp_ref in, out; // both secured, `in` leads to `out`
static struct dp_keys tx;     // of out
static uint32_t epoch;
static bool full; // SALLYPORT_FULL: at the size that a long call has

static const struct alone_to from_peer = { .network = 0, .source_port = 4000, .port = 16384, .source_last = 1 };

static struct dp_keys key_make(enum dp_direction direction, uint8_t octet)
{
	return srtp_peer_keys(direction, ++epoch, octet);
}

static void key_give(struct dp_ref ref, const struct dp_keys *keys)
{
	dp_transport_keys(ra->client, ref, keys);
	relay_alone_commands(ra);
}

static int setup(void **state)
{
	if (ra == NULL) {
		ra = relay_alone_open(0);
		assert_int_equal(srtp_engine_open(&engine, SRTP_ARCH_AUTO), 0);
	}
	full = getenv("SALLYPORT_FULL") != NULL;
	reader = srtp_reader_open();
	in = relay_alone_leg(ra, 0, "192.0.0.1", 16384, "198.51.100.1", DP_SRTP, DP_MODE_RTP);
	out = relay_alone_leg(ra, 1, "192.0.1.1", 16386, "198.51.100.2", DP_SRTP, DP_MODE_RTP);
	dp_transport_edges(ra->client, in, &(struct dp_edge){ .to = out, .open = true }, 1);
	epoch = 0;
	tx = key_make(DP_TX, 99);
	srtp_reader_key(reader, &tx.master);
	key_give(out, &tx);
	memset(ra->events, 0, sizeof(ra->events));
	return 0;
}

static int teardown(void **state)
{
	dp_transport_remove(ra->client, in);
	dp_transport_remove(ra->client, out);
	relay_alone_commands(ra);
	srtp_reader_close(reader);
	return 0;
}

static uint64_t drops(struct dp_ref ref, enum relay_drop drop)
{
	return ra->relay.map.transports[ref.index].counters.drops[drop];
}

static size_t rtp(uint8_t *dst, uint16_t seq, uint8_t octet)
{
	memset(dst, octet, 12 + PAYLOAD);
	memcpy(dst, (uint8_t[]){ 0x80, 0, (uint8_t)(seq >> 8), (uint8_t)seq, 0, 0, 0, 0, 0xca, 0xfe, 0, 1 }, 12);
	return 12 + PAYLOAD;
}

// What the peer sends as this index. True: it left by the other leg, as it was, with no index used before.
static bool pass(struct srtp_peer *peer, uint64_t index, struct reader_packet *got)
{
	const struct alone_frame *f = &ra->sent[ra->n_sent % ALONE_FRAMES];
	uint8_t packet[256], plain[256];
	unsigned sent = ra->n_sent;
	struct reader_packet own;
	size_t len;

	if (got == NULL)
		got = &own;
	rtp(packet, (uint16_t)index, (uint8_t)rand());
	memcpy(plain, packet, sizeof(plain));
	len = srtp_peer_secure(peer, packet, 12 + PAYLOAD, (uint32_t)(index >> 16), NULL);
	relay_alone_datagram(ra, &from_peer, packet, len);
	if (ra->n_sent == sent)
		return false;
	assert_int_equal(srtp_reader_see(reader, f->bytes + 42, f->len - 42u, got), READER_FRESH);
	assert_memory_equal(got->bytes + 12, plain + 12, PAYLOAD);
	return true;
}

// ---- M6

// The order in which packets near a wrap come: five neighbours shuffled.
static void shuffled(uint64_t order[5], uint64_t first)
{
	for (unsigned i = 0; i < 5; i++)
		order[i] = first + i;
	for (unsigned i = 4; i > 0; i--) {
		unsigned j = (unsigned)rand() % (i + 1);
		uint64_t swap = order[i];

		order[i] = order[j];
		order[j] = swap;
	}
}

// From 65,500 over four wraps. Around each some are lost: 65,530 to 10 at the first, fewer at others; what is not comes
// out of order. Far from wraps a long call is either told whole (SALLYPORT_FULL) or in jumps, which is loss as well.
static void four_wraps_with_loss_and_reordering(void **state)
{
	struct dp_keys rx = key_make(DP_RX, 1);
	struct srtp_peer peer;
	struct reader_packet got;
	unsigned n = 0;

	srtp_peer_open(&peer, engine, &rx);
	key_give(in, &rx);
	srand(6);
	for (uint64_t at = 65500; at < 65500 + 200000; at += 5) {
		uint64_t to_wrap = (at + 1000) % 65536, order[5];

		if (!full && to_wrap > 2000) {
			assert_true(pass(&peer, at, NULL));
			at += 990;
			continue;
		}
		if (at / 65536 == 2 && at % 65536 < 5)
			relay_alone_reopen(ra); // another relay goes on, at roll-over counter 2
		shuffled(order, at);
		for (unsigned i = 0; i < 5; i++) {
			if ((order[i] >= 65530 && order[i] <= 65546) || (order[i] > 65600 && rand() % 10 == 0))
				continue;
			assert_true(pass(&peer, order[i], &got));
			assert_int_equal(got.index, order[i]); // ours wraps with the peer's
			n++;
		}
	}
	assert_int_equal(got.index >> 16, 4);
	assert_true(n > (full ? 150000 : 5000));
	assert_int_equal(drops(in, RELAY_DROP_AUTH) + drops(in, RELAY_DROP_OLD) + drops(in, RELAY_DROP_REPLAY), 0);
	print_message("%u packets, four wraps, none of them dropped\n", n);
	srtp_peer_close(&peer);
}

// A joiner who comes after a wrap, of which SDES says nothing: the counter next to 0 is tried, others are not.
static void a_late_joiner_after_a_wrap(void **state)
{
	struct dp_keys rx = key_make(DP_RX, 1);
	struct srtp_peer peer;

	srtp_peer_open(&peer, engine, &rx);
	key_give(in, &rx);
	for (unsigned i = 0; i < 5; i++)
		assert_false(pass(&peer, (3ull << 16) + 10 + i, NULL));
	assert_int_equal(drops(in, RELAY_DROP_AUTH), 5);
	for (unsigned i = 0; i < 200; i++)
		assert_true(pass(&peer, (1ull << 16) + 10 + i, NULL));
	srtp_peer_close(&peer);
}

// ---- two keys

static void a_swap_under_load_loses_nothing(void **state)
{
	struct dp_keys rx[2] = { key_make(DP_RX, 1), key_make(DP_RX, 2) };
	struct srtp_peer peer[2];
	uint16_t retries;

	for (unsigned i = 0; i < 2; i++)
		srtp_peer_open(&peer[i], engine, &rx[i]);
	key_give(in, &rx[0]);
	for (unsigned i = 0; i < 300; i++) {
		assert_true(pass(&peer[0], 65400 + i, NULL));
		assert_int_equal(ra->events[DP_EVENT_EPOCH], 1);
	}
	assert_int_equal(ra->last_event.epoch, rx[0].epoch);
	key_give(in, &rx[1]);
	for (unsigned i = 300; i < 600; i++) // known to us, not yet to the peer: roll-over counter 1
		assert_true(pass(&peer[0], 65400 + i, NULL));
	assert_int_equal(ra->events[DP_EVENT_EPOCH], 1);
	for (unsigned i = 600; i < 700; i++) { // both, in any order; the new key begins at roll-over counter 0
		unsigned fresh = i % 3 != 0;

		assert_true(pass(&peer[fresh], fresh ? (65400 + i) & 0xffff : 65400 + i, NULL));
	}
	assert_int_equal(ra->events[DP_EVENT_EPOCH], 2);
	assert_int_equal(ra->last_event.epoch, rx[1].epoch);
	dp_transport_retire(ra->client, in, DP_RX, rx[1].epoch);
	relay_alone_commands(ra);
	retries = (uint16_t)ra->relay.map.transports[in.index].retries;
	for (unsigned i = 700; i < 1000; i++)
		assert_true(pass(&peer[1], (65400 + i) & 0xffff, NULL));
	assert_int_equal(drops(in, RELAY_DROP_AUTH), 0);
	assert_int_equal(ra->relay.map.transports[in.index].retries, retries); // one tag check each
	assert_false(pass(&peer[0], 65400 + 1000, NULL));
	assert_int_equal(drops(in, RELAY_DROP_AUTH), 1);
	relay_alone_reopen(ra);
	assert_true(pass(&peer[1], (65400 + 1001) & 0xffff, NULL));
	assert_int_equal(ra->events[DP_EVENT_EPOCH], 2);
	for (unsigned i = 0; i < 2; i++)
		srtp_peer_close(&peer[i]);
}

// Our send key changes in mid stream: the newest from the next packet on, beginning at 0.
static void sent_under_the_newest_at_once(void **state)
{
	struct dp_keys rx = key_make(DP_RX, 1);
	struct reader_packet got;
	struct srtp_peer peer;

	srtp_peer_open(&peer, engine, &rx);
	key_give(in, &rx);
	for (unsigned i = 0; i < 200; i++) {
		if (i % 20 == 10) {
			tx = key_make(DP_TX, (uint8_t)(100 + i));
			srtp_reader_key(reader, &tx.master);
			key_give(out, &tx);
		}
		assert_true(pass(&peer, 65436 + i, &got));
		assert_int_equal(got.key, (i + 10) / 20);
	}
	assert_int_equal(got.index >> 16, 0); // the key came after the wrap, and so began at 0
	srtp_peer_close(&peer);
}

// The peer's new key comes with a new sequence, which our own key has seen: not one packet is lost, nor an index used
// twice; packets of the old key that come late may be.
static void a_peer_that_begins_anew_with_its_key(void **state)
{
	struct dp_keys rx[2] = { key_make(DP_RX, 1), key_make(DP_RX, 2) };
	struct dp_ssrc_map map[DP_TX_SSRCS];
	struct srtp_peer peer[2];
	struct reader_packet got;

	for (unsigned i = 0; i < 2; i++) {
		srtp_peer_open(&peer[i], engine, &rx[i]);
		key_give(in, &rx[i]);
		for (unsigned k = 0; k < 400; k++)
			assert_true(pass(&peer[i], 1000 + k, &got));
		assert_int_equal(dp_transport_ssrc_maps(ra->client, out, map, DP_TX_SSRCS), i);
	}
	assert_int_equal(map[0].in, SSRC);
	assert_int_equal(map[0].out, got.ssrc);
	assert_int_equal(drops(out, RELAY_DROP_TX_REPEAT), 0);
	for (unsigned i = 0; i < 2; i++)
		srtp_peer_close(&peer[i]);
}

static void a_key_that_comes_back_in_the_overlap(void **state)
{
	struct dp_keys rx[3] = { key_make(DP_RX, 1), key_make(DP_RX, 2), key_make(DP_RX, 1) };
	struct srtp_peer peer;

	srtp_peer_open(&peer, engine, &rx[0]);
	key_give(in, &rx[0]);
	assert_true(pass(&peer, 70, NULL));
	key_give(in, &rx[1]);
	key_give(in, &rx[2]);
	assert_int_equal(ra->events[DP_EVENT_KEY_REFUSED], 0);
	assert_false(pass(&peer, 70, NULL)); // its window is what it was
	assert_int_equal(drops(in, RELAY_DROP_REPLAY), 1);
	assert_true(pass(&peer, 71, NULL));
	assert_int_equal(ra->last_event.kind, DP_EVENT_EPOCH);
	assert_int_equal(ra->last_event.epoch, rx[2].epoch);
	srtp_peer_close(&peer);
}

// ---- MKI

static void the_mki_names_the_key(void **state)
{
	struct dp_keys rx[3] = { key_make(DP_RX, 1), key_make(DP_RX, 2), key_make(DP_RX, 3) };
	const struct dp_transport *tp = &ra->relay.map.transports[in.index];
	struct srtp_peer peer[3];

	for (unsigned i = 0; i < 3; i++) {
		rx[i].mki = (struct srtp_mki){ .len = 4, .bytes = { 0, 0, 0, (uint8_t)(1 + i) } };
		srtp_peer_open(&peer[i], engine, &rx[i]);
		if (i < 2)
			key_give(in, &rx[i]);
	}
	for (unsigned i = 0; i < 100; i++)
		assert_true(pass(&peer[i % 2], 500 + i, NULL));
	assert_int_equal(tp->retries, 0); // each was tried under its own key alone
	assert_false(pass(&peer[2], 700, NULL));
	assert_int_equal(drops(in, RELAY_DROP_MKI), 1);
	assert_int_equal(tp->retries, 0);
	assert_int_equal(ra->events[DP_EVENT_EPOCH], 1);
	for (unsigned i = 0; i < 3; i++)
		srtp_peer_close(&peer[i]);
}

static void our_mki_is_sent(void **state)
{
	struct dp_keys rx = key_make(DP_RX, 1), ours = key_make(DP_TX, 50);
	struct srtp_peer peer, far;
	uint8_t packet[256], plain[256];
	const struct alone_frame *f;
	size_t len;

	ours.mki = (struct srtp_mki){ .len = 2, .bytes = { 0xab, 0xcd } };
	srtp_peer_open(&peer, engine, &rx);
	srtp_peer_open(&far, engine, &ours);
	key_give(in, &rx);
	key_give(out, &ours);
	rtp(plain, 9, 7);
	memcpy(packet, plain, sizeof(packet));
	len = srtp_peer_secure(&peer, packet, 12 + PAYLOAD, 0, NULL);
	relay_alone_datagram(ra, &from_peer, packet, len);
	f = &ra->sent[(ra->n_sent - 1) % ALONE_FRAMES];
	assert_int_equal(f->len, 42 + 12 + PAYLOAD + 2 + 10);
	assert_memory_equal(f->bytes + 42 + 12 + PAYLOAD, "\xab\xcd", 2);
	memcpy(packet, f->bytes + 42, f->len - 42u);
	assert_int_equal(srtp_peer_open_packet(&far, packet, f->len - 42u, 0, NULL), 12 + PAYLOAD);
	assert_memory_equal(packet, plain, 12 + PAYLOAD);
	srtp_peer_close(&peer);
	srtp_peer_close(&far);
}

// ---- lifetime

static void a_key_ends_with_its_lifetime(void **state)
{
	struct dp_keys rx = key_make(DP_RX, 1), next = key_make(DP_RX, 2);
	struct srtp_peer peer, later;

	rx.lifetime = 100;
	srtp_peer_open(&peer, engine, &rx);
	srtp_peer_open(&later, engine, &next);
	key_give(in, &rx);
	for (unsigned i = 0; i < 150; i++)
		assert_int_equal(pass(&peer, 500 + i, NULL), i < 100);
	assert_int_equal(drops(in, RELAY_DROP_KEY_EXPIRED), 50);
	rx.epoch = ++epoch; // the same key again lives no longer
	key_give(in, &rx);
	assert_false(pass(&peer, 700, NULL));
	next.epoch = ++epoch;
	key_give(in, &next);
	assert_true(pass(&later, 701, NULL));
	srtp_peer_close(&peer);
	srtp_peer_close(&later);
}

// Whatever is thrown at it: not one packet more than it may make.
static void our_key_ends_with_its_lifetime(void **state)
{
	struct dp_keys rx = key_make(DP_RX, 1), ours = key_make(DP_TX, 60);
	struct srtp_peer peer;
	unsigned left = 0;

	ours.lifetime = 100;
	srtp_reader_key(reader, &ours.master);
	srtp_peer_open(&peer, engine, &rx);
	key_give(in, &rx);
	key_give(out, &ours);
	for (unsigned i = 0; i < 300; i++) {
		if (i % 37 == 0)
			relay_alone_reopen(ra);
		left += pass(&peer, 65400 + i, NULL);
	}
	assert_int_equal(left, 100);
	assert_int_equal(drops(out, RELAY_DROP_KEY_EXPIRED), 200);
	ours.epoch = ++epoch;
	key_give(out, &ours);
	assert_false(pass(&peer, 65400 + 300, NULL));
	srtp_peer_close(&peer);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(four_wraps_with_loss_and_reordering),
		TEST(a_late_joiner_after_a_wrap),
		TEST(a_swap_under_load_loses_nothing),
		TEST(sent_under_the_newest_at_once),
		TEST(a_peer_that_begins_anew_with_its_key),
		TEST(a_key_that_comes_back_in_the_overlap),
		TEST(the_mki_names_the_key),
		TEST(our_mki_is_sent),
		TEST(a_key_ends_with_its_lifetime),
		TEST(our_key_ends_with_its_lifetime),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	srtp_engine_close(engine);
	relay_alone_close(ra);
	return failed;
}
